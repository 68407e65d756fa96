/* SPDX-License-Identifier: Apache-2.0 */

/* Who asks: address ranges of all clusters as one longest-prefix match, and how the clusters stand.
 */

#include "zones/scene.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "zones/views.h"

/* Conflicts told by name; what is wrong with a whole plan of addresses shows in a few. */
#define CONFLICTS_MAX 8

/* Ranges while they are collected. */
struct ranges {
    struct pin_lpm_entry *entries;
    size_t n;
    size_t cap;
    bool failed;
    struct conflict {
        size_t entry_i;
        uint32_t cluster[2];
    } conflicts[CONFLICTS_MAX]; /* the first few, to be told */
    size_t n_conflicts;
    uint64_t fingerprint; /* of all conflicts; 0 = none */
};

static void add_range(struct ranges *ranges, const struct pin_prefix *prefix, uint32_t value)
{
    if (ranges->n == ranges->cap) {
        size_t cap = ranges->cap == 0 ? 64 : 2 * ranges->cap;
        struct pin_lpm_entry *grown = realloc(ranges->entries, cap * sizeof(*grown));
        if (grown == NULL) {
            ranges->failed = true;
            return;
        }
        ranges->entries = grown;
        ranges->cap = cap;
    }
    ranges->entries[ranges->n++] = (struct pin_lpm_entry){.prefix = *prefix, .value = value};
}

static void add_node(struct ranges *ranges, const struct pin_node_body *node, uint16_t view_id)
{
    for (size_t i = 0; i < node->n_pod_ranges; i++) {
        add_range(ranges, &node->pod_ranges[i], view_id);
    }
    for (size_t i = 0; i < node->n_addresses; i++) {
        struct pin_prefix one = pin_prefix_of(&node->addresses[i], 128);
        if (!pin_ip_is_loopback(&node->addresses[i])) { /* everybody's own: it tells nothing */
            add_range(ranges, &one, view_id);
        }
    }
}

static void add_cluster(struct pin_catalog *catalog, uint16_t cluster_id, struct ranges *ranges)
{
    const struct pin_cluster_settings *settings = &catalog->settings->clusters[cluster_id];
    for (size_t i = 0; i < settings->n_clients; i++) {
        const char *zone = settings->client_zones != NULL ? settings->client_zones[i] : NULL;
        add_range(ranges, &settings->clients[i], pin_views_zone(catalog, cluster_id, zone));
    }
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(
        &catalog->clusters[cluster_id].objects[PIN_KIND_NODE], &cursor, NULL, NULL, &value)) {
        const struct pin_object *node = value;
        add_node(ranges, &node->as.node, pin_views_zone(catalog, cluster_id, node->as.node.zone));
    }
}

/* Wider prefixes first, so that those around a prefix come right before it. */
static int compare_entry(const void *a, const void *b)
{
    const struct pin_lpm_entry *x = a;
    const struct pin_lpm_entry *y = b;
    int order = pin_ip_cmp(&x->prefix.ip, &y->prefix.ip);
    if (order != 0) {
        return order;
    }
    if (x->prefix.bits != y->prefix.bits) {
        return x->prefix.bits < y->prefix.bits ? -1 : 1;
    }
    return (x->value > y->value) - (x->value < y->value);
}

/* Remembers that a range belongs to two clusters. */
static void note_conflict(struct ranges *ranges, size_t entry_i, uint32_t one, uint32_t other)
{
    struct pin_lpm_entry entry;
    memset(&entry, 0, sizeof(entry)); /* padding, too: it is hashed */
    entry.prefix.ip = ranges->entries[entry_i].prefix.ip;
    entry.prefix.bits = ranges->entries[entry_i].prefix.bits;
    entry.value = one * (PIN_CLUSTERS_MAX + 1) + other;
    ranges->fingerprint = ranges->fingerprint * 31 + (pin_hash64(&entry, sizeof(entry)) | 1u);
    if (ranges->n_conflicts < CONFLICTS_MAX) {
        ranges->conflicts[ranges->n_conflicts++] =
            (struct conflict){.entry_i = entry_i, .cluster = {one, other}};
    }
}

