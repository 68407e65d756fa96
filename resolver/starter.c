/* SPDX-License-Identifier: Apache-2.0 */

/* A process that starts another one, and the words between it and the daemon. */

#include "resolver/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pintle/base/macros.h"
#include "pintle/base/supervisor.h"

#include "resolver/handover.h"

/* Descriptors of one message; the kernel takes 253. */
#define FDS_OF_MESSAGE 250u
/* Behind standard error. */
#define STARTER_FD 3
/* A starter that does not end by then was stopped by somebody. */
#define KEEP_MS 1000

/* What the daemon says. */
enum order {
    PIN_ORDER_PIPE = 1, /* the first descriptor; others that came were for nothing */
    PIN_ORDER_FDS,      /* some more */
    PIN_ORDER_START,    /* with those that came */
    PIN_ORDER_KEEP,
    PIN_ORDER_KILL,
};

/* Room for the descriptors of one. */
union control {
    char bytes[CMSG_SPACE(FDS_OF_MESSAGE * sizeof(int))];
    struct cmsghdr align;
};

struct pin_starter {
    int fd; /* -1: it has ended */
    pid_t pid;
};

/* --- The starter's side ----------------------------------------------------------------------- */

/* All that it has. */
struct side {
    char path[PATH_MAX];
    char **argv;   /* owned */
    sigset_t mask; /* as the daemon was started with */
    int fds[PIN_HANDOVER_MAX + 1];
    size_t n_fds;
    int failure; /* errno: some did not come through */
    pid_t next;  /* 0: there is none */
    bool is_kept;
};

static void say(const struct pin_starter_news *news)
{
    (void)send(STARTER_FD, news, sizeof(*news), MSG_NOSIGNAL); /* who has gone is noticed */
}

static void close_fds(struct side *side)
{
    while (side->n_fds > 0) {
        (void)close(side->fds[--side->n_fds]);
    }
}

static void start(struct side *side)
{
    const struct pin_handover_next next = {.program = side->path,
        .argv = side->argv,
        .mask = &side->mask,
        .fds = side->fds,
        .n = side->n_fds};
    struct pin_starter_news news = {.word = PIN_STARTER_STARTED};
    if (side->next != 0) {
        (void)pin_why_set(&news.why, PIN_EBUSY, "there is one");
        news.word = PIN_STARTER_FAILED;
    } else if (side->failure != 0) {
        (void)pin_why_errno(&news.why, side->failure, "%zu sockets", side->n_fds);
        news.word = PIN_STARTER_FAILED;
    } else if (pin_handover_spawn(&next, &side->next, &news.why) != PIN_OK) {
        side->next = 0;
        news.word = PIN_STARTER_FAILED;
    }
    close_fds(side);
    side->failure = 0;
    news.pid = side->next;
    say(&news);
}

/* Too many, or more than we may have open: then none counts. */
static void take_fds(struct side *side, struct msghdr *header)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(header);
    if ((header->msg_flags & MSG_CTRUNC) != 0) {
        side->failure = EMFILE;
    }
    if (control == NULL || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
        return;
    }
    size_t n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
        int fd = -1;
        memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
        if (side->n_fds < N_ELEMS(side->fds)) {
            side->fds[side->n_fds++] = fd;
        } else {
            (void)close(fd);
            side->failure = E2BIG;
        }
    }
}

/* False: the daemon has ended. */
static bool obey(struct side *side)
{
    int32_t what = 0;
    union control control = {0};
    struct iovec iov = {.iov_base = &what, .iov_len = sizeof(what)};
    struct msghdr header = {.msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes)};
    ssize_t bytes = recvmsg(STARTER_FD, &header, MSG_CMSG_CLOEXEC);
    if (bytes <= 0) {
        return bytes < 0 && errno == EINTR;
    }
    if (what == PIN_ORDER_PIPE) {
        close_fds(side);
        side->failure = 0;
    }
    take_fds(side, &header);
    if (what == PIN_ORDER_START) {
        start(side);
    } else if (what == PIN_ORDER_KEEP) {
        side->is_kept = side->next != 0;
    } else if (what == PIN_ORDER_KILL && side->next != 0) {
        (void)kill(side->next, SIGKILL);
    }
    return true;
}

