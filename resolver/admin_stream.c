/* SPDX-License-Identifier: Apache-2.0 */

/* Streams of events: who watches what, and what is sent when. */

#include "resolver/admin_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"

#include "resolver/tail.h"

#define TICK_MS       500
#define TRAFFIC_TICKS 2  /* a second */
#define SLOW_TICKS    10 /* what hardly moves, every 5 s */
#define PING_TICKS    30
#define RETRY_MS      2000
#define ITEMS_MAX     200u /* questions of one event */
#define ID_FORMAT     "%" PRIx64 "-%" PRIu64

struct pin_stream {
    struct pin_streams *streams;
    struct pin_stream_want want;
    void *peer;
    bool is_new;      /* has not been told how things stand */
    bool is_due;      /* clusters were never sent to it */
    bool is_resumed;  /* its last event of clusters is still true, until something moves */
    bool is_ended;    /* too slow: `send` is not called any more */
    unsigned n_quiet; /* ticks since something was sent */
    struct pin_stream *next;
};

struct pin_streams {
    const struct pin_admin_state *state;
    pin_stream_send *send;
    struct pin_timer *timer;
    struct pin_stream *all;
    struct pin_tail *tail; /* ours to exchange; NULL: nobody has watched questions yet */
    bool is_tapped;
    bool is_collecting; /* the builder has `page` */
    bool is_outdated;   /* it has other settings than the page by now */
    struct pin_page page;
    uint64_t generation; /* of the last event of clusters to all, and the next two */
    uint64_t n_states;
    uint64_t clusters_tick;
    uint64_t n_ticks;
    uint32_t took_us[PIN_TAIL_MAX]; /* since the last event of traffic */
    size_t n_took;
    uint32_t every;
};

/* --- Events --------------------------------------------------------------------------------- */

static void send_to(struct pin_stream *stream, const struct pin_text *event)
{
    if (stream->is_ended || event->failed || event->len == 0) {
        return;
    }
    stream->n_quiet = 0;
    stream->is_ended = !stream->streams->send(stream->peer, event->ptr, event->len);
}

/* Sends to all of a topic; with `only_new` to those who have not been told. */
static void send_to_all(
    struct pin_streams *streams, unsigned topic, bool only_new, const struct pin_text *event)
{
    for (struct pin_stream *s = streams->all; s != NULL; s = s->next) {
        if ((s->want.topics & topic) != 0 && (s->is_new || !only_new)) {
            send_to(s, event);
        }
    }
}

/* The topics that somebody watches; with `only_new` of those who have not been told. */
static unsigned topics_of(const struct pin_streams *streams, bool only_new)
{
    unsigned topics = 0;
    for (const struct pin_stream *s = streams->all; s != NULL; s = s->next) {
        topics |= s->is_new || !only_new ? s->want.topics : 0u;
    }
    return topics;
}

/* `json` has one line, as all JSON here; a newline at its end is left out. */
static void put_event(struct pin_text *event, const char *name, const char *id, const char *json)
{
    pin_text_putf(event, "event: %s\n", name);
    if (id != NULL) {
        pin_text_putf(event, "id: %s\n", id);
    }
    pin_text_puts(event, "data: ");
    pin_text_putn(event, json, strcspn(json, "\n"));
    pin_text_puts(event, "\n\n");
}

/* --- Clusters ------------------------------------------------------------------------------- */

static void format_id(const struct pin_streams *streams, uint64_t generation, char *id)
{
    (void)snprintf(
        id, PIN_STREAM_ID_MAX, ID_FORMAT, (uint64_t)streams->state->started_wall_ms, generation);
}

