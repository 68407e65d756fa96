/* SPDX-License-Identifier: Apache-2.0 */

/* What the configuration makes of the server's manners: identity, version, cookies. */

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

#include "resolver/config.h"

static struct pin_findings findings;

static struct pin_config *load(const char *text)
{
    struct pin_args args = {0};
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_non_null(config);
    config->file = "p.yaml";
    pin_config_read(config, "p.yaml", text, strlen(text), &findings);
    pin_manners_load(config, &findings);
    return config;
}

static int clear(void **state)
{
    (void)state;
    pin_findings_done(&findings);
    return 0;
}

static void test_defaults(void **state)
{
    (void)state;
    struct pin_config *config = load("clusterSet: a\n");
    assert_int_equal(findings.n, 0);
    assert_true(config->manners.has_cookies);
    assert_false(config->manners.wants_cookies);
    assert_int_equal(config->manners.identity.bytes, 0);
    assert_int_equal(config->manners.version.bytes, 0);
    assert_false(config->manners.secret.is_shared);
    assert_int_equal(config->manners.secret.rollover_s, 24 * 3600);
    pin_config_free(config);
}

static void test_texts(void **state)
{
    (void)state;
    struct pin_config *config = load("dns: {identity: ns-1, version: pintle}\n"
                                     "cookies: {enabled: false, required: true, rollover: 2h}\n");
    assert_int_equal(findings.n, 0);
    assert_int_equal(config->manners.identity.bytes, 4);
    assert_memory_equal(config->manners.identity.text, "ns-1", 4);
    assert_int_equal(config->manners.version.bytes, 6);
    assert_memory_equal(config->manners.version.text, "pintle", 6);
    assert_false(config->manners.has_cookies);
    assert_true(config->manners.wants_cookies);
    assert_int_equal(config->manners.secret.rollover_s, 7200);
    pin_config_free(config);
}

static void test_host_name(void **state)
{
    char host[256] = "";
    (void)state;
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    struct pin_config *config = load("dns: {identity: hostname}\n");
    assert_int_equal(config->manners.identity.bytes, strlen(host));
    assert_memory_equal(config->manners.identity.text, host, strlen(host));
    pin_config_free(config);
}

static void test_shared_secret(void **state)
{
    char path[] = "/tmp/pintle-manners-XXXXXX";
    char text[128];
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(dprintf(fd, "000102030405060708090a0b0c0d0e0f\n"), 33);
    (void)snprintf(text, sizeof(text), "cookies: {secretFile: %s}\n", path);
    struct pin_config *config = load(text);
    assert_int_equal(findings.n, 0);
    assert_true(config->manners.secret.is_shared);
    assert_int_equal((*config->manners.secret.pair)->current[15], 15);
    assert_int_equal(
        config->manners.secret.shared[0][15], 0); /* it stands in one place, which is wiped */
    pin_config_free(config);

    assert_int_equal(fchmod(fd, 0644), 0);
    config = load(text);
    assert_int_equal(findings.n, 1);
    assert_non_null(strstr(pin_findings_text(&findings), "p.yaml: cookies.secretFile: '/tmp/"));
    assert_non_null(strstr(pin_findings_text(&findings), "mode 0644"));
    pin_config_free(config);
    (void)close(fd);
    (void)unlink(path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_defaults, clear),
        cmocka_unit_test_teardown(test_texts, clear),
        cmocka_unit_test_teardown(test_host_name, clear),
        cmocka_unit_test_teardown(test_shared_secret, clear),
    };
    return cmocka_run_group_tests_name("manners", tests, NULL, NULL);
}
