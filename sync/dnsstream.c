/* SPDX-License-Identifier: Apache-2.0 */

/* A TCP connection to a DNS server: lengths in front of messages, and patience that ends. */

#include "dnsstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/bytes.h"
#include "pintle/base/error.h"
#include "pintle/base/loop.h"

#define LENGTH_BYTES 2u
#define FRAME_MAX    (LENGTH_BYTES + PIN_DNSSTREAM_MESSAGE_MAX)

struct pin_dnsstream {
    struct pin_dnsstream_spec spec;
    struct pin_fd *watch;
    struct pin_timer *idle;
    int fd;
    bool is_connected;
    bool *is_gone;    /* set when it is closed in a callback; or NULL */
    size_t out_bytes; /* of the frame under way */
    size_t out_sent;
    size_t in_bytes;
    uint8_t out[FRAME_MAX];
    uint8_t in[FRAME_MAX];
};

static void on_ready(int fd, int what, void *arg);
static void on_idle(void *arg);

static bool begin(struct pin_dnsstream *self)
{
    struct sockaddr_storage peer;
    socklen_t bytes = pin_addrport_to_sockaddr(&self->spec.server, &peer);
    if (bytes == 0) {
        return false;
    }
    self->fd = socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0) {
        return false;
    }
    /* What connect() says at once, the first look at the socket says as well. */
    (void)connect(self->fd, (const struct sockaddr *)&peer, bytes);
    self->watch = pin_fd_new(self->spec.loop, self->fd, PIN_FD_WRITE, on_ready, self);
    self->idle = pin_timer_new(self->spec.loop, on_idle, self);
    return self->watch != NULL && self->idle != NULL;
}

struct pin_dnsstream *pin_dnsstream_open(const struct pin_dnsstream_spec *spec)
{
    struct pin_dnsstream *self = malloc(sizeof(*self)); /* its buffers need no zeros */
    if (self == NULL) {
        return NULL;
    }
    self->spec = *spec;
    self->watch = NULL;
    self->idle = NULL;
    self->fd = -1;
    self->is_connected = false;
    self->is_gone = NULL;
    self->out_bytes = 0;
    self->out_sent = 0;
    self->in_bytes = 0;
    if (!begin(self)) {
        pin_dnsstream_close(self);
        return NULL;
    }
    pin_timer_start(self->idle, PIN_DNSSTREAM_IDLE_MS, false);
    return self;
}

void pin_dnsstream_close(struct pin_dnsstream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->is_gone != NULL) {
        *stream->is_gone = true;
    }
    pin_timer_free(stream->idle);
    pin_fd_free(stream->watch);
    if (stream->fd >= 0) {
        (void)close(stream->fd);
    }
    free(stream);
}

bool pin_dnsstream_send(struct pin_dnsstream *stream, const uint8_t *wire, size_t bytes)
{
    if (stream->out_sent < stream->out_bytes || bytes > PIN_DNSSTREAM_MESSAGE_MAX) {
        return false;
    }
    pin_put_be16(stream->out, (unsigned)bytes);
    memcpy(stream->out + LENGTH_BYTES, wire, bytes);
    stream->out_bytes = LENGTH_BYTES + bytes;
    stream->out_sent = 0;
    return !stream->is_connected || pin_fd_change(stream->watch, PIN_FD_READ | PIN_FD_WRITE);
}

bool pin_dnsstream_has_begun(const struct pin_dnsstream *stream)
{
    return stream->out_sent > 0;
}

static void end(struct pin_dnsstream *self, int code, const char *what)
{
    struct pin_why why = {0};
    if (code != 0) {
        (void)pin_why_errno(&why, code, "%s", what);
    } else {
        (void)pin_why_set(&why, PIN_ECLOSED, "%s", what);
    }
    self->spec.on_end(self->spec.arg, why.text);
}

static void on_idle(void *arg)
{
    struct pin_dnsstream *self = arg;
    end(self, 0, self->is_connected ? "no answer within 20 s" : "no connection within 20 s");
}

/* False: the connection is over, and was told so. */
static bool finish_connecting(struct pin_dnsstream *self)
{
    int code = 0;
    socklen_t bytes = sizeof(code);
    if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &code, &bytes) != 0) {
        code = errno;
    }
    if (code != 0) {
        end(self, code, "connect");
        return false;
    }
    self->is_connected = true;
    return true;
}

static bool send_some(struct pin_dnsstream *self)
{
    while (self->out_sent < self->out_bytes) {
        ssize_t n = send(
            self->fd, self->out + self->out_sent, self->out_bytes - self->out_sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (n < 0) {
            end(self, errno, "send");
            return false;
        }
        self->out_sent += (size_t)n;
        pin_timer_start(self->idle, PIN_DNSSTREAM_IDLE_MS, false);
    }
    if (!pin_fd_change(self->watch, PIN_FD_READ)) {
        end(self, ENOMEM, "watch");
        return false;
    }
    return true;
}

/* Gives out the messages that are whole. */
static void give_out(struct pin_dnsstream *self)
{
    bool is_gone = false;
    size_t at = 0;
    self->is_gone = &is_gone;
    while (self->in_bytes - at >= LENGTH_BYTES) {
        size_t bytes = pin_get_be16(self->in + at);
        if (self->in_bytes - at - LENGTH_BYTES < bytes) {
            break;
        }
        self->spec.on_message(self->spec.arg, self->in + at + LENGTH_BYTES, bytes);
        if (is_gone) {
            return;
        }
        at += LENGTH_BYTES + bytes;
    }
    self->is_gone = NULL;
    memmove(self->in, self->in + at, self->in_bytes - at);
    self->in_bytes -= at;
}

/* Reads once: a long transfer leaves the loop its turns. */
static void receive(struct pin_dnsstream *self)
{
    ssize_t n = recv(self->fd, self->in + self->in_bytes, sizeof(self->in) - self->in_bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        end(self, n < 0 ? errno : 0, n < 0 ? "receive" : "the server closed the connection");
        return;
    }
    self->in_bytes += (size_t)n;
    pin_timer_start(self->idle, PIN_DNSSTREAM_IDLE_MS, false);
    give_out(self);
}

static void on_ready(int fd, int what, void *arg)
{
    struct pin_dnsstream *self = arg;
    (void)fd;
    if (!self->is_connected && !finish_connecting(self)) {
        return;
    }
    if ((what & PIN_FD_WRITE) != 0 && !send_some(self)) {
        return;
    }
    if ((what & PIN_FD_READ) != 0) {
        receive(self);
    }
}
