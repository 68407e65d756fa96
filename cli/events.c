/* SPDX-License-Identifier: Apache-2.0 */

/* Reads a stream of server-sent events: the lines that have data. */

#include "cli/events.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/text.h"

#include "cli/api.h"

#define EVENT_MAX_BYTES ((size_t)4 << 20)
#define ARENA_MAX_BYTES ((size_t)64 << 20)

struct events {
    pin_events_fn *fn;
    void *arg;
    struct pin_text line; /* as far as it came */
};

/* A whole line of the stream. */
static bool take_line(struct events *events, const char *line, size_t bytes)
{
    static const char data[] = "data: ";
    struct pin_tree *event = NULL;
    bool goes_on = true;
    if (bytes < sizeof(data) || strncmp(line, data, sizeof(data) - 1) != 0) {
        return true;
    }
    struct pin_arena *arena = pin_arena_new("event", ARENA_MAX_BYTES);
    if (arena != NULL
        && pin_json_parse(line + sizeof(data) - 1, bytes - sizeof(data) + 1, arena, &event, NULL)
               == PIN_OK) {
        goes_on = events->fn(events->arg, event);
    }
    pin_arena_free(arena);
    return goes_on;
}

static bool take(void *arg, const char *data, size_t bytes)
{
    struct events *events = arg;
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] != '\n') {
            pin_text_putc(&events->line, data[i]);
            if (events->line.failed || events->line.len > EVENT_MAX_BYTES) {
                (void)fprintf(stderr, "pintlectl: an event that is too long\n");
                return false;
            }
            continue;
        }
        bool goes_on = take_line(events, pin_text_get(&events->line), events->line.len);
        pin_text_cut(&events->line, 0);
        if (!goes_on) {
            return false;
        }
    }
    return true;
}

enum pin_ctl_exit pin_events_watch(
    const struct pin_ctl *ctl, const char *path, pin_events_fn *fn, void *arg)
{
    struct events events = {.fn = fn, .arg = arg};
    enum pin_ctl_exit exit_code = pin_api_watch(ctl->admin, path, take, &events);
    pin_text_done(&events.line);
    return exit_code;
}
