/* SPDX-License-Identifier: Apache-2.0 */

/* What `forward:`, --forward and `cache:` mean: upstreams, and what cannot be right about them. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/zones/name.h"

#include "resolver/config.h"
#include "resolver/forward.h"

#define DOT_PORT         853
#define TLS_SCHEME       "tls://"
#define RESOLV_MAX_BYTES ((size_t)64 << 10)
#define ARENA_MAX_BYTES  ((size_t)4 << 20)

/* Where a trouble is told: in the file, or a flag's. */
static void complain(const struct pin_config *config, const struct pin_config_forward *forward,
    struct pin_findings *findings, const char *text, const char *what)
{
    if (forward->at.line == 0) {
        pin_findings_add_usage(findings, "--forward: \"%s\" %s", text, what);
    } else {
        pin_findings_add(findings, config->file, forward->at, "forward: \"%s\" %s", text, what);
    }
}

/* --- upstreams ----------------------------------------------------------------------------- */

/* A list that grows in the config's arena. */
struct upstreams {
    struct pin_config_upstream items[PIN_UPSTREAMS_MAX];
    size_t n;
};

static bool is_same(const struct pin_config_upstream *a, const struct pin_config_upstream *b)
{
    return a->is_tls == b->is_tls && a->address.port == b->address.port
           && pin_ip_equal(&a->address.ip, &b->address.ip);
}

/* Adds one; NULL, or what is wrong with it. */
static const char *add_upstream(struct upstreams *list, const struct pin_config_upstream *upstream)
{
    if (upstream->address.port == 0) {
        return "has no port";
    }
    for (size_t i = 0; i < list->n; i++) {
        if (is_same(&list->items[i], upstream)) {
            return "is there twice";
        }
    }
    if (list->n == PIN_UPSTREAMS_MAX) {
        return "is one resolver too many";
    }
    list->items[list->n++] = *upstream;
    return NULL;
}

/* Adds the nameservers of a resolv.conf; one that is there already is left out. */
static const char *add_resolv_conf(struct upstreams *list, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    char *save = NULL;
    size_t n_before = list->n;
    if (pin_file_read(path, RESOLV_MAX_BYTES, &text, &bytes, NULL) != PIN_OK) {
        return "cannot be read";
    }
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        struct pin_config_upstream upstream = {.is_tls = false};
        char *rest = NULL;
        const char *word = strtok_r(line, " \t\r", &rest);
        const char *address = strtok_r(NULL, " \t\r", &rest);
        if (word != NULL && address != NULL && strcmp(word, "nameserver") == 0
            && pin_addrport_parse(address, PIN_RESOLVER_PORT, &upstream.address)) {
            (void)add_upstream(list, &upstream);
        }
    }
    free(text);
    return list->n > n_before ? NULL : "names no nameserver";
}

static const char *add_text(struct upstreams *list, const char *text)
{
    struct pin_config_upstream upstream = {.is_tls = false};
    if (text[0] == '/') {
        return add_resolv_conf(list, text);
    }
    upstream.is_tls = strncmp(text, TLS_SCHEME, sizeof(TLS_SCHEME) - 1) == 0;
    const char *address = upstream.is_tls ? text + sizeof(TLS_SCHEME) - 1 : text;
    uint16_t port = upstream.is_tls ? DOT_PORT : PIN_RESOLVER_PORT;
    return pin_addrport_parse(address, port, &upstream.address)
               ? add_upstream(list, &upstream)
               : "is no ADDR[:PORT] with an IP address, no tls:// in front of one, and no path";
}

/* --- checks -------------------------------------------------------------------------------- */

