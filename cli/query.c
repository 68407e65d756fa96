/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl query: asks the running daemon over DNS many times, counts which address came first and
 * which came at all, and says whether that is the split that `explain` promises.
 *
 *     status -> where to ask; explain -> what is wanted; questions -> what came; explain again: has
 *     the wanted changed meanwhile?
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/chance.h"
#include "cli/dns.h"
#include "cli/emit.h"
#include "cli/table.h"

#define DNS_PORT       53
#define ASKS_DEFAULT   1000u
#define ADDRESSES_MAX  4096u
#define RCODES         16
#define P_MIN          0.001 /* Below it a difference is taken for real. */
#define UNANSWERED_MAX 3     /* One after the other: nobody is there. */
#define CERTAIN        (1 - 1e-9)

/* One address: what was wanted of it, and what came. */
struct target {
    struct pin_ip ip;
    const char *cluster; /* "" when it was not wanted at all */
    double first;
    double included;
    uint64_t n_first;
    uint64_t n_included;
};

/* The whole command. */
struct query {
    const struct pin_ctl *ctl;
    const char *type_text;
    uint16_t type;
    struct pin_addrport server;
    char from[128]; /* whom explain is asked for */
    struct pin_prefix subnet;
    bool has_subnet;
    struct pin_dns dns;
    struct pin_api_reply before;
    struct target *targets; /* ADDRESSES_MAX */
    size_t n_targets;
    bool has_part;         /* which ones are in it is no plain share: an order cut off */
    bool has_order;        /* which one is first is drawn */
    double wanted_nothing; /* share of the answers without an address */
    uint64_t n_nothing;
    uint64_t n_asks;
    uint64_t n_answers;
    uint64_t n_rcodes[RCODES];
    bool has_changed;
    int64_t took_ms;
    struct pin_chance first;
    double included_p; /* of the address that is farthest off, for all of them */
    const char *verdict;
    bool is_as_wanted;
};

static const char *const rcode_texts[RCODES] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
    "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "11", "12", "13",
    "14", "15"};

static enum pin_ctl_exit complain(const struct pin_why *why, enum pin_ctl_exit exit_code)
{
    (void)fprintf(stderr, "pintlectl: %s\n", why->text);
    return exit_code;
}

/* --- Where to ask, and as whom -------------------------------------------------------------- */

/* An address that means "any" is reached as this machine's own. */
static void make_reachable(struct pin_addrport *address)
{
    static const struct pin_ip any4 = {.family = 4};
    static const struct pin_ip any6 = {.family = 6};
    if (pin_ip_equal(&address->ip, &any4)) {
        (void)pin_ip_parse("127.0.0.1", &address->ip);
    } else if (pin_ip_equal(&address->ip, &any6)) {
        (void)pin_ip_parse("::1", &address->ip);
    }
}

/* The listener to ask: that of --server, else the first that is no cluster's own, else the first.
 */
static const struct pin_tree *find_listener(const struct query *q, const struct pin_tree *status)
{
    const struct pin_tree *found = NULL;
    PIN_TREE_EACH(listener, pin_tree_list(status, "listeners"))
    {
        struct pin_addrport address;
        bool is_parsed =
            pin_addrport_parse(pin_tree_string(listener, "address", ""), DNS_PORT, &address);
        bool is_own = pin_tree_string(listener, "cluster", NULL) != NULL;
        if (!is_parsed) {
            continue;
        }
        if (q->ctl->server != NULL) {
            make_reachable(&address);
            if (pin_ip_equal(&address.ip, &q->server.ip) && address.port == q->server.port) {
                return listener;
            }
        } else if (found == NULL || (!is_own && pin_tree_string(found, "cluster", NULL) != NULL)) {
            found = listener;
        }
    }
    return found;
}

