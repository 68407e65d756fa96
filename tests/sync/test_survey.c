/* SPDX-License-Identifier: Apache-2.0 */

/* A check asks an API server everything that watching it depends on, and says what it found. */

#include "fake.h"
#include "sync/survey_report.h"

#define LIVEZ   "/livez"
#define REVIEWS "/selfsubjectaccessreviews"
#define WAIT_MS 20000

/* The last check of the i-th cluster as JSON, in `text`. */
static void read_check(const struct rig *rig, size_t i, struct pin_text *text)
{
    pin_text_cut(text, 0);
    struct pin_jsonout out = pin_jsonout_init(text);
    pin_jsonout_object(&out);
    pin_sync_check_json(rig->sync, i, &out);
    pin_jsonout_end(&out);
    assert_true(pin_jsonout_is_ok(&out));
}

/* Checks the first cluster to the end. */
static const char *check(struct rig *rig, struct pin_text *text)
{
    int64_t until_ms = pin_clock_mono_ms() + WAIT_MS;
    assert_int_equal(pin_sync_check_start(rig->sync, 0, NULL), PIN_OK);
    read_check(rig, 0, text);
    while (strstr(text->ptr, "\"state\":\"done\"") == NULL && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(rig->loop, 20);
        read_check(rig, 0, text);
    }
    return text->ptr;
}

static void want_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in %s", part, text);
    }
}

static void want_none(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("'%s' is in %s", part, text);
    }
}

static void test_good(void **state)
{
    struct box *self = *state;
    struct pin_text text = {0};
    start(self);
    read_check(&self->rig, 0, &text);
    want_part(text.ptr, "\"state\":\"never\"");
    const char *json = check(&self->rig, &text);
    want_part(json, "\"version\":\"v1.99.0\"");
    want_part(json, "\"user\":\"tester\"");
    want_part(json, "{\"resource\":\"services\",\"version\":\"v1\",\"list\":true,\"watch\":true}");
    want_part(json, "{\"resource\":\"pods\",\"version\":\"v1\",\"list\":null,\"watch\":null}");
    want_part(json, "{\"resource\":\"gateways.gateway.networking.k8s.io\",\"version\":null,"
                    "\"list\":null,\"watch\":null}");
    want_part(json, "\"text\":\"may list and watch all 4 kinds that are wanted now\"");
    want_part(json, "{\"code\":\"tls\",\"result\":\"warn\",\"text\":\"plain HTTP");
    want_part(json, "{\"code\":\"sync\",\"result\":\"ok\"");
    want_part(json, "\"text\":\"may read all Secrets, which Pintle never does\"");
    want_none(json, "\"result\":\"fail\"");
    pin_text_done(&text);
}

static void test_denied(void **state)
{
    struct box *self = *state;
    struct pin_text text = {0};
    start(self);
    order(self, "{\"do\":\"deny\",\"verb\":\"watch\",\"resource\":\"endpointslices\"}");
    order(self, "{\"do\":\"deny\",\"verb\":\"get\",\"resource\":\"secrets\"}");
    const char *json = check(&self->rig, &text);
    want_part(json, "\"result\":\"fail\",\"server\"");
    want_part(json, "\"text\":\"may not watch endpointslices.discovery.k8s.io\"");
    want_part(json, "with watch on endpointslices.discovery.k8s.io to this user");
    want_part(json, "{\"resource\":\"endpointslices.discovery.k8s.io\",\"version\":\"v1\","
                    "\"list\":true,\"watch\":false}");
    want_none(json, "may list and watch all");
    want_none(json, "Secrets");
    pin_text_done(&text);
}

/* --- What goes wrong: a fault, and what is said of it --- */

