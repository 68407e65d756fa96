/* SPDX-License-Identifier: Apache-2.0 */

/* Who asks follows from the clusters' ranges; a range of two clusters is nobody's, and told once.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/catalog.h"

#include "support/defaults.h"
#include "zones/scene.h"

static struct pin_prefix ranges_c1[2];
static struct pin_prefix ranges_c2[2];
static struct pin_cluster_settings clusters[2] = {
    {.name = "c1", .clients = ranges_c1, .n_clients = 2, .weight = PIN_WEIGHT_UNSET},
    {.name = "c2", .clients = ranges_c2, .n_clients = 2, .weight = PIN_WEIGHT_UNSET}};
static const struct pin_network networks[1] = {{.name = "default"}};
static struct pin_settings settings;
static unsigned n_warnings;

static struct ask_case {
    const char *name; /* reads as a sentence in the test report */
    const char *c1[2];
    const char *c2[2];
    const char *from;
    uint16_t want; /* cluster id */
} cases[] = {
    {"an address in one cluster's range is that cluster's", {"10.1.0.0/16", "192.0.2.1"},
        {"10.2.0.0/16", "192.0.2.2"}, "10.2.3.4", 1},
    {"an address in no range is nobody's", {"10.1.0.0/16", "192.0.2.1"},
        {"10.2.0.0/16", "192.0.2.2"}, "10.3.3.4", PIN_CLUSTER_NONE},
    {"equal ranges of two clusters are nobody's", {"10.0.0.0/8", "192.0.2.1"},
        {"10.0.0.0/8", "192.0.2.2"}, "10.2.3.4", PIN_CLUSTER_NONE},
    {"a range inside another cluster's is nobody's", {"10.0.0.0/8", "192.0.2.1"},
        {"10.2.0.0/16", "192.0.2.2"}, "10.2.3.4", PIN_CLUSTER_NONE},
    {"around it the wider range still counts", {"10.0.0.0/8", "192.0.2.1"},
        {"10.2.0.0/16", "192.0.2.2"}, "10.3.3.4", 0},
    {"a range inside a contested one stays contested", {"10.0.0.0/8", "10.2.0.0/24"},
        {"10.2.0.0/16", "192.0.2.2"}, "10.2.0.9", PIN_CLUSTER_NONE},
    {"a range twice in one cluster is that cluster's", {"10.1.0.0/16", "10.1.0.0/16"},
        {"10.2.0.0/16", "192.0.2.2"}, "10.1.0.9", 0},
    {"IPv6 ranges count alike", {"2001:db8:1::/48", "192.0.2.1"}, {"2001:db8:2::/48", "192.0.2.2"},
        "2001:db8:2::9", 1},
};

static void set_ranges(const struct ask_case *c)
{
    for (size_t i = 0; i < 2; i++) {
        assert_true(pin_prefix_parse(c->c1[i], &ranges_c1[i]));
        assert_true(pin_prefix_parse(c->c2[i], &ranges_c2[i]));
    }
}

static void test_asker(void **state)
{
    const struct ask_case *c = *state;
    struct pin_catalog *catalog = NULL;
    struct pin_ip from;
    set_ranges(c);
    assert_true(pin_ip_parse(c->from, &from));
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, NULL), PIN_OK);
    assert_int_equal(pin_scene_asker(pin_catalog_live(catalog)->scene, &from).cluster_id, c->want);
    pin_rcu_barrier();
    pin_catalog_free(catalog);
}

static void count_warning(enum pin_log_level level, const char *line, void *arg)
{
    (void)arg;
    n_warnings += level == PIN_LOG_WARN && strstr(line, "10.2.0.0/16") != NULL;
}

static void test_conflict_is_told_once(void **state)
{
    struct pin_catalog *catalog = NULL;
    (void)state;
    set_ranges(&cases[3]);
    n_warnings = 0;
    pin_log_set_sink(count_warning, NULL);
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, NULL), PIN_OK);
    for (unsigned i = 0; i < 3; i++) { /* each of these makes a new scene */
        pin_catalog_apply(
            catalog, pin_delta_mark(0, i % 2 == 0 ? PIN_DELTA_UP : PIN_DELTA_DOWN, 0));
        assert_true(pin_catalog_publish(catalog, i).has_new_scene);
    }
    assert_int_equal(n_warnings, 1);
    set_ranges(&cases[0]);
    pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_DOWN, 0));
    (void)pin_catalog_publish(catalog, 9);
    set_ranges(&cases[3]); /* it came back: that is news */
    pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_UP, 0));
    (void)pin_catalog_publish(catalog, 10);
    assert_int_equal(n_warnings, 2);
    pin_log_set_sink(NULL, NULL);
    pin_rcu_barrier();
    pin_catalog_free(catalog);
}

static int end_rcu(void **state)
{
    (void)state;
    pin_rcu_barrier();
    pin_rcu_unregister();
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 1] = {{0}};
    size_t n = 0;
    for (; n < N_ELEMS(cases); n++) {
        tests[n] = (struct CMUnitTest){
            .name = cases[n].name, .test_func = test_asker, .initial_state = &cases[n]};
    }
    tests[n] = (struct CMUnitTest)cmocka_unit_test(test_conflict_is_told_once);
    settings = pin_test_settings(networks, 1, clusters, 2);
    pin_rcu_register();
    return cmocka_run_group_tests_name("scene", tests, NULL, end_rcu);
}
