/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Sandbox: what a process gives up for good, for itself and the programs that it runs.
 *
 * Each call takes effect for the calling thread and those that it starts afterwards, so all of them
 * belong before the first thread. Nothing here logs. What was given up cannot be had again.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"

/** Why sandboxes stay off in this process, e.g. "valgrind"; NULL: nothing speaks against them.
 * Sanitizers, coverage and valgrind need calls and files that nobody could list. */
const char *pin_sandbox_obstacle(void);

/* --- base/privilege.c --- */

/**
 * Goes from root to a user and the group of the same name, with no other groups and no capability.
 * Does nothing for a process that is not root.
 *
 * @param state_dir    Made for that user if it is not there; NULL: none.
 * @param binds_ports  Keeps CAP_NET_BIND_SERVICE, for ports below 1024.
 * @return PIN_OK, PIN_ENOTFOUND (no such user), PIN_EDENIED; then the process is to end: it may be
 *         half way.
 */
enum pin_err pin_privilege_drop(
    const char *user, const char *state_dir, bool binds_ports, struct pin_why *why);

/** No program that is run gets more than we have, not even setuid ones. False: the kernel cannot.
 */
bool pin_privilege_no_new(void);

/**
 * No core dump, to a file or a program.
 *
 * @param is_service  Also no look into our memory from outside by who is not root; a person who has
 *                    started us by hand may look.
 */
void pin_privilege_hide(bool is_service);

/* --- base/seccomp.c, the one door to libseccomp --- */

/** How a forbidden system call ends. */
enum pin_seccomp_end {
    PIN_SECCOMP_REFUSED, /**< It fails with EPERM. */
    PIN_SECCOMP_KILLED,  /**< It ends the process. */
};

/**
 * Allows the system calls that we use, and no others.
 *
 * @param runs_programs  Programs run beside us that inherit this and are not ours: then everything
 *                       is allowed but what only an administrator, a debugger or an attacker needs.
 * @return PIN_OK, PIN_EUNSUPPORTED when the kernel or a sandbox around us does not let us.
 */
enum pin_err pin_seccomp_start(bool runs_programs, enum pin_seccomp_end end, struct pin_why *why);

/* --- base/landlock.c --- */

/** What may be done with a path and all below it; or-ed. */
enum {
    PIN_LANDLOCK_READ = 1,  /**< Files and directories. */
    PIN_LANDLOCK_WRITE = 2, /**< Files that are there; creating, renaming and removing some. */
};

/** One path. One to read that is not there stands for the next directory above it that is; one to
 * write is skipped then. */
struct pin_landlock_path {
    const char *path;
    unsigned what;
};

/** The version of the kernel's Landlock; 0: it has none, or it is off. */
int pin_landlock_abi(void);

/**
 * Lets these paths be used in these ways, and no others. Descriptors that are open stay as they
 * are; sockets are not concerned.
 *
 * @param paths          NULL as a path is skipped.
 * @param runs_programs  Programs may be run, which live with the same paths.
 */
enum pin_err pin_landlock_start(
    const struct pin_landlock_path *paths, size_t n, bool runs_programs, struct pin_why *why);
