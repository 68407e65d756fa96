/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Sets of addresses as scenarios write them: "10.1.0.5", "10.1.0.11..20". */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/ip.h"
#include "pintle/base/text.h"

/** Most addresses in one set. */
#define ADDRESSES_MAX 4096u

/** A list of addresses, kept in order of adding until it is sorted. */
struct pin_addresses {
    size_t n;
    struct pin_ip ip[ADDRESSES_MAX];
};

/** Appends what a word stands for: an address, or a range over its last decimal number. */
bool pin_addresses_add_word(struct pin_addresses *set, const char *word);

/** Appends one address; false when the list is full. */
bool pin_addresses_add(struct pin_addresses *set, const struct pin_ip *ip);

/** Whether the address is in the list. */
bool pin_addresses_has(const struct pin_addresses *set, const struct pin_ip *ip);

/** Sorts, keeping addresses that stand twice. */
void pin_addresses_sort(struct pin_addresses *set);

/** Whether two sorted lists are the same. */
bool pin_addresses_equal(const struct pin_addresses *a, const struct pin_addresses *b);

/** Writes them with spaces between, "none" for none; cut after some dozens. */
void pin_addresses_put(const struct pin_addresses *set, struct pin_text *text);
