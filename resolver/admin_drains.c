/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pages of drains: GET lists them, POST drains, DELETE undrains. An order is carried out and
 * published on the builder's thread before it is answered: who has the reply sees the new answers.
 */

#include <stdio.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "resolver/admin_pages.h"
#include "resolver/drain_store.h"

#define FOR_MAX_MS (UINT64_C(366) * 24 * 3600 * 1000)

/* --- what is asked for ----------------------------------------------------------------------- */

/* Fills the order from words; false after an error. */
static bool set_order(struct pin_page *page, const char *what, const char *name)
{
    struct pin_admin_drain *drain = &page->drain;
    if (what == NULL || !pin_drain_what_parse(what, &drain->order.what)) {
        pin_page_error(page, 400, "what: \"%s\" is not one of cluster, zone, service, endpoint",
            what != NULL ? what : "");
        return false;
    }
    if (name == NULL || name[0] == '\0' || strlen(name) >= sizeof(drain->name)) {
        pin_page_error(
            page, 400, "name: say which %s, in at most %zu bytes", what, sizeof(drain->name) - 1);
        return false;
    }
    (void)snprintf(drain->name, sizeof(drain->name), "%s", name);
    drain->order.name = drain->name;
    drain->order.until_ms = PIN_DRAIN_FOREVER;
    return true;
}

/* How long, from now; false after an error. */
static bool set_duration(struct pin_page *page, const char *text)
{
    uint64_t for_ms = 0;
    if (text == NULL) {
        return true;
    }
    if (!pin_duration_parse(text, &for_ms) || for_ms == 0 || for_ms > FOR_MAX_MS) {
        pin_page_error(
            page, 400, "for: \"%s\" is no duration from 1s to 366 days, such as 30m", text);
        return false;
    }
    page->drain.order.until_ms = (uint64_t)pin_clock_mono_ms() + for_ms;
    page->drain.order.until_wall_ms = pin_clock_wall_ms() + (int64_t)for_ms;
    return true;
}

/* {"what": "cluster", "name": "c1", "for": "30m"} */
static bool check_drain(struct pin_page *page)
{
    struct pin_arena *arena = NULL;
    const struct pin_tree *tree = pin_page_read_input(page, &arena);
    bool is_good =
        tree != NULL
        && set_order(page, pin_tree_string(tree, "what", NULL), pin_tree_string(tree, "name", NULL))
        && set_duration(page, pin_tree_string(tree, "for", NULL));
    pin_arena_free(arena);
    return is_good;
}

static bool check_undrain(struct pin_page *page)
{
    return set_order(page, page->arg_what, page->arg_name);
}

/* --- on the builder's thread ----------------------------------------------------------------- */

static void collect_list(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    struct pin_jsonout json = pin_jsonout_init(&page->drain.list);
    pin_catalog_drains_json(catalog, &json);
}

static void collect_order(struct pin_catalog *catalog, struct pin_page *page, enum pin_err err)
{
    page->drain.err = err;
    if (err == PIN_OK) {
        (void)pin_catalog_publish(catalog, (uint64_t)pin_clock_mono_ms());
        collect_list(catalog, page);
    }
}

static void collect_drain(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    collect_order(catalog, page, pin_catalog_drain(catalog, &page->drain.order, &page->drain.why));
}

static void collect_undrain(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    const struct pin_drain_order *order = &page->drain.order;
    page->drain.is_undrain = true;
    collect_order(
        catalog, page, pin_catalog_undrain(catalog, order->what, order->name, &page->drain.why));
}

/* --- the reply ------------------------------------------------------------------------------- */

static void put_list(struct pin_page *page, const char *warning)
{
    if (page->drain.list.failed) {
        pin_page_error(page, 503, "out of memory");
        return;
    }
    pin_text_putf(&page->body, "{\"items\":%s,\"warning\":", pin_text_get(&page->drain.list));
    pin_text_put_json_string(&page->body, warning, strlen(warning));
    pin_text_puts(&page->body, "}\n");
}

static void render_list(struct pin_page *page)
{
    put_list(page, "");
}

/* After an order: errors, or the list as it is now, which is kept on disk too. */
static void render_order(struct pin_page *page)
{
    const struct pin_admin_drain *drain = &page->drain;
    const char *dir = page->state->config.state_dir;
    struct pin_why why = {0};
    if (drain->err != PIN_OK) {
        pin_page_error(page,
            drain->err == PIN_EINVAL      ? 400
            : drain->err == PIN_ENOTFOUND ? 404
                                          : 503,
            "%s", drain->why.text);
        return;
    }
    pin_log_info("admin: %s %s is %s", pin_drain_what_text(drain->order.what), drain->name,
        drain->is_undrain                            ? "not drained any more"
        : drain->order.until_ms == PIN_DRAIN_FOREVER ? "drained"
                                                     : "drained for a while");
    if (dir != NULL && pin_drain_store_write(dir, pin_text_get(&drain->list), &why) != PIN_OK) {
        pin_log_error("admin: drains are in force, but a restart will forget them: %s", why.text);
    }
    put_list(page, dir == NULL ? "a restart forgets it: pintled has no --state-dir" : why.text);
}

static const struct pin_page_kind list_kind = {PIN_DRAINS_PATH, NULL, collect_list, render_list};
static const struct pin_page_kind drain_kind = {
    PIN_DRAINS_PATH, check_drain, collect_drain, render_order};
static const struct pin_page_kind undrain_kind = {
    PIN_DRAINS_PATH, check_undrain, collect_undrain, render_order};

const struct pin_page_kind *pin_page_find_drains(enum pin_page_verb verb)
{
    switch (verb) {
    case PIN_PAGE_POST:
        return &drain_kind;
    case PIN_PAGE_DELETE:
        return &undrain_kind;
    default:
        return &list_kind;
    }
}
