/* SPDX-License-Identifier: Apache-2.0 */

/* Name index: nodes in an RCU hash table, empty non-terminals kept by counting children, zones,
 * slots. */

#include "pintle/zones/index.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/zones/parts.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/settings.h"

#include "zones/edition.h"
#include "zones/soa.h"
#include "zones/tables.h"

#define FIRST_NAMES 1024
/* Nodes up to this size are fetched whole: link, name and RRsets of a service in two families. */
#define NODE_FETCH_BYTES 192u
#define LINE_BYTES       64u
/* What other names, or somebody on purpose, made of a node: not its RRsets. */
#define FLAGS_KEPT (PIN_NODE_HAS_WILDCARD | PIN_NODE_HAS_PODS | PIN_NODE_IS_BELOW_CUT)

struct pin_index {
    struct pin_rcu_table *nodes;
    struct pin_zone **zones;
    size_t n_zones;
    struct pin_slots slots;
    struct pin_index_size size;
};

/* What a lookup compares with. */
struct key {
    const uint8_t *wire;
    size_t bytes;
};

static struct pin_node *node_of(struct pin_rcu_node *link)
{
    return container_of(link, struct pin_node, link);
}

static int match_name(struct pin_rcu_node *link, const void *arg)
{
    const struct key *key = arg;
    const struct pin_node *node = node_of(link);
    return node->name_bytes == key->bytes && memcmp(node->name, key->wire, key->bytes) == 0;
}

/* --- finding --------------------------------------------------------------------------------- */

static struct pin_node *find_hashed(
    const struct pin_index *index, const uint8_t *wire, size_t bytes, uint64_t hash)
{
    struct key key = {.wire = wire, .bytes = bytes};
    struct pin_rcu_node *link = pin_rcu_table_find(index->nodes, hash, match_name, &key);
    return link != NULL ? node_of(link) : NULL;
}

static struct pin_node *find(const struct pin_index *index, const uint8_t *wire, size_t bytes)
{
    return find_hashed(index, wire, bytes, pin_hash64(wire, bytes));
}

uint64_t pin_index_hash(const struct pin_index *index, const uint8_t *wire_lower, size_t bytes)
{
    uint64_t hash = pin_hash64(wire_lower, bytes);
    pin_rcu_table_fetch(index->nodes, hash);
    return hash;
}

void pin_index_fetch(const struct pin_index *index, uint64_t hash)
{
    struct pin_rcu_node *link = pin_rcu_table_guess(index->nodes, hash);
    const char *node = link == NULL ? NULL : (const char *)node_of(link);
    for (size_t at = 0; node != NULL && at < NODE_FETCH_BYTES; at += LINE_BYTES) {
        __builtin_prefetch(node + at);
    }
}

const struct pin_node *pin_index_find(
    const struct pin_index *index, const uint8_t *wire_lower, size_t bytes)
{
    return find(index, wire_lower, bytes);
}

const struct pin_node *pin_index_wildcard(
    const struct pin_index *index, const struct pin_node *encloser)
{
    uint8_t name[PIN_NAME_MAX_BYTES + 2] = {1, '*'};
    if ((encloser->flags & PIN_NODE_HAS_WILDCARD) == 0) {
        return NULL;
    }
    memcpy(name + 2, encloser->name, encloser->name_bytes);
    return find(index, name, (size_t)encloser->name_bytes + 2);
}

const struct pin_node *pin_index_enclose_hashed(const struct pin_index *index,
    const uint8_t *wire_lower, size_t bytes, uint64_t hash, size_t *ret_offset_bytes)
{
    size_t at = 0;
    for (;;) {
        const struct pin_node *node = find_hashed(index, wire_lower + at, bytes - at, hash);
        if (node != NULL) {
            *ret_offset_bytes = at;
            return node;
        }
        if (wire_lower[at] == 0) {
            return NULL;
        }
        at += (size_t)wire_lower[at] + 1;
        hash = pin_hash64(wire_lower + at, bytes - at);
    }
}

const struct pin_node *pin_index_enclose(const struct pin_index *index, const uint8_t *wire_lower,
    size_t bytes, size_t *ret_offset_bytes)
{
    return pin_index_enclose_hashed(
        index, wire_lower, bytes, pin_hash64(wire_lower, bytes), ret_offset_bytes);
}

