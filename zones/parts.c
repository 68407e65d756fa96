/* SPDX-License-Identifier: Apache-2.0 */

/* Reads the parts of a service: which of them a name means, and their addresses for an asker. */

#include "pintle/zones/parts.h"

#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"

#define LABELS_MAX 127

/* --- labels ----------------------------------------------------------------------------------- */

/* The labels in front of the service's name. */
struct labels {
    const uint8_t *wire;
    uint8_t at[LABELS_MAX + 1]; /* offsets, and the end */
    size_t n;
};

static struct labels split(const uint8_t *wire, size_t bytes)
{
    struct labels labels = {.wire = wire};
    size_t at = 0;
    while (at < bytes && labels.n < LABELS_MAX) {
        labels.at[labels.n++] = (uint8_t)at;
        at += (size_t)wire[at] + 1;
    }
    labels.at[labels.n] = (uint8_t)at;
    return labels;
}

static bool is_label(const struct labels *labels, size_t i, const char *text)
{
    const uint8_t *label = labels->wire + labels->at[i];
    return label[0] == strlen(text) && memcmp(label + 1, text, label[0]) == 0;
}

/* The protocol that a label names, with or without an underscore; -1: none. */
static int protocol_of(const struct labels *labels, size_t i, bool has_underscore)
{
    static const char *const texts[] = {"_tcp", "_udp", "_sctp"};
    for (size_t p = 0; p < N_ELEMS(texts); p++) {
        if (is_label(labels, i, texts[p] + !has_underscore)) {
            return (int)p;
        }
    }
    return -1;
}

/* --- ports, zones, sources
 * ------------------------------------------------------------------------
 */

const uint8_t *pin_parts_port_name(
    const struct pin_parts_query *query, size_t port_i, uint8_t *ret_protocol, size_t *ret_bytes)
{
    const uint8_t *at = query->wire + PIN_PARTS_HEAD_BYTES;
    for (size_t i = 0; i < port_i; i++) {
        at += 2 + at[1];
    }
    *ret_protocol = at[0];
    *ret_bytes = at[1];
    return at + 2;
}

/* The port of that protocol and name, `skipped` letters of the label not being part of it; with
 * label NULL any that has a name. -1: none. */
static int find_port(
    const struct pin_parts_query *q, int protocol, const uint8_t *label, uint8_t skipped)
{
    const uint8_t *at = q->wire + PIN_PARTS_HEAD_BYTES;
    for (int i = 0; i < q->n_ports; i++) {
        bool is_same = label == NULL ? at[1] > 0
                                     : label[0] == at[1] + skipped
                                           && memcmp(label + 1 + skipped, at + 2, at[1]) == 0;
        if (at[0] == protocol && at[1] > 0 && is_same) {
            return i;
        }
        at += 2 + at[1];
    }
    return -1;
}

/* Whether labels `from` to `to`, joined by dots, are the text. */
static bool is_joined(const struct labels *labels, size_t from, size_t to, const uint8_t *text)
{
    size_t bytes = (size_t)labels->at[to] - labels->at[from];
    const uint8_t *wire = labels->wire + labels->at[from];
    if (bytes == 0 || bytes - 1 != text[0]) {
        return false; /* lengths stand for the dots between labels */
    }
    for (size_t i = from; i < to; i++) {
        const uint8_t *label = labels->wire + labels->at[i];
        size_t at = (size_t)(label - wire);
        if (memcmp(text + 1 + at, label + 1, label[0]) != 0
            || (i + 1 < to && text[1 + at + label[0]] != '.')) {
            return false;
        }
    }
    return true;
}

