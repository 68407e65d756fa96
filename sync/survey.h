/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Survey: asks an API server, once and on request, everything that watching it depends on.
 *
 *     reach and TLS -> who are we -> version -> discovery -> may we list and watch each kind,
 *     and write what is written back
 *
 * One request at a time, over the cluster's own target; nothing of it touches the watches. What is
 * found is kept until the next check begins. Directories and embedded clusters are judged by what
 * their sources say of themselves. Threads: control's.
 */

#include <stdbool.h>

#include "pintle/base/error.h"
#include "pintle/base/jsonout.h"

struct pin_survey;
struct pin_http;
struct pin_source;
struct pin_survey_asked;

/**
 * Begins a check, unless one is under way. It ends by itself, within half a minute.
 *
 * @param asked  What is written back, to be asked for as well; its texts outlive the check.
 * @param survey Where the source keeps it; made by the first call.
 * @return PIN_OK or PIN_ENOMEM.
 */
enum pin_err pin_survey_start(struct pin_source *source, struct pin_http *http,
    const struct pin_survey_asked *asked, struct pin_survey **survey, struct pin_why *why);

/** True while one is under way. NULL is fine. */
bool pin_survey_is_running(const struct pin_survey *survey);

/** Ends the one under way; what was found stays. NULL is fine. */
void pin_survey_stop(struct pin_survey *survey);

/** Ends and frees. NULL is fine. */
void pin_survey_free(struct pin_survey *survey);

/** Writes the members of an object: "state" (never, running, done), "ageSeconds", and the report.
 * `survey` may be NULL: never. */
void pin_survey_json(const struct pin_survey *survey, struct pin_jsonout *out);
