/* SPDX-License-Identifier: Apache-2.0 */

/* The table of kinds, and what all kinds have in common: apiVersion, kind, metadata. */

#include "decode.h"

#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "decoder.h"

#define SMALL_BODY_BYTES 384
#define TRIGGER_TIME     "endpoints.kubernetes.io/last-change-trigger-time"
#define GATEWAY_GROUP    "gateway.networking.k8s.io"
#define MCS_GROUP        "multicluster.x-k8s.io"
#define AWS_GROUP        "application-networking.k8s.aws"
#define PINTLE_GROUP     "pintle.dev"
#define EXTERNAL_GROUP   "externaldns.k8s.io"

/* kind, is_namespaced, group, versions, plural, resource, kind_text, decode, size; in the enum's
 * order */
static const struct pin_kind_row rows[] = {
    {PIN_KIND_SERVICE, true, "", {"v1"}, "services", "services", "Service", pin__decode_service,
        pin__decode_service_size},
    {PIN_KIND_ENDPOINT_SLICE, true, "discovery.k8s.io", {"v1"}, "endpointslices",
        "endpointslices.discovery.k8s.io", "EndpointSlice", pin__decode_slice,
        pin__decode_slice_size},
    {PIN_KIND_NAMESPACE, false, "", {"v1"}, "namespaces", "namespaces", "Namespace",
        pin__decode_namespace, NULL},
    {PIN_KIND_NODE, false, "", {"v1"}, "nodes", "nodes", "Node", pin__decode_node, NULL},
    {PIN_KIND_GATEWAY, true, GATEWAY_GROUP, {"v1", "v1beta1"}, "gateways",
        "gateways." GATEWAY_GROUP, "Gateway", pin__decode_gateway, NULL},
    {PIN_KIND_HTTP_ROUTE, true, GATEWAY_GROUP, {"v1", "v1beta1"}, "httproutes",
        "httproutes." GATEWAY_GROUP, "HTTPRoute", pin__decode_route, NULL},
    {PIN_KIND_GRPC_ROUTE, true, GATEWAY_GROUP, {"v1", "v1alpha2"}, "grpcroutes",
        "grpcroutes." GATEWAY_GROUP, "GRPCRoute", pin__decode_route, NULL},
    {PIN_KIND_TCP_ROUTE, true, GATEWAY_GROUP, {"v1", "v1alpha2"}, "tcproutes",
        "tcproutes." GATEWAY_GROUP, "TCPRoute", pin__decode_route, NULL},
    {PIN_KIND_TLS_ROUTE, true, GATEWAY_GROUP, {"v1", "v1alpha3", "v1alpha2"}, "tlsroutes",
        "tlsroutes." GATEWAY_GROUP, "TLSRoute", pin__decode_route, NULL},
    {PIN_KIND_REFERENCE_GRANT, true, GATEWAY_GROUP, {"v1", "v1beta1", "v1alpha2"},
        "referencegrants", "referencegrants." GATEWAY_GROUP, "ReferenceGrant",
        pin__decode_reference_grant, NULL},
    {PIN_KIND_SERVICE_EXPORT, true, MCS_GROUP, {"v1beta1", "v1alpha1"}, "serviceexports",
        "serviceexports." MCS_GROUP, "ServiceExport", NULL, NULL},
    {PIN_KIND_SERVICE_IMPORT, true, MCS_GROUP, {"v1beta1", "v1alpha1"}, "serviceimports",
        "serviceimports." MCS_GROUP, "ServiceImport", pin__decode_import, NULL},
    {PIN_KIND_AWS_SERVICE_EXPORT, true, AWS_GROUP, {"v1alpha1"}, "serviceexports",
        "serviceexports." AWS_GROUP, "ServiceExport", pin__decode_aws_export, NULL},
    {PIN_KIND_AWS_SERVICE_IMPORT, true, AWS_GROUP, {"v1alpha1"}, "serviceimports",
        "serviceimports." AWS_GROUP, "ServiceImport", pin__decode_aws_import, NULL},
    {PIN_KIND_IAM_AUTH_POLICY, true, AWS_GROUP, {"v1alpha1"}, "iamauthpolicies",
        "iamauthpolicies." AWS_GROUP, "IAMAuthPolicy", pin__decode_iam_policy, NULL},
    {PIN_KIND_RESOLVE_POLICY, true, PINTLE_GROUP, {"v1alpha1"}, "resolvepolicies",
        "resolvepolicies." PINTLE_GROUP, "ResolvePolicy", pin__decode_resolve_policy, NULL},
    {PIN_KIND_DNS_ENDPOINT, true, EXTERNAL_GROUP, {"v1alpha1"}, "dnsendpoints",
        "dnsendpoints." EXTERNAL_GROUP, "DNSEndpoint", pin__decode_dns_endpoint, NULL},
    {PIN_KIND_TARGET_GROUP_POLICY, true, AWS_GROUP, {"v1alpha1"}, "targetgrouppolicies",
        "targetgrouppolicies." AWS_GROUP, "TargetGroupPolicy", pin__decode_target_group_policy,
        NULL},
    {PIN_KIND_POD, true, "", {"v1"}, "pods", "pods", "Pod", pin__decode_pod, NULL},
    {PIN_KIND_SERVICE_CIDR, false, "networking.k8s.io", {"v1", "v1beta1"}, "servicecidrs",
        "servicecidrs.networking.k8s.io", "ServiceCIDR", pin__decode_service_cidr, NULL},
    {PIN_KIND_GATEWAY_CLASS, false, GATEWAY_GROUP, {"v1", "v1beta1"}, "gatewayclasses",
        "gatewayclasses." GATEWAY_GROUP, "GatewayClass", pin__decode_gateway_class, NULL},
    {PIN_KIND_INGRESS, true, "networking.k8s.io", {"v1"}, "ingresses",
        "ingresses.networking.k8s.io", "Ingress", pin__decode_ingress, NULL},
};
_Static_assert(N_ELEMS(rows) == PIN_KIND_MAX, "every kind has a row");

