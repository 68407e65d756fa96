/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes of claims in a server that does not always do as it should. */

#include "recorder_world.h"
#include "support/faults.h"

#define APP        "app.example.com A 0 192.0.2.1 from c1 service/shop/app 100\n"
#define WEB        "web.example.com A 0 192.0.2.9 from c1 service/shop/web 100\n"
#define APP_OF_TWO APP "app.example.com A 0 192.0.2.2 from c2 service/shop/app 100\n"

static int set_up_dry(void **state)
{
    const struct pin_recorder_spec spec = {
        .policy = PIN_RECORDPLAN_SYNC, .delete_percent = 20, .is_dry_run = true};
    *state = world_new(&spec, false);
    return 0;
}

/* --- The way of a claim ----------------------------------------------------------------------- */

static void test_comes_and_goes(void **state)
{
    struct world *world = *state;
    int64_t from_ms = pin_clock_mono_ms();
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
    world_expect_row(world, "app.example.com", "A", "ready");
    assert_in_range(pin_clock_mono_ms() - from_ms, 0, 5000);
    assert_int_equal(world->provider->n_applies, 1);
    world_claim(world, "", NULL);
    world_run(world, 2);
    world_expect(world, "");
    world_expect_row(world, "app.example.com", "A", "deleted");
    assert_string_equal(pin_text_get(&world->events),
        "ready app.example.com A: service/app of c1: 192.0.2.1\n"
        "deleted app.example.com A: service/app of c1: 192.0.2.1\n");
}

static void test_waits_for_claims(void **state)
{
    struct world *world = *state;
    pin_recorder_zone_poke(world->zone, true);
    for (int i = 0; i < 5; i++) {
        pin_loop_poll(world->loop, 10);
    }
    assert_int_equal(world->provider->n_lists, 0);
    assert_int_equal(world->zone->stage, PIN_STAGE_WAITING);
}

static void test_nothing_twice(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_again(world);
    assert_int_equal(world->provider->n_applies, 1);
    world_again(world);
    assert_int_equal(world->provider->n_unchanged, 1); /* by its version */
    assert_int_equal(world->provider->n_applies, 1);
}

/* A change of a zone's claims has it looked at, anything else does not. */
static void test_only_what_changed(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_claim(world, APP "x.example.net A 0 192.0.2.1 from c1 service/shop/x 100\n", NULL);
    while (world->zone->entry->errand != NULL) {
        pin_loop_poll(world->loop, 10);
    }
    for (int i = 0; i < 30; i++) {
        pin_loop_poll(world->loop, 10);
    }
    assert_int_equal(world->provider->n_lists, 1);
}

/* --- What is not ours ------------------------------------------------------------------------- */

static void test_foreign(void **state)
{
    struct world *world = *state;
    world_zone(world, "app.example.com A 60 203.0.113.1\n");
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    world_expect(world,
        "a-web.example.com TXT @demo\napp.example.com A 203.0.113.1\nweb.example.com A "
        "192.0.2.9\n");
    world_expect_row(world, "app.example.com", "A", "conflict");
    assert_non_null(strstr(pin_text_get(&world->events), "error app.example.com A"));
    size_t len = world->events.len;
    world_again(world);
    assert_int_equal(world->events.len, len); /* told once */
}

/* Whose the record is, the object is told. */
static void test_owners_are_named(void **state)
{
    struct world *world = *state;
    static const char zone[] = "a-app.example.com TXT @other\na-web.example.com TXT @demo @other\n"
                               "app.example.com A 203.0.113.1\nweb.example.com A 203.0.113.2\n";
    world_zone(world, "app.example.com A 60 203.0.113.1\n"
                      "a-app.example.com TXT 60 @other:service/shop/app\n"
                      "web.example.com A 60 203.0.113.2\n"
                      "a-web.example.com TXT 60 @demo:service/shop/web,@other:service/shop/web\n");
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    world_expect(world, zone);
    world_expect_row(world, "app.example.com", "A", "conflict");
    world_expect_row(world, "web.example.com", "A", "conflict");
    assert_string_equal(pin_text_get(&world->events),
        "error app.example.com A: service/app of c1: it belongs to owner 'other'\n"
        "error web.example.com A: service/web of c1: its TXT records name 'demo' and another "
        "owner\n");
    world_claim(world, "", NULL); /* nor does it go */
    world_run(world, 2);
    world_expect(world, zone);
    assert_int_equal(world->provider->n_applies, 0);
}

