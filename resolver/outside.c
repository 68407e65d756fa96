/* SPDX-License-Identifier: Apache-2.0 */

/* Names outside of our zones: refused, answered from the cache, or handed over to be asked. */

#include "outside.h"

#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"

#include "cache_answer.h"
#include "forward.h"

#define FLAG_RD 0x01u
#define FLAG_AD 0x20u
#define FLAG_CD 0x10u
/* Types that ask for no data: 0, OPT, TKEY to MAILA. */
#define TYPE_TKEY    249u
#define TYPE_MAILA   254u
#define POINTER_BITS 0xC0u
/* From a record's TTL. */
#define TYPE_BEFORE_TTL     4u
#define RDLENGTH_BEHIND_TTL 4u
#define RDATA_BEHIND_TTL    6u

/* --- who may ask ----------------------------------------------------------------------------- */

static bool wants_recursion(const struct pin_answering *a)
{
    return (a->response.wire[2] & FLAG_RD) != 0;
}

void pin_outside_meet(struct pin_answering *a)
{
    struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
    a->response.is_recursive = pin_manners_allow_recursion(a->worker->manners, &source);
}

static bool is_meta(uint16_t qtype)
{
    return qtype == 0 || qtype == PIN_TYPE_OPT || (qtype >= TYPE_TKEY && qtype <= TYPE_MAILA);
}

/* Makes the key of the subject. False: nobody is asked for it. */
static bool make_key(struct pin_answering *a)
{
    const struct pin_forward *forward = a->worker->forward->forward;
    uint8_t group = pin_forward_group(forward, a->subject.name, a->subject.bytes);
    if (group == PIN_FORWARD_NONE || is_meta(a->query.qtype)) {
        return false;
    }
    bool is_cd = (a->response.wire[3] & FLAG_CD) != 0;
    a->outside = (struct pin_cache_key){.name = a->subject.name,
        .name_hash = a->subject.hash,
        .qtype = a->query.qtype,
        .qclass = a->query.qclass,
        .group = group,
        .name_bytes = (uint8_t)a->subject.bytes,
        .flags = (uint8_t)((a->query.is_do ? PIN_KEY_DO : 0u) | (is_cd ? PIN_KEY_CD : 0u))};
    pin_cache_key_finish(&a->outside);
    return true;
}

/* What is told to all who ask for a name that no resolver is asked for. */
static bool answer_special(struct pin_answering *a)
{
    const struct pin_forward *forward = a->worker->forward->forward;
    if (pin_forward_special(forward, a->subject.name, a->subject.bytes) == PIN_SPECIAL_NONE) {
        return false;
    }
    if (a->response.used_bytes == a->query.question_end) {
        a->response.is_authoritative = true; /* as in a zone that is served locally */
    }
    return pin_special_answer(a);
}

bool pin_outside_begin(struct pin_answering *a)
{
    if (a->worker->forward == NULL) {
        return pin_answering_refuse(a, PIN_EDE_NOT_AUTHORITATIVE);
    }
    if (!a->response.is_recursive) {
        return pin_answering_refuse(a, PIN_EDE_PROHIBITED);
    }
    if (!make_key(a)) {
        return answer_special(a) || pin_answering_refuse(a, PIN_EDE_NOT_AUTHORITATIVE);
    }
    pin_cache_fetch_bucket(pin_forward_cache(a->worker->forward->forward), &a->outside);
    return false;
}

void pin_outside_fetch(struct pin_answering *a)
{
    pin_cache_fetch_entry(pin_forward_cache(a->worker->forward->forward), &a->outside);
}

/* --- handing over ---------------------------------------------------------------------------- */

void pin_outside_keep_query(struct pin_answering *a)
{
    struct pin_forward_port *port = a->worker->forward;
    if (port != NULL && a->response.used_bytes == a->query.question_end
        && a->query_bytes <= sizeof(port->saved)) {
        memcpy(port->saved, a->response.wire + a->query.question_end,
            a->query_bytes - a->query.question_end);
    }
}

/* Hands the query over as it came. */
static bool hand_over(struct pin_answering *a)
{
    struct pin_forward_port *port = a->worker->forward;
    if (a->client->back == NULL || a->query_bytes > sizeof(port->saved)) {
        return false;
    }
    if (a->response.used_bytes > a->query.question_end) {
        memcpy(a->response.wire + a->query.question_end, port->saved,
            a->query_bytes - a->query.question_end);
    }
    return pin_forward_hand_over(port, &a->outside, a->client, a->response.wire, a->query_bytes);
}

