/* SPDX-License-Identifier: Apache-2.0 */

/* Numbers for policy objects, so that workers can count by policy; one number for ever. */

#include <stdlib.h>
#include <string.h>

#include "zones/policy.h"

static bool is_labelled(
    const struct pin_policy_label *label, const char *cluster, const struct pin_object *object)
{
    return strcmp(label->cluster, cluster) == 0
           && strcmp(label->kind, pin_kind_text(object->kind)) == 0
           && strcmp(label->namespace_name, object->namespace_name) == 0
           && strcmp(label->name, object->name) == 0;
}

struct pin_policy_labels *pin_policy_labels_new(void)
{
    struct pin_policy_labels *labels = calloc(1, sizeof(*labels));
    if (labels != NULL) {
        labels->labels[0] = (struct pin_policy_label){
            .cluster = "", .kind = "other", .namespace_name = "", .name = ""};
        atomic_store(&labels->n, 1);
    }
    return labels;
}

void pin_policy_labels_free(struct pin_policy_labels *labels)
{
    for (uint32_t i = 1; labels != NULL && i < atomic_load(&labels->n); i++) {
        free(labels->labels[i].owned);
    }
    free(labels);
}

uint16_t pin_policy_slot(
    struct pin_policy_labels *labels, const char *cluster, const struct pin_object *object)
{
    uint32_t n = atomic_load_explicit(&labels->n, memory_order_relaxed);
    for (uint32_t i = 1; i < n; i++) {
        if (is_labelled(&labels->labels[i], cluster, object)) {
            return (uint16_t)i;
        }
    }
    size_t namespace_bytes = strlen(object->namespace_name) + 1;
    size_t name_bytes = strlen(object->name) + 1;
    size_t cluster_bytes = strlen(cluster) + 1; /* settings may go before the label */
    char *owned =
        n < PIN_POLICY_SLOTS ? malloc(namespace_bytes + name_bytes + cluster_bytes) : NULL;
    if (owned == NULL) {
        return 0;
    }
    memcpy(owned, object->namespace_name, namespace_bytes);
    memcpy(owned + namespace_bytes, object->name, name_bytes);
    memcpy(owned + namespace_bytes + name_bytes, cluster, cluster_bytes);
    labels->labels[n] = (struct pin_policy_label){.cluster = owned + namespace_bytes + name_bytes,
        .kind = pin_kind_text(object->kind),
        .namespace_name = owned,
        .name = owned + namespace_bytes,
        .owned = owned};
    atomic_store_explicit(&labels->n, n + 1, memory_order_release);
    return (uint16_t)n;
}
