/* SPDX-License-Identifier: Apache-2.0 */

/* Serials on disk. */

#include "resolver/serial_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"
#include "pintle/zones/edition.h"

#define FILE_NAME       "serials.json"
#define VERSION         1
#define FILE_MAX_BYTES  ((size_t)4 << 20)
#define ARENA_MAX_BYTES ((size_t)64 << 20)
#define MS_PER_S        1000
#define FILE_MODE       0644
#define DIR_MODE        0755
/* So many serials are set aside; when half of them are used, as many again. */
#define AHEAD (UINT32_C(1) << 14)

struct pin_serial_store {
    char *path;
    struct pin_serial_floor *floors; /* as last written */
    size_t n_floors;
    uint32_t next; /* of zones without a file: from here on none was shown; 0: unknown */
    bool has_failed;
};

/* --- reading ------------------------------------------------------------------------------ */

static bool read_number(const struct pin_tree *tree, const char *key, uint32_t *ret)
{
    long long number = pin_tree_int(tree, key, -1);
    if (number < 0 || number > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)number;
    return true;
}

static enum pin_err take(
    struct pin_serial_store *store, const struct pin_tree *tree, struct pin_why *why)
{
    if (pin_tree_int(tree, "version", 0) != VERSION) {
        return pin_why_set(why, PIN_EPARSE, "this version reads version %d of it, not %lld",
            VERSION, pin_tree_int(tree, "version", 0));
    }
    const struct pin_tree *zones = pin_tree_list(tree, "zones");
    size_t n_max = zones != NULL ? zones->n_children : 0;
    store->floors = calloc(n_max + 1, sizeof(*store->floors));
    if (store->floors == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu serials", n_max);
    }
    (void)read_number(tree, "next", &store->next);
    PIN_TREE_EACH(entry, zones)
    {
        struct pin_serial_floor *floor = &store->floors[store->n_floors];
        const char *name = pin_tree_string(entry, "name", NULL);
        bool is_good = name != NULL && pin_name_parse(name, &floor->zone) == PIN_OK
                       && read_number(entry, "serial", &floor->serial);
        store->n_floors += is_good;
    }
    return PIN_OK;
}

static enum pin_err read_file(struct pin_serial_store *store, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    struct pin_tree *tree = NULL;
    enum pin_err err = pin_file_read(store->path, FILE_MAX_BYTES, &text, &bytes, why);
    if (err == PIN_ENOTFOUND) {
        return PIN_OK;
    }
    struct pin_arena *arena = pin_arena_new("serials", ARENA_MAX_BYTES);
    if (err == PIN_OK) {
        err = arena == NULL ? pin_why_set(why, PIN_ENOMEM, "serials")
                            : pin_json_parse(text, bytes, arena, &tree, why);
    }
    if (err == PIN_OK) {
        err = take(store, tree, why);
    }
    pin_arena_free(arena);
    free(text);
    return err;
}

enum pin_err pin_serial_store_open(
    const char *dir, struct pin_serial_store **ret_store, struct pin_why *why)
{
    struct pin_serial_store *store = calloc(1, sizeof(*store));
    struct pin_why trouble = {0};
    if (store == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "serials");
    }
    *ret_store = store;
    if (dir == NULL) {
        return PIN_OK;
    }
    store->path = pin_path_join(dir, FILE_NAME);
    if (store->path == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "serials");
    }
    if (mkdir(dir, DIR_MODE) != 0 && errno != EEXIST) {
        return pin_why_errno(why, errno, "state directory \"%s\"", dir);
    }
    if (read_file(store, &trouble) != PIN_OK) {
        pin_log_error("serials: %s: %s; serials begin at the clock", store->path, trouble.text);
    }
    return PIN_OK;
}

void pin_serial_store_begin(struct pin_serial_store *store, struct pin_builder_config *config)
{
    uint32_t wall_s = (uint32_t)(pin_clock_wall_ms() / MS_PER_S);
    bool is_ahead = store->next != 0 && pin_serial_is_after(store->next, wall_s);
    if (is_ahead) {
        config->first_serial = store->next;
    }
    config->floors = store->floors;
    config->n_floors = store->n_floors;
}

/* --- writing ------------------------------------------------------------------------------ */

/* What the file is to say now. */
struct note {
    struct pin_serial_floor *floors;
    size_t n_floors;
    uint32_t latest; /* of zones without a file; a clusterset's own zone is one of them */
};

static const struct pin_serial_floor *find_floor(
    const struct pin_serial_store *store, const struct pin_zone *zone)
{
    for (size_t i = 0; i < store->n_floors; i++) {
        const struct pin_name *name = &store->floors[i].zone;
        if (name->bytes == zone->apex.bytes
            && memcmp(name->wire, zone->apex.wire, name->bytes) == 0) {
            return &store->floors[i];
        }
    }
    return NULL;
}

