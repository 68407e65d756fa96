/* SPDX-License-Identifier: Apache-2.0 */

/* Address -> names: the table behind PTR records and pod names, and the zones that it answers. */

#include "pintle/zones/reverse.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/zones/parts.h"

#define FIRST_BUCKETS 256
/* One name in an entry: cluster id, kind, length, labels. */
#define NAME_HEAD_BYTES 4u
#define LABELS_MAX      128
#define V4_SUFFIX       "\007in-addr\004arpa"
#define V6_SUFFIX       "\003ip6\004arpa"

static const uint8_t svc_label[] = {3, 's', 'v', 'c'};

static struct pin_address *address_of(struct pin_rcu_node *link)
{
    return container_of(link, struct pin_address, link);
}

static int match_ip(struct pin_rcu_node *link, const void *arg)
{
    const struct pin_ip *ip = arg;
    return pin_ip_equal(&address_of(link)->ip, ip);
}

static uint64_t hash_ip(const struct pin_ip *ip)
{
    return pin_hash64(ip->bytes, ip->family == 4 ? 4 : 16);
}

static struct pin_address *find(const struct pin_reverse *reverse, const struct pin_ip *ip)
{
    struct pin_rcu_node *link = pin_rcu_table_find(reverse->addresses, hash_ip(ip), match_ip, ip);
    return link != NULL ? address_of(link) : NULL;
}

const struct pin_address *pin_reverse_find(
    const struct pin_reverse *reverse, const struct pin_ip *ip)
{
    return find(reverse, ip);
}

bool pin_address_next(const struct pin_address *address, size_t *at, struct pin_reverse_name *ret)
{
    if (*at >= address->bytes) {
        return false;
    }
    const uint8_t *from = address->names + *at;
    *ret = (struct pin_reverse_name){.cluster_id = pin_get_be16(from),
        .kind = from[2],
        .bytes = from[3],
        .labels = from + NAME_HEAD_BYTES};
    *at += NAME_HEAD_BYTES + ret->bytes;
    return true;
}

/* --- one name more or less ------------------------------------------------------------------- */

/* What follows the host label of an endpoint; all of it for others. */
static size_t service_at(const struct pin_reverse_name *name)
{
    return name->kind == PIN_REVERSE_ENDPOINT ? (size_t)name->labels[0] + 1 : 0;
}

/* Whether both are what one service calls the address in one way. */
static bool is_same_place(const struct pin_reverse_name *a, const struct pin_reverse_name *b)
{
    size_t a_at = service_at(a);
    size_t b_at = service_at(b);
    return a->kind == b->kind && a->cluster_id == b->cluster_id
           && a->bytes - a_at == b->bytes - b_at
           && memcmp(a->labels + a_at, b->labels + b_at, a->bytes - a_at) == 0;
}

static bool is_same_name(const struct pin_reverse_name *a, const struct pin_reverse_name *b)
{
    return a->bytes == b->bytes && memcmp(a->labels, b->labels, a->bytes) == 0;
}

/* An order that does not depend on the order of arrival. */
static bool is_before(const struct pin_reverse_name *a, const struct pin_reverse_name *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind;
    }
    int order = memcmp(a->labels, b->labels, PIN_MIN(a->bytes, b->bytes));
    order = order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
    return order != 0 ? order < 0 : a->cluster_id < b->cluster_id;
}

static void append(struct pin_address *address, const struct pin_reverse_name *name)
{
    uint8_t *to = address->names + address->bytes;
    to[0] = (uint8_t)(name->cluster_id >> 8);
    to[1] = (uint8_t)name->cluster_id;
    to[2] = name->kind;
    to[3] = name->bytes;
    memcpy(to + NAME_HEAD_BYTES, name->labels, name->bytes);
    address->bytes += NAME_HEAD_BYTES + name->bytes;
    address->n_names++;
}

static size_t entry_bytes(const struct pin_address *address)
{
    return sizeof(*address) + address->bytes;
}

