/* SPDX-License-Identifier: Apache-2.0 */

/* Names out of an upstream's message and into a body. Both directions do a bounded amount of work.
 */

#include <string.h>

#include "pintle/base/hash.h"

#include "reply_work.h"

#define LABEL_TYPE 0xC0u
#define POINTER    0xC000u
/* What the OPT of an answer may take: a body fits over streams whatever the client's options. */
#define OPT_ROOM_BYTES 512u

bool pin__reply_name(
    struct pin_reply_work *work, size_t *at, size_t end, bool may_point, struct pin_name *ret_name)
{
    const uint8_t *wire = work->wire;
    size_t pos = *at;
    size_t start = pos; /* where the labels being read began: a pointer leads before that */
    bool has_jumped = false;
    size_t used = 0;
    for (;;) {
        if (pos >= end) {
            return false;
        }
        size_t label_bytes = wire[pos];
        if ((label_bytes & LABEL_TYPE) == LABEL_TYPE) {
            if (!may_point || end - pos < 2 || work->n_hops_left == 0) {
                return false;
            }
            work->n_hops_left--;
            size_t target = (label_bytes & ~(size_t)LABEL_TYPE) << 8 | wire[pos + 1];
            if (target < PIN_HEADER_BYTES || target >= start) {
                return false;
            }
            *at = has_jumped ? *at : pos + 2;
            has_jumped = true;
            start = target;
            pos = target;
            end = work->bytes;
            continue;
        }
        if ((label_bytes & LABEL_TYPE) != 0 || end - pos <= label_bytes
            || used + label_bytes + 1 > PIN_NAME_MAX_BYTES) {
            return false;
        }
        memcpy(ret_name->wire + used, wire + pos, label_bytes + 1);
        used += label_bytes + 1;
        pos += label_bytes + 1;
        if (label_bytes == 0) {
            ret_name->bytes = (uint8_t)used;
            *at = has_jumped ? *at : pos;
            return true;
        }
    }
}

uint64_t pin__reply_name_hash(const struct pin_name *name)
{
    uint8_t lower[PIN_NAME_MAX_BYTES];
    pin_name_lower(lower, name->wire, name->bytes);
    return pin_hash64(lower, name->bytes);
}

/* --- the body ----------------------------------------------------------------------------- */

void pin__reply_put(
    struct pin_reply_work *work, struct pin_reply *reply, const void *data, size_t bytes)
{
    size_t room_bytes = sizeof(reply->body) - OPT_ROOM_BYTES - work->base - work->out_bytes;
    if (work->is_full || bytes > room_bytes) {
        work->is_full = true; /* no message could hold it */
        return;
    }
    memcpy(reply->body + work->out_bytes, data, bytes);
    work->out_bytes += bytes;
}

void pin__reply_put_pointer(struct pin_reply_work *work, struct pin_reply *reply, size_t at)
{
    const uint8_t pointer[2] = {(uint8_t)((POINTER | at) >> 8), (uint8_t)at};
    if (reply->n_pointers == PIN_REPLY_POINTERS_MAX) {
        work->is_full = true;
        return;
    }
    reply->pointer_at[reply->n_pointers++] = (uint16_t)work->out_bytes;
    pin__reply_put(work, reply, pointer, sizeof(pointer));
}

static void add_suffix(struct pin_reply_work *work, uint64_t hash, size_t at)
{
    if (at < PIN_POINTER_END && work->n_suffixes < PIN_REPLY_SUFFIXES_MAX) {
        work->suffixes[work->n_suffixes++] =
            (struct pin_reply_suffix){.hash = hash, .at = (uint16_t)at};
    }
}

void pin__reply_names_start(struct pin_reply_work *work)
{
    const struct pin_name *qname = &work->steps[0].name;
    work->n_looks_left = PIN_REPLY_LOOKS_MAX;
    work->n_suffixes = 0;
    work->out_bytes = 0;
    work->is_full = false;
    for (size_t i = 0; qname->wire[i] != 0; i += (size_t)qname->wire[i] + 1) {
        add_suffix(work, pin_hash64(qname->wire + i, qname->bytes - i), PIN_HEADER_BYTES + i);
    }
}

/* Where this name stands already; 0: nowhere. */
static size_t find_suffix(struct pin_reply_work *work, uint64_t hash)
{
    work->n_looks_left -= (uint32_t)work->n_suffixes;
    for (size_t i = 0; i < work->n_suffixes; i++) {
        if (work->suffixes[i].hash == hash) {
            return work->suffixes[i].at;
        }
    }
    return 0;
}

void pin__reply_put_name(struct pin_reply_work *work, struct pin_reply *reply,
    const struct pin_name *name, bool may_compress)
{
    struct pin_name lower;
    size_t start = work->base + work->out_bytes;
    size_t i = 0;
    size_t target = 0;
    pin_name_lower(lower.wire, name->wire, name->bytes);
    while (may_compress && lower.wire[i] != 0 && work->n_looks_left >= work->n_suffixes) {
        uint64_t hash = pin_hash64(lower.wire + i, name->bytes - i);
        target = find_suffix(work, hash);
        if (target != 0) {
            break;
        }
        add_suffix(work, hash, start + i);
        i += (size_t)lower.wire[i] + 1;
    }
    if (target == 0) {
        pin__reply_put(work, reply, name->wire, name->bytes);
        return;
    }
    pin__reply_put(work, reply, name->wire, i);
    pin__reply_put_pointer(work, reply, target);
}
