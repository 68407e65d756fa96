/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Late: answers that come after their query's turn, and the way back to who asked.
 *
 *     worker      pin_answer() says PIN_ANSWER_LATER: the question went to the forwarder
 *     forwarder   has the answer: UDP by sendmsg() on the socket it came to, a stream by mail
 *     stream thread  is woken by its mailbox, finds the stream by its id, appends; a stream that is
 *                 gone loses its mail
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pintle/base/error.h"

/** Result of pin_answer(): nothing is to be sent now, the answer comes by the way back. */
#define PIN_ANSWER_LATER SIZE_MAX

/** Result of pin_answer(): the answer has many messages, which worker->source gives. The stream
 * pulls them, and answers nothing else in the meantime. */
#define PIN_ANSWER_SOURCE (SIZE_MAX - 1)

/** An answer of many messages. Its stream's thread calls. */
struct pin_source {
    /** Writes the next message; `cap_bytes` is that of a stream's longest. 0: there is none that
     * could be sent, and the stream is closed. */
    size_t (*next)(struct pin_source *source, uint8_t *wire, size_t cap_bytes, bool *ret_is_last);
    /** Ends it, once, whether or not all was pulled; it is void then. */
    void (*end)(struct pin_source *source, bool is_whole);
};

/** A whole answer on its way to a stream. One allocation; free() it. */
struct pin_late {
    struct pin_late *next; /**< The mailbox's, then the owner's. */
    uint64_t stream_id;
    uint32_t request_id;
    uint32_t bytes; /**< 0: there is no answer; the request ends without one. */
    uint8_t wire[]; /**< A message, without a length in front. */
};

/** Where a stream thread gets its mail; many posters, one reader, no lock. */
struct pin_mailbox {
    _Atomic(struct pin_late *) newest;
    int wake_fd; /**< An eventfd, non-blocking: readable when mail has come. */
};

/** The way back of one query. Plain data. What it points at outlives all questions under way. */
struct pin_return {
    struct pin_mailbox *mailbox; /**< Of a stream; NULL: UDP. */
    uint64_t stream_id;          /**< Never used again by this mailbox's thread. */
    uint32_t request_id;         /**< Of several on the stream (HTTP/2 stream id); else 0. */
    int fd;                      /**< UDP: the socket it came to. */
    const struct msghdr *packet; /**< UDP: its sender and, on wildcard sockets, packet info. */
};

/** Opens an empty mailbox. */
enum pin_err pin_mailbox_init(struct pin_mailbox *mailbox, struct pin_why *why);

/** Frees the mail inside and closes it; nobody posts any more. A zeroed one is left alone. */
void pin_mailbox_done(struct pin_mailbox *mailbox);

/** Hands over `late` and wakes the reader. Any thread; never blocks. */
void pin_mailbox_post(struct pin_mailbox *mailbox, struct pin_late *late);

/** Takes all mail, oldest first, as a list; NULL: none. The reader; it owns what it gets. */
struct pin_late *pin_mailbox_take(struct pin_mailbox *mailbox);
