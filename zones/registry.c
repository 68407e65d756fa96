/* SPDX-License-Identifier: Apache-2.0 */

/* Ownership in TXT records: their names, and what they say. */

#include "pintle/zones/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/buf.h"
#include "pintle/base/gzip.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#define TEMPLATE       "%{record_type}"
#define HERITAGE       "external-dns"
#define KEY_PREFIX     HERITAGE "/"
#define TYPE_MAX_BYTES 16u
/* A name with affixes, before it is known to be too long for one. */
#define AFFIXED_MAX_BYTES 4096u
#define PLAIN_MAX_BYTES   4096u
/* Largest value that is looked at: sealed and in base64. */
#define SEALED_MAX_BYTES 8192u

/* Types that a TXT name may begin with. */
static const char *const types[] = {
    "A", "AAAA", "CNAME", "NS", "MX", "SRV", "NAPTR", "TXT", "PTR", "CAA", "TLSA", "DNAME"};

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* What a label may hold: anything that does not end it, a token, or the value. */
static bool is_label_value(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text >= 0x7F || strchr(",=\"\\", *text) != NULL) {
            return false;
        }
    }
    return true;
}

enum pin_err pin_registry_check(const struct pin_registry *registry, struct pin_why *why)
{
    const char *owner = text_or_empty(registry->owner);
    if (*owner == '\0' || strlen(owner) > 100 || !is_label_value(owner)) {
        return pin_why_set(why, PIN_EINVAL,
            "the owner '%.100s' is not 1 to 100 printable characters without , = \" and blanks",
            owner);
    }
    if (*text_or_empty(registry->prefix) != '\0' && *text_or_empty(registry->suffix) != '\0') {
        return pin_why_set(
            why, PIN_EINVAL, "a prefix and a suffix of TXT names exclude each other");
    }
    return PIN_OK;
}

/* --- Names ---------------------------------------------------------------------------------- */

/* Bytes of the first label: up to the first dot that is not escaped. */
static size_t first_label(const char *name)
{
    size_t i = 0;
    while (name[i] != '\0' && name[i] != '.') {
        i += name[i] == '\\' && name[i + 1] != '\0' ? 2 : 1;
    }
    return i;
}

static bool has_template(const struct pin_registry *registry)
{
    return strstr(text_or_empty(registry->prefix), TEMPLATE) != NULL
           || strstr(text_or_empty(registry->suffix), TEMPLATE) != NULL;
}

static void put_text(struct pin_buf *out, const char *text)
{
    pin_buf_put_bytes(out, text, strlen(text));
}

/* Writes an affix with the type in place of the template. */
static void put_affix(struct pin_buf *out, const char *affix, const char *type)
{
    affix = text_or_empty(affix);
    for (const char *at = strstr(affix, TEMPLATE); at != NULL; at = strstr(affix, TEMPLATE)) {
        pin_buf_put_bytes(out, affix, (size_t)(at - affix));
        put_text(out, type);
        affix = at + strlen(TEMPLATE);
    }
    put_text(out, affix);
}

static void lower_type(const char *type, char ret_lower[TYPE_MAX_BYTES])
{
    size_t i = 0;
    for (; type[i] != '\0' && i + 1 < TYPE_MAX_BYTES; i++) {
        ret_lower[i] = (char)(type[i] >= 'A' && type[i] <= 'Z' ? type[i] | 0x20 : type[i]);
    }
    ret_lower[i] = '\0';
}

enum pin_err pin_registry_name(const struct pin_registry *registry, enum pin_registry_form form,
    const char *name, const char *type, char ret_name[PIN_RECORDSET_NAME_MAX])
{
    char lower[TYPE_MAX_BYTES] = "";
    char text[AFFIXED_MAX_BYTES];
    struct pin_buf out = pin_buf_init(text, sizeof(text));
    size_t bytes = first_label(name);
    if (form == PIN_REGISTRY_TYPED) {
        lower_type(type, lower);
    }
    put_affix(&out, registry->prefix, lower);
    if (form == PIN_REGISTRY_TYPED && !has_template(registry)) {
        put_text(&out, lower);
        put_text(&out, "-");
    }
    if (bytes == 1 && name[0] == '*' && *text_or_empty(registry->wildcard) != '\0') {
        put_text(&out, registry->wildcard);
    } else {
        pin_buf_put_bytes(&out, name, bytes);
    }
    put_affix(&out, registry->suffix, lower);
    put_text(&out, name + bytes);
    pin_buf_put_u8(&out, '\0');
    bool is_name = pin_buf_is_ok(&out) && pin_recordset_name(text, ret_name, NULL) == PIN_OK;
    return is_name ? PIN_OK : PIN_ELIMIT;
}

