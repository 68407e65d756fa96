/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * DNS over TCP as a client: one connection, whole messages in and out (RFC 7766).
 *
 * On the control loop; nothing blocks. One message is under way at a time; any number may come.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"

struct pin_dnsstream;
struct pin_loop;

/** Longest message. */
#define PIN_DNSSTREAM_MESSAGE_MAX 65535u
/** Without a byte for so long, connecting included, the connection is over. */
#define PIN_DNSSTREAM_IDLE_MS 20000

/** Whom to ask, and who is told. */
struct pin_dnsstream_spec {
    struct pin_loop *loop;
    struct pin_addrport server;
    /** A whole message. */
    void (*on_message)(void *arg, const uint8_t *wire, size_t bytes);
    /** The connection is over, `message` says why; close it. Not after pin_dnsstream_close(). */
    void (*on_end)(void *arg, const char *message);
    void *arg;
};

/** Connects. NULL: memory or descriptors are out; nobody is called. Callbacks come later. */
struct pin_dnsstream *pin_dnsstream_open(const struct pin_dnsstream_spec *spec);

/** Closes and frees it; fine from its callbacks. NULL is fine. */
void pin_dnsstream_close(struct pin_dnsstream *stream);

/** Sends a message, copied; waits for the connection where need be. False: the one before is not
 * sent yet, or it is too long. */
bool pin_dnsstream_send(struct pin_dnsstream *stream, const uint8_t *wire, size_t bytes);

/** Whether any part of the latest message has been given to the system. */
bool pin_dnsstream_has_begun(const struct pin_dnsstream *stream);
