/* SPDX-License-Identifier: Apache-2.0 */

/* Opens the sockets that workers listen on, and explains why one cannot be opened. */

#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/supervisor.h"

#include "handover.h"

/* Tries to find a free port for both transports when any will do. */
#define PORT_TRIES 32
/* Asked for; the kernel cuts it to its own limit. */
#define UDP_BUFFER_BYTES (4 << 20)
#define TCP_BACKLOG      4096
/* How long the kernel keeps trying to deliver what a closed connection still holds. */
#define TCP_LINGER_MS       15000u
#define PORT_PRIVILEGED_END 1024

static const char *transport_text(int type)
{
    return type == SOCK_DGRAM ? "UDP" : "TCP";
}

static void set_option(int fd, int level, int name, int value)
{
    /* All options set this way only make good service better. */
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static bool is_wildcard(const struct pin_ip *ip)
{
    for (size_t i = 0; i < sizeof(ip->bytes); i++) {
        if (ip->bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Never fragment an answer, never believe a path MTU that somebody sent us (RFC 9715). */
static void set_udp_options(int fd, const struct pin_ip *ip)
{
    set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_BYTES);
    set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER_BYTES);
    if (ip->family == 4) {
        set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
        set_option(fd, IPPROTO_IP, IP_PKTINFO, is_wildcard(ip));
        return;
    }
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
    set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, is_wildcard(ip));
}

/* Accepted connections inherit these. */
static void set_tcp_options(int fd)
{
    unsigned linger_ms = TCP_LINGER_MS;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* old connections in TIME_WAIT do not count */
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &linger_ms, sizeof(linger_ms));
}

/* Says what went wrong at an address in words that lead to the way out. */
static enum pin_err explain(
    struct pin_why *why, int errno_value, const struct pin_addrport *address, int type)
{
    char text[PIN_ADDRPORT_TEXT_MAX];
    const char *transport = transport_text(type);
    (void)pin_addrport_format(address, text);
    switch (errno_value) {
    case EADDRINUSE:
        return pin_why_set(why, PIN_EBUSY,
            "cannot listen on %s (%s): the port is in use, perhaps by another pintled; "
            "'ss -ln%sp sport = :%u' shows by whom",
            text, transport, type == SOCK_DGRAM ? "u" : "t", (unsigned)address->port);
    case EACCES:
        return pin_why_set(why, PIN_EDENIED,
            "cannot listen on %s (%s): ports below %d need CAP_NET_BIND_SERVICE; grant it, start "
            "as "
            "root, or choose a higher port",
            text, transport, PORT_PRIVILEGED_END);
    case EADDRNOTAVAIL:
        return pin_why_set(why, PIN_EINVAL,
            "cannot listen on %s (%s): no interface of this machine has that address", text,
            transport);
    default:
        return pin_why_errno(why, errno_value, "cannot listen on %s (%s)", text, transport);
    }
}

