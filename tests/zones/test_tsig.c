/* SPDX-License-Identifier: Apache-2.0 */

/* Signatures are those that other implementations make, and none but a whole and timely one is
 * good. The vectors were made with dnspython. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/zones/tsig.h"

#define SECRET       "0123456789abcdef0123456789abcdef"
#define OTHER_SECRET "0123456789abcdef0123456789abcdeF"
#define SIGNED_AT_S  1700000000u
#define ANSWERED_S   1700000001u
#define QUESTION                                                                                   \
    "\x12\x34\1\0\0\1\0\0\0\0\0\0"                                                                 \
    "\3www\4corp\4test\0\0\1\0\1"
#define ANSWER                                                                                     \
    "\x12\x34\x81\0\0\1\0\0\0\0\0\0"                                                               \
    "\3www\4corp\4test\0\0\1\0\1"
#define QUESTION_BYTES (sizeof(QUESTION) - 1)
#define ROOM           512u
/* Offsets behind the message: the owner has 13 bytes. */
#define CLASS_AT     (QUESTION_BYTES + 13 + 2)
#define TTL_AT       (CLASS_AT + 2)
#define ALGORITHM_AT (TTL_AT + 6)
#define TIME_AT      (ALGORITHM_AT + 13)
#define MAC_BYTES_AT (TIME_AT + 8)
#define MAC_AT       (MAC_BYTES_AT + 2)

static struct pin_tsig_key some_keys[] = {
    {.hash = PIN_HASH_SHA256, .secret = (const uint8_t *)SECRET, .secret_bytes = 32},
    {.hash = PIN_HASH_SHA256, .secret = (const uint8_t *)OTHER_SECRET, .secret_bytes = 32},
};

static const struct pin_tsig_keys keys = {.items = some_keys, .n = N_ELEMS(some_keys)};

/* Signs the question as a client would; returns the length. */
static size_t sign_question(struct pin_tsig *tsig, const struct pin_tsig_key *key, uint8_t *wire)
{
    memcpy(wire, QUESTION, QUESTION_BYTES);
    pin_tsig_begin(tsig, key);
    return pin_tsig_sign(tsig, PIN_TSIG_FIRST, wire, QUESTION_BYTES, ROOM, SIGNED_AT_S);
}

/* --- vectors ---------------------------------------------------------------------------------- */

static struct vector_case {
    const char *name; /* reads as a sentence in the test report */
    enum pin_hash hash;
    const char *request_mac;
    const char *answer_mac;
} vectors[] = {
    {"HMAC-SHA224 is what another implementation makes of it", PIN_HASH_SHA224,
        "faaebdda7e36dd947242d4918c10750c2c0d8b6eac8c8ac0900b15ab",
        "f315eb8ae27c3e286cae99054d0fee40265272b14dfb67e6fcf90284"},
    {"HMAC-SHA256 is what another implementation makes of it", PIN_HASH_SHA256,
        "7003ead510a6d1178746ed4188c2f30bb89de2ca6c6b661d6b3626432de2bce6",
        "5681d627d598a71bb11eafa80bdad983e192ca7df9d90216e055d012f392c5a9"},
    {"HMAC-SHA384 is what another implementation makes of it", PIN_HASH_SHA384,
        "d8e17522d36418d3e70e494450a7d5b4528a33ba7adb73e69149d7ad8b83246a"
        "148d92be684b114c2b1c27ae3dce1b3e",
        "9e8d3f80e56c6d95eb4c5f4b9dd673e49c68941538774ac3d0c73a10697042c9"
        "85f90eb7508aa197e8beacc984830c4a"},
    {"HMAC-SHA512 is what another implementation makes of it", PIN_HASH_SHA512,
        "b4338e543c693d35488cc352611380918bd285de17b407eb0965186569cd1435"
        "2a9fd7d6a98bc5ee973f9d1691c67f02147373dd8fd7296d4ec3c37d0a13c529",
        "230bd5c5ea4b7be4aeea682f7c8488c70ddf45bc70907691254335248745bf82"
        "53d8bc9228fff465aa963f5f36e1ea0591901574702885565685df0dbc98e9d0"},
};

