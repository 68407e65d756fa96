/* SPDX-License-Identifier: Apache-2.0 */

/* A file that is read as a zone of ours is written as the same records; all else is refused. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"

#include "fuzz/require.h"
#include "sync/zonesheet.h"

#define ARENA_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sets(const struct pin_zonesheet *a, const struct pin_zonesheet *b)
{
    require(a->n_sets == b->n_sets && a->serial == b->serial);
    for (size_t i = 0; i < a->n_sets; i++) {
        require(pin_recordset_cmp(&a->sets[i], &b->sets[i]) == 0);
        require(i == 0 || pin_recordset_cmp(&a->sets[i - 1], &a->sets[i]) < 0);
        require(pin_recordset_same_values(&a->sets[i], &b->sets[i]));
        require(a->sets[i].ttl_s == b->sets[i].ttl_s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *server = "ns.example.net";
    const struct pin_zonesheet_frame frame = {.zone = "example.com",
        .servers = &server,
        .n_servers = 1,
        .hostmaster = "hostmaster.example.com",
        .default_ttl_s = 300};
    struct pin_zonesheet sheet = {.arena = pin_arena_new("fuzz", ARENA_BYTES)};
    struct pin_zonesheet again = {.arena = pin_arena_new("again", ARENA_BYTES)};
    struct pin_text text = {0};
    require(sheet.arena != NULL && again.arena != NULL);
    enum pin_err err = pin_zonesheet_read("example.com", (const char *)data, size, &sheet, NULL);
    if (err == PIN_OK) {
        require(pin_zonesheet_write(&sheet, &frame, &text));
        require(pin_zonesheet_read("example.com", pin_text_get(&text), text.len, &again, NULL)
                == PIN_OK);
        check_sets(&sheet, &again);
    }
    pin_text_done(&text);
    pin_arena_free(again.arena);
    pin_arena_free(sheet.arena);
    return 0;
}
