/* SPDX-License-Identifier: Apache-2.0 */

/* Explains an answer: the same plan that compile.c turns into tables, told to people. */

#include "zones/explain.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"
#include "pintle/zones/reason.h"

#include "zones/compile.h"
#include "zones/explain_reverse.h"
#include "zones/zonefile.h"

static void format_name(const uint8_t *wire, char text[PIN_NAME_TEXT_MAX])
{
    pin_name_format(wire, text);
}

static const char *type_text(uint16_t type, char buffer[16])
{
    static const struct {
        uint16_t type;
        const char *text;
    } names[] = {{PIN_TYPE_A, "A"}, {PIN_TYPE_AAAA, "AAAA"}, {PIN_TYPE_SRV, "SRV"},
        {PIN_TYPE_TXT, "TXT"}, {PIN_TYPE_NS, "NS"}, {PIN_TYPE_SOA, "SOA"}, {PIN_TYPE_PTR, "PTR"},
        {PIN_TYPE_CNAME, "CNAME"}, {PIN_TYPE_SVCB, "SVCB"}, {PIN_TYPE_HTTPS, "HTTPS"},
        {PIN_TYPE_MX, "MX"}, {PIN_TYPE_DNAME, "DNAME"}, {PIN_TYPE_DS, "DS"}, {PIN_TYPE_CAA, "CAA"}};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (names[i].type == type) {
            return names[i].text;
        }
    }
    char *at = buffer;
    memcpy(at, "TYPE", 4);
    at += 4;
    for (uint16_t unit = 10000; unit > 0; unit = (uint16_t)(unit / 10)) {
        if (type >= unit || unit == 1) {
            *at++ = (char)('0' + type / unit % 10);
        }
    }
    *at = '\0';
    return buffer;
}

static enum pin_family_i family_of(const struct pin_explanation *e)
{
    return e->type == PIN_TYPE_AAAA ? PIN_FAMILY_V6 : PIN_FAMILY_V4;
}

/* --- what the index says
 * --------------------------------------------------------------------------- */

static const char *answers_text(const struct pin_table *table)
{
    if (table->form != PIN_TABLE_DRAWN || table->is_whole) {
        return "every record";
    }
    static const char *const texts[] = {[PIN_ANSWERS_UNSET] = "subset",
        [PIN_ANSWERS_SUBSET] = "subset",
        [PIN_ANSWERS_SINGLE] = "single",
        [PIN_ANSWERS_ALL] = "all",
        [PIN_ANSWERS_GROUP] = "group"};
    if (table->is_sticky) {
        return "one, by the asker's address (sessionAffinity: ClientIP)";
    }
    return texts[table->mode];
}

/* Who asks, as far as policies can know. */
static void identify(struct pin_explanation *e, const struct pin_explain_asker *asker)
{
    e->who =
        (struct pin_policy_asker){.cluster_id = asker->asker.cluster_id, .address = asker->address};
    if (asker->namespace_name != NULL) {
        e->who.namespace_name = asker->namespace_name;
        e->who.namespace_bytes = (uint8_t)strnlen(asker->namespace_name, PIN_LABEL_MAX_BYTES);
        e->namespace_from = "as asked";
    }
    if (pin_prefix_is_one(&asker->address)) {
        struct pin_pods_found found =
            pin_pods_find(e->catalog->live.pods, &asker->address.ip, asker->asker.cluster_id);
        if (found.is_known) {
            e->who.namespace_name = found.namespace_name;
            e->who.namespace_bytes = found.namespace_bytes;
            e->namespace_from = found.namespace_bytes > 0
                                    ? "a Pod has the address"
                                    : "unknown: several Pods have the address, or it is a host's";
        }
    }
}

/* What the node's policy says to the asker. */
static enum pin_policy_verdict judge(const struct pin_explanation *e)
{
    uint16_t slot = 0;
    return e->node != NULL && e->node->policy != NULL
               ? pin_policy_judge(e->node->policy, &e->who, &slot)
               : PIN_POLICY_ALLOWED;
}

