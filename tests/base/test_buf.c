/* SPDX-License-Identifier: Apache-2.0 */

/* What does not fit changes nothing and is remembered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/buf.h"

static void test_writes_network_order(void **state)
{
    uint8_t wire[16] = {0};
    static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 'a', 'b'};
    (void)state;
    struct pin_buf buf = pin_buf_init(wire, sizeof(wire));
    pin_buf_put_u8(&buf, 1);
    pin_buf_put_u16(&buf, 0x0203);
    pin_buf_put_u32(&buf, 0x04050607);
    pin_buf_put_bytes(&buf, "ab", 2);
    pin_buf_put_bytes(&buf, NULL, 0);
    assert_true(pin_buf_is_ok(&buf));
    assert_int_equal(pin_buf_used(&buf), sizeof(want));
    assert_memory_equal(wire, want, sizeof(want));
    pin_buf_set_u16(&buf, 7, 0x3031);
    assert_memory_equal(wire + 7, "01", 2);
    assert_true(pin_buf_is_ok(&buf));
    pin_buf_set_u16(&buf, 8, 0);
    assert_false(pin_buf_is_ok(&buf));
}

static void test_first_write_error_sticks(void **state)
{
    uint8_t wire[4] = {9, 9, 9, 9};
    (void)state;
    struct pin_buf buf = pin_buf_init(wire, 3);
    pin_buf_put_u16(&buf, 0x0102);
    pin_buf_put_u32(&buf, 0x03040506);
    pin_buf_put_u8(&buf, 7); /* would fit, comes too late */
    assert_false(pin_buf_is_ok(&buf));
    assert_int_equal(pin_buf_used(&buf), 2);
    assert_int_equal(wire[2], 9);
    assert_null(pin_buf_skip(&buf, 0));
    buf = pin_buf_init(wire, 4);
    assert_null(pin_buf_skip(&buf, SIZE_MAX));
    buf = pin_buf_init(wire, 4);
    assert_ptr_equal(pin_buf_skip(&buf, 4), wire);
    pin_buf_put_bytes(&buf, NULL, 0);
    assert_true(pin_buf_is_ok(&buf));
    buf = pin_buf_init(wire, 1);
    pin_buf_put_u8(&buf, 1);
    pin_buf_set_u16(&buf, 0, 1);
    assert_false(pin_buf_is_ok(&buf));
}

static void test_reads_network_order(void **state)
{
    static const uint8_t wire[] = {1, 2, 3, 0xFF, 5, 6, 7, 'a', 'b'};
    (void)state;
    struct pin_reader reader = pin_reader_init(wire, sizeof(wire));
    assert_int_equal(pin_reader_get_u8(&reader), 1);
    assert_int_equal(pin_reader_get_u16(&reader), 0x0203);
    assert_int_equal(pin_reader_get_u32(&reader), 0xFF050607);
    assert_int_equal(pin_reader_offset(&reader), 7);
    assert_ptr_equal(pin_reader_get_bytes(&reader, 2), wire + 7);
    assert_int_equal(pin_reader_left(&reader), 0);
    assert_true(pin_reader_is_ok(&reader));
    assert_int_equal(pin_reader_get_u8(&reader), 0);
    assert_false(pin_reader_is_ok(&reader));
}

static void test_first_read_error_sticks(void **state)
{
    static const uint8_t wire[] = {1, 2, 3};
    (void)state;
    struct pin_reader reader = pin_reader_init(wire, sizeof(wire));
    assert_int_equal(pin_reader_get_u32(&reader), 0);
    assert_int_equal(pin_reader_get_u8(&reader), 0);
    assert_int_equal(pin_reader_left(&reader), 0);
    assert_false(pin_reader_is_ok(&reader));
    reader = pin_reader_init(wire, sizeof(wire));
    assert_null(pin_reader_get_bytes(&reader, SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_network_order),
        cmocka_unit_test(test_first_write_error_sticks),
        cmocka_unit_test(test_reads_network_order),
        cmocka_unit_test(test_first_read_error_sticks),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
