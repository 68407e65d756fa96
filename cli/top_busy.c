/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl top names|clients: which names are asked for most, and by which networks. Questions
 * come as `pintlectl tail` has them, a sample when there are many; they are counted here.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/ip.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "cli/emit.h"
#include "cli/events.h"
#include "cli/table.h"
#include "cli/top.h"

#define PATH     "/api/v1/stream?topics=queries,traffic"
#define KEYS_MAX 20000u /* those beyond are counted as one */
#define OTHERS   "(others)"
#define ROWS     20u  /* of a table */
#define ITEMS    100u /* of JSON */
#define V4_BITS  24u
#define V6_BITS  56u
#define NEVER    INT64_C(-1)
#define MS_PER_S 1000.0
#define ONCE_MS  2000 /* what is looked at for one picture */

/* One name or network. */
struct busy {
    uint64_t n;        /* questions, as far as they were seen times how many each stands for */
    uint64_t n_failed; /* of these, neither NOERROR nor NXDOMAIN */
    uint64_t n_absent; /* of these, NXDOMAIN */
    char key[];
};

struct watch {
    const struct pin_ctl *ctl;
    bool is_by_client;
    bool is_live;
    bool has_failed;
    int64_t begin_ms; /* NEVER: not yet */
    int64_t now_ms;
    uint64_t n;
    struct pin_map keys; /* -> struct busy */
};

/* --- Counting ------------------------------------------------------------------------------- */

/* "10.1.0.0/24" of "10.1.0.7:4096"; what is no address stays as it is. */
static const char *network_of(const char *peer, char cell[PIN_PREFIX_TEXT_MAX])
{
    struct pin_addrport address;
    if (!pin_addrport_parse(peer, 0, &address)) {
        return peer;
    }
    struct pin_prefix prefix =
        pin_prefix_of(&address.ip, address.ip.family == 4 ? V4_BITS : V6_BITS);
    return pin_prefix_format(&prefix, cell);
}

/* Where a key is counted; NULL when memory is out. */
static struct busy *find_busy(struct watch *watch, const char *key)
{
    size_t bytes = strlen(key);
    struct busy *busy = pin_map_find(&watch->keys, key, bytes);
    if (busy == NULL && pin_map_count(&watch->keys) >= KEYS_MAX && strcmp(key, OTHERS) != 0) {
        return find_busy(watch, OTHERS);
    }
    if (busy == NULL) {
        busy = calloc(1, sizeof(*busy) + bytes + 1);
        if (busy != NULL && !pin_map_put(&watch->keys, key, bytes, busy, NULL)) {
            free(busy);
            return NULL;
        }
        if (busy != NULL) {
            memcpy(busy->key, key, bytes + 1);
        }
    }
    return busy;
}

static void count(struct watch *watch, const struct pin_tree *item, uint64_t every)
{
    char cell[PIN_PREFIX_TEXT_MAX];
    const char *key = watch->is_by_client ? network_of(pin_tree_string(item, "peer", ""), cell)
                                          : pin_tree_string(item, "name", "");
    const char *rcode = pin_tree_string(item, "rcode", "");
    struct busy *busy = find_busy(watch, key);
    if (busy == NULL) {
        watch->has_failed = true;
        return;
    }
    bool is_absent = strcmp(rcode, "NXDOMAIN") == 0;
    busy->n += every;
    busy->n_absent += is_absent ? every : 0;
    busy->n_failed += !is_absent && strcmp(rcode, "NOERROR") != 0 ? every : 0;
    watch->n += every;
}

/* --- Showing -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct busy *x = *(const struct busy *const *)a;
    const struct busy *y = *(const struct busy *const *)b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->key, y->key);
}

/* The busiest first; to be freed. NULL when memory is out. */
static struct busy **sort(const struct watch *watch, size_t *ret_n)
{
    size_t cursor = 0;
    size_t n = 0;
    void *value = NULL;
    struct busy **all = calloc(pin_map_count(&watch->keys) + 1, sizeof(struct busy *));
    while (all != NULL && pin_map_next(&watch->keys, &cursor, NULL, NULL, &value)) {
        all[n++] = value;
    }
    if (n > 1) {
        qsort(all, n, sizeof(struct busy *), compare);
    }
    *ret_n = n;
    return all;
}

static double seconds_of(const struct watch *watch)
{
    double seconds = (double)(watch->now_ms - watch->begin_ms) / MS_PER_S;
    return seconds > 0 ? seconds : 1;
}

