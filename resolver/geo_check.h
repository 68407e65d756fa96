/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a MaxMind database must keep to before libmaxminddb may read it. libmaxminddb 1.7.1 takes a
 * tree's size modulo 2^32, and goes down into maps as deep as they are nested, so that a broken or
 * hostile file could end the process. (Later versions mend the first; bookworm has 1.7.1.)
 *
 * Format: MaxMind DB File Format Specification 2.0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

/**
 * Whether the tree that a database's metadata speaks of lies within the file. Any thread.
 *
 * @param text  The whole file, of `bytes` bytes (at most 2^31); not kept.
 * Errors: PIN_EPARSE, with the reason and no path. Cost: the last 128 KiB are looked through.
 */
enum pin_err pin_geo_check(const char *text, size_t bytes, struct pin_why *why);

/**
 * Whether the value at `at` of a section, with all that is in it or pointed to, is whole, nested at
 * most 62 deep and has less than 65,536 values. The depth of real ones is 6. Any thread.
 *
 * @param section      Of `bytes` bytes; offsets and pointers count from here.
 * @param values_left  How many values may be looked at, less those that were; false when they do
 *                     not suffice, and then it is 0.
 * Cost: each of its values once, a few nanoseconds each, no recursion, no memory.
 */
bool pin_geo_is_bounded(const uint8_t *section, uint32_t bytes, uint32_t at, uint64_t *values_left);

/**
 * How many values all records of a data section of `bytes` bytes may have, those that they share
 * counted for each. Records of GeoLite2-Country and GeoLite2-City have 4 to 6 for each byte of
 * their own, as reckoned from their members and the names in eight languages that they share; this
 * is ten times that, and what takes half a minute at most. Many records that share one large value
 * would keep a reader busy for hours.
 */
uint64_t pin_geo_values_max(uint32_t bytes);