/* There is no answer, and none will come: what was written before is no use to the client. */
static enum pin_outside give_up(struct pin_answering *a, uint16_t ede)
{
    pin_response_clear(&a->response, &a->query);
    a->response.is_authoritative = false;
    a->response.ede = ede;
    (void)pin_answering_settle(a, PIN_RCODE_SERVFAIL);
    return PIN_OUTSIDE_SETTLED;
}

/* What belongs into the answer does not fit: a stream has no TC to tell of what is left out. */
static enum pin_outside cut_short(struct pin_answering *a)
{
    if (a->response.is_stream) {
        return give_up(a, PIN_EDE_NONE);
    }
    a->response.is_truncated = true;
    return PIN_OUTSIDE_SETTLED;
}

/* --- chains ----------------------------------------------------------------------------------- */

/* Reads the name at `at`, which may be compressed; pointers lead backwards only. False: none. */
static bool read_name(const uint8_t *wire, size_t at, struct pin_name *ret_name)
{
    size_t bytes = 0;
    while (wire[at] != 0) {
        if (wire[at] >= POINTER_BITS) {
            size_t to = pin_get_be16(wire + at) & (PIN_POINTER_END - 1u);
            if (to >= at) {
                return false;
            }
            at = to;
            continue;
        }
        size_t label_bytes = 1u + wire[at];
        if (bytes + label_bytes >= PIN_NAME_MAX_BYTES) {
            return false;
        }
        memcpy(ret_name->wire + bytes, wire + at, label_bytes);
        bytes += label_bytes;
        at += label_bytes;
    }
    ret_name->wire[bytes] = 0;
    ret_name->bytes = (uint8_t)(bytes + 1);
    return true;
}

/* Whether an entry ends with a CNAME whose target it does not hold: others have to be asked. */
static bool is_open(const struct pin_answering *a, const struct pin_cache_entry *entry)
{
    uint16_t n = entry->n_rr[PIN_SECTION_ANSWER];
    if (entry->kind != PIN_BODY_ANSWER || n == 0 || a->query.qtype == PIN_TYPE_CNAME
        || a->query.qtype == PIN_TYPE_ANY || pin_cache_n_ttls(entry) != n) {
        return false;
    }
    const uint8_t *ttl = pin_cache_body(entry) + pin_cache_ttl_at(entry)[n - 1];
    return pin_get_be16(ttl - TYPE_BEFORE_TTL) == PIN_TYPE_CNAME;
}

/* Makes the target of the CNAME that ends the message the subject: written out, for what follows is
 * to point into it. False: there is no room. */
