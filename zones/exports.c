/* SPDX-License-Identifier: Apache-2.0 */

/* ServiceExports of one name over all clusters: order, type, ports, conflicts. */

#include "zones/exports.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

bool pin_exports_are_partial(const struct pin_catalog *catalog)
{
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        if (!catalog->clusters[i].is_synced || catalog->clusters[i].is_doubted) {
            return true;
        }
    }
    return false;
}

static bool is_older(
    const struct pin_catalog *catalog, const struct pin_member *a, const struct pin_member *b)
{
    if (a->export_->created_s != b->export_->created_s) {
        return a->export_->created_s < b->export_->created_s;
    }
    return strcmp(catalog->settings->clusters[a->cluster_id].name,
               catalog->settings->clusters[b->cluster_id].name)
           < 0;
}

static bool is_valid(const struct pin_member *member)
{
    return member->export_ != NULL && member->service != NULL
           && member->service->as.service.external_name == NULL;
}

static bool is_same_port(const struct pin_port *a, const struct pin_port *b)
{
    return a->port == b->port && a->protocol == b->protocol && pin_is_same_text(a->name, b->name)
           && pin_is_same_text(a->app_protocol, b->app_protocol);
}

/* Whether a Service can have the port beside those it has: names and numbers stand once, and of
 * several ports each has a name. */
static bool fits(const struct pin_exports *exports, const struct pin_port *port)
{
    for (size_t i = 0; i < exports->n_ports; i++) {
        const struct pin_port *other = exports->ports[i];
        if (port->name == NULL || other->name == NULL || pin_is_same_text(port->name, other->name)
            || (port->port == other->port && port->protocol == other->protocol)) {
            return false;
        }
    }
    return exports->n_ports < PIN_EXPORT_PORTS_MAX;
}

static bool has_same_ports(const struct pin_service_body *a, const struct pin_service_body *b)
{
    for (size_t i = 0; i < a->n_ports; i++) {
        bool is_there = false;
        for (size_t j = 0; j < b->n_ports && !is_there; j++) {
            is_there = is_same_port(&a->ports[i], &b->ports[j]);
        }
        if (!is_there) {
            return false;
        }
    }
    return a->n_ports == b->n_ports;
}

static void add_ports(struct pin_exports *exports, const struct pin_service_body *body)
{
    for (size_t i = 0; i < body->n_ports; i++) {
        if (fits(exports, &body->ports[i])) {
            exports->ports[exports->n_ports++] = &body->ports[i];
        }
    }
}

/* The families of the oldest: of its ClusterIPs, of a headless one's slices. */
static void find_families(struct pin_exports *exports, const struct pin_member *oldest)
{
    const struct pin_service_body *body = &oldest->service->as.service;
    for (size_t i = 0; i < body->n_cluster_ips; i++) {
        exports->has_family[body->cluster_ips[i].family == 6] = true;
    }
}

void pin_exports_collect(
    struct pin_catalog *catalog, const struct pin_service_unit *unit, struct pin_exports *ret)
{
    ret->unit = unit;
    ret->n_members = 0;
    ret->n_ports = 0;
    ret->conflicts = 0;
    ret->is_headless = false;
    ret->client_ip_affinity = false;
    ret->has_family[0] = false;
    ret->has_family[1] = false;
    for (size_t i = 0; unit != NULL && i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        if (!is_valid(member)) {
            continue;
        }
        size_t at = ret->n_members++;
        while (at > 0 && is_older(catalog, member, ret->members[at - 1])) {
            ret->members[at] = ret->members[at - 1];
            at--;
        }
        ret->members[at] = member;
    }
    for (size_t i = 0; i < ret->n_members; i++) {
        const struct pin_service_body *body = &ret->members[i]->service->as.service;
        const struct pin_service_body *oldest = &ret->members[0]->service->as.service;
        add_ports(ret, body);
        ret->conflicts |= has_same_ports(body, oldest) ? 0 : PIN_CONFLICT_PORTS;
        ret->conflicts |= body->is_headless == oldest->is_headless ? 0 : PIN_CONFLICT_TYPE;
        ret->conflicts |=
            body->client_ip_affinity == oldest->client_ip_affinity ? 0 : PIN_CONFLICT_AFFINITY;
    }
    if (ret->n_members > 0) {
        ret->is_headless = ret->members[0]->service->as.service.is_headless;
        ret->client_ip_affinity = ret->members[0]->service->as.service.client_ip_affinity;
        find_families(ret, ret->members[0]);
    }
}

