/* SPDX-License-Identifier: Apache-2.0 */

/* Statuses that are wanted, and when two checks of an address are the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/check.h"

static struct status_case {
    const char *name;
    const char *text;
    bool is_good;
    int wanted;   /* a status that is */
    int unwanted; /* and one that is not */
} cases[] = {
    {"one code", "200", true, 200, 201},
    {"a range", "200-299", true, 299, 300},
    {"codes and ranges with blanks", " 200 , 301 - 303 ", true, 302, 300},
    {"eight ranges", "100,200,300,400,500,501,502,503", true, 503, 504},
    {"nine ranges are too many", "100,200,300,400,500,501,502,503,504", false, 200, 204},
    {"a range is not upside down", "299-200", false, 200, 204},
    {"nothing", "", false, 200, 204},
    {"a comma at the end", "200,", false, 200, 204},
    {"two digits", "20", false, 200, 204},
    {"four digits", "2000", false, 200, 204},
    {"a code above all", "600", false, 200, 204},
    {"a sign", "+200", false, 200, 204},
    {"a range without end", "200-", false, 200, 204},
};

static void test_status(void **state)
{
    const struct status_case *c = *state;
    struct pin_check check = pin_check_default();
    assert_int_equal(pin_check_read_status(&check, c->text), c->is_good);
    assert_true(pin_check_wants_status(&check, c->wanted)); /* malformed: 200 as before */
    assert_false(pin_check_wants_status(&check, c->unwanted));
}

static void test_spec_owns_its_texts(void **state)
{
    char path[] = "/live";
    char host[] = "shop.example";
    struct pin_check check = pin_check_default();
    struct pin_ip ip;
    (void)state;
    assert_true(pin_ip_parse("2001:db8::1", &ip));
    check.path = path;
    check.host = host;
    struct pin_probe_spec *spec = pin_probe_spec_new(&ip, 80, &check);
    assert_non_null(spec);
    memset(path, 'x', sizeof(path) - 1);
    memset(host, 'x', sizeof(host) - 1);
    assert_string_equal(spec->check.path, "/live");
    assert_string_equal(spec->check.host, "shop.example");
    assert_null(spec->check.command);
    free(spec);
}

static void test_window(void **state)
{
    struct pin_check check = pin_check_default();
    (void)state;
    assert_int_equal(pin_check_window_s(&check), 2 * (30 + 3 + 1) + 5);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        {"a spec keeps texts of its own", test_spec_owns_its_texts, NULL, NULL, NULL},
        {"an outage is seen within fall intervals and a timeout", test_window, NULL, NULL, NULL},
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(others)];
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_status, .initial_state = &cases[i]};
    }
    memcpy(&tests[N_ELEMS(cases)], others, sizeof(others));
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
