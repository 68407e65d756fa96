/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Configuration that changes while the program runs: what is another value than before, and what
 * of it cannot be changed without another process.
 */

#include "resolver/config.h"

/**
 * Compares two configurations as they are written.
 *
 * @param findings  Gets "FILE:LINE:COL: KEY: " and pin_config_needs_process() for each key that a
 *                  running program does not change. With any, nothing is to be changed.
 * @param out       Gets the top-level keys that differ, "clusters, zones"; may be NULL.
 */
void pin_config_compare(const struct pin_config *old, const struct pin_config *now,
    struct pin_findings *findings, struct pin_text *out);

/** Words for a change that a reload leaves alone: what brings it, here. Static. */
const char *pin_config_needs_process(void);

/** Whether two configurations say another thing at a path of keys, "dns.identity". */
bool pin_config_differs(const struct pin_config *a, const struct pin_config *b, const char *path);

/** Whether two clusters' objects come from the same place, so that one source serves both. */
bool pin_config_same_source(const struct pin_config_cluster *a, const struct pin_config_cluster *b);
