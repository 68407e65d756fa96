/* SPDX-License-Identifier: Apache-2.0 */

/* Builds what upstreams say from text, and tells bodies as text. */

#include "support/upstream.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"

#include "support/message.h"

#define LINE_MAX_BYTES 1024u
#define WORDS_MAX      12u

static const struct type_name {
    const char *name;
    uint16_t type;
} type_names[] = {
    {"A", 1},
    {"NS", 2},
    {"CNAME", 5},
    {"SOA", 6},
    {"PTR", 12},
    {"MX", 15},
    {"TXT", 16},
    {"AAAA", 28},
    {"SRV", 33},
    {"DNAME", 39},
    {"DS", 43},
    {"RRSIG", 46},
    {"NSEC", 47},
    {"HTTPS", 65},
    {"ANY", 255},
};

struct builder {
    uint8_t *wire;
    size_t at;
    uint16_t counts[4];
};

uint16_t upstream_type(const char *name)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
        if (strcmp(type_names[i].name, name) == 0) {
            return type_names[i].type;
        }
    }
    return strncmp(name, "TYPE", 4) == 0 ? (uint16_t)strtoul(name + 4, NULL, 10) : 0;
}

static void put_u16(struct builder *b, unsigned value)
{
    b->wire[b->at++] = (uint8_t)(value >> 8);
    b->wire[b->at++] = (uint8_t)value;
}

static void put_u32(struct builder *b, unsigned long value)
{
    put_u16(b, (unsigned)(value >> 16) & 0xFFFFu);
    put_u16(b, (unsigned)value & 0xFFFFu);
}

static void put_name(struct builder *b, const char *name)
{
    b->at += message_put_name(name, b->wire + b->at);
}

static void put_hex(struct builder *b, const char *hex)
{
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        char byte[3] = {hex[0], hex[1], '\0'};
        b->wire[b->at++] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

static void put_text(struct builder *b, const char *text)
{
    size_t bytes = strlen(text);
    b->wire[b->at++] = (uint8_t)bytes;
    memcpy(b->wire + b->at, text, bytes);
    b->at += bytes;
}

/* Words of the RDATA from `words[0]` on. */
static void put_rdata(struct builder *b, uint16_t type, char **words)
{
    switch (type) {
    case 1:
        (void)inet_pton(AF_INET, words[0], b->wire + b->at);
        b->at += 4;
        break;
    case 28:
        (void)inet_pton(AF_INET6, words[0], b->wire + b->at);
        b->at += 16;
        break;
    case 2:
    case 5:
    case 12:
    case 39:
    case 47:
        put_name(b, words[0]);
        break;
    case 6:
        put_name(b, "ns.host.test");
        put_name(b, "who.host.test");
        for (int i = 0; i < 4; i++) {
            put_u32(b, 7);
        }
        put_u32(b, strtoul(words[0], NULL, 10));
        break;
    case 15:
        put_u16(b, (unsigned)strtoul(words[0], NULL, 10));
        put_name(b, words[1]);
        break;
    case 16:
        put_text(b, words[0]);
        break;
    case 33:
        put_u32(b, 0);
        put_u16(b, (unsigned)strtoul(words[0], NULL, 10));
        put_name(b, words[1]);
        break;
    case 46:
        put_u16(b, upstream_type(words[0]));
        put_u16(b, 0x0D02);
        put_u32(b, 3600);
        put_u32(b, 2);
        put_u32(b, 1);
        put_u16(b, 0xBEEF);
        put_name(b, words[1]);
        put_hex(b, "AABBCCDD");
        break;
    default:
        put_hex(b, words[0]);
        break;
    }
}

static void put_record(struct builder *b, char **words)
{
    uint16_t type = upstream_type(words[3]);
    put_name(b, words[1]);
    put_u16(b, type);
    put_u16(b, 1);
    put_u32(b, strtoul(words[2], NULL, 10));
    size_t length_at = b->at;
    b->at += 2;
    if (strncmp(words[3], "TYPE", 4) == 0) {
        put_hex(b, words[4]); /* whatever the type is made of */
    } else {
        put_rdata(b, type, words + 4);
    }
    size_t end = b->at;
    b->at = length_at;
    put_u16(b, (unsigned)(end - length_at - 2));
    b->at = end;
}

static void put_opt(struct builder *b, char **words, size_t n_words)
{
    b->wire[b->at++] = 0;
    put_u16(b, 41);
    put_u16(b, 1232);
    put_u32(b, strtoul(words[1], NULL, 10) << 16);
    size_t length_at = b->at;
    b->at += 2;
    for (size_t i = 2; i + 1 < n_words; i += 2) {
        put_u16(b, (unsigned)strtoul(words[i], NULL, 10));
        put_u16(b, (unsigned)strlen(words[i + 1]) / 2);
        put_hex(b, words[i + 1]);
    }
    size_t end = b->at;
    b->at = length_at;
    put_u16(b, (unsigned)(end - length_at - 2));
    b->at = end;
    b->counts[3]++;
}

static void build_line(struct builder *b, char *line)
{
    static const char *const sections[] = {"q", "an", "au", "ar"};
    char *words[WORDS_MAX + 1] = {NULL};
    size_t n = 0;
    char *rest = line;
    for (char *word = strtok_r(line, " ", &rest); word != NULL && n < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        words[n++] = word;
    }
    if (n < 2) {
        return;
    }
    if (strcmp(words[0], "flags") == 0 || strcmp(words[0], "id") == 0) {
        size_t end = b->at;
        b->at = words[0][0] == 'f' ? 2 : 0;
        put_u16(b, (unsigned)strtoul(words[1], NULL, 16));
        b->at = end;
    } else if (strcmp(words[0], "q") == 0 && n > 2) {
        put_name(b, words[1]);
        put_u16(b, upstream_type(words[2]));
        put_u16(b, 1);
        b->counts[0]++;
    } else if (strcmp(words[0], "opt") == 0) {
        put_opt(b, words, n);
    }
    for (size_t s = 1; s < 4; s++) {
        if (strcmp(words[0], sections[s]) == 0 && n > 4) {
            put_record(b, words);
            b->counts[s]++;
        }
    }
}

size_t upstream_build(const char *text, uint8_t *ret_wire)
{
    struct builder b = {.wire = ret_wire};
    memset(ret_wire, 0, PIN_HEADER_BYTES);
    put_u16(&b, 0x1234);
    put_u16(&b, 0x8180);
    b.at = 12;
    while (*text != '\0') {
        char line[LINE_MAX_BYTES];
        size_t bytes = strcspn(text, "\n");
        (void)snprintf(line, sizeof(line), "%.*s", (int)bytes, text);
        build_line(&b, line);
        text += bytes + (text[bytes] == '\n');
    }
    size_t end = b.at;
    b.at = 4;
    for (size_t s = 0; s < 4; s++) {
        put_u16(&b, b.counts[s]);
    }
    return end;
}

/* --- telling ------------------------------------------------------------------------------ */

static const char *type_text(uint16_t type, char out[16])
{
    (void)snprintf(out, 16, "TYPE%u", type);
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
        if (type_names[i].type == type) {
            (void)snprintf(out, 16, "%s", type_names[i].name);
        }
    }
    return out;
}

