/* SPDX-License-Identifier: Apache-2.0 */

/* The catalog: takes deltas into the clusters' maps and marks units; catalog_publish.c shows what
 * is dirty. */

#include "pintle/zones/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/buf.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "zones/apex.h"
#include "zones/changes.h"
#include "zones/claims_catalog.h"
#include "zones/drains.h"
#include "zones/exports.h"
#include "zones/lists.h"
#include "zones/networks.h"
#include "zones/objects.h"
#include "zones/pods.h"
#include "zones/policy.h"
#include "zones/scene.h"
#include "zones/tables.h"
#include "zones/units.h"
#include "zones/views.h"
#include "zones/waits.h"
#include "zones/watchers.h"
#include "zones/writes.h"

#define SCRATCH_MAX_BYTES ((size_t)1 << 30)
#define DNS_VERSION_TTL_S 28800u
/* KEP-1645's schema and the Kubernetes DNS specification's. */
#define CLUSTER_SET_VERSION "1.0.0"
#define CLUSTER_VERSION     "1.1.0"

/* --- zones
 * ---------------------------------------------------------------------------------------- */

/* Puts "dns-version" with the version of the schema that the zone follows. */
static bool put_version(struct pin_catalog *catalog, struct pin_zone *zone, const char *version)
{
    uint8_t rr[12 + 1 + UINT8_MAX];
    uint8_t bytes = (uint8_t)strnlen(version, UINT8_MAX);
    struct pin_name name;
    struct pin_buf w = pin_buf_init(rr, sizeof(rr));
    pin_buf_put_u16(&w, PIN_OWNER_POINTER);
    pin_buf_put_u16(&w, PIN_TYPE_TXT);
    pin_buf_put_u16(&w, PIN_CLASS_IN);
    pin_buf_put_u32(&w, DNS_VERSION_TTL_S);
    pin_buf_put_u16(&w, (uint16_t)(bytes + 1));
    pin_buf_put_u8(&w, bytes);
    pin_buf_put_bytes(&w, version, bytes);
    struct pin_table *table = pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_FIXED, .n_rr = 1, .wire = rr, .wire_bytes = (uint32_t)pin_buf_used(&w)});
    struct pin_rrset rrset = {.type = PIN_TYPE_TXT, .base = table};
    bool is_ok = table != NULL && pin_apex_name("dns-version", &zone->apex, &name)
                 && pin_index_put(catalog->live.index, zone, &name, &rrset, 1) == PIN_OK;
    pin_table_unref(table);
    return is_ok;
}

/* The names every zone of services has: "svc" and "pod", which exist without data, and its version.
 */
static enum pin_err put_fixed_names(
    struct pin_catalog *catalog, struct pin_zone *zone, const char *version, struct pin_why *why)
{
    struct pin_name svc;
    struct pin_name pod;
    bool is_ok = pin_apex_name("svc", &zone->apex, &svc)
                 && pin_index_put(catalog->live.index, zone, &svc, NULL, 0) == PIN_OK
                 && pin_apex_name("pod", &zone->apex, &pod)
                 && pin_index_put(catalog->live.index, zone, &pod, NULL, 0) == PIN_OK
                 && put_version(catalog, zone, version);
    return is_ok ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "a zone's own names");
}

/* Has names below "pod" answered from the addresses of endpoints. */
static enum pin_err flag_pods(
    struct pin_catalog *catalog, const struct pin_zone *zone, struct pin_why *why)
{
    struct pin_name pod;
    bool is_ok =
        pin_apex_name("pod", &zone->apex, &pod)
        && pin_index_flag(catalog->live.index, pod.wire, pod.bytes, PIN_NODE_HAS_PODS, true)
               == PIN_OK;
    return is_ok ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "a zone's own names");
}

/* "cluster.local" and, below it, one zone per cluster (Kubernetes DNS specification, 2.1). */
static enum pin_err add_cluster_zones(
    struct pin_catalog *catalog, uint32_t serial, struct pin_why *why)
{
    const struct pin_settings *settings = catalog->settings;
    const char *version =
        settings->version_cluster != NULL ? settings->version_cluster : CLUSTER_VERSION;
    enum pin_err err =
        pin_apex_add_zone(catalog, settings->zone_cluster, serial, &catalog->zone_own, why);
    if (err == PIN_OK) {
        err = put_fixed_names(catalog, catalog->zone_own, version, why);
    }
    for (size_t i = 0; err == PIN_OK && i < settings->n_clusters; i++) {
        char text[PIN_NAME_TEXT_MAX];
        (void)snprintf(
            text, sizeof(text), "%s.%s", settings->clusters[i].name, settings->zone_cluster);
        err = pin_apex_add_zone(catalog, text, serial, &catalog->zone_of_cluster[i], why);
        if (err == PIN_OK) {
            err = put_fixed_names(catalog, catalog->zone_of_cluster[i], version, why);
            catalog->zone_of_cluster[i]->cluster_id = (uint16_t)i;
        }
        if (err == PIN_OK) {
            err = flag_pods(catalog, catalog->zone_of_cluster[i], why);
        }
    }
    if (err == PIN_OK) {
        catalog->zone_own->zone_of_cluster = catalog->zone_of_cluster;
        err = flag_pods(catalog, catalog->zone_own, why);
    }
    return err;
}

