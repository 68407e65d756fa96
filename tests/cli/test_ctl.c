/* SPDX-License-Identifier: Apache-2.0 */

/* How pintlectl reads its command line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "cli/ctl.h"

#define ARGV_MAX 8

static enum pin_err parse(
    const char *const *argv, bool is_terminal, struct pin_ctl *ret_ctl, struct pin_why *why)
{
    char *copy[ARGV_MAX + 2] = {(char *)(uintptr_t) "pintlectl"};
    int argc = 1;
    for (; argc <= ARGV_MAX && argv[argc - 1] != NULL; argc++) {
        copy[argc] = (char *)(uintptr_t)argv[argc - 1];
    }
    return pin_ctl_parse(argc, copy, is_terminal, ret_ctl, why);
}

static struct wrong_case {
    const char *name; /* reads as a sentence in the test report */
    const char *argv[ARGV_MAX + 1];
    const char *want;
} wrong_cases[] = {
    {"no command is a usage error", {NULL}, "say a command"},
    {"an unknown command is named", {"stauts"}, "unknown command \"stauts\", did you mean status?"},
    {"half a command is none", {"names"},
        "unknown command \"names\"; after names goes one of list"},
    {"two words that are no command are named", {"names", "show"},
        "unknown command \"names show\", did you mean names list?"},
    {"a missing argument shows the use", {"query"},
        "use: pintlectl query NAME [TYPE] [--from SUBNET] [-n 1000] [--server ADDR[:PORT]]"},
    {"an argument too many shows the use", {"status", "c1"},
        "use: pintlectl status [--wait] [--timeout 5m]"},
    {"an unknown option is named", {"status", "--wiat"},
        "unknown option --wiat, did you mean --wait?"},
    {"an option of another command is refused", {"clusters", "list", "--write-back", "mcs"},
        "--write-back goes with clusters add"},
    {"an option without its value is named", {"status", "--admin"}, "--admin wants a value"},
    {"an unknown output is named with the known ones", {"status", "-o", "xml"},
        "-o: \"xml\" is not one of table, json, yaml"},
    {"an unknown colour is named with the known ones", {"status", "--color=red"},
        "--color: \"red\" is not one of auto, always, never"},
    {"a wait is a duration", {"status", "--wait-duration", "soon"},
        "--wait-duration: \"soon\" is no duration such as 5m"},
    {"an admin side is an address or a name", {"status", "--admin", "a/b"},
        "--admin: \"a/b\" is no ADDR[:PORT]"},
    {"an admin port is a number", {"status", "--admin", "pintled:x"},
        "--admin: \"pintled:x\" is no ADDR[:PORT]"},
    {"an admin port is not 0", {"status", "--admin", "127.0.0.1:0"},
        "--admin: \"127.0.0.1:0\" is no ADDR[:PORT]"},
    {"an admin port ends at 65535", {"status", "--admin", "pintled:65536"},
        "--admin: \"pintled:65536\" is no ADDR[:PORT]"},
    {"an address that is none is no name either", {"status", "--admin", "127.0.0.256"},
        "--admin: \"127.0.0.256\" is no ADDR[:PORT]"},
    {"a URL with a path is no admin side", {"status", "--admin", "https://a.example/x"},
        "--admin: \"a.example/x\" is no ADDR[:PORT]"},
    {"nor is a scheme alone", {"status", "--admin", "https://"}, "--admin: \"\" is no ADDR[:PORT]"},
    {"an option is no admin side", {"status", "--admin", "--wait"},
        "--admin: \"--wait\" is no ADDR[:PORT]"},
    {"--wait means nothing elsewhere", {"names", "list", "--wait"},
        "--wait goes with status, reload and replace"},
    {"--affinity means nothing elsewhere", {"names", "list", "--affinity"},
        "--affinity goes with services list"},
    {"-n means nothing elsewhere", {"explain", "a.example", "-n", "5"},
        "-n goes with query and tail"},
    {"--server means nothing elsewhere", {"status", "--server", "192.0.2.1"},
        "--server goes with query"},
    {"--namespace means nothing elsewhere", {"services", "list", "--namespace", "a"},
        "--namespace goes with explain"},
    {"a number of questions is a number", {"query", "a.example", "-n", "1k"},
        "-n: \"1k\" is no number from 1 to 10000000"},
    {"no questions are none", {"query", "a.example", "-n", "0"},
        "-n: \"0\" is no number from 1 to 10000000"},
    {"--from means nothing elsewhere", {"status", "--from", "c1"},
        "--from goes with explain, services list and query"},
    {"--for means nothing elsewhere", {"status", "--for", "30m"},
        "--for goes with drain and log level"},
    {"an exit code for changes means nothing elsewhere", {"records", "list", "--detailed-exitcode"},
        "--detailed-exitcode goes with records plan, records apply and records drift"},
    {"--dry-run means nothing elsewhere", {"records", "plan", "--dry-run"},
        "--dry-run goes with records apply and weights set"},
    {"--yes means nothing elsewhere", {"records", "apply", "--yes"},
        "--yes goes with records adopt"},
    {"--from-owner means nothing elsewhere", {"records", "apply", "--from-owner", "default"},
        "--from-owner goes with records adopt"},
    {"records are taken over from somebody", {"records", "adopt"},
        "records adopt wants --from-owner ID"},
    {"nobody is not somebody", {"records", "adopt", "--from-owner="},
        "records adopt wants --from-owner ID"},
    {"an approval names what is approved", {"records", "approve"},
        "use: pintlectl records approve HASH [--timeout 5m]"},
    {"drain wants what and which", {"drain", "c1"},
        "use: pintlectl drain cluster|zone|service|endpoint NAME [--for 30m]"},
    {"a wrong option is told by those of its command", {"records", "apply", "--dry-rnu"},
        "unknown option --dry-rnu, did you mean --dry-run?"},
    {"an option far from all is only named", {"status", "--banana=5"}, "unknown option --banana"},
    {"a letter that is no option is only named", {"status", "-x"}, "unknown option -x"},
    {"an unknown option without a command is named", {"--versoin"}, "unknown option --versoin"},
    {"a switch takes no value", {"status", "--wait=yes"},
        "unknown option --wait, did you mean --wait?"},
    {"two words of a command may be near a name", {"record", "plan"},
        "unknown command \"record plan\", did you mean records plan?"},
    {"a word far from all commands is only named", {"banana"}, "unknown command \"banana\""},
    {"--timeout goes with what waits", {"names", "list", "--timeout", "5m"},
        "--timeout goes with status, clusters check, records apply, records adopt, records "
        "approve, "
        "reload and replace"},
    {"words are bounded", {"a", "b", "c", "d", "e"}, "too many arguments"},
};

