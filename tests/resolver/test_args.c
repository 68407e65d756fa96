/* SPDX-License-Identifier: Apache-2.0 */

/* How the command line is read, and what is said when it makes no sense. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/config.h"

#define ARGV_MAX 8

static struct wrong_case {
    const char *name; /* reads as a sentence in the test report */
    const char *argv[ARGV_MAX];
    const char *want;
} wrong_cases[] = {
    {"an unknown flag names the nearest one", {"--listne", "127.0.0.1"},
        "unknown option --listne, did you mean --listen?"},
    {"an unknown letter is told", {"-x"}, "unknown option -x"},
    {"an argument that belongs to nothing is told", {"c1"}, "unexpected argument \"c1\""},
    {"a value may not be missing at the end", {"--config"}, "--config wants FILE"},
    {"a value may not be empty", {"--config="}, "--config wants FILE"},
    {"a switch takes no value", {"--dev=yes"}, "--dev takes no value"},
    {"a flag that counts once is given once", {"--admin", "127.0.0.1:1", "--admin", "127.0.0.1:2"},
        "--admin is given twice"},
    {"a flag is no value of the flag before it", {"--config", "--check"}, "--config wants FILE"},
    {"--export needs --dev", {"--export", "d"}, "--export goes with --dev"},
    {"--dev and --config exclude each other", {"--dev", "--config", "f"},
        "--dev brings its own clusters and configuration: leave out --config, --clusters-dir and "
        "--contexts"},
    {"--dev and --contexts exclude each other", {"--dev", "--contexts", "c1"},
        "--dev brings its own clusters and configuration: leave out --config, --clusters-dir and "
        "--contexts"},
    {"--contexts and --all-contexts exclude each other", {"--contexts", "c1", "--all-contexts"},
        "--contexts and --all-contexts exclude each other"},
};

static enum pin_err parse(const char *const *argv, struct pin_args *ret_args, struct pin_why *why)
{
    char *copy[ARGV_MAX + 2] = {(char *)(uintptr_t) "pintled"};
    int argc = 1;
    for (; argc <= ARGV_MAX && argv[argc - 1] != NULL; argc++) {
        copy[argc] = (char *)(uintptr_t)argv[argc - 1];
    }
    return pin_args_parse(argc, copy, ret_args, why);
}

static void test_wrong(void **state)
{
    const struct wrong_case *c = *state;
    struct pin_args args;
    struct pin_why why = {0};
    assert_int_equal(parse(c->argv, &args, &why), PIN_EINVAL);
    assert_string_equal(why.text, c->want);
}

static void test_values(void **state)
{
    (void)state;
    static const char *const argv[ARGV_MAX + 1] = {
        "-l", "127.0.0.1", "--listen=[::1]:53", "--clusters-dir", "d", "--check", NULL};
    struct pin_args args;
    struct pin_why why = {0};
    assert_int_equal(parse(argv, &args, &why), PIN_OK);
    assert_int_equal(args.listen.n, 2);
    assert_string_equal(args.listen.values[0], "127.0.0.1");
    assert_string_equal(args.listen.values[1], "[::1]:53");
    assert_string_equal(args.clusters_dir, "d");
    assert_true(args.check);
    assert_false(args.dev);
    assert_null(args.config);
}

static void test_help_before_sense(void **state)
{
    (void)state;
    static const char *const argv[ARGV_MAX + 1] = {"--export", "d", "--help", NULL};
    struct pin_args args;
    assert_int_equal(parse(argv, &args, NULL), PIN_OK);
    assert_true(args.help);
}

