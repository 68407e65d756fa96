/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages there and back: what is read of a query is read again from its answer, and what is
 * believed of a reply is believed again of the message that it is put into.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/bytes.h"

#include "fuzz/require.h"
#include "resolver/reply.h"
#include "resolver/response.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/upstream.h"

#define COOKIE_CLIENT_BYTES 8u
/* What an answer says to options, and a query may say as well. */
#define BOTH_WAYS   (PIN_SAID_ECS | PIN_SAID_COOKIE | PIN_SAID_NSID)
#define QUERY_FLAGS 0x79u /* Without QR, AA and TC. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pin_manners manners = {.has_cookies = true,
    .keepalive_ds = 100,
    .identity = {.bytes = PIN_IDENTITY_MAX_BYTES},
    .version = {.bytes = 3, .text = "one"}};
static uint8_t wire[MESSAGE_MAX_BYTES + 1];
static struct message told;

/* --- queries ---------------------------------------------------------------------------------- */

/* Answers the query in `wire`, of `bytes`, with some records. Returns the answer's length. */
static size_t encode(
    struct pin_query *query, size_t bytes, enum pin_transport transport, uint16_t ede)
{
    static const uint8_t a[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1};
    bool is_udp = transport == PIN_TRANSPORT_UDP;
    struct pin_packet packet = {
        .wire = wire, .bytes = bytes, .cap_bytes = is_udp ? PIN_UDP_MAX_BYTES : MESSAGE_MAX_BYTES};
    struct pin_response response;
    pin_response_init(&response, &packet, query, !is_udp);
    if (query->options != 0) {
        pin_response_expect(&response, query, &manners, transport);
    }
    response.ede = ede;
    bool has_records = query->has_question && query->qclass == 1;
    for (size_t i = 0; has_records && i < bytes % 60; i++) {
        pin_response_add_rr(&response, PIN_SECTION_ANSWER, a, sizeof(a), PIN_HEADER_BYTES);
    }
    return pin_response_finish(&response, query);
}

/* All that both say is the same. */
static void same_query(const struct pin_query *a, const struct pin_query *b)
{
    require(a->opcode == b->opcode && a->has_question == b->has_question);
    require(a->question_end == b->question_end && a->qname_bytes == b->qname_bytes);
    require(memcmp(a->qname, b->qname, a->qname_bytes) == 0);
    require(a->qtype == b->qtype && a->qclass == b->qclass);
    require(a->has_edns == b->has_edns && a->is_do == b->is_do && b->edns_version == 0);
    require((a->options & BOTH_WAYS) == (b->options & BOTH_WAYS));
    require(a->ecs.bytes == b->ecs.bytes && memcmp(a->ecs_copy, b->ecs_copy, a->ecs.bytes) == 0);
    if (a->cookie_bytes > 0) {
        require(b->cookie_bytes == PIN_COOKIE_BYTES);
        require(memcmp(a->cookie, b->cookie, COOKIE_CLIENT_BYTES) == 0);
    }
}

static void query_and_back(const uint8_t *data, size_t size, enum pin_transport transport)
{
    struct pin_query query;
    struct pin_query again;
    enum pin_query_verdict verdict = pin_query_parse(data, size, &query);
    if ((verdict != PIN_QUERY_OK && verdict != PIN_QUERY_COOKIE)
        || (transport == PIN_TRANSPORT_UDP && size > PIN_UDP_MAX_BYTES)) {
        return;
    }
    memcpy(wire, data, size);
    uint16_t ede = size % 3 == 0 ? PIN_EDE_STALE_ANSWER : PIN_EDE_NONE;
    size_t bytes = encode(&query, size, transport, ede);
    require(message_parse(wire, bytes, &told) && memcmp(wire, data, 2) == 0);
    require(query.has_edns == told.has_opt);
    require(told.ede == (query.has_edns && ede != PIN_EDE_NONE ? (int)ede : -1));
    wire[2] &= QUERY_FLAGS;
    require(pin_query_parse(wire, bytes, &again) == verdict);
    same_query(&query, &again);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* The question of the message itself waits. False: it has none. */
static bool make_asked(const uint8_t *data, size_t size, struct pin_asked *asked)
{
    size_t bytes = 0;
    const uint8_t *name = data + PIN_HEADER_BYTES;
    size_t left = size < PIN_HEADER_BYTES ? 0 : size - PIN_HEADER_BYTES;
    while (bytes < left && name[bytes] != 0 && name[bytes] <= PIN_LABEL_MAX_BYTES) {
        bytes += name[bytes] + 1u;
    }
    bytes++;
    if (bytes > PIN_NAME_MAX_BYTES || left < bytes + PIN_QUESTION_TAIL_BYTES
        || name[bytes - 1] != 0) {
        return false;
    }
    *asked = (struct pin_asked){.qname = name,
        .qname_bytes = (uint8_t)bytes,
        .id = (uint16_t)pin_get_be16(data),
        .qtype = (uint16_t)pin_get_be16(name + bytes),
        .qclass = (uint16_t)pin_get_be16(name + bytes + 2),
        .is_do = size % 2 == 0,
        .has_edns = true};
    return true;
}

static void reply_and_back(const uint8_t *data, size_t size)
{
    static struct pin_reply *first;
    static struct pin_reply *second;
    struct pin_asked asked;
    if (first == NULL) {
        first = pin_reply_new();
        second = pin_reply_new();
    }
    require(first != NULL && second != NULL);
    if (!make_asked(data, size, &asked)
        || pin_reply_read(data, size, &asked, first) != PIN_REPLY_GOOD) {
        return;
    }
    size_t bytes = upstream_put_body(&asked, first, wire);
    require(message_parse(wire, bytes, &told) || asked.qclass != 1);
    require(pin_reply_read(wire, bytes, &asked, second) == PIN_REPLY_GOOD);
    require(second->kind == first->kind && second->is_denied == first->is_denied);
    require(second->ttl_s == first->ttl_s && second->is_cut == first->is_cut);
    require(memcmp(second->n_rr, first->n_rr, sizeof(first->n_rr)) == 0);
    require(second->n_ttls == first->n_ttls && second->n_pointers == first->n_pointers);
    require(second->body_bytes == first->body_bytes
            && memcmp(second->body, first->body, first->body_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MESSAGE_MAX_BYTES) {
        return 0;
    }
    query_and_back(data, size, PIN_TRANSPORT_UDP);
    query_and_back(data, size, PIN_TRANSPORT_TCP);
    query_and_back(data, size, PIN_TRANSPORT_TLS);
    reply_and_back(data, size);
    return 0;
}
