/* SPDX-License-Identifier: Apache-2.0 */

/* The HTTP door of admin: connections with limits, requests to pages, pages to responses. */

#include "resolver/admin.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/supervisor.h"

#include "resolver/admin_pages.h"
#include "resolver/admin_reply.h"
#include "resolver/admin_request.h"
#include "resolver/admin_stream.h"
#include "resolver/handover.h"
#include "resolver/tls.h"

#define JSON_TYPE         "application/json"
#define HEADERS_MAX_BYTES 8192
#define BODY_MAX_BYTES    65536
#define TIMEOUT_S         10
#define CONNECTIONS_MAX   64
#define SWEEP_MS          1000
/* At the limit the oldest idle connections make room, and the next look comes soon. */
#define EVICTED    8
#define EVICTED_MS 20
/* A client that reads its page slowly is cut off after this. */
#define REPLY_MAX_MS 60000
/* What the kernel keeps for a stream's reader: else megabytes before a slow one is noticed. */
#define STREAM_KERNEL_BYTES 65536

/* One connection, known through the bufferevent that evhttp uses for it. */
struct connection {
    struct pin_admin *admin;
    struct bufferevent *bev;
    int64_t since_ms; /* when it was opened, or when its last request was answered */
    bool is_busy;     /* a page is being made, or it is a stream */
    bool is_former;   /* what let it in may not count any more: ends when it is idle */
    bool was_answered;
    struct connection *next;
};

/* One request whose page is being made. */
struct request {
    struct pin_admin *admin;
    const struct pin_page_kind *kind;
    struct evhttp_request *http; /* NULL: the client went away */
    struct evkeyvalq args;
    struct pin_page page;
    bool is_outdated; /* the settings have changed while it waited for the builder */
    struct request *next;
};

/* One connection that events are sent to. */
struct watcher {
    struct pin_admin *admin;
    struct evhttp_request *http;
    struct bufferevent *bev;
    struct pin_stream *stream;
    struct watcher *next;
};

struct pin_admin {
    struct pin_admin_state state;
    struct pin_addrport address;
    struct evhttp *http;
    struct evconnlistener *listener; /* evhttp's */
    int fd;                          /* likewise */
    bool is_closed;                  /* another process accepts */
    struct pin_timer *sweeper;
    struct connection *connections;
    size_t n_connections;
    struct request *requests;
    struct pin_streams *streams;
    struct watcher *watchers;
    uint64_t n_cert_loads; /* of the admin side's certificate, and of who vouches for clients */
};

/* --- Connections --------------------------------------------------------------------------- */

/* evhttp takes its callbacks off a bufferevent when it frees it; ours keeps it alive until then. */
static bool is_closed(const struct connection *connection)
{
    bufferevent_data_cb on_read = NULL;
    bufferevent_data_cb on_write = NULL;
    bufferevent_event_cb on_event = NULL;
    bufferevent_getcb(connection->bev, &on_read, &on_write, &on_event, NULL);
    return on_read == NULL && on_write == NULL && on_event == NULL;
}

/* Takes the connection at *at out of the list and drops our reference, the last one of a closed
 * connection, and with it the descriptor. */
static void connection_free(struct pin_admin *admin, struct connection **at)
{
    struct connection *connection = *at;
    *at = connection->next;
    (void)bufferevent_decref(connection->bev);
    free(connection);
    admin->n_connections--;
}

/*
 * Forgets what was closed and ends what takes too long: evhttp's own timeouts start over with each
 * byte, these do not.
 */
static void sweep(struct pin_admin *admin)
{
    int64_t now_ms = pin_clock_mono_ms();
    struct connection **at = &admin->connections;
    while (*at != NULL) {
        struct connection *c = *at;
        if (is_closed(c)) {
            connection_free(admin, at);
            continue;
        }
        at = &c->next;
        bool is_sending = evbuffer_get_length(bufferevent_get_output(c->bev)) > 0;
        int64_t allowed_ms = is_sending ? REPLY_MAX_MS : TIMEOUT_S * 1000;
        if (!c->is_busy && (c->is_former || now_ms - c->since_ms > allowed_ms)) {
            /* The loop sees the end of the stream and evhttp cleans up. */
            (void)shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
        }
    }
    if (admin->n_connections < CONNECTIONS_MAX && !admin->is_closed) {
        (void)evconnlistener_enable(admin->listener);
    }
}

