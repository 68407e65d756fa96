/* SPDX-License-Identifier: Apache-2.0 */

/* AWS credentials: files and the environment first, then whoever has to be asked. */

#include "aws_credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/crypto.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/base/secret.h"

#define FILE_BYTES_MAX  ((size_t)1 << 20)
#define TOKEN_BYTES_MAX ((size_t)64 << 10)
#define SESSION_NAME    "pintle"
#define METADATA        "http://169.254.169.254"
#define CONTAINER_AGENT "http://169.254.170.2"
#define METADATA_ROLES  "/latest/meta-data/iam/security-credentials/"

/* --- Small things --------------------------------------------------------------------------- */

static void wipe(char **text)
{
    if (*text != NULL) {
        pin_crypto_wipe(*text, strlen(*text));
        free(*text);
    }
    *text = NULL;
}

static void wipe_text(struct pin_text *text)
{
    if (text->ptr != NULL) {
        pin_crypto_wipe(text->ptr, text->cap);
    }
    pin_text_done(text);
}

void pin_aws_credentials_done(struct pin_aws_credentials *keys)
{
    wipe(&keys->access_key);
    wipe(&keys->secret_key);
    wipe(&keys->session_token);
    keys->until_wall_ms = 0;
}

void pin_aws_ask_done(struct pin_aws_ask *ask)
{
    free(ask->server);
    wipe_text(&ask->path);
    wipe_text(&ask->body);
    wipe(&ask->value);
    *ask = (struct pin_aws_ask){0};
}

void pin_aws_fetch_reset(struct pin_aws_fetch *fetch)
{
    wipe(&fetch->token);
    free(fetch->role);
    fetch->role = NULL;
    fetch->step = PIN_AWS_START;
}

/* A variable that is set and not empty, or NULL. */
static const char *variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody sets any */
    return value == NULL || value[0] == '\0' ? NULL : value;
}

enum pin_err pin_aws_credentials_set(struct pin_aws_credentials *keys, const char *access_key,
    const char *secret_key, const char *session_token)
{
    bool has_token = session_token != NULL && session_token[0] != '\0';
    struct pin_aws_credentials copy = {.access_key = strdup(access_key),
        .secret_key = strdup(secret_key),
        .session_token = has_token ? strdup(session_token) : NULL};
    if (copy.access_key == NULL || copy.secret_key == NULL
        || (has_token && copy.session_token == NULL)) {
        pin_aws_credentials_done(&copy);
        return PIN_ENOMEM;
    }
    pin_aws_credentials_done(keys);
    *keys = copy;
    return PIN_OK;
}

