/* SPDX-License-Identifier: Apache-2.0 */

/* One inotify instance for all directories: who watches which descriptor, and the order of calls.
 */

#include "pintle/base/dirwatch.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"

#define EVENT_BYTES 16384
#define SEEN_LOST   (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)
#define SEEN_GONE   (IN_DELETE | IN_MOVED_FROM)
#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | SEEN_GONE | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF             \
        | IN_MOVE_SELF | IN_ONLYDIR)

#define HINT_INSTANCES                                                                             \
    "raise fs.inotify.max_user_instances (sysctl) or the limit of open files (ulimit -n)"
#define HINT_WATCHES "raise fs.inotify.max_user_watches (sysctl); each directory takes one"

TAILQ_HEAD(told_list, pin_watched);

struct pin_dirwatch {
    struct pin_loop *loop;
    struct pin_map watched; /* Descriptor -> the first who watches it. */
    struct told_list told;  /* Whose on_batch is due. */
    struct pin_fd *watch;
    int fd; /* -1: no directory was added yet. */
};

/* --- Who watches what ------------------------------------------------------------------------ */

static struct pin_watched *find(const struct pin_dirwatch *self, int wd)
{
    return pin_map_find(&self->watched, &wd, sizeof(wd));
}

/* Takes one out of those with its descriptor. True: nobody else has it. */
static bool unlink_one(struct pin_dirwatch *self, struct pin_watched *watched)
{
    struct pin_watched *first = find(self, watched->wd);
    if (first == watched && watched->same == NULL) {
        (void)pin_map_remove(&self->watched, &watched->wd, sizeof(watched->wd));
        return true;
    }
    if (first == watched) {
        /* The key is there, so no memory is needed. */
        (void)pin_map_put(&self->watched, &watched->wd, sizeof(watched->wd), watched->same, NULL);
        return false;
    }
    for (; first != NULL; first = first->same) {
        if (first->same == watched) {
            first->same = watched->same;
            break;
        }
    }
    return false;
}

/* --- Events ---------------------------------------------------------------------------------- */

static void tell(
    struct pin_dirwatch *self, struct pin_watched *watched, enum pin_seen seen, const char *name)
{
    for (; watched != NULL; watched = watched->same) {
        if (!watched->is_told) {
            watched->is_told = true;
            TAILQ_INSERT_TAIL(&self->told, watched, told);
        }
        watched->ops->on_event(watched->arg, seen, name);
    }
}

static void tell_all(struct pin_dirwatch *self)
{
    size_t cursor = 0;
    void *value = NULL;
    pin_log_warn("inotify lost events, all directories are read again");
    while (pin_map_next(&self->watched, &cursor, NULL, NULL, &value)) {
        tell(self, value, PIN_SEEN_MUCH, "");
    }
}

static enum pin_seen seen_of(uint32_t mask)
{
    if ((mask & SEEN_GONE) != 0) {
        return PIN_SEEN_GONE;
    }
    if ((mask & IN_CREATE) != 0) {
        return PIN_SEEN_MADE;
    }
    return (mask & IN_ATTRIB) != 0 ? PIN_SEEN_TOUCHED : PIN_SEEN_WRITTEN;
}

static void take_event(struct pin_dirwatch *self, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        tell_all(self);
    } else if ((event->mask & SEEN_LOST) != 0) {
        tell(self, find(self, event->wd), PIN_SEEN_LOST, "");
    } else if (event->len > 0) {
        tell(self, find(self, event->wd), seen_of(event->mask), event->name);
    }
}

/* Takes all events that are there, then lets each one concerned act once. */
static void on_inotify(int fd, int what, void *arg)
{
    struct pin_dirwatch *self = arg;
    _Alignas(struct inotify_event) char buffer[EVENT_BYTES];
    struct pin_watched *watched = NULL;
    ssize_t n = 0;
    (void)what;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            take_event(self, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    while ((watched = TAILQ_FIRST(&self->told)) != NULL) {
        TAILQ_REMOVE(&self->told, watched, told);
        watched->is_told = false;
        watched->ops->on_batch(watched->arg);
    }
}

/* --- Life ------------------------------------------------------------------------------------ */

struct pin_dirwatch *pin_dirwatch_new(struct pin_loop *loop)
{
    struct pin_dirwatch *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->loop = loop;
        self->fd = -1;
        TAILQ_INIT(&self->told);
    }
    return self;
}

void pin_dirwatch_free(struct pin_dirwatch *dirwatch)
{
    if (dirwatch == NULL) {
        return;
    }
    pin_fd_free(dirwatch->watch);
    if (dirwatch->fd >= 0) {
        (void)close(dirwatch->fd); /* nothing to lose */
    }
    pin_map_done(&dirwatch->watched, NULL);
    free(dirwatch);
}

static enum pin_err open_instance(
    struct pin_dirwatch *self, const char **ret_hint, struct pin_why *why)
{
    if (self->fd >= 0) {
        return PIN_OK;
    }
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        *ret_hint = HINT_INSTANCES;
        enum pin_err err = pin_why_errno(why, error, "no inotify instance");
        return error == EMFILE || error == ENFILE ? PIN_ELIMIT : err;
    }
    self->watch = pin_fd_new(self->loop, fd, PIN_FD_READ, on_inotify, self);
    if (self->watch == NULL) {
        (void)close(fd); /* nothing to lose */
        return pin_why_set(why, PIN_ENOMEM, "no memory to watch directories");
    }
    self->fd = fd;
    return PIN_OK;
}

enum pin_err pin_dirwatch_add(struct pin_dirwatch *dirwatch, struct pin_watched *watched,
    const char *path, const char **ret_hint, struct pin_why *why)
{
    enum pin_err err = open_instance(dirwatch, ret_hint, why);
    if (err != PIN_OK) {
        return err;
    }
    int wd = inotify_add_watch(dirwatch->fd, path, EVENTS);
    if (wd < 0 && errno == ENOSPC) { /* that text speaks of devices */
        *ret_hint = HINT_WATCHES;
        return pin_why_set(why, PIN_ELIMIT, "no inotify watch is left for it");
    }
    if (wd < 0) {
        return pin_why_errno(why, errno, "cannot be watched");
    }
    struct pin_watched *same = find(dirwatch, wd);
    if (!pin_map_put(&dirwatch->watched, &wd, sizeof(wd), watched, NULL)) {
        (void)inotify_rm_watch(dirwatch->fd, wd); /* nobody had it, or no memory were needed */
        return pin_why_set(why, PIN_ENOMEM, "no memory to watch it");
    }
    watched->wd = wd;
    watched->same = same;
    watched->is_added = true;
    return PIN_OK;
}

void pin_dirwatch_remove(struct pin_dirwatch *dirwatch, struct pin_watched *watched)
{
    if (!watched->is_added) {
        return;
    }
    if (unlink_one(dirwatch, watched)) {
        /* Fails when the directory has gone, and the watch with it. */
        (void)inotify_rm_watch(dirwatch->fd, watched->wd);
    }
    if (watched->is_told) {
        TAILQ_REMOVE(&dirwatch->told, watched, told);
    }
    watched->is_told = false;
    watched->is_added = false;
    watched->same = NULL;
}
