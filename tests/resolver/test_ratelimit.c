/* SPDX-License-Identifier: Apache-2.0 */

/* One network gets so many answers of a kind in a second, and pays back what it took too much. */

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/zones/settings.h"

#include "resolver/answer.h"
#include "resolver/config.h"
#include "resolver/ratelimit.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define T0       UINT64_C(1099511327) /* what an account knows of time wraps soon: 2^40 us */
#define STRANGER "203.0.113.7"

static const struct pin_rate_config usual = {.per_second = {10, 5, 2},
    .window_s = 3,
    .slip = 2,
    .n_accounts = 64,
    .v4_bits = 24,
    .v6_bits = 56};

static struct pin_ip ip(const char *text)
{
    struct pin_ip address;
    assert_true(pin_ip_parse(text, &address));
    return address;
}

/* How many of `n` answers pass, all at once. */
static unsigned count_passing(struct pin_limiter *limiter, uint64_t now_ms, const char *client,
    enum pin_rate_kind kind, unsigned n)
{
    struct pin_ip address = ip(client);
    const struct pin_rate_ask ask = {.client = &address, .kind = kind, .name = 1, .now_ms = now_ms};
    uint32_t n_limited = 0;
    unsigned n_passing = 0;
    for (unsigned i = 0; i < n; i++) {
        n_passing += pin_limiter_judge(limiter, &ask, &n_limited) == PIN_RATE_PASS;
    }
    assert_int_equal(n_limited, n - n_passing);
    return n_passing;
}

/* --- accounts ------------------------------------------------------------------------------ */

static void test_a_second_is_held(void **state)
{
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    (void)state;
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 50), 10);
    pin_limiter_free(limiter);
}

static void test_kinds_have_their_own(void **state)
{
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    (void)state;
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_ERROR, 50), 2);
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_NXDOMAIN, 50), 5);
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 50), 10);
    pin_limiter_free(limiter);
}

static void test_debt_is_paid_back(void **state)
{
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    (void)state;
    (void)count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 10000); /* the window: 3 s of debt */
    assert_int_equal(count_passing(limiter, T0 + 3000, STRANGER, PIN_RATE_DATA, 1), 0);
    assert_int_equal(count_passing(limiter, T0 + 3300, STRANGER, PIN_RATE_DATA, 5), 2);
    assert_int_equal(count_passing(limiter, T0 + 60000, STRANGER, PIN_RATE_DATA, 50), 10);
    pin_limiter_free(limiter);
}

static void test_a_steady_rate_passes(void **state)
{
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    (void)state;
    for (uint64_t ms = 0; ms < 10000; ms += 100) {
        assert_int_equal(count_passing(limiter, T0 + ms, STRANGER, PIN_RATE_DATA, 1), 1);
    }
    pin_limiter_free(limiter);
}

static struct network_case {
    const char *name;
    const char *a;
    const char *b;
    bool is_same;
} networks[] = {
    {"a /24 shares an account", "203.0.113.7", "203.0.113.250", true},
    {"its neighbour does not", "203.0.113.7", "203.0.112.7", false},
    {"a /56 shares an account", "2001:db8:1:22ff::1", "2001:db8:1:2200:ffff::2", true},
    {"the next /56 does not", "2001:db8:1:22ff::1", "2001:db8:1:23ff::1", false},
    {"an IPv4 network is no IPv6 network", "32.1.13.184", "2001:db8::1", false},
};

static void test_network(void **state)
{
    const struct network_case *c = *state;
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    (void)count_passing(limiter, T0, c->a, PIN_RATE_DATA, 50);
    assert_int_equal(count_passing(limiter, T0, c->b, PIN_RATE_DATA, 50), c->is_same ? 0 : 10);
    pin_limiter_free(limiter);
}

