/* SPDX-License-Identifier: Apache-2.0 */

/* RDATA as a row of fields, the same row for both directions. */

#include "pintle/zones/rdata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/crypto.h"
#include "pintle/base/ip.h"
#include "pintle/base/macros.h"
#include "pintle/zones/name.h"

#define TEXT_MAX_BYTES 255u
#define GENERIC        "\\#"
#define TYPE_PREFIX    "TYPE"

/* What a letter of `fields` stands for. */
enum field {
    PIN_FIELD_U8 = 'b',
    PIN_FIELD_U16 = 's',
    PIN_FIELD_U32 = 'l',
    PIN_FIELD_V4 = '4',
    PIN_FIELD_V6 = '6',
    PIN_FIELD_NAME = 'n',
    PIN_FIELD_QUOTED = 'q',  /* a string behind its length, in quotes */
    PIN_FIELD_STRINGS = 't', /* one or more of them, to the end */
    PIN_FIELD_TAG = 'g',     /* one without quotes: letters and digits */
    PIN_FIELD_REST = 'r',    /* a quoted string without a length, to the end */
    PIN_FIELD_HEX = 'x',     /* bytes to the end */
};

static const struct form {
    uint16_t type;
    const char *name;
    const char *fields; /* NULL: the general form */
} forms[] = {
    {1, "A", "4"},
    {2, "NS", "n"},
    {5, "CNAME", "n"},
    {6, "SOA", "nnlllll"},
    {12, "PTR", "n"},
    {15, "MX", "sn"},
    {16, "TXT", "t"},
    {28, "AAAA", "6"},
    {33, "SRV", "sssn"},
    {35, "NAPTR", "ssqqqn"},
    {39, "DNAME", "n"},
    {43, "DS", "sbbx"},
    {44, "SSHFP", "bbx"},
    {46, "RRSIG", NULL},
    {47, "NSEC", NULL},
    {48, "DNSKEY", NULL},
    {50, "NSEC3", NULL},
    {51, "NSEC3PARAM", NULL},
    {52, "TLSA", "bbbx"},
    {59, "CDS", "sbbx"},
    {60, "CDNSKEY", NULL},
    {61, "OPENPGPKEY", NULL},
    {63, "ZONEMD", NULL},
    {64, "SVCB", NULL},
    {65, "HTTPS", NULL},
    {99, "SPF", "t"},
    {256, "URI", "ssr"},
    {257, "CAA", "bgr"},
};

static const struct form *find_form(uint16_t type)
{
    for (size_t i = 0; i < N_ELEMS(forms); i++) {
        if (forms[i].type == type) {
            return &forms[i];
        }
    }
    return NULL;
}

/* The fields of a type, or NULL. */
static const char *fields_of(uint16_t type)
{
    const struct form *form = find_form(type);
    return form == NULL ? NULL : form->fields;
}

uint16_t pin_rdata_type(const char *text)
{
    for (size_t i = 0; i < N_ELEMS(forms); i++) {
        if (strcmp(forms[i].name, text) == 0) {
            return forms[i].type;
        }
    }
    size_t n_digits = 0;
    unsigned number = 0;
    if (strncmp(text, TYPE_PREFIX, sizeof(TYPE_PREFIX) - 1) != 0) {
        return 0;
    }
    for (text += sizeof(TYPE_PREFIX) - 1; *text >= '0' && *text <= '9' && n_digits < 6; text++) {
        number = number * 10 + (unsigned)(*text - '0');
        n_digits++;
    }
    return *text != '\0' || number > UINT16_MAX ? 0 : (uint16_t)number;
}

const char *pin_rdata_type_text(uint16_t type, char ret_text[PIN_RDATA_TYPE_MAX])
{
    const struct form *form = find_form(type);
    if (form != NULL) {
        (void)snprintf(ret_text, PIN_RDATA_TYPE_MAX, "%s", form->name);
    } else {
        (void)snprintf(ret_text, PIN_RDATA_TYPE_MAX, TYPE_PREFIX "%u", type);
    }
    return ret_text;
}

bool pin_rdata_has_form(uint16_t type)
{
    return fields_of(type) != NULL;
}

/* --- wire to text --------------------------------------------------------------------------- */