static void tell_hex(const struct message *m, const struct message_rr *rr, char *out, size_t max)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rr->rdata_bytes && used + 3 < max; i++) {
        used += (size_t)snprintf(out + used, max - used, "%02X", m->wire[rr->rdata_at + i]);
    }
}

static unsigned u16_at(const struct message *m, size_t at)
{
    return (unsigned)m->wire[at] << 8 | m->wire[at + 1];
}

/* Where the name at `at` ends, in a message that was read. */
static size_t behind_name(const struct message *m, size_t at)
{
    while (m->wire[at] != 0 && m->wire[at] < 0xC0) {
        at += m->wire[at] + 1u;
    }
    return at + (m->wire[at] == 0 ? 1 : 2);
}

static void tell_rdata(const struct message *m, const struct message_rr *rr, char *out, size_t max)
{
    char name[1024];
    char more[1024];
    char type[16];
    const uint8_t *rdata = m->wire + rr->rdata_at;
    switch (rr->type) {
    case 1:
        (void)inet_ntop(AF_INET, rdata, out, (socklen_t)max);
        break;
    case 28:
        (void)inet_ntop(AF_INET6, rdata, out, (socklen_t)max);
        break;
    case 2:
    case 3: /* MD, MF, MB, MG, MR: names of old types may be compressed, too */
    case 4:
    case 5:
    case 7:
    case 8:
    case 9:
    case 12:
    case 39:
    case 47:
        (void)snprintf(out, max, "%s", message_name(m, rr->rdata_at, name));
        break;
    case 6:
        (void)snprintf(out, max, "%u",
            u16_at(m, rr->rdata_at + rr->rdata_bytes - 4) << 16
                | u16_at(m, rr->rdata_at + rr->rdata_bytes - 2));
        break;
    case 14: /* MINFO */
        (void)snprintf(out, max, "%s %s", message_name(m, rr->rdata_at, name),
            message_name(m, behind_name(m, rr->rdata_at), more));
        break;
    case 15:
        (void)snprintf(
            out, max, "%u %s", u16_at(m, rr->rdata_at), message_name(m, rr->rdata_at + 2, name));
        break;
    case 16:
        (void)snprintf(out, max, "%.*s", (int)rdata[0], (const char *)rdata + 1);
        break;
    case 33:
        (void)snprintf(out, max, "%u %s", u16_at(m, rr->rdata_at + 4),
            message_name(m, rr->rdata_at + 6, name));
        break;
    case 46:
        (void)snprintf(out, max, "%s %s", type_text((uint16_t)u16_at(m, rr->rdata_at), type),
            message_name(m, rr->rdata_at + 18, name));
        break;
    default:
        tell_hex(m, rr, out, max);
        break;
    }
}

