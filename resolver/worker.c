/* SPDX-License-Identifier: Apache-2.0 */

/* Starts and stops the threads that talk to DNS clients, and sums what they count. */

#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "forward.h"
#include "listen.h"
#include "tcp.h"
#include "udp.h"

#define STREAMS_MAX            20000u
#define STREAMS_MAX_PER_CLIENT 1000u
#define STREAM_TIMEOUT_MS      10000u
#define PENDING_TIMEOUT_MS     30000u
#define PENDING_MAX            100u
#define HANDSHAKE_TIMEOUT_MS   5000u
/* Descriptors that connections leave alone: for API servers, files, listeners. */
#define FDS_RESERVED ((rlim_t)256)
/* Keepalive counts in tenths of a second (RFC 7828, section 3.1). */
#define MS_PER_DS 100u

/* One worker: a UDP thread per listener and a TCP thread. */
struct worker_set {
    struct pin_udp *udp[PIN_LISTENS_MAX];
    struct pin_tcp *tcp;
};

struct pin_workers {
    _Atomic uint32_t n_streams;
    size_t n_listens;
    size_t n_sets;
    struct pin_manners manners;        /* of the start */
    const struct pin_manners *now;     /* those that count */
    const struct pin_forward *forward; /* or NULL */
    const struct pin_forward *fading;  /* the one before, while it answers; or NULL */
    struct pin_stats_sum gone;         /* of those that are no more */
    struct pin_listen listens[PIN_LISTENS_MAX];
    int gate_fds[2]; /* threads wait for its end before they read; -1: they do not */
    struct worker_set sets[];
};

/* --- one thread --------------------------------------------------------------------------- */

enum pin_err pin_worker_init(struct pin_worker *worker, const struct pin_live *live,
    enum pin_transport transport, uint32_t thread_i)
{
    static const struct pin_manners silent = {0};
    memset(worker, 0, sizeof(*worker));
    worker->live = live;
    worker->manners = &silent;
    worker->transport = transport;
    worker->port_i = PIN_PORT_OWN;
    enum pin_err err = pin_draws_init(&worker->draws, PIN_DRAW_SLOTS, thread_i);
    worker->tally = pin_index_tally(live->index);
    if (err != PIN_OK || worker->tally == NULL) {
        return err;
    }
    worker->draws.tally = pin_tally_join(worker->tally);
    return worker->draws.tally != NULL ? PIN_OK : PIN_ENOMEM;
}

void pin_worker_give_basis(struct pin_worker *worker, const struct pin_basis *basis)
{
    atomic_store_explicit(&worker->next_basis, basis, memory_order_release);
}

bool pin_worker_take_basis(struct pin_worker *worker)
{
    const struct pin_basis *basis = atomic_load_explicit(&worker->next_basis, memory_order_acquire);
    if (pin_likely(basis == NULL || basis->number == worker->basis_number)) {
        return false;
    }
    worker->basis = basis;
    worker->basis_number = basis->number;
    worker->live = basis->live;
    worker->manners = basis->manners;
    worker->limiter = worker->transport == PIN_TRANSPORT_UDP ? basis->manners->limiter : NULL;
    worker->keys = basis->keys;
    worker->transfers = basis->transfers;
    if (worker->port_i != PIN_PORT_OWN) {
        worker->forward = pin_forward_port(basis->forward, worker->port_i);
    }
    worker->cookie_keys = (struct pin_cookie_keys){0}; /* another secret may be in the same turn */
    return true;
}

uint32_t pin_worker_wall_s(struct pin_worker *worker)
{
    if (worker->wall_s == 0) {
        worker->wall_s = (uint32_t)pin_clock_coarse_wall_s();
    }
    return worker->wall_s;
}

void pin_worker_done(struct pin_worker *worker)
{
    pin_tally_leave(worker->tally, worker->draws.tally);
    pin_draws_done(&worker->draws);
}

enum pin_err pin_worker_spawn(
    pthread_t *ret_thread, const char *name, void *(*main)(void *), void *arg, struct pin_why *why)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int errno_value = pthread_create(ret_thread, NULL, main, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errno_value != 0) {
        return pin_why_errno(why, errno_value, "start thread %s", name);
    }
    (void)pthread_setname_np(*ret_thread, name);
    return PIN_OK;
}

/* --- all of them -------------------------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t value_default)
{
    return value != 0 ? value : value_default;
}

/* One of `n_sets` equal parts that are together no less than all. */
static uint32_t part_of(uint32_t all, uint32_t n_sets)
{
    return all / n_sets + (all % n_sets != 0);
}

