/* SPDX-License-Identifier: Apache-2.0 */

/* A transfer is a zone when all of it is there, and nothing otherwise. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/buf.h"
#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/zones/rdata.h"
#include "pintle/zones/table.h"

#include "sync/dnsmsg.h"
#include "sync/xfr.h"

#define ID           0x1234u
#define MESSAGE_MAX  4096u
#define TEXT_MAX     1024u
#define NOW_S        1700000000u
#define TSIG_MESSAGE 256u

/* Messages of an answer, '|' between them, records with ';' between them: "S7" is the SOA with that
 * serial, "a A 192.0.2.1" a record of a.example.com, "+a A ..." one of another zone, "!5" an RCODE
 * in the place of all that. */
static struct row_case {
    const char *name; /* reads as a sentence in the test report */
    const char *rows;
    uint32_t serial; /* IXFR from it; 0: AXFR */
    enum pin_xfr_state want;
    const char *listing; /* "a A 192.0.2.1,192.0.2.2;"; or a part of the message */
} rows[] = {
    {"a zone in one message", "S7;a A 192.0.2.1;b A 192.0.2.2;S7", 0, PIN_XFR_DONE,
        "a A 192.0.2.1;b A 192.0.2.2;"},
    {"a zone in many messages", "S7|b A 192.0.2.2|a A 192.0.2.1|S7", 0, PIN_XFR_DONE,
        "a A 192.0.2.1;b A 192.0.2.2;"},
    {"an empty zone", "S7;S7", 0, PIN_XFR_DONE, ""},
    {"values of a set come together",
        "S7;a A 192.0.2.2;b A 192.0.2.3;a A 192.0.2.1;a A 192.0.2.2;S7", 0, PIN_XFR_DONE,
        "a A 192.0.2.1,192.0.2.2;b A 192.0.2.3;"},
    {"types are sets of their own", "S7;a TXT \"x\";a A 192.0.2.1;S7", 0, PIN_XFR_DONE,
        "a A 192.0.2.1;a TXT \"x\";"},
    {"what the server signs with is not listed", "S7;a NSEC \\# 1 00;a RRSIG \\# 1 00;S7", 0,
        PIN_XFR_DONE, ""},
    {"the end is missing", "S7;a A 192.0.2.1", 0, PIN_XFR_MORE, ""},
    {"the start is missing", "a A 192.0.2.1;S7", 0, PIN_XFR_FAULT, "does not begin with a SOA"},
    {"another serial at the end", "S7;a A 192.0.2.1;S8", 0, PIN_XFR_FAULT, "has serial 8"},
    {"records behind the end", "S7;a A 192.0.2.1;S7;b A 192.0.2.1", 0, PIN_XFR_FAULT,
        "behind the last SOA"},
    {"a record of another zone", "S7;+a A 192.0.2.1;S7", 0, PIN_XFR_FAULT, "not of this zone"},
    {"an error at once", "!5", 0, PIN_XFR_FAULT, "REFUSED"},
    {"an error in the middle", "S7;a A 192.0.2.1|!2", 0, PIN_XFR_FAULT, "SERVFAIL"},
    {"a malformed record", "S7;a A \\# 3 0a0000;S7", 0, PIN_XFR_FAULT,
        "malformed record of type A"},
    {"nothing has changed", "S5", 5, PIN_XFR_DONE, "unchanged"},
    {"a server whose serial went back is asked for all of it", "S4", 5, PIN_XFR_AGAIN, ""},
    {"a serial goes round", "S1|S4294967295|S1|c A 192.0.2.3|S1", 4294967295, PIN_XFR_DONE,
        "a A 192.0.2.1;b A 192.0.2.2;c A 192.0.2.3;"},
    {"one difference", "S7;S5;a A 192.0.2.1;S7;c A 192.0.2.3;S7", 5, PIN_XFR_DONE,
        "b A 192.0.2.2;c A 192.0.2.3;"},
    {"two differences", "S7;S5;a A 192.0.2.1;S6;c A 192.0.2.3;S6;c A 192.0.2.3;S7;a A 192.0.2.9;S7",
        5, PIN_XFR_DONE, "a A 192.0.2.9;b A 192.0.2.2;"},
    {"what goes and comes again is there", "S7;S5;a A 192.0.2.1;S7;a A 192.0.2.1;S7", 5,
        PIN_XFR_DONE, "a A 192.0.2.1;b A 192.0.2.2;"},
    {"a difference with nothing that goes", "S7|S5|S7|c A 192.0.2.3|S7", 5, PIN_XFR_DONE,
        "a A 192.0.2.1;b A 192.0.2.2;c A 192.0.2.3;"},
    {"all of it in the place of differences", "S7|c A 192.0.2.3;S7", 5, PIN_XFR_DONE,
        "c A 192.0.2.3;"},
    {"something goes that was not there", "S7;S5;x A 192.0.2.1;S7;S7", 5, PIN_XFR_AGAIN, ""},
    {"no IXFR here", "!4", 5, PIN_XFR_AGAIN, ""},
    {"no IXFR for us", "!5", 5, PIN_XFR_FAULT, "REFUSED"},
    {"a gap between differences", "S7;S5;S6;S4;S7;S7", 5, PIN_XFR_FAULT, "begins at serial 4"},
    {"differences that do not lead to the end", "S7;S5;S6;S7", 5, PIN_XFR_FAULT,
        "begins at serial 7"},
    {"differences from elsewhere", "S7;S4;S7;S7", 5, PIN_XFR_FAULT, "has serial 4"},
};

