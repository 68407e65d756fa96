/* SPDX-License-Identifier: Apache-2.0 */

/* An object that is packed and unpacked is the same, whatever its kind; other bytes are refused. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/zones/pack.h"

#include "show.h"
#include "support/faults.h"
#include "sync/manifest.h"

/* Of all that this version packs of tests/sync/kinds.yaml. Another sum is another PIN_PACK_VERSION:
 * state that was written before cannot be read any more. */
#define KINDS_SUM UINT64_C(0xa0d8ff30b5910dbd)

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static struct pin_manifest read_text(const char *name, const char *text, size_t bytes)
{
    struct pin_manifest manifest = {0};
    struct pin_why why = {0};
    if (pin_manifest_read(name, name, text, bytes, &manifest, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    return manifest;
}

static char *source_path(const char *name)
{
    const char *root = getenv("PINTLE_SOURCE_DIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    char *path = pin_path_join(root != NULL ? root : ".", name);
    assert_non_null(path);
    return path;
}

/* Takes the path. */
static struct pin_manifest read_file(char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(pin_file_read(path, SIZE_MAX, &text, &bytes, NULL), PIN_OK);
    struct pin_manifest manifest = read_text(path, text, bytes);
    free(text);
    free(path);
    return manifest;
}

/* An object of every kind, with every field. */
static struct pin_manifest read_kinds(void)
{
    return read_file(source_path("tests/sync/kinds.yaml"));
}

static struct pin_object *unpack(const struct pin_text *packed)
{
    struct pin_object *object = NULL;
    struct pin_why why = {0};
    if (pin_object_unpack(packed->ptr, packed->len, &object, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    return object;
}

static void assert_same_bytes(const struct pin_text *a, const struct pin_text *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->ptr, b->ptr, a->len);
}

static void assert_round_trip(const struct pin_object *object)
{
    struct pin_text packed = {0};
    struct pin_text again = {0};
    struct pin_text before = {0};
    struct pin_text after = {0};
    assert_int_equal(pin_object_pack(object, &packed), PIN_OK);
    struct pin_object *copy = unpack(&packed);
    assert_int_equal(pin_object_pack(copy, &again), PIN_OK);
    assert_same_bytes(&packed, &again);
    show_object(&before, object);
    show_object(&after, copy);
    assert_string_equal(pin_text_get(&before), pin_text_get(&after));
    assert_int_equal(object->created_s, copy->created_s);
    assert_int_equal(object->trigger_wall_ms, copy->trigger_wall_ms);
    pin_object_free(copy);
    pin_text_done(&packed);
    pin_text_done(&again);
    pin_text_done(&before);
    pin_text_done(&after);
}

static void test_every_kind(void **state)
{
    (void)state;
    bool has_seen[PIN_KIND_MAX] = {false};
    struct pin_manifest manifest = read_kinds();
    assert_int_equal(manifest.n_unread, 0);
    for (size_t i = 0; i < manifest.n_objects; i++) {
        has_seen[manifest.objects[i]->kind] = true;
        assert_round_trip(manifest.objects[i]);
    }
    for (size_t i = 0; i < PIN_KIND_MAX; i++) {
        assert_true(has_seen[i]);
    }
    pin_manifest_done(&manifest);
}

static size_t check_folder(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot == NULL || strcmp(dot, ".yaml") != 0
            || strcmp(entry->d_name, "cluster.yaml") == 0) {
            continue;
        }
        struct pin_manifest manifest = read_file(pin_path_join(folder, entry->d_name));
        for (size_t i = 0; i < manifest.n_objects; i++) {
            assert_round_trip(manifest.objects[i]);
        }
        n += manifest.n_objects;
        pin_manifest_done(&manifest);
    }
    (void)closedir(dir);
    return n;
}

static void test_manifests(void **state)
{
    (void)state;
    static const char *const folders[] = {"resolver/dev/c1", "resolver/dev/c2", "resolver/dev/c3",
        "tests/lab/manifests/story1", "tests/lab/manifests/story2", "tests/lab/manifests/story3",
        "tests/lab/manifests/limits", "tests/lab/manifests/health"};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(folders); i++) {
        char *folder = source_path(folders[i]);
        n += check_folder(folder);
        free(folder);
    }
    assert_true(n > 50);
}

static void test_version(void **state)
{
    (void)state;
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */
    struct pin_text packed = {0};
    struct pin_manifest manifest = read_kinds();
    for (size_t i = 0; i < manifest.n_objects; i++) {
        assert_int_equal(pin_object_pack(manifest.objects[i], &packed), PIN_OK);
    }
    for (size_t i = 0; i < packed.len; i++) {
        sum = (sum ^ (unsigned char)packed.ptr[i]) * UINT64_C(1099511628211);
    }
    if (PIN_PACK_VERSION != 6 || sum != KINDS_SUM) {
        fail_msg("version %u packs to 0x%016llx", PIN_PACK_VERSION, (unsigned long long)sum);
    }
    pin_text_done(&packed);
    pin_manifest_done(&manifest);
}

/* Whatever comes of it is either refused or whole enough to be packed. */
static bool try_unpack(const char *data, size_t bytes)
{
    struct pin_object *object = NULL;
    struct pin_text packed = {0};
    struct pin_why why = {0};
    char *copy = malloc(bytes + 1); /* of its own, so that a byte behind it is noticed */
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    char *exact = realloc(copy, bytes > 0 ? bytes : 1);
    enum pin_err err = pin_object_unpack(exact, bytes, &object, &why);
    free(exact);
    if (err != PIN_OK) {
        assert_int_equal(err, PIN_EPARSE);
        assert_true(why.text[0] != '\0');
        return false;
    }
    assert_int_equal(pin_object_pack(object, &packed), PIN_OK);
    pin_text_done(&packed);
    pin_object_free(object);
    return true;
}

static void test_cut(void **state)
{
    (void)state;
    struct pin_manifest manifest = read_kinds();
    for (size_t i = 0; i < manifest.n_objects; i++) {
        struct pin_text packed = {0};
        assert_int_equal(pin_object_pack(manifest.objects[i], &packed), PIN_OK);
        for (size_t bytes = 0; bytes < packed.len; bytes++) {
            assert_false(try_unpack(packed.ptr, bytes));
        }
        pin_text_putc(&packed, 0);
        assert_false(try_unpack(packed.ptr, packed.len)); /* nor anything behind it */
        pin_text_done(&packed);
    }
    pin_manifest_done(&manifest);
}

static void test_flipped(void **state)
{
    (void)state;
    size_t n_refused = 0;
    struct pin_manifest manifest = read_kinds();
    for (size_t i = 0; i < manifest.n_objects; i++) {
        struct pin_text packed = {0};
        assert_int_equal(pin_object_pack(manifest.objects[i], &packed), PIN_OK);
        for (size_t bit = 0; bit < 8 * packed.len; bit++) {
            packed.ptr[bit / 8] = (char)(packed.ptr[bit / 8] ^ (1 << bit % 8));
            n_refused += !try_unpack(packed.ptr, packed.len);
            packed.ptr[bit / 8] = (char)(packed.ptr[bit / 8] ^ (1 << bit % 8));
        }
        pin_text_done(&packed);
    }
    assert_true(n_refused > 1000);
    pin_manifest_done(&manifest);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct pin_manifest manifest = read_kinds();
    for (size_t i = 0; i < manifest.n_objects; i++) {
        struct pin_object *object = NULL;
        struct pin_text packed = {0};
        struct pin_text none = {0};
        struct pin_why why = {0};
        assert_int_equal(pin_object_pack(manifest.objects[i], &packed), PIN_OK);
        pin_faults_start(0, 1);
        assert_int_equal(pin_object_unpack(packed.ptr, packed.len, &object, &why), PIN_ENOMEM);
        assert_int_equal(pin_faults_stop(), 1);
        pin_faults_start(1, 1); /* one allocation is enough, for its size was packed, too */
        assert_int_equal(pin_object_unpack(packed.ptr, packed.len, &object, &why), PIN_OK);
        assert_int_equal(pin_faults_stop(), 0);
        pin_object_free(object);
        pin_faults_start(0, 1);
        assert_int_equal(pin_object_pack(manifest.objects[i], &none), PIN_ENOMEM);
        assert_int_equal(pin_faults_stop(), 1);
        pin_text_done(&none);
        pin_text_done(&packed);
    }
    pin_manifest_done(&manifest);
}

/* The size hint is only a guess: with less the object takes further chunks, whose memory can be
 * out, too. */
static void test_low_hint(void **state)
{
    (void)state;
    struct pin_manifest manifest = read_kinds();
    struct pin_object *object = NULL;
    struct pin_text packed = {0};
    struct pin_text again = {0};
    struct pin_why why = {0};
    assert_int_equal(pin_object_pack(manifest.objects[0], &packed), PIN_OK);
    memset(packed.ptr + 1, 0, 4);
    for (unsigned n_good = 1; n_good < 3; n_good++) {
        pin_faults_start(n_good, 1);
        assert_int_equal(pin_object_unpack(packed.ptr, packed.len, &object, &why), PIN_ENOMEM);
        assert_int_equal(pin_faults_stop(), 1);
    }
    object = unpack(&packed);
    assert_int_equal(pin_object_pack(object, &again), PIN_OK);
    assert_int_equal(packed.len, again.len);
    assert_memory_equal(packed.ptr + 5, again.ptr + 5, packed.len - 5);
    pin_object_free(object);
    pin_text_done(&packed);
    pin_text_done(&again);
    pin_manifest_done(&manifest);
}

static struct refused_case {
    const char *name;
    const char *bytes;
    size_t n_bytes;
} cases[] = {
    /* kind, hint, namespace, name, created, trigger, steering | body */
    {"no bytes are no object", "", 0},
    {"a kind that does not exist is refused",
        "\x14\0\0\0\0"
        "\0\1a\0\0\0",
        11},
    {"a number that never ends is refused", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12},
    {"a name longer than the bytes is refused",
        "\2\0\0\0\0"
        "\0\xff\xff\xff\xff\x7f"
        "a\0\0\0",
        15},
    {"a name with a NUL is refused",
        "\2\0\0\0\0"
        "\0\3a\0b\0\0\0",
        13},
    {"a name that leads elsewhere in a path is refused",
        "\2\0\0\0\0"
        "\0\6a/../b\0\0\0",
        16},
    {"a namespace that is none is refused",
        "\2\0\0\0\0"
        "\5a?b=c\1a\0\0\0",
        16},
    {"an object without a name is refused",
        "\2\0\0\0\0"
        "\1a\0\0\0\0",
        11},
    {"more items than bytes are refused",
        "\x13\0\0\0\0"
        "\0\1a\0\0\0"
        "\xff\xff\xff\xff\x0f",
        16},
    {"a huge size hint takes no memory that the bytes do not justify",
        "\2\xff\xff\xff\xff"
        "\0\1a\0\0\2",
        11},
    {"an address of another family is refused",
        "\x13\0\0\0\0"
        "\0\1a\0\0\0"
        "\1\5\1\2\3\4\0",
        18},
    {"a prefix longer than its address is refused",
        "\x13\0\0\0\0"
        "\0\1a\0\0\0"
        "\1\4\1\2\3\4\x21",
        18},
};

static void test_refused(void **state)
{
    const struct refused_case *c = *state;
    assert_false(try_unpack(c->bytes, c->n_bytes));
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 7] = {
        {.name = "an object of every kind comes back as it was", .test_func = test_every_kind},
        {.name = "so does every object of the demo and the lab", .test_func = test_manifests},
        {.name = "what is packed is what this version packs", .test_func = test_version},
        {.name = "an object that is cut anywhere is refused", .test_func = test_cut},
        {.name = "a flipped bit is refused or harmless", .test_func = test_flipped},
        {.name = "without memory nothing is packed or unpacked", .test_func = test_no_memory},
        {.name = "a size hint that is too low costs chunks", .test_func = test_low_hint},
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i + 7] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_refused, .initial_state = &cases[i]};
    }
    pin_log_set_sink(drop_log, NULL);
    return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
