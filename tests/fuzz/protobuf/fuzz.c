/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whatever an API server sends as frames: the first byte picks the kind, the second says how many
 * bytes come at a time (0: all), the rest is a watch. What is a Status on its own is read, too.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/arena.h"
#include "pintle/base/log.h"

#include "fuzz/require.h"
#include "fuzz/tree.h"
#include "sync/decode.h"
#include "sync/protobuf.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define FRAME_BYTES ((size_t)1 << 16)
#define HEAD_BYTES  2u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pin_arena *arena;
static enum pin_kind kind;

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void on_frame(void *arg, const char *text, size_t bytes)
{
    struct pin_tree *tree = NULL;
    struct pin_object *object = NULL;
    struct pin_why why = {0};
    (void)arg;
    require(text == NULL ? bytes > FRAME_BYTES : bytes > 0 && bytes <= FRAME_BYTES);
    if (text != NULL && pin_protobuf_event(text, bytes, kind, arena, &tree, &why) == PIN_OK) {
        pin_fuzz_check_node(tree, false, 0);
        const struct pin_tree *found = pin_tree_map(tree, "object");
        require(found != NULL);
        if (pin_decode_as(pin_decode_row(kind), "fuzz", found, &object, &why) == PIN_OK) {
            pin_object_free(object);
        }
    }
    pin_arena_reset(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum pin_kind kinds[] = {PIN_KIND_SERVICE, PIN_KIND_ENDPOINT_SLICE,
        PIN_KIND_NAMESPACE, PIN_KIND_NODE, PIN_KIND_POD, PIN_KIND_SERVICE_CIDR, PIN_KIND_INGRESS};
    struct pin_frames frames = {.on_frame = on_frame, .frame_bytes_max = FRAME_BYTES};
    struct pin_tree *tree = NULL;
    if (size < HEAD_BYTES) {
        return 0;
    }
    kind = kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))];
    require(pin_protobuf_knows(kind));
    size_t step = data[1] == 0 ? size : data[1];
    const char *text = (const char *)data + HEAD_BYTES;
    size -= HEAD_BYTES;
    pin_log_set_sink(drop_log, NULL);
    arena = pin_arena_new("fuzz", ARENA_BYTES);
    require(arena != NULL);
    (void)pin_protobuf_status(text, size, arena, &tree, NULL);
    pin_arena_reset(arena);
    for (size_t i = 0; i < size; i += step) {
        if (pin_frames_feed(&frames, text + i, size - i < step ? size - i : step, NULL) != PIN_OK) {
            break;
        }
    }
    pin_frames_done(&frames);
    pin_arena_free(arena);
    return 0;
}
