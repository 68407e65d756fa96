/* SPDX-License-Identifier: Apache-2.0 */

/* Services as people look at them: every endpoint of every cluster, whether this asker is shown it,
 * and why not. The same plan as answers and explain. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/zones/slice.h"

#include "zones/compile.h"
#include "zones/prefer.h"

/* One service under way. */
struct view {
    const struct pin_catalog *catalog;
    struct pin_jsonout *out;
    const struct pin_facts *facts;
    struct pin_viewer viewer;
    struct pin_plan plans[PIN_FAMILY_MAX];
    uint64_t totals[PIN_FAMILY_MAX];
    enum pin_affinity affinity;
    const char *affinity_list;
};

static const char *protocol_text(enum pin_protocol protocol)
{
    static const char *const texts[] = {
        [PIN_PROTOCOL_TCP] = "TCP", [PIN_PROTOCOL_UDP] = "UDP", [PIN_PROTOCOL_SCTP] = "SCTP"};
    return texts[protocol];
}

static void put_port(struct pin_jsonout *out, const struct pin_port *port, uint16_t number)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "name", port->name != NULL ? port->name : "");
    pin_jsonout_key_uint(out, "port", number);
    pin_jsonout_key_string(out, "protocol", protocol_text(port->protocol));
    pin_jsonout_end(out);
}

/* The contribution's line of the plan. With an import's addresses there is one for all. */
static const struct pin_backend_row *find_row(const struct view *v, size_t contribution_i)
{
    bool is_v4 = v->plans[PIN_FAMILY_V4].n_shares > 0 || v->plans[PIN_FAMILY_V6].n_shares == 0;
    const struct pin_plan *plan = &v->plans[is_v4 ? PIN_FAMILY_V4 : PIN_FAMILY_V6];
    return plan->n_rows == v->facts->n_contributions ? &plan->rows[contribution_i]
           : plan->n_rows == 1                       ? &plan->rows[0]
                                                     : NULL;
}

static bool is_used(const struct view *v, size_t contribution_i)
{
    for (size_t f = 0; f < PIN_FAMILY_MAX; f++) {
        const struct pin_plan *plan = &v->plans[f];
        if (plan->n_rows == v->facts->n_contributions ? plan->rows[contribution_i].is_used
                                                      : plan->n_shares > 0) {
            return true;
        }
    }
    return false;
}

/* Which part of the questions in that family comes to one endpoint of the contribution. */
static double share_of(const struct view *v, const struct pin_contribution *c, size_t family_i)
{
    const struct pin_plan *plan = &v->plans[family_i];
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->n_shares; i++) {
        sum += plan->shares[i].contribution == c ? plan->shares[i].weight : 0;
    }
    return v->totals[family_i] == 0 || c->n_ready[family_i] == 0
               ? 0
               : (double)sum / (double)v->totals[family_i] / c->n_ready[family_i];
}

/* Whether Pintle's own probes say that an endpoint which is shown itself is down. */
static bool is_unhealthy(const struct view *v, const struct pin_ip *ip)
{
    for (size_t f = 0; f < PIN_FAMILY_MAX; f++) {
        for (size_t i = 0; i < v->plans[f].n_shares; i++) {
            const struct pin_share *share = &v->plans[f].shares[i];
            if (share->slot != PIN_SLOT_NONE && pin_ip_equal(&share->ip, ip)) {
                return !pin_health_is_up(v->catalog->live.health, share->slot);
            }
        }
    }
    return false;
}

static const struct pin_ready *find_ready(
    const struct pin_contribution *c, size_t family_i, const struct pin_ip *ip)
{
    for (uint32_t i = 0; i < c->n_ready[family_i]; i++) {
        if (pin_ip_equal(&c->ready[family_i][i].ip, ip)) {
            return &c->ready[family_i][i];
        }
    }
    return NULL;
}

static void put_ports(
    const struct view *v, const struct pin_contribution *c, const struct pin_ready *ready)
{
    struct pin_share share = {.via = PIN_VIA_ENDPOINT, .contribution = c, .ready = ready};
    pin_jsonout_key(v->out, "ports");
    pin_jsonout_array(v->out);
    for (size_t i = 0; i < v->facts->n_ports; i++) {
        uint16_t number = pin_share_port(&share, v->facts->ports[i]);
        if (number != 0) {
            put_port(v->out, v->facts->ports[i], number);
        }
    }
    pin_jsonout_end(v->out);
}

