/* SPDX-License-Identifier: Apache-2.0 */

/* ServiceExport and ServiceImport of the AWS Gateway API controller; most of them is annotations.
 */

#include <string.h>

#include "decoder.h"

#define PREFIX "application-networking.k8s.aws/"

/* An annotation copied into the object, or NULL when it is absent or empty. */
static const char *take_annotation(struct pin_decoder *self, const char *key)
{
    const char *text = pin__decoder_annotation(self, key);
    if (text == NULL || text[0] == '\0') {
        return NULL;
    }
    return pin_object_text(self->object, text, strlen(text));
}

/* Of spec.exportedPorts: [{port, routeType}]; where it is there the annotation does not count. */
static bool read_exported_port(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    uint16_t *port = element;
    *port = (uint16_t)pin__decoder_int(self, item, "port", 1, 65535, 0);
    if (*port == 0) {
        pin__decoder_fail(self, item, "port", "is missing, use 1 to 65535");
    }
    return true;
}

/* One number with spaces around it; 0 when it is none. */
static uint16_t read_port(const char *text, size_t bytes)
{
    uint32_t value = 0;
    size_t n_digits = 0;
    size_t end = bytes;
    size_t i = strspn(text, " ");
    while (end > 0 && text[end - 1] == ' ') {
        end--;
    }
    for (; i < end && n_digits < 6; i++, n_digits++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    return i == end && value <= UINT16_MAX ? (uint16_t)value : 0;
}

/* "9200" or "80, 9200". Wrong ones are told and left out; none that is right means every port. */
static void read_annotated_ports(
    struct pin_decoder *self, const char *text, struct pin_aws_export_body *body)
{
    size_t n_max = 1;
    for (const char *c = text; *c != '\0'; c++) {
        n_max += *c == ',';
    }
    uint16_t *ports = pin__decoder_array(self, n_max, sizeof(*ports));
    if (ports == NULL) {
        return;
    }
    const char *at = text;
    for (size_t i = 0; i < n_max; i++) {
        size_t bytes = strcspn(at, ",");
        uint16_t port = read_port(at, bytes);
        if (port != 0) {
            ports[body->n_ports++] = port;
        } else {
            pin__decoder_warn_annotation(
                self, PREFIX "port", text, "ports from 1 to 65535 with commas between them");
        }
        at += bytes + 1;
    }
    body->ports = ports;
}

void pin__decode_aws_export(struct pin_decoder *self)
{
    struct pin_aws_export_body *body = &self->object->as.aws_export;
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "exportedPorts");
    const char *annotated = pin__decoder_annotation(self, PREFIX "port");
    if (list != NULL && list->n_children > 0) {
        body->ports = pin__decoder_elements(self, list, "spec.exportedPorts", sizeof(*body->ports),
            read_exported_port, &body->n_ports);
    } else if (annotated != NULL) {
        read_annotated_ports(self, annotated, body);
    }
    body->service = take_annotation(self, PREFIX "service-name");
}

void pin__decode_aws_import(struct pin_decoder *self)
{
    struct pin_aws_import_body *body = &self->object->as.aws_import;
    body->export_name = take_annotation(self, PREFIX "export-name");
    body->cluster = take_annotation(self, PREFIX "aws-eks-cluster-name");
    body->network = take_annotation(self, PREFIX "aws-vpc");
}
