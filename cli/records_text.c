/* SPDX-License-Identifier: Apache-2.0 */

/* Plans of records as text. */

#include "cli/records_text.h"

#include <stdint.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/clusters.h"

#define GREEN  "\033[32m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

/* Columns are not made wider than this for one long name. */
#define WIDTH_MAX ((size_t)48)

/* One zone of one entry, and its plan if there is one. */
struct zone_view {
    const struct pin_records_view *view;
    const struct pin_tree *entry;
    const struct pin_tree *zone;
    const struct pin_tree *plan;
    size_t name_width;
    size_t type_width;
};

/* What a zone's lines come to. */
struct sum {
    size_t n_create;
    size_t n_change;
    size_t n_delete;
    size_t n_blocked;
    size_t n_conflicts;
    size_t n_left; /* of those that are not blocked */
};

static const char *text_of(const struct pin_tree *map, const char *key)
{
    return pin_tree_string(map, key, "");
}

static bool is_text(const struct pin_tree *map, const char *key, const char *text)
{
    return strcmp(text_of(map, key), text) == 0;
}

static bool is_of(const struct pin_tree *item, const char *entry, const char *zone)
{
    return is_text(item, "records", entry) && is_text(item, "zone", zone);
}

static bool is_in(const struct zone_view *self, const struct pin_tree *item)
{
    return is_of(item, text_of(self->entry, "records"), text_of(self->zone, "zone"));
}

const struct pin_tree *pin_records_plan_of(
    const struct pin_tree *plan, const char *entry, const char *zone)
{
    PIN_TREE_EACH(one, pin_tree_list(plan, "plans"))
    {
        if (is_of(one, entry, zone)) {
            return one;
        }
    }
    return NULL;
}

static bool is_left(const struct pin_tree *change)
{
    return !is_text(change, "result", "applied");
}

size_t pin_records_count_left(const struct pin_tree *plan)
{
    size_t n = 0;
    PIN_TREE_EACH(change, pin_tree_list(plan, "changes"))
    {
        n += is_left(change) ? 1 : 0;
    }
    return n;
}

size_t pin_records_count_undone(const struct pin_tree *plan)
{
    size_t n = 0;
    PIN_TREE_EACH(change, pin_tree_list(plan, "changes"))
    {
        n += is_left(change) && !pin_tree_bool(change, "isBlocked", false) ? 1 : 0;
    }
    return n;
}

size_t pin_records_count_faults(const struct pin_records_view *view)
{
    size_t n = 0;
    PIN_TREE_EACH(entry, view->overview)
    {
        PIN_TREE_EACH(zone, pin_tree_list(entry, "zones"))
        {
            const char *records = text_of(entry, "records");
            const char *name = text_of(zone, "zone");
            bool is_bad = pin_records_has_fault(zone)
                          || pin_records_plan_of(view->plan, records, name) == NULL;
            n += is_bad && pin_records_is_chosen(view->scope, records, name) ? 1 : 0;
        }
    }
    return n;
}

/* Those that a zone's plan was made without; without a plan, those that are missing now. */
static const struct pin_tree *unsynced_of(const struct pin_tree *entry, const struct pin_tree *plan)
{
    const struct pin_tree *then = pin_tree_list(plan, "unsynced");
    return then != NULL ? then : pin_tree_list(entry, "unsynced");
}

size_t pin_records_count_unsynced(const struct pin_records_view *view)
{
    size_t n = 0;
    PIN_TREE_EACH(entry, view->overview)
    {
        const char *records = text_of(entry, "records");
        PIN_TREE_EACH(zone, pin_tree_list(entry, "zones"))
        {
            const char *name = text_of(zone, "zone");
            const struct pin_tree *unsynced =
                unsynced_of(entry, pin_records_plan_of(view->plan, records, name));
            bool is_chosen = pin_records_is_chosen(view->scope, records, name);
            n += is_chosen && unsynced != NULL ? unsynced->n_children : 0;
        }
    }
    return n;
}

/* --- Small parts ---------------------------------------------------------------------------- */

/* A value is a text, or a map with one. */
static const char *value_text(const struct pin_tree *value)
{
    return value->kind == PIN_TREE_MAP ? text_of(value, "text") : pin_tree_text(value, "");
}

void pin_records_put_values(struct pin_text *out, const struct pin_tree *set)
{
    const char *separator = "";
    PIN_TREE_EACH(value, pin_tree_list(set, "values"))
    {
        pin_text_putf(out, "%s%s", separator, value_text(value));
        separator = " ";
    }
}