/* Case: records of two clusters; taking one away removes just its target. */
static void test_two_clusters(void **state)
{
    struct world *world = *state;
    world_claim(world, APP_OF_TWO, NULL);
    world_run(world, 1);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1 192.0.2.2\n");
    world_claim(world, APP, NULL);
    world_run(world, 2);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
}

/* Case: nothing of a cluster that was not synced since the start goes. */
static void test_unsynced(void **state)
{
    struct world *world = *state;
    world_claim(world, APP_OF_TWO WEB, NULL);
    world_run(world, 1);
    world_claim(world, APP, "c2");
    world_run(world, 2);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1 192.0.2.2\n");
    world_expect_row(world, "app.example.com", "A", "waiting");
    world_claim(world, APP, NULL);
    world_run(world, 3);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
}

/* A CNAME that comes where addresses were is one change with them. */
static void test_replaced(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_claim(
        world, "app.example.com CNAME 0 lb.example.net from c1 service/shop/app 100\n", NULL);
    world_run(world, 2);
    world_expect(world, "app.example.com CNAME lb.example.net\ncname-app.example.com TXT @demo\n");
    assert_int_equal(world->provider->n_changes, 2);
    world->provider->orders.refuse = "app.example.com";
    world_claim(world, APP, NULL);
    world_run(world, 3);
    world_expect(world, "app.example.com CNAME lb.example.net\ncname-app.example.com TXT @demo\n");
    world_again(world); /* no half of it is tried alone */
    world_expect(world, "app.example.com CNAME lb.example.net\ncname-app.example.com TXT @demo\n");
    world->provider->orders.refuse = NULL;
    world_claim(world, "app.example.com A 0 192.0.2.5 from c1 service/shop/app 100\n", NULL);
    world_run(world, 5); /* all of it, as soon as a part of it is another one */
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.5\n");
}

/* --- Servers that fail ------------------------------------------------------------------------ */

static void test_refused(void **state)
{
    struct world *world = *state;
    world->provider->orders.refuse = "app.example.com";
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    world_expect(world, "a-web.example.com TXT @demo\nweb.example.com A 192.0.2.9\n");
    world_expect_row(world, "app.example.com", "A", "refused");
    world_expect_row(world, "web.example.com", "A", "ready");
    assert_non_null(strstr(
        pin_text_get(&world->events), "error app.example.com A: service/app of c1: no such"));
    world_again(world);
    assert_int_equal(world->provider->n_applies, 1); /* not tried again as it is */
    world_expect_row(world, "app.example.com", "A", "refused");
    assert_string_equal(pin_recorder_run_row(world->zone->shown, "app.example.com", "A", "")->error,
        "no such luck");
    world->provider->orders.refuse = NULL;
    world_claim(world, "app.example.com A 0 192.0.2.5 from c1 service/shop/app 100\n" WEB, NULL);
    world_run(world, 3); /* something else is wanted */
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* A person may have it tried at once. */
static void test_refused_by_order(void **state)
{
    struct world *world = *state;
    world->provider->orders.refuse = "app.example.com";
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world->provider->orders.refuse = NULL;
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_OK);
    world_run(world, 2);
    world_expect_row(world, "app.example.com", "A", "ready");
}

