/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tables, RRsets, nodes, zones: the frozen things that a worker reads to answer one question.
 *
 *     node (owner name) --> zone (apex, SOA)
 *       rrsets[] by type
 *         base table            what every view shows that has no variant
 *         variants[] by view    which of the tables the views show that differ
 *         tables[]              RRs in wire format, shares, extras for the additional section
 *
 * The builder makes them and replaces whole nodes in the index; nobody edits one afterwards. A
 * worker may hold a pointer to any of them between two quiescent points (base/rcu.h). A response is
 * made from one node alone, so it cannot mix two generations.
 */

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu_table.h"
#include "pintle/zones/checked.h"
#include "pintle/zones/name.h"
#include "pintle/zones/object.h"

#define PIN_TYPE_A     1u
#define PIN_TYPE_NS    2u
#define PIN_TYPE_CNAME 5u
#define PIN_TYPE_SOA   6u
#define PIN_TYPE_PTR   12u
#define PIN_TYPE_MX    15u
#define PIN_TYPE_TXT   16u
#define PIN_TYPE_AAAA  28u
#define PIN_TYPE_SRV   33u
#define PIN_TYPE_DNAME 39u
#define PIN_TYPE_OPT   41u
#define PIN_TYPE_DS    43u
#define PIN_TYPE_SVCB  64u
#define PIN_TYPE_HTTPS 65u
#define PIN_TYPE_ANY   255u
#define PIN_TYPE_CAA   257u
#define PIN_CLASS_IN   1u
#define PIN_CLASS_CH   3u
#define PIN_CLASS_ANY  255u

/** The owner of every prebuilt RR: a pointer to the QNAME at offset 12 (RFC 1035, section 4.1.4).
 */
#define PIN_OWNER_POINTER 0xC00Cu
/** Bytes of an A RR with a pointer owner. */
#define PIN_RR_A_BYTES 16u
/** Bytes of an AAAA RR with a pointer owner. */
#define PIN_RR_AAAA_BYTES 28u

/** How a table gives its RRs. */
enum PIN_ONE_BYTE pin_table_form {
    PIN_TABLE_FIXED,   /**< All of them, in the order they stand. */
    PIN_TABLE_DRAWN,   /**< Some or all of them by shares; every RR has rr_bytes. */
    PIN_TABLE_TARGETS, /**< SRV, all of them, to be written out (pintle/zones/targets.h). */
};

struct pin_edition;
struct pin_editions;
struct pin_policy;
struct pin_table;

/** Addresses of a target named inside a table's RRs, for the additional section. */
struct pin_extra {
    uint32_t target_offset;    /**< Where in the table's wire the target name starts. The root name
                                    stands for the owner (RFC 9460, section 2.5.2). */
    const struct pin_table *a; /**< NULL = none. Owner pointer is to be patched. */
    const struct pin_table *aaaa; /**< NULL = none. */
};

/** What a table has whose RRs do not all weigh 1, or of which questions may get none, or less. */
struct pin_uneven {
    uint64_t total;             /**< DRAWN: sum S of the weights, below 2^48. */
    uint64_t nodata;            /**< DRAWN: beside total, so much of the questions gets no RR. */
    const uint64_t *cumulative; /**< DRAWN: n_rr sums, last = total; NULL = all weights are 1. */
    const struct pin_checked *checked; /**< NULL: no probe's verdict can change the answer. */
};

/** What one RRset shows in one or more views. */
struct pin_table {
    enum pin_table_form form;
    enum pin_answers_mode mode; /**< DRAWN: subset, single, all or group. */
    bool is_whole;       /**< DRAWN, but every RR belongs in (headless): TC if they do not fit. */
    bool is_sticky;      /**< DRAWN: the asker's address chooses. FIXED: an extra's does. */
    uint16_t n_rr;       /**< 1 or more. */
    uint16_t n_pick_max; /**< DRAWN: RRs of an unconstrained answer, 1 to n_rr. */
    uint16_t rr_bytes;   /**< DRAWN: PIN_RR_A_BYTES or PIN_RR_AAAA_BYTES. */
    uint16_t n_clusters; /**< Clusters whose data this is; for EDE 3. */
    uint16_t n_extras;
    uint16_t n_groups; /**< Mode group: clusters that have RRs here, 1 or more; else 0. */
    uint32_t wire_bytes;
    uint32_t slot;    /**< DRAWN: which counter of pin_draws belongs to it. */
    uint32_t tally;   /**< Counter of its block (tally.h); 0: not counted. FIXED: of one RR. */
    uint16_t n_parts; /**< Parts of that block; behind the wire lies pin_table_parts(). */
    const struct pin_uneven *uneven; /**< NULL: all weights are 1, nothing takes an RR away. */
    const uint8_t *wire;             /**< n_rr RRs, each with PIN_OWNER_POINTER as owner, but for
                                          TARGETS. In front of them pin_table_clusters(), and in front
                                          of those pin_table_groups(). */
    union {
        struct {
            uint32_t n_refs;         /**< Builder only. */
            struct pin_slots *slots; /**< Builder only: where the slot goes back to. */
        };
        struct pin_rcu_head rcu; /**< Once nobody refers to it. */
    };
};

