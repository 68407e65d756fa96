/* SPDX-License-Identifier: Apache-2.0 */

/* The decision what a query is answered with: a page of steps, each settles it or passes on. */

#include "answer.h"

#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/zones/index.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/view.h"

#include "answering.h"
#include "forward.h"
#include "outside.h"
#include "signing.h"
#include "targets.h"
#include "transfer.h"

/* Aliases followed in one answer; an alias beyond is the client's to follow. */
#define CHASE_MAX 8u

/* Queries of a batch that are worked on side by side: enough to wait for memory together, few
 * enough to stay in the nearest cache. */
#define GROUP 16u
/* How much of a table is fetched ahead: its head, and the addresses of a usual answer behind it. */
#define FETCH_BYTES 256u
#define LINE_BYTES  64u

/* --- steps: is it a question for us ------------------------------------------------------- */

/* NOTIFY, UPDATE, DSO and unknown opcodes: nothing in them is looked at. */
static bool check_opcode(struct pin_answering *a)
{
    return a->query.opcode != 0 && pin_answering_settle(a, PIN_RCODE_NOTIMP);
}

static bool check_form(struct pin_answering *a)
{
    return a->verdict == PIN_QUERY_FORMERR && pin_answering_settle(a, PIN_RCODE_FORMERR);
}

static bool check_version(struct pin_answering *a)
{
    return a->query.edns_version != 0 && pin_answering_settle(a, PIN_RCODE_BADVERS);
}

/* Who brings no question asks for a cookie (RFC 7873, section 5.4), and gets one. */
static bool check_cookie(struct pin_answering *a)
{
    if (pin_unlikely(a->verdict == PIN_QUERY_COOKIE)) {
        return pin_answering_settle(a, PIN_RCODE_NOERROR);
    }
    return pin_unlikely(a->query.cookie_bytes > 0) && a->cookie != PIN_COOKIE_GOOD
           && a->worker->manners->wants_cookies && a->client->transport == PIN_TRANSPORT_UDP
           && pin_answering_settle(a, PIN_RCODE_BADCOOKIE);
}

/* A signed query is never taken for an unsigned one. */
static bool check_signature(struct pin_answering *a)
{
    return pin_unlikely(a->query.has_tsig)
           && !pin_signing_check(a->worker->keys, &a->query, &a->response, &a->tsig);
}

static bool check_class(struct pin_answering *a)
{
    return a->query.qclass != PIN_CLASS_IN
           && (pin_manners_chaos(a->worker->manners, &a->query, &a->response)
               || pin_answer_explain(a) || pin_answering_refuse(a, PIN_EDE_NONE));
}

static bool check_transfer(struct pin_answering *a)
{
    bool is_transfer = a->query.qtype == PIN_TYPE_AXFR || a->query.qtype == PIN_TYPE_IXFR;
    if (pin_unlikely(is_transfer)) {
        struct pin_transfer_ask ask = {.live = a->worker->live,
            .query = &a->query,
            .peer = a->client->peer,
            .transport = a->client->transport,
            .stats = &a->worker->stats};
        pin_transfer_settle(a->worker->transfers, &ask, &a->response);
    }
    return is_transfer;
}

/* CoreDNS's forward plugin asks ". NS" as its health check: refused at once, never passed on. */
static bool check_root_ns(struct pin_answering *a)
{
    bool is_probe = a->query.qname_bytes == 1 && a->query.qtype == PIN_TYPE_NS;
    return is_probe && pin_answering_refuse(a, PIN_EDE_NOT_AUTHORITATIVE);
}

/* --- steps: what is there ----------------------------------------------------------------- */

/* Takes a trusted forwarder's word, before the answer is written over it. */
static void find_vouched(struct pin_answering *a)
{
    struct pin_ip sender = pin_ip_from_sockaddr(a->client->peer);
    a->is_vouched = pin_vouched_read(a->scene, &sender, &a->query, a->response.wire, &a->vouched);
}

