/* SPDX-License-Identifier: Apache-2.0 */

/* What a thread answers from, given by another thread while it runs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resolver/worker.h"

static void test_a_basis_is_taken_up_once(void **state)
{
    static const struct pin_live first;
    static const struct pin_live second;
    static const struct pin_manners manners;
    const struct pin_basis basis = {
        .number = 1, .live = &second, .manners = &manners, .clusters = {4, 7}};
    const struct pin_client client = {.listen_cluster_id = 3, .listen_i = 1};
    struct pin_worker worker;
    (void)state;
    assert_int_equal(pin_worker_init(&worker, &first, PIN_TRANSPORT_UDP, 0), PIN_OK);
    assert_false(pin_worker_take_basis(&worker));
    assert_ptr_equal(worker.live, &first);
    assert_int_equal(pin_worker_cluster(&worker, &client), 3);
    pin_worker_give_basis(&worker, &basis);
    assert_ptr_equal(worker.live, &first); /* not within a batch */
    assert_true(pin_worker_take_basis(&worker));
    assert_ptr_equal(worker.live, &second);
    assert_ptr_equal(worker.manners, &manners);
    assert_int_equal(pin_worker_cluster(&worker, &client), 7);
    assert_false(pin_worker_take_basis(&worker));
    pin_worker_done(&worker);
}

/* A thread that slept through two changes may find the third one's basis where the first one was.
 */
static void test_an_address_that_comes_again_is_another_basis(void **state)
{
    static const struct pin_live first;
    static const struct pin_live second;
    static const struct pin_manners manners;
    struct pin_basis basis = {.number = 1, .live = &first, .manners = &manners};
    struct pin_worker worker;
    (void)state;
    assert_int_equal(pin_worker_init(&worker, &first, PIN_TRANSPORT_UDP, 0), PIN_OK);
    pin_worker_give_basis(&worker, &basis);
    assert_true(pin_worker_take_basis(&worker));
    basis = (struct pin_basis){.number = 3, .live = &second, .manners = &manners};
    pin_worker_give_basis(&worker, &basis);
    assert_true(pin_worker_take_basis(&worker));
    assert_ptr_equal(worker.live, &second);
    pin_worker_done(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_basis_is_taken_up_once),
        cmocka_unit_test(test_an_address_that_comes_again_is_another_basis),
    };
    return cmocka_run_group_tests_name("basis", tests, NULL, NULL);
}
