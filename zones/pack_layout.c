/* SPDX-License-Identifier: Apache-2.0 */

/* The fields of each kind of object, as pack.c writes and reads them. */

#include "zones/pack_layout.h"

#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/zones/claims.h"

#define FIELD(type, field) .offset = offsetof(type, field)
#define NUMBER(type, field, max_value)                                                             \
    {                                                                                              \
        .kind = PIN_PACK_NUMBER, FIELD(type, field), .bytes = sizeof(((type *)0)->field),          \
        .max = (max_value)                                                                         \
    }
#define BOOL(type, field) NUMBER(type, field, 1)
#define UNSET(type, field, max_value)                                                              \
    {                                                                                              \
        .kind = PIN_PACK_UNSET, FIELD(type, field), .max = (max_value)                             \
    }
#define PLAIN(plain_kind, type, field)                                                             \
    {                                                                                              \
        .kind = (plain_kind), FIELD(type, field)                                                   \
    }
#define TEXT(type, field) PLAIN(PIN_PACK_TEXT, type, field)
#define NAME(type, field) PLAIN(PIN_PACK_NAME, type, field)
#define WORD(type, field) PLAIN(PIN_PACK_WORD, type, field)
#define LIST(list_kind, type, field, field_n, layout)                                              \
    {                                                                                              \
        .kind = (list_kind), FIELD(type, field), .offset_n = offsetof(type, field_n),              \
        .items = &(layout)                                                                         \
    }
#define ITEMS(type, field, field_n, layout) LIST(PIN_PACK_ITEMS, type, field, field_n, layout)
#define ROWS(type, field, field_n, layout)  LIST(PIN_PACK_ROWS, type, field, field_n, layout)
#define BYTES(type, field, field_n)                                                                \
    {                                                                                              \
        .kind = PIN_PACK_BYTES, FIELD(type, field), .offset_n = offsetof(type, field_n)            \
    }
#define ONE(type, field, layout)                                                                   \
    {                                                                                              \
        .kind = PIN_PACK_ONE, FIELD(type, field), .items = &(layout)                               \
    }
#define LAYOUT(type, fields_of)                                                                    \
    .fields = (fields_of), .n_fields = N_ELEMS(fields_of), .bytes = sizeof(type)

/* --- items of plain arrays ----------------------------------------------------------------- */

static const struct pin_pack_field name_fields[] = {{.kind = PIN_PACK_NAME}};
static const struct pin_pack_layout name_item = {LAYOUT(const char *, name_fields)};

static const struct pin_pack_field word_fields[] = {{.kind = PIN_PACK_WORD}};
static const struct pin_pack_layout word_item = {LAYOUT(const char *, word_fields)};

static const struct pin_pack_field ip_fields[] = {{.kind = PIN_PACK_IP}};
static const struct pin_pack_layout ip_item = {LAYOUT(struct pin_ip, ip_fields)};

static const struct pin_pack_field prefix_fields[] = {{.kind = PIN_PACK_PREFIX}};
static const struct pin_pack_layout prefix_item = {LAYOUT(struct pin_prefix, prefix_fields)};

static const struct pin_pack_field u16_fields[] = {
    {.kind = PIN_PACK_NUMBER, .bytes = sizeof(uint16_t), .max = UINT16_MAX}};
static const struct pin_pack_layout u16_item = {LAYOUT(uint16_t, u16_fields)};

static const struct pin_pack_field port_fields[] = {
    TEXT(struct pin_port, name),
    WORD(struct pin_port, app_protocol),
    TEXT(struct pin_port, target_name),
    NUMBER(struct pin_port, port, UINT16_MAX),
    NUMBER(struct pin_port, target_port, UINT16_MAX),
    NUMBER(struct pin_port, protocol, PIN_PROTOCOL_SCTP),
};
static const struct pin_pack_layout port_item = {LAYOUT(struct pin_port, port_fields)};

/* --- checks -------------------------------------------------------------------------------- */

static const struct pin_pack_field status_fields[] = {
    NUMBER(struct pin_check_status, low, 599),
    NUMBER(struct pin_check_status, high, 599),
};
static const struct pin_pack_layout status_item = {LAYOUT(struct pin_check_status, status_fields)};

