/* SPDX-License-Identifier: Apache-2.0 */

/* Address -> names: the table behind PTR records and pod names, and the zones that it answers. */

#include "pintle/zones/reverse.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/zones/parts.h"

#define FIRST_BUCKETS 256
/* One name in an entry: its place, and the length of its host label; 0: none, or the dashed one. */
#define NAME_HEAD_BYTES (sizeof(struct pin_place *) + 1)
/* Of one entry; more names than any message could hold. */
#define NAMES_MAX_BYTES (UINT32_C(1) << 20)
#define LABELS_MAX      128
#define V4_SUFFIX       "\007in-addr\004arpa"
#define V6_SUFFIX       "\003ip6\004arpa"

/* What addresses are called after: a service or import, in one cluster and in one way. */
struct pin_place {
    struct pin_rcu_head rcu;
    uint32_t n_refs;     /* builder only */
    uint16_t cluster_id; /* from here on it is the place's key */
    uint8_t kind;
    uint8_t bytes;
    uint8_t labels[]; /* service, namespace */
};

static const uint8_t svc_label[] = {3, 's', 'v', 'c'};

static struct pin_address *address_of(struct pin_rcu_node *link)
{
    return container_of(link, struct pin_address, link);
}

static size_t ip_bytes(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static int match_ip(struct pin_rcu_node *link, const void *arg)
{
    const struct pin_ip *ip = arg;
    const struct pin_address *address = address_of(link);
    return address->family == ip->family
           && memcmp(address->ip_and_names, ip->bytes, ip_bytes(ip->family)) == 0;
}

static uint64_t hash_ip(const struct pin_ip *ip)
{
    return pin_hash64(ip->bytes, ip_bytes(ip->family));
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

struct pin_ip pin_address_ip(const struct pin_address *address)
{
    return pin_ip_from_bytes(address->ip_and_names, address->family);
}

/* Reads one name as it is stored; returns where the next one starts. */
static const uint8_t *read_stored(
    const uint8_t *at, struct pin_place **ret_place, const uint8_t **ret_host)
{
    memcpy(ret_place, at, sizeof(*ret_place));
    *ret_host = at + sizeof(*ret_place);
    return *ret_host + 1 + (*ret_host)[0];
}

/* The host label as it is shown: without one an endpoint has its address with dashes. */
static void complete_host(struct pin_reverse_name *name, const struct pin_ip *ip)
{
    char dashed[PIN_IP_DASHED_MAX];
    if (name->kind == PIN_REVERSE_ENDPOINT && name->host[0] == 0) {
        name->host[0] = (uint8_t)strlen(pin_ip_dashed(ip, dashed));
        memcpy(name->host + 1, dashed, name->host[0]);
    }
}

bool pin_address_next(const struct pin_address *address, size_t *at, struct pin_reverse_name *ret)
{
    struct pin_place *place;
    const uint8_t *host;
    const uint8_t *names = address->ip_and_names + ip_bytes(address->family);
    if (*at >= address->bytes) {
        return false;
    }
    *at = (size_t)(read_stored(names + *at, &place, &host) - names);
    ret->cluster_id = place->cluster_id;
    ret->kind = place->kind;
    ret->bytes = place->bytes;
    ret->service = place->labels;
    memcpy(ret->host, host, host[0] + 1u);
    if (host[0] == 0) {
        struct pin_ip ip = pin_address_ip(address);
        complete_host(ret, &ip);
    }
    return true;
}

/* --- places ----------------------------------------------------------------------------------- */

#define PLACE_HEAD_BYTES                                                                           \
    (offsetof(struct pin_place, labels) - offsetof(struct pin_place, cluster_id))
_Static_assert(PLACE_HEAD_BYTES == 4, "nothing lies between what is a place's key");

/* What tells a place from others: what stands before its labels, and they. */
struct place_key {
    uint8_t bytes[PLACE_HEAD_BYTES + UINT8_MAX];
    size_t n;
};

static struct place_key place_key(const struct pin_reverse_name *name)
{
    struct place_key key = {.n = PLACE_HEAD_BYTES + name->bytes};
    memcpy(key.bytes, &name->cluster_id, sizeof(name->cluster_id));
    key.bytes[2] = name->kind;
    key.bytes[3] = name->bytes;
    memcpy(key.bytes + PLACE_HEAD_BYTES, name->service, name->bytes);
    return key;
}

/* The same where it lies in the place. */
static const void *key_in(const struct pin_place *place)
{
    return (const char *)place + offsetof(struct pin_place, cluster_id);
}

static void free_place(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_place, rcu));
}

