/* SPDX-License-Identifier: Apache-2.0 */

/* The hash key, and the map from byte strings to pointers. */

#include "pintle/base/hash.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/rand.h"

#define ENTRIES_MIN 4U
#define ENTRIES_MAX ((uint32_t)1 << 30)
/* Keys are names; nobody has one as long as this. */
#define KEY_BYTES_MAX (((uint32_t)1 << 30) - 1)

uint8_t pin_hash_secret[PIN_HASH_SECRET_BYTES];

/* Before main(), so that no caller can hash with half a key. */
__attribute__((constructor)) static void draw_secret(void)
{
    pin_rand_secure(pin_hash_secret, sizeof(pin_hash_secret));
}

struct pin_map_entry {
    const char *key; /* NULL: a hole */
    void *value;
    uint32_t hash; /* its lower half */
    uint32_t key_bytes : 31;
    uint32_t is_borrowed : 1; /* the key is not ours */
};

/* Frees the key that an entry holds, when it is the map's. */
static void drop_key(const struct pin_map_entry *entry)
{
    union {
        const char *key;
        char *owned;
    } u = {.key = entry->key};
    if (!entry->is_borrowed) {
        free(u.owned);
    }
}

void pin_map_init(struct pin_map *map)
{
    *map = (struct pin_map){0};
}

void pin_map_done(struct pin_map *map, void (*free_value)(void *value))
{
    for (uint32_t i = 0; i < map->n_entries; i++) {
        if (map->entries[i].key != NULL) {
            drop_key(&map->entries[i]);
            if (free_value != NULL) {
                free_value(map->entries[i].value);
            }
        }
    }
    free(map->entries);
    free(map->slots);
    pin_map_init(map);
}

static uint32_t hash_of(const void *key, size_t key_bytes)
{
    return (uint32_t)pin_hash64(key, key_bytes);
}

/* The slot that holds the key, or the free one where a search for it ends. n_slots > 0. */
static uint32_t find_slot(
    const struct pin_map *map, uint32_t hash, const void *key, size_t key_bytes)
{
    uint32_t mask = map->n_slots - 1;
    uint32_t slot = hash & mask;
    for (; map->slots[slot] != 0; slot = (slot + 1) & mask) {
        const struct pin_map_entry *entry = &map->entries[map->slots[slot] - 1];
        if (entry->hash == hash && entry->key_bytes == key_bytes
            && (key_bytes == 0 || memcmp(entry->key, key, key_bytes) == 0)) {
            break;
        }
    }
    return slot;
}

void *pin_map_find(const struct pin_map *map, const void *key, size_t key_bytes)
{
    if (map->n_live == 0) {
        return NULL;
    }
    uint32_t slot = find_slot(map, hash_of(key, key_bytes), key, key_bytes);
    return map->slots[slot] == 0 ? NULL : map->entries[map->slots[slot] - 1].value;
}

/* There is a free slot: half of them always are. */
static void enter(struct pin_map *map, uint32_t entry_i)
{
    uint32_t mask = map->n_slots - 1;
    uint32_t slot = map->entries[entry_i].hash & mask;
    while (map->slots[slot] != 0) {
        slot = (slot + 1) & mask;
    }
    map->slots[slot] = entry_i + 1;
}

/* Makes both arrays anew without holes, with room for half as many keys again. */
static bool rebuild(struct pin_map *map)
{
    if (map->n_live >= ENTRIES_MAX / 2) {
        return false;
    }
    uint32_t cap = ENTRIES_MIN;
    while (cap < map->n_live + map->n_live / 2 + 1) {
        cap *= 2;
    }
    struct pin_map_entry *entries = calloc(cap, sizeof(*entries));
    uint32_t *slots = calloc((size_t)cap * 2, sizeof(*slots));
    if (entries == NULL || slots == NULL) {
        free(entries);
        free(slots);
        return false;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < map->n_entries; i++) {
        if (map->entries[i].key != NULL) {
            entries[n++] = map->entries[i];
        }
    }
    free(map->entries);
    free(map->slots);
    map->entries = entries;
    map->slots = slots;
    map->n_slots = cap * 2;
    map->cap_entries = cap;
    map->n_entries = n;
    map->first = 0;
    for (uint32_t i = 0; i < n; i++) {
        enter(map, i);
    }
    return true;
}

static char *dup_key(const void *key, size_t key_bytes)
{
    char *copy = malloc(key_bytes + 1);
    if (copy != NULL) {
        if (key_bytes > 0) {
            memcpy(copy, key, key_bytes);
        }
        copy[key_bytes] = '\0';
    }
    return copy;
}

/* Gives an entry another value. One whose key is borrowed takes the new one: the old one may go
 * with the old value. */