/* Fills the gaps, fits the total to the descriptors there are, and gives each of the threads that
 * share one client's connections its part. */
static struct pin_stream_limits fit_limits(const struct pin_workers_config *config)
{
    const struct pin_stream_limits *asked = &config->streams;
    uint32_t n_sets = (uint32_t)config->n_workers;
    struct pin_stream_limits limits = {
        .n_max = or_default(asked->n_max, STREAMS_MAX),
        .n_max_per_client = or_default(asked->n_max_per_client, STREAMS_MAX_PER_CLIENT),
        .n_max_queries = asked->n_max_queries,
        .max_duration_ms = asked->max_duration_ms,
        .idle_timeout_ms = or_default(asked->idle_timeout_ms, STREAM_TIMEOUT_MS),
        .read_timeout_ms = or_default(asked->read_timeout_ms, STREAM_TIMEOUT_MS),
        .write_timeout_ms = or_default(asked->write_timeout_ms, STREAM_TIMEOUT_MS),
        .pending_timeout_ms = or_default(asked->pending_timeout_ms, PENDING_TIMEOUT_MS),
        .handshake_timeout_ms = or_default(asked->handshake_timeout_ms, HANDSHAKE_TIMEOUT_MS),
        .n_max_pending = or_default(asked->n_max_pending, PENDING_MAX),
    };
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur < limits.n_max + FDS_RESERVED) {
        rlim_t n_left =
            fds.rlim_cur > 2 * FDS_RESERVED ? fds.rlim_cur - FDS_RESERVED : fds.rlim_cur / 2;
        limits.n_max = (uint32_t)PIN_MAX(n_left, (rlim_t)1);
    }
    limits.n_max_per_client = part_of(limits.n_max_per_client, n_sets);
    for (size_t i = 0; i < PIN_RATE_MAX; i++) {
        limits.rates[i] = part_of(asked->rates[i], n_sets);
    }
    return limits;
}

enum pin_err pin_workers_fit_manners(
    const struct pin_workers *workers, struct pin_manners *manners, struct pin_why *why)
{
    manners->keepalive_ds = workers->now->keepalive_ds;
    if (!pin_rate_is_on(&manners->rate)) {
        return PIN_OK;
    }
    manners->limiter = pin_limiter_next(workers->now->limiter, &manners->rate);
    return manners->limiter != NULL ? PIN_OK
                                    : pin_why_set(why, PIN_ENOMEM, "accounts of the rate limit");
}

/* What clients are told of idle streams is what tcp.c does. Answers over UDP can go to whom never
 * asked; over streams they cannot. */
static enum pin_err set_manners(
    struct pin_workers *workers, const struct pin_workers_config *config, struct pin_why *why)
{
    if (config->manners != NULL) {
        workers->manners = *config->manners;
    }
    uint32_t idle_ds = fit_limits(config).idle_timeout_ms / MS_PER_DS;
    workers->manners.keepalive_ds = (uint16_t)PIN_MIN(idle_ds, (uint32_t)UINT16_MAX);
    workers->manners.limiter = NULL;
    workers->now = &workers->manners;
    return pin_workers_fit_manners(workers, &workers->manners, why);
}

static enum pin_err open_listens(
    struct pin_workers *workers, const struct pin_workers_config *config, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    for (size_t i = 0; i < config->n_listens && err == PIN_OK; i++) {
        const struct pin_listen_given given = {config->handover, config->supervisor};
        err = pin_listen_open(&config->listens[i].address, config->n_workers,
            config->listens[i].tls == NULL, &given, &workers->listens[i], why);
        workers->n_listens += err == PIN_OK;
    }
    return err;
}

static enum pin_err start_udp(struct pin_workers *workers, size_t set_i,
    const struct pin_workers_config *config, uint32_t *thread_i, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    for (size_t i = 0; i < workers->n_listens && err == PIN_OK; i++) {
        if (!workers->listens[i].has_udp) {
            continue;
        }
        const uint32_t i_of_thread = (*thread_i)++; /* of the port as well */
        struct pin_udp_config udp = {
            .keys = config->keys,
            .transfers = config->transfers,
            .live = config->live,
            .forward = pin_forward_port(config->forward, i_of_thread),
            .manners = &workers->manners,
            .fd = workers->listens[i].udp_fds[set_i],
            .cluster_id = config->listens[i].cluster_id,
            .listen_i = (uint8_t)i,
            .gate_fd = workers->gate_fds[0],
            .proxy = config->listens[i].proxy,
            .is_wildcard = workers->listens[i].is_wildcard,
            .tapper = config->tapper,
            .thread_i = i_of_thread,
        };
        err = pin_udp_start(&udp, &workers->sets[set_i].udp[i], why);
    }
    return err;
}

