/* SPDX-License-Identifier: Apache-2.0 */

/* The pages: health, status, names, explain. Metrics are in metrics.c. */

#include "resolver/admin_pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/rcu.h"
#include "pintle/version.h"
#include "pintle/zones/reason.h"
#include "pintle/zones/table.h"

#include "resolver/config_findings.h"

/* Of what the body of an order takes as a tree. */
#define INPUT_MAX_BYTES ((size_t)4 << 20)

#define JSON_TYPE    "application/json"
#define SERVICES_MAX 500 /* of one page */
#define TEXT_TYPE    "text/plain; charset=utf-8"

const struct pin_tree *pin_page_read_input(struct pin_page *page, struct pin_arena **ret_arena)
{
    struct pin_why why = {0};
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("order", INPUT_MAX_BYTES);
    *ret_arena = NULL;
    if (arena == NULL) {
        pin_page_error(page, 503, "out of memory");
        return NULL;
    }
    if (pin_json_parse(page->input, page->input_bytes, arena, &tree, &why) != PIN_OK) {
        pin_page_error(page, 400, "the body is no JSON: %s", why.text);
        pin_arena_free(arena);
        return NULL;
    }
    *ret_arena = arena;
    return tree;
}

void pin_page_done(struct pin_page *page)
{
    free(page->facts.clusters);
    pin_analysis_done(&page->findings.analysis);
    pin_text_done(&page->drain.list);
    pin_text_done(&page->lists);
    pin_text_done(&page->body);
}

void pin_page_error(struct pin_page *page, int status, const char *fmt, ...)
{
    char message[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    page->status = status;
    page->content_type = JSON_TYPE;
    pin_text_cut(&page->body, 0);
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "error", message);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

/* --- Facts --------------------------------------------------------------------------------- */

void pin_page_collect_facts(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    size_t n_clusters = pin_page_settings(page)->n_clusters;

    page->facts.counts = pin_catalog_counts(catalog);
    page->facts.clusters = calloc(n_clusters + 1, sizeof(struct pin_cluster_status));
    for (size_t i = 0; page->facts.clusters != NULL && i < n_clusters; i++) {
        page->facts.clusters[i] = pin_catalog_cluster(catalog, (uint16_t)i);
    }
}

bool pin_page_has_facts(struct pin_page *page)
{
    if (page->facts.clusters == NULL) {
        pin_page_error(page, 503, "out of memory");
    }
    return page->facts.clusters != NULL;
}

size_t pin_admin_n_synced(const struct pin_page *page)
{
    size_t n = 0;
    for (size_t i = 0; i < pin_page_settings(page)->n_clusters; i++) {
        n += page->facts.clusters[i].is_synced ? 1 : 0;
    }
    return n;
}

/* Clusters whose names are served: what was known before a restart counts. */
static size_t count_served(const struct pin_page *page)
{
    size_t n = pin_admin_n_synced(page);
    for (size_t i = 0; i < pin_page_settings(page)->n_clusters; i++) {
        n += page->facts.clusters[i].is_restored ? 1 : 0;
    }
    return n;
}

static size_t count_up(const struct pin_page *page)
{
    size_t n = 0;
    for (size_t i = 0; i < pin_page_settings(page)->n_clusters; i++) {
        n += page->facts.clusters[i].is_up ? 1 : 0;
    }
    return n;
}

static bool is_ready(const struct pin_page *page)
{
    return !page->state->is_draining
           && count_served(page) >= pin_page_settings(page)->ready_min_clusters;
}

/* --- Health -------------------------------------------------------------------------------- */

/* The loop that serves this turns; nothing else is asked, least of all a cluster. */
static void render_live(struct pin_page *page)
{
    page->content_type = TEXT_TYPE;
    pin_text_puts(&page->body, "ok\n");
}

static void put_cluster_check(struct pin_page *page, size_t i)
{
    const struct pin_cluster_status *cluster = &page->facts.clusters[i];
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_admin_source source = {.error = ""};

    if (hooks->source != NULL) {
        hooks->source(hooks->arg, i, &source);
    }
    if (cluster->is_synced && cluster->is_up) {
        pin_text_putf(&page->body, "[+]cluster-%s ok\n", cluster->name);
    } else if (cluster->is_synced) {
        pin_text_putf(&page->body, "[+]cluster-%s out of reach, its last state is served%s%s\n",
            cluster->name, source.error[0] == '\0' ? "" : ": ", source.error);
    } else if (cluster->is_restored) {
        pin_text_putf(&page->body,
            "[+]cluster-%s not listed yet, its state of before the restart is served%s%s\n",
            cluster->name, source.error[0] == '\0' ? "" : ": ", source.error);
    } else {
        pin_text_putf(&page->body, "[-]cluster-%s not listed yet%s%s\n", cluster->name,
            source.error[0] == '\0' ? "" : ": ", source.error);
    }
}

static void render_ready(struct pin_page *page)
{
    const struct pin_admin_config *config = &page->state->config;
    if (!pin_page_has_facts(page)) {
        return;
    }
    bool ready = is_ready(page);
    page->content_type = TEXT_TYPE;
    page->status = ready ? 200 : 503;
    if (ready && !page->is_verbose) {
        pin_text_puts(&page->body, "ok\n");
        return;
    }
    for (size_t i = 0; i < config->n_listens; i++) {
        char text[PIN_ADDRPORT_TEXT_MAX];
        pin_text_putf(&page->body, "[+]listener-%s ok\n",
            pin_addrport_format(&config->listens[i].address, text));
    }
    if (page->state->is_draining) {
        pin_text_puts(&page->body, "[-]shutdown in progress\n");
    }
    for (size_t i = 0; i < pin_page_settings(page)->n_clusters; i++) {
        put_cluster_check(page, i);
    }
    pin_text_putf(&page->body, "readyz check %s: %zu of %zu clusters listed, %u needed\n",
        ready ? "passed" : "failed", pin_admin_n_synced(page), pin_page_settings(page)->n_clusters,
        pin_page_settings(page)->ready_min_clusters);
}

/* --- Status -------------------------------------------------------------------------------- */

/* An array of kinds that are set. */
static void put_kinds_json(struct pin_jsonout *json, const char *key, uint32_t kinds)
{
    pin_jsonout_key(json, key);
    pin_jsonout_array(json);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if ((kinds >> kind & 1) != 0) {
            pin_jsonout_string(json, pin_kind_text((enum pin_kind)kind));
        }
    }
    pin_jsonout_end(json);
}

