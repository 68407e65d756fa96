/* SPDX-License-Identifier: Apache-2.0 */

/* The end of a round: serials of zones that changed, and what a transfer of them shows. */

#include <stdatomic.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/zones/parts.h"

#include "zones/edition.h"
#include "zones/soa.h"
#include "zones/units.h"
#include "zones/zonefile.h"

#define SHIPPED (UINT64_C(1) << 32)

/* Of what, for the callback. */
struct ship {
    const struct pin_catalog *catalog;
    const struct pin_zone *zone;
};

/* --- what a name shows in a transfer ---------------------------------------------------------- */

/* Adds a table, of which the caller keeps its reference. No table has an RR twice: plans make one
 * share of an address that several clusters have, files and objects one RR of what they repeat. */
static void add_table(struct pin_shown *shown, const struct pin_table *table)
{
    if (shown->n < N_ELEMS(shown->tables)) { /* no name has more types */
        pin_table_ref(table);
        shown->tables[shown->n++] = table;
    }
}

/* Whether nobody in particular may see the name: what is transferred, everybody gets to see. */
static bool is_public(const struct pin_node *node)
{
    const struct pin_policy_asker nobody = {.cluster_id = PIN_CLUSTER_NONE};
    uint16_t slot = 0;
    return node->policy == NULL
           || pin_policy_judge(node->policy, &nobody, &slot) <= PIN_POLICY_WOULD_DENY;
}

/* Whether the node shows its RRset of that type to everybody: name servers of a zone are no secret
 * of the route that has its name. */
static bool is_shown(const struct pin_node *node, uint16_t type)
{
    bool is_of_zone = type == PIN_TYPE_NS && node->name_bytes == node->zone->apex.bytes;
    return type != PIN_TYPE_PARTS && (is_of_zone || is_public(node));
}

/* What the node shows a stranger, of one type (0: of all). */
static void add_node(struct pin_shown *shown, const struct pin_node *node, uint16_t type)
{
    for (uint16_t i = 0; i < node->n_rrsets; i++) {
        const struct pin_rrset *rrset = &pin_node_rrsets(node)[i];
        const struct pin_table *table = pin_rrset_table(rrset, 0, 0);
        bool is_wanted = (type == 0 || rrset->type == type) && is_shown(node, rrset->type);
        if (table != NULL && is_wanted) {
            add_table(shown, table);
        }
    }
}

/* What the zone's file says, glue and all. */
static bool add_raw(struct pin_shown *shown, const struct pin_static_name *name)
{
    for (uint16_t i = 0; i < name->n_sets; i++) {
        const struct pin_static_set *set = &name->sets[i];
        struct pin_table *table = pin_table_new(&(struct pin_table_spec){.form = PIN_TABLE_FIXED,
            .n_rr = set->n_rr,
            .wire = set->wire,
            .wire_bytes = set->wire_bytes});
        if (table == NULL) {
            return false;
        }
        add_table(shown, table);
        pin_table_unref(table);
    }
    return true;
}

/* Names of the zone as its nodes have them; those below a delegation as its file has them; zones of
 * ours within it as delegations. */
static bool show_name(void *arg, const struct pin_name *name, struct pin_shown *shown)
{
    const struct ship *ship = arg;
    const struct pin_node *node =
        pin_index_find(ship->catalog->live.index, name->wire, name->bytes);
    if (node != NULL && node->zone == ship->zone && node->n_rrsets > 0) {
        add_node(shown, node, 0);
        return true;
    }
    const struct pin_static_name *raw = pin_static_raw(ship->catalog, ship->zone, name);
    if (raw != NULL) {
        return add_raw(shown, raw);
    }
    bool is_cut =
        node != NULL && node->zone != ship->zone && node->zone->apex.bytes == node->name_bytes;
    if (is_cut) {
        add_node(shown, node, PIN_TYPE_NS);
    }
    return true;
}

/* --- the end of a round ------------------------------------------------------------------------
 */

/* Whether the zone is known well enough to be handed on (invariant I9). */
static bool is_known(const struct pin_catalog *catalog, const struct pin_zone *zone)
{
    return catalog->live.scene->is_ready || !zone->is_synced_from_clusters;
}

