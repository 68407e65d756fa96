/* SPDX-License-Identifier: Apache-2.0 */

/* Checks between options: what each of them allows, and together they do not. */

#include <string.h>

#include "resolver/admin_access.h"
#include "resolver/config.h"

static const struct pin_at no_place = {0};

static void check_cluster(const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    const struct pin_config_cluster *cluster = &config->clusters[i];
    bool has_context = cluster->context != NULL || cluster->kubeconfig != NULL;
    int n_sources = (cluster->directory != NULL) + has_context + cluster->in_cluster
                    + cluster->has_etcd + (cluster->source == PIN_CONFIG_EMBEDDED);

    if (cluster->name == NULL) {
        if (findings->n == 0) { /* else the name was there and has its own finding */
            pin_findings_add(findings, config->file, cluster->at, "clusters[%zu]: no name", i);
        }
        return;
    }
    if (n_sources == 0) {
        pin_findings_add(findings, config->file, cluster->at,
            "cluster \"%s\" has no source: say context, directory, inCluster or etcd",
            cluster->name);
    } else if (n_sources > 1) {
        pin_findings_add(findings, config->file, cluster->at,
            "cluster \"%s\" has more than one source: keep one of context, directory, inCluster "
            "and "
            "etcd",
            cluster->name);
    }
    for (size_t j = 0; j < i; j++) {
        if (config->clusters[j].name == NULL
            || strcmp(config->clusters[j].name, cluster->name) != 0) {
            continue;
        }
        if (cluster->at.line == 0) { /* flags replace the file's clusters as a whole */
            pin_findings_add_usage(findings, "cluster \"%s\" is named twice", cluster->name);
        } else {
            pin_findings_add(findings, config->file, cluster->at,
                "cluster \"%s\" is there twice, first at line %u", cluster->name,
                config->clusters[j].at.line);
        }
        break;
    }
}

const struct pin_config_cluster *pin_config_find_cluster(
    const struct pin_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        if (config->clusters[i].name != NULL && strcmp(config->clusters[i].name, name) == 0) {
            return &config->clusters[i];
        }
    }
    return NULL;
}

/* Objects that have a gateway's addresses are looked for in clusters that exist. */
static void check_gateways(
    const struct pin_config *config, size_t network_i, struct pin_findings *findings)
{
    const struct pin_config_network *network = &config->networks[network_i];
    for (size_t i = 0; i < network->n_gateways; i++) {
        const struct pin_config_gateway *gateway = &network->gateways[i];
        const char *cluster =
            gateway->gateway.cluster != NULL ? gateway->gateway.cluster : gateway->service.cluster;
        if (cluster != NULL && pin_config_find_cluster(config, cluster) == NULL) {
            pin_findings_add(findings, config->file, gateway->at,
                "networks[%zu].gateways[%zu]: there is no cluster \"%s\"", network_i, i, cluster);
        }
    }
}

static void check_networks(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_networks; i++) {
        const struct pin_config_network *network = &config->networks[i];
        check_gateways(config, i, findings);
        if (network->name == NULL) {
            pin_findings_add(findings, config->file, network->at, "networks[%zu]: no name", i);
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            if (config->networks[j].name != NULL
                && strcmp(config->networks[j].name, network->name) == 0) {
                pin_findings_add(findings, config->file, network->at,
                    "network \"%s\" is there twice", network->name);
                break;
            }
        }
    }
}

/* A custom zone may be no other zone of ours. */
static void check_custom_zone(
    const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    const char *const zones[] = {
        config->zone_cluster_set, config->zone_assigned, config->zone_cluster};
    bool is_taken = false;
    for (size_t z = 0; z < N_ELEMS(zones); z++) {
        is_taken = is_taken || (zones[z] != NULL && strcmp(zones[z], config->zones_custom[i]) == 0);
    }
    for (size_t j = 0; j < i; j++) {
        is_taken = is_taken || strcmp(config->zones_custom[j], config->zones_custom[i]) == 0;
    }
    if (is_taken) {
        pin_findings_add(findings, config->file, no_place,
            "zones.custom: \"%s\" is a zone already, name each once", config->zones_custom[i]);
    }
}