static bool is_hidden(const struct pin_explanation *e)
{
    return (e->type == PIN_TYPE_A || e->type == PIN_TYPE_AAAA)
           && pin_scene_hides(e->catalog->live.scene, e->asker.parent_id, e->type == PIN_TYPE_AAAA);
}

/* The word that the query log would have; "forwarded" and "refused" are told where they are found.
 */
static void put_reason(struct pin_jsonout *out, enum pin_reason reason)
{
    pin_jsonout_key_string(out, "why", pin_reason_word(reason));
}

static void put_status(const struct pin_explanation *e, const struct pin_zone *zone)
{
    const char *rcode = "NOERROR";
    const char *status = "answer";
    enum pin_reason reason = e->table != NULL ? pin_reason_of_table(e->table) : PIN_REASON_WHOLE;
    enum pin_policy_verdict verdict = judge(e);
    bool is_apex_soa =
        e->node != NULL && e->type == PIN_TYPE_SOA && e->node->name_bytes == zone->apex.bytes;
    if (e->others != NULL) {
        rcode = "NOERROR";
        status = e->others;
        reason = PIN_REASON_REFERRAL;
    } else if (e->synth.status != NULL) {
        status = e->synth.status;
        reason = e->synth.is_data ? PIN_REASON_SYNTHESISED : PIN_REASON_NO_DATA;
    } else if (e->node == NULL) {
        rcode = "NXDOMAIN";
        status = "the name does not exist";
        reason = PIN_REASON_NO_NAME;
    } else if (is_hidden(e)) {
        status = "NODATA: the asker's cluster has no addresses of this family "
                 "(compat.filterFamilies)";
        reason = PIN_REASON_NO_DATA;
    } else if (e->table == NULL && !is_apex_soa) {
        status = "NODATA: the name exists, but shows nothing of this type to this asker";
        reason = PIN_REASON_NO_DATA;
    }
    if (!e->catalog->live.scene->is_ready && e->table == NULL && !e->synth.is_data) {
        rcode = "SERVFAIL";
        status = "not every cluster has been synced yet";
        reason = PIN_REASON_NOT_READY;
    }
    if (verdict >= PIN_POLICY_NXDOMAIN) {
        rcode = verdict == PIN_POLICY_REFUSED ? "REFUSED" : "NXDOMAIN";
        status = "a policy keeps it from this asker";
        reason = PIN_REASON_POLICY;
    }
    pin_jsonout_key_string(e->out, "rcode", rcode);
    pin_jsonout_key_string(e->out, "status", status);
    put_reason(e->out, reason);
}

static void put_view(const struct pin_explanation *e)
{
    const struct pin_settings *settings = e->catalog->settings;
    struct pin_viewer viewer = pin_viewer_of(e->catalog, e->asker.view_id);
    pin_jsonout_key(e->out, "view");
    pin_jsonout_object(e->out);
    pin_jsonout_key_string(e->out, "cluster", pin_explain_cluster(e->catalog, viewer.cluster_id));
    pin_jsonout_key_string(e->out, "network", settings->networks[viewer.network].name);
    if (viewer.zone != NULL) {
        pin_jsonout_key_string(e->out, "zone", viewer.zone);
    }
    if (viewer.prefers != NULL) {
        pin_jsonout_key_string(e->out, "prefers", viewer.prefers);
    }
    pin_jsonout_key_string(
        e->out, "identity", pin_explain_cluster(e->catalog, e->asker.cluster_id));
    if (e->namespace_from != NULL) {
        char text[PIN_LABEL_MAX_BYTES + 1] = {0};
        if (e->who.namespace_bytes > 0) {
            memcpy(text, e->who.namespace_name, e->who.namespace_bytes);
        }
        pin_jsonout_key_string(e->out, "namespace", text);
        pin_jsonout_key_string(e->out, "namespaceFrom", e->namespace_from);
    }
    pin_jsonout_end(e->out);
}

static void put_counted_part(void *arg, const struct pin_tally_row *row)
{
    struct pin_jsonout *out = arg;
    pin_jsonout_object(out);
    pin_tally_put_members(out, row);
    pin_jsonout_end(out);
}

