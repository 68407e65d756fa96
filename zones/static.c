/* SPDX-License-Identifier: Apache-2.0 */

/* Static zones: what a zone file says becomes nodes beside those that routes have. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/zones/edition.h"

#include "zones/compile.h"
#include "zones/edition.h"
#include "zones/soa.h"
#include "zones/units.h"
#include "zones/zonefile.h"

/* Most names of an RRset whose addresses go along. */
#define EXTRAS_MAX 64u
#define RR_HEAD    12u

/* One zone being compiled. */
struct static_run {
    struct pin_compile run;
    const struct pin_zonefile *file;
    size_t n_elsewhere; /* names that another zone of ours has */
};

/* --- units --------------------------------------------------------------------------------- */

enum pin_err pin_static_add(struct pin_catalog *catalog, struct pin_zone *zone, struct pin_why *why)
{
    size_t n = catalog->n_statics;
    if (zone->is_static) {
        char text[PIN_NAME_TEXT_MAX];
        pin_name_format(zone->apex.wire, text);
        return pin_why_set(why, PIN_EEXISTS, "zone %s has two files", text);
    }
    struct pin_static_unit *grown = realloc(catalog->statics, (n + 1) * sizeof(*grown));
    if (grown == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "static zones");
    }
    catalog->statics = grown;
    grown[n] = (struct pin_static_unit){.zone = zone};
    catalog->n_statics++;
    zone->is_static = true;
    return PIN_OK;
}

static struct pin_static_unit *unit_of(
    const struct pin_catalog *catalog, const struct pin_zone *zone)
{
    for (size_t i = 0; i < catalog->n_statics; i++) {
        if (catalog->statics[i].zone == zone) {
            return &catalog->statics[i];
        }
    }
    return NULL;
}

void pin_static_free_all(struct pin_catalog *catalog)
{
    pin_editions_sweep_left(&catalog->left, true);
    for (size_t i = 0; i < catalog->n_statics; i++) {
        pin_zonefile_free(catalog->statics[i].file);
        pin_zonefile_free(catalog->statics[i].next);
        free(catalog->statics[i].names.packed);
    }
    free(catalog->statics);
    catalog->statics = NULL;
    catalog->n_statics = 0;
}

enum pin_err pin_catalog_set_zonefile(
    struct pin_catalog *catalog, struct pin_zonefile *zonefile, struct pin_why *why)
{
    for (size_t i = 0; i < catalog->n_statics; i++) {
        struct pin_static_unit *unit = &catalog->statics[i];
        if (unit->zone->apex.bytes == zonefile->apex.bytes
            && memcmp(unit->zone->apex.wire, zonefile->apex.wire, zonefile->apex.bytes) == 0) {
            pin_zonefile_free(unit->next);
            unit->next = zonefile;
            catalog->has_dirty_static = true;
            return PIN_OK;
        }
    }
    pin_zonefile_free(zonefile);
    return pin_why_set(why, PIN_ENOTFOUND, "no such static zone");
}

const struct pin_zonefile *pin_static_file(
    const struct pin_catalog *catalog, const struct pin_zone *zone)
{
    const struct pin_static_unit *unit = zone->is_static ? unit_of(catalog, zone) : NULL;
    return unit != NULL ? unit->file : NULL;
}

const struct pin_static_name *pin_static_name_of(
    const struct pin_catalog *catalog, const struct pin_zone *zone, const struct pin_name *name)
{
    const struct pin_zonefile *file = pin_static_file(catalog, zone);
    const struct pin_static_name *found =
        file != NULL ? pin_zonefile_find(file, name->wire, name->bytes) : NULL;
    return found != NULL && !found->is_hidden ? found : NULL;
}

/* --- tables -------------------------------------------------------------------------------- */

static struct pin_name owner_of(const struct pin_static_name *name)
{
    struct pin_name owner = {.bytes = name->bytes};
    memcpy(owner.wire, name->wire, name->bytes);
    return owner;
}

