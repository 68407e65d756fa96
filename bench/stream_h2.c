/* SPDX-License-Identifier: Apache-2.0 */

/* DNS over HTTP/2: each query is a POST of its own (RFC 8484), its slot the stream's user data. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define WINDOW_BYTES ((int32_t)1 << 30)
#define STATUS_OK    "200"

/* What all requests say; the last one's text is the length of the query. The library wants to be
 * able to write to what it only reads. */
static struct {
    uint8_t name[16];
    uint8_t value[32];
} header_table[] = {{":method", "POST"}, {":scheme", "https"}, {":authority", "bench.test"},
    {":path", "/dns-query"}, {"accept", "application/dns-message"},
    {"content-type", "application/dns-message"}, {"content-length", ""}};

#define N_HEADERS (sizeof(header_table) / sizeof(header_table[0]))

static struct pin_stream_slot *slot_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* NOLINTNEXTLINE(readability-function-size): the library says what it hands over */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags, void *arg)
{
    static const char key[] = ":status";
    (void)flags;
    (void)arg;
    struct pin_stream_slot *slot = slot_of(session, frame->hd.stream_id);
    if (slot != NULL && name_bytes == sizeof(key) - 1 && memcmp(name, key, name_bytes) == 0) {
        slot->is_refused =
            value_bytes != sizeof(STATUS_OK) - 1 || memcmp(value, STATUS_OK, value_bytes) != 0;
    }
    return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *chunk,
    size_t bytes, void *arg)
{
    (void)flags;
    (void)arg;
    struct pin_stream_slot *slot = slot_of(session, id);
    if (slot == NULL || bytes > STREAM_BODY_MAX - slot->body_bytes) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    (void)memcpy(slot->body + slot->body_bytes, chunk, bytes);
    slot->body_bytes = (uint16_t)(slot->body_bytes + bytes);
    return 0;
}

/* The answer is whole: its query had id 0, and so has it. */
static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
    struct pin_stream *stream = arg;
    struct pin_stream_slot *slot = slot_of(session, id);
    if (slot == NULL || slot->query_i == STREAM_IDLE) {
        return 0;
    }
    bool is_good = error == NGHTTP2_NO_ERROR && !slot->is_refused
                   && slot->body_bytes >= QUESTION_HEADER_BYTES && slot->body[0] == 0
                   && slot->body[1] == 0;
    pin_stream_hear(stream, slot, slot->body, is_good ? slot->body_bytes : 0);
    return 0;
}

/* Hands the body of a POST over. */
/* NOLINTNEXTLINE(readability-function-size): the library says what it hands over */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)session;
    (void)id;
    const struct pin_stream *stream = arg;
    struct pin_stream_slot *slot = source->ptr;
    const struct pin_queries *queries = stream->load->queries;
    const struct pin_asked *asked = &queries->asked[slot->query_i];
    size_t left = asked->bytes - slot->sent_bytes;
    size_t bytes = left < room ? left : room;

    (void)memcpy(to, queries->wire + asked->at + slot->sent_bytes, bytes);
    slot->sent_bytes += bytes;
    if (slot->sent_bytes == asked->bytes) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)bytes;
}

bool pin_stream_h2_open(struct pin_stream *stream)
{
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)WINDOW_BYTES}};
    nghttp2_session_callbacks *callbacks = NULL;

    for (unsigned i = 0; i < stream->n_slots; i++) {
        struct pin_stream_slot *slot = &stream->slots[i];
        slot->body = slot->body != NULL ? slot->body : malloc(STREAM_BODY_MAX);
        if (slot->body == NULL) {
            return false;
        }
    }
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return false;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    bool is_open =
        nghttp2_session_client_new(&stream->h2, callbacks, stream) == 0
        && nghttp2_submit_settings(
               stream->h2, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]))
               == 0
        && nghttp2_session_set_local_window_size(stream->h2, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES)
               == 0;
    nghttp2_session_callbacks_del(callbacks);
    return is_open;
}

bool pin_stream_h2_ask(struct pin_stream *stream, struct pin_stream_slot *slot)
{
    const struct pin_asked *asked = pin_stream_next(stream, slot);
    if (asked == NULL) {
        return true;
    }
    nghttp2_nv headers[N_HEADERS];
    (void)snprintf((char *)header_table[N_HEADERS - 1].value, sizeof(header_table[0].value), "%u",
        asked->bytes);
    for (size_t i = 0; i < N_HEADERS; i++) {
        headers[i] = (nghttp2_nv){.name = header_table[i].name,
            .value = header_table[i].value,
            .namelen = strlen((const char *)header_table[i].name),
            .valuelen = strlen((const char *)header_table[i].value)};
    }
    nghttp2_data_provider body = {.source.ptr = slot, .read_callback = read_body};
    slot->body_bytes = 0;
    slot->sent_bytes = 0;
    slot->is_refused = false;
    return nghttp2_submit_request(stream->h2, NULL, headers, N_HEADERS, &body, slot) > 0;
}

bool pin_stream_h2_take(struct pin_stream *stream, const uint8_t *wire, size_t bytes)
{
    return nghttp2_session_mem_recv(stream->h2, wire, bytes) == (ssize_t)bytes;
}

bool pin_stream_h2_fill(struct pin_stream *stream)
{
    /* One frame at a time comes out: as many as surely fit, the others with the next call. */
    while (sizeof(stream->out) - stream->out_bytes >= STREAM_OUT_BYTES / 2) {
        const uint8_t *piece = NULL;
        ssize_t n = nghttp2_session_mem_send(stream->h2, &piece);
        if (n <= 0) {
            return n == 0;
        }
        (void)memcpy(stream->out + stream->out_bytes, piece, (size_t)n);
        stream->out_bytes += (size_t)n;
    }
    return true;
}

void pin_stream_h2_close(struct pin_stream *stream)
{
    nghttp2_session_del(stream->h2);
    stream->h2 = NULL;
}
