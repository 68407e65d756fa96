/* SPDX-License-Identifier: Apache-2.0 */

/* One connection: bytes over TCP or TLS, queries and answers behind a length of two bytes. */

#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_BYTES    2U
#define SLOT_BITS       6U
#define CONNECT_LIMIT_S 10

/* --- bytes -------------------------------------------------------------------------------- */

/* Reads once. Returns 0 when nothing is there, -1 when nothing will come. */
static ssize_t read_some(struct pin_stream *stream, uint8_t *to, size_t bytes)
{
    if (stream->tls != NULL) {
        int n = SSL_read(stream->tls, to, (int)bytes);
        if (n > 0) {
            return n;
        }
        int why = SSL_get_error(stream->tls, n);
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = recv(stream->fd, to, bytes, 0);
    if (n > 0) {
        return n;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Writes once; results as above. */
static ssize_t write_some(struct pin_stream *stream, const uint8_t *from, size_t bytes)
{
    if (stream->tls != NULL) {
        int n = SSL_write(stream->tls, from, (int)bytes);
        if (n > 0) {
            return n;
        }
        int why = SSL_get_error(stream->tls, n);
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = send(stream->fd, from, bytes, MSG_NOSIGNAL);
    if (n >= 0) {
        return n;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool pin_stream_flush(struct pin_stream *stream)
{
    for (;;) {
        if (stream->h2 != NULL && !pin_stream_h2_fill(stream)) {
            return false;
        }
        if (stream->out_bytes == 0) {
            return true;
        }
        ssize_t n = write_some(stream, stream->out, stream->out_bytes);
        if (n <= 0) {
            return n == 0;
        }
        stream->out_bytes -= (size_t)n;
        (void)memmove(stream->out, stream->out + n, stream->out_bytes);
    }
}

/* --- queries ------------------------------------------------------------------------------ */

const struct pin_asked *pin_stream_next(struct pin_stream *stream, struct pin_stream_slot *slot)
{
    struct pin_stream_load *load = stream->load;
    const struct pin_queries *queries = load->queries;

    if (load->is_ending) {
        return NULL;
    }
    slot->query_i = queries->order[load->next_order];
    load->next_order = load->next_order + 1 < queries->n ? load->next_order + 1 : 0;
    load->n_in_flight++;
    load->tally.n_sent++;
    return &queries->asked[slot->query_i];
}

void pin_stream_hear(
    struct pin_stream *stream, struct pin_stream_slot *slot, const uint8_t *wire, size_t bytes)
{
    struct pin_stream_load *load = stream->load;

    pin_queries_hear(load->queries, slot->query_i, wire, bytes, false, &load->tally);
    slot->query_i = STREAM_IDLE;
    load->n_in_flight--;
}

/* Appends the next query with a fresh id; waits for nothing. */
static bool ask_framed(struct pin_stream *stream, struct pin_stream_slot *slot)
{
    size_t room = sizeof(stream->out) - stream->out_bytes;
    if (room < LENGTH_BYTES + QUESTION_BYTES_MAX) {
        return false; /* cannot be: all slots' queries fit */
    }
    const struct pin_asked *asked = pin_stream_next(stream, slot);
    if (asked == NULL) {
        return true;
    }
    uint8_t *to = stream->out + stream->out_bytes;
    slot->id =
        (uint16_t)((unsigned)stream->next_turn++ << SLOT_BITS | (unsigned)(slot - stream->slots));
    to[0] = (uint8_t)(asked->bytes >> 8);
    to[1] = (uint8_t)asked->bytes;
    (void)memcpy(to + LENGTH_BYTES, stream->load->queries->wire + asked->at, asked->bytes);
    to[LENGTH_BYTES] = (uint8_t)(slot->id >> 8);
    to[LENGTH_BYTES + 1] = (uint8_t)slot->id;
    stream->out_bytes += LENGTH_BYTES + asked->bytes;
    return true;
}

static bool ask(struct pin_stream *stream, struct pin_stream_slot *slot)
{
    return stream->h2 != NULL ? pin_stream_h2_ask(stream, slot) : ask_framed(stream, slot);
}

/* Takes one answer: whatever the order they come in, its id says which slot asked. */
static void take_message(struct pin_stream *stream, const uint8_t *wire, size_t bytes)
{
    if (bytes < QUESTION_HEADER_BYTES) {
        stream->load->tally.n_heard[PIN_HEARD_WRONG]++;
        return;
    }
    uint16_t id = (uint16_t)((uint16_t)(wire[0] << 8) | wire[1]);
    struct pin_stream_slot *slot = &stream->slots[id % STREAM_N_SLOT];
    if (slot->query_i == STREAM_IDLE || slot->id != id) {
        stream->load->tally.n_unasked++;
        return;
    }
    pin_stream_hear(stream, slot, wire, bytes);
}

/* Takes the whole messages of a piece; returns the bytes done with. */
static size_t take_messages(struct pin_stream *stream, const uint8_t *wire, size_t bytes)
{
    size_t at = 0;
    while (bytes - at >= LENGTH_BYTES) {
        size_t message_bytes = (size_t)wire[at] << 8 | wire[at + 1];
        if (bytes - at - LENGTH_BYTES < message_bytes) {
            break;
        }
        take_message(stream, wire + at + LENGTH_BYTES, message_bytes);
        at += LENGTH_BYTES + message_bytes;
    }
    return at;
}

/* Joins a piece to what was kept of the one before. */
static bool take_framed(struct pin_stream *stream, const uint8_t *wire, size_t bytes)
{
    if (stream->kept_bytes == 0) {
        size_t done = take_messages(stream, wire, bytes);
        stream->kept_bytes = bytes - done;
        (void)memcpy(stream->kept, wire + done, stream->kept_bytes);
        return true;
    }
    if (bytes > sizeof(stream->kept) - stream->kept_bytes) {
        return false;
    }
    (void)memcpy(stream->kept + stream->kept_bytes, wire, bytes);
    bytes += stream->kept_bytes;
    size_t done = take_messages(stream, stream->kept, bytes);
    stream->kept_bytes = bytes - done;
    (void)memmove(stream->kept, stream->kept + done, stream->kept_bytes);
    return true;
}

bool pin_stream_on_readable(struct pin_stream *stream)
{
    struct pin_stream_load *load = stream->load;
    size_t most = stream->kept_bytes > 0 ? sizeof(load->in) - stream->kept_bytes : sizeof(load->in);
    for (;;) {
        ssize_t n = read_some(stream, load->in, most);
        if (n < 0) {
            return false;
        }
        if (n == 0) {
            break;
        }
        bool is_taken = stream->h2 != NULL ? pin_stream_h2_take(stream, load->in, (size_t)n)
                                           : take_framed(stream, load->in, (size_t)n);
        if (!is_taken) {
            return false;
        }
        if (stream->tls == NULL && (size_t)n < most) {
            break;
        }
        most = sizeof(load->in) - stream->kept_bytes;
    }
    for (unsigned i = 0; i < stream->n_slots; i++) {
        if (stream->slots[i].query_i == STREAM_IDLE && !ask(stream, &stream->slots[i])) {
            return false;
        }
    }
    return pin_stream_flush(stream);
}

/* --- life --------------------------------------------------------------------------------- */

/* Shakes hands, blocking. */
static bool start_tls(struct pin_stream *stream)
{
    static const unsigned char dot[] = {3, 'd', 'o', 't'};
    static const unsigned char h2[] = {2, 'h', '2'};
    bool is_doh = stream->load->kind == PIN_STREAM_DOH;

    stream->tls = SSL_new(stream->load->tls);
    if (stream->tls == NULL || SSL_set_fd(stream->tls, stream->fd) != 1
        || SSL_set_alpn_protos(stream->tls, is_doh ? h2 : dot, is_doh ? sizeof(h2) : sizeof(dot))
               != 0
        || SSL_connect(stream->tls) != 1) {
        (void)fprintf(stderr, "the TLS handshake failed\n");
        return false;
    }
    return true;
}

static bool connect_peer(struct pin_stream *stream)
{
    const struct timeval limit = {.tv_sec = CONNECT_LIMIT_S};
    const struct sockaddr_in *peer = &stream->load->peer;
    int on = 1;

    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream->fd < 0
        || setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0
        || setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0
        || connect(stream->fd, (const struct sockaddr *)peer, sizeof(*peer)) != 0) {
        perror("connect");
        return false;
    }
    return true;
}

bool pin_stream_open(struct pin_stream *stream, struct pin_stream_load *load, unsigned n_slots)
{
    stream->load = load;
    stream->n_slots = n_slots;
    stream->kept_bytes = 0;
    stream->out_bytes = 0;
    for (unsigned i = 0; i < n_slots; i++) {
        stream->slots[i].query_i = STREAM_IDLE;
    }
    if (!connect_peer(stream) || (load->kind != PIN_STREAM_TCP && !start_tls(stream))
        || fcntl(stream->fd, F_SETFL, O_NONBLOCK) != 0
        || (load->kind == PIN_STREAM_DOH && !pin_stream_h2_open(stream))) {
        return false;
    }
    for (unsigned i = 0; i < n_slots; i++) {
        if (!ask(stream, &stream->slots[i])) {
            return false;
        }
    }
    return pin_stream_flush(stream);
}

void pin_stream_close(struct pin_stream *stream)
{
    for (unsigned i = 0; i < stream->n_slots; i++) {
        if (stream->slots[i].query_i != STREAM_IDLE) {
            stream->load->tally.n_lost++;
            stream->load->n_in_flight--;
            stream->slots[i].query_i = STREAM_IDLE;
        }
    }
    pin_stream_h2_close(stream);
    SSL_free(stream->tls);
    stream->tls = NULL;
    if (stream->fd >= 0) {
        (void)close(stream->fd);
    }
    stream->fd = -1;
}
