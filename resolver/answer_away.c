/* SPDX-License-Identifier: Apache-2.0 */

/* Names that are others': delegations and DNAMEs of static zones and of DNSEndpoint objects. */

#include <string.h>

#include "answering.h"
#include "outside.h"

void pin_answer_rise(struct pin_answering *a)
{
    size_t at = 0;
    const struct pin_node *cut = (a->encloser->flags & PIN_NODE_IS_BELOW_CUT) != 0 ? pin_index_cut(
                                     a->worker->live->index, a->subject.name, a->subject.bytes, &at)
                                                                                   : NULL;
    if (cut != NULL) { /* else it went just now */
        a->encloser = cut;
        a->encloser_at = at;
    }
}

/* What the encloser shows this asker for one type, or NULL. */
static const struct pin_table *enclosing(const struct pin_answering *a, uint16_t type)
{
    const struct pin_rrset *rrset = pin_node_rrset(a->encloser, type);
    return rrset != NULL ? pin_rrset_table(rrset, a->view_id, a->parent_id) : NULL;
}

/* The name servers that the subject is delegated to, or NULL. A DS is the parent's (RFC 4035,
 * section 3.1.4.1). */
static const struct pin_table *delegation(const struct pin_answering *a)
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
        const struct pin_extra *extra = &pin_table_extras(ns)[i];
        n += extra->a != NULL ? extra->a->n_rr : 0u;
        n += extra->aaaa != NULL ? extra->aaaa->n_rr : 0u;
    }
    return n;
}

/* Adds what the zone has for a name server below its delegation, if it is no file's, whose tables
 * go along with the NS records. Returns how many RRs there are. */
static unsigned add_address(
    struct pin_answering *a, const struct pin_name *server, uint16_t type, size_t owner_at)
{
    const struct pin_node *node =
        pin_index_find(a->worker->live->index, server->wire, server->bytes);
    const struct pin_rrset *rrset =
        node != NULL && node->policy == NULL ? pin_node_rrset(node, type) : NULL;
    const struct pin_table *table =
        rrset != NULL ? pin_rrset_table(rrset, a->view_id, a->parent_id) : NULL;
    if (table == NULL) {
        return 0;
    }
    pin_answering_note_origin(a, table);
    (void)pin_response_add_table(
        &a->response, PIN_SECTION_ADDITIONAL, table, &a->worker->draws, owner_at);
    return table->n_rr;
}

/* Adds the addresses of those name servers that lie below what they serve: nobody else could tell
 * them (RFC 9471, section 3.1). Returns how many RRs there are. */
static unsigned add_own_glue(struct pin_answering *a, const struct pin_table *ns, size_t table_at)
{
    struct pin_name cut = {.bytes = (uint8_t)(a->subject.bytes - a->encloser_at)};
    memcpy(cut.wire, a->subject.name + a->encloser_at, cut.bytes);
    unsigned n = 0;
    size_t at = 0;
    for (unsigned i = 0; i < ns->n_rr && table_at + at + PIN_RDATA_AT < PIN_POINTER_END; i++) {
        const uint8_t *target = ns->wire + at + PIN_RDATA_AT;
        struct pin_name server = {.bytes = (uint8_t)pin_name_wire_bytes(target)};
        pin_name_lower(server.wire, target, server.bytes);
        if (pin_name_is_below(&server, &cut)) {
            n += add_address(a, &server, PIN_TYPE_A, table_at + at + PIN_RDATA_AT);
            n += add_address(a, &server, PIN_TYPE_AAAA, table_at + at + PIN_RDATA_AT);
        }
        at += PIN_RDATA_AT + server.bytes;
    }
    return n;
}

/* Sends the client to others; without their addresses it could not get there, so glue that does not
 * fit sets TC (RFC 9471). */
static void refer(struct pin_answering *a, const struct pin_table *ns)
{
    struct pin_response *response = &a->response;
    pin_answering_note_origin(a, ns);
    response->is_authoritative = response->n_rr[PIN_SECTION_ANSWER] > 0;
    size_t at = pin_response_add_table(
        response, PIN_SECTION_AUTHORITY, ns, &a->worker->draws, a->subject.at + a->encloser_at);
    pin_response_add_extras(response, ns, at, &a->worker->draws);
    unsigned n = count_glue(ns);
    if (ns->n_extras == 0 && !response->is_truncated) {
        n = add_own_glue(a, ns, at);
    }
    if (response->n_rr[PIN_SECTION_ADDITIONAL] < n && !response->is_stream) {
        response->is_truncated = true;
    }
}

/* The CNAME that stands for a DNAME's answer to the subject (RFC 6672, section 3.1). Returns its
 * length; 0 when the new name is too long. */
static size_t put_synthesized(const struct pin_answering *a, const struct pin_table *dname,
    uint8_t rr[PIN_RDATA_AT + PIN_NAME_MAX_BYTES])
{
    const uint8_t *target = dname->wire + PIN_RDATA_AT;
    size_t target_bytes = pin_name_wire_bytes(target);
    size_t bytes = a->encloser_at + target_bytes;
    if (bytes > PIN_NAME_MAX_BYTES) {
        return 0;
    }
    memcpy(rr, dname->wire, PIN_RDATA_AT);
    rr[3] = PIN_TYPE_CNAME; /* class and TTL are the DNAME's */
    rr[PIN_RDATA_AT - 2] = 0;
    rr[PIN_RDATA_AT - 1] = (uint8_t)bytes;
    memcpy(rr + PIN_RDATA_AT, a->response.wire + a->subject.at, a->encloser_at);
    memcpy(rr + PIN_RDATA_AT + a->encloser_at, target, target_bytes);
    return PIN_RDATA_AT + bytes;
}

/* Adds a DNAME and the alias it makes, whose target is the subject then. False: the answer ends
 * here. */
static bool follow_dname(
    struct pin_answering *a, const struct pin_table *dname, struct pin_name *target)
{
    uint8_t rr[PIN_RDATA_AT + PIN_NAME_MAX_BYTES];
    struct pin_response *response = &a->response;
    size_t rr_bytes = put_synthesized(a, dname, rr);
    pin_outside_keep_query(a);
    pin_answering_note_origin(a, dname);
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
    target->bytes = (uint8_t)(rr_bytes - PIN_RDATA_AT);
    pin_name_lower(target->wire, rr + PIN_RDATA_AT, target->bytes);
    pin_answering_look_for(a, target->wire, target->bytes, rr_at + PIN_RDATA_AT);
    return true;
}

bool pin_answer_turn_away(struct pin_answering *a, struct pin_name *target, bool *ret_is_settled)
{
    pin_answer_rise(a);
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