static bool is_short(const char *text)
{
    return text == NULL || strnlen(text, PIN_CHECK_TEXT_MAX + 1) <= PIN_CHECK_TEXT_MAX;
}

static bool is_sane_check(const void *item)
{
    const struct pin_check *check = item;
    return check->path[0] == '/' && is_short(check->path) && is_short(check->host)
           && is_short(check->command) && check->rise > 0 && check->fall > 0
           && check->interval_s > 0 && check->timeout_s > 0
           && (check->command != NULL) == (check->protocol == PIN_CHECK_COMMAND);
}

static const struct pin_pack_field check_fields[] = {
    NUMBER(struct pin_check, protocol, PIN_CHECK_COMMAND),
    BOOL(struct pin_check, is_enabled),
    BOOL(struct pin_check, is_http2),
    NUMBER(struct pin_check, rise, PIN_CHECK_THRESHOLD_MAX),
    NUMBER(struct pin_check, fall, PIN_CHECK_THRESHOLD_MAX),
    NUMBER(struct pin_check, n_status, PIN_CHECK_STATUS_MAX),
    NUMBER(struct pin_check, port, UINT16_MAX),
    NUMBER(struct pin_check, interval_s, PIN_CHECK_SECONDS_MAX),
    NUMBER(struct pin_check, timeout_s, PIN_CHECK_SECONDS_MAX),
    {.kind = PIN_PACK_WITHIN,
        FIELD(struct pin_check, status),
        .max = PIN_CHECK_STATUS_MAX,
        .items = &status_item},
    NAME(struct pin_check, path),
    TEXT(struct pin_check, host),
    TEXT(struct pin_check, command),
};
static const struct pin_pack_layout check_item = {
    LAYOUT(struct pin_check, check_fields), .is_sane = is_sane_check};

/* --- what every object has ----------------------------------------------------------------- */

/* Bytes of others are not to be believed more than an API server is. */
static bool is_sane_head(const void *item)
{
    const struct pin_object *object = item;
    return (object->namespace_name[0] == '\0'
               || pin_object_is_name(object->namespace_name, PIN_NAMESPACE_BYTES_MAX, false))
           && pin_object_is_name(object->name, PIN_NAME_BYTES_MAX, true);
}

static const struct pin_pack_field head_fields[] = {
    NAME(struct pin_object, namespace_name),
    NAME(struct pin_object, name),
    NUMBER(struct pin_object, created_s, UINT64_MAX),
    NUMBER(struct pin_object, trigger_wall_ms, UINT64_MAX),
};
const struct pin_pack_layout pin_pack_head = {
    LAYOUT(struct pin_object, head_fields), .is_sane = is_sane_head};

static const struct pin_pack_field said_fields[] = {
    NAME(struct pin_condition, type),
    NAME(struct pin_condition, status),
    NAME(struct pin_condition, reason),
    NAME(struct pin_condition, message),
    NAME(struct pin_condition, since),
    NUMBER(struct pin_condition, generation, UINT64_MAX),
};
static const struct pin_pack_layout said_item = {LAYOUT(struct pin_condition, said_fields)};

static const struct pin_pack_field part_fields[] = {
    NAME(struct pin_status_part, key),
    TEXT(struct pin_status_part, kinds),
    NUMBER(struct pin_status_part, n_routes, UINT32_MAX),
    NUMBER(struct pin_status_part, position, UINT16_MAX),
    ITEMS(struct pin_status_part, conditions, n_conditions, said_item),
};
static const struct pin_pack_layout part_item = {LAYOUT(struct pin_status_part, part_fields)};

static const struct pin_pack_field note_fields[] = {
    NAME(struct pin_claim_annotation, key),
    NAME(struct pin_claim_annotation, value),
};
static const struct pin_pack_layout note_item = {LAYOUT(struct pin_claim_annotation, note_fields)};

