/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Target: where an API server is, whom it must prove to be, and how we prove who we are.
 *
 * Certificates and keys are held in memory whether a kubeconfig had them inline or in files, so
 * nothing secret is ever written to disk. What came from files is read again by refresh.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"

struct pin_exec;

/** Bytes on the heap; PEM where it is a certificate or key. */
struct pin_blob {
    void *data; /**< NULL when absent. */
    size_t bytes;
};

/** All texts are heap, NULL when absent, and owned by the target. */
struct pin_target {
    char *server;       /**< "https://host:port" and perhaps a path; no slash at the end. */
    char *server_name;  /**< tls-server-name: whom the certificate must name instead of the host. */
    char *proxy_url;    /**< NULL: what the environment says. */
    bool is_insecure;   /**< insecure-skip-tls-verify */
    struct pin_blob ca; /**< Empty: the system's. */
    struct pin_blob certificate; /**< Of the client, with `key`. */
    struct pin_blob key;
    char *ca_file; /**< Where the blobs came from, for refresh; NULL when they were inline. */
    char *certificate_file;
    char *key_file;
    char *token_file;
    char *token; /**< Bearer token; from token_file where that is set. */
    char *username;
    char *password;
    char *as_user; /**< Impersonation, see the Impersonate-* headers. */
    char *as_uid;
    char **as_groups;
    size_t n_as_groups;
    /** Plugin that says who we are, or NULL; what it gave is in `token`, `certificate`, `key`. */
    struct pin_exec *exec;
};

/** Frees a target and wipes its secrets. NULL is fine. */
void pin_target_free(struct pin_target *target);

/** What is different after files were read again. */
enum pin_target_change {
    PIN_TARGET_SAME,
    PIN_TARGET_TOKEN, /**< What each request says. */
    PIN_TARGET_PEER,  /**< What connections are made of. */
};

/**
 * Reads again what comes from files. A file that cannot be read leaves what there was.
 *
 * @return PIN_OK, or the first failure; everything else was read nevertheless.
 */
enum pin_err pin_target_refresh(
    struct pin_target *target, enum pin_target_change *ret_change, struct pin_why *why);

/** True when connections to one serve for the other: same server, same trust, same certificate. */
bool pin_target_is_same_peer(const struct pin_target *a, const struct pin_target *b);

/** True when, beyond that, both say the same of who we are. */
bool pin_target_is_same(const struct pin_target *a, const struct pin_target *b);

/** True when they differ at most in what the files they both name said. */
bool pin_target_is_renewed(const struct pin_target *a, const struct pin_target *b);

/** True when the server speaks TLS. */
bool pin_target_is_tls(const struct pin_target *target);

/**
 * The target of a pod's own service account, from $KUBERNETES_SERVICE_HOST and _PORT.
 *
 * @param directory  Where token and ca.crt lie; NULL is the place Kubernetes mounts them.
 * @return PIN_OK, PIN_ENOTFOUND when this is no pod, or why a file cannot be read.
 */
enum pin_err pin_target_in_cluster(
    const char *directory, struct pin_target **ret_target, struct pin_why *why);

/** True when the process runs in a pod (the environment says so). */
bool pin_target_is_in_cluster(void);
