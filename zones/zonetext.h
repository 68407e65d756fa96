/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Zone text: cuts a master file (RFC 1035, section 5.1) into entries, without knowing what they
 * mean.
 *
 *     a  IN TXT ( "x"   ; remark        ->   line 1: a  IN TXT   "x"   "y"
 *                 "y" )
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

/** Longest entry: an RDATA of 65535 bytes, every byte written as \DDD, and some room. */
#define PIN_ZONETEXT_ENTRY_MAX 400000u

/** A text under way. */
struct pin_zonetext {
    const char *at;
    const char *end;
    uint32_t line;         /**< Where `at` is, from 1. */
    uint32_t entry_line;   /**< Where the latest entry begins. */
    bool is_indented;      /**< It begins with a blank: the owner is the one before. */
    struct pin_text entry; /**< Its text on one line, without remarks and parentheses. */
};

/** What pin_zonetext_next() found. */
enum pin_zonetext_found {
    PIN_ZONETEXT_ENTRY,
    PIN_ZONETEXT_END,
    PIN_ZONETEXT_FAULT, /**< `why` says it; the next call goes on behind it. */
};

/** Begins; the text is borrowed. */
void pin_zonetext_init(struct pin_zonetext *ret_text, const char *text, size_t bytes);

/** Frees what it holds. */
void pin_zonetext_done(struct pin_zonetext *text);

/** Reads the next entry that is not empty. */
enum pin_zonetext_found pin_zonetext_next(struct pin_zonetext *text, struct pin_why *why);

/**
 * Takes the next word off a line: blanks end it, unless quoted or behind a backslash. Ends it with
 * NUL and moves `cursor` behind it; NULL when there is none. Quotes and backslashes stay in it.
 */
char *pin_zonetext_word(char **cursor);

/** Reads "3600" or "1h30m" (s, m, h, d, w). False when it is no time, or above 2^31 - 1. */
bool pin_zonetext_ttl(const char *word, uint32_t *ret_ttl_s);