static bool format_ip(struct pin_reader *reader, uint8_t family, struct pin_text *text)
{
    char canonical[PIN_IP_TEXT_MAX];
    const uint8_t *bytes = pin_reader_get_bytes(reader, family == 4 ? 4 : 16);
    if (bytes == NULL) {
        return false;
    }
    struct pin_ip ip = pin_ip_from_bytes(bytes, family);
    pin_text_puts(text, pin_ip_format(&ip, canonical));
    return true;
}

static bool format_name(struct pin_reader *reader, struct pin_text *text)
{
    char canonical[PIN_NAME_TEXT_MAX];
    struct pin_name name;
    if (!pin_name_read(reader, &name)) {
        return false;
    }
    pin_name_format(name.wire, canonical);
    pin_text_putn(text, canonical, strlen(canonical) - (name.bytes > 1 ? 1 : 0));
    return true;
}

static bool format_quoted(const uint8_t *data, size_t bytes, struct pin_text *text)
{
    pin_text_putc(text, '"');
    for (size_t i = 0; data != NULL && i < bytes; i++) {
        if (data[i] < ' ' || data[i] >= 0x7F) {
            pin_text_putf(text, "\\%03u", data[i]);
        } else if (data[i] == '"' || data[i] == '\\') {
            pin_text_putf(text, "\\%c", data[i]);
        } else {
            pin_text_putc(text, (char)data[i]);
        }
    }
    pin_text_putc(text, '"');
    return data != NULL;
}

static bool format_string(struct pin_reader *reader, struct pin_text *text)
{
    uint8_t bytes = pin_reader_get_u8(reader);
    return format_quoted(pin_reader_get_bytes(reader, bytes), bytes, text);
}

/* How many letters and digits a tag begins with (RFC 8659, section 4.1: it has nothing else). */
static size_t count_tag(const char *tag, size_t bytes)
{
    size_t n = 0;
    while (n < bytes
           && ((tag[n] >= '0' && tag[n] <= '9') || (tag[n] >= 'a' && tag[n] <= 'z')
               || (tag[n] >= 'A' && tag[n] <= 'Z'))) {
        n++;
    }
    return n;
}

static bool format_tag(struct pin_reader *reader, struct pin_text *text)
{
    uint8_t bytes = pin_reader_get_u8(reader);
    const uint8_t *tag = pin_reader_get_bytes(reader, bytes);
    bool is_ok = tag != NULL && bytes > 0 && count_tag((const char *)tag, bytes) == bytes;
    if (is_ok) {
        pin_text_putn(text, (const char *)tag, bytes);
    }
    return is_ok;
}

static void put_hex(struct pin_text *text, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        pin_text_putf(text, "%02x", data[i]);
    }
}

/* One field; `end` is where the RDATA ends. */
static bool format_field(
    struct pin_reader *reader, const uint8_t *end, char field, struct pin_text *text)
{
    size_t left = reader->pos > end ? 0 : (size_t)(end - reader->pos);
    switch ((enum field)field) {
    case PIN_FIELD_U8:
        pin_text_putf(text, "%u", pin_reader_get_u8(reader));
        return true;
    case PIN_FIELD_U16:
        pin_text_putf(text, "%u", pin_reader_get_u16(reader));
        return true;
    case PIN_FIELD_U32:
        pin_text_putf(text, "%u", pin_reader_get_u32(reader));
        return true;
    case PIN_FIELD_V4:
        return format_ip(reader, 4, text);
    case PIN_FIELD_V6:
        return format_ip(reader, 6, text);
    case PIN_FIELD_NAME:
        return format_name(reader, text);
    case PIN_FIELD_QUOTED:
    case PIN_FIELD_STRINGS:
        return format_string(reader, text);
    case PIN_FIELD_TAG:
        return format_tag(reader, text);
    case PIN_FIELD_REST:
        return format_quoted(pin_reader_get_bytes(reader, left), left, text);
    case PIN_FIELD_HEX:
        put_hex(text, pin_reader_get_bytes(reader, left), left);
        return left > 0;
    }
    return false;
}

