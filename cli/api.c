/* SPDX-License-Identifier: Apache-2.0 */

/* The daemon's admin API over HTTP. */

#include "cli/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "pintle/base/crypto.h"
#include "pintle/base/json.h"
#include "pintle/base/secret.h"

#define BODY_MAX_BYTES  ((size_t)256 << 20)
#define ARENA_MAX_BYTES ((size_t)1 << 30)
#define CONNECT_MS      3000L
#define TOTAL_MS        15000L
#define TOKEN_FILE      "PINTLE_TOKEN_FILE"

static struct pin_api_tls said; /* one thread; written before the first request */

/* A file that is said, or that the environment names, or NULL. */
static const char *file_of(const char *value, const char *variable)
{
    const char *named = getenv(variable); /* NOLINT(concurrency-mt-unsafe): one thread */
    return value != NULL ? value : named != NULL && named[0] != '\0' ? named : NULL;
}

void pin_api_use(const struct pin_api_tls *tls)
{
    said = (struct pin_api_tls){.ca = file_of(tls->ca, "PINTLE_CA_FILE"),
        .cert = file_of(tls->cert, "PINTLE_CERT_FILE"),
        .key = file_of(tls->key, "PINTLE_KEY_FILE")};
}

const char *pin_api_scheme(const char *admin)
{
    return strncmp(admin, "https://", 8) == 0 ? "" : "http://";
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct pin_text *body = arg;
    if (body->len + size * n > BODY_MAX_BYTES) {
        return 0; /* curl gives up */
    }
    pin_text_putn(body, data, size * n);
    return body->failed ? 0 : size * n;
}

static enum pin_err explain_failure(CURLcode code, const char *admin, struct pin_why *why)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return pin_why_set(why, PIN_ECLOSED,
            "nobody listens on %s%s: is pintled running? (--admin ADDR:PORT says where)",
            pin_api_scheme(admin), admin);
    case CURLE_COULDNT_RESOLVE_HOST:
        return pin_why_set(why, PIN_ENOTFOUND,
            "%s%s: there is no host of that name (--admin ADDR:PORT says where pintled is)",
            pin_api_scheme(admin), admin);
    case CURLE_OPERATION_TIMEDOUT:
        return pin_why_set(why, PIN_ETIMEOUT, "%s%s does not answer", pin_api_scheme(admin), admin);
    case CURLE_OUT_OF_MEMORY:
        return pin_why_set(why, PIN_ENOMEM, "%s%s", pin_api_scheme(admin), admin);
    case CURLE_GOT_NOTHING:
    case CURLE_UNSUPPORTED_PROTOCOL: /* what is no HTTP at all counts as HTTP/0.9 */
    case CURLE_RECV_ERROR:
        return pin_why_set(why, PIN_EIO, "%s%s: %s%s", pin_api_scheme(admin), admin,
            curl_easy_strerror(code), pin_api_scheme(admin)[0] == '\0' ? "" : "; is it https://?");
    case CURLE_PEER_FAILED_VERIFICATION:
        return pin_why_set(why, PIN_EIO,
            "%s: its certificate is not for that name, or nobody known vouches for it (--ca FILE)",
            admin);
    case CURLE_SSL_CACERT_BADFILE:
        return said.ca != NULL
                   ? pin_why_set(why, PIN_EIO, "--ca %s: it holds no certificate", said.ca)
                   : pin_why_set(why, PIN_EIO,
                       "%s: the system has no certificates to trust (--ca FILE)", admin);
    case CURLE_SSL_CERTPROBLEM:
        return pin_why_set(why, PIN_EIO, "--cert %s: it cannot be used%s", said.cert,
            said.key == NULL ? ", or lacks its key (--key FILE)" : " with that --key");
    default:
        return pin_why_set(
            why, PIN_EIO, "%s%s: %s", pin_api_scheme(admin), admin, curl_easy_strerror(code));
    }
}

/* Appends the token's header, if a token is said; the caller frees *headers. */
static enum pin_err add_token(struct curl_slist **headers, struct pin_why *why)
{
    const char *file = getenv(TOKEN_FILE); /* NOLINT(concurrency-mt-unsafe): one thread */
    struct pin_secret token = {0};
    struct pin_text header = {0};
    if (file == NULL || file[0] == '\0') {
        return PIN_OK;
    }
    enum pin_err err = pin_secret_read(file, &token, why);
    if (err != PIN_OK) {
        pin_why_wrap(why, TOKEN_FILE);
        return err;
    }
    pin_text_puts(&header, "Authorization: Bearer ");
    pin_text_putn(&header, (const char *)token.data, token.bytes);
    struct curl_slist *more = header.failed ? NULL : curl_slist_append(*headers, header.ptr);
    if (more == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "the token");
    } else {
        *headers = more;
    }
    if (header.ptr != NULL) {
        pin_crypto_wipe(header.ptr, header.len);
    }
    pin_text_done(&header);
    pin_secret_done(&token);
    return err;
}

