/* SPDX-License-Identifier: Apache-2.0 */

/* The page of counters that programs read twice to know a rate: queries by what they were, answers
 * of routes by what stood first. */

#include <unistd.h>

#include "pintle/base/clock.h"

#include "resolver/admin_pages.h"
#include "resolver/metrics.h"
#include "resolver/stats.h"

static void put_count(struct pin_jsonout *json, int transport, int qtype, int rcode, uint64_t count)
{
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "transport", pin_transport_name((enum pin_transport)transport));
    pin_jsonout_key_string(json, "type", pin_stat_qtype_name((enum pin_stat_qtype)qtype));
    pin_jsonout_key_string(json, "rcode", pin_stat_rcode_name((enum pin_stat_rcode)rcode));
    pin_jsonout_key_uint(json, "count", count);
    pin_jsonout_end(json);
}

static void put_transport(struct pin_jsonout *json, int transport, const struct pin_stats_sum *sum)
{
    for (int q = 0; q < PIN_STAT_QTYPE_MAX; q++) {
        for (int r = 0; r < PIN_STAT_RCODE_MAX; r++) {
            if (sum->queries[transport][q][r] > 0) {
                put_count(json, transport, q, r, sum->queries[transport][q][r]);
            }
        }
    }
}

static void put_queries(struct pin_jsonout *json, const struct pin_stats_sum *sum)
{
    pin_jsonout_key(json, "queries");
    pin_jsonout_array(json);
    for (int t = 0; t < PIN_TRANSPORT_MAX; t++) {
        put_transport(json, t, sum);
    }
    pin_jsonout_end(json);
}

static void render_traffic(struct pin_page *page)
{
    const struct pin_admin_state *state = page->state;
    struct pin_stats_sum sum = {0};
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_workers_stats(state->config.workers, &sum);
    pin_jsonout_object(&json);
    pin_jsonout_key_int(&json, "pid", (int64_t)getpid());
    pin_jsonout_key_int(&json, "uptimeMs", pin_clock_mono_ms() - state->started_mono_ms);
    put_queries(&json, &sum);
    if (state->config.builder != NULL) {
        pin_routes_put_json(&json, pin_index_tally(pin_builder_live(state->config.builder)->index));
    }
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

const struct pin_page_kind pin_page_traffic = {PIN_TRAFFIC_PATH, NULL, NULL, render_traffic};
