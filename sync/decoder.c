/* SPDX-License-Identifier: Apache-2.0 */

/* Getters with a sticky failure, and the messages that name object, field and position. */

#include "decoder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

void pin__decoder_enter(struct pin_decoder *self, const char *name)
{
    if (self->n_lists < PIN_DECODER_LISTS_MAX) {
        self->lists[self->n_lists] = (struct pin_decoder_list){.name = name};
    }
    self->n_lists++;
}

void pin__decoder_next(struct pin_decoder *self)
{
    if (self->n_lists > 0 && self->n_lists <= PIN_DECODER_LISTS_MAX) {
        self->lists[self->n_lists - 1].i++;
    }
}

void pin__decoder_leave(struct pin_decoder *self)
{
    self->n_lists--;
}

/* "HTTPRoute default/web: spec.rules[0].backendRefs[1].weight: " */
static void put_place(struct pin_text *text, const struct pin_decoder *self, const char *field)
{
    if (self->key.row != NULL && self->key.name != NULL) {
        bool is_namespaced = self->key.row->is_namespaced;
        pin_text_putf(text, "%s %s%s%s: ", self->key.row->kind_text,
            is_namespaced ? self->key.namespace_name : "", is_namespaced ? "/" : "",
            self->key.name);
    }
    size_t n = PIN_MIN(self->n_lists, (size_t)PIN_DECODER_LISTS_MAX);
    for (size_t i = 0; i < n; i++) {
        pin_text_putf(text, "%s%s[%zu]", i > 0 ? "." : "", self->lists[i].name, self->lists[i].i);
    }
    if (field != NULL) {
        pin_text_putf(text, "%s%s", n > 0 ? "." : "", field);
    }
    if (field != NULL || n > 0) {
        pin_text_puts(text, ": ");
    }
}

