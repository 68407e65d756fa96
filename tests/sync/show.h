/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Objects and deltas as one line of text, so that what a test expects is a string.
 */

#include "pintle/base/ip.h"
#include "pintle/base/text.h"
#include "pintle/zones/claims.h"
#include "pintle/zones/delta.h"
#include "pintle/zones/slice.h"

static inline void show_text(struct pin_text *out, const char *key, const char *value)
{
    if (value != NULL) {
        pin_text_putf(out, " %s=%s", key, value);
    }
}

static inline void show_ips(
    struct pin_text *out, const char *key, const struct pin_ip *ips, size_t n)
{
    char text[PIN_IP_TEXT_MAX];
    for (size_t i = 0; i < n; i++) {
        show_text(out, key, pin_ip_format(&ips[i], text));
    }
}

static inline void show_ports(struct pin_text *out, const struct pin_port *ports, size_t n)
{
    static const char *const protocols[] = {"TCP", "UDP", "SCTP"};
    for (size_t i = 0; i < n; i++) {
        const struct pin_port *port = &ports[i];
        pin_text_putf(out, " port=%s:%u", port->name ? port->name : "", port->port);
        if (port->target_name != NULL) {
            pin_text_putf(out, ">%s", port->target_name);
        } else if (port->target_port != port->port) {
            pin_text_putf(out, ">%u", port->target_port);
        }
        pin_text_putf(out, "/%s", protocols[port->protocol]);
        show_text(out, "app", port->app_protocol);
    }
}

static inline void show_service(struct pin_text *out, const struct pin_service_body *body)
{
    show_ips(out, "ip", body->cluster_ips, body->n_cluster_ips);
    show_ips(out, "lb", body->balancer_ips, body->n_balancer_ips);
    show_ports(out, body->ports, body->n_ports);
    show_text(out, "external", body->external_name);
    pin_text_puts(out, body->is_headless ? " headless" : "");
    pin_text_puts(out, body->publish_not_ready ? " publishNotReady" : "");
    pin_text_puts(out, body->client_ip_affinity ? " clientIP" : "");
    pin_text_puts(out, body->prefers_zone ? " ownZone" : "");
}

static inline void show_slice(struct pin_text *out, const struct pin_slice_body *body)
{
    char text[PIN_IP_TEXT_MAX];
    show_text(out, "of", body->service);
    show_text(out, "import", body->import_service);
    show_text(out, "source", body->source_cluster);
    pin_text_putf(out, " IPv%u", body->family);
    for (size_t i = 0; i < body->n_endpoints; i++) {
        struct pin_ip ip = pin_slice_ip(body, i);
        char pod[PIN_POD_NAME_MAX];
        pin_text_putf(out, " [%s%s%s%s", pin_ip_format(&ip, text),
            (body->flags[i] & PIN_ENDPOINT_READY) ? " ready" : "",
            (body->flags[i] & PIN_ENDPOINT_SERVING) ? " serving" : "",
            (body->flags[i] & PIN_ENDPOINT_TERMINATING) ? " terminating" : "");
        show_text(out, "host", pin_slice_hostname(body, i));
        show_text(out, "pod", pin_slice_pod(body, i, pod) ? pod : NULL);
        show_text(out, "zone", pin_slice_zone(body, i));
        show_text(out, "hints", pin_slice_hints(body, i));
        pin_text_putc(out, ']');
    }
    show_ports(out, body->ports, body->n_ports);
}

static inline void show_node(struct pin_text *out, const struct pin_node_body *body)
{
    char text[PIN_PREFIX_TEXT_MAX];
    for (size_t i = 0; i < body->n_pod_ranges; i++) {
        show_text(out, "pods", pin_prefix_format(&body->pod_ranges[i], text));
    }
    show_ips(out, "ip", body->addresses, body->n_addresses);
    show_text(out, "zone", body->zone);
    show_text(out, "region", body->region);
}

static inline void show_service_cidr(struct pin_text *out, const struct pin_service_cidr_body *body)
{
    char text[PIN_PREFIX_TEXT_MAX];
    for (size_t i = 0; i < body->n_ranges; i++) {
        show_text(out, "range", pin_prefix_format(&body->ranges[i], text));
    }
}

