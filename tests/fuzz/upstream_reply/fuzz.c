/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes are what an upstream says while a question is pending. What is believed reads strictly,
 * belongs to the chain, and is the same wherever in a client's answer it is put.
 *
 * The first byte says what the question is like; the rest is the message. Unless bit 3 is set, the
 * question is the message's own, so that most inputs get past it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/rcu.h"

#include "fuzz/require.h"
#include "resolver/cache_answer.h"
#include "support/message.h"
#include "support/upstream.h"

#define ASKED_DO       0x01u
#define ASKED_EDNS     0x02u
#define ASKED_ANY_CASE 0x04u
#define ASKED_FIXED    0x08u
#define ASKED_BELIEVES 0x10u
#define CNAMES_MAX     (PIN_CHAIN_MAX + 1u)
#define NAME_TEXT      1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pin_reply *reply;
static struct pin_cache *cache;
static uint8_t wire[MESSAGE_MAX_BYTES + 1];
static struct message told;
static uint16_t n_runs;

static void set_up(void)
{
    static const struct pin_cache_settings settings = {.size_bytes = 1 << 20, .n_shards = 1};
    pin_rcu_register();
    reply = pin_reply_new();
    require(reply != NULL && pin_cache_new(&settings, &cache, NULL) == PIN_OK);
}

static bool is_short(void *arg, const uint8_t *name, size_t name_bytes)
{
    (void)arg;
    return name[0] < 8 && name_bytes < 64;
}

/* The question that waits; false: the message has none to take. */
static bool make_asked(uint8_t how, const uint8_t *message, size_t size, struct pin_asked *asked)
{
    static const uint8_t fixed[] = "\3www\7example\3com";
    size_t bytes = 0;
    *asked = (struct pin_asked){.qname = fixed,
        .qname_bytes = sizeof(fixed),
        .id = 0x1234,
        .qtype = 1,
        .qclass = 1,
        .is_do = (how & ASKED_DO) != 0,
        .has_edns = (how & ASKED_EDNS) != 0,
        .is_any_case = (how & ASKED_ANY_CASE) != 0,
        .believes = (how & ASKED_BELIEVES) != 0 ? is_short : NULL};
    if ((how & ASKED_FIXED) != 0) {
        return true;
    }
    const uint8_t *name = message + PIN_HEADER_BYTES;
    size_t left = size < PIN_HEADER_BYTES ? 0 : size - PIN_HEADER_BYTES;
    while (bytes < left && name[bytes] != 0 && name[bytes] <= PIN_LABEL_MAX_BYTES) {
        bytes += (size_t)name[bytes] + 1;
    }
    bytes++;
    if (left < bytes + PIN_QUESTION_TAIL_BYTES || bytes > PIN_NAME_MAX_BYTES
        || name[bytes - 1] != 0) {
        return false;
    }
    asked->qname = name;
    asked->qname_bytes = (uint8_t)bytes;
    asked->id = (uint16_t)(message[0] << 8 | message[1]);
    asked->qtype = (uint16_t)(name[bytes] << 8 | name[bytes + 1]);
    asked->qclass = (uint16_t)(name[bytes + 2] << 8 | name[bytes + 3]);
    return true;
}

/* --- what is believed ----------------------------------------------------------------------- */

/* A name of the message as text that any bytes can be in: two digits each, letters lower-cased. */
static const char *name_text(size_t at, char out[NAME_TEXT])
{
    char *to = out;
    while (told.wire[at] != 0) {
        if (told.wire[at] >= 0xC0) {
            at = (size_t)(told.wire[at] & 0x3F) << 8 | told.wire[at + 1];
            continue;
        }
        for (size_t end = at + told.wire[at]; at < end; at++) {
            unsigned byte = told.wire[at + 1];
            byte |= byte >= 'A' && byte <= 'Z' ? 0x20u : 0;
            to += snprintf(to, 3, "%02x", byte);
        }
        *to++ = '.';
        at++;
    }
    *to = '\0';
    return out;
}

static bool is_at_or_below(const char *name, const char *above)
{
    size_t bytes = strlen(name);
    size_t above_bytes = strlen(above);
    return bytes >= above_bytes && strcmp(name + bytes - above_bytes, above) == 0
           && (bytes == above_bytes || above_bytes == 0 || name[bytes - above_bytes - 1] == '.');
}

/* Every owner in the answer section is the question's name, or one that a CNAME before it gave, or
 * a DNAME's above one of those. */
static void check_owners(void)
{
    static char chain[CNAMES_MAX + 1][NAME_TEXT];
    size_t n = 1;
    (void)name_text(PIN_HEADER_BYTES, chain[0]);
    for (size_t i = 0; i < told.n_records; i++) {
        const struct message_rr *rr = &told.records[i];
        char owner[NAME_TEXT];
        (void)name_text(rr->owner_at, owner);
        bool is_dname = rr->type == 39
                        || (rr->type == 46 && told.wire[rr->rdata_at] == 0
                            && told.wire[rr->rdata_at + 1] == 39);
        bool is_known =
            strcmp(owner, chain[n - 1]) == 0 || (is_dname && is_at_or_below(chain[n - 1], owner));
        for (size_t k = 0; k < n && rr->type == 46; k++) {
            is_known = is_known || strcmp(owner, chain[k]) == 0; /* a CNAME's signature */
        }
        require(rr->section == 1 ? is_known : rr->section == 2);
        require(rr->section == 1 || rr->type == 6 || rr->type == 46 || rr->type == 47
                || rr->type == 50);
        require(rr->type != 6 || rr->section == 1 || is_at_or_below(chain[n - 1], owner));
        if (rr->section == 1 && rr->type == 5 && n <= CNAMES_MAX) {
            (void)name_text(rr->rdata_at, chain[n++]);
        }
    }
}

