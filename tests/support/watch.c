/* SPDX-License-Identifier: Apache-2.0 */

/* Counts what happens between receive and send. The linker's --wrap leads calls here; a byte of
 * each thread tells the kernel whether a system call is to be signalled instead of made. */

#include "support/watch.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <ucontext.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH /* Linux 5.11; not in every libc */
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF          0
#define PR_SYS_DISPATCH_ON           1
#endif

/* What the selector byte says (linux/prctl.h). */
#define SELECT_ALLOW  0
#define SELECT_SIGNAL 1

static atomic_bool is_watching;
static pthread_t watcher;
static _Atomic uint64_t n_windows;
static _Atomic uint64_t n_allocations;
static _Atomic uint64_t n_locks;
static _Atomic uint64_t n_system_calls;
static _Atomic long last_system_call;

/* Written with every window, so it is not atomic; the kernel reads it when its thread calls. */
static _Thread_local volatile char selector;
static _Thread_local bool is_dispatched; /* the kernel knows this thread's selector */
static _Thread_local volatile bool is_open;

/* --- system calls ------------------------------------------------------------------------- */

#if defined(__x86_64__)

/* Has the interrupted thread make its system call again: the instruction has two bytes. */
static void repeat_call(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_RIP] -= 2;
}

#elif defined(__aarch64__)

static void repeat_call(ucontext_t *context)
{
    context->uc_mcontext.pc -= 4;
}

#endif

/* Counts the call, and lets it and the rest of this window's pass. */
static void on_system_call(int number, siginfo_t *info, void *context)
{
    (void)number;
    selector = SELECT_ALLOW;
    atomic_fetch_add(&n_system_calls, 1);
    atomic_store(&last_system_call, (long)info->si_syscall);
    repeat_call(context);
}

static bool dispatch_on(void)
{
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0L, 0L, &selector) == 0;
}

static void dispatch_off(void)
{
    (void)prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0L, 0L, NULL);
}

bool watch_is_able(void)
{
    bool is_able = dispatch_on();
    dispatch_off();
    return is_able;
}

/* --- windows ------------------------------------------------------------------------------ */

static void open_window(void)
{
    if (!atomic_load(&is_watching) || pthread_equal(pthread_self(), watcher)) {
        return;
    }
    is_dispatched = is_dispatched || dispatch_on();
    atomic_fetch_add(&n_windows, 1);
    is_open = true;
    selector = SELECT_SIGNAL;
}

static void close_window(void)
{
    selector = SELECT_ALLOW;
    is_open = false;
}

void watch_start(void)
{
    struct sigaction action = {.sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO};
    (void)sigaction(SIGSYS, &action, NULL);
    watcher = pthread_self();
    watch_reset();
    atomic_store(&is_watching, true);
}

void watch_reset(void)
{
    atomic_store(&n_windows, 0);
    atomic_store(&n_allocations, 0);
    atomic_store(&n_locks, 0);
    atomic_store(&n_system_calls, 0);
    atomic_store(&last_system_call, -1);
}

struct watched watch_read(void)
{
    return (struct watched){
        .n_windows = atomic_load(&n_windows),
        .n_allocations = atomic_load(&n_allocations),
        .n_locks = atomic_load(&n_locks),
        .n_system_calls = atomic_load(&n_system_calls),
        .last_system_call = atomic_load(&last_system_call),
    };
}

void watch_stop(void)
{
    atomic_store(&is_watching, false);
}

static void count(_Atomic uint64_t *counter)
{
    if (is_open) {
        atomic_fetch_add(counter, 1);
    }
}

/* --- sockets ------------------------------------------------------------------------------ */

/* WRAPPED(type, name, parameters): declares the real function and the one in front. */
#define WRAPPED(type, name, parameters)                                                            \
    type real_##name parameters __asm__("__real_" #name);                                          \
    type watch_##name parameters __asm__("__wrap_" #name);                                         \
    type watch_##name parameters

WRAPPED(int, recvmmsg,
    (int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *limit))
{
    close_window();
    int got = real_recvmmsg(fd, messages, n, flags, limit);
    if (got > 0) {
        open_window();
    }
    return got;
}

WRAPPED(ssize_t, recv, (int fd, void *to, size_t bytes, int flags))
{
    close_window();
    ssize_t got = real_recv(fd, to, bytes, flags);
    if (got > 0) {
        open_window();
    }
    return got;
}

WRAPPED(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags))
{
    close_window();
    return real_sendmmsg(fd, messages, n, flags);
}

WRAPPED(ssize_t, send, (int fd, const void *from, size_t bytes, int flags))
{
    close_window();
    return real_send(fd, from, bytes, flags);
}

WRAPPED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))
{
    close_window();
    return real_sendmsg(fd, message, flags);
}

WRAPPED(ssize_t, writev, (int fd, const struct iovec *pieces, int n))
{
    close_window();
    return real_writev(fd, pieces, n);
}

WRAPPED(int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout_ms))
{
    close_window();
    return real_epoll_wait(fd, events, n, timeout_ms);
}

/* --- allocator ---------------------------------------------------------------------------- */

WRAPPED(void *, malloc, (size_t bytes))
{
    count(&n_allocations);
    return real_malloc(bytes);
}

WRAPPED(void *, calloc, (size_t n, size_t bytes))
{
    count(&n_allocations);
    return real_calloc(n, bytes);
}

WRAPPED(void *, realloc, (void *old, size_t bytes))
{
    count(&n_allocations);
    return real_realloc(old, bytes);
}

WRAPPED(void *, aligned_alloc, (size_t alignment, size_t bytes))
{
    count(&n_allocations);
    return real_aligned_alloc(alignment, bytes);
}

WRAPPED(void, free, (void *old))
{
    count(&n_allocations);
    real_free(old);
}

/* --- locks -------------------------------------------------------------------------------- */

WRAPPED(int, pthread_mutex_lock, (pthread_mutex_t * lock))
{
    count(&n_locks);
    return real_pthread_mutex_lock(lock);
}

WRAPPED(int, pthread_mutex_trylock, (pthread_mutex_t * lock))
{
    count(&n_locks);
    return real_pthread_mutex_trylock(lock);
}

WRAPPED(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock))
{
    count(&n_locks);
    return real_pthread_rwlock_rdlock(lock);
}

WRAPPED(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock))
{
    count(&n_locks);
    return real_pthread_rwlock_wrlock(lock);
}

WRAPPED(int, pthread_spin_lock, (pthread_spinlock_t * lock))
{
    count(&n_locks);
    return real_pthread_spin_lock(lock);
}

WRAPPED(int, pthread_cond_signal, (pthread_cond_t * condition))
{
    count(&n_locks);
    return real_pthread_cond_signal(condition);
}

WRAPPED(int, pthread_cond_broadcast, (pthread_cond_t * condition))
{
    count(&n_locks);
    return real_pthread_cond_broadcast(condition);
}

WRAPPED(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t *lock))
{
    count(&n_locks);
    return real_pthread_cond_wait(condition, lock);
}

WRAPPED(int, sem_post, (sem_t * semaphore))
{
    count(&n_locks);
    return real_sem_post(semaphore);
}

WRAPPED(int, sem_wait, (sem_t * semaphore))
{
    count(&n_locks);
    return real_sem_wait(semaphore);
}
