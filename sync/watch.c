/* SPDX-License-Identifier: Apache-2.0 */

/* List and watch, as the Kubernetes API concepts describe them. */

#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/text.h"

#include "backoff.h"
#include "items.h"

#define PAGE_LIMIT          500
#define PAGES_MAX           20000 /* An endless list is given up. */
#define LIST_GAP_MS         4000
#define LIST_STALL_MS       45000
#define WATCH_TIMEOUT_MIN_S 300
#define WATCH_TIMEOUT_MAX_S 600
#define WATCH_GRACE_MS      30000
#define WATCH_SHORT_MS      1000  /* A watch that ends sooner is not begun again at once. */
#define WATCH_SOUND_MS      10000 /* One that lived so long was no failure, however it ended. */
#define WATCH_FAILURES_MAX  3     /* In a row; then a list. */
#define LOST_MAX            4     /* In a row; then it is told, though the server is up. */
#define DENIED_MAX          2 /* In a row; servers that just started deny what they will allow. */
#define OLD_LISTS_MAX       5 /* Then the past is believed: a cluster was restored from a backup. */
#define STATUS_OK           200
#define STATUS_GONE         410

/* What comes next. */
enum step {
    PIN_STEP_LIST,
    PIN_STEP_WATCH,
};

struct pin_watch {
    struct pin_watch_host *host;
    const struct pin_kind_row *row;
    struct pin_sync_kind_stats *stats;
    struct pin_timer *timer;
    struct pin_http_transfer *transfer;
    const char *version;
    char *resource_version; /* Last one seen; NULL before the first list. */
    struct pin_backoff backoff;
    enum step step;         /* What the timer or the transfer is for. */
    enum step trouble_step; /* What failed or was denied last. */
    bool is_troubled;
    bool is_running;
    uint64_t received_ns; /* When the bytes at hand came. */
    int64_t started_ms;   /* Of the request in flight. */
    int64_t listed_ms;    /* When the last list began. */
    bool has_listed;      /* listed_ms counts. */
    /* The list in progress. */
    struct pin_items items;
    char *continue_token; /* Of the next page. */
    bool has_begun;       /* LIST_BEGIN was sent. */
    bool is_unpaged;      /* A page had expired: all at once. */
    bool is_old;          /* This list is from before what we know. */
    uint32_t n_old;       /* Such lists in a row. */
    uint32_t n_pages;
    uint64_t n_in_list;
    /* The watch in progress. */
    struct pin_lines lines;
    uint32_t n_failures; /* Watches in a row that brought nothing. */
    uint32_t n_denied;   /* 403s in a row. */
    uint32_t n_lost;     /* Requests in a row that ended without an answer. */
    bool needs_list;     /* An event asked for one, or cannot be read. */
    bool has_error;      /* An ERROR event other than "gone". */
};

static void send_request(struct pin_watch *self);

/* --- Steps and waits ------------------------------------------------------------------------ */

static void report(
    struct pin_watch *self, enum pin_watch_event event, const struct pin_http_result *result)
{
    if (event == PIN_WATCH_DENIED || event == PIN_WATCH_FAILED) {
        self->is_troubled = true;
    }
    self->host->on_event(self->host, self->row, event, result);
}

/* A list or a watch brought something: trouble with the same is over. */
static void works(struct pin_watch *self, enum step step)
{
    self->n_lost = 0;
    if (self->trouble_step == step) {
        self->n_denied = 0;
    }
    if (self->is_troubled && self->trouble_step == step) {
        self->is_troubled = false;
        report(self, PIN_WATCH_WORKS, NULL);
    }
}

static void schedule(struct pin_watch *self, enum step step, int64_t delay_ms)
{
    int64_t gap_ms = self->listed_ms + LIST_GAP_MS - pin_clock_mono_ms();
    if (step == PIN_STEP_LIST && self->has_listed) {
        delay_ms = PIN_MAX(delay_ms, gap_ms);
    }
    self->step = step;
    pin_timer_start(self->timer, PIN_MAX(delay_ms, (int64_t)0), false);
}

static void schedule_retry(
    struct pin_watch *self, enum step step, const struct pin_http_result *result)
{
    int64_t healthy_ms = self->step == PIN_STEP_WATCH ? pin_clock_mono_ms() - self->started_ms : 0;
    int64_t asked_ms = result == NULL ? -1 : result->retry_after_ms;
    schedule(self, step, pin_backoff_next(&self->backoff, healthy_ms, asked_ms));
}

