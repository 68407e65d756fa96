/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stands between pintled and libc (LD_PRELOAD): moves the wall clock, and has disks fail to sync.
 * PINTLE_SHIM names a file of two 64-bit numbers that is looked at for each call: milliseconds by
 * which the wall clock is wrong; not 0: fsync() and fdatasync() fail with EIO.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS_PER_S  1000
#define NS_PER_MS 1000000

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc calls them __id, __fd */

struct orders {
    _Atomic int64_t wrong_ms;
    _Atomic int64_t sync_fails;
};

static struct orders none;
static struct orders *orders = &none;

__attribute__((constructor)) static void open_orders(void)
{
    const char *path = getenv("PINTLE_SHIM");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || map == MAP_FAILED) {
        abort();
    }
    orders = map;
    (void)close(fd);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    long result = syscall(SYS_clock_gettime, id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ms = (int64_t)now->tv_sec * MS_PER_S + now->tv_nsec / NS_PER_MS + orders->wrong_ms;
        now->tv_sec = (time_t)(ms / MS_PER_S);
        now->tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS;
    }
    return (int)result;
}

time_t time(time_t *ret_now)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now != NULL) {
        *ret_now = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
    struct timespec now = {0};
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ret_now = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / MS_PER_S};
    return 0;
}

static int sync_or_fail(long call, int fd)
{
    if (orders->sync_fails != 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_or_fail(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_or_fail(SYS_fdatasync, fd);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