void pin_answering_find_view(struct pin_answering *a)
{
    a->scene = pin_rcu_deref(a->worker->live->scene);
    a->is_vouched = false;
    a->is_view_by_ecs = false;
    if (pin_unlikely(a->query.ecs.bytes > 0)) {
        find_vouched(a);
    }
    struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
    if (pin_worker_cluster(a->worker, a->client) != PIN_CLUSTER_NONE) {
        /* The zone, at most: */
        a->is_view_by_ecs = a->is_vouched && a->scene->n_views > a->scene->n_clusters + 1;
        a->asker = pin_scene_member(a->scene, pin_worker_cluster(a->worker, a->client),
            a->is_vouched && a->vouched.prefix.bits > 0 ? &a->vouched.prefix.ip : &source);
        return;
    }
    if (pin_unlikely(a->is_vouched)) {
        a->is_view_by_ecs = true;
        a->asker = pin_vouched_asker(a->scene, &a->vouched);
        return;
    }
    a->asker = pin_scene_asker(a->scene, &source);
}

/* A trusted forwarder that says who asks in a way that cannot be read is told so (RFC 7871, section
 * 6): its own address is not the asker's. From others such an option means nothing. */
static bool check_subnet(struct pin_answering *a)
{
    if (pin_likely((a->query.options & PIN_SAID_BAD_ECS) == 0)) {
        return false;
    }
    struct pin_ip sender = pin_ip_from_sockaddr(a->client->peer);
    return pin_is_forwarder(a->scene, &sender) && pin_answering_settle(a, PIN_RCODE_FORMERR);
}

/* Notes that askers elsewhere may get another answer (RFC 7871, section 7.2.1). */
static void widen_scope(struct pin_answering *a)
{
    if (pin_unlikely(a->is_view_by_ecs)) {
        uint8_t scope = pin_vouched_scope(a->scene, &a->vouched, &a->query);
        a->response.ecs_scope = PIN_MAX(a->response.ecs_scope, scope);
    }
}

/* Whether the node is the apex of its zone. */
static bool is_apex(const struct pin_node *node)
{
    return node->name_bytes == node->zone->apex.bytes;
}

/* Answers a name directly below such a parent that is an endpoint's address with dashes. False:
 * there is no such endpoint. */
static bool look_up_dashed(struct pin_answering *a, const struct pin_node *parent, size_t bytes)
{
    bool is_there =
        (parent->flags & PIN_NODE_HAS_DASHED) != 0 && a->subject.name[0] + 1u == bytes
        && pin_reverse_dashed(a->worker->live->reverse, a->subject.name, parent, &a->dashed);
    if (is_there) {
        a->node = NULL;
        a->synth = PIN_FROM_DASHED;
    }
    return is_there;
}

/* Answers what is below a service from its parts, or by another node. `encloser` is the nearest
 * node, `bytes` of the subject's labels stand in front of it. */
static void look_up_service(struct pin_answering *a, const struct pin_node *encloser, size_t bytes)
{
    struct pin_synth_place place;
    if (!pin_synth_find(a->worker->live, a->asker.parent_id,
            &(struct pin_synth_below){a->subject.name, encloser, bytes}, &place)) {
        return;
    }
    a->node = place.whole;
    if (place.parts != NULL) {
        a->synth = PIN_FROM_PARTS;
        a->parts = place.parts;
        a->synth_at = place.at;
    }
}

/* Leads a name below "cluster.local" to the zone of the asker's cluster. The subject keeps its
 * name: the client asked by the common one. */
static void look_up_own(struct pin_answering *a)
{
    struct pin_name name;
    widen_scope(a);
    const struct pin_zone *zone =
        pin_zone_for_asker(a->zone, a->asker.parent_id, a->subject.name, a->subject.bytes, &name);
    a->node = NULL;
    if (zone != NULL) {
        a->node = pin_index_find(a->worker->live->index, name.wire, name.bytes);
        a->view_id = PIN_VIEW_OWN;
        a->parent_id = PIN_VIEW_OWN;
    }
    if (zone != NULL && a->node == NULL && pin_unlikely(pin_synth_is_below(name.wire))) {
        size_t bytes = 0;
        const struct pin_node *encloser =
            pin_index_enclose(a->worker->live->index, name.wire, name.bytes, &bytes);
        if (!look_up_dashed(a, encloser, bytes)) {
            look_up_service(a, encloser, bytes);
        }
    }
}

