/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * RFC 2136 provider: any DNS server that lets zones be transferred and updated.
 *
 * Reads by AXFR, or by IXFR when the zone is known already; writes by UPDATE with a prerequisite
 * for each change. All over TCP, signed with TSIG when there is a key; an answer that is not signed
 * then is no answer. The key is read anew for each call, so a new one needs no restart.
 */

#include "pintle/sync/providers.h"

#include "provider.h"

/**
 * Opens a provider. The secret's file may come later: calls tell when it is not there.
 *
 * @return PIN_OK, PIN_EINVAL (no server, a key without a file, a name that is none), PIN_ENOMEM.
 */
enum pin_err pin_rfc2136_open(const struct pin_provider_tools *tools,
    const struct pin_rfc2136_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why);
