/* SPDX-License-Identifier: Apache-2.0 */

/* What makes a primary server, put together. */

#include "resolver/primary.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"

#include "resolver/serial_store.h"
#include "resolver/tsig_keys.h"

/* Moves of serials are looked at once and then not before so long. */
#define LOOK_MS    1000
#define KEY_PREFIX "key:"

struct pin_primary {
    const struct pin_config *config;
    struct pin_tsig_keys *keys;
    struct pin_transfer_rule *rules;
    size_t n_rules;
    struct pin_transfers *transfers;
    struct pin_serial_store *store;
    struct pin_notifier *notifier;
    struct pin_builder *builder;
    struct pin_timer *timer;
};

/* --- rules -------------------------------------------------------------------------------- */

static const struct pin_tsig_key *find_key(const struct pin_primary *primary, const char *text)
{
    struct pin_name name;
    return pin_name_parse(text, &name) == PIN_OK ? pin_tsig_key(primary->keys, &name) : NULL;
}

/* Reads one word of `allow`; false: it is neither a range nor a key that there is. */
static bool add_word(struct pin_primary *primary, struct pin_transfer_rule *rule, const char *word,
    struct pin_prefix *ranges, const struct pin_tsig_key **keys)
{
    if (strncmp(word, KEY_PREFIX, strlen(KEY_PREFIX)) != 0) {
        bool is_range = pin_prefix_parse(word, &ranges[rule->n_ranges]);
        rule->n_ranges += is_range;
        return is_range;
    }
    const struct pin_tsig_key *key = find_key(primary, word + strlen(KEY_PREFIX));
    if (key != NULL) {
        keys[rule->n_keys++] = key;
    }
    return key != NULL;
}

/* Fills the rule of one entry; faults are findings. False: memory is out. */
static bool make_rule(struct pin_primary *primary, const struct pin_config_transfer *from,
    struct pin_transfer_rule *rule, struct pin_findings *findings)
{
    struct pin_arena *arena = primary->config->arena;
    struct pin_prefix *ranges = pin_arena_alloc(arena, (from->n_allow + 1) * sizeof(*ranges));
    const struct pin_tsig_key **keys =
        pin_arena_alloc(arena, (from->n_allow + 1) * sizeof(struct pin_tsig_key *));
    if (ranges == NULL || keys == NULL) {
        return false;
    }
    *rule = (struct pin_transfer_rule){.ranges = ranges, .keys = keys};
    (void)pin_name_parse(from->zone, &rule->zone);
    for (size_t i = 0; i < from->n_allow; i++) {
        if (!add_word(primary, rule, from->allow[i], ranges, keys)) {
            pin_findings_add(findings, primary->config->file, from->at,
                "transfers: \"%s\" is neither a range such as 192.0.2.0/24 nor key:NAME with a "
                "name of tsigKeys",
                from->allow[i]);
        }
    }
    if (from->key != NULL && find_key(primary, from->key) == NULL) {
        pin_findings_add(findings, primary->config->file, from->at,
            "transfers: there is no key \"%s\" in tsigKeys", from->key);
    }
    return true;
}

static bool make_rules(struct pin_primary *primary, struct pin_findings *findings)
{
    const struct pin_config *config = primary->config;
    primary->rules = calloc(config->n_transfers + 1, sizeof(*primary->rules));
    bool is_ok = primary->rules != NULL;
    for (size_t i = 0; is_ok && i < config->n_transfers; i++) {
        if (config->transfers[i].zone != NULL) { /* else it has its finding */
            is_ok = make_rule(
                primary, &config->transfers[i], &primary->rules[primary->n_rules++], findings);
        }
    }
    primary->transfers = is_ok ? pin_transfers_new(primary->rules, primary->n_rules) : NULL;
    return primary->transfers != NULL;
}

struct pin_primary *pin_primary_load(const struct pin_config *config, struct pin_findings *findings)
{
    struct pin_primary *primary = calloc(1, sizeof(*primary));
    if (primary == NULL) {
        return NULL;
    }
    primary->config = config;
    primary->keys = pin_tsig_keys_load(config, findings);
    if (primary->keys == NULL || !make_rules(primary, findings)) {
        pin_primary_free(primary);
        return NULL;
    }
    return primary;
}

/* --- serials ------------------------------------------------------------------------------ */

/* Looks what has moved; what moves from now on is told again. */
static void look(struct pin_primary *primary)
{
    pin_builder_take_serials(primary->builder);
    pin_serial_store_note(primary->store, pin_builder_live(primary->builder)->index, false);
    if (primary->notifier != NULL) {
        pin_notifier_look(primary->notifier);
    }
}

static void on_timer(void *arg)
{
    look(arg);
}

