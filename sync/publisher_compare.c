/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is below the prefix is ours alone. Whether somebody else has written there is seen by
 * revisions: the keys without their values, page by page, while no transaction is under way.
 *
 *     30 s -> page, 20 ms, page, ... -> all there, at our revisions -> 30 s
 *                                    -> else: read what is there, write the differences
 */

#include <stdlib.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/base/rand.h"

#include "etcd.h"
#include "etcd_text.h"
#include "publisher_state.h"

#define EVERY_MS  30000 /* And up to a tenth more. */
#define PACE_MS   20
#define PAGE_KEYS 1000

static void schedule(struct pin_publisher *self, int64_t delay_ms)
{
    if (!self->is_stopped) {
        pin_timer_start(self->compare_timer, delay_ms, false);
    }
}

/* The next comparison begins with the first key, after a while. */
static void rest(struct pin_publisher *self)
{
    int64_t every_ms = self->config.compare_ms > 0 ? self->config.compare_ms : EVERY_MS;
    free(self->compare_key);
    self->compare_key = NULL;
    self->is_comparing = false;
    schedule(self, every_ms + pin_rand_below((uint32_t)(every_ms / 10) + 1));
}

/* Has what is there read and the differences written, by the next step. */
static void repair(struct pin_publisher *self, const char *what)
{
    pin_log_warn("publisher: %s: somebody else has %s keys that are ours, writing them again",
        self->all_keys, what);
    self->n_repairs++;
    self->needs_read = true;
    rest(self);
}

/* Takes the keys of a page. False: one of them is not as we left it. */
static bool take_page(struct pin_publisher *self, const struct pin_tree *tree)
{
    bool is_same = true;
    PIN_TREE_EACH(item, pin_tree_list(tree, "kvs"))
    {
        struct pin_etcd_kv kv;
        if (pin_etcd_kv_read(item, &kv, NULL) != PIN_OK) {
            return false;
        }
        is_same = pin_publish_is_same(&self->publish, &kv) && is_same;
        free(self->compare_key);
        self->compare_key = kv.key;
        self->compare_key_bytes = kv.key_bytes + 1; /* its NUL: the page begins behind it */
        kv.key = NULL;
        pin_etcd_kv_done(&kv);
    }
    return is_same;
}

static void read_page(struct pin_publisher *self, const struct pin_etcd_reply *reply)
{
    struct pin_tree *tree = NULL;
    if (self->publish.has_deleted) { /* since it was asked for: the same page again */
        schedule(self, PACE_MS);
        return;
    }
    if (pin_json_parse(reply->text, reply->bytes, self->arena, &tree, NULL) != PIN_OK) {
        rest(self);
        return;
    }
    bool has_more = pin_tree_bool(tree, "more", false) && pin_tree_list(tree, "kvs") != NULL;
    if (!take_page(self, tree)) {
        repair(self, "changed");
    } else if (has_more) {
        schedule(self, PACE_MS);
    } else if (!pin_publish_has_all(&self->publish)) {
        repair(self, "removed");
    } else {
        rest(self);
    }
    pin_arena_reset(self->arena);
}

static void on_page(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_publisher *self = arg;
    self->call = NULL;
    if (reply->fault == PIN_ETCD_NONE) {
        read_page(self, reply);
    } else {
        rest(self); /* whoever writes, or keeps the lease, finds out what is wrong */
    }
    pin_timer_start(self->timer, 0, false); /* what had to wait meanwhile */
}

static void send_page(struct pin_publisher *self)
{
    struct pin_text body = {0};
    bool is_first = self->compare_key == NULL;
    const char *from = is_first ? self->all_keys : self->compare_key;
    size_t from_bytes = is_first ? strlen(self->all_keys) : self->compare_key_bytes;
    if (!self->is_comparing) {
        pin_publish_compare(&self->publish);
    }
    self->is_comparing = true;
    self->publish.has_deleted = false;
    pin_text_putc(&body, '{');
    pin_etcd_put_bytes(&body, "key", from, from_bytes, true);
    pin_etcd_put_bytes(&body, "range_end", self->all_keys_end, strlen(self->all_keys_end), true);
    pin_text_putf(&body, "\"keys_only\":true,\"limit\":\"%d\"}", PAGE_KEYS);
    struct pin_etcd_request request = {.path = "/v3/kv/range",
        .body = pin_text_get(&body),
        .body_bytes = body.len,
        .timeout_ms = PIN_ETCD_CALL_TIMEOUT_MS,
        .on_done = on_page,
        .arg = self};
    self->call = body.failed ? NULL : pin_etcd_start(self->etcd, &request);
    pin_text_done(&body);
    schedule(self, PACE_MS); /* also if it is cancelled, as calls are when something fails */
}

static void on_timer(void *arg)
{
    struct pin_publisher *self = arg;
    if (self->step != PIN_PUBLISHER_LEAD || self->needs_read) {
        rest(self);
    } else if (self->call != NULL || !pin_publish_is_idle(&self->publish)) {
        schedule(self, PACE_MS); /* changes first */
    } else {
        send_page(self);
    }
}

bool pin__publisher_compare_start(struct pin_publisher *self)
{
    self->compare_timer = pin_timer_new(self->config.loop, on_timer, self);
    if (self->compare_timer == NULL) {
        return false;
    }
    rest(self);
    return true;
}

void pin__publisher_compare_done(struct pin_publisher *self)
{
    pin_timer_free(self->compare_timer);
    free(self->compare_key);
}
