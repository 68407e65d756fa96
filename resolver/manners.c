/* SPDX-License-Identifier: Apache-2.0 */

/* What the server says of itself, and what its clients' cookies are worth. */

#include "manners.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "answer.h"
#include "config.h"
#include "cookie_file.h"
#include "query.h"
#include "response.h"
#include "worker.h"

#define RR_HEAD_BYTES 12u
#define HOSTNAME      "hostname"

/* --- from the configuration --------------------------------------------------------------- */

/* The table of options keeps texts below the limit; a host name is cut to it. */
static void set_text(const char *from, struct pin_manners_text *ret_text)
{
    size_t bytes = from != NULL ? strnlen(from, PIN_IDENTITY_MAX_BYTES) : 0;
    ret_text->bytes = (uint8_t)bytes;
    if (bytes > 0) {
        memcpy(ret_text->text, from, bytes);
    }
}

/* Who may ask for all names when nothing is said: this machine and private networks (RFC 1918,
 * RFC 4193). */
static const char *const usual_ranges[] = {
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"};

/* Makes what askers are looked up in; NULL when memory is out. */
static struct pin_lpm *make_recursion(const struct pin_config *config)
{
    size_t n = config->is_recursion_said ? config->n_recursion : N_ELEMS(usual_ranges);
    struct pin_lpm_entry *entries = calloc(n + 1, sizeof(*entries));
    if (entries == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (config->is_recursion_said) {
            entries[i].prefix = config->recursion[i];
        } else {
            (void)pin_prefix_parse(usual_ranges[i], &entries[i].prefix);
        }
    }
    struct pin_lpm *recursion = pin_lpm_new(entries, n);
    free(entries);
    return recursion;
}

/* Ranges that no victim outside has. */
static const char *const private_ranges[] = {"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12",
    "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"};

/* Fills in the ranges that are spared when none is said: private ones, and those that may ask for
 * all names, unless that is everybody. Returns how many. */
static size_t put_usual(const struct pin_config *config, struct pin_lpm_entry *entries)
{
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(private_ranges); i++) {
        n += pin_prefix_parse(private_ranges[i], &entries[n].prefix);
    }
    for (size_t i = 0; i < config->n_recursion; i++) {
        entries[n].prefix = config->recursion[i];
        n += config->recursion[i].bits > 0;
    }
    return n;
}

/* Makes what limiters look clients up in; NULL when memory is out. */
static struct pin_lpm *make_exempt(const struct pin_config *config)
{
    size_t n_max = config->n_rate_exempt + N_ELEMS(private_ranges) + config->n_recursion + 1;
    struct pin_lpm_entry *entries = calloc(n_max, sizeof(*entries));
    if (entries == NULL) {
        return NULL;
    }
    size_t n = config->has_rate_exempt ? config->n_rate_exempt : put_usual(config, entries);
    for (size_t i = 0; config->has_rate_exempt && i < n; i++) {
        entries[i].prefix = config->rate_exempt[i];
    }
    struct pin_lpm *exempt = pin_lpm_new(entries, n);
    free(entries);
    return exempt;
}

static void set_rate(struct pin_config *config, struct pin_findings *findings)
{
    struct pin_rate_config *rate = &config->manners.rate;
    uint32_t per_second = config->rate_responses;
    *rate = (struct pin_rate_config){
        .per_second = {[PIN_RATE_DATA] = per_second,
            [PIN_RATE_NXDOMAIN] = config->rate_nxdomains > 0 ? config->rate_nxdomains : per_second,
            [PIN_RATE_ERROR] = config->rate_errors > 0 ? config->rate_errors : per_second},
        .window_s = config->rate_window_s,
        .slip = config->rate_slip,
        .n_accounts = config->rate_accounts,
        .v4_bits = (uint8_t)config->rate_v4_bits,
        .v6_bits = (uint8_t)config->rate_v6_bits};
    if (pin_rate_is_on(rate)) {
        rate->exempt = make_exempt(config);
        if (rate->exempt == NULL) {
            pin_findings_add(findings, NULL, (struct pin_at){0}, "out of memory");
        }
    }
}

void pin_manners_load(struct pin_config *config, struct pin_findings *findings)
{
    struct pin_manners *manners = &config->manners;
    char host[PIN_IDENTITY_MAX_BYTES + 1] = "";
    struct pin_why why = {0};

    *manners = (struct pin_manners){
        .has_cookies = config->has_cookies, .wants_cookies = config->wants_cookies};
    bool is_host = config->identity != NULL && strcmp(config->identity, HOSTNAME) == 0;
    if (is_host) {
        (void)gethostname(host, sizeof(host) - 1); /* Linux has none longer than 64 */
    }
    set_text(is_host ? host : config->identity, &manners->identity);
    set_text(config->version, &manners->version);
    set_rate(config, findings);
    manners->recursion = make_recursion(config);
    if (manners->recursion == NULL) {
        pin_findings_add(findings, NULL, (struct pin_at){0}, "out of memory");
    }
    if (config->cookie_file == NULL) {
        pin_cookie_secret_draw(&manners->secret, config->cookie_rollover_s);
    } else if (pin_cookie_file_load(
                   config->cookie_file, &manners->secret, &manners->cookie_file, &why)
               != PIN_OK) {
        pin_findings_add(
            findings, config->file, (struct pin_at){0}, "cookies.secretFile: %s", why.text);
    }
}

