/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls to etcd. A call waits until the loop comes round, and for a token where one is needed; so
 * nothing is called back from within pin_etcd_start().
 */

#include "etcd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/json.h"
#include "pintle/base/loop.h"
#include "pintle/base/rand.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "etcd_text.h"
#include "http.h"
#include "items.h"
#include "target.h"

#define ANSWER_BYTES_MAX   ((size_t)64 << 20)
#define LINE_BYTES_MAX     ((size_t)64 << 20)
#define TOKEN_TIMEOUT_MS   5000
#define TOKEN_ARENA_BYTES  ((size_t)1 << 20)
#define PASSWORD_BYTES_MAX ((size_t)64 << 10)
#define FILES_EVERY_MS     30000 /* CA, certificate and key are looked at again */

struct pin_etcd_call {
    struct pin_etcd *etcd;
    struct pin_etcd_call *prev;
    struct pin_etcd_call *next;
    struct pin_http_transfer *transfer; /* NULL while it waits. */
    struct pin_text body;
    struct pin_text answer;
    struct pin_lines lines;
    struct pin_etcd_request request; /* its body is `body` */
    char *path;
    size_t endpoint; /* that it was sent to */
    bool is_paused;
    bool is_too_long;
    bool is_feeding; /* lines are being given out */
    bool is_dead;    /* cancelled meanwhile: freed afterwards */
    bool is_second;  /* it was sent once with a token that did not count any more */
};

struct pin_etcd {
    struct pin_loop *loop;
    struct pin_http *http;
    struct pin_target **targets;
    size_t n_targets;
    size_t present;
    char *prefix;
    char *user; /* NULL: no authentication */
    char *password_file;
    char *token; /* NULL: none yet */
    int64_t files_read_ms;
    struct pin_timer *pump; /* starts what waits */
    struct pin_http_transfer *login;
    struct pin_text login_answer;
    struct pin_etcd_call *calls;
};

/* --- Calls ----------------------------------------------------------------------------------- */

static void free_secret(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static void free_call(struct pin_etcd *self, struct pin_etcd_call *call)
{
    if (self->calls == call) {
        self->calls = call->next;
    } else {
        call->prev->next = call->next;
    }
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    pin_text_done(&call->body);
    pin_text_done(&call->answer);
    pin_lines_done(&call->lines);
    free(call->path);
    free(call);
}

/* The end of a call: it is gone before its owner hears of it, who may start others. */
static void end_call(struct pin_etcd *self, struct pin_etcd_call *call, struct pin_etcd_reply reply)
{
    void (*on_done)(void *arg, const struct pin_etcd_reply *reply) = call->request.on_done;
    void *arg = call->request.arg;
    struct pin_text answer = call->answer;
    call->answer = (struct pin_text){0};
    free_call(self, call);
    if (reply.fault == PIN_ETCD_NONE) {
        reply.text = pin_text_get(&answer);
        reply.bytes = answer.len;
    }
    on_done(arg, &reply);
    pin_text_done(&answer);
}

/* The first call that waits to be sent. */
static struct pin_etcd_call *first_waiting(const struct pin_etcd *self)
{
    struct pin_etcd_call *call = self->calls;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): free_call() has taken it out of the list */
    while (call != NULL && (call->transfer != NULL || call->is_dead)) {
        call = call->next;
    }
    return call;
}

/* What a status and its message mean; etcd's codes are many, its words are what tells. */
static enum pin_etcd_fault classify(const struct pin_http_result *result)
{
    static const struct {
        const char *words;
        enum pin_etcd_fault fault;
    } known[] = {
        {"invalid auth token", PIN_ETCD_TOKEN},
        {"revision of auth store is old", PIN_ETCD_TOKEN},
        {"has been compacted", PIN_ETCD_COMPACTED},
        {"request is too large", PIN_ETCD_TOO_LARGE},
        {"message larger than max", PIN_ETCD_TOO_LARGE},
        {"too many operations", PIN_ETCD_TOO_LARGE},
        {"no leader", PIN_ETCD_UNREACHABLE},
    };
    if (result->fault != PIN_HTTP_NONE) {
        return PIN_ETCD_UNREACHABLE;
    }
    if (result->status == 200) {
        return PIN_ETCD_NONE;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strstr(result->message, known[i].words) != NULL) {
            return known[i].fault;
        }
    }
    switch (result->status) {
    case 401:
        return PIN_ETCD_TOKEN;
    case 400:
    case 403:
        return PIN_ETCD_DENIED; /* "user name is empty", "permission denied" */
    default:
        return result->status >= 500 ? PIN_ETCD_UNREACHABLE : PIN_ETCD_OTHER;
    }
}