static enum pin_err start_tcp(struct pin_workers *workers, size_t set_i,
    const struct pin_workers_config *config, uint32_t *thread_i, struct pin_why *why)
{
    struct pin_tcp_listen listens[PIN_LISTENS_MAX];
    for (size_t i = 0; i < workers->n_listens; i++) {
        listens[i] = (struct pin_tcp_listen){
            .fd = workers->listens[i].tcp_fds[set_i],
            .cluster_id = config->listens[i].cluster_id,
            .listen_i = (uint8_t)i,
            .n_max = part_of(config->listens[i].n_max_streams, (uint32_t)config->n_workers),
            .proxy = config->listens[i].proxy,
            .tls = config->listens[i].tls,
            .https_path = config->listens[i].https_path,
        };
    }
    const uint32_t i_of_thread = (*thread_i)++; /* of the port as well */
    struct pin_tcp_config tcp = {
        .keys = config->keys,
        .transfers = config->transfers,
        .live = config->live,
        .forward = pin_forward_port(config->forward, i_of_thread),
        .manners = &workers->manners,
        .listens = listens,
        .n_listens = workers->n_listens,
        .gate_fd = workers->gate_fds[0],
        .limits = fit_limits(config),
        .n_open = &workers->n_streams,
        .tapper = config->tapper,
        .thread_i = i_of_thread,
    };
    return pin_tcp_start(&tcp, &workers->sets[set_i].tcp, why);
}

enum pin_err pin_workers_start(
    const struct pin_workers_config *config, struct pin_workers **ret_workers, struct pin_why *why)
{
    if (config->n_workers < 1 || config->n_workers > PIN_WORKERS_MAX || config->n_listens < 1
        || config->n_listens > PIN_LISTENS_MAX) {
        return pin_why_set(why, PIN_EINVAL, "workers: 1 to %u, listeners: 1 to %u are possible",
            PIN_WORKERS_MAX, PIN_LISTENS_MAX);
    }
    struct pin_workers *workers =
        calloc(1, sizeof(*workers) + config->n_workers * sizeof(workers->sets[0]));
    if (workers == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu workers", config->n_workers);
    }
    workers->n_sets = config->n_workers;
    workers->gate_fds[0] = -1;
    workers->gate_fds[1] = -1;
    enum pin_err err = set_manners(workers, config, why);
    pin_forward_equip(config->forward, &workers->manners, config->keys, config->tapper);
    workers->forward = config->forward;
    uint32_t thread_i = 0;
    if (err == PIN_OK && config->is_held && pipe2(workers->gate_fds, O_CLOEXEC) != 0) {
        err = pin_why_errno(why, errno, "a pipe");
    }
    if (err == PIN_OK) {
        err = open_listens(workers, config, why);
    }
    for (size_t i = 0; i < workers->n_sets && err == PIN_OK; i++) {
        err = start_udp(workers, i, config, &thread_i, why);
        if (err == PIN_OK) {
            err = start_tcp(workers, i, config, &thread_i, why);
        }
    }
    if (err != PIN_OK) {
        pin_workers_stop(workers);
        return err;
    }
    *ret_workers = workers;
    return PIN_OK;
}

void pin_worker_wait(int gate_fd)
{
    char byte = 0;
    while (gate_fd >= 0 && read(gate_fd, &byte, 1) < 0 && errno == EINTR) {
    }
}

static void close_gate(struct pin_workers *workers, size_t end)
{
    if (workers->gate_fds[end] >= 0) {
        (void)close(workers->gate_fds[end]);
        workers->gate_fds[end] = -1;
    }
}

void pin_workers_go(struct pin_workers *workers)
{
    close_gate(workers, 1); /* who waits reads its end */
}

size_t pin_workers_fds(const struct pin_workers *workers, int *fds, size_t n_max)
{
    size_t n = 0;
    for (size_t l = 0; l < workers->n_listens; l++) {
        const struct pin_listen *listen = &workers->listens[l];
        for (size_t i = 0; i < listen->n_fds && n + 2 <= n_max; i++) {
            fds[n++] = listen->tcp_fds[i];
            if (listen->has_udp) {
                fds[n++] = listen->udp_fds[i];
            }
        }
    }
    return n;
}

