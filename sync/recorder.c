/* SPDX-License-Identifier: Apache-2.0 */

/* Entries and zones, the claims that come in, and who writes. */

#include "pintle/sync/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/sync/providers.h"
#include "pintle/zones/claims.h"

#include "election.h"
#include "errand.h"
#include "http.h"
#include "provider_sets.h"
#include "recorder_state.h"

/* Name, ownership. */
#define ENTRY_MAX_BYTES ((size_t)1 << 20)

/* --- Zones ------------------------------------------------------------------------------------ */

struct pin_recorder_zone *pin_recorder_next_zone(
    const struct pin_recorder *recorder, const struct pin_recorder_zone *zone)
{
    size_t entry = 0;
    size_t next = 0;
    if (zone != NULL) {
        entry = (size_t)(zone->entry - recorder->entries);
        next = (size_t)(zone - zone->entry->zones) + 1;
    }
    while (entry < recorder->n_entries && next >= recorder->entries[entry].n_zones) {
        entry++;
        next = 0;
    }
    return entry < recorder->n_entries ? &recorder->entries[entry].zones[next] : NULL;
}

static enum pin_err make_zone(struct pin_recorder_zone *zone, struct pin_recorder_entry *entry,
    const struct pin_recorder_spec *spec, size_t zone_i)
{
    zone->entry = entry;
    zone->apex = strdup(spec->zones[zone_i]);
    zone->below = calloc(spec->n_zones, sizeof(*zone->below));
    zone->timer = pin_timer_new(entry->recorder->loop, pin_recorder_zone_on_timer, zone);
    return zone->apex != NULL && zone->below != NULL && zone->timer != NULL ? PIN_OK : PIN_ENOMEM;
}

/* Names in a zone that is served on its own are not its parent's. */
static void find_zones_below(struct pin_recorder_entry *entry)
{
    for (size_t i = 0; i < entry->n_zones; i++) {
        struct pin_recorder_zone *zone = &entry->zones[i];
        for (size_t k = 0; k < entry->n_zones; k++) {
            if (k != i && pin_provider_is_in_zone(entry->zones[k].apex, zone->apex)
                && strcmp(entry->zones[k].apex, zone->apex) != 0) {
                zone->below[zone->n_below++] = entry->zones[k].apex;
            }
        }
    }
}

/* --- Entries ---------------------------------------------------------------------------------- */

/* A copy of a text that may be NULL; false when memory is out. */
static bool dup_text(struct pin_arena *arena, const char *text, const char **ret_text)
{
    *ret_text = text == NULL ? NULL : pin_arena_strdup(arena, text);
    return text == NULL || *ret_text != NULL;
}

static bool dup_registry(struct pin_recorder_entry *entry, const struct pin_registry *registry)
{
    struct pin_registry *copy = &entry->registry;
    copy->has_cname_alias = registry->has_cname_alias;
    if (registry->key != NULL) {
        memcpy(entry->key, registry->key, sizeof(entry->key));
        copy->key = entry->key;
    }
    return dup_text(entry->arena, registry->owner, &copy->owner)
           && dup_text(entry->arena, registry->prefix, &copy->prefix)
           && dup_text(entry->arena, registry->suffix, &copy->suffix)
           && dup_text(entry->arena, registry->wildcard, &copy->wildcard);
}

static void intake_done(struct pin_recorder_intake *intake)
{
    pin_recorder_sets_drop(intake->claims);
    free(intake->digests);
    *intake = (struct pin_recorder_intake){0};
}

static void entry_done(struct pin_recorder_entry *entry)
{
    pin_errand_cancel(entry->errand);
    intake_done(&entry->taken);
    intake_done(&entry->next);
    pin_recorder_sets_drop(entry->claims);
    for (size_t i = 0; entry->zones != NULL && i < entry->n_zones; i++) {
        pin_recorder_zone_done(&entry->zones[i]);
    }
    free(entry->zones);
    pin_provider_close(entry->provider);
    pin_crypto_wipe(entry->key, sizeof(entry->key));
    pin_arena_free(entry->arena);
}

static enum pin_err check_spec(const struct pin_recorder_spec *spec, struct pin_why *why)
{
    if (spec->interval_s == 0 || spec->delete_percent > 100) {
        return pin_why_set(
            why, PIN_EINVAL, "records %.64s: an interval of 0, or above 100 percent", spec->name);
    }
    for (size_t i = 0; i < spec->n_zones; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(spec->zones[i], spec->zones[k]) == 0) {
                return pin_why_set(why, PIN_EINVAL, "records %.64s: zone %.255s is there twice",
                    spec->name, spec->zones[i]);
            }
        }
    }
    return pin_registry_check(&spec->registry, why);
}

struct pin_http *pin_recorder_http(struct pin_recorder *recorder)
{
    if (recorder->http == NULL) {
        recorder->http = pin_http_new(recorder->loop);
    }
    return recorder->http;
}

