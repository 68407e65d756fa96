/* SPDX-License-Identifier: Apache-2.0 */

/* Keys with bundles become deltas: an object is known once, whichever key names it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/text.h"
#include "pintle/zones/bundle.h"
#include "pintle/zones/pack.h"

#include "sync/mirror.h"
#include "sync/source.h"

struct rig {
    struct pin_sync_sink sink;
    struct pin_source source;
    struct pin_mirror mirror;
    struct pin_text seen; /* "+Service cart;-EndpointSlice cart-a;" */
};

static bool on_push(void *arg, struct pin_delta *delta)
{
    struct rig *rig = arg;
    bool is_upsert = delta->op == PIN_DELTA_UPSERT;
    pin_text_putf(&rig->seen, "%c%s %s;", is_upsert ? '+' : '-', pin_kind_text(delta->kind),
        is_upsert ? delta->object->name : delta->name);
    pin_delta_free(delta);
    return true;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    static const struct pin_source_spec spec = {.cluster = "c1"};
    rig->sink = (struct pin_sync_sink){.push = on_push, .arg = rig};
    assert_true(pin_source_init(&rig->source, NULL, NULL, &spec, &rig->sink, strdup("test")));
    rig->mirror.source = &rig->source;
    pin_mirror_begin(&rig->mirror);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    pin_mirror_done(&rig->mirror);
    pin_source_done(&rig->source);
    pin_text_done(&rig->seen);
    free(rig);
    return 0;
}

/* Names of slices, or of the Service for what has no dash; separated by spaces. */
static void put_value(struct pin_text *value, const char *names)
{
    char *copy = strdup(names);
    char *rest = copy;
    for (char *name = strsep(&rest, " "); name != NULL; name = strsep(&rest, " ")) {
        bool is_slice = strchr(name, '-') != NULL;
        struct pin_object *object =
            pin_object_new(is_slice ? PIN_KIND_ENDPOINT_SLICE : PIN_KIND_SERVICE, 64);
        object->namespace_name = "shop";
        object->name = pin_object_text(object, name, strlen(name));
        object->as.slice.family = is_slice ? 4 : 0;
        assert_true(pin_bundle_put(value, object));
        pin_object_free(object);
    }
    free(copy);
}

