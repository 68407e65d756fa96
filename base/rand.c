/* SPDX-License-Identifier: Apache-2.0 */

/* Random numbers: getrandom() for keys, a small generator per thread for everything else. */

#include "pintle/base/rand.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

/* xoshiro256++ (Blackman and Vigna, 2019): 256 bits of state, never all zero. */
static _Thread_local uint64_t state[4];
static _Thread_local bool is_seeded;

void pin_rand_secure(void *buf, size_t bytes)
{
    unsigned char *at = buf;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno != EINTR) {
            abort(); /* a kernel without random numbers: nothing built on keys would hold */
        }
        if (got > 0) {
            at += got;
            bytes -= (size_t)got;
        }
    }
}

static uint64_t rotate_left(uint64_t value, unsigned n_bits)
{
    return value << n_bits | value >> (64 - n_bits);
}

uint64_t pin_rand_u64(void)
{
    if (!is_seeded) {
        uint64_t seed = 0;
        pin_rand_secure(&seed, sizeof(seed));
        pin_rand_seed(seed);
    }
    uint64_t result = rotate_left(state[0] + state[3], 23) + state[0];
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

/* Multiply and shift; the few values that would favour small results are drawn again (Lemire 2019).
 */
uint32_t pin_rand_below(uint32_t n)
{
    if (n <= 1) {
        return 0;
    }
    uint32_t uneven = (uint32_t)(-n) % n;
    uint64_t product = 0;
    do {
        product = (pin_rand_u64() >> 32) * n;
    } while ((uint32_t)product < uneven);
    return (uint32_t)(product >> 32);
}

/* splitmix64 spreads one number over the state; it never gives four zeros in a row. */
void pin_rand_seed(uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        seed += 0x9E3779B97F4A7C15U;
        uint64_t mixed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBU;
        state[i] = mixed ^ mixed >> 31;
    }
    is_seeded = true;
}
