/* SPDX-License-Identifier: Apache-2.0 */

/* A packed list gives back the names that were put into it, in order, whatever is left out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "support/faults.h"
#include "zones/names.h"

#define N_NAMES  200u
#define N_ROUNDS 500u

static struct pin_name model[N_NAMES];

static unsigned chance(unsigned n)
{
    static uint64_t state = 7;
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(state >> 33) % n;
}

static struct pin_name parse(const char *text)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(text, &name), PIN_OK);
    return name;
}

/* Names as units put them, some far apart, some twice, some very long. */
static struct pin_name any_name(void)
{
    static const char *const ends[] = {"cart.shop.svc.clusterset.local",
        "a.shop.svc.clusterset.local", "cart.shop.svc.c1.cluster.local", "x", "pintle.internal"};
    struct pin_name name = parse(ends[chance(N_ELEMS(ends))]);
    for (unsigned n = chance(4); n > 0; n--) {
        char label[64];
        int bytes = snprintf(label, sizeof(label), "%0*u", (int)(1 + chance(62)), chance(3));
        (void)pin_name_prepend(&name, label, (size_t)bytes);
    }
    return name;
}

static void add(struct pin_names_draft *draft, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        model[i] = any_name();
        assert_true(pin_names_add(draft, &model[i]));
    }
}

static void check(const struct pin_names *names, const struct pin_name *want, size_t n)
{
    struct pin_names_walk walk = {0};
    for (size_t i = 0; i < n; i++) {
        assert_true(pin_names_next(names, &walk));
        assert_int_equal(walk.name.bytes, want[i].bytes);
        assert_memory_equal(walk.name.wire, want[i].wire, want[i].bytes);
    }
    assert_false(pin_names_next(names, &walk));
}

static void test_gives_back(void **state)
{
    (void)state;
    struct pin_names names = {0};
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        struct pin_names_draft draft = {.before = &names};
        size_t n = 1 + chance(N_NAMES);
        add(&draft, n);
        struct pin_names next = pin_names_take_new(&draft);
        check(&next, model, n);
        free(names.packed);
        names = next;
    }
    free(names.packed);
}

static bool keep_some(void *arg, const struct pin_name *name)
{
    size_t *n_kept = arg;
    if (chance(2) == 0) {
        return false;
    }
    model[(*n_kept)++] = *name;
    return true;
}

static void test_leaves_out(void **state)
{
    (void)state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        struct pin_names none = {0};
        struct pin_names_draft draft = {.before = &none};
        add(&draft, chance(N_NAMES / 2) + 1);
        struct pin_names old = pin_names_take_new(&draft);
        draft = (struct pin_names_draft){.before = &old};
        add(&draft, chance(N_NAMES / 2) + 1);
        size_t bytes = draft.names.bytes;
        size_t n_kept = 0;
        pin_names_filter(&draft, keep_some, &n_kept);
        check(&draft.names, model, n_kept);
        assert_true(draft.names.bytes <= bytes);
        free(draft.names.packed);
        free(old.packed);
    }
}

static void test_takes_little_room(void **state)
{
    (void)state;
    struct pin_names none = {0};
    struct pin_names_draft draft = {.before = &none};
    for (unsigned i = 0; i < 100; i++) {
        char text[100];
        (void)snprintf(text, sizeof(text), "10-0-0-%u.c1.cart.shop.svc.clusterset.local", 100 + i);
        struct pin_name name = parse(text);
        assert_true(pin_names_add(&draft, &name));
    }
    assert_in_range(draft.names.bytes, 100, 100 * 14);
    free(draft.names.packed);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct pin_names none = {0};
    struct pin_names_draft draft = {.before = &none};
    struct pin_name name = parse("a.b");
    pin_faults_start(0, 1);
    assert_false(pin_names_add(&draft, &name));
    assert_int_equal(pin_faults_stop(), 1);
    assert_null(draft.names.packed);
    assert_true(pin_names_add(&draft, &name));
    check(&draft.names, &name, 1);
    free(draft.names.packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_back),
        cmocka_unit_test(test_leaves_out),
        cmocka_unit_test(test_takes_little_room),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