void pin_workers_retire(struct pin_workers *workers)
{
    for (size_t i = 0; i < workers->n_sets; i++) {
        for (size_t l = 0; l < workers->n_listens; l++) {
            pin_udp_stop(workers->sets[i].udp[l]);
            workers->sets[i].udp[l] = NULL;
        }
        pin_tcp_retire(workers->sets[i].tcp);
    }
}

uint32_t pin_workers_n_streams(const struct pin_workers *workers)
{
    return atomic_load(&workers->n_streams);
}

static void halt(struct pin_workers *workers)
{
    for (size_t i = 0; i < workers->n_sets; i++) {
        for (size_t l = 0; l < workers->n_listens; l++) {
            pin_udp_halt(workers->sets[i].udp[l]);
        }
        pin_tcp_halt(workers->sets[i].tcp);
    }
}

/* Who waits at the gate knows of the end before it opens: what is in the sockets is for the process
 * that has them afterwards. */
void pin_workers_stop(struct pin_workers *workers)
{
    if (workers == NULL) {
        return;
    }
    halt(workers);
    pin_workers_go(workers);
    for (size_t i = 0; i < workers->n_sets; i++) {
        for (size_t l = 0; l < workers->n_listens; l++) {
            pin_udp_stop(workers->sets[i].udp[l]);
        }
        pin_tcp_stop(workers->sets[i].tcp);
    }
    for (size_t l = 0; l < workers->n_listens; l++) {
        pin_listen_close(&workers->listens[l]);
    }
    close_gate(workers, 0);
    pin_limiter_free(workers->manners.limiter);
    free(workers);
}

void pin_workers_address(
    const struct pin_workers *workers, size_t listen_i, struct pin_addrport *ret_address)
{
    *ret_address = workers->listens[listen_i].address;
}

bool pin_workers_take_audit(struct pin_workers *workers, struct pin_audit_sample *ret_sample)
{
    for (size_t i = 0; i < workers->n_sets; i++) {
        for (size_t l = 0; l < workers->n_listens; l++) {
            struct pin_udp *udp = workers->sets[i].udp[l];
            if (udp != NULL && pin_audit_take(pin_udp_audit(udp), ret_sample)) {
                return true;
            }
        }
        if (pin_audit_take(pin_tcp_audit(workers->sets[i].tcp), ret_sample)) {
            return true;
        }
    }
    return false;
}

void pin_workers_give_basis(struct pin_workers *workers, const struct pin_basis *basis)
{
    for (size_t i = 0; i < workers->n_sets; i++) {
        for (size_t l = 0; l < workers->n_listens; l++) {
            if (workers->sets[i].udp[l] != NULL) {
                pin_worker_give_basis(pin_udp_worker(workers->sets[i].udp[l]), basis);
            }
        }
        pin_worker_give_basis(pin_tcp_worker(workers->sets[i].tcp), basis);
    }
}

size_t pin_workers_n(const struct pin_workers *workers)
{
    return workers->n_sets;
}

const struct pin_manners *pin_workers_manners(const struct pin_workers *workers)
{
    return workers->now;
}

void pin_workers_follow(struct pin_workers *workers, const struct pin_basis *basis)
{
    workers->now = basis->manners;
    if (workers->forward != basis->forward) {
        workers->fading = workers->forward;
        workers->forward = basis->forward;
    }
}

void pin_workers_settle(struct pin_workers *workers)
{
    pin_forward_add_stats(workers->fading, &workers->gone);
    workers->fading = NULL;
    pin_limiter_free(workers->manners.limiter);
    workers->manners.limiter = NULL;
}

void pin_workers_stats(const struct pin_workers *workers, struct pin_stats_sum *ret_sum)
{
    *ret_sum = workers->gone;
    for (size_t i = 0; i < workers->n_sets; i++) {
        for (size_t l = 0; l < workers->n_listens; l++) {
            if (workers->sets[i].udp[l] != NULL) {
                pin_stats_add_to(pin_udp_stats(workers->sets[i].udp[l]), ret_sum);
            }
        }
        pin_stats_add_to(pin_tcp_stats(workers->sets[i].tcp), ret_sum);
    }
    pin_forward_add_stats(workers->forward, ret_sum);
    pin_forward_add_stats(workers->fading, ret_sum);
}