/* A zone that a file will fill. Where it is a custom zone too, or within one, routes have names in
 * it beside the file's. */
static enum pin_err add_static_zone(
    struct pin_catalog *catalog, const char *text, uint32_t serial, struct pin_why *why)
{
    struct pin_name apex;
    if (pin_name_parse(text, &apex) != PIN_OK) {
        return pin_why_set(why, PIN_EPARSE, "zone \"%s\" is no domain name", text);
    }
    struct pin_zone *around = pin_index_zone(catalog->live.index, &apex);
    bool is_custom = around != NULL && around->is_custom;
    if (is_custom && around->apex.bytes == apex.bytes) {
        return pin_static_add(catalog, around, why);
    }
    struct pin_zone *zone = NULL;
    enum pin_err err = pin_apex_add_zone(catalog, text, serial, &zone, why);
    if (err == PIN_OK && zone != NULL) {
        zone->is_custom = is_custom;
        zone->is_synced_from_clusters = is_custom;
        err = pin_static_add(catalog, zone, why);
    }
    return err;
}

static enum pin_err add_zones(struct pin_catalog *catalog, uint32_t serial, struct pin_why *why)
{
    const struct pin_settings *settings = catalog->settings;
    enum pin_err err = pin_apex_add_zone(
        catalog, settings->zone_cluster_set, serial, &catalog->zone_cluster_set, why);
    if (err == PIN_OK) {
        const char *version = settings->version_cluster_set;
        err = put_fixed_names(catalog, catalog->zone_cluster_set,
            version != NULL ? version : CLUSTER_SET_VERSION, why);
    }
    if (err == PIN_OK) {
        err = pin_apex_add_zone(
            catalog, settings->zone_assigned, serial, &catalog->zone_assigned, why);
    }
    if (err == PIN_OK) {
        (void)pin_apex_name("svc", &catalog->zone_cluster_set->apex, &catalog->svc_cluster_set);
        err = add_cluster_zones(catalog, serial, why);
    }
    for (size_t i = 0; err == PIN_OK && i < settings->n_zones_custom; i++) {
        struct pin_zone *zone = NULL;
        err = pin_apex_add_zone(catalog, settings->zones_custom[i], serial, &zone, why);
        if (err == PIN_OK && zone != NULL) {
            zone->is_custom = true;
        }
    }
    for (size_t i = 0; err == PIN_OK && i < settings->n_zones_static; i++) {
        err = add_static_zone(catalog, settings->zones_static[i], serial, why);
    }
    if (err == PIN_OK && pin_index_join_zones(catalog->live.index) != PIN_OK) {
        err = pin_why_set(why, PIN_ENOMEM, "the names between zones");
    }
    if (err == PIN_OK) {
        err = pin_serials_init(catalog, why);
    }
    if (err == PIN_OK) { /* transfers have them: noted as all that is put from here on */
        err = pin_apex_put_addresses(catalog, why);
    }
    return err;
}

/* --- life
 * ----------------------------------------------------------------------------------------- */

