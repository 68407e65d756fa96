/* SPDX-License-Identifier: Apache-2.0 */

/* Maps of objects need no copy of their names, whoever made the objects; exports keep what counts.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/zones/settings.h"

#include "zones/exports.h"
#include "zones/objects.h"

static struct pin_object *made(const char *namespace_name, const char *name, bool has_key)
{
    struct pin_object *object = pin_object_new(PIN_KIND_SERVICE_EXPORT, 64);
    assert_non_null(object);
    if (has_key) {
        assert_true(pin_object_set_names(object, namespace_name, name));
    } else { /* as if somebody had set them one by one */
        object->name = pin_object_text(object, name, strlen(name));
        object->namespace_name = pin_object_text(object, namespace_name, strlen(namespace_name));
    }
    return object;
}

static struct pin_object *put(struct pin_map *map, struct pin_object *object)
{
    struct pin_object *old = NULL;
    assert_true(pin_objects_put(map, object, &old));
    return old;
}

/* The old object goes at once: the map must not look at its names any more. */
static void test_replaced(void **state)
{
    static const bool has_key[] = {true, true, false, false, true};
    struct pin_map map = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(has_key) / sizeof(has_key[0]); i++) {
        struct pin_object *object = made("shop", "web", has_key[i]);
        struct pin_object *before = pin_objects_find(&map, "shop", "web");
        struct pin_object *old = put(&map, object);
        assert_ptr_equal(old, before);
        assert_true(i == 0 || old != NULL);
        pin_object_free(old);
        assert_ptr_equal(pin_objects_find(&map, "shop", "web"), object);
        assert_ptr_equal(pin_objects_find_path(&map, "shop/web", 8), object);
        assert_int_equal(pin_map_count(&map), 1);
    }
    pin_object_free(pin_objects_take(&map, "shop/web", 8));
    assert_null(pin_objects_find(&map, "shop", "web"));
    pin_map_done(&map, NULL);
}

static void test_names(void **state)
{
    struct pin_map map = {0};
    char long_name[600];
    struct pin_object *old = NULL;
    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    struct pin_object *scoped = made("", "shop", true);
    struct pin_object *inner = made("sh", "op", true);
    struct pin_object *beyond = made("shop", long_name, true);
    assert_null(put(&map, scoped));
    assert_null(put(&map, inner));
    assert_false(pin_objects_put(&map, beyond, &old));
    assert_ptr_equal(pin_objects_find(&map, "", "shop"), scoped);
    assert_ptr_equal(pin_objects_find_path(&map, "/shop", 5), scoped);
    assert_ptr_equal(pin_objects_find(&map, "sh", "op"), inner);
    assert_null(pin_objects_find_path(&map, "shop", 4));
    assert_null(pin_objects_take(&map, long_name, sizeof(long_name) - 1));
    pin_object_free(pin_objects_take(&map, "/shop", 5));
    pin_object_free(inner);
    pin_object_free(beyond);
    pin_map_done(&map, NULL);
}

static struct pin_object *written_export(void)
{
    struct pin_object *object = made("shop", "web", true);
    struct pin_written *written = pin_object_alloc(object, sizeof(*written));
    assert_non_null(written);
    written->uid = "31ef2190-e07a-4d17-9899-000000000001";
    object->written = written;
    object->created_s = 1700000000;
    return object;
}

static void test_bare_export(void **state)
{
    (void)state;
    static struct pin_settings reads;
    static struct pin_settings writes = {.writes = {.status = true}};
    struct pin_object *object = pin_exports_trim(&reads, written_export());
    assert_null(object->written);
    assert_int_equal(object->created_s, 1700000000);
    assert_string_equal(object->namespace_name, "shop");
    assert_string_equal(object->name, "web");
    pin_object_free(object);
    object = pin_exports_trim(&writes, written_export()); /* its status will be written */
    assert_non_null(object->written);
    pin_object_free(object);
    object = written_export();
    struct pin_steering *steering = pin_object_steer(object);
    assert_non_null(steering);
    steering->weight = 7;
    object = pin_exports_trim(&reads, object); /* what it says about steering counts */
    assert_int_equal(object->steering->weight, 7);
    pin_object_free(object);
}

/* Two API groups have kinds of one name; as a label of metrics each is told apart. */
static void test_labels(void **state)
{
    (void)state;
    assert_string_equal(pin_kind_label(PIN_KIND_SERVICE_EXPORT), "ServiceExport");
    assert_string_equal(pin_kind_label(PIN_KIND_AWS_SERVICE_EXPORT), "AWSServiceExport");
    for (int a = 0; a < PIN_KIND_MAX; a++) {
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(
                pin_kind_label((enum pin_kind)a), pin_kind_label((enum pin_kind)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bare_export),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