void pin_admin_revoke(struct pin_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    for (struct connection *c = admin->connections; c != NULL; c = c->next) {
        c->is_former = true;
    }
    for (const struct watcher *w = admin->watchers; w != NULL; w = w->next) {
        /* The loop sees the end of the stream and evhttp cleans up. */
        (void)shutdown(bufferevent_getfd(w->bev), SHUT_RDWR);
    }
}

/* Who was let in by a certificate comes again when those who vouch may have changed. */
static void look_at_certificate(struct pin_admin *admin)
{
    const struct pin_certs *certs = admin->state.config.certs;
    struct pin_cert_status status = {0};
    if (admin->state.config.tls == NULL
        || !pin_certs_status(certs, pin_certs_admin(certs), &status)) {
        return;
    }
    if (status.n_loads != admin->n_cert_loads) {
        admin->n_cert_loads = status.n_loads;
        pin_admin_revoke(admin);
    }
}

static void on_sweep(void *arg)
{
    struct pin_admin *admin = arg;
    look_at_certificate(admin);
    sweep(admin);
    pin_timer_start(admin->sweeper, SWEEP_MS, false);
}

/* Makes room among those that are not busy: streams stay for hours, and may be the oldest. The list
 * is in order of age, youngest first; of few the younger half stays. */
static void evict_oldest(struct pin_admin *admin)
{
    size_t n_idle = 0;
    for (const struct connection *c = admin->connections; c != NULL; c = c->next) {
        n_idle += c->is_busy ? 0 : 1;
    }
    size_t n_kept = n_idle - (n_idle / 2 < EVICTED ? n_idle / 2 : EVICTED);
    for (struct connection *c = admin->connections; c != NULL; c = c->next) {
        if (c->is_busy) {
            continue;
        }
        if (n_kept == 0) {
            (void)shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
        } else {
            n_kept--;
        }
    }
    pin_timer_start(admin->sweeper, EVICTED_MS, false);
}

static struct bufferevent *bufferevent_of(struct pin_admin *admin, struct event_base *base)
{
    struct pin_tls *tls = admin->state.config.tls;
    if (tls == NULL) {
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    struct ssl_st *ssl = pin_tls_raw(tls);
    if (ssl == NULL) {
        return NULL;
    }
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev != NULL) {
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* HTTP says itself where it ends */
    }
    return bev;
}

/*
 * evhttp asks for the bufferevent of a connection it accepted. A reference of our own tells later
 * whether it is still open, which evhttp does not; that is how connections are counted.
 */
static struct bufferevent *on_accepted(struct event_base *base, void *arg)
{
    struct pin_admin *admin = arg;
    struct connection *connection = calloc(1, sizeof(*connection));
    struct bufferevent *bev = bufferevent_of(admin, base);
    if (connection == NULL || bev == NULL) {
        free(connection);
        return bev; /* not counted; without one evhttp makes its own */
    }
    if (admin->n_connections + 1 >= CONNECTIONS_MAX) {
        sweep(admin);
    }
    bufferevent_incref(bev);
    *connection = (struct connection){
        .admin = admin, .bev = bev, .since_ms = pin_clock_mono_ms(), .next = admin->connections};
    admin->connections = connection;
    if (++admin->n_connections >= CONNECTIONS_MAX) {
        (void)evconnlistener_disable(admin->listener); /* the rest waits in the kernel */
        evict_oldest(admin);
    }
    return bev;
}

/*
 * Without descriptors a waiting client would wake us again and again: nothing is accepted until the
 * next sweep. `arg` is evhttp's.
 */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)arg;
    pin_log_warn("admin: cannot accept connections (%s), trying again in %d ms",
        strerrorname_np(errno), SWEEP_MS);
    (void)evconnlistener_disable(listener);
}

static struct connection *connection_of(struct pin_admin *admin, struct evhttp_request *http)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(http);
    struct bufferevent *bev = evcon == NULL ? NULL : evhttp_connection_get_bufferevent(evcon);
    struct connection *connection = admin->connections;
    while (connection != NULL && connection->bev != bev) {
        connection = connection->next;
    }
    return connection;
}

/* --- Requests ------------------------------------------------------------------------------ */

static void request_dispose(struct request *request)
{
    evhttp_clear_headers(&request->args);
    pin_page_done(&request->page);
    free(request);
}

/* Takes it out of the list and frees it. */
static void request_free(struct request *request)
{
    struct request **at = &request->admin->requests;
    while (*at != request && *at != NULL) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = request->next;
    }
    request_dispose(request);
}

