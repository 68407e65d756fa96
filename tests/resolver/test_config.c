/* SPDX-License-Identifier: Apache-2.0 */

/* What a configuration file says, and how it is told what is wrong with it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"

#include "resolver/config.h"

#define A32         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A129        A32 A32 A32 A32 "a"
#define ONE_CLUSTER "clusters: [{name: c1, context: c1}]\n"

/* Reads a text as the file "p.yaml", with the checks; the findings are in `findings`. */
static struct pin_config *read_text(const char *text, struct pin_findings *findings)
{
    struct pin_args args = {0};
    struct pin_config *config = pin_config_load(&args, NULL, findings);
    assert_non_null(config);
    assert_int_equal(findings->n, 0);
    config->file = "p.yaml";
    config->n_listens = 0;
    pin_config_read(config, "p.yaml", text, strlen(text), findings);
    pin_config_check(config, findings);
    return config;
}

/* --- What is wrong --------------------------------------------------------------------------- */

static struct wrong_case {
    const char *name; /* reads as a sentence in the test report */
    const char *text;
    const char *want; /* all findings, in order */
} wrong_cases[] = {
    {"an unknown key names its place and the nearest known key", "listn: []\n",
        "p.yaml:1:1: unknown key \"listn\", did you mean \"listen\"?\n"},
    {"an unknown key below another one is named in full", "steering:\n  tll: 5\n",
        "p.yaml:2:3: unknown key \"steering.tll\", did you mean \"ttl\"?\n"},
    {"a key like no other gets no suggestion", "xyzzyplugh: 1\n",
        "p.yaml:1:1: unknown key \"xyzzyplugh\"; 'pintlectl config explain' lists all keys\n"},
    {"all findings are listed, not only the first", "workers: 0\nlistn: []\nclusterSet: A_B\n",
        "p.yaml:1:10: workers: 0 is out of range, 1 to 256 are allowed\n"
        "p.yaml:2:1: unknown key \"listn\", did you mean \"listen\"?\n"
        "p.yaml:3:13: clusterSet: \"A_B\" is no RFC 1123 label (1 to 63 of a-z 0-9 -, no - at an "
        "end)\n"},
    {"a text where a number belongs is refused", "workers: many\n",
        "p.yaml:1:10: workers: want a whole number, found a string\n"},
    {"a map where a list belongs is refused", "clusters: {name: c1}\n",
        "p.yaml:1:11: clusters: want a list, found a map\n"},
    {"a list where a map belongs is refused", "zones: [a]\n",
        "p.yaml:1:8: zones: want a map, found a list\n"},
    {"a list item of the wrong kind is named by its number", "clusters: [c1]\n",
        "p.yaml:1:12: clusters[0]: want a map, found a string\n"},
    {"broken YAML names file, line and column", "a: [1\n", NULL},
    {"a ratio beyond the range names the range", "steering: {maxAnswers: 65}\n",
        "p.yaml:1:24: steering.maxAnswers: 65 is out of range, 1 to 64 are allowed\n"},
    {"a word that is none of the allowed ones lists them", "steering: {answers: some}\n",
        "p.yaml:1:21: steering.answers: \"some\" is not one of subset|single|all|group\n"},
    {"a duration with an unknown unit is refused", "ready: {grace: 5d}\n",
        "p.yaml:1:16: ready.grace: \"5d\" is no duration: seconds, or a number with s, m or h\n"},
    {"a duration beyond its range is refused", "steering: {ttl: 2h}\n",
        "p.yaml:1:17: steering.ttl: 2h is out of range, 0 to 3600 seconds are allowed\n"},
    {"an address that is none is refused", "listen: [{address: localhost}]\n",
        "p.yaml:1:20: listen[0].address: \"localhost\" is no ADDR[:PORT] with an IP address\n"},
    {"a range that is none is refused",
        "clusters: [{name: c1, context: c1, clients: [10.0.0.0/8, here]}]\n",
        "p.yaml:1:58: clusters[0].clients[1]: \"here\" is no address range such as "
        "10.10.0.0/16\n"},
    {"a range with a zone needs the range",
        "clusters: [{name: c1, context: c1, clients: [{zone: a}]}]\n",
        "p.yaml:1:46: clusters[0].clients[0]: net is missing, write {net: 10.10.1.0/24, zone: "
        "eu-1a}\n"},
    {"a range with a zone says nothing else",
        "clusters: [{name: c1, context: c1, clients: [{net: 10.0.0.0/8, node: a}]}]\n",
        "p.yaml:1:70: clusters[0].clients[0].node: unknown key, net and zone are known\n"},
    {"a gateway that looks like an address must be one",
        ONE_CLUSTER "networks: [{name: n, gateways: [192.0.2.300]}]\n",
        "p.yaml:2:33: networks[0].gateways[0]: \"192.0.2.300\" is no IP address\n"},
    {"a gateway by object names it whole",
        ONE_CLUSTER "networks: [{name: n, gateways: [{gateway: {cluster: c1, name: gw}}]}]\n",
        "p.yaml:2:33: networks[0].gateways[0]: want an address, a host name, or one of gateway "
        "and service with cluster, namespace and name\n"},
    {"a gateway is a Gateway or a Service, not both",
        ONE_CLUSTER
        "networks: [{name: n, gateways: [{gateway: {cluster: c1, namespace: a, name: b}, "
        "service: {cluster: c1, namespace: a, name: b}}]}]\n",
        "p.yaml:2:33: networks[0].gateways[0]: want an address, a host name, or one of gateway "
        "and service with cluster, namespace and name\n"},
    {"an unknown key of a gateway is told with the nearest one",
        ONE_CLUSTER "networks: [{name: n, gateways: [{servise: {cluster: c1}}]}]\n",
        "p.yaml:2:34: unknown key \"networks[0].gateways[0].servise\", did you mean "
        "\"service\"?\n"},
    {"a gateway's object is in a cluster that exists",
        ONE_CLUSTER
        "networks: [{name: n, gateways: [{service: {cluster: c9, namespace: a, name: b}}]}]\n",
        "p.yaml:2:33: networks[0].gateways[0]: there is no cluster \"c9\"\n"},
    {"an identity that no answer has room for", ONE_CLUSTER "dns: {identity: " A129 "}\n",
        "p.yaml:2:17: dns.identity: 129 bytes, at most 128 are allowed\n"},
    {"a rollover shorter than cookies live", ONE_CLUSTER "cookies: {rollover: 1h}\n",
        "p.yaml:2:21: cookies.rollover: 1h is out of range, 7200 to 3110400 seconds are "
        "allowed\n"},
    {"a TSIG key needs its secret", ONE_CLUSTER "tsigKeys: [{name: k}]\n",
        "p.yaml:2:12: tsigKeys[0]: want {name: NAME, secretFile: PATH}, and perhaps algorithm\n"},
    {"a TSIG key is named once",
        ONE_CLUSTER "tsigKeys: [{name: k, secretFile: a}, {name: K., secretFile: b}]\n",
        "p.yaml:2:38: tsigKeys[1]: there is a key \"k\" already\n"},
    {"MD5 and SHA-1 sign nothing",
        ONE_CLUSTER "tsigKeys: [{name: k, algorithm: hmac-sha1, secretFile: a}]\n",
        "p.yaml:2:33: tsigKeys[0].algorithm: \"hmac-sha1\" is not one of "
        "hmac-sha224|hmac-sha256|hmac-sha384|hmac-sha512\n"},
    {"a transfer says who may", ONE_CLUSTER "zones: {custom: [e.x]}\ntransfers: [{zone: e.x}]\n",
        "p.yaml:3:13: transfers[0]: want {zone: NAME, allow: [RANGE or key:NAME]}, and perhaps "
        "notify and key\n"},
    {"zones that differ by asker are not transferred",
        ONE_CLUSTER "transfers: [{zone: clusterset.local, allow: [10.0.0.0/8]}]\n",
        "p.yaml:2:13: transfers[0]: \"clusterset.local\" is none of zones.custom and zones.files; "
        "answers of other zones depend on who asks\n"},
    {"a zone is transferred by one entry",
        ONE_CLUSTER "zones: {custom: [e.x]}\ntransfers: [{zone: e.x, allow: [10.0.0.0/8]}, "
                    "{zone: E.x, allow: [10.0.0.0/8]}]\n",
        "p.yaml:3:47: transfers[1]: zone \"e.x\" is there already\n"},
    {"whom to tell is an address",
        ONE_CLUSTER "zones: {custom: [e.x]}\ntransfers: [{zone: e.x, notify: [ns2.e.x]}]\n",
        "p.yaml:3:34: transfers[0].notify[0]: \"ns2.e.x\" is no ADDR[:PORT] with an IP address\n"
        "p.yaml:3:13: transfers[0]: want {zone: NAME, allow: [RANGE or key:NAME]}, and perhaps "
        "notify and key\n"},
    {"a resolver is an address", "resolvers: [dns.example]\n",
        "p.yaml:1:13: resolvers[0]: \"dns.example\" is no ADDR[:PORT] with an IP address\n"},
    {"a cluster name must be an RFC 1123 label", "clusters: [{name: C_1, context: c1}]\n",
        "p.yaml:1:19: clusters[0].name: \"C_1\" is no RFC 1123 label (1 to 63 of a-z 0-9 -, no - "
        "at an end)\n"},
    {"a cluster needs a name", "clusters: [{context: c1}]\n",
        "p.yaml:1:12: clusters[0]: no name\n"},
    {"a cluster needs a source", "clusters: [{name: c1}]\n",
        "p.yaml:1:12: cluster \"c1\" has no source: say context, directory, inCluster or etcd\n"},
    {"a cluster has one source", "clusters: [{name: c1, context: c1, directory: c1}]\n",
        "p.yaml:1:12: cluster \"c1\" has more than one source: keep one of context, directory, "
        "inCluster and etcd\n"},
    {"a cluster name is used once",
        "clusters:\n  - {name: c1, context: a}\n  - {name: c1, context: b}\n",
        "p.yaml:3:5: cluster \"c1\" is there twice, first at line 2\n"},
    {"a listener belongs to a cluster that exists",
        ONE_CLUSTER "listen: [{address: 127.0.0.1, cluster: c9}]\n",
        "p.yaml:2:10: listen[0].cluster: there is no cluster \"c9\"\n"},
    {"an address is listened on once",
        ONE_CLUSTER "listen: [{address: 127.0.0.1:53}, {address: \"127.0.0.1:53\"}]\n",
        "p.yaml:2:35: listen[1]: 127.0.0.1:53 is there twice\n"},
    {"the default cluster exists", ONE_CLUSTER "defaultCluster: c2\n",
        "p.yaml: defaultCluster: there is no cluster \"c2\"\n"},
    {"readiness cannot need more clusters than there are", ONE_CLUSTER "ready: {minClusters: 2}\n",
        "p.yaml: ready.minClusters is 2, but there are only 1 clusters\n"},
    {"two zones do not share a name", "zones: {assigned: clusterset.local}\n",
        "p.yaml: zones: \"clusterset.local\" is used for two of clusterSet, assigned and "
        "cluster\n"},
    {"a zone is a DNS name", "zones: {assigned: a..b}\n",
        "p.yaml:1:19: zones.assigned: \"a..b\" is no DNS name\n"},
    {"another version of the format is refused", "apiVersion: pintle.dev/v2\n",
        "p.yaml:1:13: apiVersion: this version reads \"pintle.dev/v1alpha1\", not "
        "\"pintle.dev/v2\"\n"},
    {"two documents are one too many", "workers: 1\n---\nworkers: 2\n",
        "p.yaml:1:1: want one document that is a map\n"},
    {"a listener for proxies names them", "listen: [{address: 127.0.0.1:53, proxy: {}}]\n",
        "p.yaml:1:10: listen[0].proxy: want {from: [PREFIX, ...]}\n"},
    {"a limit on streams is in range", "streams: {maxPerClient: 0}\n",
        "p.yaml:1:25: streams.maxPerClient: 0 is out of range, 1 to 1000000 are allowed\n"},
    {"a deadline of streams is in range", "streams: {idleTimeout: 2h}\n",
        "p.yaml:1:24: streams.idleTimeout: 2h is out of range, 0 to 3600 seconds are allowed\n"},
    {"a cache has a size", "cache: {size: 64MB}\n",
        "p.yaml:1:15: cache.size: \"64MB\" is no size: bytes, or a number with Ki, Mi or Gi\n"},
    {"a cache has room for something", "cache: {size: 100Ki}\n",
        "p.yaml:1:15: cache.size: 100Ki is out of range, 1048576 to 68719476736 bytes are "
        "allowed\n"},
    {"expired answers are not served for weeks", "cache: {serveStale: 100h}\n",
        "p.yaml:1:21: cache.serveStale: 100h is out of range, 0 to 259200 seconds are allowed\n"},
    {"a DoT listener has certificate and key",
        "listen: [{address: 127.0.0.1:853, tls: {certificate: a}}]\n",
        "p.yaml:1:10: listen[0].tls: want {certificate: FILE, key: FILE}\n"},
    {"a DoT listener without both is no plain one", "listen: [{address: 127.0.0.1:853, tls: {}}]\n",
        "p.yaml:1:10: listen[0].tls: want {certificate: FILE, key: FILE}\n"},
    {"a DoH listener wants certificate and key",
        "listen: [{address: 127.0.0.1:443, https: {path: /dns-query}}]\n",
        "p.yaml:1:10: listen[0].https: want {certificate: FILE, key: FILE}\n"},
    {"a path of DoH begins with a slash",
        "listen: [{address: 127.0.0.1:443, https: {certificate: a, key: b, path: dns-query}}]\n",
        "p.yaml:1:10: listen[0].https.path: want a path like /dns-query, without a query\n"},
    {"a name is written as it is asked for", ONE_CLUSTER "zones: {custom: [b\xc3\xbc.example]}\n",
        "p.yaml:2:18: zones.custom[0]: \"b\xc3\xbc.example\" is not asked for in these letters: "
        "write its xn-- form\n"},
    {"an address behind a wildcard is not listened on again",
        ONE_CLUSTER
        "listen: [{address: 127.0.0.1:53}, {address: \"[::]:53\"}, {address: 0.0.0.0:53}]\n",
        "p.yaml:2:10: listen[0]: 127.0.0.1:53 is one of all addresses at that port, which are "
        "there too\n"},
    {"a query log goes somewhere", ONE_CLUSTER "queryLog: {sample: 100}\n",
        "p.yaml: queryLog: nothing would be written; say file or stdout: true\n"},
    {"dnstap goes somewhere", ONE_CLUSTER "dnstap: {identity: a, address: \"192.0.2.1:0\"}\n",
        "p.yaml: dnstap: nothing would be sent; say socket, or address with a port\n"},
    {"a mailbox is written as a name", ONE_CLUSTER "dns: {hostmaster: joe@example.com}\n",
        "p.yaml: dns.hostmaster: \"joe@example.com\": a mailbox is written as a name, with a dot "
        "in place of the @\n"},
    {"resolvers ask at port 53 alone", ONE_CLUSTER "dns: {addresses: [\"192.0.2.53:5300\"]}\n",
        "p.yaml: dns.addresses: \"192.0.2.53:5300\": resolvers ask name servers at port 53 "
        "alone\n"},
    {"and has no query",
        "listen: [{address: 127.0.0.1:443, https: {certificate: a, key: b, path: '/q?dns='}}]\n",
        "p.yaml:1:10: listen[0].https.path: want a path like /dns-query, without a query\n"},
    {"a listener speaks DoT or DoH",
        "listen: [{address: 127.0.0.1:443, tls: {certificate: a, key: b}, https: {certificate: a, "
        "key: b}}]\n",
        "p.yaml:1:10: listen[0]: want tls or https, two listeners for both\n"},
    {"a custom zone is no other zone", "zones: {custom: [a.com, pintle.internal]}\n",
        "p.yaml: zones.custom: \"pintle.internal\" is a zone already, name each once\n"},
    {"a custom zone is named once", "zones: {custom: [a.com, A.com.]}\n",
        "p.yaml: zones.custom: \"a.com\" is a zone already, name each once\n"},
    {"a static zone needs a file", "zones: {files: [{zone: a.com}]}\n",
        "p.yaml:1:17: zones.files[0]: want {zone: NAME, file: PATH}\n"},
    {"a static zone has one file",
        "zones: {files: [{zone: a.com, file: a}, {zone: A.com, file: b}]}\n",
        "p.yaml:1:41: zones.files[1]: zone \"a.com\" has a file already, $INCLUDE one in the "
        "other\n"},
    {"a static zone is none that clusters fill",
        "zones: {files: [{zone: pintle.internal, file: a}]}\n",
        "p.yaml:1:17: zones.files[0]: clusters fill \"pintle.internal\", a file cannot\n"},
    {"a static zone may be a custom one too",
        "zones: {custom: [a.com], files: [{zone: a.com, file: a}]}\n", ""},
    {"an etcd source needs members", "clusters: [{name: c1, etcd: {prefix: /p}}]\n",
        "p.yaml:1:12: etcd: say endpoints: [https://HOST:PORT]\n"},
    {"an etcd member has a port", "clusters: [{name: c1, etcd: {endpoints: [\"https://e\"]}}]\n",
        "p.yaml:1:12: etcd.endpoints: \"https://e\" is not https://HOST:PORT or HOST:PORT\n"},
    {"an etcd member is asked over HTTP",
        "clusters: [{name: c1, etcd: {endpoints: [\"grpc://e:2379\"]}}]\n",
        "p.yaml:1:12: etcd.endpoints: \"grpc://e:2379\" is not https://HOST:PORT or HOST:PORT\n"},
    {"an etcd prefix names something",
        "clusters: [{name: c1, etcd: {endpoints: [\"e:2379\"], prefix: //}}]\n",
        "p.yaml:1:12: etcd.prefix: \"//\" must begin with / and name something\n"},
    {"an etcd user has a password",
        "clusters: [{name: c1, etcd: {endpoints: [\"e:2379\"], user: u}}]\n",
        "p.yaml:1:12: etcd: user and passwordFile go together\n"},
    {"a certificate for etcd has a key",
        "clusters: [{name: c1, etcd: {endpoints: [\"e:2379\"], certificate: c}}]\n",
        "p.yaml:1:12: etcd: certificate and key go together\n"},
    {"a publisher needs members, too", ONE_CLUSTER "publish: {etcd: {user: u}}\n",
        "p.yaml: publish.etcd: say endpoints: [https://HOST:PORT]\n"
        "p.yaml: publish.etcd: user and passwordFile go together\n"},
    {"an unknown stale policy lists the known ones", "stale: {policy: ask, after: 24h}\n",
        "p.yaml:1:17: stale.policy: \"ask\" is not one of keep|drop|probe\n"},
    {"stale answers are not dropped at once",
        "clusters: [{name: c1, context: c1, stale: {policy: drop, after: 0}}]\n",
        "p.yaml:1:65: clusters[0].stale.after: 0 is out of range, 1 to 31536000 seconds are "
        "allowed\n"},
    {"an unknown allDown lists the allowed ones", "steering: {allDown: some}\n",
        "p.yaml:1:21: steering.allDown: \"some\" is not one of all|none|lastGood\n"},
    {"an upThreshold is a percentage", "steering: {upThreshold: 101}\n",
        "p.yaml:1:25: steering.upThreshold: 101 is out of range, 0 to 100 are allowed\n"},
    {"probes need a second's allowance", "health: {maxPerSecond: 0}\n",
        "p.yaml:1:24: health.maxPerSecond: 0 is out of range, 1 to 10000 are allowed\n"},
    {"probed networks are there", "health: {networks: [default, nowhere]}\n",
        "p.yaml: health.networks: there is no network \"nowhere\"\n"},
    {"a command has an absolute path", "health: {commands: [{name: pg, run: [pg_isready]}]}\n",
        "p.yaml:1:21: command \"pg\": run must begin with the absolute path of a program\n"},
    {"a command has a program", "health: {commands: [{name: pg}]}\n",
        "p.yaml:1:21: command \"pg\": run must begin with the absolute path of a program\n"},
    {"a command has a name", "health: {commands: [{run: [/bin/true]}]}\n",
        "p.yaml:1:21: a command needs a name\n"},
    {"a command is there once",
        "health: {commands: [{name: a, run: [/bin/true]}, {name: a, run: [/bin/false]}]}\n",
        "p.yaml:1:50: there are two commands \"a\"\n"},
    {"metrics are named as servers that we know", "compat: {metrics: [external-dsn]}\n",
        "p.yaml: compat.metrics: \"external-dsn\" is not one of external-dns, did you mean "
        "\"external-dns\"?\n"},
    {"a compatibility word lists the allowed ones", "compat: {zeroWeight: always}\n",
        "p.yaml:1:22: compat.zeroWeight: \"always\" is not one of never|standby\n"},
    {"a key inside a group that is not built is still checked", "cache: {siez: 64Mi}\n",
        "p.yaml:1:9: unknown key \"cache.siez\", did you mean \"size\"?\n"},
};

