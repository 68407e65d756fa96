/* SPDX-License-Identifier: Apache-2.0 */

/* What a publisher tells of itself. */

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "election.h"
#include "publisher_state.h"

static double lag_s(const struct pin_publisher *self)
{
    return self->news_ms == 0 ? 0 : (double)(pin_clock_mono_ms() - self->news_ms) / 1000.0;
}

void pin_publisher_status_json(const struct pin_publisher *publisher, struct pin_jsonout *out)
{
    const struct pin_publisher *self = publisher;
    if (self == NULL) {
        pin_jsonout_null(out);
        return;
    }
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "prefix", self->all_keys);
    pin_jsonout_key_string(out, "role",
        pin_publisher_is_leading(self)            ? "publisher"
        : pin_election_is_standby(self->election) ? "standby"
                                                  : "none");
    pin_jsonout_key_string(out, "leader", pin_election_holder(self->election));
    pin_jsonout_key_int(out, "revision", self->revision);
    pin_jsonout_key_uint(out, "keys", self->publish.n_keys);
    pin_jsonout_key_uint(out, "pending", self->publish.n_ops - self->publish.first);
    pin_jsonout_key_double(out, "lagSeconds", pin_publisher_is_leading(self) ? lag_s(self) : 0);
    pin_jsonout_key_uint(out, "transactions", self->n_txns);
    pin_jsonout_key_uint(out, "puts", self->n_puts);
    pin_jsonout_key_uint(out, "deletes", self->n_deletes);
    pin_jsonout_key_uint(out, "failures", pin_election_n_failures(self->election));
    pin_jsonout_key_uint(out, "refused", self->n_refused);
    pin_jsonout_key_uint(out, "repairs", self->n_repairs);
    pin_jsonout_key_string(out, "error", pin_election_error(self->election));
    pin_jsonout_end(out);
}

void pin_publisher_metrics(const struct pin_publisher *publisher, struct pin_text *out)
{
    const struct pin_publisher *self = publisher;
    if (self == NULL) {
        return;
    }
    const struct {
        const char *name, *kind, *help;
        double value;
    } rows[] = {
        {"pintle_publisher_is_leader", "gauge", "1 while this process writes the etcd prefix.",
            pin_publisher_is_leading(self) ? 1 : 0},
        {"pintle_publisher_revision", "gauge", "Revision of the latest transaction.",
            (double)self->revision},
        {"pintle_publisher_keys", "gauge", "Keys kept below the prefix.",
            (double)self->publish.n_keys},
        {"pintle_publisher_lag_seconds", "gauge", "Age of the oldest change not written yet.",
            pin_publisher_is_leading(self) ? lag_s(self) : 0},
        {"pintle_publisher_transactions_total", "counter", "Transactions carried out.",
            (double)self->n_txns},
        {"pintle_publisher_puts_total", "counter", "Keys written.", (double)self->n_puts},
        {"pintle_publisher_deletes_total", "counter", "Keys deleted.", (double)self->n_deletes},
        {"pintle_publisher_failures_total", "counter", "Calls to etcd that failed.",
            (double)pin_election_n_failures(self->election)},
        {"pintle_publisher_refused_total", "counter", "Keys that were too large for etcd.",
            (double)self->n_refused},
        {"pintle_publisher_repairs_total", "counter",
            "Times that keys were found changed or removed by others.", (double)self->n_repairs},
    };
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        pin_text_putf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", rows[i].name, rows[i].help,
            rows[i].name, rows[i].kind, rows[i].name, rows[i].value);
    }
}
