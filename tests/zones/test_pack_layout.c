/* SPDX-License-Identifier: Apache-2.0 */

/* No field of an object is forgotten when it is packed: what is not described is padding. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/claims.h"

#include "zones/pack_layout.h"

#define STRUCT_MAX 512

/* Which bytes of a struct are no padding; gcc knows. */
#ifdef __has_builtin
#if __has_builtin(__builtin_clear_padding)
#define CLEAR_PADDING(pointer) __builtin_clear_padding(pointer)
#define KNOWS_PADDING          true
#endif
#endif
#ifndef KNOWS_PADDING
#define CLEAR_PADDING(pointer) (void)(pointer)
#define KNOWS_PADDING          false
#endif

#define REAL(name)                                                                                 \
    static size_t real_##name(unsigned char *bytes)                                                \
    {                                                                                              \
        struct pin_##name it;                                                                      \
        memset(&it, 0xff, sizeof(it));                                                             \
        CLEAR_PADDING(&it);                                                                        \
        memcpy(bytes, &it, sizeof(it));                                                            \
        return sizeof(it);                                                                         \
    }

REAL(service_body)
REAL(port)
REAL(slice_body)
REAL(node_body)
REAL(service_cidr_body)
REAL(pod_body)
REAL(namespace_body)
REAL(gateway_body)
REAL(gateway_class_body)
REAL(label_rule)
REAL(listener)
REAL(route_body)
REAL(parent_ref)
REAL(route_rule)
REAL(backend_ref)
REAL(grant_body)
REAL(grant_from)
REAL(grant_to)
REAL(import_body)
REAL(aws_export_body)
REAL(aws_import_body)
REAL(policy_target)
REAL(policy_statement)
REAL(policy_condition)
REAL(ingress_body)
REAL(records_body)
REAL(record)
REAL(recordset_property)
REAL(target_group_body)
REAL(check)
REAL(steering)
REAL(written)
REAL(asks)
REAL(claim_annotation)

static struct layout_case {
    const char *name;
    size_t (*real)(unsigned char *bytes);
    enum pin_kind kind;
    int path[3]; /* fields to go through, -1 ends */
} cases[] = {
    {"a Service's body is described whole", real_service_body, PIN_KIND_SERVICE, {-1}},
    {"so is a port", real_port, PIN_KIND_SERVICE, {3, -1}},
    {"so is a slice's body", real_slice_body, PIN_KIND_ENDPOINT_SLICE, {-1}},
    {"so is a Node's body", real_node_body, PIN_KIND_NODE, {-1}},
    {"so is a ServiceCIDR's", real_service_cidr_body, PIN_KIND_SERVICE_CIDR, {-1}},
    {"so is a Pod's", real_pod_body, PIN_KIND_POD, {-1}},
    {"so is a Gateway's", real_gateway_body, PIN_KIND_GATEWAY, {-1}},
    {"so is a listener", real_listener, PIN_KIND_GATEWAY, {0, -1}},
    {"so is a label that it asks for", real_label_rule, PIN_KIND_GATEWAY, {0, 4, -1}},
    {"so is a GatewayClass's body", real_gateway_class_body, PIN_KIND_GATEWAY_CLASS, {-1}},
    {"so is a Namespace's", real_namespace_body, PIN_KIND_NAMESPACE, {-1}},
    {"so is a route's body", real_route_body, PIN_KIND_HTTP_ROUTE, {-1}},
    {"so is a parent", real_parent_ref, PIN_KIND_HTTP_ROUTE, {0, -1}},
    {"so is a rule", real_route_rule, PIN_KIND_HTTP_ROUTE, {1, -1}},
    {"so is a backend", real_backend_ref, PIN_KIND_HTTP_ROUTE, {1, 0, -1}},
    {"so is a grant's body", real_grant_body, PIN_KIND_REFERENCE_GRANT, {-1}},
    {"so is whom it lets refer", real_grant_from, PIN_KIND_REFERENCE_GRANT, {0, -1}},
    {"so is to what", real_grant_to, PIN_KIND_REFERENCE_GRANT, {1, -1}},
    {"so is an import's", real_import_body, PIN_KIND_SERVICE_IMPORT, {-1}},
    {"so is an AWS export's", real_aws_export_body, PIN_KIND_AWS_SERVICE_EXPORT, {-1}},
    {"so is an AWS import's", real_aws_import_body, PIN_KIND_AWS_SERVICE_IMPORT, {-1}},
    {"so is a policy's target", real_policy_target, PIN_KIND_RESOLVE_POLICY, {0, -1}},
    {"so is a statement", real_policy_statement, PIN_KIND_RESOLVE_POLICY, {1, -1}},
    {"so is a condition", real_policy_condition, PIN_KIND_RESOLVE_POLICY, {1, 1, -1}},
    {"so is a DNSEndpoint's body", real_records_body, PIN_KIND_DNS_ENDPOINT, {-1}},
    {"so is a record", real_record, PIN_KIND_DNS_ENDPOINT, {0, -1}},
    {"so is what a provider is told of it", real_recordset_property, PIN_KIND_DNS_ENDPOINT,
        {0, 4, -1}},
    {"so is an Ingress's body", real_ingress_body, PIN_KIND_INGRESS, {-1}},
    {"so is a TargetGroupPolicy's body", real_target_group_body, PIN_KIND_TARGET_GROUP_POLICY,
        {-1}},
    {"so is a check", real_check, PIN_KIND_TARGET_GROUP_POLICY, {3, -1}},
};

