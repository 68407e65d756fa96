/* SPDX-License-Identifier: Apache-2.0 */

/* SRV RRsets (RFC 2782): real ports, steering weights, targets with their addresses as extras. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/zones/targets.h"

#include "zones/checks.h"
#include "zones/compile.h"

/* Targets whose addresses a table carries for the additional section; more never fit usefully. */
#define EXTRAS_MAX 16
/* SRV RRs of one RRset: a message holds less. */
#define ROWS_MAX 2000
/* Bytes of an SRV RR without its target. */
#define SRV_FIXED_BYTES 18u
/* Of one packed row in a run of its own without its addresses, and of an address. */
#define ROW_BYTES (PIN_TARGETS_RUN_BYTES + 2u + PIN_LABEL_MAX_BYTES + PIN_NAME_MAX_BYTES)
#define IP_BYTES  17u
/* So few rows are looked through as fast as they are found by a hash. */
#define FEW_ROWS 64u
/* Where rows are found by port and target: a power of two, twice as many as there may be. */
#define N_PLACES 4096u

/* One SRV RR to be. */
struct row {
    uint16_t port;
    uint16_t srv_weight;
    uint64_t share;
    const struct pin_name *target;
    const struct pin_target *pod; /* headless: whose name the target is */
    const struct pin_table *tables[PIN_FAMILY_MAX];
    uint32_t slot; /* of the one address behind the target, or PIN_SLOT_NONE */
};

/* The rows of one class and one RRset. */
struct rows {
    struct row *row;
    size_t n;
    size_t first;       /* of the port being added */
    uint16_t *places;   /* numbers of rows from 1, 0: free; NULL: there are few, or of one port */
    uint16_t *clusters; /* of the data, ascending */
    uint16_t n_clusters;
    uint32_t window_s; /* of the checks */
};

/* Memory that each RRset of each class takes anew: there may be a thousand ports. */
struct room {
    struct row *rows;
    uint32_t *slots;
    size_t n_rows; /* in both */
    uint16_t *places;
    uint16_t *clusters;
    uint8_t *wire;
    size_t wire_bytes;
};

/* What the SRV RRsets of one service are made from. */
struct srv {
    struct pin_compile *run;
    const struct pin_facts *facts;
    const struct pin_name *name;
    struct pin_target *targets; /* headless: endpoint names; else dashed-address names */
    size_t n_targets;
    size_t cap_targets;
    size_t next_target; /* whose turn it is: the shares of each port come in one order */
    struct room room;
};

static uint8_t *wire_room(struct srv *srv, size_t bytes)
{
    struct room *room = &srv->room;
    if (bytes > room->wire_bytes) {
        room->wire = pin_arena_alloc(srv->run->steer.arena, bytes);
        room->wire_bytes = room->wire == NULL ? 0 : bytes;
    }
    srv->run->failed = srv->run->failed || room->wire == NULL;
    return room->wire;
}

/* The number of a port behind a share; 0: it has none. */
static uint16_t port_of(struct srv *srv, const struct pin_share *share, const struct pin_port *port)
{
    return pin_compile_own_port(srv->run, share, port).number;
}

/* --- rows
 * ----------------------------------------------------------------------------------------- */

static bool is_same_row(const struct row *row, const struct row *other)
{
    return row->port == other->port && row->target == other->target;
}

/* Whether the row is there; notes its place when it is not. */
static bool find_place(struct rows *rows, const struct row *row)
{
    const uint64_t key[] = {(uintptr_t)row->target, row->port};
    size_t at = pin_hash64(key, sizeof(key)) % N_PLACES;
    for (; rows->places[at] != 0; at = (at + 1) % N_PLACES) {
        if (is_same_row(&rows->row[rows->places[at] - 1], row)) {
            return true;
        }
    }
    rows->places[at] = (uint16_t)(rows->n + 1);
    return false;
}

/* Identical RRs are one RR. They can only stem from another port of the service (rows before
 * `first`), or from the row before, since the targets of one port differ or are all the same. */
static bool is_there(struct rows *rows, const struct row *row)
{
    if (rows->places != NULL) {
        return find_place(rows, row);
    }
    for (size_t i = 0; i < rows->first; i++) {
        if (is_same_row(&rows->row[i], row)) {
            return true;
        }
    }
    return false;
}

static void add_row(struct rows *rows, const struct row *row)
{
    if (rows->n > rows->first && is_same_row(&rows->row[rows->n - 1], row)) {
        rows->row[rows->n - 1].share += row->share;
    } else if (rows->n < ROWS_MAX && !is_there(rows, row)) {
        rows->row[rows->n++] = *row;
    }
}

