/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A small world to ask questions about: an index and a scene made through the zones' own API,
 * without clusters behind it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/catalog.h"

#include "zones/tables.h"

/** Clusters of the world's scene; cluster i has the addresses 10.i.0.0/16. */
#define WORLD_CLUSTERS 3u

/** Opaque to tests but for what workers read. */
struct world {
    struct pin_live live;
    struct pin_slots slots;
};

/**
 * Makes the world of the tests. The calling thread becomes an RCU reader, online.
 *
 *     t.example                SOA, NS ns1 and ns2 below it; not synced from clusters
 *       www                    A 192.0.2.1
 *       big                    TXT, 20 RRs of 100 bytes
 *       a.b.ent                A 192.0.2.2
 *       four                   A and AAAA, 4 equal addresses, data of clusters 0 and 1
 *       split                  A, weights 10 and 90
 *       many                   A, 16 of 40 equal addresses at a time
 *       whole                  A, 100 addresses that all belong in; AAAA likewise, 30
 *       local                  A 10.0.0.1 for cluster 0, nothing for cluster 1, 10.9.9.9 for others
 *       stuck                  A, sticky: 10 equal addresses; stuck-1000 has 1000, stuck-weights
 *                              1000 with weights 1 to 9
 *       srv                    SRV, 2 targets with addresses for the additional section
 *       srvs                   SRV, 1000 targets with addresses
 *       alias                  CNAME to WWW.t.example
 *       far                    CNAME to elsewhere.test
 *       dangling               CNAME to nothing.t.example
 *       loop                   CNAME to itself
 *       *.wild                 TXT
 *       <255 octets>           A, and 16 of 40 AAAA; world_longest
 *     svc.test                 the same way, synced from clusters: x A; x.y A, two labels
 */
struct world *world_new(void);

/** Frees it; the thread is no RCU reader afterwards. */
void world_free(struct world *world);

/** Replaces the scene. `down` is one bit per cluster. */
void world_set_scene(struct world *world, bool is_ready, bool has_unseen, uint8_t down);

/** Name of 255 octets below t.example that exists. */
extern const char *const world_longest;
/** Name of 127 labels, which fill 255 octets; in no zone of the world. */
extern const char *const world_deepest;

/** Replaces four.t.example: its addresses are 10.<net>.0.1 to .4 from now on. */
void world_move_four(struct world *world, uint8_t net);

/** Fills the world with `n` names a-<i>.t.example of 4 addresses each. */
void world_add_names(struct world *world, unsigned n);
