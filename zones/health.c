/* SPDX-License-Identifier: Apache-2.0 */

/* Verdicts about addresses: slots and who holds them, orders to control, flips back. */

#include "pintle/zones/health.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pintle/base/clock.h"
#include "pintle/base/hash.h"
#include "pintle/base/log.h"

#include "zones/slots.h"

/* Slots that rest before the oldest is used again: no reader is that far behind. */
#define RESTING_MIN 1024u
#define WORDS_BYTES (PIN_HEALTH_SLOTS_MAX * sizeof(uint64_t))

/* The builder's record of a slot. */
struct entry {
    struct pin_probe_spec *spec; /* NULL: not in use */
    uint32_t n_refs;
    uint32_t stamp;      /* Of the run that held it last. */
    uint32_t flip_round; /* Of the flips that named it last. */
};

/* Slot numbers in a growing array; a queue where `at` is used. */
struct numbers {
    uint32_t *slots;
    size_t at;
    size_t n;
    size_t cap;
};

/* What control remembers for people. */
struct note {
    int64_t since_wall_ms;
    char text[PIN_HEALTH_NOTE_MAX];
};

struct pin_health {
    _Atomic uint64_t *words;
    struct pin_map by_key; /* builder: key -> slot + 1 */
    struct entry *entries; /* builder */
    uint32_t n_entries;
    uint32_t cap_entries;
    uint32_t flip_round; /* builder */
    pin_health_fn *on_orders;
    void *on_orders_arg;
    _Atomic bool has_flips;

    pthread_mutex_t lock; /* guards all below; no worker takes it */
    struct pin_health_order *orders;
    size_t n_orders;
    size_t cap_orders;
    struct numbers resting; /* stopped slots that control has let go */
    struct numbers flips;
    struct pin_map notes; /* slot -> struct note */
};

struct pin_health *pin_health_new(void)
{
    struct pin_health *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    void *at = mmap(NULL, WORDS_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        free(self);
        return NULL;
    }
    self->words = at;
    (void)pthread_mutex_init(&self->lock, NULL);
    return self;
}

void pin_health_free(struct pin_health *health)
{
    if (health == NULL) {
        return;
    }
    for (uint32_t i = 0; i < health->n_entries; i++) {
        free(health->entries[i].spec);
    }
    for (size_t i = 0; i < health->n_orders; i++) {
        free(health->orders[i].spec);
    }
    pin_map_done(&health->by_key, NULL);
    pin_map_done(&health->notes, free);
    free(health->entries);
    free(health->orders);
    free(health->resting.slots);
    free(health->flips.slots);
    (void)munmap(health->words, WORDS_BYTES);
    (void)pthread_mutex_destroy(&health->lock);
    free(health);
}

const _Atomic uint64_t *pin_health_words(const struct pin_health *health)
{
    return health->words;
}

