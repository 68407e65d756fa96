/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP/2 (RFC 9113) through nghttp2, and bounds on what a client may make it do.
 *
 * Every frame costs a client one credit, every stream that fails some more; every response that it
 * lets through to its end gives some back. So floods of any kind of frame, and of streams that are
 * opened to be reset, run out of credit, at whatever rate they come; clients that ask questions
 * never do. No clock is needed. */

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "https_codec.h"

/* --- limits ------------------------------------------------------------------------------- */

#define STREAMS_MAX 100u
/* What a client may have on its way: one question of any length in a stream, two in all. So bodies
 * of half-sent questions never take more than the second. */
#define STREAM_WINDOW_BYTES     (PIN_STREAM_MAX_BYTES + 1u)
#define CONNECTION_WINDOW_BYTES (2 * STREAM_WINDOW_BYTES)
/* Answers that a client asks for but does not take; questions beyond are put off. */
#define HELD_MAX_BYTES ((size_t)512 << 10)
/* A HEADERS frame and this many CONTINUATIONs hold PIN_HTTPS_HEADERS_MAX_BYTES and more. */
#define CONTINUATIONS_MAX 8u
#define ACKS_MAX          200u
/* Tables of HPACK: ours is for four response fields. */
#define DEFLATE_TABLE_BYTES 1024u

#define CREDIT_MAX      1024
#define CREDIT_FRAME    1
#define CREDIT_FAILURE  4
#define CREDIT_RESPONSE 8
/* Bytes that cost as much as a frame: frames of unknown types are not reported. */
#define CREDIT_BYTES 1024u

/* Streams that are kept for the next requests, for all connections of a thread. */
#define SPARE_STREAMS_MAX 512u
/* Nearly all questions and most answers. */
#define INLINE_BYTES 512u
/* RFC 7541, section 4.1. */
#define HEADER_OVERHEAD_BYTES 32u

/* --- what there is ------------------------------------------------------------------------ */

/* One request and its response. */
struct stream {
    struct stream *next; /* of the connection, or of the spare ones */
    struct stream *prev;
    nghttp2_rcbuf *target; /* holds head.dns */
    uint8_t *data;         /* the body, then the answer; inline_data or on the heap */
    uint32_t bytes;
    uint32_t cap_bytes;
    uint32_t at;         /* sent of the answer */
    uint32_t owed_bytes; /* of the connection's window: given back once the question is read */
    uint32_t header_bytes;
    int32_t id;
    uint16_t status;   /* of a refusal; 0: none so far */
    bool is_pending;   /* asked, answered later */
    bool is_responded; /* nothing more is taken from the client */
    bool is_sent;      /* the response, to its end */
    struct pin_https_head head;
    char max_age[sizeof(PIN_HTTPS_MAX_AGE) + PIN_HTTPS_NUMBER_BYTES];
    char length[PIN_HTTPS_NUMBER_BYTES];
    char status_text[3];
    uint8_t inline_data[INLINE_BYTES];
};

/* For all connections of a thread. */
struct pin_doh_shared {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    struct stream *spare;
    uint32_t n_spare;
};

/* One connection. */
struct connection {
    struct pin_https base;
    nghttp2_session *session;
    struct stream *streams; /* all that are open */
    const uint8_t *unsent;  /* nghttp2's, until it is asked for more */
    size_t unsent_bytes;
    size_t held_bytes;  /* answers that are not sent */
    uint32_t n_reading; /* streams whose question is not whole */
    uint32_t uncharged_bytes;
    int32_t last_id; /* of a request */
    int32_t credit;
    bool is_lost; /* nothing goes in or out any more */
};

static struct connection *connection_of(struct pin_https *http)
{
    return container_of(http, struct connection, base);
}

/* --- streams ------------------------------------------------------------------------------ */

