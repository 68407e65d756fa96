/* SPDX-License-Identifier: Apache-2.0 */

/* What the catalog takes is told as keys with bundles: each key once, as it is when it is taken. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/text.h"
#include "pintle/zones/bundle.h"
#include "pintle/zones/changes.h"
#include "pintle/zones/pack.h"

#include "support/faults.h"
#include "two_clusters.h"
#include "zones/changes.h"

#define ALL_FAIL 100000u
#define CART                                                                                       \
    "s/shop/cart=Service cart,ServiceExport cart,EndpointSlice cart-a,EndpointSlice cart-b;"
#define WAY "o/HTTPRoute/shop/way=HTTPRoute way;"

static struct pin_object *make(
    enum pin_kind kind, const char *namespace_name, const char *name, const char *service)
{
    struct pin_object *object = pin_object_new(kind, 64);
    object->namespace_name = pin_object_text(object, namespace_name, strlen(namespace_name));
    object->name = pin_object_text(object, name, strlen(name));
    if (kind == PIN_KIND_ENDPOINT_SLICE) {
        object->as.slice.family = 4;
        object->as.slice.service =
            service == NULL ? NULL : pin_object_text(object, service, strlen(service));
    }
    return object;
}

static void put(struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *name, const char *service)
{
    pin_catalog_apply(catalog, pin_delta_upsert(cluster_id, make(kind, "shop", name, service)));
}

static void put_cart(struct pin_catalog *catalog, uint16_t cluster_id)
{
    put(catalog, cluster_id, PIN_KIND_SERVICE, "cart", NULL);
    put(catalog, cluster_id, PIN_KIND_ENDPOINT_SLICE, "cart-b", "cart");
    put(catalog, cluster_id, PIN_KIND_ENDPOINT_SLICE, "cart-a", "cart");
    put(catalog, cluster_id, PIN_KIND_SERVICE_EXPORT, "cart", NULL);
    put(catalog, cluster_id, PIN_KIND_HTTP_ROUTE, "way", NULL);
}

/* "1 s/shop/cart=Service cart,EndpointSlice cart-a;..." of what was taken. */
static void show(const struct pin_changes_taken *taken, struct pin_text *out)
{
    for (size_t i = 0; i < taken->n; i++) {
        const struct pin_change *change = &taken->items[i];
        struct pin_bundle bundle = {0};
        struct pin_why why = {0};
        pin_text_putf(out, "%u %s=", change->cluster_id, change->key);
        if (change->value != NULL
            && pin_bundle_read(change->value, change->value_bytes, &bundle, &why) != PIN_OK) {
            fail_msg("%s", why.text);
        }
        for (size_t j = 0; j < bundle.n; j++) {
            pin_text_putf(out, "%s%s %s", j > 0 ? "," : "", pin_kind_text(bundle.objects[j]->kind),
                bundle.objects[j]->name);
        }
        pin_text_putc(out, ';');
        pin_bundle_done(&bundle);
    }
}

static void assert_taken(struct pin_catalog *catalog, size_t n_max, const char *want)
{
    struct pin_changes_taken taken;
    struct pin_text text = {0};
    pin_catalog_take_changes(catalog, n_max, SIZE_MAX, &taken);
    show(&taken, &text);
    assert_string_equal(pin_text_get(&text), want);
    pin_text_done(&text);
    pin_changes_taken_done(&taken);
}

static void test_nobody(void **state)
{
    struct pin_catalog *catalog = *state;
    put_cart(catalog, 0);
    assert_false(pin_catalog_has_changes(catalog));
    assert_taken(catalog, 10, "");
    pin_catalog_follow_nobody(catalog);
    put_cart(catalog, 0);
    assert_taken(catalog, 10, "");
}

static void test_all_of_a_cluster(void **state)
{
    struct pin_catalog *catalog = *state;
    put_cart(catalog, 0);
    put_cart(catalog, 1);
    pin_catalog_follow(catalog, 1);
    assert_true(pin_catalog_has_changes(catalog));
    assert_taken(catalog, 10,
        "1 s/shop/cart=Service cart,ServiceExport cart,EndpointSlice cart-a,EndpointSlice cart-b;"
        "1 o/HTTPRoute/shop/way=HTTPRoute way;");
    assert_false(pin_catalog_has_changes(catalog));
}

