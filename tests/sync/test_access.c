/* SPDX-License-Identifier: Apache-2.0 */

/* Credentials that are run for, renewed and refused, against the fake API server. */

#include "pintle/base/macros.h"

#include "fake.h"

#define SECRET  "c2VjcmV0LTEyMzQ1Njc4OTAxMjM0NTY3ODkw"
#define RENEWED (15000 * slow())

static char folder[] = "/tmp/pintle-access-XXXXXX";

/* Waits are longer under tools that slow a program down. */
static int64_t slow(void)
{
    const char *factor = getenv("PINTLE_SLOW");
    return factor == NULL ? 1 : strtoll(factor, NULL, 10);
}

static void put_file(const char *name, const char *text)
{
    char *path = pin_path_join(folder, name);
    assert_int_equal(pin_file_write_atomic(path, text, strlen(text), 0600, NULL), PIN_OK);
    free(path);
}

/*
 * A plugin that counts its runs in the file "runs" and prints a credential whose token is the first
 * line of the file "token", whose end is the second one's.
 */
static const char plugin[] =
    "cd \"$(dirname \"$0\")\" && echo run >>runs\n"
    "[ ! -e broken ] || { cat broken >&2; exit 3; }\n"
    "end=$(sed -n 2p token); [ -z \"$end\" ] || end=$(date -u -d \"$end\" +%Y-%m-%dT%H:%M:%SZ)\n"
    "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",'\n"
    "echo \"\\\"status\\\":{\\\"token\\\":\\\"$(sed -n 1p token)\\\"\"\n"
    "[ -z \"$end\" ] || echo \",\\\"expirationTimestamp\\\":\\\"$end\\\"\"\n"
    "echo '}}'\n";

static size_t count_runs(void)
{
    char *path = pin_path_join(folder, "runs");
    char *text = NULL;
    size_t bytes = 0;
    size_t n = 0;
    if (pin_file_read(path, 1 << 20, &text, &bytes, NULL) == PIN_OK) {
        n = bytes / 4;
    }
    free(text);
    free(path);
    return n;
}

/* A cluster c1 that is entered with the plugin, and good, whose token is in the kubeconfig. */
static void write_exec_config(struct box *self, const char *more)
{
    struct pin_text text = {0};
    pin_text_putf(&text,
        "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
        "users:\n- {name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: "
        "sh, args: [%s/plugin]%s}}}\n- {name: good, user: {token: good}}\n"
        "contexts:\n- {name: c1, context: {cluster: k, user: u}}\n"
        "- {name: good, context: {cluster: k, user: good}}\n",
        self->fake.port, folder, more);
    assert_int_equal(pin_file_write_atomic(self->config, text.ptr, text.len, 0600, NULL), PIN_OK);
    pin_text_done(&text);
}

static int set_up_exec(void **state)
{
    struct box *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    (void)snprintf(self->config, sizeof(self->config), "%s/config", folder);
    fake_start(&self->fake, NULL);
    put_file("plugin", plugin);
    put_file("token", "fresh\n");
    write_exec_config(self, "");
    const struct pin_source_spec specs[] = {
        {.cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = self->config, .context = "c1"},
        {.cluster_id = 1,
            .cluster = "good",
            .kind = PIN_SOURCE_CONTEXT,
            .kubeconfig = self->config,
            .context = "good"},
    };
    rig_init(&self->rig, specs, 2);
    order(self, FAULT("/", "\"token\":\"\",\"status\":401,\"times\":9999"));
    order(self, FAULT("/", "\"token\":\"stale\",\"status\":401,\"times\":9999"));
    *state = self;
    return 0;
}

static int tear_down_exec(void **state)
{
    static const char *const names[] = {"config", "plugin", "token", "runs", "broken"};
    struct box *self = *state;
    if (strstr(pin_text_get(&self->rig.logged), SECRET) != NULL) {
        fail_msg("a secret was logged:\n%s", pin_text_get(&self->rig.logged));
    }
    rig_done(&self->rig);
    fake_stop(&self->fake);
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        char *path = pin_path_join(folder, names[i]);
        (void)unlink(path);
        free(path);
    }
    free(self);
    return 0;
}

static void wait_runs(struct box *self, size_t n)
{
    int64_t until_ms = pin_clock_mono_ms() + RENEWED;
    while (count_runs() < n && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 20);
    }
    assert_true(count_runs() >= n);
}

