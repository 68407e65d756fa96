/* SPDX-License-Identifier: Apache-2.0 */

/* One object of a list or a watch: parsed, decoded, sent on. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/json.h"
#include "pintle/base/log.h"

#include "watch_path.h"
#include "watch_state.h"

void pin__watch_bad_object(struct pin_watch *self, const char *message)
{
    self->stats->n_bad++;
    pin_log_error("%s: %s; this object is left out", self->host->source->where, message);
}

const struct pin_tree *pin__watch_parse(struct pin_watch *self, const char *text, size_t bytes)
{
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    enum pin_err err = PIN_OK;
    if (text == NULL) {
        (void)pin_why_set(&why, PIN_ELIMIT, "a %s of %zu bytes is too big, the limit is %zu",
            self->row->kind_text, bytes, (size_t)PIN_ITEM_BYTES_MAX);
    } else if (self->is_binary) {
        err = pin_protobuf_event(text, bytes, self->row->kind, self->host->arena, &tree, &why);
    } else {
        err = pin_json_parse_some(text, bytes, pin_decode_unread, self->host->arena, &tree, &why);
    }
    if (err != PIN_OK) {
        pin_why_wrap(&why, "a %s cannot be read", self->row->kind_text);
    }
    if (tree == NULL) {
        pin__watch_bad_object(self, why.text);
    }
    return tree;
}

bool pin__watch_upsert(struct pin_watch *self, const struct pin_tree *tree)
{
    struct pin_source *source = self->host->source;
    struct pin_object *object = NULL;
    struct pin_object_key key;
    struct pin_why why = {0};
    enum pin_err err = pin_decode_as(self->row, source->where, tree, &object, &why);
    if (err == PIN_OK) {
        pin_source_upsert(source, object, self->received_ns);
    } else if (err != PIN_EUNSUPPORTED) {
        pin__watch_bad_object(self, why.text);
        source->lost_kinds |= err == PIN_ENOMEM ? UINT32_C(1) << self->row->kind : 0;
        if (self->step != PIN_STEP_LIST) {
            return false;
        }
        if (pin_decode_key(self->row, tree, &key, NULL) == PIN_OK) {
            pin_source_keep(source, self->row->kind, key.namespace_name, key.name);
        } else {
            self->is_partial = true;
        }
    }
    return err == PIN_OK;
}

void pin__watch_set_version(struct pin_watch *self, const char *resource_version)
{
    char *copy = pin_watch_is_version(resource_version) ? strdup(resource_version) : NULL;
    if (copy != NULL) {
        free(self->resource_version);
        self->resource_version = copy;
    }
}
