/* SPDX-License-Identifier: Apache-2.0 */

/* What is served depends on what is true, not on the order in which it was told, nor on the order
 * of clusters in the configuration; and what changes nothing replaces nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu_table.h"
#include "pintle/base/text.h"
#include "pintle/zones/index.h"

#include "resolver/synth.h"
#include "support/faults.h"
#include "support/script.h"
#include "support/shorthand.h"
#include "support/stage.h"
#include "zones/units.h"

#define N_ROUNDS   150u
#define N_CLUSTERS 3u
#define TELLS_MAX  3u
#define OLD        "created=2026-01-01T00:00:00Z"

/* What is told of one object, in this order; the last word counts. */
struct story {
    const char *tells[TELLS_MAX];
};

/* Made so that ties have to be broken: equal ages, ports that disagree, addresses in two slices
 * under two hostnames, several imported sources, two clusters behind one gateway. */
static const struct story stories[] = {
    {{"service alpha shop/cart ip=10.96.1.1 ports=http:80,tcp:42", NULL,
        "service alpha shop/cart ip=10.96.1.1 ports=http:80>8080,tcp:42"}},
    {{"service beta shop/cart ip=10.96.2.1 ports=http:81,tcp:42/UDP ttl=7"}},
    {{"service gamma shop/cart headless ports=http:82,more:99 answers=all"}},
    {{"pods alpha shop/cart ports=http:8080,tcp:42 10.1.0.1..3", NULL,
        "pods alpha shop/cart ports=http:8080,tcp:42 10.1.0.3 10.1.0.1 10.1.0.9!notready"}},
    {{"pods beta shop/cart ports=http:81,tcp:42/UDP 10.2.0.1..4"}},
    {{"pods gamma shop/cart ports=http:82,more:99 10.3.0.1@web-0"}},
    {{"export alpha shop/cart " OLD}},
    {{"export beta shop/cart " OLD}},
    {{"export gamma shop/cart"}},
    {{"import alpha shop/cart ip=10.42.0.1 ports=http:80", "delete alpha ServiceImport shop/cart"}},
    {{"import beta shop/cart ports=http:83,extra:7 answers=single"}},
    {{"service alpha shop/pets headless ports=http:80 global"}},
    {{"service beta shop/pets headless ports=http:80 global shared=false"}},
    {{"service gamma shop/pets headless ports=http:80 global affinity=local"}},
    {{"pods alpha shop/pets slice=a ports=http:80 10.1.1.1@pet-0 10.1.1.2@pet-1"}},
    {{"pods alpha shop/pets slice=b ports=http:8080 10.1.1.1@other 10.1.1.3"}},
    {{"pods alpha shop/pets slice=c ports=http:9090 10.1.1.1 10.1.1.3@late fd00::1"}},
    {{"pods beta shop/pets ports=http:80 10.2.1.1@pet-0"}},
    {{"pods gamma shop/pets ports=http:80 10.3.1.1@pet-0 fd00:3::1@pet-0"}},
    {{"import alpha shop/hidden headless ports=http:80"}},
    {{"pods alpha shop/hidden from=zulu ports=http:80 172.16.0.1@z-0"}},
    {{"pods alpha shop/hidden from=yankee ports=http:80 172.16.1.1@y-0"}},
    {{"pods alpha shop/hidden from=xray.hub ports=http:80 172.16.2.1@x-0"}},
    {{"pods beta shop/hidden from=zulu ports=http:80 172.16.0.2@z-1"}},
    {{"service alpha shop/both ip=10.96.1.5 ports=http:80 weight=10 global"}},
    {{"service beta shop/both ip=10.96.2.5 ports=http:80 weight=90 global"}},
    {{"pods alpha shop/both ports=http:80 10.1.2.1"}},
    {{"pods beta shop/both ports=http:80 10.2.2.1"}},
    {{"service beta far/web ip=10.96.2.6 ports=http:80"}},
    {{"service gamma far/web ip=10.96.3.6 ports=http:81"}},
    {{"pods beta far/web ports=http:80 10.2.3.1..2"}},
    {{"pods gamma far/web ports=http:81 10.3.3.1"}},
    {{"export beta far/web"}},
    {{"export gamma far/web"}},
    {{"aws-export beta shop/cart"}},
    {{"aws-export gamma shop/cart weight=5", "aws-export gamma shop/cart"}},
    {{"aws-import alpha shop/cart"}},
    {{"route alpha shop/mix Service/both=10 ServiceImport/cart=90", NULL,
        "route alpha shop/mix Service/both=20 ServiceImport/cart=80"}},
    {{"route gamma shop/mix ServiceImport.multicluster.x-k8s.io/cart Service/late"}},
    {{"yaml alpha {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, "
      "metadata: {namespace: shop, name: gw}, status: {addresses: [{value: 192.0.2.7}]}}"}},
    {{"yaml alpha {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, "
      "metadata: {namespace: shop, name: paths}, spec: {parentRefs: [{name: gw}, {name: later}], "
      "rules: [{matches: [{path: {type: Exact, value: /a}}], backendRefs: [{name: both}]}]}}"}},
    {{"yaml beta {apiVersion: v1, kind: Namespace, metadata: {name: far, "
      "annotations: {pintle.dev/address: endpoints}}}",
        "yaml beta {apiVersion: v1, kind: Namespace, metadata: {name: far}}"}},
    {{"service alpha shop/passing ip=10.96.1.9 ports=http:80 global",
        "delete alpha Service shop/passing"}},
    {{"pods alpha shop/passing ports=http:80 10.1.9.1",
        "delete alpha EndpointSlice shop/passing-v4"}},
    {{"route beta shop/passing Service/passing", "delete beta HTTPRoute shop/passing"}},
    {{"yaml beta {apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, "
      "metadata: {namespace: shop, name: mix}, spec: {hostnames: [shop.example, '*.shop.example', "
      "a.files.example, b.files.example], rules: [{backendRefs: [{name: web, namespace: far}, "
      "{name: both}]}]}}"}},
    {{"yaml gamma {apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, "
      "metadata: {namespace: shop, name: mix}, spec: {hostnames: [shop.example, a.shop.example], "
      "rules: [{backendRefs: [{name: cart}]}]}}",
        "yaml gamma {apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, "
        "metadata: {namespace: shop, name: mix, creationTimestamp: '2026-01-01T00:00:00Z'}, spec: "
        "{hostnames: [b.shop.example, shop.example], rules: [{backendRefs: [{name: cart}]}]}}"}},
    {{"yaml beta {apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, "
      "metadata: {namespace: far, name: all}, spec: {from: [{group: gateway.networking.k8s.io, "
      "kind: GRPCRoute, namespace: shop}], to: [{group: '', kind: Service}]}}"}},
    {{"yaml beta {apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, "
      "metadata: {namespace: shop, name: gone}, spec: {from: [{group: gateway.networking.k8s.io, "
      "kind: GRPCRoute, namespace: far}], to: [{group: '', kind: Service}]}}",
        "delete beta ReferenceGrant shop/gone"}},
    {{"service alpha shop/safe ip=10.96.1.7 ports=https:443>8443=https,grpc:50051=https",
        "service alpha shop/safe ip=10.96.1.7 ports=https:443=https,grpc:50051=https"}},
    {{"pods alpha shop/safe ports=https:8443,grpc:50051 10.1.7.1 10.1.7.2"}},
    {{"route beta shop/safe ServiceImport/safe", "route alpha shop/safe Service/safe"}},
    {{"yaml beta {apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: "
      "{namespace: shop, name: e, creationTimestamp: '2026-01-02T00:00:00Z'}, spec: {endpoints: "
      "[{dnsName: a.shop.example, recordType: A, targets: [192.0.2.1, 192.0.2.2]}, {dnsName: "
      "shop.example, recordType: MX, targets: [1 a.shop.example]}, {dnsName: c.files.example, "
      "recordType: TXT, targets: [x, y]}, {dnsName: b.files.example, recordType: A, targets: "
      "[192.0.2.9]}]}}",
        NULL,
        "yaml beta {apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: "
        "{namespace: shop, name: e, creationTimestamp: '2026-01-02T00:00:00Z'}, spec: {endpoints: "
        "[{dnsName: a.shop.example, recordType: CNAME, targets: [b.shop.example]}, {dnsName: "
        "c.files.example, recordType: TXT, targets: [x]}]}}"}},
    {{"yaml gamma {apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: "
      "{namespace: shop, name: gone}, spec: {endpoints: [{dnsName: d.files.example, recordType: A, "
      "targets: [192.0.2.1]}]}}",
        "delete gamma DNSEndpoint shop/gone"}},
    {{"zonefile a A 192.0.2.1\nc A 192.0.2.2\n*.w TXT x\n", NULL,
        "zonefile b A 192.0.2.3\nb A 192.0.2.4\nm MX 1 b\nsub NS ns.sub\nns.sub A 192.0.2.5\n"}},
};
#define N_STORIES N_ELEMS(stories)

