/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Programs beside the loop. One that is cancelled stays until its process is gone, so that its
 * number is not used again meanwhile.
 */

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pintle/base/loop.h"

/* What comes out of one pipe. */
struct outlet {
    struct pin_command *command;
    struct pin_fd *watch;
    char *text; /* `cap` + 1 bytes. */
    size_t len;
    size_t cap;
    int fd; /* Our end; -1: none. */
};

#define OUTLET_OUT 0
#define OUTLET_ERR 1
#define N_OUTLETS  2

/* What standard error may say beside what is kept of it. */
#define SURPLUS_BYTES_MAX ((size_t)1 << 20)

struct pin_command {
    struct pin_commands *commands;
    struct pin_command *prev;
    struct pin_command *next;
    void (*done)(void *arg, const struct pin_command_result *result); /* NULL: cancelled */
    void *arg;
    struct pin_timer *timer;
    struct pin_fd *watch;
    struct outlet outlets[N_OUTLETS];
    pid_t pid;
    int pidfd;
    size_t surplus_bytes; /* Of standard error, beyond what is kept. */
    bool is_late;
    bool is_flooded;
};

struct pin_commands {
    struct pin_loop *loop;
    struct pin_command *all;
    unsigned n;
    unsigned n_max;
};

struct pin_commands *pin_commands_new(struct pin_loop *loop, unsigned n_max)
{
    struct pin_commands *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->loop = loop;
        self->n_max = n_max;
    }
    return self;
}

static void close_outlet(struct outlet *outlet)
{
    pin_fd_free(outlet->watch);
    outlet->watch = NULL;
    if (outlet->fd >= 0) {
        (void)close(outlet->fd);
    }
    outlet->fd = -1;
}

static void free_command(struct pin_command *self)
{
    if (self->prev != NULL) {
        self->prev->next = self->next;
    } else {
        self->commands->all = self->next;
    }
    if (self->next != NULL) {
        self->next->prev = self->prev;
    }
    self->commands->n--;
    pin_timer_free(self->timer);
    pin_fd_free(self->watch);
    if (self->pidfd >= 0) {
        (void)close(self->pidfd);
    }
    for (size_t i = 0; i < N_OUTLETS; i++) {
        close_outlet(&self->outlets[i]);
        if (self->outlets[i].text != NULL) {
            explicit_bzero(self->outlets[i].text, self->outlets[i].cap); /* it may be a secret */
            free(self->outlets[i].text);
        }
    }
    free(self);
}

/* The process leads its group, which exists as long as it was not waited for. */
static void kill_group(const struct pin_command *self)
{
    if (self->pid > 0) {
        (void)kill(-self->pid, SIGKILL);
    }
}

void pin_commands_free(struct pin_commands *commands)
{
    if (commands == NULL) {
        return;
    }
    struct pin_command *next = NULL;
    for (struct pin_command *at = commands->all; at != NULL; at = next) {
        next = at->next;
        kill_group(at);
        (void)waitpid(at->pid, NULL, WNOHANG);
        free_command(at);
    }
    free(commands);
}

void pin_command_cancel(struct pin_command *command)
{
    if (command != NULL) {
        command->done = NULL;
        kill_group(command); /* on_exit_ready() comes next */
    }
}

/* --- While it runs -------------------------------------------------------------------------- */

static void on_timeout(void *arg)
{
    struct pin_command *self = arg;
    self->is_late = true;
    kill_group(self);
}

/* More than its limit has come: of output that is the end, of standard error not at once. Whoever
 * writes as fast as it is read must not keep the loop here. */
static void note_surplus(struct outlet *outlet, size_t bytes)
{
    struct pin_command *self = outlet->command;
    bool is_error = outlet == &self->outlets[OUTLET_ERR];
    self->surplus_bytes += is_error ? bytes : 0;
    if (!is_error || self->surplus_bytes > SURPLUS_BYTES_MAX) {
        self->is_flooded = true;
        kill_group(self);
        close_outlet(outlet);
    }
}

/* Takes what has come. */
static void read_outlet(struct outlet *outlet)
{
    char surplus[4096];
    while (outlet->fd >= 0) {
        bool is_full = outlet->len == outlet->cap;
        char *to = is_full ? surplus : outlet->text + outlet->len;
        ssize_t n = read(outlet->fd, to, is_full ? sizeof(surplus) : outlet->cap - outlet->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            close_outlet(outlet);
        } else if (!is_full) {
            outlet->len += (size_t)n;
        } else {
            note_surplus(outlet, (size_t)n);
        }
    }
}

static void on_output(int fd, int what, void *arg)
{
    (void)fd;
    (void)what;
    read_outlet(arg);
}

static const char *text_of(const struct outlet *outlet)
{
    return outlet->text == NULL ? "" : outlet->text; /* calloc() put the NUL */
}

static void tell(struct pin_command *self, int status)
{
    const struct pin_command_result result = {
        .end = self->is_late         ? PIN_COMMAND_LATE
               : self->is_flooded    ? PIN_COMMAND_FLOODED
               : WIFSIGNALED(status) ? PIN_COMMAND_SIGNALED
                                     : PIN_COMMAND_EXITED,
        .code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
        .out = text_of(&self->outlets[OUTLET_OUT]),
        .out_bytes = self->outlets[OUTLET_OUT].len,
        .err = text_of(&self->outlets[OUTLET_ERR]),
        .err_bytes = self->outlets[OUTLET_ERR].len,
    };
    self->done(self->arg, &result);
}

