/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A keyed hash and a hash table from byte strings to pointers.
 *
 * The key of the hash is drawn from the kernel when the process starts, so nobody outside can
 * choose names that collide; hashes must not leave the process. xxhash is used here only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/** Bytes of secret that XXH3 mixes in. */
#define PIN_HASH_SECRET_BYTES 192

/** Filled before main() runs, constant after that. Only pin_hash64() looks at it. */
extern uint8_t pin_hash_secret[PIN_HASH_SECRET_BYTES];

/** Hash of `bytes` bytes; the same for the same bytes within one process. About 7 ns for 20 to 60
 * bytes.
 */
static inline uint64_t pin_hash64(const void *data, size_t bytes)
{
    return XXH3_64bits_withSecret(data, bytes, pin_hash_secret, sizeof(pin_hash_secret));
}

/**
 * Checksum of `bytes` bytes that is the same everywhere and for ever. Another seed gives another
 * one.
 */
static inline uint64_t pin_checksum64(const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, bytes, seed);
}

/**
 * Hash table: byte string -> pointer that is not NULL. Keys are copied, unless they are borrowed;
 * values are the caller's.
 *
 *     slots  [ . 2 . 0 . 1 . . ]   index of the entry, found by hash with linear probing
 *     entries[ (key,value) (key,value) (key,value) ]   in order of insertion; removal leaves a hole
 *
 * Iteration follows insertion, so what is built from a map does not depend on the hash.
 * A zeroed struct is an empty map. One thread at a time.
 */
struct pin_map {
    struct pin_map_entry *entries;
    uint32_t *slots;      /**< Entry index + 1; 0 is free. */
    uint32_t n_slots;     /**< Power of two, or 0. */
    uint32_t n_entries;   /**< Used entries, holes included. */
    uint32_t cap_entries; /**< Room for entries. */
    uint32_t n_live;      /**< Keys in the map. */
    uint32_t first;       /**< All entries before this one are holes. */
};

/** Makes an empty map; the same as zeroing it. */
void pin_map_init(struct pin_map *map);

/** Frees keys and table, calls `free_value` (unless NULL) for each value, leaves an empty map. */
void pin_map_done(struct pin_map *map, void (*free_value)(void *value));

/** The value stored for a key, or NULL. */
void *pin_map_find(const struct pin_map *map, const void *key, size_t key_bytes);

/**
 * Stores `value` (not NULL) for a key. Not during an iteration.
 *
 * @param ret_old  What the key had before, now the caller's, or NULL; may itself be NULL when the
 *                 caller knows that the key is new or does not own values through the map.
 * @return false only when out of memory, and then nothing has changed.
 */
bool pin_map_put(
    struct pin_map *map, const void *key, size_t key_bytes, void *value, void **ret_old);

/**
 * The same with a key that the map does not copy: 24 bytes less for a name. It lies where nobody
 * changes it until it is removed or put again, which takes the new one in its place; best in
 * `value` itself. Not NULL.
 */
bool pin_map_put_borrowed(
    struct pin_map *map, const void *key, size_t key_bytes, void *value, void **ret_old);

/** Removes a key and gives its value to the caller; NULL when there was none. Fine while iterating.
 * A map is a queue, too: taking out its first key again and again costs no more than that.
 */
void *pin_map_remove(struct pin_map *map, const void *key, size_t key_bytes);

/** Number of keys. */
size_t pin_map_count(const struct pin_map *map);

/**
 * Steps through the map in order of insertion. Start with *cursor = 0. Any key may be removed
 * between two steps, none may be put.
 *
 * @param ret_key        Borrowed until the key is removed; a copied one ends with a NUL for
 *                       convenience; may be NULL.
 * @param ret_key_bytes  May be NULL.
 * @param ret_value      May be NULL.
 * @return false when there are no more.
 */
bool pin_map_next(const struct pin_map *map, size_t *cursor, const char **ret_key,
    size_t *ret_key_bytes, void **ret_value);
