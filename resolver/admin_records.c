/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pages of records in other people's DNS servers: GET shows how zones and records stand, POST
 * has something done. What is shown and done is the recorder's, behind hooks.
 */

#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/tree.h"

#include "resolver/admin_pages.h"

/* The page of an error. */
static void put_error(struct pin_page *page, enum pin_err err, const struct pin_why *why)
{
    int status = err == PIN_ENOTFOUND ? 404
                 : err == PIN_EINVAL  ? 400
                 : err == PIN_EBUSY   ? 409
                                      : 503;
    pin_text_cut(&page->body, 0);
    pin_page_error(page, status, "%s", why->text[0] != '\0' ? why->text : pin_err_str(err));
}

/* --- GET -------------------------------------------------------------------------------------- */

static void show(struct pin_page *page, enum pin_admin_records_view view)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    const struct pin_admin_records_query query = {.view = view,
        .records = page->arg_records,
        .zone = page->arg_zone,
        .name = page->arg_name,
        .after = page->arg_after,
        .is_adoption = page->arg_what != NULL && strcmp(page->arg_what, "adoption") == 0};
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    struct pin_why why = {0};
    enum pin_err err = hooks->records_json == NULL
                           ? pin_why_set(&why, PIN_ENOTFOUND, "no records are configured")
                           : hooks->records_json(hooks->arg, &query, &json, &why);
    if (err != PIN_OK) {
        put_error(page, err, &why);
    } else {
        pin_text_putc(&page->body, '\n');
    }
}

static void render_overview(struct pin_page *page)
{
    show(page, PIN_ADMIN_RECORDS_OVERVIEW);
}

static void render_list(struct pin_page *page)
{
    show(page, PIN_ADMIN_RECORDS_LIST);
}

static void render_plan(struct pin_page *page)
{
    show(page, PIN_ADMIN_RECORDS_PLAN);
}

static void render_drift(struct pin_page *page)
{
    show(page, PIN_ADMIN_RECORDS_DRIFT);
}

/* --- POST ------------------------------------------------------------------------------------- */

static void carry_out(
    struct pin_page *page, struct pin_admin_records_order *order, const struct pin_tree *tree)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    struct pin_why why = {0};
    order->records = pin_tree_string(tree, "records", NULL);
    order->zone = pin_tree_string(tree, "zone", NULL);
    order->hash = pin_tree_string(tree, "hash", NULL);
    order->from_owner = pin_tree_string(tree, "fromOwner", NULL);
    enum pin_err err = hooks->records_order == NULL
                           ? pin_why_set(&why, PIN_ENOTFOUND, "no records are configured")
                           : hooks->records_order(hooks->arg, order, &json, &why);
    if (err != PIN_OK) {
        put_error(page, err, &why);
        return;
    }
    pin_text_putc(&page->body, '\n');
    pin_log_info("admin: records: %s is ordered for zone %s", strrchr(page->path, '/') + 1,
        order->zone != NULL ? order->zone : "(all)");
}

/* The body is an object; the page is done when this returns, and not rendered. */
static bool order(struct pin_page *page, enum pin_admin_records_act act)
{
    struct pin_admin_records_order made = {.act = act};
    struct pin_arena *arena = NULL;
    const struct pin_tree *tree = pin_page_read_input(page, &arena);
    if (tree != NULL) {
        carry_out(page, &made, tree);
    }
    pin_arena_free(arena);
    return false;
}

static bool check_apply(struct pin_page *page)
{
    return order(page, PIN_ADMIN_RECORDS_APPLY);
}

static bool check_plan(struct pin_page *page)
{
    return order(page, PIN_ADMIN_RECORDS_LOOK);
}

static bool check_approve(struct pin_page *page)
{
    return order(page, PIN_ADMIN_RECORDS_APPROVE);
}

static bool check_adopt(struct pin_page *page)
{
    return order(page, PIN_ADMIN_RECORDS_ADOPT);
}

/* A path that only takes orders shows the overview to who only looks. */
static const struct row {
    struct pin_page_kind get;
    struct pin_page_kind post;
} rows[] = {
    {{PIN_RECORDS_PATH, NULL, NULL, render_overview}, {0}},
    {{PIN_RECORDS_PATH "/list", NULL, NULL, render_list}, {0}},
    {{PIN_RECORDS_PATH "/plan", NULL, NULL, render_plan},
        {PIN_RECORDS_PATH "/plan", check_plan, NULL, NULL}},
    {{PIN_RECORDS_PATH "/drift", NULL, NULL, render_drift}, {0}},
    {{PIN_RECORDS_PATH "/apply", NULL, NULL, render_overview},
        {PIN_RECORDS_PATH "/apply", check_apply, NULL, NULL}},
    {{PIN_RECORDS_PATH "/approve", NULL, NULL, render_overview},
        {PIN_RECORDS_PATH "/approve", check_approve, NULL, NULL}},
    {{PIN_RECORDS_PATH "/adopt", NULL, NULL, render_overview},
        {PIN_RECORDS_PATH "/adopt", check_adopt, NULL, NULL}},
};

const struct pin_page_kind *pin_page_find_records(const char *path, enum pin_page_verb verb)
{
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        if (strcmp(rows[i].get.path, path) == 0) {
            return verb == PIN_PAGE_GET                                  ? &rows[i].get
                   : verb == PIN_PAGE_POST && rows[i].post.check != NULL ? &rows[i].post
                                                                         : NULL;
        }
    }
    return NULL;
}
