/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Rig: a loop, a sync and a sink that writes down what comes, one delta a line.
 */

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/dirwatch.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/text.h"
#include "pintle/sync/sync.h"

#include "show.h"

#define SOON_MS 30000 /**< As a rule milliseconds; a loaded machine needs patience. */

/** One test's set-up. */
struct rig {
    struct pin_loop *loop;
    struct pin_dirwatch *dirwatch;
    struct pin_sync *sync;
    struct pin_text seen;   /**< Deltas, one a line. */
    struct pin_text logged; /**< Log lines, one a line. */
    size_t room;            /**< Deltas the sink takes before it refuses. */
    size_t n_refused;       /**< How often it has refused one. */
    size_t n_more;          /**< Of them, those that nobody is woken for. */
};

static inline bool rig_push(void *arg, struct pin_delta *delta)
{
    struct rig *self = arg;
    if (self->room == 0) {
        self->n_refused++;
        return false;
    }
    self->room--;
    self->n_more += delta->has_more ? 1 : 0;
    show_delta(&self->seen, delta);
    pin_text_putc(&self->seen, '\n');
    pin_delta_free(delta);
    return true;
}

static inline void rig_log(enum pin_log_level level, const char *line, void *arg)
{
    struct rig *self = arg;
    if (level >= PIN_LOG_INFO) {
        pin_text_puts(&self->logged, line);
        pin_text_putc(&self->logged, '\n');
    }
}

/** Makes a sync as the config says, but with a loop and a sink of its own; not started. */
static inline void rig_init_config(struct rig *self, struct pin_sync_config config)
{
    *self = (struct rig){.room = SIZE_MAX, .loop = pin_loop_new()};
    self->dirwatch = pin_dirwatch_new(self->loop);
    config.loop = self->loop;
    config.dirwatch = self->dirwatch;
    config.sink = (struct pin_sync_sink){.push = rig_push, .arg = self};
    pin_log_set_sink(rig_log, self);
    struct pin_why why = {0};
    if (pin_sync_new(&config, &self->sync, &why) != PIN_OK) {
        abort();
    }
}

/** Makes a sync of these specs that writes (`writes` not NULL) or not; not started. */
static inline void rig_init_writing(struct rig *self, const struct pin_source_spec *specs, size_t n,
    const struct pin_sync_writes *writes)
{
    rig_init_config(self, (struct pin_sync_config){.specs = specs, .n_specs = n, .writes = writes});
}

/** One that does not. */
static inline void rig_init(struct rig *self, const struct pin_source_spec *specs, size_t n)
{
    rig_init_writing(self, specs, n, NULL);
}

static inline void rig_done(struct rig *self)
{
    pin_sync_free(self->sync);
    pin_dirwatch_free(self->dirwatch);
    pin_loop_free(self->loop);
    pin_log_set_sink(NULL, NULL);
    pin_text_done(&self->seen);
    pin_text_done(&self->logged);
}

/** Runs the loop until `text` holds `part`, at most `timeout_ms`. False: it did not come. */
static inline bool rig_wait_in(
    struct rig *self, const struct pin_text *text, const char *part, int64_t timeout_ms)
{
    int64_t until_ms = pin_clock_mono_ms() + timeout_ms;
    while (strstr(pin_text_get(text), part) == NULL) {
        if (pin_clock_mono_ms() >= until_ms) {
            return false;
        }
        pin_loop_poll(self->loop, 20);
    }
    return true;
}

static inline bool rig_wait(struct rig *self, const char *part, int64_t timeout_ms)
{
    return rig_wait_in(self, &self->seen, part, timeout_ms);
}

/** Runs the loop until the sink has seen `part`. */
static inline void rig_want(struct rig *rig, const char *part)
{
    if (!rig_wait(rig, part, SOON_MS)) {
        fail_msg("'%s' did not come; seen:\n%s\nlogged:\n%s", part, pin_text_get(&rig->seen),
            pin_text_get(&rig->logged));
    }
}

/** Runs the loop until `part` was logged. */
static inline void rig_want_log(struct rig *rig, const char *part)
{
    if (!rig_wait_in(rig, &rig->logged, part, SOON_MS)) {
        fail_msg("'%s' was not logged:\n%s", part, pin_text_get(&rig->logged));
    }
}

/** Runs the loop for a while. */
static inline void rig_run(struct rig *self, int64_t ms)
{
    int64_t until_ms = pin_clock_mono_ms() + ms;
    while (pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->loop, 10);
    }
}

/** How often `part` was seen. */
static inline size_t rig_count(const struct rig *self, const char *part)
{
    size_t n = 0;
    for (const char *at = pin_text_get(&self->seen); (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    return n;
}

/** Forgets what was seen and logged. */
static inline void rig_forget(struct rig *self)
{
    pin_text_cut(&self->seen, 0);
    pin_text_cut(&self->logged, 0);
}