static const struct pin_pack_field asks_fields[] = {
    ITEMS(struct pin_asks, notes, n_notes, note_item),
    ITEMS(struct pin_asks, external_ips, n_external_ips, ip_item),
    BOOL(struct pin_asks, is_balancer),
};
static const struct pin_pack_layout asks_item = {LAYOUT(struct pin_asks, asks_fields)};

static const struct pin_pack_field written_fields[] = {
    TEXT(struct pin_written, uid),
    TEXT(struct pin_written, assigned),
    TEXT(struct pin_written, lattice),
    TEXT(struct pin_written, service),
    TEXT(struct pin_written, exporters),
    TEXT(struct pin_written, complaint),
    TEXT(struct pin_written, version),
    ONE(struct pin_written, asks, asks_item),
    ITEMS(struct pin_written, conditions, n_conditions, said_item),
    ITEMS(struct pin_written, parts, n_parts, part_item),
    NUMBER(struct pin_written, generation, UINT64_MAX),
    NUMBER(struct pin_written, applied, UINT64_MAX),
    BOOL(struct pin_written, has_parents),
};
static const struct pin_pack_layout written_item = {LAYOUT(struct pin_written, written_fields)};

static bool is_sane_steering(const void *item)
{
    const struct pin_steering *steering = item;
    return (steering->affinity_list != NULL) == (steering->affinity == PIN_AFFINITY_LIST);
}

static const struct pin_pack_field steering_fields[] = {
    TEXT(struct pin_steering, affinity_list),
    ONE(struct pin_steering, check, check_item),
    NUMBER(struct pin_steering, stale_after_ms, UINT64_MAX / 2),
    UNSET(struct pin_steering, threshold, UINT32_MAX - 1),
    UNSET(struct pin_steering, ttl_s, UINT32_MAX - 1),
    UNSET(struct pin_steering, weight, PIN_WEIGHT_MAX),
    NUMBER(struct pin_steering, address, PIN_ADDRESS_GATEWAY),
    NUMBER(struct pin_steering, answers, PIN_ANSWERS_GROUP),
    NUMBER(struct pin_steering, affinity, PIN_AFFINITY_LIST),
    NUMBER(struct pin_steering, stale, PIN_STALE_PROBE),
    NUMBER(struct pin_steering, all_down, PIN_ALL_DOWN_LAST_GOOD),
    NUMBER(struct pin_steering, up_percent, 100),
    BOOL(struct pin_steering, is_threshold_share),
    BOOL(struct pin_steering, is_global),
    BOOL(struct pin_steering, is_unshared),
};
const struct pin_pack_layout pin_pack_steering = {
    LAYOUT(struct pin_steering, steering_fields), .is_sane = is_sane_steering};

static const struct pin_pack_field said_of_it_fields[] = {
    ONE(struct pin_object, written, written_item),
};
const struct pin_pack_layout pin_pack_written = {LAYOUT(struct pin_object, said_of_it_fields)};

/* --- core kinds ---------------------------------------------------------------------------- */

static const struct pin_pack_field service_fields[] = {
    ITEMS(struct pin_service_body, cluster_ips, n_cluster_ips, ip_item),
    ITEMS(struct pin_service_body, balancer_ips, n_balancer_ips, ip_item),
    ITEMS(struct pin_service_body, balancer_hosts, n_balancer_hosts, name_item),
    ITEMS(struct pin_service_body, ports, n_ports, port_item),
    TEXT(struct pin_service_body, external_name),
    BOOL(struct pin_service_body, is_headless),
    BOOL(struct pin_service_body, publish_not_ready),
    BOOL(struct pin_service_body, client_ip_affinity),
    BOOL(struct pin_service_body, prefers_zone),
};
static const struct pin_pack_layout service_body = {
    LAYOUT(struct pin_service_body, service_fields)};

static const struct pin_pack_field text_fields[] = {{.kind = PIN_PACK_TEXT}};
static const struct pin_pack_layout text_item = {LAYOUT(const char *, text_fields)};

static const struct pin_pack_field pod_of_fields[] = {
    {.kind = PIN_PACK_NUMBER, .bytes = sizeof(uint32_t), .max = UINT32_MAX}};
static const struct pin_pack_layout pod_of_item = {LAYOUT(uint32_t, pod_of_fields)};

