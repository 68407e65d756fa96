/* SPDX-License-Identifier: Apache-2.0 */

/* When a zone's next run is: after failures, after long runs, and for whom it is brought forward.
 */

#include "recorder_world.h"
#include "support/faults.h"

#define APP        "app.example.com A 0 192.0.2.1 from c1 service/shop/app 100\n"
#define WEB        "web.example.com A 0 192.0.2.9 from c1 service/shop/web 100\n"
#define PEACE_MS   60000 /* What the server asks for: no run begins by itself in a test. */
#define SOON_MS    20000 /* Sooner than that, and than the next look for drift. */
#define LATE_MS    5000  /* Of a starved machine, between two looks at the clock. */
#define CEILING_MS 800

static unsigned n_told;

static void count_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)arg;
    n_told += level == PIN_LOG_WARN && strstr(line, "trying again") != NULL;
}

/* The next listings go wrong. */
static void break_down(struct world *world, enum pin_provider_fault fault, unsigned n)
{
    world->provider->orders.list_fault = fault;
    world->provider->orders.n_list_faults = n;
    world->provider->orders.retry_after_ms = PEACE_MS;
}

/* The next run, as its timer would have it: nobody asks for it. */
static void run_now(struct world *world)
{
    uint64_t n = world->zone->n_runs;
    pin_recorder_zone_on_timer(world->zone);
    world_run(world, n + 1);
}

static int64_t left_ms(const struct world *world)
{
    return world->zone->next_ms - pin_clock_mono_ms();
}

/* Failures in a row: less and less often, told once, since the first one; and then forgotten. */
static void test_failures_in_a_row(void **state)
{
    struct world *world = *state;
    struct pin_recorder_zone *zone = world->zone;
    n_told = 0;
    pin_log_set_sink(count_log, NULL);
    for (unsigned round = 0; round < 2; round++) {
        break_down(world, PIN_PROVIDER_THROTTLED, 3);
        for (unsigned i = 1; i <= 3; i++) {
            if (zone->n_runs == 0) {
                world_claim(world, APP, NULL);
                world_run(world, 1);
            } else {
                run_now(world);
            }
            assert_int_equal(zone->stage, PIN_STAGE_BACKOFF);
            assert_int_equal(zone->fault, PIN_PROVIDER_THROTTLED);
            assert_int_equal(zone->n_bad_runs, i);
            assert_int_equal(zone->backoff.ceiling_ms, (int64_t)CEILING_MS << i);
            assert_int_equal(n_told, round + 1);
            assert_true(left_ms(world) > SOON_MS);
            assert_true(i == 1 ? zone->error_wall_ms > 1 : zone->error_wall_ms == 1);
            zone->error_wall_ms = 1;
        }
        run_now(world);
        assert_int_equal(zone->stage, PIN_STAGE_IDLE);
        assert_int_equal(zone->fault, PIN_PROVIDER_NONE);
        assert_string_equal(zone->error, "");
        assert_int_equal(zone->error_wall_ms, 0);
        assert_int_equal(zone->n_bad_runs, 0);
        assert_int_equal(zone->backoff.ceiling_ms, 0);
    }
    break_down(world, PIN_PROVIDER_THROTTLED, 1);
    run_now(world);
    break_down(world, PIN_PROVIDER_MALFORMED, 1); /* another one is news */
    run_now(world);
    assert_int_equal(n_told, 4);
}

/* Who orders a run begins anew. */
static void test_an_order_begins_anew(void **state)
{
    struct world *world = *state;
    break_down(world, PIN_PROVIDER_THROTTLED, 4);
    world_claim(world, APP, NULL);
    world_run(world, 1);
    run_now(world);
    run_now(world);
    assert_int_equal(world->zone->backoff.ceiling_ms, CEILING_MS << 3);
    world_again(world);
    assert_int_equal(world->zone->backoff.ceiling_ms, CEILING_MS << 1);
}

