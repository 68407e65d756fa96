/* SPDX-License-Identifier: Apache-2.0 */

/* Differences between the catalog and etcd, and transactions made of them. */

#include "publish_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#define OPS_FIRST_CAP 64u
#define META          "meta"
#define ALIVE         "alive"

/* What etcd holds for one key. */
struct known {
    uint64_t hash;
    int64_t revision; /* It was written at; 0: it is to be sent, or was too large. */
    uint32_t round;   /* The comparison that saw it last. */
    bool is_taken;    /* The catalog told of it since all was read. */
};

/* --- life ------------------------------------------------------------------------------------ */

bool pin_publish_init(
    struct pin_publish *self, const char *prefix, const char *const *clusters, size_t n_clusters)
{
    *self = (struct pin_publish){.n_clusters = n_clusters, .round = 1};
    self->clusters = calloc(n_clusters + 1, sizeof(*self->clusters));
    for (size_t i = 0; self->clusters != NULL && i < n_clusters; i++) {
        if (clusters[i] != NULL
            && asprintf(&self->clusters[i].base, "%s/%s/", prefix, clusters[i]) < 0) {
            self->clusters[i].base = NULL;
            return false;
        }
    }
    return self->clusters != NULL;
}

static void free_op(struct pin_publish_op *op)
{
    free(op->key);
    free(op->value);
}

void pin_publish_reset(struct pin_publish *self)
{
    for (size_t i = self->first; i < self->n_ops; i++) {
        free_op(&self->ops[i]);
    }
    self->n_ops = 0;
    self->first = 0;
    self->n_sending = 0;
    self->n_keys = 0;
    self->failed = false;
    for (size_t i = 0; self->clusters != NULL && i < self->n_clusters; i++) {
        struct pin_publish_cluster *cluster = &self->clusters[i];
        pin_map_done(&cluster->known, free);
        cluster->n_open = 0;
        cluster->n_seen = 0;
        cluster->meta_revision = 0;
        cluster->doubted_ms = 0;
        cluster->is_followed = false;
        cluster->is_whole = false;
    }
}

void pin_publish_done(struct pin_publish *self)
{
    pin_publish_reset(self);
    for (size_t i = 0; self->clusters != NULL && i < self->n_clusters; i++) {
        free(self->clusters[i].base);
    }
    free(self->clusters);
    free(self->ops);
    *self = (struct pin_publish){0};
}

/* --- what is known --------------------------------------------------------------------------- */

/* Whose key that is, and behind which base; NULL: nobody's. */
static struct pin_publish_cluster *cluster_of(
    const struct pin_publish *self, const char *key, const char **ret_rest)
{
    for (size_t i = 0; i < self->n_clusters; i++) {
        struct pin_publish_cluster *cluster = &self->clusters[i];
        size_t base_bytes = cluster->base != NULL ? strlen(cluster->base) : 0;
        if (base_bytes > 0 && strncmp(key, cluster->base, base_bytes) == 0) {
            *ret_rest = key + base_bytes;
            return cluster;
        }
    }
    return NULL;
}

/* The counts of a cluster, before and after something about a key changes. */
static void uncount(
    const struct pin_publish *self, struct pin_publish_cluster *cluster, const struct known *known)
{
    cluster->n_open -= known->revision == 0 ? 1 : 0;
    cluster->n_seen -= known->revision != 0 && known->round == self->round ? 1 : 0;
}

static void count(
    const struct pin_publish *self, struct pin_publish_cluster *cluster, const struct known *known)
{
    cluster->n_open += known->revision == 0 ? 1 : 0;
    cluster->n_seen += known->revision != 0 && known->round == self->round ? 1 : 0;
}

/* The key was found, or written, at that revision. */
static void set_seen(const struct pin_publish *self, struct pin_publish_cluster *cluster,
    struct known *known, int64_t revision)
{
    uncount(self, cluster, known);
    known->revision = revision;
    known->round = self->round;
    count(self, cluster, known);
}

