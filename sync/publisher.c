/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The publisher. Whatever goes wrong leads back to the election (sync/election.h): who still holds
 * the leader's key finds that there, reads what etcd has, and goes on with the differences.
 *
 *     ELECTION -> READ ... -> LEAD: pull, transaction, pull
 *        ^------------------------'  failure, or another leads
 */

#include "pintle/sync/publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/version.h"

#include "election.h"
#include "etcd.h"
#include "etcd_text.h"
#include "http.h"
#include "publish_ops.h"
#include "publisher_state.h"

#define ARENA_BYTES    ((size_t)256 << 20)
#define LEASE_TTL_S    12
#define BEATS_TO_ALIVE 3 /* `alive` is put anew with each third sign of life. */
#define RETRY_MAX_MS   5000
#define PAGE_KEYS      256u
#define DOUBT_MS       60000 /* For the second list, which begins 30 s after the first. */
#define TAKE_KEYS      200u
#define TAKE_BYTES     ((size_t)1 << 20)

static void do_step(void *arg);
static void pull_more(struct pin_publisher *self);

/* --- Steps ----------------------------------------------------------------------------------- */

static void schedule(struct pin_publisher *self, enum pin_publisher_step step, int64_t delay_ms)
{
    self->step = step;
    if (!self->is_stopped) {
        pin_timer_start(self->timer, delay_ms, false);
    }
}

/* What was to be written is forgotten: it is found again as a difference. */
static void retreat(struct pin_publisher *self, enum pin_publisher_step step)
{
    pin_etcd_cancel(self->call);
    self->call = NULL;
    self->needs_read = false;
    pin_publish_reset(&self->publish);
    free(self->next_key);
    self->next_key = NULL;
    self->is_pull_stale = self->is_pulling;
    self->step = step;
    if (step == PIN_PUBLISHER_READ) {
        schedule(self, step, 0);
    } else {
        pin_timer_stop(self->timer); /* on_held() goes on */
    }
}

/* A call of ours went wrong. */
static void fail(struct pin_publisher *self, const char *message)
{
    pin_election_fail(self->election, message);
}

/* Starts a call that belongs to the present step. */
static void send_call(struct pin_publisher *self, const char *path, const struct pin_text *body,
    int64_t timeout_ms, void (*on_done)(void *arg, const struct pin_etcd_reply *reply))
{
    struct pin_etcd_request request = {.path = path,
        .body = pin_text_get(body),
        .body_bytes = body->len,
        .timeout_ms = timeout_ms,
        .on_done = on_done,
        .arg = self};
    self->call = body->failed ? NULL : pin_etcd_start(self->etcd, &request);
    if (self->call == NULL) {
        fail(self, "out of memory");
    }
}

/* The answer as a tree, in the arena; NULL: it cannot be read, which has been dealt with. */
static const struct pin_tree *read_reply(
    struct pin_publisher *self, const struct pin_etcd_reply *reply)
{
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    self->call = NULL;
    if (reply->fault != PIN_ETCD_NONE) {
        fail(self, reply->message);
        return NULL;
    }
    if (pin_json_parse(reply->text, reply->bytes, self->arena, &tree, &why) != PIN_OK) {
        pin_arena_reset(self->arena);
        fail(self, why.text);
        return NULL;
    }
    return tree;
}

/* --- Election -------------------------------------------------------------------------------- */

static void on_held(void *arg, int64_t revision)
{
    struct pin_publisher *self = arg;
    self->leader_revision = revision;
    self->revision = revision;
    retreat(self, PIN_PUBLISHER_READ);
}

static void on_lost(void *arg)
{
    retreat(arg, PIN_PUBLISHER_ELECTION);
}

static void beat(struct pin_publisher *self);

static void on_kept(void *arg)
{
    struct pin_publisher *self = arg;
    if (self->step == PIN_PUBLISHER_LEAD && pin_publish_is_idle(&self->publish)) {
        pin_election_worked(self->election);
    }
    beat(self);
}

/* --- What is there --------------------------------------------------------------------------- */

