/* SPDX-License-Identifier: Apache-2.0 */

/*
 * EndpointSlices. There may be a million endpoints, so each is looked at twice only: a survey says
 * which columns there are and how large they get, then the rows are read.
 */

#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

#include "decoder.h"

#define LABEL_BYTES_MAX 63
#define HINTS_BYTES_MAX 512 /* 8 zones at most (API server's rule) */
/* Zones that are remembered to be found again; each slice has a few. */
#define ZONES_KNOWN_MAX 64u

/* Whose slice it is: the Service, the imported service, the cluster it was imported from. */
static const char *const slice_labels[] = {"kubernetes.io/service-name",
    "multicluster.kubernetes.io/service-name", "multicluster.kubernetes.io/source-cluster"};

/* --- Fields of an endpoint ------------------------------------------------------------------ */

/* What an endpoint has; NULL what it lacks. */
struct fields {
    const struct pin_tree *addresses;
    const struct pin_tree *conditions;
    const struct pin_tree *hints;
    const struct pin_tree *hostname;
    const struct pin_tree *target;
    const struct pin_tree *zone;
};

/* Where the field of that name is kept; NULL: it is none of ours. */
static const struct pin_tree **place_of(struct fields *fields, const char *key)
{
    switch (key[0]) {
    case 'a':
        return strcmp(key, "addresses") == 0 ? &fields->addresses : NULL;
    case 'c':
        return strcmp(key, "conditions") == 0 ? &fields->conditions : NULL;
    case 'h':
        return strcmp(key, "hostname") == 0 ? &fields->hostname
               : strcmp(key, "hints") == 0  ? &fields->hints
                                            : NULL;
    case 't':
        return strcmp(key, "targetRef") == 0 ? &fields->target : NULL;
    case 'z':
        return strcmp(key, "zone") == 0 ? &fields->zone : NULL;
    default:
        return NULL;
    }
}

/* One walk over the endpoint; of a field that stands twice the first counts. */
static struct fields find_fields(const struct pin_tree *endpoint)
{
    struct fields fields = {0};
    if (endpoint->kind != PIN_TREE_MAP) {
        return fields;
    }
    PIN_TREE_EACH(child, endpoint)
    {
        const struct pin_tree **place = place_of(&fields, child->key);
        if (place != NULL && *place == NULL) {
            *place = child;
        }
    }
    return fields;
}

/* The name of the Pod behind an endpoint; NULL: none, or none that a Pod can have. */
static const struct pin_tree *pod_of(const struct fields *fields)
{
    if (!pin_tree_text_is(pin_tree_find(fields->target, "kind"), "Pod")) {
        return NULL;
    }
    const struct pin_tree *name = pin_tree_find(fields->target, "name");
    bool is_name = name != NULL && name->kind == PIN_TREE_STRING && name->text_bytes > 0
                   && name->text_bytes < PIN_POD_NAME_MAX;
    return is_name ? name : NULL;
}

/* --- Zones ---------------------------------------------------------------------------------- */

/* The zones of a slice in the order in which they were first seen, the latest of them known. */
struct zone_set {
    const char *known[ZONES_KNOWN_MAX];
    size_t n;
};

/* The zone's position; set->n before the call: it was not known. */
static size_t zone_position(struct zone_set *set, const char *zone)
{
    size_t oldest = set->n > ZONES_KNOWN_MAX ? set->n - ZONES_KNOWN_MAX : 0;
    for (size_t i = oldest; i < set->n; i++) {
        if (strcmp(set->known[i % ZONES_KNOWN_MAX], zone) == 0) {
            return i;
        }
    }
    set->known[set->n % ZONES_KNOWN_MAX] = zone;
    return set->n++;
}

/* --- Survey --------------------------------------------------------------------------------- */

/* What a slice's endpoints need. */
struct survey {
    size_t n_rows;
    struct zone_set zones;
    size_t zone_bytes; /* Of their texts, as all below with the NUL of each. */
    size_t hostname_bytes;
    size_t hint_bytes; /* At most. */
    size_t n_pods;
    size_t pod_bytes;
    const char *pod; /* One of their names. */
    size_t prefix_bytes;
    bool has_hints;
};

/* Bytes of an endpoint's hints as read_hints() writes them; its own zone is there already. */
static size_t hint_bytes(const struct fields *fields, bool *has_hints)
{
    const char *zone = pin_tree_text(fields->zone, "");
    size_t bytes = 0;
    PIN_TREE_EACH(item, pin_tree_list(fields->hints, "forZones"))
    {
        const char *name = pin_tree_string(item, "name", "");
        bytes += strcmp(name, zone) == 0 ? 0 : strlen(zone) + strlen(name) + 2;
        *has_hints = true;
    }
    return bytes;
}