static bool is_any(const struct pin_ip *ip)
{
    static const uint8_t zero[sizeof(ip->bytes)];
    return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

/* Whether what is sent there comes to ourselves. Addresses of interfaces behind a wildcard show
 * only when we ask ourselves, at the start. */
static bool is_own(const struct pin_config *config, const struct pin_addrport *address)
{
    for (size_t i = 0; i < config->n_listens; i++) {
        const struct pin_addrport *listen = &config->listens[i].address;
        if (listen->port != address->port || listen->ip.family == 0) {
            continue;
        }
        bool is_behind =
            is_any(&listen->ip) && (pin_ip_is_loopback(&address->ip) || is_any(&address->ip));
        if (is_behind || pin_ip_equal(&listen->ip, &address->ip)) {
            return true;
        }
    }
    return false;
}

static void fill_upstreams(
    struct pin_config *config, struct pin_config_forward *forward, struct pin_findings *findings)
{
    struct upstreams list = {.n = 0};
    for (size_t i = 0; i < forward->n_to; i++) {
        const char *wrong = add_text(&list, forward->to[i]);
        if (wrong != NULL) {
            complain(config, forward, findings, forward->to[i], wrong);
        }
    }
    for (size_t i = 0; i < list.n; i++) {
        char text[PIN_ADDRPORT_TEXT_MAX];
        if (is_own(config, &list.items[i].address)) {
            complain(config, forward, findings, pin_addrport_format(&list.items[i].address, text),
                "is a listener of this server: questions would go round in a loop");
        }
    }
    struct pin_config_upstream *upstreams =
        pin_arena_alloc(config->arena, (list.n + 1) * sizeof(*upstreams));
    if (upstreams != NULL) {
        memcpy(upstreams, list.items, list.n * sizeof(*upstreams));
        forward->upstreams = upstreams;
        forward->n_upstreams = list.n;
    }
}

/* A name of ours is answered here, never forwarded: NULL, or the zone of ours that has it. */
static const char *own_zone(const struct pin_config *config, const struct pin_name *name)
{
    const char *const cluster_zones[] = {
        config->zone_cluster_set, config->zone_assigned, config->zone_cluster};
    struct pin_name zone;
    for (size_t i = 0; i < N_ELEMS(cluster_zones); i++) {
        if (cluster_zones[i] != NULL && pin_name_parse(cluster_zones[i], &zone) == PIN_OK
            && pin_name_is_below(name, &zone)) {
            return cluster_zones[i];
        }
    }
    for (size_t i = 0; i < config->n_zones_custom; i++) {
        if (pin_name_parse(config->zones_custom[i], &zone) == PIN_OK
            && pin_name_is_below(name, &zone)) {
            return config->zones_custom[i];
        }
    }
    for (size_t i = 0; i < config->n_zonefiles; i++) {
        const char *text = config->zonefiles[i].zone;
        if (text != NULL && pin_name_parse(text, &zone) == PIN_OK
            && pin_name_is_below(name, &zone)) {
            return text;
        }
    }
    return NULL;
}

/* Each zone once, with resolvers, and none that is answered here. */
static void check_zone(const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    struct pin_config_forward *forward = &config->forward[i];
    struct pin_name name;
    struct pin_name other;
    if (strcmp(forward->zone, ".") == 0) {
        pin_name_root(&name);
    } else if (pin_name_parse(forward->zone, &name) != PIN_OK) {
        complain(config, forward, findings, forward->zone, "is no DNS name");
        return;
    }
    if (forward->n_to == 0 && findings->n == 0) {
        complain(config, forward, findings, forward->zone, "goes nowhere: say to");
    }
    const char *own = own_zone(config, &name);
    if (own != NULL) {
        pin_findings_add(findings, config->file, forward->at,
            "forward: \"%s\" lies in our zone \"%s\": it is answered here, never forwarded",
            forward->zone, own);
    }
    for (size_t j = 0; j < i; j++) {
        if (strcmp(config->forward[j].zone, ".") == 0) {
            pin_name_root(&other);
        } else if (pin_name_parse(config->forward[j].zone, &other) != PIN_OK) {
            continue;
        }
        if (other.bytes == name.bytes && memcmp(other.wire, name.wire, name.bytes) == 0) {
            complain(config, forward, findings, forward->zone, "is there twice");
        }
    }
}

/* --forward: one zone, "." */
static void take_flags(struct pin_config *config, const struct pin_arg_list *flags)
{
    const char **to = pin_arena_alloc(config->arena, (flags->n + 1) * sizeof(*to));
    struct pin_config_forward *forward = pin_arena_alloc(config->arena, sizeof(*forward));
    if (to == NULL || forward == NULL) {
        return;
    }
    for (size_t i = 0; i < flags->n; i++) {
        to[i] = pin_arena_strdup(config->arena, flags->values[i]);
    }
    *forward =
        (struct pin_config_forward){.zone = ".", .to = to, .n_to = flags->n, .mixes_case = true};
    config->forward = forward;
    config->n_forward = 1;
}

void pin_config_forward(
    struct pin_config *config, const struct pin_arg_list *flags, struct pin_findings *findings)
{
    if (flags->n > 0) {
        take_flags(config, flags);
    }
    if (config->n_forward > PIN_FORWARD_ZONES_MAX) {
        pin_findings_add(findings, config->file, config->forward[0].at,
            "forward: more than %u zones", PIN_FORWARD_ZONES_MAX);
        config->n_forward = 0;
    }
    for (size_t i = 0; i < config->n_forward; i++) {
        check_zone(config, i, findings);
        fill_upstreams(config, &config->forward[i], findings);
    }
    if (config->cache_min_ttl_s > config->cache_max_ttl_s) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "cache: minTTL is %u, but maxTTL is only %u", config->cache_min_ttl_s,
            config->cache_max_ttl_s);
    }
}

