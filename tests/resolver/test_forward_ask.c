/* SPDX-License-Identifier: Apache-2.0 */

/* Questions under way: one for all who ask the same, put to resolvers until one of them answers or
 * time is up. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "forward_rig.h"

#define TYPE_SOA     6u
#define TYPE_TXT     16u
#define TYPE_AAAA    28u
#define TYPE_SVCB    64u
#define TYPE_ANY     255u
#define REFUSED      5
#define NXDOMAIN     3
#define N_MISMATCHES 20
#define N_STRANGE    20
#define FAIL_MS      3000
#define TTL_S        60u
/* Of one client, with one thread. */
#define N_UNDER_WAY (PIN_ASKS_MAX / 8u)

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
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

static const struct relay_reply good = {.ttl_s = TTL_S};
static const struct message_query www = {
    .name = "www.far.test", .type = TYPE_A, .has_edns = true, .edns_bytes = 1232};

static int start_one(void **state)
{
    (void)state;
    relay_start(&relay, &(struct relay_options){.n_upstreams = 1});
    return 0;
}

static int start_two(void **state)
{
    (void)state;
    relay_start(&relay, &(struct relay_options){.n_upstreams = 2});
    return 0;
}

static int start_zones(void **state)
{
    (void)state;
    relay_start(&relay, &(struct relay_options){.n_upstreams = 2, .other_zone = "bank.test"});
    return 0;
}

/* --- one question for all ------------------------------------------------------------------- */

static void test_one_question_whoever_asks(void **state)
{
    uint64_t streams[40];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(streams); i++) {
        streams[i] = ask_later((uint16_t)(i + 1), &www);
    }
    assert_true(relay_hear(&relay, 0, &question));
    assert_int_equal(relay_drop(&relay, 0), 0);
    relay_say(&question, &good);
    relay_run(&relay);
    uint64_t sum = 0;
    for (size_t i = 0; i < N_ELEMS(streams); i++) {
        sum += relay_take(&relay, &answer);
        assert_int_equal(answer.rcode, 0);
        assert_int_equal(message_count(&answer, 1, TYPE_A), 1);
    }
    assert_int_equal(sum, N_ELEMS(streams) * (N_ELEMS(streams) + 1) / 2);
    assert_int_equal(relay_take(&relay, &answer), 0);
    assert_int_equal(relay_ask(&relay, 1, &www, &answer), 0); /* it is cached now */
    assert_int_equal(relay_drop(&relay, 0), 0);
}

static const struct question_case {
    const char *name;
    struct message_query query;
} others[] = {
    {"another type is another question", {.name = "www.far.test", .type = TYPE_AAAA}},
    {"another name is another question", {.name = "ww2.far.test", .type = TYPE_A}},
    {"with DO it is another question", {.name = "www.far.test",
                                           .type = TYPE_A,
                                           .has_edns = true,
                                           .edns_bytes = 1232,
                                           .edns_flags = 0x8000}},
    {"with CD it is another question", {.name = "www.far.test", .type = TYPE_A, .flags = 0x0010}},
};

static void test_others_are_asked(void **state)
{
    (void)state;
    (void)ask_later(1, &www);
    for (size_t i = 0; i < N_ELEMS(others); i++) {
        (void)ask_later(1, &others[i].query);
        assert_int_equal(relay_drop(&relay, 0), i == 0 ? 2 : 1);
    }
}

