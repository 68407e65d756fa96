/* SPDX-License-Identifier: Apache-2.0 */

/* Places of a geo database, and zones of files, on their way to the builder's thread. */

#include "resolver/feeds.h"

#include <stdlib.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "resolver/builder.h"
#include "resolver/config.h"
#include "resolver/geo.h"
#include "resolver/zonefiles.h"

/* Places on their way to the builder's thread and back. */
struct delivery {
    struct pin_geo_places places;
};

/* Builder's thread. */
static void take_places(struct pin_catalog *catalog, void *arg)
{
    const struct delivery *delivery = arg;
    if (pin_catalog_settings(catalog) != delivery->places.settings) {
        return; /* its rules are others by now, and their places are read by who knows them */
    }
    if (!pin_catalog_set_places(catalog, delivery->places.entries, delivery->places.n)) {
        pin_log_error("geo: out of memory, strangers' places stay as they were");
    }
    (void)pin_catalog_publish(catalog, (uint64_t)pin_clock_mono_ms());
}

static void on_places_taken(void *arg)
{
    struct delivery *delivery = arg;
    free(delivery->places.entries);
    free(delivery);
}

static void on_places(void *arg, struct pin_geo_places *places)
{
    struct pin_builder *builder = arg;
    struct delivery *delivery = malloc(sizeof(*delivery));
    if (delivery != NULL) {
        delivery->places = *places;
    }
    if (delivery == NULL || !pin_builder_call(builder, take_places, on_places_taken, delivery)) {
        pin_log_error("geo: strangers' places stay as they were until the file changes again");
        free(places->entries);
        free(delivery);
    }
}

enum pin_err pin_feed_geo(const struct pin_config *config, const struct pin_settings *settings,
    struct pin_loop *loop, struct pin_builder *builder, struct pin_geo **ret_geo,
    struct pin_why *why)
{
    if (config->geo_database == NULL) {
        return PIN_OK;
    }
    *ret_geo = pin_geo_start(loop, config->geo_database, settings, on_places, builder);
    return *ret_geo != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "geo");
}

/* One zone on its way to the builder. */
struct zone_call {
    struct pin_zonefile *zonefile;
};

/* Builder's thread. */
static void set_zonefile(struct pin_catalog *catalog, void *arg)
{
    struct zone_call *call = arg;
    struct pin_why why = {0};
    if (pin_catalog_set_zonefile(catalog, call->zonefile, &why) != PIN_OK) {
        pin_log_error("app: a zone file is not served: %s", why.text);
    }
}

static void on_zonefile_set(void *arg)
{
    free(arg);
}

bool pin_feed_zonefile(struct pin_builder *builder, struct pin_zonefile *zonefile)
{
    struct zone_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return false;
    }
    call->zonefile = zonefile;
    if (!pin_builder_call(builder, set_zonefile, on_zonefile_set, call)) {
        free(call);
        return false;
    }
    return true;
}

struct pin_zonefile **pin_feed_first_zonefiles(
    struct pin_zonefiles *zonefiles, struct pin_arena *arena)
{
    size_t n = pin_zonefiles_count(zonefiles);
    struct pin_zonefile **first = pin_arena_alloc(arena, n * sizeof(struct pin_zonefile *));
    for (size_t i = 0; first != NULL && i < n; i++) {
        first[i] = pin_zonefiles_take(zonefiles, i);
    }
    return first;
}

/* A database that is not there yet does not keep pintled from starting, but is worth telling. */
void pin_feed_check_geo(const struct pin_config *config, struct pin_findings *findings)
{
    static const struct pin_geo_rule rule; /* asks for nothing */
    const struct pin_settings nobody = {.geo_rules = &rule, .n_geo_rules = 1};
    struct pin_geo_places places = {0};
    struct pin_why why = {0};
    if (config->geo_database != NULL
        && pin_geo_read(config->geo_database, &nobody, &places, &why) != PIN_OK) {
        pin_findings_add(findings, config->file, (struct pin_at){0}, "geo.database: %s", why.text);
    }
    free(places.entries);
}
