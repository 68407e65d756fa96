/* SPDX-License-Identifier: Apache-2.0 */

/* What the catalog needs to know, made from the configuration. */

#include <sched.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/text.h"
#include "pintle/zones/claims_catalog.h"

#include "resolver/config.h"
#include "resolver/worker.h"

/* SOA MINIMUM: how long a negative answer may be kept (design, section 3). */
#define NEGATIVE_TTL_MAX_S 5u
#define NETWORK_DEFAULT    "default"

/* Position of a network, which is added when it is new. The array has room for all clusters. */
static uint16_t network_of(struct pin_network *networks, size_t *n_networks, const char *name)
{
    for (size_t i = 0; i < *n_networks; i++) {
        if (strcmp(networks[i].name, name) == 0) {
            return (uint16_t)i;
        }
    }
    networks[*n_networks].name = name;
    return (uint16_t)(*n_networks)++;
}

static struct pin_gateway gateway_of(const struct pin_config_gateway *from)
{
    bool is_service = from->service.name != NULL;
    const struct pin_config_object *object = is_service ? &from->service : &from->gateway;
    return (struct pin_gateway){
        .kind = from->ip.family != 0 ? PIN_GATEWAY_IP
                : from->host != NULL ? PIN_GATEWAY_HOST
                : is_service         ? PIN_GATEWAY_SERVICE
                                     : PIN_GATEWAY_OBJECT,
        .ip = from->ip,
        .host = from->host,
        .cluster = object->cluster,
        .namespace_name = object->namespace_name,
        .name = object->name,
    };
}

/* NULL when memory is out. */
static const struct pin_gateway *make_gateways(
    struct pin_arena *arena, const struct pin_config_network *from)
{
    struct pin_gateway *gateways =
        pin_arena_alloc(arena, (from->n_gateways + 1) * sizeof(*gateways));
    for (size_t i = 0; gateways != NULL && i < from->n_gateways; i++) {
        gateways[i] = gateway_of(&from->gateways[i]);
    }
    return gateways;
}

static size_t make_networks(const struct pin_config *config, struct pin_network *networks)
{
    size_t n = 0;
    (void)network_of(networks, &n, NETWORK_DEFAULT);
    for (size_t i = 0; i < config->n_networks; i++) {
        const struct pin_config_network *from = &config->networks[i];
        struct pin_network *to = &networks[network_of(networks, &n, from->name)];
        to->gateways = make_gateways(config->arena, from);
        to->n_gateways = to->gateways != NULL ? from->n_gateways : 0;
        to->cluster_ips_routable = from->cluster_ips == 1;
    }
    return n;
}

/* Probes reach endpoints where no gateway is needed, or where the configuration says so. */
static void mark_unprobed(
    const struct pin_config *config, struct pin_network *networks, size_t n_networks)
{
    for (size_t i = 0; i < n_networks; i++) {
        bool is_probed = config->n_probed_networks == 0 && networks[i].n_gateways == 0;
        for (size_t j = 0; j < config->n_probed_networks; j++) {
            is_probed = is_probed || strcmp(config->probed_networks[j], networks[i].name) == 0;
        }
        networks[i].is_unprobed = !is_probed;
    }
}

static void make_clusters(const struct pin_config *config, struct pin_network *networks,
    size_t *n_networks, struct pin_cluster_settings *clusters)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        const struct pin_config_cluster *from = &config->clusters[i];
        const char *network = from->network == NULL ? NETWORK_DEFAULT : from->network;
        clusters[i] = (struct pin_cluster_settings){.name = from->name,
            .network = network_of(networks, n_networks, network),
            .clients = from->clients,
            .n_clients = from->n_clients,
            .client_zones = from->client_zones,
            .zone = from->zone,
            .weight = from->weight,
            .address = (enum pin_address_mode)from->address,
            .stale = (enum pin_stale)from->stale,
            .stale_after_ms = from->stale_after_ms};
    }
}

/* --- geo ---------------------------------------------------------------------------------------
 */

static bool is_in_region(const struct pin_config_cluster *cluster, const char *region)
{
    return cluster->region != NULL && strcasecmp(cluster->region, region) == 0;
}

/* Whether the cluster is what an entry of `clusters:` names. A cluster's name goes before a
 * region's. */
