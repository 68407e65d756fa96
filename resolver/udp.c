/* SPDX-License-Identifier: Apache-2.0 */

/* Answers one UDP socket: a batch in, answers in place, the batch out. */

#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/base/thread.h"

#include "answer.h"

#define BATCH 64u
/* More than any answer, and an odd number of cache lines: slots do not fight for the same sets. */
#define SLOT_BYTES 1344u
/* Room for the packet info of either family. */
#define CONTROL_BYTES 64u
/* After a receive error, so that one that stays does not spin. */
#define PAUSE_NS 10000000
/* Between two signals to a thread that is to end. */
#define KICK_NS 1000000

struct pin_udp {
    struct pin_worker worker;
    int fd;
    int gate_fd;
    bool is_wildcard;
    struct pin_proxy_trust proxy;
    union pin_proxy_peer *inner; /* BATCH, who asks behind a proxy; NULL: nobody does */
    atomic_bool is_stopping;
    atomic_bool has_ended;
    pthread_t thread;
    _Alignas(64) struct mmsghdr messages[BATCH]; /* one cache line each */
    _Alignas(64) struct iovec vectors[BATCH];
    _Alignas(64) union pin_proxy_peer peers[BATCH];
    _Alignas(64) struct pin_exchange exchanges[BATCH];
    struct pin_return backs[BATCH];
    _Alignas(64) uint8_t slots[BATCH][SLOT_BYTES];
    _Alignas(64) uint8_t controls[BATCH][CONTROL_BYTES]; /* wildcard sockets only */
};

/* Makes a message ready to receive again: the kernel and the answer have changed its lengths. */
static void rearm(const struct pin_udp *udp, struct msghdr *header)
{
    header->msg_iov->iov_len = SLOT_BYTES;
    header->msg_namelen = sizeof(union pin_proxy_peer);
    if (udp->is_wildcard) {
        header->msg_controllen = CONTROL_BYTES;
    }
}

/* Ties each message to its slot, once: messages may change places later, with all they point at. */
static void tie(struct pin_udp *udp, uint16_t cluster_id, uint8_t listen_i)
{
    for (size_t i = 0; i < BATCH; i++) {
        struct msghdr *header = &udp->messages[i].msg_hdr;
        udp->vectors[i].iov_base = udp->slots[i];
        header->msg_name = &udp->peers[i];
        header->msg_iov = &udp->vectors[i];
        header->msg_iovlen = 1;
        header->msg_control = udp->is_wildcard ? udp->controls[i] : NULL;
        rearm(udp, header);
        udp->exchanges[i].client = (struct pin_client){
            .listen_cluster_id = cluster_id, .listen_i = listen_i, .transport = PIN_TRANSPORT_UDP};
        udp->exchanges[i].packet.cap_bytes = SLOT_BYTES;
        udp->backs[i] = (struct pin_return){.fd = udp->fd, .packet = header};
        udp->exchanges[i].client.back = &udp->backs[i];
    }
}

/* Lets the packet info say where the answer leaves from, but not through which interface: routing
 * knows that, except for link-local addresses, which mean nothing without one. */
static void free_interface(struct msghdr *header)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    if (control == NULL) {
        return;
    }
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(control);
        info->ipi_ifindex = 0;
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(control);
        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) {
            info->ipi6_ifindex = 0;
        }
    }
}

/* Puts the messages that have an answer in front, ready to be sent. Returns how many these are. */
static unsigned gather(struct pin_udp *udp, unsigned n_received)
{
    unsigned n_answers = 0;
    for (unsigned i = 0; i < n_received; i++) {
        struct msghdr *header = &udp->messages[i].msg_hdr;
        header->msg_iov->iov_len = udp->exchanges[i].answer_bytes;
        if (pin_unlikely(udp->exchanges[i].answer_bytes == 0
                         || udp->exchanges[i].answer_bytes == PIN_ANSWER_LATER)) {
            continue; /* silence, or somebody else's to send */
        }
        if (pin_unlikely(n_answers != i)) {
            struct mmsghdr silent = udp->messages[n_answers];
            udp->messages[n_answers] = udp->messages[i];
            udp->messages[i] = silent;
        }
        n_answers++;
    }
    return n_answers;
}

