/* SPDX-License-Identifier: Apache-2.0 */

/* /metrics: the Prometheus text format, one family after the other. */

#include "resolver/metrics.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/version.h"

#include "resolver/admin_pages.h"

#define PROC_MAX_BYTES 4096

void pin_metrics_family(struct pin_text *text, const char *name, const char *type, const char *help)
{
    pin_text_putf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void pin_metrics_single(
    struct pin_text *text, const char *name, const char *type, const char *help, uint64_t value)
{
    pin_metrics_family(text, name, type, help);
    pin_text_putf(text, "%s %llu\n", name, (unsigned long long)value);
}

void pin_metrics_put_label(struct pin_text *text, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        switch (*c) {
        case '\n':
            pin_text_puts(text, "\\n");
            break;
        case '\\':
        case '"':
            pin_text_putc(text, '\\');
            /* fall through */
        default:
            pin_text_putc(text, *c);
        }
    }
}

/* --- DNS ----------------------------------------------------------------------------------- */

static void put_queries_of(struct pin_text *text, enum pin_transport transport,
    const uint64_t counts[PIN_STAT_QTYPE_MAX][PIN_STAT_RCODE_MAX])
{
    for (int q = 0; q < PIN_STAT_QTYPE_MAX; q++) {
        for (int r = 0; r < PIN_STAT_RCODE_MAX; r++) {
            if (counts[q][r] > 0) {
                pin_text_putf(text,
                    "pintle_dns_queries_total{transport=\"%s\",qtype=\"%s\",rcode=\"%s\"} %llu\n",
                    pin_transport_name(transport), pin_stat_qtype_name((enum pin_stat_qtype)q),
                    pin_stat_rcode_name((enum pin_stat_rcode)r), (unsigned long long)counts[q][r]);
            }
        }
    }
}

static void put_queries(struct pin_text *text, const struct pin_stats_sum *sum)
{
    pin_metrics_family(text, "pintle_dns_queries_total", "counter", "DNS queries answered.");
    for (int t = 0; t < PIN_TRANSPORT_MAX; t++) {
        put_queries_of(text, (enum pin_transport)t, sum->queries[t]);
    }
}

static void put_dns(struct pin_text *text, const struct pin_stats_sum *sum)
{
    put_queries(text, sum);
    pin_metrics_family(text, "pintle_dns_events_total", "counter",
        "What else happened to DNS messages and streams.");
#define X(name, help)                                                                              \
    pin_text_putf(text, "pintle_dns_events_total{event=\"%s\"} %llu\n", &#name[2],                 \
        (unsigned long long)sum->name);
    PIN_STAT_EVENT_MAP(X)
#undef X
    pin_metrics_single(
        text, "pintle_dns_streams_open", "gauge", "DNS connections open now.", sum->n_open);
}

/* One family of figures per TLS listener, the admin side's last. */
static void put_cert_family(
    struct pin_page *page, const char *name, const char *type, const char *help, size_t offset)
{
    const struct pin_admin_config *config = &page->state->config;
    bool is_begun = false;
    for (size_t i = 0; config->certs != NULL && i <= pin_certs_admin(config->certs); i++) {
        char address[PIN_ADDRPORT_TEXT_MAX];
        struct pin_cert_status status;
        uint64_t value = 0;
        if (!pin_certs_status(config->certs, i, &status)) {
            continue;
        }
        if (!is_begun) {
            pin_metrics_family(&page->body, name, type, help);
            is_begun = true;
        }
        memcpy(&value, (const char *)&status + offset, sizeof(value));
        pin_text_putf(&page->body, "%s{listen=\"%s\"} %lld\n", name,
            pin_addrport_format(i < config->n_listens ? &config->listens[i].address
                                                      : pin_certs_address(config->certs, i),
                address),
            (long long)value);
    }
}

