/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Parts: who stands behind a service's name, by cluster and topology zone, in few bytes.
 *
 *     us-west-2a.pin._zone.<svc>...     endpoints of a headless service in that topology zone
 *     c2.prefer._cluster.<svc>...       what that cluster contributes, or all when it has nothing
 *     c2.<svc>...                       the same as Lighthouse writes it
 *
 * As nodes these names would take more memory than all others together; nearly nobody asks them. So
 * a service's node keeps one table of its parts, the same for every view, as an RRset of a type
 * that no answer shows, and a worker writes the answer from it:
 *
 *     flags u8, n_ports u8, n_parts u16, ttl u32       with PIN_PARTS_DASHED alone, no more counts
 *     n_ports times: protocol u8, length u8, name
 *     n_zones u8; n_zones times: length u8, zone in lower case
 *     n_parts times: cluster u16, network u16, flags u8, source (length u8, wire labels), rows u32
 *         rows times: flags u8, zone u8 (0 none, else 1 + its place), address (family u8, 4 or 16),
 *                     n_ports times port u16 (0 none), label (length u8)
 */

#include "pintle/zones/table.h"

/** The pseudo type of the RRset: reserved by IANA, never looked up for a client. */
#define PIN_TYPE_PARTS UINT16_MAX

#define PIN_PARTS_HEADLESS   0x01u /**< Every address belongs into an answer. */
#define PIN_PARTS_ZONES      0x02u /**< `_zone` names exist. */
#define PIN_PARTS_CLUSTERS   0x04u /**< `_cluster` names exist. */
#define PIN_PARTS_LIGHTHOUSE 0x08u /**< `<cluster>.<svc>` exists, and SRV without underscores. */
#define PIN_PARTS_DASHED     0x10u /**< `<dashed-ip>.<svc>` may be an endpoint (targets.h). */

#define PIN_PART_FOR_OTHERS 0x01u /**< Seen by askers outside its cluster. */
#define PIN_PART_FOR_OWN    0x02u /**< Seen by askers in its cluster. */
#define PIN_PART_ALONE      0x04u /**< Its cluster's askers see no other part. */

#define PIN_ROW_OWN  0x01u /**< For askers in the part's cluster. */
#define PIN_ROW_NEAR 0x02u /**< For others in its network. */
#define PIN_ROW_FAR  0x04u /**< For others elsewhere. */
#define PIN_ROW_POD  0x08u /**< Has a name of its own: the label, or the address with dashes. */

/** Bytes of the flags, numbers and TTL that parts begin with. */
#define PIN_PARTS_HEAD_BYTES 8u
/** Most ports that parts know of one name. */
#define PIN_PARTS_PORTS_MAX 32u

/** Who asks. */
struct pin_parts_asker {
    uint16_t cluster_id; /**< PIN_CLUSTER_NONE: in none. */
    uint16_t network;
};

/** How a name below a service's reads. */
enum pin_parts_verdict {
    PIN_PARTS_NONE,  /**< There is no such name. */
    PIN_PARTS_EMPTY, /**< It exists without data. */
    PIN_PARTS_SOME,  /**< Some of the addresses: pin_parts_next() gives them. */
    PIN_PARTS_ALL,   /**< What the service's name, or its port's, shows. */
};

/** A name taken apart, and the rows it stands for. */
struct pin_parts_query {
    const uint8_t *wire; /**< The parts. */
    struct pin_parts_asker asker;
    uint8_t flags; /**< PIN_PARTS_*. */
    uint8_t n_ports;
    uint32_t ttl_s;
    int port_i;     /**< Port asked for by name, or -1: all. */
    size_t name_at; /**< Where the name that the addresses stand at starts: behind _port._proto. */
    size_t parts_at;
    uint16_t n_parts;
    bool sees_own_alone;
    int zone_i;            /**< Topology zone, 1 + its place; -1: any. */
    const uint8_t *source; /**< Length and wire labels of the cluster; NULL: any. */
};

/** One address. Points into the parts. */
struct pin_parts_row {
    uint16_t cluster_id;
    uint8_t flags; /**< PIN_ROW_*. */
    uint8_t zone_i;
    uint8_t family;        /**< 4 or 6. */
    const uint8_t *ip;     /**< 4 or 16 bytes. */
    const uint8_t *ports;  /**< u16 each. */
    const uint8_t *label;  /**< Length and label; length 0: the address with dashes. */
    const uint8_t *source; /**< Length and wire labels. */
};

/** Where one goes through rows; start zeroed. */
struct pin_parts_cursor {
    size_t at;
    uint32_t n_rows; /**< Left in the part. */
    uint16_t n_parts;
    struct pin_parts_row row; /**< What the part says of its rows. */
    uint8_t reach;            /**< PIN_ROW_* that this asker sees; 0: the part is not for it. */
};

/**
 * Reads a name below a service's.
 *
 * @param wire    Of the table of type PIN_TYPE_PARTS at the service's node.
 * @param labels  Lower-case wire labels in front of the service's name.
 * @param bytes   Of them, 1 or more.
 */
enum pin_parts_verdict pin_parts_read(const uint8_t *wire, const uint8_t *labels, size_t bytes,
    struct pin_parts_asker asker, struct pin_parts_query *ret);

/** The TTL of parts. */
static inline uint32_t pin_parts_ttl_s(const uint8_t *wire)
{
    return (uint32_t)wire[4] << 24 | (uint32_t)wire[5] << 16 | (uint32_t)wire[6] << 8 | wire[7];
}

/** All rows that the asker may see, whatever their port, zone and cluster. */
struct pin_parts_query pin_parts_open(const uint8_t *wire, struct pin_parts_asker asker);

/** The next row that the name stands for; false when there are no more. */
bool pin_parts_next(const struct pin_parts_query *query, struct pin_parts_cursor *cursor,
    struct pin_parts_row *ret);

/** Name and protocol of a port; `ret_bytes` is at most 62. */
const uint8_t *pin_parts_port_name(
    const struct pin_parts_query *query, size_t port_i, uint8_t *ret_protocol, size_t *ret_bytes);

/** The row's number for a port; 0: it has none. Host byte order. */
static inline uint16_t pin_parts_port(const struct pin_parts_row *row, size_t port_i)
{
    return (uint16_t)(row->ports[2 * port_i] << 8 | row->ports[2 * port_i + 1]);
}
