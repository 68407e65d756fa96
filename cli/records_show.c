/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl records plan, list, drift: what is, what is wanted, what would be done. */

#include "cli/records_show.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"

#include "cli/clusters.h"
#include "cli/emit.h"
#include "cli/table.h"

/* --- Plans ---------------------------------------------------------------------------------- */

struct pin_records_view pin_records_view_of(const struct pin_records *self)
{
    return (struct pin_records_view){
        .overview = pin_tree_list(self->overview.tree, "items"),
        .plan = self->page,
        .scope = &self->scope,
        .admin = self->ctl->has_admin ? self->ctl->admin : NULL,
        .has_color = self->ctl->has_color,
    };
}

static void put_fault(
    struct pin_jsonout *json, const char *entry, const struct pin_tree *zone, bool has_plan)
{
    static const char *const keys[] = {"zone", "state", "fault", "error"};
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "records", entry);
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        pin_jsonout_key_string(json, keys[i], pin_tree_string(zone, keys[i], ""));
    }
    pin_jsonout_key_bool(json, "hasPlan", has_plan);
    pin_jsonout_end(json);
}

/* Zones that have no plan, or an old one because of a fault. */
static void put_faults(struct pin_jsonout *json, const struct pin_records_view *view)
{
    pin_jsonout_array(json);
    PIN_TREE_EACH(entry, view->overview)
    {
        const char *records = pin_tree_string(entry, "records", "");
        PIN_TREE_EACH(zone, pin_tree_list(entry, "zones"))
        {
            const char *name = pin_tree_string(zone, "zone", "");
            const char *fault = pin_tree_string(zone, "fault", "none");
            bool has_plan = pin_records_plan_of(view->plan, records, name) != NULL;
            if (pin_records_is_chosen(view->scope, records, name)
                && (!has_plan || strcmp(fault, "none") != 0)) {
                put_fault(json, records, zone, has_plan);
            }
        }
    }
    pin_jsonout_end(json);
}

/* All parts as one; of a plan, which zones it is not of. */
static bool print_made(const struct pin_ctl *ctl, const struct pin_records_view *view)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    PIN_TREE_EACH(child, view->plan)
    {
        if (child->key != NULL && strcmp(child->key, "next") != 0) {
            pin_jsonout_key(&json, child->key);
            pin_jsonout_tree(&json, child);
        }
    }
    if (!view->is_adoption && pin_tree_list(view->plan, "plans") != NULL) {
        pin_jsonout_key(&json, "faults");
        put_faults(&json, view);
    }
    pin_jsonout_end(&json);
    bool is_good = pin_jsonout_is_ok(&json) && pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_good;
}

bool pin_records_print(const struct pin_ctl *ctl, const struct pin_records_view *view)
{
    struct pin_text text = {0};
    if (ctl->output != PIN_CTL_TABLE) {
        return print_made(ctl, view);
    }
    pin_records_put_plans(view, &text);
    (void)fputs(pin_text_get(&text), stdout);
    bool is_good = !text.failed;
    pin_text_done(&text);
    return is_good;
}

enum pin_ctl_exit pin_records_exit(const struct pin_ctl *ctl, enum pin_ctl_exit exit_code)
{
    return ctl->detailed && exit_code == PIN_CTL_USAGE ? PIN_CTL_FAILED : exit_code;
}

enum pin_ctl_exit pin_records_show_plan(struct pin_records *self, bool is_outcome)
{
    enum pin_ctl_exit exit_code =
        pin_records_read(self, &(struct pin_records_page){.name = "plan"});
    if (exit_code != PIN_CTL_OK) {
        return pin_records_exit(self->ctl, exit_code);
    }
    struct pin_records_view view = pin_records_view_of(self);
    view.is_outcome = is_outcome;
    if (!pin_records_print(self->ctl, &view) || pin_records_count_faults(&view) > 0
        || (is_outcome && pin_records_count_undone(self->page) > 0)) {
        return PIN_CTL_FAILED;
    }
    if (!self->ctl->detailed) {
        return PIN_CTL_OK;
    }
    /* what a cluster that was not synced wants is not known, so nothing to do is not either */
    return pin_records_count_left(self->page) > 0  ? PIN_CTL_CHANGES
           : pin_records_count_unsynced(&view) > 0 ? PIN_CTL_FAILED
                                                   : PIN_CTL_OK;
}

