/* SPDX-License-Identifier: Apache-2.0 */

/* A catalog with other settings takes over what another one knows. */

#include "pintle/zones/inherit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/zones/edition.h"
#include "pintle/zones/pack.h"

#include "zones/drains.h"
#include "zones/edition.h"
#include "zones/networks.h"
#include "zones/objects.h"
#include "zones/pods.h"
#include "zones/policy.h"
#include "zones/units.h"

/* The heir, and what it takes over now. */
struct inheriting {
    struct pin_catalog *heir;
    struct pin_text packed;
    uint16_t cluster_id; /* in the heir */
    size_t n_lost;
};

/* Shares what control and workers follow by number: verdicts and counts stay whose they are. */
static void share(struct pin_catalog *heir, const struct pin_catalog *old)
{
    pin_health_free(heir->live.health);
    pin_policy_labels_free(heir->live.policies);
    heir->live.health = old->live.health;
    heir->live.policies = old->live.policies;
    pin_index_share_tally(heir->live.index, old->live.index);
    heir->live.verdicts = pin_health_words(heir->live.health);
    heir->stamp = old->stamp; /* who holds a verdict is told by the run that took it */
}

/* A copy, or NULL. */
static struct pin_object *copy_object(struct inheriting *in, const struct pin_object *object)
{
    struct pin_object *copy = NULL;
    pin_text_cut(&in->packed, 0);
    if (pin_object_pack(object, &in->packed) != PIN_OK) {
        pin_text_done(&in->packed);
        return NULL;
    }
    return pin_object_unpack(in->packed.ptr, in->packed.len, &copy, NULL) == PIN_OK ? copy : NULL;
}

static void take_object(void *arg, uint16_t cluster_id, const struct pin_object *object)
{
    struct inheriting *in = arg;
    struct pin_object *copy = copy_object(in, object);
    struct pin_delta *delta = copy != NULL ? pin_delta_upsert(in->cluster_id, copy) : NULL;
    (void)cluster_id;
    if (delta == NULL) {
        in->n_lost++;
        return;
    }
    pin_catalog_apply(in->heir, delta);
    const struct pin_cluster_state *cluster = &in->heir->clusters[in->cluster_id];
    struct pin_object *taken =
        pin_objects_find(&cluster->objects[object->kind], object->namespace_name, object->name);
    if (taken != NULL) {
        taken->list_round = object->list_round; /* a list may be under way */
    }
}

/* Everything but the maps: where lists stand, and whether it can be reached. */
static void take_state(struct pin_cluster_state *mine, const struct pin_cluster_state *theirs)
{
    struct pin_cluster_state state = *theirs;
    memcpy(state.objects, mine->objects, sizeof(state.objects));
    state.pods = mine->pods;
    *mine = state;
}

static void take_cluster(struct inheriting *in, const struct pin_catalog *old, uint16_t old_id)
{
    struct pin_catalog *heir = in->heir;
    struct pin_cluster_state *mine = &heir->clusters[in->cluster_id];
    const struct pin_cluster_state *theirs = &old->clusters[old_id];
    for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_catalog_walk(old, old_id, (enum pin_kind)kind, take_object, in);
    }
    pin_pods_inherit(heir, in->cluster_id, old, old_id);
    bool has_lost = mine->has_lost;
    take_state(mine, theirs);
    mine->has_lost = mine->has_lost || has_lost || in->n_lost > 0;
    if (theirs->synced_turn != 0) {
        mine->synced_turn = ++heir->writes.turn;
    }
    if (old->writes.writable != NULL && old->writes.writable[old_id]) {
        pin_catalog_set_writable(heir, in->cluster_id, true);
    }
}

/* A drain that names a cluster which is gone is gone with it. */
static void take_drain(struct pin_catalog *heir, const struct pin_drain *drain)
{
    struct pin_why why = {0};
    const struct pin_drain_order order = {.what = drain->what,
        .name = drain->name,
        .until_ms = drain->until_ms,
        .until_wall_ms = drain->until_wall_ms,
        .is_unchecked = true};
    if (pin_catalog_drain(heir, &order, &why) != PIN_OK) {
        pin_log_warn("catalog: %s %s is not drained any more: %s", pin_drain_what_text(drain->what),
            drain->name, why.text);
    }
}

