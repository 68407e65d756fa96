/* SPDX-License-Identifier: Apache-2.0 */

/* A name that appears is whole for who asks at that moment: records of its own come before names
 * below it, which would make it an empty non-terminal. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/index.h"

#include "support/stage.h"

#define C1       0
#define SERVICES 400

static struct pin_stage stage;
static struct pin_name names[SERVICES];
static atomic_bool is_over;

/* Looks for one name after the other and counts those that were there, but empty. */
static void *watch_names(void *arg)
{
    size_t *n_empty = arg;
    const struct pin_index *index = pin_catalog_live(stage.catalog)->index;
    pin_rcu_register();
    for (size_t i = 0; i < SERVICES && !atomic_load(&is_over);) {
        const struct pin_node *node = pin_index_find(index, names[i].wire, names[i].bytes);
        if (node != NULL) {
            *n_empty += node->n_rrsets == 0 ? 1 : 0;
            i++;
        }
        pin_rcu_quiescent();
    }
    pin_rcu_unregister();
    return NULL;
}

static void add_service(int i)
{
    char yaml[1024];
    struct pin_why why = {0};
    int bytes = snprintf(yaml, sizeof(yaml),
        "{apiVersion: v1, kind: Service, metadata: {namespace: d, name: s%d},"
        " spec: {clusterIP: None, ports: [{name: http, port: 80}]}}\n---\n"
        "{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceExport,"
        " metadata: {namespace: d, name: s%d}}\n---\n"
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,"
        " metadata: {namespace: d, name: s%d-1, labels: {kubernetes.io/service-name: s%d}},"
        " ports: [{name: http, port: 80}], endpoints: [{addresses: [10.1.0.1]}]}\n",
        i, i, i, i);
    if (pin_stage_apply(&stage, C1, yaml, (size_t)bytes, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
}

static void test_a_name_is_never_seen_empty(void **state)
{
    struct pin_why why = {0};
    pthread_t thread;
    size_t n_empty = 0;
    (void)state;
    pin_stage_init(&stage);
    assert_non_null(pin_stage_add_cluster(&stage, "c1"));
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
    for (int i = 0; i < SERVICES; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "s%d.d.svc.clusterset.local", i);
        assert_int_equal(pin_name_parse(text, &names[i]), PIN_OK);
    }
    assert_int_equal(pthread_create(&thread, NULL, watch_names, &n_empty), 0);
    for (int i = 0; i < SERVICES; i++) {
        add_service(i);
        (void)pin_catalog_publish(stage.catalog, 1);
        pin_rcu_quiescent();
    }
    atomic_store(&is_over, true);
    pin_rcu_offline();
    assert_int_equal(pthread_join(thread, NULL), 0);
    pin_rcu_online();
    const struct pin_node *last = pin_index_find(pin_catalog_live(stage.catalog)->index,
        names[SERVICES - 1].wire, names[SERVICES - 1].bytes);
    assert_non_null(last);
    assert_true(last->n_rrsets > 0);
    pin_stage_done(&stage);
    assert_int_equal(n_empty, 0);
}

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_name_is_never_seen_empty)};
    pin_log_set_sink(drop_log, NULL);
    return cmocka_run_group_tests_name("appear", tests, NULL, NULL);
}
