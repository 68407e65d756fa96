/* SPDX-License-Identifier: Apache-2.0 */

/* Whole files: read with a limit, replace atomically. */

#include "pintle/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#define READ_STEP_BYTES ((size_t)64 << 10)

/* The first guess for a buffer: the size the file claims, never more than the limit allows. */
static size_t first_cap(int fd, size_t max_bytes)
{
    struct stat st;
    size_t size = READ_STEP_BYTES;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        size = (size_t)st.st_size;
    }
    return PIN_MIN(size, max_bytes) + 2; /* one to notice growth, one for the NUL */
}

/* Reads to the end. On success *text is the caller's. */
static enum pin_err read_all(int fd, const char *path, size_t max_bytes, char **ret_text,
    size_t *ret_bytes, struct pin_why *why)
{
    size_t cap = first_cap(fd, max_bytes);
    size_t used = 0;
    char *text = malloc(cap);
    enum pin_err err = PIN_OK;
    while (err == PIN_OK && text != NULL) {
        ssize_t got = read(fd, text + used, cap - used - 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            err = pin_why_errno(why, errno, "read '%s'", path);
            break;
        }
        used += (size_t)got;
        if (used > max_bytes) {
            err = pin_why_set(
                why, PIN_ELIMIT, "'%s' is longer than %zu bytes, the limit", path, max_bytes);
        } else if (got == 0) {
            text[used] = '\0';
            *ret_text = text;
            *ret_bytes = used;
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

enum pin_err pin_file_read(
    const char *path, size_t max_bytes, char **ret_text, size_t *ret_bytes, struct pin_why *why)
{
    struct stat st;
    size_t bytes = 0;
    max_bytes = PIN_MIN(max_bytes, SIZE_MAX / 4);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return pin_why_errno(why, errno, "open '%s'", path);
    }
    enum pin_err err = PIN_OK;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        err = pin_why_set(why, PIN_EINVAL, "'%s' is a directory", path);
    } else {
        err = read_all(fd, path, max_bytes, ret_text, &bytes, why);
    }
    (void)close(fd); /* read-only: a failed close loses nothing */
    if (err == PIN_OK && ret_bytes != NULL) {
        *ret_bytes = bytes;
    }
    return err;
}

static bool write_all(int fd, const char *at, size_t bytes)
{
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
    if (!write_all(fd, text, bytes) || fchmod(fd, mode) != 0 || fsync(fd) != 0) {
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
