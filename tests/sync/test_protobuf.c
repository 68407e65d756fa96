/* SPDX-License-Identifier: Apache-2.0 */

/* What comes in protobuf is read as its JSON would be, whatever portions it comes in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/bytes.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"
#include "pintle/zones/claims.h"
#include "pintle/zones/slice.h"

#include "sync/decode.h"
#include "sync/protobuf.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define FRAME_MAX   4096u

static struct pin_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = pin_arena_new("test", ARENA_BYTES);
    return arena == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_arena_free(arena);
    return 0;
}

/* --- Messages ----------------------------------------------------------------------------------
 */

static void put_varint(struct pin_text *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        pin_text_putc(to, (char)(0x80 | (value & 0x7f)));
    }
    pin_text_putc(to, (char)value);
}

static void put_number(struct pin_text *to, unsigned field, uint64_t value)
{
    put_varint(to, field << 3);
    put_varint(to, value);
}

static void put_bytes(struct pin_text *to, unsigned field, const char *data, size_t bytes)
{
    put_varint(to, field << 3 | 2);
    put_varint(to, bytes);
    pin_text_putn(to, data, bytes);
}

static void put_string(struct pin_text *to, unsigned field, const char *text)
{
    put_bytes(to, field, text, strlen(text));
}

/* Puts a message, which is emptied. */
static void put_message(struct pin_text *to, unsigned field, struct pin_text *message)
{
    put_bytes(to, field, pin_text_get(message), message->len);
    pin_text_done(message);
}

static void put_entry(struct pin_text *to, unsigned field, const char *key, const char *value)
{
    struct pin_text entry = {0};
    put_string(&entry, 1, key);
    put_string(&entry, 2, value);
    put_message(to, field, &entry);
}

/* {metadata}: name, namespace, uid, version, time, labels, and managedFields that nobody reads. */
static void put_meta(struct pin_text *to, const char *name, const char *label, const char *value)
{
    struct pin_text meta = {0};
    struct pin_text time = {0};
    put_string(&meta, 1, name);
    put_string(&meta, 2, "");
    put_string(&meta, 3, "shop");
    put_string(&meta, 5, "u-1");
    put_string(&meta, 6, "41");
    put_number(&time, 1, 1763700000);
    put_message(&meta, 8, &time);
    put_entry(&meta, 11, label, value);
    put_string(&meta, 17, "managed");
    put_message(to, 1, &meta);
}

/* The object in "k8s\0" and Unknown; `object` is emptied. */
static struct pin_text wrap(struct pin_text *object)
{
    struct pin_text unknown = {0};
    struct pin_text type = {0};
    put_string(&type, 1, "v1");
    pin_text_putn(&unknown, "k8s", 4);
    put_message(&unknown, 1, &type);
    put_message(&unknown, 2, object);
    put_string(&unknown, 4, "");
    return unknown;
}

/* An event without the frame's length; `object` is emptied. */
static struct pin_text event_of(const char *type, struct pin_text *object)
{
    struct pin_text event = {0};
    struct pin_text raw = {0};
    struct pin_text unknown = wrap(object);
    put_message(&raw, 1, &unknown);
    put_string(&event, 1, type);
    put_message(&event, 2, &raw);
    return event;
}

static void put_endpoint(struct pin_text *slice, const char *address, uint64_t ready)
{
    struct pin_text endpoint = {0};
    struct pin_text conditions = {0};
    struct pin_text target = {0};
    put_string(&endpoint, 1, address);
    put_number(&conditions, 1, ready);
    put_message(&endpoint, 2, &conditions);
    put_string(&target, 1, "Pod");
    put_string(&target, 3, "web-0");
    put_message(&endpoint, 4, &target);
    put_string(&endpoint, 7, "zone-a");
    put_message(slice, 2, &endpoint);
}

static struct pin_text slice_event(void)
{
    struct pin_text slice = {0};
    struct pin_text port = {0};
    put_meta(&slice, "web-1", "kubernetes.io/service-name", "web");
    put_endpoint(&slice, "10.0.0.1", 1);
    put_string(&port, 1, "http");
    put_string(&port, 2, "TCP");
    put_number(&port, 3, 8080);
    put_message(&slice, 3, &port);
    put_endpoint(&slice, "10.0.0.2", 0); /* elements need not stand together */
    put_string(&slice, 4, "IPv4");
    return event_of("ADDED", &slice);
}