/* The first move is looked at at once, those of the next second together. */
static void on_serials(void *arg)
{
    struct pin_primary *primary = arg;
    if (primary->timer == NULL || primary->builder == NULL) {
        return; /* not started yet, or over */
    }
    if (!pin_timer_is_running(primary->timer)) {
        look(primary);
        pin_timer_start(primary->timer, LOOK_MS, false);
    }
}

enum pin_err pin_primary_open(
    struct pin_primary *primary, struct pin_builder_config *builder, struct pin_why *why)
{
    enum pin_err err = pin_serial_store_open(primary->config->state_dir, &primary->store, why);
    if (err == PIN_OK) {
        pin_serial_store_begin(primary->store, builder);
        builder->on_serials = on_serials;
        builder->on_serials_arg = primary;
    }
    return err;
}

/* --- life --------------------------------------------------------------------------------- */

static const struct pin_zone *find_zone(const struct pin_primary *primary, const char *text)
{
    struct pin_name apex;
    return pin_name_parse(text, &apex) == PIN_OK
               ? pin_index_zone(pin_builder_live(primary->builder)->index, &apex)
               : NULL;
}

static enum pin_err start_notifier(
    struct pin_primary *primary, struct pin_loop *loop, struct pin_why *why)
{
    const struct pin_config *config = primary->config;
    size_t n = 0;
    struct pin_notify_zone *zones = calloc(config->n_transfers + 1, sizeof(*zones));
    for (size_t i = 0; zones != NULL && i < config->n_transfers; i++) {
        const struct pin_config_transfer *from = &config->transfers[i];
        const struct pin_zone *zone = find_zone(primary, from->zone);
        if (zone != NULL && from->n_notify > 0) {
            zones[n++] = (struct pin_notify_zone){.zone = zone,
                .targets = from->notify,
                .n_targets = from->n_notify,
                .key = from->key != NULL ? find_key(primary, from->key) : NULL};
        }
    }
    primary->notifier = zones != NULL ? pin_notifier_new(loop, zones, n) : NULL;
    free(zones);
    return primary->notifier != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "NOTIFY");
}

enum pin_err pin_primary_start(struct pin_primary *primary, struct pin_loop *loop,
    struct pin_builder *builder, struct pin_why *why)
{
    primary->builder = builder;
    enum pin_err err = start_notifier(primary, loop, why);
    primary->timer = pin_timer_new(loop, on_timer, primary);
    if (err == PIN_OK && primary->timer == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "a timer");
    }
    if (err == PIN_OK) {
        look(primary); /* serials are set aside before anybody asks for one */
    }
    return err;
}

void pin_primary_follow(struct pin_primary *primary, struct pin_loop *loop)
{
    struct pin_notifier *old = primary->notifier;
    struct pin_why why = {0};
    primary->notifier = NULL; /* it has zones of the catalog before */
    pin_notifier_free(old);
    if (start_notifier(primary, loop, &why) != PIN_OK) {
        pin_log_error("primary: %s: secondaries hear of no change until the next reload", why.text);
    }
    look(primary);
}

void pin_primary_inherit(struct pin_primary *primary, const struct pin_primary *before)
{
    pin_transfers_inherit(primary->transfers, before->transfers);
}

void pin_primary_change(struct pin_primary *primary, struct pin_primary *next)
{
    const struct pin_primary before = *primary;
    primary->config = next->config;
    primary->keys = next->keys;
    primary->rules = next->rules;
    primary->n_rules = next->n_rules;
    primary->transfers = next->transfers;
    next->config = before.config;
    next->keys = before.keys;
    next->rules = before.rules;
    next->n_rules = before.n_rules;
    next->transfers = before.transfers;
}

const struct pin_tsig_keys *pin_primary_keys(const struct pin_primary *primary)
{
    return primary->keys;
}

struct pin_transfers *pin_primary_transfers(struct pin_primary *primary)
{
    return primary->transfers;
}

struct pin_notify_stats pin_primary_notify_stats(const struct pin_primary *primary)
{
    return primary->notifier != NULL ? pin_notifier_stats(primary->notifier)
                                     : (struct pin_notify_stats){0};
}

void pin_primary_stop(struct pin_primary *primary, bool is_replaced)
{
    if (primary == NULL) {
        return;
    }
    if (primary->builder != NULL && !is_replaced) {
        pin_serial_store_note(primary->store, pin_builder_live(primary->builder)->index, true);
    }
    primary->builder = NULL;
}

void pin_primary_free(struct pin_primary *primary)
{
    if (primary == NULL) {
        return;
    }
    if (primary->timer != NULL) {
        pin_timer_free(primary->timer);
    }
    pin_notifier_free(primary->notifier);
    pin_serial_store_free(primary->store);
    pin_transfers_free(primary->transfers);
    pin_tsig_keys_free(primary->keys);
    free(primary->rules);
    free(primary);
}
