/* SPDX-License-Identifier: Apache-2.0 */

/* The apex of zones that are no files, and the addresses of their name servers. */

#include "zones/apex.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"

#include "zones/tables.h"

#define NS_LABEL         "ns1"
#define HOSTMASTER_LABEL "hostmaster"
#define RR_BYTES_MAX     28u

bool pin_apex_name(const char *label, const struct pin_name *apex, struct pin_name *ret_name)
{
    *ret_name = *apex;
    return pin_name_prepend(ret_name, label, strlen(label)) == PIN_OK;
}

/* --- SOA and NS ----------------------------------------------------------------------------- */

/* How many name servers a zone has. */
static size_t n_servers(const struct pin_settings *settings)
{
    return settings->n_ns > 0 ? settings->n_ns : 1;
}

/* Name server number `i` of a zone; false: it is no name, or too long a one. */
static bool server_name(const struct pin_settings *settings, const struct pin_name *apex, size_t i,
    struct pin_name *ret_name)
{
    return settings->n_ns > 0 ? pin_name_parse(settings->ns[i], ret_name) == PIN_OK
                              : pin_apex_name(NS_LABEL, apex, ret_name);
}

static enum pin_err zone_spec(const struct pin_settings *settings, const char *text,
    struct pin_name *ns, struct pin_zone_spec *ret, struct pin_why *why)
{
    if (pin_name_parse(text, &ret->apex) != PIN_OK) {
        return pin_why_set(why, PIN_EPARSE, "zone \"%s\" is no domain name", text);
    }
    for (size_t i = 0; i < n_servers(settings); i++) {
        if (!server_name(settings, &ret->apex, i, &ns[i])) {
            return pin_why_set(why, PIN_EPARSE, "zone %s: dns.ns: \"%s\" is no domain name", text,
                settings->n_ns > 0 ? settings->ns[i] : NS_LABEL);
        }
    }
    bool is_ok = settings->hostmaster != NULL
                     ? pin_name_parse(settings->hostmaster, &ret->hostmaster) == PIN_OK
                     : pin_apex_name(HOSTMASTER_LABEL, &ret->apex, &ret->hostmaster);
    ret->ns = ns;
    ret->n_ns = n_servers(settings);
    return is_ok ? PIN_OK
                 : pin_why_set(why, PIN_EPARSE, "dns.hostmaster or zone \"%s\" is too long", text);
}

enum pin_err pin_apex_add_zone(struct pin_catalog *catalog, const char *text, uint32_t serial,
    struct pin_zone **ret_zone, struct pin_why *why)
{
    const struct pin_settings *settings = catalog->settings;
    struct pin_zone_spec spec = {
        .ttl_s = settings->ttl_s,
        .negative_ttl_s = settings->negative_ttl_s,
        .serial = serial,
        .is_synced_from_clusters = true,
    };
    struct pin_name *ns = calloc(n_servers(settings), sizeof(*ns));
    if (ns == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "zone %s", text);
    }
    enum pin_err err = zone_spec(settings, text, ns, &spec, why);
    if (err == PIN_OK) {
        err = pin_index_add_zone(catalog->live.index, &spec, ret_zone, why);
    }
    free(ns);
    return err;
}

/* --- addresses ------------------------------------------------------------------------------ */

/* Whether name server number `server` has address number `i`: one each where there are as many of a
 * family as names, else all. */
static bool has_address(const struct pin_settings *settings, size_t server, size_t i)
{
    uint8_t family = settings->ns_addresses[i].family;
    size_t n = 0;
    size_t position = 0;
    for (size_t k = 0; k < settings->n_ns_addresses; k++) {
        if (settings->ns_addresses[k].family == family) {
            position = k == i ? n : position;
            n++;
        }
    }
    return n != n_servers(settings) || position == server;
}

/* Whether the server has address number `i`, and none before it is the same one. */
static bool has_first(const struct pin_settings *settings, size_t server, size_t i)
{
    bool is_first = has_address(settings, server, i);
    for (size_t k = 0; k < i && is_first; k++) {
        is_first = !pin_ip_equal(&settings->ns_addresses[k], &settings->ns_addresses[i])
                   || !has_address(settings, server, k);
    }
    return is_first;
}

