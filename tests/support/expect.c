/* SPDX-License-Identifier: Apache-2.0 */

/* Asks a scenario's question and compares the answer with what its lines want. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "support/addresses.h"
#include "support/message.h"
#include "support/player.h"
#include "support/shares.h"

#define FLAG_QR            0x8000u
#define FLAG_AA            0x0400u
#define FLAG_TC            0x0200u
#define TYPE_DNAME         39u
#define NEGATIVE_TTL_MAX_S 5u

static const char *const rcodes[] = {
    "noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "yxdomain"};

/* A question, its answer, and what is wanted of the answer as a whole. */
struct expect {
    struct pin_player *player;
    const struct pin_script_line *line;
    struct message *m;
    uint8_t query[1024];
    size_t query_bytes;
    uint16_t rcode;
    bool is_negative; /* NODATA or NXDOMAIN: an SOA and nothing else */
    bool is_truncated;
    bool is_referral; /* NS in the authority section, not our word */
    int ede;
    int scope; /* -1: not said */
    long ttl_s;
    long alias_ttl_s; /* of the CNAME; -1 = as all */
};

/* --- what was got, for messages ------------------------------------------------------------------
 */

static void collect(const struct message *m, uint8_t section, struct pin_addresses *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < m->n_records; i++) {
        const struct message_rr *rr = &m->records[i];
        if (rr->section == section && (rr->type == PIN_TYPE_A || rr->type == PIN_TYPE_AAAA)) {
            struct pin_ip ip = pin_ip_from_bytes(
                m->wire + rr->rdata_at, (uint8_t)(rr->type == PIN_TYPE_A ? 4 : 6));
            (void)pin_addresses_add(ret, &ip);
        }
    }
}

/* "0 50 80 web.shop.svc.clusterset.local." */
static void put_srv(const struct message *m, const struct message_rr *rr, char out[1100])
{
    char target[1024];
    const uint8_t *at = m->wire + rr->rdata_at;
    (void)snprintf(out, 1100, "%u %u %u %s", at[0] << 8 | at[1], at[2] << 8 | at[3],
        at[4] << 8 | at[5], message_name(m, rr->rdata_at + 6, target));
}

/* The answer in one line. */
static void describe(const struct message *m, struct pin_text *text)
{
    static struct pin_addresses set;
    pin_text_puts(text, m->rcode < N_ELEMS(rcodes) ? rcodes[m->rcode] : "another rcode");
    pin_text_puts(text, (m->flags & FLAG_AA) != 0 ? " aa" : "");
    pin_text_puts(text, (m->flags & FLAG_TC) != 0 ? " tc" : "");
    if (m->ede >= 0) {
        pin_text_putf(text, " ede %d", m->ede);
    }
    pin_text_putf(text, ", %u RRs in the answer", m->n_rr[1]);
    collect(m, 1, &set);
    if (set.n > 0) {
        pin_text_puts(text, ": ");
        pin_addresses_put(&set, text);
    }
    pin_text_puts(text, message_count(m, 2, PIN_TYPE_SOA) > 0 ? ", SOA" : "");
}

static void fail_whole(struct expect *e, const char *wanted)
{
    struct pin_text got = {0};
    describe(e->m, &got);
    pin_player_fail(e->player, e->line, "%s\n    wanted %s\n    got    %s",
        e->player->question.text, wanted, pin_text_get(&got));
    pin_text_done(&got);
}

static void fail_set(struct expect *e, const struct pin_script_line *line,
    const struct pin_addresses *wanted, const struct pin_addresses *got)
{
    struct pin_text w = {0};
    struct pin_text g = {0};
    pin_addresses_put(wanted, &w);
    pin_addresses_put(got, &g);
    pin_player_fail(e->player, line, "%s\n    wanted %s\n    got    %s", e->player->question.text,
        pin_text_get(&w), pin_text_get(&g));
    pin_text_done(&w);
    pin_text_done(&g);
}

/* --- asking --------------------------------------------------------------------------------------
 */

