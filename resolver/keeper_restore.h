/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a state file says, on its way into the catalog.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/catalog.h"

#include "resolver/state_file.h"

/** A file that was read, and what became of it. Zeroed is nothing. */
struct pin_keeper_restore {
    const struct pin_settings *settings;
    const char *const *sources; /**< By cluster id. */
    uint8_t *data;              /**< Owned. */
    struct pin_state_scan scan;
    uint16_t *ids;    /**< By the file's number: cluster id or PIN_CLUSTER_NONE; owned. */
    bool *is_whole;   /**< By cluster id: it was listed whole; owned. */
    size_t n_objects; /**< Taken, out of date ones among them. */
    size_t n_bad;     /**< Objects that could not be unpacked. */
    bool is_outdated; /**< The file has clusters that are not ours any more. */
};

/** Takes `data`, which pin_state_look() has found good, and looks whose objects count; tells which
 * do not. PIN_ENOMEM: `data` is the caller's. */
enum pin_err pin_keeper_restore_begin(struct pin_keeper_restore *restore, uint8_t *data,
    const struct pin_state_scan *scan, struct pin_why *why);

/** Has the catalog take all of it, as data of clusters that are out of reach. Builder's thread. */
void pin_keeper_restore_apply(struct pin_keeper_restore *restore, struct pin_catalog *catalog);

/** Frees what it holds. */
void pin_keeper_restore_done(struct pin_keeper_restore *restore);
