/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes behind any message are a TSIG: a verdict, and an answer that fits where it said. The
 * first byte says where the record begins. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/zones/tsig.h"

#include "fuzz/require.h"

#define HEADER_BYTES 12u
#define SIGNED_AT_S  1700000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[] = "0123456789abcdef0123456789abcdef";

/* Answers with exactly the room that was promised, so that ASan sees a byte too far. */
static void answer(struct pin_tsig *tsig)
{
    size_t cap_bytes = HEADER_BYTES + pin_tsig_room(tsig);
    uint8_t *wire = calloc(1, cap_bytes);
    require(wire != NULL);
    for (int turn = PIN_TSIG_FIRST; turn <= PIN_TSIG_NEXT; turn++) {
        memset(wire, 0, cap_bytes);
        size_t bytes = pin_tsig_sign(
            tsig, (enum pin_tsig_turn)turn, wire, HEADER_BYTES, cap_bytes, SIGNED_AT_S);
        require(bytes > HEADER_BYTES && bytes <= cap_bytes && wire[11] == 1);
    }
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_tsig_key items[] = {
        {.hash = PIN_HASH_SHA256, .secret = secret, .secret_bytes = sizeof(secret) - 1},
        {.hash = PIN_HASH_SHA512, .secret = secret, .secret_bytes = sizeof(secret) - 1},
    };
    const struct pin_tsig_keys keys = {.items = items, .n = 2};
    struct pin_tsig tsig;
    if (size < 1 + HEADER_BYTES || size > UINT16_MAX) {
        return 0;
    }
    (void)pin_name_parse("key.example", &items[0].name);
    (void)pin_name_parse("corp.test", &items[1].name);
    size_t at = data[0];
    uint8_t *wire = malloc(size - 1);
    require(wire != NULL);
    memcpy(wire, data + 1, size - 1);
    enum pin_tsig_verdict verdict = pin_tsig_verify(&keys, wire, size - 1, at, SIGNED_AT_S, &tsig);
    if (verdict == PIN_TSIG_GOOD || verdict == PIN_TSIG_BAD) {
        require((verdict == PIN_TSIG_GOOD) == (tsig.error == 0));
        answer(&tsig);
    }
    pin_tsig_begin(&tsig, &items[0]);
    (void)pin_tsig_verify_answer(&tsig, wire, size - 1, at, SIGNED_AT_S);
    const struct pin_piece message = {.ptr = wire, .bytes = size - 1};
    (void)pin_tsig_verify_next(&tsig, &message, &message, at, SIGNED_AT_S);
    free(wire);
    return 0;
}