void pin_records_put_type(struct pin_text *out, const struct pin_tree *item)
{
    const char *set_id = text_of(item, "setId");
    pin_text_puts(out, text_of(item, "type"));
    if (set_id[0] != '\0') {
        pin_text_putf(out, " (%s)", set_id);
    }
}

static size_t type_width(const struct pin_tree *item)
{
    size_t set_id_len = strlen(text_of(item, "setId"));
    return strlen(text_of(item, "type")) + (set_id_len == 0 ? 0 : set_id_len + 3);
}

void pin_records_put_object(struct pin_text *out, const struct pin_tree *object)
{
    static const char *const keys[] = {"kind", "namespace", "name"};
    const char *cluster = text_of(object, "cluster");
    if (strcmp(cluster, "-") == 0) {
        pin_text_puts(out, "the configuration");
        return;
    }
    const char *separator = "";
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        const char *text = text_of(object, keys[i]);
        pin_text_putf(out, "%s%s", text[0] == '\0' ? "" : separator, text);
        separator = text[0] == '\0' ? separator : "/";
    }
    pin_text_putf(out, "%s%s", cluster[0] == '\0' ? "" : " in ", cluster);
}

static void put_age(struct pin_text *out, const struct pin_tree *age)
{
    pin_clusters_put_duration(out, age->integer);
}

/* An age that is known, or NULL. */
static const struct pin_tree *age_of(const struct pin_tree *map, const char *key)
{
    const struct pin_tree *age = pin_tree_find(map, key);
    return age != NULL && (age->kind == PIN_TREE_INT || age->kind == PIN_TREE_FLOAT) ? age : NULL;
}

static void put_color(const struct zone_view *self, struct pin_text *out, const char *color)
{
    pin_text_puts(out, self->view->has_color ? color : "");
}

static void pad(struct pin_text *out, size_t used, size_t width)
{
    pin_text_putf(out, "%*s", (int)(used < width ? width - used : 0) + 2, "");
}

/* --- One change ----------------------------------------------------------------------------- */

static bool has_value(const struct pin_tree *set, const char *text)
{
    PIN_TREE_EACH(value, pin_tree_list(set, "values"))
    {
        if (strcmp(value_text(value), text) == 0) {
            return true;
        }
    }
    return false;
}

/* "192.0.2.1 -192.0.2.2 +192.0.2.3"; whether any goes or comes. */
static bool put_values_diff(
    struct pin_text *out, const struct pin_tree *was, const struct pin_tree *will)
{
    const char *separator = "";
    bool differs = false;
    PIN_TREE_EACH(value, pin_tree_list(was, "values"))
    {
        bool stays = has_value(will, value_text(value));
        pin_text_putf(out, "%s%s%s", separator, stays ? "" : "-", value_text(value));
        separator = " ";
        differs = differs || !stays;
    }
    PIN_TREE_EACH(value, pin_tree_list(will, "values"))
    {
        if (!has_value(was, value_text(value))) {
            pin_text_putf(out, "%s+%s", separator, value_text(value));
            separator = " ";
            differs = true;
        }
    }
    return differs;
}

/* TTL 0 is the provider's own. */
static void put_ttl(struct pin_text *out, long long ttl_s)
{
    if (ttl_s > 0) {
        pin_text_putf(out, "%lld", ttl_s);
    } else {
        pin_text_puts(out, "default");
    }
}

static bool put_ttl_diff(
    struct pin_text *out, const struct pin_tree *was, const struct pin_tree *will)
{
    long long old_s = pin_tree_int(was, "ttl", 0);
    long long new_s = pin_tree_int(will, "ttl", 0);
    if (was != NULL && old_s == new_s) {
        return false;
    }
    if (was != NULL || new_s > 0) {
        pin_text_puts(out, "; ttl ");
    }
    if (was != NULL) {
        put_ttl(out, old_s);
        pin_text_puts(out, " => ");
        put_ttl(out, new_s);
    } else if (new_s > 0) {
        put_ttl(out, new_s);
    }
    return true;
}

