/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes of a client of HTTP/1.1, as they come out of TLS: no fault, every question answered
 * once, what is held bounded. */

#include "fuzz/https.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_https(PIN_HTTPS_HTTP1, data, size);
    return 0;
}