static void end_list(struct pin_watch *self)
{
    pin_items_done(&self->items);
    free(self->continue_token);
    self->continue_token = NULL;
    self->has_begun = false;
    self->n_pages = 0;
    self->n_in_list = 0;
}

static void on_timer(void *arg)
{
    struct pin_watch *self = arg;
    if (self->step == PIN_STEP_LIST) {
        end_list(self);
        self->listed_ms = pin_clock_mono_ms();
        self->has_listed = true;
        self->stats->n_lists++;
    }
    send_request(self);
}

/* 410: what we wanted to go on from is history. A page that expired: the next list is in one. */
static void gone(struct pin_watch *self)
{
    if (self->step == PIN_STEP_LIST && self->is_unpaged) {
        self->is_unpaged = false;
        schedule_retry(self, PIN_STEP_LIST, NULL);
        return;
    }
    self->is_unpaged = self->step == PIN_STEP_LIST;
    schedule(self, PIN_STEP_LIST, 0);
}

/* An answer other than 2xx. */
static void refused(struct pin_watch *self, const struct pin_http_result *result)
{
    bool is_told = true;
    switch (result->status) {
    case 401:
        schedule_retry(self, self->step, result);
        report(self, PIN_WATCH_UNAUTHORIZED, result);
        break;
    case 403:
        /* Where only watching is refused for good, listing now and then still tells the truth. */
        self->n_denied++;
        schedule_retry(self, self->n_denied > DENIED_MAX ? PIN_STEP_LIST : self->step, result);
        report(self, PIN_WATCH_DENIED, result);
        break;
    case 404:
        pin_watch_stop(self);
        free(self->resource_version); /* of objects that went with their kind */
        self->resource_version = NULL;
        report(self, PIN_WATCH_ABSENT, result);
        break;
    case STATUS_GONE:
        gone(self);
        break;
    default:
        /* 429 and 5xx pass by themselves as a rule, after a restart for example. */
        is_told = (result->status != 429 && result->status < 500) || ++self->n_lost >= LOST_MAX;
        schedule_retry(self, self->step, result);
        if (is_told) {
            report(self, PIN_WATCH_FAILED, result);
        }
        break;
    }
}

/* --- Objects -------------------------------------------------------------------------------- */

static void bad_object(struct pin_watch *self, const char *message)
{
    self->stats->n_bad++;
    pin_log_error("%s: %s; this object is left out", self->host->source->where, message);
}

/* Parses one text. NULL: it cannot be read, which is told. */
static const struct pin_tree *parse(struct pin_watch *self, const char *text, size_t bytes)
{
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    if (text == NULL) {
        (void)pin_why_set(&why, PIN_ELIMIT, "a %s of %zu bytes is too big, the limit is %zu",
            self->row->kind_text, bytes, (size_t)PIN_ITEM_BYTES_MAX);
    } else if (pin_json_parse(text, bytes, self->host->arena, &tree, &why) != PIN_OK) {
        pin_why_wrap(&why, "a %s cannot be read", self->row->kind_text);
    }
    if (tree == NULL) {
        bad_object(self, why.text);
    }
    return tree;
}

/* Decodes and sends an object. True when it counts as one the cluster has. */
static bool upsert(struct pin_watch *self, const struct pin_tree *tree)
{
    struct pin_source *source = self->host->source;
    struct pin_object *object = NULL;
    struct pin_why why = {0};
    enum pin_err err = pin_decode_as(self->row, source->where, tree, &object, &why);
    if (err == PIN_OK) {
        pin_source_upsert(source, object, self->received_ns);
    } else if (err != PIN_EUNSUPPORTED) {
        bad_object(self, why.text);
    }
    return err == PIN_OK;
}

/* Resource versions are opaque, but those that are numbers can be compared (Kubernetes 1.35). */
static bool is_older(const char *a, const char *b)
{
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);
    if (strspn(a, "0123456789") != a_bytes || strspn(b, "0123456789") != b_bytes) {
        return false;
    }
    return a_bytes != b_bytes ? a_bytes < b_bytes : strcmp(a, b) < 0;
}

static void set_version(struct pin_watch *self, const char *resource_version)
{
    char *copy = resource_version == NULL ? NULL : strdup(resource_version);
    if (copy != NULL) {
        free(self->resource_version);
        self->resource_version = copy;
    }
}

/* --- Listing -------------------------------------------------------------------------------- */

