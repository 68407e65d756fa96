/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SVCB and HTTPS RRsets (RFC 9460) of routes: the real port, and what TLS carries on it, where a
 * listener or appProtocol says that it is TLS. Clients upgrade when they see an HTTPS RR (section
 * 9.5), so what does not speak TLS has none.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/buf.h"

#include "zones/compile.h"

#define KEY_ALPN 1u
#define KEY_PORT 3u
#define PRIORITY 1u
/* The port of a URL without one: only others have names of their own. */
#define HTTPS_PORT 443u
/* Names _N._https and addresses with ports of their own that one RRset holds. */
#define NUMBERS_MAX 16u
#define ROWS_MAX    64u
/* Bytes of an RR with alpn and port, but for its target. */
#define RR_FIXED_BYTES 48u

/* What the RRsets of one route are made from. */
struct svcb {
    struct pin_compile *run;
    const struct pin_name *name;
    const struct pin_port *const *ports;
    size_t n_ports;
    enum pin_kind kind;
};

/* One RR to be. */
struct binding {
    uint16_t port;
    const struct pin_ip *ip; /* whose dashed name is the target; NULL: the owner itself */
    const struct pin_port *source;
};

static bool is_word(const char *text, const char *word)
{
    return text != NULL && strcasecmp(text, word) == 0;
}

/* Protocols that begin with TLS (IANA service names, and those of the Gateway API). */
static bool is_tls(const char *app_protocol)
{
    return is_word(app_protocol, "https") || is_word(app_protocol, "tls")
           || is_word(app_protocol, "kubernetes.io/wss");
}

/* What the port speaks within TLS; NULL where nobody tells. */
static const char *alpn_of(const struct svcb *svcb, const struct pin_port *port)
{
    if (svcb->kind == PIN_KIND_GRPC_ROUTE) {
        return "h2";
    }
    return is_word(port->app_protocol, "kubernetes.io/wss") ? "http/1.1" : NULL;
}

/* Whether URLs lead there: a TLSRoute may carry anything, unless the port says https. */
static bool is_https(const struct svcb *svcb, const struct pin_port *port)
{
    return svcb->kind == PIN_KIND_HTTP_ROUTE || svcb->kind == PIN_KIND_GRPC_ROUTE
           || is_word(port->app_protocol, "https");
}

/* --- which port ---------------------------------------------------------------------------- */

/* The bindings of a port in one class: one for all addresses where they share the number, else one
 * for each. 0: some address does not have the port, or not with TLS. */
static size_t bind_port(const struct svcb *svcb, const struct pin_class *class,
    const struct pin_port *port, struct binding rows[ROWS_MAX])
{
    size_t n = 0;
    bool is_common = true;
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (size_t i = 0; i < class->plans[f].n_shares; i++) {
            const struct pin_share *share = &class->plans[f].shares[i];
            struct pin_own_port own = pin_compile_own_port(svcb->run, share, port);
            if (own.port == NULL || !is_tls(own.port->app_protocol) || own.number == 0) {
                return 0;
            }
            is_common = is_common && (n == 0 || rows[0].port == own.number);
            if (n < ROWS_MAX) {
                rows[n++] =
                    (struct binding){.port = own.number, .ip = &share->ip, .source = own.port};
            }
        }
    }
    if (n > 0 && is_common) {
        rows[0].ip = NULL;
        return 1;
    }
    return n;
}

/* Which of two ports a URL without one means: 443, else the one named https, else the lower. */
static bool is_before(const struct pin_port *a, const struct pin_port *b)
{
    if ((a->port == HTTPS_PORT) != (b->port == HTTPS_PORT)) {
        return a->port == HTTPS_PORT;
    }
    if (is_word(a->name, "https") != is_word(b->name, "https")) {
        return is_word(a->name, "https");
    }
    return a->port < b->port;
}

/* The bindings of the route's bare name in one class. */
static size_t bind_bare(
    const struct svcb *svcb, const struct pin_class *class, struct binding rows[ROWS_MAX])
{
    const struct pin_port *best = NULL;
    for (size_t i = 0; i < svcb->n_ports; i++) {
        const struct pin_port *port = svcb->ports[i];
        if (port->protocol == PIN_PROTOCOL_TCP && bind_port(svcb, class, port, rows) > 0
            && (best == NULL || is_before(port, best))) {
            best = port;
        }
    }
    return best != NULL ? bind_port(svcb, class, best, rows) : 0;
}

