/* SPDX-License-Identifier: Apache-2.0 */

/* Whole files: read with a limit, replace atomically. */

#include "pintle/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#define READ_STEP_BYTES ((size_t)64 << 10)
#define PIPE_SILENCE_MS 10000

/* An open file, and how it is read. */
struct source {
    const char *path;
    size_t max_bytes;
    int fd;
    int silence_ms; /* How long a pipe may say nothing; 0: all has to be there. */
};

/* What a file holds. */
struct blob {
    char *text;
    size_t bytes;
};

/* The first guess for a buffer: the size the file claims, never more than the limit allows. */
static size_t first_cap(const struct stat *st, size_t max_bytes)
{
    size_t size = S_ISREG(st->st_mode) && st->st_size > 0 ? (size_t)st->st_size : READ_STEP_BYTES;
    return PIN_MIN(size, max_bytes) + 2; /* one to notice growth, one for the NUL */
}

/* Waits until a pipe has more or has ended. False: its writer has been silent for too long. */
static bool wait_for_more(const struct source *source)
{
    struct pollfd pipe = {.fd = source->fd, .events = POLLIN};
    int n = 0;
    do {
        n = poll(&pipe, 1, source->silence_ms);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* What is there, 0 at the end, -1 with errno when there is no more to be had. */
static ssize_t read_some(const struct source *source, char *to, size_t bytes)
{
    ssize_t got = read(source->fd, to, bytes);
    while (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        if (errno == EAGAIN && !wait_for_more(source)) {
            errno = ETIMEDOUT;
            break;
        }
        got = read(source->fd, to, bytes);
    }
    return got;
}

/* Reads to the end. On success *text is the caller's. */
static enum pin_err read_all(
    const struct source *source, size_t cap, struct blob *ret_blob, struct pin_why *why)
{
    const char *path = source->path;
    size_t max_bytes = source->max_bytes;
    size_t used = 0;
    char *text = malloc(cap);
    enum pin_err err = PIN_OK;
    while (err == PIN_OK && text != NULL) {
        ssize_t got = read_some(source, text + used, cap - used - 1);
        if (got < 0) {
            err = errno == ETIMEDOUT ? pin_why_set(
                      why, PIN_ETIMEOUT, "'%s' is a pipe whose writer is silent", path)
                                     : pin_why_errno(why, errno, "read '%s'", path);
            break;
        }
        used += (size_t)got;
        if (used > max_bytes) {
            err = pin_why_set(
                why, PIN_ELIMIT, "'%s' is longer than %zu bytes, the limit", path, max_bytes);
        } else if (got == 0) {
            text[used] = '\0';
            *ret_blob = (struct blob){.text = text, .bytes = used};
            return PIN_OK;
        } else if (used + 1 == cap) {
            cap = PIN_MIN(cap * 2, max_bytes + 2);
            char *larger = realloc(text, cap);
            if (larger == NULL) {
                break;
            }
            text = larger;
        }
    }
    free(text);
    return err != PIN_OK ? err : pin_why_set(why, PIN_ENOMEM, "no memory to read '%s'", path);
}

/* Directories have no text, and devices no end; /dev/null is an empty file to everybody. */
static enum pin_err check_type(const struct stat *st, const char *path, struct pin_why *why)
{
    bool is_null = S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
    if (S_ISREG(st->st_mode) || S_ISFIFO(st->st_mode) || is_null) {
        return PIN_OK;
    }
    return pin_why_set(why, PIN_EINVAL, "'%s' is a %s", path,
        S_ISDIR(st->st_mode) ? "directory" : "device, not a file");
}

/* Opens and reads it; the path, the limit and the patience of `source` are set. */
static enum pin_err read_source(
    struct source *source, char **ret_text, size_t *ret_bytes, struct pin_why *why)
{
    const char *path = source->path;
    struct stat st;
    struct blob blob = {0};
    source->max_bytes = PIN_MIN(source->max_bytes, SIZE_MAX / 4);
    /* Opening must not wait for somebody to write into a pipe. */
    source->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (source->fd < 0) {
        return pin_why_errno(why, errno, "open '%s'", path);
    }
    enum pin_err err = fstat(source->fd, &st) == 0
                           ? check_type(&st, path, why)
                           : pin_why_errno(why, errno, "look at '%s'", path);
    if (err == PIN_OK) {
        err = read_all(source, first_cap(&st, source->max_bytes), &blob, why);
    }
    (void)close(source->fd); /* read-only: a failed close loses nothing */
    if (err == PIN_OK && blob.bytes == 0 && S_ISFIFO(st.st_mode)) {
        free(blob.text);
        blob.text = NULL;
        err = pin_why_set(why, PIN_EINVAL, "'%s' is a pipe that nobody writes to", path);
    }
    if (err == PIN_OK) {
        *ret_text = blob.text;
    }
    if (err == PIN_OK && ret_bytes != NULL) {
        *ret_bytes = blob.bytes;
    }
    return err;
}

enum pin_err pin_file_read(
    const char *path, size_t max_bytes, char **ret_text, size_t *ret_bytes, struct pin_why *why)
{
    struct source source = {.path = path, .max_bytes = max_bytes, .silence_ms = PIPE_SILENCE_MS};
    return read_source(&source, ret_text, ret_bytes, why);
}

enum pin_err pin_file_read_now(
    const char *path, size_t max_bytes, char **ret_text, size_t *ret_bytes, struct pin_why *why)
{
    struct source source = {.path = path, .max_bytes = max_bytes};
    return read_source(&source, ret_text, ret_bytes, why);
}

/* A file of no name in memory that holds this; -1 with errno. */
static int keep_in_memory(const char *text, size_t bytes)
{
    int fd = memfd_create("pipe", MFD_CLOEXEC);
    if (fd >= 0 && !pin_file_write_all(fd, text, bytes)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

enum pin_err pin_file_keep_pipe(
    const char *path, size_t max_bytes, char **ret_path, struct pin_why *why)
{
    struct stat st;
    char *text = NULL;
    size_t bytes = 0;
    *ret_path = NULL;
    if (stat(path, &st) != 0 || !S_ISFIFO(st.st_mode)) {
        return PIN_OK; /* whoever reads it says what is wrong with it */
    }
    enum pin_err err = pin_file_read(path, max_bytes, &text, &bytes, why);
    if (err != PIN_OK || text == NULL) {
        return err;
    }
    int fd = keep_in_memory(text, bytes);
    if (fd < 0) {
        err = pin_why_errno(why, errno, "keep what '%s' held", path);
    } else if (asprintf(ret_path, "/proc/self/fd/%d", fd) < 0) {
        *ret_path = NULL;
        (void)close(fd);
        err = pin_why_set(why, PIN_ENOMEM, "no memory for '%s'", path);
    }
    explicit_bzero(text, bytes); /* it may hold secrets */
    free(text);
    return err;
}

bool pin_file_write_all(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t put = write(fd, at, bytes);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            at += put;
            bytes -= (size_t)put;
        }
    }
    return true;
}

/* Creates `path`, which must be new, with its content on disk. */
static enum pin_err write_new(
    const char *path, const void *text, size_t bytes, mode_t mode, struct pin_why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return pin_why_errno(why, errno, "create '%s'", path);
    }
    enum pin_err err = PIN_OK;
    if (!pin_file_write_all(fd, text, bytes) || fchmod(fd, mode) != 0 || fsync(fd) != 0) {
        err = pin_why_errno(why, errno, "write '%s'", path);
    }
    if (close(fd) != 0 && err == PIN_OK) {
        err = pin_why_errno(why, errno, "close '%s'", path);
    }
    if (err != PIN_OK) {
        (void)unlink(path); /* half a file is of no use; the first error is the one to tell */
    }
    return err;
}

static enum pin_err sync_dir(const char *path, struct pin_why *why)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return pin_why_errno(why, errno, "open directory '%s'", path);
    }
    enum pin_err err = PIN_OK;
    if (fsync(fd) != 0
        && errno != EINVAL) { /* EINVAL: a file system that cannot sync directories */
        err = pin_why_errno(why, errno, "sync directory '%s'", path);
    }
    (void)close(fd);
    return err;
}

