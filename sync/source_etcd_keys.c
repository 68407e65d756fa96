/* SPDX-License-Identifier: Apache-2.0 */

/* What the keys of a published cluster say, whichever way they came. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"

#include "etcd_text.h"
#include "source_etcd_state.h"

#define META_FORMAT 1

/*
 * Kinds of which more may be there than is published. A publisher that says nothing about it has
 * listed all, but Ingresses only while it wrote records itself.
 */
static uint32_t read_unknown(const struct pin_tree *tree)
{
    const struct pin_tree *list = pin_tree_list(tree, "unknown");
    uint32_t unknown = list == NULL ? UINT32_C(1) << PIN_KIND_INGRESS : 0;
    PIN_TREE_EACH(item, list)
    {
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            bool is_it = pin_tree_text_is(item, pin_kind_text((enum pin_kind)kind));
            unknown |= is_it ? UINT32_C(1) << kind : 0;
        }
    }
    return unknown | UINT32_C(1) << PIN_KIND_POD; /* never published */
}

/* What may be missing is told to whoever looks for records in it. */
static void warn_unknown(const struct pin_reader *self, enum pin_kind kind)
{
    if (pin_source_wants(&self->source, kind)) {
        pin_log_warn("%s: its publisher does not know all objects of kind %s; records that they "
                     "may want are kept; to do: run the same version there, and let it list them",
            self->source.where, pin_kind_text(kind));
    }
}

static void set_unknown(struct pin_reader *self, uint32_t unknown)
{
    bool is_news = self->unknown != unknown;
    self->unknown = unknown;
    self->told &= ~unknown; /* told anew once it is known again: what went meanwhile goes then */
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        bool is_unknown = (unknown >> kind & 1u) != 0;
        self->source.stats.kinds[kind].is_served = !is_unknown;
        if (is_news && is_unknown && kind != PIN_KIND_POD) {
            warn_unknown(self, (enum pin_kind)kind);
        }
    }
}

static void read_meta(struct pin_reader *self, const struct pin_etcd_kv *kv)
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("etcd meta", (size_t)1 << 20);
    self->has_meta = true;
    self->is_readable =
        arena != NULL
        && pin_json_parse((const char *)kv->value, kv->value_bytes, arena, &tree, NULL) == PIN_OK
        && pin_tree_int(tree, "format", 0) == META_FORMAT;
    self->is_away = strcmp(pin_tree_string(tree, "state", "up"), "up") != 0;
    if (self->is_readable) {
        set_unknown(self, read_unknown(tree));
    }
    pin_arena_free(arena);
}

static void bad_value(struct pin_reader *self, const char *key, const char *why)
{
    self->n_bad++;
    self->source.stats.kinds[PIN_KIND_SERVICE].n_bad++;
    pin_log_warn("%s: %s%s cannot be read: %s; what it said before is kept", self->source.where,
        self->base, key, why);
}

/* Kinds that are published whole, of which not all was told yet. */
static uint32_t untold(const struct pin_reader *self)
{
    return self->is_readable ? ~self->unknown & ~self->told : 0;
}

/*
 * The first list of a kind begins and ends as lists do, for there may be objects of before the
 * restart. Later ones are compared with what is known. While some value cannot be read, nobody says
 * what it has; where memory was out for a change, what the list named is not all that was told.
 */
void pin__reader_mark_untold(struct pin_reader *self, enum pin_delta_op op)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        bool is_end = op == PIN_DELTA_LIST_END;
        bool has_lost = (self->source.lost_kinds >> kind & 1u) != 0;
        if ((untold(self) >> kind & 1u) != 0) {
            if (is_end && has_lost) {
                pin_source_end_partial_list(&self->source, (enum pin_kind)kind);
            } else {
                pin_source_mark(&self->source, op, (enum pin_kind)kind);
            }
            self->source.stats.kinds[kind].is_listed = is_end;
        }
    }
}

void pin__reader_put_key(struct pin_reader *self, const struct pin_etcd_kv *kv)
{
    const char *key = kv->key + strlen(self->base);
    struct pin_why why = {0};
    if (strcmp(key, "alive") == 0) {
        self->alive_revision = kv->mod_revision;
        return;
    }
    if (strcmp(key, "meta") == 0) {
        bool was_readable = self->is_readable;
        read_meta(self, kv);
        bool has_more = !was_readable || untold(self) != 0;
        if (self->step == PIN_READER_WATCH) {
            self->needs_range = self->needs_range || has_more;
        } else {
            pin__reader_mark_untold(self, PIN_DELTA_LIST_BEGIN);
        }
        return;
    }
    if (!self->is_readable) {
        return; /* not whole yet: it is listed once it is */
    }
    enum pin_err err = pin_mirror_put(&self->mirror, key, kv->value, kv->value_bytes, &why);
    if (err == PIN_ENOMEM) {
        self->needs_range = true;
    } else if (err != PIN_OK) {
        bad_value(self, key, why.text);
    }
}

/* Without `meta` nobody vouches for what else goes: it may be the end of the prefix. */
void pin__reader_remove_key(struct pin_reader *self, const struct pin_etcd_kv *kv)
{
    const char *key = kv->key + strlen(self->base);
    if (strcmp(key, "alive") == 0) {
        self->alive_revision = 0;
    } else if (strcmp(key, "meta") == 0) {
        self->has_meta = false;
        self->is_readable = false;
    } else if (self->is_readable) {
        pin_mirror_remove(&self->mirror, key);
    }
}

/* Below our base; what etcd tells beyond that it was not asked for. */
bool pin__reader_owns(const struct pin_reader *self, const struct pin_etcd_kv *kv)
{
    return strncmp(kv->key, self->base, strlen(self->base)) == 0;
}

/* A key that nobody of us can have written is left alone. */
bool pin__reader_is_foreign(struct pin_reader *self, const struct pin_etcd_kv *kv)
{
    if (kv->has_nul) {
        self->source.stats.kinds[PIN_KIND_SERVICE].n_bad++;
        pin_log_warn(
            "%s: a key below %s has a NUL, it is left out", self->source.where, self->base);
    }
    return kv->has_nul;
}
