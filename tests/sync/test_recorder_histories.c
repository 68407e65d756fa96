/* SPDX-License-Identifier: Apache-2.0 */

/* Random histories: claims change, clusters come and go, the server fails in all its ways, others
 * write into the zone, and so do people into our records. Whatever happens, nothing that is not
 * ours changes, nothing of a cluster that cannot be heard goes, no run deletes more than it may;
 * and when all is quiet again, the zone is as it is wanted. */

#include "pintle/base/rand.h"

#include "recorder_world.h"
#include "support/faults.h"

#define HISTORIES 12u
#define STEPS     24u
#define NAMES     30u
/* Of the names, the first are taken by others. */
#define FOREIGN 4u

/* One history. */
struct history {
    struct world *world;
    struct pin_text claims; /* as they are */
    const char *unsynced;
    bool wants[NAMES][2];  /* by cluster c1 and c2 */
    unsigned value[NAMES]; /* last byte of c1's address; c2's is 100 more */
    unsigned foreign[FOREIGN];
};

static void put_foreign(struct history *h)
{
    struct pin_text text = {0};
    for (unsigned i = 0; i < FOREIGN; i++) {
        pin_text_putf(&text, "n%02u.example.com A 300 203.0.113.%u\n", i, h->foreign[i]);
    }
    pin_text_puts(&text, "a-n01.example.com TXT 300 @other:service/shop/x\n");
    world_zone(h->world, text.ptr);
    pin_text_done(&text);
}

static void expect_foreign(struct history *h)
{
    for (unsigned i = 0; i < FOREIGN; i++) {
        char name[32];
        char value[32];
        (void)snprintf(name, sizeof(name), "n%02u.example.com", i);
        (void)snprintf(value, sizeof(value), "203.0.113.%u", h->foreign[i]);
        const struct pin_recordset key = {.name = name, .type = "A", .set_id = ""};
        const struct pin_recordset *set = world_find(h->world->provider, &key);
        assert_non_null(set);
        assert_int_equal(set->n_values, 1);
        assert_string_equal(set->values[0].text, value);
        assert_int_equal(set->ttl_s, 300);
    }
}

static void hand_over(struct history *h)
{
    pin_text_cut(&h->claims, 0);
    pin_text_puts(&h->claims, "");
    for (unsigned i = 0; i < NAMES; i++) {
        for (unsigned c = 0; c < 2; c++) {
            if (h->wants[i][c] && (c == 0 || h->unsynced == NULL)) {
                pin_text_putf(&h->claims,
                    "n%02u.example.com A 300 192.0.2.%u from c%u service/shop/n%u 100\n", i,
                    h->value[i] + c * 100, c + 1, i);
            }
        }
    }
    world_claim(h->world, pin_text_get(&h->claims), h->unsynced);
    while (h->world->zone->entry->errand != NULL) {
        pin_loop_poll(h->world->loop, 5);
    }
}

/* What c2 gave, as the zone has it: one bit a name. */
static uint32_t given_by_c2(const struct history *h)
{
    uint32_t bits = 0;
    const struct world_provider *provider = h->world->provider;
    for (size_t i = 0; i < provider->n_sets; i++) {
        const struct pin_recordset *set = &provider->sets[i];
        for (size_t k = 0; strcmp(set->type, "A") == 0 && k < set->n_values; k++) {
            if (strncmp(set->values[k].text, "192.0.2.1", 9) == 0
                && strlen(set->values[k].text) == 11) {
                bits |= 1u << strtoul(set->name + 1, NULL, 10);
            }
        }
    }
    return bits;
}

static size_t count_owned(const struct history *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->world->provider->n_sets; i++) {
        n += strcmp(h->world->provider->sets[i].type, "A") == 0;
    }
    return n - FOREIGN;
}

/* Something goes wrong with the server, once. */
static void break_something(struct world_orders *orders)
{
    *orders = (struct world_orders){.n_applied_max = SIZE_MAX, .retry_after_ms = -1};
    switch (pin_rand_below(6)) {
    case 0:
        orders->n_list_faults = 1;
        orders->list_fault = PIN_PROVIDER_UNREACHABLE;
        break;
    case 1:
        orders->n_conflicts = 1;
        break;
    case 2:
        orders->n_unknown = 1;
        break;
    case 3:
        orders->n_applied_max = pin_rand_below(5);
        orders->apply_fault = PIN_PROVIDER_THROTTLED;
        break;
    case 4:
        orders->refuse = "n07.example.com";
        break;
    default:
        break;
    }
}

