/* SPDX-License-Identifier: Apache-2.0 */

/* Findings: the table of codes, their order and limit, and those that take a server's list.
 * tests/e2e/analyze.py shows each of the others in a world of files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/rcu.h"
#include "pintle/zones/finding.h"

#include "support/defaults.h"

#define N_SERVICES 10u

static const struct pin_network networks[1] = {{.name = "default"}};
static const struct pin_cluster_settings clusters[1] = {{.name = "c1", .weight = PIN_WEIGHT_UNSET}};

/* Codes are in order, none stands twice, and every text is there. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < PIN_FINDING_MAX; i++) {
        const struct pin_finding_code *code = &pin_finding_codes[i];
        assert_non_null(code->code);
        assert_int_equal(strlen(code->code), 7);
        assert_true(strlen(code->title) > 0 && strlen(code->fix) > 0);
        assert_true(i == 0 || strcmp(pin_finding_codes[i - 1].code, code->code) < 0);
        assert_true(code->severity < PIN_SEVERITY_MAX);
    }
    assert_string_equal(pin_severity_text(PIN_SEVERITY_INFO), "info");
    assert_string_equal(pin_severity_text(PIN_SEVERITY_ERROR), "error");
}

/* The worst first, then by code and object; more than fit are counted. */
static void test_list(void **state)
{
    struct pin_analysis analysis = {0};
    struct pin_finding info = {.id = PIN_FINDING_NOT_LOOKED_AT, .cluster = "c1"};
    struct pin_finding error = {.id = PIN_FINDING_NO_SERVICE, .cluster = "c1", .name = "b"};
    (void)state;
    pin_analysis_add(&analysis, &info, "first");
    pin_analysis_add(&analysis, &error, "%s", "second");
    error.name = "a";
    pin_analysis_add(&analysis, &error, "third");
    pin_analysis_add(&analysis, &error, "third"); /* looked at twice, told once */
    pin_analysis_sort(&analysis);
    assert_int_equal(analysis.n, 3);
    assert_int_equal(analysis.n_of[PIN_SEVERITY_ERROR], 2);
    assert_string_equal(analysis.items[0].message, "third");
    assert_string_equal(analysis.items[1].message, "second");
    assert_string_equal(analysis.items[2].message, "first");
    assert_string_equal(analysis.items[2].namespace_name, "");
    for (size_t i = 0; i < PIN_ANALYSIS_MAX; i++) {
        pin_analysis_add(&analysis, &error, "%zu", i);
    }
    assert_int_equal(analysis.n, PIN_ANALYSIS_MAX);
    assert_int_equal(analysis.n_left_out, 3);
    assert_int_equal(analysis.n_of[PIN_SEVERITY_ERROR], PIN_ANALYSIS_MAX + 2);
    assert_int_equal(analysis.n_of[PIN_SEVERITY_INFO], 1);
    pin_analysis_done(&analysis);
    assert_int_equal(analysis.n, 0);
}

static void mark(struct pin_catalog *catalog, enum pin_delta_op op, enum pin_kind kind)
{
    struct pin_delta *delta = pin_delta_mark(0, op, kind);
    assert_non_null(delta);
    delta->is_unproven = true;
    pin_catalog_apply(catalog, delta);
}

static void list_services(struct pin_catalog *catalog, size_t n)
{
    mark(catalog, PIN_DELTA_LIST_BEGIN, PIN_KIND_SERVICE);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        struct pin_object *object = pin_object_new(PIN_KIND_SERVICE, 256);
        assert_non_null(object);
        (void)snprintf(name, sizeof(name), "s%zu", i);
        assert_true(pin_object_set_names(object, "shop", name));
        pin_catalog_apply(catalog, pin_delta_upsert(0, object));
    }
    mark(catalog, PIN_DELTA_LIST_END, PIN_KIND_SERVICE);
}

static bool is_found(struct pin_catalog *catalog, enum pin_finding_id id)
{
    struct pin_analysis analysis = {0};
    bool is_found = false;
    (void)pin_catalog_publish(catalog, 1000);
    pin_catalog_analyze(catalog, true, 1000, &analysis);
    assert_false(analysis.is_out_of_memory);
    for (size_t i = 0; i < analysis.n; i++) {
        is_found = is_found || analysis.items[i].id == id;
    }
    pin_analysis_done(&analysis);
    return is_found;
}

/* A server's list that has lost nearly everything is a finding for as long as it is held. */
static void test_held(void **state)
{
    struct pin_settings settings = pin_test_settings(networks, 1, clusters, 1);
    struct pin_catalog *catalog = NULL;
    struct pin_why why = {0};
    (void)state;
    pin_rcu_register();
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, &why), PIN_OK);
    assert_true(is_found(catalog, PIN_FINDING_CLUSTER_UNSEEN));
    mark(catalog, PIN_DELTA_UP, PIN_KIND_SERVICE);
    list_services(catalog, N_SERVICES);
    mark(catalog, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_false(is_found(catalog, PIN_FINDING_CLUSTER_UNSEEN));
    assert_false(is_found(catalog, PIN_FINDING_LIST_HELD));
    list_services(catalog, 1);
    assert_true(is_found(catalog, PIN_FINDING_LIST_HELD));
    list_services(catalog, N_SERVICES);
    assert_false(is_found(catalog, PIN_FINDING_LIST_HELD));
    pin_rcu_barrier();
    pin_catalog_free(catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
}

/* Of a cluster whose slices were never listed, a role that lacks them for example, nobody knows
 * what endpoints its Services have: that it was not listed is the finding. */
static void test_unlisted(void **state)
{
    struct pin_settings settings = pin_test_settings(networks, 1, clusters, 1);
    struct pin_catalog *catalog = NULL;
    struct pin_why why = {0};
    (void)state;
    pin_rcu_register();
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, &why), PIN_OK);
    mark(catalog, PIN_DELTA_UP, PIN_KIND_SERVICE);
    struct pin_object *service = pin_object_new(PIN_KIND_SERVICE, 256);
    assert_non_null(service);
    assert_true(pin_object_set_names(service, "shop", "web"));
    struct pin_steering *steering = pin_object_steer(service);
    assert_non_null(steering);
    steering->is_global = true;
    pin_catalog_apply(catalog, pin_delta_upsert(0, service));
    assert_true(is_found(catalog, PIN_FINDING_CLUSTER_UNSEEN));
    assert_false(is_found(catalog, PIN_FINDING_NO_SLICE));
    mark(catalog, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_true(is_found(catalog, PIN_FINDING_NO_SLICE));
    pin_rcu_barrier();
    pin_catalog_free(catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_unlisted),
    };
    pin_rcu_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