/* Before the first object is sent on: is this list from before what we know already? */
static void begin_list(struct pin_watch *self)
{
    struct pin_list_metadata metadata = {0};
    if (self->has_begun || self->is_old) {
        return;
    }
    if (pin_items_metadata(&self->items, &metadata) && metadata.resource_version != NULL
        && self->resource_version != NULL
        && is_older(metadata.resource_version, self->resource_version)
        && self->n_old < OLD_LISTS_MAX) {
        self->is_old = true;
    } else {
        self->has_begun = true;
        pin_source_mark(self->host->source, PIN_DELTA_LIST_BEGIN, self->row->kind);
    }
    pin_list_metadata_done(&metadata);
}

static void on_item(void *arg, const char *text, size_t bytes)
{
    struct pin_watch *self = arg;
    begin_list(self);
    if (self->is_old) {
        return;
    }
    const struct pin_tree *tree = parse(self, text, bytes);
    if (tree != NULL && upsert(self, tree)) {
        self->n_in_list++;
    }
    pin_arena_reset(self->host->arena);
}

/* The list makes no sense or was cut short: what it said so far stays, nothing is deleted. */
static void abort_list(struct pin_watch *self, const char *message)
{
    const struct pin_http_result result = {
        .status = STATUS_OK, .retry_after_ms = -1, .message = message};
    pin_http_cancel(self->transfer);
    self->transfer = NULL;
    self->trouble_step = PIN_STEP_LIST;
    schedule_retry(self, PIN_STEP_LIST, NULL);
    report(self, PIN_WATCH_FAILED, &result);
}

static void feed_list(struct pin_watch *self, const char *data, size_t bytes)
{
    struct pin_why why = {0};
    enum pin_err err = pin_items_feed(&self->items, data, bytes, &why);
    if (err != PIN_OK) {
        abort_list(self, why.text);
    } else if (self->is_old) {
        self->n_old++;
        self->is_old = false;
        abort_list(self, "the list is older than what was known before");
    }
}

/* The last page has come. */
static void finish_list(struct pin_watch *self, const struct pin_list_metadata *metadata)
{
    self->n_old = 0;
    self->is_unpaged = false;
    self->n_failures = 0;
    set_version(self, metadata->resource_version);
    pin_source_mark(self->host->source, PIN_DELTA_LIST_END, self->row->kind);
    self->stats->is_listed = true;
    self->stats->n_objects = self->n_in_list;
    end_list(self);
    self->step = PIN_STEP_WATCH;
    works(self, PIN_STEP_LIST);
    report(self, PIN_WATCH_LISTED, NULL);
    if (self->is_running && self->transfer == NULL) {
        send_request(self);
    }
}

/* Keeps the token of the next page; false when the list leads nowhere. */
static bool next_page(struct pin_watch *self, struct pin_list_metadata *metadata)
{
    bool is_same =
        self->continue_token != NULL && strcmp(self->continue_token, metadata->continue_token) == 0;
    free(self->continue_token);
    self->continue_token = metadata->continue_token;
    metadata->continue_token = NULL;
    return !is_same && ++self->n_pages < PAGES_MAX;
}

static void page_done(struct pin_watch *self)
{
    struct pin_list_metadata metadata = {0};
    if (!pin_items_is_complete(&self->items) || !pin_items_metadata(&self->items, &metadata)
        || metadata.resource_version == NULL) {
        pin_list_metadata_done(&metadata);
        abort_list(self, "a list ended early or names no resourceVersion");
        return;
    }
    begin_list(self);
    if (self->is_old) {
        self->n_old++;
        self->is_old = false;
        abort_list(self, "the list is older than what was known before");
    } else if (metadata.continue_token == NULL) {
        finish_list(self, &metadata);
    } else if (next_page(self, &metadata)) {
        send_request(self);
    } else {
        abort_list(self, "the list does not end");
    }
    pin_list_metadata_done(&metadata);
}

/* --- Watching ------------------------------------------------------------------------------- */

static void on_error_event(struct pin_watch *self, const struct pin_tree *status)
{
    const char *reason = pin_tree_string(status, "reason", "");
    if (pin_tree_int(status, "code", 0) == STATUS_GONE || strcmp(reason, "Expired") == 0
        || strcmp(reason, "Gone") == 0) {
        self->needs_list = true;
        return;
    }
    self->has_error = true;
    pin_log_warn("%s: the watch of %s ended with an error: %s", self->host->source->where,
        self->row->resource, pin_tree_string(status, "message", reason));
}

static void on_delete_event(struct pin_watch *self, const struct pin_tree *tree)
{
    struct pin_object_key key;
    struct pin_why why = {0};
    if (pin_decode_key(self->row, tree, &key, &why) != PIN_OK) {
        bad_object(self, why.text);
        return;
    }
    pin_source_delete(
        self->host->source, self->row->kind, key.namespace_name, key.name, self->received_ns);
    self->stats->n_objects -= self->stats->n_objects > 0 ? 1 : 0;
}