static void test_wrong(void **state)
{
    const struct wrong_case *c = *state;
    struct pin_findings findings = {0};
    struct pin_config *config = read_text(c->text, &findings);
    if (c->want != NULL) {
        assert_string_equal(pin_findings_text(&findings), c->want);
    } else {
        assert_int_equal(findings.n, 1);
        assert_int_equal(strncmp(pin_findings_text(&findings), "p.yaml:2:1: ", 12), 0);
    }
    pin_findings_done(&findings);
    pin_config_free(config);
}

/* --- What is accepted ------------------------------------------------------------------------ */

static struct right_case {
    const char *name;
    const char *text;
} right_cases[] = {
    {"features that are not built accept their default", ONE_CLUSTER
        "forward: []\nrecords: []\nstale: {policy: keep, after: 24h}\n"
        "policy: {mode: enforce, denied: refused}\nwriteBack: {annotations: false}\n"
        "compat: {lighthouse: false, ptr: true, metrics: [external-dns]}\nzones: {custom: []}\n"
        "steering: {emptyBackend: renormalise, allDown: all}\nstateDir: null\n"
        "cache: {size: 64Mi, prefetch: true}\ngeo: {database: \"\", map: []}\n"},
    {"clusters come from etcd, and go there",
        "clusters: [{name: c1, etcd: {endpoints: [\"https://[::1]:2379\", e:2379], ca: a}}]\n"
        "publish: {etcd: {endpoints: [\"http://e:2379\"], prefix: /p/q/, user: u, "
        "passwordFile: f}}\n"},
    {"health probes and what they do to answers can be said", ONE_CLUSTER
        "steering: {allDown: lastGood, upThreshold: 50}\n"
        "health: {maxPerSecond: 50, commands: [{name: pg, run: [/usr/bin/pg_isready, -h, "
        "'{address}']}]}\n"},
    {"what empty and weightless backends do can be said", ONE_CLUSTER
        "steering: {emptyBackend: nodata}\n"
        "compat: {zeroWeight: standby, emptyService: nxdomain, headlessEmpty: nodata}\n"},
    {"the schema of names can be said",
        ONE_CLUSTER "dns: {versions: {clusterSet: 1.1.0, cluster: '1.1.0'}}\n"},
    {"names beside the specification can be said", ONE_CLUSTER
        "compat: {filterFamilies: true, lighthouse: true, extensions: false, ptr: false}\n"},
    {"a network that no entry describes is fine",
        "clusters: [{name: c1, context: c1, network: nowhere}]\n"},
    {"a key without a value counts as not written", ONE_CLUSTER "listen:\nworkers:\n"},
    {"JSON is read too", "{\"clusters\": [{\"name\": \"c1\", \"context\": \"c1\"}]}"},
};

