/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The pages of admin as text, without HTTP: a request is checked, collected on the builder's
 * thread, and rendered on control's.
 */

#include "pintle/base/arena.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"
#include "pintle/zones/drain.h"
#include "pintle/zones/finding.h"
#include "pintle/zones/name.h"

#include "resolver/admin.h"
#include "resolver/admin_web.h"

struct pin_admin_findings;
struct pin_admin_log;

/** What a page is made from beside the catalog. */
struct pin_admin_state {
    struct pin_admin_config config;
    bool is_draining;
    int64_t started_mono_ms;
    int64_t started_wall_ms;
    struct pin_admin_findings *findings; /**< The last ones, and since when each is known. */
    struct pin_admin_log *log;           /**< Changed by pages; control's. */
    struct pin_assets *assets;
};

/** What the builder's thread collects for status, readiness and metrics. */
struct pin_admin_facts {
    struct pin_catalog_counts counts;
    struct pin_cluster_status *clusters; /**< n_clusters of the settings; heap. */
};

/** A question to explain. */
struct pin_admin_question {
    struct pin_name name;
    uint16_t type;
    struct pin_ip from_ip;      /**< family 0: not by address. */
    uint16_t from_cluster;      /**< Or PIN_CLUSTER_NONE. */
    const char *namespace_name; /**< Into an argument; NULL: not said. */
};

/** An order to drain or undrain, and what came of it. */
struct pin_admin_drain {
    struct pin_drain_order order;
    char name[600]; /**< The order's. */
    bool is_undrain;
    enum pin_err err;
    struct pin_why why;
    struct pin_text list; /**< JSON array of all drains afterwards. */
};

/** An order to the cache, and what came of it. */
struct pin_admin_cache {
    struct pin_forward_cursor cursor;
    uint64_t n_removed;
    bool has_name; /**< The question's; else all. */
    bool is_tree;
    bool is_done;
};

/** What a walk for findings brought. */
struct pin_page_findings {
    bool is_due; /**< When the request came, the last walk was long ago enough for another one. */
    struct pin_analysis analysis;
    int64_t took_ns;
    size_t n_objects;
};

/** What a request wants to do. */
enum pin_page_verb {
    PIN_PAGE_GET, /**< Also HEAD. */
    PIN_PAGE_POST,
    PIN_PAGE_DELETE,
};

/** Longest filter. */
#define PIN_STREAM_FILTER_MAX 256u
/** Longest id of an event, with its NUL. */
#define PIN_STREAM_ID_MAX 48u

/** What a stream tells of; a set. */
enum pin_stream_topic {
    PIN_STREAM_CLUSTERS = 1,
    PIN_STREAM_TRAFFIC = 2,
    PIN_STREAM_RECORDS = 4,
    PIN_STREAM_QUERIES = 8,
};

/** What somebody wants to watch. */
struct pin_stream_want {
    unsigned topics;
    char filter[PIN_STREAM_FILTER_MAX]; /**< "" for all; see pin_tail_matches(). */
    char last_id[PIN_STREAM_ID_MAX];    /**< Of the last event that came; "" for none. */
};

/** One request and its page under construction. */
struct pin_page {
    const struct pin_admin_state *state;
    const struct pin_settings *settings; /**< When it was asked for; NULL: the state's. */
    int status;                          /**< HTTP. */
    const char *content_type;
    bool is_verbose;
    const char *path;     /**< Of the request; gone when check returns. */
    size_t cluster_id;    /**< Whom the path names. */
    const char *arg_name; /**< Query arguments; NULL when absent. */
    const char *arg_type;
    const char *arg_from;
    const char *arg_namespace;
    const char *arg_after;
    const char *arg_what;
    const char *arg_records;
    const char *arg_zone;
    const char *arg_topics;
    const char *arg_filter;
    const char *last_event_id; /**< Header, as the next one. */
    const char *input;         /**< Body of a POST; gone when check returns. */
    size_t input_bytes;
    const char *if_none_match; /**< Header; NULL when absent. Gone when the page is sent. */
    bool takes_gzip;
    const struct pin_web_file *web_file;
    const struct pin_web_asset *asset; /**< The page, instead of `body`; NULL: `body`. */
    struct pin_stream_want stream_want;
    struct pin_admin_question question;
    struct pin_admin_drain drain;
    struct pin_admin_cache cache;
    struct pin_object_cursor objects; /**< Where a list of them begins. */
    size_t zone_at;                   /**< Where a zone's text begins. */
    struct pin_admin_facts facts;
    struct pin_page_findings findings;
    struct pin_text lists; /**< JSON that the page is rendered from. */
    struct pin_text body;
};

/** A page: what is done where. NULL steps are left out. */
struct pin_page_kind {
    const char *path;
    bool (*check)(struct pin_page *page);  /**< Control; false: the page is done. */
    pin_builder_fn *collect;               /**< Builder; its arg is the page. */
    void (*render)(struct pin_page *page); /**< Control. */
};

/** Where drains are listed and ordered. */
#define PIN_DRAINS_PATH "/api/v1/drains"

/** Where the cache is listed and forgotten. */
#define PIN_CACHE_PATH "/api/v1/cache"

/** Where clusters are listed; one is at "/NAME" below, its check at "/NAME/check". */
#define PIN_CLUSTERS_PATH "/api/v1/clusters"

/** What follows a cluster's name where its objects are listed. */
#define PIN_OBJECTS_SUFFIX "/objects"

/** The page of a cluster's objects. */
extern const struct pin_page_kind pin_page_objects;

