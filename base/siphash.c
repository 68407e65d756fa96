/* SPDX-License-Identifier: Apache-2.0 */

/* SipHash-2-4, after the description in the paper. */

#include "pintle/base/siphash.h"

#include <string.h>

#define WORD_BYTES     8u
#define N_ROUNDS       2u
#define N_FINAL_ROUNDS 4u
#define FINAL_MARK     UINT64_C(0xFF)
#define LENGTH_AT_BIT  56u

/* "somepseudorandomlygeneratedbytes" */
#define START_0 UINT64_C(0x736F6D6570736575)
#define START_1 UINT64_C(0x646F72616E646F6D)
#define START_2 UINT64_C(0x6C7967656E657261)
#define START_3 UINT64_C(0x7465646279746573)

struct state {
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static inline uint64_t rotate_left(uint64_t value, unsigned n_bits)
{
    return value << n_bits | value >> (64 - n_bits);
}

/* Least significant byte first, on any machine. */
static inline uint64_t load_word(const uint8_t *at, size_t bytes)
{
    uint64_t word = 0;
    for (size_t i = 0; i < bytes; i++) {
        word |= (uint64_t)at[i] << (8 * i);
    }
    return word;
}

static inline void mix(struct state *s, unsigned n_rounds)
{
    for (unsigned i = 0; i < n_rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 = rotate_left(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 = rotate_left(s->v2, 32);
    }
}

static inline void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s, N_ROUNDS);
    s->v0 ^= word;
}

uint64_t pin_siphash(const uint8_t key[PIN_SIPHASH_KEY_BYTES], const void *data, size_t bytes)
{
    const uint8_t *at = data;
    uint64_t k0 = load_word(key, WORD_BYTES);
    uint64_t k1 = load_word(key + WORD_BYTES, WORD_BYTES);
    struct state s = {k0 ^ START_0, k1 ^ START_1, k0 ^ START_2, k1 ^ START_3};

    size_t n_left = bytes;
    for (; n_left >= WORD_BYTES; n_left -= WORD_BYTES, at += WORD_BYTES) {
        take(&s, load_word(at, WORD_BYTES));
    }
    take(&s, load_word(at, n_left) | (uint64_t)bytes << LENGTH_AT_BIT);
    s.v2 ^= FINAL_MARK;
    mix(&s, N_FINAL_ROUNDS);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