/* --- for the forwarder ---------------------------------------------------------------------- */

static bool make_zone(
    struct pin_arena *arena, const struct pin_config_forward *from, struct pin_forward_zone *to)
{
    const char *tls_name = from->tls_name != NULL ? pin_arena_strdup(arena, from->tls_name) : NULL;
    const char *ca = from->ca != NULL ? pin_arena_strdup(arena, from->ca) : NULL;
    struct pin_upstream_spec *specs =
        pin_arena_alloc(arena, (from->n_upstreams + 1) * sizeof(*specs));
    if (specs == NULL || (tls_name == NULL) != (from->tls_name == NULL)
        || (ca == NULL) != (from->ca == NULL)) {
        return false;
    }
    uint8_t digest[PIN_SHA256_BYTES];
    pin_forward_digest(ca, digest);
    for (size_t i = 0; i < from->n_upstreams; i++) {
        specs[i] = (struct pin_upstream_spec){.address = from->upstreams[i].address,
            .is_tls = from->upstreams[i].is_tls,
            .tls_name = tls_name,
            .ca = ca};
        memcpy(specs[i].ca_digest, digest, sizeof(digest));
    }
    *to = (struct pin_forward_zone){.upstreams = specs,
        .n_upstreams = from->n_upstreams,
        .is_trusted = from->is_trusted,
        .mixes_case = from->mixes_case};
    if (strcmp(from->zone, ".") == 0) {
        pin_name_root(&to->name);
        return true;
    }
    return pin_name_parse(from->zone, &to->name) == PIN_OK;
}

/* Makes the zones in an arena of their own. NULL: memory is out. */
static struct pin_arena *make_zones(
    const struct pin_config *config, const struct pin_forward_zone **ret_zones)
{
    struct pin_arena *arena = pin_arena_new("forward", ARENA_MAX_BYTES);
    struct pin_forward_zone *zones =
        arena != NULL ? pin_arena_alloc(arena, config->n_forward * sizeof(*zones)) : NULL;
    bool is_made = zones != NULL;
    for (size_t i = 0; i < config->n_forward && is_made; i++) {
        is_made = make_zone(arena, &config->forward[i], &zones[i]);
    }
    if (!is_made) {
        pin_arena_free(arena);
        return NULL;
    }
    *ret_zones = zones;
    return arena;
}

enum pin_err pin_config_start_forward(const struct pin_config *config,
    const struct pin_forward_config *base, struct pin_forward **ret_forward, struct pin_why *why)
{
    size_t n_threads = PIN_MIN(base->n_threads, (size_t)PIN_FORWARD_THREADS_MAX);
    size_t n_fitting = config->cache_bytes / PIN_CACHE_SHARD_MIN_BYTES;
    struct pin_forward_config forward = *base;
    *ret_forward = NULL;
    if (config->n_forward == 0) {
        return PIN_OK;
    }
    forward.arena = make_zones(config, &forward.zones);
    if (forward.arena == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu zones to forward", config->n_forward);
    }
    forward.n_zones = config->n_forward;
    forward.cache = (struct pin_cache_settings){.size_bytes = config->cache_bytes,
        .stale_max_s = config->cache_stale_s,
        .is_prefetching = config->cache_prefetches};
    forward.ttl_min_s = config->cache_min_ttl_s;
    forward.ttl_max_s = config->cache_max_ttl_s;
    forward.n_threads = PIN_MIN(n_threads, n_fitting);
    forward.thread_i = (uint32_t)base->n_ports;
    return pin_forward_start(&forward, ret_forward, why);
}
