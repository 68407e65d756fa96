/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DNSEndpoint objects: records below custom zones. Such an object claims its names as a route
 * claims its hostnames, so it is kept as a route that has no backends and no assigned name.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/buf.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "zones/compile.h"
#include "zones/zonefile.h"

/* When the object says none (design, section 3: as the aliases of custom domains). */
#define TTL_S 300u
/* RRs of one name, and types of it. */
#define RRS_MAX       1000u
#define TYPES_MAX     16u
#define RR_HEAD_BYTES 12u
#define TXT_CHUNK     255u

/* --- units --------------------------------------------------------------------------------- */

/* Longer than any key; a key takes no memory. */
#define KEY_BYTES   1024
#define PLACE_BYTES (KEY_BYTES + 2 + PIN_NAME_TEXT_MAX)

/* "cluster/DNSEndpoint/namespace/name". */
static size_t make_key(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "%s/%s/%s/%s", catalog->settings->clusters[cluster_id].name,
        pin_kind_text(object->kind), object->namespace_name, object->name);
    return strlen(key);
}

static struct pin_route_unit *new_unit(
    struct pin_catalog *catalog, uint16_t cluster_id, const char *key)
{
    struct pin_route_unit *unit = calloc(1, sizeof(*unit));
    char *own_key = strdup(key);
    if (unit == NULL || own_key == NULL
        || !pin_map_put(&catalog->records, key, strlen(key), unit, NULL)) {
        free(own_key);
        free(unit);
        return NULL;
    }
    unit->key = own_key;
    unit->cluster_id = cluster_id;
    unit->cluster = catalog->settings->clusters[cluster_id].name;
    return unit;
}

static void free_unit(void *value)
{
    struct pin_route_unit *unit = value;
    free(unit->hosts);
    free(unit->key);
    free(unit);
}

void pin_records_attach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    char key[KEY_BYTES];
    size_t bytes = make_key(catalog, cluster_id, object, key);
    struct pin_route_unit *unit = pin_map_find(&catalog->records, key, bytes);
    if (unit == NULL) {
        unit = new_unit(catalog, cluster_id, key);
    }
    if (unit == NULL) {
        pin_unit_note_unattached(catalog, object);
        return;
    }
    unit->object = object;
    unit->has_warned = false;
    pin_host_claim(catalog, unit);
}

void pin_records_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    char key[KEY_BYTES];
    size_t bytes = make_key(catalog, cluster_id, object, key);
    struct pin_route_unit *unit = pin_map_find(&catalog->records, key, bytes);
    if (unit != NULL && unit->object == object) {
        pin_host_unclaim(catalog, unit);
        (void)pin_map_remove(&catalog->records, key, bytes);
        free_unit(unit);
    }
}

void pin_records_free_all(struct pin_catalog *catalog)
{
    pin_map_done(&catalog->records, free_unit);
}

/* --- RRs ----------------------------------------------------------------------------------- */

/* What a name has: RRs of several types. */
struct collection {
    struct pin_compile *run;
    struct pin_host_unit *host;
    struct pin_zonefile_rr *rrs;
    size_t n_rrs;
    struct pin_text faults;
};

/* What faults begin with: an object may say very much, so they tell of which of its names. */
static void put_place(
    const struct collection *c, const struct pin_route_unit *owner, char ret_place[PLACE_BYTES])
{
    char shown[PIN_NAME_TEXT_MAX];
    pin_name_format(c->host->name.wire, shown);
    (void)snprintf(ret_place, PLACE_BYTES, "%s: %s", owner->key, shown);
}

/* A plain text as quoted strings of 255 bytes at most; what is quoted already stays. */
static void put_txt(struct pin_text *text, const char *target)
{
    size_t bytes = strlen(target);
    if (bytes >= 2 && target[0] == '"' && target[bytes - 1] == '"') {
        pin_text_puts(text, target);
        return;
    }
    for (size_t i = 0; i < bytes || i == 0; i++) {
        if (i % TXT_CHUNK == 0) {
            pin_text_puts(text, i == 0 ? "\"" : "\" \"");
        }
        if (target[i] == '"' || target[i] == '\\') {
            pin_text_putc(text, '\\');
        }
        if (target[i] != '\0') {
            pin_text_putc(text, target[i]);
        }
    }
    pin_text_putc(text, '"');
}

