/* SPDX-License-Identifier: Apache-2.0 */

/* The status of Gateways of a class of ours, of that class, and of routes that come to them,
 * follows the rules of the Gateway API (v1); what other controllers say is not touched. */

#include "writes.h"

#define API    "apiVersion: gateway.networking.k8s.io/v1"
#define OURS   "pintle.dev/gateway-controller"
#define OTHERS "example.com/other"

#define CLASS(controller)                                                                          \
    "{" API ", kind: GatewayClass, metadata: {name: pin, uid: c-1, generation: 3}, spec: "         \
    "{controllerName: " controller "}}\n---\n"
#define GATEWAY(listeners)                                                                         \
    "{" API ", kind: Gateway, metadata: {namespace: edge, name: gw, uid: g-1, generation: 7}, "    \
    "spec: {gatewayClassName: pin, listeners: [" listeners "]}}\n---\n"
#define WEB "{name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}"
#define SERVICE                                                                                    \
    "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: cart}, spec: {clusterIP: "  \
    "10.96.0.9, ports: [{port: 80}]}}\n---\n"
#define RULE "{backendRefs: [{name: cart, port: 80}]}"
#define ROUTE_OF(kind, parent, more, status)                                                       \
    "{" API ", kind: " kind ", metadata: {namespace: shop, name: r, uid: r-1, generation: 5, "     \
    "resourceVersion: '77'}, spec: {parentRefs: [{namespace: edge, name: gw" parent "}]" more      \
    "}" status "}\n---\n"
#define ROUTE(parent, more) ROUTE_OF("HTTPRoute", parent, ", " more, "")
#define RULES               "rules: [" RULE "]"

/* Classes of c1 were listed; the stage's objects come without lists. */
static int set_up_listed(void **state)
{
    int failed = set_up(state);
    struct box *box = *state;
    pin_stage_mark(&box->stage, C1, PIN_DELTA_LIST_BEGIN, PIN_KIND_GATEWAY_CLASS);
    pin_stage_mark(&box->stage, C1, PIN_DELTA_LIST_END, PIN_KIND_GATEWAY_CLASS);
    return failed;
}

static int set_up_status(void **state)
{
    next_switches = (struct pin_write_switches){.status = true};
    return set_up_listed(state);
}

static int set_up_unlisted(void **state)
{
    next_switches = (struct pin_write_switches){.status = true};
    return set_up(state);
}

static int set_up_cleanup(void **state)
{
    next_switches = (struct pin_write_switches){.cleans = true};
    return set_up_listed(state);
}

/* --- classes and Gateways --------------------------------------------------------------------- */