static struct request *request_new(struct pin_admin *admin, struct evhttp_request *http)
{
    struct request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        return NULL;
    }
    request->admin = admin;
    request->http = http;
    TAILQ_INIT(&request->args);
    request->page = (struct pin_page){.state = &admin->state,
        .settings = admin->state.config.settings,
        .status = 200,
        .content_type = JSON_TYPE,
        .findings = {.is_due = pin_admin_findings_is_due(admin->state.findings)}};
    request->next = admin->requests;
    admin->requests = request;
    return request;
}

static void on_client_gone(struct evhttp_connection *evcon, void *arg)
{
    (void)evcon;
    struct request *request = arg;
    request->http = NULL;
}

/* Answers, if somebody still listens, and forgets the request. */
static void finish(struct request *request)
{
    if (request->http != NULL) {
        struct evhttp_connection *evcon = evhttp_request_get_connection(request->http);
        struct connection *connection = connection_of(request->admin, request->http);
        if (connection != NULL) {
            connection->is_busy = false;
            connection->was_answered = true;
            connection->since_ms = pin_clock_mono_ms();
        }
        if (evcon != NULL) {
            evhttp_connection_set_closecb(evcon, NULL, NULL);
        }
        pin_admin_reply(request->http, &request->page);
    }
    request_free(request);
}

static void on_collected(void *arg);

/* Builder's thread. */
static void collect(struct pin_catalog *catalog, void *arg)
{
    struct request *request = arg;
    request->is_outdated = pin_catalog_settings(catalog) != request->page.settings;
    if (!request->is_outdated) {
        request->kind->collect(catalog, &request->page);
    }
}

/* The settings have changed since the request came. What it said was read by the old ones. */
static void ask_again(struct request *request)
{
    const struct pin_admin_config *config = &request->admin->state.config;
    request->page.settings = config->settings;
    if (request->kind->check != NULL) {
        pin_page_error(&request->page, 503, "the configuration has just changed, ask again");
        finish(request);
    } else if (!pin_builder_call(config->builder, collect, on_collected, request)) {
        pin_page_error(&request->page, 503, "busy, ask again");
        finish(request);
    }
}

/* Control's thread, after collect. */
static void on_collected(void *arg)
{
    struct request *request = arg;
    if (request->is_outdated) {
        ask_again(request);
        return;
    }
    if (request->kind->render != NULL) {
        request->kind->render(&request->page);
    }
    finish(request);
}

/* Whether the request comes from this machine. */
static bool is_local(struct evhttp_request *http)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr *peer = (struct sockaddr *)(void *)&storage;
    socklen_t bytes = sizeof(storage);
    struct evhttp_connection *evcon = evhttp_request_get_connection(http);
    struct bufferevent *bev = evcon == NULL ? NULL : evhttp_connection_get_bufferevent(evcon);
    if (bev == NULL || getpeername(bufferevent_getfd(bev), peer, &bytes) != 0) {
        return false;
    }
    struct pin_ip ip = pin_ip_from_sockaddr(peer);
    return pin_ip_is_loopback(&ip);
}

/* The TLS session of a request, or NULL. */
static const struct ssl_st *session_of(struct evhttp_request *http)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(http);
    struct bufferevent *bev = evcon == NULL ? NULL : evhttp_connection_get_bufferevent(evcon);
    return bev == NULL ? NULL : bufferevent_openssl_get_ssl(bev);
}

/* Browsers say so since 2020 (W3C's Fetch Metadata). A link that somebody follows is no such. */
static bool is_foreign(struct evkeyvalq *headers)
{
    const char *site = evhttp_find_header(headers, "Sec-Fetch-Site");
    const char *mode = evhttp_find_header(headers, "Sec-Fetch-Mode");
    return site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0
           && (mode == NULL || strcmp(mode, "navigate") != 0);
}

/*
 * A web page that somebody looks at on this machine is not meant to change anything: browsers send
 * Origin with what is no GET, and cannot send JSON elsewhere without asking first.
 */