static struct finding_case {
    const char *name;
    struct pin_args args;
    const char *want;
} finding_cases[] = {
    {"a listen address is an address", {.listen = {{"localhost"}, 1}},
        "--listen: \"localhost\" is no ADDR[:PORT] with an IP address\n"},
    {"a port above 65535 is none", {.admin = "127.0.0.1:65536"},
        "--admin: \"127.0.0.1:65536\" is no ADDR[:PORT] with an IP address\n"},
    {"workers are counted from 1", {.workers = "0"},
        "--workers: \"0\" is no number from 1 to 256\n"},
    {"workers are a number", {.workers = "2x"}, "--workers: \"2x\" is no number from 1 to 256\n"},
    {"a log level is one of four", {.log_level = "loud"},
        "--log-level: \"loud\" is not one of debug, info, warn, error\n"},
    {"a log format is one of two", {.log_format = "xml"},
        "--log-format: \"xml\" is not one of text, json\n"},
    {"an address is listened on once", {.listen = {{"127.0.0.1:53", "127.0.0.1:53"}, 2}},
        "--listen: 127.0.0.1:53 is there twice\n"},
    {"a cluster is named once", {.contexts = "c1,c1"}, "cluster \"c1\" is named twice\n"},
    {"a context without a name is none", {.contexts = "c1,"}, "--contexts: an empty name\n"},
    {"a resolver is an address", {.forward = {{"dns.example"}, 1}},
        "--forward: \"dns.example\" is no ADDR[:PORT] with an IP address, no tls:// in front of "
        "one, and no path\n"},
    {"a resolver is named once", {.forward = {{"192.0.2.53", "192.0.2.53:53"}, 2}},
        "--forward: \"192.0.2.53:53\" is there twice\n"},
    {"nobody forwards to itself", {.listen = {{"127.0.0.1:53"}, 1}, .forward = {{"127.0.0.1"}, 1}},
        "--forward: \"127.0.0.1:53\" is a listener of this server: questions would go round in a "
        "loop\n"},
    {"nobody forwards to a wildcard listener of its own",
        {.listen = {{"0.0.0.0:53"}, 1}, .forward = {{"127.0.0.1"}, 1}},
        "--forward: \"127.0.0.1:53\" is a listener of this server: questions would go round in a "
        "loop\n"},
};

static void test_finding(void **state)
{
    const struct finding_case *c = *state;
    struct pin_findings findings = {0};
    struct pin_config *config = pin_config_load(&c->args, NULL, &findings);
    assert_string_equal(pin_findings_text(&findings), c->want);
    assert_int_equal(findings.n_usage, 1);
    pin_findings_done(&findings);
    pin_config_free(config);
}

static void test_findings_are_bounded(void **state)
{
    (void)state;
    struct pin_findings findings = {0};
    for (int i = 0; i < 10 * PIN_FINDINGS_MAX; i++) {
        pin_findings_add(&findings, "f", (struct pin_at){.line = 1, .col = 2}, "trouble %d", i);
    }
    assert_int_equal(findings.n, 10 * PIN_FINDINGS_MAX);
    assert_non_null(strstr(pin_findings_text(&findings), "f:1:2: trouble 99\n"));
    assert_null(strstr(pin_findings_text(&findings), "trouble 100\n"));
    pin_findings_done(&findings);
}

#define ADD(list, fn)                                                                              \
    for (size_t i = 0; i < N_ELEMS(list); i++) {                                                   \
        tests[n++] = (struct CMUnitTest){                                                          \
            .name = (list)[i].name, .test_func = (fn), .initial_state = &(list)[i]};               \
    }

int main(void)
{
    static struct CMUnitTest tests[64];
    const struct CMUnitTest singles[] = {
        {"values come after a space or an equals sign", test_values, NULL, NULL, NULL},
        {"--help wins over what makes no sense", test_help_before_sense, NULL, NULL, NULL},
        {"findings are counted without end but kept to a limit", test_findings_are_bounded, NULL,
            NULL, NULL},
    };
    size_t n = 0;
    ADD(wrong_cases, test_wrong)
    ADD(finding_cases, test_finding)
    for (size_t i = 0; i < N_ELEMS(singles); i++) {
        tests[n++] = singles[i];
    }
    return _cmocka_run_group_tests("args", tests, n, NULL, NULL);
}
