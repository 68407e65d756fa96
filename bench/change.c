/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The impatient asker: tells at which moment a new answer is there.
 *
 * Reads "NAME ADDRESS TIMEOUT_MS" lines from standard input. For each it asks for the name's A
 * RRset again and again, one query at a time, until an answer holds the address, and prints
 * "<nanoseconds> <queries>": the moment that answer arrived, CLOCK_MONOTONIC, and how many it
 * took, or "0 <queries>" when the time was over. Whoever makes the change reads the same clock.
 * With --tcp it asks over one connection, for answers that fit into no datagram.
 */

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "question.h"

#define LINE_BYTES   512
#define ANSWER_BYTES 65536U
#define PREFIX_BYTES 2U    /* of a message over TCP: its length */
#define PATIENCE_US  20000 /* then the query or its answer is lost and asked again */
#define TCP_WAIT_S   5
#define TIMEOUT_MAX  600000U
#define TYPE_A       1U

struct wish {
    uint8_t query[QUESTION_BYTES_MAX];
    size_t query_bytes;
    uint8_t address[4]; /* network byte order */
    uint64_t timeout_ms;
};

/* Takes one line of input apart; false when it is not of the form above. */
static bool parse_wish(char *line, struct wish *ret_wish)
{
    char *rest = NULL;
    char *name = strtok_r(line, " \n", &rest);
    char *address = strtok_r(NULL, " \n", &rest);
    char *timeout = strtok_r(NULL, " \n", &rest);

    if (name == NULL || address == NULL || timeout == NULL) {
        return false;
    }
    ret_wish->query_bytes = pin_question_encode(name, TYPE_A, false, ret_wish->query);
    ret_wish->timeout_ms = strtoul(timeout, NULL, 10);
    return ret_wish->query_bytes > 0 && ret_wish->timeout_ms > 0
           && ret_wish->timeout_ms <= TIMEOUT_MAX
           && inet_pton(AF_INET, address, ret_wish->address) == 1;
}

/* One answer over TCP, which must be whole; 0: there is none. */
static size_t ask_tcp(int fd, const struct wish *wish, uint8_t answer[ANSWER_BYTES])
{
    uint8_t framed[PREFIX_BYTES + QUESTION_BYTES_MAX];
    uint8_t prefix[PREFIX_BYTES];

    framed[0] = (uint8_t)(wish->query_bytes >> 8);
    framed[1] = (uint8_t)wish->query_bytes;
    memcpy(framed + PREFIX_BYTES, wish->query, wish->query_bytes);
    size_t bytes = PREFIX_BYTES + wish->query_bytes;
    if (send(fd, framed, bytes, MSG_NOSIGNAL) != (ssize_t)bytes
        || recv(fd, prefix, PREFIX_BYTES, MSG_WAITALL) != (ssize_t)PREFIX_BYTES) {
        return 0;
    }
    size_t want = (size_t)prefix[0] << 8 | prefix[1];
    return recv(fd, answer, want, MSG_WAITALL) == (ssize_t)want ? want : 0;
}

/* Whether it is a response to the wish's query that holds its address. */
static bool is_granted(const struct wish *wish, const uint8_t *answer, size_t bytes)
{
    return bytes >= QUESTION_HEADER_BYTES && pin_question_is_echoed(wish->query, answer, bytes)
           && pin_question_has_address(answer, bytes, wish->address);
}

/* Asks once. True when the answer to this very query came and holds the address. */
static bool ask(int fd, bool is_tcp, struct wish *wish, uint16_t id)
{
    static uint8_t answer[ANSWER_BYTES];

    wish->query[0] = (uint8_t)(id >> 8);
    wish->query[1] = (uint8_t)id;
    if (is_tcp) {
        return is_granted(wish, answer, ask_tcp(fd, wish, answer));
    }
    if (send(fd, wish->query, wish->query_bytes, 0) < 0) {
        return false;
    }
    for (;;) {
        ssize_t got = recv(fd, answer, sizeof(answer), 0);
        if (got < (ssize_t)QUESTION_HEADER_BYTES) {
            return false;
        }
        if (memcmp(answer, wish->query, 2) == 0) { /* else a late answer to an earlier query */
            return is_granted(wish, answer, (size_t)got);
        }
    }
}

static void wait_for(int fd, bool is_tcp, struct wish *wish)
{
    static uint16_t id;
    uint64_t end_ns = pin_question_now_ns() + wish->timeout_ms * NS_PER_MS;
    uint64_t n_query = 0;
    uint64_t now_ns = 0;

    do {
        bool is_there = ask(fd, is_tcp, wish, id++);
        now_ns = pin_question_now_ns();
        n_query++;
        if (is_there) {
            (void)printf("%ju %ju\n", (uintmax_t)now_ns, (uintmax_t)n_query);
            return;
        }
    } while (now_ns < end_ns);
    (void)printf("0 %ju\n", (uintmax_t)n_query);
}

static int usage(const char *program)
{
    (void)fprintf(stderr,
        "usage: %s [--tcp] --server ADDR:PORT < 'NAME ADDRESS TIMEOUT_MS' lines\n", program);
    return 2;
}

/* A blocking TCP connection, or -1 with errno set. */
static int connect_tcp(const char *server)
{
    const int on = 1;
    struct sockaddr_in peer;
    if (!pin_question_parse_server(server, &peer)) {
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0
        && (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) != 0
            || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"server", required_argument, NULL, 's'}, {"tcp", no_argument, NULL, 't'}, {0}};
    bool is_tcp = false;
    const char *server = NULL;
    char line[LINE_BYTES];
    struct wish wish;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    for (int opt; (opt = getopt_long(argc, argv, "s:t", options, NULL)) != -1;) {
        if (opt == 's') {
            server = optarg;
        } else if (opt == 't') {
            is_tcp = true;
        } else {
            return usage(argv[0]);
        }
    }
    if (server == NULL) {
        return usage(argv[0]);
    }
    const struct timeval patience = {
        .tv_sec = is_tcp ? TCP_WAIT_S : 0, .tv_usec = is_tcp ? 0 : PATIENCE_US};
    int fd = is_tcp ? connect_tcp(server) : pin_question_connect(server);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
        perror(server);
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (!parse_wish(line, &wish)) {
            return usage(argv[0]);
        }
        wait_for(fd, is_tcp, &wish);
    }
    return 0;
}
