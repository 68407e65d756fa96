/* SPDX-License-Identifier: Apache-2.0 */

/* Status of GatewayClasses that name us, and of their Gateways (Gateway API v1): we answer the
 * names of routes and are no proxy, so a Gateway has no address of its own. */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/macros.h"

#include "zones/attach.h"
#include "zones/conditions.h"
#include "zones/writes.h"

#define LISTENER_CONDITIONS 4
#define GATEWAY_CONDITIONS  2
#define KINDS_BYTES         64

/* One Gateway on its way into a set. */
struct status {
    struct pin_write_run *run;
    const struct pin_gateway_unit *unit;
    const struct pin_object *object;
    uint16_t cluster_id;
};

/* A listener's status as it should be. */
struct listener_status {
    struct pin_said said[LISTENER_CONDITIONS];
    char kinds[KINDS_BYTES]; /* "HTTPRoute,GRPCRoute" */
    uint32_t n_routes;
    bool is_good;
};

/* --- listeners ---------------------------------------------------------------------------------
 */

/* What of a port's traffic tells listeners apart; listeners of one group share a port. */
static int group_of(const struct pin_listener *listener)
{
    static const struct {
        const char *protocol;
        int group;
    } groups[] = {{"HTTP", 1}, {"HTTPS", 2}, {"TLS", 2}, {"TCP", 3}};
    for (size_t i = 0; listener->protocol != NULL && i < N_ELEMS(groups); i++) {
        if (strcmp(groups[i].protocol, listener->protocol) == 0) {
            return groups[i].group;
        }
    }
    return 0; /* UDP, and what nobody knows, is in nobody's way */
}

/* Whether another listener has the port for another protocol. */
static bool has_conflict(const struct pin_gateway_body *body, const struct pin_listener *listener)
{
    for (size_t i = 0; i < body->n_listeners; i++) {
        const struct pin_listener *other = &body->listeners[i];
        if (other->port == listener->port && group_of(other) != 0 && group_of(listener) != 0
            && group_of(other) != group_of(listener)) {
            return true;
        }
    }
    return false;
}

static uint32_t count_routes(const struct status *status, const struct pin_listener *listener)
{
    const struct pin_subject *subject = &status->unit->subject;
    uint32_t n = 0;
    for (size_t i = 0; i < subject->n_routes; i++) {
        const struct pin_object *route = subject->routes[i]->object;
        n += route != NULL
             && pin_attach_counts(
                 status->run->catalog, status->cluster_id, status->object, listener, route);
    }
    return n;
}

static void list_kinds(const bool kinds[PIN_ATTACH_KINDS], char ret_text[KINDS_BYTES])
{
    size_t at = 0;
    ret_text[0] = '\0';
    for (size_t k = 0; k < PIN_ATTACH_KINDS; k++) {
        if (kinds[k]) {
            int n = snprintf(ret_text + at, KINDS_BYTES - at, "%s%s", at > 0 ? "," : "",
                pin_kind_text((enum pin_kind)(PIN_KIND_HTTP_ROUTE + k)));
            at += n > 0 ? (size_t)n : 0;
        }
    }
}

static void find_listener_status(
    const struct status *status, const struct pin_listener *listener, struct listener_status *ret)
{
    bool kinds[PIN_ATTACH_KINDS];
    bool has_kinds = pin_attach_kinds(listener, kinds);
    bool is_known = pin_attach_has_protocol(listener);
    bool is_alone = !has_conflict(&status->object->as.gateway, listener);
    list_kinds(kinds, ret->kinds);
    ret->n_routes = count_routes(status, listener);
    ret->is_good = is_known && is_alone;
    pin_say(&ret->said[0], "Accepted", is_known, is_known ? "Accepted" : "UnsupportedProtocol",
        is_known ? "its routes are read" : "no route of that protocol is read");
    pin_say(&ret->said[1], "Conflicted", !is_alone, is_alone ? "NoConflicts" : "ProtocolConflict",
        is_alone ? "no other listener is in its way"
                 : "another listener has that port for another protocol");
    pin_say(&ret->said[2], "ResolvedRefs", has_kinds || !is_known,
        has_kinds || !is_known ? "ResolvedRefs" : "InvalidRouteKinds",
        has_kinds || !is_known ? "certificates are not looked at: connections go to the endpoints"
                               : "it asks for kinds of routes that its protocol does not carry, or "
                                 "that are not read");
    pin_say(&ret->said[3], "Programmed", ret->is_good && ret->kinds[0] != '\0',
        ret->is_good && ret->kinds[0] != '\0' ? "Programmed" : "Invalid",
        ret->is_good && ret->kinds[0] != '\0' ? "names of its routes are answered"
                                              : "see the other conditions");
    for (size_t i = 0; i < LISTENER_CONDITIONS; i++) {
        ret->said[i].generation = status->object->written->generation;
    }
}