static void test_down(void **state)
{
    struct world *world = *state;
    world_zone(world, "old.example.com A 300 192.0.2.1\n"
                      "a-old.example.com TXT 300 @demo:service/shop/old:c1\n");
    world->provider->orders.list_fault = PIN_PROVIDER_UNREACHABLE;
    world->provider->orders.n_list_faults = 2;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
    assert_string_equal(world->zone->error, "told to");
    assert_int_equal(world->provider->n_applies, 0); /* nothing is concluded from no listing */
    world_run(world, 3);
    assert_string_equal(world->zone->error, "");
    assert_int_equal(world->zone->n_faults[PIN_PROVIDER_UNREACHABLE], 2);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
}

/* Whatever is wrong with a listing, nothing is planned on it, and it is asked for less and less. */
static void test_each_fault(void **state)
{
    (void)state;
    for (int fault = PIN_PROVIDER_NONE + 1; fault <= PIN_PROVIDER_MEMORY; fault++) {
        void *new_world = NULL;
        (void)world_set_up(&new_world);
        struct world *world = new_world;
        world_zone(world, "old.example.com A 300 192.0.2.1\n"
                          "a-old.example.com TXT 300 @demo:service/shop/old:c1\n");
        world->provider->orders.list_fault = (enum pin_provider_fault)fault;
        world->provider->orders.n_list_faults = 3;
        world_claim(world, APP, NULL);
        world_run(world, 1);
        assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
        assert_int_equal(world->zone->fault, fault);
        assert_null(world->zone->shown);
        for (unsigned i = 0; i < 2; i++) {
            world_again(world);
        }
        assert_int_equal(world->provider->n_applies, 0);
        assert_int_equal(world->zone->n_faults[fault], 3);
        world_expect(world, "a-old.example.com TXT @demo\nold.example.com A 192.0.2.1\n");
        world_free(world);
    }
}

/* Differences that make no sense are not asked for again and again. */
static void test_a_malformed_listing_is_followed_by_a_whole_one(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_again(world); /* knows what it wrote */
    world->provider->orders.list_fault = PIN_PROVIDER_MALFORMED;
    world->provider->orders.n_list_faults = 1;
    world_again(world);
    assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
    world_again(world);
    assert_int_equal(world->zone->stage, PIN_STAGE_IDLE);
    assert_int_equal(world->provider->n_unchanged, 0);
    world_again(world);
    assert_int_equal(world->provider->n_unchanged, 1);
}

/* Claims that change do not shorten what the server asked for. */
static void test_throttled(void **state)
{
    struct world *world = *state;
    world->provider->orders.list_fault = PIN_PROVIDER_THROTTLED;
    world->provider->orders.n_list_faults = 1;
    world->provider->orders.retry_after_ms = 60000;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    assert_true(world->zone->next_ms >= pin_clock_mono_ms() + 30000);
    world_claim(world, APP WEB, NULL);
    for (int i = 0; i < 40; i++) {
        pin_loop_poll(world->loop, 10);
    }
    assert_int_equal(world->provider->n_lists, 1);
}

static void test_half_done(void **state)
{
    struct world *world = *state;
    world->provider->orders.n_applied_max = 1;
    world->provider->orders.apply_fault = PIN_PROVIDER_UNREACHABLE;
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
    world->provider->orders.n_applied_max = SIZE_MAX;
    world_run(world, 2);
    world_expect(world, "a-app.example.com TXT @demo\na-web.example.com TXT @demo\n"
                        "app.example.com A 192.0.2.1\nweb.example.com A 192.0.2.9\n");
    assert_int_equal(world->provider->n_changes, 2);
}