static void put_certs(struct pin_page *page)
{
    put_cert_family(page, "pintle_tls_certificate_expiry_seconds", "gauge",
        "When the certificate in use expires, Unix time.",
        offsetof(struct pin_cert_status, expires_s));
    put_cert_family(page, "pintle_tls_certificate_up", "gauge",
        "1 while the files as they are now are in use, 0 while they have a fault.",
        offsetof(struct pin_cert_status, is_up));
    put_cert_family(page, "pintle_tls_certificate_loads_total", "counter",
        "Times certificate and key were taken.", offsetof(struct pin_cert_status, n_loads));
    put_cert_family(page, "pintle_tls_certificate_failures_total", "counter",
        "Times certificate or key had a fault and were not taken.",
        offsetof(struct pin_cert_status, n_failures));
}

/* What the workers found in the cache; the rest of it the forwarder tells. */
static void put_cache_use(struct pin_text *text, const struct pin_stats_sum *sum)
{
    pin_metrics_single(text, "pintle_cache_hits_total", "counter",
        "Queries answered from the cache.", sum->n_cache_hits);
    pin_metrics_single(text, "pintle_cache_misses_total", "counter",
        "Queries that had to wait for a resolver.", sum->n_cache_misses);
    pin_metrics_single(text, "pintle_cache_served_stale_total", "counter",
        "Queries answered with expired data because no resolver answered.", sum->n_cache_stale);
}

static void put_policy(
    struct pin_text *text, const struct pin_policy_label *label, const char *mode, uint64_t n)
{
    pin_text_putf(text,
        "pintle_policy_denied_total{cluster=\"%s\",kind=\"%s\",namespace=\"%s\",name=\"%s\",mode="
        "\"%s\"} %llu\n",
        label->cluster, label->kind, label->namespace_name, label->name, mode,
        (unsigned long long)n);
}

/* Policies beyond the slots count as "other". */
static void put_policies(
    struct pin_text *text, const struct pin_policy_labels *labels, const struct pin_stats_sum *sum)
{
    uint32_t n = atomic_load_explicit(&labels->n, memory_order_acquire);
    pin_metrics_family(text, "pintle_policy_denied_total", "counter",
        "Answers that a policy kept from the asker, or, where it audits, would have.");
    for (uint32_t i = n < PIN_POLICY_SLOTS ? 1 : 0; i < n; i++) {
        put_policy(text, &labels->labels[i], "enforce", sum->denied_by[i]);
        put_policy(text, &labels->labels[i], "audit", sum->would_deny_by[i]);
    }
}

/* --- Clusters ------------------------------------------------------------------------------ */

/* One gauge per kind of a cluster that is 1 where the bit of the kind is set. */
static void put_kind_bits(
    struct pin_text *text, const char *name, const char *cluster, uint32_t kinds)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_text_putf(text, "%s{cluster=\"%s\",kind=\"%s\"} %d\n", name, cluster,
            pin_kind_label((enum pin_kind)kind), (kinds >> kind & 1) != 0);
    }
}

