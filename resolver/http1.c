/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP/1.1 (RFC 9112), as much of it as questions need: requests one behind the other, answered in
 * the order they came.
 *
 * What could be read in two ways is refused and ends the connection: bare line feeds, folded lines,
 * space before a colon, lengths told twice, chunks. So nobody in front of us can be made to see
 * other requests than we do. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "https_codec.h"

/* Head of a request: its line and its fields. */
#define HEAD_MAX_BYTES (PIN_HTTPS_TARGET_MAX_BYTES + PIN_HTTPS_HEADERS_MAX_BYTES)
#define FIELDS_MAX     64u
/* Requests whose responses are to come, and answers that the client does not take: no more is read
 * then. */
#define SLOTS_MAX      32u
#define HELD_MAX_BYTES ((size_t)64 << 10)
/* First allocation for half a request. */
#define KEPT_MIN_BYTES 512u
/* A response without its body. */
#define HEAD_OUT_BYTES 256u

/* --- what there is ------------------------------------------------------------------------ */

/* How far a request has come. */
enum progress {
    PIN_HTTP1_READING, /* its body is not whole */
    PIN_HTTP1_ASKED,
    PIN_HTTP1_DONE, /* to be sent */
};

/* One request and its response. */
struct slot {
    uint8_t *out; /* the response; owned */
    uint32_t bytes;
    uint32_t at;         /* sent of it */
    uint32_t invited_at; /* sent of the invitation */
    enum progress progress;
    bool is_head;    /* without a body */
    bool is_last;    /* the connection ends behind it */
    bool is_invited; /* "100 Continue" is to be sent first */
};

/* A head that has been read. */
struct request {
    size_t head_bytes; /* 0: none yet */
    uint32_t body_bytes;
    uint16_t status; /* to refuse with; 0: none so far */
    bool is_last;
    struct pin_https_head head; /* dns: of a GET only, which has no body */
};

/* One connection. */
struct connection {
    struct pin_https base;
    uint8_t *kept; /* half a request */
    size_t kept_bytes;
    size_t kept_cap_bytes;
    size_t searched_bytes; /* of what is kept: no end of a head in there */
    size_t held_bytes;     /* responses that are not sent */
    uint32_t first_id;     /* of the oldest request */
    uint32_t next_id;
    bool is_ending; /* no further request is read */
    bool is_lost;   /* nothing goes in or out any more */
    struct request request;
    struct slot slots[SLOTS_MAX]; /* by id modulo SLOTS_MAX */
};

static struct connection *connection_of(struct pin_https *http)
{
    return container_of(http, struct connection, base);
}

static struct slot *slot_of(struct connection *connection, uint32_t id)
{
    return &connection->slots[id % SLOTS_MAX];
}

/* --- reading a head ----------------------------------------------------------------------- */

/* Part of a head. */
struct text {
    const char *at;
    size_t bytes;
};

static bool text_is(struct text text, const char *lower)
{
    return pin_https_text_is(text.at, text.bytes, lower);
}

static struct text trim(struct text text)
{
    while (text.bytes > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.bytes--;
    }
    while (text.bytes > 0 && (text.at[text.bytes - 1] == ' ' || text.at[text.bytes - 1] == '\t')) {
        text.bytes--;
    }
    return text;
}

/* Takes what comes before `separator`; all of it where there is none. */
static struct text take_before(struct text *rest, char separator)
{
    const char *end = rest->bytes > 0 ? memchr(rest->at, separator, rest->bytes) : NULL;
    size_t bytes = end == NULL ? rest->bytes : (size_t)(end - rest->at);
    struct text taken = {rest->at, bytes};
    size_t gone = end == NULL ? bytes : bytes + 1;
    rest->at += gone;
    rest->bytes -= gone;
    return taken;
}

/* Letters of a token (RFC 9110, section 5.6.2). */
static bool is_token(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.at[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return text.bytes > 0;
}

/* No control characters but tabs. */
static bool is_field_text(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        uint8_t c = (uint8_t)text.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_visible(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.at[i] <= ' ' || text.at[i] == 0x7f) {
            return false; /* beyond ASCII is negative */
        }
    }
    return text.bytes > 0;
}

/* The target as one from an origin form: a proxy may send "https://host/path" (RFC 9112, 3.2.2). */
static struct text origin_form(struct text target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < N_ELEMS(schemes); i++) {
        size_t bytes = strlen(schemes[i]);
        if (target.bytes > bytes && memcmp(target.at, schemes[i], bytes) == 0) {
            const char *path = memchr(target.at + bytes, '/', target.bytes - bytes);
            size_t gone = path == NULL ? target.bytes : (size_t)(path - target.at);
            return (struct text){target.at + gone, target.bytes - gone};
        }
    }
    return target;
}

