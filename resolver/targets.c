/* SPDX-License-Identifier: Apache-2.0 */

/* SRV records of a headless service, written out from a table that repeats no name. */

#include "targets.h"

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/base/ip.h"

#define RR_HEAD_BYTES  12u
#define SRV_HEAD_BYTES 6u
#define RR_MAX_BYTES   (RR_HEAD_BYTES + SRV_HEAD_BYTES + PIN_NAME_MAX_BYTES)

/* A target whose addresses are to be added. */
struct extra {
    struct pin_target_row row;
    size_t at; /* of its name in the message */
};

/* Writes the first label of a target. */
static void put_label(struct pin_buf *w, const struct pin_target_row *row)
{
    char dashed[PIN_IP_DASHED_MAX];
    if (row->label[0] > 0) {
        pin_buf_put_bytes(w, row->label, row->label[0] + 1u);
        return;
    }
    struct pin_ip ip;
    (void)pin_target_ip(row, row->ips, &ip);
    size_t bytes = strlen(pin_ip_dashed(&ip, dashed));
    pin_buf_put_u8(w, (uint8_t)bytes);
    pin_buf_put_bytes(w, dashed, bytes);
}

/* Writes the labels of the service in front of the apex: those of a port do not count. */
static void put_service(struct pin_buf *w, const struct pin_node *node)
{
    const uint8_t *at = node->name;
    const uint8_t *end = at + node->name_bytes - node->zone->apex.bytes;
    while (at[1] == '_') { /* no service's name begins so */
        at = pin_name_parent(at);
    }
    pin_buf_put_bytes(w, at, (size_t)(end - at));
}

/* Adds one record; returns where its target starts, 0 when it did not fit. */
static size_t add_record(struct pin_response *response, const struct pin_target_row *row,
    uint32_t ttl_s, const struct pin_targets_place *place)
{
    uint8_t target[PIN_NAME_MAX_BYTES];
    uint8_t rr[RR_MAX_BYTES];
    struct pin_buf t = pin_buf_init(target, sizeof(target));
    put_label(&t, row);
    pin_buf_put_bytes(&t, row->source + 1, row->source[0]);
    put_service(&t, place->node);
    pin_buf_put_bytes(&t, place->apex->wire, place->apex->bytes);
    size_t target_bytes = pin_buf_used(&t);
    struct pin_buf w = pin_buf_init(rr, sizeof(rr));
    pin_buf_put_u16(&w, PIN_OWNER_POINTER);
    pin_buf_put_u16(&w, PIN_TYPE_SRV);
    pin_buf_put_u16(&w, PIN_CLASS_IN);
    pin_buf_put_u32(&w, ttl_s);
    pin_buf_put_u16(&w, (uint16_t)(SRV_HEAD_BYTES + target_bytes));
    pin_buf_put_u16(&w, 0);
    pin_buf_put_u16(&w, row->weight);
    pin_buf_put_u16(&w, row->port);
    pin_buf_put_bytes(&w, target, target_bytes);
    size_t at = response->used_bytes;
    pin_response_add_rr(response, PIN_SECTION_ANSWER, rr, pin_buf_used(&w), place->owner_at);
    return response->used_bytes > at ? at + RR_HEAD_BYTES + SRV_HEAD_BYTES : 0;
}

/* Notes a target once, however many ports name it; returns how many there are. */
static size_t note_extra(
    struct extra *extras, size_t n, const struct pin_target_row *row, size_t target_at)
{
    for (size_t i = 0; i < n; i++) {
        if (pin_targets_are_same(&extras[i].row, row)) {
            return n;
        }
    }
    if (n < PIN_EXTRAS_MAX) {
        extras[n++] = (struct extra){.row = *row, .at = target_at};
    }
    return n;
}

/* Adds the addresses of one target. False: there is no room for more. */
static bool add_addresses(struct pin_response *response, const struct extra *extra, uint32_t ttl_s,
    const struct pin_targets_place *place)
{
    const uint8_t *at = extra->row.ips;
    for (uint8_t i = 0; i < extra->row.n_ips; i++) {
        uint8_t rr[PIN_RR_AAAA_BYTES];
        struct pin_ip ip;
        at = pin_target_ip(&extra->row, at, &ip);
        bool is_v6 = ip.family != 4;
        struct pin_buf w = pin_buf_init(rr, sizeof(rr));
        pin_buf_put_u16(&w, PIN_OWNER_POINTER);
        pin_buf_put_u16(&w, is_v6 ? PIN_TYPE_AAAA : PIN_TYPE_A);
        pin_buf_put_u16(&w, PIN_CLASS_IN);
        pin_buf_put_u32(&w, ttl_s);
        pin_buf_put_u16(&w, is_v6 ? 16 : 4);
        pin_buf_put_bytes(&w, ip.bytes, is_v6 ? 16 : 4);
        if (response->limit_bytes - response->used_bytes < pin_buf_used(&w)) {
            return false;
        }
        if (!place->hides[is_v6]) {
            pin_response_add_rr(response, PIN_SECTION_ADDITIONAL, rr, pin_buf_used(&w), extra->at);
        }
    }
    return true;
}

void pin_targets_add(struct pin_response *response, const struct pin_table *table,
    const struct pin_targets_place *place)
{
    struct extra extras[PIN_EXTRAS_MAX];
    size_t n_extras = 0;
    uint32_t ttl_s = pin_get_be32(table->wire);
    struct pin_targets_at at = {.at = table->wire + PIN_TARGETS_HEAD_BYTES};
    for (uint16_t i = 0; i < table->n_rr; i++) {
        struct pin_target_row row = pin_targets_next(&at);
        size_t target_at = add_record(response, &row, ttl_s, place);
        if (target_at == 0) {
            break;
        }
        if (target_at < PIN_POINTER_END) {
            n_extras = note_extra(extras, n_extras, &row, target_at);
        }
    }
    for (size_t i = 0; i < n_extras && !response->is_truncated; i++) {
        if (!add_addresses(response, &extras[i], ttl_s, place)) {
            break;
        }
    }
}
