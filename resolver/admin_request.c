/* SPDX-License-Identifier: Apache-2.0 */

/* What a request to the admin side says. */

#include "resolver/admin_request.h"

#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

/* Whether a query has a parameter of that name, with or without a value. */
static bool has_parameter(const char *query, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = query; at != NULL; at = strchr(at, '&')) {
        at += *at == '&' ? 1 : 0;
        if (strncmp(at, name, len) == 0 && strchr("=&", at[len]) != NULL) { /* the NUL too */
            return true;
        }
    }
    return false;
}

static void read_args(const struct evhttp_uri *uri, struct evkeyvalq *args, struct pin_page *page)
{
    const char *query = evhttp_uri_get_query(uri);
    if (query == NULL) {
        return;
    }
    page->is_verbose = has_parameter(query, "verbose");
    if (evhttp_parse_query_str(query, args) != 0) {
        return; /* a parameter without a value: no page with arguments has one */
    }
    page->arg_name = evhttp_find_header(args, "name");
    page->arg_type = evhttp_find_header(args, "type");
    page->arg_from = evhttp_find_header(args, "from");
    page->arg_after = evhttp_find_header(args, "after");
    page->arg_namespace = evhttp_find_header(args, "namespace");
    page->arg_what = evhttp_find_header(args, "what");
    page->arg_records = evhttp_find_header(args, "records");
    page->arg_zone = evhttp_find_header(args, "zone");
    page->arg_topics = evhttp_find_header(args, "topics");
    page->arg_filter = evhttp_find_header(args, "filter");
}

/* The body, in one piece; it belongs to the request. */
static void read_input(struct evhttp_request *http, struct pin_page *page)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(http);
    page->input_bytes = evbuffer_get_length(input);
    page->input = page->input_bytes > 0 ? (const char *)evbuffer_pullup(input, -1) : "";
    page->input_bytes = page->input != NULL ? page->input_bytes : 0;
    page->input = page->input != NULL ? page->input : "";
}

/* What of the headers matters to a page; it belongs to the request. */
static void read_headers(struct evhttp_request *http, struct pin_page *page)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(http);
    const char *encodings = evhttp_find_header(headers, "Accept-Encoding");
    page->if_none_match = evhttp_find_header(headers, "If-None-Match");
    page->last_event_id = evhttp_find_header(headers, "Last-Event-ID");
    page->takes_gzip = encodings != NULL && strstr(encodings, "gzip") != NULL
                       && strstr(encodings, "gzip;q=0") == NULL;
}

bool pin_admin_verb(struct evhttp_request *http, enum pin_page_verb *ret_verb)
{
    switch (evhttp_request_get_command(http)) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        *ret_verb = PIN_PAGE_GET;
        return true;
    case EVHTTP_REQ_POST:
        *ret_verb = PIN_PAGE_POST;
        return true;
    case EVHTTP_REQ_DELETE:
        *ret_verb = PIN_PAGE_DELETE;
        return true;
    default:
        *ret_verb = PIN_PAGE_GET;
        return false;
    }
}

void pin_admin_read(struct evhttp_request *http, struct evkeyvalq *args, struct pin_page *page)
{
    read_args(evhttp_request_get_evhttp_uri(http), args, page);
    read_input(http, page);
    read_headers(http, page);
}
