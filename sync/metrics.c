/* SPDX-License-Identifier: Apache-2.0 */

/* What sources count, in the Prometheus text format. */

#include <stddef.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/sync/sync.h"

static void put_family(struct pin_text *out, const char *name, const char *type, const char *help)
{
    pin_text_putf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A counter of each kind: `offset` is that of its uint64_t in struct pin_sync_kind_stats. */
static void put_kind_counter(const struct pin_sync *sync, struct pin_text *out, const char *name,
    const char *help, size_t offset)
{
    put_family(out, name, "counter", help);
    for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
        struct pin_sync_cluster_stats stats;
        pin_sync_cluster_stats(sync, i, &stats);
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            uint64_t n = 0;
            memcpy(&n, (const char *)&stats.kinds[kind] + offset, sizeof(n));
            pin_text_putf(out, "%s{cluster=\"%s\",kind=\"%s\"} %llu\n", name, stats.cluster,
                pin_kind_label((enum pin_kind)kind), (unsigned long long)n);
        }
    }
}

/* Lists by reason. The first one of each kind is always shown, other reasons once they occurred. */
static void put_lists(const struct pin_sync *sync, struct pin_text *out)
{
    static const char name[] = "pintle_cluster_lists_total";
    static const char *const words[] = {
#define X(reason, word, text) [PIN_LIST_##reason] = (word),
        PIN_LIST_REASON_MAP(X)
#undef X
    };
    put_family(out, name, "counter", "Lists begun, by why.");
    for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
        struct pin_sync_cluster_stats stats;
        pin_sync_cluster_stats(sync, i, &stats);
        for (size_t row = 0; row < (size_t)PIN_KIND_MAX * PIN_LIST_REASONS; row++) {
            int kind = (int)(row / PIN_LIST_REASONS);
            size_t reason = row % PIN_LIST_REASONS;
            uint64_t n = stats.kinds[kind].n_lists[reason];
            if (n > 0 || reason == PIN_LIST_START) {
                pin_text_putf(out, "%s{cluster=\"%s\",kind=\"%s\",reason=\"%s\"} %llu\n", name,
                    stats.cluster, pin_kind_label((enum pin_kind)kind), words[reason],
                    (unsigned long long)n);
            }
        }
    }
}

/* Kinds that answer 404 and keep their objects. */
static void put_missing(const struct pin_sync *sync, struct pin_text *out)
{
    static const char name[] = "pintle_cluster_kind_missing";
    put_family(out, name, "gauge",
        "1 while a kind that was listed is not found and discovery does not say that it is gone.");
    for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
        struct pin_sync_cluster_stats stats;
        pin_sync_cluster_stats(sync, i, &stats);
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            pin_text_putf(out, "%s{cluster=\"%s\",kind=\"%s\"} %d\n", name, stats.cluster,
                pin_kind_label((enum pin_kind)kind), stats.kinds[kind].is_missing);
        }
    }
}

/* A time of each cluster: `offset` is that of its wall_ms in struct pin_sync_cluster_stats. */
static void put_time(const struct pin_sync *sync, struct pin_text *out, const char *name,
    const char *help, size_t offset)
{
    put_family(out, name, "gauge", help);
    for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
        struct pin_sync_cluster_stats stats;
        int64_t wall_ms = 0;
        pin_sync_cluster_stats(sync, i, &stats);
        memcpy(&wall_ms, (const char *)&stats + offset, sizeof(wall_ms));
        pin_text_putf(
            out, "%s{cluster=\"%s\"} %.3f\n", name, stats.cluster, (double)wall_ms / 1000.0);
    }
}

static void put_expiries(const struct pin_sync *sync, struct pin_text *out)
{
    static const char name[] = "pintle_cluster_credentials_expire_seconds";
    int64_t now_ms = pin_clock_wall_ms();
    put_family(out, name, "gauge",
        "Time until our credentials end, below 0 when they have; absent when they do not say, "
        "and for a token in a file until it has ended.");
    for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
        struct pin_sync_cluster_stats stats;
        pin_sync_cluster_stats(sync, i, &stats);
        if (stats.credentials_expire_wall_ms != 0) {
            pin_text_putf(out, "%s{cluster=\"%s\"} %.3f\n", name, stats.cluster,
                (double)(stats.credentials_expire_wall_ms - now_ms) / 1000.0);
        }
    }
}

static void put_requests(const struct pin_sync *sync, struct pin_text *out)
{
    static const char name[] = "pintle_cluster_requests_total";
    put_family(out, name, "counter",
        "Requests to the API server that ended, by status or by why no answer came.");
    for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
        struct pin_sync_cluster_stats stats;
        pin_sync_cluster_stats(sync, i, &stats);
        for (size_t row = 0; row < PIN_SYNC_OUTCOMES && stats.outcomes[row].n > 0; row++) {
            const struct pin_sync_outcome *outcome = &stats.outcomes[row];
            pin_text_putf(out, "%s{cluster=\"%s\",code=\"", name, stats.cluster);
            if (outcome->fault == NULL) {
                pin_text_putf(out, "%d", outcome->status);
            } else {
                pin_text_puts(out, outcome->fault);
            }
            pin_text_putf(out, "\"} %llu\n", (unsigned long long)outcome->n);
        }
    }
}

