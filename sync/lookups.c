/* SPDX-License-Identifier: Apache-2.0 */

/* Host names of gateways: asked for again and again, by their TTLs. */

#include "pintle/sync/lookups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "backoff.h"
#include "dns.h"

#define TTL_MIN_MS 1000
#define TTL_MAX_MS 3600000
/* While one family does not answer and the other does. */
#define HALF_MS   30000
#define UNSENT_MS 100

/* One name that is followed. */
struct follow {
    struct pin_lookups *all;
    struct pin_dns_query *query; /* NULL: none is under way */
    struct pin_timer *timer;
    struct pin_backoff backoff;
    struct pin_delta *unsent;       /* the sink had no room */
    struct pin_dns_reply last_good; /* by family */
    bool is_wanted;
    bool has_told; /* the failure was logged */
    char host[PIN_HOST_TEXT_MAX];
    char error[128];
    uint64_t n_good;
    uint64_t n_failed;
    int64_t good_wall_ms;
};

struct pin_lookups {
    struct pin_loop *loop;
    const struct pin_addrport *resolvers; /* borrowed */
    size_t n_resolvers;
    struct pin_sync_sink sink;
    struct follow **follows;
    size_t n_follows;
};

static size_t count_ips(const struct follow *f)
{
    return f->last_good.families[0].n_ips + f->last_good.families[1].n_ips;
}

/* --- outcomes -------------------------------------------------------------------------------- */

/* Hands the delta over, or keeps it and comes back soon. True when it is on its way. */
static bool hand_over(struct follow *f)
{
    if (f->unsent != NULL && f->all->sink.push(f->all->sink.arg, f->unsent)) {
        f->unsent = NULL;
    }
    return f->unsent == NULL;
}

/* Tells the builder how the latest lookup came out. */
static void report(struct follow *f)
{
    struct pin_lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL) {
        return; /* the next lookup tells */
    }
    memcpy(lookup->host, f->host, sizeof(f->host));
    memcpy(lookup->error, f->error, sizeof(f->error));
    lookup->at_ms = (uint64_t)pin_clock_mono_ms();
    lookup->has_failed = f->error[0] != '\0';
    for (size_t i = 0; i < N_ELEMS(f->last_good.families); i++) {
        const struct pin_dns_family *family = &f->last_good.families[i];
        for (size_t j = 0; j < family->n_ips && lookup->n_ips < PIN_LOOKUP_MAX; j++) {
            lookup->ips[lookup->n_ips++] = family->ips[j];
        }
    }
    pin_delta_free(f->unsent);
    f->unsent = pin_delta_lookup(lookup);
}

/* Takes the families that answered over. Returns when to ask again. */
static int64_t on_good(struct follow *f, const struct pin_dns_reply *reply)
{
    int64_t wait_ms = TTL_MAX_MS;
    for (size_t i = 0; i < N_ELEMS(reply->families); i++) {
        const struct pin_dns_family *family = &reply->families[i];
        if (family->is_good) {
            f->last_good.families[i] = *family;
        } else {
            wait_ms = PIN_MIN(wait_ms, (int64_t)HALF_MS);
        }
        if (family->n_ips > 0) {
            wait_ms = PIN_MIN(wait_ms, (int64_t)family->ttl_s * 1000);
        }
    }
    if (f->n_good == 0 || f->has_told) {
        char first[PIN_IP_TEXT_MAX];
        const struct pin_dns_family *any = &f->last_good.families[0];
        any = any->n_ips > 0 ? any : &f->last_good.families[1];
        pin_log_info("lookups: gateway %s is at %s and %zu more", f->host,
            pin_ip_format(&any->ips[0], first), count_ips(f) - 1);
    }
    f->error[0] = '\0';
    f->has_told = false;
    f->backoff = (struct pin_backoff){0};
    f->n_good++;
    f->good_wall_ms = pin_clock_wall_ms();
    return PIN_MAX(wait_ms, (int64_t)TTL_MIN_MS);
}

/* Keeps what there was. Returns when to ask again. */
static int64_t on_failed(struct follow *f, const char *error)
{
    f->n_failed++;
    (void)snprintf(f->error, sizeof(f->error), "%s", error);
    if (!f->has_told) {
        pin_log_warn("lookups: gateway %s: %s; keeping its last %zu addresses and asking again",
            f->host, f->error, count_ips(f));
    }
    f->has_told = true;
    return pin_backoff_next(&f->backoff, 0, -1);
}

static void on_reply(void *arg, const struct pin_dns_reply *reply)
{
    struct follow *f = arg;
    const struct pin_dns_family *v4 = &reply->families[0];
    const struct pin_dns_family *v6 = &reply->families[1];
    f->query = NULL;
    int64_t wait_ms = v4->n_ips + v6->n_ips > 0 ? on_good(f, reply)
                                                : on_failed(f, v4->is_good ? v6->error : v4->error);
    report(f);
    pin_timer_start(f->timer, hand_over(f) ? wait_ms : UNSENT_MS, false);
}

