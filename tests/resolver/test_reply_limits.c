/* SPDX-License-Identifier: Apache-2.0 */

/* Where what is read of a reply comes to an end: pointers followed and written, zones, room. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "reply_rig.h"

#define EXAMPLE_AT  16u /* example.com in the question */
#define TYPE_SOA    6u
#define TYPE_MINFO  14u
#define TYPE_MX     15u
#define TYPE_TXT    16u
#define TYPE_DNAME  39u
#define TYPE_RRSIG  46u
#define TYPE_NSEC   47u
#define TYPE_NSEC3  50u
#define TYPE_ANY    255u
#define CLASS_CH    3u
#define HOPS_MAX    32768u
#define POINTERS    8192u
#define OPT_ROOM    512u
#define SIG_BYTES   18u
#define LONG_SIG_AT 9000u

static void set_counts(unsigned n_answer, unsigned n_authority)
{
    wire[6] = (uint8_t)(n_answer >> 8);
    wire[7] = (uint8_t)n_answer;
    wire[8] = (uint8_t)(n_authority >> 8);
    wire[9] = (uint8_t)n_authority;
}

/* A signature of `more` bytes behind the signer. */
static void put_rrsig(
    unsigned owner_at, uint16_t covers, const char *signer, size_t signer_bytes, size_t more)
{
    static uint8_t rdata[MESSAGE_MAX_BYTES];
    static uint8_t n;
    assert_true(SIG_BYTES + signer_bytes + more <= sizeof(rdata));
    memset(rdata, ++n, sizeof(rdata));
    rdata[0] = (uint8_t)(covers >> 8);
    rdata[1] = (uint8_t)covers;
    memcpy(rdata + SIG_BYTES, signer, signer_bytes);
    put_rr(owner_at, TYPE_RRSIG, rdata, SIG_BYTES + signer_bytes + more);
}

/* Whether a strict reader takes what was made of it. */
static bool is_sound(void)
{
    static uint8_t made[MESSAGE_MAX_BYTES + 1];
    static struct message message;
    return message_parse(made, upstream_put_body(&asked, reply, made), &message);
}

/* --- pointers that are followed ------------------------------------------------------------- */

/* Records of another class, which are stepped over, with owners of so many hops in all. */
static unsigned put_hops(unsigned n_hops)
{
    unsigned n_records = 0;
    unsigned before = 12;
    for (unsigned length = 1; n_hops > 0; length++) {
        unsigned at = (unsigned)used;
        bool is_longer = n_hops >= length;
        n_hops -= is_longer ? length : 1;
        put_rr(is_longer ? before : 12, TYPE_A, "\12\0\0\1", 4);
        wire[at + 5] = CLASS_CH;
        before = is_longer ? at : before;
        n_records++;
    }
    return n_records;
}

/* A DNAME, the CNAME that it makes, and a denial with proofs, all of it signed: with pointers in
 * every owner and in every name that may have one. Behind so many hops that others have made. */
static void deny_behind(unsigned n_hops)
{
    begin(TYPE_A, 0, 0, 0);
    asked.is_do = true;
    unsigned n_stepped = put_hops(n_hops);
    unsigned dname_at = (unsigned)used + 12;
    put_rr(EXAMPLE_AT, TYPE_DNAME, "\1x\xC0\x18", 4);
    put_rrsig(EXAMPLE_AT, TYPE_DNAME, "\7example\3com", 13, 1);
    const uint8_t target[] = {3, 'w', 'w', 'w', (uint8_t)(0xC0 | dname_at >> 8), (uint8_t)dname_at};
    put_rr(12, TYPE_CNAME, target, sizeof(target));
    put_rrsig(12, TYPE_CNAME, "\7example\3com", 13, 1);
    put_rr(dname_at, TYPE_SOA, "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1", 22);
    put_rrsig(dname_at, TYPE_SOA, "\1x\3com", 7, 1);
    put_rr(dname_at, TYPE_NSEC, "\1a\1x\3com\0\0\1\x40", 12);
    put_rr(dname_at, TYPE_NSEC3, "\1\0\0\0\0\1h\0\1\x40", 10);
    set_counts(n_stepped + 4, 4);
}