/* Fills in the server, and, for a cluster's own listener, whom it takes us for. */
static enum pin_ctl_exit find_server(struct query *q)
{
    struct pin_api_reply reply = {0};
    struct pin_why why = {0};
    if (q->ctl->server != NULL && !pin_addrport_parse(q->ctl->server, DNS_PORT, &q->server)) {
        (void)pin_why_set(&why, PIN_EINVAL, "--server: \"%s\" is no ADDR[:PORT]", q->ctl->server);
        return complain(&why, PIN_CTL_USAGE);
    }
    enum pin_ctl_exit exit_code = pin_api_fetch(q->ctl, "/api/v1/status", &reply);
    const struct pin_tree *listener = exit_code == PIN_CTL_OK ? find_listener(q, reply.tree) : NULL;
    if (exit_code == PIN_CTL_OK && listener == NULL && q->ctl->server == NULL) {
        (void)fputs("pintlectl: the daemon has no listener; say --server ADDR:PORT\n", stderr);
        exit_code = PIN_CTL_FAILED;
    }
    if (listener != NULL) {
        const char *cluster = pin_tree_string(listener, "cluster", NULL);
        (void)snprintf(q->from, sizeof(q->from), "%s", cluster != NULL ? cluster : "");
        if (q->ctl->server == NULL) {
            (void)pin_addrport_parse(
                pin_tree_string(listener, "address", ""), DNS_PORT, &q->server);
        }
    }
    make_reachable(&q->server);
    pin_api_reply_done(&reply);
    return exit_code;
}

static enum pin_ctl_exit open_dns(struct query *q)
{
    struct pin_why why = {0};
    char ip[PIN_IP_TEXT_MAX];
    q->has_subnet = q->ctl->from != NULL;
    if (q->has_subnet && !pin_prefix_parse(q->ctl->from, &q->subnet)) {
        (void)pin_why_set(&why, PIN_EINVAL, "--from: \"%s\" is no address or subnet", q->ctl->from);
        return complain(&why, PIN_CTL_USAGE);
    }
    enum pin_err err = pin_dns_open(
        &q->server, q->ctl->words[0], q->type, q->has_subnet ? &q->subnet : NULL, &q->dns, &why);
    if (err != PIN_OK) {
        q->dns.fd = -1;
        return complain(&why, err == PIN_EINVAL ? PIN_CTL_USAGE : PIN_CTL_FAILED);
    }
    if (q->from[0] == '\0') {
        struct pin_ip source = q->has_subnet ? q->subnet.ip : pin_dns_source(&q->dns);
        (void)snprintf(q->from, sizeof(q->from), "%s", pin_ip_format(&source, ip));
    }
    return PIN_CTL_OK;
}

/* --- What is wanted ------------------------------------------------------------------------- */

static enum pin_ctl_exit explain(const struct query *q, struct pin_api_reply *ret_reply)
{
    struct pin_text path = {0};
    pin_text_puts(&path, "/api/v1/explain?name=");
    pin_api_put_escaped(&path, q->ctl->words[0]);
    pin_text_putf(&path, "&type=%s&from=", q->type_text);
    pin_api_put_escaped(&path, q->from);
    enum pin_ctl_exit exit_code = pin_api_fetch(q->ctl, pin_text_get(&path), ret_reply);
    pin_text_done(&path);
    return exit_code;
}

static double number_of(const struct pin_tree *item, const char *key)
{
    const struct pin_tree *value = pin_tree_find(item, key);
    return value != NULL ? value->number : 0;
}

static bool is_denied(const struct pin_tree *tree)
{
    return strcmp(pin_tree_string(tree, "rcode", ""), "NOERROR") != 0;
}

static long long count_addresses(const struct pin_tree *tree)
{
    const struct pin_tree *addresses = pin_tree_list(tree, "addresses");
    return addresses != NULL ? addresses->n_children : 0;
}

/* Makes a target of each address that explain promises. */
static void read_wanted(struct query *q, const struct pin_tree *tree)
{
    const struct pin_tree *addresses = is_denied(tree) ? NULL : pin_tree_list(tree, "addresses");
    double sum = 0;
    q->n_targets = 0;
    q->has_order = strcmp(pin_tree_string(tree, "answers", ""), "every record") != 0;
    q->has_part = strcmp(pin_tree_string(tree, "answers", ""), "all") == 0
                  && count_addresses(tree) > pin_tree_int(tree, "picks", 0);
    PIN_TREE_EACH(item, addresses)
    {
        struct target target = {.cluster = pin_tree_string(item, "cluster", ""),
            .first = number_of(item, "first"),
            .included = number_of(item, "inAnswer")};
        if (q->n_targets < ADDRESSES_MAX
            && pin_ip_parse(pin_tree_string(item, "address", ""), &target.ip)) {
            q->targets[q->n_targets++] = target;
            sum += target.first;
        }
    }
    q->wanted_nothing = sum < CERTAIN ? 1 - sum : 0;
}