static void test_right(void **state)
{
    const struct right_case *c = *state;
    struct pin_findings findings = {0};
    struct pin_config *config = read_text(c->text, &findings);
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_clusters, 1);
    pin_findings_done(&findings);
    pin_config_free(config);
}

static void test_defaults(void **state)
{
    (void)state;
    struct pin_findings findings = {0};
    struct pin_args args = {0};
    char text[PIN_ADDRPORT_TEXT_MAX];
    struct pin_config *config = pin_config_load(&args, NULL, &findings);

    assert_int_equal(findings.n, 0);
    assert_int_equal(config->n_listens, 1);
    assert_string_equal(pin_addrport_format(&config->listens[0].address, text), "127.0.0.1:5300");
    assert_string_equal(pin_addrport_format(&config->admin, text), "127.0.0.1:9153");
    assert_string_equal(config->cluster_set, "default");
    assert_string_equal(config->zone_cluster_set, "clusterset.local");
    assert_string_equal(config->zone_assigned, "pintle.internal");
    assert_string_equal(config->zone_cluster, "cluster.local");
    assert_int_equal(config->ttl_s, 5);
    assert_int_equal(config->max_answers, 16);
    assert_int_equal(config->answers, PIN_ANSWERS_SUBSET);
    assert_int_equal(config->address, PIN_ADDRESS_AUTO);
    assert_int_equal(config->n_workers, 0);
    assert_int_equal(config->ready_min_clusters, 1);
    assert_int_equal(config->ready_grace_ms, 30000);
    assert_int_equal(config->lameduck_ms, 5000);
    assert_int_equal(config->log_level, PIN_LOG_INFO);
    pin_config_free(config);
}

