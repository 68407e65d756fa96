/* SPDX-License-Identifier: Apache-2.0 */

/* Messages by tables of their fields, into trees. */

#include "protobuf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/bytes.h"
#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/base/tree.h"

#define MAGIC        "k8s"
#define MAGIC_BYTES  4u /* with its NUL */
#define LENGTH_BYTES 4u
#define VARINT_BYTES 10u
#define WIRE_VARINT  0u
#define WIRE_FIXED64 1u
#define WIRE_BYTES   2u
#define WIRE_FIXED32 5u
#define WIRE_BITS    3u
#define NUMBER_MAX   ((UINT64_C(1) << 29) - 1)

/* What a field holds. */
enum field_type {
    PIN_FIELD_TEXT,
    PIN_FIELD_INT,
    PIN_FIELD_BOOL,
    PIN_FIELD_MESSAGE,
    PIN_FIELD_MAP,         /* of texts */
    PIN_FIELD_TIME,        /* seconds since 1970, as text */
    PIN_FIELD_INT_OR_TEXT, /* IntOrString */
};

struct message;

struct field {
    uint8_t number;
    uint8_t type; /* enum field_type */
    bool is_list;
    const char *key; /* in JSON */
    const struct message *message;
};

struct message {
    const struct field *fields;
    size_t n_fields;
};

#define MESSAGE_OF(...)                                                                            \
    {                                                                                              \
        (const struct field[]){__VA_ARGS__}, N_ELEMS(((const struct field[]){__VA_ARGS__}))        \
    }

/* --- k8s.io/apimachinery ---------------------------------------------------------------------- */

static const struct message meta = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "name", NULL},
    {3, PIN_FIELD_TEXT, false, "namespace", NULL}, {5, PIN_FIELD_TEXT, false, "uid", NULL},
    {6, PIN_FIELD_TEXT, false, "resourceVersion", NULL},
    {8, PIN_FIELD_TIME, false, "creationTimestamp", NULL},
    {11, PIN_FIELD_MAP, false, "labels", NULL}, {12, PIN_FIELD_MAP, false, "annotations", NULL});
static const struct message status = MESSAGE_OF({2, PIN_FIELD_TEXT, false, "status", NULL},
    {3, PIN_FIELD_TEXT, false, "message", NULL}, {4, PIN_FIELD_TEXT, false, "reason", NULL},
    {6, PIN_FIELD_INT, false, "code", NULL});

static const struct message event = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "type", NULL});

/* --- k8s.io/api/core/v1 ------------------------------------------------------------------------
 */

static const struct message service_port = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "name", NULL},
    {2, PIN_FIELD_TEXT, false, "protocol", NULL}, {3, PIN_FIELD_INT, false, "port", NULL},
    {4, PIN_FIELD_INT_OR_TEXT, false, "targetPort", NULL},
    {6, PIN_FIELD_TEXT, false, "appProtocol", NULL});
static const struct message service_spec =
    MESSAGE_OF({1, PIN_FIELD_MESSAGE, true, "ports", &service_port},
        {3, PIN_FIELD_TEXT, false, "clusterIP", NULL}, {4, PIN_FIELD_TEXT, false, "type", NULL},
        {5, PIN_FIELD_TEXT, true, "externalIPs", NULL},
        {7, PIN_FIELD_TEXT, false, "sessionAffinity", NULL},
        {10, PIN_FIELD_TEXT, false, "externalName", NULL},
        {13, PIN_FIELD_BOOL, false, "publishNotReadyAddresses", NULL},
        {18, PIN_FIELD_TEXT, true, "clusterIPs", NULL},
        {23, PIN_FIELD_TEXT, false, "trafficDistribution", NULL});
static const struct message balancer_ingress = MESSAGE_OF(
    {1, PIN_FIELD_TEXT, false, "ip", NULL}, {2, PIN_FIELD_TEXT, false, "hostname", NULL});
static const struct message balancer =
    MESSAGE_OF({1, PIN_FIELD_MESSAGE, true, "ingress", &balancer_ingress});
static const struct message service_status =
    MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "loadBalancer", &balancer});
static const struct message service = MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "metadata", &meta},
    {2, PIN_FIELD_MESSAGE, false, "spec", &service_spec},
    {3, PIN_FIELD_MESSAGE, false, "status", &service_status});