static void put_cluster_states(struct pin_page *page)
{
    struct pin_text *text = &page->body;
    size_t n_clusters = pin_page_settings(page)->n_clusters;
    const struct pin_cluster_status *clusters = page->facts.clusters;

    pin_metrics_family(text, "pintle_cluster_up", "gauge", "1 while the cluster can be reached.");
    for (size_t i = 0; i < n_clusters; i++) {
        pin_text_putf(text, "pintle_cluster_up{cluster=\"%s\"} %d\n", clusters[i].name,
            clusters[i].is_up ? 1 : 0);
    }
    pin_metrics_family(
        text, "pintle_cluster_synced", "gauge", "1 once every kind was listed whole.");
    for (size_t i = 0; i < n_clusters; i++) {
        pin_text_putf(text, "pintle_cluster_synced{cluster=\"%s\"} %d\n", clusters[i].name,
            clusters[i].is_synced ? 1 : 0);
    }
    uint64_t now_ms = (uint64_t)pin_clock_mono_ms();
    pin_metrics_family(text, "pintle_cluster_stale_seconds", "gauge",
        "Age of what a cluster out of reach said last; 0 while it can be reached.");
    for (size_t i = 0; i < n_clusters; i++) {
        uint64_t since_ms = clusters[i].stale_since_ms;
        pin_text_putf(text, "pintle_cluster_stale_seconds{cluster=\"%s\"} %.3f\n", clusters[i].name,
            since_ms == 0 || since_ms > now_ms ? 0.0 : (double)(now_ms - since_ms) / 1000.0);
    }
    pin_metrics_family(text, "pintle_cluster_objects", "gauge", "Objects held.");
    for (size_t i = 0; i < n_clusters; i++) {
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            pin_text_putf(text, "pintle_cluster_objects{cluster=\"%s\",kind=\"%s\"} %u\n",
                clusters[i].name, pin_kind_label((enum pin_kind)kind), clusters[i].n_objects[kind]);
        }
    }
    pin_metrics_family(text, "pintle_cluster_list_held", "gauge",
        "1 while the last list names too few objects to be believed before a second one says so.");
    for (size_t i = 0; i < n_clusters; i++) {
        put_kind_bits(text, "pintle_cluster_list_held", clusters[i].name, clusters[i].held_kinds);
    }
    pin_metrics_family(text, "pintle_cluster_over_limit", "gauge",
        "1 while objects beyond maxObjects are left out.");
    for (size_t i = 0; i < n_clusters; i++) {
        put_kind_bits(text, "pintle_cluster_over_limit", clusters[i].name, clusters[i].over_kinds);
    }
}

/* One family of figures per static zone. */
static void put_zonefile_family(
    struct pin_page *page, const char *name, const char *type, const char *help, size_t offset)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    size_t n = pin_page_settings(page)->n_zones_static;
    if (hooks->zonefile == NULL || n == 0) {
        return;
    }
    pin_metrics_family(&page->body, name, type, help);
    for (size_t i = 0; i < n; i++) {
        struct pin_zonefile_status status = {0};
        uint64_t value = 0;
        hooks->zonefile(hooks->arg, i, &status);
        memcpy(&value, (const char *)&status + offset, sizeof(value));
        pin_text_putf(
            &page->body, "%s{zone=\"%s\"} %llu\n", name, status.zone, (unsigned long long)value);
    }
}

static void put_zonefiles(struct pin_page *page)
{
    put_zonefile_family(page, "pintle_zonefile_up", "gauge",
        "1 while the zone's file as it is now is served, 0 while it has a fault.",
        offsetof(struct pin_zonefile_status, is_up));
    put_zonefile_family(page, "pintle_zonefile_serial", "gauge", "Serial that is served.",
        offsetof(struct pin_zonefile_status, serial));
    put_zonefile_family(page, "pintle_zonefile_records", "gauge", "Records that are served.",
        offsetof(struct pin_zonefile_status, n_rrs));
    put_zonefile_family(page, "pintle_zonefile_loads_total", "counter",
        "Times the file was read without a fault.", offsetof(struct pin_zonefile_status, n_loads));
    put_zonefile_family(page, "pintle_zonefile_failures_total", "counter",
        "Times the file had a fault and was not taken.",
        offsetof(struct pin_zonefile_status, n_failures));
}

static void put_sources(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    if (hooks->sources_metrics != NULL) {
        hooks->sources_metrics(hooks->arg, &page->body);
    }
}

/* --- Health -------------------------------------------------------------------------------- */

static void put_probes(struct pin_text *text, const struct pin_health_stats *stats)
{
    static const char *const results[PIN_PROBE_RESULT_MAX] = {
        [PIN_PROBE_OK] = "ok", [PIN_PROBE_FAILED] = "failed"};
    pin_metrics_family(text, "pintle_health_probes_total", "counter", "Health probes that ended.");
    for (int p = 0; p <= PIN_CHECK_COMMAND; p++) {
        for (int r = 0; r < PIN_PROBE_RESULT_MAX; r++) {
            pin_text_putf(text, "pintle_health_probes_total{protocol=\"%s\",result=\"%s\"} %llu\n",
                pin_check_protocol_text((enum pin_check_protocol)p), results[r],
                (unsigned long long)stats->n_probes[p][r]);
        }
    }
}