static bool is_allowed(
    struct evhttp_request *http, struct pin_page *page, const char *path, enum pin_page_verb verb)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(http);
    const char *type = evhttp_find_header(headers, "Content-Type");
    const char *why = NULL;
    const struct ssl_st *session = session_of(http);
    const struct pin_admin_caller caller = {
        .is_local = is_local(http),
        .has_certificate = session != NULL && pin_tls_raw_is_known(session),
        .authorization = evhttp_find_header(headers, "Authorization"),
        .host = evhttp_find_header(headers, "Host"),
        .origin = evhttp_find_header(headers, "Origin"),
        .is_foreign = is_foreign(headers),
    };
    int status =
        pin_admin_judge(page->state->config.access, &caller, path, verb != PIN_PAGE_GET, &why);
    if (status != 200) {
        pin_page_error(page, status, "%s", why);
        return false;
    }
    if (page->state->config.tls != NULL && session == NULL) { /* evhttp made the connection */
        pin_page_error(page, 503, "no memory for TLS, come back later");
        return false;
    }
    if (verb == PIN_PAGE_POST
        && (type == NULL || strncasecmp(type, JSON_TYPE, strlen(JSON_TYPE)) != 0)) {
        pin_page_error(page, 400, "want Content-Type: " JSON_TYPE);
        return false;
    }
    return true;
}

/* Looks at the request on this thread; false: the page is done, it is an error. */
static bool check(struct request *request, struct evhttp_request *http, const char *path)
{
    enum pin_page_verb verb = PIN_PAGE_GET;
    bool is_known = pin_admin_verb(http, &verb);
    request->kind = pin_page_find(path, verb);
    if (pin_page_find(path, PIN_PAGE_GET) == NULL) {
        pin_page_error(&request->page, 404, "no such page, see /api");
        return false;
    }
    if (request->admin->state.config.is_bare
        && !pin_page_is_bare(pin_page_find(path, PIN_PAGE_GET))) {
        pin_page_error(
            &request->page, 404, "this address has health and metrics: /livez /readyz /metrics");
        return false;
    }
    if (!is_known || request->kind == NULL) {
        pin_page_error(&request->page, 405, "only GET and HEAD");
        return false;
    }
    request->page.path = path;
    if (!is_allowed(http, &request->page, path, verb)) {
        return false;
    }
    pin_admin_read(http, &request->args, &request->page);
    return request->kind->check == NULL || request->kind->check(&request->page);
}

/* --- Streams ------------------------------------------------------------------------------- */

static void watcher_free(struct watcher *watcher)
{
    struct watcher **at = &watcher->admin->watchers;
    while (*at != watcher) {
        at = &(*at)->next;
    }
    *at = watcher->next;
    pin_stream_close(watcher->stream);
    free(watcher);
}

/* evhttp takes a request whose client is gone off its connection, and leaves it to us. */
static void on_watcher_gone(struct evhttp_connection *evcon, void *arg)
{
    struct watcher *watcher = arg;
    (void)evcon;
    if (evhttp_request_get_connection(watcher->http) == NULL) {
        evhttp_request_free(watcher->http);
    }
    watcher_free(watcher);
}

static bool send_event(void *peer, const char *data, size_t bytes)
{
    const struct watcher *watcher = peer;
    struct evbuffer *chunk = evbuffer_new();
    size_t n_unread = evbuffer_get_length(bufferevent_get_output(watcher->bev));
    bool is_sent =
        chunk != NULL && n_unread <= PIN_STREAM_UNREAD_MAX && evbuffer_add(chunk, data, bytes) == 0;
    if (is_sent) {
        evhttp_send_reply_chunk(watcher->http, chunk);
    } else {
        /* The loop sees the end of the stream and evhttp cleans up. */
        (void)shutdown(bufferevent_getfd(watcher->bev), SHUT_RDWR);
    }
    if (chunk != NULL) {
        evbuffer_free(chunk);
    }
    return is_sent;
}

/* The connection stays open until its client goes. Takes the request, unless it fails. */
static bool start_stream(struct request *request)
{
    static const struct timeval write_timeout = {.tv_sec = REPLY_MAX_MS / 1000};
    static const int kernel_bytes = STREAM_KERNEL_BYTES;
    struct pin_admin *admin = request->admin;
    struct evhttp_connection *evcon = evhttp_request_get_connection(request->http);
    struct evkeyvalq *out = evhttp_request_get_output_headers(request->http);
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (watcher == NULL) {
        return false;
    }
    *watcher = (struct watcher){.admin = admin,
        .http = request->http,
        .bev = evhttp_connection_get_bufferevent(evcon),
        .stream = pin_stream_open(admin->streams, &request->page.stream_want, watcher),
        .next = admin->watchers};
    if (watcher->stream == NULL) {
        free(watcher);
        return false;
    }
    admin->watchers = watcher;
    (void)evhttp_add_header(out, "Content-Type", request->page.content_type);
    pin_admin_put_headers(out, &request->page);
    (void)setsockopt(bufferevent_getfd(watcher->bev), SOL_SOCKET, SO_SNDBUF, &kernel_bytes,
        sizeof(kernel_bytes));
    (void)bufferevent_set_timeouts(watcher->bev, NULL, &write_timeout);
    bufferevent_setwatermark(watcher->bev, EV_READ, 0, HEADERS_MAX_BYTES);
    evhttp_connection_set_closecb(evcon, on_watcher_gone, watcher);
    evhttp_send_reply_start(request->http, 200, "OK");
    request_free(request);
    return true;
}

