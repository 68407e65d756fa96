/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Record sets as tables of tests write them: "a.example.com A 192.0.2.1,192.0.2.2".
 */

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/zones/recordset.h"

/** Most values that such a text may have. */
#define SET_VALUES_MAX 4u

/** Reads a set with a TTL of 60 s; its texts are in the arena. NULL for "". */
static inline const struct pin_recordset *read_set(
    struct pin_arena *arena, const char *text, struct pin_recordset *set)
{
    char *copy = pin_arena_strdup(arena, text);
    char *rest = NULL;
    if (text[0] == '\0') {
        return NULL;
    }
    *set = (struct pin_recordset){.set_id = "", .ttl_s = 60};
    set->values = pin_arena_alloc(arena, SET_VALUES_MAX * sizeof(set->values[0]));
    set->name = strtok_r(copy, " ", &rest);
    set->type = strtok_r(NULL, " ", &rest);
    for (char *value = strtok_r(NULL, ",", &rest); value != NULL;
         value = strtok_r(NULL, ",", &rest)) {
        set->values[set->n_values++].text = value;
    }
    return set;
}
