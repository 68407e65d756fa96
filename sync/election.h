/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Election: which one of several daemons writes, by a key of etcd that is bound to a lease.
 *
 *     lease -> make the key -> there already -> look again every 1 to 2 s
 *                           -> ours: held, and the lease kept alive every 4 s
 *     failure -> back-off -> the key, written anew if it is still ours -> held at a later revision
 *
 * Who holds the key may put its revision into transactions: they are refused once it is another
 * one. Who writes elsewhere asks pin_election_is_held(), which says no while nobody else can hold
 * it yet and where the looks at the key go wrong for as long, and has the key looked at with each
 * sign of life (`is_watched`). Belongs to the loop's thread. on_lost() comes from within
 * pin_election_fail() and pin_election_again(), too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pin_election;
struct pin_etcd;
struct pin_loop;

/** Bytes of what tells daemons from each other: host, process, and something random. */
#define PIN_ELECTION_ID_BYTES 160u

/** What an election needs. Texts are copied. */
struct pin_election_config {
    struct pin_loop *loop;
    struct pin_etcd *etcd; /**< Outlives it. */
    const char *key;       /**< "/pintle/leader" */
    const char *who;       /**< "publisher", for messages */
    const char *what;      /**< "/pintle/", what its holder writes, for messages */
    int64_t ttl_s;         /**< Of the lease: 5 or more. */
    bool is_watched;       /**< The key is looked at while it is held. */
    /** The key is ours, as of that revision of etcd. Comes again after each failure. */
    void (*on_held)(void *arg, int64_t revision);
    /** It is not ours, or not known to be, any more: what is under way counts no longer. */
    void (*on_lost)(void *arg);
    /** The lease was confirmed; NULL: nobody wants to know. */
    void (*on_kept)(void *arg);
    void *arg;
};

/** Makes it; NULL when memory is out. */
struct pin_election *pin_election_new(const struct pin_election_config *config);

/** Frees it, without callbacks. NULL is fine. */
void pin_election_free(struct pin_election *election);

/** Begins. */
void pin_election_start(struct pin_election *election);

/** Ends, and gives the lease back so that another need not wait: turns the loop for up to 300 ms.
 * No callbacks any more. */
void pin_election_stop(struct pin_election *election);

/** The holder's own calls to etcd fail: after a back-off the key is looked at again. */
void pin_election_fail(struct pin_election *election, const char *message);

/** The holder's own transaction was refused, since the key is another's: looks again soon. */
void pin_election_again(struct pin_election *election);

/** The holder's own calls go well: failures of before do not count any more. */
void pin_election_worked(struct pin_election *election);

/** Whether the key is ours, and nobody else can have it: false from two thirds of the lease's time
 * after it was last confirmed. */
bool pin_election_is_held(const struct pin_election *election);

/** Whether it waits for another who holds the key. */
bool pin_election_is_standby(const struct pin_election *election);

/** Who holds it, as last seen; "" when nobody was. */
const char *pin_election_holder(const struct pin_election *election);

/** The lease that the key is bound to, as etcd writes it; "": none. */
const char *pin_election_lease(const struct pin_election *election);

/** What is wrong; "": nothing is. */
const char *pin_election_error(const struct pin_election *election);

/** Calls that failed, ours and the holder's. */
uint64_t pin_election_n_failures(const struct pin_election *election);
