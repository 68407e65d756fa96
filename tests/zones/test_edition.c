/* SPDX-License-Identifier: Apache-2.0 */

/* What a transfer shows is the zone at one serial; steps from any kept serial lead there, however
 * much is published meanwhile. */

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
#include "pintle/base/rcu.h"
#include "pintle/base/text.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/edition.h"
#include "pintle/zones/inherit.h"
#include "pintle/zones/zonefile.h"

#include "zones/edition_parts.h"

#define ZONE     "corp.example"
#define RRS_MAX  4096u
#define N_ROUNDS 300u
#define N_NAMES  400u
#define HISTORY  40u
#define WINDOW   ((UINT32_C(1) << 31) - 1)

/* One record as text in hexadecimal would be, owned. */
struct rr {
    uint8_t bytes[300];
    size_t n;
};

/* All records of a zone, sorted; the SOA is not among them. */
struct copy {
    struct rr *rrs;
    size_t n;
    uint32_t serial;
};

struct fixture {
    struct pin_settings settings;
    struct pin_network network;
    struct pin_catalog *catalog;
    struct pin_zone *zone;
    const char *zones[1];
};

/* --- a catalog with one static zone ------------------------------------------------------- */

static void load(struct fixture *f, const char *text)
{
    struct pin_text faults = {0};
    struct pin_zonefile *file = NULL;
    struct pin_zonefile_input input = {
        .zone = ZONE, .text = {.path = "f", .text = text, .bytes = strlen(text)}};
    enum pin_err err = pin_zonefile_parse(&input, &file, &faults);
    if (err != PIN_OK) {
        print_error("%s\n", pin_text_get(&faults));
    }
    assert_int_equal(err, PIN_OK);
    pin_text_done(&faults);
    assert_int_equal(pin_catalog_set_zonefile(f->catalog, file, NULL), PIN_OK);
    (void)pin_catalog_publish(f->catalog, 1);
    pin_rcu_quiescent();
}

static struct pin_zone *find_zone(const struct fixture *f)
{
    struct pin_name apex;
    assert_int_equal(pin_name_parse(ZONE, &apex), PIN_OK);
    return pin_index_zone(pin_catalog_live(f->catalog)->index, &apex);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pin_why why = {0};
    if (f == NULL) {
        return -1;
    }
    pin_rcu_register();
    f->settings = (struct pin_settings){.cluster_set = "default",
        .networks = &f->network,
        .n_networks = 1,
        .default_cluster = PIN_CLUSTER_NONE,
        .zone_cluster_set = "clusterset.local",
        .zone_assigned = "pintle.internal",
        .zone_cluster = "cluster.local",
        .ttl_s = 5,
        .negative_ttl_s = 5};
    f->network.name = "default";
    f->zones[0] = ZONE;
    f->settings.zones_static = f->zones;
    f->settings.n_zones_static = 1;
    f->settings.zones_shipped = f->zones;
    f->settings.n_zones_shipped = 1;
    assert_int_equal(pin_catalog_new(&f->settings, 77, &f->catalog, &why), PIN_OK);
    f->zone = find_zone(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pin_catalog_free(f->catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
    free(f);
    return 0;
}

/* --- copies of zones ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct rr *x = a;
    const struct rr *y = b;
    int order = memcmp(x->bytes, y->bytes, PIN_MIN(x->n, y->n));
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static struct rr rr_of(const struct pin_edition_rr *from)
{
    struct rr rr = {.n = (size_t)from->owner_bytes + from->tail_bytes};
    assert_true(rr.n <= sizeof(rr.bytes));
    memcpy(rr.bytes, from->owner, from->owner_bytes);
    memcpy(rr.bytes + from->owner_bytes, from->tail, from->tail_bytes);
    return rr;
}

static bool is_soa(const struct pin_edition_rr *rr)
{
    return rr->tail[0] == 0 && rr->tail[1] == 6;
}

static uint32_t serial_of(const struct pin_edition_rr *soa)
{
    const uint8_t *at = soa->tail + soa->tail_bytes - 20;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void add(struct copy *copy, const struct pin_edition_rr *rr)
{
    struct rr new_rr = rr_of(rr);
    assert_true(copy->n < RRS_MAX);
    for (size_t i = 0; i < copy->n; i++) {
        assert_int_not_equal(compare(&copy->rrs[i], &new_rr), 0); /* nothing comes twice */
    }
    copy->rrs[copy->n++] = new_rr;
}

