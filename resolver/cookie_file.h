/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Cookie file: the secret that a fleet shares (cookie.h), read again when its file changes.
 *
 * Cookies of a moment ago stay good: when the file holds one secret, another than before, the one
 * before is accepted beside it for as long as its cookies could be. When it holds two, it says
 * itself what is accepted. A file that cannot be used changes nothing; that is logged once.
 * Control's thread; workers follow under RCU.
 */

#include "pintle/base/dirwatch.h"
#include "pintle/base/loop.h"

#include "cookie.h"

struct pin_cookie_file;

/**
 * Reads the file for the first time.
 *
 * @param ret_secret  Follows the file until free, and has no key itself.
 * @return What pin_cookie_secret_read() says, or PIN_ENOMEM; `ret_file` is set on PIN_OK.
 */
enum pin_err pin_cookie_file_load(const char *path, struct pin_cookie_secret *ret_secret,
    struct pin_cookie_file **ret_file, struct pin_why *why);

/** Whether both are the same file's. NULL is no file's. */
bool pin_cookie_file_is_same(const struct pin_cookie_file *a, const struct pin_cookie_file *b);

/** Holds it once more; each holder frees it. Returns it. */
struct pin_cookie_file *pin_cookie_file_hold(struct pin_cookie_file *file);

/** Lets it go. The last holder frees it; nobody follows it any more, and it is not watched. NULL is
 * fine. */
void pin_cookie_file_free(struct pin_cookie_file *file);

/** Looks at the file from now on. `dirwatch` outlives that. NULL is fine. */
enum pin_err pin_cookie_file_watch(struct pin_cookie_file *file, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, struct pin_why *why);

/** Until here. NULL is fine. */
void pin_cookie_file_unwatch(struct pin_cookie_file *file);

/** Looks at the file once. Loud. */
void pin_cookie_file_look(struct pin_cookie_file *file);