static void forget(
    struct pin_publish *self, struct pin_publish_cluster *cluster, const char *key, size_t bytes)
{
    struct known *known = pin_map_remove(&cluster->known, key, bytes);
    uncount(self, cluster, known);
    free(known);
    self->n_keys--;
    self->has_deleted = true;
}

/* Notes what a key holds from now on, at revision 0: it is to be sent. */
static void set_known(struct pin_publish *self, struct pin_publish_cluster *cluster,
    const char *key, const struct known *now)
{
    size_t bytes = strlen(key);
    struct known *known = pin_map_find(&cluster->known, key, bytes);
    if (known != NULL) {
        uncount(self, cluster, known);
    } else {
        known = malloc(sizeof(*known));
        if (known == NULL || !pin_map_put(&cluster->known, key, bytes, known, NULL)) {
            free(known);
            self->failed = true;
            return;
        }
        self->n_keys++;
    }
    *known = *now;
    known->round = self->round;
    count(self, cluster, known);
}

/* Keys that say something of the cluster, and nothing of what it has. */
static bool is_sign(const char *rest)
{
    return strcmp(rest, ALIVE) == 0 || strcmp(rest, META) == 0;
}

void pin_publish_know(struct pin_publish *self, const struct pin_etcd_kv *kv)
{
    const char *rest = NULL;
    struct pin_publish_cluster *cluster = cluster_of(self, kv->key, &rest);
    if (cluster != NULL && !is_sign(rest)) {
        const struct known now = {
            .hash = pin_hash64(kv->value, kv->value_bytes), .revision = kv->mod_revision};
        set_known(self, cluster, rest, &now);
    }
}

/* --- operations ------------------------------------------------------------------------------ */

/* Appends an operation on a key behind the cluster's base; takes `value`. */
static void add_op(struct pin_publish *self, const struct pin_publish_cluster *cluster,
    const char *key, struct pin_publish_op op)
{
    if (self->n_ops == self->cap_ops) {
        size_t cap = self->cap_ops == 0 ? OPS_FIRST_CAP : self->cap_ops * 2;
        struct pin_publish_op *ops = realloc(self->ops, cap * sizeof(*ops));
        self->cap_ops = ops != NULL ? cap : self->cap_ops;
        self->ops = ops != NULL ? ops : self->ops;
    }
    if (self->n_ops == self->cap_ops || asprintf(&op.key, "%s%s", cluster->base, key) < 0) {
        free(op.value);
        self->failed = true;
        return;
    }
    self->ops[self->n_ops++] = op;
}

static void take_change(
    struct pin_publish *self, struct pin_publish_cluster *cluster, struct pin_change *change)
{
    struct known *known = pin_map_find(&cluster->known, change->key, change->key_bytes);
    if (change->value == NULL) {
        if (known != NULL) {
            forget(self, cluster, change->key, change->key_bytes);
            add_op(self, cluster, change->key, (struct pin_publish_op){0});
        }
        return;
    }
    uint64_t hash = pin_hash64(change->value, change->value_bytes);
    if (known != NULL && known->hash == hash) {
        known->is_taken = true;
        return;
    }
    set_known(self, cluster, change->key, &(struct known){.hash = hash, .is_taken = true});
    add_op(self, cluster, change->key,
        (struct pin_publish_op){.value = change->value, .value_bytes = change->value_bytes});
    change->value = NULL; /* the operation's now */
}

void pin_publish_take(struct pin_publish *self, struct pin_changes_taken *taken)
{
    for (size_t i = 0; i < taken->n; i++) {
        struct pin_publish_cluster *cluster = taken->items[i].cluster_id < self->n_clusters
                                                  ? &self->clusters[taken->items[i].cluster_id]
                                                  : NULL;
        if (cluster != NULL && cluster->is_followed) {
            take_change(self, cluster, &taken->items[i]);
        }
    }
}

