/* SPDX-License-Identifier: Apache-2.0 */

/* Which resolver is asked, how often and for how long, and what a reply of each kind leads to. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#include "forward_rig.h"

#define FORMERR     1
#define EDE_BOGUS   6
#define EDE_SILENT  22
#define EDE_NETWORK 23
#define FAIL_MS     2700
#define TTL_S       60u
#define N_OPT_AT    11 /* The low byte of ARCOUNT. */
#define SEEN_MAX    512u
#define TRIES_MAX   10u
#define TRIES_EACH  3u /* For which nothing is paid. */
#define CREDITS     64u
#define PLAIN_MS    900000
#define US_PER_MS   1000
#define REAL_MS     30000 /* How long to wait for the kernel. */

static uint32_t luck; /* What is drawn, where that is possible. */

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
enum pin_err __wrap_pin_worker_spawn(
    pthread_t *ret_thread, const char *name, void *(*main)(void *), void *arg, struct pin_why *why);

enum pin_err __wrap_pin_worker_spawn(
    pthread_t *ret_thread, const char *name, void *(*main)(void *), void *arg, struct pin_why *why)
{
    (void)name;
    (void)main;
    (void)arg;
    (void)why;
    return relay_spawn(ret_thread);
}

uint32_t __wrap_pin_rand_below(uint32_t bound);

