/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests of objects: spec and status of each kind, but the Gateway API's and policies'. */

#include <string.h>

#include "pintle/zones/recordset.h"
#include "pintle/zones/slice.h"

#include "encoder.h"

static const char *const protocols[] = {
    [PIN_PROTOCOL_TCP] = "TCP", [PIN_PROTOCOL_UDP] = "UDP", [PIN_PROTOCOL_SCTP] = "SCTP"};

/* --- Services and what resembles them ------------------------------------------------------- */

static void put_ports(
    struct pin_jsonout *out, const struct pin_port *ports, size_t n_ports, bool has_targets)
{
    if (n_ports == 0) {
        return;
    }
    pin__encode_open_list(out, "ports");
    for (size_t i = 0; i < n_ports; i++) {
        const struct pin_port *port = &ports[i];
        pin_jsonout_object(out);
        pin__encode_text(out, "name", port->name);
        if (port->port != 0) {
            pin_jsonout_key_uint(out, "port", port->port);
        }
        if (has_targets && port->target_name != NULL) {
            pin_jsonout_key_string(out, "targetPort", port->target_name);
        } else if (has_targets) {
            pin_jsonout_key_uint(out, "targetPort", port->target_port);
        }
        pin_jsonout_key_string(out, "protocol", protocols[port->protocol]);
        pin__encode_text(out, "appProtocol", port->app_protocol);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

static void put_manners(struct pin_jsonout *out, bool client_ip_affinity, bool prefers_zone)
{
    pin__encode_text(out, "sessionAffinity", client_ip_affinity ? "ClientIP" : NULL);
    pin__encode_text(out, "trafficDistribution", prefers_zone ? "PreferClose" : NULL);
}

static void put_balancer(struct pin_jsonout *out, const struct pin_ip *ips, size_t n_ips,
    const char *const *hosts, size_t n_hosts)
{
    if (n_ips + n_hosts == 0) {
        return;
    }
    pin__encode_open(out, "status");
    pin__encode_open(out, "loadBalancer");
    pin__encode_open_list(out, "ingress");
    for (size_t i = 0; i < n_ips; i++) {
        char text[PIN_IP_TEXT_MAX];
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "ip", pin_ip_format(&ips[i], text));
        pin_jsonout_end(out);
    }
    for (size_t i = 0; i < n_hosts; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "hostname", hosts[i]);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_service(struct pin_jsonout *out, const struct pin_object *object)
{
    const struct pin_service_body *body = &object->as.service;
    const struct pin_asks *asks = object->written == NULL ? NULL : object->written->asks;
    bool is_balancer = asks != NULL && asks->is_balancer;
    pin__encode_open(out, "spec");
    pin__encode_text(out, "type",
        body->external_name != NULL ? "ExternalName"
        : is_balancer               ? "LoadBalancer"
                                    : NULL);
    pin__encode_text(out, "externalName", body->external_name);
    pin__encode_text(out, "clusterIP", body->is_headless ? "None" : NULL);
    pin__encode_ips(out, "clusterIPs", body->cluster_ips, body->n_cluster_ips);
    if (asks != NULL) {
        pin__encode_ips(out, "externalIPs", asks->external_ips, asks->n_external_ips);
    }
    put_ports(out, body->ports, body->n_ports, true);
    pin_jsonout_key_bool(out, "publishNotReadyAddresses", body->publish_not_ready);
    put_manners(out, body->client_ip_affinity, body->prefers_zone);
    pin_jsonout_end(out);
    put_balancer(out, body->balancer_ips, body->n_balancer_ips, body->balancer_hosts,
        body->n_balancer_hosts);
}

static void put_import(struct pin_jsonout *out, const struct pin_import_body *body)
{
    pin__encode_open(out, "spec");
    pin_jsonout_key_string(out, "type", body->is_headless ? "Headless" : "ClusterSetIP");
    pin__encode_ips(out, "ips", body->ips, body->n_ips);
    put_ports(out, body->ports, body->n_ports, false);
    put_manners(out, body->client_ip_affinity, body->prefers_zone);
    pin_jsonout_end(out);
}

static void put_aws_export(struct pin_jsonout *out, const struct pin_aws_export_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_open_list(out, "exportedPorts");
    for (size_t i = 0; i < body->n_ports; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_uint(out, "port", body->ports[i]);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

/* --- EndpointSlices ------------------------------------------------------------------------- */

/* "a,b" */
static void put_hints(struct pin_jsonout *out, const char *hints)
{
    if (hints == NULL) {
        return;
    }
    pin__encode_open(out, "hints");
    pin__encode_open_list(out, "forZones");
    for (const char *zone = hints; *zone != '\0';) {
        size_t len = strcspn(zone, ",");
        pin_jsonout_object(out);
        pin_jsonout_key(out, "name");
        pin_jsonout_string_n(out, zone, len);
        pin_jsonout_end(out);
        zone += len + (zone[len] == ',' ? 1 : 0);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_endpoint(struct pin_jsonout *out, const struct pin_slice_body *body, size_t row)
{
    struct pin_ip ip = pin_slice_ip(body, row);
    char pod[PIN_POD_NAME_MAX];
    pin_jsonout_object(out);
    pin__encode_ips(out, "addresses", &ip, 1);
    pin__encode_open(out, "conditions");
    pin_jsonout_key_bool(out, "ready", (body->flags[row] & PIN_ENDPOINT_READY) != 0);
    pin_jsonout_key_bool(out, "serving", (body->flags[row] & PIN_ENDPOINT_SERVING) != 0);
    pin_jsonout_key_bool(out, "terminating", (body->flags[row] & PIN_ENDPOINT_TERMINATING) != 0);
    pin_jsonout_end(out);
    pin__encode_text(out, "hostname", pin_slice_hostname(body, row));
    pin__encode_text(out, "zone", pin_slice_zone(body, row));
    put_hints(out, pin_slice_hints(body, row));
    if (pin_slice_pod(body, row, pod)) {
        pin__encode_open(out, "targetRef");
        pin_jsonout_key_string(out, "kind", "Pod");
        pin_jsonout_key_string(out, "name", pod);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

static void put_slice(struct pin_jsonout *out, const struct pin_slice_body *body)
{
    pin_jsonout_key_string(out, "addressType", body->family == 4 ? "IPv4" : "IPv6");
    put_ports(out, body->ports, body->n_ports, false);
    pin__encode_open_list(out, "endpoints");
    for (size_t row = 0; row < body->n_endpoints; row++) {
        put_endpoint(out, body, row);
    }
    pin_jsonout_end(out);
}

/* --- Places --------------------------------------------------------------------------------- */

static void put_node(struct pin_jsonout *out, const struct pin_node_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_ranges(out, "podCIDRs", body->pod_ranges, body->n_pod_ranges);
    pin_jsonout_end(out);
    pin__encode_open(out, "status");
    pin__encode_open_list(out, "addresses");
    for (size_t i = 0; i < body->n_addresses; i++) {
        char text[PIN_IP_TEXT_MAX];
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "type", "InternalIP");
        pin_jsonout_key_string(out, "address", pin_ip_format(&body->addresses[i], text));
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_pod(struct pin_jsonout *out, const struct pin_pod_body *body)
{
    pin__encode_open(out, "spec");
    pin_jsonout_key_bool(out, "hostNetwork", body->is_host_network);
    pin_jsonout_end(out);
    pin__encode_open(out, "status");
    pin__encode_open_list(out, "podIPs");
    for (size_t i = 0; i < body->n_ips; i++) {
        char text[PIN_IP_TEXT_MAX];
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "ip", pin_ip_format(&body->ips[i], text));
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

/* --- Names outside -------------------------------------------------------------------------- */

static void put_ingress(struct pin_jsonout *out, const struct pin_ingress_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_text(out, "ingressClassName", body->class_name);
    pin__encode_open_list(out, "rules");
    for (size_t i = 0; i < body->n_hostnames; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "host", body->hostnames[i]);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
    put_balancer(out, body->balancer_ips, body->n_balancer_ips, body->balancer_hosts,
        body->n_balancer_hosts);
}

static void put_record(struct pin_jsonout *out, const struct pin_record *record)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "dnsName", record->name);
    pin_jsonout_key_string(out, "recordType", record->type);
    pin__encode_texts(out, "targets", record->targets, record->n_targets);
    pin__encode_text(out, "setIdentifier", record->set_id);
    if (record->ttl_s != PIN_TTL_UNSET) {
        pin_jsonout_key_uint(out, "recordTTL", record->ttl_s);
    }
    pin__encode_open_list(out, "providerSpecific");
    for (size_t i = 0; i < record->n_properties; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "name", record->properties[i].name);
        pin_jsonout_key_string(out, "value", record->properties[i].value);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_records(struct pin_jsonout *out, const struct pin_records_body *body)
{
    pin__encode_open(out, "spec");
    pin__encode_open_list(out, "endpoints");
    for (size_t i = 0; i < body->n_records; i++) {
        put_record(out, &body->records[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

void pin__encode_body(struct pin_jsonout *out, const struct pin_object *object)
{
    switch (object->kind) {
    case PIN_KIND_SERVICE:
        put_service(out, object);
        break;
    case PIN_KIND_ENDPOINT_SLICE:
        put_slice(out, &object->as.slice);
        break;
    case PIN_KIND_NODE:
        put_node(out, &object->as.node);
        break;
    case PIN_KIND_SERVICE_IMPORT:
        put_import(out, &object->as.import);
        break;
    case PIN_KIND_AWS_SERVICE_EXPORT:
        put_aws_export(out, &object->as.aws_export);
        break;
    case PIN_KIND_DNS_ENDPOINT:
        put_records(out, &object->as.records);
        break;
    case PIN_KIND_POD:
        put_pod(out, &object->as.pod);
        break;
    case PIN_KIND_SERVICE_CIDR:
        pin__encode_open(out, "spec");
        pin__encode_ranges(
            out, "cidrs", object->as.service_cidr.ranges, object->as.service_cidr.n_ranges);
        pin_jsonout_end(out);
        break;
    case PIN_KIND_INGRESS:
        put_ingress(out, &object->as.ingress);
        break;
    case PIN_KIND_IAM_AUTH_POLICY:
    case PIN_KIND_RESOLVE_POLICY:
    case PIN_KIND_TARGET_GROUP_POLICY:
        pin__encode_policy_body(out, object);
        break;
    default: /* Namespaces, exports and AWS imports have none */
        pin__encode_gateway_body(out, object);
        break;
    }
}
