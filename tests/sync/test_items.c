/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever portions a list or a watch comes in, the same pieces come out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "sync/items.h"

#define SAMPLE                                                                                     \
    "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"41\","    \
    "\"continue\":\"a]b}\\\"c\",\"remainingItemCount\":7},\"items\": [ {\"a\":\"}]\\\\\",\"b\":"   \
    "[1,{}]} ,{\"c\":\"\\\"items\\\":[\"},\n{}\n],\"tail\":{\"items\":[{\"no\":1}]}}\n"
#define SAMPLE_ITEMS "<{\"a\":\"}]\\\\\",\"b\":[1,{}]}><{\"c\":\"\\\"items\\\":[\"}><{}>"

/* Pieces between angle brackets, white space at their ends left out; "<too big>" for skipped. */
static void collect(void *arg, const char *text, size_t bytes)
{
    struct pin_text *out = arg;
    if (text == NULL) {
        pin_text_puts(out, "<too big>");
        return;
    }
    while (bytes > 0 && strchr(" \n", text[bytes - 1]) != NULL) {
        bytes--;
    }
    pin_text_putc(out, '<');
    pin_text_putn(out, text, bytes);
    pin_text_putc(out, '>');
}

/* A heap copy of exactly that size, so that a read past its end is seen. */
static enum pin_err feed_exact(struct pin_items *items, const char *data, size_t bytes)
{
    char *copy = malloc(bytes + (bytes == 0));
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    enum pin_err err = pin_items_feed(items, copy, bytes, NULL);
    free(copy);
    return err;
}

static void check_sample(const struct pin_items *items, const struct pin_text *out)
{
    struct pin_list_metadata metadata = {0};
    assert_string_equal(pin_text_get(out), SAMPLE_ITEMS);
    assert_true(pin_items_is_complete(items));
    assert_int_equal(items->n_items, 3);
    assert_true(pin_items_metadata(items, &metadata));
    assert_string_equal(metadata.resource_version, "41");
    assert_string_equal(metadata.continue_token, "a]b}\"c");
    assert_int_equal(metadata.remaining, 7);
    pin_list_metadata_done(&metadata);
}

static void test_every_pair_of_splits_gives_the_same_items(void **state)
{
    const char sample[] = SAMPLE;
    size_t n = sizeof(sample) - 1;
    (void)state;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = i; j <= n; j += 1 + j % 3) {
            struct pin_text out = {0};
            struct pin_items items;
            pin_items_init(&items, 0, collect, &out);
            assert_int_equal(feed_exact(&items, sample, i), PIN_OK);
            assert_int_equal(feed_exact(&items, sample + i, j - i), PIN_OK);
            assert_int_equal(feed_exact(&items, sample + j, n - j), PIN_OK);
            check_sample(&items, &out);
            pin_items_done(&items);
            pin_text_done(&out);
        }
    }
}

static void test_one_byte_at_a_time_gives_the_same_items(void **state)
{
    const char sample[] = SAMPLE;
    struct pin_text out = {0};
    struct pin_items items;
    (void)state;
    pin_items_init(&items, 0, collect, &out);
    for (size_t i = 0; i + 1 < sizeof(sample); i++) {
        assert_int_equal(feed_exact(&items, sample + i, 1), PIN_OK);
    }
    check_sample(&items, &out);
    pin_items_done(&items);
    pin_text_done(&out);
}

static struct items_case {
    const char *name;
    const char *text;
    size_t item_bytes_max;
    const char *want;
    enum pin_err want_err;
    bool want_complete;
} cases[] = {
    {"an empty list is complete", "{\"items\":[]}", 0, "", PIN_OK, true},
    {"null items are an empty list", "{\"metadata\":{},\"items\":null}", 0, "", PIN_OK, true},
    {"items that are a map are refused", "{\"items\":{\"a\":1}}", 0, "", PIN_EPARSE, false},
    {"items that are a text are refused", "{\"items\": \"none\"}", 0, "", PIN_EPARSE, false},
    {"items of nothing are refused", "{\"items\":}", 0, "", PIN_EPARSE, false},
    {"a list without items is not complete", "{\"kind\":\"Status\"}", 0, "", PIN_OK, false},
    {"a list cut short is not complete", "{\"items\":[{\"a\":1},{\"b\":", 0, "<{\"a\":1}>", PIN_OK,
        false},
    {"white space around everything is fine", " \n{ \"items\" : [ 1 , 2 ] } \n", 0, "<1><2>",
        PIN_OK, true},
    {"an item above the limit is skipped and the next one is not", "{\"items\":[{\"a\":123},{}]}",
        5, "<too big><{}>", PIN_OK, true},
    {"an item at the limit is given out", "{\"items\":[{\"a\":1},{}]}", 7, "<{\"a\":1}><{}>",
        PIN_OK, true},
    {"a list is no answer", "[1]", 0, "", PIN_EPARSE, false},
    {"plain text is no answer", "404 page not found", 0, "", PIN_EPARSE, false},
    {"bytes after the end are refused", "{\"items\":[]}x", 0, "", PIN_EPARSE, true},
    {"a map that ends with a bracket is refused", "{\"a\":1]}", 0, "", PIN_EPARSE, false},
    {"a key without quotes is refused", "{items:[]}", 0, "", PIN_EPARSE, false},
    {"a brace that closes the list is refused", "{\"items\":[1}]}", 0, "<1>", PIN_EPARSE, false},
    {"items deeper down do not count", "{\"x\":{\"items\":[1]},\"items\":[2]}", 0, "<2>", PIN_OK,
        true},
};

