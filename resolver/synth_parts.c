/* SPDX-License-Identifier: Apache-2.0 */

/* Answers for some of a service's addresses: those of a topology zone or of a cluster. */

#include <string.h>

#include "pintle/base/buf.h"

#include "synth.h"

#define RR_HEAD_BYTES  12u
#define SRV_HEAD_BYTES 6u
#define RR_MAX_BYTES   (RR_HEAD_BYTES + SRV_HEAD_BYTES + PIN_NAME_MAX_BYTES)
/* Addresses of one target. */
#define TARGET_ADDRESSES_MAX 16u
/* Numbers of a port among addresses that share a target: as many as differ usefully. */
#define NUMBERS_MAX 8u
#define PERCENT     100u

/* The slot whose turns begin an answer: shared, as nobody counts these answers. */
#define SLOT 0u

/* One answer under way. */
struct work {
    const struct pin_synth *s;
    const struct pin_parts_query *q;
};

static bool is_headless(const struct work *w)
{
    return (w->q->flags & PIN_PARTS_HEADLESS) != 0;
}

static bool has_room(const struct work *w, size_t bytes)
{
    const struct pin_response *response = w->s->response;
    return response->limit_bytes - response->used_bytes >= bytes;
}

static void add_address(const struct work *w, enum pin_section section,
    const struct pin_parts_row *row, size_t owner_at)
{
    uint8_t rr[PIN_RR_AAAA_BYTES];
    uint16_t bytes = row->family == 4 ? 4 : 16;
    struct pin_buf b = pin_buf_init(rr, sizeof(rr));
    pin_buf_put_u16(&b, PIN_OWNER_POINTER);
    pin_buf_put_u16(&b, row->family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA);
    pin_buf_put_u16(&b, PIN_CLASS_IN);
    pin_buf_put_u32(&b, w->q->ttl_s);
    pin_buf_put_u16(&b, bytes);
    pin_buf_put_bytes(&b, row->ip, bytes);
    pin_response_add_rr(w->s->response, section, rr, pin_buf_used(&b), owner_at);
}

/* --- A and AAAA ------------------------------------------------------------------------------- */

static uint32_t count_addresses(const struct work *w, uint8_t family)
{
    struct pin_parts_cursor cursor = {0};
    struct pin_parts_row row;
    uint32_t n = 0;
    while (pin_parts_next(w->q, &cursor, &row)) {
        n += row.family == family;
    }
    return n;
}

/* Adds the addresses from number `from` to `to`, at most `n_max`; returns how many. */
static uint32_t add_stretch(
    const struct work *w, uint8_t family, uint32_t from, uint32_t to, uint32_t n_max)
{
    struct pin_parts_cursor cursor = {0};
    struct pin_parts_row row;
    size_t rr_bytes = family == 4 ? PIN_RR_A_BYTES : PIN_RR_AAAA_BYTES;
    uint32_t i = 0;
    uint32_t n = 0;
    while (n < n_max && i < to && pin_parts_next(w->q, &cursor, &row)) {
        if (row.family != family || i++ < from) {
            continue;
        }
        if (!is_headless(w) && !has_room(w, rr_bytes)) {
            break; /* an address left out is what a choice is */
        }
        pin__synth_note_stale(w->s, row.cluster_id);
        add_address(w, PIN_SECTION_ANSWER, &row, w->s->at);
        n++;
    }
    return n;
}

/* Begins somewhere else each time: who takes the first address takes each in turn. */
static enum pin_synth_verdict add_addresses(const struct work *w, uint8_t family)
{
    uint32_t n = count_addresses(w, family);
    uint32_t n_max = is_headless(w) ? n : w->s->live->reverse->settings->max_answers;
    if (n == 0 || pin_scene_hides(w->s->scene, w->s->view_id, family == 6)) {
        return PIN_SYNTH_NODATA;
    }
    uint32_t from = (uint32_t)((pin_draws_next(w->s->draws, SLOT) >> 32) * n >> 32);
    uint32_t n_added = add_stretch(w, family, from, n, n_max);
    if (n_added < n_max) {
        n_added += add_stretch(w, family, 0, from, n_max - n_added);
    }
    if (n_added == 0 && !w->s->response->is_stream) {
        w->s->response->is_truncated = true; /* aliases took all the room: there is data, though */
    }
    return PIN_SYNTH_DATA;
}

/* --- SRV -------------------------------------------------------------------------------------- */

/* Goes through the targets of one port. Addresses under one pod's name stand side by side; those
 * without a name of their own share the asked one, and one record for each number. */