static void reap(struct side *side)
{
    struct pin_starter_news news = {.word = PIN_STARTER_ENDED, .pid = side->next};
    if (side->next != 0 && waitpid(side->next, &news.status, WNOHANG) == side->next) {
        say(&news);
        side->next = 0;
    }
}

static void on_child(int signo)
{
    (void)signo; /* it wakes ppoll(), that is all */
}

/* Signals that go to all processes of a service or a terminal are the daemon's to follow: here all
 * wait, but that of a child. The next process may get them before it can follow them, as that which
 * asked for it: it begins with those ignored that would end it and do not mean that. */
static void settle_signals(sigset_t *ret_waiting)
{
    static const int orders[] = {SIGHUP, SIGUSR1, SIGUSR2};
    const struct sigaction action = {.sa_handler = on_child};
    for (size_t i = 0; i < N_ELEMS(orders); i++) {
        (void)signal(orders[i], SIG_IGN);
    }
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigfillset(ret_waiting);
    (void)sigdelset(ret_waiting, SIGCHLD);
}

static char **copy_arguments(char *const *argv)
{
    size_t n = 0;
    while (argv[n] != NULL) {
        n++;
    }
    char **copy = calloc(n + 1, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = strdup(argv[i]);
        if (copy[i] == NULL) {
            return NULL; /* the process ends */
        }
    }
    return copy;
}

/* What `ps` shows: our name in the place of the arguments, which stand one behind the other. */
static void show_name(char *const *argv)
{
    char *end = argv[0];
    for (size_t i = 0; argv[i] != NULL && argv[i] == end; i++) {
        end += strlen(argv[i]) + 1;
    }
    size_t room = (size_t)(end - argv[0]);
    if (room > 0) {
        memset(argv[0], 0, room);
        memcpy(argv[0], PIN_STARTER_NAME, PIN_MIN(room - 1, sizeof(PIN_STARTER_NAME) - 1));
    }
}

/* The end of the daemon is the end of what it did not want to keep. With what it keeps we end
 * first: the next process's end is then told to who adopts it, not to us. */
static void serve(struct side *side)
{
    struct pollfd daemon = {.fd = STARTER_FD, .events = POLLIN};
    sigset_t waiting;
    settle_signals(&waiting);
    bool goes_on = true;
    while (goes_on) {
        daemon.revents = 0;
        (void)ppoll(&daemon, 1, NULL, &waiting);
        reap(side);
        goes_on = daemon.revents == 0 || (obey(side) && !side->is_kept);
    }
    if (side->next != 0 && !side->is_kept) {
        (void)kill(side->next, SIGKILL);
        (void)waitpid(side->next, NULL, 0);
    }
}

