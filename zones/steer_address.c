/* SPDX-License-Identifier: Apache-2.0 */

/* From one cluster's endpoints to the addresses that stand for them in somebody's view. */

#include "zones/steer_address.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/compare.h"

#include "zones/checks.h"
#include "zones/networks.h"
#include "zones/objects.h"

void *pin_steer_grow(
    const struct pin_steer *steer, void *items, size_t n, size_t *cap, size_t item_bytes)
{
    if (n < *cap) {
        return items;
    }
    size_t wanted = *cap == 0 ? 8 : 2 * *cap;
    void *grown = pin_arena_alloc(steer->arena, wanted * item_bytes);
    if (grown != NULL && n > 0) {
        memcpy(grown, items, n * item_bytes);
    }
    *cap = grown != NULL ? wanted : *cap;
    return grown;
}

/* --- groups and shares
 * ---------------------------------------------------------------------------- */

static bool add_group(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_address_want *want)
{
    struct pin_weight_group *groups = pin_steer_grow(
        steer, plan->groups, plan->n_groups, &plan->cap_groups, sizeof(*plan->groups));
    if (groups == NULL) {
        plan->is_out_of_memory = true;
        return false;
    }
    plan->groups = groups;
    groups[plan->n_groups++] = (struct pin_weight_group){
        .backend_i = want->backend_i, .weight = want->weight, .is_counted = want->is_counted};
    return true;
}

/* Adds a share to the last group. */
static void add_share(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_share *share)
{
    struct pin_share *shares = pin_steer_grow(
        steer, plan->shares, plan->n_shares, &plan->cap_shares, sizeof(*plan->shares));
    if (shares == NULL) {
        plan->is_out_of_memory = true;
        return;
    }
    plan->shares = shares;
    shares[plan->n_shares] = *share;
    shares[plan->n_shares++].group_i = (uint32_t)(plan->n_groups - 1);
    plan->groups[plan->n_groups - 1].n_items++;
}

void pin_steer_add_empty(const struct pin_steer *steer, struct pin_plan *plan, uint32_t backend_i)
{
    if (add_group(steer, plan, &(struct pin_address_want){.backend_i = backend_i, .weight = 1})) {
        plan->groups[plan->n_groups - 1].n_items = 1;
        plan->groups[plan->n_groups - 1].is_empty = true;
    }
}

static uint8_t family(const struct pin_plan *plan)
{
    return plan->family_i == PIN_FAMILY_V4 ? 4 : 6;
}

uint32_t pin_steer_add_ips(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_ip *ips, size_t n_ips, const struct pin_share *like,
    struct pin_address_want *want)
{
    uint32_t n_added = 0;
    for (size_t i = 0; i < n_ips; i++) {
        if (ips[i].family != family(plan)) {
            continue;
        }
        if (n_added == 0 && !add_group(steer, plan, want)) {
            return 0;
        }
        struct pin_share share = *like;
        share.ip = ips[i];
        share.slot = want->is_probed
                         ? pin_checks_outside(steer, plan, like->contribution, &share.ip)
                         : PIN_SLOT_NONE;
        add_share(steer, plan, &share);
        n_added++;
    }
    want->is_used = want->is_used || n_added > 0;
    return n_added;
}

/* --- address modes
 * -------------------------------------------------------------------------------- */

enum pin_address_mode pin_steer_mode(
    const struct pin_steer *steer, const struct pin_object *object, uint16_t cluster_id)
{
    if (object != NULL && object->steering->address != PIN_ADDRESS_UNSET) {
        return object->steering->address;
    }
    if (object != NULL) {
        const struct pin_object *ns =
            pin_objects_find(&steer->catalog->clusters[cluster_id].objects[PIN_KIND_NAMESPACE], "",
                object->namespace_name);
        if (ns != NULL && ns->steering->address != PIN_ADDRESS_UNSET) {
            return ns->steering->address;
        }
    }
    enum pin_address_mode mode = steer->settings->clusters[cluster_id].address;
    return mode != PIN_ADDRESS_UNSET ? mode : steer->settings->address;
}

/* The mode of a contribution: its Service's, or its export's where the Service says nothing. */
static enum pin_address_mode mode_of(
    const struct pin_steer *steer, const struct pin_contribution *c)
{
    bool is_silent = c->service == NULL || c->service->steering->address == PIN_ADDRESS_UNSET;
    return pin_steer_mode(steer,
        is_silent && c->since->steering->address != PIN_ADDRESS_UNSET ? c->since : c->service,
        c->cluster_id);
}

static uint16_t network_of(const struct pin_steer *steer, const struct pin_contribution *c)
{
    return steer->settings->clusters[c->cluster_id].network;
}

