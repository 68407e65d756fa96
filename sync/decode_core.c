/* SPDX-License-Identifier: Apache-2.0 */

/* Kinds of Kubernetes itself: Service, EndpointSlice, Node. (A Namespace has nothing to read.) */

#include <string.h>

#include "pintle/base/macros.h"

#include "decoder.h"

#define TOLERATE_UNREADY "service.alpha.kubernetes.io/tolerate-unready-endpoints"
#define ZONE_LABEL       "topology.kubernetes.io/zone"
#define REGION_LABEL     "topology.kubernetes.io/region"
#define LABEL_BYTES_MAX  63
#define HINTS_BYTES_MAX  512 /* 8 zones at most (API server's rule) */

/* Whose slice it is: the Service, the imported service, the cluster it was imported from. */
static const char *const slice_labels[] = {"kubernetes.io/service-name",
    "multicluster.kubernetes.io/service-name", "multicluster.kubernetes.io/source-cluster"};

static bool is_text(const char *text, const char *want)
{
    return text != NULL && strcmp(text, want) == 0;
}

/* targetPort: a number, a name, or absent, which means the port itself. */
static void read_target_port(
    struct pin_decoder *self, const struct pin_tree *item, struct pin_port *port)
{
    const struct pin_tree *target = pin_tree_find(item, "targetPort");
    long long number = 0;
    if (target == NULL || target->kind == PIN_TREE_NULL) {
        return;
    }
    if (pin_tree_to_int(target, &number)) {
        /* 0 is how clients spell "not set" */
        long long value = pin__decoder_int(self, item, "targetPort", 0, 65535, 0);
        port->target_port = value == 0 ? port->port : (uint16_t)value;
        return;
    }
    port->target_name = pin__decoder_text(self, item, "targetPort");
    port->target_port = port->target_name == NULL ? port->port : 0;
}

static bool read_service_port(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    (void)pin__decoder_needed_port(self, item, element);
    read_target_port(self, item, element);
    return true;
}

/* clusterIPs where it is there, else clusterIP; "None" is a headless Service. */
static void read_cluster_ips(struct pin_decoder *self, struct pin_service_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "clusterIPs");
    const struct pin_tree *single = pin_tree_find(self->spec, "clusterIP");
    const char *text = pin__decoder_peek(self, self->spec, "clusterIP");
    if (is_text(text, "None") || (list != NULL && pin_tree_text_is(list->first, "None"))) {
        body->is_headless = true;
        return;
    }
    if (list != NULL && list->n_children > 0) {
        body->cluster_ips = pin__decoder_elements(self, list, "spec.clusterIPs",
            sizeof(*body->cluster_ips), pin__decoder_address, &body->n_cluster_ips);
        return;
    }
    struct pin_ip *ip = text == NULL ? NULL : pin__decoder_array(self, 1, sizeof(*ip));
    if (ip != NULL && pin__decoder_ip(self, single, "spec.clusterIP", ip)) {
        body->cluster_ips = ip;
        body->n_cluster_ips = 1;
    }
}

/* A balancer that is known by a host name has no address here, one with an address no name. */
static bool read_ingress(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const struct pin_tree *ip = pin_tree_find(item, "ip");
    const char *text = pin_tree_text(ip, NULL);
    return text != NULL && text[0] != '\0' && pin__decoder_ip(self, ip, "ip", element);
}

/* PreferSameNode falls back to the zone; nodes are no places that an asker is known to be at. */
bool pin__decode_prefers_zone(struct pin_decoder *self)
{
    const char *text = pin__decoder_peek(self, self->spec, "trafficDistribution");
    return is_text(text, "PreferClose") || is_text(text, "PreferSameZone")
           || is_text(text, "PreferSameNode");
}

static bool read_ingress_host(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const char **host = element;
    *host = pin__decoder_text(self, item, "hostname");
    return *host != NULL && *host[0] != '\0';
}

