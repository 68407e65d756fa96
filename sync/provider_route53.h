/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Route 53: hosted zones of Amazon Route 53, through its API.
 *
 * A listing counts when its last page has come. A change's CREATE must not find a set, its DELETE
 * must find exactly that one; an UPSERT overwrites what is there. A batch is done whole or not at
 * all. At most five requests a second are sent, as Route 53 allows an account; when it is too much
 * all the same, the same request is sent again a little later, some times.
 */

#include "pintle/sync/providers.h"

#include "provider.h"

/**
 * Opens a provider; nothing is asked yet.
 * @return PIN_OK, PIN_EINVAL, PIN_ENOMEM, or why the CA cannot be read.
 */
enum pin_err pin_route53_open(const struct pin_provider_tools *tools,
    const struct pin_route53_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why);