/* A static zone may be a custom one too, but none of those that clusters fill. */
static void check_zonefile(const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    const struct pin_config_zonefile *zonefile = &config->zonefiles[i];
    const char *const zones[] = {
        config->zone_cluster_set, config->zone_assigned, config->zone_cluster};
    if (zonefile->zone == NULL || zonefile->path == NULL) {
        pin_findings_add(findings, config->file, zonefile->at,
            "zones.files[%zu]: want {zone: NAME, file: PATH}", i);
        return;
    }
    for (size_t z = 0; z < N_ELEMS(zones); z++) {
        if (zones[z] != NULL && strcmp(zones[z], zonefile->zone) == 0) {
            pin_findings_add(findings, config->file, zonefile->at,
                "zones.files[%zu]: clusters fill \"%s\", a file cannot", i, zonefile->zone);
        }
    }
    for (size_t j = 0; j < i; j++) {
        if (config->zonefiles[j].zone != NULL
            && strcmp(config->zonefiles[j].zone, zonefile->zone) == 0) {
            pin_findings_add(findings, config->file, zonefile->at,
                "zones.files[%zu]: zone \"%s\" has a file already, $INCLUDE one in the other", i,
                zonefile->zone);
        }
    }
}

static void check_tsig_key(const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    const struct pin_config_tsig_key *key = &config->tsig_keys[i];
    if (key->name == NULL || key->secret_path == NULL) {
        pin_findings_add(findings, config->file, key->at,
            "tsigKeys[%zu]: want {name: NAME, secretFile: PATH}, and perhaps algorithm", i);
        return;
    }
    for (size_t j = 0; j < i; j++) {
        const char *other = config->tsig_keys[j].name;
        if (other != NULL && strcmp(other, key->name) == 0) {
            pin_findings_add(findings, config->file, key->at,
                "tsigKeys[%zu]: there is a key \"%s\" already", i, key->name);
        }
    }
}

static bool may_be_transferred(const struct pin_config *config, const char *zone)
{
    for (size_t i = 0; i < config->n_zones_custom; i++) {
        if (strcmp(config->zones_custom[i], zone) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < config->n_zonefiles; i++) {
        if (config->zonefiles[i].zone != NULL && strcmp(config->zonefiles[i].zone, zone) == 0) {
            return true;
        }
    }
    return false;
}

static void check_transfer(const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    const struct pin_config_transfer *transfer = &config->transfers[i];
    if (transfer->zone == NULL || (transfer->n_allow == 0 && transfer->n_notify == 0)) {
        pin_findings_add(findings, config->file, transfer->at,
            "transfers[%zu]: want {zone: NAME, allow: [RANGE or key:NAME]}, and perhaps notify and "
            "key",
            i);
        return;
    }
    if (!may_be_transferred(config, transfer->zone)) {
        pin_findings_add(findings, config->file, transfer->at,
            "transfers[%zu]: \"%s\" is none of zones.custom and zones.files; answers of other "
            "zones depend on who asks",
            i, transfer->zone);
    }
    for (size_t j = 0; j < i; j++) {
        if (config->transfers[j].zone != NULL
            && strcmp(config->transfers[j].zone, transfer->zone) == 0) {
            pin_findings_add(findings, config->file, transfer->at,
                "transfers[%zu]: zone \"%s\" is there already", i, transfer->zone);
        }
    }
}

static void check_zones(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_zones_custom; i++) {
        check_custom_zone(config, i, findings);
    }
    for (size_t i = 0; i < config->n_zonefiles; i++) {
        check_zonefile(config, i, findings);
    }
    const char *const zones[] = {
        config->zone_cluster_set, config->zone_assigned, config->zone_cluster};
    for (size_t i = 0; i < N_ELEMS(zones); i++) {
        for (size_t j = 0; j < i; j++) {
            if (zones[i] != NULL && zones[j] != NULL && strcmp(zones[i], zones[j]) == 0) {
                pin_findings_add(findings, config->file, no_place,
                    "zones: \"%s\" is used for two of clusterSet, assigned and cluster", zones[i]);
            }
        }
    }
}