static bool is_named(const struct pin_config *config, size_t cluster_i, const char *name)
{
    const struct pin_config_cluster *cluster = pin_config_find_cluster(config, name);
    if (cluster != NULL) {
        return cluster == &config->clusters[cluster_i];
    }
    return is_in_region(&config->clusters[cluster_i], name);
}

/* "c2,c1": what affinity lists look like. NULL when memory is out. */
static const char *join_clusters(const struct pin_config *config, const struct pin_config_geo *from)
{
    struct pin_text text = {0};
    for (size_t i = 0; i < from->n_clusters; i++) {
        for (size_t c = 0; c < config->n_clusters; c++) {
            if (is_named(config, c, from->clusters[i])) {
                pin_text_putf(&text, "%s%s", text.len > 0 ? "," : "", config->clusters[c].name);
            }
        }
    }
    const char *joined = pin_arena_strdup(config->arena, pin_text_get(&text));
    pin_text_done(&text);
    return joined;
}

static const char *upper_case(const struct pin_config *config, const char *text)
{
    char *copy = pin_arena_strdup(config->arena, text);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    return copy;
}

/* Upper case, as databases write codes. NULL when memory is out. */
static const char *const *copy_codes(
    const struct pin_config *config, const char *const *from, size_t n)
{
    const char **codes = pin_arena_alloc(config->arena, (n + 1) * sizeof(char *));
    for (size_t i = 0; codes != NULL && i < n; i++) {
        codes[i] = upper_case(config, from[i]);
        if (codes[i] == NULL) {
            return NULL;
        }
    }
    return codes;
}

static struct pin_geo_rule *make_geo_rules(const struct pin_config *config)
{
    struct pin_geo_rule *rules =
        pin_arena_alloc(config->arena, (config->n_geo_map + 1) * sizeof(*rules));
    for (size_t i = 0; rules != NULL && i < config->n_geo_map; i++) {
        const struct pin_config_geo *from = &config->geo_map[i];
        rules[i] = (struct pin_geo_rule){.nets = from->nets,
            .n_nets = from->n_nets,
            .countries = copy_codes(config, from->countries, from->n_countries),
            .n_countries = from->n_countries,
            .continents = copy_codes(config, from->continents, from->n_continents),
            .n_continents = from->n_continents,
            .clusters = join_clusters(config, from)};
        if (rules[i].countries == NULL || rules[i].continents == NULL
            || rules[i].clusters == NULL) {
            return NULL;
        }
    }
    return rules;
}

static bool is_known(const struct pin_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        if (is_named(config, i, name)) {
            return true;
        }
    }
    return false;
}

static void check_codes(const struct pin_config *config, const char *const *codes, size_t n,
    const char *what, struct pin_at at, struct pin_findings *findings)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(codes[i]) != 2) {
            pin_findings_add(findings, config->file, at,
                "geo.map: %s \"%s\" is no code of two letters", what, codes[i]);
        }
    }
}

void pin_config_check_geo(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_geo_map; i++) {
        const struct pin_config_geo *geo = &config->geo_map[i];
        check_codes(config, geo->countries, geo->n_countries, "country", geo->at, findings);
        check_codes(config, geo->continents, geo->n_continents, "continent", geo->at, findings);
        for (size_t c = 0; c < geo->n_clusters; c++) {
            if (!is_known(config, geo->clusters[c])) {
                pin_findings_add(findings, config->file, geo->at,
                    "geo.map: there is no cluster or region \"%s\"", geo->clusters[c]);
            }
        }
        if (geo->n_clusters == 0) {
            pin_findings_add(findings, config->file, geo->at, "geo.map: an entry without clusters");
        }
        if (geo->n_nets == 0 && config->geo_database == NULL) {
            pin_findings_add(findings, config->file, geo->at,
                "geo.map: an entry without nets needs geo.database");
        }
    }
}

/* --- workers ---------------------------------------------------------------------------------- */

static size_t count_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 1) {
        return 1;
    }
    size_t n = (size_t)CPU_COUNT(&set);
    return n > PIN_WORKERS_MAX ? PIN_WORKERS_MAX : n;
}

size_t pin_config_n_workers(const struct pin_config *config)
{
    return config->n_workers > 0 ? config->n_workers : count_processors();
}

/* --- all of it ------------------------------------------------------------------------------- */

