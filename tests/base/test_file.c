/* SPDX-License-Identifier: Apache-2.0 */

/* Files are read whole within a limit and replaced whole. */

#include <dirent.h>
#include <pthread.h>
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

#include "pintle/base/file.h"

static char dir[] = "/tmp/pintle-file-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(dir);
}

static int count_files(void)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, NULL);
    for (int i = 0; i < n; i++) {
        free(entries[i]);
    }
    free(entries);
    return n - 2; /* . and .. */
}

static void test_write_and_read(void **state)
{
    struct stat st;
    struct pin_why why = {0};
    char *text = NULL;
    size_t bytes = 0;
    char *path = pin_path_join(dir, "f");
    (void)state;
    assert_int_equal(pin_file_write_atomic(path, "old", 3, 0600, &why), PIN_OK);
    assert_int_equal(pin_file_write_atomic(path, "a\0new", 5, 0644, &why), PIN_OK);
    assert_int_equal(count_files(), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(pin_file_read(path, 5, &text, &bytes, &why), PIN_OK);
    assert_int_equal(bytes, 5);
    assert_memory_equal(text, "a\0new", 6);
    free(text);
    text = NULL;
    assert_int_equal(pin_file_read(path, 4, &text, &bytes, &why), PIN_ELIMIT);
    assert_null(text);
    assert_int_equal(pin_file_write_atomic(path, "", 0, 0644, NULL), PIN_OK);
    assert_int_equal(pin_file_read(path, 0, &text, NULL, NULL), PIN_OK);
    assert_string_equal(text, "");
    free(text);
    (void)unlink(path);
    free(path);
}

static void test_large_and_odd_files(void **state)
{
    char *text = NULL;
    size_t bytes = 0;
    char *path = pin_path_join(dir, "large");
    char *large = calloc(1, 1000001);
    (void)state;
    large[1000000] = 'z';
    assert_int_equal(pin_file_write_atomic(path, large, 1000001, 0600, NULL), PIN_OK);
    assert_int_equal(pin_file_read(path, SIZE_MAX, &text, &bytes, NULL), PIN_OK);
    assert_int_equal(bytes, 1000001);
    assert_int_equal(text[1000000], 'z');
    free(text);
    free(large);
    (void)unlink(path);
    free(path);
    assert_int_equal(pin_file_read("/proc/self/maps", 1 << 20, &text, &bytes, NULL), PIN_OK);
    assert_true(bytes > 100); /* a file that claims to have no bytes */
    free(text);
    assert_int_equal(pin_file_read("/dev/null", 10, &text, &bytes, NULL), PIN_OK);
    assert_int_equal(bytes, 0);
    free(text);
}

/* Says a word, takes its time and says another one. */
static void *write_slowly(void *arg)
{
    const int *fd = arg;
    assert_int_equal(write(*fd, "two ", 4), 4);
    (void)usleep(50000);
    assert_int_equal(write(*fd, "words", 5), 5);
    (void)close(*fd);
    return NULL;
}

static void test_pipe_is_read_to_its_end(void **state)
{
    int fds[2];
    char path[32];
    char *text = NULL;
    size_t bytes = 0;
    pthread_t writer;
    (void)state;
    assert_int_equal(pipe(fds), 0);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
    assert_int_equal(pthread_create(&writer, NULL, write_slowly, &fds[1]), 0);
    assert_int_equal(pin_file_read(path, 100, &text, &bytes, NULL), PIN_OK);
    assert_string_equal(text, "two words");
    assert_int_equal(bytes, 9);
    free(text);
    (void)pthread_join(writer, NULL);
    (void)close(fds[0]);
}

static void test_pipe_without_writer_does_not_block(void **state)
{
    struct pin_why why = {0};
    char *text = NULL;
    char *path = pin_path_join(dir, "fifo");
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pin_file_read(path, 10, &text, NULL, &why), PIN_EINVAL);
    assert_non_null(strstr(why.text, "a pipe that nobody writes to"));
    assert_null(text);
    (void)unlink(path);
    free(path);
}

