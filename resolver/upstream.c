/* SPDX-License-Identifier: Apache-2.0 */

/* What one forward thread knows of a resolver: how quick it is, and whether it is there at all. */

#include "upstream.h"

#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "forward_thread.h"
#include "tls_client.h"

/* Tries without an answer after which the resolver itself is asked, and its own silences after
 * which nobody asks it. */
#define SILENT_MAX        3u
#define PROBES_SILENT_MAX 2u
#define PROBE_EVERY_MS    1000
/* Patience before somebody is asked again: the usual time of this one, within these bounds. */
#define PATIENCE_MIN_MS 300
#define PATIENCE_MAX_MS 750
#define US_PER_MS       1000
/* What one lost packet pays for. It is proved by an answer, so nobody can be made to ask a resolver
 * that is gone, or about a name that is silent, more often than usual; and together there are never
 * more tries than the usual ones and so many for each answer. */
#define CREDITS_PER_LOSS 3u
#define CREDITS_MAX      64u
/* Weights of the newest measurement (RFC 6298): 1/8 and 1/4. */
#define RTT_SHARE    8
#define RTTVAR_SHARE 4

static void log_state(const struct pin_upstream *upstream, const char *text)
{
    char address[PIN_ADDRPORT_TEXT_MAX];
    pin_log_warn(
        "forward: resolver %s %s", pin_addrport_format(&upstream->spec->address, address), text);
}

/* --- probes ------------------------------------------------------------------------------- */

static void ask_itself(struct pin_upstream *upstream)
{
    static const uint8_t root[] = {0};
    int errno_value = 0;
    const struct pin_try probe = {.name = root,
        .name_bytes = sizeof(root),
        .qtype = PIN_TYPE_NS,
        .is_plain = true,
        .over_stream = upstream->spec->is_tls};
    upstream->probe = pin_attempt_start(upstream, &probe, &errno_value);
    pin_timers_set(
        &upstream->thread->timers, &upstream->probe_at, upstream->thread->now_ms + PROBE_EVERY_MS);
}

static void set_down(struct pin_upstream *upstream, bool is_down)
{
    if (upstream->is_down == is_down) {
        return;
    }
    upstream->is_down = is_down;
    pin_stat_set(&upstream->stats.is_down, is_down);
    if (upstream->thread->thread_i == 0) {
        log_state(upstream,
            is_down ? "does not answer: others are asked until it does" : "answers again");
        if (!is_down) {
            pin_upstream_look_for_loop(upstream);
        }
    }
}

/* The probe had no answer in time, or its turn has come. */
static void on_probe_time(struct pin_deadline *deadline, void *arg)
{
    struct pin_upstream *upstream = container_of(deadline, struct pin_upstream, probe_at);
    (void)arg;
    if (upstream->probe != NULL) {
        pin_attempt_end(upstream->probe);
        upstream->probe = NULL;
    }
    upstream->n_probes_silent++;
    if (upstream->n_probes_silent > PROBES_SILENT_MAX) {
        set_down(upstream, true);
    }
    ask_itself(upstream);
}

void pin_upstream_on_silence(struct pin_upstream *upstream)
{
    upstream->n_silent++;
    if (upstream->n_silent >= SILENT_MAX && upstream->probe_at.position == 0) {
        upstream->n_probes_silent = 1;
        ask_itself(upstream);
    }
}

/* It is there. */
static void calm_down(struct pin_upstream *upstream)
{
    upstream->n_silent = 0;
    upstream->n_probes_silent = 0;
    if (upstream->probe != NULL) {
        pin_attempt_end(upstream->probe);
        upstream->probe = NULL;
    }
    pin_timers_clear(&upstream->thread->timers, &upstream->probe_at);
    set_down(upstream, false);
}

/* Where a loop through it would show: in the zone that it is asked about, for a resolver may well
 * forward to us what it does not have itself. */
static void loop_zone(const struct pin_upstream *upstream, struct pin_name *ret_zone)
{
    static const uint8_t invalid[] = {7, 'i', 'n', 'v', 'a', 'l', 'i', 'd', 0};
    const struct pin_forward_thread *thread = upstream->thread;
    size_t zone_i = thread->forward->config.n_zones;
    do {
        zone_i--;
    } while (zone_i > 0 && thread->first_upstream[zone_i] > upstream->index);
    *ret_zone = thread->forward->config.zones[zone_i].name;
    if (ret_zone->bytes == 1) {
        memcpy(ret_zone->wire, invalid, sizeof(invalid));
        ret_zone->bytes = (uint8_t)sizeof(invalid);
    }
}