static void answer_stream(struct request *request)
{
    bool is_head = evhttp_request_get_command(request->http) == EVHTTP_REQ_HEAD;
    if (!is_head && start_stream(request)) {
        return;
    }
    if (!is_head) {
        pin_page_error(
            &request->page, 503, "%u streams are open, come back later", (unsigned)PIN_STREAM_MAX);
    }
    finish(request);
}

/* --- Requests come --------------------------------------------------------------------------- */

static void on_request(struct evhttp_request *http, void *arg)
{
    struct pin_admin *admin = arg;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    struct request *request = request_new(admin, http);
    struct connection *connection = connection_of(admin, http);

    if (request == NULL) {
        evhttp_send_error(http, HTTP_SERVUNAVAIL, NULL);
        return;
    }
    if (connection != NULL) {
        connection->is_busy = true;
    }
    if (!check(request, http, path == NULL || path[0] == '\0' ? "/" : path)) {
        finish(request);
        return;
    }
    if (strcmp(request->kind->path, PIN_STREAM_PATH) == 0) {
        answer_stream(request);
        return;
    }
    if (request->kind->collect == NULL) {
        on_collected(request);
        return;
    }
    evhttp_connection_set_closecb(evhttp_request_get_connection(http), on_client_gone, request);
    if (!pin_builder_call(admin->state.config.builder, collect, on_collected, request)) {
        pin_page_error(&request->page, 503, "busy, ask again");
        finish(request);
    }
}

/* --- Life ---------------------------------------------------------------------------------- */

static struct pin_addrport real_address(struct evhttp_bound_socket *bound)
{
    struct sockaddr_storage storage = {0};
    socklen_t bytes = sizeof(storage);
    (void)getsockname(
        evhttp_bound_socket_get_fd(bound), (struct sockaddr *)(void *)&storage, &bytes);
    return pin_addrport_from_sockaddr((const struct sockaddr *)(const void *)&storage);
}

static enum pin_err bind_address(struct pin_admin *admin, struct pin_why *why)
{
    const struct pin_addrport *address = &admin->state.config.address;
    const char *name = admin->state.config.is_bare ? "metrics" : "admin";
    char ip[PIN_IP_TEXT_MAX];
    char text[PIN_ADDRPORT_TEXT_MAX];

    struct evhttp_bound_socket *bound = NULL;
    int fd = pin_handover_find(admin->state.config.handover, address, SOCK_STREAM);
    bool is_open = fd >= 0; /* the process before listens on it */
    if (!is_open) {
        fd = pin_supervisor_take(admin->state.config.supervisor, address, SOCK_STREAM);
    }
    errno = 0;
    if (fd < 0) {
        bound = evhttp_bind_socket_with_handle(
            admin->http, pin_ip_format(&address->ip, ip), address->port);
    } else if (is_open || (evutil_make_socket_nonblocking(fd) == 0 && listen(fd, SOMAXCONN) == 0)) {
        bound = evhttp_accept_socket_with_handle(admin->http, fd);
    }
    if (bound == NULL) {
        int error = errno;
        (void)pin_addrport_format(address, text);
        if (error == EADDRINUSE) {
            return pin_why_set(why, PIN_EBUSY,
                "%s %s: the port is in use, perhaps by another pintled; choose one with %s", name,
                text, admin->state.config.is_bare ? "metrics.address" : "--admin ADDR:PORT");
        }
        return pin_why_errno(why, error, "%s %s: cannot listen", name, text);
    }
    admin->listener = evhttp_bound_socket_get_listener(bound);
    admin->fd = evhttp_bound_socket_get_fd(bound);
    /* Accepted connections inherit it: a long reply is several writes, each of which would wait
     * until the client acknowledges the one before. */
    (void)setsockopt(admin->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (admin->state.config.is_held) {
        pin_admin_retire(admin);
    }
    evconnlistener_set_error_cb(admin->listener, on_accept_error);
    admin->address = real_address(bound);
    return PIN_OK;
}

enum pin_err pin_admin_start(
    const struct pin_admin_config *config, struct pin_admin **ret_admin, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    struct pin_admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "admin");
    }
    admin->state = (struct pin_admin_state){.config = *config,
        .started_mono_ms = pin_clock_mono_ms(),
        .started_wall_ms = pin_clock_wall_ms(),
        .findings = pin_admin_findings_new()};
    admin->state.assets = pin_assets_new();
    admin->streams = pin_streams_new(&admin->state, send_event);
    admin->http = evhttp_new(pin_loop_raw(config->loop));
    admin->sweeper = pin_timer_new(config->loop, on_sweep, admin);
    admin->state.log = pin_admin_log_new(config->loop);
    if (admin->http == NULL || admin->sweeper == NULL || admin->state.findings == NULL
        || admin->state.log == NULL || admin->state.assets == NULL || admin->streams == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "admin");
        goto out;
    }
    evhttp_set_max_headers_size(admin->http, HEADERS_MAX_BYTES);
    evhttp_set_max_body_size(admin->http, BODY_MAX_BYTES);
    evhttp_set_timeout(admin->http, TIMEOUT_S);
    evhttp_set_allowed_methods(admin->http,
        EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE
            | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH);
    evhttp_set_gencb(admin->http, on_request, admin);
    evhttp_set_bevcb(admin->http, on_accepted, admin);
    err = bind_address(admin, why);
    if (err != PIN_OK) {
        goto out;
    }
    look_at_certificate(admin);
    pin_timer_start(admin->sweeper, SWEEP_MS, false);
    *ret_admin = admin;
    admin = NULL;
