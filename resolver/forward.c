/* SPDX-License-Identifier: Apache-2.0 */

/* Life of the forwarder, and what the answer path asks of it. */

#include "forward.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/compare.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/rcu.h"

#include "forward_run.h"
#include "forward_thread.h"
#include "tap.h"

#define LETTERS      26u
#define CA_MAX_BYTES ((size_t)16 << 20)
/* Of a cache, between two quiescent points. */
#define WALK_BUCKETS 1024u

/* --- the answer path ------------------------------------------------------------------------- */

/* Whether `zone` is the name or above it: its bytes end the name, and begin at a label. */
static bool is_at_or_above(const struct pin_name *zone, const uint8_t *name, size_t bytes)
{
    if (zone->bytes > bytes || memcmp(name + bytes - zone->bytes, zone->wire, zone->bytes) != 0) {
        return false;
    }
    size_t at = 0;
    while (at < bytes - zone->bytes) {
        at += 1u + name[at];
    }
    return at == bytes - zone->bytes;
}

/* The longest zone that fits. */
static uint8_t find_group(const struct pin_forward *forward, const uint8_t *name, size_t bytes)
{
    const struct pin_forward_config *config = &forward->config;
    for (size_t i = 0; i < config->n_zones; i++) {
        const struct pin_name *zone = &config->zones[forward->order[i]].name;
        if (zone->bytes == 1 || is_at_or_above(zone, name, bytes)) {
            return forward->order[i];
        }
    }
    return PIN_FORWARD_NONE;
}

/* Special names go to resolvers by a zone of their own, not by ".". */
static enum pin_special special_of(
    const struct pin_forward *forward, uint8_t group, const uint8_t *name, size_t bytes)
{
    bool is_root = group != PIN_FORWARD_NONE && forward->config.zones[group].name.bytes == 1;
    return is_root ? pin_special_of(name, bytes) : PIN_SPECIAL_NONE;
}

enum pin_special pin_forward_special(
    const struct pin_forward *forward, const uint8_t *name, size_t bytes)
{
    return forward != NULL ? special_of(forward, find_group(forward, name, bytes), name, bytes)
                           : PIN_SPECIAL_NONE;
}

uint8_t pin_forward_group(const struct pin_forward *forward, const uint8_t *name, size_t bytes)
{
    uint8_t group = find_group(forward, name, bytes);
    bool is_special = special_of(forward, group, name, bytes) != PIN_SPECIAL_NONE;
    return pin_unlikely(is_special) ? PIN_FORWARD_NONE : group;
}

struct pin_cache *pin_forward_cache(const struct pin_forward *forward)
{
    return forward->cache;
}

struct pin_forward_port *pin_forward_port(struct pin_forward *forward, size_t port_i)
{
    return forward != NULL && port_i < forward->config.n_ports ? &forward->ports[port_i] : NULL;
}

static void put_peer(union pin_peer *peer, const struct sockaddr *from)
{
    if (from->sa_family == AF_INET6) {
        memcpy(&peer->v6, from, sizeof(peer->v6));
    } else {
        memcpy(&peer->v4, from, sizeof(peer->v4));
    }
}

/* Copies the client's address, that of the proxy in front of it and, on wildcard sockets, where its
 * packet came to. */
static void put_way_back(struct pin_miss *miss, const struct pin_client *client)
{
    const struct msghdr *packet = client->back->packet;
    miss->client = *client;
    if (client->asked_ns == 0) {
        miss->client.asked_ns = pin_clock_mono_ns();
    }
    miss->back = *client->back;
    put_peer(&miss->peer, client->peer);
    if (packet != NULL) {
        put_peer(&miss->sender, packet->msg_name);
    }
    miss->control_bytes = 0;
    if (packet != NULL && packet->msg_control != NULL
        && packet->msg_controllen <= sizeof(miss->control)) {
        miss->control_bytes = (uint16_t)packet->msg_controllen;
        memcpy(miss->control, packet->msg_control, packet->msg_controllen);
    }
}

