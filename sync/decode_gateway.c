/* SPDX-License-Identifier: Apache-2.0 */

/* Kinds of the Gateway API: GatewayClass, Gateway, the routes, ReferenceGrant. What their versions
 * have in common is all we read. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

#include "decoder.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"
#define MCS_GROUP     "multicluster.x-k8s.io"
#define AWS_GROUP     "application-networking.k8s.aws"
/* A group, "/", a kind. */
#define KIND_BYTES 320

static const char *or_text(const char *text, const char *fallback)
{
    return text == NULL ? fallback : text;
}

/* A text copied into the object. */
static bool read_text(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const char **text = element;
    const char *value = pin_tree_text(item, NULL);
    *text = value == NULL ? NULL : pin_object_text(self->object, value, strlen(value));
    return *text != NULL;
}

/* Kinds of another group are none that we know, and kept with their group. */
static bool read_route_kind(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const char **text = element;
    char both[KIND_BYTES];
    const char *group = pin_tree_string(item, "group", GATEWAY_GROUP);
    const char *kind = pin_tree_string(item, "kind", "");
    bool is_usual = pin_is_same_text(group, GATEWAY_GROUP);
    (void)snprintf(both, sizeof(both), "%s%s%s", is_usual ? "" : group, is_usual ? "" : "/", kind);
    *text = pin_object_text(self->object, both, strlen(both));
    return *text != NULL;
}

static enum pin_label_op label_op(const char *text)
{
    static const char *const texts[] = {[PIN_LABEL_IN] = "In",
        [PIN_LABEL_NOT_IN] = "NotIn",
        [PIN_LABEL_EXISTS] = "Exists",
        [PIN_LABEL_NOT_EXISTS] = "DoesNotExist"};
    size_t i = 0;
    while (i < N_ELEMS(texts) && strcmp(texts[i], text) != 0) {
        i++;
    }
    return (enum pin_label_op)i;
}

/* One of matchExpressions. */
static bool read_expression(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_label_rule *rule = element;
    const char *key = pin_tree_string(item, "key", "");
    rule->op = label_op(pin_tree_string(item, "operator", ""));
    rule->key = pin_object_text(self->object, key, strlen(key));
    rule->values = pin__decoder_elements(self, pin_tree_list(item, "values"), "values",
        sizeof(*rule->values), read_text, &rule->n_values);
    return rule->key != NULL;
}

/* matchLabels come after matchExpressions, as rules like them. */
static void read_selector(
    struct pin_decoder *self, const struct pin_tree *selector, struct pin_listener *listener)
{
    const struct pin_tree *labels = pin_tree_map(selector, "matchLabels");
    const struct pin_tree *list = pin_tree_list(selector, "matchExpressions");
    size_t n_labels = labels == NULL ? 0 : labels->n_children;
    size_t n = 0;
    const struct pin_label_rule *expressions = pin__decoder_elements(
        self, list, "matchExpressions", sizeof(*expressions), read_expression, &n);
    struct pin_label_rule *rules = pin__decoder_array(self, n + n_labels, sizeof(*rules));
    if (rules == NULL) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        rules[i] = expressions[i];
    }
    PIN_TREE_EACH(label, labels)
    {
        const char **value = pin__decoder_array(self, 1, sizeof(*value));
        if (value != NULL && read_text(self, label, value)) {
            rules[n++] = (struct pin_label_rule){
                .key = pin_object_text(self->object, label->key, strlen(label->key)),
                .values = value,
                .n_values = 1};
        }
    }
    listener->selector = rules;
    listener->n_selector = n;
}

/* Whose routes the listener takes; what is not said is the API's default. */
static void read_allowed(
    struct pin_decoder *self, const struct pin_tree *allowed, struct pin_listener *listener)
{
    const struct pin_tree *namespaces = pin_tree_find(allowed, "namespaces");
    const char *from = pin_tree_string(namespaces, "from", "Same");
    listener->kinds = pin__decoder_elements(self, pin_tree_list(allowed, "kinds"), "kinds",
        sizeof(*listener->kinds), read_route_kind, &listener->n_kinds);
    listener->from = pin_is_same_text(from, "Same")       ? PIN_ROUTES_SAME
                     : pin_is_same_text(from, "All")      ? PIN_ROUTES_ALL
                     : pin_is_same_text(from, "Selector") ? PIN_ROUTES_SELECTOR
                                                          : PIN_ROUTES_NONE;
    if (listener->from == PIN_ROUTES_SELECTOR) {
        read_selector(self, pin_tree_find(namespaces, "selector"), listener);
    }
}

static bool read_listener(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_listener *listener = element;
    read_allowed(self, pin_tree_find(item, "allowedRoutes"), listener);
    listener->name = pin__decoder_text(self, item, "name");
    listener->hostname = pin__decoder_text(self, item, "hostname");
    listener->protocol = pin__decoder_text(self, item, "protocol");
    listener->port = (uint16_t)pin__decoder_int(self, item, "port", 1, 65535, 0);
    return true;
}