/* A prefix need not end with a byte. */
static void test_network_within_a_byte(void **state)
{
    struct pin_rate_config config = usual;
    (void)state;
    config.v4_bits = 20;
    config.v6_bits = 61;
    struct pin_limiter *limiter = pin_limiter_new(&config);
    assert_int_equal(count_passing(limiter, T0, "203.0.112.1", PIN_RATE_DATA, 50), 10);
    assert_int_equal(count_passing(limiter, T0, "203.0.127.255", PIN_RATE_DATA, 50), 0);
    assert_int_equal(count_passing(limiter, T0, "203.0.111.1", PIN_RATE_DATA, 50), 10);
    assert_int_equal(count_passing(limiter, T0, "2001:db8:0:8::1", PIN_RATE_DATA, 50), 10);
    assert_int_equal(count_passing(limiter, T0, "2001:db8:0:f::1", PIN_RATE_DATA, 50), 0);
    assert_int_equal(count_passing(limiter, T0, "2001:db8:0:7::1", PIN_RATE_DATA, 50), 10);
    pin_limiter_free(limiter);
}

/* A reload that says the same of accounts keeps them, with all debts; another one begins anew. */
static void test_a_reload_keeps_debts(void **state)
{
    struct pin_rate_config other = usual;
    (void)state;
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 50), 10);
    struct pin_limiter *next = pin_limiter_next(limiter, &usual);
    pin_limiter_free(limiter);
    assert_int_equal(count_passing(next, T0, STRANGER, PIN_RATE_DATA, 50), 0);
    other.per_second[PIN_RATE_DATA]++;
    limiter = pin_limiter_next(next, &other);
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 50), 11);
    pin_limiter_free(limiter);
    pin_limiter_free(next);
}

static void test_slip(void **state)
{
    static const uint32_t slips[] = {0, 1, 2, 3};
    struct pin_ip address = ip(STRANGER);
    (void)state;
    for (size_t s = 0; s < N_ELEMS(slips); s++) {
        struct pin_rate_config config = usual;
        config.slip = slips[s];
        struct pin_limiter *limiter = pin_limiter_new(&config);
        const struct pin_rate_ask ask = {.client = &address, .now_ms = T0};
        uint32_t n_limited = 0;
        unsigned n_slipped = 0;
        for (unsigned i = 0; i < 10 + 60; i++) {
            n_slipped += pin_limiter_judge(limiter, &ask, &n_limited) == PIN_RATE_SLIP;
        }
        assert_int_equal(n_slipped, slips[s] == 0 ? 0 : 60 / slips[s]);
        pin_limiter_free(limiter);
    }
}

static void test_zero_is_no_limit(void **state)
{
    struct pin_rate_config config = {.per_second = {0, 0, 1}, .window_s = 1, .v4_bits = 24};
    struct pin_limiter *limiter = pin_limiter_new(&config);
    (void)state;
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 500), 500);
    assert_true(pin_rate_is_on(&config));
    config.per_second[PIN_RATE_ERROR] = 0;
    assert_false(pin_rate_is_on(&config));
    pin_limiter_free(limiter);
}

/* Forged networks by the thousand do not wash an account in debt out of the table. */
static void test_a_full_table_keeps_debtors(void **state)
{
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    (void)state;
    (void)count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 1000);
    for (unsigned i = 0; i < 20000; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "198.%u.%u.1", 18 + i / 256 % 64, i % 256);
        assert_int_equal(count_passing(limiter, T0, text, PIN_RATE_DATA, 1), 1);
    }
    assert_int_equal(count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 20), 0);
    pin_limiter_free(limiter);
}

/* A clock that is a little behind sees no debt as one of long ago. */
static void test_threads_clocks_may_differ(void **state)
{
    struct pin_limiter *limiter = pin_limiter_new(&usual);
    (void)state;
    (void)count_passing(limiter, T0 + 9000, STRANGER, PIN_RATE_DATA, 1000);
    for (uint64_t behind_ms = 0; behind_ms < 9000; behind_ms += 300) {
        assert_int_equal(
            count_passing(limiter, T0 + 9000 - behind_ms, STRANGER, PIN_RATE_DATA, 5), 0);
    }
    pin_limiter_free(limiter);
}

/* A debt of twelve days ago is told from one of now, but for the minute that clocks may differ. */
static void test_who_was_away_for_long_has_a_full_account(void **state)
{
    static const uint64_t wrap_ms = (UINT64_C(1) << 40) / 1000;
    static const uint64_t minutes_ms[] = {70000, 600000, 36000000};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(minutes_ms); i++) {
        struct pin_limiter *limiter = pin_limiter_new(&usual);
        (void)count_passing(limiter, T0, STRANGER, PIN_RATE_DATA, 1000);
        uint64_t then_ms = T0 + wrap_ms - minutes_ms[i];
        assert_int_equal(count_passing(limiter, then_ms, STRANGER, PIN_RATE_DATA, 50), 10);
        pin_limiter_free(limiter);
    }
}

