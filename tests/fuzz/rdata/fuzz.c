/* SPDX-License-Identifier: Apache-2.0 */

/* What can be written as text is read as the same data, and written as the same text. The first two
 * bytes are the type. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/zones/rdata.h"

#include "fuzz/require.h"

#define ROOM 66000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[ROOM];
    struct pin_text text = {0};
    struct pin_text again = {0};
    if (size < 2 || size > UINT16_MAX) {
        return 0;
    }
    uint16_t type = pin_get_be16(data);
    struct pin_reader reader = pin_reader_init(data + 2, size - 2);
    if (pin_rdata_format(&reader, size - 2, type, &text)) {
        struct pin_buf buf = pin_buf_init(room, sizeof(room));
        require(pin_rdata_parse(type, pin_text_get(&text), &buf, NULL) == PIN_OK);
        struct pin_reader copy = pin_reader_init(room, pin_buf_used(&buf));
        require(pin_rdata_format(&copy, pin_buf_used(&buf), type, &again));
        require(strcmp(pin_text_get(&text), pin_text_get(&again)) == 0);
    }
    pin_text_done(&text);
    pin_text_done(&again);
    return 0;
}
