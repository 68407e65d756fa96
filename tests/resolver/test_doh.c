/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP/2 as a client sees it, played by nghttp2's other half: questions in streams, answers in any
 * order, and an end for whoever floods. */

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/https.h"

/* The first letter of a question says what becomes of it. */
#define LATER       'L'
#define SILENT      'S'
#define LARGE       'B'
#define LARGE_BYTES 40000u

#define STREAMS_MAX ((size_t)65536)
#define WIRE_BYTES  ((size_t)1 << 20)

/* What a client has seen of one response. */
struct reply {
    char fields[256]; /* "name: value\n", without the status */
    size_t body_bytes;
    char body[16];
    int status;
    bool is_closed;
    uint32_t error;
};

struct fixture {
    const void *row;
    struct pin_https_shared *shared;
    struct pin_https *http;
    nghttp2_session *client;
    struct reply *replies; /* by stream id */
    uint8_t *wire;
    size_t n_asked;
    uint32_t goaway; /* its error; UINT32_MAX: none came */
    size_t n_acks;   /* PINGs and SETTINGS */
    uint32_t ids[256];
};

/* --- the server's answers ----------------------------------------------------------------- */

static size_t ask(void *arg, uint32_t request_id, const struct pin_packet *packet)
{
    struct fixture *f = arg;
    char kind = (char)packet->wire[0];
    f->ids[f->n_asked++ % N_ELEMS(f->ids)] = request_id;
    if (kind == LATER) {
        return PIN_ANSWER_LATER;
    }
    packet->wire[0] |= 0x20;
    return kind == SILENT ? 0 : kind == LARGE ? LARGE_BYTES : packet->bytes;
}

/* --- the client --------------------------------------------------------------------------- */

static struct reply *reply_of(struct fixture *f, int32_t id)
{
    assert_true(id > 0 && (size_t)id < STREAMS_MAX);
    return &f->replies[id];
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 says what it looks like */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags, void *arg)
{
    (void)session;
    (void)flags;
    struct reply *reply = reply_of(arg, frame->hd.stream_id);
    if (name_bytes == 7 && memcmp(name, ":status", 7) == 0) {
        reply->status = (int)strtol((const char *)value, NULL, 10);
        return 0;
    }
    size_t used = strlen(reply->fields);
    (void)snprintf(reply->fields + used, sizeof(reply->fields) - used, "%.*s: %.*s\n",
        (int)name_bytes, (const char *)name, (int)value_bytes, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
    size_t bytes, void *arg)
{
    (void)session;
    (void)flags;
    struct reply *reply = reply_of(arg, id);
    for (size_t i = 0; i < bytes && reply->body_bytes + i < sizeof(reply->body) - 1; i++) {
        reply->body[reply->body_bytes + i] = (char)data[i];
    }
    reply->body_bytes += bytes;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
    (void)session;
    struct reply *reply = reply_of(arg, id);
    reply->is_closed = true;
    reply->error = error;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    struct fixture *f = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        f->goaway = frame->goaway.error_code;
    }
    bool may_be_ack = frame->hd.type == NGHTTP2_PING || frame->hd.type == NGHTTP2_SETTINGS;
    f->n_acks += may_be_ack && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    return 0;
}

static nghttp2_session *new_client(struct fixture *f)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *client = NULL;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_option_set_no_http_messaging(option, 1); /* it may talk nonsense */
    assert_int_equal(nghttp2_session_client_new2(&client, callbacks, f, option), 0);
    assert_int_equal(nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return client;
}

/* Lets the server read what is there for it. */
static void feed(struct fixture *f, const uint8_t *from, size_t bytes)
{
    uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, from, bytes);
    assert_int_equal(pin_https_feed(f->http, exact, bytes), bytes);
    free(exact);
}

/* All that the client has to say; returns whether it was anything. */
static bool client_to_server(struct fixture *f)
{
    bool is_any = false;
    const uint8_t *bytes = NULL;
    for (ssize_t n = nghttp2_session_mem_send(f->client, &bytes); n != 0;
         n = nghttp2_session_mem_send(f->client, &bytes)) {
        assert_true(n > 0);
        feed(f, bytes, (size_t)n);
        is_any = true;
    }
    return is_any;
}

static bool server_to_client(struct fixture *f)
{
    bool is_any = false;
    for (size_t n = pin_https_take(f->http, f->wire, WIRE_BYTES); n > 0;
         n = pin_https_take(f->http, f->wire, WIRE_BYTES)) {
        assert_int_equal(nghttp2_session_mem_recv(f->client, f->wire, n), n);
        is_any = true;
    }
    return is_any;
}

