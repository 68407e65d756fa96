/* SPDX-License-Identifier: Apache-2.0 */

/* Anything as a bearer token. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/require.h"
#include "sync/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *token = malloc(size + 1);
    require(token != NULL);
    if (size > 0) {
        memcpy(token, data, size);
    }
    token[size] = '\0';
    require(pin_token_end(token) >= 0);
    free(token);
    return 0;
}
