/* SPDX-License-Identifier: Apache-2.0 */

/* Exec plugins: what they are told, and reading what they print. */

#include "exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/compare.h"
#include "pintle/base/crypto.h"
#include "pintle/base/json.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/secret.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "command.h"

#define RUN_TIMEOUT_MS   20000
#define ARENA_BYTES_MAX  ((size_t)16 << 20)
#define INFO_NAME        "KUBERNETES_EXEC_INFO"
#define SECRET_BYTES_MIN 20u /* A run of so many letters and digits may be one. */
#define TOLD_BYTES_MAX   200

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(texts[i]);
    }
    free(texts);
}

void pin_exec_free(struct pin_exec *exec)
{
    if (exec == NULL) {
        return;
    }
    free_texts(exec->args, exec->n_args);
    for (size_t i = 0; i < exec->n_env; i++) {
        explicit_bzero(exec->env[i], strlen(exec->env[i]));
    }
    free_texts(exec->env, exec->n_env);
    free(exec->command);
    free(exec->api_version);
    free(exec->hint);
    free(exec->info);
    free(exec);
}

static bool are_same_texts(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
    bool is_same = n_a == n_b;
    for (size_t i = 0; i < n_a && is_same; i++) {
        is_same = strcmp(a[i], b[i]) == 0;
    }
    return is_same;
}

bool pin_exec_is_same(const struct pin_exec *a, const struct pin_exec *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return pin_is_same_text(a->command, b->command)
           && pin_is_same_text(a->api_version, b->api_version) && pin_is_same_text(a->info, b->info)
           && are_same_texts(a->args, a->n_args, b->args, b->n_args)
           && are_same_texts(a->env, a->n_env, b->env, b->n_env);
}

/* --- What a plugin is told ------------------------------------------------------------------ */

static bool put_blob(struct pin_jsonout *json, const char *key, const struct pin_blob *blob)
{
    if (blob->data == NULL) {
        return true;
    }
    char *text = malloc(PIN_BASE64_BYTES(blob->bytes));
    if (text == NULL) {
        return false;
    }
    pin_jsonout_key_string(json, key, pin_base64_encode(blob->data, blob->bytes, text));
    free(text);
    return true;
}

static bool put_cluster(
    struct pin_jsonout *json, const struct pin_target *target, const struct pin_tree *config)
{
    pin_jsonout_key(json, "cluster");
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "server", target->server);
    if (target->server_name != NULL) {
        pin_jsonout_key_string(json, "tls-server-name", target->server_name);
    }
    if (target->is_insecure) {
        pin_jsonout_key_bool(json, "insecure-skip-tls-verify", true);
    }
    bool is_ok = put_blob(json, "certificate-authority-data", &target->ca);
    if (target->proxy_url != NULL) {
        pin_jsonout_key_string(json, "proxy-url", target->proxy_url);
    }
    if (config != NULL) {
        pin_jsonout_key(json, "config");
        pin_jsonout_tree(json, config);
    }
    pin_jsonout_end(json);
    return is_ok;
}

bool pin_exec_set_info(
    struct pin_exec *exec, const struct pin_target *target, const struct pin_tree *config)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    bool is_ok = true;
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "kind", "ExecCredential");
    pin_jsonout_key_string(&json, "apiVersion", exec->api_version);
    pin_jsonout_key(&json, "spec");
    pin_jsonout_object(&json);
    if (exec->tells_cluster) {
        is_ok = put_cluster(&json, target, config);
    }
    pin_jsonout_key_bool(&json, "interactive", false);
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    is_ok = is_ok && pin_jsonout_is_ok(&json);
    free(exec->info);
    exec->info = is_ok ? pin_text_take(&text) : NULL;
    pin_text_done(&text);
    return exec->info != NULL;
}

/* True when `line` sets the variable that `with` ("NAME=...") sets. */
static bool sets_same(const char *line, const char *with)
{
    size_t n = strcspn(with, "=");
    return strncmp(line, with, n) == 0 && line[n] == '=';
}