/* One record, as it is written above. */
static void put_row(struct pin_buf *buf, const char *row)
{
    char name[PIN_NAME_TEXT_MAX];
    char owner[128];
    char type[16];
    char data[256];
    struct pin_name wire;
    if (row[0] == 'S') {
        (void)snprintf(owner, sizeof(owner), "example.com");
        (void)snprintf(type, sizeof(type), "SOA");
        (void)snprintf(data, sizeof(data), "ns.example.com h.example.com %s 1 1 1 1", row + 1);
    } else {
        assert_int_equal(sscanf(row, "%99s %15s %255[^\n]", name, type, data), 3);
        (void)snprintf(owner, sizeof(owner), "%.99s.%s", name + (row[0] == '+'),
            row[0] == '+' ? "example.net" : "example.com");
    }
    assert_int_equal(pin_name_parse(owner, &wire), PIN_OK);
    pin_buf_put_bytes(buf, wire.wire, wire.bytes);
    pin_buf_put_u16(buf, pin_rdata_type(type));
    pin_buf_put_u16(buf, PIN_CLASS_IN);
    pin_buf_put_u32(buf, 60);
    size_t at = pin_buf_used(buf);
    pin_buf_put_u16(buf, 0);
    assert_int_equal(pin_rdata_parse(pin_rdata_type(type), data, buf, NULL), PIN_OK);
    pin_buf_set_u16(buf, at, (uint16_t)(pin_buf_used(buf) - at - 2));
}

/* One message; `text` is cut up. */
static size_t make_message(char *text, uint16_t type, uint8_t wire[MESSAGE_MAX])
{
    struct pin_buf buf = pin_buf_init(wire, MESSAGE_MAX);
    char *rest = NULL;
    uint16_t n = 0;
    pin_buf_put_u16(&buf, ID);
    pin_buf_put_u16(&buf, (uint16_t)(0x8400 | (text[0] == '!' ? text[1] - '0' : 0)));
    pin_buf_put_u16(&buf, 1);
    pin_buf_put_u16(&buf, 0);
    pin_buf_put_u32(&buf, 0);
    pin_buf_put_bytes(&buf, "\7example\3com", 13);
    pin_buf_put_u16(&buf, type);
    pin_buf_put_u16(&buf, PIN_CLASS_IN);
    for (char *row = strtok_r(text, ";", &rest); text[0] != '!' && row != NULL;
         row = strtok_r(NULL, ";", &rest)) {
        put_row(&buf, row);
        n++;
    }
    pin_buf_set_u16(&buf, 6, n);
    assert_true(pin_buf_is_ok(&buf));
    return pin_buf_used(&buf);
}

/* A listing as rows; what there is to say otherwise. */
static void put_listing(const struct pin_provider_listing *listing, struct pin_text *text)
{
    if (listing->fault != PIN_PROVIDER_NONE || listing->is_unchanged) {
        pin_text_puts(text, listing->is_unchanged ? "unchanged" : listing->message);
        return;
    }
    for (size_t i = 0; i < listing->n_sets; i++) {
        const struct pin_recordset *set = &listing->sets[i];
        assert_int_equal(set->ttl_s, 60);
        assert_true(i == 0 || pin_recordset_cmp(set - 1, set) < 0);
        const char *dot = strstr(set->name, ".example.com");
        assert_non_null(dot);
        pin_text_putf(text, "%.*s %s ", (int)(dot - set->name), set->name, set->type);
        for (size_t k = 0; k < set->n_values; k++) {
            pin_text_putf(text, "%s%s", k > 0 ? "," : "", set->values[k].text);
        }
        pin_text_putc(text, ';');
    }
}