static const char *const cluster_names[N_CLUSTERS] = {"alpha", "beta", "gamma"};

/* --- chance --------------------------------------------------------------------------------------
 */

static uint64_t chance_state;

static unsigned chance(unsigned n)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 33) % n;
}

static void shuffle(unsigned *items, unsigned n)
{
    for (unsigned i = n; i > 1; i--) {
        unsigned other = chance(i);
        unsigned item = items[i - 1];
        items[i - 1] = items[other];
        items[other] = item;
    }
}

/* --- a stage with three clusters -----------------------------------------------------------------
 */

static void open_stage(struct pin_stage *stage, const unsigned order[N_CLUSTERS])
{
    struct pin_why why = {0};
    pin_stage_init(stage);
    struct pin_network *far = pin_stage_network(stage, "far");
    (void)pin_ip_parse("203.0.113.9", &stage->gateways[1][far->n_gateways++].ip);
    for (unsigned i = 0; i < N_CLUSTERS; i++) {
        const char *name = cluster_names[order[i]];
        pin_stage_add_cluster(stage, name)->network = strcmp(name, "alpha") == 0 ? 0 : 1;
    }
    stage->zones_custom[stage->settings.n_zones_custom++] = "shop.example";
    stage->zones_custom[stage->settings.n_zones_custom++] = "files.example";
    stage->zones_static[stage->settings.n_zones_static++] = "files.example";
    assert_int_equal(pin_stage_open(stage, &why), PIN_OK);
    for (uint16_t i = 0; i < N_CLUSTERS; i++) {
        pin_stage_mark(stage, i, PIN_DELTA_UP, PIN_KIND_SERVICE);
        pin_stage_mark(stage, i, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    }
}

static void tell_delete(struct pin_stage *stage, uint16_t cluster_id, char **words)
{
    enum pin_kind kind = strcmp(words[2], "Service") == 0          ? PIN_KIND_SERVICE
                         : strcmp(words[2], "EndpointSlice") == 0  ? PIN_KIND_ENDPOINT_SLICE
                         : strcmp(words[2], "HTTPRoute") == 0      ? PIN_KIND_HTTP_ROUTE
                         : strcmp(words[2], "ReferenceGrant") == 0 ? PIN_KIND_REFERENCE_GRANT
                         : strcmp(words[2], "DNSEndpoint") == 0    ? PIN_KIND_DNS_ENDPOINT
                                                                   : PIN_KIND_SERVICE_IMPORT;
    char *slash = strchr(words[3], '/');
    *slash = '\0';
    pin_stage_delete(stage, cluster_id, kind, words[3], slash + 1);
}

/* What the file of files.example says from now on, beside SOA and NS. */
static void tell_zonefile(struct pin_stage *stage, const char *records)
{
    struct pin_text text = {0};
    struct pin_text faults = {0};
    struct pin_zonefile *zonefile = NULL;
    struct pin_why why = {0};
    pin_text_putf(&text, "$TTL 60\n@ SOA ns h 7 1 2 3 4\n@ NS ns\n%s", records);
    struct pin_zonefile_input input = {.zone = "files.example",
        .text = {.path = "f", .text = pin_text_get(&text), .bytes = text.len}};
    assert_int_equal(pin_zonefile_parse(&input, &zonefile, &faults), PIN_OK);
    assert_int_equal(pin_catalog_set_zonefile(stage->catalog, zonefile, &why), PIN_OK);
    pin_text_done(&text);
    pin_text_done(&faults);
}

static void tell(struct pin_stage *stage, const char *line)
{
    static struct pin_shorthand shorthand;
    struct pin_text yaml = {0};
    struct pin_why why = {0};
    char text[1024];
    char *words[SCRIPT_WORDS_MAX];
    if (line == NULL) {
        return;
    }
    if (strncmp(line, "zonefile ", 9) == 0) {
        tell_zonefile(stage, line + 9);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s", line);
    size_t n_words = pin_script_words(text, words);
    uint16_t cluster_id = pin_settings_cluster(&stage->settings, words[1]);
    if (strcmp(words[0], "delete") == 0) {
        tell_delete(stage, cluster_id, words);
        return;
    }
    if (strcmp(words[0], "yaml") == 0) {
        const char *yaml_text = strchr(line, '{');
        assert_int_equal(
            pin_stage_apply(stage, cluster_id, yaml_text, strlen(yaml_text), &why), PIN_OK);
        return;
    }
    assert_int_equal(pin_shorthand_write(&shorthand, words, n_words, &yaml, &why), PIN_OK);
    assert_int_equal(
        pin_stage_apply(stage, cluster_id, pin_text_get(&yaml), yaml.len, &why), PIN_OK);
    pin_text_done(&yaml);
}

/* Tells all stories interleaved by chance, each in its own order, publishing now and then. */
static void tell_all(struct pin_stage *stage)
{
    unsigned turns[N_STORIES * TELLS_MAX];
    unsigned n_told[N_STORIES] = {0};
    for (unsigned i = 0; i < N_ELEMS(turns); i++) {
        turns[i] = i / TELLS_MAX;
    }
    shuffle(turns, N_ELEMS(turns));
    for (unsigned i = 0; i < N_ELEMS(turns); i++) {
        tell(stage, stories[turns[i]].tells[n_told[turns[i]]++]);
        if (chance(8) == 0) {
            pin_stage_publish(stage);
        }
    }
    pin_stage_publish(stage);
}

/* --- what is served, as text ---------------------------------------------------------------------
 */

/* Lines in any order, sorted when done. */
struct lines {
    char *line[20000];
    size_t n;
};

static void add_line(struct lines *lines, struct pin_text *text)
{
    assert_true(lines->n < N_ELEMS(lines->line));
    lines->line[lines->n++] = pin_text_take(text);
}

static int compare_lines(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static void free_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++) {
        free(lines->line[i]);
    }
    free(lines);
}

static void put_bytes(struct pin_text *text, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pin_text_putf(text, "%02x", bytes[i]);
    }
}