/* Until both have said all they have to say. */
static void talk(struct fixture *f)
{
    bool is_any = true;
    while (is_any) {
        is_any = client_to_server(f);
        is_any = server_to_client(f) || is_any;
    }
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pin_why why = {0};
    assert_non_null(f);
    assert_int_equal(pin_https_shared_new(NULL, &f->shared, &why), PIN_OK);
    f->http = pin_https_new(f->shared, PIN_HTTPS_HTTP2, PIN_HTTPS_PATH, ask, f);
    f->replies = calloc(STREAMS_MAX, sizeof(*f->replies));
    f->wire = malloc(WIRE_BYTES);
    f->goaway = UINT32_MAX;
    f->client = new_client(f);
    f->row = *state;
    *state = f;
    return f->http == NULL || f->replies == NULL || f->wire == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    nghttp2_session_del(f->client);
    pin_https_free(f->http);
    pin_https_shared_free(f->shared);
    free(f->replies);
    free(f->wire);
    free(f);
    return 0;
}

/* --- requests ----------------------------------------------------------------------------- */

struct body {
    const char *text;
    size_t bytes;
    bool is_open; /* no end follows */
};

/* NOLINTNEXTLINE(readability-function-size): nghttp2 says what it looks like */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap_bytes,
    uint32_t *data_flags, nghttp2_data_source *source, void *arg)
{
    (void)session;
    (void)id;
    (void)arg;
    struct body *body = source->ptr;
    size_t bytes = PIN_MIN(body->bytes, cap_bytes);
    if (bytes == 0 && body->is_open) {
        return NGHTTP2_ERR_DEFERRED;
    }
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(body->text == NULL ? 'A' : body->text[i]);
    }
    body->text = body->text == NULL ? NULL : body->text + bytes;
    body->bytes -= bytes;
    if (body->bytes == 0 && !body->is_open) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)bytes;
}

static nghttp2_nv field(const char *name, const char *value)
{
    union {
        const char *ours;
        uint8_t *theirs;
    } n = {.ours = name}, v = {.ours = value};
    return (nghttp2_nv){n.theirs, v.theirs, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int32_t request(
    struct fixture *f, const char *method, const char *path, const char *type, struct body *body)
{
    const nghttp2_nv fields[] = {
        field(":method", method),
        field(":scheme", "https"),
        field(":authority", "dns.example"),
        field(":path", path),
        field("content-type", type == NULL ? "" : type),
    };
    nghttp2_data_provider source = {.source.ptr = body, .read_callback = read_body};
    int32_t id = nghttp2_submit_request(f->client, NULL, fields,
        N_ELEMS(fields) - (type == NULL ? 1 : 0), body == NULL ? NULL : &source, NULL);
    assert_true(id > 0);
    return id;
}

/* A question by POST. */
static int32_t post(struct fixture *f, struct body *body)
{
    return request(f, "POST", PIN_HTTPS_PATH, "application/dns-message", body);
}

#define GET_TEXT "MDEyMzQ1Njc4OWFi" /* 0123456789ab */

static struct talk_case {
    const char *name;
    const char *method;
    const char *path;
    const char *type;
    const char *body;
    int want_status;
    const char *want_fields;
    const char *want_body;
} talk_cases[] = {
#define OK(length)                                                                                 \
    "content-type: application/dns-message\ncontent-length: " length "\ncache-control: "           \
    "max-age=0\n"
    {"a POST is answered", "POST", "/dns-query", "application/dns-message", "0123456789ab", 200,
        OK("12"), "0123456789ab"},
    {"so is a GET", "GET", "/dns-query?dns=" GET_TEXT, NULL, NULL, 200, OK("12"), "0123456789ab"},
    {"a HEAD gets a GET's fields", "HEAD", "/dns-query?dns=" GET_TEXT, NULL, NULL, 200, OK("12"),
        ""},
    {"no dns= is a bad request", "GET", "/dns-query", NULL, NULL, 400, "content-length: 0\n", ""},
    {"padding is a bad request", "GET", "/dns-query?dns=MDEyMzQ1Njc4OWE=", NULL, NULL, 400,
        "content-length: 0\n", ""},
    {"three bytes are a bad request", "POST", "/dns-query", "application/dns-message", "abc", 400,
        "content-length: 0\n", ""},
    {"another content type is refused", "POST", "/dns-query", "text/plain", "0123456789ab", 415,
        "content-length: 0\n", ""},
    {"none is, too", "POST", "/dns-query", NULL, "0123456789ab", 415, "content-length: 0\n", ""},
    {"another method is told which are allowed", "DELETE", "/dns-query", NULL, NULL, 405,
        "content-length: 0\nallow: GET, HEAD, POST\n", ""},
    {"another path is not found", "GET", "/", NULL, NULL, 404, "content-length: 0\n", ""},
    {"a message that is no query is a bad request", "POST", "/dns-query", "application/dns-message",
        "S123456789ab", 400, "content-length: 0\n", ""},
};

static void test_talk(void **state)
{
    struct fixture *f = *state;
    const struct talk_case *c = f->row;
    struct body body = {.text = c->body, .bytes = c->body == NULL ? 0 : strlen(c->body)};
    int32_t id = request(f, c->method, c->path, c->type, c->body == NULL ? NULL : &body);
    talk(f);
    const struct reply *reply = reply_of(f, id);
    assert_int_equal(reply->status, c->want_status);
    assert_string_equal(reply->fields, c->want_fields);
    assert_string_equal(reply->body, c->want_body);
    assert_true(reply->is_closed);
    assert_int_equal(reply->error, NGHTTP2_NO_ERROR);
    assert_false(pin_https_is_over(f->http));
    assert_false(pin_https_is_reading(f->http));
}

static void test_late_answers_come_in_any_order(void **state)
{
    struct fixture *f = *state;
    struct body bodies[] = {
        {"L123456789ab", 12, false}, {"0123456789ab", 12, false}, {"L23456789abc", 12, false}};
    int32_t ids[N_ELEMS(bodies)];
    for (size_t i = 0; i < N_ELEMS(bodies); i++) {
        ids[i] = post(f, &bodies[i]);
    }
    talk(f);
    assert_int_equal(pin_https_n_pending(f->http), 2);
    assert_false(reply_of(f, ids[0])->is_closed);
    assert_true(reply_of(f, ids[1])->is_closed);
    pin_https_answer(f->http, f->ids[2], (const uint8_t *)"third", 5);
    talk(f);
    assert_string_equal(reply_of(f, ids[2])->body, "third");
    pin_https_answer(f->http, f->ids[0], (const uint8_t *)"first", 5);
    pin_https_answer(f->http, f->ids[0], (const uint8_t *)"again", 5);
    talk(f);
    pin_https_answer(f->http, f->ids[0], (const uint8_t *)"again", 5);
    talk(f);
    assert_string_equal(reply_of(f, ids[0])->body, "first");
    assert_int_equal(pin_https_n_pending(f->http), 0);
}

static void test_no_answer_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct body body = {"L123456789ab", 12, false};
    int32_t id = post(f, &body);
    talk(f);
    pin_https_answer(f->http, f->ids[0], NULL, 0);
    talk(f);
    assert_int_equal(reply_of(f, id)->status, 500);
}

static void test_a_cancelled_question_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct body body = {"L123456789ab", 12, false};
    int32_t id = post(f, &body);
    talk(f);
    assert_int_equal(pin_https_n_pending(f->http), 1);
    (void)nghttp2_submit_rst_stream(f->client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    talk(f);
    assert_int_equal(pin_https_n_pending(f->http), 0);
    pin_https_answer(f->http, f->ids[0], (const uint8_t *)"nobody-waits", 12);
    talk(f);
    assert_int_equal(reply_of(f, id)->status, 0);
}

static void test_half_a_body_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct body body = {"0123456789ab", 12, true};
    int32_t id = post(f, &body);
    talk(f);
    assert_true(pin_https_is_reading(f->http));
    assert_int_equal(f->n_asked, 0);
    body = (struct body){"cdef", 4, false};
    (void)nghttp2_session_resume_data(f->client, id);
    talk(f);
    assert_false(pin_https_is_reading(f->http));
    assert_string_equal(reply_of(f, id)->body, "0123456789abcde"); /* all that is looked at */
    assert_int_equal(reply_of(f, id)->body_bytes, 16);
}