/* Whole percents where every share is one, else scaled to a largest of 65535. */
static void set_weights(struct row *row, size_t n)
{
    uint64_t sum = 0;
    uint64_t largest = 1;
    bool is_percent = true;
    for (size_t i = 0; i < n; i++) {
        sum += row[i].share;
        largest = PIN_MAX(largest, row[i].share);
    }
    for (size_t i = 0; i < n; i++) {
        is_percent = is_percent && sum > 0 && row[i].share * 100 % sum == 0;
    }
    for (size_t i = 0; i < n; i++) {
        double scaled = (double)row[i].share / (double)largest * UINT16_MAX;
        row[i].srv_weight =
            is_percent ? (uint16_t)(row[i].share * 100 / sum) : (uint16_t)PIN_MAX(1.0, scaled);
    }
}

/* Addresses of targets, each target once however many ports name it. */
struct extras {
    struct pin_extra extra[EXTRAS_MAX];
    const struct pin_name *target[EXTRAS_MAX];
    uint16_t n;
};

static void add_extra(struct extras *extras, const struct row *row, size_t target_offset)
{
    bool is_empty = row->tables[0] == NULL && row->tables[1] == NULL;
    for (uint16_t i = 0; i < extras->n; i++) {
        is_empty = is_empty || extras->target[i] == row->target;
    }
    if (!is_empty && extras->n < EXTRAS_MAX) {
        extras->target[extras->n] = row->target;
        extras->extra[extras->n++] = (struct pin_extra){
            .target_offset = (uint32_t)target_offset, .a = row->tables[0], .aaaa = row->tables[1]};
    }
}

/* The target as the class calls it: asked by the common name, below the common name. */
static struct pin_name class_target(
    const struct srv *srv, const struct pin_class *class, const struct pin_name *target)
{
    struct pin_name name = *target;
    const struct pin_name *own = &srv->run->catalog->zone_own->apex;
    if (class->is_own) {
        size_t bytes = (size_t)target->bytes - srv->run->zone->apex.bytes;
        memcpy(name.wire + bytes, own->wire, own->bytes);
        name.bytes = (uint8_t)(bytes + own->bytes); /* shorter: the cluster's label is gone */
    }
    return name;
}

/* What verdicts mean for the rows; NULL when nothing. */
static const struct pin_checked *rows_checked(const struct srv *srv, const struct rows *rows)
{
    const struct pin_steer *steer = &srv->run->steer;
    uint32_t *slots = srv->room.slots;
    for (size_t i = 0; i < rows->n; i++) {
        slots[i] = rows->row[i].slot;
    }
    return pin_checks_compile_rows(steer, slots, rows->n, rows->window_s, &srv->run->checks);
}

