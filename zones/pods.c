/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose namespace an address is in.
 *
 *     cluster's map   "namespace/name" -> pod: its addresses, to find them again
 *     table           address -> owners: cluster and namespace, with how many Pods say so
 *
 * A pod keeps no object and no namespace of its own: some 230 bytes each, all maps included.
 */

#include "zones/pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu_table.h"

#include "zones/watchers.h"

#define FIRST_BUCKETS 64

/* A namespace that Pods are in; one for all of them. */
struct space {
    struct pin_rcu_head rcu;
    uint32_t n_owners; /* Builder only. */
    uint8_t bytes;
    char text[];
};

/* Pods of one namespace of one cluster that have an address. */
struct owner {
    const struct space *space; /* NULL: on the host's network, so the address tells nothing. */
    uint32_t n_pods;
    uint16_t cluster_id;
};

/* One address. Immutable. */
struct address {
    struct pin_rcu_node link;
    struct pin_rcu_head rcu;
    struct pin_ip ip;
    uint32_t n_owners;
    struct owner owners[];
};

/* One Pod object. Builder only. */
struct pod {
    uint32_t list_round;
    bool is_host;
    uint8_t n_ips;
    struct pin_ip ips[];
};

struct pin_pods {
    struct pin_rcu_table *addresses;
    struct pin_map spaces; /* Name -> struct space. */
};

/* --- reading -------------------------------------------------------------------------------- */

static struct address *address_of(struct pin_rcu_node *link)
{
    return container_of(link, struct address, link);
}

static int match_ip(struct pin_rcu_node *link, const void *ip)
{
    return pin_ip_equal(&address_of(link)->ip, ip);
}

static uint64_t hash_ip(const struct pin_ip *ip)
{
    return pin_hash64(ip, sizeof(*ip));
}

static struct address *find_address(const struct pin_pods *pods, const struct pin_ip *ip)
{
    struct pin_rcu_node *link =
        pin_rcu_table_count(pods->addresses) == 0
            ? NULL
            : pin_rcu_table_find(pods->addresses, hash_ip(ip), match_ip, ip);
    return link != NULL ? address_of(link) : NULL;
}

struct pin_pods_found pin_pods_find(
    const struct pin_pods *pods, const struct pin_ip *ip, uint16_t cluster_id)
{
    struct pin_pods_found found = {0};
    const struct address *address = pods != NULL ? find_address(pods, ip) : NULL;
    for (uint32_t i = 0; address != NULL && i < address->n_owners; i++) {
        const struct owner *owner = &address->owners[i];
        if (cluster_id != PIN_CLUSTER_NONE && owner->cluster_id != cluster_id) {
            continue;
        }
        bool is_sole = !found.is_known && owner->space != NULL;
        found = (struct pin_pods_found){.is_known = true,
            .namespace_bytes = is_sole ? owner->space->bytes : 0,
            .namespace_name = is_sole ? owner->space->text : NULL};
    }
    return found;
}

/* --- namespaces ----------------------------------------------------------------------------- */

static void free_space(struct pin_rcu_head *head)
{
    free(container_of(head, struct space, rcu));
}

/* Finds or makes a namespace. NULL when memory is out. */
static struct space *get_space(struct pin_pods *pods, const char *name, size_t bytes)
{
    struct space *space = pin_map_find(&pods->spaces, name, bytes);
    if (space != NULL || bytes > UINT8_MAX) {
        return space;
    }
    space = calloc(1, sizeof(*space) + bytes);
    if (space == NULL || !pin_map_put(&pods->spaces, name, bytes, space, NULL)) {
        free(space);
        return NULL;
    }
    space->bytes = (uint8_t)bytes;
    memcpy(space->text, name, bytes);
    return space;
}

/* Lets go of a namespace that no owner names any more. */
static void settle_space(struct pin_pods *pods, struct space *space)
{
    if (space != NULL && space->n_owners == 0) {
        (void)pin_map_remove(&pods->spaces, space->text, space->bytes);
        pin_rcu_defer(&space->rcu, free_space);
    }
}

/* --- addresses ------------------------------------------------------------------------------ */

/* One Pod more or less has an address. */
struct change {
    const struct pin_ip *ip;
    struct space *space; /* NULL: the host's. */
    uint16_t cluster_id;
    int by; /* +1 or -1 */
};

static void free_address(struct pin_rcu_head *head)
{
    free(container_of(head, struct address, rcu));
}

static void free_link(struct pin_rcu_node *link)
{
    free(address_of(link));
}

static bool is_owner(const struct owner *owner, const struct change *change)
{
    return owner->cluster_id == change->cluster_id && owner->space == change->space;
}

/* Writes the owners after the change into `next`, which has room for one more than before. */
static void change_owners(
    const struct address *old, const struct change *change, struct address *next)
{
    bool is_done = false;
    for (uint32_t i = 0; old != NULL && i < old->n_owners; i++) {
        struct owner owner = old->owners[i];
        if (is_owner(&owner, change)) {
            owner.n_pods = (uint32_t)((int64_t)owner.n_pods + change->by);
            is_done = true;
        }
        if (owner.n_pods > 0) {
            next->owners[next->n_owners++] = owner;
        } else if (change->space != NULL) {
            change->space->n_owners--;
        }
    }
    if (!is_done && change->by > 0) {
        next->owners[next->n_owners++] =
            (struct owner){.space = change->space, .n_pods = 1, .cluster_id = change->cluster_id};
        if (change->space != NULL) {
            change->space->n_owners++;
        }
    }
}

