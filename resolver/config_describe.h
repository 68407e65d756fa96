/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The table of options told to people and programs: types, examples, JSON Schema, defaults, manual.
 * All of it follows from the table, and is made when Pintle is built (describe_main.c).
 */

#include "pintle/base/text.h"

#include "resolver/config_options.h"

/** One option and where it stands. Borrowed by who is called with it. */
struct pin_option_place {
    const char *path; /**< "clusters[].stale.after" */
    const struct pin_option *option;
    const struct pin_option_place *above; /**< Whose `children` it is one of; NULL: the file's. */
};

/** Called for one option. */
typedef void pin_option_fn(void *arg, const struct pin_option_place *place);

/** Goes through all options in the order of the table, each before its children. */
void pin_options_each(pin_option_fn *fn, void *arg);

/** Whether its children stand in a list: the path goes on with "[]". */
bool pin_option_is_list(const struct pin_option *option);

/** Appends its type and range as docs/configuration.md has them: "duration, 1 to 3600 s". */
void pin_option_put_type(struct pin_text *text, const struct pin_option *option);

/** Its default as text; NULL: there is none. Static. */
const char *pin_option_default(const struct pin_option *option);

/** Appends a value that it takes, as it is written inside [] or {}. */
void pin_option_put_value(struct pin_text *text, const struct pin_option *option);

/** Appends a piece of a configuration that says it, in lines. */
void pin_option_put_example(struct pin_text *text, const struct pin_option_place *place);

/** Appends a JSON Schema (draft 2020-12), indented. It takes whatever pintled takes, and refuses
 * unknown keys, wrong kinds, unknown words and numbers out of range. */
void pin_options_put_schema(struct pin_text *text);

/** Appends {"items": [{"path", "kind", "type", "default", "required", "meaning", "example"}]}. */
void pin_options_put_list(struct pin_text *text);

/** Appends a configuration that says nothing but defaults, with what each key means. */
void pin_options_put_defaults(struct pin_text *text);

/** Appends the options as a part of a manual page (man(7)). */
void pin_options_put_man(struct pin_text *text);
