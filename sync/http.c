/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libcurl's multi-socket interface on base/loop. libcurl forbids most calls from its own callbacks,
 * so what those ask for (cancel, resume) is noted and done when the outermost call has returned.
 */

#include "http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <curl/curl.h>

#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/sync/sync.h"
#include "pintle/version.h"

#include "http_end.h"

#define CONNECT_TIMEOUT_MS 10000L
/* A TLS record, and the least for what is sent; every watch has two. */
#define BUFFER_BYTES         16384L
#define PROBE_BUFFER_BYTES   2048L
#define ERROR_BODY_BYTES_MAX 4096
/* Of an answer's head and of what follows its body: libcurl bounds the head, and keeps trailers
 * without an end. */
#define HEADER_BYTES_MAX  ((size_t)64 << 10)
#define RETRY_AFTER_MAX_S ((curl_off_t)86400)
/* A connection whose peer has gone without a word is found dead after some 50 s. */
#define KEEPALIVE_IDLE_S     20
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES     3
#define USER_TIMEOUT_MS      45000

struct pin_http {
    struct pin_loop *loop;
    struct pin_timer *timer; /* libcurl's one timer. */
    CURLM *multi;
    struct pin_http_transfer *transfers;
    uint32_t depth;   /* Calls into libcurl that can run callbacks. */
    bool is_settling; /* settle() is at work further up. */
    bool has_marks;   /* Some transfer is cancelled or wants to resume. */
};

struct pin_http_transfer {
    struct pin_http *http;
    struct pin_http_transfer *prev;
    struct pin_http_transfer *next;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    void (*on_body)(void *arg, const char *data, size_t bytes);
    void (*on_done)(void *arg, const struct pin_http_result *result);
    void *arg;
    struct pin_sync_outcome *outcomes;
    struct pin_text error_body; /* Start of an answer that is no 2xx. */
    bool is_probe;              /* Only the status counts. */
    bool wants_peer;
    bool is_cancelled;
    bool is_blind;  /* Its socket cannot be watched: it ends. */
    bool is_paused; /* Our wish. */
    bool is_held;   /* libcurl holds bytes back. */
    bool wants_resume;
    size_t header_bytes;
    char error[CURL_ERROR_SIZE];
};

/* --- Ends of transfers ---------------------------------------------------------------------- */

static void free_transfer(struct pin_http_transfer *self)
{
    if (self->prev != NULL) {
        self->prev->next = self->next;
    } else if (self->http->transfers == self) {
        self->http->transfers = self->next;
    }
    if (self->next != NULL) {
        self->next->prev = self->prev;
    }
    if (self->easy != NULL) {
        (void)curl_multi_remove_handle(self->http->multi, self->easy);
        curl_easy_cleanup(self->easy);
    }
    for (struct curl_slist *at = self->headers; at != NULL; at = at->next) {
        explicit_bzero(at->data, strlen(at->data)); /* tokens and keys */
    }
    curl_slist_free_all(self->headers);
    curl_slist_free_all(self->connect_to);
    pin_text_done(&self->error_body);
    free(self);
}

