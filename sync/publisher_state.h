/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The inside of a publisher, for those who run it and those who tell of it.
 */

#include "pintle/sync/publisher.h"

#include "publish_ops.h"

struct pin_arena;
struct pin_election;
struct pin_etcd;
struct pin_etcd_call;
struct pin_http;

/** Where it stands. */
enum pin_publisher_step {
    PIN_PUBLISHER_ELECTION, /* who writes; on_held() goes on */
    PIN_PUBLISHER_READ,
    PIN_PUBLISHER_LEAD,
};

/** The publisher. */
struct pin_publisher {
    struct pin_publisher_config config; /* only loop and pull: the rest was copied */
    struct pin_http *http;
    struct pin_etcd *etcd;
    struct pin_arena *arena; /* one answer at a time */
    struct pin_publish publish;
    struct pin_timer *timer; /* the next step */
    struct pin_election *election;
    struct pin_etcd_call *call;
    enum pin_publisher_step step;
    char *leader_key; /* "/pintle/leader" */
    char *all_keys;   /* "/pintle/" and its end */
    char *all_keys_end;
    char *next_key; /* of READ */
    size_t next_key_bytes;
    struct pin_timer *compare_timer;
    char *compare_key; /* its next page begins there; NULL: at the first key */
    size_t compare_key_bytes;
    bool is_comparing; /* a page of it is under way, or the next one is due */
    size_t page_keys;
    int64_t read_revision;
    int64_t leader_revision; /* that our key was written at */
    int64_t news_ms;         /* since when something waits to be written; 0: nothing does */
    uint32_t n_beats;
    struct pin_changes_pull pull;
    bool *follows; /* of the pull */
    bool is_pulling;
    bool is_first_pull;
    bool is_pull_stale; /* asked for before an election: its outcome is dropped */
    bool has_news;
    bool has_doubt;  /* some cluster waits for its second list */
    bool needs_read; /* others have written where we do: what is there is read again */
    bool is_stopped;
    int64_t revision; /* of the latest transaction */
    uint64_t n_txns, n_puts, n_deletes, n_refused, n_repairs;
};

/** Whether it is the one that writes. */
static inline bool pin_publisher_is_leading(const struct pin_publisher *self)
{
    return self->step == PIN_PUBLISHER_READ || self->step == PIN_PUBLISHER_LEAD;
}

/**
 * Begins to compare what etcd has with what was written, again and again while this process leads;
 * sets needs_read where they differ. False: memory is out.
 */
bool pin__publisher_compare_start(struct pin_publisher *self);

/** Ends that. */
void pin__publisher_compare_done(struct pin_publisher *self);