const struct pin_json_skip pin_decode_unread[] = {
    {"metadata", "managedFields"},
    {"annotations", "kubectl.kubernetes.io/last-applied-configuration"},
    {"endpoints", "nodeName"},
    {"endpoints", "deprecatedTopology"},
    {"targetRef", "uid"},
    {"targetRef", "namespace"},
    {"status", "images"},
    {"status", "containerStatuses"},
    {"spec", "containers"},
    {"spec", "initContainers"},
    {"spec", "volumes"},
    {"", NULL},
};

const struct pin_kind_row *pin_decode_row(enum pin_kind kind)
{
    return &rows[kind];
}

static bool has_version(const struct pin_kind_row *row, const char *version)
{
    for (size_t i = 0; i < PIN_KIND_VERSIONS_MAX && row->versions[i] != NULL; i++) {
        if (strcmp(row->versions[i], version) == 0) {
            return true;
        }
    }
    return false;
}

const struct pin_kind_row *pin_decode_find(const char *api_version, const char *kind)
{
    const char *slash = strchr(api_version, '/');
    size_t group_bytes = slash == NULL ? 0 : (size_t)(slash - api_version);
    const char *version = slash == NULL ? api_version : slash + 1;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        const struct pin_kind_row *row = &rows[i];
        if (strcmp(row->kind_text, kind) == 0 && strlen(row->group) == group_bytes
            && memcmp(row->group, api_version, group_bytes) == 0 && has_version(row, version)) {
            return row;
        }
    }
    return NULL;
}

/* Whose kind this is: the row when given, else what the object says of itself. */
static const struct pin_kind_row *find_row(struct pin_decoder *self, const struct pin_kind_row *row)
{
    if (self->root == NULL || self->root->kind != PIN_TREE_MAP) {
        pin__decoder_fail(
            self, self->root, NULL, "an object must be a map with apiVersion and kind");
        return NULL;
    }
    if (row != NULL) {
        return row;
    }
    const char *api_version = pin__decoder_peek(self, self->root, "apiVersion");
    const char *kind = pin__decoder_peek(self, self->root, "kind");
    if (api_version == NULL || kind == NULL) {
        pin__decoder_fail(self, self->root, kind == NULL ? "kind" : "apiVersion",
            "is missing, every object needs apiVersion and kind");
        return NULL;
    }
    row = pin_decode_find(api_version, kind);
    if (row == NULL) {
        pin__decoder_skip(self, "objects of this kind and version are not read");
    }
    return row;
}

