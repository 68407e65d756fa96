/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Random numbers: a secure source for keys, a fast one per thread for everything else.
 */

#include <stddef.h>
#include <stdint.h>

/** Fills `buf` from the kernel. Cannot fail: a system without random numbers aborts the process. */
void pin_rand_secure(void *buf, size_t bytes);

/**
 * 64 random bits from the calling thread's generator, seeded from the kernel at its first use.
 * Fit for jitter and picks, not for secrets. Cost: some nanoseconds, no system call, no lock.
 */
uint64_t pin_rand_u64(void);

/** A number from 0 to n - 1, each equally likely; 0 when n is 0 or 1. Same generator. */
uint32_t pin_rand_below(uint32_t n);

/** Restarts the calling thread's generator from a known seed, for repeatable tests. */
void pin_rand_seed(uint64_t seed);