static void test_vector(void **state)
{
    const struct vector_case *c = *state;
    uint8_t wire[ROOM];
    char hex[2 * PIN_HASH_MAX_BYTES + 1];
    struct pin_tsig client;
    struct pin_tsig server;
    some_keys[0].hash = c->hash;
    size_t bytes = sign_question(&client, &some_keys[0], wire);
    assert_int_equal(bytes, QUESTION_BYTES + 52 + pin_hash_bytes(c->hash));
    assert_string_equal(pin_hex_encode(client.mac, client.mac_bytes, hex), c->request_mac);
    assert_int_equal(
        pin_tsig_verify(&keys, wire, bytes, QUESTION_BYTES, SIGNED_AT_S, &server), PIN_TSIG_GOOD);

    memcpy(wire, QUESTION, QUESTION_BYTES);
    wire[2] |= 0x80;
    bytes = pin_tsig_sign(&server, PIN_TSIG_FIRST, wire, QUESTION_BYTES, ROOM, ANSWERED_S);
    assert_string_equal(pin_hex_encode(server.mac, server.mac_bytes, hex), c->answer_mac);
    assert_int_equal(
        pin_tsig_verify_answer(&client, wire, bytes, QUESTION_BYTES, ANSWERED_S), PIN_TSIG_GOOD);
    some_keys[0].hash = PIN_HASH_SHA256;
}

/* --- what is wrong ---------------------------------------------------------------------------- */

static struct wrong_case {
    const char *name; /* reads as a sentence in the test report */
    size_t at;        /* where bytes of a signed question are changed */
    const char *bytes;
    size_t n_bytes;
    int64_t late_s;
    enum pin_tsig_verdict want;
    uint16_t error;
} wrong_cases[] = {
    {"an untouched one is good", 0, "", 0, 0, PIN_TSIG_GOOD, 0},
    {"300 s late is good", 0, "", 0, 300, PIN_TSIG_GOOD, 0},
    {"300 s early is good", 0, "", 0, -300, PIN_TSIG_GOOD, 0},
    {"301 s late is BADTIME", 0, "", 0, 301, PIN_TSIG_BAD, PIN_TSIG_BADTIME},
    {"301 s early is BADTIME", 0, "", 0, -301, PIN_TSIG_BAD, PIN_TSIG_BADTIME},
    {"a changed id is fine: the original one is signed", 0, "\0\1", 2, 0, PIN_TSIG_GOOD, 0},
    {"a changed flag is BADSIG", 2, "\0", 1, 0, PIN_TSIG_BAD, PIN_TSIG_BADSIG},
    {"a changed name is BADSIG", 13, "x", 1, 0, PIN_TSIG_BAD, PIN_TSIG_BADSIG},
    {"letters of the key's name do not matter", QUESTION_BYTES + 1, "KEY", 3, 0, PIN_TSIG_GOOD, 0},
    {"another key's name is BADKEY", QUESTION_BYTES + 1, "kex", 3, 0, PIN_TSIG_BAD,
        PIN_TSIG_BADKEY},
    {"another key's name that we have is BADSIG", QUESTION_BYTES + 1, "kez", 3, 0, PIN_TSIG_BAD,
        PIN_TSIG_BADSIG},
    {"an algorithm that is not the key's is BADKEY", ALGORITHM_AT + 9, "512", 3, 0, PIN_TSIG_BAD,
        PIN_TSIG_BADKEY},
    {"an unknown algorithm is BADKEY", ALGORITHM_AT + 9, "999", 3, 0, PIN_TSIG_BAD,
        PIN_TSIG_BADKEY},
    {"a compressed algorithm is malformed", ALGORITHM_AT, "\xc0\x0c", 2, 0, PIN_TSIG_FORMERR, 0},
    {"a changed time is BADSIG", TIME_AT + 5, "\1", 1, 0, PIN_TSIG_BAD, PIN_TSIG_BADSIG},
    {"a changed fudge is BADSIG", TIME_AT + 7, "\xff", 1, 0, PIN_TSIG_BAD, PIN_TSIG_BADSIG},
    {"the first byte of the MAC counts", MAC_AT, "\0", 1, 0, PIN_TSIG_BAD, PIN_TSIG_BADSIG},
    {"the last byte of the MAC counts", MAC_AT + 31, "\0", 1, 0, PIN_TSIG_BAD, PIN_TSIG_BADSIG},
    {"class IN is malformed", CLASS_AT, "\0\1", 2, 0, PIN_TSIG_FORMERR, 0},
    {"a TTL is malformed", TTL_AT + 3, "\1", 1, 0, PIN_TSIG_FORMERR, 0},
    {"a MAC past the end is malformed", MAC_BYTES_AT, "\xff\xff", 2, 0, PIN_TSIG_FORMERR, 0},
    {"a MAC of one byte is malformed", MAC_BYTES_AT, "\0\1", 2, 0, PIN_TSIG_FORMERR, 0},
    {"an error in a request is malformed", MAC_AT + 32 + 2, "\0\x11", 2, 0, PIN_TSIG_FORMERR, 0},
    {"other data past the end is malformed", MAC_AT + 32 + 4, "\0\1", 2, 0, PIN_TSIG_FORMERR, 0},
    {"an owner that points at itself is malformed", QUESTION_BYTES, "\xc0\x22", 2, 0,
        PIN_TSIG_FORMERR, 0},
};

