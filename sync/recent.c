/* SPDX-License-Identifier: Apache-2.0 */

/* What was written lately, so that it is not written again before the watch has shown it. */

#include "recent.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/text.h"

#define DONE_MAX 8192

/* What was written lately. */
struct done {
    uint64_t hash; /* of the body */
    uint64_t unit_hash;
    int64_t at_ms;
    bool is_shown; /* The unit has not asked for it since: the watch has shown it. */
    bool is_over;  /* Asked for after it was shown: somebody has undone it. */
};

/* Under what a write is remembered. */
static void put_done_key(const struct pin_write *write, struct pin_text *out)
{
    pin_text_putf(out, "%d %d %s/%s %s", (int)pin_write_is_of_status(write), (int)write->kind,
        write->namespace_name, write->name, write->manager);
}

static uint64_t hash_of(const struct pin_write *write)
{
    return pin_hash64(write->body, write->body_bytes) ^ (uint64_t)write->op;
}

bool pin_recent_has(const struct pin_recent *self, const struct pin_write *write)
{
    struct pin_text key = {0};
    put_done_key(write, &key);
    struct done *done = key.failed ? NULL : pin_map_find(&self->map, pin_text_get(&key), key.len);
    pin_text_done(&key);
    if (done == NULL || done->is_over || write->op == PIN_WRITE_CREATE
        || write->op == PIN_WRITE_EVENT || done->hash != hash_of(write)
        || pin_clock_mono_ms() - done->at_ms >= PIN_RECENT_MS) {
        return false;
    }
    done->is_shown = false;
    return true;
}

void pin_recent_expect(struct pin_recent *self, const char *key)
{
    uint64_t unit_hash = pin_hash64(key, strlen(key));
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&self->map, &cursor, NULL, NULL, &value)) {
        struct done *done = value;
        if (done->unit_hash == unit_hash) {
            done->is_over = done->is_over || done->is_shown;
            done->is_shown = true;
        }
    }
}

/* Forgets the oldest ones that are old enough, or too many. */
static void sweep_done(struct pin_recent *self)
{
    const char *key = NULL;
    size_t bytes = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&self->map, &cursor, &key, &bytes, &value)) {
        const struct done *done = value;
        if (pin_clock_mono_ms() - done->at_ms < PIN_RECENT_MS
            && pin_map_count(&self->map) <= DONE_MAX) {
            return;
        }
        free(pin_map_remove(&self->map, key, bytes));
    }
}

void pin_recent_note(
    struct pin_recent *self, const char *key_of_unit, const struct pin_write *write)
{
    struct pin_text key = {0};
    if (write->op == PIN_WRITE_EVENT) {
        return; /* events.c has its own memory */
    }
    struct done *done = malloc(sizeof(*done));
    put_done_key(write, &key);
    sweep_done(self);
    if (done != NULL && !key.failed) {
        *done = (struct done){.hash = hash_of(write),
            .unit_hash = key_of_unit == NULL ? 0 : pin_hash64(key_of_unit, strlen(key_of_unit)),
            .at_ms = pin_clock_mono_ms()};
        free(pin_map_remove(&self->map, pin_text_get(&key), key.len));
        if (pin_map_put(&self->map, pin_text_get(&key), key.len, done, NULL)) {
            done = NULL;
        }
    }
    free(done); /* not remembered: it may be written twice, which changes nothing */
    pin_text_done(&key);
}

void pin_recent_done(struct pin_recent *self)
{
    pin_map_done(&self->map, free);
}