bool pin_rdata_format(struct pin_reader *reader, size_t bytes, uint16_t type, struct pin_text *text)
{
    const char *fields = fields_of(type);
    if (pin_reader_left(reader) < bytes) {
        return false;
    }
    const uint8_t *end = reader->pos + bytes;
    if (fields == NULL) {
        pin_text_putf(text, GENERIC " %zu%s", bytes, bytes > 0 ? " " : "");
        put_hex(text, pin_reader_get_bytes(reader, bytes), bytes);
        return true;
    }
    for (bool is_first = true; *fields != '\0'; is_first = false) {
        if (!is_first) {
            pin_text_putc(text, ' ');
        }
        if (!format_field(reader, end, *fields, text) || !pin_reader_is_ok(reader)
            || reader->pos > end) {
            return false;
        }
        fields += *fields != PIN_FIELD_STRINGS || reader->pos == end;
    }
    return reader->pos == end;
}

/* --- text to wire --------------------------------------------------------------------------- */

/* The next word; its quotes, if it has them, are part of it. NULL: there is none. */
static const char *next_word(const char **text, size_t *ret_bytes)
{
    const char *word = *text + strspn(*text, " \t");
    const char *end = word;
    bool is_quoted = *word == '"';
    end += is_quoted;
    while (*end != '\0' && (is_quoted ? *end != '"' : *end != ' ' && *end != '\t')) {
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    }
    end += is_quoted && *end == '"';
    *text = end;
    *ret_bytes = (size_t)(end - word);
    return end == word ? NULL : word;
}

static bool parse_number(const char *word, size_t bytes, uint32_t max, uint32_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (word[i] < '0' || word[i] > '9' || number > max) {
            return false;
        }
        number = number * 10 + (uint64_t)(word[i] - '0');
    }
    *ret_number = (uint32_t)number;
    return number <= max;
}

static bool parse_ip(const char *word, size_t bytes, uint8_t family, struct pin_buf *buf)
{
    char copy[PIN_IP_TEXT_MAX];
    struct pin_ip ip;
    if (bytes >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, word, bytes);
    copy[bytes] = '\0';
    if (!pin_ip_parse(copy, &ip) || ip.family != family) {
        return false;
    }
    pin_buf_put_bytes(buf, ip.bytes, family == 4 ? 4 : 16);
    return true;
}

static bool parse_name(const char *word, size_t bytes, struct pin_buf *buf)
{
    char copy[PIN_NAME_TEXT_MAX];
    struct pin_name name;
    if (bytes >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, word, bytes);
    copy[bytes] = '\0';
    if (pin_name_parse(copy, &name) != PIN_OK) {
        return false;
    }
    pin_buf_put_bytes(buf, name.wire, name.bytes);
    return true;
}

/* One byte of a string, its escape undone; characters used, 0 when malformed. */
static size_t parse_byte(const char *text, uint8_t *ret_byte)
{
    uint32_t value = 0;
    if (text[0] != '\\') {
        *ret_byte = (uint8_t)text[0];
        return 1;
    }
    if (text[1] < '0' || text[1] > '9') {
        *ret_byte = (uint8_t)text[1];
        return text[1] == '\0' ? 0 : 2;
    }
    if (strnlen(text + 1, 3) < 3 || !parse_number(text + 1, 3, UINT8_MAX, &value)) {
        return 0;
    }
    *ret_byte = (uint8_t)value;
    return 4;
}

/* The bytes of a word, in quotes or not. */
static bool parse_string(const char *word, size_t bytes, struct pin_buf *buf)
{
    const char *end = word + bytes;
    if (*word == '"') {
        if (bytes < 2 || end[-1] != '"') {
            return false;
        }
        word++;
        end--;
    }
    while (word < end) {
        uint8_t byte = 0;
        size_t used = parse_byte(word, &byte);
        if (used == 0 || used > (size_t)(end - word)) {
            return false;
        }
        pin_buf_put_u8(buf, byte);
        word += used;
    }
    return true;
}

/* The same behind its length. */
static bool parse_counted(const char *word, size_t bytes, struct pin_buf *buf)
{
    uint8_t *length = pin_buf_skip(buf, 1);
    size_t start = pin_buf_used(buf);
    if (length == NULL) {
        return true; /* it does not fit: the buffer says so */
    }
    if (!parse_string(word, bytes, buf) || pin_buf_used(buf) - start > TEXT_MAX_BYTES) {
        return false;
    }
    *length = (uint8_t)(pin_buf_used(buf) - start);
    return true;
}