static void take(struct copy *copy, const struct pin_edition_rr *rr)
{
    struct rr gone = rr_of(rr);
    for (size_t i = 0; i < copy->n; i++) {
        if (compare(&copy->rrs[i], &gone) == 0) {
            copy->rrs[i] = copy->rrs[--copy->n];
            return;
        }
    }
    fail_msg("a step removes what is not there");
}

static struct copy copy_new(void)
{
    struct copy copy = {.rrs = calloc(RRS_MAX, sizeof(struct rr))};
    assert_non_null(copy.rrs);
    return copy;
}

/* Reads a whole zone. */
static struct copy read_whole(const struct pin_edition *edition)
{
    struct copy copy = copy_new();
    struct pin_edition_rr rr;
    struct pin_edition_walk walk = pin_edition_begin(edition, NULL);
    assert_int_equal(walk.style, PIN_EDITION_WHOLE);
    assert_true(pin_edition_next(&walk, &rr));
    assert_true(is_soa(&rr));
    copy.serial = serial_of(&rr);
    for (;;) {
        assert_true(pin_edition_next(&walk, &rr));
        if (is_soa(&rr)) {
            break;
        }
        add(&copy, &rr);
    }
    assert_int_equal(serial_of(&rr), copy.serial);
    assert_false(pin_edition_next(&walk, &rr));
    qsort(copy.rrs, copy.n, sizeof(*copy.rrs), compare);
    return copy;
}

/* Applies steps as a secondary does; false: there are none from here. */
static bool follow(struct copy *copy, const struct pin_edition *edition)
{
    struct pin_edition_rr rr;
    struct pin_edition_walk walk = pin_edition_begin(edition, &copy->serial);
    if (walk.style == PIN_EDITION_WHOLE) {
        return false;
    }
    assert_true(pin_edition_next(&walk, &rr));
    uint32_t last = serial_of(&rr);
    bool is_coming = true;
    while (pin_edition_next(&walk, &rr)) {
        if (is_soa(&rr) && is_coming && serial_of(&rr) == last && copy->serial == last) {
            assert_false(pin_edition_next(&walk, &rr));
            break;
        }
        if (is_soa(&rr)) {
            is_coming = !is_coming;
            if (!is_coming) {
                assert_int_equal(serial_of(&rr), copy->serial);
            }
            copy->serial = serial_of(&rr);
        } else if (is_coming) {
            add(copy, &rr);
        } else {
            take(copy, &rr);
        }
    }
    assert_int_equal(copy->serial, last);
    qsort(copy->rrs, copy->n, sizeof(*copy->rrs), compare);
    return true;
}

static void assert_same(const struct copy *a, const struct copy *b)
{
    assert_int_equal(a->serial, b->serial);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(compare(&a->rrs[i], &b->rrs[i]), 0);
    }
}

static bool has(const struct copy *copy, const char *owner, const char *tail, size_t tail_bytes)
{
    struct pin_name name;
    struct rr want = {0};
    assert_int_equal(pin_name_parse(owner, &name), PIN_OK);
    memcpy(want.bytes, name.wire, name.bytes);
    memcpy(want.bytes + name.bytes, tail, tail_bytes);
    want.n = name.bytes + tail_bytes;
    return bsearch(&want, copy->rrs, copy->n, sizeof(want), compare) != NULL;
}

/* --- tests -------------------------------------------------------------------------------- */

#define HEAD    "$TTL 60\n@ SOA ns1 h %u 1 2 3 4\n@ NS ns1\n"
#define A_OF(d) "\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2" d

static void load_serial(struct fixture *f, uint32_t serial, const char *records)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), HEAD "%s", serial, records);
    load(f, text);
}

static void test_a_transfer_has_all_that_the_file_has(void **state)
{
    struct fixture *f = *state;
    assert_null(f->zone->edition);
    load_serial(f, 7,
        "ns1 A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\n*.w A 192.0.2.3\n"
        "a.b.ent A 192.0.2.4\nd DNAME e\nx.d A 192.0.2.5\nwww A 192.0.2.6\nwww A 192.0.2.7\n");
    struct pin_edition *edition = pin_edition_pin(f->zone);
    assert_non_null(edition);
    struct copy copy = read_whole(edition);
    assert_int_equal(copy.serial, 7);
    assert_int_equal(copy.n, 10);
    assert_int_equal(edition->n_names, 9);
    assert_true(has(&copy, "ns.sub." ZONE, A_OF("\2"), 14)); /* glue */
    assert_true(has(&copy, "*.w." ZONE, A_OF("\3"), 14));
    assert_true(has(&copy, "x.d." ZONE, A_OF("\5"), 14)); /* hidden by a DNAME */
    assert_true(has(&copy, "www." ZONE, A_OF("\7"), 14));
    free(copy.rrs);
    pin_edition_unpin(edition);
}

