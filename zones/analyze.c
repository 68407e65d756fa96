/* SPDX-License-Identifier: Apache-2.0 */

/* Findings in the catalog: the walk, and what is said of clusters, networks and annotations. */

#include "zones/analyze.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "zones/networks.h"
#include "zones/scene.h"

struct pin_steer pin_analyze_steer(const struct pin_analyzer *a)
{
    pin_arena_reset(a->catalog->scratch);
    return (struct pin_steer){
        .catalog = a->catalog, .settings = a->catalog->settings, .arena = a->catalog->scratch};
}

struct pin_finding pin_analyze_about(const struct pin_analyzer *a, enum pin_finding_id id,
    uint16_t cluster_id, const struct pin_object *object)
{
    return (struct pin_finding){.id = id,
        .cluster = a->catalog->settings->clusters[cluster_id].name,
        .kind = pin_kind_text(object->kind),
        .namespace_name = object->namespace_name,
        .name = object->name};
}

bool pin_analyze_knows_state(const struct pin_analyzer *a, uint16_t cluster_id)
{
    const struct pin_cluster_state *cluster = &a->catalog->clusters[cluster_id];
    return a->is_live ? cluster->is_synced || cluster->is_restored
                      : pin_map_count(&cluster->objects[PIN_KIND_ENDPOINT_SLICE]) > 0;
}

bool pin_analyze_knows_others(const struct pin_analyzer *a)
{
    return a->is_live || a->catalog->settings->n_clusters > 1;
}

void pin_analyze_reach(struct pin_analyzer *a, const struct pin_plan *plan, const char *name)
{
    for (size_t i = 0; a->n_unreached != NULL && i < plan->n_rows; i++) {
        if (plan->rows[i].fault != PIN_FAULT_UNREACHABLE
            || plan->rows[i].cluster_id == PIN_CLUSTER_NONE) {
            continue;
        }
        uint16_t network = a->catalog->settings->clusters[plan->rows[i].cluster_id].network;
        if (a->unreached[network] != name) { /* the names come one after the other */
            a->unreached[network] = name;
            a->n_unreached[network]++;
        }
    }
}

/* --- clusters ------------------------------------------------------------------------------- */

static struct pin_finding about_cluster(enum pin_finding_id id, const char *name)
{
    return (struct pin_finding){.id = id, .cluster = name, .kind = "Cluster", .name = name};
}