/* The addresses that are such (the default) and not host names. */
static bool read_address(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const char *type = or_text(pin__decoder_peek(self, item, "type"), "IPAddress");
    return pin_is_same_text(type, "IPAddress")
           && pin__decoder_ip(self, pin_tree_find(item, "value"), "value", element);
}

static bool read_host(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const char **host = element;
    bool is_host = pin_is_same_text(pin__decoder_peek(self, item, "type"), "Hostname");
    *host = is_host ? pin__decoder_text(self, item, "value") : NULL;
    return *host != NULL && *host[0] != '\0';
}

void pin__decode_gateway(struct pin_decoder *self)
{
    struct pin_gateway_body *body = &self->object->as.gateway;
    const struct pin_tree *status = pin__decoder_map(self, self->root, "status");
    body->addresses = pin__decoder_elements(self, pin__decoder_list(self, status, "addresses"),
        "status.addresses", sizeof(*body->addresses), read_address, &body->n_addresses);
    body->hosts = pin__decoder_elements(self, pin__decoder_list(self, status, "addresses"),
        "status.addresses", sizeof(*body->hosts), read_host, &body->n_hosts);
    body->listeners = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "listeners"),
        "spec.listeners", sizeof(*body->listeners), read_listener, &body->n_listeners);
    body->class_name = pin__decoder_text(self, self->spec, "gatewayClassName");
}

void pin__decode_gateway_class(struct pin_decoder *self)
{
    struct pin_gateway_class_body *body = &self->object->as.gateway_class;
    body->controller = pin__decoder_text(self, self->spec, "controllerName");
    body->has_parameters = pin_tree_map(self->spec, "parametersRef") != NULL;
}

/* --- routes --------------------------------------------------------------------------------- */

/* A reference without a namespace is to the route's own. */
static const char *read_namespace(struct pin_decoder *self, const struct pin_tree *ref)
{
    const char *text = pin__decoder_text(self, ref, "namespace");
    if (text != NULL || self->err != PIN_OK) {
        return text;
    }
    return pin_object_text(
        self->object, self->key.namespace_name, strlen(self->key.namespace_name));
}

static bool read_parent(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_parent_ref *parent = element;
    const char *group = or_text(pin__decoder_peek(self, item, "group"), GATEWAY_GROUP);
    const char *kind = or_text(pin__decoder_peek(self, item, "kind"), "Gateway");
    if (!pin_is_same_text(group, GATEWAY_GROUP) || !pin_is_same_text(kind, "Gateway")) {
        return false;
    }
    parent->namespace_name = read_namespace(self, item);
    parent->name = pin__decoder_name(self, item, "name");
    parent->section = pin__decoder_text(self, item, "sectionName");
    parent->port = (uint16_t)pin__decoder_int(self, item, "port", 1, 65535, 0);
    parent->has_namespace = pin__decoder_peek(self, item, "namespace") != NULL;
    return true;
}

static bool is_list_empty(const struct pin_tree *map, const char *key)
{
    const struct pin_tree *list = pin_tree_find(map, key);
    return list == NULL || list->n_children == 0;
}

/* A GRPCRoute's method is a map, whose default says nothing; an HTTPRoute's is a word. */
static bool has_method(const struct pin_tree *match)
{
    const struct pin_tree *method = pin_tree_find(match, "method");
    if (method != NULL && method->kind == PIN_TREE_MAP) {
        return pin_tree_string(method, "service", NULL) != NULL
               || pin_tree_string(method, "method", NULL) != NULL;
    }
    return pin_tree_string(match, "method", NULL) != NULL;
}

/* A match that every request meets; the API server writes the prefix "/" where nothing is said. */
static bool is_catch_all(const struct pin_tree *match)
{
    const struct pin_tree *path = pin_tree_find(match, "path");
    const char *type = pin_tree_string(path, "type", "PathPrefix");
    const char *value = pin_tree_string(path, "value", "/");
    return pin_is_same_text(type, "PathPrefix") && pin_is_same_text(value, "/")
           && is_list_empty(match, "headers") && is_list_empty(match, "queryParams")
           && !has_method(match);
}

/* Matches are alternatives: one that catches all makes the rest of them mean nothing. */
static bool needs_l7(struct pin_decoder *self, const struct pin_tree *rule)
{
    enum pin_kind kind = self->object->kind;
    if (kind == PIN_KIND_TCP_ROUTE || kind == PIN_KIND_TLS_ROUTE) {
        return false; /* their rules have no matches */
    }
    const struct pin_tree *matches = pin__decoder_list(self, rule, "matches");
    if (matches == NULL || matches->n_children == 0) {
        return false;
    }
    PIN_TREE_EACH(match, matches)
    {
        if (is_catch_all(match)) {
            return false;
        }
    }
    return true;
}

