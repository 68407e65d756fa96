/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes are a PROXY header or none; a whole one has an address, and its beginnings want more.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/require.h"
#include "resolver/proxy.h"

#define HEADER_BYTES 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The verdict on the first `bytes` of data, in memory that ends there. */
static enum pin_proxy_verdict read_copy(
    const uint8_t *data, size_t bytes, struct pin_proxy *ret_proxy)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    require(copy != NULL);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    enum pin_proxy_verdict verdict = pin_proxy_read(copy, bytes, ret_proxy);
    free(copy);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_proxy proxy = {0};
    enum pin_proxy_verdict verdict = read_copy(data, size, &proxy);
    if (verdict == PIN_PROXY_BAD || verdict == PIN_PROXY_MORE) {
        require(verdict == PIN_PROXY_BAD || size < PIN_PROXY_MAX_BYTES);
        return 0;
    }
    require(pin_proxy_is_header(data, size));
    require(proxy.bytes >= HEADER_BYTES && proxy.bytes <= size);
    require(proxy.bytes <= PIN_PROXY_MAX_BYTES);
    sa_family_t family = proxy.source.any.sa_family;
    require(verdict == PIN_PROXY_OUTER || family == AF_INET || family == AF_INET6);
    struct pin_proxy shorter;
    require(read_copy(data, proxy.bytes - 1, &shorter) == PIN_PROXY_MORE);
    require(read_copy(data, proxy.bytes, &shorter) == verdict);
    return 0;
}
