/* SPDX-License-Identifier: Apache-2.0 */

/* Objects: one block per object in the usual case, further chunks only when the guess was low. */

#include "pintle/zones/object.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

/* Strictest alignment of any field that hangs on an object: pointers and 64-bit numbers. */
#define FIELD_ALIGN      8u
#define CHUNK_BYTES_MIN  256u
#define OBJECT_BYTES_MAX ((size_t)1 << 30)

/* Fields of an object; the first chunk lies behind its object in the same block. */
struct pin_object_chunk {
    struct pin_object_chunk *next; /* Older chunk; the inline one is last. */
    uint32_t cap;
    uint32_t used;
    _Alignas(FIELD_ALIGN) char bytes[];
};

static const char *const kind_texts[] = {
    [PIN_KIND_SERVICE] = "Service",
    [PIN_KIND_ENDPOINT_SLICE] = "EndpointSlice",
    [PIN_KIND_NAMESPACE] = "Namespace",
    [PIN_KIND_NODE] = "Node",
    [PIN_KIND_GATEWAY] = "Gateway",
    [PIN_KIND_HTTP_ROUTE] = "HTTPRoute",
    [PIN_KIND_GRPC_ROUTE] = "GRPCRoute",
    [PIN_KIND_TCP_ROUTE] = "TCPRoute",
    [PIN_KIND_TLS_ROUTE] = "TLSRoute",
    [PIN_KIND_REFERENCE_GRANT] = "ReferenceGrant",
    [PIN_KIND_DNS_ENDPOINT] = "DNSEndpoint",
    [PIN_KIND_SERVICE_EXPORT] = "ServiceExport",
    [PIN_KIND_SERVICE_IMPORT] = "ServiceImport",
    [PIN_KIND_AWS_SERVICE_EXPORT] = "ServiceExport",
    [PIN_KIND_AWS_SERVICE_IMPORT] = "ServiceImport",
    [PIN_KIND_IAM_AUTH_POLICY] = "IAMAuthPolicy",
    [PIN_KIND_RESOLVE_POLICY] = "ResolvePolicy",
    [PIN_KIND_TARGET_GROUP_POLICY] = "TargetGroupPolicy",
    [PIN_KIND_POD] = "Pod",
    [PIN_KIND_SERVICE_CIDR] = "ServiceCIDR",
    [PIN_KIND_GATEWAY_CLASS] = "GatewayClass",
    [PIN_KIND_INGRESS] = "Ingress",
};
_Static_assert(N_ELEMS(kind_texts) == PIN_KIND_MAX, "every kind has a text");

const struct pin_steering pin_steering_unset = {
    .address = PIN_ADDRESS_UNSET,
    .answers = PIN_ANSWERS_UNSET,
    .affinity = PIN_AFFINITY_UNSET,
    .threshold = PIN_THRESHOLD_UNSET,
    .ttl_s = PIN_TTL_UNSET,
    .weight = PIN_WEIGHT_UNSET,
};

static size_t align_up(size_t bytes)
{
    return (bytes + (FIELD_ALIGN - 1)) & ~(size_t)(FIELD_ALIGN - 1);
}

#define BODY(field) sizeof(((struct pin_object *)0)->as.field)

/* An object ends behind the body of its own kind. */
static const uint16_t body_bytes[] = {
    [PIN_KIND_SERVICE] = BODY(service),
    [PIN_KIND_ENDPOINT_SLICE] = BODY(slice),
    [PIN_KIND_NAMESPACE] = BODY(namespace_),
    [PIN_KIND_NODE] = BODY(node),
    [PIN_KIND_GATEWAY] = BODY(gateway),
    [PIN_KIND_HTTP_ROUTE] = BODY(route),
    [PIN_KIND_GRPC_ROUTE] = BODY(route),
    [PIN_KIND_TCP_ROUTE] = BODY(route),
    [PIN_KIND_TLS_ROUTE] = BODY(route),
    [PIN_KIND_REFERENCE_GRANT] = BODY(grant),
    [PIN_KIND_DNS_ENDPOINT] = BODY(records),
    [PIN_KIND_SERVICE_IMPORT] = BODY(import),
    [PIN_KIND_AWS_SERVICE_EXPORT] = BODY(aws_export),
    [PIN_KIND_AWS_SERVICE_IMPORT] = BODY(aws_import),
    [PIN_KIND_IAM_AUTH_POLICY] = BODY(policy),
    [PIN_KIND_RESOLVE_POLICY] = BODY(policy),
    [PIN_KIND_TARGET_GROUP_POLICY] = BODY(target_group),
    [PIN_KIND_POD] = BODY(pod),
    [PIN_KIND_SERVICE_CIDR] = BODY(service_cidr),
    [PIN_KIND_GATEWAY_CLASS] = BODY(gateway_class),
    [PIN_KIND_INGRESS] = BODY(ingress),
};
_Static_assert(N_ELEMS(body_bytes) == PIN_KIND_MAX, "every kind has a size");