/* Waits until both clusters have said this. */
static void want_both(struct box *self, const char *part)
{
    int64_t until_ms = pin_clock_mono_ms() + RENEWED;
    while (rig_count(&self->rig, part) < 2 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 20);
    }
    if (rig_count(&self->rig, part) < 2) {
        fail_msg("not both: '%s'; seen:\n%s\nlogged:\n%s", part, pin_text_get(&self->rig.seen),
            pin_text_get(&self->rig.logged));
    }
}

static void test_a_plugins_token_opens_the_door(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    pin_sync_start(self->rig.sync);
    want_both(self, "SYNCED");
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0); /* it was waited for */
    assert_int_equal(count_runs(), 1);
    assert_int_equal(stats_of(self).credentials_expire_wall_ms, 0);
    assert_string_equal(stats_of(self).error, "");
}

static void test_a_token_that_is_refused_is_asked_for_again(void **state)
{
    struct box *self = *state;
    put_file("token", "stale\n");
    pin_sync_start(self->rig.sync);
    want_log(self,
        "does not accept our credentials (401); it has not been listed since the start; to do: "
        "run the exec plugin of the kubeconfig by hand");
    put_file("token", "fresh\n");
    want_both(self, "SYNCED");
    assert_in_range(count_runs(), 2, 3);
}

static void test_a_token_that_is_refused_after_its_end_is_told_so(void **state)
{
    struct box *self = *state;
    put_file("token", "stale\n1 hour ago\n");
    pin_sync_start(self->rig.sync);
    want_log(self, "does not accept our credentials (401: they have expired); it has not been");
}

static void test_a_token_is_renewed_before_its_end(void **state)
{
    struct box *self = *state;
    put_file("token", "fresh\n8 seconds\n");
    pin_sync_start(self->rig.sync);
    want_both(self, "SYNCED");
    int64_t left_ms = stats_of(self).credentials_expire_wall_ms - pin_clock_wall_ms();
    assert_true(left_ms > 0 && left_ms <= 8000);
    rig_forget(&self->rig);
    put_file("token", "newer\n1 hour\n");
    wait_runs(self, 2);
    int64_t until_ms = pin_clock_mono_ms() + RENEWED;
    do {
        pin_loop_poll(self->rig.loop, 20);
        left_ms = stats_of(self).credentials_expire_wall_ms - pin_clock_wall_ms();
    } while (left_ms <= 3500000 && pin_clock_mono_ms() < until_ms);
    assert_true(left_ms > 3500000);
    assert_string_equal(pin_text_get(&self->rig.seen), ""); /* and nobody noticed */
    assert_string_equal(pin_text_get(&self->rig.logged), "");
}

static void test_a_plugin_that_fails_later_changes_nothing(void **state)
{
    struct box *self = *state;
    put_file("token", "fresh\n8 seconds\n");
    pin_sync_start(self->rig.sync);
    want_both(self, "SYNCED");
    rig_forget(&self->rig);
    put_file("broken", "cannot log in with " SECRET "\n");
    want_log(self, "cluster c1: exec plugin 'sh' ended with 3: cannot log in with (hidden); what "
                   "it gave before is used on; to do: ");
    want_log(self, "cluster c1: our credentials expire at ");
    assert_string_equal(pin_text_get(&self->rig.seen), "");
    assert_true(stats_of(self).is_up);
    assert_non_null(strstr(stats_of(self).error, "exec plugin 'sh' ended with 3"));
}

static struct broken_case {
    const char *name;
    const char *token;  /* What the file says. */
    const char *broken; /* What the plugin complains of, or NULL. */
    const char *more;   /* In the kubeconfig's exec. */
    const char *want;
} broken_cases[] = {
    {"a plugin that fails keeps its own cluster away only", "fresh\n", "no network " SECRET "\n",
        "",
        "exec plugin 'sh' ended with 3: no network (hidden); it has not been listed since the "
        "start"},
    {"one that prints garbage too", SECRET "\"\n", NULL, "",
        "exec plugin 'sh': what it printed is no JSON; it has not been listed since the start"},
    {"one that prints no token too", "\n", NULL, "",
        "exec plugin 'sh': it gave neither a token nor a client certificate; it has not been "
        "listed since the start"},
    {"a hint on where to get the plugin is passed on", "fresh\n", "oops\n",
        ", installHint: get it from the shop", "; to do: get it from the shop"},
    {"an end that has passed is told", "stale\n1 hour ago\n", NULL, "",
        "exec plugin 'sh' gave a credential that expired at "},
};

