/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Reverse: address -> names, for PTR records and the names of pods.
 *
 *     address --> names[] (host label) --> place (cluster, what it is, labels below "svc.<zone>")
 *
 * No node of the index stands for an address: there would be one per endpoint, with another answer
 * for each asker's cluster. A table of addresses takes a fifth of that, and a worker writes the
 * answer from it. One entry is replaced when a name of its address changes. The zones are not nodes
 * either: each range of the scene stands for the zones below in-addr.arpa or ip6.arpa that it
 * covers. Threads: as for the index.
 */

#include <stdatomic.h>

#include "pintle/base/ip.h"
#include "pintle/base/rcu_table.h"
#include "pintle/zones/index.h"
#include "pintle/zones/settings.h"

/** What the name of an address is. */
enum pin_reverse_kind {
    PIN_REVERSE_SERVICE,     /**< A Service whose ClusterIP it is. */
    PIN_REVERSE_ENDPOINT,    /**< An endpoint of a Service. */
    PIN_REVERSE_CLUSTER_SET, /**< A ServiceImport whose address it is. */
};

/** One name of an address: <host>.<service>, the zone's part aside. */
struct pin_reverse_name {
    uint16_t cluster_id;    /**< Whose data it is. */
    uint8_t kind;           /**< enum pin_reverse_kind */
    uint8_t bytes;          /**< Of `service`; 2 or more. */
    const uint8_t *service; /**< Wire labels below "svc.<zone>", no root: service, namespace. */
    uint8_t host[PIN_LABEL_MAX_BYTES + 1]; /**< Wire label of an endpoint; length 0: of others. */
};

/** What addresses are called after, as the entries share it. Private. */
struct pin_place;

/**
 * All names of one address. Immutable, and private but for pin_address_next(): one that is an
 * endpoint of one service takes 34 bytes.
 */
struct pin_address {
    union {
        struct pin_rcu_node link;
        struct pin_rcu_head rcu; /* once it is out of the table */
    };
    uint32_t bytes; /* of the names */
    uint8_t family;
    uint8_t ip_and_names[]; /* 4 or 16 bytes, then the names by kind, labels, cluster */
};

/** The table, and what answers from it need beside. */
struct pin_reverse {
    const struct pin_settings *settings;
    struct pin_rcu_table *addresses;
    struct pin_map *places; /**< What entries refer to. Builder. */
    atomic_uint serial;     /**< Of all reverse zones: moves with every change of a name. */
    uint32_t ttl_s;
    uint32_t negative_ttl_s;
    struct pin_name *ns; /**< As configured; n_ns 0: ns1 below each zone. */
    size_t n_ns;
    struct pin_name hostmaster;              /**< bytes 0: hostmaster below each zone. */
    const struct pin_zone *cluster_set;      /**< The zones that names lie in. */
    const struct pin_zone *own;              /**< "cluster.local". */
    struct pin_zone *const *zone_of_cluster; /**< By cluster id. */
    uint64_t bytes;                          /**< Held by entries. Builder. */
};

/** Makes an empty table; its zones are to be filled in. NULL when memory is out. */
struct pin_reverse *pin_reverse_new(const struct pin_settings *settings, uint32_t serial);

/** Frees it. No reader may be left. NULL is fine. */
void pin_reverse_free(struct pin_reverse *reverse);

/** The entry of an address, or NULL. One probe. */
const struct pin_address *pin_reverse_find(
    const struct pin_reverse *reverse, const struct pin_ip *ip);

/** The address itself. */
struct pin_ip pin_address_ip(const struct pin_address *address);

/** Steps through the names of an address; start with *at = 0. False when there are no more. */
bool pin_address_next(const struct pin_address *address, size_t *at, struct pin_reverse_name *ret);

/**
 * Makes `name` the name that its service has at the address in the way of its kind; with
 * `is_there` false, takes it away. Without a host label an endpoint is called by its address with
 * dashes. The host label of what is taken away does not count. A name that
 * is there already changes nothing. False when memory is out. Builder.
 */
bool pin_reverse_set(struct pin_reverse *reverse, const struct pin_ip *ip,
    const struct pin_reverse_name *name, bool is_there);

/** Writes the whole name: in "cluster.local" with `is_own`, else in the cluster's or clusterset's
 * zone. False when it gets too long. */
bool pin_reverse_target(const struct pin_reverse *reverse, const struct pin_reverse_name *name,
    bool is_own, struct pin_name *ret_name);

/** What a name below "pod.<zone>" stands for. */
enum pin_pod {
    PIN_POD_NONE,
    PIN_POD_NAMESPACE, /**< A namespace with Services: the name exists without data. */
    PIN_POD_ADDRESS,   /**< An address that is an endpoint in that namespace. */
};

/**
 * Reads `<dashed-ip>.<ns>` or `<ns>`.
 *
 * @param labels      Lower-case wire labels in front of "pod".
 * @param bytes       Of them.
 * @param cluster_id  Whose zone it is; PIN_CLUSTER_NONE: nobody's.
 * @param ret_ip      The address, with PIN_POD_ADDRESS.
 */
enum pin_pod pin_reverse_pod(const struct pin_reverse *reverse, const struct pin_index *index,
    const uint8_t *labels, size_t bytes, uint16_t cluster_id, struct pin_ip *ret_ip);

/** An endpoint named by its address with dashes, which no node stands for (targets.h). */
struct pin_dashed {
    const struct pin_address *address; /**< pin_address_ip() is what the name shows. */
    uint16_t cluster_id;               /**< Whose data it is. */
    uint32_t ttl_s;
};

/**
 * Reads `<dashed-ip>.<parent>`.
 *
 * @param label   Lower-case wire label.
 * @param parent  Its node, with PIN_NODE_HAS_DASHED.
 * @return false when there is no such endpoint.
 */
bool pin_reverse_dashed(const struct pin_reverse *reverse, const uint8_t *label,
    const struct pin_node *parent, struct pin_dashed *ret);

/** A name below in-addr.arpa or ip6.arpa, taken apart. */
struct pin_reverse_question {
    struct pin_prefix prefix; /**< What its labels say, from the right. */
    size_t apex_at;           /**< Where the zone's apex starts in the name. */
    bool is_apex;
    bool is_other; /**< Labels stand in front that no address has. */
};

/**
 * Takes a name apart and finds its zone among the ranges. False when it lies in none of them.
 *
 * A range that ends between two labels stands for the zones it covers (10.96.0.0/12: 96.10 to
 * 111.10), so that we never speak for an address beside the range.
 */
bool pin_reverse_parse(const struct pin_lpm *ranges, const uint8_t *wire_lower, size_t bytes,
    struct pin_reverse_question *ret);

/** Whether the whole address was asked for. */
static inline bool pin_reverse_is_address(const struct pin_reverse_question *q)
{
    return !q->is_other && q->prefix.bits == (q->prefix.ip.family == 4 ? 32 : 128);
}

/** Makes the zone of a question, with its SOA. Both live with the caller. */
void pin_reverse_zone(const struct pin_reverse *reverse, const uint8_t *apex, size_t apex_bytes,
    struct pin_zone *ret_zone, struct pin_soa *ret_soa);

/** Name server number `i` of a reverse zone; false when there are no more. */
bool pin_reverse_ns(const struct pin_reverse *reverse, const struct pin_name *apex, size_t i,
    struct pin_name *ret_name);
