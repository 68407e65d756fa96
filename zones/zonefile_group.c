/* SPDX-License-Identifier: Apache-2.0 */

/* A zone file's RRs to names and RRsets, and what must hold between them. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "zones/zonefile.h"

/* Longest RRset: more does not fit a message. */
#define SET_MAX_BYTES 65000u
#define RR_HEAD_BYTES 12u

/* RRs of a zone on their way into sets. */
struct grouping {
    struct pin_zonefile *zonefile;
    struct pin_zonefile_faults *faults;
    struct pin_zonefile_rr *rrs;
    size_t n_rrs;
    struct pin_static_set *sets;
    size_t n_sets;
};

static int compare_bytes(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes)
{
    int order = memcmp(a, b, PIN_MIN(a_bytes, b_bytes));
    return order != 0 ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static bool is_same_name(const struct pin_zonefile_rr *a, const struct pin_zonefile_rr *b)
{
    return compare_bytes(a->name, a->name_bytes, b->name, b->name_bytes) == 0;
}

/* By owner, type and data, so that duplicates are neighbours; then as they stand in the text. */
static int compare_rr(const void *x, const void *y)
{
    const struct pin_zonefile_rr *a = x;
    const struct pin_zonefile_rr *b = y;
    int order = compare_bytes(a->name, a->name_bytes, b->name, b->name_bytes);
    if (order == 0) {
        order = (a->type > b->type) - (a->type < b->type);
    }
    if (order == 0) {
        order = compare_bytes(a->rdata, a->rdata_bytes, b->rdata, b->rdata_bytes);
    }
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static bool is_same_rr(const struct pin_zonefile_rr *a, const struct pin_zonefile_rr *b)
{
    return a->type == b->type && is_same_name(a, b)
           && compare_bytes(a->rdata, a->rdata_bytes, b->rdata, b->rdata_bytes) == 0;
}

static const char *name_text(const uint8_t *wire, char text[PIN_NAME_TEXT_MAX])
{
    pin_name_format(wire, text);
    return text;
}

/* --- sets ---------------------------------------------------------------------------------- */

/* Where the set that begins at `from` ends. */
static size_t set_end(const struct grouping *g, size_t from)
{
    size_t end = from + 1;
    while (end < g->n_rrs && g->rrs[end].type == g->rrs[from].type
           && is_same_name(&g->rrs[end], &g->rrs[from])) {
        end++;
    }
    return end;
}

static void check_ttls(struct grouping *g, size_t from, size_t end, struct pin_static_set *set)
{
    const struct pin_zonefile_rr *odd = NULL;
    set->ttl_s = g->rrs[from].ttl_s;
    for (size_t i = from + 1; i < end; i++) {
        if (g->rrs[i].ttl_s != set->ttl_s) {
            odd = &g->rrs[i];
            set->ttl_s = PIN_MIN(set->ttl_s, odd->ttl_s);
        }
    }
    if (odd != NULL) {
        char text[PIN_NAME_TEXT_MAX];
        pin_zonefile_warn(g->faults, odd->path, odd->line,
            "%.255s: records of one type have several TTLs, the shortest (%u) counts for all",
            name_text(odd->name, text), set->ttl_s);
    }
}

/* Writes a set's RRs, each once. False when memory is out. */
static bool write_set(struct grouping *g, size_t from, size_t end, struct pin_static_set *set)
{
    size_t bytes = 0;
    for (size_t i = from; i < end; i++) {
        bytes += RR_HEAD_BYTES + g->rrs[i].rdata_bytes;
    }
    uint8_t *wire = pin_arena_alloc(g->zonefile->arena, bytes);
    if (wire == NULL) {
        return false;
    }
    struct pin_buf w = pin_buf_init(wire, bytes);
    for (size_t i = from; i < end; i++) {
        const struct pin_zonefile_rr *rr = &g->rrs[i];
        if (i > from && is_same_rr(rr, rr - 1)) {
            continue;
        }
        pin_buf_put_u16(&w, PIN_OWNER_POINTER);
        pin_buf_put_u16(&w, rr->type);
        pin_buf_put_u16(&w, PIN_CLASS_IN);
        pin_buf_put_u32(&w, set->ttl_s);
        pin_buf_put_u16(&w, rr->rdata_bytes);
        pin_buf_put_bytes(&w, rr->rdata, rr->rdata_bytes);
        set->n_rr++;
    }
    set->wire = wire;
    set->wire_bytes = (uint32_t)pin_buf_used(&w);
    g->zonefile->n_rrs += set->n_rr;
    return true;
}

static bool is_single(uint16_t type)
{
    return type == PIN_TYPE_SOA || type == PIN_TYPE_CNAME || type == PIN_TYPE_DNAME;
}

/* Tells of the last RR of a set that may have one only. */
static void fault_second(struct grouping *g, size_t from, size_t end)
{
    const struct pin_zonefile_rr *last = &g->rrs[from];
    char text[PIN_NAME_TEXT_MAX];
    for (size_t i = from + 1; i < end; i++) {
        last = g->rrs[i].line > last->line ? &g->rrs[i] : last;
    }
    pin_zonefile_fault(g->faults, last->path, last->line,
        "%.255s: a second %s: a name has one at most", name_text(last->name, text),
        last->type == PIN_TYPE_SOA     ? "SOA"
        : last->type == PIN_TYPE_CNAME ? "CNAME"
                                       : "DNAME");
}

/* Makes the sets of the name whose first RR is `from`; returns where the next name begins, 0 when
 * memory is out. */
static size_t make_sets(struct grouping *g, size_t from, struct pin_static_name *name)
{
    const struct pin_zonefile_rr *first = &g->rrs[from];
    char text[PIN_NAME_TEXT_MAX];
    *name = (struct pin_static_name){
        .wire = first->name, .bytes = first->name_bytes, .sets = g->sets + g->n_sets};
    while (from < g->n_rrs && is_same_name(&g->rrs[from], first)) {
        const struct pin_zonefile_rr *rr = &g->rrs[from];
        struct pin_static_set *set = &g->sets[g->n_sets++];
        size_t end = set_end(g, from);
        *set = (struct pin_static_set){.type = rr->type, .path = rr->path, .line = rr->line};
        check_ttls(g, from, end, set);
        if (!write_set(g, from, end, set)) {
            return 0;
        }
        if (set->n_rr > 1 && is_single(set->type)) {
            fault_second(g, from, end);
        }
        if (set->wire_bytes > SET_MAX_BYTES) {
            pin_zonefile_fault(g->faults, rr->path, rr->line,
                "%.255s: its records of one type have %u bytes, no answer holds more than %u",
                name_text(rr->name, text), set->wire_bytes, SET_MAX_BYTES);
        }
        name->n_sets++;
        from = end;
    }
    return from;
}

/* --- what must hold ------------------------------------------------------------------------ */

/* An alias stands alone (RFC 2181, section 10.1), but for signatures (RFC 4034, section 3). */
static void check_alias(struct grouping *g, const struct pin_static_name *name)
{
    const struct pin_static_set *alias = pin_static_find(name, PIN_TYPE_CNAME);
    char text[PIN_NAME_TEXT_MAX];
    for (uint16_t i = 0; alias != NULL && i < name->n_sets; i++) {
        uint16_t type = name->sets[i].type;
        if (type != PIN_TYPE_CNAME && type != PIN_TYPE_RRSIG && type != PIN_TYPE_NSEC) {
            pin_zonefile_fault(g->faults, alias->path, alias->line,
                "%.255s is a CNAME and has other records too (line %u): keep one of them",
                name_text(name->wire, text), name->sets[i].line);
            return;
        }
    }
}

/* Whether the name, found on the way up from another, hides what is below it. */
static bool hides(const struct pin_zonefile *zonefile, const struct pin_static_name *name)
{
    bool is_cut = name->bytes != zonefile->apex.bytes && pin_static_find(name, PIN_TYPE_NS) != NULL
                  && !(name->wire[0] == 1 && name->wire[1] == '*');
    return is_cut || pin_static_find(name, PIN_TYPE_DNAME) != NULL;
}

/* Marks a name below a delegation or a DNAME, and tells of data that nobody will see. */
static void mark_hidden(struct grouping *g, struct pin_static_name *name)
{
    const struct pin_zonefile *zonefile = g->zonefile;
    const uint8_t *at = name->wire;
    size_t bytes = name->bytes;
    const struct pin_static_name *by = NULL;
    while (bytes > zonefile->apex.bytes && by == NULL) {
        bytes -= (size_t)at[0] + 1;
        at = pin_name_parent(at);
        by = pin_zonefile_find(zonefile, at, bytes);
        by = by != NULL && hides(zonefile, by) ? by : NULL;
    }
    name->is_hidden = by != NULL;
    for (uint16_t i = 0; by != NULL && i < name->n_sets; i++) {
        const struct pin_static_set *set = &name->sets[i];
        bool is_glue = set->type == PIN_TYPE_A || set->type == PIN_TYPE_AAAA;
        if (!is_glue || pin_static_find(by, PIN_TYPE_DNAME) != NULL) {
            char text[PIN_NAME_TEXT_MAX];
            char above[PIN_NAME_TEXT_MAX];
            pin_zonefile_warn(g->faults, set->path, set->line,
                "%.255s is not answered: %.255s above it is %s", name_text(name->wire, text),
                name_text(by->wire, above),
                pin_static_find(by, PIN_TYPE_DNAME) != NULL ? "a DNAME" : "delegated");
            return;
        }
    }
}

static void check_apex(struct grouping *g, const char *path)
{
    struct pin_zonefile *zonefile = g->zonefile;
    char text[PIN_NAME_TEXT_MAX];
    const struct pin_static_name *apex =
        pin_zonefile_find(zonefile, zonefile->apex.wire, zonefile->apex.bytes);
    const struct pin_static_set *soa = apex != NULL ? pin_static_find(apex, PIN_TYPE_SOA) : NULL;
    (void)name_text(zonefile->apex.wire, text);
    if (soa == NULL) {
        pin_zonefile_fault(g->faults, path, 0,
            "no SOA: add \"%.255s IN SOA <name server> <mailbox> <serial> 7200 1800 86400 300\"",
            text);
    } else {
        const uint8_t *serial = soa->wire + soa->wire_bytes - 20;
        zonefile->serial = pin_get_be32(serial);
    }
    if (apex == NULL || pin_static_find(apex, PIN_TYPE_NS) == NULL) {
        pin_zonefile_fault(
            g->faults, path, 0, "no name server: add \"%.255s IN NS <name server>\"", text);
    }
}

/* --- the whole ----------------------------------------------------------------------------- */

static size_t count_names(const struct grouping *g)
{
    size_t n = g->n_rrs > 0;
    for (size_t i = 1; i < g->n_rrs; i++) {
        n += !is_same_name(&g->rrs[i], &g->rrs[i - 1]);
    }
    return n;
}

enum pin_err pin_zonefile_group(struct pin_zonefile *zonefile, struct pin_zonefile_rr *rrs,
    size_t n_rrs, const char *path, struct pin_zonefile_faults *faults)
{
    struct grouping g = {.zonefile = zonefile, .faults = faults, .rrs = rrs, .n_rrs = n_rrs};
    if (n_rrs > 0) {
        qsort(rrs, n_rrs, sizeof(*rrs), compare_rr);
    }
    size_t n_names = count_names(&g);
    zonefile->names = pin_arena_alloc(zonefile->arena, n_names * sizeof(*zonefile->names));
    g.sets = pin_arena_alloc(zonefile->arena, n_rrs * sizeof(*g.sets));
    if (zonefile->names == NULL || g.sets == NULL) {
        return PIN_ENOMEM;
    }
    for (size_t at = 0; at < n_rrs;) {
        struct pin_static_name *name = &zonefile->names[zonefile->n_names];
        at = make_sets(&g, at, name);
        if (at == 0 || !pin_map_put(&zonefile->by_name, name->wire, name->bytes, name, NULL)) {
            return PIN_ENOMEM;
        }
        zonefile->n_names++;
        check_alias(&g, name);
    }
    for (size_t i = 0; i < zonefile->n_names; i++) {
        mark_hidden(&g, &zonefile->names[i]);
    }
    check_apex(&g, path);
    return PIN_OK;
}

void pin_zonefile_free(struct pin_zonefile *zonefile)
{
    if (zonefile != NULL) {
        pin_map_done(&zonefile->by_name, NULL);
        pin_arena_free(zonefile->arena);
        free(zonefile);
    }
}

uint32_t pin_zonefile_serial(const struct pin_zonefile *zonefile)
{
    return zonefile->serial;
}

size_t pin_zonefile_n_rrs(const struct pin_zonefile *zonefile)
{
    return zonefile->n_rrs;
}

const struct pin_static_name *pin_zonefile_find(
    const struct pin_zonefile *zonefile, const uint8_t *wire, size_t bytes)
{
    return pin_map_find(&zonefile->by_name, wire, bytes);
}

const struct pin_static_set *pin_static_find(const struct pin_static_name *name, uint16_t type)
{
    for (uint16_t i = 0; i < name->n_sets; i++) {
        if (name->sets[i].type == type) {
            return &name->sets[i];
        }
    }
    return NULL;
}