static const struct message name_space =
    MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "metadata", &meta});
static const struct message node_spec = MESSAGE_OF(
    {1, PIN_FIELD_TEXT, false, "podCIDR", NULL}, {7, PIN_FIELD_TEXT, true, "podCIDRs", NULL});
static const struct message node_address = MESSAGE_OF(
    {1, PIN_FIELD_TEXT, false, "type", NULL}, {2, PIN_FIELD_TEXT, false, "address", NULL});
static const struct message node_status =
    MESSAGE_OF({5, PIN_FIELD_MESSAGE, true, "addresses", &node_address});
static const struct message node = MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "metadata", &meta},
    {2, PIN_FIELD_MESSAGE, false, "spec", &node_spec},
    {3, PIN_FIELD_MESSAGE, false, "status", &node_status});
static const struct message pod_spec = MESSAGE_OF({11, PIN_FIELD_BOOL, false, "hostNetwork", NULL});
static const struct message pod_ip = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "ip", NULL});
static const struct message pod_status = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "phase", NULL},
    {6, PIN_FIELD_TEXT, false, "podIP", NULL}, {12, PIN_FIELD_MESSAGE, true, "podIPs", &pod_ip});
static const struct message pod = MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "metadata", &meta},
    {2, PIN_FIELD_MESSAGE, false, "spec", &pod_spec},
    {3, PIN_FIELD_MESSAGE, false, "status", &pod_status});

/* --- k8s.io/api/discovery/v1, networking/v1 ----------------------------------------------------
 */

static const struct message conditions = MESSAGE_OF({1, PIN_FIELD_BOOL, false, "ready", NULL},
    {2, PIN_FIELD_BOOL, false, "serving", NULL}, {3, PIN_FIELD_BOOL, false, "terminating", NULL});
static const struct message reference =
    MESSAGE_OF({1, PIN_FIELD_TEXT, false, "kind", NULL}, {3, PIN_FIELD_TEXT, false, "name", NULL});
static const struct message for_zone = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "name", NULL});
static const struct message hints = MESSAGE_OF({1, PIN_FIELD_MESSAGE, true, "forZones", &for_zone});
static const struct message endpoint = MESSAGE_OF({1, PIN_FIELD_TEXT, true, "addresses", NULL},
    {2, PIN_FIELD_MESSAGE, false, "conditions", &conditions},
    {3, PIN_FIELD_TEXT, false, "hostname", NULL},
    {4, PIN_FIELD_MESSAGE, false, "targetRef", &reference},
    {7, PIN_FIELD_TEXT, false, "zone", NULL}, {8, PIN_FIELD_MESSAGE, false, "hints", &hints});
static const struct message endpoint_port = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "name", NULL},
    {2, PIN_FIELD_TEXT, false, "protocol", NULL}, {3, PIN_FIELD_INT, false, "port", NULL},
    {4, PIN_FIELD_TEXT, false, "appProtocol", NULL});
static const struct message slice = MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "metadata", &meta},
    {2, PIN_FIELD_MESSAGE, true, "endpoints", &endpoint},
    {3, PIN_FIELD_MESSAGE, true, "ports", &endpoint_port},
    {4, PIN_FIELD_TEXT, false, "addressType", NULL});
static const struct message cidr_spec = MESSAGE_OF({1, PIN_FIELD_TEXT, true, "cidrs", NULL});
static const struct message service_cidr =
    MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "metadata", &meta},
        {2, PIN_FIELD_MESSAGE, false, "spec", &cidr_spec});
static const struct message ingress_tls = MESSAGE_OF({1, PIN_FIELD_TEXT, true, "hosts", NULL});
static const struct message ingress_rule = MESSAGE_OF({1, PIN_FIELD_TEXT, false, "host", NULL});
static const struct message ingress_spec =
    MESSAGE_OF({2, PIN_FIELD_MESSAGE, true, "tls", &ingress_tls},
        {3, PIN_FIELD_MESSAGE, true, "rules", &ingress_rule},
        {4, PIN_FIELD_TEXT, false, "ingressClassName", NULL});