/* Whether all who watch are to be told: something moved, or the ages that they have are old. */
static bool has_moved(struct pin_streams *streams)
{
    const struct pin_page *page = &streams->page;
    uint64_t n_states = 0; /* each cluster's, as digits */
    for (size_t i = 0; i < pin_page_settings(page)->n_clusters; i++) {
        const struct pin_cluster_status *cluster = &page->facts.clusters[i];
        n_states = n_states * 31 + (cluster->is_up ? 1u : 0u) + (cluster->is_synced ? 2u : 0u)
                   + (cluster->is_drained ? 4u : 0u);
    }
    if (page->facts.counts.generation == streams->generation && n_states == streams->n_states
        && streams->n_ticks < streams->clusters_tick + SLOW_TICKS) {
        return false;
    }
    streams->generation = page->facts.counts.generation;
    streams->n_states = n_states;
    streams->clusters_tick = streams->n_ticks;
    return true;
}

/* Control's thread: the facts are there. */
static void on_collected(void *arg)
{
    struct pin_streams *streams = arg;
    struct pin_page *page = &streams->page;
    struct pin_text event = {0};
    char id[PIN_STREAM_ID_MAX];

    streams->is_collecting = false;
    if (streams->is_outdated) {
        return; /* a later tick asks for what counts then */
    }
    page->status = 200;
    pin_page_render_status(page);
    if (page->status == 200 && !page->body.failed) {
        uint64_t generation = page->facts.counts.generation;
        bool is_turn = has_moved(streams);
        format_id(streams, generation, id);
        put_event(&event, "clusters", id, pin_text_get(&page->body));
        for (struct pin_stream *s = streams->all; s != NULL; s = s->next) {
            bool is_known = s->is_resumed && strcmp(s->want.last_id, id) == 0;
            if ((s->want.topics & PIN_STREAM_CLUSTERS) != 0 && (s->is_due || is_turn)
                && !is_known) {
                send_to(s, &event);
            }
            s->is_due = false;
            s->is_resumed = false;
        }
    }
    pin_text_done(&event);
    pin_page_done(page);
    page->facts.clusters = NULL;
}

/* Builder's thread. */
static void collect(struct pin_catalog *catalog, void *arg)
{
    struct pin_streams *streams = arg;
    streams->is_outdated = pin_catalog_settings(catalog) != streams->page.settings;
    if (!streams->is_outdated) {
        pin_page_collect_facts(catalog, &streams->page);
    }
}

static void ask_clusters(struct pin_streams *streams)
{
    if (streams->is_collecting) {
        return; /* the builder is busy: what it brings is newer than this */
    }
    streams->page =
        (struct pin_page){.state = streams->state, .settings = streams->state->config.settings};
    streams->is_collecting =
        pin_builder_call(streams->state->config.builder, collect, on_collected, streams);
}

