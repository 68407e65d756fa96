/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * TLS client: how questions go to resolvers over TLS (RFC 7858), strict: the certificate is
 * checked, or nothing is sent.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

struct pin_upstream_spec;

/** What a call on a session came to. */
enum pin_tls_line_io {
    PIN_TLS_LINE_DONE,
    PIN_TLS_LINE_WANT_READ,
    PIN_TLS_LINE_WANT_WRITE,
    PIN_TLS_LINE_CLOSED, /**< By the other side, or because of an error. */
};

/** What all sessions to one resolver share: trust, and tickets for resumption. */
struct pin_tls_client;
/** One connection. */
struct pin_tls_line;

/** Reads the file with the trusted certificates. */
enum pin_err pin_tls_client_new(
    const struct pin_upstream_spec *spec, struct pin_tls_client **ret_client, struct pin_why *why);

/** Frees it; its sessions hold what they need. NULL is fine. */
void pin_tls_client_free(struct pin_tls_client *client);

/** Begins a line on a connected, non-blocking socket, which is borrowed. NULL: no memory. */
struct pin_tls_line *pin_tls_line_new(struct pin_tls_client *client, int fd);

/** Frees a line. NULL is fine. */
void pin_tls_line_free(struct pin_tls_line *session);

/** Goes on with the handshake. DONE: the other side is who it should be. */
enum pin_tls_line_io pin_tls_line_handshake(struct pin_tls_line *session);

/** Reads some bytes, at least one with DONE. */
enum pin_tls_line_io pin_tls_line_read(
    struct pin_tls_line *session, uint8_t *to, size_t cap_bytes, size_t *ret_bytes);

/** Writes some bytes, at least one with DONE. */
enum pin_tls_line_io pin_tls_line_write(
    struct pin_tls_line *session, const uint8_t *from, size_t bytes, size_t *ret_bytes);

/** Why it was closed, in words. Static or the session's. */
const char *pin_tls_line_error(const struct pin_tls_line *session);