void pin__decode_service(struct pin_decoder *self)
{
    struct pin_service_body *body = &self->object->as.service;
    const char *type = pin__decoder_peek(self, self->spec, "type");
    bool is_external = is_text(type, "ExternalName");

    if (!is_external) {
        read_cluster_ips(self, body);
    }
    body->ports = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "ports"),
        "spec.ports", sizeof(*body->ports), read_service_port, &body->n_ports);
    const struct pin_tree *status = pin__decoder_map(self, self->root, "status");
    const struct pin_tree *balancer = pin__decoder_map(self, status, "loadBalancer");
    const struct pin_tree *ingress = pin__decoder_list(self, balancer, "ingress");
    body->balancer_ips = pin__decoder_elements(self, ingress, "status.loadBalancer.ingress",
        sizeof(*body->balancer_ips), read_ingress, &body->n_balancer_ips);
    body->balancer_hosts = pin__decoder_elements(self, ingress, "status.loadBalancer.ingress",
        sizeof(*body->balancer_hosts), read_ingress_host, &body->n_balancer_hosts);
    if (is_external) {
        body->external_name = pin__decoder_name(self, self->spec, "externalName");
    }
    body->publish_not_ready = pin__decoder_bool(self, self->spec, "publishNotReadyAddresses", false)
                              || is_text(pin__decoder_annotation(self, TOLERATE_UNREADY), "true");
    body->client_ip_affinity =
        is_text(pin__decoder_peek(self, self->spec, "sessionAffinity"), "ClientIP");
    body->prefers_zone = pin__decode_prefers_zone(self);
}

/* --- Sizes: there may be very many Services and slices, so their guesses are close ------------ */

/* Room between an array and what stands before it. */
#define ALIGN_BYTES 8u

static size_t text_bytes(const struct pin_tree *map, const char *key)
{
    const struct pin_tree *node = pin_tree_find(map, key);
    return node == NULL || node->text == NULL ? 0 : node->text_bytes + 1;
}

static size_t count(const struct pin_tree *map, const char *key)
{
    const struct pin_tree *list = pin_tree_find(map, key);
    return list == NULL ? 0 : list->n_children;
}

static size_t ports_bytes(const struct pin_tree *ports)
{
    size_t bytes = ALIGN_BYTES;
    PIN_TREE_EACH(port, ports)
    {
        bytes += sizeof(struct pin_port) + text_bytes(port, "name");
        bytes += text_bytes(port, "appProtocol") + text_bytes(port, "targetPort");
    }
    return bytes;
}

size_t pin__decode_service_size(const struct pin_tree *object)
{
    const struct pin_tree *spec = pin_tree_find(object, "spec");
    const struct pin_tree *status = pin_tree_find(object, "status");
    const struct pin_tree *ingress = pin_tree_list(status, "loadBalancer.ingress");
    size_t n_ips = PIN_MAX(count(spec, "clusterIPs"), text_bytes(spec, "clusterIP") > 0 ? 1 : 0);
    size_t bytes = ports_bytes(pin_tree_list(spec, "ports")) + n_ips * sizeof(struct pin_ip)
                   + ALIGN_BYTES + text_bytes(spec, "externalName");
    PIN_TREE_EACH(item, ingress)
    {
        bytes += sizeof(struct pin_ip) + sizeof(const char *) + text_bytes(item, "hostname");
    }
    return bytes + (ingress != NULL && ingress->n_children > 0 ? 2 * ALIGN_BYTES : 0);
}

/* Zones that a slice has in turn; read_zone() keeps each of a few once. */
#define ZONES_MAX 4

/* Bytes of the zone of an endpoint, unless it is among those seen before. */
static size_t zone_bytes(const struct pin_tree *endpoint, const char *seen[ZONES_MAX])
{
    const char *zone = pin_tree_text(pin_tree_find(endpoint, "zone"), NULL);
    for (size_t i = 0; zone != NULL && i < ZONES_MAX; i++) {
        if (seen[i] == NULL) {
            seen[i] = zone;
            break;
        }
        if (strcmp(seen[i], zone) == 0) {
            return 0;
        }
    }
    return zone == NULL ? 0 : strlen(zone) + 1;
}

