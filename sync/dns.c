/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The door to libevent's stub resolver. Each query has a resolver of its own, which lives for
 * seconds: so every question comes from a fresh port, /etc/resolv.conf is read anew, and libevent
 * never gets to the questions of its own by which it would see whether a dead server came back.
 */

#include "dns.h"

#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>

#include "pintle/base/macros.h"

#define RESOLV_CONF "/etc/resolv.conf"
/* Two tries of two seconds; all together no longer than this. */
#define TRY_S    "2"
#define TRIES    "2"
#define LIMIT_MS 8000

struct pin_dns_query {
    struct evdns_base *base; /* NULL once it was freed */
    struct pin_timer *timer; /* the limit, then the end */
    pin_dns_fn *fn;          /* NULL: cancelled */
    void *arg;
    unsigned n_pending; /* callbacks to come: the memory has to stay until then */
    struct pin_dns_reply reply;
};

static void on_log(int is_warning, const char *text)
{
    (void)is_warning; /* whoever asked tells what came of it */
    (void)text;
}

static const char *error_of(int result)
{
    static const struct {
        int result;
        const char *text;
    } texts[] = {{DNS_ERR_NONE, ""}, {DNS_ERR_NODATA, "the name has no address"},
        {DNS_ERR_NOTEXIST, "there is no such name"},
        {DNS_ERR_TIMEOUT, "no usable answer from a resolver"},
        {DNS_ERR_SHUTDOWN, "no usable answer from a resolver"},
        {DNS_ERR_CANCEL, "no usable answer from a resolver"},
        {DNS_ERR_SERVERFAILED, "the resolver failed (SERVFAIL)"},
        {DNS_ERR_REFUSED, "the resolver refuses"},
        {DNS_ERR_NOTIMPL, "the resolver does not know the question"},
        {DNS_ERR_FORMAT, "the resolver does not understand the question"},
        {DNS_ERR_TRUNCATED, "the answer is too long"}};
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        if (texts[i].result == result) {
            return texts[i].text;
        }
    }
    return "the resolver's answer makes no sense";
}

static void free_base(struct pin_dns_query *query)
{
    struct evdns_base *base = query->base;
    query->base = NULL;
    if (base != NULL) {
        evdns_base_free(base, 1); /* callbacks that are still to come come with an error */
    }
}

static void free_if_over(struct pin_dns_query *query)
{
    if (query->n_pending == 0 && query->base == NULL) {
        pin_timer_free(query->timer);
        free(query);
    }
}

static void on_reply(int result, char type, int count, int ttl, void *addresses, void *arg);

static void on_reply_v4(int result, char type, int count, int ttl, void *addresses, void *arg)
{
    (void)type;
    on_reply(result, DNS_IPv4_A, count, ttl, addresses, arg);
}

static void on_reply_v6(int result, char type, int count, int ttl, void *addresses, void *arg)
{
    (void)type;
    on_reply(result, DNS_IPv6_AAAA, count, ttl, addresses, arg);
}

/* `type` says which family; on errors libevent's own does not. What is nobody else's address is
 * left out, and takes no place of those that are. */
static void on_reply(int result, char type, int count, int ttl, void *addresses, void *arg)
{
    struct pin_dns_query *query = arg;
    bool is_v4 = type == DNS_IPv4_A;
    size_t ip_bytes = is_v4 ? 4 : 16;
    struct pin_dns_family *family = &query->reply.families[is_v4 ? 0 : 1];
    query->n_pending--;
    family->is_good =
        result == DNS_ERR_NONE || result == DNS_ERR_NODATA || result == DNS_ERR_NOTEXIST;
    family->error = error_of(result);
    family->ttl_s = ttl > 0 ? (uint32_t)ttl : 0;
    for (int i = 0; result == DNS_ERR_NONE && i < count && family->n_ips < PIN_LOOKUP_MAX; i++) {
        struct pin_ip ip =
            pin_ip_from_bytes((const uint8_t *)addresses + (size_t)i * ip_bytes, is_v4 ? 4 : 6);
        if (pin_ip_is_others(&ip)) {
            family->ips[family->n_ips++] = ip;
        }
    }
    if (result == DNS_ERR_NONE && count > 0 && family->n_ips == 0) {
        family->is_good = false;
        family->error = "its addresses cannot be reached by others";
    }
    if (query->base != NULL && query->n_pending == 0) {
        pin_timer_start(query->timer, 0, false); /* libevent is not done with the base yet */
        return;
    }
    free_if_over(query);
}

/* All answers are there, or time is up: the ones that are missing are errors. */
static void on_timer(void *arg)
{
    struct pin_dns_query *query = arg;
    free_base(query);
    if (query->fn != NULL) {
        query->fn(query->arg, &query->reply);
    }
    free_if_over(query);
}

static bool add_resolvers(
    struct evdns_base *base, const struct pin_addrport *resolvers, size_t n_resolvers)
{
    bool is_ok = evdns_base_set_option(base, "timeout:", TRY_S) == 0
                 && evdns_base_set_option(base, "attempts:", TRIES) == 0;
    if (n_resolvers == 0) {
        /* Without such a file libevent asks 127.0.0.1. */
        (void)evdns_base_resolv_conf_parse(base, DNS_OPTION_NAMESERVERS, RESOLV_CONF);
    }
    for (size_t i = 0; is_ok && i < n_resolvers; i++) {
        struct sockaddr_storage storage;
        socklen_t bytes = pin_addrport_to_sockaddr(&resolvers[i], &storage);
        is_ok = evdns_base_nameserver_sockaddr_add(
                    base, (const struct sockaddr *)(const void *)&storage, bytes, 0)
                == 0;
    }
    return is_ok;
}

/* Both questions; false when neither could be asked. */
static bool ask(struct pin_dns_query *query, const char *host)
{
    if (evdns_base_resolve_ipv4(query->base, host, DNS_QUERY_NO_SEARCH, on_reply_v4, query)
        != NULL) {
        query->n_pending++;
    }
    if (evdns_base_resolve_ipv6(query->base, host, DNS_QUERY_NO_SEARCH, on_reply_v6, query)
        != NULL) {
        query->n_pending++;
    }
    return query->n_pending > 0;
}

struct pin_dns_query *pin_dns_ask(struct pin_loop *loop, const struct pin_addrport *resolvers,
    size_t n_resolvers, const char *host, pin_dns_fn *fn, void *arg)
{
    struct pin_dns_query *query = calloc(1, sizeof(*query));
    if (query == NULL) {
        return NULL;
    }
    evdns_set_log_fn(on_log);
    query->fn = fn;
    query->arg = arg;
    for (size_t i = 0; i < N_ELEMS(query->reply.families); i++) {
        query->reply.families[i].error = error_of(DNS_ERR_TIMEOUT);
    }
    query->timer = pin_timer_new(loop, on_timer, query);
    query->base = evdns_base_new(pin_loop_raw(loop), 0);
    if (query->timer == NULL || query->base == NULL
        || !add_resolvers(query->base, resolvers, n_resolvers) || !ask(query, host)) {
        query->fn = NULL;
        free_base(query);
        free_if_over(query);
        return NULL;
    }
    pin_timer_start(query->timer, LIMIT_MS, false);
    return query;
}

void pin_dns_cancel(struct pin_dns_query *query)
{
    if (query == NULL) {
        return;
    }
    query->fn = NULL;
    pin_timer_stop(query->timer);
    free_base(query);
    free_if_over(query);
}
