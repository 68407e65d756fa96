/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Probe: asks one address once whether it works. One function for each way of asking.
 *
 * Nothing here blocks, repeats or logs. `done` comes once, later and never during the call that
 * began, unless the run is cancelled. Threads: the loop's.
 */

#include "pintle/base/error.h"
#include "pintle/zones/check.h"

struct pin_commands;
struct pin_http;
struct pin_loop;
struct pin_prober_command;

/** The end of a run, which is gone afterwards. `error` is NULL for an address that works, else what
 * is wrong; valid during the call. */
typedef void pin_probe_fn(void *arg, const char *error);

/** What is asked. The spec needs to live until the end. */
struct pin_probe_want {
    const struct pin_probe_spec *spec;
    pin_probe_fn *done;
    void *arg;
};

/**
 * A run; the first member of each kind of run.
 *
 * The functions that begin one return PIN_OK; PIN_EBUSY or PIN_ENOMEM when we lack something, which
 * says nothing about the address; anything else when the address cannot be asked, as `why` tells.
 */
struct pin_probe_run {
    void (*cancel)(struct pin_probe_run *run); /**< Ends it without `done` and frees it. */
};

/** Opens a TCP connection and closes it. */
enum pin_err pin_probe_tcp(struct pin_loop *loop, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why);

/** GET over HTTP or HTTPS. */
enum pin_err pin_probe_http(struct pin_http *http, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why);

/**
 * Runs a program with the address in the place of "{address}" and "{port}", or as its last
 * argument where neither stands, and as PINTLE_ADDRESS and PINTLE_PORT in its environment. It gets
 * a process group of its own, which is killed as a whole when it ends or when its time is over.
 */
enum pin_err pin_probe_command(struct pin_commands *commands,
    const struct pin_prober_command *command, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why);