/* "; aws/weight 10 => 20; -alias" */
static bool put_properties_diff(
    struct pin_text *out, const struct pin_tree *was, const struct pin_tree *will)
{
    const struct pin_tree *before = pin_tree_map(was, "properties");
    const struct pin_tree *after = pin_tree_map(will, "properties");
    bool differs = false;
    PIN_TREE_EACH(property, after)
    {
        const char *old = pin_tree_text(pin_tree_find(before, property->key), NULL);
        const char *new = pin_tree_text(property, "");
        if (old == NULL || strcmp(old, new) != 0) {
            pin_text_putf(out, "; %s %s%s%s", property->key, old == NULL ? "" : old,
                old == NULL ? "" : " => ", new);
            differs = true;
        }
    }
    PIN_TREE_EACH(property, before)
    {
        if (pin_tree_find(after, property->key) == NULL) {
            pin_text_putf(out, "; -%s", property->key);
            differs = true;
        }
    }
    return differs;
}

/* Whom a TXT value names; its length, 0 when it does not say or cannot be read. */
static size_t owner_of(const struct pin_tree *txt, const char *key, const char **ret_owner)
{
    static const char label[] = "external-dns/owner=";
    const char *value = text_of(txt, key);
    const char *at = strstr(value, label);
    *ret_owner = at == NULL ? "" : at + sizeof(label) - 1;
    return strcspn(*ret_owner, ",\"");
}

/* What becomes of the TXT records where the set itself stays. */
static void put_owner(struct pin_text *out, const struct pin_tree *change)
{
    const struct pin_tree *txts = pin_tree_list(change, "txts");
    const struct pin_tree *txt = txts == NULL ? NULL : txts->first;
    const char *old = "";
    const char *new = "";
    size_t old_len = owner_of(txt, "old", &old);
    size_t new_len = owner_of(txt, "new", &new);
    if (new_len > 0 && (old_len != new_len || strncmp(old, new, new_len) != 0)) {
        pin_text_puts(out, "owner ");
        pin_text_putn(out, old_len == 0 ? "unknown" : old, old_len == 0 ? 7 : old_len);
        pin_text_puts(out, " => ");
        pin_text_putn(out, new, new_len);
        return;
    }
    pin_text_puts(out, "ownership record");
    PIN_TREE_EACH(one, txts)
    {
        pin_text_putf(out, " %s", text_of(one, "name"));
    }
}

static void put_what(struct pin_text *out, const struct pin_tree *change)
{
    const struct pin_tree *was = pin_tree_map(change, "old");
    const struct pin_tree *will = pin_tree_map(change, "new");
    if (was == NULL && will == NULL) {
        put_owner(out, change);
        return;
    }
    if (will == NULL) {
        pin_records_put_values(out, was);
        return;
    }
    bool differs = was != NULL && put_values_diff(out, was, will);
    if (was == NULL) {
        pin_records_put_values(out, will);
    }
    differs = put_ttl_diff(out, was, will) || differs;
    differs = put_properties_diff(out, was, will) || differs;
    if (!differs) {
        pin_text_puts(out, "; ");
        put_owner(out, change);
    }
}

/* What the run made of it: "  [refused: not in this zone]". */
static void put_result(
    const struct zone_view *self, struct pin_text *out, const struct pin_tree *change)
{
    const char *result = text_of(change, "result");
    const char *message = text_of(change, "message");
    if (pin_tree_bool(change, "isBlocked", false)) {
        pin_text_puts(out, "  [blocked]");
    } else if (result[0] != '\0' && is_left(change)) {
        pin_text_putf(out, "  [%s%s%s]", result, message[0] == '\0' ? "" : ": ", message);
    } else if (is_left(change) && self->view->is_outcome) {
        pin_text_puts(out, "  [not done]");
    }
    pin_text_puts(out, pin_tree_bool(change, "isReplaced", false) ? "  [replaced]" : "");
}

static void put_head_of_line(const struct zone_view *self, struct pin_text *out, const char *sign,
    const struct pin_tree *item)
{
    const char *name = text_of(item, "name");
    pin_text_putf(out, "  %s %s", sign, name);
    pad(out, strlen(name), self->name_width);
    pin_records_put_type(out, item);
    pad(out, type_width(item), self->type_width);
}

static void put_change(
    const struct zone_view *self, struct pin_text *out, const struct pin_tree *change)
{
    bool is_create = is_text(change, "op", "create");
    bool is_delete = is_text(change, "op", "delete");
    put_color(self, out, is_create ? GREEN : is_delete ? RED : YELLOW);
    put_head_of_line(self, out, is_create ? "+" : is_delete ? "-" : "~", change);
    put_what(out, change);
    put_result(self, out, change);
    put_color(self, out, PLAIN);
    pin_text_putc(out, '\n');
}

