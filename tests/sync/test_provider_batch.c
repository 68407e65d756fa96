/* SPDX-License-Identifier: Apache-2.0 */

/* A change that the server will not have stands alone in the end, and all others go through. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "sync/provider_batch.h"

#define CHANGES_MAX  16u
#define REQUESTS_MAX 128u

/* A server that refuses a request with a bad change in it. */
static struct server_case {
    const char *name;    /* reads as a sentence in the test report */
    const char *changes; /* one letter each: . good, x bad, c conflicting; 'W' weighs 9, others 1 */
    struct pin_batch_limits limits;
    const char *requests; /* what was sent */
    const char *results;  /* one letter each: a r c u - */
} cases[] = {
    {"no changes are no request", "", {0}, "", ""},
    {"without limits all go at once", "....", {0}, "....", "aaaa"},
    {"a limit cuts", ".....", {.n_changes = 2}, ".. .. .", "aaaaa"},
    {"weights cut", "..W..", {.weight = 10}, ".. W. .", "aaaaa"},
    {"what is too heavy goes alone", ".W.W", {.weight = 5}, ". W . W", "aaaa"},
    {"both limits hold", "W....", {.n_changes = 3, .weight = 10}, "W. ...", "aaaaa"},
    {"a bad one is found", "...x....", {0}, "...x.... ...x .. .x . x ....", "aaaraaaa"},
    {"two bad ones are found", "x..x", {0}, "x..x x. x . .x . x", "raar"},
    {"all bad ones are found", "xxx", {0}, "xxx x xx x x", "rrr"},
    {"a bad one alone is asked for once", "x", {0}, "x", "r"},
    {"a bad one does not cross a request", "..x...", {.n_changes = 3}, "..x . .x . x ...",
        "aaraaa"},
    {"a conflict is found as well", "..c.", {0}, "..c. .. c. c .", "aaca"},
    {"a run ends after so many requests", "x..x", {.n_requests = 4}, "x..x x. x .", "ra--"},
};

/* Answers as the server of the case; returns what is sent on the way. */
static void play(struct pin_batch *batch, const char *changes, char *ret_requests)
{
    size_t first = 0;
    size_t n = 0;
    size_t used = 0;
    ret_requests[0] = '\0';
    while (pin_batch_next(batch, &first, &n)) {
        size_t again = 0;
        assert_true(pin_batch_next(batch, &again, &n) && again == first); /* nothing settled yet */
        used += (size_t)snprintf(ret_requests + used, REQUESTS_MAX - used, "%s%.*s",
            used > 0 ? " " : "", (int)n, changes + first);
        bool has_bad = memchr(changes + first, 'x', n) != NULL;
        bool has_conflict = memchr(changes + first, 'c', n) != NULL;
        pin_batch_settle(batch,
            has_bad        ? PIN_PROVIDER_REFUSED
            : has_conflict ? PIN_PROVIDER_CONFLICT
                           : PIN_PROVIDER_APPLIED,
            has_bad ? "no such type" : NULL);
    }
}

static void put_results(const struct pin_batch *batch, size_t n, char *ret_text)
{
    for (size_t i = 0; i < n; i++) {
        ret_text[i] = "-arcu"[pin_batch_results(batch)[i].verdict];
    }
    ret_text[n] = '\0';
}

static void test_server(void **state)
{
    const struct server_case *c = *state;
    size_t n = strlen(c->changes);
    size_t weights[CHANGES_MAX];
    char requests[REQUESTS_MAX];
    char results[CHANGES_MAX];
    for (size_t i = 0; i < n; i++) {
        weights[i] = c->changes[i] == 'W' ? 9 : 1;
    }
    struct pin_batch *batch = pin_batch_new(n, weights, &c->limits);
    assert_non_null(batch);
    play(batch, c->changes, requests);
    assert_string_equal(requests, c->requests);
    put_results(batch, n, results);
    assert_string_equal(results, c->results);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(pin_batch_results(batch)[i].message,
            results[i] == 'r'   ? "no such type"
            : results[i] == '-' ? "too many requests were refused"
                                : "");
    }
    pin_batch_free(batch);
}

static void test_what_was_sent_when_the_server_went_is_unknown(void **state)
{
    const struct pin_batch_limits limits = {.n_changes = 4};
    char results[CHANGES_MAX];
    size_t first = 0;
    size_t n = 0;
    (void)state;
    struct pin_batch *batch = pin_batch_new(10, NULL, &limits);
    assert_non_null(batch);
    assert_true(pin_batch_next(batch, &first, &n));
    pin_batch_settle(batch, PIN_PROVIDER_REFUSED, "bad");
    assert_true(pin_batch_next(batch, &first, &n));
    pin_batch_settle(batch, PIN_PROVIDER_APPLIED, NULL);
    assert_true(pin_batch_next(batch, &first, &n));
    assert_int_equal(first, 2);
    pin_batch_stop(batch, PIN_PROVIDER_UNKNOWN, "the connection was cut");
    assert_false(pin_batch_next(batch, &first, &n));
    put_results(batch, 10, results);
    assert_string_equal(results, "aauu------");
    assert_string_equal(pin_batch_results(batch)[9].message, "the connection was cut");
    pin_batch_free(batch);
}

static void test_a_throttled_request_is_sent_again_as_it_was(void **state)
{
    const struct pin_batch_limits limits = {.n_changes = 2, .n_requests = 3};
    char results[CHANGES_MAX];
    size_t first = 0;
    size_t n = 0;
    (void)state;
    struct pin_batch *batch = pin_batch_new(4, NULL, &limits);
    assert_non_null(batch);
    for (int i = 0; i < 2; i++) {
        assert_true(pin_batch_next(batch, &first, &n));
        assert_true(first == 0 && n == 2);
        pin_batch_settle(batch, PIN_PROVIDER_RETRY, "slow down");
    }
    assert_true(pin_batch_next(batch, &first, &n));
    pin_batch_settle_all(batch, PIN_PROVIDER_REFUSED, "not allowed");
    assert_false(pin_batch_next(batch, &first, &n)); /* three requests are enough */
    put_results(batch, 4, results);
    assert_string_equal(results, "rr--");
    pin_batch_free(batch);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {
        cmocka_unit_test(test_what_was_sent_when_the_server_went_is_unknown),
        cmocka_unit_test(test_a_throttled_request_is_sent_again_as_it_was),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_server, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("provider_batch", tests, NULL, NULL);
}