/* All options that matter; false when one is refused. */
static bool set_options(CURL *curl, const char *url, long timeout_ms, struct pin_text *body)
{
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK
           && curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK
           && (said.ca == NULL || curl_easy_setopt(curl, CURLOPT_CAINFO, said.ca) == CURLE_OK)
           && (said.cert == NULL || curl_easy_setopt(curl, CURLOPT_SSLCERT, said.cert) == CURLE_OK)
           && (said.key == NULL || curl_easy_setopt(curl, CURLOPT_SSLKEY, said.key) == CURLE_OK)
           && curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK
           && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
           && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK
           && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK
           && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK
           && curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

enum pin_err pin_api_parse(struct pin_api_reply *reply, struct pin_why *why)
{
    reply->arena = pin_arena_new("reply", ARENA_MAX_BYTES);
    if (reply->arena == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the reply");
    }
    enum pin_err err = pin_json_parse(
        pin_text_get(&reply->body), reply->body.len, reply->arena, &reply->tree, why);
    if (err != PIN_OK) {
        pin_why_wrap(why, "the reply is not what a pintled would say");
    }
    return err;
}

/* Method, body and headers; false when one is refused. `headers` must outlive the transfer. */
static bool set_order(
    CURL *curl, const struct pin_api_order *order, const struct curl_slist *headers)
{
    return curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, order->method) == CURLE_OK
           && (order->body == NULL
               || curl_easy_setopt(curl, CURLOPT_POSTFIELDS, order->body) == CURLE_OK)
           && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
}

static enum pin_err transfer(const char *admin, const struct pin_api_order *order, long timeout_ms,
    bool is_json, struct pin_api_reply *ret_reply, struct pin_why *why)
{
    struct pin_api_reply reply = {0};
    struct pin_text url = {0};
    enum pin_err err = PIN_ENOMEM;
    long status = 0;

    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *curl = curl_easy_init();
    pin_text_putf(&url, "%s%s%s", pin_api_scheme(admin), admin, order->path);
    err = headers == NULL ? PIN_OK : add_token(&headers, why);
    if (err != PIN_OK) {
        goto out;
    }
    if (curl == NULL || url.failed || headers == NULL
        || !set_options(curl, url.ptr, timeout_ms, &reply.body)
        || !set_order(curl, order, headers)) {
        err = pin_why_set(why, PIN_ENOMEM, "%s%s", pin_api_scheme(admin), admin);
        goto out;
    }
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        err = explain_failure(code, admin, why);
        goto out;
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply.status = (int)status;
    err = is_json ? pin_api_parse(&reply, why) : PIN_OK;
    if (err == PIN_OK) {
        *ret_reply = reply;
        reply = (struct pin_api_reply){0};
    }
out:
    pin_api_reply_done(&reply);
    pin_text_done(&url);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return err;
}

enum pin_err pin_api_get(
    const char *admin, const char *path, struct pin_api_reply *ret_reply, struct pin_why *why)
{
    return pin_api_get_within(admin, path, TOTAL_MS, ret_reply, why);
}

enum pin_err pin_api_get_within(const char *admin, const char *path, long timeout_ms,
    struct pin_api_reply *ret_reply, struct pin_why *why)
{
    return transfer(
        admin, &(struct pin_api_order){"GET", path, NULL}, timeout_ms, true, ret_reply, why);
}

enum pin_err pin_api_get_text(
    const char *admin, const char *path, struct pin_api_reply *ret_reply, struct pin_why *why)
{
    return transfer(
        admin, &(struct pin_api_order){"GET", path, NULL}, TOTAL_MS, false, ret_reply, why);
}

void pin_api_reply_done(struct pin_api_reply *reply)
{
    pin_text_done(&reply->body);
    pin_arena_free(reply->arena);
    *reply = (struct pin_api_reply){0};
}