static void take_drains(struct pin_catalog *heir, const struct pin_catalog *old)
{
    for (size_t i = 0; i < old->drains.n; i++) {
        take_drain(heir, &old->drains.items[i]);
    }
}

/* A side that was left comes back a step above its threshold: also behind a change. */
static void take_left(struct pin_catalog *heir, const struct pin_catalog *old)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&old->services, &cursor, NULL, NULL, &value)) {
        const struct pin_service_unit *theirs = value;
        struct pin_service_unit *mine =
            theirs->n_left > 0 ? pin_unit_find_service(heir, theirs->namespace_name, theirs->name)
                               : NULL;
        uint64_t *left = mine != NULL ? malloc(theirs->n_left * sizeof(*left)) : NULL;
        if (left != NULL) { /* without memory it is taken for not left */
            memcpy(left, theirs->left, theirs->n_left * sizeof(*left));
            mine->left = left;
            mine->n_left = theirs->n_left;
        }
    }
}

/* Zones of files go on where they were, unless their file says otherwise. */
static void take_floors(struct pin_catalog *heir, const struct pin_catalog *old)
{
    const struct pin_zone *zone = NULL;
    for (size_t i = 0; (zone = pin_index_zone_at(old->live.index, i)) != NULL; i++) {
        if (zone->is_static) { /* one that is no file's any more has none */
            (void)pin_catalog_set_floor(heir, &zone->apex, atomic_load(&zone->serial));
        }
    }
}

/* A name that was denied may be denied: clusters that are new do not make us forget the others. */
static void take_readiness(struct pin_catalog *heir, const struct pin_catalog *old)
{
    heir->has_grace_start = old->has_grace_start;
    heir->grace_start_ms = old->grace_start_ms;
    heir->is_grace_over = old->is_grace_over || old->live.scene->is_ready;
    heir->held_stamp = old->held_stamp + 1;
    heir->counts.generation = old->counts.generation;
    heir->is_stale_dirty = true;
    heir->is_scene_dirty = true;
}

void pin_catalog_inherit(
    struct pin_catalog *heir, const struct pin_catalog *old, const uint16_t *ids)
{
    struct inheriting in = {.heir = heir};
    share(heir, old);
    for (size_t i = 0; i < old->settings->n_clusters; i++) {
        if (ids[i] != PIN_CLUSTER_NONE) {
            in.cluster_id = ids[i];
            take_cluster(&in, old, (uint16_t)i);
        }
    }
    pin_text_done(&in.packed);
    if (in.n_lost > 0) {
        pin_log_error(
            "catalog: out of memory, %zu objects are lost until they are listed again", in.n_lost);
    }
    pin_networks_inherit(heir, old);
    take_drains(heir, old);
    take_floors(heir, old);
    take_left(heir, old);
    take_readiness(heir, old);
}

uint32_t pin_catalog_next_serial(const struct pin_catalog *catalog)
{
    uint32_t latest = 0;
    bool is_first = true;
    const struct pin_zone *zone = NULL;
    for (size_t i = 0; (zone = pin_index_zone_at(catalog->live.index, i)) != NULL; i++) {
        uint32_t serial = atomic_load(&zone->serial);
        if (!zone->is_static && (is_first || pin_serial_is_after(serial, latest))) {
            latest = serial;
            is_first = false;
        }
    }
    return latest + 1;
}

static void release_holds(struct pin_catalog *catalog)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        struct pin_service_unit *unit = value;
        pin_holds_release(catalog->live.health, &unit->holds);
    }
    cursor = 0;
    while (pin_map_next(&catalog->routes, &cursor, NULL, NULL, &value)) {
        struct pin_route_unit *route = value;
        pin_holds_release(catalog->live.health, &route->holds);
    }
    pin_health_flush(catalog->live.health);
}

void pin_catalog_release(struct pin_catalog *old, struct pin_catalog *heir)
{
    struct pin_editions **last = &heir->left;
    release_holds(old);
    while (*last != NULL) {
        last = &(*last)->next_left;
    }
    *last = old->left;
    old->left = NULL;
    pin_editions_leave(old->live.index, &heir->left);
    old->live.health = NULL;
    old->live.policies = NULL;
}