static void test_a_class_of_ours_is_accepted(void **state)
{
    struct box *box = *state;
    give(box, C1, CLASS(OURS));
    look(box);
    want(box, "c1 STATUS GatewayClass /pin {\"metadata\":{\"name\":\"pin\",\"uid\":\"c-1\"},"
              "\"status\":{\"conditions\":[{\"type\":\"Accepted\",\"status\":\"True\",\"reason\":"
              "\"Accepted\",");
    want(box, "\"observedGeneration\":3,\"lastTransitionTime\":\"1970-01-01T00:00:00Z\"");
    give(box, C1,
        "{" API ", kind: GatewayClass, metadata: {name: pin, uid: c-1, generation: 3}, spec: "
        "{controllerName: " OURS "}, status: {conditions: [{type: Accepted, status: 'True', "
        "reason: Accepted, message: Pintle answers the names of routes of its Gateways, "
        "observedGeneration: 3}]}}");
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

static void test_a_class_of_others_and_its_gateways_are_theirs(void **state)
{
    struct box *box = *state;
    give(box, C1, CLASS(OTHERS) GATEWAY(WEB) SERVICE ROUTE("", RULES));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

static void test_a_gateway_counts_its_routes(void **state)
{
    struct box *box = *state;
    give(box, C1, CLASS(OURS) GATEWAY(WEB) SERVICE ROUTE("", RULES));
    look(box);
    want(box, "c1 STATUS Gateway edge/gw {\"metadata\":{\"name\":\"gw\",\"namespace\":\"edge\","
              "\"uid\":\"g-1\"},\"status\":{\"conditions\":[{\"type\":\"Accepted\",\"status\":"
              "\"True\",\"reason\":\"Accepted\",");
    want(box, "\"listeners\":[{\"name\":\"web\",\"supportedKinds\":[{\"group\":"
              "\"gateway.networking.k8s.io\",\"kind\":\"HTTPRoute\"},{\"group\":"
              "\"gateway.networking.k8s.io\",\"kind\":\"GRPCRoute\"}],\"attachedRoutes\":1,");
    want(box, "\"type\":\"Programmed\",\"status\":\"True\",\"reason\":\"Programmed\"");
    struct pin_catalog_counts counts = pin_catalog_counts(box->stage.catalog);
    assert_int_equal(counts.n_wanted, 3); /* class, Gateway and route */
    assert_int_equal(counts.n_differing, 3);
    pin_stage_delete(&box->stage, C1, PIN_KIND_HTTP_ROUTE, "shop", "r");
    look(box);
    want(box, "\"attachedRoutes\":0,");
    assert_int_equal(pin_catalog_counts(box->stage.catalog).n_wanted, 2);
}

static void test_what_a_listener_cannot_do_is_said(void **state)
{
    struct box *box = *state;
    give(box, C1,
        CLASS(OURS) GATEWAY("{name: u, port: 53, protocol: UDP}, {name: a, port: 80, protocol: "
                            "HTTP}, {name: b, port: 80, protocol: TCP}, {name: k, port: 81, "
                            "protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}]}}"));
    look(box);
    want(box, "\"reason\":\"UnsupportedProtocol\"");
    assert_int_equal(count(box, "\"reason\":\"ProtocolConflict\""), 2);
    assert_int_equal(count(box, "\"reason\":\"InvalidRouteKinds\""), 1);
    want(box, "\"status\":\"True\",\"reason\":\"ListenersNotValid\"");
    give(box, C1, GATEWAY("{name: u, port: 53, protocol: UDP}"));
    look(box);
    want(box, "\"status\":\"False\",\"reason\":\"ListenersNotValid\"");
    want(box, "\"type\":\"Programmed\",\"status\":\"False\",\"reason\":\"Invalid\"");
}

static void test_a_class_that_becomes_ours_brings_its_gateways(void **state)
{
    struct box *box = *state;
    give(box, C1, CLASS(OTHERS) GATEWAY(WEB) SERVICE ROUTE("", RULES));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
    give(box, C1, CLASS(OURS));
    look(box);
    want(box, "c1 STATUS GatewayClass /pin ");
    want(box, "c1 STATUS Gateway edge/gw ");
    want(box, "c1 PATCH HTTPRoute shop/r ");
}

static void test_classes_never_listed_are_unknown(void **state)
{
    struct box *box = *state;
    give(box, C1,
        GATEWAY(WEB) SERVICE ROUTE_OF("HTTPRoute", "", ", " RULES,
            ", status: {parents: [{parentRef: {namespace: edge, name: gw}, controllerName: " OURS
            ", conditions: []}]}"));
    look(box);
    assert_string_equal(pin_text_get(&box->seen), "");
}

/* --- routes ------------------------------------------------------------------------------------
 */

#define ACCEPTED(status, reason)                                                                   \
    "{\"type\":\"Accepted\",\"status\":\"" status "\",\"reason\":\"" reason "\","
#define RESOLVED(status, reason)                                                                   \
    "{\"type\":\"ResolvedRefs\",\"status\":\"" status "\",\"reason\":\"" reason "\","

static struct route_case {
    const char *name;
    const char *listener; /* NULL: WEB */
    const char *route;
    const char *wanted;
} route_cases[] = {
    {"a route that fits is accepted", NULL, ROUTE("", RULES), ACCEPTED("True", "Accepted")},
    {"and its backends are there", NULL, ROUTE("", RULES), RESOLVED("True", "ResolvedRefs")},
    {"a listener that is not there is no parent", NULL, ROUTE(", sectionName: x", RULES),
        ACCEPTED("False", "NoMatchingParent")},
    {"nor is one of another port", NULL, ROUTE(", port: 81", RULES),
        ACCEPTED("False", "NoMatchingParent")},
    {"one of that name and port is", NULL, ROUTE(", sectionName: web, port: 80", RULES),
        ACCEPTED("True", "Accepted")},
    {"what is not said means the Gateway's namespace", "{name: web, port: 80, protocol: HTTP}",
        ROUTE("", RULES), ACCEPTED("False", "NotAllowedByListeners")},
    {"a protocol carries its kinds of routes", NULL, ROUTE_OF("TCPRoute", "", ", " RULES, ""),
        ACCEPTED("False", "NotAllowedByListeners")},
    {"a TLSRoute comes to a TLS listener",
        "{name: t, port: 443, protocol: TLS, allowedRoutes: {namespaces: {from: All}}}",
        ROUTE_OF("TLSRoute", "", ", " RULES, ""), ACCEPTED("True", "Accepted")},
    {"kinds can be narrowed",
        "{name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: "
        "[{kind: GRPCRoute}]}}",
        ROUTE("", RULES), ACCEPTED("False", "NotAllowedByListeners")},
    {"labels select namespaces",
        "{name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, "
        "selector: {matchLabels: {team: a}, matchExpressions: [{key: stage, operator: NotIn, "
        "values: [dev]}]}}}}",
        ROUTE("", RULES), ACCEPTED("True", "Accepted")},
    {"all of them must be met",
        "{name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, "
        "selector: {matchLabels: {team: a}, matchExpressions: [{key: stage, operator: "
        "Exists}]}}}}",
        ROUTE("", RULES), ACCEPTED("False", "NotAllowedByListeners")},
    {"host names have to meet",
        "{name: web, port: 80, protocol: HTTP, hostname: '*.example.com', allowedRoutes: "
        "{namespaces: {from: All}}}",
        ROUTE("", RULES ", hostnames: [example.com, a.example.org]"),
        ACCEPTED("False", "NoMatchingListenerHostname")},
    {"a wildcard meets what lies below it",
        "{name: web, port: 80, protocol: HTTP, hostname: '*.example.com', allowedRoutes: "
        "{namespaces: {from: All}}}",
        ROUTE("", RULES ", hostnames: [A.b.Example.com]"), ACCEPTED("True", "Accepted")},
    {"a route's wildcard meets a listener's name",
        "{name: web, port: 80, protocol: HTTP, hostname: a.example.com, allowedRoutes: "
        "{namespaces: {from: All}}}",
        ROUTE("", RULES ", hostnames: ['*.example.com']"), ACCEPTED("True", "Accepted")},
    {"rules that DNS cannot see are not supported", NULL,
        ROUTE(
            "", "rules: [{matches: [{path: {value: /a}}], backendRefs: [{name: cart, port: 80}]}]"),
        ACCEPTED("False", "UnsupportedValue")},
    {"some of them are dropped", NULL,
        ROUTE("", "rules: [" RULE
                  ", {matches: [{path: {value: /a}}], backendRefs: [{name: cart, port: 80}]}]"),
        "{\"type\":\"PartiallyInvalid\",\"status\":\"True\",\"reason\":\"UnsupportedValue\","
        "\"message\":\"Dropped Rule 2: "},
    {"a backend that is not there is told", NULL,
        ROUTE("", "rules: [{backendRefs: [{name: gone, port: 80}]}]"),
        RESOLVED("False", "BackendNotFound")},
    {"so is one of a later rule", NULL,
        ROUTE("", "rules: [" RULE ", {backendRefs: [{name: gone, port: 80}]}]"),
        "rule 2, backend 1: Service shop/gone is not there"},
    {"another namespace needs a grant", NULL,
        ROUTE("", "rules: [{backendRefs: [{namespace: edge, name: cart, port: 80}]}]"),
        RESOLVED("False", "RefNotPermitted")},
    {"a kind that is not read is none", NULL,
        ROUTE("", "rules: [{backendRefs: [{group: x.io, kind: Bucket, name: cart, port: 80}]}]"),
        RESOLVED("False", "InvalidKind")},
};

static void test_route(void **state)
{
    const struct route_case *c = *state;
    void *made = NULL;
    assert_int_equal(set_up_status(&made), 0);
    struct box *box = made;
    struct pin_text gateway = {0};
    pin_text_putf(&gateway,
        "{" API ", kind: Gateway, metadata: {namespace: edge, name: gw, uid: g-1, generation: 7}, "
        "spec: {gatewayClassName: pin, listeners: [%s]}}\n---\n",
        c->listener != NULL ? c->listener : WEB);
    give(box, C1,
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}\n---\n");
    give(box, C1, CLASS(OURS) SERVICE);
    give(box, C1, pin_text_get(&gateway));
    give(box, C1, c->route);
    look(box);
    want(box, c->wanted);
    pin_text_done(&gateway);
    (void)tear_down(&made);
}

static void test_labels_that_change_are_seen(void **state)
{
    struct box *box = *state;
    give(box, C1,
        CLASS(OURS) GATEWAY("{name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: "
                            "{from: Selector, selector: {matchLabels: {team: a}}}}}")
            SERVICE ROUTE("", RULES));
    look(box);
    want(box, "\"NotAllowedByListeners\"");
    want(box, "\"attachedRoutes\":0,");
    give(box, C1, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}");
    look(box);
    want(box, ACCEPTED("True", "Accepted"));
    want(box, "\"attachedRoutes\":1,");
}

static void test_a_service_that_comes_is_seen_by_every_rule(void **state)
{
    struct box *box = *state;
    give(box, C1,
        CLASS(OURS) GATEWAY(WEB)
            SERVICE ROUTE("", "rules: [" RULE ", {backendRefs: [{name: late, port: 80}]}]"));
    look(box);
    want(box, RESOLVED("False", "BackendNotFound"));
    give(box, C1,
        "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: late}, spec: "
        "{clusterIP: 10.96.0.8, ports: [{port: 80}]}}");
    look(box);
    want(box, RESOLVED("True", "ResolvedRefs"));
}

/* --- the patch ----------------------------------------------------------------------------------
 */

#define FOREIGN                                                                                    \
    "{parentRef: {namespace: edge, name: gw}, controllerName: " OTHERS ", conditions: [{type: "    \
    "Accepted, status: 'True', reason: Fine, message: '', lastTransitionTime: "                    \
    "'2026-01-01T00:00:00Z'}]}"
#define ENTRY(section, status, reason, message)                                                    \
    "{parentRef: {namespace: edge, name: gw" section "}, controllerName: " OURS                    \
    ", conditions: [{type: Accepted, status: '" status "', reason: " reason ", message: '" message \
    "', observedGeneration: 5, lastTransitionTime: '2026-01-01T00:00:00Z'}, {type: ResolvedRefs, " \
    "status: 'True', reason: ResolvedRefs, message: all backends are there, observedGeneration: "  \
    "5, lastTransitionTime: '2026-01-01T00:00:00Z'}]}"
#define GOOD_ENTRY       ENTRY("", "True", "Accepted", "its name is answered")
#define PARENTS(entries) ROUTE_OF("HTTPRoute", "", ", " RULES, ", status: {parents: [" entries "]}")
#define VERSION_OP       "[{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"77\"},"

static void test_the_first_entry_makes_the_list(void **state)
{
    struct box *box = *state;
    give(box, C1, CLASS(OURS) GATEWAY(WEB) SERVICE ROUTE("", RULES));
    look(box);
    want(box, "c1 PATCH HTTPRoute shop/r " VERSION_OP
              "{\"op\":\"add\",\"path\":\"/status\",\"value\":{\"parents\":[]}},{\"op\":\"add\","
              "\"path\":\"/status/parents/-\",\"value\":{\"parentRef\":{\"group\":"
              "\"gateway.networking.k8s.io\",\"kind\":\"Gateway\",\"namespace\":\"edge\",\"name\":"
              "\"gw\"},\"controllerName\":\"" OURS "\",\"conditions\":[");
    want(box, "\"observedGeneration\":5,");
}

static void test_what_is_said_already_is_not_written(void **state)
{
    struct box *box = *state;
    give(box, C1, CLASS(OURS) GATEWAY(WEB) SERVICE PARENTS(FOREIGN ", " GOOD_ENTRY));
    look(box);
    want_none(box, "PATCH");
}

static void test_our_entry_alone_is_changed_where_it_stands(void **state)
{
    struct box *box = *state;
    give(box, C1,
        CLASS(OURS) GATEWAY(WEB)
            SERVICE PARENTS(FOREIGN ", " ENTRY("", "True", "Accepted", "something else")));
    look(box);
    want(box, VERSION_OP "{\"op\":\"replace\",\"path\":\"/status/parents/1\",\"value\":{");
    want(box, "\"lastTransitionTime\":\"2026-01-01T00:00:00Z\""); /* the status is what it was */
    want_none(box, OTHERS);
    want_none(box, "parents/0");
}

static void test_entries_of_parents_that_are_gone_are_removed(void **state)
{
    struct box *box = *state;
    give(box, C1,
        CLASS(OURS) GATEWAY(WEB) SERVICE PARENTS(
            ENTRY(", sectionName: old", "True", "Accepted", "x") ", " FOREIGN ", " GOOD_ENTRY));
    look(box);
    want(box, "c1 PATCH HTTPRoute shop/r " VERSION_OP
              "{\"op\":\"remove\",\"path\":\"/status/parents/0\"}]\n");
    pin_stage_delete(&box->stage, C1, PIN_KIND_GATEWAY, "edge", "gw");
    look(box);
    want(box, VERSION_OP "{\"op\":\"remove\",\"path\":\"/status/parents/2\"},{\"op\":\"remove\","
                         "\"path\":\"/status/parents/0\"}]\n");
}

static void test_switched_off_all_of_it_is_taken_away(void **state)
{
    struct box *box = *state;
    give(box, C1,
        "{" API
        ", kind: GatewayClass, metadata: {name: pin, uid: c-1}, spec: {controllerName: " OURS
        "}, status: {conditions: [{type: Accepted, status: 'True', reason: Accepted}]}}\n---\n"
        "{" API ", kind: Gateway, metadata: {namespace: edge, name: gw, uid: g-1}, spec: "
        "{gatewayClassName: pin, listeners: [" WEB "]}, status: {conditions: [{type: Accepted, "
        "status: 'True', reason: Accepted}]}}\n---\n" SERVICE PARENTS(FOREIGN ", " GOOD_ENTRY));
    look(box);
    want(box, "c1 STATUS GatewayClass /pin {\"metadata\":{\"name\":\"pin\",\"uid\":\"c-1\"},"
              "\"status\":{}}\n");
    want(box, "c1 STATUS Gateway edge/gw {\"metadata\":{\"name\":\"gw\",\"namespace\":\"edge\","
              "\"uid\":\"g-1\"},\"status\":{}}\n");
    want(box, "c1 PATCH HTTPRoute shop/r " VERSION_OP
              "{\"op\":\"remove\",\"path\":\"/status/parents/1\"}]\n");
    give(box, C1,
        "{" API ", kind: Gateway, metadata: {namespace: edge, name: gw, uid: g-1}, spec: "
        "{gatewayClassName: pin, listeners: [" WEB "]}, status: {conditions: [{type: Accepted, "
        "status: Unknown, reason: Pending}]}}\n---\n" PARENTS(FOREIGN));
    look(box);
    want_none(box, "Gateway edge");
    want_none(box, "PATCH");
}

#define A_TEST(set, name) cmocka_unit_test_setup_teardown(name, set_up_##set, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(status, test_a_class_of_ours_is_accepted),
        A_TEST(status, test_a_class_of_others_and_its_gateways_are_theirs),
        A_TEST(status, test_a_gateway_counts_its_routes),
        A_TEST(status, test_what_a_listener_cannot_do_is_said),
        A_TEST(status, test_a_class_that_becomes_ours_brings_its_gateways),
        A_TEST(unlisted, test_classes_never_listed_are_unknown),
        A_TEST(status, test_labels_that_change_are_seen),
        A_TEST(status, test_a_service_that_comes_is_seen_by_every_rule),
        A_TEST(status, test_the_first_entry_makes_the_list),
        A_TEST(status, test_what_is_said_already_is_not_written),
        A_TEST(status, test_our_entry_alone_is_changed_where_it_stands),
        A_TEST(status, test_entries_of_parents_that_are_gone_are_removed),
        A_TEST(cleanup, test_switched_off_all_of_it_is_taken_away),
    };
    struct CMUnitTest rows[N_ELEMS(route_cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(route_cases); i++) {
        rows[i] = (struct CMUnitTest){
            .name = route_cases[i].name, .test_func = test_route, .initial_state = &route_cases[i]};
    }
    pin_rcu_init();
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests_name("writes_gateway", tests, NULL, NULL)
                   + cmocka_run_group_tests_name("writes_gateway routes", rows, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
