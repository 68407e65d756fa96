/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Manners: what the whole server says of itself and grants its clients, whatever the question.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cookie.h"
#include "ratelimit.h"
#include "stats.h"

struct pin_client;
struct pin_cookie_file;
struct pin_config;
struct pin_findings;
struct pin_query;
struct pin_response;
struct pin_worker;

/** Longest identity and version: with the longest name and all other options 512 bytes hold it. */
#define PIN_IDENTITY_MAX_BYTES 128u

/** One text that the server shows. */
struct pin_manners_text {
    uint8_t bytes; /**< 0: it is not shown. */
    char text[PIN_IDENTITY_MAX_BYTES];
};

/** Immutable once workers answer by it; zeroed is a server that says nothing. */
struct pin_manners {
    bool has_cookies;          /**< Cookies are answered. */
    bool wants_cookies;        /**< Over UDP, one that is not good is BADCOOKIE. */
    uint16_t keepalive_ds;     /**< Tenths of a second that an idle stream is kept; 0: not told. */
    struct pin_lpm *recursion; /**< Who may ask for names that are not ours; NULL: nobody. */
    struct pin_rate_config rate;
    struct pin_limiter *limiter; /**< Of the workers that run; held. NULL: nothing is limited. */
    struct pin_cookie_secret secret;
    struct pin_cookie_file *cookie_file; /**< Where that comes from; NULL: from this process. */
    struct pin_manners_text identity;    /**< NSID, id.server, hostname.bind. */
    struct pin_manners_text version;     /**< version.bind, version.server. */
};

/**
 * Fills config->manners from what the configuration says, and reads the file of a fleet's secret; a
 * file that cannot be used is a finding. `keepalive_ds` is left to who knows the limits of streams.
 */
void pin_manners_load(struct pin_config *config, struct pin_findings *findings);

/** Goes on with the secret of `before` where it is to come from the same place, so that cookies
 * stay good. Before anybody answers by them. */
void pin_manners_inherit(struct pin_manners *manners, const struct pin_manners *before);

/** Lets go what they hold; zeroed ones are fine. */
void pin_manners_done(struct pin_manners *manners);

/** Whether that address may ask for names that are not ours. Hot path. */
bool pin_manners_allow_recursion(const struct pin_manners *manners, const struct pin_ip *ip);

/**
 * Meets the options that a query brought: prepares the answer for what is said to them, and judges
 * the cookie. Hot path; for queries with options only.
 */
enum pin_cookie_verdict pin_manners_meet(struct pin_worker *worker, const struct pin_client *client,
    struct pin_query *query, struct pin_response *response);

/**
 * Answers a question in another class than IN, where that is allowed: version.bind,
 * version.server, id.server and hostname.bind as TXT in class CH (RFC 4892). False: refuse.
 */
bool pin_manners_chaos(const struct pin_manners *manners, const struct pin_query *query,
    struct pin_response *response);