/* --- threads ------------------------------------------------------------------------------- */

#define N_THREADS    2
#define N_PER_THREAD 20000
#define N_CLIENTS    50
#define FAST_PER_S   100

static struct racer {
    struct pin_limiter *limiter;
    pthread_t thread;
    unsigned n_passing;
} racers[N_THREADS];

static void *race(void *arg)
{
    struct racer *racer = arg;
    uint32_t n_limited = 0;
    for (unsigned i = 0; i < N_PER_THREAD; i++) {
        struct pin_ip address = {.family = 4, .bytes = {203, 0, (uint8_t)(i / 7 % N_CLIENTS), 1}};
        const struct pin_rate_ask ask = {.client = &address, .now_ms = T0 + i / 4000};
        racer->n_passing += pin_limiter_judge(racer->limiter, &ask, &n_limited) == PIN_RATE_PASS;
    }
    return NULL;
}

/* Two threads give a network no more than one would: 100 at once, none for a time of 5 ms. */
static void test_threads_share_accounts(void **state)
{
    struct pin_rate_config config = usual;
    unsigned n_passing = 0;
    (void)state;
    config.per_second[PIN_RATE_DATA] = FAST_PER_S;
    config.n_accounts = 4096;
    struct pin_limiter *limiter = pin_limiter_new(&config);
    for (size_t i = 0; i < N_THREADS; i++) {
        racers[i] = (struct racer){.limiter = limiter};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
        n_passing += racers[i].n_passing;
    }
    assert_in_range(n_passing, N_CLIENTS * FAST_PER_S, N_CLIENTS * FAST_PER_S * 51 / 50);
    pin_limiter_free(limiter);
}

/* --- answers ------------------------------------------------------------------------------- */

static struct world *world;
static struct pin_worker worker;
static struct pin_manners manners = {.has_cookies = true, .secret = {.is_shared = true}};
static uint8_t buffer[1344];
static struct message reply;

/* Asks; false: nothing came. */
static bool ask(const char *source, enum pin_transport transport, const struct message_query *query)
{
    struct sockaddr_in peer = {.sin_family = AF_INET};
    struct pin_client client = {.peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = transport};
    assert_int_equal(inet_pton(AF_INET, source, &peer.sin_addr), 1);
    struct pin_packet packet = {
        .wire = buffer, .bytes = message_build(query, buffer), .cap_bytes = sizeof(buffer)};
    size_t bytes = pin_answer(&worker, &client, &packet);
    if (bytes > 0) {
        assert_true(message_parse(buffer, bytes, &reply));
    }
    return bytes > 0;
}

static int fresh_limiter(void **state)
{
    (void)state;
    pin_limiter_free(worker.limiter);
    worker.n_limited = 0;
    struct pin_lpm_entry spared = {.value = 1};
    assert_true(pin_prefix_parse("198.51.100.0/24", &spared.prefix));
    if (manners.rate.exempt == NULL) {
        manners.rate = usual;
        manners.rate.exempt = pin_lpm_new(&spared, 1);
    }
    worker.limiter = pin_limiter_new(&manners.rate);
    pin_clock_set_fake(1000, INT64_C(1700000000000));
    return worker.limiter != NULL ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    world = world_new();
    world_add_names(world, 30);
    bool is_ready = pin_worker_init(&worker, &world->live, PIN_TRANSPORT_UDP, 0) == PIN_OK;
    worker.manners = &manners;
    return is_ready ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pin_clock_set_real();
    pin_limiter_free(worker.limiter);
    pin_worker_done(&worker);
    pin_manners_done(&manners);
    world_free(world);
    return 0;
}

