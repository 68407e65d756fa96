/* SPDX-License-Identifier: Apache-2.0 */

/* Names of a headless service's endpoints: <hostname>.<clusterid>.<svc>.<ns>.svc.<zone> (KEP-1645).
 */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/zones/parts.h"
#include "pintle/zones/slice.h"

#include "zones/compile.h"
#include "zones/networks.h"

/* One endpoint address under the label it is named by. */
struct entry {
    char label[PIN_LABEL_MAX_BYTES + 1];
    const struct pin_ready *ready;
    bool is_dashed; /* the label is the address */
    bool is_second; /* the pod's name, beside the address: no SRV record names it */
};

/* The endpoint's hostname, else its address with dashes. */
static void make_label(struct entry *entry, const struct pin_ready *ready)
{
    const char *hostname = pin_slice_hostname(&ready->slice->as.slice, ready->row);
    char dashed[PIN_IP_DASHED_MAX];
    entry->ready = ready;
    if (hostname == NULL || hostname[0] == '\0' || strlen(hostname) > PIN_LABEL_MAX_BYTES) {
        hostname = pin_ip_dashed(&ready->ip, dashed);
        entry->is_dashed = true;
    }
    memcpy(entry->label, hostname, strlen(hostname) + 1);
}

/* KEP-1645 leaves open which unique name an endpoint without a hostname has: its address is one,
 * its pod's name another. False when the endpoint has no second name. */
static bool make_second(struct entry *entry, const struct pin_ready *ready)
{
    const struct pin_slice_body *slice = &ready->slice->as.slice;
    const char *hostname = pin_slice_hostname(slice, ready->row);
    bool has_hostname = hostname != NULL && hostname[0] != '\0';
    char pod[PIN_POD_NAME_MAX];
    if (has_hostname || !pin_slice_pod(slice, ready->row, pod) || !pin_name_is_rfc1123_label(pod)) {
        return false;
    }
    entry->ready = ready;
    entry->is_second = true;
    memcpy(entry->label, pod, strlen(pod) + 1);
    return true;
}

static int compare_entry(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = strcmp(x->label, y->label);
    order = order != 0 ? order : x->is_second - y->is_second;
    return order != 0 ? order : pin_ip_cmp(&x->ready->ip, &y->ready->ip);
}

/* The endpoints of one contribution while their names are made. */
struct pods {
    struct pin_compile *run;
    const struct pin_contribution *contribution;
    struct pin_name parent; /* <clusterid>.<svc>... */
    const bool *is_visible; /* by class: may it see the contribution */
    bool are_plain;         /* all askers are shown the endpoints' own addresses */
    bool has_dashed;        /* some have no nodes */
};

/* All ready addresses of a contribution, by label. */
static struct entry *sorted_entries(
    struct pin_compile *run, const struct pin_contribution *c, size_t *ret_n)
{
    size_t n = 0;
    struct entry *entries = pin_arena_alloc(
        run->steer.arena, (2 * ((size_t)c->n_ready[0] + c->n_ready[1]) + 1) * sizeof(*entries));
    if (entries == NULL) {
        run->failed = true;
        return NULL;
    }
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (uint32_t i = 0; i < c->n_ready[f]; i++) {
            make_label(&entries[n++], &c->ready[f][i]);
            n += !run->is_cluster_zone && make_second(&entries[n], &c->ready[f][i]);
        }
    }
    qsort(entries, n, sizeof(*entries), compare_entry);
    *ret_n = n;
    return entries;
}

/* Puts the cluster id, which may have two labels, in front of the service's name. */
static bool prepend_source(struct pin_name *name, const char *source)
{
    size_t end = strlen(source);
    while (end > 0) {
        size_t start = end;
        while (start > 0 && source[start - 1] != '.') {
            start--;
        }
        if (pin_name_prepend(name, source + start, end - start) != PIN_OK) {
            return false;
        }
        end = start > 0 ? start - 1 : 0;
    }
    return true;
}

/* Tables of one name for all classes: the endpoint's own addresses for those near, gateways for
 * others, nothing for those who may not see it. */