static struct pin_xfr *new_xfr(uint32_t serial)
{
    static struct pin_recordset_value values[] = {{.text = "192.0.2.1"}, {.text = "192.0.2.2"}};
    static const struct pin_recordset known[] = {{.name = "a.example.com",
                                                     .type = "A",
                                                     .set_id = "",
                                                     .ttl_s = 60,
                                                     .values = values,
                                                     .n_values = 1},
        {.name = "b.example.com",
            .type = "A",
            .set_id = "",
            .ttl_s = 60,
            .values = values + 1,
            .n_values = 1}};
    const struct pin_xfr_spec spec = {.zone = "example.com",
        .id = ID,
        .is_incremental = serial != 0,
        .serial = serial,
        .known = known,
        .n_known = N_ELEMS(known)};
    struct pin_xfr *xfr = pin_xfr_new(&spec);
    assert_non_null(xfr);
    return xfr;
}

static void test_rows(void **state)
{
    const struct row_case *c = *state;
    char text[TEXT_MAX];
    uint8_t wire[MESSAGE_MAX];
    char *rest = NULL;
    struct pin_text seen = {0};
    struct pin_provider_listing listing;
    struct pin_xfr *xfr = new_xfr(c->serial);
    enum pin_xfr_state got = PIN_XFR_MORE;
    (void)snprintf(text, sizeof(text), "%s", c->rows);
    for (char *one = strtok_r(text, "|", &rest); one != NULL; one = strtok_r(NULL, "|", &rest)) {
        assert_int_equal(got, PIN_XFR_MORE);
        size_t bytes = make_message(one, c->serial != 0 ? PIN_DNSMSG_IXFR : PIN_DNSMSG_AXFR, wire);
        got = pin_xfr_take(xfr, wire, bytes, NOW_S);
        got = got == PIN_XFR_WHOLE ? pin_xfr_finish(xfr) : got;
    }
    assert_int_equal(got, c->want);
    pin_xfr_cut(xfr, PIN_PROVIDER_UNREACHABLE, "it was cut");
    pin_xfr_listing(xfr, &listing);
    put_listing(&listing, &seen);
    if (c->want == PIN_XFR_DONE) {
        assert_string_equal(pin_text_get(&seen), c->listing);
    } else {
        assert_null(listing.arena);
        assert_int_not_equal(listing.fault, PIN_PROVIDER_NONE);
        assert_non_null(
            strstr(listing.message, c->want == PIN_XFR_FAULT ? c->listing : "it was cut"));
    }
    pin_arena_free(listing.arena);
    pin_text_done(&seen);
    pin_xfr_free(xfr);
}

/* Changes one byte of a good message. */
static struct header_case {
    const char *name; /* reads as a sentence in the test report */
    size_t at;
    uint8_t byte;
} headers[] = {
    {"another id is no answer", 0, 0},
    {"a question is no answer", 2, 0x04},
    {"an update is no answer", 2, 0xac},
    {"a truncated message is none", 2, 0x86},
    {"no question is no answer", 5, 0},
    {"another name is no answer", 13, 'x'},
    {"another type is no answer", 26, 251},
    {"more records than there are is no message", 7, 9},
    {"bytes behind the last record are no message", 7, 2},
};

static void test_header(void **state)
{
    const struct header_case *c = *state;
    char text[] = "S7;a A 192.0.2.1;S7";
    uint8_t wire[MESSAGE_MAX];
    size_t bytes = make_message(text, PIN_DNSMSG_AXFR, wire);
    struct pin_xfr *xfr = new_xfr(0);
    assert_int_not_equal(wire[c->at], c->byte);
    wire[c->at] = c->byte;
    assert_int_equal(pin_xfr_take(xfr, wire, bytes, NOW_S), PIN_XFR_FAULT);
    pin_xfr_free(xfr);
}

/* --- signatures ------------------------------------------------------------------------------- */

static struct pin_tsig_key key = {
    .hash = PIN_HASH_SHA256, .secret = (const uint8_t *)"0123456789abcdef", .secret_bytes = 16};

/* Signs a further message, with those since the last signature that had none in front of it (RFC
 * 8945, section 5.3.1). */
static size_t sign_next(struct pin_tsig *server, const struct pin_text *before, uint8_t *wire,
    size_t bytes, size_t cap_bytes)
{
    uint8_t front[2 + PIN_HASH_MAX_BYTES] = {0, server->mac_bytes};
    uint8_t timers[8] = {0};
    uint8_t bare[MESSAGE_MAX];
    memcpy(front + 2, server->mac, server->mac_bytes);
    memcpy(bare, wire, bytes);
    size_t signed_bytes =
        pin_tsig_sign(server, PIN_TSIG_NEXT, wire, bytes, cap_bytes, NOW_S); /* of it alone */
    const struct pin_piece secret = {.ptr = key.secret, .bytes = key.secret_bytes};
    const struct pin_piece pieces[] = {{.ptr = front, .bytes = 2 + (size_t)server->mac_bytes},
        {.ptr = before->ptr, .bytes = before->len}, {.ptr = bare, .bytes = bytes},
        {.ptr = timers, .bytes = sizeof(timers)}};
    for (unsigned i = 0; i < 6; i++) {
        timers[i] = (uint8_t)((uint64_t)NOW_S >> (40 - 8 * i));
    }
    timers[6] = PIN_TSIG_FUDGE_S >> 8;
    timers[7] = PIN_TSIG_FUDGE_S & 0xff;
    assert_true(pin_hmac(key.hash, &secret, pieces, N_ELEMS(pieces), server->mac));
    memcpy(wire + signed_bytes - 6 - server->mac_bytes, server->mac, server->mac_bytes);
    return signed_bytes;
}