static void test_gateways(void **state)
{
    (void)state;
    struct pin_findings findings = {0};
    struct pin_config *config = read_text(ONE_CLUSTER
        "networks: [{name: b, gateways: [\"2001:db8::1\", GW.Example., {gateway: {cluster: c1, "
        "namespace: istio, name: gw}}, {service: {cluster: c1, namespace: istio, name: lb}}]}]\n"
        "resolvers: [192.0.2.53, \"127.0.0.1:5354\"]\n",
        &findings);
    struct pin_settings settings;
    struct pin_why why = {0};

    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(pin_config_settings(config, &settings, &why), PIN_OK);
    const struct pin_network *network = &settings.networks[1];
    assert_int_equal(network->n_gateways, 4);
    assert_int_equal(network->gateways[0].kind, PIN_GATEWAY_IP);
    assert_int_equal(network->gateways[0].ip.family, 6);
    assert_int_equal(network->gateways[1].kind, PIN_GATEWAY_HOST);
    assert_string_equal(network->gateways[1].host, "gw.example");
    assert_int_equal(network->gateways[2].kind, PIN_GATEWAY_OBJECT);
    assert_string_equal(network->gateways[2].namespace_name, "istio");
    assert_int_equal(network->gateways[3].kind, PIN_GATEWAY_SERVICE);
    assert_string_equal(network->gateways[3].name, "lb");
    assert_int_equal(config->n_resolvers, 2);
    assert_int_equal(config->resolvers[0].port, 53);
    assert_int_equal(config->resolvers[1].port, 5354);
    pin_config_free(config);
    pin_findings_done(&findings);
}