static const struct pin_table *const *class_tables(const struct pods *pods,
    const struct pin_name *name, enum pin_family_i family_i, const struct entry *entries, size_t n)
{
    struct pin_compile *run = pods->run;
    const struct pin_contribution *c = pods->contribution;
    uint8_t family = family_i == PIN_FAMILY_V4 ? 4 : 6;
    uint16_t network = run->catalog->settings->clusters[c->cluster_id].network;
    const struct pin_network_state *far = pin_network_get(run->catalog, network);
    const struct pin_table **tables =
        pin_arena_alloc(run->steer.arena, run->n_classes * sizeof(*tables));
    struct pin_ip *near_ips = pin_arena_alloc(run->steer.arena, (n + 1) * sizeof(*near_ips));
    struct pin_ip *far_ips = pin_arena_alloc(run->steer.arena, (far->n_ips + 1) * sizeof(*far_ips));
    if (tables == NULL || near_ips == NULL || far_ips == NULL) {
        run->failed = true;
        return NULL;
    }
    size_t n_near = 0;
    size_t n_far = 0;
    for (size_t i = 0; i < n; i++) {
        if (entries[i].ready->ip.family == family) {
            near_ips[n_near++] = entries[i].ready->ip;
        }
    }
    for (size_t i = 0; i < far->n_ips; i++) {
        if (far->ips[i].family == family) {
            far_ips[n_far++] = far->ips[i];
        }
    }
    const struct pin_table *near_table =
        pin_compile_addresses(run, name, family_i, near_ips, n_near, c->cluster_id);
    for (size_t i = 0; i < run->n_classes; i++) {
        if (!pods->is_visible[i]) {
            continue; /* arena memory is zeroed: NODATA */
        }
        bool is_near =
            run->is_cluster_zone || pin_steer_is_near(&run->steer, c, run->classes[i].viewer);
        tables[i] = is_near
                        ? near_table
                        : pin_compile_addresses(run, name, family_i, far_ips, n_far, c->cluster_id);
    }
    return tables;
}

/* Notes the addresses of one label. False when memory is out. */
static bool add_ips(
    struct pin_compile *run, struct pin_target *target, const struct entry *entries, size_t n)
{
    struct pin_ip *ips = pin_arena_alloc(run->steer.arena, n * sizeof(*ips));
    for (size_t i = 0; ips != NULL && i < n; i++) {
        ips[i] = entries[i].ready->ip;
    }
    run->failed = run->failed || ips == NULL;
    target->ips = ips;
    target->n_ips = n;
    return ips != NULL;
}

/* Puts the name of one label; `ret_target` is what SRV records point at. */
static bool put_pod(
    struct pods *pods, const struct entry *entries, size_t n, struct pin_target *ret_target)
{
    struct pin_compile *run = pods->run;
    struct pin_rrset rrsets[PIN_FAMILY_MAX];
    size_t n_rrsets = 0;
    bool is_dashed = n == 1 && entries[0].is_dashed;
    struct pin_target target = {.name = pods->parent,
        .is_dashed = is_dashed,
        .source = run->is_cluster_zone ? "" : pods->contribution->source,
        .contribution = pods->contribution,
        .ready = entries[0].ready};
    if (pin_name_prepend(&target.name, entries[0].label, strlen(entries[0].label)) != PIN_OK
        || (pods->are_plain && !add_ips(run, &target, entries, n))) {
        return false;
    }
    *ret_target = target;
    if (is_dashed && pods->are_plain) {
        pods->has_dashed = true;
        return true;
    }
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        target.tables[f] = class_tables(pods, &target.name, f, entries, n);
        if (target.tables[f] == NULL) {
            return false;
        }
        n_rrsets += pin_compile_rrset(run, pin_family_type(f), target.tables[f], &rrsets[n_rrsets]);
    }
    pin_compile_put(run, &target.name, rrsets, n_rrsets);
    *ret_target = target;
    return true;
}

/* The table that marks a name below which dashed addresses are endpoints. */
static const struct pin_table *dashed_table(struct pin_compile *run, const struct pin_name *parent)
{
    uint8_t wire[PIN_PARTS_HEAD_BYTES + 1] = {PIN_PARTS_DASHED};
    struct pin_buf w = pin_buf_init(wire + PIN_PARTS_HEAD_BYTES - sizeof(uint32_t), 4);
    pin_buf_put_u32(&w, run->ttl_s);
    return pin_compile_shared(
        run, wire, sizeof(wire), pin_compile_old(run, parent, PIN_TYPE_PARTS));
}

