/* SPDX-License-Identifier: Apache-2.0 */

/* Findings: what was seen, judged, and said in words. */

#include "survey_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/tree.h"

#include "decode.h"
#include "source.h"

#define HOUR_MS            ((int64_t)3600 * 1000)
#define DAY_MS             (24 * HOUR_MS)
#define EXPIRES_SOON_MS    (14 * DAY_MS)
#define CLOCK_OFF_MS       5000 /* The header counts whole seconds, and the way takes some. */
#define SLOW_US            1000000
#define ANSWER_ARENA_BYTES ((size_t)8 << 20)

void pin_survey_add(struct pin_survey_report *report, const char *code, enum pin_survey_level level,
    const char *hint, const char *fmt, ...)
{
    va_list args;
    report->worst = level > report->worst ? level : report->worst;
    if (report->n_findings == PIN_SURVEY_FINDINGS_MAX) {
        return;
    }
    struct pin_survey_finding *finding = &report->findings[report->n_findings++];
    finding->code = code;
    finding->level = level;
    va_start(args, fmt);
    (void)vsnprintf(finding->text, sizeof(finding->text), fmt, args);
    va_end(args);
    (void)snprintf(finding->hint, sizeof(finding->hint), "%s", hint);
}

/* --- The connection ------------------------------------------------------------------------- */

void pin_survey_note_certificate(struct pin_survey_report *report, const struct pin_http_peer *peer)
{
    (void)snprintf(report->subject, sizeof(report->subject), "%s", peer->subject);
    (void)snprintf(report->issuer, sizeof(report->issuer), "%s", peer->issuer);
    (void)snprintf(report->names, sizeof(report->names), "%s", peer->names);
    report->until_wall_ms = peer->until_wall_ms;
}

static void add_certificate(struct pin_survey_report *report, const struct pin_target *target,
    const struct pin_http_peer *peer, int64_t now_wall_ms)
{
    char until[PIN_CLOCK_TEXT_MAX] = "unknown";
    int64_t left_ms = peer->until_wall_ms - now_wall_ms;
    pin_survey_note_certificate(report, peer);
    if (peer->until_wall_ms != 0) {
        pin_clock_format(peer->until_wall_ms, until);
    }
    if (target->is_insecure) {
        pin_survey_add(report, "tls", PIN_SURVEY_WARN,
            "set certificate-authority(-data) in the kubeconfig instead of "
            "insecure-skip-tls-verify",
            "the certificate of %s is not verified: anybody on the way can change what we are told",
            target->server);
    } else if (peer->until_wall_ms != 0 && left_ms < EXPIRES_SOON_MS) {
        pin_survey_add(report, "tls", PIN_SURVEY_WARN, "renew the API server's certificate",
            "the certificate of %s ends in %" PRId64 " hours, at %s", target->server,
            left_ms / HOUR_MS, until);
    } else {
        pin_survey_add(report, "tls", PIN_SURVEY_OK, "",
            "certificate of %s, signed by %s (%s), valid until %s", peer->subject, peer->issuer,
            target->ca.data != NULL ? "the kubeconfig's CA" : "a CA of this system", until);
    }
}

static void add_clock(
    struct pin_survey_report *report, const struct pin_http_peer *peer, int64_t now_wall_ms)
{
    if (peer->date_wall_ms == 0) {
        return;
    }
    /* the header is cut to a whole second: on average half a second is missing */
    int64_t off_ms = peer->date_wall_ms + 500 - now_wall_ms;
    bool is_off = off_ms > CLOCK_OFF_MS || off_ms < -CLOCK_OFF_MS;
    report->clock_off_ms = off_ms;
    report->has_clock = true;
    if (is_off) {
        pin_survey_add(report, "clock", PIN_SURVEY_WARN,
            "synchronize the clocks: certificates and tokens are judged by them",
            "the server's clock is %" PRId64 " s %s ours", (off_ms < 0 ? -off_ms : off_ms) / 1000,
            off_ms < 0 ? "behind" : "ahead of");
    } else {
        pin_survey_add(report, "clock", PIN_SURVEY_OK, "", "the server's clock agrees with ours");
    }
}

