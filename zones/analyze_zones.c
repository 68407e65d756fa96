/* SPDX-License-Identifier: Apache-2.0 */

/* Findings about zones: who asks by delegation has to find an address of each name server. */

#include <string.h>

#include "pintle/base/bytes.h"

#include "zones/analyze.h"

#define RR_HEAD 12u

/* Whether routes have hostnames there, or aliases that those lead to: what others delegate to us.
 */
static bool is_delegated(const struct pin_analyzer *a, const struct pin_zone *zone)
{
    return zone->is_custom
           || (zone == a->catalog->zone_assigned && zone->outer != NULL && zone->outer->is_custom);
}

/* Whether a zone's file decides, and was not read yet. */
static bool is_unread(const struct pin_zone *zone)
{
    return zone->is_static && !zone->has_file;
}

/* Without the dot at its end, as settings and hostnames have names. */
static const char *name_text(const uint8_t *wire, char text[PIN_NAME_TEXT_MAX])
{
    pin_name_format(wire, text);
    size_t chars = strlen(text);
    text[chars > 1 ? chars - 1 : chars] = '\0';
    return text;
}

/* What answers for a name: the name's own node, or the wildcard's that covers it. NULL: nothing. */
static const struct pin_node *find_answering(
    const struct pin_index *index, const struct pin_name *name)
{
    size_t offset_bytes = 0;
    const struct pin_node *encloser =
        pin_index_enclose(index, name->wire, name->bytes, &offset_bytes);
    return encloser == NULL || offset_bytes == 0 ? encloser : pin_index_wildcard(index, encloser);
}

static void look_at_server(
    struct pin_analyzer *a, const struct pin_zone *zone, const struct pin_name *server)
{
    const struct pin_index *index = a->catalog->live.index;
    const struct pin_zone *holder = pin_index_zone(index, server);
    const struct pin_node *node = find_answering(index, server);
    char text[PIN_NAME_TEXT_MAX];
    char apex[PIN_NAME_TEXT_MAX];
    if (holder == NULL || is_unread(holder)
        || (node != NULL
            && (pin_node_rrset(node, PIN_TYPE_A) != NULL
                || pin_node_rrset(node, PIN_TYPE_AAAA) != NULL))) {
        return; /* elsewhere, or found */
    }
    struct pin_finding finding = {.id = PIN_FINDING_NO_NS_ADDRESS,
        .kind = "Zone",
        .name = name_text(zone->apex.wire, apex),
        .about = name_text(server->wire, text)};
    pin_analysis_add(a->to, &finding,
        "its name server %s has no address here: resolvers that come by delegation may give up, "
        "forwarders do not ask",
        finding.about);
}

void pin_analyze_zones(struct pin_analyzer *a)
{
    const struct pin_index *index = a->catalog->live.index;
    const struct pin_zone *zone = NULL;
    for (size_t i = 0; (zone = pin_index_zone_at(index, i)) != NULL; i++) {
        const struct pin_node *node = pin_index_find(index, zone->apex.wire, zone->apex.bytes);
        const struct pin_rrset *ns = node != NULL ? pin_node_rrset(node, PIN_TYPE_NS) : NULL;
        const struct pin_table *table = ns != NULL ? pin_rrset_base(ns) : NULL;
        const uint8_t *rr = table != NULL ? table->wire : NULL;
        if (!is_delegated(a, zone) || is_unread(zone)) {
            continue;
        }
        for (uint16_t k = 0; rr != NULL && k < table->n_rr; k++) {
            struct pin_name server = {.bytes = (uint8_t)pin_name_wire_bytes(rr + RR_HEAD)};
            pin_name_lower(server.wire, rr + RR_HEAD, server.bytes);
            look_at_server(a, zone, &server);
            rr += RR_HEAD + pin_get_be16(rr + RR_HEAD - 2);
        }
    }
}
