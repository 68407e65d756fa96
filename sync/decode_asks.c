/* SPDX-License-Identifier: Apache-2.0 */

/* What objects ask of the DNS outside: annotations of external-dns as they are written, and
 * Ingress. What they mean is seen where records are planned. */

#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/zones/claims.h"

#include "decoder.h"

#define CLASS_ANNOTATION "kubernetes.io/ingress.class"
/* Of all texts that are kept of one object; API servers let through no more either. */
#define NOTES_BYTES_MAX ((size_t)256 << 10)

/* --- annotations ---------------------------------------------------------------------------- */

static bool may_ask(enum pin_kind kind)
{
    return pin_kind_is_route(kind) || kind == PIN_KIND_SERVICE || kind == PIN_KIND_GATEWAY
           || kind == PIN_KIND_INGRESS;
}

/* Whether it is one of external-dns, with a text. */
static bool is_note(const struct pin_tree *annotation)
{
    static const char *const prefixes[] = {PIN_CLAIM_PREFIX, PIN_CLAIM_PREFIX_OLD};
    for (size_t i = 0; i < N_ELEMS(prefixes); i++) {
        if (strncmp(annotation->key, prefixes[i], strlen(prefixes[i])) == 0) {
            return pin_tree_text(annotation, NULL) != NULL;
        }
    }
    return false;
}

static const struct pin_tree *annotations_of(const struct pin_decoder *self)
{
    return may_ask(self->key.row->kind) ? pin_tree_map(self->root, "metadata.annotations") : NULL;
}

/* How many there are and what their texts take. */
static size_t count_notes(const struct pin_decoder *self, size_t *ret_bytes)
{
    size_t n = 0;
    *ret_bytes = 0;
    PIN_TREE_EACH(annotation, annotations_of(self))
    {
        if (is_note(annotation)) {
            n++;
            *ret_bytes += strlen(annotation->key) + strlen(pin_tree_text(annotation, "")) + 2;
        }
    }
    return n;
}

size_t pin__decode_asks_size(const struct pin_decoder *self)
{
    size_t bytes = 0;
    size_t n = count_notes(self, &bytes);
    return n == 0 ? 0
                  : sizeof(struct pin_asks) + n * sizeof(struct pin_claim_annotation)
                        + PIN_MIN(bytes, NOTES_BYTES_MAX) + (size_t)3 * PIN_DECODE_ALIGN_BYTES;
}

static bool copy_note(struct pin_decoder *self, const struct pin_tree *annotation,
    const char *value, struct pin_claim_annotation *note)
{
    note->key = pin_object_text(self->object, annotation->key, strlen(annotation->key));
    note->value = pin_object_text(self->object, value, strlen(value));
    if (note->key == NULL || note->value == NULL) {
        self->err = pin_why_set(self->why, PIN_ENOMEM, "no memory for '%s'", self->key.name);
    }
    return self->err == PIN_OK;
}

static void tell_left_out(const struct pin_decoder *self, const char *key)
{
    pin_log_warn(
        "decode: %s: %s %s/%s: annotation %s is left out, all of them are longer than 256 KiB",
        self->where, self->key.row->kind_text, self->key.namespace_name, self->key.name, key);
}

static void read_notes(struct pin_decoder *self, struct pin_asks *asks, size_t n)
{
    size_t left = NOTES_BYTES_MAX;
    struct pin_claim_annotation *notes = pin__decoder_array(self, n, sizeof(*notes));
    asks->notes = notes;
    PIN_TREE_EACH(annotation, notes != NULL ? annotations_of(self) : NULL)
    {
        const char *value = pin_tree_text(annotation, "");
        size_t bytes = strlen(annotation->key) + strlen(value);
        if (!is_note(annotation)) {
            continue;
        }
        if (bytes > left) {
            tell_left_out(self, annotation->key);
            continue;
        }
        left -= bytes;
        if (!copy_note(self, annotation, value, &notes[asks->n_notes++])) {
            return;
        }
    }
}

const struct pin_asks *pin__decode_asks(struct pin_decoder *self)
{
    size_t bytes = 0;
    size_t n = self->err == PIN_OK ? count_notes(self, &bytes) : 0;
    struct pin_asks *asks = n > 0 ? pin__decoder_array(self, 1, sizeof(*asks)) : NULL;
    if (asks == NULL) {
        return NULL;
    }
    read_notes(self, asks, n);
    if (self->key.row->kind == PIN_KIND_SERVICE) {
        const char *type = pin__decoder_peek(self, self->spec, "type");
        const struct pin_tree *list = pin__decoder_list(self, self->spec, "externalIPs");
        asks->is_balancer = type != NULL && strcmp(type, "LoadBalancer") == 0;
        asks->external_ips = pin__decoder_elements(self, list, "spec.externalIPs",
            sizeof(*asks->external_ips), pin__decoder_address, &asks->n_external_ips);
    }
    return asks;
}

/* --- Ingress -------------------------------------------------------------------------------- */

static void add_hostname(struct pin_decoder *self, const char *text, const char **hostnames)
{
    struct pin_ingress_body *body = &self->object->as.ingress;
    const char *copy =
        text == NULL || text[0] == '\0' ? NULL : pin_object_text(self->object, text, strlen(text));
    if (copy != NULL) {
        hostnames[body->n_hostnames++] = copy;
    }
}

/* Each name of the rules, then those of TLS; the same one may come twice. */
static void read_hostnames(struct pin_decoder *self)
{
    const struct pin_tree *rules = pin__decoder_list(self, self->spec, "rules");
    const struct pin_tree *tls = pin__decoder_list(self, self->spec, "tls");
    size_t n_max = rules != NULL ? rules->n_children : 0;
    PIN_TREE_EACH(item, tls)
    {
        const struct pin_tree *hosts = pin_tree_list(item, "hosts");
        n_max += hosts != NULL ? hosts->n_children : 0;
    }
    const char **hostnames = pin__decoder_array(self, n_max, sizeof(*hostnames));
    if (hostnames == NULL) {
        return;
    }
    self->object->as.ingress.hostnames = hostnames;
    PIN_TREE_EACH(rule, rules)
    {
        add_hostname(self, pin_tree_string(rule, "host", NULL), hostnames);
    }
    PIN_TREE_EACH(item, tls)
    {
        PIN_TREE_EACH(host, pin_tree_list(item, "hosts"))
        {
            add_hostname(self, pin_tree_text(host, NULL), hostnames);
        }
    }
}

void pin__decode_ingress(struct pin_decoder *self)
{
    struct pin_ingress_body *body = &self->object->as.ingress;
    const struct pin_tree *status = pin__decoder_map(self, self->root, "status");
    const struct pin_tree *balancer = pin__decoder_map(self, status, "loadBalancer");
    const struct pin_tree *ingress = pin__decoder_list(self, balancer, "ingress");
    read_hostnames(self);
    body->balancer_ips = pin__decoder_elements(self, ingress, "status.loadBalancer.ingress",
        sizeof(*body->balancer_ips), pin__decode_balancer_ip, &body->n_balancer_ips);
    body->balancer_hosts = pin__decoder_elements(self, ingress, "status.loadBalancer.ingress",
        sizeof(*body->balancer_hosts), pin__decode_balancer_host, &body->n_balancer_hosts);
    body->class_name = pin__decoder_text(self, self->spec, "ingressClassName");
    if (body->class_name == NULL && self->err == PIN_OK) {
        const char *text = pin__decoder_annotation(self, CLASS_ANNOTATION);
        body->class_name = pin_object_text(self->object, text, text != NULL ? strlen(text) : 0);
    }
}