static void test_a_transfer_outlives_its_catalog(void **state)
{
    struct fixture *f = *state;
    struct pin_why why = {0};
    struct pin_catalog *heir = NULL;
    struct pin_edition_rr rr;
    size_t n = 0;
    load_serial(f, 7, "ns1 A 192.0.2.1\nwww A 192.0.2.6\nwww A 192.0.2.7\n");
    struct pin_edition *old = pin_edition_pin(f->zone); /* shares entries with the next one */
    load_serial(f, 8, "ns1 A 192.0.2.1\nwww A 192.0.2.8\n");
    struct pin_edition *newest = pin_edition_pin(f->zone);
    struct pin_edition_walk walk = pin_edition_begin(newest, NULL);
    assert_true(pin_edition_next(&walk, &rr));
    assert_int_equal(pin_catalog_new(&f->settings, 99, &heir, &why), PIN_OK);
    pin_catalog_inherit(heir, f->catalog, NULL);
    pin_rcu_synchronize();
    pin_catalog_release(f->catalog, heir);
    pin_catalog_free(f->catalog);
    pin_rcu_barrier();
    f->catalog = heir;
    f->zone = find_zone(f);
    while (pin_edition_next(&walk, &rr)) {
        n++;
    }
    assert_int_equal(n, 4); /* NS, two addresses, the SOA again */
    struct copy copy = read_whole(old);
    assert_int_equal(copy.serial, 7);
    assert_int_equal(copy.n, 4);
    free(copy.rrs);
    pin_edition_unpin(old);
    pin_edition_unpin(newest);
    load_serial(f, 9, "ns1 A 192.0.2.1\n"); /* what was left goes; the leak check sees that */
}

static void test_glue_alone_moves_the_serial(void **state)
{
    struct fixture *f = *state;
    load_serial(f, 7, "sub NS ns.sub\nns.sub A 192.0.2.2\n");
    load_serial(f, 7, "sub NS ns.sub\nns.sub A 192.0.2.3\n");
    struct pin_edition *edition = pin_edition_pin(f->zone);
    struct copy copy = read_whole(edition);
    assert_int_equal(copy.serial, 8);
    assert_true(has(&copy, "ns.sub." ZONE, A_OF("\3"), 14));
    free(copy.rrs);
    pin_edition_unpin(edition);
}

/* What becomes of the serial when the file says `says` and something changed. */
static struct serial_case {
    const char *name; /* reads as a sentence in the test report */
    uint32_t shown;
    uint32_t says;
    bool has_changes;
    uint32_t want;
} serial_cases[] = {
    {"a later serial is taken", 7, 8, true, 8},
    {"a later serial is taken without a change", 7, 8, false, 8},
    {"a much later serial is taken", 7, 7 + WINDOW, true, 7 + WINDOW},
    {"the same serial with a change is moved on", 7, 7, true, 8},
    {"the same serial without a change stays", 7, 7, false, 7},
    {"an earlier serial with a change is moved on", 7, 6, true, 8},
    {"an earlier serial without a change changes nothing", 7, 6, false, 7},
    {"a serial half way round is not later", 7, 7 + WINDOW + 1, true, 8},
    {"the last serial is followed by the first", UINT32_MAX, UINT32_MAX, true, 0},
    {"0 is later than the last", UINT32_MAX, 0, true, 0},
};

static void test_serial(void **state)
{
    struct fixture *f = NULL;
    const struct serial_case *c = *state;
    void *made = NULL;
    assert_int_equal(set_up(&made), 0);
    f = made;
    if (f == NULL) {
        fail(); /* set_up() has said why */
        return;
    }
    load_serial(f, c->shown, "www A 192.0.2.1\n");
    load_serial(f, c->says, c->has_changes ? "www A 192.0.2.2\n" : "www A 192.0.2.1\n");
    assert_int_equal(f->zone->soa->serial, c->want);
    assert_int_equal(f->zone->serial, c->want);
    assert_int_equal(f->zone->shipped, (UINT64_C(1) << 32) + c->want);
    assert_int_equal(tear_down(&made), 0);
}

