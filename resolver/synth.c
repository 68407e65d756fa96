/* SPDX-License-Identifier: Apache-2.0 */

/* Answers written from tables: PTR records, and the names of pods. */

#include "synth.h"

#include <string.h>

#include "pintle/base/buf.h"

#define RR_HEAD_BYTES 12u

/* Adds one RR of the asked name. */
static void add_rr_for(
    const struct pin_synth *s, uint16_t type, uint32_t ttl_s, const void *rdata, uint16_t bytes)
{
    uint8_t rr[RR_HEAD_BYTES + PIN_NAME_MAX_BYTES];
    struct pin_buf w = pin_buf_init(rr, sizeof(rr));
    pin_buf_put_u16(&w, PIN_OWNER_POINTER);
    pin_buf_put_u16(&w, type);
    pin_buf_put_u16(&w, PIN_CLASS_IN);
    pin_buf_put_u32(&w, ttl_s);
    pin_buf_put_u16(&w, bytes);
    pin_buf_put_bytes(&w, rdata, bytes);
    pin_response_add_rr(s->response, PIN_SECTION_ANSWER, rr, pin_buf_used(&w), s->at);
}

static void add_rr(const struct pin_synth *s, uint16_t type, const void *rdata, uint16_t bytes)
{
    add_rr_for(s, type, s->live->reverse->ttl_s, rdata, bytes);
}

void pin__synth_note_stale(const struct pin_synth *synth, uint16_t cluster_id)
{
    if (synth->scene->has_down && pin_scene_any_down(synth->scene, &cluster_id, 1)) {
        synth->response->ede = PIN_EDE_STALE_ANSWER;
    }
}

/* --- PTR -------------------------------------------------------------------------------------- */

/* Which names of an address count for the asker: its own cluster's, else all clusters', else the
 * clusterset's. */
enum pick {
    PIN_PTR_OWN,
    PIN_PTR_CLUSTERS,
    PIN_PTR_CLUSTER_SET,
};

static bool is_own(const struct pin_synth *s, const struct pin_reverse_name *name)
{
    return name->kind != PIN_REVERSE_CLUSTER_SET
           && pin_view_of_cluster(name->cluster_id) == s->view_id;
}

static enum pick choose(const struct pin_synth *s, const struct pin_address *address)
{
    enum pick pick = PIN_PTR_CLUSTER_SET;
    struct pin_reverse_name name;
    size_t at = 0;
    while (pin_address_next(address, &at, &name)) {
        if (is_own(s, &name)) {
            return PIN_PTR_OWN;
        }
        if (name.kind != PIN_REVERSE_CLUSTER_SET) {
            pick = PIN_PTR_CLUSTERS;
        }
    }
    return pick;
}

static void add_ptrs(const struct pin_synth *s, const struct pin_address *address)
{
    enum pick pick = choose(s, address);
    struct pin_name target;
    struct pin_name last = {.bytes = 0};
    struct pin_reverse_name name;
    size_t at = 0;
    while (pin_address_next(address, &at, &name) && !s->response->is_truncated) {
        bool is_picked = pick == PIN_PTR_OWN        ? is_own(s, &name)
                         : pick == PIN_PTR_CLUSTERS ? name.kind != PIN_REVERSE_CLUSTER_SET
                                                    : true;
        if (!is_picked
            || !pin_reverse_target(s->live->reverse, &name, pick == PIN_PTR_OWN, &target)) {
            continue;
        }
        pin__synth_note_stale(s, name.cluster_id);
        /* Imports of several clusters are one name, and stand side by side. */
        if (target.bytes != last.bytes || memcmp(target.wire, last.wire, last.bytes) != 0) {
            add_rr(s, PIN_TYPE_PTR, target.wire, target.bytes);
            last = target;
        }
    }
}

static enum pin_synth_verdict add_apex(const struct pin_synth *s, const struct pin_zone *zone)
{
    struct pin_name ns;
    if (s->qtype == PIN_TYPE_SOA) {
        pin_response_add_soa(s->response, PIN_SECTION_ANSWER, zone->soa, s->at, UINT32_MAX);
        return PIN_SYNTH_DATA;
    }
    for (size_t i = 0;
         s->qtype == PIN_TYPE_NS && pin_reverse_ns(s->live->reverse, &zone->apex, i, &ns); i++) {
        add_rr(s, PIN_TYPE_NS, ns.wire, ns.bytes);
    }
    return s->qtype == PIN_TYPE_NS ? PIN_SYNTH_DATA : PIN_SYNTH_NODATA;
}