static bool has_text(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* An alert of the server about our certificate, as OpenSSL words it. */
static bool is_own_cert_alert(const char *error)
{
    return has_text(error, "alert")
           && (has_text(error, "certificate") || has_text(error, "unknown ca"));
}

static enum pin_http_fault classify(CURLcode code, const char *error)
{
    switch (code) {
    case CURLE_OK:
        return PIN_HTTP_NONE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return PIN_HTTP_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return PIN_HTTP_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return PIN_HTTP_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
        return has_text(error, "subject name")                                  ? PIN_HTTP_CERT_NAME
               : has_text(error, "has expired") || has_text(error, "yet valid") ? PIN_HTTP_CERT_TIME
                                                                                : PIN_HTTP_CERT;
    case CURLE_SSL_CERTPROBLEM:
        return PIN_HTTP_OWN_CERT;
    case CURLE_SSL_CACERT_BADFILE:
        return PIN_HTTP_CERT;
    case CURLE_SSL_CONNECT_ERROR:
        return is_own_cert_alert(error) ? PIN_HTTP_OWN_CERT : PIN_HTTP_TLS;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
        return is_own_cert_alert(error) ? PIN_HTTP_OWN_CERT : PIN_HTTP_CLOSED;
    default:
        return PIN_HTTP_OTHER;
    }
}

/* The value of "NAME:value" in what libcurl tells of a certificate, or "". */
static const char *find_field(const struct curl_slist *fields, const char *name)
{
    size_t len = strlen(name);
    for (; fields != NULL; fields = fields->next) {
        if (strncmp(fields->data, name, len) == 0 && fields->data[len] == ':') {
            return fields->data + len + 1;
        }
    }
    return "";
}

/* Milliseconds since 1970 of a date as HTTP and OpenSSL write it; 0: it is none. */
static int64_t read_date(const char *text)
{
    time_t wall_s = text[0] == '\0' ? -1 : curl_getdate(text, NULL);
    return wall_s < 0 ? 0 : (int64_t)wall_s * 1000;
}

static void read_peer(CURL *easy, struct pin_http_peer *ret_peer)
{
    char *address = NULL;
    long port = 0;
    curl_off_t times_us[3] = {0};
    struct curl_certinfo *chain = NULL;
    struct curl_header *date = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    (void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    (void)curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &times_us[0]);
    (void)curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &times_us[1]);
    (void)curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &times_us[2]);
    (void)curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain);
    bool has_date = curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK;
    const struct curl_slist *own =
        chain != NULL && chain->num_of_certs > 0 ? chain->certinfo[0] : NULL;
    *ret_peer = (struct pin_http_peer){
        .address = address != NULL ? address : "",
        .port = (uint16_t)port,
        .connected_us = times_us[0],
        .secured_us = times_us[1],
        .answered_us = times_us[2],
        .date_wall_ms = has_date ? read_date(date->value) : 0,
        .subject = find_field(own, "Subject"),
        .issuer = find_field(own, "Issuer"),
        .names = find_field(own, "X509v3 Subject Alternative Name"),
        .until_wall_ms = read_date(find_field(own, "Expire date")),
    };
}

static void finish(struct pin_http_transfer *self, CURLcode code)
{
    struct pin_http_peer peer;
    char message[PIN_HTTP_MESSAGE_BYTES] = "";
    long status = 0;
    curl_off_t retry_after_s = 0;
    struct curl_header *etag = NULL;
    char *type = NULL;
    (void)curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(self->easy, CURLINFO_CONTENT_TYPE, &type);
    (void)curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    bool has_etag = curl_easy_header(self->easy, "ETag", 0, CURLH_HEADER, -1, &etag) == CURLHE_OK;
    if (self->is_probe && code == CURLE_WRITE_ERROR && status != 0) {
        code = CURLE_OK; /* we hung up ourselves */
    }
    if (code != CURLE_OK && self->header_bytes > HEADER_BYTES_MAX) {
        (void)snprintf(
            message, sizeof(message), "headers of more than %zu bytes", HEADER_BYTES_MAX);
    } else if (code != CURLE_OK) {
        (void)snprintf(message, sizeof(message), "%s",
            self->error[0] != '\0' ? self->error : curl_easy_strerror(code));
    } else if (status >= 300 && !self->is_probe) {
        pin__http_read_message(&self->error_body, message);
    }
    struct pin_http_result result = {
        .fault = classify(code, message),
        .status = (int)status,
        .retry_after_ms =
            retry_after_s > 0 ? (int64_t)PIN_MIN(retry_after_s, RETRY_AFTER_MAX_S) * 1000 : -1,
        .message = message,
        .etag = has_etag ? etag->value : NULL,
        .type = type != NULL ? type : "",
        .text = pin_text_get(&self->error_body),
        .text_bytes = self->error_body.len,
        .peer = self->wants_peer ? &peer : NULL,
    };
    pin__http_count(self->outcomes, &result);
    if (self->wants_peer) {
        read_peer(self->easy, &peer);
    }
    self->on_done(self->arg, &result);
    free_transfer(self);
}