/* One line for each RR with its weight, for each cluster of the data, for each extra's target. */
static void dump_table(const struct pin_stage *stage, const char *head,
    const struct pin_table *table, struct lines *lines)
{
    struct pin_text text = {0};
    const uint8_t *rr = table->wire;
    const uint64_t *sums = pin_table_cumulative(table);
    uint64_t before = 0;
    pin_text_putf(&text, "%s form %u mode %u whole %d pick %u total %llu extras %u", head,
        table->form, table->mode, table->is_whole, table->n_pick_max,
        (unsigned long long)pin_table_total(table), table->n_extras);
    add_line(lines, &text);
    if (table->form == PIN_TABLE_TARGETS) {
        put_bytes(&text, table->wire, table->wire_bytes);
        add_line(lines, &text);
    }
    for (uint16_t i = 0; table->form != PIN_TABLE_TARGETS && i < table->n_rr; i++) {
        size_t rr_bytes = 12u + ((size_t)rr[10] << 8 | rr[11]);
        uint64_t weight = sums != NULL ? sums[i] - before : 1;
        before = sums != NULL ? sums[i] : 0;
        pin_text_putf(&text, "%s rr weight %llu ", head, (unsigned long long)weight);
        put_bytes(&text, rr, rr_bytes);
        add_line(lines, &text);
        rr += rr_bytes;
    }
    for (uint16_t i = 0; i < table->n_clusters; i++) {
        pin_text_putf(&text, "%s cluster %s", head,
            stage->settings.clusters[pin_table_clusters(table)[i]].name);
        add_line(lines, &text);
    }
    for (uint16_t i = 0; i < table->n_extras; i++) {
        char target[PIN_NAME_TEXT_MAX];
        char extra_head[2 * PIN_NAME_TEXT_MAX + 400];
        pin_name_format(table->wire + pin_table_extras(table)[i].target_offset, target);
        (void)snprintf(extra_head, sizeof(extra_head), "%s extra %s", head, target);
        if (pin_table_extras(table)[i].a != NULL) {
            dump_table(stage, extra_head, pin_table_extras(table)[i].a, lines);
        }
        if (pin_table_extras(table)[i].aaaa != NULL) {
            dump_table(stage, extra_head, pin_table_extras(table)[i].aaaa, lines);
        }
    }
}

