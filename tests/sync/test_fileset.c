/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever files say and unsay, each object is there while one of them holds it, and the first of
 * them by name counts; and it takes no longer the more files there are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "sync/fileset.h"

#define N_FILES   12u
#define N_OBJECTS 20u
#define N_STEPS   4000u

/* A file set whose objects are told apart by the file they came from: the weight. */
struct bench {
    struct pin_source source;
    struct pin_fileset files;
    uint32_t shown[N_OBJECTS]; /* the file that counts, from 1; 0: the object is not there */
    bool holds[N_FILES][N_OBJECTS];
    bool is_there[N_FILES];
    char reread[32][16];
    size_t n_reread;
    size_t n_upserts;
    size_t n_deletes;
};

static bool on_push(void *arg, struct pin_delta *delta)
{
    struct bench *self = arg;
    if (delta->op == PIN_DELTA_UPSERT) {
        size_t i = strtoul(delta->object->name + 1, NULL, 10);
        self->n_upserts++;
        self->shown[i % N_OBJECTS] = delta->object->steering->weight;
    } else {
        size_t i = strtoul(delta->name + 1, NULL, 10);
        self->n_deletes++;
        self->shown[i % N_OBJECTS] = 0;
    }
    pin_delta_free(delta);
    return true;
}

static void on_reread(void *arg, const char *name)
{
    struct bench *self = arg;
    assert_true(self->n_reread < N_ELEMS(self->reread));
    (void)snprintf(self->reread[self->n_reread++], sizeof(self->reread[0]), "%s", name);
}

static void ignore_line(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static int set_up(void **state)
{
    static const struct pin_source_spec spec = {.cluster = "c1"};
    static struct pin_sync_sink sink;
    struct bench *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    sink = (struct pin_sync_sink){.push = on_push, .arg = self};
    assert_true(pin_source_init(&self->source, NULL, NULL, &spec, &sink, strdup("test")));
    self->files = (struct pin_fileset){.source = &self->source, .reread = on_reread, .arg = self};
    pin_log_set_sink(ignore_line, NULL);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *self = *state;
    pin_log_set_sink(NULL, NULL);
    pin_fileset_done(&self->files);
    pin_source_done(&self->source);
    free(self);
    return 0;
}

static const char *name_of(size_t file, char name[16])
{
    (void)snprintf(name, 16, "f%05zu.yaml", file);
    return name;
}

static void add(struct pin_manifest *manifest, size_t file, size_t object)
{
    char name[16];
    struct pin_object *made = pin_object_new(PIN_KIND_SERVICE, 64);
    struct pin_object **objects =
        realloc(manifest->objects, (manifest->n_objects + 1) * sizeof(struct pin_object *));
    assert_non_null(made);
    assert_non_null(objects);
    int bytes = snprintf(name, sizeof(name), "o%zu", object);
    made->namespace_name = "shop";
    made->name = pin_object_text(made, name, (size_t)bytes);
    struct pin_steering *steering = pin_object_steer(made);
    assert_non_null(steering);
    steering->weight = (uint32_t)file + 1;
    manifest->objects = objects;
    objects[manifest->n_objects++] = made;
}

/* The file says what `holds` has. */
static void apply(struct bench *self, size_t file)
{
    char name[16];
    struct pin_manifest manifest = {0};
    for (size_t i = 0; i < N_OBJECTS; i++) {
        if (self->holds[file][i]) {
            add(&manifest, file, i);
        }
    }
    pin_fileset_apply(&self->files, name_of(file, name), &manifest, 1);
    pin_manifest_done(&manifest);
}

static void settle(struct bench *self)
{
    while (self->n_reread > 0) {
        size_t file = strtoul(self->reread[--self->n_reread] + 1, NULL, 10);
        assert_true(self->is_there[file]);
        apply(self, file);
    }
}

static void check(const struct bench *self, unsigned step)
{
    for (size_t i = 0; i < N_OBJECTS; i++) {
        uint32_t want = 0;
        for (size_t file = N_FILES; file > 0; file--) {
            bool holds = self->is_there[file - 1] && self->holds[file - 1][i];
            want = holds ? (uint32_t)file : want;
        }
        if (self->shown[i] != want) {
            fail_msg(
                "step %u: object %zu is that of file %u, not %u", step, i, self->shown[i], want);
        }
    }
}

static unsigned chance(unsigned n)
{
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(state >> 33) % n;
}

static void test_the_first_file_counts(void **state)
{
    struct bench *self = *state;
    char name[16];
    for (unsigned step = 0; step < N_STEPS; step++) {
        size_t file = chance(N_FILES);
        if (chance(3) == 0) {
            self->is_there[file] = false;
            pin_fileset_remove(&self->files, name_of(file, name), 1);
        } else {
            self->is_there[file] = true;
            for (size_t i = 0; i < N_OBJECTS; i++) {
                self->holds[file][i] = chance(4) == 0;
            }
            apply(self, file);
        }
        settle(self);
        check(self, step);
    }
}

/* Files by files, their number squared, would not end within the time any test has. */
static void test_many_files_at_once(void **state)
{
    const size_t n = 30000;
    struct bench *self = *state;
    char name[16];
    self->n_deletes = 0;
    for (size_t file = 0; file < n; file++) {
        struct pin_manifest manifest = {0};
        for (size_t i = 0; i < 10; i++) {
            add(&manifest, file, file * 10 + i);
        }
        pin_fileset_apply(&self->files, name_of(file, name), &manifest, 1);
        pin_manifest_done(&manifest);
    }
    for (size_t file = 0; file < n; file++) {
        pin_fileset_remove(&self->files, name_of(file, name), 1);
    }
    assert_int_equal(self->n_deletes, 10 * n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_file_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_files_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("fileset", tests, NULL, NULL);
}
