/* SPDX-License-Identifier: Apache-2.0 */

/* What is packed comes out again, within its limit, and nothing else does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/gzip.h"
#include "pintle/base/macros.h"

static void test_round_trip(void **state)
{
    static const char *const texts[] = {"", "a", "heritage=external-dns,external-dns/owner=demo"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        uint8_t *packed = NULL;
        uint8_t *plain = NULL;
        size_t packed_bytes = 0;
        size_t bytes = 0;
        assert_int_equal(pin_gzip(texts[i], strlen(texts[i]), &packed, &packed_bytes), PIN_OK);
        assert_int_equal(pin_gunzip(packed, packed_bytes, 100, &plain, &bytes), PIN_OK);
        assert_int_equal(bytes, strlen(texts[i]));
        assert_string_equal(plain, texts[i]);
        free(plain);
        /* A stream that is cut, or whose checksum is wrong, is none. */
        assert_int_equal(pin_gunzip(packed, packed_bytes - 1, 100, &plain, &bytes), PIN_EPARSE);
        packed[packed_bytes - 8] ^= 1;
        assert_int_equal(pin_gunzip(packed, packed_bytes, 100, &plain, &bytes), PIN_EPARSE);
        free(packed);
    }
}

static void test_limits(void **state)
{
    uint8_t *packed = NULL;
    uint8_t *plain = NULL;
    size_t packed_bytes = 0;
    size_t bytes = 0;
    char *zeros = calloc(1, 1000);
    (void)state;
    assert_int_equal(pin_gzip(zeros, 1000, &packed, &packed_bytes), PIN_OK);
    assert_in_range(packed_bytes, 1, 100);
    assert_int_equal(pin_gunzip(packed, packed_bytes, 999, &plain, &bytes), PIN_ELIMIT);
    assert_int_equal(pin_gunzip(packed, packed_bytes, 1000, &plain, &bytes), PIN_OK);
    assert_int_equal(bytes, 1000);
    free(plain);
    free(packed);
    free(zeros);
    assert_int_equal(pin_gunzip("no stream", 9, 100, &plain, &bytes), PIN_EPARSE);
    assert_int_equal(pin_gunzip("", 0, 100, &plain, &bytes), PIN_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("gzip", tests, NULL, NULL);
}