static bool follow_last(struct pin_answering *a, size_t ttl_at, struct pin_name *target)
{
    struct pin_response *response = &a->response;
    struct pin_name name;
    size_t at = ttl_at + RDATA_BEHIND_TTL;
    if (!read_name(response->wire, at, &name) || at + name.bytes > response->limit_bytes
        || at + name.bytes > PIN_POINTER_END) {
        return false;
    }
    memcpy(response->wire + at, name.wire, name.bytes);
    response->wire[ttl_at + RDLENGTH_BEHIND_TTL] = 0;
    response->wire[ttl_at + RDLENGTH_BEHIND_TTL + 1] = name.bytes;
    response->used_bytes = at + name.bytes;
    pin_name_lower(target->wire, name.wire, name.bytes);
    target->bytes = name.bytes;
    pin_answering_look_for(a, target->wire, target->bytes, at);
    return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Shows what the cache has. */
static enum pin_outside show(struct pin_answering *a, const struct pin_cache_entry *entry,
    bool is_stale, struct pin_name *target)
{
    struct pin_response *response = &a->response;
    bool goes_on = pin_unlikely(is_open(a, entry));
    if (goes_on) {
        pin_outside_keep_query(a);
    }
    const struct pin_cache_shown shown = {.now_ms = a->worker->forward->now_ms,
        .owner_at = a->subject.at + a->subject.bytes - entry->name_bytes,
        .is_stale = is_stale};
    size_t body_at = response->used_bytes;
    if (pin_unlikely(is_stale)) {
        pin_stat_add(&a->worker->stats.n_cache_stale, 1);
    }
    if (pin_unlikely(entry->kind == PIN_BODY_FAILURE)) {
        return give_up(a, entry->ede);
    }
    if (pin_unlikely(!pin_response_add_entry(response, entry, &shown))) {
        return cut_short(a);
    }
    bool is_asked = (response->wire[3] & FLAG_AD) != 0 || a->query.is_do;
    response->is_authentic = entry->is_authentic && is_asked && !is_stale;
    if (pin_likely(!goes_on) || response->is_truncated) {
        return PIN_OUTSIDE_SETTLED;
    }
    size_t last = (size_t)entry->n_rr[PIN_SECTION_ANSWER] - 1;
    response->is_authentic = false;
    return follow_last(a, body_at + pin_cache_ttl_at(entry)[last], target) ? PIN_OUTSIDE_ALIAS
                                                                           : cut_short(a);
}

/* What has to be asked: handed over, or whatever else there is. */
static enum pin_outside ask(
    struct pin_answering *a, const struct pin_cache_found *found, struct pin_name *target)
{
    if (!wants_recursion(a)) {
        if (a->response.used_bytes == a->query.question_end) {
            (void)pin_answering_refuse(a, PIN_EDE_NOT_AUTHORITATIVE);
        }
        return PIN_OUTSIDE_SETTLED;
    }
    if (hand_over(a)) {
        pin_stat_add(&a->worker->stats.n_cache_misses, 1);
        return PIN_OUTSIDE_LATER;
    }
    if (found->state == PIN_CACHE_STALE) {
        return show(a, found->entry, true, target);
    }
    bool is_alias = a->response.used_bytes > a->query.question_end;
    return is_alias && a->client->back == NULL ? PIN_OUTSIDE_SETTLED /* the client may ask on */
                                               : give_up(a, PIN_EDE_NETWORK_ERROR);
}

/* A forward thread answers: it knows what came of this question. */
static enum pin_outside answer_outcome(
    struct pin_answering *a, const struct pin_cache_found *found, struct pin_name *target)
{
    const struct pin_outcome *outcome = a->worker->forward->outcome;
    if (outcome->entry != NULL && outcome->entry->kind != PIN_BODY_FAILURE) {
        return show(a, outcome->entry, false, target);
    }
    if (found->state == PIN_CACHE_FRESH) {
        return show(a, found->entry, false, target);
    }
    if (found->state == PIN_CACHE_STALE && (outcome->shows_stale || found->is_failing)) {
        return show(a, found->entry, true, target);
    }
    const struct pin_cache_entry *failure =
        found->state == PIN_CACHE_FAILED ? found->entry : outcome->entry;
    return failure != NULL ? show(a, failure, false, target) : give_up(a, PIN_EDE_NETWORK_ERROR);
}

enum pin_outside pin_outside_answer(struct pin_answering *a, struct pin_name *target)
{
    struct pin_forward_port *port = a->worker->forward;
    struct pin_cache_found found;
    (void)pin_cache_find(pin_forward_cache(port->forward), &a->outside, port->now_ms, &found);
    if (pin_unlikely(port->outcome != NULL)
        && pin_cache_key_is_same(port->outcome->key, &a->outside)) {
        return answer_outcome(a, &found, target);
    }
    switch (found.state) {
    case PIN_CACHE_FRESH:
        if (pin_unlikely(found.wants_refresh)) {
            (void)pin_forward_hand_over(port, &a->outside, NULL, NULL, 0);
        }
        pin_stat_add(&a->worker->stats.n_cache_hits, 1);
        return show(a, found.entry, false, target);
    case PIN_CACHE_FAILED:
        pin_stat_add(&a->worker->stats.n_cache_hits, 1);
        return show(a, found.entry, false, target);
    case PIN_CACHE_STALE:
        return found.is_failing ? show(a, found.entry, true, target) : ask(a, &found, target);
    default:
        return ask(a, &found, target);
    }
}

enum pin_outside pin_outside_follow(struct pin_answering *a, struct pin_name *target)
{
    bool may = a->worker->forward != NULL && a->response.is_recursive && wants_recursion(a);
    if (may && make_key(a)) {
        return pin_outside_answer(a, target);
    }
    if (may) {
        (void)answer_special(a);
    }
    return PIN_OUTSIDE_SETTLED;
}