static const struct message ingress = MESSAGE_OF({1, PIN_FIELD_MESSAGE, false, "metadata", &meta},
    {2, PIN_FIELD_MESSAGE, false, "spec", &ingress_spec},
    {3, PIN_FIELD_MESSAGE, false, "status", &service_status});

static const struct message *const messages[PIN_KIND_MAX] = {
    [PIN_KIND_SERVICE] = &service,
    [PIN_KIND_ENDPOINT_SLICE] = &slice,
    [PIN_KIND_NAMESPACE] = &name_space,
    [PIN_KIND_NODE] = &node,
    [PIN_KIND_POD] = &pod,
    [PIN_KIND_SERVICE_CIDR] = &service_cidr,
    [PIN_KIND_INGRESS] = &ingress,
};

bool pin_protobuf_knows(enum pin_kind kind)
{
    return messages[kind] != NULL;
}

/* --- Bytes -------------------------------------------------------------------------------------
 */

/* One message while it is read. */
struct span {
    const char *at;
    const char *end;
};

struct reader {
    struct pin_arena *arena;
    struct pin_why *why;
    enum pin_err err;
};

/* One field as it stands in a message. */
struct item {
    uint64_t number;
    uint64_t value;    /* varint */
    struct span bytes; /* length-delimited */
    uint8_t wire;
};

static void fail(struct reader *self, enum pin_err err, const char *message)
{
    if (self->err == PIN_OK) {
        self->err = pin_why_set(self->why, err, "%s", message);
    }
}

static void *full(struct reader *self)
{
    fail(self, PIN_ELIMIT, "too large to be read");
    return NULL;
}