void pin_survey_add_peer(struct pin_survey_report *report, const struct pin_target *target,
    const struct pin_http_peer *peer, int64_t now_wall_ms)
{
    int64_t before_us = peer->secured_us > 0 ? peer->secured_us : peer->connected_us;
    report->latency_us = peer->answered_us - before_us;
    (void)snprintf(report->address, sizeof(report->address),
        strchr(peer->address, ':') != NULL ? "[%s]:%u" : "%s:%u", peer->address,
        (unsigned)peer->port);
    bool is_slow = report->latency_us > SLOW_US;
    pin_survey_add(report, "reach", is_slow ? PIN_SURVEY_WARN : PIN_SURVEY_OK,
        is_slow ? "look at the load of the API server, and at the network on the way" : "",
        "%s at %s: connected in %.1f ms, answers in %.1f ms", target->server, report->address,
        (double)before_us / 1000.0, (double)report->latency_us / 1000.0);
    if (pin_target_is_tls(target)) {
        add_certificate(report, target, peer, now_wall_ms);
    } else {
        pin_survey_add(report, "tls", PIN_SURVEY_WARN, "use an https:// server in the kubeconfig",
            "plain HTTP: anybody on the way can change what we are told");
    }
    add_clock(report, peer, now_wall_ms);
}

/* --- Rights --------------------------------------------------------------------------------- */

static void add_denied(struct pin_survey_report *report, enum pin_kind kind)
{
    const struct pin_survey_kind *state = &report->kinds[kind];
    const struct pin_kind_row *row = pin_decode_row(kind);
    bool lacks_both = state->list == PIN_RIGHT_NO && state->watch == PIN_RIGHT_NO;
    const char *verbs = lacks_both                    ? "list and watch"
                        : state->list == PIN_RIGHT_NO ? "list"
                                                      : "watch";
    char hint[200];
    (void)snprintf(hint, sizeof(hint),
        "bind a ClusterRole with %s on %s to this user ('pintlectl clusters add' prints one)",
        verbs, row->resource);
    pin_survey_add(report, "access", PIN_SURVEY_FAIL, hint, "may not %s %s", verbs, row->resource);
}

void pin_survey_add_rights(struct pin_survey_report *report, const struct pin_source *source)
{
    size_t n_served = 0;
    size_t n_denied = 0;
    size_t n_unasked = 0;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_survey_kind *state = &report->kinds[kind];
        if (state->version == NULL || !pin_source_wants(source, (enum pin_kind)kind)) {
            continue;
        }
        n_served++;
        if (state->list == PIN_RIGHT_NO || state->watch == PIN_RIGHT_NO) {
            add_denied(report, (enum pin_kind)kind);
            n_denied++;
        } else if (state->list == PIN_RIGHT_UNASKED || state->watch == PIN_RIGHT_UNASKED) {
            n_unasked++;
        }
    }
    if (n_unasked > 0) {
        pin_survey_add(report, "access", PIN_SURVEY_WARN,
            "let this user create selfsubjectaccessreviews (the ClusterRole system:basic-user)",
            "the server does not say what we may do with %zu of %zu kinds", n_unasked, n_served);
    } else if (n_denied == 0) {
        pin_survey_add(report, "access", PIN_SURVEY_OK, "",
            "may list and watch all %zu kinds that are wanted now", n_served);
    }
}

/* --- Answers -------------------------------------------------------------------------------- */

/* NULL when it is no JSON; the arena is the caller's either way. */
static struct pin_tree *parse(const char *text, size_t bytes, struct pin_arena **ret_arena)
{
    struct pin_tree *tree = NULL;
    *ret_arena = pin_arena_new("check answer", ANSWER_ARENA_BYTES);
    if (*ret_arena == NULL || pin_json_parse(text, bytes, *ret_arena, &tree, NULL) != PIN_OK) {
        return NULL;
    }
    return tree;
}

enum pin_survey_right pin_survey_read_right(const char *text, size_t bytes)
{
    struct pin_arena *arena = NULL;
    const struct pin_tree *tree = parse(text, bytes, &arena);
    const struct pin_tree *allowed = pin_tree_path(tree, "status.allowed");
    enum pin_survey_right right = allowed == NULL || allowed->kind != PIN_TREE_BOOL
                                      ? PIN_RIGHT_UNASKED
                                  : pin_tree_bool(tree, "status.allowed", false) ? PIN_RIGHT_YES
                                                                                 : PIN_RIGHT_NO;
    pin_arena_free(arena);
    return right;
}