static void test_conflict(void **state)
{
    struct world *world = *state;
    world->provider->orders.n_conflicts = 1;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
    world_expect(world, "");
    world_run(world, 2); /* listed anew */
    assert_int_equal(world->provider->n_lists, 2);
    assert_int_equal(world->provider->n_unchanged, 0);
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* An answer that was lost is looked for in the zone, not sent again. */
static void test_unknown(void **state)
{
    struct world *world = *state;
    world->provider->orders.n_unknown = 1;
    world_claim(world, APP, NULL);
    world_run(world, 2);
    assert_int_equal(world->provider->n_applies, 1);
    assert_int_equal(world->provider->n_changes, 1);
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* A server says that it is done, and has done nothing: the next look tells. */
static void test_lies(void **state)
{
    struct world *world = *state;
    world->provider->orders.n_lies = 2;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_expect(world, "");
    assert_int_equal(world->provider->n_applies, 1);
    world_again(world);
    assert_int_equal(world->provider->n_applies, 2); /* one try a look */
    assert_int_equal(world->zone->n_drift, 1);
    world_again(world);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
    world_again(world);
    assert_int_equal(world->provider->n_applies, 3);
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* Somebody changed a record of ours by hand. */
static void test_drift(void **state)
{
    struct world *world = *state;
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    world_zone(world, "app.example.com A 300 198.51.100.1\n");
    world_again(world);
    world_expect_row(world, "app.example.com", "A", "ready");
    assert_int_equal(world->zone->n_drift, 1);
    assert_string_equal(world->zone->found->name, "app.example.com");
    assert_string_equal(world->zone->found->expected->values[0].text, "192.0.2.1");
    assert_string_equal(world->zone->found->found->values[0].text, "198.51.100.1");
    world_again(world);
    assert_int_equal(world->zone->n_drift, 1);
}

/* What changes all the time is written a few times, then spaced. */
static void test_flapping(void **state)
{
    struct world *world = *state;
    for (uint64_t i = 0; i < 14; i++) {
        char lines[128];
        (void)snprintf(lines, sizeof(lines),
            "app.example.com A 0 192.0.2.%u from c1 service/shop/app 100\n", (unsigned)i + 1);
        world_claim(world, lines, NULL);
        world_run(world, i + 1);
    }
    assert_in_range(world->provider->n_applies, 10, 11);
    assert_true(world->zone->next_ms <= pin_clock_mono_ms() + 60000);
}

/* Not all zones of an entry are read at once; all have their turn, whatever becomes of others. */
static void test_many_zones(void **state)
{
    char names[40][32];
    const char *zones[N_ELEMS(names)];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "z%zu.example.com", i);
        zones[i] = names[i];
    }
    const struct pin_recorder_spec spec = {.policy = PIN_RECORDPLAN_SYNC,
        .delete_percent = 20,
        .zones = zones,
        .n_zones = N_ELEMS(zones)};
    struct world *world = world_new(&spec, false);
    world->provider->orders.list_fault = PIN_PROVIDER_FAILED;
    world->provider->orders.n_list_faults = 10;
    world_claim(world, "app.z7.example.com A 0 192.0.2.1 from c1 service/shop/app 100\n", NULL);
    for (struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(world->recorder, zone)) != NULL;) {
        world->zone = zone;
        world_run(world, 1);
    }
    int64_t until_ms = pin_clock_mono_ms() + WORLD_WAIT_MS;
    while (world->provider->n_sets < 2 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(world->loop, 10);
    }
    assert_int_equal(world->provider->n_sets, 2); /* also where the first try went wrong */
    assert_in_range(world->provider->n_open_max, 2, 8);
    world_free(world);
}

/* --- Who writes ------------------------------------------------------------------------------- */

static void test_standby(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_expect(world, "");
    assert_int_equal(world->zone->stage, PIN_STAGE_PENDING);
    world_expect_row(world, "app.example.com", "A", "pending");
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_EBUSY);
    unsigned n_lists = world->provider->n_lists;
    pin_recorder_set_writer(world->recorder, true, "us", "");
    world_run(world, 2);
    assert_int_equal(world->provider->n_lists, n_lists + 1);
    assert_int_equal(world->provider->n_unchanged, 0); /* read whole, whatever its version */
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
}

/* Who becomes the writer during a run applies nothing of it. */
static void test_hand_over_in_a_run(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run_to(world, PIN_STAGE_PLANNING);
    pin_recorder_set_writer(world->recorder, true, "us", "");
    world_run(world, 1);
    assert_int_equal(world->provider->n_applies, 0);
    world_run(world, 2);
    assert_int_equal(world->provider->n_applies, 1);
    assert_int_equal(world->provider->n_lists, 2);
}

