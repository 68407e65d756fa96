/* SPDX-License-Identifier: Apache-2.0 */

/* Objects to bytes and back, by the description in pack_layout.c. */

#include "pintle/zones/pack.h"

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/macros.h"

#include "zones/pack_layout.h"

/* Texts of one object that later fields may name by their number. */
#define WORDS_MAX 32u
/* How a WORD begins that is no number of an earlier one. */
#define WORD_NULL 0u
#define WORD_NEW  1u
/* The first number of a word. */
#define WORD_FIRST 2u
/* The longest varint. */
#define VARINT_MAX 10
/* An array may begin at a multiple of that many bytes. */
#define ALIGN_MAX 8u
/* Most memory that one packed byte makes. */
#define GROWTH_MAX 16u

/* Words seen so far, the same on both sides. */
struct words {
    const char *texts[WORDS_MAX];
    size_t n;
};

static void add_word(struct words *words, const char *text)
{
    if (words->n < WORDS_MAX) {
        words->texts[words->n++] = text;
    }
}

/* --- packing ------------------------------------------------------------------------------- */

struct packer {
    struct pin_text *out;
    struct words words;
    size_t hint; /* bytes that the fields will take when they are unpacked */
};

static void put_number(struct pin_text *out, uint64_t value)
{
    char bytes[VARINT_MAX];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (char)(unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (char)(unsigned char)value;
    pin_text_putn(out, bytes, n);
}

static void put_text(struct packer *packer, const char *text, size_t bytes)
{
    put_number(packer->out, bytes);
    pin_text_putn(packer->out, text, bytes);
    packer->hint += bytes + 1;
}

static void put_word(struct packer *packer, const char *text)
{
    if (text == NULL) {
        put_number(packer->out, WORD_NULL);
        return;
    }
    for (size_t i = 0; i < packer->words.n; i++) {
        if (strcmp(packer->words.texts[i], text) == 0) {
            put_number(packer->out, WORD_FIRST + i);
            return;
        }
    }
    put_number(packer->out, WORD_NEW);
    put_text(packer, text, strlen(text));
    add_word(&packer->words, text);
}

static void put_ip(struct packer *packer, const struct pin_ip *ip)
{
    size_t bytes = ip->family == 0 ? 0 : ip->family == 4 ? 4 : 16;
    put_number(packer->out, ip->family);
    pin_text_putn(packer->out, (const char *)ip->bytes, bytes);
}

static uint64_t load_number(const char *at, uint8_t bytes)
{
    uint64_t u64 = 0;
    uint32_t u32 = 0;
    uint16_t u16 = 0;
    switch (bytes) {
    case sizeof(u64):
        memcpy(&u64, at, sizeof(u64));
        return u64;
    case sizeof(u32):
        memcpy(&u32, at, sizeof(u32));
        return u32;
    case sizeof(u16):
        memcpy(&u16, at, sizeof(u16));
        return u16;
    default:
        return *(const uint8_t *)at;
    }
}

static size_t load_count(const char *item, const struct pin_pack_field *field)
{
    size_t n = 0;
    memcpy(&n, item + field->offset_n, sizeof(n));
    return n;
}

static const char *load_pointer(const char *at)
{
    const char *pointer = NULL;
    memcpy(&pointer, at, sizeof(pointer));
    return pointer;
}

static void pack_item(
    struct packer *packer, const struct pin_pack_layout *layout, const char *item);

static void pack_array(
    struct packer *packer, const struct pin_pack_layout *layout, const char *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pack_item(packer, layout, items + i * layout->bytes);
    }
}

/* The same behind a pointer: it will take memory. */
static void pack_held(
    struct packer *packer, const struct pin_pack_layout *layout, const char *items, size_t n)
{
    packer->hint += n > 0 ? n * layout->bytes + ALIGN_MAX - 1 : 0;
    pack_array(packer, layout, items, n);
}

/* What begins with a number that says whether or how many. */
static void pack_pointer(
    struct packer *packer, const struct pin_pack_field *field, const char *item)
{
    const char *items = load_pointer(item + field->offset);
    size_t n = 1;
    if (field->kind != PIN_PACK_ONE) {
        n = load_count(item, field);
    }
    put_number(packer->out, field->kind == PIN_PACK_ITEMS ? n : items != NULL);
    if (items != NULL) {
        pack_held(packer, field->items, items, n);
    }
}