/* The place of a name, with a reference for the caller. NULL when memory is out. */
static struct pin_place *hold_place(
    struct pin_reverse *reverse, const struct pin_reverse_name *name)
{
    struct place_key key = place_key(name);
    struct pin_place *place = pin_map_find(reverse->places, key.bytes, key.n);
    if (place != NULL) {
        place->n_refs++;
        return place;
    }
    place = malloc(sizeof(*place) + name->bytes);
    if (place == NULL) {
        return NULL;
    }
    *place = (struct pin_place){
        .n_refs = 1, .cluster_id = name->cluster_id, .kind = name->kind, .bytes = name->bytes};
    memcpy(place->labels, name->service, name->bytes);
    if (!pin_map_put_borrowed(reverse->places, key_in(place), key.n, place, NULL)) {
        free(place); /* nobody has seen it */
        return NULL;
    }
    reverse->bytes += sizeof(*place) + place->bytes;
    return place;
}

static void drop_place(struct pin_reverse *reverse, struct pin_place *place)
{
    if (--place->n_refs > 0) {
        return;
    }
    (void)pin_map_remove(reverse->places, key_in(place), PLACE_HEAD_BYTES + place->bytes);
    reverse->bytes -= sizeof(*place) + place->bytes;
    pin_rcu_defer(&place->rcu, free_place);
}

/* --- one name more or less ------------------------------------------------------------------- */

/* Whether both are what one service calls the address in one way. */
static bool is_same_place(const struct pin_reverse_name *a, const struct pin_reverse_name *b)
{
    return a->kind == b->kind && a->cluster_id == b->cluster_id && a->bytes == b->bytes
           && memcmp(a->service, b->service, a->bytes) == 0;
}

/* An order that does not depend on the order of arrival. */
static bool is_before(const struct pin_reverse_name *a, const struct pin_reverse_name *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind;
    }
    int order = memcmp(a->host, b->host, PIN_MIN(a->host[0], b->host[0]) + 1u);
    if (order == 0) {
        order = memcmp(a->service, b->service, PIN_MIN(a->bytes, b->bytes));
    }
    order = order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
    return order != 0 ? order < 0 : a->cluster_id < b->cluster_id;
}

static uint8_t *names_of(struct pin_address *address)
{
    return address->ip_and_names + ip_bytes(address->family);
}

/* Appends a name as it is stored. */
static void append(struct pin_address *address, struct pin_place *place, const uint8_t *host)
{
    uint8_t *to = names_of(address) + address->bytes;
    place->n_refs++;
    memcpy(to, &place, sizeof(place));
    memcpy(to + sizeof(place), host, host[0] + 1u);
    address->bytes += (uint32_t)(NAME_HEAD_BYTES + host[0]);
}

static size_t entry_bytes(const struct pin_address *address)
{
    return sizeof(*address) + ip_bytes(address->family) + address->bytes;
}

static void free_address(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_address, rcu));
}

static void drop_places(struct pin_reverse *reverse, struct pin_address *address)
{
    for (const uint8_t *at = names_of(address); at < names_of(address) + address->bytes;) {
        struct pin_place *place;
        const uint8_t *host;
        at = read_stored(at, &place, &host);
        drop_place(reverse, place);
    }
}

static void retire(struct pin_reverse *reverse, struct pin_rcu_node *link)
{
    if (link != NULL) {
        struct pin_address *address = address_of(link);
        reverse->bytes -= entry_bytes(address);
        drop_places(reverse, address);
        pin_rcu_defer(&address->rcu, free_address);
    }
}

/* A name that comes, goes or changes. */
struct change {
    struct pin_reverse_name name; /* with its host label as it is shown */
    const uint8_t *host;          /* as it is stored */
    struct pin_place *place;      /* NULL: it goes */
};

/* Copies an entry (NULL: none) without the name in that place, with the new one where it belongs.
 */
