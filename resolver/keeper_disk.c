/* SPDX-License-Identifier: Apache-2.0 */

/* The state directory: one lock, one file, at times a second one that replaces it. */

#include "resolver/keeper_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/rand.h"

#define FILE_NAME      "catalog.pintle"
#define NEXT_NAME      "catalog.pintle.next"
#define ASIDE_NAME     "catalog.pintle.unread"
#define FILE_MODE      0600
#define DIR_MODE       0700
#define FILE_MAX_BYTES ((off_t)1 << 34)

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* --- directory ----------------------------------------------------------------------------- */

enum pin_err pin_keeper_disk_open(
    struct pin_keeper_disk *disk, const char *dir, bool may_wait, struct pin_why *why)
{
    *disk = (struct pin_keeper_disk){.dir = dir, .dir_fd = -1, .fd = -1, .next_fd = -1};
    if (mkdir(dir, DIR_MODE) != 0 && errno != EEXIST) {
        return pin_why_errno(why, errno, "state directory \"%s\"", dir);
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR) {
        return pin_why_set(why, PIN_EINVAL, "state directory \"%s\" is no directory", dir);
    }
    if (fd < 0) {
        return pin_why_errno(why, errno, "state directory \"%s\"", dir);
    }
    disk->is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!disk->is_locked && !(may_wait && errno == EWOULDBLOCK)) {
        enum pin_err err =
            errno == EWOULDBLOCK ? pin_why_set(why, PIN_EBUSY,
                "state directory \"%s\" is another pintled's that is running; give each one "
                "its own",
                dir)
                                 : pin_why_errno(why, errno, "lock state directory \"%s\"", dir);
        (void)close(fd);
        return err;
    }
    disk->dir_fd = fd;
    return PIN_OK;
}

bool pin_keeper_disk_lock(struct pin_keeper_disk *disk)
{
    disk->is_locked = disk->is_locked || flock(disk->dir_fd, LOCK_EX | LOCK_NB) == 0;
    return disk->is_locked;
}

void pin_keeper_disk_close(struct pin_keeper_disk *disk)
{
    pin_keeper_disk_drop(disk);
    close_fd(&disk->fd);
    close_fd(&disk->dir_fd);
}

/* The directory under its path again, when it was taken away. */
static enum pin_err find_dir(struct pin_keeper_disk *disk, struct pin_why *why)
{
    struct stat st;
    struct pin_keeper_disk found;
    if (disk->dir_fd >= 0 && fstat(disk->dir_fd, &st) == 0 && st.st_nlink > 0) {
        return PIN_OK;
    }
    enum pin_err err = pin_keeper_disk_open(&found, disk->dir, false, why);
    if (err == PIN_OK) {
        close_fd(&disk->dir_fd);
        disk->dir_fd = found.dir_fd;
    }
    return err;
}

/* --- reading ------------------------------------------------------------------------------- */

static const char *type_text(mode_t mode)
{
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a pipe" : "no file";
}

static enum pin_err open_file(
    struct pin_keeper_disk *disk, int flags, int *ret_fd, struct stat *ret_st, struct pin_why *why)
{
    int fd = openat(disk->dir_fd, FILE_NAME, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ELOOP    ? pin_why_set(why, PIN_EINVAL, "it is a symbolic link")
               : errno == EISDIR ? pin_why_set(why, PIN_EINVAL, "it is a directory")
               : errno == ENXIO  ? pin_why_set(why, PIN_EINVAL, "it is a pipe")
                                 : pin_why_errno(why, errno, "open it");
    }
    if (fstat(fd, ret_st) != 0 || !S_ISREG(ret_st->st_mode)) {
        (void)close(fd);
        return pin_why_set(why, PIN_EINVAL, "it is %s", type_text(ret_st->st_mode));
    }
    if (ret_st->st_uid != geteuid() && ret_st->st_uid != 0) { /* who may say whatever it likes */
        (void)close(fd);
        return pin_why_set(why, PIN_EDENIED,
            "it belongs to user %ju, neither to us (%ju) nor to root", (uintmax_t)ret_st->st_uid,
            (uintmax_t)geteuid());
    }
    *ret_fd = fd;
    return PIN_OK;
}