static void test_values(void **state)
{
    (void)state;
    struct pin_findings findings = {0};
    struct pin_config *config = read_text(
        "clusterSet: demo\n"
        "listen: [{address: 127.0.0.1}, {address: \"[::1]:53\", cluster: c1}]\n"
        "networks: [{name: b, gateways: [192.0.2.20, \"2001:db8::1\"], clusterIPs: routable}]\n"
        "clusters:\n"
        "  - {name: c1, context: c1, network: a, weight: 7, region: eu,\n"
        "     clients: [10.10.0.0/16, {net: 10.10.1.0/24, zone: eu-1a}], zone: eu-1b}\n"
        "  - {name: lab, directory: lab, network: b, address: endpoints}\n"
        "  - {name: me, inCluster: true}\n"
        "zones: {assigned: Pintle.Example., custom: [Example.com, b.example]}\n"
        "steering: {ttl: 1m, answers: single, address: gateway}\n"
        "dns: {ns: [ns1.example.com], hostmaster: h.example.com}\n"
        "ready: {grace: 3}\n"
        "defaultCluster: lab\n"
        "trustedForwarders: [10.10.0.53/32, \"2001:db8::/64\"]\n"
        "policy: {mode: audit, denied: nxdomain}\n",
        &findings);
    struct pin_settings settings;
    struct pin_why why = {0};

    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->listens[0].address.port, 5300);
    assert_int_equal(config->listens[1].address.port, 53);
    assert_string_equal(config->listens[1].cluster, "c1");
    assert_string_equal(config->clusters[1].directory, "./lab");
    assert_string_equal(config->zone_assigned, "pintle.example");

    assert_int_equal(pin_config_settings(config, &settings, &why), PIN_OK);
    assert_string_equal(settings.cluster_set, "demo");
    assert_int_equal(settings.n_zones_custom, 2);
    assert_string_equal(settings.zones_custom[0], "example.com");
    assert_int_equal(settings.n_networks, 3);
    assert_string_equal(settings.networks[0].name, "default");
    assert_string_equal(settings.networks[1].name, "b");
    assert_int_equal(settings.networks[1].n_gateways, 2);
    assert_true(settings.networks[1].cluster_ips_routable);
    assert_string_equal(settings.networks[2].name, "a");
    assert_int_equal(settings.clusters[0].network, 2);
    assert_int_equal(settings.max_objects, 1000000);
    assert_int_equal(settings.clusters[0].weight, 7);
    assert_int_equal(settings.clusters[0].n_clients, 2);
    assert_int_equal(settings.clusters[0].clients[1].bits, 24);
    assert_null(settings.clusters[0].client_zones[0]);
    assert_string_equal(settings.clusters[0].client_zones[1], "eu-1a");
    assert_string_equal(settings.clusters[0].zone, "eu-1b");
    assert_int_equal(settings.clusters[1].network, 1);
    assert_int_equal(settings.clusters[1].weight, PIN_WEIGHT_UNSET);
    assert_int_equal(settings.clusters[1].address, PIN_ADDRESS_ENDPOINTS);
    assert_int_equal(settings.clusters[2].network, 0);
    assert_int_equal(settings.default_cluster, 1);
    assert_int_equal(settings.n_forwarders, 2);
    assert_int_equal(settings.forwarders[1].bits, 64);
    assert_true(settings.policy_audits);
    assert_int_equal(settings.policy_denied, PIN_POLICY_DENIED_NXDOMAIN);
    assert_int_equal(settings.ttl_s, 60);
    assert_int_equal(settings.negative_ttl_s, 5);
    assert_int_equal(settings.answers, PIN_ANSWERS_SINGLE);
    assert_int_equal(settings.address, PIN_ADDRESS_GATEWAY);
    assert_int_equal(settings.ready_grace_ms, 3000);
    assert_string_equal(settings.ns[0], "ns1.example.com");
    pin_config_free(config);
}

