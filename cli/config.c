/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl config schema, defaults, explain, check: what needs no daemon. */

#include "cli/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/file.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/yaml.h"

#include "cli/ctl.h"
#include "cli/emit.h"
#include "cli/table.h"

#define ARENA_MAX_BYTES ((size_t)16 << 20)

enum pin_ctl_exit pin_ctl_config_schema(const struct pin_ctl *ctl)
{
    (void)ctl;
    (void)fputs(pin_config_text("config.schema.json"), stdout);
    return PIN_CTL_OK;
}

enum pin_ctl_exit pin_ctl_config_defaults(const struct pin_ctl *ctl)
{
    const char *text = pin_config_text("defaults.yaml");
    if (ctl->output != PIN_CTL_JSON) {
        return fputs(text, stdout) != EOF ? PIN_CTL_OK : PIN_CTL_FAILED;
    }
    struct pin_arena *arena = pin_arena_new("defaults", ARENA_MAX_BYTES);
    struct pin_tree *tree = NULL;
    struct pin_text made = {0};
    struct pin_jsonout json = pin_jsonout_init(&made);
    bool is_good =
        arena != NULL && pin_yaml_parse(text, strlen(text), arena, &tree, NULL) == PIN_OK;
    if (is_good) {
        pin_jsonout_tree(&json, tree->first);
        is_good = pin_emit_made(ctl, &made);
    }
    pin_text_done(&made);
    pin_arena_free(arena);
    return is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
}

/* --- Explain -------------------------------------------------------------------------------- */

/* The option with its children as JSON; of the file itself, which has no option, those alone. */
static void put_json(
    struct pin_jsonout *json, const struct pin_tree *options, const struct pin_tree *option)
{
    pin_jsonout_object(json);
    PIN_TREE_EACH(member, option)
    {
        pin_jsonout_key(json, member->key);
        pin_jsonout_tree(json, member);
    }
    pin_jsonout_key(json, "items");
    pin_jsonout_array(json);
    PIN_TREE_EACH(child, options)
    {
        if (pin_config_is_child(
                pin_tree_string(child, "path", ""), pin_tree_string(option, "path", ""))) {
            pin_jsonout_tree(json, child);
        }
    }
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

/* A table of the keys of a map, or of the file; prints nothing when there are none. */
static bool print_children(
    const struct pin_ctl *ctl, const struct pin_tree *options, const char *parent)
{
    static const struct pin_column columns[] = {
        {"KEY", false}, {"TYPE", false}, {"DEFAULT", false}, {"MEANING", false}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    size_t n = 0;
    PIN_TREE_EACH(child, options)
    {
        const char *path = pin_tree_string(child, "path", "");
        const char *dot = strrchr(path, '.');
        if (!pin_config_is_child(path, parent)) {
            continue;
        }
        pin_columns_row(table);
        pin_columns_cell(table, dot == NULL ? path : dot + 1, PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(child, "kind", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(child, "default", NULL), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(child, "meaning", ""), PIN_COLOR_NONE);
        n++;
    }
    if (n > 0 && parent[0] != '\0') {
        (void)puts("\nKEYS:");
    }
    return pin_columns_print(table);
}

static void print_example(const char *example)
{
    (void)puts("\nEXAMPLE:");
    while (example[0] != '\0') {
        size_t bytes = strcspn(example, "\n");
        (void)printf("  %.*s\n", (int)bytes, example);
        example += bytes + (example[bytes] == '\n' ? 1 : 0);
    }
}

static void print_option(const struct pin_tree *option)
{
    const char *fallback = pin_tree_string(option, "default", NULL);
    bool is_required = pin_tree_bool(option, "required", false);
    (void)printf("KEY:      %s\nTYPE:     %s\nDEFAULT:  %s\n\n%s%s\n",
        pin_tree_string(option, "path", ""), pin_tree_string(option, "type", ""),
        is_required           ? "none, it must be said"
        : fallback == NULL    ? "none"
        : fallback[0] == '\0' ? "\"\""
                              : fallback,
        pin_tree_string(option, "meaning", ""),
        pin_tree_bool(option, "kept", false) ? " A change needs a replacement." : "");
    print_example(pin_tree_string(option, "example", ""));
}

static bool show_option(
    const struct pin_ctl *ctl, const struct pin_tree *options, const struct pin_tree *option)
{
    if (ctl->output != PIN_CTL_TABLE) {
        struct pin_text text = {0};
        struct pin_jsonout json = pin_jsonout_init(&text);
        put_json(&json, options, option);
        bool is_printed = pin_emit_made(ctl, &text);
        pin_text_done(&text);
        return is_printed;
    }
    if (option != NULL) {
        print_option(option);
    }
    return print_children(ctl, options, pin_tree_string(option, "path", ""));
}

enum pin_ctl_exit pin_ctl_config_explain(const struct pin_ctl *ctl)
{
    struct pin_arena *arena = pin_arena_new("options", ARENA_MAX_BYTES);
    const struct pin_tree *options = arena == NULL ? NULL : pin_config_options(arena);
    const struct pin_tree *option = NULL;
    const char *near = NULL;
    enum pin_ctl_exit exit_code = PIN_CTL_FAILED;
    if (options == NULL) {
        (void)fputs("pintlectl: out of memory\n", stderr);
        goto out;
    }
    if (ctl->n_words > 0) {
        option = pin_config_find_option(options, ctl->words[0], arena, &near);
    }
    if (ctl->n_words > 0 && option == NULL) {
        (void)fprintf(stderr, "pintlectl: there is no key \"%s\"%s%s%s\n", ctl->words[0],
            near == NULL ? "; pintlectl config explain lists them" : ", did you mean \"",
            near == NULL ? "" : near, near == NULL ? "" : "\"?");
        goto out;
    }
    exit_code = show_option(ctl, options, option) ? PIN_CTL_OK : PIN_CTL_FAILED;
out:
    pin_arena_free(arena);
    return exit_code;
}

/* --- Check ---------------------------------------------------------------------------------- */

/* The pintled that lies beside this program; heap, NULL: there is none. */
static char *find_beside(void)
{
    char own[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (bytes <= 0) {
        return NULL;
    }
    own[bytes] = '\0';
    char *dir = pin_path_dir(own);
    char *path = dir == NULL ? NULL : pin_path_join(dir, "pintled");
    free(dir);
    if (path != NULL && access(path, X_OK) != 0) {
        free(path);
        path = NULL;
    }
    return path;
}

enum pin_ctl_exit pin_ctl_config_check(const struct pin_ctl *ctl)
{
    char name[] = "pintled";
    char config[] = "--config";
    char check[] = "--check";
    char *file = strdup(ctl->words[0]);
    char *const argv[] = {name, config, file, check, NULL};
    char *beside = find_beside();
    if (file != NULL) {
        (void)execvp(beside != NULL ? beside : name, argv);
    }
    (void)fprintf(stderr, "pintlectl: cannot run %s, which reads configurations: %s\n",
        beside != NULL ? beside : "pintled",
        file == NULL ? "out of memory" : strerrordesc_np(errno));
    free(beside);
    free(file);
    return PIN_CTL_FAILED;
}