/* Opens a stream; NULL when memory is out. */
static struct stream *take_stream(struct connection *connection, int32_t id)
{
    struct pin_doh_shared *doh = connection->base.shared->doh;
    struct stream *stream = doh->spare;
    if (stream != NULL) {
        doh->spare = stream->next;
        doh->n_spare--;
    } else {
        stream = malloc(sizeof(*stream));
    }
    if (stream == NULL) {
        return NULL;
    }
    memset(stream, 0, offsetof(struct stream, inline_data));
    stream->id = id;
    stream->data = stream->inline_data;
    stream->cap_bytes = INLINE_BYTES;
    stream->next = connection->streams;
    if (stream->next != NULL) {
        stream->next->prev = stream;
    }
    connection->streams = stream;
    return stream;
}

/* Forgets question and answer. */
static void drop_data(struct stream *stream)
{
    if (stream->data != stream->inline_data) {
        free(stream->data);
    }
    stream->data = stream->inline_data;
    stream->cap_bytes = INLINE_BYTES;
    stream->bytes = 0;
}

static void drop_target(struct stream *stream)
{
    if (stream->target != NULL) {
        nghttp2_rcbuf_decref(stream->target);
        stream->target = NULL;
        stream->head.dns = NULL;
    }
}

/* Keeps an unlinked stream for the next request, or frees it. */
static void put_spare(struct pin_doh_shared *doh, struct stream *stream)
{
    drop_data(stream);
    drop_target(stream);
    if (doh->n_spare >= SPARE_STREAMS_MAX) {
        free(stream);
        return;
    }
    stream->next = doh->spare;
    doh->spare = stream;
    doh->n_spare++;
}

static void close_stream(struct connection *connection, struct stream *stream)
{
    if (stream->prev != NULL) {
        stream->prev->next = stream->next;
    } else {
        connection->streams = stream->next;
    }
    if (stream->next != NULL) {
        stream->next->prev = stream->prev;
    }
    put_spare(connection->base.shared->doh, stream);
}

/* Makes room for `cap_bytes`; what is there stays. */
static bool reserve(struct stream *stream, size_t cap_bytes)
{
    if (cap_bytes <= stream->cap_bytes) {
        return true;
    }
    bool is_inline = stream->data == stream->inline_data;
    uint8_t *grown = realloc(is_inline ? NULL : stream->data, cap_bytes);
    if (grown == NULL) {
        return false;
    }
    if (is_inline) {
        memcpy(grown, stream->inline_data, stream->bytes);
    }
    stream->data = grown;
    stream->cap_bytes = (uint32_t)cap_bytes;
    return true;
}

static struct stream *find_stream(struct connection *connection, int32_t id)
{
    return nghttp2_session_get_stream_user_data(connection->session, id);
}

/* --- credit ------------------------------------------------------------------------------- */

static void count_flood(const struct pin_https *http)
{
    if (http->shared->stats != NULL) {
        pin_stat_add(&http->shared->stats->n_https_floods, 1);
    }
}

/* Charges the client. One without credit is told so and cut off. */
static void charge(struct connection *connection, int32_t cost)
{
    bool had_credit = connection->credit > 0;
    connection->credit -= PIN_MIN(cost, connection->credit);
    if (had_credit && connection->credit == 0
        && nghttp2_session_terminate_session(connection->session, NGHTTP2_ENHANCE_YOUR_CALM) != 0) {
        connection->is_lost = true;
    }
    if (had_credit && connection->credit == 0) {
        connection->base.n_pending = 0; /* nobody waits any more */
        count_flood(&connection->base);
    }
}

/* What a callback returns: a client that is cut off is not read any further. */
static int verdict(const struct connection *connection)
{
    return connection->credit > 0 && !connection->is_lost ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void reward(struct connection *connection)
{
    if (connection->credit > 0) {
        connection->credit = PIN_MIN(connection->credit + CREDIT_RESPONSE, CREDIT_MAX);
    }
}

/* --- responses ---------------------------------------------------------------------------- */

/* Names and values outlive the frame: nothing is copied. */
#define FIELD_FLAGS (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

/* nghttp2 takes pointers to what it does not change as if it did. */
union text {
    const void *ours;
    uint8_t *theirs;
};

static nghttp2_nv field(const char *name, const void *value, size_t value_bytes, uint8_t flags)
{
    return (nghttp2_nv){
        .name = (union text){.ours = name}.theirs,
        .value = (union text){.ours = value}.theirs,
        .namelen = strlen(name),
        .valuelen = value_bytes,
        .flags = (uint8_t)(FIELD_FLAGS | flags),
    };
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 says what it looks like */
static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap_bytes,
    uint32_t *data_flags, nghttp2_data_source *source, void *arg)
{
    (void)session;
    (void)id;
    (void)arg;
    struct stream *stream = source->ptr;
    size_t bytes = PIN_MIN(cap_bytes, (size_t)stream->bytes - stream->at);
    memcpy(out, stream->data + stream->at, bytes);
    stream->at += (uint32_t)bytes;
    if (stream->at == stream->bytes) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)bytes;
}