uint32_t __wrap_pin_rand_below(uint32_t bound)
{
    return PIN_MIN(luck, bound - 1);
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

static const struct relay_reply good = {.ttl_s = TTL_S};

static void start(size_t n_upstreams)
{
    luck = 1; /* nobody is tried by chance */
    relay_start(&relay, &(struct relay_options){.n_upstreams = n_upstreams});
}

static int start_one(void **state)
{
    (void)state;
    start(1);
    return 0;
}

/* The first one is asked first. */
static int start_two(void **state)
{
    (void)state;
    start(2);
    relay.thread->upstreams[0].srtt_us = US_PER_MS;
    relay.thread->upstreams[1].srtt_us = 2 * (int64_t)US_PER_MS;
    return 0;
}

static uint64_t ask_for(const char *name)
{
    const struct message_query query = {
        .name = name, .type = TYPE_A, .has_edns = true, .edns_bytes = 1232};
    return ask_later(1, &query);
}

static void hear(size_t upstream_i)
{
    assert_true(relay_hear(&relay, upstream_i, &question));
}

static void say(const struct relay_reply *reply)
{
    relay_say(&question, reply);
    relay_run(&relay);
}

/* --- who is asked when ----------------------------------------------------------------------- */

/* Writes behind `seen` which resolvers have heard a client's question by now; the last one is in
 * `question`. Returns the new length. */
static size_t note_heard(int64_t at_ms, char seen[SEEN_MAX], size_t n)
{
    struct relay_question heard;
    for (size_t i = 0; i < relay.zones[0].n_upstreams; i++) {
        while (relay_hear(&relay, i, &heard)) {
            bool is_probe = heard.wire[12] != 3;
            if (!is_probe) {
                question = heard;
                n += (size_t)snprintf(seen + n, SEEN_MAX - n, "%zu@%lld ", i, (long long)at_ms);
                assert_true(n < SEEN_MAX);
            }
        }
    }
    return n;
}

/* Lets time pass in which nobody answers. Writes whom it was asked of and when, "0@0 1@300 ". */
static void watch(int64_t ms, char seen[SEEN_MAX])
{
    seen[0] = '\0';
    size_t n = note_heard(0, seen, 0);
    for (int64_t at_ms = 10; at_ms <= ms; at_ms += 10) {
        relay_wait(&relay, 10);
        n = note_heard(at_ms, seen, n);
    }
}

static struct order_case {
    const char *name;
    size_t n;
    struct {
        int64_t srtt_ms;
        uint32_t n_credits;
        bool is_down;
        bool is_loop;
    } upstreams[2];
    bool explores;
    const char *want;
} orders[] = {
    {"the quicker one first, then in turn, thrice each", 2, {{.srtt_ms = 20}, {.srtt_ms = 10}},
        false, "1@0 0@300 1@600 0@900 1@1200 0@1500 "},
    {"one that nobody knows first, with patience", 2, {{.srtt_ms = 20}, {.srtt_ms = 0}}, false,
        "1@0 0@750 1@1050 0@1800 1@2100 "},
    {"one that is down last, and once", 2, {{.srtt_ms = 1, .is_down = true}, {.srtt_ms = 20}},
        false, "1@0 1@300 1@600 0@900 "},
    {"of two that are down each once", 2,
        {{.srtt_ms = 1, .is_down = true}, {.srtt_ms = 2, .is_down = true}}, false, "0@0 1@300 "},
    {"one alone, with more patience from its second try on", 1, {{.srtt_ms = 1}}, false,
        "0@0 0@300 0@1250 "},
    {"nobody, when too little time is left", 2, {{.srtt_ms = 640}, {.srtt_ms = 650}}, false,
        "0@0 1@640 0@1290 1@1930 "},
    {"one that loses packets, as often as losses have paid for", 1,
        {{.srtt_ms = 1, .n_credits = 5}}, false,
        "0@0 0@300 0@600 0@900 0@1200 0@1500 0@1800 0@2100 "},
    {"a slow one by chance, once", 2, {{.srtt_ms = 20}, {.srtt_ms = 10}}, true,
        "0@0 1@300 1@600 0@900 1@1200 0@1500 "},
    {"by chance nobody who is down", 2, {{.srtt_ms = 1, .is_down = true}, {.srtt_ms = 20}}, true,
        "1@0 1@300 1@600 0@900 "},
    {"never one that sends questions back", 2, {{.srtt_ms = 1, .is_loop = true}, {.srtt_ms = 20}},
        false, "1@0 1@300 1@600 "},
};

static void test_order(void **state)
{
    const struct order_case *c = *state;
    char seen[SEEN_MAX];
    start(c->n);
    luck = c->explores ? 0 : 1;
    for (size_t i = 0; i < c->n; i++) {
        struct pin_upstream *upstream = &relay.thread->upstreams[i];
        upstream->srtt_us = c->upstreams[i].srtt_ms * US_PER_MS;
        upstream->is_down = c->upstreams[i].is_down;
        upstream->n_credits = c->upstreams[i].n_credits;
        relay.forward->loops[i] = c->upstreams[i].is_loop;
    }
    uint64_t stream_id = ask_for("www.far.test");
    watch(FAIL_MS, seen);
    assert_string_equal(seen, c->want);
    assert_failure(stream_id, EDE_SILENT);
    relay_stop(&relay);
}

/* While something may still come it is waited for, though nobody is left to be asked. */
static void test_the_last_word(void **state)
{
    char seen[SEEN_MAX];
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    watch(FAIL_MS - 100, seen);
    assert_int_equal(relay_take(&relay, &answer), 0);
    say(&good);
    assert_good(stream_id);
}

/* One that was down is asked once more when it is not. */
static void test_recovery(void **state)
{
    char seen[SEEN_MAX];
    (void)state;
    relay.thread->upstreams[0].is_down = true;
    uint64_t stream_id = ask_for("www.far.test");
    watch(1000, seen);
    assert_string_equal(seen, "0@0 ");
    relay.thread->upstreams[0].is_down = false;
    watch(500, seen);
    assert_int_not_equal(seen[0], '\0');
    say(&good);
    assert_good(stream_id);
}

static void test_silence_is_counted_once_a_try(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    relay_wait(&relay, FAIL_MS);
    assert_failure(stream_id, EDE_SILENT);
    assert_int_equal(count_of(&stats_of(0)->n_silent), 3);
    assert_int_equal(count_of(&stats_of(1)->n_silent), 3);
}

static void test_time_is_measured(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    relay_wait(&relay, 7);
    hear(0);
    say(&good);
    assert_good(stream_id);
    assert_int_equal(relay.thread->upstreams[0].srtt_us, 7 * US_PER_MS);
}

/* --- nobody there ---------------------------------------------------------------------------- */

/* Nobody hears there any more: the socket keeps its port, and listens to somebody else. */
static void leave(size_t upstream_i)
{
    const struct sockaddr_in other = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(relay.upstreams[upstream_i].udp_fd,
                         (const struct sockaddr *)(const void *)&other, sizeof(other)),
        0);
}

