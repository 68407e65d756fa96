/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Exec: plugins of kubeconfigs that print a credential (client.authentication.k8s.io, v1 and
 * v1beta1). What to run, what it is told, and what its answer means; when to run it says access.h.
 *
 * Nothing here logs, and no reason given holds what a plugin printed on its standard output.
 * Source: Kubernetes' "client-go credential plugins".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

#include "target.h"

struct pin_command;
struct pin_command_result;
struct pin_commands;
struct pin_tree;

/** A plugin that may print this much. */
#define PIN_EXEC_OUTPUT_MAX ((size_t)256 << 10)

/** How a plugin is run. All texts are heap and owned. */
struct pin_exec {
    char *command; /**< A path, or a name that is looked up in $PATH. */
    char **args;   /**< After the command. */
    size_t n_args;
    char **env; /**< "NAME=value", over the daemon's own. */
    size_t n_env;
    char *api_version; /**< Of the ExecCredential that is wanted. */
    char *hint;        /**< installHint, or NULL. */
    char *info;        /**< What $KUBERNETES_EXEC_INFO says. */
    bool tells_cluster;
};

/** What a plugin gave: a token, a certificate with its key, or both. */
struct pin_credential {
    char *token;
    struct pin_blob certificate;
    struct pin_blob key;
    int64_t expires_wall_ms; /**< 0: it does not say. */
};

/** Frees it. NULL is fine. */
void pin_exec_free(struct pin_exec *exec);

/** True when both run the same in the same way. */
bool pin_exec_is_same(const struct pin_exec *a, const struct pin_exec *b);

/**
 * Makes `info` for a target whose CA has been read.
 *
 * @param config  What the cluster's extension of that name holds for the plugin, or NULL.
 * @return False when memory is out.
 */
bool pin_exec_set_info(
    struct pin_exec *exec, const struct pin_target *target, const struct pin_tree *config);

/**
 * Starts the plugin. Arguments as those of pin_command_start().
 */
enum pin_err pin_exec_start(struct pin_commands *commands, const struct pin_exec *exec,
    void (*done)(void *arg, const struct pin_command_result *result), void *arg,
    struct pin_command **ret_command, struct pin_why *why);

/**
 * What a run has brought.
 *
 * @param ret_credential  The caller ends it with pin_credential_done().
 * @return PIN_OK, PIN_ETIMEOUT, PIN_ELIMIT, PIN_EIO (the plugin failed), PIN_EPARSE, PIN_ENOMEM.
 */
enum pin_err pin_exec_judge(const struct pin_exec *exec, const struct pin_command_result *result,
    struct pin_credential *ret_credential, struct pin_why *why);

/** Reads an ExecCredential of that version. Errors as above. */
enum pin_err pin_credential_read(const char *text, size_t bytes, const char *api_version,
    struct pin_credential *ret_credential, struct pin_why *why);

/** Wipes and empties it. */
void pin_credential_done(struct pin_credential *credential);

/** Puts copies of what a credential holds into a target. False: memory is out, nothing changed. */
bool pin_credential_apply(const struct pin_credential *credential, struct pin_target *target);
