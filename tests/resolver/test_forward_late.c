/* SPDX-License-Identifier: Apache-2.0 */

/* Answers that come late: limited and noted as others are, whole or none, sent back the way their
 * query came; and what has expired, while no resolver answers. */

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "forward_rig.h"

#define NXDOMAIN    3
#define TC          0x0200
#define TTL_S       2u
#define STALE_TTL_S 30u
#define STALE_MAX_S 3600u
#define EXPIRED_MS  ((int64_t)TTL_S * 1000 + 1000)
#define FAIL_MS     3000
#define PROBE_MS    1000 /* How long a resolver has for a question about itself. */
/* RFC 8767, section 5: the client response timer. */
#define STALE_MS 1800
/* So many records leave no room for more than two aliases of that length. */
#define N_RECORDS 4049u
#define N_ALIASES 6u
#define NAME_TEXT 256u
#define N_CLIENTS 10000u
#define N_NAMES   100u
#define N_PER_RUN 100u

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
enum pin_err __wrap_pin_worker_spawn(
    pthread_t *ret_thread, const char *name, void *(*main)(void *), void *arg, struct pin_why *why);
enum pin_err __real_pin_worker_spawn(
    pthread_t *ret_thread, const char *name, void *(*main)(void *), void *arg, struct pin_why *why);

enum pin_err __wrap_pin_worker_spawn(
    pthread_t *ret_thread, const char *name, void *(*main)(void *), void *arg, struct pin_why *why)
{
    return strcmp(name, "pintle-forward") == 0
               ? relay_spawn(ret_thread)
               : __real_pin_worker_spawn(ret_thread, name, main, arg, why);
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

static const struct relay_reply good = {.ttl_s = TTL_S};
static const struct relay_reply nothing = {.ttl_s = TTL_S, .rcode = NXDOMAIN, .is_denial = true};
static const struct message_query www = {
    .name = "www.far.test", .type = TYPE_A, .has_edns = true, .edns_bytes = 1232};

static int start(void **state)
{
    (void)state;
    relay_start(&relay, &(struct relay_options){.n_upstreams = 1, .stale_max_s = STALE_MAX_S});
    return 0;
}

/* A socket of a client's on the loopback. */
static int open_client(struct sockaddr_in *ret_address)
{
    socklen_t bytes = sizeof(*ret_address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *ret_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)ret_address, bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)ret_address, &bytes), 0);
    return fd;
}

/* The next answer that this socket got. */
static bool receive(int fd)
{
    static uint8_t wire[RELAY_WIRE_MAX];
    ssize_t n = recv(fd, wire, sizeof(wire), 0);
    assert_true(n < 0 || message_parse(wire, (size_t)n, &answer));
    return n >= 0;
}

/* Has the resolver say something to the question that it got. */
static void reply_with(const struct relay_reply *reply)
{
    relay_run(&relay);
    assert_true(relay_hear(&relay, 0, &question));
    relay_say(&question, reply);
    relay_run(&relay);
}

/* --- the way back --------------------------------------------------------------------------- */

static void test_rate_is_limited(void **state)
{
    const struct relay_options options = {.n_upstreams = 1,
        .rate = {.per_second = {10, 5, 2},
            .window_s = 3,
            .slip = 2,
            .n_accounts = 64,
            .v4_bits = 24,
            .v6_bits = 56}};
    struct sockaddr_in address;
    unsigned n_whole = 0;
    unsigned n_cut = 0;
    (void)state;
    relay_start(&relay, &options);
    int fd = open_client(&address);
    for (int i = 0; i < 40; i++) {
        assert_false(relay_ask_udp(&relay, fd, NULL, &www));
        relay_run(&relay);
    }
    reply_with(&good);
    while (receive(fd)) {
        bool is_cut = (answer.flags & TC) != 0;
        n_cut += is_cut;
        n_whole += !is_cut;
        assert_int_equal(answer.n_rr[1], is_cut ? 0 : 1);
    }
    assert_int_equal(n_whole, 10);
    assert_int_equal(n_cut, 15);
    assert_int_equal(pin_stat_read(&relay.thread->worker.stats.n_rate_dropped), 15);
    (void)close(fd);
    relay_stop(&relay);
}

#define LABEL "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* A name of others' that leads into a zone of ours is counted by its own name, whatever stood where
 * the answer is made before. */
