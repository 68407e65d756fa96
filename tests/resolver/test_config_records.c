/* SPDX-License-Identifier: Apache-2.0 */

/* What `records:` may say, and what becomes of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/zones/claims_catalog.h"

#include "resolver/app_files.h"
#include "resolver/config.h"

#define HEAD "clusterSet: demo\nclusters: [{name: c1, directory: /}]\n"
#define ONE(text)                                                                                  \
    HEAD "records:\n"                                                                              \
         "- {" text "}\n"

#define ANY             "name: a, zones: [example.com], policy: sync"
#define FILES           ANY ", provider: zonefile, zonefile: {directory: out}"
#define UPDATES         ANY ", provider: rfc2136, rfc2136: {server: 192.0.2.53"
#define AT_ITEM         "p.yaml:4:3: records[0]: "
#define AT_ITEM_OF(key) "p.yaml:4:3: records[0]." key
#define TWO(a, b)                                                                                  \
    HEAD "records:\n"                                                                              \
         "- {name: a, zones: [example.com, b.example], policy: sync, " a "}\n"                     \
         "- {name: b, zones: [a.example, example.com], policy: sync, " b "}\n"
#define AT_SECOND "p.yaml:5:3: records[1]: "

static struct pin_findings findings;

/* Reads a text as the file "p.yaml", with the checks. */
static struct pin_config *load(const char *text)
{
    struct pin_args args = {0};
    pin_findings_done(&findings); /* of a test that failed */
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_non_null(config);
    assert_int_equal(findings.n, 0);
    config->file = "p.yaml";
    config->n_listens = 0;
    pin_config_read(config, "p.yaml", text, strlen(text), &findings);
    pin_config_records(config, &findings);
    pin_config_check(config, &findings);
    return config;
}

static void done(struct pin_config *config)
{
    pin_findings_done(&findings);
    pin_config_free(config);
}

