/* SPDX-License-Identifier: Apache-2.0 */

/* Of two daemons that keep one zone the holder of the Lease writes; the other takes over without
 * writing anything twice. */

#include "fake.h"
#include "recorder_world.h"
#include "support/faults.h"
#include "sync/target.h"

#define APP "app.example.com A 60 192.0.2.1 from c1 service/shop/app 100\n"
/* A Lease that is lost may take its duration. */
#define LEASE_WAIT_MS ((int64_t)60000)
#define WEB           "web.example.com A 60 192.0.2.9 from c1 service/shop/web 100\n"

/* Two daemons, and the API server that has their Lease. */
struct pair {
    struct fake fake;
    struct pin_target target;
    char server[64];
    struct world *worlds[2];
    bool is_away;
};

static const struct pin_target *get_target(void *arg)
{
    const struct pair *pair = arg;
    return pair->is_away ? NULL : &pair->target;
}

static int pair_set_up(void **state)
{
    static const char *const names[] = {"one", "two"};
    struct pair *pair = calloc(1, sizeof(*pair));
    assert_non_null(pair);
    fake_start(&pair->fake, NULL);
    (void)snprintf(pair->server, sizeof(pair->server), "http://127.0.0.1:%d", pair->fake.port);
    pair->target.server = pair->server;
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        void *world = NULL;
        (void)world_set_up_standby(&world);
        pair->worlds[i] = world;
        const struct pin_lease_config lease = {.where = "cluster c1",
            .namespace_name = "sys",
            .name = "r",
            .identity = names[i],
            .target = get_target,
            .arg = pair};
        struct pin_why why = {0};
        assert_int_equal(pin_recorder_start_lease(pair->worlds[i]->recorder, &lease, &why), PIN_OK);
    }
    *state = pair;
    return 0;
}

static int pair_tear_down(void **state)
{
    struct pair *pair = *state;
    world_free(pair->worlds[0]);
    world_free(pair->worlds[1]);
    fake_stop(&pair->fake);
    free(pair);
    return 0;
}

/* Turns both loops until that one is the writer; never both are. */
static void wait_for_writer(struct pair *pair, size_t which)
{
    int64_t until_ms = pin_clock_mono_ms() + LEASE_WAIT_MS;
    while (!pair->worlds[which]->recorder->is_writer && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(pair->worlds[0]->loop, 10);
        pin_loop_poll(pair->worlds[1]->loop, 10);
        assert_false(pair->worlds[0]->recorder->is_writer && pair->worlds[1]->recorder->is_writer);
    }
    assert_true(pair->worlds[which]->recorder->is_writer);
}

/* Which of both has it; one has. */
static size_t find_writer(struct pair *pair)
{
    int64_t until_ms = pin_clock_mono_ms() + LEASE_WAIT_MS;
    while (!pair->worlds[0]->recorder->is_writer && !pair->worlds[1]->recorder->is_writer
           && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(pair->worlds[0]->loop, 10);
        pin_loop_poll(pair->worlds[1]->loop, 10);
    }
    return pair->worlds[0]->recorder->is_writer ? 0 : 1;
}

/* The zone is one: what one server has, the other one has, too. */
static void copy_zone(struct world *from, struct world *to)
{
    for (size_t i = 0; i < from->provider->n_sets; i++) {
        world_put(to->provider, &from->provider->sets[i]);
    }
}

static void test_hand_over(void **state)
{
    struct pair *pair = *state;
    size_t first = find_writer(pair);
    struct world *one = pair->worlds[first];
    struct world *two = pair->worlds[1 - first];
    world_claim(one, APP, NULL);
    world_claim(two, APP, NULL);
    world_run(one, one->zone->n_runs + 1);
    world_run(two, two->zone->n_runs + 1);
    world_again(one);
    assert_int_equal(one->provider->n_changes, 1);
    assert_int_equal(two->provider->n_applies, 0);
    assert_int_equal(two->zone->stage, PIN_STAGE_PENDING);

    copy_zone(one, two);
    pin_recorder_release(one->recorder, 5000);
    assert_false(one->recorder->is_writer);
    wait_for_writer(pair, 1 - first);
    world_run(two, two->zone->n_runs + 1);
    assert_int_equal(two->provider->n_applies, 0); /* it is all there */
    world_expect_row(two, "app.example.com", "A", "ready");
    world_claim(one, APP WEB, NULL);
    world_claim(two, APP WEB, NULL);
    world_run(two, two->zone->n_runs + 1);
    world_run(one, one->zone->n_runs + 1);
    assert_int_equal(two->provider->n_changes, 1);
    assert_int_equal(one->provider->n_changes, 1);
}

/* Who cannot renew the Lease stops, and says why. */
static void test_out_of_reach(void **state)
{
    struct pair *pair = *state;
    struct world *one = pair->worlds[find_writer(pair)];
    pair->is_away = true;
    int64_t until_ms = pin_clock_mono_ms() + LEASE_WAIT_MS;
    while (one->recorder->is_writer && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(one->loop, 20);
    }
    assert_false(one->recorder->is_writer);
    world_claim(one, APP, NULL);
    world_run(one, one->zone->n_runs + 1);
    assert_int_equal(one->provider->n_applies, 0);
    assert_int_equal(world_order(one, PIN_RECORDER_APPLY, NULL, NULL), PIN_EBUSY);
}

/* After a pause of the whole process no timer has told yet that the Lease has run out. */
static void test_after_a_pause(void **state)
{
    struct pair *pair = *state;
    struct world *one = pair->worlds[find_writer(pair)];
    pair->is_away = true;
    world_claim(one, APP, NULL);
    world_run_to(one, PIN_STAGE_PLANNING);
    pin_clock_set_fake(pin_clock_mono_ms() + PIN_LEASE_STOP_MS, pin_clock_wall_ms());
    world_run(one, one->zone->n_runs + 1);
    pin_clock_set_real();
    assert_int_equal(one->provider->n_applies, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hand_over, pair_set_up, pair_tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_reach, pair_set_up, pair_tear_down),
        cmocka_unit_test_setup_teardown(test_after_a_pause, pair_set_up, pair_tear_down),
    };
    return cmocka_run_group_tests_name("recorder lease", tests, NULL, NULL);
}
