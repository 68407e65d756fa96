/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP/1.1 as a client sees it: text in, responses in order out, whatever the cuts between. */

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

#define OUT_BYTES ((size_t)4 << 20)
#define N_MAX     ((size_t)256)

struct fixture {
    const void *row;
    struct pin_https_shared *shared;
    struct pin_https *http;
    char *out; /* all that was taken */
    size_t out_bytes;
    uint32_t ids[N_MAX]; /* of the questions asked */
    char asked[N_MAX];   /* and their first letters */
    size_t n_asked;
};

/* Answers with the question, its first letter small. */
static size_t ask(void *arg, uint32_t request_id, const struct pin_packet *packet)
{
    struct fixture *f = arg;
    assert_true(f->n_asked < N_MAX);
    assert_true(packet->cap_bytes == PIN_STREAM_MAX_BYTES);
    char kind = (char)packet->wire[0];
    f->ids[f->n_asked] = request_id;
    f->asked[f->n_asked++] = kind;
    if (kind == LATER) {
        return PIN_ANSWER_LATER;
    }
    packet->wire[0] |= 0x20;
    return kind == SILENT ? 0 : kind == LARGE ? LARGE_BYTES : packet->bytes;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pin_why why = {0};
    if (f == NULL || pin_https_shared_new(NULL, &f->shared, &why) != PIN_OK) {
        return -1;
    }
    f->out = calloc(1, OUT_BYTES + 1);
    f->http = pin_https_new(f->shared, PIN_HTTPS_HTTP1, PIN_HTTPS_PATH, ask, f);
    f->row = *state;
    *state = f;
    return f->out == NULL || f->http == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pin_https_free(f->http);
    pin_https_shared_free(f->shared);
    free(f->out);
    free(f);
    return 0;
}

/* Feeds from a block of exactly that size. */
static size_t feed(struct fixture *f, const char *text, size_t bytes)
{
    uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, bytes);
    size_t done = pin_https_feed(f->http, exact, bytes);
    free(exact);
    return done;
}

static void take_all(struct fixture *f)
{
    size_t bytes = 1;
    while (bytes > 0) {
        bytes = pin_https_take(f->http, (uint8_t *)f->out + f->out_bytes, OUT_BYTES - f->out_bytes);
        f->out_bytes += bytes;
    }
}

#define FIELDS "Host: dns.example\r\n"
#define POST(length)                                                                               \
    "POST /dns-query HTTP/1.1\r\n" FIELDS "Content-Type: application/dns-message\r\n"              \
    "Content-Length: " length "\r\n"
#define OK(length)                                                                                 \
    "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: " length          \
    "\r\nCache-Control: max-age=0\r\n"
#define REFUSED(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n"
#define CLOSE           "Connection: close\r\n\r\n"
#define GET_TEXT        "MDEyMzQ1Njc4OWFi" /* 0123456789ab */