/* --- tables ----------------------------------------------------------------------------------- */

/* References are the builder's bookkeeping; what readers see of a table never changes. */
static struct pin_table *unfrozen(const struct pin_table *table)
{
    union {
        const struct pin_table *frozen;
        struct pin_table *table;
    } u = {.frozen = table};
    return u.table;
}

static void free_table(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_table, rcu));
}

void pin_table_ref(const struct pin_table *table)
{
    if (table != NULL) {
        unfrozen(table)->n_refs++;
    }
}

/* Gives back what a table has of its index. */
static void give_back(const struct pin_table *table)
{
    if (table->slots != NULL) {
        pin_tally_close(table->slots->tally, table->tally);
        pin_slots_give(table->slots, table->slot);
    }
}

/* Lets go what a table refers to. */
static void drop_parts(const struct pin_table *table)
{
    const struct pin_extra *extras = pin_table_extras(table);
    for (uint16_t i = 0; i < table->n_extras; i++) {
        /* One level only: tables that are extras have no extras. */
        pin_table_unref(extras[i].a);
        pin_table_unref(extras[i].aaaa);
    }
    give_back(table);
}

void pin_table_unref(const struct pin_table *table)
{
    if (table != NULL && --unfrozen(table)->n_refs == 0) {
        drop_parts(table);
        pin_rcu_defer(&unfrozen(table)->rcu, free_table);
    }
}

static void cut_slot(const struct pin_table *table)
{
    if (table != NULL) {
        give_back(table);
        unfrozen(table)->slots = NULL;
        unfrozen(table)->tally = 0;
    }
}

void pin_table_cut(const struct pin_table *table)
{
    const struct pin_extra *extras = table != NULL ? pin_table_extras(table) : NULL;
    for (uint16_t i = 0; extras != NULL && i < table->n_extras; i++) {
        cut_slot(extras[i].a);
        cut_slot(extras[i].aaaa);
    }
    cut_slot(table);
}

void pin_table_discard(struct pin_table *table)
{
    if (table != NULL) {
        drop_parts(table);
        free(table);
    }
}

/* --- nodes ------------------------------------------------------------------------------------ */

/* Bytes of an RRset's tables and variants; the next one's may follow. */
static size_t more_bytes(const struct pin_rrset *rrset)
{
    const size_t align = alignof(struct pin_table *);
    if (rrset->n_variants == 0) {
        return 0;
    }
    size_t bytes = rrset->n_tables * sizeof(struct pin_table *)
                   + rrset->n_variants * sizeof(struct pin_variant);
    return (bytes + (align - 1)) & ~(align - 1);
}

static size_t node_bytes(const struct pin_rrset *rrsets, size_t n_rrsets, size_t name_bytes)
{
    size_t bytes = pin_node_head_bytes(name_bytes) + n_rrsets * sizeof(struct pin_rrset);
    for (size_t i = 0; i < n_rrsets; i++) {
        bytes += more_bytes(&rrsets[i]);
    }
    return bytes;
}

/* Copies RRsets with their variants behind a fresh node's name and takes a reference per table. */
static void copy_rrsets(struct pin_node *node, const struct pin_rrset *rrsets, size_t n_rrsets)
{
    char *at = (char *)node + pin_node_head_bytes(node->name_bytes);
    struct pin_rrset *copies = (struct pin_rrset *)(void *)at;
    at += n_rrsets * sizeof(*copies);
    for (size_t i = 0; i < n_rrsets; i++) {
        const struct pin_rrset *from = &rrsets[i];
        const struct pin_table **tables = (const struct pin_table **)(void *)at;
        copies[i] = *from;
        for (uint16_t t = 0; t < pin_rrset_n_tables(from); t++) {
            pin_table_ref(pin_rrset_tables(from)[t]);
        }
        if (from->n_variants > 0) {
            copies[i].tables = tables;
            memcpy(tables, from->tables, from->n_tables * sizeof(struct pin_table *));
            memcpy(tables + from->n_tables, pin_rrset_variants(from),
                from->n_variants * sizeof(struct pin_variant));
        }
        at += more_bytes(from);
    }
}

static bool is_wildcard(const uint8_t *wire)
{
    return wire[0] == 1 && wire[1] == '*';
}

