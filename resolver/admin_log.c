/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The page of the log's level: GET shows it, POST changes it, for a while or until the next start.
 * Then the configuration's is in force again.
 */

#include <stdlib.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "resolver/admin_pages.h"

#define FOR_MAX_MS (UINT64_C(366) * 24 * 3600 * 1000)

struct pin_admin_log {
    struct pin_timer *timer;
    int64_t until_ms; /* Monotonic; when the timer runs. */
};

static void on_end(void *arg)
{
    (void)arg;
    pin_log_set_level(pin_log_configured_level());
    pin_log_info("admin: the log's level is %s again, as configured",
        pin_log_level_name(pin_log_configured_level()));
}

struct pin_admin_log *pin_admin_log_new(struct pin_loop *loop)
{
    struct pin_admin_log *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->timer = pin_timer_new(loop, on_end, self);
    if (self->timer == NULL) {
        free(self);
        return NULL;
    }
    return self;
}

void pin_admin_log_free(struct pin_admin_log *log)
{
    if (log != NULL) {
        pin_timer_free(log->timer);
        free(log);
    }
}

/* For how long; 0: not said. False after an error. */
static bool read_for(struct pin_page *page, const char *text, uint64_t *ret_ms)
{
    *ret_ms = 0;
    if (text != NULL
        && (!pin_duration_parse(text, ret_ms) || *ret_ms == 0 || *ret_ms > FOR_MAX_MS)) {
        pin_page_error(
            page, 400, "for: \"%s\" is no duration from 1s to 366 days, such as 10m", text);
        return false;
    }
    return true;
}

static bool set_level(struct pin_page *page, const char *text, uint64_t for_ms)
{
    struct pin_admin_log *log = page->state->log;
    enum pin_log_level level = PIN_LOG_INFO;
    if (text == NULL || !pin_log_level_parse(text, &level)) {
        pin_page_error(page, 400, "level: \"%s\" is not one of debug, info, warn, error",
            text != NULL ? text : "");
        return false;
    }
    pin_log_set_level(PIN_LOG_INFO); /* who reads the log sees why it changes */
    pin_log_info("admin: the log's level is %s%s", pin_log_level_name(level),
        for_ms == 0 ? " until the next start" : " for a while");
    pin_log_set_level(level);
    pin_timer_stop(log->timer);
    if (for_ms > 0) {
        log->until_ms = pin_clock_mono_ms() + (int64_t)for_ms;
        pin_timer_start(log->timer, (int64_t)for_ms, false);
    }
    return true;
}

/* {"level": "debug", "for": "10m"} */
static bool check_order(struct pin_page *page)
{
    struct pin_arena *arena = NULL;
    uint64_t for_ms = 0;
    const struct pin_tree *tree = pin_page_read_input(page, &arena);
    bool is_good = tree != NULL && read_for(page, pin_tree_string(tree, "for", NULL), &for_ms)
                   && set_level(page, pin_tree_string(tree, "level", NULL), for_ms);
    pin_arena_free(arena);
    return is_good;
}

static void render_log(struct pin_page *page)
{
    const struct pin_admin_log *log = page->state->log;
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "level", pin_log_level_name(pin_log_level()));
    pin_jsonout_key_string(&json, "configured", pin_log_level_name(pin_log_configured_level()));
    pin_jsonout_key(&json, "secondsLeft");
    if (pin_timer_is_running(log->timer)) {
        pin_jsonout_int(&json, (log->until_ms - pin_clock_mono_ms() + 999) / 1000);
    } else {
        pin_jsonout_null(&json);
    }
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static void render_lines(struct pin_page *page)
{
    page->content_type = "text/plain; charset=utf-8";
    pin_log_put_kept(&page->body);
}

const struct pin_page_kind pin_page_log_lines = {PIN_LOG_LINES_PATH, NULL, NULL, render_lines};

static const struct pin_page_kind show_kind = {PIN_LOG_PATH, NULL, NULL, render_log};
static const struct pin_page_kind order_kind = {PIN_LOG_PATH, check_order, NULL, render_log};

const struct pin_page_kind *pin_page_find_log(enum pin_page_verb verb)
{
    switch (verb) {
    case PIN_PAGE_GET:
        return &show_kind;
    case PIN_PAGE_POST:
        return &order_kind;
    default:
        return NULL;
    }
}