/* Names that mean the same for everybody (RFC 6761, 7686, 9462): told at once, nobody is asked. */
static const struct special_case {
    struct message_query query;
    uint16_t rcode;
    uint16_t n_answer;
    const char *rdata;  /* of the address */
    const char *denier; /* whose SOA says that there is none */
} specials[] = {
    {{.name = "localhost", .type = TYPE_A}, 0, 1, "\x7f\0\0\1", NULL},
    {{.name = "LocalHost", .type = TYPE_AAAA}, 0, 1, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", NULL},
    {{.name = "a.b.localhost", .type = TYPE_A}, 0, 1, "\x7f\0\0\1", NULL},
    {{.name = "localhost", .type = TYPE_ANY}, 0, 1, "\x7f\0\0\1", NULL},
    {{.name = "a.localhost", .type = TYPE_TXT}, 0, 0, NULL, "localhost."},
    {{.name = "onion", .type = TYPE_A}, NXDOMAIN, 0, NULL, "onion."},
    {{.name = "www.Hidden.onion", .type = TYPE_AAAA}, NXDOMAIN, 0, NULL, "onion."},
    {{.name = "_dns.resolver.arpa", .type = TYPE_SVCB}, 0, 0, NULL, "resolver.arpa."},
    {{.name = "resolver.arpa", .type = TYPE_A}, 0, 0, NULL, "resolver.arpa."},
    {{.name = "here.t.example", .type = TYPE_A}, 0, 2, "\x7f\0\0\1", NULL},
    {{.name = "here.t.example", .type = TYPE_TXT}, 0, 1, NULL, "localhost."},
};

static void test_special_names(void **state)
{
    char owner[1024];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(specials); i++) {
        const struct special_case *c = &specials[i];
        assert_int_equal(relay_ask(&relay, 1, &c->query, &answer), 0);
        assert_int_equal(answer.rcode, c->rcode);
        assert_int_equal(answer.n_rr[1], c->n_answer);
        assert_int_equal(answer.flags & 0x0480, 0x0480); /* AA, RA */
        const struct message_rr *soa = message_find(&answer, 2, TYPE_SOA);
        assert_int_equal(soa != NULL, c->denier != NULL);
        if (soa != NULL) {
            assert_int_equal(soa->ttl_s, 3600);
            assert_string_equal(message_name(&answer, soa->owner_at, owner), c->denier);
        }
        if (c->rdata != NULL) {
            const struct message_rr *address = &answer.records[c->n_answer - 1];
            assert_memory_equal(answer.wire + address->rdata_at, c->rdata, address->rdata_bytes);
        }
    }
    relay_run(&relay);
    assert_int_equal(relay_drop(&relay, 0), 0);
}

static void test_names_that_look_special(void **state)
{
    static const char *const names[] = {
        "xlocalhost", "localhost.test", "onion.test", "arpa", "xresolver.arpa", "a.invalid"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        (void)ask_later(1, &(struct message_query){.name = names[i], .type = TYPE_A});
        assert_true(relay_drop(&relay, 0) > 0);
    }
    /* A label that holds what a special name's wire does, its length included. */
    assert_int_equal(pin_special_of((const uint8_t *)"\x0b"
                                                     "a\x09localhost",
                         13),
        PIN_SPECIAL_NONE);
    assert_int_equal(pin_special_of((const uint8_t *)"", 1), PIN_SPECIAL_NONE);
}

/* A client that is gone is no reason to stop: what comes is for the next one. */
static void test_client_leaves(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    const struct sockaddr_in any = {.sin_family = AF_INET};
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&any, sizeof(any)), 0);
    assert_false(relay_ask_udp(&relay, fd, NULL, &www));
    relay_run(&relay);
    (void)close(fd);
    assert_true(relay_hear(&relay, 0, &question));
    relay_say(&question, &good);
    relay_run(&relay);
    assert_int_equal(relay.thread->n_asks, 0);
    assert_int_equal(relay.thread->n_waiters, 0);
    assert_int_equal(relay_ask(&relay, 2, &www, &answer), 0);
    assert_int_equal(message_count(&answer, 1, TYPE_A), 1);
}

/* --- what is not the reply ------------------------------------------------------------------ */

static struct mismatch_case {
    const char *name;
    struct relay_reply reply;
} mismatches[] = {
    {"a reply with another id is counted and passed over", {.ttl_s = TTL_S, .id_xor = 1}},
    {"so is one with the name in other letters", {.ttl_s = TTL_S, .case_xor = 0x20}},
    {"so is one about another name", {.ttl_s = TTL_S, .case_xor = 1}},
};

static void test_mismatch(void **state)
{
    const struct mismatch_case *c = *state;
    (void)start_one(state);
    uint64_t stream_id = ask_later(1, &www);
    assert_true(relay_hear(&relay, 0, &question));
    relay_say(&question, &c->reply);
    relay_run(&relay);
    assert_int_equal(relay_take(&relay, &answer), 0);
    assert_int_equal(count_of(&stats_of(0)->n_mismatched), 1);
    relay_say(&question, &good);
    relay_run(&relay);
    assert_good(stream_id);
    assert_int_equal(relay_drop(&relay, 0), 0);
    relay_stop(&relay);
}