static bool push_number(struct numbers *numbers, uint32_t slot)
{
    if (numbers->n == numbers->cap) {
        size_t cap = numbers->cap == 0 ? 64 : 2 * numbers->cap;
        uint32_t *grown = realloc(numbers->slots, cap * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        numbers->slots = grown;
        numbers->cap = cap;
    }
    numbers->slots[numbers->n++] = slot;
    return true;
}

/* The oldest number; the array is tidied when half of it is gone. */
static uint32_t shift_number(struct numbers *numbers)
{
    uint32_t slot = numbers->slots[numbers->at++];
    if (numbers->at * 2 >= numbers->n) {
        numbers->n -= numbers->at;
        memmove(numbers->slots, numbers->slots + numbers->at, numbers->n * sizeof(slot));
        numbers->at = 0;
    }
    return slot;
}

static bool push_order(struct pin_health *self, const struct pin_health_order *order)
{
    (void)pthread_mutex_lock(&self->lock);
    bool has_room = self->n_orders < self->cap_orders;
    if (!has_room) {
        size_t cap = self->cap_orders == 0 ? 64 : 2 * self->cap_orders;
        struct pin_health_order *grown = realloc(self->orders, cap * sizeof(*grown));
        has_room = grown != NULL;
        self->orders = has_room ? grown : self->orders;
        self->cap_orders = has_room ? cap : self->cap_orders;
    }
    if (has_room) {
        self->orders[self->n_orders++] = *order;
    }
    (void)pthread_mutex_unlock(&self->lock);
    return has_room;
}

/* --- builder: slots --------------------------------------------------------------------------- */

static bool grow_entries(struct pin_health *self)
{
    if (self->n_entries == PIN_HEALTH_SLOTS_MAX) {
        pin_log_warn("health: %u addresses are checked already, the others count as up",
            PIN_HEALTH_SLOTS_MAX);
        return false;
    }
    if (self->n_entries == self->cap_entries) {
        uint32_t cap = self->cap_entries == 0 ? 64 : 2 * self->cap_entries;
        struct entry *grown = realloc(self->entries, cap * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        self->entries = grown;
        self->cap_entries = cap;
    }
    return true;
}

/* A slot nobody uses; PIN_SLOT_NONE when there is none. */
static uint32_t new_slot(struct pin_health *self)
{
    uint32_t slot = PIN_SLOT_NONE;
    (void)pthread_mutex_lock(&self->lock);
    size_t n_resting = self->resting.n - self->resting.at;
    if (n_resting > RESTING_MIN || (n_resting > 0 && self->n_entries == PIN_HEALTH_SLOTS_MAX)) {
        slot = shift_number(&self->resting);
    }
    (void)pthread_mutex_unlock(&self->lock);
    if (slot == PIN_SLOT_NONE && grow_entries(self)) {
        slot = self->n_entries++;
        self->entries[slot] = (struct entry){0};
    }
    return slot;
}

static uint32_t find_key(const struct pin_health *self, const char *key, size_t key_bytes)
{
    uintptr_t found = (uintptr_t)pin_map_find(&self->by_key, key, key_bytes);
    return found != 0 ? (uint32_t)(found - 1) : PIN_SLOT_NONE;
}

uint32_t pin_health_find(const struct pin_health *health, const struct pin_ip *ip, uint16_t port,
    const struct pin_check *check)
{
    char key[PIN_PROBE_KEY_MAX];
    return find_key(health, key, pin_probe_key(ip, port, check, key));
}

uint32_t pin_health_next(const struct pin_health *health, const struct pin_ip *ip, uint32_t from)
{
    for (uint32_t slot = from; slot < health->n_entries; slot++) {
        const struct pin_probe_spec *spec = health->entries[slot].spec;
        if (spec != NULL && pin_ip_equal(&spec->ip, ip)) {
            return slot;
        }
    }
    return PIN_SLOT_NONE;
}

/* Asks control to begin, and makes the slot findable. False when memory is out. */
static bool begin_slot(
    struct pin_health *self, uint32_t slot, struct pin_probe_spec *spec, enum pin_verdict first)
{
    char key[PIN_PROBE_KEY_MAX];
    size_t key_bytes = pin_probe_key(&spec->ip, spec->port, &spec->check, key);
    struct pin_health_order order = {.slot = slot,
        .first = first,
        .spec = pin_probe_spec_new(&spec->ip, spec->port, &spec->check)};
    struct pin_health_state state = {.verdict = first, .is_turning = true};
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map's values are numbers, never followed */
    void *number = (void *)((uintptr_t)slot + 1);
    if (order.spec == NULL || !pin_map_put(&self->by_key, key, key_bytes, number, NULL)) {
        free(order.spec);
        return false;
    }
    atomic_store_explicit(&self->words[slot], pin_health_pack(state), memory_order_relaxed);
    if (!push_order(self, &order)) {
        (void)pin_map_remove(&self->by_key, key, key_bytes);
        free(order.spec);
        return false;
    }
    self->entries[slot].spec = spec;
    return true;
}

static void rest(struct pin_health *self, uint32_t slot)
{
    (void)pthread_mutex_lock(&self->lock);
    (void)push_number(&self->resting, slot); /* out of memory: the slot is lost, nothing else */
    (void)pthread_mutex_unlock(&self->lock);
}

static uint32_t make_slot(struct pin_holding *holding, const struct pin_ip *ip, uint16_t port,
    const struct pin_check *check)
{
    struct pin_health *self = holding->health;
    uint32_t slot = new_slot(self);
    struct pin_probe_spec *spec =
        slot != PIN_SLOT_NONE ? pin_probe_spec_new(ip, port, check) : NULL;
    if (slot == PIN_SLOT_NONE) {
        return PIN_SLOT_NONE;
    }
    if (spec == NULL || !begin_slot(self, slot, spec, holding->first)) {
        free(spec);
        rest(self, slot);
        holding->failed = true;
        return PIN_SLOT_NONE;
    }
    return slot;
}

static void let_go(struct pin_health *self, uint32_t slot)
{
    struct entry *entry = &self->entries[slot];
    char key[PIN_PROBE_KEY_MAX];
    if (--entry->n_refs > 0) {
        return;
    }
    size_t bytes = pin_probe_key(&entry->spec->ip, entry->spec->port, &entry->spec->check, key);
    (void)pin_map_remove(&self->by_key, key, bytes);
    free(entry->spec);
    entry->spec = NULL;
    (void)push_order(self, &(struct pin_health_order){.slot = slot});
}

/* --- builder: who holds them ------------------------------------------------------------------ */

struct pin_holding pin_holding_begin(
    struct pin_health *health, const struct pin_holds *old, uint32_t stamp, bool has_time)
{
    struct pin_holding holding = {.health = health, .stamp = stamp, .first = PIN_VERDICT_ASSUMED};
    for (uint32_t i = 0; i < old->n && !has_time; i++) {
        if (pin_health_is_up(health, old->slots[i])) {
            holding.first = PIN_VERDICT_UNJUDGED;
        }
    }
    return holding;
}

static bool keep(struct pin_holds *holds, uint32_t slot)
{
    if (holds->n == holds->cap) {
        uint32_t cap = holds->cap == 0 ? 8 : 2 * holds->cap;
        uint32_t *grown = realloc(holds->slots, cap * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        holds->slots = grown;
        holds->cap = cap;
    }
    holds->slots[holds->n++] = slot;
    return true;
}

uint32_t pin_holding_take(struct pin_holding *holding, const struct pin_ip *ip, uint16_t port,
    const struct pin_check *check)
{
    struct pin_health *self = holding->health;
    uint32_t slot = pin_health_find(self, ip, port, check);
    if (slot == PIN_SLOT_NONE) {
        slot = make_slot(holding, ip, port, check);
    }
    if (slot == PIN_SLOT_NONE || self->entries[slot].stamp == holding->stamp) {
        return slot;
    }
    if (!keep(&holding->holds, slot)) {
        holding->failed = true;
        return PIN_SLOT_NONE;
    }
    self->entries[slot].stamp = holding->stamp;
    self->entries[slot].n_refs++;
    return slot;
}

void pin_holds_release(struct pin_health *health, struct pin_holds *holds)
{
    for (uint32_t i = 0; i < holds->n; i++) {
        let_go(health, holds->slots[i]);
    }
    free(holds->slots);
    *holds = (struct pin_holds){0};
}

void pin_holding_end(struct pin_holding *holding, struct pin_holds *holds, bool has_failed)
{
    if (has_failed) {
        pin_holds_release(holding->health, &holding->holds);
        return;
    }
    struct pin_holds old = *holds;
    *holds = holding->holds;
    holding->holds = (struct pin_holds){0};
    pin_holds_release(holding->health, &old);
}

bool pin_health_is_up(const struct pin_health *health, uint32_t slot)
{
    return slot == PIN_SLOT_NONE
           || pin_health_unpack(pin_health_word(health->words, slot)).verdict
                  >= PIN_VERDICT_ASSUMED;
}

void pin_health_flush(struct pin_health *health)
{
    (void)pthread_mutex_lock(&health->lock);
    bool has_orders = health->n_orders > 0;
    (void)pthread_mutex_unlock(&health->lock);
    if (has_orders && health->on_orders != NULL) {
        health->on_orders(health->on_orders_arg);
    }
}

/* --- builder: flips ----------------------------------------------------------------------------
 */

bool pin_health_has_flips(const struct pin_health *health)
{
    return atomic_load_explicit(&health->has_flips, memory_order_acquire);
}

void pin_health_take_flips(struct pin_health *health)
{
    (void)pthread_mutex_lock(&health->lock);
    health->flip_round++;
    for (size_t i = 0; i < health->flips.n; i++) {
        uint32_t slot = health->flips.slots[i];
        if (slot < health->n_entries) {
            health->entries[slot].flip_round = health->flip_round;
        }
    }
    health->flips.n = 0;
    atomic_store_explicit(&health->has_flips, false, memory_order_release);
    (void)pthread_mutex_unlock(&health->lock);
}

bool pin_holds_have_flip(const struct pin_health *health, const struct pin_holds *holds)
{
    for (uint32_t i = 0; i < holds->n; i++) {
        if (health->entries[holds->slots[i]].flip_round == health->flip_round) {
            return true;
        }
    }
    return false;
}

/* --- control ------------------------------------------------------------------------------------
 */

void pin_health_on_orders(struct pin_health *health, pin_health_fn *fn, void *arg)
{
    health->on_orders = fn;
    health->on_orders_arg = arg;
}

static void drop_note(struct pin_health *self, uint32_t slot)
{
    free(pin_map_remove(&self->notes, &slot, sizeof(slot)));
}

size_t pin_health_take_orders(struct pin_health *health, struct pin_health_order **ret_orders)
{
    (void)pthread_mutex_lock(&health->lock);
    size_t n = health->n_orders;
    *ret_orders = health->orders;
    for (size_t i = 0; i < n; i++) {
        if (health->orders[i].spec == NULL) {
            (void)push_number(&health->resting, health->orders[i].slot);
            drop_note(health, health->orders[i].slot);
        }
    }
    if (n > 0) {
        health->orders = NULL;
        health->n_orders = 0;
        health->cap_orders = 0;
    }
    (void)pthread_mutex_unlock(&health->lock);
    return n;
}

bool pin_health_store(struct pin_health *health, uint32_t slot, struct pin_health_state state)
{
    uint64_t old = atomic_exchange_explicit(
        &health->words[slot], pin_health_pack(state), memory_order_relaxed);
    if (pin_health_unpack(old).verdict == state.verdict) {
        return false;
    }
    (void)pthread_mutex_lock(&health->lock);
    (void)push_number(&health->flips, slot); /* out of memory: seen at the next flip */
    atomic_store_explicit(&health->has_flips, true, memory_order_release);
    (void)pthread_mutex_unlock(&health->lock);
    return true;
}

void pin_health_note(
    struct pin_health *health, uint32_t slot, int64_t since_wall_ms, const char *text)
{
    (void)pthread_mutex_lock(&health->lock);
    struct note *note = pin_map_find(&health->notes, &slot, sizeof(slot));
    if (note == NULL) {
        note = calloc(1, sizeof(*note));
        if (note != NULL && !pin_map_put(&health->notes, &slot, sizeof(slot), note, NULL)) {
            free(note);
            note = NULL;
        }
    }
    if (note != NULL) { /* out of memory: explain says less */
        size_t bytes = text != NULL ? strnlen(text, sizeof(note->text) - 1) : 0;
        note->since_wall_ms = since_wall_ms;
        if (bytes > 0) {
            memcpy(note->text, text, bytes);
        }
        note->text[bytes] = '\0';
    }
    (void)pthread_mutex_unlock(&health->lock);
}

/* --- for people ----------------------------------------------------------------------------------
 */

void pin_health_json(struct pin_health *health, uint32_t slot, struct pin_jsonout *out)
{
    static const char *const texts[] = {
        [PIN_VERDICT_DOWN] = "unhealthy",
        [PIN_VERDICT_UNJUDGED] = "unjudged",
        [PIN_VERDICT_ASSUMED] = "unjudged, shown meanwhile",
        [PIN_VERDICT_UP] = "healthy",
    };
    struct pin_health_state state = pin_health_unpack(pin_health_word(health->words, slot));
    struct note note = {0};
    (void)pthread_mutex_lock(&health->lock);
    const struct note *kept = pin_map_find(&health->notes, &slot, sizeof(slot));
    note = kept != NULL ? *kept : note;
    (void)pthread_mutex_unlock(&health->lock);

    const struct pin_probe_spec *spec = health->entries[slot].spec;
    pin_jsonout_key_string(out, "state", texts[state.verdict]);
    if (spec != NULL) {
        pin_jsonout_key_string(out, "check", pin_check_protocol_text(spec->check.protocol));
        pin_jsonout_key_uint(out, "port", spec->port);
    }
    pin_jsonout_key_bool(out, "turning", state.is_turning);
    if (note.since_wall_ms != 0) {
        char since[PIN_CLOCK_TEXT_MAX];
        pin_clock_format(note.since_wall_ms, since);
        pin_jsonout_key_string(out, "since", since);
    }
    if (note.text[0] != '\0') {
        pin_jsonout_key_string(out, "error", note.text);
    }
}
