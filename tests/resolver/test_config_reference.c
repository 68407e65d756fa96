/* SPDX-License-Identifier: Apache-2.0 */

/* docs/configuration.md beside the table of options: one row a key with its type, default and
 * meaning, no row for anything else; and every example in the pages loads without a finding. */

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
#include "resolver/config_describe.h"

#define REFERENCE "docs/configuration.md"

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

/* Without the marks that a page has and the table has not, or not there. */
static void strip_marks(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '`' && *from != '"') {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* What is looked for, and what was seen. */
struct rows {
    const char *page;
    size_t n;
    size_t n_missing;
};

/* Tells of a key that has no row. */
static void check_row(void *arg, const struct pin_option_place *place)
{
    struct rows *rows = arg;
    struct pin_text row = {0};
    const char *fallback = pin_option_default(place->option);
    pin_text_putf(&row, "\n| `%s` | ", place->path);
    pin_option_put_type(&row, place->option);
    if (fallback == NULL) {
        pin_text_puts(&row, " | - | ");
    } else {
        pin_text_putf(&row, " | `%s` | ", fallback[0] == '\0' ? "\"\"" : fallback);
    }
    pin_text_putf(&row, "%s |\n", place->option->doc);
    char *wanted = pin_text_take(&row);
    char *stripped = strdup(wanted);
    assert_non_null(stripped);
    strip_marks(stripped);
    if (strstr(rows->page, stripped) == NULL) {
        print_message("%s", wanted + 1);
        rows->n_missing++;
    }
    free(stripped);
    free(wanted);
    rows->n++;
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
    size_t n_rows = count(page, "\n| `");
    struct rows rows = {.page = page};
    strip_marks(page);
    pin_options_each(check_row, &rows);
    if (rows.n_missing > 0) {
        fail_msg(
            "%s: the %zu rows above are missing or say something else", REFERENCE, rows.n_missing);
    }
    assert_int_equal(n_rows, rows.n); /* no row that is no key, none twice */
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
    static char guide[] = "docs/guide.md";
    const struct CMUnitTest tests[] = {
        {.name = "every key has its row, and every row its key", .test_func = test_rows},
        {.name = "every example of the reference loads",
            .test_func = test_examples,
            .initial_state = reference},
        {.name = "every example of the guide loads",
            .test_func = test_examples,
            .initial_state = guide},
    };
    return cmocka_run_group_tests_name("config_reference", tests, NULL, NULL);
}