/* Refuses a request; the body is empty: nobody learns more than the status. */
static void refuse(struct connection *connection, struct stream *stream, unsigned status)
{
    (void)memcpy(stream->status_text, "000", sizeof(stream->status_text));
    (void)pin_https_put_number(stream->status_text, status);
    nghttp2_nv fields[] = {
        field(":status", stream->status_text, sizeof(stream->status_text), 0),
        field("content-length", "0", 1, 0),
        field("allow", PIN_HTTPS_METHODS, sizeof(PIN_HTTPS_METHODS) - 1, 0),
    };
    size_t n_fields = N_ELEMS(fields) - (status == PIN_HTTPS_BAD_METHOD ? 0 : 1);
    pin_https_count_refused(&connection->base);
    stream->is_responded = true;
    drop_data(stream);
    if (nghttp2_submit_response(connection->session, stream->id, fields, n_fields, NULL) != 0) {
        connection->is_lost = true;
    }
}

/* Gives the answer to a request that asked. */
static void respond(
    struct connection *connection, struct stream *stream, const uint8_t *wire, size_t bytes)
{
    drop_data(stream);
    if (!reserve(stream, bytes)) {
        refuse(connection, stream, PIN_HTTPS_BROKEN);
        return;
    }
    memcpy(stream->data, wire, bytes);
    stream->bytes = (uint32_t)bytes;
    static const size_t name_bytes = sizeof(PIN_HTTPS_MAX_AGE) - 1;
    memcpy(stream->max_age, PIN_HTTPS_MAX_AGE, name_bytes);
    size_t age_bytes =
        name_bytes
        + pin_https_put_number(stream->max_age + name_bytes, pin_https_max_age_s(wire, bytes));
    size_t length_bytes = pin_https_put_number(stream->length, (uint32_t)bytes);
    const nghttp2_nv fields[] = {
        field(":status", "200", 3, 0),
        field("content-type", PIN_HTTPS_TYPE, sizeof(PIN_HTTPS_TYPE) - 1, 0),
        field("content-length", stream->length, length_bytes, NGHTTP2_NV_FLAG_NO_INDEX),
        field("cache-control", stream->max_age, age_bytes, 0),
    };
    const nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_answer};
    bool has_body = stream->head.method != PIN_HTTPS_HEAD;
    stream->is_responded = true;
    connection->held_bytes += bytes;
    if (nghttp2_submit_response(
            connection->session, stream->id, fields, N_ELEMS(fields), has_body ? &body : NULL)
        != 0) {
        connection->is_lost = true;
    }
}

/* --- requests ----------------------------------------------------------------------------- */

/* Gives the bytes of a body back to the connection's window. */
static void settle_window(struct connection *connection, struct stream *stream)
{
    if (stream->owed_bytes > 0
        && nghttp2_session_consume_connection(connection->session, stream->owed_bytes) != 0) {
        connection->is_lost = true;
    }
    stream->owed_bytes = 0;
}