static bool read_all(int fd, uint8_t *data, size_t bytes)
{
    size_t used = 0;
    while (used < bytes) {
        ssize_t got = read(fd, data + used, bytes - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return false;
        }
        used += (size_t)got;
    }
    return true;
}

/* Somebody else's file is not worth its memory: it may have any size. */
static enum pin_err check_file(int fd, off_t bytes, struct pin_why *why)
{
    uint8_t header[PIN_STATE_HEADER_BYTES];
    ssize_t got = pread(fd, header, sizeof(header), 0);
    if (got < 0) {
        return pin_why_errno(why, errno, "read it");
    }
    enum pin_err err = pin_state_look_at_header(header, (size_t)got, why);
    return err == PIN_OK && bytes > FILE_MAX_BYTES
               ? pin_why_set(why, PIN_ELIMIT, "it has %jd bytes", (intmax_t)bytes)
               : err;
}

static enum pin_err read_file(int fd, size_t bytes, uint8_t **ret_data, struct pin_why *why)
{
    uint8_t *data = malloc(bytes + 1);
    if (data == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu bytes for it", bytes);
    }
    if (!read_all(fd, data, bytes)) {
        enum pin_err err = pin_why_errno(why, errno, "read it");
        free(data);
        return err;
    }
    *ret_data = data;
    return PIN_OK;
}

enum pin_err pin_keeper_disk_read(
    struct pin_keeper_disk *disk, uint8_t **ret_data, size_t *ret_bytes, struct pin_why *why)
{
    int fd = -1;
    struct stat st = {0};
    enum pin_err err = open_file(disk, O_RDONLY, &fd, &st, why);
    if (err != PIN_OK) {
        return err;
    }
    err = check_file(fd, st.st_size, why);
    if (err == PIN_OK) {
        *ret_bytes = (size_t)st.st_size;
        err = read_file(fd, *ret_bytes, ret_data, why);
    }
    (void)close(fd); /* read-only: a failed close loses nothing */
    return err;
}

enum pin_err pin_keeper_disk_set_aside(struct pin_keeper_disk *disk, struct pin_why *why)
{
    if (renameat(disk->dir_fd, FILE_NAME, disk->dir_fd, ASIDE_NAME) != 0) {
        return pin_why_errno(why, errno, "it could not be renamed");
    }
    (void)pin_why_set(why, PIN_OK, "%s", ASIDE_NAME);
    return PIN_OK;
}

/* --- writing ------------------------------------------------------------------------------- */

enum pin_err pin_keeper_disk_append(
    struct pin_keeper_disk *disk, const struct pin_state_scan *scan, struct pin_why *why)
{
    int fd = -1;
    struct stat st = {0};
    enum pin_err err = open_file(disk, O_WRONLY, &fd, &st, why);
    if (err != PIN_OK) {
        return err;
    }
    if (fchmod(fd, FILE_MODE) != 0 || ftruncate(fd, (off_t)scan->n_good) != 0
        || lseek(fd, 0, SEEK_END) < 0) {
        err = pin_why_errno(why, errno, "cut it");
        (void)close(fd);
        return err;
    }
    disk->fd = fd;
    disk->bytes = scan->n_good;
    disk->seed = scan->seed;
    return PIN_OK;
}

/* A directory in the place of one that was removed, and we may not use it. */
static enum pin_err lose(struct pin_keeper_disk *disk, struct pin_why *why)
{
    struct pin_why reason = *why;
    disk->is_lost = true;
    return pin_why_set(why, PIN_EDENIED,
        "state directory \"%s\" was removed while pintled ran, and what is in its place is out of "
        "reach (%s): make it, give it to pintled's user, and start pintled again, whose sandbox "
        "knows the first one alone",
        disk->dir, reason.text);
}

