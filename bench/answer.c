/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one answer costs without the kernel: nanoseconds of pin_answer() for questions about many
 * names in random order, next to the same loop that only copies the question.
 */

#include "resolver/answer.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/rand.h"
#include "pintle/zones/settings.h"

#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define N_NAMES     10000u
#define N_QUERIES   65536u
#define N_ROUNDS    32u
#define QUERY_BYTES 192u
#define BATCH       64u

/* One kind of question; %u is replaced by a number below N_NAMES. */
struct kind {
    const char *title;
    const char *name;
    uint16_t type;
    bool has_edns;
    const char *options; /* of the OPT, or NULL */
    size_t options_bytes;
};

#define CLIENT_COOKIE "\0\x0a\0\x08\1\2\3\4\5\6\7\x08"
/* A cookie with another server's part: two hashes to see that, one for a new cookie. */
#define BAD_COOKIE       "\0\x0a\0\x18\1\2\3\4\5\6\7\x08\1\0\0\0\1\2\3\4\1\2\3\4\5\6\7\x08"
#define OPTIONS(literal) literal, sizeof(literal) - 1

static const struct kind kinds[] = {
    {"A, 10,000 names", "a-%u.t.example", 1, false, NULL, 0},
    {"A with EDNS, 10,000 names", "a-%u.t.example", 1, true, NULL, 0},
    {"A with a client's cookie", "a-%u.t.example", 1, true, OPTIONS(CLIENT_COOKIE)},
    {"A with a bad cookie", "a-%u.t.example", 1, true, OPTIONS(BAD_COOKIE)},
    {"A, one name", "four.t.example", 1, false, NULL, 0},
    {"A 10/90", "split.t.example", 1, false, NULL, 0},
    {"A sticky, 10 addresses", "stuck.t.example", 1, false, NULL, 0},
    {"A sticky, 1000 addresses", "stuck-1000.t.example", 1, false, NULL, 0},
    {"A sticky, 1000 with weights", "stuck-weights.t.example", 1, false, NULL, 0},
    {"AAAA, 10,000 names", "a-%u.t.example", 28, false, NULL, 0},
    {"SRV with addresses", "srv.t.example", 33, false, NULL, 0},
    {"NODATA", "a-%u.t.example", 16, false, NULL, 0},
    {"NXDOMAIN, one label off", "b-%u.t.example", 1, false, NULL, 0},
    {"NXDOMAIN, search path", "a-%u.t.example.default.svc.test", 1, false, NULL, 0},
    {"refused", "a-%u.example.com", 1, false, NULL, 0},
};

struct query {
    size_t bytes;
    uint8_t wire[QUERY_BYTES];
};

static struct query queries[N_QUERIES];
static uint8_t slots[BATCH][1344];

static void make_queries(const struct kind *kind)
{
    for (size_t i = 0; i < N_QUERIES; i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s", kind->name);
        const char *number = strstr(kind->name, "%u");
        if (number != NULL) {
            (void)snprintf(name, sizeof(name), "%.*s%u%s", (int)(number - kind->name), kind->name,
                pin_rand_below(N_NAMES), number + 2);
        }
        struct message_query query = {.name = name,
            .type = kind->type,
            .has_edns = kind->has_edns,
            .edns_bytes = 1232,
            .options = (const uint8_t *)kind->options,
            .options_bytes = kind->options_bytes};
        queries[i].bytes = message_build(&query, queries[i].wire);
    }
}

/* Nanoseconds per query; without a worker, of the loop around the answer. */
static double measure(struct pin_worker *worker, size_t *ret_answer_bytes)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pin_exchange exchanges[BATCH];
    int64_t best_ns = INT64_MAX;
    for (size_t i = 0; i < BATCH; i++) {
        exchanges[i].client = (struct pin_client){
            .peer = (const struct sockaddr *)&peer, .listen_cluster_id = PIN_CLUSTER_NONE};
        exchanges[i].packet = (struct pin_packet){.wire = slots[i], .cap_bytes = sizeof(slots[0])};
    }
    for (size_t round = 0; round < N_ROUNDS; round++) {
        int64_t start_ns = pin_clock_thread_cpu_ns();
        for (size_t i = 0; i < N_QUERIES; i++) {
            memcpy(slots[i % BATCH], queries[i].wire, QUERY_BYTES);
            exchanges[i % BATCH].packet.bytes = queries[i].bytes;
            if (worker != NULL && i % BATCH == BATCH - 1) {
                pin_answer_batch(worker, exchanges, BATCH);
                *ret_answer_bytes = exchanges[0].answer_bytes;
            }
        }
        int64_t spent_ns = pin_clock_thread_cpu_ns() - start_ns;
        best_ns = spent_ns < best_ns ? spent_ns : best_ns;
    }
    return (double)best_ns / N_QUERIES;
}

int main(void)
{
    static struct pin_worker worker;
    struct world *world = world_new();
    world_add_names(world, N_NAMES);
    if (pin_worker_init(&worker, &world->live, PIN_TRANSPORT_UDP, 0) != PIN_OK) {
        return EXIT_FAILURE;
    }
    static const struct pin_manners manners = {.has_cookies = true, .secret = {.is_shared = true}};
    worker.manners = &manners;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t answer_bytes = 0;
        make_queries(&kinds[i]);
        double loop_ns = measure(NULL, &answer_bytes);
        double ns = measure(&worker, &answer_bytes);
        (void)printf(
            "%-28s %6.1f ns  (answer of %zu bytes)\n", kinds[i].title, ns - loop_ns, answer_bytes);
    }
    pin_worker_done(&worker);
    world_free(world);
    return EXIT_SUCCESS;
}