void pin_survey_read_text(
    const char *text, size_t bytes, const char *path, char *out, size_t out_bytes)
{
    struct pin_arena *arena = NULL;
    const struct pin_tree *tree = parse(text, bytes, &arena);
    (void)snprintf(out, out_bytes, "%s", pin_tree_string(tree, path, ""));
    for (char *at = out; *at != '\0'; at++) {
        unsigned char next = (unsigned char)at[1];
        if ((unsigned char)*at < ' ' || *at == '\x7f') {
            *at = '?';
        } else if (*at == '\xc2' && next < 0xa0) { /* U+0080 to U+009F, or cut in the middle */
            at[0] = '?';
            at[1] = next == '\0' ? '\0' : '?';
        }
    }
    pin_arena_free(arena);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static const char *level_text(enum pin_survey_level level)
{
    return level == PIN_SURVEY_OK ? "ok" : level == PIN_SURVEY_WARN ? "warn" : "fail";
}

/* null when it is not known. */
static void put_right(struct pin_jsonout *out, const char *key, enum pin_survey_right right)
{
    pin_jsonout_key(out, key);
    if (right == PIN_RIGHT_UNASKED) {
        pin_jsonout_null(out);
    } else {
        pin_jsonout_bool(out, right == PIN_RIGHT_YES);
    }
}

static void put_certificate(const struct pin_survey_report *report, struct pin_jsonout *out)
{
    char until[PIN_CLOCK_TEXT_MAX];
    pin_jsonout_key(out, "certificate");
    if (report->subject[0] == '\0' && report->names[0] == '\0') {
        pin_jsonout_null(out);
        return;
    }
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "subject", report->subject);
    pin_jsonout_key_string(out, "issuer", report->issuer);
    pin_jsonout_key_string(out, "names", report->names);
    if (report->until_wall_ms != 0) {
        pin_clock_format(report->until_wall_ms, until);
    }
    pin_jsonout_key_string(out, "notAfter", report->until_wall_ms != 0 ? until : NULL);
    pin_jsonout_end(out);
}

static void put_kinds(const struct pin_survey_report *report, struct pin_jsonout *out)
{
    pin_jsonout_key(out, "kinds");
    pin_jsonout_array(out);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        const struct pin_survey_kind *state = &report->kinds[kind];
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "resource", row->resource);
        pin_jsonout_key_string(out, "version", state->version);
        put_right(out, "list", state->list);
        put_right(out, "watch", state->watch);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

static void put_findings(const struct pin_survey_report *report, struct pin_jsonout *out)
{
    pin_jsonout_key(out, "findings");
    pin_jsonout_array(out);
    for (size_t i = 0; i < report->n_findings; i++) {
        const struct pin_survey_finding *finding = &report->findings[i];
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "code", finding->code);
        pin_jsonout_key_string(out, "result", level_text(finding->level));
        pin_jsonout_key_string(out, "text", finding->text);
        pin_jsonout_key_string(out, "hint", finding->hint);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

/* null for "". */
static void put_known(struct pin_jsonout *out, const char *key, const char *text)
{
    pin_jsonout_key_string(out, key, text[0] != '\0' ? text : NULL);
}

void pin_survey_report_json(const struct pin_survey_report *report, struct pin_jsonout *out)
{
    pin_jsonout_key_string(out, "result", level_text(report->worst));
    put_known(out, "server", report->server);
    put_known(out, "address", report->address);
    put_known(out, "version", report->version);
    put_known(out, "user", report->user);
    pin_jsonout_key(out, "latencySeconds");
    if (report->latency_us > 0) {
        pin_jsonout_double(out, (double)report->latency_us / 1e6);
    } else {
        pin_jsonout_null(out);
    }
    pin_jsonout_key(out, "clockOffsetSeconds");
    if (report->has_clock) {
        pin_jsonout_double(out, (double)report->clock_off_ms / 1e3);
    } else {
        pin_jsonout_null(out);
    }
    put_certificate(report, out);
    put_kinds(report, out);
    put_findings(report, out);
}
