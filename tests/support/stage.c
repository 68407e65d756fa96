/* SPDX-License-Identifier: Apache-2.0 */

/* A Pintle without sockets, threads and clock. */

#include "support/stage.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/rcu.h"
#include "pintle/base/yaml.h"
#include "pintle/zones/inherit.h"
#include "pintle/zones/view.h"

#include "support/defaults.h"
#include "sync/decode.h"
#include "zones/slots.h"

#define SCRATCH_MAX_BYTES ((size_t)64 << 20)

void pin_stage_init(struct pin_stage *stage)
{
    memset(stage, 0, sizeof(*stage));
    stage->networks[0] = (struct pin_network){.name = "default", .gateways = stage->gateways[0]};
    stage->settings = pin_test_settings(stage->networks, 1, stage->clusters, 0);
    stage->settings.zones_custom = stage->zones_custom;
    stage->settings.zones_static = stage->zones_static;
    stage->settings.geo_rules = stage->geo_rules;
}

struct pin_network *pin_stage_network(struct pin_stage *stage, const char *name)
{
    size_t n = stage->settings.n_networks;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(stage->networks[i].name, name) == 0) {
            return &stage->networks[i];
        }
    }
    if (n == STAGE_NETWORKS_MAX) {
        return NULL;
    }
    stage->settings.n_networks++;
    stage->networks[n] = (struct pin_network){.name = name, .gateways = stage->gateways[n]};
    return &stage->networks[n];
}

struct pin_cluster_settings *pin_stage_add_cluster(struct pin_stage *stage, const char *name)
{
    size_t n = stage->settings.n_clusters;
    if (n == STAGE_CLUSTERS_MAX) {
        return NULL;
    }
    stage->settings.n_clusters++;
    stage->clusters[n] = (struct pin_cluster_settings){.name = name,
        .clients = stage->clients[n],
        .client_zones = stage->client_zones[n],
        .weight = PIN_WEIGHT_UNSET};
    return &stage->clusters[n];
}

bool pin_stage_add_clients(
    struct pin_stage *stage, struct pin_cluster_settings *cluster, char *text)
{
    size_t id = (size_t)(cluster - stage->clusters);
    char *zone = strchr(text, '@');
    if (zone != NULL) {
        *zone++ = '\0';
    }
    if (cluster->n_clients == STAGE_LIST_MAX
        || !pin_prefix_parse(text, &stage->clients[id][cluster->n_clients])) {
        return false;
    }
    stage->client_zones[id][cluster->n_clients++] = zone;
    return true;
}

bool pin_stage_add_geo(struct pin_stage *stage, const char *clusters)
{
    size_t n = stage->settings.n_geo_rules;
    if (n == STAGE_LIST_MAX) {
        return false;
    }
    stage->settings.n_geo_rules++;
    stage->geo_rules[n] =
        (struct pin_geo_rule){.clusters = clusters, .nets = &stage->geo_nets[stage->n_geo_nets]};
    return true;
}

bool pin_stage_add_geo_net(struct pin_stage *stage, const char *text)
{
    if (stage->n_geo_nets == STAGE_LIST_MAX
        || !pin_prefix_parse(text, &stage->geo_nets[stage->n_geo_nets])) {
        return false;
    }
    stage->n_geo_nets++;
    stage->geo_rules[stage->settings.n_geo_rules - 1].n_nets++;
    return true;
}

enum pin_err pin_stage_open(struct pin_stage *stage, struct pin_why *why)
{
    stage->scratch = pin_arena_new("stage", SCRATCH_MAX_BYTES);
    if (stage->scratch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "stage");
    }
    enum pin_err err = pin_catalog_new(&stage->settings, 1, &stage->catalog, why);
    if (err != PIN_OK) {
        return err;
    }
    return pin_worker_init(&stage->worker, pin_catalog_live(stage->catalog), PIN_TRANSPORT_UDP, 0);
}

bool pin_stage_open_two(struct pin_stage *stage)
{
    struct pin_why why = {0};
    pin_rcu_register();
    pin_stage_init(stage);
    stage->settings.address = PIN_ADDRESS_ENDPOINTS;
    stage->zones_custom[0] = "example.com";
    stage->settings.n_zones_custom = 1;
    stage->settings.zones_shipped = stage->zones_custom;
    stage->settings.n_zones_shipped = 1;
    if (pin_stage_add_cluster(stage, "c1") == NULL || pin_stage_add_cluster(stage, "c2") == NULL
        || pin_stage_open(stage, &why) != PIN_OK) {
        return false;
    }
    for (uint16_t i = 0; i < 2; i++) {
        pin_stage_mark(stage, i, PIN_DELTA_UP, PIN_KIND_SERVICE);
        pin_stage_mark(stage, i, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    }
    return true;
}

void pin_stage_done(struct pin_stage *stage)
{
    pin_rcu_barrier();
    pin_catalog_free(stage->catalog);
    pin_rcu_barrier();
    pin_worker_done(&stage->worker);
    pin_arena_free(stage->scratch);
    stage->catalog = NULL;
    stage->scratch = NULL;
}

static enum pin_err apply_document(struct pin_stage *stage, uint16_t cluster_id,
    const struct pin_tree *document, struct pin_why *why)
{
    struct pin_object *object = NULL;
    enum pin_err err = pin_decode(document, &object, why);
    if (err != PIN_OK) {
        return err;
    }
    struct pin_delta *delta = pin_delta_upsert(cluster_id, object);
    if (delta == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "delta");
    }
    pin_catalog_apply(stage->catalog, delta);
    return PIN_OK;
}