static void survey_pod(struct survey *survey, const struct pin_tree *name)
{
    if (survey->n_pods++ == 0) {
        survey->pod = name->text;
        survey->prefix_bytes = name->text_bytes;
    }
    size_t same = 0;
    while (same < survey->prefix_bytes && survey->pod[same] == name->text[same]) {
        same++;
    }
    survey->prefix_bytes = same;
    survey->pod_bytes += name->text_bytes + 1;
}

static void survey_endpoint(struct survey *survey, const struct fields *fields)
{
    const struct pin_tree *pod = pod_of(fields);
    const char *zone = pin_tree_text(fields->zone, "");
    const char *hostname = pin_tree_text(fields->hostname, "");
    survey->n_rows += fields->addresses == NULL ? 0 : fields->addresses->n_children;
    if (pod != NULL) {
        survey_pod(survey, pod);
    }
    if (zone[0] != '\0') {
        size_t n = survey->zones.n;
        survey->zone_bytes += zone_position(&survey->zones, zone) == n ? strlen(zone) + 1 : 0;
    }
    survey->hostname_bytes += hostname[0] == '\0' ? 0 : strlen(hostname) + 1;
    survey->hint_bytes += hint_bytes(fields, &survey->has_hints);
}

static void survey_endpoints(struct survey *survey, const struct pin_tree *endpoints)
{
    PIN_TREE_EACH(endpoint, endpoints)
    {
        struct fields fields = find_fields(endpoint);
        survey_endpoint(survey, &fields);
    }
    survey->pod_bytes -= survey->n_pods * survey->prefix_bytes;
}

static size_t column_bytes(bool is_there, size_t n_rows, size_t element_bytes)
{
    return is_there ? n_rows * element_bytes + PIN_DECODE_ALIGN_BYTES : 0;
}

size_t pin__decode_slice_size(const struct pin_tree *object)
{
    const struct pin_tree *labels = pin_tree_find(pin_tree_find(object, "metadata"), "labels");
    bool is_v4 = pin_tree_text_is(pin_tree_find(object, "addressType"), "IPv4");
    struct survey survey = {0};
    survey_endpoints(&survey, pin_tree_list(object, "endpoints"));
    size_t n = survey.n_rows;
    size_t bytes = pin__decode_ports_bytes(pin_tree_list(object, "ports"));
    for (size_t i = 0; i < N_ELEMS(slice_labels); i++) {
        bytes += pin__decode_text_bytes(labels, slice_labels[i]);
    }
    bytes += column_bytes(n > 0, n, is_v4 ? 4 : 16) + column_bytes(n > 0, n, 1);
    bytes += column_bytes(survey.hostname_bytes > 0, n, sizeof(const char *));
    bytes += column_bytes(survey.has_hints, n, sizeof(const char *));
    bytes += column_bytes(survey.zones.n > 0, n, sizeof(uint16_t));
    bytes += column_bytes(survey.zones.n > 0, survey.zones.n, sizeof(const char *));
    bytes += column_bytes(survey.n_pods > 0, n, sizeof(uint32_t));
    bytes += survey.n_pods > 0 ? survey.prefix_bytes + 1 + PIN_DECODE_ALIGN_BYTES : 0;
    return bytes + survey.pod_bytes + survey.zone_bytes + survey.hostname_bytes + survey.hint_bytes;
}

/* --- Rows ----------------------------------------------------------------------------------- */

/* The columns of a slice while they are filled; those that it does not need are NULL. */
struct rows {
    struct survey survey;
    struct zone_set zones;
    uint8_t *ips;
    uint8_t *flags;
    const char **hostnames;
    const char **hints;
    const char **zone_texts;
    uint16_t *zone_of;
    char *pod_texts;
    uint32_t *pod_of;
    size_t pod_bytes; /* written */
};

/* What all addresses of an endpoint have. */
struct row {
    const char *hostname;
    const char *hints;
    uint32_t pod_of;
    uint16_t zone_of;
    uint8_t flags;
};

/* The field's node when it is of that kind; else NULL, and an error unless it is absent. */
static const struct pin_tree *checked(struct pin_decoder *self, const struct pin_tree *endpoint,
    const struct pin_tree *node, const char *field, enum pin_tree_kind kind)
{
    if (node == NULL || node->kind == kind) {
        return node;
    }
    return kind == PIN_TREE_LIST ? pin__decoder_list(self, endpoint, field)
                                 : pin__decoder_map(self, endpoint, field);
}

static uint8_t read_conditions(struct pin_decoder *self, const struct pin_tree *conditions)
{
    bool is_ready = pin__decoder_bool(self, conditions, "ready", true);
    bool is_serving = pin__decoder_bool(self, conditions, "serving", is_ready);
    bool is_terminating = pin__decoder_bool(self, conditions, "terminating", false);
    return (uint8_t)((is_ready ? PIN_ENDPOINT_READY : 0) | (is_serving ? PIN_ENDPOINT_SERVING : 0)
                     | (is_terminating ? PIN_ENDPOINT_TERMINATING : 0));
}