static void change_claims(struct history *h)
{
    bool vanish = pin_rand_below(8) == 0;
    for (unsigned i = 0; i < NAMES; i++) {
        for (unsigned c = 0; c < 2; c++) {
            if (pin_rand_below(4) == 0 || vanish) {
                h->wants[i][c] = !vanish && pin_rand_below(2) == 0;
            }
        }
        h->value[i] = pin_rand_below(6) == 0 ? 10 + pin_rand_below(80) : h->value[i];
    }
    h->unsynced = pin_rand_below(4) == 0 ? "c2" : NULL;
}

static void step(struct history *h)
{
    struct world *world = h->world;
    bool is_by_hand = pin_rand_below(8) == 0;
    if (pin_rand_below(2) == 0) {
        change_claims(h);
        hand_over(h);
    }
    if (pin_rand_below(3) == 0) {
        h->foreign[pin_rand_below(FOREIGN)] = 1 + pin_rand_below(200);
        put_foreign(h);
    }
    if (is_by_hand) {
        world_zone(world, "n09.example.com A 300 198.51.100.1\n");
    }
    if (pin_rand_below(6) == 0) {
        pin_recorder_set_writer(world->recorder, !world->recorder->is_writer, "", "");
    }
    break_something(&world->provider->orders);
    uint32_t before = given_by_c2(h);
    size_t n_before = count_owned(h);
    unsigned n_applies = world->provider->n_applies;
    world_again(world);
    expect_foreign(h);
    if (h->unsynced != NULL) {
        assert_int_equal(before & ~given_by_c2(h), 0);
    }
    size_t n_after = count_owned(h);
    size_t n_lost = n_after < n_before ? n_before - n_after : 0;
    assert_true(n_lost <= 10 * (size_t)(world->provider->n_applies - n_applies));
}

/* Nothing fails any more, all clusters are heard, and who has to agree does. */
static void settle(struct history *h)
{
    struct world *world = h->world;
    world->provider->orders =
        (struct world_orders){.n_applied_max = SIZE_MAX, .retry_after_ms = -1};
    h->unsynced = NULL;
    hand_over(h);
    pin_recorder_set_writer(world->recorder, true, "", "");
    world_again(world);
    for (int i = 0; i < 3; i++) {
        char approval[PIN_RECORDPLAN_HASH_BYTES];
        uint64_t n_runs = world->zone->n_runs + pin_recorder_zone_is_busy(world->zone);
        (void)snprintf(approval, sizeof(approval), "%s", world->zone->shown->plan.approval);
        assert_int_equal(world_order(world, PIN_RECORDER_APPLY, NULL, NULL), PIN_OK);
        if (approval[0] != '\0') {
            assert_int_equal(world_order(world, PIN_RECORDER_APPROVE, approval, NULL), PIN_OK);
        }
        world_run(world, n_runs + 1);
    }
}

/* Each name that is ours has what is wanted, and no other is ours. */
static void expect_wanted(struct history *h)
{
    assert_int_equal(h->world->zone->shown->plan.n_changes, 0);
    assert_int_equal(h->world->zone->shown->plan.n_blocked, 0);
    for (unsigned i = FOREIGN; i < NAMES; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "n%02u.example.com", i);
        const struct pin_recordset key = {.name = name, .type = "A", .set_id = ""};
        const struct pin_recordset *set = world_find(h->world->provider, &key);
        size_t n = (size_t)h->wants[i][0] + h->wants[i][1];
        if (i == 9 && set != NULL && set->ttl_s == 300 && set->n_values == 1
            && strcmp(set->values[0].text, "198.51.100.1") == 0) {
            continue; /* somebody made it while it was not ours */
        }
        assert_int_equal(set == NULL ? 0 : set->n_values, n);
    }
}

static void test_histories(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= HISTORIES; seed++) {
        struct history h = {0};
        void *world = NULL;
        (void)world_set_up(&world);
        h.world = world;
        pin_rand_seed(seed);
        print_message("history %u\n", seed);
        for (unsigned i = 0; i < NAMES; i++) {
            h.value[i] = 10 + i;
        }
        put_foreign(&h);
        hand_over(&h);
        for (unsigned i = 0; i < STEPS; i++) {
            step(&h);
        }
        settle(&h);
        expect_foreign(&h);
        expect_wanted(&h);
        unsigned n_applies = h.world->provider->n_applies;
        world_again(h.world);
        assert_int_equal(h.world->provider->n_applies, n_applies);
        pin_text_done(&h.claims);
        world_free(h.world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};
    return cmocka_run_group_tests_name("recorder histories", tests, NULL, NULL);
}