static void test_a_floor_is_passed(void **state)
{
    struct fixture *f = *state;
    struct pin_name apex;
    assert_int_equal(pin_name_parse(ZONE, &apex), PIN_OK);
    assert_int_equal(pin_catalog_set_floor(f->catalog, &apex, 9), PIN_OK);
    load_serial(f, 7, "www A 192.0.2.1\n");
    assert_int_equal(f->zone->soa->serial, 10);
    assert_int_equal(pin_name_parse("clusterset.local", &apex), PIN_OK);
    assert_int_equal(pin_catalog_set_floor(f->catalog, &apex, 9), PIN_ENOTFOUND);
}

/* A zone with random names, some with several types. */
static void load_random(struct fixture *f, uint8_t *octets)
{
    struct pin_text text = {0};
    pin_text_putf(&text, HEAD, 1u);
    for (unsigned change = 0; change < 5; change++) {
        octets[pin_rand_below(N_NAMES)] = (uint8_t)pin_rand_below(6);
    }
    for (unsigned i = 0; i < N_NAMES; i++) {
        for (unsigned j = 0; j < octets[i] && octets[i] > 1; j++) {
            pin_text_putf(&text, "n%u.e%u A 192.0.2.%u\n", i, i % 7, octets[i] + j);
        }
        if (octets[i] == 4) {
            pin_text_putf(&text, "n%u.e%u TXT x\n", i, i % 7);
        }
    }
    load(f, pin_text_get(&text));
    pin_text_done(&text);
}

static void test_steps_lead_from_any_edition_to_the_newest(void **state)
{
    struct fixture *f = *state;
    uint8_t octets[N_NAMES] = {0};
    struct copy history[HISTORY] = {{0}};
    struct pin_edition *pinned = NULL;
    struct copy of_pinned = {0};
    size_t n_steps = 0;
    pin_rand_seed(42);
    for (size_t i = 0; i < N_NAMES; i += 2) {
        octets[i] = 3;
    }
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        load_random(f, octets);
        struct pin_edition *edition = pin_edition_pin(f->zone);
        struct copy whole = read_whole(edition);
        struct copy *old = &history[round % HISTORY];
        if (old->rrs != NULL && follow(old, edition)) {
            assert_same(old, &whole);
            n_steps++;
        }
        free(old->rrs);
        *old = whole;
        if (round % 50 == 10) { /* a slow transfer: what it reads never changes */
            pinned = edition;
            of_pinned = read_whole(pinned);
        } else {
            pin_edition_unpin(edition);
        }
        if (round % 50 == 45) {
            struct copy again = read_whole(pinned);
            assert_same(&again, &of_pinned);
            free(again.rrs);
            free(of_pinned.rrs);
            pin_edition_unpin(pinned);
        }
    }
    assert_true(n_steps > N_ROUNDS / 2);
    for (size_t i = 0; i < HISTORY; i++) {
        free(history[i].rrs);
    }
}

static void test_who_is_ahead_gets_the_soa(void **state)
{
    struct fixture *f = *state;
    load_serial(f, 7, "www A 192.0.2.1\n");
    load_serial(f, 8, "www A 192.0.2.2\n");
    struct pin_edition *edition = pin_edition_pin(f->zone);
    static const struct {
        uint32_t since;
        enum pin_edition_style want;
    } wants[] = {{8, PIN_EDITION_SOA}, {9, PIN_EDITION_SOA}, {7, PIN_EDITION_STEPS},
        {6, PIN_EDITION_WHOLE}, {8 - WINDOW, PIN_EDITION_WHOLE}};
    for (size_t i = 0; i < N_ELEMS(wants); i++) {
        struct pin_edition_rr rr;
        struct pin_edition_walk walk = pin_edition_begin(edition, &wants[i].since);
        assert_int_equal(walk.style, wants[i].want);
        assert_true(pin_edition_next(&walk, &rr));
        assert_int_equal(serial_of(&rr), 8);
        assert_int_equal(pin_edition_next(&walk, &rr), wants[i].want != PIN_EDITION_SOA);
    }
    pin_edition_unpin(edition);
}

static enum pin_edition_style style_since(const struct pin_edition *edition, uint32_t since)
{
    return pin_edition_begin(edition, &since).style;
}