/* Tells the conflicts once, and again when they are others. */
static void report_conflicts(struct pin_catalog *catalog, const struct ranges *ranges)
{
    if (ranges->fingerprint == catalog->conflicts_reported) {
        return;
    }
    catalog->conflicts_reported = ranges->fingerprint;
    for (size_t i = 0; i < ranges->n_conflicts; i++) {
        const struct conflict *conflict = &ranges->conflicts[i];
        char text[PIN_PREFIX_TEXT_MAX];
        pin_prefix_format(&ranges->entries[conflict->entry_i].prefix, text);
        pin_log_warn("views: %s lies in the ranges of clusters %s and %s: askers from there are "
                     "unknown; give those clusters a listener each, or ranges that differ",
            text, catalog->settings->clusters[conflict->cluster[0]].name,
            catalog->settings->clusters[conflict->cluster[1]].name);
    }
}

/*
 * An address in the ranges of two clusters is nobody's. The longest prefix decides about an
 * address, and all prefixes that hold the address hold that prefix, too: so it is enough to look at
 * each prefix and those around it, which the sort has put on a stack.
 */
static void mark_conflicts(const struct pin_catalog *catalog, struct ranges *ranges)
{
    const uint32_t nobody = PIN_CLUSTER_NONE;
    size_t stack[130];
    uint32_t owner[130]; /* clusters */
    size_t depth = 0;
    for (size_t i = 0; i < ranges->n; i++) {
        struct pin_lpm_entry *entry = &ranges->entries[i];
        uint32_t cluster = catalog->views[entry->value].cluster_id;
        while (depth > 0
               && !pin_prefix_has(&ranges->entries[stack[depth - 1]].prefix, &entry->prefix.ip)) {
            depth--;
        }
        uint32_t around = depth > 0 ? owner[depth - 1] : cluster;
        if (around != cluster) {
            if (around != nobody) {
                note_conflict(ranges, i, around, cluster);
            }
            entry->value = (uint32_t)catalog->n_views;
            cluster = nobody;
        }
        bool is_same =
            depth > 0 && ranges->entries[stack[depth - 1]].prefix.bits == entry->prefix.bits;
        depth -= is_same;
        stack[depth] = i;
        owner[depth++] = cluster;
    }
}

/* The ranges of all clusters, sorted, those of two clusters marked. */
static struct ranges collect_ranges(struct pin_catalog *catalog)
{
    struct ranges ranges = {0};
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        add_cluster(catalog, (uint16_t)i, &ranges);
    }
    if (ranges.n > 0) {
        qsort(ranges.entries, ranges.n, sizeof(*ranges.entries), compare_entry);
        mark_conflicts(catalog, &ranges);
    }
    return ranges;
}

void pin_scene_each_overlap(struct pin_catalog *catalog, pin_scene_overlap_fn *visit, void *arg)
{
    struct ranges ranges = collect_ranges(catalog);
    for (size_t i = 0; i < ranges.n_conflicts; i++) {
        const struct conflict *conflict = &ranges.conflicts[i];
        visit(arg, &ranges.entries[conflict->entry_i].prefix, (uint16_t)conflict->cluster[0],
            (uint16_t)conflict->cluster[1]);
    }
    free(ranges.entries);
}

static struct pin_lpm *make_ranges(struct pin_catalog *catalog, bool *ret_ok)
{
    struct ranges ranges = collect_ranges(catalog);
    report_conflicts(catalog, &ranges);
    struct pin_lpm *lpm = ranges.n > 0 ? pin_lpm_new(ranges.entries, ranges.n) : NULL;
    *ret_ok = !ranges.failed && (ranges.n == 0 || lpm != NULL);
    free(ranges.entries);
    return lpm;
}

/* Whose word about the asker counts; the values mean nothing. */
static struct pin_lpm *make_forwarders(const struct pin_settings *settings, bool *ret_ok)
{
    struct ranges forwarders = {0};
    for (size_t i = 0; i < settings->n_forwarders; i++) {
        add_range(&forwarders, &settings->forwarders[i], 0);
    }
    struct pin_lpm *lpm = forwarders.n > 0 ? pin_lpm_new(forwarders.entries, forwarders.n) : NULL;
    *ret_ok = *ret_ok && !forwarders.failed && (forwarders.n == 0 || lpm != NULL);
    free(forwarders.entries);
    return lpm;
}

/* Ranges that say too much: nobody's clusters fill them, and their zones are others'. */
#define REVERSE_BITS_MIN 8u

static void add_reverse(struct ranges *ranges, const struct pin_prefix *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (prefixes[i].bits >= REVERSE_BITS_MIN && !pin_ip_is_loopback(&prefixes[i].ip)) {
            add_range(ranges, &prefixes[i], prefixes[i].bits);
        }
    }
}