/* Where name servers are: as said, else where we listen for everybody. */
static void test_ns_addresses(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"listen: [{address: \"192.0.2.53:53\"}, {address: \"[2001:db8::53]:53\"}]\n",
            " 192.0.2.53 2001:db8::53"},
        {"listen: [{address: \"192.0.2.53:53\"}, {address: \"127.0.0.1:53\"}]\n", " 192.0.2.53"},
        {"listen: [{address: \"127.0.0.1:53\"}]\n", " 127.0.0.1"},
        {"listen: [{address: \"192.0.2.53:5300\"}, {address: \"0.0.0.0:53\"}]\n", ""},
        {"listen: [{address: \"[::]:53\"}, {address: \"192.0.2.1:53\", tls: {certificate: c, "
         "key: k}}]\n",
            ""},
        {"listen: [{address: \"192.0.2.53:53\"}]\ndns: {ns: [ns1.example.com]}\n", ""},
        {"listen: [{address: \"192.0.2.53:53\"}]\ndns: {addresses: [192.0.2.1, 2001:db8::1]}\n",
            " 192.0.2.1 2001:db8::1"},
    };
    (void)state;
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct pin_findings findings = {0};
        struct pin_settings settings;
        struct pin_text text = {0};
        struct pin_text seen = {0};
        char ip[PIN_IP_TEXT_MAX];
        pin_text_putf(&text, ONE_CLUSTER "%s", cases[i].text);
        struct pin_config *config = read_text(pin_text_get(&text), &findings);
        assert_string_equal(pin_findings_text(&findings), "");
        assert_int_equal(pin_config_settings(config, &settings, NULL), PIN_OK);
        for (size_t k = 0; k < settings.n_ns_addresses; k++) {
            pin_text_putf(&seen, " %s", pin_ip_format(&settings.ns_addresses[k], ip));
        }
        assert_string_equal(pin_text_get(&seen), cases[i].want);
        pin_text_done(&seen);
        pin_text_done(&text);
        pin_config_free(config);
    }
}

static const char geo_text[] = "clusters:\n"
                               "  - {name: c1, context: c1, region: eu}\n"
                               "  - {name: c2, context: c2, region: us}\n"
                               "  - {name: c3, context: c3, region: eu}\n"
                               "geo:\n"
                               "  database: geo.mmdb\n"
                               "  map:\n"
                               "  - {nets: [198.51.100.0/24], clusters: [c2, c1]}\n"
                               "  - {countries: [DE, fr], continents: [EU], clusters: [EU, c2]}\n";

