/* SPDX-License-Identifier: Apache-2.0 */

/* What records commands share: the overview, what a word means, pages put together. */

#include "cli/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/emit.h"

#define PATH "/api/v1/records"
/* How often pages are read from the start because the plan has changed between two of them. */
#define TRIES_MAX 5

/* --- What is meant -------------------------------------------------------------------------- */

static bool is_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool pin_records_is_chosen(
    const struct pin_records_scope *scope, const char *entry, const char *zone)
{
    return (scope->entry[0] == '\0' || is_text(scope->entry, entry))
           && (scope->zone[0] == '\0' || is_text(scope->zone, zone));
}

const struct pin_tree *pin_records_zone(
    const struct pin_tree *items, const char *entry, const char *zone)
{
    PIN_TREE_EACH(item, items)
    {
        bool is_it = is_text(pin_tree_string(item, "records", ""), entry);
        PIN_TREE_EACH(one, pin_tree_list(item, "zones"))
        {
            if (is_it && is_text(pin_tree_string(one, "zone", ""), zone)) {
                return one;
            }
        }
    }
    return NULL;
}

static bool is_below(const char *name, const char *zone)
{
    size_t name_len = strlen(name);
    size_t zone_len = strlen(zone);
    if (zone_len == 0 || name_len < zone_len + 2) {
        return false;
    }
    const char *dot = name + (name_len - zone_len - 1);
    return *dot == '.' && dot[-1] != '\\' && is_text(dot + 1, zone);
}

bool pin_records_has_fault(const struct pin_tree *zone)
{
    const char *fault = pin_tree_string(zone, "fault", "");
    return fault[0] != '\0' && !is_text(fault, "none");
}

bool pin_records_tell_fault(const char *entry, const struct pin_tree *zone)
{
    if (!pin_records_has_fault(zone)) {
        return false;
    }
    (void)fprintf(stderr, "pintlectl: %s (%s): %s: %s\n", pin_tree_string(zone, "zone", "?"), entry,
        pin_tree_string(zone, "fault", ""), pin_tree_string(zone, "error", ""));
    return true;
}

/* As the API writes names: small letters, no dot at the end. */
static enum pin_err tidy(const char *word, char ret_name[PIN_RECORDS_NAME_MAX], struct pin_why *why)
{
    size_t len = strlen(word);
    if (len > 1 && word[len - 1] == '.' && word[len - 2] != '\\') {
        len--;
    }
    if (len == 0 || len >= PIN_RECORDS_NAME_MAX) {
        return pin_why_set(why, PIN_EINVAL, "\"%.64s\" is no name", word);
    }
    for (size_t i = 0; i < len; i++) {
        bool is_capital = word[i] >= 'A' && word[i] <= 'Z';
        ret_name[i] = (char)(is_capital ? word[i] - 'A' + 'a' : word[i]);
    }
    ret_name[len] = '\0';
    return PIN_OK;
}

/* "example.com, example.net", a handful of them. */
static void put_zones(const struct pin_tree *items, struct pin_text *text)
{
    size_t n = 0;
    PIN_TREE_EACH(item, items)
    {
        PIN_TREE_EACH(zone, pin_tree_list(item, "zones"))
        {
            if (n < 8) {
                pin_text_putf(text, "%s%s", n == 0 ? "" : ", ", pin_tree_string(zone, "zone", "?"));
            }
            n++;
        }
    }
    pin_text_puts(text, n > 8 ? ", ..." : "");
}

/* The zone that is the word, or the longest one that it is below. */
static void choose_zone(
    const struct pin_tree *items, const char *name, struct pin_records_scope *scope)
{
    PIN_TREE_EACH(item, items)
    {
        PIN_TREE_EACH(one, pin_tree_list(item, "zones"))
        {
            const char *zone = pin_tree_string(one, "zone", "");
            if ((is_text(zone, name) || is_below(name, zone))
                && strlen(zone) > strlen(scope->zone)) {
                (void)snprintf(scope->zone, sizeof(scope->zone), "%s", zone);
            }
        }
    }
}

static bool has_entry(const struct pin_tree *items, const char *word)
{
    PIN_TREE_EACH(item, items)
    {
        if (is_text(pin_tree_string(item, "records", ""), word)) {
            return true;
        }
    }
    return false;
}

