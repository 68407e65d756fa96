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

static double get_rivals(const struct pin_recorder_zone *zone)
{
    size_t n = 0;
    for (size_t i = 0; zone->shown != NULL && i < zone->shown->n_rows; i++) {
        n += strcmp(zone->shown->rows[i].conflict, PIN_RECORDER_RIVAL) == 0;
    }
    return (double)n;
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
    {"pintle_records_rivals", "gauge",
        "Records that another writer undoes each time, and that are left alone.", get_rivals},
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

/* Sums over all zones. */
struct sums {
    double try_s; /* the oldest of all zones */
    double sync_s;
    uint64_t n_idle_runs;
    uint64_t n_bad_runs;
    uint64_t n_faults;
    size_t n_wanted;
    size_t n_owned;
};

static void add_zone(struct sums *sums, const struct pin_recorder_zone *zone, bool is_first)
{
    double try_s = (double)zone->try_wall_ms / 1000.0;
    double sync_s = get_sync_s(zone);
    sums->try_s = is_first ? try_s : PIN_MIN(sums->try_s, try_s);
    sums->sync_s = is_first ? sync_s : PIN_MIN(sums->sync_s, sync_s);
    sums->n_idle_runs += zone->n_idle_runs;
    sums->n_bad_runs = PIN_MAX(sums->n_bad_runs, zone->n_bad_runs);
    for (int fault = PIN_PROVIDER_UNREACHABLE; fault < PIN_RECORDER_FAULTS; fault++) {
        sums->n_faults += zone->n_faults[fault];
    }
    sums->n_wanted += zone->shown == NULL ? 0 : zone->shown->n_wanted;
    sums->n_owned += zone->shown == NULL ? 0 : zone->shown->plan.n_owned;
}

static double get_tries(const struct sums *sums)
{
    return sums->try_s;
}

static double get_syncs(const struct sums *sums)
{
    return sums->sync_s;
}

static double get_idle_runs(const struct sums *sums)
{
    return (double)sums->n_idle_runs;
}

static double get_bad_runs(const struct sums *sums)
{
    return (double)sums->n_bad_runs;
}

static double get_all_owned(const struct sums *sums)
{
    return (double)sums->n_owned;
}

static double get_all_faults(const struct sums *sums)
{
    return (double)sums->n_faults;
}

static double get_all_wanted(const struct sums *sums)
{
    return (double)sums->n_wanted;
}

/* Clusters have faults of their own families. */
static double get_none(const struct sums *sums)
{
    (void)sums;
    return 0;
}

/* Names, types and texts are those of external-dns v0.20.0. */
static const struct sum_family {
    const char *name;
    const char *type;
    const char *help;
    double (*get)(const struct sums *sums);
} sum_families[] = {
    {"external_dns_controller_consecutive_soft_errors", "gauge",
        "Number of consecutive soft errors in reconciliation loop.", get_bad_runs},
    {"external_dns_controller_last_reconcile_timestamp_seconds", "gauge",
        "Timestamp of last attempted sync with the DNS provider", get_tries},
    {"external_dns_controller_last_sync_timestamp_seconds", "gauge",
        "Timestamp of last successful sync with the DNS provider", get_syncs},
    {"external_dns_controller_no_op_runs_total", "counter",
        "Number of reconcile loops ending up with no changes on the DNS provider side.",
        get_idle_runs},
    {"external_dns_registry_endpoints_total", "gauge", "Number of Endpoints in the registry",
        get_all_owned},
    {"external_dns_registry_errors_total", "counter", "Number of Registry errors.", get_all_faults},
    {"external_dns_source_endpoints_total", "gauge", "Number of Endpoints in all sources",
        get_all_wanted},
    {"external_dns_source_errors_total", "counter", "Number of Source errors.", get_none},
};

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

static const struct type_family {
    const char *name;
    const char *help;
    bool (*counts)(const struct pin_recorder_row *row);
} type_families[] = {
    {"external_dns_controller_verified_records",
        "Number of DNS records that exists both in source and registry (vector).", is_both},
    {"external_dns_registry_records",
        "Number of registry records partitioned by label name (vector).", is_there},
    {"external_dns_source_records", "Number of source records partitioned by label name (vector).",
        is_wanted},
};

/* Sets of each type that count. */
static void put_types(
    const struct pin_recorder *recorder, struct pin_text *out, const struct type_family *family)
{
    static const struct {
        const char *type, *label;
    } types[] = {{"A", "a"}, {"AAAA", "aaaa"}, {"CNAME", "cname"}, {"MX", "mx"}, {"NAPTR", "naptr"},
        {"NS", "ns"}, {"PTR", "ptr"}, {"SRV", "srv"}, {"TXT", "txt"}};
    size_t n[N_ELEMS(types)] = {0};
    put_family(out, family->name, "gauge", family->help);
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        for (size_t i = 0; zone->shown != NULL && i < zone->shown->n_rows; i++) {
            const struct pin_recorder_row *row = &zone->shown->rows[i];
            for (size_t t = 0; t < N_ELEMS(types); t++) {
                n[t] += strcmp(types[t].type, row->type) == 0 && family->counts(row);
            }
        }
    }
    for (size_t t = 0; t < N_ELEMS(types); t++) {
        pin_text_putf(out, "%s{record_type=\"%s\"} %zu\n", family->name, types[t].label, n[t]);
    }
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
    for (size_t i = 0; i < N_ELEMS(sum_families); i++) {
        const struct sum_family *family = &sum_families[i];
        put_family(out, family->name, family->type, family->help);
        pin_text_putf(out, "%s %.15g\n", family->name, family->get(&sums));
    }
    for (size_t i = 0; i < N_ELEMS(type_families); i++) {
        put_types(recorder, out, &type_families[i]);
    }
}
