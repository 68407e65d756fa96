/* SPDX-License-Identifier: Apache-2.0 */

/* Kinds of the Gateway API: Gateway, the routes, ReferenceGrant. What their versions have in common
 * is all we read. */

#include <string.h>

#include "decoder.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"
#define MCS_GROUP     "multicluster.x-k8s.io"
#define AWS_GROUP     "application-networking.k8s.aws"

static bool is_text(const char *text, const char *want)
{
    return text != NULL && strcmp(text, want) == 0;
}

static const char *or_text(const char *text, const char *fallback)
{
    return text == NULL ? fallback : text;
}

static void read_listeners(struct pin_decoder *self, struct pin_gateway_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "listeners");
    struct pin_listener *listeners =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*listeners));
    size_t n = 0;
    if (listeners == NULL) {
        return;
    }
    pin__decoder_enter(self, "spec.listeners");
    PIN_TREE_EACH(item, list)
    {
        struct pin_listener *listener = &listeners[n++];
        listener->name = pin__decoder_text(self, item, "name");
        listener->hostname = pin__decoder_text(self, item, "hostname");
        listener->protocol = pin__decoder_text(self, item, "protocol");
        listener->port = (uint16_t)pin__decoder_int(self, item, "port", 1, 65535, 0);
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->listeners = listeners;
    body->n_listeners = n;
}

/* status.addresses, the ones that are addresses (the default) and not host names. */
static void read_addresses(struct pin_decoder *self, struct pin_gateway_body *body)
{
    const struct pin_tree *status = pin__decoder_map(self, self->root, "status");
    const struct pin_tree *list = pin__decoder_list(self, status, "addresses");
    struct pin_ip *ips =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*ips));
    if (ips == NULL) {
        return;
    }
    pin__decoder_enter(self, "status.addresses");
    PIN_TREE_EACH(item, list)
    {
        const char *type = or_text(pin__decoder_peek(self, item, "type"), "IPAddress");
        const struct pin_tree *value = pin_tree_find(item, "value");
        if (is_text(type, "IPAddress")
            && pin__decoder_ip(self, value, "value", &ips[body->n_addresses])) {
            body->n_addresses++;
        }
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->addresses = ips;
}

void pin__decode_gateway(struct pin_decoder *self)
{
    struct pin_gateway_body *body = &self->object->as.gateway;
    read_addresses(self, body);
    read_listeners(self, body);
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

static void read_parents(struct pin_decoder *self, struct pin_route_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "parentRefs");
    struct pin_parent_ref *parents =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*parents));
    if (parents == NULL) {
        return;
    }
    pin__decoder_enter(self, "spec.parentRefs");
    PIN_TREE_EACH(item, list)
    {
        const char *group = or_text(pin__decoder_peek(self, item, "group"), GATEWAY_GROUP);
        const char *kind = or_text(pin__decoder_peek(self, item, "kind"), "Gateway");
        if (is_text(group, GATEWAY_GROUP) && is_text(kind, "Gateway")) {
            struct pin_parent_ref *parent = &parents[body->n_parents++];
            parent->namespace_name = read_namespace(self, item);
            parent->name = pin__decoder_name(self, item, "name");
            parent->section = pin__decoder_text(self, item, "sectionName");
        }
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->parents = parents;
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
    return is_text(type, "PathPrefix") && is_text(value, "/") && is_list_empty(match, "headers")
           && is_list_empty(match, "queryParams") && !has_method(match);
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
    bool is_import = is_text(kind, "ServiceImport");
    if (is_text(group, "") && is_text(kind, "Service")) {
        return PIN_BACKEND_SERVICE;
    }
    if (is_import && is_text(group, MCS_GROUP)) {
        return PIN_BACKEND_IMPORT;
    }
    if (is_import && (is_text(group, AWS_GROUP) || is_text(group, ""))) {
        return PIN_BACKEND_AWS_IMPORT;
    }
    return PIN_BACKEND_OTHER;
}