bool pin_steer_is_near(
    const struct pin_steer *steer, const struct pin_contribution *c, struct pin_viewer viewer)
{
    enum pin_address_mode mode = mode_of(steer, c);
    return mode == PIN_ADDRESS_ENDPOINTS
           || (mode != PIN_ADDRESS_GATEWAY && viewer.network == network_of(steer, c));
}

/* The number of the one among ports that stands for `port`; 0: none does. A name stands once in a
 * Service and in a slice, whatever its protocol; another cluster's may have it with another one. */
static uint16_t number_of(const struct pin_port *ports, size_t n_ports, const struct pin_port *port)
{
    for (size_t i = 0; i < n_ports; i++) {
        if (ports[i].protocol == port->protocol && pin_is_same_text(ports[i].name, port->name)) {
            return ports[i].port;
        }
    }
    return 0;
}

static uint16_t slice_port(const struct pin_object *slice, const struct pin_port *port)
{
    return number_of(slice->as.slice.ports, slice->as.slice.n_ports, port);
}

/* Whether every port of the Service is the port its endpoints listen on. */
static bool are_ports_equal(const struct pin_plan *plan, const struct pin_contribution *c)
{
    const struct pin_service_body *service = &c->service->as.service;
    const struct pin_ready *ready = c->ready[plan->family_i];
    for (size_t i = 0; i < service->n_ports; i++) {
        const struct pin_port *port = &service->ports[i];
        uint16_t target = port->target_port;
        if (target == 0 && c->n_ready[plan->family_i] > 0) {
            target = slice_port(ready[0].slice, port);
        }
        if (target != 0 && target != port->port) {
            return false;
        }
    }
    return true;
}

/* Takes the number of endpoints where no weight was given. */
static void count_weight(struct pin_address_want *want, uint32_t n_ready)
{
    if (want->weight == 0) {
        want->weight = n_ready;
        want->is_counted = true;
    }
}

static void add_endpoints(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_address_want *want)
{
    uint32_t n_ready = c->n_ready[plan->family_i];
    if (n_ready == 0) {
        return;
    }
    bool is_probing = c->is_probing && !want->is_blind;
    count_weight(want, is_probing ? pin_checks_alive(steer, plan, c) : n_ready);
    size_t n_before = plan->n_shares;
    if (!add_group(steer, plan, want)) {
        return;
    }
    for (uint32_t i = 0; i < n_ready; i++) {
        const struct pin_ready *ready = &c->ready[plan->family_i][i];
        uint32_t slot =
            want->is_blind ? PIN_SLOT_NONE : pin_checks_endpoint(steer, plan, c, plan->family_i, i);
        if (is_probing && !pin_checks_is_alive(steer, slot)) {
            continue;
        }
        add_share(steer, plan,
            &(struct pin_share){.ip = ready->ip,
                .via = PIN_VIA_ENDPOINT,
                .cluster_id = c->cluster_id,
                .contribution = c,
                .ready = ready,
                .slot = slot});
    }
    if (plan->n_shares == n_before) {
        plan->n_groups--; /* nothing of this family answers */
        return;
    }
    want->is_used = true;
}

static void add_fixed(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, enum pin_via via, struct pin_address_want *want)
{
    const struct pin_network_state *network = pin_network_get(steer->catalog, network_of(steer, c));
    const struct pin_service_body *service = c->service != NULL ? &c->service->as.service : NULL;
    const struct pin_ip *ips = network->ips;
    size_t n_ips = network->n_ips;
    if (via == PIN_VIA_CLUSTER_IP) {
        ips = service != NULL ? service->cluster_ips : NULL;
        n_ips = service != NULL ? service->n_cluster_ips : 0;
    } else if (via == PIN_VIA_BALANCER) {
        ips = service != NULL ? service->balancer_ips : NULL;
        n_ips = service != NULL ? service->n_balancer_ips : 0;
    }
    struct pin_share like = {.via = via, .cluster_id = c->cluster_id, .contribution = c};
    count_weight(want, c->is_probing && !want->is_blind ? pin_checks_alive(steer, plan, c)
                                                        : pin_contribution_ready(c));
    want->is_probed = via != PIN_VIA_CLUSTER_IP && !want->is_blind;
    if (pin_steer_add_ips(steer, plan, ips, n_ips, &like, want) > 0 && via == PIN_VIA_CLUSTER_IP
        && !want->is_blind) {
        pin_checks_members(steer, plan, c);
    }
}

static const char *add_far(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_address_want *want)
{
    add_fixed(steer, plan, c, PIN_VIA_GATEWAY, want);
    if (!want->is_used) {
        add_fixed(steer, plan, c, PIN_VIA_BALANCER, want);
    }
    return want->is_used ? "another network: by its gateway or load balancer"
                         : "another network without gateway or load-balancer address";
}