/* --- Traffic -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void put_took(struct pin_streams *streams, struct pin_jsonout *json)
{
    size_t n = streams->n_took;
    pin_jsonout_key(json, "tookUs");
    pin_jsonout_object(json);
    pin_jsonout_key_uint(json, "n", n);
    pin_jsonout_key_uint(json, "every", streams->every);
    if (n > 0) {
        qsort(streams->took_us, n, sizeof(streams->took_us[0]), by_size);
        pin_jsonout_key_uint(json, "p50", streams->took_us[n / 2]);
        pin_jsonout_key_uint(json, "p99", streams->took_us[n * 99 / 100]);
    }
    pin_jsonout_end(json);
    streams->n_took = 0;
}

static void put_counters(struct pin_jsonout *json, const struct pin_stats_sum *sum)
{
    uint64_t types[PIN_STAT_QTYPE_MAX] = {0};
    uint64_t rcodes[PIN_STAT_RCODE_MAX] = {0};
    uint64_t n_queries = 0;
    for (int p = 0; p < PIN_TRANSPORT_MAX; p++) {
        for (int t = 0; t < PIN_STAT_QTYPE_MAX; t++) {
            for (int r = 0; r < PIN_STAT_RCODE_MAX; r++) {
                types[t] += sum->queries[p][t][r];
                rcodes[r] += sum->queries[p][t][r];
                n_queries += sum->queries[p][t][r];
            }
        }
    }
    pin_jsonout_key_uint(json, "queries", n_queries);
    pin_jsonout_key(json, "types");
    pin_jsonout_object(json);
    for (int t = 0; t < PIN_STAT_QTYPE_MAX; t++) {
        pin_jsonout_key_uint(json, pin_stat_qtype_name((enum pin_stat_qtype)t), types[t]);
    }
    pin_jsonout_end(json);
    pin_jsonout_key(json, "rcodes");
    pin_jsonout_object(json);
    for (int r = 0; r < PIN_STAT_RCODE_MAX; r++) {
        pin_jsonout_key_uint(json, pin_stat_rcode_name((enum pin_stat_rcode)r), rcodes[r]);
    }
    pin_jsonout_end(json);
    pin_jsonout_key_uint(json, "cacheHits", sum->n_cache_hits);
    pin_jsonout_key_uint(json, "cacheMisses", sum->n_cache_misses);
    pin_jsonout_key_uint(json, "stale", sum->n_stale);
    pin_jsonout_key_uint(json, "denied", sum->n_denied);
}

static void send_traffic(struct pin_streams *streams)
{
    struct pin_stats_sum sum = {0};
    struct pin_text text = {0};
    struct pin_text event = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_workers_stats(streams->state->config.workers, &sum);
    pin_jsonout_object(&json);
    pin_jsonout_key_int(&json, "atMs", pin_clock_wall_ms());
    put_counters(&json, &sum);
    put_took(streams, &json);
    pin_jsonout_end(&json);
    put_event(&event, "traffic", NULL, pin_text_get(&text));
    send_to_all(streams, PIN_STREAM_TRAFFIC, false, &event);
    pin_text_done(&event);
    pin_text_done(&text);
}

/* --- Records -------------------------------------------------------------------------------- */

static void send_records(struct pin_streams *streams, bool only_new)
{
    const struct pin_admin_hooks *hooks = &streams->state->config.hooks;
    const struct pin_admin_records_query query = {.view = PIN_ADMIN_RECORDS_OVERVIEW};
    struct pin_text text = {0};
    struct pin_text event = {0};
    struct pin_why why = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    bool has_any = hooks->records_json != NULL
                   && hooks->records_json(hooks->arg, &query, &json, &why) == PIN_OK;
    put_event(&event, "records", NULL, has_any ? pin_text_get(&text) : "null");
    send_to_all(streams, PIN_STREAM_RECORDS, only_new, &event);
    pin_text_done(&event);
    pin_text_done(&text);
}

/* --- Questions ------------------------------------------------------------------------------ */

/* Has questions noted while somebody wants them, and not when nobody does. */
static void set_tap(struct pin_streams *streams)
{
    struct pin_tapper *tapper = streams->state->config.tapper;
    struct pin_why why = {0};
    bool is_wanted = (topics_of(streams, false) & (PIN_STREAM_QUERIES | PIN_STREAM_TRAFFIC)) != 0;
    if (tapper == NULL || is_wanted == streams->is_tapped) {
        return;
    }
    if (is_wanted && streams->tail == NULL) {
        streams->tail = calloc(1, sizeof(*streams->tail));
    }
    if (is_wanted && streams->tail == NULL) {
        return; /* the next tick tries again */
    }
    if (pin_tapper_watch(tapper, is_wanted, &why) != PIN_OK) {
        pin_log_warn("admin: %s (questions are not shown)", why.text);
        (void)pin_tapper_watch(tapper, false, NULL);
        return;
    }
    streams->is_tapped = is_wanted;
}