/* What a name's own RRsets say about the names below it. */
static uint8_t flags_of(const struct pin_node *node)
{
    uint8_t flags = 0;
    const struct pin_rrset *rrsets = pin_node_rrsets(node);
    for (uint16_t i = 0; i < node->n_rrsets; i++) {
        if (rrsets[i].type == PIN_TYPE_DNAME) {
            flags |= PIN_NODE_HAS_DNAME;
        } else if (rrsets[i].type == PIN_TYPE_NS && node->name_bytes != node->zone->apex.bytes) {
            flags |= PIN_NODE_IS_CUT;
        } else if (rrsets[i].type == PIN_TYPE_PARTS) {
            uint8_t parts = pin_rrset_base(&rrsets[i])->wire[0];
            flags |= (parts & PIN_PARTS_DASHED) != 0 ? PIN_NODE_HAS_DASHED : 0;
            flags |= (parts & ~PIN_PARTS_DASHED) != 0 ? PIN_NODE_HAS_PARTS : 0;
        }
    }
    bool is_bare = node->n_rrsets == ((flags & PIN_NODE_HAS_DASHED) != 0 ? 1u : 0u)
                   && (flags & PIN_NODE_HAS_PARTS) == 0;
    return (uint8_t)(flags | (is_bare ? PIN_NODE_IS_BARE : 0u));
}

static struct pin_node *new_node(struct pin_zone *zone, const uint8_t *wire, size_t bytes,
    const struct pin_rrset *rrsets, size_t n_rrsets)
{
    struct pin_node *node = malloc(PIN_MAX(sizeof(*node), node_bytes(rrsets, n_rrsets, bytes)));
    if (node == NULL) {
        return NULL;
    }
    *node = (struct pin_node){
        .zone = zone, .n_rrsets = (uint16_t)n_rrsets, .name_bytes = (uint8_t)bytes};
    memcpy(node->name, wire, bytes);
    copy_rrsets(node, rrsets, n_rrsets);
    node->flags = flags_of(node) & (is_wildcard(wire) ? PIN_NODE_IS_BARE : UINT8_MAX);
    return node;
}

static void unref_data(const struct pin_node *node)
{
    const struct pin_rrset *rrsets = pin_node_rrsets(node);
    pin_policy_unref(node->policy);
    for (uint16_t i = 0; i < node->n_rrsets; i++) {
        for (uint16_t t = 0; t < pin_rrset_n_tables(&rrsets[i]); t++) {
            pin_table_unref(pin_rrset_tables(&rrsets[i])[t]);
        }
    }
}

static void free_node(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_node, rcu));
}

/* Retires a node that is no longer in the table. */
static void retire(struct pin_index *index, struct pin_node *node)
{
    index->size.bytes -= node_bytes(pin_node_rrsets(node), node->n_rrsets, node->name_bytes);
    index->size.n_nodes--;
    unref_data(node);
    pin_rcu_defer(&node->rcu, free_node);
}

/* Puts `node` into the table, in the place of one with the same name if there is one. */
static void install(struct pin_index *index, struct pin_node *node)
{
    struct key key = {.wire = node->name, .bytes = node->name_bytes};
    uint64_t hash = pin_hash64(node->name, node->name_bytes);
    index->size.bytes += node_bytes(pin_node_rrsets(node), node->n_rrsets, node->name_bytes);
    index->size.n_nodes++;
    struct pin_rcu_node *old =
        pin_rcu_table_replace(index->nodes, hash, match_name, &key, &node->link);
    if (old != NULL) {
        retire(index, node_of(old));
    }
}

static void uninstall(struct pin_index *index, struct pin_node *node)
{
    struct key key = {.wire = node->name, .bytes = node->name_bytes};
    uint64_t hash = pin_hash64(node->name, node->name_bytes);
    (void)pin_rcu_table_remove(index->nodes, hash, match_name, &key);
    retire(index, node);
}

/* What a node gets beside its data. */
struct change {
    uint8_t flags;
    bool is_put;
    const struct pin_policy *policy;
};

static void guard(struct pin_node *node, const struct pin_policy *policy)
{
    node->policy = policy;
    pin_policy_ref(policy);
}

