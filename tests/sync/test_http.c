/* SPDX-License-Identifier: Apache-2.0 */

/* TLS as kubeconfigs set it up, against a real TLS server, and what is said when it is wrong. */

#include <dlfcn.h>

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
    "-CAkey ca.key -CAcreateserial -days ${3:-2} -extfile $1.ext -out $1.crt; }\n"
    "ca ca; ca other\n"
    "leaf server subjectAltName=DNS:kubernetes\n"
    "leaf late subjectAltName=DNS:kubernetes -1\n"
    "leaf old subjectAltName=DNS:kubernetes\n"
    "leaf client extendedKeyUsage=clientAuth\n"
    "leaf second extendedKeyUsage=clientAuth\n"
    "leaf short extendedKeyUsage=clientAuth 1\n";

static struct tls_case {
    const char *name;
    const char *cluster; /* Fields of the cluster entry, "%s" is the folder. */
    const char *user;
    bool wants_client;  /* The server asks for a client certificate. */
    const char *want;   /* NULL: reached; else part of what is logged. */
    const char *server; /* Its certificate, NULL: "server"; "old" speaks TLS 1.1 at most. */
} cases[] = {
    {"tls-server-name is what the certificate must name",
        "tls-server-name: kubernetes, certificate-authority: ca.crt", "token: t", false, NULL,
        NULL},
    {"a client certificate with an EC key opens the door",
        "tls-server-name: kubernetes, certificate-authority: ca.crt",
        "client-certificate: client.crt, client-key: client.key", true, NULL, NULL},
    {"without verification any certificate will do", "insecure-skip-tls-verify: true", "token: t",
        false, NULL, NULL},
    {"a certificate for another name is told", "certificate-authority: ca.crt", "token: t", false,
        "; it has not been listed since the start; to do: set tls-server-name in the kubeconfig to "
        "a name "
        "that the certificate is for",
        NULL},
    {"a certificate of another CA is told",
        "tls-server-name: kubernetes, certificate-authority: other.crt", "token: t", false,
        "; to do: set certificate-authority(-data) in the kubeconfig to the CA that signed it",
        NULL},
    {"the system's CAs do not count beside the kubeconfig's", "tls-server-name: kubernetes",
        "token: t", false,
        "; to do: set certificate-authority(-data) in the kubeconfig to the CA that signed it",
        NULL},
    {"a missing client certificate is told", /* by its alert, or by a reset that overtook it */
        "tls-server-name: kubernetes, certificate-authority: ca.crt", "token: t", true,
        "; it has not been listed since the start; to do: ", NULL},
    {"a server's certificate that has expired is told",
        "tls-server-name: kubernetes, certificate-authority: ca.crt", "token: t", false,
        "certificate has expired; it has not been listed since the start; to do: renew the API "
        "server's "
        "certificate, or set this machine's clock",
        "late"},
    {"a server that speaks TLS 1.1 at most is told",
        "tls-server-name: kubernetes, certificate-authority: ca.crt", "token: t", false,
        "; it has not been listed since the start; to do: check that 'server' is an HTTPS address "
        "and not a "
        "plain HTTP one, and speaks TLS 1.2",
        "old"},
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

static void start_tls(struct fake *fake, const char *name, bool wants_client)
{
    char file[64];
    (void)snprintf(file, sizeof(file), "%s.crt", name);
    char *certificate = path_of(file);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    char *key = path_of(file);
    char *ca = path_of("ca.crt");
    const char *const arguments[3] = {certificate, key, wants_client ? ca : NULL};
    fake_start(fake, arguments);
    free(certificate);
    free(key);
    free(ca);
}

static void test_case(void **state)
{
    const struct tls_case *c = *state;
    struct fake fake = {0};
    struct rig rig;
    char *config = path_of("config");
    if (c->server != NULL && strcmp(c->server, "old") == 0) {
        (void)setenv("FAKE_API_OLD_TLS", "1", 1);
    }
    start_tls(&fake, c->server == NULL ? "server" : c->server, c->wants_client);
    (void)unsetenv("FAKE_API_OLD_TLS");
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
    free(config);
}

/* --- Certificates of files ------------------------------------------------------------------ */

static void copy_file(const char *from, const char *to)
{
    char *text = NULL;
    size_t bytes = 0;
    char *source = path_of(from);
    char *target = path_of(to);
    assert_int_equal(pin_file_read(source, 1 << 20, &text, &bytes, NULL), PIN_OK);
    assert_int_equal(pin_file_write_atomic(target, text, bytes, 0600, NULL), PIN_OK);
    free(text);
    free(source);
    free(target);
}

static void use_client(const char *name)
{
    char from[64];
    (void)snprintf(from, sizeof(from), "%s.crt", name);
    copy_file(from, "used.crt");
    (void)snprintf(from, sizeof(from), "%s.key", name);
    copy_file(from, "used.key");
}

/* A server that wants client certificates, and a sync that has "used". */
static void start_box(struct box *self)
{
    static const struct tls_case c = {
        .cluster = "tls-server-name: kubernetes, certificate-authority: ca.crt",
        .user = "client-certificate: used.crt, client-key: used.key"};
    char *config = path_of("config");
    start_tls(&self->fake, "server", true);
    write_tls_config(&c, self->fake.port);
    struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = config};
    rig_init(&self->rig, &spec, 1);
    start(self);
    free(config);
}

