/* SPDX-License-Identifier: Apache-2.0 */

/*
 * "explain.NAME" as TXT in class CH: why this machine's askers get what they get for NAME, and
 * which addresses how often. Nothing is drawn or counted for it.
 *
 *     "A why=drawn zone=assigned view=c1 from=127.0.0.1 ttl=5"
 *     "10.1.0.10 first=10%"
 *     "10.2.0.10 first=90% down"
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/settings.h"

#include "answering.h"
#include "forward.h"
#include "outside.h"

#define PREFIX        "\7explain"
#define PREFIX_BYTES  8u
#define HOPS_MAX      8u
#define LINES_MAX     64u /* of addresses */
#define STRING_MAX    255u
#define RR_HEAD_BYTES 12u
#define RR_TTL_AT     6u
#define LAST_BYTES    (RR_HEAD_BYTES + 1u + 64u) /* of the line that says how many were left out */

/* What is found out about the name. */
struct finding {
    struct pin_tap_why why;
    uint16_t type; /* of `table` */
    const struct pin_table *table;
    struct pin_name name;   /* that is looked at: the question's, or an alias's target */
    struct pin_text prefix; /* aliases that led to it */
    bool is_circle;         /* the last of them led to a name before it */
};

/* --- who may ask ---------------------------------------------------------------------------- */

static bool is_from_here(const struct pin_client *client)
{
    static const uint8_t v6[16] = {[15] = 1};
    struct pin_ip source = pin_ip_from_sockaddr(client->peer);
    return source.family == 4 ? source.bytes[0] == 127
                              : source.family == 6 && memcmp(source.bytes, v6, sizeof(v6)) == 0;
}

static bool is_asked(const struct pin_answering *a)
{
    const struct pin_query *query = &a->query;
    return query->qclass == PIN_CLASS_CH
           && (query->qtype == PIN_TYPE_TXT || query->qtype == PIN_TYPE_ANY)
           && query->qname_bytes > PREFIX_BYTES && memcmp(query->qname, PREFIX, PREFIX_BYTES) == 0;
}

/* --- what decides --------------------------------------------------------------------------- */

/* Whether a policy keeps the asker out of the node. */
static bool is_kept_out(struct pin_answering *a)
{
    uint16_t slot = 0;
    if (a->node == NULL || a->node->policy == NULL) {
        return false;
    }
    struct pin_policy_asker asker = pin_answering_identify(a);
    enum pin_policy_verdict verdict = pin_policy_judge(a->node->policy, &asker, &slot);
    a->is_denied = verdict == PIN_POLICY_REFUSED || verdict == PIN_POLICY_NXDOMAIN;
    a->policy_slot = slot;
    return a->is_denied;
}

static enum pin_reason of_absence(const struct pin_answering *a, enum pin_reason reason)
{
    bool is_early = a->zone->is_synced_from_clusters && !a->scene->is_ready;
    return is_early ? PIN_REASON_NOT_READY : reason;
}

/* Finds the data of the subject: addresses, first of IPv4. */
static enum pin_reason look_at_data(struct pin_answering *a, struct finding *finding)
{
    static const uint16_t types[] = {PIN_TYPE_A, PIN_TYPE_AAAA};
    for (size_t i = 0; i < N_ELEMS(types) && finding->table == NULL; i++) {
        finding->type = types[i];
        finding->table = pin_answering_shown(a, types[i]);
    }
    a->data = finding->table;
    return a->data != NULL ? pin_answer_reason_of_data(a) : of_absence(a, PIN_REASON_NO_DATA);
}

/* Makes the target of the subject's alias the subject; false: it is no alias. */
static bool follow(struct pin_answering *a, struct finding *finding)
{
    const struct pin_table *alias = pin_answering_shown(a, PIN_TYPE_CNAME);
    char text[PIN_NAME_TEXT_MAX];
    if (alias == NULL) {
        return false;
    }
    const uint8_t *target = alias->wire + PIN_RDATA_AT;
    size_t bytes = pin_name_wire_bytes(target);
    pin_name_lower(finding->name.wire, target, bytes);
    finding->name.bytes = (uint8_t)bytes;
    pin_name_format(finding->name.wire, text);
    pin_text_putf(&finding->prefix, "alias of %s ", text);
    pin_answering_look_for(a, finding->name.wire, bytes, PIN_HEADER_BYTES);
    return true;
}

