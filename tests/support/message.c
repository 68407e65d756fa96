/* SPDX-License-Identifier: Apache-2.0 */

/* Builds queries and reads answers for tests. Independent of the server's own reader and writer. */

#include "support/message.h"

#include <stdio.h>
#include <string.h>

#define TYPE_NS    2
#define TYPE_CNAME 5
#define TYPE_SOA   6
#define TYPE_PTR   12
#define TYPE_SRV   33
#define TYPE_OPT   41
#define OPTION_EDE 15
#define OPTION_ECS 8

static size_t put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return 2;
}

size_t message_put_name(const char *name, uint8_t *ret_wire)
{
    size_t at = 0;
    while (*name != '\0' && strcmp(name, ".") != 0) {
        size_t bytes = strcspn(name, ".");
        ret_wire[at++] = (uint8_t)bytes;
        memcpy(ret_wire + at, name, bytes);
        at += bytes;
        name += bytes + (name[bytes] == '.');
    }
    ret_wire[at++] = 0;
    return at;
}

size_t message_build(const struct message_query *query, uint8_t *ret_wire)
{
    memset(ret_wire, 0, 12);
    (void)put_u16(ret_wire, query->id != 0 ? query->id : 0x1234);
    (void)put_u16(ret_wire + 2, query->flags);
    (void)put_u16(ret_wire + 4, 1);
    (void)put_u16(ret_wire + 10, query->has_edns);
    size_t at = 12 + message_put_name(query->name, ret_wire + 12);
    at += put_u16(ret_wire + at, query->type);
    at += put_u16(ret_wire + at, query->qclass != 0 ? query->qclass : 1);
    if (query->has_edns) {
        ret_wire[at++] = 0;
        at += put_u16(ret_wire + at, TYPE_OPT);
        at += put_u16(ret_wire + at, query->edns_bytes);
        ret_wire[at++] = 0;
        ret_wire[at++] = query->edns_version;
        at += put_u16(ret_wire + at, query->edns_flags);
        at += put_u16(ret_wire + at, (unsigned)query->options_bytes);
        if (query->options_bytes > 0) {
            memcpy(ret_wire + at, query->options, query->options_bytes);
        }
        at += query->options_bytes;
    }
    return at;
}

/* --- reading ------------------------------------------------------------------------------ */

struct reader {
    const uint8_t *wire;
    size_t at;
    size_t end;
    bool failed;
};

static unsigned get(struct reader *r, size_t bytes)
{
    unsigned value = 0;
    if (r->failed || r->end - r->at < bytes) {
        r->failed = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | r->wire[r->at++];
    }
    return value;
}

/* Follows pointers that lead backwards only, counting octets of the expanded name. */
static bool is_name_fine(const struct reader *r, size_t at)
{
    const uint8_t *wire = r->wire;
    size_t floor = at;
    size_t expanded = 0;
    while (at < r->end && wire[at] != 0) {
        if (wire[at] >= 0xC0) {
            if (r->end - at < 2) {
                return false;
            }
            size_t target = (size_t)(wire[at] & 0x3F) << 8 | wire[at + 1];
            if (target >= floor || target < 12) {
                return false;
            }
            floor = target;
            at = target;
            continue;
        }
        if (wire[at] > 63) {
            return false;
        }
        expanded += wire[at] + 1u;
        at += wire[at] + 1u;
        if (expanded > 254) {
            return false;
        }
    }
    return at < r->end;
}

/* Steps over a name that must end before r->end. */
static void skip_name(struct reader *r)
{
    size_t start = r->at;
    for (;;) {
        unsigned length = get(r, 1);
        if (r->failed || length == 0) {
            break;
        }
        if (length >= 0xC0) {
            (void)get(r, 1);
            break;
        }
        if (length > 63 || r->end - r->at < length) {
            r->failed = true;
            break;
        }
        r->at += length;
    }
    if (!r->failed && !is_name_fine(r, start)) {
        r->failed = true;
    }
}

/* Checks that the names inside an RDATA end where it ends. */
static bool is_rdata_fine(const uint8_t *wire, const struct message_rr *rr)
{
    struct reader r = {.wire = wire, .at = rr->rdata_at, .end = rr->rdata_at + rr->rdata_bytes};
    switch (rr->type) {
    case 1:
        return rr->rdata_bytes == 4;
    case 28:
        return rr->rdata_bytes == 16;
    case TYPE_SRV:
        (void)get(&r, 6);
        skip_name(&r);
        break;
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
        skip_name(&r);
        break;
    case TYPE_SOA:
        skip_name(&r);
        skip_name(&r);
        for (int i = 0; i < 5; i++) {
            (void)get(&r, 4);
        }
        break;
    default:
        return true;
    }
    return !r.failed && r.at == r.end;
}

