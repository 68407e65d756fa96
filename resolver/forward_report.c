/* SPDX-License-Identifier: Apache-2.0 */

/* What the forwarder tells of itself: metrics and status. */

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "forward_thread.h"
#include "metrics.h"

#define US_PER_S 1e6

/* --- sums over threads -------------------------------------------------------------------------
 */

/* One resolver, of all threads together. */
struct upstream_sum {
    uint64_t n_asked;
    uint64_t n_answered;
    uint64_t n_silent;
    uint64_t n_lost;
    uint64_t n_unreachable;
    uint64_t n_failed;
    uint64_t n_malformed;
    uint64_t n_mismatched;
    uint64_t n_over_stream;
    uint64_t n_connects;
    uint64_t n_down;
    uint64_t srtt_us; /* of the thread that measured the longest; 0: none has */
};

static struct upstream_sum sum_of(const struct pin_forward *forward, size_t index)
{
    struct upstream_sum sum = {.n_asked = 0};
    for (size_t t = 0; t < forward->n_threads; t++) {
        const struct pin_upstream_stats *stats = &forward->threads[t]->upstreams[index].stats;
        uint64_t srtt_us = pin_stat_read(&stats->srtt_us);
        sum.n_asked += pin_stat_read(&stats->n_asked);
        sum.n_answered += pin_stat_read(&stats->n_answered);
        sum.n_silent += pin_stat_read(&stats->n_silent);
        sum.n_lost += pin_stat_read(&stats->n_lost);
        sum.n_unreachable += pin_stat_read(&stats->n_unreachable);
        sum.n_failed += pin_stat_read(&stats->n_failed);
        sum.n_malformed += pin_stat_read(&stats->n_malformed);
        sum.n_mismatched += pin_stat_read(&stats->n_mismatched);
        sum.n_over_stream += pin_stat_read(&stats->n_over_stream);
        sum.n_connects += pin_stat_read(&stats->n_connects);
        sum.n_down += pin_stat_read(&stats->is_down);
        sum.srtt_us = srtt_us > sum.srtt_us ? srtt_us : sum.srtt_us;
    }
    return sum;
}

/* Down for one thread is down: the others may not have asked it. Or what it is asked comes back. */
static bool is_up(const struct pin_forward *forward, size_t index, const struct upstream_sum *sum)
{
    return sum->n_down == 0 && !atomic_load_explicit(&forward->loops[index], memory_order_relaxed);
}

static void format_upstream(const struct pin_upstream_spec *spec, struct pin_text *text)
{
    char address[PIN_ADDRPORT_TEXT_MAX];
    pin_text_putf(
        text, "%s%s", spec->is_tls ? "tls://" : "", pin_addrport_format(&spec->address, address));
}

/* --- metrics -----------------------------------------------------------------------------------
 */

static void put_cache(const struct pin_forward *forward, struct pin_text *text)
{
    struct pin_cache_stats stats;
    pin_cache_stats(forward->cache, &stats);
    pin_metrics_single(
        text, "pintle_cache_size_bytes", "gauge", "Memory the cache may take.", stats.size_bytes);
    pin_metrics_single(
        text, "pintle_cache_used_bytes", "gauge", "Memory it takes.", stats.used_bytes);
    pin_metrics_single(text, "pintle_cache_entries", "gauge", "Answers kept, whatever their age.",
        stats.n_entries);
    pin_metrics_single(text, "pintle_cache_insertions_total", "counter",
        "Answers put into the cache.", stats.n_put);
    pin_metrics_single(text, "pintle_cache_evictions_total", "counter",
        "Answers that left for want of room.", stats.n_evicted);
    pin_metrics_single(text, "pintle_cache_not_kept_total", "counter",
        "Answers handed out without being kept: TTL 0, too large, or no room just then.",
        stats.n_transient);
    pin_metrics_single(
        text, "pintle_cache_failures_total", "counter", "Failures noted.", stats.n_failures);
}

