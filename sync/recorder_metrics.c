/* SPDX-License-Identifier: Apache-2.0 */

/* What the recorder counts, in the Prometheus text format: by our names, and by external-dns's. */

#include <string.h>

#include "pintle/base/macros.h"

#include "recorder_state.h"

static void put_family(struct pin_text *out, const char *name, const char *type, const char *help)
{
    pin_text_putf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A sample's name and the labels that all have; more labels and "} value" follow. */
static void put_zone(struct pin_text *out, const char *family, const struct pin_recorder_zone *zone)
{
    pin_text_putf(out, "%s{records=\"%s\",zone=\"%s\"", family, zone->entry->name, zone->apex);
}

/* --- Ours ------------------------------------------------------------------------------------- */

/* A number of each zone. */
typedef double zone_fn(const struct pin_recorder_zone *zone);

static double get_wanted(const struct pin_recorder_zone *zone)
{
    return zone->shown == NULL ? 0 : (double)zone->shown->n_wanted;
}

static double get_owned(const struct pin_recorder_zone *zone)
{
    return zone->shown == NULL ? 0 : (double)zone->shown->plan.n_owned;
}

static double get_pending(const struct pin_recorder_zone *zone)
{
    return zone->shown == NULL ? 0 : (double)pin_recorder_run_pending(zone->shown);
}

static double get_blocked(const struct pin_recorder_zone *zone)
{
    return zone->shown == NULL ? 0 : (double)zone->shown->plan.n_blocked;
}

static double get_list_s(const struct pin_recorder_zone *zone)
{
    return (double)zone->list_wall_ms / 1000.0;
}

static double get_sync_s(const struct pin_recorder_zone *zone)
{
    return (double)zone->sync_wall_ms / 1000.0;
}

static double get_change_s(const struct pin_recorder_zone *zone)
{
    return (double)zone->change_wall_ms / 1000.0;
}

static double get_up(const struct pin_recorder_zone *zone)
{
    return zone->error_wall_ms == 0 && zone->list_wall_ms != 0 ? 1 : 0;
}

static double get_runs(const struct pin_recorder_zone *zone)
{
    return (double)zone->n_runs;
}

static double get_drift(const struct pin_recorder_zone *zone)
{
    return (double)zone->n_drift;
}

static double get_writer(const struct pin_recorder_zone *zone)
{
    return zone->entry->recorder->is_writer ? 1 : 0;
}

static const struct zone_family {
    const char *name;
    const char *type;
    const char *help;
    zone_fn *get;
} zone_families[] = {
    {"pintle_records_wanted", "gauge", "Record sets that objects want in the zone.", get_wanted},
    {"pintle_records_owned", "gauge", "Record sets in the zone that are ours.", get_owned},
    {"pintle_records_pending", "gauge", "Changes that are planned and not done.", get_pending},
    {"pintle_records_blocked_deletions", "gauge",
        "Deletions above the budget, which wait for approval.", get_blocked},
    {"pintle_records_up", "gauge", "1 while the last run of the zone ended well.", get_up},
    {"pintle_records_writer", "gauge", "1 while this process is the one that writes.", get_writer},
    {"pintle_records_last_list_timestamp_seconds", "gauge",
        "When the zone was last read whole; 0: never.", get_list_s},
    {"pintle_records_last_sync_timestamp_seconds", "gauge",
        "When a run last left nothing to do; 0: never.", get_sync_s},
    {"pintle_records_last_change_timestamp_seconds", "gauge",
        "When a change was last made; 0: never.", get_change_s},
    {"pintle_records_runs_total", "counter", "Runs that ended.", get_runs},
    {"pintle_records_drift_total", "counter", "Records found otherwise than we left them.",
        get_drift},
};

static void put_zone_families(const struct pin_recorder *recorder, struct pin_text *out)
{
    for (size_t i = 0; i < N_ELEMS(zone_families); i++) {
        const struct zone_family *family = &zone_families[i];
        put_family(out, family->name, family->type, family->help);
        for (const struct pin_recorder_zone *zone = NULL;
             (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
            put_zone(out, family->name, zone);
            pin_text_putf(out, "} %.15g\n", family->get(zone));
        }
    }
}

static void put_states(const struct pin_recorder *recorder, struct pin_text *out)
{
    static const char name[] = "pintle_records";
    put_family(out, name, "gauge", "Record sets by how they stand.");
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        size_t counts[PIN_RECORD_STATES];
        pin_recorder_zone_counts(zone, counts);
        for (int state = 0; state < PIN_RECORD_STATES; state++) {
            put_zone(out, name, zone);
            pin_text_putf(out, ",state=\"%s\"} %zu\n",
                pin_recorder_state_text((enum pin_recorder_state)state), counts[state]);
        }
    }
}

static void put_conflicts(const struct pin_recorder *recorder, struct pin_text *out)
{
    static const char name[] = "pintle_records_conflicts";
    put_family(out, name, "gauge", "Objects that do not get what they want, by why.");
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        size_t counts[PIN_RECORDPLAN_INVALID + 1] = {0};
        for (size_t i = 0; zone->shown != NULL && i < zone->shown->plan.n_conflicts; i++) {
            counts[zone->shown->plan.conflicts[i].kind]++;
        }
        for (int kind = 0; kind <= PIN_RECORDPLAN_INVALID; kind++) {
            put_zone(out, name, zone);
            pin_text_putf(out, ",kind=\"%s\"} %zu\n",
                pin_recordplan_conflict_str((enum pin_recordplan_conflict_kind)kind), counts[kind]);
        }
    }
}

