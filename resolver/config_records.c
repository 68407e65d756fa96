/* SPDX-License-Identifier: Apache-2.0 */

/* What `records:` means: what follows from other keys, and what cannot be right about it. */

#include "resolver/config_records.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

#include "resolver/config.h"

/* Kinds of objects as external-dns writes them (zones/recordset.h). */
static const char *const source_words[] = {
    "service", "ingress", "gateway", "httproute", "grpcroute", "tlsroute", "tcproute", "crd"};

/* What external-dns calls itself when nobody says. */
#define COMMON_OWNER "default"

bool pin_config_records_want(const struct pin_config_records *records, const char *kind)
{
    return records->n_sources == 0 || pin_is_among(kind, records->sources, records->n_sources);
}

/* Texts of the registry are compared with names, which are lower case. NULL: memory is out. */
static const char *lower_case(const struct pin_config *config, const char *text)
{
    char *copy = text == NULL ? NULL : pin_arena_strdup(config->arena, text);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    return copy;
}

void pin_config_records(struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_records; i++) {
        struct pin_config_records *records = &config->records[i];
        if (records->owner == NULL && config->cluster_set != NULL
            && strcmp(config->cluster_set, COMMON_OWNER) == 0) {
            pin_findings_add(findings, config->file, records->at,
                "records[%zu]: say owner, or clusterSet: \"" COMMON_OWNER
                "\" is what external-dns calls itself when nobody says, so records of others "
                "would count as ours",
                i);
        }
        records->owner = records->owner == NULL ? config->cluster_set : records->owner;
        records->txt_prefix = lower_case(config, records->txt_prefix);
        records->txt_suffix = lower_case(config, records->txt_suffix);
        records->txt_wildcard = lower_case(config, records->txt_wildcard);
    }
}

/* --- Checks --------------------------------------------------------------------------------- */

/* An entry that is looked at. */
struct look {
    const struct pin_config *config;
    const struct pin_config_records *records;
    struct pin_findings *findings;
    size_t i;
};

static void complain(const struct look *look, struct pin_at at, const char *fmt, ...)
    PIN_PRINTF(3, 4);

/* "records[1]: message" */
static void complain(const struct look *look, struct pin_at at, const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    pin_findings_add(look->findings, look->config->file, at, "records[%zu]: %s", look->i, message);
}

static const struct {
    const char *word;
    const char *want; /* what has to be said; NULL: it knows where it is */
} providers[] = {
    [PIN_CONFIG_RFC2136] = {"rfc2136", "{server: ADDR}"},
    [PIN_CONFIG_POWERDNS] = {"powerdns", "{url: URL, apiKeyFile: FILE}"},
    [PIN_CONFIG_ROUTE53] = {"route53", NULL},
    [PIN_CONFIG_WEBHOOK] = {"webhook", "{url: URL}"},
    [PIN_CONFIG_ZONEFILE] = {"zonefile", "{directory: DIR}"},
};

/* The provider's own key is there, and no other's. */
static void check_provider(const struct look *look)
{
    const struct pin_config_records *records = look->records;
    const unsigned own = records->provider;
    if (own == PIN_CONFIG_PROVIDER_UNSAID) {
        return; /* told already */
    }
    for (unsigned other = PIN_CONFIG_RFC2136; other < N_ELEMS(providers); other++) {
        if (other != own && records->has_provider[other]) {
            complain(look, records->at, "provider is %s, so %s says nothing: take it out",
                providers[own].word, providers[other].word);
        }
    }
    if (!records->has_provider[own] && providers[own].want != NULL) {
        complain(look, records->at, "provider is %s: say %s: %s", providers[own].word,
            providers[own].word, providers[own].want);
    }
}

/* A URL without a password, as far as can be told without asking. */
static void check_url(const struct look *look, const char *key, const char *url)
{
    if (url == NULL || url[0] == '\0') {
        return;
    }
    if (strpbrk(url, "@?#") != NULL) { /* not shown: there may be a password in it */
        complain(look, look->records->at,
            "%s: a URL of scheme, host, port and path is wanted, secrets go into files", key);
        return;
    }
    size_t scheme_len = strncmp(url, "https://", 8) == 0 ? 8 : 7;
    bool is_http = scheme_len == 8 || strncmp(url, "http://", 7) == 0;
    if (!is_http || url[scheme_len] == '\0' || url[scheme_len] == '/') {
        complain(
            look, look->records->at, "%s: \"%s\" is not http://HOST or https://HOST", key, url);
    }
}

static bool is_among_zones(const struct pin_config_records *records, const char *zone)
{
    return pin_is_among(zone, records->zones, records->n_zones);
}

