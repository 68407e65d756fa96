/* SPDX-License-Identifier: Apache-2.0 */

/* Bundles: lengths around packed objects. */

#include "pintle/zones/bundle.h"

#include <stdlib.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/zones/pack.h"

#define LENGTH_BYTES 4u

bool pin_bundle_put(struct pin_text *out, const struct pin_object *object)
{
    static const char no_length[LENGTH_BYTES];
    if (out->len == 0) {
        pin_text_putc(out, (char)PIN_PACK_VERSION);
    }
    size_t at = out->len;
    pin_text_putn(out, no_length, LENGTH_BYTES);
    (void)pin_object_pack(object, out);
    if (out->failed || out->len - at - LENGTH_BYTES > UINT32_MAX) {
        out->failed = true;
        return false;
    }
    uint8_t length[LENGTH_BYTES];
    pin_put_be32(length, (uint32_t)(out->len - at - LENGTH_BYTES));
    memcpy(out->ptr + at, length, LENGTH_BYTES);
    return true;
}

/* How many objects there are, by their lengths alone; the reader stands behind the version. */
static enum pin_err count_objects(struct pin_reader reader, size_t *ret_n, struct pin_why *why)
{
    *ret_n = 0;
    while (pin_reader_left(&reader) > 0) {
        uint32_t bytes = pin_reader_get_u32(&reader);
        (void)pin_reader_get_bytes(&reader, bytes);
        (*ret_n)++;
    }
    if (!pin_reader_is_ok(&reader)) {
        return pin_why_set(why, PIN_EPARSE, "it ends within an object");
    }
    return *ret_n <= PIN_BUNDLE_OBJECTS_MAX
               ? PIN_OK
               : pin_why_set(why, PIN_ELIMIT, "%zu objects in one value", *ret_n);
}

enum pin_err pin_bundle_read(
    const void *data, size_t bytes, struct pin_bundle *ret_bundle, struct pin_why *why)
{
    struct pin_reader reader = pin_reader_init(data, bytes);
    struct pin_bundle bundle = {0};
    size_t n = 0;
    uint8_t version = pin_reader_get_u8(&reader);
    if (!pin_reader_is_ok(&reader) || version != PIN_PACK_VERSION) {
        return pin_why_set(why, PIN_EUNSUPPORTED, "its format is %u, this program reads %u",
            version, PIN_PACK_VERSION);
    }
    enum pin_err err = count_objects(reader, &n, why);
    if (err != PIN_OK) {
        return err;
    }
    bundle.objects = calloc(n + 1, sizeof(struct pin_object *));
    if (bundle.objects == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu objects", n);
    }
    while (err == PIN_OK && bundle.n < n) {
        uint32_t object_bytes = pin_reader_get_u32(&reader);
        const uint8_t *packed = pin_reader_get_bytes(&reader, object_bytes);
        err = pin_object_unpack(packed, object_bytes, &bundle.objects[bundle.n], why);
        bundle.n += err == PIN_OK ? 1 : 0;
    }
    if (err != PIN_OK) {
        pin_bundle_done(&bundle);
        return err;
    }
    *ret_bundle = bundle;
    return PIN_OK;
}

void pin_bundle_done(struct pin_bundle *bundle)
{
    for (size_t i = 0; i < bundle->n; i++) {
        pin_object_free(bundle->objects[i]);
    }
    free(bundle->objects);
    *bundle = (struct pin_bundle){0};
}