void pin_upstream_look_for_loop(struct pin_upstream *upstream)
{
    const uint8_t *label = upstream->thread->forward->loop_label;
    uint8_t name[sizeof(upstream->thread->forward->loop_label) + PIN_NAME_MAX_BYTES];
    struct pin_name zone;
    int errno_value = 0;
    size_t label_bytes = sizeof(upstream->thread->forward->loop_label);
    loop_zone(upstream, &zone);
    if (label_bytes + zone.bytes > PIN_NAME_MAX_BYTES) {
        return; /* no name of ours fits in front */
    }
    memcpy(name, label, label_bytes);
    name[label_bytes - 1] = (uint8_t)('a' + upstream->index % 26u);
    name[label_bytes - 2] = (uint8_t)('a' + upstream->index / 26u % 26u);
    name[label_bytes - 3] = (uint8_t)('a' + upstream->index / 26u / 26u);
    memcpy(name + label_bytes, zone.wire, zone.bytes);
    const struct pin_try probe = {.name = name,
        .name_bytes = (uint8_t)(label_bytes + zone.bytes),
        .qtype = PIN_TYPE_A,
        .is_plain = true,
        .over_stream = upstream->spec->is_tls};
    if (upstream->probe == NULL) {
        upstream->probe = pin_attempt_start(upstream, &probe, &errno_value);
        upstream->n_probes_silent = 0;
        pin_timers_set(&upstream->thread->timers, &upstream->probe_at,
            upstream->thread->now_ms + PROBE_EVERY_MS);
    }
}

/* --- measures ----------------------------------------------------------------------------- */

static void measure(struct pin_upstream *upstream, int64_t took_us)
{
    if (upstream->srtt_us == 0) {
        upstream->srtt_us = PIN_MAX(took_us, (int64_t)1);
        upstream->rttvar_us = took_us / 2;
    } else {
        int64_t off_us = took_us - upstream->srtt_us;
        upstream->srtt_us = PIN_MAX(upstream->srtt_us + off_us / RTT_SHARE, (int64_t)1);
        off_us = off_us < 0 ? -off_us : off_us;
        upstream->rttvar_us += (off_us - upstream->rttvar_us) / RTTVAR_SHARE;
    }
    pin_stat_set(&upstream->stats.srtt_us, (uint64_t)upstream->srtt_us);
}

void pin_upstream_on_reply(struct pin_upstream *upstream, const struct pin_attempt *attempt)
{
    measure(upstream, pin_clock_mono_ns() / US_PER_MS - attempt->sent_us);
    calm_down(upstream);
}

int64_t pin_upstream_patience_ms(const struct pin_upstream *upstream)
{
    if (upstream->srtt_us == 0) {
        return PATIENCE_MAX_MS;
    }
    int64_t usual_ms = (upstream->srtt_us + 4 * upstream->rttvar_us) / US_PER_MS;
    return PIN_MAX(PIN_MIN(usual_ms, (int64_t)PATIENCE_MAX_MS), (int64_t)PATIENCE_MIN_MS);
}

void pin_upstream_on_loss(struct pin_upstream *upstream)
{
    pin_stat_add(&upstream->stats.n_lost, 1);
    upstream->n_credits = PIN_MIN(upstream->n_credits + CREDITS_PER_LOSS, CREDITS_MAX);
}

bool pin_upstream_is_lossy(const struct pin_upstream *upstream)
{
    return upstream->n_credits > 0;
}

void pin_upstream_pay(struct pin_upstream *upstream)
{
    upstream->n_credits -= upstream->n_credits > 0;
}

/* --- life --------------------------------------------------------------------------------- */

enum pin_err pin_upstream_init(struct pin_upstream *upstream, struct pin_forward_thread *thread,
    const struct pin_upstream_spec *spec, struct pin_why *why)
{
    upstream->spec = spec;
    upstream->thread = thread;
    upstream->address_bytes = pin_addrport_to_sockaddr(&spec->address, &upstream->address);
    upstream->probe_at.on_time = on_probe_time;
    if (!spec->is_tls) {
        return PIN_OK;
    }
    return pin_tls_client_new(spec, &upstream->tls, why);
}

void pin_upstream_done(struct pin_upstream *upstream)
{
    if (upstream->probe != NULL) {
        pin_attempt_end(upstream->probe);
        upstream->probe = NULL;
    }
    pin_upstream_conn_close(upstream->conn);
    pin_tls_client_free(upstream->tls);
    upstream->tls = NULL;
}
