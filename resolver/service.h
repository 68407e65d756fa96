/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Service: what systemd is told while the daemon runs: that it answers, that its loop turns, how
 * many clusters are listed, that it reads something again, that it ends.
 *
 * "Ready" is when sockets are open and answers go out, not when clusters are listed: a cluster that
 * is out of reach must not fail the start (`/readyz` tells of clusters). All of it is control's
 * thread; without a supervisor nothing is done. NULL is fine everywhere.
 */

#include <stddef.h>
#include <sys/types.h>

#include "pintle/base/ip.h"
#include "pintle/base/loop.h"

struct pin_builder;
struct pin_service;
struct pin_supervisor;

/** Whom it tells, and whom it asks; all borrowed as long as it lives. */
struct pin_service_config {
    struct pin_supervisor *supervisor;
    struct pin_loop *loop;
    struct pin_builder *builder;
    size_t n_clusters;
    struct pin_addrport dns; /**< The first listener. */
};

/** Closes and logs what was handed over and nobody took. Nothing is told before
 * pin_service_begin(). NULL: no memory. */
struct pin_service *pin_service_start(const struct pin_service_config *config);

/** We answer, and are who the supervisor listens to. */
void pin_service_begin(struct pin_service *service);

/**
 * What pin_service_reloading() told has ended.
 *
 * @param trouble  Why the configuration that was read last is not the one in force: its first line
 *                 stands in the status until the next call. "" or NULL: it is.
 */
void pin_service_ready(struct pin_service *service, const char *trouble);

/** The configuration, or a part of it, is read again. */
void pin_service_reloading(struct pin_service *service);

/** Another process goes on in this one's place, and speaks from now on; this one says no more. */
void pin_service_hand_over(struct pin_service *service, pid_t pid);

/** The end has begun: but for the watchdog, nothing more is said. */
void pin_service_stopping(struct pin_service *service);

/** Ends it; the builder must have stopped or answered all calls. */
void pin_service_free(struct pin_service *service);
