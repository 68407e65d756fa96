/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * How metrics are written: the Prometheus text format, version 0.0.4.
 */

#include <stdint.h>

#include "pintle/base/text.h"

/** The two lines in front of a metric's samples. `type` is "counter", "gauge" and so on. */
void pin_metrics_family(
    struct pin_text *text, const char *name, const char *type, const char *help);

/** A metric that has one sample and no labels. */
void pin_metrics_single(
    struct pin_text *text, const char *name, const char *type, const char *help, uint64_t value);