static inline void show_gateway(struct pin_text *out, const struct pin_gateway_body *body)
{
    show_ips(out, "ip", body->addresses, body->n_addresses);
    for (size_t i = 0; i < body->n_listeners; i++) {
        const struct pin_listener *l = &body->listeners[i];
        pin_text_putf(out, " listener=%s:%s:%u:%s", l->name ? l->name : "",
            l->protocol ? l->protocol : "", l->port, l->hostname ? l->hostname : "");
        pin_text_puts(out, l->from == PIN_ROUTES_ALL ? ":all" : "");
        pin_text_puts(out, l->from == PIN_ROUTES_NONE ? ":none" : "");
        for (size_t k = 0; k < l->n_kinds; k++) {
            pin_text_putf(out, ":%s", l->kinds[k]);
        }
        for (size_t r = 0; r < l->n_selector; r++) {
            pin_text_putf(out, ":%s%d", l->selector[r].key, (int)l->selector[r].op);
            for (size_t v = 0; v < l->selector[r].n_values; v++) {
                pin_text_putf(out, "=%s", l->selector[r].values[v]);
            }
        }
    }
    show_text(out, "class", body->class_name);
}

static inline void show_route(struct pin_text *out, const struct pin_route_body *body)
{
    static const char *const kinds[] = {"service", "import", "aws", "other"};
    for (size_t i = 0; i < body->n_parents; i++) {
        const struct pin_parent_ref *p = &body->parents[i];
        pin_text_putf(out, " parent=%s/%s", p->namespace_name, p->name);
        show_text(out, "section", p->section);
        if (p->port != 0) {
            pin_text_putf(out, " port=%u", p->port);
        }
    }
    for (size_t i = 0; i < body->n_rules; i++) {
        const struct pin_route_rule *rule = &body->rules[i];
        pin_text_puts(out, rule->needs_l7 ? " {l7" : " {");
        for (size_t j = 0; j < rule->n_backends; j++) {
            const struct pin_backend_ref *b = &rule->backends[j];
            pin_text_putf(out, "%s%s %s/%s:%u w=%u", j > 0 || rule->needs_l7 ? " " : "",
                kinds[b->kind], b->namespace_name, b->name, b->port, b->weight);
        }
        pin_text_putc(out, '}');
    }
    for (size_t i = 0; i < body->n_hostnames; i++) {
        show_text(out, "host", body->hostnames[i]);
    }
}

static inline void show_import(struct pin_text *out, const struct pin_import_body *body)
{
    show_ips(out, "ip", body->ips, body->n_ips);
    show_ports(out, body->ports, body->n_ports);
    pin_text_puts(out, body->is_headless ? " headless" : "");
    pin_text_puts(out, body->client_ip_affinity ? " clientIP" : "");
    pin_text_puts(out, body->prefers_zone ? " ownZone" : "");
}

static inline void show_records(struct pin_text *out, const struct pin_records_body *body)
{
    for (size_t i = 0; i < body->n_records; i++) {
        const struct pin_record *record = &body->records[i];
        pin_text_putf(out, " %s %s", record->name, record->type);
        if (record->ttl_s != PIN_TTL_UNSET) {
            pin_text_putf(out, " %u", record->ttl_s);
        }
        for (size_t t = 0; t < record->n_targets; t++) {
            pin_text_putf(out, " %s", record->targets[t]);
        }
        show_text(out, "id", record->set_id);
        for (size_t p = 0; p < record->n_properties; p++) {
            show_text(out, record->properties[p].name, record->properties[p].value);
        }
    }
}

static inline void show_ingress(struct pin_text *out, const struct pin_ingress_body *body)
{
    for (size_t i = 0; i < body->n_hostnames; i++) {
        show_text(out, "host", body->hostnames[i]);
    }
    show_ips(out, "lb", body->balancer_ips, body->n_balancer_ips);
    for (size_t i = 0; i < body->n_balancer_hosts; i++) {
        show_text(out, "lb", body->balancer_hosts[i]);
    }
    show_text(out, "class", body->class_name);
}

static inline void show_asks(struct pin_text *out, const struct pin_asks *asks)
{
    for (size_t i = 0; i < asks->n_notes; i++) {
        show_text(out, asks->notes[i].key, asks->notes[i].value);
    }
    show_ips(out, "outside", asks->external_ips, asks->n_external_ips);
    pin_text_puts(out, asks->is_balancer ? " balancer" : "");
}