/* All signals wait already; `mask` is what the next process begins with. */
static int be_starter(int fd, char *const *argv, const sigset_t *mask)
{
    struct side *side = calloc(1, sizeof(*side));
    (void)prctl(PR_SET_NAME, PIN_STARTER_NAME, 0, 0, 0);
    /* The daemon is of the same user, and is not to reach out of its sandbox through us. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (side == NULL || readlink("/proc/self/exe", side->path, sizeof(side->path) - 1) < 0
        || (fd != STARTER_FD && dup2(fd, STARTER_FD) < 0)
        || fcntl(STARTER_FD, F_SETFD, FD_CLOEXEC) != 0) {
        return EXIT_FAILURE;
    }
    closefrom(STARTER_FD + 1);
    side->mask = *mask;
    pin_handover_forget();
    pin_supervisor_pass_on();
    side->argv = copy_arguments(argv);
    if (side->argv != NULL) {
        show_name(argv);
        serve(side);
    }
    return EXIT_SUCCESS;
}

/* --- The daemon's side ------------------------------------------------------------------------ */

enum pin_err pin_starter_new(
    char *const *argv, struct pin_starter **ret_starter, struct pin_why *why)
{
    int ends[2];
    struct pin_starter *starter = calloc(1, sizeof(*starter));
    if (starter == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the starter");
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        free(starter);
        return pin_why_errno(why, errno, "a pair of sockets");
    }
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    starter->fd = ends[0];
    starter->pid = fork();
    if (starter->pid == 0) {
        (void)close(ends[0]); /* its number may be one of those that are kept */
        /* nothing of the daemon's is to be ended by us */
        _exit(be_starter(ends[1], argv, &before));
    }
    int error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(ends[1]);
    if (starter->pid < 0) {
        (void)close(ends[0]);
        free(starter);
        return pin_why_errno(why, error, "the starter");
    }
    *ret_starter = starter;
    return PIN_OK;
}

static void leave(struct pin_starter *starter)
{
    if (starter->fd >= 0) {
        (void)close(starter->fd);
        starter->fd = -1;
    }
}

void pin_starter_free(struct pin_starter *starter)
{
    if (starter != NULL) {
        leave(starter);
    }
    free(starter);
}

int pin_starter_fd(const struct pin_starter *starter)
{
    return starter == NULL ? -1 : starter->fd;
}

/* Some descriptors with a message. It waits for no room: there are few messages. */
static bool order(const struct pin_starter *starter, enum order what, const int *fds, size_t n)
{
    int32_t word = (int32_t)what;
    union control control = {0};
    struct iovec iov = {.iov_base = &word, .iov_len = sizeof(word)};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(n * sizeof(*fds));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(n * sizeof(*fds));
        memcpy(CMSG_DATA(rights), fds, n * sizeof(*fds));
    }
    return sendmsg(starter->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(word);
}

enum pin_err pin_starter_start(
    struct pin_starter *starter, const int *fds, size_t n, int *ret_said_fd, struct pin_why *why)
{
    int ends[2];
    if (pin_starter_fd(starter) < 0) {
        return pin_why_set(why, PIN_ECLOSED, "the process that starts others has ended");
    }
    if (n > PIN_HANDOVER_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "more than %u sockets", PIN_HANDOVER_MAX);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return pin_why_errno(why, errno, "a pipe");
    }
    bool is_sent = order(starter, PIN_ORDER_PIPE, &ends[1], 1);
    for (size_t i = 0; i < n && is_sent; i += FDS_OF_MESSAGE) {
        is_sent = order(starter, PIN_ORDER_FDS, fds + i, PIN_MIN(n - i, (size_t)FDS_OF_MESSAGE));
    }
    is_sent = is_sent && order(starter, PIN_ORDER_START, NULL, 0);
    int error = errno;
    (void)close(ends[1]);
    if (!is_sent) {
        (void)close(ends[0]);
        return pin_why_errno(why, error, "sockets for the process that starts others");
    }
    *ret_said_fd = ends[0];
    return PIN_OK;
}

struct pin_starter_news pin_starter_hear(struct pin_starter *starter)
{
    struct pin_starter_news news = {.word = PIN_STARTER_NOTHING};
    if (pin_starter_fd(starter) < 0) {
        return news;
    }
    ssize_t bytes = recv(starter->fd, &news, sizeof(news), MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        return news;
    }
    if (bytes != (ssize_t)sizeof(news)) {
        leave(starter);
        (void)waitpid(starter->pid, NULL, 0); /* it has closed all, so it ends */
        news.word = PIN_STARTER_GONE;
    }
    return news;
}

void pin_starter_keep(struct pin_starter *starter)
{
    if (pin_starter_fd(starter) < 0) {
        return;
    }
    struct pollfd its = {.fd = starter->fd}; /* that it has closed its end is always told */
    (void)order(starter, PIN_ORDER_KEEP, NULL, 0);
    int n = 0;
    do {
        n = poll(&its, 1, KEEP_MS);
    } while (n < 0 && errno == EINTR);
    leave(starter);
    (void)waitpid(starter->pid, NULL, n == 1 ? 0 : WNOHANG);
}

void pin_starter_kill(struct pin_starter *starter)
{
    if (pin_starter_fd(starter) >= 0) {
        (void)order(starter, PIN_ORDER_KILL, NULL, 0);
    }
}