static void leave(struct pin_etcd *self, size_t endpoint)
{
    if (endpoint == self->present) {
        self->present = (self->present + 1) % self->n_targets;
    }
}

static void forget_token(struct pin_etcd *self)
{
    free_secret(self->token);
    self->token = NULL;
}

static void on_body(void *arg, const char *data, size_t bytes)
{
    struct pin_etcd_call *call = arg;
    if (call->request.on_line != NULL) {
        call->is_feeding = true;
        call->is_too_long =
            pin_lines_feed(&call->lines, data, bytes, NULL) != PIN_OK || call->is_too_long;
        call->is_feeding = false;
        if (call->is_dead) {
            free_call(call->etcd, call);
        }
    } else if (call->answer.len + bytes <= ANSWER_BYTES_MAX) {
        pin_text_putn(&call->answer, data, bytes);
    } else {
        call->is_too_long = true;
    }
}

static void on_line(void *arg, const char *text, size_t bytes)
{
    struct pin_etcd_call *call = arg;
    if (!call->is_dead) {
        call->request.on_line(call->request.arg, text, bytes);
    }
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct pin_etcd_call *call = arg;
    struct pin_etcd *self = call->etcd;
    struct pin_etcd_reply reply = {.fault = classify(result), .message = result->message};
    if (reply.fault == PIN_ETCD_UNREACHABLE) {
        leave(self, call->endpoint);
    } else if (reply.fault == PIN_ETCD_TOKEN) {
        forget_token(self);
        if (!call->is_second && self->user != NULL) {
            call->is_second = true;
            call->transfer = NULL;
            pin_timer_start(self->pump, 0, false);
            return; /* nothing of it was done: it waits for another token */
        }
    } else if (reply.fault == PIN_ETCD_NONE && (call->is_too_long || call->answer.failed)) {
        reply.fault = PIN_ETCD_TOO_LARGE;
        reply.message = "the answer is too long";
    }
    end_call(self, call, reply);
}

/* --- Tokens ---------------------------------------------------------------------------------- */

/* The token, from an answer to a login. NULL: there is none. */
static char *read_token(const struct pin_text *answer)
{
    struct pin_arena *arena = pin_arena_new("etcd token", TOKEN_ARENA_BYTES);
    struct pin_tree *tree = NULL;
    char *token = NULL;
    if (arena != NULL
        && pin_json_parse(pin_text_get(answer), answer->len, arena, &tree, NULL) == PIN_OK) {
        const char *text = pin_tree_string(tree, "token", NULL);
        token = text != NULL && strpbrk(text, "\r\n") == NULL ? strdup(text) : NULL;
    }
    pin_arena_free(arena);
    return token;
}

/* Ends all calls that wait. Their owners may start others, which wait for the pump. */
static void end_waiting(struct pin_etcd *self, enum pin_etcd_fault fault, const char *message)
{
    for (;;) {
        struct pin_etcd_call *call = first_waiting(self);
        if (call == NULL || pin_timer_is_running(self->pump)) {
            break;
        }
        end_call(self, call, (struct pin_etcd_reply){.fault = fault, .message = message});
    }
}

static void on_login_body(void *arg, const char *data, size_t bytes)
{
    struct pin_etcd *self = arg;
    if (self->login_answer.len + bytes <= PASSWORD_BYTES_MAX) {
        pin_text_putn(&self->login_answer, data, bytes);
    }
}

static void on_login_done(void *arg, const struct pin_http_result *result)
{
    struct pin_etcd *self = arg;
    enum pin_etcd_fault fault = classify(result);
    self->login = NULL;
    forget_token(self);
    if (fault == PIN_ETCD_NONE) {
        self->token = read_token(&self->login_answer);
        fault = self->token != NULL ? PIN_ETCD_NONE : PIN_ETCD_OTHER;
    }
    if (self->login_answer.ptr != NULL) {
        explicit_bzero(self->login_answer.ptr, self->login_answer.len);
    }
    pin_text_done(&self->login_answer);
    if (fault == PIN_ETCD_NONE) {
        pin_timer_start(self->pump, 0, false);
    } else if (fault == PIN_ETCD_UNREACHABLE) {
        leave(self, self->present);
        end_waiting(self, fault, result->message);
    } else {
        end_waiting(self, PIN_ETCD_DENIED,
            result->message[0] != '\0' ? result->message : "it gave no token");
    }
}

