/* SPDX-License-Identifier: Apache-2.0 */

/* What was noted of a question, as JSON: who asked what, and which addresses were shown. */

#include "tail.h"

#include <string.h>

#include "pintle/base/ip.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/zones/name.h"
#include "pintle/zones/table.h"

#include "query.h"
#include "querylog.h"

#define NS_PER_MS     1000000
#define NS_PER_US     1000
#define TEXT_MAX      ((size_t)1 << 20)
#define ANSWERS_MAX   8u
#define FIXED_BYTES   10u /* of an RR behind its owner: type, class, TTL, RDLENGTH */
#define POINTER_BITS  0xc0u
#define QUESTION_TAIL 4u

/* --- The answer's records ------------------------------------------------------------------- */

/* Where the name at `at` ends; 0: beyond what was kept. */
static size_t skip_name(const uint8_t *wire, size_t bytes, size_t at)
{
    while (at < bytes) {
        if ((wire[at] & POINTER_BITS) == POINTER_BITS) {
            return at + 2 <= bytes ? at + 2 : 0;
        }
        if (wire[at] == 0) {
            return at + 1;
        }
        at += 1u + wire[at];
    }
    return 0;
}

static unsigned read_u16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* An address as text; every other type by its name. */
static void put_record(
    struct pin_jsonout *json, unsigned type, const uint8_t *rdata, size_t rdata_bytes)
{
    char cell[PIN_STAT_TYPE_TEXT_MAX];
    char text[PIN_IP_TEXT_MAX];
    struct pin_ip ip = {0};
    if (type == PIN_TYPE_A && rdata_bytes == 4) {
        ip = pin_ip_from_bytes(rdata, 4);
    } else if (type == PIN_TYPE_AAAA && rdata_bytes == 16) {
        ip = pin_ip_from_bytes(rdata, 6);
    }
    pin_jsonout_string(
        json, ip.family != 0 ? pin_ip_format(&ip, text) : pin_stat_type_text((uint16_t)type, cell));
}

/* The first records of the answer section, as far as they were kept; CNAMEs on the way are left out
 * unless nothing else follows. */
static void put_answers(struct pin_jsonout *json, const uint8_t *wire, size_t bytes)
{
    size_t at = PIN_HEADER_BYTES;
    unsigned n_left = bytes >= PIN_HEADER_BYTES ? read_u16(wire + 6) : 0;
    unsigned n_questions = bytes >= PIN_HEADER_BYTES ? read_u16(wire + 4) : 0;
    unsigned n_shown = 0;
    pin_jsonout_key_uint(json, "n", n_left);
    pin_jsonout_key(json, "answers");
    pin_jsonout_array(json);
    for (; n_questions > 0 && at != 0; n_questions--) {
        at = skip_name(wire, bytes, at);
        at = at != 0 ? at + QUESTION_TAIL : 0;
    }
    for (; n_left > 0 && at != 0 && n_shown < ANSWERS_MAX; n_left--) {
        at = skip_name(wire, bytes, at);
        if (at == 0 || bytes < FIXED_BYTES || at > bytes - FIXED_BYTES) {
            break;
        }
        unsigned type = read_u16(wire + at);
        size_t rdata_bytes = read_u16(wire + at + 8);
        at += FIXED_BYTES;
        if (rdata_bytes > bytes - at) {
            break;
        }
        if (type != PIN_TYPE_CNAME || n_left == 1) {
            put_record(json, type, wire + at, rdata_bytes);
            n_shown++;
        }
        at += rdata_bytes;
    }
    pin_jsonout_end(json);
}

/* --- One item ------------------------------------------------------------------------------- */

/* What a record says in words. */
struct words {
    char name[PIN_NAME_TEXT_MAX];
    char peer[PIN_ADDRPORT_TEXT_MAX];
    char type[PIN_STAT_TYPE_TEXT_MAX];
    char rcode[16];
    const char *type_text;
    const char *rcode_text;
};