static void pack_bytes(struct packer *packer, const struct pin_pack_field *field, const char *item)
{
    size_t n = load_count(item, field);
    put_number(packer->out, n);
    if (n > 0) {
        pin_text_putn(packer->out, load_pointer(item + field->offset), n);
        packer->hint += n + ALIGN_MAX - 1;
    }
}

static void pack_text(struct packer *packer, const struct pin_pack_field *field, const char *text)
{
    if (field->kind == PIN_PACK_WORD) {
        put_word(packer, text);
    } else if (field->kind == PIN_PACK_NAME) {
        put_text(packer, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
    } else if (text == NULL) {
        put_number(packer->out, 0);
    } else {
        size_t bytes = strlen(text);
        put_number(packer->out, bytes + 1);
        pin_text_putn(packer->out, text, bytes);
        packer->hint += bytes + 1;
    }
}

static void pack_field(struct packer *packer, const struct pin_pack_field *field, const char *item)
{
    const char *at = item + field->offset;
    struct pin_prefix prefix;
    size_t n = 0;
    switch (field->kind) {
    case PIN_PACK_NUMBER:
        put_number(packer->out, load_number(at, field->bytes));
        break;
    case PIN_PACK_UNSET:
        put_number(packer->out, (uint32_t)(load_number(at, sizeof(uint32_t)) + 1));
        break;
    case PIN_PACK_COUNT:
        memcpy(&n, at, sizeof(n));
        put_number(packer->out, n);
        break;
    case PIN_PACK_TEXT:
    case PIN_PACK_NAME:
    case PIN_PACK_WORD:
        pack_text(packer, field, load_pointer(at));
        break;
    case PIN_PACK_IP:
        memcpy(&prefix.ip, at, sizeof(prefix.ip));
        put_ip(packer, &prefix.ip);
        break;
    case PIN_PACK_PREFIX:
        memcpy(&prefix, at, sizeof(prefix));
        put_ip(packer, &prefix.ip);
        put_number(packer->out, prefix.bits);
        break;
    case PIN_PACK_ITEMS:
    case PIN_PACK_ROWS:
    case PIN_PACK_ONE:
        pack_pointer(packer, field, item);
        break;
    case PIN_PACK_BYTES:
        pack_bytes(packer, field, item);
        break;
    case PIN_PACK_WITHIN:
        pack_array(packer, field->items, at, (size_t)field->max);
        break;
    }
}

static void pack_item(struct packer *packer, const struct pin_pack_layout *layout, const char *item)
{
    for (size_t i = 0; i < layout->n_fields; i++) {
        pack_field(packer, &layout->fields[i], item);
    }
}

/* Whether packed fields say nothing: each is one zero. */
static bool are_zeros(const void *packed, size_t bytes)
{
    static const char nothing[64];
    return bytes <= sizeof(nothing) && memcmp(packed, nothing, bytes) == 0;
}

/* One byte where nothing is said, which is nearly everywhere. */
static void pack_steering(struct packer *packer, const struct pin_object *object)
{
    pin_text_putc(packer->out, 1);
    size_t from = packer->out->len;
    pack_item(packer, &pin_pack_steering, (const char *)object->steering);
    if (packer->out->failed) {
        return;
    }
    bool is_unset = are_zeros(packer->out->ptr + from, packer->out->len - from);
    if (is_unset && object->written == NULL) {
        pin_text_cut(packer->out, from - 1);
        pin_text_putc(packer->out, 0);
    } else {
        pack_item(packer, &pin_pack_written, (const char *)object);
    }
}

enum pin_err pin_object_pack(const struct pin_object *object, struct pin_text *out)
{
    const struct pin_pack_layout *body = pin_pack_body(object->kind);
    struct packer packer = {.out = out};
    char hint[VARINT_MAX];
    put_number(out, object->kind);
    size_t hint_at = out->len;
    pin_text_putn(out, (const char[4]){0}, 4);
    pack_item(&packer, &pin_pack_head, (const char *)object);
    pack_steering(&packer, object);
    if (body != NULL) {
        pack_item(&packer, body, (const char *)&object->as);
    }
    if (out->failed) {
        return PIN_ENOMEM;
    }
    for (size_t i = 0; i < 4; i++) {
        hint[i] = (char)(unsigned char)(packer.hint >> (8 * i));
    }
    memcpy(out->ptr + hint_at, hint, 4);
    return PIN_OK;
}

/* --- unpacking ----------------------------------------------------------------------------- */

struct unpacker {
    struct pin_reader in;
    struct pin_object *object;
    struct words words;
    bool is_out_of_memory;
};

/* Nothing more is read from here on. */
static void refuse(struct unpacker *unpacker)
{
    unpacker->in.failed = true;
}

/* A number up to `max`; 0 on error. */
static uint64_t get_number(struct unpacker *unpacker, uint64_t max)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = pin_reader_get_u8(&unpacker->in);
        uint64_t part = byte & 0x7fu;
        value |= part << shift;
        if (byte < 0x80) {
            if (part << shift >> shift != part || value > max) {
                break;
            }
            return value;
        }
    }
    refuse(unpacker);
    return 0;
}