static uint16_t default_cluster(const struct pin_config *config)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        if (config->default_cluster != NULL
            && strcmp(config->default_cluster, config->clusters[i].name) == 0) {
            return (uint16_t)i;
        }
    }
    return PIN_CLUSTER_NONE;
}

/* Zones that have files. NULL: memory is out. */
static const char *const *static_zones(const struct pin_config *config)
{
    const char **zones = pin_arena_alloc(config->arena, config->n_zonefiles * sizeof(*zones));
    for (size_t i = 0; zones != NULL && i < config->n_zonefiles; i++) {
        zones[i] = config->zonefiles[i].zone;
    }
    return zones;
}

/* Zones that are transferred. NULL: memory is out. */
static const char *const *shipped_zones(const struct pin_config *config)
{
    const char **zones = pin_arena_alloc(config->arena, config->n_transfers * sizeof(*zones));
    for (size_t i = 0; zones != NULL && i < config->n_transfers; i++) {
        zones[i] = config->transfers[i].zone;
    }
    return zones;
}

/* --- records -----------------------------------------------------------------------------------
 */

/* "aws/weight=10" as name and value; in the arena. */
static struct pin_recordset_property property_of(struct pin_arena *arena, const char *text)
{
    size_t bytes = strcspn(text, "=");
    const char *name = pin_arena_strndup(arena, text, bytes);
    return (struct pin_recordset_property){
        name != NULL ? name : "", text[bytes] == '=' ? text + bytes + 1 : ""};
}

static const struct pin_claim_record *entries_of(
    struct pin_arena *arena, const struct pin_config_records *from)
{
    struct pin_claim_record *entries = pin_arena_alloc(arena, from->n_entries * sizeof(*entries));
    for (size_t i = 0; entries != NULL && i < from->n_entries; i++) {
        const struct pin_config_record_entry *entry = &from->entries[i];
        struct pin_recordset_property *properties =
            pin_arena_alloc(arena, entry->n_properties * sizeof(*properties));
        for (size_t k = 0; properties != NULL && k < entry->n_properties; k++) {
            properties[k] = property_of(arena, entry->properties[k]);
        }
        entries[i] = (struct pin_claim_record){.name = entry->name,
            .type = entry->type,
            .set_id = entry->set_id,
            .ttl_s = entry->ttl_s,
            .targets = entry->targets,
            .n_targets = entry->n_targets,
            .properties = properties,
            .n_properties = properties != NULL ? entry->n_properties : 0};
    }
    return entries;
}

/* The arena remembers when memory was out. */
static const struct pin_record_want *make_wants(const struct pin_config *config)
{
    struct pin_record_want *wants =
        pin_arena_alloc(config->arena, config->n_records * sizeof(*wants));
    for (size_t i = 0; wants != NULL && i < config->n_records; i++) {
        const struct pin_config_records *from = &config->records[i];
        wants[i] = (struct pin_record_want){.name = from->name,
            .zones = from->zones,
            .n_zones = from->n_zones,
            .to_assigned = from->targets == PIN_CONFIG_TARGETS_ASSIGNED,
            .entries = entries_of(config->arena, from),
            .n_entries = from->n_entries};
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            const char *word = pin_claims_word((enum pin_kind)kind);
            if (word != NULL && pin_config_records_want(from, word)) {
                wants[i].kinds |= 1u << kind;
            }
        }
    }
    return wants;
}

/* Whether resolvers can come to a listener by its address. */
static bool is_findable(const struct pin_config_listen *listen)
{
    static const struct pin_ip anywhere;
    const struct pin_ip *ip = &listen->address.ip;
    return listen->address.port == PIN_RESOLVER_PORT && !listen->has_tls && !listen->has_https
           && !listen->has_proxy && memcmp(ip->bytes, anywhere.bytes, sizeof(anywhere.bytes)) != 0;
}

/* Where name servers are: as said, else, of those that are ours alone, where we listen. A loopback
 * address counts where there is no other. */
