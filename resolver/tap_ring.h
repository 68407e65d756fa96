/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The inside of a tap: notes of questions under way, and a ring of bytes with one writer and one
 * reader. Private to tap.c and tapper.c.
 *
 *     ring:  head | question | answer | head | question | answer | ...      any record may wrap
 */

#include "pintle/base/stat.h"

#include "tap.h"

/** What stands in the ring in front of a question and its answer. */
struct pin_tap_head {
    int64_t query_wall_ns;
    int64_t took_ns;
    struct pin_addrport peer;
    uint32_t query_bytes;
    uint32_t answer_bytes;
    uint32_t transport;
    uint32_t rcode;
    uint32_t wanted;
    struct pin_tap_why why;
};

/** A question under way. */
struct pin_tap_note {
    int64_t started_ns; /* monotonic */
    int64_t query_wall_ns;
    uint32_t query_bytes; /* as received */
    uint32_t wanted;      /* enum pin_tap_for */
    uint8_t query[PIN_TAP_QUERY_MAX];
};

/** Room for one record, unrolled. */
struct pin_tap_page {
    uint8_t query[PIN_TAP_QUERY_MAX];
    uint8_t answer[PIN_TAP_ANSWER_MAX];
};

/** One worker's. */
struct pin_tap {
    _Alignas(64) struct pin_tap_gate gate; /* first; this line is the worker's */
    _Atomic uint32_t tail_every; /* the tapper's, who seldom writes it; 0: nobody watches */
    _Atomic uint32_t log_every;  /* likewise */
    _Atomic uint32_t dnstap_every;
    uint32_t n_until_log;
    uint32_t n_until_dnstap;
    uint32_t n_until_tail;
    uint32_t next_note;
    _Atomic uint32_t put_bytes; /* counts on and on */
    struct pin_stat n_noted;
    struct pin_stat n_lost;
    _Alignas(64) struct pin_tap *next; /* the tapper's list */
    atomic_bool is_left;               /* its worker is gone: another one may have it */
    _Atomic uint32_t taken_bytes;      /* the reader's */
    struct pin_tap_note notes[PIN_TAP_NOTES];
    uint8_t ring[PIN_TAP_RING_BYTES];
};

/** Takes the oldest record; its bytes stand in `page`. False: there is none. The reader. */
bool pin_tap_take(
    struct pin_tap *tap, struct pin_tap_page *page, struct pin_tap_record *ret_record);