const char *upstream_tell(const uint8_t *wire, size_t bytes, char out[UPSTREAM_TEXT_MAX])
{
    static const char *const sections[] = {"q", "an", "au", "ar"};
    struct message *m = malloc(sizeof(*m));
    size_t used = 0;
    out[0] = '\0';
    bool is_sound = m != NULL && message_parse(wire, bytes, m);
    for (size_t i = 0; is_sound && i < m->n_records; i++) {
        const struct message_rr *rr = &m->records[i];
        char owner[1024];
        char type[16];
        char rdata[2048];
        tell_rdata(m, rr, rdata, sizeof(rdata));
        int n = snprintf(out + used, UPSTREAM_TEXT_MAX - used, "%s %s %u %s %s\n",
            sections[rr->section], message_name(m, rr->owner_at, owner), rr->ttl_s,
            type_text(rr->type, type), rdata);
        if (n < 0 || used + (size_t)n >= UPSTREAM_TEXT_MAX) {
            break;
        }
        used += (size_t)n;
    }
    free(m);
    return out;
}

enum pin_reply_verdict upstream_hear(
    const char *name, const char *type, const char *lines, bool is_do, struct pin_reply *reply)
{
    static uint8_t wire[MESSAGE_MAX_BYTES + 1];
    static char text[UPSTREAM_TEXT_MAX];
    uint8_t qname[PIN_NAME_MAX_BYTES];
    const struct pin_asked asked = {.qname = qname,
        .qname_bytes = (uint8_t)message_put_name(name, qname),
        .id = 0x1234,
        .qtype = upstream_type(type),
        .qclass = 1,
        .is_do = is_do};
    (void)snprintf(text, sizeof(text), "q %s %s\n%s", name, type, lines);
    return pin_reply_read(wire, upstream_build(text, wire), &asked, reply);
}

struct pin_cache_key upstream_key(
    const char *name, uint16_t qtype, uint16_t group, uint8_t flags, struct pin_name *ret_name)
{
    ret_name->bytes = (uint8_t)message_put_name(name, ret_name->wire);
    pin_name_lower(ret_name->wire, ret_name->wire, ret_name->bytes);
    struct pin_cache_key key = {.name = ret_name->wire,
        .name_bytes = ret_name->bytes,
        .name_hash = pin_hash64(ret_name->wire, ret_name->bytes),
        .qtype = qtype,
        .qclass = 1,
        .group = group,
        .flags = flags};
    pin_cache_key_finish(&key);
    return key;
}

size_t upstream_put_body(
    const struct pin_asked *asked, const struct pin_reply *reply, uint8_t *ret_wire)
{
    struct builder b = {.wire = ret_wire};
    put_u16(&b, asked->id);
    put_u16(&b, 0x8180u | (reply->rcode & 0xFu));
    put_u16(&b, 1);
    for (size_t s = 0; s < PIN_SECTION_MAX; s++) {
        put_u16(&b, reply->n_rr[s]);
    }
    memcpy(ret_wire + b.at, asked->qname, asked->qname_bytes);
    b.at += asked->qname_bytes;
    put_u16(&b, asked->qtype);
    put_u16(&b, asked->qclass);
    memcpy(ret_wire + b.at, reply->body, reply->body_bytes);
    return b.at + reply->body_bytes;
}

const char *upstream_tell_body(
    const struct pin_asked *asked, const struct pin_reply *reply, char out[UPSTREAM_TEXT_MAX])
{
    static uint8_t wire[MESSAGE_MAX_BYTES + 1];
    return upstream_tell(wire, upstream_put_body(asked, reply, wire), out);
}
