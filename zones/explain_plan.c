/* SPDX-License-Identifier: Apache-2.0 */

/* Explains a plan: who gives which address, how often, and why others give none. */

#include "pintle/base/macros.h"

#include "zones/explain.h"
#include "zones/networks.h"

const char *pin_explain_cluster(const struct pin_catalog *catalog, uint16_t cluster_id)
{
    return cluster_id == PIN_CLUSTER_NONE ? NULL : catalog->settings->clusters[cluster_id].name;
}

static const char *affinity_text(enum pin_affinity affinity)
{
    static const char *const texts[] = {[PIN_AFFINITY_UNSET] = NULL,
        [PIN_AFFINITY_NONE] = "none",
        [PIN_AFFINITY_LOCAL] = "local",
        [PIN_AFFINITY_REMOTE] = "remote",
        [PIN_AFFINITY_LIST] = "list"};
    return texts[affinity];
}

static void put_row(const struct pin_explanation *e, const struct pin_backend_row *row)
{
    pin_jsonout_object(e->out);
    pin_jsonout_key_uint(e->out, "backend", row->backend_i);
    pin_jsonout_key_string(e->out, "kind", row->kind);
    pin_jsonout_key_string(e->out, "cluster", pin_explain_cluster(e->catalog, row->cluster_id));
    pin_jsonout_key_string(e->out, "namespace", row->namespace_name);
    pin_jsonout_key_string(e->out, "name", row->name);
    if (row->weight != PIN_WEIGHT_UNSET) {
        pin_jsonout_key_uint(e->out, "weight", row->weight);
    }
    if (row->cluster_weight != PIN_WEIGHT_UNSET) {
        pin_jsonout_key_uint(e->out, "clusterWeight", row->cluster_weight);
    }
    pin_jsonout_key_string(e->out, "affinity",
        row->affinity_list != NULL ? row->affinity_list : affinity_text(row->affinity));
    pin_jsonout_key_uint(e->out, "ready", row->n_ready);
    pin_jsonout_key_uint(e->out, "total", row->n_total);
    pin_jsonout_key_bool(e->out, "used", row->is_used);
    pin_jsonout_key_string(e->out, "reason", row->reason != NULL ? row->reason : "");
    pin_jsonout_end(e->out);
}

/* Whether verdicts leave the i-th address in answers now. */
static bool is_shown(const struct pin_explanation *e, const struct pin_plan *plan, size_t share_i)
{
    const struct pin_checked *checked = e->table != NULL ? pin_table_checked(e->table) : NULL;
    struct pin_sight sight;
    if (checked == NULL) {
        return true;
    }
    pin_checked_look(checked, e->catalog->live.verdicts, &sight);
    for (uint32_t i = 0; i < checked->n_items && !sight.is_plain && !sight.is_nothing; i++) {
        if (checked->items[i].rr_i == share_i && share_i < plan->n_shares
            && pin_checked_shows(checked, &sight, i)) {
            return true;
        }
    }
    return sight.is_plain;
}

/* What probes say about an address, or about those behind it. */
static void put_health(
    const struct pin_explanation *e, const struct pin_plan *plan, const struct pin_share *share)
{
    struct pin_health *health = e->catalog->live.health;
    const struct pin_weight_group *group = &plan->groups[share->group_i];
    if (share->slot == PIN_SLOT_NONE && group->n_members == 0) {
        return;
    }
    pin_jsonout_key_bool(e->out, "shown", is_shown(e, plan, (size_t)(share - plan->shares)));
    pin_jsonout_key(e->out, "health");
    pin_jsonout_object(e->out);
    if (share->slot != PIN_SLOT_NONE) {
        pin_health_json(health, share->slot, e->out);
    } else {
        uint32_t n_up = 0;
        for (uint32_t i = 0; i < group->n_members; i++) {
            n_up += pin_health_is_up(health, group->members[i]);
        }
        pin_jsonout_key_string(e->out, "state", n_up > 0 ? "healthy" : "unhealthy");
        pin_jsonout_key_uint(e->out, "endpoints", group->n_members);
        pin_jsonout_key_uint(e->out, "endpointsHealthy", n_up);
    }
    pin_jsonout_end(e->out);
}

/* How often an address is in an answer. */
static double in_answer(const struct pin_explanation *e, const struct pin_plan *plan,
    const struct pin_share *share, uint64_t sum)
{
    double all = (double)(sum + plan->nodata_weight);
    const struct pin_table *table = e->table;
    if (table == NULL) {
        return 0;
    }
    if (table->n_groups > 0) {
        uint64_t group = 0;
        for (size_t i = 0; i < plan->n_shares; i++) {
            bool is_same = plan->shares[i].cluster_id == share->cluster_id;
            group += is_same ? plan->shares[i].weight : 0;
        }
        return (double)share->weight / (double)group * (double)sum / all;
    }
    uint16_t n_picks = table->form != PIN_TABLE_DRAWN ? table->n_rr : table->n_pick_max;
    return n_picks >= table->n_rr ? (double)sum / all : (double)share->weight / all * n_picks;
}

