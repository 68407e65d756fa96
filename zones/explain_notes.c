/* SPDX-License-Identifier: Apache-2.0 */

/* What an explanation says beside its plan: whatever makes an answer another one than expected and
 * stands in no row of it. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "zones/analyze.h"
#include "zones/explain.h"
#include "zones/scene.h"

#define NOTE_BYTES 2048

/* --- writing ---------------------------------------------------------------------------------- */

PIN_PRINTF(2, 3)
static void put_note(struct pin_jsonout *out, const char *fmt, ...)
{
    char text[NOTE_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    pin_jsonout_string(out, text);
}

/* --- clusters --------------------------------------------------------------------------------- */

/* What a cluster that was never listed has is missing in the answer, and nothing else shows it. */
static void note_unlisted(const struct pin_explanation *e)
{
    const struct pin_settings *settings = e->catalog->settings;
    for (size_t i = 0; i < settings->n_clusters; i++) {
        const struct pin_cluster_state *cluster = &e->catalog->clusters[i];
        bool is_meant = e->zone->cluster_id == PIN_CLUSTER_NONE || e->zone->cluster_id == i;
        if (is_meant && !cluster->is_synced && !cluster->is_restored) {
            put_note(e->out,
                "cluster %s has not been listed: what it has of this is missing or not whole; "
                "'pintlectl clusters check %s' tells why",
                settings->clusters[i].name, settings->clusters[i].name);
        }
    }
}

/* A member of the name that exports a Service it does not have. */
static void note_exports(const struct pin_explanation *e)
{
    for (size_t i = 0; e->service != NULL && i < e->service->n_members; i++) {
        const struct pin_member *member = &e->service->members[i];
        if (member->export_ != NULL && member->service == NULL) {
            const char *cluster = pin_explain_cluster(e->catalog, member->cluster_id);
            put_note(e->out, "cluster %s has a ServiceExport %s/%s, and no Service of that name",
                cluster, e->service->namespace_name, e->service->name);
        }
    }
}

/* Who looks for the asker's address among overlapping ranges. */
struct overlap {
    const struct pin_explanation *e;
    bool is_told;
};

static void note_overlap(
    void *arg, const struct pin_prefix *prefix, uint16_t cluster_id, uint16_t other_id)
{
    struct overlap *overlap = arg;
    const struct pin_explanation *e = overlap->e;
    char text[PIN_PREFIX_TEXT_MAX];
    if (overlap->is_told || !pin_prefix_has(prefix, &e->who.address.ip)) {
        return;
    }
    overlap->is_told = true;
    pin_prefix_format(prefix, text);
    put_note(e->out, "the asker is in no cluster because %s lies in the ranges of both %s and %s",
        text, pin_explain_cluster(e->catalog, cluster_id),
        pin_explain_cluster(e->catalog, other_id));
}

static void note_overlaps(const struct pin_explanation *e, struct pin_catalog *catalog)
{
    struct overlap overlap = {.e = e};
    if (e->asker.cluster_id == PIN_CLUSTER_NONE && pin_prefix_is_one(&e->who.address)) {
        pin_scene_each_overlap(catalog, note_overlap, &overlap);
    }
}

/* --- plans ------------------------------------------------------------------------------------ */

static void note_plan(const struct pin_explanation *e)
{
    bool is_binding = e->type == PIN_TYPE_SVCB || e->type == PIN_TYPE_HTTPS;
    if (e->seen->has_port_mismatch) {
        put_note(e->out,
            "some addresses are endpoints whose ports differ from the Service's: connect "
            "to the target port, or ask SRV");
    }
    if (is_binding && e->table == NULL && e->seen->has_addresses) {
        put_note(e->out, "only a route with a port that speaks TLS has such records: its Gateway's "
                         "listener, or the appProtocol of every backend's port, has to say so");
    }
}

/* --- findings --------------------------------------------------------------------------------- */

/* Findings that are told; analyze tells all. */
#define FINDINGS_MAX 8u

/* Whether another note says it already. */
static bool is_told(enum pin_finding_id id)
{
    return id == PIN_FINDING_EXPORT_NO_SERVICE || id == PIN_FINDING_PORTS_DIFFER;
}

/* What analyze says of the objects behind the name: why it is so, and what to do. */
static void note_findings(const struct pin_explanation *e, struct pin_catalog *catalog)
{
    bool is_shared = e->zone == catalog->zone_cluster_set;
    struct pin_analysis analysis = {0};
    size_t n = 0;
    pin_analyze_name(catalog, is_shared ? e->service : NULL, e->route, e->now_ms, &analysis);
    for (size_t i = 0; i < analysis.n && n < FINDINGS_MAX; i++) {
        const struct pin_finding *finding = &analysis.items[i];
        const struct pin_finding_code *code = &pin_finding_codes[finding->id];
        if (!is_told(finding->id)) {
            put_note(e->out, "%s %s/%s/%s/%s: %s (fix: %s)", code->code, finding->cluster,
                finding->kind, finding->namespace_name, finding->name, finding->message, code->fix);
            n++;
        }
    }
    pin_analysis_done(&analysis);
}

void pin_explain_notes(const struct pin_explanation *e, struct pin_catalog *catalog)
{
    pin_jsonout_key(e->out, "notes");
    pin_jsonout_array(e->out);
    note_plan(e);
    note_exports(e);
    note_findings(e, catalog);
    note_overlaps(e, catalog);
    note_unlisted(e);
    bool is_said = e->zone == catalog->zone_cluster_set && e->service != NULL;
    if (e->node == NULL && e->synth.rule == NULL && e->synth.status == NULL && !is_said) {
        pin_explain_meant(catalog, e->name, e->out);
    }
    pin_jsonout_end(e->out);
}

/* Zones that are named; who serves more knows how it was set up. */
#define ZONES_MAX 8

static void note_zones(const struct pin_catalog *catalog, struct pin_jsonout *out)
{
    const struct pin_zone *zone = NULL;
    char text[NOTE_BYTES];
    char apex[PIN_NAME_TEXT_MAX];
    size_t used = 0;
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; (zone = pin_index_zone_at(catalog->live.index, i)) != NULL; i++) {
        if (zone->outer == NULL && n++ < ZONES_MAX && used < sizeof(text)) {
            pin_name_format(zone->apex.wire, apex);
            used += (size_t)snprintf(
                text + used, sizeof(text) - used, "%s%s", used == 0 ? "" : ", ", apex);
        }
    }
    put_note(out,
        "its zones are %s%s; zones.custom adds those of hostnames, forward sends other names to "
        "resolvers",
        text, n > ZONES_MAX ? " and others" : "");
}

