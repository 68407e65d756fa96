/* SPDX-License-Identifier: Apache-2.0 */

/* Who may see and change what over the admin listener. */

#include "resolver/admin_access.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/crypto.h"
#include "pintle/base/ip.h"
#include "pintle/base/macros.h"

#include "resolver/admin_web.h"

#define HOST_MAX_BYTES  256u
#define BASIC_MAX_BYTES 1024u

enum pin_err pin_admin_access_read(
    const char *token_file, struct pin_admin_access *access, struct pin_why *why)
{
    enum pin_err err = pin_secret_read(token_file, &access->token, why);
    if (err == PIN_OK && access->token.bytes < PIN_TOKEN_MIN_BYTES) {
        pin_secret_done(&access->token);
        err = pin_why_set(
            why, PIN_EINVAL, "'%s' holds fewer than %u letters", token_file, PIN_TOKEN_MIN_BYTES);
    }
    return err;
}

void pin_admin_access_done(struct pin_admin_access *access)
{
    pin_secret_done(&access->token);
}

/* --- The token ------------------------------------------------------------------------------ */

/* Digests are compared: neither length nor letters of the token show in the time it takes. */
static bool is_token(const struct pin_secret *token, const void *said, size_t bytes)
{
    uint8_t want[PIN_SHA256_BYTES];
    uint8_t have[PIN_SHA256_BYTES];
    pin_sha256(token->data, token->bytes, want);
    pin_sha256(said, bytes, have);
    return pin_crypto_equal(want, have, sizeof(want));
}

/* "Basic" is what a browser sends that runs no script: any user, the token as password. */
static bool is_basic(const struct pin_secret *token, const char *text)
{
    uint8_t *said = NULL;
    size_t bytes = 0;
    size_t text_bytes = strlen(text);
    if (text_bytes > BASIC_MAX_BYTES
        || pin_base64_decode(text, text_bytes, &said, &bytes) != PIN_OK) {
        return false;
    }
    const uint8_t *colon = memchr(said, ':', bytes);
    size_t user_bytes = colon == NULL ? 0 : (size_t)(colon - said) + 1;
    bool is_good = colon != NULL && is_token(token, said + user_bytes, bytes - user_bytes);
    pin_crypto_wipe(said, bytes);
    free(said);
    return is_good;
}

static bool knows_token(const struct pin_secret *token, const char *authorization)
{
    static const char bearer[] = "Bearer ";
    static const char basic[] = "Basic ";
    if (authorization == NULL) {
        return false;
    }
    if (strncasecmp(authorization, bearer, sizeof(bearer) - 1) == 0) {
        const char *said = authorization + sizeof(bearer) - 1;
        return is_token(token, said, strlen(said));
    }
    return strncasecmp(authorization, basic, sizeof(basic) - 1) == 0
           && is_basic(token, authorization + sizeof(basic) - 1);
}

/* --- Rules ---------------------------------------------------------------------------------- */

static bool is_for_everybody(const char *path)
{
    static const char *const paths[] = {
        "/livez", "/health", "/healthz", "/readyz", "/ready", "/metrics", "/api"};
    for (size_t i = 0; i < N_ELEMS(paths); i++) {
        if (strcmp(paths[i], path) == 0) {
            return true;
        }
    }
    return pin_web_find(path) != NULL;
}

/*
 * A web page of somebody else can have its own name resolve to 127.0.0.1 and then read what is
 * there; the name that the browser asks for gives it away.
 */
static bool is_own_name(const char *host)
{
    char name[HOST_MAX_BYTES];
    struct pin_addrport address;
    if (host == NULL || pin_addrport_parse(host, 80, &address)) {
        return true;
    }
    size_t bytes = strcspn(host, ":");
    if (bytes >= sizeof(name)) {
        return false;
    }
    memcpy(name, host, bytes);
    name[bytes] = '\0';
    return strcasecmp(name, "localhost") == 0;
}

static int judge_change(const struct pin_admin_access *access,
    const struct pin_admin_caller *caller, const char **ret_why)
{
    bool is_anywhere = access->changes == PIN_ADMIN_CHANGES_TOKEN
                       && (access->token.bytes > 0 || access->takes_certificates);
    if (access->changes == PIN_ADMIN_CHANGES_NONE) {
        *ret_why = "nothing is changed here (admin.changes: none)";
    } else if (!is_anywhere && !caller->is_local) {
        *ret_why = "changes are taken from this machine only (127.0.0.0/8, ::1)";
    } else if (caller->origin != NULL) {
        *ret_why = "changes are not taken from web pages";
    } else {
        return 200;
    }
    return 403;
}

int pin_admin_judge(const struct pin_admin_access *access, const struct pin_admin_caller *caller,
    const char *path, bool is_change, const char **ret_why)
{
    if (!is_change && is_for_everybody(path)) {
        return 200;
    }
    if (caller->is_foreign) {
        *ret_why = "pages of other sites get nothing here";
        return 403;
    }
    if (access->takes_certificates && caller->has_certificate) {
        return is_change ? judge_change(access, caller, ret_why) : 200;
    }
    if (access->token.bytes > 0) {
        if (!knows_token(&access->token, caller->authorization)) {
            *ret_why = "this wants the token of admin.tokenFile (Authorization: Bearer TOKEN)";
            return 401;
        }
    } else if (access->takes_certificates) {
        *ret_why = "this wants a certificate that admin.tls.clientCA vouches for";
        return 403;
    } else if (!access->is_open) {
        if (!is_change && !caller->is_local) {
            *ret_why = "without admin.tokenFile this is shown on this machine only "
                       "(127.0.0.0/8, ::1); health and metrics are for everybody";
            return 403;
        }
        if (!is_own_name(caller->host)) {
            *ret_why = "ask by an address or as localhost; other names want admin.tokenFile";
            return 403;
        }
    }
    return is_change ? judge_change(access, caller, ret_why) : 200;
}