bool pin_forward_hand_over(struct pin_forward_port *port, const struct pin_cache_key *key,
    const struct pin_client *client, const uint8_t *wire, size_t bytes)
{
    if (bytes > PIN_MISS_WIRE_BYTES || (client != NULL && client->back == NULL)) {
        return false;
    }
    struct pin_ring *ring = port->rings[pin_cache_shard(port->forward->cache, key->name_hash)];
    struct pin_miss *miss = pin_ring_begin(ring);
    if (miss == NULL) {
        return false;
    }
    miss->key = (struct pin_miss_key){.name_hash = key->name_hash,
        .qtype = key->qtype,
        .group = (uint8_t)key->group,
        .flags = key->flags,
        .name_bytes = key->name_bytes};
    memcpy(miss->key.name, key->name, key->name_bytes);
    miss->is_refresh = client == NULL;
    miss->n_rounds = port->n_rounds;
    miss->bytes = 0;
    if (client != NULL) {
        put_way_back(miss, client);
        miss->bytes = (uint16_t)bytes;
        memcpy(miss->wire, wire, bytes);
    }
    pin_ring_commit(ring);
    return true;
}

/* --- life ------------------------------------------------------------------------------------ */

/* The longest zones first. */
static void sort_zones(struct pin_forward *forward)
{
    const struct pin_forward_config *config = &forward->config;
    for (size_t i = 0; i < config->n_zones; i++) {
        size_t at = i;
        while (at > 0
               && config->zones[forward->order[at - 1]].name.bytes < config->zones[i].name.bytes) {
            forward->order[at] = forward->order[at - 1];
            at--;
        }
        forward->order[at] = (uint8_t)i;
    }
}

static enum pin_err make_ports(struct pin_forward *forward, struct pin_why *why)
{
    size_t n = forward->config.n_ports + forward->config.n_threads;
    forward->ports = calloc(n, sizeof(*forward->ports));
    forward->n_ports = forward->ports != NULL ? n : 0;
    for (size_t t = 0; t < forward->config.n_threads; t++) {
        forward->wake_fds[t] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (forward->wake_fds[t] < 0) {
            return pin_why_errno(why, errno, "a forward thread");
        }
    }
    for (size_t i = 0; i < forward->n_ports; i++) {
        struct pin_forward_port *port = &forward->ports[i];
        port->forward = forward;
        for (size_t t = 0; t < forward->config.n_threads; t++) {
            port->rings[t] = pin_ring_new(forward->wake_fds[t]);
            if (port->rings[t] == NULL) {
                return pin_why_set(why, PIN_ENOMEM, "forward rings");
            }
        }
    }
    return forward->ports != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "forward ports");
}

/* A label nobody can guess; its last letters say which resolver is asked. */
static enum pin_err make_loop_label(struct pin_forward *forward, struct pin_why *why)
{
    size_t n = 0;
    uint8_t random[PIN_LOOP_LABEL_BYTES];
    pin_rand_secure(random, sizeof(random));
    forward->loop_label[0] = PIN_LOOP_LABEL_BYTES;
    for (size_t i = 0; i < PIN_LOOP_LABEL_BYTES; i++) {
        forward->loop_label[1 + i] = (uint8_t)('a' + random[i] % LETTERS);
    }
    for (size_t i = 0; i < forward->config.n_zones; i++) {
        n += forward->config.zones[i].n_upstreams;
    }
    forward->loops = calloc(n, sizeof(*forward->loops));
    return forward->loops != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "%zu resolvers", n);
}

