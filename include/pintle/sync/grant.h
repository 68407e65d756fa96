/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Grant: the objects that let pintled read a cluster and nothing else, and how it uses them.
 */

#include "pintle/base/error.h"
#include "pintle/base/text.h"

/** What is asked for. Borrowed texts. */
struct pin_grant {
    const char *kubeconfig; /**< One file, or NULL for $KUBECONFIG, then ~/.kube/config. */
    const char *context;    /**< Whose cluster it is; NULL: the current one. */
    const char *cluster;    /**< What pintled is to call it: an RFC 1123 label. */
    const char *part;       /**< "objects", "kubeconfig" or "config" (an entry of `clusters:`). */
    const char *write_back; /**< "annotations,mcs", "all"; NULL: it only reads. */
};

/**
 * Writes one part as YAML. Only the kubeconfig is read, no server is asked, and no secret of it is
 * written: the token is one that the cluster makes for the objects.
 *
 * @return PIN_OK; PIN_EINVAL for a name, a part or something to write that is none; what
 * pin_kubeconfig_contexts() may return; PIN_ENOTFOUND for a context that is not there; PIN_ENOMEM.
 */
enum pin_err pin_grant_print(
    const struct pin_grant *asked, struct pin_text *out, struct pin_why *why);
