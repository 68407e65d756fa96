/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Webhook: any provider that has a server for external-dns's webhook protocol.
 *
 * The protocol lists all zones at once (of which one is taken), knows no preconditions, and says of
 * every failure only that there was one: a batch that fails is halved until single changes are
 * left, and what fails alone is perhaps done. Keys are the webhook's business.
 */

#include "pintle/sync/providers.h"

#include "provider.h"

/**
 * Opens a provider; nothing is asked yet.
 * @return PIN_OK, PIN_EINVAL, PIN_ENOMEM, or why the CA cannot be read.
 */
enum pin_err pin_webhook_open(const struct pin_provider_tools *tools,
    const struct pin_webhook_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why);