static bool take_page(struct pin_publisher *self, const struct pin_tree *tree)
{
    PIN_TREE_EACH(item, pin_tree_list(tree, "kvs"))
    {
        struct pin_etcd_kv kv;
        if (pin_etcd_kv_read(item, &kv, NULL) != PIN_OK) {
            return false;
        }
        if (!kv.has_nul) { /* else it is nobody's of us */
            pin_publish_know(&self->publish, &kv);
        }
        free(self->next_key);
        self->next_key = kv.key;
        self->next_key_bytes = kv.key_bytes + 1; /* its NUL: the page begins behind it */
        kv.key = NULL;
        pin_etcd_kv_done(&kv);
    }
    return !self->publish.failed;
}

static void on_page(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_publisher *self = arg;
    if (reply->fault == PIN_ETCD_TOO_LARGE && self->page_keys > 1) {
        self->call = NULL;
        self->page_keys /= 2;
        schedule(self, PIN_PUBLISHER_READ, 0);
        return;
    }
    const struct pin_tree *tree = read_reply(self, reply);
    if (tree == NULL) {
        return;
    }
    if (self->next_key == NULL) {
        self->read_revision = pin_tree_int(tree, "header.revision", 0);
    }
    bool is_good = take_page(self, tree);
    bool has_more = pin_tree_bool(tree, "more", false) && self->next_key != NULL;
    pin_arena_reset(self->arena);
    if (!is_good) {
        fail(self, "what it has cannot be read");
    } else if (has_more) {
        schedule(self, PIN_PUBLISHER_READ, 0);
    } else {
        free(self->next_key);
        self->next_key = NULL;
        self->is_first_pull = true;
        self->has_news = true;
        pin_log_debug("publisher: %s holds %zu keys", self->all_keys, self->publish.n_keys);
        schedule(self, PIN_PUBLISHER_LEAD, 0);
    }
}

static void read_keys(struct pin_publisher *self)
{
    struct pin_text body = {0};
    const char *from = self->next_key != NULL ? self->next_key : self->all_keys;
    size_t from_bytes = self->next_key != NULL ? self->next_key_bytes : strlen(self->all_keys);
    if (self->next_key == NULL) {
        pin_publish_reset(&self->publish);
    }
    pin_text_putc(&body, '{');
    pin_etcd_put_bytes(&body, "key", from, from_bytes, true);
    pin_etcd_put_bytes(&body, "range_end", self->all_keys_end, strlen(self->all_keys_end), true);
    if (self->next_key != NULL) {
        pin_text_putf(&body, "\"revision\":\"%" PRId64 "\",", self->read_revision);
    }
    pin_text_putf(&body, "\"limit\":\"%zu\"}", self->page_keys);
    send_call(self, "/v3/kv/range", &body, PIN_ETCD_PAGE_TIMEOUT_MS, on_page);
    pin_text_done(&body);
}

/* --- Writing --------------------------------------------------------------------------------- */

static void put_meta(struct pin_publisher *self, size_t cluster_id, bool is_up)
{
    struct pin_publish_cluster *cluster = &self->publish.clusters[cluster_id];
    struct pin_text value = {0};
    const char *comma = "";
    pin_text_putf(&value,
        "{\"format\":1,\"state\":\"%s\",\"time\":%" PRId64 ",\"by\":\"pintle " PIN_VERSION
        "\",\"unknown\":[",
        is_up ? "up" : "down", pin_clock_wall_ms());
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if ((cluster->unknown >> kind & 1u) != 0) {
            pin_text_putf(&value, "%s\"%s\"", comma, pin_kind_text((enum pin_kind)kind));
            comma = ",";
        }
    }
    pin_text_puts(&value, "]}");
    cluster->is_up = is_up;
    if (value.failed) {
        self->publish.failed = true;
    } else {
        pin_publish_put(&self->publish, cluster_id, "meta", pin_text_get(&value), false);
    }
    pin_text_done(&value);
}

static void put_alive(struct pin_publisher *self, size_t cluster_id)
{
    char value[32];
    (void)snprintf(value, sizeof(value), "%" PRId64, pin_clock_wall_ms());
    pin_publish_put(&self->publish, cluster_id, "alive", value, true);
}