static void on_event(struct pin_watch *self, const struct pin_tree *event)
{
    const char *type = pin_tree_string(event, "type", "");
    const struct pin_tree *object = pin_tree_map(event, "object");
    if (strcmp(type, "ERROR") == 0) {
        on_error_event(self, object);
        return;
    }
    if (strcmp(type, "ADDED") == 0) {
        self->stats->n_objects += upsert(self, object) ? 1 : 0;
    } else if (strcmp(type, "MODIFIED") == 0) {
        (void)upsert(self, object);
    } else if (strcmp(type, "DELETED") == 0) {
        on_delete_event(self, object);
    } else if (strcmp(type, "BOOKMARK") != 0) {
        self->needs_list = true; /* not what we know: start over rather than miss something */
        return;
    }
    self->n_failures = 0;
    set_version(self, pin_tree_string(object, "metadata.resourceVersion", NULL));
}

static void on_line(void *arg, const char *text, size_t bytes)
{
    struct pin_watch *self = arg;
    if (self->needs_list || self->has_error) {
        return;
    }
    const struct pin_tree *event = parse(self, text, bytes);
    if (event != NULL) {
        on_event(self, event);
    } else if (text != NULL) {
        self->needs_list = true;
    }
    pin_arena_reset(self->host->arena);
}

static void feed_watch(struct pin_watch *self, const char *data, size_t bytes)
{
    struct pin_why why = {0};
    if (pin_lines_feed(&self->lines, data, bytes, &why) != PIN_OK) {
        self->needs_list = true;
    }
    if (!self->needs_list && !self->has_error) {
        works(self, PIN_STEP_WATCH);
        return;
    }
    pin_http_cancel(self->transfer);
    self->transfer = NULL;
    self->stats->n_restarts++;
    self->n_failures++;
    if (self->needs_list || self->n_failures >= WATCH_FAILURES_MAX) {
        schedule(self, PIN_STEP_LIST, 0);
    } else {
        schedule_retry(self, PIN_STEP_WATCH, NULL);
    }
}

/* A watch that was served has ended, as all do. */
static void watch_ended(struct pin_watch *self)
{
    int64_t lived_ms = pin_clock_mono_ms() - self->started_ms;
    works(self, PIN_STEP_WATCH);
    if (lived_ms >= WATCH_SHORT_MS) {
        schedule(self, PIN_STEP_WATCH, 0);
    } else {
        schedule_retry(self, PIN_STEP_WATCH, NULL);
    }
}

/* --- Requests ------------------------------------------------------------------------------- */

static void on_body(void *arg, const char *data, size_t bytes)
{
    struct pin_watch *self = arg;
    self->received_ns = (uint64_t)pin_clock_mono_ns();
    if (self->step == PIN_STEP_LIST) {
        feed_list(self, data, bytes);
    } else {
        feed_watch(self, data, bytes);
    }
    if (self->transfer != NULL && pin_outbox_is_full(&self->host->source->outbox)) {
        pin_http_pause(self->transfer);
    }
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct pin_watch *self = arg;
    self->transfer = NULL;
    self->trouble_step = self->step;
    self->stats->n_restarts += self->step == PIN_STEP_WATCH ? 1 : 0;
    if (result->fault != PIN_HTTP_NONE) {
        if (pin_clock_mono_ms() - self->started_ms >= WATCH_SOUND_MS) {
            self->n_lost = 0;
        }
        bool is_stuck = ++self->n_lost == LOST_MAX;
        schedule_retry(self, self->step, result);
        report(self, is_stuck ? PIN_WATCH_FAILED : PIN_WATCH_LOST, result);
    } else if (result->status != STATUS_OK) {
        self->n_failures += self->step == PIN_STEP_WATCH ? 1 : 0;
        if (self->n_failures >= WATCH_FAILURES_MAX) {
            self->n_failures = 0;
            self->step = PIN_STEP_LIST;
        }
        refused(self, result);
    } else if (self->step == PIN_STEP_LIST) {
        page_done(self);
    } else {
        watch_ended(self);
    }
}

/* Percent-encodes all but unreserved characters (RFC 3986, section 2.3). */
static void put_escaped(struct pin_text *text, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *value != '\0'; value++) {
        if (strchr(plain, *value) != NULL) {
            pin_text_putc(text, *value);
        } else {
            pin_text_putf(text, "%%%02X", (unsigned char)*value);
        }
    }
}

