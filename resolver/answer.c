/* SPDX-License-Identifier: Apache-2.0 */

/* The decision what a query is answered with: a page of steps, each settles it or passes on. */

#include "answer.h"

#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/index.h"
#include "pintle/zones/pods.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/view.h"

#include "asker.h"
#include "query.h"
#include "signing.h"
#include "synth.h"
#include "worker.h"

#define TYPE_IXFR 251u
#define TYPE_AXFR 252u

/* Aliases followed in one answer; an alias beyond is the client's to follow. */
#define CHASE_MAX 8u
/* Where the RDATA of a table's first RR starts. */
#define RDATA_AT 12u

/* One name that is looked up: the question's, or the target of an alias. */
struct subject {
    const uint8_t *name; /* lower case */
    size_t bytes;
    uint64_t hash; /* pin_index_hash() of the name */
    size_t at;     /* offset in the message, of the name as the client sees it */
};

/* Queries of a batch that are worked on side by side: enough to wait for memory together, few
 * enough to stay in the nearest cache. */
#define GROUP 16u
/* How much of a table is fetched ahead: its head, and the addresses of a usual answer behind it. */
#define FETCH_BYTES 256u
#define LINE_BYTES  64u

/* All that is known about one query. */
struct answer {
    struct pin_worker *worker;
    const struct pin_client *client;
    const struct pin_scene *scene;
    struct subject subject;
    const struct pin_node *encloser; /* the subject's own node, or the nearest above it */
    size_t encloser_at;              /* where in the subject's name the encloser's begins */
    struct pin_zone *zone;           /* the one that encloses the subject */
    const struct pin_node
        *node; /* of the subject, or of the wildcard that stands for it, or NULL */
    const struct pin_table
        *data; /* what the node shows this asker for the question's type, or NULL */
    struct pin_response response;
    const struct pin_policy *judged; /* the last policy that let the asker pass, or NULL */
    const uint8_t *parts;            /* PIN_FROM_PARTS: the service's */
    size_t synth_at; /* PIN_FROM_PODS, _PARTS: where "pod" or the service starts in the subject */
    enum pin_synth_from synth;
    enum pin_query_verdict verdict;
    struct pin_asker asker; /* whose answers the client gets */
    uint16_t view_id;       /* the same, or PIN_VIEW_OWN for a name of the asker's own cluster */
    uint16_t parent_id;     /* what counts for names that say nothing about that view */
    bool is_settled;
    bool is_vouched;     /* a trusted forwarder says who asks: `vouched` is filled */
    bool is_view_by_ecs; /* ... and the view comes from there */
    struct pin_query query;
    struct pin_vouched vouched;
    struct pin_tsig tsig; /* of a signed query */
};

static bool settle(struct answer *a, uint16_t rcode)
{
    a->response.rcode = rcode;
    return true;
}

/* A refusal says nothing about names, so that it is the same for all of them. */
static bool refuse(struct answer *a, uint16_t ede)
{
    a->response.ede = ede;
    return settle(a, PIN_RCODE_REFUSED);
}

/* --- steps: is it a question for us ------------------------------------------------------- */

/* NOTIFY, UPDATE, DSO and unknown opcodes: nothing in them is looked at. */
static bool check_opcode(struct answer *a)
{
    return a->query.opcode != 0 && settle(a, PIN_RCODE_NOTIMP);
}

static bool check_form(struct answer *a)
{
    return a->verdict == PIN_QUERY_FORMERR && settle(a, PIN_RCODE_FORMERR);
}

static bool check_version(struct answer *a)
{
    return a->query.edns_version != 0 && settle(a, PIN_RCODE_BADVERS);
}

/* A signed query is never taken for an unsigned one. */
static bool check_signature(struct answer *a)
{
    return pin_unlikely(a->query.has_tsig)
           && !pin_signing_check(a->worker->keys, &a->query, &a->response, &a->tsig);
}

static bool check_class(struct answer *a)
{
    return a->query.qclass != PIN_CLASS_IN && refuse(a, PIN_EDE_NONE);
}