enum pin_err pin_catalog_new(const struct pin_settings *settings, uint32_t serial,
    struct pin_catalog **ret_catalog, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    struct pin_catalog *catalog = calloc(1, sizeof(*catalog));
    if (catalog == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "catalog");
    }
    catalog->settings = settings;
    catalog->next_stale_ms = UINT64_MAX;
    catalog->live.wishes = &catalog->wishes;
    catalog->clusters = calloc(settings->n_clusters + 1, sizeof(*catalog->clusters));
    catalog->zone_of_cluster = calloc(settings->n_clusters + 1, sizeof(*catalog->zone_of_cluster));
    catalog->scratch = pin_arena_new("compile", SCRATCH_MAX_BYTES);
    catalog->live.index = pin_index_new();
    catalog->live.health = pin_health_new();
    catalog->live.pods = pin_pods_new();
    catalog->live.policies = pin_policy_labels_new();
    catalog->live.reverse = pin_reverse_new(settings, serial);
    if (catalog->clusters == NULL || catalog->zone_of_cluster == NULL || catalog->scratch == NULL
        || catalog->live.index == NULL || catalog->live.health == NULL || catalog->live.pods == NULL
        || catalog->live.policies == NULL || catalog->live.reverse == NULL
        || !pin_networks_init(catalog) || !pin_writes_init(catalog)) {
        err = pin_why_set(why, PIN_ENOMEM, "catalog");
        goto out;
    }
    catalog->live.verdicts = pin_health_words(catalog->live.health);
    if (!pin_views_init(catalog)
        || (settings->n_geo_rules > 0 && !pin_scene_set_places(catalog, NULL, 0))) {
        err = pin_why_set(why, PIN_ENOMEM, "views");
        goto out;
    }
    catalog->live.scene = pin_scene_make(catalog);
    if (catalog->live.scene == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "scene");
        goto out;
    }
    err = add_zones(catalog, serial, why);
    catalog->live.reverse->cluster_set = catalog->zone_cluster_set;
    catalog->live.reverse->own = catalog->zone_own;
    catalog->live.reverse->zone_of_cluster = catalog->zone_of_cluster;
out:
    if (err != PIN_OK) {
        pin_catalog_free(catalog);
        return err;
    }
    *ret_catalog = catalog;
    return PIN_OK;
}

static void free_object(void *value)
{
    pin_object_free(value);
}

void pin_catalog_free(struct pin_catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    pin_unit_free_all(catalog);
    pin_static_free_all(catalog);
    for (size_t i = 0; catalog->clusters != NULL && i < catalog->settings->n_clusters; i++) {
        for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
            pin_map_done(&catalog->clusters[i].objects[kind], free_object);
        }
        pin_map_done(&catalog->clusters[i].pods, free);
    }
    pin_networks_done(catalog);
    pin_drains_done(&catalog->drains);
    pin_changes_free(catalog->changes);
    pin_writes_done(catalog);
    pin_claimed_done(catalog);
    free(catalog->clusters);
    free(catalog->zone_of_cluster);
    pin_arena_free(catalog->scratch);
    for (size_t i = 0; i < N_ELEMS(catalog->shared); i++) {
        pin_table_unref(catalog->shared[i]);
    }
    pin_index_free(catalog->live.index);
    pin_health_free(catalog->live.health);
    pin_reverse_free(catalog->live.reverse);
    pin_scene_free(catalog->live.scene);
    pin_pods_free(catalog->live.pods);
    pin_policy_labels_free(catalog->live.policies);
    pin_scene_free_places(catalog);
    pin_views_done(catalog);
    free(catalog);
}

const struct pin_live *pin_catalog_live(const struct pin_catalog *catalog)
{
    return &catalog->live;
}

const struct pin_settings *pin_catalog_settings(const struct pin_catalog *catalog)
{
    return catalog->settings;
}

/* --- deltas ---------------------------------------------------------------------------------- */

/* "namespace/name" into `key`; 0 when it does not fit (no Kubernetes name is that long). */
static size_t object_path(const char *namespace_name, const char *name, char key[512])
{
    int n = snprintf(key, 512, "%s/%s", namespace_name, name);
    return n < 0 || n >= 512 ? 0 : (size_t)n;
}

const struct pin_object *pin_catalog_find(const struct pin_catalog *catalog, uint16_t cluster_id,
    enum pin_kind kind, const char *namespace_name, const char *name)
{
    return pin_objects_find(&catalog->clusters[cluster_id].objects[kind], namespace_name, name);
}

/* Ports of slices are looked for among those of Services, for each name and endpoint. */
static void limit_ports(
    const struct pin_catalog *catalog, uint16_t cluster_id, struct pin_object *object)
{
    size_t *n_ports = object->kind == PIN_KIND_SERVICE          ? &object->as.service.n_ports
                      : object->kind == PIN_KIND_ENDPOINT_SLICE ? &object->as.slice.n_ports
                      : object->kind == PIN_KIND_SERVICE_IMPORT ? &object->as.import.n_ports
                                                                : NULL;
    if (n_ports == NULL || *n_ports <= PIN_PORTS_MAX) {
        return;
    }
    pin_log_warn("catalog: %s %s/%s of cluster %s has %zu ports, the first %u have SRV records",
        pin_kind_text(object->kind), object->namespace_name, object->name,
        catalog->settings->clusters[cluster_id].name, *n_ports, PIN_PORTS_MAX);
    *n_ports = PIN_PORTS_MAX;
}