enum pin_ctl_exit pin_ctl_records_plan(const struct pin_ctl *ctl)
{
    struct pin_records self = {.ctl = ctl};
    enum pin_ctl_exit exit_code =
        pin_records_exit(ctl, pin_records_open(&self, ctl->n_words > 0 ? ctl->words[0] : NULL));
    if (exit_code == PIN_CTL_OK) {
        exit_code = pin_records_show_plan(&self, false);
    }
    pin_records_done(&self);
    return exit_code;
}

/* --- Records -------------------------------------------------------------------------------- */

static enum pin_color state_color(const char *state)
{
    static const char *const bad[] = {"refused", "conflict", "blocked"};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        if (strcmp(state, bad[i]) == 0) {
            return PIN_COLOR_BAD;
        }
    }
    return strcmp(state, "ready") == 0 ? PIN_COLOR_GOOD : PIN_COLOR_WARN;
}

static bool is_same_object(const struct pin_tree *a, const struct pin_tree *b)
{
    static const char *const keys[] = {"kind", "namespace", "name"};
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        if (strcmp(pin_tree_string(a, keys[i], ""), pin_tree_string(b, keys[i], "")) != 0) {
            return false;
        }
    }
    return true;
}

/* "service/shop/app in c1,c2, ingress/shop/app in c1": clusters behind the object they share. */
static void put_objects(struct pin_text *text, const struct pin_tree *objects)
{
    const struct pin_tree *last = NULL;
    PIN_TREE_EACH(object, objects)
    {
        if (last != NULL && is_same_object(last, object)) {
            pin_text_putf(text, ",%s", pin_tree_string(object, "cluster", ""));
        } else {
            pin_text_puts(text, last == NULL ? "" : ", ");
            pin_records_put_object(text, object);
        }
        last = object;
    }
}

/* Each of the next appends what a cell says of an item. */
static void put_type(struct pin_text *text, const struct pin_tree *item)
{
    pin_records_put_type(text, item);
}

static void put_shown(struct pin_text *text, const struct pin_tree *item)
{
    const struct pin_tree *desired = pin_tree_map(item, "desired");
    pin_records_put_values(text, desired != NULL ? desired : pin_tree_map(item, "actual"));
}

static void put_age(struct pin_text *text, const struct pin_tree *age)
{
    if (age != NULL && (age->kind == PIN_TREE_INT || age->kind == PIN_TREE_FLOAT)) {
        pin_clusters_put_duration(text, age->integer);
    }
}

static void put_since(struct pin_text *text, const struct pin_tree *item)
{
    put_age(text, pin_tree_find(item, "sinceAgeSeconds"));
}

static void put_item_objects(struct pin_text *text, const struct pin_tree *item)
{
    put_objects(text, pin_tree_list(item, "objects"));
}

/* "foreign: nobody owns what is there" */
static void put_error(struct pin_text *text, const struct pin_tree *item)
{
    const char *conflict = pin_tree_string(item, "conflict", "");
    const char *error = pin_tree_string(item, "error", "");
    pin_text_putf(
        text, "%s%s%s", conflict, conflict[0] != '\0' && error[0] != '\0' ? ": " : "", error);
}

typedef void cell_fn(struct pin_text *text, const struct pin_tree *item);

static void add_cell(
    struct pin_columns *table, cell_fn *put, const struct pin_tree *item, enum pin_color color)
{
    struct pin_text text = {0};
    put(&text, item);
    pin_columns_cell(table, pin_text_get(&text), color);
    pin_text_done(&text);
}

static bool print_items(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"NAME", false}, {"TYPE", false}, {"VALUES", false},
        {"OWNER", false}, {"STATE", false}, {"SINCE", true}, {"OBJECT", false}, {"ERROR", false}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(item, items)
    {
        const char *state = pin_tree_string(item, "state", "");
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(item, "name", ""), PIN_COLOR_NONE);
        add_cell(table, put_type, item, PIN_COLOR_NONE);
        add_cell(table, put_shown, item, PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(item, "owner", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, state, state_color(state));
        add_cell(table, put_since, item, PIN_COLOR_NONE);
        add_cell(table, put_item_objects, item, PIN_COLOR_NONE);
        add_cell(table, put_error, item, PIN_COLOR_NONE);
    }
    return pin_columns_print(table);
}

/* A zone that could not be read, or has not been yet: what is said of it may be old or lacking. */
static bool tell_if_unread(const char *entry, const struct pin_tree *zone)
{
    if (pin_records_tell_fault(entry, zone)) {
        return true;
    }
    bool is_new = pin_tree_int(zone, "runs", 1) == 0;
    if (is_new) {
        (void)fprintf(stderr, "pintlectl: %s (%s): not read yet\n",
            pin_tree_string(zone, "zone", "?"), entry);
    }
    return is_new;
}