static enum pin_err begin_next(struct pin_keeper_disk *disk, struct pin_why *why)
{
    struct pin_text header = {0};
    uint64_t seed = (uint64_t)pin_rand_below(UINT32_MAX) << 32 | pin_rand_below(UINT32_MAX);
    enum pin_err err = PIN_OK;
    pin_state_put_header(&header, seed, pin_clock_wall_ms());
    disk->next_fd = openat(
        disk->dir_fd, NEXT_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (disk->next_fd < 0 || header.failed
        || !pin_file_write_all(disk->next_fd, header.ptr, header.len)) {
        err = pin_why_errno(why, errno, "write '%s/%s'", disk->dir, NEXT_NAME);
        pin_keeper_disk_drop(disk);
    }
    disk->next_seed = seed;
    disk->next_bytes = header.len;
    pin_text_done(&header);
    return err;
}

enum pin_err pin_keeper_disk_begin(struct pin_keeper_disk *disk, struct pin_why *why)
{
    struct stat st;
    bool was_removed =
        disk->is_lost || disk->dir_fd < 0 || fstat(disk->dir_fd, &st) != 0 || st.st_nlink == 0;
    pin_keeper_disk_drop(disk);
    enum pin_err err = find_dir(disk, why);
    if (err == PIN_OK) {
        err = begin_next(disk, why);
    }
    if (err == PIN_EDENIED && was_removed) {
        return lose(disk, why);
    }
    disk->is_lost = disk->is_lost && err != PIN_OK;
    return err;
}

void pin_keeper_disk_drop(struct pin_keeper_disk *disk)
{
    close_fd(&disk->next_fd);
    if (disk->dir_fd >= 0) {
        (void)unlinkat(disk->dir_fd, NEXT_NAME, 0); /* also one that a crash left */
    }
}

/* Takes back what was written of a frame; a file that cannot be cut is not appended to any more. */
static void take_back(int *fd, uint64_t bytes)
{
    if (ftruncate(*fd, (off_t)bytes) != 0 || lseek(*fd, (off_t)bytes, SEEK_SET) < 0) {
        close_fd(fd);
    }
}

enum pin_err pin_keeper_disk_write(
    struct pin_keeper_disk *disk, const struct pin_text *payload, struct pin_why *why)
{
    bool is_next = disk->next_fd >= 0;
    int *fd = is_next ? &disk->next_fd : &disk->fd;
    uint64_t *bytes = is_next ? &disk->next_bytes : &disk->bytes;
    uint8_t head[PIN_STATE_FRAME_BYTES];
    struct stat st;
    if (*fd < 0) {
        return pin_why_set(why, PIN_ECLOSED, "'%s/%s' is not open", disk->dir, FILE_NAME);
    }
    if (fstat(*fd, &st) != 0 || st.st_nlink == 0) {
        close_fd(fd);
        return pin_why_set(why, PIN_ENOTFOUND, "'%s/%s' was removed", disk->dir, FILE_NAME);
    }
    pin_state_frame_head(
        head, payload, is_next ? disk->next_seed : disk->seed, *bytes, pin_clock_wall_ms());
    if (!pin_file_write_all(*fd, head, sizeof(head))
        || !pin_file_write_all(*fd, payload->ptr, payload->len)) {
        enum pin_err err = pin_why_errno(why, errno, "write '%s/%s'", disk->dir, FILE_NAME);
        take_back(fd, *bytes);
        return err;
    }
    *bytes += sizeof(head) + payload->len;
    return PIN_OK;
}

enum pin_err pin_keeper_disk_replace(struct pin_keeper_disk *disk, struct pin_why *why)
{
    if (disk->next_fd < 0) {
        return pin_why_set(why, PIN_ECLOSED, "'%s/%s' is not open", disk->dir, NEXT_NAME);
    }
    if (fsync(disk->next_fd) != 0
        || renameat(disk->dir_fd, NEXT_NAME, disk->dir_fd, FILE_NAME) != 0) {
        enum pin_err err = pin_why_errno(why, errno, "replace '%s/%s'", disk->dir, FILE_NAME);
        pin_keeper_disk_drop(disk);
        return err;
    }
    close_fd(&disk->fd);
    disk->fd = disk->next_fd;
    disk->seed = disk->next_seed;
    disk->bytes = disk->next_bytes;
    disk->next_fd = -1;
    if (fsync(disk->dir_fd) != 0 && errno != EINVAL) { /* some file systems cannot */
        return pin_why_errno(why, errno, "sync '%s'", disk->dir);
    }
    return PIN_OK;
}

enum pin_err pin_keeper_disk_sync(struct pin_keeper_disk *disk, struct pin_why *why)
{
    int fd = disk->next_fd >= 0 ? disk->next_fd : disk->fd;
    if (fd >= 0 && fdatasync(fd) != 0) {
        return pin_why_errno(why, errno, "sync '%s/%s'", disk->dir, FILE_NAME);
    }
    return PIN_OK;
}
