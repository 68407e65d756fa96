/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The files that a configuration names, read together: what is wrong with them is wrong with it.
 */

#include "resolver/certs.h"
#include "resolver/config.h"
#include "resolver/cookie_file.h"
#include "resolver/keeper.h"
#include "resolver/primary.h"
#include "resolver/zonefiles.h"

/** What was read. Zeroed is nothing. */
struct pin_app_files {
    struct pin_zonefiles *zonefiles; /**< Of static zones. */
    struct pin_primary *primary;     /**< Secrets of TSIG, and who may transfer zones. */
    struct pin_certs *certs;         /**< Of TLS listeners. */
    struct pin_cookie_file *cookies; /**< Of a fleet; the configuration's. NULL: none. */
    bool waits_for_state;            /**< Of a process whose place we take: pin_keeper_config. */
    struct pin_keeper *keeper;       /**< Of the state directory; NULL before begin. */
};

/** Reads all of them. @param config  Outlives them; NULL: nothing is read. */
void pin_app_files_load(const struct pin_config *config, struct pin_findings *findings,
    struct pin_app_files *ret_files);

/**
 * Reads the state directory, and has the builder that is about to start go on where the last one
 * ended. Errors as of pin_keeper_open().
 *
 * @param settings  Of the configuration; outlives the files.
 */
enum pin_err pin_app_files_begin(struct pin_app_files *files, const struct pin_config *config,
    const struct pin_settings *settings, struct pin_builder_config *builder, struct pin_why *why);

/** By cluster id, where its objects come from, in the config's arena; NULL: memory is out. */
const char *const *pin_app_sources(const struct pin_config *config);

/** Has the builder take what was read: drains, then objects. With all signals blocked. */
enum pin_err pin_app_files_start(struct pin_app_files *files, const struct pin_config *config,
    struct pin_loop *loop, struct pin_builder *builder, struct pin_why *why);

/** Looks at certificates and secrets from now on. `dirwatch` outlives the files. */
enum pin_err pin_app_files_watch(struct pin_app_files *files, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, struct pin_why *why);

/**
 * Adds what a good configuration names and this machine does not have: directories of clusters,
 * contexts of kubeconfigs, keys of other people's DNS servers. pintled starts without them and
 * waits, so they are notes for --check.
 */
void pin_app_files_note(const struct pin_config *config, pin_list_contexts_fn *list_contexts,
    struct pin_findings *notes);

/** Frees what there is. The builder has stopped. */
void pin_app_files_free(struct pin_app_files *files);