enum pin_err pin_forward_start(
    const struct pin_forward_config *config, struct pin_forward **ret_forward, struct pin_why *why)
{
    struct pin_forward *forward = calloc(1, sizeof(*forward));
    if (forward == NULL) {
        pin_arena_free(config->arena);
        return pin_why_set(why, PIN_ENOMEM, "the forwarder");
    }
    forward->config = *config;
    forward->config.cache.n_shards = (uint32_t)config->n_threads;
    for (size_t t = 0; t < PIN_FORWARD_THREADS_MAX; t++) {
        forward->wake_fds[t] = -1;
    }
    sort_zones(forward);
    enum pin_err err = pin_forward_order_init(&forward->order_now, why);
    if (err == PIN_OK) {
        err = make_loop_label(forward, why);
    }
    if (err == PIN_OK) {
        err = pin_cache_new(&forward->config.cache, &forward->cache, why);
    }
    if (err == PIN_OK) {
        err = make_ports(forward, why);
    }
    for (size_t t = 0; t < config->n_threads && err == PIN_OK; t++) {
        forward->n_threads = config->n_threads;
        err = pin_forward_thread_start(forward, (uint32_t)t, &forward->threads[t], why);
    }
    if (err != PIN_OK) {
        pin_forward_halt(forward);
        pin_forward_free(forward);
        return err;
    }
    *ret_forward = forward;
    return PIN_OK;
}

void pin_forward_equip(struct pin_forward *forward, const struct pin_manners *manners,
    const struct pin_tsig_keys *keys, struct pin_tapper *tapper)
{
    for (size_t t = 0; forward != NULL && t < forward->n_threads; t++) {
        forward->threads[t]->worker.manners = manners;
        forward->threads[t]->worker.limiter = manners->limiter;
        forward->threads[t]->worker.keys = keys;
        forward->threads[t]->worker.tap = pin_tapper_join(tapper);
    }
}

void pin_forward_give_basis(struct pin_forward *forward, const struct pin_basis *basis)
{
    for (size_t t = 0; forward != NULL && t < forward->n_threads; t++) {
        pin_worker_give_basis(&forward->threads[t]->worker, basis);
    }
}

/* --- another one's cache ---------------------------------------------------------------------- */

struct inheriting {
    struct pin_forward *forward;
    int64_t now_ms;
    uint8_t groups[PIN_FORWARD_ZONES_MAX]; /* by the other's; PIN_FORWARD_NONE: none */
};

void pin_forward_digest(const char *ca, uint8_t ret_digest[PIN_SHA256_BYTES])
{
    char *text = NULL;
    size_t bytes = 0;
    struct pin_why why = {0};
    memset(ret_digest, 0, PIN_SHA256_BYTES);
    if (ca != NULL && pin_file_read_now(ca, CA_MAX_BYTES, &text, &bytes, &why) == PIN_OK) {
        pin_sha256(text, bytes, ret_digest);
    }
    free(text);
}

bool pin_forward_is_outdated(const struct pin_forward *forward)
{
    bool is_outdated = false;
    for (size_t i = 0; forward != NULL && i < forward->config.n_zones && !is_outdated; i++) {
        const struct pin_upstream_spec *spec = &forward->config.zones[i].upstreams[0];
        uint8_t digest[PIN_SHA256_BYTES]; /* those of one zone have the same CA */
        pin_forward_digest(spec->ca, digest);
        is_outdated = memcmp(digest, spec->ca_digest, sizeof(digest)) != 0;
    }
    return is_outdated;
}

/* Whether what was believed of one would be of the other. */
static bool is_same_zone(const struct pin_forward_zone *a, const struct pin_forward_zone *b)
{
    bool is_same = a->name.bytes == b->name.bytes && a->n_upstreams == b->n_upstreams
                   && memcmp(a->name.wire, b->name.wire, a->name.bytes) == 0
                   && a->is_trusted == b->is_trusted;
    for (size_t i = 0; is_same && i < a->n_upstreams; i++) {
        const struct pin_upstream_spec *x = &a->upstreams[i];
        const struct pin_upstream_spec *y = &b->upstreams[i];
        is_same = x->is_tls == y->is_tls && x->address.port == y->address.port
                  && pin_ip_equal(&x->address.ip, &y->address.ip)
                  && pin_is_same_text(x->tls_name, y->tls_name)
                  && (x->ca == NULL) == (y->ca == NULL)
                  && memcmp(x->ca_digest, y->ca_digest, sizeof(x->ca_digest)) == 0;
    }
    return is_same;
}

