/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a change of an object changes anything for others. */

#include "zones/same.h"

#include <string.h>

static bool are_same_zones(const struct pin_node_body *a, const struct pin_node_body *b)
{
    return a->zone == b->zone
           || (a->zone != NULL && b->zone != NULL && strcmp(a->zone, b->zone) == 0);
}

static bool are_same_prefixes(
    const struct pin_prefix *a, size_t n_a, const struct pin_prefix *b, size_t n_b)
{
    for (size_t i = 0; n_a == n_b && i < n_a; i++) {
        if (a[i].bits != b[i].bits || !pin_ip_equal(&a[i].ip, &b[i].ip)) {
            return false;
        }
    }
    return n_a == n_b;
}

bool pin_same_ranges(const struct pin_object *a, const struct pin_object *b)
{
    if (a->kind == PIN_KIND_SERVICE_CIDR) {
        return are_same_prefixes(a->as.service_cidr.ranges, a->as.service_cidr.n_ranges,
            b->as.service_cidr.ranges, b->as.service_cidr.n_ranges);
    }
    const struct pin_node_body *x = &a->as.node;
    const struct pin_node_body *y = &b->as.node;
    if (!are_same_zones(x, y) || x->n_addresses != y->n_addresses
        || !are_same_prefixes(x->pod_ranges, x->n_pod_ranges, y->pod_ranges, y->n_pod_ranges)) {
        return false;
    }
    for (size_t i = 0; i < x->n_addresses; i++) {
        if (!pin_ip_equal(&x->addresses[i], &y->addresses[i])) {
            return false;
        }
    }
    return true;
}

bool pin_same_gateway(const struct pin_object *a, const struct pin_object *b)
{
    const struct pin_gateway_body *x = &a->as.gateway;
    const struct pin_gateway_body *y = &b->as.gateway;
    bool is_same = a->written != NULL && b->written != NULL && a->written->generation != 0
                   && a->written->generation == b->written->generation
                   && x->n_addresses == y->n_addresses && x->n_hosts == y->n_hosts;
    for (size_t i = 0; is_same && i < x->n_addresses; i++) {
        is_same = pin_ip_equal(&x->addresses[i], &y->addresses[i]);
    }
    for (size_t i = 0; is_same && i < x->n_hosts; i++) {
        is_same = strcmp(x->hosts[i], y->hosts[i]) == 0;
    }
    return is_same;
}

bool pin_same_labels(const struct pin_object *a, const struct pin_object *b)
{
    const struct pin_namespace_body *x = &a->as.namespace_;
    const struct pin_namespace_body *y = &b->as.namespace_;
    for (size_t i = 0; x->n_labels == y->n_labels && i < x->n_labels; i++) {
        if (strcmp(x->labels[i], y->labels[i]) != 0) {
            return false;
        }
    }
    return x->n_labels == y->n_labels;
}