/* Fills in the key from metadata. */
static void read_key(struct pin_decoder *self, const struct pin_kind_row *row)
{
    self->key.row = find_row(self, row);
    if (self->key.row == NULL) {
        return;
    }
    const struct pin_tree *metadata = pin__decoder_map(self, self->root, "metadata");
    const char *name = pin__decoder_peek(self, metadata, "name");
    const char *namespace_name = pin__decoder_peek(self, metadata, "namespace");
    if (self->err != PIN_OK) {
        return;
    }
    if (name == NULL) {
        pin__decoder_fail(self, metadata != NULL ? metadata : self->root, "metadata.name",
            "is missing, every object needs a name");
        return;
    }
    self->key.name = name;
    self->key.namespace_name = !self->key.row->is_namespaced ? ""
                               : namespace_name != NULL      ? namespace_name
                                                             : "default";
    if (!pin_object_is_name(name, PIN_NAME_BYTES_MAX, true)) {
        pin__decoder_fail(self, pin_tree_find(metadata, "name"), "metadata.name",
            "is no name, use up to 253 lower-case letters, digits, '-' and '.'");
    } else if (self->key.row->is_namespaced
               && !pin_object_is_name(self->key.namespace_name, PIN_NAMESPACE_BYTES_MAX, false)) {
        pin__decoder_fail(self, pin_tree_find(metadata, "namespace"), "metadata.namespace",
            "is no namespace, use up to 63 lower-case letters, digits and '-'");
    }
}

enum pin_err pin_decode_key(const struct pin_kind_row *row, const struct pin_tree *object,
    struct pin_object_key *ret_key, struct pin_why *why)
{
    struct pin_decoder self = {.root = object, .why = why};
    read_key(&self, row);
    if (self.err == PIN_OK) {
        *ret_key = self.key;
    }
    return self.err;
}

/* Creation and trigger time; neither is worth refusing an object for. */
static void read_times(struct pin_decoder *self)
{
    const struct pin_tree *metadata = pin_tree_find(self->root, "metadata");
    const char *created = pin_tree_text(pin_tree_find(metadata, "creationTimestamp"), NULL);
    int64_t wall_ms = 0;
    if (created != NULL && pin_clock_parse(created, &wall_ms)) {
        self->object->created_s = wall_ms / 1000;
    }
    const char *trigger = pin__decoder_annotation(self, TRIGGER_TIME);
    if (trigger != NULL && pin_clock_parse(trigger, &wall_ms)) {
        self->object->trigger_wall_ms = wall_ms;
    }
}

static void read_object(struct pin_decoder *self)
{
    const struct pin_kind_row *row = self->key.row;
    size_t names_bytes = strlen(self->key.name) + strlen(self->key.namespace_name) + 2;
    size_t body_bytes = row->size != NULL     ? row->size(self->root)
                        : row->decode != NULL ? SMALL_BODY_BYTES
                                              : 0;

    body_bytes += pin__decode_written_size(self) + pin__decode_steering_size(self);
    self->object = pin_object_new(row->kind, names_bytes + body_bytes);
    if (self->object == NULL) {
        self->err = pin_why_set(
            self->why, PIN_ENOMEM, "no memory for %s '%s'", row->kind_text, self->key.name);
        return;
    }
    self->spec = pin__decoder_map(self, self->root, "spec");
    read_times(self);
    pin__decode_steering(self);
    if (row->decode != NULL && self->err == PIN_OK) {
        row->decode(self); /* its arrays come first: they need alignment, texts do not */
    }
    pin__decode_written(self);
    bool has_names = pin_object_set_names(self->object, self->key.namespace_name, self->key.name);
    if (self->err == PIN_OK && !has_names) {
        self->err = pin_why_set(self->why, PIN_ENOMEM, "no memory for '%s'", self->key.name);
    }
}

enum pin_err pin_decode_as(const struct pin_kind_row *row, const char *where,
    const struct pin_tree *object, struct pin_object **ret, struct pin_why *why)
{
    char complaint[PIN_DECODER_COMPLAINT_MAX] = "";
    struct pin_decoder self = {.root = object, .where = where, .why = why, .complaint = complaint};
    read_key(&self, row);
    if (self.err == PIN_OK) {
        read_object(&self);
    }
    if (self.err != PIN_OK) {
        pin_object_free(self.object);
        return self.err;
    }
    *ret = self.object;
    return PIN_OK;
}

enum pin_err pin_decode(const struct pin_tree *object, struct pin_object **ret, struct pin_why *why)
{
    return pin_decode_as(NULL, "manifest", object, ret, why);
}
