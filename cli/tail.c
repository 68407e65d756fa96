/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl tail: questions as the daemon answers them, a line each. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "cli/api.h"
#include "cli/ctl.h"
#include "cli/events.h"

#define MS_PER_DAY    INT64_C(86400000)
#define MS_PER_HOUR   3600000
#define MS_PER_MINUTE 60000

struct tail {
    const struct pin_ctl *ctl;
    uint64_t n_shown;
    int64_t every; /* as told last */
    bool is_told;  /* what the columns are */
};

/* Adds the addresses of an answer. */
static void put_answers(struct pin_text *text, const struct pin_tree *item)
{
    const char *gap = "";
    PIN_TREE_EACH(answer, pin_tree_list(item, "answers"))
    {
        pin_text_putf(text, "%s%s", gap, pin_tree_text(answer, ""));
        gap = " ";
    }
    pin_text_puts(text, *gap == '\0' ? "-" : "");
}

static void show_line(struct tail *tail, const struct pin_tree *item)
{
    static const char format[] = "%-12s  %-8s  %-5s  %-9s  %8s  %-21s  %s  %s\n";
    struct pin_text answers = {0};
    int64_t ms = pin_tree_int(item, "at", 0) % MS_PER_DAY;
    char when[48];
    char took[24];
    if (!tail->is_told && !tail->ctl->no_headers) {
        (void)printf(format, "TIME (UTC)", "BY", "TYPE", "ANSWER", "TOOK", "FROM", "NAME", "SHOWS");
    }
    tail->is_told = true;
    (void)snprintf(when, sizeof(when), "%02d:%02d:%02d.%03d", (int)(ms / MS_PER_HOUR),
        (int)(ms % MS_PER_HOUR / MS_PER_MINUTE), (int)(ms % MS_PER_MINUTE / 1000),
        (int)(ms % 1000));
    (void)snprintf(took, sizeof(took), "%" PRId64 "us", (int64_t)pin_tree_int(item, "tookUs", 0));
    put_answers(&answers, item);
    (void)printf(format, when, pin_tree_string(item, "transport", "-"),
        pin_tree_string(item, "type", "-"), pin_tree_string(item, "rcode", "-"), took,
        pin_tree_string(item, "peer", "-"), pin_tree_string(item, "name", "-"),
        pin_text_get(&answers));
    pin_text_done(&answers);
}

static void show_json(const struct pin_tree *item)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_tree(&json, item);
    (void)printf("%s\n", pin_text_get(&text));
    pin_text_done(&text);
}

/* One event's data. False: enough was shown. */
static bool show_event(void *arg, const struct pin_tree *event)
{
    struct tail *tail = arg;
    int64_t every = pin_tree_int(event, "every", 1);
    if (every != tail->every && every > 1) {
        (void)fprintf(
            stderr, "pintlectl: there are many questions, one in %" PRId64 " is shown\n", every);
    }
    tail->every = every;
    PIN_TREE_EACH(item, pin_tree_list(event, "items"))
    {
        if (tail->ctl->output == PIN_CTL_TABLE) {
            show_line(tail, item);
        } else {
            show_json(item);
        }
        tail->n_shown++;
        if (tail->n_shown == tail->ctl->n_asks) {
            return false;
        }
    }
    return fflush(stdout) == 0; /* whoever reads it may have left */
}

enum pin_ctl_exit pin_ctl_tail(const struct pin_ctl *ctl)
{
    struct tail tail = {.ctl = ctl, .every = 1};
    struct pin_text path = {0};
    pin_text_puts(&path, "/api/v1/stream?topics=queries&filter=");
    for (size_t i = 0; i < ctl->n_words; i++) {
        pin_text_puts(&path, i == 0 ? "" : "%20");
        pin_api_put_escaped(&path, ctl->words[i]);
    }
    enum pin_ctl_exit exit_code = PIN_CTL_FAILED;
    if (!path.failed) {
        exit_code = pin_events_watch(ctl, path.ptr, show_event, &tail);
    }
    pin_text_done(&path);
    return exit_code;
}
