/* SPDX-License-Identifier: Apache-2.0 */

/* A network that loses packets makes answers late, not missing; and a resolver that is gone is not
 * asked more often for it. One client asks 200 new names a second, which packets are lost is drawn
 * from a fixed sequence, and time is the test's. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "support/relay.h"

#define STEP_MS    5 /* between two questions */
#define N_QUERIES  4000u
#define FAIL_MS    3000
#define PERMILLE   1000u
#define CLIENT     1
#define ON_WAY_MAX 1024u

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

static struct relay relay;
static struct message answer;

/* --- the network ---------------------------------------------------------------------------- */

/* What it does to packets. */
struct path {
    uint32_t loss_permille; /* each way; 1000: nothing gets through */
    int64_t delay_ms;       /* of a reply */
    int64_t jitter_ms;      /* at most so much more: replies change places */
    uint32_t twice_permille;
};

/* Replies on their way, in any order. */
static struct {
    struct relay_question questions[ON_WAY_MAX];
    int64_t at_ms[ON_WAY_MAX];
    size_t n;
    uint64_t seed;
} network;

static uint32_t draw_below(uint32_t bound)
{
    network.seed = network.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(network.seed >> 33) % bound;
}

/* A reply sets out, if it gets anywhere. */
static void set_out(const struct path *path, const struct relay_question *question)
{
    unsigned n = draw_below(PERMILLE) < path->twice_permille ? 2 : 1;
    for (; n > 0; n--) {
        assert_true(network.n < ON_WAY_MAX);
        if (draw_below(PERMILLE) >= path->loss_permille) {
            network.questions[network.n] = *question;
            network.at_ms[network.n++] =
                relay.now_ms + path->delay_ms + (int64_t)draw_below((uint32_t)path->jitter_ms + 1);
        }
    }
}

/* What has been sent reaches the resolver, or does not; its replies set out. Returns how many
 * questions were sent. */
static unsigned carry_questions(size_t upstream_i, const struct path *path)
{
    struct relay_question question;
    unsigned n = 0;
    for (; relay_hear(&relay, upstream_i, &question); n++) {
        if (draw_below(PERMILLE) >= path->loss_permille) {
            set_out(path, &question);
        }
    }
    return n;
}

/* Replies whose time has come. */
static void carry_replies(void)
{
    for (size_t i = 0; i < network.n;) {
        if (network.at_ms[i] > relay.now_ms) {
            i++;
            continue;
        }
        relay_say(&network.questions[i], &(struct relay_reply){.ttl_s = 60});
        network.n--;
        network.questions[i] = network.questions[network.n];
        network.at_ms[i] = network.at_ms[network.n];
    }
    relay_run(&relay);
}

/* --- the clients ---------------------------------------------------------------------------- */

static struct loss_case {
    const char *name;
    struct path path;
    size_t n_upstreams;
    uint32_t want_fail_permille;  /* at most */
    uint32_t want_tries_permille; /* questions sent for each thousand of the client's, at most */
    unsigned dies_at;             /* after so many questions nothing gets through; 0: never */
} cases[] = {
    {"without loss each question is asked once", {0}, 1, 0, 1000, 0},
    {"30 % lost each way, one resolver: under 2 % fail", {300, 0, 0, 0}, 1, 19, 2300, 0},
    {"30 % lost each way, answers after 200 ms: under 2 % fail", {300, 200, 0, 0}, 1, 19, 2600, 0},
    {"F-loss: and up to 100 ms more, some twice: under 2 % fail", {300, 200, 100, 50}, 1, 19, 2600,
        0},
    {"30 % lost each way, two resolvers: under 1 % fail", {300, 0, 0, 0}, 2, 9, 2300, 0},
    {"10 % lost each way, one resolver: under 0.2 % fail", {100, 0, 0, 0}, 1, 1, 1350, 0},
    {"a resolver that is gone gets hardly more than one try a question", {1000, 0, 0, 0}, 1, 1000,
        1500, 0},
    {"so does one that was behind such a network", {300, 0, 0, 0}, 1, 540, 1800, N_QUERIES / 2},
};

struct tally {
    unsigned n_answered;
    unsigned n_failed;
    unsigned n_sent;
    int64_t slowest_ms;
};

static void take_all(struct tally *tally, const int64_t *asked_ms)
{
    uint64_t stream_id = relay_take(&relay, &answer);
    for (; stream_id != 0; stream_id = relay_take(&relay, &answer)) {
        int64_t took_ms = relay.now_ms - asked_ms[stream_id];
        tally->slowest_ms = PIN_MAX(tally->slowest_ms, took_ms);
        tally->n_answered += answer.rcode == 0 && answer.n_rr[1] == 1;
        tally->n_failed += answer.rcode == 2;
    }
}

static void test_loss(void **state)
{
    static int64_t asked_ms[N_QUERIES + 1];
    static const struct path dead = {.loss_permille = PERMILLE};
    const struct loss_case *c = *state;
    struct tally tally = {.n_sent = 0};
    char name[32];
    memset(&network, 0, sizeof(network));
    relay_start(&relay, &(struct relay_options){.n_upstreams = c->n_upstreams});
    unsigned n_steps = N_QUERIES + FAIL_MS / STEP_MS;
    for (unsigned i = 0; i < n_steps; i++) {
        if (i < N_QUERIES) {
            (void)snprintf(name, sizeof(name), "n%u.lost.test", i);
            asked_ms[i + 1] = relay.now_ms;
            assert_int_equal(relay_ask(&relay, CLIENT,
                                 &(struct message_query){.name = name, .type = 1}, &answer),
                i + 1);
        }
        relay_run(&relay);
        for (size_t u = 0; u < c->n_upstreams; u++) {
            bool is_dead = c->dies_at > 0 && i >= c->dies_at;
            tally.n_sent += carry_questions(u, is_dead ? &dead : &c->path);
        }
        carry_replies();
        take_all(&tally, asked_ms);
        relay_wait(&relay, STEP_MS);
    }
    take_all(&tally, asked_ms);
    print_message("%u answered, %u failed, %u sent, slowest %d ms\n", tally.n_answered,
        tally.n_failed, tally.n_sent, (int)tally.slowest_ms);
    uint64_t n_lost = pin_stat_read(&relay.thread->upstreams[0].stats.n_lost);
    relay_stop(&relay);
    assert_int_equal(n_lost > 0, c->path.loss_permille > 0 && c->path.loss_permille < PERMILLE);
    assert_int_equal(tally.n_answered + tally.n_failed, N_QUERIES);
    assert_in_range(tally.slowest_ms, 0, FAIL_MS);
    assert_in_range(tally.n_failed, 0, N_QUERIES * c->want_fail_permille / PERMILLE);
    assert_in_range(tally.n_sent, 0, N_QUERIES * c->want_tries_permille / PERMILLE);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_loss, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("forward_loss", tests, NULL, NULL);
}