static void stop_box(struct box *self)
{
    rig_done(&self->rig);
    fake_stop(&self->fake);
}

static void test_a_renewed_certificate_ends_the_connections_of_the_old_one(void **state)
{
    struct box self = {0};
    (void)state;
    use_client("client");
    start_box(&self);
    want_watch(&self, SERVICES);
    rig_run(&self.rig, 1500); /* watches that lived longer than a second begin again at once */
    size_t n_before = count_requests(&self, WATCH_OF_SERVICES);
    rig_forget(&self.rig);
    use_client("second");
    /* a watch that is refused, when the others have begun again, has the files read before their
     * minute */
    order(&self, FAULT("endpointslices?watch=1", "\"delay\":3,\"status\":401"));
    order(&self, "{\"do\":\"drop\"}");
    want_log(&self, "cluster c1: credentials were renewed");
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (
        count_requests(&self, WATCH_OF_SERVICES) < n_before + 2 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self.rig.loop, 50);
    }
    assert_true(count_requests(&self, WATCH_OF_SERVICES) >= n_before + 2); /* dropped, renewed */
    assert_int_equal(rig_count(&self.rig, "DOWN"), 0);
    assert_int_equal(rig_count(&self.rig, "LIST_BEGIN"), 0); /* it went on where it was */
    stop_box(&self);
}

static void test_a_certificate_that_ends_within_a_day_is_told_once(void **state)
{
    struct box self = {0};
    (void)state;
    use_client("short");
    start_box(&self);
    const char *logged = strstr(pin_text_get(&self.rig.logged), "our credentials expire at 20");
    assert_non_null(logged);
    assert_non_null(strstr(logged, "to do: renew the client certificate's file, it is read again"));
    assert_null(strstr(logged + 1, "our credentials"));
    int64_t left_ms = stats_of(&self).credentials_expire_wall_ms - pin_clock_wall_ms();
    assert_in_range(left_ms, 80000000, 86400000);
    stop_box(&self);
}

/* Its own definition, which any other one that is found first takes the place of, says 0. */
static void test_a_library_that_libcurl_brings_waits_until_it_is_asked(void **state)
{
    int (*is_left_out)(void) = NULL;
    void *at = dlsym(RTLD_DEFAULT, "_gnutls_global_init_skip");
    (void)state;
    assert_non_null(at);
    memcpy(&is_left_out, &at, sizeof(is_left_out));
    assert_int_equal(is_left_out(), 1);
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
    struct CMUnitTest tests[N_ELEMS(cases) + 3] = {
        cmocka_unit_test(test_a_renewed_certificate_ends_the_connections_of_the_old_one),
        cmocka_unit_test(test_a_certificate_that_ends_within_a_day_is_told_once),
        cmocka_unit_test(test_a_library_that_libcurl_brings_waits_until_it_is_asked),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("http", tests, make_folder, remove_folder);
}