struct targets {
    const struct work *w;
    size_t port_i;
    struct pin_parts_cursor cursor;
    uint16_t numbers[NUMBERS_MAX]; /* of the shared target, seen so far */
    size_t n_numbers;
    struct pin_parts_row last; /* with a label, or none */
};

static bool is_same_pod(const struct pin_parts_row *a, const struct pin_parts_row *b)
{
    return a->label != NULL && a->source == b->source && a->label[0] > 0
           && a->label[0] == b->label[0] && memcmp(a->label + 1, b->label + 1, a->label[0]) == 0;
}

static bool is_new_number(struct targets *t, uint16_t number)
{
    for (size_t i = 0; i < t->n_numbers; i++) {
        if (t->numbers[i] == number) {
            return false;
        }
    }
    if (t->n_numbers == NUMBERS_MAX) {
        return false;
    }
    t->numbers[t->n_numbers++] = number;
    return true;
}

/* Whether an earlier port gives the same record. */
static bool is_repeated(const struct targets *t, const struct pin_parts_row *row, uint16_t number)
{
    for (size_t i = 0; t->w->q->port_i < 0 && i < t->port_i; i++) {
        if (pin_parts_port(row, i) == number) {
            return true;
        }
    }
    return false;
}

static bool next_target(struct targets *t, struct pin_parts_row *ret)
{
    while (pin_parts_next(t->w->q, &t->cursor, ret)) {
        uint16_t number = pin_parts_port(ret, t->port_i);
        bool is_pod = (ret->flags & PIN_ROW_POD) != 0;
        if (number == 0 || is_repeated(t, ret, number)) {
            continue;
        }
        if (!is_pod && is_new_number(t, number)) {
            return true;
        }
        if (is_pod && !is_same_pod(&t->last, ret)) {
            t->last = *ret;
            return true;
        }
    }
    return false;
}

/* How many targets a port has, as far as that makes a difference: more have no whole percents. */
static uint32_t count_targets(const struct work *w, size_t port_i)
{
    struct targets t = {.w = w, .port_i = port_i};
    struct pin_parts_row row;
    uint32_t n = 0;
    while (n <= PERCENT && next_target(&t, &row)) {
        n++;
    }
    return n;
}

/* The name of a row: <label>.<cluster>.<service...> as the asker called the service, or the asked
 * name without its port. */
static bool make_target(
    const struct work *w, const struct pin_parts_row *row, struct pin_name *ret_name)
{
    const struct pin_synth *s = w->s;
    bool is_pod = (row->flags & PIN_ROW_POD) != 0;
    size_t from = is_pod ? s->encloser_at : w->q->name_at;
    ret_name->bytes = (uint8_t)(s->bytes - from);
    memcpy(ret_name->wire, s->name + from, s->bytes - from);
    if (!is_pod) {
        return true;
    }
    uint8_t source_bytes = row->source[0];
    if (ret_name->bytes + (size_t)source_bytes > PIN_NAME_MAX_BYTES) {
        return false;
    }
    memmove(ret_name->wire + source_bytes, ret_name->wire, ret_name->bytes);
    memcpy(ret_name->wire, row->source + 1, source_bytes);
    ret_name->bytes = (uint8_t)(ret_name->bytes + source_bytes);
    if (row->label[0] > 0) {
        return pin_name_prepend(ret_name, (const char *)row->label + 1, row->label[0]) == PIN_OK;
    }
    char dashed[PIN_IP_DASHED_MAX];
    struct pin_ip ip = pin_ip_from_bytes(row->ip, row->family);
    pin_ip_dashed(&ip, dashed);
    return pin_name_prepend(ret_name, dashed, strlen(dashed)) == PIN_OK;
}

/* Adds one SRV record; returns where its target starts, 0 when it did not fit. */
static size_t add_srv(
    const struct work *w, const struct pin_parts_row *row, uint16_t weight, uint16_t number)
{
    uint8_t rr[RR_MAX_BYTES];
    struct pin_name target;
    struct pin_response *response = w->s->response;
    if (!make_target(w, row, &target)) {
        return 0;
    }
    struct pin_buf b = pin_buf_init(rr, sizeof(rr));
    pin_buf_put_u16(&b, PIN_OWNER_POINTER);
    pin_buf_put_u16(&b, PIN_TYPE_SRV);
    pin_buf_put_u16(&b, PIN_CLASS_IN);
    pin_buf_put_u32(&b, w->q->ttl_s);
    pin_buf_put_u16(&b, (uint16_t)(SRV_HEAD_BYTES + target.bytes));
    pin_buf_put_u16(&b, 0);
    pin_buf_put_u16(&b, weight);
    pin_buf_put_u16(&b, number);
    pin_buf_put_bytes(&b, target.wire, target.bytes);
    size_t at = response->used_bytes;
    pin_response_add_rr(response, PIN_SECTION_ANSWER, rr, pin_buf_used(&b), w->s->at);
    pin__synth_note_stale(w->s, row->cluster_id);
    return response->used_bytes > at ? at + RR_HEAD_BYTES + SRV_HEAD_BYTES : 0;
}

