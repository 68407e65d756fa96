/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Our entries of a route's status.parents (Gateway API v1): one for each parentRef to a Gateway of
 * a class of ours. The list has one owner by its schema, so an apply would take away what other
 * controllers say in it; a JSON patch at our entries' positions does not, and fails unless the
 * object is still the one that the positions are of.
 */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "zones/attach.h"
#include "zones/conditions.h"
#include "zones/exports.h"
#include "zones/writes.h"

#define PARENTS_MAX 32 /* By the schema, of spec and of status. */
#define CONDITIONS  3
#define RULES_BYTES 96

/* One entry as it should be. */
struct entry {
    const struct pin_parent_ref *ref;
    char key[PIN_WRITE_PARENT_KEY_MAX];
    struct pin_said said[CONDITIONS];
    size_t n_said;
};

/* One route on its way into a set. */
struct parents {
    struct pin_write_run *run;
    struct pin_route_unit *route;
    struct pin_said resolved; /* The same for all parents. */
    struct pin_jsonout json;
    struct pin_text body;
    size_t n_ops;
    bool is_kept[PARENTS_MAX]; /* By shown part: it stays, changed or not. */
};

/* --- backends ----------------------------------------------------------------------------------
 */

/* Whether what is referred to is there, as far as anybody can know. */
static bool is_there(const struct parents *p, const struct pin_backend_ref *ref)
{
    const struct pin_catalog *catalog = p->run->catalog;
    uint16_t cluster_id = p->route->cluster_id;
    const struct pin_service_unit *unit =
        pin_unit_find_service(catalog, ref->namespace_name, ref->name);
    const struct pin_member *member = unit != NULL ? pin_unit_member(unit, cluster_id) : NULL;
    switch (ref->kind) {
    case PIN_BACKEND_SERVICE:
        return member != NULL && member->service != NULL;
    case PIN_BACKEND_AWS_IMPORT:
        return member != NULL && member->aws_import != NULL;
    case PIN_BACKEND_IMPORT:
        for (size_t i = 0; unit != NULL && i < unit->n_members; i++) {
            if (unit->members[i].export_ != NULL || unit->members[i].import != NULL) {
                return true;
            }
        }
        return pin_exports_are_partial(catalog);
    case PIN_BACKEND_OTHER:
        break;
    }
    return false;
}

/* What is wrong with a reference; NULL: nothing. */
static const char *fault_of(const struct parents *p, const struct pin_backend_ref *ref)
{
    if (ref->kind == PIN_BACKEND_OTHER) {
        return "InvalidKind";
    }
    if (!pin_grants_permit(p->run->catalog, p->route, ref)) {
        return "RefNotPermitted";
    }
    return is_there(p, ref) ? NULL : "BackendNotFound";
}

/* The first reference that does not lead anywhere tells why. */
static void find_resolved(struct parents *p)
{
    const struct pin_route_body *body = &p->route->object->as.route;
    pin_say(&p->resolved, "ResolvedRefs", true, "ResolvedRefs", "all backends are there");
    for (size_t r = 0; r < body->n_rules; r++) {
        for (size_t b = 0; b < body->rules[r].n_backends; b++) {
            const struct pin_backend_ref *ref = &body->rules[r].backends[b];
            const char *fault = fault_of(p, ref);
            if (fault != NULL) {
                pin_say(&p->resolved, "ResolvedRefs", false, fault, "");
                (void)snprintf(p->resolved.message, sizeof(p->resolved.message),
                    "rule %zu, backend %zu: %s %s/%s %s", r + 1, b + 1, ref->kind_text,
                    ref->namespace_name, ref->name,
                    fault[0] == 'I'   ? "is of a kind that is not read"
                    : fault[0] == 'R' ? "is in another namespace, and no ReferenceGrant lets the "
                                        "route refer to it"
                                      : "is not there");
                return;
            }
        }
    }
}

void pin_writes_depend(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    const struct pin_route_body *body = &route->object->as.route;
    for (size_t r = 0; catalog->settings->writes.status && r < body->n_rules; r++) {
        for (size_t b = 0; b < body->rules[r].n_backends; b++) {
            const struct pin_backend_ref *ref = &body->rules[r].backends[b];
            struct pin_service_unit *unit =
                pin_unit_service(catalog, ref->namespace_name, ref->name);
            if (unit != NULL) {
                pin_unit_depend(route, &unit->subject);
            }
            (void)pin_grants_permit(catalog, route, ref);
        }
    }
}

/* --- entries -----------------------------------------------------------------------------------
 */

