/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * PowerDNS: zones of a PowerDNS Authoritative Server, through its HTTP API.
 *
 * A zone is read whole, as a stream that is cut into sets; its serial is not trusted as a sign of
 * change, for API changes need not raise it. A PATCH is one transaction; sets are replaced or
 * deleted whole, their comments stay. The API knows no preconditions: what stands in a listing may
 * be changed by somebody else until the change is sent.
 */

#include "pintle/sync/providers.h"

#include "provider.h"

/**
 * Opens a provider; nothing is asked yet.
 * @return PIN_OK, PIN_EINVAL, PIN_ENOMEM, or why the CA cannot be read.
 */
enum pin_err pin_powerdns_open(const struct pin_provider_tools *tools,
    const struct pin_powerdns_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why);