static void add_cluster_reverse(
    const struct pin_catalog *catalog, uint16_t cluster_id, struct ranges *ranges)
{
    const struct pin_cluster_settings *settings = &catalog->settings->clusters[cluster_id];
    const struct pin_map *objects = catalog->clusters[cluster_id].objects;
    size_t cursor = 0;
    void *value = NULL;
    add_reverse(ranges, settings->clients, settings->n_clients);
    while (pin_map_next(&objects[PIN_KIND_NODE], &cursor, NULL, NULL, &value)) {
        const struct pin_object *node = value;
        add_reverse(ranges, node->as.node.pod_ranges, node->as.node.n_pod_ranges);
    }
    cursor = 0;
    while (pin_map_next(&objects[PIN_KIND_SERVICE_CIDR], &cursor, NULL, NULL, &value)) {
        const struct pin_object *cidr = value;
        add_reverse(ranges, cidr->as.service_cidr.ranges, cidr->as.service_cidr.n_ranges);
    }
}

/* Of ranges in each other the widest counts: its zones hold those of the others. */
static struct pin_lpm *make_reverse(const struct pin_catalog *catalog, bool *ret_ok)
{
    struct ranges ranges = {0};
    size_t n = 0;
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        add_cluster_reverse(catalog, (uint16_t)i, &ranges);
    }
    if (ranges.n > 0) {
        qsort(ranges.entries, ranges.n, sizeof(*ranges.entries), compare_entry);
    }
    for (size_t i = 0; i < ranges.n; i++) {
        if (n == 0
            || !pin_prefix_has(&ranges.entries[n - 1].prefix, &ranges.entries[i].prefix.ip)) {
            ranges.entries[n++] = ranges.entries[i];
        }
    }
    struct pin_lpm *lpm = n > 0 ? pin_lpm_new(ranges.entries, n) : NULL;
    *ret_ok = *ret_ok && !ranges.failed && (n == 0 || lpm != NULL);
    free(ranges.entries);
    return lpm;
}

/* Families among some ranges, as bits of PIN_LACKS_*. */
static uint8_t families_of(const struct pin_prefix *prefixes, size_t n)
{
    uint8_t has = 0;
    for (size_t i = 0; i < n; i++) {
        has = (uint8_t)(has | (prefixes[i].ip.family == 4 ? PIN_LACKS_V4 : PIN_LACKS_V6));
    }
    return has;
}

/* Families that the pods of a cluster lack: by its Nodes' pod ranges, else by `clients:`. What is
 * not known is not lacking. */
static uint8_t lacking(const struct pin_catalog *catalog, uint16_t cluster_id)
{
    const struct pin_cluster_settings *settings = &catalog->settings->clusters[cluster_id];
    uint8_t has = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(
        &catalog->clusters[cluster_id].objects[PIN_KIND_NODE], &cursor, NULL, NULL, &value)) {
        const struct pin_object *node = value;
        has = (uint8_t)(has | families_of(node->as.node.pod_ranges, node->as.node.n_pod_ranges));
    }
    if (has == 0) {
        has = families_of(settings->clients, settings->n_clients);
    }
    return has == 0 ? 0 : (uint8_t)(~has & (PIN_LACKS_V4 | PIN_LACKS_V6));
}