/* Readers tell a watch that has died from one that has nothing to say. */
static void beat(struct pin_publisher *self)
{
    if (self->has_doubt) { /* look again how the clusters stand */
        self->has_news = true;
        pin_timer_start(self->timer, 0, false);
    }
    if (self->step != PIN_PUBLISHER_LEAD || !pin_publish_is_idle(&self->publish)
        || ++self->n_beats < BEATS_TO_ALIVE) {
        return;
    }
    self->n_beats = 0;
    for (size_t i = 0; i < self->publish.n_clusters; i++) {
        if (self->publish.clusters[i].is_whole) {
            put_alive(self, i);
        }
    }
    pin_timer_start(self->timer, 0, false);
}

/* What became of a transaction that etcd refused for its size. */
static void shrink(struct pin_publisher *self, const char *message)
{
    char *key = NULL;
    self->call = NULL;
    if (!pin_publish_shrink(&self->publish, &key)) {
        self->n_refused++;
        pin_log_error("publisher: %s is too large for etcd (%s); others see its last state; to "
                      "do: raise --max-request-bytes of etcd",
            key != NULL ? key : "a key", message);
    }
    free(key);
    schedule(self, PIN_PUBLISHER_LEAD, 0);
}

static void on_written(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_publisher *self = arg;
    if (reply->fault == PIN_ETCD_TOO_LARGE) {
        shrink(self, reply->message);
        return;
    }
    const struct pin_tree *tree = read_reply(self, reply);
    if (tree == NULL) {
        return;
    }
    bool is_leader = pin_tree_bool(tree, "succeeded", false);
    int64_t revision = pin_tree_int(tree, "header.revision", 0);
    pin_arena_reset(self->arena);
    if (!is_leader) {
        pin_log_warn("publisher: another writes %s now, standing by", self->all_keys);
        pin_election_again(self->election);
        return;
    }
    pin_election_worked(self->election);
    self->n_txns++;
    if (revision < self->revision) { /* restored: it lacks what was written since its backup */
        pin_log_warn("publisher: the revision of etcd went back from %" PRId64 " to %" PRId64
                     ": reading %s again",
            self->revision, revision, self->all_keys);
        self->revision = revision;
        retreat(self, PIN_PUBLISHER_READ);
        return;
    }
    self->revision = revision;
    pin_publish_acknowledge(&self->publish, revision, &self->n_puts, &self->n_deletes);
    schedule(self, PIN_PUBLISHER_LEAD, 0);
}