static bool has_hints(const struct pin_tree *endpoints)
{
    PIN_TREE_EACH(endpoint, endpoints)
    {
        const struct pin_tree *list = pin_tree_list(endpoint, "hints.forZones");
        if (list != NULL && list->n_children > 0) {
            return true;
        }
    }
    return false;
}

/* Bytes of the hints of an endpoint as read_hints() writes them; its own zone is there already. */
static size_t hints_bytes(const struct pin_tree *endpoint)
{
    const char *zone = pin_tree_string(endpoint, "zone", "");
    size_t bytes = 0;
    PIN_TREE_EACH(item, pin_tree_list(endpoint, "hints.forZones"))
    {
        const char *name = pin_tree_string(item, "name", "");
        bytes += strcmp(name, zone) == 0 ? 0 : strlen(zone) + strlen(name) + 2;
    }
    return bytes;
}

size_t pin__decode_slice_size(const struct pin_tree *object)
{
    const struct pin_tree *labels = pin_tree_find(pin_tree_find(object, "metadata"), "labels");
    const char *zones[ZONES_MAX] = {NULL};
    size_t n_rows = 0;
    size_t bytes = ALIGN_BYTES + ports_bytes(pin_tree_list(object, "ports"));
    for (size_t i = 0; i < N_ELEMS(slice_labels); i++) {
        bytes += text_bytes(labels, slice_labels[i]);
    }
    PIN_TREE_EACH(endpoint, pin_tree_list(object, "endpoints"))
    {
        n_rows += count(endpoint, "addresses");
        bytes += text_bytes(endpoint, "hostname") + zone_bytes(endpoint, zones);
        bytes += hints_bytes(endpoint);
        bytes += text_bytes(pin_tree_find(endpoint, "targetRef"), "name");
    }
    if (has_hints(pin_tree_list(object, "endpoints"))) {
        bytes += ALIGN_BYTES + n_rows * sizeof(const char *);
    }
    return bytes + n_rows * sizeof(struct pin_endpoint);
}

/* --- EndpointSlice -------------------------------------------------------------------------- */

