/* SPDX-License-Identifier: Apache-2.0 */

/* An object's names and targets become record sets. */

#include "pintle/zones/claims.h"

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/hash.h"

/* Targets of one object by the type of their records. */
enum { PIN_TARGET_A, PIN_TARGET_AAAA, PIN_TARGET_CNAME, PIN_TARGET_MAX };

static const char *const type_names[PIN_TARGET_MAX] = {"A", "AAAA", "CNAME"};

/* What is read of one object. */
struct reading {
    struct pin_arena *arena;
    const struct pin_claim_object *object;
    const struct pin_claim_notes *notes;
    const char *const *clusters; /* the object's own, one */
    struct pin_claims *claims;
    size_t n_values; /* of all sets so far */
};

/* A list of canonical texts. */
struct texts {
    const char **items;
    size_t n;
};

char *pin_claim_next_item(struct pin_arena *arena, const char **list)
{
    size_t used = 0;
    const char *end = *list + strcspn(*list, ",");
    char *item = **list == '\0' ? NULL : pin_arena_alloc(arena, (size_t)(end - *list) + 1);
    for (const char *at = *list; item != NULL && at < end; at++) {
        if (*at != ' ' && *at != '\t') {
            item[used++] = *at;
        }
    }
    *list = *end == ',' ? end + 1 : end;
    return item;
}

size_t pin_claim_count_items(const char *list)
{
    size_t n = list != NULL;
    for (; list != NULL && *list != '\0'; list++) {
        n += *list == ',';
    }
    return n;
}

static void add_text(struct texts *texts, const char *text)
{
    if (text != NULL) {
        texts->items[texts->n++] = text;
    }
}

/* --- Names ------------------------------------------------------------------------------------ */

static void add_name(struct reading *reading, struct texts *names, const char *text)
{
    char name[PIN_RECORDSET_NAME_MAX];
    if (*text == '\0') {
        return;
    }
    if (pin_recordset_name(text, name, NULL) != PIN_OK) {
        reading->claims->n_invalid++;
        return;
    }
    add_text(names, pin_arena_strdup(reading->arena, name));
}

/* Each name once, and no more than count. False: memory is out. */
static bool tidy_names(struct reading *reading, struct texts *names)
{
    struct pin_map seen = {0};
    size_t used = 0;
    size_t i = 0;
    bool is_ok = true;
    for (; i < names->n && used < PIN_CLAIM_NAMES_MAX && is_ok; i++) {
        const char *name = names->items[i];
        if (pin_map_find(&seen, name, strlen(name)) == NULL) {
            is_ok = pin_map_put_borrowed(&seen, name, strlen(name), &seen, NULL);
            names->items[used++] = name;
        }
    }
    pin_map_done(&seen, NULL);
    reading->claims->is_oversized |= i < names->n;
    names->n = used;
    return is_ok;
}

static void add_names(struct reading *reading, struct texts *names, const char *list)
{
    for (const char *rest = list; rest != NULL && *rest != '\0';) {
        const char *item = pin_claim_next_item(reading->arena, &rest);
        if (item == NULL) {
            return;
        }
        add_name(reading, names, item);
    }
}

/* --- Targets ---------------------------------------------------------------------------------- */

static void add_ip(struct reading *reading, struct texts *targets, const struct pin_ip *ip)
{
    char text[PIN_IP_TEXT_MAX];
    size_t type = ip->family == 4 ? PIN_TARGET_A : PIN_TARGET_AAAA;
    add_text(&targets[type], pin_arena_strdup(reading->arena, pin_ip_format(ip, text)));
}

/* An address or a name. */
static void add_target(struct reading *reading, struct texts *targets, const char *text)
{
    char name[PIN_RECORDSET_NAME_MAX];
    struct pin_ip ip;
    if (*text == '\0') {
        return;
    }
    if (pin_ip_parse(text, &ip)) {
        add_ip(reading, targets, &ip);
    } else if (pin_recordset_name(text, name, NULL) == PIN_OK) {
        add_text(&targets[PIN_TARGET_CNAME], pin_arena_strdup(reading->arena, name));
    } else {
        reading->claims->n_invalid++;
    }
}

static bool make_targets(struct reading *reading, size_t n_max, struct texts *targets)
{
    for (size_t i = 0; i < PIN_TARGET_MAX; i++) {
        targets[i] = (struct texts){
            .items = pin_arena_alloc(reading->arena, (n_max + 1) * sizeof(*targets[i].items))};
        if (targets[i].items == NULL) {
            return false;
        }
    }
    return true;
}

/* What the annotation says, else the addresses, else names in their place. */
static bool read_targets(struct reading *reading, struct texts *targets)
{
    const struct pin_claim_object *object = reading->object;
    const char *list = reading->notes->targets;
    if (!make_targets(
            reading, pin_claim_count_items(list) + object->n_ips + object->n_hosts, targets)) {
        return false;
    }
    if (list != NULL && *list != '\0') {
        while (*list != '\0') {
            const char *item = pin_claim_next_item(reading->arena, &list);
            if (item == NULL) {
                return false;
            }
            add_target(reading, targets, item);
        }
        return true;
    }
    for (size_t i = 0; i < object->n_ips; i++) {
        add_ip(reading, targets, &object->ips[i]);
    }
    for (size_t i = 0; i < object->n_hosts && object->n_ips == 0; i++) {
        add_target(reading, targets, object->hosts[i]);
    }
    return true;
}

/* --- Sets ------------------------------------------------------------------------------------- */

