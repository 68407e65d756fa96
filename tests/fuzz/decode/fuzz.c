/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whatever an API server sends: the first byte says how it is cut, the rest is a list, a watch
 * and an object of every kind.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/sync/encode.h"

#include "sync/decode.h"
#include "sync/discovery.h"
#include "sync/items.h"

#define ARENA_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

/* Whatever could be read can be written as a manifest, which can be read again. In an arena of its
 * own: what came before in a list of thousands fills the other one. */
static void encode_again(const struct pin_object *object)
{
    struct pin_arena *arena = pin_arena_new("again", ARENA_BYTES);
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    struct pin_tree *tree = NULL;
    struct pin_object *again = NULL;
    struct pin_why why = {0};
    pin_encode(object, &json);
    if (!pin_jsonout_is_ok(&json)
        || pin_json_parse(text.ptr, text.len, arena, &tree, &why) != PIN_OK
        || pin_decode(tree, &again, &why) != PIN_OK || again->kind != object->kind) {
        __builtin_trap();
    }
    pin_object_free(again);
    pin_text_done(&text);
    pin_arena_free(arena);
}

/* Decodes a text as each kind; the key alone must agree with the whole. */
static void decode_all(void *arg, const char *text, size_t bytes)
{
    struct pin_arena *arena = arg;
    struct pin_tree *tree = NULL;
    struct pin_object *object = NULL;
    struct pin_object_key key;
    if (text == NULL || pin_json_parse(text, bytes, arena, &tree, NULL) != PIN_OK) {
        return;
    }
    for (int kind = 0; kind <= PIN_KIND_MAX; kind++) {
        struct pin_why why = {0};
        const struct pin_kind_row *row =
            kind == PIN_KIND_MAX ? NULL : pin_decode_row((enum pin_kind)kind);
        if (pin_decode_as(row, "fuzz", tree, &object, &why) == PIN_OK) {
            if (pin_decode_key(row, tree, &key, &why) != PIN_OK) {
                __builtin_trap();
            }
            encode_again(object);
            pin_object_free(object);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_items items;
    struct pin_lines lines;
    struct pin_list_metadata metadata = {0};
    struct pin_discovery discovery;
    if (size == 0) {
        return 0;
    }
    size_t step = data[0] == 0 ? size : data[0];
    const char *text = (const char *)data + 1;
    struct pin_arena *arena = pin_arena_new("fuzz", ARENA_BYTES);
    size--;
    pin_log_set_sink(drop_log, NULL);
    decode_all(arena, text, size);
    (void)pin_discovery_read(text, size, arena, &discovery, NULL);
    pin_arena_reset(arena);
    pin_items_init(&items, 4096, decode_all, arena);
    pin_lines_init(&lines, 4096, decode_all, arena);
    for (size_t i = 0; i < size; i += step) {
        size_t bytes = size - i < step ? size - i : step;
        (void)pin_lines_feed(&lines, text + i, bytes, NULL);
        if (pin_items_feed(&items, text + i, bytes, NULL) != PIN_OK) {
            break;
        }
    }
    (void)pin_items_metadata(&items, &metadata);
    pin_list_metadata_done(&metadata);
    pin_items_done(&items);
    pin_lines_done(&lines);
    pin_arena_free(arena);
    return 0;
}
