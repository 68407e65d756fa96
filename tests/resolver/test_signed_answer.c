/* SPDX-License-Identifier: Apache-2.0 */

/* A signed answer is never longer than its client takes, and padded as a whole; where the TSIG
 * leaves no room for the rest, the rest goes (RFC 8945, section 5.3; RFC 8467). */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/zones/tsig.h"

#include "resolver/answer.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define NOW_S         INT64_C(1700000000)
#define SECRET        "0123456789abcdef0123456789abcdef"
#define FLAG_TC       0x0200u
#define PADDING_BLOCK 468u
#define SLOT_BYTES    1344u
#define LATE_S        400

#define OPTION_PADDING "\0\x0c\0\4\0\0\0\0"
/* NSID, ECS, EXPIRE, cookie: all that UDP answers. */
#define OPTION_ALL "\0\3\0\0\0\x08\0\7\0\1\x18\0\xc0\0\2\0\x09\0\0\0\x0a\0\x08\1\2\3\4\5\6\7\x08"

static struct world *world;
static struct pin_worker worker;
static struct pin_manners manners;
static uint8_t buffer[65536];
static struct message reply;
static struct pin_tsig_key key;

/* A name of that many bytes. */
static struct pin_name name_of(size_t bytes)
{
    struct pin_name name = {.bytes = (uint8_t)bytes};
    size_t at = 0;
    while (bytes - at > 1) {
        size_t label = PIN_MIN(bytes - at - 2, (size_t)PIN_LABEL_MAX_BYTES);
        if (bytes - at - 2 - label == 1) {
            label--; /* no room for a label of one more byte */
        }
        name.wire[at] = (uint8_t)label;
        memset(name.wire + at + 1, 'k', label);
        at += label + 1;
    }
    name.wire[at] = 0;
    return name;
}

/* How the client signs, and what it waits for. */
struct client {
    const struct pin_tsig_key *key;
    struct pin_tsig tsig;
    int64_t signed_s;
};

/* Asks, signed; the answer is in `reply`. Returns its length. */
static size_t ask(
    struct client *client, const struct message_query *query, enum pin_transport transport)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000263)};
    struct pin_client from = {.peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = transport};
    size_t bytes = message_build(query, buffer);
    pin_tsig_begin(&client->tsig, client->key);
    bytes = pin_tsig_sign(
        &client->tsig, PIN_TSIG_FIRST, buffer, bytes, sizeof(buffer), (uint64_t)client->signed_s);
    assert_true(bytes > 0);
    struct pin_packet packet = {.wire = buffer,
        .bytes = bytes,
        .cap_bytes = transport == PIN_TRANSPORT_UDP ? SLOT_BYTES : PIN_STREAM_MAX_BYTES};
    return pin_answer(&worker, &from, &packet);
}

/* Reads the answer without its TSIG, and finds out where that starts; 0: it has none. */
static size_t read_answer(size_t bytes)
{
    static uint8_t copy[sizeof(buffer)];
    struct pin_query read;
    memcpy(copy, buffer, bytes);
    copy[2] &= 0x7F; /* so that it can be read like a query */
    enum pin_query_verdict verdict = pin_query_parse(copy, bytes, &read);
    assert_true(verdict == PIN_QUERY_OK || buffer[5] == 0);
    memcpy(copy, buffer, bytes);
    copy[11] -= read.has_tsig;
    assert_true(message_parse(copy, read.has_tsig ? read.tsig_at : bytes, &reply));
    return read.has_tsig ? read.tsig_at : 0;
}

/* Reads the answer and believes it. */
static void verify(struct client *client, size_t bytes)
{
    size_t tsig_at = read_answer(bytes);
    assert_int_equal(pin_tsig_verify_answer(&client->tsig, buffer, bytes, tsig_at, (uint64_t)NOW_S),
        PIN_TSIG_GOOD);
}

/* --- never too long --------------------------------------------------------------------------- */

static void try_size(size_t key_name_bytes, uint16_t edns_bytes, const char *qname, uint16_t type)
{
    struct client client = {.key = &key, .signed_s = NOW_S};
    struct message_query query = {.name = qname,
        .type = type,
        .has_edns = edns_bytes != 0,
        .edns_bytes = edns_bytes,
        .options = (const uint8_t *)OPTION_ALL,
        .options_bytes = edns_bytes != 0 ? sizeof(OPTION_ALL) - 1 : 0};
    key.name = name_of(key_name_bytes);
    size_t bytes = ask(&client, &query, PIN_TRANSPORT_UDP);
    assert_true(bytes <= PIN_MAX(edns_bytes, 512));
    verify(&client, bytes);
    assert_int_equal(reply.has_opt, query.has_edns);
    assert_int_equal(reply.rcode, 0);
    if ((reply.flags & FLAG_TC) != 0) {
        assert_int_equal(reply.n_rr[1] + reply.n_rr[2], 0);
        assert_int_equal(reply.n_records, 0); /* the TSIG alone */
    }
}

