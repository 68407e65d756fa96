/* SPDX-License-Identifier: Apache-2.0 */

/* Whoever makes HTTP/2 work for nothing is told to calm down and cut off soon, with little memory
 * spent; whoever asks is not, however much. Frames are written by hand here: no library would. */

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/https.h"

/* Frame types and what is in them (RFC 9113, section 6). */
#define DATA          0u
#define HEADERS       1u
#define PRIORITY      2u
#define RST_STREAM    3u
#define SETTINGS      4u
#define PING          6u
#define GOAWAY        7u
#define WINDOW_UPDATE 8u
#define CONTINUATION  9u
#define UNKNOWN       99u

#define END_STREAM  1u
#define END_HEADERS 4u

#define PROTOCOL_ERROR    1u
#define REFUSED_STREAM    7u
#define COMPRESSION_ERROR 9u
#define CALM_DOWN         11u
#define NO_ERROR          UINT32_MAX /* no GOAWAY at all */

#define HEAD_BYTES  9u
#define MAX_PAYLOAD 16384u
#define LARGE_BYTES 40000u
#define ROUNDS      100000u

struct fixture {
    const void *row;
    struct pin_https_shared *shared;
    struct pin_https *http;
    size_t n_asked;
    int32_t next_id;
    uint8_t head[HEAD_BYTES]; /* of the server's frame that is being read */
    size_t head_bytes;
    size_t left; /* of its payload */
    uint8_t payload[16];
    size_t payload_bytes;
    uint32_t goaway;    /* its error code */
    size_t n_refused;   /* RST_STREAM with REFUSED_STREAM */
    size_t n_responses; /* HEADERS frames */
    size_t body_bytes;
};

static size_t ask(void *arg, uint32_t request_id, const struct pin_packet *packet)
{
    struct fixture *f = arg;
    (void)request_id;
    f->n_asked++;
    bool is_large = packet->wire[0] == 'B';
    packet->wire[0] |= 0x20;
    return is_large ? LARGE_BYTES : packet->bytes;
}

/* --- frames ------------------------------------------------------------------------------- */

static void feed(struct fixture *f, const void *from, size_t bytes)
{
    assert_int_equal(pin_https_feed(f->http, from, bytes), bytes);
}

static void frame(
    struct fixture *f, unsigned type, unsigned flags, int32_t id, const void *payload, size_t bytes)
{
    static uint8_t wire[HEAD_BYTES + MAX_PAYLOAD];
    const uint8_t head[HEAD_BYTES] = {(uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8), (uint8_t)bytes,
        (uint8_t)type, (uint8_t)flags, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
        (uint8_t)id};
    memcpy(wire, head, HEAD_BYTES);
    if (bytes > 0) {
        memcpy(wire + HEAD_BYTES, payload, bytes);
    }
    feed(f, wire, HEAD_BYTES + bytes);
}

#define GET_TEXT "MDEyMzQ1Njc4OWFi" /* 0123456789ab */
/* HPACK by hand: GET https, a path, an authority; nothing enters the table. */
#define GET_BLOCK  "\x82\x87\x04\x1f/dns-query?dns=" GET_TEXT "\x01\x01x"
#define POST_BLOCK "\x83\x87\x04\x0a/dns-query\x01\x01x\x0f\x10\x17" TYPE_TEXT
#define TYPE_TEXT  "application/dns-message"

static int32_t headers(struct fixture *f, const void *block, size_t bytes, unsigned flags)
{
    int32_t id = f->next_id;
    f->next_id += 2;
    frame(f, HEADERS, flags, id, block, bytes);
    return id;
}

static int32_t get(struct fixture *f)
{
    return headers(f, GET_BLOCK, sizeof(GET_BLOCK) - 1, END_STREAM | END_HEADERS);
}

static int32_t open_post(struct fixture *f)
{
    return headers(f, POST_BLOCK, sizeof(POST_BLOCK) - 1, END_HEADERS);
}

static void reset(struct fixture *f, int32_t id)
{
    frame(f, RST_STREAM, 0, id, "\0\0\0\x08", 4);
}

static void window(struct fixture *f, int32_t id, uint8_t increment)
{
    const uint8_t payload[] = {0, 0, 0, increment};
    frame(f, WINDOW_UPDATE, 0, id, payload, sizeof(payload));
}

