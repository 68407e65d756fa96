/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The configuration that is in force, as JSON: the table of options read backwards.
 */

#include "pintle/base/jsonout.h"

#include "resolver/config.h"

/**
 * Puts an object:
 *
 *     {"file": "pintle.yaml",            or null
 *      "config": {...},                  a PintleConfig that says what differs from the defaults
 *      "effective": {...},               one that says all of it
 *      "origins": {"clusters[0].name": "pintle.yaml:3:5", "listen": "--listen"}}
 *
 * Secrets are "***": user and password in URLs, and arguments of programs that are neither flags
 * nor placeholders. Secrets in files are not read. Any thread; allocates.
 */
void pin_config_put_json(const struct pin_config *config, struct pin_jsonout *json);

/** Appends a text with user and password in a URL masked. */
void pin_config_mask_url(struct pin_text *text, const char *value);

/** Appends an argument of a program, masked when it may be a secret. */
void pin_config_mask_argument(struct pin_text *text, const char *value);
