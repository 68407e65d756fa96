/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random worlds: whatever objects want and a zone holds, nothing of others changes, a plan that was
 * applied leaves nothing to plan, deletions stay within the budget, and the order of what goes in
 * does not matter. And the budget itself, and memory that runs out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/text.h"
#include "pintle/zones/recordplan.h"

#include "support/faults.h"
#include "support/recordworld.h"

#define N_WORLDS 10000u
#define SEED     0x5eedu

static const char *const types[] = {"A", "AAAA", "CNAME", "TXT"};
static const char *const clusters[] = {"c1", "c2", "c3"};
static const char *const names[] = {"a.example.com", "b.example.com", "c.d.example.com",
    "*.example.com", "any.example.com", "x.*.example.com", "a-b.example.com", "example.com"};

/* A world and its texts, which a failure shows. */
struct world {
    struct pin_arena *arena;
    struct pin_registry registry;
    struct pin_recordplan_input input;
    const char *claims;
    const char *actual;
    const char *unsynced[N_ELEMS(clusters)];
};

static const char *pick(const char *const *texts, size_t n)
{
    return texts[pin_rand_below((uint32_t)n)];
}

static bool one_in(uint32_t n)
{
    return pin_rand_below(n) == 0;
}

static void put_values(struct pin_text *out, const char *type)
{
    uint32_t n = strcmp(type, "CNAME") == 0 ? 1 : 1 + pin_rand_below(3);
    for (uint32_t i = 0; i < n; i++) {
        pin_text_puts(out, i == 0 ? " " : ",");
        if (strcmp(type, "A") == 0) {
            pin_text_putf(out, "192.0.2.%u", pin_rand_below(5));
        } else if (strcmp(type, "AAAA") == 0) {
            pin_text_putf(out, "2001:db8::%u", pin_rand_below(5));
        } else {
            pin_text_putf(out, "t%u.example.net", pin_rand_below(5));
        }
    }
}

static void put_claim(struct pin_text *out, bool has_ids)
{
    const char *type = pick(types, N_ELEMS(types));
    const char *cluster = pick(clusters, N_ELEMS(clusters));
    pin_text_putf(out, "%s %s", pick(names, N_ELEMS(names)), type);
    if (has_ids && one_in(2)) {
        pin_text_putf(out, " [v%u]", pin_rand_below(2));
    }
    pin_text_putf(out, " %u", one_in(2) ? 0 : 60 * pin_rand_below(3));
    if (one_in(10)) {
        pin_text_puts(out, " -");
    } else {
        put_values(out, type);
    }
    pin_text_putf(
        out, " from %s service/shop/s%u %u", cluster, pin_rand_below(4), pin_rand_below(4));
    if (one_in(8)) {
        pin_text_putf(out, " holds %s", cluster);
    }
    pin_text_putc(out, '\n');
}

/* A set in the zone, and its TXT record: ours, another's, none, or only the TXT record. */
static void put_set(struct pin_text *out, const struct world *world, const char *name,
    const char *type, bool has_id)
{
    static const char *const owners[] = {"demo", "demo", "demo", "other", ""};
    static const char *const origins[] = {"", ":c1", ":c2", ":c1_c2", ":c1_c2_c3"};
    const char *owner = pick(owners, N_ELEMS(owners));
    char txt[PIN_RECORDSET_NAME_MAX];
    const char *id = has_id ? " [v0]" : "";
    if (!one_in(10)) {
        pin_text_putf(out, "%s %s%s %u", name, type, id, 60 * pin_rand_below(3));
        put_values(out, type);
        pin_text_putc(out, '\n');
    }
    if (*owner != '\0' && strcmp(name, world->input.zone) != 0
        && !pin_registry_is_reserved(&world->registry, name)
        && pin_registry_name(&world->registry, PIN_REGISTRY_TYPED, name, type, txt) == PIN_OK) {
        pin_text_putf(out, "%s TXT%s 0 @%s:service/shop/s%u%s\n", txt, id, owner, pin_rand_below(4),
            pick(origins, N_ELEMS(origins)));
    }
}

