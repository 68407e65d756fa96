/* SPDX-License-Identifier: Apache-2.0 */

/* TLS as kubeconfigs set it up, against a real TLS server, and what is said when it is wrong. */

#include "pintle/base/macros.h"

#include "fake.h"

static char folder[] = "/tmp/pintle-tls-XXXXXX";

/* A CA, a server certificate for "kubernetes" only, a client certificate with an EC key. */
static const char make_certificates[] =
    "cd %s && exec >log 2>&1 && set -e\n"
    "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
    "-subj /CN=$1 -keyout $1.key -out $1.crt; }\n"
    "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$1 "
    "-keyout $1.key -out $1.csr; printf \"$2\" >$1.ext; openssl x509 -req -in $1.csr -CA ca.crt "
    "-CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.crt; }\n"
    "ca ca; ca other\n"
    "leaf server subjectAltName=DNS:kubernetes\n"
    "leaf client extendedKeyUsage=clientAuth\n";

static struct tls_case {
    const char *name;
    const char *cluster; /* Fields of the cluster entry, "%s" is the folder. */
    const char *user;
    bool wants_client; /* The server asks for a client certificate. */
    const char *want;  /* NULL: reached; else part of what is logged. */
} cases[] = {
    {"tls-server-name is what the certificate must name",
        "tls-server-name: kubernetes, certificate-authority: ca.crt", "token: t", false, NULL},
    {"a client certificate with an EC key opens the door",
        "tls-server-name: kubernetes, certificate-authority: ca.crt",
        "client-certificate: client.crt, client-key: client.key", true, NULL},
    {"without verification any certificate will do", "insecure-skip-tls-verify: true", "token: t",
        false, NULL},
    {"a certificate for another name is told", "certificate-authority: ca.crt", "token: t", false,
        "; its last known state is kept; to do: set tls-server-name in the kubeconfig to a name "
        "that the certificate is for"},
    {"a certificate of another CA is told",
        "tls-server-name: kubernetes, certificate-authority: other.crt", "token: t", false,
        "; to do: set certificate-authority(-data) in the kubeconfig to the CA that signed it"},
    {"the system's CAs do not count beside the kubeconfig's", "tls-server-name: kubernetes",
        "token: t", false,
        "; to do: set certificate-authority(-data) in the kubeconfig to the CA that signed it"},
    {"a missing client certificate is told", /* by its alert, or by a reset that overtook it */
        "tls-server-name: kubernetes, certificate-authority: ca.crt", "token: t", true,
        "; its last known state is kept; to do: "},
};

static char *path_of(const char *name)
{
    char *path = pin_path_join(folder, name);
    assert_non_null(path);
    return path;
}

static void write_tls_config(const struct tls_case *c, int port)
{
    struct pin_text text = {0};
    char *path = path_of("config");
    pin_text_putf(&text,
        "current-context: c1\nclusters: [{name: k, cluster: {server: 'https://127.0.0.1:%d', "
        "%s}}]\nusers: [{name: u, user: {%s}}]\ncontexts: [{name: c1, context: {cluster: k, user: "
        "u}}]\n",
        port, c->cluster, c->user);
    assert_int_equal(pin_file_write_atomic(path, text.ptr, text.len, 0600, NULL), PIN_OK);
    pin_text_done(&text);
    free(path);
}

static void test_case(void **state)
{
    const struct tls_case *c = *state;
    struct fake fake = {0};
    struct rig rig;
    char *certificate = path_of("server.crt");
    char *key = path_of("server.key");
    char *ca = path_of("ca.crt");
    char *config = path_of("config");
    const char *const arguments[3] = {certificate, key, c->wants_client ? ca : NULL};
    fake_start(&fake, arguments);
    write_tls_config(c, fake.port);
    struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = config};
    rig_init(&rig, &spec, 1);
    pin_sync_start(rig.sync);
    bool is_right = c->want == NULL ? rig_wait(&rig, "SYNCED", SOON_MS)
                                    : rig_wait_in(&rig, &rig.logged, c->want, SOON_MS);
    if (!is_right) {
        fail_msg("seen:\n%s\nlogged:\n%s", pin_text_get(&rig.seen), pin_text_get(&rig.logged));
    }
    assert_int_equal(rig_count(&rig, "DOWN"), c->want == NULL ? 0 : 1);
    rig_done(&rig);
    fake_stop(&fake);
    free(certificate);
    free(key);
    free(ca);
    free(config);
}

static int make_folder(void **state)
{
    char command[2048];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(command, sizeof(command), make_certificates, folder);
    return system(command); /* NOLINT(cert-env33-c): our own folder */
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command); /* NOLINT(cert-env33-c): our own folder */
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("http", tests, make_folder, remove_folder);
}