void pin_manners_inherit(struct pin_manners *manners, const struct pin_manners *before)
{
    bool is_drawn = manners->cookie_file == NULL && before->cookie_file == NULL
                    && manners->secret.rollover_s == before->secret.rollover_s;
    if (is_drawn) {
        manners->secret = before->secret;
    } else if (pin_cookie_file_is_same(manners->cookie_file, before->cookie_file)) {
        pin_cookie_file_free(manners->cookie_file);
        manners->cookie_file = pin_cookie_file_hold(before->cookie_file);
        manners->secret = before->secret;
        pin_cookie_file_look(manners->cookie_file);
    }
}

void pin_manners_done(struct pin_manners *manners)
{
    pin_limiter_free(manners->limiter);
    manners->limiter = NULL;
    pin_lpm_free(manners->recursion);
    manners->recursion = NULL;
    pin_lpm_free(manners->rate.exempt);
    pin_cookie_file_free(manners->cookie_file);
    manners->rate.exempt = NULL;
    manners->cookie_file = NULL;
    manners->secret.pair = NULL;
}

bool pin_manners_allow_recursion(const struct pin_manners *manners, const struct pin_ip *ip)
{
    return pin_lpm_find(manners->recursion, ip) != PIN_LPM_NONE;
}

/* --- options ------------------------------------------------------------------------------ */

enum pin_cookie_verdict pin_manners_meet(struct pin_worker *worker, const struct pin_client *client,
    struct pin_query *query, struct pin_response *response)
{
    const struct pin_manners *manners = worker->manners;
    pin_response_expect(response, query, manners, client->transport);
    if (query->cookie_bytes == 0 || !manners->has_cookies) {
        return PIN_COOKIE_NEW;
    }
    uint32_t wall_s = pin_worker_wall_s(worker);
    pin_cookie_keys_follow(&worker->cookie_keys, &manners->secret, wall_s);
    enum pin_cookie_verdict verdict = pin_cookie_judge(
        &worker->cookie_keys, wall_s, client->peer, query->cookie, query->cookie_bytes);
    if (verdict == PIN_COOKIE_GOOD) {
        pin_stat_add(&worker->stats.n_cookies_good, 1);
    } else if (verdict == PIN_COOKIE_BAD) {
        pin_stat_add(&worker->stats.n_cookies_bad, 1);
    }
    return verdict;
}

/* --- class CH ------------------------------------------------------------------------------ */

/* Names in wire format, and which text each shows. */
static const struct chaos_name {
    const char *wire;
    uint8_t bytes;
    bool is_version;
} chaos_names[] = {
    {"\7version\4bind", 14, true},
    {"\7version\6server", 16, true},
    {"\10hostname\4bind", 15, false},
    {"\2id\6server", 11, false},
};

static const struct pin_manners_text *find_text(
    const struct pin_manners *manners, const struct pin_query *query)
{
    for (size_t i = 0; i < N_ELEMS(chaos_names); i++) {
        const struct chaos_name *name = &chaos_names[i];
        if (query->qname_bytes == name->bytes
            && memcmp(query->qname, name->wire, name->bytes) == 0) {
            return name->is_version ? &manners->version : &manners->identity;
        }
    }
    return NULL;
}

bool pin_manners_chaos(
    const struct pin_manners *manners, const struct pin_query *query, struct pin_response *response)
{
    bool is_text = query->qtype == PIN_TYPE_TXT || query->qtype == PIN_TYPE_ANY;
    if (query->qclass != PIN_CLASS_CH || !is_text) {
        return false;
    }
    const struct pin_manners_text *text = find_text(manners, query);
    if (text == NULL || text->bytes == 0) {
        return false;
    }
    uint8_t rr[RR_HEAD_BYTES + 1 + PIN_IDENTITY_MAX_BYTES] = {0, 0, 0, PIN_TYPE_TXT, 0,
        PIN_CLASS_CH, 0, 0, 0, 0, 0, (uint8_t)(text->bytes + 1), text->bytes};
    memcpy(rr + RR_HEAD_BYTES + 1, text->text, text->bytes);
    response->is_authoritative = true;
    pin_response_add_rr(response, PIN_SECTION_ANSWER, rr, RR_HEAD_BYTES + 1 + (size_t)text->bytes,
        PIN_HEADER_BYTES);
    return true;
}
