/* SPDX-License-Identifier: Apache-2.0 */

/* What the admin side sends: status, headers and bytes of a page. */

#include "resolver/admin_reply.h"

#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "pintle/base/macros.h"

#include "resolver/admin_pages.h"

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"},
        {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {409, "Conflict"},
        {503, "Service Unavailable"}};
    for (size_t i = 0; i < N_ELEMS(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Error";
}

void pin_admin_put_headers(struct evkeyvalq *out, const struct pin_page *page)
{
    static const char *const headers[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    for (size_t i = 0; i < N_ELEMS(headers); i++) {
        (void)evhttp_add_header(out, headers[i][0], headers[i][1]);
    }
    (void)evhttp_add_header(out, "Content-Security-Policy", PIN_WEB_POLICY);
    if (page->asset == NULL) {
        (void)evhttp_add_header(out, "Cache-Control", "no-store");
    } else {
        (void)evhttp_add_header(out, "Cache-Control", "no-cache"); /* asked again, by its ETag */
        (void)evhttp_add_header(out, "ETag", page->asset->etag);
        (void)evhttp_add_header(out, "Vary", "Accept-Encoding");
    }
    if (page->status == 401) {
        /* only there: a browser would ask on its own before the dashboard can */
        bool is_plain = page->path != NULL && strcmp(page->path, PIN_PLAIN_PATH) == 0;
        (void)evhttp_add_header(out, "WWW-Authenticate",
            is_plain ? "Basic realm=\"pintled\"" : "Bearer realm=\"pintled\"");
    }
    if (page->status == 405) {
        (void)evhttp_add_header(out, "Allow", "GET, HEAD");
    }
}

/* The bytes to send; `*ret_is_packed` when they are gzip. */
static const void *content_of(const struct pin_page *page, size_t *ret_bytes, bool *ret_is_packed)
{
    const struct pin_web_asset *asset = page->asset;
    *ret_is_packed = asset != NULL && asset->gzip != NULL && page->takes_gzip;
    if (asset == NULL) {
        *ret_bytes = page->body.len;
        return pin_text_get(&page->body);
    }
    *ret_bytes = page->status == 304 ? 0
                 : *ret_is_packed    ? asset->gzip_bytes
                                     : asset->file->text_bytes;
    return *ret_is_packed ? (const void *)asset->gzip : asset->file->text;
}

void pin_admin_reply(struct evhttp_request *http, struct pin_page *page)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(http);
    struct evbuffer *body = evhttp_request_get_output_buffer(http);
    char length[24];
    size_t bytes = 0;
    bool is_packed = false;

    if (page->body.failed) {
        page->body.failed = false;
        pin_page_error(page, 503, "out of memory");
    }
    const void *content = content_of(page, &bytes, &is_packed);
    (void)evhttp_add_header(out, "Content-Type", page->content_type);
    pin_admin_put_headers(out, page);
    if (is_packed) {
        (void)evhttp_add_header(out, "Content-Encoding", "gzip");
    }
    if (evhttp_request_get_command(http) == EVHTTP_REQ_HEAD) {
        (void)evutil_snprintf(length, sizeof(length), "%zu", bytes);
        (void)evhttp_add_header(out, "Content-Length", length);
    } else {
        (void)evbuffer_add(body, content, bytes);
    }
    evhttp_send_reply(http, page->status, reason_of(page->status), NULL);
}