static struct wrong_case {
    const char *name;
    const char *order;
    const char *wants[2];
    const char *wants_not;
} wrong_cases[] = {
    {"a server that hangs up is out of reach", FAULT(LIVEZ, "\"times\":9,\"close\":true"),
        {"{\"code\":\"reach\",\"result\":\"fail\"", "check that 'server' speaks HTTPS"},
        "\"code\":\"version\""},
    {"credentials that are not accepted end the check", FAULT(LIVEZ, "\"times\":9,\"status\":401"),
        {"{\"code\":\"credentials\",\"result\":\"fail\"", "(401)"}, "\"code\":\"version\""},
    {"a server that is not healthy is asked all the same",
        FAULT(LIVEZ, "\"times\":9,\"status\":500,\"body\":\"[-]etcd failed\""),
        {"{\"code\":\"health\",\"result\":\"fail\",\"text\":\"/livez: status 500 [-]etcd failed\"",
            "\"code\":\"version\""},
        NULL},
    {"/livez may be closed to us", FAULT(LIVEZ, "\"times\":9,\"status\":403"),
        {"alive (/livez is not for us: 403)", "\"code\":\"version\""},
        "\"code\":\"health\",\"result\":\"fail\""},
    {"without discovery the kinds that every server has are looked at",
        FAULT("/apis\",\"exact\":true,\"x\":\"", "\"times\":99,\"status\":403"),
        {"{\"code\":\"kinds\",\"result\":\"warn\",\"text\":\"GET /apis: status 403",
            "may list and watch all 4 kinds"},
        NULL},
    {"discovery that is no JSON is told",
        FAULT("/apis\",\"exact\":true,\"x\":\"", "\"times\":99,\"status\":200,\"body\":\"{\""),
        {"{\"code\":\"kinds\",\"result\":\"warn\",\"text\":\"GET /apis: ", "5 of the"}, NULL},
    {"a server that tells no rights is believed to forbid nothing",
        FAULT(REVIEWS, "\"times\":99,\"status\":403"),
        {"{\"code\":\"access\",\"result\":\"warn\"",
            "\"resource\":\"services\",\"version\":\"v1\",\"list\":null"},
        "may list and watch all"},
    {"a review that says nothing counts as not asked",
        FAULT(REVIEWS, "\"times\":99,\"status\":201,\"body\":\"[]\""),
        {"what we may do with 4 of 4 kinds", "\"list\":null"}, "may list and watch all"},
    {"a connection that ends between two questions ends the check",
        FAULT(REVIEWS, "\"times\":9,\"close\":true"), {"\"state\":\"done\"", "\"access\""},
        "Secrets"},
};

static void test_wrong(void **state)
{
    const struct wrong_case *row = *state;
    struct pin_text text = {0};
    void *box = NULL;
    assert_int_equal(set_up(&box), 0);
    struct box *self = box;
    start(self);
    order(self, row->order);
    const char *json = check(&self->rig, &text);
    for (size_t i = 0; i < 2; i++) {
        want_part(json, row->wants[i]);
    }
    if (row->wants_not != NULL) {
        want_none(json, row->wants_not);
    }
    pin_text_done(&text);
    (void)tear_down(&box);
}

/* --- Writing back --- */

static void ignore_writable(void *arg, uint16_t cluster_id, bool is_writable)
{
    (void)arg;
    (void)cluster_id;
    (void)is_writable;
}

static void ignore_look_again(void *arg)
{
    (void)arg;
}

#define DENY(verb, resource) "{\"do\":\"deny\",\"verb\":\"" verb "\",\"resource\":\"" resource "\"}"

static struct write_case {
    const char *name;
    struct pin_write_switches switches;
    const char *orders[2];
    const char *want;
    const char *wants_not;
} write_cases[] = {
    {"with all switches off nothing is asked about writing", {0},
        {DENY("create", "leases"), DENY("patch", "services")}, "\"state\":\"done\"", "write-back"},
    {"what may be written is said in one line", {.mcs = true}, {NULL},
        "{\"code\":\"write-back\",\"result\":\"ok\"", "may not"},
    {"verbs that are lacking are named, with what does not work", {.mcs = true},
        {DENY("create", "services"), DENY("delete", "services")},
        "{\"code\":\"write-back\",\"result\":\"fail\",\"text\":\"may not create, delete services; "
        "without it, exported services of other clusters are not imported here\",\"hint\":"
        "\"'pintlectl clusters add --write-back mcs' prints the role for it and binds it\"}",
        "may write all"},
    {"the Lease is asked for where it is", {.mcs = true}, {DENY("update", "leases")},
        "may not update leases.coordination.k8s.io in here; without it, nothing at all is written",
        NULL},
    {"rights of a part that is off do not matter", {.mcs = true}, {DENY("patch", "httproutes")},
        "may write all that writeBack needs to", NULL},
    {"nor do those on kinds that the cluster lacks", {.annotations = true},
        {DENY("patch", "httproutes")}, "may write all that writeBack needs to", NULL},
    {"on one that it has they do", {.annotations = true},
        {DENY("patch", "httproutes"),
            "{\"do\":\"serve\",\"path\":\"/apis/gateway.networking.k8s.io/v1/httproutes\","
            "\"is\":true}"},
        "may not patch httproutes.gateway.networking.k8s.io; without it, routes do not show", NULL},
    {"a server that tells no rights does not say whether we may write", {.mcs = true},
        {FAULT(REVIEWS, "\"times\":99,\"status\":403")},
        "{\"code\":\"write-back\",\"result\":\"warn\"", "may write all"},
};

