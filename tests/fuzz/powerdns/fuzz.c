/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a PowerDNS says its zone is: what is read of it is a listing, or there is none. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"

#include "fuzz/require.h"
#include "sync/items.h"
#include "sync/powerdns_text.h"

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
        self->err = pin_powerdns_read_set(text, bytes, self->scratch, &self->sets, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)64 << 20);
    struct reading reading = {.scratch = pin_arena_new("fuzz", (size_t)64 << 20),
        .sets = {.arena = arena, .zone = "example.com"}};
    struct pin_items items;
    char message[PIN_PROVIDER_MESSAGE_MAX];
    size_t n = 0;
    pin_items_init(&items, 0, on_item, &reading);
    items.list_key = "rrsets";
    const char *text = (const char *)data;
    if (pin_items_feed(&items, text, size / 3, NULL) == PIN_OK) {
        (void)pin_items_feed(&items, text + size / 3, size - size / 3, NULL);
    }
    struct pin_recordset *sets = pin_provider_sets_take(&reading.sets, &n);
    for (size_t i = 0; sets != NULL && i < n; i++) {
        require(i == 0 || pin_recordset_cmp(&sets[i - 1], &sets[i]) < 0);
        require(pin_provider_is_in_zone(sets[i].name, "example.com"));
        require(strcmp(sets[i].type, "SOA") != 0 && sets[i].set_id[0] == '\0');
        require(sets[i].ttl_s <= INT32_MAX && sets[i].n_values > 0);
        for (size_t k = 1; k < sets[i].n_values; k++) {
            require(strcmp(sets[i].values[k - 1].text, sets[i].values[k].text) < 0);
        }
    }
    pin_powerdns_read_error(text, size, message);
    require(memchr(message, '\0', sizeof(message)) != NULL);
    pin_provider_sets_done(&reading.sets);
    pin_items_done(&items);
    pin_arena_free(reading.scratch);
    pin_arena_free(arena);
    return 0;
}