static void put(struct rig *rig, const char *key, const char *names)
{
    struct pin_text value = {0};
    struct pin_why why = {0};
    put_value(&value, names);
    if (pin_mirror_put(&rig->mirror, key, value.ptr, value.len, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    pin_text_done(&value);
}

static void assert_seen(struct rig *rig, const char *want)
{
    assert_string_equal(pin_text_get(&rig->seen), want);
    pin_text_cut(&rig->seen, 0);
}

static void test_values(void **state)
{
    struct rig *rig = *state;
    put(rig, "s/shop/cart", "cart cart-a cart-b");
    assert_seen(rig, "+Service cart;+EndpointSlice cart-a;+EndpointSlice cart-b;");
    put(rig, "s/shop/cart", "cart cart-b");
    assert_seen(rig, "+Service cart;+EndpointSlice cart-b;-EndpointSlice cart-a;");
    assert_int_equal(rig->source.stats.kinds[PIN_KIND_ENDPOINT_SLICE].n_objects, 1);
    pin_mirror_remove(&rig->mirror, "s/shop/cart");
    assert_seen(rig, "-Service cart;-EndpointSlice cart-b;");
    pin_mirror_remove(&rig->mirror, "s/shop/cart");
    assert_seen(rig, "");
    assert_int_equal(pin_mirror_n_keys(&rig->mirror), 0);
}

static void test_moves(void **state)
{
    struct rig *rig = *state;
    put(rig, "a", "a x-1");
    put(rig, "b", "b x-1"); /* b has it before a has lost it */
    assert_seen(rig, "+Service a;+EndpointSlice x-1;+Service b;+EndpointSlice x-1;");
    put(rig, "a", "a");
    assert_seen(rig, "+Service a;");
    put(rig, "a", "a x-1"); /* and back */
    pin_mirror_remove(&rig->mirror, "b");
    assert_seen(rig, "+Service a;+EndpointSlice x-1;-Service b;");
    pin_mirror_remove(&rig->mirror, "a");
    assert_seen(rig, "-Service a;-EndpointSlice x-1;");
}

/* One that is named twice, and one whose first key outlives its last. */
static void test_shared(void **state)
{
    struct rig *rig = *state;
    put(rig, "a", "x-1 x-1");
    put(rig, "a", "a");
    assert_seen(rig, "+EndpointSlice x-1;+EndpointSlice x-1;+Service a;-EndpointSlice x-1;");
    put(rig, "a", "x-1");
    put(rig, "b", "x-1");
    pin_mirror_remove(&rig->mirror, "b");
    put(rig, "a", "a");
    assert_seen(
        rig, "+EndpointSlice x-1;-Service a;+EndpointSlice x-1;-EndpointSlice x-1;+Service a;");
}

static void test_list(void **state)
{
    struct rig *rig = *state;
    put(rig, "a", "a a-1");
    put(rig, "b", "b b-1");
    put(rig, "c", "c");
    pin_text_cut(&rig->seen, 0);
    pin_mirror_begin(&rig->mirror);
    put(rig, "b", "b");
    put(rig, "d", "a-1"); /* it has moved meanwhile */
    assert_seen(rig, "+Service b;-EndpointSlice b-1;+EndpointSlice a-1;");
    pin_mirror_end(&rig->mirror, 0);
    assert_seen(rig, "-Service a;-Service c;");
    assert_int_equal(pin_mirror_n_keys(&rig->mirror), 2);
}

/* Of a kind that the publisher does not know, what a list lacks may be there all the same. */
static void test_unknown(void **state)
{
    struct rig *rig = *state;
    put(rig, "a", "a");
    put(rig, "b", "b-1");
    pin_text_cut(&rig->seen, 0);
    pin_mirror_begin(&rig->mirror);
    pin_mirror_end(&rig->mirror, UINT32_C(1) << PIN_KIND_SERVICE);
    assert_seen(rig, "-EndpointSlice b-1;");
    pin_mirror_begin(&rig->mirror);
    pin_mirror_end(&rig->mirror, 0);
    assert_seen(rig, "-Service a;");
}

static void test_unreadable(void **state)
{
    struct rig *rig = *state;
    struct pin_why why = {0};
    const char cut[] = {PIN_PACK_VERSION, 1}; /* of this version, and not whole */
    put(rig, "a", "a a-1");
    pin_text_cut(&rig->seen, 0);
    pin_mirror_begin(&rig->mirror);
    assert_int_equal(pin_mirror_put(&rig->mirror, "a", "\xff", 1, &why), PIN_EUNSUPPORTED);
    assert_int_equal(pin_mirror_put(&rig->mirror, "z", cut, sizeof(cut), &why), PIN_EPARSE);
    pin_mirror_end(&rig->mirror, 0);
    assert_seen(rig, "");
    assert_int_equal(pin_mirror_n_keys(&rig->mirror), 1);
}

static void test_room(void **state)
{
    struct rig *rig = *state;
    struct pin_text value = {0};
    struct pin_why why = {0};
    rig->source.max_objects = 2;
    put(rig, "a", "a a-1 a-2");
    pin_text_cut(&rig->seen, 0);
    put_value(&value, "a a-1 a-2 a-3");
    assert_int_equal(pin_mirror_put(&rig->mirror, "a", value.ptr, value.len, &why), PIN_ELIMIT);
    assert_non_null(strstr(why.text, "more than 2 objects"));
    assert_seen(rig, "");
    put(rig, "b", "b");
    put(rig, "a", "a a-1");
    put(rig, "b", "b b-1"); /* what goes makes room */
    assert_seen(rig, "+Service b;+Service a;+EndpointSlice a-1;-EndpointSlice a-2;+Service b;"
                     "+EndpointSlice b-1;");
    pin_text_done(&value);
}

/* What was refused takes no room itself. */
static void test_refused(void **state)
{
    struct rig *rig = *state;
    struct pin_text value = {0};
    struct pin_why why = {0};
    rig->source.max_objects = 2;
    put_value(&value, "x-1 x-1 x-2 x-3");
    assert_int_equal(pin_mirror_put(&rig->mirror, "x", value.ptr, value.len, &why), PIN_ELIMIT);
    assert_int_equal(rig->source.stats.kinds[PIN_KIND_ENDPOINT_SLICE].n_objects, 0);
    put(rig, "b", "b-1 b-2");
    assert_seen(rig, "+EndpointSlice b-1;+EndpointSlice b-2;");
    put(rig, "b", "b-1");
    assert_seen(rig, "+EndpointSlice b-1;-EndpointSlice b-2;");
    pin_text_done(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"a value's objects come, change and go with it", test_values, set_up, tear_down, NULL},
        {"an object may move between keys in any order", test_moves, set_up, tear_down, NULL},
        {"an object is deleted once", test_shared, set_up, tear_down, NULL},
        {"what a whole list has not named goes", test_list, set_up, tear_down, NULL},
        {"what there is no room for changes nothing", test_room, set_up, tear_down, NULL},
        {"what was refused takes no room", test_refused, set_up, tear_down, NULL},
        {"what nobody knows stays", test_unknown, set_up, tear_down, NULL},
        {"what cannot be read stays as it was", test_unreadable, set_up, tear_down, NULL},
    };
    return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