static void put_conflict(
    const struct zone_view *self, struct pin_text *out, const struct pin_tree *conflict)
{
    put_color(self, out, YELLOW);
    put_head_of_line(self, out, "!", conflict);
    pin_text_putf(out, "%s: %s (", text_of(conflict, "kind"), text_of(conflict, "detail"));
    pin_records_put_object(out, pin_tree_map(conflict, "object"));
    pin_text_putc(out, ')');
    put_color(self, out, PLAIN);
    pin_text_putc(out, '\n');
}

/* --- One zone ------------------------------------------------------------------------------- */

static void put_head(const struct zone_view *self, struct pin_text *out)
{
    pin_text_putf(out, "%s: %s, %s, %s, owner %s", text_of(self->zone, "zone"),
        text_of(self->entry, "records"), text_of(self->entry, "provider"),
        text_of(self->entry, "policy"), text_of(self->entry, "owner"));
    if (pin_tree_bool(self->entry, "dryRun", false)) {
        pin_text_puts(out, ", dry run");
    }
    if (!pin_tree_bool(self->entry, "isWriter", true)) {
        const char *holder = text_of(self->entry, "holder");
        pin_text_putf(out, ", written by %s", holder[0] == '\0' ? "nobody yet" : holder);
    }
    const struct pin_tree *age = age_of(self->plan, "ageSeconds");
    if (age != NULL) {
        pin_text_puts(out, "; planned ");
        put_age(out, age);
        pin_text_puts(out, " ago");
    }
    pin_text_putc(out, '\n');
}

/* "  ! unreachable for 40 s: cannot connect; tried again in 20 s" */
static void put_fault(const struct zone_view *self, struct pin_text *out)
{
    const struct pin_tree *since = age_of(self->zone, "errorAgeSeconds");
    const struct pin_tree *next = age_of(self->zone, "nextSeconds");
    const char *error = text_of(self->zone, "error");
    put_color(self, out, RED);
    pin_text_putf(out, "  ! %s", text_of(self->zone, "fault"));
    if (since != NULL) {
        pin_text_puts(out, " for ");
        put_age(out, since);
    }
    pin_text_putf(out, "%s%s", error[0] == '\0' ? "" : ": ", error);
    if (next != NULL) {
        pin_text_puts(out, "; tried again in ");
        put_age(out, next);
    }
    put_color(self, out, PLAIN);
    pin_text_putc(out, '\n');
}

/* One line of warning, made of a label and what it is about. */
static void put_warning(
    const struct zone_view *self, struct pin_text *out, const char *label, const char *text)
{
    put_color(self, out, YELLOW);
    pin_text_putf(out, "  ! %s%s", label, text);
    put_color(self, out, PLAIN);
    pin_text_putc(out, '\n');
}

static void put_troubles(const struct zone_view *self, struct pin_text *out)
{
    struct pin_text unsynced = {0};
    PIN_TREE_EACH(cluster, unsynced_of(self->entry, self->plan))
    {
        pin_text_putf(&unsynced, "%s%s", unsynced.len == 0 ? "" : ", ", pin_tree_text(cluster, ""));
    }
    if (pin_records_has_fault(self->zone)) {
        put_fault(self, out);
    } else if (is_text(self->zone, "state", "waiting")) {
        put_warning(self, out, "no plan yet: ", "no cluster has been heard of since the start");
    } else if (self->plan == NULL) {
        put_warning(self, out, "no plan yet: ", text_of(self->zone, "state"));
    }
    if (unsynced.len > 0) {
        put_warning(self, out,
            "not synced yet, so that what they may want stays: ", pin_text_get(&unsynced));
    }
    if (text_of(self->entry, "writerError")[0] != '\0') {
        put_warning(self, out, "who may write: ", text_of(self->entry, "writerError"));
    }
    pin_text_done(&unsynced);
}

static void put_count(struct pin_text *out, size_t n, const char *one, const char *many)
{
    if (n > 0) {
        pin_text_putf(out, "; %zu %s", n, n == 1 ? one : many);
    }
}