/* What stood first in the answers of this very table, to all who are shown it. */
static void put_counted(const struct pin_explanation *e)
{
    if (e->table->tally == 0) {
        return;
    }
    pin_jsonout_key(e->out, "counted");
    pin_jsonout_object(e->out);
    pin_jsonout_key(e->out, "items");
    pin_jsonout_array(e->out);
    struct pin_tally_sum sum = pin_tally_read_block(
        pin_index_tally(e->catalog->live.index), e->table->tally, put_counted_part, e->out);
    pin_jsonout_end(e->out);
    pin_jsonout_key_uint(e->out, "answers", sum.n_answers);
    pin_jsonout_key_uint(e->out, "series", sum.series);
    pin_jsonout_end(e->out);
}

static void put_table(const struct pin_explanation *e)
{
    if (e->table == NULL) {
        return;
    }
    const uint8_t *ttl = e->table->wire + 6;
    uint32_t ttl_s = pin_get_be32(ttl);
    pin_jsonout_key_uint(e->out, "ttl", ttl_s);
    pin_jsonout_key_string(e->out, "answers", answers_text(e->table));
    pin_jsonout_key_uint(
        e->out, "picks", e->table->form != PIN_TABLE_DRAWN ? e->table->n_rr : e->table->n_pick_max);
    pin_jsonout_key_bool(e->out, "stale",
        pin_scene_any_down(
            e->catalog->live.scene, pin_table_clusters(e->table), e->table->n_clusters));
    put_counted(e);
    pin_jsonout_key(e->out, "staleClusters");
    pin_jsonout_array(e->out);
    for (size_t i = 0; i < e->table->n_clusters; i++) {
        if (pin_scene_any_down(e->catalog->live.scene, &pin_table_clusters(e->table)[i], 1)) {
            pin_jsonout_string(
                e->out, pin_explain_cluster(e->catalog, pin_table_clusters(e->table)[i]));
        }
    }
    pin_jsonout_end(e->out);
}

/* --- which unit a name belongs to
 * -------------------------------------------------------------------- */

/* Copies the label at `wire` as text; false when it is none. */
static bool label_text(const uint8_t *wire, char text[PIN_LABEL_MAX_BYTES + 1])
{
    memcpy(text, wire + 1, wire[0]);
    text[wire[0]] = '\0';
    return wire[0] > 0;
}

/* The unit behind <svc>.<ns>.svc.<zone> or a name below it. */
static const struct pin_service_unit *find_service(
    const struct pin_catalog *catalog, const struct pin_zone *zone, const struct pin_name *name)
{
    const uint8_t *at = name->wire;
    char service[PIN_LABEL_MAX_BYTES + 1];
    char namespace_name[PIN_LABEL_MAX_BYTES + 1];
    size_t labels = pin_name_labels(name->wire);
    size_t above = pin_name_labels(zone->apex.wire) + 3;
    for (; labels > above; labels--) {
        at = pin_name_parent(at);
    }
    if (labels < above || !label_text(at, service)
        || !label_text(pin_name_parent(at), namespace_name)) {
        return NULL;
    }
    return pin_unit_find_service(catalog, namespace_name, service);
}

static struct pin_route_unit *find_route(
    const struct pin_catalog *catalog, const struct pin_name *name)
{
    return pin_map_find(&catalog->assigned, name->wire, name->bytes);
}

/* The hostname, while a route has it. */
static const struct pin_host_unit *find_host(
    const struct pin_catalog *catalog, const struct pin_name *name)
{
    const struct pin_host_unit *host = pin_map_find(&catalog->hosts, name->wire, name->bytes);
    return host != NULL && host->n_claims > 0 && !host->is_static ? host : NULL;
}

