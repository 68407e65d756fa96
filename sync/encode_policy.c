/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests of objects: policies. One that could not be read stays so: it refuses everybody. */

#include "pintle/base/text.h"

#include "encoder.h"

/* --- IAMAuthPolicy -------------------------------------------------------------------------- */

static void put_values(struct pin_jsonout *out, const struct pin_policy_condition *condition)
{
    pin_jsonout_array(out);
    for (size_t i = 0; i < condition->n_values; i++) {
        char text[PIN_PREFIX_TEXT_MAX];
        pin_jsonout_string(out, condition->about == PIN_POLICY_ABOUT_ADDRESS
                                    ? pin_prefix_format(&condition->prefixes[i], text)
                                    : condition->texts[i]);
    }
    pin_jsonout_end(out);
}

static const char *operator_of(const struct pin_policy_condition *condition)
{
    return condition->about == PIN_POLICY_ABOUT_ADDRESS ? "IpAddress"
           : condition->is_pattern                      ? "StringLike"
                                                        : "StringEquals";
}

/* Conditions of one operator stand together, as they were written. */
static void put_conditions(struct pin_jsonout *out, const struct pin_policy_statement *statement)
{
    static const char *const keys[] = {
        [PIN_POLICY_ABOUT_CLUSTER] = "aws:PrincipalTag/eks-cluster-name",
        [PIN_POLICY_ABOUT_NAMESPACE] = "aws:PrincipalTag/kubernetes-namespace",
        [PIN_POLICY_ABOUT_ADDRESS] = "aws:SourceIp"};
    const char *last = NULL;
    pin__encode_open(out, "Condition");
    for (size_t i = 0; i < statement->n_conditions; i++) {
        const struct pin_policy_condition *condition = &statement->conditions[i];
        if (last != operator_of(condition)) {
            if (last != NULL) {
                pin_jsonout_end(out);
            }
            last = operator_of(condition);
            pin__encode_open(out, last);
        }
        pin_jsonout_key(out, keys[condition->about]);
        put_values(out, condition);
    }
    if (last != NULL) {
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

static void put_document(struct pin_jsonout *out, const struct pin_policy_body *body)
{
    pin_jsonout_object(out);
    pin__encode_open_list(out, "Statement");
    for (size_t i = 0; i < body->n_statements; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "Effect", body->statements[i].is_deny ? "Deny" : "Allow");
        pin_jsonout_key_string(out, "Principal", "*");
        pin_jsonout_key_string(out, "Action", "vpc-lattice-svcs:Invoke");
        pin_jsonout_key_string(out, "Resource", "*");
        put_conditions(out, &body->statements[i]);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_target(struct pin_jsonout *out, const struct pin_policy_target *target)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "group", "gateway.networking.k8s.io");
    pin_jsonout_key_string(out, "kind", target->kind);
    pin_jsonout_key_string(out, "name", target->name);
    pin_jsonout_end(out);
}

static void put_iam(struct pin_jsonout *out, const struct pin_policy_body *body)
{
    struct pin_text text = {0};
    struct pin_jsonout document = pin_jsonout_init(&text);
    if (body->is_unreadable) {
        pin_text_puts(&text, "unreadable");
    } else {
        put_document(&document, body);
    }
    pin__encode_open(out, "spec");
    pin_jsonout_key(out, "targetRef");
    put_target(out, &body->targets[0]);
    pin_jsonout_key_string(out, "policy", pin_text_get(&text));
    pin_jsonout_end(out);
    pin_text_done(&text);
}

/* --- ResolvePolicy -------------------------------------------------------------------------- */

static void put_allow(struct pin_jsonout *out, const struct pin_policy_statement *statement)
{
    static const char *const keys[] = {[PIN_POLICY_ABOUT_CLUSTER] = "clusters",
        [PIN_POLICY_ABOUT_NAMESPACE] = "namespaces",
        [PIN_POLICY_ABOUT_ADDRESS] = "cidrs"};
    pin_jsonout_object(out);
    for (size_t i = 0; i < statement->n_conditions; i++) {
        pin_jsonout_key(out, keys[statement->conditions[i].about]);
        put_values(out, &statement->conditions[i]);
    }
    pin_jsonout_end(out);
}

static void put_resolve(struct pin_jsonout *out, const struct pin_policy_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_open_list(out, "targetRefs");
    for (size_t i = 0; i < body->n_targets; i++) {
        put_target(out, &body->targets[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_key_string(out, "mode", body->is_audit ? "Audit" : "Enforce");
    pin__encode_text(out, "deny",
        body->denied == PIN_POLICY_DENIED_NXDOMAIN  ? "NXDomain"
        : body->denied == PIN_POLICY_DENIED_REFUSED ? "Refuse"
                                                    : NULL);
    if (body->is_unreadable) {
        pin_jsonout_key_string(out, "allow", "unreadable");
    } else {
        pin__encode_open_list(out, "allow");
        for (size_t i = 0; i < body->n_statements; i++) {
            put_allow(out, &body->statements[i]);
        }
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

/* --- TargetGroupPolicy ---------------------------------------------------------------------- */

static void put_target_group(struct pin_jsonout *out, const struct pin_target_group_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_open(out, "targetRef");
    pin_jsonout_key_string(out, "kind",
        body->is_service  ? "Service"
        : body->is_export ? "ServiceExport"
                          : "Other");
    pin_jsonout_key_string(out, "name", body->target);
    pin_jsonout_end(out);
    if (body->check != NULL) {
        pin__encode_open(out, "healthCheck");
        pin__encode_check(out, body->check);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

void pin__encode_policy_body(struct pin_jsonout *out, const struct pin_object *object)
{
    switch (object->kind) {
    case PIN_KIND_IAM_AUTH_POLICY:
        put_iam(out, &object->as.policy);
        break;
    case PIN_KIND_RESOLVE_POLICY:
        put_resolve(out, &object->as.policy);
        break;
    default:
        put_target_group(out, &object->as.target_group);
        break;
    }
}