static void put_health(struct pin_page *page)
{
    static const char *const states[] = {[PIN_VERDICT_DOWN] = "unhealthy",
        [PIN_VERDICT_UNJUDGED] = "unjudged",
        [PIN_VERDICT_ASSUMED] = "assumed",
        [PIN_VERDICT_UP] = "healthy"};
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_text *text = &page->body;
    struct pin_health_stats stats = {0};
    if (hooks->health == NULL) {
        return;
    }
    hooks->health(hooks->arg, &stats);
    put_probes(text, &stats);
    pin_metrics_family(text, "pintle_health_addresses", "gauge",
        "Addresses probed, each check counted; assumed: shown before the first verdict.");
    for (int v = 0; v <= PIN_VERDICT_UP; v++) {
        pin_text_putf(text, "pintle_health_addresses{state=\"%s\"} %llu\n", states[v],
            (unsigned long long)stats.n_addresses[v]);
    }
    pin_metrics_single(
        text, "pintle_health_changes_total", "counter", "Verdicts that changed.", stats.n_flips);
    pin_metrics_single(text, "pintle_health_probes_running", "gauge",
        "Health probes that wait for an end.", stats.n_running);
    pin_metrics_family(text, "pintle_health_late_seconds", "gauge",
        "How long the probe that waits longest is overdue (health.maxPerSecond).");
    pin_text_putf(text, "pintle_health_late_seconds %.3f\n", (double)stats.late_ms / 1000.0);
}

/* --- Secondaries --------------------------------------------------------------------------- */

static void put_notify(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_text *text = &page->body;
    if (hooks->notify == NULL) {
        return;
    }
    struct pin_notify_stats stats = hooks->notify(hooks->arg);
    pin_metrics_single(text, "pintle_notify_sent_total", "counter",
        "NOTIFY messages sent to secondaries.", stats.n_sent);
    pin_metrics_single(text, "pintle_notify_answered_total", "counter",
        "NOTIFY messages that were answered.", stats.n_answered);
    pin_metrics_single(text, "pintle_notify_given_up_total", "counter",
        "Secondaries that did not answer when they were told of a change.", stats.n_given_up);
}

/* --- Gateways ------------------------------------------------------------------------------ */

/* What a family shows of one looked-up host name. */
typedef double lookup_value(const struct pin_lookup_stats *lookup);

static double lookup_up(const struct pin_lookup_stats *lookup)
{
    return lookup->good_wall_ms > 0 && lookup->error[0] == '\0' ? 1 : 0;
}

static double lookup_addresses(const struct pin_lookup_stats *lookup)
{
    return (double)lookup->n_ips;
}

static double lookup_time(const struct pin_lookup_stats *lookup)
{
    return (double)lookup->good_wall_ms / 1000.0;
}

static double lookup_good(const struct pin_lookup_stats *lookup)
{
    return (double)lookup->n_good;
}

static double lookup_failed(const struct pin_lookup_stats *lookup)
{
    return (double)lookup->n_failed;
}

static void put_lookups(struct pin_page *page)
{
    static const struct {
        const char *name;
        const char *type;
        const char *help;
        lookup_value *value;
    } families[] = {
        {"pintle_gateway_host_up", "gauge", "1 while the gateway's host name resolves.", lookup_up},
        {"pintle_gateway_host_addresses", "gauge", "Addresses it has.", lookup_addresses},
        {"pintle_gateway_host_resolved_timestamp_seconds", "gauge",
            "When it was resolved last, 0 before that.", lookup_time},
        {"pintle_gateway_lookups_total", "counter", "Lookups with an address.", lookup_good},
        {"pintle_gateway_lookup_failures_total", "counter", "Lookups without.", lookup_failed},
    };
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_lookup_stats lookup = {0};
    if (hooks->lookup == NULL || !hooks->lookup(hooks->arg, 0, &lookup)) {
        return;
    }
    for (size_t f = 0; f < N_ELEMS(families); f++) {
        pin_metrics_family(&page->body, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; hooks->lookup(hooks->arg, i, &lookup); i++) {
            pin_text_putf(&page->body, "%s{host=\"%s\"} %.15g\n", families[f].name, lookup.host,
                families[f].value(&lookup));
        }
    }
}