/* Serial and edition of a zone that may be transferred. False: memory is out. */
static bool settle_shipped(struct pin_catalog *catalog, struct pin_zone *zone)
{
    struct pin_editions *editions = zone->editions;
    struct ship ship = {.catalog = catalog, .zone = zone};
    bool has_changes = false;
    struct pin_draft *draft = pin_editions_draft(editions, show_name, &ship, &has_changes);
    zone->is_changed = zone->is_changed || (has_changes && editions->newest != NULL);
    if (draft == NULL || !pin_soa_settle(zone)) {
        pin_draft_free(draft);
        return false;
    }
    if (editions->newest != NULL && editions->newest->serial == zone->soa->serial) {
        pin_draft_settle(editions, draft);
        return true;
    }
    if (!pin_editions_publish(editions, zone, draft)) {
        return false;
    }
    atomic_store_explicit(&zone->shipped, SHIPPED + zone->soa->serial, memory_order_relaxed);
    return true;
}

static bool settle_zone(struct pin_catalog *catalog, struct pin_zone *zone)
{
    if (zone->editions == NULL || !is_known(catalog, zone)) {
        return pin_soa_settle(zone);
    }
    bool is_still =
        zone->editions->n_noted == 0 && !zone->is_changed && !zone->is_serial_set
        && zone->editions->newest != NULL && zone->editions->newest->serial == zone->soa->serial
        && (!zone->has_file || !pin_serial_is_after(zone->file_serial, zone->soa->serial));
    bool is_ok = is_still || settle_shipped(catalog, zone);
    pin_editions_sweep(zone->editions);
    return is_ok;
}

uint32_t pin_serials_settle(struct pin_catalog *catalog)
{
    uint32_t n = 0;
    catalog->is_behind = false;
    struct pin_zone *zone = NULL;
    for (size_t i = 0; (zone = pin_index_zone_at(catalog->live.index, i)) != NULL; i++) {
        uint32_t serial = zone->soa->serial;
        uint64_t shipped = atomic_load_explicit(&zone->shipped, memory_order_relaxed);
        if (!settle_zone(catalog, zone)) {
            catalog->is_behind = true;
        }
        n += serial != zone->soa->serial
             || shipped != atomic_load_explicit(&zone->shipped, memory_order_relaxed);
    }
    pin_editions_sweep_left(&catalog->left, false);
    if (catalog->is_behind) {
        pin_log_error("serials: out of memory, a zone's serial stays behind until there is some");
    }
    return n;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Notes what the zone has already: its apex, and the zones of ours within it. */
static bool note_first(struct pin_catalog *catalog, struct pin_zone *zone)
{
    bool is_ok = pin_editions_note(zone->editions, zone->apex.wire, zone->apex.bytes);
    const struct pin_zone *other = NULL;
    for (size_t i = 0; (other = pin_index_zone_at(catalog->live.index, i)) != NULL; i++) {
        is_ok = is_ok
                && (other->outer != zone
                    || pin_editions_note(zone->editions, other->apex.wire, other->apex.bytes));
    }
    return is_ok;
}

enum pin_err pin_serials_init(struct pin_catalog *catalog, struct pin_why *why)
{
    const struct pin_settings *settings = catalog->settings;
    for (size_t i = 0; i < settings->n_zones_shipped; i++) {
        struct pin_name apex;
        struct pin_zone *zone = pin_name_parse(settings->zones_shipped[i], &apex) == PIN_OK
                                    ? pin_index_zone(catalog->live.index, &apex)
                                    : NULL;
        if (zone == NULL || zone->apex.bytes != apex.bytes
            || !(zone->is_custom || zone->is_static)) {
            return pin_why_set(
                why, PIN_EINVAL, "zone %s cannot be transferred", settings->zones_shipped[i]);
        }
        if (zone->editions == NULL) {
            zone->editions = calloc(1, sizeof(*zone->editions));
        }
        if (zone->editions != NULL) {
            zone->editions->apex = zone->apex;
        }
        if (zone->editions == NULL || !note_first(catalog, zone)) {
            return pin_why_set(why, PIN_ENOMEM, "zone %s", settings->zones_shipped[i]);
        }
    }
    return PIN_OK;
}

enum pin_err pin_catalog_set_floor(
    struct pin_catalog *catalog, const struct pin_name *zone, uint32_t serial)
{
    struct pin_zone *found = pin_index_zone(catalog->live.index, zone);
    if (found == NULL || found->apex.bytes != zone->bytes || !found->is_static) {
        return PIN_ENOTFOUND;
    }
    found->floor_serial = serial;
    found->has_floor = true;
    return PIN_OK;
}
