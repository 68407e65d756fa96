/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever happens to a watched file, somebody looks soon, without waiting for the next round. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "resolver/filewatch.h"

/* Before the round of 5 s, that looks anyway. */
#define SOON_MS    3500
#define QUIET_MS   300
#define PATH_BYTES 96

struct fixture {
    struct pin_loop *loop;
    struct pin_dirwatch *dirwatch;
    struct pin_filewatch *watch;
    unsigned n_looks;
    char dir[32];
    char file[PATH_BYTES];
    char link[PATH_BYTES];
};

static void on_look(void *arg)
{
    struct fixture *f = arg;
    f->n_looks++;
}

/* Runs the loop until somebody looks, or for that time. */
static bool has_look(struct fixture *f, int64_t timeout_ms)
{
    unsigned before = f->n_looks;
    int64_t end_ms = pin_clock_mono_ms() + timeout_ms;
    while (f->n_looks == before && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(f->loop, 20);
    }
    return f->n_looks > before;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/pintle-watch-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->file, sizeof(f->file), "%s/d/tls.crt", f->dir);
    (void)snprintf(f->link, sizeof(f->link), "%s/now/tls.crt", f->dir);
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/d", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    put(f->file, "one");
    f->loop = pin_loop_new();
    f->dirwatch = pin_dirwatch_new(f->loop);
    assert_non_null(f->dirwatch);
    const struct pin_filewatch_config config = {.loop = f->loop,
        .dirwatch = f->dirwatch,
        .name = "test",
        .settle_ms = 10,
        .look = on_look,
        .arg = f};
    f->watch = pin_filewatch_new(&config);
    assert_non_null(f->watch);
    pin_filewatch_add(f->watch, f->file);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[PATH_BYTES];
    pin_filewatch_free(f->watch);
    pin_dirwatch_free(f->dirwatch);
    pin_loop_free(f->loop);
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0); /* NOLINT(*cert-env33-c): a name of our own */
    free(f);
    return 0;
}

static void test_a_file_that_is_written(void **state)
{
    struct fixture *f = *state;
    assert_false(has_look(f, QUIET_MS));
    put(f->file, "two");
    assert_true(has_look(f, SOON_MS));
}

static void test_a_file_that_may_be_read_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(chmod(f->file, 0600), 0);
    assert_true(has_look(f, SOON_MS));
}

static void test_a_file_that_is_replaced(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/new", f->dir);
    put(path, "two");
    assert_int_equal(rename(path, f->file), 0);
    assert_true(has_look(f, SOON_MS));
}

/* As a mounted Secret changes: a link to a directory is put in the place of another. */
static void test_a_directory_that_is_replaced(void **state)
{
    struct fixture *f = *state;
    char now[PATH_BYTES];
    char other[PATH_BYTES];
    (void)snprintf(now, sizeof(now), "%s/now", f->dir);
    (void)snprintf(other, sizeof(other), "%s/e", f->dir);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(symlink("d", now), 0);
    pin_filewatch_add(f->watch, f->link);
    assert_int_equal(unlink(now), 0);
    assert_int_equal(symlink("e", now), 0);
    pin_filewatch_add(f->watch, f->link);
    put(f->link, "two"); /* in the other one */
    assert_true(has_look(f, SOON_MS));
}

static void test_a_directory_that_comes_back(void **state)
{
    struct fixture *f = *state;
    char dir[PATH_BYTES];
    (void)snprintf(dir, sizeof(dir), "%s/d", f->dir);
    assert_int_equal(unlink(f->file), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_true(has_look(f, SOON_MS));
    assert_int_equal(mkdir(dir, 0700), 0);
    pin_filewatch_add(f->watch, f->file);
    while (has_look(f, QUIET_MS)) { /* what belongs to before */
    }
    put(f->file, "two");
    assert_true(has_look(f, SOON_MS));
}

static void test_the_same_file_is_told_from_another(void **state)
{
    const struct fixture *f = *state;
    struct stat before;
    struct stat after;
    assert_int_equal(stat(f->file, &before), 0);
    assert_true(pin_filewatch_is_same(&before, &before));
    put(f->file, "three");
    assert_int_equal(stat(f->file, &after), 0);
    assert_false(pin_filewatch_is_same(&before, &after));
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction function;
    } rows[] = {
        {"a file that is written", test_a_file_that_is_written},
        {"a file whose mode changes", test_a_file_that_may_be_read_again},
        {"a file that another one replaces", test_a_file_that_is_replaced},
        {"a directory that a link leads to no more", test_a_directory_that_is_replaced},
        {"a directory that was gone", test_a_directory_that_comes_back},
        {"the same file is told from another", test_the_same_file_is_told_from_another},
    };
    struct CMUnitTest tests[N_ELEMS(rows)];
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        tests[i] = (struct CMUnitTest){rows[i].name, rows[i].function, set_up, tear_down, NULL};
    }
    return cmocka_run_group_tests_name("filewatch", tests, NULL, NULL);
}
