/* SPDX-License-Identifier: Apache-2.0 */

/* A client's share: how many of its questions are under way, and which ones wait their turn. */

#include <stdlib.h>

#include "pintle/base/ip.h"
#include "pintle/base/macros.h"

#include "forward_thread.h"

/* An address that asked for what is under way now. */
struct pin_asker_count {
    struct pin_ip ip;
    uint32_t n_asks;
    uint32_t n_parked;
    uint32_t n_max; /* of each */
    struct pin_ask *first_parked;
    struct pin_ask *last_parked;
};

static uint32_t asks_max(const struct pin_forward_thread *thread, const struct pin_ip *ip)
{
    const struct pin_scene *scene = pin_rcu_deref(thread->worker.live->scene);
    bool is_forwarder = pin_lpm_find(scene->forwarders, ip) != PIN_LPM_NONE;
    uint32_t n = is_forwarder ? PIN_ASKS_PER_FORWARDER : PIN_ASKS_PER_CLIENT;
    uint32_t n_threads = (uint32_t)thread->forward->n_threads;
    return PIN_MIN((n + n_threads - 1) / n_threads, PIN_ASKS_MAX / (is_forwarder ? 4u : 8u));
}

/* Has the question wait until one of the same client is over. */
static void park(struct pin_asker_count *asker, struct pin_ask *ask)
{
    if (asker->last_parked != NULL) {
        asker->last_parked->next_parked = ask;
    } else {
        asker->first_parked = ask;
    }
    asker->last_parked = ask;
    asker->n_parked++;
    ask->is_parked = true;
    pin_stat_add(&ask->thread->stats.n_parked, 1);
}

bool pin_ask_join(struct pin_ask *ask, const struct sockaddr *peer)
{
    struct pin_forward_thread *thread = ask->thread;
    struct pin_ip ip = pin_ip_from_sockaddr(peer);
    struct pin_asker_count *asker = pin_map_find(&thread->askers, &ip, sizeof(ip));
    if (asker == NULL) {
        asker = calloc(1, sizeof(*asker));
        if (asker == NULL) {
            return false;
        }
        asker->ip = ip;
        asker->n_max = asks_max(thread, &ip);
        if (!pin_map_put(&thread->askers, &asker->ip, sizeof(asker->ip), asker, NULL)) {
            free(asker);
            return false;
        }
    }
    if (asker->n_asks >= asker->n_max && asker->n_parked >= asker->n_max) {
        return false;
    }
    ask->asker = asker;
    if (asker->n_asks < asker->n_max) {
        asker->n_asks++;
    } else {
        park(asker, ask);
    }
    return true;
}

/* Takes a question that waits for its turn out of the queue. */
static void unpark(struct pin_asker_count *asker, const struct pin_ask *ask)
{
    struct pin_ask *before = NULL;
    for (struct pin_ask *a = asker->first_parked; a != NULL && a != ask; a = a->next_parked) {
        before = a;
    }
    if (before == NULL) {
        asker->first_parked = ask->next_parked;
    } else {
        before->next_parked = ask->next_parked;
    }
    if (asker->last_parked == ask) {
        asker->last_parked = before;
    }
    asker->n_parked--;
}

void pin_ask_leave(struct pin_ask *ask)
{
    struct pin_asker_count *asker = ask->asker;
    ask->asker = NULL;
    if (asker == NULL) {
        return;
    }
    if (ask->is_parked) {
        ask->is_parked = false;
        unpark(asker, ask);
    } else {
        asker->n_asks--;
    }
    struct pin_ask *next = asker->first_parked;
    if (next != NULL && asker->n_asks < asker->n_max) {
        unpark(asker, next);
        next->is_parked = false;
        asker->n_asks++;
        next->try_ms = ask->thread->now_ms;
        pin_timers_set(&ask->thread->timers, &next->deadline, next->try_ms);
    }
    if (asker->n_asks == 0 && asker->first_parked == NULL) {
        (void)pin_map_remove(&ask->thread->askers, &asker->ip, sizeof(asker->ip));
        free(asker);
    }
}
