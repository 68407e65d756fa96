/* SPDX-License-Identifier: Apache-2.0 */

/* Why an answer is as it is, for who notes questions: told from what the steps left behind. */

#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/zones/view.h"

#include "answering.h"
#include "transfer.h"

/* Where the header counts answers. */
#define ANCOUNT_AT 6u

/* What settled a question before any name was looked up. PIN_REASON_NONE: nothing did. */
static enum pin_reason early(const struct pin_answering *a)
{
    switch (a->response.rcode) {
    case PIN_RCODE_FORMERR:
    case PIN_RCODE_NOTIMP:
    case PIN_RCODE_BADVERS:
        return PIN_REASON_MALFORMED;
    case PIN_RCODE_BADCOOKIE:
        return PIN_REASON_COOKIE;
    case PIN_RCODE_NOTAUTH:
        return PIN_REASON_SIGNATURE;
    default:
        break;
    }
    if (a->query.qtype == PIN_TYPE_AXFR || a->query.qtype == PIN_TYPE_IXFR) {
        return PIN_REASON_TRANSFER;
    }
    if (a->scene != NULL || a->response.rcode != PIN_RCODE_NOERROR) {
        return PIN_REASON_NONE;
    }
    return a->verdict == PIN_QUERY_COOKIE ? PIN_REASON_COOKIE : PIN_REASON_WHOLE; /* class CH */
}

enum pin_reason pin_answer_reason_of_data(const struct pin_answering *a)
{
    const struct pin_table *table = a->data;
    if (a->node == NULL || table == NULL) {
        return a->synth != PIN_FROM_NODE ? PIN_REASON_SYNTHESISED : PIN_REASON_WHOLE;
    }
    return pin_reason_of_table(table);
}

static enum pin_reason reason_of(const struct pin_answering *a)
{
    bool has_answer = pin_get_be16(a->response.wire + ANCOUNT_AT) > 0;
    enum pin_reason reason = early(a);
    if (reason != PIN_REASON_NONE) {
        return reason;
    }
    if (a->is_denied) {
        return PIN_REASON_POLICY;
    }
    if (a->response.rcode == PIN_RCODE_REFUSED) {
        return PIN_REASON_REFUSED;
    }
    if (a->is_outside) {
        return PIN_REASON_FORWARDED;
    }
    if (a->response.rcode == PIN_RCODE_SERVFAIL) {
        return a->response.ede == PIN_EDE_NOT_READY ? PIN_REASON_NOT_READY : PIN_REASON_FAILED;
    }
    if (a->response.rcode == PIN_RCODE_NXDOMAIN) {
        return PIN_REASON_NO_NAME;
    }
    if (!has_answer) {
        return a->response.is_authoritative ? PIN_REASON_NO_DATA : PIN_REASON_REFERRAL;
    }
    return pin_answer_reason_of_data(a);
}

void pin_answer_trace(const struct pin_answering *a, struct pin_tap_why *ret_why)
{
    pin_answer_trace_as(a, reason_of(a), ret_why);
}

void pin_answer_trace_as(
    const struct pin_answering *a, enum pin_reason reason, struct pin_tap_why *ret_why)
{
    *ret_why = (struct pin_tap_why){.reason = reason, .cluster_id = PIN_CLUSTER_NONE};
    if (a->scene == NULL) {
        return; /* nobody looked who asks */
    }
    ret_why->is_stale = a->response.ede == PIN_EDE_STALE_ANSWER;
    ret_why->policy_slot = a->is_denied ? a->policy_slot : 0;
    ret_why->cluster_id = a->scene->views[a->asker.view_id].cluster_id;
    if (a->is_vouched) {
        ret_why->from = a->vouched.prefix;
        ret_why->namespace_bytes = a->vouched.namespace_bytes;
        memcpy(ret_why->namespace_name, a->vouched.namespace_name, a->vouched.namespace_bytes);
    } else {
        struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
        ret_why->from = pin_prefix_of(&source, 128);
    }
}
