/* SPDX-License-Identifier: Apache-2.0 */

/* pintled as a child process that prints JSON. */

#include "cli/pintled.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pintle/base/file.h"
#include "pintle/base/macros.h"

#define ARGS_MAX         138
#define OUTPUT_MAX_BYTES ((size_t)256 << 20)

/* The program beside this one; "pintled" when there is none, which $PATH finds. */
static void find_program(char *out, size_t cap)
{
    char self[4096];
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
    (void)snprintf(out, cap, "pintled");
    if (bytes <= 0) {
        return;
    }
    self[bytes] = '\0';
    char *slash = strrchr(self, '/');
    char beside[4096 + 16];
    (void)snprintf(
        beside, sizeof(beside), "%.*s/pintled", slash != NULL ? (int)(slash - self) : 0, self);
    if (access(beside, X_OK) == 0) {
        (void)snprintf(out, cap, "%s", beside);
    }
}

/* All that the child writes; false when it is too much, or memory is out. */
static bool read_all(int fd, struct pin_text *out)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 && !out->failed;
        }
        if (out->len + (size_t)n > OUTPUT_MAX_BYTES) {
            return false;
        }
        pin_text_putn(out, chunk, (size_t)n);
    }
}

/* Starts it with its output in a pipe; -1 when that fails, and errno says why. */
static int start(const char *program, const char *const *args, size_t n_args, pid_t *ret_pid)
{
    char *argv[ARGS_MAX] = {NULL};
    posix_spawn_file_actions_t actions;
    int fds[2];
    memcpy(argv, &program, sizeof(program)); /* nobody writes to them */
    for (size_t i = 0; i < n_args && i + 2 < N_ELEMS(argv); i++) {
        memcpy(&argv[i + 1], &args[i], sizeof(args[i]));
    }
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return -1;
    }
    int err = posix_spawn_file_actions_init(&actions);
    if (err == 0) {
        err = posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
        err = err != 0 ? err : posix_spawnp(ret_pid, program, &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(fds[1]);
    if (err != 0) {
        (void)close(fds[0]);
        errno = err;
        return -1;
    }
    return fds[0];
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum pin_ctl_exit pin_pintled_ask(
    const char *const *args, size_t n_args, struct pin_api_reply *ret_reply)
{
    char program[4096 + 16];
    struct pin_why why = {0};
    pid_t pid = 0;
    find_program(program, sizeof(program));
    int fd = start(program, args, n_args, &pid);
    if (fd < 0) {
        (void)fprintf(stderr,
            "pintlectl: %s cannot be run: %s; it is looked for beside pintlectl, then in $PATH\n",
            program, strerror(errno)); /* NOLINT(concurrency-mt-unsafe): one thread */
        return PIN_CTL_FAILED;
    }
    bool is_read = read_all(fd, &ret_reply->body);
    (void)close(fd);
    int code = wait_for(pid);
    if (code != 0) {
        return code == PIN_CTL_USAGE ? PIN_CTL_USAGE : PIN_CTL_FAILED; /* it has said why */
    }
    enum pin_err err = is_read ? pin_api_parse(ret_reply, &why)
                               : pin_why_set(&why, PIN_ELIMIT, "more than can be read");
    if (err != PIN_OK) {
        (void)fprintf(stderr, "pintlectl: what %s printed: %s\n", program, why.text);
        return PIN_CTL_FAILED;
    }
    return PIN_CTL_OK;
}

static bool is_manifest(const char *name)
{
    static const char *const ends[] = {".yaml", ".yml", ".json"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && dot != name && i < N_ELEMS(ends); i++) {
        if (strcmp(dot, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_directory(const char *parent, const char *name)
{
    struct stat st;
    char *path = pin_path_join(parent, name);
    bool is_it = path != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    free(path);
    return is_it;
}

bool pin_pintled_is_clusters_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry = NULL;
    bool has_directory = false;
    bool has_manifest = false;
    while (dir != NULL && (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "pintle.yaml") == 0) {
            continue; /* pintle.yaml is the configuration of a directory of clusters */
        }
        bool is_dir = is_directory(path, entry->d_name);
        has_directory = has_directory || is_dir;
        has_manifest = has_manifest || (!is_dir && is_manifest(entry->d_name));
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return has_directory && !has_manifest;
}
