/* SPDX-License-Identifier: Apache-2.0 */

/* The corners of the encoder: no room at all, addresses that are down, names that nothing can point
 * at, an answer that is signed. Tables are made by hand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/checked.h"

#include "resolver/response.h"

#define QUESTION                                                                                   \
    "\x12\x34\1\0\0\1\0\0\0\0\0\0"                                                                 \
    "\1a\0\0\1\0\1"
#define QUESTION_BYTES (sizeof(QUESTION) - 1)
#define N_RRS          4u
#define SECRET         "0123456789abcdef0123456789abcdef"

static uint8_t wire[65536];
static uint8_t rrs[N_RRS * PIN_RR_A_BYTES];
static struct pin_draws draws;
static struct pin_checked_item items[N_RRS];
static struct pin_checked_group group = {.count = N_RRS, .n_items = N_RRS};
static const uint32_t backend = 1;
static _Atomic uint64_t verdicts[N_RRS];
static struct pin_checked checked = {.n_backends = 1,
    .n_groups = 1,
    .n_items = N_RRS,
    .n_limit = PIN_PICK_MAX,
    .backends = &backend,
    .groups = &group,
    .items = items};

static const struct pin_uneven uneven = {.total = N_RRS, .checked = &checked};
static struct pin_table table;

/* Four addresses, of which the first is down, and a response with room for `room` bytes. */
static struct pin_response stage(enum pin_table_form form, bool is_whole, size_t room)
{
    struct pin_query query = {.question_end = QUESTION_BYTES, .qname_bytes = 3};
    struct pin_packet packet = {
        .wire = wire, .bytes = QUESTION_BYTES, .cap_bytes = PIN_UDP_MIN_BYTES};
    struct pin_response response;
    memcpy(wire, QUESTION, QUESTION_BYTES);
    for (uint32_t i = 0; i < N_RRS; i++) {
        const uint8_t rr[PIN_RR_A_BYTES] = {
            0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, (uint8_t)(i + 1)};
        memcpy(rrs + (size_t)i * PIN_RR_A_BYTES, rr, sizeof(rr));
        items[i] = (struct pin_checked_item){.slot = i, .rr_i = (uint16_t)i};
        atomic_store(&verdicts[i], pin_health_pack((struct pin_health_state){
                                       .verdict = i == 0 ? PIN_VERDICT_DOWN : PIN_VERDICT_UP}));
    }
    table = (struct pin_table){.form = form,
        .mode = PIN_ANSWERS_SUBSET,
        .is_whole = is_whole,
        .n_rr = N_RRS,
        .n_pick_max = N_RRS,
        .rr_bytes = PIN_RR_A_BYTES,
        .wire_bytes = sizeof(rrs),
        .uneven = &uneven,
        .wire = rrs};
    pin_response_init(&response, &packet, &query, false);
    response.limit_bytes = QUESTION_BYTES + room;
    response.verdicts = verdicts;
    return response;
}

static int set_up(void **state)
{
    (void)state;
    return pin_draws_init(&draws, 16, 0) == PIN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pin_draws_done(&draws);
    return 0;
}

/* --- room ---------------------------------------------------------------------------------- */

static struct room_case {
    const char *name;
    enum pin_table_form form;
    bool is_whole;
    bool is_checked;
    size_t n_room; /* addresses that fit */
    uint16_t n_want;
    bool is_truncated;
} rooms[] = {
    {"a choice that has no room at all sets TC", PIN_TABLE_DRAWN, false, false, 0, 0, true},
    {"one with room for two shows two", PIN_TABLE_DRAWN, false, false, 2, 2, false},
    {"a checked choice without room sets TC", PIN_TABLE_DRAWN, false, true, 0, 0, true},
    {"a checked choice shows what is up", PIN_TABLE_DRAWN, false, true, 4, 3, false},
    {"a checked choice is cut without TC", PIN_TABLE_DRAWN, false, true, 2, 2, false},
    {"a checked whole shows what is up", PIN_TABLE_DRAWN, true, true, 4, 3, false},
    {"a checked whole that does not fit sets TC", PIN_TABLE_DRAWN, true, true, 2, 2, true},
    {"checked RRs in their order show what is up", PIN_TABLE_FIXED, false, true, 4, 3, false},
    {"checked RRs that do not fit set TC", PIN_TABLE_FIXED, false, true, 1, 1, true},
    {"RRs in their order are cut where one does not fit", PIN_TABLE_FIXED, false, false, 3, 3,
        true},
    {"and none is left when none does", PIN_TABLE_FIXED, false, false, 0, 0, true},
};