static void test_those_who_must_not_wait_take_what_is_there(void **state)
{
    int fds[2];
    char path[32];
    char *text = NULL;
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pipe(fds), 0);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
    assert_int_equal(write(fds[1], "half", 4), 4);
    assert_int_equal(pin_file_read_now(path, 100, &text, NULL, &why), PIN_ETIMEOUT);
    assert_non_null(strstr(why.text, "a pipe whose writer is silent"));
    assert_null(text);
    assert_int_equal(write(fds[1], "whole", 5), 5);
    (void)close(fds[1]);
    assert_int_equal(pin_file_read_now(path, 100, &text, NULL, &why), PIN_OK);
    assert_string_equal(text, "whole");
    free(text);
    (void)close(fds[0]);
}

static void test_what_a_pipe_held_can_be_read_again(void **state)
{
    int fds[2];
    char path[32];
    char *kept = NULL;
    char *text = NULL;
    (void)state;
    assert_int_equal(pipe(fds), 0);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
    assert_int_equal(write(fds[1], "secret", 6), 6);
    (void)close(fds[1]);
    assert_int_equal(pin_file_keep_pipe(path, 100, &kept, NULL), PIN_OK);
    (void)close(fds[0]);
    assert_non_null(kept);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pin_file_read_now(kept, 100, &text, NULL, NULL), PIN_OK);
        assert_string_equal(text, "secret");
        free(text);
    }
    free(kept);
}

static void test_what_is_no_pipe_is_used_as_it_is(void **state)
{
    char *kept = NULL;
    (void)state;
    assert_int_equal(pin_file_keep_pipe("/proc/self/maps", 1 << 20, &kept, NULL), PIN_OK);
    assert_null(kept);
    assert_int_equal(pin_file_keep_pipe("/no/such/file", 100, &kept, NULL), PIN_OK);
    assert_null(kept);
    char *path = pin_path_join(dir, "fifo");
    struct pin_why why = {0};
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pin_file_keep_pipe(path, 10, &kept, &why), PIN_EINVAL);
    assert_non_null(strstr(why.text, "a pipe that nobody writes to"));
    assert_null(kept);
    (void)unlink(path);
    free(path);
}

static void test_errors_are_told(void **state)
{
    struct pin_why why = {0};
    char *text = NULL;
    char *path = pin_path_join(dir, "none/f");
    (void)state;
    assert_int_equal(pin_file_read(path, 10, &text, NULL, &why), PIN_ENOTFOUND);
    assert_non_null(strstr(why.text, path));
    assert_non_null(strstr(why.text, "No such file"));
    assert_int_equal(pin_file_write_atomic(path, "x", 1, 0600, &why), PIN_ENOTFOUND);
    assert_int_equal(pin_file_read(dir, 10, &text, NULL, &why), PIN_EINVAL);
    assert_non_null(strstr(why.text, "is a directory"));
    assert_int_equal(pin_file_read("/dev/zero", 10, &text, NULL, &why), PIN_EINVAL);
    assert_non_null(strstr(why.text, "is a device"));
    assert_int_equal(pin_file_write_atomic(dir, "x", 1, 0600, &why), PIN_EIO);
    assert_int_equal(count_files(), 0); /* nothing half done is left */
    assert_null(text);
    free(path);
}

static void test_paths(void **state)
{
    static const char *const joins[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"},
        {"", "b", "b"}, {NULL, "b", "b"}, {"/", "b", "/b"}};
    static const char *const dirs[][2] = {
        {"a/b", "a"}, {"/a/b/c", "/a/b"}, {"b", "."}, {"/b", "/"}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(joins); i++) {
        char *path = pin_path_join(joins[i][0], joins[i][1]);
        assert_string_equal(path, joins[i][2]);
        free(path);
    }
    for (size_t i = 0; i < N_ELEMS(dirs); i++) {
        char *path = pin_path_dir(dirs[i][0]);
        assert_string_equal(path, dirs[i][1]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_large_and_odd_files),
        cmocka_unit_test(test_pipe_is_read_to_its_end),
        cmocka_unit_test(test_pipe_without_writer_does_not_block),
        cmocka_unit_test(test_those_who_must_not_wait_take_what_is_there),
        cmocka_unit_test(test_what_a_pipe_held_can_be_read_again),
        cmocka_unit_test(test_what_is_no_pipe_is_used_as_it_is),
        cmocka_unit_test(test_errors_are_told),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests_name("file", tests, set_up, tear_down);
}
