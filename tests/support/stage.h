/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Stage: a whole Pintle without sockets, threads and clock - settings, a catalog, one worker - that
 * a test feeds with objects and asks questions.
 *
 *     pin_stage_init -> add networks and clusters -> pin_stage_open -> apply, mark, publish, ask
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/arena.h"
#include "pintle/zones/catalog.h"

#include "resolver/answer.h"
#include "resolver/worker.h"

#define STAGE_NETWORKS_MAX 8u
#define STAGE_CLUSTERS_MAX 12u
#define STAGE_LIST_MAX     8u /**< Gateways of a network, client ranges of a cluster. */
#define STAGE_WIRE_BYTES   65535u

/** Who asks. */
struct pin_stage_asker {
    uint16_t listen_cluster_id; /**< As a listener would say, or PIN_CLUSTER_NONE. */
    struct pin_ip source;
};

/** All of it. Texts are borrowed. */
struct pin_stage {
    struct pin_worker worker;
    struct pin_settings settings; /**< May be changed until open. */
    struct pin_network networks[STAGE_NETWORKS_MAX];
    struct pin_gateway gateways[STAGE_NETWORKS_MAX][STAGE_LIST_MAX];
    struct pin_cluster_settings clusters[STAGE_CLUSTERS_MAX];
    struct pin_prefix clients[STAGE_CLUSTERS_MAX][STAGE_LIST_MAX];
    const char *client_zones[STAGE_CLUSTERS_MAX][STAGE_LIST_MAX];
    struct pin_geo_rule geo_rules[STAGE_LIST_MAX];
    struct pin_prefix geo_nets[STAGE_LIST_MAX];
    size_t n_geo_nets;
    const char *zones_custom[STAGE_LIST_MAX];
    struct pin_prefix forwarders[STAGE_LIST_MAX];
    const char *zones_static[STAGE_LIST_MAX];
    uint64_t now_ms;
    struct pin_catalog *catalog; /**< NULL until open. */
    bool has_heirs;  /**< After each publication another catalog takes over (inherit.h). */
    size_t n_probes; /**< Orders to begin less those to stop. */
    struct pin_published published; /**< Of the latest publication. */
    struct pin_arena *scratch;
    uint8_t wire[STAGE_WIRE_BYTES]; /**< The latest question, then its answer. */
};

/** Settings as the defaults of the configuration, one network "default", no cluster. */
void pin_stage_init(struct pin_stage *stage);

/** Adds a network, or finds it; NULL when there are too many. Gateways go into stage->gateways. */
struct pin_network *pin_stage_network(struct pin_stage *stage, const char *name);

/** Adds a cluster in network "default"; NULL when there are too many. */
struct pin_cluster_settings *pin_stage_add_cluster(struct pin_stage *stage, const char *name);

/** Adds "PREFIX" or "PREFIX@ZONE", which is cut in two, to the cluster's clients. False: it is
 * none, or there are too many. */
bool pin_stage_add_clients(
    struct pin_stage *stage, struct pin_cluster_settings *cluster, char *text);

/** Adds an entry of geo.map that prefers these clusters; false when there are too many. */
bool pin_stage_add_geo(struct pin_stage *stage, const char *clusters);

/** Adds a net to the latest entry of geo.map. False: it is none, or there are too many. */
bool pin_stage_add_geo_net(struct pin_stage *stage, const char *text);

/** Makes the catalog and the worker. The calling thread is an online RCU reader. */
enum pin_err pin_stage_open(struct pin_stage *stage, struct pin_why *why);

/**
 * Begins and opens it as most tests want it: clusters c1 and c2, synced, whose names have the
 * addresses of endpoints, and the custom zone example.com, which others may transfer. The calling
 * thread becomes an RCU reader. False: it cannot be made.
 */
bool pin_stage_open_two(struct pin_stage *stage);

/** Frees catalog and worker, if there are any, and waits for all that readers could hold. */
void pin_stage_done(struct pin_stage *stage);

/** Applies every document of a YAML text to a cluster; nothing is published. */
enum pin_err pin_stage_apply(struct pin_stage *stage, uint16_t cluster_id, const char *yaml,
    size_t bytes, struct pin_why *why);

/** Deletes an object. */
void pin_stage_delete(struct pin_stage *stage, uint16_t cluster_id, enum pin_kind kind,
    const char *namespace_name, const char *name);

/** Sends a mark: UP, DOWN, SYNCED, LIST_BEGIN, LIST_END. */
void pin_stage_mark(
    struct pin_stage *stage, uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind);

/** Sends LIST_BEGIN or LIST_END at stage->now_ms; `is_unproven` as in struct pin_delta. */
void pin_stage_list(struct pin_stage *stage, uint16_t cluster_id, enum pin_delta_op op,
    enum pin_kind kind, bool is_unproven);

/** Publishes what is dirty at stage->now_ms. */
void pin_stage_publish(struct pin_stage *stage);

/** Asks the question in stage->wire; its answer replaces it. Returns its length, 0 = silence. */
size_t pin_stage_ask(struct pin_stage *stage, const struct pin_stage_asker *asker, size_t bytes,
    enum pin_transport transport);

/** What the index shows that asker for a name (text) and type; NULL = nothing. */
const struct pin_table *pin_stage_table(const struct pin_stage *stage,
    const struct pin_stage_asker *asker, const char *name, uint16_t type);

/** Stores a verdict about an address under each of its checks; false when it is not probed. */
bool pin_stage_judge(
    struct pin_stage *stage, const struct pin_ip *ip, const struct pin_health_state *state);

/** How many addresses and checks are probed now: begun and not stopped. Takes the orders. */
size_t pin_stage_probes(struct pin_stage *stage);
