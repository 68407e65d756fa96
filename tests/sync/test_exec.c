/* SPDX-License-Identifier: Apache-2.0 */

/* What exec plugins are told and what their answers mean; no reason repeats a secret. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "sync/command.h"
#include "sync/exec.h"
#include "sync/kubeconfig.h"

#define V1           "client.authentication.k8s.io/v1"
#define STATUS(body) "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":" body "}"
#define PEM          "-----BEGIN X-----\\n"
#define SECRET       "eyJhbGciOiJSUzI1NiIsImtpZCI6.c2VjcmV0LTEyMzQ1Njc4OTA.S2Vlcf9uT3V0"

static struct judge_case {
    const char *name;
    struct pin_command_result result;
    const char *want;
} cases[] = {
    {"a token", {.out = STATUS("{\"token\":\"abc\"}")}, "token=abc"},
    {"a token with an end",
        {.out = STATUS("{\"token\":\"abc\",\"expirationTimestamp\":\"2026-11-21T03:04:05Z\"}")},
        "token=abc end=1795230245000"},
    {"a certificate with its key",
        {.out = STATUS("{\"clientCertificateData\":\"" PEM "\",\"clientKeyData\":\"" PEM "\"}")},
        "certificate=18 key=18"},
    {"white space round it is fine", {.out = "\n\n" STATUS("{\"token\":\"abc\"}") "\n"},
        "token=abc"},
    {"nothing", {.out = ""}, "EPARSE: exec plugin 'p': it printed nothing"},
    {"blanks are nothing", {.out = " \n"}, "EPARSE: exec plugin 'p': it printed nothing"},
    {"garbage", {.out = SECRET}, "EPARSE: exec plugin 'p': what it printed is no JSON"},
    {"JSON that is no object", {.out = "[7]"},
        "EPARSE: exec plugin 'p': what it printed is no ExecCredential"},
    {"another kind", {.out = "{\"kind\":\"Status\",\"message\":\"" SECRET "\"}"},
        "EPARSE: exec plugin 'p': what it printed is no ExecCredential"},
    {"another version",
        {.out = "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/"
                "v1beta1\",\"status\":{\"token\":\"" SECRET "\"}}"},
        "EPARSE: exec plugin 'p': it printed an ExecCredential of another apiVersion than the "
        "kubeconfig's '" V1 "'"},
    {"no status", {.out = "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}"},
        "EPARSE: exec plugin 'p': what it printed has no status"},
    {"an empty status", {.out = STATUS("{\"token\":\"\"}")},
        "EPARSE: exec plugin 'p': it gave neither a token nor a client certificate"},
    {"a certificate without a key", {.out = STATUS("{\"clientCertificateData\":\"" PEM "\"}")},
        "EPARSE: exec plugin 'p': it gave a client certificate without a client key"},
    {"a key without a certificate", {.out = STATUS("{\"clientKeyData\":\"" PEM "\"}")},
        "EPARSE: exec plugin 'p': it gave a client key without a client certificate"},
    {"a certificate that is none",
        {.out = STATUS("{\"clientCertificateData\":\"a\",\"clientKeyData\":\"b\"}")},
        "EPARSE: exec plugin 'p': its client certificate or key is no PEM text"},
    {"a token that would break a header", {.out = STATUS("{\"token\":\"a\\r\\nX: y\"}")},
        "EPARSE: exec plugin 'p': its token holds a space or a control character"},
    {"an end that is none",
        {.out = STATUS("{\"token\":\"abc\",\"expirationTimestamp\":\"tomorrow\"}")},
        "EPARSE: exec plugin 'p': its expirationTimestamp is none, write it as "
        "2026-11-21T03:04:05Z"},
    {"a failure with what it complained of last",
        {.code = 255, .err = "usage\nAccessDeniedException: the SSO session has expired\n"},
        "EIO: exec plugin 'p' ended with 255: AccessDeniedException: the SSO session has expired"},
    {"a complaint that holds a secret", {.code = 1, .err = "refused token " SECRET " of jane"},
        "EIO: exec plugin 'p' ended with 1: refused token (hidden).(hidden).S2Vlcf9uT3V0 of jane"},
    {"a secret with slashes, beside a path",
        {.code = 1, .err = "/usr/lib/aws/cli: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY: denied"},
        "EIO: exec plugin 'p' ended with 1: /usr/lib/aws/cli: (hidden): denied"},
    {"a failure without a word", {.code = 1}, "EIO: exec plugin 'p' ended with 1"},
    {"a signal", {.end = PIN_COMMAND_SIGNALED, .code = 9},
        "EIO: exec plugin 'p' ended by signal 9"},
    {"one that hangs", {.end = PIN_COMMAND_LATE},
        "ETIMEOUT: exec plugin 'p' took longer than 20 s"},
    {"one that floods", {.end = PIN_COMMAND_FLOODED},
        "ELIMIT: exec plugin 'p' printed more than 262144 bytes"},
};

static void test_judge(void **state)
{
    const struct judge_case *c = *state;
    char name[] = "p";
    char version[] = V1;
    const struct pin_exec exec = {.command = name, .api_version = version};
    struct pin_command_result result = c->result;
    struct pin_credential credential = {0};
    struct pin_why why = {0};
    struct pin_text shown = {0};
    result.out = result.out == NULL ? "" : result.out;
    result.err = result.err == NULL ? "" : result.err;
    result.out_bytes = strlen(result.out);
    result.err_bytes = strlen(result.err);
    enum pin_err err = pin_exec_judge(&exec, &result, &credential, &why);
    if (err != PIN_OK) {
        pin_text_putf(&shown, "%s: %s", pin_err_name(err), why.text);
    } else if (credential.token != NULL) {
        pin_text_putf(&shown, "token=%s", credential.token);
    } else {
        pin_text_putf(
            &shown, "certificate=%zu key=%zu", credential.certificate.bytes, credential.key.bytes);
    }
    if (credential.expires_wall_ms != 0) {
        pin_text_putf(&shown, " end=%lld", (long long)credential.expires_wall_ms);
    }
    assert_string_equal(pin_text_get(&shown), c->want);
    pin_text_done(&shown);
    pin_credential_done(&credential);
}

/* --- From a kubeconfig ---------------------------------------------------------------------- */

