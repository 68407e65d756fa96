/* SPDX-License-Identifier: Apache-2.0 */

/* ServiceImport of KEP-1645, v1alpha1 and v1beta1. (A ServiceExport counts by being there.) */

#include <string.h>

#include "decoder.h"

void pin__decode_import(struct pin_decoder *self)
{
    struct pin_import_body *body = &self->object->as.import;
    const char *type = pin__decoder_peek(self, self->spec, "type");
    const char *affinity = pin__decoder_peek(self, self->spec, "sessionAffinity");

    body->ips = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "ips"), "spec.ips",
        sizeof(*body->ips), pin__decoder_address, &body->n_ips);
    body->ports = pin__decoder_elements(self, pin__decoder_list(self, self->spec, "ports"), "ports",
        sizeof(*body->ports), pin__decoder_needed_port, &body->n_ports);
    body->is_headless = type != NULL && strcmp(type, "Headless") == 0;
    body->client_ip_affinity = affinity != NULL && strcmp(affinity, "ClientIP") == 0;
    body->prefers_zone = pin__decode_prefers_zone(self);
}
