/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Kubeconfig: finds, reads and merges the files as kubectl does, and turns a context into a target.
 *
 * A file named outright is the only one. Else $KUBECONFIG, a list with ':' between, whose missing
 * files are skipped; else ~/.kube/config. Of several definitions of a name the first file's counts,
 * and so does the first `current-context`. Relative paths are relative to the file that holds them.
 * A broken file spoils only what would have come from it.
 */

#include <stddef.h>

#include "pintle/base/error.h"

#include "target.h"

struct pin_kubeconfig;

/**
 * Reads the files.
 *
 * @param path      One file, or NULL for the rules above.
 * @param may_wait  For a file that is a pipe: only before the loop runs.
 * @param ret       The caller frees it.
 * @return PIN_OK, also when some file is broken: contexts then say so; PIN_ENOTFOUND when there is
 *         no file at all; for a file named outright its own trouble. `why` has FILE:LINE:COL.
 */
enum pin_err pin_kubeconfig_load(
    const char *path, bool may_wait, struct pin_kubeconfig **ret, struct pin_why *why);

/** The same for a text in memory; paths in it are relative to the directory part of `name`. */
enum pin_err pin_kubeconfig_parse(const char *name, const char *text, size_t bytes,
    struct pin_kubeconfig **ret, struct pin_why *why);

/** Frees it; targets made from it stay. NULL is fine. */
void pin_kubeconfig_free(struct pin_kubeconfig *kubeconfig);

/**
 * Makes the target of a context; reads the files it points at.
 *
 * @param context     NULL: the current one.
 * @param ret_target  The caller frees it.
 * @return PIN_OK, PIN_ENOTFOUND (no such context, cluster or user), PIN_EPARSE, PIN_EINVAL,
 *         PIN_EUNSUPPORTED (auth providers, plugins that ask a person), or why a file cannot be
 *         read. Plugins are not run: see target->exec.
 */
enum pin_err pin_kubeconfig_target(const struct pin_kubeconfig *kubeconfig, const char *context,
    struct pin_target **ret_target, struct pin_why *why);
