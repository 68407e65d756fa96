/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Limits that the system puts on the process. */

/** Allows as many open descriptors as may be: each cluster and each TCP client costs some. */
void pin_limits_raise(void);