/* Pods that have ended are many and tell nothing. */
static const char *field_selector(const struct pin_kind_row *row)
{
    return row->kind == PIN_KIND_POD
               ? "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&"
               : "";
}

static void put_path(const struct pin_watch *self, struct pin_text *path, int64_t timeout_s)
{
    const char *group = self->row->group;
    pin_text_putf(path, "%s%s/%s/%s?%s", group[0] == '\0' ? "/api" : "/apis/", group, self->version,
        self->row->plural, field_selector(self->row));
    if (self->step == PIN_STEP_WATCH) {
        pin_text_putf(path, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%lld&resourceVersion=",
            (long long)timeout_s);
        put_escaped(path, self->resource_version);
    } else if (!self->is_unpaged) {
        pin_text_putf(path, "limit=%d", PAGE_LIMIT);
        if (self->continue_token != NULL) {
            pin_text_puts(path, "&continue=");
            put_escaped(path, self->continue_token);
        }
    }
}

/* Clears what the last answer left. */
static void prepare(struct pin_watch *self)
{
    if (self->step == PIN_STEP_LIST) {
        pin_items_done(&self->items);
        pin_items_init(&self->items, 0, on_item, self);
        self->is_old = false;
    } else {
        pin_lines_done(&self->lines);
        pin_lines_init(&self->lines, 0, on_line, self);
        self->needs_list = false;
        self->has_error = false;
    }
    self->started_ms = pin_clock_mono_ms();
}

static void send_request(struct pin_watch *self)
{
    struct pin_text path = {0};
    struct pin_why why = {0};
    int64_t timeout_s =
        WATCH_TIMEOUT_MIN_S + pin_rand_below(WATCH_TIMEOUT_MAX_S - WATCH_TIMEOUT_MIN_S + 1);
    put_path(self, &path, timeout_s);
    prepare(self);
    struct pin_http_request request = {
        .target = self->host->target,
        .path = pin_text_get(&path),
        .timeout_ms = self->step == PIN_STEP_WATCH ? timeout_s * 1000 + WATCH_GRACE_MS : 0,
        .stall_ms = self->step == PIN_STEP_WATCH ? 0 : LIST_STALL_MS,
        .on_body = on_body,
        .on_done = on_done,
        .arg = self,
    };
    enum pin_err err = path.failed
                           ? pin_why_set(&why, PIN_ENOMEM, "no memory for a request")
                           : pin_http_start(self->host->http, &request, &self->transfer, &why);
    pin_text_done(&path);
    if (err != PIN_OK) {
        const struct pin_http_result result = {
            .fault = PIN_HTTP_OTHER, .retry_after_ms = -1, .message = why.text};
        schedule_retry(self, self->has_begun ? PIN_STEP_LIST : self->step, NULL);
        report(self, PIN_WATCH_FAILED, &result);
    } else if (pin_outbox_is_full(&self->host->source->outbox)) {
        pin_http_pause(self->transfer);
    }
}

/* --- Life ----------------------------------------------------------------------------------- */

struct pin_watch *pin_watch_new(struct pin_watch_host *host, const struct pin_kind_row *row)
{
    struct pin_watch *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->host = host;
    self->row = row;
    self->stats = &host->source->stats.kinds[row->kind];
    self->timer = pin_timer_new(host->source->loop, on_timer, self);
    if (self->timer == NULL) {
        free(self);
        return NULL;
    }
    return self;
}

void pin_watch_free(struct pin_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    pin_watch_stop(watch);
    pin_lines_done(&watch->lines);
    pin_timer_free(watch->timer);
    free(watch->resource_version);
    free(watch);
}

void pin_watch_start(struct pin_watch *watch, const char *version, int64_t delay_ms)
{
    if (watch->is_running) {
        return;
    }
    watch->is_running = true;
    watch->version = version;
    watch->backoff = (struct pin_backoff){0};
    schedule(watch, watch->resource_version == NULL ? PIN_STEP_LIST : PIN_STEP_WATCH, delay_ms);
}

void pin_watch_stop(struct pin_watch *watch)
{
    watch->is_running = false;
    pin_timer_stop(watch->timer);
    pin_http_cancel(watch->transfer);
    watch->transfer = NULL;
    end_list(watch);
}

bool pin_watch_is_running(const struct pin_watch *watch)
{
    return watch->is_running;
}

void pin_watch_resume(struct pin_watch *watch)
{
    if (watch->transfer != NULL) {
        pin_http_resume(watch->transfer);
    }
}