static struct wrong_case {
    const char *name;
    const char *text;
    const char *want; /* all findings, in order */
} wrong_cases[] = {
    {"what has no default is asked for", ONE("dryRun: true"),
        AT_ITEM "say name, for status and metrics\n" AT_ITEM
                "say provider: rfc2136, powerdns, route53, webhook or zonefile\n" AT_ITEM
                "say zones: which zones are kept there\n" AT_ITEM
                "say policy: sync, upsert-only or create-only; there is no default\n"},
    {"a key without a value is not said",
        ONE("name: a, provider: zonefile, zones: [example.com], policy: , zonefile: {directory: "
            "d}"),
        AT_ITEM "say policy: sync, upsert-only or create-only; there is no default\n"},
    {"a policy is one of three",
        ONE("name: a, provider: route53, zones: [example.com], policy: snyc"),
        "p.yaml:4:62: records[0].policy: \"snyc\" is not one of sync|upsert-only|create-only\n"},
    {"an unknown key has a nearest one", ONE(FILES ", maxDelete: 5%"),
        "p.yaml:4:97: unknown key \"records[0].maxDelete\", did you mean \"maxDeletes\"?\n"},
    {"so has one of a provider", ONE(ANY ", provider: webhook, webhook: {ulr: \"http://h\"}"),
        "p.yaml:4:77: records[0].webhook: say url, such as http://127.0.0.1:8888\n"
        "p.yaml:4:78: unknown key \"records[0].webhook.ulr\", did you mean \"url\"?\n"},
    {"a provider says where it is", ONE(ANY ", provider: powerdns"),
        AT_ITEM "provider is powerdns: say powerdns: {url: URL, apiKeyFile: FILE}\n"},
    {"another provider's key is in the wrong place", ONE(FILES ", webhook: {url: \"http://h\"}"),
        AT_ITEM "provider is zonefile, so webhook says nothing: take it out\n"},
    {"the owner is never external-dns's usual one by accident",
        "clusters: [{name: c1, directory: /}]\n\nrecords:\n- {" FILES "}\n",
        AT_ITEM "say owner, or clusterSet: \"default\" is what external-dns calls itself when "
                "nobody says, so records of others would count as ours\n"},
    {"an owner goes into a label", ONE(FILES ", owner: \"a,b\""),
        AT_ITEM "the owner 'a,b' is not 1 to 100 printable characters without , = \" and blanks\n"},
    {"a prefix and a suffix exclude each other", ONE(FILES ", txtPrefix: x, txtSuffix: y"),
        AT_ITEM "a prefix and a suffix of TXT names exclude each other\n"},
    {"a share is written with its sign", ONE(FILES ", maxDeletes: 20"),
        "p.yaml:4:109: records[0].maxDeletes: \"20\" is no share such as 20%\n"},
    {"a share is no more than all", ONE(FILES ", maxDeletes: 101%"),
        "p.yaml:4:109: records[0].maxDeletes: 101% is out of range, 0% to 100% are allowed\n"},
    {"a share is no sentence", ONE(FILES ", maxDeletes: 5%%"),
        "p.yaml:4:109: records[0].maxDeletes: \"5%%\" is no share such as 20%\n"},
    {"a zone is there once",
        ONE("name: a, zones: [example.com, EXAMPLE.com.], policy: sync, provider: route53"),
        AT_ITEM "zones: \"example.com\" is there twice\n"},
    {"there is a zone", ONE("name: a, zones: [], policy: sync, provider: route53"),
        AT_ITEM "zones: there is none\n"},
    {"a zone is a name", ONE("name: a, zones: [a..b], policy: sync, provider: route53"),
        "p.yaml:4:21: records[0].zones[0]: \"a..b\" is no DNS name\n"},
    {"a source is a kind of object", ONE(FILES ", sources: [ingres, pod]"),
        AT_ITEM "sources: \"ingres\" is none of service, ingress, gateway, httproute, grpcroute, "
                "tlsroute, tcproute and crd, did you mean \"ingress\"?\n" AT_ITEM
                "sources: \"pod\" is none of service, ingress, gateway, httproute, grpcroute, "
                "tlsroute, tcproute and crd\n"},
    {"a server is an address", ONE(ANY ", provider: rfc2136, rfc2136: {server: ns.example.com}"),
        "p.yaml:4:86: records[0].rfc2136.server: \"ns.example.com\" is no ADDR[:PORT] with an IP "
        "address\n"},
    {"a key of TSIG has a secret", ONE(UPDATES ", tsig: {name: key}}"),
        "p.yaml:4:104: records[0].rfc2136.tsig: say secretFile, a file that holds the secret in "
        "base64\n"},
    {"a URL is one of HTTP", ONE(ANY ", provider: webhook, webhook: {url: \"ftp://127.0.0.1\"}"),
        AT_ITEM "webhook.url: \"ftp://127.0.0.1\" is not http://HOST or https://HOST\n"},
    {"a URL has a host", ONE(ANY ", provider: webhook, webhook: {url: \"https:///path\"}"),
        AT_ITEM "webhook.url: \"https:///path\" is not http://HOST or https://HOST\n"},
    {"a password in a URL is not shown",
        ONE(ANY ", provider: powerdns, powerdns: {url: \"ftp://u:pw@h\", apiKeyFile: k}"),
        AT_ITEM "powerdns.url: a URL of scheme, host, port and path is wanted, secrets go into "
                "files\n"},
    {"a key of AWS has two halves", ONE(ANY ", provider: route53, route53: {accessKeyFile: k}"),
        AT_ITEM "route53: accessKeyFile and secretKeyFile go together\n"},
    {"an id is that of one of the zones",
        ONE(ANY ", provider: route53, route53: {zones: [{zone: b.example, id: z1}]}"),
        "p.yaml:4:86: records[0]: route53.zones[0]: \"b.example\" is none of the zones\n"
        "p.yaml:4:86: records[0]: route53.zones[0]: \"z1\" is no id of a zone, such as "
        "Z0123456789ABC\n"},
    {"an entry says name, type and targets", ONE(FILES ", entries: [{ttl: 5}]"),
        "p.yaml:4:107: records[0].entries[0]: say name, in one of the zones\n"
        "p.yaml:4:107: records[0].entries[0]: say type, such as A or CNAME\n"
        "p.yaml:4:107: records[0].entries[0]: say targets\n"},
    {"an entry lies in one of the zones",
        ONE(FILES ", entries: [{name: badexample.com, type: A, targets: 192.0.2.1}]"),
        "p.yaml:4:107: records[0]: \"badexample.com\" lies in none of the zones\n"},
    {"an entry has a name",
        ONE(FILES ", entries: [{name: a..example.com, type: A, targets: 192.0.2.1}]"),
        "p.yaml:4:107: records[0]: \"a..example.com\" is no DNS name\n"},
    {"an entry has a target", ONE(FILES ", entries: [{name: example.com, type: A, targets: []}]"),
        "p.yaml:4:107: records[0]: targets: there is none\n"},
    {"a property has a name and a value",
        ONE(FILES ", entries: [{name: example.com, type: A, targets: 192.0.2.1, properties: "
                  "[alias, =x]}]"),
        "p.yaml:4:107: records[0]: properties: \"alias\" is not NAME=VALUE\n"
        "p.yaml:4:107: records[0]: properties: \"=x\" is not NAME=VALUE\n"},
    {"two entries have two names", HEAD "records:\n- {" FILES "}\n- {" ANY ", provider: route53}\n",
        AT_SECOND "there is a \"a\" already\n"},
    {"two entries do not share a zone of a server",
        TWO("provider: powerdns, powerdns: {url: \"http://h\", apiKeyFile: k}",
            "provider: powerdns, powerdns: {url: \"http://h\", apiKeyFile: l}"),
        AT_SECOND "records[0] keeps \"example.com\" there already, under the same owner: put them "
                  "together, or give each an owner\n"},
    {"nor of the same address",
        TWO("provider: rfc2136, rfc2136: {server: 192.0.2.53}",
            "provider: rfc2136, rfc2136: {server: \"192.0.2.53:53\"}"),
        AT_SECOND "records[0] keeps \"example.com\" there already, under the same owner: put them "
                  "together, or give each an owner\n"},
    {"nor of a webhook",
        TWO("provider: webhook, webhook: {url: \"http://h\"}",
            "provider: webhook, webhook: {url: \"http://h\"}"),
        AT_SECOND "records[0] keeps \"example.com\" there already, under the same owner: put them "
                  "together, or give each an owner\n"},
    {"nor of an account", TWO("provider: route53", "provider: route53"),
        AT_SECOND "records[0] keeps \"example.com\" there already, under the same owner: put them "
                  "together, or give each an owner\n"},
    {"nor a file, whoever they are",
        TWO("owner: x, provider: zonefile, zonefile: {directory: d}",
            "owner: y, provider: zonefile, zonefile: {directory: d}"),
        AT_SECOND "records[0] writes the file of \"example.com\" there already: put them "
                  "together\n"},
    {"one thing says who writes",
        HEAD "recordsLease: {cluster: c7, etcd: {endpoints: [\"e:2379\"]}}\n",
        "p.yaml: recordsLease: say cluster or etcd, not both: one of them says who writes\n"
        "p.yaml: recordsLease.cluster: \"c7\" is no cluster with a context or inCluster\n"},
    {"a name alone elects nobody", HEAD "recordsLease: {name: one, namespace: dns}\n",
        "p.yaml: recordsLease: say cluster or etcd: without one of them every daemon writes\n"},
    {"an etcd has members", HEAD "recordsLease: {etcd: {prefix: /p}}\n",
        "p.yaml: recordsLease.etcd: say endpoints: [https://HOST:PORT]\n"},
    {"a Lease is an object of an API server", HEAD "recordsLease: {cluster: c1}\n",
        "p.yaml: recordsLease.cluster: \"c1\" is no cluster with a context or inCluster\n"},
    {"of a cluster that there is", HEAD "recordsLease: {cluster: c7}\n",
        "p.yaml: recordsLease.cluster: \"c7\" is no cluster with a context or inCluster\n"},
    {"and beside one whose name is none",
        "clusters: [{name: C9, directory: a}]\nrecordsLease: {cluster: c7}\n",
        "p.yaml:1:19: clusters[0].name: \"C9\" is no RFC 1123 label (1 to 63 of a-z 0-9 -, no - at "
        "an "
        "end)\n"
        "p.yaml: recordsLease.cluster: \"c7\" is no cluster with a context or inCluster\n"},
    {"that is all that is wrong with a good one", ONE(FILES), ""},
    {"two owners share a zone",
        TWO("owner: x, provider: webhook, webhook: {url: \"http://h\"}",
            "owner: y, provider: webhook, webhook: {url: \"http://h\"}"),
        ""},
    {"a zone is kept on two servers",
        TWO("provider: rfc2136, rfc2136: {server: 192.0.2.53}",
            "provider: rfc2136, rfc2136: {server: 192.0.2.54}"),
        ""},
    {"a zone is kept by two kinds of servers",
        TWO("provider: route53", "provider: webhook, webhook: {url: \"http://h\"}"), ""},
    {"a public and a private zone have one name",
        TWO("provider: route53", "provider: route53, route53: {private: true}"), ""},
    {"external-dns's usual name may be said", ONE(FILES ", owner: default"), ""},
    {"what is said to be empty is empty",
        ONE(ANY ", txtPrefix: \"\", txtSuffix: \"\", txtWildcardReplacement: \"\", provider: "
                "route53, route53: {endpoint: \"\"}"),
        ""},
};