static void test_alias_into_our_zone_is_counted(void **state)
{
    const struct relay_options options = {.n_upstreams = 1,
        .rate = {.per_second = {1, 1000, 1000}, .window_s = 15, .n_accounts = 64}};
    const struct message_query missing = {
        .name = LABEL "." LABEL "." LABEL ".t.example", .type = TYPE_A};
    struct sockaddr_in address;
    (void)state;
    relay_start(&relay, &options);
    relay.worker.limiter = relay.manners.limiter;
    int fd = open_client(&address);
    assert_false(relay_ask_udp(&relay, fd, NULL, &www));
    reply_with(&(struct relay_reply){.ttl_s = TTL_S, .alias = "www.t.example"});
    assert_true(receive(fd));
    assert_in_range(answer.n_rr[1], 1, 8);
    for (int i = 0; i < 3; i++) {
        assert_true(relay_ask_udp(&relay, fd, NULL, &missing));
        assert_true(relay_ask_udp(&relay, fd, NULL, &www));
    }
    assert_int_equal(pin_stat_read(&relay.worker.stats.n_rate_dropped), 3);
    (void)close(fd);
    relay_stop(&relay);
}

/* Who asks stands in the PROXY header; the answer goes to the proxy. */
static void test_proxy_gets_the_answer(void **state)
{
    struct sockaddr_in client_address;
    struct sockaddr_in proxy_address;
    (void)state;
    int client_fd = open_client(&client_address);
    int proxy_fd = open_client(&proxy_address);
    assert_false(relay_ask_udp(&relay, client_fd, &proxy_address, &www));
    reply_with(&good);
    assert_false(receive(client_fd));
    assert_true(receive(proxy_fd));
    assert_int_equal(answer.n_rr[1], 1);
    (void)close(client_fd);
    (void)close(proxy_fd);
}

/* The log has a line for each, with the time that the client waited. */
static void test_wait_is_noted(void **state)
{
    char path[] = "/tmp/pintle-late-XXXXXX";
    char line[512] = "";
    struct pin_tapper *tapper = NULL;
    struct pin_why why = {.text = ""};
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const struct pin_tap_config config = {.log_every = 1, .log_file = path};
    assert_int_equal(pin_tapper_new(&config, &tapper, &why), PIN_OK);
    relay_start(&relay, &(struct relay_options){.n_upstreams = 1, .tapper = tapper});
    assert_true(relay_ask(&relay, 1, &www, &answer) > 0);
    relay_wait(&relay, 250);
    reply_with(&good);
    assert_true(relay_take(&relay, &answer) > 0);
    relay_stop(&relay);
    pin_tapper_free(tapper);
    assert_true(read(fd, line, sizeof(line) - 1) > 0);
    (void)close(fd);
    (void)unlink(path);
    assert_non_null(strstr(line, "www.far.test."));
    assert_non_null(strstr(line, " 0.250000000s"));
}

static const char *chain_name(unsigned i, char out[NAME_TEXT])
{
    (void)snprintf(out, NAME_TEXT, "c%u." LABEL "." LABEL "." LABEL ".far.test", i);
    return out;
}

/* Asks for a name from which `n_aliases` lead to all those records. */
static void ask_for_chain(unsigned n_aliases)
{
    char name[NAME_TEXT];
    char target[NAME_TEXT];
    const struct message_query query = {
        .name = chain_name(N_ALIASES - n_aliases, name), .type = TYPE_A};
    uint64_t stream_id = relay_ask(&relay, 1, &query, &answer);
    assert_true(stream_id > 0);
    relay_run(&relay);
    while (relay_hear(&relay, 0, &question)) {
        unsigned i = question.wire[14] - (unsigned)'0';
        const char *alias = chain_name(i + 1, target);
        relay_say(&question, i < N_ALIASES
                                 ? &(struct relay_reply){.ttl_s = TTL_S, .alias = alias}
                                 : &(struct relay_reply){.ttl_s = TTL_S, .n_records = N_RECORDS});
        relay_run(&relay);
    }
    assert_int_equal(relay_take(&relay, &answer), stream_id);
}

/* Behind so many aliases it is longer than a message may be: neither the aliases alone nor a part
 * of the records may be shown for it. */
static void test_no_room_on_a_stream(void **state)
{
    (void)state;
    ask_for_chain(0);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(answer.n_rr[1], N_RECORDS);
    ask_for_chain(1);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(answer.n_rr[1], N_RECORDS + 1);
    ask_for_chain(N_ALIASES);
    assert_int_equal(answer.rcode, SERVFAIL);
    assert_int_equal(answer.n_rr[1], 0);
    assert_int_equal(answer.flags & TC, 0);
}

/* --- what has expired ----------------------------------------------------------------------- */

/* Asks for what has expired; it is shown within 1.8 s. */
static void ask_for_stale(const struct message_query *query, uint16_t rcode, int ede)
{
    uint64_t stream_id = relay_ask(&relay, 1, query, &answer);
    if (stream_id > 0) {
        relay_wait(&relay, STALE_MS);
        assert_int_equal(relay_take(&relay, &answer), stream_id);
    }
    assert_int_equal(answer.rcode, rcode);
    assert_int_equal(answer.ede, ede);
    assert_int_equal(answer.records[0].ttl_s, STALE_TTL_S);
    assert_int_equal(pin_stat_read(&relay.worker.stats.n_stale), 0); /* that is of our own data */
    (void)relay_drop(&relay, 0);
}

