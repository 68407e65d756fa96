/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Zone files on disk: reads the files of static zones with what they include, and reads them again
 * when they change.
 *
 * An included file is named relative to the file it stands in and must lie, links resolved, in the
 * directory of the zone's file or below it. A file that cannot be read, or has a fault, leaves the
 * zone as it was: that is logged once and counted. Control's thread.
 */

#include "pintle/base/dirwatch.h"
#include "pintle/base/loop.h"
#include "pintle/zones/zonefile.h"

#include "resolver/config.h"

struct pin_zonefiles;

/** Takes a zone that was read again; false: not now, it is offered again later. */
typedef bool pin_zonefiles_fn(void *arg, struct pin_zonefile *zonefile);

/**
 * Reads all files of `config`, which must outlive it.
 *
 * @param findings  Gets every fault, "FILE:LINE: message"; with any, no zone is to be served.
 * @return NULL only when memory is out.
 */
struct pin_zonefiles *pin_zonefiles_load(
    const struct pin_config *config, struct pin_findings *findings);

/** Stops watching and frees it, with the zones nobody took. NULL is fine. */
void pin_zonefiles_free(struct pin_zonefiles *zonefiles);

/** Number of zones. */
size_t pin_zonefiles_count(const struct pin_zonefiles *zonefiles);

/** Gives the zone that was read at first to the caller; NULL when it was taken before. */
struct pin_zonefile *pin_zonefiles_take(struct pin_zonefiles *zonefiles, size_t i);

/** Logs what was odd, and hands zones over from now on whenever their files change. `dirwatch`
 * outlives `zonefiles`. */
enum pin_err pin_zonefiles_watch(struct pin_zonefiles *zonefiles, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, pin_zonefiles_fn *fn, void *arg, struct pin_why *why);

/** How one zone stands. Texts are borrowed until the loop goes on. */
struct pin_zonefile_status {
    const char *zone;
    const char *error; /**< What is wrong with the file as it is now, lines, or "". */
    uint64_t is_up;    /**< 1 while the file as it is now is served. */
    uint64_t serial;   /**< Of what is served. */
    uint64_t n_rrs;    /**< Likewise. */
    uint64_t n_loads;  /**< Times it was read without a fault. */
    uint64_t n_failures;
};

/** Status of a zone; `i` must exist. */
void pin_zonefiles_status(
    const struct pin_zonefiles *zonefiles, size_t i, struct pin_zonefile_status *ret_status);
