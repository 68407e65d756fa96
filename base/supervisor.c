/* SPDX-License-Identifier: Apache-2.0 */

/* Speaks with systemd, in its own protocol. */

#include "pintle/base/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pintle/base/macros.h"

/* Descriptors are handed over from here on. */
#define FIRST_FD  3
#define US_PER_MS 1000
/* In the environment: the process before had sockets of the supervisor, and so has who comes now.
 */
#define KEPT "PINTLE_KEPT_SOCKETS"

/* One socket that was handed over. */
struct handed {
    int fd; /* -1: taken */
    int type;
    struct pin_addrport address;
};

struct pin_supervisor {
    struct sockaddr_un name; /* of its socket */
    socklen_t name_bytes;    /* 0: there is nobody */
    int64_t watchdog_ms;
    bool keeps_sockets; /* of ours, which came from it to the process before */
    size_t n;
    struct handed handed[PIN_SUPERVISOR_SOCKETS_MAX];
};

static const char *env_text(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): before any other thread */
}

/* A number of the environment; 0 where none is, or not one between 0 and `max`. */
static int64_t env_number(const char *name, int64_t max)
{
    const char *text = env_text(name);
    char *end = NULL;
    errno = 0;
    long long value = text == NULL ? 0 : strtoll(text, &end, 10);
    return text != NULL && end != text && *end == '\0' && errno == 0 && value >= 0 && value <= max
               ? value
               : 0;
}

/* "/path", or "@name" of the abstract kind. */
static void read_name(struct pin_supervisor *supervisor)
{
    const char *text = env_text("NOTIFY_SOCKET");
    size_t bytes = text == NULL ? 0 : strlen(text);
    if (bytes < 2 || bytes >= sizeof(supervisor->name.sun_path)
        || (text[0] != '/' && text[0] != '@')) {
        return;
    }
    supervisor->name.sun_family = AF_UNIX;
    memcpy(supervisor->name.sun_path, text, bytes);
    if (text[0] == '@') {
        supervisor->name.sun_path[0] = '\0';
    }
    supervisor->name_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
}

/* How many sockets a process was given. */
static int n_given(pid_t pid)
{
    return env_number("LISTEN_PID", INT32_MAX) == pid
               ? (int)env_number("LISTEN_FDS", PIN_SUPERVISOR_SOCKETS_MAX)
               : 0;
}

/* What is no socket of an address is left alone. */
static void read_sockets(struct pin_supervisor *supervisor)
{
    int n = n_given(getpid());
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
        struct sockaddr_storage local = {0};
        socklen_t local_bytes = sizeof(local);
        struct handed *handed = &supervisor->handed[supervisor->n];
        socklen_t type_bytes = sizeof(handed->type);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (getsockname(fd, (struct sockaddr *)&local, &local_bytes) == 0
            && getsockopt(fd, SOL_SOCKET, SO_TYPE, &handed->type, &type_bytes) == 0
            && (local.ss_family == AF_INET || local.ss_family == AF_INET6)) {
            handed->fd = fd;
            handed->address = pin_addrport_from_sockaddr((const struct sockaddr *)&local);
            supervisor->n++;
        }
    }
}

static void forget(const char *name)
{
    (void)unsetenv(name); /* NOLINT(concurrency-mt-unsafe): before any other thread */
}

void pin_supervisor_pass_on(void)
{
    static const char *const sockets[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
    if (n_given(getppid()) > 0) {
        (void)setenv(KEPT, "1", 1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    for (size_t i = 0; i < N_ELEMS(sockets); i++) {
        forget(sockets[i]);
    }
    if (env_number("WATCHDOG_PID", INT32_MAX) == getppid()) {
        forget("WATCHDOG_PID"); /* without it, it is for whoever sees it */
    }
}

struct pin_supervisor *pin_supervisor_new(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
        "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", KEPT};
    struct pin_supervisor *supervisor = calloc(1, sizeof(*supervisor));
    if (supervisor == NULL) {
        return NULL;
    }
    read_name(supervisor);
    read_sockets(supervisor);
    supervisor->keeps_sockets = env_text(KEPT) != NULL;
    if (env_text("WATCHDOG_PID") == NULL || env_number("WATCHDOG_PID", INT32_MAX) == getpid()) {
        supervisor->watchdog_ms = env_number("WATCHDOG_USEC", INT64_MAX) / US_PER_MS;
    }
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        forget(names[i]);
    }
    return supervisor;
}

void pin_supervisor_free(struct pin_supervisor *supervisor)
{
    struct pin_addrport address;
    while (supervisor != NULL && pin_supervisor_drop(supervisor, &address)) {
    }
    free(supervisor);
}

bool pin_supervisor_is_there(const struct pin_supervisor *supervisor)
{
    return supervisor != NULL && supervisor->name_bytes > 0;
}

bool pin_supervisor_tell(const struct pin_supervisor *supervisor, const char *lines)
{
    if (!pin_supervisor_is_there(supervisor)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    size_t bytes = strlen(lines);
    ssize_t n_sent = sendto(fd, lines, bytes, MSG_NOSIGNAL,
        (const struct sockaddr *)&supervisor->name, supervisor->name_bytes);
    (void)close(fd); /* a datagram is sent or it is not */
    return n_sent == (ssize_t)bytes;
}

int64_t pin_supervisor_watchdog_ms(const struct pin_supervisor *supervisor)
{
    return supervisor == NULL ? 0 : supervisor->watchdog_ms;
}

bool pin_supervisor_has_sockets(const struct pin_supervisor *supervisor)
{
    return supervisor != NULL && (supervisor->n > 0 || supervisor->keeps_sockets);
}

int pin_supervisor_take(
    struct pin_supervisor *supervisor, const struct pin_addrport *address, int type)
{
    for (size_t i = 0; supervisor != NULL && i < supervisor->n; i++) {
        struct handed *handed = &supervisor->handed[i];
        if (handed->fd >= 0 && handed->type == type && handed->address.port == address->port
            && pin_ip_equal(&handed->address.ip, &address->ip)) {
            int fd = handed->fd;
            handed->fd = -1;
            return fd;
        }
    }
    return -1;
}

bool pin_supervisor_drop(struct pin_supervisor *supervisor, struct pin_addrport *ret_address)
{
    for (size_t i = 0; supervisor != NULL && i < supervisor->n; i++) {
        struct handed *handed = &supervisor->handed[i];
        if (handed->fd >= 0) {
            (void)close(handed->fd); /* nothing was read of it */
            handed->fd = -1;
            *ret_address = handed->address;
            return true;
        }
    }
    return false;
}