static size_t size_of(const struct pin_pack_field *field)
{
    switch (field->kind) {
    case PIN_PACK_NUMBER:
        return field->bytes;
    case PIN_PACK_UNSET:
        return sizeof(uint32_t);
    case PIN_PACK_COUNT:
        return sizeof(size_t);
    case PIN_PACK_IP:
        return sizeof(struct pin_ip);
    case PIN_PACK_PREFIX:
        return sizeof(struct pin_prefix);
    case PIN_PACK_WITHIN:
        return (size_t)field->max * field->items->bytes;
    default:
        return sizeof(void *);
    }
}

static void cover(const struct pin_pack_layout *layout, unsigned char *bytes)
{
    for (size_t i = 0; i < layout->n_fields; i++) {
        const struct pin_pack_field *field = &layout->fields[i];
        memset(bytes + field->offset, 0, size_of(field));
        if (field->kind == PIN_PACK_ITEMS || field->kind == PIN_PACK_ROWS
            || field->kind == PIN_PACK_BYTES) {
            memset(bytes + field->offset_n, 0, sizeof(size_t));
        }
    }
}

static void test_whole(void **state)
{
    const struct layout_case *c = *state;
    unsigned char bytes[STRUCT_MAX];
    const struct pin_pack_layout *layout = pin_pack_body(c->kind);
    for (size_t i = 0; c->path[i] >= 0; i++) {
        layout = layout->fields[c->path[i]].items;
    }
    size_t n = c->real(bytes);
    assert_int_equal(n, layout->bytes);
    cover(layout, bytes);
    for (size_t i = 0; KNOWS_PADDING && i < n; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

/* Of an object itself: what the catalog makes of it and the memory behind it are its own. */
static void test_head(void **state)
{
    (void)state;
    struct pin_object it;
    unsigned char bytes[sizeof(it)];
    size_t end = offsetof(struct pin_object, as);
    memset(&it, 0xff, sizeof(it));
    CLEAR_PADDING(&it);
    memcpy(bytes, &it, sizeof(it));
    cover(&pin_pack_head, bytes);
    cover(&pin_pack_written, bytes);
    memset(bytes + offsetof(struct pin_object, kind), 0, sizeof(it.kind));
    memset(bytes + offsetof(struct pin_object, list_round), 0, sizeof(it.list_round));
    memset(bytes + offsetof(struct pin_object, chunks), 0, sizeof(it.chunks));
    memset(bytes + offsetof(struct pin_object, steering), 0, sizeof(it.steering));
    for (size_t i = 0; KNOWS_PADDING && i < end; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static void test_steering(void **state)
{
    (void)state;
    unsigned char bytes[STRUCT_MAX];
    assert_int_equal(real_steering(bytes), pin_pack_steering.bytes);
    cover(&pin_pack_steering, bytes);
    for (size_t i = 0; KNOWS_PADDING && i < pin_pack_steering.bytes; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

/* What is written on objects, and what they ask for outside, lies behind the steering. */
static void test_written(void **state)
{
    static size_t (*const real[])(unsigned char *bytes) = {
        real_written, real_asks, real_claim_annotation};
    const struct pin_pack_layout *layout = &pin_pack_written;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(real); i++) {
        unsigned char bytes[STRUCT_MAX];
        size_t at = i == 0 ? layout->n_fields - 1 : i == 1 ? 7 : 0;
        layout = layout->fields[at].items;
        size_t n = real[i](bytes);
        assert_int_equal(n, layout->bytes);
        cover(layout, bytes);
        for (size_t k = 0; KNOWS_PADDING && k < n; k++) {
            assert_int_equal(bytes[k], 0);
        }
    }
}

/* Of a policy's body all but the slot, which is the catalog's. */
static void test_policy(void **state)
{
    (void)state;
    struct pin_policy_body it;
    unsigned char bytes[sizeof(it)];
    memset(&it, 0xff, sizeof(it));
    CLEAR_PADDING(&it);
    memcpy(bytes, &it, sizeof(it));
    cover(pin_pack_body(PIN_KIND_RESOLVE_POLICY), bytes);
    memset(bytes + offsetof(struct pin_policy_body, slot), 0, sizeof(it.slot));
    for (size_t i = 0; KNOWS_PADDING && i < sizeof(it); i++) {
        assert_int_equal(bytes[i], 0);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 4] = {
        {.name = "an object's head is described whole", .test_func = test_head},
        {.name = "so is its steering", .test_func = test_steering},
        {.name = "a policy's body is, but for its slot", .test_func = test_policy},
        {.name = "what is written on objects is", .test_func = test_written},
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i + 4] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_whole, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("pack_layout", tests, NULL, NULL);
}
