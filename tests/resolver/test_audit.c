/* SPDX-License-Identifier: Apache-2.0 */

/* Samples go from a worker to control in order, and are lost, not waited for, when it is late. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/zones/catalog.h"

#include "resolver/audit.h"

static bool put(struct pin_audit_ring *ring, uint16_t qtype)
{
    struct pin_audit_sample *sample = pin_audit_begin(ring);
    if (sample == NULL) {
        return false;
    }
    sample->qtype = qtype;
    pin_audit_commit(ring);
    return true;
}

static void test_samples_come_in_order_and_are_lost_when_the_ring_is_full(void **state)
{
    static struct pin_audit_ring ring;
    struct pin_audit_sample sample;
    (void)state;
    assert_false(pin_audit_take(&ring, &sample));
    for (uint16_t turn = 0; turn < 5; turn++) {
        for (uint16_t i = 0; i < PIN_AUDIT_SAMPLES; i++) {
            assert_true(put(&ring, i));
        }
        assert_false(put(&ring, 99));
        for (uint16_t i = 0; i < PIN_AUDIT_SAMPLES; i++) {
            assert_true(pin_audit_take(&ring, &sample));
            assert_int_equal(sample.qtype, i);
        }
        assert_false(pin_audit_take(&ring, &sample));
    }
}

static void test_counters_that_wrap_lose_nothing(void **state)
{
    static struct pin_audit_ring ring;
    struct pin_audit_sample sample;
    (void)state;
    atomic_store(&ring.n_put, UINT32_MAX);
    atomic_store(&ring.n_taken, UINT32_MAX);
    assert_true(put(&ring, 1));
    assert_true(put(&ring, 2));
    assert_true(pin_audit_take(&ring, &sample));
    assert_int_equal(sample.qtype, 1);
    assert_true(pin_audit_take(&ring, &sample));
    assert_int_equal(sample.qtype, 2);
    assert_false(pin_audit_take(&ring, &sample));
}

static void test_a_line_says_who_what_and_by_which_policy(void **state)
{
    static struct pin_policy_labels labels;
    const struct pin_cluster_settings cluster = {.name = "c1"};
    const struct pin_settings settings = {.clusters = &cluster, .n_clusters = 1};
    struct pin_audit_sample sample = {.slot = 1, .cluster_id = 0, .qtype = 28};
    struct pin_name name;
    char text[2048];
    (void)state;
    labels.labels[1] = (struct pin_policy_label){
        .cluster = "c2", .kind = "IAMAuthPolicy", .namespace_name = "apps", .name = "p"};
    assert_int_equal(pin_name_parse("web.example", &name), PIN_OK);
    memcpy(sample.qname, name.wire, name.bytes);
    assert_true(pin_prefix_parse("10.1.2.0/24", &sample.address));
    memcpy(sample.namespace_name, "shop", 4);
    sample.namespace_bytes = 4;
    pin_audit_format(&sample, &settings, &labels, text, sizeof(text));
    assert_string_equal(text, "would deny web.example. AAAA to 10.1.2.0/24 (cluster c1, namespace "
                              "shop): IAMAuthPolicy c2/apps/p");
    sample.cluster_id = PIN_CLUSTER_NONE;
    sample.namespace_bytes = 0;
    sample.qtype = 99;
    assert_true(pin_prefix_parse("2001:db8::1", &sample.address));
    pin_audit_format(&sample, &settings, &labels, text, sizeof(text));
    assert_string_equal(text, "would deny web.example. TYPE99 to 2001:db8::1 (cluster unknown, "
                              "namespace unknown): IAMAuthPolicy c2/apps/p");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_come_in_order_and_are_lost_when_the_ring_is_full),
        cmocka_unit_test(test_counters_that_wrap_lose_nothing),
        cmocka_unit_test(test_a_line_says_who_what_and_by_which_policy),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
