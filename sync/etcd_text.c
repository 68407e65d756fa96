/* SPDX-License-Identifier: Apache-2.0 */

/* etcd's JSON, read and written. */

#include "etcd_text.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/crypto.h"
#include "pintle/base/json.h"

static enum pin_err read_bytes(const struct pin_tree *map, const char *name, uint8_t **ret_data,
    size_t *ret_bytes, struct pin_why *why)
{
    const struct pin_tree *node = pin_tree_find(map, name);
    const char *text = pin_tree_text(node, "");
    enum pin_err err =
        pin_base64_decode(text, node != NULL ? strlen(text) : 0, ret_data, ret_bytes);
    return err == PIN_OK ? PIN_OK : pin_why_set(why, err, "\"%s\" is no base64", name);
}

enum pin_err pin_etcd_kv_read(
    const struct pin_tree *tree, struct pin_etcd_kv *ret_kv, struct pin_why *why)
{
    uint8_t *key = NULL;
    struct pin_etcd_kv kv = {
        .mod_revision = pin_tree_int(tree, "mod_revision", 0),
    };
    enum pin_err err = read_bytes(tree, "key", &key, &kv.key_bytes, why);
    kv.key = (char *)key;
    if (err == PIN_OK && kv.key_bytes == 0) {
        err = pin_why_set(why, PIN_EPARSE, "a key is empty");
    }
    kv.has_nul = err == PIN_OK && strlen(kv.key) != kv.key_bytes;
    if (err == PIN_OK) {
        err = read_bytes(tree, "value", &kv.value, &kv.value_bytes, why);
    }
    if (err != PIN_OK) {
        pin_etcd_kv_done(&kv);
        return err;
    }
    *ret_kv = kv;
    return PIN_OK;
}

void pin_etcd_kv_done(struct pin_etcd_kv *kv)
{
    free(kv->key);
    free(kv->value);
    *kv = (struct pin_etcd_kv){0};
}

enum pin_err pin_etcd_line_read(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_etcd_event_line *ret_line, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    enum pin_err err = pin_json_parse(text, bytes, arena, &tree, why);
    if (err != PIN_OK) {
        return err;
    }
    const struct pin_tree *result = pin_tree_map(tree, "result");
    const struct pin_tree *error = pin_tree_map(tree, "error");
    if (result == NULL && error == NULL) {
        return pin_why_set(why, PIN_EPARSE, "neither a result nor an error");
    }
    if (result == NULL) {
        *ret_line = (struct pin_etcd_event_line){
            .is_canceled = true, .reason = pin_tree_string(error, "message", "no reason given")};
        return PIN_OK;
    }
    *ret_line = (struct pin_etcd_event_line){
        .is_created = pin_tree_bool(result, "created", false),
        .is_canceled = pin_tree_bool(result, "canceled", false),
        .is_fragment = pin_tree_bool(result, "fragment", false),
        .revision = pin_tree_int(result, "header.revision", 0),
        .compact_revision = pin_tree_int(result, "compact_revision", 0),
        .reason = pin_tree_string(result, "cancel_reason", "no reason given"),
        .events = pin_tree_list(result, "events"),
    };
    return PIN_OK;
}

bool pin_etcd_event_is_delete(const struct pin_tree *event)
{
    return strcmp(pin_tree_string(event, "type", "PUT"), "DELETE") == 0;
}

void pin_etcd_put_bytes(
    struct pin_text *out, const char *name, const void *data, size_t bytes, bool has_next)
{
    char *encoded = malloc(PIN_BASE64_BYTES(bytes));
    if (encoded == NULL) {
        out->failed = true;
        return;
    }
    pin_text_putf(out, "\"%s\":\"", name);
    pin_text_puts(out, pin_base64_encode(data, bytes, encoded));
    pin_text_puts(out, has_next ? "\"," : "\"");
    explicit_bzero(encoded, PIN_BASE64_BYTES(bytes)); /* it may have been a password */
    free(encoded);
}

char *pin_etcd_range_end(const char *prefix)
{
    char *end = strdup(prefix);
    if (end != NULL && end[0] != '\0') {
        end[strlen(end) - 1]++;
    }
    return end;
}
