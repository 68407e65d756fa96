/* SPDX-License-Identifier: Apache-2.0 */

/* Both forms of the answer to /apis tell which kinds there are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

#include "sync/discovery.h"

#define GATEWAY "gateway.networking.k8s.io"

static struct discovery_case {
    const char *name;
    const char *text;
    enum pin_kind kind;
    int want_version; /* Position; -1: not served. */
    bool want_sure;
    enum pin_err want_err;
} cases[] = {
    {"core kinds are always there", "{\"items\":[]}", PIN_KIND_SERVICE, 0, true, PIN_OK},
    {"a group without a name takes no core kinds away", "{\"items\":[{\"versions\":[]}]}",
        PIN_KIND_SERVICE, 0, true, PIN_OK},
    {"nor does one in the plain form", "{\"groups\":[{\"name\":\"\",\"versions\":[]}]}",
        PIN_KIND_SERVICE, 0, true, PIN_OK},
    {"a group that is absent is not served", "{\"items\":[]}", PIN_KIND_GATEWAY, -1, true, PIN_OK},
    {"the best version is chosen",
        "{\"items\":[{\"metadata\":{\"name\":\"" GATEWAY "\"},\"versions\":[{\"version\":"
        "\"v1beta1\",\"resources\":[{\"resource\":\"gateways\"}]},{\"version\":\"v1\","
        "\"resources\":"
        "[{\"resource\":\"gateways\"}]}]}]}",
        PIN_KIND_GATEWAY, 0, true, PIN_OK},
    {"the version that has the kind is chosen",
        "{\"items\":[{\"metadata\":{\"name\":\"" GATEWAY "\"},\"versions\":[{\"version\":\"v1\","
        "\"resources\":[{\"resource\":\"gateways\"}]},{\"version\":\"v1beta1\",\"resources\":[{"
        "\"resource\":\"httproutes\"}]}]}]}",
        PIN_KIND_HTTP_ROUTE, 1, true, PIN_OK},
    {"a group without the kind does not serve it",
        "{\"items\":[{\"metadata\":{\"name\":\"" GATEWAY "\"},\"versions\":[{\"version\":\"v1\","
        "\"resources\":[{\"resource\":\"gateways\"}]}]}]}",
        PIN_KIND_HTTP_ROUTE, -1, true, PIN_OK},
    {"a stale version without the kind may have it",
        "{\"items\":[{\"metadata\":{\"name\":\"" GATEWAY "\"},\"versions\":[{\"version\":\"v1\","
        "\"freshness\":\"Stale\",\"resources\":[]}]}]}",
        PIN_KIND_GATEWAY, 0, false, PIN_OK},
    {"a stale version that names the kind has it",
        "{\"items\":[{\"metadata\":{\"name\":\"" GATEWAY "\"},\"versions\":[{\"version\":\"v1\","
        "\"freshness\":\"Stale\",\"resources\":[{\"resource\":\"gateways\"}]}]}]}",
        PIN_KIND_GATEWAY, 0, true, PIN_OK},
    {"kinds of one name in two groups are told apart",
        "{\"items\":[{\"metadata\":{\"name\":\"application-networking.k8s.aws\"},\"versions\":[{"
        "\"version\":\"v1alpha1\",\"resources\":[{\"resource\":\"serviceexports\"}]}]}]}",
        PIN_KIND_SERVICE_EXPORT, -1, true, PIN_OK},
    {"the plain form knows groups and versions only",
        "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"multicluster.x-k8s.io\",\"versions\":[{"
        "\"groupVersion\":\"multicluster.x-k8s.io/v1alpha1\",\"version\":\"v1alpha1\"}]}]}",
        PIN_KIND_SERVICE_EXPORT, 1, false, PIN_OK},
    {"another answer is refused", "{\"kind\":\"Status\"}", PIN_KIND_SERVICE, 0, false, PIN_EPARSE},
    {"no JSON is refused", "404", PIN_KIND_SERVICE, 0, false, PIN_EPARSE},
};

static void test_case(void **state)
{
    const struct discovery_case *c = *state;
    struct pin_discovery found;
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    assert_int_equal(
        pin_discovery_read(c->text, strlen(c->text), arena, &found, NULL), c->want_err);
    if (c->want_err == PIN_OK) {
        assert_int_equal(found.version[c->kind], c->want_version);
        assert_int_equal(found.is_sure[c->kind], c->want_sure);
    }
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("discovery", tests, NULL, NULL);
}
