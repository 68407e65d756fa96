/* SPDX-License-Identifier: Apache-2.0 */

/* Routes and the listeners that take them, by the rules of the Gateway API. */

#include "zones/attach.h"

#include <string.h>
#include <strings.h>

#include "pintle/base/macros.h"
#include "pintle/zones/write.h"

/* The kinds that a protocol carries; UDPRoutes are not read. */
static const struct protocol {
    const char *name;
    bool kinds[PIN_ATTACH_KINDS]; /* HTTP, GRPC, TCP, TLS */
} protocols[] = {
    {"HTTP", {true, true, false, false}},
    {"HTTPS", {true, true, false, false}},
    {"TCP", {false, false, true, false}},
    {"TLS", {false, false, true, true}},
};

static const struct protocol *protocol_of(const struct pin_listener *listener)
{
    for (size_t i = 0; listener->protocol != NULL && i < N_ELEMS(protocols); i++) {
        if (strcmp(protocols[i].name, listener->protocol) == 0) {
            return &protocols[i];
        }
    }
    return NULL;
}

bool pin_attach_has_protocol(const struct pin_listener *listener)
{
    return protocol_of(listener) != NULL;
}

/* --- classes ---------------------------------------------------------------------------------- */

bool pin_attach_is_ours(const struct pin_object *gateway_class)
{
    const char *controller = gateway_class->as.gateway_class.controller;
    return controller != NULL && strcmp(controller, PIN_WRITE_CONTROLLER) == 0;
}

enum pin_class pin_attach_class(
    const struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *gateway)
{
    const char *name = gateway->as.gateway.class_name;
    if (catalog->clusters[cluster_id].lists[PIN_KIND_GATEWAY_CLASS].round == 0) {
        return PIN_CLASS_UNKNOWN;
    }
    const struct pin_object *gateway_class =
        name == NULL ? NULL
                     : pin_catalog_find(catalog, cluster_id, PIN_KIND_GATEWAY_CLASS, "", name);
    return gateway_class != NULL && pin_attach_is_ours(gateway_class) ? PIN_CLASS_OURS
                                                                      : PIN_CLASS_OTHERS;
}

/* --- kinds and namespaces --------------------------------------------------------------------- */

bool pin_attach_kinds(const struct pin_listener *listener, bool ret_kinds[PIN_ATTACH_KINDS])
{
    const struct protocol *protocol = protocol_of(listener);
    bool is_known = protocol != NULL;
    for (size_t k = 0; k < PIN_ATTACH_KINDS; k++) {
        ret_kinds[k] = protocol != NULL && listener->n_kinds == 0 && protocol->kinds[k];
    }
    for (size_t i = 0; i < listener->n_kinds; i++) {
        size_t k = 0;
        while (
            k < PIN_ATTACH_KINDS
            && strcmp(pin_kind_text((enum pin_kind)(PIN_KIND_HTTP_ROUTE + k)), listener->kinds[i])
                   != 0) {
            k++;
        }
        bool is_carried = protocol != NULL && k < PIN_ATTACH_KINDS && protocol->kinds[k];
        is_known = is_known && is_carried;
        if (is_carried) {
            ret_kinds[k] = true;
        }
    }
    return is_known;
}

/* The label's value; NULL: there is none of that key. */
static const char *find_label(const struct pin_namespace_body *body, const char *key)
{
    size_t bytes = strlen(key);
    for (size_t i = 0; i < body->n_labels; i++) {
        if (strncmp(body->labels[i], key, bytes) == 0 && body->labels[i][bytes] == '=') {
            return body->labels[i] + bytes + 1;
        }
    }
    return NULL;
}

static bool is_met(const struct pin_label_rule *rule, const struct pin_namespace_body *body)
{
    const char *value = find_label(body, rule->key);
    bool is_among = false;
    for (size_t i = 0; value != NULL && i < rule->n_values && !is_among; i++) {
        is_among = strcmp(value, rule->values[i]) == 0;
    }
    switch (rule->op) {
    case PIN_LABEL_IN:
        return is_among;
    case PIN_LABEL_NOT_IN:
        return !is_among; /* also where the label is missing */
    case PIN_LABEL_EXISTS:
        return value != NULL;
    case PIN_LABEL_NOT_EXISTS:
        return value == NULL;
    case PIN_LABEL_NEVER:
        break;
    }
    return false;
}

