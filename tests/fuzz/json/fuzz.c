/* SPDX-License-Identifier: Apache-2.0 */

/* Any text: JSON parses within its limits or explains itself, and the tree hangs together. */

#include "pintle/base/json.h"

#include "fuzz/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    pin_fuzz_tree(pin_json_parse, data, bytes, false);
    return 0;
}