static void check_body(const struct pin_asked *asked)
{
    require(reply->n_rr[PIN_SECTION_ADDITIONAL] == 0);
    require(reply->n_ttls == reply->n_rr[0] + reply->n_rr[1]);
    require(message_parse(wire, upstream_put_body(asked, reply, wire), &told));
    require(told.n_records == reply->n_ttls);
    for (size_t i = 0; i < told.n_records; i++) {
        require(told.records[i].ttl_s <= PIN_TTL_CAP_S);
        require(told.records[i].ttl_s >= reply->ttl_s);
    }
    if (asked->qtype != 255 && asked->qtype != 5 && asked->qtype != 46) {
        check_owners();
    }
}

/* --- in answers ----------------------------------------------------------------------------- */

/* Adds the entry to the answer of a question for `qname`, perhaps behind a CNAME to the entry's. */
static size_t answer(const struct pin_cache_entry *entry, const uint8_t *qname, size_t qname_bytes,
    bool has_cname, bool is_stream)
{
    static const uint8_t a_in[] = {0, 1, 0, 1};
    struct pin_query query = {.question_end = (uint16_t)(PIN_HEADER_BYTES + qname_bytes + 4),
        .has_question = true,
        .qname_bytes = (uint8_t)qname_bytes};
    struct pin_packet packet = {.wire = wire, .cap_bytes = sizeof(wire) - 1};
    struct pin_cache_shown shown = {.owner_at = PIN_HEADER_BYTES};
    struct pin_response response;
    memset(wire, 0, PIN_HEADER_BYTES);
    memcpy(wire + PIN_HEADER_BYTES, qname, qname_bytes);
    memcpy(wire + PIN_HEADER_BYTES + qname_bytes, a_in, sizeof(a_in));
    pin_response_init(&response, &packet, &query, is_stream);
    if (has_cname) {
        uint8_t cname[12 + PIN_NAME_MAX_BYTES] = {
            0, 0, 0, 5, 0, 1, 0, 0, 0, 9, 0, entry->name_bytes};
        memcpy(cname + 12, pin_cache_name(entry), entry->name_bytes);
        pin_response_add_rr(
            &response, PIN_SECTION_ANSWER, cname, 12u + entry->name_bytes, PIN_HEADER_BYTES);
        shown.owner_at = response.used_bytes - entry->name_bytes;
    }
    if (!pin_response_add_entry(&response, entry, &shown)) {
        return 0;
    }
    require(response.used_bytes <= response.limit_bytes);
    return pin_response_finish(&response, &query);
}

/* The same records come out at home and behind a CNAME, and what is cut is cut between records. */
static void check_answers(const struct pin_cache_entry *entry)
{
    static char home[UPSTREAM_TEXT_MAX];
    static char moved[UPSTREAM_TEXT_MAX];
    static const uint8_t root[] = {0};
    size_t bytes = answer(entry, pin_cache_name(entry), entry->name_bytes, false, true);
    require(message_parse(wire, bytes, &told));
    (void)upstream_tell(wire, bytes, home);
    bytes = answer(entry, root, sizeof(root), true, true);
    if (bytes > 0) {
        require(message_parse(wire, bytes, &told));
        (void)upstream_tell(wire, bytes, moved);
        if (memchr(pin_cache_name(entry), '\n', entry->name_bytes) != NULL) {
            return; /* no text to compare */
        }
        const char *rest = strchr(moved, '\n');
        require(rest != NULL);
        size_t same = strlen(rest + 1);
        require(same <= strlen(home) && memcmp(home, rest + 1, same) == 0);
        require(same == strlen(home) || told.n_records < reply->n_ttls + 1u
                || strlen(home) > UPSTREAM_TEXT_MAX / 2);
    }
    bytes = answer(entry, pin_cache_name(entry), entry->name_bytes, false, false);
    require(bytes <= PIN_UDP_MIN_BYTES && message_parse(wire, bytes, &told));
    require((told.n_records < reply->n_ttls) == ((told.flags & 0x0200) != 0));
}

static void keep(const struct pin_asked *asked)
{
    uint8_t name[PIN_NAME_MAX_BYTES];
    pin_name_lower(name, asked->qname, asked->qname_bytes);
    struct pin_cache_key key = {.name = name,
        .name_bytes = asked->qname_bytes,
        .name_hash = pin_hash64(name, asked->qname_bytes),
        .qtype = asked->qtype,
        .qclass = asked->qclass,
        .group = ++n_runs, /* so that nothing is met again */
        .flags = asked->is_do ? PIN_KEY_DO : 0};
    struct pin_cache_found found;
    pin_cache_key_finish(&key);
    const struct pin_cache_entry *entry = pin_cache_put(cache, &key, reply, 0);
    enum pin_cache_state state = pin_cache_find(cache, &key, 0, &found);
    require(state == PIN_CACHE_MISS || (state == PIN_CACHE_FRESH && found.entry == entry)
            || (found.entry->flags & PIN_KEY_DENIAL) != 0);
    check_answers(entry);
    pin_rcu_quiescent();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_asked asked;
    if (reply == NULL) {
        set_up();
    }
    if (size < 1 || size > MESSAGE_MAX_BYTES || !make_asked(data[0], data + 1, size - 1, &asked)) {
        return 0;
    }
    /* In a block of its own, so that ASan sees a byte too far. */
    uint8_t *message = malloc(size);
    require(message != NULL);
    memcpy(message, data + 1, size - 1);
    enum pin_reply_verdict verdict = pin_reply_read(message, size - 1, &asked, reply);
    free(message);
    if (verdict == PIN_REPLY_GOOD && asked.qclass == 1) {
        check_body(&asked);
        keep(&asked);
    }
    return 0;
}