static struct talk_case {
    const char *name;
    const char *in;
    const char *out;
    bool is_over;
} talk_cases[] = {
    {"a POST is answered", POST("12") "\r\n0123456789ab", OK("12") "\r\n0123456789ab", false},
    {"so is a GET", "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS "\r\n",
        OK("12") "\r\n0123456789ab", false},
    {"a HEAD gets a GET's head", "HEAD /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS "\r\n",
        OK("12") "\r\n", false},
    {"requests may follow each other", POST("12") "\r\n0123456789ab" POST("13") "\r\n0123456789abc",
        OK("12") "\r\n0123456789ab" OK("13") "\r\n0123456789abc", false},
    {"a target may be a whole URL",
        "GET https://dns.example/dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS "\r\n",
        OK("12") "\r\n0123456789ab", false},
    {"a URL without a path is not found", "GET https://dns.example HTTP/1.1\r\n" FIELDS "\r\n",
        REFUSED("404 Not Found") "\r\n", false},
    {"a client may ask for the end",
        POST("12") "CONNECTION: keep-alive , CLOSE\r\n\r\n0123456789ab" POST("12"),
        OK("12") CLOSE "0123456789ab", true},
    {"HTTP/1.0 ends by itself", "GET /dns-query?dns=" GET_TEXT " HTTP/1.0\r\n\r\n",
        OK("12") CLOSE "0123456789ab", true},
    {"a later HTTP/1 is spoken", "GET /dns-query?dns=" GET_TEXT " HTTP/1.9\r\n" FIELDS "\r\n",
        OK("12") "\r\n0123456789ab", false},
    {"HTTP/2 is not", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        REFUSED("505 HTTP Version Not Supported") CLOSE, true},
    {"nor is anything else", "GET / SPDY/1.1\r\n" FIELDS "\r\n", REFUSED("400 Bad Request") CLOSE,
        true},
    {"a request line has three parts", "GET /\r\n" FIELDS "\r\n", REFUSED("400 Bad Request") CLOSE,
        true},
    {"and single spaces", "GET  / HTTP/1.1\r\n" FIELDS "\r\n", REFUSED("400 Bad Request") CLOSE,
        true},
    {"refusals of what is well-formed end nothing",
        "GET / HTTP/1.1\r\n" FIELDS "\r\n" POST("12") "\r\n0123456789ab",
        REFUSED("404 Not Found") "\r\n" OK("12") "\r\n0123456789ab", false},
    {"another method is told which are allowed", "DELETE /dns-query HTTP/1.1\r\n" FIELDS "\r\n",
        REFUSED("405 Method Not Allowed") "Allow: GET, HEAD, POST\r\n\r\n", false},
    {"a PUT's body is not taken for a request",
        "PUT /dns-query HTTP/1.1\r\n" FIELDS
        "Content-Length: 6\r\n\r\nGET / GET / HTTP/1.1\r\n" FIELDS "\r\n",
        REFUSED("405 Method Not Allowed") "Allow: GET, HEAD, POST\r\n\r\n" REFUSED(
            "404 Not Found") "\r\n",
        false},
    {"another content type is refused, its body skipped",
        "POST /dns-query HTTP/1.1\r\n" FIELDS "Content-Type: text/plain\r\nContent-Length: "
        "2\r\n\r\nxx" POST("12") "\r\n0123456789ab",
        REFUSED("415 Unsupported Media Type") "\r\n" OK("12") "\r\n0123456789ab", false},
    {"a message that is no query is a bad request", POST("12") "\r\nS123456789ab",
        REFUSED("400 Bad Request") "\r\n", false},
    {"three bytes are no message", POST("3") "\r\nabc", REFUSED("400 Bad Request") "\r\n", false},
    {"a POST without a length is refused", "POST /dns-query HTTP/1.1\r\n" FIELDS "\r\n",
        REFUSED("411 Length Required") CLOSE, true},
    {"chunks are refused",
        "POST /dns-query HTTP/1.1\r\n" FIELDS
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        REFUSED("411 Length Required") CLOSE, true},
    {"chunks and a length are a smuggler's",
        POST("12") "Transfer-Encoding: chunked\r\n\r\n0123456789ab",
        REFUSED("400 Bad Request") CLOSE, true},
    {"two lengths are refused, even equal ones",
        POST("12") "Content-Length: 12\r\n\r\n0123456789ab", REFUSED("400 Bad Request") CLOSE,
        true},
    {"a length has digits only", POST("+12") "\r\n0123456789ab", REFUSED("400 Bad Request") CLOSE,
        true},
    {"a length is not a list", POST("12,12") "\r\n0123456789ab", REFUSED("400 Bad Request") CLOSE,
        true},
    {"a length is not empty", POST("") "\r\n0123456789ab", REFUSED("400 Bad Request") CLOSE, true},
    {"a body too long is refused before it comes", POST("65536") "\r\n",
        REFUSED("413 Content Too Large") CLOSE, true},
    {"lengths do not wrap", POST("18446744073709551628") "\r\n",
        REFUSED("413 Content Too Large") CLOSE, true},
    {"a GET has no body",
        "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS "Content-Length: 1\r\n\r\nx",
        REFUSED("400 Bad Request") CLOSE, true},
    {"an empty one is none",
        "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS "Content-Length: 0\r\n\r\n",
        OK("12") "\r\n0123456789ab", false},
    {"a host is required", "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"one host is", "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS FIELDS "\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"a folded line is refused", "GET / HTTP/1.1\r\n" FIELDS " folded\r\n\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"a space before the colon is refused", "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"a line without a colon is refused", "GET / HTTP/1.1\r\nHost\r\n\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"a line feed alone ends no line", "GET / HTTP/1.1\nHost: x\r\n\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"a carriage return ends no line either", "GET / HTTP/1.1\r\nHost: x\ry: z\r\n\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"a control character in a field is refused", "GET / HTTP/1.1\r\n" FIELDS "a: \1\r\n\r\n",
        REFUSED("400 Bad Request") CLOSE, true},
    {"tabs around a value are not part of it",
        "POST /dns-query HTTP/1.1\r\n" FIELDS
        "Content-Type:\t application/dns-message \t\r\nContent-Length: 12\r\n\r\n0123456789ab",
        OK("12") "\r\n0123456789ab", false},
    {"an unfinished head is waited for", "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS, "",
        false},
    {"so is an unfinished body", POST("12") "\r\n0123456789a", "", false},
    {"a client that waits is invited", POST("12") "Expect: 100-continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n", false},
    {"one that does not wait is not", POST("12") "Expect: 100-continue\r\n\r\n0123456789ab",
        OK("12") "\r\n0123456789ab", false},
    {"nobody is invited to what is refused", POST("65536") "Expect: 100-continue\r\n\r\n",
        REFUSED("413 Content Too Large") CLOSE, true},
};