/* Begins a line: name, zone and resolver as labels. */
static void put_labels(const struct pin_forward *forward, size_t zone_i, size_t upstream_i,
    const char *name, struct pin_text *text)
{
    char zone[PIN_NAME_TEXT_MAX];
    const struct pin_forward_zone *of = &forward->config.zones[zone_i];
    pin_name_format(of->name.wire, zone);
    pin_text_putf(text, "%s{zone=\"%s\",to=\"", name, zone);
    format_upstream(&of->upstreams[upstream_i], text);
    pin_text_puts(text, "\"");
}

typedef void put_upstream_fn(const struct pin_forward *forward, size_t zone_i, size_t upstream_i,
    size_t index, struct pin_text *text);

static void each_upstream(
    const struct pin_forward *forward, put_upstream_fn *put, struct pin_text *text)
{
    size_t index = 0;
    for (size_t z = 0; z < forward->config.n_zones; z++) {
        for (size_t u = 0; u < forward->config.zones[z].n_upstreams; u++) {
            put(forward, z, u, index++, text);
        }
    }
}

static void put_queries(const struct pin_forward *forward, size_t zone_i, size_t upstream_i,
    size_t index, struct pin_text *text)
{
    static const char name[] = "pintle_forward_upstream_queries_total";
    struct upstream_sum sum = sum_of(forward, index);
    put_labels(forward, zone_i, upstream_i, name, text);
    pin_text_putf(
        text, ",proto=\"udp\"} %llu\n", (unsigned long long)(sum.n_asked - sum.n_over_stream));
    put_labels(forward, zone_i, upstream_i, name, text);
    pin_text_putf(text, ",proto=\"stream\"} %llu\n", (unsigned long long)sum.n_over_stream);
}

static void put_results(const struct pin_forward *forward, size_t zone_i, size_t upstream_i,
    size_t index, struct pin_text *text)
{
    struct upstream_sum sum = sum_of(forward, index);
    const struct {
        const char *result;
        uint64_t n;
    } results[] = {
        {"answered", sum.n_answered},
        {"silent", sum.n_silent},
        {"lost", sum.n_lost},
        {"unreachable", sum.n_unreachable},
        {"failed", sum.n_failed},
        {"malformed", sum.n_malformed},
        {"mismatched", sum.n_mismatched},
    };
    for (size_t i = 0; i < N_ELEMS(results); i++) {
        put_labels(forward, zone_i, upstream_i, "pintle_forward_upstream_results_total", text);
        pin_text_putf(
            text, ",result=\"%s\"} %llu\n", results[i].result, (unsigned long long)results[i].n);
    }
}

static void put_up(const struct pin_forward *forward, size_t zone_i, size_t upstream_i,
    size_t index, struct pin_text *text)
{
    struct upstream_sum sum = sum_of(forward, index);
    put_labels(forward, zone_i, upstream_i, "pintle_forward_upstream_up", text);
    pin_text_putf(text, "} %d\n", is_up(forward, index, &sum) ? 1 : 0);
}

static void put_srtt(const struct pin_forward *forward, size_t zone_i, size_t upstream_i,
    size_t index, struct pin_text *text)
{
    struct upstream_sum sum = sum_of(forward, index);
    put_labels(forward, zone_i, upstream_i, "pintle_forward_upstream_srtt_seconds", text);
    pin_text_putf(text, "} %.6f\n", (double)sum.srtt_us / US_PER_S);
}

/* One counter or gauge, of all threads together; `offset` is where it stands in their stats. */
static uint64_t sum_events(const struct pin_forward *forward, size_t offset)
{
    uint64_t n = 0;
    for (size_t t = 0; t < forward->n_threads; t++) {
        const char *stats = (const char *)&forward->threads[t]->stats;
        n += pin_stat_read((const struct pin_stat *)(const void *)(stats + offset));
    }
    return n;
}