static void test_changes(void **state)
{
    struct pin_catalog *catalog = *state;
    pin_catalog_follow(catalog, 0);
    put_cart(catalog, 0);
    put_cart(catalog, 1);
    assert_taken(catalog, 1,
        "0 s/shop/cart=Service cart,ServiceExport cart,EndpointSlice cart-a,EndpointSlice "
        "cart-b;");
    assert_taken(catalog, 10, "0 o/HTTPRoute/shop/way=HTTPRoute way;");
    put(catalog, 0, PIN_KIND_ENDPOINT_SLICE, "cart-a", "cart");
    put(catalog, 0, PIN_KIND_ENDPOINT_SLICE, "cart-b", "cart");
    pin_catalog_apply(catalog, pin_delta_delete(0, PIN_KIND_ENDPOINT_SLICE, "shop", "cart-b"));
    assert_taken(
        catalog, 10, "0 s/shop/cart=Service cart,ServiceExport cart,EndpointSlice cart-a;");
}

/* It is gone from one service with the change that brings it to the other. */
static void test_moved_slice(void **state)
{
    struct pin_catalog *catalog = *state;
    put_cart(catalog, 0);
    pin_catalog_follow(catalog, 0);
    assert_taken(catalog, 1,
        "0 s/shop/cart=Service cart,ServiceExport cart,EndpointSlice cart-a,EndpointSlice "
        "cart-b;");
    assert_taken(catalog, 1, "0 o/HTTPRoute/shop/way=HTTPRoute way;");
    put(catalog, 0, PIN_KIND_ENDPOINT_SLICE, "cart-a", "basket");
    assert_taken(catalog, 10,
        "0 s/shop/cart=Service cart,ServiceExport cart,EndpointSlice cart-b;"
        "0 s/shop/basket=EndpointSlice cart-a;");
}

static void test_gone(void **state)
{
    struct pin_catalog *catalog = *state;
    put_cart(catalog, 0);
    pin_catalog_follow(catalog, 0);
    put(catalog, 0, PIN_KIND_ENDPOINT_SLICE, "lone", NULL);
    assert_taken(catalog, 2,
        "0 s/shop/cart=Service cart,ServiceExport cart,EndpointSlice cart-a,EndpointSlice cart-b;"
        "0 o/HTTPRoute/shop/way=HTTPRoute way;");
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_LIST_BEGIN, (enum pin_kind)kind));
        pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_LIST_END, (enum pin_kind)kind));
    }
    assert_taken(catalog, 10, "0 s/shop/cart=;0 o/HTTPRoute/shop/way=;");
}

static void test_states(void **state)
{
    struct pin_catalog *catalog = *state;
    struct pin_changes_taken taken;
    pin_catalog_follow(catalog, 1);
    pin_catalog_apply(catalog, pin_delta_mark(1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE));
    assert_true(pin_catalog_has_changes(catalog));
    pin_catalog_set_changes_told(catalog);
    assert_false(pin_catalog_has_changes(catalog));
    pin_catalog_take_changes(catalog, 10, 10, &taken);
    assert_int_equal(taken.n_clusters, 2);
    assert_true(taken.clusters[1].is_synced && taken.clusters[1].is_followed);
    assert_false(taken.clusters[0].is_synced || taken.clusters[0].is_followed);
    assert_false(taken.has_more);
    pin_changes_taken_done(&taken);
    pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_UP, PIN_KIND_SERVICE));
    assert_true(pin_catalog_has_changes(catalog));
}

