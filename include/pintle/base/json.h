/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * JSON (RFC 8259) into a tree. Meant for API answers, which come by the item; manifests go through
 * base/yaml.h, which knows lines and columns of every node.
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
 * Positions in the tree are 0. Whole numbers of up to 18 digits are exact, all others pass through
 * a double. Of equal keys in one object the first is found. Text that is not UTF-8 (RFC 8259,
 * section 8.1) and a string with an escaped NUL are refused.
 *
 * @param text      Need not be NUL-terminated; not referenced afterwards.
 * @param arena     Holds the tree.
 * @param why       "LINE:COL: message" where a position is known.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT (size, depth, arena) or PIN_ENOMEM.
 *
 * Cost: about 1 ns a byte. Memory: up to 8 times the text in the arena for API objects.
 */
enum pin_err pin_json_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why);

/** Members to leave out: those called `key` of maps that stand under `parent`, as the value of that
 * member or within its list. The last one of an array has no key. */
struct pin_json_skip {
    const char *parent;
    const char *key;
};

/**
 * The same, without the members that `skips` names. Of what they hold only strings and brackets are
 * looked at, so that anything of UTF-8 may pass for JSON there.
 */
enum pin_err pin_json_parse_some(const char *text, size_t bytes, const struct pin_json_skip *skips,
    struct pin_arena *arena, struct pin_tree **ret_tree, struct pin_why *why);
