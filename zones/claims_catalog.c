/* SPDX-License-Identifier: Apache-2.0 */

/* When claims are looked at, and what of them is told. */

#include "zones/claims_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#define ARENA_MAX_BYTES ((size_t)512 << 20)
/* How long what memory was out for waits for a new try. */
#define AGAIN_MS 1000u
/* A name, a kind, "namespace/name". */
#define KEY_BYTES (PIN_RECORDSET_NAME_MAX + 512u)
/* An entry of the configuration is older than any object: it goes first. */
#define CONFIG_CREATED_S 1

/* --- marks ----------------------------------------------------------------------------------- */

void pin_claimed_mark(struct pin_catalog *catalog)
{
    catalog->claimed.is_clean = false;
}

static bool asks(const struct pin_object *object)
{
    return object != NULL && object->written != NULL && object->written->asks != NULL;
}

void pin_claimed_note(
    struct pin_catalog *catalog, const struct pin_object *object, const struct pin_object *old)
{
    switch (object->kind) {
    case PIN_KIND_SERVICE:
        catalog->claimed.is_clean = catalog->claimed.is_clean && !asks(object) && !asks(old);
        break;
    case PIN_KIND_INGRESS:
    case PIN_KIND_GATEWAY:
    case PIN_KIND_HTTP_ROUTE:
    case PIN_KIND_GRPC_ROUTE:
    case PIN_KIND_TCP_ROUTE:
    case PIN_KIND_TLS_ROUTE:
    case PIN_KIND_DNS_ENDPOINT:
    case PIN_KIND_NAMESPACE: /* listeners choose routes by its labels */
        pin_claimed_mark(catalog);
        break;
    default:
        break;
    }
}

/* Endpoints come and go all the time; what counts of them is whether one is there. */
void pin_claimed_note_service(struct pin_catalog *catalog, struct pin_service_unit *unit)
{
    uint16_t well = 0;
    bool is_changed = false;
    for (size_t i = 0; catalog->settings->n_records > 0 && i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        if (asks(member->service)) {
            bool is_well = pin_claims_is_well(catalog, unit, member);
            well = (uint16_t)(well * 31u + 2u * member->cluster_id + (is_well ? 2u : 1u));
            is_changed = is_changed || member->service->as.service.is_headless;
        }
    }
    if (is_changed || well != unit->well) {
        unit->well = well;
        pin_claimed_mark(catalog);
    }
}

/* --- what was listed ---------------------------------------------------------------------------
 */

/* Whether all is known of a cluster that can claim something. */
static bool is_known(const struct pin_catalog *catalog, const struct pin_record_want *want,
    const struct pin_cluster_state *cluster)
{
    (void)catalog;
    for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
        if ((want->kinds >> kind & 1u) != 0 && !cluster->lists[kind].is_known) {
            return false;
        }
    }
    return cluster->is_synced && !cluster->has_lost;
}

