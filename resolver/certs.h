/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Certificates on disk: reads those of all TLS listeners and of the admin side, and reads them
 * again when their files change.
 *
 * New connections get the new certificate, open ones go on with theirs. A file that cannot be used
 * leaves everything as it was: that is logged once and counted. Control's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/dirwatch.h"
#include "pintle/base/loop.h"

#include "resolver/config.h"
#include "resolver/tls.h"

struct pin_certs;

/**
 * Reads the certificates and keys of all listeners of `config`, which must outlive it.
 *
 * @param findings  Gets every fault, at its listener's place; with any, nothing is to be served.
 * @return NULL only when memory is out.
 */
struct pin_certs *pin_certs_load(const struct pin_config *config, struct pin_findings *findings);

/** Which one is the admin side's: behind those of the listeners. */
size_t pin_certs_admin(const struct pin_certs *certs);

/** Stops watching and frees it; no worker uses it any more. NULL is fine. */
void pin_certs_free(struct pin_certs *certs);

/** What listener `listen_i` serves TLS with, or NULL: it is plain. Lives as long as `certs`. */
struct pin_tls *pin_certs_tls(const struct pin_certs *certs, size_t listen_i);

/** Where that listener was to listen. Borrowed from the configuration. */
const struct pin_addrport *pin_certs_address(const struct pin_certs *certs, size_t listen_i);

/** Looks at the files from now on. `dirwatch` outlives `certs`. */
enum pin_err pin_certs_watch(struct pin_certs *certs, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, struct pin_why *why);

/** Reads all of them again now, changed or not. Loud. */
void pin_certs_reload(struct pin_certs *certs);

/** How a listener's certificate stands. */
struct pin_cert_status {
    int64_t expires_s;   /**< Seconds since 1970 UTC, of the one in use. */
    uint64_t is_up;      /**< 1 while the files as they are now are in use. */
    uint64_t n_loads;    /**< Times they were taken. */
    uint64_t n_failures; /**< Times they were not. */
};

/** False: the listener is plain. */
bool pin_certs_status(
    const struct pin_certs *certs, size_t listen_i, struct pin_cert_status *ret_status);
