/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What PowerDNS's API (version 1) says and is told: record sets in JSON.
 *
 * Pure. Source: "Zones", HTTP API of the PowerDNS Authoritative Server.
 */

#include <stddef.h>

#include "pintle/base/error.h"

#include "provider.h"
#include "provider_sets.h"

struct pin_text;

/** What a TTL of 0 becomes. */
#define PIN_POWERDNS_TTL_S 300

/**
 * Adds one element of a zone's `rrsets`. Records that are disabled count as if they were not: they
 * are somebody's, and a change would delete them.
 *
 * @param scratch  Reset before it returns.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT or PIN_ENOMEM.
 */
enum pin_err pin_powerdns_read_set(const char *text, size_t bytes, struct pin_arena *scratch,
    struct pin_provider_sets *sets, struct pin_why *why);

/** Appends what PATCH takes for these changes; comments of sets that stay are not touched. */
void pin_powerdns_put_changes(
    struct pin_text *out, const struct pin_provider_change *changes, size_t n_changes);

/** Appends the path of a zone: "/api/v1/servers/localhost/zones/example.com.". */
void pin_powerdns_put_path(struct pin_text *out, const char *server, const char *zone);

/** What an answer that is an error says: its "error", else how it begins. Cut to fit. */
void pin_powerdns_read_error(
    const char *text, size_t bytes, char ret_message[PIN_PROVIDER_MESSAGE_MAX]);

/** Bytes that a change takes in PATCH's body, about. */
size_t pin_powerdns_weight(const struct pin_provider_change *change);
