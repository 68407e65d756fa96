/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * TSIG keys of the configuration, with their secrets read from files.
 */

#include "pintle/zones/tsig.h"

#include "resolver/config.h"

/**
 * Reads all secrets. What is wrong with a key is a finding, and the key is left out. A file that
 * others than its owner and group may read or write is refused.
 *
 * @return NULL: memory is out. The caller frees it with pin_tsig_keys_free().
 */
struct pin_tsig_keys *pin_tsig_keys_load(
    const struct pin_config *config, struct pin_findings *findings);

/** Overwrites the secrets and frees. NULL is fine. */
void pin_tsig_keys_free(struct pin_tsig_keys *keys);