static void expect(struct fixture *f, const char *want)
{
    f->out[f->out_bytes] = '\0';
    assert_string_equal(f->out, want);
}

static void test_whole(void **state)
{
    struct fixture *f = *state;
    const struct talk_case *c = f->row;
    size_t bytes = strlen(c->in);
    assert_int_equal(feed(f, c->in, bytes), bytes);
    take_all(f);
    expect(f, c->out);
    assert_int_equal(pin_https_is_over(f->http), c->is_over);
}

/* The same letter by letter, and taken letter by letter. */
static void test_cut(void **state)
{
    struct fixture *f = *state;
    const struct talk_case *c = f->row;
    for (size_t i = 0; c->in[i] != '\0'; i++) {
        assert_int_equal(feed(f, c->in + i, 1), 1);
        while (strstr(c->in, "Expect") == NULL
               && pin_https_take(f->http, (uint8_t *)f->out + f->out_bytes, 1) == 1) {
            f->out_bytes++;
        }
    }
    take_all(f);
    expect(f, c->out);
    assert_int_equal(pin_https_is_over(f->http), c->is_over);
}

static void feed_text(struct fixture *f, const char *text)
{
    assert_int_equal(feed(f, text, strlen(text)), strlen(text));
}

static void give(struct fixture *f, size_t i, const char *text)
{
    pin_https_answer(f->http, f->ids[i], (const uint8_t *)text, strlen(text));
}

static void test_late_answers_keep_their_order(void **state)
{
    struct fixture *f = *state;
    feed_text(f,
        POST("12") "\r\nL123456789ab" POST("12") "\r\n0123456789ab" POST("12") "\r\nL23456789abc");
    assert_int_equal(pin_https_n_pending(f->http), 2);
    take_all(f);
    expect(f, "");
    give(f, 2, "third-answer");
    take_all(f);
    expect(f, "");
    give(f, 0, "first-answer");
    take_all(f);
    expect(f, OK("12") "\r\nfirst-answer" OK("12") "\r\n0123456789ab" OK("12") "\r\nthird-answer");
    assert_int_equal(pin_https_n_pending(f->http), 0);
}

