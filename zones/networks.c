/* SPDX-License-Identifier: Apache-2.0 */

/* Gateways: from what the configuration names to addresses, live. */

#include "zones/networks.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"

/* Most addresses of one network; more of them do not fit an answer. */
#define GATEWAYS_MAX 256u

#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

/* A host name that is looked up. */
struct host {
    struct pin_lookup latest; /* its addresses are those of the last good answer */
    uint64_t good_ms;         /* when that came */
    bool has_answer;          /* there was a good one */
    uint32_t stamp;           /* of the settling that wanted it last */
};

/* What one settling gathers for one network. */
struct gathering {
    struct pin_catalog *catalog;
    struct pin_ip ips[GATEWAYS_MAX];
    size_t n_ips;
};

/* Addresses and host names of the object behind a gateway. */
struct status {
    const struct pin_ip *ips;
    size_t n_ips;
    const char *const *hosts;
    size_t n_hosts;
};

/* --- what a gateway is ----------------------------------------------------------------------- */

static enum pin_kind kind_of(const struct pin_gateway *gateway)
{
    return gateway->kind == PIN_GATEWAY_SERVICE ? PIN_KIND_SERVICE : PIN_KIND_GATEWAY;
}

static bool is_object(const struct pin_gateway *gateway)
{
    return gateway->kind == PIN_GATEWAY_OBJECT || gateway->kind == PIN_GATEWAY_SERVICE;
}

/* The object's status as it stands; false while there is no such object. */
static bool find_status(
    const struct pin_catalog *catalog, const struct pin_gateway *gateway, struct status *ret_status)
{
    uint16_t cluster_id = pin_settings_cluster(catalog->settings, gateway->cluster);
    if (cluster_id == PIN_CLUSTER_NONE) {
        return false;
    }
    const struct pin_object *object = pin_catalog_find(
        catalog, cluster_id, kind_of(gateway), gateway->namespace_name, gateway->name);
    if (object == NULL) {
        return false;
    }
    if (object->kind == PIN_KIND_SERVICE) {
        const struct pin_service_body *body = &object->as.service;
        *ret_status = (struct status){
            body->balancer_ips, body->n_balancer_ips, body->balancer_hosts, body->n_balancer_hosts};
    } else {
        const struct pin_gateway_body *body = &object->as.gateway;
        *ret_status =
            (struct status){body->addresses, body->n_addresses, body->hosts, body->n_hosts};
    }
    return true;
}

/* --- host names ------------------------------------------------------------------------------ */

/* Lower case, no trailing dot; false when it is no host name to ask for. */
static bool normalise(const char *text, char host[PIN_HOST_TEXT_MAX])
{
    struct pin_name name;
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes >= PIN_HOST_TEXT_MAX || text[strspn(text, HOST_LETTERS)] != '\0'
        || pin_name_parse(text, &name) != PIN_OK || name.bytes <= 1) {
        return false;
    }
    bytes -= text[bytes - 1] == '.' ? 1 : 0;
    for (size_t i = 0; i < bytes; i++) {
        host[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    }
    host[bytes] = '\0';
    return true;
}

static struct host *find_host(const struct pin_catalog *catalog, const char *text)
{
    char name[PIN_HOST_TEXT_MAX];
    return normalise(text, name) ? pin_map_find(&catalog->lookups, name, strlen(name)) : NULL;
}

/* A host name that was not wanted before; NULL when memory is out. */
static struct host *add_host(struct pin_catalog *catalog, const char name[PIN_HOST_TEXT_MAX])
{
    struct host *host = calloc(1, sizeof(*host));
    if (host == NULL || !pin_map_put(&catalog->lookups, name, strlen(name), host, NULL)) {
        pin_log_error("networks: out of memory, gateway %s is not looked up yet", name);
        catalog->is_networks_dirty = true;
        free(host);
        return NULL;
    }
    memcpy(host->latest.host, name, PIN_HOST_TEXT_MAX);
    catalog->is_wanted_changed = true;
    return host;
}

