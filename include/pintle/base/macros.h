/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The few macros every room uses. None of them hides control flow.
 */

#include <stddef.h>

/** Number of elements of an array (not of a pointer). */
#define N_ELEMS(array) (sizeof(array) / sizeof((array)[0]))

/** The `type` whose field `member` `ptr` points to. `ptr` must not be const. */
#define container_of(ptr, type, member)                                                            \
    ((type *)(void *)((char *)(void *)(ptr)-offsetof(type, member)))

/** Makes the compiler check printf arguments: `fmt_i` and `first_i` count from 1. */
#define PIN_PRINTF(fmt_i, first_i) __attribute__((format(printf, fmt_i, first_i)))

/** Makes an enum as small as it can be, for structs of which there are very many. */
#define PIN_ONE_BYTE __attribute__((packed))

/** Branch hints for the answer path; anywhere else the compiler knows better. */
#define pin_likely(condition)   __builtin_expect(!!(condition), 1)
#define pin_unlikely(condition) __builtin_expect(!!(condition), 0)

/** Smaller and larger of two values of one type; arguments are evaluated twice. */
#define PIN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PIN_MAX(a, b) ((a) > (b) ? (a) : (b))