/* Every policy of the route and what it says to this asker. */
static void put_policies(const struct pin_explanation *e, const struct pin_route_unit *route)
{
    static const char *const texts[] = {[PIN_POLICY_ALLOWED] = "allowed",
        [PIN_POLICY_WOULD_DENY] = "allowed (audit: would be denied)",
        [PIN_POLICY_NXDOMAIN] = "denied (NXDOMAIN)",
        [PIN_POLICY_REFUSED] = "denied (REFUSED, EDE 18)"};
    const struct pin_object **objects = NULL;
    size_t n = pin_policy_of_route(e->catalog, route, e->catalog->scratch, &objects);
    if (n == 0 || n == SIZE_MAX) {
        return;
    }
    pin_jsonout_key(e->out, "policies");
    pin_jsonout_array(e->out);
    for (size_t i = 0; i < n; i++) {
        uint16_t slot = 0;
        struct pin_policy *policy = pin_policy_new(e->catalog->settings, &objects[i], 1);
        enum pin_policy_verdict verdict =
            policy != NULL ? pin_policy_judge(policy, &e->who, &slot) : PIN_POLICY_REFUSED;
        pin_policy_unref(policy);
        pin_jsonout_object(e->out);
        pin_jsonout_key_string(e->out, "kind", pin_kind_text(objects[i]->kind));
        pin_jsonout_key_string(e->out, "namespace", objects[i]->namespace_name);
        pin_jsonout_key_string(e->out, "name", objects[i]->name);
        pin_jsonout_key_bool(e->out, "readable", !objects[i]->as.policy.is_unreadable);
        pin_jsonout_key_string(e->out, "verdict", texts[verdict]);
        pin_explain_lets_in(&objects[i]->as.policy, e->out);
        pin_jsonout_end(e->out);
    }
    pin_jsonout_end(e->out);
}

static void put_route(
    const struct pin_explanation *e, const struct pin_steer *steer, struct pin_route_unit *route)
{
    struct pin_plan plan =
        pin_steer_route(steer, route, pin_viewer_of(e->catalog, e->asker.view_id), family_of(e));
    pin_jsonout_key_string(e->out, "object", route->key);
    put_policies(e, route);
    pin_explain_plan(e, &plan);
}

/* Every route that claims the hostname, and, when it is not the owner, why it does not have it. */
static void add_claims(const struct pin_steer *steer, const struct pin_host_unit *host,
    const struct pin_route_unit *owner, struct pin_plan *plan)
{
    size_t n = host->n_claims + plan->n_rows;
    struct pin_backend_row *rows = pin_arena_alloc(steer->arena, n * sizeof(*rows));
    if (rows == NULL) {
        return;
    }
    if (plan->n_rows > 0) {
        memcpy(rows, plan->rows, plan->n_rows * sizeof(*rows));
    }
    for (size_t i = 0; i < host->n_claims; i++) {
        const struct pin_route_unit *route = host->claims[i].route;
        rows[plan->n_rows + i] =
            (struct pin_backend_row){.kind = pin_kind_text(route->object->kind),
                .namespace_name = route->object->namespace_name,
                .name = route->object->name,
                .cluster_id = route->cluster_id,
                .weight = PIN_WEIGHT_UNSET,
                .cluster_weight = PIN_WEIGHT_UNSET,
                .is_used = route == owner,
                .reason = route == owner  ? "has the hostname"
                          : owner == NULL ? "claims the hostname too, but the zone's file has it"
                                          : "claims the hostname too, but an older object has it"};
    }
    plan->rows = rows;
    plan->n_rows = n;
}

/* A name that a DNSEndpoint has. */
static void put_records(const struct pin_explanation *e, const struct pin_steer *steer,
    const struct pin_host_unit *host, const struct pin_route_unit *owner)
{
    struct pin_plan plan = {.rule = "a DNSEndpoint says it"};
    add_claims(steer, host, owner, &plan);
    pin_jsonout_key_string(e->out, "object", owner->key);
    pin_explain_plan(e, &plan);
}