static size_t head_bytes(enum pin_kind kind)
{
    return align_up(offsetof(struct pin_object, as) + body_bytes[kind]);
}

struct pin_object *pin_object_new(enum pin_kind kind, size_t expected_bytes)
{
    if (expected_bytes > OBJECT_BYTES_MAX) {
        return NULL;
    }
    size_t head = head_bytes(kind);
    size_t cap = align_up(expected_bytes);
    struct pin_object *object = malloc(head + sizeof(struct pin_object_chunk) + cap);
    if (object == NULL) {
        return NULL;
    }
    memset(object, 0, head);
    object->kind = kind;
    object->namespace_name = "";
    object->name = "";
    object->steering = &pin_steering_unset;
    object->chunks = (struct pin_object_chunk *)(void *)((char *)object + head);
    *object->chunks = (struct pin_object_chunk){.cap = (uint32_t)cap};
    return object;
}

static struct pin_object_chunk *add_chunk(struct pin_object *object, size_t bytes)
{
    size_t cap = PIN_MAX(align_up(bytes), (size_t)CHUNK_BYTES_MIN);
    struct pin_object_chunk *chunk = malloc(sizeof(*chunk) + cap);
    if (chunk != NULL) {
        *chunk = (struct pin_object_chunk){.next = object->chunks, .cap = (uint32_t)cap};
        object->chunks = chunk;
    }
    return chunk;
}

/* Not zeroed; `bytes` from the next multiple of `align` on. */
static char *take_bytes(struct pin_object *object, size_t bytes, size_t align)
{
    if (bytes > OBJECT_BYTES_MAX) {
        return NULL;
    }
    struct pin_object_chunk *chunk = object->chunks;
    size_t start = ((size_t)chunk->used + (align - 1)) & ~(align - 1);
    if (start > chunk->cap || chunk->cap - start < bytes) {
        chunk = add_chunk(object, bytes);
        start = 0;
    }
    if (chunk == NULL) {
        return NULL;
    }
    chunk->used = (uint32_t)(start + bytes);
    return chunk->bytes + start;
}

void *pin_object_alloc(struct pin_object *object, size_t bytes)
{
    char *fields = take_bytes(object, bytes, FIELD_ALIGN);
    if (fields != NULL) {
        memset(fields, 0, bytes);
    }
    return fields;
}

struct pin_steering *pin_object_steer(struct pin_object *object)
{
    struct pin_steering *steering = pin_object_alloc(object, sizeof(*steering));
    if (steering != NULL) {
        *steering = pin_steering_unset;
        object->steering = steering;
    }
    return steering;
}

const char *pin_object_text(struct pin_object *object, const char *text, size_t bytes)
{
    if (text == NULL || bytes >= OBJECT_BYTES_MAX) {
        return NULL;
    }
    char *copy = take_bytes(object, bytes + 1, 1);
    if (copy != NULL) {
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
    }
    return copy;
}

bool pin_object_set_names(struct pin_object *object, const char *namespace_name, const char *name)
{
    size_t head_bytes = strlen(namespace_name) + 1;
    size_t name_bytes = strlen(name) + 1;
    char *both = take_bytes(object, head_bytes + name_bytes, 1);
    if (both == NULL) {
        return false;
    }
    memcpy(both, namespace_name, head_bytes);
    memcpy(both + head_bytes, name, name_bytes);
    object->namespace_name = both;
    object->name = both + head_bytes;
    return true;
}

void pin_object_free(struct pin_object *object)
{
    if (object == NULL) {
        return;
    }
    struct pin_object_chunk *chunk = object->chunks;
    while (chunk->next != NULL) { /* the last one lies in the object's own block */
        struct pin_object_chunk *older = chunk->next;
        free(chunk);
        chunk = older;
    }
    free(object);
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool pin_object_is_name(const char *text, size_t bytes_max, bool has_dots)
{
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes > bytes_max || !is_alnum(text[0]) || !is_alnum(text[bytes - 1])) {
        return false;
    }
    for (size_t i = 1; i < bytes; i++) {
        if (!is_alnum(text[i]) && text[i] != '-' && !(has_dots && text[i] == '.')) {
            return false;
        }
    }
    return true;
}

const char *pin_kind_text(enum pin_kind kind)
{
    return (unsigned)kind < N_ELEMS(kind_texts) ? kind_texts[kind] : "?";
}

const char *pin_kind_label(enum pin_kind kind)
{
    if (kind == PIN_KIND_AWS_SERVICE_EXPORT) {
        return "AWSServiceExport";
    }
    return kind == PIN_KIND_AWS_SERVICE_IMPORT ? "AWSServiceImport" : pin_kind_text(kind);
}