struct pin_scene *pin_scene_make(struct pin_catalog *catalog)
{
    size_t n_clusters = catalog->settings->n_clusters;
    size_t lacks_at = n_clusters / 8 + 1;
    struct pin_scene *scene = calloc(1, sizeof(*scene) + lacks_at + n_clusters);
    bool is_ok = true;
    if (scene == NULL) {
        return NULL;
    }
    scene->n_clusters = (uint16_t)n_clusters;
    scene->settings = catalog->settings;
    scene->default_view = pin_view_of_cluster(catalog->settings->default_cluster);
    scene->is_ready = true;
    scene->is_restored = true;
    for (size_t i = 0; i < n_clusters; i++) {
        const struct pin_cluster_state *cluster = &catalog->clusters[i];
        scene->is_ready = scene->is_ready && cluster->is_synced;
        scene->has_unseen = scene->has_unseen || !cluster->is_synced;
        scene->is_restored = scene->is_restored && (cluster->is_synced || cluster->is_restored);
        if (cluster->is_restored || (cluster->is_synced && !cluster->is_up)) {
            scene->has_down = true;
            scene->down[i / 8] = (uint8_t)(scene->down[i / 8] | 1u << i % 8);
        }
    }
    for (size_t i = 0; catalog->settings->filters_families && i < n_clusters; i++) {
        scene->down[lacks_at + i] = lacking(catalog, (uint16_t)i);
        scene->lacks = scene->down + lacks_at;
    }
    scene->is_ready = scene->is_ready || catalog->is_grace_over;
    scene->ranges = make_ranges(catalog, &is_ok);
    scene->forwarders = make_forwarders(catalog->settings, &is_ok);
    scene->reverse = make_reverse(catalog, &is_ok);
    scene->places = catalog->places;
    scene->views = pin_views_list(catalog); /* behind the ranges, which make new ones */
    scene->n_views = (uint16_t)catalog->n_views;
    if (!is_ok || scene->views == NULL) {
        pin_scene_free(scene);
        return NULL;
    }
    return scene;
}

void pin_scene_free(struct pin_scene *scene)
{
    if (scene != NULL) {
        pin_lpm_free(scene->ranges);
        pin_lpm_free(scene->forwarders);
        free(scene->views);
        pin_lpm_free(scene->reverse);
        free(scene);
    }
}

/* --- places ---------------------------------------------------------------------------------- */

static void free_places(struct pin_rcu_head *head)
{
    struct pin_places *places = container_of(head, struct pin_places, rcu);
    pin_lpm_free(places->nets);
    pin_lpm_free(places->database);
    free(places);
}

static struct pin_places *make_places(
    const struct pin_catalog *catalog, const struct pin_lpm_entry *entries, size_t n_entries)
{
    const struct pin_settings *settings = catalog->settings;
    struct ranges nets = {0};
    struct ranges database = {0};
    struct pin_places *places = calloc(1, sizeof(*places));
    for (size_t i = 0; i < settings->n_geo_rules; i++) {
        for (size_t n = 0; n < settings->geo_rules[i].n_nets; n++) {
            add_range(&nets, &settings->geo_rules[i].nets[n], catalog->geo_views[i]);
        }
    }
    for (size_t i = 0; i < n_entries; i++) {
        if (entries[i].value < settings->n_geo_rules) {
            add_range(&database, &entries[i].prefix, catalog->geo_views[entries[i].value]);
        }
    }
    if (places != NULL) {
        places->nets = nets.n > 0 ? pin_lpm_new(nets.entries, nets.n) : NULL;
        places->database = database.n > 0 ? pin_lpm_new(database.entries, database.n) : NULL;
    }
    bool is_ok = places != NULL && !nets.failed && !database.failed
                 && (nets.n == 0 || places->nets != NULL)
                 && (database.n == 0 || places->database != NULL);
    free(nets.entries);
    free(database.entries);
    if (!is_ok && places != NULL) {
        free_places(&places->rcu);
    }
    return is_ok ? places : NULL;
}

bool pin_scene_set_places(
    struct pin_catalog *catalog, const struct pin_lpm_entry *entries, size_t n_entries)
{
    struct pin_places *places = make_places(catalog, entries, n_entries);
    if (places == NULL) {
        return false;
    }
    if (catalog->places != NULL && catalog->old_places == NULL) {
        catalog->old_places = catalog->places; /* workers may be reading it */
    } else if (catalog->places != NULL) {
        free_places(&catalog->places->rcu); /* no scene has named it yet */
    }
    catalog->places = places;
    catalog->is_scene_dirty = true;
    return true;
}

void pin_scene_retire_places(struct pin_catalog *catalog)
{
    if (catalog->old_places != NULL) {
        pin_rcu_defer(&catalog->old_places->rcu, free_places);
        catalog->old_places = NULL;
    }
}

void pin_scene_free_places(struct pin_catalog *catalog)
{
    struct pin_places *all[] = {catalog->places, catalog->old_places};
    for (size_t i = 0; i < N_ELEMS(all); i++) {
        if (all[i] != NULL) {
            free_places(&all[i]->rcu);
        }
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static void free_scene(struct pin_rcu_head *head)
{
    pin_scene_free(container_of(head, struct pin_scene, rcu));
}

void pin_scene_retire(struct pin_scene *scene)
{
    pin_rcu_defer(&scene->rcu, free_scene);
}