/* "1, 3": the rules that DNS cannot tell from others. Returns how many. */
static size_t list_dropped(const struct pin_route_body *body, char ret_text[RULES_BYTES])
{
    size_t n = 0;
    size_t at = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < body->n_rules; i++) {
        if (!body->rules[i].needs_l7) {
            continue;
        }
        n++;
        if (at + 8 < RULES_BYTES) {
            int bytes =
                snprintf(ret_text + at, RULES_BYTES - at, "%s%zu", at > 0 ? ", " : "", i + 1);
            at += bytes > 0 ? (size_t)bytes : 0;
        }
    }
    return n;
}

static void say_attached(const struct pin_route_body *body, struct entry *entry)
{
    char dropped[RULES_BYTES];
    size_t n_dropped = list_dropped(body, dropped);
    if (n_dropped > 0 && n_dropped == body->n_rules) {
        pin_say(&entry->said[0], "Accepted", false, "UnsupportedValue",
            "every rule matches paths, headers or methods, which DNS does not see");
        return;
    }
    pin_say(&entry->said[0], "Accepted", true, "Accepted", "its name is answered");
    if (n_dropped > 0) {
        struct pin_said *said = &entry->said[entry->n_said++];
        pin_say(said, "PartiallyInvalid", true, "UnsupportedValue", "");
        (void)snprintf(said->message, sizeof(said->message),
            "Dropped Rule %s: DNS does not see paths, headers or methods", dropped);
    }
}

static void find_entry(const struct parents *p, const struct pin_object *gateway,
    const struct pin_parent_ref *ref, struct entry *ret)
{
    static const struct {
        const char *reason;
        const char *message;
    } faults[] = {
        [PIN_ATTACH_NO_PARENT] = {"NoMatchingParent", "no listener has that name and port"},
        [PIN_ATTACH_NOT_ALLOWED] = {"NotAllowedByListeners",
            "no listener takes routes of that kind from that namespace"},
        [PIN_ATTACH_NO_HOSTNAME] = {"NoMatchingListenerHostname",
            "no listener has a host name in common with the route"},
    };
    const struct pin_object *route = p->route->object;
    enum pin_attach attach =
        pin_attach_route(p->run->catalog, p->route->cluster_id, gateway, route, ref);
    ret->ref = ref;
    ret->n_said = 2;
    ret->said[1] = p->resolved;
    if (attach == PIN_ATTACH_OK) {
        say_attached(&route->as.route, ret);
    } else {
        pin_say(&ret->said[0], "Accepted", false, faults[attach].reason, faults[attach].message);
    }
    for (size_t i = 0; i < ret->n_said; i++) {
        ret->said[i].generation = route->written->generation;
    }
    struct pin_text key = {0};
    pin_write_put_parent_key(&key, ref->has_namespace ? ref->namespace_name : "", ref->name,
        ref->section != NULL ? ref->section : "", ref->port);
    (void)snprintf(ret->key, sizeof(ret->key), "%s", pin_text_get(&key));
    p->run->has_failed = p->run->has_failed || key.failed;
    pin_text_done(&key);
}

static void put_entry(
    struct parents *p, const struct entry *entry, const struct pin_status_part *part)
{
    const struct pin_parent_ref *ref = entry->ref;
    struct pin_jsonout *json = &p->json;
    const struct pin_shown shown = {
        part != NULL ? part->conditions : NULL, part != NULL ? part->n_conditions : 0};
    pin_jsonout_object(json);
    pin_jsonout_key(json, "parentRef");
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "group", PIN_WRITE_GATEWAY_GROUP);
    pin_jsonout_key_string(json, "kind", pin_kind_text(PIN_KIND_GATEWAY));
    if (ref->has_namespace) {
        pin_jsonout_key_string(json, "namespace", ref->namespace_name);
    }
    pin_jsonout_key_string(json, "name", ref->name);
    if (ref->section != NULL) {
        pin_jsonout_key_string(json, "sectionName", ref->section);
    }
    if (ref->port != 0) {
        pin_jsonout_key_uint(json, "port", ref->port);
    }
    pin_jsonout_end(json);
    pin_jsonout_key_string(json, "controllerName", PIN_WRITE_CONTROLLER);
    pin_said_put(json, &shown, entry->said, entry->n_said, p->run->wall_ms);
    pin_jsonout_end(json);
}

/* --- the patch ---------------------------------------------------------------------------------
 */

/* Opens one operation on a path below the list, before its value. */
static void begin_op(struct parents *p, const char *op, int position)
{
    char path[64];
    if (position < 0) {
        (void)snprintf(path, sizeof(path), "/status/parents/-");
    } else {
        (void)snprintf(path, sizeof(path), "/status/parents/%d", position);
    }
    pin_jsonout_object(&p->json);
    pin_jsonout_key_string(&p->json, "op", op);
    pin_jsonout_key_string(&p->json, "path", path);
    p->n_ops++;
}