static const char *get_text(struct unpacker *unpacker, uint64_t bytes)
{
    if (bytes > pin_reader_left(&unpacker->in)) {
        refuse(unpacker);
        return NULL;
    }
    const uint8_t *text = pin_reader_get_bytes(&unpacker->in, (size_t)bytes);
    if (text == NULL || memchr(text, '\0', (size_t)bytes) != NULL) {
        refuse(unpacker);
        return NULL;
    }
    const char *copy = pin_object_text(unpacker->object, (const char *)text, (size_t)bytes);
    unpacker->is_out_of_memory = unpacker->is_out_of_memory || copy == NULL;
    return copy;
}

static const char *get_word(struct unpacker *unpacker)
{
    uint64_t word = get_number(unpacker, WORD_FIRST + WORDS_MAX - 1);
    if (word == WORD_NULL) {
        return NULL;
    }
    if (word == WORD_NEW) {
        const char *text = get_text(unpacker, get_number(unpacker, UINT64_MAX));
        add_word(&unpacker->words, text);
        return text;
    }
    if (word - WORD_FIRST >= unpacker->words.n) {
        refuse(unpacker);
        return NULL;
    }
    return unpacker->words.texts[word - WORD_FIRST];
}

static const char *get_any_text(struct unpacker *unpacker, enum pin_pack_kind kind)
{
    if (kind == PIN_PACK_WORD) {
        return get_word(unpacker);
    }
    uint64_t bytes = get_number(unpacker, UINT64_MAX);
    if (kind == PIN_PACK_NAME) {
        return get_text(unpacker, bytes);
    }
    return bytes == 0 ? NULL : get_text(unpacker, bytes - 1);
}

static struct pin_ip get_ip(struct unpacker *unpacker, bool may_be_none)
{
    uint64_t family = get_number(unpacker, 6);
    if (family == 0 && may_be_none) {
        return (struct pin_ip){0};
    }
    const uint8_t *bytes = pin_reader_get_bytes(&unpacker->in, family == 4 ? 4 : 16);
    if (bytes == NULL || (family != 4 && family != 6)) {
        refuse(unpacker);
        return (struct pin_ip){0};
    }
    return pin_ip_from_bytes(bytes, (uint8_t)family);
}

static struct pin_prefix get_prefix(struct unpacker *unpacker)
{
    struct pin_prefix prefix = {.ip = get_ip(unpacker, true)};
    prefix.bits = (uint8_t)get_number(unpacker, prefix.ip.family == 4 ? 32 : 128);
    return prefix.ip.family == 0 ? prefix : pin_prefix_of(&prefix.ip, prefix.bits);
}

static void store_number(char *at, uint8_t bytes, uint64_t value)
{
    uint32_t u32 = (uint32_t)value;
    uint16_t u16 = (uint16_t)value;
    uint8_t u8 = (uint8_t)value;
    switch (bytes) {
    case sizeof(value):
        memcpy(at, &value, sizeof(value));
        break;
    case sizeof(u32):
        memcpy(at, &u32, sizeof(u32));
        break;
    case sizeof(u16):
        memcpy(at, &u16, sizeof(u16));
        break;
    default:
        memcpy(at, &u8, sizeof(u8));
        break;
    }
}

