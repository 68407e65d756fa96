/* SPDX-License-Identifier: Apache-2.0 */

/* One line per event, whatever the message holds, and not too many of them. */

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
#include "pintle/base/log.h"
#include "pintle/base/text.h"

static char last[4096];
static unsigned n_lines;

static void catch_line(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    n_lines++;
    (void)snprintf(last, sizeof(last), "%s", line);
}

static int set_up(void **state)
{
    (void)state;
    n_lines = 0;
    last[0] = '\0';
    pin_clock_set_fake(5000000, 0);
    pin_log_setup(PIN_LOG_INFO, PIN_LOG_TEXT);
    pin_log_set_sink(catch_line, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_log_set_sink(NULL, NULL);
    pin_clock_set_real();
    return 0;
}

static struct line_case {
    const char *name;
    enum pin_log_format format;
    const char *message;
    const char *want;
} cases[] = {
    {"a text line has time, level and message", PIN_LOG_TEXT, "udp: listening port=53",
        "1970-01-01T00:00:00.000Z info  udp: listening port=53"},
    {"a newline cannot forge a second line", PIN_LOG_TEXT, "a: b\nc",
        "1970-01-01T00:00:00.000Z info  a: b\\010c"},
    {"an escape sequence does not reach a terminal", PIN_LOG_TEXT, "a: \x1b[31m\x7f",
        "1970-01-01T00:00:00.000Z info  a: \\027[31m\\127"},
    {"a JSON line has the component apart", PIN_LOG_JSON, "udp: listening port=53",
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"component\":\"udp\","
        "\"message\":\"listening port=53\"}"},
    {"a JSON line escapes", PIN_LOG_JSON, "a: \"b\"\n\xff",
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"component\":\"a\","
        "\"message\":\"\\\"b\\\"\\n\xEF\xBF\xBD\"}"},
    {"a sentence with a colon names no component", PIN_LOG_JSON, "cannot open: x",
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"component\":\"\","
        "\"message\":\"cannot open: x\"}"},
};

static void test_line(void **state)
{
    const struct line_case *c = *state;
    pin_log_setup(PIN_LOG_INFO, c->format);
    pin_log_write(NULL, PIN_LOG_INFO, "%s", c->message);
    assert_string_equal(last, c->want);
}

static void say(int i)
{
    pin_log_warn("test: line %d", i);
}

static void test_rate_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        say(i);
    }
    assert_int_equal(n_lines, PIN_LOG_BURST);
    pin_log_warn("test: another place has its own limit");
    assert_int_equal(n_lines, PIN_LOG_BURST + 1);

    pin_clock_set_fake(5000999, 0);
    say(100);
    assert_int_equal(n_lines, PIN_LOG_BURST + 1);
    pin_clock_set_fake(5001000, 0);
    say(101);
    assert_int_equal(n_lines, PIN_LOG_BURST + 2);
    assert_non_null(strstr(last, "test: line 101 (91 more suppressed)"));
    say(102);
    assert_int_equal(n_lines, PIN_LOG_BURST + 2);

    pin_clock_set_fake(5900000, 0);
    for (int i = 0; i < 100; i++) {
        say(i);
    }
    assert_int_equal(n_lines, 2 * PIN_LOG_BURST + 2);
}

static void test_levels(void **state)
{
    enum pin_log_level level = PIN_LOG_DEBUG;
    enum pin_log_format format = PIN_LOG_TEXT;
    (void)state;
    uint64_t n_errors = pin_log_count(PIN_LOG_ERROR);
    pin_log_debug("test: below the threshold");
    assert_int_equal(n_lines, 0);
    pin_log_error("test: above it");
    assert_int_equal(n_lines, 1);
    assert_int_equal(pin_log_count(PIN_LOG_ERROR), n_errors + 1);
    assert_true(pin_log_level_parse("WARNING", &level));
    assert_int_equal(level, PIN_LOG_WARN);
    assert_true(pin_log_level_parse("error", &level));
    assert_int_equal(level, PIN_LOG_ERROR);
    assert_false(pin_log_level_parse("loud", &level));
    assert_true(pin_log_format_parse("json", &format));
    assert_int_equal(format, PIN_LOG_JSON);
    assert_false(pin_log_format_parse("xml", &format));
    assert_string_equal(pin_log_level_name(PIN_LOG_WARN), "warn");
}

static void test_long_messages_are_cut(void **state)
{
    char text[3 * PIN_LOG_MESSAGE_BYTES];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 12; i++) {
        if (i == 11) {
            pin_clock_set_fake(5060000, 0);
        }
        pin_log_info("%s", text);
    }
    assert_int_equal(n_lines, PIN_LOG_BURST + 1);
    assert_true(strlen(last) < PIN_LOG_MESSAGE_BYTES + 64);
    assert_non_null(strstr(last, "(1 more suppressed)"));
}