static bool is_selected(const struct pin_listener *listener, const struct pin_object *namespace_)
{
    for (size_t i = 0; namespace_ != NULL && i < listener->n_selector; i++) {
        if (!is_met(&listener->selector[i], &namespace_->as.namespace_)) {
            return false;
        }
    }
    return namespace_ != NULL;
}

static bool takes_namespace(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway, const struct pin_listener *listener, const char *name)
{
    switch (listener->from) {
    case PIN_ROUTES_SAME:
        return strcmp(gateway->namespace_name, name) == 0;
    case PIN_ROUTES_ALL:
        return true;
    case PIN_ROUTES_SELECTOR:
        return is_selected(
            listener, pin_catalog_find(catalog, cluster_id, PIN_KIND_NAMESPACE, "", name));
    case PIN_ROUTES_NONE:
        break;
    }
    return false;
}

static bool takes(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway, const struct pin_listener *listener,
    const struct pin_object *route)
{
    bool kinds[PIN_ATTACH_KINDS];
    (void)pin_attach_kinds(listener, kinds);
    return kinds[route->kind - PIN_KIND_HTTP_ROUTE]
           && takes_namespace(catalog, cluster_id, gateway, listener, route->namespace_name);
}

/* --- host names ------------------------------------------------------------------------------- */

/* Whether the name ends like that, with something in front of it. */
static bool ends_with(const char *name, const char *suffix)
{
    size_t name_bytes = strlen(name);
    size_t bytes = strlen(suffix);
    return name_bytes > bytes && strcasecmp(name + name_bytes - bytes, suffix) == 0;
}

/* "*.x" stands for all names below x. */
const char *pin_attach_common(const char *a, const char *b)
{
    bool is_wild_a = strncmp(a, "*.", 2) == 0;
    bool is_wild_b = strncmp(b, "*.", 2) == 0;
    if (strcasecmp(a, b) == 0 || (is_wild_a && ends_with(b, a + 1))) {
        return b;
    }
    return is_wild_b && ends_with(a, b + 1) ? a : NULL;
}

static bool has_hostname(const struct pin_listener *listener, const struct pin_object *route)
{
    const struct pin_route_body *body = &route->as.route;
    if (listener->hostname == NULL || listener->hostname[0] == '\0' || body->n_hostnames == 0) {
        return true;
    }
    for (size_t i = 0; i < body->n_hostnames; i++) {
        if (pin_attach_common(listener->hostname, body->hostnames[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* --- all of it -------------------------------------------------------------------------------- */

bool pin_attach_refers(const struct pin_parent_ref *ref, const struct pin_object *gateway)
{
    return strcmp(ref->name, gateway->name) == 0
           && strcmp(ref->namespace_name, gateway->namespace_name) == 0;
}

static bool is_meant(const struct pin_parent_ref *ref, const struct pin_listener *listener)
{
    bool is_section = ref->section == NULL
                      || (listener->name != NULL && strcmp(ref->section, listener->name) == 0);
    return is_section && (ref->port == 0 || ref->port == listener->port);
}

enum pin_attach pin_attach_route(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway, const struct pin_object *route,
    const struct pin_parent_ref *ref)
{
    const struct pin_gateway_body *body = &gateway->as.gateway;
    enum pin_attach best = PIN_ATTACH_NO_PARENT;
    for (size_t i = 0; i < body->n_listeners; i++) {
        const struct pin_listener *listener = &body->listeners[i];
        if (!is_meant(ref, listener)) {
            continue;
        }
        if (!takes(catalog, cluster_id, gateway, listener, route)) {
            best = best == PIN_ATTACH_NO_PARENT ? PIN_ATTACH_NOT_ALLOWED : best;
        } else if (!has_hostname(listener, route)) {
            best = PIN_ATTACH_NO_HOSTNAME;
        } else {
            return PIN_ATTACH_OK;
        }
    }
    return best;
}

bool pin_attach_counts(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway, const struct pin_listener *listener,
    const struct pin_object *route)
{
    const struct pin_route_body *body = &route->as.route;
    bool is_ref = false;
    for (size_t i = 0; i < body->n_parents && !is_ref; i++) {
        is_ref =
            pin_attach_refers(&body->parents[i], gateway) && is_meant(&body->parents[i], listener);
    }
    return is_ref && takes(catalog, cluster_id, gateway, listener, route);
}