/* Whether what rows refer to is there. */
static bool has_parts(const struct pin_slice_body *slice)
{
    bool has_pods = slice->pod_of == NULL
                    || (slice->pod_prefix != NULL && slice->pod_bytes > 0
                        && slice->pod_texts[slice->pod_bytes - 1] == '\0');
    for (size_t i = 0; i < slice->n_endpoints && has_pods; i++) {
        uint32_t pod = slice->pod_of != NULL ? slice->pod_of[i] : PIN_SLICE_POD_NONE;
        if ((slice->zone_of != NULL && slice->zone_of[i] > slice->n_zones)
            || (pod != PIN_SLICE_POD_NONE && pod >= slice->pod_bytes)) {
            return false;
        }
    }
    return has_pods;
}

static bool is_sane_slice(const void *item)
{
    const struct pin_slice_body *slice = item;
    const uint8_t known = PIN_ENDPOINT_READY | PIN_ENDPOINT_SERVING | PIN_ENDPOINT_TERMINATING;
    size_t row_bytes = slice->family == 4 ? 4 : 16;
    for (size_t i = 0; i < slice->n_endpoints; i++) {
        if ((slice->flags[i] & ~known) != 0) {
            return false;
        }
    }
    return (slice->family == 4 || slice->family == 6)
           && slice->ip_bytes == slice->n_endpoints * row_bytes && slice->n_zones <= UINT16_MAX
           && has_parts(slice);
}

static const struct pin_pack_field slice_fields[] = {
    TEXT(struct pin_slice_body, service),
    TEXT(struct pin_slice_body, import_service),
    TEXT(struct pin_slice_body, source_cluster),
    ITEMS(struct pin_slice_body, ports, n_ports, port_item),
    NUMBER(struct pin_slice_body, family, 6),
    BYTES(struct pin_slice_body, flags, n_endpoints),
    BYTES(struct pin_slice_body, ips, ip_bytes),
    ROWS(struct pin_slice_body, hostnames, n_endpoints, text_item),
    ROWS(struct pin_slice_body, hints, n_endpoints, word_item),
    ITEMS(struct pin_slice_body, zones, n_zones, name_item),
    ROWS(struct pin_slice_body, zone_of, n_endpoints, u16_item),
    TEXT(struct pin_slice_body, pod_prefix),
    BYTES(struct pin_slice_body, pod_texts, pod_bytes),
    ROWS(struct pin_slice_body, pod_of, n_endpoints, pod_of_item),
};
static const struct pin_pack_layout slice_body = {
    LAYOUT(struct pin_slice_body, slice_fields), .is_sane = is_sane_slice};

static const struct pin_pack_field namespace_fields[] = {
    ITEMS(struct pin_namespace_body, labels, n_labels, name_item),
};
static const struct pin_pack_layout namespace_body = {
    LAYOUT(struct pin_namespace_body, namespace_fields)};

static const struct pin_pack_field node_fields[] = {
    ITEMS(struct pin_node_body, pod_ranges, n_pod_ranges, prefix_item),
    ITEMS(struct pin_node_body, addresses, n_addresses, ip_item),
    TEXT(struct pin_node_body, zone),
    TEXT(struct pin_node_body, region),
};
static const struct pin_pack_layout node_body = {LAYOUT(struct pin_node_body, node_fields)};

static const struct pin_pack_field service_cidr_fields[] = {
    ITEMS(struct pin_service_cidr_body, ranges, n_ranges, prefix_item),
};
static const struct pin_pack_layout service_cidr_body = {
    LAYOUT(struct pin_service_cidr_body, service_cidr_fields)};

static const struct pin_pack_field pod_fields[] = {
    ITEMS(struct pin_pod_body, ips, n_ips, ip_item),
    BOOL(struct pin_pod_body, is_host_network),
};
static const struct pin_pack_layout pod_body = {LAYOUT(struct pin_pod_body, pod_fields)};

/* --- Gateway API --------------------------------------------------------------------------- */

