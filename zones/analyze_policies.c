/* SPDX-License-Identifier: Apache-2.0 */

/* Findings at policies: unreadable, without a target, satisfied by nobody. */

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "zones/analyze.h"

/* Whether the condition can be met by an asker of some cluster that we know. */
static bool can_be_met(
    const struct pin_settings *settings, const struct pin_policy_condition *condition)
{
    if (condition->about != PIN_POLICY_ABOUT_CLUSTER) {
        return condition->n_values > 0;
    }
    for (size_t v = 0; v < condition->n_values; v++) {
        for (size_t i = 0; i < settings->n_clusters; i++) {
            const char *name = settings->clusters[i].name;
            if (condition->is_pattern ? fnmatch(condition->texts[v], name, 0) == 0
                                      : strcmp(condition->texts[v], name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Whether some Allow statement can be met, and no Deny without conditions goes before it. */
static bool can_allow(const struct pin_settings *settings, const struct pin_policy_body *body)
{
    bool can = false;
    for (size_t i = 0; i < body->n_statements; i++) {
        const struct pin_policy_statement *statement = &body->statements[i];
        bool is_open = true;
        for (size_t c = 0; c < statement->n_conditions && is_open; c++) {
            is_open = can_be_met(settings, &statement->conditions[c]);
        }
        if (statement->is_deny && statement->n_conditions == 0) {
            return false;
        }
        can = can || (!statement->is_deny && is_open);
    }
    return can;
}

static bool has_target(const struct pin_analyzer *a, uint16_t cluster_id,
    const struct pin_object *policy, const struct pin_policy_target *target)
{
    for (int kind = PIN_KIND_GATEWAY; kind <= PIN_KIND_TLS_ROUTE; kind++) {
        if (strcmp(pin_kind_text((enum pin_kind)kind), target->kind) == 0) {
            return pin_catalog_find(a->catalog, cluster_id, (enum pin_kind)kind,
                       policy->namespace_name, target->name)
                   != NULL;
        }
    }
    return false;
}

static void look_at_policy(
    struct pin_analyzer *a, uint16_t cluster_id, const struct pin_object *policy)
{
    const struct pin_policy_body *body = &policy->as.policy;
    struct pin_finding finding =
        pin_analyze_about(a, PIN_FINDING_POLICY_UNREADABLE, cluster_id, policy);
    if (body->is_unreadable) {
        pin_analysis_add(a->to, &finding,
            "its rules cannot be understood: it refuses everybody at what it guards");
    } else if (pin_analyze_knows_others(a) && !can_allow(a->catalog->settings, body)) {
        finding.id = PIN_FINDING_POLICY_NOBODY;
        pin_analysis_add(a->to, &finding,
            "none of its Allow statements can be met by an asker of a known cluster: %s",
            body->is_audit || a->catalog->settings->policy_audits
                ? "it would refuse everybody, did it not only audit"
                : "it refuses everybody");
    }
    for (size_t i = 0; i < body->n_targets; i++) {
        if (!has_target(a, cluster_id, policy, &body->targets[i])) {
            char about[512];
            (void)snprintf(about, sizeof(about), "%s %s/%s", body->targets[i].kind,
                policy->namespace_name, body->targets[i].name);
            finding.id = PIN_FINDING_POLICY_NO_TARGET;
            finding.about = about;
            pin_analysis_add(a->to, &finding, "its target %s does not exist", about);
        }
    }
}

void pin_analyze_policies(struct pin_analyzer *a)
{
    static const enum pin_kind kinds[] = {PIN_KIND_IAM_AUTH_POLICY, PIN_KIND_RESOLVE_POLICY};
    for (size_t i = 0; i < a->catalog->settings->n_clusters; i++) {
        for (size_t k = 0; k < N_ELEMS(kinds); k++) {
            size_t cursor = 0;
            void *value = NULL;
            while (pin_map_next(
                &a->catalog->clusters[i].objects[kinds[k]], &cursor, NULL, NULL, &value)) {
                look_at_policy(a, (uint16_t)i, value);
            }
        }
    }
}
