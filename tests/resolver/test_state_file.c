/* SPDX-License-Identifier: Apache-2.0 */

/* A state file counts up to its last whole frame; one that is damaged in its middle does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

#include "resolver/state_file.h"

#define SEED     UINT64_C(0x1234567812345678)
#define N_FRAMES 12u
#define WALL_MS  1763700000000

/* Some frames with records of all kinds, over 4,096 bytes. */
static struct pin_text file;
static size_t ends[N_FRAMES + 1]; /* of header and frames */

static void add_frame(struct pin_text *out, const struct pin_text *payload, unsigned i)
{
    uint8_t head[PIN_STATE_FRAME_BYTES];
    pin_state_frame_head(head, payload, SEED, out->len, WALL_MS + i);
    pin_text_putn(out, (const char *)head, sizeof(head));
    pin_text_putn(out, payload->ptr, payload->len);
}

static int set_up(void **state)
{
    (void)state;
    pin_state_put_header(&file, SEED, WALL_MS - 1);
    ends[0] = file.len;
    for (unsigned i = 0; i < N_FRAMES; i++) {
        struct pin_text payload = {0};
        struct pin_text packed = {0};
        pin_state_put_cluster(&payload, 0, "c1", "context c1");
        for (unsigned n = 0; n < 350; n++) {
            pin_text_putc(&packed, (char)(n + i));
        }
        pin_state_put_object(&payload, 0, &packed);
        pin_state_put_gone(&payload, 0, PIN_KIND_SERVICE, "shop", "web");
        pin_state_put_synced(&payload, 0);
        add_frame(&file, &payload, i);
        ends[i + 1] = file.len;
        pin_text_done(&payload);
        pin_text_done(&packed);
    }
    assert_true(file.len > 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_text_done(&file);
    return 0;
}

static bool count(void *arg, const struct pin_state_record *record)
{
    size_t *n = arg;
    assert_int_equal(record->cluster, 0);
    if (record->op == PIN_STATE_CLUSTER) {
        assert_memory_equal(record->texts[0], "c1", 2);
        assert_memory_equal(record->texts[1], "context c1", record->bytes[1]);
    } else if (record->op == PIN_STATE_OBJECT) {
        assert_int_equal(record->bytes[0], 350);
    } else if (record->op == PIN_STATE_GONE) {
        assert_int_equal(record->kind, PIN_KIND_SERVICE);
        assert_memory_equal(record->texts[1], "web", 3);
    }
    (*n)++;
    return true;
}

/* Looks at a copy that ends where its memory does. */
static enum pin_err look(const char *data, size_t bytes, struct pin_state_scan *scan)
{
    struct pin_why why = {0};
    size_t n = 0;
    char *copy = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    enum pin_err err = pin_state_look(copy, bytes, scan, &why);
    assert_int_equal(err == PIN_OK, why.text[0] == '\0');
    if (err == PIN_OK) {
        pin_state_each(copy, scan->n_good, count, &n);
        assert_int_equal(n, scan->n_records);
        assert_int_equal(scan->n_good + scan->n_torn, bytes);
    }
    free(copy);
    return err;
}

static void test_whole(void **state)
{
    (void)state;
    struct pin_state_scan scan;
    assert_int_equal(look(file.ptr, file.len, &scan), PIN_OK);
    assert_int_equal(scan.n_records, (size_t)4 * N_FRAMES);
    assert_int_equal(scan.n_torn, 0);
    assert_true(scan.seed == SEED);
    assert_int_equal(scan.wall_ms, WALL_MS + N_FRAMES - 1);
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < file.len; bytes++) {
        struct pin_state_scan scan;
        enum pin_err err = look(file.ptr, bytes, &scan);
        if (bytes < PIN_STATE_HEADER_BYTES) {
            assert_int_equal(err, PIN_EPARSE);
            continue;
        }
        size_t n = 0;
        while (ends[n + 1] <= bytes) {
            n++;
        }
        assert_int_equal(err, PIN_OK);
        assert_int_equal(scan.n_good, ends[n]);
        assert_int_equal(scan.n_records, 4 * n);
    }
}