static const struct pin_pack_field label_rule_fields[] = {
    NAME(struct pin_label_rule, key),
    ITEMS(struct pin_label_rule, values, n_values, name_item),
    NUMBER(struct pin_label_rule, op, PIN_LABEL_NEVER),
};
static const struct pin_pack_layout label_rule_item = {
    LAYOUT(struct pin_label_rule, label_rule_fields)};

static const struct pin_pack_field listener_fields[] = {
    TEXT(struct pin_listener, name),
    TEXT(struct pin_listener, hostname),
    WORD(struct pin_listener, protocol),
    ITEMS(struct pin_listener, kinds, n_kinds, name_item),
    ITEMS(struct pin_listener, selector, n_selector, label_rule_item),
    NUMBER(struct pin_listener, port, UINT16_MAX),
    NUMBER(struct pin_listener, from, PIN_ROUTES_NONE),
};
static const struct pin_pack_layout listener_item = {LAYOUT(struct pin_listener, listener_fields)};

static const struct pin_pack_field gateway_fields[] = {
    ITEMS(struct pin_gateway_body, listeners, n_listeners, listener_item),
    ITEMS(struct pin_gateway_body, addresses, n_addresses, ip_item),
    ITEMS(struct pin_gateway_body, hosts, n_hosts, name_item),
    TEXT(struct pin_gateway_body, class_name),
};
static const struct pin_pack_layout gateway_body = {
    LAYOUT(struct pin_gateway_body, gateway_fields)};

static const struct pin_pack_field gateway_class_fields[] = {
    TEXT(struct pin_gateway_class_body, controller),
    BOOL(struct pin_gateway_class_body, has_parameters),
};
static const struct pin_pack_layout gateway_class_body = {
    LAYOUT(struct pin_gateway_class_body, gateway_class_fields)};

static const struct pin_pack_field backend_fields[] = {
    NUMBER(struct pin_backend_ref, kind, PIN_BACKEND_OTHER),
    NAME(struct pin_backend_ref, kind_text),
    NAME(struct pin_backend_ref, namespace_name),
    NAME(struct pin_backend_ref, name),
    NUMBER(struct pin_backend_ref, weight, PIN_WEIGHT_MAX),
    NUMBER(struct pin_backend_ref, port, UINT16_MAX),
};
static const struct pin_pack_layout backend_item = {LAYOUT(struct pin_backend_ref, backend_fields)};

static const struct pin_pack_field rule_fields[] = {
    ITEMS(struct pin_route_rule, backends, n_backends, backend_item),
    BOOL(struct pin_route_rule, needs_l7),
};
static const struct pin_pack_layout rule_item = {LAYOUT(struct pin_route_rule, rule_fields)};

static const struct pin_pack_field parent_fields[] = {
    NAME(struct pin_parent_ref, namespace_name),
    NAME(struct pin_parent_ref, name),
    TEXT(struct pin_parent_ref, section),
    NUMBER(struct pin_parent_ref, port, UINT16_MAX),
    BOOL(struct pin_parent_ref, has_namespace),
};
static const struct pin_pack_layout parent_item = {LAYOUT(struct pin_parent_ref, parent_fields)};

static const struct pin_pack_field route_fields[] = {
    ITEMS(struct pin_route_body, parents, n_parents, parent_item),
    ITEMS(struct pin_route_body, rules, n_rules, rule_item),
    ITEMS(struct pin_route_body, hostnames, n_hostnames, name_item),
};
static const struct pin_pack_layout route_body = {LAYOUT(struct pin_route_body, route_fields)};

static bool is_sane_from(const void *item)
{
    const struct pin_grant_from *from = item;
    return pin_kind_is_route(from->kind);
}

static const struct pin_pack_field from_fields[] = {
    NUMBER(struct pin_grant_from, kind, PIN_KIND_MAX - 1),
    NAME(struct pin_grant_from, namespace_name),
};
static const struct pin_pack_layout from_item = {
    LAYOUT(struct pin_grant_from, from_fields), .is_sane = is_sane_from};