/* Another socket takes over the port. */
static void come_back(size_t upstream_i)
{
    struct relay_upstream *upstream = &relay.upstreams[upstream_i];
    struct sockaddr_storage address;
    const int on = 1;
    socklen_t bytes = pin_addrport_to_sockaddr(&upstream->spec.address, &address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(upstream->udp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, bytes), 0);
    (void)close(upstream->udp_fd);
    upstream->udp_fd = fd;
}

/* The kernel has said so often that nobody is there; no time passes meanwhile. */
static void await_errors(uint64_t n_wanted)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    uint64_t n = 0;
    for (int i = 0; i < REAL_MS && n < n_wanted; i++) {
        relay_run(&relay);
        n = 0;
        for (size_t k = 0; k < relay.zones[0].n_upstreams; k++) {
            n += count_of(&stats_of(k)->n_unreachable);
        }
        if (n < n_wanted) {
            (void)nanosleep(&moment, NULL);
        }
    }
    assert_true(n >= n_wanted); /* those of probes count, too */
}

static void test_one_that_is_gone(void **state)
{
    (void)state;
    leave(0);
    uint64_t stream_id = ask_for("www.far.test");
    await_errors(1);
    for (unsigned i = 1; i < 3; i++) { /* 200 ms between two tries */
        relay_wait(&relay, 190);
        await_errors(i);
        relay_wait(&relay, 10);
        await_errors(i + 1);
    }
    relay_wait(&relay, 190);
    assert_int_equal(relay_take(&relay, &answer), 0);
    relay_wait(&relay, 20);
    assert_failure(stream_id, EDE_NETWORK);
    relay_wait(&relay, 5000); /* it does not answer questions of ours either */
    assert_true(relay.thread->upstreams[0].is_down);
}

/* With two that are gone it is told at once. */
static void test_all_gone(void **state)
{
    (void)state;
    leave(0);
    leave(1);
    uint64_t stream_id = ask_for("www.far.test");
    await_errors(6);
    relay_wait(&relay, 210);
    assert_failure(stream_id, EDE_NETWORK);
}

/* However much losses have paid for. */
static void test_tries_are_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        leave(i);
        relay.thread->upstreams[i].n_credits = CREDITS;
    }
    (void)ask_for("www.far.test");
    await_errors(TRIES_MAX + 2); /* and a probe of each */
    relay_wait(&relay, FAIL_MS);
    uint32_t n_left = 0;
    for (size_t i = 0; i < 2; i++) {
        n_left += relay.thread->upstreams[i].n_credits;
    }
    assert_int_equal(n_left, 2 * CREDITS - (TRIES_MAX - 2 * TRIES_EACH));
}

/* The system does not even let it be asked. */
static void test_no_way(void **state)
{
    (void)state;
    struct sockaddr_in everybody = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_BROADCAST)};
    memcpy(&relay.thread->upstreams[0].address, &everybody, sizeof(everybody));
    uint64_t stream_id = ask_for("www.far.test");
    assert_failure(stream_id, EDE_NETWORK);
}

/* A resolver that was away has lost no packet, nor has the one that is asked in its place. */
static void test_what_is_no_loss(void **state)
{
    char seen[SEEN_MAX];
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    watch(300, seen);
    assert_string_equal(seen, "0@0 1@300 ");
    say(&good);
    assert_good(stream_id);
    assert_int_equal(count_of(&stats_of(0)->n_lost) + count_of(&stats_of(1)->n_lost), 0);
}

static void test_away_is_no_loss(void **state)
{
    char seen[SEEN_MAX];
    (void)state;
    leave(0);
    uint64_t stream_id = ask_for("www.far.test");
    await_errors(1);
    come_back(0);
    watch(200, seen);
    assert_string_equal(seen, "0@200 ");
    say(&good);
    assert_good(stream_id);
    assert_int_equal(count_of(&stats_of(0)->n_lost), 0);
}

static void test_loss(void **state)
{
    char seen[SEEN_MAX];
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    watch(750, seen);
    assert_string_equal(seen, "0@0 0@750 ");
    say(&good);
    assert_good(stream_id);
    assert_int_equal(count_of(&stats_of(0)->n_lost), 1);
}

/* --- what they say --------------------------------------------------------------------------- */

