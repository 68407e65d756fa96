/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Conditions: what a status should say, beside what it says (API conventions, conditions).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/jsonout.h"
#include "pintle/zones/object.h"

#define PIN_SAID_REASON_MAX  96
#define PIN_SAID_MESSAGE_MAX 1024

/** One condition as it should be. */
struct pin_said {
    const char *type;
    uint64_t generation; /**< observedGeneration; 0: not said. */
    bool is_true;
    char reason[PIN_SAID_REASON_MAX];
    char message[PIN_SAID_MESSAGE_MAX];
};

/** Conditions that an object shows. */
struct pin_shown {
    const struct pin_condition *conditions;
    size_t n;
};

/** Fills one in; what is too long is cut. */
void pin_say(
    struct pin_said *said, const char *type, bool is_true, const char *reason, const char *message);

/** Whether all of these are shown just so. */
bool pin_said_are_shown(const struct pin_shown *shown, const struct pin_said *said, size_t n);

/**
 * Writes "conditions": [...] into an open object. A condition's time stays as it is shown while its
 * status does.
 */
void pin_said_put(struct pin_jsonout *json, const struct pin_shown *shown,
    const struct pin_said *said, size_t n, int64_t wall_ms);