/* A slow transfer shows one serial to its end, though steps beyond it are known by then. */
static void test_steps_end_with_their_edition(void **state)
{
    struct fixture *f = *state;
    load_serial(f, 7, "www A 192.0.2.1\n");
    struct pin_edition *first = pin_edition_pin(f->zone);
    struct copy copy = read_whole(first);
    load_serial(f, 8, "www A 192.0.2.2\n");
    struct pin_edition *second = pin_edition_pin(f->zone);
    struct copy whole = read_whole(second);
    load_serial(f, 9, "www A 192.0.2.3\n");
    assert_true(follow(&copy, second));
    assert_same(&copy, &whole);
    free(copy.rrs);
    free(whole.rrs);
    pin_edition_unpin(first);
    pin_edition_unpin(second);
}

/* `n` names in as many parts; each name says what its part does. */
static void load_texts(
    struct fixture *f, uint32_t serial, unsigned n, const unsigned *says, size_t n_parts)
{
    struct pin_text text = {0};
    pin_text_putf(&text, HEAD, serial);
    for (unsigned i = 0; i < n; i++) {
        pin_text_putf(&text, "n%u TXT \"%0100u\"\n", i, says[i * n_parts / n]);
    }
    load(f, pin_text_get(&text));
    pin_text_done(&text);
}

/* Whoever is far behind has the zone, once that is less than the way there. */
static void test_steps_longer_than_the_zone(void **state)
{
    struct fixture *f = *state;
    for (unsigned serial = 7; serial <= 10; serial++) { /* 30 KB, and steps of 60 */
        load_texts(f, serial, 250, &serial, 1);
    }
    struct pin_edition *edition = pin_edition_pin(f->zone);
    assert_int_equal(style_since(edition, 9), PIN_EDITION_STEPS);
    assert_int_equal(style_since(edition, 8), PIN_EDITION_WHOLE);
    assert_int_equal(style_since(edition, 7), PIN_EDITION_WHOLE);
    pin_edition_unpin(edition);
}

/* Of steps 4 MB are kept: of these three the two newest. */
static void test_kept_steps(void **state)
{
    struct fixture *f = *state;
    unsigned says[8] = {0};
    load_texts(f, 7, 48000, says, N_ELEMS(says)); /* 6 MB */
    struct pin_edition *first = pin_edition_pin(f->zone);
    for (unsigned i = 0; i < 3; i++) {
        says[i] = 1;
        load_texts(f, 8 + i, 48000, says, N_ELEMS(says)); /* steps of 1.5 MB */
    }
    struct pin_edition *edition = pin_edition_pin(f->zone);
    assert_int_equal(style_since(edition, 9), PIN_EDITION_STEPS);
    assert_int_equal(style_since(edition, 8), PIN_EDITION_STEPS);
    assert_int_equal(style_since(edition, 7), PIN_EDITION_WHOLE);
    pin_edition_unpin(first);
    pin_edition_unpin(edition);
}

/* However small they are there are not more of them than that, and the newest is one. */
static void test_number_of_steps(void **state)
{
    struct fixture *f = *state;
    char record[32];
    for (unsigned i = 0; i < PIN_JOURNAL_STEPS + 10; i++) {
        (void)snprintf(record, sizeof(record), "www A 192.0.2.%u\n", 1 + i % 2);
        load_serial(f, 7 + i, record);
    }
    struct pin_edition *edition = pin_edition_pin(f->zone);
    assert_int_equal(style_since(edition, edition->serial - 1), PIN_EDITION_STEPS);
    assert_int_equal(edition->first_step, edition->newest_step->seq - PIN_JOURNAL_STEPS + 1);
    pin_edition_unpin(edition);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    struct CMUnitTest tests[N_ELEMS(serial_cases) + 10] = {
        WITH(test_a_transfer_has_all_that_the_file_has),
        WITH(test_a_transfer_outlives_its_catalog),
        WITH(test_glue_alone_moves_the_serial),
        WITH(test_a_floor_is_passed),
        WITH(test_steps_lead_from_any_edition_to_the_newest),
        WITH(test_who_is_ahead_gets_the_soa),
        WITH(test_steps_end_with_their_edition),
        WITH(test_steps_longer_than_the_zone),
        WITH(test_kept_steps),
        WITH(test_number_of_steps),
    };
    for (size_t i = 0; i < N_ELEMS(serial_cases); i++) {
        tests[10 + i] = (struct CMUnitTest){.name = serial_cases[i].name,
            .test_func = test_serial,
            .initial_state = &serial_cases[i]};
    }
    return cmocka_run_group_tests_name("edition", tests, NULL, NULL);
}
