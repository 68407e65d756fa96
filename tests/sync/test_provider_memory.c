/* SPDX-License-Identifier: Apache-2.0 */

/* Whichever allocation fails, a zone is whole or not there, a change is told or not made. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

#include "support/faults.h"
#include "sync/dnsupdate.h"
#include "sync/provider_batch.h"
#include "sync/xfr.h"
#include "sync/zonesheet.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define FAULTS_MAX  1000u

static struct pin_recordset_value value = {.text = "192.0.2.1"};
static const struct pin_recordset set = {.name = "a.example.com",
    .type = "A",
    .set_id = "",
    .ttl_s = 60,
    .values = &value,
    .n_values = 1};
static const struct pin_provider_edit edit = {.will = &set};
static const struct pin_provider_change change = {.edits = &edit, .n_edits = 1};

/* SOA, a TXT longer than a first allocation, an A, SOA; names point at the question's. */
#define SOA                                                                                        \
    "\xc0\x0c\0\6\0\1\0\0\0\x3c\0\x18\xc0\x0c\xc0\x0c\0\0\0\7\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"
#define A30 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char transfer[] = "\x12\x34\x84\0\0\1\0\4\0\0\0\0\7example\3com\0\0\xfc\0\1" SOA
                               "\1t\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\x79\x78" A30 A30 A30 A30
                               "\1a\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1" SOA;

static void try_transfer(void)
{
    const struct pin_xfr_spec spec = {.zone = "example.com", .id = 0x1234};
    struct pin_provider_listing listing;
    struct pin_xfr *xfr = pin_xfr_new(&spec);
    if (xfr == NULL) {
        return;
    }
    enum pin_xfr_state state =
        pin_xfr_take(xfr, (const uint8_t *)transfer, sizeof(transfer) - 1, 0);
    state = state == PIN_XFR_WHOLE ? pin_xfr_finish(xfr) : state;
    pin_xfr_listing(xfr, &listing);
    if (state == PIN_XFR_DONE) {
        assert_int_equal(listing.n_sets, 2);
    } else {
        assert_int_equal(state, PIN_XFR_FAULT);
        assert_int_equal(listing.fault, PIN_PROVIDER_MEMORY);
        assert_null(listing.arena);
    }
    pin_arena_free(listing.arena);
    pin_xfr_free(xfr);
}

static void try_update(void)
{
    struct pin_dnsupdate update;
    struct pin_why why = {0};
    struct pin_name zone;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    (void)pin_name_parse("example.com", &zone);
    if (arena != NULL) {
        enum pin_err err = pin_dnsupdate_encode(arena, &zone, &change, 300, &update, &why);
        assert_true(err == PIN_OK || err == PIN_ENOMEM);
    }
    pin_arena_free(arena);
}

static void try_batch(void)
{
    const struct pin_batch_limits limits = {.n_changes = 2};
    const size_t weights[] = {1, 1, 1};
    size_t first = 0;
    size_t n = 0;
    struct pin_batch *batch = pin_batch_new(N_ELEMS(weights), weights, &limits);
    while (batch != NULL && pin_batch_next(batch, &first, &n)) {
        pin_batch_settle(batch, PIN_PROVIDER_REFUSED, "no");
    }
    for (size_t i = 0; batch != NULL && i < N_ELEMS(weights); i++) {
        assert_int_equal(pin_batch_results(batch)[i].verdict, PIN_PROVIDER_REFUSED);
        assert_non_null(pin_batch_results(batch)[i].message);
    }
    pin_batch_free(batch);
}

static void try_sheet(void)
{
    static const char file[] = "; pintle records v1 example.com\n"
                               "example.com 300 IN SOA n.x h.x 7 3600 600 1209600 60\n"
                               "b.example.com 60 IN A 192.0.2.2\n";
    const char *server = "ns.x";
    const struct pin_zonesheet_frame frame = {.zone = "example.com",
        .servers = &server,
        .n_servers = 1,
        .hostmaster = "h.x",
        .default_ttl_s = 300};
    struct pin_zonesheet sheet = {.arena = pin_arena_new("test", ARENA_BYTES)};
    struct pin_text text = {0};
    struct pin_why why = {0};
    enum pin_provider_verdict verdict = PIN_PROVIDER_RETRY;
    if (sheet.arena == NULL) {
        return;
    }
    enum pin_err err = pin_zonesheet_read("example.com", file, sizeof(file) - 1, &sheet, &why);
    assert_true(err == PIN_OK || err == PIN_ENOMEM);
    if (err == PIN_OK && pin_zonesheet_apply(&sheet, &frame, &change, &verdict, &why)) {
        assert_int_equal(verdict, PIN_PROVIDER_APPLIED);
        assert_int_equal(sheet.n_sets, 2);
        assert_true(pin_zonesheet_write(&sheet, &frame, &text) == !text.failed);
    }
    pin_text_done(&text);
    pin_arena_free(sheet.arena);
}

static struct memory_case {
    const char *name; /* reads as a sentence in the test report */
    void (*try)(void);
} cases[] = {
    {"a transfer is whole or a fault", try_transfer},
    {"an update is made or told", try_update},
    {"a batch says what became of each change", try_batch},
    {"a file is read and changed, or told", try_sheet},
};

static void test_memory(void **state)
{
    const struct memory_case *c = *state;
    unsigned n_good = 0;
    for (;; n_good++) {
        assert_true(n_good < FAULTS_MAX);
        pin_faults_start(n_good, 1);
        c->try();
        if (pin_faults_stop() == 0) {
            break;
        }
    }
    assert_true(n_good > 2);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_memory, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("provider_memory", tests, NULL, NULL);
}
