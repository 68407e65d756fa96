/* SPDX-License-Identifier: Apache-2.0 */

/* Keys with bundles, as the objects they name. */

#include "mirror.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/zones/bundle.h"

#include "source.h"

/* What one key named. */
struct held {
    struct member **members; /* They may belong to others by now. */
    size_t n;
    uint32_t round;
};

/* One object, known once. */
struct member {
    struct held *owner; /* The key that named it last; NULL: it is gone. */
    uint32_t n_refs;    /* Keys that name it, and the map of members. */
    uint32_t round;
    uint8_t kind;
    size_t id_bytes;
    size_t namespace_bytes;
    char id[]; /* The kind, "namespace", NUL, "name", NUL: its key among the members. */
};

#define ID_HEAD_BYTES 1u

static void unref(void *value)
{
    struct member *member = value;
    if (--member->n_refs == 0) {
        free(member);
    }
}

static void free_held(void *value)
{
    struct held *held = value;
    for (size_t i = 0; i < held->n; i++) {
        unref(held->members[i]);
    }
    free(held->members);
    free(held);
}

static const char *namespace_of(const struct member *member)
{
    return member->id + ID_HEAD_BYTES;
}

static const char *name_of(const struct member *member)
{
    return member->id + ID_HEAD_BYTES + member->namespace_bytes + 1;
}

static struct member *member_new(const struct pin_object *object)
{
    size_t namespace_bytes = strlen(object->namespace_name);
    size_t name_bytes = strlen(object->name);
    size_t id_bytes = ID_HEAD_BYTES + namespace_bytes + 1 + name_bytes;
    struct member *member = malloc(sizeof(*member) + id_bytes + 1);
    if (member == NULL) {
        return NULL;
    }
    *member = (struct member){.n_refs = 1,
        .kind = (uint8_t)object->kind,
        .id_bytes = id_bytes,
        .namespace_bytes = namespace_bytes};
    member->id[0] = (char)object->kind;
    memcpy(member->id + ID_HEAD_BYTES, object->namespace_name, namespace_bytes + 1);
    memcpy(member->id + ID_HEAD_BYTES + namespace_bytes + 1, object->name, name_bytes + 1);
    return member;
}

/* Finds or makes the place of an object; NULL when memory is out, or there is no room. */
static struct member *member_of(struct pin_mirror *self, const struct pin_object *object)
{
    struct member *fresh = member_new(object);
    struct member *known =
        fresh != NULL ? pin_map_find(&self->members, fresh->id, fresh->id_bytes) : NULL;
    if (known != NULL) {
        free(fresh);
        return known;
    }
    if (fresh != NULL
        && pin_source_is_over(self->source, self->source->stats.kinds[fresh->kind].n_objects + 1)) {
        self->is_over = true;
        free(fresh);
        return NULL;
    }
    if (fresh != NULL && !pin_map_put(&self->members, fresh->id, fresh->id_bytes, fresh, NULL)) {
        free(fresh);
        return NULL;
    }
    if (fresh != NULL) {
        self->source->stats.kinds[fresh->kind].n_objects++;
    }
    return fresh;
}

/* The object goes, wherever it was named. */
static void drop_member(struct pin_mirror *self, struct member *member)
{
    struct pin_sync_kind_stats *stats = &self->source->stats.kinds[member->kind];
    pin_source_delete(self->source, (enum pin_kind)member->kind, namespace_of(member),
        name_of(member), (uint64_t)pin_clock_mono_ns());
    stats->n_objects -= stats->n_objects > 0 ? 1 : 0;
    (void)pin_map_remove(&self->members, member->id, member->id_bytes);
    member->owner = NULL;
    unref(member);
}

/* --- one key --------------------------------------------------------------------------------- */

static struct held *held_new(size_t n)
{
    struct held *held = calloc(1, sizeof(*held));
    if (held == NULL) {
        return NULL;
    }
    held->members = calloc(n + 1, sizeof(struct member *));
    if (held->members == NULL) {
        free(held);
        return NULL;
    }
    return held;
}

/* Frees what no key came to hold, with the places that were made for it: they would take room. */
static void abandon(struct pin_mirror *self, struct held *held)
{
    for (size_t i = 0; i < held->n; i++) {
        struct member *member = held->members[i];
        if (member->owner == NULL
            && pin_map_find(&self->members, member->id, member->id_bytes) == member) {
            (void)pin_map_remove(&self->members, member->id, member->id_bytes);
            self->source->stats.kinds[member->kind].n_objects--;
            unref(member);
        }
    }
    free_held(held);
}

