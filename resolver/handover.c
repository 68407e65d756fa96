/* SPDX-License-Identifier: Apache-2.0 */

/* Sockets from one process to the next, by inheritance; the environment says which. */

#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/text.h"

#define VARIABLE "PINTLE_HANDOVER"

/* "SAID,FD,FD,...": numbers of descriptors. */
bool pin_handover_take(struct pin_handover *ret_handover)
{
    *ret_handover = (struct pin_handover){.said_fd = -1};
    const char *text = getenv(VARIABLE); /* NOLINT(concurrency-mt-unsafe): one thread */
    char *end = NULL;
    if (text == NULL) {
        return false;
    }
    for (const char *at = text; *at != '\0' && ret_handover->n < PIN_HANDOVER_MAX; at = end) {
        at += *at == ',' ? 1 : 0;
        long fd = strtol(at, &end, 10);
        if (end == at || fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
            break;
        }
        if (ret_handover->said_fd < 0) {
            ret_handover->said_fd = (int)fd;
        } else {
            ret_handover->fds[ret_handover->n++] = (int)fd;
        }
    }
    (void)unsetenv(VARIABLE); /* NOLINT(concurrency-mt-unsafe): likewise */
    return ret_handover->said_fd >= 0;
}

static bool is_at(int fd, const struct pin_addrport *address, int type)
{
    struct sockaddr_storage local = {0};
    socklen_t local_bytes = sizeof(local);
    int its_type = 0;
    socklen_t type_bytes = sizeof(its_type);
    if (getsockname(fd, (struct sockaddr *)&local, &local_bytes) != 0
        || getsockopt(fd, SOL_SOCKET, SO_TYPE, &its_type, &type_bytes) != 0 || its_type != type) {
        return false;
    }
    struct pin_addrport its = pin_addrport_from_sockaddr((const struct sockaddr *)&local);
    return pin_ip_equal(&its.ip, &address->ip) && (address->port == 0 || its.port == address->port);
}

int pin_handover_find(struct pin_handover *handover, const struct pin_addrport *address, int type)
{
    for (size_t i = 0; handover != NULL && i < handover->n; i++) {
        int fd = handover->fds[i];
        if (is_at(fd, address, type)) {
            handover->n--;
            memmove(&handover->fds[i], &handover->fds[i + 1],
                (handover->n - i) * sizeof(handover->fds[0]));
            return fd;
        }
    }
    return -1;
}

void pin_handover_ready(struct pin_handover *handover)
{
    (void)!write(handover->said_fd, "1", 1); /* who has gone need not know */
    (void)close(handover->said_fd);
    handover->said_fd = -1;
    while (handover->n > 0) {
        (void)close(handover->fds[--handover->n]);
    }
}

static int add_all(posix_spawn_file_actions_t *actions, const int *fds, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n && failed == 0; i++) {
        failed = posix_spawn_file_actions_adddup2(actions, fds[i], fds[i]); /* stays open */
    }
    return failed;
}

/* What is started, and what it gets. */
struct start {
    const char *program;
    char *const *argv;
    char *variable; /* "PINTLE_HANDOVER=..."; owned */
    int fds[PIN_HANDOVER_MAX + 1];
    size_t n;
};

/* Our environment with one more variable, which is borrowed. NULL: memory is out. */
static char **make_env(char *variable)
{
    size_t n = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **env = calloc(n + 2, sizeof(*env));
    if (env != NULL) {
        memcpy(env, environ, n * sizeof(*env));
        env[n] = variable;
    }
    return env;
}

static enum pin_err spawn(const struct start *start, pid_t *ret_pid, struct pin_why *why)
{
    posix_spawn_file_actions_t actions;
    char **env = start->variable != NULL ? make_env(start->variable) : NULL;
    int failed = env != NULL ? posix_spawn_file_actions_init(&actions) : ENOMEM;
    if (failed == 0) {
        failed = add_all(&actions, start->fds, start->n);
        if (failed == 0) {
            failed = posix_spawn(ret_pid, start->program, &actions, NULL, start->argv, env);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    free(env);
    return failed == 0 ? PIN_OK : pin_why_errno(why, failed, "start \"%s\"", start->program);
}

/* The variable that names all of its descriptors; NULL: memory is out. */
static char *make_variable(const struct start *start)
{
    struct pin_text text = {0};
    pin_text_puts(&text, VARIABLE "=");
    for (size_t i = 0; i < start->n; i++) {
        pin_text_putf(&text, "%s%d", i > 0 ? "," : "", start->fds[i]);
    }
    char *variable = text.failed ? NULL : strdup(pin_text_get(&text));
    pin_text_done(&text);
    return variable;
}

static void add_fds(struct start *start, int said_fd, const int *fds, size_t n)
{
    start->fds[start->n++] = said_fd;
    for (size_t i = 0; i < n; i++) {
        start->fds[start->n++] = fds[i];
    }
}

enum pin_err pin_handover_spawn(
    const struct pin_handover_next *next, int *ret_fd, pid_t *ret_pid, struct pin_why *why)
{
    int ends[2];
    struct start start = {.program = next->program, .argv = next->argv};
    if (next->n > PIN_HANDOVER_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "more than %u sockets", PIN_HANDOVER_MAX);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return pin_why_errno(why, errno, "a pipe");
    }
    add_fds(&start, ends[1], next->fds, next->n);
    start.variable = make_variable(&start);
    enum pin_err err = spawn(&start, ret_pid, why);
    free(start.variable);
    (void)close(ends[1]);
    if (err != PIN_OK) {
        (void)close(ends[0]);
        ends[0] = -1;
    }
    *ret_fd = ends[0];
    return err;
}
