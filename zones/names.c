/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of domain names, packed. */

#include "zones/names.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#define HEAD_BYTES 2u
/* Room for a few names more when a list grows. */
#define SPARE_BYTES 64u

bool pin_names_next(const struct pin_names *names, struct pin_names_walk *walk)
{
    if (walk->at >= names->bytes) {
        return false;
    }
    const uint8_t *entry = names->packed + walk->at;
    uint8_t n_own = entry[0];
    uint8_t n_shared = entry[1];
    memmove(walk->name.wire + n_own, walk->name.wire + (walk->name.bytes - n_shared), n_shared);
    memcpy(walk->name.wire, entry + HEAD_BYTES, n_own);
    walk->name.bytes = (uint8_t)(n_own + n_shared);
    walk->at += HEAD_BYTES + n_own;
    return true;
}

static uint8_t count_shared(const struct pin_name *a, const struct pin_name *b)
{
    uint8_t max = PIN_MIN(a->bytes, b->bytes);
    uint8_t n = 0;
    while (n < max && a->wire[a->bytes - 1 - n] == b->wire[b->bytes - 1 - n]) {
        n++;
    }
    return n;
}

/* Writes one entry; returns its length. */
static size_t pack(uint8_t *entry, const struct pin_name *name, const struct pin_name *last)
{
    uint8_t n_shared = count_shared(name, last);
    entry[0] = (uint8_t)(name->bytes - n_shared);
    entry[1] = n_shared;
    memcpy(entry + HEAD_BYTES, name->wire, entry[0]);
    return HEAD_BYTES + entry[0];
}

static bool make_room(struct pin_names_draft *draft, size_t bytes)
{
    const struct pin_names *before = draft->before;
    bool is_first = draft->names.packed == NULL;
    size_t used = is_first ? before->bytes : draft->names.bytes;
    if (!is_first && draft->cap - used >= bytes) {
        return true;
    }
    size_t cap = used + PIN_MAX(used / 2, bytes + SPARE_BYTES);
    uint8_t *grown = realloc(draft->names.packed, cap);
    if (grown == NULL) {
        return false;
    }
    if (is_first && before->bytes > 0) {
        memcpy(grown, before->packed, before->bytes);
    }
    draft->names = (struct pin_names){.packed = grown, .bytes = used};
    draft->cap = cap;
    return true;
}

bool pin_names_add(struct pin_names_draft *draft, const struct pin_name *name)
{
    if (!make_room(draft, HEAD_BYTES + (size_t)name->bytes)) {
        return false;
    }
    struct pin_names *names = &draft->names;
    names->bytes += pack(names->packed + names->bytes, name, &draft->last);
    draft->last = *name;
    return true;
}

/* What stays never needs more room than what it was read from: if z shares x bytes with y, and y
 * shares w with its own predecessor, then z shares min(x, w) with that one. */
void pin_names_filter(struct pin_names_draft *draft, pin_names_keep_fn *keep, void *arg)
{
    struct pin_names_walk walk = {0};
    struct pin_name last = {0};
    size_t kept = 0;
    while (pin_names_next(&draft->names, &walk)) {
        if (keep(arg, &walk.name)) {
            kept += pack(draft->names.packed + kept, &walk.name, &last);
            last = walk.name;
        }
    }
    draft->names.bytes = kept;
}

struct pin_names pin_names_take_new(struct pin_names_draft *draft)
{
    struct pin_names names = draft->names;
    size_t before = names.packed == NULL ? 0 : draft->before->bytes;
    draft->names = (struct pin_names){0};
    if (names.packed == NULL) {
        return names;
    }
    names.bytes -= before;
    memmove(names.packed, names.packed + before, names.bytes);
    uint8_t *fitting = realloc(names.packed, names.bytes);
    names.packed = fitting == NULL ? names.packed : fitting;
    return names;
}