/* A file's text without the white space around it, heap. */
static enum pin_err read_trimmed(const char *path, char **ret_text, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pin_err err = pin_file_read(path, TOKEN_BYTES_MAX, &text, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    size_t start = strspn(text, " \t\r\n");
    size_t end = start + strcspn(text + start, " \t\r\n");
    *ret_text = strndup(text + start, end - start);
    pin_crypto_wipe(text, bytes);
    free(text);
    return *ret_text == NULL ? pin_why_set(why, PIN_ENOMEM, "a token") : PIN_OK;
}

static void put_form(struct pin_text *out, const char *name, const char *value)
{
    struct pin_aws_pair pair = {name, value};
    pin_text_puts(out, out->len > 0 ? "&" : "");
    (void)pin_aws_put_query(out, &pair, 1, NULL); /* failures stick in the text */
}

/* --- Files and the environment -------------------------------------------------------------- */

static enum pin_err from_files(
    const struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys, struct pin_why *why)
{
    struct pin_secret access_key = {0};
    struct pin_secret secret_key = {0};
    enum pin_err err = pin_secret_read(fetch->access_key_file, &access_key, why);
    if (err == PIN_OK) {
        err = pin_secret_read(fetch->secret_key_file, &secret_key, why);
    }
    if (err == PIN_OK) {
        err = pin_aws_credentials_set(
            keys, (const char *)access_key.data, (const char *)secret_key.data, NULL);
    }
    pin_secret_done(&access_key);
    pin_secret_done(&secret_key);
    return err;
}

/* The text of a line up to its end, without blanks around it. */
static size_t trim(const char **text, size_t bytes)
{
    while (bytes > 0 && strchr(" \t\r", **text) != NULL) {
        (*text)++;
        bytes--;
    }
    while (bytes > 0 && strchr(" \t\r", (*text)[bytes - 1]) != NULL) {
        bytes--;
    }
    return bytes;
}

static bool is_word(const char *text, size_t bytes, const char *word)
{
    return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

/* "[name]", or "[profile name]" as the other file writes it. */
static bool is_section(const char *text, size_t bytes, const char *profile)
{
    if (bytes < 2 || text[bytes - 1] != ']') {
        return false;
    }
    const char *name = text + 1;
    size_t name_bytes = trim(&name, bytes - 2);
    return is_word(name, name_bytes, profile);
}

static void read_setting(const char *text, size_t bytes, char *values[3])
{
    static const char *const names[] = {
        "aws_access_key_id", "aws_secret_access_key", "aws_session_token"};
    const char *equals = memchr(text, '=', bytes);
    if (equals == NULL) {
        return;
    }
    const char *name = text;
    const char *value = equals + 1;
    size_t name_bytes = trim(&name, (size_t)(equals - text));
    size_t value_bytes = trim(&value, bytes - (size_t)(equals + 1 - text));
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (is_word(name, name_bytes, names[i])) {
            wipe(&values[i]);
            values[i] = strndup(value, value_bytes);
        }
    }
}

bool pin_aws_read_profile(const char *text, const char *profile, struct pin_aws_credentials *keys)
{
    char *values[3] = {0};
    bool is_inside = false;
    size_t bytes = 0;
    for (const char *at = text; *at != '\0'; at += bytes + (at[bytes] == '\n' ? 1 : 0)) {
        bytes = strcspn(at, "\n");
        const char *line = at;
        size_t line_bytes = trim(&line, bytes);
        if (line_bytes > 0 && line[0] == '[') {
            is_inside = is_section(line, line_bytes, profile);
        } else if (is_inside && line_bytes > 0 && line[0] != '#' && line[0] != ';') {
            read_setting(line, line_bytes, values);
        }
    }
    bool is_found = values[0] != NULL && values[0][0] != '\0' && values[1] != NULL
                    && values[1][0] != '\0'
                    && pin_aws_credentials_set(keys, values[0], values[1], values[2]) == PIN_OK;
    for (size_t i = 0; i < N_ELEMS(values); i++) {
        wipe(&values[i]);
    }
    return is_found;
}

/* PIN_ENOTFOUND when there is no such file, or it has no such profile. */
static enum pin_err from_profile(struct pin_aws_credentials *keys, struct pin_why *why)
{
    const char *home = variable("HOME");
    const char *named = variable("AWS_SHARED_CREDENTIALS_FILE");
    const char *profile = variable("AWS_PROFILE");
    struct pin_text path = {0};
    char *text = NULL;
    size_t bytes = 0;
    if (named == NULL && home == NULL) {
        return PIN_ENOTFOUND;
    }
    pin_text_putf(
        &path, named != NULL ? "%s" : "%s/.aws/credentials", named != NULL ? named : home);
    if (path.failed) {
        pin_text_done(&path);
        return pin_why_set(why, PIN_ENOMEM, "credentials");
    }
    enum pin_err err = pin_file_read(path.ptr, FILE_BYTES_MAX, &text, &bytes, why);
    if (err == PIN_OK) {
        err = pin_aws_read_profile(text, profile == NULL ? "default" : profile, keys)
                  ? PIN_OK
                  : PIN_ENOTFOUND;
        pin_crypto_wipe(text, bytes);
        free(text);
    }
    pin_text_done(&path);
    return err;
}

/* --- Whoever has to be asked ---------------------------------------------------------------- */

/* STS: the role for the pod's own token. PIN_ENOTFOUND when the environment names none. */
static enum pin_err ask_sts(
    const struct pin_aws_fetch *fetch, struct pin_aws_ask *ask, struct pin_why *why)
{
    const char *role = variable("AWS_ROLE_ARN");
    const char *file = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *session = variable("AWS_ROLE_SESSION_NAME");
    const char *endpoint = variable("AWS_ENDPOINT_URL_STS");
    struct pin_text server = {0};
    char *token = NULL;
    if (role == NULL || file == NULL) {
        return PIN_ENOTFOUND;
    }
    enum pin_err err = read_trimmed(file, &token, why);
    if (err != PIN_OK) {
        return err;
    }
    if (endpoint != NULL) {
        pin_text_puts(&server, endpoint);
    } else {
        pin_text_putf(&server, "https://sts.%s.amazonaws.com", fetch->region);
    }
    ask->server = pin_text_take(&server);
    ask->method = "POST";
    pin_text_puts(&ask->path, "/");
    put_form(&ask->body, "Action", "AssumeRoleWithWebIdentity");
    put_form(&ask->body, "RoleArn", role);
    put_form(&ask->body, "RoleSessionName", session == NULL ? SESSION_NAME : session);
    put_form(&ask->body, "Version", "2011-06-15");
    put_form(&ask->body, "WebIdentityToken", token);
    wipe(&token);
    return PIN_OK;
}

/* Splits a URL into server and path. False: it is none that keys may be fetched from: without TLS
 * only the own machine and the agents' addresses. */
static bool split_uri(const char *uri, struct pin_aws_ask *ask)
{
    static const char *const hosts[] = {
        "127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    bool is_tls = strncmp(uri, "https://", 8) == 0;
    size_t scheme_bytes = is_tls ? 8 : 7;
    if (!is_tls && strncmp(uri, "http://", 7) != 0) {
        return false;
    }
    const char *host = uri + scheme_bytes;
    size_t host_bytes = strcspn(host, "/?#");
    if (memchr(host, '@', host_bytes) != NULL) {
        return false;
    }
    bool is_near = false;
    for (size_t i = 0; i < N_ELEMS(hosts); i++) {
        size_t len = strlen(hosts[i]);
        is_near = is_near
                  || (host_bytes >= len && memcmp(host, hosts[i], len) == 0
                      && (host_bytes == len || host[len] == ':'));
    }
    if (!is_tls && !is_near) {
        return false;
    }
    ask->server = strndup(uri, scheme_bytes + host_bytes);
    pin_text_puts(&ask->path, host[host_bytes] == '/' ? host + host_bytes : "/");
    return true;
}

static enum pin_err ask_container(struct pin_aws_ask *ask, struct pin_why *why)
{
    const char *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    enum pin_err err = PIN_OK;
    if (relative != NULL && relative[0] == '/') {
        ask->server = strdup(CONTAINER_AGENT);
        pin_text_puts(&ask->path, relative);
    } else if (full == NULL) {
        return PIN_ENOTFOUND;
    } else if (!split_uri(full, ask)) {
        return pin_why_set(why, PIN_EINVAL,
            "$AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL that keys may come from");
    }
    if (file != NULL) {
        err = read_trimmed(file, &ask->value, why);
    } else if (token != NULL) {
        ask->value = strdup(token);
    }
    ask->header = ask->value == NULL ? NULL : "Authorization";
    return err;
}

/* The metadata's token, then the role's name, then its keys. */
static enum pin_err ask_metadata(const struct pin_aws_fetch *fetch, struct pin_aws_ask *ask)
{
    const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
    const char *endpoint = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct pin_text server = {0};
    if (disabled != NULL && strcmp(disabled, "true") == 0) {
        return PIN_ENOTFOUND;
    }
    pin_text_puts(&server, endpoint == NULL ? METADATA : endpoint);
    while (server.len > 0 && server.ptr[server.len - 1] == '/') {
        pin_text_cut(&server, server.len - 1);
    }
    ask->server = pin_text_take(&server);
    if (fetch->step == PIN_AWS_IMDS_TOKEN) {
        ask->method = "PUT";
        ask->header = "X-aws-ec2-metadata-token-ttl-seconds";
        ask->value = strdup("300");
        pin_text_puts(&ask->path, "/latest/api/token");
    } else {
        ask->header = "X-aws-ec2-metadata-token";
        ask->value = fetch->token == NULL ? NULL : strdup(fetch->token);
        pin_text_putf(&ask->path, METADATA_ROLES "%s",
            fetch->step == PIN_AWS_IMDS_KEYS && fetch->role != NULL ? fetch->role : "");
    }
    return ask->value == NULL ? PIN_ENOMEM : PIN_OK;
}

/* --- The steps ------------------------------------------------------------------------------ */

/* What needs nobody to be asked. PIN_ENOTFOUND: nothing is there. */
static enum pin_err from_here(
    const struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys, struct pin_why *why)
{
    const char *access_key = variable("AWS_ACCESS_KEY_ID");
    const char *secret_key = variable("AWS_SECRET_ACCESS_KEY");
    if (fetch->access_key_file != NULL && fetch->secret_key_file != NULL) {
        return from_files(fetch, keys, why);
    }
    if (access_key != NULL && secret_key != NULL) {
        return pin_aws_credentials_set(keys, access_key, secret_key, variable("AWS_SESSION_TOKEN"));
    }
    return PIN_ENOTFOUND;
}

/* What the step does. PIN_ENOTFOUND: nothing, go on. */
static enum pin_err do_step(struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys,
    struct pin_aws_ask *ask, bool *ret_asks, struct pin_why *why)
{
    enum pin_err err = PIN_ENOTFOUND;
    switch (fetch->step) {
    case PIN_AWS_START:
        return from_here(fetch, keys, why);
    case PIN_AWS_STS:
        err = ask_sts(fetch, ask, why);
        break;
    case PIN_AWS_CONTAINER:
        err = from_profile(keys, why); /* comes before the container's agent */
        if (err != PIN_ENOTFOUND) {
            return err;
        }
        err = ask_container(ask, why);
        break;
    case PIN_AWS_IMDS_TOKEN:
    case PIN_AWS_IMDS_ROLE:
    case PIN_AWS_IMDS_KEYS:
        err = ask_metadata(fetch, ask);
        break;
    case PIN_AWS_END:
        return PIN_OK;
    }
    *ret_asks = err == PIN_OK;
    return err;
}

enum pin_err pin_aws_fetch_next(struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys,
    struct pin_aws_ask *ask, bool *ret_asks, struct pin_why *why)
{
    enum pin_err err = PIN_ENOTFOUND;
    *ret_asks = false;
    while (fetch->step != PIN_AWS_END) {
        err = do_step(fetch, keys, ask, ret_asks, why);
        if (err != PIN_ENOTFOUND) {
            break;
        }
        fetch->step = fetch->step >= PIN_AWS_IMDS_TOKEN ? PIN_AWS_END : fetch->step + 1;
    }
    if (err == PIN_ENOTFOUND) {
        return pin_why_set(why, PIN_ENOTFOUND,
            "no AWS credentials: no key files, variables, profile, role or metadata");
    }
    bool is_short = *ret_asks && (ask->server == NULL || ask->path.failed || ask->body.failed);
    return is_short || err == PIN_ENOMEM ? pin_why_set(why, PIN_ENOMEM, "credentials") : err;
}

/* One line that can stand in a path or a header; heap. */
static enum pin_err take_line(const char *text, size_t bytes, char **ret_line, struct pin_why *why)
{
    size_t n = 0;
    while (n < bytes && text[n] > ' ' && text[n] < 0x7F && text[n] != '/' && text[n] != '?'
           && text[n] != '#') {
        n++;
    }
    if (n == 0 || n > 1024) {
        return pin_why_set(why, PIN_EPARSE, "the metadata's answer makes no sense");
    }
    free(*ret_line);
    *ret_line = calloc(1, n + 1); /* no NUL ends the answer, so strndup() may not look for it */
    if (*ret_line == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "credentials");
    }
    memcpy(*ret_line, text, n);
    return PIN_OK;
}

enum pin_err pin_aws_fetch_answer(struct pin_aws_fetch *fetch, struct pin_aws_credentials *keys,
    int status, const char *text, size_t bytes, struct pin_why *why)
{
    static const char *const whose[] = {[PIN_AWS_STS] = "STS",
        [PIN_AWS_CONTAINER] = "the container's agent",
        [PIN_AWS_IMDS_TOKEN] = "the metadata service",
        [PIN_AWS_IMDS_ROLE] = "the metadata service",
        [PIN_AWS_IMDS_KEYS] = "the metadata service",
        [PIN_AWS_END] = ""};
    if (status < 200 || status >= 300) {
        return pin_why_set(why, PIN_EDENIED, "no AWS credentials: %s gives none (status %d)",
            whose[fetch->step], status);
    }
    switch (fetch->step) {
    case PIN_AWS_STS:
        return pin_aws_read_sts(text, bytes, keys, why);
    case PIN_AWS_CONTAINER:
    case PIN_AWS_IMDS_KEYS:
        return pin_aws_read_json(text, bytes, keys, why);
    case PIN_AWS_IMDS_TOKEN:
        fetch->step = PIN_AWS_IMDS_ROLE;
        return take_line(text, bytes, &fetch->token, why);
    case PIN_AWS_IMDS_ROLE:
        fetch->step = PIN_AWS_IMDS_KEYS;
        return take_line(text, bytes, &fetch->role, why);
    default:
        return pin_why_set(why, PIN_EPARSE, "an answer that nobody waits for");
    }
}
