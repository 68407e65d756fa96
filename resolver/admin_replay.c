/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The page of a configuration that replays: what of the running one decides which addresses a name
 * has, for clusters that are directories and zones that are files beside it. It holds no secret and
 * nobody else's servers: what is forwarded, written or transferred is left out.
 */

#include <stdio.h>
#include <string.h>

#include "pintle/zones/settings.h"

#include "resolver/admin_pages.h"

static const char *const address_words[] = {[PIN_ADDRESS_AUTO] = "auto",
    [PIN_ADDRESS_ENDPOINTS] = "endpoints",
    [PIN_ADDRESS_CLUSTER_IP] = "clusterIP",
    [PIN_ADDRESS_LOAD_BALANCER] = "loadBalancer",
    [PIN_ADDRESS_GATEWAY] = "gateway"};
static const char *const stale_words[] = {
    [PIN_STALE_KEEP] = "keep", [PIN_STALE_DROP] = "drop", [PIN_STALE_PROBE] = "probe"};

static void open_member(struct pin_jsonout *json, const char *key)
{
    pin_jsonout_key(json, key);
    pin_jsonout_object(json);
}

/* Key and word; nothing for "unset". */
static void put_word(
    struct pin_jsonout *json, const char *key, unsigned value, const char *const *words)
{
    if (value != 0) {
        pin_jsonout_key_string(json, key, words[value]);
    }
}

static void put_stale(struct pin_jsonout *json, enum pin_stale stale, uint64_t after_ms)
{
    if (stale == PIN_STALE_UNSET && after_ms == 0) {
        return;
    }
    open_member(json, "stale");
    put_word(json, "policy", stale, stale_words);
    if (after_ms != 0) {
        pin_jsonout_key_uint(json, "after", after_ms / 1000);
    }
    pin_jsonout_end(json);
}

static void put_clusters(struct pin_jsonout *json, const struct pin_settings *settings)
{
    pin_jsonout_key(json, "clusters");
    pin_jsonout_array(json);
    for (size_t i = 0; i < settings->n_clusters; i++) {
        const struct pin_cluster_settings *cluster = &settings->clusters[i];
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "name", cluster->name);
        pin_jsonout_key_string(json, "directory", cluster->name);
        put_word(json, "address", cluster->address, address_words);
        if (cluster->weight != PIN_WEIGHT_UNSET) {
            pin_jsonout_key_uint(json, "weight", cluster->weight);
        }
        put_stale(json, cluster->stale, cluster->stale_after_ms);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
    if (settings->default_cluster != PIN_CLUSTER_NONE) {
        pin_jsonout_key_string(
            json, "defaultCluster", settings->clusters[settings->default_cluster].name);
    }
}

static void put_gateway(struct pin_jsonout *json, const struct pin_gateway *gateway)
{
    char text[PIN_IP_TEXT_MAX];
    switch (gateway->kind) {
    case PIN_GATEWAY_IP:
        pin_jsonout_string(json, pin_ip_format(&gateway->ip, text));
        break;
    case PIN_GATEWAY_HOST:
        pin_jsonout_string(json, gateway->host);
        break;
    case PIN_GATEWAY_OBJECT:
    case PIN_GATEWAY_SERVICE:
        pin_jsonout_object(json);
        open_member(json, gateway->kind == PIN_GATEWAY_OBJECT ? "gateway" : "service");
        pin_jsonout_key_string(json, "cluster", gateway->cluster);
        pin_jsonout_key_string(json, "namespace", gateway->namespace_name);
        pin_jsonout_key_string(json, "name", gateway->name);
        pin_jsonout_end(json);
        pin_jsonout_end(json);
        break;
    }
}