/* Carries out what callbacks asked for. */
static void sweep(struct pin_http *self)
{
    self->has_marks = false;
    struct pin_http_transfer *next = NULL;
    for (struct pin_http_transfer *at = self->transfers; at != NULL; at = next) {
        next = at->next;
        if (at->is_cancelled) {
            free_transfer(at);
        } else if (at->is_blind) {
            self->has_marks = true; /* the others later: whoever is called may free them */
            finish(at, CURLE_OUT_OF_MEMORY);
            return;
        } else if (at->wants_resume) {
            at->wants_resume = false;
            at->is_held = false;
            self->depth++;
            (void)curl_easy_pause(at->easy, CURLPAUSE_CONT);
            self->depth--;
        }
    }
}

/* After libcurl returned: marks first, then the ends of transfers. Ends may start new ones. */
static void settle(struct pin_http *self)
{
    if (self->depth > 0 || self->is_settling) {
        return;
    }
    self->is_settling = true;
    for (;;) {
        int n_left = 0;
        if (self->has_marks) {
            sweep(self);
            continue;
        }
        const CURLMsg *message = curl_multi_info_read(self->multi, &n_left);
        if (message == NULL) {
            break;
        }
        if (message->msg == CURLMSG_DONE) {
            struct pin_http_transfer *transfer = NULL;
            CURLcode code = message->data.result;
            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
            finish(transfer, code);
        }
    }
    self->is_settling = false;
}

static void act(struct pin_http *self, curl_socket_t fd, int mask)
{
    int n_running = 0;
    self->depth++;
    (void)curl_multi_socket_action(self->multi, fd, mask, &n_running);
    self->depth--;
    settle(self);
}

/* --- The loop's side ------------------------------------------------------------------------ */

static void on_fd(int fd, int what, void *arg)
{
    int mask = ((what & PIN_FD_READ) != 0 ? CURL_CSELECT_IN : 0)
               | ((what & PIN_FD_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    act(arg, fd, mask);
}

static void on_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct pin_http *self = arg;
    (void)multi;
    if (timeout_ms < 0) {
        pin_timer_stop(self->timer);
    } else {
        pin_timer_start(self->timer, timeout_ms, false);
    }
    return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct pin_http *self = arg;
    struct pin_fd *watch = socket_arg;
    if (what == CURL_POLL_REMOVE) {
        pin_fd_free(watch);
        (void)curl_multi_assign(self->multi, fd, NULL);
        return 0;
    }
    int wanted = ((what & CURL_POLL_IN) != 0 ? PIN_FD_READ : 0)
                 | ((what & CURL_POLL_OUT) != 0 ? PIN_FD_WRITE : 0);
    bool is_new = watch == NULL;
    if (is_new) {
        watch = pin_fd_new(self->loop, fd, wanted, on_fd, self);
        (void)curl_multi_assign(self->multi, fd, watch);
    }
    if (watch == NULL || (!is_new && !pin_fd_change(watch, wanted))) {
        struct pin_http_transfer *transfer = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        if (transfer != NULL) {
            transfer->is_blind = true;
            self->has_marks = true;
        }
    }
    return 0; /* always: at -1 libcurl gives up all transfers, now and later */
}

static size_t on_write(char *data, size_t size, size_t n, void *arg)
{
    struct pin_http_transfer *self = arg;
    size_t bytes = size * n;
    long status = 0;
    if (self->is_cancelled || self->is_probe) {
        return bytes + 1; /* any other number than `bytes` ends the transfer */
    }
    if (self->is_paused) {
        self->is_held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    (void)curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
        self->on_body(self->arg, data, bytes);
        return self->is_cancelled ? bytes + 1 : bytes;
    }
    size_t room = ERROR_BODY_BYTES_MAX - self->error_body.len;
    pin_text_putn(&self->error_body, data, bytes < room ? bytes : room);
    return bytes;
}

/* One line of a head, or a trailer. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct pin_http_transfer *self = arg;
    (void)data;
    self->header_bytes += size * n;
    return self->header_bytes > HEADER_BYTES_MAX ? 0 : size * n;
}

static int on_socket_made(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
    };
    (void)arg;
    (void)purpose;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        /* a system without one of them only notices a lost peer later */
        (void)setsockopt(
            fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
    }
    return CURL_SOCKOPT_OK;
}

