/* SPDX-License-Identifier: Apache-2.0 */

/* Writes the parts of a service: each cluster's addresses for askers there, near and far. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/macros.h"
#include "pintle/zones/parts.h"
#include "pintle/zones/slice.h"

#include "zones/compile.h"
#include "zones/steer_address.h"

#define ZONES_MAX 255u
/* One row without its ports: flags, zone, address, label. */
#define ROW_BYTES  (3u + 16u + 1u + PIN_LABEL_MAX_BYTES)
#define PART_BYTES (10u + PIN_NAME_MAX_BYTES)

/* One address of a part. */
struct row {
    const struct pin_share *share;
    uint8_t flags;
    uint8_t zone_i;
    const char *label; /* NULL: none, or the address with dashes */
};

/* The rows of one contribution. */
struct part {
    const struct pin_contribution *contribution;
    uint8_t flags;
    struct row *rows;
    uint32_t n_rows;
    size_t cap_rows;
};

/* All of a service's. */
struct parts {
    struct pin_compile *run;
    const struct pin_facts *facts;
    uint8_t flags;
    struct part *parts;
    size_t n_parts;
    const char *zones[ZONES_MAX];
    size_t n_zones;
    size_t n_ports;
};

/* Place of the zone from 1; 0: it has none, or there are too many. */
static uint8_t zone_of(struct parts *p, const char *zone)
{
    if (zone == NULL || (p->flags & PIN_PARTS_ZONES) == 0) {
        return 0;
    }
    for (size_t i = 0; i < p->n_zones; i++) {
        if (p->zones[i] == zone || strcmp(p->zones[i], zone) == 0) {
            return (uint8_t)(i + 1);
        }
    }
    if (p->n_zones == ZONES_MAX || zone[0] == '\0' || strlen(zone) > UINT8_MAX) {
        return 0;
    }
    p->zones[p->n_zones++] = zone;
    return (uint8_t)p->n_zones;
}

static void add_row(
    struct parts *p, struct part *part, const struct pin_share *share, uint8_t reach)
{
    struct row *rows =
        pin_steer_grow(&p->run->steer, part->rows, part->n_rows, &part->cap_rows, sizeof(*rows));
    if (rows == NULL) {
        p->run->failed = true;
        return;
    }
    struct row row = {.share = share, .flags = reach};
    if (share->via == PIN_VIA_ENDPOINT) {
        const struct pin_slice_body *slice = &share->ready->slice->as.slice;
        const char *hostname = pin_slice_hostname(slice, share->ready->row);
        row.zone_i = zone_of(p, pin_slice_zone(slice, share->ready->row));
        if ((p->flags & PIN_PARTS_HEADLESS) != 0) {
            row.flags |= PIN_ROW_POD;
            row.label =
                hostname != NULL && hostname[0] != '\0' && strlen(hostname) <= PIN_LABEL_MAX_BYTES
                    ? hostname
                    : NULL;
        }
    }
    part->rows = rows;
    rows[part->n_rows++] = row;
}

static bool are_same_shares(const struct pin_plan *a, const struct pin_plan *b)
{
    for (size_t i = 0; a->n_shares == b->n_shares && i < a->n_shares; i++) {
        if (!pin_ip_equal(&a->shares[i].ip, &b->shares[i].ip)
            || a->shares[i].via != b->shares[i].via) {
            return false;
        }
    }
    return a->n_shares == b->n_shares;
}

/* What askers in the cluster, in its network, and elsewhere are shown of it. */
static void plan_reach(const struct parts *p, const struct pin_contribution *c, enum pin_family_i f,
    struct pin_plan plans[3])
{
    const struct pin_steer *steer = &p->run->steer;
    uint16_t network = steer->settings->clusters[c->cluster_id].network;
    const struct pin_viewer viewers[3] = {{.cluster_id = c->cluster_id, .network = network},
        {.cluster_id = PIN_CLUSTER_NONE, .network = network},
        {.cluster_id = PIN_CLUSTER_NONE, .network = UINT16_MAX}};
    for (size_t i = 0; i < 3; i++) {
        struct pin_address_want want = {.weight = 1, .is_blind = true};
        plans[i] = (struct pin_plan){.family_i = f};
        if (p->run->is_cluster_zone) {
            pin_steer_own_addresses(steer, &plans[i], c, &want);
        } else {
            (void)pin_steer_addresses(steer, &plans[i], c, viewers[i], &want);
        }
        p->run->failed = p->run->failed || plans[i].is_out_of_memory;
    }
}

/* Who names a cluster wants it, ready or not: its ClusterIP where others reach it. */
static void add_unready(struct parts *p, const struct pin_contribution *c, struct pin_plan *near)
{
    const struct pin_settings *settings = p->run->catalog->settings;
    bool is_routable =
        settings->networks[settings->clusters[c->cluster_id].network].cluster_ips_routable;
    if (near->n_shares == 0 && is_routable && c->service != NULL && !p->run->is_cluster_zone) {
        struct pin_address_want want = {.weight = 1, .is_blind = true};
        const struct pin_service_body *service = &c->service->as.service;
        (void)pin_steer_add_ips(&p->run->steer, near, service->cluster_ips, service->n_cluster_ips,
            &(struct pin_share){
                .via = PIN_VIA_CLUSTER_IP, .cluster_id = c->cluster_id, .contribution = c},
            &want);
    }
}

