/* SPDX-License-Identifier: Apache-2.0 */

/* Which addresses are called after a service: its ClusterIPs, endpoints and imported addresses. */

#include <stdlib.h>
#include <string.h>

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

static int compare_held(const struct pin_held_address *a, const struct pin_held_address *b)
{
    int order = pin_ip_cmp(&a->ip, &b->ip);
    if (order != 0) {
        return order;
    }
    order = (a->cluster_id > b->cluster_id) - (a->cluster_id < b->cluster_id);
    return order != 0 ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a;
    const struct wanted *y = b;
    return compare_held(&x->held, &y->held);
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
            const struct pin_endpoint *endpoint = c->ready[f][i].endpoint;
            add(run, list,
                &(struct wanted){.held = {.ip = endpoint->ip,
                                     .kind = PIN_REVERSE_ENDPOINT,
                                     .cluster_id = c->cluster_id},
                    .host = endpoint->hostname});
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
    struct pin_name name;
    char dashed[PIN_IP_DASHED_MAX];
    pin_name_root(&name);
    bool is_ok =
        pin_name_prepend(&name, unit->namespace_name, strlen(unit->namespace_name)) == PIN_OK
        && pin_name_prepend(&name, unit->name, strlen(unit->name)) == PIN_OK;
    if (held->kind == PIN_REVERSE_ENDPOINT) {
        if (host == NULL || host[0] == '\0' || strlen(host) > PIN_LABEL_MAX_BYTES) {
            host = pin_ip_dashed(&held->ip, dashed);
        }
        is_ok = is_ok && pin_name_prepend(&name, host, strlen(host)) == PIN_OK;
    }
    if (!is_ok) {
        return; /* not a name that DNS could show */
    }
    struct pin_reverse_name reverse = {.cluster_id = held->cluster_id,
        .kind = held->kind,
        .bytes = (uint8_t)(name.bytes - 1),
        .labels = name.wire};
    if (!pin_reverse_set(run->catalog->live.reverse, &held->ip, &reverse, is_there)) {
        run->failed = true;
    }
}

/* Where the unit may have a name after this run, even if memory runs out on the way: the addresses
 * it has and those it wants, each once. */
static bool hold_all(struct pin_service_unit *unit, const struct wanteds *list)
{
    size_t n = 0;
    size_t next = 0;
    struct pin_held_address *held = malloc((unit->n_addresses + list->n + 1) * sizeof(*held));
    if (held == NULL) {
        return false;
    }
    for (size_t i = 0; i < unit->n_addresses; i++) {
        while (next < list->n && compare_held(&list->wanted[next].held, &unit->addresses[i]) < 0) {
            held[n++] = list->wanted[next++].held;
        }
        if (next < list->n && compare_held(&list->wanted[next].held, &unit->addresses[i]) == 0) {
            next++;
        }
        held[n++] = unit->addresses[i];
    }
    while (next < list->n) {
        held[n++] = list->wanted[next++].held;
    }
    free(unit->addresses);
    unit->addresses = held;
    unit->n_addresses = n;
    return true;
}

/* Forgets the addresses that are not wanted and have no name of the unit any more. */
static void keep_wanted(struct pin_service_unit *unit, const struct wanteds *list)
{
    for (size_t i = 0; i < list->n; i++) {
        unit->addresses[i] = list->wanted[i].held;
    }
    unit->n_addresses = list->n;
    struct pin_held_address *shrunk =
        realloc(unit->addresses, (list->n + 1) * sizeof(*unit->addresses));
    unit->addresses = shrunk != NULL ? shrunk : unit->addresses;
}

void pin_compile_reverse(
    struct pin_compile *run, const struct pin_facts *facts, struct pin_service_unit *unit)
{
    struct wanteds list = collect(run, facts);
    run->failed = run->failed || (list.n + unit->n_addresses > 0 && !hold_all(unit, &list));
    size_t next = 0;
    for (size_t i = 0; !run->failed && i < unit->n_addresses; i++) {
        const struct pin_held_address *held = &unit->addresses[i];
        bool is_wanted = next < list.n && compare_held(&list.wanted[next].held, held) == 0;
        set(run, unit, held, is_wanted ? list.wanted[next].host : NULL, is_wanted);
        next += is_wanted;
    }
    if (!run->failed && unit->n_addresses > 0) {
        keep_wanted(unit, &list);
    }
}