static const struct pin_pack_field to_fields[] = {
    NUMBER(struct pin_grant_to, kind, PIN_BACKEND_AWS_IMPORT),
    TEXT(struct pin_grant_to, name),
};
static const struct pin_pack_layout to_item = {LAYOUT(struct pin_grant_to, to_fields)};

static const struct pin_pack_field grant_fields[] = {
    ITEMS(struct pin_grant_body, from, n_from, from_item),
    ITEMS(struct pin_grant_body, to, n_to, to_item),
};
static const struct pin_pack_layout grant_body = {LAYOUT(struct pin_grant_body, grant_fields)};

/* --- multi-cluster kinds ------------------------------------------------------------------- */

static const struct pin_pack_field import_fields[] = {
    ITEMS(struct pin_import_body, ips, n_ips, ip_item),
    ITEMS(struct pin_import_body, ports, n_ports, port_item),
    BOOL(struct pin_import_body, is_headless),
    BOOL(struct pin_import_body, client_ip_affinity),
    BOOL(struct pin_import_body, prefers_zone),
};
static const struct pin_pack_layout import_body = {LAYOUT(struct pin_import_body, import_fields)};

static const struct pin_pack_field aws_export_fields[] = {
    ITEMS(struct pin_aws_export_body, ports, n_ports, u16_item),
    TEXT(struct pin_aws_export_body, service),
};
static const struct pin_pack_layout aws_export_body = {
    LAYOUT(struct pin_aws_export_body, aws_export_fields)};

static const struct pin_pack_field aws_import_fields[] = {
    TEXT(struct pin_aws_import_body, export_name),
    TEXT(struct pin_aws_import_body, cluster),
    TEXT(struct pin_aws_import_body, network),
};
static const struct pin_pack_layout aws_import_body = {
    LAYOUT(struct pin_aws_import_body, aws_import_fields)};

/* --- records, policies --------------------------------------------------------------------- */

static const struct pin_pack_field ingress_fields[] = {
    ITEMS(struct pin_ingress_body, hostnames, n_hostnames, name_item),
    ITEMS(struct pin_ingress_body, balancer_ips, n_balancer_ips, ip_item),
    ITEMS(struct pin_ingress_body, balancer_hosts, n_balancer_hosts, name_item),
    TEXT(struct pin_ingress_body, class_name),
};
static const struct pin_pack_layout ingress_body = {
    LAYOUT(struct pin_ingress_body, ingress_fields)};

static const struct pin_pack_field property_fields[] = {
    NAME(struct pin_recordset_property, name),
    NAME(struct pin_recordset_property, value),
};
static const struct pin_pack_layout property_item = {
    LAYOUT(struct pin_recordset_property, property_fields)};

static const struct pin_pack_field record_fields[] = {
    NAME(struct pin_record, name),
    NAME(struct pin_record, type),
    ITEMS(struct pin_record, targets, n_targets, name_item),
    TEXT(struct pin_record, set_id),
    ITEMS(struct pin_record, properties, n_properties, property_item),
    UNSET(struct pin_record, ttl_s, INT32_MAX),
};
static const struct pin_pack_layout record_item = {LAYOUT(struct pin_record, record_fields)};

static const struct pin_pack_field records_fields[] = {
    ITEMS(struct pin_records_body, records, n_records, record_item),
};
static const struct pin_pack_layout records_body = {
    LAYOUT(struct pin_records_body, records_fields)};

static const struct pin_pack_field target_group_fields[] = {
    NAME(struct pin_target_group_body, target),
    BOOL(struct pin_target_group_body, is_service),
    BOOL(struct pin_target_group_body, is_export),
    ONE(struct pin_target_group_body, check, check_item),
};
static const struct pin_pack_layout target_group_body = {
    LAYOUT(struct pin_target_group_body, target_group_fields)};

/* Values are texts or prefixes, whatever the condition is about. */
static bool is_sane_condition(const void *item)
{
    const struct pin_policy_condition *condition = item;
    bool wants_prefixes = condition->about == PIN_POLICY_ABOUT_ADDRESS;
    bool has_texts = condition->texts != NULL && condition->prefixes == NULL;
    bool has_prefixes = condition->prefixes != NULL && condition->texts == NULL;
    return condition->n_values == 0 || (wants_prefixes ? has_prefixes : has_texts);
}