/* Feeds so many messages of which each `every`-th is signed, the last one when `has_end`. */
static enum pin_xfr_state feed(unsigned n_messages, unsigned every, bool has_end)
{
    uint8_t wire[MESSAGE_MAX];
    struct pin_tsig client;
    struct pin_tsig server;
    uint8_t request[TSIG_MESSAGE] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\7example\3com\0\0\xfc\0\1";
    enum pin_xfr_state got = PIN_XFR_MORE;
    pin_tsig_begin(&client, &key);
    assert_int_not_equal(
        pin_tsig_sign(&client, PIN_TSIG_FIRST, request, 29, sizeof(request), NOW_S), 0);
    server = client;
    struct pin_xfr_spec spec = {.zone = "example.com", .id = ID, .tsig = &client};
    struct pin_xfr *xfr = pin_xfr_new(&spec);
    struct pin_text before = {0};
    assert_non_null(xfr);
    for (unsigned i = 0; i < n_messages && got == PIN_XFR_MORE; i++) {
        char text[64];
        bool is_last = i + 1 == n_messages;
        (void)snprintf(text, sizeof(text), i == 0 ? "S7" : is_last ? "S7" : "n%u A 192.0.2.1", i);
        size_t bytes = make_message(text, PIN_DNSMSG_AXFR, wire);
        if (i == 0) {
            bytes = pin_tsig_sign(&server, PIN_TSIG_FIRST, wire, bytes, sizeof(wire), NOW_S);
        } else if (i % every == 0 || (is_last && has_end)) {
            bytes = sign_next(&server, &before, wire, bytes, sizeof(wire));
            pin_text_cut(&before, 0);
        } else {
            pin_text_putn(&before, (const char *)wire, bytes);
        }
        got = pin_xfr_take(xfr, wire, bytes, NOW_S);
        got = got == PIN_XFR_WHOLE ? pin_xfr_finish(xfr) : got;
    }
    pin_text_done(&before);
    pin_xfr_free(xfr);
    return got;
}

static void test_every_message_may_be_signed(void **state)
{
    (void)state;
    assert_int_equal(feed(5, 1, true), PIN_XFR_DONE);
}

/* As Knot DNS does it: the first message, each 100th and the last. */
static void test_every_100th_message_may_be_signed(void **state)
{
    (void)state;
    assert_int_equal(feed(250, 100, true), PIN_XFR_DONE);
    assert_int_equal(feed(PIN_XFR_UNSIGNED_MAX + 2, 1000, true), PIN_XFR_DONE);
}

static void test_the_last_message_must_be_signed(void **state)
{
    (void)state;
    assert_int_equal(feed(5, 100, false), PIN_XFR_FAULT);
}

static void test_100_messages_without_a_signature_are_too_many(void **state)
{
    (void)state;
    assert_int_equal(feed(PIN_XFR_UNSIGNED_MAX + 1, 1000, false), PIN_XFR_FAULT); /* its end */
    assert_int_equal(feed(PIN_XFR_UNSIGNED_MAX + 5, 1000, false), PIN_XFR_FAULT);
    assert_int_equal(feed(PIN_XFR_UNSIGNED_MAX + 3, 1000, true), PIN_XFR_FAULT);
}

static int set_up(void **state)
{
    (void)state;
    return pin_name_parse("key.example", &key.name) == PIN_OK ? 0 : -1;
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(rows) + N_ELEMS(headers) + 4] = {
        cmocka_unit_test(test_every_message_may_be_signed),
        cmocka_unit_test(test_every_100th_message_may_be_signed),
        cmocka_unit_test(test_the_last_message_must_be_signed),
        cmocka_unit_test(test_100_messages_without_a_signature_are_too_many),
    };
    size_t n = 4;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = test_rows, .initial_state = &rows[i]};
    }
    for (size_t i = 0; i < N_ELEMS(headers); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = headers[i].name, .test_func = test_header, .initial_state = &headers[i]};
    }
    return cmocka_run_group_tests_name("xfr", tests, set_up, NULL);
}