/* Replaces a node by one that differs in flags and data, not in children. */
static enum pin_err replace(struct pin_index *index, const struct pin_node *old,
    struct change change, const struct pin_rrset *rrsets, size_t n_rrsets)
{
    struct pin_node *node = new_node(old->zone, old->name, old->name_bytes, rrsets, n_rrsets);
    if (node == NULL) {
        return PIN_ENOMEM;
    }
    node->n_children = old->n_children;
    node->flags = (uint8_t)(node->flags | (change.flags & FLAGS_KEPT));
    node->is_put = change.is_put;
    guard(node, change.policy);
    install(index, node);
    return PIN_OK;
}

/* Tells the parent, which exists, about a child that is to come. */
static enum pin_err announce(struct pin_index *index, const uint8_t *child, size_t bytes)
{
    const uint8_t *wire = pin_name_parent(child);
    const struct pin_node *parent = find(index, wire, bytes - (size_t)(wire - child));
    if (!is_wildcard(child) || (parent->flags & PIN_NODE_HAS_WILDCARD) != 0) {
        return PIN_OK;
    }
    struct change change = {.flags = (uint8_t)(parent->flags | PIN_NODE_HAS_WILDCARD),
        .is_put = parent->is_put,
        .policy = parent->policy};
    return replace(index, parent, change, pin_node_rrsets(parent), parent->n_rrsets);
}

/* Adds a node that is not there yet, below a parent that is. */
static enum pin_err add_node(struct pin_index *index, struct pin_node *node)
{
    if (node == NULL) {
        return PIN_ENOMEM;
    }
    enum pin_err err = pin_rcu_table_reserve(index->nodes)
                           ? announce(index, node->name, node->name_bytes)
                           : PIN_ENOMEM;
    if (err != PIN_OK) {
        unref_data(node);
        free(node); /* nobody has seen it */
        return err;
    }
    const uint8_t *wire = pin_name_parent(node->name);
    struct pin_node *parent = find(index, wire, node->name_bytes - (size_t)(wire - node->name));
    bool is_below = (parent->flags & (PIN_NODE_IS_CUT | PIN_NODE_IS_BELOW_CUT)) != 0;
    node->flags = (uint8_t)(node->flags | (is_below ? PIN_NODE_IS_BELOW_CUT : 0u));
    parent->n_children++;
    install(index, node);
    return PIN_OK;
}

/* Takes a child off its parent; returns the parent when nothing keeps it alive any more. */
static struct pin_node *disown(struct pin_index *index, const uint8_t *child, size_t bytes)
{
    const uint8_t *wire = pin_name_parent(child);
    struct pin_node *parent = find(index, wire, bytes - (size_t)(wire - child));
    parent->n_children--;
    if (is_wildcard(child)) {
        /* Without memory the flag stays: it costs a probe, no more. */
        struct change change = {.flags = (uint8_t)(parent->flags & ~PIN_NODE_HAS_WILDCARD),
            .is_put = parent->is_put,
            .policy = parent->policy};
        (void)replace(index, parent, change, pin_node_rrsets(parent), parent->n_rrsets);
        parent = find(index, wire, bytes - (size_t)(wire - child));
    }
    return parent->n_children == 0 && !parent->is_put ? parent : NULL;
}

/* Takes out a childless node and all above it that only existed for it. `at` is its name within a
 * name that ends at `end` and outlives the nodes. */
static void uproot(
    struct pin_index *index, struct pin_node *node, const uint8_t *at, const uint8_t *end)
{
    while (node != NULL) {
        uninstall(index, node);
        node = disown(index, at, (size_t)(end - at));
        at = pin_name_parent(at);
    }
}

/* Adds the empty non-terminals that are missing above a name, top down. */
static enum pin_err add_ancestors(
    struct pin_index *index, struct pin_zone *zone, const struct pin_name *name)
{
    const uint8_t *missing[128];
    size_t n_missing = 0;
    const uint8_t *end = name->wire + name->bytes;
    const uint8_t *at = pin_name_parent(name->wire);
    while (find(index, at, (size_t)(end - at)) == NULL) {
        missing[n_missing++] = at;
        at = pin_name_parent(at);
    }
    while (n_missing > 0) {
        const uint8_t *wire = missing[--n_missing];
        enum pin_err err = add_node(index, new_node(zone, wire, (size_t)(end - wire), NULL, 0));
        if (err != PIN_OK) {
            return err;
        }
    }
    return PIN_OK;
}