void pin_api_put_escaped(struct pin_text *text, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *c = value; *c != '\0'; c++) {
        bool is_plain = false;
        for (const char *p = plain; *p != '\0' && !is_plain; p++) {
            is_plain = *p == *c;
        }
        if (is_plain) {
            pin_text_putc(text, *c);
        } else {
            pin_text_putf(text, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
}

enum pin_ctl_exit pin_api_fetch(
    const struct pin_ctl *ctl, const char *path, struct pin_api_reply *ret_reply)
{
    return pin_api_order(ctl, &(struct pin_api_order){"GET", path, NULL}, ret_reply);
}

enum pin_err pin_api_try(const char *admin, const struct pin_api_order *order,
    struct pin_api_reply *ret_reply, struct pin_why *why)
{
    return transfer(admin, order, TOTAL_MS, true, ret_reply, why);
}

enum pin_ctl_exit pin_api_judge(
    enum pin_err err, const struct pin_api_reply *reply, const struct pin_why *why)
{
    if (err != PIN_OK) {
        (void)fprintf(stderr, "pintlectl: %s\n", why->text);
        return err == PIN_ECLOSED    ? PIN_CTL_NOT_RUNNING
               : err == PIN_ETIMEOUT ? PIN_CTL_TIMED_OUT
                                     : PIN_CTL_FAILED;
    }
    if (reply->status == 200) {
        return PIN_CTL_OK;
    }
    (void)fprintf(stderr, "pintlectl: %s\n",
        pin_tree_string(reply->tree, "error", "the daemon refuses, and does not say why"));
    switch (reply->status) {
    case 400:
        return PIN_CTL_USAGE;
    case 401:
    case 403:
        return PIN_CTL_NOT_PERMITTED;
    default:
        return PIN_CTL_FAILED;
    }
}

enum pin_ctl_exit pin_api_order(
    const struct pin_ctl *ctl, const struct pin_api_order *order, struct pin_api_reply *ret_reply)
{
    struct pin_why why = {0};
    enum pin_err err = transfer(ctl->admin, order, TOTAL_MS, true, ret_reply, &why);
    return pin_api_judge(err, ret_reply, &why);
}

/* --- Answers without an end ------------------------------------------------------------------ */

/* A transfer under way. */
struct watch {
    CURL *curl;
    pin_api_take *take;
    void *arg;
    bool is_enough;       /* `take` said so */
    struct pin_text body; /* of an error */
};

static size_t on_watched(char *data, size_t size, size_t n, void *arg)
{
    struct watch *watch = arg;
    long status = 0;
    (void)curl_easy_getinfo(watch->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        return on_body(data, size, n, &watch->body);
    }
    watch->is_enough = !watch->take(watch->arg, data, size * n);
    return watch->is_enough ? 0 : size * n; /* curl gives up */
}

/* What became of it. */
static enum pin_ctl_exit judge_watch(struct watch *watch, CURLcode code, const char *admin)
{
    struct pin_api_reply reply = {.body = watch->body};
    struct pin_why why = {0};
    enum pin_err err = PIN_OK;
    long status = 0;
    watch->body = (struct pin_text){0};
    (void)curl_easy_getinfo(watch->curl, CURLINFO_RESPONSE_CODE, &status);
    reply.status = (int)status;
    if (watch->is_enough) {
        reply.status = 200;
    } else if (code != CURLE_OK) {
        err = explain_failure(code, admin, &why);
    } else if (status != 200) {
        err = pin_api_parse(&reply, &why);
    } else {
        err = pin_why_set(
            &why, PIN_ECLOSED, "%s%s has ended the stream", pin_api_scheme(admin), admin);
    }
    enum pin_ctl_exit exit_code = pin_api_judge(err, &reply, &why);
    pin_api_reply_done(&reply);
    return exit_code;
}

enum pin_ctl_exit pin_api_watch(const char *admin, const char *path, pin_api_take *take, void *arg)
{
    struct watch watch = {.curl = curl_easy_init(), .take = take, .arg = arg};
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/event-stream");
    struct pin_text url = {0};
    struct pin_why why = {0};
    enum pin_ctl_exit exit_code = PIN_CTL_FAILED;

    pin_text_putf(&url, "%s%s%s", pin_api_scheme(admin), admin, path);
    if (headers != NULL && add_token(&headers, &why) != PIN_OK) {
        (void)fprintf(stderr, "pintlectl: %s\n", why.text);
    } else if (watch.curl == NULL || headers == NULL || url.failed
               || !set_options(watch.curl, url.ptr, 0, &watch.body)
               || curl_easy_setopt(watch.curl, CURLOPT_HTTPHEADER, headers) != CURLE_OK
               || curl_easy_setopt(watch.curl, CURLOPT_WRITEFUNCTION, on_watched) != CURLE_OK
               || curl_easy_setopt(watch.curl, CURLOPT_WRITEDATA, &watch) != CURLE_OK) {
        (void)fprintf(stderr, "pintlectl: out of memory\n");
    } else {
        exit_code = judge_watch(&watch, curl_easy_perform(watch.curl), admin);
    }
    pin_text_done(&watch.body);
    pin_text_done(&url);
    curl_easy_cleanup(watch.curl);
    curl_slist_free_all(headers);
    return exit_code;
}