static void test_wrong(void **state)
{
    const struct wrong_case *c = *state;
    struct pin_config *config = load(c->text);
    assert_string_equal(pin_findings_text(&findings), c->want);
    done(config);
}

static void test_target(void **state)
{
    (void)state;
    struct pin_config *config = load(
        ONE(FILES ", entries: [{name: example.com, type: A, targets: [192.0.2.1, 192.0.2.256]}]"));
    assert_non_null(strstr(pin_findings_text(&findings),
        "p.yaml:4:107: records[0]: \"192.0.2.256\" is no A record: "));
    assert_null(strstr(pin_findings_text(&findings), "\"192.0.2.1\""));
    done(config);
}

static void test_none(void **state)
{
    (void)state;
    struct pin_config *config = load(HEAD "records: []\n");
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_records, 0);
    done(config);
}

static void test_defaults(void **state)
{
    (void)state;
    struct pin_config *config = load(ONE(UPDATES "}"));
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_records, 1);
    const struct pin_config_records *records = &config->records[0];
    assert_string_equal(records->name, "a");
    assert_int_equal(records->policy, PIN_RECORDPLAN_SYNC + 1);
    assert_string_equal(records->owner, "demo");
    assert_string_equal(records->txt_prefix, "");
    assert_string_equal(records->txt_suffix, "");
    assert_string_equal(records->txt_wildcard, "");
    assert_null(records->txt_key_file);
    assert_int_equal(records->delete_percent, 20);
    assert_int_equal(records->interval_s, 60);
    assert_false(records->is_dry_run);
    assert_int_equal(records->targets, PIN_CONFIG_TARGETS_ADDRESSES);
    assert_true(pin_config_records_want(records, "crd"));
    assert_int_equal(records->provider, PIN_CONFIG_RFC2136);
    assert_int_equal(records->rfc2136.server.port, 53);
    assert_null(records->rfc2136.key_name);
    assert_string_equal(records->powerdns.server, "localhost");
    done(config);
}