/* Takes back the empty non-terminals above a name that could not be put. */
static void drop_ancestors(struct pin_index *index, const struct pin_name *name)
{
    const uint8_t *end = name->wire + name->bytes;
    const uint8_t *at = pin_name_parent(name->wire);
    struct pin_node *node = find(index, at, (size_t)(end - at));
    while (node == NULL) {
        at = pin_name_parent(at);
        node = find(index, at, (size_t)(end - at));
    }
    if (node->n_children == 0 && !node->is_put) {
        uproot(index, node, at, end);
    }
}

/* Guards the nodes of "_tcp" and the like between a name and the one that has its ports, which
 * would tell that there is such a name. They have no other children than names under the same
 * policy. */
static enum pin_err guard_above(
    struct pin_index *index, const struct pin_name *name, const struct pin_policy *policy)
{
    enum pin_err err = PIN_OK;
    const uint8_t *end = name->wire + name->bytes;
    const uint8_t *at = pin_name_parent(name->wire);
    while (err == PIN_OK && at[0] > 0 && at[1] == '_') {
        const struct pin_node *node = find(index, at, (size_t)(end - at));
        if (node->is_put) {
            break;
        }
        if (node->policy != policy) {
            struct change change = {.flags = node->flags, .policy = policy};
            err = replace(index, node, change, pin_node_rrsets(node), node->n_rrsets);
        }
        at = pin_name_parent(at);
    }
    return err;
}

/* Notes a name that is to change, where transfers show it: an apex also as a delegation. */
static bool note_change(const struct pin_zone *zone, const uint8_t *wire, size_t bytes)
{
    const struct pin_zone *outer = bytes == zone->apex.bytes ? zone->outer : NULL;
    return (zone->editions == NULL || pin_editions_note(zone->editions, wire, bytes))
           && (outer == NULL || outer->editions == NULL
               || pin_editions_note(outer->editions, wire, bytes));
}

enum pin_err pin_index_put(struct pin_index *index, struct pin_zone *zone,
    const struct pin_name *name, const struct pin_rrset *rrsets, size_t n_rrsets)
{
    return pin_index_put_guarded(index, zone, name, rrsets, n_rrsets, NULL);
}

enum pin_err pin_index_put_guarded(struct pin_index *index, struct pin_zone *zone,
    const struct pin_name *name, const struct pin_rrset *rrsets, size_t n_rrsets,
    const struct pin_policy *policy)
{
    const struct pin_node *old = find(index, name->wire, name->bytes);
    if (!note_change(zone, name->wire, name->bytes)) {
        return PIN_ENOMEM;
    }
    if (old != NULL) {
        struct change change = {.flags = old->flags, .is_put = true, .policy = policy};
        enum pin_err err = replace(index, old, change, rrsets, n_rrsets);
        return err == PIN_OK ? guard_above(index, name, policy) : err;
    }
    enum pin_err err = add_ancestors(index, zone, name);
    if (err == PIN_OK) {
        err = guard_above(index, name, policy);
    }
    if (err == PIN_OK) {
        struct pin_node *node = new_node(zone, name->wire, name->bytes, rrsets, n_rrsets);
        if (node != NULL) {
            node->is_put = true;
            guard(node, policy);
        }
        err = add_node(index, node);
    }
    if (err != PIN_OK) {
        drop_ancestors(index, name);
    }
    return err;
}

enum pin_err pin_index_remove(struct pin_index *index, const struct pin_name *name)
{
    struct pin_node *node = find(index, name->wire, name->bytes);
    if (node == NULL || !node->is_put) {
        return PIN_OK;
    }
    if (!note_change(node->zone, name->wire, name->bytes)) {
        return PIN_ENOMEM;
    }
    if (node->name_bytes == node->zone->apex.bytes) {
        const struct pin_rrset *ns = pin_node_rrset(node, PIN_TYPE_NS);
        struct change change = {.flags = node->flags, .is_put = true};
        return replace(index, node, change, ns, ns != NULL);
    }
    if (node->n_children > 0) {
        return replace(index, node, (struct change){.flags = node->flags}, NULL, 0);
    }
    struct pin_name gone = *name; /* outlives the nodes whose names we walk */
    uproot(index, node, gone.wire, gone.wire + gone.bytes);
    return PIN_OK;
}

