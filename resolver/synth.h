/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Synth: answers for names that no node stands for, written from tables.
 *
 *     1.0.0.10.in-addr.arpa PTR          the names of an address, in a zone that a range stands for
 *     10-0-0-1.shop.pod.cluster.local A  an address that is an endpoint in that namespace
 *     10-0-0-1.db.shop.svc... A          an endpoint of a headless service
 *     eu-a.pin._zone.db.shop.svc... A    some of a service's addresses
 *
 * Workers only; allocates nothing.
 */

#include "pintle/zones/catalog.h"
#include "pintle/zones/parts.h"

#include "response.h"

/** How a synthesised answer ended. */
enum pin_synth_verdict {
    PIN_SYNTH_DATA, /**< RRs were added. */
    PIN_SYNTH_NODATA,
    PIN_SYNTH_NXDOMAIN,
};

/** Which tables answer. */
enum pin_synth_from {
    PIN_FROM_NODE, /**< None: a node does, or nobody. */
    PIN_FROM_REVERSE,
    PIN_FROM_PODS,
    PIN_FROM_PARTS,
    PIN_FROM_DASHED,
};

/** What is asked, and where the answer goes. */
struct pin_synth {
    enum pin_synth_from from;
    const uint8_t *parts;     /**< PIN_FROM_PARTS: the service's. */
    struct pin_dashed dashed; /**< PIN_FROM_DASHED: the endpoint. */
    const struct pin_live *live;
    const struct pin_scene *scene;
    const uint8_t *name; /**< Lower case. */
    size_t bytes;
    size_t at;                   /**< Of the name in the message. */
    size_t encloser_at;          /**< Where the closest encloser starts in the name. */
    const struct pin_zone *zone; /**< That holds the closest encloser. */
    uint16_t qtype;
    uint16_t view_id; /**< The asker's. */
    struct pin_draws *draws;
    struct pin_response *response;
};

/** A zone that no node stands for. */
struct pin_synth_zone {
    struct pin_zone zone;
    struct pin_soa soa;
};

/** Answers from the tables that `from` says. `ret_zone` is filled with PIN_FROM_REVERSE: whose SOA
 * a negative answer carries. */
enum pin_synth_verdict pin_synth_answer(
    const struct pin_synth *synth, struct pin_synth_zone *ret_zone);

/** Who asks for parts: the cluster of a view, and its network. */
struct pin_parts_asker pin_synth_asker(const struct pin_live *live, uint16_t view_id);

/** A name that is no node, or one without data. */
struct pin_synth_below {
    const uint8_t *name;             /**< Lower case. */
    const struct pin_node *encloser; /**< The nearest node, itself or above. */
    size_t bytes;                    /**< Of the name's labels in front of it. */
};

/** Where the answer to such a name comes from. */
struct pin_synth_place {
    const uint8_t *parts;         /**< The service's parts, or NULL. */
    size_t at;                    /**< Where the service's name starts. */
    const struct pin_node *whole; /**< Without parts: the node that the name stands for, or NULL. */
};

/** Finds the service above a name and reads the name; false when it means nothing there. */
bool pin_synth_find(const struct pin_live *live, uint16_t view_id,
    const struct pin_synth_below *below, struct pin_synth_place *ret_place);

/** Whether a name that is no node may be one of a service's parts in a cluster's zone: "_zone" is a
 * label of it, or the first one may be an address with dashes. */
bool pin_synth_is_below(const uint8_t *name);

/** Answers a name below a service's, which `query` was read from with PIN_PARTS_SOME. */
enum pin_synth_verdict pin_synth_parts(
    const struct pin_synth *synth, const struct pin_parts_query *query);

/** Tells data of a cluster out of reach from data that is fresh. */
void pin__synth_note_stale(const struct pin_synth *synth, uint16_t cluster_id);