static void put_events(const struct pin_forward *forward, struct pin_text *text)
{
    static const struct {
        const char *event;
        size_t offset;
    } events[] = {
#define X(name, help) {&#name[2], offsetof(struct pin_forward_stats, name)},
        PIN_FORWARD_EVENT_MAP(X)
#undef X
    };
    pin_metrics_single(text, "pintle_forward_pending", "gauge", "Questions under way.",
        sum_events(forward, offsetof(struct pin_forward_stats, n_pending)));
    pin_metrics_family(
        text, "pintle_forward_events_total", "counter", "What happened to questions.");
    for (size_t i = 0; i < N_ELEMS(events); i++) {
        pin_text_putf(text, "pintle_forward_events_total{event=\"%s\"} %llu\n", events[i].event,
            (unsigned long long)sum_events(forward, events[i].offset));
    }
}

void pin_forward_metrics(const struct pin_forward *forward, struct pin_text *text)
{
    put_cache(forward, text);
    put_events(forward, text);
    pin_metrics_family(
        text, "pintle_forward_upstream_queries_total", "counter", "Messages to resolvers.");
    each_upstream(forward, put_queries, text);
    pin_metrics_family(
        text, "pintle_forward_upstream_results_total", "counter", "What came of them.");
    each_upstream(forward, put_results, text);
    pin_metrics_family(
        text, "pintle_forward_upstream_up", "gauge", "1 while the resolver answers.");
    each_upstream(forward, put_up, text);
    pin_metrics_family(text, "pintle_forward_upstream_srtt_seconds", "gauge",
        "Smoothed time to an answer; 0: not measured.");
    each_upstream(forward, put_srtt, text);
}

/* --- status -------------------------------------------------------------------------------------
 */

static void put_upstream_json(const struct pin_forward *forward,
    const struct pin_upstream_spec *spec, size_t index, struct pin_jsonout *json)
{
    struct pin_text address = {0};
    struct upstream_sum sum = sum_of(forward, index);
    bool is_loop = atomic_load_explicit(&forward->loops[index], memory_order_relaxed);
    format_upstream(spec, &address);
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "to", pin_text_get(&address));
    pin_jsonout_key_bool(json, "up", is_up(forward, index, &sum));
    pin_jsonout_key_bool(json, "loop", is_loop);
    pin_jsonout_key_uint(json, "queries", sum.n_asked);
    pin_jsonout_key_uint(json, "answers", sum.n_answered);
    pin_jsonout_key_uint(json, "silent", sum.n_silent);
    pin_jsonout_key_uint(json, "unreachable", sum.n_unreachable);
    pin_jsonout_key_uint(json, "srttMicroseconds", sum.srtt_us);
    pin_jsonout_end(json);
    pin_text_done(&address);
}

void pin_forward_status_json(const struct pin_forward *forward, struct pin_jsonout *json)
{
    size_t index = 0;
    pin_jsonout_array(json);
    for (size_t z = 0; forward != NULL && z < forward->config.n_zones; z++) {
        const struct pin_forward_zone *zone = &forward->config.zones[z];
        char name[PIN_NAME_TEXT_MAX];
        pin_name_format(zone->name.wire, name);
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "zone", name);
        pin_jsonout_key(json, "to");
        pin_jsonout_array(json);
        for (size_t u = 0; u < zone->n_upstreams; u++) {
            put_upstream_json(forward, &zone->upstreams[u], index++, json);
        }
        pin_jsonout_end(json);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

void pin_forward_each_trouble(
    const struct pin_forward *forward, pin_forward_trouble_fn *tell, void *arg)
{
    size_t index = 0;
    for (size_t z = 0; forward != NULL && z < forward->config.n_zones; z++) {
        const struct pin_forward_zone *zone = &forward->config.zones[z];
        for (size_t u = 0; u < zone->n_upstreams; u++, index++) {
            struct upstream_sum sum = sum_of(forward, index);
            struct pin_text to = {0};
            char name[PIN_NAME_TEXT_MAX];
            if (!is_up(forward, index, &sum)) {
                pin_name_format(zone->name.wire, name);
                format_upstream(&zone->upstreams[u], &to);
                tell(arg, name, pin_text_get(&to),
                    atomic_load_explicit(&forward->loops[index], memory_order_relaxed));
                pin_text_done(&to);
            }
        }
    }
}