static bool is_set_again(const struct pin_exec *exec, const char *line)
{
    bool is_again = sets_same(line, INFO_NAME "=");
    for (size_t i = 0; i < exec->n_env && !is_again; i++) {
        is_again = sets_same(line, exec->env[i]);
    }
    return is_again;
}

/* The daemon's environment under the plugin's own; only the array is to be freed. */
static char **make_env(const struct pin_exec *exec, char *info)
{
    size_t n = 0;
    size_t n_old = 0;
    while (environ[n_old] != NULL) {
        n_old++;
    }
    char **env = calloc(n_old + exec->n_env + 2, sizeof(*env));
    for (size_t i = 0; i < n_old && env != NULL; i++) {
        if (!is_set_again(exec, environ[i])) {
            env[n++] = environ[i];
        }
    }
    for (size_t i = 0; i < exec->n_env && env != NULL; i++) {
        env[n++] = exec->env[i];
    }
    if (env != NULL) {
        env[n] = info;
    }
    return env;
}

enum pin_err pin_exec_start(struct pin_commands *commands, const struct pin_exec *exec,
    void (*done)(void *arg, const struct pin_command_result *result), void *arg,
    struct pin_command **ret_command, struct pin_why *why)
{
    char *info = NULL;
    char **argv = calloc(exec->n_args + 2, sizeof(*argv));
    char **env = NULL;
    if (argv == NULL || asprintf(&info, INFO_NAME "=%s", exec->info) < 0
        || (env = make_env(exec, info)) == NULL) {
        free(argv);
        free(info);
        return pin_why_set(why, PIN_ENOMEM, "no memory for exec plugin '%s'", exec->command);
    }
    argv[0] = exec->command;
    for (size_t i = 0; i < exec->n_args; i++) {
        argv[1 + i] = exec->args[i];
    }
    const struct pin_command_spec spec = {.argv = argv,
        .env = env,
        .timeout_ms = RUN_TIMEOUT_MS,
        .output_bytes_max = PIN_EXEC_OUTPUT_MAX,
        .done = done,
        .arg = arg};
    enum pin_err err = pin_command_start(commands, &spec, ret_command, why);
    free(argv);
    free(env);
    free(info);
    return err;
}

/* --- What a plugin says --------------------------------------------------------------------- */

static bool may_be_secret(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-' || c == '+' || c == '=';
}

/* How many bytes at the front look like a secret; 0: none. Base64 has slashes, as paths have; these
 * are seldom long and of small letters, large ones and digits at once. */
static size_t secret_bytes(const char *at, size_t max)
{
    size_t n = 0;
    size_t n_plain = 0;
    size_t n_digits = 0;
    size_t n_small = 0;
    size_t n_large = 0;
    bool has_slash = false;
    size_t n_plain_digits = 0;
    for (; n < max && (may_be_secret(at[n]) || at[n] == '/'); n++) {
        n_digits += at[n] >= '0' && at[n] <= '9';
        n_small += at[n] >= 'a' && at[n] <= 'z';
        n_large += at[n] >= 'A' && at[n] <= 'Z';
        has_slash = has_slash || at[n] == '/';
        n_plain = has_slash ? n_plain : n + 1;
        n_plain_digits = has_slash ? n_plain_digits : n_digits;
    }
    if (n >= SECRET_BYTES_MIN && n_digits > 0 && n_small > 0 && n_large > 0) {
        return n;
    }
    bool is_plain_secret =
        n_plain >= SECRET_BYTES_MIN && (n_plain_digits > 0 || n_plain / 2 >= SECRET_BYTES_MIN);
    return is_plain_secret ? n_plain : 0;
}

/* The last line of standard error that is not empty, without what looks like a secret. */
static void put_complaint(struct pin_text *out, const char *err, size_t bytes)
{
    size_t end = bytes;
    while (end > 0 && (err[end - 1] == '\n' || err[end - 1] == '\r' || err[end - 1] == ' ')) {
        end--;
    }
    size_t at = end;
    while (at > 0 && err[at - 1] != '\n') {
        at--;
    }
    end = end - at > TOLD_BYTES_MAX ? at + TOLD_BYTES_MAX : end;
    while (at < end) {
        size_t n = secret_bytes(err + at, end - at);
        if (n > 0) {
            pin_text_puts(out, "(hidden)");
            at += n;
            continue;
        }
        do { /* a word is no secret from its second letter on either */
            n++;
        } while (at + n < end && may_be_secret(err[at + n - 1]));
        pin_text_putn(out, err + at, n);
        at += n;
    }
}