static struct stale_case {
    const char *name;
    const struct relay_reply *reply;
    uint16_t rcode;
    int ede;
} stales[] = {
    {"an expired answer is shown until serveStale is over, then SERVFAIL", &good, 0, 3},
    {"so is an expired denial, with EDE 19", &nothing, NXDOMAIN, 19},
};

static void test_stale_ends(void **state)
{
    const struct stale_case *c = *state;
    (void)start(state);
    assert_true(relay_ask(&relay, 1, &www, &answer) > 0);
    reply_with(c->reply);
    assert_true(relay_take(&relay, &answer) > 0);
    relay_wait(&relay, EXPIRED_MS);
    ask_for_stale(&www, c->rcode, c->ede);
    relay_wait(&relay, FAIL_MS);
    assert_int_equal(relay_ask(&relay, 1, &www, &answer), 0); /* the failure is known: at once */
    assert_int_equal(answer.ede, c->ede);
    int64_t last_ms = (int64_t)(TTL_S + STALE_MAX_S) * 1000;
    relay_wait(&relay, last_ms - EXPIRED_MS - STALE_MS - FAIL_MS - 1000);
    ask_for_stale(&www, c->rcode, c->ede);
    relay_wait(&relay, 60000);
    uint64_t stream_id = relay_ask(&relay, 1, &www, &answer);
    if (stream_id > 0) {
        relay_wait(&relay, FAIL_MS);
        assert_int_equal(relay_take(&relay, &answer), stream_id);
    }
    assert_int_equal(answer.rcode, SERVFAIL);
    assert_int_equal(answer.ede, 22);
    relay_stop(&relay);
}

static void test_stale_is_renewed(void **state)
{
    (void)state;
    assert_true(relay_ask(&relay, 1, &www, &answer) > 0);
    reply_with(&good);
    assert_true(relay_take(&relay, &answer) > 0);
    relay_wait(&relay, EXPIRED_MS);
    uint64_t stream_id = relay_ask(&relay, 1, &www, &answer);
    reply_with(&good);
    assert_int_equal(relay_take(&relay, &answer), stream_id);
    assert_int_equal(answer.ede, -1);
    assert_int_equal(answer.records[0].ttl_s, TTL_S);
}

/* Once it was shown, who asks next need not wait, though the question is still under way. */
static void test_stale_for_the_next_one(void **state)
{
    (void)state;
    assert_true(relay_ask(&relay, 1, &www, &answer) > 0);
    reply_with(&good);
    assert_true(relay_take(&relay, &answer) > 0);
    relay_wait(&relay, EXPIRED_MS);
    ask_for_stale(&www, 0, 3);
    assert_int_equal(relay.thread->n_asks, 1);
    uint64_t stream_id = relay_ask(&relay, 2, &www, &answer);
    relay_run(&relay);
    assert_int_equal(relay_take(&relay, &answer), stream_id);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(answer.ede, 3);
}

/* An alias of ours leads to what has expired. */
static void test_stale_behind_an_alias(void **state)
{
    const struct message_query far = {
        .name = "far.t.example", .type = TYPE_A, .has_edns = true, .edns_bytes = 1232};
    (void)state;
    assert_true(relay_ask(&relay, 1, &far, &answer) > 0);
    reply_with(&good);
    assert_true(relay_take(&relay, &answer) > 0);
    assert_int_equal(answer.n_rr[1], 2);
    relay_wait(&relay, EXPIRED_MS);
    uint64_t stream_id = relay_ask(&relay, 1, &far, &answer);
    relay_wait(&relay, STALE_MS);
    assert_int_equal(relay_take(&relay, &answer), stream_id);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(answer.ede, 3);
    assert_int_equal(answer.n_rr[1], 2);
    assert_int_equal(answer.records[1].ttl_s, STALE_TTL_S);
}

static void test_stale_for_nobody(void **state)
{
    struct sockaddr_in address;
    (void)state;
    assert_true(relay_ask(&relay, 1, &www, &answer) > 0);
    reply_with(&good);
    assert_true(relay_take(&relay, &answer) > 0);
    relay_wait(&relay, EXPIRED_MS);
    int fd = open_client(&address);
    assert_false(relay_ask_udp(&relay, fd, NULL, &www));
    relay_run(&relay);
    (void)close(fd); /* the client is gone before the answer */
    relay_wait(&relay, STALE_MS);
    assert_int_equal(relay.thread->n_waiters, 0);
    assert_int_equal(relay.thread->n_asks, 1); /* who asks next may get a fresh one */
    relay_wait(&relay, FAIL_MS);
    assert_int_equal(relay_ask(&relay, 1, &www, &answer), 0);
    assert_int_equal(answer.ede, 3);
}

