/* SPDX-License-Identifier: Apache-2.0 */

/* The world that answer tests, the fuzz target and the benchmark ask about. */

#include "support/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/message.h"

#define TTL_S          5u
#define RRS_MAX        1000u
#define RR_BYTES_MAX   160u
#define TYPE_TXT_BYTES 100u

#define LABEL_60 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"
/* 4 * 61 + 11 ("t.example.") is 255. */
const char *const world_longest = LABEL_60 "." LABEL_60 "." LABEL_60 "." LABEL_60 ".t.example";

#define A16 "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
const char *const world_deepest = A16 A16 A16 A16 A16 A16 A16 "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a";

/* RRs under construction; every RR gets the owner pointer. */
struct rrs {
    uint16_t n;
    uint32_t bytes;
    uint8_t wire[RRS_MAX * RR_BYTES_MAX];
};

static void put_rr(struct rrs *rrs, uint16_t type, const uint8_t *rdata, size_t rdata_bytes)
{
    const uint8_t head[] = {0xC0, 0x0C, (uint8_t)(type >> 8), (uint8_t)type, 0, 1, 0, 0, 0, TTL_S,
        (uint8_t)(rdata_bytes >> 8), (uint8_t)rdata_bytes};
    memcpy(rrs->wire + rrs->bytes, head, sizeof(head));
    memcpy(rrs->wire + rrs->bytes + sizeof(head), rdata, rdata_bytes);
    rrs->bytes += (uint32_t)(sizeof(head) + rdata_bytes);
    rrs->n++;
}

/* Address i of a range: 10.net.hi.lo or 2001:db8:net::hi.lo. */
static void put_address(struct rrs *rrs, uint16_t type, uint8_t net, unsigned i)
{
    const uint8_t v4[4] = {10, net, (uint8_t)(i >> 8), (uint8_t)i};
    uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, net};
    v6[14] = (uint8_t)(i >> 8);
    v6[15] = (uint8_t)i;
    put_rr(rrs, type, type == PIN_TYPE_A ? v4 : v6, type == PIN_TYPE_A ? 4 : 16);
}

static struct pin_name name_of(const char *text)
{
    struct pin_name name;
    enum pin_err err = pin_name_parse(text, &name);
    assert(err == PIN_OK);
    (void)err;
    return name;
}

static const struct pin_table *fixed(const struct rrs *rrs)
{
    return pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_FIXED, .n_rr = rrs->n, .wire = rrs->wire, .wire_bytes = rrs->bytes});
}

#define STICKY UINT16_MAX

/* A table of n addresses 10.net.0.0... from which n_pick are drawn; all of them when 0, one by the
 * asker's address when STICKY. */
static const struct pin_table *addresses(struct world *world, uint16_t type, uint8_t net,
    uint16_t n, uint16_t n_pick, const uint64_t *weights)
{
    static const uint16_t clusters[] = {0, 1};
    static uint64_t equal[RRS_MAX];
    struct rrs *rrs = calloc(1, sizeof(*rrs));
    for (unsigned i = 0; i < n; i++) {
        put_address(rrs, type, net, i + 1);
        equal[i] = 1;
    }
    const struct pin_table *table = pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_DRAWN,
        .mode = PIN_ANSWERS_SUBSET,
        .is_whole = n_pick == 0,
        .is_sticky = n_pick == STICKY,
        .n_rr = n,
        .n_pick_max = n_pick == STICKY            ? 1
                      : n_pick != 0 && n_pick < n ? n_pick
                                                  : n,
        .rr_bytes = type == PIN_TYPE_A ? PIN_RR_A_BYTES : PIN_RR_AAAA_BYTES,
        .wire = rrs->wire,
        .wire_bytes = rrs->bytes,
        .weights = weights != NULL ? weights : equal,
        .clusters = clusters,
        .n_clusters = 2,
        .slots = &world->slots,
    });
    free(rrs);
    return table;
}

static void put_rrsets(
    struct world *world, const char *name, const struct pin_rrset *rrsets, size_t n_rrsets)
{
    struct pin_name wire = name_of(name);
    struct pin_zone *zone = pin_index_zone(world->live.index, &wire);
    enum pin_err err = pin_index_put(world->live.index, zone, &wire, rrsets, n_rrsets);
    assert(err == PIN_OK);
    (void)err;
    for (size_t i = 0; i < n_rrsets; i++) {
        for (uint16_t t = 0; t < pin_rrset_n_tables(&rrsets[i]); t++) {
            pin_table_unref(pin_rrset_tables(&rrsets[i])[t]);
        }
    }
}

static void put_table(
    struct world *world, const char *name, uint16_t type, const struct pin_table *table)
{
    struct pin_rrset rrset = {.type = type, .base = table};
    put_rrsets(world, name, &rrset, 1);
}

