/* SPDX-License-Identifier: Apache-2.0 */

/* Hostnames to nodes: aliases to assigned names, or, at a zone's apex, what those names show. */

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "zones/compile.h"
#include "zones/writes.h"

/* An alias changes when a route does, so resolvers may keep it (design, section 3, "Names"). */
#define ALIAS_TTL_S 300u

const struct pin_table *pin_compile_alias(struct pin_compile *run, const struct pin_name *name,
    const struct pin_name *target, const uint16_t *clusters, uint16_t n_clusters)
{
    uint8_t wire[PIN_NAME_MAX_BYTES + 12];
    struct pin_buf w = pin_buf_init(wire, sizeof(wire));
    pin_buf_put_u16(&w, PIN_OWNER_POINTER);
    pin_buf_put_u16(&w, PIN_TYPE_CNAME);
    pin_buf_put_u16(&w, PIN_CLASS_IN);
    pin_buf_put_u32(&w, run->ttl_s);
    pin_buf_put_u16(&w, target->bytes);
    pin_buf_put_bytes(&w, target->wire, target->bytes);
    return pin_compile_table(run,
        &(struct pin_table_spec){.form = PIN_TABLE_FIXED,
            .n_rr = 1,
            .wire = wire,
            .wire_bytes = (uint32_t)pin_buf_used(&w),
            .clusters = clusters,
            .n_clusters = n_clusters},
        pin_compile_old(run, name, PIN_TYPE_CNAME));
}

static void put_alias(
    struct pin_compile *run, const struct pin_host_unit *host, const struct pin_route_unit *owner)
{
    run->ttl_s = ALIAS_TTL_S;
    struct pin_rrset rrset = {.type = PIN_TYPE_CNAME,
        .base = pin_compile_alias(run, &host->name, &owner->assigned, &owner->cluster_id, 1)};
    pin_compile_put(run, &host->name, &rrset, 1);
}

/* The very tables of the assigned name: the owner in them is a pointer to the question. */
static void put_flat(
    struct pin_compile *run, const struct pin_host_unit *host, const struct pin_node *assigned)
{
    const struct pin_node *apex =
        pin_index_find(run->catalog->live.index, host->name.wire, host->name.bytes);
    static const uint16_t types[] = {PIN_TYPE_A, PIN_TYPE_AAAA, PIN_TYPE_SVCB, PIN_TYPE_HTTPS};
    struct pin_rrset rrsets[N_ELEMS(types) + 1];
    size_t n = 0;
    const struct pin_rrset *ns = apex != NULL ? pin_node_rrset(apex, PIN_TYPE_NS) : NULL;
    if (ns != NULL) {
        rrsets[n++] = *ns;
    }
    for (size_t i = 0; assigned != NULL && i < N_ELEMS(types); i++) {
        const struct pin_rrset *rrset = pin_node_rrset(assigned, types[i]);
        if (rrset != NULL) {
            rrsets[n++] = *rrset;
        }
    }
    pin_compile_put(run, &host->name, rrsets, n);
}

static void warn_other(const char *name, const struct pin_claim *claim, const char *owner)
{
    if (owner == NULL) {
        pin_log_warn("compile: hostname %s of %s is not its own: the zone's file has that name; "
                     "remove it there, or give the route another one",
            name, claim->route->key);
        return;
    }
    pin_log_warn("compile: hostname %s of %s is not its own: %s claims it too and goes first (the "
                 "oldest route, then by name)",
        name, claim->route->key, owner);
}

/* Tells once of each route that does not get the name; its cluster may hear of it, too. */
static void warn_others(
    struct pin_catalog *catalog, struct pin_host_unit *host, const struct pin_route_unit *owner)
{
    char text[PIN_NAME_TEXT_MAX];
    pin_name_format(host->name.wire, text);
    text[strlen(text) - 1] = '\0'; /* without the trailing dot, as it was written */
    for (size_t i = 0; i < host->n_claims; i++) {
        struct pin_claim *claim = &host->claims[i];
        if (claim->route != owner && !claim->has_warned) {
            warn_other(text, claim, owner != NULL ? owner->key : NULL);
        }
        if (claim->has_warned != (claim->route != owner)) {
            claim->has_warned = claim->route != owner;
            pin_writes_note_route(catalog, claim->route);
        }
    }
}

uint32_t pin_compile_host(struct pin_catalog *catalog, struct pin_host_unit *host)
{
    struct pin_compile run = pin_compile_begin(catalog, host->zone, &host->names);
    const struct pin_route_unit *owner = pin_host_owner(host);
    if (owner != NULL && owner->object->kind == PIN_KIND_DNS_ENDPOINT) {
        pin_compile_records(&run, host, owner);
    } else if (owner != NULL) {
        const struct pin_node *assigned =
            pin_index_find(catalog->live.index, owner->assigned.wire, owner->assigned.bytes);
        run.policy = assigned != NULL ? assigned->policy : NULL;
        if (pin_host_is_flat(host)) {
            put_flat(&run, host, assigned);
        } else {
            put_alias(&run, host, owner);
        }
    }
    warn_others(catalog, host, owner);
    host->is_dirty = !pin_compile_finish(&run);
    return run.n_names;
}