/* The addresses of one family as a table; NULL: it has none, or memory is out. */
static struct pin_table *address_table(
    const struct pin_settings *settings, size_t server, uint8_t family, bool *failed)
{
    size_t cap = settings->n_ns_addresses * RR_BYTES_MAX;
    uint8_t *wire = malloc(cap);
    struct pin_buf w = pin_buf_init(wire, wire != NULL ? cap : 0);
    uint16_t bytes = family == 4 ? 4 : 16;
    uint16_t n = 0;
    for (size_t i = 0; i < settings->n_ns_addresses; i++) {
        const struct pin_ip *ip = &settings->ns_addresses[i];
        if (ip->family == family && has_first(settings, server, i)) {
            pin_buf_put_u16(&w, PIN_OWNER_POINTER);
            pin_buf_put_u16(&w, family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA);
            pin_buf_put_u16(&w, PIN_CLASS_IN);
            pin_buf_put_u32(&w, settings->ttl_s);
            pin_buf_put_u16(&w, bytes);
            pin_buf_put_bytes(&w, ip->bytes, bytes);
            n++;
        }
    }
    struct pin_table *table = n == 0 || wire == NULL
                                  ? NULL
                                  : pin_table_new(&(struct pin_table_spec){.form = PIN_TABLE_FIXED,
                                      .n_rr = n,
                                      .wire = wire,
                                      .wire_bytes = (uint32_t)pin_buf_used(&w)});
    *failed = *failed || (n > 0 && table == NULL);
    free(wire);
    return table;
}

static bool put_server(
    struct pin_catalog *catalog, struct pin_zone *zone, const struct pin_name *name, size_t server)
{
    bool failed = false;
    struct pin_table *a = address_table(catalog->settings, server, 4, &failed);
    struct pin_table *aaaa = address_table(catalog->settings, server, 6, &failed);
    struct pin_rrset rrsets[2];
    size_t n = 0;
    if (a != NULL) {
        rrsets[n++] = (struct pin_rrset){.type = PIN_TYPE_A, .base = a};
    }
    if (aaaa != NULL) {
        rrsets[n++] = (struct pin_rrset){.type = PIN_TYPE_AAAA, .base = aaaa};
    }
    if (!failed && n > 0) {
        failed = pin_index_put(catalog->live.index, zone, name, rrsets, n) != PIN_OK;
    }
    pin_table_unref(a);
    pin_table_unref(aaaa);
    return !failed;
}

/* Whether a name is below the apex, not the apex itself, in a zone whose names are ours to give. */
static bool is_ours(const struct pin_zone *zone, const struct pin_name *name)
{
    return zone != NULL && !zone->is_static && zone->zone_of_cluster == NULL
           && zone->apex.bytes < name->bytes;
}

enum pin_err pin_apex_put_addresses(struct pin_catalog *catalog, struct pin_why *why)
{
    const struct pin_settings *settings = catalog->settings;
    const struct pin_zone *zone = NULL;
    for (size_t z = 0;
         settings->n_ns_addresses > 0 && (zone = pin_index_zone_at(catalog->live.index, z)) != NULL;
         z++) {
        for (size_t i = 0; i < n_servers(settings); i++) {
            struct pin_name name;
            bool is_name = server_name(settings, &zone->apex, i, &name);
            struct pin_zone *holder = is_name ? pin_index_zone(catalog->live.index, &name) : NULL;
            if (is_ours(holder, &name) && !put_server(catalog, holder, &name, i)) {
                return pin_why_set(why, PIN_ENOMEM, "the addresses of name servers");
            }
        }
    }
    return PIN_OK;
}

bool pin_apex_has(
    const struct pin_catalog *catalog, const struct pin_zone *zone, const struct pin_name *name)
{
    const struct pin_settings *settings = catalog->settings;
    bool has = false;
    for (size_t i = 0; i < n_servers(settings) && settings->n_ns_addresses > 0 && !has; i++) {
        struct pin_name server;
        has = is_ours(zone, name) && server_name(settings, &zone->apex, i, &server)
              && server.bytes == name->bytes && memcmp(server.wire, name->wire, name->bytes) == 0;
    }
    return has;
}
