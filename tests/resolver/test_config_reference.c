/* SPDX-License-Identifier: Apache-2.0 */

/* docs/configuration.md beside the table of options: one row a key with its type and default, no
 * row for anything else; and every example in the pages loads without a finding. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "resolver/config.h"
#include "resolver/config_options.h"

#define REFERENCE "docs/configuration.md"
/* A weight that was not said, as the table writes it. */
#define WEIGHT_UNSET "4294967295"

static char *read_page(const char *name)
{
    const char *source = getenv("PINTLE_SOURCE_DIR");
    assert_non_null(source);
    char *path = pin_path_join(source, name);
    char *text = NULL;
    struct pin_why why = {0};
    assert_non_null(path);
    if (pin_file_read(path, (size_t)1 << 20, &text, NULL, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    free(path);
    return text;
}

/* --- one row a key ---------------------------------------------------------------------------- */

static const char *const kind_words[] = {
    [PIN_OPTION_FIXED] = "fixed",
    [PIN_OPTION_MAP] = "map",
    [PIN_OPTION_ITEMS] = "list of maps",
    [PIN_OPTION_STRING] = "text",
    [PIN_OPTION_LABEL] = "label",
    [PIN_OPTION_NAME] = "DNS name",
    [PIN_OPTION_NAMES] = "list of DNS names",
    [PIN_OPTION_STRINGS] = "list of texts",
    [PIN_OPTION_PATH] = "path",
    [PIN_OPTION_BOOL] = "true, false",
    [PIN_OPTION_UINT] = "number",
    [PIN_OPTION_PERCENT] = "share",
    [PIN_OPTION_BYTES] = "size",
    [PIN_OPTION_SECONDS] = "duration",
    [PIN_OPTION_MS] = "duration",
    [PIN_OPTION_WORD] = "word",
    [PIN_OPTION_ADDRPORT] = "address",
    [PIN_OPTION_ADDRPORTS] = "list of addresses",
    [PIN_OPTION_GATEWAYS] = "list of gateways",
    [PIN_OPTION_PREFIXES] = "list of ranges",
    [PIN_OPTION_CLIENTS] = "list of ranges",
};

static void put_range(struct pin_text *text, const struct pin_option *option)
{
    uint64_t unit = option->kind == PIN_OPTION_MS ? 1000 : 1;
    bool is_ms = option->kind == PIN_OPTION_MS && option->min % unit != 0;
    const char *suffix = "";
    if (option->kind == PIN_OPTION_SECONDS || option->kind == PIN_OPTION_MS) {
        suffix = " s";
    }
    if (is_ms) {
        pin_text_putf(text, ", 0.%" PRIu64 " to ", option->min / 100);
    } else {
        pin_text_putf(text, ", %" PRIu64 " to ", option->min / unit);
    }
    pin_text_putf(text, "%" PRIu64 "%s", option->max / unit, suffix);
}

static void put_type(struct pin_text *text, const struct pin_option *option)
{
    pin_text_puts(text, kind_words[option->kind]);
    switch (option->kind) {
    case PIN_OPTION_UINT:
    case PIN_OPTION_SECONDS:
    case PIN_OPTION_MS:
        put_range(text, option);
        break;
    case PIN_OPTION_PERCENT:
        pin_text_putf(text, ", %" PRIu64 "%% to %" PRIu64 "%%", option->min, option->max);
        break;
    case PIN_OPTION_BYTES:
        pin_text_putf(
            text, ", %" PRIu64 "Mi to %" PRIu64 "Gi", option->min >> 20, option->max >> 30);
        break;
    case PIN_OPTION_ADDRPORT:
    case PIN_OPTION_ADDRPORTS:
        pin_text_putf(text, ", port %" PRIu64, option->max);
        break;
    case PIN_OPTION_WORD:
        for (const char *c = option->words; *c != '\0'; c++) {
            bool is_first = c == option->words || *c == '|';
            pin_text_putf(text, "%s%.*s", is_first ? (c == option->words ? ": " : ", ") : "",
                *c == '|' ? 0 : 1, c);
        }
        break;
    default:
        break;
    }
}

/* The row of a key up to what it means. */
static void put_row(struct pin_text *text, const char *path, const struct pin_option *option)
{
    const char *fallback = option->fallback;
    pin_text_putf(text, "\n| `%s` | ", path);
    put_type(text, option);
    if (fallback == NULL || strcmp(fallback, WEIGHT_UNSET) == 0) {
        pin_text_puts(text, " | - | ");
    } else {
        pin_text_putf(text, " | `%s` | ", fallback[0] == '\0' ? "\"\"" : fallback);
    }
}

/* Tells of each key below `path` that has no row, and counts keys. */
static size_t check_rows(
    const struct pin_option *options, const char *path, const char *page, size_t *n_missing)
{
    size_t n = 0;
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        struct pin_text row = {0};
        char key[256];
        (void)snprintf(key, sizeof(key), "%s%s%s", path, path[0] == '\0' ? "" : ".", option->key);
        put_row(&row, key, option);
        if (strstr(page, pin_text_get(&row)) == NULL) {
            print_message("%s%s |", pin_text_get(&row) + 1, option->doc);
            print_message("\n");
            (*n_missing)++;
        }
        pin_text_done(&row);
        n++;
        bool is_list = option->kind == PIN_OPTION_ITEMS || option->kind == PIN_OPTION_GATEWAYS;
        if (option->children != NULL) {
            (void)strncat(key, is_list ? "[]" : "", sizeof(key) - strlen(key) - 1);
            n += check_rows(option->children, key, page, n_missing);
        }
    }
    return n;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        n++;
    }
    return n;
}

