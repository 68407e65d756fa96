/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Discovery: which of our kinds an API server has, and in which version. Reads the answer to
 * `GET /apis`, aggregated (APIGroupDiscoveryList) or plain (APIGroupList). No I/O.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/zones/object.h"

struct pin_arena;

/** What to ask for: the aggregated form, newest first, else the plain one. */
#define PIN_DISCOVERY_ACCEPT                                                                       \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                        \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"                   \
    "application/json"

/** What is known of the kinds. */
struct pin_discovery {
    /** Position in the row's versions of the best served one; -1: not served. */
    int version[PIN_KIND_MAX];
    /** False: the group has that version, whether it has the kind a list will tell. So it is in the
     * plain form, and where a version is marked as stale. */
    bool is_sure[PIN_KIND_MAX];
};

/** Reads an answer. Kinds of the core group are always served. */
enum pin_err pin_discovery_read(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_discovery *ret_discovery, struct pin_why *why);