/* "Service, Node". */
static void list_kinds(uint32_t kinds, char *out, size_t cap)
{
    size_t used = 0;
    out[0] = '\0';
    for (int kind = 0; kind < PIN_KIND_MAX && used < cap; kind++) {
        if ((kinds >> kind & 1u) != 0) {
            int n = snprintf(out + used, cap - used, "%s%s", used > 0 ? ", " : "",
                pin_kind_text((enum pin_kind)kind));
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

static void look_at_cluster(struct pin_analyzer *a, uint16_t cluster_id)
{
    struct pin_cluster_status status = pin_catalog_cluster(a->catalog, cluster_id);
    char kinds[512];
    if (!status.is_synced && !status.is_restored) {
        struct pin_finding finding = about_cluster(PIN_FINDING_CLUSTER_UNSEEN, status.name);
        pin_analysis_add(
            a->to, &finding, "its objects were never listed: nothing of it is answered");
    } else if (!status.is_up || status.stale_since_ms != 0) {
        struct pin_finding finding = about_cluster(PIN_FINDING_CLUSTER_STALE, status.name);
        uint64_t since_ms = status.stale_since_ms != 0 ? status.stale_since_ms : a->now_ms;
        pin_analysis_add(a->to, &finding,
            "out of reach for %" PRIu64 " s: answers show what it had then",
            (a->now_ms > since_ms ? a->now_ms - since_ms : 0) / 1000);
    }
    if (status.over_kinds != 0) {
        struct pin_finding finding = about_cluster(PIN_FINDING_TOO_MANY, status.name);
        list_kinds(status.over_kinds, kinds, sizeof(kinds));
        pin_analysis_add(a->to, &finding, "more than maxObjects (%u) of: %s",
            a->catalog->settings->max_objects, kinds);
    }
    uint32_t held = status.held_kinds & ~status.over_kinds;
    if (held != 0) {
        struct pin_finding finding = about_cluster(PIN_FINDING_LIST_HELD, status.name);
        list_kinds(held, kinds, sizeof(kinds));
        pin_analysis_add(a->to, &finding, "a list is held back, of: %s", kinds);
    }
}

static void tell_overlap(
    void *arg, const struct pin_prefix *prefix, uint16_t cluster_id, uint16_t other_id)
{
    const struct pin_analyzer *a = arg;
    const struct pin_cluster_settings *clusters = a->catalog->settings->clusters;
    char text[PIN_PREFIX_TEXT_MAX];
    pin_prefix_format(prefix, text);
    struct pin_finding finding =
        about_cluster(PIN_FINDING_RANGES_OVERLAP, clusters[cluster_id].name);
    finding.about = text;
    pin_analysis_add(a->to, &finding,
        "%s lies in the ranges of clusters %s and %s: askers from there are in no known cluster",
        text, clusters[cluster_id].name, clusters[other_id].name);
}

/* --- networks ------------------------------------------------------------------------------- */

/* A network that was given gateways and that no cluster is in: the one that was meant, perhaps.
 * NULL: there is none. */
static const char *find_empty_network(const struct pin_settings *settings)
{
    for (size_t n = 1; n < settings->n_networks; n++) {
        bool is_empty = settings->networks[n].n_gateways > 0;
        for (size_t i = 0; i < settings->n_clusters && is_empty; i++) {
            is_empty = settings->clusters[i].network != n;
        }
        if (is_empty) {
            return settings->networks[n].name;
        }
    }
    return NULL;
}

static void look_at_network(struct pin_analyzer *a, uint16_t network)
{
    const struct pin_network *settings = &a->catalog->settings->networks[network];
    bool has_address = pin_network_get(a->catalog, network)->n_ips > 0;
    struct pin_finding finding = {.kind = "Network", .name = settings->name};
    if (settings->n_gateways > 0 && !has_address && a->is_live) {
        finding.id = PIN_FINDING_WAY_UNKNOWN;
        pin_analysis_add(
            a->to, &finding, "none of its %zu gateways has an address", settings->n_gateways);
    }
    if (a->n_unreached[network] > 0) {
        const char *empty = find_empty_network(a->catalog->settings);
        finding.id = PIN_FINDING_NO_WAY_IN;
        pin_analysis_add(a->to, &finding,
            "askers in other networks get no address from it for %u names, %s among them: it has "
            "%s, and the Services have no load-balancer address%s%s",
            a->n_unreached[network], a->unreached[network],
            settings->n_gateways == 0 ? "no gateways" : "no gateway with an address",
            empty != NULL ? "; no cluster is in network " : "", empty != NULL ? empty : "");
    }
}

/* --- annotations ---------------------------------------------------------------------------- */

/* "annotation KEY: ..."; several are lines. */
static void tell_complaints(struct pin_analyzer *a, uint16_t cluster_id,
    const struct pin_object *object, const char *complaints)
{
    for (const char *at = complaints; *at != '\0'; at += *at == '\n') {
        char key[128];
        size_t bytes = strcspn(at, "\n");
        const char *name = strchr(at, ' ');
        bool is_unknown = memmem(at, bytes, "is not known", strlen("is not known")) != NULL;
        struct pin_finding finding = pin_analyze_about(a,
            is_unknown ? PIN_FINDING_ANNOTATION_UNKNOWN : PIN_FINDING_ANNOTATION_VALUE, cluster_id,
            object);
        (void)snprintf(key, sizeof(key), "%.*s", name != NULL ? (int)strcspn(name + 1, " :\n") : 0,
            name != NULL ? name + 1 : "");
        finding.about = key;
        pin_analysis_add(a->to, &finding, "%.*s", (int)bytes, at);
        at += bytes;
    }
}

static void look_at_affinity(
    struct pin_analyzer *a, uint16_t cluster_id, const struct pin_object *object)
{
    const char *list = object->steering->affinity_list;
    for (const char *at = list; at != NULL && *at != '\0';) {
        char name[64];
        size_t bytes = strcspn(at, ",");
        (void)snprintf(name, sizeof(name), "%.*s", (int)bytes, at);
        if (pin_settings_cluster(a->catalog->settings, name) == PIN_CLUSTER_NONE) {
            struct pin_finding finding =
                pin_analyze_about(a, PIN_FINDING_ANNOTATION_CLUSTER, cluster_id, object);
            finding.about = name;
            pin_analysis_add(
                a->to, &finding, "pintle.dev/affinity names %s, which is no cluster here", name);
        }
        at += bytes + (at[bytes] == ',');
    }
}

static void look_at_object(
    struct pin_analyzer *a, uint16_t cluster_id, const struct pin_object *object)
{
    if (object->written != NULL && object->written->complaint != NULL) {
        tell_complaints(a, cluster_id, object, object->written->complaint);
    }
    if (object->steering->affinity_list != NULL && pin_analyze_knows_others(a)) {
        look_at_affinity(a, cluster_id, object);
    }
}

static void look_at_annotations(struct pin_analyzer *a, uint16_t cluster_id)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        size_t cursor = 0;
        void *value = NULL;
        while (pin_map_next(
            &a->catalog->clusters[cluster_id].objects[kind], &cursor, NULL, NULL, &value)) {
            look_at_object(a, cluster_id, value);
        }
    }
}

/* --- the walk ------------------------------------------------------------------------------- */

/* The first two clusters of each network. */
static void choose_viewers(struct pin_analyzer *a)
{
    const struct pin_settings *settings = a->catalog->settings;
    for (size_t i = 0; i < settings->n_clusters && a->n_viewers < N_ELEMS(a->viewers); i++) {
        size_t n = 0;
        for (size_t v = 0; v < a->n_viewers; v++) {
            n += a->viewers[v].network == settings->clusters[i].network;
        }
        if (n < 2) {
            a->viewers[a->n_viewers++] = (struct pin_viewer){
                .cluster_id = (uint16_t)i, .network = settings->clusters[i].network};
        }
    }
}

void pin_catalog_analyze(
    struct pin_catalog *catalog, bool is_live, uint64_t now_ms, struct pin_analysis *analysis)
{
    const struct pin_settings *settings = catalog->settings;
    struct pin_arena *own = pin_arena_new("analyze", (size_t)1 << 20);
    struct pin_analyzer a = {
        .catalog = catalog, .to = analysis, .is_live = is_live, .now_ms = now_ms};
    if (own != NULL) {
        a.n_unreached = pin_arena_alloc(own, (settings->n_networks + 1) * sizeof(*a.n_unreached));
        a.unreached = pin_arena_alloc(own, (settings->n_networks + 1) * sizeof(*a.unreached));
    }
    if (a.n_unreached == NULL || a.unreached == NULL) {
        analysis->is_out_of_memory = true;
        pin_arena_free(own);
        return;
    }
    choose_viewers(&a);
    pin_analyze_routes(&a);
    pin_analyze_services(&a);
    pin_analyze_policies(&a);
    pin_analyze_zones(&a);
    for (size_t i = 0; i < settings->n_clusters; i++) {
        if (is_live) {
            look_at_cluster(&a, (uint16_t)i);
        }
        look_at_annotations(&a, (uint16_t)i);
    }
    pin_scene_each_overlap(catalog, tell_overlap, &a);
    for (size_t i = 0; i < settings->n_networks; i++) {
        look_at_network(&a, (uint16_t)i);
    }
    pin_analysis_sort(analysis);
    pin_arena_free(own);
}

/* --- one name ------------------------------------------------------------------------------- */

static void look_at_shared(struct pin_analyzer *a, const struct pin_service_unit *unit)
{
    pin_analyze_service(a, unit);
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        const struct pin_object *const objects[] = {
            member->service, member->export_, member->aws_export, member->import};
        for (size_t o = 0; o < N_ELEMS(objects); o++) {
            if (objects[o] != NULL) {
                look_at_object(a, member->cluster_id, objects[o]);
            }
        }
    }
}

