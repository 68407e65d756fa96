/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a webhook says: what is read of it is a listing, and can be said to it again. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/text.h"

#include "fuzz/require.h"
#include "sync/items.h"
#include "sync/webhook_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    struct pin_arena *scratch;
    struct pin_provider_sets sets;
    enum pin_err err;
};

static void on_item(void *arg, const char *text, size_t bytes)
{
    struct reading *self = arg;
    if (text != NULL && self->err == PIN_OK) {
        self->err = pin_webhook_read_endpoint(text, bytes, self->scratch, &self->sets, NULL);
    }
}

/* Reads the array; n sets, or NULL. */
static struct pin_recordset *read_all(
    struct pin_arena *arena, const char *text, size_t bytes, size_t *ret_n)
{
    struct reading reading = {.scratch = pin_arena_new("fuzz", (size_t)64 << 20),
        .sets = {.arena = arena, .zone = "example.com"}};
    struct pin_items items;
    pin_items_init(&items, 0, on_item, &reading);
    enum pin_err err = pin_items_feed(&items, "{\"items\":", 9, NULL);
    err = err == PIN_OK ? pin_items_feed(&items, text, bytes, NULL) : err;
    err = err == PIN_OK ? pin_items_feed(&items, "}", 1, NULL) : err;
    bool is_whole = err == PIN_OK && reading.err == PIN_OK && pin_items_is_complete(&items);
    struct pin_recordset *sets = is_whole ? pin_provider_sets_take(&reading.sets, ret_n) : NULL;
    pin_provider_sets_done(&reading.sets);
    pin_items_done(&items);
    pin_arena_free(reading.scratch);
    return sets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)64 << 20);
    /* Of its own, and with more room: the first reading may have used all but a byte of its. */
    struct pin_arena *more = pin_arena_new("again", (size_t)128 << 20);
    struct pin_text again = {0};
    size_t n = 0;
    const struct pin_recordset *sets = read_all(arena, text, size, &n);
    if (sets != NULL) {
        pin_webhook_put_endpoints(&again, sets, n);
        require(!again.failed);
        size_t n_again = 0;
        const struct pin_recordset *read = read_all(more, again.ptr, again.len, &n_again);
        require(read != NULL && n_again == n);
        for (size_t i = 0; i < n; i++) {
            require(strcmp(read[i].name, sets[i].name) == 0 && read[i].ttl_s == sets[i].ttl_s);
            require(sets[i].ttl_s > 0 && sets[i].n_values > 0);
            require(pin_provider_is_in_zone(sets[i].name, "example.com"));
        }
    }
    (void)pin_webhook_read_filter(text, size, "example.com", NULL);
    pin_text_done(&again);
    pin_arena_free(more);
    pin_arena_free(arena);
    return 0;
}