static void put_host(const struct pin_explanation *e, const struct pin_steer *steer,
    const struct pin_host_unit *host)
{
    char rule[PIN_NAME_TEXT_MAX + 128];
    char assigned[PIN_NAME_TEXT_MAX];
    struct pin_route_unit *owner = pin_host_owner(host);
    if (owner->object->kind == PIN_KIND_DNS_ENDPOINT) {
        put_records(e, steer, host, owner);
        return;
    }
    struct pin_plan plan =
        pin_steer_route(steer, owner, pin_viewer_of(e->catalog, e->asker.view_id), family_of(e));
    pin_name_format(owner->assigned.wire, assigned);
    assigned[strlen(assigned) - 1] = '\0'; /* a name to paste anywhere */
    (void)snprintf(rule, sizeof(rule), "a hostname of the route: %s %s; %s",
        pin_host_is_flat(host) ? "at the zone's apex, so it shows the addresses of" : "an alias to",
        assigned, plan.rule);
    plan.rule = rule;
    add_claims(steer, host, owner, &plan);
    pin_jsonout_key_string(e->out, "object", owner->key);
    put_policies(e, owner);
    pin_explain_plan(e, &plan);
}

/* Says so where the service is there and the name below it is not: its addresses are not those of
 * the name. */
static void tell_missing_part(const struct pin_explanation *e, struct pin_plan *plan)
{
    size_t own = pin_name_labels(e->zone->apex.wire) + 3;
    if (e->node == NULL && e->synth.status == NULL && pin_name_labels(e->name->wire) > own) {
        plan->rule = "the service is there, and has no such name below it: it has its named ports "
                     "(_http._tcp) and, when it is headless, its ready pods (HOSTNAME.CLUSTER) and "
                     "topology zones (ZONE.pin._zone); when it is shared also clusters "
                     "(CLUSTER.pin._cluster)";
        plan->n_shares = 0;
    }
}

/* A name in a cluster's own zone: that cluster's Service alone. */
static void put_own_service(const struct pin_explanation *e, const struct pin_steer *steer,
    const struct pin_facts *facts, uint16_t cluster_id)
{
    const struct pin_contribution *c = pin_facts_own(facts, cluster_id);
    if (c != NULL) {
        struct pin_plan plan = pin_steer_cluster_zone(steer, c, family_of(e));
        tell_missing_part(e, &plan);
        pin_explain_plan(e, &plan);
    } else {
        pin_jsonout_key_string(e->out, "rule", "that cluster has no such Service with addresses");
    }
}

static void put_service(
    const struct pin_explanation *e, const struct pin_steer *steer, const struct pin_facts *facts)
{
    if (e->zone == e->catalog->zone_own) {
        pin_jsonout_key_string(e->out, "rule", pin_explain_nothing(e));
        return;
    }
    if (!facts->exists) {
        pin_jsonout_key_string(e->out, "rule",
            "no cluster exports or imports it (ServiceExport, ServiceImport), and none calls it "
            "global (service.cilium.io/global: \"true\")");
        return;
    }
    struct pin_plan plan =
        pin_steer_service(steer, facts, pin_viewer_of(e->catalog, e->asker.view_id), family_of(e));
    tell_missing_part(e, &plan);
    pin_explain_plan(e, &plan);
}

/* A name that a zone's file has, and the routes that would like to have it. */
static void put_static(const struct pin_explanation *e, const struct pin_steer *steer,
    const struct pin_static_name *found)
{
    char object[512];
    struct pin_plan plan = {.rule = "the zone's file says it"};
    const struct pin_host_unit *host =
        pin_map_find(&e->catalog->hosts, e->name->wire, e->name->bytes);
    const struct pin_static_set *set = pin_static_find(found, e->type);
    set = set != NULL ? set : &found->sets[0];
    (void)snprintf(object, sizeof(object), "%s:%u", set->path, set->line);
    if (host != NULL) {
        add_claims(steer, host, NULL, &plan);
    }
    pin_jsonout_key_string(e->out, "object", object);
    pin_explain_plan(e, &plan);
}

/* The route whose assigned name or hostname it is. */
static struct pin_route_unit *route_of(
    const struct pin_catalog *catalog, const struct pin_name *name)
{
    const struct pin_host_unit *host = find_host(catalog, name);
    struct pin_route_unit *route = host != NULL ? pin_host_owner(host) : find_route(catalog, name);
    bool is_route =
        route != NULL && route->object != NULL && route->object->kind != PIN_KIND_DNS_ENDPOINT;
    return is_route ? route : NULL;
}

