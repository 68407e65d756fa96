/* SPDX-License-Identifier: Apache-2.0 */

/* What is to be written follows from what the clusters show, and from nothing else: a small
 * stand-in for API servers applies it, and then there is nothing left to write. */

#include "support/message.h"
#include "writes.h"

#define NAMESPACE(name) "{apiVersion: v1, kind: Namespace, metadata: {name: " name "}}\n---\n"
#define SERVICE(ports)                                                                             \
    "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: cart}, spec: {clusterIP: "  \
    "10.96.0.9, ports: [" ports "]}}\n---\n"
#define HEADLESS(ports)                                                                            \
    "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: cart}, spec: {clusterIP: "  \
    "None, ports: [" ports "]}}\n---\n"
#define EXTERNAL                                                                                   \
    "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: cart}, spec: {type: "       \
    "ExternalName, externalName: example.com}}\n---\n"
#define HTTP "{name: http, port: 80}"
#define SLICE(address)                                                                             \
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: "    \
    "cart-x, labels: {kubernetes.io/service-name: cart}}, addressType: IPv4, ports: [{name: "      \
    "http, port: 8080}], endpoints: [{addresses: [" address "], hostname: web-0}, "                \
    "{addresses: [10.0.0.99], conditions: {ready: false}}]}\n---\n"
#define EXPORT(age)                                                                                \
    "{apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceExport, metadata: {namespace: "      \
    "shop, name: cart, uid: e-1, creationTimestamp: '2026-11-21T00:00:0" age "Z'}}\n---\n"
#define ROUTE(more)                                                                                \
    "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: default, "  \
    "name: inventory, uid: r-1" more "}, spec: {rules: [{backendRefs: [{name: a, port: 80}]}]}}\n"
#define INVENTORY "inventory-default-1951cbe339d38e1f.pintle.internal"

#define X23  "xxxxxxxxxxxxxxxxxxxxxxx"
#define X115 X23 X23 X23 X23 X23
#define LONG(suffix, version, kind, labels, rest)                                                  \
    "{apiVersion: " version ", kind: " kind ", metadata: {namespace: shop, name: " X115            \
    ".yyyyyyyy" suffix labels "}, " rest "}\n---\n"
#define LONG_SLICE(n)                                                                              \
    LONG(n, "discovery.k8s.io/v1", "EndpointSlice",                                                \
        ", labels: {kubernetes.io/service-name: " X115 ".yyyyyyyy}",                               \
        "addressType: IPv4, endpoints: [{addresses: [10.1.0." n "]}]")

static int set_up_mcs(void **state)
{
    next_switches = (struct pin_write_switches){.mcs = true};
    return set_up(state);
}

static int set_up_annotations(void **state)
{
    next_switches = (struct pin_write_switches){.annotations = true};
    return set_up(state);
}

static int set_up_cleanup(void **state)
{
    next_switches = (struct pin_write_switches){.cleans = true};
    return set_up(state);
}

static int set_up_status(void **state)
{
    next_switches = (struct pin_write_switches){.status = true};
    return set_up(state);
}

static int set_up_events(void **state)
{
    next_switches = (struct pin_write_switches){.events = true};
    return set_up(state);
}

static int set_up_off(void **state)
{
    next_switches = (struct pin_write_switches){.mcs = false};
    return set_up(state);
}

/* --- annotations ------------------------------------------------------------------------------ */

