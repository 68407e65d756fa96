/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Fake: tests/sync/fake_api.py (or another fake) as a child process, and a sync that talks to it.
 */

#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/file.h"

#include "rig.h"

/** A running fake server. */
struct fake {
    pid_t pid;
    int port;
    FILE *to;
    FILE *from;
};

/** Starts a fake, a script beside this file; its `arguments` end with NULL. */
static inline void fake_run(struct fake *self, const char *name, const char *const arguments[3])
{
    int in[2];
    int out[2];
    char script[4096];
    char python[] = "python3";
    char *argv[6] = {python, script, NULL};
    posix_spawn_file_actions_t actions;
    const char *source = getenv("PINTLE_SOURCE_DIR");
    (void)snprintf(script, sizeof(script), "%s/tests/sync/%s", source == NULL ? "." : source, name);
    for (size_t i = 0; i < 3 && arguments != NULL && arguments[i] != NULL; i++) {
        argv[2 + i] = strdup(arguments[i]);
    }
    if (pipe(in) != 0 || pipe(out) != 0) {
        abort();
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    if (posix_spawnp(&self->pid, python, &actions, NULL, argv, environ) != 0) {
        abort();
    }
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    for (size_t i = 2; argv[i] != NULL; i++) {
        free(argv[i]);
    }
    self->to = fdopen(in[1], "w");
    self->from = fdopen(out[0], "r");
    char line[32] = "";
    if (fgets(line, sizeof(line), self->from) == NULL) {
        abort();
    }
    self->port = (int)strtol(line, NULL, 10);
}

/** Starts it; `arguments` end with NULL: certificate, key and client CA for TLS. */
static inline void fake_start(struct fake *self, const char *const arguments[3])
{
    fake_run(self, "fake_api.py", arguments);
}

/** Sends a command and returns its answer, valid until the next one. */
static inline const char *fake_do(struct fake *self, const char *command)
{
    static char answer[65536];
    (void)fprintf(self->to, "%s\n", command);
    (void)fflush(self->to);
    if (fgets(answer, sizeof(answer), self->from) == NULL) {
        abort();
    }
    return answer;
}

/** Ends it. */
static inline void fake_stop(struct fake *self)
{
    if (self->pid > 0) {
        (void)kill(self->pid, SIGKILL);
        (void)waitpid(self->pid, NULL, 0);
        (void)fclose(self->to);
        (void)fclose(self->from);
    }
    self->pid = 0;
}

/* --- A cluster c1 behind it --- */

#define SERVICES "/api/v1/services"
#define PUT(name)                                                                                  \
    "{\"do\":\"put\",\"path\":\"" SERVICES "\",\"object\":{\"metadata\":{\"name\":\"" name         \
    "\",\"namespace\":\"d\"},\"spec\":{}}}"
#define DELETE(name)                                                                               \
    "{\"do\":\"delete\",\"path\":\"" SERVICES "\",\"namespace\":\"d\",\"name\":\"" name "\"}"
#define FAULT(match, what) "{\"do\":\"fault\",\"match\":\"" match "\"," what "}"
#define LIST_OF_SERVICES   SERVICES "?limit=500"
#define WATCH_OF_SERVICES  SERVICES "?watch=1"

struct box {
    struct fake fake;
    struct rig rig;
    char config[64];
};

/* A kubeconfig for the fake's address. */
static inline void write_config(struct box *self, const char *token)
{
    struct pin_text text = {0};
    pin_text_putf(&text,
        "current-context: c1\nclusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
        "users: [{name: u, user: {token: %s}}]\n"
        "contexts: [{name: c1, context: {cluster: k, user: u}}]\n",
        self->fake.port, token);
    assert_int_equal(pin_file_write_atomic(self->config, text.ptr, text.len, 0600, NULL), PIN_OK);
    pin_text_done(&text);
}

static inline int set_up(void **state)
{
    struct box *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    (void)snprintf(self->config, sizeof(self->config), "/tmp/pintle-cluster-%d.yaml", getpid());
    fake_start(&self->fake, NULL);
    write_config(self, "t");
    struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = self->config};
    rig_init(&self->rig, &spec, 1);
    *state = self;
    return 0;
}

static inline int tear_down(void **state)
{
    struct box *self = *state;
    rig_done(&self->rig);
    fake_stop(&self->fake);
    (void)unlink(self->config);
    free(self);
    return 0;
}

static inline void want(struct box *self, const char *part)
{
    rig_want(&self->rig, part);
}

static inline void want_log(struct box *self, const char *part)
{
    rig_want_log(&self->rig, part);
}

static inline void start(struct box *self)
{
    pin_sync_start(self->rig.sync);
    want(self, "SYNCED");
}

static inline void order(struct box *self, const char *command)
{
    assert_string_equal(fake_do(&self->fake, command), "ok\n");
}

static inline size_t count_requests(struct box *self, const char *part)
{
    size_t n = 0;
    for (const char *at = fake_do(&self->fake, "{\"do\":\"seen\"}");
         (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    return n;
}

static inline struct pin_sync_cluster_stats stats_of(const struct box *self)
{
    struct pin_sync_cluster_stats stats;
    pin_sync_cluster_stats(self->rig.sync, 0, &stats);
    return stats;
}

/** Runs the loop until the fake has seen a watch of that path, which orders reach from then on. */
static inline void want_watch(struct box *self, const char *path)
{
    char request[128];
    (void)snprintf(request, sizeof(request), "%s?watch=1", path);
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (count_requests(self, request) == 0) {
        assert_true(pin_clock_mono_ms() < until_ms);
        pin_loop_poll(self->rig.loop, 20);
    }
}

/** A test with a fake and a sync of its own. */
#define A_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
