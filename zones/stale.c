/* SPDX-License-Identifier: Apache-2.0 */

/* Clusters out of reach: from when on what they said last does not count (stale: drop). */

#include "zones/stale.h"

#include "pintle/base/macros.h"

/* When the member's data is dropped or probed; UINT64_MAX for never. Its own objects go over the
 * cluster's settings, those over everybody's. */
static uint64_t due_ms(
    const struct pin_catalog *catalog, const struct pin_member *member, enum pin_stale *ret_stale)
{
    const struct pin_settings *settings = catalog->settings;
    const struct pin_cluster_settings *cluster = &settings->clusters[member->cluster_id];
    enum pin_stale stale = cluster->stale != PIN_STALE_UNSET ? cluster->stale : settings->stale;
    uint64_t after_ms =
        cluster->stale_after_ms != 0 ? cluster->stale_after_ms : settings->stale_after_ms;
    const struct pin_object *objects[] = {member->import, member->export_, member->service};
    for (size_t i = 0; i < N_ELEMS(objects); i++) {
        if (objects[i] != NULL && objects[i]->steering->stale != PIN_STALE_UNSET) {
            stale = objects[i]->steering->stale;
        }
        if (objects[i] != NULL && objects[i]->steering->stale_after_ms != 0) {
            after_ms = objects[i]->steering->stale_after_ms;
        }
    }
    *ret_stale = stale;
    return stale == PIN_STALE_DROP || stale == PIN_STALE_PROBE
               ? catalog->clusters[member->cluster_id].out_since_ms + after_ms
               : UINT64_MAX;
}

uint64_t pin_stale_drop_ms(const struct pin_catalog *catalog, uint16_t cluster_id)
{
    const struct pin_member nobody = {.cluster_id = cluster_id};
    enum pin_stale stale = PIN_STALE_KEEP;
    uint64_t due =
        catalog->clusters[cluster_id].is_out ? due_ms(catalog, &nobody, &stale) : UINT64_MAX;
    return stale == PIN_STALE_DROP ? due : UINT64_MAX;
}

/* Takes note of who is out of reach now; false when nobody is. */
static bool note_clusters(struct pin_catalog *catalog, uint64_t now_ms)
{
    bool is_any_out = false;
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        struct pin_cluster_state *cluster = &catalog->clusters[i];
        bool is_out = cluster->is_restored || (cluster->is_synced && !cluster->is_up);
        if (is_out && !cluster->is_out) {
            cluster->out_since_ms = now_ms;
        }
        cluster->is_out = is_out;
        is_any_out = is_any_out || is_out;
    }
    return is_any_out;
}

static void settle_unit(struct pin_catalog *catalog, struct pin_service_unit *unit, uint64_t now_ms)
{
    bool is_changed = false;
    for (size_t i = 0; i < unit->n_members; i++) {
        struct pin_member *member = &unit->members[i];
        bool is_out = catalog->clusters[member->cluster_id].is_out;
        enum pin_stale stale = PIN_STALE_KEEP;
        uint64_t due = is_out ? due_ms(catalog, member, &stale) : UINT64_MAX;
        bool is_due = due <= now_ms;
        bool is_dropped = is_due && stale == PIN_STALE_DROP;
        bool is_probing = is_due && stale == PIN_STALE_PROBE;
        is_changed =
            is_changed || member->is_dropped != is_dropped || member->is_probing != is_probing;
        member->is_dropped = is_dropped;
        member->is_probing = is_probing;
        catalog->has_dropped = catalog->has_dropped || is_due;
        if (!is_due) {
            catalog->next_stale_ms = PIN_MIN(catalog->next_stale_ms, due);
        }
    }
    if (is_changed) {
        pin_unit_touch_service(catalog, unit);
    }
}

bool pin_stale_is_due(const struct pin_catalog *catalog, uint64_t now_ms)
{
    return catalog->is_stale_dirty || now_ms >= catalog->next_stale_ms;
}

void pin_stale_settle(struct pin_catalog *catalog, uint64_t now_ms)
{
    size_t cursor = 0;
    void *value = NULL;
    if (!pin_stale_is_due(catalog, now_ms)) {
        return;
    }
    bool is_any_out = note_clusters(catalog, now_ms);
    bool had_dropped = catalog->has_dropped;
    catalog->is_stale_dirty = false;
    catalog->has_dropped = false;
    catalog->next_stale_ms = UINT64_MAX;
    if (!is_any_out && !had_dropped) {
        return;
    }
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        settle_unit(catalog, value, now_ms);
    }
}
