/* SPDX-License-Identifier: Apache-2.0 */

/* Any messages are an answer to a transfer: a whole zone in order, or a fault. The first byte says
 * whether it is asked for by differences, and with a key; two bytes are in front of each message.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"

#include "fuzz/require.h"
#include "sync/xfr.h"

#define SIGNED_AT_S    1700000000u
#define IS_INCREMENTAL 1u
#define HAS_KEY        2u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct pin_provider_listing *listing)
{
    require(
        (listing->arena == NULL) == (listing->sets == NULL || listing->fault != PIN_PROVIDER_NONE));
    for (size_t i = 0; listing->sets != NULL && i < listing->n_sets; i++) {
        const struct pin_recordset *set = &listing->sets[i];
        require(set->n_values > 0 && set->name[0] != '\0' && set->type[0] != '\0');
        require(i == 0 || pin_recordset_cmp(set - 1, set) < 0);
        for (size_t k = 1; k < set->n_values; k++) {
            require(strcmp(set->values[k - 1].text, set->values[k].text) < 0);
        }
    }
    pin_arena_free(listing->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pin_recordset_value value = {.text = "192.0.2.1"};
    static const struct pin_recordset known = {.name = "a.example.com",
        .type = "A",
        .set_id = "",
        .ttl_s = 60,
        .values = &value,
        .n_values = 1};
    static struct pin_tsig_key key = {
        .hash = PIN_HASH_SHA256, .secret = (const uint8_t *)"0123456789abcdef", .secret_bytes = 16};
    struct pin_tsig tsig;
    struct pin_provider_listing listing;
    if (size < 1) {
        return 0;
    }
    (void)pin_name_parse("key.example", &key.name);
    pin_tsig_begin(&tsig, &key);
    const struct pin_xfr_spec spec = {.zone = "example.com",
        .id = 0x1234,
        .is_incremental = (data[0] & IS_INCREMENTAL) != 0,
        .serial = 5,
        .known = &known,
        .n_known = 1,
        .tsig = (data[0] & HAS_KEY) != 0 ? &tsig : NULL};
    struct pin_xfr *xfr = pin_xfr_new(&spec);
    require(xfr != NULL);
    enum pin_xfr_state state = PIN_XFR_MORE;
    for (size_t at = 1; state == PIN_XFR_MORE && size - at >= 2;) {
        size_t bytes = PIN_MIN((size_t)pin_get_be16(data + at), size - at - 2);
        uint8_t *wire = malloc(bytes); /* of its own, so that ASan sees a byte too far */
        require(wire != NULL || bytes == 0);
        if (bytes > 0) {
            memcpy(wire, data + at + 2, bytes);
        }
        state = pin_xfr_take(xfr, wire, bytes, SIGNED_AT_S);
        state = state == PIN_XFR_WHOLE ? pin_xfr_finish(xfr) : state;
        free(wire);
        at += 2 + bytes;
    }
    pin_xfr_cut(xfr, PIN_PROVIDER_UNREACHABLE, "cut");
    pin_xfr_listing(xfr, &listing);
    check(&listing);
    pin_xfr_free(xfr);
    return 0;
}
