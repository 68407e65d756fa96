/* SPDX-License-Identifier: Apache-2.0 */

/* A secret is what a private file holds, without the white space around it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/secret.h"

#define LINE_BYTES 4096

static char path[] = "/tmp/test_secret.XXXXXX";

static struct secret_case {
    const char *name; /* reads as a sentence in the test report */
    const char *text;
    mode_t mode;
    const char *plain; /* NULL: refused */
    const char *decoded;
    const char *why; /* of the plain one, or of the decoded one; "" when both are fine */
} cases[] = {
    {"the text alone", "c2VjcmV0", 0600, "c2VjcmV0", "secret", ""},
    {"white space around it does not count", " \n c2Vj cmV0\r\n\n", 0640, "c2Vj cmV0", "secret",
        ""},
    {"what is no base64 is a secret nevertheless", "pa$$word\n", 0600, "pa$$word", NULL,
        "holds no base64"},
    {"an empty file is none", "", 0600, NULL, NULL, "is empty"},
    {"blanks are none", " \n\t", 0600, NULL, NULL, "is empty"},
    {"what the world may read is refused", "c2VjcmV0", 0604, NULL, NULL, "has mode 0604"},
    {"what the world may write is refused", "c2VjcmV0", 0602, NULL, NULL, "has mode 0602"},
};

static void check(enum pin_err err, const char *want, const struct pin_secret *secret)
{
    assert_int_equal(err == PIN_OK, want != NULL);
    if (want != NULL) {
        assert_int_equal(secret->bytes, strlen(want));
        assert_string_equal((const char *)secret->data, want);
    } else {
        assert_null(secret->data);
    }
}

static void test_read(void **state)
{
    const struct secret_case *c = *state;
    struct pin_secret secret = {0};
    struct pin_why why = {0};
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(c->text, 1, strlen(c->text), file), strlen(c->text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, c->mode), 0);
    check(pin_secret_read(path, &secret, &why), c->plain, &secret);
    pin_secret_done(&secret);
    check(pin_secret_read_base64(path, &secret, &why), c->decoded, &secret);
    pin_secret_done(&secret);
    assert_null(secret.data);
    assert_non_null(strstr(why.text, c->why));
    assert_null(strstr(why.text, "c2Vj"));
}

/* The flags of the mapping that an address lies in, as smaps has them; "" where it has none. */
static void flags_of(const void *address, char ret_flags[LINE_BYTES])
{
    char line[LINE_BYTES];
    bool is_there = false;
    ret_flags[0] = '\0';
    FILE *smaps = fopen("/proc/self/smaps", "re");
    assert_non_null(smaps);
    while (fgets(line, sizeof(line), smaps) != NULL) {
        unsigned long long from = 0;
        unsigned long long to = 0;
        if (sscanf(line, "%llx-%llx ", &from, &to) == 2) { /* NOLINT(cert-err34-c) */
            is_there = (uintptr_t)address >= from && (uintptr_t)address < to;
        } else if (is_there && strncmp(line, "VmFlags:", 8) == 0) {
            memcpy(ret_flags, line, sizeof(line));
            break;
        }
    }
    assert_int_equal(fclose(smaps), 0);
}

static void test_no_core_dump_has_it_and_no_child(void **state)
{
    char flags[LINE_BYTES];
    struct pin_secret secret = {0};
    struct pin_why why = {0};
    int status = 0;
    (void)state;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("c2VjcmV0", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(pin_secret_read(path, &secret, &why), PIN_OK);
    flags_of(secret.data, flags);
    assert_non_null(strstr(flags, " dd")); /* what MADV_DONTDUMP leaves there */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(secret.data[0]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(secret.data[0], 'c');
    pin_secret_done(&secret);
}

static void test_a_missing_file_is_told(void **state)
{
    struct pin_secret secret = {0};
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pin_secret_read("/nowhere/k", &secret, &why), PIN_ENOTFOUND);
    assert_non_null(strstr(why.text, "/nowhere/k"));
}

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {cmocka_unit_test(test_a_missing_file_is_told),
        cmocka_unit_test(test_no_core_dump_has_it_and_no_child)};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_read, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("secret", tests, set_up, tear_down);
}