static void test_geo_values(void **state)
{
    struct pin_findings findings = {0};
    struct pin_settings settings;
    struct pin_why why = {0};
    (void)state;
    struct pin_config *config = read_text(geo_text, &findings);
    pin_config_check_geo(config, &findings);
    assert_string_equal(pin_findings_text(&findings), "");
    assert_string_equal(config->geo_database, "./geo.mmdb");
    assert_int_equal(pin_config_settings(config, &settings, &why), PIN_OK);
    assert_int_equal(settings.n_geo_rules, 2);
    assert_int_equal(settings.geo_rules[0].nets[0].bits, 24);
    assert_string_equal(settings.geo_rules[0].clusters, "c2,c1");
    assert_string_equal(settings.geo_rules[1].countries[1], "FR");
    assert_string_equal(settings.geo_rules[1].continents[0], "EU");
    assert_string_equal(settings.geo_rules[1].clusters, "c1,c3,c2"); /* of region eu, then c2 */
    pin_config_free(config);
    pin_findings_done(&findings);
}

static void test_geo_findings(void **state)
{
    struct pin_findings findings = {0};
    (void)state;
    struct pin_config *config = read_text(ONE_CLUSTER "geo:\n  database: \"\"\n  map:\n"
                                                      "  - {nets: [10.0.0.0/8], clusters: [c9]}\n"
                                                      "  - {nets: [10.0.0.0/8]}\n"
                                                      "  - {countries: [GER], clusters: [c1]}\n",
        &findings);
    pin_config_check_geo(config, &findings);
    assert_string_equal(pin_findings_text(&findings),
        "p.yaml:5:5: geo.map: there is no cluster or region \"c9\"\n"
        "p.yaml:6:5: geo.map: an entry without clusters\n"
        "p.yaml:7:5: geo.map: country \"ger\" is no code of two letters\n"
        "p.yaml:7:5: geo.map: an entry without nets needs geo.database\n");
    pin_config_free(config);
    pin_findings_done(&findings);
}

/* A cluster whose name is refused has none, and is still there while the rest is looked at. */
static void test_geo_beside_a_bad_name(void **state)
{
    struct pin_findings findings = {0};
    (void)state;
    struct pin_config *config =
        read_text("clusters:\n  - {name: Bad_1, directory: a}\n  - {directory: b}\n"
                  "geo: {map: [{nets: [10.0.0.0/8], clusters: [c9]}]}\n",
            &findings);
    pin_config_check_geo(config, &findings);
    assert_non_null(strstr(pin_findings_text(&findings), "\"Bad_1\""));
    assert_non_null(strstr(pin_findings_text(&findings),
        "p.yaml:4:13: geo.map: there is no cluster or region \"c9\""));
    pin_config_free(config);
    pin_findings_done(&findings);
}

static struct duration_case {
    const char *name;
    const char *text;
    int64_t want_ms; /* -1: refused */
} duration_cases[] = {
    {"a bare number is seconds", "5", 5000},
    {"s is seconds", "5s", 5000},
    {"m is minutes", "2m", 120000},
    {"h is hours", "24h", 86400000},
    {"nothing is nothing", "0", 0},
    {"no number is refused", "s", -1},
    {"an empty text is refused", "", -1},
    {"two units are refused", "1h5m", -1},
    {"a fraction is refused", "1.5s", -1},
    {"a negative one is refused", "-1", -1},
    {"more than a year is refused", "9000h", -1},
    {"a number that overflows is refused", "99999999999999999999999", -1},
};

static void test_duration(void **state)
{
    const struct duration_case *c = *state;
    uint64_t ms = 0;
    assert_int_equal(pin_duration_parse(c->text, &ms), c->want_ms >= 0);
    if (c->want_ms >= 0) {
        assert_int_equal(ms, c->want_ms);
    }
}

/* --- Clusters from flags --------------------------------------------------------------------- */

static enum pin_err list_two(const char *kubeconfig, struct pin_arena *arena,
    const char *const **ret_names, size_t *ret_n, struct pin_why *why)
{
    static const char *const names[] = {"c1", "prod_eu@admin"};
    (void)kubeconfig;
    (void)arena;
    (void)why;
    *ret_names = names;
    *ret_n = N_ELEMS(names);
    return PIN_OK;
}

static struct contexts_case {
    const char *name;
    const char *contexts; /* NULL: --all-contexts */
    const char *want;     /* findings */
    size_t n_clusters;
} contexts_cases[] = {
    {"a context that is a label names its cluster", "c1", "", 1},
    {"NAME=CONTEXT renames", "c1,eu=prod_eu@admin", "", 2},
    {"a context that is no label needs a name", "prod_eu@admin",
        "context \"prod_eu@admin\": \"prod_eu@admin\" is no cluster name (an RFC 1123 label); "
        "write --contexts NAME=prod_eu@admin\n",
        0},
    {"a context that is not there is told, with the nearest", "c2",
        "--contexts: the kubeconfig has no context \"c2\", did you mean \"c1\"?\n", 0},
    {"... or with those there are", "staging",
        "--contexts: the kubeconfig has no context \"staging\"; it has c1, prod_eu@admin\n", 0},
    {"an empty item is told", "c1,", "--contexts: an empty name\n", 1},
    {"a cluster named twice is told", "c1,c1=prod_eu@admin", "cluster \"c1\" is named twice\n", 2},
    {"all contexts need names that are labels", NULL,
        "context \"prod_eu@admin\": \"prod_eu@admin\" is no cluster name (an RFC 1123 label); "
        "write --contexts NAME=prod_eu@admin\n",
        1},
};