/* A hostname becomes a DNS label; the API server lets nothing else through. */
static const char *read_hostname(struct pin_decoder *self, const struct pin_tree *endpoint)
{
    const struct pin_tree *node = pin_tree_find(endpoint, "hostname");
    const char *text = pin__decoder_peek(self, endpoint, "hostname");
    if (text == NULL) {
        return NULL;
    }
    bool is_label = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == node->text_bytes
                    && node->text_bytes <= LABEL_BYTES_MAX && text[0] != '-'
                    && text[node->text_bytes - 1] != '-';
    if (!is_label) {
        pin__decoder_fail(self, node, "hostname",
            "'%s' is no DNS label, use up to 63 lower-case letters, digits and '-'", text);
        return NULL;
    }
    return pin__decoder_text(self, endpoint, "hostname");
}

/* Where the rest of the Pod's name begins. */
static uint32_t read_pod(struct rows *rows, const struct fields *fields)
{
    const struct pin_tree *name = pod_of(fields);
    if (name == NULL || rows->pod_texts == NULL) {
        return PIN_SLICE_POD_NONE;
    }
    size_t at = rows->pod_bytes;
    size_t bytes = name->text_bytes - rows->survey.prefix_bytes + 1;
    memcpy(rows->pod_texts + at, name->text + rows->survey.prefix_bytes, bytes);
    rows->pod_bytes += bytes;
    return (uint32_t)at;
}

/* 1 + the position of the endpoint's zone among the slice's; 0: it has none. */
static uint16_t read_zone(
    struct pin_decoder *self, const struct pin_tree *endpoint, struct rows *rows)
{
    const char *zone = pin__decoder_peek(self, endpoint, "zone");
    if (zone == NULL || rows->zone_of == NULL) {
        return 0;
    }
    size_t n = rows->zones.n;
    size_t at = zone_position(&rows->zones, zone);
    if (at >= UINT16_MAX) {
        pin__decoder_fail(self, endpoint, "zone", "a slice has more than %u zones", UINT16_MAX);
        return 0;
    }
    if (at == n) {
        rows->zone_texts[at] = pin__decoder_text(self, endpoint, "zone");
    }
    return (uint16_t)(at + 1);
}

/* The zones that an endpoint's hints name, "a,b"; NULL for none. Its zone and the row before
 * may have the text already. */
static const char *read_hints(
    struct pin_decoder *self, const struct pin_tree *hints, const char *zone, const char *before)
{
    char zones[HINTS_BYTES_MAX] = "";
    size_t n = 0;
    PIN_TREE_EACH(item, pin_tree_list(hints, "forZones"))
    {
        const char *name = pin_tree_string(item, "name", "");
        size_t bytes = strlen(name);
        if (bytes > 0 && n + bytes + 2 <= sizeof(zones)) {
            memcpy(zones + n, name, bytes);
            n += bytes;
            zones[n++] = ',';
        }
    }
    if (n == 0) {
        return NULL;
    }
    zones[n - 1] = '\0';
    const char *known[] = {zone, before};
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        if (known[i] != NULL && strcmp(known[i], zones) == 0) {
            return known[i];
        }
    }
    return pin_object_text(self->object, zones, n - 1);
}

static void put_row(struct rows *rows, size_t i, const struct row *row, const struct pin_ip *ip)
{
    size_t ip_bytes = ip->family == 4 ? 4 : 16;
    memcpy(rows->ips + i * ip_bytes, ip->bytes, ip_bytes);
    rows->flags[i] = row->flags;
    if (rows->hostnames != NULL) {
        rows->hostnames[i] = row->hostname;
    }
    if (rows->hints != NULL) {
        rows->hints[i] = row->hints;
    }
    if (rows->zone_of != NULL) {
        rows->zone_of[i] = row->zone_of;
    }
    if (rows->pod_of != NULL) {
        rows->pod_of[i] = row->pod_of;
    }
}

