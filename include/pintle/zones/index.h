/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Index: owner name -> node, read by every worker while the builder replaces nodes one by one.
 *
 * Empty non-terminals are nodes too, so "does this name exist" is one probe; one walks up the
 * labels only to find the zone, a wildcard or the closest encloser. Threads: find is for registered
 * RCU readers between two quiescent points; all else is the builder's.
 */

#include "pintle/base/error.h"
#include "pintle/zones/table.h"
#include "pintle/zones/tally.h"

struct pin_index;

/** Makes an empty index; NULL when memory is out. */
struct pin_index *pin_index_new(void);

/** Frees the index with all nodes, tables and zones. No reader may be left. */
void pin_index_free(struct pin_index *index);

/** The node with exactly that lower-case wire name, or NULL. One hash, one probe. Hot path. */
const struct pin_node *pin_index_find(
    const struct pin_index *index, const uint8_t *wire_lower, size_t bytes);

/**
 * The first two strokes of a lookup, for who has many names at hand: hash all, fetch all, then find
 * all, and the waits for memory overlap. Both only have memory bring what the next stroke looks at.
 */
uint64_t pin_index_hash(const struct pin_index *index, const uint8_t *wire_lower, size_t bytes);
void pin_index_fetch(const struct pin_index *index, uint64_t hash);

/**
 * The nearest ancestor-or-self of a name that is a node: the closest encloser (RFC 4592). NULL when
 * no zone of ours encloses the name. One probe per label. `ret_offset_bytes` is where in
 * `wire_lower` the encloser starts.
 */
const struct pin_node *pin_index_enclose(const struct pin_index *index, const uint8_t *wire_lower,
    size_t bytes, size_t *ret_offset_bytes);

/** The same for who has the name's pin_index_hash() already. */
const struct pin_node *pin_index_enclose_hashed(const struct pin_index *index,
    const uint8_t *wire_lower, size_t bytes, uint64_t hash, size_t *ret_offset_bytes);

/**
 * Where a name below the zone that means another one to each asker really stands: in the zone of
 * the asker's cluster. Writes the name there and returns that zone; NULL when there is no such
 * cluster or the name gets too long. `own` has zone_of_cluster. Hot path for such names.
 */
struct pin_zone *pin_zone_for_asker(const struct pin_zone *own, uint16_t view_id,
    const uint8_t *wire_lower, size_t bytes, struct pin_name *ret_name);

/** The wildcard that stands for names missing below a node (RFC 4592, section 3.3); NULL: none. */
const struct pin_node *pin_index_wildcard(
    const struct pin_index *index, const struct pin_node *encloser);

/** What a zone is made of. */
struct pin_zone_spec {
    struct pin_name apex;
    const struct pin_name *ns; /**< 1 or more. */
    size_t n_ns;
    struct pin_name hostmaster;
    uint32_t ttl_s;          /**< Of SOA and NS. */
    uint32_t negative_ttl_s; /**< SOA MINIMUM. */
    uint32_t serial;         /**< First serial. */
    bool is_synced_from_clusters;
};

/** Writes the SOA RR of a zone (RFC 1035, section 3.3.13) into `soa`. Any thread. */
void pin_soa_write(struct pin_soa *soa, const struct pin_zone_spec *spec, uint32_t serial);

/**
 * Adds a zone: a node at the apex with SOA and NS. Builder, before or while workers read.
 * The zone belongs to the index. `ns` are names in wire format; `hostmaster` too.
 */
enum pin_err pin_index_add_zone(struct pin_index *index, const struct pin_zone_spec *spec,
    struct pin_zone **ret_zone, struct pin_why *why);

/**
 * Makes the names between a zone and the one around it exist in the outer one: else that would deny
 * what is below them (RFC 8020). Once, when all zones were added. Builder.
 */
enum pin_err pin_index_join_zones(struct pin_index *index);

/** The zone that encloses a name, or NULL. Builder. */
struct pin_zone *pin_index_zone(const struct pin_index *index, const struct pin_name *name);

/**
 * Makes the name show exactly these RRsets from now on. Adds missing empty non-terminals up to the
 * apex. Takes one reference on every table it points at; the arrays are copied. With n_rrsets 0 the
 * name exists without data. The apex keeps its SOA; its NS are to be among what is given.
 * PIN_ENOMEM: the name shows what it showed before.
 */
enum pin_err pin_index_put(struct pin_index *index, struct pin_zone *zone,
    const struct pin_name *name, const struct pin_rrset *rrsets, size_t n_rrsets);

/** The same with a policy, of which the node takes a reference; NULL: everybody may resolve it. */
enum pin_err pin_index_put_guarded(struct pin_index *index, struct pin_zone *zone,
    const struct pin_name *name, const struct pin_rrset *rrsets, size_t n_rrsets,
    const struct pin_policy *policy);

/**
 * Sets or clears a PIN_NODE_* flag of a name, by another node in the place of its own; a name that
 * does not exist stays so. Builder. PIN_ENOMEM: the flag is as it was.
 */
enum pin_err pin_index_flag(
    struct pin_index *index, const uint8_t *wire_lower, size_t bytes, uint8_t flag, bool is_set);

/**
 * The delegation above a name in its zone, of several the one nearest to the apex (RFC 1034,
 * section 4.3.2, step 3b); NULL: there is none. `ret_at_bytes` is where its name begins within the
 * given one. Any thread, in a read section. Cost: a lookup for each label below the apex; ask for
 * names with PIN_NODE_IS_BELOW_CUT.
 */
const struct pin_node *pin_index_cut(
    const struct pin_index *index, const uint8_t *wire_lower, size_t bytes, size_t *ret_at_bytes);

/**
 * Removes a name that was put; it stays as an empty non-terminal while names exist below it, and
 * an apex with its SOA and NS. PIN_ENOMEM: nothing was changed.
 */
enum pin_err pin_index_remove(struct pin_index *index, const struct pin_name *name);

/**
 * Notes that the compile run `stamp` wants this name; false when the name is no node. Builder.
 * After a run, names of the unit whose stamp differs are the ones to remove.
 */
bool pin_index_stamp(struct pin_index *index, const struct pin_name *name, uint32_t stamp);

/** The slots that drawn tables take their counters from. Builder. */
struct pin_slots *pin_index_slots(struct pin_index *index);

/** Where answers of the index's counted tables are counted; NULL without an index. Any thread,
 * while the index is there. */
struct pin_tally *pin_index_tally(const struct pin_index *index);

/** Has tables of a new index, which has none, counted where another one's are. Builder. */
void pin_index_share_tally(struct pin_index *index, const struct pin_index *other);

/** Zone number `i` in the order they were added; NULL: there are not so many. Any thread once all
 * were added. */
struct pin_zone *pin_index_zone_at(const struct pin_index *index, size_t i);

/** Takes one more reference on a table (builder). */
void pin_table_ref(const struct pin_table *table);

/** Drops one reference; the last one frees the table after a grace period (builder). */
void pin_table_unref(const struct pin_table *table);

/** Frees a table that its maker alone has seen, at once. NULL is fine. */
void pin_table_discard(struct pin_table *table);

/** Number of nodes, and of bytes held by nodes and tables. Builder. */
struct pin_index_size {
    uint64_t n_nodes;
    uint64_t n_tables;
    uint64_t bytes;
};

/** Counts. O(1). */
struct pin_index_size pin_index_size(const struct pin_index *index);