/* --- Requests ------------------------------------------------------------------------------- */

/* First failure of curl_easy_setopt sticks. */
static void keep_code(CURLcode *all, CURLcode code)
{
    if (*all == CURLE_OK) {
        *all = code;
    }
}

static void add_header(
    struct pin_http_transfer *self, CURLcode *all, const char *name, const char *value)
{
    char *line = NULL;
    if (strpbrk(value, "\r\n") != NULL) {
        keep_code(all, CURLE_BAD_FUNCTION_ARGUMENT);
        return;
    }
    if (asprintf(&line, value[0] == '\0' ? "%s:%s" : "%s: %s", name, value) < 0) {
        keep_code(all, CURLE_OUT_OF_MEMORY);
        return;
    }
    struct curl_slist *more = curl_slist_append(self->headers, line);
    if (more == NULL) {
        keep_code(all, CURLE_OUT_OF_MEMORY);
    } else {
        self->headers = more;
    }
    explicit_bzero(line, strlen(line));
    free(line);
}

static const char *method_of(const struct pin_http_request *request)
{
    return request->method == NULL ? "GET" : request->method;
}

/* What is asked for other than a GET, and what is sent along. */
static CURLcode set_method(struct pin_http_transfer *self, const struct pin_http_request *request)
{
    CURLcode all = CURLE_OK;
    if (request->body != NULL) {
        curl_off_t bytes = (curl_off_t)request->body_bytes;
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE, bytes));
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_COPYPOSTFIELDS, request->body));
        add_header(self, &all, "Content-Type",
            request->body_type == NULL ? "application/json" : request->body_type);
        add_header(self, &all, "Expect", ""); /* an empty one: libcurl is not to ask first */
    }
    if (request->method != NULL) {
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_CUSTOMREQUEST, request->method));
    }
    return all;
}

static CURLcode set_headers(struct pin_http_transfer *self, const struct pin_http_request *request)
{
    CURLcode all = set_method(self, request);
    const struct pin_target *target = request->target;
    add_header(self, &all, "Accept", request->accept ? request->accept : "application/json");
    if (request->etag != NULL) {
        add_header(self, &all, "If-None-Match", request->etag);
    }
    if (request->host != NULL) {
        add_header(self, &all, "Host", request->host);
    }
    if (request->authorization != NULL) {
        add_header(self, &all, "Authorization", request->authorization);
    } else if (target->token != NULL) {
        char *value = NULL;
        if (asprintf(&value, "Bearer %s", target->token) < 0) {
            return CURLE_OUT_OF_MEMORY;
        }
        add_header(self, &all, "Authorization", value);
        explicit_bzero(value, strlen(value));
        free(value);
    } else if (target->username != NULL) {
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC));
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_USERNAME, target->username));
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_PASSWORD,
                            target->password ? target->password : ""));
    }
    for (size_t i = 0; i < request->n_headers; i++) {
        add_header(self, &all, request->headers[i].name, request->headers[i].value);
    }
    if (target->as_user != NULL) {
        add_header(self, &all, "Impersonate-User", target->as_user);
    }
    if (target->as_uid != NULL) {
        add_header(self, &all, "Impersonate-Uid", target->as_uid);
    }
    for (size_t i = 0; i < target->n_as_groups; i++) {
        add_header(self, &all, "Impersonate-Group", target->as_groups[i]);
    }
    keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers));
    return all;
}

static CURLcode set_blob(CURL *easy, CURLoption option, const struct pin_blob *blob)
{
    struct curl_blob copy = {blob->data, blob->bytes, CURL_BLOB_COPY};
    return blob->data == NULL ? CURLE_OK : curl_easy_setopt(easy, option, &copy);
}

static CURLcode set_tls(CURL *easy, const struct pin_target *target)
{
    CURLcode all = CURLE_OK;
    long verify = target->is_insecure ? 0 : 1;
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2));
    if (target->ca.data != NULL) { /* that one and no other: the system's must not count as well */
        keep_code(&all, curl_easy_setopt(easy, CURLOPT_CAINFO, NULL));
        keep_code(&all, curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
        keep_code(&all, set_blob(easy, CURLOPT_CAINFO_BLOB, &target->ca));
    }
    keep_code(&all, set_blob(easy, CURLOPT_SSLCERT_BLOB, &target->certificate));
    keep_code(&all, set_blob(easy, CURLOPT_SSLKEY_BLOB, &target->key));
    return all;
}