static uint8_t read_conditions(struct pin_decoder *self, const struct pin_tree *endpoint)
{
    const struct pin_tree *conditions = pin__decoder_map(self, endpoint, "conditions");
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

static const char *read_pod(struct pin_decoder *self, const struct pin_tree *endpoint)
{
    const struct pin_tree *target = pin__decoder_map(self, endpoint, "targetRef");
    bool is_pod = is_text(pin__decoder_peek(self, target, "kind"), "Pod");
    return is_pod ? pin__decoder_text(self, target, "name") : NULL;
}

/* The zone of an endpoint, shared with earlier rows of the slice that have the same. */
static const char *read_zone(struct pin_decoder *self, const struct pin_tree *endpoint,
    const struct pin_endpoint *rows, size_t n_rows)
{
    const char *zone = pin__decoder_peek(self, endpoint, "zone");
    size_t oldest = n_rows > 8 ? n_rows - 8 : 0;
    for (size_t i = n_rows; zone != NULL && i > oldest; i--) {
        if (is_text(rows[i - 1].zone, zone)) {
            return rows[i - 1].zone;
        }
    }
    return zone == NULL ? NULL : pin__decoder_text(self, endpoint, "zone");
}

/* The zones that an endpoint's hints name, "a,b"; NULL for none. Its zone and the row before
 * may have the text already. */
static const char *read_hints(
    struct pin_decoder *self, const struct pin_tree *endpoint, const char *zone, const char *before)
{
    const struct pin_tree *list = pin_tree_list(endpoint, "hints.forZones");
    char zones[HINTS_BYTES_MAX] = "";
    size_t n = 0;
    PIN_TREE_EACH(item, list)
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

/* The rows of a slice while they are filled. */
struct rows {
    struct pin_endpoint *endpoints;
    const char **hints; /* NULL: none has any */
};

/* Appends one row per address of `endpoint`. */
static void read_endpoint(struct pin_decoder *self, const struct pin_tree *endpoint,
    struct pin_slice_body *body, const struct rows *rows)
{
    const struct pin_tree *addresses = pin__decoder_list(self, endpoint, "addresses");
    struct pin_endpoint row = {.flags = read_conditions(self, endpoint)};
    row.hostname = read_hostname(self, endpoint);
    row.pod = read_pod(self, endpoint);
    row.zone = read_zone(self, endpoint, rows->endpoints, body->n_endpoints);
    size_t n = body->n_endpoints;
    const char *hints = rows->hints == NULL ? NULL
                                            : read_hints(self, endpoint, row.zone,
                                                n > 0 ? rows->hints[n - 1] : NULL);
    PIN_TREE_EACH(address, addresses)
    {
        if (!pin__decoder_ip(self, address, "addresses", &row.ip)) {
            continue;
        }
        if (row.ip.family != body->family) {
            pin__decoder_fail(self, address, "addresses", "'%s' does not fit addressType IPv%u",
                address->text, body->family);
            return;
        }
        if (rows->hints != NULL) {
            rows->hints[body->n_endpoints] = hints;
        }
        rows->endpoints[body->n_endpoints++] = row;
    }
}

static size_t count_addresses(const struct pin_tree *endpoints)
{
    size_t n = 0;
    PIN_TREE_EACH(endpoint, endpoints)
    {
        const struct pin_tree *addresses = pin_tree_find(endpoint, "addresses");
        n += addresses == NULL ? 0 : addresses->n_children;
    }
    return n;
}

static void read_endpoints(struct pin_decoder *self, struct pin_slice_body *body)
{
    const struct pin_tree *endpoints = pin__decoder_list(self, self->root, "endpoints");
    size_t n_rows = count_addresses(endpoints);
    struct rows rows = {.endpoints = pin__decoder_array(self, n_rows, sizeof(*rows.endpoints))};
    if (rows.endpoints == NULL) {
        return;
    }
    if (has_hints(endpoints)) {
        rows.hints = pin__decoder_array(self, n_rows, sizeof(*rows.hints));
    }
    pin__decoder_enter(self, "endpoints");
    PIN_TREE_EACH(endpoint, endpoints)
    {
        read_endpoint(self, endpoint, body, &rows);
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->endpoints = rows.endpoints;
    body->hints = rows.hints;
}

void pin__decode_slice(struct pin_decoder *self)
{
    struct pin_slice_body *body = &self->object->as.slice;
    const char *type = pin__decoder_peek(self, self->root, "addressType");
    if (is_text(type, "FQDN")) {
        pin__decoder_skip(self, "slices of host names are not read");
        return;
    }
    bool is_v4 = is_text(type, "IPv4");
    if (!is_v4 && !is_text(type, "IPv6")) {
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

/* --- Node ----------------------------------------------------------------------------------- */

static void add_range(struct pin_decoder *self, const struct pin_tree *at, const char *field,
    struct pin_prefix *ranges, size_t *n_ranges)
{
    const char *text = pin_tree_text(at, NULL);
    if (self->err != PIN_OK) {
        return;
    }
    if (text == NULL || !pin_prefix_parse(text, &ranges[*n_ranges])) {
        pin__decoder_fail(self, at, field, "'%s' is no address range", text == NULL ? "" : text);
        return;
    }
    (*n_ranges)++;
}

/* podCIDRs where it is there, else podCIDR. */
static void read_pod_ranges(struct pin_decoder *self, struct pin_node_body *body)
{
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "podCIDRs");
    const struct pin_tree *single = pin_tree_find(self->spec, "podCIDR");
    bool has_single = pin__decoder_peek(self, self->spec, "podCIDR") != NULL;
    size_t n_max = list != NULL && list->n_children > 0 ? list->n_children : has_single ? 1 : 0;
    struct pin_prefix *ranges = pin__decoder_array(self, n_max, sizeof(*ranges));
    if (ranges == NULL) {
        return;
    }
    body->pod_ranges = ranges;
    if (list == NULL || list->n_children == 0) {
        add_range(self, single, "spec.podCIDRs", ranges, &body->n_pod_ranges);
        return;
    }
    PIN_TREE_EACH(item, list)
    {
        add_range(self, item, "spec.podCIDRs", ranges, &body->n_pod_ranges);
    }
}

/* status.addresses of type InternalIP; a name among them is skipped. */
static void read_node_addresses(struct pin_decoder *self, struct pin_node_body *body)
{
    const struct pin_tree *status = pin__decoder_map(self, self->root, "status");
    const struct pin_tree *list = pin__decoder_list(self, status, "addresses");
    struct pin_ip *ips =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*ips));
    if (ips == NULL) {
        return;
    }
    PIN_TREE_EACH(item, list)
    {
        const char *text = pin_tree_string(item, "address", NULL);
        bool is_internal = pin_tree_text_is(pin_tree_find(item, "type"), "InternalIP");
        if (is_internal && text != NULL && pin_ip_parse(text, &ips[body->n_addresses])) {
            body->n_addresses++;
        }
    }
    body->addresses = ips;
}

void pin__decode_node(struct pin_decoder *self)
{
    struct pin_node_body *body = &self->object->as.node;
    read_pod_ranges(self, body);
    read_node_addresses(self, body);
    body->zone = pin__decoder_take_label(self, ZONE_LABEL);
    body->region = pin__decoder_take_label(self, REGION_LABEL);
}

/* --- Pod ------------------------------------------------------------------------------------ */

/* Adds an address unless it is none, or there already. */
static void add_pod_ip(const char *text, struct pin_ip *ips, size_t *n_ips)
{
    struct pin_ip ip;
    if (text == NULL || !pin_ip_parse(text, &ip)) {
        return;
    }
    for (size_t i = 0; i < *n_ips; i++) {
        if (pin_ip_equal(&ips[i], &ip)) {
            return;
        }
    }
    ips[(*n_ips)++] = ip;
}

/* Pods come by the thousand and are none of ours: whatever else is in them fails nothing. One that
 * has ended keeps its address, which another may have by now. */
void pin__decode_pod(struct pin_decoder *self)
{
    struct pin_pod_body *body = &self->object->as.pod;
    const struct pin_tree *status = pin_tree_find(self->root, "status");
    const struct pin_tree *list = pin_tree_list(status, "podIPs");
    const char *phase = pin_tree_string(status, "phase", "");
    body->is_host_network = pin_tree_bool(self->spec, "hostNetwork", false);
    if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0) {
        return;
    }
    struct pin_ip *ips =
        pin__decoder_array(self, 1 + (list == NULL ? 0 : list->n_children), sizeof(*ips));
    if (ips == NULL) {
        return;
    }
    body->ips = ips;
    add_pod_ip(pin_tree_string(status, "podIP", NULL), ips, &body->n_ips);
    PIN_TREE_EACH(item, list)
    {
        add_pod_ip(pin_tree_string(item, "ip", NULL), ips, &body->n_ips);
    }
}

/* --- ServiceCIDR ---------------------------------------------------------------------------- */

void pin__decode_service_cidr(struct pin_decoder *self)
{
    struct pin_service_cidr_body *body = &self->object->as.service_cidr;
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "cidrs");
    struct pin_prefix *ranges =
        pin__decoder_array(self, list == NULL ? 0 : list->n_children, sizeof(*ranges));
    if (ranges == NULL) {
        return;
    }
    body->ranges = ranges;
    PIN_TREE_EACH(item, list)
    {
        add_range(self, item, "spec.cidrs", ranges, &body->n_ranges);
    }
}