static uint32_t serial_of(const struct pin_zone *zone)
{
    return atomic_load_explicit(&zone->serial, memory_order_relaxed);
}

/* The floor of a zone with a file: what it shows, or some way ahead where routes move it too. */
static uint32_t floor_of(
    const struct pin_serial_store *store, const struct pin_zone *zone, bool is_end)
{
    uint32_t serial = serial_of(zone);
    if (!zone->is_custom || is_end) {
        return serial;
    }
    const struct pin_serial_floor *old = find_floor(store, zone);
    bool is_far = old != NULL && pin_serial_is_after(old->serial, serial + AHEAD / 2);
    return is_far ? old->serial : serial + AHEAD;
}

static bool look(const struct pin_serial_store *store, const struct pin_index *index, bool is_end,
    struct note *note)
{
    size_t n = 0;
    while (pin_index_zone_at(index, n) != NULL) {
        n++;
    }
    note->floors = calloc(n + 1, sizeof(*note->floors));
    note->latest = serial_of(pin_index_zone_at(index, 0)); /* no file may fill that one */
    for (size_t i = 0; note->floors != NULL && i < n; i++) {
        const struct pin_zone *zone = pin_index_zone_at(index, i);
        if (zone->is_static) {
            note->floors[note->n_floors++] = (struct pin_serial_floor){
                .zone = zone->apex, .serial = floor_of(store, zone, is_end)};
        } else if (pin_serial_is_after(serial_of(zone), note->latest)) {
            note->latest = serial_of(zone);
        }
    }
    return note->floors != NULL;
}

static uint32_t next_of(const struct pin_serial_store *store, const struct note *note, bool is_end)
{
    if (is_end) {
        return note->latest + 1;
    }
    bool is_far = store->next != 0 && pin_serial_is_after(store->next, note->latest + AHEAD / 2)
                  && !pin_serial_is_after(store->next, note->latest + AHEAD);
    return is_far ? store->next : note->latest + AHEAD;
}

static bool is_same(const struct pin_serial_store *store, const struct note *note, uint32_t next)
{
    bool is_same = store->next == next && store->n_floors == note->n_floors;
    for (size_t i = 0; is_same && i < note->n_floors; i++) {
        const struct pin_name *a = &note->floors[i].zone;
        const struct pin_name *b = &store->floors[i].zone;
        is_same = a->bytes == b->bytes && memcmp(a->wire, b->wire, a->bytes) == 0
                  && note->floors[i].serial == store->floors[i].serial;
    }
    return is_same;
}

static enum pin_err write_file(const struct pin_serial_store *store, const struct note *note,
    uint32_t next, struct pin_why *why)
{
    struct pin_text text = {0};
    size_t n = 0;
    pin_text_putf(&text, "{\"version\":%d,\"next\":%u,\"zones\":[", VERSION, next);
    for (size_t i = 0; i < note->n_floors; i++) {
        char name[PIN_NAME_TEXT_MAX];
        pin_name_format(note->floors[i].zone.wire, name);
        if (strpbrk(name, "\\\"") != NULL) {
            continue; /* escapes would have to be escaped again; such a zone begins at its file */
        }
        pin_text_putf(&text, "%s{\"name\":\"%s\",\"serial\":%u}", n == 0 ? "" : ",", name,
            note->floors[i].serial);
        n++;
    }
    pin_text_puts(&text, "]}\n");
    enum pin_err err = text.failed ? pin_why_set(why, PIN_ENOMEM, "serials")
                                   : pin_file_write_atomic(
                                       store->path, pin_text_get(&text), text.len, FILE_MODE, why);
    pin_text_done(&text);
    return err;
}

/* Writes what is to be said. False: it could not be written, which is told once. */
static bool keep(struct pin_serial_store *store, const struct note *note, uint32_t next)
{
    struct pin_why why = {0};
    bool is_ok = write_file(store, note, next, &why) == PIN_OK;
    if (!is_ok && !store->has_failed) {
        pin_log_error("serials: %s; after a restart serials may go back", why.text);
    }
    store->has_failed = !is_ok;
    return is_ok;
}

void pin_serial_store_note(
    struct pin_serial_store *store, const struct pin_index *index, bool is_end)
{
    struct note note = {0};
    if (store == NULL || store->path == NULL || !look(store, index, is_end, &note)) {
        return;
    }
    uint32_t next = next_of(store, &note, is_end);
    if (is_same(store, &note, next) || !keep(store, &note, next)) {
        free(note.floors);
        return;
    }
    free(store->floors);
    store->floors = note.floors;
    store->n_floors = note.n_floors;
    store->next = next;
}

void pin_serial_store_free(struct pin_serial_store *store)
{
    if (store != NULL) {
        free(store->path);
        free(store->floors);
        free(store);
    }
}
