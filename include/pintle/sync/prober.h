/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Prober: asks every address of the health table in its rhythm and stores what it learns.
 *
 * Each address is asked once an interval, give or take a tenth, so that those that came together do
 * not stay together. All together begin at most so many probes a second; when that is less than the
 * intervals ask for, intervals get longer, and that can be seen. Threads: control's.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/health.h"

struct pin_loop;
struct pin_prober;

/** A program that checks of protocol COMMAND may name. Texts are borrowed as long as the prober
 * lives. */
struct pin_prober_command {
    const char *name;
    const char *const *argv; /**< argv[0] is the program's path; 1 or more. */
    size_t n_argv;
};

/** What a prober needs. */
struct pin_prober_config {
    struct pin_loop *loop;
    struct pin_health *health;
    uint32_t max_per_second;                   /**< Probes begun, of all together; 1 or more. */
    const struct pin_prober_command *commands; /**< Outlive the prober. */
    size_t n_commands;
    uint32_t running_max; /**< Probes at a time; 0: 1,024. Where all are taken, one that has run for
                             10 s makes room, for 5 s where its last one had to. */
    void (*on_flip)(void *arg); /**< Some verdict changed: the builder is to look. May be NULL. */
    void *arg;
};

/** Makes a prober that has nothing to do yet. */
enum pin_err pin_prober_new(
    const struct pin_prober_config *config, struct pin_prober **ret_prober, struct pin_why *why);

/** Ends all probes and frees it. NULL is fine. */
void pin_prober_free(struct pin_prober *prober);

/** Begins at most so many probes a second from now on; 1 or more. */
void pin_prober_pace(struct pin_prober *prober, uint32_t max_per_second);

/** Takes the orders that wait in the health table. */
void pin_prober_take_orders(struct pin_prober *prober);

/** What it did so far, and what it has to do. O(1). */
struct pin_health_stats pin_prober_stats(const struct pin_prober *prober);
