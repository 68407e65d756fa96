/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a request says: method, parameters, body, the headers that matter. Control's thread.
 */

#include "resolver/admin_pages.h"

struct evhttp_request;
struct evkeyvalq;

/** The method. False: it is none that any page knows. */
bool pin_admin_verb(struct evhttp_request *http, enum pin_page_verb *ret_verb);

/**
 * Fills in what a page reads of its request. Texts belong to `http` and `args`.
 *
 * @param args  Empty; gets the parameters of the query, for evhttp_clear_headers().
 */
void pin_admin_read(struct evhttp_request *http, struct evkeyvalq *args, struct pin_page *page);
