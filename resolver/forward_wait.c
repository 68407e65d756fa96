/* SPDX-License-Identifier: Apache-2.0 */

/* Clients that wait: their queries are kept as they came, and answered by the one answer path when
 * there is something to say. */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "pintle/base/macros.h"

#include "answer.h"
#include "forward_thread.h"

/* Room for an answer over UDP: never more is sent. */
#define UDP_CAP_BYTES 1344u
/* Questions that one query may lead to, one after the other: a chain over several resolvers. */
#define ROUNDS_MAX 10u

struct pin_waiter {
    struct pin_waiter *next;
    struct pin_client client;
    struct pin_return back;
    struct msghdr header; /* UDP */
    struct iovec vector;
    union pin_peer peer;
    union pin_peer sender;
    uint16_t bytes;
    uint8_t n_rounds;
    _Alignas(struct cmsghdr) uint8_t control[PIN_MISS_CONTROL_BYTES];
    uint8_t wire[];
};

static socklen_t peer_bytes(const union pin_peer *peer)
{
    return peer->any.sa_family == AF_INET6 ? sizeof(peer->v6) : sizeof(peer->v4);
}

/* Takes over all that the answer needs. NULL: out of memory. */
static struct pin_waiter *new_waiter(const struct pin_miss *miss)
{
    struct pin_waiter *waiter = malloc(sizeof(*waiter) + miss->bytes);
    if (waiter == NULL) {
        return NULL;
    }
    *waiter = (struct pin_waiter){.client = miss->client,
        .back = miss->back,
        .peer = miss->peer,
        .sender = miss->sender,
        .bytes = miss->bytes,
        .n_rounds = miss->n_rounds};
    memcpy(waiter->wire, miss->wire, miss->bytes);
    memcpy(waiter->control, miss->control, miss->control_bytes);
    waiter->back.packet = NULL;
    if (miss->back.mailbox == NULL) {
        waiter->header = (struct msghdr){.msg_name = &waiter->sender,
            .msg_namelen = peer_bytes(&waiter->sender),
            .msg_iov = &waiter->vector,
            .msg_iovlen = 1,
            .msg_control = miss->control_bytes > 0 ? waiter->control : NULL,
            .msg_controllen = miss->control_bytes};
        waiter->back.packet = &waiter->header;
    }
    waiter->client.peer = &waiter->peer.any;
    waiter->client.back = miss->n_rounds < ROUNDS_MAX ? &waiter->back : NULL;
    return waiter;
}

/* Sends an answer on the socket that the query came to. */
static void send_back(struct pin_forward_thread *thread, struct pin_waiter *waiter, size_t bytes)
{
    waiter->vector = (struct iovec){.iov_base = thread->answer, .iov_len = bytes};
    if (sendmsg(waiter->back.fd, &waiter->header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        pin_stat_add(&thread->stats.n_send_errors, 1);
    }
}

/* Has an answer, or the word that there is none, brought to the thread of the stream. */
static void post_back(
    const struct pin_forward_thread *thread, const struct pin_waiter *waiter, size_t bytes)
{
    struct pin_late *late = malloc(sizeof(*late) + bytes);
    if (late == NULL) {
        return; /* the client asks again */
    }
    late->stream_id = waiter->back.stream_id;
    late->request_id = waiter->back.request_id;
    late->bytes = (uint32_t)bytes;
    memcpy(late->wire, thread->answer, bytes);
    pin_mailbox_post(waiter->back.mailbox, late);
}

/* Answers one query, or hands it on to where the next link of its chain is asked. */
static void answer_one(
    struct pin_forward_thread *thread, struct pin_waiter *waiter, const struct pin_outcome *outcome)
{
    bool is_udp = waiter->back.mailbox == NULL;
    struct pin_packet packet = {.wire = thread->answer,
        .bytes = waiter->bytes,
        .cap_bytes = is_udp ? UDP_CAP_BYTES : sizeof(thread->answer)};
    memcpy(thread->answer, waiter->wire, waiter->bytes);
    thread->port->outcome = outcome;
    thread->port->n_rounds = (uint8_t)(waiter->n_rounds + 1);
    size_t bytes = pin_answer(&thread->worker, &waiter->client, &packet);
    if (bytes == PIN_ANSWER_LATER) {
        return;
    }
    if (!is_udp) {
        post_back(thread, waiter, bytes);
    } else if (bytes > 0) {
        send_back(thread, waiter, bytes);
    }
}

static void note_waiting(struct pin_forward_thread *thread)
{
    pin_stat_set(&thread->stats.n_waiting, thread->n_waiters);
}

bool pin_waiter_add(
    struct pin_forward_thread *thread, struct pin_ask *ask, const struct pin_miss *miss)
{
    struct pin_waiter *waiter = thread->n_waiters < PIN_WAITERS_MAX ? new_waiter(miss) : NULL;
    if (waiter == NULL) {
        return false;
    }
    waiter->next = ask->waiters;
    ask->waiters = waiter;
    thread->n_waiters++;
    note_waiting(thread);
    return true;
}

/* Takes the list, which may become longer again while it is gone through. */
static struct pin_waiter *take_all(struct pin_forward_thread *thread, struct pin_ask *ask)
{
    struct pin_waiter *waiters = ask->waiters;
    ask->waiters = NULL;
    for (const struct pin_waiter *w = waiters; w != NULL; w = w->next) {
        thread->n_waiters--;
    }
    return waiters;
}

void pin_waiters_answer(
    struct pin_forward_thread *thread, struct pin_ask *ask, const struct pin_outcome *outcome)
{
    struct pin_waiter *waiter = take_all(thread, ask);
    while (waiter != NULL) {
        struct pin_waiter *next = waiter->next;
        answer_one(thread, waiter, outcome);
        free(waiter);
        waiter = next;
    }
    note_waiting(thread);
}

void pin_waiters_drop(struct pin_forward_thread *thread, struct pin_ask *ask)
{
    struct pin_waiter *waiter = take_all(thread, ask);
    while (waiter != NULL) {
        struct pin_waiter *next = waiter->next;
        free(waiter);
        waiter = next;
    }
    note_waiting(thread);
}

void pin_miss_answer(struct pin_forward_thread *thread, const struct pin_miss *miss,
    const struct pin_outcome *outcome)
{
    struct pin_waiter *waiter = miss->is_refresh ? NULL : new_waiter(miss);
    if (waiter != NULL) {
        answer_one(thread, waiter, outcome);
    }
    free(waiter);
}
