/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Replies of the admin side. Control's thread.
 */

struct evhttp_request;
struct evkeyvalq;
struct pin_page;

/** Adds what every reply says of itself beside its type: the policy, who may cache, who must log
 * in. */
void pin_admin_put_headers(struct evkeyvalq *out, const struct pin_page *page);

/** Sends a page that is rendered. Ownership of `http` goes to evhttp. */
void pin_admin_reply(struct evhttp_request *http, struct pin_page *page);
