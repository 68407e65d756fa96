/* SPDX-License-Identifier: Apache-2.0 */

/* Which addresses are called after a service: its ClusterIPs, endpoints and imported addresses. */

#include <stdlib.h>
#include <string.h>

#include "pintle/zones/slice.h"

#include "zones/compile.h"
#include "zones/steer_address.h"

/* One address that is to have a name of the unit. */
struct wanted {
    struct pin_held_address held;
    const char *host; /* endpoints only; NULL: the address with dashes */
};

struct wanteds {
    struct wanted *wanted;
    size_t n;
    size_t cap;
};

static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a;
    const struct wanted *y = b;
    return pin_held_compare(&x->held, &y->held);
}

static void add(struct pin_compile *run, struct wanteds *list, const struct wanted *wanted)
{
    struct wanted *grown =
        pin_steer_grow(&run->steer, list->wanted, list->n, &list->cap, sizeof(*grown));
    if (grown == NULL) {
        run->failed = true;
        return;
    }
    list->wanted = grown;
    grown[list->n++] = *wanted;
}

static void add_ips(struct pin_compile *run, struct wanteds *list, const struct pin_ip *ips,
    size_t n_ips, uint16_t cluster_id, enum pin_reverse_kind kind)
{
    for (size_t i = 0; i < n_ips; i++) {
        add(run, list,
            &(struct wanted){
                .held = {.ip = ips[i], .kind = (uint8_t)kind, .cluster_id = cluster_id}});
    }
}

static void add_endpoints(
    struct pin_compile *run, struct wanteds *list, const struct pin_contribution *c)
{
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (uint32_t i = 0; i < c->n_ready[f]; i++) {
            const struct pin_ready *ready = &c->ready[f][i];
            add(run, list,
                &(struct wanted){.held = {.ip = ready->ip,
                                     .kind = PIN_REVERSE_ENDPOINT,
                                     .cluster_id = c->cluster_id},
                    .host = pin_slice_hostname(&ready->slice->as.slice, ready->row)});
        }
    }
}

/* A Service or import may name an address twice. */
static void drop_doubles(struct wanteds *list)
{
    size_t n = 1;
    for (size_t i = 1; i < list->n; i++) {
        if (compare_wanted(&list->wanted[n - 1], &list->wanted[i]) != 0) {
            list->wanted[n++] = list->wanted[i];
        }
    }
    list->n = n;
}

static struct wanteds collect(struct pin_compile *run, const struct pin_facts *facts)
{
    struct wanteds list = {0};
    for (size_t i = 0; i < facts->unit->n_members; i++) {
        const struct pin_member *member = &facts->unit->members[i];
        const struct pin_contribution *c = pin_facts_own(facts, member->cluster_id);
        if (c != NULL && !c->is_dropped) {
            const struct pin_service_body *service = &c->service->as.service;
            add_ips(run, &list, service->cluster_ips, service->n_cluster_ips, c->cluster_id,
                PIN_REVERSE_SERVICE);
            add_endpoints(run, &list, c);
        }
        if (member->import != NULL && !member->is_dropped && facts->exists
            && !run->catalog->settings->is_ptr_off) {
            const struct pin_import_body *import = &member->import->as.import;
            add_ips(run, &list, import->ips, import->n_ips, member->cluster_id,
                PIN_REVERSE_CLUSTER_SET);
        }
    }
    if (list.n > 0) {
        qsort(list.wanted, list.n, sizeof(*list.wanted), compare_wanted);
        drop_doubles(&list);
    }
    return list;
}

