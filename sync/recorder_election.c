/* SPDX-License-Identifier: Apache-2.0 */

/* Of several daemons one writes records: whoever holds a key of an etcd. */

#include <stdio.h>
#include <stdlib.h>

#include "pintle/base/log.h"

#include "election.h"
#include "etcd.h"
#include "http.h"
#include "recorder_state.h"

/* As a Lease of Kubernetes counts; its holder stops after two thirds of it. */
#define LEASE_TTL_S 15
/* What is shown of it is no older. */
#define SHOW_MS 1000

static void show(struct pin_recorder_election *self)
{
    pin_recorder_set_writer(self->recorder, pin_election_is_held(self->election),
        pin_election_holder(self->election), pin_election_error(self->election));
}

static void on_held(void *arg, int64_t revision)
{
    (void)revision;
    pin_log_info("records: we are the writer now");
    show(arg);
}

static void on_lost(void *arg)
{
    pin_log_info("records: we are not the writer any more");
    show(arg);
}

static void on_timer(void *arg)
{
    show(arg);
}

void pin_recorder_election_free(struct pin_recorder_election *election)
{
    if (election != NULL) {
        pin_election_free(election->election);
        pin_etcd_free(election->etcd);
        pin_http_free(election->http);
        pin_timer_free(election->timer);
        free(election);
    }
}

static bool make_parts(
    struct pin_recorder_election *self, const struct pin_recorder_election_spec *spec)
{
    struct pin_loop *loop = self->recorder->loop;
    char *key = NULL;
    self->timer = pin_timer_new(loop, on_timer, self);
    self->http = pin_http_new(loop);
    self->etcd = self->http == NULL ? NULL : pin_etcd_new(loop, self->http, spec->etcd);
    if (self->timer == NULL || self->etcd == NULL
        || asprintf(&key, "%s/leader.%s", pin_etcd_prefix(self->etcd), spec->name) < 0) {
        return false;
    }
    const struct pin_election_config config = {.loop = loop,
        .etcd = self->etcd,
        .key = key,
        .who = "records",
        .what = "records",
        .ttl_s = LEASE_TTL_S,
        .is_watched = true,
        .on_held = on_held,
        .on_lost = on_lost,
        .arg = self};
    self->election = pin_election_new(&config);
    free(key);
    return self->election != NULL;
}

enum pin_err pin_recorder_use_election(struct pin_recorder *recorder,
    const struct pin_recorder_election_spec *spec, struct pin_why *why)
{
    struct pin_recorder_election *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->recorder = recorder;
    }
    if (self == NULL || !make_parts(self, spec)) {
        pin_recorder_election_free(self);
        return pin_why_set(why, PIN_ENOMEM, "the election of who writes records");
    }
    recorder->election = self;
    pin_timer_start(self->timer, SHOW_MS, true);
    pin_election_start(self->election);
    return PIN_OK;
}

void pin_recorder_election_release(struct pin_recorder_election *election)
{
    pin_timer_stop(election->timer);
    pin_recorder_set_writer(election->recorder, false, "", "");
    pin_election_stop(election->election);
}