static bool get_varint(struct span *span, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES && span->at < span->end; i++) {
        uint8_t byte = (uint8_t)*span->at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool skip_bytes(struct span *span, uint64_t n, struct span *ret_bytes)
{
    if (n > (uint64_t)(span->end - span->at)) {
        return false;
    }
    *ret_bytes = (struct span){.at = span->at, .end = span->at + n};
    span->at += n;
    return true;
}

/* The next field of a message; false at its end, or when it is malformed. */
static bool next_item(struct reader *self, struct span *span, struct item *ret)
{
    uint64_t tag = 0;
    uint64_t n = 0;
    if (span->at == span->end || self->err != PIN_OK) {
        return false;
    }
    bool is_ok = get_varint(span, &tag);
    ret->number = tag >> WIRE_BITS;
    ret->wire = tag & ((1u << WIRE_BITS) - 1);
    is_ok = is_ok && ret->number > 0 && ret->number <= NUMBER_MAX;
    switch (ret->wire) {
    case WIRE_VARINT:
        is_ok = is_ok && get_varint(span, &ret->value);
        break;
    case WIRE_FIXED64:
        is_ok = is_ok && skip_bytes(span, 8, &ret->bytes);
        break;
    case WIRE_BYTES:
        is_ok = is_ok && get_varint(span, &n) && skip_bytes(span, n, &ret->bytes);
        break;
    case WIRE_FIXED32:
        is_ok = is_ok && skip_bytes(span, 4, &ret->bytes);
        break;
    default:
        is_ok = false;
    }
    if (!is_ok) {
        fail(self, PIN_EPARSE, "malformed protobuf");
    }
    return is_ok;
}

/* --- Nodes -------------------------------------------------------------------------------------
 */

static struct pin_tree *new_node(
    struct reader *self, struct pin_tree *parent, const char *key, enum pin_tree_kind kind)
{
    struct pin_tree *made = pin_tree_new(self->arena, kind);
    if (made == NULL) {
        return full(self);
    }
    made->key = key;
    pin_tree_append(parent, made);
    return made;
}

/* The node of that key in a message, or NULL. Keys are the tables' own texts, and each is there
 * once: there are no more than a message has fields. */
static struct pin_tree *find_node(const struct pin_tree *map, const char *key)
{
    struct pin_tree *child = map->last; /* elements mostly come together */
    if (child == NULL || child->key == key) {
        return child;
    }
    for (child = map->first; child != NULL && child->key != key; child = child->next) {
    }
    return child;
}

/* The list, or the map of texts, of that key, which is made when its first element comes. */
static struct pin_tree *open_node(
    struct reader *self, struct pin_tree *map, const char *key, enum pin_tree_kind kind)
{
    struct pin_tree *found = find_node(map, key);
    return found != NULL ? found : new_node(self, map, key, kind);
}

/* The node of a field, emptied where there was one: of what stands twice the last counts. (By the
 * rules of protobuf messages that stand twice are merged; API servers write each once.) An element
 * of a list has no key. */
static struct pin_tree *field_node(
    struct reader *self, struct pin_tree *parent, const char *key, enum pin_tree_kind kind)
{
    struct pin_tree *found = key == NULL ? NULL : find_node(parent, key);
    if (found == NULL) {
        return new_node(self, parent, key, kind);
    }
    *found = (struct pin_tree){.kind = kind, .key = key, .next = found->next};
    return found;
}

static const char *copy_text(struct reader *self, const struct span *bytes)
{
    size_t n = (size_t)(bytes->end - bytes->at);
    if (n > 0 && memchr(bytes->at, '\0', n) != NULL) {
        fail(self, PIN_EUNSUPPORTED, "a NUL character is not supported");
        return NULL;
    }
    char *text = pin_arena_strndup(self->arena, bytes->at, n);
    return text != NULL ? text : full(self);
}

static void set_text(struct reader *self, struct pin_tree *made, const struct span *bytes)
{
    if (made != NULL) {
        made->text = copy_text(self, bytes);
        made->text_bytes = (size_t)(bytes->end - bytes->at);
    }
}

static void put_text(
    struct reader *self, struct pin_tree *parent, const char *key, const struct span *bytes)
{
    set_text(self, field_node(self, parent, key, PIN_TREE_STRING), bytes);
}

static void put_int(struct reader *self, struct pin_tree *parent, const char *key, uint64_t value)
{
    char text[24];
    int bytes = snprintf(text, sizeof(text), "%lld", (long long)value);
    char *copy = pin_arena_strndup(self->arena, text, (size_t)bytes);
    struct pin_tree *made = copy == NULL ? full(self) : field_node(self, parent, key, PIN_TREE_INT);
    if (made != NULL) {
        made->integer = (long long)value;
        made->number = (double)made->integer;
        made->text = copy;
        made->text_bytes = (size_t)bytes;
    }
}

static void put_bool(struct reader *self, struct pin_tree *parent, const char *key, uint64_t value)
{
    struct pin_tree *made = field_node(self, parent, key, PIN_TREE_BOOL);
    if (made != NULL) {
        made->boolean = value != 0;
        made->text = value != 0 ? "true" : "false";
        made->text_bytes = strlen(made->text);
    }
}

/* An entry {key, value} of a map of texts. */
static void put_entry(
    struct reader *self, struct pin_tree *parent, const char *key, struct span bytes)
{
    struct pin_tree *map = open_node(self, parent, key, PIN_TREE_MAP);
    struct span sides[2] = {{0}};
    struct item item;
    while (next_item(self, &bytes, &item)) {
        if (item.wire == WIRE_BYTES && item.number <= 2) {
            sides[item.number - 1] = item.bytes;
        }
    }
    const char *name = self->err == PIN_OK && map != NULL ? copy_text(self, &sides[0]) : NULL;
    if (name != NULL) {
        set_text(self, new_node(self, map, name, PIN_TREE_STRING), &sides[1]);
    }
}

/* A time without its fractions, as JSON has it. */
static void put_time(
    struct reader *self, struct pin_tree *parent, const char *key, struct span bytes)
{
    struct item item;
    uint64_t seconds = 0;
    bool is_there = false;
    while (next_item(self, &bytes, &item)) {
        if (item.number == 1 && item.wire == WIRE_VARINT) {
            seconds = item.value;
            is_there = true;
        }
    }
    bool is_sane =
        (int64_t)seconds > -INT64_C(100000000000) && (int64_t)seconds < INT64_C(100000000000);
    if (is_there && is_sane && self->err == PIN_OK) {
        char text[PIN_CLOCK_TEXT_MAX];
        pin_clock_format((int64_t)seconds * 1000, text);
        put_text(self, parent, key, &(struct span){.at = text, .end = text + strlen(text)});
    }
}

/* {type, intVal, strVal}; type 1: the text counts. */
static void put_int_or_text(
    struct reader *self, struct pin_tree *parent, const char *key, struct span bytes)
{
    struct item item;
    uint64_t type = 0;
    uint64_t value = 0;
    struct span text = {0};
    while (next_item(self, &bytes, &item)) {
        if (item.number == 1 && item.wire == WIRE_VARINT) {
            type = item.value;
        } else if (item.number == 2 && item.wire == WIRE_VARINT) {
            value = item.value;
        } else if (item.number == 3 && item.wire == WIRE_BYTES) {
            text = item.bytes;
        }
    }
    if (self->err != PIN_OK) {
        return;
    }
    if (type == 0) {
        put_int(self, parent, key, value);
    } else {
        put_text(self, parent, key, &text);
    }
}

/* --- Messages ----------------------------------------------------------------------------------
 */

static const struct field *find_field(const struct message *message, uint64_t number)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        if (message->fields[i].number == number) {
            return &message->fields[i];
        }
    }
    return NULL;
}