static const char *add_near(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_address_want *want)
{
    bool can_map = c->service != NULL && c->service->as.service.n_cluster_ips > 0
                   && steer->settings->networks[network_of(steer, c)].cluster_ips_routable;
    if (c->service == NULL || are_ports_equal(plan, c)) {
        add_endpoints(steer, plan, c, want);
        return want->is_used ? NULL : "no endpoint of this family";
    }
    if (can_map) {
        add_fixed(steer, plan, c, PIN_VIA_CLUSTER_IP, want);
        return "ports differ from target ports: by its ClusterIP, which is routable";
    }
    add_endpoints(steer, plan, c, want);
    plan->has_port_mismatch = true;
    return "ports differ from target ports: connect to the target port, or ask SRV";
}

bool pin_steer_has_way(
    const struct pin_steer *steer, const struct pin_contribution *c, struct pin_viewer viewer)
{
    enum pin_address_mode mode = mode_of(steer, c);
    uint16_t network = network_of(steer, c);
    return (mode != PIN_ADDRESS_UNSET && mode != PIN_ADDRESS_AUTO) /* shown whatever the network */
           || viewer.cluster_id == c->cluster_id || viewer.network == network
           || pin_network_get(steer->catalog, network)->n_ips > 0
           || (c->service != NULL && c->service->as.service.n_balancer_ips > 0);
}

static const char *add_auto(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_viewer viewer, struct pin_address_want *want)
{
    if (viewer.cluster_id == c->cluster_id && c->service != NULL
        && c->service->as.service.n_cluster_ips > 0) {
        add_fixed(steer, plan, c, PIN_VIA_CLUSTER_IP, want);
        return want->is_used ? "the asker's own cluster: by its ClusterIP"
                             : "no ClusterIP of this family";
    }
    if (viewer.cluster_id == c->cluster_id) {
        add_endpoints(steer, plan, c, want);
        return want->is_used ? NULL : "no endpoint of this family";
    }
    return viewer.network == network_of(steer, c) ? add_near(steer, plan, c, want)
                                                  : add_far(steer, plan, c, want);
}

const char *pin_steer_addresses(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_viewer viewer, struct pin_address_want *want)
{
    switch (mode_of(steer, c)) {
    case PIN_ADDRESS_ENDPOINTS:
        add_endpoints(steer, plan, c, want);
        return want->is_used ? NULL : "no endpoint of this family";
    case PIN_ADDRESS_CLUSTER_IP:
        add_fixed(steer, plan, c, PIN_VIA_CLUSTER_IP, want);
        return want->is_used ? NULL : "no ClusterIP of this family";
    case PIN_ADDRESS_LOAD_BALANCER:
        add_fixed(steer, plan, c, PIN_VIA_BALANCER, want);
        return want->is_used ? NULL : "no load-balancer address of this family";
    case PIN_ADDRESS_GATEWAY:
        add_fixed(steer, plan, c, PIN_VIA_GATEWAY, want);
        return want->is_used ? NULL : "its network has no gateway of this family";
    case PIN_ADDRESS_UNSET:
    case PIN_ADDRESS_AUTO:
        break;
    }
    return add_auto(steer, plan, c, viewer, want);
}

void pin_steer_own_addresses(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_address_want *want)
{
    want->weight = 1;
    want->is_blind = true;
    if (c->service->as.service.n_cluster_ips > 0) {
        add_fixed(steer, plan, c, PIN_VIA_CLUSTER_IP, want);
    } else {
        add_endpoints(steer, plan, c, want);
    }
}

struct pin_own_port pin_share_own_port(const struct pin_share *share, const struct pin_port *port)
{
    const struct pin_contribution *c = share->contribution;
    bool is_endpoint = share->via == PIN_VIA_ENDPOINT;
    if (c != NULL && c->is_backend && c->service != NULL) {
        const struct pin_port *own = pin_steer_backend_port(c, port);
        uint16_t number = own == NULL   ? 0
                          : is_endpoint ? slice_port(share->ready->slice, own)
                                        : own->port;
        return (struct pin_own_port){own, number};
    }
    if (is_endpoint) {
        return (struct pin_own_port){port, slice_port(share->ready->slice, port)};
    }
    if (c == NULL || c->service == NULL) {
        return (struct pin_own_port){port, port->port};
    }
    const struct pin_service_body *service = &c->service->as.service;
    return (struct pin_own_port){port, number_of(service->ports, service->n_ports, port)};
}

uint16_t pin_share_port(const struct pin_share *share, const struct pin_port *port)
{
    return pin_share_own_port(share, port).number;
}