/* Whether the subject lies in a reverse zone, which no node stands for. */
static bool look_up_reverse(struct pin_answering *a)
{
    struct pin_reverse_question q;
    bool is_ours = a->worker->live->reverse != NULL && a->scene->reverse != NULL
                   && pin_reverse_parse(a->scene->reverse, a->subject.name, a->subject.bytes, &q);
    a->synth = is_ours ? PIN_FROM_REVERSE : PIN_FROM_NODE;
    return is_ours;
}

bool pin_answering_look_up(struct pin_answering *a)
{
    const struct pin_index *index = a->worker->live->index;
    a->view_id = a->asker.view_id;
    a->parent_id = a->asker.parent_id;
    a->synth = PIN_FROM_NODE;
    a->encloser_at = 0; /* stays where nothing encloses it */
    a->encloser = pin_index_enclose_hashed(
        index, a->subject.name, a->subject.bytes, a->subject.hash, &a->encloser_at);
    a->node = a->encloser;
    if (pin_unlikely(a->node == NULL)) {
        return look_up_reverse(a);
    }
    a->zone = a->node->zone;
    if (a->encloser_at == 0) {
        if (pin_unlikely((a->node->flags & PIN_NODE_IS_BARE) != 0)) {
            look_up_service(a, a->node, 0);
        }
        return true;
    }
    if (pin_unlikely((a->node->flags & PIN_NODE_HAS_PODS) != 0)) {
        a->node = NULL;
        a->synth = PIN_FROM_PODS;
        a->synth_at = a->encloser_at;
        return true;
    }
    if (pin_unlikely(a->zone->zone_of_cluster != NULL)) {
        look_up_own(a);
    } else if (!look_up_dashed(a, a->encloser, a->encloser_at)) {
        a->node = pin_index_wildcard(index, a->encloser);
        if (a->node == NULL) {
            look_up_service(a, a->encloser, a->encloser_at);
        }
    }
    return true;
}

const struct pin_table *pin_answering_shown(struct pin_answering *a, uint16_t type)
{
    if (a->node == NULL) {
        return NULL;
    }
    if (pin_unlikely(a->scene->lacks != NULL) && (type == PIN_TYPE_A || type == PIN_TYPE_AAAA)
        && pin_scene_hides(a->scene, a->asker.parent_id, type == PIN_TYPE_AAAA)) {
        widen_scope(a);
        return NULL;
    }
    const struct pin_rrset *rrset = pin_node_rrset(a->node, type);
    if (rrset != NULL && rrset->n_variants > 0) {
        widen_scope(a);
    }
    return rrset != NULL ? pin_rrset_table(rrset, a->view_id, a->parent_id) : NULL;
}

/* --- step: who may ---------------------------------------------------------------------------- */

struct pin_policy_asker pin_answering_identify(const struct pin_answering *a)
{
    struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
    struct pin_policy_asker asker = {.address = pin_prefix_of(&source, 128)};
    if (a->is_vouched) {
        asker.address = a->vouched.prefix;
        asker.namespace_bytes = a->vouched.namespace_bytes;
        asker.namespace_name = a->vouched.namespace_name;
        asker.cluster_id = pin_vouched_asker(a->scene, &a->vouched).cluster_id;
    } else {
        asker.cluster_id = pin_scene_asker(a->scene, &source).cluster_id;
    }
    if (pin_worker_cluster(a->worker, a->client) != PIN_CLUSTER_NONE) {
        asker.cluster_id = pin_worker_cluster(a->worker, a->client);
    }
    pin_asker_find_namespace(a->worker->live->pods, &asker);
    return asker;
}