/* With fewer hops left less comes of it, then nothing; what comes is sound. */
static void test_hops_end_anywhere(void **state)
{
    unsigned n_seen[PIN_REPLY_VERDICTS] = {0};
    unsigned n_partly = 0;
    (void)state;
    deny_behind(0);
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->n_ttls, 8);
    for (unsigned left = 80; left > 0; left--) {
        deny_behind(HOPS_MAX - left);
        enum pin_reply_verdict got = verdict();
        n_seen[got]++;
        assert_true(got == PIN_REPLY_MALFORMED || n_seen[PIN_REPLY_MALFORMED] == 0);
        if (got == PIN_REPLY_GOOD) {
            assert_true(reply->n_ttls <= 8 && is_sound());
            n_partly += reply->n_ttls < 8;
        }
    }
    assert_true(n_partly > 0 && n_partly < n_seen[PIN_REPLY_GOOD]);
    assert_true(n_seen[PIN_REPLY_FAILED] > 0 && n_seen[PIN_REPLY_MALFORMED] > 0);
}

/* --- pointers that are written -------------------------------------------------------------- */

#define N_LABELS 12u
static const char deep[] = "\1a\1b\1c\1d\1e\1f\1g\1h\1i\1j\1k\1l";

/* Records of a name of many labels, whose RDATA are names in it: `n_mx` MX after all the others
 * that can be told apart. Returns how many pointers they take. */
static unsigned put_pointers(unsigned n_mx)
{
    static const uint16_t types[] = {2, 3, 4, 7, 8, 9, 12};
    unsigned n = 0;
    begin(TYPE_ANY, 0, 0, 0);
    asked.qname = (const uint8_t *)deep;
    asked.qname_bytes = sizeof(deep);
    used = 12;
    put(deep, sizeof(deep));
    put_u16(TYPE_ANY);
    put_u16(1);
    for (unsigned i = 0; i < N_LABELS * N_LABELS; i++) {
        const uint8_t names[] = {
            0xC0, (uint8_t)(12 + 2 * (i % N_LABELS)), 0xC0, (uint8_t)(12 + 2 * (i / N_LABELS))};
        put_rr(12, TYPE_MINFO, names, 4);
        n++;
        for (size_t k = 0; k < N_ELEMS(types) && i < N_LABELS; k++, n++) {
            put_rr(12, types[k], names, 2);
        }
    }
    for (unsigned i = 0; i < n_mx; i++) {
        const uint8_t mx[] = {(uint8_t)(i >> 8), (uint8_t)i, 0xC0, 12};
        put_rr(12, TYPE_MX, mx, sizeof(mx));
    }
    set_counts(n + n_mx, 0);
    return 3 * N_LABELS * N_LABELS + 2 * N_LABELS * (unsigned)N_ELEMS(types) + 2 * n_mx;
}

static void test_pointers_in_a_body(void **state)
{
    (void)state;
    unsigned n_fits = (POINTERS - put_pointers(0)) / 2;
    assert_int_equal(put_pointers(n_fits), POINTERS);
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->n_pointers, POINTERS);
    assert_true(is_sound());
    (void)put_pointers(n_fits + 1);
    assert_int_equal(verdict(), PIN_REPLY_FAILED);
}

/* --- room ------------------------------------------------------------------------------------ */

/* TXT that leaves so much room, and an MX whose record takes 18 bytes. */
static void fill_up_to(size_t left)
{
    static uint8_t strings[MESSAGE_MAX_BYTES];
    size_t bytes = UINT16_MAX - OPT_ROOM - BODY_AT - 12 - left;
    begin(TYPE_ANY, 2, 0, 0);
    memset(strings, 'x', sizeof(strings));
    for (size_t at = 0; at < bytes; at += (size_t)strings[at] + 1) {
        strings[at] = (uint8_t)PIN_MIN(bytes - at - 1, (size_t)255);
    }
    put_rr(12, TYPE_TXT, strings, bytes);
    put_rr(12, TYPE_MX, "\0\1\1m\xC0\x10", 6);
}

