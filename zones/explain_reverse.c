/* SPDX-License-Identifier: Apache-2.0 */

/* Explains names that stand in tables instead of the index: addresses and pods. */

#include "zones/explain_reverse.h"

#include <stdio.h>
#include <string.h>

static const char *kind_text(uint8_t kind)
{
    return kind == PIN_REVERSE_SERVICE    ? "Service"
           : kind == PIN_REVERSE_ENDPOINT ? "EndpointSlice"
                                          : "ServiceImport";
}

static bool is_own(const struct pin_reverse_name *name, uint16_t view_id)
{
    return name->kind != PIN_REVERSE_CLUSTER_SET
           && pin_view_of_cluster(name->cluster_id) == view_id;
}

/* One name of the address, shown or not. */
static void put_name(struct pin_jsonout *out, const struct pin_catalog *catalog,
    const struct pin_reverse_name *name, const char *left_out, bool is_common)
{
    struct pin_name target;
    char text[PIN_NAME_TEXT_MAX];
    if (!pin_reverse_target(catalog->live.reverse, name, is_common, &target)) {
        return;
    }
    pin_name_format(target.wire, text);
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "kind", kind_text(name->kind));
    pin_jsonout_key_string(out, "cluster", catalog->settings->clusters[name->cluster_id].name);
    pin_jsonout_key_string(out, "name", text);
    pin_jsonout_key_bool(out, "used", left_out == NULL);
    pin_jsonout_key_string(out, "reason", left_out != NULL ? left_out : "");
    pin_jsonout_end(out);
}

static void put_names(struct pin_jsonout *out, const struct pin_catalog *catalog,
    const struct pin_address *address, uint16_t view_id)
{
    struct pin_reverse_name name;
    bool has_own = false;
    bool has_cluster = false;
    size_t at = 0;
    while (pin_address_next(address, &at, &name)) {
        has_own = has_own || is_own(&name, view_id);
        has_cluster = has_cluster || name.kind != PIN_REVERSE_CLUSTER_SET;
    }
    pin_jsonout_key_string(out, "rule",
        has_own       ? "names that the asker's own cluster has for the address"
        : has_cluster ? "names that clusters have for the address"
                      : "no cluster's own name: the clusterset's (compat.ptr)");
    pin_jsonout_key(out, "backends");
    pin_jsonout_array(out);
    for (at = 0; pin_address_next(address, &at, &name);) {
        const char *left_out = has_own && !is_own(&name, view_id)
                                   ? "the asker's own cluster has a name for the address"
                               : has_cluster && name.kind == PIN_REVERSE_CLUSTER_SET
                                   ? "a cluster has a name for the address"
                                   : NULL;
        put_name(out, catalog, &name, left_out, has_own && left_out == NULL);
    }
    pin_jsonout_end(out);
}

bool pin_explain_reverse(const struct pin_catalog *catalog, const struct pin_name *name,
    uint16_t type, uint16_t view_id, struct pin_jsonout *out)
{
    struct pin_reverse_question q;
    const struct pin_scene *scene = catalog->live.scene;
    char text[PIN_NAME_TEXT_MAX];
    if (!pin_reverse_parse(scene->reverse, name->wire, name->bytes, &q)) {
        return false;
    }
    const struct pin_address *address =
        pin_reverse_is_address(&q) ? pin_reverse_find(catalog->live.reverse, &q.prefix.ip) : NULL;
    bool is_missing = q.is_other || (pin_reverse_is_address(&q) && address == NULL && !q.is_apex);
    bool is_data = (address != NULL && type == PIN_TYPE_PTR)
                   || (q.is_apex && (type == PIN_TYPE_SOA || type == PIN_TYPE_NS));
    pin_name_format(name->wire + q.apex_at, text);
    pin_jsonout_key_string(out, "zone", text);
    if (!is_data && !scene->is_ready) {
        pin_jsonout_key_string(out, "rcode", "SERVFAIL");
        pin_jsonout_key_string(out, "status", "not every cluster has been synced yet");
    } else {
        pin_jsonout_key_string(out, "rcode", is_missing ? "NXDOMAIN" : "NOERROR");
        pin_jsonout_key_string(out, "status",
            is_data      ? "answer"
            : is_missing ? "no Service, endpoint or import is known at that address"
                         : "NODATA: the name exists, but shows nothing of this type");
    }
    if (address != NULL) {
        put_names(out, catalog, address, view_id);
    }
    return true;
}

/* A name that stands in tables. */
struct below {
    const struct pin_name *name;
    size_t bytes; /* of the labels in front of "pod" or the service */
    uint16_t type;
    uint16_t view_id;
};

/* --- pods and parts --------------------------------------------------------------------------- */

#define NODATA "NODATA: the name exists, but shows nothing of this type to this asker"

static void explain_pod(const struct pin_catalog *catalog, const struct pin_node *pods,
    const struct below *below, struct pin_explain_synth *ret)
{
    struct pin_ip ip;
    uint16_t cluster_id = pods->zone->zone_of_cluster == NULL ? pods->zone->cluster_id
                          : below->view_id > 0                ? (uint16_t)(below->view_id - 1)
                                                              : PIN_CLUSTER_NONE;
    enum pin_pod pod = pin_reverse_pod(catalog->live.reverse, catalog->live.index,
        below->name->wire, below->bytes, cluster_id, &ip);
    if (pod == PIN_POD_NONE) {
        return;
    }
    ret->is_data =
        pod == PIN_POD_ADDRESS && below->type == (ip.family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA);
    ret->status = ret->is_data ? "answer" : NODATA;
    ret->rule = "pods have names in their cluster's zone while they are endpoints of a Service in "
                "the namespace";
}