static void add_target(
    struct collection *c, const struct pin_record *record, const char *target, const char *key)
{
    struct pin_text text = {0};
    struct pin_zonefile_rr rr = {.ttl_s = record->ttl_s != PIN_TTL_UNSET ? record->ttl_s : TTL_S};
    if (strcmp(record->type, "TXT") == 0) {
        put_txt(&text, target);
    } else {
        pin_text_puts(&text, target);
    }
    enum pin_err err = PIN_EPARSE;
    if (c->n_rrs < RRS_MAX && !text.failed) {
        err = pin_zonefile_rdata(
            c->run->steer.arena, key, record->type, pin_text_get(&text), &rr, &c->faults);
    }
    if (err == PIN_OK) {
        c->rrs[c->n_rrs++] = rr;
    }
    c->run->failed = c->run->failed || text.failed || err == PIN_ENOMEM;
    pin_text_done(&text);
}

/* Whether the text is the name's, whose own text is `shown`. An object may say very much, and each
 * of its names looks through it: only what has escapes is parsed. */
static bool is_name(const char *text, const struct pin_name *wanted, const char *shown)
{
    struct pin_name name;
    size_t bytes = strcspn(shown, "\\");
    if (shown[bytes] == '\0' && strchr(text, '\\') == NULL) {
        bytes -= bytes > 1; /* the dot at the end */
        return strncasecmp(text, shown, bytes) == 0
               && (text[bytes] == '\0' || strcmp(text + bytes, ".") == 0);
    }
    return pin_name_parse(text, &name) == PIN_OK && name.bytes == wanted->bytes
           && memcmp(name.wire, wanted->wire, name.bytes) == 0;
}

/* Reads all that the object says of the name. */
static void collect(struct collection *c, const struct pin_route_unit *owner)
{
    const struct pin_records_body *body = &owner->object->as.records;
    char shown[PIN_NAME_TEXT_MAX];
    char place[PLACE_BYTES];
    pin_name_format(c->host->name.wire, shown);
    put_place(c, owner, place);
    for (size_t i = 0; i < body->n_records; i++) {
        if (!is_name(body->records[i].name, &c->host->name, shown)) {
            continue;
        }
        for (size_t t = 0; t < body->records[i].n_targets; t++) {
            add_target(c, &body->records[i], body->records[i].targets[t], place);
        }
    }
}

/* Removes RRs that may not stand where they are, and says so. */
static void drop(struct collection *c, uint16_t type, const char *key, const char *why)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_rrs; i++) {
        if (c->rrs[i].type != type) {
            c->rrs[n++] = c->rrs[i];
        }
    }
    if (n < c->n_rrs) {
        pin_text_putf(&c->faults, "%s: %s\n", key, why);
    }
    c->n_rrs = n;
}

/* Says so where records stand below a delegation and are no glue: nobody asks here for them. */
static void tell_hidden(struct collection *c, const char *place)
{
    char above[PIN_NAME_TEXT_MAX];
    size_t at = 0;
    const struct pin_node *cut =
        pin_index_cut(c->run->catalog->live.index, c->host->name.wire, c->host->name.bytes, &at);
    for (size_t i = 0; cut != NULL && i < c->n_rrs; i++) {
        if (c->rrs[i].type != PIN_TYPE_A && c->rrs[i].type != PIN_TYPE_AAAA) {
            pin_name_format(cut->name, above);
            pin_text_putf(&c->faults,
                "%s: %s above it is delegated: of its records only addresses count, as glue\n",
                place, above);
            return;
        }
    }
}

/* An alias stands alone, and never at an apex, where SOA and NS are the zone's own. */
static void check(struct collection *c, const struct pin_route_unit *owner)
{
    char place[PLACE_BYTES];
    bool is_apex = pin_host_is_flat(c->host);
    bool has_others = false;
    put_place(c, owner, place);
    for (size_t i = 0; i < c->n_rrs; i++) {
        has_others = has_others || c->rrs[i].type != PIN_TYPE_CNAME;
    }
    drop(c, PIN_TYPE_SOA, place, "an SOA is the zone's own, it is left out");
    if (is_apex) {
        drop(c, PIN_TYPE_CNAME, place, "no CNAME may stand at a zone's apex: give the addresses");
        drop(c, PIN_TYPE_NS, place, "the name servers of a zone's apex are the zone's own");
    } else if (has_others) {
        drop(c, PIN_TYPE_CNAME, place, "a CNAME beside other records is left out");
    }
    tell_hidden(c, place);
}

static bool is_same(const struct pin_zonefile_rr *a, const struct pin_zonefile_rr *b)
{
    return a->type == b->type && a->rdata_bytes == b->rdata_bytes
           && memcmp(a->rdata, b->rdata, a->rdata_bytes) == 0;
}

