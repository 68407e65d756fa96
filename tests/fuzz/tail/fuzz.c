/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as an answer: what is shown of it is one JSON object, and nothing beyond its end is
 * read. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/tree.h"

#include "fuzz/require.h"
#include "resolver/tail.h"

#define ARENA_MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_json(const struct pin_tail *tail)
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("tail", ARENA_MAX_BYTES);
    require(arena != NULL);
    require(pin_json_parse(tail->text.ptr + tail->items[0].json_at, tail->items[0].json_bytes,
                arena, &tree, NULL)
            == PIN_OK);
    require(pin_tree_list(tree, "answers") != NULL);
    pin_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pin_tail tail;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    require(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    uint32_t kept = size < PIN_TAP_ANSWER_MAX ? (uint32_t)size : PIN_TAP_ANSWER_MAX;
    struct pin_tap_record record = {.answer_bytes = (uint32_t)size,
        .answer_kept_bytes = kept,
        .answer = copy,
        .query = copy,
        .query_bytes = kept,
        .query_kept_bytes = kept < PIN_TAP_QUERY_MAX ? kept : PIN_TAP_QUERY_MAX};
    pin_tail_clear(&tail);
    pin_tail_add(&tail, &record);
    require(tail.n_items == 1);
    require_json(&tail);
    (void)pin_tail_matches(&tail, &tail.items[0], "a b");
    free(copy);
    return 0;
}
