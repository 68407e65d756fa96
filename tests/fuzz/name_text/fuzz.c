/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names both ways: any text is a name or is refused, any wire name has a text, and each way back
 * leads where one came from. The first label of the input is also put in front of other names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/zones/name.h"

#include "fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Length of the wire name that the bytes begin with; 0: they do not. */
static size_t wire_bytes(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size && at < PIN_NAME_MAX_BYTES && data[at] != 0) {
        if (data[at] > PIN_LABEL_MAX_BYTES) {
            return 0;
        }
        at += data[at] + 1u;
    }
    return at < size && at < PIN_NAME_MAX_BYTES ? at + 1 : 0;
}

static void check_name(const struct pin_name *name)
{
    size_t n_labels = 0;
    require(name->bytes > 0 && wire_bytes(name->wire, name->bytes) == name->bytes);
    for (const uint8_t *at = name->wire; at[0] != 0; at = pin_name_parent(at)) {
        for (size_t i = 1; i <= at[0]; i++) {
            require(at[i] < 'A' || at[i] > 'Z');
        }
        n_labels++;
    }
    require(pin_name_wire_bytes(name->wire) == name->bytes);
    require(pin_name_labels(name->wire) == n_labels);
}

/* Wire -> text -> wire is the same; the text is printable and one word. */
static void there_and_back(const struct pin_name *name)
{
    char text[PIN_NAME_TEXT_MAX];
    struct pin_name again;
    pin_name_format(name->wire, text);
    size_t chars = strlen(text);
    require(chars > 0 && chars < sizeof(text) && text[chars - 1] == '.');
    for (size_t i = 0; i < chars; i++) {
        require(text[i] > ' ' && text[i] < 0x7F);
    }
    require(pin_name_parse(text, &again) == PIN_OK);
    require(again.bytes == name->bytes && memcmp(again.wire, name->wire, name->bytes) == 0);
    if (name->bytes > 1) { /* the dot at the end is no matter */
        text[chars - 1] = '\0';
        require(pin_name_parse(text, &again) == PIN_OK && again.bytes == name->bytes);
    }
}

static void grow(const struct pin_name *name, const uint8_t *label, size_t label_bytes)
{
    struct pin_name longer = *name;
    bool fits = label_bytes > 0 && label_bytes <= PIN_LABEL_MAX_BYTES
                && name->bytes + label_bytes + 1 <= PIN_NAME_MAX_BYTES;
    enum pin_err err = pin_name_prepend(&longer, (const char *)label, label_bytes);
    require((err == PIN_OK) == fits && (fits || err == PIN_ELIMIT));
    if (!fits) {
        require(longer.bytes == name->bytes);
        return;
    }
    check_name(&longer);
    there_and_back(&longer);
    require(pin_name_is_below(&longer, name) && !pin_name_is_below(name, &longer));
    require(memcmp(pin_name_parent(longer.wire), name->wire, name->bytes) == 0);
}

static void as_text(const char *text)
{
    struct pin_name name = {.bytes = 77};
    bool is_label = text[0] != '\0' && strlen(text) <= PIN_LABEL_MAX_BYTES
                    && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text)
                    && text[0] != '-' && text[strlen(text) - 1] != '-';
    enum pin_err err = pin_name_parse(text, &name);
    require(pin_name_is_rfc1123_label(text) == is_label);
    require(!is_label || (err == PIN_OK && pin_name_labels(name.wire) == 1));
    if (err != PIN_OK) {
        require(err == PIN_EPARSE && name.bytes == 77);
        return;
    }
    check_name(&name);
    there_and_back(&name);
    grow(&name, (const uint8_t *)text, strlen(text));
}

static void as_wire(const uint8_t *wire, size_t size)
{
    size_t bytes = wire_bytes(wire, size);
    struct pin_name name;
    if (bytes == 0) {
        return;
    }
    name.bytes = (uint8_t)bytes;
    pin_name_lower(name.wire, wire, bytes);
    check_name(&name);
    there_and_back(&name);
    grow(&name, wire + 1, wire[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* In blocks of their own, so that ASan sees a byte too far. */
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    as_text(text);
    free(text);
    as_wire(data, size);
    return 0;
}