/* --- Builder ------------------------------------------------------------------------------- */

static void put_lag(
    struct pin_text *text, const char *name, const char *help, const struct pin_lag *lag)
{
    uint64_t n = 0;
    pin_metrics_family(text, name, "histogram", help);
    for (size_t i = 0; i < PIN_LAG_BUCKETS - 1; i++) {
        n += pin_stat_read(&lag->buckets[i]);
        pin_text_putf(
            text, "%s_bucket{le=\"%g\"} %llu\n", name, pin_lag_bounds_s[i], (unsigned long long)n);
    }
    n += pin_stat_read(&lag->buckets[PIN_LAG_BUCKETS - 1]);
    pin_text_putf(text, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)n);
    pin_text_putf(text, "%s_sum %.9f\n", name, (double)pin_stat_read(&lag->sum_ns) / 1e9);
    pin_text_putf(text, "%s_count %llu\n", name, (unsigned long long)n);
}

/* From the change in the cluster to its answer, as Kubernetes' own indicator has it. */
static void put_programming(struct pin_text *text, const struct pin_builder_stats *stats)
{
    static const char name[] = "pintle_kubernetes_dns_programming_duration_seconds";
    static const char *const kinds[PIN_PROGRAMMED_MAX] = {
        [PIN_PROGRAMMED_CLUSTER_IP] = "cluster_ip",
        [PIN_PROGRAMMED_HEADLESS] = "headless_with_selector"};
    pin_metrics_family(text, name, "histogram",
        "Time from the change of an endpoint, as its slice tells, to the answers that show it.");
    for (int kind = 0; kind < PIN_PROGRAMMED_MAX; kind++) {
        const struct pin_programming *all = &stats->programming[kind];
        uint64_t n = 0;
        for (size_t i = 0; i < PIN_PROGRAMMING_BUCKETS - 1; i++) {
            n += pin_stat_read(&all->buckets[i]);
            pin_text_putf(text, "%s_bucket{service_kind=\"%s\",le=\"%g\"} %llu\n", name,
                kinds[kind], (double)(1u << i) / 1000.0, (unsigned long long)n);
        }
        n += pin_stat_read(&all->buckets[PIN_PROGRAMMING_BUCKETS - 1]);
        pin_text_putf(text, "%s_bucket{service_kind=\"%s\",le=\"+Inf\"} %llu\n", name, kinds[kind],
            (unsigned long long)n);
        pin_text_putf(text, "%s_sum{service_kind=\"%s\"} %.3f\n", name, kinds[kind],
            (double)pin_stat_read(&all->sum_ms) / 1e3);
        pin_text_putf(
            text, "%s_count{service_kind=\"%s\"} %llu\n", name, kinds[kind], (unsigned long long)n);
    }
}

static void put_names(struct pin_text *text, const struct pin_catalog_counts *counts)
{
    pin_metrics_family(text, "pintle_names", "gauge", "Names made from objects.");
    pin_text_putf(
        text, "pintle_names{kind=\"service\"} %llu\n", (unsigned long long)counts->n_services);
    pin_text_putf(
        text, "pintle_names{kind=\"route\"} %llu\n", (unsigned long long)counts->n_routes);
    pin_metrics_single(text, "pintle_global_services", "gauge",
        "Services made global by Cilium's annotation.", counts->n_global_services);
    pin_metrics_single(
        text, "pintle_endpoints", "gauge", "Endpoint addresses held.", counts->n_endpoints);
    pin_metrics_single(
        text, "pintle_drains", "gauge", "Things that are drained by hand.", counts->n_drains);
    if (counts->has_writes) {
        pin_metrics_single(text, "pintle_writer_objects_wanted", "gauge",
            "Objects in clusters that should show something of ours.", counts->n_wanted);
        pin_metrics_single(text, "pintle_writer_units_differing", "gauge",
            "Services, routes and Gateways of which some object does not show it yet.",
            counts->n_differing);
    }
    pin_metrics_single(text, "pintle_generation", "gauge", "Publications that changed something.",
        counts->generation);
}