static void test_many_mismatches_lead_to_tcp(void **state)
{
    (void)state;
    uint64_t stream_id = ask_later(1, &www);
    assert_true(relay_hear(&relay, 0, &question));
    for (uint16_t i = 1; i <= N_MISMATCHES; i++) {
        relay_say(&question, &(struct relay_reply){.ttl_s = TTL_S, .id_xor = i});
    }
    relay_run(&relay);
    relay_run(&relay);
    assert_int_equal(count_of(&stats_of(0)->n_mismatched), N_MISMATCHES);
    relay_say(&question, &good); /* too late: nobody listens there any more */
    assert_true(relay_hear_stream(&relay, 0, &question));
    relay_say(&question, &good);
    relay_run(&relay);
    assert_good(stream_id);
    assert_int_equal(count_of(&stats_of(0)->n_over_stream), 1);
}

/* --- other ways ----------------------------------------------------------------------------- */

static void test_truncated(void **state)
{
    (void)state;
    uint64_t stream_id = ask_later(1, &www);
    assert_true(relay_hear(&relay, 0, &question));
    relay_say(&question, &(struct relay_reply){.is_truncated = true});
    relay_run(&relay);
    assert_int_equal(relay_take(&relay, &answer), 0);
    assert_true(relay_hear_stream(&relay, 0, &question));
    relay_say(&question, &good);
    relay_run(&relay);
    assert_good(stream_id);
    assert_int_equal(relay_drop(&relay, 0), 0);
}

/* The one of the two that was asked. */
static size_t asked_one(void)
{
    bool is_first = relay_hear(&relay, 0, &question);
    assert_true(is_first || relay_hear(&relay, 1, &question));
    assert_int_equal(relay_drop(&relay, 0) + relay_drop(&relay, 1), 0);
    return is_first ? 0 : 1;
}

/* Nobody forges on a stream: who says something else all the time keeps nobody busy for long. */
static void test_many_mismatches_over_tcp_end_it(void **state)
{
    (void)state;
    char byte = 0;
    uint64_t stream_id = ask_later(1, &www);
    size_t asked = asked_one();
    relay_say(&question, &(struct relay_reply){.is_truncated = true});
    relay_run(&relay);
    assert_true(relay_hear_stream(&relay, asked, &question));
    for (unsigned i = 0; i < N_MISMATCHES + N_STRANGE; i++) {
        relay_say(&question, &(struct relay_reply){.ttl_s = TTL_S, .case_xor = 1});
    }
    relay_run(&relay);
    relay_run(&relay);
    assert_int_equal(count_of(&stats_of(asked)->n_mismatched), N_MISMATCHES + N_STRANGE);
    assert_int_equal(recv(relay.upstreams[asked].stream_fd, &byte, 1, MSG_DONTWAIT), 0);
    relay_wait(&relay, 0);
    assert_true(relay_hear(&relay, 1 - asked, &question));
    relay_say(&question, &good);
    relay_run(&relay);
    assert_good(stream_id);
}

/* The socket of a question is connected: what others send does not even arrive. */
static void test_wrong_sender(void **state)
{
    (void)state;
    uint64_t stream_id = ask_later(1, &www);
    size_t asked = asked_one();
    question.upstream = &relay.upstreams[1 - asked];
    relay_say(&question, &good);
    relay_run(&relay);
    assert_int_equal(relay_take(&relay, &answer), 0);
    assert_int_equal(count_of(&stats_of(asked)->n_mismatched), 0);
    question.upstream = &relay.upstreams[asked];
    relay_say(&question, &good);
    relay_run(&relay);
    assert_good(stream_id);
}

static struct failover_case {
    const char *name;
    bool is_told; /* it says SERVFAIL; else it says nothing */
    bool is_gone; /* nobody has its port */
    int64_t within_ms;
} failovers[] = {
    {"a silent resolver: the next one within 750 ms", false, false, 750},
    {"SERVFAIL from one: the next one at once", true, false, 0},
    {"nobody there: the next one at once", false, true, 0},
};