/* Opens one socket and binds it. The first of an address is bound alone, see the header. */
static enum pin_err open_socket(
    const struct pin_addrport *address, int type, bool is_first, int *ret_fd, struct pin_why *why)
{
    struct sockaddr_storage local;
    socklen_t local_bytes = pin_addrport_to_sockaddr(address, &local);
    int flags = type == SOCK_STREAM ? SOCK_CLOEXEC | SOCK_NONBLOCK : SOCK_CLOEXEC;

    int fd = socket(local.ss_family, type | flags, 0);
    if (fd < 0) {
        return explain(why, errno, address, type);
    }
    if (address->ip.family == 6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (type == SOCK_DGRAM) {
        set_udp_options(fd, &address->ip);
    } else {
        set_tcp_options(fd);
    }
    if (!is_first) {
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (bind(fd, (const struct sockaddr *)&local, local_bytes) != 0
        || (type == SOCK_STREAM && listen(fd, TCP_BACKLOG) != 0)) {
        enum pin_err err = explain(why, errno, address, type);
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return PIN_OK;
}

/* Binds the first socket of one kind alone and learns the port. */
static enum pin_err open_first_of(
    struct pin_listen *listen, int type, int *ret_fd, struct pin_why *why)
{
    struct sockaddr_storage local = {0};
    socklen_t local_bytes = sizeof(local);

    enum pin_err err = open_socket(&listen->address, type, true, ret_fd, why);
    if (err != PIN_OK) {
        return err;
    }
    if (getsockname(*ret_fd, (struct sockaddr *)&local, &local_bytes) != 0) {
        return pin_why_errno(why, errno, "getsockname");
    }
    listen->address.port = pin_addrport_from_sockaddr((const struct sockaddr *)&local).port;
    return PIN_OK;
}

/* Binds the first UDP and the first TCP socket alone. */
static enum pin_err open_first(struct pin_listen *listen, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    if (listen->has_udp && listen->udp_fds[0] < 0) {
        err = open_first_of(listen, SOCK_DGRAM, &listen->udp_fds[0], why);
    }
    return err == PIN_OK && listen->tcp_fds[0] < 0
               ? open_first_of(listen, SOCK_STREAM, &listen->tcp_fds[0], why)
               : err;
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* a socket we stop listening on: nothing is lost */
    }
    *fd = -1;
}

/* Opens the first pair; when any port will do, another one where the first choice was half taken.
 */
static enum pin_err open_first_pair(struct pin_listen *listen, struct pin_why *why)
{
    bool any_port = listen->address.port == 0;
    enum pin_err err = PIN_OK;
    for (int tries = 0; tries < PORT_TRIES; tries++) {
        err = open_first(listen, why);
        if (err != PIN_EBUSY || !any_port) {
            return err;
        }
        close_one(&listen->udp_fds[0]);
        close_one(&listen->tcp_fds[0]);
        listen->address.port = 0;
    }
    return err;
}

static enum pin_err open_others(struct pin_listen *listen, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    if (listen->n_fds > 1 && listen->has_udp && listen->udp_fds[1] < 0) {
        set_option(listen->udp_fds[0], SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (listen->n_fds > 1 && listen->tcp_fds[1] < 0) {
        set_option(listen->tcp_fds[0], SOL_SOCKET, SO_REUSEPORT, 1);
    }
    for (size_t i = 1; i < listen->n_fds && err == PIN_OK; i++) {
        if (listen->has_udp && listen->udp_fds[i] < 0) {
            err = open_socket(&listen->address, SOCK_DGRAM, false, &listen->udp_fds[i], why);
        }
        if (err == PIN_OK && listen->tcp_fds[i] < 0) {
            err = open_socket(&listen->address, SOCK_STREAM, false, &listen->tcp_fds[i], why);
        }
    }
    return err;
}

/* --- Sockets of a supervisor ---------------------------------------------------------------- */

static enum pin_err prepare_handed(
    const struct pin_listen *listen_of, int fd, int type, struct pin_why *why)
{
    int flags = fcntl(fd, F_GETFL);
    int wanted = type == SOCK_STREAM ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (flags < 0 || fcntl(fd, F_SETFL, wanted) != 0) {
        return pin_why_errno(why, errno, "a socket that was handed over");
    }
    if (type == SOCK_STREAM) {
        set_tcp_options(fd);
        return listen(fd, TCP_BACKLOG) == 0 ? PIN_OK
                                            : explain(why, errno, &listen_of->address, type);
    }
    set_udp_options(fd, &listen_of->address.ip);
    return PIN_OK;
}

/* The kernel spreads questions over all sockets of the port: one that nobody reads loses its own.
 */
static enum pin_err too_many(const struct pin_listen *listen, int type, struct pin_why *why)
{
    char text[PIN_ADDRPORT_TEXT_MAX];
    return pin_why_set(why, PIN_EINVAL,
        "more sockets were handed over for %s (%s) than there are workers, %zu: raise `workers`, "
        "or hand over fewer",
        pin_addrport_format(&listen->address, text), transport_text(type), listen->n_fds);
}

/* Fills `fds` with what was handed over, each as often as it takes. */
static enum pin_err take_handed(struct pin_listen *listen, int type, int *fds,
    struct pin_supervisor *supervisor, struct pin_why *why)
{
    size_t n = 0;
    enum pin_err err = PIN_OK;
    int fd = pin_supervisor_take(supervisor, &listen->address, type);
    for (; fd >= 0 && n < listen->n_fds && err == PIN_OK; n++) {
        fds[n] = fd;
        err = prepare_handed(listen, fd, type, why);
        fd = err == PIN_OK ? pin_supervisor_take(supervisor, &listen->address, type) : -1;
    }
    if (fd >= 0) {
        (void)close(fd); /* nothing was read of it */
        return too_many(listen, type, why);
    }
    for (size_t i = n; n > 0 && i < listen->n_fds && err == PIN_OK; i++) {
        fds[i] = fcntl(fds[i % n], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        err = fds[i] >= 0 ? PIN_OK : pin_why_errno(why, errno, "share a socket among workers");
    }
    return err;
}

/* First what was handed over, then the rest. */
static enum pin_err open_all(
    struct pin_listen *listen, struct pin_supervisor *supervisor, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    if (listen->has_udp) {
        err = take_handed(listen, SOCK_DGRAM, listen->udp_fds, supervisor, why);
    }
    if (err == PIN_OK) {
        err = take_handed(listen, SOCK_STREAM, listen->tcp_fds, supervisor, why);
    }
    if (err == PIN_OK) {
        err = open_first_pair(listen, why);
    }
    return err == PIN_OK ? open_others(listen, why) : err;
}

/* Takes what there is of the process before; the first one tells the port. */
static bool take(struct pin_listen *listen, struct pin_handover *handover)
{
    struct sockaddr_storage local = {0};
    socklen_t local_bytes = sizeof(local);
    for (size_t i = 0; i < listen->n_fds; i++) {
        listen->tcp_fds[i] = pin_handover_find(handover, &listen->address, SOCK_STREAM);
        if (i == 0 && listen->tcp_fds[0] >= 0
            && getsockname(listen->tcp_fds[0], (struct sockaddr *)&local, &local_bytes) == 0) {
            listen->address.port = pin_addrport_from_sockaddr((const struct sockaddr *)&local).port;
        }
        if (listen->has_udp) {
            listen->udp_fds[i] = pin_handover_find(handover, &listen->address, SOCK_DGRAM);
        }
    }
    return listen->tcp_fds[0] >= 0 && (!listen->has_udp || listen->udp_fds[0] >= 0);
}

enum pin_err pin_listen_open(const struct pin_addrport *address, size_t n_workers, bool has_udp,
    const struct pin_listen_given *given, struct pin_listen *ret_listen, struct pin_why *why)
{
    static const struct pin_listen_given nothing;
    enum pin_err err = PIN_OK;
    struct pin_listen listen = {
        .address = *address,
        .is_wildcard = is_wildcard(&address->ip),
        .n_fds = n_workers,
        .has_udp = has_udp,
        .udp_fds = calloc(n_workers, sizeof(int)),
        .tcp_fds = calloc(n_workers, sizeof(int)),
    };
    if (listen.udp_fds == NULL || listen.tcp_fds == NULL) {
        free(listen.udp_fds);
        free(listen.tcp_fds);
        return pin_why_set(why, PIN_ENOMEM, "%zu sockets", n_workers);
    }
    for (size_t i = 0; i < n_workers; i++) {
        listen.udp_fds[i] = -1;
        listen.tcp_fds[i] = -1;
    }
    given = given != NULL ? given : &nothing;
    err = take(&listen, given->handover) ? open_others(&listen, why)
                                         : open_all(&listen, given->supervisor, why);
    if (err != PIN_OK) {
        pin_listen_close(&listen);
        return err;
    }
    *ret_listen = listen;
    return PIN_OK;
}

void pin_listen_close(struct pin_listen *listen)
{
    for (size_t i = 0; i < listen->n_fds; i++) {
        close_one(&listen->udp_fds[i]);
        close_one(&listen->tcp_fds[i]);
    }
    free(listen->udp_fds);
    free(listen->tcp_fds);
    *listen = (struct pin_listen){0};
}