static struct account_case {
    const char *name;
    const char *source;
    enum pin_transport transport;
    const char *qname; /* %u counts */
    uint16_t type;
    unsigned n_whole; /* of 30, neither dropped nor cut */
} accounts[] = {
    {"one name", STRANGER, PIN_TRANSPORT_UDP, "www.t.example", 1, 10},
    {"no data is data", STRANGER, PIN_TRANSPORT_UDP, "www.t.example", 16, 10},
    {"random names of a zone are one", STRANGER, PIN_TRANSPORT_UDP, "x%u.t.example", 1, 5},
    {"random names below a wildcard are one", STRANGER, PIN_TRANSPORT_UDP, "x%u.wild.t.example", 16,
        10},
    {"names that exist each have their own", STRANGER, PIN_TRANSPORT_UDP, "a-%u.t.example", 1, 30},
    {"TCP is not limited", STRANGER, PIN_TRANSPORT_TCP, "www.t.example", 1, 30},
    {"who is exempt is not limited", "198.51.100.9", PIN_TRANSPORT_UDP, "www.t.example", 1, 30},
    {"clusters' own askers are not limited", "10.1.3.4", PIN_TRANSPORT_UDP, "www.t.example", 1, 30},
};

static void test_account(void **state)
{
    const struct account_case *c = *state;
    unsigned n_whole = 0;
    for (unsigned i = 0; i < 30; i++) {
        char name[64];
        const char *number = strstr(c->qname, "%u");
        (void)snprintf(name, sizeof(name), "%s", c->qname);
        if (number != NULL) {
            (void)snprintf(
                name, sizeof(name), "%.*s%u%s", (int)(number - c->qname), c->qname, i, number + 2);
        }
        bool came =
            ask(c->source, c->transport, &(struct message_query){.name = name, .type = c->type});
        n_whole += came && (reply.flags & 0x0200) == 0;
    }
    assert_int_equal(n_whole, c->n_whole);
}

static void test_errors(void **state)
{
    unsigned n_answered = 0;
    (void)state;
    for (unsigned i = 0; i < 22; i++) {
        n_answered += ask(STRANGER, PIN_TRANSPORT_UDP,
            &(struct message_query){
                .name = i % 2 == 0 ? "example.com" : "example.org", .type = 1, .has_edns = true});
        assert_int_equal(reply.rcode, 5);
        assert_int_equal(reply.flags & 0x0200, 0);
    }
    assert_int_equal(n_answered, 2 + 10); /* what slips is the error itself */
}

static void test_slipped_answer(void **state)
{
    struct message_query query = {
        .name = "four.t.example", .type = 1, .has_edns = true, .edns_bytes = 1232};
    (void)state;
    uint64_t n_before = pin_stat_read(&worker.stats.n_rate_slipped);
    for (unsigned i = 0; i < 11; i++) {
        bool came = ask(STRANGER, PIN_TRANSPORT_UDP, &query);
        assert_int_equal(came, i < 10);
    }
    assert_true(ask(STRANGER, PIN_TRANSPORT_UDP, &query));
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.flags & 0x0200, 0x0200);
    assert_int_equal(reply.n_records, 0);
    assert_true(reply.has_opt);
    assert_int_equal(pin_stat_read(&worker.stats.n_rate_slipped) - n_before, 1);
}

static void test_good_cookies_pass(void **state)
{
    uint8_t option[28] = {0, 10, 0, 24};
    struct message_query first = {.name = "www.t.example",
        .type = 1,
        .has_edns = true,
        .options = (const uint8_t *)"\0\x0a\0\x08\1\2\3\4\5\6\7\x08",
        .options_bytes = 12};
    struct message_query query = {.name = "www.t.example",
        .type = 1,
        .has_edns = true,
        .options = option,
        .options_bytes = sizeof(option)};
    (void)state;
    assert_true(ask(STRANGER, PIN_TRANSPORT_UDP, &first));
    assert_int_equal(reply.options[10].bytes, 24);
    memcpy(option + 4, buffer + reply.options[10].at, 24);
    unsigned n_answered = 0;
    for (unsigned i = 0; i < 30; i++) {
        n_answered += ask(STRANGER, PIN_TRANSPORT_UDP, &query) && (reply.flags & 0x0200) == 0;
    }
    assert_int_equal(n_answered, 30);
    n_answered = 0;
    for (unsigned i = 0; i < 30; i++) { /* a client's part alone proves nothing */
        n_answered += ask(STRANGER, PIN_TRANSPORT_UDP, &first) && (reply.flags & 0x0200) == 0;
    }
    assert_int_equal(n_answered, 9);
}