static void test_failover(void **state)
{
    const struct failover_case *c = *state;
    (void)start_two(state);
    if (c->is_gone) {
        relay.thread->upstreams[1].srtt_us = 1000; /* the other one is asked first */
        relay.thread->upstreams[0].srtt_us = 1;
        (void)close(relay.upstreams[0].udp_fd);
        relay.upstreams[0].udp_fd = -1;
    }
    uint64_t stream_id = ask_later(1, &www);
    relay_run(&relay); /* the kernel's word that nobody is there */
    size_t first = 0;
    if (!c->is_gone) {
        first = asked_one();
        if (c->is_told) {
            relay_say(&question, &(struct relay_reply){.rcode = SERVFAIL});
        }
    }
    relay_wait(&relay, c->within_ms);
    assert_true(relay_hear(&relay, 1 - first, &question));
    relay_say(&question, &good);
    relay_run(&relay);
    assert_good(stream_id);
    relay_stop(&relay);
}

static void test_all_fail_at_once(void **state)
{
    (void)state;
    uint64_t stream_id = ask_later(1, &www);
    for (int i = 0; i < 2; i++) {
        (void)asked_one();
        relay_say(&question, &(struct relay_reply){.rcode = REFUSED});
        relay_run(&relay);
    }
    assert_failure(stream_id, 22);
    assert_int_equal(relay_ask(&relay, 1, &www, &answer), 0); /* the failure is kept */
    assert_int_equal(answer.rcode, SERVFAIL);
    assert_int_equal(relay_drop(&relay, 0) + relay_drop(&relay, 1), 0);
}

/* --- time is up ----------------------------------------------------------------------------- */

static void test_silence(void **state)
{
    (void)state;
    uint64_t stream_id = ask_later(1, &www);
    unsigned n = 0;
    int64_t start_ms = relay.now_ms;
    while (relay.mail == NULL && relay.now_ms < start_ms + FAIL_MS) {
        relay_wait(&relay, 10);
        while (relay_hear(&relay, 0, &question)) {
            n += question.wire[12] == 3; /* a probe asks for the root */
        }
        relay.mail = pin_mailbox_take(&relay.mailbox);
    }
    assert_failure(stream_id, 22);
    assert_int_equal(n, 3);
    assert_in_range(relay.now_ms - start_ms, 2500, FAIL_MS);
}

static void test_nobody_there(void **state)
{
    (void)state;
    (void)close(relay.upstreams[0].udp_fd);
    relay.upstreams[0].udp_fd = -1;
    uint64_t stream_id = ask_later(1, &www);
    relay_wait(&relay, FAIL_MS);
    assert_failure(stream_id, 23);
}

/* A reply that is late is nobody's answer any more, but the next one's. */
static void test_late_reply(void **state)
{
    (void)state;
    uint64_t stream_id = ask_later(1, &www);
    relay_wait(&relay, FAIL_MS);
    assert_failure(stream_id, 22);
    assert_true(relay_hear(&relay, 0, &question));
    relay_say(&question, &good);
    relay_run(&relay);
    assert_int_equal(relay_take(&relay, &answer), 0);
    assert_int_equal(relay_ask(&relay, 1, &www, &answer), 0);
    assert_int_equal(message_count(&answer, 1, TYPE_A), 1);
}

/* --- a client's share ----------------------------------------------------------------------- */

static uint64_t ask_number(uint16_t client, unsigned i)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "n%u.far.test", i);
    uint64_t stream_id =
        relay_ask(&relay, client, &(struct message_query){.name = name, .type = TYPE_A}, &answer);
    relay_run(&relay);
    return stream_id;
}

static void test_share(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_UNDER_WAY + 10; i++) {
        assert_true(ask_number(1, i) > 0);
    }
    assert_int_equal(count_of(&relay.thread->stats.n_parked), 10);
    for (unsigned i = 0; i < N_UNDER_WAY; i++) {
        assert_true(relay_hear(&relay, 0, &question));
    }
    assert_int_equal(relay_drop(&relay, 0), 0);
    (void)ask_number(2, N_UNDER_WAY + 10); /* somebody else need not wait */
    assert_int_equal(relay_drop(&relay, 0), 1);
    relay_say(&question, &good); /* one is over: the next one begins */
    relay_run(&relay);
    assert_int_equal(relay_drop(&relay, 0), 1);
}

/* A name that was not even asked for is none that fails: the next one asks. */
static void test_waited_in_vain(void **state)
{
    const char *const last = "n512.far.test";
    (void)state;
    for (unsigned i = 0; i <= N_UNDER_WAY; i++) {
        assert_true(ask_number(1, i) > 0);
    }
    assert_int_equal(relay_drop(&relay, 0), N_UNDER_WAY);
    relay_wait(&relay, FAIL_MS);
    while (relay_take(&relay, &answer) != 0) {
        assert_int_equal(answer.rcode, SERVFAIL);
    }
    (void)relay_drop(&relay, 0);
    (void)ask_later(2, &(struct message_query){.name = last, .type = TYPE_A});
    assert_true(relay_hear(&relay, 0, &question));
}

