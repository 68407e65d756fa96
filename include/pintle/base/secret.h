/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Secrets in files: keys and tokens that nobody else on the machine is to read. Blocking, for as
 * long as a small file takes; any thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

/** A secret. A zeroed one is none. Those that are read are on pages of their own, which no core
 * dump has and no child inherits. */
struct pin_secret {
    uint8_t *data; /**< One NUL follows that does not count. */
    size_t bytes;
    size_t n_mapped; /**< Bytes of these pages; 0: it is on the heap. */
};

/**
 * Reads a file's text without the white space around it. A file that others than its owner and
 * group may read or write is refused.
 *
 * @param ret_secret  The caller's, with pin_secret_done(); written on PIN_OK only.
 * @return PIN_OK, PIN_EDENIED (its mode, too), PIN_EPARSE when it is empty, or as pin_file_read().
 *         What `why` says has no part of the secret.
 */
enum pin_err pin_secret_read(const char *path, struct pin_secret *ret_secret, struct pin_why *why);

/** The same of a file that holds base64; gives what it stands for. */
enum pin_err pin_secret_read_base64(
    const char *path, struct pin_secret *ret_secret, struct pin_why *why);

/** Overwrites and frees what came from malloc() and was secret. NULL is fine. */
void pin_secret_free(void *data, size_t bytes);

/** Overwrites and frees it; leaves none. */
void pin_secret_done(struct pin_secret *secret);