/* One line for each address that an asker may pin. Places of clusters and zones are not told: they
 * follow the order of clusters. */
static void dump_parts(const struct pin_stage *stage, const char *head,
    const struct pin_table *table, uint16_t view, struct lines *lines)
{
    struct pin_parts_query q =
        pin_parts_open(table->wire, pin_synth_asker(pin_catalog_live(stage->catalog), view));
    struct pin_parts_cursor cursor = {0};
    struct pin_parts_row row;
    struct pin_text text = {0};
    while (pin_parts_next(&q, &cursor, &row)) {
        pin_text_putf(&text, "%s part flags %u ttl %u ", head, q.flags, q.ttl_s);
        put_bytes(&text, row.source, row.source[0] + 1u);
        pin_text_putf(&text, " row %u zone %d ", row.flags, row.zone_i != 0);
        put_bytes(&text, row.ip, row.family == 4 ? 4 : 16);
        put_bytes(&text, row.ports, 2 * (size_t)q.n_ports);
        put_bytes(&text, row.label, row.label[0] + 1u);
        add_line(lines, &text);
    }
}

static void dump_node(
    const struct pin_stage *stage, const struct pin_node *node, struct lines *lines)
{
    char name[PIN_NAME_TEXT_MAX];
    struct pin_text text = {0};
    pin_name_format(node->name, name);
    pin_text_putf(&text, "%s exists", name);
    add_line(lines, &text);
    for (uint16_t r = 0; r < node->n_rrsets; r++) {
        for (uint16_t view = 0; view <= N_CLUSTERS; view++) {
            const struct pin_table *table = pin_rrset_table(&pin_node_rrsets(node)[r], view, view);
            char head[PIN_NAME_TEXT_MAX + 128];
            (void)snprintf(head, sizeof(head), "%s %s type %u", name,
                view == 0 ? "nobody" : stage->settings.clusters[view - 1].name,
                pin_node_rrsets(node)[r].type);
            if (table != NULL && pin_node_rrsets(node)[r].type == PIN_TYPE_PARTS) {
                dump_parts(stage, head, table, view, lines);
            } else if (table != NULL) {
                dump_table(stage, head, table, lines);
            }
        }
    }
}

