/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Primary: Pintle as the primary server of other people's secondaries. Joins keys, rules of
 * transfers, NOTIFY and the serials on disk. Control.
 *
 *     load -> open -> [builder starts] -> start -> on_serials ... -> stop -> [builder stops] ->
 * free
 */

#include "pintle/zones/tsig.h"

#include "resolver/builder.h"
#include "resolver/config.h"
#include "resolver/notify.h"
#include "resolver/transfer.h"

struct pin_primary;

/** Reads keys and rules; faults are findings. NULL: memory is out. The config is borrowed. */
struct pin_primary *pin_primary_load(
    const struct pin_config *config, struct pin_findings *findings);

/** Reads the serials of before the restart, and has the builder begin with them and tell of moves.
 */
enum pin_err pin_primary_open(
    struct pin_primary *primary, struct pin_builder_config *builder, struct pin_why *why);

/** Before workers start, once the builder has. */
enum pin_err pin_primary_start(struct pin_primary *primary, struct pin_loop *loop,
    struct pin_builder *builder, struct pin_why *why);

/** Goes on with the transfers under way of `before`; nobody has used `primary` yet. */
void pin_primary_inherit(struct pin_primary *primary, const struct pin_primary *before);

/**
 * Goes by the keys and rules of `next`, and the configuration these are of, which then has those of
 * before: workers are given another basis first, and `next` is freed when none has the one before.
 * pin_primary_follow() is to be called.
 */
void pin_primary_change(struct pin_primary *primary, struct pin_primary *next);

/** What workers verify queries with; lives until free. */
const struct pin_tsig_keys *pin_primary_keys(const struct pin_primary *primary);

/** What workers transfer zones with; lives until free. */
struct pin_transfers *pin_primary_transfers(struct pin_primary *primary);

/** Goes on with the zones of another catalog, once pin_builder_follow() was called. Control. */
void pin_primary_follow(struct pin_primary *primary, struct pin_loop *loop);

/** What NOTIFY did so far. */
struct pin_notify_stats pin_primary_notify_stats(const struct pin_primary *primary);

/** When workers have stopped, before the builder does: writes the serials, unless another process
 * has taken our place. NULL is fine. */
void pin_primary_stop(struct pin_primary *primary, bool is_replaced);

/** Frees all of it, secrets overwritten; before the loop. NULL is fine. */
void pin_primary_free(struct pin_primary *primary);
