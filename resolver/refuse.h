/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file What is said on standard error when pintled does not start, and the exit codes for it. */

#include "resolver/app.h"
#include "resolver/config_findings.h"

/** Prints the findings and frees them. */
enum pin_exit pin_refuse_findings(struct pin_findings *findings);

/** Says how clusters can be named. */
enum pin_exit pin_refuse_no_clusters(void);