static const struct pin_pack_field condition_fields[] = {
    NUMBER(struct pin_policy_condition, about, PIN_POLICY_ABOUT_ADDRESS),
    BOOL(struct pin_policy_condition, is_pattern),
    PLAIN(PIN_PACK_COUNT, struct pin_policy_condition, n_values),
    ROWS(struct pin_policy_condition, texts, n_values, name_item),
    ROWS(struct pin_policy_condition, prefixes, n_values, prefix_item),
};
static const struct pin_pack_layout condition_item = {
    LAYOUT(struct pin_policy_condition, condition_fields), .is_sane = is_sane_condition};

static bool is_sane_statement(const void *item)
{
    const struct pin_policy_statement *statement = item;
    return statement->n_conditions <= UINT8_MAX;
}

static const struct pin_pack_field statement_fields[] = {
    BOOL(struct pin_policy_statement, is_deny),
    ITEMS(struct pin_policy_statement, conditions, n_conditions, condition_item),
};
static const struct pin_pack_layout statement_item = {
    LAYOUT(struct pin_policy_statement, statement_fields), .is_sane = is_sane_statement};

static const struct pin_pack_field policy_target_fields[] = {
    NAME(struct pin_policy_target, kind),
    NAME(struct pin_policy_target, name),
};
static const struct pin_pack_layout policy_target_item = {
    LAYOUT(struct pin_policy_target, policy_target_fields)};

static bool is_sane_policy(const void *item)
{
    const struct pin_policy_body *policy = item;
    return policy->n_statements <= UINT16_MAX;
}

static const struct pin_pack_field policy_fields[] = {
    ITEMS(struct pin_policy_body, targets, n_targets, policy_target_item),
    ITEMS(struct pin_policy_body, statements, n_statements, statement_item),
    NUMBER(struct pin_policy_body, denied, PIN_POLICY_DENIED_NXDOMAIN),
    BOOL(struct pin_policy_body, is_audit),
    BOOL(struct pin_policy_body, is_unreadable),
};
static const struct pin_pack_layout policy_body = {
    LAYOUT(struct pin_policy_body, policy_fields), .is_sane = is_sane_policy};

/* --- by kind ------------------------------------------------------------------------------- */

static const struct pin_pack_layout *const bodies[] = {
    [PIN_KIND_SERVICE] = &service_body,
    [PIN_KIND_ENDPOINT_SLICE] = &slice_body,
    [PIN_KIND_NAMESPACE] = &namespace_body,
    [PIN_KIND_NODE] = &node_body,
    [PIN_KIND_GATEWAY] = &gateway_body,
    [PIN_KIND_HTTP_ROUTE] = &route_body,
    [PIN_KIND_GRPC_ROUTE] = &route_body,
    [PIN_KIND_TCP_ROUTE] = &route_body,
    [PIN_KIND_TLS_ROUTE] = &route_body,
    [PIN_KIND_REFERENCE_GRANT] = &grant_body,
    [PIN_KIND_SERVICE_IMPORT] = &import_body,
    [PIN_KIND_AWS_SERVICE_EXPORT] = &aws_export_body,
    [PIN_KIND_AWS_SERVICE_IMPORT] = &aws_import_body,
    [PIN_KIND_IAM_AUTH_POLICY] = &policy_body,
    [PIN_KIND_RESOLVE_POLICY] = &policy_body,
    [PIN_KIND_DNS_ENDPOINT] = &records_body,
    [PIN_KIND_TARGET_GROUP_POLICY] = &target_group_body,
    [PIN_KIND_POD] = &pod_body,
    [PIN_KIND_SERVICE_CIDR] = &service_cidr_body,
    [PIN_KIND_GATEWAY_CLASS] = &gateway_class_body,
    [PIN_KIND_INGRESS] = &ingress_body,
};
_Static_assert(N_ELEMS(bodies) == PIN_KIND_MAX, "every kind has its place");

const struct pin_pack_layout *pin_pack_body(enum pin_kind kind)
{
    return bodies[kind];
}
