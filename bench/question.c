/* SPDX-License-Identifier: Apache-2.0 */

/* Encodes questions and reads just enough of answers to count them. */

#include "question.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LABEL_BYTES_MAX 63U
#define WIRE_NAME_MAX   255U
#define POINTER_BITS    0xC0U
#define RR_FIXED_BYTES  10U /* type, class, TTL, RDLENGTH */
#define TYPE_A          1U
#define FLAG_QR         0x80U
#define FLAG_TC         0x02U

uint64_t pin_question_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

/* Returns the length in wire format, or 0 when a label or the name has no legal length. */
static size_t encode_name(const char *name, uint8_t *wire)
{
    size_t at = 0;

    while (*name != '\0') {
        size_t label_bytes = strcspn(name, ".");
        if (label_bytes == 0 || label_bytes > LABEL_BYTES_MAX
            || at + label_bytes + 2 > WIRE_NAME_MAX) {
            return 0;
        }
        wire[at++] = (uint8_t)label_bytes;
        (void)memcpy(wire + at, name, label_bytes);
        at += label_bytes;
        name += label_bytes + (name[label_bytes] == '.');
    }
    wire[at++] = 0;
    return at;
}

size_t pin_question_encode(const char *name, uint16_t qtype, bool with_edns, uint8_t *wire)
{
    static const uint8_t header[QUESTION_HEADER_BYTES] = {0, 0, 0x01, 0, 0, 1};
    static const uint8_t opt[] = {0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0};

    (void)memcpy(wire, header, sizeof(header));
    size_t name_bytes = encode_name(name, wire + sizeof(header));
    if (name_bytes == 0) {
        return 0;
    }
    size_t at = sizeof(header) + name_bytes;
    wire[at++] = (uint8_t)(qtype >> 8);
    wire[at++] = (uint8_t)qtype;
    wire[at++] = 0;
    wire[at++] = 1; /* class IN */
    if (with_edns) {
        wire[11] = 1; /* ARCOUNT */
        (void)memcpy(wire + at, opt, sizeof(opt));
        at += sizeof(opt);
    }
    return at;
}

bool pin_question_parse_type(const char *text, uint16_t *ret_qtype)
{
    static const struct {
        const char *text;
        uint16_t qtype;
    } types[] = {{"A", 1}, {"PTR", 12}, {"TXT", 16}, {"AAAA", 28}, {"SRV", 33}, {"HTTPS", 65}};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(text, types[i].text) == 0) {
            *ret_qtype = types[i].qtype;
            return true;
        }
    }
    if (strncmp(text, "TYPE", 4) != 0) {
        return false;
    }
    char *end = NULL;
    unsigned long number = strtoul(text + 4, &end, 10);
    *ret_qtype = (uint16_t)number;
    return end != text + 4 && *end == '\0' && number <= UINT16_MAX;
}

/* The offset behind the name at `at`, or 0 when it leaves the message. */
static size_t skip_name(const uint8_t *wire, size_t bytes, size_t at)
{
    while (at < bytes) {
        if (wire[at] == 0) {
            return at + 1;
        }
        if (wire[at] >= POINTER_BITS) {
            return at + 2;
        }
        at += wire[at] + 1U;
    }
    return 0;
}

bool pin_question_is_echoed(const uint8_t *query, const uint8_t *answer, size_t answer_bytes)
{
    size_t end = skip_name(query, QUESTION_BYTES_MAX, QUESTION_HEADER_BYTES) + 4;

    return answer_bytes >= end && (answer[2] & FLAG_QR) != 0
           && memcmp(query + QUESTION_HEADER_BYTES, answer + QUESTION_HEADER_BYTES,
                  end - QUESTION_HEADER_BYTES)
                  == 0;
}

bool pin_question_is_truncated(const uint8_t *answer)
{
    return (answer[2] & FLAG_TC) != 0;
}

uint8_t pin_question_rcode(const uint8_t *answer)
{
    return answer[3] & 0x0FU;
}

static uint16_t read_u16(const uint8_t *at)
{
    return (uint16_t)((uint16_t)(at[0] << 8) | at[1]);
}

uint16_t pin_question_answer_count(const uint8_t *answer)
{
    return read_u16(answer + 6);
}

/* Goes behind the question. */
static bool start_walk(
    const uint8_t *answer, size_t answer_bytes, struct pin_question_walk *ret_walk)
{
    if (answer_bytes < QUESTION_HEADER_BYTES) {
        return false;
    }
    size_t name_end = skip_name(answer, answer_bytes, QUESTION_HEADER_BYTES);
    ret_walk->at = name_end + 4;
    ret_walk->n_left = pin_question_answer_count(answer);
    return name_end > 0;
}

bool pin_question_next_address(const uint8_t *answer, size_t answer_bytes,
    struct pin_question_walk *walk, uint32_t *ret_address)
{
    if (walk->at == 0 && !start_walk(answer, answer_bytes, walk)) {
        return false;
    }
    for (; walk->n_left > 0; walk->n_left--) {
        size_t fixed = skip_name(answer, answer_bytes, walk->at);
        if (fixed == 0 || fixed + RR_FIXED_BYTES > answer_bytes) {
            return false;
        }
        uint16_t type = read_u16(answer + fixed);
        uint16_t rdata_bytes = read_u16(answer + fixed + 8);
        const uint8_t *rdata = answer + fixed + RR_FIXED_BYTES;
        walk->at = fixed + RR_FIXED_BYTES + rdata_bytes;
        if (walk->at > answer_bytes) {
            return false;
        }
        if (type == TYPE_A && rdata_bytes == 4) {
            *ret_address = (uint32_t)read_u16(rdata) << 16 | read_u16(rdata + 2);
            walk->n_left--;
            return true;
        }
    }
    return false;
}

bool pin_question_has_address(const uint8_t *answer, size_t answer_bytes, const uint8_t address[4])
{
    uint32_t wanted = (uint32_t)read_u16(address) << 16 | read_u16(address + 2);
    uint32_t found = 0;
    struct pin_question_walk walk = {0};

    while (pin_question_next_address(answer, answer_bytes, &walk, &found)) {
        if (found == wanted) {
            return true;
        }
    }
    return false;
}

bool pin_question_parse_server(const char *server, struct sockaddr_in *ret_peer)
{
    char text[INET_ADDRSTRLEN];
    size_t address_chars = strcspn(server, ":");
    char *end = NULL;

    errno = EINVAL;
    if (server[address_chars] != ':' || address_chars >= sizeof(text)) {
        return false;
    }
    (void)memcpy(text, server, address_chars);
    text[address_chars] = '\0';
    unsigned long port = strtoul(server + address_chars + 1, &end, 10);
    *ret_peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    errno = EINVAL; /* strtoul() may have changed it */
    return *end == '\0' && port > 0 && port <= UINT16_MAX
           && inet_pton(AF_INET, text, &ret_peer->sin_addr) == 1;
}

int pin_question_connect(const char *server)
{
    struct sockaddr_in peer;
    int receive_bytes = 4 << 20;

    if (!pin_question_parse_server(server, &peer)) {
        return -1;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    /* The kernel cuts this to its own limit. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    if (connect(fd, (const struct sockaddr *)&peer, sizeof(peer)) != 0) {
        int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    return fd;
}