static enum pin_err plugin_failed(
    const struct pin_exec *exec, const struct pin_command_result *result, struct pin_why *why)
{
    struct pin_text said = {0};
    put_complaint(&said, result->err, result->err_bytes);
    const char *colon = said.len > 0 ? ": " : "";
    enum pin_err err = pin_why_set(why, PIN_EIO, "exec plugin '%s' ended %s %d%s%s", exec->command,
        result->end == PIN_COMMAND_SIGNALED ? "by signal" : "with", result->code, colon,
        pin_text_get(&said));
    pin_text_done(&said);
    return err;
}

enum pin_err pin_exec_judge(const struct pin_exec *exec, const struct pin_command_result *result,
    struct pin_credential *ret_credential, struct pin_why *why)
{
    if (result->end == PIN_COMMAND_LATE) {
        return pin_why_set(why, PIN_ETIMEOUT, "exec plugin '%s' took longer than %d s",
            exec->command, RUN_TIMEOUT_MS / 1000);
    }
    if (result->end == PIN_COMMAND_FLOODED) {
        return pin_why_set(why, PIN_ELIMIT, "exec plugin '%s' printed more than %zu bytes",
            exec->command, PIN_EXEC_OUTPUT_MAX);
    }
    if (result->end == PIN_COMMAND_SIGNALED || result->code != 0) {
        return plugin_failed(exec, result, why);
    }
    enum pin_err err =
        pin_credential_read(result->out, result->out_bytes, exec->api_version, ret_credential, why);
    if (err != PIN_OK) {
        pin_why_wrap(why, "exec plugin '%s'", exec->command);
    }
    return err;
}

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || *text == 0x7F) {
            return false;
        }
    }
    return true;
}

/* A copy of a text field; NULL when absent or empty. False: memory is out. */
static bool take_text(const struct pin_tree *status, const char *key, char **ret)
{
    const char *text = pin_tree_string(status, key, "");
    *ret = text[0] == '\0' ? NULL : strdup(text);
    return text[0] == '\0' || *ret != NULL;
}

static bool take_pem(const struct pin_tree *status, const char *key, struct pin_blob *ret)
{
    char *text = NULL;
    bool is_ok = take_text(status, key, &text);
    *ret = (struct pin_blob){.data = text, .bytes = text == NULL ? 0 : strlen(text)};
    return is_ok;
}

static enum pin_err check_credential(const struct pin_credential *self, struct pin_why *why)
{
    const struct pin_blob *pems[] = {&self->certificate, &self->key};
    if ((self->certificate.data == NULL) != (self->key.data == NULL)) {
        return pin_why_set(why, PIN_EPARSE, "it gave a %s without a %s",
            self->key.data == NULL ? "client certificate" : "client key",
            self->key.data == NULL ? "client key" : "client certificate");
    }
    if (self->token == NULL && self->key.data == NULL) {
        return pin_why_set(why, PIN_EPARSE, "it gave neither a token nor a client certificate");
    }
    if (self->token != NULL && !is_plain(self->token)) {
        return pin_why_set(why, PIN_EPARSE, "its token holds a space or a control character");
    }
    for (size_t i = 0; i < 2; i++) {
        if (pems[i]->data != NULL && strstr(pems[i]->data, "-----BEGIN ") == NULL) {
            return pin_why_set(why, PIN_EPARSE, "its client certificate or key is no PEM text");
        }
    }
    return PIN_OK;
}

