/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the parts of one answer cost: nanoseconds of reading the query, looking the name up, drawing
 * by weight and writing the response, each alone in a loop over many names in random order.
 *
 * Alone, each part waits for its own memory and finds the processor's caches to itself; in a batch
 * (bench/answer) they share both, so the parts do not add up to the whole.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/rand.h"
#include "pintle/zones/index.h"
#include "pintle/zones/select.h"
#include "pintle/zones/settings.h"
#include "pintle/zones/table.h"

#include "resolver/query.h"
#include "resolver/response.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define N_NAMES     10000u
#define N_QUERIES   16384u
#define N_ROUNDS    64u
#define QUERY_BYTES 192u
#define GROUP       16u
#define SLOT_BYTES  1344u

/* One query with all that the later parts need of the earlier ones. */
struct subject {
    size_t bytes;
    uint8_t wire[QUERY_BYTES];
    struct pin_query query;
    const struct pin_table *four; /* four addresses, all shown */
};

static struct pin_worker worker;
static struct subject subjects[N_QUERIES];
static const struct pin_table *split; /* 10/90 */
static uint8_t slot[SLOT_BYTES];
static volatile uint64_t sink; /* so that no result is left out */

/* The table that a name shows everybody. */
static const struct pin_table *table_of(
    const struct pin_index *index, const struct pin_query *query)
{
    const struct pin_node *node = pin_index_find(index, query->qname, query->qname_bytes);
    const struct pin_rrset *rrset = node != NULL ? pin_node_rrset(node, query->qtype) : NULL;
    return rrset != NULL ? pin_rrset_base(rrset) : NULL;
}

/* Asks for a name; false when the world does not have it. */
static bool prepare(const struct pin_index *index, const char *name, struct subject *subject)
{
    struct message_query query = {.name = name, .type = 1};
    subject->bytes = message_build(&query, subject->wire);
    if (pin_query_parse(subject->wire, subject->bytes, &subject->query) != PIN_QUERY_OK) {
        return false;
    }
    subject->four = table_of(index, &subject->query);
    return subject->four != NULL;
}

static bool prepare_all(const struct pin_index *index)
{
    struct subject one;
    if (!prepare(index, "split.t.example", &one)) {
        return false;
    }
    split = one.four;
    for (size_t i = 0; i < N_QUERIES; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "a-%u.t.example", pin_rand_below(N_NAMES));
        if (!prepare(index, name, &subjects[i])) {
            return false;
        }
    }
    return true;
}

/* --- the parts: each works on one group of queries -------------------------------------------- */

static void do_nothing(size_t first)
{
    for (size_t i = first; i < first + GROUP; i++) {
        sink += subjects[i].bytes;
    }
}

static void read_query(size_t first)
{
    static struct pin_query query;
    for (size_t i = first; i < first + GROUP; i++) {
        (void)pin_query_parse(subjects[i].wire, subjects[i].bytes, &query);
        sink += query.qname_bytes;
    }
}

static void look_up(size_t first)
{
    const struct pin_index *index = worker.live->index;
    for (size_t i = first; i < first + GROUP; i++) {
        const struct pin_query *query = &subjects[i].query;
        sink += pin_index_find(index, query->qname, query->qname_bytes)->name_bytes;
    }
}

/* As the answer path does it: hash all, fetch all, find all. */
static void look_up_group(size_t first)
{
    const struct pin_index *index = worker.live->index;
    uint64_t hashes[GROUP];
    size_t at = 0;
    for (size_t i = 0; i < GROUP; i++) {
        const struct pin_query *query = &subjects[first + i].query;
        hashes[i] = pin_index_hash(index, query->qname, query->qname_bytes);
    }
    for (size_t i = 0; i < GROUP; i++) {
        pin_index_fetch(index, hashes[i]);
    }
    for (size_t i = 0; i < GROUP; i++) {
        const struct pin_query *query = &subjects[first + i].query;
        sink += pin_index_enclose_hashed(index, query->qname, query->qname_bytes, hashes[i], &at)
                    ->name_bytes;
    }
}

static void draw(size_t first)
{
    uint16_t rr_i[PIN_PICK_MAX];
    for (size_t i = first; i < first + GROUP; i++) {
        (void)pin_select_draw(split, &worker.draws, 1, rr_i);
        sink += rr_i[0];
    }
}

static void respond(size_t first)
{
    for (size_t i = first; i < first + GROUP; i++) {
        struct subject *subject = &subjects[i];
        struct pin_packet packet = {
            .wire = slot, .bytes = subject->bytes, .cap_bytes = sizeof(slot)};
        struct pin_response response;
        memcpy(slot, subject->wire, subject->bytes);
        pin_response_init(&response, &packet, &subject->query, false);
        (void)pin_response_add_table(
            &response, PIN_SECTION_ANSWER, subject->four, &worker.draws, PIN_HEADER_BYTES);
        sink += pin_response_finish(&response, &subject->query);
    }
}

/* Nanoseconds for one query, cheapest round. */
static double measure(void (*part)(size_t first))
{
    int64_t best_ns = INT64_MAX;
    for (size_t round = 0; round < N_ROUNDS; round++) {
        int64_t start_ns = pin_clock_thread_cpu_ns();
        for (size_t i = 0; i < N_QUERIES; i += GROUP) {
            part(i);
        }
        int64_t spent_ns = pin_clock_thread_cpu_ns() - start_ns;
        best_ns = spent_ns < best_ns ? spent_ns : best_ns;
    }
    return (double)best_ns / N_QUERIES;
}

int main(void)
{
    static const struct {
        const char *title;
        void (*part)(size_t first);
    } parts[] = {
        {"query: read header, question", read_query},
        {"lookup, one by one", look_up},
        {"lookup, in groups of 16", look_up_group},
        {"draw: one of 10/90", draw},
        {"response: four addresses", respond},
    };
    struct world *world = world_new();
    world_add_names(world, N_NAMES);
    if (pin_worker_init(&worker, &world->live, PIN_TRANSPORT_UDP, 0) != PIN_OK
        || !prepare_all(world->live.index)) {
        return EXIT_FAILURE;
    }
    double loop_ns = measure(do_nothing);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)printf("%-28s %6.1f ns\n", parts[i].title, measure(parts[i].part) - loop_ns);
    }
    pin_worker_done(&worker);
    world_free(world);
    return EXIT_SUCCESS;
}