/* What is set for a while does not forget what was configured. */
static void test_level_for_a_while(void **state)
{
    (void)state;
    pin_log_setup(PIN_LOG_WARN, PIN_LOG_TEXT);
    pin_log_set_level(PIN_LOG_DEBUG);
    assert_int_equal(pin_log_level(), PIN_LOG_DEBUG);
    assert_true(pin_log_is_on(PIN_LOG_DEBUG));
    assert_int_equal(pin_log_configured_level(), PIN_LOG_WARN);
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    assert_int_equal(pin_log_level(), PIN_LOG_ERROR);
    assert_int_equal(pin_log_configured_level(), PIN_LOG_ERROR);
}

/* Writes a line that no other call site limits. */
static void write_line(unsigned i, const char *tail)
{
    pin_log_write(NULL, PIN_LOG_INFO, "a: line %u%s", i, tail);
}

static void test_latest_lines_are_kept(void **state)
{
    (void)state;
    static const char tail[] = " ........................................";
    struct pin_text text = {0};
    write_line(0, "");
    pin_log_put_kept(&text);
    static const char want[] = "1970-01-01T00:00:00.000Z info  a: line 0\n";
    assert_true(text.len >= sizeof(want) - 1);
    assert_string_equal(pin_text_get(&text) + text.len - (sizeof(want) - 1), want);

    for (unsigned i = 1; i <= 10000; i++) { /* several times around */
        write_line(i, tail);
    }
    pin_text_cut(&text, 0);
    pin_log_put_kept(&text);
    assert_in_range(text.len, PIN_LOG_KEPT_BYTES - 100, PIN_LOG_KEPT_BYTES);
    unsigned long first = 0;
    unsigned long n = 0;
    for (const char *at = pin_text_get(&text); *at != '\0'; at = strchr(at, '\n') + 1) {
        static const char before[] = "1970-01-01T00:00:00.000Z info  a: line ";
        assert_memory_equal(at, before, sizeof(before) - 1);
        unsigned long i = strtoul(at + sizeof(before) - 1, NULL, 10);
        first = n == 0 ? i : first;
        assert_int_equal(i, first + n); /* each once, in order, the first one whole */
        n++;
    }
    assert_int_equal(first + n - 1, 10000);
    pin_text_done(&text);
}

/* Standard error is a pipe that the variable names, as if it were the journal's stream. */
static size_t write_to_journal(char *ret_seen, size_t bytes)
{
    struct stat st;
    char name[64];
    int ends[2];
    int before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(before >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", name, 1), 0);
    pin_log_find_journal();
    pin_log_set_sink(NULL, NULL);
    bool is_journal = pin_log_is_journal();
    pin_log_write(NULL, PIN_LOG_WARN, "a: line");
    (void)dup2(before, STDERR_FILENO);
    pin_log_find_journal();
    ssize_t n = read(ends[0], ret_seen, bytes);
    (void)close(before);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_true(is_journal && !pin_log_is_journal() && n >= 0);
    return (size_t)n;
}

/* What is kept is read elsewhere: there a line has no other time. */
static void test_the_journal_has_time_and_level_and_what_is_kept_too(void **state)
{
    (void)state;
    static const char want_text[] = "1970-01-01T00:00:00.000Z warn  a: line\n";
    static const char want_json[] = "<4>{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\","
                                    "\"component\":\"a\",\"message\":\"line\"}\n";
    struct pin_text text = {0};
    char seen[256] = "";
    assert_int_equal(write_to_journal(seen, sizeof(seen) - 1), strlen("<4>a: line\n"));
    assert_string_equal(seen, "<4>a: line\n");
    pin_log_put_kept(&text);
    assert_true(text.len >= sizeof(want_text) - 1);
    assert_string_equal(pin_text_get(&text) + text.len - (sizeof(want_text) - 1), want_text);

    pin_log_setup(PIN_LOG_INFO, PIN_LOG_JSON);
    memset(seen, 0, sizeof(seen));
    (void)write_to_journal(seen, sizeof(seen) - 1);
    assert_string_equal(seen, want_json);
    pin_text_cut(&text, 0);
    pin_log_put_kept(&text);
    size_t kept_bytes = sizeof(want_json) - 1 - strlen("<4>");
    assert_string_equal(pin_text_get(&text) + text.len - kept_bytes, want_json + strlen("<4>"));
    pin_text_done(&text);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test_setup_teardown(test_rate_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_level_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_messages_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latest_lines_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_the_journal_has_time_and_level_and_what_is_kept_too, set_up, tear_down),
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(others)];
    memcpy(tests, others, sizeof(others));
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[N_ELEMS(others) + i] = (struct CMUnitTest){.name = cases[i].name,
            .test_func = test_line,
            .setup_func = set_up,
            .teardown_func = tear_down,
            .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