/* One endpoint; `is_ready` is false for one that is not to be used. */
static void put_backend(
    const struct view *v, size_t contribution_i, const struct pin_ready *it, bool is_ready)
{
    const struct pin_contribution *c = &v->facts->contributions[contribution_i];
    const struct pin_backend_row *row = find_row(v, contribution_i);
    size_t family_i = it->ip.family == 6 ? PIN_FAMILY_V6 : PIN_FAMILY_V4;
    bool is_going = (it->slice->as.slice.flags[it->row] & PIN_ENDPOINT_TERMINATING) != 0;
    bool is_sick = is_ready && is_unhealthy(v, &it->ip);
    bool counts = is_ready && is_used(v, contribution_i);
    bool has_side = v->affinity == PIN_AFFINITY_LOCAL || v->affinity == PIN_AFFINITY_REMOTE
                    || v->affinity == PIN_AFFINITY_LIST;
    const char *reason = row != NULL && row->reason != NULL ? row->reason : "";
    char ip[PIN_IP_TEXT_MAX];
    pin_jsonout_object(v->out);
    pin_jsonout_key_string(v->out, "address", pin_ip_format(&it->ip, ip));
    put_ports(v, c, it);
    pin_jsonout_key_string(v->out, "cluster", v->catalog->settings->clusters[c->cluster_id].name);
    pin_jsonout_key_string(v->out, "state",
        is_sick    ? "unhealthy"
        : is_ready ? "active"
        : is_going ? "terminating"
                   : "not ready");
    pin_jsonout_key_bool(v->out, "preferred", counts && has_side);
    pin_jsonout_key_bool(v->out, "used", counts);
    if (row != NULL && row->cluster_weight != PIN_WEIGHT_UNSET) {
        pin_jsonout_key_uint(v->out, "clusterWeight", row->cluster_weight);
    }
    pin_jsonout_key_double(v->out, "share", counts ? share_of(v, c, family_i) : 0);
    pin_jsonout_key_string(v->out, "reason",
        is_sick    ? "health probes say it is down"
        : is_ready ? reason
        : is_going ? "the endpoint is terminating"
                   : "the endpoint is not ready");
    pin_jsonout_end(v->out);
}

static bool is_of(const struct pin_object *slice, const struct pin_contribution *c)
{
    const struct pin_slice_body *body = &slice->as.slice;
    if (!c->is_imported) {
        return body->service != NULL;
    }
    return body->import_service != NULL && body->source_cluster != NULL
           && strcmp(body->source_cluster, c->source) == 0;
}

/* Endpoints ready for use, then the others: those of its slices that are not among them. */
static void put_contribution(const struct view *v, size_t contribution_i)
{
    const struct pin_contribution *c = &v->facts->contributions[contribution_i];
    const struct pin_member *member = pin_unit_member(v->facts->unit, c->cluster_id);
    for (size_t f = 0; f < PIN_FAMILY_MAX; f++) {
        for (uint32_t i = 0; i < c->n_ready[f]; i++) {
            put_backend(v, contribution_i, &c->ready[f][i], true);
        }
    }
    for (size_t s = 0; member != NULL && s < member->n_slices; s++) {
        const struct pin_object *slice = pin_member_slices(member)[s];
        size_t family_i = slice->as.slice.family == 6 ? PIN_FAMILY_V6 : PIN_FAMILY_V4;
        for (size_t i = 0; is_of(slice, c) && i < slice->as.slice.n_endpoints; i++) {
            struct pin_ready it = {
                .slice = slice, .ip = pin_slice_ip(&slice->as.slice, i), .row = (uint32_t)i};
            if (find_ready(c, family_i, &it.ip) == NULL) {
                put_backend(v, contribution_i, &it, false);
            }
        }
    }
}

static const char *type_text(const struct view *v)
{
    bool is_remote = v->viewer.cluster_id != PIN_CLUSTER_NONE
                     && pin_facts_own(v->facts, v->viewer.cluster_id) == NULL;
    return v->facts->is_headless ? is_remote ? "Headless (Remote)" : "Headless"
           : is_remote           ? "ClusterIP (Remote)"
                                 : "ClusterIP";
}

static const char *affinity_text(const struct view *v)
{
    static const char *const texts[] = {[PIN_AFFINITY_UNSET] = "",
        [PIN_AFFINITY_NONE] = "none",
        [PIN_AFFINITY_LOCAL] = "local",
        [PIN_AFFINITY_REMOTE] = "remote",
        [PIN_AFFINITY_LIST] = ""};
    return v->affinity_list != NULL ? v->affinity_list : texts[v->affinity];
}