static void test_answers_to_nobody_are_ignored(void **state)
{
    struct fixture *f = *state;
    feed_text(f, POST("12") "\r\nL123456789ab");
    pin_https_answer(f->http, f->ids[0] + 1, (const uint8_t *)"nobody-asked", 12);
    pin_https_answer(f->http, f->ids[0] - 1, (const uint8_t *)"nobody-asked", 12);
    pin_https_answer(f->http, f->ids[0] + 32, (const uint8_t *)"nobody-asked", 12);
    give(f, 0, "first-answer");
    give(f, 0, "again-answer");
    take_all(f);
    give(f, 0, "again-answer");
    take_all(f);
    expect(f, OK("12") "\r\nfirst-answer");
}

static void test_no_answer_is_an_error(void **state)
{
    struct fixture *f = *state;
    feed_text(f, POST("12") "\r\nL123456789ab");
    give(f, 0, "");
    take_all(f);
    expect(f, REFUSED("500 Internal Server Error") "\r\n");
}

static void test_the_last_answer_is_waited_for(void **state)
{
    struct fixture *f = *state;
    feed_text(f, POST("12") "Connection: close\r\n\r\nL123456789ab" POST("12"));
    assert_true(pin_https_is_over(f->http));
    assert_int_equal(pin_https_n_pending(f->http), 1);
    give(f, 0, "first-answer");
    assert_int_equal(pin_https_n_pending(f->http), 0);
    take_all(f);
    expect(f, OK("12") CLOSE "first-answer");
}

static void test_taking_leave(void **state)
{
    struct fixture *f = *state;
    feed_text(f, POST("12") "\r\nL123456789ab");
    pin_https_end(f->http);
    feed_text(f, POST("12") "\r\n0123456789ab");
    assert_int_equal(f->n_asked, 1);
    assert_true(pin_https_is_over(f->http));
    give(f, 0, "first-answer");
    take_all(f);
    expect(f, OK("12") "\r\nfirst-answer");
}

/* A client that asks and asks while answers are to come is not read any further. */
static void test_many_pending_stop_reading(void **state)
{
    struct fixture *f = *state;
    static const char one[] = POST("12") "\r\nL123456789ab";
    static char many[(sizeof(one) - 1) * 40];
    for (size_t i = 0; i < 40; i++) {
        memcpy(many + i * (sizeof(one) - 1), one, sizeof(one) - 1);
    }
    size_t done = feed(f, many, sizeof(many));
    assert_int_equal(done, 32 * (sizeof(one) - 1));
    assert_int_equal(f->n_asked, 32);
    assert_int_equal(feed(f, many + done, sizeof(many) - done), 0);
    give(f, 0, "first-answer");
    take_all(f);
    assert_int_equal(feed(f, many + done, sizeof(many) - done), sizeof(one) - 1);
    assert_int_equal(f->n_asked, 33);
}

/* A client that does not take its answers is not read any further. */
static void test_unread_answers_stop_reading(void **state)
{
    struct fixture *f = *state;
    static const char one[] = POST("12") "\r\nB123456789ab";
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(feed(f, one, sizeof(one) - 1), sizeof(one) - 1);
    }
    assert_int_equal(feed(f, one, sizeof(one) - 1), 0);
    take_all(f);
    assert_int_equal(feed(f, one, sizeof(one) - 1), sizeof(one) - 1);
    take_all(f);
    assert_true(f->out_bytes > (size_t)3 * LARGE_BYTES);
}

/* `start`, and then letters up to `bytes`. */
static void fill(char *text, const char *start, size_t bytes)
{
    (void)snprintf(text, bytes + 1, "%s%0*d", start, (int)(bytes - strlen(start)), 0);
}

static void test_long_request_lines_are_refused(void **state)
{
    struct fixture *f = *state;
    static char text[90001];
    fill(text, "GET /dns-query?dns=", sizeof(text) - 1);
    feed_text(f, text);
    take_all(f);
    expect(f, REFUSED("414 URI Too Long") CLOSE);
    assert_true(pin_https_is_over(f->http));
    assert_int_equal(f->n_asked, 0);
}