/* The host name, which is wanted from now on; NULL when it is none or memory is out. */
static struct host *want_host(struct pin_catalog *catalog, const char *text)
{
    char name[PIN_HOST_TEXT_MAX] = "";
    if (!normalise(text, name)) {
        return NULL;
    }
    struct host *host = pin_map_find(&catalog->lookups, name, strlen(name));
    host = host != NULL ? host : add_host(catalog, name);
    if (host != NULL) {
        host->stamp = catalog->lookup_stamp;
    }
    return host;
}

/* Forgets the names that nobody wants any more. */
static void drop_unwanted(struct pin_catalog *catalog)
{
    size_t cursor = 0;
    const char *key = NULL;
    size_t bytes = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->lookups, &cursor, &key, &bytes, &value)) {
        struct host *host = value;
        if (host->stamp != catalog->lookup_stamp) {
            (void)pin_map_remove(&catalog->lookups, host->latest.host, strlen(host->latest.host));
            free(host);
            catalog->is_wanted_changed = true;
        }
    }
}

void pin_networks_apply(struct pin_catalog *catalog, const struct pin_lookup *lookup)
{
    struct host *host = pin_map_find(&catalog->lookups, lookup->host, strlen(lookup->host));
    if (host == NULL) {
        return; /* nobody wants it any more */
    }
    if (lookup->has_failed) {
        host->latest.has_failed = true;
        memcpy(host->latest.error, lookup->error, sizeof(lookup->error));
        return;
    }
    host->latest = *lookup;
    host->good_ms = lookup->at_ms;
    host->has_answer = true;
    catalog->is_networks_dirty = true;
}

void pin_networks_inherit(struct pin_catalog *heir, const struct pin_catalog *old)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&old->lookups, &cursor, NULL, NULL, &value)) {
        const struct host *theirs = value;
        struct host *host = malloc(sizeof(*host));
        if (host == NULL) {
            heir->is_wanted_changed = true; /* it is looked up anew */
            continue;
        }
        *host = *theirs;
        host->stamp = heir->lookup_stamp;
        const char *name = host->latest.host;
        if (pin_map_find(&heir->lookups, name, strlen(name)) != NULL
            || !pin_map_put(&heir->lookups, name, strlen(name), host, NULL)) {
            free(host);
        }
    }
    heir->is_networks_dirty = true;
}

struct pin_wanted *pin_catalog_take_wanted(struct pin_catalog *catalog)
{
    size_t cursor = 0;
    void *value = NULL;
    if (!catalog->is_wanted_changed) {
        return NULL;
    }
    size_t n = pin_map_count(&catalog->lookups);
    struct pin_wanted *wanted = malloc(sizeof(*wanted) + n * sizeof(wanted->hosts[0]));
    if (wanted == NULL) {
        return NULL; /* the next round tries again */
    }
    wanted->n = 0;
    while (wanted->n < n && pin_map_next(&catalog->lookups, &cursor, NULL, NULL, &value)) {
        const struct host *host = value;
        memcpy(wanted->hosts[wanted->n++], host->latest.host, sizeof(host->latest.host));
    }
    catalog->is_wanted_changed = false;
    return wanted;
}

/* --- settling -------------------------------------------------------------------------------- */

static void gather_ips(struct gathering *g, const struct pin_ip *ips, size_t n_ips)
{
    for (size_t i = 0; i < n_ips && g->n_ips < GATEWAYS_MAX; i++) {
        g->ips[g->n_ips++] = ips[i];
    }
}

static void gather_host(struct gathering *g, const char *text)
{
    const struct host *host = want_host(g->catalog, text);
    if (host != NULL) {
        gather_ips(g, host->latest.ips, host->latest.n_ips);
    }
}