typedef void visit_fn(
    const struct pin_stage *stage, const struct pin_node *node, struct lines *lines);

static void each_of(const struct pin_stage *stage, const struct pin_names *names, visit_fn *visit,
    struct lines *lines)
{
    struct pin_names_walk walk = {0};
    while (pin_names_next(names, &walk)) {
        const struct pin_node *node =
            pin_index_find(stage->catalog->live.index, walk.name.wire, walk.name.bytes);
        assert_non_null(node);
        visit(stage, node, lines);
    }
}

/* Calls `visit` for the node of every name that units have put. */
static void each_name(const struct pin_stage *stage, visit_fn *visit, struct lines *lines)
{
    const struct pin_catalog *catalog = stage->catalog;
    const struct pin_map *maps[] = {&catalog->services, &catalog->routes, &catalog->hosts};
    for (size_t m = 0; m < N_ELEMS(maps); m++) {
        size_t cursor = 0;
        void *value = NULL;
        while (pin_map_next(maps[m], &cursor, NULL, NULL, &value)) {
            const struct pin_service_unit *service = value;
            const struct pin_route_unit *route = value;
            const struct pin_host_unit *host = value;
            const struct pin_names *names = m == 0   ? &service->names
                                            : m == 1 ? &route->names
                                                     : &host->names;
            each_of(stage, names, visit, lines);
        }
    }
    for (size_t i = 0; i < catalog->n_statics; i++) {
        each_of(stage, &catalog->statics[i].names, visit, lines);
    }
}

/* What is told of each address while all are gone through. */
struct told {
    const struct pin_stage *stage;
    struct lines *lines;
};

