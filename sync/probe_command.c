/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Programs of the configuration as probes. A program is watched through its pidfd, so nobody else's
 * children are waited for; a run that is cancelled stays until its process is gone.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/sync/prober.h"

#include "probe.h"

#define RUNS_MAX      32u
#define ARGS_MAX      32u
#define ARG_BYTES_MAX 512u

struct run {
    struct pin_probe_run base;
    struct pin_probe_commands *commands;
    struct run *prev;
    struct run *next;
    struct pin_probe_want want; /* done NULL: cancelled */
    struct pin_timer *timer;
    struct pin_fd *watch;
    pid_t pid;
    int pidfd;
    bool is_late; /* It was killed because its time was over. */
};

struct pin_probe_commands {
    struct pin_loop *loop;
    struct run *runs;
    unsigned n_runs;
};

struct pin_probe_commands *pin_probe_commands_new(struct pin_loop *loop)
{
    struct pin_probe_commands *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->loop = loop;
    }
    return self;
}

static void free_run(struct run *self)
{
    if (self->prev != NULL) {
        self->prev->next = self->next;
    } else {
        self->commands->runs = self->next;
    }
    if (self->next != NULL) {
        self->next->prev = self->prev;
    }
    self->commands->n_runs--;
    pin_timer_free(self->timer);
    pin_fd_free(self->watch);
    if (self->pidfd >= 0) {
        (void)close(self->pidfd);
    }
    free(self);
}

/* The process leads its group, which exists as long as it was not waited for. */
static void kill_group(const struct run *self)
{
    if (self->pid > 0) {
        (void)kill(-self->pid, SIGKILL);
    }
}

void pin_probe_commands_free(struct pin_probe_commands *commands)
{
    if (commands == NULL) {
        return;
    }
    struct run *next = NULL;
    for (struct run *run = commands->runs; run != NULL; run = next) {
        next = run->next;
        kill_group(run);
        (void)waitpid(run->pid, NULL, WNOHANG);
        free_run(run);
    }
    free(commands);
}

static void cancel(struct pin_probe_run *run)
{
    struct run *self = container_of(run, struct run, base);
    self->want.done = NULL;
    kill_group(self);
}

static void on_timeout(void *arg)
{
    struct run *self = arg;
    self->is_late = true;
    kill_group(self); /* on_exit() comes next */
}