/* The objects of a bundle, with their places. */
static struct held *hold(struct pin_mirror *self, const struct pin_bundle *bundle)
{
    struct held *held = held_new(bundle->n);
    for (size_t i = 0; held != NULL && i < bundle->n; i++) {
        struct member *member = member_of(self, bundle->objects[i]);
        if (member == NULL) {
            abandon(self, held);
            return NULL;
        }
        member->n_refs++;
        held->members[held->n++] = member;
    }
    return held;
}

/* What `old` named and still owns is deleted. */
static void release(struct pin_mirror *self, struct held *old)
{
    for (size_t i = 0; old != NULL && i < old->n; i++) {
        if (old->members[i]->owner == old) {
            drop_member(self, old->members[i]);
        }
    }
}

/* A key named `old` (or nothing) and names `fresh` now; the objects are upserted. */
static void replace(
    struct pin_mirror *self, struct held *old, struct held *fresh, struct pin_bundle *bundle)
{
    uint64_t now_ns = (uint64_t)pin_clock_mono_ns();
    fresh->round = self->round;
    for (size_t i = 0; i < fresh->n; i++) {
        fresh->members[i]->owner = fresh;
        fresh->members[i]->round = self->round;
        pin_source_upsert(self->source, bundle->objects[i], now_ns);
        bundle->objects[i] = NULL; /* the delta's now */
    }
    release(self, old);
}

/* What cannot be read is as it was before. */
static void keep(struct pin_mirror *self, struct held *held)
{
    for (size_t i = 0; held != NULL && i < held->n; i++) {
        held->members[i]->round = self->round;
    }
    if (held != NULL) {
        held->round = self->round;
    }
}

enum pin_err pin_mirror_put(struct pin_mirror *mirror, const char *key, const void *value,
    size_t bytes, struct pin_why *why)
{
    struct pin_bundle bundle = {0};
    size_t key_bytes = strlen(key);
    struct held *old = pin_map_find(&mirror->keys, key, key_bytes);
    enum pin_err err = pin_bundle_read(value, bytes, &bundle, why);
    if (err != PIN_OK) {
        keep(mirror, old);
        return err;
    }
    mirror->is_over = false;
    struct held *fresh = hold(mirror, &bundle);
    if (fresh == NULL || !pin_map_put(&mirror->keys, key, key_bytes, fresh, NULL)) {
        if (fresh != NULL) {
            abandon(mirror, fresh);
        }
        keep(mirror, old);
        pin_bundle_done(&bundle);
        return mirror->is_over ? pin_why_set(why, PIN_ELIMIT,
                   "there would be more than %lu objects of a kind (maxObjects)",
                   (unsigned long)mirror->source->max_objects)
                               : pin_why_set(why, PIN_ENOMEM, "no memory for a value");
    }
    replace(mirror, old, fresh, &bundle);
    if (old != NULL) {
        free_held(old);
    }
    pin_bundle_done(&bundle);
    return PIN_OK;
}

void pin_mirror_remove(struct pin_mirror *mirror, const char *key)
{
    struct held *held = pin_map_remove(&mirror->keys, key, strlen(key));
    if (held != NULL) {
        release(mirror, held);
        free_held(held);
    }
}

/* --- lists ----------------------------------------------------------------------------------- */

void pin_mirror_begin(struct pin_mirror *mirror)
{
    mirror->round++;
}

/* Whether a key names something of these kinds. */
static bool names_kind(const struct held *held, uint32_t kinds)
{
    bool has = false;
    for (size_t i = 0; i < held->n; i++) {
        has = has || (kinds >> held->members[i]->kind & 1u) != 0;
    }
    return has;
}

void pin_mirror_end(struct pin_mirror *mirror, uint32_t unknown)
{
    size_t cursor = 0;
    const char *key = NULL;
    size_t key_bytes = 0;
    void *value = NULL;
    /* keys first: those that stay name no object that goes, for what they name is of this round */
    while (pin_map_next(&mirror->keys, &cursor, &key, &key_bytes, &value)) {
        if (((struct held *)value)->round != mirror->round && names_kind(value, unknown)) {
            keep(mirror, value);
        } else if (((struct held *)value)->round != mirror->round) {
            (void)pin_map_remove(&mirror->keys, key, key_bytes);
            free_held(value);
        }
    }
    cursor = 0;
    while (pin_map_next(&mirror->members, &cursor, NULL, NULL, &value)) {
        if (((struct member *)value)->round != mirror->round) {
            drop_member(mirror, value);
        }
    }
}

size_t pin_mirror_n_keys(const struct pin_mirror *mirror)
{
    return pin_map_count(&mirror->keys);
}

void pin_mirror_done(struct pin_mirror *mirror)
{
    pin_map_done(&mirror->keys, free_held);
    pin_map_done(&mirror->members, unref);
}