/* Takes the PROXY header off a message: who stands in it asks, its sender gets the answer. Without
 * one that counts nothing is left, and that is dropped. */
static void unwrap(struct pin_udp *udp, struct pin_exchange *exchange, union pin_proxy_peer *inner)
{
    struct pin_proxy proxy;
    struct pin_packet *packet = &exchange->packet;
    struct pin_ip sender = pin_ip_from_sockaddr(exchange->client.peer);
    enum pin_proxy_verdict verdict = pin_proxy_is_trusted(&udp->proxy, &sender)
                                         ? pin_proxy_read(packet->wire, packet->bytes, &proxy)
                                         : PIN_PROXY_BAD;
    if (verdict != PIN_PROXY_INNER && verdict != PIN_PROXY_OUTER) {
        pin_stat_add(&udp->worker.stats.n_bad_proxy, 1);
        packet->bytes = 0;
        return;
    }
    packet->bytes -= proxy.bytes;
    memmove(packet->wire, packet->wire + proxy.bytes, packet->bytes);
    if (verdict == PIN_PROXY_INNER) {
        *inner = proxy.source;
        exchange->client.peer = &inner->any;
    }
}

/* Answers all in their slots. Returns how many have an answer. */
static unsigned answer_all(struct pin_udp *udp, unsigned n_received)
{
    for (unsigned i = 0; i < n_received; i++) {
        const struct msghdr *header = &udp->messages[i].msg_hdr;
        udp->exchanges[i].client.peer = header->msg_name;
        udp->exchanges[i].packet.wire = header->msg_iov->iov_base;
        udp->exchanges[i].packet.bytes = udp->messages[i].msg_len;
        if (udp->is_wildcard) {
            free_interface(&udp->messages[i].msg_hdr);
        }
    }
    for (unsigned i = 0; pin_unlikely(udp->inner != NULL) && i < n_received; i++) {
        unwrap(udp, &udp->exchanges[i], &udp->inner[i]);
    }
    pin_answer_batch(&udp->worker, udp->exchanges, n_received);
    return gather(udp, n_received);
}

static bool is_stopping(struct pin_udp *udp)
{
    return atomic_load_explicit(&udp->is_stopping, memory_order_acquire);
}

/* Whether the same answer may well be taken a moment later. */
static bool is_passing(int errno_value)
{
    return errno_value == EINTR || errno_value == ENOBUFS || errno_value == ENOMEM
           || errno_value == EAGAIN;
}

/* Sends all. An answer that the kernel refuses twice is skipped, the others still go. */
static void send_all(struct pin_udp *udp, unsigned n_answers)
{
    unsigned at = 0;
    bool is_second_try = false;
    while (at < n_answers) {
        int n_sent = sendmmsg(udp->fd, udp->messages + at, n_answers - at, MSG_NOSIGNAL);
        if (pin_likely(n_sent > 0)) {
            at += (unsigned)n_sent;
            is_second_try = false;
        } else if (!is_second_try && is_passing(errno)) {
            is_second_try = true;
        } else {
            pin_stat_add(&udp->worker.stats.n_send_errors, 1);
            at++;
            is_second_try = false;
        }
    }
}