/* Whether two explanations promise the same. */
static bool are_same(const struct pin_tree *a, const struct pin_tree *b)
{
    const struct pin_tree *x = pin_tree_list(a, "addresses");
    const struct pin_tree *y = pin_tree_list(b, "addresses");
    const struct pin_tree *at = y != NULL ? y->first : NULL;
    if (strcmp(pin_tree_string(a, "rcode", ""), pin_tree_string(b, "rcode", "")) != 0) {
        return false;
    }
    PIN_TREE_EACH(item, x)
    {
        if (at == NULL
            || strcmp(pin_tree_string(item, "address", ""), pin_tree_string(at, "address", "")) != 0
            || strcmp(pin_tree_string(item, "weight", ""), pin_tree_string(at, "weight", ""))
                   != 0) {
            return false;
        }
        at = at->next;
    }
    return at == NULL;
}

/* --- Asking --------------------------------------------------------------------------------- */

static struct target *get_target(struct query *q, const struct pin_ip *ip)
{
    for (size_t i = 0; i < q->n_targets; i++) {
        if (pin_ip_equal(&q->targets[i].ip, ip)) {
            return &q->targets[i];
        }
    }
    if (q->n_targets == ADDRESSES_MAX) {
        return &q->targets[ADDRESSES_MAX - 1];
    }
    q->targets[q->n_targets] = (struct target){.ip = *ip, .cluster = ""};
    return &q->targets[q->n_targets++];
}

static void count_answer(struct query *q, const struct pin_dns_answer *answer)
{
    q->n_answers++;
    q->n_rcodes[answer->rcode]++;
    q->n_nothing += answer->n_addresses == 0 ? 1 : 0;
    for (size_t i = 0; i < answer->n_addresses; i++) {
        struct target *target = get_target(q, &answer->addresses[i]);
        target->n_first += i == 0 ? 1 : 0;
        target->n_included++;
    }
}

static enum pin_ctl_exit ask_all(struct query *q)
{
    struct pin_why why = {0};
    unsigned n_silent = 0;
    int64_t begin_ms = pin_clock_mono_ms();
    for (uint64_t i = 0; i < q->n_asks; i++) {
        struct pin_dns_answer answer;
        enum pin_err err = pin_dns_ask(&q->dns, &answer, &why);
        if (err == PIN_OK) {
            count_answer(q, &answer);
            n_silent = 0;
        } else if (err != PIN_ETIMEOUT || ++n_silent == UNANSWERED_MAX || q->n_answers == 0) {
            char server[PIN_ADDRPORT_TEXT_MAX];
            (void)fprintf(
                stderr, "pintlectl: %s: %s\n", pin_addrport_format(&q->server, server), why.text);
            return err == PIN_ETIMEOUT ? PIN_CTL_TIMED_OUT : PIN_CTL_FAILED;
        }
    }
    q->took_ms = pin_clock_mono_ms() - begin_ms;
    return PIN_CTL_OK;
}

/* --- Judging -------------------------------------------------------------------------------- */

static void judge_first(struct query *q)
{
    struct pin_outcome *outcomes = calloc(q->n_targets + 1, sizeof(*outcomes));
    q->first = (struct pin_chance){.p = 1};
    for (size_t i = 0; outcomes != NULL && i < q->n_targets; i++) {
        outcomes[i] = (struct pin_outcome){q->targets[i].first, q->targets[i].n_first};
    }
    if (outcomes != NULL && q->has_order) {
        outcomes[q->n_targets] = (struct pin_outcome){q->wanted_nothing, q->n_nothing};
        q->first = pin_chance_split(outcomes, q->n_targets + 1);
    }
    free(outcomes);
}

static void judge_included(struct query *q)
{
    q->included_p = 1;
    for (size_t i = 0; i < q->n_targets && !q->has_part; i++) {
        const struct target *target = &q->targets[i];
        double p = pin_chance_bound(target->included, target->n_included, q->n_answers)
                   * (double)q->n_targets;
        q->included_p = p < q->included_p ? p : q->included_p;
    }
}

static bool has_right_rcodes(const struct query *q)
{
    const char *wanted = pin_tree_string(q->before.tree, "rcode", "");
    for (size_t i = 0; i < RCODES; i++) {
        if (q->n_rcodes[i] > 0 && strcmp(rcode_texts[i], wanted) != 0) {
            return false;
        }
    }
    return true;
}