static bool list_unsynced(struct pin_claims_walk *walk, struct pin_claimed *claimed)
{
    const struct pin_settings *settings = walk->catalog->settings;
    const char **names = pin_arena_alloc(walk->arena, (settings->n_clusters + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < settings->n_clusters; i++) {
        if (!is_known(walk->catalog, walk->want, &walk->catalog->clusters[i])) {
            names[claimed->n_unsynced++] =
                pin_arena_strdup(walk->arena, settings->clusters[i].name);
        }
    }
    if (names == NULL || pin_arena_has_failed(walk->arena)) {
        return false;
    }
    qsort(names, claimed->n_unsynced, sizeof(*names), pin_compare_texts);
    claimed->unsynced = names;
    return true;
}

/* While a cluster is listed for the first time, all of it comes within a moment. */
static bool is_filling(const struct pin_catalog *catalog)
{
    for (size_t i = 0; !catalog->is_grace_over && i < catalog->settings->n_clusters; i++) {
        if (!catalog->clusters[i].is_synced && catalog->clusters[i].n_open > 0) {
            return true;
        }
    }
    return false;
}

/* --- sets --------------------------------------------------------------------------------------
 */

static bool make_room(struct pin_claims_walk *walk, size_t n_more)
{
    size_t cap = walk->cap_sets;
    while (cap < walk->n_sets + n_more) {
        cap = cap == 0 ? 64 : 2 * cap;
    }
    if (cap == walk->cap_sets) {
        return true;
    }
    struct pin_recordset *sets = realloc(walk->sets, cap * sizeof(*sets));
    walk->sets = sets != NULL ? sets : walk->sets;
    bool *is_unwell = realloc(walk->is_unwell, cap * sizeof(*is_unwell));
    walk->is_unwell = is_unwell != NULL ? is_unwell : walk->is_unwell;
    if (sets == NULL || is_unwell == NULL) {
        return false;
    }
    walk->cap_sets = cap;
    return true;
}

void pin_claims_add(struct pin_claims_walk *walk, const struct pin_claims *claims, bool is_unwell)
{
    if (!make_room(walk, claims->n_sets)) {
        walk->has_failed = true;
        return;
    }
    walk->n_invalid += claims->n_invalid;
    for (size_t i = 0; i < claims->n_sets; i++) {
        if (!pin_recordset_copy(walk->arena, &claims->sets[i], &walk->sets[walk->n_sets])) {
            walk->has_failed = true;
            return;
        }
        walk->is_unwell[walk->n_sets++] = is_unwell;
        walk->n_unwell += is_unwell;
    }
}

/* What a set is for: its name, and which object wants it in whatever cluster. */
static size_t make_key(const struct pin_recordset *set, char key[KEY_BYTES])
{
    const struct pin_recordset_source *source = &set->sources[0];
    int n = snprintf(key, KEY_BYTES, "%s %s/%s/%s", set->name, source->kind, source->namespace_name,
        source->name);
    return n < 0 ? 0 : PIN_MIN((size_t)n, (size_t)KEY_BYTES - 1);
}

/* Leaves out what is unwell where another cluster gives values for the same. */
static void drop_unwell(struct pin_claims_walk *walk)
{
    static char here; /* a map needs something to point at */
    struct pin_map well = {0};
    char key[KEY_BYTES];
    size_t n = 0;
    for (size_t i = 0; walk->n_unwell > 0 && i < walk->n_sets && !walk->has_failed; i++) {
        bool gives = !walk->is_unwell[i] && walk->sets[i].n_values > 0;
        size_t bytes = gives ? make_key(&walk->sets[i], key) : 0;
        walk->has_failed = gives && !pin_map_put(&well, key, bytes, &here, NULL);
    }
    for (size_t i = 0; walk->n_unwell > 0 && i < walk->n_sets; i++) {
        size_t bytes = walk->is_unwell[i] ? make_key(&walk->sets[i], key) : 0;
        if (!walk->is_unwell[i] || pin_map_find(&well, key, bytes) == NULL) {
            walk->sets[n++] = walk->sets[i];
        }
    }
    walk->n_sets = walk->n_unwell > 0 ? n : walk->n_sets;
    pin_map_done(&well, NULL);
}

/* --- Services without endpoints ----------------------------------------------------------------
 */

/* Since when one has none. */
struct bare {
    uint64_t since_ms;
    uint32_t look; /* the last one that found it so */
};

bool pin_claims_is_bare(
    struct pin_claims_walk *walk, uint16_t cluster_id, const struct pin_object *service)
{
    struct pin_claimed_state *state = &walk->catalog->claimed;
    char key[KEY_BYTES];
    (void)snprintf(
        key, sizeof(key), "%u %s/%s", cluster_id, service->namespace_name, service->name);
    struct bare *bare = pin_map_find(&state->bare, key, strlen(key));
    if (bare == NULL) {
        bare = calloc(1, sizeof(*bare));
        if (bare == NULL || !pin_map_put(&state->bare, key, strlen(key), bare, NULL)) {
            free(bare);
            walk->has_failed = true;
            return false;
        }
        bare->since_ms = walk->now_ms;
    }
    bare->look = state->n_looks;
    uint64_t due_ms = bare->since_ms + PIN_CLAIMED_SETTLE_MS;
    if (due_ms > walk->now_ms) {
        walk->due_ms = PIN_MIN(walk->due_ms, due_ms);
    }
    return due_ms <= walk->now_ms;
}

/* Forgets those that the latest look did not find so. */
static void forget_bare(struct pin_claimed_state *state)
{
    size_t cursor = 0;
    const char *key = NULL;
    size_t bytes = 0;
    void *value = NULL;
    while (pin_map_next(&state->bare, &cursor, &key, &bytes, &value)) {
        const struct bare *bare = value;
        if (bare->look != state->n_looks) {
            free(pin_map_remove(&state->bare, key, bytes));
        }
    }
}

/* --- the walk ----------------------------------------------------------------------------------
 */

static void walk_kind(struct pin_claims_walk *walk, enum pin_kind kind)
{
    for (size_t i = 0; i < walk->catalog->settings->n_clusters; i++) {
        size_t cursor = 0;
        void *object = NULL;
        while (!walk->has_failed
               && pin_map_next(
                   &walk->catalog->clusters[i].objects[kind], &cursor, NULL, NULL, &object)) {
            pin_claims_object(walk, (uint16_t)i, object);
        }
    }
}

static void walk_listeners(struct pin_claims_walk *walk)
{
    for (size_t i = 0; i < walk->catalog->settings->n_clusters; i++) {
        size_t cursor = 0;
        void *gateway = NULL;
        while (pin_map_next(
            &walk->catalog->clusters[i].objects[PIN_KIND_GATEWAY], &cursor, NULL, NULL, &gateway)) {
            pin_claims_listeners(walk, gateway);
        }
    }
}

static void walk_entries(struct pin_claims_walk *walk)
{
    const struct pin_record_want *want = walk->want;
    const struct pin_recordset_source source = {.cluster = PIN_RECORDSET_CONFIG,
        .kind = "config",
        .namespace_name = want->name,
        .name = "entries",
        .created_s = CONFIG_CREATED_S};
    struct pin_claims claims;
    pin_arena_reset(walk->scratch);
    if (!pin_claims_of_records(walk->scratch, &source, want->entries, want->n_entries, &claims)) {
        walk->has_failed = true;
        return;
    }
    pin_claims_add(walk, &claims, false);
}

/* Gateways come last: they get the names that no route has. */
static void walk_all(struct pin_claims_walk *walk)
{
    static const enum pin_kind order[] = {PIN_KIND_SERVICE, PIN_KIND_INGRESS, PIN_KIND_HTTP_ROUTE,
        PIN_KIND_GRPC_ROUTE, PIN_KIND_TCP_ROUTE, PIN_KIND_TLS_ROUTE, PIN_KIND_DNS_ENDPOINT,
        PIN_KIND_GATEWAY};
    if ((walk->want->kinds >> PIN_KIND_GATEWAY & 1u) != 0) {
        walk_listeners(walk);
    }
    walk_entries(walk);
    for (size_t i = 0; i < N_ELEMS(order); i++) {
        if ((walk->want->kinds >> order[i] & 1u) != 0) {
            walk_kind(walk, order[i]);
        }
    }
    pin_arena_reset(walk->scratch);
}

/* --- what is told ------------------------------------------------------------------------------
 */

static uint64_t fold(uint64_t sum, const char *text)
{
    return pin_checksum64(text, strlen(text) + 1, sum);
}

static uint64_t fold_set(uint64_t sum, const struct pin_recordset *set)
{
    const struct pin_recordset_source *source = &set->sources[0];
    const uint64_t numbers[] = {
        set->ttl_s, (uint64_t)source->created_s, set->n_values, set->n_properties, set->n_holds};
    sum = pin_checksum64(numbers, sizeof(numbers), sum);
    sum = fold(fold(fold(sum, set->name), set->type), set->set_id);
    sum = fold(fold(sum, source->cluster), source->kind);
    sum = fold(fold(sum, source->namespace_name), source->name);
    for (size_t i = 0; i < set->n_values; i++) {
        sum = fold(sum, set->values[i].text);
    }
    for (size_t i = 0; i < set->n_properties; i++) {
        sum = fold(fold(sum, set->properties[i].name), set->properties[i].value);
    }
    return sum;
}

/* A number that moves with whatever is told; never 0. */
static uint64_t sum_of(const struct pin_claimed *claimed)
{
    const uint64_t numbers[] = {claimed->n_sets, claimed->n_unsynced, claimed->n_invalid,
        claimed->n_untargeted, claimed->n_oversized};
    uint64_t sum = pin_checksum64(numbers, sizeof(numbers), 0);
    for (size_t i = 0; i < claimed->n_sets; i++) {
        sum = fold_set(sum, &claimed->sets[i]);
    }
    for (size_t i = 0; i < claimed->n_unsynced; i++) {
        sum = fold(sum, claimed->unsynced[i]);
    }
    return fold(fold(sum, claimed->untargeted), claimed->oversized) | 1u;
}

/* Takes the arena. */
static struct pin_claimed *make_claimed(struct pin_claims_walk *walk, size_t want_i)
{
    struct pin_claimed *claimed = calloc(1, sizeof(*claimed));
    drop_unwell(walk);
    if (claimed == NULL || walk->has_failed || !list_unsynced(walk, claimed)) {
        free(claimed);
        pin_arena_free(walk->arena);
        return NULL;
    }
    claimed->want_i = want_i;
    claimed->arena = walk->arena;
    claimed->n_invalid = walk->n_invalid;
    claimed->n_untargeted = walk->n_untargeted;
    claimed->untargeted = walk->untargeted != NULL ? walk->untargeted : "";
    claimed->n_oversized = walk->n_oversized;
    claimed->oversized = walk->oversized != NULL ? walk->oversized : "";
    claimed->n_sets = walk->n_sets;
    claimed->sets = walk->n_sets == 0 ? NULL
                                      : pin_arena_memdup(walk->arena, walk->sets,
                                          walk->n_sets * sizeof(*walk->sets));
    if (walk->n_sets > 0 && claimed->sets == NULL) {
        pin_claimed_free(claimed);
        return NULL;
    }
    return claimed;
}

/* All that the entry wants now; NULL: memory is out. */
static struct pin_claimed *look(struct pin_catalog *catalog, size_t want_i, uint64_t now_ms)
{
    struct pin_claims_walk walk = {.catalog = catalog,
        .want = &catalog->settings->records[want_i],
        .arena = pin_arena_new("claims", ARENA_MAX_BYTES),
        .scratch = catalog->scratch,
        .now_ms = now_ms,
        .due_ms = UINT64_MAX};
    struct pin_claimed *claimed = NULL;
    if (walk.arena != NULL) {
        walk_all(&walk);
        claimed = make_claimed(&walk, want_i);
    }
    catalog->claimed.due_ms = PIN_MIN(catalog->claimed.due_ms, walk.due_ms);
    pin_map_done(&walk.listeners, NULL);
    free(walk.sets);
    free(walk.is_unwell);
    return claimed;
}

/* What was told last of each entry, or NULL. */
static uint64_t *told_of(struct pin_catalog *catalog)
{
    struct pin_claimed_state *state = &catalog->claimed;
    if (state->told == NULL) {
        state->told = calloc(catalog->settings->n_records, sizeof(*state->told));
    }
    return state->told;
}

static bool is_due(const struct pin_catalog *catalog, uint64_t now_ms)
{
    return catalog->settings->n_records > 0 && now_ms >= pin_claimed_next_ms(catalog);
}

/* What an entry wants, unless it was told that last. False: memory is out. */
static bool look_for_news(
    struct pin_catalog *catalog, size_t want_i, uint64_t now_ms, struct pin_claimed **news)
{
    uint64_t *told = told_of(catalog);
    struct pin_claimed *claimed = told != NULL ? look(catalog, want_i, now_ms) : NULL;
    if (claimed == NULL) {
        pin_log_error("claims: out of memory, what is wanted outside stays as it was");
        return false;
    }
    uint64_t sum = sum_of(claimed);
    if (sum == told[want_i]) {
        pin_claimed_free(claimed);
        return true;
    }
    told[want_i] = sum;
    claimed->next = *news;
    *news = claimed;
    return true;
}

struct pin_claimed *pin_catalog_take_claims(struct pin_catalog *catalog, uint64_t now_ms)
{
    struct pin_claimed_state *state = &catalog->claimed;
    struct pin_claimed *news = NULL;
    if (!is_due(catalog, now_ms)) {
        return NULL;
    }
    bool can_look = !is_filling(catalog);
    state->is_clean = can_look;
    state->next_ms = now_ms + PIN_CLAIMED_EVERY_MS;
    state->due_ms = UINT64_MAX;
    state->n_looks++;
    for (size_t i = 0; can_look && i < catalog->settings->n_records; i++) {
        if (!look_for_news(catalog, i, now_ms, &news)) {
            state->is_clean = false;
            state->next_ms = now_ms + AGAIN_MS;
            break;
        }
    }
    if (state->is_clean) {
        forget_bare(state); /* all were looked at */
    }
    return news;
}

uint64_t pin_claimed_next_ms(const struct pin_catalog *catalog)
{
    const struct pin_claimed_state *state = &catalog->claimed;
    if (catalog->settings->n_records == 0) {
        return UINT64_MAX;
    }
    return state->is_clean ? PIN_MAX(state->due_ms, state->next_ms) : state->next_ms;
}

/* --- life --------------------------------------------------------------------------------------
 */

void pin_claimed_done(struct pin_catalog *catalog)
{
    free(catalog->claimed.told);
    pin_map_done(&catalog->claimed.bare, free);
}

void pin_claimed_free(struct pin_claimed *claimed)
{
    while (claimed != NULL) {
        struct pin_claimed *next = claimed->next;
        pin_arena_free(claimed->arena);
        free(claimed);
        claimed = next;
    }
}

static bool has_want(const struct pin_claimed *list, size_t want_i)
{
    while (list != NULL && list->want_i != want_i) {
        list = list->next;
    }
    return list != NULL;
}

struct pin_claimed *pin_claimed_renew(struct pin_claimed *newer, struct pin_claimed *list)
{
    struct pin_claimed **end = &newer;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    while (list != NULL) {
        struct pin_claimed *item = list;
        list = item->next;
        item->next = NULL;
        if (has_want(newer, item->want_i)) {
            pin_claimed_free(item);
        } else {
            *end = item;
            end = &item->next;
        }
    }
    return newer;
}
