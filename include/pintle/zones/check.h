/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Check: how an address is asked whether it works. The keys and their defaults are those of
 * `spec.healthCheck` of a TargetGroupPolicy (application-networking.k8s.aws); `host` and `command`
 * and the protocols TCP and COMMAND are our own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"

/** What is done to learn whether an address works. */
enum pin_check_protocol {
    PIN_CHECK_HTTP,    /**< GET, the status decides. */
    PIN_CHECK_HTTPS,   /**< The same over TLS; certificates are not verified, as pods have none. */
    PIN_CHECK_TCP,     /**< A connection that comes about. */
    PIN_CHECK_COMMAND, /**< A program of the configuration that ends with 0. */
};

/** Most ranges of `statusMatch`. */
#define PIN_CHECK_STATUS_MAX 8u
/** Longest path, host and command name in bytes, without NUL. */
#define PIN_CHECK_TEXT_MAX 255u
/** Largest interval and timeout. */
#define PIN_CHECK_SECONDS_MAX 3600u
/** Largest threshold. */
#define PIN_CHECK_THRESHOLD_MAX 100u

/** HTTP statuses from low to high. */
struct pin_check_status {
    uint16_t low;
    uint16_t high;
};

/** One way to check. Texts belong to whoever holds it. */
struct pin_check {
    enum pin_check_protocol protocol;
    bool is_enabled; /**< False: an object says that its addresses are not to be checked. */
    bool is_http2;   /**< protocolVersion: HTTP2 */
    uint8_t rise;    /**< Successes in a row that bring an address back. */
    uint8_t fall;    /**< Failures in a row that take it away. */
    uint8_t n_status;
    uint16_t port; /**< 0: the port that the address serves. */
    uint16_t interval_s;
    uint16_t timeout_s;
    struct pin_check_status status[PIN_CHECK_STATUS_MAX];
    const char *path;    /**< Begins with '/'. */
    const char *host;    /**< Host header and SNI; NULL: the address. */
    const char *command; /**< Name of a program in the configuration; NULL but for COMMAND. */
};

/** What holds where nothing is said: HTTP GET / every 30 s, 200 wanted, 5 up, 2 down. */
struct pin_check pin_check_default(void);

/** "HTTP", "HTTPS", "TCP", "COMMAND". */
const char *pin_check_protocol_text(enum pin_check_protocol protocol);

/** How long one outage takes at most to be seen at every address: fall intervals, jitter, timeout.
 */
uint32_t pin_check_window_s(const struct pin_check *check);

/** Whether the status is one of those wanted. */
bool pin_check_wants_status(const struct pin_check *check, int status);

/** Reads "200", "200-299" or "200,204,300-399". False: malformed, `check` is as it was. */
bool pin_check_read_status(struct pin_check *check, const char *text);

/** One address that is to be checked; a single heap allocation with its texts. */
struct pin_probe_spec {
    struct pin_ip ip;
    uint16_t port; /**< 0 only for a COMMAND without one. */
    struct pin_check check;
};

/** Makes a spec; NULL when memory is out. free() it. */
struct pin_probe_spec *pin_probe_spec_new(
    const struct pin_ip *ip, uint16_t port, const struct pin_check *check);

/**
 * Writes the bytes that tell two specs apart, for a hash table.
 * @return Length; at most PIN_PROBE_KEY_MAX.
 */
size_t pin_probe_key(
    const struct pin_ip *ip, uint16_t port, const struct pin_check *check, char *out);

/** Room for pin_probe_key(). */
#define PIN_PROBE_KEY_MAX 1024u
