/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short inputs that nobody without the
 * key can foresee. Same key and bytes give the same value everywhere, unlike base/hash.h.
 */

#include <stddef.h>
#include <stdint.h>

/** Bytes of a key. */
#define PIN_SIPHASH_KEY_BYTES 16u

/**
 * Hash of `bytes` bytes. Written as 8 bytes, least significant first, it is what the authors'
 * program and RFC 9018 write. Any thread. About 15 ns for 20 bytes.
 */
uint64_t pin_siphash(const uint8_t key[PIN_SIPHASH_KEY_BYTES], const void *data, size_t bytes);
