/* SPDX-License-Identifier: Apache-2.0 */

/* Documents to objects; lists are opened, also those that kubectl writes for one kind. */

#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/compare.h"

#include "decode.h"
#include "place.h"

#define ARENA_BYTES_MAX ((size_t)1 << 30)
#define LIST_DEPTH_MAX  4
#define KIND_BYTES_MAX  64

/* One call. */
struct reader {
    const char *name;
    const char *where;
    struct pin_manifest manifest;
    struct pin_why *why;
};

static enum pin_err keep(struct reader *self, struct pin_object *object, uint32_t line)
{
    struct pin_manifest *to = &self->manifest;
    if (to->n_objects == to->cap) {
        size_t cap = to->cap == 0 ? 16 : to->cap * 2;
        struct pin_object **objects = realloc(to->objects, cap * sizeof(struct pin_object *));
        to->objects = objects != NULL ? objects : to->objects;
        uint32_t *lines = objects != NULL ? realloc(to->lines, cap * sizeof(*lines)) : NULL;
        if (lines == NULL) {
            pin_object_free(object);
            return pin_why_set(self->why, PIN_ENOMEM, "%s: no memory", self->name);
        }
        to->lines = lines;
        to->cap = cap;
    }
    to->lines[to->n_objects] = line;
    to->objects[to->n_objects++] = object;
    return PIN_OK;
}

static enum pin_err read_object(
    struct reader *self, const struct pin_kind_row *row, const struct pin_tree *tree)
{
    struct pin_object *object = NULL;
    enum pin_err err = pin_decode_as(row, self->where, tree, &object, self->why);
    if (err == PIN_OK) {
        return keep(self, object, tree->line);
    }
    if (err == PIN_EUNSUPPORTED) {
        self->manifest.n_unread++;
        return PIN_OK;
    }
    pin__why_in_file(self->why, self->name);
    return err;
}

/* "ServiceList" of v1 holds Services that need not say so themselves. */
static const struct pin_kind_row *row_of_list(const struct pin_tree *list)
{
    char kind[KIND_BYTES_MAX];
    const char *text = pin_tree_string(list, "kind", "");
    const char *api_version = pin_tree_string(list, "apiVersion", "");
    size_t bytes = strlen(text) - strlen("List");
    if (bytes == 0 || bytes >= sizeof(kind)) {
        return NULL;
    }
    memcpy(kind, text, bytes);
    kind[bytes] = '\0';
    return pin_decode_find(api_version, kind);
}

static enum pin_err read_doc(struct reader *self, const struct pin_tree *tree, int depth);

static enum pin_err read_list(struct reader *self, const struct pin_tree *list, int depth)
{
    const struct pin_kind_row *row = row_of_list(list);
    const struct pin_tree *items = pin_tree_find(list, "items");
    enum pin_err err = PIN_OK;
    if (items->kind != PIN_TREE_LIST && items->kind != PIN_TREE_NULL) {
        return pin__why_at(self->why, PIN_EINVAL, self->name, items, "'items' must be a list");
    }
    for (const struct pin_tree *item = items->first; item != NULL && err == PIN_OK;
         item = item->next) {
        bool says_kind = pin_tree_string(item, "kind", NULL) != NULL;
        err = says_kind || row == NULL ? read_doc(self, item, depth + 1)
                                       : read_object(self, row, item);
    }
    return err;
}

static enum pin_err read_doc(struct reader *self, const struct pin_tree *tree, int depth)
{
    bool is_list = pin_has_end(pin_tree_string(tree, "kind", ""), "List")
                   && pin_tree_find(tree, "items") != NULL;
    if (!is_list) {
        return read_object(self, NULL, tree);
    }
    if (depth >= LIST_DEPTH_MAX) {
        return pin__why_at(
            self->why, PIN_ELIMIT, self->name, tree, "lists in lists, deeper than %d", depth);
    }
    return read_list(self, tree, depth);
}

enum pin_err pin_manifest_read(const char *name, const char *where, const char *text, size_t bytes,
    struct pin_manifest *ret_manifest, struct pin_why *why)
{
    struct reader self = {.name = name, .where = where, .why = why};
    struct pin_tree *docs = NULL;
    struct pin_arena *arena = pin_arena_new("manifest", ARENA_BYTES_MAX);
    enum pin_err err = arena == NULL ? pin_why_set(why, PIN_ENOMEM, "%s: no memory", name)
                                     : pin__yaml_parse(name, text, bytes, arena, &docs, why);
    for (const struct pin_tree *doc = docs == NULL ? NULL : docs->first;
         doc != NULL && err == PIN_OK; doc = doc->next) {
        err = read_doc(&self, doc, 0);
    }
    pin_arena_free(arena);
    if (err != PIN_OK) {
        pin_manifest_done(&self.manifest);
        return err;
    }
    *ret_manifest = self.manifest;
    return PIN_OK;
}

void pin_manifest_done(struct pin_manifest *manifest)
{
    for (size_t i = 0; i < manifest->n_objects; i++) {
        pin_object_free(manifest->objects[i]);
    }
    free(manifest->objects);
    free(manifest->lines);
    *manifest = (struct pin_manifest){0};
}
