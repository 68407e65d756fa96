/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a check of a cluster has found: facts, and findings with what to do about them. No I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/zones/object.h"

#include "http.h"
#include "target.h"

struct pin_source;

/** How good something is. */
enum pin_survey_level {
    PIN_SURVEY_OK,
    PIN_SURVEY_WARN, /**< Works, and may not for long, or not for all. */
    PIN_SURVEY_FAIL, /**< Names of this cluster are wrong or missing because of it. */
};

/** Whether we may do something. */
enum pin_survey_right {
    PIN_RIGHT_UNASKED,
    PIN_RIGHT_YES,
    PIN_RIGHT_NO,
};

/** One thing that was looked at. */
struct pin_survey_finding {
    const char *code; /**< Static: "reach", "tls", "access", ... */
    enum pin_survey_level level;
    char text[320];
    char hint[280]; /**< What to do; "": nothing. */
};

/** One kind. */
struct pin_survey_kind {
    const char *version; /**< Static; NULL: not served. */
    enum pin_survey_right list;
    enum pin_survey_right watch;
};

#define PIN_SURVEY_FINDINGS_MAX ((size_t)PIN_KIND_MAX + 48)

/** A zeroed one is empty. */
struct pin_survey_report {
    struct pin_survey_finding findings[PIN_SURVEY_FINDINGS_MAX];
    size_t n_findings;
    enum pin_survey_level worst;
    char server[300];
    char address[64];
    char version[64];
    char user[256]; /**< Who the server says we are. */
    char subject[256];
    char issuer[256];
    char names[512];
    int64_t until_wall_ms; /**< Of the certificate; 0: unknown. */
    int64_t latency_us;    /**< Of one request, without the connection; 0: none was answered. */
    int64_t clock_off_ms;  /**< The server's clock less ours. */
    bool has_clock;
    struct pin_survey_kind kinds[PIN_KIND_MAX];
};

/** Adds a finding; one too many is left out, but counts for `worst`. */
void pin_survey_add(struct pin_survey_report *report, const char *code, enum pin_survey_level level,
    const char *hint, const char *fmt, ...) PIN_PRINTF(5, 6);

/** Keeps what the other side's certificate says. */
void pin_survey_note_certificate(
    struct pin_survey_report *report, const struct pin_http_peer *peer);

/** Judges a connection that was made: how long it took, the certificate, the clock. */
void pin_survey_add_peer(struct pin_survey_report *report, const struct pin_target *target,
    const struct pin_http_peer *peer, int64_t now_wall_ms);

/** Judges what we may do; kinds that the source does not want do not matter. */
void pin_survey_add_rights(struct pin_survey_report *report, const struct pin_source *source);

/** Writes the members of an object: facts, "kinds" and "findings". */
void pin_survey_report_json(const struct pin_survey_report *report, struct pin_jsonout *out);

/** Reads the answer to a SelfSubjectAccessReview; UNASKED: it says nothing. */
enum pin_survey_right pin_survey_read_right(const char *text, size_t bytes);

/** Copies one text of a JSON answer, "" when there is none. Control characters become '?'. */
void pin_survey_read_text(
    const char *text, size_t bytes, const char *path, char *out, size_t out_bytes);
