/* SPDX-License-Identifier: Apache-2.0 */

/* SOA: made, replaced whole, and its serial, which only ever moves on. */

#include "zones/soa.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/macros.h"
#include "pintle/zones/edition.h"

/* Serial, refresh, retry, expire, minimum. */
#define NUMBERS_BYTES 20u

/* With the timers CoreDNS's users know. */
void pin_soa_write(struct pin_soa *soa, const struct pin_zone_spec *spec, uint32_t serial)
{
    struct pin_buf w = pin_buf_init(soa->rr, sizeof(soa->rr));
    size_t rdata_bytes = (size_t)spec->ns[0].bytes + spec->hostmaster.bytes + 20;
    pin_buf_put_u16(&w, PIN_OWNER_POINTER);
    pin_buf_put_u16(&w, PIN_TYPE_SOA);
    pin_buf_put_u16(&w, PIN_CLASS_IN);
    pin_buf_put_u32(&w, spec->ttl_s);
    pin_buf_put_u16(&w, (uint16_t)rdata_bytes);
    pin_buf_put_bytes(&w, spec->ns[0].wire, spec->ns[0].bytes);
    pin_buf_put_bytes(&w, spec->hostmaster.wire, spec->hostmaster.bytes);
    pin_buf_put_u32(&w, serial);
    pin_buf_put_u32(&w, 7200);
    pin_buf_put_u32(&w, 1800);
    pin_buf_put_u32(&w, 86400);
    pin_buf_put_u32(&w, spec->negative_ttl_s);
    soa->serial = serial;
    soa->negative_ttl_s = spec->negative_ttl_s;
    soa->rr_bytes = (uint16_t)pin_buf_used(&w);
}

struct pin_soa *pin_soa_new(const struct pin_zone_spec *spec)
{
    struct pin_soa *soa = calloc(1, sizeof(*soa));
    if (soa != NULL) {
        pin_soa_write(soa, spec, spec->serial);
    }
    return soa;
}

static void free_soa(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_soa, rcu));
}

static void put_serial(struct pin_soa *soa, uint32_t serial)
{
    struct pin_buf w = pin_buf_init(soa->rr + soa->rr_bytes - NUMBERS_BYTES, sizeof(serial));
    pin_buf_put_u32(&w, serial);
    soa->serial = serial;
}

/* Shows another SOA from now on. */
static void show(struct pin_zone *zone, struct pin_soa *soa)
{
    struct pin_soa *old = zone->soa;
    atomic_store_explicit(&zone->serial, soa->serial, memory_order_relaxed);
    pin_rcu_assign(zone->soa, soa);
    pin_rcu_defer(&old->rcu, free_soa);
}

bool pin_soa_move(struct pin_zone *zone, uint32_t serial)
{
    struct pin_soa *soa = malloc(sizeof(*soa));
    if (soa == NULL) {
        return false;
    }
    memcpy(soa, zone->soa, sizeof(*soa));
    put_serial(soa, serial);
    show(zone, soa);
    return true;
}

/* The serial that a file's zone begins with: the file's, unless a later one was served before a
 * restart, or the same one by a zone whose other names may have changed since. */
static uint32_t first_serial(const struct pin_zone *zone, uint32_t file_serial)
{
    bool is_taken = zone->has_floor && !pin_serial_is_after(file_serial, zone->floor_serial)
                    && (file_serial != zone->floor_serial || zone->is_custom);
    return is_taken ? zone->floor_serial + 1 : file_serial;
}

enum pin_err pin_soa_set(
    struct pin_zone *zone, const uint8_t *rr, size_t rr_bytes, uint32_t negative_ttl_s)
{
    struct pin_reader reader = pin_reader_init(rr + rr_bytes - NUMBERS_BYTES, sizeof(uint32_t));
    uint32_t file_serial = pin_reader_get_u32(&reader);
    const struct pin_soa *old = zone->soa;
    struct pin_soa *soa = calloc(1, sizeof(*soa));
    if (soa == NULL || rr_bytes > sizeof(soa->rr)) {
        free(soa);
        return soa == NULL ? PIN_ENOMEM : PIN_ELIMIT;
    }
    memcpy(soa->rr, rr, rr_bytes);
    soa->rr_bytes = (uint16_t)rr_bytes;
    soa->negative_ttl_s = negative_ttl_s;
    put_serial(soa, zone->has_file ? old->serial : first_serial(zone, file_serial));
    zone->is_serial_set = zone->is_serial_set || !zone->has_file;
    zone->file_serial = file_serial;
    zone->has_file = true;
    if (old->rr_bytes == rr_bytes && memcmp(old->rr, soa->rr, rr_bytes) == 0) {
        free(soa);
        return PIN_OK;
    }
    zone->is_changed = true;
    show(zone, soa);
    return PIN_OK;
}

bool pin_soa_settle(struct pin_zone *zone)
{
    bool is_moved = true;
    if (zone->is_serial_set) {
        zone->is_serial_set = false;
    } else if (zone->has_file && pin_serial_is_after(zone->file_serial, zone->soa->serial)) {
        is_moved = pin_soa_move(zone, zone->file_serial);
    } else if (zone->is_changed) {
        is_moved = pin_soa_move(zone, zone->soa->serial + 1);
    }
    zone->is_changed = zone->is_changed && !is_moved;
    return is_moved;
}