static bool has_sticky(const struct extras *extras)
{
    for (uint16_t i = 0; i < extras->n; i++) {
        const struct pin_table *tables[] = {extras->extra[i].a, extras->extra[i].aaaa};
        for (size_t f = 0; f < N_ELEMS(tables); f++) {
            if (tables[f] != NULL && tables[f]->is_sticky) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the rows can be told in few bytes. */
static bool are_packable(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct pin_target *pod = rows->row[i].pod;
        if (pod == NULL || pod->n_ips == 0 || pod->n_ips > PIN_TARGET_IPS_MAX) {
            return false;
        }
    }
    return true;
}

/* The bytes of the one address that the row's target is named by; 0: it is more than that. */
static uint8_t bare_ip_bytes(const struct row *row)
{
    const struct pin_target *pod = row->pod;
    if (!pod->is_dashed || pod->n_ips != 1) {
        return 0;
    }
    return pod->ips[0].family == 4 ? 4 : 16;
}

/* Whether a row continues the run of the one before. */
static bool is_alike(const struct row *row, const struct row *before)
{
    return row->port == before->port && row->srv_weight == before->srv_weight
           && strcmp(row->pod->source, before->pod->source) == 0
           && bare_ip_bytes(row) == bare_ip_bytes(before);
}

static void put_run(struct pin_buf *w, const struct row *first, size_t n)
{
    struct pin_name source;
    pin_name_root(&source);
    if (first->pod->source[0] != '\0') {
        (void)pin_name_prepend(&source, first->pod->source, strlen(first->pod->source)); /* plain */
    }
    pin_buf_put_u16(w, (uint16_t)n);
    pin_buf_put_u16(w, first->port);
    pin_buf_put_u16(w, first->srv_weight);
    pin_buf_put_u8(w, (uint8_t)(source.bytes - 1));
    pin_buf_put_bytes(w, source.wire, source.bytes - 1u);
    pin_buf_put_u8(w, bare_ip_bytes(first));
}

static void put_row(struct pin_buf *w, const struct row *row)
{
    const struct pin_target *pod = row->pod;
    const uint8_t *label = pod->name.wire;
    uint8_t label_bytes = pod->is_dashed ? 0 : label[0];
    uint8_t ip_bytes = bare_ip_bytes(row);
    if (ip_bytes != 0) {
        pin_buf_put_bytes(w, pod->ips[0].bytes, ip_bytes);
        return;
    }
    pin_buf_put_u8(w, label_bytes);
    pin_buf_put_bytes(w, label + 1, label_bytes);
    pin_buf_put_u8(w, (uint8_t)pod->n_ips);
    for (size_t i = 0; i < pod->n_ips; i++) {
        pin_buf_put_u8(w, pod->ips[i].family);
        pin_buf_put_bytes(w, pod->ips[i].bytes, pod->ips[i].family == 4 ? 4 : 16);
    }
}

static void put_runs(struct pin_buf *w, const struct rows *rows)
{
    size_t end = 0;
    for (size_t i = 0; i < rows->n; i++) {
        if (i == end) {
            for (end++; end < rows->n && is_alike(&rows->row[end], &rows->row[i]); end++) {
            }
            put_run(w, &rows->row[i], end - i);
        }
        put_row(w, &rows->row[i]);
    }
}

/* A table of targets; the same for askers by any name of the zone. */
static const struct pin_table *packed_table(
    struct srv *srv, const struct rows *rows, const struct pin_rrset *old)
{
    struct pin_compile *run = srv->run;
    size_t cap = PIN_TARGETS_HEAD_BYTES;
    for (size_t i = 0; i < rows->n; i++) {
        cap += ROW_BYTES + rows->row[i].pod->n_ips * IP_BYTES;
    }
    uint8_t *wire = wire_room(srv, cap);
    if (wire == NULL) {
        return NULL;
    }
    struct pin_buf w = pin_buf_init(wire, cap);
    pin_buf_put_u32(&w, run->ttl_s);
    put_runs(&w, rows);
    return pin_compile_table(run,
        &(struct pin_table_spec){
            .form = PIN_TABLE_TARGETS,
            .n_rr = (uint16_t)rows->n,
            .wire = wire,
            .wire_bytes = (uint32_t)pin_buf_used(&w),
            .clusters = rows->clusters,
            .n_clusters = rows->n_clusters,
        },
        old);
}

static const struct pin_table *written_table(struct srv *srv, const struct rows *rows,
    const struct pin_class *class, const struct pin_checked *checked, const struct pin_rrset *old)
{
    struct pin_compile *run = srv->run;
    size_t cap = rows->n * (SRV_FIXED_BYTES + PIN_NAME_MAX_BYTES);
    uint8_t *wire = wire_room(srv, cap + 1);
    struct extras extras = {.n = 0};
    if (wire == NULL) {
        return NULL;
    }
    struct pin_buf w = pin_buf_init(wire, cap);
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->row[i];
        struct pin_name target = class_target(srv, class, row->target);
        pin_buf_put_u16(&w, PIN_OWNER_POINTER);
        pin_buf_put_u16(&w, PIN_TYPE_SRV);
        pin_buf_put_u16(&w, PIN_CLASS_IN);
        pin_buf_put_u32(&w, run->ttl_s);
        pin_buf_put_u16(&w, (uint16_t)(6 + target.bytes));
        pin_buf_put_u16(&w, 0);
        pin_buf_put_u16(&w, row->srv_weight);
        pin_buf_put_u16(&w, row->port);
        add_extra(&extras, row, pin_buf_used(&w));
        pin_buf_put_bytes(&w, target.wire, target.bytes);
    }
    return pin_compile_table(run,
        &(struct pin_table_spec){
            .form = PIN_TABLE_FIXED,
            .n_rr = (uint16_t)rows->n,
            .wire = wire,
            .wire_bytes = (uint32_t)pin_buf_used(&w),
            .clusters = rows->clusters,
            .n_clusters = rows->n_clusters,
            .is_sticky = has_sticky(&extras),
            .extras = extras.extra,
            .n_extras = extras.n,
            .checked = checked,
        },
        old);
}

static const struct pin_table *rows_table(struct srv *srv, const struct rows *rows,
    const struct pin_class *class, const struct pin_rrset *old)
{
    if (rows->n == 0) {
        return NULL;
    }
    const struct pin_checked *checked = rows_checked(srv, rows);
    return checked == NULL && are_packable(rows) ? packed_table(srv, rows, old)
                                                 : written_table(srv, rows, class, checked, old);
}

/* --- ClusterSetIP services
 * ------------------------------------------------------------------------- */

/* The SRV target <dashed-ip>.<name> of one address; made and put on first use. */
static struct pin_target *dashed_target(struct srv *srv, const struct pin_share *share)
{
    struct pin_compile *run = srv->run;
    char label[PIN_IP_DASHED_MAX];
    struct pin_target target = {.name = *srv->name, .contribution = share->contribution};
    pin_ip_dashed(&share->ip, label);
    if (pin_name_prepend(&target.name, label, strlen(label)) != PIN_OK) {
        return NULL;
    }
    for (size_t i = 0; i < srv->n_targets; i++) {
        size_t at = (srv->next_target + i) % srv->n_targets;
        if (srv->targets[at].name.bytes == target.name.bytes
            && memcmp(srv->targets[at].name.wire, target.name.wire, target.name.bytes) == 0) {
            srv->next_target = at + 1;
            return &srv->targets[at];
        }
    }
    enum pin_family_i family_i = share->ip.family == 4 ? PIN_FAMILY_V4 : PIN_FAMILY_V6;
    const struct pin_table *table =
        pin_compile_addresses(run, &target.name, family_i, &share->ip, 1, share->cluster_id);
    const struct pin_table **tables =
        pin_arena_alloc(run->steer.arena, run->n_classes * sizeof(*tables));
    if (table == NULL || tables == NULL || srv->n_targets == srv->cap_targets) {
        return NULL;
    }
    for (size_t i = 0; i < run->n_classes; i++) {
        tables[i] = table;
    }
    struct pin_rrset rrset;
    (void)pin_compile_rrset(run, pin_family_type(family_i), tables, &rrset);
    pin_compile_put(run, &target.name, &rrset, 1);
    target.tables[family_i] = tables;
    srv->targets[srv->n_targets] = target;
    return &srv->targets[srv->n_targets++];
}

/* The one port all addresses of the class share, or 0 when they differ or none has it. */
static uint16_t common_port(
    struct srv *srv, const struct pin_class *class, const struct pin_port *port)
{
    uint16_t common = 0;
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (size_t i = 0; i < class->plans[f].n_shares; i++) {
            uint16_t number = port_of(srv, &class->plans[f].shares[i], port);
            if (number == 0 || (common != 0 && number != common)) {
                return 0;
            }
            common = number;
        }
    }
    return common;
}