/* Gives the address its name, or takes it away. */
static void set(struct pin_compile *run, const struct pin_service_unit *unit,
    const struct pin_held_address *held, const char *host, bool is_there)
{
    struct pin_name service;
    struct pin_reverse_name name = {.cluster_id = held->cluster_id, .kind = held->kind};
    pin_name_root(&service);
    bool is_ok =
        pin_name_prepend(&service, unit->namespace_name, strlen(unit->namespace_name)) == PIN_OK
        && pin_name_prepend(&service, unit->name, strlen(unit->name)) == PIN_OK;
    size_t host_bytes = host != NULL ? strlen(host) : 0;
    if (host_bytes > 0 && host_bytes <= PIN_LABEL_MAX_BYTES) {
        struct pin_name label;
        pin_name_root(&label);
        is_ok = is_ok && pin_name_prepend(&label, host, host_bytes) == PIN_OK;
        memcpy(name.host, label.wire, host_bytes + 1);
    }
    if (!is_ok) {
        return; /* not a name that DNS could show */
    }
    name.bytes = (uint8_t)(service.bytes - 1);
    name.service = service.wire;
    if (!pin_reverse_set(run->catalog->live.reverse, &held->ip, &name, is_there)) {
        run->failed = true;
    }
}

/* Keeps these as the addresses where the unit has a name. False when memory is out. */
static bool keep(struct pin_service_unit *unit, const struct pin_held_address *addresses, size_t n)
{
    size_t bytes = pin_held_bytes(addresses, n);
    uint8_t *packed = malloc(bytes + 1);
    if (packed == NULL) {
        return false;
    }
    pin_held_write(packed, addresses, n);
    free(unit->addresses.bytes);
    unit->addresses = (struct pin_held_addresses){.bytes = packed, .n_bytes = bytes};
    return true;
}

/* Where the unit has names, and where it is to have them: each once. */
struct both {
    struct pin_held_address *held;
    size_t n;
};

/* NULL when memory is out. */
static struct both merge(
    struct pin_compile *run, const struct pin_held_addresses *old, const struct wanteds *list)
{
    struct both both = {0};
    struct pin_held_at at = {0};
    struct pin_held_address one;
    size_t next = 0;
    size_t n_most = list->n + old->n_bytes / 4; /* of the shortest addresses */
    both.held = pin_arena_alloc(run->steer.arena, (n_most + 1) * sizeof(*both.held));
    while (both.held != NULL && pin_held_next(old, &at, &one)) {
        while (next < list->n && pin_held_compare(&list->wanted[next].held, &one) < 0) {
            both.held[both.n++] = list->wanted[next++].held;
        }
        if (next < list->n && pin_held_compare(&list->wanted[next].held, &one) == 0) {
            next++;
        }
        both.held[both.n++] = one;
    }
    while (both.held != NULL && next < list->n) {
        both.held[both.n++] = list->wanted[next++].held;
    }
    return both;
}

/* Notes only what is wanted; that takes no more room than what is noted. */
static void forget_others(
    struct pin_service_unit *unit, struct both *both, const struct wanteds *list)
{
    for (size_t i = 0; i < list->n; i++) {
        both->held[i] = list->wanted[i].held;
    }
    size_t bytes = pin_held_bytes(both->held, list->n);
    pin_held_write(unit->addresses.bytes, both->held, list->n);
    unit->addresses.n_bytes = bytes;
    uint8_t *shrunk = realloc(unit->addresses.bytes, bytes + 1);
    unit->addresses.bytes = shrunk != NULL ? shrunk : unit->addresses.bytes;
}

void pin_compile_reverse(
    struct pin_compile *run, const struct pin_facts *facts, struct pin_service_unit *unit)
{
    struct wanteds list = collect(run, facts);
    if (run->failed || list.n + unit->addresses.n_bytes == 0) {
        return;
    }
    /* First note all where it may have a name after this run, even if memory runs out on the way.
     */
    struct both both = merge(run, &unit->addresses, &list);
    run->failed = both.held == NULL || !keep(unit, both.held, both.n);
    size_t next = 0;
    for (size_t i = 0; !run->failed && i < both.n; i++) {
        const struct pin_held_address *held = &both.held[i];
        bool is_wanted = next < list.n && pin_held_compare(&list.wanted[next].held, held) == 0;
        set(run, unit, held, is_wanted ? list.wanted[next].host : NULL, is_wanted);
        next += is_wanted;
    }
    if (!run->failed) {
        forget_others(unit, &both, &list);
    }
}