/* {"name":...,"password":...} with what the file says now, without the line's end. */
static enum pin_err put_login(
    const struct pin_etcd *self, struct pin_text *body, struct pin_why *why)
{
    char *password = NULL;
    size_t bytes = 0;
    enum pin_err err = self->password_file == NULL ? PIN_OK
                                                   : pin_file_read_now(self->password_file,
                                                       PASSWORD_BYTES_MAX, &password, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    size_t used = password != NULL ? strcspn(password, "\r\n") : 0;
    pin_text_puts(body, "{\"name\":");
    pin_text_put_json_string(body, self->user, strlen(self->user));
    pin_text_puts(body, ",\"password\":");
    pin_text_put_json_string(body, password != NULL ? password : "", used);
    pin_text_puts(body, "}");
    if (password != NULL) {
        explicit_bzero(password, bytes);
        free(password);
    }
    return body->failed ? pin_why_set(why, PIN_ENOMEM, "no memory for a login") : PIN_OK;
}

static void log_in(struct pin_etcd *self)
{
    struct pin_text body = {0};
    struct pin_why why = {0};
    enum pin_err err = put_login(self, &body, &why);
    if (err == PIN_OK) {
        struct pin_http_request request = {.target = self->targets[self->present],
            .method = "POST",
            .path = "/v3/auth/authenticate",
            .body = body.ptr,
            .body_bytes = body.len,
            .timeout_ms = TOKEN_TIMEOUT_MS,
            .on_body = on_login_body,
            .on_done = on_login_done,
            .arg = self};
        err = pin_http_start(self->http, &request, &self->login, &why);
    }
    if (body.ptr != NULL) {
        explicit_bzero(body.ptr, body.cap);
    }
    pin_text_done(&body);
    if (err != PIN_OK) {
        end_waiting(self, PIN_ETCD_DENIED, why.text);
    }
}

/* --- Sending --------------------------------------------------------------------------------- */

/* CA, certificate and key, read again now and then. What cannot be read stays as it was; without
 * any of it there is no safe way to send anything. */
static enum pin_err read_files(struct pin_etcd *self, struct pin_why *why)
{
    int64_t now_ms = pin_clock_mono_ms();
    bool is_first = self->files_read_ms == 0;
    if (!is_first && now_ms - self->files_read_ms < FILES_EVERY_MS) {
        return PIN_OK;
    }
    for (size_t i = 0; i < self->n_targets; i++) {
        enum pin_target_change change = PIN_TARGET_SAME;
        enum pin_err err = pin_target_refresh(self->targets[i], &change, why);
        if (err != PIN_OK && is_first) {
            return err;
        }
    }
    self->files_read_ms = now_ms;
    return PIN_OK;
}

static void send_call(struct pin_etcd_call *call)
{
    struct pin_etcd *self = call->etcd;
    struct pin_why why = {0};
    struct pin_http_request request = {.target = self->targets[self->present],
        .method = "POST",
        .path = call->path,
        .body = pin_text_get(&call->body),
        .body_bytes = call->body.len,
        .authorization = self->token,
        .timeout_ms = call->request.timeout_ms,
        .on_body = on_body,
        .on_done = on_done,
        .arg = call};
    call->endpoint = self->present;
    enum pin_err err = pin_http_start(self->http, &request, &call->transfer, &why);
    if (err != PIN_OK) {
        leave(self, call->endpoint);
        end_call(self, call, (struct pin_etcd_reply){.fault = PIN_ETCD_OTHER, .message = why.text});
    } else if (call->is_paused) {
        pin_http_pause(call->transfer);
    }
}

static void on_pump(void *arg)
{
    struct pin_etcd *self = arg;
    struct pin_why why = {0};
    if (self->login != NULL || self->calls == NULL) {
        return;
    }
    if (read_files(self, &why) != PIN_OK) {
        end_waiting(self, PIN_ETCD_OTHER, why.text);
        return;
    }
    if (self->user != NULL && self->token == NULL) {
        log_in(self);
        return;
    }
    for (;;) {
        struct pin_etcd_call *call = first_waiting(self);
        if (call == NULL || pin_timer_is_running(self->pump)) {
            break; /* what was started meanwhile has its own turn */
        }
        send_call(call);
    }
}

struct pin_etcd_call *pin_etcd_start(struct pin_etcd *etcd, const struct pin_etcd_request *request)
{
    struct pin_etcd_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return NULL;
    }
    call->etcd = etcd;
    call->request = *request;
    call->path = strdup(request->path);
    pin_text_putn(&call->body, request->body, request->body_bytes);
    pin_lines_init(&call->lines, LINE_BYTES_MAX, on_line, call);
    call->next = etcd->calls;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    etcd->calls = call;
    if (call->path == NULL || call->body.failed) {
        free_call(etcd, call);
        return NULL;
    }
    pin_timer_start(etcd->pump, 0, false);
    return call;
}