static void test_wrong(void **state)
{
    const struct wrong_case *c = *state;
    struct pin_ctl ctl;
    struct pin_why why = {0};
    assert_int_equal(parse(c->argv, false, &ctl, &why), PIN_EINVAL);
    assert_string_equal(why.text, c->want);
}

static void test_options_anywhere(void **state)
{
    (void)state;
    static const char *const argv[ARGV_MAX + 1] = {
        "--admin=127.0.0.1:1", "explain", "--from", "c1/apps", "a.example", "AAAA", "-o", "yaml"};
    struct pin_ctl ctl;
    assert_int_equal(parse(argv, false, &ctl, NULL), PIN_OK);
    assert_string_equal(ctl.command->name, "explain");
    assert_string_equal(ctl.admin, "127.0.0.1:1");
    assert_string_equal(ctl.from, "c1/apps");
    assert_int_equal(ctl.output, PIN_CTL_YAML);
    assert_int_equal(ctl.n_words, 2);
    assert_string_equal(ctl.words[0], "a.example");
    assert_string_equal(ctl.words[1], "AAAA");
}

static void test_defaults(void **state)
{
    (void)state;
    static const char *const argv[ARGV_MAX + 1] = {"names", "list", NULL};
    struct pin_ctl ctl;
    assert_int_equal(parse(argv, false, &ctl, NULL), PIN_OK);
    assert_string_equal(ctl.command->name, "names list");
    assert_string_equal(ctl.admin, "127.0.0.1:9153");
    assert_int_equal(ctl.output, PIN_CTL_TABLE);
    assert_int_equal(ctl.n_words, 0);
    assert_false(ctl.has_color);
    assert_int_equal(ctl.wait_ms, 300000);
}

