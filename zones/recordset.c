/* SPDX-License-Identifier: Apache-2.0 */

/* Record sets as plans see them: made canonical, sorted, compared, copied. */

#include "pintle/zones/recordset.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/ip.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/zones/rdata.h"

#define STRING_MAX_BYTES 255u

/* --- Names and values ----------------------------------------------------------------------- */

enum pin_err pin_recordset_name(
    const char *text, char ret_name[PIN_RECORDSET_NAME_MAX], struct pin_why *why)
{
    struct pin_name name;
    if (pin_name_parse(text, &name) != PIN_OK) {
        return pin_why_set(why, PIN_EPARSE, "'%.300s' is no domain name", text);
    }
    pin_name_format(name.wire, ret_name);
    if (name.bytes > 1) {
        ret_name[strlen(ret_name) - 1] = '\0';
    }
    return PIN_OK;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* The next word of the text, without its end; NULL: there is none. */
static const char *next_word(const char **text, size_t *ret_bytes)
{
    const char *at = *text;
    while (is_blank(*at)) {
        at++;
    }
    const char *end = at;
    while (*end != '\0' && !is_blank(*end)) {
        end++;
    }
    *text = end;
    *ret_bytes = (size_t)(end - at);
    return end == at ? NULL : at;
}

/* Takes 16-bit numbers from the front of the text, and writes them. */
static bool put_numbers(struct pin_text *out, const char **text, unsigned n_numbers)
{
    for (unsigned i = 0; i < n_numbers; i++) {
        size_t bytes = 0;
        const char *word = next_word(text, &bytes);
        unsigned number = 0;
        for (size_t k = 0; word != NULL && k < bytes; k++) {
            if (word[k] < '0' || word[k] > '9' || bytes > 5) {
                return false;
            }
            number = number * 10 + (unsigned)(word[k] - '0');
        }
        if (word == NULL || number > UINT16_MAX) {
            return false;
        }
        pin_text_putf(out, "%u ", number);
    }
    return true;
}

/* Numbers, then a name, and nothing else. */
static bool put_numbers_and_name(struct pin_text *out, const char *text, unsigned n_numbers)
{
    char name[PIN_RECORDSET_NAME_MAX];
    char word[PIN_RECORDSET_NAME_MAX];
    size_t bytes = 0;
    if (!put_numbers(out, &text, n_numbers)) {
        return false;
    }
    const char *at = next_word(&text, &bytes);
    if (at == NULL || bytes >= sizeof(word)) {
        return false;
    }
    memcpy(word, at, bytes);
    word[bytes] = '\0';
    if (pin_recordset_name(word, name, NULL) != PIN_OK) {
        return false;
    }
    pin_text_puts(out, name);
    return next_word(&text, &bytes) == NULL;
}

static bool put_address(struct pin_text *out, const char *text, uint8_t family)
{
    struct pin_ip ip;
    char canonical[PIN_IP_TEXT_MAX];
    char word[PIN_IP_TEXT_MAX];
    size_t bytes = 0;
    const char *at = next_word(&text, &bytes);
    if (at == NULL || bytes >= sizeof(word) || next_word(&text, &(size_t){0}) != NULL) {
        return false;
    }
    memcpy(word, at, bytes);
    word[bytes] = '\0';
    if (!pin_ip_parse(word, &ip) || ip.family != family) {
        return false;
    }
    pin_text_puts(out, pin_ip_format(&ip, canonical));
    return true;
}

static void put_string_byte(struct pin_text *out, unsigned char byte)
{
    if (byte < ' ' || byte >= 0x7F) {
        pin_text_putf(out, "\\%03u", byte);
        return;
    }
    if (byte == '"' || byte == '\\') {
        pin_text_putc(out, '\\');
    }
    pin_text_putc(out, (char)byte);
}

/* One byte of a string, escapes undone; characters used, 0 when malformed. */
static size_t string_byte(const char *text, unsigned char *ret_byte)
{
    unsigned value = 0;
    if (text[0] != '\\') {
        *ret_byte = (unsigned char)text[0];
        return 1;
    }
    if (text[1] < '0' || text[1] > '9') {
        *ret_byte = (unsigned char)text[1];
        return text[1] == '\0' ? 0 : 2;
    }
    for (size_t i = 1; i <= 3; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_byte = (unsigned char)value;
    return value > UINT8_MAX ? 0 : 4;
}

/* Puts one byte of a string that is cut after 255 of them. */
static void put_cut(struct pin_text *out, unsigned char byte, size_t *n_bytes)
{
    if (*n_bytes == STRING_MAX_BYTES) {
        pin_text_puts(out, "\" \"");
        *n_bytes = 0;
    }
    put_string_byte(out, byte);
    (*n_bytes)++;
}

/* Reads one quoted string and writes it; leaves *text behind its end. */
static bool put_quoted(struct pin_text *out, const char **text)
{
    size_t n_bytes = 0;
    const char *at = *text + 1;
    pin_text_putc(out, '"');
    while (*at != '"') {
        unsigned char byte = 0;
        size_t used = *at == '\0' ? 0 : string_byte(at, &byte);
        if (used == 0) {
            return false;
        }
        put_cut(out, byte, &n_bytes);
        at += used;
    }
    pin_text_putc(out, '"');
    *text = at + 1;
    return true;
}

/* Quoted strings; text that does not begin with a quote is one string, blanks and all. */
static bool put_strings(struct pin_text *out, const char *text)
{
    size_t n_bytes = 0;
    if (text[strspn(text, " \t")] != '"') {
        pin_text_putc(out, '"');
        for (; *text != '\0'; text++) {
            put_cut(out, (unsigned char)*text, &n_bytes);
        }
        pin_text_putc(out, '"');
        return true;
    }
    for (bool is_first = true;; is_first = false) {
        text += strspn(text, " \t");
        if (*text == '\0') {
            return true;
        }
        if (!is_first) {
            pin_text_putc(out, ' ');
        }
        if (*text != '"' || !put_quoted(out, &text)) {
            return false;
        }
    }
}

/* Printable words with one blank between them. */
static bool put_words(struct pin_text *out, const char *text)
{
    size_t bytes = 0;
    const char *word = next_word(&text, &bytes);
    bool is_first = true;
    if (word == NULL) {
        return false;
    }
    for (; word != NULL; word = next_word(&text, &bytes), is_first = false) {
        if (!is_first) {
            pin_text_putc(out, ' ');
        }
        for (size_t i = 0; i < bytes; i++) {
            if (word[i] < ' ' || word[i] == 0x7F) {
                return false;
            }
        }
        pin_text_putn(out, word, bytes);
    }
    return true;
}

/* Other types whose values have one text. */
static bool put_rdata(struct pin_text *out, uint16_t type, const char *text)
{
    uint8_t room[PIN_RECORDSET_VALUE_MAX];
    struct pin_buf buf = pin_buf_init(room, sizeof(room));
    if (pin_rdata_parse(type, text, &buf, NULL) != PIN_OK) {
        return false;
    }
    struct pin_reader reader = pin_reader_init(room, pin_buf_used(&buf));
    return pin_rdata_format(&reader, pin_buf_used(&buf), type, out);
}

static bool put_value(struct pin_text *out, const char *type, const char *text)
{
    static const char *const names[] = {"CNAME", "NS", "PTR", "DNAME"};
    if (strcmp(type, "A") == 0) {
        return put_address(out, text, 4);
    }
    if (strcmp(type, "AAAA") == 0) {
        return put_address(out, text, 6);
    }
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(type, names[i]) == 0) {
            return put_numbers_and_name(out, text, 0);
        }
    }
    if (strcmp(type, "MX") == 0) {
        return put_numbers_and_name(out, text, 1);
    }
    if (strcmp(type, "SRV") == 0) {
        return put_numbers_and_name(out, text, 3);
    }
    if (strcmp(type, "TXT") == 0 || strcmp(type, "SPF") == 0) {
        return put_strings(out, text);
    }
    uint16_t number = pin_rdata_type(type);
    return pin_rdata_has_form(number) ? put_rdata(out, number, text) : put_words(out, text);
}

