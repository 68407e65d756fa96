/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a publisher is to write: etcd's keys as last known, and the differences still to be sent.
 *
 *     READ  page by page -> known [key: hash]
 *     TAKEN changes      -> other hash: a put; nothing left: a delete; else nothing to do
 *     SWEEP              -> what was there and was not taken goes: a delete
 *     COMPARE page by page -> whether somebody else has written there since
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/hash.h"
#include "pintle/base/text.h"
#include "pintle/zones/changes.h"

#include "etcd_text.h"

/** Operations that one transaction may have: etcd's own limit is 128. */
#define PIN_PUBLISH_OPS_MAX 100u
/** Bytes of keys and values after which a transaction takes no further one; etcd's limit of a
 * request is 1.5 MiB, and base64 is decoded before it counts. */
#define PIN_PUBLISH_BYTES_MAX ((size_t)512 << 10)

/** One operation. */
struct pin_publish_op {
    char *key;   /**< Owned; the whole key. */
    char *value; /**< Owned; NULL: a delete. */
    size_t value_bytes;
    bool is_bound; /**< To the publisher's lease. */
};

/** One cluster's keys in etcd. */
struct pin_publish_cluster {
    char *base;           /**< "/pintle/c1/"; NULL: it is not published. */
    struct pin_map known; /**< Key behind the base -> what it holds. */
    size_t n_open;        /**< Of them those whose revision is not known: to be sent, or refused. */
    size_t n_seen;        /**< Of the others those that this comparison, or a write since, saw. */
    int64_t meta_revision; /**< Of `meta` as we wrote it; 0: it is to be sent, or was never. */
    uint32_t meta_round;   /**< The comparison that saw it last. */
    int64_t doubted_ms;    /**< Since when it waits for a second list; 0: it does not. */
    uint32_t unknown;      /**< Kinds (bits) that nobody knows: what is there of them stays. */
    bool is_followed;      /**< Its changes are taken. */
    bool is_compared;      /**< By the comparison under way. */
    bool is_whole;         /**< All it has was taken once; its state may be told. */
    bool is_up;            /**< As told. */
};

/** All of it. Zeroed is empty. */
struct pin_publish {
    struct pin_publish_cluster *clusters; /**< By cluster id. */
    size_t n_clusters;
    struct pin_publish_op *ops;
    size_t n_ops;
    size_t cap_ops;
    size_t first;     /**< The first that was not acknowledged. */
    size_t n_sending; /**< Of the transaction under way. */
    size_t batch;     /**< Operations of the next one at most; 0: PIN_PUBLISH_OPS_MAX. */
    size_t n_keys;    /**< Known in all. */
    uint32_t round;   /**< Of the comparison under way. */
    bool has_deleted; /**< Something known was to be deleted; cleared by who asks. */
    bool failed;      /**< Memory was out: read again. */
};

/** Makes room for clusters; `prefix` without a slash at its end. False: memory is out. */
bool pin_publish_init(
    struct pin_publish *self, const char *prefix, const char *const *clusters, size_t n_clusters);

/** Frees all of it. */
void pin_publish_done(struct pin_publish *self);

/** Forgets what is known and what is to be sent. */
void pin_publish_reset(struct pin_publish *self);

/** Notes a key that etcd has; keys of nobody's are left alone. */
void pin_publish_know(struct pin_publish *self, const struct pin_etcd_kv *kv);

/** Makes operations of changes; takes their keys and values. Of clusters that are not followed
 * nothing is written. */
void pin_publish_take(struct pin_publish *self, struct pin_changes_taken *taken);

/** How many of the keys that etcd has of a cluster, of kinds that are known, the catalog did not
 * tell of. */
size_t pin_publish_n_missing(const struct pin_publish *self, size_t cluster_id);

/** What a cluster has was taken whole: all else of it goes, but what is of unknown kinds. */
void pin_publish_sweep(struct pin_publish *self, size_t cluster_id);

/** Has `meta` or `alive` of a cluster written. `value` is copied. */
void pin_publish_put(
    struct pin_publish *self, size_t cluster_id, const char *key, const char *value, bool is_bound);

/** Whether everything was acknowledged. */
bool pin_publish_is_idle(const struct pin_publish *self);

/** Appends the operations of the next transaction, as the list "success" of etcd. */
void pin_publish_next(struct pin_publish *self, const char *lease, struct pin_text *out);

/** The transaction was carried out, at that revision. Counts puts and deletes. */
void pin_publish_acknowledge(
    struct pin_publish *self, int64_t revision, uint64_t *n_puts, uint64_t *n_deletes);

/** It was too large: the next one is smaller. False: it was one operation, which is dropped, and
 * *ret_key names it (heap; NULL without memory). */
bool pin_publish_shrink(struct pin_publish *self, char **ret_key);

/**
 * Begins to compare clusters that are whole with what etcd has. Each of its keys is to be told to
 * pin_publish_is_same(), as it is while no transaction is under way; writes may lie in between.
 */
void pin_publish_compare(struct pin_publish *self);

/** Whether a key of etcd's (its value is not looked at) is as we left it; keys of nobody's are. */
bool pin_publish_is_same(struct pin_publish *self, const struct pin_etcd_kv *kv);

/** All keys were told: whether none of ours is missing. */
bool pin_publish_has_all(const struct pin_publish *self);