static void write_next(struct pin_publisher *self)
{
    struct pin_text body = {0};
    pin_text_puts(&body, "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",");
    pin_text_putf(&body, "\"mod_revision\":\"%" PRId64 "\",", self->leader_revision);
    pin_etcd_put_bytes(&body, "key", self->leader_key, strlen(self->leader_key), false);
    pin_text_puts(&body, "}],\"success\":");
    pin_publish_next(&self->publish, pin_election_lease(self->election), &body);
    pin_text_putc(&body, '}');
    send_call(self, "/v3/kv/txn", &body, PIN_ETCD_CALL_TIMEOUT_MS, on_written);
    pin_text_done(&body);
}

/* Writes what is to be written, then asks for more. */
static void go_on(struct pin_publisher *self)
{
    if (self->publish.failed) {
        fail(self, "out of memory");
    } else if (self->needs_read) {
        retreat(self, PIN_PUBLISHER_READ);
    } else if (!pin_publish_is_idle(&self->publish)) {
        write_next(self);
    } else if (self->has_news) {
        pull_more(self);
    } else {
        self->news_ms = 0;
    }
}

/* --- Changes --------------------------------------------------------------------------------- */

/*
 * Whether the first list of a cluster may be wrong: it lacks more than half of what is published.
 * This process knows of nothing before it, but all who read do. While the cluster is out of reach
 * there is no second one.
 */
static bool is_doubted(struct pin_publisher *self, size_t i, bool is_up)
{
    struct pin_publish_cluster *cluster = &self->publish.clusters[i];
    int64_t doubt_ms = self->config.doubt_ms > 0 ? self->config.doubt_ms : DOUBT_MS;
    int64_t now_ms = pin_clock_mono_ms();
    size_t n_missing = pin_publish_n_missing(&self->publish, i);
    bool is_odd = n_missing > pin_map_count(&cluster->known) / 2;
    if (is_odd && cluster->doubted_ms == 0 && self->config.list_again != NULL
        && self->config.list_again(self->config.pull_arg, (uint16_t)i)) {
        cluster->doubted_ms = now_ms;
        pin_log_warn("publisher: %s: %zu of %zu keys have no object in the first list; they are "
                     "kept until a second one, 30 s later, says the same",
            cluster->base, n_missing, pin_map_count(&cluster->known));
    }
    if (cluster->doubted_ms != 0 && !is_up) {
        cluster->doubted_ms = now_ms;
    }
    return is_odd && cluster->doubted_ms != 0 && now_ms - cluster->doubted_ms < doubt_ms;
}

/* Clusters as they stand: who is to be followed, who was taken whole, who came or went. */
static void look_at_clusters(struct pin_publisher *self, const struct pin_changes_taken *taken)
{
    struct pin_publish *publish = &self->publish;
    self->has_doubt = false;
    for (size_t i = 0; i < publish->n_clusters && i < taken->n_clusters; i++) {
        struct pin_publish_cluster *cluster = &publish->clusters[i];
        const struct pin_change_cluster *state = &taken->clusters[i];
        if (cluster->base == NULL || !state->is_synced) {
            continue;
        }
        if (!cluster->is_followed) {
            self->follows[i] = true;
            self->has_news = true;
        } else if (!cluster->is_whole && !taken->has_more) {
            cluster->unknown = state->unknown;
            if (is_doubted(self, i, state->is_up)) {
                self->has_doubt = true;
                continue;
            }
            cluster->is_whole = true;
            pin_publish_sweep(publish, i);
            put_meta(self, i, state->is_up);
            put_alive(self, i);
        } else if (cluster->is_whole && cluster->unknown != state->unknown && !taken->has_more) {
            cluster->unknown = state->unknown;
            pin_publish_sweep(publish, i);
            put_meta(self, i, state->is_up);
        } else if (cluster->is_whole && cluster->is_up != state->is_up) {
            put_meta(self, i, state->is_up);
        }
    }
}

static void on_pulled(void *arg)
{
    struct pin_publisher *self = arg;
    struct pin_changes_taken *taken = &self->pull.taken;
    bool is_stale = self->is_pull_stale || self->step != PIN_PUBLISHER_LEAD || self->is_stopped;
    self->is_pulling = false;
    self->is_pull_stale = false;
    if (!is_stale) {
        for (size_t i = 0; i < self->publish.n_clusters && i < taken->n_clusters; i++) {
            struct pin_publish_cluster *cluster = &self->publish.clusters[i];
            cluster->is_followed = cluster->base != NULL && taken->clusters[i].is_followed;
            self->follows[i] = false;
        }
        self->has_news = self->has_news || taken->has_more;
        pin_publish_take(&self->publish, taken);
        look_at_clusters(self, taken);
    }
    pin_changes_taken_done(taken);
    if (!self->is_stopped && self->step == PIN_PUBLISHER_LEAD && self->call == NULL) {
        go_on(self);
    }
}

static void pull_more(struct pin_publisher *self)
{
    if (self->is_pulling) {
        return;
    }
    if (self->is_first_pull) {
        for (size_t i = 0; i < self->publish.n_clusters; i++) {
            self->follows[i] = false;
        }
    }
    self->pull = (struct pin_changes_pull){.is_first = self->is_first_pull,
        .follows = self->follows,
        .n_follows = self->publish.n_clusters,
        .n_max = TAKE_KEYS,
        .bytes_max = TAKE_BYTES,
        .done = on_pulled,
        .arg = self};
    self->is_pulling = self->config.pull(self->config.pull_arg, &self->pull);
    if (!self->is_pulling) {
        pin_timer_start(self->timer, RETRY_MAX_MS, false);
        return;
    }
    self->is_first_pull = false;
    self->has_news = false;
}

void pin_publisher_poke(struct pin_publisher *publisher)
{
    if (publisher == NULL || publisher->is_stopped) {
        return;
    }
    publisher->has_news = true;
    if (publisher->news_ms == 0) {
        publisher->news_ms = pin_clock_mono_ms();
    }
    if (publisher->step == PIN_PUBLISHER_LEAD && publisher->call == NULL) {
        go_on(publisher);
    }
}

/* --- Life ------------------------------------------------------------------------------------ */

static void do_step(void *arg)
{
    struct pin_publisher *self = arg;
    if (self->call != NULL) {
        return;
    }
    switch (self->step) {
    case PIN_PUBLISHER_ELECTION:
        break;
    case PIN_PUBLISHER_READ:
        read_keys(self);
        break;
    case PIN_PUBLISHER_LEAD:
        go_on(self);
        break;
    }
}

static bool make_election(struct pin_publisher *self)
{
    const struct pin_election_config config = {.loop = self->config.loop,
        .etcd = self->etcd,
        .key = self->leader_key,
        .who = "publisher",
        .what = self->all_keys,
        .ttl_s = LEASE_TTL_S,
        .on_held = on_held,
        .on_lost = on_lost,
        .on_kept = on_kept,
        .arg = self};
    self->election = pin_election_new(&config);
    return self->election != NULL;
}

static bool make_parts(struct pin_publisher *self, const struct pin_publisher_config *config)
{
    self->http = pin_http_new(config->loop);
    self->etcd = self->http != NULL ? pin_etcd_new(config->loop, self->http, &config->etcd) : NULL;
    self->arena = pin_arena_new("etcd answer", ARENA_BYTES);
    self->timer = pin_timer_new(config->loop, do_step, self);
    self->follows = calloc(config->n_clusters + 1, sizeof(bool));
    if (self->etcd == NULL || self->arena == NULL || self->timer == NULL || self->follows == NULL) {
        return false;
    }
    const char *prefix = pin_etcd_prefix(self->etcd);
    if (asprintf(&self->leader_key, "%s/leader", prefix) < 0) {
        self->leader_key = NULL;
    }
    if (asprintf(&self->all_keys, "%s/", prefix) < 0) {
        self->all_keys = NULL;
    }
    self->all_keys_end = self->all_keys != NULL ? pin_etcd_range_end(self->all_keys) : NULL;
    return self->leader_key != NULL && self->all_keys_end != NULL && make_election(self)
           && pin_publish_init(&self->publish, prefix, config->clusters, config->n_clusters);
}

enum pin_err pin_publisher_start(const struct pin_publisher_config *config,
    struct pin_publisher **ret_publisher, struct pin_why *why)
{
    struct pin_publisher *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the publisher");
    }
    self->config = (struct pin_publisher_config){.loop = config->loop,
        .pull = config->pull,
        .pull_arg = config->pull_arg,
        .list_again = config->list_again,
        .doubt_ms = config->doubt_ms,
        .compare_ms = config->compare_ms};
    self->page_keys = PAGE_KEYS;
    if (!make_parts(self, config) || !pin__publisher_compare_start(self)) {
        pin_publisher_free(self);
        return pin_why_set(why, PIN_ENOMEM, "no memory for the publisher");
    }
    pin_election_start(self->election);
    *ret_publisher = self;
    return PIN_OK;
}

void pin_publisher_stop(struct pin_publisher *publisher)
{
    if (publisher == NULL || publisher->is_stopped) {
        return;
    }
    publisher->is_stopped = true;
    pin_etcd_cancel(publisher->call);
    publisher->call = NULL;
    pin_timer_stop(publisher->timer);
    pin_timer_stop(publisher->compare_timer);
    pin_election_stop(publisher->election);
}

void pin_publisher_free(struct pin_publisher *publisher)
{
    if (publisher == NULL) {
        return;
    }
    pin_election_free(publisher->election);
    pin_etcd_free(publisher->etcd);
    pin_http_free(publisher->http);
    pin_timer_free(publisher->timer);
    pin_arena_free(publisher->arena);
    pin__publisher_compare_done(publisher);
    pin_publish_done(&publisher->publish);
    pin_changes_taken_done(&publisher->pull.taken);
    free(publisher->follows);
    free(publisher->leader_key);
    free(publisher->all_keys);
    free(publisher->all_keys_end);
    free(publisher->next_key);
    free(publisher);
}
