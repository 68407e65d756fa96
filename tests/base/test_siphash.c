/* SPDX-License-Identifier: Apache-2.0 */

/* SipHash-2-4 gives the values that its authors published, for every length of the last word. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/siphash.h"

/* Key 00 01 .. 0f, input 00 01 .. of that many bytes: the vectors of the authors' program. */
static struct siphash_case {
    const char *name;
    size_t bytes;
    uint64_t want;
} cases[] = {
    {"no byte", 0, UINT64_C(0x726FDB47DD0E0E31)},
    {"one byte", 1, UINT64_C(0x74F839C593DC67FD)},
    {"seven bytes", 7, UINT64_C(0xAB0200F58B01D137)},
    {"one word", 8, UINT64_C(0x93F5F5799A932462)},
    {"the 15 bytes of the paper's appendix", 15, UINT64_C(0xA129CA6149BE45E5)},
};

static void test_vector(void **state)
{
    const struct siphash_case *c = *state;
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_true(pin_siphash(bytes, bytes, c->bytes) == c->want);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_vector, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