/* Whether an earlier reference leads to the same Service: another port of it, mostly. */
static bool is_named_before(const struct pin_route_rule *rule, size_t backend_i)
{
    const struct pin_backend_ref *ref = &rule->backends[backend_i];
    for (size_t i = 0; i < backend_i; i++) {
        const struct pin_backend_ref *other = &rule->backends[i];
        if (strcmp(other->name, ref->name) == 0
            && strcmp(other->namespace_name, ref->namespace_name) == 0) {
            return true;
        }
    }
    return false;
}

void pin_analyze_name(struct pin_catalog *catalog, const struct pin_service_unit *service,
    struct pin_route_unit *route, uint64_t now_ms, struct pin_analysis *analysis)
{
    struct pin_analyzer a = {.catalog = catalog, .to = analysis, .is_live = true, .now_ms = now_ms};
    if (service != NULL) {
        look_at_shared(&a, service);
    }
    if (route != NULL) {
        const struct pin_route_rule *rule = pin_route_rule(route->object);
        pin_analyze_route(&a, route);
        look_at_object(&a, route->cluster_id, route->object);
        for (size_t i = 0; rule != NULL && i < rule->n_backends; i++) {
            const struct pin_backend_ref *ref = &rule->backends[i];
            service = pin_unit_find_service(catalog, ref->namespace_name, ref->name);
            if (service != NULL && !is_named_before(rule, i)) {
                look_at_shared(&a, service);
            }
        }
    }
    pin_analysis_sort(analysis);
}
