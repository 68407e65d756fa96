/* SPDX-License-Identifier: Apache-2.0 */

/* Assigned names are stable, fit a label and are cut as documented. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "zones/assigned.h"

static struct assigned_case {
    const char *name; /* reads as a sentence in the test report */
    const char *route;
    const char *namespace_name;
    const char *want; /* without the id when it ends with '-' */
} cases[] = {
    {"the id is a hash of cluster set, cluster, kind, namespace and name", "inventory", "default",
        "inventory-default-1951cbe339d38e1f.pintle.internal."},
    {"a long route is cut to 20 letters", "abcdefghijklmnopqrstuvwxyz", "default",
        "abcdefghijklmnopqrst-default-"},
    {"a long namespace is cut to 18 letters", "r", "abcdefghijklmnopqrstuvwxyz",
        "r-abcdefghijklmnopqr-"},
    {"a dash at a cut is removed", "abcdefghijklmnopqrs-uvw", "n", "abcdefghijklmnopqrs-n-"},
    {"dots become dashes", "a.b.c", "n", "a-b-c-n-"},
};

static void test_assigned(void **state)
{
    const struct assigned_case *c = *state;
    const struct pin_cluster_settings cluster = {.name = "c1"};
    const struct pin_settings settings = {.cluster_set = "demo",
        .clusters = &cluster,
        .n_clusters = 1,
        .zone_assigned = "pintle.internal"};
    const struct pin_object route = {
        .kind = PIN_KIND_HTTP_ROUTE, .namespace_name = c->namespace_name, .name = c->route};
    struct pin_name name;
    char text[PIN_NAME_TEXT_MAX];
    pin_assigned_name(&settings, 0, &route, &name);
    pin_name_format(name.wire, text);
    assert_memory_equal(text, c->want, strlen(c->want));
    assert_int_equal(
        name.wire[0], strlen(text) - strlen(".pintle.internal.")); /* one label below the zone */
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_assigned, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("assigned", tests, NULL, NULL);
}
