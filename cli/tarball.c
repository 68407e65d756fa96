/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A .tgz. Parts of 1 MiB are packed one by one: gzip files that follow each other are one (RFC
 * 1952, section 2.2), so no more than that is kept.
 */

#include "cli/tarball.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/file.h"
#include "pintle/base/gzip.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#define BLOCK_BYTES 512u
#define PART_BYTES  ((size_t)1 << 20)
#define MAX_BYTES   INT64_C(077777777777)

/* The head of a file: POSIX.1-1988, ustar. Numbers are octal texts. */
struct head {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char bytes[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char owner[32];
    char group[32];
    char device[16];
    char prefix[155];
    char padding[12];
};
_Static_assert(sizeof(struct head) == BLOCK_BYTES, "a head is one block");

struct pin_tarball {
    char *path;
    char *growing; /* Its name until it is whole; NULL: it is no file. */
    int64_t wall_s;
    int fd;
    struct pin_text part;
    enum pin_err err;
    struct pin_why why;
};

static void fail(struct pin_tarball *self, enum pin_err err, const char *what)
{
    if (self->err == PIN_OK) {
        self->err = pin_why_set(&self->why, err, "%s: %s", self->path, what);
    }
}

/* Opens what is written to: standard output, a file that takes its name when it is whole, or, as it
 * is, what exists and is no file: a pipe, a device. An errno. */
static int open_target(struct pin_tarball *self, char *growing)
{
    struct stat about;
    bool is_file =
        strcmp(self->path, "-") != 0 && (stat(self->path, &about) != 0 || S_ISREG(about.st_mode));
    if (is_file) {
        self->growing = growing;
        self->fd = open(growing, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        return self->fd < 0 ? errno : 0;
    }
    free(growing);
    self->fd =
        strcmp(self->path, "-") == 0 ? STDOUT_FILENO : open(self->path, O_WRONLY | O_CLOEXEC);
    return self->fd < 0 ? errno : 0;
}

enum pin_err pin_tarball_open(
    const char *path, int64_t wall_s, struct pin_tarball **ret_tarball, struct pin_why *why)
{
    struct pin_text growing = {0};
    struct pin_tarball *self = calloc(1, sizeof(*self));
    char *copy = strdup(path);
    pin_text_putf(&growing, "%s.new", path);
    if (self == NULL || copy == NULL || growing.failed) {
        free(self);
        free(copy);
        pin_text_done(&growing);
        return pin_why_set(why, PIN_ENOMEM, "%s", path);
    }
    *self = (struct pin_tarball){.path = copy, .wall_s = wall_s};
    int error = open_target(self, pin_text_take(&growing));
    if (error != 0) {
        enum pin_err err = pin_why_errno(why, error, "%s", path);
        free(self->growing);
        free(self->path);
        free(self);
        return err;
    }
    *ret_tarball = self;
    return PIN_OK;
}

/* Packs and writes what was put. */
static void flush_part(struct pin_tarball *self)
{
    uint8_t *packed = NULL;
    size_t packed_bytes = 0;
    if (self->part.failed) {
        fail(self, PIN_ENOMEM, "out of memory");
    }
    if (self->err == PIN_OK
        && pin_gzip(pin_text_get(&self->part), self->part.len, &packed, &packed_bytes) != PIN_OK) {
        fail(self, PIN_ENOMEM, "out of memory");
    }
    errno = 0;
    if (self->err == PIN_OK && !pin_file_write_all(self->fd, packed, packed_bytes)) {
        fail(self, PIN_EIO, strerrordesc_np(errno));
    }
    free(packed);
    pin_text_cut(&self->part, 0);
}

static void put_bytes(struct pin_tarball *self, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0 && self->err == PIN_OK) {
        size_t room = PART_BYTES - self->part.len;
        size_t n = PIN_MIN(room, bytes);
        pin_text_putn(&self->part, at, n);
        at += n;
        bytes -= n;
        if (self->part.len >= PART_BYTES || self->part.failed) {
            flush_part(self);
        }
    }
}

static void seal(struct head *head)
{
    unsigned sum = 0;
    memset(head->checksum, ' ', sizeof(head->checksum));
    for (size_t i = 0; i < sizeof(*head); i++) {
        sum += ((const unsigned char *)head)[i];
    }
    (void)snprintf(head->checksum, sizeof(head->checksum), "%06o", sum & 0777777u);
}

void pin_tarball_put(struct pin_tarball *tarball, const char *name, const void *data, size_t bytes)
{
    static const char zeros[BLOCK_BYTES];
    struct head head = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
    if (strlen(name) >= sizeof(head.name) || bytes > (size_t)MAX_BYTES) {
        fail(tarball, PIN_ELIMIT, "a file in it is too large, or its name too long");
        return;
    }
    (void)snprintf(head.name, sizeof(head.name), "%s", name);
    (void)snprintf(head.mode, sizeof(head.mode), "%07o", 0600u);
    (void)snprintf(head.uid, sizeof(head.uid), "%07o", 0u);
    (void)snprintf(head.gid, sizeof(head.gid), "%07o", 0u);
    (void)snprintf(head.bytes, sizeof(head.bytes), "%011" PRIo64, (uint64_t)bytes);
    (void)snprintf(head.mtime, sizeof(head.mtime), "%011" PRIo64,
        (uint64_t)tarball->wall_s & (uint64_t)MAX_BYTES);
    seal(&head);
    put_bytes(tarball, &head, sizeof(head));
    put_bytes(tarball, data, bytes);
    put_bytes(tarball, zeros, (BLOCK_BYTES - bytes % BLOCK_BYTES) % BLOCK_BYTES);
}

/* Closes, takes a file away that is not whole, frees. */
static void end(struct pin_tarball *self, bool is_whole)
{
    if (self->fd != STDOUT_FILENO) {
        (void)close(self->fd);
    }
    if (self->growing != NULL && !is_whole) {
        (void)unlink(self->growing);
    }
    pin_text_done(&self->part);
    free(self->growing);
    free(self->path);
    free(self);
}

enum pin_err pin_tarball_close(struct pin_tarball *tarball, struct pin_why *why)
{
    static const char zeros[2 * BLOCK_BYTES];
    if (tarball == NULL) {
        return PIN_OK;
    }
    put_bytes(tarball, zeros, sizeof(zeros));
    flush_part(tarball);
    if (tarball->err == PIN_OK && tarball->growing != NULL
        && (fsync(tarball->fd) != 0 || rename(tarball->growing, tarball->path) != 0)) {
        fail(tarball, PIN_EIO, strerrordesc_np(errno));
    }
    enum pin_err err = tarball->err;
    if (err != PIN_OK) {
        (void)pin_why_set(why, err, "%s", tarball->why.text);
    }
    end(tarball, err == PIN_OK);
    return err;
}

void pin_tarball_drop(struct pin_tarball *tarball)
{
    if (tarball != NULL) {
        end(tarball, false);
    }
}
