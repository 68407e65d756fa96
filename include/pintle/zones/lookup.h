/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Lookups: host names of gateways, which somebody outside the builder has to resolve.
 *
 *     builder  settings, statuses of objects -> struct pin_wanted -> control: asks DNS, by TTL
 *     builder  <- PIN_DELTA_LOOKUP (struct pin_lookup) <-----------
 *
 * A name without an answer keeps the addresses it had.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"

/** Most addresses of one host name, both families. */
#define PIN_LOOKUP_MAX 32u
/** Room for a host name as text, with its NUL. */
#define PIN_HOST_TEXT_MAX 256u

/** What one lookup came to. One allocation. */
struct pin_lookup {
    char host[PIN_HOST_TEXT_MAX]; /**< Lower case, no trailing dot. */
    uint64_t at_ms;               /**< Monotonic, when the answer came. */
    bool has_failed;              /**< `ips` do not count: the former ones stay. */
    char error[128];              /**< Why it failed. */
    size_t n_ips;
    struct pin_ip ips[PIN_LOOKUP_MAX];
};

/** All host names that have to be looked up now. One allocation; free() it. */
struct pin_wanted {
    size_t n;
    char hosts[][PIN_HOST_TEXT_MAX];
};

/** What is known about one name. Texts are borrowed until the next call. */
struct pin_lookup_stats {
    const char *host;
    const char *error; /**< Of the latest lookup; "" when it was good. */
    size_t n_ips;
    uint64_t n_good;
    uint64_t n_failed;
    int64_t good_wall_ms; /**< When the latest good one was; 0: never. */
};
