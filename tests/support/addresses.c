/* SPDX-License-Identifier: Apache-2.0 */

/* Sets of addresses as scenarios write them. */

#include "support/addresses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 48u

bool pin_addresses_add(struct pin_addresses *set, const struct pin_ip *ip)
{
    if (set->n == ADDRESSES_MAX) {
        return false;
    }
    set->ip[set->n++] = *ip;
    return true;
}

bool pin_addresses_add_word(struct pin_addresses *set, const char *word)
{
    char first[PIN_IP_TEXT_MAX];
    struct pin_ip ip;
    const char *dots = strstr(word, "..");
    size_t bytes = dots != NULL ? (size_t)(dots - word) : strlen(word);
    if (bytes >= sizeof(first)) {
        return false;
    }
    memcpy(first, word, bytes);
    first[bytes] = '\0';
    if (!pin_ip_parse(first, &ip)) {
        return false;
    }
    size_t last_byte = ip.family == 4 ? 3 : 15;
    unsigned long end = dots != NULL ? strtoul(dots + 2, NULL, 10) : ip.bytes[last_byte];
    for (unsigned long i = ip.bytes[last_byte]; i <= end && i <= 255; i++) {
        ip.bytes[last_byte] = (uint8_t)i;
        if (!pin_addresses_add(set, &ip)) {
            return false;
        }
    }
    return end <= 255;
}

bool pin_addresses_has(const struct pin_addresses *set, const struct pin_ip *ip)
{
    for (size_t i = 0; i < set->n; i++) {
        if (pin_ip_equal(&set->ip[i], ip)) {
            return true;
        }
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    return pin_ip_cmp(a, b);
}

void pin_addresses_sort(struct pin_addresses *set)
{
    qsort(set->ip, set->n, sizeof(set->ip[0]), compare);
}

bool pin_addresses_equal(const struct pin_addresses *a, const struct pin_addresses *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (!pin_ip_equal(&a->ip[i], &b->ip[i])) {
            return false;
        }
    }
    return true;
}

void pin_addresses_put(const struct pin_addresses *set, struct pin_text *text)
{
    char ip[PIN_IP_TEXT_MAX];
    for (size_t i = 0; i < set->n && i < SHOWN_MAX; i++) {
        pin_text_putf(text, "%s%s", i > 0 ? " " : "", pin_ip_format(&set->ip[i], ip));
    }
    if (set->n > SHOWN_MAX) {
        pin_text_putf(text, " and %zu more", set->n - SHOWN_MAX);
    }
    if (set->n == 0) {
        pin_text_puts(text, "none");
    }
}
