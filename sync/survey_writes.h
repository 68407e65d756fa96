/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The part of a check that is about writing back: each right of the roles that are in use is asked
 * for, and what is lacking is told with what does not work without it. No I/O.
 */

#include "roles.h"
#include "survey_report.h"

/** What is written. Borrowed texts, which outlive the check. */
struct pin_survey_asked {
    uint32_t roles;         /**< A bit each; 0: nothing is written. */
    const char *home;       /**< Namespace of the Lease. */
    const char *lease_name; /**< Its name. */
};

/** The questions. A zeroed one has none. */
struct pin_survey_writes {
    struct pin_survey_asked asked;
    struct pin_arena *arena;
    struct pin_role_rights rights;
    enum pin_survey_right *answers; /* to each of them */
    size_t next;
};

/** Makes the questions. PIN_ENOMEM, or PIN_EPARSE. */
enum pin_err pin_survey_writes_init(
    struct pin_survey_writes *self, const struct pin_survey_asked *asked, struct pin_why *why);

/** Frees them. */
void pin_survey_writes_done(struct pin_survey_writes *self);

/** The right to be asked for next; NULL: none. Kinds that are not served are left out. */
const struct pin_role_right *pin_survey_writes_next(
    struct pin_survey_writes *self, const struct pin_survey_report *report);

/** Takes the answer to it. */
void pin_survey_writes_answer(struct pin_survey_writes *self, enum pin_survey_right answer);

/** Adds the findings. */
void pin_survey_writes_report(
    const struct pin_survey_writes *self, struct pin_survey_report *report);

/** Appends a SelfSubjectAccessReview for that right; `asked` says where the Lease is. */
void pin_survey_put_review(struct pin_text *text, const struct pin_role_right *right,
    const struct pin_survey_asked *asked);