static void upsert(struct pin_catalog *catalog, uint16_t cluster_id, struct pin_object *object)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    char key[512];
    struct pin_object *old = NULL;
    object = pin_exports_trim(catalog->settings, object);
    limit_ports(catalog, cluster_id, object);
    size_t bytes = object_path(object->namespace_name, object->name, key);
    if (bytes > 0 && pin_list_refuses(catalog, cluster_id, object->kind, key, bytes)) {
        pin_object_free(object);
        return;
    }
    if (object->kind == PIN_KIND_POD && bytes > 0) {
        pin_watchers_put(catalog, cluster_id, object, NULL);
        pin_pods_upsert(catalog, cluster_id, object, key, bytes);
        pin_object_free(object);
        return;
    }
    if (bytes == 0 || !pin_objects_put(&cluster->objects[object->kind], object, &old)) {
        pin_log_error("catalog: %s %s/%s of cluster %s could not be kept (%s)",
            pin_kind_text(object->kind), object->namespace_name, object->name,
            catalog->settings->clusters[cluster_id].name,
            bytes == 0 ? "its name is too long" : "out of memory");
        cluster->has_lost = true;
        pin_changes_note_state(catalog);
        pin_object_free(object);
        return;
    }
    object->list_round = cluster->lists[object->kind].round;
    pin_watchers_put(catalog, cluster_id, object, old);
    pin_networks_note(catalog, cluster_id, object);
    if (object->kind == PIN_KIND_IAM_AUTH_POLICY || object->kind == PIN_KIND_RESOLVE_POLICY) {
        object->as.policy.slot = pin_policy_slot(
            catalog->live.policies, catalog->settings->clusters[cluster_id].name, object);
    }
    catalog->is_stale_dirty = catalog->is_stale_dirty || cluster->is_out;
    pin_unit_attach(catalog, cluster_id, object, old);
    if (old != NULL && object->kind == PIN_KIND_ENDPOINT_SLICE) {
        pin_changes_note(catalog, cluster_id, old);
        pin_unit_detach(catalog, cluster_id, old); /* it may have belonged to another Service */
    }
    pin_changes_note(catalog, cluster_id, object);
    pin_claimed_note(catalog, object, old);
    pin_object_free(old);
}

void pin_catalog_remove_object(struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *key, size_t bytes)
{
    if (kind == PIN_KIND_POD) {
        pin_watchers_gone(catalog, cluster_id, kind, key, bytes);
        pin_pods_remove(catalog, cluster_id, key, bytes);
        return;
    }
    struct pin_object *object =
        pin_objects_take(&catalog->clusters[cluster_id].objects[kind], key, bytes);
    if (object != NULL) {
        pin_watchers_gone(catalog, cluster_id, kind, key, bytes);
        pin_writes_note_gone(catalog, object);
        pin_networks_note(catalog, cluster_id, object);
        pin_changes_note(catalog, cluster_id, object);
        pin_claimed_note(catalog, object, NULL);
        pin_unit_detach(catalog, cluster_id, object);
        pin_object_free(object);
    }
}

static void mark_cluster(struct pin_catalog *catalog, uint16_t cluster_id, enum pin_delta_op op)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    catalog->is_stale_dirty = true;
    pin_changes_note_state(catalog);
    pin_claimed_mark(catalog);
    if (op == PIN_DELTA_RESTORED) {
        catalog->is_scene_dirty = true;
        catalog->is_catching_up = true;
        cluster->is_restored = !cluster->is_synced;
        return;
    }
    if (op == PIN_DELTA_SYNCED) {
        catalog->is_scene_dirty = catalog->is_scene_dirty || !cluster->is_synced;
        cluster->is_fresh =
            !cluster->is_restored && cluster->lists[PIN_KIND_SERVICE_EXPORT].is_unproven;
        cluster->is_synced = true;
        cluster->synced_turn = ++catalog->writes.turn;
        cluster->is_restored = false;
        pin_waits_end(catalog, cluster_id);
        pin_writes_note_all(catalog);
        return;
    }
    bool is_up = op == PIN_DELTA_UP;
    catalog->is_scene_dirty = catalog->is_scene_dirty || cluster->is_up != is_up;
    cluster->is_up = is_up;
}

