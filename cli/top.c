/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl top: questions a second, by RCODE, type and transport. The daemon counts; what happened
 * between two looks is the rate. Names, clients and routes have files of their own.
 */

#include "cli/top.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/macros.h"
#include "pintle/base/tree.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

#define PATH      "/api/v1/traffic"
#define LOOK_US   1000000u
#define NAMES_MAX 48u

/* One value of a dimension: an RCODE, a type, a transport. */
struct figure {
    char name[24];
    long long total;
    double per_second;
};

/* All values of one. */
struct dimension {
    const char *key;   /* In the page's items. */
    const char *list;  /* In what is printed as JSON. */
    const char *title; /* In tables. */
    struct figure figures[NAMES_MAX];
    size_t n;
};

/* What one look saw, or what two of them make. */
struct sample {
    long long pid;
    long long uptime_ms;
    long long total;
    double per_second;
    double seconds; /* between the looks; 0: since the start */
    struct dimension dimensions[3];
};

static struct figure *find_figure(struct dimension *dimension, const char *name)
{
    for (size_t i = 0; i < dimension->n; i++) {
        if (strcmp(dimension->figures[i].name, name) == 0) {
            return &dimension->figures[i];
        }
    }
    return NULL;
}

static void add(struct dimension *dimension, const char *name, long long count)
{
    struct figure *figure = find_figure(dimension, name);
    if (figure == NULL && dimension->n < NAMES_MAX && strlen(name) < sizeof(figure->name)) {
        figure = &dimension->figures[dimension->n++];
        (void)snprintf(figure->name, sizeof(figure->name), "%s", name);
    }
    if (figure != NULL) {
        figure->total += count;
    }
}

static enum pin_ctl_exit look(const struct pin_ctl *ctl, struct sample *ret_sample)
{
    struct pin_api_reply reply = {0};
    struct sample sample = {.dimensions = {{.key = "rcode", .list = "rcodes", .title = "rcode"},
                                {.key = "type", .list = "types", .title = "type"},
                                {.key = "transport", .list = "transports", .title = "transport"}}};
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, PATH, &reply);
    if (exit_code == PIN_CTL_OK) {
        pin_emit_printable(&reply);
        sample.pid = pin_tree_int(reply.tree, "pid", 0);
        sample.uptime_ms = pin_tree_int(reply.tree, "uptimeMs", 0);
        PIN_TREE_EACH(item, pin_tree_list(reply.tree, "queries"))
        {
            long long count = pin_tree_int(item, "count", 0);
            sample.total += count;
            for (size_t i = 0; i < N_ELEMS(sample.dimensions); i++) {
                struct dimension *dimension = &sample.dimensions[i];
                add(dimension, pin_tree_string(item, dimension->key, ""), count);
            }
        }
        *ret_sample = sample;
    }
    pin_api_reply_done(&reply);
    return exit_code;
}

static int compare_figures(const void *a, const void *b)
{
    const struct figure *x = a;
    const struct figure *y = b;
    if (x->per_second != y->per_second) {
        return x->per_second < y->per_second ? 1 : -1;
    }
    return x->total < y->total ? 1 : x->total > y->total ? -1 : strcmp(x->name, y->name);
}

/* Gives `now` its rates; another process than before began at 0. */
static void compare(struct sample *before, struct sample *now)
{
    static struct sample nothing;
    bool is_same = before->pid == now->pid && before->uptime_ms < now->uptime_ms;
    struct sample *from = is_same ? before : &nothing;
    now->seconds = (double)(now->uptime_ms - from->uptime_ms) / 1000;
    double seconds = now->seconds > 0 ? now->seconds : 1;
    now->per_second = (double)(now->total - from->total) / seconds;
    for (size_t i = 0; i < N_ELEMS(now->dimensions); i++) {
        struct dimension *dimension = &now->dimensions[i];
        for (size_t j = 0; j < dimension->n; j++) {
            struct figure *figure = &dimension->figures[j];
            const struct figure *was = find_figure(&from->dimensions[i], figure->name);
            figure->per_second = (double)(figure->total - (was == NULL ? 0 : was->total)) / seconds;
        }
        qsort(dimension->figures, dimension->n, sizeof(dimension->figures[0]), compare_figures);
    }
}

/* --- What is shown -------------------------------------------------------------------------- */