/* --- Reading -----------------------------------------------------------------------------------
 */

/* A heap copy of exactly that size, so that a read past its end is seen. */
static enum pin_err read_event(
    const char *data, size_t bytes, enum pin_kind kind, struct pin_tree **ret_tree)
{
    char *copy = malloc(bytes + (bytes == 0));
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    enum pin_err err = pin_protobuf_event(copy, bytes, kind, arena, ret_tree, NULL);
    free(copy);
    return err;
}

static enum pin_err read_text(struct pin_text *event, enum pin_kind kind, struct pin_tree **ret)
{
    enum pin_err err = read_event(pin_text_get(event), event->len, kind, ret);
    pin_text_done(event);
    return err;
}

static struct pin_object *decode(struct pin_text *event, enum pin_kind kind)
{
    struct pin_tree *tree = NULL;
    struct pin_object *object = NULL;
    struct pin_why why = {0};
    assert_int_equal(read_text(event, kind, &tree), PIN_OK);
    assert_string_equal(pin_tree_string(tree, "type", ""), "ADDED");
    if (pin_decode_as(pin_decode_row(kind), "c1", pin_tree_map(tree, "object"), &object, &why)
        != PIN_OK) {
        fail_msg("%s", why.text);
    }
    return object;
}

static void test_slice(void **state)
{
    char pod[PIN_POD_NAME_MAX];
    struct pin_text event = slice_event();
    struct pin_object *object = decode(&event, PIN_KIND_ENDPOINT_SLICE);
    const struct pin_slice_body *body = &object->as.slice;
    (void)state;
    assert_string_equal(object->namespace_name, "shop");
    assert_string_equal(object->name, "web-1");
    assert_true(object->created_s == 1763700000);
    assert_string_equal(body->service, "web");
    assert_int_equal(body->n_endpoints, 2);
    assert_memory_equal(body->ips, ((const uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}), 8);
    assert_int_equal(body->flags[0], PIN_ENDPOINT_READY | PIN_ENDPOINT_SERVING);
    assert_int_equal(body->flags[1], 0);
    assert_string_equal(pin_slice_zone(body, 1), "zone-a");
    assert_true(pin_slice_pod(body, 0, pod));
    assert_string_equal(pod, "web-0");
    assert_int_equal(body->n_ports, 1);
    assert_int_equal(body->ports[0].port, 8080);
    pin_object_free(object);
}

static void put_service_port(struct pin_text *spec, const char *name, const char *target)
{
    struct pin_text port = {0};
    struct pin_text number = {0};
    put_string(&port, 1, name);
    put_number(&port, 3, 80);
    put_number(&number, 1, target != NULL);
    put_number(&number, 2, target != NULL ? 0 : 8080);
    put_string(&number, 3, target != NULL ? target : "");
    put_message(&port, 4, &number);
    put_message(spec, 1, &port);
}

static void test_service(void **state)
{
    struct pin_text service = {0};
    struct pin_text spec = {0};
    (void)state;
    put_meta(&service, "web", "a", "");
    put_service_port(&spec, "http", NULL);
    put_service_port(&spec, "named", "web-port");
    put_string(&spec, 3, "None");
    put_string(&spec, 18, "None");
    put_number(&spec, 13, 1);
    put_string(&spec, 7, "ClientIP");
    put_message(&service, 2, &spec);
    struct pin_text event = event_of("ADDED", &service);
    struct pin_object *object = decode(&event, PIN_KIND_SERVICE);
    const struct pin_service_body *body = &object->as.service;
    assert_true(body->is_headless && body->publish_not_ready && body->client_ip_affinity);
    assert_int_equal(body->n_ports, 2);
    assert_int_equal(body->ports[0].target_port, 8080);
    assert_string_equal(body->ports[1].target_name, "web-port");
    pin_object_free(object);
}

