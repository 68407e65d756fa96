/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl top routes: the share of a route's answers in which a backend's address stood first,
 * beside the share that it should have, as the daemon counts both.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"
#include "cli/top.h"

#define PATH    "/api/v1/traffic"
#define LOOK_US 1000000u
#define FAR     0.1 /* a difference that is coloured */
#define ENOUGH  100 /* answers of a route for that */

/* Figures of a row, or of all rows of a route: since the start, and since the look before. */
struct figures {
    double answers;
    double wanted;
    double new_answers;
    double new_wanted;
};

static double number_of(const struct pin_tree *item, const char *key)
{
    const struct pin_tree *value = pin_tree_find(item, key);
    return value != NULL ? value->number : 0;
}

static bool is_same(const struct pin_tree *a, const struct pin_tree *b, const char *key)
{
    return strcmp(pin_tree_string(a, key, ""), pin_tree_string(b, key, "")) == 0;
}

/* The same row a look before, or NULL. Rows keep their order. */
static const struct pin_tree *find_before(const struct pin_tree *before, const struct pin_tree *row)
{
    PIN_TREE_EACH(other, pin_tree_list(before, "routes"))
    {
        if (is_same(other, row, "route") && is_same(other, row, "cluster")
            && is_same(other, row, "backend")) {
            return other;
        }
    }
    return NULL;
}

/* A row that begins anew, or is of another process, began at 0. */
static struct figures compare(const struct pin_tree *before, const struct pin_tree *row)
{
    const struct pin_tree *was = find_before(before, row);
    struct figures f = {.answers = number_of(row, "answers"), .wanted = number_of(row, "wanted")};
    bool goes_on = was != NULL && number_of(was, "answers") <= f.answers;
    f.new_answers = f.answers - (goes_on ? number_of(was, "answers") : 0);
    f.new_wanted = f.wanted - (goes_on ? number_of(was, "wanted") : 0);
    return f;
}

/* The figures of all rows of the row's route. */
static struct figures add_up(
    const struct pin_tree *before, const struct pin_tree *now, const struct pin_tree *row)
{
    struct figures sum = {0};
    PIN_TREE_EACH(other, pin_tree_list(now, "routes"))
    {
        if (is_same(other, row, "route")) {
            struct figures f = compare(before, other);
            sum.answers += f.answers;
            sum.wanted += f.wanted;
            sum.new_answers += f.new_answers;
            sum.new_wanted += f.new_wanted;
        }
    }
    return sum;
}

static double share(double part, double all)
{
    return all > 0 ? part / all : 0;
}

static void put_percent(struct pin_columns *table, double part, double all, enum pin_color color)
{
    char cell[32];
    (void)snprintf(cell, sizeof(cell), "%.1f %%", 100 * share(part, all));
    pin_columns_cell(table, all > 0 ? cell : "-", color);
}

static bool print_table(
    const struct pin_ctl *ctl, const struct pin_tree *before, const struct pin_tree *now)
{
    static const struct pin_column columns[] = {{"ROUTE", false}, {"BACKEND", false},
        {"CLUSTER", false}, {"PER SECOND", true}, {"SEEN NOW", true}, {"SEEN", true},
        {"WANTED", true}, {"ANSWERS", true}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(row, pin_tree_list(now, "routes"))
    {
        struct figures f = compare(before, row);
        struct figures all = add_up(before, now, row);
        double off = share(f.answers, all.answers) - share(f.wanted, all.wanted);
        bool is_far = all.answers >= ENOUGH && (off > FAR || off < -FAR);
        char cell[32];
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(row, "route", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(row, "backend", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(row, "cluster", ""), PIN_COLOR_NONE);
        (void)snprintf(cell, sizeof(cell), "%.1f", f.new_answers);
        pin_columns_cell(table, cell, PIN_COLOR_NONE);
        put_percent(table, f.new_answers, all.new_answers, PIN_COLOR_NONE);
        put_percent(table, f.answers, all.answers, is_far ? PIN_COLOR_BAD : PIN_COLOR_NONE);
        put_percent(table, f.wanted, all.wanted, PIN_COLOR_NONE);
        (void)snprintf(cell, sizeof(cell), "%.0f", f.answers);
        pin_columns_cell(table, cell, PIN_COLOR_NONE);
    }
    return pin_columns_print(table);
}

static bool print_json(
    const struct pin_ctl *ctl, const struct pin_tree *before, const struct pin_tree *now)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "routes");
    pin_jsonout_array(&json);
    PIN_TREE_EACH(row, pin_tree_list(now, "routes"))
    {
        struct figures f = compare(before, row);
        struct figures all = add_up(before, now, row);
        pin_jsonout_object(&json);
        pin_jsonout_key_string(&json, "route", pin_tree_string(row, "route", ""));
        pin_jsonout_key_string(&json, "backend", pin_tree_string(row, "backend", ""));
        pin_jsonout_key_string(&json, "cluster", pin_tree_string(row, "cluster", ""));
        pin_jsonout_key_double(&json, "perSecond", f.new_answers);
        pin_jsonout_key_double(&json, "seen", share(f.answers, all.answers));
        pin_jsonout_key_double(&json, "wanted", share(f.wanted, all.wanted));
        pin_jsonout_key_double(&json, "answers", f.answers);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    bool is_good = pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_good;
}

enum pin_ctl_exit pin_top_routes(const struct pin_ctl *ctl, bool is_live)
{
    struct pin_api_reply before = {0};
    struct pin_api_reply now = {0};
    bool goes_on = true;
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, PATH, &before);
    while (exit_code == PIN_CTL_OK && goes_on) {
        (void)usleep(LOOK_US);
        pin_api_reply_done(&now);
        now = (struct pin_api_reply){0};
        exit_code = pin_api_fetch(ctl, PATH, &now);
        if (exit_code != PIN_CTL_OK) {
            break;
        }
        (void)fputs(is_live ? "\033[H\033[J" : "", stdout);
        bool is_good = ctl->output == PIN_CTL_TABLE ? print_table(ctl, before.tree, now.tree)
                                                    : print_json(ctl, before.tree, now.tree);
        exit_code = is_good && fflush(stdout) == 0 ? PIN_CTL_OK : PIN_CTL_FAILED;
        struct pin_api_reply older = before;
        before = now;
        now = older;
        goes_on = is_live;
    }
    pin_api_reply_done(&before);
    pin_api_reply_done(&now);
    return exit_code;
}