/*
 * Lattice's walkthroughs write `kind: ServiceImport` without a group, and its controller looks at
 * the kind alone; so no group means that import.
 */
static enum pin_backend_kind backend_kind(const char *group, const char *kind)
{
    bool is_import = pin_is_same_text(kind, "ServiceImport");
    if (pin_is_same_text(group, "") && pin_is_same_text(kind, "Service")) {
        return PIN_BACKEND_SERVICE;
    }
    if (is_import && pin_is_same_text(group, MCS_GROUP)) {
        return PIN_BACKEND_IMPORT;
    }
    if (is_import && (pin_is_same_text(group, AWS_GROUP) || pin_is_same_text(group, ""))) {
        return PIN_BACKEND_AWS_IMPORT;
    }
    return PIN_BACKEND_OTHER;
}

static bool read_backend(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_backend_ref *backend = element;
    const char *group = or_text(pin__decoder_peek(self, item, "group"), "");
    const char *kind = or_text(pin__decoder_peek(self, item, "kind"), "Service");
    const struct pin_tree *weight = pin_tree_find(item, "weight");
    long long value = 1;

    backend->kind = backend_kind(group, kind);
    backend->kind_text = pin_object_text(self->object, kind, strlen(kind));
    backend->name = pin__decoder_name(self, item, "name");
    backend->namespace_name = read_namespace(self, item);
    backend->port = (uint16_t)pin__decoder_int(self, item, "port", 1, 65535, 0);
    if (weight != NULL && weight->kind != PIN_TREE_NULL
        && (!pin_tree_to_int(weight, &value) || value < 0 || value > PIN_WEIGHT_MAX)) {
        pin__decoder_fail(self, weight, "weight",
            "%s '%s' has weight '%s', use a whole number from 0 to %u", kind,
            or_text(backend->name, "?"), pin_tree_text(weight, pin_tree_kind_str(weight->kind)),
            PIN_WEIGHT_MAX);
        return false;
    }
    backend->weight = (uint32_t)value;
    return true;
}

static bool read_rule(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_route_rule *rule = element;
    rule->needs_l7 = needs_l7(self, item);
    rule->backends = pin__decoder_elements(self, pin__decoder_list(self, item, "backendRefs"),
        "backendRefs", sizeof(*rule->backends), read_backend, &rule->n_backends);
    return true;
}

static bool read_hostname(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const char **hostname = element;
    const char *text = pin_tree_text(item, NULL);
    if (text == NULL) {
        pin__decoder_fail(
            self, item, NULL, "must be a string, not %s", pin_tree_kind_str(item->kind));
        return false;
    }
    *hostname = pin_object_text(self->object, text, item->text_bytes);
    return *hostname != NULL;
}

void pin__decode_route(struct pin_decoder *self)
{
    struct pin_route_body *body = &self->object->as.route;
    body->parents = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "parentRefs"),
        "spec.parentRefs", sizeof(*body->parents), read_parent, &body->n_parents);
    body->rules = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "rules"),
        "spec.rules", sizeof(*body->rules), read_rule, &body->n_rules);
    body->hostnames = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "hostnames"),
        "spec.hostnames", sizeof(*body->hostnames), read_hostname, &body->n_hostnames);
}

/* --- ReferenceGrant ------------------------------------------------------------------------- */

/* The kind of route with that name; false for kinds that are none. */
static bool find_route_kind(const char *text, enum pin_kind *ret_kind)
{
    for (int kind = PIN_KIND_HTTP_ROUTE; kind <= PIN_KIND_TLS_ROUTE; kind++) {
        if (pin_is_same_text(text, pin_kind_text((enum pin_kind)kind))) {
            *ret_kind = (enum pin_kind)kind;
            return true;
        }
    }
    return false;
}

static bool read_from(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_grant_from *from = element;
    const char *group = or_text(pin__decoder_peek(self, item, "group"), "");
    const char *kind = pin__decoder_peek(self, item, "kind");
    if (!pin_is_same_text(group, GATEWAY_GROUP) || !find_route_kind(kind, &from->kind)) {
        return false;
    }
    from->namespace_name = pin__decoder_name(self, item, "namespace");
    return true;
}

static bool read_to(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_grant_to *to = element;
    const char *group = or_text(pin__decoder_peek(self, item, "group"), "");
    to->kind = backend_kind(group, pin__decoder_peek(self, item, "kind"));
    if (to->kind == PIN_BACKEND_OTHER) {
        return false;
    }
    to->name = pin__decoder_text(self, item, "name");
    return true;
}

void pin__decode_reference_grant(struct pin_decoder *self)
{
    struct pin_grant_body *body = &self->object->as.grant;
    body->from = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "from"),
        "spec.from", sizeof(*body->from), read_from, &body->n_from);
    body->to = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "to"), "spec.to",
        sizeof(*body->to), read_to, &body->n_to);
}
