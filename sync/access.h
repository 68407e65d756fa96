/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Access: where a cluster's API server is and who we are to it, kept up to date.
 *
 *     kubeconfig, service account  ->  target  ->  exec plugin, if it has one  ->  target to be
 * used ^ once a minute, and after a refusal        ^ before its credential expires, and after a
 * refusal; one at a time
 *
 * What cannot be read, or what a plugin cannot say, changes nothing: what was known is used on. Its
 * trouble is the source's `access`. A credential that is about to end is told a day ahead.
 * Threads: the loop's.
 */

#include <stdbool.h>

#include "source.h"
#include "target.h"

struct pin_access;
struct pin_commands;

/** Its owner; must outlive it. */
struct pin_access_host {
    struct pin_source *source;
    struct pin_commands *commands;
    /**
     * pin_access_target() gives another one now, or NULL; the former is gone when this returns.
     * `is_reconnect`: what connections are made of has changed, so those there are end.
     */
    void (*on_change)(struct pin_access_host *host, bool is_reconnect);
};

/** Reads what the spec names; nothing runs yet. NULL when memory is out. */
struct pin_access *pin_access_new(struct pin_access_host *host, const struct pin_source_spec *spec);

/** Stops and frees it. NULL is fine. */
void pin_access_free(struct pin_access *access);

/** Begins to look after it, and runs a plugin that is needed. Never calls back during the call. */
void pin_access_start(struct pin_access *access);

/** Ends that. */
void pin_access_stop(struct pin_access *access);

/** What to use, or NULL: nothing can be used. Valid until the next on_change. */
const struct pin_target *pin_access_target(const struct pin_access *access);

/** True while a plugin's first credential is awaited. */
bool pin_access_is_pending(const struct pin_access *access);

/** The server refused us, or we the server: look for something newer soon. */
void pin_access_refused(struct pin_access *access);

/** Whether a client certificate, or what a plugin gave, is past its end by the clock here. */
bool pin_access_is_over(const struct pin_access *self);

/** What a person is to do when the server does not accept who we are. Static text. */
const char *pin_access_hint(const struct pin_access *access);
