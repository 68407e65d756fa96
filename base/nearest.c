/* SPDX-License-Identifier: Apache-2.0 */

/* The known word that somebody meant. */

#include "pintle/base/nearest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* Longest word that is compared; longer ones have no nearest word. */
#define WORD_MAX 64

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Whether the two letters before `a` and `b` are each other's, swapped. */
static bool is_swapped(const char *a, const char *b, size_t i, size_t j)
{
    return i > 1 && j > 1 && is_same_letter(a[i - 1], b[j - 2])
           && is_same_letter(a[i - 2], b[j - 1]);
}

/* Edits from one word to the other (insert, delete, replace, swap of neighbours). */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3];
        const size_t *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = last[j - 1] + (is_same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
            now[j] = min_of(min_of(last[j], now[j - 1]) + 1, replaced);
            if (is_swapped(a, b, i, j)) {
                now[j] = min_of(now[j], before[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

const char *pin_nearest(const char *word, const char *const *words, size_t n_words)
{
    const char *nearest = NULL;
    size_t allowed = (strlen(word) + 2) / 3;

    for (size_t i = 0; i < n_words; i++) {
        size_t found = distance(word, words[i]);
        if (found <= allowed && found < strlen(words[i])) {
            nearest = words[i];
            allowed = found == 0 ? 0 : found - 1;
        }
        if (found == 0) {
            break;
        }
    }
    return nearest;
}

bool pin_is_among(const char *word, const char *const *words, size_t n_words)
{
    for (size_t i = 0; i < n_words; i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}