static bool check_transfer(struct answer *a)
{
    bool is_transfer = a->query.qtype == TYPE_AXFR || a->query.qtype == TYPE_IXFR;
    return is_transfer && refuse(a, PIN_EDE_NONE);
}

/* CoreDNS's forward plugin asks ". NS" as its health check: refused at once, never passed on. */
static bool check_root_ns(struct answer *a)
{
    bool is_probe = a->query.qname_bytes == 1 && a->query.qtype == PIN_TYPE_NS;
    return is_probe && refuse(a, PIN_EDE_NOT_AUTHORITATIVE);
}

/* --- steps: what is there ----------------------------------------------------------------- */

/* Takes a trusted forwarder's word, before the answer is written over it. */
static void find_vouched(struct answer *a)
{
    struct pin_ip sender = pin_ip_from_sockaddr(a->client->peer);
    a->is_vouched = pin_vouched_read(a->scene, &sender, &a->query, a->response.wire, &a->vouched);
}

/* Whose view: what the listener says, else a trusted forwarder, else whose the source is. */
static void find_view(struct answer *a)
{
    a->scene = pin_rcu_deref(a->worker->live->scene);
    a->is_vouched = false;
    a->is_view_by_ecs = false;
    if (pin_unlikely(a->query.ecs.bytes > 0)) {
        find_vouched(a);
    }
    struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
    if (a->client->listen_cluster_id != PIN_CLUSTER_NONE) {
        /* The zone, at most: */
        a->is_view_by_ecs = a->is_vouched && a->scene->n_views > a->scene->n_clusters + 1;
        a->asker = pin_scene_member(a->scene, a->client->listen_cluster_id,
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

/* Makes a name the one that is looked up; memory begins to bring what the lookup needs. */
static void set_subject(struct answer *a, const uint8_t *name, size_t bytes, size_t at)
{
    a->subject = (struct subject){
        .name = name,
        .bytes = bytes,
        .hash = pin_index_hash(a->worker->live->index, name, bytes),
        .at = at,
    };
}

/* Notes that askers elsewhere may get another answer (RFC 7871, section 7.2.1). */
static void widen_scope(struct answer *a)
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

/* Answers what is below a service from its parts, or by another node. `encloser` is the nearest
 * node, `bytes` of the subject's labels stand in front of it. */
static void look_up_service(struct answer *a, const struct pin_node *encloser, size_t bytes)
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
static void look_up_own(struct answer *a)
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
    if (zone != NULL && a->node == NULL && pin_unlikely(pin_synth_has_zone(name.wire))) {
        size_t bytes = 0;
        const struct pin_node *encloser =
            pin_index_enclose(a->worker->live->index, name.wire, name.bytes, &bytes);
        look_up_service(a, encloser, bytes);
    }
}

/* Whether the subject lies in a reverse zone, which no node stands for. */
static bool look_up_reverse(struct answer *a)
{
    struct pin_reverse_question q;
    bool is_ours = a->worker->live->reverse != NULL && a->scene->reverse != NULL
                   && pin_reverse_parse(a->scene->reverse, a->subject.name, a->subject.bytes, &q);
    a->synth = is_ours ? PIN_FROM_REVERSE : PIN_FROM_NODE;
    return is_ours;
}

/* Finds the subject's zone and node. False: no zone of ours encloses it. */
static bool look_up(struct answer *a)
{
    const struct pin_index *index = a->worker->live->index;
    a->view_id = a->asker.view_id;
    a->parent_id = a->asker.parent_id;
    a->synth = PIN_FROM_NODE;
    a->encloser = pin_index_enclose_hashed(
        index, a->subject.name, a->subject.bytes, a->subject.hash, &a->encloser_at);
    a->node = a->encloser;
    if (pin_unlikely(a->node == NULL)) {
        return look_up_reverse(a);
    }
    a->zone = a->node->zone;
    if (a->encloser_at == 0) {
        if (pin_unlikely(a->node->n_rrsets == 0)) {
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
    } else {
        a->node = pin_index_wildcard(index, a->encloser);
        if (a->node == NULL) {
            look_up_service(a, a->encloser, a->encloser_at);
        }
    }
    return true;
}

/* What the subject's node shows this asker for one type, or NULL. */
static const struct pin_table *shown(struct answer *a, uint16_t type)
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

/* Who asks, for a policy: a lent view gives no identity. */
static struct pin_policy_asker identify(const struct answer *a)
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
    if (a->client->listen_cluster_id != PIN_CLUSTER_NONE) {
        asker.cluster_id = a->client->listen_cluster_id;
    }
    pin_asker_find_namespace(a->worker->live->pods, &asker);
    return asker;
}

/* Leaves word for the log, if there is room. */
static void sample(struct answer *a, const struct pin_policy_asker *asker, uint16_t slot)
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
static enum pin_policy_verdict judge(struct answer *a, const struct pin_policy *policy)
{
    struct pin_policy_asker asker = identify(a);
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
    }
    return verdict;
}

/* --- what is answered --------------------------------------------------------------------- */

/* Says no: with the zone's SOA, or not at all before the clusters have been seen. */
static void add_negative(struct answer *a, const struct pin_zone *zone, uint16_t rcode)
{
    if (zone->is_synced_from_clusters && !a->scene->is_ready) {
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
static void stick(struct answer *a)
{
    struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
    a->response.asker_key = pin_asker_key(&source, a->is_vouched ? &a->vouched : NULL);
    if (a->is_vouched) {
        uint8_t scope = pin_asker_key_scope(&a->vouched, &a->query);
        a->response.ecs_scope = PIN_MAX(a->response.ecs_scope, scope);
    }
}

/* Adds a table to the answer; returns where its RRs start. */
static size_t add_data(struct answer *a, const struct pin_table *table)
{
    if (pin_unlikely(a->scene->has_down)
        && pin_scene_any_down(a->scene, table->clusters, table->n_clusters)) {
        a->response.ede = PIN_EDE_STALE_ANSWER;
    }
    if (pin_unlikely(table->is_sticky)) {
        stick(a);
    }
    return pin_response_add_table(
        &a->response, PIN_SECTION_ANSWER, table, &a->worker->draws, a->subject.at);
}

/* The SOA is the zone's, not the node's: a new serial replaces no node. */
static void add_apex_soa(struct answer *a)
{
    pin_response_add_soa(&a->response, PIN_SECTION_ANSWER, pin_rcu_deref(a->node->zone->soa),
        a->subject.at, UINT32_MAX);
}

/* Answers ANY with one small RRset (RFC 8482, section 4.2). False: the name has no data at all. */
static bool add_any(struct answer *a)
{
    static const uint8_t hinfo[] = {
        0xC0, 0x0C, 0, 13, 0, 1, 0, 0, 0x0E, 0x10, 0, 9, 7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
    bool has_data = is_apex(a->node);
    for (uint16_t i = 0; i < a->node->n_rrsets && !has_data; i++) {
        uint16_t type = a->node->rrsets[i].type;
        has_data = type != PIN_TYPE_PARTS && shown(a, type) != NULL;
    }
    if (has_data) {
        pin_response_add_rr(&a->response, PIN_SECTION_ANSWER, hinfo, sizeof(hinfo), a->subject.at);
    }
    return has_data;
}

/* Adds what the subject's node has for the question's type. False: it has nothing of it. */
static bool add_wanted(struct answer *a)
{
    uint16_t qtype = a->query.qtype;
    const struct pin_table *table = a->data;
    if (pin_likely(table != NULL)) {
        size_t table_at = add_data(a, table);
        if (pin_unlikely(table->nodata != 0 || table->checked != NULL)
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
    return qtype == PIN_TYPE_ANY && shown(a, PIN_TYPE_CNAME) == NULL && add_any(a);
}

/* Adds the alias at the subject's node and makes its target the subject. False: there is no alias.
 * `ret_target` holds the target's name. */
static bool follow_alias(struct answer *a, struct pin_name *ret_target)
{
    const struct pin_table *alias = shown(a, PIN_TYPE_CNAME);
    if (alias == NULL) {
        return false;
    }
    size_t alias_at = add_data(a, alias);
    const uint8_t *target = alias->wire + RDATA_AT;
    size_t bytes = pin_name_wire_bytes(target);
    pin_name_lower(ret_target->wire, target, bytes);
    ret_target->bytes = (uint8_t)bytes;
    set_subject(a, ret_target->wire, bytes, alias_at + RDATA_AT);
    return true;
}

/* SOA and NS at an apex are the zone's, whatever route has its name. */
static bool asks_for_zone(const struct answer *a)
{
    bool is_of_zone = a->query.qtype == PIN_TYPE_SOA || a->query.qtype == PIN_TYPE_NS;
    return is_of_zone && is_apex(a->node);
}

/* Shows a denied asker nothing, not even the aliases that led here; or that there is no such name.
 * False: the asker may see the node. */
static bool deny(struct answer *a)
{
    switch (judge(a, a->judged)) {
    case PIN_POLICY_NXDOMAIN:
        add_negative(a, a->zone, PIN_RCODE_NXDOMAIN);
        return true;
    case PIN_POLICY_REFUSED:
        pin_response_clear(&a->response, &a->query);
        a->response.is_authoritative = false;
        return refuse(a, PIN_EDE_PROHIBITED);
    default:
        return false;
    }
}

/* --- names that are others' ---------------------------------------------------------------- */

/* What the encloser shows this asker for one type, or NULL. */
static const struct pin_table *enclosing(const struct answer *a, uint16_t type)
{
    const struct pin_rrset *rrset = pin_node_rrset(a->encloser, type);
    return rrset != NULL ? pin_rrset_table(rrset, a->view_id, a->parent_id) : NULL;
}

/* The name servers that the subject is delegated to, or NULL. A DS is the parent's (RFC 4035,
 * section 3.1.4.1). */
static const struct pin_table *delegation(const struct answer *a)
{
    bool is_cut = (a->encloser->flags & PIN_NODE_IS_CUT) != 0
                  && (a->encloser_at != 0 || a->query.qtype != PIN_TYPE_DS);
    return is_cut ? enclosing(a, PIN_TYPE_NS) : NULL;
}

/* RRs of the addresses that a referral has to carry. */
static unsigned count_glue(const struct pin_table *ns)
{
    unsigned n = 0;
    for (uint16_t i = 0; i < ns->n_extras && i < PIN_EXTRAS_MAX; i++) {
        n += ns->extras[i].a != NULL ? ns->extras[i].a->n_rr : 0u;
        n += ns->extras[i].aaaa != NULL ? ns->extras[i].aaaa->n_rr : 0u;
    }
    return n;
}

/* Sends the client to others; without their addresses it could not get there, so glue that does not
 * fit sets TC (RFC 9471). */
static void refer(struct answer *a, const struct pin_table *ns)
{
    struct pin_response *response = &a->response;
    response->is_authoritative = response->n_rr[PIN_SECTION_ANSWER] > 0;
    size_t at = pin_response_add_table(
        response, PIN_SECTION_AUTHORITY, ns, &a->worker->draws, a->subject.at + a->encloser_at);
    pin_response_add_extras(response, ns, at, &a->worker->draws);
    if (response->n_rr[PIN_SECTION_ADDITIONAL] < count_glue(ns) && !response->is_stream) {
        response->is_truncated = true;
    }
}

/* The CNAME that stands for a DNAME's answer to the subject (RFC 6672, section 3.1). Returns its
 * length; 0 when the new name is too long. */
static size_t put_synthesized(const struct answer *a, const struct pin_table *dname,
    uint8_t rr[RDATA_AT + PIN_NAME_MAX_BYTES])
{
    const uint8_t *target = dname->wire + RDATA_AT;
    size_t target_bytes = pin_name_wire_bytes(target);
    size_t bytes = a->encloser_at + target_bytes;
    if (bytes > PIN_NAME_MAX_BYTES) {
        return 0;
    }
    memcpy(rr, dname->wire, RDATA_AT);
    rr[3] = PIN_TYPE_CNAME; /* class and TTL are the DNAME's */
    rr[RDATA_AT - 2] = 0;
    rr[RDATA_AT - 1] = (uint8_t)bytes;
    memcpy(rr + RDATA_AT, a->response.wire + a->subject.at, a->encloser_at);
    memcpy(rr + RDATA_AT + a->encloser_at, target, target_bytes);
    return RDATA_AT + bytes;
}

/* Adds a DNAME and the alias it makes, whose target is the subject then. False: the answer ends
 * here. */
static bool follow_dname(struct answer *a, const struct pin_table *dname, struct pin_name *target)
{
    uint8_t rr[RDATA_AT + PIN_NAME_MAX_BYTES];
    struct pin_response *response = &a->response;
    size_t rr_bytes = put_synthesized(a, dname, rr);
    (void)pin_response_add_table(
        response, PIN_SECTION_ANSWER, dname, &a->worker->draws, a->subject.at + a->encloser_at);
    if (rr_bytes == 0) {
        response->rcode = PIN_RCODE_YXDOMAIN;
        return false;
    }
    size_t rr_at = response->used_bytes;
    pin_response_add_rr(response, PIN_SECTION_ANSWER, rr, rr_bytes, a->subject.at);
    if (response->used_bytes == rr_at || a->query.qtype == PIN_TYPE_CNAME
        || a->query.qtype == PIN_TYPE_ANY) {
        return false;
    }
    target->bytes = (uint8_t)(rr_bytes - RDATA_AT);
    pin_name_lower(target->wire, rr + RDATA_AT, target->bytes);
    set_subject(a, target->wire, target->bytes, rr_at + RDATA_AT);
    return true;
}

/* Settles a subject at or below a delegation, or below a DNAME. `ret_is_settled` false: the target
 * of the DNAME is the subject now. False: it is neither. */
static bool turn_away(struct answer *a, struct pin_name *target, bool *ret_is_settled)
{
    const struct pin_table *ns = delegation(a);
    *ret_is_settled = true;
    if (ns != NULL) {
        refer(a, ns);
        return true;
    }
    bool is_below = (a->encloser->flags & PIN_NODE_HAS_DNAME) != 0 && a->encloser_at != 0;
    const struct pin_table *dname = is_below ? enclosing(a, PIN_TYPE_DNAME) : NULL;
    if (dname == NULL) {
        return false;
    }
    *ret_is_settled = !follow_dname(a, dname, target);
    return true;
}

/* Answers a name that no node stands for, from tables. */
static void settle_synth(struct answer *a)
{
    struct pin_synth synth = {.live = a->worker->live,
        .scene = a->scene,
        .from = a->synth,
        .parts = a->parts,
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
    widen_scope(a);
    enum pin_synth_verdict verdict = pin_synth_answer(&synth, &own);
    if (verdict != PIN_SYNTH_DATA) {
        add_negative(a, a->synth == PIN_FROM_REVERSE ? &own.zone : a->zone,
            verdict == PIN_SYNTH_NODATA ? PIN_RCODE_NOERROR : PIN_RCODE_NXDOMAIN);
    }
}

/* Settles the subject when it is not an alias. False: it was one, and its target is the subject
 * now. */
static bool settle_subject(struct answer *a, struct pin_name *target)
{
    if (a->node == NULL && pin_unlikely(a->synth != PIN_FROM_NODE)) {
        settle_synth(a);
        return true;
    }
    bool is_settled = true;
    bool is_others = (a->encloser->flags & (PIN_NODE_IS_CUT | PIN_NODE_HAS_DNAME)) != 0;
    if (pin_unlikely(is_others) && turn_away(a, target, &is_settled)) {
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

/* Answers what was looked up, and goes on to the targets of aliases while they lie in our zones
 * (RFC 1034, section 4.3.2, step 3a). Each RRset comes from one node as it is now. */
static void answer_from_zones(struct answer *a)
{
    struct pin_name target;
    a->response.is_authoritative = true;
    a->judged = NULL;
    for (unsigned hop = 0; !settle_subject(a, &target); hop++) {
        if (hop == CHASE_MAX || !look_up(a)) {
            break;
        }
        a->data = shown(a, a->query.qtype);
    }
}

/* --- one query, stroke by stroke ------------------------------------------------------------ */

/* Reads the query and goes down the page until a step settles it. */
static void begin(struct answer *a, struct pin_worker *worker, const struct pin_client *client,
    const struct pin_packet *packet)
{
    a->worker = worker;
    a->client = client;
    a->is_settled = true;
    a->verdict = pin_query_parse(packet->wire, packet->bytes, &a->query);
    if (a->verdict == PIN_QUERY_DROP) {
        return;
    }
    pin_response_init(&a->response, packet, &a->query, client->transport != PIN_TRANSPORT_UDP);
    a->response.verdicts = worker->live->verdicts;
    a->is_settled = check_opcode(a) || check_form(a) || check_version(a) || check_signature(a)
                    || check_class(a) || check_transfer(a) || check_root_ns(a);
    if (!a->is_settled) {
        set_subject(a, a->query.qname, a->query.qname_bytes, PIN_HEADER_BYTES);
    }
}

static void fetch_node(const struct answer *a)
{
    if (!a->is_settled) {
        pin_index_fetch(a->worker->live->index, a->subject.hash);
    }
}

/* Sees who asks, and looks the name up. The end of the page: forwarding will take its place between
 * our zones and this refusal. */
static void find_name(struct answer *a)
{
    if (a->is_settled) {
        return;
    }
    if (pin_unlikely(a->query.qtype == PIN_TYPE_PARTS)) {
        a->query.qtype = PIN_TYPE_OPT; /* reserved, too, and no node has it */
    }
    find_view(a);
    a->is_settled = !look_up(a) && refuse(a, PIN_EDE_NOT_AUTHORITATIVE);
}

/* Has memory bring what the asker is shown. */
static void fetch_data(struct answer *a)
{
    if (a->is_settled) {
        return;
    }
    a->data = shown(a, a->query.qtype);
    const char *table = (const char *)a->data;
    for (size_t at = 0; table != NULL && at < FETCH_BYTES; at += LINE_BYTES) {
        __builtin_prefetch(table + at);
    }
}

static void count(struct answer *a)
{
    struct pin_stats *stats = &a->worker->stats;
    pin_stats_count(stats, a->client->transport, a->query.qtype, a->response.rcode);
    if (pin_unlikely(a->response.is_truncated)) {
        pin_stat_add(&stats->n_truncated, 1);
    }
    if (pin_unlikely(a->response.ede == PIN_EDE_STALE_ANSWER)) {
        pin_stat_add(&stats->n_stale, 1);
    }
}

/* Writes the answer. Returns its length; 0 is silence. */
static size_t finish(struct answer *a)
{
    if (a->verdict == PIN_QUERY_DROP) {
        pin_stat_add(&a->worker->stats.n_dropped, 1);
        return 0;
    }
    if (!a->is_settled) {
        answer_from_zones(a);
    }
    count(a);
    return pin_response_finish(&a->response, &a->query);
}

size_t pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet)
{
    struct answer a; /* not cleared: each stroke fills what it finds */
    begin(&a, worker, client, packet);
    find_name(&a);
    fetch_data(&a);
    return finish(&a);
}

/* Each stroke runs over the group, so that one query's wait for memory is another's work. */
static void answer_group(struct pin_worker *worker, struct pin_exchange *exchanges, size_t n)
{
    struct answer group[GROUP];
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
    for (size_t at = 0; at < n; at += GROUP) {
        answer_group(worker, exchanges + at, PIN_MIN(n - at, (size_t)GROUP));
    }
}
