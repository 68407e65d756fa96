/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Record sets in one line of text each, for tests of plans.
 *
 *     "app.example.com A [v1] 300 192.0.2.1,192.0.2.2 aws/weight=80"       what is there
 *     "app.example.com A 300 192.0.2.1 from c1 service/shop/app 100"       what an object wants
 *     "app.example.com A 300 - from c1 service/shop/app 100 holds c1"      an object without
 * addresses "a-app.example.com TXT 0 @demo:service/shop/app:c1"                  a TXT record of
 * the registry
 */

#include "pintle/base/arena.h"
#include "pintle/zones/recordplan.h"

/** Most sets of a text. */
#define RECORDWORLD_SETS_MAX 400

/** Reads lines, or stops the test. `*ret_n` of them, in the arena. */
struct pin_recordset *pin_recordworld_read(
    struct pin_arena *arena, const char *lines, size_t *ret_n);

/** The plan's text with ownership shortened to "@owner:resource:origins", and a line for each
 * conflict, "! kind name type object". In the arena. */
const char *pin_recordworld_show(struct pin_arena *arena, const struct pin_recordplan *plan);