static void test_wrong(void **state)
{
    const struct wrong_case *c = *state;
    uint8_t wire[ROOM];
    struct pin_tsig client;
    struct pin_tsig server;
    size_t bytes = sign_question(&client, &some_keys[0], wire);
    memcpy(wire + c->at, c->bytes, c->n_bytes);
    uint64_t now_s = (uint64_t)((int64_t)SIGNED_AT_S + c->late_s);
    assert_int_equal(pin_tsig_verify(&keys, wire, bytes, QUESTION_BYTES, now_s, &server), c->want);
    if (c->want != PIN_TSIG_FORMERR) {
        assert_int_equal(server.error, c->error);
    }
}

static void test_every_length_cut_is_harmless(void **state)
{
    uint8_t wire[ROOM];
    struct pin_tsig client;
    struct pin_tsig server;
    (void)state;
    size_t whole = sign_question(&client, &some_keys[0], wire);
    for (size_t bytes = QUESTION_BYTES; bytes < whole; bytes++) {
        assert_int_equal(pin_tsig_verify(&keys, wire, bytes, QUESTION_BYTES, SIGNED_AT_S, &server),
            PIN_TSIG_FORMERR);
    }
}

/* Cuts the MAC of a signed question to `mac_bytes`; returns the message's length. */
static size_t cut_mac(uint8_t *wire, size_t bytes, uint8_t mac_bytes)
{
    size_t less = 32u - mac_bytes;
    memmove(wire + MAC_AT + mac_bytes, wire + MAC_AT + 32, bytes - MAC_AT - 32);
    wire[MAC_BYTES_AT + 1] = mac_bytes;
    wire[TTL_AT + 5] = (uint8_t)(wire[TTL_AT + 5] - less);
    return bytes - less;
}

