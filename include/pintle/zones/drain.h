/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Drains: what an operator takes out of the answers by hand, for a while or until told otherwise.
 *
 *     cluster   NAME
 *     zone      [CLUSTER/]ZONE             topology zone of endpoints
 *     service   [CLUSTER/]NAMESPACE/NAME
 *     endpoint  [CLUSTER/]ADDRESS  or  [CLUSTER/]NAMESPACE/POD
 *
 * What is drained counts as not ready, whatever Kubernetes says. Builder's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/jsonout.h"

struct pin_catalog;

/** Most drains at a time. */
#define PIN_DRAINS_MAX 1000u
/** A drain without an end. */
#define PIN_DRAIN_FOREVER UINT64_MAX

/** What kind of thing is drained. */
enum pin_drain_what {
    PIN_DRAIN_CLUSTER,
    PIN_DRAIN_ZONE,
    PIN_DRAIN_SERVICE,
    PIN_DRAIN_ENDPOINT,
    PIN_DRAIN_WHAT_MAX,
};

/** "cluster", "zone", "service", "endpoint". */
const char *pin_drain_what_text(enum pin_drain_what what);

/** The other way; false when it is none of them. */
bool pin_drain_what_parse(const char *text, enum pin_drain_what *ret_what);

/** One order. */
struct pin_drain_order {
    enum pin_drain_what what;
    const char *name;      /**< As above; copied. */
    uint64_t until_ms;     /**< Monotonic, or PIN_DRAIN_FOREVER. */
    int64_t until_wall_ms; /**< The same for people; 0 without an end. */
    bool is_unchecked;     /**< It need not exist now: restored from a file. */
};

/**
 * Drains something; what is drained already gets the new end. Shows with the next publication.
 *
 * @return PIN_OK, PIN_EINVAL (no such form of name), PIN_ENOTFOUND (`why` names what there is
 * nearby), PIN_ELIMIT, PIN_ENOMEM.
 */
enum pin_err pin_catalog_drain(
    struct pin_catalog *catalog, const struct pin_drain_order *order, struct pin_why *why);

/** Ends a drain. PIN_ENOTFOUND: it is not drained; `why` names what is. */
enum pin_err pin_catalog_undrain(
    struct pin_catalog *catalog, enum pin_drain_what what, const char *name, struct pin_why *why);

/**
 * Writes all drains as one array: [{"what", "name", "until", "untilUnixMs"}]; the last two are null
 * without an end.
 */
void pin_catalog_drains_json(const struct pin_catalog *catalog, struct pin_jsonout *out);
