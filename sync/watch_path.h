/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Watch path: what is asked of an API server to list or watch one kind, and versions. No
 * I/O.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/base/text.h"

#include "decode.h"

/** The ways to ask. */
enum pin_watch_form {
    PIN_WATCH_PAGE,   /**< A page of a list. */
    PIN_WATCH_WHOLE,  /**< A list in one. */
    PIN_WATCH_STREAM, /**< A list as the first events of a watch (KEP-3157). */
    PIN_WATCH_EVENTS, /**< A watch. */
};

/** One request. */
struct pin_watch_query {
    const struct pin_kind_row *row;
    const char *version; /**< Of the kind. */
    enum pin_watch_form form;
    const char *resource_version; /**< EVENTS: where from. STREAM: not older, or NULL: newest. */
    const char *continue_token;   /**< PAGE: of the next one, or NULL. */
    int64_t timeout_s;            /**< STREAM, EVENTS: when the server is to end it. */
};

/** Appends path and query, escaped. */
void pin_watch_put_path(struct pin_text *path, const struct pin_watch_query *query);

/** Longest resourceVersion that is taken: requests name it, and real ones have 20 digits. */
#define PIN_WATCH_VERSION_BYTES_MAX 1024

/** Whether that is a version to go on from; NULL is none. */
bool pin_watch_is_version(const char *text);

/** Whether version a is from before b. Versions are opaque, but those that are numbers can be
 * compared (Kubernetes 1.35); others are never older. */
bool pin_watch_is_older(const char *a, const char *b);