/* Whether a key ("o/Ingress/shop/web", "s/shop/web") is of a kind that nobody knows. */
static bool is_unknown(const struct pin_publish_cluster *cluster, const char *key)
{
    if (strncmp(key, "s/", 2) == 0) {
        return (cluster->unknown >> PIN_KIND_SERVICE & 1u) != 0;
    }
    const char *word = strncmp(key, "o/", 2) == 0 ? key + 2 : "";
    size_t len = strcspn(word, "/");
    for (int kind = 0; len > 0 && kind < PIN_KIND_MAX; kind++) {
        const char *text = pin_kind_text((enum pin_kind)kind);
        if (strlen(text) == len && strncmp(word, text, len) == 0) {
            return (cluster->unknown >> kind & 1u) != 0;
        }
    }
    return false;
}

/* Whether the catalog would have told of it, were it there. */
static bool is_missing(
    const struct pin_publish_cluster *cluster, const char *key, const struct known *known)
{
    return !known->is_taken && !is_unknown(cluster, key);
}

size_t pin_publish_n_missing(const struct pin_publish *self, size_t cluster_id)
{
    size_t n = 0;
    size_t cursor = 0;
    const char *key = NULL;
    void *value = NULL;
    const struct pin_publish_cluster *cluster = &self->clusters[cluster_id];
    while (pin_map_next(&cluster->known, &cursor, &key, NULL, &value)) {
        n += is_missing(cluster, key, value) ? 1 : 0;
    }
    return n;
}

void pin_publish_sweep(struct pin_publish *self, size_t cluster_id)
{
    struct pin_publish_cluster *cluster = &self->clusters[cluster_id];
    size_t cursor = 0;
    const char *key = NULL;
    size_t bytes = 0;
    void *value = NULL;
    while (pin_map_next(&cluster->known, &cursor, &key, &bytes, &value)) {
        if (is_missing(cluster, key, value)) {
            add_op(self, cluster, key, (struct pin_publish_op){0});
            forget(self, cluster, key, bytes);
        }
    }
}

void pin_publish_put(
    struct pin_publish *self, size_t cluster_id, const char *key, const char *value, bool is_bound)
{
    struct pin_publish_cluster *cluster = &self->clusters[cluster_id];
    char *copy = strdup(value);
    if (copy == NULL) {
        self->failed = true;
        return;
    }
    cluster->meta_revision = strcmp(key, META) == 0 ? 0 : cluster->meta_revision;
    add_op(self, cluster, key,
        (struct pin_publish_op){.value = copy, .value_bytes = strlen(copy), .is_bound = is_bound});
}

bool pin_publish_is_idle(const struct pin_publish *self)
{
    return self->first == self->n_ops;
}

/* --- transactions ---------------------------------------------------------------------------- */

static void put_op(struct pin_text *out, const struct pin_publish_op *op, const char *lease)
{
    pin_text_puts(out, op->value != NULL ? "{\"request_put\":{" : "{\"request_delete_range\":{");
    pin_etcd_put_bytes(out, "key", op->key, strlen(op->key), op->value != NULL);
    if (op->value != NULL) {
        pin_etcd_put_bytes(out, "value", op->value, op->value_bytes, op->is_bound);
    }
    if (op->is_bound) {
        pin_text_putf(out, "\"lease\":\"%s\"", lease);
    }
    pin_text_puts(out, "}}");
}

void pin_publish_next(struct pin_publish *self, const char *lease, struct pin_text *out)
{
    size_t n_max = self->batch != 0 ? self->batch : PIN_PUBLISH_OPS_MAX;
    size_t bytes = 0;
    n_max = PIN_MIN(n_max, self->n_ops - self->first);
    self->n_sending = 0;
    pin_text_putc(out, '[');
    while (self->n_sending < n_max) {
        const struct pin_publish_op *op = &self->ops[self->first + self->n_sending];
        bytes += strlen(op->key) + op->value_bytes;
        if (self->n_sending > 0 && bytes > PIN_PUBLISH_BYTES_MAX) {
            break;
        }
        pin_text_puts(out, self->n_sending > 0 ? "," : "");
        put_op(out, op, lease);
        self->n_sending++;
    }
    pin_text_putc(out, ']');
}

