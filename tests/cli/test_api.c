/* SPDX-License-Identifier: Apache-2.0 */

/* What pintlectl makes of an admin side that is away, or that is no Pintle. */

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "cli/api.h"

/* A listener on a free port of loopback, and its address as text. */
static int listen_somewhere(char *address, size_t address_bytes)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_bytes = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &at_bytes), 0);
    (void)snprintf(address, address_bytes, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_nobody_listens(void **state)
{
    (void)state;
    char address[32];
    struct pin_api_reply reply = {0};
    struct pin_why why = {.text = ""};
    (void)close(listen_somewhere(address, sizeof(address)));
    assert_int_equal(pin_api_get(address, "/livez", &reply, &why), PIN_ECLOSED);
    assert_non_null(strstr(why.text, address));
    pin_api_reply_done(&reply);
}

/* One peer: what it says to whoever asks, and what pintlectl takes that for. */
static struct peer_case {
    const char *name; /* reads as a sentence in the test report */
    const char *says;
    enum pin_err want;
    int want_status;
} peers[] = {
    {"a JSON answer is a tree",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
        "{\"items\":[]}",
        PIN_OK, 200},
    {"an HTTP error is an answer with its status",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\n{\"error\":\"x\"}", PIN_OK, 404},
    {"a page of another server is malformed", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        PIN_EPARSE, 0},
    {"a peer that hangs up is an input/output error", "", PIN_EIO, 0},
    {"a peer that speaks no HTTP is an input/output error", "220 mail ready\r\n", PIN_EIO, 0},
};

struct peer {
    int fd;
    const char *says;
};

static void *answer_once(void *arg)
{
    const struct peer *peer = arg;
    char request[4096];
    int fd = accept(peer->fd, NULL, NULL);
    if (fd >= 0) {
        (void)recv(fd, request, sizeof(request), 0);
        (void)send(fd, peer->says, strlen(peer->says), MSG_NOSIGNAL);
        (void)close(fd);
    }
    return NULL;
}

static void test_peer(void **state)
{
    const struct peer_case *c = *state;
    char address[32];
    struct pin_api_reply reply = {0};
    struct pin_why why = {.text = ""};
    pthread_t thread;
    struct peer peer = {.fd = listen_somewhere(address, sizeof(address)), .says = c->says};
    assert_int_equal(pthread_create(&thread, NULL, answer_once, &peer), 0);
    enum pin_err err = pin_api_get(address, "/api/v1/names", &reply, &why);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(peer.fd);
    assert_int_equal(err, c->want);
    if (err == PIN_OK) {
        assert_int_equal(reply.status, c->want_status);
        assert_non_null(reply.tree);
    }
    pin_api_reply_done(&reply);
}

static struct escape_case {
    const char *name;
    const char *value;
    const char *want;
} escapes[] = {
    {"a plain name stays", "cart.shop.svc", "cart.shop.svc"},
    {"what ends a value is escaped", "a&b=c", "a%26b%3Dc"},
    {"nothing stays nothing", "", ""},
};

static void test_escape(void **state)
{
    const struct escape_case *c = *state;
    struct pin_text text = {0};
    pin_api_put_escaped(&text, c->value);
    assert_string_equal(pin_text_get(&text), c->want);
    pin_text_done(&text);
}

int main(void)
{
    struct CMUnitTest tests[1 + N_ELEMS(peers) + N_ELEMS(escapes)] = {
        cmocka_unit_test(test_nobody_listens)};
    size_t n = 1;
    for (size_t i = 0; i < N_ELEMS(peers); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = peers[i].name, .test_func = test_peer, .initial_state = &peers[i]};
    }
    for (size_t i = 0; i < N_ELEMS(escapes); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = escapes[i].name, .test_func = test_escape, .initial_state = &escapes[i]};
    }
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