static const struct pin_table *make_table(struct static_run *s, const struct pin_name *owner,
    const struct pin_static_set *set, const struct pin_extra *extras, uint16_t n_extras)
{
    return pin_compile_plain(&s->run, owner,
        &(struct pin_plain_set){.wire = set->wire,
            .wire_bytes = set->wire_bytes,
            .n_rr = set->n_rr,
            .type = set->type,
            .extras = extras,
            .n_extras = n_extras});
}

/* The addresses that the file has for a name; NULL for none. Those of glue stand in no node of
 * their own, so an old table that is alike is looked for among what went along with the old RRset.
 */
static const struct pin_table *address_table(
    struct static_run *s, const struct pin_name *name, uint16_t type, const struct pin_rrset *glue)
{
    const struct pin_static_name *target = pin_zonefile_find(s->file, name->wire, name->bytes);
    const struct pin_static_set *set = target != NULL ? pin_static_find(target, type) : NULL;
    if (set == NULL) {
        return NULL;
    }
    const struct pin_table *table = make_table(s, name, set, NULL, 0);
    for (uint16_t i = 0; table != NULL && target->is_hidden && i < glue->n_tables; i++) {
        if (pin_table_equal(glue->tables[i], table)) {
            return glue->tables[i]; /* the old node holds it until the new one does */
        }
    }
    return table;
}

/* The address tables that go along with an RRset as it is now. `tables` has room for two for each
 * extra. */
static struct pin_rrset old_glue(const struct static_run *s, const struct pin_name *owner,
    uint16_t type, const struct pin_table **tables)
{
    const struct pin_rrset *old = pin_compile_old(&s->run, owner, type);
    const struct pin_table *table = old != NULL ? pin_rrset_base(old) : NULL;
    struct pin_rrset glue = {.tables = tables};
    for (uint16_t i = 0; table != NULL && i < table->n_extras && i < EXTRAS_MAX; i++) {
        const struct pin_table *both[] = {
            pin_table_extras(table)[i].a, pin_table_extras(table)[i].aaaa};
        for (size_t f = 0; f < N_ELEMS(both); f++) {
            if (both[f] != NULL) {
                tables[glue.n_tables++] = both[f];
            }
        }
    }
    return glue;
}

static size_t rdata_bytes(const uint8_t *rr)
{
    return pin_get_be16(rr + 10);
}

/* Collects the addresses of the hosts that a set names. `extras` has room for EXTRAS_MAX. */
static uint16_t find_extras(struct static_run *s, const struct pin_name *owner,
    const struct pin_static_set *set, struct pin_extra *extras)
{
    const struct pin_table *tables[2 * EXTRAS_MAX];
    size_t target_at = pin_zonefile_target_at(set->type);
    uint16_t n = 0;
    size_t at = 0;
    if (target_at == SIZE_MAX || set->type == PIN_TYPE_CNAME || set->type == PIN_TYPE_DNAME
        || set->type == PIN_TYPE_PTR) {
        return 0;
    }
    struct pin_rrset glue = old_glue(s, owner, set->type, tables);
    for (uint16_t i = 0; i < set->n_rr && n < EXTRAS_MAX; i++) {
        const uint8_t *target = set->wire + at + RR_HEAD + target_at;
        struct pin_name name = {.bytes = (uint8_t)pin_name_wire_bytes(target)};
        pin_name_lower(name.wire, target, name.bytes);
        if (name.bytes == 1 && set->type != PIN_TYPE_NS && set->type != PIN_TYPE_MX
            && set->type != PIN_TYPE_SRV) {
            name = *owner; /* "." of SVCB and HTTPS */
        }
        struct pin_extra extra = {.target_offset = (uint32_t)(target - set->wire),
            .a = address_table(s, &name, PIN_TYPE_A, &glue),
            .aaaa = address_table(s, &name, PIN_TYPE_AAAA, &glue)};
        if (extra.a != NULL || extra.aaaa != NULL) {
            extras[n++] = extra;
        }
        at += RR_HEAD + rdata_bytes(set->wire + at);
    }
    return n;
}

