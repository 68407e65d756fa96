/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A provider on the command line: reads one JSON command a line, prints one JSON answer a line, so
 * that a script can start real servers and look at both sides.
 *
 *     {"do":"open","config":"records: ..."}   {"do":"list","zone":"z","version":"7","known":[SET]}
 *     {"do":"adjust","sets":[...]}
 *     {"do":"apply","zone":"z","changes":[[{"was":SET,"will":SET}]]}   {"do":"close"}
 *
 * A SET is {"name","type","ttl","set","values":[],"properties":{}}. What does not come within 130 s
 * ends the program.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/loop.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "providers/open.h"
#include "sync/http.h"
#include "sync/provider.h"

#define WAIT_MS (PIN_PROVIDER_CALL_MS + 10000)

struct driver {
    struct pin_provider_tools tools;
    struct pin_provider *provider;
    struct pin_arena *arena;
    struct pin_text out;
    bool is_done;
};

/* --- Reading -------------------------------------------------------------------------------- */

/* Aborts when memory is out: a test's. */
static void *must(void *pointer)
{
    if (pointer == NULL) {
        abort();
    }
    return pointer;
}

static struct pin_recordset *read_set(struct driver *self, const struct pin_tree *tree)
{
    struct pin_arena *arena = self->arena;
    const struct pin_tree *values = pin_tree_list(tree, "values");
    const struct pin_tree *properties = pin_tree_map(tree, "properties");
    if (tree == NULL || tree->kind != PIN_TREE_MAP) {
        return NULL;
    }
    struct pin_recordset *set = must(pin_arena_alloc(arena, sizeof(*set)));
    set->name = pin_tree_string(tree, "name", "");
    set->type = pin_tree_string(tree, "type", "");
    set->set_id = pin_tree_string(tree, "set", "");
    set->ttl_s = (uint32_t)pin_tree_int(tree, "ttl", 0);
    set->values = must(
        pin_arena_alloc(arena, (values == NULL ? 0 : values->n_children) * sizeof(set->values[0])));
    set->properties = must(pin_arena_alloc(
        arena, (properties == NULL ? 0 : properties->n_children) * sizeof(set->properties[0])));
    PIN_TREE_EACH(value, values)
    {
        set->values[set->n_values++].text = pin_tree_text(value, "");
    }
    PIN_TREE_EACH(property, properties)
    {
        set->properties[set->n_properties].name = property->key;
        set->properties[set->n_properties++].value = pin_tree_text(property, "");
    }
    if (!pin_recordset_tidy(set, arena)) {
        abort();
    }
    return set;
}

static struct pin_recordset *read_sets(
    struct driver *self, const struct pin_tree *list, size_t *ret_n)
{
    struct pin_recordset *sets =
        must(pin_arena_alloc(self->arena, (list == NULL ? 0 : list->n_children) * sizeof(*sets)));
    PIN_TREE_EACH(set, list)
    {
        sets[(*ret_n)++] = *read_set(self, set);
    }
    return sets;
}

static struct pin_provider_change *read_changes(
    struct driver *self, const struct pin_tree *list, size_t *ret_n)
{
    size_t n = 0;
    struct pin_provider_change *changes = must(
        pin_arena_alloc(self->arena, (list == NULL ? 0 : list->n_children) * sizeof(*changes)));
    PIN_TREE_EACH(item, list)
    {
        struct pin_provider_edit *edits =
            must(pin_arena_alloc(self->arena, item->n_children * sizeof(*edits)));
        changes[n].edits = edits;
        PIN_TREE_EACH(edit, item)
        {
            edits[changes[n].n_edits++] =
                (struct pin_provider_edit){.was = read_set(self, pin_tree_find(edit, "was")),
                    .will = read_set(self, pin_tree_find(edit, "will"))};
        }
        n++;
    }
    *ret_n = n;
    return changes;
}

/* --- Printing ------------------------------------------------------------------------------- */

static void put_set(struct pin_jsonout *json, const struct pin_recordset *set)
{
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "name", set->name);
    pin_jsonout_key_string(json, "type", set->type);
    pin_jsonout_key_string(json, "set", set->set_id);
    pin_jsonout_key_uint(json, "ttl", set->ttl_s);
    pin_jsonout_key(json, "values");
    pin_jsonout_array(json);
    for (size_t i = 0; i < set->n_values; i++) {
        pin_jsonout_string(json, set->values[i].text);
    }
    pin_jsonout_end(json);
    pin_jsonout_key(json, "properties");
    pin_jsonout_object(json);
    for (size_t i = 0; i < set->n_properties; i++) {
        pin_jsonout_key_string(json, set->properties[i].name, set->properties[i].value);
    }
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

