/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The impatient asker: tells at which moment a new answer is there.
 *
 * Reads "NAME ADDRESS TIMEOUT_MS" lines from standard input. For each it asks for the name's A
 * RRset again and again, one query at a time, until an answer holds the address, and prints
 * "<nanoseconds> <queries>": the moment that answer arrived, CLOCK_MONOTONIC, and how many it
 * took, or "0 <queries>" when the time was over. Whoever makes the change reads the same clock.
 */

#include <arpa/inet.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "question.h"

#define LINE_BYTES   512
#define ANSWER_BYTES 4096U
#define PATIENCE_US  20000 /* then the query or its answer is lost and asked again */
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

/* Asks once. True when the answer to this very query came and holds the address. */
static bool ask(int fd, struct wish *wish, uint16_t id)
{
    uint8_t answer[ANSWER_BYTES];

    wish->query[0] = (uint8_t)(id >> 8);
    wish->query[1] = (uint8_t)id;
    if (send(fd, wish->query, wish->query_bytes, 0) < 0) {
        return false;
    }
    for (;;) {
        ssize_t got = recv(fd, answer, sizeof(answer), 0);
        if (got < (ssize_t)QUESTION_HEADER_BYTES) {
            return false;
        }
        if (memcmp(answer, wish->query, 2) == 0) { /* else a late answer to an earlier query */
            return pin_question_is_echoed(wish->query, answer, (size_t)got)
                   && pin_question_has_address(answer, (size_t)got, wish->address);
        }
    }
}

static void wait_for(int fd, struct wish *wish)
{
    static uint16_t id;
    uint64_t end_ns = pin_question_now_ns() + wish->timeout_ms * NS_PER_MS;
    uint64_t n_query = 0;
    uint64_t now_ns = 0;

    do {
        bool is_there = ask(fd, wish, id++);
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
    (void)fprintf(
        stderr, "usage: %s --server ADDR:PORT < 'NAME ADDRESS TIMEOUT_MS' lines\n", program);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"server", required_argument, NULL, 's'}, {0}};
    const struct timeval patience = {.tv_usec = PATIENCE_US};
    const char *server = NULL;
    char line[LINE_BYTES];
    struct wish wish;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    for (int opt; (opt = getopt_long(argc, argv, "s:", options, NULL)) != -1;) {
        if (opt != 's') {
            return usage(argv[0]);
        }
        server = optarg;
    }
    if (server == NULL) {
        return usage(argv[0]);
    }
    int fd = pin_question_connect(server);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
        perror(server);
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (!parse_wish(line, &wish)) {
            return usage(argv[0]);
        }
        wait_for(fd, &wish);
    }
    return 0;
}
