/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever gives AWS credentials: there are two keys that are not empty, or none. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/require.h"
#include "sync/aws_credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct pin_aws_credentials *keys, bool is_ok)
{
    require(is_ok == (keys->access_key != NULL) && is_ok == (keys->secret_key != NULL));
    require(!is_ok || (keys->access_key[0] != '\0' && keys->secret_key[0] != '\0'));
    pin_aws_credentials_done(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum pin_aws_step steps[] = {
        PIN_AWS_STS, PIN_AWS_CONTAINER, PIN_AWS_IMDS_TOKEN, PIN_AWS_IMDS_ROLE, PIN_AWS_IMDS_KEYS};
    struct pin_aws_credentials keys = {0};
    const char *text = (const char *)data;
    char *copy = malloc(size + 1);
    require(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    look(&keys, pin_aws_read_profile(copy, "default", &keys));
    look(&keys, pin_aws_read_json(text, size, &keys, NULL) == PIN_OK);
    look(&keys, pin_aws_read_sts(text, size, &keys, NULL) == PIN_OK);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct pin_aws_fetch fetch = {.region = "r", .step = steps[i]};
        (void)pin_aws_fetch_answer(&fetch, &keys, 200, text, size, NULL);
        require(fetch.token == NULL || strpbrk(fetch.token, "\r\n /?#") == NULL);
        require(fetch.role == NULL || strpbrk(fetch.role, "\r\n /?#") == NULL);
        pin_aws_fetch_reset(&fetch);
        pin_aws_credentials_done(&keys);
    }
    free(copy);
    return 0;
}