static void gather(struct gathering *g, const struct pin_gateway *gateway)
{
    struct status status = {0};
    if (gateway->kind == PIN_GATEWAY_IP) {
        gather_ips(g, &gateway->ip, 1);
    } else if (gateway->kind == PIN_GATEWAY_HOST) {
        gather_host(g, gateway->host);
    } else if (find_status(g->catalog, gateway, &status)) {
        gather_ips(g, status.ips, status.n_ips);
        for (size_t i = 0; i < status.n_hosts; i++) {
            gather_host(g, status.hosts[i]);
        }
    }
}

static int compare_ip(const void *a, const void *b)
{
    return pin_ip_cmp(a, b);
}

static void sort_unique(struct gathering *g)
{
    size_t n = 0;
    qsort(g->ips, g->n_ips, sizeof(g->ips[0]), compare_ip);
    for (size_t i = 0; i < g->n_ips; i++) {
        if (n == 0 || !pin_ip_equal(&g->ips[n - 1], &g->ips[i])) {
            g->ips[n++] = g->ips[i];
        }
    }
    g->n_ips = n;
}

static bool is_same(const struct pin_network_state *state, const struct gathering *g)
{
    bool is_equal = state->n_ips == g->n_ips;
    for (size_t i = 0; is_equal && i < g->n_ips; i++) {
        is_equal = pin_ip_equal(&state->ips[i], &g->ips[i]);
    }
    return is_equal;
}

/* Marks the services with a cluster in the network: what others see of them is its gateways. */
static void touch_services(struct pin_catalog *catalog, uint16_t network)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        struct pin_service_unit *unit = value;
        bool is_there = false;
        for (size_t i = 0; i < unit->n_members && !is_there; i++) {
            is_there = catalog->settings->clusters[unit->members[i].cluster_id].network == network;
        }
        if (is_there && (unit->is_published || unit->subject.n_routes > 0)) {
            pin_unit_touch_service(catalog, unit);
        }
    }
}

static void settle_network(struct pin_catalog *catalog, uint16_t network)
{
    const struct pin_network *settings = &catalog->settings->networks[network];
    struct pin_network_state *state = &catalog->networks[network];
    struct gathering g = {.catalog = catalog};
    for (size_t i = 0; i < settings->n_gateways; i++) {
        gather(&g, &settings->gateways[i]);
    }
    sort_unique(&g);
    if (is_same(state, &g)) {
        return;
    }
    struct pin_ip *ips = malloc((g.n_ips + 1) * sizeof(*ips));
    if (ips == NULL) {
        pin_log_error("networks: out of memory, %s keeps the gateways it had", settings->name);
        catalog->is_networks_dirty = true;
        return;
    }
    memcpy(ips, g.ips, g.n_ips * sizeof(*ips));
    free(state->ips);
    *state = (struct pin_network_state){.ips = ips, .n_ips = g.n_ips};
    touch_services(catalog, network);
}

void pin_networks_settle(struct pin_catalog *catalog)
{
    if (!catalog->is_networks_dirty) {
        return;
    }
    catalog->is_networks_dirty = false;
    catalog->lookup_stamp++;
    for (size_t i = 0; i < catalog->settings->n_networks; i++) {
        settle_network(catalog, (uint16_t)i);
    }
    drop_unwanted(catalog);
}

void pin_networks_note(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    const struct pin_settings *settings = catalog->settings;
    for (size_t n = 0; n < settings->n_networks; n++) {
        for (size_t i = 0; i < settings->networks[n].n_gateways; i++) {
            const struct pin_gateway *gateway = &settings->networks[n].gateways[i];
            if (is_object(gateway) && kind_of(gateway) == object->kind
                && strcmp(gateway->name, object->name) == 0
                && strcmp(gateway->namespace_name, object->namespace_name) == 0
                && strcmp(gateway->cluster, settings->clusters[cluster_id].name) == 0) {
                catalog->is_networks_dirty = true;
            }
        }
    }
}

/* --- what others ask ------------------------------------------------------------------------- */

const struct pin_network_state *pin_network_get(const struct pin_catalog *catalog, uint16_t network)
{
    return &catalog->networks[network];
}

