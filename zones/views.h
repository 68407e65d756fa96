/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Views: the list behind the view ids (pintle/zones/view.h). Builder only.
 *
 * A view stays once it was made, with its id: names in the index speak of it.
 */

#include "zones/units.h"

/** Makes the views that the settings alone tell. False when memory is out. */
bool pin_views_init(struct pin_catalog *catalog);

/** Frees them. */
void pin_views_done(struct pin_catalog *catalog);

/** The view of a cluster's zone, made when it is new; the cluster's own without zone, or when there
 * are too many. */
uint16_t pin_views_zone(struct pin_catalog *catalog, uint16_t cluster_id, const char *zone);

/** What workers have to know of all views; the caller frees it. NULL when memory is out. */
struct pin_scene_view *pin_views_list(const struct pin_catalog *catalog);

/** Marks the units whose answers a view that was made since last time may change. */
void pin_views_touch(struct pin_catalog *catalog);
