/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Token file: the token of the admin side, read again when its file changes.
 *
 * The one before counts no more from then on. A file that cannot be used leaves it as it was; that
 * is logged. Control's thread.
 */

#include "pintle/base/dirwatch.h"
#include "pintle/base/loop.h"

#include "resolver/admin_access.h"

struct pin_token_file;

/** What is read, and for whom. */
struct pin_token_file_config {
    const char *path;                /**< Outlives it, as all that follows. */
    struct pin_admin_access *access; /**< Whose token it is. */
    struct pin_loop *loop;
    struct pin_dirwatch *dirwatch;
    void (*on_change)(void *arg); /**< There is another token. */
    void *arg;
};

/** Reads it, and looks at its file from now on. Errors as of pin_admin_access_read(). */
enum pin_err pin_token_file_open(const struct pin_token_file_config *config,
    struct pin_token_file **ret_file, struct pin_why *why);

/** Looks no more; the token stays. NULL is fine. */
void pin_token_file_free(struct pin_token_file *file);
