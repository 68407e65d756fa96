/* SPDX-License-Identifier: Apache-2.0 */

/* What the scheduler makes of what a thread asks for, read from the kernel. */

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/thread.h"

static struct sched_attr own_attr(void)
{
    struct sched_attr attr = {.size = sizeof(attr)};
    assert_int_equal(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
    return attr;
}

/* Whether this kernel's usual policy takes a slice of a thread's own. */
static bool knows_slices(void)
{
    struct sched_attr attr = own_attr();
    attr.sched_runtime = 200000;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0);
    return own_attr().sched_runtime == 200000;
}

static void test_the_kernel_gives_short_slices_and_nothing_else_changes(void **state)
{
    (void)state;
    bool is_known = knows_slices();
    struct sched_attr before = own_attr();
    assert_int_equal(pin_thread_be_brisk(), is_known);
    struct sched_attr brisk = own_attr();
    assert_int_equal(pin_thread_be_prompt(), is_known);
    struct sched_attr after = own_attr();
    if (is_known) {
        assert_true(after.sched_runtime < brisk.sched_runtime);
        assert_true(brisk.sched_runtime <= 300000); /* an unasked slice is 700 us or more */
    }
    assert_int_equal(after.sched_policy, before.sched_policy);
    assert_int_equal(after.sched_nice, before.sched_nice);
}

static void test_another_policy_is_left_alone(void **state)
{
    struct sched_attr attr = own_attr();
    (void)state;
    attr.sched_policy = SCHED_BATCH;
    assert_int_equal(syscall(SYS_sched_setattr, 0, &attr, 0), 0);
    struct sched_attr before = own_attr();
    assert_false(pin_thread_be_prompt());
    assert_false(pin_thread_be_brisk());
    assert_int_equal(own_attr().sched_policy, SCHED_BATCH);
    assert_int_equal(own_attr().sched_runtime, before.sched_runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kernel_gives_short_slices_and_nothing_else_changes),
        cmocka_unit_test(test_another_policy_is_left_alone),
    };
    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
