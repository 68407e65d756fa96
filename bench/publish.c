/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one change costs the builder: an endpoint of one Service gets another address, among as many
 * endpoints as the first argument says, five or as many as the second one says to a Service. Prints
 * key=value pairs: the medians of reading the manifest and taking its object, and of publishing
 * what follows from it, and what the heap holds then: objects, units, tables and names.
 */

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/rand.h"
#include "pintle/base/rcu.h"

#include "support/stage.h"

#define N_EACH_DEFAULT 5u
#define N_EACH_MAX     1000u
#define N_CHANGES      2001u
#define N_AT_ONCE      5000u /* endpoints published at once while filling */
#define MANIFEST_MAX   (1024u + N_EACH_MAX * 64u)
#define NS_PER_US      1000.0

static struct pin_stage stage;
static char manifest[MANIFEST_MAX];
static int64_t apply_ns[N_CHANGES];
static int64_t publish_ns[N_CHANGES];
static unsigned n_each = N_EACH_DEFAULT;

static const char service_text[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: s-%u, namespace: ns}\n"
    "spec: {clusterIP: None, ports: [{name: http, port: 80, targetPort: 80, protocol: TCP}]}\n---\n"
    "apiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\n"
    "metadata: {name: s-%u, namespace: ns}\n---\n";

static const char slice_text[] =
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
    "metadata: {name: s-%u, namespace: ns, labels: {kubernetes.io/service-name: s-%u}}\n"
    "addressType: IPv4\nports: [{name: http, port: 80, protocol: TCP}]\nendpoints:\n";

/* Publishes as the builder does: then nothing of the index is held, and what is old is freed. */
static void publish(void)
{
    pin_stage_publish(&stage);
    pin_rcu_quiescent();
}

/* Appends the slice of a Service; its first endpoint has the address `first`. */
static size_t put_slice(size_t at, unsigned i, uint32_t first)
{
    at += (size_t)snprintf(manifest + at, sizeof(manifest) - at, slice_text, i, i);
    for (unsigned k = 0; k < n_each; k++) {
        uint32_t ip = k == 0 ? first : i * n_each + k;
        at += (size_t)snprintf(manifest + at, sizeof(manifest) - at,
            "- {addresses: [%u.%u.%u.%u], conditions: {ready: true}}\n", 10 + (ip >> 24 & 1),
            ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    }
    return at;
}

static bool apply(size_t bytes)
{
    struct pin_why why = {0};
    if (pin_stage_apply(&stage, 0, manifest, bytes, &why) != PIN_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return false;
    }
    return true;
}

static bool fill(unsigned n_services)
{
    for (unsigned i = 0; i < n_services; i++) {
        size_t bytes = (size_t)snprintf(manifest, sizeof(manifest), service_text, i, i);
        if (!apply(put_slice(bytes, i, i * n_each))) {
            return false;
        }
        if (i % (N_AT_ONCE / n_each + 1) == 0) {
            publish();
        }
    }
    publish();
    return true;
}

/* Makes one change; its cost goes to the k-th places. */
static bool change(unsigned n_services, unsigned k)
{
    unsigned i = (unsigned)pin_rand_below(n_services);
    size_t bytes = put_slice(0, i, (UINT32_C(1) << 24) + k);
    int64_t start_ns = pin_clock_thread_cpu_ns();
    if (!apply(bytes)) {
        return false;
    }
    int64_t applied_ns = pin_clock_thread_cpu_ns();
    publish();
    apply_ns[k] = applied_ns - start_ns;
    publish_ns[k] = pin_clock_thread_cpu_ns() - applied_ns;
    return stage.published.n_units == 1 && stage.published.n_names > 0;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double quantile_us(int64_t *took_ns, size_t percent)
{
    qsort(took_ns, N_CHANGES, sizeof(*took_ns), compare);
    size_t at = N_CHANGES * percent / 100;
    return (double)took_ns[at] / NS_PER_US;
}

/* Bytes that are allocated, once what was replaced is freed. */
static size_t heap_bytes(void)
{
    pin_rcu_barrier();
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

int main(int argc, char **argv)
{
    struct pin_why why = {0};
    unsigned long n_endpoints = argc >= 2 ? strtoul(argv[1], NULL, 10) : 0;
    n_each = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : N_EACH_DEFAULT;
    unsigned n_services = n_each == 0 ? 0 : (unsigned)(n_endpoints / n_each);
    if (n_services == 0 || n_endpoints > UINT64_C(5000000) || n_each > N_EACH_MAX) {
        (void)fprintf(stderr, "usage: %s ENDPOINTS [TO A SERVICE]\n", argv[0]);
        return 2;
    }
    pin_rcu_register();
    pin_stage_init(&stage);
    if (pin_stage_add_cluster(&stage, "c1") == NULL || pin_stage_open(&stage, &why) != PIN_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return EXIT_FAILURE;
    }
    if (!fill(n_services)) {
        return EXIT_FAILURE;
    }
    for (unsigned k = 0; k < N_CHANGES; k++) {
        if (!change(n_services, k)) {
            (void)fprintf(stderr, "a change changed no name\n");
            return EXIT_FAILURE;
        }
    }
    size_t held = heap_bytes();
    (void)printf("endpoints=%u apply_us=%.1f publish_us=%.1f publish_p99_us=%.1f heap_mib=%.1f "
                 "bytes_per_endpoint=%.1f\n",
        n_services * n_each, quantile_us(apply_ns, 50), quantile_us(publish_ns, 50),
        quantile_us(publish_ns, 99), (double)held / (1 << 20),
        (double)held / (n_services * n_each));
    pin_stage_done(&stage);
    pin_rcu_unregister();
    return EXIT_SUCCESS;
}
