/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests of objects: spec and status of the Gateway API's kinds. */

#include <string.h>

#include "encoder.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"

/* Of backendRefs; a group that nobody has for what is none of them. */
static const char *const groups[] = {[PIN_BACKEND_SERVICE] = "",
    [PIN_BACKEND_IMPORT] = "multicluster.x-k8s.io",
    [PIN_BACKEND_AWS_IMPORT] = "application-networking.k8s.aws",
    [PIN_BACKEND_OTHER] = "unknown.invalid"};

/* --- Gateways ------------------------------------------------------------------------------- */

static void put_selector(struct pin_jsonout *out, const struct pin_listener *listener)
{
    static const char *const ops[] = {[PIN_LABEL_IN] = "In",
        [PIN_LABEL_NOT_IN] = "NotIn",
        [PIN_LABEL_EXISTS] = "Exists",
        [PIN_LABEL_NOT_EXISTS] = "DoesNotExist",
        [PIN_LABEL_NEVER] = "Never"};
    pin__encode_open(out, "selector");
    pin__encode_open_list(out, "matchExpressions");
    for (size_t i = 0; i < listener->n_selector; i++) {
        const struct pin_label_rule *rule = &listener->selector[i];
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "key", rule->key);
        pin_jsonout_key_string(out, "operator", ops[rule->op]);
        pin__encode_texts(out, "values", rule->values, rule->n_values);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

/* "Kind", or "group/Kind" of another group. */
static void put_kind(struct pin_jsonout *out, const char *text)
{
    const char *slash = strrchr(text, '/');
    pin_jsonout_object(out);
    if (slash != NULL) {
        pin_jsonout_key(out, "group");
        pin_jsonout_string_n(out, text, (size_t)(slash - text));
    }
    pin_jsonout_key_string(out, "kind", slash == NULL ? text : slash + 1);
    pin_jsonout_end(out);
}

static void put_listener(struct pin_jsonout *out, const struct pin_listener *listener)
{
    static const char *const from[] = {[PIN_ROUTES_SAME] = "Same",
        [PIN_ROUTES_ALL] = "All",
        [PIN_ROUTES_SELECTOR] = "Selector",
        [PIN_ROUTES_NONE] = "None"};
    pin_jsonout_object(out);
    pin__encode_text(out, "name", listener->name);
    pin__encode_text(out, "hostname", listener->hostname);
    pin__encode_text(out, "protocol", listener->protocol);
    if (listener->port != 0) {
        pin_jsonout_key_uint(out, "port", listener->port);
    }
    pin__encode_open(out, "allowedRoutes");
    pin__encode_open(out, "namespaces");
    pin_jsonout_key_string(out, "from", from[listener->from]);
    if (listener->from == PIN_ROUTES_SELECTOR) {
        put_selector(out, listener);
    }
    pin_jsonout_end(out);
    pin__encode_open_list(out, "kinds");
    for (size_t i = 0; i < listener->n_kinds; i++) {
        put_kind(out, listener->kinds[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_place(struct pin_jsonout *out, const char *type, const char *value)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "type", type);
    pin_jsonout_key_string(out, "value", value);
    pin_jsonout_end(out);
}

static void put_gateway(struct pin_jsonout *out, const struct pin_gateway_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_text(out, "gatewayClassName", body->class_name);
    pin__encode_open_list(out, "listeners");
    for (size_t i = 0; i < body->n_listeners; i++) {
        put_listener(out, &body->listeners[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
    pin__encode_open(out, "status");
    pin__encode_open_list(out, "addresses");
    for (size_t i = 0; i < body->n_addresses; i++) {
        char text[PIN_IP_TEXT_MAX];
        put_place(out, "IPAddress", pin_ip_format(&body->addresses[i], text));
    }
    for (size_t i = 0; i < body->n_hosts; i++) {
        put_place(out, "Hostname", body->hosts[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_gateway_class(struct pin_jsonout *out, const struct pin_gateway_class_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_text(out, "controllerName", body->controller);
    if (body->has_parameters) {
        pin__encode_open(out, "parametersRef");
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

/* --- Routes --------------------------------------------------------------------------------- */

static void put_parent(struct pin_jsonout *out, const struct pin_parent_ref *parent)
{
    pin_jsonout_object(out);
    pin__encode_text(out, "namespace", parent->has_namespace ? parent->namespace_name : NULL);
    pin__encode_text(out, "name", parent->name);
    pin__encode_text(out, "sectionName", parent->section);
    if (parent->port != 0) {
        pin_jsonout_key_uint(out, "port", parent->port);
    }
    pin_jsonout_end(out);
}

static void put_backend(struct pin_jsonout *out, const struct pin_backend_ref *backend)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "group", groups[backend->kind]);
    pin_jsonout_key_string(out, "kind", backend->kind_text);
    pin_jsonout_key_string(out, "namespace", backend->namespace_name);
    pin_jsonout_key_string(out, "name", backend->name);
    pin_jsonout_key_uint(out, "weight", backend->weight);
    if (backend->port != 0) {
        pin_jsonout_key_uint(out, "port", backend->port);
    }
    pin_jsonout_end(out);
}

/* A match that is not kept becomes one of a header that nobody sends. */
static void put_rule(struct pin_jsonout *out, const struct pin_route_rule *rule)
{
    pin_jsonout_object(out);
    if (rule->needs_l7) {
        pin__encode_open_list(out, "matches");
        pin_jsonout_object(out);
        pin__encode_open_list(out, "headers");
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "name", "pintle-match-not-kept");
        pin_jsonout_key_string(out, "value", "true");
        pin_jsonout_end(out);
        pin_jsonout_end(out);
        pin_jsonout_end(out);
        pin_jsonout_end(out);
    }
    pin__encode_open_list(out, "backendRefs");
    for (size_t i = 0; i < rule->n_backends; i++) {
        put_backend(out, &rule->backends[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_route(struct pin_jsonout *out, const struct pin_route_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_open_list(out, "parentRefs");
    for (size_t i = 0; i < body->n_parents; i++) {
        put_parent(out, &body->parents[i]);
    }
    pin_jsonout_end(out);
    pin__encode_texts(out, "hostnames", body->hostnames, body->n_hostnames);
    pin__encode_open_list(out, "rules");
    for (size_t i = 0; i < body->n_rules; i++) {
        put_rule(out, &body->rules[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_grant(struct pin_jsonout *out, const struct pin_grant_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_open_list(out, "from");
    for (size_t i = 0; i < body->n_from; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "group", GATEWAY_GROUP);
        pin_jsonout_key_string(out, "kind", pin_kind_text(body->from[i].kind));
        pin_jsonout_key_string(out, "namespace", body->from[i].namespace_name);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin__encode_open_list(out, "to");
    for (size_t i = 0; i < body->n_to; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "group", groups[body->to[i].kind]);
        pin_jsonout_key_string(
            out, "kind", body->to[i].kind == PIN_BACKEND_SERVICE ? "Service" : "ServiceImport");
        pin__encode_text(out, "name", body->to[i].name);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

void pin__encode_gateway_body(struct pin_jsonout *out, const struct pin_object *object)
{
    if (pin_kind_is_route(object->kind)) {
        put_route(out, &object->as.route);
    } else if (object->kind == PIN_KIND_GATEWAY) {
        put_gateway(out, &object->as.gateway);
    } else if (object->kind == PIN_KIND_GATEWAY_CLASS) {
        put_gateway_class(out, &object->as.gateway_class);
    } else if (object->kind == PIN_KIND_REFERENCE_GRANT) {
        put_grant(out, &object->as.grant);
    }
}
