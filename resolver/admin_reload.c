/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pages of reloads, and of processes that take this one's place: POST has the configuration
 * read again, or another process started, GET shows how far that is: no request waits for it.
 */

#include "resolver/admin_pages.h"

typedef uint64_t start_fn(void *arg);
typedef void json_fn(void *arg, struct pin_jsonout *out);

static void put(struct pin_page *page, json_fn *put_members)
{
    if (put_members == NULL) {
        pin_page_error(page, 503, "starting, ask again");
        return;
    }
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    put_members(page->state->config.hooks.arg, &json);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static void start(struct pin_page *page, start_fn *start_it, json_fn *put_members)
{
    if (start_it == NULL || start_it(page->state->config.hooks.arg) == 0) {
        pin_page_error(page, 503, "starting, ask again");
        return;
    }
    put(page, put_members);
}

static void render_reload(struct pin_page *page)
{
    put(page, page->state->config.hooks.reload_json);
}

static void render_start_reload(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    start(page, hooks->reload, hooks->reload_json);
}

static void render_replace(struct pin_page *page)
{
    put(page, page->state->config.hooks.replace_json);
}

static void render_start_replace(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    start(page, hooks->replace, hooks->replace_json);
}

const struct pin_page_kind *pin_page_find_reload(enum pin_page_verb verb)
{
    static const struct pin_page_kind show = {PIN_RELOAD_PATH, NULL, NULL, render_reload};
    static const struct pin_page_kind order = {PIN_RELOAD_PATH, NULL, NULL, render_start_reload};
    return verb == PIN_PAGE_GET ? &show : verb == PIN_PAGE_POST ? &order : NULL;
}

const struct pin_page_kind *pin_page_find_replace(enum pin_page_verb verb)
{
    static const struct pin_page_kind show = {PIN_REPLACE_PATH, NULL, NULL, render_replace};
    static const struct pin_page_kind order = {PIN_REPLACE_PATH, NULL, NULL, render_start_replace};
    return verb == PIN_PAGE_GET ? &show : verb == PIN_PAGE_POST ? &order : NULL;
}
