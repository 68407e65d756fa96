/* SPDX-License-Identifier: Apache-2.0 */

/* An object that is written as a manifest and read again is the same, whatever its kind. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/sync/encode.h"
#include "pintle/zones/pack.h"

#include "show.h"
#include "sync/manifest.h"

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static struct pin_manifest read_text(const char *text, size_t bytes)
{
    struct pin_manifest manifest = {0};
    struct pin_why why = {0};
    if (pin_manifest_read("f.yaml", "f.yaml", text, bytes, &manifest, &why) != PIN_OK) {
        fail_msg("%s: %s", why.text, text);
    }
    return manifest;
}

static void encode(const struct pin_object *object, struct pin_text *text)
{
    struct pin_jsonout json = pin_jsonout_init(text);
    pin_encode(object, &json);
    assert_true(pin_jsonout_is_ok(&json));
}

/* All that answers depend on: what Pintle wrote into the status is told by show_object(). */
static void assert_same(struct pin_object *a, struct pin_object *b)
{
    struct pin_text shown_a = {0};
    struct pin_text shown_b = {0};
    struct pin_text packed_a = {0};
    struct pin_text packed_b = {0};
    const struct pin_asks *asks_a = a->written == NULL ? NULL : a->written->asks;
    const struct pin_asks *asks_b = b->written == NULL ? NULL : b->written->asks;
    uint64_t applied_a = a->written == NULL ? 0 : a->written->applied;
    uint64_t applied_b = b->written == NULL ? 0 : b->written->applied;
    show_object(&shown_a, a);
    show_object(&shown_b, b);
    assert_int_equal(applied_a, applied_b);
    assert_int_equal(asks_a == NULL, asks_b == NULL);
    assert_int_equal(asks_a == NULL ? 0 : asks_a->n_notes, asks_b == NULL ? 0 : asks_b->n_notes);
    a->written = NULL;
    b->written = NULL;
    assert_int_equal(pin_object_pack(a, &packed_a), PIN_OK);
    assert_int_equal(pin_object_pack(b, &packed_b), PIN_OK);
    assert_string_equal(pin_text_get(&shown_a), pin_text_get(&shown_b));
    assert_int_equal(packed_a.len, packed_b.len);
    assert_memory_equal(packed_a.ptr, packed_b.ptr, packed_a.len);
    pin_text_done(&shown_a);
    pin_text_done(&shown_b);
    pin_text_done(&packed_a);
    pin_text_done(&packed_b);
}

static void assert_round_trip(struct pin_object *object)
{
    struct pin_text once = {0};
    struct pin_text twice = {0};
    encode(object, &once);
    struct pin_manifest manifest = read_text(pin_text_get(&once), once.len);
    assert_int_equal(manifest.n_unread, 0);
    assert_int_equal(manifest.n_objects, 1);
    encode(manifest.objects[0], &twice);
    assert_string_equal(pin_text_get(&once), pin_text_get(&twice));
    assert_same(object, manifest.objects[0]);
    pin_manifest_done(&manifest);
    pin_text_done(&once);
    pin_text_done(&twice);
}

/* tests/sync/kinds.yaml has an object of every kind, with every field. */
static void test_every_kind(void **state)
{
    (void)state;
    const char *root = getenv("PINTLE_SOURCE_DIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    bool has_seen[PIN_KIND_MAX] = {false};
    char *path = pin_path_join(root != NULL ? root : ".", "tests/sync/kinds.yaml");
    char *text = NULL;
    size_t bytes = 0;
    assert_non_null(path);
    assert_int_equal(pin_file_read(path, SIZE_MAX, &text, &bytes, NULL), PIN_OK);
    struct pin_manifest manifest = read_text(text, bytes);
    for (size_t i = 0; i < manifest.n_objects; i++) {
        has_seen[manifest.objects[i]->kind] = true;
        assert_round_trip(manifest.objects[i]);
    }
    for (size_t i = 0; i < PIN_KIND_MAX; i++) {
        assert_true(has_seen[i]);
    }
    pin_manifest_done(&manifest);
    free(text);
    free(path);
}

static struct text_case {
    const char *name;
    const char *text;
    const char *part; /* of what is written */
} text_cases[] = {
    {"a policy that cannot be read still refuses everybody",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: IAMAuthPolicy, metadata: "
        "{name: a}, spec: {targetRef: {kind: Gateway, name: g}, policy: 'x'}}",
        "\"policy\":\"unreadable\""},
    {"so does one of ours",
        "{apiVersion: pintle.dev/v1alpha1, kind: ResolvePolicy, metadata: {name: a}, spec: "
        "{targetRefs: [{kind: Gateway, name: g}], allow: {clusters: [c1]}}}",
        "\"allow\":\"unreadable\""},
    {"a rule that matches some requests does not match all",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: "
        "{rules: [{matches: [{path: {value: /a}}], backendRefs: [{name: b, port: 1}]}]}}",
        "\"matches\":[{\"headers\":"},
    {"a backend of another group is none",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: "
        "{rules: [{backendRefs: [{group: example.com, kind: Service, name: b}]}]}}",
        "\"group\":\"unknown.invalid\""},
    {"a named target port keeps its name",
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: 10.96.0.1, ports: "
        "[{port: 80, targetPort: http}]}}",
        "\"targetPort\":\"http\""},
};

static void test_text(void **state)
{
    const struct text_case *c = *state;
    struct pin_manifest manifest = read_text(c->text, strlen(c->text));
    struct pin_text written = {0};
    assert_int_equal(manifest.n_objects, 1);
    encode(manifest.objects[0], &written);
    assert_non_null(strstr(pin_text_get(&written), c->part));
    assert_round_trip(manifest.objects[0]);
    pin_manifest_done(&manifest);
    pin_text_done(&written);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(text_cases) + 1] = {
        {"an object of every kind comes back as it was", test_every_kind, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < N_ELEMS(text_cases); i++) {
        tests[1 + i] = (struct CMUnitTest){
            .name = text_cases[i].name, .test_func = test_text, .initial_state = &text_cases[i]};
    }
    pin_log_set_sink(drop_log, NULL);
    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
