/* SPDX-License-Identifier: Apache-2.0 */

/* What a cluster that is read from etcd counts as: up, or what is wrong with it. */

#include "source_etcd_state.h"

#include <stdio.h>

#include "pintle/base/clock.h"

#define LOST_MS 7000 /* Nothing was confirmed for so long: it may be old. */

/* Codes of struct pin_trouble. */
enum {
    PIN_TROUBLE_NONE,
    PIN_TROUBLE_UNPUBLISHED,
    PIN_TROUBLE_FORMAT,
    PIN_TROUBLE_ABANDONED,
    PIN_TROUBLE_AWAY,
    PIN_TROUBLE_ETCD, /* + enum pin_etcd_fault */
};

static void tell(struct pin_reader *self, int code, const char *hint, const char *text)
{
    pin_source_set_trouble(&self->source, &self->source.trouble, code, hint, "%s: %s; %s",
        self->base, text, pin_source_kept(&self->source));
}

static bool is_confirmed(const struct pin_reader *self)
{
    return self->confirmed_ms != 0 && pin_clock_mono_ms() - self->confirmed_ms < LOST_MS;
}

void pin__reader_judge(struct pin_reader *self)
{
    bool is_up = false;
    self->source.stats.etcd.revision = self->revision;
    self->source.stats.etcd.n_keys = pin_mirror_n_keys(&self->mirror);
    if (!is_confirmed(self)) {
        if (self->fault.code != 0) {
            pin_source_set_trouble(&self->source, &self->source.trouble, self->fault.code,
                self->fault.hint, "%s", self->fault.text);
        }
    } else if (!self->has_meta) {
        tell(self, PIN_TROUBLE_UNPUBLISHED, "run a pintled with publish.etcd for this prefix",
            "nothing was published yet");
    } else if (!self->is_readable) {
        tell(self, PIN_TROUBLE_FORMAT, "run the same version on both sides",
            "it was published in a format that this program does not know");
    } else if (self->alive_revision == 0) {
        tell(self, PIN_TROUBLE_ABANDONED, "see whether a pintled with publish.etcd runs",
            "nobody publishes it any more");
    } else if (self->is_away) {
        tell(self, PIN_TROUBLE_AWAY, "see the publisher's status",
            "its publisher cannot reach the cluster");
    } else {
        is_up = self->is_whole;
    }
    if (is_up) {
        pin_source_set_trouble(
            &self->source, &self->source.trouble, PIN_TROUBLE_NONE, "", "%s", "");
    }
    pin_source_set_up(&self->source, is_up);
}

void pin__reader_note_fault(struct pin_reader *self, const struct pin_etcd_reply *reply)
{
    struct pin_trouble *fault = &self->fault;
    fault->code = PIN_TROUBLE_ETCD + (int)reply->fault;
    (void)snprintf(fault->text, sizeof(fault->text), "etcd: %.250s; %s", reply->message,
        pin_source_kept(&self->source));
    (void)snprintf(fault->hint, sizeof(fault->hint), "%s",
        reply->fault == PIN_ETCD_DENIED
            ? "check user, passwordFile and the user's role, which must read the prefix"
            : "check endpoints, ca, and that a majority of etcd's members runs");
    pin__reader_judge(self);
}

void pin__reader_note_confirmed(struct pin_reader *self)
{
    self->confirmed_ms = pin_clock_mono_ms();
    self->source.stats.etcd.confirmed_ms = self->confirmed_ms;
    self->fault = (struct pin_trouble){0};
}
