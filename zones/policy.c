/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policies as programs: a run of bytes that is compared as a whole and walked once per question.
 *
 *     guard      flags(1) slot(2) statements(2)
 *     statement  is_deny(1) conditions(1)
 *     condition  about(1) values(2)
 *     value      cluster id(2) | pattern? length(1) text | family(1) bits(1) address(16)
 */

#include "zones/policy.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#define PROGRAM_MAX_BYTES 65536u
#define FLAG_AUDIT        0x01u
#define FLAG_NXDOMAIN     0x02u
#define FLAG_UNREADABLE   0x04u
#define GUARD_BYTES       5u
#define ADDRESS_BYTES     16u

/* --- text patterns ------------------------------------------------------------------------------
 */

/* Whether the pattern ("*" any run, "?" any letter) is the whole text. */
static bool is_like(const char *pattern, size_t pattern_bytes, const char *text, size_t text_bytes)
{
    size_t p = 0;
    size_t star = SIZE_MAX; /* where the latest star stands, and the text it took so far */
    size_t taken = 0;
    for (size_t t = 0; t < text_bytes;) {
        if (p < pattern_bytes && pattern[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern_bytes && (pattern[p] == '?' || pattern[p] == text[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern_bytes && pattern[p] == '*') {
        p++;
    }
    return p == pattern_bytes;
}

static bool is_text(const struct pin_policy_condition *condition, const char *value,
    size_t value_bytes, const char *text, size_t text_bytes)
{
    return condition->is_pattern
               ? is_like(value, value_bytes, text, text_bytes)
               : value_bytes == text_bytes && memcmp(value, text, text_bytes) == 0;
}

/* --- compiling ----------------------------------------------------------------------------------
 */

/* Clusters are known by now: what is left of their names are ids. */
static uint16_t put_clusters(struct pin_buf *w, const struct pin_settings *settings,
    const struct pin_policy_condition *condition)
{
    uint16_t n = 0;
    for (uint16_t id = 0; id < settings->n_clusters; id++) {
        const char *name = settings->clusters[id].name;
        bool is_met = false;
        for (size_t i = 0; i < condition->n_values && !is_met; i++) {
            const char *value = condition->texts[i];
            is_met = is_text(condition, value, strlen(value), name, strlen(name));
        }
        if (is_met) {
            pin_buf_put_u16(w, id);
            n++;
        }
    }
    return n;
}

/* Texts as they are; one longer than any namespace can only be a pattern full of stars: dropped. */
static uint16_t put_namespaces(struct pin_buf *w, const struct pin_policy_condition *condition)
{
    uint16_t n = 0;
    for (size_t i = 0; i < condition->n_values; i++) {
        size_t bytes = strlen(condition->texts[i]);
        if (bytes <= UINT8_MAX) {
            pin_buf_put_u8(w, condition->is_pattern);
            pin_buf_put_u8(w, (uint8_t)bytes);
            pin_buf_put_bytes(w, condition->texts[i], bytes);
            n++;
        }
    }
    return n;
}

static uint16_t put_addresses(struct pin_buf *w, const struct pin_policy_condition *condition)
{
    for (size_t i = 0; i < condition->n_values; i++) {
        pin_buf_put_u8(w, condition->prefixes[i].ip.family);
        pin_buf_put_u8(w, condition->prefixes[i].bits);
        pin_buf_put_bytes(w, condition->prefixes[i].ip.bytes, ADDRESS_BYTES);
    }
    return (uint16_t)condition->n_values;
}

static void put_condition(struct pin_buf *w, const struct pin_settings *settings,
    const struct pin_policy_condition *condition)
{
    pin_buf_put_u8(w, (uint8_t)condition->about);
    size_t n_at = pin_buf_used(w);
    pin_buf_put_u16(w, 0);
    uint16_t n = condition->about == PIN_POLICY_ABOUT_CLUSTER ? put_clusters(w, settings, condition)
                 : condition->about == PIN_POLICY_ABOUT_NAMESPACE ? put_namespaces(w, condition)
                                                                  : put_addresses(w, condition);
    if (pin_buf_is_ok(w)) {
        pin_buf_set_u16(w, n_at, n);
    }
}

static uint8_t guard_flags(const struct pin_settings *settings, const struct pin_policy_body *body)
{
    bool is_nxdomain = body->denied == PIN_POLICY_DENIED_UNSET
                           ? settings->policy_denied == PIN_POLICY_DENIED_NXDOMAIN
                           : body->denied == PIN_POLICY_DENIED_NXDOMAIN;
    unsigned flags = (settings->policy_audits || body->is_audit ? FLAG_AUDIT : 0)
                     | (is_nxdomain ? FLAG_NXDOMAIN : 0)
                     | (body->is_unreadable ? FLAG_UNREADABLE : 0);
    return (uint8_t)flags;
}

/* Writes one guard. False when it does not fit. */
static bool put_guard(
    struct pin_buf *w, const struct pin_settings *settings, const struct pin_policy_body *body)
{
    size_t n_statements = body->is_unreadable ? 0 : body->n_statements;
    pin_buf_put_u8(w, guard_flags(settings, body));
    pin_buf_put_u16(w, body->slot);
    pin_buf_put_u16(w, (uint16_t)n_statements);
    for (size_t i = 0; i < n_statements; i++) {
        const struct pin_policy_statement *statement = &body->statements[i];
        pin_buf_put_u8(w, statement->is_deny);
        pin_buf_put_u8(w, (uint8_t)statement->n_conditions);
        for (size_t c = 0; c < statement->n_conditions; c++) {
            put_condition(w, settings, &statement->conditions[c]);
        }
    }
    return pin_buf_is_ok(w);
}

/* Writes one guard of `n_bytes_max`; one that does not fit refuses everybody. Returns its bytes. */
static size_t put_object(const struct pin_settings *settings, const struct pin_object *object,
    uint8_t *to, size_t n_bytes_max)
{
    struct pin_policy_body body = object->as.policy;
    struct pin_buf w = pin_buf_init(to, n_bytes_max);
    if (!put_guard(&w, settings, &body)) {
        pin_log_warn("policy: %s %s/%s is too large: it refuses everybody",
            pin_kind_text(object->kind), object->namespace_name, object->name);
        body.is_unreadable = true;
        w = pin_buf_init(to, GUARD_BYTES);
        (void)put_guard(&w, settings, &body);
    }
    return pin_buf_used(&w);
}

struct pin_policy *pin_policy_new(
    const struct pin_settings *settings, const struct pin_object *const *objects, size_t n)
{
    size_t left = PROGRAM_MAX_BYTES + n * GUARD_BYTES;
    uint8_t *program = malloc(left);
    size_t used = 0;
    for (size_t i = 0; i < n && program != NULL; i++) {
        size_t kept = (n - 1 - i) * GUARD_BYTES; /* for those that come behind */
        used += put_object(settings, objects[i], program + used, left - used - kept);
    }
    struct pin_policy *policy = program != NULL ? calloc(1, sizeof(*policy) + used) : NULL;
    if (policy != NULL) {
        policy->n_refs = 1;
        policy->bytes = (uint32_t)used;
        memcpy(policy->program, program, used);
    }
    free(program);
    return policy;
}

/* --- judging ------------------------------------------------------------------------------------
 */

static bool is_cluster(struct pin_reader *r, const struct pin_policy_asker *asker)
{
    return pin_reader_get_u16(r) == asker->cluster_id && asker->cluster_id != PIN_CLUSTER_NONE;
}

static bool is_namespace(struct pin_reader *r, const struct pin_policy_asker *asker)
{
    bool is_pattern = pin_reader_get_u8(r) != 0;
    size_t bytes = pin_reader_get_u8(r);
    const char *value = (const char *)pin_reader_get_bytes(r, bytes);
    struct pin_policy_condition condition = {.is_pattern = is_pattern};
    return value != NULL && asker->namespace_bytes > 0
           && is_text(&condition, value, bytes, asker->namespace_name, asker->namespace_bytes);
}

/* An asker known by a network is allowed when the whole of it is, and denied when a part is. */
static bool is_address(struct pin_reader *r, const struct pin_policy_asker *asker, bool is_deny)
{
    uint8_t family = pin_reader_get_u8(r);
    uint8_t bits = pin_reader_get_u8(r);
    const uint8_t *bytes = pin_reader_get_bytes(r, ADDRESS_BYTES);
    if (bytes == NULL || asker->address.ip.family == 0) {
        return false;
    }
    struct pin_prefix prefix = {.ip = pin_ip_from_bytes(bytes, family), .bits = bits};
    if (bits <= asker->address.bits) {
        return pin_prefix_has(&prefix, &asker->address.ip);
    }
    return is_deny && (asker->address.bits == 0 || pin_prefix_has(&asker->address, &prefix.ip));
}

/* Reads one condition whole; whether a value of it is met. */
static bool judge_condition(
    struct pin_reader *r, const struct pin_policy_asker *asker, bool is_deny)
{
    uint8_t about = pin_reader_get_u8(r);
    uint16_t n_values = pin_reader_get_u16(r);
    bool is_met = false;
    for (uint16_t i = 0; i < n_values; i++) {
        bool is_it = about == PIN_POLICY_ABOUT_CLUSTER     ? is_cluster(r, asker)
                     : about == PIN_POLICY_ABOUT_NAMESPACE ? is_namespace(r, asker)
                                                           : is_address(r, asker, is_deny);
        is_met = is_met || is_it;
    }
    return is_met;
}

/* Reads one guard whole. */
static enum pin_policy_verdict judge_guard(
    struct pin_reader *r, const struct pin_policy_asker *asker, uint16_t *ret_slot)
{
    uint8_t flags = pin_reader_get_u8(r);
    *ret_slot = pin_reader_get_u16(r);
    uint16_t n_statements = pin_reader_get_u16(r);
    bool is_allowed = false;
    bool is_denied = false;
    for (uint16_t i = 0; i < n_statements; i++) {
        bool is_deny = pin_reader_get_u8(r) != 0;
        uint8_t n_conditions = pin_reader_get_u8(r);
        bool is_met = true;
        for (uint8_t c = 0; c < n_conditions; c++) {
            is_met = judge_condition(r, asker, is_deny) && is_met;
        }
        is_denied = is_denied || (is_met && is_deny);
        is_allowed = is_allowed || (is_met && !is_deny);
    }
    if (is_allowed && !is_denied) {
        return PIN_POLICY_ALLOWED;
    }
    return (flags & FLAG_AUDIT) != 0      ? PIN_POLICY_WOULD_DENY
           : (flags & FLAG_NXDOMAIN) != 0 ? PIN_POLICY_NXDOMAIN
                                          : PIN_POLICY_REFUSED;
}

enum pin_policy_verdict pin_policy_judge(
    const struct pin_policy *policy, const struct pin_policy_asker *asker, uint16_t *ret_slot)
{
    struct pin_reader r = pin_reader_init(policy->program, policy->bytes);
    enum pin_policy_verdict worst = PIN_POLICY_ALLOWED;
    *ret_slot = 0;
    while (pin_reader_left(&r) > 0) {
        uint16_t slot = 0;
        enum pin_policy_verdict verdict = judge_guard(&r, asker, &slot);
        if (verdict > worst) {
            worst = verdict;
            *ret_slot = slot;
        }
    }
    return worst;
}

/* --- life ---------------------------------------------------------------------------------------
 */

/* Policies are const to all but their count, which is the builder's. */
static struct pin_policy *unfrozen(const struct pin_policy *policy)
{
    union {
        const struct pin_policy *frozen;
        struct pin_policy *policy;
    } u = {.frozen = policy};
    return u.policy;
}

bool pin_policy_equal(const struct pin_policy *a, const struct pin_policy *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return a->bytes == b->bytes && memcmp(a->program, b->program, a->bytes) == 0;
}

void pin_policy_ref(const struct pin_policy *policy)
{
    if (policy != NULL) {
        unfrozen(policy)->n_refs++;
    }
}

static void free_policy(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_policy, rcu));
}

void pin_policy_unref(const struct pin_policy *policy)
{
    if (policy != NULL && --unfrozen(policy)->n_refs == 0) {
        pin_rcu_defer(&unfrozen(policy)->rcu, free_policy);
    }
}
