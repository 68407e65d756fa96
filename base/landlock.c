/* SPDX-License-Identifier: Apache-2.0 */

/* Landlock by its system calls: libc has no functions for them. */

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pintle/base/file.h"
#include "pintle/base/sandbox.h"

/* Newer than the headers that we are built with. */
#define RIGHT_REFER       (UINT64_C(1) << 13) /* ABI 2 */
#define RIGHT_TRUNCATE    (UINT64_C(1) << 14) /* ABI 3 */
#define ABI_WITH_TRUNCATE 3
#define ABI_WITH_REFER    2

#define RIGHTS_READ  ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define RIGHTS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
/* Of what may be written no link is made, and nothing is run. */
#define RIGHTS_WRITE                                                                               \
    ((uint64_t)(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG                        \
                | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE                     \
                | LANDLOCK_ACCESS_FS_REMOVE_DIR)                                                   \
        | RIGHT_TRUNCATE)
/* Those that make sense for what is no directory. */
#define RIGHTS_OF_FILES                                                                            \
    ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE) | RIGHT_TRUNCATE)

int pin_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

/* All that this version knows of and we ask to be refused where it is not allowed. */
static uint64_t handled_rights(int abi)
{
    uint64_t rights = (uint64_t)RIGHTS_FIRST;
    rights |= abi >= ABI_WITH_REFER ? RIGHT_REFER : 0;
    rights |= abi >= ABI_WITH_TRUNCATE ? RIGHT_TRUNCATE : 0;
    return rights;
}

/* The path, or the next directory above it that is there; -1: nothing is. */
static int open_nearest(const char *path)
{
    char *at = strdup(path);
    int fd = at == NULL ? -1 : open(at, O_PATH | O_CLOEXEC);
    while (fd < 0 && at != NULL && (errno == ENOENT || errno == ENOTDIR)) {
        char *above = pin_path_dir(at);
        bool is_end = above == NULL || strcmp(above, at) == 0;
        free(at);
        at = above;
        fd = is_end ? -1 : open(at, O_PATH | O_CLOEXEC);
        if (is_end) {
            break;
        }
    }
    free(at);
    return fd;
}

static enum pin_err allow(
    int ruleset, const struct pin_landlock_path *path, uint64_t handled, struct pin_why *why)
{
    struct stat st;
    int fd = path->path == NULL                       ? -1
             : (path->what & PIN_LANDLOCK_WRITE) != 0 ? open(path->path, O_PATH | O_CLOEXEC)
                                                      : open_nearest(path->path);
    if (fd < 0) {
        return PIN_OK; /* what is not there cannot be used */
    }
    uint64_t rights = (path->what & PIN_LANDLOCK_READ) != 0 ? RIGHTS_READ : 0;
    rights |= (path->what & PIN_LANDLOCK_WRITE) != 0 ? RIGHTS_WRITE : 0;
    rights &= fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? handled : handled & RIGHTS_OF_FILES;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    long failed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = errno;
    (void)close(fd);
    return failed == 0 ? PIN_OK : pin_why_errno(why, error, "landlock: %s", path->path);
}

enum pin_err pin_landlock_start(
    const struct pin_landlock_path *paths, size_t n, bool runs_programs, struct pin_why *why)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = handled_rights(pin_landlock_abi())};
    if (runs_programs) {
        attr.handled_access_fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0) {
        return pin_why_set(why, PIN_EUNSUPPORTED, "the kernel has no landlock, or it is off");
    }
    enum pin_err err = PIN_OK;
    for (size_t i = 0; i < n && err == PIN_OK; i++) {
        err = allow(ruleset, &paths[i], attr.handled_access_fs, why);
    }
    if (err == PIN_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        err = pin_why_errno(why, errno, "landlock");
    }
    (void)close(ruleset);
    return err;
}