/* Whatever bit it is: what counts is what was written before the frame it is in, or nothing. */
static void test_flipped(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * file.len; bit++) {
        struct pin_state_scan scan;
        file.ptr[bit / 8] = (char)(file.ptr[bit / 8] ^ (1 << bit % 8));
        enum pin_err err = look(file.ptr, file.len, &scan);
        file.ptr[bit / 8] = (char)(file.ptr[bit / 8] ^ (1 << bit % 8));
        bool is_last = bit / 8 >= ends[N_FRAMES - 1];
        assert_int_equal(err == PIN_OK, is_last);
        if (is_last) {
            assert_int_equal(scan.n_good, ends[N_FRAMES - 1]);
        }
    }
}

static void test_frame_elsewhere(void **state)
{
    (void)state;
    struct pin_state_scan scan;
    struct pin_text moved = {0};
    pin_text_putn(&moved, file.ptr, ends[1]);
    pin_text_putn(&moved, file.ptr + ends[2], ends[3] - ends[2]); /* one in between is missing */
    assert_int_equal(look(moved.ptr, moved.len, &scan), PIN_OK);
    assert_int_equal(scan.n_good, ends[1]);
    pin_text_done(&moved);
}

static void test_garbage_behind(void **state)
{
    (void)state;
    struct pin_state_scan scan;
    struct pin_text longer = {0};
    pin_text_putn(&longer, file.ptr, file.len);
    for (unsigned i = 0; i < 5000; i++) {
        pin_text_puts(&longer, i % 3 == 0 ? "pfrm" : "\1\2\3");
    }
    assert_int_equal(look(longer.ptr, longer.len, &scan), PIN_OK);
    assert_int_equal(scan.n_good, file.len);
    pin_text_done(&longer);
}

static void test_records_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } payloads[] = {{"\7\0\0", 3}, {"\1\0\x7f", 3}, {"\2\0\x7f\0\0", 5}, {"\0\0\1", 3}};
    for (size_t i = 0; i < N_ELEMS(payloads); i++) {
        struct pin_state_scan scan;
        struct pin_text payload = {0};
        struct pin_text small = {0};
        pin_state_put_header(&small, SEED, WALL_MS);
        size_t header = small.len;
        pin_text_putn(&payload, payloads[i].bytes, payloads[i].n);
        add_frame(&small, &payload, 0);
        assert_int_equal(look(small.ptr, small.len, &scan), PIN_OK);
        assert_int_equal(scan.n_good, header);
        pin_text_done(&payload);
        pin_text_done(&small);
    }
}

static void test_future(void **state)
{
    (void)state;
    struct pin_state_scan scan;
    struct pin_text future = {0};
    static const size_t versions_at[] = {8, 12};
    for (size_t i = 0; i < N_ELEMS(versions_at); i++) {
        pin_text_cut(&future, 0);
        pin_state_put_header(&future, SEED, WALL_MS);
        future.ptr[versions_at[i]] = 99;
        uint64_t sum = pin_checksum64(future.ptr, 40, 0);
        for (size_t b = 0; b < 8; b++) {
            future.ptr[40 + b] = (char)(unsigned char)(sum >> (8 * b));
        }
        assert_int_equal(look(future.ptr, future.len, &scan), PIN_EUNSUPPORTED);
    }
    pin_text_done(&future);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {.name = "a whole file counts whole", .test_func = test_whole},
        {.name = "a file that is cut anywhere counts up to its last whole frame",
            .test_func = test_cut},
        {.name = "a flipped bit costs the last frame or the file", .test_func = test_flipped},
        {.name = "a frame counts in its place only", .test_func = test_frame_elsewhere},
        {.name = "what stands behind the last frame does not count",
            .test_func = test_garbage_behind},
        {.name = "a frame of bytes that are no records does not count",
            .test_func = test_records_that_are_none},
        {.name = "another version's file is told as such", .test_func = test_future},
    };
    return cmocka_run_group_tests_name("state_file", tests, set_up, tear_down);
}
