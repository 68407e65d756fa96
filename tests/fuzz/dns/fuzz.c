/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes are what a server says to pintlectl's small DNS client. The first byte says whether it
 * asked for A or AAAA; the rest is the message. What a strict reader takes is read, with the same
 * addresses in the same order, and nothing beyond the end of a message is.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/dns.h"
#include "fuzz/require.h"
#include "support/message.h"

#define TYPE_A    1u
#define TYPE_AAAA 28u
#define ANSWER    1u
#define FLAG_QR   0x8000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(
    const struct message *strict, uint16_t type, const struct pin_dns_answer *answer)
{
    size_t want_bytes = type == TYPE_A ? 4 : 16;
    size_t n = 0;
    for (size_t i = 0; i < strict->n_records; i++) {
        const struct message_rr *rr = &strict->records[i];
        if (rr->section != ANSWER || rr->type != type || rr->rdata_bytes != want_bytes
            || n == PIN_DNS_ADDRESSES_MAX) {
            continue;
        }
        struct pin_ip ip = pin_ip_from_bytes(strict->wire + rr->rdata_at, type == TYPE_A ? 4 : 6);
        require(n < answer->n_addresses && pin_ip_equal(&answer->addresses[n], &ip));
        n++;
    }
    require(answer->n_addresses == n);
    require(answer->rcode == (strict->flags & 0x0F));
    require(answer->is_truncated == ((strict->flags & 0x0200) != 0));
}

static void look(const struct pin_dns *dns, const uint8_t *wire, size_t bytes)
{
    static struct message strict;
    struct pin_dns_answer answer;
    uint16_t id = bytes < 2 ? 0 : (uint16_t)(wire[0] << 8 | wire[1]);
    bool is_read = pin_dns_read(dns, wire, bytes, id, &answer);
    require(answer.n_addresses <= PIN_DNS_ADDRESSES_MAX);
    if (message_parse(wire, bytes, &strict) && (strict.flags & FLAG_QR) != 0) {
        require(is_read);
        compare(&strict, dns->type, &answer);
    }
    require(!pin_dns_read(dns, wire, bytes, (uint16_t)(id + 1), &answer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_dns dns = {.fd = -1, .type = TYPE_A};
    if (size < 1 || size > PIN_DNS_MESSAGE_MAX + 1u) {
        return 0;
    }
    /* In blocks of their own, so that ASan sees a byte too far: all of it, and half of it. */
    dns.type = (data[0] & 1) == 0 ? TYPE_A : TYPE_AAAA;
    for (size_t bytes = size - 1, i = 0; i < 2; i++, bytes /= 2) {
        uint8_t *wire = malloc(PIN_MAX(bytes, (size_t)1));
        require(wire != NULL);
        memcpy(wire, data + 1, bytes);
        look(&dns, wire, bytes);
        free(wire);
    }
    return 0;
}