static void test_all(void **state)
{
    (void)state;
    struct pin_config *config = load(ONE(
        "name: a, provider: rfc2136, zones: [Example.com., b.example], policy: create-only, owner: "
        "o, txtPrefix: \"%{record_type}.X-\", txtWildcardReplacement: Any, txtEncryptKeyFile: /k, "
        "maxDeletes: 0%, interval: 5m, dryRun: true, targets: assigned, sources: [httproute, crd], "
        "rfc2136: {server: \"[2001:db8::53]:5353\", tsig: {name: Key., algorithm: hmac-sha512, "
        "secretFile: /s}}, "
        "entries: [{name: \"*.Example.com\", type: A, ttl: 1m, targets: 192.0.2.1, "
        "setIdentifier: s, properties: [aws/weight=10]}, "
        "{name: b.example, type: TXT, targets: [\"a\", \"b\"]}]"));
    assert_string_equal(pin_findings_text(&findings), "");
    const struct pin_config_records *records = &config->records[0];
    assert_string_equal(records->zones[0], "example.com");
    assert_int_equal(records->n_zones, 2);
    assert_int_equal(records->policy, PIN_RECORDPLAN_CREATE_ONLY + 1);
    assert_string_equal(records->owner, "o");
    assert_string_equal(records->txt_prefix, "%{record_type}.x-");
    assert_string_equal(records->txt_wildcard, "any");
    assert_string_equal(records->txt_key_file, "/k");
    assert_int_equal(records->delete_percent, 0);
    assert_int_equal(records->interval_s, 300);
    assert_true(records->is_dry_run);
    assert_int_equal(records->targets, PIN_CONFIG_TARGETS_ASSIGNED);
    assert_true(pin_config_records_want(records, "httproute"));
    assert_false(pin_config_records_want(records, "service"));
    assert_int_equal(records->rfc2136.server.port, 5353);
    assert_string_equal(records->rfc2136.key_name, "key");
    assert_int_equal(records->rfc2136.algorithm, PIN_HASH_SHA512);
    assert_string_equal(records->rfc2136.secret_file, "/s");
    assert_int_equal(records->n_entries, 2);
    assert_int_equal(records->entries[0].ttl_s, 60);
    assert_int_equal(records->entries[0].n_targets, 1);
    assert_string_equal(records->entries[0].set_id, "s");
    assert_string_equal(records->entries[0].properties[0], "aws/weight=10");
    assert_int_equal(records->entries[1].n_targets, 2);
    assert_int_equal(records->entries[1].ttl_s, 0);
    done(config);
}

