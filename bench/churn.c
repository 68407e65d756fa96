/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A Pintle whose names change all the time: the builder's and the workers' real threads, and a
 * feeder in the place of the sources.
 *
 *     churn NAMES        prints "port=P" when every name is served
 *     RATE on stdin      from now on so many changes a second, 0 stops them; prints "changes=K",
 *                        those made since the start
 *
 * Name k begins in generation k, and the k-th change gives name k mod NAMES generation NAMES + k:
 * four addresses, 10.0.0.0 + 4 * generation and the three behind it, all in one EndpointSlice. So
 * an answer that mixes two generations shows. Ends with its input.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/yaml.h"

#include "resolver/builder.h"
#include "resolver/worker.h"
#include "support/defaults.h"
#include "sync/decode.h"

#define N_EACH         4u
#define NAMES_MAX      100000u
#define RATE_MAX       100000u
#define MANIFEST_BYTES 2048u
#define SCRATCH_BYTES  ((size_t)16 << 20)
#define NS_PER_S       INT64_C(1000000000)
#define NS_PER_STEP    INT64_C(200000)
#define SETTLE_MS      500

struct churn {
    struct pin_network network;
    struct pin_cluster_settings cluster;
    struct pin_settings settings;
    struct pin_loop *loop;
    struct pin_builder *builder;
    struct pin_workers *workers;
    struct pin_arena *scratch;
    unsigned n_names;
    uint32_t n_changes;
};

static struct churn churn;

static void on_room(void *arg)
{
    (void)arg; /* the feeder tries again on its own */
}

static void doze(int64_t ns)
{
    struct timespec pause = {.tv_nsec = (long)ns};
    (void)nanosleep(&pause, NULL);
}

/* Hands one object over as a source would; waits while the queue is full. */
static bool push(struct pin_object *object)
{
    struct pin_delta *delta = pin_delta_upsert(0, object);
    if (delta == NULL) {
        return false;
    }
    while (!pin_builder_push(churn.builder, delta)) {
        doze(NS_PER_STEP);
    }
    return true;
}

static bool mark(enum pin_delta_op op, enum pin_kind kind)
{
    struct pin_delta *delta = pin_delta_mark(0, op, kind);
    while (delta != NULL && !pin_builder_push(churn.builder, delta)) {
        doze(NS_PER_STEP);
    }
    return delta != NULL;
}

/* Reads every document of a text and hands its object over. */
static bool feed(const char *text, size_t bytes)
{
    struct pin_tree *documents = NULL;
    struct pin_why why = {0};
    pin_arena_reset(churn.scratch);
    if (pin_yaml_parse(text, bytes, churn.scratch, &documents, &why) != PIN_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return false;
    }
    PIN_TREE_EACH(document, documents)
    {
        struct pin_object *object = NULL;
        if (pin_decode(document, &object, &why) != PIN_OK || !push(object)) {
            (void)fprintf(stderr, "%s\n", why.text);
            return false;
        }
    }
    return true;
}

static bool feed_slice(unsigned i, uint32_t generation)
{
    char text[MANIFEST_BYTES];
    size_t at = (size_t)snprintf(text, sizeof(text),
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        "metadata: {name: svc-%05u, namespace: ns, labels: {kubernetes.io/service-name: "
        "svc-%05u}}\naddressType: IPv4\nports: [{name: http, port: 80, protocol: TCP}]\n"
        "endpoints:\n",
        i, i);
    for (unsigned k = 0; k < N_EACH; k++) {
        uint32_t ip = generation * N_EACH + k;
        at += (size_t)snprintf(text + at, sizeof(text) - at,
            "- {addresses: [10.%u.%u.%u], conditions: {ready: true}}\n", ip >> 16 & 255,
            ip >> 8 & 255, ip & 255);
    }
    return feed(text, at);
}

static bool feed_service(unsigned i)
{
    char text[MANIFEST_BYTES];
    int bytes = snprintf(text, sizeof(text),
        "apiVersion: v1\nkind: Service\nmetadata: {name: svc-%05u, namespace: ns}\n"
        "spec: {clusterIP: 10.255.%u.%u, ports: [{name: http, port: 80, protocol: TCP}]}\n---\n"
        "apiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\n"
        "metadata: {name: svc-%05u, namespace: ns}\n",
        i, i >> 8 & 255, i & 255, i);
    return feed(text, (size_t)bytes) && feed_slice(i, i);
}

