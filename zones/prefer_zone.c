/* SPDX-License-Identifier: Apache-2.0 */

/* Endpoints in the asker's zone: hints where all have them, else where they run. */

#include "zones/prefer_zone.h"

#include <string.h>

#include "pintle/zones/slice.h"

/* Whether "a,b" names the zone. */
static bool names_zone(const char *list, const char *zone)
{
    size_t zone_bytes = strlen(zone);
    while (list != NULL && *list != '\0') {
        size_t bytes = strcspn(list, ",");
        if (bytes == zone_bytes && memcmp(list, zone, bytes) == 0) {
            return true;
        }
        list += bytes + (list[bytes] == ',');
    }
    return false;
}

static bool slice_matters(const struct pin_slice_body *slice, const char *zone)
{
    for (size_t i = 0; i < slice->n_endpoints; i++) {
        const char *own = pin_slice_zone(slice, i);
        if ((own != NULL && strcmp(own, zone) == 0)
            || names_zone(pin_slice_hints(slice, i), zone)) {
            return true;
        }
    }
    return false;
}

static bool member_matters(const struct pin_member *member, const char *zone)
{
    for (size_t i = 0; i < member->n_slices; i++) {
        if (slice_matters(&pin_member_slices(member)[i]->as.slice, zone)) {
            return true;
        }
    }
    return false;
}

bool pin_zone_matters(const struct pin_service_unit *const *units, size_t n_units, const char *zone)
{
    for (size_t u = 0; u < n_units; u++) {
        for (size_t m = 0; m < units[u]->n_members; m++) {
            if (member_matters(&units[u]->members[m], zone)) {
                return true;
            }
        }
    }
    return false;
}

bool pin_zone_is_preferred(const struct pin_facts *facts)
{
    const struct pin_object *service = facts->annotated[0];
    const struct pin_object *import = facts->annotated[2];
    return !facts->is_headless
           && ((service != NULL && service->kind == PIN_KIND_SERVICE
                   && service->as.service.prefers_zone)
               || (import != NULL && import->as.import.prefers_zone));
}

/* The endpoint's hints, or NULL. */
static const char *hints_of(const struct pin_ready *ready)
{
    return pin_slice_hints(&ready->slice->as.slice, ready->row);
}

static bool have_all_hints(const struct pin_contribution *c)
{
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (uint32_t i = 0; i < c->n_ready[f]; i++) {
            if (hints_of(&c->ready[f][i]) == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* Keeps the endpoints of one family that are in the zone. False when memory is out. */
static bool keep_zone(struct pin_arena *arena, struct pin_contribution *c,
    enum pin_family_i family_i, const char *zone)
{
    bool by_hints = have_all_hints(c);
    uint32_t n = 0;
    struct pin_ready *kept = pin_arena_alloc(arena, (c->n_ready[family_i] + 1) * sizeof(*kept));
    for (uint32_t i = 0; kept != NULL && i < c->n_ready[family_i]; i++) {
        const struct pin_ready *ready = &c->ready[family_i][i];
        const char *own = pin_slice_zone(&ready->slice->as.slice, ready->row);
        if (names_zone(by_hints ? hints_of(ready) : own, zone)) {
            kept[n++] = *ready;
        }
    }
    c->ready[family_i] = kept;
    c->n_ready[family_i] = n;
    return kept != NULL;
}

/* Narrows one family of all copies, or leaves it when nobody has an endpoint in the zone. */
static uint32_t narrow_family(struct pin_arena *arena, struct pin_contribution *copies,
    const struct pin_contribution *const *parts, size_t n_parts, enum pin_family_i family_i,
    const char *zone)
{
    uint32_t n = 0;
    bool is_ok = true;
    for (size_t i = 0; i < n_parts && is_ok; i++) {
        if (parts[i] != NULL) {
            struct pin_contribution narrowed = *parts[i];
            is_ok = keep_zone(arena, &narrowed, family_i, zone);
            copies[i].ready[family_i] = narrowed.ready[family_i];
            copies[i].n_ready[family_i] = narrowed.n_ready[family_i];
            n += narrowed.n_ready[family_i];
        }
    }
    for (size_t i = 0; i < n_parts && (n == 0 || !is_ok); i++) {
        if (parts[i] != NULL) {
            copies[i].ready[family_i] = parts[i]->ready[family_i];
            copies[i].n_ready[family_i] = parts[i]->n_ready[family_i];
        }
    }
    return is_ok ? n : 0;
}

const struct pin_contribution *pin_zone_narrow(struct pin_arena *arena,
    const struct pin_contribution *const *parts, size_t n_parts, const char *zone)
{
    struct pin_contribution *copies = pin_arena_alloc(arena, (n_parts + 1) * sizeof(*copies));
    struct pin_contribution_slots *slots = pin_arena_alloc(arena, (n_parts + 1) * sizeof(*slots));
    uint32_t n = 0;
    if (copies == NULL || slots == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i] != NULL) {
            copies[i] = *parts[i];
            copies[i].slots = &slots[i]; /* by position among fewer endpoints */
        }
    }
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        n += narrow_family(arena, copies, parts, n_parts, f, zone);
    }
    return n > 0 ? copies : NULL;
}
