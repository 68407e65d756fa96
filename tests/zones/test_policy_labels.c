/* SPDX-License-Identifier: Apache-2.0 */

/* A policy object has one slot for ever; those beyond the last share slot 0. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "zones/policy.h"

static uint16_t slot_of(
    struct pin_policy_labels *labels, const char *cluster, enum pin_kind kind, const char *name)
{
    struct pin_object object = {.kind = kind, .namespace_name = "apps", .name = name};
    return pin_policy_slot(labels, cluster, &object);
}

static void test_slots(void **state)
{
    struct pin_policy_labels *labels = pin_policy_labels_new();
    char name[16];
    (void)state;
    assert_non_null(labels);
    assert_string_equal(labels->labels[0].kind, "other");
    assert_int_equal(slot_of(labels, "c1", PIN_KIND_RESOLVE_POLICY, "a"), 1);
    assert_int_equal(slot_of(labels, "c2", PIN_KIND_RESOLVE_POLICY, "a"), 2);
    assert_int_equal(slot_of(labels, "c1", PIN_KIND_IAM_AUTH_POLICY, "a"), 3);
    assert_int_equal(slot_of(labels, "c1", PIN_KIND_RESOLVE_POLICY, "a"), 1);
    for (unsigned i = 4; i < PIN_POLICY_SLOTS + 10; i++) {
        (void)snprintf(name, sizeof(name), "p%u", i);
        uint16_t slot = slot_of(labels, "c1", PIN_KIND_RESOLVE_POLICY, name);
        assert_int_equal(slot, i < PIN_POLICY_SLOTS ? i : 0);
    }
    assert_string_equal(labels->labels[10].name, "p10");
    assert_string_equal(labels->labels[10].namespace_name, "apps");
    assert_int_equal(slot_of(labels, "c1", PIN_KIND_RESOLVE_POLICY, "p10"), 10);
    pin_policy_labels_free(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"a policy object has one slot for ever", test_slots, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("policy_labels", tests, NULL, NULL);
}