static void adopt(const struct pin_cache_entry *entry, void *arg)
{
    const struct inheriting *in = arg;
    uint8_t group = in->groups[entry->group];
    if (group != PIN_FORWARD_NONE) {
        pin_cache_adopt(in->forward->cache, entry, group, in->now_ms);
    }
}

void pin_forward_inherit(struct pin_forward *forward, const struct pin_forward *before)
{
    const struct pin_forward_config *old = &before->config;
    const struct pin_forward_config *now = &forward->config;
    struct inheriting in = {.forward = forward, .now_ms = pin_clock_mono_ms()};
    if (old->ttl_min_s != now->ttl_min_s || old->ttl_max_s != now->ttl_max_s) {
        return;
    }
    for (size_t i = 0; i < old->n_zones; i++) {
        in.groups[i] = PIN_FORWARD_NONE;
        for (size_t j = 0; j < now->n_zones; j++) {
            if (is_same_zone(&old->zones[i], &now->zones[j])) {
                in.groups[i] = (uint8_t)j;
            }
        }
    }
    pin_rcu_register();
    for (uint32_t shard = 0; shard < before->n_threads; shard++) {
        size_t cursor = 0;
        while (pin_cache_walk(before->cache, shard, &cursor, WALK_BUCKETS, adopt, &in)) {
            pin_rcu_quiescent();
        }
    }
    pin_rcu_unregister();
}

bool pin_forward_is_idle(const struct pin_forward *forward)
{
    for (size_t i = 0; forward != NULL && i < forward->n_ports; i++) {
        for (size_t t = 0; t < forward->n_threads; t++) {
            if (!pin_ring_is_empty(forward->ports[i].rings[t])) {
                return false;
            }
        }
    }
    for (size_t t = 0; forward != NULL && t < forward->n_threads; t++) {
        if (pin_stat_read(&forward->threads[t]->stats.n_waiting) > 0) {
            return false;
        }
    }
    return true;
}

void pin_forward_retire(struct pin_forward *forward)
{
    pin_forward_halt(forward);
    for (size_t t = 0; forward != NULL && t < forward->n_threads; t++) {
        pin_tapper_leave(forward->threads[t]->worker.tap);
    }
    pin_forward_free(forward);
}

void pin_forward_add_stats(const struct pin_forward *forward, struct pin_stats_sum *sum)
{
    for (size_t t = 0; forward != NULL && t < forward->n_threads; t++) {
        pin_stats_add_to(&forward->threads[t]->worker.stats, sum);
    }
}

void pin_forward_halt(struct pin_forward *forward)
{
    for (size_t t = 0; forward != NULL && t < PIN_FORWARD_THREADS_MAX; t++) {
        pin_forward_thread_halt(forward->threads[t]);
    }
}

void pin_forward_free(struct pin_forward *forward)
{
    if (forward == NULL) {
        return;
    }
    for (size_t t = 0; t < PIN_FORWARD_THREADS_MAX; t++) {
        pin_forward_thread_free(forward->threads[t]);
        if (forward->wake_fds[t] >= 0) {
            (void)close(forward->wake_fds[t]);
        }
    }
    for (size_t i = 0; i < forward->n_ports; i++) {
        for (size_t t = 0; t < forward->config.n_threads; t++) {
            pin_ring_free(forward->ports[i].rings[t]);
        }
    }
    free(forward->ports);
    free(forward->loops);
    pin_cache_free(forward->cache);
    (void)pthread_mutex_destroy(&forward->order_now.mutex);
    (void)pthread_cond_destroy(&forward->order_now.done);
    pin_arena_free(forward->config.arena);
    free(forward);
}
