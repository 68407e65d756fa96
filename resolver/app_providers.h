/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * From `records:` to what sync opens: two structs, because neither room sees the other.
 */

#include <stdbool.h>

struct pin_config;
struct pin_config_records;
struct pin_provider_settings;

/**
 * Settings of the provider of an entry that has no findings. They borrow from the config.
 * False when memory is out.
 */
bool pin_app_provider_settings(const struct pin_config *config,
    const struct pin_config_records *records, struct pin_provider_settings *ret_settings);