static void read_message(
    struct reader *self, const struct message *message, struct span span, struct pin_tree *map);

/* JSON leaves out texts that are empty; one empties what stood before it. */
static void put_bytes(struct reader *self, const struct field *field, struct pin_tree *parent,
    const char *key, const struct span *bytes)
{
    struct pin_tree *made = NULL;
    switch ((enum field_type)field->type) {
    case PIN_FIELD_TEXT:
        if (bytes->at < bytes->end || (key != NULL && find_node(parent, key) != NULL)) {
            put_text(self, parent, key, bytes);
        }
        break;
    case PIN_FIELD_MESSAGE:
        made = field_node(self, parent, key, PIN_TREE_MAP);
        if (made != NULL) {
            read_message(self, field->message, *bytes, made);
        }
        break;
    case PIN_FIELD_MAP:
        put_entry(self, parent, key, *bytes);
        break;
    case PIN_FIELD_TIME:
        put_time(self, parent, key, *bytes);
        break;
    case PIN_FIELD_INT_OR_TEXT:
        put_int_or_text(self, parent, key, *bytes);
        break;
    case PIN_FIELD_INT:
    case PIN_FIELD_BOOL:
        fail(self, PIN_EPARSE, "a protobuf field is of another type");
    }
}

static void put_field(
    struct reader *self, const struct field *field, const struct item *item, struct pin_tree *map)
{
    struct pin_tree *parent =
        field->is_list ? open_node(self, map, field->key, PIN_TREE_LIST) : map;
    const char *key = field->is_list ? NULL : field->key;
    if (parent == NULL) {
        return;
    }
    if (item->wire == WIRE_BYTES) {
        put_bytes(self, field, parent, key, &item->bytes);
    } else if (item->wire == WIRE_VARINT && field->type == PIN_FIELD_INT) {
        put_int(self, parent, key, item->value);
    } else if (item->wire == WIRE_VARINT && field->type == PIN_FIELD_BOOL) {
        put_bool(self, parent, key, item->value);
    } else {
        fail(self, PIN_EPARSE, "a protobuf field is of another type");
    }
}

/* Recursion is as deep as the tables are. */
static void read_message(
    struct reader *self, const struct message *message, struct span span, struct pin_tree *map)
{
    struct item item;
    while (next_item(self, &span, &item)) {
        const struct field *field = find_field(message, item.number);
        if (field != NULL) {
            put_field(self, field, &item, map);
        }
    }
}

/* The bytes of one field of a message; the last one counts. */
static struct span find_bytes(struct reader *self, struct span span, uint64_t number)
{
    struct span found = {0};
    struct item item;
    while (next_item(self, &span, &item)) {
        if (item.number == number && item.wire == WIRE_BYTES) {
            found = item.bytes;
        }
    }
    return found;
}

/* "k8s\0" and what it is about: the message in it. */
static struct span open_unknown(struct reader *self, struct span span)
{
    size_t bytes = (size_t)(span.end - span.at);
    if (self->err == PIN_OK && (bytes < MAGIC_BYTES || memcmp(span.at, MAGIC, MAGIC_BYTES) != 0)) {
        fail(self, PIN_EPARSE, "an object does not begin with \"k8s\"");
    }
    if (self->err != PIN_OK) {
        return (struct span){0};
    }
    span.at += MAGIC_BYTES;
    return find_bytes(self, span, 2);
}

