/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests as people and kubectl write them, and cluster.yaml. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/sync/sync.h"

#include "show.h"
#include "sync/manifest.h"

static struct manifest_case {
    const char *name;
    const char *text;
    const char *want; /* Objects with '|' behind each, or the reason. */
    size_t want_unread;
} cases[] = {
    {"an empty file holds nothing", "", "", 0},
    {"comments and empty documents hold nothing", "# a\n---\n---\n", "", 0},
    {"several documents are several objects",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\n"
        "metadata: {name: b}\n",
        "Service default/a|Namespace /b|", 0},
    {"kinds that are not read are counted",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n---\n{apiVersion: v1, kind: "
        "Service, metadata: {name: a}}\n",
        "Service default/a|", 1},
    {"a List is opened",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: "
        "a}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n- {apiVersion: v1, kind: "
        "Node, metadata: {name: n}}\n",
        "Service default/a|Node /n|", 1},
    {"a list of one kind needs no kind in its items",
        "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"items\":[{\"metadata\":{\"name\":\"a\"}}"
        ","
        "{\"metadata\":{\"name\":\"b\"}}]}",
        "Service default/a|Service default/b|", 0},
    {"a list of a kind that is not read is refused only if its items say nothing",
        "{kind: PodList, apiVersion: v1, items: []}", "", 0},
    {"a dump of kubectl is read",
        "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    annotations:\n"
        "      kubectl.kubernetes.io/last-applied-configuration: |\n        "
        "{\"apiVersion\":\"v1\"}\n"
        "    creationTimestamp: \"2026-11-21T03:04:05Z\"\n    name: web\n    namespace: shop\n"
        "    resourceVersion: \"812\"\n  spec:\n    clusterIP: 10.96.0.5\n    clusterIPs:\n"
        "    - 10.96.0.5\n    internalTrafficPolicy: Cluster\n    ports:\n    - port: 80\n"
        "      protocol: TCP\n      targetPort: 80\n  status:\n    loadBalancer: {}\nkind: List\n"
        "metadata:\n  resourceVersion: \"\"\n",
        "Service shop/web ip=10.96.0.5 port=:80/TCP|", 0},
    {"one wrong object spoils the file, with its place",
        "{apiVersion: v1, kind: Service, metadata: {name: a}}\n---\napiVersion: v1\nkind: "
        "Service\nmetadata:\n  name: B\n",
        "dir/x.yaml:6:9: Service default/B: metadata.name: is no name, use up to 253 lower-case "
        "letters, digits, '-' and '.'",
        0},
    {"YAML that is broken is told with its place", "kind: Service\n\tname: x\n",
        "dir/x.yaml:2:1: ", 0},
    {"items that are no list are told", "{kind: List, apiVersion: v1, items: {a: b}}",
        "dir/x.yaml:1:37: 'items' must be a list", 0},
    {"lists in lists end somewhere",
        "{kind: List, items: [{kind: List, items: [{kind: List, items: [{kind: List, items: "
        "[{kind: "
        "List, items: []}]}]}]}]}",
        "dir/x.yaml:1:85: lists in lists, deeper than 4", 0},
};

static void test_case(void **state)
{
    const struct manifest_case *c = *state;
    struct pin_manifest manifest = {0};
    struct pin_why why = {0};
    struct pin_text shown = {0};
    enum pin_err err =
        pin_manifest_read("dir/x.yaml", "c1", c->text, strlen(c->text), &manifest, &why);
    for (size_t i = 0; i < manifest.n_objects; i++) {
        show_object(&shown, manifest.objects[i]);
        pin_text_putc(&shown, '|');
    }
    pin_text_puts(&shown, err == PIN_OK ? "" : why.text);
    size_t want_bytes = strlen(c->want);
    if (want_bytes > 2 && strcmp(c->want + want_bytes - 2, ": ") == 0) {
        assert_memory_equal(pin_text_get(&shown), c->want, want_bytes);
    } else {
        assert_string_equal(pin_text_get(&shown), c->want);
    }
    assert_int_equal(manifest.n_unread, c->want_unread);
    pin_text_done(&shown);
    pin_manifest_done(&manifest);
}

/* --- cluster.yaml --------------------------------------------------------------------------- */

static struct settings_case {
    const char *name;
    const char *text;
    const char *want;
} settings_cases[] = {
    {"an empty cluster.yaml says nothing", "", ""},
    {"cluster.yaml has network, clients, region and zone",
        "network: net-a\nclients: [10.10.0.0/16, 'fd00::/64']\nregion: eu\nzone: eu-a\n",
        " network=net-a region=eu zone=eu-a clients=10.10.0.0/16 clients=fd00::/64"},
    {"an unknown key names the nearest known one", "network: a\nclient: [10.0.0.0/8]\n",
        "cluster.yaml:2:1: unknown key \"client\", did you mean \"clients\"?"},
    {"another unknown key too", "netwrok: a\n",
        "cluster.yaml:1:1: unknown key \"netwrok\", did you mean \"network\"?"},
    {"a range may say its zone", "clients: [{net: 10.10.1.0/24, zone: eu-1a}, 10.10.0.0/16]\n",
        " clients=10.10.1.0/24 zone=eu-1a clients=10.10.0.0/16"},
    {"a range says nothing else", "clients: [{net: 10.10.1.0/24, node: a}]\n",
        "cluster.yaml:1:11: '10.10.1.0/24' is no address range, write one like 10.10.0.0/16 or "
        "{net: 10.10.1.0/24, zone: eu-1a}"},
    {"a range that is none is told", "clients: [10.10.0.0/16, 10.x]\n",
        "cluster.yaml:1:25: '10.x' is no address range, write one like 10.10.0.0/16 or "
        "{net: 10.10.1.0/24, zone: eu-1a}"},
    {"clients must be a list", "clients: 10.10.0.0/16\n",
        "cluster.yaml:1:10: 'clients' must be a list of address ranges like [10.10.0.0/16]"},
    {"a network must be a string", "network: [a]\n",
        "cluster.yaml:1:10: 'network' must be a string, not a list"},
    {"a list is no cluster.yaml", "- a\n",
        "cluster.yaml:1:1: must be a map with network, clients, region or zone"},
    {"two documents are one too many", "zone: a\n---\nzone: b\n",
        "cluster.yaml:3:1: only one document is allowed here"},
};

static void test_settings(void **state)
{
    const struct settings_case *c = *state;
    struct pin_cluster_file file = {0};
    struct pin_why why = {0};
    struct pin_text shown = {0};
    char prefix[PIN_PREFIX_TEXT_MAX];
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    enum pin_err err =
        pin_cluster_file_parse("cluster.yaml", c->text, strlen(c->text), arena, &file, &why);
    show_text(&shown, "network", file.network);
    show_text(&shown, "region", file.region);
    show_text(&shown, "zone", file.zone);
    for (size_t i = 0; i < file.n_clients; i++) {
        show_text(&shown, "clients", pin_prefix_format(&file.clients[i], prefix));
        show_text(&shown, "zone", file.client_zones[i]);
    }
    pin_text_puts(&shown, err == PIN_OK ? "" : why.text);
    assert_string_equal(pin_text_get(&shown), c->want);
    pin_text_done(&shown);
    pin_arena_free(arena);
}

static void test_a_directory_without_settings_is_fine(void **state)
{
    struct pin_cluster_file file = {.network = "x"};
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    (void)state;
    assert_int_equal(pin_cluster_file_read("/nonexistent", arena, &file, NULL), PIN_OK);
    assert_null(file.network);
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(settings_cases) + 1] = {
        cmocka_unit_test(test_a_directory_without_settings_is_fine)};
    size_t n = 1;
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(settings_cases); i++) {
        tests[n++] = (struct CMUnitTest){.name = settings_cases[i].name,
            .test_func = test_settings,
            .initial_state = &settings_cases[i]};
    }
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