/* Asks; false when no readable answer came. */
static bool ask(struct expect *e)
{
    const struct pin_question *q = &e->player->question;
    struct pin_stage *stage = &e->player->stage;
    struct message_query query = {.name = q->name,
        .type = q->type,
        .has_edns = q->has_edns,
        .edns_bytes = q->edns_bytes,
        .options = q->options,
        .options_bytes = q->options_bytes};
    e->query_bytes = message_build(&query, e->query);
    memcpy(stage->wire, e->query, e->query_bytes);
    size_t bytes = pin_stage_ask(stage, &q->asker, e->query_bytes, q->transport);
    if (bytes == 0 || !message_parse(stage->wire, bytes, e->m)) {
        pin_player_fail(e->player, e->line, "%s\n    got %s", q->text,
            bytes == 0 ? "no answer" : "an answer that a strict reader refuses");
        return false;
    }
    return true;
}

/* --- the answer as a whole -----------------------------------------------------------------------
 */

/* Takes a line about the whole answer; false when it is about its records. */
static bool take_whole(struct expect *e, char **words, size_t n_words)
{
    const char *verb = words[0];
    long number = n_words > 1 ? strtol(words[1], NULL, 10) : 0;
    for (size_t i = 0; i < N_ELEMS(rcodes); i++) {
        if (strcmp(verb, rcodes[i]) == 0) {
            e->rcode = (uint16_t)i;
            e->is_negative = i == 3;
            return true;
        }
    }
    if (strcmp(verb, "nodata") == 0) {
        e->is_negative = true;
    } else if (strcmp(verb, "referral") == 0) {
        e->is_referral = true;
    } else if (strcmp(verb, "ede") == 0) {
        e->ede = (int)number;
    } else if (strcmp(verb, "scope") == 0) {
        e->scope = (int)number;
    } else if (strcmp(verb, "ttl") == 0) {
        e->ttl_s = number;
    } else if (strcmp(verb, "tc") == 0) {
        e->is_truncated = true;
    } else if (strcmp(verb, "cname") == 0 && n_words == 3) {
        e->alias_ttl_s = strtol(words[2], NULL, 10);
        return false;
    } else {
        return false;
    }
    return true;
}

/* The client subnet comes back as it was sent, but for the scope; unasked it never comes. */
static void check_subnet(struct expect *e)
{
    const struct pin_question *q = &e->player->question;
    const uint8_t *got = e->m->wire + e->m->ecs_at;
    const uint8_t *sent = q->options + 4;
    if (e->m->ecs_bytes != q->ecs_bytes
        || (q->ecs_bytes > 0
            && (memcmp(got, sent, 3) != 0 || memcmp(got + 4, sent + 4, q->ecs_bytes - 4) != 0))) {
        fail_whole(e, "the client subnet as it was sent");
    } else if (e->scope >= 0 && (q->ecs_bytes == 0 || got[3] != e->scope)) {
        char wanted[64];
        (void)snprintf(
            wanted, sizeof(wanted), "scope %d, not %d", e->scope, q->ecs_bytes > 0 ? got[3] : -1);
        fail_whole(e, wanted);
    }
}

static void check_header(struct expect *e)
{
    const struct message *m = e->m;
    bool is_authoritative = (e->rcode == 0 && !e->is_referral) || e->rcode == 3 || e->rcode == 6;
    uint16_t flags =
        (uint16_t)(FLAG_QR | (is_authoritative ? FLAG_AA : 0) | (e->is_truncated ? FLAG_TC : 0));
    size_t question_bytes =
        e->query_bytes - 12
        - (e->player->question.has_edns ? 11 + e->player->question.options_bytes : 0);
    if (m->rcode != e->rcode || (m->flags & 0xFFF0u) != flags) {
        char wanted[128];
        (void)snprintf(wanted, sizeof(wanted), "%s%s%s", rcodes[e->rcode],
            is_authoritative ? " aa" : "", e->is_truncated ? " tc" : "");
        fail_whole(e, wanted);
    }
    if (m->ede != e->ede) {
        char wanted[64];
        (void)snprintf(wanted, sizeof(wanted), e->ede < 0 ? "no EDE" : "ede %d", e->ede);
        fail_whole(e, wanted);
    }
    if (e->rcode != 1
        && (m->n_question != 1 || memcmp(m->wire + 12, e->query + 12, question_bytes) != 0)) {
        fail_whole(e, "the question as it was sent");
    }
    if (!e->player->question.has_edns && m->has_opt) {
        fail_whole(e, "no OPT, since the question had none");
    }
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t bytes = strlen(name);
    size_t suffix_bytes = strlen(suffix);
    return bytes >= suffix_bytes && strcasecmp(name + bytes - suffix_bytes, suffix) == 0;
}