/* --- writing back -------------------------------------------------------------------------- */

static double is_leader(const struct pin_sync_write_stats *stats)
{
    return stats->is_held ? 1 : 0;
}

static double waiting(const struct pin_sync_write_stats *stats)
{
    return (double)stats->n_waiting;
}

static double last_error(const struct pin_sync_write_stats *stats)
{
    return (double)stats->last_error_wall_ms / 1000.0;
}

/* Requests that ended, by kind and how; what never was is left out. */
static void put_writes(struct pin_text *out, const char *name, const char *cluster,
    const struct pin_sync_write_stats *stats)
{
    static const char *const results[PIN_SYNC_WRITE_RESULTS] = {[PIN_SYNC_WRITE_OK] = "ok",
        [PIN_SYNC_WRITE_GONE] = "gone",
        [PIN_SYNC_WRITE_CONFLICT] = "conflict",
        [PIN_SYNC_WRITE_DENIED] = "denied",
        [PIN_SYNC_WRITE_FAILED] = "failed"};
    for (int kind = 0; kind < PIN_SYNC_WRITE_KINDS; kind++) {
        for (int result = 0; result < PIN_SYNC_WRITE_RESULTS; result++) {
            if (stats->results[kind][result] > 0) {
                pin_text_putf(out, "%s{cluster=\"%s\",kind=\"%s\",result=\"%s\"} %llu\n", name,
                    cluster,
                    kind == PIN_SYNC_WRITE_EVENTS ? "Event" : pin_kind_label((enum pin_kind)kind),
                    results[result], (unsigned long long)stats->results[kind][result]);
            }
        }
    }
}

static bool has_writers(const struct pin_sync *sync)
{
    for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
        struct pin_sync_write_stats stats;
        pin_sync_write_stats(sync, i, &stats);
        if (stats.is_on) {
            return true;
        }
    }
    return false;
}

/* What there is about writers, where there are any. */
static void put_writers(const struct pin_sync *sync, struct pin_text *out)
{
    static const struct {
        const char *name, *type, *help;
        double (*value)(const struct pin_sync_write_stats *stats); /* NULL: by kind and result */
    } rows[] = {
        {"pintle_writer_leader", "gauge", "1 while we are the one who writes to the cluster.",
            is_leader},
        {"pintle_writer_waiting", "gauge", "Requests to write that are yet to be made.", waiting},
        {"pintle_writer_last_error_timestamp_seconds", "gauge",
            "When a request to write failed last, 0 before that.", last_error},
        {"pintle_writer_writes_total", "counter", "Requests to write that ended, by how.", NULL},
    };
    for (size_t row = 0; has_writers(sync) && row < N_ELEMS(rows); row++) {
        put_family(out, rows[row].name, rows[row].type, rows[row].help);
        for (size_t i = 0; i < pin_sync_n_clusters(sync); i++) {
            struct pin_sync_write_stats stats;
            struct pin_sync_cluster_stats cluster;
            pin_sync_write_stats(sync, i, &stats);
            pin_sync_cluster_stats(sync, i, &cluster);
            if (stats.is_on && rows[row].value == NULL) {
                put_writes(out, rows[row].name, cluster.cluster, &stats);
            } else if (stats.is_on) {
                pin_text_putf(out, "%s{cluster=\"%s\"} %.17g\n", rows[row].name, cluster.cluster,
                    rows[row].value(&stats));
            }
        }
    }
}

void pin_sync_metrics(const struct pin_sync *sync, struct pin_text *out)
{
    if (sync == NULL) {
        return;
    }
    put_lists(sync, out);
    put_kind_counter(sync, out, "pintle_cluster_lists_broken_total",
        "Lists that broke off or made no sense, and took nothing away.",
        offsetof(struct pin_sync_kind_stats, n_broken));
    put_kind_counter(sync, out, "pintle_cluster_watch_restarts_total", "Watches begun again.",
        offsetof(struct pin_sync_kind_stats, n_restarts));
    put_kind_counter(sync, out, "pintle_cluster_events_total", "Objects received.",
        offsetof(struct pin_sync_kind_stats, n_events));
    put_kind_counter(sync, out, "pintle_cluster_unreadable_objects_total",
        "Objects received that could not be read.", offsetof(struct pin_sync_kind_stats, n_bad));
    put_missing(sync, out);
    put_time(sync, out, "pintle_cluster_last_event_timestamp_seconds",
        "When the cluster last said something, 0 before that.",
        offsetof(struct pin_sync_cluster_stats, last_event_wall_ms));
    put_time(sync, out, "pintle_cluster_last_list_timestamp_seconds",
        "When a list of the cluster last came to its end, 0 before that.",
        offsetof(struct pin_sync_cluster_stats, last_list_wall_ms));
    put_expiries(sync, out);
    put_requests(sync, out);
    put_writers(sync, out);
}
