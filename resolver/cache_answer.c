/* SPDX-License-Identifier: Apache-2.0 */

/* Copies a cached body behind what a response holds already; moves its pointers where need be. */

#include "cache_answer.h"

#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"

#define RR_TTL_BYTES 4u
#define POINTER      0xC000u
#define LABEL_TYPE   0xC0u

/* Where the message of the entry's own question would have the body. */
static size_t home_of(const struct pin_cache_entry *entry)
{
    return PIN_HEADER_BYTES + (size_t)entry->name_bytes + PIN_QUESTION_TAIL_BYTES;
}

/* --- pointers ----------------------------------------------------------------------------- */

/* Where the label `skip` bytes into a name stands, when the name, perhaps compressed, is at `at`.
 */
static size_t label_at(const uint8_t *wire, size_t at, size_t skip)
{
    for (;;) {
        while ((wire[at] & LABEL_TYPE) == LABEL_TYPE) { /* written by us: it leads backwards */
            at = pin_get_be16(wire + at) & (PIN_POINTER_END - 1u);
        }
        if (skip == 0) {
            return at;
        }
        size_t label_bytes = (size_t)wire[at] + 1;
        if (wire[at] == 0 || label_bytes > skip) {
            return at; /* not the entry's name: cannot be */
        }
        skip -= label_bytes;
        at += label_bytes;
    }
}

/* Moves the pointers of the body, copied to `body`: those into the question to the name at
 * `owner_at`, all others as far as the body was moved. False: one would lead too far. */
static bool move_pointers(const struct pin_response *response, const struct pin_cache_entry *entry,
    size_t owner_at, size_t bytes)
{
    size_t home = home_of(entry);
    uint8_t *body = response->wire + response->used_bytes;
    const uint16_t *pointer_at = pin_cache_pointer_at(entry);
    for (size_t i = 0; i < entry->n_pointers && pointer_at[i] < bytes; i++) {
        size_t target = pin_get_be16(body + pointer_at[i]) & (PIN_POINTER_END - 1u);
        target = target < home ? label_at(response->wire, owner_at, target - PIN_HEADER_BYTES)
                               : target - home + response->used_bytes;
        if (target >= PIN_POINTER_END) {
            return false;
        }
        pin_put_be16(body + pointer_at[i], POINTER | (unsigned)target);
    }
    return true;
}

/* --- what fits ---------------------------------------------------------------------------- */

/* Which section the i-th record is in. */
static enum pin_section section_of(const struct pin_cache_entry *entry, size_t i)
{
    enum pin_section section = PIN_SECTION_ANSWER;
    while (i >= entry->n_rr[section]) {
        i -= entry->n_rr[section];
        section++;
    }
    return section;
}

/* How many bytes the records take that fit, and how many records that are. */
static size_t what_fits(const struct pin_cache_entry *entry, size_t room_bytes, size_t *ret_n)
{
    const uint16_t *ttl_at = pin_cache_ttl_at(entry);
    const uint8_t *body = pin_cache_body(entry);
    size_t n_ttls = pin_cache_n_ttls(entry);
    size_t bytes = 0;
    size_t i = 0;
    for (; i < n_ttls; i++) {
        size_t rdlength_at = (size_t)ttl_at[i] + RR_TTL_BYTES;
        size_t end = rdlength_at + 2 + pin_get_be16(body + rdlength_at);
        if (end > room_bytes) {
            break;
        }
        bytes = end;
    }
    *ret_n = i;
    return bytes;
}

/* --- TTLs --------------------------------------------------------------------------------- */

static void age_ttls(uint8_t *body, const struct pin_cache_entry *entry, size_t n, uint32_t age_s)
{
    const uint16_t *ttl_at = pin_cache_ttl_at(entry);
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = body + ttl_at[i];
        uint32_t ttl_s = pin_get_be32(at);
        pin_put_be32(at, ttl_s > age_s ? ttl_s - age_s : 0);
    }
}

static void set_stale_ttls(uint8_t *body, const struct pin_cache_entry *entry, size_t n)
{
    const uint16_t *ttl_at = pin_cache_ttl_at(entry);
    for (size_t i = 0; i < n; i++) {
        pin_put_be32(body + ttl_at[i], PIN_STALE_TTL_S);
    }
}

static void set_ede(
    struct pin_response *response, const struct pin_cache_entry *entry, bool is_stale)
{
    if (pin_unlikely(is_stale)) {
        response->ede =
            entry->kind == PIN_BODY_NXDOMAIN ? PIN_EDE_STALE_NXDOMAIN : PIN_EDE_STALE_ANSWER;
    } else if (entry->ede != PIN_EDE_NONE) {
        response->ede = entry->ede;
    }
}

/* Counts the records that are there to be copied. */
static void count(struct pin_response *response, const struct pin_cache_entry *entry)
{
    for (size_t section = 0; section < PIN_SECTION_MAX; section++) {
        response->n_rr[section] = (uint16_t)(response->n_rr[section] + entry->n_rr[section]);
    }
}

/* What is not placed as in the message of its own question, or does not fit there. */
static bool add_elsewhere(struct pin_response *response, const struct pin_cache_entry *entry,
    const struct pin_cache_shown *shown, size_t *ret_n, size_t *ret_bytes)
{
    uint8_t *body = response->wire + response->used_bytes;
    size_t room_bytes = response->limit_bytes - response->used_bytes;
    size_t n_all = pin_cache_n_ttls(entry);
    size_t bytes = entry->body_bytes;
    size_t n = n_all;
    if (bytes > room_bytes) {
        bytes = what_fits(entry, room_bytes, &n);
    }
    if (n < n_all && response->is_stream) {
        return false; /* a stream has no TC to tell of the rest */
    }
    memcpy(body, pin_cache_body(entry), bytes);
    if (!move_pointers(response, entry, shown->owner_at, bytes)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        response->n_rr[section_of(entry, i)]++;
    }
    if (n < n_all) {
        response->is_truncated = true; /* there is nothing in a body that can be missed */
    }
    *ret_n = n;
    *ret_bytes = bytes;
    return true;
}

bool pin_response_add_entry(struct pin_response *response, const struct pin_cache_entry *entry,
    const struct pin_cache_shown *shown)
{
    uint8_t *body = response->wire + response->used_bytes;
    size_t bytes = entry->body_bytes;
    size_t n = pin_cache_n_ttls(entry);
    if (pin_likely(shown->owner_at == PIN_HEADER_BYTES && response->used_bytes == home_of(entry)
                   && bytes <= response->limit_bytes - response->used_bytes)) {
        memcpy(body, pin_cache_body(entry), bytes);
        count(response, entry);
    } else if (!add_elsewhere(response, entry, shown, &n, &bytes)) {
        return false;
    }
    if (pin_unlikely(shown->is_stale)) {
        set_stale_ttls(body, entry, n);
    } else {
        age_ttls(body, entry, n, (uint32_t)((uint64_t)(shown->now_ms - entry->since_ms) / 1000));
    }
    response->used_bytes += bytes;
    response->rcode = entry->rcode;
    set_ede(response, entry, shown->is_stale);
    return true;
}