/* Every set of the zone at most once, and a CNAME alone. */
static void put_zone(struct pin_text *out, const struct world *world)
{
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        bool has_cname = one_in(3);
        bool has_id = world->input.has_set_ids && one_in(3);
        for (size_t k = 0; k < N_ELEMS(types); k++) {
            bool is_cname = strcmp(types[k], "CNAME") == 0;
            if (has_cname == is_cname && one_in(2)) {
                put_set(out, world, names[i], types[k], has_id);
            }
        }
    }
}

static void make_world(struct world *world)
{
    struct pin_text claims = {0};
    struct pin_text actual = {0};
    struct pin_recordplan_input *input = &world->input;
    pin_arena_reset(world->arena);
    world->registry = (struct pin_registry){.owner = "demo",
        .prefix = one_in(3) ? "txt.%{record_type}-" : "txt.",
        .wildcard = one_in(2) ? "any" : ""};
    *input = (struct pin_recordplan_input){.zone = "example.com",
        .registry = &world->registry,
        .is_whole = true,
        .unsynced = world->unsynced,
        .types = types,
        .n_types = N_ELEMS(types),
        .has_set_ids = one_in(3),
        .policy = (enum pin_recordplan_policy)pin_rand_below(3),
        .delete_percent = 20,
        .adopt_from = one_in(10) ? "other" : NULL};
    for (size_t i = 0; i < N_ELEMS(clusters); i++) {
        if (one_in(4)) {
            world->unsynced[input->n_unsynced++] = clusters[i];
        }
    }
    for (uint32_t n = pin_rand_below(12); n > 0; n--) {
        put_claim(&claims, input->has_set_ids);
    }
    put_zone(&actual, world);
    world->claims = pin_arena_strdup(world->arena, pin_text_get(&claims));
    world->actual = pin_arena_strdup(world->arena, pin_text_get(&actual));
    pin_text_done(&claims);
    pin_text_done(&actual);
    input->claims = pin_recordworld_read(world->arena, world->claims, &input->n_claims);
    input->actual = pin_recordworld_read(world->arena, world->actual, &input->n_actual);
}