/* The server sends no other option, and none twice. */
static bool note_option(struct message *m, unsigned code, size_t at, size_t bytes)
{
    if (code >= MESSAGE_OPTIONS_MAX || m->options[code].at != 0
        || (code != 3 && code != 9 && code != 10 && code != 11 && code != 12)) {
        return false;
    }
    m->options[code].at = at;
    m->options[code].bytes = bytes;
    return true;
}

static bool read_opt(struct reader *r, struct message *m, const struct message_rr *rr)
{
    struct reader options = {.wire = r->wire, .at = rr->rdata_at, .end = r->at};
    if (m->has_opt || rr->section != 3 || r->wire[rr->owner_at] != 0) {
        return false;
    }
    m->has_opt = true;
    m->edns_bytes = rr->rrclass;
    m->rcode = (uint16_t)(m->rcode | (rr->ttl_s >> 24) << 4);
    m->edns_version = (uint8_t)(rr->ttl_s >> 16);
    m->edns_flags = (uint16_t)rr->ttl_s;
    while (options.at < options.end && !options.failed) {
        unsigned code = get(&options, 2);
        unsigned bytes = get(&options, 2);
        size_t at = options.at;
        if (options.failed || options.end - at < bytes) {
            return false;
        }
        options.at += bytes;
        if (code == OPTION_EDE && bytes >= 2 && m->ede < 0) {
            m->ede = options.wire[at] << 8 | options.wire[at + 1];
            m->ede_text_bytes = bytes - 2;
        } else if (code == OPTION_ECS && bytes >= 4 && m->ecs_at == 0) {
            m->ecs_at = at;
            m->ecs_bytes = bytes;
        } else if (!note_option(m, code, at, bytes)) {
            return false;
        }
    }
    return !options.failed;
}

static bool read_record(struct reader *r, struct message *m, uint8_t section)
{
    struct message_rr rr = {.section = section, .owner_at = r->at};
    skip_name(r);
    rr.type = (uint16_t)get(r, 2);
    rr.rrclass = (uint16_t)get(r, 2);
    rr.ttl_s = get(r, 4);
    rr.rdata_bytes = get(r, 2);
    rr.rdata_at = r->at;
    if (r->failed || r->end - r->at < rr.rdata_bytes) {
        return false;
    }
    r->at += rr.rdata_bytes;
    if (rr.type == TYPE_OPT) {
        return read_opt(r, m, &rr);
    }
    if (m->n_records == MESSAGE_RRS_MAX || rr.rrclass != m->qclass || rr.ttl_s > INT32_MAX
        || !is_rdata_fine(r->wire, &rr)) {
        return false;
    }
    m->records[m->n_records++] = rr;
    return true;
}

bool message_parse(const uint8_t *wire, size_t bytes, struct message *ret_message)
{
    struct message *m = ret_message;
    struct reader r = {.wire = wire, .end = bytes};
    *m = (struct message){.wire = wire, .bytes = bytes, .ede = -1};
    m->id = (uint16_t)get(&r, 2);
    m->flags = (uint16_t)get(&r, 2);
    m->rcode = m->flags & 0x0F;
    m->n_question = (uint16_t)get(&r, 2);
    for (uint8_t section = 1; section <= 3; section++) {
        m->n_rr[section] = (uint16_t)get(&r, 2);
    }
    if (r.failed || m->n_question > 1) {
        return false;
    }
    if (m->n_question == 1) {
        skip_name(&r);
        (void)get(&r, 2);
        m->qclass = (uint16_t)get(&r, 2);
    }
    for (uint8_t section = 1; section <= 3; section++) {
        for (uint16_t i = 0; i < m->n_rr[section]; i++) {
            if (r.failed || !read_record(&r, m, section)) {
                return false;
            }
        }
    }
    bool has_zero_bits = (m->flags & 0x0040) == 0 && (m->edns_flags & 0x7FFF) == 0;
    return !r.failed && r.at == r.end && has_zero_bits;
}

size_t message_count(const struct message *message, uint8_t section, uint16_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < message->n_records; i++) {
        n += message->records[i].section == section && message->records[i].type == type;
    }
    return n;
}

const struct message_rr *message_find(const struct message *message, uint8_t section, uint16_t type)
{
    for (size_t i = 0; i < message->n_records; i++) {
        if (message->records[i].section == section && message->records[i].type == type) {
            return &message->records[i];
        }
    }
    return NULL;
}

const char *message_name(const struct message *message, size_t at, char out[1024])
{
    char *to = out;
    const uint8_t *wire = message->wire;
    while (wire[at] != 0) {
        if (wire[at] >= 0xC0) {
            at = (size_t)(wire[at] & 0x3F) << 8 | wire[at + 1];
            continue;
        }
        memcpy(to, wire + at + 1, wire[at]);
        to += wire[at];
        *to++ = '.';
        at += wire[at] + 1u;
    }
    if (to == out) {
        *to++ = '.';
    }
    *to = '\0';
    return out;
}