/* The binding of _N._https: the addresses whose common port is N. */
static size_t bind_number(const struct svcb *svcb, const struct pin_class *class, uint16_t number,
    struct binding rows[ROWS_MAX])
{
    for (size_t i = 0; i < svcb->n_ports; i++) {
        const struct pin_port *port = svcb->ports[i];
        if (port->protocol == PIN_PROTOCOL_TCP && bind_port(svcb, class, port, rows) == 1
            && rows[0].ip == NULL && rows[0].port == number && is_https(svcb, rows[0].source)) {
            return 1;
        }
    }
    return 0;
}

/* --- tables -------------------------------------------------------------------------------- */

static void put_params(struct pin_buf *w, const char *alpn, uint16_t port)
{
    if (alpn != NULL) {
        size_t bytes = strlen(alpn);
        pin_buf_put_u16(w, KEY_ALPN);
        pin_buf_put_u16(w, (uint16_t)(bytes + 1));
        pin_buf_put_u8(w, (uint8_t)bytes);
        pin_buf_put_bytes(w, alpn, bytes);
    }
    pin_buf_put_u16(w, KEY_PORT);
    pin_buf_put_u16(w, 2);
    pin_buf_put_u16(w, port);
}

/* The target's name: one's own as ".", a dashed one, or, for _N._https, the route's. */
static bool target_of(const struct svcb *svcb, const struct binding *row,
    const struct pin_name *owner, struct pin_name *ret)
{
    char label[PIN_IP_DASHED_MAX];
    if (row->ip == NULL && owner == svcb->name) {
        pin_name_root(ret);
        return true;
    }
    *ret = *svcb->name;
    if (row->ip == NULL) {
        return true;
    }
    pin_ip_dashed(row->ip, label);
    return pin_name_prepend(ret, label, strlen(label)) == PIN_OK;
}

/* Notes whose data it is: all that the class is shown. */
static uint16_t class_clusters(const struct pin_class *class, uint16_t *clusters)
{
    uint16_t n = 0;
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (size_t i = 0; i < class->plans[f].n_shares; i++) {
            n = pin_compile_add_cluster(clusters, n, class->plans[f].shares[i].cluster_id);
        }
    }
    return n;
}

static const struct pin_table *bindings_table(const struct svcb *svcb,
    const struct pin_class *class, const struct pin_name *owner, uint16_t type,
    const struct binding *rows, size_t n_rows)
{
    struct pin_compile *run = svcb->run;
    size_t cap = n_rows * (RR_FIXED_BYTES + PIN_NAME_MAX_BYTES);
    uint8_t *wire = pin_arena_alloc(run->steer.arena, cap);
    uint16_t *clusters = pin_arena_alloc(
        run->steer.arena, (run->catalog->settings->n_clusters + 1) * sizeof(*clusters));
    struct pin_extra extra = {.a = class->tables[0], .aaaa = class->tables[1]};
    if (wire == NULL || clusters == NULL) {
        run->failed = true;
        return NULL;
    }
    struct pin_buf w = pin_buf_init(wire, cap);
    for (size_t i = 0; i < n_rows; i++) {
        struct pin_name target;
        if (!target_of(svcb, &rows[i], owner, &target)) {
            return NULL;
        }
        pin_buf_put_u16(&w, PIN_OWNER_POINTER);
        pin_buf_put_u16(&w, type);
        pin_buf_put_u16(&w, PIN_CLASS_IN);
        pin_buf_put_u32(&w, run->ttl_s);
        size_t length_at = pin_buf_used(&w);
        pin_buf_put_u16(&w, 0);
        pin_buf_put_u16(&w, PRIORITY);
        extra.target_offset = (uint32_t)pin_buf_used(&w);
        pin_buf_put_bytes(&w, target.wire, target.bytes);
        put_params(&w, alpn_of(svcb, rows[i].source), rows[i].port);
        pin_buf_set_u16(&w, length_at, (uint16_t)(pin_buf_used(&w) - length_at - 2));
    }
    struct pin_table_spec spec = {.form = PIN_TABLE_FIXED,
        .n_rr = (uint16_t)n_rows,
        .wire = wire,
        .wire_bytes = (uint32_t)pin_buf_used(&w),
        .clusters = clusters,
        .n_clusters = class_clusters(class, clusters),
        .extras = &extra,
        .n_extras = rows[0].ip == NULL};
    return pin_compile_table(run, &spec, pin_compile_old(run, owner, type));
}

