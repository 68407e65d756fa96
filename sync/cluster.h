/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Cluster: what others say about a member cluster in its words.
 */

#include "http.h"

/** What to do about a fault; "" when nothing can be said. Static. */
const char *pin_cluster_fault_hint(enum pin_http_fault fault);