static void put_share(struct pin_columns *table, uint64_t n, uint64_t all, enum pin_color color)
{
    char cell[32];
    (void)snprintf(cell, sizeof(cell), "%.1f %%", all > 0 ? 100.0 * (double)n / (double)all : 0.0);
    pin_columns_cell(table, cell, n > 0 ? color : PIN_COLOR_NONE);
}

static bool print_table(const struct watch *watch, struct busy *const *all, size_t n)
{
    const struct pin_column columns[] = {{watch->is_by_client ? "NETWORK" : "NAME", false},
        {"PER SECOND", true}, {"SHARE", true}, {"NXDOMAIN", true}, {"FAILED", true}};
    struct pin_columns *table = pin_columns_new(watch->ctl, columns, N_ELEMS(columns));
    for (size_t i = 0; i < n && i < ROWS; i++) {
        char cell[32];
        (void)snprintf(cell, sizeof(cell), "%.1f", (double)all[i]->n / seconds_of(watch));
        pin_columns_row(table);
        pin_columns_cell(table, all[i]->key, PIN_COLOR_NONE);
        pin_columns_cell(table, cell, PIN_COLOR_NONE);
        put_share(table, all[i]->n, watch->n, PIN_COLOR_NONE);
        put_share(table, all[i]->n_absent, all[i]->n, PIN_COLOR_WARN);
        put_share(table, all[i]->n_failed, all[i]->n, PIN_COLOR_BAD);
    }
    return pin_columns_print(table);
}

static bool print_json(const struct watch *watch, struct busy *const *all, size_t n)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key_double(&json, "seconds", seconds_of(watch));
    pin_jsonout_key_double(&json, "perSecond", (double)watch->n / seconds_of(watch));
    pin_jsonout_key(&json, watch->is_by_client ? "clients" : "names");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < n && i < ITEMS; i++) {
        pin_jsonout_object(&json);
        pin_jsonout_key_string(&json, "name", all[i]->key);
        pin_jsonout_key_double(&json, "perSecond", (double)all[i]->n / seconds_of(watch));
        pin_jsonout_key_uint(&json, "total", all[i]->n);
        pin_jsonout_key_uint(&json, "nxdomain", all[i]->n_absent);
        pin_jsonout_key_uint(&json, "failed", all[i]->n_failed);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    bool is_good = pin_emit_made(watch->ctl, &text);
    pin_text_done(&text);
    return is_good;
}

static void show(struct watch *watch)
{
    size_t n = 0;
    struct busy **all = sort(watch, &n);
    bool is_good = all != NULL;
    (void)fputs(watch->is_live ? "\033[H\033[J" : "", stdout);
    if (is_good && watch->ctl->output == PIN_CTL_TABLE) {
        is_good = print_table(watch, all, n);
    } else if (is_good) {
        is_good = print_json(watch, all, n);
    }
    watch->has_failed = watch->has_failed || !is_good || fflush(stdout) != 0;
    free(all);
}

/* --- The command ---------------------------------------------------------------------------- */

/* Questions, or, each second, counters whose time is a clock. */
static bool on_event(void *arg, const struct pin_tree *event)
{
    struct watch *watch = arg;
    int64_t at_ms = pin_tree_int(event, "atMs", NEVER);
    int64_t every = pin_tree_int(event, "every", 1);
    PIN_TREE_EACH(item, pin_tree_list(event, "items"))
    {
        count(watch, item, every > 1 ? (uint64_t)every : 1);
    }
    if (at_ms == NEVER) {
        return !watch->has_failed;
    }
    watch->begin_ms = watch->begin_ms == NEVER ? at_ms : watch->begin_ms;
    watch->now_ms = at_ms;
    bool is_over = !watch->is_live && at_ms - watch->begin_ms >= ONCE_MS;
    if (watch->is_live || is_over) {
        show(watch);
    }
    return !watch->has_failed && !is_over;
}

enum pin_ctl_exit pin_top_busy(const struct pin_ctl *ctl, bool is_by_client, bool is_live)
{
    struct watch watch = {
        .ctl = ctl, .is_by_client = is_by_client, .is_live = is_live, .begin_ms = NEVER};
    enum pin_ctl_exit exit_code = pin_events_watch(ctl, PATH, on_event, &watch);
    pin_map_done(&watch.keys, free);
    return watch.has_failed ? PIN_CTL_FAILED : exit_code;
}