/* By name, so that addresses under one stand together; then by address. */
static int compare_row(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    if ((x->label == NULL) != (y->label == NULL)) {
        return x->label == NULL ? -1 : 1;
    }
    int order = x->label != NULL ? strcmp(x->label, y->label) : 0;
    order = order != 0 ? order : pin_ip_cmp(&x->share->ip, &y->share->ip);
    return order != 0 ? order : x->flags - y->flags;
}

static void fill_part(struct parts *p, struct part *part)
{
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX && !p->run->failed; f++) {
        struct pin_plan *plans = pin_arena_alloc(p->run->steer.arena, 3 * sizeof(*plans));
        if (plans == NULL) {
            p->run->failed = true;
            return;
        }
        plan_reach(p, part->contribution, f, plans);
        add_unready(p, part->contribution, &plans[1]);
        bool is_own_near = are_same_shares(&plans[0], &plans[1]);
        bool is_near_far = are_same_shares(&plans[1], &plans[2]);
        uint8_t reach[3] = {PIN_ROW_OWN, PIN_ROW_NEAR, PIN_ROW_FAR};
        reach[1] = (uint8_t)(reach[1] | (is_own_near ? reach[0] : 0u));
        reach[0] = is_own_near ? 0 : reach[0];
        reach[2] = (uint8_t)(reach[2] | (is_near_far ? reach[1] : 0u));
        reach[1] = is_near_far ? 0 : reach[1];
        for (size_t i = 0; i < 3; i++) {
            for (size_t s = 0; reach[i] != 0 && s < plans[i].n_shares; s++) {
                add_row(p, part, &plans[i].shares[s], reach[i]);
            }
        }
    }
    if (part->n_rows > 1) {
        qsort(part->rows, part->n_rows, sizeof(*part->rows), compare_row);
    }
}

static uint8_t part_flags(const struct parts *p, const struct pin_contribution *c)
{
    if (p->run->is_cluster_zone) {
        return PIN_PART_FOR_OWN | PIN_PART_FOR_OTHERS;
    }
    const struct pin_viewer nobody = {.cluster_id = PIN_CLUSTER_NONE};
    const struct pin_viewer own = {.cluster_id = c->cluster_id};
    bool is_for_own = !c->is_imported && pin_steer_is_visible(p->facts, c, own);
    bool is_for_others = pin_steer_is_visible(p->facts, c, nobody);
    bool is_alone = is_for_own && !p->facts->is_mcs && !c->is_global;
    /* Imported slices are another cluster's, also for who asks where they were imported. */
    is_for_own = is_for_own || (c->is_imported && is_for_others);
    return (uint8_t)((is_for_own ? PIN_PART_FOR_OWN : 0u)
                     | (is_for_others ? PIN_PART_FOR_OTHERS : 0u)
                     | (is_alone ? PIN_PART_ALONE : 0u));
}

static void collect(struct parts *p)
{
    p->parts =
        pin_arena_alloc(p->run->steer.arena, (p->facts->n_contributions + 1) * sizeof(*p->parts));
    p->run->failed = p->run->failed || p->parts == NULL;
    for (size_t i = 0; !p->run->failed && i < p->facts->n_contributions; i++) {
        const struct pin_contribution *c = &p->facts->contributions[i];
        struct part *part = &p->parts[p->n_parts];
        *part = (struct part){.contribution = c, .flags = part_flags(p, c)};
        if (part->flags != 0 && !c->is_dropped) {
            fill_part(p, part);
            p->n_parts++;
        }
    }
}

/* --- bytes ------------------------------------------------------------------------------------ */

static size_t bytes_max(const struct parts *p)
{
    size_t bytes = 2 * (size_t)PIN_PARTS_HEAD_BYTES + p->n_ports * (2u + PIN_LABEL_MAX_BYTES)
                   + p->n_zones * (1u + UINT8_MAX);
    for (size_t i = 0; i < p->n_parts; i++) {
        bytes += PART_BYTES + p->parts[i].n_rows * (ROW_BYTES + 2 * p->n_ports);
    }
    return bytes;
}

