/* SPDX-License-Identifier: Apache-2.0 */

/* Records that another writer undoes, and objects that have lost their address: what is left alone,
 * and told. */

#include "recorder_world.h"
#include "support/faults.h"

#define APP "app.example.com A 0 192.0.2.1 from c1 service/shop/app 100\n"
#define WEB "web.example.com A 0 192.0.2.9 from c1 service/shop/web 100\n"

/* How many errors of app.example.com were told as events. */
static size_t count_errors(const struct world *world)
{
    size_t n = 0;
    const char *at = pin_text_get(&world->events);
    while ((at = strstr(at, "error app.example.com")) != NULL) {
        at++;
        n++;
    }
    return n;
}

/* Somebody who calls himself as we do undoes what we write: he has it, and it is told, once. */
static void test_rival(void **state)
{
    struct world *world = *state;
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    for (unsigned i = 0; i < 8; i++) {
        world_zone(world, "app.example.com A 300 198.51.100.1\n");
        world_again(world);
    }
    assert_int_equal(world->provider->n_applies, 3); /* the first one, and two repairs */
    world_expect_row(world, "app.example.com", "A", "refused");
    world_expect_row(world, "web.example.com", "A", "ready");
    struct pin_recorder_row *row =
        pin_recorder_run_row(world->zone->shown, "app.example.com", "A", "");
    assert_string_equal(row->conflict, PIN_RECORDER_RIVAL);
    assert_int_equal(count_errors(world), 1);
    /* later it is tried once more */
    row->undone_ms -= (int64_t)31 * 60 * 1000;
    world_again(world);
    assert_int_equal(world->provider->n_applies, 4);
    world_zone(world, "app.example.com A 300 198.51.100.1\n");
    world_again(world);
    assert_int_equal(world->provider->n_applies, 4);
    /* or when somebody says so */
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_OK);
    world_run(world, world->zone->n_runs + 1);
    assert_int_equal(world->provider->n_applies, 5);
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* What somebody else with our owner wants is deleted twice, and not for ever: it stays. */
static void test_rival_of_deletions(void **state)
{
    struct world *world = *state;
    world_claim(world, WEB, NULL);
    world_run(world, 1);
    unsigned n_applies = world->provider->n_applies;
    for (unsigned i = 0; i < 6; i++) {
        world_zone(world, "app.example.com A 300 198.51.100.1\n"
                          "a-app.example.com TXT 300 @demo:service/shop/app\n");
        world_again(world);
    }
    assert_int_equal(world->provider->n_applies, n_applies + 2);
    world_expect_row(world, "app.example.com", "A", "refused");
    world_expect_row(world, "web.example.com", "A", "ready");
}

/* Once the other one has stopped, and the record is as it was left, it follows its object again. */
static void test_rival_that_stopped(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    for (unsigned i = 0; i < 4; i++) {
        world_zone(world, "app.example.com A 300 198.51.100.1\n");
        world_again(world);
    }
    world_expect_row(world, "app.example.com", "A", "refused");
    world_zone(world, "app.example.com A 300 192.0.2.1\n");
    world_again(world);
    world_expect_row(world, "app.example.com", "A", "ready");
    unsigned n_applies = world->provider->n_applies;
    world_claim(world, "app.example.com A 0 192.0.2.7 from c1 service/shop/app 100\n", NULL);
    world_run(world, world->zone->n_runs + 1);
    assert_int_equal(world->provider->n_applies, n_applies + 1);
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* An object without an address keeps its record, and is told of after ten minutes, once. */
static void test_held(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_claim(world, "app.example.com A 0 - from c1 service/shop/app 100 holds c1\n" WEB, NULL);
    world_run(world, 2);
    world_again(world);
    world_expect_row(world, "app.example.com", "A", "waiting");
    assert_int_equal(count_errors(world), 0);
    pin_recorder_run_row(world->zone->shown, "app.example.com", "A", "")->since_wall_ms -= 600000;
    world_again(world);
    world_again(world);
    assert_int_equal(count_errors(world), 1);
    world_expect_row(world, "app.example.com", "A", "waiting");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rival, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_rival_of_deletions, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_rival_that_stopped, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_held, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("recorder_rivals", tests, NULL, NULL);
}
