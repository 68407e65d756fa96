/* SPDX-License-Identifier: Apache-2.0 */

/* What the cache holds, for people: a dump in pieces, and one name explained. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "forward_thread.h"
#include "stats.h"

/* Buckets looked at before the count of entries is. */
#define STEP_BUCKETS  16u
#define TYPE_TEXT_MAX 16
#define MS_PER_S      1000

/* What a dump carries along. */
struct dump {
    const struct pin_forward *forward;
    const struct pin_name *below; /* or NULL */
    struct pin_jsonout *json;
    int64_t now_ms;
    size_t n;
};

static const char *type_text(uint16_t type, char text[TYPE_TEXT_MAX])
{
    static const struct {
        const char *name;
        uint16_t type;
    } names[] = {
#define X(name, type) {#name, type},
        PIN_STAT_QTYPE_MAP(X)
#undef X
    };
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (names[i].type == type) {
            return names[i].name;
        }
    }
    (void)snprintf(text, TYPE_TEXT_MAX, "TYPE%u", (unsigned)type);
    return text;
}

static const char *kind_text(const struct pin_cache_entry *entry)
{
    static const char *const texts[] = {"answer", "nodata", "nxdomain", "failure"};
    return entry->kind < N_ELEMS(texts) ? texts[entry->kind] : "";
}

/* How an entry stands now. */
static void put_entry(const struct dump *dump, const struct pin_cache_entry *entry)
{
    struct pin_jsonout *json = dump->json;
    int64_t left_ms = entry->since_ms + (int64_t)entry->ttl_s * MS_PER_S - dump->now_ms;
    pin_jsonout_key_string(json, "kind", kind_text(entry));
    pin_jsonout_key_bool(json, "fresh", left_ms > 0);
    pin_jsonout_key_int(json, "ttlLeft", left_ms / MS_PER_S);
    pin_jsonout_key_uint(json, "records", pin_cache_n_ttls(entry));
    pin_jsonout_key_uint(json, "bytes", entry->body_bytes);
    pin_jsonout_key_bool(json, "do", (entry->flags & PIN_KEY_DO) != 0);
    pin_jsonout_key_bool(json, "cd", (entry->flags & PIN_KEY_CD) != 0);
}

static void put_zone(const struct pin_forward *forward, uint16_t group, struct pin_jsonout *json)
{
    char zone[PIN_NAME_TEXT_MAX];
    if (group < forward->config.n_zones) {
        pin_name_format(forward->config.zones[group].name.wire, zone);
        pin_jsonout_key_string(json, "zone", zone);
    }
}

static bool is_wanted(const struct dump *dump, const struct pin_cache_entry *entry)
{
    struct pin_name name = {.bytes = entry->name_bytes};
    memcpy(name.wire, pin_cache_name(entry), entry->name_bytes);
    return dump->below == NULL || pin_name_is_below(&name, dump->below);
}

static void visit(const struct pin_cache_entry *entry, void *arg)
{
    struct dump *dump = arg;
    char name[PIN_NAME_TEXT_MAX];
    char type[TYPE_TEXT_MAX];
    if (!is_wanted(dump, entry)) {
        return;
    }
    pin_name_format(pin_cache_name(entry), name);
    pin_jsonout_object(dump->json);
    pin_jsonout_key_string(dump->json, "name", name);
    pin_jsonout_key_string(dump->json, "type",
        (entry->flags & PIN_KEY_DENIAL) != 0 ? "*" : type_text(entry->qtype, type));
    put_zone(dump->forward, entry->group, dump->json);
    put_entry(dump, entry);
    pin_jsonout_end(dump->json);
    dump->n++;
}

bool pin_forward_dump(const struct pin_forward *forward, const struct pin_name *below, size_t n_max,
    struct pin_forward_cursor *cursor, struct pin_jsonout *json)
{
    struct dump dump = {
        .forward = forward, .below = below, .json = json, .now_ms = pin_clock_mono_ms()};
    while (cursor->shard < forward->n_threads && dump.n < n_max) {
        if (!pin_cache_walk(
                forward->cache, cursor->shard, &cursor->bucket, STEP_BUCKETS, visit, &dump)) {
            cursor->shard++;
            cursor->bucket = 0;
        }
    }
    return cursor->shard < forward->n_threads;
}

/* --- one name -----------------------------------------------------------------------------------
 */

static void put_cached(
    const struct pin_forward *forward, const struct pin_cache_key *key, struct pin_jsonout *json)
{
    static const char *const states[] = {"no", "fresh", "stale", "failed"};
    struct pin_cache_found found;
    struct dump dump = {.forward = forward, .json = json, .now_ms = pin_clock_mono_ms()};
    enum pin_cache_state state = pin_cache_find(forward->cache, key, dump.now_ms, &found);
    pin_jsonout_key(json, "cached");
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "state", states[state]);
    if (found.entry != NULL) {
        put_entry(&dump, found.entry);
    }
    pin_jsonout_end(json);
}

/* Who looks for the trouble of one zone's resolvers. */
struct notes {
    const char *zone;
    struct pin_jsonout *json;
};

static void put_note(void *arg, const char *zone, const char *to, bool is_loop)
{
    const struct notes *notes = arg;
    char text[PIN_ADDRPORT_TEXT_MAX + 128];
    if (strcmp(zone, notes->zone) == 0) {
        (void)snprintf(text, sizeof(text), "resolver %s %s", to,
            is_loop ? "sends our questions back, and is not asked any more" : "does not answer");
        pin_jsonout_string(notes->json, text);
    }
}

bool pin_forward_explain(const struct pin_forward *forward, const struct pin_name *name,
    uint16_t type, struct pin_jsonout *json)
{
    uint8_t group =
        forward != NULL ? pin_forward_group(forward, name->wire, name->bytes) : PIN_FORWARD_NONE;
    if (group == PIN_FORWARD_NONE) {
        return false;
    }
    const struct pin_forward_zone *zone = &forward->config.zones[group];
    struct pin_cache_key key = {.name = name->wire,
        .name_hash = pin_hash64(name->wire, name->bytes),
        .qtype = type,
        .qclass = PIN_CLASS_IN,
        .group = group,
        .name_bytes = name->bytes};
    pin_cache_key_finish(&key);
    pin_jsonout_key(json, "forward");
    pin_jsonout_object(json);
    put_zone(forward, group, json);
    pin_jsonout_key(json, "to");
    pin_jsonout_array(json);
    for (size_t i = 0; i < zone->n_upstreams; i++) {
        char text[PIN_ADDRPORT_TEXT_MAX];
        char to[PIN_ADDRPORT_TEXT_MAX + sizeof("tls://")];
        (void)snprintf(to, sizeof(to), "%s%s", zone->upstreams[i].is_tls ? "tls://" : "",
            pin_addrport_format(&zone->upstreams[i].address, text));
        pin_jsonout_string(json, to);
    }
    pin_jsonout_end(json);
    put_cached(forward, &key, json);
    pin_jsonout_end(json);
    return true;
}

void pin_forward_explain_notes(
    const struct pin_forward *forward, const struct pin_name *name, struct pin_jsonout *json)
{
    char apex[PIN_NAME_TEXT_MAX];
    struct notes notes = {.zone = apex, .json = json};
    uint8_t group =
        forward != NULL ? pin_forward_group(forward, name->wire, name->bytes) : PIN_FORWARD_NONE;
    if (group != PIN_FORWARD_NONE) {
        pin_name_format(forward->config.zones[group].name.wire, apex);
        pin_forward_each_trouble(forward, put_note, &notes);
    }
}
