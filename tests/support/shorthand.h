/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Shorthand: one line of a scenario becomes the YAML of the objects it stands for, so that the real
 * decoder reads those, too. The lines are described in tests/scenario/README.md.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

/** Service ports that were written, for the `pods` lines that follow. */
struct pin_shorthand {
    struct {
        char key[192];   /**< "cluster namespace/name". */
        char ports[192]; /**< Of the endpoints: "name:port/PROTO,...". */
    } known[64];
    size_t n_known;
};

/**
 * Writes the YAML of a line.
 *
 * @param words     verb, cluster, namespace/name, then options. They are cut further in place.
 * @param ret_yaml  Appended to.
 * @return PIN_OK, PIN_ENOTFOUND when the verb is no shorthand, PIN_EPARSE with `why`.
 */
enum pin_err pin_shorthand_write(struct pin_shorthand *shorthand, char **words, size_t n_words,
    struct pin_text *ret_yaml, struct pin_why *why);
