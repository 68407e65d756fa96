/* SPDX-License-Identifier: Apache-2.0 */

/* Settings of `compat`, by the words of a scenario. */

#include "support/compat.h"

#include <stddef.h>
#include <string.h>

#include "pintle/base/macros.h"

bool pin_compat_set(struct pin_settings *settings, const char *key, const char *word)
{
    const struct {
        const char *key;
        const char *word;
        bool *field;
    } switches[] = {
        {"emptyService", "nxdomain", &settings->is_empty_service_nxdomain},
        {"headlessEmpty", "nodata", &settings->is_headless_empty_nodata},
        {"zeroWeight", "standby", &settings->is_zero_weight_standby},
        {"emptyBackend", "nodata", &settings->is_empty_backend_nodata},
        {"ptr", "false", &settings->is_ptr_off},
        {"filterFamilies", "true", &settings->filters_families},
        {"lighthouse", "true", &settings->is_lighthouse},
        {"extensions", "false", &settings->is_extensions_off},
    };
    for (size_t i = 0; i < N_ELEMS(switches); i++) {
        if (strcmp(key, switches[i].key) == 0 && strcmp(word, switches[i].word) == 0) {
            *switches[i].field = true;
            return true;
        }
    }
    bool is_set_version = strcmp(key, "clusterSetVersion") == 0;
    if (is_set_version) {
        settings->version_cluster_set = word;
    } else if (strcmp(key, "clusterVersion") == 0) {
        settings->version_cluster = word;
        is_set_version = true;
    }
    return is_set_version;
}