/* {loadBalancer: {ingress: [{ip}, {hostname}]}} as status of what has it. */
static void put_balancer(struct pin_text *to, const char *ip, const char *hostname)
{
    struct pin_text status = {0};
    struct pin_text balancer = {0};
    struct pin_text item = {0};
    put_string(&item, 1, ip);
    put_message(&balancer, 1, &item);
    put_string(&item, 2, hostname);
    put_message(&balancer, 1, &item);
    put_message(&status, 1, &balancer);
    put_message(to, 3, &status);
}

static void test_ingress(void **state)
{
    struct pin_text ingress = {0};
    struct pin_text spec = {0};
    struct pin_text item = {0};
    (void)state;
    put_meta(&ingress, "edge", "a", "");
    put_string(&item, 1, "b.example.com");
    put_message(&spec, 2, &item);
    put_string(&item, 1, "a.example.com");
    put_message(&spec, 3, &item);
    put_string(&spec, 4, "nginx");
    put_message(&ingress, 2, &spec);
    put_balancer(&ingress, "192.0.2.1", "lb.example.net");
    struct pin_text event = event_of("ADDED", &ingress);
    struct pin_object *object = decode(&event, PIN_KIND_INGRESS);
    const struct pin_ingress_body *body = &object->as.ingress;
    assert_int_equal(body->n_hostnames, 2);
    assert_string_equal(body->hostnames[0], "a.example.com");
    assert_string_equal(body->hostnames[1], "b.example.com");
    assert_int_equal(body->n_balancer_ips, 1);
    assert_string_equal(body->balancer_hosts[0], "lb.example.net");
    assert_string_equal(body->class_name, "nginx");
    assert_string_equal(object->written->uid, "u-1");
    pin_object_free(object);
}

/* Annotations of external-dns, and what a Service gets from outside. */
static void test_asks(void **state)
{
    struct pin_text service = {0};
    struct pin_text meta = {0};
    struct pin_text spec = {0};
    (void)state;
    put_string(&meta, 1, "web");
    put_string(&meta, 3, "shop");
    put_entry(&meta, 12, "external-dns.kubernetes.io/hostname", "a.example.com");
    put_message(&service, 1, &meta);
    put_string(&spec, 4, "LoadBalancer");
    put_string(&spec, 5, "192.0.2.9");
    put_message(&service, 2, &spec);
    struct pin_text event = event_of("ADDED", &service);
    struct pin_object *object = decode(&event, PIN_KIND_SERVICE);
    const struct pin_asks *asks = object->written->asks;
    assert_int_equal(asks->n_notes, 1);
    assert_string_equal(asks->notes[0].value, "a.example.com");
    assert_int_equal(asks->n_external_ips, 1);
    assert_true(asks->is_balancer);
    pin_object_free(object);
}

static void test_metadata(void **state)
{
    struct pin_text object = {0};
    struct pin_tree *tree = NULL;
    (void)state;
    put_meta(&object, "shop", "empty", "");
    struct pin_text event = event_of("BOOKMARK", &object);
    assert_int_equal(read_text(&event, PIN_KIND_NAMESPACE, &tree), PIN_OK);
    assert_string_equal(pin_tree_string(tree, "object.metadata.resourceVersion", ""), "41");
    assert_string_equal(
        pin_tree_string(tree, "object.metadata.creationTimestamp", ""), "2025-11-21T04:40:00.000Z");
    assert_string_equal(pin_tree_string(tree, "object.metadata.labels.empty", "none"), "");
    assert_null(pin_tree_path(tree, "object.metadata.managedFields"));
    assert_null(pin_tree_path(tree, "object.metadata.generateName"));
}

static struct pin_text a_status(void)
{
    struct pin_text status = {0};
    put_string(&status, 2, "Failure");
    put_string(&status, 3, "too old");
    put_string(&status, 4, "Expired");
    put_number(&status, 6, 410);
    return status;
}

/* A message has each field once, however often it was sent: what a server says again and again
 * costs no more than its bytes. */