static void put_builder(struct pin_text *text, const struct pin_builder *builder)
{
    const struct pin_builder_stats *stats = pin_builder_stats(builder);
    size_t capacity = 0;
    size_t queued = pin_builder_queued(builder, &capacity);

    put_lag(text, "pintle_sync_lag_seconds",
        "Time from a change's bytes to the answers that show it.", &stats->change);
    put_programming(text, stats);
    put_lag(text, "pintle_publish_seconds", "Time to compile and publish one round of changes.",
        &stats->publish);
    pin_metrics_single(text, "pintle_changes_total", "counter", "Changes taken from the sources.",
        pin_stat_read(&stats->n_deltas));
    pin_metrics_single(text, "pintle_published_units_total", "counter",
        "Services and routes compiled.", pin_stat_read(&stats->n_units));
    pin_metrics_single(text, "pintle_published_names_total", "counter", "Names put or removed.",
        pin_stat_read(&stats->n_names));
    pin_metrics_single(
        text, "pintle_changes_waiting", "gauge", "Changes in the queue to the builder.", queued);
    pin_metrics_single(
        text, "pintle_changes_waiting_limit", "gauge", "Room of that queue.", capacity);
}

/* --- Process ------------------------------------------------------------------------------- */

static uint64_t count_fds(void)
{
    uint64_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return 0;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the handle is this function's own */
    for (struct dirent *entry = readdir(dir); entry != NULL;
         entry = readdir(dir)) { /* NOLINT(concurrency-mt-unsafe): as above */
        n += entry->d_name[0] != '.' ? 1 : 0;
    }
    (void)closedir(dir);
    return n > 0 ? n - 1 : 0; /* the one that counts */
}

/* Pages of memory: virtual and resident. */
static void read_memory(uint64_t *ret_virtual, uint64_t *ret_resident)
{
    char *text = NULL;
    unsigned long long pages[2] = {0};
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    if (pin_file_read("/proc/self/statm", PROC_MAX_BYTES, &text, NULL, NULL) == PIN_OK) {
        char *end = NULL;
        pages[0] = strtoull(text, &end, 10);
        pages[1] = strtoull(end, NULL, 10);
    }
    free(text);
    *ret_virtual = pages[0] * page_bytes;
    *ret_resident = pages[1] * page_bytes;
}

