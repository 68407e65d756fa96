/* SPDX-License-Identifier: Apache-2.0 */

/* Anything as what an exec plugin prints, on both of its outputs. */

#include <stddef.h>
#include <stdint.h>

#include "fuzz/require.h"
#include "sync/command.h"
#include "sync/exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[] = "p";
    char version[] = "client.authentication.k8s.io/v1";
    const struct pin_exec exec = {.command = name, .api_version = version};
    const struct pin_command_result results[] = {
        {.out = (const char *)data, .out_bytes = size, .err = ""},
        {.code = 1, .out = "", .err = (const char *)data, .err_bytes = size},
    };
    for (size_t i = 0; i < 2; i++) {
        struct pin_credential credential = {0};
        struct pin_why why = {0};
        enum pin_err err = pin_exec_judge(&exec, &results[i], &credential, &why);
        require(err == PIN_OK || why.text[0] != '\0');
        require(err != PIN_OK || credential.token != NULL || credential.key.data != NULL);
        require((credential.key.data == NULL) == (credential.certificate.data == NULL));
        pin_credential_done(&credential);
    }
    return 0;
}