void pin__decoder_fail(
    struct pin_decoder *self, const struct pin_tree *at, const char *field, const char *fmt, ...)
{
    if (self->err != PIN_OK) {
        return;
    }
    self->err = PIN_EINVAL;
    if (self->why == NULL) {
        return;
    }
    struct pin_text text = {0};
    if (at != NULL && at->line > 0) {
        pin_text_putf(&text, "%u:%u: ", at->line, at->col);
    }
    put_place(&text, self, field);
    char message[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    (void)pin_why_set(self->why, PIN_EINVAL, "%s%s", pin_text_get(&text), message);
    pin_text_done(&text);
}

void pin__decoder_skip(struct pin_decoder *self, const char *reason)
{
    if (self->err == PIN_OK) {
        self->err = pin_why_set(self->why, PIN_EUNSUPPORTED, "%s", reason);
    }
}

static bool is_absent(const struct pin_tree *node)
{
    return node == NULL || node->kind == PIN_TREE_NULL;
}

/* A child of one of the kinds that hold others. */
static const struct pin_tree *get_nested(struct pin_decoder *self, const struct pin_tree *map,
    const char *field, enum pin_tree_kind kind)
{
    const struct pin_tree *node = pin_tree_find(map, field);
    if (self->err != PIN_OK || is_absent(node)) {
        return NULL;
    }
    if (node->kind != kind) {
        pin__decoder_fail(self, node, field, "must be %s, not %s", pin_tree_kind_str(kind),
            pin_tree_kind_str(node->kind));
        return NULL;
    }
    return node;
}

const struct pin_tree *pin__decoder_list(
    struct pin_decoder *self, const struct pin_tree *map, const char *field)
{
    return get_nested(self, map, field, PIN_TREE_LIST);
}

const struct pin_tree *pin__decoder_map(
    struct pin_decoder *self, const struct pin_tree *map, const char *field)
{
    return get_nested(self, map, field, PIN_TREE_MAP);
}

/* A scalar child, or NULL. */
static const struct pin_tree *get_scalar(
    struct pin_decoder *self, const struct pin_tree *map, const char *field)
{
    const struct pin_tree *node = pin_tree_find(map, field);
    if (self->err != PIN_OK || is_absent(node)) {
        return NULL;
    }
    if (node->text == NULL) {
        pin__decoder_fail(
            self, node, field, "must be a string, not %s", pin_tree_kind_str(node->kind));
        return NULL;
    }
    return node;
}

const char *pin__decoder_peek(
    struct pin_decoder *self, const struct pin_tree *map, const char *field)
{
    const struct pin_tree *node = get_scalar(self, map, field);
    return node == NULL || node->text_bytes == 0 ? NULL : node->text;
}

static const char *take_text(struct pin_decoder *self, const char *text, size_t bytes)
{
    const char *copy = pin_object_text(self->object, text, bytes);
    if (copy == NULL) {
        self->err = pin_why_set(self->why, PIN_ENOMEM, "no memory for '%s'", self->key.name);
    }
    return copy;
}

const char *pin__decoder_text(
    struct pin_decoder *self, const struct pin_tree *map, const char *field)
{
    const struct pin_tree *node = get_scalar(self, map, field);
    if (node == NULL || node->text_bytes == 0) {
        return NULL;
    }
    return take_text(self, node->text, node->text_bytes);
}

const char *pin__decoder_name(
    struct pin_decoder *self, const struct pin_tree *map, const char *field)
{
    const char *text = pin__decoder_text(self, map, field);
    if (text == NULL) {
        pin__decoder_fail(self, map, field, "is missing");
    }
    return text;
}

bool pin__decoder_bool(
    struct pin_decoder *self, const struct pin_tree *map, const char *field, bool fallback)
{
    const struct pin_tree *node = pin_tree_find(map, field);
    if (self->err != PIN_OK || is_absent(node)) {
        return fallback;
    }
    if (node->kind != PIN_TREE_BOOL) {
        pin__decoder_fail(self, node, field, "must be true or false");
        return fallback;
    }
    return node->boolean;
}

long long pin__decoder_int(struct pin_decoder *self, const struct pin_tree *map, const char *field,
    long long min, long long max, long long fallback)
{
    const struct pin_tree *node = pin_tree_find(map, field);
    long long value = fallback;
    if (self->err != PIN_OK || is_absent(node)) {
        return fallback;
    }
    if (!pin_tree_to_int(node, &value) || value < min || value > max) {
        pin__decoder_fail(self, node, field, "'%s' is out of range, use %lld to %lld",
            pin_tree_text(node, pin_tree_kind_str(node->kind)), min, max);
        return fallback;
    }
    return value;
}

enum pin_protocol pin__decoder_protocol(struct pin_decoder *self, const struct pin_tree *map)
{
    const char *text = pin__decoder_peek(self, map, "protocol");
    if (text == NULL || strcmp(text, "TCP") == 0) {
        return PIN_PROTOCOL_TCP;
    }
    if (strcmp(text, "UDP") == 0) {
        return PIN_PROTOCOL_UDP;
    }
    if (strcmp(text, "SCTP") != 0) {
        pin__decoder_fail(self, pin_tree_find(map, "protocol"), "protocol",
            "'%s' is unknown, use TCP, UDP or SCTP", text);
    }
    return PIN_PROTOCOL_SCTP;
}

void *pin__decoder_array(struct pin_decoder *self, size_t n, size_t element_bytes)
{
    if (self->err != PIN_OK || n == 0) {
        return NULL;
    }
    void *array = pin_object_alloc(self->object, n * element_bytes);
    if (array == NULL) {
        self->err = pin_why_set(self->why, PIN_ENOMEM, "no memory for '%s'", self->key.name);
    }
    return array;
}

void *pin__decoder_elements(struct pin_decoder *self, const struct pin_tree *list,
    const char *list_name, size_t element_bytes, pin__element_fn *read, size_t *ret_n)
{
    size_t n = 0;
    uint8_t *array = pin__decoder_array(self, list == NULL ? 0 : list->n_children, element_bytes);
    if (array == NULL) {
        return NULL;
    }
    pin__decoder_enter(self, list_name);
    PIN_TREE_EACH(item, list)
    {
        uint8_t *element = array + n * element_bytes;
        if (read(self, item, element)) {
            n++;
        } else {
            memset(element, 0, element_bytes);
        }
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    *ret_n = n;
    return array;
}

bool pin__decoder_ip(
    struct pin_decoder *self, const struct pin_tree *at, const char *field, struct pin_ip *ret_ip)
{
    const char *text = pin_tree_text(at, NULL);
    struct pin_ip ip = {0};
    if (self->err != PIN_OK) {
        return false;
    }
    if (text == NULL || !pin_ip_parse(text, &ip)) {
        pin__decoder_fail(self, at, field, "'%s' is no IP address", text == NULL ? "" : text);
        return false;
    }
    if (!pin_ip_is_others(&ip)) {
        pin_log_warn("decode: %s: %s %s/%s: address %s is left out, it cannot be reached by others",
            self->where, self->key.row->kind_text, self->key.namespace_name, self->key.name, text);
        return false;
    }
    *ret_ip = ip;
    return true;
}

bool pin__decoder_address(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    return pin__decoder_ip(self, item, NULL, element);
}

bool pin__decoder_port(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_port *port = element;
    port->name = pin__decoder_text(self, item, "name");
    port->app_protocol = pin__decoder_text(self, item, "appProtocol");
    port->protocol = pin__decoder_protocol(self, item);
    port->port = (uint16_t)pin__decoder_int(self, item, "port", 1, 65535, 0);
    port->target_port = port->port;
    return true;
}

bool pin__decoder_needed_port(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    const struct pin_port *port = element;
    (void)pin__decoder_port(self, item, element);
    if (port->port == 0) {
        pin__decoder_fail(self, item, "port", "is missing, use 1 to 65535");
    }
    return true;
}

static const char *find_metadata(const struct pin_decoder *self, const char *map, const char *key)
{
    const struct pin_tree *metadata = pin_tree_find(self->root, "metadata");
    return pin_tree_text(pin_tree_find(pin_tree_find(metadata, map), key), NULL);
}

const char *pin__decoder_annotation(const struct pin_decoder *self, const char *key)
{
    return find_metadata(self, "annotations", key);
}

const char *pin__decoder_label(const struct pin_decoder *self, const char *key)
{
    return find_metadata(self, "labels", key);
}

const char *pin__decoder_take_label(struct pin_decoder *self, const char *key)
{
    const char *text = pin__decoder_label(self, key);
    if (text == NULL || text[0] == '\0' || self->err != PIN_OK) {
        return NULL;
    }
    return take_text(self, text, strlen(text));
}

void pin__decoder_warn_annotation(
    const struct pin_decoder *self, const char *key, const char *value, const char *allowed)
{
    pin_log_warn("decode: %s: %s %s/%s: annotation %s: '%s' cannot be used, use %s; ignored",
        self->where, self->key.row->kind_text, self->key.namespace_name, self->key.name, key, value,
        allowed);
    pin__decoder_complain(
        self, "annotation %s: '%.200s' cannot be used, use %s; ignored", key, value, allowed);
}

void pin__decoder_complain(const struct pin_decoder *self, const char *fmt, ...)
{
    size_t used = self->complaint != NULL ? strlen(self->complaint) : 0;
    va_list args;
    if (self->complaint == NULL || used + 2 >= PIN_DECODER_COMPLAINT_MAX) {
        return;
    }
    if (used > 0) {
        self->complaint[used++] = '\n';
    }
    va_start(args, fmt);
    (void)vsnprintf(self->complaint + used, PIN_DECODER_COMPLAINT_MAX - used, fmt, args);
    va_end(args);
}
