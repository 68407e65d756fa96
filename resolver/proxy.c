/* SPDX-License-Identifier: Apache-2.0 */

/* Reads PROXY headers, version 2. */

#include "proxy.h"

#include <string.h>

#include "pintle/base/macros.h"

#define HEADER_BYTES 16u /* up to the addresses */
#define COMMAND_AT   12u
#define FAMILY_AT    13u
#define LENGTH_AT    14u

#define VERSION_2     0x2u
#define COMMAND_LOCAL 0x0u
#define COMMAND_PROXY 0x1u

#define FAMILY_UNSPECIFIED 0x0u
#define FAMILY_V4          0x1u
#define FAMILY_V6          0x2u
#define TRANSPORT_DGRAM    0x2u /* the largest; streams are 1, unspecified is 0 */

#define V4_BYTES 4u
#define V6_BYTES 16u

static const uint8_t signature[PIN_PROXY_SIGNATURE_BYTES] = {
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

bool pin_proxy_is_header(const uint8_t *from, size_t bytes)
{
    return bytes >= sizeof(signature) && from[0] == signature[0]
           && memcmp(from, signature, sizeof(signature)) == 0;
}

bool pin_proxy_is_trusted(const struct pin_proxy_trust *trust, const struct pin_ip *peer)
{
    for (size_t i = 0; i < trust->n; i++) {
        if (pin_prefix_has(&trust->prefixes[i], peer)) {
            return true;
        }
    }
    return false;
}

static uint16_t u16_at(const uint8_t *at)
{
    return (uint16_t)((uint16_t)(at[0] << 8) | at[1]);
}

/* Both addresses, then both ports. False: the header is too short for them. */
static bool read_v4(const uint8_t *at, size_t bytes, union pin_proxy_peer *ret_source)
{
    if (bytes < 2 * (sizeof(uint32_t) + sizeof(uint16_t))) {
        return false;
    }
    ret_source->v4.sin_family = AF_INET;
    memcpy(&ret_source->v4.sin_addr, at, V4_BYTES);
    memcpy(&ret_source->v4.sin_port, at + 2 * (size_t)V4_BYTES, sizeof(uint16_t));
    return true;
}

static bool read_v6(const uint8_t *at, size_t bytes, union pin_proxy_peer *ret_source)
{
    if (bytes < 2 * (sizeof(struct in6_addr) + sizeof(uint16_t))) {
        return false;
    }
    ret_source->v6.sin6_family = AF_INET6;
    memcpy(&ret_source->v6.sin6_addr, at, V6_BYTES);
    memcpy(&ret_source->v6.sin6_port, at + 2 * (size_t)V6_BYTES, sizeof(uint16_t));
    return true;
}

/* Reads who asks from a whole header. */
static enum pin_proxy_verdict read_source(
    const uint8_t *from, size_t length, union pin_proxy_peer *ret_source)
{
    unsigned family = from[FAMILY_AT] >> 4;
    unsigned transport = from[FAMILY_AT] & 0x0Fu;
    const uint8_t *addresses = from + HEADER_BYTES;
    if (transport > TRANSPORT_DGRAM) {
        return PIN_PROXY_BAD;
    }
    switch (family) {
    case FAMILY_UNSPECIFIED:
        return PIN_PROXY_OUTER;
    case FAMILY_V4:
        return read_v4(addresses, length, ret_source) ? PIN_PROXY_INNER : PIN_PROXY_BAD;
    case FAMILY_V6:
        return read_v6(addresses, length, ret_source) ? PIN_PROXY_INNER : PIN_PROXY_BAD;
    default:
        return PIN_PROXY_BAD; /* whoever asks through a Unix socket has no address here */
    }
}

enum pin_proxy_verdict pin_proxy_read(
    const uint8_t *from, size_t bytes, struct pin_proxy *ret_proxy)
{
    if (bytes > 0 && memcmp(from, signature, PIN_MIN(bytes, sizeof(signature))) != 0) {
        return PIN_PROXY_BAD;
    }
    if (bytes < HEADER_BYTES) {
        return PIN_PROXY_MORE;
    }
    unsigned command = from[COMMAND_AT] & 0x0Fu;
    size_t length = u16_at(from + LENGTH_AT);
    if (from[COMMAND_AT] >> 4 != VERSION_2 || command > COMMAND_PROXY
        || HEADER_BYTES + length > PIN_PROXY_MAX_BYTES) {
        return PIN_PROXY_BAD;
    }
    if (bytes - HEADER_BYTES < length) {
        return PIN_PROXY_MORE;
    }
    memset(ret_proxy, 0, sizeof(*ret_proxy));
    ret_proxy->bytes = HEADER_BYTES + length;
    return command == COMMAND_LOCAL ? PIN_PROXY_OUTER
                                    : read_source(from, length, &ret_proxy->source);
}
