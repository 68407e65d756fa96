/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What etcd says: a line of a watch, a page of a range, and a value below a key. The first byte
 * picks which one; a value is told twice, the second time cut, so that what cannot be read meets
 * what could.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"

#include "fuzz/require.h"
#include "sync/etcd_text.h"
#include "sync/mirror.h"
#include "sync/source.h"

#define ARENA_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_push(void *arg, struct pin_delta *delta)
{
    size_t *n_objects = arg;
    bool is_upsert = delta->op == PIN_DELTA_UPSERT;
    require(is_upsert ? delta->object->name != NULL : delta->name != NULL);
    *n_objects += is_upsert ? 1 : 0;
    pin_delta_free(delta);
    return true;
}

static void read_value(const uint8_t *data, size_t size)
{
    size_t n_objects = 0;
    static const struct pin_source_spec spec = {.cluster = "c1"};
    struct pin_sync_sink sink = {.push = on_push, .arg = &n_objects};
    struct pin_source source = {0};
    struct pin_mirror mirror = {.source = &source};
    if (pin_source_init(&source, NULL, NULL, &spec, &sink, strdup("fuzz"))) {
        pin_mirror_begin(&mirror);
        bool is_read = pin_mirror_put(&mirror, "s/n/a", data, size, NULL) == PIN_OK;
        require(is_read || n_objects == 0);
        (void)pin_mirror_put(&mirror, "s/n/b", data, size / 2, NULL);
        pin_mirror_begin(&mirror);
        (void)pin_mirror_put(&mirror, "s/n/b", data, size, NULL);
        (void)pin_mirror_put(&mirror, "s/n/a", data, size / 3, NULL);
        pin_mirror_end(&mirror, size > 0 ? data[0] : 0);
        pin_mirror_remove(&mirror, "s/n/b");
    }
    pin_mirror_done(&mirror);
    pin_source_done(&source);
}

static void read_kv(const struct pin_tree *tree)
{
    struct pin_etcd_kv kv = {0};
    if (pin_etcd_kv_read(tree, &kv, NULL) == PIN_OK) {
        require(kv.key_bytes > 0 && kv.key[kv.key_bytes] == '\0');
        read_value(kv.value, kv.value_bytes);
    }
    pin_etcd_kv_done(&kv);
}

static void read_line(const uint8_t *data, size_t size, struct pin_arena *arena)
{
    struct pin_etcd_event_line line;
    if (pin_etcd_line_read((const char *)data, size, arena, &line, NULL) != PIN_OK) {
        return;
    }
    require(line.reason != NULL);
    PIN_TREE_EACH(event, line.events)
    {
        (void)pin_etcd_event_is_delete(event);
        read_kv(pin_tree_map(event, "kv"));
    }
}

static void read_page(const uint8_t *data, size_t size, struct pin_arena *arena)
{
    struct pin_tree *tree = NULL;
    if (pin_json_parse((const char *)data, size, arena, &tree, NULL) != PIN_OK) {
        return;
    }
    PIN_TREE_EACH(item, pin_tree_list(tree, "kvs"))
    {
        read_kv(item);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_arena *arena = pin_arena_new("fuzz", ARENA_BYTES);
    if (arena == NULL || size == 0) {
        pin_arena_free(arena);
        return 0;
    }
    switch (data[0]) {
    case 'w':
        read_line(data + 1, size - 1, arena);
        break;
    case 'r':
        read_page(data + 1, size - 1, arena);
        break;
    default:
        read_value(data + 1, size - 1);
        break;
    }
    pin_arena_free(arena);
    return 0;
}