/* What is answered from tables. */
static void put_synth(const struct pin_explanation *e)
{
    pin_jsonout_key_string(e->out, "rule", e->synth.rule);
    if (e->synth.has_rows) {
        pin_explain_rows(e->catalog, &e->synth.query, e->type, e->out);
    }
}

static void put_unit(const struct pin_explanation *e, struct pin_catalog *catalog)
{
    const struct pin_zone *zone = e->zone;
    struct pin_steer steer = {
        .catalog = catalog, .settings = catalog->settings, .arena = catalog->scratch};
    struct pin_route_unit *route = find_route(catalog, e->name);
    const struct pin_host_unit *host = find_host(catalog, e->name);
    const struct pin_static_name *found = pin_static_name_of(catalog, zone, e->name);
    pin_arena_reset(catalog->scratch);
    if (found != NULL) {
        put_static(e, &steer, found);
        return;
    }
    if (host != NULL) {
        put_host(e, &steer, host);
        return;
    }
    if (route != NULL && route->object != NULL) {
        put_route(e, &steer, route);
        return;
    }
    const struct pin_facts *facts =
        e->service != NULL ? pin_merge_facts(catalog->settings, e->service, catalog->scratch)
                           : NULL;
    if (facts == NULL && e->synth.rule != NULL) {
        put_synth(e);
    } else if (facts == NULL && e->node == NULL && e->others == NULL) {
        pin_jsonout_key_string(e->out, "rule", pin_explain_nothing(e));
    }
    if (facts == NULL) {
        return;
    }
    pin_jsonout_key_string(e->out, "object", e->service->key);
    if (e->synth.rule != NULL) {
        put_synth(e);
        return;
    }
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        if (zone == catalog->zone_of_cluster[i]) {
            put_own_service(e, &steer, facts, (uint16_t)i);
            return;
        }
    }
    put_service(e, &steer, facts);
}

/* Goes on to the wildcard that stands for a missing name. */
static void look_up_wildcard(struct pin_explanation *e, struct pin_name *name)
{
    const struct pin_index *index = e->catalog->live.index;
    size_t offset = 0;
    const struct pin_node *encloser = pin_index_enclose(index, name->wire, name->bytes, &offset);
    if (encloser == NULL || (encloser->flags & PIN_NODE_HAS_WILDCARD) == 0) {
        return;
    }
    name->bytes = encloser->name_bytes;
    memcpy(name->wire, encloser->name, encloser->name_bytes);
    if (pin_name_prepend(name, "*", 1) == PIN_OK) {
        e->node = pin_index_find(index, name->wire, name->bytes);
    }
}

/* What a route's hostname shows is what the assigned name shows. */
static void follow_host(struct pin_explanation *e, const struct pin_name *name)
{
    const struct pin_host_unit *host = find_host(e->catalog, name);
    const struct pin_route_unit *owner = host != NULL ? pin_host_owner(host) : NULL;
    if (owner == NULL || pin_host_is_flat(host) || e->type == PIN_TYPE_CNAME
        || owner->object->kind == PIN_KIND_DNS_ENDPOINT) {
        return;
    }
    const struct pin_name *assigned = &owner->assigned;
    e->node = pin_index_find(e->catalog->live.index, assigned->wire, assigned->bytes);
    const struct pin_rrset *rrset = e->node != NULL ? pin_node_rrset(e->node, e->type) : NULL;
    e->table = rrset != NULL ? pin_rrset_table(rrset, e->asker.view_id, e->asker.parent_id) : NULL;
}

/* Notes when the name is delegated, or stands below a DNAME. */
static void look_for_others(struct pin_explanation *e, const struct pin_name *name)
{
    size_t at = 0;
    const struct pin_node *node =
        pin_index_enclose(e->catalog->live.index, name->wire, name->bytes, &at);
    if (node == NULL) {
        return;
    }
    if ((node->flags & PIN_NODE_IS_BELOW_CUT) != 0
        || ((node->flags & PIN_NODE_IS_CUT) != 0 && (at != 0 || e->type != PIN_TYPE_DS))) {
        e->others = "referral: the name is delegated to other name servers";
    } else if ((node->flags & PIN_NODE_HAS_DNAME) != 0 && at != 0) {
        e->others = "alias: a DNAME above the name leads to another one";
    }
}