static bool overwrite(struct pin_map_entry *entry, const struct pin_map_entry *with)
{
    struct pin_map_entry next = *with;
    if (!next.is_borrowed && entry->is_borrowed) {
        next.key = dup_key(with->key, with->key_bytes);
        if (next.key == NULL) {
            return false;
        }
    } else if (!next.is_borrowed) {
        next.key = entry->key;
    } else {
        drop_key(entry);
    }
    *entry = next;
    return true;
}

/* Adds an entry for a key that is not there. */
static bool append(struct pin_map *map, const struct pin_map_entry *entry)
{
    char *copy = entry->is_borrowed ? NULL : dup_key(entry->key, entry->key_bytes);
    if ((copy == NULL && !entry->is_borrowed)
        || (map->n_entries == map->cap_entries && !rebuild(map))) {
        free(copy);
        return false;
    }
    map->entries[map->n_entries] = *entry;
    if (!entry->is_borrowed) {
        map->entries[map->n_entries].key = copy;
    }
    enter(map, map->n_entries++);
    map->n_live++;
    return true;
}

/* Stores what `entry` says; its key is the caller's, and copied unless it is borrowed. */
static bool put(struct pin_map *map, const struct pin_map_entry *entry, void **ret_old)
{
    void *old = NULL;
    uint32_t slot =
        map->n_slots == 0 ? 0 : find_slot(map, entry->hash, entry->key, entry->key_bytes);
    if (map->n_slots > 0 && map->slots[slot] != 0) {
        struct pin_map_entry *found = &map->entries[map->slots[slot] - 1];
        old = found->value;
        if (!overwrite(found, entry)) {
            return false;
        }
    } else if (!append(map, entry)) {
        return false;
    }
    if (ret_old != NULL) {
        *ret_old = old;
    }
    return true;
}

static struct pin_map_entry entry_of(const void *key, size_t key_bytes, void *value)
{
    return (struct pin_map_entry){.key = key,
        .value = value,
        .hash = hash_of(key, key_bytes),
        .key_bytes = (uint32_t)key_bytes & KEY_BYTES_MAX};
}

bool pin_map_put(
    struct pin_map *map, const void *key, size_t key_bytes, void *value, void **ret_old)
{
    const struct pin_map_entry entry = entry_of(key, key_bytes, value);
    return key_bytes <= KEY_BYTES_MAX && put(map, &entry, ret_old);
}

bool pin_map_put_borrowed(
    struct pin_map *map, const void *key, size_t key_bytes, void *value, void **ret_old)
{
    struct pin_map_entry entry = entry_of(key, key_bytes, value);
    entry.is_borrowed = 1;
    return key_bytes <= KEY_BYTES_MAX && put(map, &entry, ret_old);
}

/*
 * Frees a slot and moves back what was pushed past it, so that searches need no tombstones: an
 * entry may move to the gap when its home lies at or before the gap, counted round the circle.
 */
static void close_gap(struct pin_map *map, uint32_t gap)
{
    uint32_t mask = map->n_slots - 1;
    for (uint32_t slot = (gap + 1) & mask; map->slots[slot] != 0; slot = (slot + 1) & mask) {
        uint32_t home = map->entries[map->slots[slot] - 1].hash & mask;
        if (((slot - home) & mask) >= ((slot - gap) & mask)) {
            map->slots[gap] = map->slots[slot];
            gap = slot;
        }
    }
    map->slots[gap] = 0;
}

void *pin_map_remove(struct pin_map *map, const void *key, size_t key_bytes)
{
    if (map->n_live == 0) {
        return NULL;
    }
    uint32_t slot = find_slot(map, hash_of(key, key_bytes), key, key_bytes);
    if (map->slots[slot] == 0) {
        return NULL;
    }
    struct pin_map_entry *entry = &map->entries[map->slots[slot] - 1];
    void *value = entry->value;
    close_gap(map, slot);
    drop_key(entry); /* `key` may be this very string: not read any more */
    *entry = (struct pin_map_entry){0};
    map->n_live--;
    while (map->first < map->n_entries && map->entries[map->first].key == NULL) {
        map->first++;
    }
    if (map->n_live == 0) {
        map->first = 0;
        map->n_entries = 0; /* all holes: start over; a running iteration simply ends */
    }
    return value;
}

size_t pin_map_count(const struct pin_map *map)
{
    return map->n_live;
}

bool pin_map_next(const struct pin_map *map, size_t *cursor, const char **ret_key,
    size_t *ret_key_bytes, void **ret_value)
{
    *cursor = *cursor < map->first ? map->first : *cursor;
    while (*cursor < map->n_entries && map->entries[*cursor].key == NULL) {
        (*cursor)++;
    }
    if (*cursor >= map->n_entries) {
        return false;
    }
    const struct pin_map_entry *entry = &map->entries[(*cursor)++];
    if (ret_key != NULL) {
        *ret_key = entry->key;
    }
    if (ret_key_bytes != NULL) {
        *ret_key_bytes = entry->key_bytes;
    }
    if (ret_value != NULL) {
        *ret_value = entry->value;
    }
    return true;
}