static void test_no_answer_is_too_long(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
    } questions[] = {{"t.example", 6}, {"big.t.example", 16}, {"whole.t.example", 1}, {NULL, 28}};
    static const uint16_t sizes[] = {0, 512, 513, 600, 1231, 1232};
    static const enum pin_hash hashes[] = {PIN_HASH_SHA256, PIN_HASH_SHA384, PIN_HASH_SHA512};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(questions) * N_ELEMS(sizes) * N_ELEMS(hashes); i++) {
        size_t q = i % N_ELEMS(questions);
        size_t rest = i / N_ELEMS(questions);
        key.hash = hashes[rest / N_ELEMS(sizes)];
        for (size_t bytes = 3; bytes <= PIN_NAME_MAX_BYTES; bytes += bytes < 200 ? 12 : 1) {
            try_size(bytes, sizes[rest % N_ELEMS(sizes)],
                questions[q].name != NULL ? questions[q].name : world_longest, questions[q].type);
        }
    }
}

/* The last byte decides: one more of the key's name, and the answer is cut to nothing. */
static void test_the_edge(void **state)
{
    struct client client = {.key = &key, .signed_s = NOW_S};
    const struct message_query query = {.name = "www.t.example", .type = 1};
    /* header, question, one A; type to RDLENGTH, algorithm, RDATA, MAC */
    size_t fixed = 12 + 15 + 4 + 16 + 10 + 13 + 16 + 64;
    (void)state;
    key.hash = PIN_HASH_SHA512;
    for (size_t over = 0; over <= 4; over++) {
        const struct message_query long_query = {.name = world_longest, .type = 1};
        size_t other = fixed + 255 - 15;
        key.name = name_of(512 - other + over);
        size_t bytes = ask(&client, &long_query, PIN_TRANSPORT_UDP);
        verify(&client, bytes);
        assert_int_equal(bytes, over == 0 ? 512 : 512 - 16 + over);
        assert_int_equal(reply.n_rr[1], over == 0);
        assert_int_equal((reply.flags & FLAG_TC) != 0, over != 0);
    }
    key.name = name_of(10);
    size_t bytes = ask(&client, &query, PIN_TRANSPORT_UDP);
    verify(&client, bytes);
    assert_int_equal(bytes, fixed + 10);
    assert_int_equal(reply.n_rr[1], 1);
}

/* A question that has no room beside the TSIG is left out. */
static void test_the_question_gives_way(void **state)
{
    struct client client = {.key = &key, .signed_s = NOW_S};
    (void)state;
    key.hash = PIN_HASH_SHA512;
    key.name = name_of(PIN_NAME_MAX_BYTES);
    verify(&client,
        ask(&client, &(struct message_query){.name = world_longest, .type = 1}, PIN_TRANSPORT_UDP));
    assert_int_equal(reply.n_question, 0);
    assert_true((reply.flags & FLAG_TC) != 0);
    verify(&client,
        ask(&client, &(struct message_query){.name = world_longest, .type = 1}, PIN_TRANSPORT_TCP));
    assert_int_equal(reply.n_question, 1);
    assert_int_equal(reply.n_rr[1], 1);
}

/* Two names as long as they can be have no room at all: the answer says so over UDP, and why over
 * TCP. */
static void test_what_cannot_be_signed_is_told_over_tcp(void **state)
{
    struct pin_tsig_key unknown = {
        .hash = PIN_HASH_SHA256, .secret = (const uint8_t *)SECRET, .secret_bytes = 32};
    struct client client = {.key = &unknown, .signed_s = NOW_S};
    const struct message_query query = {.name = world_longest, .type = 1};
    (void)state;
    key.name = name_of(9);
    unknown.name = name_of(PIN_NAME_MAX_BYTES);
    for (int is_stream = 0; is_stream < 2; is_stream++) {
        enum pin_transport transport = is_stream ? PIN_TRANSPORT_TCP : PIN_TRANSPORT_UDP;
        size_t bytes = ask(&client, &query, transport);
        assert_true(read_answer(bytes) != 0);
        assert_int_equal(reply.rcode, 9);
        assert_true(is_stream || bytes <= 512);
    }
    struct sockaddr_in peer = {.sin_family = AF_INET};
    struct pin_client from = {
        .peer = (const struct sockaddr *)&peer, .listen_cluster_id = PIN_CLUSTER_NONE};
    size_t bytes = message_build(&query, buffer);
    pin_tsig_begin(&client.tsig, &unknown);
    client.tsig.algorithm = name_of(PIN_NAME_MAX_BYTES);
    bytes = pin_tsig_sign(&client.tsig, PIN_TSIG_FIRST, buffer, bytes, sizeof(buffer), NOW_S);
    struct pin_packet packet = {.wire = buffer, .bytes = bytes, .cap_bytes = SLOT_BYTES};
    bytes = pin_answer(&worker, &from, &packet);
    assert_int_equal(read_answer(bytes), 0);
    assert_true(bytes <= 512);
    assert_int_equal(reply.rcode, 9);
    assert_int_equal(reply.n_records, 0);
    assert_true((reply.flags & FLAG_TC) != 0);
}