/* What the fields of one head have said. */
struct fields {
    size_t n_host;
    size_t n_length;
    bool has_coding;
    bool is_waiting; /* for "100 Continue" */
};

/* Refuses for the first of several reasons. */
static void fault(struct request *request, unsigned status)
{
    if (request->status == 0) {
        request->status = (uint16_t)status;
    }
    request->is_last = true;
}

/* "GET /dns-query?dns=... HTTP/1.1" */
static bool read_line(struct request *request, const char *path, struct text line, bool *ret_is_1_0)
{
    struct text method = take_before(&line, ' ');
    struct text target = take_before(&line, ' ');
    if (!is_token(method) || !is_visible(target)) {
        fault(request, PIN_HTTPS_BAD_REQUEST);
        return false;
    }
    if (line.bytes != 8 || memcmp(line.at, "HTTP/1.", 7) != 0 || line.at[7] < '0'
        || line.at[7] > '9') {
        bool is_http = line.bytes > 5 && memcmp(line.at, "HTTP/", 5) == 0;
        fault(request, is_http ? PIN_HTTPS_BAD_VERSION : PIN_HTTPS_BAD_REQUEST);
        return false;
    }
    *ret_is_1_0 = line.at[7] == '0';
    target = origin_form(target);
    request->head.method = pin_https_method_parse(method.at, method.bytes);
    pin_https_read_target(&request->head, path, target.at, target.bytes);
    return true;
}

static void read_length(struct request *request, struct text value)
{
    uint32_t length = 0;
    for (size_t i = 0; i < value.bytes; i++) {
        if (value.at[i] < '0' || value.at[i] > '9') {
            fault(request, PIN_HTTPS_BAD_REQUEST);
            return;
        }
        length = PIN_MIN(length * 10 + (uint32_t)(value.at[i] - '0'), PIN_STREAM_MAX_BYTES + 1);
    }
    request->body_bytes = length;
    if (value.bytes == 0) {
        fault(request, PIN_HTTPS_BAD_REQUEST);
    } else if (length > PIN_STREAM_MAX_BYTES) {
        fault(request, PIN_HTTPS_BODY_TOO_LONG);
    }
}

static void read_connection(struct request *request, struct text value)
{
    while (value.bytes > 0) {
        if (text_is(trim(take_before(&value, ',')), "close")) {
            request->is_last = true;
        }
    }
}

/* "name: value" */
static void read_field(struct request *request, struct fields *fields, struct text line)
{
    const char *colon = memchr(line.at, ':', line.bytes);
    struct text name = take_before(&line, ':');
    struct text value = trim(line);
    if (colon == NULL || !is_token(name) || !is_field_text(value)) {
        fault(request, PIN_HTTPS_BAD_REQUEST);
    } else if (text_is(name, "host")) {
        fields->n_host++;
    } else if (text_is(name, "content-length")) {
        fields->n_length++;
        read_length(request, value);
    } else if (text_is(name, "transfer-encoding")) {
        fields->has_coding = true;
    } else if (text_is(name, "connection")) {
        read_connection(request, value);
    } else if (text_is(name, "content-type")) {
        request->head.is_type_ours = pin_https_type_is_ours(value.at, value.bytes);
    } else if (text_is(name, "expect")) {
        fields->is_waiting = text_is(value, "100-continue");
    }
}

/* What the fields mean together. */
static void judge_fields(struct request *request, const struct fields *fields, bool is_1_0)
{
    enum pin_https_method method = request->head.method;
    bool has_host = fields->n_host == 1 || (fields->n_host == 0 && is_1_0);
    bool is_get = method == PIN_HTTPS_GET || method == PIN_HTTPS_HEAD;
    bool is_ambiguous = fields->n_length > (fields->has_coding ? 0 : 1);
    if (!has_host || is_ambiguous || (is_get && request->body_bytes > 0)) {
        fault(request, PIN_HTTPS_BAD_REQUEST);
    } else if (fields->has_coding || (method == PIN_HTTPS_POST && fields->n_length == 0)) {
        fault(request, PIN_HTTPS_NO_LENGTH);
    }
    request->is_last = request->is_last || is_1_0;
}

