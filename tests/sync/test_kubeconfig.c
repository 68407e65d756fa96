/* SPDX-License-Identifier: Apache-2.0 */

/* Files are found, merged and read as kubectl does; what is wrong is told with its place. */

#include <fcntl.h>
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

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/sync/sync.h"

#include "sync/kubeconfig.h"

#define PEM64         "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
#define PEM           "-----BEGIN CERTIFICATE-----\n"
#define HEAD          "kind: Config\ncurrent-context: c1\n"
#define CONTEXTS      "contexts:\n- {name: c1, context: {cluster: k1, user: u1}}\n"
#define CLUSTER(body) "clusters:\n- name: k1\n  cluster: {" body "}\n"
#define USER(body)    "users:\n- name: u1\n  user: {" body "}\n"
#define SERVER        "server: 'https://10.0.0.5:6443'"

static char folder[] = "/tmp/pintle-kubeconfig-XXXXXX";

static char *path_of(const char *name)
{
    char *path = pin_path_join(folder, name);
    assert_non_null(path);
    return path;
}

static void put_file(const char *name, const char *text)
{
    char *path = path_of(name);
    assert_int_equal(pin_file_write_atomic(path, text, strlen(text), 0600, NULL), PIN_OK);
    free(path);
}

/* A target as one line of text. */
static void show_target(struct pin_text *out, const struct pin_target *target)
{
    pin_text_puts(out, target->server);
    const struct {
        const char *key;
        const char *value;
    } texts[] = {
        {"name", target->server_name},
        {"proxy", target->proxy_url},
        {"token", target->token},
        {"user", target->username},
        {"password", target->password},
        {"as", target->as_user},
        {"uid", target->as_uid},
        {"ca", target->ca.data},
        {"cert", target->certificate.data},
        {"key", target->key.data},
    };
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        if (texts[i].value != NULL) {
            pin_text_putf(
                out, " %s=%.*s", texts[i].key, (int)strcspn(texts[i].value, "\n"), texts[i].value);
        }
    }
    for (size_t i = 0; i < target->n_as_groups; i++) {
        pin_text_putf(out, " group=%s", target->as_groups[i]);
    }
    pin_text_puts(out, target->is_insecure ? " insecure" : "");
}

/* The target of a context, or why there is none. */
static void show_context(struct pin_text *out, const char *file, const char *context)
{
    struct pin_kubeconfig *kubeconfig = NULL;
    struct pin_target *target = NULL;
    struct pin_why why = {0};
    enum pin_err err = pin_kubeconfig_load(file, true, &kubeconfig, &why);
    if (err == PIN_OK) {
        err = pin_kubeconfig_target(kubeconfig, context, &target, &why);
        pin_kubeconfig_free(kubeconfig);
    }
    if (err == PIN_OK) {
        show_target(out, target);
        pin_target_free(target);
    } else {
        pin_text_putf(out, "%s: %s", pin_err_name(err), why.text);
    }
}

/* The folder's name differs from run to run; "DIR" stands for it in what is expected. */
static void hide_folder(struct pin_text *text)
{
    struct pin_text clean = {0};
    const char *at = pin_text_get(text);
    const char *hit = NULL;
    while ((hit = strstr(at, folder)) != NULL) {
        pin_text_putn(&clean, at, (size_t)(hit - at));
        pin_text_puts(&clean, "DIR");
        at = hit + strlen(folder);
    }
    pin_text_puts(&clean, at);
    pin_text_done(text);
    *text = clean;
}