enum pin_err pin_file_write_atomic(
    const char *path, const void *text, size_t bytes, mode_t mode, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    size_t temp_bytes = strlen(path) + 32;
    char *temp = malloc(temp_bytes);
    char *dir = pin_path_dir(path);
    if (temp == NULL || dir == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "no memory to write '%s'", path);
        goto out;
    }
    (void)snprintf(temp, temp_bytes, "%s.%08x.tmp", path, pin_rand_below(UINT32_MAX));
    err = write_new(temp, text, bytes, mode, why);
    if (err != PIN_OK) {
        goto out;
    }
    if (rename(temp, path) != 0) {
        err = pin_why_errno(why, errno, "rename '%s' to '%s'", temp, path);
        (void)unlink(temp);
        goto out;
    }
    err = sync_dir(dir, why);
out:
    free(temp);
    free(dir);
    return err;
}

char *pin_path_join(const char *dir, const char *name)
{
    if (dir == NULL || dir[0] == '\0' || name[0] == '/') {
        return strdup(name);
    }
    size_t dir_bytes = strlen(dir);
    size_t bytes = dir_bytes + strlen(name) + 2;
    char *path = malloc(bytes);
    if (path != NULL) {
        const char *slash = dir[dir_bytes - 1] == '/' ? "" : "/";
        (void)snprintf(path, bytes, "%s%s%s", dir, slash, name);
    }
    return path;
}

char *pin_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}