/* --- what we wrote ---------------------------------------------------------------------------- */

bool pin_exports_import_counts(const struct pin_settings *settings, const struct pin_object *import)
{
    const char *at = import->written != NULL ? import->written->exporters : NULL;
    if (at == NULL) {
        return true;
    }
    while (at[0] != '\0') {
        char name[64];
        size_t bytes = strcspn(at, ",");
        (void)snprintf(name, sizeof(name), "%.*s", (int)PIN_MIN(bytes, sizeof(name) - 1), at);
        if (pin_settings_cluster(settings, name) == PIN_CLUSTER_NONE) {
            return true;
        }
        at += bytes + (at[bytes] == ',');
    }
    return false;
}

/* A text copied into the object; false when memory is out. */
static bool copy(struct pin_object *object, const char *text, const char **ret)
{
    *ret = text == NULL ? NULL : pin_object_text(object, text, strlen(text));
    return text == NULL || *ret != NULL;
}

static struct pin_object *make_stub(const struct pin_object *object)
{
    struct pin_object *stub = pin_object_new(object->kind, sizeof(struct pin_written) + 256);
    struct pin_written *written = stub != NULL ? pin_object_alloc(stub, sizeof(*written)) : NULL;
    if (written == NULL) {
        pin_object_free(stub);
        return NULL;
    }
    struct pin_slice_body *body = &stub->as.slice;
    written->applied = object->written->applied;
    stub->written = written;
    stub->created_s = object->created_s;
    body->family = object->as.slice.family;
    bool is_ok = copy(stub, object->written->uid, &written->uid)
                 && pin_object_set_names(stub, object->namespace_name, object->name)
                 && copy(stub, object->as.slice.import_service, &body->import_service)
                 && copy(stub, object->as.slice.source_cluster, &body->source_cluster);
    if (!is_ok) {
        pin_object_free(stub);
        return NULL;
    }
    return stub;
}

/* An export that nobody writes to: that it is there is what counts, and since when. */
static struct pin_object *make_bare_export(const struct pin_object *object)
{
    size_t bytes = strlen(object->namespace_name) + strlen(object->name) + 2;
    struct pin_object *bare = pin_object_new(object->kind, bytes);
    if (bare == NULL || !pin_object_set_names(bare, object->namespace_name, object->name)) {
        pin_object_free(bare);
        return NULL;
    }
    bare->created_s = object->created_s;
    bare->trigger_wall_ms = object->trigger_wall_ms;
    return bare;
}

static bool is_bare_export(const struct pin_settings *settings, const struct pin_object *object)
{
    return object->kind == PIN_KIND_SERVICE_EXPORT && object->written != NULL
           && object->written->asks == NULL && object->steering == &pin_steering_unset
           && !pin_write_is_on(&settings->writes);
}

static bool is_our_slice(const struct pin_settings *settings, const struct pin_object *object)
{
    return object->kind == PIN_KIND_ENDPOINT_SLICE && object->written != NULL
           && object->as.slice.import_service != NULL && object->as.slice.source_cluster != NULL
           && pin_settings_cluster(settings, object->as.slice.source_cluster) != PIN_CLUSTER_NONE;
}

struct pin_object *pin_exports_trim(const struct pin_settings *settings, struct pin_object *object)
{
    struct pin_object *stub = is_our_slice(settings, object)     ? make_stub(object)
                              : is_bare_export(settings, object) ? make_bare_export(object)
                                                                 : NULL;
    if (stub == NULL) {
        return object;
    }
    pin_object_free(object);
    return stub;
}