static void test_words_in_a_text(void **state)
{
    (void)state;
    struct pin_ctl ctl = {.words = {"Shop", "web"}, .n_words = 2};
    assert_true(pin_ctl_has_words(&ctl, "web.shop.svc.clusterset.local"));
    assert_false(pin_ctl_has_words(&ctl, "web.song.svc.clusterset.local"));
    ctl.n_words = 0;
    assert_true(pin_ctl_has_words(&ctl, ""));
}

static struct admin_case {
    const char *name;
    const char *admin;
    const char *want;
} admin_cases[] = {
    {"TLS is said by its scheme", "https://pintled.example", "https://pintled.example:9153"},
    {"an address behind it, as a browser shows it", "https://[2001:db8::1]:443/",
        "https://[2001:db8::1]:443"},
    {"as it stands in the log", "http://127.0.0.1:1234/", "127.0.0.1:1234"},
    {"an address has its port", "192.0.2.1:80", "192.0.2.1:80"},
    {"a port that is not said is the daemon's own", "192.0.2.1", "192.0.2.1:9153"},
    {"an IPv6 address gets its brackets", "2001:db8::1", "[2001:db8::1]:9153"},
    {"a name is left as it is", "pintled.dns.svc:9000", "pintled.dns.svc:9000"},
    {"a name's port is the daemon's own too", "localhost", "localhost:9153"},
};

static void test_admin(void **state)
{
    const struct admin_case *c = *state;
    const char *const argv[ARGV_MAX + 1] = {"status", "--admin", c->admin, NULL};
    struct pin_ctl ctl;
    assert_int_equal(parse(argv, false, &ctl, NULL), PIN_OK);
    assert_string_equal(ctl.admin, c->want);
}

static void test_wait(void **state)
{
    (void)state;
    static const char *const argv[ARGV_MAX + 1] = {"status", "--wait-duration", "90s", NULL};
    struct pin_ctl ctl;
    assert_int_equal(parse(argv, false, &ctl, NULL), PIN_OK);
    assert_true(ctl.has_timeout);
    assert_int_equal(ctl.wait_ms, 90000);
}

/* 2 is a usage error, but for who asked for it to mean changes. */
static void test_usage_exit(void **state)
{
    (void)state;
    char *const plain[] = {(char *)(uintptr_t) "pintlectl", (char *)(uintptr_t) "records"};
    char *const detailed[] = {
        (char *)(uintptr_t) "pintlectl", (char *)(uintptr_t) "--detailed-exitcode"};
    assert_int_equal(pin_ctl_usage_exit(2, plain), PIN_CTL_USAGE);
    assert_int_equal(pin_ctl_usage_exit(2, detailed), PIN_CTL_FAILED);
}

static void test_short(void **state)
{
    (void)state;
    static const char *const argv[ARGV_MAX + 1] = {"query", "a.example", "-n50", "-ojson", NULL};
    struct pin_ctl ctl;
    assert_int_equal(parse(argv, false, &ctl, NULL), PIN_OK);
    assert_int_equal(ctl.n_asks, 50);
    assert_int_equal(ctl.output, PIN_CTL_JSON);
}