static void put_process(struct pin_text *text, int64_t started_wall_ms)
{
    struct rusage usage = {0};
    struct rlimit limit = {0};
    uint64_t virtual_bytes = 0;
    uint64_t resident_bytes = 0;

    (void)getrusage(RUSAGE_SELF, &usage);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    read_memory(&virtual_bytes, &resident_bytes);
    pin_metrics_family(text, "process_cpu_seconds_total", "counter", "User and system time.");
    pin_text_putf(text, "process_cpu_seconds_total %.6f\n",
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    pin_metrics_single(text, "process_open_fds", "gauge", "Open descriptors.", count_fds());
    pin_metrics_single(text, "process_max_fds", "gauge", "Descriptors allowed.", limit.rlim_cur);
    pin_metrics_single(
        text, "process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual_bytes);
    pin_metrics_single(
        text, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes);
    pin_metrics_family(
        text, "process_start_time_seconds", "gauge", "When the process began, Unix time.");
    pin_text_putf(text, "process_start_time_seconds %.3f\n", (double)started_wall_ms / 1000.0);
}

static void put_log_lines(struct pin_text *text)
{
    pin_metrics_family(text, "pintle_log_lines_total", "counter", "Log lines written.");
    for (int level = PIN_LOG_DEBUG; level <= PIN_LOG_ERROR; level++) {
        pin_text_putf(text, "pintle_log_lines_total{level=\"%s\"} %llu\n",
            pin_log_level_name((enum pin_log_level)level),
            (unsigned long long)pin_log_count((enum pin_log_level)level));
    }
}

static void put_tap(struct pin_text *text, const struct pin_tapper *tapper)
{
    uint64_t n_noted = 0;
    uint64_t n_lost = 0;
    pin_tapper_stats(tapper, &n_noted, &n_lost);
    pin_metrics_family(text, "pintle_tap_noted_total", "counter",
        "Questions noted for the query log or for dnstap.");
    pin_text_putf(text, "pintle_tap_noted_total %llu\n", (unsigned long long)n_noted);
    pin_metrics_family(text, "pintle_tap_lost_total", "counter",
        "What was to be noted and was not, because a ring or the dnstap collector was full.");
    pin_text_putf(text, "pintle_tap_lost_total %llu\n", (unsigned long long)n_lost);
}

/* The state directory, where there is one. */
static void put_keeper(struct pin_text *text, const struct pin_keeper *keeper)
{
    struct pin_keeper_stats stats = {0};
    if (keeper != NULL) {
        stats = pin_keeper_stats(keeper);
    }
    if (!stats.is_on) {
        return;
    }
    pin_metrics_single(text, "pintle_state_up", "gauge",
        "1 while what is known can be written to the state directory.", !stats.is_failing);
    pin_metrics_single(text, "pintle_state_failures_total", "counter",
        "Times that it could not be written.", stats.n_failures);
    pin_metrics_single(
        text, "pintle_state_frames_total", "counter", "Rounds of changes written.", stats.n_frames);
    pin_metrics_single(text, "pintle_state_rewrites_total", "counter",
        "Times that the whole file was written anew.", stats.n_rewrites);
    pin_metrics_single(text, "pintle_state_bytes", "gauge", "Size of the file.", stats.file_bytes);
    pin_metrics_single(text, "pintle_state_restored_records", "gauge",
        "Objects taken from the file at the start.", stats.n_restored);
    pin_metrics_family(text, "pintle_state_last_write_time_seconds", "gauge",
        "When it was written last, Unix time; 0: not since the start.");
    pin_text_putf(
        text, "pintle_state_last_write_time_seconds %.3f\n", (double)stats.last_wall_ms / 1000.0);
}

void pin_metrics_render(struct pin_page *page)
{
    const struct pin_admin_config *config = &page->state->config;
    struct pin_text *text = &page->body;
    struct pin_stats_sum sum = {0};

    if (page->facts.clusters == NULL) {
        pin_page_error(page, 503, "out of memory");
        return;
    }
    page->content_type = "text/plain; version=0.0.4; charset=utf-8";
    pin_metrics_family(
        text, "pintle_build_info", "gauge", "Always 1; the label tells the version.");
    pin_text_puts(text, "pintle_build_info{version=\"" PIN_VERSION "\"} 1\n");
    if (config->workers != NULL) {
        pin_workers_stats(config->workers, &sum);
    }
    put_dns(text, &sum);
    if (config->forward != NULL) {
        put_cache_use(text, &sum);
        pin_forward_metrics(config->forward, text);
    }
    put_certs(page);
    if (config->builder != NULL) {
        put_policies(text, pin_builder_live(config->builder)->policies, &sum);
        pin_metrics_put_routes(text, pin_index_tally(pin_builder_live(config->builder)->index));
    }
    put_cluster_states(page);
    put_sources(page);
    if (config->hooks.publisher_metrics != NULL) {
        config->hooks.publisher_metrics(config->hooks.arg, text);
    }
    if (config->hooks.reload_metrics != NULL) {
        config->hooks.reload_metrics(config->hooks.arg, text);
    }
    if (config->hooks.replace_metrics != NULL) {
        config->hooks.replace_metrics(config->hooks.arg, text);
    }
    if (config->hooks.records_metrics != NULL) {
        config->hooks.records_metrics(config->hooks.arg, text);
    }
    put_zonefiles(page);
    put_health(page);
    put_notify(page);
    put_lookups(page);
    put_names(text, &page->facts.counts);
    if (config->builder != NULL) {
        put_builder(text, config->builder);
    }
    put_keeper(text, config->keeper);
    put_log_lines(text);
    put_tap(text, config->tapper);
    put_process(text, page->state->started_wall_ms);
}