/* Whether the asker is told what a special name has. */
static bool is_special(struct pin_answering *a)
{
    const struct pin_forward_port *port = a->worker->forward;
    if (port == NULL) {
        return false;
    }
    pin_outside_meet(a);
    return a->response.is_recursive
           && pin_forward_special(port->forward, a->subject.name, a->subject.bytes)
                  != PIN_SPECIAL_NONE;
}

/* Nobody else is asked for it. */
static enum pin_reason of_others(struct pin_answering *a)
{
    if (is_special(a)) {
        a->response.is_recursive = false;
        return PIN_REASON_SYNTHESISED;
    }
    bool is_refused = pin_outside_begin(a);
    a->response.rcode = PIN_RCODE_NOERROR;
    a->response.ede = PIN_EDE_NONE;
    a->response.is_recursive = false;
    return is_refused ? PIN_REASON_REFUSED : PIN_REASON_FORWARDED;
}

static bool is_among(const uint64_t *hashes, unsigned n, uint64_t hash)
{
    for (unsigned i = 0; i < n; i++) {
        if (hashes[i] == hash) {
            return true;
        }
    }
    return false;
}

static enum pin_reason find_reason(struct pin_answering *a, struct finding *finding)
{
    uint64_t seen[HOPS_MAX];
    for (unsigned hop = 0; hop < HOPS_MAX; hop++) {
        finding->is_circle = is_among(seen, hop, a->subject.hash);
        if (finding->is_circle) {
            return PIN_REASON_WHOLE; /* the answer shows each alias once */
        }
        seen[hop] = a->subject.hash;
        if (!pin_answering_look_up(a)) {
            return of_others(a);
        }
        if (a->node == NULL && a->synth != PIN_FROM_NODE) {
            return PIN_REASON_SYNTHESISED;
        }
        pin_answer_rise(a);
        if ((a->encloser->flags & PIN_NODE_IS_CUT) != 0
            || (a->node == NULL && (a->encloser->flags & PIN_NODE_HAS_DNAME) != 0)) {
            return PIN_REASON_REFERRAL;
        }
        if (is_kept_out(a)) {
            return PIN_REASON_POLICY;
        }
        if (a->node == NULL) {
            return of_absence(a, PIN_REASON_NO_NAME);
        }
        enum pin_reason reason = look_at_data(a, finding);
        if (finding->table != NULL || !follow(a, finding)) {
            return reason;
        }
    }
    return PIN_REASON_FAILED;
}

/* --- what is written ------------------------------------------------------------------------ */

/* Adds a line; false: there is no room for it and `spare` bytes behind it. */
static bool add_line(struct pin_answering *a, const struct pin_text *text, size_t spare)
{
    uint8_t rr[RR_HEAD_BYTES + 1 + STRING_MAX] = {0, 0, 0, PIN_TYPE_TXT, 0, PIN_CLASS_CH};
    size_t bytes = PIN_MIN(text->len, (size_t)STRING_MAX);
    size_t rr_bytes = RR_HEAD_BYTES + 1 + bytes;
    if (text->failed || a->response.used_bytes + rr_bytes + spare > a->response.limit_bytes) {
        return false;
    }
    rr[RR_HEAD_BYTES - 1] = (uint8_t)(bytes + 1);
    rr[RR_HEAD_BYTES - 2] = (uint8_t)((bytes + 1) >> 8);
    rr[RR_HEAD_BYTES] = (uint8_t)bytes;
    memcpy(rr + RR_HEAD_BYTES + 1, pin_text_get(text), bytes);
    pin_response_add_rr(&a->response, PIN_SECTION_ANSWER, rr, rr_bytes, PIN_HEADER_BYTES);
    return true;
}

static void add_reason(struct pin_answering *a, const struct finding *finding)
{
    const struct pin_settings *settings = a->scene->settings;
    struct pin_text line = {0};
    if (finding->table != NULL) {
        pin_text_puts(&line, finding->type == PIN_TYPE_A ? "A " : "AAAA ");
    }
    pin_text_puts(&line, finding->is_circle ? "a circle: " : "");
    pin_text_puts(&line, pin_text_get(&finding->prefix));
    pin_tap_why_put_for(&finding->why, &finding->name, settings, a->worker->live->policies, &line);
    if (finding->table != NULL) {
        pin_text_putf(&line, " ttl=%" PRIu32, pin_get_be32(finding->table->wire + RR_TTL_AT));
    }
    (void)add_line(a, &line, 0);
    pin_text_done(&line);
}