static enum pin_err take_status(
    const struct pin_tree *tree, struct pin_credential *self, struct pin_why *why)
{
    const struct pin_tree *status = pin_tree_map(tree, "status");
    const char *expires = pin_tree_string(status, "expirationTimestamp", "");
    if (status == NULL) {
        return pin_why_set(why, PIN_EPARSE, "what it printed has no status");
    }
    if (expires[0] != '\0' && !pin_clock_parse(expires, &self->expires_wall_ms)) {
        return pin_why_set(
            why, PIN_EPARSE, "its expirationTimestamp is none, write it as 2026-11-21T03:04:05Z");
    }
    if (!take_text(status, "token", &self->token)
        || !take_pem(status, "clientCertificateData", &self->certificate)
        || !take_pem(status, "clientKeyData", &self->key)) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a credential");
    }
    return check_credential(self, why);
}

static enum pin_err take_document(const struct pin_tree *tree, const char *api_version,
    struct pin_credential *self, struct pin_why *why)
{
    if (tree->kind != PIN_TREE_MAP
        || strcmp(pin_tree_string(tree, "kind", ""), "ExecCredential") != 0) {
        return pin_why_set(why, PIN_EPARSE, "what it printed is no ExecCredential");
    }
    if (strcmp(pin_tree_string(tree, "apiVersion", ""), api_version) != 0) {
        return pin_why_set(why, PIN_EPARSE,
            "it printed an ExecCredential of another apiVersion than the kubeconfig's '%s'",
            api_version);
    }
    return take_status(tree, self, why);
}

static bool is_blank(const char *text, size_t bytes)
{
    size_t n = 0;
    while (n < bytes && strchr(" \t\r\n", text[n]) != NULL) { /* a NUL counts as blank, too */
        n++;
    }
    return n == bytes;
}

enum pin_err pin_credential_read(const char *text, size_t bytes, const char *api_version,
    struct pin_credential *ret_credential, struct pin_why *why)
{
    struct pin_credential self = {0};
    struct pin_tree *tree = NULL;
    if (is_blank(text, bytes)) {
        return pin_why_set(why, PIN_EPARSE, "it printed nothing");
    }
    struct pin_arena *arena = pin_arena_new("credential", ARENA_BYTES_MAX);
    enum pin_err err = arena == NULL ? pin_why_set(why, PIN_ENOMEM, "no memory for a credential")
                                     : pin_json_parse(text, bytes, arena, &tree, NULL);
    if (err == PIN_OK && tree != NULL) {
        err = take_document(tree, api_version, &self, why);
    } else if (arena != NULL) { /* nothing of the text is repeated: it may be a secret */
        err = pin_why_set(why, PIN_EPARSE, "what it printed is no JSON");
    }
    pin_arena_free(arena);
    if (err != PIN_OK) {
        pin_credential_done(&self);
        return err;
    }
    *ret_credential = self;
    return PIN_OK;
}

/* --- Credentials ---------------------------------------------------------------------------- */

void pin_credential_done(struct pin_credential *credential)
{
    pin_secret_free(credential->token, credential->token == NULL ? 0 : strlen(credential->token));
    pin_secret_free(credential->certificate.data, credential->certificate.bytes);
    pin_secret_free(credential->key.data, credential->key.bytes);
    *credential = (struct pin_credential){0};
}

static bool copy_blob(const struct pin_blob *from, struct pin_blob *to)
{
    *to = (struct pin_blob){0};
    if (from->data == NULL) {
        return true;
    }
    to->data = malloc(from->bytes + 1);
    if (to->data == NULL) {
        return false;
    }
    memcpy(to->data, from->data, from->bytes);
    ((char *)to->data)[from->bytes] = '\0';
    to->bytes = from->bytes;
    return true;
}

bool pin_credential_apply(const struct pin_credential *credential, struct pin_target *target)
{
    struct pin_credential copy = {
        .token = credential->token == NULL ? NULL : strdup(credential->token)};
    bool is_ok = copy_blob(&credential->certificate, &copy.certificate);
    is_ok = copy_blob(&credential->key, &copy.key) && is_ok;
    if (!is_ok || (copy.token == NULL) != (credential->token == NULL)) {
        pin_credential_done(&copy);
        return false;
    }
    struct pin_credential old = {
        .token = target->token, .certificate = target->certificate, .key = target->key};
    target->token = copy.token;
    target->certificate = copy.certificate;
    target->key = copy.key;
    pin_credential_done(&old);
    return true;
}