static void put_networks(struct pin_jsonout *json, const struct pin_settings *settings)
{
    pin_jsonout_key(json, "networks");
    pin_jsonout_array(json);
    for (size_t i = 0; i < settings->n_networks; i++) {
        const struct pin_network *network = &settings->networks[i];
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "name", network->name);
        pin_jsonout_key(json, "gateways");
        pin_jsonout_array(json);
        for (size_t j = 0; j < network->n_gateways; j++) {
            put_gateway(json, &network->gateways[j]);
        }
        pin_jsonout_end(json);
        pin_jsonout_key_string(
            json, "clusterIPs", network->cluster_ips_routable ? "routable" : "local");
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

static void put_zones(struct pin_jsonout *json, const struct pin_settings *settings)
{
    open_member(json, "zones");
    pin_jsonout_key_string(json, "clusterSet", settings->zone_cluster_set);
    pin_jsonout_key_string(json, "assigned", settings->zone_assigned);
    pin_jsonout_key_string(json, "cluster", settings->zone_cluster);
    pin_jsonout_key_strings(json, "custom", settings->zones_custom, settings->n_zones_custom);
    if (settings->n_zones_static > 0) {
        pin_jsonout_key(json, "files");
        pin_jsonout_array(json);
    }
    for (size_t i = 0; i < settings->n_zones_static; i++) {
        char file[40]; /* zones have names that files cannot have */
        (void)snprintf(file, sizeof(file), "static-%zu.zone", i + 1);
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "zone", settings->zones_static[i]);
        pin_jsonout_key_string(json, "file", file);
        pin_jsonout_end(json);
    }
    if (settings->n_zones_static > 0) {
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

/* What zones say of themselves, the addresses of listeners included: others are listened on there.
 */
static void put_dns(struct pin_jsonout *json, const struct pin_settings *settings)
{
    open_member(json, "dns");
    if (settings->n_ns > 0) {
        pin_jsonout_key_strings(json, "ns", settings->ns, settings->n_ns);
    }
    if (settings->n_ns_addresses > 0) {
        pin_jsonout_key(json, "addresses");
        pin_jsonout_array(json);
        for (size_t i = 0; i < settings->n_ns_addresses; i++) {
            char ip[PIN_IP_TEXT_MAX];
            pin_jsonout_string(json, pin_ip_format(&settings->ns_addresses[i], ip));
        }
        pin_jsonout_end(json);
    }
    if (settings->hostmaster != NULL) {
        pin_jsonout_key_string(json, "hostmaster", settings->hostmaster);
    }
    pin_jsonout_end(json);
}

static void put_prefixes(
    struct pin_jsonout *json, const char *key, const struct pin_prefix *prefixes, size_t n)
{
    pin_jsonout_key(json, key);
    pin_jsonout_array(json);
    for (size_t i = 0; i < n; i++) {
        char text[PIN_PREFIX_TEXT_MAX];
        pin_jsonout_string(json, pin_prefix_format(&prefixes[i], text));
    }
    pin_jsonout_end(json);
}

/* The rules, not the database: countries and continents are nobody's without it. */
static void put_geo(struct pin_jsonout *json, const struct pin_settings *settings)
{
    if (settings->n_geo_rules == 0) {
        return;
    }
    open_member(json, "geo");
    pin_jsonout_key(json, "map");
    pin_jsonout_array(json);
    for (size_t i = 0; i < settings->n_geo_rules; i++) {
        const struct pin_geo_rule *rule = &settings->geo_rules[i];
        if (rule->n_nets == 0) {
            continue;
        }
        pin_jsonout_object(json);
        put_prefixes(json, "nets", rule->nets, rule->n_nets);
        pin_jsonout_key(json, "clusters");
        pin_jsonout_array(json);
        for (const char *at = rule->clusters; *at != '\0';) {
            size_t bytes = strcspn(at, ",");
            pin_jsonout_string_n(json, at, bytes);
            at += bytes + (at[bytes] == ',');
        }
        pin_jsonout_end(json);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

static void put_steering(struct pin_jsonout *json, const struct pin_settings *settings)
{
    static const char *const answers[] = {[PIN_ANSWERS_SUBSET] = "subset",
        [PIN_ANSWERS_SINGLE] = "single",
        [PIN_ANSWERS_ALL] = "all",
        [PIN_ANSWERS_GROUP] = "group"};
    static const char *const all_down[] = {[PIN_ALL_DOWN_ALL] = "all",
        [PIN_ALL_DOWN_NONE] = "none",
        [PIN_ALL_DOWN_LAST_GOOD] = "lastGood"};
    open_member(json, "steering");
    pin_jsonout_key_uint(json, "ttl", settings->ttl_s);
    put_word(json, "answers", settings->answers, answers);
    pin_jsonout_key_uint(json, "maxAnswers", settings->max_answers);
    put_word(json, "address", settings->address, address_words);
    pin_jsonout_key_string(
        json, "emptyBackend", settings->is_empty_backend_nodata ? "nodata" : "renormalise");
    put_word(json, "allDown", settings->all_down, all_down);
    pin_jsonout_key_uint(json, "upThreshold", settings->up_percent);
    pin_jsonout_end(json);
}

static void put_manners(struct pin_jsonout *json, const struct pin_settings *settings)
{
    put_stale(json, settings->stale, settings->stale_after_ms);
    open_member(json, "policy");
    pin_jsonout_key_string(json, "mode", settings->policy_audits ? "audit" : "enforce");
    pin_jsonout_key_string(json, "denied",
        settings->policy_denied == PIN_POLICY_DENIED_NXDOMAIN ? "nxdomain" : "refused");
    pin_jsonout_end(json);
    open_member(json, "compat");
    pin_jsonout_key_bool(json, "lighthouse", settings->is_lighthouse);
    pin_jsonout_key_bool(json, "extensions", !settings->is_extensions_off);
    pin_jsonout_key_string(
        json, "emptyService", settings->is_empty_service_nxdomain ? "nxdomain" : "keep");
    pin_jsonout_key_string(
        json, "headlessEmpty", settings->is_headless_empty_nodata ? "nodata" : "nxdomain");
    pin_jsonout_key_string(
        json, "zeroWeight", settings->is_zero_weight_standby ? "standby" : "never");
    pin_jsonout_key_bool(json, "ptr", !settings->is_ptr_off);
    pin_jsonout_key_bool(json, "filterFamilies", settings->filters_families);
    pin_jsonout_end(json);
}

static void render_replay(struct pin_page *page)
{
    const struct pin_settings *settings = pin_page_settings(page);
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "apiVersion", "pintle.dev/v1alpha1");
    pin_jsonout_key_string(&json, "kind", "PintleConfig");
    pin_jsonout_key_string(&json, "clusterSet", settings->cluster_set);
    put_clusters(&json, settings);
    put_networks(&json, settings);
    put_zones(&json, settings);
    put_dns(&json, settings);
    put_geo(&json, settings);
    if (settings->n_forwarders > 0) {
        put_prefixes(&json, "trustedForwarders", settings->forwarders, settings->n_forwarders);
    }
    put_steering(&json, settings);
    put_manners(&json, settings);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

const struct pin_page_kind pin_page_replay = {PIN_REPLAY_PATH, NULL, NULL, render_replay};
