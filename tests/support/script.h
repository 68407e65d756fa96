/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Script: a scenario file cut into lines and blocks. The language is described in
 * tests/scenario/README.md.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"

/** Most words of one line. */
#define SCRIPT_WORDS_MAX 160u

/** A line that is neither empty nor a comment. */
struct pin_script_line {
    char *text;       /**< Without indentation and trailing space. */
    const char *raw;  /**< With them. */
    size_t raw_bytes; /**< Without the newline. */
    size_t indent;    /**< Spaces in front; 0 = a command. */
    unsigned number;  /**< In the file, from 1. */
};

/** Lines of one fixture or case. */
struct pin_script_block {
    bool is_case;
    const char *title;
    unsigned number; /**< Line of the title. */
    size_t first;    /**< Position in lines. */
    size_t end;
};

/** One file. */
struct pin_script {
    char name[256]; /**< For messages: relative to the source directory. */
    char *text;
    char *raw;
    struct pin_script_line *lines;
    size_t n_lines;
    struct pin_script_block *blocks;
    size_t n_blocks;
};

/** Reads a file; `name` is what messages call it. */
enum pin_err pin_script_read(
    const char *path, const char *name, struct pin_script *ret_script, struct pin_why *why);

/** Frees what read took; a zeroed one is fine. */
void pin_script_done(struct pin_script *script);

/** The fixture of that title, or NULL. */
const struct pin_script_block *pin_script_fixture(
    const struct pin_script *script, const char *title);

/**
 * Cuts a copy of a text into words at spaces, NULs in place. Returns how many, at most
 * SCRIPT_WORDS_MAX.
 */
size_t pin_script_words(char *text, char *words[SCRIPT_WORDS_MAX]);