static void dump_address(struct pin_rcu_node *link, void *arg)
{
    const struct told *told = arg;
    const struct pin_address *address = container_of(link, struct pin_address, link);
    struct pin_reverse_name name;
    struct pin_text text = {0};
    size_t at = 0;
    while (pin_address_next(address, &at, &name)) {
        struct pin_ip ip = pin_address_ip(address);
        put_bytes(&text, ip.bytes, sizeof(ip.bytes));
        pin_text_putf(&text, " of %s kind %u ",
            told->stage->settings.clusters[name.cluster_id].name, name.kind);
        put_bytes(&text, name.host, name.host[0] + 1u);
        put_bytes(&text, name.service, name.bytes);
        add_line(told->lines, &text);
    }
}

static struct lines *dump(const struct pin_stage *stage)
{
    struct lines *lines = calloc(1, sizeof(*lines));
    struct pin_text text = {0};
    assert_non_null(lines);
    each_name(stage, dump_node, lines);
    pin_text_putf(&text, "%llu nodes",
        (unsigned long long)pin_index_size(stage->catalog->live.index).n_nodes);
    add_line(lines, &text);
    pin_rcu_table_each(stage->catalog->live.reverse->addresses, dump_address,
        &(struct told){.stage = stage, .lines = lines});
    qsort(lines->line, lines->n, sizeof(lines->line[0]), compare_lines);
    return lines;
}

static void assert_same(const struct lines *wanted, const struct lines *got, uint64_t seed)
{
    size_t n = PIN_MIN(wanted->n, got->n);
    size_t i = 0;
    while (i < n && strcmp(wanted->line[i], got->line[i]) == 0) {
        i++;
    }
    if (i < n || wanted->n != got->n) {
        print_error("seed %llu, first difference:\n  wanted %s\n  got    %s\n",
            (unsigned long long)seed, i < wanted->n ? wanted->line[i] : "nothing",
            i < got->n ? got->line[i] : "nothing");
        fail();
    }
}

/* --- properties ----------------------------------------------------------------------------------
 */

static const unsigned plain_order[N_CLUSTERS] = {0, 1, 2};

/* What is served when everything is told once, in the order of the table. */
static struct lines *expected(void)
{
    static struct pin_stage stage;
    open_stage(&stage, plain_order);
    for (unsigned i = 0; i < N_STORIES; i++) {
        for (unsigned t = 0; t < TELLS_MAX; t++) {
            tell(&stage, stories[i].tells[t]);
        }
    }
    pin_stage_publish(&stage);
    struct lines *lines = dump(&stage);
    pin_stage_done(&stage);
    return lines;
}

static void compare_rounds(bool shuffles_clusters)
{
    static struct pin_stage stage;
    struct lines *wanted = expected();
    assert_true(wanted->n > 300); /* the stories make names */
    for (uint64_t seed = 1; seed <= N_ROUNDS; seed++) {
        unsigned order[N_CLUSTERS] = {0, 1, 2};
        chance_state = seed * UINT64_C(0x9E3779B97F4A7C15);
        if (shuffles_clusters) {
            shuffle(order, N_CLUSTERS);
        }
        open_stage(&stage, order);
        tell_all(&stage);
        struct lines *got = dump(&stage);
        assert_same(wanted, got, seed);
        free_lines(got);
        pin_stage_done(&stage);
    }
    free_lines(wanted);
}

static void test_order_of_deltas(void **state)
{
    (void)state;
    compare_rounds(false);
}

static void test_order_of_clusters(void **state)
{
    (void)state;
    compare_rounds(true);
}

static void note_address(
    const struct pin_stage *stage, const struct pin_node *node, struct lines *lines)
{
    struct pin_text text = {0};
    (void)stage;
    pin_text_putf(&text, "%p", (const void *)node);
    add_line(lines, &text);
}

static struct lines *node_addresses(const struct pin_stage *stage)
{
    struct lines *lines = calloc(1, sizeof(*lines));
    assert_non_null(lines);
    each_name(stage, note_address, lines);
    qsort(lines->line, lines->n, sizeof(lines->line[0]), compare_lines);
    return lines;
}

