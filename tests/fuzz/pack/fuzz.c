/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a packed object: what comes of them packs to the same bytes again and again, and the
 * catalog takes it, publishes it, claims what it asks for outside and lets it go.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/claims_catalog.h"
#include "pintle/zones/pack.h"

#include "fuzz/require.h"
#include "support/defaults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pin_cluster_settings clusters[] = {
    {.name = "c1", .weight = PIN_WEIGHT_UNSET}, {.name = "c2", .weight = PIN_WEIGHT_UNSET}};
static const struct pin_network networks[] = {{.name = "default"}};
static const char *const zones_custom[] = {"example.com"};
static const struct pin_record_want wants[] = {
    {.name = "a", .zones = zones_custom, .n_zones = 1, .kinds = PIN_RECORD_KINDS},
    {.name = "b", .kinds = PIN_RECORD_KINDS, .to_assigned = true}};
static struct pin_settings settings;

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void set_up(void)
{
    settings = pin_test_settings(networks, 1, clusters, 2);
    settings.zones_custom = zones_custom;
    settings.n_zones_custom = 1;
    settings.records = wants;
    settings.n_records = 2;
    pin_rcu_register();
    pin_log_set_sink(drop_log, NULL);
}

/* What it packs to, unpacked; the bytes are freed. */
static struct pin_object *again(const struct pin_object *object, struct pin_text *packed)
{
    struct pin_object *copy = NULL;
    require(pin_object_pack(object, packed) == PIN_OK);
    require(pin_object_unpack(packed->ptr, packed->len, &copy, NULL) == PIN_OK);
    return copy;
}

static void check_packing(const struct pin_object *object)
{
    struct pin_text first = {0};
    struct pin_text second = {0};
    struct pin_object *copy = again(object, &first);
    struct pin_object *other = again(copy, &second);
    require(first.len == second.len && memcmp(first.ptr, second.ptr, first.len) == 0);
    pin_object_free(copy);
    pin_object_free(other);
    pin_text_done(&first);
    pin_text_done(&second);
}

static void check_catalog(struct pin_object *object)
{
    struct pin_catalog *catalog = NULL;
    struct pin_delta *gone =
        pin_delta_delete(0, object->kind, object->namespace_name, object->name);
    require(pin_catalog_new(&settings, 1, &catalog, NULL) == PIN_OK);
    pin_catalog_apply(catalog, pin_delta_upsert(0, object));
    (void)pin_catalog_publish(catalog, 1);
    pin_claimed_free(pin_catalog_take_claims(catalog, 1));
    pin_catalog_apply(catalog, gone);
    (void)pin_catalog_publish(catalog, 2);
    struct pin_claimed *claimed = pin_catalog_take_claims(catalog, 2 + PIN_CLAIMED_EVERY_MS);
    require(claimed == NULL || claimed->n_sets == 0);
    pin_claimed_free(claimed);
    pin_rcu_barrier();
    pin_catalog_free(catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_object *object = NULL;
    if (settings.clusters == NULL) {
        set_up();
    }
    if (pin_object_unpack(data, size, &object, NULL) == PIN_OK) {
        check_packing(object);
        check_catalog(object);
    }
    pin_rcu_quiescent();
    return 0;
}
