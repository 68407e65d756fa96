/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * dnstap: noted questions and answers as protocol buffers, sent over Frame Streams to a collector
 * (dnstap.info). Two messages for each: CLIENT_QUERY and CLIENT_RESPONSE.
 *
 * The collector may come, go and be slow: libfstrm's own thread connects again every few seconds,
 * and what it cannot take in time is lost and counted.
 */

#include "pintle/base/error.h"

#include "tap.h"

/** Room for one encoded message beside the DNS message it carries. */
#define PIN_DNSTAP_HEAD_BYTES 1792u

struct pin_dnstap;

/** Begins to connect. Strings of `config` are copied. One thread calls all of these. */
enum pin_err pin_dnstap_open(
    const struct pin_tap_config *config, struct pin_dnstap **ret_dnstap, struct pin_why *why);

/** Hands what is waiting to the collector, if there is one, and closes. NULL is fine. */
void pin_dnstap_close(struct pin_dnstap *dnstap);

/** Sends both messages of a record. Returns how many of the two were lost. */
unsigned pin_dnstap_add(struct pin_dnstap *dnstap, const struct pin_tap_record *record);

/**
 * Encodes one message of a record; a message that was cut when it was noted is left out, and so is
 * silence. Pure.
 *
 * @param to  PIN_DNSTAP_HEAD_BYTES and PIN_TAP_ANSWER_MAX bytes.
 * @return Its length; 0 when there is nothing to tell.
 */
size_t pin_dnstap_encode(
    const struct pin_tap_record *record, bool is_answer, const char *identity, uint8_t *to);