/* --- names --------------------------------------------------------------------------------- */

/* Whether another zone of ours, deeper than this one, has the name. */
static bool is_elsewhere(const struct static_run *s, const struct pin_name *owner)
{
    size_t at = 0;
    const struct pin_node *node =
        pin_index_enclose(s->run.catalog->live.index, owner->wire, owner->bytes, &at);
    return node == NULL || node->zone != s->run.zone;
}

static void compile_name(struct static_run *s, const struct pin_static_name *name)
{
    struct pin_name owner = owner_of(name);
    struct pin_rrset *rrsets =
        pin_arena_alloc(s->run.steer.arena, (name->n_sets + 1u) * sizeof(*rrsets));
    size_t n = 0;
    if (name->is_hidden) {
        return;
    }
    if (is_elsewhere(s, &owner)) {
        s->n_elsewhere++;
        return;
    }
    for (uint16_t i = 0; rrsets != NULL && i < name->n_sets; i++) {
        const struct pin_static_set *set = &name->sets[i];
        struct pin_extra extras[EXTRAS_MAX];
        if (set->type != PIN_TYPE_SOA) { /* the zone itself has it */
            uint16_t n_extras = find_extras(s, &owner, set, extras);
            rrsets[n++] = (struct pin_rrset){
                .type = set->type, .base = make_table(s, &owner, set, extras, n_extras)};
        }
    }
    s->run.failed = s->run.failed || rrsets == NULL;
    pin_compile_put(&s->run, &owner, rrsets, n);
}

static void set_soa(struct static_run *s)
{
    const struct pin_name *apex = &s->file->apex;
    const struct pin_static_name *name = pin_zonefile_find(s->file, apex->wire, apex->bytes);
    const struct pin_static_set *soa = pin_static_find(name, PIN_TYPE_SOA);
    const uint8_t *minimum = soa->wire + soa->wire_bytes - 4;
    uint32_t minimum_s = pin_get_be32(minimum);
    if (pin_soa_set(s->run.zone, soa->wire, soa->wire_bytes, PIN_MIN(minimum_s, soa->ttl_s))
        != PIN_OK) {
        s->run.failed = true;
    }
}

/* --- hostnames beside the file --------------------------------------------------------------- */

/* Whether the file has a hostname from now on. */
static bool is_taken(const struct static_run *s, const struct pin_host_unit *host)
{
    const struct pin_static_name *found =
        pin_zonefile_find(s->file, host->name.wire, host->name.bytes);
    return found != NULL && !found->is_hidden;
}

/* Names that go back to an object that claims them stay until its hostname is compiled. */
static void keep_claimed(const struct static_run *s)
{
    const struct pin_catalog *catalog = s->run.catalog;
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->hosts, &cursor, NULL, NULL, &value)) {
        const struct pin_host_unit *host = value;
        if (host->zone == s->run.zone && host->n_claims > 0 && !is_taken(s, host)) {
            (void)pin_index_stamp(catalog->live.index, &host->name, catalog->stamp);
        }
    }
}

/* Hands the node of a hostname over: to the file, or to who claims it. */
static void change_hands(struct pin_catalog *catalog, struct pin_host_unit *host, bool is_static)
{
    const struct pin_names none = {0};
    struct pin_names_draft draft = {.before = &none};
    free(host->names.packed);
    host->names = (struct pin_names){0};
    if (!is_static && host->n_claims > 0 && pin_names_add(&draft, &host->name)) {
        host->names = pin_names_take_new(&draft); /* else it is noted when it is put */
    }
    host->is_static = is_static;
    pin_host_touch(catalog, host);
}

/* Decides again which hostnames the file has. After a run that failed half-way, nodes of the others
 * may show what the file said then. */