/** The sum of the weights; n_rr when all are 1. */
static inline uint64_t pin_table_total(const struct pin_table *table)
{
    return table->uneven == NULL ? table->n_rr : table->uneven->total;
}

/** So much of the questions, beside the total, gets no RR; 0 for most. */
static inline uint64_t pin_table_nodata(const struct pin_table *table)
{
    return table->uneven == NULL ? 0 : table->uneven->nodata;
}

/** n_rr sums of weights; NULL: all are 1. */
static inline const uint64_t *pin_table_cumulative(const struct pin_table *table)
{
    return table->uneven == NULL ? NULL : table->uneven->cumulative;
}

/** What probes' verdicts take away; NULL: nothing. */
static inline const struct pin_checked *pin_table_checked(const struct pin_table *table)
{
    return table->uneven == NULL ? NULL : table->uneven->checked;
}

/** Addresses of the targets: n_extras of them. Only of tables that pin_table_new() made. */
static inline const struct pin_extra *pin_table_extras(const struct pin_table *table)
{
    return (const struct pin_extra *)(const void *)(table + 1);
}

/** n_clusters cluster ids, ascending. */
static inline const uint16_t *pin_table_clusters(const struct pin_table *table)
{
    return (const uint16_t *)(const void *)table->wire - table->n_clusters;
}

/** Mode group, by RR: its cluster's number, below n_groups. */
static inline const uint16_t *pin_table_groups(const struct pin_table *table)
{
    return pin_table_clusters(table) - table->n_rr;
}

/** By RR: its part of the table's block, below n_parts. Only where there are some. */
static inline const uint8_t *pin_table_parts(const struct pin_table *table)
{
    return table->wire + table->wire_bytes;
}

/** A view that shows another table than its parent does, or, having none, than the base. */
struct pin_variant {
    uint16_t view_id;
    uint16_t table_i; /**< Into pin_rrset.tables; 0: the base. */
};

/** All tables of one owner name and type. */
struct pin_rrset {
    uint16_t type; /**< Host byte order. */
    uint16_t n_variants;
    uint16_t n_tables; /**< With variants: 1 or more. */
    union {
        /** Without variants: what every view shows; NULL = NODATA. */
        const struct pin_table *base;
        /** With variants: first what views without one show, then those of the variants, each
         * once; NULL = NODATA. Behind them lie the variants. */
        const struct pin_table *const *tables;
    };
};

/** What views without a variant show; NULL = NODATA. */
static inline const struct pin_table *pin_rrset_base(const struct pin_rrset *rrset)
{
    return rrset->n_variants == 0 ? rrset->base : rrset->tables[0];
}

/** All tables of an RRset, the base first: pin_rrset_n_tables() of them, each NULL or a table. */
static inline const struct pin_table *const *pin_rrset_tables(const struct pin_rrset *rrset)
{
    return rrset->n_variants == 0 ? &rrset->base : rrset->tables;
}

/** How many there are, 1 or more. */
static inline uint16_t pin_rrset_n_tables(const struct pin_rrset *rrset)
{
    return rrset->n_variants == 0 ? 1 : rrset->n_tables;
}

/** The variants of an RRset that has some, by ascending view_id. */
static inline const struct pin_variant *pin_rrset_variants(const struct pin_rrset *rrset)
{
    return (const struct pin_variant *)(const void *)(rrset->tables + rrset->n_tables);
}

/** The SOA of a zone at one serial; replaced whole when the serial moves. */
struct pin_soa {
    uint32_t serial;
    uint32_t negative_ttl_s; /**< Of negative answers: its TTL or MINIMUM (RFC 2308, section 5). */
    uint16_t rr_bytes;
    struct pin_rcu_head rcu;
    uint8_t rr[2 * PIN_NAME_MAX_BYTES
               + 40]; /**< Whole RR; its first 2 bytes, the owner, are to be patched. */
};

/** A zone of ours. Lives as long as the index. */
struct pin_zone {
    struct pin_name apex;
    struct pin_soa *soa;          /**< Read with pin_rcu_deref(). */
    bool is_synced_from_clusters; /**< Negative answers wait for the first sync. */
    bool is_changed;              /**< Builder only: the serial has to move. */
    bool is_custom;               /**< Builder only: names in it are hostnames of routes. */
    bool is_static;               /**< Builder only: a zone file has it, and says its serial. */
    uint16_t cluster_id;          /**< Whose own zone it is, or PIN_CLUSTER_NONE. */
    /**
     * Of the zone that means another one to each asker ("cluster.local"): the zones of the clusters
     * by cluster id, which really hold the names. NULL for all other zones.
     */
    struct pin_zone *const *zone_of_cluster;
    struct pin_edition *edition;   /**< Read with pin_edition_pin(); NULL: none. */
    _Atomic uint32_t serial;       /**< The SOA's. Any thread. */
    _Atomic uint64_t shipped;      /**< 0 without an edition, else 2^32 + its serial. Any thread. */
    struct pin_editions *editions; /**< Builder only; NULL: the zone is never transferred. */
    struct pin_zone *outer;        /**< The one that encloses it, or NULL. */
    uint32_t file_serial;          /**< Builder only: what the file says. */
    uint32_t floor_serial;         /**< Builder only: served before the restart. */
    bool has_floor;                /**< Builder only: floor_serial is known. */
    bool has_file;                 /**< Builder only: file_serial is known. */
    bool is_serial_set;            /**< Builder only: in this round, and so not to be moved. */
};

