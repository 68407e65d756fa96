/* SPDX-License-Identifier: Apache-2.0 */

/* Drains on disk. */

#include "resolver/drain_store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"
#include "pintle/zones/drain.h"

#define FILE_NAME       "drains.json"
#define VERSION         1
#define FILE_MAX_BYTES  ((size_t)4 << 20)
#define ARENA_MAX_BYTES ((size_t)64 << 20)

/* Drains as the file has them. */
struct list {
    struct pin_arena *arena;
    struct pin_drain_order *orders;
    size_t n;
};

static void list_free(struct list *list)
{
    if (list != NULL) {
        pin_arena_free(list->arena);
        free(list);
    }
}

static enum pin_err prepare(const char *dir, struct pin_why *why)
{
    struct stat st;
    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        return pin_why_errno(why, errno, "state directory \"%s\"", dir);
    }
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return pin_why_set(why, PIN_EINVAL, "state directory \"%s\" is no directory", dir);
    }
    return PIN_OK;
}

/* One entry; false when it is over, or none that we know. */
static bool read_order(const struct pin_tree *entry, struct pin_drain_order *ret_order)
{
    int64_t wall_ms = pin_clock_wall_ms();
    int64_t until_wall_ms = pin_tree_int(entry, "untilUnixMs", 0);
    const char *name = pin_tree_string(entry, "name", NULL);
    *ret_order =
        (struct pin_drain_order){.name = name, .until_ms = PIN_DRAIN_FOREVER, .is_unchecked = true};
    if (name == NULL
        || !pin_drain_what_parse(pin_tree_string(entry, "what", ""), &ret_order->what)) {
        return false;
    }
    if (until_wall_ms != 0) {
        ret_order->until_wall_ms = until_wall_ms;
        ret_order->until_ms = (uint64_t)pin_clock_mono_ms()
                              + (until_wall_ms > wall_ms ? (uint64_t)(until_wall_ms - wall_ms) : 0);
    }
    return until_wall_ms == 0 || until_wall_ms > wall_ms;
}

/* Turns the text of a file into orders. */
static enum pin_err parse(const char *text, size_t bytes, struct list *list, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    list->arena = pin_arena_new("drains", ARENA_MAX_BYTES);
    enum pin_err err = list->arena == NULL ? pin_why_set(why, PIN_ENOMEM, "drains")
                                           : pin_json_parse(text, bytes, list->arena, &tree, why);
    if (err != PIN_OK) {
        return err;
    }
    if (pin_tree_int(tree, "version", 0) != VERSION) {
        return pin_why_set(why, PIN_EPARSE, "this version reads version %d of it, not %lld",
            VERSION, pin_tree_int(tree, "version", 0));
    }
    const struct pin_tree *entries = pin_tree_list(tree, "drains");
    size_t n_max = entries != NULL ? entries->n_children : 0;
    list->orders = pin_arena_alloc(list->arena, (n_max + 1) * sizeof(*list->orders));
    if (list->orders == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu drains", n_max);
    }
    PIN_TREE_EACH(entry, entries)
    {
        list->n += read_order(entry, &list->orders[list->n]) ? 1 : 0;
    }
    return PIN_OK;
}

static enum pin_err read_list(const char *path, struct list *list, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pin_err err = pin_file_read(path, FILE_MAX_BYTES, &text, &bytes, why);
    if (err == PIN_ENOTFOUND) {
        return PIN_OK;
    }
    if (err == PIN_OK) {
        err = parse(text, bytes, list, why);
        if (err != PIN_OK) {
            pin_why_wrap(why, "%s", path);
        }
    }
    free(text);
    return err;
}

static enum pin_err read_dir(const char *dir, struct list **ret_list, struct pin_why *why)
{
    enum pin_err err = PIN_ENOMEM;
    char *path = pin_path_join(dir, FILE_NAME);
    struct list *list = calloc(1, sizeof(*list));
    if (path == NULL || list == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "drains");
    } else {
        err = read_list(path, list, why);
    }
    free(path);
    if (err != PIN_OK) {
        list_free(list);
        return err;
    }
    *ret_list = list;
    return PIN_OK;
}

static void restore_order(struct pin_catalog *catalog, const struct pin_drain_order *order)
{
    struct pin_why why = {0};
    if (pin_catalog_drain(catalog, order, &why) != PIN_OK) {
        pin_log_warn("drains: %s %s was drained before the restart and is not any more: %s",
            pin_drain_what_text(order->what), order->name, why.text);
    }
}

/* Builder's thread. */
static void restore_list(struct pin_catalog *catalog, void *arg)
{
    struct list *list = arg;
    for (size_t i = 0; i < list->n; i++) {
        restore_order(catalog, &list->orders[i]);
    }
    list_free(list);
}

static void on_restored(void *arg)
{
    (void)arg; /* freed by then */
}

enum pin_err pin_drain_store_restore(
    const char *dir, struct pin_builder *builder, struct pin_why *why)
{
    struct list *list = NULL;
    struct pin_why trouble = {0};
    if (dir == NULL) {
        return PIN_OK;
    }
    enum pin_err err = prepare(dir, why);
    if (err != PIN_OK) {
        return err;
    }
    if (read_dir(dir, &list, &trouble) != PIN_OK) {
        pin_log_error("drains: %s; nothing is drained", trouble.text);
        return PIN_OK;
    }
    if (list->n > 0) {
        pin_log_info("drains: %zu from before the restart, see pintlectl drains", list->n);
    }
    if (!pin_builder_call(builder, restore_list, on_restored, list)) {
        list_free(list); /* the builder is ending */
    }
    return PIN_OK;
}

enum pin_err pin_drain_store_write(const char *dir, const char *drains, struct pin_why *why)
{
    struct pin_text text = {0};
    char *path = pin_path_join(dir, FILE_NAME);
    pin_text_putf(&text, "{\"version\":%d,\"drains\":%s}\n", VERSION, drains);
    enum pin_err err = path == NULL || text.failed
                           ? pin_why_set(why, PIN_ENOMEM, "drains")
                           : pin_file_write_atomic(path, pin_text_get(&text), text.len, 0644, why);
    pin_text_done(&text);
    free(path);
    return err;
}