static void put_row(
    struct pin_columns *table, const char *title, const struct figure *figure, double all)
{
    char texts[3][32];
    double share = all > 0 ? 100 * figure->per_second / all : 0;
    (void)snprintf(texts[0], sizeof(texts[0]), "%.1f", figure->per_second);
    (void)snprintf(texts[1], sizeof(texts[1]), "%.1f %%", share);
    (void)snprintf(texts[2], sizeof(texts[2]), "%lld", figure->total);
    bool is_bad = strcmp(figure->name, "SERVFAIL") == 0 && figure->per_second > 0;
    pin_columns_row(table);
    pin_columns_cell(table, title, PIN_COLOR_NONE);
    pin_columns_cell(table, figure->name, is_bad ? PIN_COLOR_BAD : PIN_COLOR_NONE);
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        pin_columns_cell(table, texts[i], PIN_COLOR_NONE);
    }
}

static bool print_table(const struct pin_ctl *ctl, const struct sample *sample)
{
    static const struct pin_column columns[] = {{"QUESTIONS", false}, {"", false},
        {"PER SECOND", true}, {"SHARE", true}, {"SINCE START", true}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    struct figure all = {.name = "", .total = sample->total, .per_second = sample->per_second};
    put_row(table, "all", &all, sample->per_second);
    for (size_t i = 0; i < N_ELEMS(sample->dimensions); i++) {
        const struct dimension *dimension = &sample->dimensions[i];
        for (size_t j = 0; j < dimension->n; j++) {
            put_row(table, dimension->title, &dimension->figures[j], sample->per_second);
        }
    }
    return pin_columns_print(table);
}

static bool print_json(const struct pin_ctl *ctl, const struct sample *sample)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key_double(&json, "seconds", sample->seconds);
    pin_jsonout_key_double(&json, "perSecond", sample->per_second);
    pin_jsonout_key_int(&json, "total", sample->total);
    for (size_t i = 0; i < N_ELEMS(sample->dimensions); i++) {
        const struct dimension *dimension = &sample->dimensions[i];
        pin_jsonout_key(&json, dimension->list);
        pin_jsonout_array(&json);
        for (size_t j = 0; j < dimension->n; j++) {
            pin_jsonout_object(&json);
            pin_jsonout_key_string(&json, "name", dimension->figures[j].name);
            pin_jsonout_key_double(&json, "perSecond", dimension->figures[j].per_second);
            pin_jsonout_key_int(&json, "total", dimension->figures[j].total);
            pin_jsonout_end(&json);
        }
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    bool is_good = pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_good;
}

/* A terminal is shown one picture after another, anything else one alone. */
static bool is_live(const struct pin_ctl *ctl)
{
    const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): one thread */
    return ctl->is_terminal && !ctl->once && ctl->output == PIN_CTL_TABLE && term != NULL
           && strcmp(term, "dumb") != 0;
}

static enum pin_ctl_exit top_questions(const struct pin_ctl *ctl, bool live)
{
    struct sample *before = calloc(2, sizeof(*before));
    struct sample *now = before == NULL ? NULL : before + 1;
    enum pin_ctl_exit exit_code = before == NULL ? PIN_CTL_FAILED : look(ctl, before);
    while (exit_code == PIN_CTL_OK) {
        (void)usleep(LOOK_US);
        exit_code = look(ctl, now);
        if (exit_code != PIN_CTL_OK) {
            break;
        }
        struct sample next = *now;
        compare(before, now);
        (void)fputs(live ? "\033[H\033[J" : "", stdout);
        bool is_good = ctl->output == PIN_CTL_TABLE ? print_table(ctl, now) : print_json(ctl, now);
        if (!is_good || fflush(stdout) != 0) {
            exit_code = PIN_CTL_FAILED;
        }
        if (!live) {
            break;
        }
        *before = next;
    }
    free(before);
    return exit_code;
}

enum pin_ctl_exit pin_ctl_top(const struct pin_ctl *ctl)
{
    const char *what = ctl->n_words > 0 ? ctl->words[0] : "questions";
    bool live = is_live(ctl);
    if (strcmp(what, "questions") == 0) {
        return top_questions(ctl, live);
    }
    if (strcmp(what, "names") == 0 || strcmp(what, "clients") == 0) {
        return pin_top_busy(ctl, what[0] == 'c', live);
    }
    if (strcmp(what, "routes") == 0) {
        return pin_top_routes(ctl, live);
    }
    (void)fprintf(
        stderr, "pintlectl: top shows questions, names, clients or routes, not %s\n", what);
    return PIN_CTL_USAGE;
}