/* The transaction's operations are done with. */
static void drop_sent(struct pin_publish *self)
{
    for (size_t i = 0; i < self->n_sending; i++) {
        free_op(&self->ops[self->first + i]);
    }
    self->first += self->n_sending;
    self->n_sending = 0;
    if (self->first == self->n_ops) {
        self->first = 0;
        self->n_ops = 0;
    }
}

/* A key was written at that revision. */
static void note_written(struct pin_publish *self, const char *key, int64_t revision)
{
    const char *rest = NULL;
    struct pin_publish_cluster *cluster = cluster_of(self, key, &rest);
    struct known *known =
        cluster != NULL ? pin_map_find(&cluster->known, rest, strlen(rest)) : NULL;
    if (known != NULL) {
        set_seen(self, cluster, known, revision);
    } else if (cluster != NULL && strcmp(rest, META) == 0) {
        cluster->meta_revision = revision;
        cluster->meta_round = self->round;
    }
}

void pin_publish_acknowledge(
    struct pin_publish *self, int64_t revision, uint64_t *n_puts, uint64_t *n_deletes)
{
    for (size_t i = 0; i < self->n_sending; i++) {
        const struct pin_publish_op *op = &self->ops[self->first + i];
        bool is_put = op->value != NULL;
        *n_puts += is_put ? 1 : 0;
        *n_deletes += is_put ? 0 : 1;
        if (is_put) {
            note_written(self, op->key, revision);
        }
    }
    drop_sent(self);
    self->batch = self->batch != 0 ? PIN_MIN(self->batch * 2, (size_t)PIN_PUBLISH_OPS_MAX) : 0;
}

bool pin_publish_shrink(struct pin_publish *self, char **ret_key)
{
    *ret_key = NULL;
    if (self->n_sending > 1) {
        self->batch = self->n_sending / 2;
        self->n_sending = 0;
        return true;
    }
    if (self->n_sending == 1) {
        *ret_key = strdup(self->ops[self->first].key);
        drop_sent(self);
    }
    return false;
}

/* --- what others wrote ----------------------------------------------------------------------- */

void pin_publish_compare(struct pin_publish *self)
{
    self->round++;
    for (size_t i = 0; i < self->n_clusters; i++) {
        self->clusters[i].n_seen = 0;
        self->clusters[i].is_compared = self->clusters[i].is_whole;
    }
}

/* One that became whole meanwhile is compared the next time. */
static bool is_compared(const struct pin_publish_cluster *cluster)
{
    return cluster->is_compared && cluster->is_whole;
}

bool pin_publish_is_same(struct pin_publish *self, const struct pin_etcd_kv *kv)
{
    const char *rest = NULL;
    struct pin_publish_cluster *cluster = kv->has_nul ? NULL : cluster_of(self, kv->key, &rest);
    if (cluster == NULL || !is_compared(cluster) || strcmp(rest, ALIVE) == 0) {
        return true;
    }
    if (strcmp(rest, META) == 0) {
        cluster->meta_round = self->round;
        return cluster->meta_revision == 0 || cluster->meta_revision == kv->mod_revision;
    }
    struct known *known = pin_map_find(&cluster->known, rest, strlen(rest));
    if (known == NULL || known->revision == 0) {
        return known != NULL;
    }
    bool is_same = known->revision == kv->mod_revision;
    set_seen(self, cluster, known, known->revision);
    return is_same;
}

bool pin_publish_has_all(const struct pin_publish *self)
{
    for (size_t i = 0; i < self->n_clusters; i++) {
        const struct pin_publish_cluster *cluster = &self->clusters[i];
        bool has_meta = cluster->meta_revision == 0 || cluster->meta_round == self->round;
        if (is_compared(cluster)
            && (!has_meta || cluster->n_seen + cluster->n_open != pin_map_count(&cluster->known))) {
            return false;
        }
    }
    return true;
}
