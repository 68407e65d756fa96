/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How addresses are checked: spec.healthCheck of a TargetGroupPolicy, and the same keys in the
 * annotation pintle.dev/health-check.
 */

#include <string.h>
#include <strings.h>

#include "pintle/base/arena.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/yaml.h"

#include "decoder.h"

#define TEXT_MAX_BYTES  4096u
#define ARENA_MAX_BYTES ((size_t)4 << 20)

static const char *const known_keys[] = {"enabled", "intervalSeconds", "timeoutSeconds",
    "healthyThresholdCount", "unhealthyThresholdCount", "statusMatch", "path", "port", "protocol",
    "protocolVersion", "host", "command"};

/* Visible ASCII only: these texts go into requests. */
static bool is_plain(const char *text)
{
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return bytes > 0 && bytes <= PIN_CHECK_TEXT_MAX;
}

static void read_protocol(
    struct pin_decoder *self, const struct pin_tree *map, struct pin_check *check)
{
    const char *protocol = pin__decoder_peek(self, map, "protocol");
    const char *version = pin__decoder_peek(self, map, "protocolVersion");
    bool is_known = protocol == NULL;
    for (int i = 0; protocol != NULL && i <= PIN_CHECK_COMMAND; i++) {
        if (strcasecmp(protocol, pin_check_protocol_text((enum pin_check_protocol)i)) == 0) {
            check->protocol = (enum pin_check_protocol)i;
            is_known = true;
        }
    }
    if (!is_known) {
        pin__decoder_fail(self, pin_tree_find(map, "protocol"), "protocol",
            "is \"%s\", use HTTP, HTTPS, TCP or COMMAND", protocol);
    }
    check->is_http2 = version != NULL && strcasecmp(version, "HTTP2") == 0;
    if (version != NULL && !check->is_http2 && strcasecmp(version, "HTTP1") != 0) {
        pin__decoder_fail(self, pin_tree_find(map, "protocolVersion"), "protocolVersion",
            "is \"%s\", use HTTP1 or HTTP2", version);
    }
}

/* A text that goes into requests; `fallback` when absent. */
static const char *read_text(
    struct pin_decoder *self, const struct pin_tree *map, const char *field, const char *fallback)
{
    const char *text = pin__decoder_text(self, map, field);
    if (text != NULL && !is_plain(text)) {
        pin__decoder_fail(self, pin_tree_find(map, field), field,
            "must be up to %u visible ASCII characters without blanks", PIN_CHECK_TEXT_MAX);
        return fallback;
    }
    return text != NULL ? text : fallback;
}

static void read_texts(
    struct pin_decoder *self, const struct pin_tree *map, struct pin_check *check)
{
    const char *status = pin__decoder_peek(self, map, "statusMatch");
    if (status != NULL && !pin_check_read_status(check, status)) {
        pin__decoder_fail(self, pin_tree_find(map, "statusMatch"), "statusMatch",
            "is \"%s\", use codes and ranges as in 200 or 200-299,304", status);
    }
    check->path = read_text(self, map, "path", check->path);
    if (check->path[0] != '/') {
        pin__decoder_fail(self, pin_tree_find(map, "path"), "path", "must begin with /");
    }
    check->host = read_text(self, map, "host", NULL);
    check->command = read_text(self, map, "command", NULL);
    if ((check->command != NULL) != (check->protocol == PIN_CHECK_COMMAND)) {
        pin__decoder_fail(self, map, "command",
            "goes with protocol COMMAND and names a program of health.commands");
    }
}

/* Reads the map into the object's memory; NULL when failed. */
static const struct pin_check *read_check(struct pin_decoder *self, const struct pin_tree *map)
{
    struct pin_check *check = pin__decoder_array(self, 1, sizeof(*check));
    if (check == NULL) {
        return NULL;
    }
    *check = pin_check_default();
    check->is_enabled = pin__decoder_bool(self, map, "enabled", true);
    check->interval_s = (uint16_t)pin__decoder_int(
        self, map, "intervalSeconds", 1, PIN_CHECK_SECONDS_MAX, check->interval_s);
    check->timeout_s = (uint16_t)pin__decoder_int(
        self, map, "timeoutSeconds", 1, PIN_CHECK_SECONDS_MAX, check->timeout_s);
    check->rise = (uint8_t)pin__decoder_int(
        self, map, "healthyThresholdCount", 1, PIN_CHECK_THRESHOLD_MAX, check->rise);
    check->fall = (uint8_t)pin__decoder_int(
        self, map, "unhealthyThresholdCount", 1, PIN_CHECK_THRESHOLD_MAX, check->fall);
    check->port = (uint16_t)pin__decoder_int(self, map, "port", 1, UINT16_MAX, 0);
    read_protocol(self, map, check);
    read_texts(self, map, check);
    return self->err == PIN_OK ? check : NULL;
}

static bool is_known_key(const char *key)
{
    for (size_t i = 0; i < N_ELEMS(known_keys); i++) {
        if (strcmp(known_keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* An annotation is ours, so a key we do not know is a mistake. */
static void refuse_unknown(struct pin_decoder *self, const struct pin_tree *map)
{
    PIN_TREE_EACH(item, map)
    {
        if (!is_known_key(item->key)) {
            pin__decoder_fail(self, item, item->key,
                "is not known, the keys are those of spec.healthCheck of a TargetGroupPolicy, host "
                "and command");
        }
    }
}

const struct pin_check *pin__decode_check(
    struct pin_decoder *self, const char *key, const char *text)
{
    struct pin_why why = {0};
    struct pin_tree *docs = NULL;
    const struct pin_check *check = NULL;
    struct pin_decoder inner = {
        .key = self->key, .where = self->where, .object = self->object, .why = &why};
    struct pin_arena *arena = pin_arena_new("health-check", ARENA_MAX_BYTES);
    size_t bytes = strnlen(text, TEXT_MAX_BYTES + 1);
    if (arena == NULL || bytes > TEXT_MAX_BYTES) {
        inner.err = pin_why_set(&why, PIN_ELIMIT, "it is longer than %u bytes", TEXT_MAX_BYTES);
    } else {
        inner.err = pin_yaml_parse(text, bytes, arena, &docs, &why);
    }
    if (inner.err == PIN_OK
        && (docs == NULL || docs->first == NULL || docs->first->kind != PIN_TREE_MAP)) {
        inner.err = pin_why_set(&why, PIN_EINVAL, "it must be a map");
    }
    if (inner.err == PIN_OK && docs != NULL) {
        refuse_unknown(&inner, docs->first);
        check = read_check(&inner, docs->first);
    }
    if (check == NULL) {
        pin_log_warn("decode: %s: %s %s/%s: annotation %s: %s; ignored", self->where,
            self->key.row->kind_text, self->key.namespace_name, self->key.name, key, why.text);
    }
    pin_arena_free(arena);
    return check;
}

void pin__decode_target_group_policy(struct pin_decoder *self)
{
    struct pin_target_group_body *body = &self->object->as.target_group;
    const struct pin_tree *target = pin__decoder_map(self, self->spec, "targetRef");
    const struct pin_tree *map = pin__decoder_map(self, self->spec, "healthCheck");
    const char *kind = pin__decoder_peek(self, target, "kind");
    body->target = pin__decoder_name(self, target, "name");
    body->is_service = kind != NULL && strcmp(kind, "Service") == 0;
    body->is_export = kind != NULL && strcmp(kind, "ServiceExport") == 0;
    if (map != NULL) {
        body->check = read_check(self, map);
    }
}