/* An SOA of the zone, whose MINIMUM and TTL let a negative answer live 5 s at most. */
static void check_negative(struct expect *e)
{
    char owner[1024];
    char qname[1026];
    const struct message *m = e->m;
    const struct message_rr *soa = message_find(m, 2, PIN_TYPE_SOA);
    if (soa == NULL || m->n_rr[1] != 0 || m->n_rr[2] != 1) {
        fail_whole(e, e->rcode == 3 ? "nxdomain with an SOA alone" : "nodata with an SOA alone");
        return;
    }
    const uint8_t *minimum = m->wire + soa->rdata_at + soa->rdata_bytes - 4;
    if (minimum[0] + minimum[1] + minimum[2] != 0 || minimum[3] > NEGATIVE_TTL_MAX_S
        || soa->ttl_s > NEGATIVE_TTL_MAX_S) {
        fail_whole(e, "an SOA with TTL and MINIMUM of 5 s at most");
    }
    (void)snprintf(qname, sizeof(qname), "%s.", e->player->question.name);
    if (!has_suffix(qname, message_name(m, soa->owner_at, owner))) {
        fail_whole(e, "the SOA of a zone around the name");
    }
}

/* Owner and TTL of every RR in the answer; the owner's letters are the question's, behind an alias
 * its target's. */
static void check_records(struct expect *e)
{
    char owner[1024];
    char qname[1026];
    size_t bytes = strlen(e->player->question.name);
    (void)snprintf(qname, sizeof(qname), "%s%s", e->player->question.name,
        bytes > 0 && e->player->question.name[bytes - 1] == '.' ? "" : ".");
    for (size_t i = 0; i < e->m->n_records; i++) {
        const struct message_rr *rr = &e->m->records[i];
        bool is_above = rr->type == TYPE_DNAME; /* its owner stands above the name */
        if (rr->section == 1 && !is_above
            && strcmp(message_name(e->m, rr->owner_at, owner), qname) != 0) {
            fail_whole(e, "owner names as in the question");
            return;
        }
        bool is_alias = rr->type == PIN_TYPE_CNAME;
        long ttl_s = is_alias && e->alias_ttl_s >= 0 ? e->alias_ttl_s : e->ttl_s;
        if (rr->section == 1 && rr->ttl_s != (uint32_t)ttl_s) {
            char wanted[64];
            (void)snprintf(wanted, sizeof(wanted), "ttl %ld, not %u", ttl_s, rr->ttl_s);
            fail_whole(e, wanted);
            return;
        }
        if (rr->section == 1 && is_alias) {
            (void)snprintf(qname, sizeof(qname), "%s", message_name(e->m, rr->rdata_at, owner));
        }
    }
}

/* --- records -------------------------------------------------------------------------------------
 */

/* addresses|additional SET, among SET */
static void check_set(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    static struct pin_addresses wanted;
    static struct pin_addresses got;
    wanted.n = 0;
    for (size_t i = 1; i < n_words; i++) {
        if (strcmp(words[i], "none") != 0 && !pin_addresses_add_word(&wanted, words[i])) {
            pin_player_break(e->player, line, "\"%s\" is no address", words[i]);
            return;
        }
    }
    collect(e->m, strcmp(words[0], "additional") == 0 ? 3 : 1, &got);
    pin_addresses_sort(&wanted);
    pin_addresses_sort(&got);
    bool is_fine = got.n > 0;
    if (strcmp(words[0], "among") == 0) {
        for (size_t i = 0; i < got.n; i++) {
            is_fine = is_fine && pin_addresses_has(&wanted, &got.ip[i])
                      && (i == 0 || !pin_ip_equal(&got.ip[i - 1], &got.ip[i]));
        }
    } else {
        is_fine = pin_addresses_equal(&wanted, &got);
    }
    if (!is_fine) {
        fail_set(e, line, &wanted, &got);
    }
}

