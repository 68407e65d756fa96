/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Dev mode: three clusters and a configuration that live inside the program (resolver/dev/).
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

/** Name of the embedded configuration. */
#define PIN_DEV_CONFIG "pintle.yaml"

/** One embedded file. Static. */
struct pin_dev_file {
    const char *name; /**< Path below resolver/dev, e.g. "c1/inventory.yaml". */
    const char *text; /**< NUL-terminated. */
    size_t text_bytes;
};

/** All of them, sorted by name; made by cmake/embed.cmake. */
extern const struct pin_dev_file pin_dev_files[];
/** How many there are. */
extern const size_t pin_dev_n_files;

/** The file of that name, or NULL. */
const struct pin_dev_file *pin_dev_find(const char *name);

/**
 * Writes all files below `dir`, which is made when it is not there. Overwrites nothing: when one of
 * them exists already, PIN_EEXISTS, and nothing has been written.
 */
enum pin_err pin_dev_export(const char *dir, struct pin_why *why);

/** What the banner tells. */
struct pin_banner {
    const char *programs; /**< What to type before a program: "", "build/". */
    const char *dns;      /**< "127.0.0.1:5300" */
    const char *dns_ip;   /**< For dig: address and port of the first listener. */
    uint16_t dns_port;
    const char *admin;    /**< "127.0.0.1:9153" */
    const char *clusters; /**< "c1 (7 services), ..." */
    int64_t ready_ms;     /**< Since the start; -1: not yet. */
};

/** Appends the banner. */
void pin_banner_put(struct pin_text *text, const struct pin_banner *banner);
