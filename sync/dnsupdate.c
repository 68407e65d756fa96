/* SPDX-License-Identifier: Apache-2.0 */

/* UPDATE messages: what must be, what goes, what comes. */

#include "dnsupdate.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/buf.h"
#include "pintle/zones/rdata.h"
#include "pintle/zones/table.h"

#include "dnsmsg.h"

#define OPCODE_SHIFT 11u

/* A change under way. */
struct encoder {
    const struct pin_name *zone;
    const struct pin_provider_change *change;
    uint32_t default_ttl_s;
    struct pin_buf prerequisites;
    struct pin_buf updates;
    uint16_t n_prerequisites;
    uint16_t n_updates;
    struct pin_why *why;
};

static void put_head(
    struct pin_buf *buf, const struct pin_name *name, uint16_t type, uint16_t class, uint32_t ttl_s)
{
    pin_buf_put_bytes(buf, name->wire, name->bytes);
    pin_buf_put_u16(buf, type);
    pin_buf_put_u16(buf, class);
    pin_buf_put_u32(buf, ttl_s);
}

/* A record without data. */
static void put_bare(
    struct pin_buf *buf, const struct pin_name *name, uint16_t type, uint16_t class)
{
    put_head(buf, name, type, class, 0);
    pin_buf_put_u16(buf, 0);
}

static enum pin_err put_values(struct encoder *self, struct pin_buf *buf,
    const struct pin_name *name, const struct pin_recordset *set, uint32_t ttl_s)
{
    uint16_t type = pin_rdata_type(set->type);
    for (size_t i = 0; i < set->n_values; i++) {
        put_head(buf, name, type, PIN_CLASS_IN, ttl_s);
        size_t length_at = pin_buf_used(buf);
        pin_buf_put_u16(buf, 0);
        enum pin_err err = pin_rdata_parse(type, set->values[i].text, buf, self->why);
        if (err != PIN_OK) {
            return err;
        }
        pin_buf_set_u16(buf, length_at, (uint16_t)(pin_buf_used(buf) - length_at - 2));
    }
    return PIN_OK;
}

/* The set that an edit is about. */
static const struct pin_recordset *subject(const struct pin_provider_edit *edit)
{
    return edit->will != NULL ? edit->will : edit->was;
}

/* Whether this change takes away a set of that name; of that type, unless NULL. */
static bool takes_away(const struct encoder *self, const char *name, const char *type)
{
    for (size_t i = 0; i < self->change->n_edits; i++) {
        const struct pin_recordset *was = self->change->edits[i].was;
        if (was != NULL && strcmp(was->name, name) == 0
            && (type == NULL || strcmp(was->type, type) == 0)) {
            return true;
        }
    }
    return false;
}

/* There must be no such set, nor what makes a server pass over the new one without a word (RFC
 * 2136, section 3.4.2.2). */
static void require_none(
    struct encoder *self, const struct pin_name *name, const struct pin_recordset *will)
{
    uint16_t type = pin_rdata_type(will->type);
    struct pin_buf *buf = &self->prerequisites;
    bool is_cname = type == PIN_TYPE_CNAME;
    if (is_cname && !takes_away(self, will->name, NULL)) {
        put_bare(buf, name, PIN_TYPE_ANY, PIN_DNSMSG_NONE);
        self->n_prerequisites++;
        return;
    }
    put_bare(buf, name, type, PIN_DNSMSG_NONE);
    self->n_prerequisites++;
    if (!is_cname && !takes_away(self, will->name, "CNAME")) {
        put_bare(buf, name, PIN_TYPE_CNAME, PIN_DNSMSG_NONE);
        self->n_prerequisites++;
    }
}

/* What no server would do, or none should be asked to. */
static enum pin_err check_set(
    struct encoder *self, const struct pin_recordset *set, struct pin_name *ret_name)
{
    if (set == NULL) {
        return pin_why_set(self->why, PIN_EINVAL, "an edit of nothing");
    }
    uint16_t type = pin_rdata_type(set->type);
    if (pin_name_parse(set->name, ret_name) != PIN_OK || !pin_name_is_below(ret_name, self->zone)) {
        return pin_why_set(self->why, PIN_EINVAL, "'%.200s' is not in this zone", set->name);
    }
    if (type == 0 || !pin_rdata_has_form(type) || type == PIN_TYPE_SOA) {
        return pin_why_set(
            self->why, PIN_EINVAL, "records of type %.20s are not written", set->type);
    }
    if (type == PIN_TYPE_NS && ret_name->bytes == self->zone->bytes) {
        return pin_why_set(self->why, PIN_EINVAL, "the zone's own NS records are not changed");
    }
    if (set->set_id[0] != '\0') {
        return pin_why_set(
            self->why, PIN_EINVAL, "DNS has one set of a name and type: no set identifiers");
    }
    if (set->n_values == 0 || (type == PIN_TYPE_CNAME && set->n_values > 1)) {
        return pin_why_set(
            self->why, PIN_EINVAL, "%zu values of type %.20s", set->n_values, set->type);
    }
    return PIN_OK;
}

