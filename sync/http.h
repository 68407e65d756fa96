/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * HTTP: requests to API servers, and probes, on the event loop; the one door to libcurl.
 *
 * HTTP/1.1, but for probes that ask for HTTP/2: a watch that is paused holds up its own connection
 * and nothing else. Connections are kept alive and used again for the same target, those of probes
 * are not. Nothing here blocks, retries or logs.
 * Threads: the loop's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

#include "target.h"

struct pin_loop;
struct pin_http;
struct pin_http_transfer;
struct pin_sync_outcome;

/** Why no whole answer came. */
enum pin_http_fault {
    PIN_HTTP_NONE,      /**< A whole answer came, whatever its status. */
    PIN_HTTP_RESOLVE,   /**< The host's name has no address. */
    PIN_HTTP_REFUSED,   /**< No connection. */
    PIN_HTTP_CLOSED,    /**< The connection ended in the middle. */
    PIN_HTTP_TIMEOUT,   /**< Nothing for too long. */
    PIN_HTTP_CERT_NAME, /**< The server's certificate is for another name. */
    PIN_HTTP_CERT,      /**< The server's certificate is not to be trusted. */
    PIN_HTTP_CERT_TIME, /**< The server's certificate has expired, or is not valid yet. */
    PIN_HTTP_OWN_CERT,  /**< Our certificate or key cannot be used, or was refused. */
    PIN_HTTP_TLS,       /**< TLS failed in another way. */
    PIN_HTTP_OTHER,
};

/** The other side of a connection that was made for one request. Texts are never NULL. */
struct pin_http_peer {
    const char *address;   /**< "192.0.2.1"; "": there was no connection. */
    uint16_t port;         /**< Host byte order. */
    int64_t connected_us;  /**< From the start until TCP was there; 0: it never was. */
    int64_t secured_us;    /**< Until TLS was; 0: it never was. */
    int64_t answered_us;   /**< Until the first byte of the answer; 0: none came. */
    int64_t date_wall_ms;  /**< The answer's Date; 0: none. */
    const char *subject;   /**< Of its certificate, "CN = kube-apiserver"; "": there is none. */
    const char *issuer;    /**< Who signed that one. */
    const char *names;     /**< Whom it is for, "DNS:a, IP Address:192.0.2.1". */
    int64_t until_wall_ms; /**< How long it is valid; 0: unknown. */
};

/** How a request ended. Texts are valid during the call only. */
struct pin_http_result {
    enum pin_http_fault fault;
    int status;             /**< HTTP status, 0 when none came. */
    int64_t retry_after_ms; /**< Retry-After, -1 when absent. */
    const char *message;    /**< What libcurl or the server's Status object says; never NULL. */
    const char *etag;       /**< NULL when absent. */
    const char *type;       /**< Content-Type, "" when absent. */
    const char *text;       /**< How an answer that is no 2xx begins: some KiB; never NULL. */
    size_t text_bytes;
    const struct pin_http_peer *peer; /**< NULL unless it was asked for. */
};

/** A header beside those that every request has. */
struct pin_http_header {
    const char *name;
    const char *value;
};

/** One request. Texts, body and target need to live during pin_http_start() only. */
struct pin_http_request {
    const struct pin_target *target;
    const char *method; /**< NULL: GET. */
    const char *path;   /**< Begins with '/', escaped. */
    const char *body;   /**< Sent along; NULL: none. */
    size_t body_bytes;
    const char *body_type;     /**< Content-Type of the body; NULL: application/json. */
    const char *accept;        /**< NULL: application/json. */
    const char *etag;          /**< For If-None-Match, or NULL. */
    const char *authorization; /**< The header as it is, in place of the target's; or NULL. */
    int64_t timeout_ms;        /**< For all of it; 0: none. */
    int64_t stall_ms;          /**< Without a byte; 0: none. Pauses do not count. */
    const char *host;          /**< Host header; NULL: what the URL names. */
    const struct pin_http_header *headers;
    size_t n_headers;
    bool is_probe; /**< A connection of its own, no proxy, done when the status is known. */
    bool is_http2; /**< Speaks HTTP/2, also without TLS (prior knowledge). */
    struct pin_sync_outcome *outcomes; /**< PIN_SYNC_OUTCOMES where ends are counted, or NULL. */
    bool is_once; /**< Sent once: not again on a new connection when a kept one turns out dead. */
    bool wants_peer; /**< A new connection, of which result.peer tells. */
    /** Bytes of a 2xx answer. May call pin_http_pause() and pin_http_cancel(), not
     * pin_http_start().
     */
    void (*on_body)(void *arg, const char *data, size_t bytes);
    /** The end, called once unless cancelled; the transfer is gone afterwards. */
    void (*on_done)(void *arg, const struct pin_http_result *result);
    void *arg;
};

/** Makes the engine; one per loop, which must outlive it. NULL when out of memory. */
struct pin_http *pin_http_new(struct pin_loop *loop);

/** Cancels all transfers and frees it. Not from a callback. NULL is fine. */
void pin_http_free(struct pin_http *http);

/**
 * Starts a request. Callbacks come later, never during this call.
 *
 * @param ret_transfer  Valid until on_done or pin_http_cancel().
 * @return PIN_OK, PIN_EINVAL (a URL or token that cannot be used), PIN_ENOMEM.
 */
enum pin_err pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why);

/** A fault in a word, e.g. "refused"; NULL for PIN_HTTP_NONE. Static. */
const char *pin_http_fault_text(enum pin_http_fault fault);

/** Ends a transfer without on_done; fine from callbacks. NULL is fine. */
void pin_http_cancel(struct pin_http_transfer *transfer);

/** Stops reading after the bytes given out; the peer's window fills up. */
void pin_http_pause(struct pin_http_transfer *transfer);

/** Goes on reading. */
void pin_http_resume(struct pin_http_transfer *transfer);
