/* SPDX-License-Identifier: Apache-2.0 */

/* Kinds of Kubernetes itself: Service, Namespace, Node, Pod, ServiceCIDR. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

#include "decoder.h"

#define TOLERATE_UNREADY "service.alpha.kubernetes.io/tolerate-unready-endpoints"
#define ZONE_LABEL       "topology.kubernetes.io/zone"
#define REGION_LABEL     "topology.kubernetes.io/region"
/* A key with its prefix, "=", a value: 253 + 1 + 63 + 1 + 63 at most. */
#define LABEL_BYTES 384

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
    if (pin_is_same_text(text, "None") || (list != NULL && pin_tree_text_is(list->first, "None"))) {
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
bool pin__decode_balancer_ip(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const struct pin_tree *ip = pin_tree_find(item, "ip");
    const char *text = pin_tree_text(ip, NULL);
    return text != NULL && text[0] != '\0' && pin__decoder_ip(self, ip, "ip", element);
}

/* PreferSameNode falls back to the zone; nodes are no places that an asker is known to be at. */
bool pin__decode_prefers_zone(struct pin_decoder *self)
{
    const char *text = pin__decoder_peek(self, self->spec, "trafficDistribution");
    return pin_is_same_text(text, "PreferClose") || pin_is_same_text(text, "PreferSameZone")
           || pin_is_same_text(text, "PreferSameNode");
}

bool pin__decode_balancer_host(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const char **host = element;
    *host = pin__decoder_text(self, item, "hostname");
    return *host != NULL && *host[0] != '\0';
}

void pin__decode_service(struct pin_decoder *self)
{
    struct pin_service_body *body = &self->object->as.service;
    const char *type = pin__decoder_peek(self, self->spec, "type");
    bool is_external = pin_is_same_text(type, "ExternalName");

    if (!is_external) {
        read_cluster_ips(self, body);
    }
    body->ports = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "ports"),
        "spec.ports", sizeof(*body->ports), read_service_port, &body->n_ports);
    const struct pin_tree *status = pin__decoder_map(self, self->root, "status");
    const struct pin_tree *balancer = pin__decoder_map(self, status, "loadBalancer");
    const struct pin_tree *ingress = pin__decoder_list(self, balancer, "ingress");
    body->balancer_ips = pin__decoder_elements(self, ingress, "status.loadBalancer.ingress",
        sizeof(*body->balancer_ips), pin__decode_balancer_ip, &body->n_balancer_ips);
    body->balancer_hosts = pin__decoder_elements(self, ingress, "status.loadBalancer.ingress",
        sizeof(*body->balancer_hosts), pin__decode_balancer_host, &body->n_balancer_hosts);
    if (is_external) {
        body->external_name = pin__decoder_name(self, self->spec, "externalName");
    }
    body->publish_not_ready =
        pin__decoder_bool(self, self->spec, "publishNotReadyAddresses", false)
        || pin_is_same_text(pin__decoder_annotation(self, TOLERATE_UNREADY), "true");
    body->client_ip_affinity =
        pin_is_same_text(pin__decoder_peek(self, self->spec, "sessionAffinity"), "ClientIP");
    body->prefers_zone = pin__decode_prefers_zone(self);
}

/* --- Sizes: there may be very many Services and slices, so their guesses are close ------------ */

size_t pin__decode_text_bytes(const struct pin_tree *map, const char *key)
{
    const struct pin_tree *node = pin_tree_find(map, key);
    return node == NULL || node->text == NULL ? 0 : node->text_bytes + 1;
}

/* Addresses that a Service may have of the cluster; headless ones have none. */
static size_t count_cluster_ips(const struct pin_tree *spec)
{
    const char *single = pin_tree_string(spec, "clusterIP", "");
    const struct pin_tree *list = pin_tree_list(spec, "clusterIPs");
    if (pin_is_same_text(single, "None")) {
        return 0;
    }
    return PIN_MAX(list == NULL ? 0 : list->n_children, single[0] == '\0' ? 0u : 1u);
}

/* Of a targetPort that is a name; one that is a number needs nothing. */
static size_t target_bytes(const struct pin_tree *port)
{
    const struct pin_tree *target = pin_tree_find(port, "targetPort");
    return target != NULL && target->kind == PIN_TREE_STRING ? target->text_bytes + 1 : 0;
}

size_t pin__decode_ports_bytes(const struct pin_tree *ports)
{
    size_t bytes = PIN_DECODE_ALIGN_BYTES;
    PIN_TREE_EACH(port, ports)
    {
        bytes += sizeof(struct pin_port) + pin__decode_text_bytes(port, "name");
        bytes += pin__decode_text_bytes(port, "appProtocol") + target_bytes(port);
    }
    return bytes;
}

size_t pin__decode_service_size(const struct pin_tree *object)
{
    const struct pin_tree *spec = pin_tree_find(object, "spec");
    const struct pin_tree *status = pin_tree_find(object, "status");
    const struct pin_tree *ingress = pin_tree_list(status, "loadBalancer.ingress");
    size_t n_ips = count_cluster_ips(spec);
    size_t bytes = pin__decode_ports_bytes(pin_tree_list(spec, "ports"))
                   + (n_ips > 0 ? n_ips * sizeof(struct pin_ip) + PIN_DECODE_ALIGN_BYTES : 0)
                   + pin__decode_text_bytes(spec, "externalName");
    PIN_TREE_EACH(item, ingress)
    {
        bytes +=
            sizeof(struct pin_ip) + sizeof(const char *) + pin__decode_text_bytes(item, "hostname");
    }
    return bytes + (ingress != NULL && ingress->n_children > 0 ? 2 * PIN_DECODE_ALIGN_BYTES : 0);
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

/* --- Namespace ------------------------------------------------------------------------------ */

/* Labels, which listeners of Gateways may ask for. */
void pin__decode_namespace(struct pin_decoder *self)
{
    struct pin_namespace_body *body = &self->object->as.namespace_;
    const struct pin_tree *labels = pin_tree_map(self->root, "metadata.labels");
    const char **texts =
        pin__decoder_array(self, labels == NULL ? 0 : labels->n_children, sizeof(*texts));
    if (texts == NULL) {
        return;
    }
    body->labels = texts;
    PIN_TREE_EACH(label, labels)
    {
        char text[LABEL_BYTES];
        int n = snprintf(text, sizeof(text), "%s=%s", label->key, pin_tree_text(label, ""));
        texts[body->n_labels] =
            n > 0 && n < LABEL_BYTES ? pin_object_text(self->object, text, (size_t)n) : NULL;
        body->n_labels += texts[body->n_labels] != NULL;
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
