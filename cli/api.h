/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The daemon's admin API over HTTP; the one door to libcurl in this room. Blocking.
 * A daemon that wants a token gets the one in the file that $PINTLE_TOKEN_FILE names.
 */

#include "pintle/base/arena.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "cli/ctl.h"

/** Files of TLS, for an admin side that is "https://HOST:PORT". NULL: not said. */
struct pin_api_tls {
    const char *ca;   /**< Who vouches for the daemon; NULL: whom the system trusts. */
    const char *cert; /**< What is shown to the daemon. */
    const char *key;  /**< NULL: it stands in `cert`. */
};

/** Has all requests from now on use these, and what is not said from $PINTLE_CA_FILE,
 * $PINTLE_CERT_FILE and $PINTLE_KEY_FILE. Texts are borrowed until the program ends. */
void pin_api_use(const struct pin_api_tls *tls);

/** What stands before an admin side's name in its URL: "http://", or "" where the name begins with
 * "https://" itself. Static. */
const char *pin_api_scheme(const char *admin);

/** What came back. A zeroed one is empty. */
struct pin_api_reply {
    int status;           /**< HTTP. */
    struct pin_text body; /**< As received. */
    struct pin_arena *arena;
    struct pin_tree *tree; /**< The body as a tree, when it is JSON. */
};

/**
 * Asks for a path. PIN_ECLOSED: nobody listens; PIN_ETIMEOUT, PIN_EIO, PIN_EPARSE, PIN_ENOMEM.
 * An HTTP error is PIN_OK with that status.
 *
 * @param path  With its query; starts with '/'.
 */
enum pin_err pin_api_get(
    const char *admin, const char *path, struct pin_api_reply *ret_reply, struct pin_why *why);

/** The same for who cannot wait for long: all of it ends within that time. */
enum pin_err pin_api_get_within(const char *admin, const char *path, long timeout_ms,
    struct pin_api_reply *ret_reply, struct pin_why *why);

/** The same for a page of any kind: it is not read as JSON, there is no tree. */
enum pin_err pin_api_get_text(
    const char *admin, const char *path, struct pin_api_reply *ret_reply, struct pin_why *why);

/** A request that changes something. */
struct pin_api_order {
    const char *method; /**< "POST", "DELETE" */
    const char *path;   /**< With its query. */
    const char *body;   /**< JSON, or NULL. */
};

/** Asks once; errors as pin_api_get(). */
enum pin_err pin_api_try(const char *admin, const struct pin_api_order *order,
    struct pin_api_reply *ret_reply, struct pin_why *why);

/** Complains on standard error about what pin_api_try() returned, if that is no status 200. */
enum pin_ctl_exit pin_api_judge(
    enum pin_err err, const struct pin_api_reply *reply, const struct pin_why *why);

/** Makes the tree of a reply whose body was filled in. PIN_EPARSE, PIN_ENOMEM. */
enum pin_err pin_api_parse(struct pin_api_reply *reply, struct pin_why *why);

/** Takes bytes as they come; false ends the transfer. */
typedef bool pin_api_take(void *arg, const char *data, size_t bytes);

/**
 * Asks for a path whose answer has no end, and gives what comes to `take` until that says false
 * (PIN_OK) or the connection breaks. An HTTP error is told on standard error.
 */
enum pin_ctl_exit pin_api_watch(const char *admin, const char *path, pin_api_take *take, void *arg);

/** Frees what a reply holds. */
void pin_api_reply_done(struct pin_api_reply *reply);

/** Appends `value` with everything escaped that means something in a query. */
void pin_api_put_escaped(struct pin_text *text, const char *value);

/**
 * Asks, and complains on standard error when there is no good answer.
 * PIN_CTL_OK: *ret_reply is JSON with status 200. The caller frees the reply either way.
 */
enum pin_ctl_exit pin_api_fetch(
    const struct pin_ctl *ctl, const char *path, struct pin_api_reply *ret_reply);

/** The same for a request that changes something. */
enum pin_ctl_exit pin_api_order(
    const struct pin_ctl *ctl, const struct pin_api_order *order, struct pin_api_reply *ret_reply);