/* No further key once their values have as many bytes as are wanted. */
static void test_bytes(void **state)
{
    struct pin_catalog *catalog = *state;
    struct pin_changes_taken taken;
    put_cart(catalog, 0);
    pin_catalog_follow(catalog, 0);
    pin_catalog_take_changes(catalog, 10, 1, &taken);
    assert_int_equal(taken.n, 1);
    assert_true(taken.has_more);
    size_t cart_bytes = taken.items[0].value_bytes;
    for (size_t more = 0; more < 2; more++) {
        pin_changes_taken_done(&taken);
        pin_catalog_follow_nobody(catalog);
        pin_catalog_follow(catalog, 0);
        pin_catalog_take_changes(catalog, 10, cart_bytes + more, &taken);
        assert_int_equal(taken.n, 1 + more);
        assert_int_equal(taken.has_more, more == 0);
    }
    pin_changes_taken_done(&taken);
}

/* Who begins anew follows only whom it names. */
static void test_begun_anew(void **state)
{
    struct pin_catalog *catalog = *state;
    const bool follows[] = {false, true};
    struct pin_changes_pull pull = {
        .is_first = true, .follows = follows, .n_follows = 2, .n_max = 10, .bytes_max = SIZE_MAX};
    put_cart(catalog, 0);
    pin_catalog_follow(catalog, 0);
    pin_catalog_pull(catalog, &pull);
    assert_int_equal(pull.taken.n, 0);
    assert_false(pull.taken.clusters[0].is_followed);
    assert_true(pull.taken.clusters[1].is_followed);
    pin_changes_taken_done(&pull.taken);
    put_cart(catalog, 0);
    assert_taken(catalog, 10, "");
}

/* --- memory that was out -----------------------------------------------------------------------
 */

/* Follows a cluster while there is no memory to note what it has. */
static void follow_short(struct pin_catalog *catalog, uint16_t cluster_id)
{
    pin_faults_start(0, ALL_FAIL);
    pin_catalog_follow(catalog, cluster_id);
    assert_true(pin_faults_stop() > 0);
}

/* All of a cluster of which something could not be noted is told, once; nothing of another. */
static void test_lost_keys(void **state)
{
    struct pin_catalog *catalog = *state;
    pin_catalog_follow_nobody(catalog);
    put_cart(catalog, 0);
    put_cart(catalog, 1);
    follow_short(catalog, 0);
    assert_true(pin_catalog_has_changes(catalog));
    assert_taken(catalog, 10, "0 " CART "0 " WAY);
    assert_false(pin_catalog_has_changes(catalog));
    follow_short(catalog, 1);
    assert_taken(catalog, 10, "1 " CART "1 " WAY);
    assert_false(pin_catalog_has_changes(catalog));
    assert_taken(catalog, 10, "");
}

/* While memory is still out there is more to come, and it comes. */
static void test_lost_again(void **state)
{
    struct pin_catalog *catalog = *state;
    struct pin_changes_taken taken;
    pin_catalog_follow_nobody(catalog);
    put_cart(catalog, 0);
    follow_short(catalog, 0);
    pin_faults_start(1, ALL_FAIL); /* how clusters stand, and no more */
    pin_catalog_take_changes(catalog, 10, SIZE_MAX, &taken);
    assert_true(pin_faults_stop() > 0);
    assert_int_equal(taken.n_clusters, 2);
    assert_int_equal(taken.n, 0);
    assert_true(taken.has_more);
    pin_changes_taken_done(&taken);
    assert_true(pin_catalog_has_changes(catalog));
    assert_taken(catalog, 10, "0 " CART "0 " WAY);
}

/* An object that does not count for now may be of any cluster that is followed. */
static void test_lost_objects(void **state)
{
    struct pin_catalog *catalog = *state;
    put_cart(catalog, 0);
    put_cart(catalog, 1);
    pin_catalog_follow(catalog, 1);
    assert_taken(catalog, 10, "1 " CART "1 " WAY);
    pin_changes_note_lost(catalog);
    assert_taken(catalog, 10, "1 " CART "1 " WAY);
}

static void assert_unknown(struct pin_catalog *catalog, uint32_t want)
{
    struct pin_changes_taken taken;
    assert_true(pin_catalog_has_changes(catalog));
    pin_catalog_take_changes(catalog, 10, SIZE_MAX, &taken);
    assert_int_equal(taken.clusters[0].unknown, want);
    assert_int_equal(taken.clusters[1].unknown, PIN_RECORD_KINDS);
    pin_changes_taken_done(&taken);
}