static struct kubeconfig_case {
    const char *name;
    const char *text;
    const char *want;
} cases[] = {
    {"inline certificates and keys are decoded",
        HEAD CONTEXTS CLUSTER(SERVER ", certificate-authority-data: " PEM64)
            USER("client-certificate-data: " PEM64 ", client-key-data: " PEM64),
        "https://10.0.0.5:6443 ca=-----BEGIN CERTIFICATE----- cert=-----BEGIN CERTIFICATE----- "
        "key=-----BEGIN CERTIFICATE-----"},
    {"files are relative to the kubeconfig",
        HEAD CONTEXTS CLUSTER(SERVER ", certificate-authority: pki/ca.crt")
            USER("tokenFile: pki/token"),
        "https://10.0.0.5:6443 token=file-token ca=-----BEGIN CERTIFICATE-----"},
    {"inline data goes over the file",
        HEAD CONTEXTS CLUSTER(
            SERVER ", certificate-authority: missing, certificate-authority-data: " PEM64)
            USER("token: abc"),
        "https://10.0.0.5:6443 token=abc ca=-----BEGIN CERTIFICATE-----"},
    {"a token file goes over the token",
        HEAD CONTEXTS CLUSTER(SERVER) USER("token: abc, tokenFile: pki/token"),
        "https://10.0.0.5:6443 token=file-token"},
    {"user name and password are read",
        HEAD CONTEXTS CLUSTER(SERVER) USER("username: me, password: 's e'"),
        "https://10.0.0.5:6443 user=me password=s e"},
    {"impersonation is read",
        HEAD CONTEXTS CLUSTER(SERVER) USER("token: t, as: jane, as-uid: '7', as-groups: [a, b]"),
        "https://10.0.0.5:6443 token=t as=jane uid=7 group=a group=b"},
    {"the server's name, proxy and insecure are read",
        HEAD CONTEXTS CLUSTER(SERVER ", tls-server-name: kubernetes, proxy-url: "
                                     "'socks5://127.0.0.1:1080', insecure-skip-tls-verify: true")
            USER(""),
        "https://10.0.0.5:6443 name=kubernetes proxy=socks5://127.0.0.1:1080 insecure"},
    {"slashes at the end of the server go",
        HEAD CONTEXTS CLUSTER("server: 'HTTPS://[fd00::1]:6443/k8s/'") USER(""),
        "https://[fd00::1]:6443/k8s"},
    {"a server without a scheme is http", HEAD CONTEXTS CLUSTER("server: '10.0.0.5:8080'") USER(""),
        "http://10.0.0.5:8080"},
    {"a server without a scheme is https where TLS is set up",
        HEAD CONTEXTS CLUSTER("server: '10.0.0.5:6443', insecure-skip-tls-verify: true") USER(""),
        "https://10.0.0.5:6443 insecure"},
    {"a context needs no user",
        HEAD "contexts: [{name: c1, context: {cluster: k1}}]\n" CLUSTER(SERVER),
        "https://10.0.0.5:6443"},
    {"an auth provider is refused and the way out named",
        HEAD CONTEXTS CLUSTER(SERVER) USER("auth-provider: {name: oidc}"),
        "EUNSUPPORTED: DIR/config:10:25: user 'u1': uses the auth provider 'oidc'; Kubernetes "
        "itself has dropped those: use its exec plugin, or a tokenFile (a file with a bearer "
        "token, read again each minute)"},
    {"an exec plugin beside a token is not needed",
        HEAD CONTEXTS CLUSTER(SERVER) USER("token: t, exec: {command: aws}"),
        "https://10.0.0.5:6443 token=t"},
    {"a CA beside insecure is refused",
        HEAD CONTEXTS CLUSTER(
            SERVER ", insecure-skip-tls-verify: true, certificate-authority-data: " PEM64) USER(""),
        "EINVAL: DIR/config:7:72: cluster 'k1': has a certificate-authority and "
        "insecure-skip-tls-verify, remove one of them"},
    {"bad base64 is told",
        HEAD CONTEXTS CLUSTER(SERVER ", certificate-authority-data: '***'") USER(""),
        "EPARSE: DIR/config:7:74: cluster 'k1': 'certificate-authority-data' is no base64"},
    {"data that is no PEM is told",
        HEAD CONTEXTS CLUSTER(SERVER ", certificate-authority-data: YWJj") USER(""),
        "EPARSE: DIR/config:7:74: cluster 'k1': 'certificate-authority-data' holds no PEM text"},
    {"a certificate without a key is told",
        HEAD CONTEXTS CLUSTER(SERVER) USER("client-certificate-data: " PEM64),
        "EINVAL: DIR/config:9:3: user 'u1': has a client-certificate but no client-key"},
    {"a missing server is told", HEAD CONTEXTS CLUSTER("tls-server-name: a") USER(""),
        "EINVAL: DIR/config:6:3: cluster 'k1': has no 'server', write https://HOST:PORT"},
    {"a server of another kind is told", HEAD CONTEXTS CLUSTER("server: 'ftp://a'") USER(""),
        "EINVAL: DIR/config:7:21: cluster 'k1': 'server' must be like https://HOST:PORT"},
    {"a missing file is told", HEAD CONTEXTS CLUSTER(SERVER) USER("tokenFile: pki/none"),
        "ENOTFOUND: open 'DIR/pki/none': No such file or directory"},
    {"a missing cluster is told with those there are",
        HEAD CONTEXTS "clusters: [{name: k2, cluster: {}}, {name: k3, cluster: {}}]\n",
        "ENOTFOUND: cluster 'k1' is not in DIR/config, which has k2, k3"},
    {"a missing context is told",
        "kind: Config\ncurrent-context: nope\n" CONTEXTS CLUSTER(SERVER) USER(""),
        "ENOTFOUND: context 'nope' is not in DIR/config, which has c1"},
    {"no current context is told", "kind: Config\n" CONTEXTS,
        "ENOTFOUND: DIR/config: no current-context is set, name a context"},
    {"YAML that is broken is told with its place", "kind: Config\nclusters: [\n",
        "EPARSE: DIR/config:3:1: "},
    {"another kind of file is told", "kind: Service\n",
        "EPARSE: DIR/config:1:1: this is no kubeconfig, it has no 'kind: Config'"},
    {"a list that is a map is told", "clusters: {}\n",
        "EPARSE: DIR/config:1:11: 'clusters' must be a list"},
    {"JSON is fine too",
        "{\"current-context\": \"c1\", \"clusters\": [{\"name\": \"k1\", \"cluster\": {\"server\": "
        "\"https://a:1\"}}], \"contexts\": [{\"name\": \"c1\", \"context\": {\"cluster\": "
        "\"k1\"}}]}",
        "https://a:1"},
};

