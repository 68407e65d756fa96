/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pages of reloads: POST has the configuration read again, GET shows how far that is: no
 * request waits for it.
 */

#include "resolver/admin_pages.h"

static void render(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    if (hooks->reload_json == NULL) {
        pin_page_error(page, 503, "starting, ask again");
        return;
    }
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    hooks->reload_json(hooks->arg, &json);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static void render_start(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    if (hooks->reload == NULL || hooks->reload(hooks->arg) == 0) {
        pin_page_error(page, 503, "starting, ask again");
        return;
    }
    render(page);
}

static const struct pin_page_kind show_kind = {PIN_RELOAD_PATH, NULL, NULL, render};
static const struct pin_page_kind start_kind = {PIN_RELOAD_PATH, NULL, NULL, render_start};

const struct pin_page_kind *pin_page_find_reload(enum pin_page_verb verb)
{
    return verb == PIN_PAGE_GET ? &show_kind : verb == PIN_PAGE_POST ? &start_kind : NULL;
}