static void put_changes(const struct pin_recorder *recorder, struct pin_text *out)
{
    static const char name[] = "pintle_records_changes_total";
    static const char *const ops[] = {"delete", "update", "create"};
    put_family(out, name, "counter", "Changes by what became of them.");
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        for (size_t op = 0; op < N_ELEMS(ops); op++) {
            for (int verdict = 0; verdict <= PIN_PROVIDER_UNKNOWN; verdict++) {
                put_zone(out, name, zone);
                pin_text_putf(out, ",op=\"%s\",result=\"%s\"} %llu\n", ops[op],
                    pin_provider_verdict_text((enum pin_provider_verdict)verdict),
                    (unsigned long long)zone->n_changes[op][verdict]);
            }
        }
    }
}

static void put_faults(const struct pin_recorder *recorder, struct pin_text *out)
{
    static const char name[] = "pintle_records_faults_total";
    put_family(out, name, "counter", "Runs that ended with a fault, by which.");
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        for (int fault = PIN_PROVIDER_UNREACHABLE; fault < PIN_RECORDER_FAULTS; fault++) {
            put_zone(out, name, zone);
            pin_text_putf(out, ",fault=\"%s\"} %llu\n", pin_recorder_fault_text(fault),
                (unsigned long long)zone->n_faults[fault]);
        }
    }
}

void pin_recorder_metrics(const struct pin_recorder *recorder, struct pin_text *out)
{
    if (recorder == NULL) {
        return;
    }
    put_zone_families(recorder, out);
    put_states(recorder, out);
    put_conflicts(recorder, out);
    put_changes(recorder, out);
    put_faults(recorder, out);
}

/* --- external-dns's --------------------------------------------------------------------------- */

/* Sums over all zones, and sets of a type. */
struct sums {
    double list_s; /* the oldest of all zones */
    double sync_s;
    uint64_t n_idle_runs;
    uint64_t n_bad_runs;
    uint64_t n_faults;
    size_t n_wanted;
    size_t n_owned;
};