static const char *tell(const struct run *self, int status, char *out, size_t out_bytes)
{
    if (self->is_late) {
        (void)snprintf(out, out_bytes, "command '%s' took longer than %u s",
            self->want.spec->check.command, self->want.spec->check.timeout_s);
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(out, out_bytes, "command '%s' ended by signal %d",
            self->want.spec->check.command, WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        (void)snprintf(out, out_bytes, "command '%s' ended with %d", self->want.spec->check.command,
            WEXITSTATUS(status));
    } else {
        return NULL;
    }
    return out;
}

/* The leader has ended: what it left behind in its group goes before the group's number is free. */
static void on_exit_ready(int fd, int what, void *arg)
{
    struct run *self = arg;
    int status = 0;
    char text[PIN_CHECK_TEXT_MAX + 64];
    (void)fd;
    (void)what;
    kill_group(self);
    if (waitpid(self->pid, &status, WNOHANG) == 0) {
        return; /* not yet after all */
    }
    struct pin_probe_want want = self->want;
    const char *error =
        want.done != NULL ? tell(self, status, text, sizeof(text)) : NULL; /* else no spec */
    free_run(self);
    if (want.done != NULL) {
        want.done(want.arg, error);
    }
}

/* --- the program's arguments and surroundings --------------------------------------------------
 */

struct line {
    char *argv[ARGS_MAX + 2];
    char args[ARGS_MAX + 2][ARG_BYTES_MAX];
    size_t n;
    char address[PIN_IP_TEXT_MAX];
    char port[8];
};

/* Puts `with` in the place of the first `what`. False when it is not there. */
static bool replace(char *text, const char *what, const char *with)
{
    char *at = strstr(text, what);
    if (at == NULL) {
        return false;
    }
    char tail[ARG_BYTES_MAX];
    (void)snprintf(tail, sizeof(tail), "%s", at + strlen(what));
    (void)snprintf(at, ARG_BYTES_MAX - (size_t)(at - text), "%s%s", with, tail);
    return true;
}

static void make_line(
    const struct pin_prober_command *command, const struct pin_probe_spec *spec, struct line *ret)
{
    bool has_place = false;
    (void)pin_ip_format(&spec->ip, ret->address);
    (void)snprintf(ret->port, sizeof(ret->port), "%u", spec->port);
    for (ret->n = 0; ret->n < command->n_argv && ret->n < ARGS_MAX; ret->n++) {
        char *arg = ret->args[ret->n];
        (void)snprintf(arg, ARG_BYTES_MAX, "%s", command->argv[ret->n]);
        has_place = replace(arg, "{address}", ret->address) || has_place;
        has_place = replace(arg, "{port}", ret->port) || has_place;
        ret->argv[ret->n] = arg;
    }
    if (!has_place) {
        ret->argv[ret->n++] = ret->address;
    }
    ret->argv[ret->n] = NULL;
}

/* Everything of the parent's signals is undone, and no descriptor is left to the program. */
static int set_up(posix_spawnattr_t *attr, posix_spawn_file_actions_t *actions)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int failed = posix_spawnattr_setflags(
        attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed = failed != 0 ? failed : posix_spawnattr_setpgroup(attr, 0);
    failed = failed != 0 ? failed : posix_spawnattr_setsigmask(attr, &none);
    failed = failed != 0 ? failed : posix_spawnattr_setsigdefault(attr, &all);
    for (int fd = 0; fd < 3 && failed == 0; fd++) {
        failed = posix_spawn_file_actions_addopen(
            actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
    }
    return failed != 0 ? failed : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

/* 0 or an errno. */
static int spawn(struct line *line, pid_t *ret_pid)
{
    char address[PIN_IP_TEXT_MAX + 32];
    char port[32];
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *env[] = {path, address, port, NULL};
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    (void)snprintf(address, sizeof(address), "PINTLE_ADDRESS=%s", line->address);
    (void)snprintf(port, sizeof(port), "PINTLE_PORT=%s", line->port);
    if (posix_spawnattr_init(&attr) != 0) {
        return ENOMEM;
    }
    if (posix_spawn_file_actions_init(&actions) != 0) {
        (void)posix_spawnattr_destroy(&attr);
        return ENOMEM;
    }
    int failed = set_up(&attr, &actions);
    if (failed == 0) {
        failed = posix_spawn(ret_pid, line->argv[0], &actions, &attr, line->argv, env);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    return failed;
}

static enum pin_err begin(struct run *self, struct line *line, struct pin_why *why)
{
    struct pin_loop *loop = self->commands->loop;
    int failed = spawn(line, &self->pid);
    if (failed != 0) {
        self->pid = 0;
        return pin_why_errno(why, failed, "start '%s'", line->argv[0]);
    }
    self->pidfd = pidfd_open(self->pid, 0);
    if (self->pidfd < 0) {
        return pin_why_errno(why, errno, "watch '%s'", line->argv[0]);
    }
    self->timer = pin_timer_new(loop, on_timeout, self);
    self->watch = pin_fd_new(loop, self->pidfd, PIN_FD_READ, on_exit_ready, self);
    if (self->timer == NULL || self->watch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a probe");
    }
    pin_timer_start(self->timer, (int64_t)self->want.spec->check.timeout_s * 1000, false);
    return PIN_OK;
}

static struct run *new_run(struct pin_probe_commands *commands, const struct pin_probe_want *want)
{
    struct run *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    *self = (struct run){.base = {.cancel = cancel},
        .commands = commands,
        .next = commands->runs,
        .want = *want,
        .pidfd = -1};
    if (self->next != NULL) {
        self->next->prev = self;
    }
    commands->runs = self;
    commands->n_runs++;
    return self;
}

enum pin_err pin_probe_command(struct pin_probe_commands *commands,
    const struct pin_prober_command *command, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why)
{
    if (commands->n_runs >= RUNS_MAX) {
        return pin_why_set(why, PIN_EBUSY, "%u commands run already", RUNS_MAX);
    }
    struct line *line = calloc(1, sizeof(*line));
    struct run *self = line != NULL ? new_run(commands, want) : NULL;
    if (self == NULL) {
        free(line);
        return pin_why_set(why, PIN_ENOMEM, "no memory for a probe");
    }
    make_line(command, want->spec, line);
    enum pin_err err = begin(self, line, why);
    free(line);
    if (err != PIN_OK) {
        kill_group(self);
        if (self->pid > 0) {
            (void)waitpid(self->pid, NULL, 0); /* killed: it ends at once */
        }
        free_run(self);
        return err;
    }
    *ret_run = &self->base;
    return PIN_OK;
}
