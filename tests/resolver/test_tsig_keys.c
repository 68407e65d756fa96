/* SPDX-License-Identifier: Apache-2.0 */

/* Secrets are taken from files that others cannot read, or told why not. */

#include <fcntl.h>
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

#include "pintle/base/macros.h"

#include "resolver/config.h"
#include "resolver/tsig_keys.h"

static char path[] = "/tmp/pintle-tsig-key-XXXXXX";

static struct key_case {
    const char *name; /* reads as a sentence in the test report */
    const char *text;
    mode_t mode;
    const char *want; /* a part of the finding; NULL: the key is good */
} cases[] = {
    {"a secret of 16 bytes", "MDEyMzQ1Njc4OWFiY2RlZg==\n", 0600, NULL},
    {"a group may read it", "MDEyMzQ1Njc4OWFiY2RlZg==", 0640, NULL},
    {"the world may not", "MDEyMzQ1Njc4OWFiY2RlZg==", 0644, "has mode 0644: others than"},
    {"a secret of 15 bytes", "MDEyMzQ1Njc4OWFiY2Rl", 0600, "has 15 bytes, at least 16"},
    {"an empty file", "", 0600, "is empty"},
    {"no base64", "secret!", 0600, "holds no base64"},
};

static void test_secret(void **state)
{
    const struct key_case *c = *state;
    struct pin_config_tsig_key key = {.name = "Key.example", .secret_path = path};
    struct pin_config config = {.file = "p.yaml", .tsig_keys = &key, .n_tsig_keys = 1};
    struct pin_findings findings = {0};
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, c->text, strlen(c->text)), (ssize_t)strlen(c->text));
    (void)close(fd);
    assert_int_equal(chmod(path, c->mode), 0);
    struct pin_tsig_keys *keys = pin_tsig_keys_load(&config, &findings);
    assert_non_null(keys);
    assert_int_equal(findings.n, c->want != NULL);
    assert_int_equal(keys->n, c->want == NULL);
    if (c->want != NULL) {
        assert_non_null(strstr(pin_findings_text(&findings), c->want));
    } else {
        assert_int_equal(keys->items[0].secret_bytes, 16);
        assert_memory_equal(keys->items[0].secret, "0123456789abcdef", 16);
        assert_memory_equal(keys->items[0].name.wire, "\3key\7example", 13);
    }
    pin_tsig_keys_free(keys);
    pin_findings_done(&findings);
}

static void test_a_missing_file_is_told(void **state)
{
    struct pin_config_tsig_key key = {.name = "k", .secret_path = "/nowhere/k"};
    struct pin_config config = {.file = "p.yaml", .tsig_keys = &key, .n_tsig_keys = 1};
    struct pin_findings findings = {0};
    (void)state;
    struct pin_tsig_keys *keys = pin_tsig_keys_load(&config, &findings);
    assert_int_equal(findings.n, 1);
    assert_non_null(strstr(pin_findings_text(&findings), "tsigKeys \"k\": "));
    pin_tsig_keys_free(keys);
    pin_findings_done(&findings);
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
    struct CMUnitTest tests[N_ELEMS(cases) + 1] = {cmocka_unit_test(test_a_missing_file_is_told)};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[1 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_secret, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("tsig_keys", tests, set_up, tear_down);
}