/* Time to ask; what was not sent goes first. */
static void on_timer(void *arg)
{
    struct follow *f = arg;
    if (!hand_over(f)) {
        pin_timer_start(f->timer, UNSENT_MS, false);
        return;
    }
    f->query =
        pin_dns_ask(f->all->loop, f->all->resolvers, f->all->n_resolvers, f->host, on_reply, f);
    if (f->query == NULL) {
        int64_t wait_ms = on_failed(f, "out of memory or descriptors");
        pin_timer_start(f->timer, wait_ms, false);
    }
}

/* --- names ----------------------------------------------------------------------------------- */

static void follow_free(struct follow *f)
{
    if (f == NULL) {
        return;
    }
    pin_dns_cancel(f->query);
    pin_timer_free(f->timer);
    pin_delta_free(f->unsent);
    free(f);
}

static struct follow *follow_new(struct pin_lookups *lookups, const char *host)
{
    struct follow *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return NULL;
    }
    f->all = lookups;
    (void)snprintf(f->host, sizeof(f->host), "%s", host);
    f->timer = pin_timer_new(lookups->loop, on_timer, f);
    if (f->timer == NULL) {
        free(f);
        return NULL;
    }
    return f;
}

static struct follow *find(const struct pin_lookups *lookups, const char *host)
{
    for (size_t i = 0; i < lookups->n_follows; i++) {
        if (strcmp(lookups->follows[i]->host, host) == 0) {
            return lookups->follows[i];
        }
    }
    return NULL;
}

static void add(struct pin_lookups *lookups, const char *host)
{
    size_t n = lookups->n_follows;
    struct follow **follows = realloc(lookups->follows, (n + 1) * sizeof(struct follow *));
    if (follows != NULL) {
        lookups->follows = follows;
    }
    struct follow *f = follows != NULL ? follow_new(lookups, host) : NULL;
    if (f == NULL) {
        pin_log_error("lookups: out of memory, gateway %s is not looked up", host);
        return;
    }
    f->is_wanted = true;
    follows[n] = f;
    lookups->n_follows++;
    pin_timer_start(f->timer, 0, false);
}

void pin_lookups_want(struct pin_lookups *lookups, const struct pin_wanted *wanted)
{
    for (size_t i = 0; i < lookups->n_follows; i++) {
        lookups->follows[i]->is_wanted = false;
    }
    for (size_t i = 0; i < wanted->n; i++) {
        struct follow *f = find(lookups, wanted->hosts[i]);
        if (f != NULL) {
            f->is_wanted = true;
        } else {
            add(lookups, wanted->hosts[i]);
        }
    }
    size_t n_kept = 0;
    for (size_t i = 0; i < lookups->n_follows; i++) {
        struct follow *f = lookups->follows[i];
        if (f->is_wanted) {
            lookups->follows[n_kept++] = f;
        } else {
            follow_free(f);
        }
    }
    lookups->n_follows = n_kept;
}

/* --- life ------------------------------------------------------------------------------------ */

struct pin_lookups *pin_lookups_new(struct pin_loop *loop, const struct pin_addrport *resolvers,
    size_t n_resolvers, const struct pin_sync_sink *sink)
{
    struct pin_lookups *lookups = calloc(1, sizeof(*lookups));
    if (lookups != NULL) {
        *lookups = (struct pin_lookups){
            .loop = loop, .resolvers = resolvers, .n_resolvers = n_resolvers, .sink = *sink};
    }
    return lookups;
}

void pin_lookups_follow(
    struct pin_lookups *lookups, const struct pin_addrport *resolvers, size_t n_resolvers)
{
    if (lookups == NULL) {
        return;
    }
    bool are_same = n_resolvers == lookups->n_resolvers;
    for (size_t i = 0; are_same && i < n_resolvers; i++) {
        are_same = resolvers[i].port == lookups->resolvers[i].port
                   && pin_ip_equal(&resolvers[i].ip, &lookups->resolvers[i].ip);
    }
    lookups->resolvers = resolvers;
    lookups->n_resolvers = n_resolvers;
    for (size_t i = 0; !are_same && i < lookups->n_follows; i++) {
        struct follow *f = lookups->follows[i];
        pin_dns_cancel(f->query);
        f->query = NULL;
        f->backoff = (struct pin_backoff){0};
        pin_timer_start(f->timer, 0, false);
    }
}

void pin_lookups_free(struct pin_lookups *lookups)
{
    if (lookups == NULL) {
        return;
    }
    for (size_t i = 0; i < lookups->n_follows; i++) {
        follow_free(lookups->follows[i]);
    }
    pin_loop_poll(lookups->loop, 0); /* cancelled queries give their memory back */
    free(lookups->follows);
    free(lookups);
}

size_t pin_lookups_n(const struct pin_lookups *lookups)
{
    return lookups->n_follows;
}

void pin_lookups_stats(
    const struct pin_lookups *lookups, size_t i, struct pin_lookup_stats *ret_stats)
{
    const struct follow *f = lookups->follows[i];
    *ret_stats = (struct pin_lookup_stats){
        .host = f->host,
        .error = f->error,
        .n_ips = count_ips(f),
        .n_good = f->n_good,
        .n_failed = f->n_failed,
        .good_wall_ms = f->good_wall_ms,
    };
}
