/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * JSON into a tree; the one door to cJSON. Meant for API answers, which come by the item; manifests
 * go through base/yaml.h, which knows lines and columns.
 */

#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/tree.h"

struct pin_arena;

/** Longest text accepted. */
#define PIN_JSON_BYTES_MAX ((size_t)256 << 20)

/**
 * Parses exactly one JSON value; only white space may follow it.
 *
 * Positions in the tree are 0. Numbers pass through a double: whole numbers are exact up to 2^53.
 * Of equal keys in one object the first is found. A string with an escaped NUL is refused.
 *
 * @param text      Need not be NUL-terminated; not referenced afterwards.
 * @param arena     Holds the tree.
 * @param why       "LINE:COL: message" where a position is known.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT (size, depth, arena) or PIN_ENOMEM.
 *
 * Cost: about 14 ns a byte. Memory: 8 times the text in the arena for API objects, and for a moment
 * about as much on the heap.
 */
enum pin_err pin_json_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why);
