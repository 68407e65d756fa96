/* SPDX-License-Identifier: Apache-2.0 */

/* Waits for the first listing and says what there is to try. */

#include "resolver/greeting.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/text.h"

#include "resolver/dev.h"

/* For how long the first listing is waited for, and how often one looks. */
#define WAIT_MS 2000
#define POLL_MS 5

struct pin_greeting {
    struct pin_greeting_config config;
    struct pin_timer *timer;
    size_t n_synced; /* what the builder said */
    struct pin_text clusters;
};

/* Builder's thread; the timer is stopped meanwhile, so nobody else looks at these. */
static void collect_clusters(struct pin_catalog *catalog, void *arg)
{
    struct pin_greeting *greeting = arg;
    greeting->n_synced = 0;
    pin_text_cut(&greeting->clusters, 0);
    for (size_t i = 0; i < greeting->config.n_clusters; i++) {
        struct pin_cluster_status status = pin_catalog_cluster(catalog, (uint16_t)i);
        greeting->n_synced += status.is_synced ? 1 : 0;
        pin_text_putf(&greeting->clusters, "%s%s (%u services)", i == 0 ? "" : ", ", status.name,
            status.n_objects[PIN_KIND_SERVICE]);
    }
}

/* The folder part of argv[0], seen from here where it lies below: what to type before a program. */
static const char *programs_of(const char *program, char *out, size_t out_bytes)
{
    char here[PATH_MAX];
    const char *slash = strrchr(program, '/');
    size_t here_len = getcwd(here, sizeof(here)) == NULL ? 0 : strlen(here);
    if (slash != NULL && here_len > 1 && strncmp(program, here, here_len) == 0
        && program[here_len] == '/') {
        program += here_len + 1;
    }
    int len = slash == NULL || slash < program ? 0 : (int)(slash + 1 - program);
    (void)snprintf(out, out_bytes, "%.*s", len, program);
    return out;
}

static void on_clusters(void *arg)
{
    struct pin_greeting *greeting = arg;
    int64_t since_ms = pin_clock_mono_ms() - greeting->config.started_ms;
    bool is_ready = greeting->n_synced == greeting->config.n_clusters;
    if (!is_ready && since_ms < WAIT_MS) {
        pin_timer_start(greeting->timer, POLL_MS, false);
        return;
    }
    char programs[PATH_MAX];
    char dns[PIN_ADDRPORT_TEXT_MAX];
    char ip[PIN_IP_TEXT_MAX];
    char admin[PIN_ADDRPORT_TEXT_MAX];
    struct pin_text text = {0};
    struct pin_banner banner = {
        .programs = programs_of(greeting->config.program, programs, sizeof(programs)),
        .dns = pin_addrport_format(&greeting->config.dns, dns),
        .dns_ip = pin_ip_format(&greeting->config.dns.ip, ip),
        .dns_port = greeting->config.dns.port,
        .admin = pin_addrport_format(&greeting->config.admin, admin),
        .clusters = pin_text_get(&greeting->clusters),
        .ready_ms = is_ready ? since_ms : -1};
    pin_banner_put(&text, &banner);
    (void)fputs(pin_text_get(&text), stdout);
    (void)fflush(stdout);
    pin_text_done(&text);
}

static void on_time(void *arg)
{
    struct pin_greeting *greeting = arg;
    if (!pin_builder_call(greeting->config.builder, collect_clusters, on_clusters, greeting)) {
        pin_timer_start(greeting->timer, POLL_MS, false);
    }
}

struct pin_greeting *pin_greeting_start(const struct pin_greeting_config *config)
{
    struct pin_greeting *greeting = calloc(1, sizeof(*greeting));
    if (greeting == NULL) {
        return NULL;
    }
    greeting->config = *config;
    greeting->timer = pin_timer_new(config->loop, on_time, greeting);
    if (greeting->timer == NULL) {
        free(greeting);
        return NULL;
    }
    pin_timer_start(greeting->timer, 0, false);
    return greeting;
}

void pin_greeting_free(struct pin_greeting *greeting)
{
    if (greeting != NULL) {
        pin_timer_free(greeting->timer);
        pin_text_done(&greeting->clusters);
        free(greeting);
    }
}
