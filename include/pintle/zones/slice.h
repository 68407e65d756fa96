/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Slice: what a row of an EndpointSlice says. `row` is below body->n_endpoints in all of these;
 * texts are the object's own. Cost: nothing but the look.
 */

#include "pintle/zones/object.h"

/** The address. */
struct pin_ip pin_slice_ip(const struct pin_slice_body *body, size_t row);

/** The endpoint's hostname, or NULL. */
const char *pin_slice_hostname(const struct pin_slice_body *body, size_t row);

/** The topology zone it runs in, or NULL. */
const char *pin_slice_zone(const struct pin_slice_body *body, size_t row);

/** The zones its hints name, "a,b", or NULL. */
const char *pin_slice_hints(const struct pin_slice_body *body, size_t row);

/** Writes the name of the Pod behind it. False, and "" in `out`: there is none. */
bool pin_slice_pod(const struct pin_slice_body *body, size_t row, char out[PIN_POD_NAME_MAX]);