/* Adds the row of one address: at the service's name where all addresses share the port. */
static void add_share(struct srv *srv, size_t class_i, const struct pin_share *share, uint16_t port,
    bool is_common, struct rows *rows)
{
    const struct pin_class *class = &srv->run->classes[class_i];
    enum pin_family_i family_i = share->ip.family == 4 ? PIN_FAMILY_V4 : PIN_FAMILY_V6;
    struct row row = {.port = port,
        .share = share->weight,
        .slot = PIN_SLOT_NONE,
        .target = srv->name,
        .tables = {class->tables[0], class->tables[1]}};
    if (!is_common) {
        const struct pin_target *target = dashed_target(srv, share);
        if (target == NULL) {
            return;
        }
        row.target = &target->name;
        row.slot = share->slot;
        rows->window_s = PIN_MAX(rows->window_s, class->plans[family_i].window_s);
        row.tables[0] = NULL;
        row.tables[1] = NULL;
        row.tables[family_i] = target->tables[family_i][class_i];
    }
    add_row(rows, &row);
}

/* Notes whose data the rows of a port are: clusters may have an address in common. */
static void add_clusters(
    const struct pin_plan *plan, const struct pin_port *port, struct rows *rows)
{
    for (size_t i = 0; i < plan->n_shown; i++) {
        const struct pin_share any = {.via = PIN_VIA_GATEWAY, .contribution = plan->shown[i]};
        if (pin_share_port(&any, port) != 0) {
            rows->n_clusters = pin_compile_add_cluster(
                rows->clusters, rows->n_clusters, plan->shown[i]->cluster_id);
        }
    }
    if (plan->n_shares > 0 && plan->shares[0].contribution == NULL) {
        rows->n_clusters =
            pin_compile_add_cluster(rows->clusters, rows->n_clusters, plan->shares[0].cluster_id);
    }
}

