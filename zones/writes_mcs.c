/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the clusters should hold of one exported name (KEP-1645): in each that has its namespace a
 * ServiceImport, for ClusterSetIP a derived Service whose ClusterIP the import shows, and the
 * exporters' EndpointSlices, one for one, so that kube-proxy serves that address.
 *
 *     exports of all clusters -> import --ips-- derived Service <-service-name-- mirrored slices
 */

#include <stdio.h>
#include <string.h>

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/zones/slice.h"

#include "zones/drains.h"
#include "zones/exports.h"
#include "zones/lists.h"
#include "zones/objects.h"
#include "zones/writes.h"

#define HASH_DIGITS    16
#define NAME_DIGITS    10
#define NAME_BYTES     128
#define PREFIX_BYTES   (NAME_BYTES - 2 - NAME_DIGITS)
#define EXPORTER_BYTES 64
#define ENDPOINTS_MAX  1000u /* Of one slice, by the API. */
#define NO_HASH        "0000000000000000"
#define MANAGED_BY     "app.kubernetes.io/managed-by"
#define SLICE_MANAGER  "endpointslice.kubernetes.io/managed-by"
#define SERVICE_LABEL  "kubernetes.io/service-name"
#define MCS_LABEL      "multicluster.kubernetes.io/service-name"
#define SOURCE_LABEL   "multicluster.kubernetes.io/source-cluster"

/* One name on its way into a set. */
struct mcs {
    struct pin_write_run *run;
    const char *namespace_name;
    const char *name;
    char derived[NAME_BYTES]; /* name of the derived Service */
    const struct pin_service_unit *derived_unit;
    struct pin_exports *exports;
    struct pin_map sources; /* names of mirrored slices that have a source */
    bool is_partial;        /* of some cluster nobody knows what it has */
    bool is_on;
};

/* --- names and hashes --------------------------------------------------------------------------
 */

/* `prefix` and the first digits of the hash of `text`; a long prefix is cut, the hash never. */
static void hashed_name(const char *prefix, const char *text, char ret_name[NAME_BYTES])
{
    uint8_t digest[PIN_SHA256_BYTES];
    char hex[2 * PIN_SHA256_BYTES + 1];
    pin_sha256(text, strlen(text), digest);
    pin_hex_encode(digest, sizeof(digest), hex);
    size_t bytes = PIN_MIN(strlen(prefix), (size_t)PREFIX_BYTES);
    while (bytes > 0 && (prefix[bytes - 1] == '.' || prefix[bytes - 1] == '-')) {
        bytes--; /* no label of a name ends with either */
    }
    (void)snprintf(ret_name, NAME_BYTES, "%.*s-%.*s", (int)bytes, prefix, NAME_DIGITS, hex);
}

static void mirrored_name(const struct mcs *m, const char *cluster, const struct pin_object *slice,
    char ret_name[NAME_BYTES])
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "%s/%s/%s/%u", cluster, slice->namespace_name, slice->name,
        slice->as.slice.family);
    hashed_name(m->name, text, ret_name);
}

/* Fills the annotation in that was written as NO_HASH. Returns what it stands for. */
static uint64_t stamp(struct pin_text *body)
{
    uint8_t digest[PIN_SHA256_BYTES];
    char hex[2 * PIN_SHA256_BYTES + 1];
    uint64_t value = 0;
    char *at = body->failed ? NULL : strstr(body->ptr, NO_HASH);
    if (at == NULL) {
        return 0;
    }
    pin_sha256(body->ptr, body->len, digest);
    digest[0] |= 0x80; /* never 0, which would say that it is not ours */
    for (size_t i = 0; i < HASH_DIGITS / 2; i++) {
        value = value << 8 | digest[i];
    }
    pin_hex_encode(digest, HASH_DIGITS / 2, hex);
    memcpy(at, hex, HASH_DIGITS);
    return value;
}

