/* SPDX-License-Identifier: Apache-2.0 */

/* Sticky answers (case 136): a client keeps its address, its neighbours' too when another goes, and
 * over many clients the weights hold. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "support/message.h"
#include "support/stage.h"

#define N_CLIENTS 1000u
#define N_MANY    20000u
#define NAME      "cart.shop.svc.clusterset.local"

static struct pin_stage stage;

/* Client i: 198.18.hi.lo, or 2001:db8:hi:lo::<host>. */
static struct pin_ip client(unsigned i, uint8_t family, uint8_t host)
{
    uint8_t v4[4] = {198, 18, (uint8_t)(i >> 8), (uint8_t)i};
    uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)(i >> 8), 0, (uint8_t)i};
    v6[15] = host;
    return pin_ip_from_bytes(family == 4 ? v4 : v6, family);
}

/* The Service, with endpoints 10.1.0.first to last and weight 1 or, in c2, `weight`. */
static void set_service(unsigned first, unsigned last, unsigned weight)
{
    static char yaml[4096];
    struct pin_why why = {0};
    for (uint16_t cluster_id = 0; cluster_id < 2; cluster_id++) {
        unsigned n = cluster_id == 0 ? last - first + 1 : weight > 0;
        int at = snprintf(yaml, sizeof(yaml),
            "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: cart, annotations: "
            "{service.cilium.io/global: 'true', pintle.dev/weight: '%u'}}, spec: {clusterIP: "
            "10.96.%u.1, sessionAffinity: ClientIP, ports: [{port: 80}]}}\n---\n"
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, "
            "name: cart-1, labels: {kubernetes.io/service-name: cart}}, addressType: IPv4, ports: "
            "[{port: 80}], endpoints: [",
            cluster_id == 0 ? 1 : weight, cluster_id);
        for (unsigned i = 0; i < n; i++) {
            at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "{addresses: [10.%u.0.%u]}, ",
                cluster_id + 1u, first + i);
        }
        at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "]}\n");
        assert_int_equal(pin_stage_apply(&stage, cluster_id, yaml, (size_t)at, &why), PIN_OK);
    }
    pin_stage_publish(&stage);
}

/* The last two bytes of the one address the client is shown: cluster and number. */
static unsigned ask(struct pin_ip source)
{
    struct pin_stage_asker asker = {.source = source, .listen_cluster_id = PIN_CLUSTER_NONE};
    struct message_query query = {.name = NAME, .type = PIN_TYPE_A};
    size_t bytes = message_build(&query, stage.wire);
    bytes = pin_stage_ask(&stage, &asker, bytes, PIN_TRANSPORT_UDP);
    assert_int_equal(stage.wire[7], 1);
    return (unsigned)stage.wire[bytes - 3] << 8 | stage.wire[bytes - 1];
}

static void test_minimal_remap(void **state)
{
    static unsigned before[N_CLIENTS];
    unsigned n_moved = 0;
    unsigned n_wrong = 0;
    (void)state;
    set_service(1, 10, 0);
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        before[i] = ask(client(i, 4, 0));
        assert_int_equal(ask(client(i, 4, 0)), before[i]);
    }
    set_service(1, 9, 0);
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        bool has_moved = ask(client(i, 4, 0)) != before[i];
        n_moved += has_moved;
        n_wrong += has_moved != ((before[i] & 0xFF) == 10);
    }
    assert_int_equal(n_wrong, 0);
    assert_in_range(n_moved, 80, 120);
    set_service(1, 10, 0);
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        assert_int_equal(ask(client(i, 4, 0)), before[i]);
    }
}

static void test_equal_shares(void **state)
{
    unsigned count[11] = {0};
    (void)state;
    set_service(1, 10, 0);
    for (unsigned i = 0; i < N_MANY; i++) {
        count[ask(client(i, 4, 0)) & 0xFF]++;
    }
    for (size_t i = 1; i <= 10; i++) {
        assert_in_range(count[i], 1850, 2150); /* 2000, within 3.5 deviations */
    }
}

static void test_weights(void **state)
{
    unsigned n_c1 = 0;
    (void)state;
    set_service(1, 1, 9);
    for (unsigned i = 0; i < N_MANY; i++) {
        n_c1 += ask(client(i, 4, 0)) >> 8 == 1;
    }
    assert_in_range(n_c1, 1850, 2150); /* 10 % */
    set_service(1, 4, 9999);
    n_c1 = 0;
    for (unsigned i = 0; i < N_MANY; i++) {
        n_c1 += ask(client(i, 4, 0)) >> 8 == 1;
    }
    assert_in_range(n_c1, 0, 9); /* 2 of 20,000 */
}

static void test_ipv6_network(void **state)
{
    unsigned n_different = 0;
    (void)state;
    set_service(1, 10, 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(ask(client(i, 6, 1)), ask(client(i, 6, 2)));
        n_different += ask(client(i, 6, 1)) != ask(client(i + 1, 6, 1));
    }
    assert_in_range(n_different, 70, 100);
}

static int set_up(void **state)
{
    struct pin_why why = {0};
    (void)state;
    pin_rcu_register();
    pin_stage_init(&stage);
    (void)pin_stage_add_cluster(&stage, "c1");
    (void)pin_stage_add_cluster(&stage, "c2");
    stage.settings.address = PIN_ADDRESS_ENDPOINTS;
    if (pin_stage_open(&stage, &why) != PIN_OK) {
        return -1;
    }
    for (uint16_t i = 0; i < 2; i++) {
        pin_stage_mark(&stage, i, PIN_DELTA_UP, PIN_KIND_SERVICE);
        pin_stage_mark(&stage, i, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_stage_done(&stage);
    pin_rcu_unregister();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"case 136: of 10 backends one goes: its clients move, 1,000 in all, the others stay",
            test_minimal_remap, NULL, NULL, NULL},
        {"case 136: equal weights share many clients alike", test_equal_shares, NULL, NULL, NULL},
        {"case 136: weights share many clients", test_weights, NULL, NULL, NULL},
        {"case 136: an IPv6 client is its /64", test_ipv6_network, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("sticky", tests, set_up, tear_down);
}