/**
 * Pseudo view of an asker that named its own cluster's zone by the common name: RRs that hold names
 * show them below the common name then.
 */
#define PIN_VIEW_OWN UINT16_MAX

#define PIN_NODE_HAS_WILDCARD 0x01u /**< "*" exists directly below this name. */
#define PIN_NODE_IS_CUT       0x02u /**< NS below the apex: a delegation (RFC 1034, section 4.2). */
#define PIN_NODE_HAS_DNAME    0x04u /**< Names below it are others' (RFC 6672). */
#define PIN_NODE_HAS_PODS     0x08u /**< "pod" of a cluster zone: names below are synthesised. */
#define PIN_NODE_HAS_PARTS    0x10u /**< It has parts: names below may be synthesised (parts.h). */
#define PIN_NODE_HAS_DASHED   0x20u /**< <dashed-ip> below it may be an endpoint (targets.h). */
#define PIN_NODE_IS_BARE      0x40u /**< No type can be asked for that it has. */
#define PIN_NODE_IS_BELOW_CUT 0x80u /**< Glue, or only there for names below it (zones/cuts.h). */
/** The name, or names below it, may be others'. */
#define PIN_NODE_OTHERS (PIN_NODE_IS_CUT | PIN_NODE_HAS_DNAME | PIN_NODE_IS_BELOW_CUT)

/** One owner name. An empty non-terminal has no RRsets (RFC 8499: empty non-terminals). */
struct pin_node {
    union {
        struct { /* builder only */
            struct pin_rcu_node link;
            uint32_t n_children; /**< Nodes directly below. */
            uint32_t stamp;      /**< Compile run that last wanted this name. */
        };
        struct pin_rcu_head rcu; /**< Once it is in the index no more. */
    };
    struct pin_zone *zone;           /**< Never NULL. */
    const struct pin_policy *policy; /**< Who may resolve it; NULL: everybody. */
    uint16_t n_rrsets;
    uint8_t flags; /**< PIN_NODE_*. */
    bool is_put;   /**< Builder only: put on purpose, not only because names exist below. */
    uint8_t name_bytes;
    uint8_t name[]; /**< Lower-case wire format; behind it the RRsets, then what they point at. */
};

/** Bytes of a node in front of its RRsets. */
static inline size_t pin_node_head_bytes(size_t name_bytes)
{
    const size_t align = alignof(struct pin_rrset);
    return (offsetof(struct pin_node, name) + name_bytes + (align - 1)) & ~(align - 1);
}

/** The node's n_rrsets RRsets. */
static inline const struct pin_rrset *pin_node_rrsets(const struct pin_node *node)
{
    return (const struct pin_rrset *)(const void *)((const char *)node
                                                    + pin_node_head_bytes(node->name_bytes));
}

/** The RRset of that type at the node, or NULL. */
static inline const struct pin_rrset *pin_node_rrset(const struct pin_node *node, uint16_t type)
{
    const struct pin_rrset *rrsets = pin_node_rrsets(node);
    for (uint16_t i = 0; i < node->n_rrsets; i++) {
        if (rrsets[i].type == type) {
            return &rrsets[i];
        }
    }
    return NULL;
}

/** The variant of a view, or NULL. Cost: a binary search. */
static inline const struct pin_variant *pin_rrset_variant(
    const struct pin_rrset *rrset, uint16_t view_id)
{
    if (rrset->n_variants == 0) {
        return NULL;
    }
    const struct pin_variant *at = pin_rrset_variants(rrset);
    for (size_t n = rrset->n_variants; n > 1;) {
        size_t half = n / 2;
        at = at[half].view_id <= view_id ? at + half : at;
        n -= half;
    }
    return at->view_id == view_id ? at : NULL;
}

/**
 * What the RRset shows in a view; NULL = NODATA. A view without a variant shows what its parent
 * does (struct pin_asker; its own id when it has none), and that the base.
 */
static inline const struct pin_table *pin_rrset_table(
    const struct pin_rrset *rrset, uint16_t view_id, uint16_t parent_id)
{
    const struct pin_variant *variant = pin_rrset_variant(rrset, view_id);
    if (variant == NULL && parent_id != view_id) {
        variant = pin_rrset_variant(rrset, parent_id);
    }
    return variant != NULL ? rrset->tables[variant->table_i] : pin_rrset_base(rrset);
}
