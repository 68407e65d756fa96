/* SPDX-License-Identifier: Apache-2.0 */

/* The configuration in force as JSON: every option is in it, it reads back as itself, what is
 * secret is not in it, and it says where values come from. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"

#include "resolver/config_describe.h"
#include "resolver/config_show.h"

#define FILE_NAME   "/etc/pintle.yaml" /* paths are absolute, so that reading twice changes none */
#define GATEWAYS    "networks[].gateways[]"
#define ARENA_BYTES ((size_t)16 << 20)

/* What a text says beside the defaults, as the member `part` shows it. */
static const struct pin_tree *shown(struct pin_arena *arena, const char *text, const char *part)
{
    struct pin_config config = {.arena = arena};
    struct pin_findings findings = {0};
    struct pin_text out = {0};
    struct pin_tree *tree = NULL;
    struct pin_jsonout json = pin_jsonout_init(&out);
    pin_config_set_defaults(arena, pin_options, (uint8_t *)&config);
    pin_config_read(&config, FILE_NAME, text, strlen(text), &findings);
    pin_config_put_json(&config, &json);
    assert_true(pin_jsonout_is_ok(&json));
    assert_int_equal(pin_json_parse(pin_text_get(&out), out.len, arena, &tree, NULL), PIN_OK);
    pin_text_done(&out);
    pin_findings_done(&findings);
    return pin_tree_map(tree, part);
}

static char *text_of(const struct pin_tree *tree)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_tree(&json, tree);
    assert_true(pin_jsonout_is_ok(&json));
    return pin_text_take(&text);
}

/* The value at "clusters[].stale.after"; of lists the first item. */
static const struct pin_tree *at_path(const struct pin_tree *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        char key[64];
        size_t bytes = strcspn(path, ".[");
        (void)snprintf(key, sizeof(key), "%.*s", (int)bytes, path);
        node = pin_tree_find(node, key);
        path += bytes;
        if (*path == '[') {
            node = node == NULL ? NULL : node->first;
            path += 2;
        }
        path += *path == '.' ? 1 : 0;
    }
    return node;
}

struct counts {
    size_t n;
    size_t n_lost;
    size_t n_changed;
};

static void try_one(void *arg, const struct pin_option_place *place)
{
    struct counts *counts = arg;
    struct pin_text example = {0};
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    assert_non_null(arena);
    pin_option_put_example(&example, place);
    counts->n++;
    /* a gateway that is an object is taken whole alone: the example above it is */
    bool is_part = strncmp(place->path, GATEWAYS ".", sizeof(GATEWAYS)) == 0 && place->above != NULL
                   && place->above->option->kind == PIN_OPTION_MAP;
    if (!is_part
        && at_path(shown(arena, pin_text_get(&example), "effective"), place->path) == NULL) {
        print_message("not shown: %s\n", place->path);
        counts->n_lost++;
    }
    char *once = text_of(shown(arena, pin_text_get(&example), "config"));
    char *twice = text_of(shown(arena, once, "config"));
    if (strcmp(once, twice) != 0) {
        print_message("%s:\n%s\n%s\n", place->path, once, twice);
        counts->n_changed++;
    }
    free(once);
    free(twice);
    pin_text_done(&example);
    pin_arena_free(arena);
}

static void test_every_option(void **state)
{
    (void)state;
    struct counts counts = {0};
    pin_options_each(try_one, &counts);
    assert_true(counts.n > 200);
    assert_int_equal(counts.n_lost, 0);
    assert_int_equal(counts.n_changed, 0);
}