static void put_clusters(const struct view *v)
{
    pin_jsonout_key(v->out, "clusters");
    pin_jsonout_array(v->out);
    for (size_t i = 0; i < v->facts->n_contributions; i++) {
        const struct pin_contribution *c = &v->facts->contributions[i];
        const struct pin_backend_row *row = find_row(v, i);
        pin_jsonout_object(v->out);
        pin_jsonout_key_string(
            v->out, "cluster", v->catalog->settings->clusters[c->cluster_id].name);
        pin_jsonout_key_uint(v->out, "ready", pin_contribution_ready(c));
        pin_jsonout_key_uint(v->out, "total", c->n_total);
        pin_jsonout_key_bool(v->out, "used", is_used(v, i));
        pin_jsonout_key_string(
            v->out, "reason", row != NULL && row->reason != NULL ? row->reason : "");
        pin_jsonout_end(v->out);
    }
    pin_jsonout_end(v->out);
}

static void put_service(const struct view *v)
{
    char zone[PIN_NAME_TEXT_MAX];
    pin_name_format(v->catalog->svc_cluster_set.wire, zone);
    zone[strlen(zone) - 1] = '\0';
    pin_jsonout_object(v->out);
    pin_jsonout_key_string(v->out, "namespace", v->facts->unit->namespace_name);
    pin_jsonout_key_string(v->out, "name", v->facts->unit->name);
    pin_jsonout_key_string(v->out, "below", zone);
    pin_jsonout_key_string(v->out, "type", type_text(v));
    pin_jsonout_key_string(v->out, "affinity", affinity_text(v));
    pin_jsonout_key(v->out, "ports");
    pin_jsonout_array(v->out);
    for (size_t i = 0; i < v->facts->n_ports; i++) {
        put_port(v->out, v->facts->ports[i], v->facts->ports[i]->port);
    }
    pin_jsonout_end(v->out);
    put_clusters(v);
    pin_jsonout_key(v->out, "backends");
    pin_jsonout_array(v->out);
    for (size_t i = 0; i < v->facts->n_contributions; i++) {
        put_contribution(v, i);
    }
    pin_jsonout_end(v->out);
    pin_jsonout_end(v->out);
}

static void put_unit(struct pin_catalog *catalog, const struct pin_service_unit *unit,
    uint16_t view_id, struct pin_jsonout *out)
{
    struct pin_steer steer = {
        .catalog = catalog, .settings = catalog->settings, .arena = catalog->scratch};
    struct view v = {.catalog = catalog, .out = out};
    pin_arena_reset(catalog->scratch);
    v.facts = pin_merge_facts(catalog->settings, unit, catalog->scratch);
    if (v.facts == NULL || !v.facts->exists) {
        return;
    }
    v.viewer = pin_viewer_of(catalog, view_id);
    struct pin_preference preference = pin_preference_find(v.facts, v.viewer);
    v.affinity = preference.affinity;
    v.affinity_list = preference.list;
    for (size_t f = 0; f < PIN_FAMILY_MAX; f++) {
        v.plans[f] = pin_steer_service(&steer, v.facts, v.viewer, (enum pin_family_i)f);
        for (size_t i = 0; i < v.plans[f].n_shares; i++) {
            v.totals[f] += v.plans[f].shares[i].weight;
        }
    }
    put_service(&v);
}

static int compare_units(const void *a, const void *b)
{
    const struct pin_service_unit *const *x = a;
    const struct pin_service_unit *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* The units behind `after`, in order of their keys; heap. */
static const struct pin_service_unit **sorted_units(
    const struct pin_catalog *catalog, const char *after, size_t *ret_n)
{
    size_t cursor = 0;
    void *value = NULL;
    const struct pin_service_unit **units =
        calloc(pin_map_count(&catalog->services) + 1, sizeof(const struct pin_service_unit *));
    *ret_n = 0;
    while (units != NULL && pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        const struct pin_service_unit *unit = value;
        if (after == NULL || strcmp(unit->key, after) > 0) {
            units[(*ret_n)++] = unit;
        }
    }
    if (*ret_n > 1) {
        qsort((void *)units, *ret_n, sizeof(*units), compare_units);
    }
    return units;
}

void pin_catalog_services_json(struct pin_catalog *catalog, uint16_t view_id, const char *after,
    size_t n_max, struct pin_jsonout *out)
{
    size_t n = 0;
    const struct pin_service_unit **units = sorted_units(catalog, after, &n);
    pin_jsonout_key(out, "items");
    pin_jsonout_array(out);
    if (units == NULL) {
        pin_log_error("catalog: out of memory, services are not listed");
        pin_jsonout_end(out);
        return;
    }
    const char *last = NULL;
    for (size_t i = 0; i < n && i < n_max && units[i] != NULL; i++) {
        put_unit(catalog, units[i], view_id, out);
        last = units[i]->key;
    }
    pin_jsonout_end(out);
    if (n > n_max && last != NULL) {
        pin_jsonout_key_string(out, "next", last);
    }
    free((void *)units);
}
