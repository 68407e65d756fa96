/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Words that people type: which known one is meant by one that is not known.
 */

#include <stdbool.h>
#include <stddef.h>

/**
 * The word nearest to `word`, or NULL when none is near enough to be a slip of the finger. Words of
 * more than 64 bytes have none.
 *
 * @param words  Borrowed; compared without regard to case.
 */
const char *pin_nearest(const char *word, const char *const *words, size_t n_words);

/** Whether `word` is one of them. */
bool pin_is_among(const char *word, const char *const *words, size_t n_words);