static struct pin_recordplan make(const struct world *world)
{
    struct pin_recordplan plan;
    struct pin_why why = {0};
    if (pin_recordplan_make(&world->input, world->arena, &plan, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    return plan;
}

static const struct pin_recordset *find(const struct pin_recordset *sets, size_t n_sets,
    const char *name, const char *type, const char *set_id)
{
    for (size_t i = 0; i < n_sets; i++) {
        if (strcmp(sets[i].name, name) == 0 && strcmp(sets[i].type, type) == 0
            && strcmp(sets[i].set_id, set_id) == 0) {
            return &sets[i];
        }
    }
    return NULL;
}

/* What a zone's TXT record says of a set, looked up without the planner. */
static bool read_owner(const struct world *world, const struct pin_recordset *set,
    struct pin_registry_labels *ret_labels)
{
    char txt[PIN_RECORDSET_NAME_MAX];
    *ret_labels = (struct pin_registry_labels){0};
    if (pin_registry_name(&world->registry, PIN_REGISTRY_TYPED, set->name, set->type, txt)
        != PIN_OK) {
        return false;
    }
    const struct pin_recordset *found =
        find(world->input.actual, world->input.n_actual, txt, "TXT", set->set_id);
    return found != NULL
           && pin_registry_read(&world->registry, found->values[0].text, world->arena, ret_labels)
                  == PIN_OK;
}

static bool is_mark(const struct pin_recordset *set)
{
    return strcmp(set->type, "TXT") == 0 && strstr(set->values[0].text, "heritage") != NULL;
}

static bool is_unsynced(const struct world *world, const char *origins)
{
    for (size_t i = 0; i < world->input.n_unsynced; i++) {
        if (origins == NULL || strstr(origins, world->unsynced[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void check_kept_values(const struct pin_recordset *set, const struct pin_recordset *after)
{
    assert_non_null(after);
    for (size_t i = 0; i < set->n_values; i++) {
        bool is_there = false;
        for (size_t k = 0; k < after->n_values; k++) {
            is_there |= strcmp(set->values[i].text, after->values[k].text) == 0;
        }
        assert_true(is_there);
    }
}

/* What belongs to others is as it was, and so is what a cluster may still want. */
static void check_untouched(
    const struct world *world, const struct pin_recordset *after, size_t n_after)
{
    const char *owner = world->input.adopt_from == NULL ? "" : world->input.adopt_from;
    for (size_t i = 0; i < world->input.n_actual; i++) {
        const struct pin_recordset *set = &world->input.actual[i];
        const struct pin_recordset *now = find(after, n_after, set->name, set->type, set->set_id);
        struct pin_registry_labels labels;
        if (is_mark(set)) {
            assert_int_equal(
                pin_registry_read(&world->registry, set->values[0].text, world->arena, &labels),
                PIN_OK);
            if (strcmp(labels.owner, "demo") != 0 && strcmp(labels.owner, owner) != 0) {
                assert_non_null(now);
                assert_true(pin_recordset_same_values(set, now));
            }
            continue;
        }
        bool is_ours = read_owner(world, set, &labels) && strcmp(labels.owner, "demo") == 0
                       && !pin_registry_is_reserved(&world->registry, set->name);
        if (!is_ours) {
            assert_non_null(now);
            assert_true(pin_recordset_same_values(set, now));
            assert_int_equal(set->ttl_s, now->ttl_s);
        } else if (is_unsynced(world, labels.origins)) {
            check_kept_values(set, now);
        }
    }
}

static void check_policy(const struct world *world, const struct pin_recordplan *plan,
    const struct pin_recordset *after, size_t n_after)
{
    size_t n_deleted = 0;
    for (size_t i = 0; i < plan->n_changes; i++) {
        const struct pin_recordplan_change *change = &plan->changes[i];
        n_deleted +=
            change->op == PIN_RECORDPLAN_DELETE && change->old_set != NULL && !change->is_replaced;
        if (world->input.adopt_from != NULL) {
            assert_ptr_equal(change->old_set, change->new_set);
        } else if (world->input.policy == PIN_RECORDPLAN_CREATE_ONLY) {
            assert_int_equal(change->op, PIN_RECORDPLAN_CREATE);
        }
    }
    assert_true(n_deleted <= plan->deletes_max);
    for (size_t i = 0; i < world->input.n_actual && world->input.policy != PIN_RECORDPLAN_SYNC;
         i++) {
        bool is_there = false;
        for (size_t k = 0; k < n_after; k++) {
            is_there |= strcmp(world->input.actual[i].name, after[k].name) == 0;
        }
        assert_true(is_there || is_mark(&world->input.actual[i]));
    }
}

/* Where nothing is in the way, all that is wanted is there afterwards. */
static void check_wanted(const struct world *world, const struct pin_recordplan *plan,
    const struct pin_recordset *after, size_t n_after)
{
    if (plan->n_conflicts > 0 || plan->n_blocked > 0 || world->input.adopt_from != NULL
        || world->input.policy == PIN_RECORDPLAN_CREATE_ONLY) {
        return;
    }
    for (size_t i = 0; i < world->input.n_claims; i++) {
        const struct pin_recordset *claim = &world->input.claims[i];
        const char *id = world->input.has_set_ids ? claim->set_id : "";
        if (claim->n_values > 0) {
            check_kept_values(claim, find(after, n_after, claim->name, claim->type, id));
        }
    }
}

static void shuffle(struct pin_recordset *sets, size_t n_sets)
{
    for (size_t i = n_sets; i > 1; i--) {
        size_t k = pin_rand_below((uint32_t)i);
        struct pin_recordset set = sets[i - 1];
        sets[i - 1] = sets[k];
        sets[k] = set;
    }
}

static void check_order(struct world *world, const struct pin_recordplan *plan)
{
    struct pin_recordset *claims = pin_arena_memdup(
        world->arena, world->input.claims, world->input.n_claims * sizeof(*claims));
    struct pin_recordset *actual = pin_arena_memdup(
        world->arena, world->input.actual, world->input.n_actual * sizeof(*actual));
    struct world other = *world;
    shuffle(claims, world->input.n_claims);
    shuffle(actual, world->input.n_actual);
    other.input.claims = claims;
    other.input.actual = actual;
    struct pin_recordplan again = make(&other);
    assert_string_equal(again.hash, plan->hash);
    assert_string_equal(
        pin_recordworld_show(world->arena, &again), pin_recordworld_show(world->arena, plan));
}

static void check_world(struct world *world)
{
    struct pin_recordset *after = NULL;
    size_t n_after = 0;
    struct pin_recordplan plan = make(world);
    assert_true(pin_recordplan_apply(
        &plan, world->input.actual, world->input.n_actual, world->arena, &after, &n_after));
    check_untouched(world, after, n_after);
    check_policy(world, &plan, after, n_after);
    check_wanted(world, &plan, after, n_after);
    check_order(world, &plan);
    world->input.actual = after;
    world->input.n_actual = n_after;
    struct pin_recordplan again = make(world);
    for (size_t i = 0; i < again.n_changes;
         i++) { /* a TXT record that could have been an alias's */
        assert_string_equal(again.changes[i].type, "CNAME");
        assert_null(again.changes[i].old_set);
        assert_null(again.changes[i].new_set);
    }
    assert_string_equal(again.approval, plan.approval);
    assert_true(
        pin_recordplan_apply(&again, after, n_after, world->arena, &after, &world->input.n_actual));
    world->input.actual = after;
    assert_int_equal(make(world).n_changes, 0);
}

/* PINTLE_WORLD=N shows the N-th world and its plan. */
static void show(const struct world *world, unsigned i)
{
    const char *wish = getenv("PINTLE_WORLD"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (wish != NULL && strtoul(wish, NULL, 10) == i) {
        struct pin_recordplan plan = make(world);
        (void)fprintf(stderr, "%s---\n%s---\n%s", world->claims, world->actual,
            pin_recordworld_show(world->arena, &plan));
    }
}

static void test_worlds(void **state)
{
    struct world world = {.arena = pin_arena_new("test", 64 << 20)};
    size_t n_changes = 0;
    size_t n_conflicts = 0;
    (void)state;
    print_message("%u worlds from seed %u\n", N_WORLDS, SEED);
    for (unsigned i = 0; i < N_WORLDS; i++) {
        pin_rand_seed(SEED + i);
        make_world(&world);
        show(&world, i);
        struct pin_recordplan plan = make(&world);
        n_changes += plan.n_changes;
        n_conflicts += plan.n_conflicts;
        check_world(&world);
    }
    print_message("%zu changes, %zu conflicts\n", n_changes, n_conflicts);
    assert_true(n_changes > N_WORLDS && n_conflicts > N_WORLDS);
    pin_arena_free(world.arena);
}

/* --- The budget ------------------------------------------------------------------------------- */

/* A zone of n sets of ours that nothing wants. */
static void make_deserted(struct world *world, unsigned n)
{
    struct pin_text actual = {0};
    pin_arena_reset(world->arena);
    world->registry = (struct pin_registry){.owner = "demo"};
    world->input = (struct pin_recordplan_input){.zone = "example.com",
        .registry = &world->registry,
        .is_whole = true,
        .types = types,
        .n_types = N_ELEMS(types),
        .delete_percent = 20};
    for (unsigned i = 0; i < n; i++) {
        pin_text_putf(&actual, "n%03u.example.com A 0 192.0.2.1\n", i);
        pin_text_putf(&actual, "a-n%03u.example.com TXT 0 @demo:service/shop/n%u:c1\n", i, i);
    }
    world->input.actual =
        pin_recordworld_read(world->arena, pin_text_get(&actual), &world->input.n_actual);
    pin_text_done(&actual);
}

static void test_budget(void **state)
{
    struct world world = {.arena = pin_arena_new("test", 64 << 20)};
    (void)state;
    make_deserted(&world, 10); /* ten may always go */
    assert_int_equal(make(&world).n_changes, 10);
    make_deserted(&world, 11); /* but not one more */
    assert_int_equal(make(&world).n_blocked, 11);
    make_deserted(&world, 120);
    struct pin_recordplan plan = make(&world);
    assert_int_equal(plan.n_changes, 0);
    assert_int_equal(plan.n_blocked, 120);
    assert_int_equal(plan.n_owned, 120);
    assert_int_equal(plan.deletes_max, 24);
    assert_int_equal(strlen(plan.approval), 16);
    world.input.approved = "0123456789abcdef";
    assert_false(make(&world).used_approval);
    world.input.approved = plan.approval;
    struct pin_recordplan released = make(&world);
    assert_true(released.used_approval);
    assert_string_equal(released.approval, ""); /* nobody is asked again */
    assert_int_equal(released.n_changes, 120);
    assert_int_equal(released.n_blocked, 0);
    world.input.records = "private"; /* of another entry with the same zone */
    assert_string_not_equal(make(&world).approval, plan.approval);
    assert_string_not_equal(make(&world).hash, plan.hash);
    world.input.records = NULL;
    world.input.n_actual -= 2; /* another plan than the one that was approved */
    assert_false(make(&world).used_approval);
    assert_int_equal(make(&world).n_changes, 0);
    pin_arena_free(world.arena);
}

/* Of so many sets, so many are not wanted any more: what goes, and what waits for somebody. */
static void test_mass_deletions(void **state)
{
    static const struct {
        unsigned n_owned;
        unsigned n_gone;
        unsigned percent;
        size_t n_blocked;
    } rows[] = {
        {120, 100, 20, 100},
        {120, 72, 20, 72},
        {120, 24, 20, 0},
        {120, 25, 20, 25},
        {120, 120, 20, 120},
        {5, 5, 20, 0},
        {5, 5, 0, 0},
        {120, 11, 0, 11},
        {120, 120, 100, 0},
    };
    struct world world = {.arena = pin_arena_new("test", 64 << 20)};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct pin_text claims = {0};
        make_deserted(&world, rows[i].n_owned);
        world.input.delete_percent = rows[i].percent;
        for (unsigned k = rows[i].n_gone; k < rows[i].n_owned; k++) {
            pin_text_putf(
                &claims, "n%03u.example.com A 0 192.0.2.1 from c1 service/shop/n%u 1\n", k, k);
        }
        world.input.claims =
            pin_recordworld_read(world.arena, pin_text_get(&claims), &world.input.n_claims);
        struct pin_recordplan plan = make(&world);
        assert_int_equal(plan.n_blocked, rows[i].n_blocked);
        assert_int_equal(plan.n_changes, rows[i].n_gone - rows[i].n_blocked);
        assert_int_equal(strlen(plan.approval), rows[i].n_blocked > 0 ? 16 : 0);
        pin_text_done(&claims);
    }
    pin_arena_free(world.arena);
}

/* What makes room for a set of the same name is no deletion, nor is a TXT record that speaks of
 * nothing; and of a zone only what is ours counts. */
static void test_what_does_not_count(void **state)
{
    struct world world = {.arena = pin_arena_new("test", 64 << 20)};
    struct pin_text claims = {0};
    struct pin_text actual = {0};
    (void)state;
    make_deserted(&world, 60);
    for (unsigned i = 0; i < 60; i++) {
        pin_text_putf(
            &claims, "n%03u.example.com CNAME 0 x.example.net from c1 service/shop/n%u 1\n", i, i);
        pin_text_putf(&actual, "a-o%03u.example.com TXT 0 @demo:service/shop/o%u:c1\n", i, i);
    }
    world.input.claims =
        pin_recordworld_read(world.arena, pin_text_get(&claims), &world.input.n_claims);
    struct pin_recordplan plan = make(&world);
    assert_int_equal(plan.n_changes, 120);
    assert_int_equal(plan.n_blocked, 0);

    make_deserted(&world, 0);
    world.input.actual =
        pin_recordworld_read(world.arena, pin_text_get(&actual), &world.input.n_actual);
    plan = make(&world);
    assert_int_equal(plan.n_changes, 60);
    assert_int_equal(plan.n_blocked, 0);

    pin_text_cut(&actual, 0);
    for (unsigned i = 0; i < 60; i++) {
        pin_text_putf(&actual, "f%03u.example.com A 0 192.0.2.1\n", i);
    }
    world.input.actual =
        pin_recordworld_read(world.arena, pin_text_get(&actual), &world.input.n_actual);
    assert_int_equal(make(&world).n_owned, 0);
    pin_text_done(&claims);
    pin_text_done(&actual);
    pin_arena_free(world.arena);
}

/* What is created and changed meanwhile does not wait, and does not change what is approved. */
static void test_budget_beside_other_changes(void **state)
{
    struct world world = {.arena = pin_arena_new("test", 64 << 20)};
    (void)state;
    make_deserted(&world, 120);
    struct pin_recordplan plan = make(&world);
    world.input.claims = pin_recordworld_read(world.arena,
        "new.example.com A 0 192.0.2.1 from c1 service/shop/new 1\n", &world.input.n_claims);
    struct pin_recordplan other = make(&world);
    assert_int_equal(other.n_changes, 1);
    assert_string_equal(other.approval, plan.approval);
    assert_string_not_equal(other.hash, plan.hash);
    pin_arena_free(world.arena);
}

static void test_partial(void **state)
{
    struct world world = {.arena = pin_arena_new("test", 64 << 20)};
    struct pin_recordplan plan;
    struct pin_why why = {0};
    (void)state;
    make_deserted(&world, 3);
    world.input.is_whole = false;
    assert_int_equal(pin_recordplan_make(&world.input, world.arena, &plan, &why), PIN_EINVAL);
    assert_non_null(strstr(why.text, "example.com"));
    world.input.is_whole = true;
    world.registry.owner = "";
    assert_int_equal(pin_recordplan_make(&world.input, world.arena, &plan, &why), PIN_EINVAL);
    pin_arena_free(world.arena);
}

/* Wherever memory runs out, there is no plan rather than a part of one. */
static void test_no_memory(void **state)
{
    struct world world = {.arena = pin_arena_new("test", 64 << 20)};
    struct pin_recordplan plan;
    bool is_done = false;
    (void)state;
    make_deserted(&world, 120);
    world.input.claims = pin_recordworld_read(world.arena,
        "new.example.com A 0 192.0.2.1 from c1 service/shop/new 1\n"
        "n000.example.com A 0 192.0.2.2 from c1 service/shop/n0 1\n"
        "n000.example.com CNAME 0 x.example.net from c1 service/shop/n1 2\n",
        &world.input.n_claims);
    for (unsigned n_good = 0; !is_done; n_good++) {
        struct pin_arena *arena = pin_arena_new("test", 64 << 20);
        pin_faults_start(n_good, 1);
        enum pin_err err = pin_recordplan_make(&world.input, arena, &plan, NULL);
        is_done = pin_faults_stop() == 0;
        assert_int_equal(err, is_done ? PIN_OK : PIN_ENOMEM);
        pin_arena_free(arena);
    }
    pin_arena_free(world.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worlds),
        {"case 127: deletions above the budget wait for approval", test_budget, NULL, NULL, NULL},
        cmocka_unit_test(test_mass_deletions),
        cmocka_unit_test(test_budget_beside_other_changes),
        cmocka_unit_test(test_what_does_not_count),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("recordplan_worlds", tests, NULL, NULL);
}