/* Loud: says what recvmmsg failed with, and waits a moment before the next try. */
static void on_receive_error(struct pin_udp *udp, int errno_value)
{
    if (errno_value == EINTR || errno_value == EAGAIN || is_stopping(udp)) {
        return; /* EAGAIN: a socket that was handed over lets us look whether to stop */
    }
    pin_stat_add(&udp->worker.stats.n_receive_errors, 1);
    pin_log_warn("udp: receiving failed (%s), trying again", strerrorname_np(errno_value));
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

static void on_kick(int signo)
{
    (void)signo; /* a call that blocks ends with EINTR, that is all */
}

/* Lets this thread be woken by a signal that nobody else takes. */
static void let_kick(void)
{
    sigset_t kick;
    const struct sigaction action = {.sa_handler = on_kick};
    (void)sigaction(SIGURG, &action, NULL);
    (void)sigemptyset(&kick);
    (void)sigaddset(&kick, SIGURG);
    (void)pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
}

static void *run(void *arg)
{
    struct pin_udp *udp = arg;
    pin_thread_be_prompt();
    pin_rcu_register();
    pin_rcu_offline();
    let_kick();
    pin_worker_wait(udp->gate_fd);
    while (!is_stopping(udp)) {
        int n_received = recvmmsg(udp->fd, udp->messages, BATCH, MSG_WAITFORONE, NULL);
        if (pin_unlikely(n_received <= 0)) {
            on_receive_error(udp, errno);
            continue;
        }
        pin_rcu_online();
        (void)pin_worker_take_basis(&udp->worker);
        unsigned n_answers = answer_all(udp, (unsigned)n_received);
        send_all(udp, n_answers);
        pin_rcu_offline(); /* may wake a writer, a system call: not before answers go */
        for (int i = 0; i < n_received; i++) {
            rearm(udp, &udp->messages[i].msg_hdr);
        }
    }
    pin_rcu_unregister();
    atomic_store(&udp->has_ended, true);
    return NULL;
}

/* Makes room for who asks behind proxies, if there are any. */
static enum pin_err expect_proxies(
    struct pin_udp *udp, const struct pin_proxy_trust *trust, struct pin_why *why)
{
    udp->proxy = *trust;
    if (trust->n > 0) {
        udp->inner = calloc(BATCH, sizeof(*udp->inner));
    }
    return trust->n == 0 || udp->inner != NULL
               ? PIN_OK
               : pin_why_set(why, PIN_ENOMEM, "addresses of a UDP thread");
}

static void free_udp(struct pin_udp *udp)
{
    pin_worker_done(&udp->worker);
    free(udp->inner);
    free(udp);
}

enum pin_err pin_udp_start(
    const struct pin_udp_config *config, struct pin_udp **ret_udp, struct pin_why *why)
{
    struct pin_udp *udp = aligned_alloc(_Alignof(struct pin_udp), sizeof(*udp));
    if (udp == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "buffers of a UDP thread");
    }
    memset(udp, 0, sizeof(*udp));
    udp->fd = config->fd;
    udp->gate_fd = config->gate_fd;
    udp->is_wildcard = config->is_wildcard;
    tie(udp, config->cluster_id, config->listen_i);
    enum pin_err err =
        pin_worker_init(&udp->worker, config->live, PIN_TRANSPORT_UDP, config->thread_i);
    udp->worker.keys = config->keys;
    udp->worker.transfers = config->transfers;
    udp->worker.forward = config->forward;
    udp->worker.port_i = config->thread_i;
    if (config->manners != NULL) {
        udp->worker.manners = config->manners;
        udp->worker.limiter = config->manners->limiter;
    }
    udp->worker.tap = pin_tapper_join(config->tapper);
    if (err == PIN_OK) {
        err = expect_proxies(udp, &config->proxy, why);
    }
    if (err == PIN_OK) {
        err = pin_worker_spawn(&udp->thread, "pintle-udp", run, udp, why);
    }
    if (err != PIN_OK) {
        free_udp(udp);
        return err;
    }
    *ret_udp = udp;
    return PIN_OK;
}

void pin_udp_halt(struct pin_udp *udp)
{
    if (udp != NULL) {
        atomic_store_explicit(&udp->is_stopping, true, memory_order_release);
    }
}

/* The socket may be another process's, too, so it is not shut down: that would be for both. */
void pin_udp_stop(struct pin_udp *udp)
{
    static const struct timespec pause = {.tv_nsec = KICK_NS};
    if (udp == NULL) {
        return;
    }
    pin_udp_halt(udp);
    while (!atomic_load(&udp->has_ended)) { /* a signal may come just before it blocks */
        (void)pthread_kill(udp->thread, SIGURG);
        (void)nanosleep(&pause, NULL);
    }
    (void)pthread_join(udp->thread, NULL);
    free_udp(udp);
}

struct pin_worker *pin_udp_worker(struct pin_udp *udp)
{
    return &udp->worker;
}

const struct pin_stats *pin_udp_stats(const struct pin_udp *udp)
{
    return &udp->worker.stats;
}

struct pin_audit_ring *pin_udp_audit(struct pin_udp *udp)
{
    return &udp->worker.audit;
}