/* A set of one type; without values it holds what was given before. */
static void add_set(
    struct reading *reading, const char *name, size_t type, const struct texts *targets)
{
    const struct pin_claim_notes *notes = reading->notes;
    struct pin_recordset set = {.name = name,
        .type = type_names[type],
        .set_id = notes->set_id == NULL ? "" : notes->set_id,
        .ttl_s = notes->ttl_s,
        .properties = notes->properties,
        .n_properties = notes->n_properties,
        .n_sources = 1,
        .holds = reading->clusters,
        .n_holds = targets->n == 0};
    set.values = pin_arena_alloc(reading->arena, targets->n * sizeof(*set.values));
    set.sources = pin_arena_memdup(reading->arena, &reading->object->source, sizeof(*set.sources));
    set.properties = pin_arena_memdup(
        reading->arena, notes->properties, notes->n_properties * sizeof(*set.properties));
    if (set.values == NULL || set.sources == NULL || set.properties == NULL) {
        return;
    }
    for (size_t i = 0; i < targets->n; i++) {
        set.values[set.n_values++] = (struct pin_recordset_value){
            .text = targets->items[i], .clusters = reading->clusters, .n_clusters = 1};
    }
    if (pin_recordset_tidy(&set, reading->arena)) {
        reading->claims->sets[reading->claims->n_sets++] = set;
    }
}

/* The first name has all targets, however many. */
static void add_sets(struct reading *reading, const char *name, const struct texts *targets)
{
    static const struct texts none = {0};
    size_t n = 0;
    for (size_t type = 0; type < PIN_TARGET_MAX; type++) {
        n += targets[type].n;
    }
    bool is_over = reading->n_values > 0 && reading->n_values + n > PIN_CLAIM_VALUES_MAX;
    for (size_t type = 0; type < PIN_TARGET_MAX; type++) {
        if (targets[type].n > 0 || n == 0 || is_over) {
            add_set(reading, name, type, is_over ? &none : &targets[type]);
        }
    }
    reading->n_values += is_over ? 0 : n;
    reading->claims->is_oversized |= is_over;
}

static bool is_apex(const struct pin_claim_object *object, const char *name)
{
    for (size_t i = 0; i < object->n_zones; i++) {
        if (strcmp(object->zones[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The names outside: to the assigned name where that is possible, else to the targets. */
static bool add_outside(struct reading *reading, const struct texts *names)
{
    const struct pin_claim_object *object = reading->object;
    struct texts targets[PIN_TARGET_MAX];
    struct texts alias[PIN_TARGET_MAX];
    bool has_alias = object->assigned != NULL && reading->notes->targets == NULL;
    if (!read_targets(reading, targets) || !make_targets(reading, 1, alias)) {
        return false;
    }
    if (has_alias) {
        add_target(reading, alias, object->assigned);
    }
    for (size_t i = 0; i < names->n; i++) {
        bool is_alias = has_alias && !is_apex(object, names->items[i]);
        add_sets(reading, names->items[i], is_alias ? alias : targets);
    }
    return true;
}

static bool add_internal(struct reading *reading, const struct texts *names)
{
    const struct pin_claim_object *object = reading->object;
    struct texts targets[PIN_TARGET_MAX];
    if (!make_targets(reading, object->n_internal_ips, targets)) {
        return false;
    }
    for (size_t i = 0; i < object->n_internal_ips; i++) {
        add_ip(reading, targets, &object->internal_ips[i]);
    }
    for (size_t i = 0; i < names->n && object->n_internal_ips > 0; i++) {
        add_sets(reading, names->items[i], targets);
    }
    return true;
}

static bool make_texts(struct reading *reading, size_t n_max, struct texts *ret_texts)
{
    ret_texts->n = 0;
    ret_texts->items = pin_arena_alloc(reading->arena, (n_max + 1) * sizeof(*ret_texts->items));
    return ret_texts->items != NULL;
}

bool pin_claims_make(struct pin_arena *arena, const struct pin_claim_object *object,
    const struct pin_claim_notes *notes, struct pin_claims *ret_claims)
{
    const char **clusters = pin_arena_alloc(arena, sizeof(*clusters));
    struct pin_claims claims = {0};
    struct reading reading = {arena, object, notes, clusters, &claims, 0};
    struct texts names;
    struct texts internal;
    size_t n_names = object->n_hostnames + pin_claim_count_items(notes->hostnames);
    size_t n_internal = pin_claim_count_items(notes->internal_hostnames);
    claims.sets =
        pin_arena_alloc(arena, (n_names + n_internal) * PIN_TARGET_MAX * sizeof(*claims.sets));
    if (clusters == NULL || claims.sets == NULL || !make_texts(&reading, n_names, &names)
        || !make_texts(&reading, n_internal, &internal)) {
        return false;
    }
    clusters[0] = object->source.cluster;
    bool counts_defined =
        notes->source == PIN_CLAIM_HOSTNAMES_ALL || notes->source == PIN_CLAIM_HOSTNAMES_DEFINED;
    bool counts_noted =
        notes->source == PIN_CLAIM_HOSTNAMES_ALL || notes->source == PIN_CLAIM_HOSTNAMES_ANNOTATION;
    for (size_t i = 0; i < object->n_hostnames && counts_defined; i++) {
        add_name(&reading, &names, object->hostnames[i]);
    }
    add_names(&reading, &names, counts_noted ? notes->hostnames : NULL);
    add_names(&reading, &internal, notes->internal_hostnames);
    bool is_ok = notes->is_foreign
                 || (tidy_names(&reading, &names) && tidy_names(&reading, &internal)
                     && add_outside(&reading, &names) && add_internal(&reading, &internal));
    *ret_claims = claims;
    return is_ok && !pin_arena_has_failed(arena);
}