/* Replaces an address by what is true now. False when memory is out. */
static bool change_address(struct pin_pods *pods, const struct change *change)
{
    struct address *old = find_address(pods, change->ip);
    size_t n_owners = old != NULL ? old->n_owners : 0;
    struct address *next = calloc(1, sizeof(*next) + (n_owners + 1) * sizeof(struct owner));
    if (next == NULL || !pin_rcu_table_reserve(pods->addresses)) {
        free(next);
        return false;
    }
    next->ip = *change->ip;
    change_owners(old, change, next);
    if (next->n_owners > 0) {
        (void)pin_rcu_table_replace(
            pods->addresses, hash_ip(&next->ip), match_ip, &next->ip, &next->link);
    } else {
        (void)pin_rcu_table_remove(pods->addresses, hash_ip(&next->ip), match_ip, &next->ip);
        free(next);
    }
    if (old != NULL) {
        pin_rcu_defer(&old->rcu, free_address);
    }
    settle_space(pods, change->space);
    return true;
}

/* Adds or takes back all addresses of a Pod in that namespace. */
static bool change_pod(struct pin_catalog *catalog, uint16_t cluster_id, const struct pod *pod,
    const char *key, int by)
{
    struct pin_pods *pods = catalog->live.pods;
    bool is_ok = true;
    for (uint8_t i = 0; i < pod->n_ips; i++) {
        struct space *space = pod->is_host ? NULL : get_space(pods, key, strcspn(key, "/"));
        struct change change = {
            .ip = &pod->ips[i], .space = space, .cluster_id = cluster_id, .by = by};
        is_ok = (pod->is_host || space != NULL) && change_address(pods, &change) && is_ok;
    }
    return is_ok;
}

/* --- Pod objects ---------------------------------------------------------------------------- */

static struct pod *pod_new(const struct pin_pod_body *body)
{
    size_t n_ips = PIN_MIN(body->n_ips, (size_t)UINT8_MAX);
    struct pod *pod = calloc(1, sizeof(*pod) + n_ips * sizeof(pod->ips[0]));
    if (pod == NULL) {
        return NULL;
    }
    pod->is_host = body->is_host_network;
    pod->n_ips = (uint8_t)n_ips;
    for (size_t i = 0; i < n_ips; i++) {
        pod->ips[i] = body->ips[i];
    }
    return pod;
}

static bool are_same(const struct pod *a, const struct pod *b)
{
    return a->is_host == b->is_host && a->n_ips == b->n_ips
           && memcmp(a->ips, b->ips, a->n_ips * sizeof(a->ips[0])) == 0;
}

void pin_pods_upsert(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const char *key, size_t bytes)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    struct pod *old = pin_map_find(&cluster->pods, key, bytes);
    struct pod *pod = pod_new(&object->as.pod);
    if (pod != NULL && old != NULL && are_same(pod, old)) { /* most changes are of other things */
        old->list_round = cluster->lists[PIN_KIND_POD].round;
        free(pod);
        return;
    }
    if (pod == NULL || !pin_map_put(&cluster->pods, key, bytes, pod, NULL)) {
        pin_log_error("catalog: out of memory, Pod %s has no namespace for policies", key);
        free(pod);
        pin_pods_remove(catalog, cluster_id, key, bytes);
        return;
    }
    pod->list_round = cluster->lists[PIN_KIND_POD].round;
    if (!change_pod(catalog, cluster_id, pod, key, 1)) {
        pin_log_error("catalog: out of memory, Pod %s has no namespace for policies", key);
    }
    if (old != NULL) {
        (void)change_pod(catalog, cluster_id, old, key, -1);
        free(old);
    }
}

/* --- one after another ---------------------------------------------------------------------- */

/* A Pod and its key. */
struct named_pod {
    const char *key;
    const struct pod *pod;
};

/* By namespace and name, as other objects are: '/' comes before all that names have. */
static int compare_keys(const char *a, const char *b)
{
    for (; *a == *b && *a != '\0'; a++, b++) {
    }
    int x = *a == '/' ? 1 : (unsigned char)*a;
    int y = *b == '/' ? 1 : (unsigned char)*b;
    return x - y;
}

static int compare_pods(const void *a, const void *b)
{
    return compare_keys(((const struct named_pod *)a)->key, ((const struct named_pod *)b)->key);
}