static void test_contexts(void **state)
{
    const struct contexts_case *c = *state;
    struct pin_args args = {.contexts = c->contexts, .all_contexts = c->contexts == NULL};
    struct pin_findings findings = {0};
    struct pin_config *config = pin_config_load(&args, list_two, &findings);
    assert_string_equal(pin_findings_text(&findings), c->want);
    assert_int_equal(config->n_clusters, c->n_clusters);
    pin_findings_done(&findings);
    pin_config_free(config);
}

/* Directories become clusters, pintle.yaml beside them is the configuration, flags come last. */
static void test_directories(void **state)
{
    (void)state;
    char dir[] = "/tmp/pintle-config-XXXXXX";
    char path[128];
    struct pin_findings findings = {0};
    static const char text[] = "workers: 3\nclusters: [{name: other, context: other}]\n";

    assert_non_null(mkdtemp(dir));
    for (int i = 2; i >= 1; i--) {
        (void)snprintf(path, sizeof(path), "%s/c%d", dir, i);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    (void)snprintf(path, sizeof(path), "%s/.git", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/pintle.yaml", dir);
    assert_int_equal(pin_file_write_atomic(path, text, sizeof(text) - 1, 0644, NULL), PIN_OK);

    struct pin_args args = {.clusters_dir = dir};
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_workers, 3);
    assert_int_equal(config->n_clusters, 2);
    assert_string_equal(config->clusters[0].name, "c1");
    assert_string_equal(config->clusters[1].name, "c2");
    assert_int_equal(config->clusters[0].source, PIN_CONFIG_DIRECTORY);
    pin_config_free(config);

    args.workers = "5";
    config = pin_config_load(&args, NULL, &findings);
    assert_int_equal(config->n_workers, 5);
    pin_config_free(config);

    (void)unlink(path);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"c1", "c2", ".git"};
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)rmdir(path);
    }
    config = pin_config_load(&args, NULL, &findings);
    assert_int_equal(findings.n, 1);
    pin_findings_done(&findings);
    pin_config_free(config);
    (void)rmdir(dir);
    config = pin_config_load(&args, NULL, &findings);
    assert_int_equal(findings.n, 1);
    pin_findings_done(&findings);
    pin_config_free(config);
}

/* What the file says of a directory's cluster counts, its source does not. */
static void test_said_of_directories(void **state)
{
    (void)state;
    static const char text[] = "clusters: [{name: c2, context: old, region: eu, weight: 7}]\n"
                               "geo: {map: [{nets: [192.0.2.0/24], clusters: [eu]}]}\n";
    char dir[] = "/tmp/pintle-config-XXXXXX";
    char cluster[64];
    char file[64];
    struct pin_findings findings = {0};
    assert_non_null(mkdtemp(dir));
    (void)snprintf(cluster, sizeof(cluster), "%s/c2", dir);
    (void)snprintf(file, sizeof(file), "%s/pintle.yaml", dir);
    assert_int_equal(mkdir(cluster, 0755), 0);
    assert_int_equal(pin_file_write_atomic(file, text, sizeof(text) - 1, 0644, NULL), PIN_OK);

    struct pin_args args = {.clusters_dir = dir};
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_clusters, 1);
    assert_int_equal(config->clusters[0].source, PIN_CONFIG_DIRECTORY);
    assert_null(config->clusters[0].context);
    assert_string_equal(config->clusters[0].region, "eu");
    assert_int_equal(config->clusters[0].weight, 7);
    pin_config_free(config);
    pin_findings_done(&findings);
    (void)unlink(file);
    (void)rmdir(cluster);
    (void)rmdir(dir);
}

static void test_dev(void **state)
{
    (void)state;
    struct pin_args args = {.dev = true};
    struct pin_findings findings = {0};
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_clusters, 3);
    assert_string_equal(config->cluster_set, "demo");
    assert_string_equal(config->default_cluster, "c1");
    assert_int_equal(config->clusters[2].source, PIN_CONFIG_EMBEDDED);
    assert_int_equal(config->n_workers, 1);
    pin_config_free(config);
}

#define ADD(list, fn)                                                                              \
    for (size_t i = 0; i < N_ELEMS(list); i++) {                                                   \
        tests[n++] = (struct CMUnitTest){                                                          \
            .name = (list)[i].name, .test_func = (fn), .initial_state = &(list)[i]};               \
    }

int main(void)
{
    static struct CMUnitTest tests[128];
    const struct CMUnitTest singles[] = {
        {"defaults are those of the contract", test_defaults, NULL, NULL, NULL},
        {"every value reaches the settings", test_values, NULL, NULL, NULL},
        {"name servers are where we listen, or as said", test_ns_addresses, NULL, NULL, NULL},
        {"places reach the settings", test_geo_values, NULL, NULL, NULL},
        {"places that make no sense are told", test_geo_findings, NULL, NULL, NULL},
        {"and beside a cluster whose name is none", test_geo_beside_a_bad_name, NULL, NULL, NULL},
        {"gateways of all kinds reach the settings", test_gateways, NULL, NULL, NULL},
        {"sub-directories are clusters", test_directories, NULL, NULL, NULL},
        {"the file's word on a sub-directory counts", test_said_of_directories, NULL, NULL, NULL},
        {"the embedded configuration is valid", test_dev, NULL, NULL, NULL},
    };
    size_t n = 0;
    ADD(wrong_cases, test_wrong)
    ADD(right_cases, test_right)
    ADD(duration_cases, test_duration)
    ADD(contexts_cases, test_contexts)
    for (size_t i = 0; i < N_ELEMS(singles); i++) {
        tests[n++] = singles[i];
    }
    return _cmocka_run_group_tests("config", tests, n, NULL, NULL);
}