static void add_zone(struct sums *sums, const struct pin_recorder_zone *zone, bool is_first)
{
    double list_s = (double)zone->list_wall_ms / 1000.0;
    double sync_s = (double)zone->sync_wall_ms / 1000.0;
    sums->list_s = is_first ? list_s : PIN_MIN(sums->list_s, list_s);
    sums->sync_s = is_first ? sync_s : PIN_MIN(sums->sync_s, sync_s);
    sums->n_idle_runs += zone->n_idle_runs;
    sums->n_bad_runs = PIN_MAX(sums->n_bad_runs, zone->n_bad_runs);
    for (int fault = PIN_PROVIDER_UNREACHABLE; fault < PIN_RECORDER_FAULTS; fault++) {
        sums->n_faults += zone->n_faults[fault];
    }
    sums->n_wanted += zone->shown == NULL ? 0 : zone->shown->n_wanted;
    sums->n_owned += zone->shown == NULL ? 0 : zone->shown->plan.n_owned;
}

/* Sets of one type: wanted, there and ours, both. */
static void put_types(const struct pin_recorder *recorder, struct pin_text *out, const char *family,
    bool (*counts)(const struct pin_recorder_row *row))
{
    static const char *const types[] = {"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"};
    size_t n[N_ELEMS(types)] = {0};
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        for (size_t i = 0; zone->shown != NULL && i < zone->shown->n_rows; i++) {
            const struct pin_recorder_row *row = &zone->shown->rows[i];
            for (size_t t = 0; t < N_ELEMS(types); t++) {
                n[t] += strcmp(types[t], row->type) == 0 && counts(row);
            }
        }
    }
    for (size_t t = 0; t < N_ELEMS(types); t++) {
        static const char *const labels[] = {"a", "aaaa", "cname", "mx", "ns", "ptr", "srv", "txt"};
        pin_text_putf(out, "%s{record_type=\"%s\"} %zu\n", family, labels[t], n[t]);
    }
}

static bool is_wanted(const struct pin_recorder_row *row)
{
    return row->desired != NULL;
}

static bool is_there(const struct pin_recorder_row *row)
{
    return row->actual != NULL;
}

static bool is_both(const struct pin_recorder_row *row)
{
    return row->desired != NULL && row->actual != NULL;
}

static void put_number(
    struct pin_text *out, const char *name, const char *type, const char *help, double value)
{
    put_family(out, name, type, help);
    pin_text_putf(out, "%s %.15g\n", name, value);
}

void pin_recorder_metrics_external_dns(const struct pin_recorder *recorder, struct pin_text *out)
{
    struct sums sums = {0};
    if (recorder == NULL) {
        return;
    }
    const struct pin_recorder_zone *first = pin_recorder_next_zone(recorder, NULL);
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        add_zone(&sums, zone, zone == first);
    }
    put_number(out, "external_dns_controller_last_reconcile_timestamp_seconds", "gauge",
        "When all zones had been read.", sums.list_s);
    put_number(out, "external_dns_controller_last_sync_timestamp_seconds", "gauge",
        "When all zones were as they should be.", sums.sync_s);
    put_number(out, "external_dns_controller_no_op_runs_total", "counter",
        "Runs that had nothing to do.", (double)sums.n_idle_runs);
    put_number(out, "external_dns_controller_consecutive_soft_errors", "gauge",
        "Runs that failed, one after the other, in the zone where they are most.",
        (double)sums.n_bad_runs);
    put_number(out, "external_dns_registry_endpoints_total", "gauge", "Record sets that are ours.",
        (double)sums.n_owned);
    put_number(out, "external_dns_registry_errors_total", "counter", "Runs that failed.",
        (double)sums.n_faults);
    put_number(out, "external_dns_source_endpoints_total", "gauge",
        "Record sets that objects want.", (double)sums.n_wanted);
    put_number(out, "external_dns_source_errors_total", "counter",
        "Always 0: clusters are counted as such.", 0);
    put_family(out, "external_dns_controller_verified_records", "gauge",
        "Record sets that are wanted and there.");
    put_types(recorder, out, "external_dns_controller_verified_records", is_both);
    put_family(out, "external_dns_registry_records", "gauge", "Record sets that are there.");
    put_types(recorder, out, "external_dns_registry_records", is_there);
    put_family(out, "external_dns_source_records", "gauge", "Record sets that are wanted.");
    put_types(recorder, out, "external_dns_source_records", is_wanted);
}