bool pin_network_is_followed(const struct pin_catalog *catalog, uint16_t network)
{
    const struct pin_network *settings = &catalog->settings->networks[network];
    for (size_t i = 0; i < settings->n_gateways; i++) {
        if (settings->gateways[i].kind != PIN_GATEWAY_IP) {
            return true;
        }
    }
    return false;
}

static void put_ips(const struct pin_ip *ips, size_t n_ips, struct pin_jsonout *out)
{
    pin_jsonout_key(out, "addresses");
    pin_jsonout_array(out);
    for (size_t i = 0; i < n_ips; i++) {
        char text[PIN_IP_TEXT_MAX];
        pin_jsonout_string(out, pin_ip_format(&ips[i], text));
    }
    pin_jsonout_end(out);
}

/* A host name, its addresses, and how old they are. */
static void put_host(
    const struct pin_catalog *catalog, const char *text, uint64_t now_ms, struct pin_jsonout *out)
{
    const struct host *host = find_host(catalog, text);
    const char *error = host == NULL              ? "no host name"
                        : host->latest.has_failed ? host->latest.error
                        : host->has_answer        ? ""
                                                  : "not looked up yet";
    pin_jsonout_key_string(out, "host", text);
    put_ips(host != NULL ? host->latest.ips : NULL, host != NULL ? host->latest.n_ips : 0, out);
    if (host != NULL && host->has_answer) {
        uint64_t age_ms = now_ms > host->good_ms ? now_ms - host->good_ms : 0;
        pin_jsonout_key_uint(out, "ageSeconds", age_ms / 1000);
    }
    pin_jsonout_key_string(out, "error", error);
}

static void put_object(const struct pin_catalog *catalog, const struct pin_gateway *gateway,
    uint64_t now_ms, struct pin_jsonout *out)
{
    struct status status = {0};
    bool exists = find_status(catalog, gateway, &status);
    pin_jsonout_key_string(out, "kind", pin_kind_text(kind_of(gateway)));
    pin_jsonout_key_string(out, "cluster", gateway->cluster);
    pin_jsonout_key_string(out, "namespace", gateway->namespace_name);
    pin_jsonout_key_string(out, "name", gateway->name);
    put_ips(status.ips, status.n_ips, out);
    pin_jsonout_key(out, "hosts");
    pin_jsonout_array(out);
    for (size_t i = 0; i < status.n_hosts; i++) {
        pin_jsonout_object(out);
        put_host(catalog, status.hosts[i], now_ms, out);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_key_string(out, "error",
        !exists                                    ? "there is no such object"
        : status.n_ips == 0 && status.n_hosts == 0 ? "its status has no address"
                                                   : "");
}

void pin_network_put_json(
    const struct pin_catalog *catalog, uint16_t network, uint64_t now_ms, struct pin_jsonout *out)
{
    const struct pin_network *settings = &catalog->settings->networks[network];
    pin_jsonout_array(out);
    for (size_t i = 0; i < settings->n_gateways; i++) {
        const struct pin_gateway *gateway = &settings->gateways[i];
        pin_jsonout_object(out);
        if (gateway->kind == PIN_GATEWAY_IP) {
            put_ips(&gateway->ip, 1, out);
        } else if (gateway->kind == PIN_GATEWAY_HOST) {
            put_host(catalog, gateway->host, now_ms, out);
        } else {
            put_object(catalog, gateway, now_ms, out);
        }
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

/* --- life ------------------------------------------------------------------------------------ */

bool pin_networks_init(struct pin_catalog *catalog)
{
    catalog->networks = calloc(catalog->settings->n_networks + 1, sizeof(*catalog->networks));
    catalog->is_networks_dirty = true;
    return catalog->networks != NULL;
}

void pin_networks_done(struct pin_catalog *catalog)
{
    for (size_t i = 0; catalog->networks != NULL && i < catalog->settings->n_networks; i++) {
        free(catalog->networks[i].ips);
    }
    free(catalog->networks);
    pin_map_done(&catalog->lookups, free);
}