enum pin_err pin_protobuf_event(const char *data, size_t bytes, enum pin_kind kind,
    struct pin_arena *arena, struct pin_tree **ret_tree, struct pin_why *why)
{
    struct reader self = {.arena = arena, .why = why};
    struct span span = {.at = data, .end = data + bytes};
    struct pin_tree *tree = pin_tree_new(arena, PIN_TREE_MAP);
    if (tree == NULL) {
        (void)full(&self);
        return self.err;
    }
    read_message(&self, &event, span, tree);
    struct span object = open_unknown(&self, find_bytes(&self, find_bytes(&self, span, 2), 1));
    bool is_error = strcmp(pin_tree_string(tree, "type", ""), "ERROR") == 0;
    struct pin_tree *map =
        self.err == PIN_OK ? new_node(&self, tree, "object", PIN_TREE_MAP) : NULL;
    if (map != NULL) {
        read_message(&self, is_error ? &status : messages[kind], object, map);
    }
    if (self.err == PIN_OK) {
        *ret_tree = tree;
    }
    return self.err;
}

enum pin_err pin_protobuf_status(const char *data, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why)
{
    struct reader self = {.arena = arena, .why = why};
    struct span object = open_unknown(&self, (struct span){.at = data, .end = data + bytes});
    struct pin_tree *tree = pin_tree_new(arena, PIN_TREE_MAP);
    if (tree == NULL) {
        (void)full(&self);
    } else {
        read_message(&self, &status, object, tree);
    }
    if (self.err == PIN_OK) {
        *ret_tree = tree;
    }
    return self.err;
}

/* --- Frames ------------------------------------------------------------------------------------
 */

void pin_frames_done(struct pin_frames *self)
{
    pin_text_done(&self->piece);
    self->frame_bytes = 0;
    self->n_skip = 0;
}

/* Takes bytes until the piece has `want`; true once it has. */
static bool gather(struct pin_frames *self, const char **at, const char *end, size_t want)
{
    size_t n = PIN_MIN(want - self->piece.len, (size_t)(end - *at));
    pin_text_putn(&self->piece, *at, n);
    *at += n;
    return self->piece.len == want && !self->piece.failed;
}

/* The length of the next frame. False: nothing more is to be done with these bytes. */
static bool begin_frame(struct pin_frames *self, const char **at, const char *end)
{
    if (!gather(self, at, end, LENGTH_BYTES)) {
        return false;
    }
    self->frame_bytes = pin_get_be32((const uint8_t *)self->piece.ptr);
    pin_text_cut(&self->piece, 0);
    if (self->frame_bytes > self->frame_bytes_max) {
        self->n_skip = self->frame_bytes;
        self->on_frame(self->arg, NULL, self->frame_bytes);
    }
    return true;
}

/* A frame, or what of it is there. */
static void take_frame(struct pin_frames *self, const char **at, const char *end)
{
    size_t bytes = self->frame_bytes;
    if (self->n_skip > 0) {
        size_t n = PIN_MIN(self->n_skip, (size_t)(end - *at));
        self->n_skip -= n;
        *at += n;
        self->frame_bytes = self->n_skip > 0 ? bytes : 0;
    } else if (self->piece.len == 0 && (size_t)(end - *at) >= bytes) {
        self->frame_bytes = 0;
        self->on_frame(self->arg, *at, bytes); /* whole in this portion: no copy */
        *at += bytes;
    } else if (gather(self, at, end, bytes)) {
        self->frame_bytes = 0;
        self->on_frame(self->arg, self->piece.ptr, bytes);
        pin_text_cut(&self->piece, 0);
    }
}

enum pin_err pin_frames_feed(
    struct pin_frames *self, const char *data, size_t bytes, struct pin_why *why)
{
    const char *at = data;
    const char *end = data + bytes;
    while (at < end && !self->piece.failed) {
        if (self->frame_bytes > 0) {
            take_frame(self, &at, end);
        } else if (begin_frame(self, &at, end) && self->frame_bytes == 0) {
            return pin_why_set(why, PIN_EPARSE, "a frame of no bytes");
        }
    }
    return self->piece.failed ? pin_why_set(why, PIN_ENOMEM, "no memory for a watch event")
                              : PIN_OK;
}