static void test_body_that_is_full(void **state)
{
    (void)state;
    for (size_t left = 0; left < 24; left++) {
        fill_up_to(left);
        assert_int_equal(verdict(), left < 18 ? PIN_REPLY_FAILED : PIN_REPLY_GOOD);
        assert_true(left < 18 || is_sound());
    }
}

static void test_chain_that_is_full(void **state)
{
    (void)state;
    begin(TYPE_A, 4, 0, 0);
    asked.is_do = true;
    put_rrsig(12, TYPE_CNAME, "", 1, 65200);
    unsigned at = (unsigned)used;
    put_rr(12, TYPE_CNAME, "\1b\4test", 8);
    wire[at] = 0xC0;
    put("\1b\4test\0\0\5\0\1\0\0\0\x3C\0\x8\1c\4test", 26);
    put("\1c\4test\0\0\1\0\1\0\0\0\x3C\0\4\12\0\0\1", 22);
    assert_int_equal(verdict(), PIN_REPLY_FAILED);
}

/* A name that stands too far behind to be pointed at is written again. */
static void test_names_beyond_pointers(void **state)
{
    (void)state;
    begin(TYPE_A, 5, 0, 0);
    asked.is_do = true;
    put_rr(12, TYPE_CNAME, "\1b\4test", 8);
    put_rrsig(12, TYPE_CNAME, "", 1, LONG_SIG_AT);
    put_rrsig(12, TYPE_CNAME, "", 1, LONG_SIG_AT);
    put("\1b\4test\0\0\5\0\1\0\0\0\x3C\0\x7\1c\3net", 25);
    put("\1c\3net\0\0\1\0\1\0\0\0\x3C\0\4\12\0\0\1", 21);
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->n_rr[0], 5);
    assert_true(is_sound());
}

static void test_messages_that_are_too_long(void **state)
{
    (void)state;
    begin(TYPE_A, 1, 0, 0);
    put_a(1);
    used = UINT16_MAX + 1u;
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
}

/* --- zones ----------------------------------------------------------------------------------- */

/* Signers are noted up to a number; proofs of zones beyond are left out. */
static void test_signers_beyond_number(void **state)
{
    (void)state;
    for (unsigned n = 17; n <= 19; n++) {
        begin(TYPE_A, 1 + n, 3, 0);
        asked.is_do = true;
        put_rr(12, TYPE_CNAME, "\1b\4test", 8);
        for (unsigned i = 0; i < n; i++) {
            put_rrsig(12, TYPE_CNAME, "\3com", 5, 1);
        }
        put("\4test\0\0\6\0\1\0\0\0\x3C\0\x16\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1", 38);
        put("\4test\0\0\x2F\0\1\0\0\0\x3C\0\5\1a\0\0\0", 21);
        put("\3com\0\0\x2F\0\1\0\0\0\x3C\0\5\1a\0\0\0", 20);
        assert_int_equal(verdict(), PIN_REPLY_GOOD);
        assert_int_equal(reply->n_rr[0], 1 + n);
        assert_int_equal(reply->n_rr[1], n < 18 ? 3 : 2);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hops_end_anywhere),
        cmocka_unit_test(test_pointers_in_a_body),
        cmocka_unit_test(test_body_that_is_full),
        cmocka_unit_test(test_chain_that_is_full),
        cmocka_unit_test(test_names_beyond_pointers),
        cmocka_unit_test(test_messages_that_are_too_long),
        cmocka_unit_test(test_signers_beyond_number),
    };
    return cmocka_run_group_tests_name("reply_limits", tests, set_up, tear_down);
}