static struct pin_address *copy_with(
    const struct pin_address *old, const struct pin_ip *ip, const struct change *change)
{
    size_t at = 0;
    struct pin_reverse_name other;
    struct pin_place *to_come = change->place;
    struct pin_address *address =
        malloc(sizeof(*address) + ip_bytes(ip->family) + (old != NULL ? old->bytes : 0)
               + NAME_HEAD_BYTES + change->host[0]);
    if (address == NULL) {
        return NULL;
    }
    *address = (struct pin_address){.family = ip->family};
    memcpy(address->ip_and_names, ip->bytes, ip_bytes(ip->family));
    while (old != NULL && at < old->bytes) {
        struct pin_place *place;
        const uint8_t *host;
        (void)read_stored(old->ip_and_names + ip_bytes(ip->family) + at, &place, &host);
        (void)pin_address_next(old, &at, &other);
        if (is_same_place(&other, &change->name)) {
            continue;
        }
        if (to_come != NULL && is_before(&change->name, &other)) {
            append(address, to_come, change->host);
            to_come = NULL;
        }
        append(address, place, host);
    }
    if (to_come != NULL) {
        append(address, to_come, change->host);
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

/* Makes the change; false when memory is out. */
static bool change_entry(struct pin_reverse *reverse, struct pin_address *old,
    const struct pin_ip *ip, const struct change *change)
{
    struct pin_address *address =
        pin_rcu_table_reserve(reverse->addresses) ? copy_with(old, ip, change) : NULL;
    if (address == NULL) {
        return false;
    }
    atomic_fetch_add_explicit(&reverse->serial, 1, memory_order_relaxed);
    if (address->bytes == 0) {
        free(address);
        retire(reverse, pin_rcu_table_remove(reverse->addresses, hash_ip(ip), match_ip, ip));
        return true;
    }
    reverse->bytes += entry_bytes(address);
    retire(reverse,
        pin_rcu_table_replace(reverse->addresses, hash_ip(ip), match_ip, ip, &address->link));
    return true;
}

bool pin_reverse_set(struct pin_reverse *reverse, const struct pin_ip *ip,
    const struct pin_reverse_name *name, bool is_there)
{
    struct pin_address *old = find(reverse, ip);
    struct pin_reverse_name known;
    struct change change = {.name = *name, .host = name->host};
    complete_host(&change.name, ip);
    bool is_known = find_place(old, name, &known);
    if (is_known == is_there
        && (!is_there || memcmp(known.host, change.name.host, known.host[0] + 1u) == 0)) {
        return true;
    }
    if (is_there && old != NULL && old->bytes > NAMES_MAX_BYTES) {
        return false;
    }
    if (is_there) {
        change.place = hold_place(reverse, name);
        if (change.place == NULL) {
            return false;
        }
    }
    bool is_done = change_entry(reverse, old, ip, &change);
    if (change.place != NULL) {
        drop_place(reverse, change.place); /* the entry has a reference of its own */
    }
    return is_done;
}

/* --- names and zones -------------------------------------------------------------------------- */

bool pin_reverse_target(const struct pin_reverse *reverse, const struct pin_reverse_name *name,
    bool is_own, struct pin_name *ret_name)
{
    const struct pin_zone *zone = is_own ? reverse->own
                                  : name->kind == PIN_REVERSE_CLUSTER_SET
                                      ? reverse->cluster_set
                                      : reverse->zone_of_cluster[name->cluster_id];
    size_t host_bytes = name->host[0] > 0 ? name->host[0] + 1u : 0;
    struct pin_buf w = pin_buf_init(ret_name->wire, sizeof(ret_name->wire));
    if (host_bytes + name->bytes + sizeof(svc_label) + zone->apex.bytes > PIN_NAME_MAX_BYTES) {
        return false;
    }
    pin_buf_put_bytes(&w, name->host, host_bytes);
    pin_buf_put_bytes(&w, name->service, name->bytes);
    pin_buf_put_bytes(&w, svc_label, sizeof(svc_label));
    pin_buf_put_bytes(&w, zone->apex.wire, zone->apex.bytes);
    ret_name->bytes = (uint8_t)pin_buf_used(&w);
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
        const uint8_t *namespace_name = name.service + name.service[0] + 1;
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
    return left == name->bytes + sizeof(svc_label) + parent->zone->apex.bytes
           && memcmp(at, name->service, name->bytes) == 0;
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
        if (name.kind == PIN_REVERSE_ENDPOINT && memcmp(name.host, label, label[0] + 1u) == 0
            && is_parent(reverse, parent, &name)) {
            const struct pin_table *parts = pin_rrset_base(pin_node_rrset(parent, PIN_TYPE_PARTS));
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
    reverse->places = calloc(1, sizeof(*reverse->places));
    reverse->ns = calloc(settings->n_ns + 1, sizeof(*reverse->ns));
    bool is_ok = reverse->addresses != NULL && reverse->places != NULL && reverse->ns != NULL;
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
        if (reverse->places != NULL) {
            pin_map_done(reverse->places, free);
            free(reverse->places);
        }
        free(reverse->ns);
        free(reverse);
    }
}
