/* SPDX-License-Identifier: Apache-2.0 */

/* What trusted forwarders say about the asker: its address and its namespace. */

#include "asker.h"

#include <string.h>

#define ECS_HEAD_BYTES 4u /* family, source prefix length, scope prefix length */
#define ECS_FAMILY_AT  1u
#define ECS_FAMILY_V6  2u
#define MAPPED_BITS    96u
/* Stretches of one answer each that a prefix may have before it counts as nobody's. */
#define STRETCHES_MAX 256u

/* The option's network; an IPv4-mapped one is IPv4, as it is in source addresses. */
static struct pin_prefix read_prefix(const uint8_t *option, size_t bytes)
{
    static const uint8_t mapped[MAPPED_BITS / 8] = {[10] = 0xFF, [11] = 0xFF};
    uint8_t address[16] = {0};
    uint8_t bits = option[2];
    bool is_v6 = option[1] == ECS_FAMILY_V6;
    memcpy(address, option + ECS_HEAD_BYTES, bytes - ECS_HEAD_BYTES);
    if (is_v6 && bits >= MAPPED_BITS && memcmp(address, mapped, sizeof(mapped)) == 0) {
        struct pin_ip v4 = pin_ip_from_bytes(address + sizeof(mapped), 4);
        return pin_prefix_of(&v4, (uint8_t)(bits - MAPPED_BITS));
    }
    struct pin_ip ip = pin_ip_from_bytes(address, is_v6 ? 6 : 4);
    return pin_prefix_of(&ip, bits);
}

bool pin_is_forwarder(const struct pin_scene *scene, const struct pin_ip *sender)
{
    return pin_lpm_find(scene->forwarders, sender) != PIN_LPM_NONE;
}

bool pin_vouched_read(const struct pin_scene *scene, const struct pin_ip *sender,
    const struct pin_query *query, const uint8_t *wire, struct pin_vouched *ret_vouched)
{
    if (query->ecs.bytes == 0 || !pin_is_forwarder(scene, sender)) {
        return false;
    }
    ret_vouched->prefix = read_prefix(query->ecs_copy, query->ecs.bytes);
    ret_vouched->namespace_bytes = (uint8_t)query->client_namespace.bytes;
    memcpy(ret_vouched->namespace_name, wire + query->client_namespace.at,
        query->client_namespace.bytes);
    return true;
}

/* The last address of a prefix. */
static struct pin_ip last_address(const struct pin_prefix *prefix)
{
    struct pin_ip last = prefix->ip;
    unsigned n_bits = last.family == 4 ? 32 : 128;
    for (unsigned bit = prefix->bits; bit < n_bits; bit++) {
        last.bytes[bit / 8] = (uint8_t)(last.bytes[bit / 8] | 0x80u >> bit % 8);
    }
    return last;
}

/* The address behind one that is not the last of its family. */
static struct pin_ip next_address(struct pin_ip ip)
{
    size_t i = ip.family == 4 ? 4 : 16;
    while (i > 0 && ++ip.bytes[i - 1] == 0) {
        i--;
    }
    return ip;
}

/* Whether all of the prefix is the cluster's: between its ends there may be ranges of others. */
static bool is_all_of(
    const struct pin_scene *scene, const struct pin_prefix *prefix, uint16_t cluster_id)
{
    struct pin_ip last = last_address(prefix);
    struct pin_prefix stretch = {.ip = prefix->ip};
    for (unsigned i = 0; i < STRETCHES_MAX; i++) {
        if (pin_scene_asker(scene, &stretch.ip).cluster_id != cluster_id) {
            return false;
        }
        stretch.bits = pin_lpm_scope(scene->ranges, &stretch.ip);
        if (stretch.bits <= prefix->bits) {
            return true;
        }
        stretch.ip = last_address(&stretch);
        if (pin_ip_equal(&stretch.ip, &last)) {
            return true;
        }
        stretch.ip = next_address(stretch.ip);
    }
    return false;
}

struct pin_asker pin_vouched_asker(const struct pin_scene *scene, const struct pin_vouched *vouched)
{
    if (vouched->prefix.bits == 0) {
        return pin_scene_nobody(
            scene); /* the asker wants to stay unknown (RFC 7871, section 7.1.2) */
    }
    struct pin_asker asker = pin_scene_asker(scene, &vouched->prefix.ip);
    if (!is_all_of(scene, &vouched->prefix, asker.cluster_id)) {
        asker.cluster_id = PIN_CLUSTER_NONE;
    }
    return asker;
}

#define KEY_V6_BITS 64u

uint64_t pin_asker_key(const struct pin_ip *sender, const struct pin_vouched *vouched)
{
    bool is_told = vouched != NULL && vouched->prefix.bits > 0;
    const struct pin_ip *ip = is_told ? &vouched->prefix.ip : sender;
    /* No seeded hash: every Pintle, and this one when it is started again, says the same. */
    uint64_t key = ip->family;
    for (size_t i = 0; i < (ip->family == 4 ? 4 : KEY_V6_BITS / 8); i++) {
        key = (key ^ ip->bytes[i]) * UINT64_C(0x100000001B3); /* FNV-1a */
    }
    return key;
}

uint8_t pin_asker_key_scope(const struct pin_vouched *vouched, const struct pin_query *query)
{
    uint8_t sent = query->ecs_copy[PIN_ECS_SOURCE_AT];
    return vouched->prefix.ip.family == 6 && sent > KEY_V6_BITS ? (uint8_t)KEY_V6_BITS : sent;
}

uint8_t pin_vouched_scope(
    const struct pin_scene *scene, const struct pin_vouched *vouched, const struct pin_query *query)
{
    if (vouched->prefix.bits == 0) {
        return 0; /* nothing was told (RFC 7871, section 7.1.2) */
    }
    bool is_mapped =
        query->ecs_copy[ECS_FAMILY_AT] == ECS_FAMILY_V6 && vouched->prefix.ip.family == 4;
    uint8_t bits = pin_scene_scope(scene, &vouched->prefix.ip);
    return is_mapped ? (uint8_t)(bits + MAPPED_BITS) : bits;
}

void pin_asker_find_namespace(const struct pin_pods *pods, struct pin_policy_asker *asker)
{
    if (!pin_prefix_is_one(&asker->address)) {
        return;
    }
    struct pin_pods_found found = pin_pods_find(pods, &asker->address.ip, asker->cluster_id);
    if (found.is_known) {
        asker->namespace_bytes = found.namespace_bytes;
        asker->namespace_name = found.namespace_name;
    }
}