void pin_catalog_apply(struct pin_catalog *catalog, struct pin_delta *delta)
{
    uint16_t cluster_id = delta->cluster_id;
    char key[512];
    catalog->is_filling = pin_waits_is_filling(catalog, delta);
    switch (delta->op) {
    case PIN_DELTA_UPSERT:
        upsert(catalog, cluster_id, delta->object);
        delta->object = NULL;
        break;
    case PIN_DELTA_DELETE:
        pin_catalog_remove_object(catalog, cluster_id, delta->kind, key,
            object_path(delta->namespace_name, delta->name, key));
        break;
    case PIN_DELTA_LIST_BEGIN:
        pin_list_begin(catalog, delta);
        pin_watchers_mark(catalog, cluster_id, delta->op, delta->kind);
        break;
    case PIN_DELTA_LIST_END:
        pin_list_end(catalog, delta);
        pin_watchers_mark(catalog, cluster_id, delta->op, delta->kind);
        break;
    case PIN_DELTA_UP:
    case PIN_DELTA_DOWN:
    case PIN_DELTA_SYNCED:
    case PIN_DELTA_RESTORED:
        mark_cluster(catalog, cluster_id, delta->op);
        pin_watchers_mark(catalog, cluster_id, delta->op, delta->kind);
        break;
    case PIN_DELTA_KEEP:
        pin_list_keep(catalog, delta, key, object_path(delta->namespace_name, delta->name, key));
        break;
    case PIN_DELTA_LOOKUP:
        pin_networks_apply(catalog, delta->lookup);
        break;
    }
    catalog->is_filling = false;
    pin_delta_free(delta);
}

/* --- what others ask
 * -------------------------------------------------------------------------------- */

bool pin_catalog_wants_pods(const struct pin_catalog *catalog)
{
    return catalog->n_namespace_policies > 0;
}

struct pin_cluster_status pin_catalog_cluster(
    const struct pin_catalog *catalog, uint16_t cluster_id)
{
    const struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    const struct pin_cluster_settings *settings = &catalog->settings->clusters[cluster_id];
    struct pin_cluster_status status = {
        .name = settings->name,
        .network = catalog->settings->networks[settings->network].name,
        .is_up = cluster->is_up,
        .is_synced = cluster->is_synced,
        .is_restored = cluster->is_restored,
        .is_drained = pin_drains_cluster(&catalog->drains, cluster_id) != NULL,
        .stale_since_ms = cluster->is_out ? cluster->out_since_ms : 0,
        .held_kinds = pin_catalog_held(catalog, cluster_id),
        .over_kinds = pin_catalog_over(catalog, cluster_id),
    };
    for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
        status.n_objects[kind] = (uint32_t)pin_map_count(&cluster->objects[kind]);
    }
    status.n_objects[PIN_KIND_POD] = (uint32_t)pin_map_count(&cluster->pods);
    return status;
}

struct pin_catalog_counts pin_catalog_counts(const struct pin_catalog *catalog)
{
    struct pin_catalog_counts counts = catalog->counts;
    counts.n_drains = catalog->drains.n;
    counts.has_writes = catalog->writes.n_writable > 0;
    counts.n_wanted = catalog->writes.n_wanted;
    counts.n_differing = catalog->writes.n_differing;
    return counts;
}

static void name_json(
    const struct pin_catalog *catalog, const struct pin_route_unit *route, struct pin_jsonout *out)
{
    char text[PIN_NAME_TEXT_MAX];
    pin_name_format(route->assigned.wire, text);
    text[strlen(text) - 1] = '\0'; /* without the trailing dot: a name to paste anywhere */
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "cluster", catalog->settings->clusters[route->cluster_id].name);
    pin_jsonout_key_string(out, "kind", pin_kind_text(route->object->kind));
    pin_jsonout_key_string(out, "namespace", route->object->namespace_name);
    pin_jsonout_key_string(out, "name", route->object->name);
    pin_jsonout_key_string(out, "assignedName", text);
    pin_jsonout_key(out, "hostnames");
    pin_jsonout_array(out);
    for (size_t i = 0; i < route->object->as.route.n_hostnames; i++) {
        pin_jsonout_string(out, route->object->as.route.hostnames[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

void pin_catalog_names_json(const struct pin_catalog *catalog, struct pin_jsonout *out)
{
    size_t cursor = 0;
    void *value = NULL;
    pin_jsonout_array(out);
    while (pin_map_next(&catalog->routes, &cursor, NULL, NULL, &value)) {
        const struct pin_route_unit *route = value;
        if (!route->is_gone) {
            name_json(catalog, route, out);
        }
    }
    pin_jsonout_end(out);
}