/* How long ago that was, in whole seconds; null for never. */
static void put_age_json(struct pin_jsonout *json, const char *key, int64_t then_wall_ms)
{
    int64_t age_ms = pin_clock_wall_ms() - then_wall_ms;
    pin_jsonout_key(json, key);
    if (then_wall_ms == 0) {
        pin_jsonout_null(json);
    } else {
        pin_jsonout_int(json, age_ms > 0 ? age_ms / 1000 : 0);
    }
}

static void put_cluster_json(const struct pin_page *page, size_t i, struct pin_jsonout *json)
{
    const struct pin_cluster_status *cluster = &page->facts.clusters[i];
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_admin_source source = {.source = "", .error = "", .hint = ""};

    if (hooks->source != NULL) {
        hooks->source(hooks->arg, i, &source);
    }
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "name", cluster->name);
    pin_jsonout_key_string(json, "network", cluster->network);
    pin_jsonout_key_string(json, "source", source.source);
    pin_jsonout_key_bool(json, "up", cluster->is_up);
    pin_jsonout_key_bool(json, "synced", cluster->is_synced);
    pin_jsonout_key_bool(json, "restored", cluster->is_restored);
    pin_jsonout_key_bool(json, "drained", cluster->is_drained);
    pin_jsonout_key_string(json, "error", source.error);
    pin_jsonout_key_string(json, "hint", source.hint);
    put_age_json(json, "errorAgeSeconds", source.error_wall_ms);
    put_age_json(json, "lastEventAgeSeconds", source.last_event_wall_ms);
    pin_jsonout_key(json, "objects");
    pin_jsonout_object(json);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (kind != PIN_KIND_AWS_SERVICE_EXPORT && kind != PIN_KIND_AWS_SERVICE_IMPORT) {
            pin_jsonout_key_uint(
                json, pin_kind_text((enum pin_kind)kind), cluster->n_objects[kind]);
        }
    }
    pin_jsonout_key_uint(json, "AWSServiceExport", cluster->n_objects[PIN_KIND_AWS_SERVICE_EXPORT]);
    pin_jsonout_key_uint(json, "AWSServiceImport", cluster->n_objects[PIN_KIND_AWS_SERVICE_IMPORT]);
    pin_jsonout_end(json);
    put_kinds_json(json, "held", cluster->held_kinds);
    put_kinds_json(json, "overLimit", cluster->over_kinds);
    pin_jsonout_end(json);
}