/* Looks the name up as the answer path does. Returns the zone that really holds it. */
static const struct pin_zone *look_up(
    struct pin_explanation *e, const struct pin_zone *zone, struct pin_name *name)
{
    const struct pin_index *index = e->catalog->live.index;
    uint16_t view_id = e->asker.view_id;
    uint16_t parent_id = e->asker.parent_id;
    e->node = pin_index_find(index, name->wire, name->bytes);
    if (e->node == NULL && zone->zone_of_cluster != NULL) {
        struct pin_name own;
        const struct pin_zone *there =
            pin_zone_for_asker(zone, parent_id, name->wire, name->bytes, &own);
        if (there != NULL) {
            zone = there;
            *name = own;
            e->node = pin_index_find(index, own.wire, own.bytes);
            view_id = PIN_VIEW_OWN;
            parent_id = PIN_VIEW_OWN;
        }
    } else if (e->node == NULL) {
        look_up_wildcard(e, name);
    }
    const struct pin_rrset *rrset = e->node != NULL ? pin_node_rrset(e->node, e->type) : NULL;
    e->table = rrset != NULL ? pin_rrset_table(rrset, view_id, parent_id) : NULL;
    return zone;
}

/* A name in no zone: forwarded, or refused. */
static void put_no_zone(const struct pin_explanation *e, const struct pin_explain_asker *asker)
{
    bool is_told = asker->put_outside != NULL
                   && asker->put_outside(asker->outside_arg, e->name, e->type, e->out);
    if (!is_told) {
        pin_jsonout_key_string(e->out, "rcode", "REFUSED");
        pin_jsonout_key_string(e->out, "status", "the name lies in no zone of this server");
        put_reason(e->out, PIN_REASON_REFUSED);
    }
    pin_explain_no_zone(e->catalog, e->name, is_told ? asker : NULL, e->out);
}

void pin_catalog_explain_json(struct pin_catalog *catalog, const struct pin_name *name,
    uint16_t type, const struct pin_explain_asker *asker, struct pin_jsonout *out)
{
    struct pin_explanation e = {.catalog = catalog,
        .out = out,
        .name = name,
        .type = type,
        .asker = asker->asker,
        .now_ms = asker->now_ms,
        .seen = &(struct pin_explain_seen){.has_addresses = false}};
    const struct pin_zone *zone = pin_index_zone(catalog->live.index, name);
    char text[PIN_NAME_TEXT_MAX];
    char buffer[16];
    identify(&e, asker);
    pin_jsonout_object(out);
    format_name(name->wire, text);
    pin_jsonout_key_string(out, "name", text);
    pin_jsonout_key_string(out, "type", type_text(type, buffer));
    if (zone == NULL && pin_explain_reverse(catalog, name, type, asker->asker.parent_id, out)) {
        pin_jsonout_end(out);
        return;
    }
    if (zone == NULL) {
        put_no_zone(&e, asker);
        pin_jsonout_end(out);
        return;
    }
    format_name(zone->apex.wire, text);
    pin_jsonout_key_string(out, "zone", text);
    struct pin_name there = *name;
    e.zone = look_up(&e, zone, &there);
    e.name = &there;
    if (e.zone == catalog->zone_cluster_set || e.zone == catalog->zone_own
        || e.zone->cluster_id != PIN_CLUSTER_NONE) {
        e.service = find_service(catalog, e.zone, &there);
    }
    e.route = route_of(catalog, &there);
    follow_host(&e, &there);
    look_for_others(&e, &there);
    if (e.node == NULL || (e.node->flags & PIN_NODE_IS_BARE) != 0) {
        pin_explain_synth(catalog, &there, type, asker->asker.parent_id, &e.synth);
    }
    put_status(&e, zone);
    put_view(&e);
    put_table(&e);
    put_unit(&e, catalog);
    pin_explain_notes(&e, catalog);
    pin_jsonout_end(out);
}