enum pin_err pin_records_choose(const struct pin_tree *items, const char *word,
    struct pin_records_scope *ret_scope, struct pin_why *why)
{
    struct pin_records_scope scope = {.entry = ""};
    char name[PIN_RECORDS_NAME_MAX];
    *ret_scope = scope;
    if (word == NULL) {
        return PIN_OK;
    }
    enum pin_err err = tidy(word, name, why);
    if (err != PIN_OK) {
        return err;
    }
    choose_zone(items, name, &scope);
    if (!is_text(scope.zone, name)) { /* a zone comes before an entry that is called like it */
        if (has_entry(items, word)) {
            scope.zone[0] = '\0';
            (void)snprintf(scope.entry, sizeof(scope.entry), "%s", word);
        } else {
            (void)snprintf(scope.name, sizeof(scope.name), "%s", name);
        }
    }
    if (scope.entry[0] == '\0' && scope.zone[0] == '\0') {
        struct pin_text zones = {0};
        put_zones(items, &zones);
        (void)pin_why_set(why, PIN_ENOTFOUND,
            "\"%.255s\" is no zone or entry of records, nor a name below a zone; zones: %s", word,
            zones.len == 0 ? "none" : pin_text_get(&zones));
        pin_text_done(&zones);
        return PIN_ENOTFOUND;
    }
    *ret_scope = scope;
    return PIN_OK;
}

/* --- Overview ------------------------------------------------------------------------------- */

enum pin_ctl_exit pin_records_look(struct pin_records *self)
{
    pin_api_reply_done(&self->overview);
    enum pin_ctl_exit exit_code = pin_api_fetch(self->ctl, PATH, &self->overview);
    if (exit_code == PIN_CTL_OK && self->ctl->output == PIN_CTL_TABLE) {
        pin_emit_printable(&self->overview);
    }
    return exit_code;
}

enum pin_ctl_exit pin_records_open(struct pin_records *self, const char *word)
{
    struct pin_why why = {0};
    enum pin_ctl_exit exit_code = pin_records_look(self);
    if (exit_code != PIN_CTL_OK) {
        return exit_code;
    }
    if (pin_records_choose(pin_tree_list(self->overview.tree, "items"), word, &self->scope, &why)
        != PIN_OK) {
        (void)fprintf(stderr, "pintlectl: %s\n", why.text);
        return PIN_CTL_FAILED;
    }
    return PIN_CTL_OK;
}

/* --- Pages ---------------------------------------------------------------------------------- */

static void put_argument(struct pin_text *path, const char *key, const char *value)
{
    if (value[0] != '\0') {
        pin_text_putf(path, "%c%s=", strchr(pin_text_get(path), '?') == NULL ? '?' : '&', key);
        pin_api_put_escaped(path, value);
    }
}

static void put_path(const struct pin_records *self, const struct pin_records_page *page,
    const char *after, struct pin_text *path)
{
    pin_text_putf(path, PATH "/%s", page->name);
    put_argument(path, "records", self->scope.entry);
    put_argument(path, "zone", self->scope.zone);
    put_argument(path, "name", page->takes_a_name ? self->scope.name : "");
    put_argument(path, "what", page->is_adoption ? "adoption" : "");
    put_argument(path, "after", after);
}

static void drop_pages(struct pin_records *self)
{
    for (size_t i = 0; i < self->n_pages; i++) {
        pin_api_reply_done(&self->pages[i]);
    }
    free(self->pages);
    self->pages = NULL;
    self->n_pages = 0;
    self->page = NULL;
}

/* One more part, at the end of the pages. */
static enum pin_ctl_exit add_part(struct pin_records *self, const char *path)
{
    struct pin_api_reply *pages =
        realloc(self->pages, (self->n_pages + 1) * sizeof(self->pages[0]));
    if (pages == NULL) {
        (void)fprintf(stderr, "pintlectl: out of memory\n");
        return PIN_CTL_FAILED;
    }
    self->pages = pages;
    pages[self->n_pages] = (struct pin_api_reply){0};
    return pin_api_fetch(self->ctl, path, &pages[self->n_pages++]);
}