enum pin_err pin_recordset_value(struct pin_arena *arena, const char *type, const char *text,
    const char **ret_value, struct pin_why *why)
{
    struct pin_text out = {0};
    enum pin_err err = PIN_OK;
    if (strlen(text) > PIN_RECORDSET_VALUE_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "a value of %zu bytes", strlen(text));
    }
    if (!put_value(&out, type, text)) {
        err = pin_why_set(why, PIN_EPARSE, "'%.300s' is no value of type %.20s", text, type);
    } else if (out.len > PIN_RECORDSET_VALUE_MAX) {
        err = pin_why_set(why, PIN_ELIMIT, "a value of %zu bytes", out.len);
    }
    if (err == PIN_OK) {
        *ret_value = out.failed ? NULL : pin_arena_strndup(arena, pin_text_get(&out), out.len);
        err = *ret_value == NULL ? pin_why_set(why, PIN_ENOMEM, "a value") : PIN_OK;
    }
    pin_text_done(&out);
    return err;
}

const char *pin_recordset_unquote(struct pin_arena *arena, const char *value)
{
    char *text = pin_arena_alloc(arena, strlen(value) + 1);
    char *put = text;
    bool is_inside = false;
    while (text != NULL && *value != '\0') {
        unsigned char byte = 0;
        if (*value == '"' || (!is_inside && is_blank(*value))) {
            is_inside ^= *value == '"';
            value++;
            continue;
        }
        size_t used = is_inside ? string_byte(value, &byte) : 0;
        if (used == 0) {
            return NULL;
        }
        *put++ = (char)byte;
        value += used;
    }
    return is_inside ? NULL : text;
}