static void test_long_targets_are_refused(void **state)
{
    struct fixture *f = *state;
    static char text[9001];
    fill(text, "GET /dns-query?dns=", sizeof(text) - 1);
    feed_text(f, text);
    feed_text(f, " HTTP/1.1\r\n" FIELDS "\r\n");
    take_all(f);
    expect(f, REFUSED("414 URI Too Long") "\r\n");
}

static void test_long_fields_are_refused(void **state)
{
    struct fixture *f = *state;
    static char text[30001];
    fill(text, "", sizeof(text) - 1);
    feed_text(f, "GET /dns-query HTTP/1.1\r\n" FIELDS "A: ");
    feed_text(f, text);
    take_all(f);
    expect(f, REFUSED("431 Request Header Fields Too Large") CLOSE);
}

static void test_many_fields_are_refused(void **state)
{
    struct fixture *f = *state;
    feed_text(f, "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS);
    for (size_t i = 0; i < 63; i++) {
        feed_text(f, "a:b\r\n");
    }
    feed_text(f, "\r\n");
    take_all(f);
    expect(f, OK("12") "\r\n0123456789ab");
    f->out_bytes = 0;
    feed_text(f, "GET /dns-query?dns=" GET_TEXT " HTTP/1.1\r\n" FIELDS);
    for (size_t i = 0; i < 64; i++) {
        feed_text(f, "a:b\r\n");
    }
    feed_text(f, "\r\n");
    take_all(f);
    expect(f, REFUSED("431 Request Header Fields Too Large") CLOSE);
}

static void test_the_longest_body(void **state)
{
    struct fixture *f = *state;
    static char text[65536];
    fill(text, "", sizeof(text) - 1);
    feed_text(f, POST("65535") "\r\n");
    assert_true(pin_https_is_reading(f->http));
    feed_text(f, text);
    assert_int_equal(f->n_asked, 1);
    assert_false(pin_https_is_reading(f->http));
    take_all(f);
    assert_int_equal(strncmp(f->out, "HTTP/1.1 200 OK\r\n", 17), 0);
}

static void test_bytes_after_the_end_are_not_read(void **state)
{
    struct fixture *f = *state;
    feed_text(f, "GET /dns-query?dns=" GET_TEXT " HTTP/1.0\r\n\r\n");
    take_all(f);
    feed_text(f, POST("12") "\r\n0123456789ab");
    assert_int_equal(f->n_asked, 1);
}

#define TEST(name, function)                                                                       \
    {                                                                                              \
        name, function, set_up, tear_down, NULL                                                    \
    }

int main(void)
{
    static const struct CMUnitTest others[] = {
        TEST("late answers keep their order", test_late_answers_keep_their_order),
        TEST("answers to nobody are ignored", test_answers_to_nobody_are_ignored),
        TEST("no answer is an error", test_no_answer_is_an_error),
        TEST("the last answer is waited for", test_the_last_answer_is_waited_for),
        TEST("who takes leave asks no more", test_taking_leave),
        TEST("many pending questions stop reading", test_many_pending_stop_reading),
        TEST("answers not taken stop reading", test_unread_answers_stop_reading),
        TEST("a request line without an end is refused", test_long_request_lines_are_refused),
        TEST("a target too long is refused", test_long_targets_are_refused),
        TEST("fields too long are refused", test_long_fields_are_refused),
        TEST("fields too many are refused", test_many_fields_are_refused),
        TEST("the longest body is taken", test_the_longest_body),
        TEST("bytes behind the end are not read", test_bytes_after_the_end_are_not_read),
    };
    static char names[N_ELEMS(talk_cases)][128];
    struct CMUnitTest tests[2 * N_ELEMS(talk_cases) + N_ELEMS(others)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(talk_cases); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s, letter by letter", talk_cases[i].name);
        tests[n] = (struct CMUnitTest)TEST(talk_cases[i].name, test_whole);
        tests[n++].initial_state = &talk_cases[i];
        tests[n] = (struct CMUnitTest)TEST(names[i], test_cut);
        tests[n++].initial_state = &talk_cases[i];
    }
    memcpy(tests + n, others, sizeof(others));
    return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