out:
    pin_admin_stop(admin);
    return err;
}

void pin_admin_stop(struct pin_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    pin_timer_free(admin->sweeper);
    pin_admin_log_free(admin->state.log);
    for (struct request *request = admin->requests; request != NULL; request = request->next) {
        struct evhttp_connection *evcon =
            request->http == NULL ? NULL : evhttp_request_get_connection(request->http);
        if (evcon != NULL) {
            evhttp_connection_set_closecb(evcon, NULL, NULL);
        }
    }
    for (const struct watcher *w = admin->watchers; w != NULL; w = w->next) {
        evhttp_connection_set_closecb(evhttp_request_get_connection(w->http), NULL, NULL);
    }
    if (admin->http != NULL) {
        evhttp_free(admin->http); /* closes all connections */
    }
    while (admin->connections != NULL) {
        connection_free(admin, &admin->connections);
    }
    for (struct request *request = admin->requests, *next = NULL; request != NULL; request = next) {
        next = request->next;
        request_dispose(request);
    }
    pin_admin_findings_free(admin->state.findings);
    pin_streams_free(admin->streams);
    for (struct watcher *w = admin->watchers, *next = NULL; w != NULL; w = next) {
        next = w->next;
        free(w);
    }
    pin_assets_free(admin->state.assets);
    free(admin);
}

void pin_admin_go(struct pin_admin *admin)
{
    if (admin != NULL) {
        admin->is_closed = false;
        (void)evconnlistener_enable(admin->listener);
    }
}

void pin_admin_retire(struct pin_admin *admin)
{
    if (admin != NULL) {
        admin->is_closed = true;
        (void)evconnlistener_disable(admin->listener);
    }
}

static bool is_watched(const struct pin_admin *admin, const struct connection *connection)
{
    const struct watcher *watcher = admin->watchers;
    while (watcher != NULL && watcher->bev != connection->bev) {
        watcher = watcher->next;
    }
    return watcher != NULL;
}

bool pin_admin_is_busy(struct pin_admin *admin)
{
    if (admin == NULL) {
        return false;
    }
    sweep(admin);
    bool is_busy = false;
    for (const struct connection *c = admin->connections; c != NULL && !is_busy; c = c->next) {
        bool is_sending = evbuffer_get_length(bufferevent_get_output(c->bev)) > 0;
        is_busy = (c->is_busy || is_sending || !c->was_answered) && !is_watched(admin, c);
    }
    return is_busy;
}

int pin_admin_fd(const struct pin_admin *admin)
{
    return admin->fd;
}

void pin_admin_follow(
    struct pin_admin *admin, const struct pin_settings *settings, struct pin_forward *forward)
{
    if (admin != NULL) {
        admin->state.config.forward = forward;
        admin->state.config.settings = settings;
    }
}

void pin_admin_drain(struct pin_admin *admin)
{
    if (admin != NULL) {
        admin->state.is_draining = true;
    }
}

struct pin_addrport pin_admin_address(const struct pin_admin *admin)
{
    return admin->address;
}