static void send_queries_to(struct pin_stream *stream, const struct pin_tail *tail)
{
    struct pin_text event = {0};
    size_t n_sent = 0;
    uint64_t n_left_out = tail->n_left_out;
    pin_text_puts(&event, "event: queries\ndata: {\"items\":[");
    for (size_t i = 0; i < tail->n_items; i++) {
        const struct pin_tail_item *item = &tail->items[i];
        if (!pin_tail_matches(tail, item, stream->want.filter)) {
            continue;
        }
        if (n_sent == ITEMS_MAX) {
            n_left_out++;
            continue;
        }
        pin_text_puts(&event, n_sent++ == 0 ? "" : ",");
        pin_text_putn(&event, tail->text.ptr + item->json_at, item->json_bytes);
    }
    pin_text_putf(
        &event, "],\"every\":%" PRIu32 ",\"leftOut\":%" PRIu64 "}\n\n", tail->every, n_left_out);
    if (n_sent > 0) {
        send_to(stream, &event);
    }
    pin_text_done(&event);
}

static void send_queries(struct pin_streams *streams)
{
    if (!streams->is_tapped) {
        return;
    }
    pin_tapper_take(streams->state->config.tapper, &streams->tail);
    const struct pin_tail *tail = streams->tail;
    streams->every = tail->n_items > 0 ? tail->every : streams->every;
    for (size_t i = 0; i < tail->n_items && streams->n_took < PIN_TAIL_MAX; i++) {
        streams->took_us[streams->n_took++] = tail->items[i].took_us;
    }
    for (struct pin_stream *s = streams->all; s != NULL && tail->n_items > 0; s = s->next) {
        if ((s->want.topics & PIN_STREAM_QUERIES) != 0) {
            send_queries_to(s, tail);
        }
    }
}

/* --- Time ----------------------------------------------------------------------------------- */

static void ping_quiet(struct pin_streams *streams)
{
    struct pin_text ping = {0};
    pin_text_puts(&ping, ": ping\n\n");
    for (struct pin_stream *s = streams->all; s != NULL; s = s->next) {
        if (++s->n_quiet >= PING_TICKS) {
            send_to(s, &ping);
        }
    }
    pin_text_done(&ping);
}

static void greet_new(struct pin_streams *streams)
{
    struct pin_text hello = {0};
    pin_text_putf(&hello, "retry: %d\n\n", RETRY_MS);
    for (struct pin_stream *s = streams->all; s != NULL; s = s->next) {
        if (s->is_new) {
            send_to(s, &hello);
        }
    }
    pin_text_done(&hello);
}

static void on_tick(void *arg)
{
    struct pin_streams *streams = arg;
    unsigned new_topics = topics_of(streams, true);
    unsigned topics = topics_of(streams, false);
    uint64_t tick = streams->n_ticks++;

    greet_new(streams);
    if ((topics & PIN_STREAM_CLUSTERS) != 0
        && ((new_topics & PIN_STREAM_CLUSTERS) != 0 || tick % TRAFFIC_TICKS == 0)) {
        ask_clusters(streams);
    }
    set_tap(streams);
    send_queries(streams);
    if ((topics & PIN_STREAM_TRAFFIC) != 0
        && ((new_topics & PIN_STREAM_TRAFFIC) != 0 || tick % TRAFFIC_TICKS == 0)) {
        send_traffic(streams);
    }
    bool is_slow_turn = tick % SLOW_TICKS == 0;
    if (((is_slow_turn ? topics : new_topics) & PIN_STREAM_RECORDS) != 0) {
        send_records(streams, !is_slow_turn);
    }
    ping_quiet(streams);
    for (struct pin_stream *s = streams->all; s != NULL; s = s->next) {
        s->is_new = false;
    }
    pin_timer_start(streams->timer, TICK_MS, false);
}

/* --- Life ----------------------------------------------------------------------------------- */

