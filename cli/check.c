/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl clusters check: has the daemon ask each API server what watching it depends on, and
 * prints what it found, cluster by cluster.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

#define PATH        "/api/v1/clusters"
#define POLL_US     50000
#define STATUS_BUSY 503

/* One cluster's check. */
struct checking {
    char *path; /* ".../NAME/check" */
    bool is_begun;
    bool is_done;
    struct pin_api_reply reply; /* the last one */
};

/* All that are asked for. */
struct checks {
    struct checking *items;
    size_t n;
    size_t n_done;
};

static void checks_done(struct checks *checks)
{
    for (size_t i = 0; i < checks->n; i++) {
        free(checks->items[i].path);
        pin_api_reply_done(&checks->items[i].reply);
    }
    free(checks->items);
}

static bool add(struct checks *checks, const char *name)
{
    struct pin_text path = {0};
    pin_text_puts(&path, PATH "/");
    pin_api_put_escaped(&path, name);
    pin_text_puts(&path, "/check");
    checks->items[checks->n].path = pin_text_take(&path);
    return checks->items[checks->n++].path != NULL;
}

/* Those that were named, or all. */
static enum pin_ctl_exit choose(const struct pin_ctl *ctl, struct checks *checks)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, PATH, &reply);
    const struct pin_tree *items = pin_tree_list(reply.tree, "items");
    bool is_good = exit_code == PIN_CTL_OK && items != NULL;
    if (is_good) {
        checks->items =
            calloc((size_t)items->n_children + PIN_CTL_WORDS_MAX, sizeof(*checks->items));
        is_good = checks->items != NULL;
    }
    for (size_t i = 0; is_good && i < ctl->n_words; i++) {
        is_good = add(checks, ctl->words[i]);
    }
    PIN_TREE_EACH(item, ctl->n_words == 0 ? items : NULL)
    {
        is_good = is_good && add(checks, pin_tree_string(item, "name", ""));
    }
    pin_api_reply_done(&reply);
    return is_good || exit_code != PIN_CTL_OK ? exit_code : PIN_CTL_FAILED;
}

/*
 * Begins the check or asks how far it is. Complains about errors but for a daemon that is busy
 * with other checks: that one is to be tried again.
 */
static enum pin_ctl_exit look(const struct pin_ctl *ctl, struct checking *item)
{
    struct pin_why why = {0};
    struct pin_api_reply reply = {0};
    struct pin_api_order order = {
        item->is_begun ? "GET" : "POST", item->path, item->is_begun ? NULL : "{}"};
    enum pin_err err = pin_api_try(ctl->admin, &order, &reply, &why);
    if (err == PIN_OK && reply.status == STATUS_BUSY && !item->is_begun) {
        pin_api_reply_done(&reply);
        return PIN_CTL_OK;
    }
    pin_api_reply_done(&item->reply);
    item->reply = reply;
    enum pin_ctl_exit exit_code = pin_api_judge(err, &item->reply, &why);
    item->is_begun = exit_code == PIN_CTL_OK;
    item->is_done =
        exit_code == PIN_CTL_OK && strcmp(pin_tree_string(reply.tree, "state", ""), "done") == 0;
    return exit_code;
}

static enum pin_ctl_exit run(const struct pin_ctl *ctl, struct checks *checks)
{
    int64_t deadline_ms = pin_clock_mono_ms() + (int64_t)ctl->wait_ms;
    while (checks->n_done < checks->n) {
        checks->n_done = 0;
        for (size_t i = 0; i < checks->n; i++) {
            struct checking *item = &checks->items[i];
            enum pin_ctl_exit exit_code = item->is_done ? PIN_CTL_OK : look(ctl, item);
            if (exit_code != PIN_CTL_OK) {
                return exit_code;
            }
            checks->n_done += item->is_done ? 1 : 0;
        }
        if (checks->n_done < checks->n && pin_clock_mono_ms() >= deadline_ms) {
            (void)fprintf(stderr,
                "pintlectl: %zu of %zu checks had not ended after %" PRIu64 " s\n",
                checks->n - checks->n_done, checks->n, ctl->wait_ms / 1000);
            return PIN_CTL_TIMED_OUT;
        }
        if (checks->n_done < checks->n) {
            (void)usleep(POLL_US);
        }
    }
    return PIN_CTL_OK;
}

/* --- Output --------------------------------------------------------------------------------- */

/* {"items": [...]}, as JSON or YAML. */
static bool print_made(const struct pin_ctl *ctl, const struct checks *checks)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < checks->n; i++) {
        pin_jsonout_tree(&json, checks->items[i].reply.tree);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    bool is_good = pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_good;
}

static bool print_findings(const struct pin_ctl *ctl, const struct pin_tree *report)
{
    static const struct pin_column columns[] = {
        {"CHECK", false}, {"RESULT", false}, {"FOUND", false}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(finding, pin_tree_list(report, "findings"))
    {
        const char *result = pin_tree_string(finding, "result", "");
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(finding, "code", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, result,
            strcmp(result, "ok") == 0     ? PIN_COLOR_GOOD
            : strcmp(result, "warn") == 0 ? PIN_COLOR_WARN
                                          : PIN_COLOR_BAD);
        pin_columns_cell(table, pin_tree_string(finding, "text", ""), PIN_COLOR_NONE);
    }
    return pin_columns_print(table);
}

/* What to do, each thing once. */
static void print_hints(const struct pin_tree *report)
{
    const char *last = "";
    PIN_TREE_EACH(finding, pin_tree_list(report, "findings"))
    {
        const char *hint = pin_tree_string(finding, "hint", "");
        if (hint[0] != '\0' && strcmp(hint, last) != 0) {
            (void)printf("    try: %s\n", hint);
            last = hint;
        }
    }
}

static bool print_reports(const struct pin_ctl *ctl, struct checks *checks)
{
    for (size_t i = 0; i < checks->n; i++) {
        struct pin_api_reply *reply = &checks->items[i].reply;
        if (pin_emit_reply(ctl, reply)) { /* only makes it printable: the output is a table */
            return false;
        }
        (void)printf("%s%s: %s\n", i == 0 ? "" : "\n", pin_tree_string(reply->tree, "name", "?"),
            pin_tree_string(reply->tree, "result", "not checked"));
        (void)fflush(stdout);
        if (!print_findings(ctl, reply->tree)) {
            return false;
        }
        print_hints(reply->tree);
    }
    return true;
}

static bool has_failed(const struct checks *checks)
{
    for (size_t i = 0; i < checks->n; i++) {
        if (strcmp(pin_tree_string(checks->items[i].reply.tree, "result", ""), "fail") == 0) {
            return true;
        }
    }
    return false;
}

enum pin_ctl_exit pin_ctl_clusters_check(const struct pin_ctl *ctl)
{
    struct checks checks = {0};
    enum pin_ctl_exit exit_code = choose(ctl, &checks);
    exit_code = exit_code == PIN_CTL_OK ? run(ctl, &checks) : exit_code;
    if (exit_code == PIN_CTL_OK || exit_code == PIN_CTL_TIMED_OUT) {
        bool is_good =
            ctl->output == PIN_CTL_TABLE ? print_reports(ctl, &checks) : print_made(ctl, &checks);
        exit_code = exit_code != PIN_CTL_OK           ? exit_code
                    : !is_good || has_failed(&checks) ? PIN_CTL_FAILED
                                                      : PIN_CTL_OK;
    }
    checks_done(&checks);
    return exit_code;
}
