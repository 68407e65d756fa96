/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Zone files: zones kept as DIR/ZONE.zone, for people who publish by git or by a server that reads
 * files.
 *
 * A file is ours whole (sync/zonesheet.h): one that Pintle did not write is refused and stays as it
 * is. It is replaced at once or not at all, only when a record differs, and its serial grows by one
 * then. Files are read and written by a thread of each call, so a slow disk holds up nothing;
 * cancelling and closing wait for that thread.
 */

#include "pintle/sync/providers.h"

#include "provider.h"

/** Opens a provider. PIN_OK, PIN_EINVAL for what is no name, PIN_ENOMEM. */
enum pin_err pin_provider_zonefile_open(const struct pin_provider_tools *tools,
    const struct pin_provider_zonefile *settings, struct pin_provider **ret_provider,
    struct pin_why *why);
