/* SPDX-License-Identifier: Apache-2.0 */

/* All mail arrives, in the order it was posted, and a reader that sleeps is woken. */

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "resolver/late.h"

#define N_POSTERS 3
#define N_EACH    2000

static void post(struct pin_mailbox *mailbox, uint64_t stream_id, uint32_t request_id)
{
    struct pin_late *late = calloc(1, sizeof(*late));
    assert_non_null(late);
    late->stream_id = stream_id;
    late->request_id = request_id;
    pin_mailbox_post(mailbox, late);
}

static bool is_woken(const struct pin_mailbox *mailbox, int timeout_ms)
{
    struct pollfd fd = {.fd = mailbox->wake_fd, .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static void test_mail_comes_in_order(void **state)
{
    struct pin_mailbox mailbox;
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pin_mailbox_init(&mailbox, &why), PIN_OK);
    assert_false(is_woken(&mailbox, 0));
    assert_null(pin_mailbox_take(&mailbox));
    for (uint32_t i = 0; i < 3; i++) {
        post(&mailbox, 7, i);
    }
    assert_true(is_woken(&mailbox, 0));
    struct pin_late *late = pin_mailbox_take(&mailbox);
    assert_false(is_woken(&mailbox, 0));
    for (uint32_t i = 0; i < 3; i++) {
        struct pin_late *next = late->next;
        assert_int_equal(late->request_id, i);
        free(late);
        late = next;
    }
    assert_null(late);
    post(&mailbox, 7, 4); /* never taken: done frees it */
    pin_mailbox_done(&mailbox);
    pin_mailbox_done(&mailbox);
}

static void *post_many(void *arg)
{
    struct pin_mailbox *mailbox = arg;
    for (uint32_t i = 0; i < N_EACH; i++) {
        post(mailbox, (uint64_t)(uintptr_t)pthread_self(), i);
    }
    return NULL;
}

/* Takes what has come; each poster's mail is in order. Returns how much it was. */
static size_t take_in_order(
    struct pin_mailbox *mailbox, const pthread_t posters[N_POSTERS], uint32_t next_of[N_POSTERS])
{
    size_t n = 0;
    struct pin_late *late = pin_mailbox_take(mailbox);
    while (late != NULL) {
        struct pin_late *next = late->next;
        for (size_t i = 0; i < N_POSTERS; i++) {
            if (late->stream_id == (uint64_t)(uintptr_t)posters[i]) {
                assert_int_equal(late->request_id, next_of[i]);
                next_of[i]++;
            }
        }
        n++;
        free(late);
        late = next;
    }
    return n;
}

static void test_many_posters_lose_nothing(void **state)
{
    struct pin_mailbox mailbox;
    struct pin_why why = {0};
    pthread_t posters[N_POSTERS];
    uint32_t next_of[N_POSTERS] = {0};
    size_t n = 0;
    (void)state;
    assert_int_equal(pin_mailbox_init(&mailbox, &why), PIN_OK);
    for (size_t i = 0; i < N_POSTERS; i++) {
        assert_int_equal(pthread_create(&posters[i], NULL, post_many, &mailbox), 0);
    }
    while (n < (size_t)N_POSTERS * N_EACH) {
        assert_true(is_woken(&mailbox, 5000));
        n += take_in_order(&mailbox, posters, next_of);
    }
    for (size_t i = 0; i < N_POSTERS; i++) {
        (void)pthread_join(posters[i], NULL);
        assert_int_equal(next_of[i], N_EACH);
    }
    pin_mailbox_done(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_comes_in_order),
        cmocka_unit_test(test_many_posters_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
