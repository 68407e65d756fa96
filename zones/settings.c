/* SPDX-License-Identifier: Apache-2.0 */

/* Look-ups in the settings. */

#include "pintle/zones/settings.h"

#include <string.h>

uint16_t pin_settings_cluster(const struct pin_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n_clusters; i++) {
        if (strcmp(settings->clusters[i].name, name) == 0) {
            return (uint16_t)i;
        }
    }
    return PIN_CLUSTER_NONE;
}

bool pin_settings_records(const struct pin_settings *settings, enum pin_kind kind)
{
    for (size_t i = 0; i < settings->n_records; i++) {
        if ((settings->records[i].kinds >> kind & 1u) != 0) {
            return true;
        }
    }
    return false;
}