static void put_listeners_json(const struct pin_page *page, struct pin_jsonout *json)
{
    const struct pin_admin_config *config = &page->state->config;
    pin_jsonout_key(json, "listeners");
    pin_jsonout_array(json);
    for (size_t i = 0; i < config->n_listens; i++) {
        char text[PIN_ADDRPORT_TEXT_MAX];
        pin_jsonout_object(json);
        pin_jsonout_key_string(
            json, "address", pin_addrport_format(&config->listens[i].address, text));
        pin_jsonout_key_string(json, "transports", config->listens[i].transports);
        pin_jsonout_key_string(json, "cluster", config->listens[i].cluster);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

static void put_counts_json(const struct pin_catalog_counts *counts, struct pin_jsonout *json)
{
    pin_jsonout_key(json, "names");
    pin_jsonout_object(json);
    pin_jsonout_key_uint(json, "services", counts->n_services);
    pin_jsonout_key_uint(json, "globalServices", counts->n_global_services);
    pin_jsonout_key_uint(json, "routes", counts->n_routes);
    pin_jsonout_key_uint(json, "endpoints", counts->n_endpoints);
    pin_jsonout_end(json);
    pin_jsonout_key_uint(json, "generation", counts->generation);
    pin_jsonout_key_uint(json, "drains", counts->n_drains);
}

void pin_page_render_status(struct pin_page *page)
{
    if (!pin_page_has_facts(page)) {
        return;
    }
    size_t n_clusters = pin_page_settings(page)->n_clusters;
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "version", PIN_VERSION);
    pin_jsonout_key_int(&json, "pid", getpid());
    pin_jsonout_key_int(
        &json, "uptimeSeconds", (pin_clock_mono_ms() - page->state->started_mono_ms) / 1000);
    pin_jsonout_key_bool(&json, "ready", is_ready(page));
    pin_jsonout_key_string(&json, "clusterSet", pin_page_settings(page)->cluster_set);
    pin_jsonout_key_string(&json, "sandbox", page->state->config.sandbox);
    pin_jsonout_key_string(&json, "builtWith", PIN_BUILT_WITH);
    put_listeners_json(page, &json);
    pin_jsonout_key(&json, "clusters");
    pin_jsonout_object(&json);
    pin_jsonout_key_uint(&json, "total", n_clusters);
    pin_jsonout_key_uint(&json, "up", count_up(page));
    pin_jsonout_key_uint(&json, "synced", pin_admin_n_synced(page));
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < n_clusters; i++) {
        put_cluster_json(page, i, &json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    put_counts_json(&page->facts.counts, &json);
    pin_jsonout_key(&json, "forward");
    pin_forward_status_json(page->state->config.forward, &json);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

/* Builder's thread. */
static void collect_names(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "items");
    pin_catalog_names_json(catalog, &json);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

/* --- Explain ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint16_t type;
} type_names[] = {
    {"A", PIN_TYPE_A},
    {"AAAA", PIN_TYPE_AAAA},
    {"SRV", PIN_TYPE_SRV},
    {"CNAME", PIN_TYPE_CNAME},
    {"TXT", PIN_TYPE_TXT},
    {"PTR", PIN_TYPE_PTR},
    {"NS", PIN_TYPE_NS},
    {"SOA", PIN_TYPE_SOA},
    {"SVCB", PIN_TYPE_SVCB},
    {"HTTPS", PIN_TYPE_HTTPS},
    {"MX", PIN_TYPE_MX},
    {"DNAME", PIN_TYPE_DNAME},
    {"DS", PIN_TYPE_DS},
    {"CAA", PIN_TYPE_CAA},
    {"ANY", PIN_TYPE_ANY},
};

/* "AAAA" or "TYPE28" (RFC 3597, section 5), any case. */
static bool parse_type(const char *text, uint16_t *ret_type)
{
    for (size_t i = 0; i < N_ELEMS(type_names); i++) {
        if (strcasecmp(type_names[i].name, text) == 0) {
            *ret_type = type_names[i].type;
            return true;
        }
    }
    char *end = NULL;
    if (strncasecmp(text, "TYPE", 4) != 0 || text[4] < '0' || text[4] > '9') {
        return false;
    }
    unsigned long number = strtoul(text + 4, &end, 10);
    if (*end != '\0' || number > UINT16_MAX) {
        return false;
    }
    *ret_type = (uint16_t)number;
    return true;
}

/* "10.0.0.1", "c1" or "c1/namespace". */
static bool parse_from(struct pin_page *page, const char *from)
{
    const struct pin_settings *settings = pin_page_settings(page);
    char cluster[PIN_LABEL_MAX_BYTES + 1];
    size_t len = strcspn(from, "/");

    if (pin_ip_parse(from, &page->question.from_ip)) {
        return true;
    }
    if (len < sizeof(cluster)) {
        memcpy(cluster, from, len);
        cluster[len] = '\0';
        page->question.from_cluster = pin_settings_cluster(settings, cluster);
        page->question.namespace_name = from[len] == '/' ? from + len + 1 : NULL;
    }
    if (page->question.from_cluster == PIN_CLUSTER_NONE) {
        pin_page_error(
            page, 400, "from: \"%s\" is neither an address nor a cluster of this daemon", from);
        return false;
    }
    return true;
}

static bool check_explain(struct pin_page *page)
{
    page->question.type = PIN_TYPE_A;
    page->question.from_cluster = PIN_CLUSTER_NONE;
    if (page->arg_name == NULL || page->arg_name[0] == '\0') {
        pin_page_error(page, 400, "say which name: ?name=NAME&type=A&from=IP|CLUSTER");
        return false;
    }
    if (pin_name_parse(page->arg_name, &page->question.name) != PIN_OK) {
        pin_page_error(page, 400, "name: \"%s\" is no DNS name", page->arg_name);
        return false;
    }
    if (page->arg_type != NULL && page->arg_type[0] != '\0'
        && !parse_type(page->arg_type, &page->question.type)) {
        pin_page_error(page, 400, "type: \"%s\" is no RR type", page->arg_type);
        return false;
    }
    if (page->arg_from != NULL && page->arg_from[0] != '\0' && !parse_from(page, page->arg_from)) {
        return false;
    }
    if (page->arg_namespace != NULL && page->arg_namespace[0] != '\0') {
        page->question.namespace_name = page->arg_namespace;
    }
    if (page->question.namespace_name != NULL
        && strlen(page->question.namespace_name) > PIN_LABEL_MAX_BYTES) {
        pin_page_error(page, 400, "namespace: longer than %u letters", PIN_LABEL_MAX_BYTES);
        return false;
    }
    return true;
}

/* Whom the question says. */
static struct pin_explain_asker asker_of(
    const struct pin_admin_question *question, const struct pin_scene *scene)
{
    struct pin_explain_asker asker = {
        .asker = pin_scene_nobody(scene), .namespace_name = question->namespace_name};
    if (question->from_ip.family != 0) {
        asker.asker = pin_scene_asker(scene, &question->from_ip);
        asker.address = pin_prefix_of(&question->from_ip, 128);
    } else if (question->from_cluster != PIN_CLUSTER_NONE) {
        asker.asker = pin_scene_viewed(
            scene, pin_view_of_cluster(question->from_cluster), question->from_cluster);
    }
    return asker;
}

static bool may_recurse(const struct pin_page *page, const struct pin_ip *from)
{
    const struct pin_workers *workers = page->state->config.workers;
    return workers == NULL || pin_manners_allow_recursion(pin_workers_manners(workers), from);
}

/* A name that is not ours may be forwarded. */
static bool put_outside(
    void *arg, const struct pin_name *name, uint16_t type, struct pin_jsonout *out)
{
    const struct pin_page *page = arg;
    const struct pin_forward *forward = page->state->config.forward;
    const struct pin_ip *from = &page->question.from_ip;
    if (forward != NULL && from->family != 0 && !may_recurse(page, from)) {
        pin_jsonout_key_string(out, "rcode", "REFUSED");
        pin_jsonout_key_string(out, "status", "allowRecursion does not let that address ask");
        pin_jsonout_key_string(out, "why", pin_reason_word(PIN_REASON_REFUSED));
        return true;
    }
    enum pin_special special = pin_forward_special(forward, name->wire, name->bytes);
    if (special != PIN_SPECIAL_NONE) {
        pin_jsonout_key_string(
            out, "rcode", special == PIN_SPECIAL_NO_NAME ? "NXDOMAIN" : "NOERROR");
        pin_jsonout_key_string(out, "status", "a special name, which no resolver is asked for");
        pin_jsonout_key_string(out, "why", pin_reason_word(PIN_REASON_SYNTHESISED));
        return true;
    }
    if (!pin_forward_explain(forward, name, type, out)) {
        return false;
    }
    pin_jsonout_key_string(out, "rcode", "-");
    pin_jsonout_key_string(out, "status", "forwarded: the name lies in no zone of this server");
    pin_jsonout_key_string(out, "why", pin_reason_word(PIN_REASON_FORWARDED));
    return true;
}

static void put_outside_notes(void *arg, const struct pin_name *name, struct pin_jsonout *out)
{
    const struct pin_page *page = arg;
    const struct pin_ip *from = &page->question.from_ip;
    if (from->family == 0 || may_recurse(page, from)) { /* who is refused asks no resolver */
        pin_forward_explain_notes(page->state->config.forward, name, out);
    }
}

/* Builder's thread, which is a registered reader. */
static void collect_explain(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    const struct pin_admin_question *question = &page->question;
    const struct pin_scene *scene = pin_rcu_deref(pin_catalog_live(catalog)->scene);
    struct pin_explain_asker asker = asker_of(question, scene);
    asker.now_ms = (uint64_t)pin_clock_mono_ms();
    asker.put_outside = put_outside;
    asker.put_outside_notes = put_outside_notes;
    asker.outside_arg = page;
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_catalog_explain_json(catalog, &question->name, question->type, &asker, &json);
    pin_text_putc(&page->body, '\n');
}

/* --- Services ------------------------------------------------------------------------------ */

static bool check_services(struct pin_page *page)
{
    page->question.from_cluster = PIN_CLUSTER_NONE;
    return page->arg_from == NULL || page->arg_from[0] == '\0' || parse_from(page, page->arg_from);
}

/* Builder's thread. A part at a time: it keeps changes waiting. */
static void collect_services(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    const struct pin_scene *scene = pin_rcu_deref(pin_catalog_live(catalog)->scene);
    struct pin_explain_asker asker = asker_of(&page->question, scene);
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_catalog_services_json(catalog, asker.asker.view_id, page->arg_after, SERVICES_MAX, &json);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

/* --- The table ----------------------------------------------------------------------------- */

static void render_index(struct pin_page *page)
{
    page->content_type = TEXT_TYPE;
    pin_text_puts(&page->body,
        "pintled " PIN_VERSION "\n\n"
        "/                     the dashboard, for browsers\n"
        "/livez                the process turns\n"
        "/readyz?verbose       clusters were listed, sockets are open\n"
        "/metrics              for Prometheus\n"
        "/api/v1/status        everything at a glance\n"
        "/api/v1/clusters      sources and their kinds; /NAME one of them, /NAME/objects what is "
        "known of it,\n"
        "                      POST /NAME/check asks it\n"
        "/api/v1/config        the configuration in force and where each value comes from\n"
        "/api/v1/names         assigned names and their routes\n"
        "/api/v1/drains        what is drained; POST drains, DELETE undrains\n"
        "/api/v1/cache         what is cached of forwarded names; DELETE forgets it\n"
        "/api/v1/replay        a configuration that answers the same, for clusters that are "
        "directories\n"
        "/api/v1/traffic       counters of queries by transport, type and RCODE\n"
        "/api/v1/log           the log's level; POST changes it; /lines the latest lines\n"
        "/api/v1/zones         the records of a static zone, ?zone=NAME\n"
        "/api/v1/records       record sets in other DNS servers; /list /plan /drift; POST /apply "
        "/approve /adopt\n"
        "/api/v1/reload        how the last reload went; POST reads the configuration again\n"
        "/api/v1/replace       which process this is; POST has another one take its place\n"
        "/api/v1/stream?topics=clusters,traffic,records,queries&filter=WORDS   server-sent events\n"
        "/api/v1/services?from=IP|CLUSTER&after=NAMESPACE/NAME\n"
        "/api/v1/explain?name=NAME&type=A&from=IP|CLUSTER[/NAMESPACE]&namespace=NS\n");
}

/* The configuration in force, without secrets. */
static void render_config(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    if (hooks->config_json == NULL) {
        pin_page_error(page, 404, "no configuration");
        return;
    }
    hooks->config_json(hooks->arg, &json);
    pin_text_putc(&page->body, '\n');
}

static const struct pin_page_kind kinds[] = {
    {"/api", NULL, NULL, render_index},
    {"/livez", NULL, NULL, render_live},
    {"/health", NULL, NULL, render_live},
    {"/healthz", NULL, NULL, render_live},
    {"/readyz", NULL, pin_page_collect_facts, render_ready},
    {"/ready", NULL, pin_page_collect_facts, render_ready},
    {"/metrics", NULL, pin_page_collect_facts, pin_metrics_render},
    {"/api/v1/status", NULL, pin_page_collect_facts, pin_page_render_status},
    {"/api/v1/config", NULL, NULL, render_config},
    {"/api/v1/names", NULL, collect_names, NULL},
    {"/api/v1/services", check_services, collect_services, NULL},
    {"/api/v1/explain", check_explain, collect_explain, NULL},
};

bool pin_page_is_bare(const struct pin_page_kind *kind)
{
    return kind != NULL
           && (kind->render == render_live || kind->render == render_ready
               || kind->render == pin_metrics_render);
}

const struct pin_page_kind *pin_page_find(const char *path, enum pin_page_verb verb)
{
    typedef const struct pin_page_kind *find_fn(enum pin_page_verb verb);
    static const struct {
        const char *path;
        find_fn *find;
    } with_verbs[] = {
        {PIN_DRAINS_PATH, pin_page_find_drains},
        {PIN_LOG_PATH, pin_page_find_log},
        {PIN_CACHE_PATH, pin_page_find_cache},
        {PIN_RELOAD_PATH, pin_page_find_reload},
        {PIN_REPLACE_PATH, pin_page_find_replace},
    };
    static const struct pin_page_kind *const read_only[] = {&pin_page_replay, &pin_page_traffic,
        &pin_page_log_lines, &pin_page_zones, &pin_page_findings};
    static const struct pin_page_kind *(*const below[])(const char *, enum pin_page_verb) = {
        pin_page_find_stream, pin_page_find_plain, pin_page_find_web};

    for (size_t i = 0; i < N_ELEMS(with_verbs); i++) {
        if (strcmp(path, with_verbs[i].path) == 0) {
            return with_verbs[i].find(verb);
        }
    }
    if (strncmp(path, PIN_CLUSTERS_PATH, strlen(PIN_CLUSTERS_PATH)) == 0) {
        return pin_page_find_clusters(path, verb);
    }
    if (strncmp(path, PIN_RECORDS_PATH, strlen(PIN_RECORDS_PATH)) == 0) {
        return pin_page_find_records(path, verb);
    }
    const struct pin_page_kind *found = NULL;
    for (size_t i = 0; verb == PIN_PAGE_GET && found == NULL && i < N_ELEMS(read_only); i++) {
        found = strcmp(path, read_only[i]->path) == 0 ? read_only[i] : NULL;
    }
    for (size_t i = 0; verb == PIN_PAGE_GET && found == NULL && i < N_ELEMS(kinds); i++) {
        found = strcmp(path, kinds[i].path) == 0 ? &kinds[i] : NULL;
    }
    for (size_t i = 0; found == NULL && i < N_ELEMS(below); i++) {
        found = below[i](path, verb);
    }
    return found;
}
