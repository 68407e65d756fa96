/* SPDX-License-Identifier: Apache-2.0 */

/* How far each cluster is, as lines that are new, a screen, or JSON. */

#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"

#include "cli/clusters.h"

#define AGAIN_MS     5000 /* A list that goes on is told again so often. */
#define NAMED_MAX    3    /* Kinds that are named; the rest is counted. */
#define ROWS_DEFAULT 24
#define COLS_DEFAULT 80

/* Where a cluster stands. The order is that of a screen on which not all have room. */
enum phase {
    PIN_PHASE_DOWN,
    PIN_PHASE_FORBIDDEN,
    PIN_PHASE_LISTING,
    PIN_PHASE_LISTED,
    PIN_PHASE_WAITING,
    PIN_PHASE_UP,
    PIN_PHASE_MAX,
};

static const char *const phase_words[PIN_PHASE_MAX] = {[PIN_PHASE_DOWN] = "down",
    [PIN_PHASE_FORBIDDEN] = "incomplete",
    [PIN_PHASE_LISTING] = "listing",
    [PIN_PHASE_LISTED] = "listed",
    [PIN_PHASE_WAITING] = "waiting",
    [PIN_PHASE_UP] = "up"};

/* One cluster now: an item of each page, and what follows from them. */
struct standing {
    const char *name;
    const struct pin_tree *item;   /* of status */
    const struct pin_tree *source; /* of clusters; NULL: not to be had */
    enum phase phase;
    long long n_read; /* by the lists under way */
};

/* What was said of a cluster last. */
struct told {
    char *name;
    char *words;
    long long n_read;
    int64_t at_ms;
};

struct pin_progress {
    enum pin_progress_form form;
    bool has_color;
    size_t n_rows;
    size_t n_columns;
    size_t n_drawn; /* lines of the screen that are ours */
    struct told *told;
    size_t n_told;
    char *problem; /* told last; NULL: none */
};

/* --- What is known -------------------------------------------------------------------------- */

static const struct pin_tree *find_source(const struct pin_tree *clusters, const char *name)
{
    PIN_TREE_EACH(source, pin_tree_list(clusters, "items"))
    {
        if (strcmp(pin_tree_string(source, "name", ""), name) == 0) {
            return source;
        }
    }
    return NULL;
}

static bool is_kind(const struct pin_tree *kind, const char *state)
{
    return strcmp(pin_tree_string(kind, "state", ""), state) == 0;
}

static size_t count_kinds(const struct pin_tree *source, const char *state)
{
    size_t n = 0;
    PIN_TREE_EACH(kind, pin_tree_list(source, "kinds"))
    {
        n += is_kind(kind, state) ? 1 : 0;
    }
    return n;
}

static bool is_served(const struct pin_tree *item)
{
    return pin_tree_bool(item, "up", false) && pin_tree_bool(item, "synced", false);
}

bool pin_progress_is_well(const struct pin_tree *status)
{
    bool is_good = pin_tree_bool(status, "ready", false);
    PIN_TREE_EACH(item, pin_tree_list(status, "clusters.items"))
    {
        is_good = is_good && is_served(item);
    }
    return is_good;
}

static enum phase find_phase(const struct pin_tree *item, const struct pin_tree *source)
{
    bool is_up = pin_tree_bool(item, "up", false);
    bool is_wrong = pin_tree_string(item, "error", "")[0] != '\0';
    if (is_served(item)) {
        return PIN_PHASE_UP;
    }
    if (!is_up) {
        return is_wrong || pin_tree_bool(item, "synced", false) ? PIN_PHASE_DOWN
                                                                : PIN_PHASE_WAITING;
    }
    if (pin_tree_bool(source, "synced", false)) {
        return PIN_PHASE_LISTED;
    }
    bool is_listing = count_kinds(source, "listing") > 0;
    return is_wrong && !is_listing ? PIN_PHASE_FORBIDDEN
           : is_listing            ? PIN_PHASE_LISTING
                                   : PIN_PHASE_WAITING;
}

static struct standing stand(const struct pin_progress_view *view, const struct pin_tree *item)
{
    struct standing now = {.name = pin_tree_string(item, "name", "?"), .item = item};
    now.source = find_source(view->clusters, now.name);
    now.phase = find_phase(item, now.source);
    PIN_TREE_EACH(kind, pin_tree_list(now.source, "kinds"))
    {
        pin_clusters_add(&now.n_read, kind, "read");
    }
    return now;
}

static const struct pin_tree *items_of(const struct pin_progress_view *view)
{
    return pin_tree_list(view->status, "clusters.items");
}