/* How many zones of the scope are such; they are told. */
static size_t tell_unread(const struct pin_records *self)
{
    size_t n = 0;
    PIN_TREE_EACH(item, pin_tree_list(self->overview.tree, "items"))
    {
        const char *entry = pin_tree_string(item, "records", "");
        PIN_TREE_EACH(zone, pin_tree_list(item, "zones"))
        {
            const char *name = pin_tree_string(zone, "zone", "");
            bool is_chosen = pin_records_is_chosen(&self->scope, entry, name);
            n += is_chosen && tell_if_unread(entry, zone) ? 1 : 0;
        }
    }
    return n;
}

static bool show_items(struct pin_records *self)
{
    const struct pin_records_view view = pin_records_view_of(self);
    const struct pin_tree *items = pin_tree_list(self->page, "items");
    if (self->ctl->output != PIN_CTL_TABLE) {
        return print_made(self->ctl, &view);
    }
    if (items == NULL || items->n_children == 0) {
        (void)fputs("no records\n", stderr);
        return true;
    }
    return print_items(self->ctl, items);
}

enum pin_ctl_exit pin_ctl_records_list(const struct pin_ctl *ctl)
{
    struct pin_records self = {.ctl = ctl};
    enum pin_ctl_exit exit_code = pin_records_open(&self, ctl->n_words > 0 ? ctl->words[0] : NULL);
    if (exit_code == PIN_CTL_OK) {
        exit_code = pin_records_read(
            &self, &(struct pin_records_page){.name = "list", .takes_a_name = true});
    }
    if (exit_code == PIN_CTL_OK) {
        bool is_good = show_items(&self);
        exit_code = tell_unread(&self) == 0 && is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
    }
    pin_records_done(&self);
    return exit_code;
}

/* --- Drift ---------------------------------------------------------------------------------- */

/* Records that are not as wanted, and what others did to those that were. */
struct drift {
    struct pin_records records; /* page "list" */
    struct pin_records found;   /* page "drift" */
};

static bool is_different(const struct pin_tree *item)
{
    const char *state = pin_tree_string(item, "state", "");
    return strcmp(state, "ready") != 0 && strcmp(state, "deleted") != 0;
}

static size_t count_different(const struct drift *self)
{
    size_t n = 0;
    PIN_TREE_EACH(item, pin_tree_list(self->records.page, "items"))
    {
        n += is_different(item) ? 1 : 0;
    }
    return n;
}

static size_t count_unrepaired(const struct drift *self)
{
    size_t n = 0;
    PIN_TREE_EACH(item, pin_tree_list(self->found.page, "items"))
    {
        n += pin_tree_bool(item, "isRepaired", false) ? 0 : 1;
    }
    return n;
}

/* Values, and the TTL where it is another one than the other set's. */
static void put_side(
    struct pin_columns *table, const struct pin_tree *item, const char *key, const char *other_key)
{
    struct pin_text text = {0};
    const struct pin_tree *set = pin_tree_map(item, key);
    const struct pin_tree *other = pin_tree_map(item, other_key);
    long long ttl_s = pin_tree_int(set, "ttl", 0);
    pin_records_put_values(&text, set);
    if (set != NULL && other != NULL && ttl_s != pin_tree_int(other, "ttl", 0)) {
        pin_text_putf(&text, "; ttl %lld", ttl_s);
    }
    pin_columns_cell(table, pin_text_get(&text), PIN_COLOR_NONE);
    pin_text_done(&text);
}

/* Why an item is not as wanted: what its state means, and what was said about it. */
static void put_why(struct pin_text *text, const struct pin_tree *item)
{
    static const struct {
        const char *state;
        const char *why;
    } rows[] = {
        {"pending", "planned, not done yet"},
        {"deleting", "to be deleted, not done yet"},
        {"blocked", "to be deleted, above the budget of a run"},
        {"refused", "refused by the provider"},
        {"waiting", "a cluster that is not synced yet may still want it"},
        {"kept", "wanted by nobody, kept"},
    };
    const char *state = pin_tree_string(item, "state", "");
    struct pin_text said = {0};
    put_error(&said, item);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        if (strcmp(rows[i].state, state) == 0) {
            pin_text_putf(text, "%s%s", rows[i].why, said.len > 0 ? ": " : "");
        }
    }
    pin_text_puts(text, pin_text_get(&said));
    pin_text_done(&said);
}