/* All that are shown, each first alike: a table that is never drawn from. */
static void count_whole(
    const struct pin_table *table, const struct pin_sight *sight, struct pin_odds *odds)
{
    const struct pin_checked *checked = pin_table_checked(table);
    uint32_t n_shown = 0;
    for (uint32_t i = 0; i < checked->n_items; i++) {
        n_shown += pin_checked_shows(checked, sight, i);
    }
    for (uint32_t i = 0; i < checked->n_items; i++) {
        if (pin_checked_shows(checked, sight, i)) {
            odds[checked->items[i].rr_i] =
                (struct pin_odds){.first = 1.0 / n_shown, .in_answer = 1};
        }
    }
}

/* What the answer path rounds to fit integers is rounded back. */
static double rounded(double odds)
{
    return (double)(uint64_t)(odds * 1e9 + 0.5) / 1e9;
}

/* NULL: no verdict leaves an address out, the plan's weights tell. */
static const struct pin_odds *find_odds(
    const struct pin_explanation *e, const struct pin_plan *plan)
{
    const struct pin_table *table = e->table;
    struct pin_sight sight;
    if (table == NULL || pin_table_checked(table) == NULL || table->n_groups > 0) {
        return NULL; /* one of each group: not modelled with verdicts */
    }
    pin_checked_look(pin_table_checked(table), e->catalog->live.verdicts, &sight);
    size_t n = PIN_MAX(plan->n_shares, (size_t)table->n_rr);
    struct pin_odds *odds =
        sight.is_plain ? NULL : pin_arena_alloc(e->catalog->scratch, n * sizeof(*odds));
    if (odds != NULL && !sight.is_nothing) {
        bool is_drawn = table->form == PIN_TABLE_DRAWN && !table->is_whole;
        (is_drawn ? pin_checked_odds : count_whole)(table, &sight, odds);
    }
    return odds;
}

static void put_share(const struct pin_explanation *e, const struct pin_plan *plan,
    const struct pin_share *share, uint64_t sum, const struct pin_odds *odds)
{
    char ip[PIN_IP_TEXT_MAX];
    double first = (double)share->weight / (double)(sum + plan->nodata_weight);
    double included = in_answer(e, plan, share, sum);
    if (odds != NULL) {
        first = rounded(odds[share - plan->shares].first);
        included = rounded(odds[share - plan->shares].in_answer);
    }
    pin_jsonout_object(e->out);
    pin_jsonout_key_string(e->out, "address", pin_ip_format(&share->ip, ip));
    pin_jsonout_key_string(e->out, "cluster", pin_explain_cluster(e->catalog, share->cluster_id));
    pin_jsonout_key_uint(e->out, "backend", plan->groups[share->group_i].backend_i);
    pin_jsonout_key_uint(e->out, "weight", share->weight);
    pin_jsonout_key_double(e->out, "inAnswer", included);
    pin_jsonout_key_double(e->out, "first", first);
    pin_jsonout_key_string(e->out, "via", pin_via_text(share->via));
    put_health(e, plan, share);
    pin_jsonout_end(e->out);
}

/* Where the gateways of the plan's other networks come from, when that is not only the settings. */
static void put_gateways(const struct pin_explanation *e, const struct pin_plan *plan)
{
    const struct pin_settings *settings = e->catalog->settings;
    uint16_t own = pin_viewer_of(e->catalog, e->asker.view_id).network;
    bool is_begun = false;
    for (size_t n = 0; n < settings->n_networks; n++) {
        bool is_meant = false;
        for (size_t i = 0; i < plan->n_rows && n != own && !is_meant; i++) {
            uint16_t cluster_id = plan->rows[i].cluster_id;
            is_meant =
                cluster_id != PIN_CLUSTER_NONE && settings->clusters[cluster_id].network == n;
        }
        if (!is_meant || !pin_network_is_followed(e->catalog, (uint16_t)n)) {
            continue;
        }
        if (!is_begun) {
            pin_jsonout_key(e->out, "gateways");
            pin_jsonout_array(e->out);
            is_begun = true;
        }
        pin_jsonout_object(e->out);
        pin_jsonout_key_string(e->out, "network", settings->networks[n].name);
        pin_jsonout_key(e->out, "items");
        pin_network_put_json(e->catalog, (uint16_t)n, e->now_ms, e->out);
        pin_jsonout_end(e->out);
    }
    if (is_begun) {
        pin_jsonout_end(e->out);
    }
}

void pin_explain_plan(const struct pin_explanation *e, const struct pin_plan *plan)
{
    uint64_t sum = 0;
    pin_jsonout_key_string(e->out, "rule", plan->rule);
    pin_jsonout_key(e->out, "backends");
    pin_jsonout_array(e->out);
    for (size_t i = 0; i < plan->n_rows; i++) {
        put_row(e, &plan->rows[i]);
    }
    pin_jsonout_end(e->out);
    pin_jsonout_key(e->out, "addresses");
    pin_jsonout_array(e->out);
    for (size_t i = 0; i < plan->n_shares; i++) {
        sum += plan->shares[i].weight;
    }
    const struct pin_odds *odds = find_odds(e, plan);
    for (size_t i = 0; i < plan->n_shares; i++) {
        put_share(e, plan, &plan->shares[i], sum, odds);
    }
    pin_jsonout_end(e->out);
    put_gateways(e, plan);
    e->seen->has_port_mismatch = plan->has_port_mismatch;
    e->seen->has_addresses = plan->n_shares > 0;
}