/* Looks at a whole frame of the server. */
static void on_frame(struct fixture *f)
{
    const uint8_t *p = f->payload;
    if (f->head[3] == GOAWAY) {
        f->goaway = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
    } else if (f->head[3] == RST_STREAM) {
        f->n_refused += p[3] == REFUSED_STREAM;
    } else if (f->head[3] == HEADERS) {
        f->n_responses++;
    }
}

static void read_byte(struct fixture *f, uint8_t byte)
{
    if (f->head_bytes < HEAD_BYTES) {
        f->head[f->head_bytes++] = byte;
        f->left = (size_t)f->head[0] << 16 | (size_t)f->head[1] << 8 | f->head[2];
        f->payload_bytes = 0;
    } else {
        if (f->payload_bytes < sizeof(f->payload)) {
            f->payload[f->payload_bytes++] = byte;
        }
        f->left--;
        f->body_bytes += f->head[3] == DATA;
    }
    if (f->head_bytes == HEAD_BYTES && f->left == 0) {
        on_frame(f);
        f->head_bytes = 0;
    }
}

/* Takes all that the server says. */
static void take(struct fixture *f)
{
    static uint8_t out[65536];
    for (size_t n = pin_https_take(f->http, out, sizeof(out)); n > 0;
         n = pin_https_take(f->http, out, sizeof(out))) {
        for (size_t i = 0; i < n; i++) {
            read_byte(f, out[i]);
        }
    }
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pin_why why = {0};
    assert_non_null(f);
    assert_int_equal(pin_https_shared_new(NULL, &f->shared, &why), PIN_OK);
    f->http = pin_https_new(f->shared, PIN_HTTPS_HTTP2, PIN_HTTPS_PATH, ask, f);
    assert_non_null(f->http);
    f->row = *state;
    f->next_id = 1;
    f->goaway = NO_ERROR;
    feed(f, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(f, SETTINGS, 0, 0, NULL, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pin_https_free(f->http);
    pin_https_shared_free(f->shared);
    free(f);
    return 0;
}

/* --- floods ------------------------------------------------------------------------------- */

static void rapid_reset(struct fixture *f, unsigned round)
{
    (void)round;
    reset(f, get(f));
}

static void half_reset(struct fixture *f, unsigned round)
{
    (void)round;
    reset(f, open_post(f));
}

static void settings(struct fixture *f, unsigned round)
{
    const uint8_t size[] = {0, 3, 0, 0, 0, (uint8_t)round};
    frame(f, SETTINGS, 0, 0, size, sizeof(size));
}

static void ping(struct fixture *f, unsigned round)
{
    (void)round;
    frame(f, PING, 0, 0, "01234567", 8);
}

static void empty_data(struct fixture *f, unsigned round)
{
    frame(f, DATA, 0, round == 0 ? open_post(f) : 1, NULL, 0);
}

static void small_data(struct fixture *f, unsigned round)
{
    frame(f, DATA, 0, round == 0 ? open_post(f) : 1, "x", 1);
}

static void windows(struct fixture *f, unsigned round)
{
    (void)round;
    window(f, 0, 1);
}

static void priorities(struct fixture *f, unsigned round)
{
    (void)round;
    frame(f, PRIORITY, 0, 1, "\0\0\0\3\x10", 5);
}

static void unknown(struct fixture *f, unsigned round)
{
    (void)round;
    frame(f, UNKNOWN, 0, 0, "whatever", 8);
}

static void continuations(struct fixture *f, unsigned round)
{
    if (round == 0) {
        (void)headers(f, GET_BLOCK, sizeof(GET_BLOCK) - 1, END_STREAM);
    }
    frame(f, CONTINUATION, 0, 1, NULL, 0);
}

/* Beyond what SETTINGS allow. */
static void open_streams(struct fixture *f, unsigned round)
{
    (void)round;
    (void)open_post(f);
}

/* Without :path. */
static void malformed(struct fixture *f, unsigned round)
{
    (void)round;
    (void)headers(f, "\x82\x87", 2, END_STREAM | END_HEADERS);
}

/* Answers that leave byte by byte. */
static void tiny_windows(struct fixture *f, unsigned round)
{
    if (round == 0) {
        frame(f, SETTINGS, 0, 0, "\0\4\0\0\0\1", 6);
    }
    int32_t id = get(f);
    for (int i = 0; i < 11; i++) {
        take(f);
        window(f, id, 1);
    }
}

static size_t put(uint8_t *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return bytes;
}

/* Fields of 3901 bytes, of one byte each on the wire: the first request brings one into the table.
 */
static void hpack_bomb(struct fixture *f, unsigned round)
{
    static uint8_t block[MAX_PAYLOAD];
    size_t used = put(block, GET_BLOCK, sizeof(GET_BLOCK) - 1);
    if (round == 0) {
        used += put(block + used, "\x40\x01\x61\x7f\xbd\x1d", 6); /* "a", then 3900 letters */
        memset(block + used, 'b', 3900);
        used += 3900;
    }
    memset(block + used, 0xbe, sizeof(block) - used); /* the newest entry, again and again */
    (void)headers(f, block, sizeof(block), END_STREAM | END_HEADERS);
}

static struct flood_case {
    const char *name;
    void (*round)(struct fixture *, unsigned);
    uint32_t want_goaway;
    size_t n_asked_max;
    bool is_taken; /* between rounds */
} flood_cases[] = {
    {"streams opened to be reset", rapid_reset, CALM_DOWN, 300, true},
    {"the same by a client that does not read", rapid_reset, CALM_DOWN, 300, false},
    {"half requests opened to be reset", half_reset, CALM_DOWN, 0, true},
    {"SETTINGS", settings, CALM_DOWN, 0, true},
    {"SETTINGS whose acknowledgements are not read", settings, CALM_DOWN, 0, false},
    {"PINGs", ping, CALM_DOWN, 0, true},
    {"PINGs whose answers are not read", ping, CALM_DOWN, 0, false},
    {"empty DATA", empty_data, CALM_DOWN, 0, true},
    {"DATA byte by byte", small_data, CALM_DOWN, 0, true},
    {"WINDOW_UPDATEs", windows, CALM_DOWN, 0, true},
    {"PRIORITYs", priorities, CALM_DOWN, 0, true},
    {"unknown frames", unknown, CALM_DOWN, 0, true},
    {"CONTINUATIONs", continuations, CALM_DOWN, 0, true},
    {"streams beyond the limit", open_streams, CALM_DOWN, 0, true},
    {"malformed requests", malformed, CALM_DOWN, 0, true},
    {"windows of one byte", tiny_windows, CALM_DOWN, 300, true},
    {"bombs of HPACK", hpack_bomb, CALM_DOWN, 0, true},
};

/* 0 where the allocator does not count, as under sanitizers. */
static size_t heap_bytes(void)
{
    return mallinfo2().uordblks;
}

static void test_flood(void **state)
{
    struct fixture *f = *state;
    const struct flood_case *c = f->row;
    take(f);
    size_t before = heap_bytes();
    for (unsigned i = 0; i < ROUNDS && !pin_https_is_over(f->http); i++) {
        c->round(f, i);
        if (c->is_taken) {
            take(f);
        }
        assert_true(heap_bytes() < before + ((size_t)1 << 20));
    }
    assert_true(pin_https_is_over(f->http));
    take(f);
    assert_int_equal(f->goaway, c->want_goaway);
    assert_true(f->n_asked <= c->n_asked_max);
    assert_int_equal(pin_https_n_pending(f->http), 0);
    c->round(f, ROUNDS); /* and nothing comes of more */
    assert_true(f->n_asked <= c->n_asked_max);
}

/* --- others ------------------------------------------------------------------------------- */

static void test_asking_is_no_flood(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        int32_t id = open_post(f);
        frame(f, DATA, END_STREAM, id, "0123456789ab", 12);
        take(f);
        window(f, 0, 12);
        ping(f, i);
        take(f);
    }
    assert_int_equal(f->n_asked, ROUNDS);
    assert_int_equal(f->n_responses, ROUNDS);
    assert_int_equal(f->goaway, NO_ERROR);
    assert_false(pin_https_is_over(f->http));
}

static void test_cancelling_now_and_then_is_no_flood(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        (void)get(f);
        take(f);
        window(f, 0, 12);
        if (i % 20 == 0) {
            reset(f, get(f));
        }
        take(f);
    }
    assert_int_equal(f->n_asked, ROUNDS / 10 + ROUNDS / 200);
    assert_int_equal(f->goaway, NO_ERROR);
}