/* --- finish
 * --------------------------------------------------------------------------------------- */

/* Of an address that stands twice the one that goes first in conflicts is kept: its port counts. */
static int compare_ip(const void *a, const void *b)
{
    const struct pin_share *x = a;
    const struct pin_share *y = b;
    int order = pin_ip_cmp(&x->ip, &y->ip);
    if (order != 0) {
        return order;
    }
    if (x->contribution != NULL && y->contribution != NULL) {
        order = pin_contribution_is_before(y->contribution, x->contribution)
                - pin_contribution_is_before(x->contribution, y->contribution);
    }
    return order != 0 ? order : (x->group_i > y->group_i) - (x->group_i < y->group_i);
}

/* Groups are added backend by backend and cluster by cluster, so their order is the answer's. */
static int compare_place(const void *a, const void *b)
{
    const struct pin_share *x = a;
    const struct pin_share *y = b;
    int order = (x->group_i > y->group_i) - (x->group_i < y->group_i);
    return order != 0 ? order : pin_ip_cmp(&x->ip, &y->ip);
}

/* Keeps what stood there before the shares are folded: verdicts are about each part. */
static bool note_items(const struct pin_steer *steer, struct pin_plan *plan,
    const uint32_t *backend_weights, size_t n_backends)
{
    plan->items = pin_arena_alloc(steer->arena, plan->n_shares * sizeof(*plan->items));
    plan->backends = pin_arena_alloc(steer->arena, (n_backends + 1) * sizeof(*plan->backends));
    if (plan->items == NULL || plan->backends == NULL) {
        plan->is_out_of_memory = true;
        return false;
    }
    plan->n_items = plan->n_shares;
    plan->n_backends = n_backends;
    memcpy(plan->backends, backend_weights, n_backends * sizeof(*plan->backends));
    return true;
}

static int compare_item(const void *a, const void *b)
{
    const struct pin_plan_item *x = a;
    const struct pin_plan_item *y = b;
    int order = (x->group_i > y->group_i) - (x->group_i < y->group_i);
    return order != 0 ? order : pin_ip_cmp(&x->ip, &y->ip);
}

/* Tells each item where its address stands in the end. `rr_i` of the items is the share's place. */
static void settle_items(const struct pin_steer *steer, struct pin_plan *plan)
{
    uint32_t *rr_of_place = pin_arena_alloc(steer->arena, plan->n_items * sizeof(*rr_of_place));
    bool *is_seen = pin_arena_alloc(steer->arena, plan->n_items * sizeof(*is_seen));
    if (rr_of_place == NULL || is_seen == NULL) {
        plan->is_out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < plan->n_shares; i++) {
        rr_of_place[plan->shares[i].place] = (uint32_t)i;
    }
    qsort(plan->items, plan->n_items, sizeof(*plan->items), compare_item);
    for (size_t i = 0; i < plan->n_items; i++) {
        struct pin_plan_item *item = &plan->items[i];
        item->rr_i = rr_of_place[item->rr_i];
        item->is_again = is_seen[item->rr_i];
        is_seen[item->rr_i] = true;
    }
}

void pin_steer_finish(const struct pin_steer *steer, struct pin_plan *plan,
    const uint32_t *backend_weights, size_t n_backends)
{
    uint32_t n_kept = 0;
    if (plan->n_shares == 0) {
        return;
    }
    bool has_items = plan->has_checks && note_items(steer, plan, backend_weights, n_backends);
    pin_weight_spread(backend_weights, plan->groups, plan->n_groups);
    qsort(plan->shares, plan->n_shares, sizeof(*plan->shares), compare_ip);
    for (size_t i = 0; i < plan->n_shares; i++) {
        struct pin_share *share = &plan->shares[i];
        share->weight = plan->groups[share->group_i].item_weight;
        bool is_again = n_kept > 0 && pin_ip_equal(&plan->shares[n_kept - 1].ip, &share->ip);
        share->place = is_again ? n_kept - 1 : n_kept;
        if (has_items) {
            plan->items[i] = (struct pin_plan_item){.ip = share->ip,
                .group_i = share->group_i,
                .slot = share->slot,
                .rr_i = share->place};
        }
        if (is_again) {
            plan->shares[n_kept - 1].weight += share->weight;
        } else {
            plan->shares[n_kept++] = *share;
        }
    }
    plan->n_shares = n_kept;
    for (size_t i = 0; i < plan->n_groups; i++) {
        plan->nodata_weight += plan->groups[i].is_empty ? plan->groups[i].item_weight : 0;
    }
    qsort(plan->shares, n_kept, sizeof(*plan->shares), compare_place);
    if (has_items) {
        settle_items(steer, plan);
    }
}