/* A whole question: it is asked, and answered if that can be done now. */
static void ask(struct connection *connection, struct stream *stream)
{
    struct pin_https *http = &connection->base;
    struct pin_packet packet = {.wire = http->shared->packet};
    unsigned status = stream->status != 0 ? stream->status
                                          : pin_https_read_question(
                                              &stream->head, stream->data, stream->bytes, &packet);
    settle_window(connection, stream);
    drop_target(stream);
    if (status != PIN_HTTPS_OK) {
        refuse(connection, stream, status);
        return;
    }
    if (connection->held_bytes > HELD_MAX_BYTES) { /* not asked: the client may try again */
        stream->is_responded = true;
        drop_data(stream);
        (void)nghttp2_submit_rst_stream(
            connection->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_REFUSED_STREAM);
        return;
    }
    size_t bytes = http->ask(http->ask_arg, (uint32_t)stream->id, &packet);
    if (bytes == PIN_ANSWER_LATER) {
        drop_data(stream);
        stream->is_pending = true;
        http->n_pending++;
    } else if (bytes == 0 || bytes > PIN_STREAM_MAX_BYTES) {
        refuse(connection, stream, bytes == 0 ? PIN_HTTPS_BAD_REQUEST : PIN_HTTPS_BROKEN);
    } else {
        respond(connection, stream, packet.wire, bytes);
    }
}

/* Refuses a request whose end is not waited for. What still comes of it is let through and thrown
 * away, so that the client sees the refusal and not a reset; its bytes are charged as all are. */
static void refuse_early(struct connection *connection, struct stream *stream, unsigned status)
{
    connection->n_reading--;
    if (nghttp2_session_consume(connection->session, stream->id, stream->owed_bytes) != 0) {
        connection->is_lost = true;
    }
    stream->owed_bytes = 0;
    drop_target(stream);
    refuse(connection, stream, status);
}

static void answer(struct pin_https *http, uint32_t request_id, const uint8_t *wire, size_t bytes)
{
    struct connection *connection = connection_of(http);
    if (verdict(connection) != 0) {
        return;
    }
    struct stream *stream = find_stream(connection, (int32_t)request_id);
    if (stream == NULL || !stream->is_pending) {
        return; /* cancelled */
    }
    stream->is_pending = false;
    http->n_pending--;
    if (bytes == 0) {
        refuse(connection, stream, PIN_HTTPS_BROKEN);
    } else {
        respond(connection, stream, wire, bytes);
    }
}

/* --- what nghttp2 reports ----------------------------------------------------------------- */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    struct connection *connection = arg;
    charge(connection, CREDIT_FRAME);
    /* An id that was left out is closed by the next one (RFC 9113, section 5.1.1). */
    if (hd->type == NGHTTP2_HEADERS && hd->stream_id <= connection->last_id
        && nghttp2_session_find_stream(session, hd->stream_id) == NULL) {
        return nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    }
    return verdict(connection);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct connection *connection = arg;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    struct stream *stream = take_stream(connection, frame->hd.stream_id);
    if (stream == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* this stream is reset */
    }
    connection->last_id = stream->id;
    connection->n_reading++;
    return nghttp2_session_set_stream_user_data(session, stream->id, stream);
}

static bool is_name(nghttp2_vec name, const char *wanted)
{
    return memcmp(name.base, wanted, name.len) == 0;
}

/* A length beyond what a question can have refuses the request; nghttp2 checks the rest of it. */
static void read_length(struct stream *stream, nghttp2_vec value)
{
    uint32_t length = 0;
    for (size_t i = 0; i < value.len && length <= PIN_STREAM_MAX_BYTES; i++) {
        length = length * 10 + (uint32_t)(value.base[i] - '0');
    }
    if (length > PIN_STREAM_MAX_BYTES) {
        stream->status = PIN_HTTPS_BODY_TOO_LONG;
    }
}