static void test_the_last_try_may_go_on_over_tcp(void **state)
{
    char seen[SEEN_MAX];
    (void)state;
    (void)ask_for("www.far.test");
    watch(1700, seen);
    assert_string_equal(seen, "0@0 0@750 0@1700 ");
    say(&(struct relay_reply){.is_truncated = true});
    assert_true(relay_hear_stream(&relay, 0, &question));
    assert_int_equal(count_of(&stats_of(0)->n_asked), 4);
    say(&(struct relay_reply){.rcode = FORMERR}); /* but no further */
    assert_int_equal(count_of(&stats_of(0)->n_asked), 4);
}

static void test_truncated_when_all_is_over(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    hear(0);
    relay_wait(&relay, FAIL_MS);
    assert_failure(stream_id, EDE_SILENT);
    say(&(struct relay_reply){.is_truncated = true});
    assert_int_equal(count_of(&stats_of(0)->n_over_stream), 0);
}

/* Two that give what is no answer over TCP: the other one is asked at once. */
static struct stream_case {
    const char *name;
    struct relay_reply reply;
} bad_streams[] = {
    {"truncated over TCP: the next one at once", {.is_truncated = true}},
    {"what cannot be read over TCP: the next one at once", {.ttl_s = TTL_S, .is_malformed = true}},
};

static void test_bad_stream(void **state)
{
    const struct stream_case *c = *state;
    (void)start_two(state);
    uint64_t stream_id = ask_for("www.far.test");
    hear(0);
    say(&(struct relay_reply){.is_truncated = true});
    assert_true(relay_hear_stream(&relay, 0, &question));
    say(&c->reply);
    hear(1);
    say(&good);
    assert_good(stream_id);
    assert_int_equal(count_of(&stats_of(0)->n_over_stream), 1);
    assert_int_equal(count_of(&stats_of(0)->n_failed), 1);
    relay_stop(&relay);
}

/* Over UDP it may be a forger's: the true one may follow. */
static void test_malformed(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    hear(0);
    say(&(struct relay_reply){.ttl_s = TTL_S, .is_malformed = true});
    assert_int_equal(count_of(&stats_of(0)->n_malformed), 1);
    assert_int_equal(relay_drop(&relay, 0) + relay_drop(&relay, 1), 0);
    say(&good);
    assert_good(stream_id);
}

static void test_no_edns(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    hear(0);
    assert_int_equal(question.wire[N_OPT_AT], 1);
    say(&(struct relay_reply){.rcode = FORMERR});
    hear(0);
    assert_int_equal(question.wire[N_OPT_AT], 0);
    say(&good);
    assert_good(stream_id);
    (void)ask_for("ww2.far.test"); /* it is remembered, for a while */
    hear(0);
    assert_int_equal(question.wire[N_OPT_AT], 0);
    say(&good);
    relay_wait(&relay, PLAIN_MS);
    (void)ask_for("ww3.far.test");
    hear(0);
    assert_int_equal(question.wire[N_OPT_AT], 1);
    assert_int_equal(count_of(&stats_of(0)->n_over_stream), 0);
}

/* Who does not like the question without EDNS either has no answer. */
static void test_no_edns_is_no_reason(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    for (int i = 0; i < 2; i++) {
        hear(0);
        say(&(struct relay_reply){.rcode = FORMERR});
    }
    assert_int_equal(relay_drop(&relay, 0), 0);
    hear(1);
    say(&good);
    assert_good(stream_id);
}

/* Why there is no answer is said as the resolver said it. */
static void test_reason(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    for (size_t i = 0; i < 2; i++) {
        hear(i);
        say(&(struct relay_reply){.rcode = SERVFAIL, .ede = EDE_BOGUS});
    }
    assert_failure(stream_id, EDE_BOGUS);
}

/* What a resolver says of names of ours is not believed. */
static void test_our_own_names(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    hear(0);
    say(&(struct relay_reply){.ttl_s = TTL_S, .alias = "www.t.example", .n_records = 1});
    assert_good(stream_id);
    const struct message_rr *address = message_find(&answer, 1, TYPE_A);
    assert_non_null(address);
    assert_int_equal(answer.wire[address->rdata_at], 10); /* ours, not RELAY_GOOD */
}

/* --- bounds ---------------------------------------------------------------------------------- */

