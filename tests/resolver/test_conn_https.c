/* SPDX-License-Identifier: Apache-2.0 */

/* A connection that speaks HTTP: late answers, clients that do not read, requests that have to
 * wait. The codec is tested by itself; here it is driven as a stream thread drives it. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/conn.h"

/* The first letter of a question says what becomes of it. */
#define LATER       'L'
#define LARGE       'B'
#define LARGE_BYTES 60000u
#define N_MAX       256u

static struct pin_return asked[N_MAX]; /* where the answers of late questions go */
static size_t n_later;
static size_t n_asked;

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): a name that the linker wants */
size_t __wrap_pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet);

size_t __wrap_pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet)
{
    (void)worker;
    assert_int_equal(client->transport, PIN_TRANSPORT_HTTPS);
    assert_int_equal(client->back->stream_id, 4711);
    assert_true(n_asked < N_MAX);
    n_asked++;
    if (packet->wire[0] == LATER) {
        asked[n_later++] = *client->back;
        return PIN_ANSWER_LATER;
    }
    return packet->wire[0] == LARGE ? LARGE_BYTES : packet->bytes;
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

struct fixture {
    struct pin_https_shared *shared;
    struct pin_worker *worker;
    struct pin_conn_buffers *buffers;
    struct pin_return back;
    struct pin_conn conn;
    int client;
};

static const struct pin_stream_limits limits = {.n_max_pending = 100};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pin_why why = {0};
    int fds[2];
    assert_non_null(f);
    assert_int_equal(pin_https_shared_new(NULL, &f->shared, &why), PIN_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    f->worker = aligned_alloc(_Alignof(struct pin_worker), sizeof(*f->worker));
    f->buffers = malloc(sizeof(*f->buffers));
    assert_non_null(f->worker);
    assert_non_null(f->buffers);
    f->buffers->out_bytes = 0;
    f->client = fds[1];
    f->back.stream_id = 4711;
    f->conn = (struct pin_conn){.fd = fds[0],
        .limits = &limits,
        .https_shared = f->shared,
        .https_path = PIN_HTTPS_PATH,
        .client = {.transport = PIN_TRANSPORT_HTTPS, .back = &f->back}};
    n_asked = 0;
    n_later = 0;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pin_conn_done(&f->conn);
    pin_https_shared_free(f->shared);
    (void)close(f->client);
    free(f->worker);
    free(f->buffers);
    free(f);
    return 0;
}

#define HEAD                                                                                       \
    "POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\n"             \
    "Content-Length: 12\r\n"
#define QUICK HEAD "\r\n0123456789ab"
#define SLOW  HEAD "\r\nL123456789ab"
#define BIG   HEAD "\r\nB123456789ab"

static void say(struct fixture *f, const char *text)
{
    assert_int_equal(send(f->client, text, strlen(text), 0), strlen(text));
    (void)pin_conn_on_event(&f->conn, f->worker, f->buffers);
}

/* A late answer to the question of that number, and whatever it sets free. */
static size_t answer(struct fixture *f, size_t i, const char *text)
{
    struct pin_late *late = calloc(1, sizeof(*late) + strlen(text) + 1);
    assert_non_null(late);
    late->request_id = asked[i].request_id;
    late->bytes = (uint32_t)strlen(text);
    memcpy(late->wire, text, strlen(text) + 1);
    pin_conn_on_late(&f->conn, f->buffers, late);
    free(late);
    return pin_conn_settle(&f->conn, f->worker, f->buffers);
}

/* Reads what has come; returns how many responses begin in it. */
static size_t hear(struct fixture *f, char *text, size_t cap_bytes)
{
    static const char start[] = "HTTP/1.1 ";
    ssize_t received = recv(f->client, text, cap_bytes - 1, 0);
    size_t bytes = received > 0 ? (size_t)received : 0;
    size_t n = 0;
    text[bytes] = '\0';
    for (const char *at = memmem(text, bytes, start, sizeof(start) - 1); at != NULL;
         at = memmem(at + 1, bytes - (size_t)(at + 1 - text), start, sizeof(start) - 1)) {
        n++;
    }
    return n;
}

static void test_states(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    say(f, "POST ");
    assert_int_equal(f->conn.state, PIN_CONN_READING);
    say(f, "/dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\n");
    assert_int_equal(f->conn.state, PIN_CONN_READING);
    say(f, "Content-Length: 12\r\n\r\nL123456789ab");
    assert_int_equal(f->conn.state, PIN_CONN_PENDING);
    assert_int_equal(answer(f, 0, "first-answer"), 0);
    assert_int_equal(f->conn.state, PIN_CONN_IDLE);
    assert_int_equal(hear(f, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "first-answer"));
    say(f, "GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(f->conn.state, PIN_CONN_LINGERING);
    assert_int_equal(hear(f, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "404 Not Found"));
}

static void test_end_waits_for_what_is_pending(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    say(f, HEAD "Connection: close\r\n\r\nL123456789ab");
    assert_int_equal(f->conn.state, PIN_CONN_PENDING);
    assert_false(pin_conn_is_reading(&f->conn));
    assert_int_equal(answer(f, 0, "first-answer"), 0);
    assert_int_equal(f->conn.state, PIN_CONN_LINGERING);
    assert_int_equal(hear(f, text, sizeof(text)), 1);
}

/* More requests than may wait behind a late answer: they are neither lost nor read too early. */
static void test_requests_behind_a_late_one(void **state)
{
    struct fixture *f = *state;
    static char text[1 << 16];
    say(f, SLOW);
    for (size_t i = 0; i < 60; i++) {
        say(f, QUICK);
    }
    assert_true(n_asked < 61);
    assert_false(pin_conn_is_reading(&f->conn));
    assert_int_equal(f->conn.state, PIN_CONN_PENDING);
    assert_int_equal(hear(f, text, sizeof(text)), 0);
    (void)answer(f, 0, "first-answer");
    while (pin_conn_is_reading(&f->conn) && n_asked < 61) {
        (void)pin_conn_on_event(&f->conn, f->worker, f->buffers);
    }
    assert_int_equal(n_asked, 61);
    assert_int_equal(hear(f, text, sizeof(text)), 61);
    assert_int_equal(f->conn.state, PIN_CONN_IDLE);
}

/* A client that does not read is not answered any further, and goes on where it stopped. */
static void test_client_that_does_not_read(void **state)
{
    struct fixture *f = *state;
    static char text[1 << 20];
    size_t n_heard = 0;
    size_t n_said = 0;
    while (f->conn.state != PIN_CONN_WRITING) {
        assert_true(n_said < 100);
        say(f, BIG BIG BIG);
        n_said += 3;
    }
    assert_false(pin_conn_is_reading(&f->conn));
    size_t n_before = n_asked;
    (void)pin_conn_on_event(&f->conn, f->worker, f->buffers);
    assert_int_equal(n_asked, n_before);
    for (size_t i = 0; i < 100 && n_heard < n_said; i++) {
        n_heard += hear(f, text, sizeof(text));
        (void)pin_conn_on_event(&f->conn, f->worker, f->buffers);
    }
    assert_int_equal(n_asked, n_said);
    assert_int_equal(f->conn.state, PIN_CONN_IDLE);
}

static void test_limit_of_queries(void **state)
{
    struct fixture *f = *state;
    static const struct pin_stream_limits two = {.n_max_pending = 100, .n_max_queries = 2};
    char text[4096];
    f->conn.limits = &two;
    say(f, QUICK);
    assert_int_equal(f->conn.state, PIN_CONN_IDLE);
    say(f, QUICK);
    assert_int_equal(f->conn.state, PIN_CONN_LINGERING);
    assert_int_equal(hear(f, text, sizeof(text)), 2);
}

static void test_time_is_over(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    say(f, SLOW);
    pin_conn_end(&f->conn, f->buffers);
    assert_int_equal(f->conn.state, PIN_CONN_PENDING);
    (void)answer(f, 0, "first-answer");
    assert_int_equal(f->conn.state, PIN_CONN_LINGERING);
    assert_int_equal(hear(f, text, sizeof(text)), 1);
}

/* A body that is too long is refused at once, and read to its end: else its client, which still
 * sends, would learn of a reset before it learns why. */
static void test_refusal_outlives_the_body(void **state)
{
    struct fixture *f = *state;
    static char body[70000];
    char text[4096];
    memset(body, 'x', sizeof(body) - 1);
    say(f, "POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\n"
           "Content-Length: 70000\r\n\r\n");
    assert_int_equal(f->conn.state, PIN_CONN_LINGERING);
    assert_true(pin_conn_is_reading(&f->conn));
    say(f, body);
    say(f, QUICK);
    assert_int_equal(n_asked, 0);
    assert_int_equal(f->conn.state, PIN_CONN_LINGERING);
    assert_int_equal(hear(f, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "413 Content Too Large"));
    assert_int_equal(recv(f->client, text, sizeof(text), 0), 0);
    assert_int_equal(shutdown(f->client, SHUT_WR), 0);
    while (f->conn.state == PIN_CONN_LINGERING) {
        (void)pin_conn_on_event(&f->conn, f->worker, f->buffers);
    }
    assert_int_equal(f->conn.state, PIN_CONN_CLOSED);
}

/* But not for ever. */
static void test_what_is_dropped_has_a_bound(void **state)
{
    struct fixture *f = *state;
    static char more[30001];
    size_t n_bytes = 0;
    memset(more, 'x', sizeof(more) - 1);
    say(f, "GET / HTTP/1.0\r\n\r\n");
    for (; f->conn.state == PIN_CONN_LINGERING; n_bytes += sizeof(more) - 1) {
        assert_true(n_bytes <= PIN_CONN_LINGER_BYTES);
        say(f, more);
    }
    assert_true(n_bytes > PIN_CONN_LINGER_BYTES);
    assert_int_equal(f->conn.state, PIN_CONN_CLOSED);
}

/* Who has been told nothing has nothing to lose. */
static void test_a_lost_client_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    say(f, "POST ");
    pin_conn_end(&f->conn, f->buffers);
    assert_int_equal(f->conn.state, PIN_CONN_CLOSED);
}

int main(void)
{
#define TEST(name, function)                                                                       \
    {                                                                                              \
        name, function, set_up, tear_down, NULL                                                    \
    }
    static const struct CMUnitTest tests[] = {
        TEST("what a connection waits for", test_states),
        TEST("the end waits for what is pending", test_end_waits_for_what_is_pending),
        TEST("requests behind a late one wait", test_requests_behind_a_late_one),
        TEST("a client that does not read is not answered", test_client_that_does_not_read),
        TEST("the last query of a connection ends it", test_limit_of_queries),
        TEST("a connection whose time is over answers what is asked", test_time_is_over),
        TEST("a refusal outlives the body", test_refusal_outlives_the_body),
        TEST("what is dropped has a bound", test_what_is_dropped_has_a_bound),
        TEST("a lost client is not waited for", test_a_lost_client_is_not_waited_for),
    };
    return cmocka_run_group_tests_name("conn_https", tests, NULL, NULL);
}
