/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * YAML into trees; the one door to libyaml.
 *
 * Plain scalars follow the YAML 1.2 core schema: null, true/false, whole numbers (also 0x and 0o),
 * decimals. yes, no, on and off stay strings. Anchors, aliases and merge keys (<<) are expanded by
 * copying, within a budget. Equal keys in one map are an error. JSON documents are YAML, so this
 * door gives them a line and a column too. One thing libyaml refuses in them: a character written
 * as two escapes (a surrogate pair); raw UTF-8, which kubectl writes, is fine.
 */

#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/tree.h"

struct pin_arena;

/** Limits; past one of them the error is PIN_ELIMIT. */
#define PIN_YAML_BYTES_MAX   ((size_t)256 << 20)
#define PIN_YAML_ALIASED_MAX 100000 /**< Nodes copied for aliases and merge keys in one text, */
#define PIN_YAML_ALIASED_TEXT_BYTES                                                                \
    100                           /**< each so often one more as it has so many bytes of text. */
#define PIN_YAML_ANCHORS_MAX 1000 /**< Anchors in one document. */

/**
 * Parses all documents of a text, or none.
 *
 * @param text      Need not be NUL-terminated; not referenced afterwards.
 * @param arena     Holds the trees; its cap bounds their number. On error it keeps the partial
 * trees.
 * @param ret_docs  A list node whose children are the documents in order; empty documents are left
 *                  out, so it can have no children.
 * @param why       "LINE:COL: message".
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT, PIN_ENOMEM or PIN_EUNSUPPORTED (tags, keys that are no
 * scalars).
 *
 * Cost: about 20 ns a byte. Memory: about 10 times the text in the arena, for manifests.
 */
enum pin_err pin_yaml_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_docs, struct pin_why *why);