static void test_case(void **state)
{
    const struct kubeconfig_case *c = *state;
    struct pin_text shown = {0};
    char *path = path_of("config");
    put_file("config", c->text);
    show_context(&shown, path, NULL);
    hide_folder(&shown);
    if (strcmp(c->want + strlen(c->want) - 2, ": ") == 0) { /* the rest is the YAML parser's */
        assert_memory_equal(pin_text_get(&shown), c->want, strlen(c->want));
    } else {
        assert_string_equal(pin_text_get(&shown), c->want);
    }
    pin_text_done(&shown);
    free(path);
}

/* --- Merging -------------------------------------------------------------------------------- */

/* $KUBECONFIG with each name below the folder. */
static void set_list(const char *const *names, size_t n)
{
    struct pin_text list = {0};
    for (size_t i = 0; i < n; i++) {
        pin_text_putf(&list, "%s%s/%s", i > 0 ? ":" : "", folder, names[i]);
    }
    assert_int_equal(setenv("KUBECONFIG", pin_text_get(&list), 1), 0);
    pin_text_done(&list);
}

static void want_context(const char *context, const char *want)
{
    struct pin_text shown = {0};
    show_context(&shown, NULL, context);
    hide_folder(&shown);
    assert_string_equal(pin_text_get(&shown), want);
    pin_text_done(&shown);
}

