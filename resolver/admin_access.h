/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Access: who may see and change what over the admin listener. Health, metrics and the files of the
 * dashboard are for everybody who reaches it; the rest is for who knows the token or shows a
 * certificate, or, where neither is asked for, for this machine.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/secret.h"

/** Letters that a token has at least. */
#define PIN_TOKEN_MIN_BYTES 16u

/** Who may change something. */
enum pin_admin_changes {
    PIN_ADMIN_CHANGES_LOCAL, /**< Programs on this machine, with the token if there is one. */
    PIN_ADMIN_CHANGES_TOKEN, /**< Whoever knows the token, or shows a certificate. */
    PIN_ADMIN_CHANGES_NONE,  /**< Nobody. */
};

/** What the configuration says. A zeroed one: this machine sees and changes everything. */
struct pin_admin_access {
    struct pin_secret token; /**< None: nobody is asked for one. Owned. */
    bool takes_certificates; /**< As good as the token; without it, wanted. */
    bool is_open;            /**< Without a token, everybody sees everything. */
    enum pin_admin_changes changes;
};

/** What is known of who asks. Texts are headers, NULL when absent. */
struct pin_admin_caller {
    bool is_local;             /**< Comes from a loopback address. */
    bool has_certificate;      /**< One that is trusted; it vouches for the host's name, too. */
    const char *authorization; /**< "Bearer TOKEN", or "Basic" with the token as password. */
    bool is_foreign;           /**< A web page of elsewhere has its browser ask. */
    const char *host;
    const char *origin; /**< Browsers send it with what may change something. */
};

/** Reads the token. PIN_EINVAL when it is too short, else as pin_secret_read(). */
enum pin_err pin_admin_access_read(
    const char *token_file, struct pin_admin_access *access, struct pin_why *why);

/** Forgets the token. */
void pin_admin_access_done(struct pin_admin_access *access);

/**
 * Whether that page may be shown, or that change made. Takes the same time wherever a wrong token
 * differs.
 *
 * @param path     Of the request.
 * @param ret_why  What to say; static. Written when it may not.
 * @return HTTP status: 200, 401 (a token is wanted) or 403.
 */
int pin_admin_judge(const struct pin_admin_access *access, const struct pin_admin_caller *caller,
    const char *path, bool is_change, const char **ret_why);
