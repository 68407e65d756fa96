/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What external-dns's webhook protocol (version 1) says: endpoints in JSON.
 *
 * An endpoint without a TTL has the provider's own, which nobody tells: it is taken for
 * PIN_WEBHOOK_TTL_S here, and that is what is asked for where nobody wants another.
 *
 * Pure. Source: external-dns v0.20, provider/webhook/api and endpoint/.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"

#include "provider.h"
#include "provider_sets.h"

struct pin_text;

/** The only media type of version 1. */
#define PIN_WEBHOOK_TYPE "application/external.dns.webhook+json;version=1"
/** What a TTL of 0 becomes, and what an endpoint without a TTL has. */
#define PIN_WEBHOOK_TTL_S 300

/** Whether a Content-Type is that one: blanks and upper case do not matter. */
bool pin_webhook_is_type(const char *type);

/**
 * Adds an endpoint. One without a target is passed over.
 * @param scratch  Reset before it returns.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT or PIN_ENOMEM.
 */
enum pin_err pin_webhook_read_endpoint(const char *text, size_t bytes, struct pin_arena *scratch,
    struct pin_provider_sets *sets, struct pin_why *why);

/**
 * Reads what a webhook says it is for: whether the zone, or a part of it, is among it. Regular
 * expressions are Go's, and are taken to match.
 * @return PIN_OK; PIN_ENOTFOUND when the zone is not; PIN_EPARSE, PIN_ENOMEM.
 */
enum pin_err pin_webhook_read_filter(
    const char *text, size_t bytes, const char *zone, struct pin_why *why);

/** Appends what POST /records takes. */
void pin_webhook_put_changes(
    struct pin_text *out, const struct pin_provider_change *changes, size_t n_changes);

/** Appends what POST /adjustendpoints takes. */
void pin_webhook_put_endpoints(
    struct pin_text *out, const struct pin_recordset *sets, size_t n_sets);