const char *pin_recordset_quote(struct pin_arena *arena, const char *text)
{
    struct pin_text out = {0};
    size_t n_bytes = 0;
    pin_text_putc(&out, '"');
    for (; *text != '\0'; text++) {
        put_cut(&out, (unsigned char)*text, &n_bytes);
    }
    pin_text_putc(&out, '"');
    const char *value = out.failed ? NULL : pin_arena_strndup(arena, out.ptr, out.len);
    pin_text_done(&out);
    return value;
}

/* --- Order ---------------------------------------------------------------------------------- */

int pin_recordset_cmp(const struct pin_recordset *a, const struct pin_recordset *b)
{
    int order = strcmp(a->name, b->name);
    if (order == 0) {
        order = strcmp(a->type, b->type);
    }
    return order == 0 ? strcmp(a->set_id, b->set_id) : order;
}

int pin_recordset_source_cmp(
    const struct pin_recordset_source *a, const struct pin_recordset_source *b)
{
    const char *texts[][2] = {{a->cluster, b->cluster}, {a->namespace_name, b->namespace_name},
        {a->name, b->name}, {a->kind, b->kind}};
    if (a->created_s != b->created_s) {
        if (a->created_s == 0 || b->created_s == 0) {
            return a->created_s == 0 ? 1 : -1;
        }
        return a->created_s < b->created_s ? -1 : 1;
    }
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        int order = strcmp(texts[i][0], texts[i][1]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return pin_recordset_cmp(a, b);
}

void pin_recordset_sort(struct pin_recordset *sets, size_t n_sets)
{
    if (n_sets > 1) {
        qsort(sets, n_sets, sizeof(*sets), by_key);
    }
}

static int by_text(const void *a, const void *b)
{
    const struct pin_recordset_value *one = a;
    const struct pin_recordset_value *other = b;
    return strcmp(one->text, other->text);
}

static int by_name(const void *a, const void *b)
{
    const struct pin_recordset_property *one = a;
    const struct pin_recordset_property *other = b;
    int order = strcmp(one->name, other->name);
    return order != 0 ? order : strcmp(one->value, other->value);
}

/* --- Sets ----------------------------------------------------------------------------------- */

/* Both lists are sorted, and so is what comes out. */
static bool merge_clusters(struct pin_arena *arena, struct pin_recordset_value *value,
    const struct pin_recordset_value *more)
{
    size_t n = value->n_clusters + more->n_clusters;
    const char **merged = pin_arena_alloc(arena, n * sizeof(*merged));
    size_t a = 0;
    size_t b = 0;
    size_t used = 0;
    if (merged == NULL) {
        return false;
    }
    while (a < value->n_clusters || b < more->n_clusters) {
        int order = a == value->n_clusters  ? 1
                    : b == more->n_clusters ? -1
                                            : strcmp(value->clusters[a], more->clusters[b]);
        merged[used++] = order <= 0 ? value->clusters[a] : more->clusters[b];
        a += order <= 0;
        b += order >= 0;
    }
    value->clusters = merged;
    value->n_clusters = used;
    return true;
}

/* What is in order already is not written to: others may be reading it. */
static bool is_in_order(
    const void *array, size_t n, size_t element_bytes, int (*compare)(const void *a, const void *b))
{
    const unsigned char *at = array;
    for (size_t i = 1; i < n; i++) {
        if (compare(at + (i - 1) * element_bytes, at + i * element_bytes) >= 0) {
            return false;
        }
    }
    return true;
}

/* Sorts values and makes those of one text one. */
static bool tidy_values(struct pin_recordset *set, struct pin_arena *arena)
{
    size_t used = 0;
    if (is_in_order(set->values, set->n_values, sizeof(*set->values), by_text)) {
        return true;
    }
    qsort(set->values, set->n_values, sizeof(*set->values), by_text);
    for (size_t i = 0; i < set->n_values; i++) {
        if (used > 0 && strcmp(set->values[used - 1].text, set->values[i].text) == 0) {
            if (!merge_clusters(arena, &set->values[used - 1], &set->values[i])) {
                return false;
            }
            continue;
        }
        set->values[used++] = set->values[i];
    }
    set->n_values = used;
    return true;
}

static int by_property_name(const void *a, const void *b)
{
    const struct pin_recordset_property *one = a;
    const struct pin_recordset_property *other = b;
    return strcmp(one->name, other->name);
}

static void tidy_properties(struct pin_recordset *set)
{
    size_t used = 0;
    if (is_in_order(
            set->properties, set->n_properties, sizeof(*set->properties), by_property_name)) {
        return;
    }
    qsort(set->properties, set->n_properties, sizeof(*set->properties), by_name);
    for (size_t i = 0; i < set->n_properties; i++) {
        if (used == 0 || strcmp(set->properties[used - 1].name, set->properties[i].name) != 0) {
            set->properties[used++] = set->properties[i];
        }
    }
    set->n_properties = used;
}

bool pin_recordset_tidy(struct pin_recordset *set, struct pin_arena *arena)
{
    tidy_properties(set);
    return tidy_values(set, arena);
}

bool pin_recordset_same_values(const struct pin_recordset *a, const struct pin_recordset *b)
{
    if (a->n_values != b->n_values) {
        return false;
    }
    for (size_t i = 0; i < a->n_values; i++) {
        if (strcmp(a->values[i].text, b->values[i].text) != 0) {
            return false;
        }
    }
    return true;
}

int pin_recordset_properties_cmp(const struct pin_recordset *a, const struct pin_recordset *b)
{
    if (a->n_properties != b->n_properties) {
        return a->n_properties < b->n_properties ? -1 : 1;
    }
    for (size_t i = 0; i < a->n_properties; i++) {
        int order = by_name(&a->properties[i], &b->properties[i]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

const char *pin_recordset_property(const struct pin_recordset *set, const char *name)
{
    for (size_t i = 0; i < set->n_properties; i++) {
        if (strcmp(set->properties[i].name, name) == 0) {
            return set->properties[i].value;
        }
    }
    return NULL;
}

bool pin_recordset_has_text(const char *const *texts, size_t n_texts, const char *text)
{
    size_t low = 0;
    size_t high = n_texts;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(texts[mid], text);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return false;
}

/* --- Copies: the arena remembers whether anything was refused -------------------------------- */

static const char *const *copy_texts(
    struct pin_arena *arena, const char *const *texts, size_t n_texts)
{
    const char **copy = pin_arena_alloc(arena, n_texts * sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < n_texts; i++) {
        copy[i] = pin_arena_strdup(arena, texts[i]);
    }
    return copy;
}

bool pin_recordset_copy(
    struct pin_arena *arena, const struct pin_recordset *set, struct pin_recordset *ret_copy)
{
    struct pin_recordset copy = *set;
    copy.name = pin_arena_strdup(arena, set->name);
    copy.type = pin_arena_strdup(arena, set->type);
    copy.set_id = pin_arena_strdup(arena, set->set_id);
    copy.values = pin_arena_memdup(arena, set->values, set->n_values * sizeof(*set->values));
    copy.properties =
        pin_arena_memdup(arena, set->properties, set->n_properties * sizeof(*set->properties));
    copy.sources = pin_arena_memdup(arena, set->sources, set->n_sources * sizeof(*set->sources));
    copy.holds = copy_texts(arena, set->holds, set->n_holds);
    if (copy.values == NULL || copy.properties == NULL || copy.sources == NULL) {
        return false;
    }
    for (size_t i = 0; i < copy.n_values; i++) {
        struct pin_recordset_value *value = &copy.values[i];
        value->text = pin_arena_strdup(arena, value->text);
        value->clusters = copy_texts(arena, value->clusters, value->n_clusters);
    }
    for (size_t i = 0; i < copy.n_properties; i++) {
        copy.properties[i].name = pin_arena_strdup(arena, copy.properties[i].name);
        copy.properties[i].value = pin_arena_strdup(arena, copy.properties[i].value);
    }
    for (size_t i = 0; i < copy.n_sources; i++) {
        struct pin_recordset_source *source = &copy.sources[i];
        source->cluster = pin_arena_strdup(arena, source->cluster);
        source->kind = pin_arena_strdup(arena, source->kind);
        source->namespace_name = pin_arena_strdup(arena, source->namespace_name);
        source->name = pin_arena_strdup(arena, source->name);
        source->uid = source->uid == NULL ? NULL : pin_arena_strdup(arena, source->uid);
    }
    *ret_copy = copy;
    return !pin_arena_has_failed(arena);
}