/* Whether a got "0 50 80 target." is what the words want; a weight of * is any. */
static bool is_srv(const char *got, char **words)
{
    char wanted[1100];
    char weight[16];
    const char *got_weight = strchr(got, ' ') + 1;
    (void)snprintf(weight, sizeof(weight), "%.*s", (int)strcspn(got_weight, " "), got_weight);
    (void)snprintf(wanted, sizeof(wanted), "%s %s %s %s.", words[1],
        strcmp(words[2], "*") == 0 ? weight : words[2], words[3], words[4]);
    return strcmp(wanted, got) == 0;
}

/* All `srv` lines together are the RRset. */
static void check_srvs(struct expect *e, const struct pin_script_line *wants, size_t n_wants)
{
    static bool is_met[MESSAGE_RRS_MAX];
    struct pin_text got = {0};
    size_t n_wanted = 0;
    memset(is_met, 0, sizeof(is_met));
    for (size_t i = 0; i < n_wants; i++) {
        char text[2048];
        char *words[SCRIPT_WORDS_MAX];
        (void)snprintf(text, sizeof(text), "%s", wants[i].text);
        if (pin_script_words(text, words) != 5 || strcmp(words[0], "srv") != 0) {
            continue;
        }
        bool is_found = false;
        for (size_t r = 0; r < e->m->n_records && !is_found; r++) {
            char srv[1100];
            const struct message_rr *rr = &e->m->records[r];
            if (rr->section == 1 && rr->type == PIN_TYPE_SRV && !is_met[r]) {
                put_srv(e->m, rr, srv);
                is_found = is_met[r] = is_srv(srv, words);
            }
        }
        n_wanted++;
        if (!is_found) {
            pin_player_fail(e->player, &wants[i], "%s\n    wanted %s, which is not there",
                e->player->question.text, wants[i].text);
        }
    }
    for (size_t r = 0; r < e->m->n_records && n_wanted > 0; r++) {
        char srv[1100];
        if (e->m->records[r].section == 1 && !is_met[r]) {
            put_srv(e->m, &e->m->records[r], srv);
            pin_text_putf(&got, "\n    got    srv %s", srv);
        }
    }
    if (got.len > 0) {
        pin_player_fail(e->player, e->line, "%s\n    wanted %zu SRV RRs, beside them%s",
            e->player->question.text, n_wanted, pin_text_get(&got));
    }
    pin_text_done(&got);
}

/* count N, size N */
static void check_number(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    size_t wanted = n_words > 1 ? strtoul(words[1], NULL, 10) : 0;
    bool is_count = strcmp(words[0], "count") == 0;
    size_t got = is_count ? e->m->n_rr[1] : e->m->bytes;
    if (is_count ? got != wanted : got > wanted) {
        pin_player_fail(e->player, line, "%s\n    wanted %s %zu, got %zu", e->player->question.text,
            words[0], wanted, got);
    }
}

/* "1 . alpn=h2 port=8443" of an SVCB or HTTPS RR whose parameters are these two at most. */
static void put_binding(const struct message *m, const struct message_rr *rr, char out[1200])
{
    char target[1024];
    const uint8_t *at = m->wire + rr->rdata_at;
    const uint8_t *end = at + rr->rdata_bytes;
    int n =
        snprintf(out, 1200, "%u %s", at[0] << 8 | at[1], message_name(m, rr->rdata_at + 2, target));
    for (at += 2; *at != 0; at += *at + 1) {
    }
    for (at++; at + 4 <= end; at += 4 + (at[2] << 8 | at[3])) {
        if (at[1] == 1) {
            n += snprintf(out + n, 1200 - (size_t)n, " alpn=%.*s", at[4], (const char *)at + 5);
        } else {
            n += snprintf(out + n, 1200 - (size_t)n, " key%u=%u", at[1], at[4] << 8 | at[5]);
        }
    }
}