/* How often an RR stands first, as its table alone says. */
static double share_of(const struct pin_table *table, uint16_t rr_i)
{
    const uint64_t *sums = pin_table_cumulative(table);
    if (table->is_whole || table->form != PIN_TABLE_DRAWN || sums == NULL) {
        return 1.0 / (double)(table->n_rr + pin_table_nodata(table));
    }
    uint64_t weight = sums[rr_i] - (rr_i > 0 ? sums[rr_i - 1] : 0);
    return (double)weight / (double)(pin_table_total(table) + pin_table_nodata(table));
}

/* What verdicts make of the shares, by RR; NULL: nothing, or it cannot be told. To be freed. */
static struct pin_odds *find_odds(const struct pin_table *table, const struct pin_sight *sight)
{
    bool is_plain = pin_table_checked(table) == NULL || sight->is_plain;
    if (is_plain || table->is_whole || table->n_groups > 0 || table->form != PIN_TABLE_DRAWN) {
        return NULL;
    }
    struct pin_odds *odds = calloc(table->n_rr, sizeof(*odds));
    if (odds != NULL && !sight->is_nothing) {
        pin_checked_odds(table, sight, odds);
    }
    return odds;
}

static void put_address(const struct finding *finding, uint16_t rr_i, struct pin_text *line)
{
    bool is_v4 = finding->type == PIN_TYPE_A;
    size_t rr_bytes = is_v4 ? PIN_RR_A_BYTES : PIN_RR_AAAA_BYTES;
    char text[PIN_IP_TEXT_MAX];
    struct pin_ip ip =
        pin_ip_from_bytes(finding->table->wire + rr_i * rr_bytes + PIN_RDATA_AT, is_v4 ? 4 : 6);
    pin_text_puts(line, pin_ip_format(&ip, text));
}

static void add_addresses(struct pin_answering *a, const struct finding *finding)
{
    const struct pin_table *table = finding->table;
    struct pin_sight sight;
    struct pin_text line = {0};
    if (pin_table_checked(table) != NULL) {
        pin_checked_look(pin_table_checked(table), a->worker->live->verdicts, &sight);
    }
    struct pin_odds *odds = find_odds(table, &sight);
    uint16_t n = 0;
    for (; n < table->n_rr && n < LINES_MAX; n++) {
        double first = odds != NULL ? odds[n].first : share_of(table, n);
        pin_text_cut(&line, 0);
        put_address(finding, n, &line);
        pin_text_putf(&line, " first=%.4g%%", 100 * first);
        pin_text_puts(&line, odds != NULL && odds[n].in_answer == 0 ? " down" : "");
        if (!add_line(a, &line, n + 1u < table->n_rr ? LAST_BYTES : 0)) {
            break;
        }
    }
    if (n < table->n_rr) {
        pin_text_cut(&line, 0);
        pin_text_putf(&line, "and %d more addresses: pintlectl explain", table->n_rr - n);
        (void)add_line(a, &line, 0);
    }
    free(odds);
    pin_text_done(&line);
}

bool pin_answer_explain(struct pin_answering *a)
{
    if (!is_asked(a) || !is_from_here(a->client)) {
        return false;
    }
    struct finding finding = {.name = {.bytes = (uint8_t)(a->query.qname_bytes - PREFIX_BYTES)}};
    memcpy(finding.name.wire, a->query.qname + PREFIX_BYTES, finding.name.bytes);
    a->is_denied = false;
    a->data = NULL;
    pin_answering_find_view(a);
    pin_answering_look_for(a, finding.name.wire, finding.name.bytes, PIN_HEADER_BYTES);
    enum pin_reason reason = find_reason(a, &finding);
    pin_answer_trace_as(a, reason, &finding.why);
    a->response.is_authoritative = true;
    a->response.ecs_scope = 0;
    add_reason(a, &finding);
    if (finding.table != NULL && reason != PIN_REASON_POLICY) {
        add_addresses(a, &finding);
    }
    pin_text_done(&finding.prefix);
    a->zone = NULL; /* the answer is in none */
    a->is_denied = false;
    return true;
}