/* --- In words ------------------------------------------------------------------------------- */

/* "EndpointSlice 8000 of 50000, Service 300 and 4 more": kinds in that state. */
static void put_kinds(
    const struct standing *now, const char *state, bool has_counts, struct pin_text *out)
{
    size_t n = 0;
    PIN_TREE_EACH(kind, pin_tree_list(now->source, "kinds"))
    {
        if (!is_kind(kind, state) || n++ >= NAMED_MAX) {
            continue;
        }
        long long n_read = pin_tree_int(kind, "read", 0);
        long long n_expected = pin_tree_int(kind, "expected", 0);
        pin_text_putf(out, "%s%s", n > 1 ? ", " : "", pin_tree_string(kind, "kind", "?"));
        if (has_counts && n_read > 0) {
            pin_text_putf(out, " %lld", n_read);
        }
        if (has_counts && n_expected > n_read) {
            pin_text_putf(out, " of %lld", n_expected);
        }
    }
    if (n > NAMED_MAX) {
        pin_text_putf(out, " and %zu more", n - NAMED_MAX);
    }
}

static void put_up(const struct standing *now, struct pin_text *out)
{
    const struct pin_tree *took = pin_tree_find(now->source, "syncSeconds");
    long long n_objects = 0;
    PIN_TREE_EACH(kind, pin_tree_list(now->source, "kinds"))
    {
        pin_clusters_add(&n_objects, kind, "objects");
    }
    pin_text_puts(out, "synced");
    if (took != NULL && took->kind != PIN_TREE_NULL) {
        pin_text_putf(out, " in %.1f s", took->number);
    }
    pin_text_putf(out, ", %lld objects", n_objects);
    if (count_kinds(now->source, "held") > 0) {
        pin_text_puts(out, "; held until a second list confirms what they lack: ");
        put_kinds(now, "held", false, out);
    }
}

/* Why not, and what to do. */
static void put_error(const struct standing *now, struct pin_text *out)
{
    const char *error = pin_tree_string(now->item, "error", "");
    const char *hint = pin_tree_string(now->item, "hint", "");
    pin_text_puts(out, error[0] != '\0' ? error : "out of reach");
    if (hint[0] != '\0') {
        pin_text_putf(out, "; to do: %s", hint);
    }
}

static void put_listing(const struct standing *now, struct pin_text *out)
{
    put_kinds(now, "listing", true, out);
    pin_text_putf(out, "; %zu kinds listed", count_kinds(now->source, "listed"));
    if (pin_tree_string(now->item, "error", "")[0] != '\0') {
        pin_text_puts(out, "; ");
        put_error(now, out);
    }
}

/* The rest of a cluster's line. */
static void put_detail(const struct standing *now, struct pin_text *out)
{
    switch (now->phase) {
    case PIN_PHASE_UP:
        put_up(now, out);
        break;
    case PIN_PHASE_LISTING:
        put_listing(now, out);
        break;
    case PIN_PHASE_LISTED:
        pin_text_puts(out, "answers are being made of what was listed");
        break;
    case PIN_PHASE_WAITING:
        pin_text_putf(out, "for the first answer (%s)", pin_tree_string(now->item, "source", "?"));
        break;
    default:
        put_error(now, out);
        break;
    }
}

/* " for 12 s": how long it has been wrong; nothing while it is well. */
static void put_age(const struct standing *now, struct pin_text *out)
{
    const struct pin_tree *age = pin_tree_find(now->source, "errorAgeSeconds");
    if (now->phase <= PIN_PHASE_FORBIDDEN && age != NULL && age->kind != PIN_TREE_NULL) {
        pin_text_puts(out, " for ");
        pin_clusters_put_duration(out, age->integer);
    }
}

/* --- Lines ---------------------------------------------------------------------------------- */

static const char *color_of(const struct pin_progress *self, enum phase phase)
{
    return !self->has_color               ? ""
           : phase == PIN_PHASE_UP        ? "\033[32m"
           : phase <= PIN_PHASE_FORBIDDEN ? "\033[31m"
                                          : "\033[33m";
}

static void put_line(
    const struct pin_progress *self, const struct standing *now, struct pin_text *out)
{
    pin_text_putf(out, "%s: %s%s%s", now->name, color_of(self, now->phase), phase_words[now->phase],
        self->has_color ? "\033[0m" : "");
    put_age(now, out);
    pin_text_puts(out, now->phase == PIN_PHASE_WAITING ? " " : ": ");
    put_detail(now, out);
    pin_text_putc(out, '\n');
}