static void free_address(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_address, rcu));
}

static void retire(struct pin_reverse *reverse, struct pin_rcu_node *link)
{
    if (link != NULL) {
        struct pin_address *address = address_of(link);
        reverse->bytes -= entry_bytes(address);
        pin_rcu_defer(&address->rcu, free_address);
    }
}

/* Copies an entry (NULL: none) without the name in that place, with the new one where it belongs.
 */
static struct pin_address *copy_with(const struct pin_address *old, const struct pin_ip *ip,
    const struct pin_reverse_name *name, bool is_there)
{
    size_t at = 0;
    struct pin_reverse_name other;
    struct pin_address *address =
        malloc(sizeof(*address) + (old != NULL ? old->bytes : 0) + NAME_HEAD_BYTES + name->bytes);
    if (address == NULL) {
        return NULL;
    }
    memset(address, 0, sizeof(*address));
    address->ip = *ip;
    while (old != NULL && pin_address_next(old, &at, &other)) {
        if (is_same_place(&other, name)) {
            continue;
        }
        if (is_there && is_before(name, &other)) {
            append(address, name);
            is_there = false;
        }
        append(address, &other);
    }
    if (is_there) {
        append(address, name);
    }
    return address;
}

/* The name in the same place; false when there is none. */
static bool find_place(const struct pin_address *address, const struct pin_reverse_name *name,
    struct pin_reverse_name *ret)
{
    size_t at = 0;
    while (address != NULL && pin_address_next(address, &at, ret)) {
        if (is_same_place(ret, name)) {
            return true;
        }
    }
    return false;
}

bool pin_reverse_set(struct pin_reverse *reverse, const struct pin_ip *ip,
    const struct pin_reverse_name *name, bool is_there)
{
    struct pin_address *old = find(reverse, ip);
    struct pin_reverse_name known;
    bool is_known = find_place(old, name, &known);
    if (is_known == is_there && (!is_there || is_same_name(&known, name))) {
        return true;
    }
    if (is_there && old != NULL && old->n_names == UINT16_MAX) {
        return false;
    }
    struct pin_address *address =
        pin_rcu_table_reserve(reverse->addresses) ? copy_with(old, ip, name, is_there) : NULL;
    if (address == NULL) {
        return false;
    }
    atomic_fetch_add_explicit(&reverse->serial, 1, memory_order_relaxed);
    if (address->n_names == 0) {
        free(address);
        retire(reverse, pin_rcu_table_remove(reverse->addresses, hash_ip(ip), match_ip, ip));
        return true;
    }
    reverse->bytes += entry_bytes(address);
    retire(reverse, pin_rcu_table_replace(
                        reverse->addresses, hash_ip(ip), match_ip, &address->ip, &address->link));
    return true;
}

/* --- names and zones -------------------------------------------------------------------------- */

bool pin_reverse_target(const struct pin_reverse *reverse, const struct pin_reverse_name *name,
    bool is_own, struct pin_name *ret_name)
{
    const struct pin_zone *zone = is_own ? reverse->own
                                  : name->kind == PIN_REVERSE_CLUSTER_SET
                                      ? reverse->cluster_set
                                      : reverse->zone_of_cluster[name->cluster_id];
    size_t bytes = (size_t)name->bytes + sizeof(svc_label) + zone->apex.bytes;
    if (bytes > PIN_NAME_MAX_BYTES) {
        return false;
    }
    memcpy(ret_name->wire, name->labels, name->bytes);
    memcpy(ret_name->wire + name->bytes, svc_label, sizeof(svc_label));
    memcpy(ret_name->wire + name->bytes + sizeof(svc_label), zone->apex.wire, zone->apex.bytes);
    ret_name->bytes = (uint8_t)bytes;
    return true;
}