static void read_field(
    struct connection *connection, struct stream *stream, nghttp2_vec name, nghttp2_rcbuf *value)
{
    nghttp2_vec text = nghttp2_rcbuf_get_buf(value);
    switch (name.len) {
    case sizeof(":path") - 1:
        if (is_name(name, ":path")) {
            pin_https_read_target(
                &stream->head, connection->base.path, (const char *)text.base, text.len);
        }
        break;
    case sizeof(":method") - 1:
        if (is_name(name, ":method")) {
            stream->head.method = pin_https_method_parse(text.base, text.len);
        }
        break;
    case sizeof("content-type") - 1:
        if (is_name(name, "content-type")) {
            stream->head.is_type_ours = pin_https_type_is_ours(text.base, text.len);
        }
        break;
    case sizeof("content-length") - 1:
        if (is_name(name, "content-length")) {
            read_length(stream, text);
        }
        break;
    default:
        break;
    }
    if (stream->head.dns != NULL && stream->target == NULL) {
        nghttp2_rcbuf_incref(value);
        stream->target = value;
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
    nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    (void)flags;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0; /* trailers say nothing */
    }
    nghttp2_vec name_text = nghttp2_rcbuf_get_buf(name);
    stream->header_bytes +=
        (uint32_t)(name_text.len + nghttp2_rcbuf_get_buf(value).len) + HEADER_OVERHEAD_BYTES;
    if (stream->header_bytes > PIN_HTTPS_HEADERS_MAX_BYTES) {
        charge(arg, CREDIT_FRAME); /* small frames can hold very many */
        stream->status =
            stream->head.is_target_too_long ? PIN_HTTPS_TARGET_TOO_LONG : PIN_HTTPS_HEADER_TOO_LONG;
        return 0;
    }
    read_field(arg, stream, name_text, value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
    size_t bytes, void *arg)
{
    (void)flags;
    struct connection *connection = arg;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL) {
        return nghttp2_session_consume_connection(session, bytes);
    }
    if (stream->is_responded) {
        return nghttp2_session_consume(session, id, bytes);
    }
    stream->owed_bytes += (uint32_t)bytes;
    size_t whole = stream->bytes + bytes;
    if (whole > PIN_STREAM_MAX_BYTES) {
        refuse_early(connection, stream, PIN_HTTPS_BODY_TOO_LONG);
        return 0;
    }
    if (!reserve(stream, PIN_MAX(whole, PIN_MIN(2 * whole, (size_t)PIN_STREAM_MAX_BYTES)))) {
        refuse_early(connection, stream, PIN_HTTPS_BROKEN);
        return 0;
    }
    memcpy(stream->data + stream->bytes, data, bytes);
    stream->bytes = (uint32_t)whole;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct connection *connection = arg;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
        return 0;
    }
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL || stream->is_responded) {
        return 0;
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        connection->n_reading--;
        ask(connection, stream);
    } else if (stream->status != 0) {
        refuse_early(connection, stream, stream->status);
    }
    return verdict(connection);
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream != NULL) {
            stream->is_sent = true;
        }
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
    (void)error;
    struct connection *connection = arg;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL) {
        return 0;
    }
    if (!stream->is_responded && !stream->is_pending) {
        connection->n_reading--;
    }
    if (stream->is_pending && connection->base.n_pending > 0) {
        connection->base.n_pending--;
    }
    if (stream->is_responded) {
        connection->held_bytes -= stream->bytes;
    }
    settle_window(connection, stream);
    if (stream->is_sent) {
        reward(connection);
    } else {
        charge(connection, CREDIT_FAILURE);
    }
    (void)nghttp2_session_set_stream_user_data(session, id, NULL);
    close_stream(connection, stream);
    return 0;
}

/* --- a connection ------------------------------------------------------------------------- */

static size_t feed(struct pin_https *http, const uint8_t *from, size_t bytes)
{
    struct connection *connection = connection_of(http);
    if (verdict(connection) != 0 || nghttp2_session_want_read(connection->session) == 0) {
        return bytes;
    }
    ssize_t n_read = nghttp2_session_mem_recv(connection->session, from, bytes);
    connection->uncharged_bytes += (uint32_t)bytes;
    charge(connection, (int32_t)(connection->uncharged_bytes / CREDIT_BYTES));
    connection->uncharged_bytes %= CREDIT_BYTES;
    if (n_read == NGHTTP2_ERR_FLOODED || n_read == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
        charge(connection, CREDIT_MAX);
    } else if (n_read < 0) {
        connection->is_lost = connection->credit > 0; /* no HTTP/2, or no memory */
        connection->base.n_pending = 0;
    }
    return bytes;
}

