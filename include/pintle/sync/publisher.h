/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Publisher: keeps an etcd prefix as the catalog is, so that others can serve from it.
 *
 *     lease -> election -> what is there already -> changes of synced clusters, by transactions
 *
 * Of all that share a prefix one writes, and every transaction of it asks whether it still may. The
 * others wait, and take over with nothing but differences. A cluster is written from the moment
 * when this process has synced it: before, what is there stays. What somebody else writes or
 * deletes there is found within half a minute and put right. A cluster of which this process knows
 * less than half of what is there waits a minute for a second list. sync/source_etcd.c reads it.
 * Threads: the loop's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/loop.h"
#include "pintle/base/text.h"
#include "pintle/sync/sync.h"
#include "pintle/zones/changes.h"

struct pin_publisher;

/** What a publisher needs. */
struct pin_publisher_config {
    struct pin_loop *loop;
    struct pin_etcd_spec etcd;   /**< Copied. */
    const char *const *clusters; /**< Names by cluster id, copied; NULL: not to be published. */
    size_t n_clusters;
    /** Has the request done on the builder's thread, then its `done` called on the loop, unless the
     * process ends. False: not now. The request lives until then, or pin_publisher_free(). */
    bool (*pull)(void *pull_arg, struct pin_changes_pull *pull);
    void *pull_arg;
    /** Has a cluster listed once more, 30 s later, for a first list of it that names too little.
     * False: that would prove nothing. With pull_arg; NULL: all is believed at once. */
    bool (*list_again)(void *pull_arg, uint16_t cluster_id);
    /** How long such a cluster waits for that list; 0: 60 s. */
    int64_t doubt_ms;
    /** How often what etcd has is compared with what was written; 0: every 30 s. */
    int64_t compare_ms;
};

/** Makes it and starts it. PIN_ENOMEM, PIN_EINVAL. */
enum pin_err pin_publisher_start(const struct pin_publisher_config *config,
    struct pin_publisher **ret_publisher, struct pin_why *why);

/** The catalog has changed: pin_catalog_has_changes(). NULL is fine. */
void pin_publisher_poke(struct pin_publisher *publisher);

/**
 * Ends it, and gives up its lease so that another need not wait: turns the loop for up to 300 ms.
 * NULL is fine.
 */
void pin_publisher_stop(struct pin_publisher *publisher);

/** Frees it, once stopped and once no request of its is under way. NULL is fine. */
void pin_publisher_free(struct pin_publisher *publisher);

/** {"role","leader","revision","keys","pending","lagSeconds","transactions","puts","deletes",
 * "failures","refused","repairs","error"}; role is "publisher", "standby" or "none". NULL writes
 * null. */
void pin_publisher_status_json(const struct pin_publisher *publisher, struct pin_jsonout *out);

/** The families of metrics, as Prometheus reads them. Nothing for NULL. */
void pin_publisher_metrics(const struct pin_publisher *publisher, struct pin_text *out);