static void test_write(void **state)
{
    const struct write_case *row = *state;
    struct pin_text text = {0};
    struct box self = {0};
    const struct pin_sync_writes writes = {.lease_namespace = "here",
        .lease_name = "ours",
        .switches = row->switches,
        .on_writable = ignore_writable,
        .on_look_again = ignore_look_again};
    (void)snprintf(self.config, sizeof(self.config), "/tmp/pintle-survey-%d.yaml", getpid());
    fake_start(&self.fake, NULL);
    write_config(&self, "t");
    struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = self.config};
    rig_init_writing(&self.rig, &spec, 1, pin_write_is_on(&row->switches) ? &writes : NULL);
    for (size_t i = 0; i < 2 && row->orders[i] != NULL; i++) {
        order(&self, row->orders[i]);
    }
    start(&self);
    const char *json = check(&self.rig, &text);
    want_part(json, row->want);
    if (row->wants_not != NULL) {
        want_none(json, row->wants_not);
    }
    pin_text_done(&text);
    rig_done(&self.rig);
    fake_stop(&self.fake);
    (void)unlink(self.config);
}

/* --- Life --- */

static void test_ends_with_the_sync(void **state)
{
    struct box *self = *state;
    struct pin_text text = {0};
    start(self);
    order(self, FAULT(LIVEZ, "\"times\":99,\"hang\":true"));
    assert_int_equal(pin_sync_check_start(self->rig.sync, 0, NULL), PIN_OK);
    assert_int_equal(pin_sync_check_start(self->rig.sync, 0, NULL), PIN_OK);
    rig_run(&self->rig, 50);
    read_check(&self->rig, 0, &text);
    want_part(text.ptr, "\"state\":\"running\"");
    pin_sync_stop(self->rig.sync);
    read_check(&self->rig, 0, &text);
    want_part(text.ptr, "\"state\":\"never\"");
    pin_text_done(&text);
}

static void test_few_at_once(void **state)
{
    struct pin_source_spec specs[PIN_SYNC_CHECKS_MAX + 1];
    char names[PIN_SYNC_CHECKS_MAX + 1][8];
    struct pin_why why = {0};
    struct box self = {0};
    struct rig rig;
    (void)state;
    (void)snprintf(self.config, sizeof(self.config), "/tmp/pintle-survey-%d.yaml", getpid());
    fake_start(&self.fake, NULL);
    write_config(&self, "t");
    for (size_t i = 0; i < N_ELEMS(specs); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "c%u", (unsigned)i);
        specs[i] = (struct pin_source_spec){.cluster_id = (uint16_t)i,
            .cluster = names[i],
            .kind = PIN_SOURCE_CONTEXT,
            .kubeconfig = self.config};
    }
    rig_init(&rig, specs, N_ELEMS(specs));
    order(&self, FAULT(LIVEZ, "\"times\":99,\"hang\":true"));
    for (size_t i = 0; i < PIN_SYNC_CHECKS_MAX; i++) {
        assert_int_equal(pin_sync_check_start(rig.sync, i, &why), PIN_OK);
    }
    assert_int_equal(pin_sync_check_start(rig.sync, PIN_SYNC_CHECKS_MAX, &why), PIN_EBUSY);
    assert_int_equal(pin_sync_check_start(rig.sync, 0, &why), PIN_OK); /* it goes on */
    rig_done(&rig);
    fake_stop(&self.fake);
    (void)unlink(self.config);
}

static void test_directory(void **state)
{
    char dir[] = "/tmp/pintle-survey-XXXXXX";
    struct pin_text text = {0};
    struct rig rig;
    (void)state;
    assert_non_null(mkdtemp(dir));
    struct pin_source_spec spec = {.cluster = "c1", .kind = PIN_SOURCE_DIRECTORY, .directory = dir};
    rig_init(&rig, &spec, 1);
    pin_sync_start(rig.sync);
    assert_true(rig_wait(&rig, "SYNCED", SOON_MS));
    const char *json = check(&rig, &text);
    want_part(json, "\"result\":\"ok\",\"server\":null");
    want_part(json, "listed, 0 objects");
    rig_done(&rig);
    assert_int_equal(rmdir(dir), 0);
    pin_text_done(&text);
}

