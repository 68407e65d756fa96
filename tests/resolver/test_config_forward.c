/* SPDX-License-Identifier: Apache-2.0 */

/* What `forward:` may say, and what becomes of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/config.h"

#define HEAD "clusters: [{name: c1, directory: /}]\n"

static struct pin_findings findings;

/* Reads a text as the daemon reads its file. */
static struct pin_config *load(const char *text)
{
    char path[] = "/tmp/pintle-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    const struct pin_args args = {.program = "pintled", .config = path};
    struct pin_config *config = pin_config_load(&args, NULL, &findings);
    assert_int_equal(unlink(path), 0);
    assert_non_null(config);
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
    const char *want; /* part of what is found */
} wrong_cases[] = {
    {"a zone without resolvers goes nowhere", HEAD "forward: [{zone: a.example}]\n",
        "\"a.example\" goes nowhere"},
    {"a zone is there once", HEAD "forward: [{to: [192.0.2.1]}, {zone: \".\", to: [192.0.2.2]}]\n",
        "\".\" is there twice"},
    {"a zone is there once, however it is written",
        HEAD "forward: [{zone: a.b, to: [192.0.2.1]}, {zone: A.B., to: [192.0.2.2]}]\n",
        "\"A.B.\" is there twice"},
    {"a zone is a name", HEAD "forward: [{zone: a..b, to: [192.0.2.1]}]\n",
        "\"a..b\" is no DNS name"},
    {"a resolver is there once", HEAD "forward: [{to: [192.0.2.1, \"192.0.2.1:53\"]}]\n",
        "is there twice"},
    {"a resolver is an address", HEAD "forward: [{to: [dns.google]}]\n", "is no ADDR[:PORT]"},
    {"a resolver has a port", HEAD "forward: [{to: [\"192.0.2.1:0\"]}]\n", "has no port"},
    {"a resolver over TLS is an address", HEAD "forward: [{to: [\"tls://dns.google\"]}]\n",
        "is no ADDR[:PORT]"},
    {"a resolv.conf can be read", HEAD "forward: [{to: /nonexistent/resolv.conf}]\n",
        "cannot be read"},
    {"a resolv.conf names somebody", HEAD "forward: [{to: /dev/null}]\n", "names no nameserver"},
    {"a listener of its own is no resolver",
        HEAD "listen: [{address: \"192.0.2.1:53\"}]\nforward: [{to: [192.0.2.1]}]\n", "loop"},
    {"a zone of ours is answered, not forwarded",
        HEAD "zones: {custom: [a.example]}\nforward: [{zone: A.example, to: [192.0.2.1]}]\n",
        ":3:11: forward: \"A.example\" lies in our zone \"a.example\""},
    {"nor is a zone below one of ours",
        HEAD "forward: [{zone: svc.clusterset.local, to: [192.0.2.1]}]\n",
        "lies in our zone \"clusterset.local\""},
    {"nor one below a static zone",
        HEAD "zones: {files: [{zone: corp.example, file: f}]}\n"
             "forward: [{zone: a.corp.example, to: [192.0.2.1]}]\n",
        "lies in our zone \"corp.example\""},
    {"an unknown key is told", HEAD "forward: [{too: [192.0.2.1]}]\n", "did you mean \"to\""},
    {"one that is near none is told with those there are", HEAD "forward: [{allow: [192.0.2.1]}]\n",
        "unknown key \"forward[0].allow\"; known here: zone, to, tlsName, ca, trusted, randomCase"},
    {"what is kept shortest is not longer than what is kept longest",
        HEAD "cache: {minTTL: 600, maxTTL: 60}\n", "minTTL is 600, but maxTTL is only 60"},
};

static void test_wrong(void **state)
{
    const struct wrong_case *c = *state;
    struct pin_config *config = load(c->text);
    assert_int_equal(findings.n, 1);
    assert_non_null(strstr(pin_findings_text(&findings), c->want));
    done(config);
}

static void test_resolvers(void **state)
{
    (void)state;
    struct pin_config *config =
        load(HEAD "forward:\n"
                  "  - {zone: corp.example, to: 192.0.2.9, trusted: true, randomCase: false}\n"
                  "  - {to: [192.0.2.1, \"[2001:db8::1]:5353\", \"tls://192.0.2.2\",\n"
                  "          \"tls://[2001:db8::2]:8853\"], tlsName: dns.example}\n"
                  "allowRecursion: []\ncache: {size: 1Gi, serveStale: 0, prefetch: false}\n");
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_forward, 2);
    const struct pin_config_forward *corp = &config->forward[0];
    const struct pin_config_forward *all = &config->forward[1];
    assert_int_equal(corp->n_upstreams, 1);
    assert_int_equal(corp->upstreams[0].address.port, 53);
    assert_true(corp->is_trusted);
    assert_false(corp->mixes_case);
    assert_string_equal(all->zone, ".");
    assert_false(all->is_trusted);
    assert_true(all->mixes_case);
    assert_int_equal(all->n_upstreams, 4);
    assert_int_equal(all->upstreams[1].address.port, 5353);
    assert_false(all->upstreams[1].is_tls);
    assert_int_equal(all->upstreams[2].address.port, 853);
    assert_true(all->upstreams[2].is_tls);
    assert_int_equal(all->upstreams[3].address.port, 8853);
    assert_true(config->is_recursion_said);
    assert_int_equal(config->n_recursion, 0);
    assert_int_equal(config->cache_bytes, UINT64_C(1) << 30);
    assert_int_equal(config->cache_stale_s, 0);
    assert_false(config->cache_prefetches);
    done(config);
}

static void test_resolv_conf(void **state)
{
    (void)state;
    char path[] = "/tmp/pintle-resolv-XXXXXX";
    char text[256];
    static const char resolv[] =
        "# ours\nsearch a.example\nnameserver 192.0.2.1\n"
        "nameserver 192.0.2.1\nnameserver\t2001:db8::1 \noptions ndots:5\n";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, resolv, sizeof(resolv) - 1), (ssize_t)(sizeof(resolv) - 1));
    assert_int_equal(close(fd), 0);
    (void)snprintf(text, sizeof(text), HEAD "forward: [{to: %s}]\n", path);
    struct pin_config *config = load(text);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->forward[0].n_upstreams, 2);
    assert_int_equal(config->forward[0].upstreams[1].address.ip.family, 6);
    done(config);
}

static void test_defaults(void **state)
{
    (void)state;
    struct pin_config *config = load(HEAD);
    assert_string_equal(pin_findings_text(&findings), "");
    assert_int_equal(config->n_forward, 0);
    assert_false(config->is_recursion_said);
    assert_int_equal(config->cache_bytes, UINT64_C(64) << 20);
    assert_int_equal(config->cache_max_ttl_s, 86400);
    assert_int_equal(config->cache_stale_s, 86400);
    assert_true(config->cache_prefetches);
    done(config);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(wrong_cases) + 3];
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(wrong_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = wrong_cases[i].name, .test_func = test_wrong, .initial_state = &wrong_cases[i]};
    }
    tests[n++] = (struct CMUnitTest){.name = "test_resolvers", .test_func = test_resolvers};
    tests[n++] = (struct CMUnitTest){.name = "test_resolv_conf", .test_func = test_resolv_conf};
    tests[n++] = (struct CMUnitTest){.name = "test_defaults", .test_func = test_defaults};
    return _cmocka_run_group_tests("config_forward", tests, n, NULL, NULL);
}
