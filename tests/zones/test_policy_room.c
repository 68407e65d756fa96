/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes of policies that do not fit into one program: who has no room refuses everybody, and
 * those behind keep theirs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "zones/policy.h"

#define TEXT_BYTES 255u
#define N_TEXTS    256u /* with 2 bytes each more than 64 KiB, a program's room */
#define SHOP       "shop"

/* Namespaces that are let in: SHOP, and `n` very long ones, the last of `last_bytes`. */
struct guests {
    char texts[N_TEXTS][TEXT_BYTES + 1];
    const char *list[N_TEXTS + 1];
    struct pin_policy_condition condition;
    struct pin_policy_statement statement;
    struct pin_object object;
};

static void invite(struct guests *guests, size_t n, size_t last_bytes, uint16_t slot)
{
    *guests = (struct guests){0};
    for (size_t i = 0; i < n; i++) {
        memset(guests->texts[i], 'x', i + 1 < n ? TEXT_BYTES : last_bytes);
        guests->list[i] = guests->texts[i];
    }
    guests->list[n] = SHOP;
    guests->condition = (struct pin_policy_condition){
        .about = PIN_POLICY_ABOUT_NAMESPACE, .texts = guests->list, .n_values = n + 1};
    guests->statement =
        (struct pin_policy_statement){.conditions = &guests->condition, .n_conditions = 1};
    guests->object = (struct pin_object){.kind = PIN_KIND_RESOLVE_POLICY,
        .namespace_name = "apps",
        .name = "guests",
        .as.policy = {.statements = &guests->statement, .n_statements = 1, .slot = slot}};
}

/* What both together say to a namespace. */
static enum pin_policy_verdict judge(const struct guests *first, const struct guests *second,
    const char *namespace_name, uint16_t *ret_slot)
{
    const struct pin_settings settings = {0};
    const struct pin_object *objects[] = {&first->object, &second->object};
    const struct pin_policy_asker asker = {.cluster_id = PIN_CLUSTER_NONE,
        .namespace_bytes = (uint8_t)strlen(namespace_name),
        .namespace_name = namespace_name};
    struct pin_policy *policy = pin_policy_new(&settings, objects, N_ELEMS(objects));
    assert_non_null(policy);
    enum pin_policy_verdict verdict = pin_policy_judge(policy, &asker, ret_slot);
    pin_policy_unref(policy);
    return verdict;
}

static void test_both_have_room(void **state)
{
    static struct guests first;
    static struct guests second;
    uint16_t slot = 0;
    (void)state;
    invite(&first, 100, TEXT_BYTES, 1);
    invite(&second, 100, TEXT_BYTES, 2);
    assert_int_equal(judge(&first, &second, SHOP, &slot), PIN_POLICY_ALLOWED);
    assert_int_equal(judge(&first, &second, "other", &slot), PIN_POLICY_REFUSED);
    assert_int_equal(slot, 1);
}

static void test_who_has_no_room_refuses(void **state)
{
    static struct guests first;
    static struct guests second;
    uint16_t slot = 0;
    (void)state;
    invite(&first, 100, TEXT_BYTES, 1);
    invite(&second, N_TEXTS, TEXT_BYTES, 2);
    assert_int_equal(judge(&first, &second, SHOP, &slot), PIN_POLICY_REFUSED);
    assert_int_equal(slot, 2);
}

/* The first one would take the room in which the second one says no. */
static void test_those_behind_keep_their_room(void **state)
{
    static struct guests first;
    static struct guests second;
    uint16_t slot = 0;
    (void)state;
    invite(&second, 1, TEXT_BYTES, 2);
    for (size_t last_bytes = TEXT_BYTES - 32; last_bytes <= TEXT_BYTES; last_bytes++) {
        invite(&first, N_TEXTS - 1, last_bytes, 1);
        enum pin_policy_verdict verdict = judge(&first, &second, SHOP, &slot);
        assert_int_equal(verdict, PIN_POLICY_REFUSED);
        assert_in_range(slot, 1, 2);
        bool has_first_room = slot == 2;
        assert_true(has_first_room == (last_bytes <= TEXT_BYTES - 10));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_have_room),
        cmocka_unit_test(test_who_has_no_room_refuses),
        cmocka_unit_test(test_those_behind_keep_their_room),
    };
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests_name("policy_room", tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