static const struct pin_status_part *find_part(const struct pin_written *written, const char *name)
{
    for (size_t i = 0; i < written->n_parts; i++) {
        if (strcmp(written->parts[i].key, name) == 0) {
            return &written->parts[i];
        }
    }
    return NULL;
}

static struct pin_shown shown_of(const struct pin_status_part *part)
{
    return (struct pin_shown){
        part != NULL ? part->conditions : NULL, part != NULL ? part->n_conditions : 0};
}

static const char *name_of(const struct pin_listener *listener)
{
    return listener->name != NULL ? listener->name : "";
}

static bool is_listener_shown(const struct status *status, const struct pin_listener *listener)
{
    struct listener_status wanted;
    const struct pin_status_part *part = find_part(status->object->written, name_of(listener));
    struct pin_shown shown = shown_of(part);
    find_listener_status(status, listener, &wanted);
    return part != NULL && part->kinds != NULL && strcmp(part->kinds, wanted.kinds) == 0
           && part->n_routes == wanted.n_routes
           && pin_said_are_shown(&shown, wanted.said, LISTENER_CONDITIONS);
}

static void put_kinds(struct pin_jsonout *json, const char *kinds)
{
    pin_jsonout_key(json, "supportedKinds");
    pin_jsonout_array(json);
    while (kinds[0] != '\0') {
        char kind[KINDS_BYTES];
        size_t bytes = strcspn(kinds, ",");
        (void)snprintf(kind, sizeof(kind), "%.*s", (int)bytes, kinds);
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "group", PIN_WRITE_GATEWAY_GROUP);
        pin_jsonout_key_string(json, "kind", kind);
        pin_jsonout_end(json);
        kinds += bytes + (kinds[bytes] == ',');
    }
    pin_jsonout_end(json);
}

static void put_listener(
    const struct status *status, const struct pin_listener *listener, struct pin_jsonout *json)
{
    struct listener_status wanted;
    struct pin_shown shown = shown_of(find_part(status->object->written, name_of(listener)));
    find_listener_status(status, listener, &wanted);
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "name", name_of(listener));
    put_kinds(json, wanted.kinds);
    pin_jsonout_key_uint(json, "attachedRoutes", wanted.n_routes);
    pin_said_put(json, &shown, wanted.said, LISTENER_CONDITIONS, status->run->wall_ms);
    pin_jsonout_end(json);
}

/* --- Gateways ----------------------------------------------------------------------------------
 */

static void find_gateway_status(
    const struct status *status, struct pin_said ret_said[GATEWAY_CONDITIONS])
{
    const struct pin_gateway_body *body = &status->object->as.gateway;
    size_t n_good = 0;
    for (size_t i = 0; i < body->n_listeners; i++) {
        n_good += pin_attach_has_protocol(&body->listeners[i])
                  && !has_conflict(body, &body->listeners[i]);
    }
    bool is_whole = n_good == body->n_listeners;
    bool is_any = n_good > 0 || is_whole;
    pin_say(&ret_said[0], "Accepted", is_any, is_whole ? "Accepted" : "ListenersNotValid",
        is_whole ? "Pintle answers the names of its routes" : "see the conditions of listeners");
    pin_say(&ret_said[1], "Programmed", is_any, is_any ? "Programmed" : "Invalid",
        is_any ? "names of its routes are answered with the endpoints' addresses; there is no proxy"
               : "no listener can be used");
    for (size_t i = 0; i < GATEWAY_CONDITIONS; i++) {
        ret_said[i].generation = status->object->written->generation;
    }
}