static const char *last_word(const struct story *story)
{
    const char *last = NULL;
    for (unsigned t = 0; t < TELLS_MAX; t++) {
        last = story->tells[t] != NULL ? story->tells[t] : last;
    }
    return last;
}

static void test_nothing_new(void **state)
{
    static struct pin_stage stage;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        unsigned order[N_STORIES];
        chance_state = seed;
        open_stage(&stage, plain_order);
        tell_all(&stage);
        struct lines *before = node_addresses(&stage);
        uint64_t generation = pin_catalog_counts(stage.catalog).generation;
        for (unsigned i = 0; i < N_STORIES; i++) {
            order[i] = i;
        }
        shuffle(order, N_STORIES);
        for (unsigned i = 0; i < N_STORIES; i++) {
            tell(&stage, last_word(&stories[order[i]]));
            pin_stage_publish(&stage);
            assert_int_equal(stage.published.n_names, 0);
            assert_false(stage.published.has_new_scene);
        }
        struct lines *after = node_addresses(&stage);
        assert_same(before, after, seed);
        assert_int_equal(pin_catalog_counts(stage.catalog).generation, generation);
        free_lines(before);
        free_lines(after);
        pin_stage_done(&stage);
    }
}

/* Lists without items: nothing is left of any cluster. */
static void forget_all(struct pin_stage *stage)
{
    tell_zonefile(stage, "");
    for (uint16_t cluster_id = 0; cluster_id < N_CLUSTERS; cluster_id++) {
        for (unsigned kind = 0; kind < PIN_KIND_MAX; kind++) {
            pin_stage_mark(stage, cluster_id, PIN_DELTA_LIST_BEGIN, (enum pin_kind)kind);
            pin_stage_mark(stage, cluster_id, PIN_DELTA_LIST_END, (enum pin_kind)kind);
        }
    }
}

static void assert_empty(const struct pin_stage *stage, uint64_t n_nodes)
{
    struct pin_catalog_counts counts = pin_catalog_counts(stage->catalog);
    assert_int_equal(pin_index_size(stage->catalog->live.index).n_nodes, n_nodes);
    assert_int_equal(pin_rcu_table_count(stage->catalog->live.reverse->addresses), 0);
    assert_int_equal(stage->catalog->live.reverse->bytes, 0);
    assert_int_equal(pin_map_count(&stage->catalog->services), 0);
    assert_int_equal(pin_map_count(&stage->catalog->routes), 0);
    assert_int_equal(pin_map_count(&stage->catalog->gateways), 0);
    assert_int_equal(pin_map_count(&stage->catalog->hosts), 0);
    assert_int_equal(pin_map_count(&stage->catalog->records), 0);
    assert_int_equal(pin_map_count(&stage->catalog->grants), 0);
    assert_int_equal(counts.n_services, 0);
    assert_int_equal(counts.n_global_services, 0);
    assert_int_equal(counts.n_endpoints, 0);
}

static void test_all_gone(void **state)
{
    static struct pin_stage stage;
    (void)state;
    chance_state = 7;
    open_stage(&stage, plain_order);
    pin_stage_publish(&stage);
    uint64_t n_nodes = pin_index_size(stage.catalog->live.index).n_nodes;
    uint64_t bytes = pin_index_size(stage.catalog->live.index).bytes;
    tell_all(&stage);
    assert_true(pin_index_size(stage.catalog->live.index).n_nodes > n_nodes + 30);
    forget_all(&stage);
    pin_stage_publish(&stage);
    assert_empty(&stage, n_nodes);
    assert_int_equal(pin_index_size(stage.catalog->live.index).bytes, bytes);
    pin_stage_done(&stage);
}

/* Publishes with memory, or scratch space, that runs out somewhere on the way. */
static unsigned publish_short(struct pin_stage *stage)
{
    struct pin_arena *whole = stage->catalog->scratch;
    struct pin_arena *small = pin_arena_new("small", chance(4000));
    bool is_small = chance(3) == 0;
    stage->catalog->scratch = is_small ? small : whole;
    pin_faults_start(chance(40), is_small ? 0 : 1 + chance(4) * chance(20));
    pin_stage_publish(stage);
    unsigned n_failed = pin_faults_stop() + (is_small && pin_arena_has_failed(small));
    stage->catalog->scratch = whole;
    pin_arena_free(small);
    return n_failed;
}