/* Place of the zone that the labels say, from 1; 0: no endpoint is there. */
static int find_zone(const uint8_t *zones, const struct labels *labels, size_t from, size_t to)
{
    const uint8_t *at = zones + 1;
    for (int i = 1; i <= zones[0]; i++) {
        if (is_joined(labels, from, to, at)) {
            return i;
        }
        at += 1 + at[0];
    }
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Reads the head of the part at the cursor. */
static void enter_part(const struct pin_parts_query *q, struct pin_parts_cursor *c)
{
    const uint8_t *at = q->wire + c->at;
    uint8_t flags = at[4];
    uint16_t network = pin_get_be16(at + 2);
    c->row = (struct pin_parts_row){.cluster_id = pin_get_be16(at), .source = at + 5};
    c->n_rows = pin_get_be32(at + 6 + at[5]);
    c->at += 10u + at[5];
    bool is_own = c->row.cluster_id == q->asker.cluster_id;
    bool is_for = is_own ? (flags & PIN_PART_FOR_OWN) != 0
                         : (flags & PIN_PART_FOR_OTHERS) != 0 && !q->sees_own_alone;
    bool is_wanted =
        q->source == NULL || (q->source[0] == at[5] && memcmp(q->source + 1, at + 6, at[5]) == 0);
    c->reach = !is_for || !is_wanted         ? 0
               : is_own                      ? PIN_ROW_OWN
               : network == q->asker.network ? PIN_ROW_NEAR
                                             : PIN_ROW_FAR;
}

/* Reads the row at the cursor. */
static void read_row(
    const struct pin_parts_query *q, struct pin_parts_cursor *c, struct pin_parts_row *ret)
{
    const uint8_t *at = q->wire + c->at;
    *ret = c->row;
    ret->flags = at[0];
    ret->zone_i = at[1];
    ret->family = at[2];
    ret->ip = at + 3;
    ret->ports = ret->ip + (ret->family == 4 ? 4 : 16);
    ret->label = ret->ports + 2 * (size_t)q->n_ports;
    c->at = (size_t)(ret->label - q->wire) + 1 + ret->label[0];
    c->n_rows--;
}

bool pin_parts_next(
    const struct pin_parts_query *query, struct pin_parts_cursor *cursor, struct pin_parts_row *ret)
{
    if (cursor->at == 0) {
        cursor->at = query->parts_at;
        cursor->n_parts = query->n_parts;
    }
    for (;;) {
        while (cursor->n_rows > 0) {
            read_row(query, cursor, ret);
            if ((ret->flags & cursor->reach) != 0
                && (query->zone_i < 0 || ret->zone_i == query->zone_i)) {
                return true;
            }
        }
        if (cursor->n_parts == 0) {
            return false;
        }
        cursor->n_parts--;
        enter_part(query, cursor);
    }
}

static bool has_rows(const struct pin_parts_query *q)
{
    struct pin_parts_cursor cursor = {0};
    struct pin_parts_row row;
    return pin_parts_next(q, &cursor, &row);
}

/* The cluster that the labels say; NULL: none that this asker may see. */
static const uint8_t *find_source(
    const struct pin_parts_query *q, const struct labels *labels, size_t from, size_t to)
{
    struct pin_parts_query any = *q;
    struct pin_parts_cursor c = {.at = q->parts_at};
    any.source = NULL;
    size_t bytes = (size_t)labels->at[to] - labels->at[from];
    for (uint16_t i = 0; i < q->n_parts; i++) {
        struct pin_parts_row row;
        enter_part(&any, &c);
        if (c.reach != 0 && bytes == c.row.source[0]
            && memcmp(labels->wire + labels->at[from], c.row.source + 1, bytes) == 0) {
            return c.row.source;
        }
        while (c.n_rows > 0) {
            read_row(&any, &c, &row);
        }
    }
    return NULL;
}

/* --- names ------------------------------------------------------------------------------------ */

/* Whether the asker's own part is all it sees. */
static bool sees_own_alone(const struct pin_parts_query *q)
{
    struct pin_parts_cursor c = {.at = q->parts_at};
    struct pin_parts_row row;
    for (uint16_t i = 0; i < q->n_parts; i++) {
        uint8_t flags = q->wire[c.at + 4];
        enter_part(q, &c);
        if (c.row.cluster_id == q->asker.cluster_id && (flags & PIN_PART_ALONE) != 0) {
            return true;
        }
        while (c.n_rows > 0) {
            read_row(q, &c, &row);
        }
    }
    return false;
}

static struct pin_parts_query read_head(const uint8_t *wire, struct pin_parts_asker asker)
{
    struct pin_parts_query q = {.wire = wire,
        .asker = asker,
        .flags = wire[0],
        .n_ports = wire[1],
        .n_parts = pin_get_be16(wire + 2),
        .ttl_s = pin_parts_ttl_s(wire),
        .port_i = -1,
        .zone_i = -1};
    return q;
}

/* Where the zones start: behind the ports. */
static size_t zones_at(const struct pin_parts_query *q)
{
    size_t at = PIN_PARTS_HEAD_BYTES;
    for (int i = 0; i < q->n_ports; i++) {
        at += 2u + q->wire[at + 1];
    }
    return at;
}

static size_t behind_zones(const struct pin_parts_query *q, size_t at)
{
    uint8_t n = q->wire[at++];
    for (uint8_t i = 0; i < n; i++) {
        at += 1u + q->wire[at];
    }
    return at;
}

/*
 * Reads what stands in front of a key: nothing, _port._proto, or _proto alone. Returns how many
 * labels that is, and what it makes of the name.
 */
static size_t read_port(struct pin_parts_query *q, const struct labels *labels, size_t n_front,
    bool has_underscore, enum pin_parts_verdict *ret)
{
    const uint8_t *first = labels->wire + labels->at[0];
    int protocol = n_front > 2 ? protocol_of(labels, 1, has_underscore) : -1;
    *ret = PIN_PARTS_SOME;
    if (protocol >= 0 && (!has_underscore || first[1] == '_')) {
        q->port_i = find_port(q, protocol, first, has_underscore);
        *ret = q->port_i >= 0 ? PIN_PARTS_SOME : PIN_PARTS_NONE;
        return 2;
    }
    protocol = n_front > 1 ? protocol_of(labels, 0, has_underscore) : -1;
    if (protocol >= 0) {
        *ret = find_port(q, protocol, NULL, 0) >= 0 ? PIN_PARTS_EMPTY : PIN_PARTS_NONE;
        return 1;
    }
    return 0;
}

/* [_port._proto.]<key>.pin|prefer._zone|_cluster */
static enum pin_parts_verdict read_pin(
    struct pin_parts_query *q, const struct labels *labels, bool is_zone)
{
    enum pin_parts_verdict verdict;
    if (labels->n == 1) {
        return PIN_PARTS_EMPTY;
    }
    bool is_pin = is_label(labels, labels->n - 2, "pin");
    if (!is_pin && !is_label(labels, labels->n - 2, "prefer")) {
        return PIN_PARTS_NONE;
    }
    size_t n_front = labels->n - 2;
    if (n_front == 0) {
        return PIN_PARTS_EMPTY;
    }
    size_t from = read_port(q, labels, n_front, true, &verdict);
    q->name_at = labels->at[from];
    if (verdict != PIN_PARTS_SOME) {
        return verdict;
    }
    bool is_known;
    if (is_zone) {
        q->zone_i = find_zone(q->wire + zones_at(q), labels, from, n_front);
        is_known = q->zone_i > 0;
    } else {
        q->source = find_source(q, labels, from, n_front);
        is_known = q->source != NULL;
    }
    if (is_known && has_rows(q)) {
        return PIN_PARTS_SOME;
    }
    return is_pin ? PIN_PARTS_EMPTY : PIN_PARTS_ALL;
}

/* [[_]port.[_]proto.]<cluster>, and port.proto alone */
static enum pin_parts_verdict read_lighthouse(
    struct pin_parts_query *q, const struct labels *labels)
{
    bool has_underscore = labels->wire[1] == '_';
    enum pin_parts_verdict verdict;
    q->source = find_source(q, labels, 0, labels->n);
    if (q->source != NULL) {
        return PIN_PARTS_SOME;
    }
    int protocol = labels->n <= 2 ? protocol_of(labels, labels->n - 1, false) : -1;
    if (protocol >= 0) {
        q->port_i = find_port(q, protocol, labels->n == 2 ? labels->wire : NULL, 0);
        return q->port_i < 0 ? PIN_PARTS_NONE : labels->n == 2 ? PIN_PARTS_ALL : PIN_PARTS_EMPTY;
    }
    size_t from = read_port(q, labels, labels->n, has_underscore, &verdict);
    q->name_at = labels->at[from];
    q->source = from > 0 ? find_source(q, labels, from, labels->n) : NULL;
    return q->source != NULL ? verdict : PIN_PARTS_NONE;
}

struct pin_parts_query pin_parts_open(const uint8_t *wire, struct pin_parts_asker asker)
{
    struct pin_parts_query q = read_head(wire, asker);
    q.parts_at = behind_zones(&q, zones_at(&q));
    q.sees_own_alone = sees_own_alone(&q);
    return q;
}

enum pin_parts_verdict pin_parts_read(const uint8_t *wire, const uint8_t *labels, size_t bytes,
    struct pin_parts_asker asker, struct pin_parts_query *ret)
{
    struct labels split_labels = split(labels, bytes);
    *ret = pin_parts_open(wire, asker);
    if (is_label(&split_labels, split_labels.n - 1, "_zone")) {
        return (ret->flags & PIN_PARTS_ZONES) != 0 ? read_pin(ret, &split_labels, true)
                                                   : PIN_PARTS_NONE;
    }
    if (is_label(&split_labels, split_labels.n - 1, "_cluster")) {
        return (ret->flags & PIN_PARTS_CLUSTERS) != 0 ? read_pin(ret, &split_labels, false)
                                                      : PIN_PARTS_NONE;
    }
    return (ret->flags & PIN_PARTS_LIGHTHOUSE) != 0 ? read_lighthouse(ret, &split_labels)
                                                    : PIN_PARTS_NONE;
}
