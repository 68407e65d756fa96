/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * How metrics are written: the Prometheus text format, version 0.0.4.
 */

#include <stdint.h>

#include "pintle/base/text.h"
#include "pintle/zones/tally.h"

struct pin_jsonout;

/** The two lines in front of a metric's samples. `type` is "counter", "gauge" and so on. */
void pin_metrics_family(
    struct pin_text *text, const char *name, const char *type, const char *help);

/** A metric that has one sample and no labels. */
void pin_metrics_single(
    struct pin_text *text, const char *name, const char *type, const char *help, uint64_t value);

/** Appends a label's value, escaped. */
void pin_metrics_put_label(struct pin_text *text, const char *value);

/** The families of what stood first in the answers of routes. Any thread; cost as
 * pin_tally_read(). */
void pin_metrics_put_routes(struct pin_text *text, struct pin_tally *tally);

/** The same as the member "routes" of the object that is open. Any thread. */
void pin_routes_put_json(struct pin_jsonout *json, struct pin_tally *tally);
