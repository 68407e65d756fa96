/* SPDX-License-Identifier: Apache-2.0 */

/* Paths of lists and watches, after the Kubernetes API concepts. */

#include "watch_path.h"

#include <string.h>

#define PAGE_LIMIT 500

/* Percent-encodes all but unreserved characters (RFC 3986, section 2.3). */
static void put_escaped(struct pin_text *text, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *value != '\0'; value++) {
        if (strchr(plain, *value) != NULL) {
            pin_text_putc(text, *value);
        } else {
            pin_text_putf(text, "%%%02X", (unsigned char)*value);
        }
    }
}

/* Pods that have ended are many and tell nothing. */
static const char *field_selector(const struct pin_kind_row *row)
{
    return row->kind == PIN_KIND_POD
               ? "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&"
               : "";
}

static void put_watch(struct pin_text *path, const struct pin_watch_query *query)
{
    pin_text_putf(path, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%lld&resourceVersion=",
        (long long)query->timeout_s);
    put_escaped(path, query->resource_version == NULL ? "" : query->resource_version);
}

void pin_watch_put_path(struct pin_text *path, const struct pin_watch_query *query)
{
    const char *group = query->row->group;
    pin_text_putf(path, "%s%s/%s/%s?%s", group[0] == '\0' ? "/api" : "/apis/", group,
        query->version, query->row->plural, field_selector(query->row));
    switch (query->form) {
    case PIN_WATCH_PAGE:
        pin_text_putf(path, "limit=%d", PAGE_LIMIT);
        if (query->continue_token != NULL) {
            pin_text_puts(path, "&continue=");
            put_escaped(path, query->continue_token);
        }
        break;
    case PIN_WATCH_WHOLE:
        break;
    case PIN_WATCH_STREAM:
        pin_text_puts(path, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&");
        put_watch(path, query);
        break;
    case PIN_WATCH_EVENTS:
        put_watch(path, query);
        break;
    }
}

bool pin_watch_is_version(const char *text)
{
    return text != NULL
           && strnlen(text, PIN_WATCH_VERSION_BYTES_MAX + 1) <= PIN_WATCH_VERSION_BYTES_MAX;
}

bool pin_watch_is_older(const char *a, const char *b)
{
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);
    if (strspn(a, "0123456789") != a_bytes || strspn(b, "0123456789") != b_bytes) {
        return false;
    }
    return a_bytes != b_bytes ? a_bytes < b_bytes : strcmp(a, b) < 0;
}