static bool is_gateway_shown(const struct status *status, const struct pin_said *said)
{
    const struct pin_gateway_body *body = &status->object->as.gateway;
    const struct pin_written *written = status->object->written;
    const struct pin_shown shown = {written->conditions, written->n_conditions};
    bool is_shown = pin_said_are_shown(&shown, said, GATEWAY_CONDITIONS)
                    && written->n_parts == body->n_listeners;
    for (size_t i = 0; i < body->n_listeners && is_shown; i++) {
        is_shown = is_listener_shown(status, &body->listeners[i]);
    }
    return is_shown;
}

/* Whether a controller has said something: the API's own defaults are "Unknown". */
static bool is_said(const struct pin_written *written)
{
    for (size_t i = 0; i < written->n_conditions; i++) {
        if (strcmp(written->conditions[i].status, "Unknown") != 0) {
            return true;
        }
    }
    return written->n_parts > 0;
}

/* Opens a body up to its status. */
static struct pin_jsonout begin(struct pin_text *body, const struct pin_object *object)
{
    struct pin_jsonout json = pin_jsonout_init(body);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "metadata");
    pin_jsonout_object(&json);
    pin_writes_put_key(&json, object);
    pin_jsonout_end(&json);
    pin_jsonout_key(&json, "status");
    pin_jsonout_object(&json);
    return json;
}

static void end(const struct status *status, struct pin_jsonout *json, struct pin_text *body)
{
    pin_jsonout_end(json);
    pin_jsonout_end(json);
    (void)pin_writes_add(
        status->run, PIN_WRITE_APPLY_STATUS, status->cluster_id, status->object, body);
    pin_text_done(body);
}

/* What we had is let go of. */
static void take_away(const struct status *status)
{
    struct pin_text body = {0};
    struct pin_jsonout json = begin(&body, status->object);
    end(status, &json, &body);
}

void pin_writes_gateway(
    struct pin_write_run *run, uint16_t cluster_id, const struct pin_gateway_unit *unit)
{
    const struct status status = {run, unit, unit->object, cluster_id};
    const struct pin_written *written = unit->object->written;
    struct pin_said said[GATEWAY_CONDITIONS];
    if (!pin_writes_may(run->catalog, cluster_id) || written == NULL || written->uid == NULL
        || pin_attach_class(run->catalog, cluster_id, unit->object) != PIN_CLASS_OURS) {
        return;
    }
    if (!run->catalog->settings->writes.status) {
        if (is_said(written)) {
            take_away(&status);
        }
        return;
    }
    run->n_wanted++;
    find_gateway_status(&status, said);
    if (is_gateway_shown(&status, said)) {
        return;
    }
    const struct pin_gateway_body *body = &unit->object->as.gateway;
    const struct pin_shown shown = {written->conditions, written->n_conditions};
    struct pin_text text = {0};
    struct pin_jsonout json = begin(&text, unit->object);
    pin_said_put(&json, &shown, said, GATEWAY_CONDITIONS, run->wall_ms);
    pin_jsonout_key(&json, "listeners");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < body->n_listeners; i++) {
        put_listener(&status, &body->listeners[i], &json);
    }
    pin_jsonout_end(&json);
    end(&status, &json, &text);
}

/* --- classes -----------------------------------------------------------------------------------
 */

void pin_writes_class(
    struct pin_write_run *run, uint16_t cluster_id, const struct pin_object *gateway_class)
{
    const struct status status = {.run = run, .object = gateway_class, .cluster_id = cluster_id};
    const struct pin_written *written = gateway_class->written;
    struct pin_said said;
    if (!pin_writes_may(run->catalog, cluster_id) || written == NULL || written->uid == NULL
        || !pin_attach_is_ours(gateway_class)) {
        return;
    }
    if (!run->catalog->settings->writes.status) {
        if (is_said(written)) {
            take_away(&status);
        }
        return;
    }
    run->n_wanted++;
    bool is_good = !gateway_class->as.gateway_class.has_parameters;
    const struct pin_shown shown = {written->conditions, written->n_conditions};
    pin_say(&said, "Accepted", is_good, is_good ? "Accepted" : "InvalidParameters",
        is_good ? "Pintle answers the names of routes of its Gateways"
                : "parametersRef is not read: leave it out");
    said.generation = written->generation;
    if (!pin_said_are_shown(&shown, &said, 1)) {
        struct pin_text body = {0};
        struct pin_jsonout json = begin(&body, gateway_class);
        pin_said_put(&json, &shown, &said, 1, run->wall_ms);
        end(&status, &json, &body);
    }
}
