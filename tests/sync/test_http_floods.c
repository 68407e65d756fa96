/* SPDX-License-Identifier: Apache-2.0 */

/* Servers that do not come to the point: headers before the answer's body and behind it, without an
 * end. */

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pintle/base/macros.h"

#include "fake.h"
#include "sync/http.h"
#include "sync/http_end.h"

/* More than what sockets hold: who writes it all has had a reader. */
#define FLOOD_BYTES ((size_t)64 << 20)
#define TOLD        "headers of more than 65536 bytes"

static struct flood_case {
    const char *name;
    const char *begin;
    const char *more; /* again and again */
    bool is_probe;
    const char *want; /* part of the message; NULL: the status counts */
} cases[] = {
    {"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n", false,
        TOLD},
    {"trailers of an endpoint that is probed",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n", true, NULL},
    {"trailers of an error",
        "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", "X: y\r\n", false,
        TOLD},
    {"headers", "HTTP/1.1 200 OK\r\n", "X: y\r\n", false, TOLD},
    {"answers that say to wait", "", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", false, TOLD},
};

struct end {
    bool is_done;
    struct pin_http_result result;
    char message[PIN_HTTP_MESSAGE_BYTES];
};

static void on_body(void *arg, const char *data, size_t bytes)
{
    (void)arg;
    (void)data;
    (void)bytes;
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct end *end = arg;
    end->is_done = true;
    end->result = *result;
    (void)snprintf(end->message, sizeof(end->message), "%s", result->message);
}

/* The server, in a process of its own: 0 when the client hung up. */
static int serve(int listener, const struct flood_case *c)
{
    char request[4096];
    char piece[16384];
    size_t bytes = strlen(c->more);
    size_t n = 0;
    int fd = accept(listener, NULL, NULL);
    if (fd < 0 || recv(fd, request, sizeof(request), 0) <= 0
        || send(fd, c->begin, strlen(c->begin), MSG_NOSIGNAL) < 0) {
        return 2;
    }
    while (n + bytes <= sizeof(piece)) {
        memcpy(piece + n, c->more, bytes);
        n += bytes;
    }
    size_t at = 0;
    for (size_t sent = 0; sent < FLOOD_BYTES;) {
        ssize_t n_sent = send(fd, piece + at, n - at, MSG_NOSIGNAL);
        if (n_sent < 0) {
            return 0;
        }
        sent += (size_t)n_sent;
        at += (size_t)n_sent;
        at = at == n ? 0 : at;
    }
    return 1;
}

static int listen_at(char server[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&address, bytes), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&address, &bytes), 0);
    (void)snprintf(server, 64, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    return fd;
}

static void test_flood(void **state)
{
    const struct flood_case *c = *state;
    struct end end = {0};
    char server[64];
    int status = 0;
    int listener = listen_at(server);
    pid_t child = fork();
    if (child == 0) {
        _exit(serve(listener, c));
    }
    (void)close(listener);
    struct pin_loop *loop = pin_loop_new();
    struct pin_http *http = pin_http_new(loop);
    struct pin_http_transfer *transfer = NULL;
    struct pin_target target = {.server = server};
    struct pin_http_request request = {.target = &target,
        .path = "/",
        .timeout_ms = SOON_MS,
        .is_probe = c->is_probe,
        .on_body = on_body,
        .on_done = on_done,
        .arg = &end};
    assert_int_equal(pin_http_start(http, &request, &transfer, NULL), PIN_OK);
    while (!end.is_done) {
        pin_loop_poll(loop, 20);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    if (c->want != NULL) {
        assert_int_equal(end.result.fault, PIN_HTTP_OTHER);
        assert_string_equal(end.message, c->want);
    } else {
        assert_int_equal(end.result.fault, PIN_HTTP_NONE);
        assert_int_equal(end.result.status, 200);
    }
    pin_http_free(http);
    pin_loop_free(loop);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_flood, .initial_state = &cases[i]};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("http floods", tests, NULL, NULL);
}