static void set_ns_addresses(const struct pin_config *config, struct pin_settings *settings)
{
    size_t max = config->n_ns_addresses + config->n_listens;
    struct pin_ip *ips = pin_arena_alloc(config->arena, (max + 1) * sizeof(*ips));
    size_t n = 0;
    for (size_t i = 0; ips != NULL && i < config->n_ns_addresses; i++) {
        ips[n++] = config->ns_addresses[i].ip;
    }
    for (int loopback = 0; ips != NULL && config->n_ns == 0 && n == 0 && loopback < 2; loopback++) {
        for (size_t i = 0; i < config->n_listens; i++) {
            const struct pin_config_listen *listen = &config->listens[i];
            if (is_findable(listen) && pin_ip_is_loopback(&listen->address.ip) == (loopback == 1)) {
                ips[n++] = listen->address.ip;
            }
        }
    }
    settings->ns_addresses = ips;
    settings->n_ns_addresses = n;
}

/* What follows from several keys. */
static void set_found(const struct pin_config *config, struct pin_settings *settings)
{
    settings->default_cluster = default_cluster(config);
    set_ns_addresses(config, settings);
}

enum pin_err pin_config_settings(
    struct pin_config *config, struct pin_settings *ret_settings, struct pin_why *why)
{
    size_t n_networks = 1 + config->n_networks + config->n_clusters;
    struct pin_network *networks =
        pin_arena_alloc(config->arena, n_networks * sizeof(struct pin_network));
    struct pin_cluster_settings *clusters =
        pin_arena_alloc(config->arena, config->n_clusters * sizeof(struct pin_cluster_settings));
    const char *const *zones_static = static_zones(config);
    const char *const *zones_shipped = shipped_zones(config);
    if (networks == NULL || clusters == NULL || zones_static == NULL || zones_shipped == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "settings of %zu clusters", config->n_clusters);
    }
    n_networks = make_networks(config, networks);
    make_clusters(config, networks, &n_networks, clusters);
    mark_unprobed(config, networks, n_networks);

    struct pin_geo_rule *rules = make_geo_rules(config);
    if (rules == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "settings of geo.map");
    }

    *ret_settings = (struct pin_settings){.cluster_set = config->cluster_set,
        .networks = networks,
        .n_networks = n_networks,
        .clusters = clusters,
        .n_clusters = config->n_clusters,
        .forwarders = config->forwarders,
        .n_forwarders = config->n_forwarders,
        .geo_rules = rules,
        .n_geo_rules = config->n_geo_map,
        .zone_cluster_set = config->zone_cluster_set,
        .zone_assigned = config->zone_assigned,
        .zone_cluster = config->zone_cluster,
        .zones_custom = config->zones_custom,
        .n_zones_custom = config->n_zones_custom,
        .zones_static = zones_static,
        .n_zones_static = config->n_zonefiles,
        .zones_shipped = zones_shipped,
        .n_zones_shipped = config->n_transfers,
        .ns = config->ns,
        .n_ns = config->n_ns,
        .hostmaster = config->hostmaster,
        .ttl_s = config->ttl_s,
        .negative_ttl_s = NEGATIVE_TTL_MAX_S,
        .max_answers = config->max_answers,
        .max_objects = config->max_objects,
        .answers = (enum pin_answers_mode)config->answers,
        .address = (enum pin_address_mode)config->address,
        .all_down = (enum pin_all_down)config->all_down,
        .up_percent = config->up_percent,
        .stale = (enum pin_stale)config->stale,
        .stale_after_ms = config->stale_after_ms,
        .is_empty_backend_nodata = config->empty_backend == 1,
        .is_zero_weight_standby = config->zero_weight == 1,
        .is_empty_service_nxdomain = config->empty_service == 1,
        .is_headless_empty_nodata = config->headless_empty == 1,
        .is_lighthouse = config->is_lighthouse,
        .is_extensions_off = !config->has_extensions,
        .filters_families = config->filters_families,
        .is_ptr_off = !config->has_ptr,
        .version_cluster_set = config->version_cluster_set,
        .version_cluster = config->version_cluster,
        .policy_audits = config->policy_mode == 1,
        .policy_denied = (enum pin_policy_denied)config->policy_denied,
        .writes = config->writes,
        .records = make_wants(config),
        .n_records = config->n_records,
        .ready_min_clusters = config->ready_min_clusters,
        .ready_grace_ms = config->ready_grace_ms};
    set_found(config, ret_settings);
    return pin_arena_has_failed(config->arena) ? pin_why_set(why, PIN_ENOMEM, "settings") : PIN_OK;
}