/* --- Judging --- */

static struct peer_case {
    const char *name;
    const char *server;
    bool is_insecure;
    struct pin_http_peer peer;
    const char *want;
} peer_cases[] = {
    {"a certificate that ends within two weeks is a warning", "https://a", false,
        {.until_wall_ms = INT64_C(3600000) * 30},
        "{\"code\":\"tls\",\"result\":\"warn\",\"text\":\"the certificate of https://a ends in 30 "
        "hours"},
    {"one that is valid for long is fine", "https://a", false,
        {.until_wall_ms = (int64_t)15 * 86400000, .subject = "CN = a", .issuer = "CN = b"},
        "{\"code\":\"tls\",\"result\":\"ok\",\"text\":\"certificate of CN = a, signed by CN = b"},
    {"one that is not verified is a warning", "https://a", true, {.until_wall_ms = 0},
        "{\"code\":\"tls\",\"result\":\"warn\",\"text\":\"the certificate of https://a is not "
        "verified"},
    {"a clock that is ahead is a warning", "https://a", false, {.date_wall_ms = 6000},
        "the server's clock is 6 s ahead of ours"},
    {"a clock that is nearly right is right", "https://a", false, {.date_wall_ms = 4000},
        "{\"code\":\"clock\",\"result\":\"ok\""},
    {"an answer that takes a second is slow", "https://a", false,
        {.connected_us = 1000, .secured_us = 5000, .answered_us = 1200000},
        "{\"code\":\"reach\",\"result\":\"warn\",\"text\":\"https://a at :0: connected in 5.0 ms, "
        "answers in 1195.0 ms"},
};

static void test_peer(void **state)
{
    struct peer_case *row = *state;
    struct pin_survey_report *report = calloc(1, sizeof(*report));
    struct pin_text text = {0};
    char server[32];
    assert_non_null(report);
    (void)snprintf(server, sizeof(server), "%s", row->server);
    const struct pin_target target = {.server = server, .is_insecure = row->is_insecure};
    struct pin_http_peer peer = row->peer;
    peer.address = "";
    peer.names = "";
    peer.subject = peer.subject != NULL ? peer.subject : "";
    peer.issuer = peer.issuer != NULL ? peer.issuer : "";
    pin_survey_add_peer(report, &target, &peer, 0);
    struct pin_jsonout out = pin_jsonout_init(&text);
    pin_jsonout_object(&out);
    pin_survey_report_json(report, &out);
    pin_jsonout_end(&out);
    want_part(text.ptr, row->want);
    pin_text_done(&text);
    free(report);
}

static void test_full(void **state)
{
    struct pin_survey_report *report = calloc(1, sizeof(*report));
    (void)state;
    assert_non_null(report);
    for (size_t i = 0; i < PIN_SURVEY_FINDINGS_MAX + 1; i++) {
        pin_survey_add(report, "x", i < PIN_SURVEY_FINDINGS_MAX ? PIN_SURVEY_OK : PIN_SURVEY_FAIL,
            "", "%zu", i);
    }
    assert_int_equal(report->n_findings, PIN_SURVEY_FINDINGS_MAX);
    assert_int_equal(report->worst, PIN_SURVEY_FAIL);
    free(report);
}

int main(void)
{
    struct CMUnitTest tests[6 + N_ELEMS(wrong_cases) + N_ELEMS(write_cases) + N_ELEMS(peer_cases)] =
        {
            A_TEST(test_good),
            A_TEST(test_denied),
            A_TEST(test_ends_with_the_sync),
            cmocka_unit_test(test_few_at_once),
            cmocka_unit_test(test_directory),
            cmocka_unit_test(test_full),
        };
    struct CMUnitTest *at = tests + 6;
    for (size_t i = 0; i < N_ELEMS(wrong_cases); i++) {
        *at++ = (struct CMUnitTest){wrong_cases[i].name, test_wrong, NULL, NULL, &wrong_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(write_cases); i++) {
        *at++ = (struct CMUnitTest){write_cases[i].name, test_write, NULL, NULL, &write_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(peer_cases); i++) {
        *at++ = (struct CMUnitTest){peer_cases[i].name, test_peer, NULL, NULL, &peer_cases[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