/* --- zones ------------------------------------------------------------------------------------ */

/* Writes the NS RRset of the apex. NULL when memory is out. */
static struct pin_table *new_ns_table(const struct pin_zone_spec *spec)
{
    size_t bytes = spec->n_ns * (12u + PIN_NAME_MAX_BYTES);
    uint8_t *wire = malloc(bytes);
    if (wire == NULL) {
        return NULL;
    }
    struct pin_buf w = pin_buf_init(wire, bytes);
    for (size_t i = 0; i < spec->n_ns; i++) {
        pin_buf_put_u16(&w, PIN_OWNER_POINTER);
        pin_buf_put_u16(&w, PIN_TYPE_NS);
        pin_buf_put_u16(&w, PIN_CLASS_IN);
        pin_buf_put_u32(&w, spec->ttl_s);
        pin_buf_put_u16(&w, spec->ns[i].bytes);
        pin_buf_put_bytes(&w, spec->ns[i].wire, spec->ns[i].bytes);
    }
    struct pin_table *table = pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_FIXED,
        .n_rr = (uint16_t)spec->n_ns,
        .wire = wire,
        .wire_bytes = (uint32_t)pin_buf_used(&w),
    });
    free(wire);
    return table;
}

static enum pin_err put_apex(
    struct pin_index *index, struct pin_zone *zone, const struct pin_zone_spec *spec)
{
    struct pin_table *ns = pin_rcu_table_reserve(index->nodes) ? new_ns_table(spec) : NULL;
    if (ns == NULL) {
        return PIN_ENOMEM;
    }
    struct pin_rrset rrset = {.type = PIN_TYPE_NS, .base = ns};
    struct pin_node *node = new_node(zone, spec->apex.wire, spec->apex.bytes, &rrset, 1);
    pin_table_unref(ns);
    if (node == NULL) {
        return PIN_ENOMEM;
    }
    node->is_put = true;
    install(index, node);
    return PIN_OK;
}

enum pin_err pin_index_add_zone(struct pin_index *index, const struct pin_zone_spec *spec,
    struct pin_zone **ret_zone, struct pin_why *why)
{
    char text[PIN_NAME_TEXT_MAX];
    pin_name_format(spec->apex.wire, text);
    if (find(index, spec->apex.wire, spec->apex.bytes) != NULL) {
        return pin_why_set(why, PIN_EEXISTS, "zone %s is named twice", text);
    }
    struct pin_zone **zones = realloc(index->zones, (index->n_zones + 1) * sizeof(*zones));
    if (zones == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "zone %s", text);
    }
    index->zones = zones;
    struct pin_zone *zone = calloc(1, sizeof(*zone));
    struct pin_soa *soa = pin_soa_new(spec);
    if (zone == NULL || soa == NULL) {
        free(zone);
        free(soa);
        return pin_why_set(why, PIN_ENOMEM, "zone %s", text);
    }
    *zone = (struct pin_zone){
        .apex = spec->apex,
        .soa = soa,
        .serial = spec->serial,
        .is_synced_from_clusters = spec->is_synced_from_clusters,
        .cluster_id = PIN_CLUSTER_NONE,
    };
    zones[index->n_zones++] = zone;
    *ret_zone = zone;
    return put_apex(index, zone, spec);
}

/* The zone that encloses another one most closely, or NULL. */
static struct pin_zone *around(const struct pin_index *index, const struct pin_zone *zone)
{
    struct pin_zone *outer = NULL;
    for (size_t i = 0; i < index->n_zones; i++) {
        struct pin_zone *other = index->zones[i];
        if (other != zone && pin_name_is_below(&zone->apex, &other->apex)
            && (outer == NULL || other->apex.bytes > outer->apex.bytes)) {
            outer = other;
        }
    }
    return outer;
}