static void read_backend(
    struct pin_decoder *self, const struct pin_tree *item, struct pin_backend_ref *backend)
{
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
        return;
    }
    backend->weight = (uint32_t)value;
}

static void read_backends(
    struct pin_decoder *self, const struct pin_tree *item, struct pin_route_rule *rule)
{
    const struct pin_tree *list = pin__decoder_list(self, item, "backendRefs");
    struct pin_backend_ref *backends =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*backends));
    if (backends == NULL) {
        return;
    }
    pin__decoder_enter(self, "backendRefs");
    PIN_TREE_EACH(ref, list)
    {
        read_backend(self, ref, &backends[rule->n_backends++]);
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    rule->backends = backends;
}

static void read_rules(struct pin_decoder *self, struct pin_route_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "rules");
    struct pin_route_rule *rules =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*rules));
    if (rules == NULL) {
        return;
    }
    pin__decoder_enter(self, "spec.rules");
    PIN_TREE_EACH(item, list)
    {
        struct pin_route_rule *rule = &rules[body->n_rules++];
        rule->needs_l7 = needs_l7(self, item);
        read_backends(self, item, rule);
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->rules = rules;
}

static void read_hostnames(struct pin_decoder *self, struct pin_route_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "hostnames");
    const char **hostnames =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*hostnames));
    if (hostnames == NULL) {
        return;
    }
    pin__decoder_enter(self, "spec.hostnames");
    PIN_TREE_EACH(item, list)
    {
        const char *text = pin_tree_text(item, NULL);
        if (text == NULL) {
            pin__decoder_fail(
                self, item, NULL, "must be a string, not %s", pin_tree_kind_str(item->kind));
            break;
        }
        hostnames[body->n_hostnames] = pin_object_text(self->object, text, item->text_bytes);
        body->n_hostnames += hostnames[body->n_hostnames] == NULL ? 0 : 1;
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->hostnames = hostnames;
}

void pin__decode_route(struct pin_decoder *self)
{
    struct pin_route_body *body = &self->object->as.route;
    read_parents(self, body);
    read_rules(self, body);
    read_hostnames(self, body);
}

/* --- ReferenceGrant ------------------------------------------------------------------------- */

/* The kind of route with that name; false for kinds that are none. */
static bool find_route_kind(const char *text, enum pin_kind *ret_kind)
{
    for (int kind = PIN_KIND_HTTP_ROUTE; kind <= PIN_KIND_TLS_ROUTE; kind++) {
        if (is_text(text, pin_kind_text((enum pin_kind)kind))) {
            *ret_kind = (enum pin_kind)kind;
            return true;
        }
    }
    return false;
}

static void read_from(struct pin_decoder *self, struct pin_grant_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "from");
    struct pin_grant_from *from =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*from));
    if (from == NULL) {
        return;
    }
    pin__decoder_enter(self, "spec.from");
    PIN_TREE_EACH(item, list)
    {
        const char *group = or_text(pin__decoder_peek(self, item, "group"), "");
        const char *kind = pin__decoder_peek(self, item, "kind");
        if (is_text(group, GATEWAY_GROUP) && find_route_kind(kind, &from[body->n_from].kind)) {
            from[body->n_from++].namespace_name = pin__decoder_name(self, item, "namespace");
        }
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->from = from;
}

static void read_to(struct pin_decoder *self, struct pin_grant_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "to");
    struct pin_grant_to *to =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*to));
    if (to == NULL) {
        return;
    }
    pin__decoder_enter(self, "spec.to");
    PIN_TREE_EACH(item, list)
    {
        const char *group = or_text(pin__decoder_peek(self, item, "group"), "");
        enum pin_backend_kind kind = backend_kind(group, pin__decoder_peek(self, item, "kind"));
        if (kind != PIN_BACKEND_OTHER) {
            to[body->n_to].kind = kind;
            to[body->n_to++].name = pin__decoder_text(self, item, "name");
        }
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->to = to;
}

void pin__decode_reference_grant(struct pin_decoder *self)
{
    struct pin_grant_body *body = &self->object->as.grant;
    read_from(self, body);
    read_to(self, body);
}