static void test_help(void **state)
{
    (void)state;
    struct pin_text text = {0};
    pin_ctl_help(&text);
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        const struct pin_ctl_command *command = &pin_ctl_commands[i];
        if (command->help != NULL) {
            assert_non_null(strstr(pin_text_get(&text), command->name));
            assert_non_null(strstr(pin_text_get(&text), command->help));
        }
    }
    pin_text_done(&text);
}

static struct asked_case {
    const char *name;
    const char *argv[ARGV_MAX + 1];
    size_t n_words;
    const char *word; /* the last */
} asked_cases[] = {
    {"--help is help", {"--help"}, 0, NULL},
    {"--help of a command is about it", {"explain", "--help"}, 1, "explain"},
    {"-h of a command of two words is about it", {"records", "apply", "-h"}, 2, "apply"},
    {"what else was typed is no matter", {"records", "apply", "a", "b", "-h", "--bogus"}, 2,
        "apply"},
    {"--help of a group is about it", {"records", "--help"}, 1, "records"},
    {"help takes a command's name", {"help", "records", "apply"}, 2, "apply"},
};

static void test_asked(void **state)
{
    const struct asked_case *c = *state;
    struct pin_ctl ctl;
    assert_int_equal(parse(c->argv, false, &ctl, NULL), PIN_OK);
    assert_string_equal(ctl.command->name, "help");
    assert_int_equal(ctl.n_words, c->n_words);
    if (c->word != NULL) {
        assert_string_equal(ctl.words[ctl.n_words - 1], c->word);
    }
}

static void test_version(void **state)
{
    (void)state;
    static const char *const alone[ARGV_MAX + 1] = {"--version"};
    static const char *const json[ARGV_MAX + 1] = {"--version", "-o", "json"};
    static const char *const of_another[ARGV_MAX + 1] = {"status", "--version"};
    struct pin_ctl ctl;
    struct pin_why why = {0};
    assert_int_equal(parse(alone, false, &ctl, NULL), PIN_OK);
    assert_string_equal(ctl.command->name, "version");
    assert_int_equal(ctl.n_words, 0);
    assert_int_equal(parse(json, false, &ctl, NULL), PIN_OK);
    assert_string_equal(ctl.command->name, "version");
    assert_int_equal(ctl.output, PIN_CTL_JSON);
    assert_int_equal(parse(of_another, false, &ctl, &why), PIN_EINVAL);
    assert_string_equal(why.text, "unknown option --version");
}

static void test_help_of_one(void **state)
{
    (void)state;
    static const char *const words[] = {"records", "apply"};
    struct pin_text text = {0};
    size_t n_taken = 0;
    pin_ctl_help_command(&text, pin_ctl_command_find(words, N_ELEMS(words), &n_taken));
    assert_int_equal(n_taken, 2);
    const char *own = strstr(pin_text_get(&text), "\nOptions:\n");
    const char *common = strstr(pin_text_get(&text), "\nOptions of every command:\n");
    assert_non_null(own);
    assert_non_null(common);
    assert_non_null(strstr(own, "  --dry-run "));
    assert_true(strstr(own, "  --dry-run ") < common);
    assert_true(strstr(own, "  -o, --output FORMAT ") > common);
    assert_null(strstr(own, "--from-owner"));
    pin_text_done(&text);
}