static void unpack_item(
    struct unpacker *unpacker, const struct pin_pack_layout *layout, char *item);

static void unpack_array(
    struct unpacker *unpacker, const struct pin_pack_layout *layout, char *items, size_t n)
{
    for (size_t i = 0; i < n && pin_reader_is_ok(&unpacker->in); i++) {
        unpack_item(unpacker, layout, items + i * layout->bytes);
    }
}

/* Memory for items and what is in them; NULL when the bytes that are left cannot hold so many. */
static char *unpack_held(
    struct unpacker *unpacker, const struct pin_pack_layout *layout, uint64_t n)
{
    if (n > pin_reader_left(&unpacker->in) / layout->n_fields) {
        refuse(unpacker);
        return NULL;
    }
    char *items = pin_object_alloc(unpacker->object, (size_t)n * layout->bytes);
    if (items == NULL) {
        unpacker->is_out_of_memory = true;
        refuse(unpacker);
        return NULL;
    }
    unpack_array(unpacker, layout, items, (size_t)n);
    return items;
}

static void unpack_pointer(
    struct unpacker *unpacker, const struct pin_pack_field *field, char *item)
{
    bool has_number = field->kind == PIN_PACK_ITEMS;
    uint64_t n = get_number(unpacker, has_number ? UINT64_MAX : 1);
    bool is_there = n > 0; /* rows are there or not, however many they are */
    if (has_number) {
        store_number(item + field->offset_n, sizeof(size_t), n);
    } else if (field->kind == PIN_PACK_ROWS) {
        n = load_count(item, field);
    }
    const char *items = is_there ? unpack_held(unpacker, field->items, n) : NULL;
    memcpy(item + field->offset, &items, sizeof(items));
}

static void unpack_bytes(struct unpacker *unpacker, const struct pin_pack_field *field, char *item)
{
    uint64_t n = get_number(unpacker, pin_reader_left(&unpacker->in));
    const uint8_t *bytes = pin_reader_get_bytes(&unpacker->in, (size_t)n);
    char *copy = NULL;
    if (bytes != NULL && n > 0) {
        copy = pin_object_alloc(unpacker->object, (size_t)n);
        unpacker->is_out_of_memory = unpacker->is_out_of_memory || copy == NULL;
    }
    if (copy != NULL) {
        memcpy(copy, bytes, (size_t)n);
    }
    store_number(item + field->offset_n, sizeof(size_t), copy != NULL ? n : 0);
    memcpy(item + field->offset, &copy, sizeof(copy));
}

static void unpack_field(struct unpacker *unpacker, const struct pin_pack_field *field, char *item)
{
    char *at = item + field->offset;
    const char *text = NULL;
    struct pin_prefix prefix;
    switch (field->kind) {
    case PIN_PACK_NUMBER:
        store_number(at, field->bytes, get_number(unpacker, field->max));
        break;
    case PIN_PACK_UNSET:
        store_number(at, sizeof(uint32_t), get_number(unpacker, field->max + 1) - 1);
        break;
    case PIN_PACK_COUNT:
        store_number(at, sizeof(size_t), get_number(unpacker, pin_reader_left(&unpacker->in)));
        break;
    case PIN_PACK_TEXT:
    case PIN_PACK_NAME:
    case PIN_PACK_WORD:
        text = get_any_text(unpacker, field->kind);
        memcpy(at, &text, sizeof(text));
        break;
    case PIN_PACK_IP:
        prefix.ip = get_ip(unpacker, false);
        memcpy(at, &prefix.ip, sizeof(prefix.ip));
        break;
    case PIN_PACK_PREFIX:
        prefix = get_prefix(unpacker);
        memcpy(at, &prefix, sizeof(prefix));
        break;
    case PIN_PACK_ITEMS:
    case PIN_PACK_ROWS:
    case PIN_PACK_ONE:
        unpack_pointer(unpacker, field, item);
        break;
    case PIN_PACK_BYTES:
        unpack_bytes(unpacker, field, item);
        break;
    case PIN_PACK_WITHIN:
        unpack_array(unpacker, field->items, at, (size_t)field->max);
        break;
    }
}