static void test_window_update_of_nothing(void **state)
{
    struct fixture *f = *state;
    window(f, 0, 0);
    take(f);
    assert_int_equal(f->goaway, PROTOCOL_ERROR);
    assert_true(pin_https_is_over(f->http));
}

static void test_broken_compression(void **state)
{
    struct fixture *f = *state;
    (void)headers(f, "\xff\xff\xff\xff\xff\xff", 6, END_STREAM | END_HEADERS);
    take(f);
    assert_int_equal(f->goaway, COMPRESSION_ERROR);
    assert_true(pin_https_is_over(f->http));
}

static void test_not_http2(void **state)
{
    struct fixture *f = *state;
    struct pin_https *http = pin_https_new(f->shared, PIN_HTTPS_HTTP2, PIN_HTTPS_PATH, ask, f);
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(
        pin_https_feed(http, (const uint8_t *)text, sizeof(text) - 1), sizeof(text) - 1);
    assert_true(pin_https_is_over(http));
    pin_https_free(http);
}

/* Answers that a client asks for and does not take are held up to a bound; what comes then is put
 * off, and may be tried again. */
static void test_streams_never_read(void **state)
{
    struct fixture *f = *state;
    frame(f, SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    take(f);
    size_t before = heap_bytes();
    for (unsigned i = 0; i < 100; i++) {
        int32_t id = open_post(f);
        frame(f, DATA, END_STREAM, id, "B123456789ab", 12);
        take(f);
    }
    assert_int_equal(f->body_bytes, 0);
    assert_true(f->n_asked * LARGE_BYTES <= ((size_t)512 << 10) + LARGE_BYTES);
    assert_int_equal(f->n_asked + f->n_refused, 100);
    assert_true(heap_bytes() < before + ((size_t)1 << 20));
    assert_int_equal(f->goaway, NO_ERROR);
}

/* Half-sent bodies take no more than the connection's window. */
static void test_half_bodies_are_bounded(void **state)
{
    struct fixture *f = *state;
    static const uint8_t some[1000];
    take(f);
    size_t before = heap_bytes();
    size_t sent = 0;
    while (!pin_https_is_over(f->http)) {
        int32_t id = open_post(f);
        for (int i = 0; i < 2; i++) {
            frame(f, DATA, 0, id, some, sizeof(some));
            sent += sizeof(some);
        }
        take(f);
        assert_true(heap_bytes() < before + ((size_t)1 << 20));
    }
    assert_true(sent <= 2 * 65536 + 2000);
}

static void test_taking_leave(void **state)
{
    struct fixture *f = *state;
    (void)get(f);
    take(f);
    pin_https_end(f->http);
    take(f);
    assert_int_equal(f->goaway, 0);
    (void)get(f);
    take(f);
    assert_int_equal(f->n_responses, 1);
    assert_true(pin_https_is_over(f->http));
}

int main(void)
{
#define TEST(name, function)                                                                       \
    {                                                                                              \
        name, function, set_up, tear_down, NULL                                                    \
    }
    static const struct CMUnitTest others[] = {
        TEST("a client that asks is never cut off", test_asking_is_no_flood),
        TEST("nor one that cancels now and then", test_cancelling_now_and_then_is_no_flood),
        TEST("a WINDOW_UPDATE of 0 ends the connection", test_window_update_of_nothing),
        TEST("broken compression ends the connection", test_broken_compression),
        TEST("what is not HTTP/2 is not served", test_not_http2),
        TEST("answers never read are held up to a bound", test_streams_never_read),
        TEST("half-sent bodies are held up to a bound", test_half_bodies_are_bounded),
        TEST("who takes leave says so", test_taking_leave),
    };
    static char names[N_ELEMS(flood_cases)][96];
    struct CMUnitTest tests[N_ELEMS(flood_cases) + N_ELEMS(others)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(flood_cases); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "a flood of %s ends", flood_cases[i].name);
        tests[n] = (struct CMUnitTest)TEST(names[i], test_flood);
        tests[n++].initial_state = &flood_cases[i];
    }
    memcpy(tests + n, others, sizeof(others));
    return cmocka_run_group_tests_name("doh_floods", tests, NULL, NULL);
}
