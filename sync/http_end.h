/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * How a request ended, for http.c, which alone knows libcurl: what is said of it without that.
 */

#include "pintle/base/text.h"
#include "pintle/sync/sync.h"

#include "http.h"

/** Room of a message, with its NUL. */
#define PIN_HTTP_MESSAGE_BYTES 512

/** Writes what the body of an answer that is no 2xx says to people: the `message` of a Status
 * object, or the line that matters, or its first. */
void pin__http_read_message(const struct pin_text *body, char out[PIN_HTTP_MESSAGE_BYTES]);

/** Counts the end among PIN_SYNC_OUTCOMES rows; NULL: nobody wants to know. */
void pin__http_count(struct pin_sync_outcome *rows, const struct pin_http_result *result);