/* As far as it is kept: the namespace, the name, the addresses. */
static bool hand_over(const struct named_pod *from, pin_object_fn *fn, void *arg)
{
    char key[sizeof(((struct pin_object_cursor *)NULL)->key)];
    (void)snprintf(key, sizeof(key), "%s", from->key);
    char *slash = strchr(key, '/');
    if (slash == NULL) {
        return true;
    }
    *slash = '\0';
    const struct pin_object object = {.kind = PIN_KIND_POD,
        .namespace_name = key,
        .name = slash + 1,
        .steering = &pin_steering_unset,
        .as.pod = {.ips = from->pod->ips,
            .n_ips = from->pod->n_ips,
            .is_host_network = from->pod->is_host}};
    return fn(arg, &object);
}

bool pin_pods_walk(const struct pin_catalog *catalog, uint16_t cluster_id,
    struct pin_object_cursor *cursor, pin_object_fn *fn, void *arg)
{
    const struct pin_map *pods = &catalog->clusters[cluster_id].pods;
    struct named_pod *list = calloc(pin_map_count(pods) + 1, sizeof(*list));
    size_t at = 0;
    size_t n = 0;
    struct named_pod pod = {0};
    void *value = NULL;
    while (list != NULL && pin_map_next(pods, &at, &pod.key, NULL, &value)) {
        pod.pod = value;
        if (cursor->key[0] == '\0' || compare_keys(pod.key, cursor->key) > 0) {
            list[n++] = pod;
        }
    }
    if (n > 1) {
        qsort(list, n, sizeof(*list), compare_pods);
    }
    bool goes_on = list != NULL;
    for (size_t i = 0; goes_on && i < n; i++) {
        (void)snprintf(cursor->key, sizeof(cursor->key), "%s", list[i].key);
        goes_on = hand_over(&list[i], fn, arg);
    }
    free(list);
    return goes_on;
}

void pin_pods_inherit(
    struct pin_catalog *heir, uint16_t cluster_id, const struct pin_catalog *old, uint16_t old_id)
{
    size_t cursor = 0;
    const char *key = NULL;
    size_t bytes = 0;
    void *value = NULL;
    while (pin_map_next(&old->clusters[old_id].pods, &cursor, &key, &bytes, &value)) {
        const struct pod *theirs = value;
        size_t pod_bytes = sizeof(*theirs) + theirs->n_ips * sizeof(theirs->ips[0]);
        struct pod *pod = malloc(pod_bytes);
        if (pod != NULL) {
            memcpy(pod, theirs, pod_bytes);
        }
        if (pod == NULL || !pin_map_put(&heir->clusters[cluster_id].pods, key, bytes, pod, NULL)) {
            free(pod);
            heir->clusters[cluster_id].has_lost = true;
            continue;
        }
        char path[512]; /* an upsert makes sure that it fits */
        memcpy(path, key, bytes);
        path[bytes] = '\0';
        heir->clusters[cluster_id].has_lost =
            !change_pod(heir, cluster_id, pod, path, 1) || heir->clusters[cluster_id].has_lost;
    }
}

void pin_pods_remove(
    struct pin_catalog *catalog, uint16_t cluster_id, const char *key, size_t bytes)
{
    struct pod *pod = pin_map_remove(&catalog->clusters[cluster_id].pods, key, bytes);
    if (pod != NULL) {
        (void)change_pod(catalog, cluster_id, pod, key, -1);
        free(pod);
    }
}

void pin_pods_keep(struct pin_catalog *catalog, uint16_t cluster_id, const char *key, size_t bytes)
{
    const struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    struct pod *pod = pin_map_find(&cluster->pods, key, bytes);
    if (pod != NULL) {
        pod->list_round = cluster->lists[PIN_KIND_POD].round;
    }
}

uint32_t pin_pods_count(const struct pin_catalog *catalog, uint16_t cluster_id, uint32_t round)
{
    uint32_t n = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->clusters[cluster_id].pods, &cursor, NULL, NULL, &value)) {
        const struct pod *pod = value;
        n += pod->list_round >= round ? 1 : 0;
    }
    return n;
}

void pin_pods_end_list(struct pin_catalog *catalog, uint16_t cluster_id)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    size_t cursor = 0;
    const char *key = NULL;
    size_t bytes = 0;
    void *value = NULL;
    while (pin_map_next(&cluster->pods, &cursor, &key, &bytes, &value)) {
        const struct pod *pod = value;
        if (pod->list_round != cluster->lists[PIN_KIND_POD].round) {
            char gone[512];
            memcpy(gone, key, bytes); /* the map frees its key before we are done with it */
            gone[bytes] = '\0';
            pin_watchers_gone(catalog, cluster_id, PIN_KIND_POD, gone, bytes);
            pin_pods_remove(catalog, cluster_id, gone, bytes);
        }
    }
}

/* --- life ----------------------------------------------------------------------------------- */

struct pin_pods *pin_pods_new(void)
{
    struct pin_pods *pods = calloc(1, sizeof(*pods));
    if (pods != NULL) {
        pods->addresses = pin_rcu_table_new(FIRST_BUCKETS);
    }
    if (pods != NULL && pods->addresses == NULL) {
        free(pods);
        return NULL;
    }
    return pods;
}

void pin_pods_free(struct pin_pods *pods)
{
    if (pods != NULL) {
        pin_rcu_table_free(pods->addresses, free_link);
        pin_map_done(&pods->spaces, free);
        free(pods);
    }
}