static void check_route53(const struct look *look)
{
    const struct pin_config_route53 *route53 = &look->records->route53;
    if ((route53->access_key_file == NULL) != (route53->secret_key_file == NULL)) {
        complain(look, look->records->at, "route53: accessKeyFile and secretKeyFile go together");
    }
    for (size_t i = 0; i < route53->n_zones; i++) {
        const struct pin_config_zone_id *zone = &route53->zones[i];
        if (zone->zone != NULL && !is_among_zones(look->records, zone->zone)) {
            complain(
                look, zone->at, "route53.zones[%zu]: \"%s\" is none of the zones", i, zone->zone);
        }
        if (zone->id != NULL
            && strspn(zone->id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(zone->id)) {
            complain(look, zone->at,
                "route53.zones[%zu]: \"%s\" is no id of a zone, such as Z0123456789ABC", i,
                zone->id);
        }
    }
}

static void check_registry(const struct look *look)
{
    struct pin_why why = {0};
    const struct pin_registry registry = {.owner = look->records->owner,
        .prefix = look->records->txt_prefix,
        .suffix = look->records->txt_suffix,
        .wildcard = look->records->txt_wildcard};
    if (pin_registry_check(&registry, &why) != PIN_OK) {
        complain(look, look->records->at, "%s", why.text);
    }
}

static void check_zones(const struct look *look)
{
    const struct pin_config_records *records = look->records;
    if (records->zones == NULL) {
        return; /* told already */
    }
    if (records->n_zones == 0) {
        complain(look, records->at, "zones: there is none");
    }
    for (size_t i = 0; i < records->n_zones; i++) {
        if (pin_is_among(records->zones[i], records->zones, i)) {
            complain(look, records->at, "zones: \"%s\" is there twice", records->zones[i]);
        }
    }
}

static void check_sources(const struct look *look)
{
    const struct pin_config_records *records = look->records;
    for (size_t i = 0; i < records->n_sources; i++) {
        const char *word = records->sources[i];
        if (pin_is_among(word, source_words, N_ELEMS(source_words))) {
            continue;
        }
        const char *near = pin_nearest(word, source_words, N_ELEMS(source_words));
        complain(look, records->at,
            "sources: \"%s\" is none of service, ingress, gateway, httproute, grpcroute, tlsroute, "
            "tcproute and crd%s%s%s",
            word, near == NULL ? "" : ", did you mean \"", near == NULL ? "" : near,
            near == NULL ? "" : "\"?");
    }
}

/* --- Entries -------------------------------------------------------------------------------- */

static bool is_in_zones(const struct pin_config_records *records, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < records->n_zones; i++) {
        size_t zone_len = strlen(records->zones[i]);
        if (len >= zone_len && strcmp(name + len - zone_len, records->zones[i]) == 0
            && (len == zone_len || name[len - zone_len - 1] == '.')) {
            return true;
        }
    }
    return false;
}

static void check_targets(const struct look *look, const struct pin_config_record_entry *entry)
{
    struct pin_arena *arena = pin_arena_new("targets", (size_t)1 << 20);
    if (entry->n_targets == 0) {
        complain(look, entry->at, "targets: there is none");
    }
    for (size_t i = 0; arena != NULL && i < entry->n_targets; i++) {
        const char *value = NULL;
        struct pin_why why = {0};
        if (pin_recordset_value(arena, entry->type, entry->targets[i], &value, &why) != PIN_OK) {
            complain(look, entry->at, "\"%s\" is no %s record: %s", entry->targets[i], entry->type,
                why.text);
        }
    }
    pin_arena_free(arena);
}

static void check_entry(const struct look *look, const struct pin_config_record_entry *entry)
{
    char name[PIN_RECORDSET_NAME_MAX];
    if (entry->name != NULL && pin_recordset_name(entry->name, name, NULL) != PIN_OK) {
        complain(look, entry->at, "\"%s\" is no DNS name", entry->name);
    } else if (entry->name != NULL && look->records->n_zones > 0
               && !is_in_zones(look->records, name)) {
        complain(look, entry->at, "\"%s\" lies in none of the zones", entry->name);
    }
    if (entry->type != NULL && entry->targets != NULL) {
        check_targets(look, entry);
    }
    for (size_t i = 0; i < entry->n_properties; i++) {
        const char *equals = strchr(entry->properties[i], '=');
        if (equals == NULL || equals == entry->properties[i]) {
            complain(look, entry->at, "properties: \"%s\" is not NAME=VALUE", entry->properties[i]);
        }
    }
}

/* --- Between entries ------------------------------------------------------------------------ */

