/* SPDX-License-Identifier: Apache-2.0 */

/* Runs kubectl and keeps what it says. */

#include "cli/kubectl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM   "kubectl"
#define ARGS_MAX  32u
#define CHUNK     65536u
#define MAX_BYTES ((size_t)64 << 20)

/* Takes what a pipe has; false: it has ended. */
static bool take(int fd, struct pin_text *text)
{
    char chunk[CHUNK];
    ssize_t n = read(fd, chunk, sizeof(chunk));
    if (n > 0 && text->len < MAX_BYTES) {
        pin_text_putn(text, chunk, (size_t)n);
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Reads both pipes to their ends. */
static void collect(int out, int err, struct pin_kubectl_reply *reply)
{
    struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    struct pin_text *texts[2] = {&reply->out, &reply->err};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        for (size_t i = 0; i < 2; i++) {
            if (fds[i].fd >= 0 && fds[i].revents != 0 && !take(fds[i].fd, texts[i])) {
                fds[i].fd = -1;
            }
        }
    }
}

/* Starts it with both outputs in pipes; an errno. */
static int start(char *const argv[], const int out[2], const int err[2], pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    }
    if (error == 0) {
        error = posix_spawnp(ret_pid, PROGRAM, &actions, NULL, argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum pin_err explain(int error, struct pin_why *why)
{
    if (error == ENOENT) {
        return pin_why_set(why, PIN_ENOTFOUND,
            "there is no " PROGRAM " in $PATH, which this asks API servers with");
    }
    return pin_why_errno(why, error, PROGRAM);
}

static void close_pair(const int pair[2])
{
    for (size_t i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            (void)close(pair[i]);
        }
    }
}

enum pin_err pin_kubectl_run(
    const char *const *args, struct pin_kubectl_reply *ret_reply, struct pin_why *why)
{
    struct pin_kubectl_reply reply = {0};
    char *argv[ARGS_MAX + 2] = {strdup(PROGRAM)};
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    pid_t pid = 0;
    size_t n = 1;
    for (; n <= ARGS_MAX && args[n - 1] != NULL; n++) {
        argv[n] = strdup(args[n - 1]);
    }
    int error = pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 ? 0 : errno;
    error = error != 0 ? error : start(argv, out, err, &pid);
    if (error == 0) {
        (void)close(out[1]);
        (void)close(err[1]);
        out[1] = err[1] = -1;
        collect(out[0], err[0], &reply);
        reply.status = wait_for(pid);
    }
    close_pair(out);
    close_pair(err);
    for (size_t i = 0; i < n; i++) {
        free(argv[i]);
    }
    if (error != 0) {
        pin_kubectl_reply_done(&reply);
        return explain(error, why);
    }
    *ret_reply = reply;
    return PIN_OK;
}

void pin_kubectl_reply_done(struct pin_kubectl_reply *reply)
{
    pin_text_done(&reply->out);
    pin_text_done(&reply->err);
    *reply = (struct pin_kubectl_reply){0};
}