static void put_one_address(struct world *world, const char *name, uint8_t net)
{
    put_table(world, name, PIN_TYPE_A, addresses(world, PIN_TYPE_A, net, 1, 1, NULL));
}

static void put_both_families(
    struct world *world, const char *name, uint16_t n_a, uint16_t n_aaaa, uint16_t n_pick)
{
    struct pin_rrset rrsets[] = {
        {.type = PIN_TYPE_A, .base = addresses(world, PIN_TYPE_A, 1, n_a, n_pick, NULL)},
        {.type = PIN_TYPE_AAAA, .base = addresses(world, PIN_TYPE_AAAA, 1, n_aaaa, n_pick, NULL)},
    };
    put_rrsets(world, name, rrsets, 2);
}

static void put_alias(struct world *world, const char *name, const char *target)
{
    struct rrs *rrs = calloc(1, sizeof(*rrs));
    uint8_t rdata[256];
    put_rr(rrs, PIN_TYPE_CNAME, rdata, message_put_name(target, rdata));
    put_table(world, name, PIN_TYPE_CNAME, fixed(rrs));
    free(rrs);
}

static void put_txt(struct world *world, const char *name, unsigned n)
{
    struct rrs *rrs = calloc(1, sizeof(*rrs));
    uint8_t rdata[TYPE_TXT_BYTES] = {TYPE_TXT_BYTES - 1};
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf((char *)rdata + 1, sizeof(rdata) - 1, "text %u", i);
        put_rr(rrs, PIN_TYPE_TXT, rdata, sizeof(rdata));
    }
    put_table(world, name, PIN_TYPE_TXT, fixed(rrs));
    free(rrs);
}

/* SRV RRs whose targets have one A and one AAAA each. */
static void put_srv(struct world *world, const char *name, uint16_t n)
{
    struct rrs *rrs = calloc(1, sizeof(*rrs));
    struct pin_extra *extras = calloc(n, sizeof(*extras));
    for (uint16_t i = 0; i < n; i++) {
        char target[64];
        uint8_t rdata[128] = {0, 0, 0, 50, 0x1F, 0x90};
        (void)snprintf(target, sizeof(target), "pod-%u.%s", i, name);
        extras[i] = (struct pin_extra){
            .target_offset = rrs->bytes + 12 + 6,
            .a = addresses(world, PIN_TYPE_A, 7, 1, 1, NULL),
            .aaaa = addresses(world, PIN_TYPE_AAAA, 7, 1, 1, NULL),
        };
        put_rr(rrs, PIN_TYPE_SRV, rdata, 6 + message_put_name(target, rdata + 6));
    }
    put_table(world, name, PIN_TYPE_SRV,
        pin_table_new(&(struct pin_table_spec){.form = PIN_TABLE_FIXED,
            .n_rr = n,
            .wire = rrs->wire,
            .wire_bytes = rrs->bytes,
            .extras = extras,
            .n_extras = n}));
    for (uint16_t i = 0; i < n; i++) {
        pin_table_unref(extras[i].a);
        pin_table_unref(extras[i].aaaa);
    }
    free(extras);
    free(rrs);
}

static void put_sticky(struct world *world)
{
    static uint64_t weights[RRS_MAX];
    for (unsigned i = 0; i < RRS_MAX; i++) {
        weights[i] = 1 + i % 9;
    }
    put_table(
        world, "stuck.t.example", PIN_TYPE_A, addresses(world, PIN_TYPE_A, 8, 10, STICKY, NULL));
    put_table(world, "stuck-1000.t.example", PIN_TYPE_A,
        addresses(world, PIN_TYPE_A, 8, RRS_MAX, STICKY, NULL));
    put_table(world, "stuck-weights.t.example", PIN_TYPE_A,
        addresses(world, PIN_TYPE_A, 8, RRS_MAX, STICKY, weights));
}

static void put_local(struct world *world)
{
    struct {
        const struct pin_table *tables[3];
        struct pin_variant variants[2];
    } shown = {{addresses(world, PIN_TYPE_A, 9, 1, 1, NULL),
                   addresses(world, PIN_TYPE_A, 0, 1, 1, NULL), NULL},
        {{.view_id = 1, .table_i = 1}, {.view_id = 2, .table_i = 2}}};
    struct pin_rrset rrset = {
        .type = PIN_TYPE_A, .tables = shown.tables, .n_tables = 3, .n_variants = 2};
    put_rrsets(world, "local.t.example", &rrset, 1);
}