static void test_a_route_gets_its_assigned_name(void **state)
{
    struct box *box = *state;
    give(box, C1, ROUTE(""));
    look(box);
    assert_string_equal(pin_text_get(&box->seen),
        "c1 APPLY HTTPRoute default/inventory {\"metadata\":{\"name\":\"inventory\",\"namespace\":"
        "\"default\",\"uid\":\"r-1\",\"annotations\":{\"pintle.dev/assigned-domain-name\":"
        "\"" INVENTORY "\"}}}\n");
    give(box, C1, ROUTE(", annotations: {pintle.dev/assigned-domain-name: " INVENTORY "}"));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

static void test_a_wrong_name_is_corrected_and_a_missing_uid_writes_nothing(void **state)
{
    struct box *box = *state;
    give(box, C1, ROUTE(", annotations: {pintle.dev/assigned-domain-name: wrong}"));
    look(box);
    want(box, INVENTORY);
    give(box, C1,
        "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: "
        "default, name: inventory}, spec: {}}");
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

static void test_what_is_switched_off_is_taken_away(void **state)
{
    struct box *box = *state;
    give(box, C1,
        ROUTE(", annotations: {pintle.dev/assigned-domain-name: " INVENTORY
              ", application-networking.k8s.aws/lattice-assigned-domain-name: foreign.aws}"));
    look(box);
    assert_string_equal(pin_text_get(&box->seen),
        "c1 APPLY HTTPRoute default/inventory "
        "{\"metadata\":{\"name\":\"inventory\",\"namespace\":\"default\",\"uid\":\"r-1\"}}\n");
}

static void test_nothing_is_written_while_another_is_the_writer(void **state)
{
    struct box *box = *state;
    give(box, C1, ROUTE(""));
    pin_catalog_set_writable(box->stage.catalog, C1, false);
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
    pin_catalog_set_writable(box->stage.catalog, C1, true);
    look(box);
    want(box, INVENTORY);
}

static void test_without_switches_nothing_is_ever_written(void **state)
{
    struct box *box = *state;
    give(box, C1, ROUTE(", annotations: {pintle.dev/assigned-domain-name: " INVENTORY "}"));
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) EXPORT("1"));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

/* --- imports ---------------------------------------------------------------------------------- */

static void test_an_export_becomes_an_import_a_service_and_slices(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    give(box, C2, NAMESPACE("shop"));
    settle(box);
    want(box, "c2 APPLY Service shop/derived-");
    want(box, "\"ipFamilyPolicy\":\"SingleStack\"");
    want(box, "c2 APPLY EndpointSlice shop/cart-");
    want(box, "\"multicluster.kubernetes.io/source-cluster\":\"c1\"");
    want(box, "{\"addresses\":[\"10.1.0.5\"],\"conditions\":{\"ready\":true,\"serving\":true,"
              "\"terminating\":false},\"hostname\":\"web-0\"}");
    want(box, "{\"addresses\":[\"10.0.0.99\"],\"conditions\":{\"ready\":false,");
    want(box, "\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}]");
    want(box, "c2 APPLY ServiceImport shop/cart ");
    want(box, "\"ips\":[\"10.91.7.7\"]"); /* of c2's derived Service */
    want(box, "\"ips\":[\"10.90.7.7\"]"); /* c1 imports it, too, by its own */
    want_none(box, "c3 ");                /* has no such namespace */
    give(box, C3, NAMESPACE("shop"));
    settle(box);
    want(box, "c3 APPLY ServiceImport shop/cart ");
    want_none(box, "c1 ");
    want_none(box, "c2 ");
}

static void test_a_change_of_endpoints_writes_their_slice_alone(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    give(box, C2, NAMESPACE("shop"));
    settle(box);
    give(box, C1, SLICE("10.1.0.6"));
    settle(box);
    assert_int_equal(count(box, "\n"), 2);
    assert_int_equal(count(box, " APPLY EndpointSlice shop/cart-"), 2);
    pin_stage_delete(&box->stage, C1, PIN_KIND_ENDPOINT_SLICE, "shop", "cart-x");
    settle(box);
    assert_int_equal(count(box, "\n"), 2);
    assert_int_equal(count(box, " DELETE EndpointSlice shop/cart-"), 2);
}

static void test_the_last_export_takes_everything_with_it(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    give(box, C2, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.2.0.5") EXPORT("2"));
    settle(box);
    assert_int_equal(count(box, "APPLY EndpointSlice"), 4);
    pin_stage_delete(&box->stage, C1, PIN_KIND_SERVICE_EXPORT, "shop", "cart");
    settle(box);
    want(box, "\"pintle.dev/exporters\":\"c2\"");
    assert_int_equal(count(box, " DELETE EndpointSlice"), 2);
    assert_int_equal(count(box, " DELETE "), 2);
    pin_stage_delete(&box->stage, C2, PIN_KIND_SERVICE_EXPORT, "shop", "cart");
    settle(box);
    assert_int_equal(count(box, " DELETE ServiceImport shop/cart"), 2);
    assert_int_equal(count(box, " DELETE Service shop/derived-"), 2);
    assert_int_equal(count(box, " DELETE EndpointSlice"), 2);
    assert_int_equal(count(box, " APPLY "), 0);
}

static void test_what_somebody_deletes_comes_back(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    settle(box);
    const char *at = strstr(pin_text_get(&box->seen), "Service shop/derived-");
    char name[64] = "";
    assert_non_null(at);
    assert_int_equal(sscanf(at, "Service shop/%63s", name), 1);
    pin_stage_delete(&box->stage, C1, PIN_KIND_SERVICE, "shop", name);
    settle(box);
    want(box, "c1 APPLY Service shop/derived-");
    pin_stage_delete(&box->stage, C1, PIN_KIND_SERVICE_IMPORT, "shop", "cart");
    settle(box);
    want(box, "c1 APPLY ServiceImport shop/cart");
    assert_int_equal(count(box, "\n"), 1);
}

static void test_ports_are_a_union_and_the_older_one_wins(void **state)
{
    struct box *box = *state;
    give(box, C1,
        NAMESPACE("shop") SERVICE(HTTP ", {name: dns, port: 53, protocol: UDP}") EXPORT("1"));
    give(box, C2,
        SERVICE("{name: http, port: 81}, {name: more, port: 142, protocol: SCTP}, "
                "{name: same, port: 80}") EXPORT("2"));
    settle(box);
    want(box, "\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":80},{\"name\":\"dns\","
              "\"protocol\":\"UDP\",\"port\":53},{\"name\":\"more\",\"protocol\":\"SCTP\",\"port\":"
              "142}]");
}

static void test_a_headless_service_has_slices_and_no_address(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") HEADLESS(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    settle(box);
    want(box, "\"type\":\"Headless\"");
    want(box, "c1 APPLY EndpointSlice");
    want_none(box, "APPLY Service ");
    want_none(box, "\"ips\"");
    want_none(box, "\"kubernetes.io/service-name\"");
}

/* A mirrored slice is told from others by the hash at the end of its name. */
static void test_a_long_name_keeps_its_slices_apart(void **state)
{
    struct box *box = *state;
    give(box, C1,
        NAMESPACE("shop") LONG("", "v1", "Service", "", "spec: {clusterIP: 10.96.0.9}")
            LONG("", "multicluster.x-k8s.io/v1beta1", "ServiceExport", "", "spec: {}")
                LONG_SLICE("1") LONG_SLICE("2"));
    give(box, C2, NAMESPACE("shop"));
    settle(box);
    assert_int_equal(count(box, "c2 APPLY EndpointSlice shop/xxx"), 2);
    assert_int_equal(count(box, "c2 APPLY EndpointSlice shop/" X115 "-"), 2);
    want_none(box, " DELETE ");
}

static void test_an_external_name_is_not_imported(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") EXTERNAL EXPORT("1"));
    settle(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

static void test_what_others_made_is_left_alone(void **state)
{
    struct box *box = *state;
    give(box, C1,
        "{apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceImport, metadata: {namespace: "
        "shop, name: cart}, spec: {type: ClusterSetIP, ports: []}}\n---\n" NAMESPACE("shop")
            SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    settle(box);
    want_none(box, "c1 ");
    pin_stage_delete(&box->stage, C1, PIN_KIND_SERVICE_EXPORT, "shop", "cart");
    settle(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

/* What an earlier daemon has written to c2 because of c1. */
#define WRITTEN                                                                                    \
    NAMESPACE("shop")                                                                              \
    "{apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceImport, metadata: {namespace: "      \
    "shop, name: cart, uid: i, annotations: {pintle.dev/applied: 1234567890abcdef, "               \
    "pintle.dev/exporters: c1}}, spec: {type: ClusterSetIP, ports: []}}\n---\n"                    \
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: "    \
    "cart-0, uid: s, annotations: {pintle.dev/applied: 1234567890abcdef}, labels: "                \
    "{multicluster.kubernetes.io/service-name: cart, "                                             \
    "multicluster.kubernetes.io/source-cluster: c1}}, addressType: IPv4, ports: [], endpoints: "   \
    "[{addresses: [10.1.0.5]}]}\n"

/* A daemon that has seen c2, and nothing of c1 yet. */
static int set_up_later(void **state)
{
    struct pin_why why = {0};
    struct box *box = calloc(1, sizeof(*box));
    assert_non_null(box);
    pin_stage_init(&box->stage);
    box->stage.settings.writes = (struct pin_write_switches){.mcs = true};
    (void)pin_stage_add_cluster(&box->stage, "c1");
    (void)pin_stage_add_cluster(&box->stage, "c2");
    assert_int_equal(pin_stage_open(&box->stage, &why), PIN_OK);
    *state = box;
    give(box, C2, WRITTEN);
    pin_stage_mark(&box->stage, C2, PIN_DELTA_UP, PIN_KIND_SERVICE);
    pin_stage_mark(&box->stage, C2, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    pin_catalog_set_writable(box->stage.catalog, C2, true);
    return 0;
}

static void test_a_cluster_never_listed_is_unknown_and_not_empty(void **state)
{
    struct box *box = *state;
    settle(box);
    assert_string_equal(pin_text_get(&box->seen), "");
    pin_stage_mark(&box->stage, C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    settle(box);
    want(box, "c2 DELETE ServiceImport shop/cart");
    want(box, "c2 DELETE EndpointSlice shop/cart-0");
}

/* Lists of what c1 exports; `yaml` is all they name. */
static void list_c1(struct box *box, const char *yaml)
{
    static const enum pin_kind kinds[] = {
        PIN_KIND_SERVICE, PIN_KIND_ENDPOINT_SLICE, PIN_KIND_SERVICE_EXPORT};
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        pin_stage_list(&box->stage, C1, PIN_DELTA_LIST_BEGIN, kinds[i], true);
    }
    if (yaml != NULL) {
        give(box, C1, yaml);
    }
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        pin_stage_list(&box->stage, C1, PIN_DELTA_LIST_END, kinds[i], true);
    }
}

#define VOUCHING                                                                                   \
    (1U << PIN_KIND_SERVICE | 1U << PIN_KIND_ENDPOINT_SLICE | 1U << PIN_KIND_SERVICE_EXPORT)

/* Its first lists name nothing: a server that was just started may say so. */
static void sync_c1_empty(struct box *box)
{
    list_c1(box, NULL);
    pin_stage_mark(&box->stage, C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    settle(box);
    assert_string_equal(pin_text_get(&box->seen), "");
    assert_int_equal(pin_catalog_held(box->stage.catalog, C1), VOUCHING);
    list_c1(box, NULL); /* too soon to prove anything */
    settle(box);
    assert_string_equal(pin_text_get(&box->seen), "");
    box->stage.now_ms += 31000;
}

static void test_first_lists_that_lack_what_was_written_take_nothing_away(void **state)
{
    struct box *box = *state;
    sync_c1_empty(box);
    list_c1(box, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    settle(box);
    assert_int_equal(pin_catalog_held(box->stage.catalog, C1), 0);
    want(box, "c2 APPLY ServiceImport shop/cart ");
    want(box, "c2 APPLY EndpointSlice shop/cart-");
    want_none(box, " DELETE ServiceImport");
    want_none(box, " DELETE Service ");
}

static void test_second_lists_that_say_the_same_are_believed(void **state)
{
    struct box *box = *state;
    sync_c1_empty(box);
    list_c1(box, NULL);
    settle(box);
    assert_int_equal(pin_catalog_held(box->stage.catalog, C1), 0);
    want(box, "c2 DELETE ServiceImport shop/cart");
    want(box, "c2 DELETE EndpointSlice shop/cart-0");
}

/* Later on, a watch has told of what goes. */
static void test_what_goes_after_the_first_look_goes_at_once(void **state)
{
    struct box *box = *state;
    pin_stage_delete(&box->stage, C2, PIN_KIND_ENDPOINT_SLICE, "shop", "cart-0");
    list_c1(box, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    pin_stage_mark(&box->stage, C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    settle(box);
    pin_stage_delete(&box->stage, C1, PIN_KIND_SERVICE_EXPORT, "shop", "cart");
    settle(box);
    want(box, "c2 DELETE ServiceImport shop/cart");
    assert_int_equal(pin_catalog_held(box->stage.catalog, C1), 0);
}

/* c3, which is never listed in some of these. */
static int set_up_third(void **state)
{
    struct pin_why why = {0};
    struct box *box = calloc(1, sizeof(*box));
    assert_non_null(box);
    pin_stage_init(&box->stage);
    box->stage.settings.writes = (struct pin_write_switches){.mcs = true};
    (void)pin_stage_add_cluster(&box->stage, "c1");
    (void)pin_stage_add_cluster(&box->stage, "c2");
    (void)pin_stage_add_cluster(&box->stage, "c3");
    assert_int_equal(pin_stage_open(&box->stage, &why), PIN_OK);
    *state = box;
    give(box, C2, NAMESPACE("shop"));
    pin_stage_mark(&box->stage, C2, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    pin_catalog_set_writable(box->stage.catalog, C2, true);
    list_c1(box, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    pin_stage_mark(&box->stage, C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    settle(box);
    want(box, "c2 APPLY EndpointSlice shop/cart-");
    return 0;
}

/* Both are known beside each other, whatever a third one has. */
static void test_a_cluster_never_listed_keeps_nothing_of_others(void **state)
{
    struct box *box = *state;
    pin_stage_delete(&box->stage, C1, PIN_KIND_ENDPOINT_SLICE, "shop", "cart-x");
    settle(box);
    want(box, "c2 DELETE EndpointSlice shop/cart-");
    assert_int_equal(pin_catalog_held(box->stage.catalog, C1), 0);
}

/* What that one has of c1 may be what c1's first lists lacked. */
static void test_a_cluster_listed_late_still_has_first_lists_doubted(void **state)
{
    struct box *box = *state;
    pin_stage_delete(&box->stage, C1, PIN_KIND_ENDPOINT_SLICE, "shop", "cart-x");
    pin_stage_delete(&box->stage, C1, PIN_KIND_SERVICE_EXPORT, "shop", "cart");
    settle(box);
    give(box, 2, WRITTEN);
    pin_stage_mark(&box->stage, 2, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    pin_catalog_set_writable(box->stage.catalog, 2, true);
    settle(box);
    want_none(box, "c3 DELETE");
    assert_int_equal(pin_catalog_held(box->stage.catalog, C1), VOUCHING);
}

/* --- conditions ------------------------------------------------------------------------------- */

#define CONDITION(type, status, reason, message)                                                   \
    "{type: " type ", status: '" status "', reason: " reason ", message: '" message                \
    "', lastTransitionTime: '2026-01-01T00:00:00Z'}"
#define EXPORT_WITH(conditions)                                                                    \
    "{apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceExport, metadata: {namespace: "      \
    "shop, name: cart, uid: e-1, creationTimestamp: '2026-11-21T00:00:01Z'}, status: "             \
    "{conditions: [" conditions "]}}\n---\n"
#define VALID CONDITION("Valid", "True", "Valid", "the Service can be exported")
#define READY CONDITION("Ready", "True", "Exported", "known to all clusters of the set")
#define HARMLESS                                                                                   \
    CONDITION("Conflict", "False", "NoConflicts", "no export of another cluster differs")

static void test_an_export_says_that_it_is_valid(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) EXPORT("1"));
    look(box);
    want(box, "c1 STATUS ServiceExport shop/cart ");
    want(box, "{\"type\":\"Valid\",\"status\":\"True\",\"reason\":\"Valid\",");
    want(box, "{\"type\":\"Conflict\",\"status\":\"False\",\"reason\":\"NoConflicts\",");
    want(box, "\"lastTransitionTime\":\"1970-01-01T00:00:00Z\"");
    give(box, C1, EXPORT_WITH(VALID ", " READY ", " HARMLESS));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

static void test_what_stays_keeps_its_time(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) EXPORT_WITH(VALID ", " READY ", " HARMLESS));
    give(box, C2, SERVICE("{name: http, port: 81}") EXPORT("2"));
    look(box);
    assert_int_equal(count(box, "{\"type\":\"Conflict\",\"status\":\"True\",\"reason\":"
                                "\"PortConflict\",\"message\":\"exports of different clusters "
                                "differ in ports; the oldest one, of cluster c1, counts first\","
                                "\"lastTransitionTime\":\"1970-01-01T00:00:00Z\"}"),
        2);
    assert_int_equal(count(box, "2026-01-01T00:00:00Z"), 2); /* Valid and Ready of c1 */
}

static void test_an_export_of_nothing_is_not_valid(void **state)
{
    struct box *box = *state;
    give(box, C1, EXPORT("1"));
    look(box);
    want(box, "{\"type\":\"Valid\",\"status\":\"False\",\"reason\":\"NoService\",");
    give(box, C1, EXTERNAL);
    look(box);
    want(box, "{\"type\":\"Valid\",\"status\":\"False\",\"reason\":\"InvalidServiceType\",");
}

static void test_conflicts_are_told_together(void **state)
{
    struct box *box = *state;
    give(box, C1, SERVICE(HTTP) EXPORT("1"));
    give(box, C2, HEADLESS("{name: x, port: 1}") EXPORT("2"));
    look(box);
    assert_int_equal(count(box, "\"PortConflict,TypeConflict\""), 2);
}

static void test_conditions_are_taken_away(void **state)
{
    struct box *box = *state;
    give(box, C1, SERVICE(HTTP) EXPORT_WITH(VALID ", " READY ", " HARMLESS));
    look(box);
    want(box, "c1 STATUS ServiceExport shop/cart {\"metadata\":{\"name\":\"cart\",\"namespace\":"
              "\"shop\",\"uid\":\"e-1\"},\"status\":{}}");
    give(box, C1, EXPORT_WITH(CONDITION("Valid", "True", "Valid", "says another")));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

/* --- events ------------------------------------------------------------------------------------
 */

#define CLAIM(name, age)                                                                           \
    "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: default, "  \
    "name: " name ", uid: u-" name ", creationTimestamp: '2026-11-21T00:00:0" age                  \
    "Z'}, spec: {hostnames: [a.example.com], rules: [{backendRefs: [{name: a, port: "              \
    "80}]}]}}\n---\n"

static void test_a_route_hears_that_its_hostname_is_anothers(void **state)
{
    struct box *box = *state;
    give(box, C1, CLAIM("new", "2"));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
    give(box, C2, CLAIM("old", "1"));
    look(box);
    assert_string_equal(pin_text_get(&box->seen),
        "c1 EVENT HTTPRoute default/new {\"type\":\"Warning\",\"reason\":\"HostnameConflict\","
        "\"action\":\"Publish\",\"note\":\"hostname a.example.com is not answered for this route: "
        "c2/HTTPRoute/default/old claims it too and goes first (the oldest, then by name)\"}\n");
    assert_int_equal(pin_catalog_counts(box->stage.catalog).n_differing, 0);
    pin_stage_delete(&box->stage, C2, PIN_KIND_HTTP_ROUTE, "default", "old");
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

static void test_an_export_hears_what_keeps_it_from_being_one(void **state)
{
    struct box *box = *state;
    give(box, C1, EXPORT("1"));
    look(box);
    want(box, "c1 EVENT ServiceExport shop/cart {\"type\":\"Warning\",\"reason\":\"NoService\",");
    give(box, C1, SERVICE(HTTP));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
    give(box, C2, SERVICE("{name: http, port: 81}") EXPORT("2"));
    look(box);
    assert_int_equal(count(box, "\"reason\":\"ExportConflict\""), 2);
    want_none(box, "STATUS");
}

static void test_an_annotation_that_cannot_be_used_is_told(void **state)
{
    struct box *box = *state;
    give(box, C1, ROUTE(", annotations: {pintle.dev/ttl: never}"));
    look(box);
    want(box, "c1 EVENT HTTPRoute default/inventory {\"type\":\"Warning\",\"reason\":"
              "\"UnreadableAnnotation\",\"action\":\"Publish\",\"note\":\"annotation "
              "pintle.dev/ttl: 'never' cannot be used, use ");
}

/* --- no loop ---------------------------------------------------------------------------------- */

static bool is_there(struct box *box, uint16_t cluster_id)
{
    struct pin_stage_asker asker = {.listen_cluster_id = cluster_id};
    struct message_query query = {.name = "cart.shop.svc.clusterset.local", .type = PIN_TYPE_A};
    asker.source = pin_ip_from_bytes((const uint8_t[]){192, 0, 2, 1}, 4);
    size_t bytes = message_build(&query, box->stage.wire);
    (void)pin_stage_ask(&box->stage, &asker, bytes, PIN_TRANSPORT_UDP);
    return (box->stage.wire[3] & 0x0F) == 0;
}

static void test_our_own_imports_make_no_name(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    give(box, C2, NAMESPACE("shop"));
    settle(box);
    assert_true(is_there(box, C2));
    pin_stage_delete(&box->stage, C1, PIN_KIND_SERVICE_EXPORT, "shop", "cart");
    look(box); /* nothing is done yet: the imports still stand there */
    assert_false(is_there(box, C2));
}

static void test_the_answer_is_the_imports_address(void **state)
{
    struct box *box = *state;
    give(box, C1, NAMESPACE("shop") SERVICE(HTTP) SLICE("10.1.0.5") EXPORT("1"));
    give(box, C2, NAMESPACE("shop"));
    settle(box);
    assert_true(is_there(box, C2));
    static const uint8_t ip[] = {10, 91, 7, 7};
    bool is_found = false;
    for (size_t i = 0; i + 4 < 200; i++) {
        is_found = is_found || memcmp(box->stage.wire + i, ip, 4) == 0;
    }
    assert_true(is_found);
}

#define A_TEST(set, name) cmocka_unit_test_setup_teardown(name, set_up_##set, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(annotations, test_a_route_gets_its_assigned_name),
        A_TEST(annotations, test_a_wrong_name_is_corrected_and_a_missing_uid_writes_nothing),
        A_TEST(cleanup, test_what_is_switched_off_is_taken_away),
        A_TEST(annotations, test_nothing_is_written_while_another_is_the_writer),
        A_TEST(off, test_without_switches_nothing_is_ever_written),
        A_TEST(mcs, test_an_export_becomes_an_import_a_service_and_slices),
        A_TEST(mcs, test_a_change_of_endpoints_writes_their_slice_alone),
        A_TEST(mcs, test_the_last_export_takes_everything_with_it),
        A_TEST(mcs, test_what_somebody_deletes_comes_back),
        A_TEST(mcs, test_ports_are_a_union_and_the_older_one_wins),
        A_TEST(mcs, test_a_headless_service_has_slices_and_no_address),
        A_TEST(mcs, test_a_long_name_keeps_its_slices_apart),
        A_TEST(mcs, test_an_external_name_is_not_imported),
        A_TEST(mcs, test_what_others_made_is_left_alone),
        A_TEST(later, test_a_cluster_never_listed_is_unknown_and_not_empty),
        A_TEST(later, test_first_lists_that_lack_what_was_written_take_nothing_away),
        A_TEST(later, test_second_lists_that_say_the_same_are_believed),
        A_TEST(later, test_what_goes_after_the_first_look_goes_at_once),
        A_TEST(third, test_a_cluster_never_listed_keeps_nothing_of_others),
        A_TEST(third, test_a_cluster_listed_late_still_has_first_lists_doubted),
        A_TEST(status, test_an_export_says_that_it_is_valid),
        A_TEST(status, test_what_stays_keeps_its_time),
        A_TEST(status, test_an_export_of_nothing_is_not_valid),
        A_TEST(status, test_conflicts_are_told_together),
        A_TEST(cleanup, test_conditions_are_taken_away),
        A_TEST(events, test_a_route_hears_that_its_hostname_is_anothers),
        A_TEST(events, test_an_export_hears_what_keeps_it_from_being_one),
        A_TEST(events, test_an_annotation_that_cannot_be_used_is_told),
        A_TEST(mcs, test_our_own_imports_make_no_name),
        A_TEST(mcs, test_the_answer_is_the_imports_address),
    };
    pin_rcu_init();
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests_name("writes", tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
