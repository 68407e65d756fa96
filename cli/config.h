/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What pintlectl knows of the configuration file by itself: texts that are made from pintled's
 * table of options when Pintle is built (resolver/describe_main.c).
 */

#include <stddef.h>

#include "pintle/base/arena.h"
#include "pintle/base/tree.h"

/** One of these texts. Static. */
struct pin_config_text_file {
    const char *name; /**< "config.schema.json", "defaults.yaml", "options.json" */
    const char *text; /**< NUL-terminated. */
    size_t text_bytes;
};

/** All of them; made by cmake/embed.cmake. */
extern const struct pin_config_text_file pin_config_text_files[];
/** How many there are. */
extern const size_t pin_config_text_n_files;

/** The text of that name; "" when there is none. */
const char *pin_config_text(const char *name);

/** All options, {"path", "type", "default", "required", "meaning", "example"} each, in the arena.
 * NULL when memory is out. */
const struct pin_tree *pin_config_options(struct pin_arena *arena);

/**
 * The option that a person means: "clusters[].network", "clusters.network", "clusters[1].network",
 * or the last key alone where only one option is called so. NULL: none, and *ret_near is the path
 * that was probably meant, or NULL. Both live in the arena of `options`.
 */
const struct pin_tree *pin_config_find_option(const struct pin_tree *options, const char *key,
    struct pin_arena *arena, const char **ret_near);

/** Whether `path` is a key of the map or list at `parent`; "" is the file itself. */
bool pin_config_is_child(const char *path, const char *parent);