static bool is_repeated(const struct collection *c, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (is_same(&c->rrs[j], &c->rrs[i])) {
            return true;
        }
    }
    return false;
}

/* The table of one type. Of several TTLs the shortest counts; of several CNAMEs the first. */
static const struct pin_table *type_table(
    struct collection *c, uint16_t type, const struct pin_route_unit *owner)
{
    size_t cap = 0;
    uint32_t ttl_s = UINT32_MAX;
    struct pin_plain_set set = {.type = type, .clusters = &owner->cluster_id, .n_clusters = 1};
    for (size_t i = 0; i < c->n_rrs; i++) {
        if (c->rrs[i].type == type) {
            cap += RR_HEAD_BYTES + c->rrs[i].rdata_bytes;
            ttl_s = PIN_MIN(ttl_s, c->rrs[i].ttl_s);
        }
    }
    uint8_t *wire = pin_arena_alloc(c->run->steer.arena, cap);
    struct pin_buf w = pin_buf_init(wire, wire != NULL ? cap : 0);
    for (size_t i = 0; wire != NULL && i < c->n_rrs; i++) {
        const struct pin_zonefile_rr *rr = &c->rrs[i];
        bool is_second = set.n_rr > 0 && (type == PIN_TYPE_CNAME || type == PIN_TYPE_DNAME);
        if (rr->type != type || is_second || is_repeated(c, i)) {
            continue;
        }
        pin_buf_put_u16(&w, PIN_OWNER_POINTER);
        pin_buf_put_u16(&w, type);
        pin_buf_put_u16(&w, PIN_CLASS_IN);
        pin_buf_put_u32(&w, ttl_s);
        pin_buf_put_u16(&w, rr->rdata_bytes);
        pin_buf_put_bytes(&w, rr->rdata, rr->rdata_bytes);
        set.n_rr++;
    }
    if (wire == NULL || set.n_rr == 0) {
        c->run->failed = true;
        return NULL;
    }
    set.wire = wire;
    set.wire_bytes = (uint32_t)pin_buf_used(&w);
    return pin_compile_plain(c->run, &c->host->name, &set);
}

/* --- the name ------------------------------------------------------------------------------ */

static void tell(const struct collection *c)
{
    const char *at = pin_text_get(&c->faults);
    while (*at != '\0') {
        int bytes = (int)strcspn(at, "\n");
        pin_log_warn("records: %.*s", bytes, at);
        at += bytes + (at[bytes] == '\n');
    }
}

void pin_records_faults(struct pin_catalog *catalog, struct pin_host_unit *host,
    const struct pin_route_unit *owner, struct pin_text *ret_faults)
{
    struct pin_compile run = {.catalog = catalog,
        .steer = {.catalog = catalog, .settings = catalog->settings, .arena = catalog->scratch}};
    struct collection c = {.run = &run, .host = host};
    pin_arena_reset(catalog->scratch);
    c.rrs = pin_arena_alloc(run.steer.arena, RRS_MAX * sizeof(*c.rrs));
    if (c.rrs != NULL) {
        collect(&c, owner);
        check(&c, owner);
    }
    *ret_faults = c.faults;
}

void pin_compile_records(
    struct pin_compile *run, struct pin_host_unit *host, const struct pin_route_unit *owner)
{
    struct collection c = {.run = run, .host = host};
    struct pin_rrset rrsets[TYPES_MAX + 1];
    size_t n = 0;
    c.rrs = pin_arena_alloc(run->steer.arena, RRS_MAX * sizeof(*c.rrs));
    if (c.rrs == NULL) {
        run->failed = true;
        return;
    }
    collect(&c, owner);
    check(&c, owner);
    const struct pin_node *node =
        pin_index_find(run->catalog->live.index, host->name.wire, host->name.bytes);
    const struct pin_rrset *ns = node != NULL ? pin_node_rrset(node, PIN_TYPE_NS) : NULL;
    if (pin_host_is_flat(host) && ns != NULL) {
        rrsets[n++] = *ns;
    }
    for (size_t i = 0; i < c.n_rrs && n < TYPES_MAX; i++) {
        uint16_t type = c.rrs[i].type;
        bool is_done = false;
        for (size_t r = 0; r < n; r++) {
            is_done = is_done || rrsets[r].type == type;
        }
        if (!is_done) {
            rrsets[n++] = (struct pin_rrset){.type = type, .base = type_table(&c, type, owner)};
        }
    }
    if (c.n_rrs > 0 || pin_host_is_flat(host)) {
        pin_compile_put(run, &host->name, rrsets, n);
    }
    tell(&c);
    pin_text_done(&c.faults);
}