/* Who is not the writer any more cuts off what is under way. */
static void test_deposed(void **state)
{
    struct world *world = *state;
    pin_recorder_set_writer(world->recorder, true, "us", "");
    world->provider->orders.holds_applies = true;
    world_claim(world, APP, NULL);
    world_run_to(world, PIN_STAGE_APPLYING);
    pin_recorder_set_writer(world->recorder, false, "them", "");
    assert_int_equal(world->provider->n_open, 0);
    assert_int_equal(world->zone->stage, PIN_STAGE_PENDING);
    world->provider->orders.holds_applies = false;
    world_again(world);
    assert_int_equal(world->provider->n_applies, 1);
    pin_recorder_set_writer(world->recorder, true, "us", "");
    world_run(world, world->zone->n_runs + 1);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
}

static void test_dry_run(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    assert_int_equal(world->provider->n_applies, 0);
    assert_int_equal(world->zone->stage, PIN_STAGE_PENDING);
    assert_int_equal(pin_recorder_run_pending(world->zone->shown), 1);
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_EBUSY);
}

/* --- The budget, and taking over -------------------------------------------------------------- */

static void put_twenty(struct pin_text *out)
{
    for (int i = 0; i < 20; i++) {
        pin_text_putf(out, "n%02d.example.com A 0 192.0.2.1 from c1 service/shop/n%d 100\n", i, i);
    }
}

static void test_budget(void **state)
{
    struct world *world = *state;
    struct pin_text claims = {0};
    char approval[PIN_RECORDPLAN_HASH_BYTES];
    put_twenty(&claims);
    world_claim(world, claims.ptr, NULL);
    world_run(world, 1);
    assert_int_equal(world->provider->n_sets, 40);
    world_claim(world, APP, NULL);
    world_run(world, 2);
    assert_int_equal(world->provider->n_sets, 42); /* what is new comes */
    world_expect_row(world, "n03.example.com", "A", "blocked");
    (void)snprintf(approval, sizeof(approval), "%s", world->zone->shown->plan.approval);
    assert_int_equal(strlen(approval), 16);
    assert_int_equal(world_order(world, PIN_RECORDER_APPROVE, "0123456789abcdef", NULL), PIN_EBUSY);
    assert_int_equal(world_order(world, PIN_RECORDER_APPROVE, approval, NULL), PIN_OK);
    world_run(world, 3);
    world_expect(world, "a-app.example.com TXT @demo\napp.example.com A 192.0.2.1\n");
    world_claim(world, claims.ptr, NULL); /* the same again: approved once is once */
    world_run(world, 4);
    world_claim(world, "", NULL);
    world_run(world, 5);
    assert_int_equal(world->provider->n_sets, 40);
    pin_text_done(&claims);
}

/* --- Looking ---------------------------------------------------------------------------------- */

static void test_a_look_plans_anew_and_applies_nothing(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    unsigned n_applies = world->provider->n_applies;
    world_zone(world, "app.example.com A 60 198.51.100.1\n"); /* which nobody has seen yet */
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    world_run(world, 2);
    assert_int_equal(world->provider->n_applies, n_applies);
    assert_int_equal(world->zone->stage, PIN_STAGE_PENDING);
    world_expect_row(world, "app.example.com", "A", "pending");
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_OK);
    world_run(world, 3);
    world_expect_row(world, "app.example.com", "A", "ready");
}

static void test_a_look_does_not_take_the_place_of_a_run(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_zone(world, "app.example.com A 60 198.51.100.1\n");
    pin_recorder_zone_poke(world->zone, false); /* before it */
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    world_run(world, 3);
    world_expect_row(world, "app.example.com", "A", "ready");
    world_zone(world, "app.example.com A 60 198.51.100.1\n");
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    pin_recorder_zone_poke(world->zone, true); /* after it */
    world_run(world, 5);
    world_expect_row(world, "app.example.com", "A", "ready");
}