/* Lists everything, as a source does at its start. */
static bool fill(void)
{
    for (unsigned kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (!mark(PIN_DELTA_LIST_BEGIN, (enum pin_kind)kind)) {
            return false;
        }
    }
    for (unsigned i = 0; i < churn.n_names; i++) {
        if (!feed_service(i)) {
            return false;
        }
    }
    for (unsigned kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (!mark(PIN_DELTA_LIST_END, (enum pin_kind)kind)) {
            return false;
        }
    }
    return mark(PIN_DELTA_SYNCED, PIN_KIND_SERVICE) && mark(PIN_DELTA_UP, PIN_KIND_SERVICE);
}

static bool start(struct pin_why *why)
{
    churn.network.name = "default";
    churn.cluster = (struct pin_cluster_settings){.name = "c1", .weight = PIN_WEIGHT_UNSET};
    churn.settings = pin_test_settings(&churn.network, 1, &churn.cluster, 1);
    churn.settings.address = PIN_ADDRESS_ENDPOINTS;
    churn.loop = pin_loop_new();
    churn.scratch = pin_arena_new("churn", SCRATCH_BYTES);
    struct pin_builder_config builder = {
        .settings = &churn.settings, .loop = churn.loop, .on_room = on_room};
    if (churn.loop == NULL || churn.scratch == NULL
        || pin_builder_start(&builder, &churn.builder, why) != PIN_OK || !fill()) {
        return false;
    }
    struct pin_listen_spec listen = {.cluster_id = PIN_CLUSTER_NONE};
    struct pin_workers_config workers = {.live = pin_builder_live(churn.builder),
        .listens = &listen,
        .n_listens = 1,
        .n_workers = 1};
    return pin_addrport_parse("127.0.0.1:0", 0, &listen.address)
           && pin_workers_start(&workers, &churn.workers, why) == PIN_OK;
}

/* Whether another rate is on standard input, or its end. */
static bool has_input(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* Makes changes evenly until there is input. */
static bool make_changes(unsigned rate)
{
    int64_t start_ns = pin_clock_mono_ns();
    uint32_t before = churn.n_changes;
    while (!has_input()) {
        int64_t passed_ns = pin_clock_mono_ns() - start_ns;
        uint32_t n_due = before + (uint32_t)(passed_ns / (NS_PER_S / (int64_t)rate));
        for (; churn.n_changes < n_due; churn.n_changes++) {
            if (!feed_slice(churn.n_changes % churn.n_names, churn.n_names + churn.n_changes)) {
                return false;
            }
        }
        doze(NS_PER_STEP);
    }
    return true;
}

/* Obeys the lines on standard input. */
static bool serve(void)
{
    char line[32];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        unsigned long rate = strtoul(line, NULL, 10);
        (void)printf("changes=%u\n", churn.n_changes);
        (void)fflush(stdout);
        if (rate > RATE_MAX || (rate > 0 && !make_changes((unsigned)rate))) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct pin_why why = {0};
    struct pin_addrport address;
    churn.n_names = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (churn.n_names == 0 || churn.n_names > NAMES_MAX) {
        (void)fprintf(stderr, "usage: %s NAMES (1 to %u) < rates\n", argv[0], NAMES_MAX);
        return 2;
    }
    (void)setvbuf(stdin, NULL, _IONBF, 0); /* what is buffered poll() would not see */
    if (!start(&why)) {
        (void)fprintf(stderr, "%s\n", why.text);
        return EXIT_FAILURE;
    }
    doze(SETTLE_MS * NS_PER_S / 1000);
    pin_workers_address(churn.workers, 0, &address);
    (void)printf("port=%u\n", address.port);
    (void)fflush(stdout);
    bool is_good = serve();
    pin_workers_stop(churn.workers);
    pin_builder_stop(churn.builder);
    pin_loop_free(churn.loop);
    pin_arena_free(churn.scratch);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