enum pin_err pin_index_join_zones(struct pin_index *index)
{
    enum pin_err err = PIN_OK;
    for (size_t i = 0; err == PIN_OK && i < index->n_zones; i++) {
        const struct pin_name *apex = &index->zones[i]->apex;
        struct pin_zone *outer = around(index, index->zones[i]);
        index->zones[i]->outer = outer;
        if (outer == NULL) {
            continue;
        }
        err = add_ancestors(index, outer, apex);
        if (err == PIN_OK) {
            const uint8_t *wire = pin_name_parent(apex->wire);
            find(index, wire, apex->bytes - (size_t)(wire - apex->wire))->n_children++;
        }
    }
    return err;
}

struct pin_zone *pin_index_zone(const struct pin_index *index, const struct pin_name *name)
{
    struct pin_zone *best = NULL;
    for (size_t i = 0; i < index->n_zones; i++) {
        struct pin_zone *zone = index->zones[i];
        if (pin_name_is_below(name, &zone->apex)
            && (best == NULL || zone->apex.bytes > best->apex.bytes)) {
            best = zone;
        }
    }
    return best;
}

struct pin_zone *pin_zone_for_asker(const struct pin_zone *own, uint16_t view_id,
    const uint8_t *wire_lower, size_t bytes, struct pin_name *ret_name)
{
    if (view_id == 0) {
        return NULL;
    }
    struct pin_zone *zone = own->zone_of_cluster[view_id - 1];
    size_t below = bytes - own->apex.bytes;
    if (below + zone->apex.bytes > PIN_NAME_MAX_BYTES) {
        return NULL;
    }
    memcpy(ret_name->wire, wire_lower, below);
    memcpy(ret_name->wire + below, zone->apex.wire, zone->apex.bytes);
    ret_name->bytes = (uint8_t)(below + zone->apex.bytes);
    return zone;
}

struct pin_zone *pin_index_zone_at(const struct pin_index *index, size_t i)
{
    return i < index->n_zones ? index->zones[i] : NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static void free_node_now(struct pin_rcu_node *link)
{
    struct pin_node *node = node_of(link);
    unref_data(node);
    free(node);
}

struct pin_index *pin_index_new(void)
{
    struct pin_index *index = calloc(1, sizeof(*index));
    if (index == NULL) {
        return NULL;
    }
    index->nodes = pin_rcu_table_new(FIRST_NAMES);
    index->slots.tally = index->nodes == NULL ? NULL : pin_tally_new();
    if (index->slots.tally == NULL) {
        pin_rcu_table_free(index->nodes, free_node_now);
        free(index);
        return NULL;
    }
    return index;
}

void pin_index_free(struct pin_index *index)
{
    if (index == NULL) {
        return;
    }
    pin_rcu_table_free(index->nodes, free_node_now);
    for (size_t i = 0; i < index->n_zones; i++) {
        pin_editions_free(index->zones[i]->editions);
        free(index->zones[i]->soa);
        free(index->zones[i]);
    }
    free(index->zones);
    pin_tally_unref(index->slots.tally);
    pin_slots_done(&index->slots);
    free(index);
}

bool pin_index_stamp(struct pin_index *index, const struct pin_name *name, uint32_t stamp)
{
    struct pin_node *node = find(index, name->wire, name->bytes);
    if (node == NULL) {
        return false;
    }
    node->stamp = stamp;
    return true;
}

enum pin_err pin_index_flag(
    struct pin_index *index, const uint8_t *wire_lower, size_t bytes, uint8_t flag, bool is_set)
{
    const struct pin_node *node = find(index, wire_lower, bytes);
    if (node == NULL || ((node->flags & flag) != 0) == is_set) {
        return PIN_OK;
    }
    struct change change = {
        .flags = (uint8_t)(node->flags ^ flag), .is_put = node->is_put, .policy = node->policy};
    return replace(index, node, change, pin_node_rrsets(node), node->n_rrsets);
}

struct pin_tally *pin_index_tally(const struct pin_index *index)
{
    return index != NULL ? index->slots.tally : NULL;
}

void pin_index_share_tally(struct pin_index *index, const struct pin_index *other)
{
    pin_tally_unref(index->slots.tally);
    index->slots.tally = pin_tally_ref(other->slots.tally);
}

struct pin_slots *pin_index_slots(struct pin_index *index)
{
    return &index->slots;
}

struct pin_index_size pin_index_size(const struct pin_index *index)
{
    return index->size;
}