bool pin_stream_topics(const char *text, unsigned *ret_topics)
{
    static const char *const names[] = {"clusters", "traffic", "records", "queries"};
    *ret_topics = 0;
    while (*text != '\0') {
        size_t bytes = strcspn(text, ",");
        size_t i = 0;
        while (i < N_ELEMS(names)
               && (strlen(names[i]) != bytes || strncmp(names[i], text, bytes) != 0)) {
            i++;
        }
        if (i == N_ELEMS(names)) {
            return false;
        }
        *ret_topics |= 1u << i;
        text += bytes;
        text += *text == ',' ? 1 : 0;
    }
    return *ret_topics != 0;
}

/* False: the page is done, it is an error. */
static bool check(struct pin_page *page)
{
    struct pin_stream_want *want = &page->stream_want;
    const char *topics = page->arg_topics != NULL ? page->arg_topics : "clusters,traffic,records";
    const char *filter = page->arg_filter != NULL ? page->arg_filter : "";
    const char *last_id = page->last_event_id != NULL ? page->last_event_id : "";
    if (!pin_stream_topics(topics, &want->topics)) {
        pin_page_error(page, 400, "topics: want some of clusters,traffic,records,queries");
        return false;
    }
    if (strlen(filter) >= sizeof(want->filter)) {
        pin_page_error(page, 400, "filter: longer than %zu letters", sizeof(want->filter) - 1);
        return false;
    }
    memcpy(want->filter, filter, strlen(filter) + 1);
    if (strlen(last_id) < sizeof(want->last_id)) {
        memcpy(want->last_id, last_id, strlen(last_id) + 1);
    }
    page->content_type = "text/event-stream";
    return true;
}

const struct pin_page_kind *pin_page_find_stream(const char *path, enum pin_page_verb verb)
{
    static const struct pin_page_kind kind = {PIN_STREAM_PATH, check, NULL, NULL};
    return verb == PIN_PAGE_GET && strcmp(path, PIN_STREAM_PATH) == 0 ? &kind : NULL;
}

struct pin_streams *pin_streams_new(const struct pin_admin_state *state, pin_stream_send *send)
{
    struct pin_streams *streams = calloc(1, sizeof(*streams));
    if (streams == NULL) {
        return NULL;
    }
    streams->state = state;
    streams->send = send;
    streams->timer = pin_timer_new(state->config.loop, on_tick, streams);
    if (streams->timer == NULL) {
        free(streams);
        return NULL;
    }
    return streams;
}

void pin_streams_free(struct pin_streams *streams)
{
    if (streams == NULL) {
        return;
    }
    for (struct pin_stream *s = streams->all, *next = NULL; s != NULL; s = next) {
        next = s->next;
        free(s);
    }
    pin_timer_free(streams->timer);
    pin_page_done(&streams->page);
    if (streams->tail != NULL) {
        pin_tail_done(streams->tail);
    }
    free(streams->tail);
    free(streams);
}

struct pin_stream *pin_stream_open(
    struct pin_streams *streams, const struct pin_stream_want *want, void *peer)
{
    if (pin_streams_n_open(streams) >= PIN_STREAM_MAX) {
        return NULL;
    }
    struct pin_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    *stream = (struct pin_stream){.streams = streams,
        .want = *want,
        .peer = peer,
        .is_new = true,
        .is_due = true,
        .is_resumed = want->last_id[0] != '\0',
        .next = streams->all};
    streams->all = stream;
    pin_timer_start(streams->timer, 0, false);
    return stream;
}

void pin_stream_close(struct pin_stream *stream)
{
    struct pin_streams *streams = stream->streams;
    struct pin_stream **at = &streams->all;
    while (*at != stream) {
        at = &(*at)->next;
    }
    *at = stream->next;
    free(stream);
    if (streams->all == NULL) {
        set_tap(streams);
        pin_timer_stop(streams->timer);
    }
}

size_t pin_streams_n_open(const struct pin_streams *streams)
{
    size_t n = 0;
    for (const struct pin_stream *s = streams->all; s != NULL; s = s->next) {
        n++;
    }
    return n;
}