/* Leaves word for the log, if there is room. */
static void sample(struct pin_answering *a, const struct pin_policy_asker *asker, uint16_t slot)
{
    struct pin_audit_sample *sample = pin_audit_begin(&a->worker->audit);
    if (sample == NULL) {
        return;
    }
    sample->slot = slot;
    sample->cluster_id = asker->cluster_id;
    sample->qtype = a->query.qtype;
    sample->address = asker->address;
    sample->namespace_bytes = asker->namespace_bytes;
    for (size_t i = 0; i < asker->namespace_bytes; i++) {
        sample->namespace_name[i] = asker->namespace_name[i];
    }
    sample->qname_bytes = a->query.qname_bytes;
    for (size_t i = 0; i < a->query.qname_bytes; i++) {
        sample->qname[i] = a->query.qname[i];
    }
    pin_audit_commit(&a->worker->audit);
}

/* Whether the policy keeps the asker out. */
static enum pin_policy_verdict judge(struct pin_answering *a, const struct pin_policy *policy)
{
    struct pin_policy_asker asker = pin_answering_identify(a);
    uint16_t slot = 0;
    enum pin_policy_verdict verdict = pin_policy_judge(policy, &asker, &slot);
    if (a->is_vouched) {
        a->response.ecs_scope =
            PIN_MAX(a->response.ecs_scope, a->query.ecs_copy[PIN_ECS_SOURCE_AT]);
    }
    if (verdict == PIN_POLICY_WOULD_DENY) {
        pin_stat_add(&a->worker->stats.n_would_deny, 1);
        pin_stat_add(&a->worker->stats.would_deny_by[slot], 1);
        sample(a, &asker, slot);
    } else if (verdict != PIN_POLICY_ALLOWED) {
        pin_stat_add(&a->worker->stats.n_denied, 1);
        pin_stat_add(&a->worker->stats.denied_by[slot], 1);
        a->is_denied = true;
        a->policy_slot = slot;
    }
    return verdict;
}

/* --- what is answered --------------------------------------------------------------------- */

/* Says no: with the zone's SOA, or not at all before the clusters have been seen. */
static void add_negative(struct pin_answering *a, const struct pin_zone *zone, uint16_t rcode)
{
    bool is_early = zone->is_synced_from_clusters && !a->scene->is_ready;
    if (is_early && rcode == PIN_RCODE_NOERROR && a->scene->is_restored) {
        a->response.ede = PIN_EDE_STALE_ANSWER; /* so it was before the restart */
    } else if (is_early) {
        pin_wishes_put(a->worker->live->wishes, a->subject.hash, a->subject.name, a->subject.bytes);
        pin_response_clear(&a->response, &a->query);
        a->response.is_authoritative = false;
        a->response.ede = PIN_EDE_NOT_READY;
        a->response.rcode = PIN_RCODE_SERVFAIL;
        return;
    }
    if (rcode == PIN_RCODE_NXDOMAIN && zone->is_synced_from_clusters && a->scene->has_unseen) {
        a->response.ede = PIN_EDE_NOT_READY;
    }
    a->response.rcode = rcode;
    size_t apex_at = a->subject.at + a->subject.bytes - zone->apex.bytes;
    const struct pin_soa *soa = pin_rcu_deref(zone->soa);
    pin_response_add_soa(&a->response, PIN_SECTION_AUTHORITY, soa, apex_at, soa->negative_ttl_s);
}

/* Has the asker's address choose. */
static void stick(struct pin_answering *a)
{
    struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
    a->response.asker_key = pin_asker_key(&source, a->is_vouched ? &a->vouched : NULL);
    if (a->is_vouched) {
        uint8_t scope = pin_asker_key_scope(&a->vouched, &a->query);
        a->response.ecs_scope = PIN_MAX(a->response.ecs_scope, scope);
    }
}

/* Writes the records of a headless service's targets. */
static void add_targets(struct pin_answering *a, const struct pin_table *table)
{
    pin_targets_add(&a->response, table,
        &(struct pin_targets_place){.node = a->node,
            .apex = &a->zone->apex,
            .owner_at = a->subject.at,
            .hides = {pin_scene_hides(a->scene, a->asker.parent_id, false),
                pin_scene_hides(a->scene, a->asker.parent_id, true)}});
}

