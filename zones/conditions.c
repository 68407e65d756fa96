/* SPDX-License-Identifier: Apache-2.0 */

/* Conditions as they should be, compared with those that are shown, and written. */

#include "zones/conditions.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/clock.h"

#define TIME_DIGITS 19 /* of "2026-11-21T03:04:05" */

void pin_say(
    struct pin_said *said, const char *type, bool is_true, const char *reason, const char *message)
{
    said->type = type;
    said->generation = 0;
    said->is_true = is_true;
    (void)snprintf(said->reason, sizeof(said->reason), "%s", reason);
    (void)snprintf(said->message, sizeof(said->message), "%s", message);
}

static const char *status_text(const struct pin_said *said)
{
    return said->is_true ? "True" : "False";
}

static const struct pin_condition *find_shown(const struct pin_shown *shown, const char *type)
{
    for (size_t i = 0; i < shown->n; i++) {
        if (strcmp(shown->conditions[i].type, type) == 0) {
            return &shown->conditions[i];
        }
    }
    return NULL;
}

static bool is_shown(const struct pin_shown *all, const struct pin_said *said)
{
    const struct pin_condition *shown = find_shown(all, said->type);
    return shown != NULL && strcmp(shown->status, status_text(said)) == 0
           && strcmp(shown->reason, said->reason) == 0 && strcmp(shown->message, said->message) == 0
           && (said->generation == 0 || said->generation == shown->generation);
}

bool pin_said_are_shown(const struct pin_shown *shown, const struct pin_said *said, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_shown(shown, &said[i])) {
            return false;
        }
    }
    return true;
}

static void put_one(struct pin_jsonout *json, const struct pin_shown *all,
    const struct pin_said *said, const char *now)
{
    const struct pin_condition *shown = find_shown(all, said->type);
    bool stays = shown != NULL && strcmp(shown->status, status_text(said)) == 0;
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "type", said->type);
    pin_jsonout_key_string(json, "status", status_text(said));
    pin_jsonout_key_string(json, "reason", said->reason);
    pin_jsonout_key_string(json, "message", said->message);
    if (said->generation != 0) {
        pin_jsonout_key_uint(json, "observedGeneration", said->generation);
    }
    pin_jsonout_key_string(
        json, "lastTransitionTime", stays && shown->since[0] != '\0' ? shown->since : now);
    pin_jsonout_end(json);
}

void pin_said_put(struct pin_jsonout *json, const struct pin_shown *shown,
    const struct pin_said *said, size_t n, int64_t wall_ms)
{
    char text[PIN_CLOCK_TEXT_MAX];
    char now[PIN_CLOCK_TEXT_MAX];
    pin_clock_format(wall_ms, text);
    (void)snprintf(now, sizeof(now), "%.*sZ", TIME_DIGITS, text);
    pin_jsonout_key(json, "conditions");
    pin_jsonout_array(json);
    for (size_t i = 0; i < n; i++) {
        put_one(json, shown, &said[i], now);
    }
    pin_jsonout_end(json);
}
