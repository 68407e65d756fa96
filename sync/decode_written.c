/* SPDX-License-Identifier: Apache-2.0 */

/* What an object shows of what Pintle writes: marks of what is ours, names on routes. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/text.h"
#include "pintle/zones/write.h"

#include "decoder.h"

#define HEX_DIGITS    16
#define SERVICE_LABEL "multicluster.kubernetes.io/service-name"

/* The number that PIN_WRITE_APPLIED says, 0 when it is not there or none of ours. */
static uint64_t read_applied(const struct pin_decoder *self)
{
    const char *text = pin__decoder_annotation(self, PIN_WRITE_APPLIED);
    if (text == NULL || strlen(text) != HEX_DIGITS
        || strspn(text, "0123456789abcdef") != HEX_DIGITS) {
        return 0;
    }
    return strtoull(text, NULL, 16);
}

/* Kinds that are written or told about though others made them. */
static bool is_written_on(enum pin_kind kind)
{
    return pin_kind_is_route(kind) || kind == PIN_KIND_SERVICE_EXPORT || kind == PIN_KIND_GATEWAY
           || kind == PIN_KIND_GATEWAY_CLASS || kind == PIN_KIND_INGRESS
           || kind == PIN_KIND_DNS_ENDPOINT;
}

size_t pin__decode_written_size(const struct pin_decoder *self)
{
    size_t asks_bytes = pin__decode_asks_size(self);
    bool has_any = is_written_on(self->key.row->kind) || asks_bytes > 0
                   || pin__decoder_annotation(self, PIN_WRITE_APPLIED) != NULL;
    return has_any ? sizeof(struct pin_written) + asks_bytes + 64 : 0;
}

/* An annotation or label copied into the object; NULL when absent. */
static const char *copy(struct pin_decoder *self, const char *text)
{
    return text == NULL ? NULL : pin_object_text(self->object, text, strlen(text));
}

/* 0 where there is none. */
static uint64_t read_generation(const struct pin_tree *map, const char *path)
{
    long long value = pin_tree_int(map, path, 0);
    return value > 0 ? (uint64_t)value : 0;
}

/* A text of a condition; what is missing is empty. */
static const char *take(struct pin_decoder *self, const struct pin_tree *item, const char *key)
{
    const char *text = copy(self, pin_tree_string(item, key, ""));
    return text != NULL ? text : "";
}

static bool read_condition(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_condition *condition = element;
    *condition = (struct pin_condition){.type = take(self, item, "type"),
        .status = take(self, item, "status"),
        .reason = take(self, item, "reason"),
        .message = take(self, item, "message"),
        .since = take(self, item, "lastTransitionTime"),
        .generation = read_generation(item, "observedGeneration")};
    return true;
}

static const struct pin_condition *read_conditions_of(
    struct pin_decoder *self, const struct pin_tree *map, size_t *ret_n)
{
    const struct pin_tree *list = pin_tree_list(map, "conditions");
    return pin__decoder_elements(
        self, list, "conditions", sizeof(struct pin_condition), read_condition, ret_n);
}

/* Others write it, too: what cannot be read is not there. */
static void read_conditions(struct pin_decoder *self, struct pin_written *written)
{
    const struct pin_tree *status = pin_tree_map(self->root, "status");
    written->conditions = read_conditions_of(self, status, &written->n_conditions);
}

/* Where an item stands in its list. */
static uint16_t position_of(const struct pin_tree *list, const struct pin_tree *item)
{
    uint16_t position = 0;
    PIN_TREE_EACH(other, list)
    {
        if (other == item) {
            break;
        }
        position++;
    }
    return position;
}