static void add_port(
    struct srv *srv, size_t class_i, const struct pin_port *port, struct rows *rows)
{
    const struct pin_class *class = &srv->run->classes[class_i];
    uint16_t common = common_port(srv, class, port);
    rows->first = rows->n;
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        add_clusters(&class->plans[f], port, rows);
        size_t n = class->plans[f].n_shares;
        for (size_t i = 0; i < n && (common != 0 || rows->n < ROWS_MAX); i++) {
            const struct pin_share *share = &class->plans[f].shares[i];
            uint16_t number = port_of(srv, share, port);
            if (number != 0) {
                add_share(srv, class_i, share, number, common != 0, rows);
            }
        }
    }
    set_weights(rows->row + rows->first, rows->n - rows->first);
}

/* --- headless services
 * ------------------------------------------------------------------------------ */

/* The slot of the endpoint behind a pod's name. */
static uint32_t target_slot(
    const struct srv *srv, const struct pin_target *target, struct rows *rows)
{
    const struct pin_contribution *c = target->contribution;
    enum pin_family_i f = target->ready->ip.family == 4 ? PIN_FAMILY_V4 : PIN_FAMILY_V6;
    struct pin_plan plan = {.family_i = f};
    uint32_t slot = srv->run->is_cluster_zone ? PIN_SLOT_NONE
                                              : pin_checks_endpoint(&srv->run->steer, &plan, c, f,
                                                  (uint32_t)(target->ready - c->ready[f]));
    rows->window_s = PIN_MAX(rows->window_s, plan.window_s);
    return slot;
}

/* NULL where the name shows nothing, or has no node. */
static const struct pin_table *class_table(
    const struct pin_target *target, size_t family_i, size_t class_i)
{
    return target->tables[family_i] != NULL ? target->tables[family_i][class_i] : NULL;
}

static void add_headless_port(
    struct srv *srv, size_t class_i, const struct pin_port *port, struct rows *rows)
{
    const struct pin_class *class = &srv->run->classes[class_i];
    const struct pin_contribution *last = NULL;
    bool is_last_shown = false;
    rows->first = rows->n;
    for (size_t i = 0; i < srv->n_targets && rows->n < ROWS_MAX; i++) {
        const struct pin_target *target = &srv->targets[i];
        if (target->contribution != last) {
            last = target->contribution;
            is_last_shown = pin_class_shows(class, last);
        }
        bool is_near = srv->run->is_cluster_zone
                       || pin_steer_is_near(&srv->run->steer, target->contribution, class->viewer);
        struct pin_share share = {.via = is_near ? PIN_VIA_ENDPOINT : PIN_VIA_GATEWAY,
            .contribution = target->contribution,
            .ready = target->ready};
        uint16_t number = port_of(srv, &share, port);
        if (!is_last_shown || number == 0) {
            continue;
        }
        rows->n_clusters = pin_compile_add_cluster(
            rows->clusters, rows->n_clusters, target->contribution->cluster_id);
        add_row(rows,
            &(struct row){.port = number,
                .share = 1,
                .slot = is_near ? target_slot(srv, target, rows) : PIN_SLOT_NONE,
                .target = &target->name,
                .pod = target,
                .tables = {class_table(target, 0, class_i), class_table(target, 1, class_i)}});
    }
    set_weights(rows->row + rows->first, rows->n - rows->first);
}

/* --- RRsets
 * ------------------------------------------------------------------------------------------ */

static bool new_places(struct srv *srv, struct rows *rows)
{
    struct room *room = &srv->room;
    const size_t bytes = N_PLACES * sizeof(*room->places);
    if (room->places == NULL) {
        room->places = pin_arena_alloc(srv->run->steer.arena, bytes);
    } else {
        memset(room->places, 0, bytes);
    }
    rows->places = room->places;
    return rows->places != NULL;
}

