/* SPDX-License-Identifier: Apache-2.0 */

/* Finds what a name below a service means: some of its parts, or what another node shows. */

#include <string.h>

#include "synth.h"

/* Labels between a name without data and its service that Lighthouse's names may have: a port, its
 * protocol, a cluster of two labels. */
#define LIGHTHOUSE_LABELS_MAX 4u

struct pin_parts_asker pin_synth_asker(const struct pin_live *live, uint16_t view_id)
{
    const struct pin_settings *settings = live->reverse->settings;
    return view_id == 0 ? (struct pin_parts_asker){.cluster_id = PIN_CLUSTER_NONE, .network = 0}
                        : (struct pin_parts_asker){.cluster_id = (uint16_t)(view_id - 1),
                            .network = settings->clusters[view_id - 1].network};
}

/* The node of the service, or of the port asked for. */
static const struct pin_node *find_whole(const struct pin_index *index,
    const struct pin_node *service, const struct pin_parts_query *query)
{
    static const char *const protocols[] = {"_tcp", "_udp", "_sctp"};
    char label[PIN_LABEL_MAX_BYTES + 1];
    struct pin_name name = {.bytes = service->name_bytes};
    uint8_t protocol = 0;
    size_t bytes = 0;
    if (query->port_i < 0) {
        return service;
    }
    const uint8_t *port = pin_parts_port_name(query, (size_t)query->port_i, &protocol, &bytes);
    label[0] = '_';
    memcpy(label + 1, port, bytes);
    memcpy(name.wire, service->name, service->name_bytes);
    bool fits = pin_name_prepend(&name, protocols[protocol], strlen(protocols[protocol])) == PIN_OK
                && pin_name_prepend(&name, label, bytes + 1) == PIN_OK;
    return fits ? pin_index_find(index, name.wire, name.bytes) : NULL;
}

/* Reads the labels in front of a service that has parts. */
static bool find_below(const struct pin_live *live, uint16_t view_id,
    const struct pin_synth_below *below, struct pin_synth_place *ret)
{
    struct pin_parts_query q;
    const struct pin_table *parts = pin_rrset_base(pin_node_rrset(below->encloser, PIN_TYPE_PARTS));
    *ret = (struct pin_synth_place){.at = below->bytes};
    switch (pin_parts_read(
        parts->wire, below->name, below->bytes, pin_synth_asker(live, view_id), &q)) {
    case PIN_PARTS_NONE:
        return false;
    case PIN_PARTS_ALL:
        ret->whole = find_whole(live->index, below->encloser, &q);
        return true;
    case PIN_PARTS_EMPTY:
    case PIN_PARTS_SOME:
        break;
    }
    ret->parts = parts->wire;
    return true;
}

static bool is_apex(const struct pin_node *node)
{
    return node->name_bytes == node->zone->apex.bytes;
}

/* Names of a headless service's endpoints may stand between, so one looks a few labels up. */
static bool find_lighthouse(const struct pin_live *live, uint16_t view_id,
    struct pin_synth_below below, struct pin_synth_place *ret)
{
    for (size_t up = 0; up < LIGHTHOUSE_LABELS_MAX && !is_apex(below.encloser); up++) {
        const struct pin_node *node = below.encloser;
        const uint8_t *parent = pin_name_parent(node->name);
        size_t label_bytes = (size_t)(parent - node->name);
        below.bytes += label_bytes;
        below.encloser = pin_index_find(live->index, parent, node->name_bytes - label_bytes);
        if (below.encloser == NULL) {
            return false; /* between two changes of the builder */
        }
        if ((below.encloser->flags & PIN_NODE_HAS_PARTS) != 0) {
            return find_below(live, view_id, &below, ret);
        }
    }
    return false;
}

bool pin_synth_find(const struct pin_live *live, uint16_t view_id,
    const struct pin_synth_below *below, struct pin_synth_place *ret_place)
{
    if (below->bytes > 0 && (below->encloser->flags & PIN_NODE_HAS_PARTS) != 0) {
        return find_below(live, view_id, below, ret_place);
    }
    return live->reverse != NULL && live->reverse->settings->is_lighthouse
           && find_lighthouse(live, view_id, *below, ret_place);
}

/* Letters of an address with a dash among them. */
static bool may_be_dashed(const uint8_t *label)
{
    bool has_dash = false;
    for (uint8_t i = 1; i <= label[0]; i++) {
        bool is_hex = (label[i] >= '0' && label[i] <= '9') || (label[i] >= 'a' && label[i] <= 'f');
        has_dash = has_dash || label[i] == '-';
        if (!is_hex && label[i] != '-') {
            return false;
        }
    }
    return has_dash;
}

bool pin_synth_is_below(const uint8_t *name)
{
    static const uint8_t label[] = {5, '_', 'z', 'o', 'n', 'e'};
    if (may_be_dashed(name)) {
        return true;
    }
    while (name[0] != 0) {
        if (name[0] == label[0] && memcmp(name, label, sizeof(label)) == 0) {
            return true;
        }
        name += name[0] + 1u;
    }
    return false;
}