/* While it is known that nobody answers, who asks does not wait for 1.75 s. */
static void test_stale_at_once_while_all_are_down(void **state)
{
    (void)state;
    assert_true(relay_ask(&relay, 1, &www, &answer) > 0);
    reply_with(&good);
    assert_true(relay_take(&relay, &answer) > 0);
    relay_wait(&relay, EXPIRED_MS);
    relay.thread->upstreams[0].is_down = true;
    uint64_t stream_id = relay_ask(&relay, 1, &www, &answer);
    relay_wait(&relay, 1);
    assert_int_equal(relay_take(&relay, &answer), stream_id);
    assert_int_equal(answer.ede, 3);
}

/* A resolver that is silent thrice is asked itself; two silences later nobody asks it. */
static void test_a_silent_resolver_is_down(void **state)
{
    const struct pin_upstream *upstream = &relay.thread->upstreams[0];
    (void)state;
    assert_true(relay_ask(&relay, 1, &www, &answer) > 0);
    for (int64_t ms = 0; upstream->probe == NULL && ms < FAIL_MS; ms++) {
        relay_wait(&relay, 1);
    }
    assert_non_null(upstream->probe);
    assert_in_range(relay_drop(&relay, 0), 3, 4); /* tries, and the first of its own questions */
    relay_wait(&relay, 2 * (int64_t)PROBE_MS - 10);
    assert_false(upstream->is_down);
    relay_wait(&relay, 20);
    assert_true(upstream->is_down);
}

static uint64_t ask_number(uint16_t client, unsigned i)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "n%u.far.test", i);
    return relay_ask(&relay, client,
        &(struct message_query){.name = name, .type = TYPE_A, .has_edns = true, .edns_bytes = 1232},
        &answer);
}

/* All clients ask. Returns how many have to wait. */
static unsigned ask_from_all(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        n += ask_number((uint16_t)(i + 1), i % N_NAMES) > 0;
        if (i % N_PER_RUN == N_PER_RUN - 1) {
            relay_run(&relay);
        }
    }
    return n;
}

static void test_many_ask_for_stale(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_NAMES; i++) {
        (void)ask_number(1, i);
        reply_with(i % 2 == 0 ? &good : &nothing);
        assert_true(relay_take(&relay, &answer) > 0);
    }
    relay_wait(&relay, EXPIRED_MS);
    assert_int_equal(ask_from_all(), N_CLIENTS);
    assert_int_equal(relay.thread->n_asks, N_NAMES);
    assert_int_equal(relay_drop(&relay, 0), N_NAMES);
    relay_wait(&relay, STALE_MS);
    unsigned n_stale = 0;
    while (relay_take(&relay, &answer) > 0) {
        n_stale += answer.ede == (answer.rcode == NXDOMAIN ? 19 : 3);
        assert_int_equal(answer.n_rr[1] + answer.n_rr[2], 1);
    }
    assert_int_equal(n_stale, N_CLIENTS);
    relay_wait(&relay, FAIL_MS - STALE_MS);
    assert_in_range(relay_drop(&relay, 0), N_NAMES, 2 * N_NAMES + 10); /* retries and probes */
    assert_int_equal(ask_from_all(), 0);
    assert_int_equal(relay_drop(&relay, 0), 0);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(test_rate_is_limited),
        cmocka_unit_test(test_alias_into_our_zone_is_counted),
        cmocka_unit_test(test_wait_is_noted),
        cmocka_unit_test_setup_teardown(test_proxy_gets_the_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_no_room_on_a_stream, start, stop),
        cmocka_unit_test_setup_teardown(test_stale_is_renewed, start, stop),
        cmocka_unit_test_setup_teardown(test_stale_for_the_next_one, start, stop),
        cmocka_unit_test_setup_teardown(test_stale_behind_an_alias, start, stop),
        cmocka_unit_test_setup_teardown(test_stale_for_nobody, start, stop),
        cmocka_unit_test_setup_teardown(test_stale_at_once_while_all_are_down, start, stop),
        cmocka_unit_test_setup_teardown(test_a_silent_resolver_is_down, start, stop),
        cmocka_unit_test_setup_teardown(test_many_ask_for_stale, start, stop),
    };
    struct CMUnitTest tests[N_ELEMS(plain) + N_ELEMS(stales)];
    size_t n = N_ELEMS(plain);
    memcpy(tests, plain, sizeof(plain));
    for (size_t i = 0; i < N_ELEMS(stales); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = stales[i].name, .test_func = test_stale_ends, .initial_state = &stales[i]};
    }
    return cmocka_run_group_tests_name("forward_late", tests, NULL, NULL);
}