/** Where a configuration is that replays. */
#define PIN_REPLAY_PATH "/api/v1/replay"

/** The page of it. */
extern const struct pin_page_kind pin_page_replay;

/** Where counters of queries are. */
#define PIN_TRAFFIC_PATH "/api/v1/traffic"

/** The page of them. */
extern const struct pin_page_kind pin_page_traffic;

/**
 * Reads the request's body as JSON. NULL: it is none, and the page is an error.
 *
 * @param ret_arena  What the tree is in; the caller frees it, also after an error (then NULL).
 */
const struct pin_tree *pin_page_read_input(struct pin_page *page, struct pin_arena **ret_arena);

/** Notes which cluster the path names; false, and an error: there is none. */
bool pin_page_read_cluster(struct pin_page *page);

/** Where records in other people's DNS servers are shown; more of it below. */
#define PIN_RECORDS_PATH "/api/v1/records"

/** The page of findings. */
extern const struct pin_page_kind pin_page_findings;

/** Whether the last walk was long ago enough for another one. Control. */
bool pin_admin_findings_is_due(const struct pin_admin_findings *findings);

/** Walks for findings if the page says that it is due. Builder. */
void pin_admin_findings_collect(struct pin_catalog *catalog, struct pin_page *page);

/** Takes what the walk brought, if there was one. False: memory was out. Control. */
bool pin_admin_findings_keep(struct pin_page *page);

/** What the last walk found. Borrowed until the next is kept. Control. */
const struct pin_analysis *pin_admin_findings_last(const struct pin_admin_findings *findings);

/** Remembers findings; NULL when memory is out. */
struct pin_admin_findings *pin_admin_findings_new(void);

/** Frees it. NULL is fine. */
void pin_admin_findings_free(struct pin_admin_findings *findings);

/** Where the level of the log is shown and changed. */
#define PIN_LOG_PATH "/api/v1/log"

/** Where its latest lines are, and the page of them. */
#define PIN_LOG_LINES_PATH "/api/v1/log/lines"
extern const struct pin_page_kind pin_page_log_lines;

/** Where static zones are as they were read, a part at a time, and the page of them. */
#define PIN_ZONES_PATH "/api/v1/zones"
extern const struct pin_page_kind pin_page_zones;

/** Keeps the time of a level that ends. NULL when memory is out. Control's thread. */
struct pin_admin_log *pin_admin_log_new(struct pin_loop *loop);

/** Frees it; the level stays. NULL is fine. */
void pin_admin_log_free(struct pin_admin_log *log);

/** The pages of the log, or NULL. */
const struct pin_page_kind *pin_page_find_log(enum pin_page_verb verb);

/** Where the configuration is reloaded. */
#define PIN_RELOAD_PATH "/api/v1/reload"

/** The pages of reloads. */
const struct pin_page_kind *pin_page_find_reload(enum pin_page_verb verb);

/** Where another process is put in this one's place. */
#define PIN_REPLACE_PATH "/api/v1/replace"

/** The pages of that. */
const struct pin_page_kind *pin_page_find_replace(enum pin_page_verb verb);

/** The settings that the page is about. */
static inline const struct pin_settings *pin_page_settings(const struct pin_page *page)
{
    return page->settings != NULL ? page->settings : page->state->config.settings;
}

/** The pages of records, or NULL. */
const struct pin_page_kind *pin_page_find_records(const char *path, enum pin_page_verb verb);

/** The pages of clusters, or NULL. */
const struct pin_page_kind *pin_page_find_clusters(const char *path, enum pin_page_verb verb);

/** The pages of the cache. */
const struct pin_page_kind *pin_page_find_cache(enum pin_page_verb verb);

/** The page behind a path, or NULL: also when it has no such verb. */
const struct pin_page_kind *pin_page_find(const char *path, enum pin_page_verb verb);

/** Whether a page is one of health or metrics. NULL is none. */
bool pin_page_is_bare(const struct pin_page_kind *kind);

/** Where events come from; its page has no text, its connection becomes a stream. */
#define PIN_STREAM_PATH "/api/v1/stream"

/** Its page, or NULL. */
const struct pin_page_kind *pin_page_find_stream(const char *path, enum pin_page_verb verb);

/** The dashboard without scripts. */
#define PIN_PLAIN_PATH "/plain"

/** Its page, or NULL. */
const struct pin_page_kind *pin_page_find_plain(const char *path, enum pin_page_verb verb);

/** Renders /api/v1/status from the facts. */
void pin_page_render_status(struct pin_page *page);

/** The files of the dashboard, or NULL. */
const struct pin_page_kind *pin_page_find_web(const char *path, enum pin_page_verb verb);

/** The pages of drains. */
const struct pin_page_kind *pin_page_find_drains(enum pin_page_verb verb);

/** Builder's thread: fills in the facts. Without memory facts.clusters stays NULL. */
void pin_page_collect_facts(struct pin_catalog *catalog, void *arg);

/** Whether there are facts; if not, the page is an error. */
bool pin_page_has_facts(struct pin_page *page);

/** Makes the page an error of that HTTP status: {"error": "..."}. */
void pin_page_error(struct pin_page *page, int status, const char *fmt, ...) PIN_PRINTF(3, 4);

/** Frees what the page holds. */
void pin_page_done(struct pin_page *page);

/** Renders /metrics (Prometheus text format 0.0.4). */
void pin_metrics_render(struct pin_page *page);

/** Clusters that were listed at least once. */
size_t pin_admin_n_synced(const struct pin_page *page);