static void test_a_look_waits_for_a_run_under_way(void **state)
{
    struct world *world = *state;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_zone(world, "app.example.com A 60 198.51.100.1\n");
    pin_recorder_zone_poke(world->zone, true);
    world_run_to(world, PIN_STAGE_LISTING);
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    world_run(world, 3);
    world_expect_row(world, "app.example.com", "A", "ready");
}

/* Who looks while a server wants its peace does not bring the next run forward. */
static void test_a_look_keeps_the_back_off(void **state)
{
    struct world *world = *state;
    world->provider->orders.n_list_faults = 1;
    world->provider->orders.list_fault = PIN_PROVIDER_THROTTLED;
    world->provider->orders.retry_after_ms = 60000;
    world_claim(world, APP, NULL);
    world_run(world, 1);
    assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
    int64_t next_ms = world->zone->next_ms;
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    world_run(world, 2);
    assert_int_equal(world->zone->stage, PIN_STAGE_BACKOFF);
    assert_true(world->zone->next_ms >= next_ms);
    world_expect_row(world, "app.example.com", "A", "pending");
    assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_OK);
    world_run(world, 3);
    world_expect_row(world, "app.example.com", "A", "ready");
}

static void test_a_look_uses_up_no_approval(void **state)
{
    struct world *world = *state;
    struct pin_text claims = {0};
    char approval[PIN_RECORDPLAN_HASH_BYTES];
    put_twenty(&claims);
    world_claim(world, claims.ptr, NULL);
    world_run(world, 1);
    world_claim(world, "", NULL);
    world_run(world, 2);
    (void)snprintf(approval, sizeof(approval), "%s", world->zone->shown->plan.approval);
    assert_int_equal(world_order(world, PIN_RECORDER_APPROVE, approval, NULL), PIN_OK);
    assert_int_equal(world_order(world, PIN_RECORDER_LOOK, NULL, NULL), PIN_OK);
    world_run(world, 3);
    assert_int_equal(world->provider->n_sets, 40);
    world_run(world, 4);
    assert_int_equal(world->provider->n_sets, 0);
    pin_text_done(&claims);
}

static void test_adopt(void **state)
{
    struct world *world = *state;
    char hash[PIN_RECORDPLAN_HASH_BYTES];
    world_zone(world, "app.example.com A 300 192.0.2.1\n"
                      "a-app.example.com TXT 300 @default:service/shop/app\n"
                      "old.example.com A 300 192.0.2.1\n"
                      "a-old.example.com TXT 300 @default:service/shop/old\n");
    world_claim(world, APP, NULL);
    world_run(world, 1);
    world_expect_row(world, "app.example.com", "A", "conflict");
    assert_int_equal(world_order(world, PIN_RECORDER_ADOPT, "", "default"), PIN_OK);
    world_run(world, 2);
    assert_int_equal(world->provider->n_applies, 0); /* first it is shown */
    assert_non_null(world->zone->adoption);
    assert_int_equal(world->zone->adoption->plan.n_changes, 1);
    (void)snprintf(hash, sizeof(hash), "%s", world->zone->adoption->plan.hash);
    assert_int_equal(
        world_order(world, PIN_RECORDER_ADOPT, "0123456789abcdef", "default"), PIN_EBUSY);
    assert_int_equal(world_order(world, PIN_RECORDER_ADOPT, hash, "default"), PIN_OK);
    world_run(world, 4); /* taking over, and a run as any */
    world_expect(world, "a-app.example.com TXT @demo\na-old.example.com TXT @default\n"
                        "app.example.com A 192.0.2.1\nold.example.com A 192.0.2.1\n");
    world_expect_row(world, "app.example.com", "A", "ready");
    assert_null(world->zone->adoption);
}

