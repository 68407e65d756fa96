/* SPDX-License-Identifier: Apache-2.0 */

/* What lets pintled read a cluster: every kind that it reads, nothing else, and no secret. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/sync/grant.h"

#include "sync/decode.h"

#define CA "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClFRPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define KUBECONFIG                                                                                 \
    "current-context: near\n"                                                                      \
    "clusters: [{name: k, cluster: {server: 'https://192.0.2.1:6443', tls-server-name: api, "      \
    "certificate-authority-data: " CA ", proxy-url: 'http://u:hush@192.0.2.9'}}]\n"                \
    "users: [{name: u, user: {token: hush-hush}}]\n"                                               \
    "contexts: [{name: near, context: {cluster: k, user: u}}, "                                    \
    "{name: 'a b', context: {cluster: k, user: u}}]\n"

static const char kubeconfig[] = "kube.yaml";
static char dir[] = "/tmp/pintle-grant-XXXXXX";

static int write_kubeconfig(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
        return -1;
    }
    return pin_file_write_atomic(kubeconfig, KUBECONFIG, strlen(KUBECONFIG), 0600, NULL) == PIN_OK
               ? 0
               : -1;
}

static int remove_kubeconfig(void **state)
{
    (void)state;
    return unlink(kubeconfig) == 0 && chdir("/") == 0 ? rmdir(dir) : -1;
}

static struct row {
    const char *name;
    const char *context;
    const char *cluster;
    const char *part; /* and, behind a space, what is written back */
    const char *want; /* in the text or, when it begins with '!', in the error */
} rows[] = {
    {"kinds of one API group are one rule, to be listed and watched", "near", "c3", "objects",
        "  - apiGroups: [\"discovery.k8s.io\"]\n    resources: [endpointslices]\n"
        "    verbs: [list, watch]\n"},
    {"Pods are for those who want them", "near", "c3", "objects",
        "  # - {apiGroups: [\"\"], resources: [pods], verbs: [list, watch]}\n"},
    {"the current context needs no --context", NULL, "c3", "objects",
        "#   pintlectl clusters add --name c3 --kubeconfig kube.yaml | kubectl --kubeconfig "
        "kube.yaml apply -f -\n"},
    {"names that a shell would split are quoted", "a b", "c3", "objects",
        "kubectl --kubeconfig kube.yaml --context 'a b' apply -f -\n"},
    {"the CA comes along, and the name that the certificate is for", "near", "c3", "kubeconfig",
        "      server: \"https://192.0.2.1:6443\"\n      tls-server-name: \"api\"\n"
        "      # proxy-url: as in the kubeconfig that this came from\n"
        "      certificate-authority-data: " CA "\n"},
    {"the token lies in a file beside it", "near", "c3", "kubeconfig",
        "user: {tokenFile: c3.token}}\n"},
    {"an entry for the configuration", "near", "c3", "config",
        "clusters:\n  - {name: c3, context: c3, kubeconfig: c3.kubeconfig}\n"},
    {"what is written back is bound, too", "near", "c3", "objects mcs",
        "  - apiGroups: [multicluster.x-k8s.io]\n    resources: [serviceimports]\n"
        "    verbs: [create, patch, delete]\n"},
    {"with the Lease that it needs", "near", "c3", "objects mcs",
        "kind: RoleBinding\nmetadata: {name: pintle-lease, namespace: pintle-system}\n"},
    {"the next commands say it again", "near", "c3", "objects annotations,mcs",
        "#   pintlectl clusters add config --context near --name c3 --write-back "
        "annotations,mcs --kubeconfig kube.yaml\n"},
    {"the configuration turns it on", "near", "c3", "config annotations,mcs",
        "kubeconfig: c3.kubeconfig}\nwriteBack: {annotations: true, mcs: true}\n"},
    {"what cannot be written back is refused", "near", "c3", "objects everything",
        "!\"everything\" is nothing that is written back"},
    {"a part that is none is refused", "near", "c3", "all",
        "!\"all\" is not one of objects, kubeconfig, config"},
    {"a name that is no label is refused", "near", "C3", "objects", "!\"C3\" cannot be"},
    {"a context that is not there is told", "far", "c3", "objects", "!context 'far' is not in "},
    {"a context that no shell takes is refused", "a'b", "c3", "objects", "!apostrophe"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct pin_text out = {0};
    struct pin_why why = {0};
    char part[64];
    (void)snprintf(part, sizeof(part), "%s", row->part);
    char *space = strchr(part, ' ');
    if (space != NULL) {
        *space = '\0';
    }
    const struct pin_grant asked = {
        kubeconfig, row->context, row->cluster, part, space != NULL ? space + 1 : NULL};
    enum pin_err err = pin_grant_print(&asked, &out, &why);
    bool wants_error = row->want[0] == '!';
    assert_int_equal(err != PIN_OK, wants_error);
    const char *text = wants_error ? why.text : pin_text_get(&out);
    if (strstr(text, row->want + (wants_error ? 1 : 0)) == NULL) {
        fail_msg("'%s' is not in\n%s", row->want, text);
    }
    assert_null(strstr(pin_text_get(&out), "hush"));
    pin_text_done(&out);
}

/* By the tables of decoder and role, whatever kinds will come. */
static void test_every_kind(void **state)
{
    struct pin_text out = {0};
    (void)state;
    const struct pin_grant asked = {.kubeconfig = kubeconfig, .cluster = "c3", .part = "objects"};
    assert_int_equal(pin_grant_print(&asked, &out, NULL), PIN_OK);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        char group[128];
        (void)snprintf(group, sizeof(group), "- apiGroups: [\"%s\"]\n", row->group);
        const char *rule = strstr(out.ptr, group);
        assert_non_null(rule);
        const char *plural = strstr(rule, row->plural);
        assert_non_null(plural);
        bool is_for_some =
            kind == PIN_KIND_POD || kind == PIN_KIND_GATEWAY_CLASS || kind == PIN_KIND_INGRESS;
        assert_true(is_for_some != (plural < strstr(rule, "verbs:")));
    }
    assert_null(strstr(out.ptr, "create,"));
    assert_null(strstr(out.ptr, "secrets"));
    pin_text_done(&out);
}

int main(void)
{
    struct CMUnitTest tests[1 + N_ELEMS(rows)] = {cmocka_unit_test(test_every_kind)};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        tests[1 + i] = (struct CMUnitTest){rows[i].name, test_row, NULL, NULL, &rows[i]};
    }
    return cmocka_run_group_tests(tests, write_kubeconfig, remove_kubeconfig);
}