/* Appends one row per address of `endpoint`. */
static void read_endpoint(struct pin_decoder *self, const struct pin_tree *endpoint,
    struct pin_slice_body *body, struct rows *rows)
{
    struct fields fields = find_fields(endpoint);
    size_t n = body->n_endpoints;
    const struct pin_tree *addresses =
        checked(self, endpoint, fields.addresses, "addresses", PIN_TREE_LIST);
    struct row row = {
        .flags = read_conditions(
            self, checked(self, endpoint, fields.conditions, "conditions", PIN_TREE_MAP)),
        .hostname = fields.hostname == NULL ? NULL : read_hostname(self, endpoint),
        .zone_of = fields.zone == NULL ? 0 : read_zone(self, endpoint, rows),
    };
    (void)checked(self, endpoint, fields.target, "targetRef", PIN_TREE_MAP);
    row.pod_of = read_pod(rows, &fields);
    if (rows->hints != NULL) {
        row.hints = read_hints(self, fields.hints,
            row.zone_of == 0 ? NULL : rows->zone_texts[row.zone_of - 1],
            n > 0 ? rows->hints[n - 1] : NULL);
    }
    PIN_TREE_EACH(address, addresses)
    {
        struct pin_ip ip;
        if (!pin__decoder_ip(self, address, "addresses", &ip)) {
            continue;
        }
        if (ip.family != body->family) {
            pin__decoder_fail(self, address, "addresses", "'%s' does not fit addressType IPv%u",
                address->text, body->family);
            return;
        }
        put_row(rows, body->n_endpoints++, &row, &ip);
    }
}

/* Makes the columns that the survey found to be needed. False: there is no row, or no memory. */
static bool make_columns(struct pin_decoder *self, struct rows *rows, uint8_t family)
{
    const struct survey *survey = &rows->survey;
    size_t n = survey->n_rows;
    rows->ips = pin__decoder_array(self, n, family == 4 ? 4 : 16);
    rows->flags = pin__decoder_array(self, n, 1);
    if (survey->hostname_bytes > 0) {
        rows->hostnames = pin__decoder_array(self, n, sizeof(*rows->hostnames));
    }
    if (survey->has_hints) {
        rows->hints = pin__decoder_array(self, n, sizeof(*rows->hints));
    }
    if (survey->zones.n > 0) {
        rows->zone_texts = pin__decoder_array(self, survey->zones.n, sizeof(*rows->zone_texts));
        rows->zone_of = pin__decoder_array(self, n, sizeof(*rows->zone_of));
    }
    if (survey->n_pods > 0) {
        rows->pod_of = pin__decoder_array(self, n, sizeof(*rows->pod_of));
        rows->pod_texts = pin__decoder_array(self, survey->pod_bytes, 1);
    }
    return rows->flags != NULL && self->err == PIN_OK;
}

static void set_columns(
    struct pin_decoder *self, struct pin_slice_body *body, const struct rows *rows)
{
    body->ips = rows->ips;
    body->ip_bytes = body->n_endpoints * (body->family == 4 ? 4 : 16);
    body->flags = rows->flags;
    body->hostnames = rows->hostnames;
    body->hints = rows->hints;
    body->zones = rows->zone_texts;
    body->n_zones = PIN_MIN(rows->zones.n, (size_t)UINT16_MAX);
    body->zone_of = rows->zone_of;
    body->pod_texts = rows->pod_texts;
    body->pod_bytes = rows->pod_bytes;
    body->pod_of = rows->pod_of;
    if (rows->survey.n_pods > 0) {
        body->pod_prefix =
            pin_object_text(self->object, rows->survey.pod, rows->survey.prefix_bytes);
        if (body->pod_prefix == NULL && self->err == PIN_OK) {
            self->err = pin_why_set(self->why, PIN_ENOMEM, "no memory for '%s'", self->key.name);
        }
    }
}

static void read_endpoints(struct pin_decoder *self, struct pin_slice_body *body)
{
    const struct pin_tree *endpoints = pin__decoder_list(self, self->root, "endpoints");
    struct rows rows = {.ips = NULL};
    survey_endpoints(&rows.survey, endpoints);
    if (!make_columns(self, &rows, body->family)) {
        return;
    }
    pin__decoder_enter(self, "endpoints");
    PIN_TREE_EACH(endpoint, endpoints)
    {
        read_endpoint(self, endpoint, body, &rows);
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    set_columns(self, body, &rows);
}

void pin__decode_slice(struct pin_decoder *self)
{
    struct pin_slice_body *body = &self->object->as.slice;
    const char *type = pin__decoder_peek(self, self->root, "addressType");
    if (pin_is_same_text(type, "FQDN")) {
        pin__decoder_skip(self, "slices of host names are not read");
        return;
    }
    bool is_v4 = pin_is_same_text(type, "IPv4");
    if (!is_v4 && !pin_is_same_text(type, "IPv6")) {
        pin__decoder_fail(self, pin_tree_find(self->root, "addressType"), "addressType",
            "'%s' is unknown, use IPv4 or IPv6", type == NULL ? "" : type);
        return;
    }
    body->family = is_v4 ? 4 : 6;
    read_endpoints(self, body);
    body->ports = pin__decoder_elements(self, pin__decoder_list(self, self->root, "ports"), "ports",
        sizeof(*body->ports), pin__decoder_port, &body->n_ports);
    body->service = pin__decoder_take_label(self, slice_labels[0]);
    body->import_service = pin__decoder_take_label(self, slice_labels[1]);
    body->source_cluster = pin__decoder_take_label(self, slice_labels[2]);
}