static void find_words(const struct pin_tap_record *record, struct words *ret_words)
{
    struct pin_query query = {0};
    enum pin_query_verdict verdict =
        pin_query_parse(record->query, record->query_kept_bytes, &query);
    (void)pin_addrport_format(&record->peer, ret_words->peer);
    ret_words->name[0] = '\0';
    ret_words->type_text = "-";
    if (verdict != PIN_QUERY_DROP && query.has_question) {
        pin_name_format(query.qname, ret_words->name);
        ret_words->type_text = pin_stat_type_text(query.qtype, ret_words->type);
    }
    ret_words->rcode_text =
        record->answer_bytes == 0
            ? "-"
            : pin_querylog_rcode(record->rcode, ret_words->rcode, sizeof(ret_words->rcode));
}

static void put_json(
    struct pin_text *text, const struct pin_tap_record *record, const struct words *words)
{
    struct pin_jsonout json = pin_jsonout_init(text);
    pin_jsonout_object(&json);
    pin_jsonout_key_int(&json, "at", record->query_wall_ns / NS_PER_MS);
    pin_jsonout_key_string(&json, "peer", words->peer);
    pin_jsonout_key_string(&json, "transport", pin_transport_name(record->transport));
    pin_jsonout_key_string(&json, "name", words->name);
    pin_jsonout_key_string(&json, "type", words->type_text);
    pin_jsonout_key_string(&json, "rcode", words->rcode_text);
    pin_jsonout_key_int(&json, "tookUs", record->took_ns / NS_PER_US);
    pin_jsonout_key_uint(&json, "bytes", record->answer_bytes);
    put_answers(&json, record->answer, record->answer_kept_bytes);
    if (record->why_text != NULL && record->why_text[0] != '\0') {
        pin_jsonout_key_string(&json, "why", record->why_text);
    }
    pin_jsonout_end(&json);
}

void pin_tail_add(struct pin_tail *tail, const struct pin_tap_record *record)
{
    struct words words;
    if (tail->n_items == PIN_TAIL_MAX || tail->text.len > TEXT_MAX || tail->text.failed) {
        tail->n_left_out++;
        return;
    }
    struct pin_tail_item *item = &tail->items[tail->n_items];
    find_words(record, &words);
    item->took_us = (uint32_t)PIN_MIN(record->took_ns / NS_PER_US, (int64_t)UINT32_MAX);
    item->json_at = (uint32_t)tail->text.len;
    put_json(&tail->text, record, &words);
    item->json_bytes = (uint32_t)tail->text.len - item->json_at;
    pin_text_putc(&tail->text, '\0');
    item->words_at = (uint32_t)tail->text.len;
    pin_text_putf(
        &tail->text, "%s %s %s %s", words.name, words.type_text, words.rcode_text, words.peer);
    pin_text_putc(&tail->text, '\0');
    if (tail->text.failed) {
        tail->n_left_out++;
        return;
    }
    tail->n_items++;
}

/* --- The batch ------------------------------------------------------------------------------ */

void pin_tail_clear(struct pin_tail *tail)
{
    if (tail->text.failed) {
        pin_text_done(&tail->text);
    }
    pin_text_cut(&tail->text, 0);
    tail->n_items = 0;
    tail->n_left_out = 0;
}

bool pin_tail_matches(
    const struct pin_tail *tail, const struct pin_tail_item *item, const char *filter)
{
    const char *words = pin_text_get(&tail->text) + item->words_at;
    char word[PIN_NAME_TEXT_MAX];
    while (*filter != '\0') {
        size_t bytes = strcspn(filter, " ");
        if (bytes >= sizeof(word)) {
            return false;
        }
        memcpy(word, filter, bytes);
        word[bytes] = '\0';
        if (strcasestr(words, word) == NULL) {
            return false;
        }
        filter += bytes;
        filter += strspn(filter, " ");
    }
    return true;
}

void pin_tail_done(struct pin_tail *tail)
{
    pin_text_done(&tail->text);
    tail->n_items = 0;
    tail->n_left_out = 0;
}