/* Reads a whole head, its empty line included. Returns whether the client waits to be invited. */
static bool read_head(struct request *request, const char *path, const char *from)
{
    struct text rest = {from, request->head_bytes - 2};
    struct fields fields = {0};
    bool is_1_0 = false;
    for (size_t i = 0; rest.bytes > 0 && request->status == 0; i++) {
        struct text line = take_before(&rest, '\n');
        if (line.bytes == 0 || line.at[line.bytes - 1] != '\r') {
            fault(request, PIN_HTTPS_BAD_REQUEST);
            return false;
        }
        line.bytes--;
        if (i == 0) {
            (void)read_line(request, path, line, &is_1_0);
        } else if (i > FIELDS_MAX) {
            fault(request, PIN_HTTPS_HEADER_TOO_LONG);
        } else {
            read_field(request, &fields, line);
        }
    }
    if (request->status == 0) {
        judge_fields(request, &fields, is_1_0);
    }
    return request->status == 0 && fields.is_waiting && !is_1_0 && request->body_bytes > 0;
}

/* --- responses ---------------------------------------------------------------------------- */

static const char *reason(unsigned status)
{
    switch (status) {
    case PIN_HTTPS_BAD_REQUEST:
        return "Bad Request";
    case PIN_HTTPS_NOT_FOUND:
        return "Not Found";
    case PIN_HTTPS_BAD_METHOD:
        return "Method Not Allowed";
    case PIN_HTTPS_NO_LENGTH:
        return "Length Required";
    case PIN_HTTPS_BODY_TOO_LONG:
        return "Content Too Large";
    case PIN_HTTPS_TARGET_TOO_LONG:
        return "URI Too Long";
    case PIN_HTTPS_BAD_TYPE:
        return "Unsupported Media Type";
    case PIN_HTTPS_HEADER_TOO_LONG:
        return "Request Header Fields Too Large";
    case PIN_HTTPS_BAD_VERSION:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

/* Gives up a connection; nothing is left of it but its memory. */
static void lose(struct connection *connection)
{
    connection->is_lost = true;
    connection->base.n_pending = 0;
}

/* Makes a response out of `head` and a body. */
static void finish(struct connection *connection, struct slot *slot, const char *head,
    const uint8_t *body, size_t body_bytes)
{
    size_t head_bytes = strlen(head);
    slot->out = malloc(head_bytes + body_bytes);
    if (slot->out == NULL) {
        lose(connection);
        return;
    }
    memcpy(slot->out, head, head_bytes);
    if (body_bytes > 0) {
        memcpy(slot->out + head_bytes, body, body_bytes);
    }
    slot->bytes = (uint32_t)(head_bytes + body_bytes);
    slot->progress = PIN_HTTP1_DONE;
    connection->held_bytes += slot->bytes;
}

static const char *ending(const struct slot *slot)
{
    return slot->is_last ? "Connection: close\r\n\r\n" : "\r\n";
}

/* Refuses a request; the body is empty: nobody learns more than the status. */
static void refuse(struct connection *connection, struct slot *slot, unsigned status)
{
    char head[HEAD_OUT_BYTES]; /* every part of it has its bound */
    pin_https_count_refused(&connection->base);
    (void)snprintf(head, sizeof(head), "HTTP/1.1 %u %s\r\nContent-Length: 0\r\n%s%s", status,
        reason(status), status == PIN_HTTPS_BAD_METHOD ? "Allow: " PIN_HTTPS_METHODS "\r\n" : "",
        ending(slot));
    finish(connection, slot, head, NULL, 0);
}

static void respond(
    struct connection *connection, struct slot *slot, const uint8_t *wire, size_t bytes)
{
    char head[HEAD_OUT_BYTES];
    (void)snprintf(head, sizeof(head),
        "HTTP/1.1 200 OK\r\nContent-Type: " PIN_HTTPS_TYPE "\r\nContent-Length: %zu\r\n"
        "Cache-Control: " PIN_HTTPS_MAX_AGE "%u\r\n%s",
        bytes, pin_https_max_age_s(wire, bytes), ending(slot));
    finish(connection, slot, head, wire, slot->is_head ? 0 : bytes);
}

/* --- requests ----------------------------------------------------------------------------- */

/* Opens the slot of the request that is being read. */
static struct slot *open_slot(struct connection *connection)
{
    struct slot *slot = slot_of(connection, connection->next_id++);
    *slot = (struct slot){.progress = PIN_HTTP1_READING,
        .is_head = connection->request.head.method == PIN_HTTPS_HEAD,
        .is_last = connection->request.is_last};
    return slot;
}

/* Asks the question of a whole request, whose slot is the newest. */
static void ask(struct connection *connection, const uint8_t *body)
{
    struct pin_https *http = &connection->base;
    const struct request *request = &connection->request;
    uint32_t id = connection->next_id - 1;
    struct slot *slot = slot_of(connection, id);
    struct pin_packet packet = {.wire = http->shared->packet};
    connection->is_ending = connection->is_ending || slot->is_last;
    unsigned status = request->status != 0 ? request->status
                                           : pin_https_read_question(
                                               &request->head, body, request->body_bytes, &packet);
    if (slot->invited_at == 0) {
        slot->is_invited = false; /* it did not wait */
    }
    if (status != PIN_HTTPS_OK) {
        refuse(connection, slot, status);
        return;
    }
    size_t bytes = http->ask(http->ask_arg, id, &packet);
    if (bytes == PIN_ANSWER_LATER) {
        slot->progress = PIN_HTTP1_ASKED;
        http->n_pending++;
    } else if (bytes == 0 || bytes > PIN_STREAM_MAX_BYTES) {
        refuse(connection, slot, bytes == 0 ? PIN_HTTPS_BAD_REQUEST : PIN_HTTPS_BROKEN);
    } else {
        respond(connection, slot, packet.wire, bytes);
    }
}

static void answer(struct pin_https *http, uint32_t request_id, const uint8_t *wire, size_t bytes)
{
    struct connection *connection = connection_of(http);
    uint32_t n_open = connection->next_id - connection->first_id;
    struct slot *slot = slot_of(connection, request_id);
    if (connection->is_lost || request_id - connection->first_id >= n_open
        || slot->progress != PIN_HTTP1_ASKED) {
        return;
    }
    http->n_pending--;
    if (bytes == 0) {
        refuse(connection, slot, PIN_HTTPS_BROKEN);
    } else {
        respond(connection, slot, wire, bytes);
    }
}

/* Looks for the end of a head from where the last search stopped. 0: it is not there. */
static size_t find_head_end(const uint8_t *from, size_t bytes, size_t *searched_bytes)
{
    static const char end[] = "\r\n\r\n";
    size_t start = *searched_bytes > sizeof(end) - 2 ? *searched_bytes - (sizeof(end) - 2) : 0;
    const uint8_t *at = memmem(from + start, bytes - start, end, sizeof(end) - 1);
    *searched_bytes = bytes;
    return at == NULL ? 0 : (size_t)(at - from) + sizeof(end) - 1;
}

/* A head that does not end. */
static void refuse_long_head(struct connection *connection, const uint8_t *from)
{
    struct request *request = &connection->request;
    bool is_line_long = memchr(from, '\n', HEAD_MAX_BYTES) == NULL;
    fault(request, is_line_long ? PIN_HTTPS_TARGET_TOO_LONG : PIN_HTTPS_HEADER_TOO_LONG);
    (void)open_slot(connection);
    ask(connection, NULL);
}

/* Reads the head when it is whole. False: there is none, nor a fault. */
static bool see_head(struct connection *connection, const uint8_t *from, size_t bytes)
{
    struct request *request = &connection->request;
    if (request->head_bytes > 0) {
        return true;
    }
    request->head_bytes =
        find_head_end(from, PIN_MIN(bytes, (size_t)HEAD_MAX_BYTES), &connection->searched_bytes);
    if (request->head_bytes > 0) {
        bool is_waiting = read_head(request, connection->base.path, (const char *)from);
        struct slot *slot = open_slot(connection);
        slot->is_invited = is_waiting && bytes == request->head_bytes;
        return true;
    }
    if (bytes >= HEAD_MAX_BYTES) {
        refuse_long_head(connection, from);
    }
    return false;
}

/* Serves the request that `from` starts with. Returns its length, 0 when it is not whole. */
static size_t serve(struct connection *connection, const uint8_t *from, size_t bytes)
{
    struct request *request = &connection->request;
    if (!see_head(connection, from, bytes)) {
        return 0;
    }
    size_t whole = request->head_bytes + (request->status == 0 ? request->body_bytes : 0);
    if (bytes < whole) {
        return 0;
    }
    ask(connection, from + request->head_bytes);
    *request = (struct request){0};
    connection->searched_bytes = 0;
    return whole;
}

/* --- bytes in ----------------------------------------------------------------------------- */

/* Keeps bytes of half a request. */
static bool keep(struct connection *connection, const uint8_t *from, size_t bytes)
{
    size_t whole = connection->kept_bytes + bytes;
    if (whole > connection->kept_cap_bytes) {
        size_t cap = PIN_MAX(PIN_MAX(whole, 2 * connection->kept_cap_bytes), KEPT_MIN_BYTES);
        uint8_t *grown = realloc(connection->kept, cap);
        if (grown == NULL) {
            return false;
        }
        connection->kept = grown;
        connection->kept_cap_bytes = cap;
    }
    memcpy(connection->kept + connection->kept_bytes, from, bytes);
    connection->kept_bytes = whole;
    return true;
}

static void forget(struct connection *connection)
{
    free(connection->kept);
    connection->kept = NULL;
    connection->kept_bytes = 0;
    connection->kept_cap_bytes = 0;
}

/* Most bytes that the request in the middle of which we are can still have. */
static size_t lacking(const struct connection *connection)
{
    const struct request *request = &connection->request;
    size_t whole = request->head_bytes > 0 ? request->head_bytes + request->body_bytes
                                           : (size_t)HEAD_MAX_BYTES;
    return whole - connection->kept_bytes;
}

/* Goes on with what is kept. Returns the bytes done with. */
static size_t go_on(struct connection *connection, const uint8_t *from, size_t bytes)
{
    size_t before = connection->kept_bytes;
    size_t taken = PIN_MIN(bytes, lacking(connection));
    if (!keep(connection, from, taken)) {
        lose(connection);
        return bytes;
    }
    size_t served = serve(connection, connection->kept, connection->kept_bytes);
    if (served == 0) {
        return taken;
    }
    forget(connection);
    return served - before;
}

/* A request in the middle of which we are has its slot already. */
static bool may_read(const struct connection *connection)
{
    bool has_slot = connection->request.head_bytes > 0
                    || connection->next_id - connection->first_id < SLOTS_MAX;
    return !connection->is_ending && !connection->is_lost && has_slot
           && connection->held_bytes <= HELD_MAX_BYTES;
}

static size_t feed(struct pin_https *http, const uint8_t *from, size_t bytes)
{
    struct connection *connection = connection_of(http);
    size_t at = 0;
    while (at < bytes && may_read(connection)) {
        if (connection->kept_bytes > 0) {
            at += go_on(connection, from + at, bytes - at);
            continue;
        }
        size_t served = serve(connection, from + at, bytes - at);
        if (served == 0 && !connection->is_ending) {
            served = PIN_MIN(bytes - at, lacking(connection));
            if (!keep(connection, from + at, served)) {
                lose(connection);
            }
        }
        at += served;
    }
    return connection->is_ending || connection->is_lost ? bytes : at;
}

/* --- bytes out ---------------------------------------------------------------------------- */

static const char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* The oldest request is over. */
static void close_slot(struct connection *connection, struct slot *slot)
{
    connection->held_bytes -= slot->bytes;
    free(slot->out);
    *slot = (struct slot){0};
    connection->first_id++;
}

/* What is to be sent next: of the oldest request, its invitation before its response. */
static size_t next_out(struct slot *slot, const void **ret_from, uint32_t **ret_at)
{
    if (slot->is_invited) {
        *ret_from = invitation + slot->invited_at;
        *ret_at = &slot->invited_at;
        return sizeof(invitation) - 1 - slot->invited_at;
    }
    if (slot->progress != PIN_HTTP1_DONE) {
        return 0;
    }
    *ret_from = slot->out + slot->at;
    *ret_at = &slot->at;
    return slot->bytes - slot->at;
}

static size_t take(struct pin_https *http, uint8_t *out, size_t cap_bytes)
{
    struct connection *connection = connection_of(http);
    size_t used = 0;
    while (
        used < cap_bytes && connection->first_id != connection->next_id && !connection->is_lost) {
        struct slot *slot = slot_of(connection, connection->first_id);
        const void *from = NULL;
        uint32_t *at = NULL;
        size_t left = next_out(slot, &from, &at);
        size_t bytes = PIN_MIN(left, cap_bytes - used);
        if (bytes == 0) {
            break;
        }
        memcpy(out + used, from, bytes);
        *at += (uint32_t)bytes;
        used += bytes;
        if (slot->is_invited) {
            slot->is_invited = slot->invited_at < sizeof(invitation) - 1;
        } else if (slot->at == slot->bytes) {
            close_slot(connection, slot);
        }
    }
    return used;
}

/* --- a connection ------------------------------------------------------------------------- */

static bool is_reading(const struct pin_https *http)
{
    return ((const struct connection *)http)->kept_bytes > 0;
}

static bool is_over(const struct pin_https *http)
{
    const struct connection *connection = (const struct connection *)http;
    return connection->is_ending || connection->is_lost;
}

static void end(struct pin_https *http)
{
    connection_of(http)->is_ending = true;
}

static void free_connection(struct pin_https *http)
{
    struct connection *connection = connection_of(http);
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        free(connection->slots[i].out);
    }
    forget(connection);
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

struct pin_https *pin_http1_new(void)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return NULL;
    }
    connection->base.codec = &codec;
    return &connection->base;
}
