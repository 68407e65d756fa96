/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Queries: what a load generator asks, ready in wire format, and what it wants to hear.
 *
 * A file of lines "NAME [TYPE [RCODE [COUNT]]]": the type stands for the one given, RCODE is a
 * number, COUNT that of RRs in the answer section; without them, or with "-", anything will do.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "question.h"

#define QUERIES_N_RCODE 16U

/** One query and the answer it wants. */
struct pin_asked {
    uint32_t at;      /**< Offset into the wire format of all. */
    uint16_t bytes;   /**< Length of the query. */
    int16_t rcode;    /**< -1: any. */
    int32_t n_answer; /**< -1: any. */
};

/** All queries; filled by pin_queries_read(), never freed: they live as long as the process. */
struct pin_queries {
    uint8_t *wire;
    struct pin_asked *asked;
    uint32_t *order; /**< Indexes into `asked`, shuffled alike in every run. */
    uint32_t n;
};

/** How queries are made from names. */
struct pin_queries_form {
    uint16_t qtype; /**< Of lines that name none. */
    bool with_edns;
    bool is_echo; /**< The server only echoes: nothing is wanted of answers. */
};

/** What became of an answer. */
enum pin_heard {
    PIN_HEARD_GOOD,
    PIN_HEARD_WRONG,    /**< No QR bit, another question, or shorter than a question. */
    PIN_HEARD_UNWANTED, /**< Another rcode or number of answers than the line says. */
    PIN_HEARD_MIXED,    /**< Addresses of two generations (pin_queries_is_mixed()). */
};

/** Counts of one run. */
struct pin_tally {
    uint64_t n_sent;
    uint64_t n_answered; /**< With the right question, whatever else they said. */
    uint64_t n_lost;
    uint64_t n_unasked; /**< Late, doubled or never asked: the id was not pending. */
    uint64_t n_heard[PIN_HEARD_MIXED + 1];
    uint64_t n_truncated;
    uint64_t answer_bytes;
    uint64_t n_rcode[QUERIES_N_RCODE];
};

/** Reads and shuffles. False, after saying why on stderr, when the file is not as it should be. */
bool pin_queries_read(
    const char *path, const struct pin_queries_form *form, struct pin_queries *ret_queries);

/** Judges the answer to the query_i-th query, id apart, and counts it. */
void pin_queries_hear(const struct pin_queries *queries, uint32_t query_i, const uint8_t *wire,
    size_t bytes, bool wants_generation, struct pin_tally *tally);

/**
 * Tells whether the A RRs of an answer come from two generations: all but the two lowest bits of
 * the addresses of one name are its generation.
 */
bool pin_queries_is_mixed(const uint8_t *wire, size_t bytes);

/** Prints the counts as key=value pairs on one line, without its end. */
void pin_tally_print(const struct pin_tally *tally, uint64_t elapsed_ns);