/* Length and text in lower case, as names are compared. */
static void put_lower(struct pin_buf *w, const char *text)
{
    size_t bytes = strlen(text);
    pin_buf_put_u8(w, (uint8_t)bytes);
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        pin_buf_put_u8(w, (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
}

static void put_head(const struct parts *p, struct pin_buf *w)
{
    pin_buf_put_u8(w, p->flags);
    pin_buf_put_u8(w, (uint8_t)p->n_ports);
    pin_buf_put_u16(w, (uint16_t)p->n_parts);
    pin_buf_put_u32(w, p->run->ttl_s);
    for (size_t i = 0; i < p->n_ports; i++) {
        const struct pin_port *port = p->facts->ports[i];
        bool has_name = port->name != NULL && strlen(port->name) < PIN_LABEL_MAX_BYTES;
        pin_buf_put_u8(w, (uint8_t)port->protocol);
        put_lower(w, has_name ? port->name : "");
    }
    pin_buf_put_u8(w, (uint8_t)p->n_zones);
    for (size_t i = 0; i < p->n_zones; i++) {
        put_lower(w, p->zones[i]);
    }
}

/* The cluster id as wire labels without the root; none in a cluster's own zone. */
static void put_source(const struct parts *p, const struct pin_contribution *c, struct pin_buf *w)
{
    struct pin_name source;
    if (p->run->is_cluster_zone || pin_name_parse(c->source, &source) != PIN_OK) {
        pin_buf_put_u8(w, 0);
        return;
    }
    pin_buf_put_u8(w, (uint8_t)(source.bytes - 1));
    pin_buf_put_bytes(w, source.wire, (size_t)source.bytes - 1);
}

static void put_row(const struct parts *p, const struct row *row, struct pin_buf *w)
{
    const struct pin_ip *ip = &row->share->ip;
    pin_buf_put_u8(w, row->flags);
    pin_buf_put_u8(w, row->zone_i);
    pin_buf_put_u8(w, ip->family);
    pin_buf_put_bytes(w, ip->bytes, ip->family == 4 ? 4 : 16);
    for (size_t i = 0; i < p->n_ports; i++) {
        pin_buf_put_u16(w, pin_share_port(row->share, p->facts->ports[i]));
    }
    put_lower(w, row->label != NULL ? row->label : "");
}

static void put_part(const struct parts *p, const struct part *part, struct pin_buf *w)
{
    uint16_t cluster_id = part->contribution->cluster_id;
    pin_buf_put_u16(w, cluster_id);
    pin_buf_put_u16(w, p->run->catalog->settings->clusters[cluster_id].network);
    pin_buf_put_u8(w, part->flags);
    put_source(p, part->contribution, w);
    pin_buf_put_u32(w, part->n_rows);
    for (uint32_t i = 0; i < part->n_rows; i++) {
        put_row(p, &part->rows[i], w);
    }
}

/* Which names below the service's are answered from its parts; 0: none. */
static uint8_t flags_of(const struct pin_compile *run, const struct pin_facts *facts)
{
    const struct pin_settings *settings = run->catalog->settings;
    uint8_t headless =
        facts->is_headless ? (uint8_t)(PIN_PARTS_HEADLESS | PIN_PARTS_ZONES) : (uint8_t)0;
    if (run->is_cluster_zone) {
        return headless;
    }
    uint8_t flags = settings->is_lighthouse ? PIN_PARTS_LIGHTHOUSE : 0;
    if (!settings->is_extensions_off) {
        flags |= PIN_PARTS_CLUSTERS | (headless & PIN_PARTS_ZONES);
    }
    return flags != 0 ? (uint8_t)(flags | (headless & PIN_PARTS_HEADLESS)) : (uint8_t)0;
}

size_t pin_compile_parts(struct pin_compile *run, const struct pin_facts *facts,
    const struct pin_name *name, struct pin_rrset *ret_rrset)
{
    struct parts p = {.run = run,
        .facts = facts,
        .flags = flags_of(run, facts),
        .n_ports = PIN_MIN(facts->n_ports, PIN_PARTS_PORTS_MAX)};
    if (p.flags == 0) {
        return 0;
    }
    p.flags |= run->has_dashed ? PIN_PARTS_DASHED : 0;
    collect(&p);
    size_t cap = run->failed ? 0 : bytes_max(&p);
    uint8_t *wire = run->failed ? NULL : pin_arena_alloc(run->steer.arena, cap);
    if (wire == NULL) {
        run->failed = true;
        return 0;
    }
    struct pin_buf w = pin_buf_init(wire, cap);
    bool is_common = run->is_cluster_zone && p.n_zones == 0; /* no name below means some rows */
    p.n_parts = is_common ? 0 : p.n_parts;
    put_head(&p, &w);
    for (size_t i = 0; i < p.n_parts; i++) {
        put_part(&p, &p.parts[i], &w);
    }
    size_t bytes = pin_buf_used(&w);
    const struct pin_rrset *old = pin_compile_old(run, name, PIN_TYPE_PARTS);
    *ret_rrset = (struct pin_rrset){.type = PIN_TYPE_PARTS,
        .base = is_common ? pin_compile_shared(run, wire, bytes, old)
                          : pin_compile_table(run,
                              &(struct pin_table_spec){.form = PIN_TABLE_FIXED,
                                  .n_rr = 1,
                                  .wire = wire,
                                  .wire_bytes = (uint32_t)bytes},
                              old)};
    return ret_rrset->base != NULL;
}