/* Opens a provider where none is given. */
static enum pin_err open_provider(
    struct pin_recorder_entry *entry, const struct pin_recorder_spec *spec, struct pin_why *why)
{
    struct pin_recorder *recorder = entry->recorder;
    if (entry->provider != NULL) {
        return PIN_OK;
    }
    if (pin_recorder_http(recorder) == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "HTTP for records");
    }
    recorder->tools = (struct pin_provider_tools){.loop = recorder->loop, .http = recorder->http};
    enum pin_err err = pin_providers_open(&recorder->tools, spec->settings, &entry->provider, why);
    if (err != PIN_OK) {
        pin_why_wrap(why, "records %.64s", spec->name);
    }
    return err;
}

static enum pin_err make_entry(
    struct pin_recorder_entry *entry, const struct pin_recorder_spec *spec, struct pin_why *why)
{
    enum pin_err err = check_spec(spec, why);
    if (err == PIN_OK) {
        err = open_provider(entry, spec, why);
    }
    if (err != PIN_OK) {
        return err;
    }
    entry->policy = spec->policy;
    entry->delete_percent = spec->delete_percent;
    entry->interval_s = spec->interval_s;
    entry->is_dry_run = spec->is_dry_run;
    entry->arena = pin_arena_new("records entry", ENTRY_MAX_BYTES);
    entry->name = entry->arena == NULL ? NULL : pin_arena_strdup(entry->arena, spec->name);
    entry->zones = calloc(spec->n_zones, sizeof(*entry->zones));
    err = entry->name != NULL && entry->zones != NULL && dup_registry(entry, &spec->registry)
              ? PIN_OK
              : PIN_ENOMEM;
    for (size_t i = 0; err == PIN_OK && i < spec->n_zones; i++) {
        entry->n_zones++;
        err = make_zone(&entry->zones[i], entry, spec, i);
    }
    if (err != PIN_OK) {
        return pin_why_set(why, PIN_ENOMEM, "records %.64s", spec->name);
    }
    find_zones_below(entry);
    return PIN_OK;
}

/* --- What comes in ---------------------------------------------------------------------------- */

static uint64_t add_text(uint64_t digest, const char *text)
{
    return pin_checksum64(text, strlen(text) + 1, digest);
}

static uint64_t digest_values(uint64_t digest, const struct pin_recordset *set)
{
    for (size_t i = 0; i < set->n_values; i++) {
        digest = add_text(digest, set->values[i].text);
        for (size_t k = 0; k < set->values[i].n_clusters; k++) {
            digest = add_text(digest, set->values[i].clusters[k]);
        }
    }
    for (size_t i = 0; i < set->n_properties; i++) {
        digest = add_text(add_text(digest, set->properties[i].name), set->properties[i].value);
    }
    for (size_t i = 0; i < set->n_holds; i++) {
        digest = add_text(digest, set->holds[i]);
    }
    return digest;
}

/* Stands for a claim. Sums of these do not depend on the order. */
static uint64_t digest_claim(const struct pin_recordset *set)
{
    uint64_t digest = add_text(add_text(add_text(1, set->name), set->type), set->set_id);
    digest = pin_checksum64(&set->ttl_s, sizeof(set->ttl_s), digest);
    for (size_t i = 0; i < set->n_sources; i++) {
        const struct pin_recordset_source *source = &set->sources[i];
        digest = add_text(add_text(digest, source->cluster), source->kind);
        digest = add_text(add_text(digest, source->namespace_name), source->name);
        digest = pin_checksum64(&source->created_s, sizeof(source->created_s), digest);
    }
    return digest_values(digest, set);
}

/* In a thread: which zones' claims are others. Names of zones are all it reads besides. */
static void look_at_intake(void *arg)
{
    const struct pin_recorder_entry *entry = arg;
    const struct pin_recorder_sets *claims = entry->taken.claims;
    uint64_t unsynced = 0;
    for (size_t i = 0; i < claims->n_unsynced; i++) {
        unsynced = add_text(unsynced, claims->unsynced[i]);
    }
    for (size_t z = 0; z < entry->n_zones; z++) {
        uint64_t digest = unsynced;
        for (size_t i = 0; i < claims->n_sets; i++) {
            if (pin_provider_is_in_zone(claims->sets[i].name, entry->zones[z].apex)) {
                digest += digest_claim(&claims->sets[i]);
            }
        }
        entry->taken.digests[z] = digest;
    }
}

static void take_next(struct pin_recorder_entry *entry);

/* The claims count from now on. */
static void on_intake(void *arg)
{
    struct pin_recorder_entry *entry = arg;
    entry->errand = NULL;
    pin_recorder_sets_drop(entry->claims);
    entry->claims = pin_recorder_sets_use(entry->taken.claims);
    for (size_t i = 0; i < entry->n_zones; i++) {
        struct pin_recorder_zone *zone = &entry->zones[i];
        bool is_other = !zone->has_claims || zone->digest != entry->taken.digests[i];
        zone->digest = entry->taken.digests[i];
        zone->has_claims = true;
        if (is_other) {
            pin_recorder_zone_poke(zone, false);
        }
    }
    intake_done(&entry->taken);
    take_next(entry);
}