/* Whether two parts are of the same plans. What has no plans is never of another one. */
static bool is_same_plan(const struct pin_tree *a, const struct pin_tree *b)
{
    const struct pin_tree *plans = pin_tree_list(b, "plans");
    const struct pin_tree *other = plans == NULL ? NULL : plans->first;
    PIN_TREE_EACH(plan, pin_tree_list(a, "plans"))
    {
        if (other == NULL
            || !is_text(pin_tree_string(plan, "hash", ""), pin_tree_string(other, "hash", ""))) {
            return false;
        }
        other = other->next;
    }
    return other == NULL;
}

/* All parts of a page; *ret_is_torn: the plan has changed between two of them. */
static enum pin_ctl_exit read_parts(
    struct pin_records *self, const struct pin_records_page *page, bool *ret_is_torn)
{
    char after[PIN_RECORDS_NAME_MAX] = "";
    *ret_is_torn = false;
    do {
        struct pin_text path = {0};
        put_path(self, page, after, &path);
        enum pin_ctl_exit exit_code = add_part(self, pin_text_get(&path));
        pin_text_done(&path);
        if (exit_code != PIN_CTL_OK) {
            return exit_code;
        }
        const struct pin_tree *last = self->pages[self->n_pages - 1].tree;
        const char *next = pin_tree_string(last, "next", "");
        *ret_is_torn = !is_same_plan(self->pages[0].tree, last);
        if ((after[0] != '\0' && is_text(after, next)) || strlen(next) >= sizeof(after)) {
            (void)fprintf(stderr, "pintlectl: the daemon's list has no end\n");
            return PIN_CTL_FAILED;
        }
        (void)snprintf(after, sizeof(after), "%s", next);
    } while (after[0] != '\0' && !*ret_is_torn);
    return PIN_CTL_OK;
}

static struct pin_tree *member(struct pin_tree *map, const char *key)
{
    struct pin_tree *child = map->first;
    while (child != NULL && (child->key == NULL || !is_text(child->key, key))) {
        child = child->next;
    }
    return child != NULL && child->kind == PIN_TREE_LIST ? child : NULL;
}

/* Moves what is in `from` to the end of `to`, but for other names than the one that is asked for.
 * They may be the same list. */
static void move(const struct pin_records_scope *scope, struct pin_tree *from, struct pin_tree *to)
{
    struct pin_tree *child = from->first;
    from->first = NULL;
    from->last = NULL;
    from->n_children = 0;
    while (child != NULL) {
        struct pin_tree *next = child->next;
        if (scope->name[0] == '\0' || is_text(scope->name, pin_tree_string(child, "name", ""))) {
            pin_tree_append(to, child);
        }
        child = next;
    }
}

/* Makes one page of all parts. */
static void join_parts(struct pin_records *self)
{
    static const char *const lists[] = {"items", "changes", "conflicts"};
    self->page = self->pages[0].tree;
    for (size_t i = 0; i < self->n_pages; i++) {
        if (self->ctl->output == PIN_CTL_TABLE) {
            pin_emit_printable(&self->pages[i]);
        }
        for (size_t k = 0; k < N_ELEMS(lists); k++) {
            struct pin_tree *from = member(self->pages[i].tree, lists[k]);
            struct pin_tree *to = member(self->page, lists[k]);
            if (from != NULL && to != NULL) {
                move(&self->scope, from, to);
            }
        }
    }
}

enum pin_ctl_exit pin_records_read(struct pin_records *self, const struct pin_records_page *page)
{
    bool is_torn = true;
    for (int i = 0; i < TRIES_MAX && is_torn; i++) {
        drop_pages(self);
        enum pin_ctl_exit exit_code = read_parts(self, page, &is_torn);
        if (exit_code != PIN_CTL_OK) {
            return exit_code;
        }
    }
    if (is_torn) {
        (void)fprintf(stderr, "pintlectl: the plan changes faster than it can be read\n");
        return PIN_CTL_FAILED;
    }
    join_parts(self);
    return PIN_CTL_OK;
}

void pin_records_done(struct pin_records *self)
{
    drop_pages(self);
    pin_api_reply_done(&self->overview);
}