/* null for what is not there. */
static void put_known(struct pin_jsonout *json, const char *key, const struct pin_tree *value)
{
    pin_jsonout_key(json, key);
    if (value == NULL) {
        pin_jsonout_null(json);
    } else {
        pin_jsonout_tree(json, value);
    }
}

static void put_json(const struct standing *now, struct pin_text *out)
{
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "cluster", now->name);
    pin_jsonout_key_string(&json, "state", phase_words[now->phase]);
    pin_jsonout_key_int(&json, "read", now->n_read);
    put_known(&json, "syncSeconds", pin_tree_find(now->source, "syncSeconds"));
    put_known(&json, "error", pin_tree_find(now->item, "error"));
    put_known(&json, "errorAgeSeconds", pin_tree_find(now->source, "errorAgeSeconds"));
    put_known(&json, "hint", pin_tree_find(now->item, "hint"));
    pin_jsonout_key(&json, "kinds");
    pin_jsonout_array(&json);
    PIN_TREE_EACH(kind, pin_tree_list(now->source, "kinds"))
    {
        pin_jsonout_object(&json);
        put_known(&json, "group", pin_tree_find(kind, "group"));
        put_known(&json, "kind", pin_tree_find(kind, "kind"));
        put_known(&json, "state", pin_tree_find(kind, "state"));
        put_known(&json, "objects", pin_tree_find(kind, "objects"));
        put_known(&json, "read", pin_tree_find(kind, "read"));
        put_known(&json, "expected", pin_tree_find(kind, "expected"));
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_text_putc(out, '\n');
}

/* What was said of that cluster last; NULL when memory is out. */
static struct told *find_told(struct pin_progress *self, const char *name)
{
    for (size_t i = 0; i < self->n_told; i++) {
        if (strcmp(self->told[i].name, name) == 0) {
            return &self->told[i];
        }
    }
    struct told *more = realloc(self->told, (self->n_told + 1) * sizeof(*more));
    if (more == NULL) {
        return NULL;
    }
    self->told = more;
    more[self->n_told] = (struct told){.name = strdup(name)};
    return more[self->n_told].name == NULL ? NULL : &more[self->n_told++];
}

/* What makes a line news: its phase and what is wrong, not how long or how much. Numbers come from
 * clocks and counters, in messages of others too ("after 3 ms"). */
static void put_words(const struct standing *now, struct pin_text *out)
{
    struct pin_text detail = {0};
    pin_text_puts(out, phase_words[now->phase]);
    put_detail(now, &detail);
    for (const char *at = pin_text_get(&detail); *at != '\0'; at++) {
        if (*at < '0' || *at > '9') {
            pin_text_putc(out, *at);
        }
    }
    pin_text_done(&detail);
}

static bool is_news(struct pin_progress *self, const struct standing *now, int64_t now_ms)
{
    struct pin_text words = {0};
    struct told *told = find_told(self, now->name);
    put_words(now, &words);
    if (told == NULL) {
        pin_text_done(&words);
        return true;
    }
    bool is_other = told->words == NULL || strcmp(told->words, pin_text_get(&words)) != 0;
    bool is_due = told->n_read != now->n_read && now_ms - told->at_ms >= AGAIN_MS;
    if (is_other || is_due) {
        free(told->words);
        told->words = pin_text_take(&words);
        told->n_read = now->n_read;
        told->at_ms = now_ms;
    }
    pin_text_done(&words);
    return is_other || is_due;
}

static void put_news(
    struct pin_progress *self, const struct pin_progress_view *view, struct pin_text *out)
{
    PIN_TREE_EACH(item, items_of(view))
    {
        const struct standing now = stand(view, item);
        if (!is_news(self, &now, view->now_ms)) {
            continue;
        }
        if (self->form == PIN_PROGRESS_JSON) {
            put_json(&now, out);
        } else {
            put_line(self, &now, out);
        }
    }
}

/* Why nothing can be told, once for each reason. */
static void put_problem(struct pin_progress *self, const char *problem, struct pin_text *out)
{
    if (self->form != PIN_PROGRESS_LINES
        || (self->problem != NULL && strcmp(self->problem, problem) == 0)) {
        return;
    }
    free(self->problem);
    self->problem = strdup(problem);
    pin_text_putf(out, "waiting: %s\n", problem);
}

/* --- A screen ------------------------------------------------------------------------------- */