/* Makes sure that there are bytes to send, if there is anything to say. */
static bool refill(struct connection *connection)
{
    if (connection->unsent_bytes > 0) {
        return true;
    }
    if (connection->is_lost || nghttp2_session_want_write(connection->session) == 0) {
        return false;
    }
    ssize_t bytes = nghttp2_session_mem_send(connection->session, &connection->unsent);
    connection->is_lost = bytes < 0;
    connection->unsent_bytes = bytes > 0 ? (size_t)bytes : 0;
    return bytes > 0;
}

static size_t take(struct pin_https *http, uint8_t *out, size_t cap_bytes)
{
    struct connection *connection = connection_of(http);
    size_t used = 0;
    while (used < cap_bytes && refill(connection)) {
        size_t bytes = PIN_MIN(cap_bytes - used, connection->unsent_bytes);
        memcpy(out + used, connection->unsent, bytes);
        connection->unsent += bytes;
        connection->unsent_bytes -= bytes;
        used += bytes;
    }
    return used;
}

static bool is_reading(const struct pin_https *http)
{
    return ((const struct connection *)http)->n_reading > 0;
}

static bool is_over(const struct pin_https *http)
{
    const struct connection *connection = (const struct connection *)http;
    return verdict(connection) != 0 || nghttp2_session_want_read(connection->session) == 0;
}

static void end(struct pin_https *http)
{
    struct connection *connection = connection_of(http);
    int32_t last_id = nghttp2_session_get_last_proc_stream_id(connection->session);
    if (nghttp2_submit_goaway(
            connection->session, NGHTTP2_FLAG_NONE, last_id, NGHTTP2_NO_ERROR, NULL, 0)
        != 0) {
        connection->is_lost = true;
    }
}

static void free_connection(struct pin_https *http)
{
    struct connection *connection = connection_of(http);
    nghttp2_session_del(connection->session);
    struct stream *stream = connection->streams;
    while (stream != NULL) {
        struct stream *next = stream->next;
        put_spare(http->shared->doh, stream);
        stream = next;
    }
    free(connection);
}

static const struct pin_https_codec codec = {
    .feed = feed,
    .take = take,
    .answer = answer,
    .is_reading = is_reading,
    .is_over = is_over,
    .end = end,
    .free = free_connection,
};

/* Says what we allow before the client says anything. */
static bool greet(nghttp2_session *session)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, PIN_HTTPS_HEADERS_MAX_BYTES},
    };
    return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, N_ELEMS(settings)) == 0
           && nghttp2_session_set_local_window_size(
                  session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW_BYTES)
                  == 0;
}

struct pin_https *pin_doh_new(struct pin_https_shared *shared)
{
    const struct pin_doh_shared *doh = shared->doh;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return NULL;
    }
    connection->base.codec = &codec;
    connection->base.shared = shared;
    connection->credit = CREDIT_MAX;
    if (nghttp2_session_server_new2(&connection->session, doh->callbacks, connection, doh->option)
            != 0
        || !greet(connection->session)) {
        nghttp2_session_del(connection->session);
        free(connection);
        return NULL;
    }
    return &connection->base;
}

/* --- what connections share --------------------------------------------------------------- */

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

static void set_options(nghttp2_option *option)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, DEFLATE_TABLE_BYTES);
}

struct pin_doh_shared *pin_doh_shared_new(void)
{
    struct pin_doh_shared *doh = calloc(1, sizeof(*doh));
    if (doh == NULL) {
        return NULL;
    }
    if (nghttp2_session_callbacks_new(&doh->callbacks) != 0
        || nghttp2_option_new(&doh->option) != 0) {
        pin_doh_shared_free(doh);
        return NULL;
    }
    set_callbacks(doh->callbacks);
    set_options(doh->option);
    return doh;
}

void pin_doh_shared_free(struct pin_doh_shared *doh)
{
    if (doh == NULL) {
        return;
    }
    while (doh->spare != NULL) {
        struct stream *stream = doh->spare;
        doh->spare = stream->next;
        free(stream);
    }
    nghttp2_session_callbacks_del(doh->callbacks);
    nghttp2_option_del(doh->option);
    free(doh);
}