static bool new_rows(struct srv *srv, size_t n_ports, struct rows *rows)
{
    struct pin_arena *arena = srv->run->steer.arena;
    struct room *room = &srv->room;
    size_t n_shares = 0;
    for (size_t i = 0; i < srv->run->n_classes; i++) {
        const struct pin_class *class = &srv->run->classes[i];
        n_shares = PIN_MAX(n_shares, class->plans[0].n_shares + class->plans[1].n_shares);
    }
    size_t n_rows = PIN_MAX(n_shares, srv->n_targets) * PIN_MAX(n_ports, 1);
    n_rows = PIN_MIN(n_rows, ROWS_MAX) + 1;
    if (n_rows > room->n_rows) {
        room->rows = pin_arena_alloc(arena, n_rows * sizeof(*room->rows));
        room->slots = pin_arena_alloc(arena, n_rows * sizeof(*room->slots));
        room->n_rows = n_rows;
    }
    if (room->clusters == NULL) {
        room->clusters = pin_arena_alloc(
            arena, (srv->run->catalog->settings->n_clusters + 1) * sizeof(*room->clusters));
    }
    rows->row = room->rows;
    rows->clusters = room->clusters;
    return room->rows != NULL && room->slots != NULL && room->clusters != NULL
           && (n_ports < 2 || n_rows <= FEW_ROWS || new_places(srv, rows));
}

/* The SRV RRset for some ports; `owner` is where it will stand. False when no class shows anything.
 */
static bool make_rrset(struct srv *srv, const struct pin_port *const *ports, size_t n_ports,
    const struct pin_name *owner, struct pin_rrset *ret_rrset)
{
    struct pin_compile *run = srv->run;
    const struct pin_rrset *old = pin_compile_old(run, owner, PIN_TYPE_SRV);
    const struct pin_table **tables =
        pin_arena_alloc(run->steer.arena, run->n_classes * sizeof(*tables));
    for (size_t i = 0; tables != NULL && i < run->n_classes; i++) {
        struct rows rows = {0};
        if (!new_rows(srv, n_ports, &rows)) {
            tables = NULL;
            break;
        }
        for (size_t p = 0; p < n_ports && rows.n < ROWS_MAX; p++) {
            if (srv->facts->is_headless) {
                add_headless_port(srv, i, ports[p], &rows);
            } else {
                add_port(srv, i, ports[p], &rows);
            }
        }
        tables[i] = rows_table(srv, &rows, &run->classes[i], old);
    }
    if (tables == NULL) {
        run->failed = true;
        return false;
    }
    return pin_compile_rrset(run, PIN_TYPE_SRV, tables, ret_rrset);
}

static const char *protocol_label(enum pin_protocol protocol)
{
    static const char *const labels[] = {
        [PIN_PROTOCOL_TCP] = "_tcp", [PIN_PROTOCOL_UDP] = "_udp", [PIN_PROTOCOL_SCTP] = "_sctp"};
    return labels[protocol];
}

/* Puts _port._proto.<name>; an unnamed port has no such name. */
static void put_port(struct srv *srv, const struct pin_port *const *port)
{
    const char *protocol = protocol_label((*port)->protocol);
    struct pin_rrset rrset;
    struct pin_name owner = *srv->name;
    char label[PIN_LABEL_MAX_BYTES + 1];
    if ((*port)->name == NULL || strlen((*port)->name) > PIN_LABEL_MAX_BYTES - 1) {
        return;
    }
    (void)snprintf(label, sizeof(label), "_%s", (*port)->name);
    if (pin_name_prepend(&owner, protocol, strlen(protocol)) != PIN_OK
        || pin_name_prepend(&owner, label, strlen(label)) != PIN_OK) {
        return;
    }
    bool has_any = make_rrset(srv, port, 1, &owner, &rrset);
    pin_compile_put(srv->run, &owner, &rrset, has_any);
}

bool pin_compile_srv(struct pin_compile *run, const struct pin_facts *facts,
    const struct pin_name *name, struct pin_rrset *ret_bare)
{
    struct srv srv = {.run = run, .facts = facts, .name = name};
    if (facts->is_headless) {
        srv.n_targets = pin_compile_pods(run, facts, name, &srv.targets);
    } else {
        for (size_t i = 0; i < run->n_classes; i++) {
            srv.cap_targets +=
                run->classes[i].plans[0].n_shares + run->classes[i].plans[1].n_shares;
        }
        srv.targets =
            pin_arena_alloc(run->steer.arena, (srv.cap_targets + 1) * sizeof(*srv.targets));
        run->failed = run->failed || srv.targets == NULL;
    }
    if (run->failed || facts->n_ports == 0) {
        return false;
    }
    for (size_t i = 0; i < facts->n_ports; i++) {
        put_port(&srv, &facts->ports[i]);
    }
    return make_rrset(
        &srv, (const struct pin_port *const *)facts->ports, facts->n_ports, name, ret_bare);
}