static void test_as_many_as_may_be(void **state)
{
    (void)state;
    relay.thread->n_asks = PIN_ASKS_MAX;
    uint64_t stream_id = ask_for("www.far.test");
    assert_int_equal(relay_drop(&relay, 0), 0);
    assert_int_equal(relay_take(&relay, &answer), stream_id);
    assert_int_equal(answer.rcode, SERVFAIL);
    assert_int_equal(count_of(&relay.thread->stats.n_rejected), 1);
    relay.thread->n_asks = 0;
}

/* A late reply is waited for only while there is room for it. */
static void test_late_replies_make_room(void **state)
{
    (void)state;
    uint64_t stream_id = ask_for("www.far.test");
    relay.thread->n_asks += PIN_ASKS_MAX / 2;
    relay_wait(&relay, FAIL_MS);
    assert_failure(stream_id, EDE_SILENT);
    assert_int_equal(relay.thread->n_asks, PIN_ASKS_MAX / 2);
    relay.thread->n_asks = 0;
}

/* Our own question comes back: through that resolver nothing is asked any more. */
static void test_a_loop(void **state)
{
    char name[sizeof(relay.forward->loop_label) + sizeof(".invalid")];
    size_t bytes = sizeof(relay.forward->loop_label) - 1;
    (void)state;
    memcpy(name, relay.forward->loop_label + 1, bytes);
    (void)snprintf(name + bytes - 3, sizeof("aaa.invalid"), "aaa.invalid");
    (void)ask_for(name);
    assert_int_equal(relay_drop(&relay, 0) + relay_drop(&relay, 1), 0);
    assert_true(relay_take(&relay, &answer) > 0);
    uint64_t stream_id = ask_for("www.far.test");
    assert_int_equal(relay_drop(&relay, 0), 0);
    hear(1);
    say(&good);
    assert_good(stream_id);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test_setup_teardown(test_the_last_word, start_two, stop),
        cmocka_unit_test_setup_teardown(test_recovery, start_one, stop),
        cmocka_unit_test_setup_teardown(test_silence_is_counted_once_a_try, start_two, stop),
        cmocka_unit_test_setup_teardown(test_time_is_measured, start_one, stop),
        cmocka_unit_test_setup_teardown(test_one_that_is_gone, start_one, stop),
        cmocka_unit_test_setup_teardown(test_all_gone, start_two, stop),
        cmocka_unit_test_setup_teardown(test_tries_are_bounded, start_two, stop),
        cmocka_unit_test_setup_teardown(test_no_way, start_one, stop),
        cmocka_unit_test_setup_teardown(test_what_is_no_loss, start_two, stop),
        cmocka_unit_test_setup_teardown(test_away_is_no_loss, start_one, stop),
        cmocka_unit_test_setup_teardown(test_loss, start_one, stop),
        cmocka_unit_test_setup_teardown(test_the_last_try_may_go_on_over_tcp, start_one, stop),
        cmocka_unit_test_setup_teardown(test_truncated_when_all_is_over, start_one, stop),
        cmocka_unit_test_setup_teardown(test_malformed, start_two, stop),
        cmocka_unit_test_setup_teardown(test_no_edns, start_one, stop),
        cmocka_unit_test_setup_teardown(test_no_edns_is_no_reason, start_two, stop),
        cmocka_unit_test_setup_teardown(test_reason, start_two, stop),
        cmocka_unit_test_setup_teardown(test_our_own_names, start_one, stop),
        cmocka_unit_test_setup_teardown(test_as_many_as_may_be, start_one, stop),
        cmocka_unit_test_setup_teardown(test_late_replies_make_room, start_one, stop),
        cmocka_unit_test_setup_teardown(test_a_loop, start_two, stop),
    };
    struct CMUnitTest tests[N_ELEMS(plain) + N_ELEMS(orders) + N_ELEMS(bad_streams)];
    size_t n = N_ELEMS(plain);
    memcpy(tests, plain, sizeof(plain));
    for (size_t i = 0; i < N_ELEMS(orders); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = orders[i].name, .test_func = test_order, .initial_state = &orders[i]};
    }
    for (size_t i = 0; i < N_ELEMS(bad_streams); i++) {
        tests[n++] = (struct CMUnitTest){.name = bad_streams[i].name,
            .test_func = test_bad_stream,
            .initial_state = &bad_streams[i]};
    }
    return cmocka_run_group_tests_name("forward_choice", tests, NULL, NULL);
}