static void test_again(void **state)
{
    struct pin_text service = {0};
    struct pin_text meta = {0};
    struct pin_text spec = {0};
    struct pin_tree *tree = NULL;
    (void)state;
    put_string(&meta, 1, "web");
    put_entry(&meta, 11, "one", "1");
    put_entry(&meta, 12, "note", "n");
    put_entry(&meta, 11, "two", "2");
    put_message(&service, 1, &meta);
    for (unsigned i = 1; i <= 200; i++) {
        char ip[16];
        (void)snprintf(ip, sizeof(ip), "10.96.0.%u", i);
        put_string(&spec, 3, ip);
        put_string(&spec, 18, ip);
        put_number(&spec, 13, i % 2);
    }
    put_string(&spec, 10, "old.example");
    put_string(&spec, 10, "");
    put_string(&spec, 4, "");
    put_message(&service, 2, &spec);
    struct pin_text event = event_of("ADDED", &service);
    assert_int_equal(read_text(&event, PIN_KIND_SERVICE, &tree), PIN_OK);
    const struct pin_tree *object = pin_tree_map(tree, "object");
    assert_int_equal(pin_tree_map(object, "metadata")->n_children, 3);
    assert_string_equal(pin_tree_string(object, "metadata.labels.two", ""), "2");
    assert_int_equal(pin_tree_map(object, "metadata.labels")->n_children, 2);
    assert_int_equal(pin_tree_map(object, "spec")->n_children, 4);
    assert_string_equal(pin_tree_string(object, "spec.clusterIP", ""), "10.96.0.200");
    assert_string_equal(pin_tree_string(object, "spec.externalName", "none"), "");
    assert_int_equal(pin_tree_list(object, "spec.clusterIPs")->n_children, 200);
    assert_false(pin_tree_bool(object, "spec.publishNotReadyAddresses", true));
}

static void test_status(void **state)
{
    struct pin_tree *tree = NULL;
    struct pin_text status = a_status();
    struct pin_text event = event_of("ERROR", &status);
    (void)state;
    assert_int_equal(read_text(&event, PIN_KIND_SERVICE, &tree), PIN_OK);
    assert_int_equal(pin_tree_int(tree, "object.code", 0), 410);
    assert_string_equal(pin_tree_string(tree, "object.reason", ""), "Expired");
    status = a_status();
    struct pin_text answer = wrap(&status);
    assert_int_equal(pin_protobuf_status(answer.ptr, answer.len, arena, &tree, NULL), PIN_OK);
    assert_string_equal(pin_tree_string(tree, "message", ""), "too old");
    assert_int_not_equal(pin_protobuf_status("{\"a\":1}", 7, arena, &tree, NULL), PIN_OK);
    pin_text_done(&answer);
}

static void test_cut_off(void **state)
{
    struct pin_text event = slice_event();
    struct pin_tree *tree = NULL;
    (void)state;
    for (size_t bytes = 0; bytes < event.len; bytes++) {
        assert_int_equal(read_event(event.ptr, bytes, PIN_KIND_ENDPOINT_SLICE, &tree), PIN_EPARSE);
        pin_arena_reset(arena);
    }
    assert_int_equal(read_text(&event, PIN_KIND_ENDPOINT_SLICE, &tree), PIN_OK);
}

static void test_unknown(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum pin_err err;
    } rows[] = {
        {"\xf8\x07\x05", 3, PIN_OK},               /* field 127: a varint */
        {"\xf9\x07\1\2\3\4\5\6\7\10", 10, PIN_OK}, /* 64 bits */
        {"\xfa\x07\2ab", 5, PIN_OK},               /* bytes */
        {"\xfd\x07\1\2\3\4", 6, PIN_OK},           /* 32 bits */
        {"\xfb\x07", 2, PIN_EPARSE},               /* a group */
        {"\x02\1a", 3, PIN_EPARSE},                /* field 0 */
        {"\xf8\x07\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 13, PIN_EPARSE}, /* too long */
        {"\x08\1", 2, PIN_EPARSE},       /* metadata as a number */
        {"\xfa\x07\x7f", 3, PIN_EPARSE}, /* more bytes than there are */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pin_text object = {0};
        struct pin_tree *tree = NULL;
        put_meta(&object, "web", "a", "b");
        pin_text_putn(&object, rows[i].bytes, rows[i].n);
        struct pin_text event = event_of("ADDED", &object);
        assert_int_equal(read_text(&event, PIN_KIND_NAMESPACE, &tree), rows[i].err);
    }
}