static void test_the_first_definition_of_a_name_wins(void **state)
{
    static const char *const names[] = {"absent", "a", "b"};
    (void)state;
    put_file("a", "current-context: one\nclusters: [{name: k, cluster: {server: 'https://a:1'}}]\n"
                  "contexts: [{name: one, context: {cluster: k, user: u}}]\n");
    put_file("b", "current-context: two\nclusters: [{name: k, cluster: {server: 'https://b:1'}}, "
                  "{name: l, cluster: {server: 'https://b:2'}}]\nusers: [{name: u, user: {token: "
                  "b-token}}]\ncontexts: [{name: two, context: {cluster: l, user: u}}]\n");
    set_list(names, N_ELEMS(names));
    want_context(NULL, "https://a:1 token=b-token");
    want_context("two", "https://b:2 token=b-token");
}

static void test_paths_are_relative_to_the_file_that_holds_them(void **state)
{
    static const char *const names[] = {"a", "sub/b"};
    (void)state;
    put_file("a", "contexts: [{name: one, context: {cluster: k, user: u}}]\n");
    put_file("sub/b", "clusters: [{name: k, cluster: {server: 'https://b:1'}}]\n"
                      "users: [{name: u, user: {tokenFile: token}}]\n");
    put_file("sub/token", "\n sub-token \n");
    set_list(names, N_ELEMS(names));
    want_context("one", "https://b:1 token=sub-token");
}

static void test_a_broken_file_spoils_only_what_it_holds(void **state)
{
    static const char *const names[] = {"broken", "b"};
    (void)state;
    put_file("broken", "clusters: 7\n");
    put_file("b", "clusters: [{name: k, cluster: {server: 'https://b:1'}}]\n"
                  "contexts: [{name: two, context: {cluster: k}}]\n");
    set_list(names, N_ELEMS(names));
    want_context("two", "https://b:1");
    want_context(
        "one", "EPARSE: DIR/broken:1:11: 'clusters' must be a list (needed for context 'one')");
}

static void test_no_file_at_all_is_told(void **state)
{
    static const char *const names[] = {"absent"};
    (void)state;
    set_list(names, 1);
    want_context("one", "ENOTFOUND: no kubeconfig: none of 'DIR/absent' exists, set KUBECONFIG or "
                        "name a file with --kubeconfig");
}

static void test_the_home_directory_is_the_last_resort(void **state)
{
    (void)state;
    put_file(".kube/config", "current-context: c\nclusters: [{name: k, cluster: {server: "
                             "'https://h:1'}}]\ncontexts: [{name: c, context: {cluster: k}}]\n");
    assert_int_equal(unsetenv("KUBECONFIG"), 0);
    assert_int_equal(setenv("HOME", folder, 1), 0);
    want_context(NULL, "https://h:1");
}

static void test_a_file_named_outright_is_the_only_one(void **state)
{
    static const char *const names[] = {"a"};
    struct pin_text shown = {0};
    char *path = path_of("absent");
    (void)state;
    set_list(names, 1);
    show_context(&shown, path, "one");
    hide_folder(&shown);
    assert_string_equal(
        pin_text_get(&shown), "ENOTFOUND: open 'DIR/absent': No such file or directory");
    pin_text_done(&shown);
    free(path);
}

