/* SPDX-License-Identifier: Apache-2.0 */

/* Which ports a route's name has: those of its backends, narrowed by references and exports. */

#include <string.h>

#include "pintle/base/compare.h"

#include "zones/steer_address.h"

static bool has_number(const uint16_t *ports, size_t n_ports, uint16_t port)
{
    for (size_t i = 0; i < n_ports; i++) {
        if (ports[i] == port) {
            return true;
        }
    }
    return false;
}

/* Whether the Service behind a contribution has one of the ports. */
static bool has_any(const struct pin_contribution *c, const uint16_t *ports, size_t n_ports)
{
    for (size_t i = 0; c->service != NULL && i < c->service->as.service.n_ports; i++) {
        if (has_number(ports, n_ports, c->service->as.service.ports[i].port)) {
            return true;
        }
    }
    return false;
}

void pin_steer_narrow(
    const struct pin_facts *facts, const uint16_t *ports, size_t n_ports, bool is_strict)
{
    for (size_t i = 0; i < facts->n_contributions; i++) {
        struct pin_contribution *c = &facts->contributions[i];
        c->is_backend = true;
        if (n_ports > 0 && (is_strict || has_any(c, ports, n_ports))) {
            c->only_ports = ports;
            c->n_only_ports = n_ports;
        }
    }
}

bool pin_steer_reaches(const struct pin_contribution *c, const struct pin_port *port)
{
    return c->only_ports == NULL || has_number(c->only_ports, c->n_only_ports, port->port);
}

/* The one of that name; else the only one there is, whatever its name. */
const struct pin_port *pin_steer_backend_port(
    const struct pin_contribution *c, const struct pin_port *port)
{
    const struct pin_service_body *service = &c->service->as.service;
    const struct pin_port *only = NULL;
    size_t n_reached = 0;
    for (size_t i = 0; i < service->n_ports; i++) {
        const struct pin_port *own = &service->ports[i];
        if (!pin_steer_reaches(c, own)) {
            continue;
        }
        if (own->protocol == port->protocol && pin_is_same_text(own->name, port->name)) {
            return own;
        }
        only = own;
        n_reached++;
    }
    return n_reached == 1 && only->protocol == port->protocol ? only : NULL;
}

/* Orders ports by name, protocol, and, unnamed ones, by number: the order in which clusters or
 * backends come must not show. */
static int compare_ports(const struct pin_port *a, const struct pin_port *b)
{
    if (a->name == NULL || b->name == NULL) {
        int order = (a->name != NULL) - (b->name != NULL);
        order = order != 0 ? order : (a->port > b->port) - (a->port < b->port);
        return order != 0 ? order : (int)a->protocol - (int)b->protocol;
    }
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (int)a->protocol - (int)b->protocol;
}

/* Where the port stands, or is to stand. */
static size_t place_of(const struct pin_plan *plan, const struct pin_port *port)
{
    size_t from = 0;
    size_t to = plan->n_ports;
    while (from < to) {
        size_t at = from + (to - from) / 2;
        bool is_before = compare_ports(plan->ports[at], port) < 0;
        from = is_before ? at + 1 : from;
        to = is_before ? to : at;
    }
    return from;
}

/* Of too many the last in that order goes, whichever came first. */
void pin_steer_add_port(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_port *port)
{
    size_t at = place_of(plan, port);
    bool is_there = at < plan->n_ports && compare_ports(plan->ports[at], port) == 0;
    if (is_there || at == PIN_PORTS_MAX) {
        return;
    }
    const struct pin_port **ports =
        pin_steer_grow(steer, plan->ports, plan->n_ports, &plan->cap_ports, sizeof(*ports));
    if (ports == NULL) {
        plan->is_out_of_memory = true;
        return;
    }
    plan->n_ports -= plan->n_ports == PIN_PORTS_MAX;
    memmove(&ports[at + 1], &ports[at], (plan->n_ports - at) * sizeof(*ports));
    ports[at] = port;
    plan->ports = ports;
    plan->n_ports++;
}

/* Slices that were imported have their ports themselves. */
static void add_imported_ports(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c)
{
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        if (c->n_ready[f] == 0) {
            continue;
        }
        const struct pin_slice_body *slice = &c->ready[f][0].slice->as.slice;
        for (size_t i = 0; i < slice->n_ports; i++) {
            pin_steer_add_port(steer, plan, &slice->ports[i]);
        }
    }
}

void pin_steer_add_backend_ports(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c)
{
    if (c->service == NULL) {
        add_imported_ports(steer, plan, c);
        return;
    }
    const struct pin_service_body *service = &c->service->as.service;
    for (size_t i = 0; i < service->n_ports; i++) {
        if (pin_steer_reaches(c, &service->ports[i])) {
            pin_steer_add_port(steer, plan, &service->ports[i]);
        }
    }
}

void pin_steer_add_import_ports(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_import_body *import, uint16_t port)
{
    bool has_port = false;
    for (size_t i = 0; i < import->n_ports; i++) {
        has_port = has_port || import->ports[i].port == port;
    }
    for (size_t i = 0; i < import->n_ports; i++) {
        if (!has_port || import->ports[i].port == port) {
            pin_steer_add_port(steer, plan, &import->ports[i]);
        }
    }
}

void pin_steer_add_listeners(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_gateway_body *gateway, const char *section)
{
    for (size_t i = 0; i < gateway->n_listeners; i++) {
        const struct pin_listener *listener = &gateway->listeners[i];
        bool is_meant = section == NULL || pin_is_same_text(section, listener->name);
        struct pin_port *port =
            is_meant && listener->port != 0 ? pin_arena_alloc(steer->arena, sizeof(*port)) : NULL;
        if (port == NULL) {
            continue;
        }
        *port = (struct pin_port){.name = listener->name,
            .app_protocol = pin_is_same_text(listener->protocol, "HTTPS") ? "https"
                            : pin_is_same_text(listener->protocol, "TLS") ? "tls"
                                                                          : NULL,
            .port = listener->port,
            .target_port = listener->port,
            .protocol =
                pin_is_same_text(listener->protocol, "UDP") ? PIN_PROTOCOL_UDP : PIN_PROTOCOL_TCP};
        pin_steer_add_port(steer, plan, port);
    }
}
