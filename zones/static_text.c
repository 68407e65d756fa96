/* SPDX-License-Identifier: Apache-2.0 */

/* A static zone as text again. */

#include "pintle/base/bytes.h"
#include "pintle/zones/rdata.h"

#include "zones/units.h"
#include "zones/zonefile.h"

#define RR_HEAD 12u

static void put_set(
    const struct pin_static_name *name, const struct pin_static_set *set, struct pin_text *text)
{
    char owner[PIN_NAME_TEXT_MAX];
    char type[PIN_RDATA_TYPE_MAX];
    const uint8_t *rr = set->wire;
    pin_name_format(name->wire, owner);
    for (uint16_t i = 0; i < set->n_rr; i++) {
        size_t bytes = pin_get_be16(rr + RR_HEAD - 2);
        struct pin_reader reader = pin_reader_init(rr + RR_HEAD, bytes);
        pin_text_putf(text, "%s %u IN %s ", owner, (unsigned)set->ttl_s,
            pin_rdata_type_text(set->type, type));
        (void)pin_rdata_format(&reader, bytes, set->type, text); /* it was made of such a text */
        pin_text_putc(text, '\n');
        rr += RR_HEAD + bytes;
    }
}

bool pin_catalog_zone_text(const struct pin_catalog *catalog, const struct pin_name *apex,
    size_t *at, size_t max_bytes, struct pin_text *text)
{
    const struct pin_zone *zone = pin_index_zone(catalog->live.index, apex);
    const struct pin_zonefile *file =
        zone != NULL && zone->apex.bytes == apex->bytes ? pin_static_file(catalog, zone) : NULL;
    if (file != NULL && *at == 0) {
        pin_text_puts(text, "$ORIGIN .\n"); /* names in RDATA are written without the last dot */
    }
    for (; file != NULL && *at < file->n_names && text->len < max_bytes; (*at)++) {
        const struct pin_static_name *name = &file->names[*at];
        for (uint16_t i = 0; i < name->n_sets; i++) {
            put_set(name, &name->sets[i], text);
        }
    }
    return file != NULL && *at < file->n_names;
}