/* Targets whose addresses go into the additional section. */
struct extras {
    struct pin_parts_row row[PIN_EXTRAS_MAX];
    size_t at[PIN_EXTRAS_MAX];
    size_t n;
    bool is_full; /* a record did not fit: nobody walks on through all ports and addresses */
};

static bool is_at_target(const struct pin_parts_row *target, const struct pin_parts_row *row)
{
    bool is_pod = (row->flags & PIN_ROW_POD) != 0;
    return is_pod == ((target->flags & PIN_ROW_POD) != 0)
           && (!is_pod || row->ip == target->ip || is_same_pod(target, row));
}

static void note_extra(struct extras *extras, const struct pin_parts_row *row, size_t at)
{
    for (size_t i = 0; i < extras->n; i++) {
        if (is_at_target(&extras->row[i], row)) {
            return;
        }
    }
    if (at != 0 && extras->n < PIN_EXTRAS_MAX) {
        extras->row[extras->n] = *row;
        extras->at[extras->n++] = at;
    }
}

/* What does not fit is left out. */
static void add_extras(const struct work *w, const struct extras *extras)
{
    for (size_t i = 0; i < extras->n && extras->at[i] < PIN_POINTER_END; i++) {
        struct pin_parts_cursor cursor = {0};
        struct pin_parts_row row;
        size_t n = 0;
        bool is_past = false; /* a pod's addresses stand side by side */
        while (n < TARGET_ADDRESSES_MAX && !is_past && pin_parts_next(w->q, &cursor, &row)) {
            size_t bytes = row.family == 4 ? PIN_RR_A_BYTES : PIN_RR_AAAA_BYTES;
            bool is_at = is_at_target(&extras->row[i], &row);
            is_past = n > 0 && !is_at && (extras->row[i].flags & PIN_ROW_POD) != 0;
            if (is_at && !pin_scene_hides(w->s->scene, w->s->view_id, row.family == 6)
                && has_room(w, bytes)) {
                add_address(w, PIN_SECTION_ADDITIONAL, &row, extras->at[i]);
                n++;
            }
        }
    }
}

/* All of a port's targets weigh the same: whole percents, or the largest there is. */
static void add_port(const struct work *w, size_t port_i, struct extras *extras)
{
    struct targets t = {.w = w, .port_i = port_i};
    struct pin_parts_row row;
    uint32_t n = count_targets(w, port_i);
    uint16_t weight = n > 0 && PERCENT % n == 0 ? (uint16_t)(PERCENT / n) : UINT16_MAX;
    while (!extras->is_full && next_target(&t, &row)) {
        size_t at = add_srv(w, &row, weight, pin_parts_port(&row, port_i));
        extras->is_full = at == 0 && !has_room(w, RR_MAX_BYTES);
        note_extra(extras, &row, at);
    }
}

static enum pin_synth_verdict add_srvs(const struct work *w)
{
    struct extras extras = {.n = 0};
    size_t at = w->s->response->used_bytes;
    for (size_t i = 0; i < w->q->n_ports && !extras.is_full; i++) {
        if (w->q->port_i < 0 || (size_t)w->q->port_i == i) {
            add_port(w, i, &extras);
        }
    }
    if (w->s->response->used_bytes == at && !w->s->response->is_truncated) {
        return PIN_SYNTH_NODATA;
    }
    if (!extras.is_full) {
        add_extras(w, &extras);
    }
    return PIN_SYNTH_DATA;
}

enum pin_synth_verdict pin_synth_parts(
    const struct pin_synth *synth, const struct pin_parts_query *query)
{
    struct work w = {.s = synth, .q = query};
    bool is_port = query->name_at > 0 || query->port_i >= 0;
    switch (synth->qtype) {
    case PIN_TYPE_A:
        return is_port ? PIN_SYNTH_NODATA : add_addresses(&w, 4);
    case PIN_TYPE_AAAA:
        return is_port ? PIN_SYNTH_NODATA : add_addresses(&w, 6);
    case PIN_TYPE_SRV:
        return add_srvs(&w);
    default:
        return PIN_SYNTH_NODATA;
    }
}