/* An endpoint named by its address. False: there is none of that name. */
static bool explain_dashed(const struct pin_catalog *catalog, const struct pin_node *parent,
    const struct below *below, struct pin_explain_synth *ret)
{
    struct pin_dashed dashed;
    const uint8_t *label = below->name->wire;
    if (below->bytes != label[0] + 1u
        || !pin_reverse_dashed(catalog->live.reverse, label, parent, &dashed)) {
        return false;
    }
    bool is_v4 = dashed.address->family == 4;
    ret->is_data = below->type == (is_v4 ? PIN_TYPE_A : PIN_TYPE_AAAA);
    ret->status = ret->is_data ? "answer" : NODATA;
    ret->rule = "endpoints of a headless service without a hostname are named by their address";
    return true;
}

static bool has_row_of(const struct pin_parts_query *q, uint16_t type)
{
    struct pin_parts_cursor cursor = {0};
    struct pin_parts_row row;
    while (pin_parts_next(q, &cursor, &row)) {
        if (type == PIN_TYPE_SRV || type == (row.family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA)) {
            return true;
        }
    }
    return false;
}

static void explain_parts(const struct pin_catalog *catalog, const struct pin_node *service,
    const struct below *below, struct pin_explain_synth *ret)
{
    uint16_t cluster_id = below->view_id > 0 ? (uint16_t)(below->view_id - 1) : PIN_CLUSTER_NONE;
    struct pin_parts_asker asker = {.cluster_id = cluster_id,
        .network = cluster_id != PIN_CLUSTER_NONE ? catalog->settings->clusters[cluster_id].network
                                                  : (uint16_t)0};
    switch (pin_parts_read(pin_rrset_base(pin_node_rrset(service, PIN_TYPE_PARTS))->wire,
        below->name->wire, below->bytes, asker, &ret->query)) {
    case PIN_PARTS_NONE:
        return;
    case PIN_PARTS_EMPTY:
        ret->status = NODATA;
        ret->rule = "nobody in that topology zone or cluster stands behind the service";
        return;
    case PIN_PARTS_ALL:
        ret->is_data = true;
        ret->status = "answer: as the service's own name, nobody is in that zone or cluster";
        return;
    case PIN_PARTS_SOME:
        break;
    }
    ret->has_rows = true;
    ret->is_data = has_row_of(&ret->query, below->type);
    ret->status = ret->is_data ? "answer" : NODATA;
    ret->rule = "the addresses of that topology zone or cluster alone, whatever their weight";
}

void pin_explain_synth(const struct pin_catalog *catalog, const struct pin_name *name,
    uint16_t type, uint16_t view_id, struct pin_explain_synth *ret)
{
    struct below below = {.name = name, .type = type, .view_id = view_id};
    const struct pin_node *node =
        pin_index_enclose(catalog->live.index, name->wire, name->bytes, &below.bytes);
    *ret = (struct pin_explain_synth){.status = NULL};
    if (node == NULL || (below.bytes == 0 && (node->flags & PIN_NODE_IS_BARE) == 0)) {
        return; /* nobody's, or a node answers */
    }
    if ((node->flags & PIN_NODE_HAS_DASHED) != 0 && explain_dashed(catalog, node, &below, ret)) {
        return;
    }
    if ((node->flags & PIN_NODE_HAS_PODS) != 0) {
        if (below.bytes > 0) {
            explain_pod(catalog, node, &below, ret);
        }
        return;
    }
    while ((node->flags & PIN_NODE_HAS_PARTS) == 0 && catalog->settings->is_lighthouse
           && node->name_bytes > node->zone->apex.bytes) {
        const uint8_t *parent = pin_name_parent(node->name);
        size_t label_bytes = (size_t)(parent - node->name);
        below.bytes += label_bytes;
        node = pin_index_find(catalog->live.index, parent, node->name_bytes - label_bytes);
    }
    if ((node->flags & PIN_NODE_HAS_PARTS) != 0 && below.bytes > 0) {
        explain_parts(catalog, node, &below, ret);
    }
}

void pin_explain_rows(const struct pin_catalog *catalog, const struct pin_parts_query *query,
    uint16_t type, struct pin_jsonout *out)
{
    struct pin_parts_cursor cursor = {0};
    struct pin_parts_row row;
    char text[PIN_IP_TEXT_MAX];
    pin_jsonout_key(out, "addresses");
    pin_jsonout_array(out);
    while (pin_parts_next(query, &cursor, &row)) {
        struct pin_ip ip = pin_ip_from_bytes(row.ip, row.family);
        if (type != PIN_TYPE_SRV && type != (row.family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA)) {
            continue;
        }
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "address", pin_ip_format(&ip, text));
        pin_jsonout_key_string(out, "cluster", catalog->settings->clusters[row.cluster_id].name);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}
