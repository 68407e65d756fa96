/* SPDX-License-Identifier: Apache-2.0 */

/* Tells systemd how we are. */

#include "resolver/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/supervisor.h"

#include "resolver/builder.h"

/* How often clusters are counted. */
#define LOOK_MS 2000
/* The watchdog hears of us three times in its time. */
#define BEATS     3
#define NS_PER_US 1000
#define LINES_MAX 512
/* Of what is wrong with a configuration. */
#define TROUBLE_MAX 256

struct pin_service {
    struct pin_service_config config;
    struct pin_timer *look;
    struct pin_timer *beat;
    size_t n_clusters; /* what the builder said; so the next */
    size_t n_synced;
    size_t n_told;
    char trouble[TROUBLE_MAX]; /* "": none */
    bool has_begun;            /* else nobody is told anything yet */
    bool is_stopping;
};

/* Builder's thread; the timer is stopped meanwhile, so nobody else looks at the number. */
static void count_clusters(struct pin_catalog *catalog, void *arg)
{
    struct pin_service *service = arg;
    service->n_clusters = pin_catalog_settings(catalog)->n_clusters;
    service->n_synced = 0;
    for (size_t i = 0; i < service->n_clusters; i++) {
        service->n_synced += pin_catalog_cluster(catalog, (uint16_t)i).is_synced ? 1 : 0;
    }
}

static void tell_status(struct pin_service *service, const char *first)
{
    char dns[PIN_ADDRPORT_TEXT_MAX];
    char lines[LINES_MAX];
    (void)snprintf(lines, sizeof(lines),
        "%sSTATUS=answering on %s, %zu of %zu clusters listed%s%s\n", first,
        pin_addrport_format(&service->config.dns, dns), service->n_synced, service->n_clusters,
        service->trouble[0] != '\0' ? "; configuration refused, as before: " : "",
        service->trouble);
    (void)pin_supervisor_tell(service->config.supervisor, lines);
    service->n_told = service->n_synced;
}

static void on_counted(void *arg)
{
    struct pin_service *service = arg;
    if (service->n_synced != service->n_told && !service->is_stopping) {
        tell_status(service, "");
    }
    pin_timer_start(service->look, LOOK_MS, false);
}

static void on_look(void *arg)
{
    struct pin_service *service = arg;
    if (!pin_builder_call(service->config.builder, count_clusters, on_counted, service)) {
        pin_timer_start(service->look, LOOK_MS, false);
    }
}

static void on_beat(void *arg)
{
    const struct pin_service *service = arg;
    (void)pin_supervisor_tell(service->config.supervisor, "WATCHDOG=1\n");
}

static void drop_the_rest(struct pin_supervisor *supervisor)
{
    char text[PIN_ADDRPORT_TEXT_MAX];
    struct pin_addrport address;
    while (pin_supervisor_drop(supervisor, &address)) {
        pin_log_write(NULL, PIN_LOG_WARN,
            "app: a socket for %s was handed over, but neither `listen` nor `admin` names that "
            "address: questions that come there stay without an answer",
            pin_addrport_format(&address, text));
    }
}

struct pin_service *pin_service_start(const struct pin_service_config *config)
{
    drop_the_rest(config->supervisor);
    struct pin_service *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        return NULL;
    }
    service->config = *config;
    service->n_clusters = config->n_clusters;
    service->look = pin_timer_new(config->loop, on_look, service);
    service->beat = pin_timer_new(config->loop, on_beat, service);
    if (service->look == NULL || service->beat == NULL) {
        pin_service_free(service);
        return NULL;
    }
    return service;
}

static void tell_ready(struct pin_service *service)
{
    if (!service->has_begun || service->is_stopping
        || !pin_supervisor_is_there(service->config.supervisor)) {
        return;
    }
    int64_t watchdog_ms = pin_supervisor_watchdog_ms(service->config.supervisor);
    tell_status(service, "READY=1\n");
    if (watchdog_ms > 0) {
        pin_timer_start(service->beat, PIN_MAX(watchdog_ms / BEATS, (int64_t)1), true);
    }
    if (!pin_timer_is_running(service->look)) {
        pin_timer_start(service->look, 0, false);
    }
}

void pin_service_begin(struct pin_service *service)
{
    if (service != NULL) {
        service->has_begun = true;
        tell_ready(service);
    }
}

void pin_service_ready(struct pin_service *service, const char *trouble)
{
    if (service != NULL) {
        trouble = trouble == NULL ? "" : trouble;
        (void)snprintf(service->trouble, sizeof(service->trouble), "%.*s",
            (int)strcspn(trouble, "\n"), trouble); /* a second line would be another message */
        tell_ready(service);
    }
}

void pin_service_reloading(struct pin_service *service)
{
    char lines[LINES_MAX];
    if (service != NULL && service->has_begun && !service->is_stopping) {
        (void)snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%lld\n",
            (long long)(pin_clock_mono_ns() / NS_PER_US));
        (void)pin_supervisor_tell(service->config.supervisor, lines);
    }
}

void pin_service_hand_over(struct pin_service *service, pid_t pid)
{
    char lines[LINES_MAX];
    if (service != NULL && pin_supervisor_is_there(service->config.supervisor)) {
        pin_timer_stop(service->beat);
        service->is_stopping = true; /* from here on it hears the other one alone */
        (void)snprintf(lines, sizeof(lines), "MAINPID=%d\n", (int)pid);
        (void)pin_supervisor_tell(service->config.supervisor, lines);
    }
}

void pin_service_stopping(struct pin_service *service)
{
    if (service != NULL && !service->is_stopping) {
        service->is_stopping = true;
        if (service->has_begun) {
            (void)pin_supervisor_tell(
                service->config.supervisor, "STOPPING=1\nSTATUS=ending, still answering\n");
        }
    }
}

void pin_service_free(struct pin_service *service)
{
    if (service != NULL) {
        pin_timer_free(service->look);
        pin_timer_free(service->beat);
        free(service);
    }
}