static void test_broken(void **state)
{
    const struct broken_case *c = *state;
    void *box = NULL;
    set_up_exec(&box);
    struct box *self = box;
    put_file("token", c->token);
    if (c->broken != NULL) {
        put_file("broken", c->broken);
    }
    if (c->more[0] != '\0') { /* the kubeconfig was read already */
        const struct pin_source_spec spec = {.cluster = "c1",
            .kind = PIN_SOURCE_CONTEXT,
            .kubeconfig = self->config,
            .context = "c1"};
        write_exec_config(self, c->more);
        rig_done(&self->rig);
        rig_init(&self->rig, &spec, 1);
    }
    pin_sync_start(self->rig.sync);
    want_log(self, c->want);
    want(self, "DOWN");
    if (c->more[0] == '\0') {
        want(self, "SYNCED"); /* the other one */
    }
    assert_false(stats_of(self).is_up);
    tear_down_exec(&box);
}

static void test_a_kubeconfig_that_is_gone_is_not_needed(void **state)
{
    struct box *self = *state;
    put_file("broken", "oops\n");
    pin_sync_start(self->rig.sync);
    want(self, "DOWN");
    want(self, "SYNCED");
    assert_int_equal(unlink(self->config), 0);
    rig_forget(&self->rig);
    char *path = pin_path_join(folder, "broken");
    assert_int_equal(unlink(path), 0);
    free(path);
    want(self, "SYNCED"); /* by the next run, whatever became of the file meanwhile */
}

/* {"exp":1} */
#define ENDED "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2ln"

static void test_a_token_in_a_file_that_has_ended_is_told_so(void **state)
{
    struct box *self = *state;
    struct pin_text text = {0};
    const struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = self->config, .context = "c1"};
    pin_text_putf(&text,
        "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
        "users: [{name: u, user: {tokenFile: token}}]\n"
        "contexts: [{name: c1, context: {cluster: k, user: u}}]\n",
        self->fake.port);
    assert_int_equal(pin_file_write_atomic(self->config, text.ptr, text.len, 0600, NULL), PIN_OK);
    pin_text_done(&text);
    put_file("token", ENDED "\n");
    order(self, FAULT("/", "\"token\":\"" ENDED "\",\"status\":401,\"times\":9999"));
    rig_done(&self->rig);
    rig_init(&self->rig, &spec, 1);
    pin_sync_start(self->rig.sync);
    want_log(self,
        "our credentials have expired at 1970-01-01T00:00:01.000Z; to do: check the token file");
    want_log(self, "does not accept our credentials (401: they have expired); it has not been");
    assert_int_equal(stats_of(self).credentials_expire_wall_ms, 1000);
    put_file("token", "fresh\n");
    want_log(self, "cluster c1: credentials were renewed");
    want(self, "SYNCED");
    assert_null(strstr(pin_text_get(&self->rig.logged), "the kubeconfig has changed"));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
#define EXEC_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_exec, tear_down_exec)
    const struct CMUnitTest singles[] = {
        EXEC_TEST(test_a_plugins_token_opens_the_door),
        EXEC_TEST(test_a_token_that_is_refused_is_asked_for_again),
        EXEC_TEST(test_a_token_that_is_refused_after_its_end_is_told_so),
        EXEC_TEST(test_a_token_is_renewed_before_its_end),
        EXEC_TEST(test_a_plugin_that_fails_later_changes_nothing),
        EXEC_TEST(test_a_kubeconfig_that_is_gone_is_not_needed),
        EXEC_TEST(test_a_token_in_a_file_that_has_ended_is_told_so),
    };
    struct CMUnitTest tests[N_ELEMS(singles) + N_ELEMS(broken_cases)];
    memcpy(tests, singles, sizeof(singles));
    for (size_t i = 0; i < N_ELEMS(broken_cases); i++) {
        tests[N_ELEMS(singles) + i] = (struct CMUnitTest){.name = broken_cases[i].name,
            .test_func = test_broken,
            .initial_state = &broken_cases[i]};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("access", tests, make_folder, remove_folder);
}