static void test_the_longest_body(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 8; i++) { /* the window is given back each time */
        struct body body = {NULL, 65535, false};
        int32_t id = post(f, &body);
        talk(f);
        assert_int_equal(reply_of(f, id)->status, 200);
        assert_int_equal(reply_of(f, id)->body_bytes, 65535);
    }
}

static void test_a_longer_body_is_refused(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 8; i++) {
        struct body body = {NULL, 70000, false};
        int32_t id = post(f, &body);
        talk(f);
        assert_int_equal(reply_of(f, id)->status, 413);
        assert_int_equal(reply_of(f, id)->error, NGHTTP2_NO_ERROR);
        assert_true(reply_of(f, id)->is_closed);
    }
    assert_int_equal(f->n_asked, 0);
    assert_false(pin_https_is_reading(f->http));
}

int main(void)
{
#define TEST(name, function)                                                                       \
    {                                                                                              \
        name, function, set_up, tear_down, NULL                                                    \
    }
    static const struct CMUnitTest others[] = {
        TEST("late answers come in any order", test_late_answers_come_in_any_order),
        TEST("no answer is an error", test_no_answer_is_an_error),
        TEST("a cancelled question is forgotten", test_a_cancelled_question_is_forgotten),
        TEST("half a body is waited for", test_half_a_body_is_waited_for),
        TEST("the longest body is taken", test_the_longest_body),
        TEST("a longer body is refused before its end", test_a_longer_body_is_refused),
    };
    struct CMUnitTest tests[N_ELEMS(talk_cases) + N_ELEMS(others)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(talk_cases); i++) {
        tests[n] = (struct CMUnitTest)TEST(talk_cases[i].name, test_talk);
        tests[n++].initial_state = &talk_cases[i];
    }
    memcpy(tests + n, others, sizeof(others));
    return cmocka_run_group_tests_name("doh", tests, NULL, NULL);
}
