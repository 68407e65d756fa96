/* SPDX-License-Identifier: Apache-2.0 */

#include "zones/held.h"

#include <string.h>

#define GROUP_BYTES 8u

/* As a group begins; in memory only, so in the machine's byte order. */
struct group {
    uint16_t cluster_id;
    uint8_t kind;
    uint8_t family;
    uint32_t n;
};

_Static_assert(sizeof(struct group) == GROUP_BYTES, "no padding");

static size_t ip_bytes(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static int compare_groups(const struct pin_held_address *a, const struct pin_held_address *b)
{
    int order = (a->cluster_id > b->cluster_id) - (a->cluster_id < b->cluster_id);
    if (order != 0) {
        return order;
    }
    order = (a->kind > b->kind) - (a->kind < b->kind);
    return order != 0 ? order : (a->ip.family > b->ip.family) - (a->ip.family < b->ip.family);
}

int pin_held_compare(const struct pin_held_address *a, const struct pin_held_address *b)
{
    int order = compare_groups(a, b);
    return order != 0 ? order : pin_ip_cmp(&a->ip, &b->ip);
}

bool pin_held_next(
    const struct pin_held_addresses *held, struct pin_held_at *at, struct pin_held_address *ret)
{
    if (at->n_left == 0) {
        struct group group;
        if (at->at >= held->n_bytes) {
            return false;
        }
        memcpy(&group, held->bytes + at->at, sizeof(group));
        at->at += sizeof(group);
        at->n_left = group.n;
        at->group = (struct pin_held_address){
            .ip.family = group.family, .kind = group.kind, .cluster_id = group.cluster_id};
    }
    *ret = at->group;
    memcpy(ret->ip.bytes, held->bytes + at->at, ip_bytes(ret->ip.family));
    at->at += ip_bytes(ret->ip.family);
    at->n_left--;
    return true;
}

size_t pin_held_bytes(const struct pin_held_address *addresses, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_first = i == 0 || compare_groups(&addresses[i - 1], &addresses[i]) != 0;
        bytes += (is_first ? GROUP_BYTES : 0) + ip_bytes(addresses[i].ip.family);
    }
    return bytes;
}

void pin_held_write(uint8_t *to, const struct pin_held_address *addresses, size_t n)
{
    size_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const struct pin_held_address *address = &addresses[i];
        if (i == end) {
            while (end < n && compare_groups(address, &addresses[end]) == 0) {
                end++;
            }
            struct group group = {.cluster_id = address->cluster_id,
                .kind = address->kind,
                .family = address->ip.family,
                .n = (uint32_t)(end - i)};
            memcpy(to, &group, sizeof(group));
            to += sizeof(group);
        }
        memcpy(to, address->ip.bytes, ip_bytes(address->ip.family));
        to += ip_bytes(address->ip.family);
    }
}