static void test_many(void **state)
{
    (void)state;
    static char text[16384];
    size_t used = (size_t)snprintf(text, sizeof(text), HEAD "records:\n");
    for (unsigned i = 0; i <= PIN_RECORDS_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used,
            "- {name: a%u, zones: [z%u.example], policy: sync, provider: route53}\n", i, i);
    }
    struct pin_config *config = load(text);
    assert_string_equal(pin_findings_text(&findings), "p.yaml:4:3: records: more than 64\n");
    done(config);
    used = (size_t)snprintf(text, sizeof(text), HEAD "records:\n- {" ANY ", provider: route53, ");
    used += (size_t)snprintf(text + used, sizeof(text) - used, "sources: [crd");
    for (unsigned i = 0; i < PIN_RECORDS_ZONES_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, ",crd");
    }
    (void)snprintf(text + used, sizeof(text) - used, "]}\n");
    config = load(text);
    assert_string_equal(pin_findings_text(&findings), AT_ITEM "sources: more than 1000\n");
    done(config);
}

static void test_notes(void **state)
{
    struct pin_findings notes = {0};
    (void)state;
    struct pin_config *config = load(
        ONE(UPDATES ", tsig: {name: k, secretFile: /nowhere/s}}, txtEncryptKeyFile: /dev/null"));
    assert_string_equal(pin_findings_text(&findings), "");
    pin_app_files_note(config, NULL, &notes);
    assert_int_equal(notes.n, 2);
    const char *text = pin_findings_text(&notes);
    assert_int_equal(
        strncmp(text, AT_ITEM_OF("txtEncryptKeyFile: "), strlen(AT_ITEM_OF("txtEncryptKeyFile: "))),
        0);
    assert_non_null(strstr(text, "\n" AT_ITEM_OF("rfc2136.tsig.secretFile: ")));
    assert_non_null(strstr(text, "/nowhere/s"));
    pin_findings_done(&notes);
    done(config);
}

#define TEST(text, function)                                                                       \
    {                                                                                              \
        .name = (text), .test_func = (function)                                                    \
    }

/* What the catalog is told to claim. */
static void test_wants(void **state)
{
    struct pin_settings settings;
    struct pin_config *config = load(ONE(FILES
        ", targets: assigned, sources: [service, crd], entries: [{name: www.example.com, type: A, "
        "ttl: 1m, targets: [192.0.2.1, 192.0.2.2], setIdentifier: v1, properties: "
        "[aws/weight=10, alias=]}]"));
    (void)state;
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(pin_config_settings(config, &settings, NULL), PIN_OK);
    assert_int_equal(settings.n_records, 1);
    const struct pin_record_want *want = &settings.records[0];
    assert_string_equal(want->name, "a");
    assert_string_equal(want->zones[0], "example.com");
    assert_true(want->to_assigned);
    assert_int_equal(want->kinds, 1u << PIN_KIND_SERVICE | 1u << PIN_KIND_DNS_ENDPOINT);
    assert_false(pin_settings_records(&settings, PIN_KIND_INGRESS));
    assert_int_equal(want->n_entries, 1);
    const struct pin_claim_record *entry = &want->entries[0];
    assert_string_equal(entry->name, "www.example.com");
    assert_string_equal(entry->set_id, "v1");
    assert_int_equal(entry->ttl_s, 60);
    assert_string_equal(entry->targets[1], "192.0.2.2");
    assert_string_equal(entry->properties[0].name, "aws/weight");
    assert_string_equal(entry->properties[0].value, "10");
    assert_string_equal(entry->properties[1].name, "alias");
    assert_string_equal(entry->properties[1].value, "");
    done(config);
    config = load(ONE(FILES));
    assert_int_equal(pin_config_settings(config, &settings, NULL), PIN_OK);
    assert_int_equal(settings.records[0].kinds, PIN_RECORD_KINDS); /* where none is named */
    assert_false(settings.records[0].to_assigned);
    done(config);
}

int main(void)
{
    static const struct CMUnitTest more[] = {
        TEST("it becomes what the catalog claims", test_wants),
        TEST("each target is one of its type", test_target),
        TEST("nothing is refused where nothing is kept", test_none),
        TEST("what is not said has a default", test_defaults),
        TEST("all of it can be said", test_all),
        TEST("there are not too many", test_many),
        TEST("keys that are not there are told", test_notes),
    };
    struct CMUnitTest tests[N_ELEMS(wrong_cases) + N_ELEMS(more)];
    for (size_t i = 0; i < N_ELEMS(wrong_cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = wrong_cases[i].name, .test_func = test_wrong, .initial_state = &wrong_cases[i]};
    }
    memcpy(tests + N_ELEMS(wrong_cases), more, sizeof(more));
    return _cmocka_run_group_tests("config_records", tests, N_ELEMS(tests), NULL, NULL);
}