#define CONFIG(cluster, exec)                                                                      \
    "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"                  \
    "clusters: [{name: k, cluster: {server: 'https://h:6443'" cluster "}}]\n"                      \
    "users: [{name: u, user: {exec: {" exec "}}}]\n"
#define USUAL "apiVersion: " V1 ", command: aws"

static struct config_case {
    const char *name;
    const char *text;
    const char *want;
} config_cases[] = {
    {"arguments and variables",
        CONFIG("", USUAL ", args: [eks, get-token], env: [{name: A, value: b}]"),
        "aws eks get-token A=b {\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
        "\",\"spec\":{\"interactive\":false}}"},
    {"a command with a slash is relative to the file",
        CONFIG("", "apiVersion: " V1 ", command: ./bin/token"),
        "/etc/k/./bin/token {\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
        "\",\"spec\":{\"interactive\":false}}"},
    {"the cluster is told to one that asks for it",
        CONFIG(", tls-server-name: n, certificate-authority-data: LS0tLS1CRUdJTiBYLS0tLS0K, "
               "extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: a}}]",
            "apiVersion: client.authentication.k8s.io/v1beta1, command: aws, provideClusterInfo: "
            "true"),
        "aws {\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
        "\"spec\":{\"cluster\":{\"server\":\"https://h:6443\",\"tls-server-name\":\"n\","
        "\"certificate-authority-data\":\"LS0tLS1CRUdJTiBYLS0tLS0K\",\"config\":{\"audience\":"
        "\"a\"}},\"interactive\":false}}"},
    {"one that may ask a person is run without one",
        CONFIG("", USUAL ", interactiveMode: IfAvailable"),
        "aws {\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
        "\",\"spec\":{\"interactive\":false}}"},
    {"one that must ask a person is refused", CONFIG("", USUAL ", interactiveMode: Always"),
        "/etc/k/config:4:32: user 'u': its exec plugin wants a terminal (interactiveMode: "
        "Always), a daemon has none"},
    {"another version is refused",
        CONFIG("", "apiVersion: client.authentication.k8s.io/v1alpha1, command: aws"),
        "/etc/k/config:4:32: user 'u': the apiVersion of its exec plugin must be "
        "client.authentication.k8s.io/v1 or v1beta1"},
    {"no command is refused", CONFIG("", "apiVersion: " V1),
        "/etc/k/config:4:32: user 'u': its exec plugin has no 'command'"},
    {"a variable without a name is refused", CONFIG("", USUAL ", env: [{value: b}]"),
        "/etc/k/config:4:98: user 'u': a variable of its exec plugin has no name"},
};

static void test_config(void **state)
{
    const struct config_case *c = *state;
    struct pin_kubeconfig *kubeconfig = NULL;
    struct pin_target *target = NULL;
    struct pin_text shown = {0};
    struct pin_why why = {0};
    assert_int_equal(
        pin_kubeconfig_parse("/etc/k/config", c->text, strlen(c->text), &kubeconfig, NULL), PIN_OK);
    if (pin_kubeconfig_target(kubeconfig, NULL, &target, &why) == PIN_OK) {
        const struct pin_exec *exec = target->exec;
        pin_text_puts(&shown, exec->command);
        for (size_t i = 0; i < exec->n_args; i++) {
            pin_text_putf(&shown, " %s", exec->args[i]);
        }
        for (size_t i = 0; i < exec->n_env; i++) {
            pin_text_putf(&shown, " %s", exec->env[i]);
        }
        pin_text_putf(&shown, " %s", exec->info);
    } else {
        pin_text_puts(&shown, why.text);
    }
    assert_string_equal(pin_text_get(&shown), c->want);
    pin_text_done(&shown);
    pin_target_free(target);
    pin_kubeconfig_free(kubeconfig);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(config_cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_judge, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(config_cases); i++) {
        tests[N_ELEMS(cases) + i] = (struct CMUnitTest){.name = config_cases[i].name,
            .test_func = test_config,
            .initial_state = &config_cases[i]};
    }
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
