/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The daemon's program as a helper: what it can say without running, asked as a child process. So
 * pintlectl says the same as the daemon would, and knows neither Kubernetes nor configuration.
 */

#include "cli/api.h"

/**
 * Runs pintled, the one beside this program, else the one in $PATH, and reads the JSON that it
 * prints. Complains on standard error; pintled's own complaints go there, too.
 *
 * @param args       Its arguments, without its name; at most 136.
 * @param ret_reply  PIN_CTL_OK: a tree. The caller frees it either way.
 * @return PIN_CTL_OK, PIN_CTL_USAGE as pintled says, else PIN_CTL_FAILED.
 */
enum pin_ctl_exit pin_pintled_ask(
    const char *const *args, size_t n_args, struct pin_api_reply *ret_reply);

/** Whether a path is a directory whose sub-directories are clusters: it has some, and no manifest
 * of its own. */
bool pin_pintled_is_clusters_dir(const char *path);
