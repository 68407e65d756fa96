/* SPDX-License-Identifier: Apache-2.0 */

/* Every code has a name and a text, and reasons are bounded sentences. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/error.h"

static struct errno_case {
    const char *name;
    int errno_value;
    enum pin_err want;
} cases[] = {
    {"a missing file is not found", ENOENT, PIN_ENOTFOUND},
    {"a file without permission is denied", EACCES, PIN_EDENIED},
    {"a privileged port is denied", EPERM, PIN_EDENIED},
    {"no memory stays no memory", ENOMEM, PIN_ENOMEM},
    {"a connect that hangs timed out", ETIMEDOUT, PIN_ETIMEOUT},
    {"a port in use is busy", EADDRINUSE, PIN_EBUSY},
    {"a file that is there exists", EEXIST, PIN_EEXISTS},
    {"a broken disk is an input/output error", EIO, PIN_EIO},
};

static void test_errno(void **state)
{
    const struct errno_case *c = *state;
    struct pin_why why = {0};
    assert_int_equal(pin_why_errno(&why, c->errno_value, "open '%s'", "f"), c->want);
    assert_memory_equal(why.text, "open 'f': ", 10);
    assert_string_equal(why.text + 10, strerrordesc_np(c->errno_value));
    assert_int_equal(pin_why_errno(NULL, c->errno_value, "x"), c->want);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(PIN_OK, 0);
    assert_string_equal(pin_err_str(PIN_OK), "success");
    assert_string_equal(pin_err_name(PIN_EPARSE), "EPARSE");
    assert_string_equal(pin_err_str((enum pin_err)9999), "unknown error");
    assert_string_equal(pin_err_name((enum pin_err)9999), "?");
#define X(name, text)                                                                              \
    assert_string_equal(pin_err_str(PIN_##name), text);                                            \
    assert_string_equal(pin_err_name(PIN_##name), #name);
    PIN_ERR_MAP(X)
#undef X
}

static void test_set_and_wrap(void **state)
{
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pin_why_set(&why, PIN_EINVAL, "port %d", 70000), PIN_EINVAL);
    pin_why_wrap(&why, "%s:%d", "file", 3);
    assert_string_equal(why.text, "file:3: port 70000");
    assert_int_equal(pin_why_set(NULL, PIN_EINVAL, "nobody asks"), PIN_EINVAL);
    pin_why_wrap(NULL, "nobody asks");
}

static void test_long_reasons_are_cut(void **state)
{
    struct pin_why why = {0};
    char text[2 * PIN_WHY_BYTES];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)pin_why_set(&why, PIN_EINVAL, "%s", text);
    assert_int_equal(strlen(why.text), PIN_WHY_BYTES - 1);
    pin_why_wrap(&why, "front");
    assert_memory_equal(why.text, "front: xxx", 10);
    assert_int_equal(strlen(why.text), PIN_WHY_BYTES - 1);
    (void)pin_why_errno(&why, EIO, "%s", text);
    assert_int_equal(strlen(why.text), PIN_WHY_BYTES - 1);
    pin_why_wrap(&why, "%s", text);
    assert_int_equal(strlen(why.text), PIN_WHY_BYTES - 1);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 3] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_set_and_wrap),
        cmocka_unit_test(test_long_reasons_are_cut),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_errno, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
