/* SPDX-License-Identifier: Apache-2.0 */

/* DNSEndpoint of external-dns: names, types and targets as they are written. What they mean is seen
 * where they are served. */

#include "pintle/zones/recordset.h"

#include "decoder.h"

#define TTL_MAX_S INT32_MAX

/* One of providerSpecific; without a name it is none. */
static bool read_property(struct pin_decoder *self, const struct pin_tree *item, void *element)
{
    struct pin_recordset_property *property = element;
    property->name = pin__decoder_text(self, item, "name");
    property->value = pin__decoder_text(self, item, "value");
    if (property->value == NULL) {
        property->value = "";
    }
    return property->name != NULL;
}

static void read_targets(
    struct pin_decoder *self, const struct pin_tree *item, struct pin_record *record)
{
    const struct pin_tree *list = pin__decoder_list(self, item, "targets");
    const char **targets =
        pin__decoder_array(self, list != NULL ? list->n_children : 0, sizeof(*targets));
    if (targets == NULL) {
        return;
    }
    PIN_TREE_EACH(target, list)
    {
        if (target->text != NULL) {
            targets[record->n_targets++] =
                pin_object_text(self->object, target->text, target->text_bytes);
        }
    }
    record->targets = targets;
}

void pin__decode_dns_endpoint(struct pin_decoder *self)
{
    struct pin_records_body *body = &self->object->as.records;
    const struct pin_tree *list = pin__decoder_list(self, self->spec, "endpoints");
    struct pin_record *records =
        pin__decoder_array(self, list != NULL ? list->n_children : 0, sizeof(*records));
    if (records == NULL) {
        return;
    }
    pin__decoder_enter(self, "spec.endpoints");
    PIN_TREE_EACH(item, list)
    {
        struct pin_record record = {.name = pin__decoder_text(self, item, "dnsName"),
            .type = pin__decoder_text(self, item, "recordType")};
        long long ttl_s = pin__decoder_int(self, item, "recordTTL", 0, TTL_MAX_S, 0);
        record.ttl_s = ttl_s > 0 ? (uint32_t)ttl_s : PIN_TTL_UNSET;
        record.set_id = pin__decoder_text(self, item, "setIdentifier");
        record.properties = pin__decoder_elements(self,
            pin__decoder_list(self, item, "providerSpecific"), "providerSpecific",
            sizeof(*record.properties), read_property, &record.n_properties);
        read_targets(self, item, &record);
        if (record.name != NULL && record.type != NULL && record.n_targets > 0) {
            records[body->n_records++] = record;
        }
        pin__decoder_next(self);
    }
    pin__decoder_leave(self);
    body->records = records;
}
