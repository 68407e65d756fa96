/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Errors: one list of codes, and `struct pin_why`, the sentence that explains one.
 *
 * A quiet function returns `enum pin_err` and writes its reason into a `struct pin_why` that the
 * caller owns; the one loud frame above it logs that text. Every `why` argument may be NULL.
 */

#include "pintle/base/macros.h"

/** The one list of errors: enumerator (behind PIN_) and its general meaning. */
#define PIN_ERR_MAP(X)                                                                             \
    X(OK, "success")                                                                               \
    X(ENOMEM, "out of memory")                                                                     \
    X(EPARSE, "malformed input")                                                                   \
    X(ELIMIT, "a limit was reached")                                                               \
    X(EINVAL, "invalid value")                                                                     \
    X(EIO, "input/output error")                                                                   \
    X(ENOTFOUND, "not found")                                                                      \
    X(EDENIED, "not permitted")                                                                    \
    X(ETIMEOUT, "timed out")                                                                       \
    X(EBUSY, "busy")                                                                               \
    X(ECLOSED, "closed")                                                                           \
    X(EEXISTS, "already exists")                                                                   \
    X(EUNSUPPORTED, "not supported")

/** What a function returns that can fail; PIN_OK is 0. */
enum pin_err {
#define X(name, text) PIN_##name,
    PIN_ERR_MAP(X)
#undef X
};

/** Size of the text in a `struct pin_why`, with its NUL; longer reasons are cut. */
#define PIN_WHY_BYTES 512

/** Why something failed, for people. A zeroed one is empty; it owns nothing. */
struct pin_why {
    char text[PIN_WHY_BYTES]; /**< NUL-terminated, no newline at the end, may be empty. */
};

/** The general meaning of a code, e.g. "malformed input". Static, never NULL. */
const char *pin_err_str(enum pin_err err);

/** The code's name without prefix, e.g. "EPARSE". Static, never NULL. */
const char *pin_err_name(enum pin_err err);

/** Writes the formatted reason into `why` (unless NULL) and returns `err`. */
enum pin_err pin_why_set(struct pin_why *why, enum pin_err err, const char *fmt, ...)
    PIN_PRINTF(3, 4);

/**
 * Writes "<formatted>: <strerror text>" into `why` (unless NULL).
 *
 * @param errno_value  A value of errno, taken before anything else could change it.
 * @return ENOENT is PIN_ENOTFOUND, EACCES and EPERM PIN_EDENIED, ENOMEM PIN_ENOMEM, ETIMEDOUT
 *         PIN_ETIMEOUT, EADDRINUSE, EAGAIN and EBUSY PIN_EBUSY, EEXIST PIN_EEXISTS, all else
 * PIN_EIO.
 */
enum pin_err pin_why_errno(struct pin_why *why, int errno_value, const char *fmt, ...)
    PIN_PRINTF(3, 4);

/** Puts "<formatted>: " in front of what `why` says (unless NULL); the tail is cut if need be. */
void pin_why_wrap(struct pin_why *why, const char *fmt, ...) PIN_PRINTF(2, 3);
