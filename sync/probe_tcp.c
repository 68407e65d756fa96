/* SPDX-License-Identifier: Apache-2.0 */

/* A TCP connection that comes about within its time is all that is asked for. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "probe.h"

struct run {
    struct pin_probe_run base;
    struct pin_probe_want want;
    struct pin_timer *timer;
    struct pin_fd *watch;
    int fd;
};

static void free_run(struct run *self)
{
    pin_timer_free(self->timer);
    pin_fd_free(self->watch);
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    free(self);
}

static void cancel(struct pin_probe_run *run)
{
    free_run(container_of(run, struct run, base));
}

static void finish(struct run *self, const char *error)
{
    struct pin_probe_want want = self->want;
    free_run(self);
    want.done(want.arg, error);
}

static void on_timeout(void *arg)
{
    struct run *self = arg;
    char text[64];
    (void)snprintf(
        text, sizeof(text), "no connection within %u s", self->want.spec->check.timeout_s);
    finish(self, text);
}

static void on_ready(int fd, int what, void *arg)
{
    int code = 0;
    socklen_t bytes = sizeof(code);
    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &bytes) != 0) {
        code = errno;
    }
    struct pin_why why = {0};
    if (code != 0) {
        (void)pin_why_errno(&why, code, "connect");
    }
    finish(arg, code != 0 ? why.text : NULL);
}

static enum pin_err begin(struct run *self, struct pin_loop *loop, struct pin_why *why)
{
    const struct pin_addrport address = {.ip = self->want.spec->ip, .port = self->want.spec->port};
    struct sockaddr_storage peer;
    socklen_t bytes = pin_addrport_to_sockaddr(&address, &peer);
    self->fd = socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0) {
        return pin_why_set(why, PIN_EBUSY, "no socket for a probe");
    }
    if (connect(self->fd, (const struct sockaddr *)&peer, bytes) != 0 && errno != EINPROGRESS) {
        return pin_why_errno(why, errno, "connect");
    }
    /* A connection that stands already is ready for writing: the watch tells that, too. */
    self->timer = pin_timer_new(loop, on_timeout, self);
    self->watch = pin_fd_new(loop, self->fd, PIN_FD_WRITE, on_ready, self);
    if (self->timer == NULL || self->watch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a probe");
    }
    pin_timer_start(self->timer, (int64_t)self->want.spec->check.timeout_s * 1000, false);
    return PIN_OK;
}

enum pin_err pin_probe_tcp(struct pin_loop *loop, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why)
{
    struct run *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a probe");
    }
    *self = (struct run){.base = {.cancel = cancel}, .want = *want, .fd = -1};
    enum pin_err err = begin(self, loop, why);
    if (err != PIN_OK) {
        free_run(self);
        return err;
    }
    *ret_run = &self->base;
    return PIN_OK;
}
