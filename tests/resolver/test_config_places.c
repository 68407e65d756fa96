/* SPDX-License-Identifier: Apache-2.0 */

/* Of every option there is: its example is taken, a wrong value is told with its line, column and
 * path, and a slip of the finger in its key with the key that was meant. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

#include "resolver/config.h"
#include "resolver/config_describe.h"

#define FILE_NAME   "pintle.yaml"
#define ARENA_BYTES ((size_t)16 << 20)
#define PATH_BYTES  256

/* What is tried in each option. */
struct trial {
    /* Fills in the text, and what the findings must hold, or, where it begins with '!', must not.
     */
    void (*make)(
        const struct pin_option_place *place, struct pin_text *text, struct pin_text *want);
    size_t n;
    size_t n_wrong;
};

/* "clusters[].name" as findings have it: "clusters[0].name". */
static void put_path(struct pin_text *text, const char *path)
{
    for (const char *c = path; *c != '\0'; c++) {
        pin_text_putc(text, *c);
        if (*c == '[') {
            pin_text_putc(text, '0');
        }
    }
}

/* The example up to the value of its last line; the place of the key there. */
static struct pin_at put_key(const struct pin_option_place *place, struct pin_text *text)
{
    struct pin_at at = {.line = 1};
    pin_option_put_example(text, place);
    const char *line = pin_text_get(text);
    char key[PATH_BYTES];
    (void)snprintf(key, sizeof(key), "%s:", place->option->key);
    for (const char *next = strchr(line, '\n'); next != NULL && next[1] != '\0';
         next = strchr(line, '\n')) {
        line = next + 1;
        at.line++;
    }
    const char *found = line + strspn(line, " -");
    assert_int_equal(strncmp(found, key, strlen(key)), 0);
    at.col = (uint32_t)(found - line) + 1;
    pin_text_cut(text, (size_t)(found - pin_text_get(text)));
    return at;
}

static void make_example(
    const struct pin_option_place *place, struct pin_text *text, struct pin_text *want)
{
    pin_option_put_example(text, place);
    pin_text_puts(want, "!");
    put_path(want, place->path);
}

static void make_wrong(
    const struct pin_option_place *place, struct pin_text *text, struct pin_text *want)
{
    struct pin_at at = put_key(place, text);
    bool is_scalar = place->option->kind != PIN_OPTION_MAP && !pin_option_is_list(place->option);
    at.col += (uint32_t)strlen(place->option->key) + 2;
    pin_text_putf(text, "%s: %s\n", place->option->key, is_scalar ? "{}" : "x");
    pin_text_putf(want, FILE_NAME ":%u:%u: ", at.line, at.col);
    put_path(want, place->path);
    pin_text_puts(want, ": want ");
}

static void make_slip(
    const struct pin_option_place *place, struct pin_text *text, struct pin_text *want)
{
    const char *key = place->option->key;
    struct pin_at at = put_key(place, text);
    size_t bytes = strlen(place->path) - strlen(key);
    char above[PATH_BYTES];
    (void)snprintf(above, sizeof(above), "%.*s", (int)bytes, place->path);
    pin_text_putf(text, "%c%s: 1\n", key[0], key);
    pin_text_putf(want, FILE_NAME ":%u:%u: unknown key \"", at.line, at.col);
    put_path(want, above);
    pin_text_putf(want, "%c%s\", did you mean \"%s\"?\n", key[0], key, key);
}

static void try_one(void *arg, const struct pin_option_place *place)
{
    struct trial *trial = arg;
    struct pin_text text = {0};
    struct pin_text want = {0};
    struct pin_findings findings = {0};
    struct pin_config config = {.arena = pin_arena_new("test", ARENA_BYTES)};
    assert_non_null(config.arena);

    trial->make(place, &text, &want);
    pin_config_read(&config, FILE_NAME, pin_text_get(&text), text.len, &findings);
    const char *told = pin_findings_text(&findings);
    const char *wanted = pin_text_get(&want);
    bool is_good =
        wanted[0] == '!' ? strstr(told, wanted + 1) == NULL : strstr(told, wanted) != NULL;
    if (!is_good) {
        print_message(
            "%s:\n%s\ntold:   %s\nwanted: %s\n", place->path, pin_text_get(&text), told, wanted);
    }
    trial->n++;
    trial->n_wrong += is_good ? 0 : 1;
    pin_text_done(&text);
    pin_text_done(&want);
    pin_findings_done(&findings);
    pin_arena_free(config.arena);
}

static void test_trial(void **state)
{
    struct trial *trial = *state;
    pin_options_each(try_one, trial);
    assert_true(trial->n > 200);
    assert_int_equal(trial->n_wrong, 0);
}

int main(void)
{
    static struct trial examples = {.make = make_example};
    static struct trial wrong = {.make = make_wrong};
    static struct trial slips = {.make = make_slip};
    const struct CMUnitTest tests[] = {
        {.name = "the example of every option is taken",
            .test_func = test_trial,
            .initial_state = &examples},
        {.name = "a value of the wrong kind is told with its place, in every option",
            .test_func = test_trial,
            .initial_state = &wrong},
        {.name = "a slip in a key is told with its place and the key that was meant",
            .test_func = test_trial,
            .initial_state = &slips},
    };
    return cmocka_run_group_tests_name("config_places", tests, NULL, NULL);
}
