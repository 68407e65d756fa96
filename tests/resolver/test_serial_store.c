/* SPDX-License-Identifier: Apache-2.0 */

/* Serials that are written down: nothing is shown twice, whatever ends the daemon. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/catalog.h"

#include "resolver/serial_store.h"
#include "support/defaults.h"

#define NOW_S 1800000000u
#define AHEAD 16384u

static char dir[] = "/tmp/pintle-serials-XXXXXX";
static char path[64];

/* --- where serials begin ---------------------------------------------------------------------- */

static struct begin_case {
    const char *name; /* reads as a sentence in the test report */
    const char *file; /* NULL: there is none */
    uint32_t want;    /* 0: at the clock */
    size_t n_floors;
} begin_cases[] = {
    {"without a file at the clock", NULL, 0, 0},
    {"the clock is later", "{\"version\":1,\"next\":1700000000,\"zones\":[]}", 0, 0},
    {"the file is later", "{\"version\":1,\"next\":1800000001,\"zones\":[]}", 1800000001, 0},
    {"half way round is not later", "{\"version\":1,\"next\":3947483648,\"zones\":[]}", 0, 0},
    {"a zone has its floor",
        "{\"version\":1,\"next\":5,\"zones\":[{\"name\":\"corp.example.\",\"serial\":7}]}", 0, 1},
    {"what is no serial is left out",
        "{\"version\":1,\"zones\":[{\"name\":\"a..b\",\"serial\":7},{\"name\":\"a\",\"serial\":-1},"
        "{}]}",
        0, 0},
    {"a file of another version is not read", "{\"version\":2,\"next\":1800000001}", 0, 0},
    {"a file that is none is not read", "{\"version\":1,", 0, 0},
};

static void test_begin(void **state)
{
    const struct begin_case *c = *state;
    struct pin_serial_store *store = NULL;
    struct pin_builder_config config = {0};
    struct pin_why why = {0};
    (void)unlink(path);
    if (c->file != NULL) {
        assert_int_equal(pin_file_write_atomic(path, c->file, strlen(c->file), 0644, &why), PIN_OK);
    }
    pin_clock_set_fake(1, (int64_t)NOW_S * 1000);
    assert_int_equal(pin_serial_store_open(dir, &store, &why), PIN_OK);
    pin_serial_store_begin(store, &config);
    assert_int_equal(config.first_serial, c->want);
    assert_int_equal(config.n_floors, c->n_floors);
    if (c->n_floors > 0) {
        assert_int_equal(config.floors[0].serial, 7);
        assert_memory_equal(config.floors[0].zone.wire, "\4corp\7example", 14);
    }
    pin_serial_store_free(store);
    pin_clock_set_real();
}

/* --- what is written -------------------------------------------------------------------------- */

static void assert_file(const char *want)
{
    char *text = NULL;
    struct pin_why why = {0};
    assert_int_equal(pin_file_read(path, 4096, &text, NULL, &why), PIN_OK);
    assert_string_equal(text, want);
    free(text);
}

static void test_serials_are_set_aside(void **state)
{
    struct pin_network network = {.name = "default"};
    struct pin_settings settings = pin_test_settings(&network, 1, NULL, 0);
    struct pin_catalog *catalog = NULL;
    struct pin_serial_store *store = NULL;
    struct pin_why why = {0};
    char want[64];
    (void)state;
    (void)unlink(path);
    pin_rcu_register();
    assert_int_equal(pin_catalog_new(&settings, 100, &catalog, &why), PIN_OK);
    assert_int_equal(pin_serial_store_open(dir, &store, &why), PIN_OK);
    const struct pin_index *index = pin_catalog_live(catalog)->index;
    struct pin_zone *zone = pin_index_zone_at(index, 1);

    pin_serial_store_note(store, index, false);
    (void)snprintf(want, sizeof(want), "{\"version\":1,\"next\":%u,\"zones\":[]}\n", 100 + AHEAD);
    assert_file(want);
    zone->serial = 100 + AHEAD / 2 - 1;
    pin_serial_store_note(store, index, false);
    assert_file(want); /* half of them are left */
    zone->serial = 100 + AHEAD / 2;
    pin_serial_store_note(store, index, false);
    (void)snprintf(
        want, sizeof(want), "{\"version\":1,\"next\":%u,\"zones\":[]}\n", 100 + AHEAD / 2 + AHEAD);
    assert_file(want);
    pin_serial_store_note(store, index, true);
    (void)snprintf(
        want, sizeof(want), "{\"version\":1,\"next\":%u,\"zones\":[]}\n", 100 + AHEAD / 2 + 1);
    assert_file(want);

    pin_serial_store_free(store);
    pin_catalog_free(catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
}

/* A zone that a file fills has a floor, and moves nobody else's serials. */
static void test_a_file_has_a_floor(void **state)
{
    static const char *const filled[] = {"corp.example"};
    struct pin_network network = {.name = "default"};
    struct pin_settings settings = pin_test_settings(&network, 1, NULL, 0);
    struct pin_catalog *catalog = NULL;
    struct pin_serial_store *store = NULL;
    struct pin_name corp;
    struct pin_why why = {0};
    char want[128];
    (void)state;
    (void)unlink(path);
    settings.zones_static = filled;
    settings.n_zones_static = 1;
    pin_rcu_register();
    assert_int_equal(pin_catalog_new(&settings, 100, &catalog, &why), PIN_OK);
    assert_int_equal(pin_serial_store_open(dir, &store, &why), PIN_OK);
    assert_int_equal(pin_name_parse("corp.example", &corp), PIN_OK);
    const struct pin_index *index = pin_catalog_live(catalog)->index;
    pin_index_zone(index, &corp)->serial = 5000000;
    pin_serial_store_note(store, index, true);
    (void)snprintf(want, sizeof(want), "{\"version\":1,\"next\":%u,\"zones\":%s}\n", 101,
        "[{\"name\":\"corp.example.\",\"serial\":5000000}]");
    assert_file(want);
    pin_serial_store_free(store);
    pin_catalog_free(catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/serials.json", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(begin_cases) + 2] = {
        cmocka_unit_test(test_serials_are_set_aside), cmocka_unit_test(test_a_file_has_a_floor)};
    for (size_t i = 0; i < N_ELEMS(begin_cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = begin_cases[i].name, .test_func = test_begin, .initial_state = &begin_cases[i]};
    }
    return cmocka_run_group_tests_name("serial_store", tests, set_up, tear_down);
}