void pin_explain_no_zone(const struct pin_catalog *catalog, const struct pin_name *name,
    const struct pin_explain_asker *told, struct pin_jsonout *out)
{
    pin_jsonout_key(out, "notes");
    pin_jsonout_array(out);
    if (told == NULL) {
        note_zones(catalog, out);
    } else if (told->put_outside_notes != NULL) {
        told->put_outside_notes(told->outside_arg, name, out);
    }
    pin_explain_meant(catalog, name, out);
    pin_jsonout_end(out);
}

/* --- policies --------------------------------------------------------------------------------- */

/* Values and statements that are shown; more are "...". */
#define SHOWN_MAX 4

static void put_condition(struct pin_text *text, const struct pin_policy_condition *condition)
{
    static const char *const abouts[] = {[PIN_POLICY_ABOUT_CLUSTER] = "cluster",
        [PIN_POLICY_ABOUT_NAMESPACE] = "namespace",
        [PIN_POLICY_ABOUT_ADDRESS] = "address"};
    char prefix[PIN_PREFIX_TEXT_MAX];
    pin_text_puts(text, abouts[condition->about]);
    for (size_t i = 0; i < condition->n_values && i < SHOWN_MAX; i++) {
        bool is_address = condition->about == PIN_POLICY_ABOUT_ADDRESS;
        if (is_address) {
            pin_prefix_format(&condition->prefixes[i], prefix);
        }
        pin_text_putf(
            text, "%s%s", i == 0 ? " " : " or ", is_address ? prefix : condition->texts[i]);
    }
    pin_text_puts(text, condition->n_values > SHOWN_MAX ? " or ..." : "");
}

static void put_statement(struct pin_text *text, const struct pin_policy_statement *statement)
{
    pin_text_puts(text, statement->is_deny ? "not " : "");
    pin_text_puts(text, statement->n_conditions == 0 ? "everybody" : "");
    for (size_t i = 0; i < statement->n_conditions; i++) {
        pin_text_puts(text, i > 0 ? ", " : "");
        put_condition(text, &statement->conditions[i]);
    }
}

void pin_explain_lets_in(const struct pin_policy_body *policy, struct pin_jsonout *out)
{
    struct pin_text text = {0};
    for (size_t i = 0; i < policy->n_statements && i < SHOWN_MAX; i++) {
        pin_text_puts(&text, i > 0 ? "; " : "");
        put_statement(&text, &policy->statements[i]);
    }
    pin_text_puts(&text, policy->n_statements > SHOWN_MAX ? "; ..." : "");
    pin_jsonout_key_string(
        out, "letsIn", text.len > 0 && !policy->is_unreadable ? pin_text_get(&text) : "nobody");
    pin_text_done(&text);
}

/* --- names that nothing has ------------------------------------------------------------------- */

const char *pin_explain_nothing(const struct pin_explanation *e)
{
    const struct pin_catalog *catalog = e->catalog;
    if (e->zone == catalog->zone_cluster_set) {
        return "no cluster has a Service of that name and namespace ('pintlectl services list' "
               "has those that are shared)";
    }
    if (e->zone == catalog->zone_assigned) {
        return "no route has this name ('pintlectl names list' has all of them)";
    }
    if (e->zone == catalog->zone_own) {
        return "the zone shows each asker its own cluster, and this asker is in none that is "
               "known; "
               "svc.CLUSTER in place of svc asks for a cluster's own";
    }
    if (e->zone->cluster_id != PIN_CLUSTER_NONE) {
        return "that cluster has no such Service";
    }
    return e->zone->is_custom ? "no route has this hostname, and no DNSEndpoint or file this name"
                              : "the zone's file does not have it";
}