static struct show_case {
    const char *name; /* reads as a sentence in the test report */
    const char *text;
    const char *part;
    const char *want;
} show_cases[] = {
    {"what is a default is not told", "steering: {ttl: 5s, maxAnswers: 3}\n", "config",
        "{\"apiVersion\":\"pintle.dev/v1alpha1\",\"kind\":\"PintleConfig\",\"steering\":{"
        "\"maxAnswers\":3}}"},
    {"an empty list that was said is", "allowRecursion: []\n", "config",
        "{\"apiVersion\":\"pintle.dev/v1alpha1\",\"kind\":\"PintleConfig\",\"allowRecursion\":[]"
        "}"},
    {"what items leave out is not told", "clusters: [{name: c1, directory: /c1}]\n", "config",
        "{\"apiVersion\":\"pintle.dev/v1alpha1\",\"kind\":\"PintleConfig\",\"clusters\":[{"
        "\"name\":\"c1\",\"directory\":\"/c1\"}]}"},
    {"a size and a duration have their units", "cache: {size: 1048576, maxTTL: 7200}\n", "config",
        "{\"apiVersion\":\"pintle.dev/v1alpha1\",\"kind\":\"PintleConfig\",\"cache\":{\"size\":"
        "\"1Mi\",\"maxTTL\":\"2h\"}}"},
    {"a range may have a zone",
        "clusters: [{name: c1, clients: [10.0.0.0/8, {net: 10.1.0.0/16, zone: z}]}]\n", "config",
        "{\"apiVersion\":\"pintle.dev/v1alpha1\",\"kind\":\"PintleConfig\",\"clusters\":[{"
        "\"name\":\"c1\",\"clients\":[\"10.0.0.0/8\",{\"net\":\"10.1.0.0/16\",\"zone\":\"z\"}]"
        "}]}"},
    {"a password in a URL is masked",
        "publish: {etcd: {endpoints: [\"https://joe:s3cret@etcd-1:2379\"]}}\n", "config",
        "{\"apiVersion\":\"pintle.dev/v1alpha1\",\"kind\":\"PintleConfig\",\"publish\":{\"etcd\":"
        "{\"endpoints\":[\"https://***@etcd-1:2379\"]}}}"},
    {"so are arguments that are no flags",
        "health: {commands: [{name: pg, run: [/bin/pg, -q, -h, \"{address}\", -U, joe, "
        "--password=s3cret, -ps3cret]}]}\n",
        "config",
        "{\"apiVersion\":\"pintle.dev/v1alpha1\",\"kind\":\"PintleConfig\",\"health\":{"
        "\"commands\":[{\"name\":\"pg\",\"run\":[\"/bin/pg\",\"-q\",\"-h\",\"{address}\","
        "\"-U\",\"***\",\"--password=***\",\"***\"]}]}}"},
    {"a value comes from a place in the file", "workers: 2\nsteering:\n  ttl: 7\n", "origins",
        "{\"steering.ttl\":\"" FILE_NAME ":3:8\",\"workers\":\"" FILE_NAME ":1:10\"}"},
    {"so does one in an item", "clusters:\n  - name: c1\n  - name: c2\n", "origins",
        "{\"clusters[1].name\":\"" FILE_NAME ":3:11\",\"clusters[0].name\":\"" FILE_NAME
        ":2:11\"}"},
};

static void test_show(void **state)
{
    const struct show_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    char *text = text_of(shown(arena, c->text, c->part));
    assert_string_equal(text, c->want);
    free(text);
    pin_arena_free(arena);
}

/* A flag goes before the file, for all below its key. */
static void test_flags(void **state)
{
    (void)state;
    struct pin_config config = {.arena = pin_arena_new("test", ARENA_BYTES)};
    struct pin_text out = {0};
    struct pin_jsonout json = pin_jsonout_init(&out);
    pin_config_set_defaults(config.arena, pin_options, (uint8_t *)&config);
    pin_config_note_origin(&config, "listen[0].address", "f:1:1");
    pin_config_note_origin(&config, "listens", "f:1:2");
    pin_config_note_origin(&config, "workers", "f:1:3");
    pin_config_note_flag(&config, "listen", "--listen");
    pin_config_note_flag(&config, "workers", "--workers");
    pin_config_put_json(&config, &json);
    assert_non_null(strstr(pin_text_get(&out),
        "\"origins\":{\"workers\":\"--workers\",\"listen\":\"--listen\",\"listens\":\"f:1:2\"}"));
    pin_text_done(&out);
    pin_arena_free(config.arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(show_cases) + 2];
    for (size_t i = 0; i < N_ELEMS(show_cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = show_cases[i].name, .test_func = test_show, .initial_state = &show_cases[i]};
    }
    tests[N_ELEMS(show_cases)] = (struct CMUnitTest){
        .name = "every option is shown, and reads back as itself", .test_func = test_every_option};
    tests[N_ELEMS(show_cases) + 1] =
        (struct CMUnitTest){.name = "a flag goes before the file", .test_func = test_flags};
    return cmocka_run_group_tests_name("config_show", tests, NULL, NULL);
}