/* Whether the address is a known endpoint of that cluster in the namespace, a wire label. */
static bool is_endpoint_in(
    const struct pin_address *address, uint16_t cluster_id, const uint8_t *namespace_label)
{
    struct pin_reverse_name name;
    size_t at = 0;
    size_t bytes = (size_t)namespace_label[0] + 1;
    while (address != NULL && pin_address_next(address, &at, &name)) {
        if (name.kind != PIN_REVERSE_ENDPOINT || name.cluster_id != cluster_id) {
            continue;
        }
        const uint8_t *service = name.labels + name.labels[0] + 1;
        const uint8_t *namespace_name = service + service[0] + 1;
        if (namespace_name[0] == namespace_label[0]
            && memcmp(namespace_name, namespace_label, bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the namespace has a Service in the cluster's zone: "<ns>.svc.<zone>" is a node then. */
static bool has_namespace(
    const struct pin_index *index, const struct pin_zone *zone, const uint8_t *namespace_label)
{
    uint8_t name[PIN_LABEL_MAX_BYTES + 1 + sizeof(svc_label) + PIN_NAME_MAX_BYTES];
    size_t bytes = (size_t)namespace_label[0] + 1;
    memcpy(name, namespace_label, bytes);
    memcpy(name + bytes, svc_label, sizeof(svc_label));
    memcpy(name + bytes + sizeof(svc_label), zone->apex.wire, zone->apex.bytes);
    bytes += sizeof(svc_label) + zone->apex.bytes;
    return bytes <= PIN_NAME_MAX_BYTES && pin_index_find(index, name, bytes) != NULL;
}

enum pin_pod pin_reverse_pod(const struct pin_reverse *reverse, const struct pin_index *index,
    const uint8_t *labels, size_t bytes, uint16_t cluster_id, struct pin_ip *ret_ip)
{
    size_t next_at = (size_t)labels[0] + 1;
    if (cluster_id == PIN_CLUSTER_NONE) {
        return PIN_POD_NONE;
    }
    if (next_at == bytes) {
        return has_namespace(index, reverse->zone_of_cluster[cluster_id], labels)
                   ? PIN_POD_NAMESPACE
                   : PIN_POD_NONE;
    }
    const uint8_t *namespace_label = labels + next_at;
    bool is_pod = next_at + namespace_label[0] + 1 == bytes
                  && pin_ip_from_dashed((const char *)labels + 1, labels[0], ret_ip)
                  && is_endpoint_in(pin_reverse_find(reverse, ret_ip), cluster_id, namespace_label);
    return is_pod ? PIN_POD_ADDRESS : PIN_POD_NONE;
}

/* Whether the parent's name is that of the endpoint's service, behind its cluster's in the
 * clusterset zone. */
static bool is_parent(const struct pin_reverse *reverse, const struct pin_node *parent,
    const struct pin_reverse_name *name)
{
    const uint8_t *at = parent->name;
    const uint8_t *service = name->labels + name->labels[0] + 1;
    size_t bytes = (size_t)name->bytes - name->labels[0] - 1;
    if (parent->zone->cluster_id == PIN_CLUSTER_NONE) {
        const char *cluster = reverse->settings->clusters[name->cluster_id].name;
        if (strlen(cluster) != at[0] || memcmp(cluster, at + 1, at[0]) != 0) {
            return false;
        }
        at += at[0] + 1;
    } else if (parent->zone->cluster_id != name->cluster_id) {
        return false;
    }
    size_t left = parent->name_bytes - (size_t)(at - parent->name);
    return left == bytes + sizeof(svc_label) + parent->zone->apex.bytes
           && memcmp(at, service, bytes) == 0;
}

bool pin_reverse_dashed(const struct pin_reverse *reverse, const uint8_t *label,
    const struct pin_node *parent, struct pin_dashed *ret)
{
    struct pin_ip ip;
    struct pin_reverse_name name;
    size_t at = 0;
    if (!pin_ip_from_dashed((const char *)label + 1, label[0], &ip)) {
        return false;
    }
    const struct pin_address *address = find(reverse, &ip);
    while (address != NULL && pin_address_next(address, &at, &name)) {
        if (name.kind == PIN_REVERSE_ENDPOINT && name.labels[0] == label[0]
            && memcmp(name.labels + 1, label + 1, label[0]) == 0
            && is_parent(reverse, parent, &name)) {
            const struct pin_table *parts = pin_node_rrset(parent, PIN_TYPE_PARTS)->base;
            *ret = (struct pin_dashed){.address = address,
                .cluster_id = name.cluster_id,
                .ttl_s = pin_parts_ttl_s(parts->wire)};
            return true;
        }
    }
    return false;
}

/* The value of a label of one to three decimal digits without a leading zero; -1: it is none. */
static int octet(const uint8_t *label)
{
    int value = 0;
    if (label[0] == 0 || label[0] > 3 || (label[0] > 1 && label[1] == '0')) {
        return -1;
    }
    for (uint8_t i = 1; i <= label[0]; i++) {
        if (label[i] < '0' || label[i] > '9') {
            return -1;
        }
        value = 10 * value + (label[i] - '0');
    }
    return value <= UINT8_MAX ? value : -1;
}

/* The value of a label of one hexadecimal digit; -1: it is none. */
static int nibble(const uint8_t *label)
{
    bool is_digit = label[1] >= '0' && label[1] <= '9';
    bool is_letter = label[1] >= 'a' && label[1] <= 'f';
    if (label[0] != 1 || (!is_digit && !is_letter)) {
        return -1;
    }
    return is_digit ? label[1] - '0' : label[1] - 'a' + 10;
}

static bool has_suffix(const uint8_t *wire, size_t bytes, const char *suffix, size_t suffix_bytes)
{
    return bytes > suffix_bytes && memcmp(wire + bytes - suffix_bytes, suffix, suffix_bytes) == 0;
}

/* Offsets of the labels in front of the suffix; returns how many. */
static size_t split(const uint8_t *wire, size_t end, uint8_t *at)
{
    size_t n = 0;
    for (size_t i = 0; i < end && n < LABELS_MAX; i += (size_t)wire[i] + 1) {
        at[n++] = (uint8_t)i;
    }
    return n;
}

/* Reads labels from the right into an address; returns how many are part of one. */
static size_t read_prefix(
    const uint8_t *wire, const uint8_t *at, size_t n, struct pin_prefix *ret_prefix)
{
    bool is_v4 = ret_prefix->ip.family == 4;
    size_t n_max = is_v4 ? 4 : 32;
    size_t n_read = 0;
    while (n_read < n && n_read < n_max) {
        const uint8_t *label = wire + at[n - 1 - n_read];
        int value = is_v4 ? octet(label) : nibble(label);
        if (value < 0) {
            break;
        }
        size_t byte = is_v4 ? n_read : n_read / 2;
        unsigned shift = is_v4 || n_read % 2 == 1 ? 0 : 4;
        ret_prefix->ip.bytes[byte] =
            (uint8_t)(ret_prefix->ip.bytes[byte] | (unsigned)value << shift);
        n_read++;
    }
    ret_prefix->bits = (uint8_t)(n_read * (is_v4 ? 8u : 4u));
    return n_read;
}

bool pin_reverse_parse(const struct pin_lpm *ranges, const uint8_t *wire_lower, size_t bytes,
    struct pin_reverse_question *ret)
{
    uint8_t at[LABELS_MAX] = {0};
    bool is_v4 = has_suffix(wire_lower, bytes, V4_SUFFIX, sizeof(V4_SUFFIX));
    if (!is_v4 && !has_suffix(wire_lower, bytes, V6_SUFFIX, sizeof(V6_SUFFIX))) {
        return false;
    }
    size_t end = bytes - (is_v4 ? sizeof(V4_SUFFIX) : sizeof(V6_SUFFIX));
    size_t n = split(wire_lower, end, at);
    *ret = (struct pin_reverse_question){.prefix.ip.family = is_v4 ? 4 : 6};
    size_t n_read = read_prefix(wire_lower, at, n, &ret->prefix);
    uint32_t range_bits = pin_lpm_find(ranges, &ret->prefix.ip);
    uint32_t step = is_v4 ? 8 : 4;
    size_t n_apex = range_bits != PIN_LPM_NONE ? (range_bits + step - 1) / step : LABELS_MAX;
    if (n_apex > n_read) {
        return false;
    }
    ret->is_other = n_read < n;
    ret->is_apex = n == n_apex;
    ret->apex_at = at[n - n_apex];
    return true;
}

void pin_reverse_zone(const struct pin_reverse *reverse, const uint8_t *apex, size_t apex_bytes,
    struct pin_zone *ret_zone, struct pin_soa *ret_soa)
{
    struct pin_zone_spec spec = {.n_ns = 1,
        .hostmaster = reverse->hostmaster,
        .ttl_s = reverse->ttl_s,
        .negative_ttl_s = reverse->negative_ttl_s};
    struct pin_name ns;
    spec.apex.bytes = (uint8_t)apex_bytes;
    memcpy(spec.apex.wire, apex, apex_bytes);
    (void)pin_reverse_ns(reverse, &spec.apex, 0, &ns);
    spec.ns = &ns;
    if (spec.hostmaster.bytes == 0) {
        spec.hostmaster = spec.apex;
        (void)pin_name_prepend(&spec.hostmaster, "hostmaster", 10); /* a short name: it fits */
    }
    pin_soa_write(ret_soa, &spec, atomic_load_explicit(&reverse->serial, memory_order_relaxed));
    *ret_zone =
        (struct pin_zone){.apex = spec.apex, .soa = ret_soa, .is_synced_from_clusters = true};
}

bool pin_reverse_ns(const struct pin_reverse *reverse, const struct pin_name *apex, size_t i,
    struct pin_name *ret_name)
{
    if (i >= PIN_MAX(reverse->n_ns, (size_t)1)) {
        return false;
    }
    if (reverse->n_ns > 0) {
        *ret_name = reverse->ns[i];
        return true;
    }
    *ret_name = *apex;
    return pin_name_prepend(ret_name, "ns1", 3) == PIN_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

struct pin_reverse *pin_reverse_new(const struct pin_settings *settings, uint32_t serial)
{
    struct pin_reverse *reverse = calloc(1, sizeof(*reverse));
    if (reverse == NULL) {
        return NULL;
    }
    atomic_init(&reverse->serial, serial);
    reverse->settings = settings;
    reverse->ttl_s = settings->ttl_s;
    reverse->negative_ttl_s = settings->negative_ttl_s;
    reverse->addresses = pin_rcu_table_new(FIRST_BUCKETS);
    reverse->ns = calloc(settings->n_ns + 1, sizeof(*reverse->ns));
    bool is_ok = reverse->addresses != NULL && reverse->ns != NULL;
    for (size_t i = 0; is_ok && i < settings->n_ns; i++) {
        is_ok = pin_name_parse(settings->ns[i], &reverse->ns[i]) == PIN_OK;
    }
    reverse->n_ns = settings->n_ns;
    if (is_ok && settings->hostmaster != NULL) {
        is_ok = pin_name_parse(settings->hostmaster, &reverse->hostmaster) == PIN_OK;
    }
    if (!is_ok) {
        pin_reverse_free(reverse);
        return NULL;
    }
    return reverse;
}

static void free_link(struct pin_rcu_node *link)
{
    free(address_of(link));
}

void pin_reverse_free(struct pin_reverse *reverse)
{
    if (reverse != NULL) {
        pin_rcu_table_free(reverse->addresses, free_link);
        free(reverse->ns);
        free(reverse);
    }
}