/* Appends a line, cut so that the last column stays free; what begins with ESC has no width. */
static void put_cut(const struct pin_progress *self, const char *line, struct pin_text *out)
{
    size_t width = 0;
    bool is_escape = false;
    for (const char *at = line; *at != '\0' && *at != '\n'; at++) {
        is_escape = is_escape || *at == '\033';
        bool is_begin = ((unsigned char)*at & 0xc0) != 0x80; /* of a character in UTF-8 */
        width += is_begin && !is_escape ? 1 : 0;
        if (width < self->n_columns || is_escape) {
            pin_text_putc(out, *at);
        }
        is_escape = is_escape && *at != 'm';
    }
    pin_text_puts(out, "\033[K\n");
}

/* Back to the first of our lines. */
static void put_home(const struct pin_progress *self, struct pin_text *out)
{
    if (self->n_drawn > 0) {
        pin_text_putf(out, "\033[%zuA\r", self->n_drawn);
    }
}

/* The lines, what is not well first; those that have no room are counted. */
static size_t put_rows(
    struct pin_progress *self, const struct pin_progress_view *view, struct pin_text *out)
{
    const struct pin_tree *items = items_of(view);
    size_t n_room = self->n_rows > 2 ? self->n_rows - 2 : 1;
    size_t n_all = items == NULL ? 0 : items->n_children;
    size_t n_shown = 0;
    struct pin_text line = {0};
    bool is_full = n_all > n_room;
    for (int phase = 0; phase < PIN_PHASE_MAX; phase++) {
        PIN_TREE_EACH(item, items)
        {
            const struct standing now = stand(view, item);
            if ((int)(is_full ? now.phase : 0) == phase && n_shown < n_room) {
                pin_text_cut(&line, 0);
                put_line(self, &now, &line);
                put_cut(self, pin_text_get(&line), out);
                n_shown++;
            }
        }
    }
    if (n_shown < n_all) {
        pin_text_putf(out, "and %zu clusters more\033[K\n", n_all - n_shown);
    }
    pin_text_done(&line);
    return n_shown + (n_shown < n_all ? 1 : 0);
}

static void put_screen(
    struct pin_progress *self, const struct pin_progress_view *view, struct pin_text *out)
{
    size_t n_rows = 0;
    put_home(self, out);
    if (view->problem != NULL) {
        struct pin_text line = {0};
        pin_text_putf(&line, "waiting: %s", view->problem);
        put_cut(self, pin_text_get(&line), out);
        pin_text_done(&line);
        n_rows = 1;
    } else {
        n_rows = put_rows(self, view, out);
    }
    pin_text_puts(out, "\033[J"); /* what was drawn below */
    self->n_drawn = n_rows;
}

/* --- Life ----------------------------------------------------------------------------------- */

struct pin_progress *pin_progress_new(enum pin_progress_form form, bool has_color)
{
    struct pin_progress *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->form = form;
        self->has_color = has_color && form != PIN_PROGRESS_JSON;
        pin_progress_set_screen(self, 0, 0);
    }
    return self;
}

void pin_progress_free(struct pin_progress *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->n_told; i++) {
        free(self->told[i].name);
        free(self->told[i].words);
    }
    free(self->told);
    free(self->problem);
    free(self);
}

void pin_progress_set_screen(struct pin_progress *self, size_t n_rows, size_t n_columns)
{
    self->n_rows = n_rows > 0 ? n_rows : ROWS_DEFAULT;
    self->n_columns = n_columns > 0 ? n_columns : COLS_DEFAULT;
}

void pin_progress_put(
    struct pin_progress *self, const struct pin_progress_view *view, struct pin_text *out)
{
    if (self->form == PIN_PROGRESS_SCREEN) {
        put_screen(self, view, out);
    } else if (view->problem != NULL) {
        put_problem(self, view->problem, out);
    } else {
        put_news(self, view, out);
    }
}

void pin_progress_clear(struct pin_progress *self, struct pin_text *out)
{
    if (self->n_drawn > 0) {
        put_home(self, out);
        pin_text_puts(out, "\033[J");
        self->n_drawn = 0;
    }
}

void pin_progress_put_missing(const struct pin_progress_view *view, struct pin_text *out)
{
    bool is_any = view->problem != NULL;
    pin_text_puts(out, is_any ? view->problem : "");
    PIN_TREE_EACH(item, view->problem == NULL ? items_of(view) : NULL)
    {
        const struct standing now = stand(view, item);
        if (now.phase != PIN_PHASE_UP) {
            pin_text_putf(out, "%s%s is %s", is_any ? ", " : "", now.name, phase_words[now.phase]);
            put_age(&now, out);
            pin_text_puts(out, " (");
            put_detail(&now, out);
            pin_text_putc(out, ')');
            is_any = true;
        }
    }
    if (!is_any) {
        pin_text_puts(out, "pintled itself is not ready, /readyz?verbose says why");
    }
}
