/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Slots: the builder's side of pintle/zones/health.h.
 *
 * A unit holds the slots of all addresses whose health its answer depends on, shown or not. A
 * compile run collects them anew; what only the run before held is let go when it ends. The last
 * one to let go ends the probing.
 */

#include "pintle/base/jsonout.h"
#include "pintle/zones/health.h"

/** The slots of one unit. Zeroed is empty. */
struct pin_holds {
    uint32_t *slots;
    uint32_t n;
    uint32_t cap;
    bool counts; /**< Which addresses are shown depends on how many are up. */
};

/** Holds being collected. */
struct pin_holding {
    struct pin_health *health;
    struct pin_holds holds;
    uint32_t stamp;         /**< Of the run: each slot is held once. */
    enum pin_verdict first; /**< What addresses begin with that nobody checked before. */
    bool failed;            /**< Memory was out. */
};

/**
 * Begins to collect for a unit that held `old` so far. While `has_time` (the clusters are being
 * listed for the first time) and where nothing is shown as up, new addresses count as up until the
 * first verdict; beside others they have to be judged first.
 */
struct pin_holding pin_holding_begin(
    struct pin_health *health, const struct pin_holds *old, uint32_t stamp, bool has_time);

/** The slot of an address and check, made where there is none; PIN_SLOT_NONE when there is no room.
 */
uint32_t pin_holding_take(struct pin_holding *holding, const struct pin_ip *ip, uint16_t port,
    const struct pin_check *check);

/** Makes what was collected the unit's, and lets go what it held before; the other way round when
 * the run failed. */
void pin_holding_end(struct pin_holding *holding, struct pin_holds *holds, bool has_failed);

/** Lets go everything. */
void pin_holds_release(struct pin_health *health, struct pin_holds *holds);

/** The slot if there is one, else PIN_SLOT_NONE. */
uint32_t pin_health_find(const struct pin_health *health, const struct pin_ip *ip, uint16_t port,
    const struct pin_check *check);

/** The next slot in use from `from` on that is about that address, or PIN_SLOT_NONE. For tests. */
uint32_t pin_health_next(const struct pin_health *health, const struct pin_ip *ip, uint32_t from);

/** Whether the slot's address counts as up; true for PIN_SLOT_NONE. */
bool pin_health_is_up(const struct pin_health *health, uint32_t slot);

/** Whether verdicts changed since pin_health_take_flips(). Any thread. */
bool pin_health_has_flips(const struct pin_health *health);

/** Notes which slots' verdicts changed, for pin_holds_have_flip(). */
void pin_health_take_flips(struct pin_health *health);

/** Whether one of the slots was among the last flips taken. */
bool pin_holds_have_flip(const struct pin_health *health, const struct pin_holds *holds);

/** Tells control that there are orders, if there are. */
void pin_health_flush(struct pin_health *health);

/** Writes what is known about a slot as the members of an open JSON object. */
void pin_health_json(struct pin_health *health, uint32_t slot, struct pin_jsonout *out);