static void test_contexts_are_listed_by_name(void **state)
{
    const char *const *list = NULL;
    size_t n = 0;
    char *path = path_of("config");
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    (void)state;
    put_file("config", "contexts: [{name: c2}, {name: 'arn:aws:eks:x'}, {name: c1}]\n");
    assert_int_equal(pin_kubeconfig_contexts(path, arena, &list, &n, NULL), PIN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(list[0], "arn:aws:eks:x");
    assert_string_equal(list[1], "c1");
    assert_string_equal(list[2], "c2");
    pin_arena_free(arena);
    free(path);
}

/* --- Targets -------------------------------------------------------------------------------- */

static void test_a_token_file_is_read_again(void **state)
{
    struct pin_kubeconfig *kubeconfig = NULL;
    struct pin_target *target = NULL;
    enum pin_target_change change = PIN_TARGET_PEER;
    struct pin_why why = {0};
    char *path = path_of("config");
    (void)state;
    put_file("config", HEAD CONTEXTS CLUSTER(SERVER) USER("tokenFile: fresh"));
    put_file("fresh", "one");
    assert_int_equal(pin_kubeconfig_load(path, true, &kubeconfig, NULL), PIN_OK);
    assert_int_equal(pin_kubeconfig_target(kubeconfig, "c1", &target, NULL), PIN_OK);
    assert_int_equal(pin_target_refresh(target, &change, NULL), PIN_OK);
    assert_int_equal(change, PIN_TARGET_SAME);
    put_file("fresh", "two\n");
    assert_int_equal(pin_target_refresh(target, &change, NULL), PIN_OK);
    assert_int_equal(change, PIN_TARGET_TOKEN);
    assert_string_equal(target->token, "two");
    put_file("fresh", " \n");
    assert_int_equal(pin_target_refresh(target, &change, &why), PIN_EPARSE);
    assert_non_null(strstr(why.text, "holds no token; it is read again each minute"));
    assert_string_equal(target->token, "two");
    pin_target_free(target);
    pin_kubeconfig_free(kubeconfig);
    free(path);
}

static void test_a_token_file_that_is_a_pipe_is_not_waited_for(void **state)
{
    struct pin_target target = {.token_file = path_of("pipe")};
    enum pin_target_change change = PIN_TARGET_PEER;
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(mkfifo(target.token_file, 0600), 0);
    int writer = open(target.token_file, O_RDWR);
    assert_true(writer >= 0);
    int64_t begin_ms = pin_clock_mono_ms();
    assert_int_equal(pin_target_refresh(&target, &change, &why), PIN_ETIMEOUT);
    assert_true(pin_clock_mono_ms() - begin_ms < 5000);
    assert_non_null(strstr(why.text, "a pipe"));
    assert_int_equal(change, PIN_TARGET_SAME);
    (void)close(writer);
    (void)unlink(target.token_file);
    free(target.token_file);
}

static void test_a_pod_has_its_service_account(void **state)
{
    struct pin_target *target = NULL;
    struct pin_text shown = {0};
    (void)state;
    assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
    assert_int_equal(pin_target_in_cluster(folder, &target, NULL), PIN_ENOTFOUND);
    put_file("ca.crt", PEM);
    put_file("token", "pod-token");
    assert_int_equal(setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1), 0);
    assert_int_equal(setenv("KUBERNETES_SERVICE_PORT", "443", 1), 0);
    assert_int_equal(pin_target_in_cluster(folder, &target, NULL), PIN_OK);
    show_target(&shown, target);
    assert_string_equal(pin_text_get(&shown),
        "https://[fd00::1]:443 token=pod-token ca=-----BEGIN CERTIFICATE-----");
    pin_text_done(&shown);
    pin_target_free(target);
}

/* --- Life ----------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static const char *const folders[] = {"pki", "sub", ".kube"};
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < N_ELEMS(folders); i++) {
        char *path = path_of(folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        free(path);
    }
    put_file("pki/ca.crt", PEM);
    put_file("pki/token", "file-token\n");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command); /* NOLINT(cert-env33-c): our own folder */
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 10] = {
        cmocka_unit_test(test_the_first_definition_of_a_name_wins),
        cmocka_unit_test(test_paths_are_relative_to_the_file_that_holds_them),
        cmocka_unit_test(test_a_broken_file_spoils_only_what_it_holds),
        cmocka_unit_test(test_no_file_at_all_is_told),
        cmocka_unit_test(test_the_home_directory_is_the_last_resort),
        cmocka_unit_test(test_a_file_named_outright_is_the_only_one),
        cmocka_unit_test(test_contexts_are_listed_by_name),
        cmocka_unit_test(test_a_token_file_is_read_again),
        cmocka_unit_test(test_a_token_file_that_is_a_pipe_is_not_waited_for),
        cmocka_unit_test(test_a_pod_has_its_service_account),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[10 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("kubeconfig", tests, set_up, tear_down);
}