static void test_rows(void **state)
{
    (void)state;
    char *page = read_page(REFERENCE);
    size_t n_missing = 0;
    size_t n = check_rows(pin_options, "", page, &n_missing);
    if (n_missing > 0) {
        fail_msg("%s: the %zu rows above are missing or say something else", REFERENCE, n_missing);
    }
    assert_int_equal(count(page, "\n| `"), n); /* no row that is no key, none twice */
    free(page);
}

/* --- examples that load -------------------------------------------------------------------------
 */

/* What an example takes for granted. */
static const struct {
    const char *key;
    const char *text;
} given[] = {
    {"clusters:", "clusters: [{name: c1, directory: /}, {name: c2, directory: /}]\n"},
    {"zones:", "zones: {custom: [example.com]}\n"},
};

static bool has_key(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at != NULL && (at == text || at[-1] == '\n');
}

/* Objects of a cluster are no configuration. */
static bool is_object(const char *text)
{
    return has_key(text, "metadata:");
}

static void load(const char *page, unsigned n, const char *text)
{
    char path[] = "/tmp/pintle-example-XXXXXX";
    int fd = mkstemp(path);
    struct pin_findings findings = {0};
    assert_true(fd >= 0);
    for (size_t i = 0; i < N_ELEMS(given); i++) {
        if (!has_key(text, given[i].key)) {
            size_t bytes = strlen(given[i].text);
            assert_int_equal(write(fd, given[i].text, bytes), (ssize_t)bytes);
        }
    }
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    const struct pin_args args = {.program = "pintled", .config = path};
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_int_equal(unlink(path), 0);
    assert_non_null(config);
    if (findings.n > 0) {
        fail_msg("%s, example %u: %s\n%s", page, n, pin_findings_text(&findings), text);
    }
    pin_findings_done(&findings);
    pin_config_free(config);
}

static void test_examples(void **state)
{
    static const char fence[] = "\n```yaml\n";
    const char *name = *state;
    char *page = read_page(name);
    unsigned n = 0;
    for (char *at = strstr(page, fence); at != NULL; at = strstr(at, fence)) {
        char *text = at + sizeof(fence) - 1;
        char *end = strstr(text, "\n```\n");
        assert_non_null(end);
        end[1] = '\0';
        if (!is_object(text)) {
            load(name, ++n, text);
        }
        at = end + 2;
    }
    assert_true(n > 0);
    free(page);
}

int main(void)
{
    static char reference[] = REFERENCE;
    static char readme[] = "README.md";
    const struct CMUnitTest tests[] = {
        {.name = "every key has its row, and every row its key", .test_func = test_rows},
        {.name = "every example of the reference loads",
            .test_func = test_examples,
            .initial_state = reference},
        {.name = "every example of the README loads",
            .test_func = test_examples,
            .initial_state = readme},
    };
    return cmocka_run_group_tests_name("config_reference", tests, NULL, NULL);
}