/* The list itself, where there is none yet. */
static void put_list(struct parents *p)
{
    pin_jsonout_object(&p->json);
    pin_jsonout_key_string(&p->json, "op", "add");
    pin_jsonout_key_string(&p->json, "path", "/status");
    pin_jsonout_key(&p->json, "value");
    pin_jsonout_object(&p->json);
    pin_jsonout_key(&p->json, "parents");
    pin_jsonout_array(&p->json);
    pin_jsonout_end(&p->json);
    pin_jsonout_end(&p->json);
    pin_jsonout_end(&p->json);
}

static const struct pin_status_part *find_part(struct parents *p, const char *key)
{
    const struct pin_written *written = p->route->object->written;
    for (size_t i = 0; i < written->n_parts && i < PARENTS_MAX; i++) {
        if (!p->is_kept[i] && strcmp(written->parts[i].key, key) == 0) {
            p->is_kept[i] = true;
            return &written->parts[i];
        }
    }
    return NULL;
}

/* Changes the entry where it stands, or adds it; `adds`: which of both is looked for. */
static void settle_entry(struct parents *p, const struct entry *entry, bool adds)
{
    const struct pin_status_part *part = adds ? NULL : find_part(p, entry->key);
    const struct pin_shown shown = {
        part != NULL ? part->conditions : NULL, part != NULL ? part->n_conditions : 0};
    if (!adds
        && (part == NULL
            || (shown.n == entry->n_said
                && pin_said_are_shown(&shown, entry->said, entry->n_said)))) {
        return;
    }
    begin_op(p, adds ? "add" : "replace", adds ? -1 : part->position);
    pin_jsonout_key(&p->json, "value");
    put_entry(p, entry, part);
    pin_jsonout_end(&p->json);
}

static bool has_part(const struct pin_written *written, const char *key)
{
    for (size_t i = 0; i < written->n_parts; i++) {
        if (strcmp(written->parts[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* Goes through the parentRefs to Gateways of ours. */
static void settle_refs(struct parents *p, bool adds)
{
    const struct pin_object *object = p->route->object;
    const struct pin_route_body *body = &object->as.route;
    for (size_t i = 0; i < body->n_parents && i < PARENTS_MAX; i++) {
        const struct pin_parent_ref *ref = &body->parents[i];
        const struct pin_object *gateway = pin_catalog_find(p->run->catalog, p->route->cluster_id,
            PIN_KIND_GATEWAY, ref->namespace_name, ref->name);
        struct entry entry;
        if (gateway == NULL
            || pin_attach_class(p->run->catalog, p->route->cluster_id, gateway) != PIN_CLASS_OURS) {
            continue;
        }
        find_entry(p, gateway, ref, &entry);
        p->run->n_wanted += adds ? 1 : 0;
        if (!adds || !has_part(object->written, entry.key)) {
            settle_entry(p, &entry, adds);
        }
    }
}

/* From the last one on, so that positions stay true. */
static void drop_others(struct parents *p)
{
    const struct pin_written *written = p->route->object->written;
    for (size_t i = PIN_MIN(written->n_parts, (size_t)PARENTS_MAX); i > 0; i--) {
        if (!p->is_kept[i - 1]) {
            begin_op(p, "remove", written->parts[i - 1].position);
            pin_jsonout_end(&p->json);
        }
    }
}

/* The patch is of the object as we know it: any other version is a conflict. */
static void put_version(struct parents *p)
{
    pin_jsonout_object(&p->json);
    pin_jsonout_key_string(&p->json, "op", "replace");
    pin_jsonout_key_string(&p->json, "path", "/metadata/resourceVersion");
    pin_jsonout_key_string(&p->json, "value", p->route->object->written->version);
    pin_jsonout_end(&p->json);
}

void pin_writes_parents(struct pin_write_run *run, struct pin_route_unit *route)
{
    const struct pin_written *written = route->object->written;
    struct parents p = {.run = run, .route = route};
    bool is_on = run->catalog->settings->writes.status;
    bool is_known =
        run->catalog->clusters[route->cluster_id].lists[PIN_KIND_GATEWAY_CLASS].round > 0;
    if (written->version == NULL || (is_on && !is_known) || (!is_on && written->n_parts == 0)) {
        return;
    }
    p.json = pin_jsonout_init(&p.body);
    pin_jsonout_array(&p.json);
    put_version(&p);
    if (!written->has_parents) {
        put_list(&p);
    }
    if (is_on) {
        find_resolved(&p);
        settle_refs(&p, false);
    }
    drop_others(&p);
    if (is_on) {
        settle_refs(&p, true);
    }
    pin_jsonout_end(&p.json);
    if (p.n_ops > 0) {
        (void)pin_writes_add(
            run, PIN_WRITE_PATCH_STATUS, route->cluster_id, route->object, &p.body);
    }
    pin_text_done(&p.body);
}