/* svcb|https PRIORITY TARGET [alpn=ID] [port=N]: such an RR stands in the answer. */
static void check_binding(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    uint16_t type = strcmp(words[0], "svcb") == 0 ? PIN_TYPE_SVCB : PIN_TYPE_HTTPS;
    char wanted[1200];
    int n = snprintf(wanted, sizeof(wanted), "%s %s%s", n_words > 2 ? words[1] : "",
        n_words > 2 ? words[2] : "", n_words > 2 && strcmp(words[2], ".") != 0 ? "." : "");
    for (size_t i = 3; i < n_words; i++) {
        bool is_port = strncmp(words[i], "port=", 5) == 0;
        n += snprintf(wanted + n, sizeof(wanted) - (size_t)n, " %s%s", is_port ? "key3=" : "",
            words[i] + (is_port ? 5 : 0));
    }
    for (size_t i = 0; i < e->m->n_records; i++) {
        char got[1200];
        const struct message_rr *rr = &e->m->records[i];
        if (rr->section == 1 && rr->type == type) {
            put_binding(e->m, rr, got);
            if (strcmp(got, wanted) == 0) {
                return;
            }
            pin_player_fail(e->player, line, "%s\n    got %s", e->player->question.text, got);
        }
    }
    fail_whole(e, line->text);
}

static void check_txt(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    const struct message_rr *rr = message_find(e->m, 1, PIN_TYPE_TXT);
    const uint8_t *at = rr != NULL ? e->m->wire + rr->rdata_at : NULL;
    if (n_words != 2 || at == NULL || e->m->n_rr[1] != 1 || at[0] != strlen(words[1])
        || memcmp(at + 1, words[1], at[0]) != 0) {
        fail_whole(e, line->text);
    }
}

/* cname TARGET [TTL]: an alias at the question's name. */
static void check_cname(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    const struct message_rr *rr = message_find(e->m, 1, PIN_TYPE_CNAME);
    struct pin_name target;
    if (n_words < 2 || n_words > 3 || rr == NULL || pin_name_parse(words[1], &target) != PIN_OK
        || rr->rdata_bytes != target.bytes
        || memcmp(e->m->wire + rr->rdata_at, target.wire, target.bytes) != 0) {
        fail_whole(e, line->text);
    }
}

/* ptr NAME...: exactly these, in any order. */
static void check_ptr(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    size_t n_met = 0;
    char name[1024];
    for (size_t i = 0; i < e->m->n_records; i++) {
        const struct message_rr *rr = &e->m->records[i];
        for (size_t w = 1; rr->section == 1 && rr->type == PIN_TYPE_PTR && w < n_words; w++) {
            char wanted[1024];
            (void)snprintf(wanted, sizeof(wanted), "%s.", words[w]);
            n_met += strcmp(message_name(e->m, rr->rdata_at, name), wanted) == 0;
        }
    }
    if (n_met != n_words - 1 || e->m->n_rr[1] != n_met) {
        fail_whole(e, line->text);
    }
}

/* authority ZONE: the SOA of a negative answer is that zone's. */
static void check_authority(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    const struct message_rr *soa = message_find(e->m, 2, PIN_TYPE_SOA);
    char name[1024];
    char wanted[1024];
    (void)snprintf(wanted, sizeof(wanted), "%s.", n_words == 2 ? words[1] : "");
    if (soa == NULL || strcmp(message_name(e->m, soa->owner_at, name), wanted) != 0) {
        fail_whole(e, line->text);
    }
}

static void check_soa(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    (void)words;
    if (n_words != 1 || e->m->n_rr[1] != 1 || message_count(e->m, 1, PIN_TYPE_SOA) != 1) {
        fail_whole(e, line->text);
    }
}

/* --- shares --------------------------------------------------------------------------------------
 */

/* round|included ADDRESS=N ...: over every position of one full round. */
static void check_round(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    const struct pin_question *q = &e->player->question;
    struct pin_text got = {0};
    struct pin_shares *shares = pin_shares_new();
    const struct pin_table *table = pin_stage_table(&e->player->stage, &q->asker, q->name, q->type);
    for (size_t i = 1; i < n_words && shares != NULL; i++) {
        if (!pin_shares_want(shares, words[i])) {
            pin_player_break(e->player, line, "\"%s\" is no ADDRESSES=SHARE", words[i]);
        }
    }
    if (shares == NULL || table == NULL) {
        pin_player_fail(e->player, line, "%s\n    there is no such table", q->text);
    } else if (!pin_shares_count_round(shares, table, strcmp(words[0], "included") == 0)) {
        pin_player_break(e->player, line, "the round is too long to be played");
    } else if (!pin_shares_are_met(shares, &got)) {
        pin_player_fail(e->player, line, "%s\n    wanted %s\n    got    %s", q->text, line->text,
            pin_text_get(&got));
    }
    pin_shares_free(shares);
    pin_text_done(&got);
}