/* Prerequisites of an edit, and what goes. */
static enum pin_err put_edit_front(struct encoder *self, const struct pin_provider_edit *edit)
{
    struct pin_name name;
    enum pin_err err = check_set(self, subject(edit), &name);
    if (err != PIN_OK) {
        return err;
    }
    if (edit->was == NULL) {
        require_none(self, &name, edit->will);
        return PIN_OK;
    }
    if (edit->will != NULL
        && (strcmp(edit->was->name, edit->will->name) != 0
            || strcmp(edit->was->type, edit->will->type) != 0)) {
        return pin_why_set(self->why, PIN_EINVAL, "an edit of two different sets");
    }
    self->n_prerequisites = (uint16_t)(self->n_prerequisites + edit->was->n_values);
    self->n_updates++;
    put_bare(&self->updates, &name, pin_rdata_type(edit->was->type), PIN_CLASS_ANY);
    return put_values(self, &self->prerequisites, &name, edit->was, 0);
}

/* A TTL that nobody wants is the one that is there, 0 too, else the usual one. */
static uint32_t ttl_of(const struct encoder *self, const struct pin_provider_edit *edit)
{
    if (edit->will->ttl_s != 0) {
        return edit->will->ttl_s;
    }
    return edit->was != NULL ? edit->was->ttl_s : self->default_ttl_s;
}

/* What comes; names were checked before. */
static enum pin_err put_edit_back(struct encoder *self, const struct pin_provider_edit *edit)
{
    struct pin_name name;
    if (edit->will == NULL) {
        return PIN_OK;
    }
    uint32_t ttl_s = ttl_of(self, edit);
    (void)pin_name_parse(edit->will->name, &name);
    self->n_updates = (uint16_t)(self->n_updates + edit->will->n_values);
    return put_values(self, &self->updates, &name, edit->will, ttl_s);
}

static enum pin_err encode(struct encoder *self)
{
    const struct pin_provider_change *change = self->change;
    for (size_t i = 0; i < change->n_edits; i++) {
        enum pin_err err = put_edit_front(self, &change->edits[i]);
        if (err != PIN_OK) {
            return err;
        }
    }
    for (size_t i = 0; i < change->n_edits; i++) {
        enum pin_err err = put_edit_back(self, &change->edits[i]);
        if (err != PIN_OK) {
            return err;
        }
    }
    return pin_buf_is_ok(&self->prerequisites) && pin_buf_is_ok(&self->updates)
                   && pin_buf_used(&self->prerequisites) + pin_buf_used(&self->updates)
                          <= PIN_DNSUPDATE_CHANGE_MAX
               ? PIN_OK
               : pin_why_set(self->why, PIN_ELIMIT, "the change does not fit into one message");
}

enum pin_err pin_dnsupdate_encode(struct pin_arena *arena, const struct pin_name *zone,
    const struct pin_provider_change *change, uint32_t default_ttl_s,
    struct pin_dnsupdate *ret_update, struct pin_why *why)
{
    struct encoder self = {
        .zone = zone, .change = change, .default_ttl_s = default_ttl_s, .why = why};
    struct pin_dnsupdate update = {0};
    uint8_t *room = malloc(2 * (size_t)PIN_DNSUPDATE_CHANGE_MAX);
    if (room == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a change");
    }
    self.prerequisites = pin_buf_init(room, PIN_DNSUPDATE_CHANGE_MAX);
    self.updates = pin_buf_init(room + PIN_DNSUPDATE_CHANGE_MAX, PIN_DNSUPDATE_CHANGE_MAX);
    enum pin_err err = encode(&self);
    if (err == PIN_OK) {
        update.prerequisite_bytes = pin_buf_used(&self.prerequisites);
        update.update_bytes = pin_buf_used(&self.updates);
        update.n_prerequisites = self.n_prerequisites;
        update.n_updates = self.n_updates;
        update.prerequisites =
            pin_arena_memdup(arena, self.prerequisites.start, update.prerequisite_bytes);
        update.updates = pin_arena_memdup(arena, self.updates.start, update.update_bytes);
    }
    free(room);
    if (err == PIN_OK && (update.prerequisites == NULL || update.updates == NULL)) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a change");
    }
    if (err == PIN_OK) {
        *ret_update = update;
    }
    return err;
}

size_t pin_dnsupdate_message(const struct pin_name *zone, uint16_t id,
    const struct pin_dnsupdate *updates, size_t n_updates, uint8_t *wire, size_t cap_bytes)
{
    struct pin_buf buf = pin_buf_init(wire, cap_bytes);
    size_t n_prerequisites = 0;
    size_t n_records = 0;
    for (size_t i = 0; i < n_updates; i++) {
        n_prerequisites += updates[i].n_prerequisites;
        n_records += updates[i].n_updates;
    }
    pin_buf_put_u16(&buf, id);
    pin_buf_put_u16(&buf, (uint16_t)(PIN_DNSMSG_UPDATE << OPCODE_SHIFT));
    pin_buf_put_u16(&buf, 1);
    pin_buf_put_u16(&buf, (uint16_t)n_prerequisites);
    pin_buf_put_u16(&buf, (uint16_t)n_records);
    pin_buf_put_u16(&buf, 0);
    pin_buf_put_bytes(&buf, zone->wire, zone->bytes);
    pin_buf_put_u16(&buf, PIN_TYPE_SOA);
    pin_buf_put_u16(&buf, PIN_CLASS_IN);
    for (size_t i = 0; i < n_updates; i++) {
        pin_buf_put_bytes(&buf, updates[i].prerequisites, updates[i].prerequisite_bytes);
    }
    for (size_t i = 0; i < n_updates; i++) {
        pin_buf_put_bytes(&buf, updates[i].updates, updates[i].update_bytes);
    }
    return pin_buf_is_ok(&buf) ? pin_buf_used(&buf) : 0;
}