static void unpack_item(struct unpacker *unpacker, const struct pin_pack_layout *layout, char *item)
{
    for (size_t i = 0; i < layout->n_fields && pin_reader_is_ok(&unpacker->in); i++) {
        unpack_field(unpacker, &layout->fields[i], item);
    }
    if (pin_reader_is_ok(&unpacker->in) && !unpacker->is_out_of_memory && layout->is_sane != NULL
        && !layout->is_sane(item)) {
        refuse(unpacker);
    }
}

/* Bytes for a steering, which no hint counts, where something is said behind the head. */
static size_t steering_bytes(const struct unpacker *unpacker)
{
    struct unpacker ahead = {.in = unpacker->in};
    for (int i = 0; i < 2; i++) { /* both names, */
        uint64_t bytes = get_number(&ahead, pin_reader_left(&ahead.in));
        (void)pin_reader_get_bytes(&ahead.in, (size_t)bytes);
    }
    (void)get_number(&ahead, UINT64_MAX); /* and both times */
    (void)get_number(&ahead, UINT64_MAX);
    return get_number(&ahead, 1) == 1 ? sizeof(struct pin_steering) + ALIGN_MAX - 1 : 0;
}

/* An empty object of the kind that the bytes begin with; NULL and no reason: it is none of ours. */
static struct pin_object *begin(struct unpacker *unpacker, size_t bytes)
{
    uint64_t kind = get_number(unpacker, PIN_KIND_MAX - 1);
    const uint8_t *hint = pin_reader_get_bytes(&unpacker->in, 4);
    if (hint == NULL) {
        return NULL;
    }
    size_t wanted = (size_t)hint[3] << 24 | (size_t)hint[2] << 16 | (size_t)hint[1] << 8 | hint[0];
    wanted = PIN_MIN(wanted, bytes * GROWTH_MAX) + steering_bytes(unpacker);
    struct pin_object *object = pin_object_new((enum pin_kind)kind, wanted);
    unpacker->is_out_of_memory = object == NULL;
    return object;
}

/* An object gets a steering of its own only when something is said in it. */
static void unpack_steering(struct unpacker *unpacker)
{
    struct pin_object *object = unpacker->object;
    struct pin_steering steering = pin_steering_unset;
    size_t from = pin_reader_offset(&unpacker->in);
    unpack_item(unpacker, &pin_pack_steering, (char *)&steering);
    size_t bytes = pin_reader_offset(&unpacker->in) - from;
    if (pin_reader_is_ok(&unpacker->in) && !are_zeros(unpacker->in.start + from, bytes)) {
        struct pin_steering *own = pin_object_steer(object);
        unpacker->is_out_of_memory = unpacker->is_out_of_memory || own == NULL;
        if (own != NULL) {
            *own = steering;
        }
    }
    unpack_item(unpacker, &pin_pack_written, (char *)object);
}

static void unpack_object(struct unpacker *unpacker)
{
    struct pin_object *object = unpacker->object;
    const struct pin_pack_layout *body = pin_pack_body(object->kind);
    unpack_item(unpacker, &pin_pack_head, (char *)object);
    if (get_number(unpacker, 1) == 1) {
        unpack_steering(unpacker);
    }
    if (body != NULL) {
        unpack_item(unpacker, body, (char *)&object->as);
    }
    if (pin_reader_left(&unpacker->in) > 0) {
        refuse(unpacker);
    }
}

enum pin_err pin_object_unpack(
    const void *data, size_t bytes, struct pin_object **ret_object, struct pin_why *why)
{
    struct unpacker unpacker = {.in = pin_reader_init(data, bytes)};
    unpacker.object = begin(&unpacker, bytes);
    if (unpacker.object != NULL) {
        unpack_object(&unpacker);
    }
    if (unpacker.is_out_of_memory) {
        pin_object_free(unpacker.object);
        return pin_why_set(why, PIN_ENOMEM, "an object of %zu packed bytes", bytes);
    }
    if (!pin_reader_is_ok(&unpacker.in)) {
        size_t at = pin_reader_offset(&unpacker.in);
        pin_object_free(unpacker.object);
        return pin_why_set(why, PIN_EPARSE, "no packed object: byte %zu of %zu", at, bytes);
    }
    *ret_object = unpacker.object;
    return PIN_OK;
}