static void sort_out_hosts(struct static_run *s, bool has_failed)
{
    struct pin_catalog *catalog = s->run.catalog;
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->hosts, &cursor, NULL, NULL, &value)) {
        struct pin_host_unit *host = value;
        bool is_static = is_taken(s, host);
        if (host->zone == s->run.zone && host->is_static != is_static) {
            change_hands(catalog, host, is_static);
        } else if (host->zone == s->run.zone && has_failed) {
            pin_host_touch(catalog, host);
        }
    }
}

/* Notes the names that no node stands for: transfers show them as the file has them. */
static void note_others(struct static_run *s, const struct pin_zonefile *file)
{
    struct pin_editions *editions = s->run.zone->editions;
    for (size_t i = 0; editions != NULL && file != NULL && i < file->n_names; i++) {
        struct pin_name owner = owner_of(&file->names[i]);
        bool is_other = file->names[i].is_hidden || is_elsewhere(s, &owner);
        if (is_other && !pin_editions_note(editions, owner.wire, owner.bytes)) {
            s->run.failed = true;
            return;
        }
    }
}

const struct pin_static_name *pin_static_raw(
    const struct pin_catalog *catalog, const struct pin_zone *zone, const struct pin_name *name)
{
    const struct pin_zonefile *file = pin_static_file(catalog, zone);
    return file != NULL ? pin_zonefile_find(file, name->wire, name->bytes) : NULL;
}

static void report(
    const struct static_run *s, const struct pin_static_unit *unit, const struct pin_zonefile *old)
{
    char text[PIN_NAME_TEXT_MAX];
    pin_name_format(unit->zone->apex.wire, text);
    if (old != NULL && s->run.n_names > 0
        && !pin_serial_is_after(unit->file->serial, unit->zone->soa->serial)) {
        pin_log_warn("static: zone %s: its file changed, but its serial %u is not later than what "
                     "was served: the next one is served in its place",
            text, unit->file->serial);
    }
    if (s->n_elsewhere > 0) {
        pin_log_warn("static: zone %s: %zu names of its file lie in other zones of ours and are "
                     "answered from there",
            text, s->n_elsewhere);
    }
    pin_log_info("static: zone %s has serial %u, %zu records, %u names changed", text,
        unit->file->serial, unit->file->n_rrs, s->run.n_names);
}

/* Compiles a zone whose file changed. False when memory was out: it is to be tried again. */
static bool compile_static(
    struct pin_catalog *catalog, struct pin_static_unit *unit, struct pin_published *published)
{
    struct pin_zonefile *old = unit->file;
    unit->file = unit->next;
    struct static_run s = {
        .run = pin_compile_begin(catalog, unit->zone, &unit->names), .file = unit->file};
    for (size_t i = 0; i < unit->file->n_names && !s.run.failed; i++) {
        compile_name(&s, &unit->file->names[i]);
    }
    if (!s.run.failed) {
        set_soa(&s);
    }
    note_others(&s, old);
    note_others(&s, unit->file);
    keep_claimed(&s);
    bool is_done = pin_compile_finish(&s.run);
    published->n_units++;
    published->n_names += s.run.n_names;
    if (!is_done) {
        unit->file = old;
        unit->has_failed = true;
        return false;
    }
    sort_out_hosts(&s, unit->has_failed);
    catalog->has_moved_cuts = catalog->has_moved_cuts || unit->zone->is_custom;
    unit->has_failed = false;
    report(&s, unit, old);
    unit->next = NULL;
    pin_zonefile_free(old);
    return true;
}

void pin_static_publish(struct pin_catalog *catalog, struct pin_published *published)
{
    bool is_left = false;
    if (!catalog->has_dirty_static) {
        return;
    }
    for (size_t i = 0; i < catalog->n_statics; i++) {
        struct pin_static_unit *unit = &catalog->statics[i];
        if (unit->next != NULL) {
            is_left = !compile_static(catalog, unit, published) || is_left;
        }
    }
    catalog->has_dirty_static = is_left;
}