/* An entry of status.parents; those of other controllers are theirs. */
static bool read_parent_part(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_status_part *part = element;
    struct pin_text key = {0};
    const struct pin_tree *ref = pin_tree_map(item, "parentRef");
    if (strcmp(pin_tree_string(item, "controllerName", ""), PIN_WRITE_CONTROLLER) != 0) {
        return false;
    }
    pin_write_put_parent_key(&key, pin_tree_string(ref, "namespace", ""),
        pin_tree_string(ref, "name", ""), pin_tree_string(ref, "sectionName", ""),
        (unsigned)pin_tree_int(ref, "port", 0));
    part->key = key.failed ? NULL : copy(self, pin_text_get(&key));
    pin_text_done(&key);
    part->position = position_of(pin_tree_list(self->root, "status.parents"), item);
    part->conditions = read_conditions_of(self, item, &part->n_conditions);
    return part->key != NULL;
}

/* "HTTPRoute,GRPCRoute"; all are of the Gateway API's group. */
static const char *read_supported(struct pin_decoder *self, const struct pin_tree *list)
{
    struct pin_text kinds = {0};
    PIN_TREE_EACH(item, list)
    {
        pin_text_putf(&kinds, "%s%s", kinds.len > 0 ? "," : "", pin_tree_string(item, "kind", ""));
    }
    const char *text = kinds.failed ? NULL : copy(self, pin_text_get(&kinds));
    pin_text_done(&kinds);
    return text;
}

static bool read_listener_part(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_status_part *part = element;
    long long n_routes = pin_tree_int(item, "attachedRoutes", 0);
    part->key = take(self, item, "name");
    part->kinds = read_supported(self, pin_tree_list(item, "supportedKinds"));
    part->n_routes = n_routes > 0 && n_routes <= INT32_MAX ? (uint32_t)n_routes : 0;
    part->position = position_of(pin_tree_list(self->root, "status.listeners"), item);
    part->conditions = read_conditions_of(self, item, &part->n_conditions);
    return true;
}

static void read_route(struct pin_decoder *self, struct pin_written *written)
{
    const struct pin_tree *parents = pin_tree_list(self->root, "status.parents");
    written->assigned = copy(self, pin__decoder_annotation(self, PIN_WRITE_ASSIGNED));
    written->lattice = copy(self, pin__decoder_annotation(self, PIN_WRITE_LATTICE));
    written->version = copy(self, pin_tree_string(self->root, "metadata.resourceVersion", NULL));
    written->has_parents = parents != NULL;
    written->parts = pin__decoder_elements(self, parents, "status.parents", sizeof(*written->parts),
        read_parent_part, &written->n_parts);
}

void pin__decode_written(struct pin_decoder *self)
{
    enum pin_kind kind = self->key.row->kind;
    uint64_t applied = read_applied(self);
    const struct pin_asks *asks = pin__decode_asks(self);
    bool has_complaint = self->complaint != NULL && self->complaint[0] != '\0';
    if (self->err != PIN_OK
        || (applied == 0 && asks == NULL && !has_complaint && !is_written_on(kind))) {
        return;
    }
    struct pin_written *written = pin__decoder_array(self, 1, sizeof(*written));
    if (written == NULL) {
        return;
    }
    written->applied = applied;
    written->asks = asks;
    written->uid = copy(self, pin_tree_string(self->root, "metadata.uid", NULL));
    written->generation = read_generation(self->root, "metadata.generation");
    if (has_complaint) {
        written->complaint = copy(self, self->complaint);
    }
    if (pin_kind_is_route(kind)) {
        read_route(self, written);
    } else if (kind == PIN_KIND_SERVICE) {
        written->service = copy(self, pin__decoder_label(self, SERVICE_LABEL));
    } else if (kind == PIN_KIND_SERVICE_IMPORT) {
        written->exporters = copy(self, pin__decoder_annotation(self, PIN_WRITE_EXPORTERS));
    }
    if (kind == PIN_KIND_GATEWAY) {
        written->parts = pin__decoder_elements(self, pin_tree_list(self->root, "status.listeners"),
            "status.listeners", sizeof(*written->parts), read_listener_part, &written->n_parts);
    }
    if (kind == PIN_KIND_SERVICE_EXPORT || kind == PIN_KIND_SERVICE_IMPORT
        || kind == PIN_KIND_GATEWAY || kind == PIN_KIND_GATEWAY_CLASS) {
        read_conditions(self, written);
    }
    self->object->written = written;
}