/* --- configuration ------------------------------------------------------------------------- */

static struct pin_config *load(const char *text)
{
    struct pin_args args = {0};
    struct pin_findings findings = {0};
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_non_null(config);
    pin_config_read(config, "p.yaml", text, strlen(text), &findings);
    pin_manners_load(config, &findings);
    assert_string_equal(pin_findings_text(&findings), "");
    pin_findings_done(&findings);
    return config;
}

static bool is_spared(const struct pin_config *config, const char *text)
{
    struct pin_ip address = ip(text);
    return pin_lpm_find(config->manners.rate.exempt, &address) != PIN_LPM_NONE;
}

static void test_config(void **state)
{
    (void)state;
    struct pin_config *config = load("clusterSet: a\n");
    assert_false(pin_rate_is_on(&config->manners.rate));
    pin_config_free(config);

    config =
        load("rateLimit: {responsesPerSecond: 100, errorsPerSecond: 7, slip: 0, window: 1m}\n");
    const struct pin_rate_config *rate = &config->manners.rate;
    assert_int_equal(rate->per_second[PIN_RATE_DATA], 100);
    assert_int_equal(rate->per_second[PIN_RATE_NXDOMAIN], 100);
    assert_int_equal(rate->per_second[PIN_RATE_ERROR], 7);
    assert_int_equal(rate->window_s, 60);
    assert_int_equal(rate->slip, 0);
    assert_int_equal(rate->v4_bits, 24);
    assert_int_equal(rate->v6_bits, 56);
    assert_true(is_spared(config, "10.1.2.3"));
    assert_true(is_spared(config, "fd00::1"));
    assert_false(is_spared(config, STRANGER));
    pin_config_free(config);

    config = load("rateLimit: {responsesPerSecond: 1, exempt: [203.0.113.0/24]}\n");
    assert_true(is_spared(config, STRANGER));
    assert_false(is_spared(config, "10.1.2.3"));
    pin_config_free(config);

    config = load("rateLimit: {responsesPerSecond: 1}\n"
                  "allowRecursion: [203.0.113.0/24, \"2001:db8::/32\", 0.0.0.0/0]\n");
    assert_true(is_spared(config, STRANGER)); /* whom we are there for */
    assert_true(is_spared(config, "2001:db8::1"));
    assert_true(is_spared(config, "10.1.2.3"));
    assert_false(is_spared(config, "198.51.100.1")); /* but not everybody */
    pin_config_free(config);

    config = load("rateLimit: {responsesPerSecond: 1, exempt: []}\n");
    assert_false(is_spared(config, "127.0.0.1"));
    pin_config_free(config);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_a_second_is_held),
        cmocka_unit_test(test_kinds_have_their_own),
        cmocka_unit_test(test_debt_is_paid_back),
        cmocka_unit_test(test_a_steady_rate_passes),
        cmocka_unit_test(test_network_within_a_byte),
        cmocka_unit_test(test_a_reload_keeps_debts),
        cmocka_unit_test(test_slip),
        cmocka_unit_test(test_zero_is_no_limit),
        cmocka_unit_test(test_a_full_table_keeps_debtors),
        cmocka_unit_test(test_threads_clocks_may_differ),
        cmocka_unit_test(test_who_was_away_for_long_has_a_full_account),
        cmocka_unit_test(test_threads_share_accounts),
        cmocka_unit_test_setup(test_errors, fresh_limiter),
        cmocka_unit_test_setup(test_slipped_answer, fresh_limiter),
        cmocka_unit_test_setup(test_good_cookies_pass, fresh_limiter),
        cmocka_unit_test(test_config),
    };
    struct CMUnitTest tests[N_ELEMS(networks) + N_ELEMS(accounts) + N_ELEMS(others)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(networks); i++) {
        tests[n++] = (struct CMUnitTest){networks[i].name, test_network, NULL, NULL, &networks[i]};
    }
    for (size_t i = 0; i < N_ELEMS(accounts); i++) {
        tests[n++] =
            (struct CMUnitTest){accounts[i].name, test_account, fresh_limiter, NULL, &accounts[i]};
    }
    memcpy(tests + n, others, sizeof(others));
    return cmocka_run_group_tests_name("ratelimit", tests, set_up, tear_down);
}