static void judge(struct query *q)
{
    judge_first(q);
    judge_included(q);
    bool is_split = q->first.p >= P_MIN && q->included_p >= P_MIN;
    q->is_as_wanted = has_right_rcodes(q) && is_split && !q->has_changed;
    q->verdict = q->has_changed         ? "what is wanted changed meanwhile: ask again"
                 : !has_right_rcodes(q) ? "answers of another kind than wanted"
                 : q->is_as_wanted      ? "as wanted: the difference is chance"
                                        : "not as wanted: the difference is no chance";
}

/* --- Telling -------------------------------------------------------------------------------- */

static void put_json(const struct query *q, struct pin_jsonout *json)
{
    char text[PIN_ADDRPORT_TEXT_MAX];
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "name", q->ctl->words[0]);
    pin_jsonout_key_string(json, "type", q->type_text);
    pin_jsonout_key_string(json, "server", pin_addrport_format(&q->server, text));
    pin_jsonout_key_string(json, "from", q->from);
    pin_jsonout_key_uint(json, "asked", q->n_asks);
    pin_jsonout_key_uint(json, "answered", q->n_answers);
    pin_jsonout_key_double(json, "seconds", (double)q->took_ms / 1000);
    pin_jsonout_key(json, "rcodes");
    pin_jsonout_object(json);
    for (size_t i = 0; i < RCODES; i++) {
        if (q->n_rcodes[i] > 0) {
            pin_jsonout_key_uint(json, rcode_texts[i], q->n_rcodes[i]);
        }
    }
    pin_jsonout_end(json);
    pin_jsonout_key(json, "addresses");
    pin_jsonout_array(json);
    for (size_t i = 0; i < q->n_targets; i++) {
        const struct target *target = &q->targets[i];
        char ip[PIN_IP_TEXT_MAX];
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "address", pin_ip_format(&target->ip, ip));
        pin_jsonout_key_string(json, "cluster", target->cluster);
        pin_jsonout_key_uint(json, "first", target->n_first);
        pin_jsonout_key_double(json, "firstWanted", target->first);
        pin_jsonout_key_uint(json, "inAnswer", target->n_included);
        pin_jsonout_key_double(json, "inAnswerWanted", target->included);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
    pin_jsonout_key_uint(json, "withoutAddress", q->n_nothing);
    pin_jsonout_key_double(json, "withoutAddressWanted", q->wanted_nothing);
    pin_jsonout_key_double(json, "chiSquare", q->first.chi_square);
    pin_jsonout_key_uint(json, "degreesOfFreedom", q->first.degrees);
    pin_jsonout_key_double(json, "firstP", q->first.p);
    pin_jsonout_key_double(json, "inAnswerP", q->included_p);
    pin_jsonout_key_bool(json, "asWanted", q->is_as_wanted);
    pin_jsonout_key_string(json, "verdict", q->verdict);
    pin_jsonout_end(json);
}

static void put_count(struct pin_columns *table, uint64_t n, double wanted, double n_answers)
{
    char cell[64];
    (void)snprintf(cell, sizeof(cell), "%llu", (unsigned long long)n);
    pin_columns_cell(table, cell, PIN_COLOR_NONE);
    (void)snprintf(cell, sizeof(cell), "%.6g", wanted * n_answers);
    pin_columns_cell(table, cell, PIN_COLOR_NONE);
}

static bool print_counts(const struct query *q)
{
    static const struct pin_column columns[] = {{"ADDRESS", false}, {"CLUSTER", false},
        {"FIRST", true}, {"WANTED", true}, {"IN ANSWER", true}, {"WANTED", true}};
    struct pin_columns *table = pin_columns_new(q->ctl, columns, N_ELEMS(columns));
    double n_answers = (double)q->n_answers;
    for (size_t i = 0; i < q->n_targets; i++) {
        const struct target *target = &q->targets[i];
        char ip[PIN_IP_TEXT_MAX];
        pin_columns_row(table);
        pin_columns_cell(table, pin_ip_format(&target->ip, ip),
            target->cluster[0] == '\0' ? PIN_COLOR_BAD : PIN_COLOR_NONE);
        pin_columns_cell(table, target->cluster, PIN_COLOR_NONE);
        put_count(table, target->n_first, target->first, n_answers);
        put_count(table, target->n_included, target->included, n_answers);
    }
    if (q->n_nothing > 0 || q->wanted_nothing > 0) {
        pin_columns_row(table);
        pin_columns_cell(table, "none", PIN_COLOR_NONE);
        pin_columns_cell(table, "", PIN_COLOR_NONE);
        put_count(table, q->n_nothing, q->n_targets > 0 ? q->wanted_nothing : 1, n_answers);
    }
    return pin_columns_print(table);
}