static void on_listed(void *arg, const struct pin_provider_listing *listing)
{
    struct driver *self = arg;
    struct pin_jsonout json = pin_jsonout_init(&self->out);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "fault", pin_provider_fault_text(listing->fault));
    pin_jsonout_key_string(&json, "message", listing->message);
    pin_jsonout_key_int(&json, "retryAfterMs", listing->retry_after_ms);
    pin_jsonout_key_bool(&json, "unchanged", listing->is_unchanged);
    pin_jsonout_key_string(&json, "version", listing->version);
    pin_jsonout_key(&json, "sets");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < listing->n_sets; i++) {
        put_set(&json, &listing->sets[i]);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_arena_free(listing->arena);
    self->is_done = true;
}

static void on_applied(void *arg, const struct pin_provider_outcome *outcome)
{
    struct driver *self = arg;
    struct pin_jsonout json = pin_jsonout_init(&self->out);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "fault", pin_provider_fault_text(outcome->fault));
    pin_jsonout_key_string(&json, "message", outcome->message);
    pin_jsonout_key_int(&json, "retryAfterMs", outcome->retry_after_ms);
    pin_jsonout_key(&json, "results");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < outcome->n_results; i++) {
        pin_jsonout_array(&json);
        pin_jsonout_string(&json, pin_provider_verdict_text(outcome->results[i].verdict));
        pin_jsonout_string(&json, outcome->results[i].message);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    self->is_done = true;
}

static void put_error(struct driver *self, const char *message)
{
    struct pin_jsonout json = pin_jsonout_init(&self->out);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "error", message);
    pin_jsonout_end(&json);
    self->is_done = true;
}

/* --- Commands ------------------------------------------------------------------------------- */

static enum pin_err start(struct driver *self, const struct pin_tree *tree, const char *what)
{
    struct pin_provider_call *call = NULL;
    struct pin_provider_list_request list = {.zone = pin_tree_string(tree, "zone", ""),
        .version = pin_tree_string(tree, "version", NULL),
        .done = on_listed,
        .arg = self};
    struct pin_provider_apply_request apply = {
        .zone = list.zone, .version = list.version, .done = on_applied, .arg = self};
    if (strcmp(what, "list") == 0) {
        const struct pin_tree *known = pin_tree_list(tree, "known");
        list.known = known == NULL ? NULL : read_sets(self, known, &list.n_known);
        return pin_provider_list(self->provider, &list, &call);
    }
    if (strcmp(what, "apply") == 0) {
        apply.changes = read_changes(self, pin_tree_list(tree, "changes"), &apply.n_changes);
        return pin_provider_apply(self->provider, &apply, &call);
    }
    if (strcmp(what, "adjust") == 0 && self->provider->ops->adjust != NULL) {
        size_t n = 0;
        struct pin_recordset *wanted = read_sets(self, pin_tree_list(tree, "sets"), &n);
        return self->provider->ops->adjust(self->provider, wanted, n, &list, &call);
    }
    return PIN_EINVAL;
}

static void act(struct driver *self, const struct pin_tree *tree)
{
    struct pin_why why = {0};
    const char *what = pin_tree_string(tree, "do", "");
    if (strcmp(what, "open") == 0) {
        enum pin_err err =
            open_provider(&self->tools, pin_tree_string(tree, "config", ""), &self->provider, &why);
        put_error(self, err == PIN_OK ? "" : why.text);
    } else if (strcmp(what, "close") == 0) {
        pin_provider_close(self->provider);
        self->provider = NULL;
        put_error(self, "");
    } else if (strcmp(what, "clock") == 0) {
        pin_clock_set_fake(pin_clock_mono_ms(),
            pin_clock_wall_ms() + (int64_t)pin_tree_int(tree, "aheadS", 0) * 1000);
        put_error(self, "");
    } else if (self->provider == NULL) {
        put_error(self, "nothing is open");
    } else {
        enum pin_err err = start(self, tree, what);
        if (err != PIN_OK) {
            put_error(self, pin_err_str(err));
        }
    }
}

static bool run_line(struct driver *self, const char *line, size_t bytes)
{
    struct pin_tree *tree = NULL;
    int64_t until_ms = pin_clock_mono_ms() + WAIT_MS;
    if (pin_json_parse(line, bytes, self->arena, &tree, NULL) != PIN_OK) {
        return false;
    }
    self->is_done = false;
    act(self, tree);
    while (!self->is_done && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->tools.loop, 100);
    }
    (void)printf("%s\n", pin_text_get(&self->out));
    (void)fflush(stdout);
    pin_text_cut(&self->out, 0);
    pin_arena_reset(self->arena);
    return self->is_done;
}

int main(void)
{
    struct driver self = {.tools.loop = must(pin_loop_new()),
        .arena = must(pin_arena_new("driver", (size_t)512 << 20))};
    char *line = NULL;
    size_t cap = 0;
    ssize_t bytes = 0;
    bool is_ok = true;
    self.tools.http = must(pin_http_new(self.tools.loop));
    while (is_ok && (bytes = getline(&line, &cap, stdin)) > 0) {
        is_ok = run_line(&self, line, (size_t)bytes);
    }
    pin_provider_close(self.provider);
    pin_http_free(self.tools.http);
    pin_loop_free(self.tools.loop);
    pin_arena_free(self.arena);
    pin_text_done(&self.out);
    free(line);
    return is_ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
