/* SPDX-License-Identifier: Apache-2.0 */

/* Name servers whose names lie in zones of ours: which addresses they have, and when one is told to
 * have none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/finding.h"
#include "pintle/zones/zonefile.h"

#include "support/stage.h"

#define IPS_MAX   4u
#define FILE_APEX "corp.example"

static struct pin_stage stage;

/* The custom zone example.com, and one that a file fills, with these servers. */
static void open_stage(const char *const *ns, size_t n_ns, const struct pin_ip *ips, size_t n_ips)
{
    struct pin_why why = {0};
    pin_stage_init(&stage);
    stage.zones_custom[0] = "example.com";
    stage.settings.n_zones_custom = 1;
    stage.zones_static[0] = FILE_APEX;
    stage.settings.zones_static = stage.zones_static;
    stage.settings.n_zones_static = 1;
    stage.settings.ns = ns;
    stage.settings.n_ns = n_ns;
    stage.settings.ns_addresses = ips;
    stage.settings.n_ns_addresses = n_ips;
    assert_non_null(pin_stage_add_cluster(&stage, "c1"));
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
}

/* --- addresses ------------------------------------------------------------------------------ */

static struct addresses_case {
    const char *name; /* reads as a sentence in the test report */
    const char *ns[2];
    size_t n_ns;
    const char *ips[IPS_MAX];
    unsigned want[2][2]; /* of each server: A, AAAA */
} addresses_cases[] = {
    {"what is said twice is one address", {"ns1.example.com"}, 1,
        {"192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::1"}, {{1, 1}}},
    {"others are shown beside it", {"ns1.example.com"}, 1,
        {"192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"}, {{2, 0}}},
    {"two servers may be at one address", {"ns1.example.com", "ns2.example.com"}, 2,
        {"192.0.2.1", "192.0.2.1"}, {{1, 0}, {1, 0}}},
    {"one each where there are as many", {"ns1.example.com", "ns2.example.com"}, 2,
        {"192.0.2.1", "192.0.2.2", "2001:db8::1"}, {{1, 1}, {1, 1}}},
};

static unsigned count(const char *name, uint16_t type)
{
    const struct pin_stage_asker asker = {.listen_cluster_id = PIN_CLUSTER_NONE};
    const struct pin_table *table = pin_stage_table(&stage, &asker, name, type);
    return table == NULL ? 0 : table->n_rr;
}

static void test_addresses(void **state)
{
    const struct addresses_case *c = *state;
    struct pin_ip ips[IPS_MAX];
    size_t n = 0;
    for (; n < IPS_MAX && c->ips[n] != NULL; n++) {
        assert_true(pin_ip_parse(c->ips[n], &ips[n]));
    }
    open_stage(c->ns, c->n_ns, ips, n);
    for (size_t i = 0; i < c->n_ns; i++) {
        assert_int_equal(count(c->ns[i], PIN_TYPE_A), c->want[i][0]);
        assert_int_equal(count(c->ns[i], PIN_TYPE_AAAA), c->want[i][1]);
    }
    pin_stage_done(&stage);
}

/* --- findings ------------------------------------------------------------------------------- */

static struct finding_case {
    const char *name;
    const char *records; /* of the file */
    bool is_told;
} finding_cases[] = {
    {"a server without an address is told", "", true},
    {"one that has an address is not", "ns.app A 192.0.2.7\n", false},
    {"nor one that a wildcard covers", "*.app A 192.0.2.7\n", false},
    {"a wildcard covers no name that is there", "*.app A 192.0.2.7\nns.app TXT here\n", true},
    {"nor what is below such a name", "* A 192.0.2.7\napp TXT here\n", true},
    {"a wildcard without addresses is no help", "*.app TXT here\n", true},
};

static void load_file(const char *records)
{
    char text[256];
    struct pin_text faults = {0};
    struct pin_zonefile *file = NULL;
    int bytes = snprintf(text, sizeof(text),
        "$TTL 60\n@ SOA ns1 h 7 1 2 3 4\n@ NS ns1\nns1 A 192.0.2.1\n%s", records);
    struct pin_zonefile_input input = {
        .zone = FILE_APEX, .text = {.path = "f", .text = text, .bytes = (size_t)bytes}};
    assert_int_equal(pin_zonefile_parse(&input, &file, &faults), PIN_OK);
    pin_text_done(&faults);
    assert_int_equal(pin_catalog_set_zonefile(stage.catalog, file, NULL), PIN_OK);
    pin_stage_publish(&stage);
}

static void test_findings(void **state)
{
    static const char *const ns[] = {"ns.app." FILE_APEX};
    const struct finding_case *c = *state;
    struct pin_analysis analysis = {0};
    bool is_told = false;
    open_stage(ns, N_ELEMS(ns), NULL, 0);
    load_file(c->records);
    pin_catalog_analyze(stage.catalog, false, stage.now_ms, &analysis);
    for (size_t i = 0; i < analysis.n; i++) {
        is_told = is_told || analysis.items[i].id == PIN_FINDING_NO_NS_ADDRESS;
    }
    pin_analysis_done(&analysis);
    assert_int_equal(is_told, c->is_told);
    pin_stage_done(&stage);
}

static int set_up(void **state)
{
    (void)state;
    pin_rcu_register();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_rcu_unregister();
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(addresses_cases) + N_ELEMS(finding_cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(addresses_cases); i++) {
        tests[i] = (struct CMUnitTest){.name = addresses_cases[i].name,
            .test_func = test_addresses,
            .initial_state = &addresses_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(finding_cases); i++) {
        tests[N_ELEMS(addresses_cases) + i] = (struct CMUnitTest){.name = finding_cases[i].name,
            .test_func = test_findings,
            .initial_state = &finding_cases[i]};
    }
    return cmocka_run_group_tests_name("nameservers", tests, set_up, tear_down);
}