static void test_a_cut_mac_is_told_with_a_signature(void **state)
{
    uint8_t wire[ROOM];
    struct pin_tsig client;
    struct pin_tsig server;
    (void)state;
    size_t bytes = cut_mac(wire, sign_question(&client, &some_keys[0], wire), 16);
    assert_int_equal(
        pin_tsig_verify(&keys, wire, bytes, QUESTION_BYTES, SIGNED_AT_S, &server), PIN_TSIG_BAD);
    assert_int_equal(server.error, PIN_TSIG_BADTRUNC);
    bytes = cut_mac(wire, sign_question(&client, &some_keys[0], wire), 15);
    assert_int_equal(pin_tsig_verify(&keys, wire, bytes, QUESTION_BYTES, SIGNED_AT_S, &server),
        PIN_TSIG_FORMERR);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void test_a_late_request_is_told_the_time(void **state)
{
    uint8_t wire[ROOM];
    struct pin_tsig client;
    struct pin_tsig server;
    (void)state;
    size_t bytes = sign_question(&client, &some_keys[0], wire);
    (void)pin_tsig_verify(&keys, wire, bytes, QUESTION_BYTES, SIGNED_AT_S + 1000, &server);
    memcpy(wire, QUESTION, QUESTION_BYTES);
    bytes = pin_tsig_sign(&server, PIN_TSIG_FIRST, wire, QUESTION_BYTES, ROOM, SIGNED_AT_S + 1000);
    assert_memory_equal(wire + bytes - 6, "\0\0\x65\x53\xf4\xe8", 6); /* our clock */
    assert_int_equal(
        pin_tsig_verify_answer(&client, wire, bytes, QUESTION_BYTES, SIGNED_AT_S), PIN_TSIG_BAD);
    assert_int_equal(client.error, PIN_TSIG_BADTIME); /* and the answer itself is signed */
}

static void test_an_unknown_key_is_told_without_a_mac(void **state)
{
    static const struct pin_tsig_keys none = {0};
    uint8_t wire[ROOM];
    struct pin_tsig client;
    struct pin_tsig server;
    (void)state;
    size_t bytes = sign_question(&client, &some_keys[0], wire);
    assert_int_equal(
        pin_tsig_verify(&none, wire, bytes, QUESTION_BYTES, SIGNED_AT_S, &server), PIN_TSIG_BAD);
    memcpy(wire, QUESTION, QUESTION_BYTES);
    bytes = pin_tsig_sign(&server, PIN_TSIG_FIRST, wire, QUESTION_BYTES, ROOM, SIGNED_AT_S);
    assert_int_equal(bytes, QUESTION_BYTES + 52);
    assert_memory_equal(wire + MAC_BYTES_AT, "\0\0\x12\x34\0\x11\0\0", 8);
    assert_int_equal(wire[11], 1);
}

static void test_a_sequence_is_signed_link_by_link(void **state)
{
    uint8_t first[ROOM];
    uint8_t second[ROOM];
    struct pin_tsig client;
    struct pin_tsig server;
    (void)state;
    size_t bytes = sign_question(&client, &some_keys[0], first);
    (void)pin_tsig_verify(&keys, first, bytes, QUESTION_BYTES, SIGNED_AT_S, &server);
    memcpy(first, QUESTION, QUESTION_BYTES);
    memcpy(second, QUESTION, QUESTION_BYTES);
    size_t room = QUESTION_BYTES + pin_tsig_room(&server);
    size_t first_bytes =
        pin_tsig_sign(&server, PIN_TSIG_FIRST, first, QUESTION_BYTES, room, SIGNED_AT_S);
    size_t second_bytes =
        pin_tsig_sign(&server, PIN_TSIG_NEXT, second, QUESTION_BYTES, room, SIGNED_AT_S);
    assert_true(first_bytes > 0 && first_bytes <= room);
    assert_int_equal(first_bytes, second_bytes);
    assert_memory_not_equal(first + MAC_AT, second + MAC_AT, 32);
    assert_int_equal(
        pin_tsig_sign(&server, PIN_TSIG_NEXT, second, QUESTION_BYTES, room - 7, SIGNED_AT_S), 0);
}

/* dnspython's MAC of a message behind two unsigned ones and a signed one. */
static const uint8_t next_mac[] = {0xd6, 0x20, 0xe5, 0xe3, 0xf2, 0x31, 0x1f, 0x03, 0x25, 0x57, 0x7f,
    0xd2, 0x12, 0xa2, 0x79, 0x3f, 0xab, 0x13, 0x2b, 0x1e, 0xe9, 0xc2, 0x65, 0x75, 0xc8, 0xe3, 0x96,
    0x7c, 0x53, 0xd3, 0x8c, 0x4f};

/* The first message of an answer was verified; `ret_wire` holds a third one behind it. */
static size_t answer_in_turns(struct pin_tsig *client, uint8_t *ret_wire)
{
    struct pin_tsig server;
    uint8_t wire[ROOM];
    size_t bytes = sign_question(client, &some_keys[0], wire);
    (void)pin_tsig_verify(&keys, wire, bytes, QUESTION_BYTES, SIGNED_AT_S, &server);
    memcpy(wire, ANSWER, QUESTION_BYTES);
    bytes = pin_tsig_sign(&server, PIN_TSIG_FIRST, wire, QUESTION_BYTES, ROOM, SIGNED_AT_S);
    assert_int_equal(
        pin_tsig_verify_answer(client, wire, bytes, QUESTION_BYTES, SIGNED_AT_S), PIN_TSIG_GOOD);
    memcpy(ret_wire, ANSWER, QUESTION_BYTES);
    bytes = pin_tsig_sign(&server, PIN_TSIG_NEXT, ret_wire, QUESTION_BYTES, ROOM, SIGNED_AT_S);
    memcpy(ret_wire + MAC_AT, next_mac, sizeof(next_mac));
    return bytes;
}

static void test_messages_without_a_signature_are_covered_by_the_next_one(void **state)
{
    static const char two[] = ANSWER ANSWER;
    const struct pin_piece both = {.ptr = two, .bytes = sizeof(two) - 1};
    const struct pin_piece one = {.ptr = two, .bytes = QUESTION_BYTES};
    struct pin_tsig client;
    uint8_t wire[ROOM];
    (void)state;
    struct pin_piece message = {.ptr = wire, .bytes = answer_in_turns(&client, wire)};
    struct pin_tsig kept = client;
    assert_int_equal(
        pin_tsig_verify_next(&client, &both, &message, QUESTION_BYTES, SIGNED_AT_S), PIN_TSIG_GOOD);
    client = kept;
    assert_int_equal(
        pin_tsig_verify_next(&client, &one, &message, QUESTION_BYTES, SIGNED_AT_S), PIN_TSIG_BAD);
    assert_int_equal(client.error, PIN_TSIG_BADSIG);
    client = kept;
    assert_int_equal(
        pin_tsig_verify_next(&client, &both, &message, QUESTION_BYTES, SIGNED_AT_S + 301),
        PIN_TSIG_BAD);
    assert_int_equal(client.error, PIN_TSIG_BADTIME);
}

static void test_a_server_that_knows_no_key_says_so_without_a_mac(void **state)
{
    const struct pin_tsig_keys none = {0};
    struct pin_tsig client;
    struct pin_tsig server;
    uint8_t wire[ROOM];
    (void)state;
    size_t bytes = sign_question(&client, &some_keys[0], wire);
    (void)pin_tsig_verify(&none, wire, bytes, QUESTION_BYTES, SIGNED_AT_S, &server);
    bytes = pin_tsig_sign(&server, PIN_TSIG_FIRST, wire, QUESTION_BYTES, ROOM, SIGNED_AT_S);
    assert_int_equal(
        pin_tsig_verify_answer(&client, wire, bytes, QUESTION_BYTES, SIGNED_AT_S), PIN_TSIG_BAD);
    assert_int_equal(client.error, PIN_TSIG_BADKEY);
}

static int set_up(void **state)
{
    (void)state;
    (void)pin_name_parse("key.example", &some_keys[0].name);
    (void)pin_name_parse("kez.example", &some_keys[1].name);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(vectors) + N_ELEMS(wrong_cases) + 7] = {
        cmocka_unit_test(test_every_length_cut_is_harmless),
        cmocka_unit_test(test_a_cut_mac_is_told_with_a_signature),
        cmocka_unit_test(test_a_late_request_is_told_the_time),
        cmocka_unit_test(test_an_unknown_key_is_told_without_a_mac),
        cmocka_unit_test(test_a_sequence_is_signed_link_by_link),
        cmocka_unit_test(test_messages_without_a_signature_are_covered_by_the_next_one),
        cmocka_unit_test(test_a_server_that_knows_no_key_says_so_without_a_mac),
    };
    size_t n = 7;
    for (size_t i = 0; i < N_ELEMS(vectors); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = vectors[i].name, .test_func = test_vector, .initial_state = &vectors[i]};
    }
    for (size_t i = 0; i < N_ELEMS(wrong_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = wrong_cases[i].name, .test_func = test_wrong, .initial_state = &wrong_cases[i]};
    }
    return cmocka_run_group_tests_name("tsig", tests, set_up, NULL);
}