/* Cuts the affixes for one type off a name; false when they are not there, or all there is. */
static bool cut_affixes(const struct pin_registry *registry, const char *txt_name, const char *type,
    char ret_name[AFFIXED_MAX_BYTES])
{
    char affix[AFFIXED_MAX_BYTES];
    struct pin_buf text = pin_buf_init(affix, sizeof(affix));
    struct pin_buf out = pin_buf_init(ret_name, AFFIXED_MAX_BYTES);
    bool is_there = false;
    put_affix(&text, registry->prefix, type);
    size_t affix_bytes = pin_buf_used(&text);
    if (affix_bytes > 0) {
        is_there = strncmp(txt_name, affix, affix_bytes) == 0;
        put_text(&out, is_there ? txt_name + affix_bytes : "");
    } else {
        put_affix(&text, registry->suffix, type);
        affix_bytes = pin_buf_used(&text);
        size_t bytes = first_label(txt_name);
        for (size_t i = 0; i < affix_bytes && txt_name[bytes] != '\0'; i++) {
            bytes += affix[i] == '.' ? 1 + first_label(txt_name + bytes + 1) : 0;
        }
        is_there =
            bytes >= affix_bytes && memcmp(txt_name + bytes - affix_bytes, affix, affix_bytes) == 0;
        if (is_there) {
            pin_buf_put_bytes(&out, txt_name, bytes - affix_bytes);
            put_text(&out, txt_name + bytes);
        }
    }
    pin_buf_put_u8(&out, '\0');
    return is_there && pin_buf_is_ok(&text) && pin_buf_is_ok(&out) && *ret_name != '\0'
           && *ret_name != '.';
}

/* The type that a name begins with, and cuts it off; "" for none. */
static const char *cut_type(const char **name)
{
    char lower[TYPE_MAX_BYTES];
    for (size_t i = 0; i < N_ELEMS(types); i++) {
        lower_type(types[i], lower);
        size_t bytes = strlen(lower);
        if (strncmp(*name, lower, bytes) == 0 && (*name)[bytes] == '-') {
            *name += bytes + 1;
            return types[i];
        }
    }
    return "";
}

bool pin_registry_owned(const struct pin_registry *registry, const char *txt_name,
    char ret_name[PIN_RECORDSET_NAME_MAX], const char **ret_type)
{
    char text[AFFIXED_MAX_BYTES];
    for (size_t i = 0; has_template(registry) && i < N_ELEMS(types); i++) {
        char lower[TYPE_MAX_BYTES];
        lower_type(types[i], lower);
        if (cut_affixes(registry, txt_name, lower, text)
            && pin_recordset_name(text, ret_name, NULL) == PIN_OK) {
            *ret_type = types[i];
            return true;
        }
    }
    const char *name = text;
    if (!cut_affixes(registry, txt_name, "", text)) {
        return false;
    }
    *ret_type = cut_type(&name);
    return pin_recordset_name(name, ret_name, NULL) == PIN_OK;
}

bool pin_registry_is_reserved(const struct pin_registry *registry, const char *name)
{
    const char *wildcard = text_or_empty(registry->wildcard);
    size_t bytes = strlen(wildcard);
    return bytes > 0 && first_label(name) == bytes && memcmp(name, wildcard, bytes) == 0;
}

/* --- Reading -------------------------------------------------------------------------------- */