static bool is_ours(const struct pin_object *object)
{
    return object != NULL && object->written != NULL && object->written->applied != 0;
}

/* --- bodies ------------------------------------------------------------------------------------
 */

static const char *protocol_text(enum pin_protocol protocol)
{
    return protocol == PIN_PROTOCOL_UDP ? "UDP" : protocol == PIN_PROTOCOL_SCTP ? "SCTP" : "TCP";
}

/* Opens the body: metadata with labels and annotations. */
static void begin(const struct mcs *m, struct pin_jsonout *json, const char *name,
    const char *manager_label, const char *exporters)
{
    pin_jsonout_object(json);
    pin_jsonout_key(json, "metadata");
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "name", name);
    pin_jsonout_key_string(json, "namespace", m->namespace_name);
    pin_jsonout_key(json, "annotations");
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, PIN_WRITE_APPLIED, NO_HASH);
    if (exporters != NULL) {
        pin_jsonout_key_string(json, PIN_WRITE_EXPORTERS, exporters);
    }
    pin_jsonout_end(json);
    pin_jsonout_key(json, "labels"); /* left open for more */
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, manager_label, PIN_WRITE_MANAGER);
}

static void put_ports(struct pin_jsonout *json, const struct pin_exports *exports)
{
    pin_jsonout_key(json, "ports");
    pin_jsonout_array(json);
    for (size_t i = 0; i < exports->n_ports; i++) {
        const struct pin_port *port = exports->ports[i];
        pin_jsonout_object(json);
        if (port->name != NULL) {
            pin_jsonout_key_string(json, "name", port->name);
        }
        pin_jsonout_key_string(json, "protocol", protocol_text(port->protocol));
        if (port->app_protocol != NULL) {
            pin_jsonout_key_string(json, "appProtocol", port->app_protocol);
        }
        pin_jsonout_key_int(json, "port", port->port);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

static void put_ip(struct pin_jsonout *json, const struct pin_ip *ip)
{
    char text[PIN_IP_TEXT_MAX];
    pin_jsonout_string(json, pin_ip_format(ip, text));
}

/* "c1,c2", in order of age. */
static void put_exporters(const struct mcs *m, struct pin_text *out)
{
    for (size_t i = 0; i < m->exports->n_members; i++) {
        const struct pin_settings *settings = m->run->catalog->settings;
        pin_text_putf(out, "%s%s", i > 0 ? "," : "",
            settings->clusters[m->exports->members[i]->cluster_id].name);
    }
}

static void put_import(const struct mcs *m, const struct pin_object *derived, struct pin_text *body)
{
    struct pin_text exporters = {0};
    struct pin_jsonout json = pin_jsonout_init(body);
    const struct pin_exports *exports = m->exports;
    put_exporters(m, &exporters);
    begin(m, &json, m->name, MANAGED_BY, pin_text_get(&exporters));
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_jsonout_key(&json, "spec");
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "type", exports->is_headless ? "Headless" : "ClusterSetIP");
    put_ports(&json, exports);
    if (!exports->is_headless) {
        pin_jsonout_key_string(
            &json, "sessionAffinity", exports->client_ip_affinity ? "ClientIP" : "None");
    }
    if (!exports->is_headless && is_ours(derived)) {
        pin_jsonout_key(&json, "ips");
        pin_jsonout_array(&json);
        for (size_t i = 0; i < derived->as.service.n_cluster_ips; i++) {
            put_ip(&json, &derived->as.service.cluster_ips[i]);
        }
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    body->failed = body->failed || exporters.failed;
    pin_text_done(&exporters);
}

static void put_derived(const struct mcs *m, struct pin_text *body)
{
    struct pin_jsonout json = pin_jsonout_init(body);
    const struct pin_exports *exports = m->exports;
    bool is_dual = exports->has_family[0] && exports->has_family[1];
    begin(m, &json, m->derived, MANAGED_BY, NULL);
    pin_jsonout_key_string(&json, MCS_LABEL, m->name);
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_jsonout_key(&json, "spec");
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "type", "ClusterIP");
    pin_jsonout_key_string(&json, "ipFamilyPolicy", is_dual ? "PreferDualStack" : "SingleStack");
    if (!is_dual && exports->has_family[1]) {
        pin_jsonout_key(&json, "ipFamilies");
        pin_jsonout_array(&json);
        pin_jsonout_string(&json, "IPv6");
        pin_jsonout_end(&json);
    }
    pin_jsonout_key_string(
        &json, "sessionAffinity", exports->client_ip_affinity ? "ClientIP" : "None");
    put_ports(&json, exports);
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
}

static void put_slice_ports(struct pin_jsonout *json, const struct pin_slice_body *slice)
{
    pin_jsonout_key(json, "ports");
    pin_jsonout_array(json);
    for (size_t i = 0; i < slice->n_ports; i++) {
        const struct pin_port *port = &slice->ports[i];
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "name", port->name != NULL ? port->name : "");
        pin_jsonout_key_string(json, "protocol", protocol_text(port->protocol));
        if (port->app_protocol != NULL) {
            pin_jsonout_key_string(json, "appProtocol", port->app_protocol);
        }
        if (port->port != 0) {
            pin_jsonout_key_int(json, "port", port->port);
        }
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

static void put_endpoint(
    struct pin_jsonout *json, const struct pin_slice_body *slice, size_t row, bool is_drained)
{
    struct pin_ip ip = pin_slice_ip(slice, row);
    const char *hostname = pin_slice_hostname(slice, row);
    const char *zone = pin_slice_zone(slice, row);
    uint8_t flags = slice->flags[row];
    pin_jsonout_object(json);
    pin_jsonout_key(json, "addresses");
    pin_jsonout_array(json);
    put_ip(json, &ip);
    pin_jsonout_end(json);
    pin_jsonout_key(json, "conditions");
    pin_jsonout_object(json);
    pin_jsonout_key_bool(json, "ready", (flags & PIN_ENDPOINT_READY) != 0 && !is_drained);
    pin_jsonout_key_bool(json, "serving", (flags & PIN_ENDPOINT_SERVING) != 0 && !is_drained);
    pin_jsonout_key_bool(json, "terminating", (flags & PIN_ENDPOINT_TERMINATING) != 0);
    pin_jsonout_end(json);
    if (hostname != NULL) {
        pin_jsonout_key_string(json, "hostname", hostname);
    }
    if (zone != NULL) {
        pin_jsonout_key_string(json, "zone", zone);
    }
    pin_jsonout_end(json);
}

static void put_slice(const struct mcs *m, const struct pin_member *from,
    const struct pin_object *slice, const char *name, struct pin_text *body)
{
    const struct pin_slice_body *s = &slice->as.slice;
    const struct pin_drains *drains = &m->run->catalog->drains;
    struct pin_jsonout json = pin_jsonout_init(body);
    bool is_drained = pin_drains_member(drains, m->exports->unit, from->cluster_id) != NULL;
    begin(m, &json, name, SLICE_MANAGER, NULL);
    if (!m->exports->is_headless) {
        pin_jsonout_key_string(&json, SERVICE_LABEL, m->derived);
    }
    pin_jsonout_key_string(&json, MCS_LABEL, m->name);
    pin_jsonout_key_string(
        &json, SOURCE_LABEL, m->run->catalog->settings->clusters[from->cluster_id].name);
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_jsonout_key_string(&json, "addressType", s->family == 6 ? "IPv6" : "IPv4");
    put_slice_ports(&json, s);
    pin_jsonout_key(&json, "endpoints");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < s->n_endpoints && i < ENDPOINTS_MAX; i++) {
        put_endpoint(&json, s, i,
            is_drained || pin_drains_endpoint(drains, from->cluster_id, slice, i) != NULL);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
}

/* --- differences -------------------------------------------------------------------------------
 */

static bool has_namespace(const struct pin_catalog *catalog, uint16_t cluster_id, const char *name)
{
    return pin_objects_find(&catalog->clusters[cluster_id].objects[PIN_KIND_NAMESPACE], "", name)
           != NULL;
}

/* Applies the body unless the cluster shows just that. What is there and not ours stays. */
static void apply(const struct mcs *m, uint16_t cluster_id, const struct pin_object *like,
    const struct pin_object *shown, struct pin_text *body)
{
    uint64_t hash = stamp(body);
    m->run->n_wanted++;
    if (body->failed || hash == 0) {
        m->run->has_failed = true;
    } else if (shown == NULL || (is_ours(shown) && shown->written->applied != hash)) {
        (void)pin_writes_add(m->run, PIN_WRITE_APPLY, cluster_id, like, body);
    }
}

static void drop(const struct mcs *m, uint16_t cluster_id, const struct pin_object *shown)
{
    if (is_ours(shown)) {
        (void)pin_writes_add(m->run, PIN_WRITE_DELETE, cluster_id, shown, NULL);
    }
}

/* The slice of that name that the cluster shows. */
static const struct pin_object *find_slice(const struct pin_member *member, const char *name)
{
    for (size_t i = 0; member != NULL && i < member->n_slices; i++) {
        if (strcmp(pin_member_slices(member)[i]->name, name) == 0) {
            return pin_member_slices(member)[i];
        }
    }
    return NULL;
}

/* Whether a slice is one of the exporter's own. */
static bool is_source(const struct pin_object *slice)
{
    return slice->as.slice.import_service == NULL;
}

/* All slices of one exporter into all clusters: the body is the same everywhere. */
static void mirror(const struct mcs *m, const struct pin_member *from,
    const struct pin_object *slice, const bool *is_wanted)
{
    struct pin_text body = {0};
    char name[NAME_BYTES];
    const struct pin_settings *settings = m->run->catalog->settings;
    mirrored_name(m, settings->clusters[from->cluster_id].name, slice, name);
    put_slice(m, from, slice, name, &body);
    struct pin_object like = {
        .kind = PIN_KIND_ENDPOINT_SLICE, .namespace_name = m->namespace_name, .name = name};
    uint64_t hash = stamp(&body);
    m->run->has_failed = m->run->has_failed || body.failed || hash == 0;
    for (uint16_t i = 0; i < settings->n_clusters && !m->run->has_failed; i++) {
        const struct pin_object *shown =
            is_wanted[i] ? find_slice(pin_unit_member(m->exports->unit, i), name) : NULL;
        bool is_same = is_ours(shown) && shown->written->applied == hash;
        if (is_wanted[i] && !is_same && (shown == NULL || is_ours(shown))) {
            (void)pin_writes_add(m->run, PIN_WRITE_APPLY, i, &like, &body);
        }
    }
    pin_text_done(&body);
}

/* Notes the names that the exporters' slices have where they are mirrored. False: out of memory. */
static bool note_sources(struct mcs *m)
{
    static char here;
    for (size_t i = 0; i < m->exports->n_members; i++) {
        const struct pin_member *from = m->exports->members[i];
        const char *cluster = m->run->catalog->settings->clusters[from->cluster_id].name;
        for (size_t s = 0; s < from->n_slices; s++) {
            char name[NAME_BYTES];
            mirrored_name(m, cluster, pin_member_slices(from)[s], name);
            if (is_source(pin_member_slices(from)[s])
                && !pin_map_put(&m->sources, name, strlen(name), &here, NULL)) {
                return false;
            }
        }
    }
    return true;
}

/* Whether nobody knows what the cluster of that name has. */
static bool is_unknown(const struct mcs *m, const char *name)
{
    const struct pin_catalog *catalog = m->run->catalog;
    uint16_t id = name != NULL ? pin_settings_cluster(catalog->settings, name) : PIN_CLUSTER_NONE;
    return id != PIN_CLUSTER_NONE
           && (!catalog->clusters[id].is_synced || catalog->clusters[id].is_doubted);
}

/* Whether a mirrored slice still has its source. Of a cluster never listed, nobody knows. */
static bool has_source(const struct mcs *m, const struct pin_object *mirrored)
{
    return is_unknown(m, mirrored->as.slice.source_cluster)
           || pin_map_find(&m->sources, mirrored->name, strlen(mirrored->name)) != NULL;
}

/* Deletes mirrored slices that have no source any more; all of them where nothing is imported. */
static void drop_slices(const struct mcs *m, const struct pin_member *member, bool is_imported)
{
    for (size_t i = 0; i < member->n_slices; i++) {
        const struct pin_object *slice = pin_member_slices(member)[i];
        if (!is_source(slice) && (!is_imported || !has_source(m, slice))) {
            drop(m, member->cluster_id, slice);
        }
    }
}

/* Takes the next name of "c1,c2". False: there is none. */
static bool next_exporter(const char **at, char ret_name[EXPORTER_BYTES])
{
    size_t bytes = *at != NULL ? strcspn(*at, ",") : 0;
    if (bytes == 0) {
        return false;
    }
    (void)snprintf(
        ret_name, EXPORTER_BYTES, "%.*s", (int)PIN_MIN(bytes, (size_t)EXPORTER_BYTES - 1), *at);
    *at += bytes + ((*at)[bytes] == ',');
    return true;
}

/* Whether nobody knows what an exporter has that the import names: it stays as it is. */
static bool is_unsure(const struct mcs *m, const struct pin_object *import)
{
    char name[EXPORTER_BYTES];
    const char *at = is_ours(import) ? import->written->exporters : NULL;
    while (m->is_partial && next_exporter(&at, name)) {
        if (is_unknown(m, name)) {
            return true;
        }
    }
    return false;
}

/* --- first lists -------------------------------------------------------------------------------
 */

static bool is_exporter(const struct mcs *m, uint16_t cluster_id)
{
    for (size_t i = 0; i < m->exports->n_members; i++) {
        if (m->exports->members[i]->cluster_id == cluster_id) {
            return true;
        }
    }
    return false;
}

/* What another cluster was given because of this one is not there: for the first time that both
 * are known, its first lists may lie. */
static void doubt(const struct mcs *m, uint16_t cluster_id, uint16_t given_id)
{
    struct pin_catalog *catalog = m->run->catalog;
    if (cluster_id == PIN_CLUSTER_NONE || !catalog->clusters[cluster_id].is_fresh) {
        return;
    }
    uint32_t turn =
        PIN_MAX(catalog->clusters[cluster_id].synced_turn, catalog->clusters[given_id].synced_turn);
    if (turn > catalog->writes.looked_turn) {
        pin_lists_doubt(catalog, cluster_id);
    }
}

/* What one cluster was given because of exporters that do not have it any more. */
static void doubt_by(const struct mcs *m, const struct pin_member *member)
{
    const struct pin_settings *settings = m->run->catalog->settings;
    char name[EXPORTER_BYTES];
    const char *at = is_ours(member->import) ? member->import->written->exporters : NULL;
    while (next_exporter(&at, name)) {
        uint16_t id = pin_settings_cluster(settings, name);
        if (!is_exporter(m, id)) {
            doubt(m, id, member->cluster_id);
        }
    }
    for (size_t i = 0; i < member->n_slices; i++) {
        const struct pin_object *slice = pin_member_slices(member)[i];
        const char *source = slice->as.slice.source_cluster;
        if (!is_source(slice) && is_ours(slice) && source != NULL && !has_source(m, slice)) {
            doubt(m, pin_settings_cluster(settings, source), member->cluster_id);
        }
    }
}

/* Clusters whose first lists lack what others were given because of them. */
static void doubt_lists(const struct mcs *m)
{
    const struct pin_service_unit *unit = m->exports->unit;
    for (size_t i = 0; m->is_on && unit != NULL && i < unit->n_members; i++) {
        doubt_by(m, &unit->members[i]);
    }
}

static const struct pin_object *derived_of(const struct mcs *m, uint16_t cluster_id)
{
    const struct pin_member *member =
        m->derived_unit != NULL ? pin_unit_member(m->derived_unit, cluster_id) : NULL;
    return member != NULL ? member->service : NULL;
}

/* Import and derived Service of one cluster. */
static void apply_import(const struct mcs *m, uint16_t cluster_id, const struct pin_object *import)
{
    const struct pin_object *derived = derived_of(m, cluster_id);
    struct pin_text body = {0};
    struct pin_object like = {.namespace_name = m->namespace_name, .name = m->derived};
    if (m->exports->is_headless) {
        drop(m, cluster_id, derived);
    } else {
        like.kind = PIN_KIND_SERVICE;
        put_derived(m, &body);
        apply(m, cluster_id, &like, derived, &body);
    }
    pin_text_cut(&body, 0);
    like.kind = PIN_KIND_SERVICE_IMPORT;
    like.name = m->name;
    put_import(m, derived, &body);
    apply(m, cluster_id, &like, import, &body);
    pin_text_done(&body);
}

/* What one cluster should hold beside slices that come. True: it imports the name. */
static bool settle_cluster(const struct mcs *m, uint16_t cluster_id)
{
    const struct pin_catalog *catalog = m->run->catalog;
    const struct pin_member *member =
        m->exports->unit != NULL ? pin_unit_member(m->exports->unit, cluster_id) : NULL;
    const struct pin_object *import = member != NULL ? member->import : NULL;
    if (!pin_writes_may(catalog, cluster_id) || is_unsure(m, import)) {
        return false;
    }
    bool is_wanted = m->is_on && m->exports->n_members > 0
                     && has_namespace(catalog, cluster_id, m->namespace_name)
                     && (import == NULL || is_ours(import));
    if (is_wanted) {
        apply_import(m, cluster_id, import);
    } else if (!m->is_partial || !m->is_on) {
        drop(m, cluster_id, import);
        drop(m, cluster_id, derived_of(m, cluster_id));
    }
    if (member != NULL && (is_wanted || !m->is_partial || !m->is_on)) {
        drop_slices(m, member, is_wanted);
    }
    return is_wanted;
}

void pin_writes_mcs(struct pin_write_run *run, const char *namespace_name, const char *name)
{
    static struct pin_exports exports; /* the builder's thread alone; too large for its stack */
    static bool is_wanted[PIN_CLUSTERS_MAX];
    struct pin_catalog *catalog = run->catalog;
    struct mcs m = {.run = run,
        .namespace_name = namespace_name,
        .name = name,
        .exports = &exports,
        .is_on = catalog->settings->writes.mcs};
    char key[1024];
    (void)snprintf(key, sizeof(key), "%s/%s", namespace_name, name);
    hashed_name("derived", key, m.derived);
    m.derived_unit = pin_unit_find_service(catalog, namespace_name, m.derived);
    pin_exports_collect(catalog, pin_unit_find_service(catalog, namespace_name, name), &exports);
    run->has_failed = !note_sources(&m) || run->has_failed;
    doubt_lists(&m);
    m.is_partial = pin_exports_are_partial(catalog);
    for (uint16_t i = 0; i < catalog->settings->n_clusters && !run->has_failed; i++) {
        is_wanted[i] = settle_cluster(&m, i);
    }
    for (size_t i = 0; i < exports.n_members && !run->has_failed; i++) {
        const struct pin_member *from = exports.members[i];
        for (size_t s = 0; s < from->n_slices; s++) {
            if (is_source(pin_member_slices(from)[s])) {
                mirror(&m, from, pin_member_slices(from)[s], is_wanted);
            }
        }
    }
    pin_map_done(&m.sources, NULL);
    pin_writes_status(run, &exports);
}