/* The leader has ended: what it left behind in its group goes before the group's number is free. */
static void on_exit_ready(int fd, int what, void *arg)
{
    struct pin_command *self = arg;
    int status = 0;
    (void)fd;
    (void)what;
    kill_group(self);
    if (waitpid(self->pid, &status, WNOHANG) == 0) {
        return; /* not yet after all */
    }
    self->pid = 0; /* from here on it could be another's */
    for (size_t i = 0; i < N_OUTLETS; i++) {
        read_outlet(&self->outlets[i]);
    }
    if (self->done != NULL) {
        tell(self, status);
    }
    free_command(self);
}

/* --- Start ---------------------------------------------------------------------------------- */

/* Everything of the parent's signals is undone, and no descriptor is left to the program. */
static int set_up(
    posix_spawnattr_t *attr, posix_spawn_file_actions_t *actions, const int ends[N_OUTLETS])
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
    failed = failed != 0 ? failed
                         : posix_spawn_file_actions_addopen(
                             actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (int i = 0; i < N_OUTLETS && failed == 0; i++) {
        int fd = i == OUTLET_OUT ? STDOUT_FILENO : STDERR_FILENO;
        failed = ends[i] >= 0
                     ? posix_spawn_file_actions_adddup2(actions, ends[i], fd)
                     : posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_WRONLY, 0);
    }
    return failed != 0 ? failed : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

/* 0 or an errno. */
static int spawn(const struct pin_command_spec *spec, const int ends[N_OUTLETS], pid_t *ret_pid)
{
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    if (posix_spawnattr_init(&attr) != 0) {
        return ENOMEM;
    }
    if (posix_spawn_file_actions_init(&actions) != 0) {
        (void)posix_spawnattr_destroy(&attr);
        return ENOMEM;
    }
    int failed = set_up(&attr, &actions, ends);
    if (failed == 0) {
        failed = posix_spawnp(ret_pid, spec->argv[0], &actions, &attr, spec->argv, spec->env);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    return failed;
}

/* A pipe whose reading end is ours; its other end goes to *ret_end. */
static enum pin_err open_outlet(
    struct outlet *outlet, struct pin_loop *loop, size_t cap, int *ret_end, struct pin_why *why)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return pin_why_errno(why, errno, "make a pipe");
    }
    outlet->fd = ends[0];
    *ret_end = ends[1];
    outlet->cap = cap;
    outlet->text = calloc(1, cap + 1);
    if (outlet->text == NULL || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for what a command says");
    }
    outlet->watch = pin_fd_new(loop, outlet->fd, PIN_FD_READ, on_output, outlet);
    return outlet->watch == NULL ? pin_why_set(why, PIN_ENOMEM, "no memory for a pipe") : PIN_OK;
}

static enum pin_err start_process(
    struct pin_command *self, const struct pin_command_spec *spec, struct pin_why *why)
{
    struct pin_loop *loop = self->commands->loop;
    size_t caps[N_OUTLETS] = {spec->output_bytes_max, PIN_COMMAND_ERROR_BYTES};
    int ends[N_OUTLETS] = {-1, -1};
    enum pin_err err = PIN_OK;
    for (size_t i = 0; i < N_OUTLETS && spec->output_bytes_max > 0 && err == PIN_OK; i++) {
        err = open_outlet(&self->outlets[i], loop, caps[i], &ends[i], why);
    }
    int failed = err == PIN_OK ? spawn(spec, ends, &self->pid) : 0;
    for (size_t i = 0; i < N_OUTLETS; i++) {
        if (ends[i] >= 0) {
            (void)close(ends[i]);
        }
    }
    if (failed != 0) {
        self->pid = 0;
        return pin_why_errno(why, failed, "start '%s'", spec->argv[0]);
    }
    return err;
}

static enum pin_err begin(
    struct pin_command *self, const struct pin_command_spec *spec, struct pin_why *why)
{
    struct pin_loop *loop = self->commands->loop;
    enum pin_err err = start_process(self, spec, why);
    if (err != PIN_OK) {
        return err;
    }
    self->pidfd = pidfd_open(self->pid, 0);
    if (self->pidfd < 0) {
        return pin_why_errno(why, errno, "watch '%s'", spec->argv[0]);
    }
    self->timer = pin_timer_new(loop, on_timeout, self);
    self->watch = pin_fd_new(loop, self->pidfd, PIN_FD_READ, on_exit_ready, self);
    if (self->timer == NULL || self->watch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a command");
    }
    pin_timer_start(self->timer, spec->timeout_ms, false);
    return PIN_OK;
}

static struct pin_command *new_command(
    struct pin_commands *commands, const struct pin_command_spec *spec)
{
    struct pin_command *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    *self = (struct pin_command){.commands = commands,
        .next = commands->all,
        .done = spec->done,
        .arg = spec->arg,
        .pidfd = -1};
    for (size_t i = 0; i < N_OUTLETS; i++) {
        self->outlets[i] = (struct outlet){.command = self, .fd = -1};
    }
    if (self->next != NULL) {
        self->next->prev = self;
    }
    commands->all = self;
    commands->n++;
    return self;
}

enum pin_err pin_command_start(struct pin_commands *commands, const struct pin_command_spec *spec,
    struct pin_command **ret_command, struct pin_why *why)
{
    if (commands->n >= commands->n_max) {
        return pin_why_set(why, PIN_EBUSY, "%u commands run already", commands->n);
    }
    struct pin_command *self = new_command(commands, spec);
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a command");
    }
    enum pin_err err = begin(self, spec, why);
    if (err != PIN_OK) {
        kill_group(self);
        if (self->pid > 0) {
            (void)waitpid(self->pid, NULL, 0); /* killed: it ends at once */
        }
        free_command(self);
        return err;
    }
    *ret_command = self;
    return PIN_OK;
}