/* One letter or digit at least. */
static bool parse_tag(const char *word, size_t bytes, struct pin_buf *buf)
{
    size_t quotes = *word == '"' ? 2 : 0;
    return bytes > quotes && count_tag(word + quotes / 2, bytes - quotes) == bytes - quotes
           && parse_counted(word, bytes, buf);
}

/* This word and all that follow. */
static bool parse_hex(const char *word, size_t bytes, const char **text, struct pin_buf *buf)
{
    int high = -1;
    for (; word != NULL; word = next_word(text, &bytes)) {
        for (size_t i = 0; i < bytes; i++) {
            int digit = pin_hex_value(word[i]);
            if (digit < 0) {
                return false;
            }
            if (high >= 0) {
                pin_buf_put_u8(buf, (uint8_t)(high << 4 | digit));
            }
            high = high >= 0 ? -1 : digit;
        }
    }
    return high < 0;
}

static bool parse_field(
    char field, const char *word, size_t bytes, const char **text, struct pin_buf *buf)
{
    uint32_t number = 0;
    switch ((enum field)field) {
    case PIN_FIELD_U8:
        if (!parse_number(word, bytes, UINT8_MAX, &number)) {
            return false;
        }
        pin_buf_put_u8(buf, (uint8_t)number);
        return true;
    case PIN_FIELD_U16:
        if (!parse_number(word, bytes, UINT16_MAX, &number)) {
            return false;
        }
        pin_buf_put_u16(buf, (uint16_t)number);
        return true;
    case PIN_FIELD_U32:
        if (!parse_number(word, bytes, UINT32_MAX, &number)) {
            return false;
        }
        pin_buf_put_u32(buf, number);
        return true;
    case PIN_FIELD_V4:
        return parse_ip(word, bytes, 4, buf);
    case PIN_FIELD_V6:
        return parse_ip(word, bytes, 6, buf);
    case PIN_FIELD_NAME:
        return parse_name(word, bytes, buf);
    case PIN_FIELD_QUOTED:
    case PIN_FIELD_STRINGS:
        return parse_counted(word, bytes, buf);
    case PIN_FIELD_TAG:
        return parse_tag(word, bytes, buf);
    case PIN_FIELD_REST:
        return parse_string(word, bytes, buf);
    case PIN_FIELD_HEX:
        return parse_hex(word, bytes, text, buf);
    }
    return false;
}

/* "\# 4 0a000001", behind its first word. */
static bool parse_generic(const char *text, struct pin_buf *buf)
{
    size_t bytes = 0;
    uint32_t length = 0;
    size_t start = pin_buf_used(buf);
    const char *word = next_word(&text, &bytes);
    if (word == NULL || !parse_number(word, bytes, UINT16_MAX, &length)) {
        return false;
    }
    word = next_word(&text, &bytes);
    return parse_hex(word, bytes, &text, buf)
           && (!pin_buf_is_ok(buf) || pin_buf_used(buf) - start == length);
}

static bool parse_fields(const char *fields, const char *text, struct pin_buf *buf)
{
    size_t bytes = 0;
    const char *word = next_word(&text, &bytes);
    while (*fields != '\0') {
        char field = *fields;
        if (word == NULL || !parse_field(field, word, bytes, &text, buf)) {
            return false;
        }
        word = next_word(&text, &bytes);
        fields += field != PIN_FIELD_STRINGS || word == NULL;
    }
    return word == NULL;
}

enum pin_err pin_rdata_parse(
    uint16_t type, const char *text, struct pin_buf *buf, struct pin_why *why)
{
    char type_text[PIN_RDATA_TYPE_MAX];
    size_t bytes = 0;
    const char *behind = text;
    const char *fields = fields_of(type);
    const char *word = next_word(&behind, &bytes);
    bool is_generic = word != NULL && bytes == strlen(GENERIC) && memcmp(word, GENERIC, bytes) == 0;
    bool is_ok = is_generic       ? parse_generic(behind, buf)
                 : fields != NULL ? parse_fields(fields, text, buf)
                                  : false;
    if (!is_ok) {
        return pin_why_set(why, PIN_EPARSE, "'%.200s' is no data of type %s", text,
            pin_rdata_type_text(type, type_text));
    }
    return pin_buf_is_ok(buf) ? PIN_OK : pin_why_set(why, PIN_ELIMIT, "the data is too long");
}