/* What the parser and the help take for granted of the tables. */
static void test_tables(void **state)
{
    (void)state;
    for (int i = 0; i < PIN_FLAG_MAX; i++) {
        const struct pin_ctl_flag *flag = &pin_ctl_flags[i];
        bool is_used = i <= PIN_FLAG_HELP;
        assert_non_null(flag->name);
        assert_true((flag->value == NULL) == (flag->kind == PIN_FLAG_IS_SWITCH));
        for (int j = 0; j < i; j++) {
            if (strcmp(flag->name, pin_ctl_flags[j].name) == 0) {
                assert_true((flag->value == NULL) == (pin_ctl_flags[j].value == NULL));
            }
        }
        for (size_t j = 0; j < pin_ctl_n_commands && !is_used; j++) {
            is_used = pin_ctl_command_has(&pin_ctl_commands[j], (enum pin_ctl_flag_id)i);
        }
        assert_true(is_used);
    }
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        const char *words[2] = {0};
        char name[64];
        size_t n_taken = 0;
        assert_true(strlen(pin_ctl_commands[i].name) < sizeof(name));
        memcpy(name, pin_ctl_commands[i].name, strlen(pin_ctl_commands[i].name) + 1);
        words[0] = name;
        char *space = strchr(name, ' ');
        if (space != NULL) {
            *space = '\0';
            words[1] = space + 1;
        }
        assert_ptr_equal(
            pin_ctl_command_find(words, space == NULL ? 1 : 2, &n_taken), &pin_ctl_commands[i]);
    }
}

static struct color_case {
    const char *name;
    const char *when; /* NULL: not said */
    bool is_terminal;
    const char *no_color; /* the environment's; NULL: not set */
    const char *term;
    bool want;
} color_cases[] = {
    {"a terminal gets colour", NULL, true, NULL, "xterm", true},
    {"a pipe gets none", NULL, false, NULL, "xterm", false},
    {"NO_COLOR is obeyed", NULL, true, "1", "xterm", false},
    {"an empty NO_COLOR means nothing", NULL, true, "", "xterm", true},
    {"a dumb terminal gets none", NULL, true, NULL, "dumb", false},
    {"a terminal without a name gets none", NULL, true, NULL, NULL, false},
    {"always means always", "--color=always", false, "1", "dumb", true},
    {"never means never", "--color=never", true, NULL, "xterm", false},
};

static void set_env(const char *name, const char *value)
{
    if (value == NULL) {
        (void)unsetenv(name);
    } else {
        (void)setenv(name, value, 1);
    }
}

static void test_color(void **state)
{
    const struct color_case *c = *state;
    const char *const argv[ARGV_MAX + 1] = {"status", c->when, NULL};
    struct pin_ctl ctl;
    set_env("NO_COLOR", c->no_color);
    set_env("TERM", c->term);
    assert_int_equal(parse(argv, c->is_terminal, &ctl, NULL), PIN_OK);
    assert_int_equal(ctl.has_color, c->want);
}

#define ADD(list, fn)                                                                              \
    for (size_t i = 0; i < N_ELEMS(list); i++) {                                                   \
        tests[n++] = (struct CMUnitTest){                                                          \
            .name = (list)[i].name, .test_func = (fn), .initial_state = &(list)[i]};               \
    }

int main(void)
{
    static struct CMUnitTest tests[80];
    const struct CMUnitTest singles[] = {
        {"options may stand anywhere", test_options_anywhere, NULL, NULL, NULL},
        {"what is not said has its default", test_defaults, NULL, NULL, NULL},
        {"words of the command line in a text, in any case", test_words_in_a_text, NULL, NULL,
            NULL},
        {"a duration to wait is a wish to wait", test_wait, NULL, NULL, NULL},
        {"a usage error is not taken for changes", test_usage_exit, NULL, NULL, NULL},
        {"a letter may stand before its value", test_short, NULL, NULL, NULL},
        {"help names every command", test_help, NULL, NULL, NULL},
        {"--version is the command of that name", test_version, NULL, NULL, NULL},
        {"help of a command tells its options first", test_help_of_one, NULL, NULL, NULL},
        {"each option is some command's, each command found by its name", test_tables, NULL, NULL,
            NULL},
    };
    size_t n = 0;
    ADD(wrong_cases, test_wrong)
    ADD(asked_cases, test_asked)
    ADD(admin_cases, test_admin)
    ADD(color_cases, test_color)
    for (size_t i = 0; i < N_ELEMS(singles); i++) {
        tests[n++] = singles[i];
    }
    return _cmocka_run_group_tests("ctl", tests, n, NULL, NULL);
}