/* Proxies of the environment are not for the own machine, as in Kubernetes' own clients. */
static bool is_own_machine(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0
           || strcmp(host, "[::1]") == 0;
}

/* The parts of a target's URL; curl_free() each. */
struct url_parts {
    CURLU *url;
    char *host;
    char *port;
    char *path;
};

static bool split_url(const char *server, struct url_parts *parts)
{
    parts->url = curl_url();
    return parts->url != NULL && curl_url_set(parts->url, CURLUPART_URL, server, 0) == CURLUE_OK
           && curl_url_get(parts->url, CURLUPART_HOST, &parts->host, 0) == CURLUE_OK
           && curl_url_get(parts->url, CURLUPART_PORT, &parts->port, CURLU_DEFAULT_PORT)
                  == CURLUE_OK
           && curl_url_get(parts->url, CURLUPART_PATH, &parts->path, 0) == CURLUE_OK;
}

static void free_parts(struct url_parts *parts)
{
    curl_free(parts->host);
    curl_free(parts->port);
    curl_free(parts->path);
    curl_url_cleanup(parts->url);
}

/*
 * With tls-server-name the URL names that host, so that libcurl verifies it and sends it as SNI,
 * and CURLOPT_CONNECT_TO leads the connection to the real one.
 */
static CURLcode set_url(struct pin_http_transfer *self, const struct pin_target *target,
    const struct url_parts *parts, const char *path)
{
    char *url = NULL;
    char *detour = NULL;
    const char *prefix = strcmp(parts->path, "/") == 0 ? "" : parts->path;
    const char *name = target->server_name != NULL ? target->server_name : parts->host;
    const char *scheme = pin_target_is_tls(target) ? "https" : "http";
    if (asprintf(&url, "%s://%s:%s%s%s", scheme, name, parts->port, prefix, path) < 0) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLcode all = curl_easy_setopt(self->easy, CURLOPT_URL, url);
    free(url);
    if (target->server_name != NULL) {
        if (asprintf(&detour, "%s:%s:%s:%s", name, parts->port, parts->host, parts->port) < 0) {
            return CURLE_OUT_OF_MEMORY;
        }
        self->connect_to = curl_slist_append(NULL, detour);
        free(detour);
        keep_code(&all, self->connect_to == NULL ? CURLE_OUT_OF_MEMORY : CURLE_OK);
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_CONNECT_TO, self->connect_to));
    }
    if (target->proxy_url != NULL) {
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_PROXY, target->proxy_url));
    } else if (is_own_machine(parts->host)) {
        keep_code(&all, curl_easy_setopt(self->easy, CURLOPT_PROXY, ""));
    }
    return all;
}

static CURLcode set_transfer(struct pin_http_transfer *self, const struct pin_http_request *request)
{
    CURLcode all = CURLE_OK;
    CURL *easy = self->easy;
    long stall_s = (long)((request->stall_ms + 999) / 1000);
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_PRIVATE, self));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_USERAGENT, "pintle/" PIN_VERSION));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms));
    if (stall_s > 0) {
        keep_code(&all, curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L));
        keep_code(&all, curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall_s));
    }
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_HEADERDATA, self));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_WRITEDATA, self));
    return all;
}

/* What makes a probe: over what set_transfer() and set_url() said. */
static CURLcode set_probe(CURL *easy, const struct pin_http_request *request)
{
    CURLcode all = CURLE_OK;
    long version = !request->is_http2                   ? (long)CURL_HTTP_VERSION_1_1
                   : pin_target_is_tls(request->target) ? (long)CURL_HTTP_VERSION_2TLS
                                                        : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, PROBE_BUFFER_BYTES));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    /* nothing is verified, so the system's certificates need not be read each time */
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_CAINFO, NULL));
    keep_code(&all, curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
    return all;
}

