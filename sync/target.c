/* SPDX-License-Identifier: Apache-2.0 */

/* Credentials: where they lie, and reading them again. */

#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/file.h"
#include "pintle/base/secret.h"

#include "exec.h"

#define CREDENTIAL_BYTES_MAX ((size_t)1 << 20)
#define SERVICE_ACCOUNT      "/var/run/secrets/kubernetes.io/serviceaccount"

static void free_secret_text(char *text)
{
    pin_secret_free(text, text == NULL ? 0 : strlen(text));
}

void pin_target_free(struct pin_target *target)
{
    if (target == NULL) {
        return;
    }
    pin_secret_free(target->ca.data, target->ca.bytes);
    pin_secret_free(target->certificate.data, target->certificate.bytes);
    pin_secret_free(target->key.data, target->key.bytes);
    free_secret_text(target->token);
    free_secret_text(target->password);
    free_secret_text(target->proxy_url); /* can hold a password */
    for (size_t i = 0; i < target->n_as_groups; i++) {
        free(target->as_groups[i]);
    }
    free(target->as_groups);
    free(target->server);
    free(target->server_name);
    free(target->ca_file);
    free(target->certificate_file);
    free(target->key_file);
    free(target->token_file);
    free(target->username);
    free(target->as_user);
    free(target->as_uid);
    pin_exec_free(target->exec);
    free(target);
}

static bool is_same_blob(const struct pin_blob *a, const struct pin_blob *b)
{
    return a->bytes == b->bytes && (a->bytes == 0 || memcmp(a->data, b->data, a->bytes) == 0);
}

static bool is_same_server(const struct pin_target *a, const struct pin_target *b)
{
    return pin_is_same_text(a->server, b->server)
           && pin_is_same_text(a->server_name, b->server_name)
           && pin_is_same_text(a->proxy_url, b->proxy_url) && a->is_insecure == b->is_insecure;
}

/* But for tokens and certificates. */
static bool is_same_user(const struct pin_target *a, const struct pin_target *b)
{
    bool is_same =
        pin_is_same_text(a->username, b->username) && pin_is_same_text(a->password, b->password)
        && pin_is_same_text(a->as_user, b->as_user) && pin_is_same_text(a->as_uid, b->as_uid)
        && a->n_as_groups == b->n_as_groups && pin_exec_is_same(a->exec, b->exec);
    for (size_t i = 0; i < a->n_as_groups && is_same; i++) {
        is_same = strcmp(a->as_groups[i], b->as_groups[i]) == 0;
    }
    return is_same;
}

static bool is_same_file(const char *a, const char *b)
{
    return a != NULL && pin_is_same_text(a, b);
}

bool pin_target_is_same_peer(const struct pin_target *a, const struct pin_target *b)
{
    return is_same_server(a, b) && is_same_blob(&a->ca, &b->ca)
           && is_same_blob(&a->certificate, &b->certificate) && is_same_blob(&a->key, &b->key);
}

bool pin_target_is_same(const struct pin_target *a, const struct pin_target *b)
{
    return pin_target_is_same_peer(a, b) && pin_is_same_text(a->token, b->token)
           && is_same_user(a, b);
}

bool pin_target_is_renewed(const struct pin_target *a, const struct pin_target *b)
{
    return is_same_server(a, b) && is_same_user(a, b)
           && (is_same_file(a->ca_file, b->ca_file) || is_same_blob(&a->ca, &b->ca))
           && (is_same_file(a->certificate_file, b->certificate_file)
               || is_same_blob(&a->certificate, &b->certificate))
           && (is_same_file(a->key_file, b->key_file) || is_same_blob(&a->key, &b->key))
           && (is_same_file(a->token_file, b->token_file) || pin_is_same_text(a->token, b->token));
}