static bool has_network(const struct pin_config *config, const char *name)
{
    bool is_there = strcmp(name, "default") == 0;
    for (size_t i = 0; i < config->n_networks; i++) {
        const char *other = config->networks[i].name;
        is_there = is_there || (other != NULL && strcmp(other, name) == 0);
    }
    for (size_t i = 0; i < config->n_clusters; i++) {
        const struct pin_config_cluster *cluster = &config->clusters[i];
        /* a directory's cluster.yaml, which is read later, may name it */
        is_there = is_there
                   || (cluster->network != NULL ? strcmp(cluster->network, name) == 0
                                                : cluster->directory != NULL);
    }
    return is_there;
}

static void check_probed_networks(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_probed_networks; i++) {
        if (!has_network(config, config->probed_networks[i])) {
            pin_findings_add(findings, config->file, no_place,
                "health.networks: there is no network \"%s\"", config->probed_networks[i]);
        }
    }
}

static void check_commands(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_commands; i++) {
        const struct pin_config_command *command = &config->commands[i];
        if (command->name == NULL) {
            pin_findings_add(findings, config->file, command->at, "a command needs a name");
        } else if (command->n_argv == 0 || command->argv[0][0] != '/') {
            pin_findings_add(findings, config->file, command->at,
                "command \"%s\": run must begin with the absolute path of a program",
                command->name);
        }
        for (size_t j = 0; j < i && command->name != NULL; j++) {
            if (config->commands[j].name != NULL
                && strcmp(config->commands[j].name, command->name) == 0) {
                pin_findings_add(findings, config->file, command->at,
                    "there are two commands \"%s\"", command->name);
            }
        }
    }
}

/* Where questions and answers are noted: one place for each. */
static void check_tap(const struct pin_config *config, struct pin_findings *findings)
{
    if (config->logs_to_stdout && config->tap.log_file != NULL) {
        pin_findings_add(findings, config->file, no_place,
            "queryLog: file and stdout cannot both be used; leave one of them out");
    }
    if (config->tap.dnstap_socket != NULL && config->tap.dnstap_tcp.port != 0) {
        pin_findings_add(findings, config->file, no_place,
            "dnstap: socket and address cannot both be used; leave one of them out");
    }
    if (config->log_sample != 1 && config->tap.log_file == NULL && !config->logs_to_stdout) {
        pin_findings_add(findings, config->file, no_place,
            "queryLog: nothing would be written; say file or stdout: true");
    }
    bool has_dnstap = config->tap.dnstap_socket != NULL || config->tap.dnstap_tcp.port != 0;
    if (!has_dnstap && (config->dnstap_sample != 1 || config->tap.dnstap_identity != NULL)) {
        pin_findings_add(findings, config->file, no_place,
            "dnstap: nothing would be sent; say socket, or address with a port");
    }
}

void pin_config_check(const struct pin_config *config, struct pin_findings *findings)
{
    if (config->n_clusters > PIN_CLUSTERS_MAX) {
        pin_findings_add(
            findings, config->file, no_place, "clusters: more than %u", PIN_CLUSTERS_MAX);
    }
    for (size_t i = 0; i < config->n_clusters; i++) {
        check_cluster(config, i, findings);
    }
    pin_config_check_etcd(config, findings);
    pin_config_check_compat(config, findings);
    check_networks(config, findings);
    pin_config_check_listens(config, findings);
    check_zones(config, findings);
    for (size_t i = 0; i < config->n_tsig_keys; i++) {
        check_tsig_key(config, i, findings);
    }
    check_tap(config, findings);
    for (size_t i = 0; i < config->n_transfers; i++) {
        check_transfer(config, i, findings);
    }
    pin_config_check_dns(config, findings);
    pin_config_check_records(config, findings);
    check_commands(config, findings);
    check_probed_networks(config, findings);
    if (config->default_cluster != NULL
        && pin_config_find_cluster(config, config->default_cluster) == NULL) {
        pin_findings_add(findings, config->file, no_place,
            "defaultCluster: there is no cluster \"%s\"", config->default_cluster);
    }
    if (config->ready_min_clusters > config->n_clusters && config->n_clusters > 0) {
        pin_findings_add(findings, config->file, no_place,
            "ready.minClusters is %u, but there are only %zu clusters", config->ready_min_clusters,
            config->n_clusters);
    }
}
