/* SPDX-License-Identifier: Apache-2.0 */

/* Names below delegations: who finds out, and when. */

#include "zones/cuts.h"

#include <string.h>

#include "zones/zonefile.h"

#define LABELS_MAX 128u

static bool is_cut(const struct pin_node *node)
{
    return node != NULL && (node->flags & PIN_NODE_IS_CUT) != 0;
}

const struct pin_node *pin_index_cut(
    const struct pin_index *index, const uint8_t *wire_lower, size_t bytes, size_t *ret_at_bytes)
{
    const struct pin_node *cut = NULL;
    for (size_t at = 0; wire_lower[at] != 0;) {
        at += (size_t)wire_lower[at] + 1;
        const struct pin_node *node = pin_index_find(index, wire_lower + at, bytes - at);
        if (is_cut(node)) {
            cut = node;
            *ret_at_bytes = at;
        }
        if (node != NULL && node->name_bytes == node->zone->apex.bytes) {
            break;
        }
    }
    return cut;
}

bool pin_cuts_has(const struct pin_catalog *catalog, const struct pin_name *name)
{
    return is_cut(pin_index_find(catalog->live.index, name->wire, name->bytes));
}

/* Settles a name and the empty non-terminals above it, from the apex down. `is_own`: it is there by
 * its own right. False: memory is out. */
static bool settle(
    struct pin_index *index, const struct pin_zone *zone, const struct pin_name *name, bool is_own)
{
    const uint8_t *labels[LABELS_MAX];
    size_t n = 0;
    bool is_below = false;
    bool is_ok = true;
    const uint8_t *end = name->wire + name->bytes;
    for (const uint8_t *at = name->wire; (size_t)(end - at) > zone->apex.bytes;
         at = pin_name_parent(at)) {
        labels[n++] = at;
    }
    while (n > 0 && is_ok) {
        const uint8_t *at = labels[--n];
        size_t bytes = (size_t)(end - at);
        const struct pin_node *node = pin_index_find(index, at, bytes);
        bool is_put = node != NULL && node->is_put;
        bool is_others = is_below && !(is_put && is_own);
        is_below = is_below || is_cut(node);
        if (node != NULL && node->zone == zone && (n == 0 || !is_put)) {
            is_ok = pin_index_flag(index, at, bytes, PIN_NODE_IS_BELOW_CUT, is_others) == PIN_OK;
        }
    }
    return is_ok;
}

static bool settle_host(struct pin_index *index, const struct pin_host_unit *host)
{
    const struct pin_route_unit *owner = pin_host_owner(host);
    bool is_routes = owner != NULL && owner->object->kind != PIN_KIND_DNS_ENDPOINT;
    return settle(index, host->zone, &host->name, host->is_static || is_routes);
}

void pin_cuts_settle(struct pin_catalog *catalog, const struct pin_host_unit *host, bool was_cut)
{
    const struct pin_node *node =
        pin_index_find(catalog->live.index, host->name.wire, host->name.bytes);
    bool has_moved = node != NULL && node->n_children > 0 && is_cut(node) != was_cut;
    bool is_ok = settle_host(catalog->live.index, host);
    catalog->has_moved_cuts = catalog->has_moved_cuts || has_moved || !is_ok;
}

static bool settle_hosts(struct pin_catalog *catalog)
{
    size_t cursor = 0;
    void *value = NULL;
    bool is_ok = true;
    while (is_ok && pin_map_next(&catalog->hosts, &cursor, NULL, NULL, &value)) {
        is_ok = settle_host(catalog->live.index, value);
    }
    return is_ok;
}

/* What a file says beside routes and DNSEndpoints. */
static bool settle_file(struct pin_index *index, const struct pin_static_unit *unit)
{
    size_t n = unit->zone->is_custom && unit->file != NULL ? unit->file->n_names : 0;
    bool is_ok = true;
    for (size_t i = 0; is_ok && i < n; i++) {
        const struct pin_static_name *from = &unit->file->names[i];
        struct pin_name name = {.bytes = from->bytes};
        memcpy(name.wire, from->wire, from->bytes);
        is_ok = settle(index, unit->zone, &name, true);
    }
    return is_ok;
}

/* What leads to zones within zones. */
static bool settle_zones(struct pin_index *index)
{
    const struct pin_zone *zone = NULL;
    bool is_ok = true;
    for (size_t i = 0; is_ok && (zone = pin_index_zone_at(index, i)) != NULL; i++) {
        is_ok = zone->outer == NULL || settle(index, zone->outer, &zone->apex, true);
    }
    return is_ok;
}

void pin_cuts_settle_all(struct pin_catalog *catalog)
{
    if (!catalog->has_moved_cuts) {
        return;
    }
    bool is_ok = settle_hosts(catalog) && settle_zones(catalog->live.index);
    for (size_t i = 0; is_ok && i < catalog->n_statics; i++) {
        is_ok = settle_file(catalog->live.index, &catalog->statics[i]);
    }
    catalog->has_moved_cuts = !is_ok;
}