static void add_zone(struct world *world, const char *apex, bool is_synced)
{
    struct pin_name ns[2] = {name_of(apex), name_of(apex)};
    struct pin_zone_spec spec = {.apex = ns[0],
        .ns = ns,
        .n_ns = 2,
        .hostmaster = ns[0],
        .ttl_s = 60,
        .negative_ttl_s = 5,
        .serial = 7,
        .is_synced_from_clusters = is_synced};
    struct pin_zone *zone = NULL;
    (void)pin_name_prepend(&ns[0], "ns1", 3);
    (void)pin_name_prepend(&ns[1], "ns2", 3);
    (void)pin_name_prepend(&spec.hostmaster, "hostmaster", 10);
    enum pin_err err = pin_index_add_zone(world->live.index, &spec, &zone, NULL);
    assert(err == PIN_OK);
    (void)err;
}

static struct pin_scene *new_scene(bool is_ready, bool has_unseen, uint8_t down)
{
    struct pin_scene *scene = calloc(1, sizeof(*scene) + 1);
    struct pin_lpm_entry ranges[WORLD_CLUSTERS] = {{.value = 0}};
    for (uint8_t i = 0; i < WORLD_CLUSTERS; i++) {
        struct pin_ip ip = {.bytes = {10, i}, .family = 4};
        ranges[i] = (struct pin_lpm_entry){.prefix = pin_prefix_of(&ip, 16), .value = i + 1u};
    }
    scene->n_views = WORLD_CLUSTERS + 1;
    scene->views = calloc(scene->n_views, sizeof(*scene->views));
    for (uint16_t i = 0; i <= WORLD_CLUSTERS; i++) {
        uint16_t cluster_id = i == 0 ? PIN_CLUSTER_NONE : (uint16_t)(i - 1);
        scene->views[i] = (struct pin_scene_view){.parent_id = i, .cluster_id = cluster_id};
    }
    scene->ranges = pin_lpm_new(ranges, WORLD_CLUSTERS);
    scene->n_clusters = WORLD_CLUSTERS;
    scene->is_ready = is_ready;
    scene->has_unseen = has_unseen;
    scene->has_down = down != 0;
    scene->down[0] = down;
    return scene;
}

static void free_scene(struct pin_scene *scene)
{
    if (scene != NULL) {
        pin_lpm_free(scene->ranges);
        free(scene->views);
        free(scene);
    }
}

void world_set_scene(struct world *world, bool is_ready, bool has_unseen, uint8_t down)
{
    struct pin_scene *old = world->live.scene;
    pin_rcu_assign(world->live.scene, new_scene(is_ready, has_unseen, down));
    pin_rcu_synchronize();
    free_scene(old);
}

struct world *world_new(void)
{
    static const uint64_t split[] = {10, 90};
    struct world *world = calloc(1, sizeof(*world));
    pin_rcu_register();
    world->live.index = pin_index_new();
    world->live.scene = new_scene(true, false, 0);
    add_zone(world, "t.example", false);
    add_zone(world, "svc.test", true);
    put_one_address(world, "www.t.example", 200);
    put_txt(world, "big.t.example", 20);
    put_one_address(world, "a.b.ent.t.example", 201);
    put_both_families(world, "four.t.example", 4, 4, 4);
    put_table(world, "split.t.example", PIN_TYPE_A, addresses(world, PIN_TYPE_A, 3, 2, 1, split));
    put_table(world, "many.t.example", PIN_TYPE_A, addresses(world, PIN_TYPE_A, 4, 40, 16, NULL));
    put_both_families(world, "whole.t.example", 100, 30, 0);
    put_local(world);
    put_sticky(world);
    put_srv(world, "srv.t.example", 2);
    put_srv(world, "srvs.t.example", RRS_MAX);
    put_alias(world, "alias.t.example", "WWW.t.example");
    put_alias(world, "far.t.example", "elsewhere.test");
    put_alias(world, "dangling.t.example", "nothing.t.example");
    put_alias(world, "here.t.example", "x.localhost");
    put_alias(world, "loop.t.example", "loop.t.example");
    put_alias(world, "circle1.t.example", "circle2.t.example");
    put_alias(world, "circle2.t.example", "Circle3.t.example");
    put_alias(world, "circle3.t.example", "circle1.T.example");
    put_alias(world, "tocircle.t.example", "circle1.t.example");
    put_alias(world, "*.around.t.example", "b.around.t.example");
    put_txt(world, "*.wild.t.example", 1);
    put_both_families(world, world_longest, 1, 40, 16);
    put_one_address(world, "x.svc.test", 5);
    put_one_address(world, "x.y.svc.test", 6);
    return world;
}

void world_free(struct world *world)
{
    pin_rcu_barrier();
    pin_index_free(world->live.index);
    pin_rcu_barrier();
    free_scene(world->live.scene);
    pin_slots_done(&world->slots);
    pin_rcu_unregister();
    free(world);
}

void world_move_four(struct world *world, uint8_t net)
{
    put_table(world, "four.t.example", PIN_TYPE_A, addresses(world, PIN_TYPE_A, net, 4, 4, NULL));
}

void world_add_names(struct world *world, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "a-%u.t.example", i);
        put_both_families(world, name, 4, 4, 4);
    }
}
