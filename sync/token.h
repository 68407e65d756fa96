/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a bearer token says of itself.
 */

#include <stdint.h>

/**
 * When a token ends, by the claim `exp` of a JSON Web Token (RFC 7519), which is what API servers
 * give to service accounts. Its signature is not looked at: the server does that.
 *
 * @param token  Any text.
 * @return Wall clock in ms; 0: it is no such token, or does not say.
 */
int64_t pin_token_end(const char *token);
