/* SPDX-License-Identifier: Apache-2.0 */

/* Any text as a kubeconfig, its current context as a target; and the same text as cluster.yaml. */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/arena.h"
#include "pintle/sync/sync.h"

#include "sync/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct pin_kubeconfig *kubeconfig = NULL;
    struct pin_target *target = NULL;
    struct pin_cluster_file file;
    struct pin_why why = {0};
    /* Paths in the text lead below a directory that does not exist. */
    if (pin_kubeconfig_parse("/nonexistent/fuzz/config", text, size, &kubeconfig, &why) == PIN_OK) {
        if (pin_kubeconfig_target(kubeconfig, NULL, &target, &why) == PIN_OK) {
            pin_target_free(target);
        }
        pin_kubeconfig_free(kubeconfig);
    }
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)64 << 20);
    (void)pin_cluster_file_parse("cluster.yaml", text, size, arena, &file, &why);
    pin_arena_free(arena);
    return 0;
}