/* Has names below the parent answered from the table of addresses. */
static void mark_dashed(const struct pods *pods)
{
    struct pin_compile *run = pods->run;
    if (run->is_cluster_zone) {
        run->has_dashed = true; /* its parts say so */
        return;
    }
    struct pin_rrset mark = {.type = PIN_TYPE_PARTS, .base = dashed_table(run, &pods->parent)};
    if (mark.base != NULL) {
        pin_compile_put(run, &pods->parent, &mark, 1);
    }
}

static size_t put_contribution(struct pods *pods, struct pin_target *targets)
{
    size_t n_targets = 0;
    size_t n = 0;
    const struct entry *entries = sorted_entries(pods->run, pods->contribution, &n);
    for (size_t i = 0; entries != NULL && i < n;) {
        size_t same = 1;
        size_t n_first = 1; /* a name of one endpoint is no second name of another */
        while (i + same < n && strcmp(entries[i].label, entries[i + same].label) == 0) {
            n_first += entries[i + same].is_second == entries[i].is_second;
            same++;
        }
        bool is_put = put_pod(pods, &entries[i], n_first, &targets[n_targets]);
        n_targets += is_put && !entries[i].is_second;
        i += same;
    }
    if (pods->has_dashed) {
        mark_dashed(pods);
    }
    return n_targets;
}

/* Says for each class whether it may see the contribution; NULL when none may. */
static const bool *visible_classes(
    struct pin_compile *run, const struct pin_facts *facts, const struct pin_contribution *c)
{
    bool is_any = false;
    bool *is_visible = pin_arena_alloc(run->steer.arena, run->n_classes * sizeof(*is_visible));
    for (size_t i = 0; is_visible != NULL && i < run->n_classes; i++) {
        is_visible[i] =
            run->is_cluster_zone || pin_steer_is_visible(facts, c, run->classes[i].viewer);
        is_any = is_any || is_visible[i];
    }
    run->failed = run->failed || is_visible == NULL;
    return is_any ? is_visible : NULL;
}

/* Whether all who may see anything are shown the endpoints' own addresses, under the name of a
 * cluster: then the table of addresses knows all there is to know about them. */
static bool is_plain(const struct pin_compile *run, const struct pin_facts *facts,
    const struct pin_contribution *c, const bool *is_visible)
{
    bool is_own = c->service != NULL && pin_facts_own(facts, c->cluster_id) == c;
    if (!is_own || is_visible == NULL || run->is_cluster_zone) {
        return is_own && is_visible != NULL;
    }
    const char *cluster = run->catalog->settings->clusters[c->cluster_id].name;
    bool is_any = strcmp(c->source, cluster) != 0 || strchr(cluster, '.') != NULL
                  || c->check != NULL || c->is_probing;
    for (size_t i = 0; i < run->n_classes && !is_any; i++) {
        is_any = !is_visible[i] || !pin_steer_is_near(&run->steer, c, run->classes[i].viewer);
    }
    return !is_any;
}

size_t pin_compile_pods(struct pin_compile *run, const struct pin_facts *facts,
    const struct pin_name *name, struct pin_target **ret_targets)
{
    size_t n_max = 0;
    size_t n = 0;
    for (size_t i = 0; i < facts->n_contributions; i++) {
        n_max += (size_t)facts->contributions[i].n_ready[0] + facts->contributions[i].n_ready[1];
    }
    struct pin_target *targets = pin_arena_alloc(run->steer.arena, (n_max + 1) * sizeof(*targets));
    if (targets == NULL) {
        run->failed = true;
        return 0;
    }
    bool are_plain = true;
    const bool **is_visible =
        pin_arena_alloc(run->steer.arena, (facts->n_contributions + 1) * sizeof(*is_visible));
    for (size_t i = 0; is_visible != NULL && i < facts->n_contributions; i++) {
        const struct pin_contribution *c = &facts->contributions[i];
        is_visible[i] = visible_classes(run, facts, c);
        are_plain = are_plain && is_plain(run, facts, c, is_visible[i]);
    }
    run->failed = run->failed || is_visible == NULL;
    for (size_t i = 0; is_visible != NULL && i < facts->n_contributions; i++) {
        const struct pin_contribution *c = &facts->contributions[i];
        struct pods pods = {.run = run,
            .contribution = c,
            .parent = *name,
            .is_visible = is_visible[i],
            .are_plain = are_plain};
        bool has_parent = run->is_cluster_zone || prepend_source(&pods.parent, c->source);
        if (pods.is_visible != NULL && has_parent) {
            n += put_contribution(&pods, targets + n);
        }
    }
    *ret_targets = targets;
    return n;
}