/* Nothing is taken for gone in a cluster that has lost an object, whatever its lists say. */
static void test_unknown_kinds(void **state)
{
    struct pin_catalog *catalog = *state;
    pin_catalog_follow(catalog, 0);
    pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_UP, PIN_KIND_SERVICE));
    assert_unknown(catalog, PIN_RECORD_KINDS);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_LIST_BEGIN, (enum pin_kind)kind));
        pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_LIST_END, (enum pin_kind)kind));
    }
    pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_SYNCED, PIN_KIND_SERVICE));
    assert_unknown(catalog, 0);
    struct pin_delta *delta = pin_delta_upsert(0, make(PIN_KIND_SERVICE, "shop", "cart", NULL));
    pin_faults_start(0, ALL_FAIL);
    pin_catalog_apply(catalog, delta);
    assert_true(pin_faults_stop() > 0);
    assert_unknown(catalog, PIN_RECORD_KINDS);
}

/* --- bundles --------------------------------------------------------------------------------- */

static void make_value(struct pin_text *value)
{
    struct pin_object *service = make(PIN_KIND_SERVICE, "shop", "cart", NULL);
    struct pin_object *slice = make(PIN_KIND_ENDPOINT_SLICE, "shop", "cart-a", "cart");
    assert_true(pin_bundle_put(value, service));
    assert_true(pin_bundle_put(value, slice));
    pin_object_free(service);
    pin_object_free(slice);
}

static void test_cut_bundle(void **state)
{
    struct pin_text value = {0};
    struct pin_bundle bundle = {0};
    struct pin_why why = {0};
    size_t n_good = 0;
    (void)state;
    make_value(&value);
    for (size_t bytes = 0; bytes <= value.len; bytes++) {
        char *copy = malloc(bytes + 1); /* so that a read past its end is seen */
        memcpy(copy, value.ptr, bytes);
        copy = realloc(copy, bytes > 0 ? bytes : 1);
        if (pin_bundle_read(copy, bytes, &bundle, &why) == PIN_OK) {
            n_good++;
            pin_bundle_done(&bundle);
        }
        free(copy);
    }
    assert_int_equal(n_good, 3); /* none, one and both objects */
    pin_text_done(&value);
}

static void test_other_version(void **state)
{
    struct pin_text value = {0};
    struct pin_bundle bundle = {0};
    struct pin_why why = {0};
    (void)state;
    make_value(&value);
    value.ptr[0] = (char)(PIN_PACK_VERSION + 1);
    assert_int_equal(pin_bundle_read(value.ptr, value.len, &bundle, &why), PIN_EUNSUPPORTED);
    assert_int_equal(bundle.n, 0);
    pin_text_done(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"nothing is noted while nobody follows", test_nobody, set_up, tear_down, NULL},
        {"whom one follows is told whole, slices by name", test_all_of_a_cluster, set_up, tear_down,
            NULL},
        {"changes of one key are one, as it is when taken", test_changes, set_up, tear_down, NULL},
        {"a slice that moves changes both services", test_moved_slice, set_up, tear_down, NULL},
        {"what a list has not named is gone", test_gone, set_up, tear_down, NULL},
        {"clusters' states are told, once", test_states, set_up, tear_down, NULL},
        {"values are as many bytes as are wanted", test_bytes, set_up, tear_down, NULL},
        {"who begins anew is told of nobody else", test_begun_anew, set_up, tear_down, NULL},
        {"what memory was out for is told later, once", test_lost_keys, set_up, tear_down, NULL},
        {"and while it is out again, later still", test_lost_again, set_up, tear_down, NULL},
        {"so is what does not count for now", test_lost_objects, set_up, tear_down, NULL},
        {"a cluster that lost an object knows no kind", test_unknown_kinds, set_up, tear_down,
            NULL},
        {"a bundle that is cut is refused", test_cut_bundle, NULL, NULL, NULL},
        {"a bundle of another version is refused", test_other_version, NULL, NULL, NULL},
    };
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests_name("changes", tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