/* Looks at what is next in a thread; without one, here. */
static void take_next(struct pin_recorder_entry *entry)
{
    if (entry->errand != NULL || entry->next.claims == NULL) {
        return;
    }
    entry->taken = entry->next;
    entry->next = (struct pin_recorder_intake){0};
    entry->errand = pin_errand_start(entry->recorder->loop, look_at_intake, on_intake, entry);
    if (entry->errand == NULL) {
        look_at_intake(entry);
        on_intake(entry);
    }
}

/* Once for each number: what comes and goes with others is no news. */
static void tell_objects(struct pin_recorder_entry *entry, const struct pin_recorder_claims *claims)
{
    if (claims->n_untargeted > entry->n_untargeted) {
        pin_log_warn(
            "records %s: Services that ask for names and get none: %zu, %s first; only those "
            "of type LoadBalancer or ExternalName, headless ones, and those with externalIPs "
            "or the annotation target have targets, NodePort has none",
            entry->name, claims->n_untargeted, claims->untargeted);
    }
    entry->n_untargeted = claims->n_untargeted;
    if (claims->n_oversized > entry->n_oversized) {
        pin_log_warn("records %s: objects with more than %u names, or %u names times targets: %zu, "
                     "%s first; names beyond do not count; give them to several objects",
            entry->name, PIN_CLAIM_NAMES_MAX, PIN_CLAIM_VALUES_MAX, claims->n_oversized,
            claims->oversized);
    }
    entry->n_oversized = claims->n_oversized;
}

void pin_recorder_set_claims(
    struct pin_recorder *recorder, const struct pin_recorder_claims *claims)
{
    struct pin_recorder_entry *entry = &recorder->entries[claims->spec_i];
    struct pin_recorder_intake intake = {
        .claims = pin_recorder_sets_new(claims->arena, claims->sets, claims->n_sets, ""),
        .digests = calloc(entry->n_zones + 1, sizeof(*intake.digests))};
    if (intake.claims == NULL || intake.digests == NULL) {
        intake_done(&intake); /* the claims of before count on; the next ones come */
        return;
    }
    intake.claims->unsynced = claims->unsynced;
    intake.claims->n_unsynced = claims->n_unsynced;
    entry->n_invalid = claims->n_invalid;
    tell_objects(entry, claims);
    intake_done(&entry->next);
    entry->next = intake;
    take_next(entry);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* What was told last counts only while it is sure: after a pause of the process answers and threads
 * come before the timer that would tell. */
bool pin_recorder_is_writer(const struct pin_recorder *recorder)
{
    bool is_sure = recorder->election != NULL
                       ? pin_election_is_held(recorder->election->election)
                       : recorder->lease == NULL || pin_lease_is_held(recorder->lease->lease);
    return recorder->is_writer && is_sure;
}

void pin_recorder_set_writer(
    struct pin_recorder *recorder, bool is_writer, const char *holder, const char *error)
{
    bool is_news = recorder->is_writer != is_writer;
    (void)snprintf(recorder->holder, sizeof(recorder->holder), "%s", holder);
    (void)snprintf(recorder->error, sizeof(recorder->error), "%s", error);
    recorder->is_writer = is_writer;
    recorder->writer_turn += is_news && is_writer;
    for (struct pin_recorder_zone *zone = NULL;
         is_news && (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        pin_recorder_zone_on_writer(zone, is_writer);
    }
}

enum pin_err pin_recorder_new(const struct pin_recorder_config *config,
    struct pin_recorder **ret_recorder, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    struct pin_recorder *recorder = calloc(1, sizeof(*recorder));
    struct pin_recorder_entry *entries = calloc(config->n_specs + 1, sizeof(*entries));
    if (recorder == NULL || entries == NULL) {
        for (size_t i = 0; i < config->n_specs; i++) {
            pin_provider_close(config->specs[i].provider);
        }
        free(recorder);
        free(entries);
        return pin_why_set(why, PIN_ENOMEM, "records");
    }
    *recorder = (struct pin_recorder){.loop = config->loop,
        .entries = entries,
        .n_entries = config->n_specs,
        .on_event = config->on_event,
        .arg = config->arg,
        .is_writer = !config->needs_writer};
    for (size_t i = 0; i < config->n_specs; i++) {
        entries[i].recorder = recorder;
        entries[i].provider = config->specs[i].provider;
    }
    for (size_t i = 0; err == PIN_OK && i < config->n_specs; i++) {
        err = make_entry(&entries[i], &config->specs[i], why);
    }
    if (err != PIN_OK) {
        pin_recorder_free(recorder);
        return err;
    }
    *ret_recorder = recorder;
    return PIN_OK;
}

void pin_recorder_free(struct pin_recorder *recorder)
{
    if (recorder == NULL) {
        return;
    }
    for (size_t i = 0; i < recorder->n_entries; i++) {
        entry_done(&recorder->entries[i]);
    }
    pin_recorder_lease_free(recorder->lease);
    pin_recorder_election_free(recorder->election);
    pin_http_free(recorder->http);
    free(recorder->entries);
    free(recorder);
}