/* Adds a table to the answer; returns where its RRs start. */
static size_t add_data(struct pin_answering *a, const struct pin_table *table)
{
    pin_answering_note_origin(a, table);
    if (pin_unlikely(table->is_sticky)) {
        stick(a);
    }
    if (pin_unlikely(table->form == PIN_TABLE_TARGETS)) {
        add_targets(a, table);
        return a->response.used_bytes;
    }
    return pin_response_add_table(
        &a->response, PIN_SECTION_ANSWER, table, &a->worker->draws, a->subject.at);
}

/* The SOA is the zone's, not the node's: a new serial replaces no node. */
static void add_apex_soa(struct pin_answering *a)
{
    const struct pin_soa *soa = pin_rcu_deref(a->node->zone->soa);
    pin_response_add_soa(&a->response, PIN_SECTION_ANSWER, soa, a->subject.at, UINT32_MAX);
    pin_response_note_expire(&a->response, soa);
}

/* Answers ANY with one small RRset (RFC 8482, section 4.2). False: the name has no data at all. */
static bool add_any(struct pin_answering *a)
{
    static const uint8_t hinfo[] = {
        0xC0, 0x0C, 0, 13, 0, 1, 0, 0, 0x0E, 0x10, 0, 9, 7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
    bool has_data = is_apex(a->node);
    for (uint16_t i = 0; i < a->node->n_rrsets && !has_data; i++) {
        uint16_t type = pin_node_rrsets(a->node)[i].type;
        has_data = type != PIN_TYPE_PARTS && pin_answering_shown(a, type) != NULL;
    }
    if (has_data) {
        pin_response_add_rr(&a->response, PIN_SECTION_ANSWER, hinfo, sizeof(hinfo), a->subject.at);
    }
    return has_data;
}

/* Adds what the subject's node has for the question's type. False: it has nothing of it. */
static bool add_wanted(struct pin_answering *a)
{
    uint16_t qtype = a->query.qtype;
    const struct pin_table *table = a->data;
    if (pin_likely(table != NULL)) {
        size_t table_at = add_data(a, table);
        if (pin_unlikely(pin_table_nodata(table) != 0 || pin_table_checked(table) != NULL)
            && a->response.used_bytes == table_at && !a->response.is_truncated) {
            a->response.ede = PIN_EDE_NONE; /* this answer holds nobody's data */
            return false;
        }
        if (table->n_extras > 0) {
            pin_response_add_extras(&a->response, table, table_at, &a->worker->draws);
        }
        return true;
    }
    if (qtype == PIN_TYPE_SOA && is_apex(a->node)) {
        add_apex_soa(a);
        return true;
    }
    return qtype == PIN_TYPE_ANY && pin_answering_shown(a, PIN_TYPE_CNAME) == NULL && add_any(a);
}

/* Adds the alias at the subject's node and makes its target the subject. False: there is no alias.
 * `ret_target` holds the target's name. */
static bool follow_alias(struct pin_answering *a, struct pin_name *ret_target)
{
    const struct pin_table *alias = pin_answering_shown(a, PIN_TYPE_CNAME);
    if (alias == NULL) {
        return false;
    }
    pin_outside_keep_query(a);
    size_t alias_at = add_data(a, alias);
    const uint8_t *target = alias->wire + PIN_RDATA_AT;
    size_t bytes = pin_name_wire_bytes(target);
    pin_name_lower(ret_target->wire, target, bytes);
    ret_target->bytes = (uint8_t)bytes;
    pin_answering_look_for(a, ret_target->wire, bytes, alias_at + PIN_RDATA_AT);
    return true;
}

/* SOA and NS at an apex are the zone's, whatever route has its name. */
static bool asks_for_zone(const struct pin_answering *a)
{
    bool is_of_zone = a->query.qtype == PIN_TYPE_SOA || a->query.qtype == PIN_TYPE_NS;
    return is_of_zone && is_apex(a->node);
}

/* Shows a denied asker nothing, not even the aliases that led here; or that there is no such name.
 * False: the asker may see the node. */
static bool deny(struct pin_answering *a)
{
    switch (judge(a, a->judged)) {
    case PIN_POLICY_NXDOMAIN:
        add_negative(a, a->zone, PIN_RCODE_NXDOMAIN);
        return true;
    case PIN_POLICY_REFUSED:
        pin_response_clear(&a->response, &a->query);
        a->response.is_authoritative = false;
        return pin_answering_refuse(a, PIN_EDE_PROHIBITED);
    default:
        return false;
    }
}

/* --- putting it together -------------------------------------------------------------------- */

/* Answers a name that no node stands for, from tables. */
static void settle_synth(struct pin_answering *a)
{
    struct pin_synth synth = {.live = a->worker->live,
        .scene = a->scene,
        .from = a->synth,
        .parts = a->parts,
        .dashed = a->dashed,
        .name = a->subject.name,
        .bytes = a->subject.bytes,
        .at = a->subject.at,
        .encloser_at = a->synth_at,
        .zone = a->zone,
        .qtype = a->query.qtype,
        .view_id = a->asker.parent_id,
        .draws = &a->worker->draws,
        .response = &a->response};
    struct pin_synth_zone own;
    if (a->synth != PIN_FROM_DASHED || a->scene->lacks != NULL) { /* else the same for all */
        widen_scope(a);
    }
    enum pin_synth_verdict verdict = pin_synth_answer(&synth, &own);
    if (verdict != PIN_SYNTH_DATA) {
        add_negative(a, a->synth == PIN_FROM_REVERSE ? &own.zone : a->zone,
            verdict == PIN_SYNTH_NODATA ? PIN_RCODE_NOERROR : PIN_RCODE_NXDOMAIN);
    }
}

/* Settles the subject when it is not an alias. False: it was one, and its target is the subject
 * now. */
static bool settle_subject(struct pin_answering *a, struct pin_name *target)
{
    if (a->node == NULL && pin_unlikely(a->synth != PIN_FROM_NODE)) {
        settle_synth(a);
        return true;
    }
    bool is_settled = true;
    bool is_others = (a->encloser->flags & PIN_NODE_OTHERS) != 0;
    if (pin_unlikely(is_others) && pin_answer_turn_away(a, target, &is_settled)) {
        return is_settled;
    }
    if (a->node == NULL) {
        /* Below a guarded name, what is missing is not told from its ports and addresses. */
        a->judged = is_apex(a->encloser) ? NULL : a->encloser->policy;
        if (a->judged == NULL || !deny(a)) {
            add_negative(a, a->zone, PIN_RCODE_NXDOMAIN);
        }
        return true;
    }
    if (pin_unlikely(a->node->policy != a->judged) && !asks_for_zone(a)) {
        a->judged = a->node->policy;
        if (a->judged != NULL && deny(a)) {
            return true;
        }
    }
    if (pin_likely(add_wanted(a))) {
        return true;
    }
    if (a->query.qtype != PIN_TYPE_CNAME && follow_alias(a, target)) {
        bool has_no_room = a->subject.at >= a->response.used_bytes;
        return a->query.qtype == PIN_TYPE_ANY || has_no_room;
    }
    add_negative(a, a->zone, PIN_RCODE_NOERROR);
    return true;
}

/* Goes on to the targets of aliases (RFC 1034, section 4.3.2, step 3a): in our zones, and for who
 * may in those of others. A name that was answered already ends it: aliases in a circle are shown
 * once each (RFC 2181, section 5). */
static enum pin_outside follow_targets(
    struct pin_answering *a, struct pin_name *target, enum pin_outside outside)
{
    uint64_t seen[CHASE_MAX + 1];
    seen[0] = pin_index_hash(a->worker->live->index, a->query.qname, a->query.qname_bytes);
    for (unsigned hop = 0; outside == PIN_OUTSIDE_ALIAS && hop < CHASE_MAX; hop++) {
        for (unsigned i = 0; i <= hop; i++) {
            if (seen[i] == a->subject.hash) {
                return PIN_OUTSIDE_SETTLED;
            }
        }
        seen[hop + 1] = a->subject.hash;
        if (!pin_answering_look_up(a)) {
            outside = pin_outside_follow(a, target);
            continue;
        }
        a->data = pin_answering_shown(a, a->query.qtype);
        if (settle_subject(a, target)) {
            return PIN_OUTSIDE_SETTLED;
        }
    }
    return outside;
}

/* Answers what was looked up, and what its aliases lead to. Each RRset comes from one node as it is
 * now. True: the answer comes later. */
static bool answer_subjects(struct pin_answering *a)
{
    struct pin_name target;
    enum pin_outside outside = PIN_OUTSIDE_ALIAS;
    a->response.is_authoritative = !a->is_outside;
    a->judged = NULL;
    if (pin_unlikely(a->is_outside)) {
        outside = pin_outside_answer(a, &target);
    } else if (settle_subject(a, &target)) {
        return false;
    }
    return follow_targets(a, &target, outside) == PIN_OUTSIDE_LATER;
}

/* --- one query, stroke by stroke ------------------------------------------------------------ */

/* Reads the query and goes down the page until a step settles it. */
static void begin(struct pin_answering *a, struct pin_worker *worker,
    const struct pin_client *client, const struct pin_packet *packet)
{
    a->worker = worker;
    a->client = client;
    a->zone = NULL;
    a->is_settled = true;
    a->is_outside = false;
    a->query_bytes = packet->bytes;
    a->verdict = pin_query_parse(packet->wire, packet->bytes, &a->query);
    a->tap_note = PIN_TAP_NONE;
    if (worker->tap != NULL && pin_unlikely(pin_tap_is_open(worker->tap))) {
        a->tap_note = pin_tap_begin(worker->tap, client->asked_ns, packet->wire, packet->bytes);
        a->is_denied = false;
        a->scene = NULL;
        a->node = NULL; /* a question in another class looks nothing up */
        a->synth = PIN_FROM_NODE;
    }
    if (a->verdict == PIN_QUERY_DROP) {
        return;
    }
    pin_response_init(&a->response, packet, &a->query, client->transport != PIN_TRANSPORT_UDP);
    a->response.verdicts = worker->live->verdicts;
    if (pin_unlikely(a->query.options != 0)) {
        a->cookie = pin_manners_meet(worker, client, &a->query, &a->response);
    }
    a->is_settled = check_opcode(a) || check_form(a) || check_version(a) || check_cookie(a)
                    || check_signature(a) || check_class(a) || check_transfer(a)
                    || check_root_ns(a);
    if (!a->is_settled) {
        pin_answering_look_for(a, a->query.qname, a->query.qname_bytes, PIN_HEADER_BYTES);
    }
}

static void fetch_node(const struct pin_answering *a)
{
    if (!a->is_settled) {
        pin_index_fetch(a->worker->live->index, a->subject.hash);
    }
}

/* Sees who asks, and looks the name up; names of others in the cache. */
static void find_name(struct pin_answering *a)
{
    if (a->is_settled) {
        return;
    }
    if (pin_unlikely(a->query.qtype == PIN_TYPE_PARTS)) {
        a->query.qtype = PIN_TYPE_OPT; /* reserved, too, and no node has it */
    }
    pin_answering_find_view(a);
    if (pin_unlikely(check_subnet(a))) {
        a->is_settled = true;
        return;
    }
    if (pin_unlikely(a->worker->forward != NULL)) {
        pin_outside_meet(a);
    }
    if (pin_unlikely(!pin_answering_look_up(a))) {
        a->is_settled = pin_outside_begin(a);
        a->is_outside = !a->is_settled;
    }
    a->origin_at = (uint8_t)a->encloser_at;
}

/* Has memory bring what the asker is shown. */
static void fetch_data(struct pin_answering *a)
{
    if (a->is_settled) {
        return;
    }
    if (pin_unlikely(a->is_outside)) {
        pin_outside_fetch(a);
        return;
    }
    a->data = pin_answering_shown(a, a->query.qtype);
    const char *table = (const char *)a->data;
    for (size_t at = 0; table != NULL && at < FETCH_BYTES; at += LINE_BYTES) {
        __builtin_prefetch(table + at);
    }
}

/* Counts the answer, and says for how long it counts when it is stale. */
static void count(struct pin_answering *a)
{
    struct pin_stats *stats = &a->worker->stats;
    pin_stats_count(stats, a->client->transport, a->query.qtype, a->response.rcode);
    if (pin_unlikely(a->response.is_truncated)) {
        pin_stat_add(&stats->n_truncated, 1);
    }
    if (pin_unlikely(a->response.ede == PIN_EDE_STALE_ANSWER) && !a->is_outside) {
        pin_stat_add(&stats->n_stale, 1);
        /* what may be out of date is not kept for long (RFC 8767, section 4) */
        pin_response_cap_ttls(&a->response, a->query.question_end, PIN_STALE_TTL_S);
    }
}

/* Writes the answer. Returns its length; 0 is silence, PIN_ANSWER_LATER leaves it to others. */
static size_t finish(struct pin_answering *a)
{
    if (a->verdict == PIN_QUERY_DROP) {
        pin_stat_add(&a->worker->stats.n_dropped, 1);
        return 0;
    }
    if (!a->is_settled && pin_unlikely(answer_subjects(a))) {
        return PIN_ANSWER_LATER;
    }
    if (pin_unlikely(a->worker->limiter != NULL) && pin_answer_withhold(a)) {
        return 0;
    }
    count(a);
    if (pin_unlikely(a->response.source != NULL)) {
        a->response.tsig = NULL; /* the source signs; what is noted is how it begins */
        a->worker->source = a->response.source;
    }
    size_t bytes = pin_response_finish(&a->response, &a->query);
    if (pin_unlikely(a->tap_note != PIN_TAP_NONE)) {
        struct pin_tap_why why;
        pin_answer_trace(a, &why);
        pin_tap_end(a->worker->tap, a->tap_note, a->client, &a->response, &why);
    }
    return pin_likely(a->response.source == NULL) ? bytes : PIN_ANSWER_SOURCE;
}

/* The time, read once for many; only what is cached has an age. */
static void read_clock(const struct pin_worker *worker)
{
    if (pin_unlikely(worker->forward != NULL)) {
        worker->forward->now_ms = pin_clock_mono_ms();
    }
}

size_t pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet)
{
    struct pin_answering a; /* not cleared: each stroke fills what it finds */
    worker->wall_s = 0;
    read_clock(worker);
    begin(&a, worker, client, packet);
    find_name(&a);
    fetch_data(&a);
    return finish(&a);
}

/* Each stroke runs over the group, so that one query's wait for memory is another's work. */
static void answer_group(struct pin_worker *worker, struct pin_exchange *exchanges, size_t n)
{
    struct pin_answering group[GROUP];
    for (size_t i = 0; i < n; i++) {
        begin(&group[i], worker, &exchanges[i].client, &exchanges[i].packet);
    }
    for (size_t i = 0; i < n; i++) {
        fetch_node(&group[i]);
    }
    for (size_t i = 0; i < n; i++) {
        find_name(&group[i]);
    }
    for (size_t i = 0; i < n; i++) {
        fetch_data(&group[i]);
    }
    for (size_t i = 0; i < n; i++) {
        exchanges[i].answer_bytes = finish(&group[i]);
    }
}

void pin_answer_batch(struct pin_worker *worker, struct pin_exchange *exchanges, size_t n)
{
    worker->wall_s = 0;
    read_clock(worker);
    for (size_t at = 0; at < n; at += GROUP) {
        answer_group(worker, exchanges + at, PIN_MIN(n - at, (size_t)GROUP));
    }
}
