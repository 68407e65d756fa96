/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A reply as JSON or YAML.
 */

#include "pintle/base/jsonout.h"

#include "cli/api.h"

/** Appends a tree as a YAML document. Texts that could be read as something else are quoted. */
void pin_emit_yaml(struct pin_text *text, const struct pin_tree *tree);

/** Prints JSON that was made here as -o says: as it is, or as YAML. False when memory is out. */
bool pin_emit_made(const struct pin_ctl *ctl, const struct pin_text *json);

/** Makes control characters in the tree '?', so that its texts may go to a terminal. */
void pin_emit_printable(struct pin_api_reply *reply);

/**
 * Prints the reply as -o says; true when it did. False for PIN_CTL_TABLE: then control characters
 * in the tree have become '?', so that its texts may go to a terminal.
 */
bool pin_emit_reply(const struct pin_ctl *ctl, struct pin_api_reply *reply);
