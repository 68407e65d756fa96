/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An election through etcd. Whatever goes wrong leads back to the key: who still holds it finds
 * that there, and goes on.
 *
 *     GRANT -> CAMPAIGN -> (another's: again and again) -> HELD
 *       ^         ^------------ failure, or another's ------'
 *       '---------------------- the lease has gone ---------'
 */

#include "election.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/crypto.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#include "backoff.h"
#include "etcd.h"
#include "etcd_text.h"

#define ARENA_BYTES   ((size_t)1 << 20)
#define KEEP_EVERY_MS 4000
#define KEEP_AGAIN_MS 500
#define STANDBY_MS    1000 /* Between two looks at the key, and as much at random. */
#define SOON_MS       50
#define RETRY_MAX_MS  5000
#define STOP_MS       300

enum step {
    PIN_STEP_GRANT,
    PIN_STEP_CAMPAIGN,
    PIN_STEP_HELD,
};

struct pin_election {
    struct pin_election_config config; /* its texts are ours */
    char *key;
    char *who;
    char *what;
    struct pin_arena *arena; /* one answer at a time */
    struct pin_timer *timer; /* the next step */
    struct pin_timer *keep_timer;
    struct pin_timer *deadline; /* when holding is not certain any more */
    struct pin_etcd_call *call;
    struct pin_etcd_call *keep_call;
    struct pin_backoff backoff;
    enum step step;
    char id[PIN_ELECTION_ID_BYTES];     /* ours */
    char holder[PIN_ELECTION_ID_BYTES]; /* as last seen */
    char lease[24];                     /* "": none */
    int64_t revision;                   /* that our key was written at */
    int64_t lease_ms;                   /* when the call began that last confirmed it */
    int64_t looked_ms;                  /* when the last look at the key began, */
    int64_t seen_ms;                    /* and the one that last found it ours */
    int64_t asked_ms;                   /* when the one under way began */
    uint32_t n_failed;                  /* tries in a row */
    uint64_t n_failures;
    bool is_stopped;
    char error[320]; /* "": nothing is wrong */
};

/* --- Steps ----------------------------------------------------------------------------------- */

static void schedule(struct pin_election *self, enum step step, int64_t delay_ms)
{
    self->step = step;
    if (!self->is_stopped) {
        pin_timer_start(self->timer, delay_ms, false);
    }
}

/* Back to an earlier step; the holder is told that it is none. */
static void retreat(struct pin_election *self, enum step step, int64_t delay_ms)
{
    bool was_held = self->step == PIN_STEP_HELD;
    pin_etcd_cancel(self->call);
    self->call = NULL;
    schedule(self, step, delay_ms);
    if (was_held && !self->is_stopped) {
        self->config.on_lost(self->config.arg);
    }
}

void pin_election_fail(struct pin_election *election, const char *message)
{
    struct pin_election *self = election;
    int64_t delay_ms = SOON_MS + pin_rand_below(SOON_MS);
    bool is_news = self->error[0] == '\0';
    if (++self->n_failed > pin_etcd_n_endpoints(self->config.etcd)) {
        delay_ms = PIN_MIN(pin_backoff_next(&self->backoff, 0, -1), (int64_t)RETRY_MAX_MS);
    }
    self->n_failures++;
    (void)snprintf(self->error, sizeof(self->error), "%.300s", message);
    if (is_news) {
        pin_log_warn("%s: etcd %s: %s; what was written stays, trying again", self->who,
            pin_etcd_endpoint(self->config.etcd), message);
    }
    retreat(self, self->lease[0] != '\0' ? PIN_STEP_CAMPAIGN : PIN_STEP_GRANT, delay_ms);
}

void pin_election_again(struct pin_election *election)
{
    retreat(election, PIN_STEP_CAMPAIGN, SOON_MS);
}

void pin_election_worked(struct pin_election *election)
{
    election->n_failed = 0;
    if (election->error[0] != '\0') {
        pin_log_info("%s: etcd can be reached again", election->who);
        election->error[0] = '\0';
    }
}

/* The lease has gone, or nobody has confirmed it for its time: another may hold the key by now. */
static void lose_lease(struct pin_election *self, const char *why)
{
    if (self->step == PIN_STEP_HELD) {
        pin_log_warn("%s: %s: no longer writing %s", self->who, why, self->what);
    }
    pin_etcd_cancel(self->keep_call);
    self->keep_call = NULL;
    self->lease[0] = '\0';
    retreat(self, PIN_STEP_GRANT, SOON_MS);
}

static struct pin_etcd_call *send_call(struct pin_election *self, const char *path,
    const struct pin_text *body, void (*on_done)(void *arg, const struct pin_etcd_reply *reply))
{
    struct pin_etcd_request request = {.path = path,
        .body = pin_text_get(body),
        .body_bytes = body->len,
        .timeout_ms = PIN_ETCD_CALL_TIMEOUT_MS,
        .on_done = on_done,
        .arg = self};
    return body->failed ? NULL : pin_etcd_start(self->config.etcd, &request);
}

/* A look at the key that is held went wrong: the lease says whether it still is. */
static void note(struct pin_election *self, const char *message)
{
    self->n_failures++;
    (void)snprintf(self->error, sizeof(self->error), "%.300s", message);
}

static void call_failed(struct pin_election *self, const char *message)
{
    if (self->step == PIN_STEP_HELD) {
        note(self, message);
    } else {
        pin_election_fail(self, message);
    }
}

/* Starts a call that belongs to the present step. */
static void send_step(struct pin_election *self, const char *path, const struct pin_text *body,
    void (*on_done)(void *arg, const struct pin_etcd_reply *reply))
{
    self->call = send_call(self, path, body, on_done);
    if (self->call == NULL) {
        call_failed(self, "out of memory");
    }
}

/* The answer as a tree, in the arena; NULL: it cannot be read, which has been dealt with. */
static const struct pin_tree *read_reply(
    struct pin_election *self, const struct pin_etcd_reply *reply)
{
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    self->call = NULL;
    if (reply->fault != PIN_ETCD_NONE) {
        call_failed(self, reply->message);
        return NULL;
    }
    if (pin_json_parse(reply->text, reply->bytes, self->arena, &tree, &why) != PIN_OK) {
        pin_arena_reset(self->arena);
        call_failed(self, why.text);
        return NULL;
    }
    return tree;
}

/* --- Lease ----------------------------------------------------------------------------------- */

/* For so long after it was confirmed nobody else can have the key. */
static int64_t sure_ms(const struct pin_election *self)
{
    return self->config.ttl_s * 1000 * 2 / 3;
}

static void confirm_lease(struct pin_election *self, int64_t asked_ms)
{
    int64_t left_ms = sure_ms(self) - (pin_clock_mono_ms() - asked_ms);
    self->lease_ms = asked_ms;
    pin_timer_start(self->keep_timer, KEEP_EVERY_MS, false);
    pin_timer_start(self->deadline, PIN_MAX(left_ms, (int64_t)0), false);
}

static void on_granted(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_election *self = arg;
    const struct pin_tree *tree = read_reply(self, reply);
    if (tree == NULL) {
        return;
    }
    const char *lease = pin_tree_string(tree, "ID", "");
    (void)snprintf(self->lease, sizeof(self->lease), "%s", lease);
    bool is_good = lease[0] != '\0' && strspn(lease, "0123456789") == strlen(lease);
    pin_arena_reset(self->arena);
    if (!is_good) {
        self->lease[0] = '\0';
        pin_election_fail(self, "it granted no lease");
        return;
    }
    confirm_lease(self, self->asked_ms);
    schedule(self, PIN_STEP_CAMPAIGN, 0);
}

static void ask_lease(struct pin_election *self)
{
    struct pin_text body = {0};
    pin_text_putf(&body, "{\"TTL\":\"%" PRId64 "\"}", self->config.ttl_s);
    self->asked_ms = pin_clock_mono_ms();
    send_step(self, "/v3/lease/grant", &body, on_granted);
    pin_text_done(&body);
}

/* The key is looked at by whoever writes elsewhere: somebody may have deleted it. */
static void kept(struct pin_election *self)
{
    if (self->config.on_kept != NULL) {
        self->config.on_kept(self->config.arg);
    }
    if (self->config.is_watched && self->step == PIN_STEP_HELD) {
        pin_timer_start(self->timer, 0, false);
    }
}

static void on_kept(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_election *self = arg;
    struct pin_tree *tree = NULL;
    long long ttl_s = -1;
    self->keep_call = NULL;
    if (reply->fault == PIN_ETCD_NONE
        && pin_json_parse(reply->text, reply->bytes, self->arena, &tree, NULL) == PIN_OK
        && pin_tree_map(tree, "result") != NULL) {
        ttl_s = pin_tree_int(tree, "result.TTL", 0);
    }
    pin_arena_reset(self->arena);
    if (ttl_s > 0) {
        confirm_lease(self, self->asked_ms);
        kept(self);
    } else if (ttl_s == 0) {
        lose_lease(self, "the lease has expired");
    } else if (pin_clock_mono_ms() - self->lease_ms >= self->config.ttl_s * 1000) {
        lose_lease(self, "the lease was not confirmed in time");
    } else {
        pin_timer_start(self->keep_timer, KEEP_AGAIN_MS, false);
    }
}

static void on_keep_timer(void *arg)
{
    struct pin_election *self = arg;
    struct pin_text body = {0};
    if (self->lease[0] == '\0' || self->keep_call != NULL || self->is_stopped) {
        return;
    }
    pin_text_putf(&body, "{\"ID\":\"%s\"}", self->lease);
    self->asked_ms = pin_clock_mono_ms();
    self->keep_call = send_call(self, "/v3/lease/keepalive", &body, on_kept);
    pin_text_done(&body);
    if (self->keep_call == NULL) {
        pin_timer_start(self->keep_timer, KEEP_AGAIN_MS, false);
    }
}

/* Who writes elsewhere stops here; who puts the key into transactions may go on until the end. */
static void on_deadline(void *arg)
{
    struct pin_election *self = arg;
    if (self->config.is_watched && self->lease[0] != '\0') {
        lose_lease(self, "the lease was not confirmed in time");
    }
}

/* --- The key --------------------------------------------------------------------------------- */

static void hold(struct pin_election *self, int64_t revision)
{
    if (strcmp(self->holder, self->id) != 0) {
        pin_log_info("%s: writing %s from now on", self->who, self->what);
    }
    self->step = PIN_STEP_HELD;
    self->seen_ms = self->looked_ms;
    self->revision = revision;
    (void)snprintf(self->holder, sizeof(self->holder), "%s", self->id);
    if (self->config.is_watched) {
        pin_election_worked(self);
    }
    self->config.on_held(self->config.arg, revision);
}

static void on_campaigned(void *arg, const struct pin_etcd_reply *reply);

/* "key" and "value", bound to our lease: the put of a transaction. */
static void put_key(const struct pin_election *self, struct pin_text *body)
{
    pin_text_puts(body, "}],\"success\":[{\"request_put\":{");
    pin_etcd_put_bytes(body, "key", self->key, strlen(self->key), true);
    pin_etcd_put_bytes(body, "value", self->id, strlen(self->id), true);
    pin_text_putf(body, "\"lease\":\"%s\"}}]", self->lease);
}

/*
 * The key is ours from before a failure. It is written anew, for a transaction whose answer never
 * came may still be carried out, after later ones even: it asks for the key as it was. A refusal
 * names nobody, which begins anew.
 */
static void renew(struct pin_election *self, int64_t revision)
{
    struct pin_text body = {0};
    self->looked_ms = pin_clock_mono_ms();
    pin_text_puts(&body, "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",");
    pin_text_putf(&body, "\"mod_revision\":\"%" PRId64 "\",", revision);
    pin_etcd_put_bytes(&body, "key", self->key, strlen(self->key), false);
    put_key(self, &body);
    pin_text_putc(&body, '}');
    send_step(self, "/v3/kv/txn", &body, on_campaigned);
    pin_text_done(&body);
}

/* Another has it. */
static void stand_by(struct pin_election *self, bool is_new)
{
    pin_election_worked(self);
    if (is_new) {
        pin_log_info("%s: %s is written by %s, standing by", self->who, self->what, self->holder);
    }
    retreat(self, PIN_STEP_CAMPAIGN, STANDBY_MS + pin_rand_below(STANDBY_MS));
}

/* Somebody has the key already: another, or we ourselves, whose answer was lost on its way. */
static void follow(struct pin_election *self, const struct pin_tree *kvs)
{
    struct pin_etcd_kv kv = {0};
    struct pin_why why = {0};
    if (kvs == NULL || pin_etcd_kv_read(kvs->first, &kv, &why) != PIN_OK) {
        retreat(self, PIN_STEP_CAMPAIGN, SOON_MS); /* it went between question and answer */
        return;
    }
    bool is_new = strcmp(self->holder, (const char *)kv.value) != 0;
    bool is_ours = strcmp(self->id, (const char *)kv.value) == 0;
    (void)snprintf(self->holder, sizeof(self->holder), "%s", (const char *)kv.value);
    int64_t revision = kv.mod_revision;
    pin_etcd_kv_done(&kv);
    if (!is_ours) {
        stand_by(self, is_new);
    } else if (self->step != PIN_STEP_HELD || revision != self->revision) {
        renew(self, revision);
    } else {
        self->seen_ms = self->looked_ms;
        pin_election_worked(self);
    }
}

static const struct pin_tree *first_of(const struct pin_tree *list)
{
    return list != NULL ? list->first : NULL;
}

static void on_campaigned(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_election *self = arg;
    const struct pin_tree *tree = read_reply(self, reply);
    if (tree == NULL) {
        return;
    }
    if (pin_tree_bool(tree, "succeeded", false)) { /* what comes next may fail again */
        hold(self, pin_tree_int(tree, "header.revision", 0));
    } else {
        const struct pin_tree *response = first_of(pin_tree_list(tree, "responses"));
        follow(self, pin_tree_list(response, "response_range.kvs"));
    }
    pin_arena_reset(self->arena);
}

static void campaign(struct pin_election *self)
{
    struct pin_text body = {0};
    self->looked_ms = pin_clock_mono_ms();
    pin_text_puts(&body, "{\"compare\":[{\"target\":\"CREATE\",\"result\":\"EQUAL\","
                         "\"create_revision\":\"0\",");
    pin_etcd_put_bytes(&body, "key", self->key, strlen(self->key), false);
    put_key(self, &body);
    pin_text_puts(&body, ",\"failure\":[{\"request_range\":{");
    pin_etcd_put_bytes(&body, "key", self->key, strlen(self->key), false);
    pin_text_puts(&body, "}}]}");
    send_step(self, "/v3/kv/txn", &body, on_campaigned);
    pin_text_done(&body);
}

static void on_timer(void *arg)
{
    struct pin_election *self = arg;
    if (self->call != NULL || self->is_stopped) {
        return;
    }
    if (self->step == PIN_STEP_GRANT) {
        ask_lease(self);
    } else {
        campaign(self);
    }
}

/* --- Life ------------------------------------------------------------------------------------ */

/* Host and process for people, and something that no other process has. */
static void make_id(char id[PIN_ELECTION_ID_BYTES])
{
    char host[64] = "";
    uint8_t tail[6];
    char text[2 * sizeof(tail) + 1];
    pin_rand_secure(tail, sizeof(tail));
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(id, PIN_ELECTION_ID_BYTES, "%s/%ld/%s", host[0] != '\0' ? host : "unknown",
        (long)getpid(), pin_hex_encode(tail, sizeof(tail), text));
}

struct pin_election *pin_election_new(const struct pin_election_config *config)
{
    struct pin_election *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->config = *config;
    self->key = strdup(config->key);
    self->who = strdup(config->who);
    self->what = strdup(config->what);
    self->arena = pin_arena_new("election", ARENA_BYTES);
    self->timer = pin_timer_new(config->loop, on_timer, self);
    self->keep_timer = pin_timer_new(config->loop, on_keep_timer, self);
    self->deadline = pin_timer_new(config->loop, on_deadline, self);
    make_id(self->id);
    if (self->key == NULL || self->who == NULL || self->what == NULL || self->arena == NULL
        || self->timer == NULL || self->keep_timer == NULL || self->deadline == NULL) {
        pin_election_free(self);
        return NULL;
    }
    return self;
}

void pin_election_free(struct pin_election *election)
{
    if (election == NULL) {
        return;
    }
    pin_etcd_cancel(election->call);
    pin_etcd_cancel(election->keep_call);
    pin_timer_free(election->timer);
    pin_timer_free(election->keep_timer);
    pin_timer_free(election->deadline);
    pin_arena_free(election->arena);
    free(election->key);
    free(election->who);
    free(election->what);
    free(election);
}

void pin_election_start(struct pin_election *election)
{
    schedule(election, PIN_STEP_GRANT, 0);
}

static void on_revoked(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_election *self = arg;
    (void)reply; /* it expires by itself, otherwise */
    self->call = NULL;
}

void pin_election_stop(struct pin_election *election)
{
    struct pin_election *self = election;
    struct pin_text body = {0};
    if (self->is_stopped) {
        return;
    }
    self->is_stopped = true;
    pin_etcd_cancel(self->call);
    pin_etcd_cancel(self->keep_call);
    self->call = NULL;
    self->keep_call = NULL;
    pin_timer_stop(self->timer);
    pin_timer_stop(self->keep_timer);
    pin_timer_stop(self->deadline);
    if (self->lease[0] == '\0') {
        return;
    }
    int64_t until_ms = pin_clock_mono_ms() + STOP_MS;
    pin_text_putf(&body, "{\"ID\":\"%s\"}", self->lease);
    self->call = send_call(self, "/v3/lease/revoke", &body, on_revoked);
    pin_text_done(&body);
    while (self->call != NULL && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->config.loop, 10);
    }
    pin_etcd_cancel(self->call);
    self->call = NULL;
}

/* --- What it shows --------------------------------------------------------------------------- */

bool pin_election_is_held(const struct pin_election *election)
{
    /* a member that is cut off confirms leases for a while; what it cannot do is look at keys */
    int64_t since_ms = election->config.is_watched ? PIN_MIN(election->lease_ms, election->seen_ms)
                                                   : election->lease_ms;
    return election->step == PIN_STEP_HELD && !election->is_stopped
           && pin_clock_mono_ms() - since_ms < sure_ms(election);
}

bool pin_election_is_standby(const struct pin_election *election)
{
    return election->step != PIN_STEP_HELD && election->error[0] == '\0'
           && election->lease[0] != '\0';
}

const char *pin_election_holder(const struct pin_election *election)
{
    return election->holder;
}

const char *pin_election_lease(const struct pin_election *election)
{
    return election->lease;
}

const char *pin_election_error(const struct pin_election *election)
{
    return election->error;
}

uint64_t pin_election_n_failures(const struct pin_election *election)
{
    return election->n_failures;
}