static void test_case(void **state)
{
    const struct items_case *c = *state;
    struct pin_text out = {0};
    struct pin_items items;
    pin_items_init(&items, c->item_bytes_max, collect, &out);
    assert_int_equal(feed_exact(&items, c->text, strlen(c->text)), c->want_err);
    assert_string_equal(pin_text_get(&out), c->want);
    assert_int_equal(pin_items_is_complete(&items), c->want_complete);
    pin_items_done(&items);
    pin_text_done(&out);
}

static void test_deep_nesting_is_refused(void **state)
{
    struct pin_text text = {0};
    struct pin_items items;
    struct pin_text out = {0};
    (void)state;
    pin_text_puts(&text, "{\"items\":[");
    for (int i = 0; i < 100000; i++) {
        pin_text_putc(&text, '[');
    }
    pin_items_init(&items, 0, collect, &out);
    assert_int_equal(feed_exact(&items, text.ptr, text.len), PIN_ELIMIT);
    pin_items_done(&items);
    pin_text_done(&text);
    pin_text_done(&out);
}

static void test_metadata_is_bounded(void **state)
{
    struct pin_items items;
    struct pin_text out = {0};
    char block[4096];
    enum pin_err err = PIN_OK;
    (void)state;
    memset(block, 'x', sizeof(block));
    pin_items_init(&items, 0, collect, &out);
    assert_int_equal(feed_exact(&items, "{\"metadata\":{\"continue\":\"", 25), PIN_OK);
    for (int i = 0; i < 1000 && err == PIN_OK; i++) {
        err = feed_exact(&items, block, sizeof(block));
    }
    assert_int_equal(err, PIN_ELIMIT);
    pin_items_done(&items);
    pin_text_done(&out);
}

static void test_lines_come_whole_at_every_split(void **state)
{
    const char sample[] = "{\"a\":1}\n\n{\"b\":2}\n{\"c\":3}";
    size_t n = sizeof(sample) - 1;
    (void)state;
    for (size_t i = 0; i <= n; i++) {
        struct pin_text out = {0};
        struct pin_lines lines;
        pin_lines_init(&lines, 0, collect, &out);
        assert_int_equal(pin_lines_feed(&lines, sample, i, NULL), PIN_OK);
        assert_int_equal(pin_lines_feed(&lines, sample + i, n - i, NULL), PIN_OK);
        assert_string_equal(pin_text_get(&out), "<{\"a\":1}><{\"b\":2}>");
        pin_lines_done(&lines);
        pin_text_done(&out);
    }
}

static void test_a_line_above_the_limit_is_skipped(void **state)
{
    const char sample[] = "1234567\n12\n12345678901\n34\n";
    size_t n = sizeof(sample) - 1;
    (void)state;
    for (size_t i = 0; i <= n; i++) {
        struct pin_text out = {0};
        struct pin_lines lines;
        pin_lines_init(&lines, 6, collect, &out);
        assert_int_equal(pin_lines_feed(&lines, sample, i, NULL), PIN_OK);
        assert_int_equal(pin_lines_feed(&lines, sample + i, n - i, NULL), PIN_OK);
        assert_string_equal(pin_text_get(&out), "<too big><12><too big><34>");
        pin_lines_done(&lines);
        pin_text_done(&out);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 6] = {
        cmocka_unit_test(test_every_pair_of_splits_gives_the_same_items),
        cmocka_unit_test(test_one_byte_at_a_time_gives_the_same_items),
        cmocka_unit_test(test_deep_nesting_is_refused),
        cmocka_unit_test(test_metadata_is_bounded),
        cmocka_unit_test(test_lines_come_whole_at_every_split),
        cmocka_unit_test(test_a_line_above_the_limit_is_skipped),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[6 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("items", tests, NULL, NULL);
}