/* Whether both are the same server, as far as the words say. */
static bool is_same_server(const struct pin_config_records *a, const struct pin_config_records *b)
{
    if (a->provider != b->provider) {
        return false;
    }
    switch (a->provider) {
    case PIN_CONFIG_RFC2136:
        return a->rfc2136.server.port == b->rfc2136.server.port
               && pin_ip_equal(&a->rfc2136.server.ip, &b->rfc2136.server.ip);
    case PIN_CONFIG_POWERDNS:
        return pin_is_same_text(a->powerdns.url, b->powerdns.url)
               && pin_is_same_text(a->powerdns.server, b->powerdns.server);
    case PIN_CONFIG_ROUTE53:
        return pin_is_same_text(a->route53.endpoint, b->route53.endpoint)
               && pin_is_same_text(a->route53.access_key_file, b->route53.access_key_file)
               && a->route53.is_private == b->route53.is_private && a->route53.n_zones == 0
               && b->route53.n_zones == 0;
    case PIN_CONFIG_WEBHOOK:
        return pin_is_same_text(a->webhook.url, b->webhook.url);
    case PIN_CONFIG_ZONEFILE:
        return pin_is_same_text(a->zonefile.directory, b->zonefile.directory);
    default:
        return false;
    }
}

/* What two entries with one owner want in one zone of one server, each would take from the other;
 * and a file has one writer, whoever owns what. */
static void check_pair(const struct look *look, size_t other_i)
{
    const struct pin_config_records *records = look->records;
    const struct pin_config_records *other = &look->config->records[other_i];
    bool is_file = records->provider == PIN_CONFIG_ZONEFILE;
    if (records->name != NULL && pin_is_same_text(records->name, other->name)) {
        complain(look, records->at, "there is a \"%s\" already", records->name);
    }
    if (!is_same_server(records, other)
        || (!is_file && !pin_is_same_text(records->owner, other->owner))) {
        return;
    }
    for (size_t i = 0; i < records->n_zones; i++) {
        if (!is_among_zones(other, records->zones[i])) {
            continue;
        }
        complain(look, records->at,
            is_file ? "records[%zu] writes the file of \"%s\" there already: put them together"
                    : "records[%zu] keeps \"%s\" there already, under the same owner: put them "
                      "together, or give each an owner",
            other_i, records->zones[i]);
    }
}

/* A Lease is an object of an API server. */
static void check_lease(const struct pin_config *config, struct pin_findings *findings)
{
    const char *name = config->records_lease_cluster;
    const struct pin_config_cluster *cluster =
        name != NULL ? pin_config_find_cluster(config, name) : NULL;
    if (name != NULL && config->has_records_etcd) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "recordsLease: say cluster or etcd, not both: one of them says who writes");
    }
    if (config->has_records_lease && name == NULL && !config->has_records_etcd) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "recordsLease: say cluster or etcd: without one of them every daemon writes");
    }
    if (name != NULL
        && (cluster == NULL
            || (cluster->source != PIN_CONFIG_CONTEXT
                && cluster->source != PIN_CONFIG_IN_CLUSTER))) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "recordsLease.cluster: \"%s\" is no cluster with a context or inCluster", name);
    }
}

/* Whether there is so little that each may be held against each. */
static bool is_bounded(const struct pin_config *config, struct pin_findings *findings)
{
    bool is_good = true;
    if (config->n_records > PIN_RECORDS_MAX) {
        pin_findings_add(findings, config->file, config->records[0].at, "records: more than %u",
            PIN_RECORDS_MAX);
        return false;
    }
    for (size_t i = 0; i < config->n_records; i++) {
        const struct look look = {config, &config->records[i], findings, i};
        const struct {
            const char *key;
            size_t n;
            size_t n_max;
        } lists[] = {
            {"zones", look.records->n_zones, PIN_RECORDS_ZONES_MAX},
            {"sources", look.records->n_sources, PIN_RECORDS_ZONES_MAX},
            {"route53.zones", look.records->route53.n_zones, PIN_RECORDS_ZONES_MAX},
            {"entries", look.records->n_entries, PIN_RECORDS_ENTRIES_MAX},
        };
        for (size_t k = 0; k < N_ELEMS(lists); k++) {
            if (lists[k].n > lists[k].n_max) {
                complain(
                    &look, look.records->at, "%s: more than %zu", lists[k].key, lists[k].n_max);
                is_good = false;
            }
        }
    }
    return is_good;
}

void pin_config_check_records(const struct pin_config *config, struct pin_findings *findings)
{
    if (!is_bounded(config, findings)) {
        return;
    }
    check_lease(config, findings);
    for (size_t i = 0; i < config->n_records; i++) {
        const struct look look = {config, &config->records[i], findings, i};
        check_provider(&look);
        check_zones(&look);
        check_registry(&look);
        check_sources(&look);
        check_url(&look, "powerdns.url", look.records->powerdns.url);
        check_url(&look, "webhook.url", look.records->webhook.url);
        check_url(&look, "route53.endpoint", look.records->route53.endpoint);
        check_route53(&look);
        for (size_t j = 0; j < look.records->n_entries; j++) {
            check_entry(&look, &look.records->entries[j]);
        }
        for (size_t j = 0; j < i; j++) {
            check_pair(&look, j);
        }
    }
}
