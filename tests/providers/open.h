/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What the driver can open: whatever the configuration can say.
 */

#include "pintle/base/error.h"

struct pin_provider;
struct pin_provider_tools;

/** Opens the provider of the first entry of `records:` of a configuration's text. */
enum pin_err open_provider(const struct pin_provider_tools *tools, const char *text,
    struct pin_provider **ret_provider, struct pin_why *why);