static void test_nul(void **state)
{
    struct pin_text meta = {0};
    struct pin_text object = {0};
    struct pin_tree *tree = NULL;
    (void)state;
    put_bytes(&meta, 1, "a\0b", 3);
    put_message(&object, 1, &meta);
    struct pin_text event = event_of("ADDED", &object);
    assert_int_equal(read_text(&event, PIN_KIND_NAMESPACE, &tree), PIN_EUNSUPPORTED);
}

/* --- Frames ------------------------------------------------------------------------------------
 */

static void collect(void *arg, const char *text, size_t bytes)
{
    struct pin_text *out = arg;
    if (text == NULL) {
        pin_text_putf(out, "<%zu too long>", bytes);
        return;
    }
    pin_text_putc(out, '<');
    pin_text_putn(out, text, bytes);
    pin_text_putc(out, '>');
}

static void put_frame(struct pin_text *to, const char *data, size_t bytes)
{
    uint8_t length[4];
    pin_put_be32(length, (uint32_t)bytes);
    pin_text_putn(to, (const char *)length, sizeof(length));
    pin_text_putn(to, data, bytes);
}

static void test_frames(void **state)
{
    static char big[FRAME_MAX + 1];
    struct pin_text stream = {0};
    (void)state;
    memset(big, 'x', sizeof(big));
    put_frame(&stream, "one", 3);
    put_frame(&stream, big, sizeof(big));
    put_frame(&stream, "three", 5);
    for (size_t step = 1; step <= stream.len; step += step < 64 ? 1 : 997) {
        struct pin_text out = {0};
        struct pin_frames frames = {.on_frame = collect, .arg = &out, .frame_bytes_max = FRAME_MAX};
        for (size_t i = 0; i < stream.len; i += step) {
            size_t n = stream.len - i < step ? stream.len - i : step;
            assert_int_equal(pin_frames_feed(&frames, stream.ptr + i, n, NULL), PIN_OK);
        }
        assert_string_equal(pin_text_get(&out), "<one><4097 too long><three>");
        pin_frames_done(&frames);
        pin_text_done(&out);
    }
    struct pin_frames frames = {.on_frame = collect, .arg = NULL, .frame_bytes_max = FRAME_MAX};
    assert_int_equal(pin_frames_feed(&frames, "\0\0\0\0\0", 5, NULL), PIN_EPARSE);
    pin_frames_done(&frames);
    pin_text_done(&stream);
}

static void test_form(void **state)
{
    (void)state;
    assert_true(pin_protobuf_knows(PIN_KIND_SERVICE) && pin_protobuf_knows(PIN_KIND_POD));
    assert_false(
        pin_protobuf_knows(PIN_KIND_HTTP_ROUTE) || pin_protobuf_knows(PIN_KIND_SERVICE_EXPORT));
    assert_true(pin_protobuf_is_frame('\0') && pin_protobuf_is_frame('\1'));
    assert_false(pin_protobuf_is_frame('{') || pin_protobuf_is_frame('\n')
                 || pin_protobuf_is_frame('<') || pin_protobuf_is_frame('\xff'));
}

#define ROW(text, fn)                                                                              \
    {                                                                                              \
        .name = (text), .test_func = (fn), .setup_func = set_up, .teardown_func = tear_down        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW("a slice has its endpoints, wherever they stand", test_slice),
        ROW("a Service has its ports, by number and by name", test_service),
        ROW("an Ingress has its hosts and its load balancer", test_ingress),
        ROW("a Service shows what it asks for outside", test_asks),
        ROW("metadata is as in JSON, without what is not read", test_metadata),
        ROW("of a field that stands twice the last counts", test_again),
        ROW("the object of an ERROR is a Status, and so is an answer", test_status),
        ROW("what is cut off anywhere is malformed", test_cut_off),
        ROW("unknown fields are stepped over, malformed ones are not", test_unknown),
        ROW("a NUL in a text is refused", test_nul),
        ROW("frames come out whole, in whatever portions they come", test_frames),
        ROW("frames are told from JSON by their first byte", test_form),
    };
    return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}
