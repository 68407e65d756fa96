/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The floor: what the kernel alone charges for a DNS answer over UDP.
 *
 * A query comes back with the QR bit set and zero bytes added until it has the size of the real
 * answer. No name is looked at. Everything a DNS server costs above this is its own doing.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH        64U
#define SLOT_BYTES   1280U /* more than an answer without fragments may have */
#define HEADER_BYTES 12U
#define QR_BYTE      2U
#define QR_BIT       0x80U

struct batch {
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in peer[BATCH];
    uint8_t slot[BATCH][SLOT_BYTES];
};

static struct batch batch;

/* Points every message at its own slot; the kernel overwrites lengths, so they are set per batch.
 */
static void arm(struct batch *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        b->iov[i] = (struct iovec){.iov_base = b->slot[i], .iov_len = SLOT_BYTES};
        b->msg[i].msg_hdr = (struct msghdr){
            .msg_name = &b->peer[i],
            .msg_namelen = sizeof(b->peer[i]),
            .msg_iov = &b->iov[i],
            .msg_iovlen = 1,
        };
    }
}

/* Makes the received messages answers. What a slot held behind the query is sent as padding. */
static void turn_round(struct batch *b, size_t n, size_t answer_bytes)
{
    for (size_t i = 0; i < n; i++) {
        size_t query_bytes = b->msg[i].msg_len;
        if (query_bytes >= HEADER_BYTES) {
            b->slot[i][QR_BYTE] |= QR_BIT;
        }
        b->iov[i].iov_len = query_bytes > answer_bytes ? query_bytes : answer_bytes;
    }
}

/* Sends all n messages; one that the kernel refuses is skipped, as a server would. */
static void send_all(int fd, struct mmsghdr *msg, size_t n)
{
    for (size_t i = 0; i < n;) {
        int sent = sendmmsg(fd, msg + i, (unsigned)(n - i), 0);
        i += sent > 0 ? (size_t)sent : 1;
    }
}

static int serve(int fd, size_t answer_bytes)
{
    arm(&batch);
    for (;;) {
        int got = recvmmsg(fd, batch.msg, BATCH, MSG_WAITFORONE, NULL);
        if (got < 0 && errno != EINTR) {
            perror("recvmmsg");
            return EXIT_FAILURE;
        }
        size_t n = got > 0 ? (size_t)got : 0;
        turn_round(&batch, n, answer_bytes);
        send_all(fd, batch.msg, n);
        for (size_t i = 0; i < n; i++) {
            batch.iov[i].iov_len = SLOT_BYTES;
            batch.msg[i].msg_hdr.msg_namelen = sizeof(batch.peer[i]);
        }
    }
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in local = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int receive_bytes = 4 << 20;

    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    /* The kernel cuts this to its own limit; the default is enough for a window of 256. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    if (bind(fd, (const struct sockaddr *)&local, sizeof(local)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int usage(const char *program)
{
    (void)fprintf(
        stderr, "usage: %s --port PORT --bytes ANSWER_BYTES (0 to %u)\n", program, SLOT_BYTES);
    return 2;
}

/* Reads a whole decimal number up to max; false when text is anything else. */
static int parse_number(const char *text, unsigned long max, unsigned long *ret_number)
{
    char *end = NULL;

    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number > max) {
        return 0;
    }
    *ret_number = number;
    return 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'}, {"bytes", required_argument, NULL, 'b'}, {0}};
    unsigned long port = 0;
    unsigned long answer_bytes = 0;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    for (int opt; (opt = getopt_long(argc, argv, "p:b:", options, NULL)) != -1;) {
        if (!(opt == 'p' && parse_number(optarg, UINT16_MAX, &port))
            && !(opt == 'b' && parse_number(optarg, SLOT_BYTES, &answer_bytes))) {
            return usage(argv[0]);
        }
    }
    if (port == 0) {
        return usage(argv[0]);
    }
    int fd = listen_on((uint16_t)port);
    if (fd < 0) {
        perror("bind");
        return EXIT_FAILURE;
    }
    return serve(fd, answer_bytes);
}
