/* SPDX-License-Identifier: Apache-2.0 */

/* Sockets from one process to the next, by inheritance; the environment says which. */

#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/text.h"

#define VARIABLE "PINTLE_HANDOVER"
/* "1", then the process id. */
#define READY_MAX 32

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
    pin_handover_forget();
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

bool pin_handover_ready(struct pin_handover *handover)
{
    while (handover->n > 0) {
        (void)close(handover->fds[--handover->n]);
    }
    char text[READY_MAX];
    int bytes = snprintf(text, sizeof(text), "1%d\n", (int)getpid());
    return write(handover->said_fd, text, (size_t)bytes) == bytes;
}

bool pin_handover_hear(int said_fd, pid_t *ret_pid)
{
    char text[READY_MAX] = "";
    char *end = NULL;
    ssize_t bytes = read(said_fd, text, sizeof(text) - 1); /* all of it: it is one small write */
    long pid = bytes > 1 ? strtol(text + 1, &end, 10) : 0;
    *ret_pid = pid > 0 && pid <= INT32_MAX && *end == '\n' ? (pid_t)pid : 0;
    return bytes > 0;
}

bool pin_handover_is_over(struct pin_handover *handover)
{
    struct pollfd said = {.fd = handover->said_fd}; /* that nobody reads it is always told */
    if (handover->said_fd >= 0 && poll(&said, 1, 0) == 0) {
        return false;
    }
    if (handover->said_fd >= 0) {
        (void)close(handover->said_fd);
        handover->said_fd = -1;
    }
    return true;
}

void pin_handover_forget(void)
{
    (void)unsetenv(VARIABLE); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* --- The next process ------------------------------------------------------------------------- */

static int add_all(posix_spawn_file_actions_t *actions, const int *fds, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n && failed == 0; i++) {
        failed = posix_spawn_file_actions_adddup2(actions, fds[i], fds[i]); /* stays open */
    }
    return failed;
}

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

/* The variable that names all of its descriptors; NULL: memory is out. */
static char *make_variable(const struct pin_handover_next *next)
{
    struct pin_text text = {0};
    pin_text_puts(&text, VARIABLE "=");
    for (size_t i = 0; i < next->n; i++) {
        pin_text_putf(&text, "%s%d", i > 0 ? "," : "", next->fds[i]);
    }
    char *variable = text.failed ? NULL : strdup(pin_text_get(&text));
    pin_text_done(&text);
    return variable;
}

static int spawn(const struct pin_handover_next *next, char *const *env, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0) {
        return failed;
    }
    failed = posix_spawnattr_init(&attr);
    if (failed == 0) {
        failed = add_all(&actions, next->fds, next->n);
        failed = failed != 0 ? failed : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
        failed = failed != 0 ? failed : posix_spawnattr_setsigmask(&attr, next->mask);
        failed = failed != 0
                     ? failed
                     : posix_spawn(ret_pid, next->program, &actions, &attr, next->argv, env);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

enum pin_err pin_handover_spawn(
    const struct pin_handover_next *next, pid_t *ret_pid, struct pin_why *why)
{
    char *variable = make_variable(next);
    char **env = variable != NULL ? make_env(variable) : NULL;
    int failed = env != NULL ? spawn(next, env, ret_pid) : ENOMEM;
    free(env);
    free(variable);
    return failed == 0 ? PIN_OK : pin_why_errno(why, failed, "start \"%s\"", next->program);
}