/* --- RRsets -------------------------------------------------------------------------------- */

/* The RRset of one type at the bare name, or, with a number, at _N._https. */
static bool make_rrset(const struct svcb *svcb, const struct pin_name *owner, uint16_t type,
    uint16_t number, struct pin_rrset *ret_rrset)
{
    struct pin_compile *run = svcb->run;
    const struct pin_table **tables =
        pin_arena_alloc(run->steer.arena, run->n_classes * sizeof(*tables));
    if (tables == NULL) {
        run->failed = true;
        return false;
    }
    for (size_t i = 0; i < run->n_classes; i++) {
        struct binding rows[ROWS_MAX];
        const struct pin_class *class = &run->classes[i];
        size_t n =
            number == 0 ? bind_bare(svcb, class, rows) : bind_number(svcb, class, number, rows);
        bool is_wanted = n > 0 && (type == PIN_TYPE_SVCB || is_https(svcb, rows[0].source));
        tables[i] = is_wanted ? bindings_table(svcb, class, owner, type, rows, n) : NULL;
    }
    return pin_compile_rrset(run, type, tables, ret_rrset);
}

/* Puts _N._https (RFC 9460, section 9.1): what a URL with that port asks. */
static void put_number(const struct svcb *svcb, uint16_t number)
{
    struct pin_name owner = *svcb->name;
    struct pin_rrset rrset;
    char label[8];
    int bytes = snprintf(label, sizeof(label), "_%u", number);
    if (pin_name_prepend(&owner, "_https", 6) == PIN_OK
        && pin_name_prepend(&owner, label, (size_t)bytes) == PIN_OK
        && make_rrset(svcb, &owner, PIN_TYPE_HTTPS, number, &rrset)) {
        pin_compile_put(svcb->run, &owner, &rrset, 1);
    }
}

/* Collects the numbers that all addresses of some class share for a port; returns how many. */
static size_t common_numbers(const struct svcb *svcb, uint16_t numbers[NUMBERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < svcb->run->n_classes; i++) {
        for (size_t p = 0; p < svcb->n_ports; p++) {
            struct binding rows[ROWS_MAX];
            bool is_common = svcb->ports[p]->protocol == PIN_PROTOCOL_TCP
                             && bind_port(svcb, &svcb->run->classes[i], svcb->ports[p], rows) == 1
                             && rows[0].ip == NULL && rows[0].port != HTTPS_PORT;
            for (size_t k = 0; is_common && k < n; k++) {
                is_common = numbers[k] != rows[0].port;
            }
            if (is_common && n < NUMBERS_MAX) {
                numbers[n++] = rows[0].port;
            }
        }
    }
    return n;
}

size_t pin_compile_svcb(struct pin_compile *run, const struct pin_route_unit *route,
    const struct pin_plan *ports, struct pin_rrset *ret_rrsets)
{
    struct svcb svcb = {.run = run,
        .name = &route->assigned,
        .ports = ports->ports,
        .n_ports = ports->n_ports,
        .kind = route->object->kind};
    uint16_t numbers[NUMBERS_MAX];
    size_t n = 0;
    n += make_rrset(&svcb, svcb.name, PIN_TYPE_SVCB, 0, &ret_rrsets[n]);
    n += make_rrset(&svcb, svcb.name, PIN_TYPE_HTTPS, 0, &ret_rrsets[n]);
    if (n > 0) {
        size_t n_numbers = common_numbers(&svcb, numbers);
        for (size_t i = 0; i < n_numbers; i++) {
            put_number(&svcb, numbers[i]);
        }
    }
    return n;
}
