/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * JSON writer: appends to a text, sets the commas itself, bounded in depth.
 *
 *     struct pin_jsonout json = pin_jsonout_init(&text);
 *     pin_jsonout_object(&json);
 *     pin_jsonout_key(&json, "n"); pin_jsonout_int(&json, 3);
 *     pin_jsonout_end(&json);                                    -> {"n":3}
 *
 * A call out of place (a value in an object without key, too many ends) marks it failed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/text.h"

struct pin_tree;

/** Objects and arrays that may be open at once: those of any tree that was read, and some around.
 */
#define PIN_JSONOUT_DEPTH_MAX 80

/** One document under construction. Owns nothing. */
struct pin_jsonout {
    struct pin_text *text;                 /**< Borrowed. */
    uint32_t depth;                        /**< Open objects and arrays. */
    bool failed;                           /**< A call out of place or too deep. */
    bool has_key;                          /**< A key waits for its value. */
    char kind[PIN_JSONOUT_DEPTH_MAX];      /**< '{' or '[' per open level. */
    bool has_items[PIN_JSONOUT_DEPTH_MAX]; /**< Whether a comma is due. */
};

/** A writer that appends to `text`, which must outlive it. */
struct pin_jsonout pin_jsonout_init(struct pin_text *text);

/** Opens an object or an array, as a value. */
void pin_jsonout_object(struct pin_jsonout *json);
void pin_jsonout_array(struct pin_jsonout *json);

/** Closes what was opened last. */
void pin_jsonout_end(struct pin_jsonout *json);

/** Names the next value; in objects only. */
void pin_jsonout_key(struct pin_jsonout *json, const char *key);

/** A string value; NULL writes null. Invalid UTF-8 is made safe. */
void pin_jsonout_string(struct pin_jsonout *json, const char *value);
void pin_jsonout_string_n(struct pin_jsonout *json, const char *value, size_t bytes);

/** A number. A double that is not finite writes null. */
void pin_jsonout_int(struct pin_jsonout *json, int64_t value);
void pin_jsonout_uint(struct pin_jsonout *json, uint64_t value);
void pin_jsonout_double(struct pin_jsonout *json, double value);

/** true, false, null. */
void pin_jsonout_bool(struct pin_jsonout *json, bool value);
void pin_jsonout_null(struct pin_jsonout *json);

/** Key and value in one call. */
void pin_jsonout_key_string(struct pin_jsonout *json, const char *key, const char *value);
void pin_jsonout_key_int(struct pin_jsonout *json, const char *key, int64_t value);
void pin_jsonout_key_uint(struct pin_jsonout *json, const char *key, uint64_t value);
void pin_jsonout_key_double(struct pin_jsonout *json, const char *key, double value);

/** A key and a moment as Kubernetes' MicroTime, "2026-11-21T03:04:05.678000Z". */
void pin_jsonout_key_micro_time(struct pin_jsonout *json, const char *key, int64_t wall_ms);
void pin_jsonout_key_bool(struct pin_jsonout *json, const char *key, bool value);

/** A key and a list of texts. */
void pin_jsonout_key_strings(
    struct pin_jsonout *json, const char *key, const char *const *values, size_t n_values);

/** A whole tree. Recurses as deep as its parser let it become. */
void pin_jsonout_tree(struct pin_jsonout *json, const struct pin_tree *tree);

/** True when everything is closed and neither the writer nor the text failed. */
bool pin_jsonout_is_ok(const struct pin_jsonout *json);