static CURLcode set_up(struct pin_http_transfer *self, const struct pin_http_request *request)
{
    struct url_parts parts = {0};
    self->easy = curl_easy_init();
    CURLcode all = self->easy == NULL ? CURLE_OUT_OF_MEMORY : set_transfer(self, request);
    if (all == CURLE_OK) {
        all = split_url(request->target->server, &parts)
                  ? set_url(self, request->target, &parts, request->path)
                  : CURLE_URL_MALFORMAT;
    }
    free_parts(&parts);
    if (all == CURLE_OK) {
        all = set_tls(self->easy, request->target);
    }
    if (all == CURLE_OK && request->is_probe) {
        all = set_probe(self->easy, request);
    }
    if (all == CURLE_OK && request->wants_peer) {
        all = curl_easy_setopt(self->easy, CURLOPT_CERTINFO, 1L);
    }
    if (all == CURLE_OK && (request->wants_peer || request->is_once)) {
        /* of an old connection the certificate is not told again */
        all = curl_easy_setopt(self->easy, CURLOPT_FRESH_CONNECT, 1L);
    }
    return all == CURLE_OK ? set_headers(self, request) : all;
}

enum pin_err pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why)
{
    struct pin_http_transfer *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a request");
    }
    self->http = http;
    self->is_probe = request->is_probe;
    self->wants_peer = request->wants_peer;
    self->on_body = request->on_body;
    self->on_done = request->on_done;
    self->arg = request->arg;
    self->outcomes = request->outcomes;
    self->next = http->transfers;
    if (self->next != NULL) {
        self->next->prev = self;
    }
    http->transfers = self;
    CURLcode code = set_up(self, request);
    if (code == CURLE_OK && curl_multi_add_handle(http->multi, self->easy) != CURLM_OK) {
        code = CURLE_OUT_OF_MEMORY;
    }
    if (code != CURLE_OK) {
        free_transfer(self);
        return pin_why_set(why, code == CURLE_OUT_OF_MEMORY ? PIN_ENOMEM : PIN_EINVAL,
            "%s %s%s: %s", method_of(request), request->target->server, request->path,
            curl_easy_strerror(code));
    }
    *ret_transfer = self;
    return PIN_OK;
}

void pin_http_cancel(struct pin_http_transfer *transfer)
{
    if (transfer == NULL) {
        return;
    }
    if (transfer->http->depth > 0) {
        transfer->is_cancelled = true;
        transfer->http->has_marks = true;
        return;
    }
    free_transfer(transfer);
}

void pin_http_pause(struct pin_http_transfer *transfer)
{
    transfer->is_paused = true;
}

void pin_http_resume(struct pin_http_transfer *transfer)
{
    transfer->is_paused = false;
    if (transfer->is_held) {
        transfer->wants_resume = true;
        transfer->http->has_marks = true;
        settle(transfer->http);
    }
}

/* --- The engine ----------------------------------------------------------------------------- */

/* libcurl brings GnuTLS along, for protocols that are not asked for, which makes itself ready as
 * soon as it is loaded: 1 MiB. Where this says 1 that is left to gnutls_global_init(), which a
 * libcurl that does its TLS with GnuTLS calls. */
/* The name is GnuTLS's.
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl*,readability-identifier-naming) */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void)
{
    return 1;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl*,readability-identifier-naming) */

struct pin_http *pin_http_new(struct pin_loop *loop)
{
    struct pin_http *self = calloc(1, sizeof(*self));
    if (self == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(self);
        return NULL;
    }
    self->loop = loop;
    self->timer = pin_timer_new(loop, on_timer, self);
    self->multi = curl_multi_init();
    if (self->timer == NULL || self->multi == NULL) {
        pin_http_free(self);
        return NULL;
    }
    (void)curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    (void)curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    return self;
}

void pin_http_free(struct pin_http *http)
{
    if (http == NULL) {
        return;
    }
    struct pin_http_transfer *next = NULL;
    for (struct pin_http_transfer *at = http->transfers; at != NULL; at = next) {
        next = at->next;
        free_transfer(at);
    }
    if (http->multi != NULL) {
        (void)curl_multi_cleanup(http->multi);
    }
    pin_timer_free(http->timer);
    free(http);
    curl_global_cleanup();
}