enum pin_err pin_stage_apply(struct pin_stage *stage, uint16_t cluster_id, const char *yaml,
    size_t bytes, struct pin_why *why)
{
    struct pin_tree *documents = NULL;
    pin_arena_reset(stage->scratch);
    enum pin_err err = pin_yaml_parse(yaml, bytes, stage->scratch, &documents, why);
    if (err != PIN_OK) {
        return err;
    }
    PIN_TREE_EACH(document, documents)
    {
        err = apply_document(stage, cluster_id, document, why);
        if (err != PIN_OK) {
            return err;
        }
    }
    return PIN_OK;
}

void pin_stage_delete(struct pin_stage *stage, uint16_t cluster_id, enum pin_kind kind,
    const char *namespace_name, const char *name)
{
    struct pin_delta *delta = pin_delta_delete(cluster_id, kind, namespace_name, name);
    if (delta != NULL) {
        pin_catalog_apply(stage->catalog, delta);
    }
}

void pin_stage_mark(
    struct pin_stage *stage, uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind)
{
    struct pin_delta *delta = pin_delta_mark(cluster_id, op, kind);
    if (delta != NULL) {
        pin_catalog_apply(stage->catalog, delta);
    }
}

void pin_stage_list(struct pin_stage *stage, uint16_t cluster_id, enum pin_delta_op op,
    enum pin_kind kind, bool is_unproven)
{
    struct pin_delta *delta = pin_delta_mark(cluster_id, op, kind);
    if (delta != NULL) {
        delta->is_unproven = is_unproven;
        delta->received_ns = stage->now_ms * UINT64_C(1000000);
        pin_catalog_apply(stage->catalog, delta);
    }
}

/* From now on another catalog answers, which knows what the one before knew. */
static void inherit(struct pin_stage *stage)
{
    struct pin_catalog *old = stage->catalog;
    struct pin_catalog *heir = NULL;
    struct pin_why why = {0};
    uint16_t ids[STAGE_CLUSTERS_MAX];
    for (uint16_t i = 0; i < STAGE_CLUSTERS_MAX; i++) {
        ids[i] = i;
    }
    if (pin_catalog_new(&stage->settings, pin_catalog_next_serial(old), &heir, &why) != PIN_OK) {
        return;
    }
    pin_catalog_inherit(heir, old, ids);
    (void)pin_catalog_publish(heir, stage->now_ms);
    stage->catalog = heir;
    stage->worker.live = pin_catalog_live(heir);
    pin_rcu_synchronize();
    pin_catalog_release(old, heir);
    pin_catalog_free(old);
    pin_rcu_quiescent();
}

void pin_stage_publish(struct pin_stage *stage)
{
    stage->published = pin_catalog_publish(stage->catalog, stage->now_ms);
    pin_rcu_quiescent();
    if (stage->has_heirs
        && stage->settings.n_zones_static == 0) { /* files are read again, not inherited */
        inherit(stage);
    }
}

size_t pin_stage_ask(struct pin_stage *stage, const struct pin_stage_asker *asker, size_t bytes,
    enum pin_transport transport)
{
    struct sockaddr_storage peer;
    (void)pin_addrport_to_sockaddr(
        &(struct pin_addrport){.ip = asker->source, .port = 4096}, &peer);
    struct pin_client client = {
        .peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = asker->listen_cluster_id,
        .transport = transport,
    };
    struct pin_packet packet = {
        .wire = stage->wire, .bytes = bytes, .cap_bytes = sizeof(stage->wire)};
    pin_clock_set_fake((int64_t)stage->now_ms, 0); /* what remains until a probe is told in TTLs */
    size_t answer_bytes = pin_answer(&stage->worker, &client, &packet);
    pin_clock_set_real();
    pin_rcu_quiescent();
    return answer_bytes;
}

const struct pin_table *pin_stage_table(const struct pin_stage *stage,
    const struct pin_stage_asker *asker, const char *name, uint16_t type)
{
    const struct pin_live *live = pin_catalog_live(stage->catalog);
    const struct pin_scene *scene = pin_rcu_deref(live->scene);
    struct pin_asker who = asker->listen_cluster_id != PIN_CLUSTER_NONE
                               ? pin_scene_member(scene, asker->listen_cluster_id, &asker->source)
                               : pin_scene_asker(scene, &asker->source);
    struct pin_name wire;
    if (pin_name_parse(name, &wire) != PIN_OK) {
        return NULL;
    }
    const struct pin_node *node = pin_index_find(live->index, wire.wire, wire.bytes);
    const struct pin_rrset *rrset = node != NULL ? pin_node_rrset(node, type) : NULL;
    return rrset != NULL ? pin_rrset_table(rrset, who.view_id, who.parent_id) : NULL;
}

/* --- health
 * --------------------------------------------------------------------------------------- */

bool pin_stage_judge(
    struct pin_stage *stage, const struct pin_ip *ip, const struct pin_health_state *state)
{
    struct pin_health *health = pin_catalog_live(stage->catalog)->health;
    uint32_t slot = pin_health_next(health, ip, 0);
    bool is_probed = slot != PIN_SLOT_NONE;
    while (slot != PIN_SLOT_NONE) {
        (void)pin_health_store(health, slot, *state);
        slot = pin_health_next(health, ip, slot + 1);
    }
    return is_probed;
}

size_t pin_stage_probes(struct pin_stage *stage)
{
    struct pin_health_order *orders = NULL;
    size_t n = pin_health_take_orders(pin_catalog_live(stage->catalog)->health, &orders);
    for (size_t i = 0; i < n; i++) {
        stage->n_probes += orders[i].spec != NULL ? 1 : SIZE_MAX;
        free(orders[i].spec);
    }
    if (n > 0) {
        free(orders);
    }
    return stage->n_probes;
}
