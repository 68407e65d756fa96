/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Which files of a cluster's directory are manifests.
 */

#include <stdbool.h>
#include <stddef.h>

/** Names of files. Zeroed is empty. */
struct pin_manifest_names {
    char **names; /**< Heap, and each of them. */
    size_t n;
    size_t cap;
};

/** Whether a file of that name is one: *.yaml, *.yml, *.json; neither hidden nor cluster.yaml,
 * which holds settings (pin_cluster_file_read()). */
bool pin_manifest_is_name(const char *name);

/** Names of all manifests of a directory, sorted; the caller calls done. False: it cannot be read
 * to its end, errno says why. */
bool pin_manifest_names_list(const char *path, struct pin_manifest_names *ret_names);

/** Frees them. */
void pin_manifest_names_done(struct pin_manifest_names *names);