static bool print_different(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"NAME", false}, {"TYPE", false}, {"WANTED", false},
        {"THERE", false}, {"SINCE", true}, {"WHY", false}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(item, items)
    {
        if (!is_different(item)) {
            continue;
        }
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(item, "name", ""), PIN_COLOR_NONE);
        add_cell(table, put_type, item, PIN_COLOR_NONE);
        put_side(table, item, "desired", "actual");
        put_side(table, item, "actual", "desired");
        add_cell(table, put_since, item, PIN_COLOR_NONE);
        add_cell(table, put_why, item, state_color(pin_tree_string(item, "state", "")));
    }
    return pin_columns_print(table);
}

static void put_found_age(struct pin_text *text, const struct pin_tree *item)
{
    put_age(text, pin_tree_find(item, "ageSeconds"));
}

static bool print_found(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"NAME", false}, {"TYPE", false}, {"LEFT", false},
        {"FOUND", false}, {"AGO", true}, {"REPAIRED", false}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(item, items)
    {
        bool is_repaired = pin_tree_bool(item, "isRepaired", false);
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(item, "name", ""), PIN_COLOR_NONE);
        add_cell(table, put_type, item, PIN_COLOR_NONE);
        put_side(table, item, "expected", "found");
        put_side(table, item, "found", "expected");
        add_cell(table, put_found_age, item, PIN_COLOR_NONE);
        pin_columns_cell(
            table, is_repaired ? "yes" : "no", is_repaired ? PIN_COLOR_GOOD : PIN_COLOR_WARN);
    }
    return pin_columns_print(table);
}

/* {"differences": [...], "found": [...]} */
static bool print_drift_made(const struct pin_ctl *ctl, const struct drift *self)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    const struct pin_tree *found = pin_tree_list(self->found.page, "items");
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "differences");
    pin_jsonout_array(&json);
    PIN_TREE_EACH(item, pin_tree_list(self->records.page, "items"))
    {
        if (is_different(item)) {
            pin_jsonout_tree(&json, item);
        }
    }
    pin_jsonout_end(&json);
    pin_jsonout_key(&json, "found");
    pin_jsonout_array(&json);
    PIN_TREE_EACH(item, found)
    {
        pin_jsonout_tree(&json, item);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    bool is_good = pin_jsonout_is_ok(&json) && pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_good;
}

static bool print_drift(const struct pin_ctl *ctl, const struct drift *self, bool is_whole)
{
    const struct pin_tree *found = pin_tree_list(self->found.page, "items");
    bool has_found = found != NULL && found->n_children > 0;
    bool has_different = count_different(self) > 0;
    bool is_good = true;
    if (ctl->output != PIN_CTL_TABLE) {
        return print_drift_made(ctl, self);
    }
    if (!has_different && is_whole) {
        (void)puts("all records are as wanted");
    } else if (has_different) {
        is_good = print_different(ctl, pin_tree_list(self->records.page, "items"));
    }
    if (has_found) {
        (void)puts("\nwhat others changed, newest first:");
        (void)fflush(stdout);
        is_good = print_found(ctl, found) && is_good;
    }
    return is_good;
}

static enum pin_ctl_exit read_drift(const struct pin_ctl *ctl, struct drift *self)
{
    enum pin_ctl_exit exit_code =
        pin_records_open(&self->records, ctl->n_words > 0 ? ctl->words[0] : NULL);
    if (exit_code == PIN_CTL_OK) {
        exit_code = pin_records_read(
            &self->records, &(struct pin_records_page){.name = "list", .takes_a_name = true});
    }
    if (exit_code == PIN_CTL_OK) {
        self->found.scope = self->records.scope;
        exit_code = pin_records_read(&self->found, &(struct pin_records_page){.name = "drift"});
    }
    return pin_records_exit(ctl, exit_code);
}

enum pin_ctl_exit pin_ctl_records_drift(const struct pin_ctl *ctl)
{
    struct drift self = {.records.ctl = ctl, .found.ctl = ctl};
    enum pin_ctl_exit exit_code = read_drift(ctl, &self);
    if (exit_code == PIN_CTL_OK) {
        bool is_whole = tell_unread(&self.records) == 0;
        exit_code = print_drift(ctl, &self, is_whole) && is_whole ? PIN_CTL_OK : PIN_CTL_FAILED;
    }
    if (exit_code == PIN_CTL_OK && ctl->detailed
        && count_different(&self) + count_unrepaired(&self) > 0) {
        exit_code = PIN_CTL_CHANGES;
    }
    pin_records_done(&self.records);
    pin_records_done(&self.found);
    return exit_code;
}