static void cancel(struct pin_etcd *self, struct pin_etcd_call *call)
{
    pin_http_cancel(call->transfer);
    call->transfer = NULL;
    call->is_dead = true;
    if (!call->is_feeding) {
        free_call(self, call);
    }
}

void pin_etcd_cancel(struct pin_etcd_call *call)
{
    if (call != NULL) {
        cancel(call->etcd, call);
    }
}

void pin_etcd_pause(struct pin_etcd_call *call)
{
    call->is_paused = true;
    if (call->transfer != NULL) {
        pin_http_pause(call->transfer);
    }
}

void pin_etcd_resume(struct pin_etcd_call *call)
{
    call->is_paused = false;
    if (call->transfer != NULL) {
        pin_http_resume(call->transfer);
    }
}

/* --- Life ------------------------------------------------------------------------------------ */

void pin_etcd_leave(struct pin_etcd *etcd)
{
    leave(etcd, etcd->present);
}

void pin_etcd_forget_token(struct pin_etcd *etcd)
{
    forget_token(etcd);
}

const char *pin_etcd_endpoint(const struct pin_etcd *etcd)
{
    return etcd->targets[etcd->present]->server;
}

size_t pin_etcd_n_endpoints(const struct pin_etcd *etcd)
{
    return etcd->n_targets;
}

const char *pin_etcd_prefix(const struct pin_etcd *etcd)
{
    return etcd->prefix;
}

/* Copies a text that may be NULL. */
static bool copy_text(const char *text, char **ret)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

/* "host:2379" is a plain one. */
static struct pin_target *target_new(const char *endpoint, const struct pin_etcd_spec *spec)
{
    struct pin_target *target = calloc(1, sizeof(*target));
    bool has_scheme = strstr(endpoint, "://") != NULL;
    if (target == NULL) {
        return NULL;
    }
    if (asprintf(&target->server, "%s%s", has_scheme ? "" : "http://", endpoint) < 0) {
        target->server = NULL;
    }
    bool is_ok = target->server != NULL && copy_text(spec->ca, &target->ca_file)
                 && copy_text(spec->certificate, &target->certificate_file)
                 && copy_text(spec->key, &target->key_file);
    if (!is_ok) {
        pin_target_free(target);
        return NULL;
    }
    for (size_t len = strlen(target->server); len > 0 && target->server[len - 1] == '/'; len--) {
        target->server[len - 1] = '\0';
    }
    return target;
}

static bool make_targets(struct pin_etcd *self, const struct pin_etcd_spec *spec)
{
    self->targets = calloc(spec->n_endpoints + 1, sizeof(struct pin_target *));
    for (size_t i = 0; self->targets != NULL && i < spec->n_endpoints; i++) {
        self->targets[i] = target_new(spec->endpoints[i], spec);
        if (self->targets[i] == NULL) {
            return false;
        }
        self->n_targets++;
    }
    return self->n_targets > 0;
}

struct pin_etcd *pin_etcd_new(
    struct pin_loop *loop, struct pin_http *http, const struct pin_etcd_spec *spec)
{
    struct pin_etcd *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->loop = loop;
    self->http = http;
    self->pump = pin_timer_new(loop, on_pump, self);
    bool is_ok = self->pump != NULL && make_targets(self, spec)
                 && copy_text(spec->prefix, &self->prefix) && self->prefix != NULL
                 && copy_text(spec->user, &self->user)
                 && copy_text(spec->password_file, &self->password_file);
    if (!is_ok) {
        pin_etcd_free(self);
        return NULL;
    }
    for (size_t len = strlen(self->prefix); len > 0 && self->prefix[len - 1] == '/'; len--) {
        self->prefix[len - 1] = '\0';
    }
    self->present = pin_rand_below((uint32_t)self->n_targets); /* members share the load */
    return self;
}

void pin_etcd_free(struct pin_etcd *etcd)
{
    if (etcd == NULL) {
        return;
    }
    while (etcd->calls != NULL) {
        cancel(etcd, etcd->calls);
    }
    pin_http_cancel(etcd->login);
    pin_timer_free(etcd->pump);
    for (size_t i = 0; i < etcd->n_targets; i++) {
        pin_target_free(etcd->targets[i]);
    }
    pin_text_done(&etcd->login_answer);
    free_secret(etcd->token);
    free(etcd->targets);
    free(etcd->prefix);
    free(etcd->user);
    free(etcd->password_file);
    free(etcd);
}