static void publish_until_clean(struct pin_stage *stage)
{
    pin_stage_publish(stage);
    assert_false(pin_catalog_is_dirty(stage->catalog, stage->now_ms));
}

/* Memory that was out in between leaves no trace once it is back. */
static void test_short_of_memory(void **state)
{
    static struct pin_stage stage;
    unsigned n_failed = 0;
    struct lines *wanted = expected();
    (void)state;
    pin_log_setup(PIN_LOG_ERROR + 1, PIN_LOG_TEXT);
    for (uint64_t seed = 1; seed <= N_ROUNDS; seed++) {
        chance_state = seed * UINT64_C(0x9E3779B97F4A7C15);
        open_stage(&stage, plain_order);
        pin_stage_publish(&stage);
        uint64_t n_nodes = pin_index_size(stage.catalog->live.index).n_nodes;
        for (unsigned i = 0; i < N_STORIES; i++) {
            for (unsigned t = 0; t < TELLS_MAX; t++) {
                tell(&stage, stories[i].tells[t]);
                n_failed += publish_short(&stage);
            }
        }
        publish_until_clean(&stage);
        struct lines *got = dump(&stage);
        assert_same(wanted, got, seed);
        free_lines(got);
        forget_all(&stage);
        n_failed += publish_short(&stage);
        publish_until_clean(&stage);
        assert_empty(&stage, n_nodes);
        pin_stage_done(&stage);
    }
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    assert_true(n_failed > 10 * N_ROUNDS);
    free_lines(wanted);
}

/* Detaches and attaches a cluster's objects of one kind, with memory that runs out meanwhile. */
static unsigned attach_kind_short(struct pin_stage *stage, uint16_t cluster_id, size_t kind)
{
    struct pin_catalog *catalog = stage->catalog;
    struct pin_map *objects = &catalog->clusters[cluster_id].objects[kind];
    unsigned n_failed = 0;
    size_t cursor = 0;
    void *object = NULL;
    while (pin_map_next(objects, &cursor, NULL, NULL, &object)) {
        pin_unit_detach(catalog, cluster_id, object);
        if (chance(2) == 0) {
            pin_stage_publish(stage); /* its units are gone, too */
        }
        pin_faults_start(chance(2), 1 + chance(8));
        pin_unit_attach(catalog, cluster_id, object, NULL);
        n_failed += pin_faults_stop();
    }
    return n_failed;
}

static unsigned attach_short(struct pin_stage *stage)
{
    unsigned n_failed = 0;
    for (uint16_t i = 0; i < N_CLUSTERS; i++) {
        for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
            n_failed += attach_kind_short(stage, i, kind);
        }
    }
    return n_failed;
}

/* What found no memory when it came is not forgotten: it counts once there is some. */
static void test_short_of_memory_while_attached(void **state)
{
    static struct pin_stage stage;
    unsigned n_failed = 0;
    struct lines *wanted = expected();
    (void)state;
    pin_log_setup(PIN_LOG_ERROR + 1, PIN_LOG_TEXT);
    for (uint64_t seed = 1; seed <= N_ROUNDS; seed++) {
        chance_state = seed * UINT64_C(0x9E3779B97F4A7C15);
        open_stage(&stage, plain_order);
        tell_all(&stage);
        n_failed += attach_short(&stage);
        assert_true(pin_catalog_is_dirty(stage.catalog, stage.now_ms));
        publish_until_clean(&stage);
        struct lines *got = dump(&stage);
        assert_same(wanted, got, seed);
        free_lines(got);
        pin_stage_done(&stage);
    }
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    assert_true(n_failed > 5 * N_ROUNDS);
    free_lines(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"the order of deltas does not matter", test_order_of_deltas, NULL, NULL, NULL},
        {"the order of clusters does not matter", test_order_of_clusters, NULL, NULL, NULL},
        {"what is told again replaces no node", test_nothing_new, NULL, NULL, NULL},
        {"an emptied catalog is an empty one", test_all_gone, NULL, NULL, NULL},
        {"memory that was out leaves no trace", test_short_of_memory, NULL, NULL, NULL},
        {"objects that found no memory are attached later", test_short_of_memory_while_attached,
            NULL, NULL, NULL},
    };
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests_name("order", tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
