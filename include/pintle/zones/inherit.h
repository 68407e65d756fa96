/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Inheritance: a catalog with other settings takes over what another one knows, so that a new
 * configuration is built beside the one that answers.
 *
 *     new settings -> pin_catalog_new -> inherit(old) -> publish -> [workers change over]
 *                                                                   -> release(old) -> free(old)
 *
 * Clusters are told apart by their ids: those that stay are mapped to what they are called now.
 * Objects, Pods, lists under way, drains, lookups and who writes are taken over; verdicts of probes
 * and the numbers of policies are shared until the old one is released. What follows from settings
 * is compiled anew. Builder's thread, all of it.
 */

#include "pintle/zones/catalog.h"

/**
 * Has `heir`, which is new and was not published, know what `old` knows. `old` can be read on as
 * it is, and takes no delta any more. What memory is out for is logged, and is lost until it is
 * listed again. Cost: a copy of all objects.
 *
 * @param ids  By id in `old`: the cluster's id in `heir`, or PIN_CLUSTER_NONE for one that goes.
 */
void pin_catalog_inherit(
    struct pin_catalog *heir, const struct pin_catalog *old, const uint16_t *ids);

/** The serial that a catalog after this one begins with, so that no zone's goes back. */
uint32_t pin_catalog_next_serial(const struct pin_catalog *catalog);

/** Lets go of what an heir shares, and leaves it the editions that transfers still read; then it
 * can be freed. No worker reads it any more, or pins an edition of it. */
void pin_catalog_release(struct pin_catalog *old, struct pin_catalog *heir);
