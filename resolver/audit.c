/* SPDX-License-Identifier: Apache-2.0 */

/* Samples of would-be denials become log lines: at first as they come, then one a second. */

#include "resolver/audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "pintle/base/log.h"

#include "resolver/worker.h"

#define LOOK_EVERY_MS 1000
#define TAKEN_MAX     4096
#define LINES_MAX     10 /* At once, after a silence. */

struct pin_auditor {
    struct pin_audit_config config;
    struct pin_timer *timer;
    uint64_t n_seen;   /* denials counted by all workers when the log was last written */
    uint32_t n_budget; /* lines that may be written now */
};

bool pin_audit_take(struct pin_audit_ring *ring, struct pin_audit_sample *ret_sample)
{
    uint32_t n_taken = atomic_load_explicit(&ring->n_taken, memory_order_relaxed);
    if (atomic_load_explicit(&ring->n_put, memory_order_acquire) == n_taken) {
        return false;
    }
    *ret_sample = ring->samples[n_taken % PIN_AUDIT_SAMPLES];
    atomic_store_explicit(&ring->n_taken, n_taken + 1, memory_order_release);
    return true;
}

void pin_audit_format(const struct pin_audit_sample *sample, const struct pin_settings *settings,
    const struct pin_policy_labels *labels, char *text, size_t text_bytes)
{
    char name[PIN_NAME_TEXT_MAX];
    char address[PIN_PREFIX_TEXT_MAX];
    char ip[PIN_IP_TEXT_MAX];
    char type[PIN_STAT_TYPE_TEXT_MAX];
    const struct pin_policy_label *label = &labels->labels[sample->slot];
    bool is_one = pin_prefix_is_one(&sample->address);
    bool is_known = sample->namespace_bytes > 0;
    pin_name_format(sample->qname, name);
    (void)snprintf(text, text_bytes,
        "would deny %s %s to %s (cluster %s, namespace %.*s): %s %s/%s/%s", name,
        pin_stat_type_text(sample->qtype, type),
        is_one ? pin_ip_format(&sample->address.ip, ip)
               : pin_prefix_format(&sample->address, address),
        sample->cluster_id >= settings->n_clusters /* also of settings before */
            ? "unknown"
            : settings->clusters[sample->cluster_id].name,
        is_known ? sample->namespace_bytes : (int)sizeof("unknown") - 1,
        is_known ? sample->namespace_name : "unknown", label->kind, label->cluster,
        label->namespace_name, label->name);
}

/* Foreign letters stay within their line: names are escaped, a namespace is not. */
static void make_printable(struct pin_audit_sample *sample)
{
    for (uint8_t i = 0; i < sample->namespace_bytes; i++) {
        if (sample->namespace_name[i] <= 0x20 || sample->namespace_name[i] >= 0x7f) {
            sample->namespace_name[i] = '?';
        }
    }
}

static uint64_t count_denials(const struct pin_auditor *auditor)
{
    struct pin_stats_sum sum = {0};
    pin_workers_stats(auditor->config.workers, &sum);
    return sum.n_would_deny;
}

static void on_look(void *arg)
{
    struct pin_auditor *self = arg;
    struct pin_audit_sample sample;
    uint32_t n_written = 0;
    self->n_budget += self->n_budget < LINES_MAX ? 1 : 0;
    for (unsigned i = 0; i < TAKEN_MAX && pin_workers_take_audit(self->config.workers, &sample);
         i++) {
        char text[2048];
        if (n_written == self->n_budget) {
            continue; /* the next look shall find new ones */
        }
        make_printable(&sample);
        pin_audit_format(&sample, self->config.settings, self->config.labels, text, sizeof(text));
        pin_log_write(NULL, PIN_LOG_INFO, "audit: %s", text);
        n_written++;
    }
    if (n_written == 0) {
        return;
    }
    self->n_budget -= n_written;
    uint64_t n_now = count_denials(self);
    if (n_now > self->n_seen + n_written) {
        pin_log_write(NULL, PIN_LOG_INFO, "audit: and %llu more like these, see /metrics",
            (unsigned long long)(n_now - self->n_seen - n_written));
    }
    self->n_seen = n_now;
}

struct pin_auditor *pin_auditor_new(const struct pin_audit_config *config)
{
    struct pin_auditor *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->config = *config;
    self->n_budget = LINES_MAX;
    self->timer = pin_timer_new(config->loop, on_look, self);
    if (self->timer == NULL) {
        free(self);
        return NULL;
    }
    pin_timer_start(self->timer, LOOK_EVERY_MS, true);
    return self;
}

void pin_auditor_follow(struct pin_auditor *auditor, const struct pin_settings *settings)
{
    auditor->config.settings = settings;
}

void pin_auditor_free(struct pin_auditor *auditor)
{
    if (auditor != NULL) {
        pin_timer_free(auditor->timer);
        free(auditor);
    }
}