static bool print_table(const struct query *q)
{
    char server[PIN_ADDRPORT_TEXT_MAX];
    (void)printf("%s %s: %llu of %llu questions answered by %s as %s, in %.2f s\n",
        q->ctl->words[0], q->type_text, (unsigned long long)q->n_answers,
        (unsigned long long)q->n_asks, pin_addrport_format(&q->server, server), q->from,
        (double)q->took_ms / 1000);
    for (size_t i = 1; i < RCODES; i++) {
        if (q->n_rcodes[i] > 0) {
            (void)printf("%s: %llu\n", rcode_texts[i], (unsigned long long)q->n_rcodes[i]);
        }
    }
    (void)putchar('\n');
    bool is_good = print_counts(q);
    (void)printf("\n%s (", q->verdict);
    if (q->first.degrees > 0) {
        (void)printf("first: chi-square %.3g, %u degrees of freedom, p %.3g; ", q->first.chi_square,
            q->first.degrees, q->first.p);
    }
    (void)printf("in answer: p at most %.3g)\n", q->included_p);
    if (!q->is_as_wanted && q->has_subnet) {
        (void)printf("note: --from counts only where the daemon's trustedForwarders name us\n");
    }
    return is_good;
}

/* --- The command ---------------------------------------------------------------------------- */

static enum pin_ctl_exit tell(const struct query *q)
{
    bool is_good = false;
    if (q->ctl->output == PIN_CTL_TABLE) {
        is_good = print_table(q);
    } else {
        struct pin_text text = {0};
        struct pin_jsonout json = pin_jsonout_init(&text);
        put_json(q, &json);
        is_good = pin_emit_made(q->ctl, &text);
        pin_text_done(&text);
    }
    return is_good && q->is_as_wanted ? PIN_CTL_OK : PIN_CTL_FAILED;
}

static enum pin_ctl_exit run(struct query *q)
{
    struct pin_api_reply after = {0};
    enum pin_ctl_exit exit_code = find_server(q);
    if (exit_code == PIN_CTL_OK) {
        exit_code = open_dns(q);
    }
    if (exit_code == PIN_CTL_OK) {
        exit_code = explain(q, &q->before);
    }
    if (exit_code == PIN_CTL_OK) {
        read_wanted(q, q->before.tree);
        exit_code = ask_all(q);
    }
    if (exit_code == PIN_CTL_OK) {
        exit_code = explain(q, &after);
    }
    if (exit_code == PIN_CTL_OK) {
        q->has_changed = !are_same(q->before.tree, after.tree);
        judge(q);
        exit_code = tell(q);
    }
    pin_api_reply_done(&after);
    return exit_code;
}

enum pin_ctl_exit pin_ctl_query(const struct pin_ctl *ctl)
{
    struct query q = {.ctl = ctl,
        .dns = {.fd = -1},
        .type_text = ctl->n_words > 1 && strcasecmp(ctl->words[1], "AAAA") == 0 ? "AAAA" : "A",
        .n_asks = ctl->n_asks != 0 ? ctl->n_asks : ASKS_DEFAULT};
    if (ctl->n_words > 1 && strcasecmp(ctl->words[1], q.type_text) != 0) {
        (void)fprintf(stderr, "pintlectl: query counts addresses: A or AAAA\n");
        return PIN_CTL_USAGE;
    }
    q.type = q.type_text[1] == '\0' ? 1 : 28;
    q.targets = calloc(ADDRESSES_MAX, sizeof(*q.targets));
    if (q.targets == NULL) {
        (void)fputs("pintlectl: out of memory\n", stderr);
        return PIN_CTL_FAILED;
    }
    enum pin_ctl_exit exit_code = run(&q);
    if (q.dns.fd >= 0) {
        (void)close(q.dns.fd);
    }
    pin_api_reply_done(&q.before);
    free(q.targets);
    return exit_code;
}