static inline void show_check(struct pin_text *out, const struct pin_check *check)
{
    if (check == NULL) {
        return;
    }
    pin_text_putf(out, " check=%s%s:%u%s every=%u/%u rise=%u fall=%u%s",
        pin_check_protocol_text(check->protocol), check->is_http2 ? "2" : "", check->port,
        check->path, check->interval_s, check->timeout_s, check->rise, check->fall,
        check->is_enabled ? "" : " off");
    for (uint8_t i = 0; i < check->n_status; i++) {
        pin_text_putf(out, " %u-%u", check->status[i].low, check->status[i].high);
    }
    show_text(out, "host", check->host);
    show_text(out, "command", check->command);
}

static inline void show_grant(struct pin_text *out, const struct pin_grant_body *body)
{
    static const char *const kinds[] = {"service", "import", "aws", "other"};
    for (size_t i = 0; i < body->n_from; i++) {
        pin_text_putf(
            out, " from=%s:%s", pin_kind_text(body->from[i].kind), body->from[i].namespace_name);
    }
    for (size_t i = 0; i < body->n_to; i++) {
        pin_text_putf(out, " to=%s", kinds[body->to[i].kind]);
        if (body->to[i].name != NULL) {
            pin_text_putf(out, ":%s", body->to[i].name);
        }
    }
}

static inline void show_aws_export(struct pin_text *out, const struct pin_aws_export_body *body)
{
    for (size_t i = 0; i < body->n_ports; i++) {
        pin_text_putf(out, " port=%u", body->ports[i]);
    }
    show_text(out, "service", body->service);
}

static inline void show_steering(struct pin_text *out, const struct pin_steering *s)
{
    static const char *const addresses[] = {
        NULL, "auto", "endpoints", "clusterIP", "loadBalancer", "gateway"};
    static const char *const answers[] = {NULL, "subset", "single", "all", "group"};
    static const char *const affinities[] = {NULL, "none", "local", "remote", "list"};
    show_text(out, "address", addresses[s->address]);
    show_text(out, "answers", answers[s->answers]);
    show_text(
        out, "affinity", s->affinity_list != NULL ? s->affinity_list : affinities[s->affinity]);
    if (s->threshold != PIN_THRESHOLD_UNSET) {
        pin_text_putf(out, " threshold=%u%s", s->threshold, s->is_threshold_share ? "%" : "");
    }
    show_text(out, "stale",
        s->stale == PIN_STALE_DROP    ? "drop"
        : s->stale == PIN_STALE_KEEP  ? "keep"
        : s->stale == PIN_STALE_PROBE ? "probe"
                                      : NULL);
    if (s->stale_after_ms != 0) {
        pin_text_putf(out, " stale-after=%llu", (unsigned long long)s->stale_after_ms);
    }
    static const char *const all_downs[] = {[PIN_ALL_DOWN_UNSET] = NULL,
        [PIN_ALL_DOWN_ALL] = "all",
        [PIN_ALL_DOWN_NONE] = "none",
        [PIN_ALL_DOWN_LAST_GOOD] = "lastGood"};
    show_text(out, "all-down", all_downs[s->all_down]);
    if (s->up_percent != 0) {
        pin_text_putf(out, " up=%u%%", s->up_percent);
    }
    show_check(out, s->check);
    if (s->ttl_s != PIN_TTL_UNSET) {
        pin_text_putf(out, " ttl=%u", s->ttl_s);
    }
    if (s->weight != PIN_WEIGHT_UNSET) {
        pin_text_putf(out, " weight=%u", s->weight);
    }
    pin_text_puts(out, s->is_global ? " global" : "");
    pin_text_puts(out, s->is_unshared ? " unshared" : "");
}

static inline void show_pod(struct pin_text *out, const struct pin_pod_body *pod)
{
    for (size_t i = 0; i < pod->n_ips; i++) {
        char ip[PIN_IP_TEXT_MAX];
        pin_text_putf(out, " %s", pin_ip_format(&pod->ips[i], ip));
    }
    pin_text_puts(out, pod->is_host_network ? " host" : "");
}