static enum pin_synth_verdict answer_reverse(
    const struct pin_synth *synth, struct pin_zone *ret_zone, struct pin_soa *ret_soa)
{
    struct pin_reverse_question q;
    if (!pin_reverse_parse(synth->scene->reverse, synth->name, synth->bytes, &q)) {
        q = (struct pin_reverse_question){.is_other = true}; /* cannot be: it was parsed before */
    }
    pin_reverse_zone(
        synth->live->reverse, synth->name + q.apex_at, synth->bytes - q.apex_at, ret_zone, ret_soa);
    const struct pin_address *address =
        pin_reverse_is_address(&q) ? pin_reverse_find(synth->live->reverse, &q.prefix.ip) : NULL;
    bool wants_ptr = synth->qtype == PIN_TYPE_PTR || synth->qtype == PIN_TYPE_ANY;
    if (address != NULL && wants_ptr) {
        add_ptrs(synth, address);
        return PIN_SYNTH_DATA;
    }
    if (q.is_apex) {
        return add_apex(synth, ret_zone);
    }
    if (address != NULL || (!q.is_other && !pin_reverse_is_address(&q))) {
        return PIN_SYNTH_NODATA; /* part of an address: nobody may conclude that all are missing */
    }
    return PIN_SYNTH_NXDOMAIN;
}

/* --- pods ------------------------------------------------------------------------------------- */

/* The cluster whose zone the name lies in; PIN_CLUSTER_NONE: the asker is in none. */
static uint16_t cluster_of(const struct pin_synth *s)
{
    if (s->zone->zone_of_cluster == NULL) {
        return s->zone->cluster_id;
    }
    return s->view_id > 0 ? (uint16_t)(s->view_id - 1) : PIN_CLUSTER_NONE;
}

static enum pin_synth_verdict answer_pod(const struct pin_synth *synth)
{
    uint16_t cluster_id = cluster_of(synth);
    struct pin_ip ip;
    switch (pin_reverse_pod(synth->live->reverse, synth->live->index, synth->name,
        synth->encloser_at, cluster_id, &ip)) {
    case PIN_POD_NONE:
        return PIN_SYNTH_NXDOMAIN;
    case PIN_POD_NAMESPACE:
        return PIN_SYNTH_NODATA;
    case PIN_POD_ADDRESS:
        break;
    }
    uint16_t type = ip.family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA;
    if (synth->qtype != type && synth->qtype != PIN_TYPE_ANY) {
        return PIN_SYNTH_NODATA;
    }
    pin__synth_note_stale(synth, cluster_id);
    add_rr(synth, type, ip.bytes, ip.family == 4 ? 4 : 16);
    return PIN_SYNTH_DATA;
}

static enum pin_synth_verdict answer_dashed(const struct pin_synth *synth)
{
    struct pin_ip ip = pin_address_ip(synth->dashed.address);
    uint16_t type = ip.family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA;
    if ((synth->qtype != type && synth->qtype != PIN_TYPE_ANY)
        || pin_scene_hides(synth->scene, synth->view_id, ip.family == 6)) {
        return PIN_SYNTH_NODATA;
    }
    pin__synth_note_stale(synth, synth->dashed.cluster_id);
    add_rr_for(synth, type, synth->dashed.ttl_s, ip.bytes, ip.family == 4 ? 4 : 16);
    return PIN_SYNTH_DATA;
}

/* --- all of them ------------------------------------------------------------------------------ */

static enum pin_synth_verdict answer_parts(const struct pin_synth *synth)
{
    struct pin_parts_query q;
    bool has_rows = pin_parts_read(synth->parts, synth->name, synth->encloser_at,
                        pin_synth_asker(synth->live, synth->view_id), &q)
                    == PIN_PARTS_SOME;
    return has_rows ? pin_synth_parts(synth, &q) : PIN_SYNTH_NODATA;
}

enum pin_synth_verdict pin_synth_answer(
    const struct pin_synth *synth, struct pin_synth_zone *ret_zone)
{
    if (synth->from == PIN_FROM_REVERSE) {
        return answer_reverse(synth, &ret_zone->zone, &ret_zone->soa);
    }
    if (synth->from == PIN_FROM_DASHED) {
        return answer_dashed(synth);
    }
    return synth->from == PIN_FROM_PODS ? answer_pod(synth) : answer_parts(synth);
}