static void test_share_is_bounded(void **state)
{
    unsigned n_late = 0;
    (void)state;
    for (unsigned i = 0; i < 3 * N_UNDER_WAY; i++) {
        (void)ask_number(1, i);
    }
    while (relay_take(&relay, &answer) != 0) {
        assert_int_equal(answer.rcode, SERVFAIL);
        n_late++;
    }
    assert_int_equal(n_late, N_UNDER_WAY); /* told at once: 512 are under way, 512 wait */
    assert_int_equal(relay.thread->n_asks, 2 * N_UNDER_WAY);
    assert_true(ask_number(2, 3 * N_UNDER_WAY) > 0);
    assert_int_equal(relay.thread->n_asks, 2 * N_UNDER_WAY + 1);
}

/* What a resolver adds of names that are forwarded to others is asked of those. */
static void test_a_resolver_speaks_for_its_own_names(void **state)
{
    const struct message_query bank = {
        .name = "www.bank.test", .type = TYPE_A, .has_edns = true, .edns_bytes = 1232};
    (void)state;
    (void)ask_later(1, &www);
    assert_true(relay_hear(&relay, 0, &question));
    relay_say(
        &question, &(struct relay_reply){.ttl_s = TTL_S, .alias = "www.bank.test", .n_records = 1});
    relay_run(&relay);
    assert_true(relay_hear(&relay, 1, &question));
    relay_say(&question, &(struct relay_reply){.ttl_s = TTL_S, .n_records = 2});
    relay_run(&relay);
    assert_true(relay_take(&relay, &answer) > 0);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(answer.n_rr[1], 3);
    assert_int_equal(relay_ask(&relay, 1, &bank, &answer), 0);
    assert_int_equal(answer.n_rr[1], 2);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test_setup_teardown(
            test_a_resolver_speaks_for_its_own_names, start_zones, stop),
        cmocka_unit_test_setup_teardown(test_one_question_whoever_asks, start_one, stop),
        cmocka_unit_test_setup_teardown(test_others_are_asked, start_one, stop),
        cmocka_unit_test_setup_teardown(test_special_names, start_one, stop),
        cmocka_unit_test_setup_teardown(test_names_that_look_special, start_one, stop),
        cmocka_unit_test_setup_teardown(test_client_leaves, start_one, stop),
        cmocka_unit_test_setup_teardown(test_wrong_sender, start_two, stop),
        cmocka_unit_test_setup_teardown(test_many_mismatches_lead_to_tcp, start_one, stop),
        cmocka_unit_test_setup_teardown(test_many_mismatches_over_tcp_end_it, start_two, stop),
        cmocka_unit_test_setup_teardown(test_truncated, start_one, stop),
        cmocka_unit_test_setup_teardown(test_all_fail_at_once, start_two, stop),
        cmocka_unit_test_setup_teardown(test_silence, start_one, stop),
        cmocka_unit_test_setup_teardown(test_nobody_there, start_one, stop),
        cmocka_unit_test_setup_teardown(test_late_reply, start_one, stop),
        cmocka_unit_test_setup_teardown(test_share, start_one, stop),
        cmocka_unit_test_setup_teardown(test_waited_in_vain, start_one, stop),
        cmocka_unit_test_setup_teardown(test_share_is_bounded, start_one, stop),
    };
    struct CMUnitTest tests[N_ELEMS(plain) + N_ELEMS(mismatches) + N_ELEMS(failovers)];
    size_t n = N_ELEMS(plain);
    memcpy(tests, plain, sizeof(plain));
    for (size_t i = 0; i < N_ELEMS(mismatches); i++) {
        tests[n++] = (struct CMUnitTest){.name = mismatches[i].name,
            .test_func = test_mismatch,
            .initial_state = &mismatches[i]};
    }
    for (size_t i = 0; i < N_ELEMS(failovers); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = failovers[i].name, .test_func = test_failover, .initial_state = &failovers[i]};
    }
    return cmocka_run_group_tests_name("forward_ask", tests, NULL, NULL);
}