static void put_sum(const struct zone_view *self, struct pin_text *out, const struct sum *sum)
{
    bool is_outcome = self->view->is_outcome;
    size_t n_left = is_outcome ? sum->n_left : 0;
    if (sum->n_create + sum->n_change + sum->n_delete + n_left == 0) {
        pin_text_puts(out, is_outcome ? "  nothing to do" : "  no changes");
    } else if (is_outcome) {
        pin_text_putf(out, "  %zu created, %zu changed, %zu deleted", sum->n_create, sum->n_change,
            sum->n_delete);
    } else {
        pin_text_putf(out, "  %zu to create, %zu to change, %zu to delete", sum->n_create,
            sum->n_change, sum->n_delete);
    }
    put_count(out, n_left, "not done", "not done");
    put_count(out, sum->n_conflicts, "conflict", "conflicts");
    put_count(out, sum->n_blocked, "deletion blocked", "deletions blocked");
    pin_text_putc(out, '\n');
}

/* What to type so that blocked deletions are done. */
static void put_approval(const struct zone_view *self, struct pin_text *out)
{
    const char *approval = text_of(self->plan, "approval");
    const char *admin = self->view->admin;
    if (approval[0] != '\0') {
        pin_text_putf(out,
            "  %lld deletions are more than the %lld that one run may do here. If they are meant:\n"
            "    pintlectl records approve %s%s%s\n",
            pin_tree_int(self->plan, "deletes", 0), pin_tree_int(self->plan, "deletesMax", 0),
            approval, admin == NULL ? "" : " --admin ", admin == NULL ? "" : admin);
    }
}

static void count(struct sum *sum, const struct pin_tree *change, bool is_outcome)
{
    bool is_done = !is_left(change);
    if (pin_tree_bool(change, "isBlocked", false)) {
        sum->n_blocked++;
        return;
    }
    sum->n_left += is_done ? 0 : 1;
    if (is_done != is_outcome) {
        return; /* a plan tells what is to come, an outcome what has been done */
    }
    if (is_text(change, "op", "create")) {
        sum->n_create++;
    } else if (is_text(change, "op", "delete")) {
        sum->n_delete++;
    } else {
        sum->n_change++;
    }
}

static size_t wider(size_t width, size_t len)
{
    size_t fit = PIN_MIN(len, WIDTH_MAX);
    return PIN_MAX(width, fit);
}

static void measure(struct zone_view *self, const struct pin_tree *items)
{
    PIN_TREE_EACH(item, items)
    {
        if (is_in(self, item)) {
            self->name_width = wider(self->name_width, strlen(text_of(item, "name")));
            self->type_width = wider(self->type_width, type_width(item));
        }
    }
}

/* Blocked changes come after all others. */
static void put_changes(
    const struct zone_view *self, struct pin_text *out, bool is_blocked, struct sum *sum)
{
    PIN_TREE_EACH(change, pin_tree_list(self->view->plan, "changes"))
    {
        if (!is_in(self, change) || pin_tree_bool(change, "isBlocked", false) != is_blocked) {
            continue;
        }
        count(sum, change, self->view->is_outcome);
        if (is_left(change) || self->view->is_outcome) {
            put_change(self, out, change);
        }
    }
}

static void put_zone(struct zone_view *self, struct pin_text *out)
{
    struct sum sum = {0};
    measure(self, pin_tree_list(self->view->plan, "changes"));
    measure(self, pin_tree_list(self->view->plan, "conflicts"));
    put_head(self, out);
    put_troubles(self, out);
    put_changes(self, out, false, &sum);
    put_changes(self, out, true, &sum);
    PIN_TREE_EACH(conflict, pin_tree_list(self->view->plan, "conflicts"))
    {
        if (is_in(self, conflict)) {
            put_conflict(self, out, conflict);
            sum.n_conflicts++;
        }
    }
    if (self->plan != NULL) {
        put_sum(self, out, &sum);
        put_approval(self, out);
    }
}

void pin_records_put_plans(const struct pin_records_view *view, struct pin_text *out)
{
    bool is_first = true;
    PIN_TREE_EACH(entry, view->overview)
    {
        PIN_TREE_EACH(zone, pin_tree_list(entry, "zones"))
        {
            struct zone_view self = {.view = view, .entry = entry, .zone = zone};
            const char *records = text_of(entry, "records");
            const char *name = text_of(zone, "zone");
            self.plan = pin_records_plan_of(view->plan, records, name);
            if (!pin_records_is_chosen(view->scope, records, name)
                || (view->is_adoption && self.plan == NULL)) {
                continue;
            }
            pin_text_puts(out, is_first ? "" : "\n");
            is_first = false;
            put_zone(&self, out);
        }
    }
}