/* draws N ADDRESSES=LOW..HIGH ...: first addresses of N answers in a row. */
static void check_draws(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    static struct pin_addresses got_set;
    struct pin_text got = {0};
    struct pin_shares *shares = pin_shares_new();
    unsigned long n_draws = n_words > 1 ? strtoul(words[1], NULL, 10) : 0;
    for (size_t i = 2; i < n_words && shares != NULL; i++) {
        if (!pin_shares_want(shares, words[i])) {
            pin_player_break(e->player, line, "\"%s\" is no ADDRESSES=LOW..HIGH", words[i]);
        }
    }
    for (unsigned long i = 0; i < n_draws && shares != NULL; i++) {
        if (!ask(e)) {
            break;
        }
        collect(e->m, 1, &got_set);
        pin_shares_count(shares, got_set.n > 0 ? &got_set.ip[0] : NULL);
    }
    if (shares != NULL && !pin_shares_are_between(shares, &got)) {
        pin_player_fail(e->player, line, "%s\n    wanted %s\n    got    %s",
            e->player->question.text, line->text, pin_text_get(&got));
    }
    pin_shares_free(shares);
    pin_text_done(&got);
}

/* --- a question ----------------------------------------------------------------------------------
 */

static void check_line(
    struct expect *e, const struct pin_script_line *line, char **words, size_t n_words)
{
    const struct {
        const char *verb;
        void (*check)(
            struct expect *e, const struct pin_script_line *line, char **words, size_t n_words);
    } verbs[] = {
        {"addresses", check_set},
        {"additional", check_set},
        {"among", check_set},
        {"count", check_number},
        {"size", check_number},
        {"txt", check_txt},
        {"svcb", check_binding},
        {"https", check_binding},
        {"soa", check_soa},
        {"ptr", check_ptr},
        {"authority", check_authority},
        {"cname", check_cname},
        {"round", check_round},
        {"included", check_round},
        {"draws", check_draws},
    };
    for (size_t i = 0; i < N_ELEMS(verbs); i++) {
        if (strcmp(words[0], verbs[i].verb) == 0) {
            verbs[i].check(e, line, words, n_words);
            return;
        }
    }
    if (strcmp(words[0], "srv") != 0 || n_words != 5) {
        pin_player_break(e->player, line, "\"%s\" is no expectation", line->text);
    }
}

/* Reads each line, first for the whole answer, then for its records. */
static void each_want(
    struct expect *e, const struct pin_script_line *wants, size_t n_wants, bool is_about_records)
{
    for (size_t i = 0; i < n_wants && !e->player->is_broken; i++) {
        static char text[16384];
        char *words[SCRIPT_WORDS_MAX];
        (void)snprintf(text, sizeof(text), "%s", wants[i].text);
        size_t n_words = pin_script_words(text, words);
        bool is_whole = take_whole(e, words, n_words);
        if (is_about_records && !is_whole) {
            check_line(e, &wants[i], words, n_words);
        }
    }
}

void pin_player_ask(struct pin_player *player, const struct pin_script_line *line,
    const struct pin_script_line *wants, size_t n_wants)
{
    static struct message m;
    struct expect e = {.player = player,
        .line = line,
        .m = &m,
        .ede = -1,
        .alias_ttl_s = -1,
        .scope = -1,
        .ttl_s = (long)player->stage.settings.ttl_s};
    each_want(&e, wants, n_wants, false);
    if (!ask(&e)) {
        return;
    }
    check_header(&e);
    check_subnet(&e);
    if (e.is_negative) {
        check_negative(&e);
    }
    if (e.is_referral && (m.n_rr[1] != 0 || message_count(&m, 2, PIN_TYPE_NS) == 0)) {
        fail_whole(&e, "name servers in the authority section, and no answer");
    }
    check_records(&e);
    check_srvs(&e, wants, n_wants);
    each_want(&e, wants, n_wants, true);
}
