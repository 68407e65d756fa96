/* SPDX-License-Identifier: Apache-2.0 */

/* A source that swings: what is wanted changes every five seconds for ten minutes. Its record is
 * written a few times, then no more often than its TTL says; and when the source comes to rest, so
 * does the record. Time is made up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

#include "support/recordworld.h"
#include "sync/recorder_run.h"

#define SWING_MS   ((int64_t)5000)
#define SWINGS     120u
#define FREE       10u
#define ROUNDING   2u
#define TEXT_BYTES 256

static struct swing_case {
    const char *name;    /* reads as a sentence in the test report */
    const char *odd;     /* address that is wanted at first, and every second time */
    const char *even;    /* the other times; "": none */
    unsigned ttl_s;      /* of both */
    unsigned every_s;    /* how far apart writes are in the end */
    bool has_neighbours; /* other records have the zone looked at in between */
} cases[] = {
    {"the provider's TTL", "192.0.2.1", "192.0.2.2", 0, 10, false},
    {"a short TTL", "192.0.2.1", "192.0.2.2", 5, 10, false},
    {"half a minute", "192.0.2.1", "192.0.2.2", 30, 30, false},
    {"a minute", "192.0.2.1", "192.0.2.2", 60, 60, false},
    {"a day", "192.0.2.1", "192.0.2.2", 86400, 60, false},
    {"beside others", "192.0.2.1", "192.0.2.2", 60, 60, true},
    {"it comes and goes", "192.0.2.1", "", 60, 60, false},
    {"it comes and goes beside others", "192.0.2.1", "", 60, 60, true},
};

/* The zone, as far as this record goes, and what became of it. */
struct swing {
    const struct swing_case *c;
    struct pin_registry registry;
    struct pin_recorder_run *before;
    const char *there; /* the claim that the zone is as */
    int64_t now_ms;
    int64_t writes_ms[2 * SWINGS];
    unsigned n_writes;
};

/* Sets of a text, as claims or, with the TXT record, as a listing. */
static struct pin_recorder_sets *read_sets(
    const struct swing *self, const char *what, bool is_claim)
{
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    char lines[TEXT_BYTES] = "";
    size_t n = 0;
    if (*what != '\0') {
        (void)snprintf(lines, sizeof(lines), "app.example.com A %u %s%s\n", self->c->ttl_s, what,
            is_claim ? " from c1 service/shop/app 1"
                     : "\na-app.example.com TXT 60 @demo:service/shop/app:c1");
    }
    struct pin_recordset *sets = pin_recordworld_read(arena, lines, &n);
    return pin_recorder_sets_new(arena, sets, n, "");
}

/* One run; what it asks for is done. */
static void look(struct swing *self, const char *wanted)
{
    static const char *const types[] = {"A", "TXT"};
    struct pin_recorder_run *run = calloc(1, sizeof(*run));
    struct pin_provider_result result = {.verdict = PIN_PROVIDER_APPLIED, .message = ""};
    assert_non_null(run);
    *run = (struct pin_recorder_run){.input = {.zone = "example.com",
                                         .registry = &self->registry,
                                         .types = types,
                                         .n_types = N_ELEMS(types),
                                         .delete_percent = 20},
        .listing = read_sets(self, self->there, false),
        .claims = read_sets(self, wanted, true),
        .before = self->before,
        .now_ms = self->now_ms,
        .wall_ms = self->now_ms};
    pin_recorder_run_make(run);
    assert_int_equal(run->err, PIN_OK);
    assert_true(run->n_parts <= 1);
    if (run->n_parts == 1) {
        const struct pin_provider_outcome outcome = {
            .results = &result, .n_results = 1, .message = ""};
        pin_recorder_run_settle(run, &outcome, self->now_ms, self->now_ms);
        self->there = wanted;
        assert_true(self->n_writes < N_ELEMS(self->writes_ms));
        self->writes_ms[self->n_writes++] = self->now_ms;
    }
    pin_recorder_run_free(self->before);
    run->before = NULL;
    self->before = run;
}

static void swing(struct swing *self)
{
    for (unsigned i = 0; i < SWINGS; i++) {
        look(self, i % 2 == 0 ? self->c->odd : self->c->even);
        self->now_ms += SWING_MS / 2;
        if (self->c->has_neighbours) {
            look(self, i % 2 == 0 ? self->c->odd : self->c->even);
        }
        self->now_ms += SWING_MS - SWING_MS / 2;
    }
}

static void test_swing(void **state)
{
    struct swing self = {
        .c = *state, .registry = {.owner = "demo"}, .there = "", .now_ms = 1000000};
    int64_t every_ms = (int64_t)self.c->every_s * 1000;
    swing(&self);
    for (unsigned i = FREE; i < self.n_writes; i++) {
        assert_true(self.writes_ms[i] - self.writes_ms[i - 1] >= every_ms);
    }
    unsigned n_max = FREE + (unsigned)(SWINGS * SWING_MS / every_ms);
    assert_in_range(self.n_writes, FREE + ROUNDING, n_max);

    const char *rest = strcmp(self.there, self.c->odd) == 0 ? self.c->even : self.c->odd;
    look(&self, rest);
    if (self.before->next_ms != 0) { /* it says when it may be written */
        assert_in_range(self.before->next_ms - self.now_ms, 1, every_ms);
        self.now_ms = self.before->next_ms;
        look(&self, rest);
    }
    assert_ptr_equal(self.there, rest);
    assert_int_equal(self.before->next_ms, 0);
    pin_recorder_run_free(self.before);
}

/* After some minutes of rest, changes are written at once again. */
static void test_rest(void **state)
{
    struct swing self = {
        .c = &cases[3], .registry = {.owner = "demo"}, .there = "", .now_ms = 1000000};
    (void)state;
    swing(&self);
    self.now_ms += 360000;
    for (unsigned i = 0; i < FREE; i++) {
        const char *other = strcmp(self.there, self.c->odd) == 0 ? self.c->even : self.c->odd;
        look(&self, other);
        assert_ptr_equal(self.there, other);
        self.now_ms += SWING_MS;
    }
    pin_recorder_run_free(self.before);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 1] = {cmocka_unit_test(test_rest)};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[1 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_swing, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("recorder swings", tests, NULL, NULL);
}
