/* SPDX-License-Identifier: Apache-2.0 */

/* What stood first in the answers of routes, beside what should have: as metrics and as JSON. */

#include <inttypes.h>

#include "resolver/admin_pages.h"
#include "resolver/metrics.h"

/* One family being written. */
struct writing {
    struct pin_text *text;
    const char *name;
    bool is_wanted;
};

static void put_sample(void *arg, const struct pin_tally_row *row)
{
    const struct writing *writing = arg;
    struct pin_text *text = writing->text;
    pin_text_putf(text, "%s{route=\"", writing->name);
    pin_metrics_put_label(text, row->route);
    pin_text_puts(text, "\",cluster=\"");
    pin_metrics_put_label(text, row->cluster);
    pin_text_puts(text, "\",backend=\"");
    pin_metrics_put_label(text, row->backend);
    if (writing->is_wanted) {
        pin_text_putf(text, "\"} %.3f\n", row->wanted);
    } else {
        pin_text_putf(text, "\"} %" PRIu64 "\n", row->n_first);
    }
}

void pin_metrics_put_routes(struct pin_text *text, struct pin_tally *tally)
{
    struct writing first = {.text = text, .name = "pintle_route_answers_total"};
    struct writing wanted = {
        .text = text, .name = "pintle_route_answers_wanted_total", .is_wanted = true};
    pin_metrics_family(text, first.name, "counter",
        "Answers of routes, by the backend and cluster of the address that stands first.");
    uint64_t n_uncounted = pin_tally_read(tally, put_sample, &first);
    pin_metrics_family(text, wanted.name, "counter",
        "How many those should be, by the weights in force when each was asked for.");
    (void)pin_tally_read(tally, put_sample, &wanted);
    pin_metrics_single(text, "pintle_route_uncounted_total", "counter",
        "Tables of routes whose answers are not counted, for lack of room.", n_uncounted);
}

static void put_item(void *arg, const struct pin_tally_row *row)
{
    struct pin_jsonout *json = arg;
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "route", row->route);
    pin_tally_put_members(json, row);
    pin_jsonout_end(json);
}

void pin_routes_put_json(struct pin_jsonout *json, struct pin_tally *tally)
{
    pin_jsonout_key(json, "routes");
    pin_jsonout_array(json);
    (void)pin_tally_read(tally, put_item, json);
    pin_jsonout_end(json);
}