/* A look that fails, too, does not bring the next run forward; an order meanwhile does. */
static void test_looks(void **state)
{
    struct world *world = *state;
    break_down(world, PIN_PROVIDER_THROTTLED, 1);
    world_claim(world, APP, NULL);
    world_run(world, 1);
    int64_t next_ms = world->zone->next_ms;
    break_down(world, PIN_PROVIDER_UNREACHABLE, 1);
    world->provider->orders.retry_after_ms = -1;
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    world_run(world, 2);
    assert_true(world->zone->next_ms >= next_ms);
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    world_run_to(world, PIN_STAGE_LISTING);
    pin_recorder_zone_poke(world->zone, true);
    world_run(world, 3);
    assert_true(left_ms(world) < SOON_MS);
    world_run(world, 4);
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* A change comes as much later as the last run took, at most half a minute, and never later than
 * something else has it. */
static void test_long_runs(void **state)
{
    static const int64_t cases[][2] = {{10000, 10000}, {30001, 30000}, {3600000, 30000}};
    struct world *world = *state;
    struct pin_recorder_zone *zone = world->zone;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        run_now(world);
        int64_t end_ms = pin_clock_mono_ms();
        zone->took_ms = cases[i][0];
        zone->began_ms = end_ms - zone->took_ms;
        pin_recorder_zone_poke(zone, false);
        assert_in_range(zone->next_ms - end_ms, cases[i][1], cases[i][1] + LATE_MS);
    }
    run_now(world);
    zone->took_ms = 10000;
    zone->began_ms = pin_clock_mono_ms() - zone->took_ms;
    pin_recorder_zone_poke(zone, false);
    int64_t next_ms = zone->next_ms;
    zone->took_ms = 3600000;
    zone->began_ms = pin_clock_mono_ms() - zone->took_ms;
    pin_recorder_zone_poke(zone, false);
    assert_int_equal(zone->next_ms, next_ms);
}

/* What is to be tried again is, though nothing is wrong with the server. */
static void test_half_of_it_is_for_later(void **state)
{
    struct world *world = *state;
    world->provider->orders.n_applied_max = 1;
    world->provider->orders.apply_fault = PIN_PROVIDER_NONE;
    world->provider->orders.retry_after_ms = PEACE_MS;
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
}

/* An order has what was refused tried once, not for ever. */
static void test_an_order_counts_once(void **state)
{
    struct world *world = *state;
    world->provider->orders.refuse = "app.example.com";
    world_claim(world, APP, NULL);
    world_run(world, 1);
    uint64_t n_runs = world->zone->n_runs;
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_OK);
    world_run(world, n_runs + 1);
    assert_int_equal(world->provider->n_applies, 2);
    world_again(world);
    assert_int_equal(world->provider->n_applies, 2);
}

/* Who becomes the writer while the zone is read counts that run as over. */
static void test_a_run_that_began_too_early(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    assert_int_equal(world->zone->sync_wall_ms, 0); /* something waits for the writer */
    pin_recorder_zone_poke(world->zone, true);
    world_run_to(world, PIN_STAGE_LISTING);
    pin_recorder_set_writer(world->recorder, true, "us", "");
    world_run(world, 2);
    assert_int_equal(world->zone->entry->n_running, 0);
    assert_true(world->zone->sync_wall_ms > 0);
}

/* Who is not the writer any more looks soon at what became of it. */
static void test_a_run_that_was_cut_off(void **state)
{
    struct world *world = *state;
    pin_recorder_set_writer(world->recorder, true, "us", "");
    world->provider->orders.holds_applies = true;
    world_claim(world, APP, NULL);
    world_run_to(world, PIN_STAGE_APPLYING);
    pin_recorder_set_writer(world->recorder, false, "them", "");
    assert_true(left_ms(world) < SOON_MS);
}

int main(void)
{
#define WITH(test, up) cmocka_unit_test_setup_teardown(test, up, world_tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_failures_in_a_row, world_set_up),
        WITH(test_an_order_begins_anew, world_set_up),
        WITH(test_looks, world_set_up),
        WITH(test_long_runs, world_set_up),
        WITH(test_half_of_it_is_for_later, world_set_up),
        WITH(test_an_order_counts_once, world_set_up),
        WITH(test_a_run_that_began_too_early, world_set_up_standby),
        WITH(test_a_run_that_was_cut_off, world_set_up_standby),
    };
    return cmocka_run_group_tests_name("recorder_backoff", tests, NULL, NULL);
}