/* --- the room is what is taken ---------------------------------------------------------------- */

static void test_room_is_exact(void **state)
{
    static const uint16_t errors[] = {0, PIN_TSIG_BADSIG, PIN_TSIG_BADTIME, PIN_TSIG_BADTRUNC};
    static const enum pin_hash hashes[] = {PIN_HASH_SHA256, PIN_HASH_SHA384, PIN_HASH_SHA512};
    (void)state;
    key.name = name_of(9);
    for (size_t i = 0; i < N_ELEMS(errors) * N_ELEMS(hashes) * 2; i++) {
        struct pin_tsig tsig;
        key.hash = hashes[i / 2 % N_ELEMS(hashes)];
        pin_tsig_begin(&tsig, &key);
        tsig.error = errors[i / 2 / N_ELEMS(hashes)];
        tsig.key = i % 2 == 0 ? &key : NULL; /* NULL: unknown, BADKEY */
        size_t room = pin_tsig_room(&tsig);
        size_t bytes =
            message_build(&(struct message_query){.name = "www.t.example", .type = 1}, buffer);
        assert_int_equal(
            pin_tsig_sign(&tsig, PIN_TSIG_FIRST, buffer, bytes, bytes + room - 1, NOW_S), 0);
        assert_int_equal(
            pin_tsig_sign(&tsig, PIN_TSIG_FIRST, buffer, bytes, bytes + room, NOW_S), bytes + room);
    }
}

/* --- padding ---------------------------------------------------------------------------------- */

static void test_signed_answers_are_padded_as_a_whole(void **state)
{
    static const enum pin_hash hashes[] = {PIN_HASH_SHA256, PIN_HASH_SHA384, PIN_HASH_SHA512};
    static const struct {
        const char *name;
        uint16_t type;
    } questions[] = {{"t.example", 6}, {"big.t.example", 16}, {"example.com", 1}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(hashes) * N_ELEMS(questions) * 2; i++) {
        struct client client = {.key = &key, .signed_s = NOW_S};
        const struct message_query query = {.name = questions[i / 2 % N_ELEMS(questions)].name,
            .type = questions[i / 2 % N_ELEMS(questions)].type,
            .has_edns = true,
            .edns_bytes = 1232,
            .options = (const uint8_t *)OPTION_PADDING,
            .options_bytes = sizeof(OPTION_PADDING) - 1};
        key.hash = hashes[i / 2 / N_ELEMS(questions)];
        key.name = name_of(20);
        size_t bytes = ask(&client, &query, i % 2 == 0 ? PIN_TRANSPORT_TLS : PIN_TRANSPORT_HTTPS);
        verify(&client, bytes);
        assert_int_equal(bytes % PADDING_BLOCK, 0);
    }
}

/* Who is told that it is late gets our time, which counts as well. */
static void test_a_late_client_is_padded_too(void **state)
{
    struct client client = {.key = &key, .signed_s = NOW_S - LATE_S};
    const struct message_query query = {.name = "t.example",
        .type = 6,
        .has_edns = true,
        .edns_bytes = 1232,
        .options = (const uint8_t *)OPTION_PADDING,
        .options_bytes = sizeof(OPTION_PADDING) - 1};
    (void)state;
    key.name = name_of(20);
    size_t bytes = ask(&client, &query, PIN_TRANSPORT_TLS);
    (void)read_answer(bytes);
    assert_int_equal(reply.rcode, 9);
    assert_int_equal(bytes, PADDING_BLOCK);
}

/* --- around it -------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static const struct pin_tsig_keys keys = {.items = &key, .n = 1};
    (void)state;
    world = world_new();
    if (pin_worker_init(&worker, &world->live, PIN_TRANSPORT_UDP, 0) != PIN_OK) {
        return -1;
    }
    manners = (struct pin_manners){
        .has_cookies = true, .secret = {.is_shared = true}, .identity = {.bytes = 128}};
    memset(manners.identity.text, 'i', sizeof(manners.identity.text));
    key = (struct pin_tsig_key){
        .hash = PIN_HASH_SHA256, .secret = (const uint8_t *)SECRET, .secret_bytes = 32};
    worker.manners = &manners;
    worker.keys = &keys;
    pin_clock_set_fake(1000, NOW_S * 1000);
    world_set_scene(world, true, false, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_clock_set_real();
    pin_worker_done(&worker);
    world_free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_answer_is_too_long),
        cmocka_unit_test(test_the_edge),
        cmocka_unit_test(test_the_question_gives_way),
        cmocka_unit_test(test_what_cannot_be_signed_is_told_over_tcp),
        cmocka_unit_test(test_room_is_exact),
        cmocka_unit_test(test_signed_answers_are_padded_as_a_whole),
        cmocka_unit_test(test_a_late_client_is_padded_too),
    };
    return cmocka_run_group_tests_name("signed answer", tests, set_up, tear_down);
}
