/* SPDX-License-Identifier: Apache-2.0 */

/* Ids from a growing table of places. */

#include "ids.h"

#include <stddef.h>
#include <stdlib.h>

#define PLACES_MIN 64u

struct pin_ids_place {
    void *thing;
    uint64_t id;
};

/* Makes room for twice as many. */
static bool grow(struct pin_ids *ids)
{
    uint32_t n = ids->n == 0 ? PLACES_MIN : 2 * ids->n;
    if (n > PIN_IDS_MAX) {
        return false;
    }
    struct pin_ids_place *places = realloc(ids->places, n * sizeof(*places));
    ids->places = places != NULL ? places : ids->places;
    uint32_t *unused = realloc(ids->unused, n * sizeof(*unused));
    ids->unused = unused != NULL ? unused : ids->unused;
    if (places == NULL || unused == NULL) {
        return false;
    }
    while (ids->n < n) {
        ids->unused[ids->n_unused++] = ids->n;
        ids->places[ids->n++] = (struct pin_ids_place){0};
    }
    return true;
}

uint64_t pin_ids_give(struct pin_ids *ids, void *thing)
{
    if (ids->n_unused == 0 && !grow(ids)) {
        return 0;
    }
    uint32_t i = ids->unused[--ids->n_unused];
    uint64_t id = ++ids->n_given << PIN_IDS_BITS | i;
    ids->places[i] = (struct pin_ids_place){.thing = thing, .id = id};
    return id;
}

void *pin_ids_find(const struct pin_ids *ids, uint64_t id)
{
    uint32_t i = id & (PIN_IDS_MAX - 1);
    return i < ids->n && ids->places[i].id == id ? ids->places[i].thing : NULL;
}

void pin_ids_drop(struct pin_ids *ids, uint64_t id)
{
    if (pin_ids_find(ids, id) != NULL) {
        uint32_t i = id & (PIN_IDS_MAX - 1);
        ids->places[i] = (struct pin_ids_place){0};
        ids->unused[ids->n_unused++] = i;
    }
}

void pin_ids_done(struct pin_ids *ids)
{
    free(ids->places);
    free(ids->unused);
    *ids = (struct pin_ids){0};
}
