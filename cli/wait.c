/* SPDX-License-Identifier: Apache-2.0 */

/* Waiting until all clusters are served: asks, draws, sleeps. */

#include "cli/wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pintle/base/clock.h"

#include "cli/emit.h"
#include "cli/progress.h"

#define POLL_US 200000

/* One wait. */
struct wait {
    const struct pin_ctl *ctl;
    enum pin_progress_form form;
    struct pin_progress *progress;
    struct pin_api_reply status; /* the last good one; empty before */
    struct pin_api_reply clusters;
    struct pin_why why; /* why there is none now */
    bool has_status;    /* the last question was answered */
    bool was_asked;
};

/* Asks for a page; true: *ret_reply is good and new, else as it was. */
static bool fetch(struct wait *self, const char *path, struct pin_api_reply *ret_reply)
{
    struct pin_api_reply reply = {0};
    enum pin_err err = pin_api_get(self->ctl->admin, path, &reply, &self->why);
    if (err == PIN_OK && reply.status == 200) {
        pin_api_reply_done(ret_reply);
        *ret_reply = reply;
        if (self->ctl->output != PIN_CTL_YAML) {
            pin_emit_printable(ret_reply);
        }
        return true;
    }
    if (err == PIN_OK) {
        (void)pin_why_set(&self->why, PIN_EIO, "%s",
            pin_tree_string(reply.tree, "error", "the daemon refuses, and does not say why"));
    }
    pin_api_reply_done(&reply);
    return false;
}

static void write_out(const struct wait *self, struct pin_text *text)
{
    FILE *file = self->form == PIN_PROGRESS_JSON ? stdout : stderr;
    (void)fputs(pin_text_get(text), file);
    (void)fflush(file);
    pin_text_cut(text, 0);
}

static struct pin_progress_view view_of(const struct wait *self)
{
    return (struct pin_progress_view){
        .status = self->status.tree,
        .clusters = self->clusters.tree,
        .problem = self->has_status ? NULL : self->why.text,
        .now_ms = pin_clock_mono_ms(),
    };
}

/* Where all is well at the first look there is nothing to tell people. */
static void show(struct wait *self, bool is_well)
{
    struct pin_text text = {0};
    struct winsize size = {0};
    const struct pin_progress_view view = view_of(self);
    bool is_quiet = is_well && !self->was_asked && self->form != PIN_PROGRESS_JSON;
    if (self->form == PIN_PROGRESS_SCREEN && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) {
        pin_progress_set_screen(self->progress, size.ws_row, size.ws_col);
    }
    if (!is_quiet) {
        pin_progress_put(self->progress, &view, &text);
    }
    write_out(self, &text);
    pin_text_done(&text);
    self->was_asked = true;
}

/* One look at the daemon; true: all is well. */
static bool look(struct wait *self)
{
    self->has_status = fetch(self, "/api/v1/status", &self->status);
    if (self->has_status) {
        struct pin_why why = self->why;
        (void)fetch(self, "/api/v1/clusters", &self->clusters);
        self->why = why;
    }
    bool is_well = self->has_status && pin_progress_is_well(self->status.tree);
    show(self, is_well);
    return is_well;
}

static void complain(const struct wait *self)
{
    struct pin_text text = {0};
    const struct pin_progress_view view = view_of(self);
    pin_progress_put_missing(&view, &text);
    (void)fprintf(stderr, "pintlectl: not well after %" PRIu64 " s: %s\n",
        self->ctl->wait_ms / 1000, pin_text_get(&text));
    pin_text_done(&text);
}

static enum pin_progress_form choose_form(const struct pin_ctl *ctl)
{
    const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (ctl->output == PIN_CTL_JSON) {
        return PIN_PROGRESS_JSON;
    }
    bool is_screen = isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    return is_screen ? PIN_PROGRESS_SCREEN : PIN_PROGRESS_LINES;
}

/* Takes a screen's lines away: what follows says it all. */
static void clear(struct wait *self)
{
    struct pin_text text = {0};
    pin_progress_clear(self->progress, &text);
    write_out(self, &text);
    pin_text_done(&text);
}

enum pin_ctl_exit pin_wait_until_well(const struct pin_ctl *ctl, struct pin_api_reply *ret_reply)
{
    int64_t deadline_ms = pin_clock_mono_ms() + (int64_t)ctl->wait_ms;
    struct wait wait = {.ctl = ctl, .form = choose_form(ctl)};
    wait.progress = pin_progress_new(wait.form, ctl->has_color);
    if (wait.progress == NULL) {
        (void)fprintf(stderr, "pintlectl: out of memory\n");
        return PIN_CTL_FAILED;
    }
    bool is_well = look(&wait);
    while (!is_well && pin_clock_mono_ms() < deadline_ms) {
        (void)usleep(POLL_US);
        is_well = look(&wait);
    }
    clear(&wait);
    if (!is_well) {
        complain(&wait);
    }
    pin_progress_free(wait.progress);
    pin_api_reply_done(&wait.clusters);
    *ret_reply = wait.status;
    return is_well                    ? PIN_CTL_OK
           : wait.status.tree != NULL ? PIN_CTL_TIMED_OUT
                                      : PIN_CTL_NOT_RUNNING;
}