/* Replaces a blob by what its file says now. */
static enum pin_err refresh_blob(
    const char *path, struct pin_blob *blob, bool *changed, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    if (path == NULL) {
        return PIN_OK;
    }
    enum pin_err err = pin_file_read_now(path, CREDENTIAL_BYTES_MAX, &text, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    if (blob->data != NULL && blob->bytes == bytes && memcmp(blob->data, text, bytes) == 0) {
        pin_secret_free(text, bytes);
        return PIN_OK;
    }
    pin_secret_free(blob->data, blob->bytes);
    *blob = (struct pin_blob){.data = text, .bytes = bytes};
    *changed = true;
    return PIN_OK;
}

/* Replaces the token by what its file says now, without the white space around it. */
static enum pin_err refresh_token(struct pin_target *target, bool *changed, struct pin_why *why)
{
    struct pin_blob blob = {0};
    bool is_new = false;
    enum pin_err err = refresh_blob(target->token_file, &blob, &is_new, why);
    if (err != PIN_OK || !is_new) {
        return err;
    }
    char *text = blob.data;
    size_t start = strspn(text, " \t\r\n");
    size_t end = strcspn(text + start, " \t\r\n") + start;
    if (end == start) {
        pin_secret_free(text, blob.bytes);
        return pin_why_set(why, PIN_EPARSE, "'%s' holds no token; it is read again each minute",
            target->token_file);
    }
    char *token = strndup(text + start, end - start);
    pin_secret_free(text, blob.bytes);
    if (token == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a token");
    }
    if (target->token != NULL && strcmp(target->token, token) == 0) {
        free_secret_text(token);
        return PIN_OK;
    }
    free_secret_text(target->token);
    target->token = token;
    *changed = true;
    return PIN_OK;
}

enum pin_err pin_target_refresh(
    struct pin_target *target, enum pin_target_change *ret_change, struct pin_why *why)
{
    bool is_other_peer = false;
    bool is_other_token = false;
    struct pin_why whys[4] = {0};
    enum pin_err errs[] = {
        refresh_blob(target->ca_file, &target->ca, &is_other_peer, &whys[0]),
        refresh_blob(target->certificate_file, &target->certificate, &is_other_peer, &whys[1]),
        refresh_blob(target->key_file, &target->key, &is_other_peer, &whys[2]),
        refresh_token(target, &is_other_token, &whys[3]),
    };
    *ret_change = is_other_peer    ? PIN_TARGET_PEER
                  : is_other_token ? PIN_TARGET_TOKEN
                                   : PIN_TARGET_SAME;
    for (size_t i = 0; i < 4; i++) {
        if (errs[i] != PIN_OK) {
            return pin_why_set(why, errs[i], "%s", whys[i].text);
        }
    }
    return PIN_OK;
}

bool pin_target_is_tls(const struct pin_target *target)
{
    return strncmp(target->server, "https://", 8) == 0;
}

/* The server's URL from the environment of a pod; heap. */
static char *in_cluster_server(void)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"); /* NOLINT(concurrency-mt-unsafe) */
    const char *port = getenv("KUBERNETES_SERVICE_PORT"); /* NOLINT(concurrency-mt-unsafe) */
    char *server = NULL;
    if (host == NULL || port == NULL || host[0] == '\0' || port[0] == '\0') {
        return NULL;
    }
    bool is_v6 = strchr(host, ':') != NULL;
    int n = asprintf(&server, "https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
    return n < 0 ? NULL : server;
}

bool pin_target_is_in_cluster(void)
{
    char *server = in_cluster_server();
    free(server);
    return server != NULL;
}

enum pin_err pin_target_in_cluster(
    const char *directory, struct pin_target **ret_target, struct pin_why *why)
{
    enum pin_target_change change = PIN_TARGET_SAME;
    struct pin_target *target = calloc(1, sizeof(*target));
    if (target == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for credentials");
    }
    const char *from = directory == NULL ? SERVICE_ACCOUNT : directory;
    target->server = in_cluster_server();
    if (target->server == NULL) {
        pin_target_free(target);
        return pin_why_set(why, PIN_ENOTFOUND,
            "this is no pod ($KUBERNETES_SERVICE_HOST is not set), use a kubeconfig context");
    }
    target->ca_file = pin_path_join(from, "ca.crt");
    target->token_file = pin_path_join(from, "token");
    enum pin_err err = target->ca_file == NULL || target->token_file == NULL
                           ? pin_why_set(why, PIN_ENOMEM, "no memory for credentials")
                           : pin_target_refresh(target, &change, why);
    if (err != PIN_OK) {
        pin_target_free(target);
        return err;
    }
    *ret_target = target;
    return PIN_OK;
}