static void test_room(void **state)
{
    const struct room_case *c = *state;
    struct pin_response response = stage(c->form, c->is_whole, c->n_room * PIN_RR_A_BYTES + 3);
    table.uneven = c->is_checked ? &uneven : NULL;
    table.tally = c->n_want == 0; /* what is cut to nothing counts nobody: there are no counters */
    (void)pin_response_add_table(&response, PIN_SECTION_ANSWER, &table, &draws, PIN_HEADER_BYTES);
    table.tally = 0;
    assert_int_equal(response.n_rr[PIN_SECTION_ANSWER], c->n_want);
    assert_int_equal(response.is_truncated, c->is_truncated);
    assert_int_equal(response.used_bytes, QUESTION_BYTES + (size_t)c->n_want * PIN_RR_A_BYTES);
    assert_true(response.used_bytes <= response.limit_bytes);
}

/* --- addresses of targets ------------------------------------------------------------------- */

static void test_targets_out_of_reach(void **state)
{
    struct pin_response response = stage(PIN_TABLE_FIXED, false, 400);
    struct pin_table addresses = table;
    struct {
        struct pin_table table;
        struct pin_extra extra; /* where pin_table_extras() looks for it */
    } named = {.table = table, .extra = {.target_offset = 12, .a = &addresses}};
    (void)state;
    addresses.uneven = NULL;
    named.table.uneven = NULL;
    named.table.n_extras = 1;
    size_t at = pin_response_add_table(
        &response, PIN_SECTION_ANSWER, &named.table, &draws, PIN_HEADER_BYTES);
    pin_response_add_extras(&response, &named.table, at, &draws);
    assert_int_equal(response.n_rr[PIN_SECTION_ADDITIONAL], N_RRS);

    named.extra.target_offset = 4000; /* behind the RRs that were left out */
    pin_response_add_extras(&response, &named.table, at, &draws);
    assert_int_equal(response.n_rr[PIN_SECTION_ADDITIONAL], N_RRS);
}

/* --- signatures and options ------------------------------------------------------------------ */

static struct pin_tsig_key key = {
    .hash = PIN_HASH_SHA256, .secret = (const uint8_t *)SECRET, .secret_bytes = sizeof(SECRET) - 1};

static void test_signed_answer(void **state)
{
    struct pin_query query = {
        .question_end = QUESTION_BYTES, .qname_bytes = 3, .has_question = true};
    struct pin_tsig tsig;
    (void)state;
    assert_int_equal(pin_name_parse("key", &key.name), PIN_OK);

    struct pin_response response = stage(PIN_TABLE_FIXED, false, 400);
    size_t limit_bytes = response.limit_bytes;
    pin_tsig_begin(&tsig, &key);
    pin_response_seal(&response, &tsig, 1700000000);
    assert_int_equal(response.limit_bytes, limit_bytes - pin_tsig_room(&tsig));
    size_t bytes = pin_response_finish(&response, &query);
    assert_true(bytes > QUESTION_BYTES && bytes <= QUESTION_BYTES + pin_tsig_room(&tsig));
    assert_int_equal(wire[11], 1); /* the TSIG is an additional record */
    assert_memory_equal(wire + QUESTION_BYTES, "\3key\0\0\xfa\0\xff", 9);

    response = stage(PIN_TABLE_FIXED, false, 10); /* less than the TSIG needs: nothing else goes */
    pin_tsig_begin(&tsig, &key);
    pin_response_seal(&response, &tsig, 1700000000);
    assert_int_equal(response.limit_bytes, response.used_bytes);
    assert_true(pin_response_finish(&response, &query) > QUESTION_BYTES);
}

/* Who did not meet the options repeats the subnet, and nothing else. */
static void test_subnet_without_manners(void **state)
{
    struct pin_query query = {.question_end = QUESTION_BYTES,
        .has_edns = true,
        .options = PIN_SAID_ECS | PIN_SAID_NSID | PIN_SAID_COOKIE,
        .ecs = {.at = 30, .bytes = 7},
        .ecs_copy = {0, 1, 24, 0, 192, 0, 2}};
    struct pin_response response = stage(PIN_TABLE_FIXED, false, 400);
    (void)state;
    response.ecs_scope = 24;
    pin_response_put_opt(&response, &query);
    assert_int_equal(response.used_bytes, QUESTION_BYTES + PIN_OPT_BYTES + 11);
    assert_memory_equal(
        wire + QUESTION_BYTES + PIN_OPT_BYTES, "\0\x08\0\7\0\1\x18\x18\xc0\0\2", 11);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_targets_out_of_reach),
        cmocka_unit_test(test_signed_answer),
        cmocka_unit_test(test_subnet_without_manners),
    };
    struct CMUnitTest tests[N_ELEMS(rooms) + N_ELEMS(others)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(rooms); i++) {
        tests[i] = (struct CMUnitTest){
            .name = rooms[i].name, .test_func = test_room, .initial_state = &rooms[i]};
    }
    memcpy(tests + N_ELEMS(rooms), others, sizeof(others));
    return cmocka_run_group_tests_name("encoder", tests, set_up, tear_down);
}