/* Who lost the role and got it back meanwhile has not seen what the other one wrote. */
static void test_adopt_across_a_hand_over(void **state)
{
    struct world *world = *state;
    char hash[PIN_RECORDPLAN_HASH_BYTES];
    world_zone(world, "app.example.com A 300 192.0.2.1\n"
                      "a-app.example.com TXT 300 @default:service/shop/app\n");
    world_claim(world, APP, NULL);
    world_run(world, 1);
    (void)world_order(world, PIN_RECORDER_ADOPT, "", "default");
    world_run(world, 2);
    (void)snprintf(hash, sizeof(hash), "%s", world->zone->adoption->plan.hash);
    assert_int_equal(world_order(world, PIN_RECORDER_ADOPT, hash, "default"), PIN_OK);
    world_run_to(world, PIN_STAGE_PLANNING);
    pin_recorder_set_writer(world->recorder, false, "them", "");
    pin_recorder_set_writer(world->recorder, true, "us", "");
    world_run(world, 4);
    assert_int_equal(world->provider->n_applies, 0);
}

/* The zone changed after somebody agreed: nothing is done. */
static void test_adopt_another(void **state)
{
    struct world *world = *state;
    char hash[PIN_RECORDPLAN_HASH_BYTES];
    world_zone(world, "app.example.com A 300 192.0.2.1\n"
                      "a-app.example.com TXT 300 @default:service/shop/app\n");
    world_claim(world, APP WEB, NULL);
    world_run(world, 1);
    (void)world_order(world, PIN_RECORDER_ADOPT, "", "default");
    world_run(world, 2);
    (void)snprintf(hash, sizeof(hash), "%s", world->zone->adoption->plan.hash);
    world_zone(world, "a-web.example.com TXT 300 @default:service/shop/web\n");
    world_zone(world, "a-app.example.com TXT 300 @default:service/shop/other\n");
    (void)world_order(world, PIN_RECORDER_ADOPT, hash, "default");
    world_run(world, 3);
    assert_string_not_equal(world->zone->adoption->plan.hash, hash);
    unsigned n_changes = world->provider->n_changes;
    assert_int_equal(n_changes, 1); /* web's, in the first run */
}

/* --- The end ---------------------------------------------------------------------------------- */

/* What is under way is ended by world_tear_down(), which looks for calls that are left. */
static void end_at(void **state, enum pin_recorder_stage stage)
{
    struct world *world = *state;
    world->provider->orders.holds_applies = true;
    world_claim(world, APP, NULL);
    world_run_to(world, stage);
}

static void test_end_listing(void **state)
{
    end_at(state, PIN_STAGE_LISTING);
}

static void test_end_planning(void **state)
{
    end_at(state, PIN_STAGE_PLANNING);
}

static void test_end_applying(void **state)
{
    end_at(state, PIN_STAGE_APPLYING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comes_and_goes, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_waits_for_claims, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_twice, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_changed, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_foreign, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_owners_are_named, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_two_clusters, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_unsynced, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_replaced, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_refused, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_refused_by_order, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_down, world_set_up, world_tear_down),
        cmocka_unit_test(test_each_fault),
        cmocka_unit_test_setup_teardown(
            test_a_malformed_listing_is_followed_by_a_whole_one, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_throttled, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_half_done, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_conflict, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_lies, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_drift, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_flapping, world_set_up, world_tear_down),
        cmocka_unit_test(test_many_zones),
        cmocka_unit_test_setup_teardown(test_standby, world_set_up_standby, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_hand_over_in_a_run, world_set_up_standby, world_tear_down),
        cmocka_unit_test_setup_teardown(test_deposed, world_set_up_standby, world_tear_down),
        cmocka_unit_test_setup_teardown(test_dry_run, set_up_dry, world_tear_down),
        cmocka_unit_test_setup_teardown(test_budget, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_look_plans_anew_and_applies_nothing, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_look_does_not_take_the_place_of_a_run, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_look_waits_for_a_run_under_way, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_look_keeps_the_back_off, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_look_uses_up_no_approval, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_adopt, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_adopt_another, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_adopt_across_a_hand_over, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_end_listing, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_end_planning, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_end_applying, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