static void read_label(struct pin_registry_labels *labels, const char *key, const char *value)
{
    if (strcmp(key, "owner") == 0) {
        labels->owner = value;
        return;
    }
    if (strcmp(key, "resource") == 0) {
        labels->resource = value;
        return;
    }
    if (strcmp(key, "pintle-origins") == 0) {
        labels->origins = value;
        return;
    }
    size_t i = 0;
    while (i < labels->n_others && strcmp(labels->others[i].key, key) < 0) {
        i++;
    }
    if (i == labels->n_others || strcmp(labels->others[i].key, key) != 0) {
        memmove(&labels->others[i + 1], &labels->others[i],
            (labels->n_others - i) * sizeof(labels->others[0]));
        labels->n_others++;
    }
    labels->others[i] = (struct pin_registry_label){.key = key, .value = value};
}

/* Whether the token "key=value" has exactly one "="; cuts it there. */
static bool cut_token(char *token, const char **ret_value)
{
    char *at = strchr(token, '=');
    if (at == NULL || strchr(at + 1, '=') != NULL) {
        return false;
    }
    *at = '\0';
    *ret_value = at + 1;
    return true;
}

/* `text` is ours to cut up. */
static enum pin_err read_plain(
    char *text, struct pin_arena *arena, struct pin_registry_labels *ret_labels)
{
    struct pin_registry_labels labels = {0};
    bool has_heritage = false;
    size_t n_tokens = 1;
    if (strchr(text, '"') != NULL) {
        return PIN_ENOTFOUND; /* nobody writes one, and at an end it would be lost */
    }
    for (const char *at = text; *at != '\0'; at++) {
        n_tokens += *at == ',';
    }
    labels.others = pin_arena_alloc(arena, n_tokens * sizeof(labels.others[0]));
    if (labels.others == NULL) {
        return PIN_ENOMEM;
    }
    for (char *next = text; next != NULL;) {
        const char *value = NULL;
        char *token = next;
        next = strchr(token, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (!cut_token(token, &value)) {
            continue;
        }
        if (strcmp(token, "heritage") == 0) {
            if (strcmp(value, HERITAGE) != 0) {
                return PIN_ENOTFOUND;
            }
            has_heritage = true;
        } else if (strncmp(token, KEY_PREFIX, strlen(KEY_PREFIX)) == 0) {
            read_label(&labels, token + strlen(KEY_PREFIX), value);
        }
    }
    *ret_labels = labels;
    return has_heritage ? PIN_OK : PIN_ENOTFOUND;
}

/* Opens a sealed text: base64 of nonce and what AES-GCM made of a gzip stream. */
static enum pin_err unseal(
    const uint8_t *key, const char *text, struct pin_arena *arena, char **ret_text)
{
    uint8_t *sealed = NULL;
    uint8_t *plain = NULL;
    size_t bytes = 0;
    size_t plain_bytes = 0;
    uint8_t packed[SEALED_MAX_BYTES];
    enum pin_err err = strlen(text) > SEALED_MAX_BYTES
                           ? PIN_ENOTFOUND
                           : pin_base64_decode(text, strlen(text), &sealed, &bytes);
    if (err != PIN_OK) {
        return err == PIN_ENOMEM ? err : PIN_ENOTFOUND;
    }
    err = PIN_ENOTFOUND;
    if (bytes > PIN_GCM_NONCE_BYTES + PIN_GCM_TAG_BYTES
        && pin_gcm_open(
            key, sealed, sealed + PIN_GCM_NONCE_BYTES, bytes - PIN_GCM_NONCE_BYTES, packed)) {
        err = pin_gunzip(packed, bytes - PIN_GCM_NONCE_BYTES - PIN_GCM_TAG_BYTES, PLAIN_MAX_BYTES,
            &plain, &plain_bytes);
        err = err == PIN_OK || err == PIN_ENOMEM ? err : PIN_ENOTFOUND;
    }
    if (err == PIN_OK) {
        *ret_text = pin_arena_strndup(arena, (const char *)plain, plain_bytes);
        err = *ret_text == NULL ? PIN_ENOMEM : PIN_OK;
    }
    free(plain);
    free(sealed);
    return err;
}

/* Without the quotes around it that some providers show. */
static void trim_quotes(char *text)
{
    size_t first = strspn(text, "\"");
    size_t bytes = strlen(text + first);
    while (bytes > 0 && text[first + bytes - 1] == '"') {
        bytes--;
    }
    memmove(text, text + first, bytes);
    text[bytes] = '\0';
}

enum pin_err pin_registry_read(const struct pin_registry *registry, const char *value,
    struct pin_arena *arena, struct pin_registry_labels *ret_labels)
{
    const char *said = pin_recordset_unquote(arena, value);
    if (said == NULL) {
        return pin_arena_has_failed(arena) ? PIN_ENOMEM : PIN_ENOTFOUND;
    }
    char *text = pin_arena_strdup(arena, said);
    char *plain = NULL;
    if (text == NULL) {
        return PIN_ENOMEM;
    }
    trim_quotes(text);
    enum pin_err err =
        registry->key == NULL ? PIN_ENOTFOUND : unseal(registry->key, text, arena, &plain);
    if (err == PIN_ENOMEM) {
        return err;
    }
    return read_plain(err == PIN_OK ? plain : text, arena, ret_labels);
}

/* --- Writing -------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const struct pin_registry_label *one = a;
    const struct pin_registry_label *other = b;
    return strcmp(one->key, other->key);
}

static bool put_plain(
    struct pin_text *out, const struct pin_registry_labels *labels, struct pin_arena *arena)
{
    struct pin_registry_label ours[] = {{"owner", labels->owner},
        {"pintle-origins", labels->origins}, {"resource", labels->resource}};
    struct pin_registry_label *all =
        pin_arena_alloc(arena, (labels->n_others + N_ELEMS(ours)) * sizeof(*all));
    size_t n_all = 0;
    if (all == NULL) {
        return false;
    }
    for (size_t i = 0; i < N_ELEMS(ours); i++) {
        if (ours[i].value != NULL) {
            all[n_all++] = ours[i];
        }
    }
    for (size_t i = 0; i < labels->n_others; i++) {
        all[n_all++] = labels->others[i];
    }
    if (n_all > 0) {
        qsort(all, n_all, sizeof(*all), by_key);
    }
    pin_text_puts(out, "heritage=" HERITAGE);
    for (size_t i = 0; i < n_all; i++) {
        pin_text_putf(out, "," KEY_PREFIX "%s=%s", all[i].key, all[i].value);
    }
    return !out->failed;
}

/* Replaces a text by what unseal() opens. */
static bool seal(const uint8_t *key, struct pin_text *text)
{
    uint8_t digest[PIN_SHA256_BYTES];
    uint8_t *packed = NULL;
    size_t bytes = 0;
    if (pin_gzip(text->ptr, text->len, &packed, &bytes) != PIN_OK) {
        return false;
    }
    /* What is sealed decides the nonce: two texts never share one, one text never gets two. */
    pin_hmac_sha256(key, PIN_AES_KEY_BYTES, text->ptr, text->len, digest);
    size_t sealed_bytes = PIN_GCM_NONCE_BYTES + bytes + PIN_GCM_TAG_BYTES;
    uint8_t *sealed = malloc(sealed_bytes);
    char *base64 = malloc(PIN_BASE64_BYTES(sealed_bytes));
    bool is_ok = sealed != NULL && base64 != NULL
                 && pin_gcm_seal(key, digest, packed, bytes, sealed + PIN_GCM_NONCE_BYTES);
    if (is_ok) {
        memcpy(sealed, digest, PIN_GCM_NONCE_BYTES);
        pin_text_cut(text, 0);
        pin_text_puts(text, pin_base64_encode(sealed, sealed_bytes, base64));
    }
    free(base64);
    free(sealed);
    free(packed);
    return is_ok && !text->failed;
}

const char *pin_registry_write(const struct pin_registry *registry,
    const struct pin_registry_labels *labels, struct pin_arena *arena)
{
    struct pin_text text = {0};
    const char *value = NULL;
    if (put_plain(&text, labels, arena) && (registry->key == NULL || seal(registry->key, &text))) {
        value = pin_recordset_quote(arena, text.ptr);
    }
    pin_text_done(&text);
    return value;
}