static inline void show_body(struct pin_text *out, const struct pin_object *object)
{
    switch (object->kind) {
    case PIN_KIND_SERVICE:
        show_service(out, &object->as.service);
        break;
    case PIN_KIND_ENDPOINT_SLICE:
        show_slice(out, &object->as.slice);
        break;
    case PIN_KIND_POD:
        show_pod(out, &object->as.pod);
        break;
    case PIN_KIND_NODE:
        show_node(out, &object->as.node);
        break;
    case PIN_KIND_SERVICE_CIDR:
        show_service_cidr(out, &object->as.service_cidr);
        break;
    case PIN_KIND_GATEWAY:
        show_gateway(out, &object->as.gateway);
        break;
    case PIN_KIND_GATEWAY_CLASS:
        show_text(out, "controller", object->as.gateway_class.controller);
        pin_text_puts(out, object->as.gateway_class.has_parameters ? " parameters" : "");
        break;
    case PIN_KIND_NAMESPACE:
        for (size_t i = 0; i < object->as.namespace_.n_labels; i++) {
            pin_text_putf(out, " %s", object->as.namespace_.labels[i]);
        }
        break;
    case PIN_KIND_HTTP_ROUTE:
    case PIN_KIND_GRPC_ROUTE:
    case PIN_KIND_TCP_ROUTE:
    case PIN_KIND_TLS_ROUTE:
        show_route(out, &object->as.route);
        break;
    case PIN_KIND_INGRESS:
        show_ingress(out, &object->as.ingress);
        break;
    case PIN_KIND_DNS_ENDPOINT:
        show_records(out, &object->as.records);
        break;
    case PIN_KIND_REFERENCE_GRANT:
        show_grant(out, &object->as.grant);
        break;
    case PIN_KIND_SERVICE_IMPORT:
        show_import(out, &object->as.import);
        break;
    case PIN_KIND_AWS_SERVICE_EXPORT:
        show_aws_export(out, &object->as.aws_export);
        break;
    case PIN_KIND_AWS_SERVICE_IMPORT:
        show_text(out, "export", object->as.aws_import.export_name);
        show_text(out, "cluster", object->as.aws_import.cluster);
        show_text(out, "network", object->as.aws_import.network);
        break;
    case PIN_KIND_TARGET_GROUP_POLICY:
        pin_text_putf(out, " of=%s:%s",
            object->as.target_group.is_service  ? "service"
            : object->as.target_group.is_export ? "export"
                                                : "other",
            object->as.target_group.target);
        show_check(out, object->as.target_group.check);
        break;
    default:
        break;
    }
}

/** Appends e.g. "Service shop/web ip=10.96.0.1 port=http:80>8080/TCP". */
static inline void show_object(struct pin_text *out, const struct pin_object *object)
{
    bool is_aws =
        object->kind == PIN_KIND_AWS_SERVICE_EXPORT || object->kind == PIN_KIND_AWS_SERVICE_IMPORT;
    pin_text_putf(out, "%s%s %s/%s", is_aws ? "AWS" : "", pin_kind_text(object->kind),
        object->namespace_name, object->name);
    show_body(out, object);
    show_steering(out, object->steering);
    if (object->written != NULL && object->written->asks != NULL) {
        show_asks(out, object->written->asks);
    }
}

/** Appends e.g. "UPSERT Service shop/web" or "LIST_BEGIN Node". */
static inline void show_delta(struct pin_text *out, const struct pin_delta *delta)
{
    static const char *const ops[] = {
        "UPSERT", "DELETE", "LIST_BEGIN", "LIST_END", "UP", "DOWN", "SYNCED", "LOOKUP", "KEEP"};
    pin_text_puts(out, ops[delta->op]);
    if (delta->op < PIN_DELTA_UP || delta->op == PIN_DELTA_KEEP) {
        pin_text_putf(out, " %s", pin_kind_text(delta->kind));
    }
    if (delta->op == PIN_DELTA_UPSERT) {
        pin_text_putf(out, " %s/%s", delta->object->namespace_name, delta->object->name);
    } else if (delta->op == PIN_DELTA_DELETE || delta->op == PIN_DELTA_KEEP) {
        pin_text_putf(out, " %s/%s", delta->namespace_name, delta->name);
    }
    if (delta->op == PIN_DELTA_LIST_END && delta->is_partial) {
        pin_text_puts(out, " partial");
    }
}
