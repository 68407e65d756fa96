/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * TLS: certificates, tickets and sessions; the one door to OpenSSL's TLS.
 *
 * A session is a filter between bytes: what came from the socket goes in, what the client said
 * comes out, and all that has to be sent is appended to a buffer of the caller's. It never touches
 * a socket, so nothing in it blocks or is half written.
 *
 *     control   pin_tls_new, pin_tls_reload: a new context is built beside the old one, then
 * swapped stream    pin_tls_session_new takes the context of the moment; sessions keep theirs
 *
 * TLS 1.2 and 1.3, forward secret and authenticated ciphers only, no renegotiation, no compression,
 * no early data. Session tickets (RFC 5077, RFC 8446) are sealed with keys that live in memory and
 * rotate; a reload of the certificate keeps them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

struct pin_tls;
struct pin_tls_session;
struct ssl_st;

/** Longest plaintext that may still come out of a session beside that of the bytes fed. */
#define PIN_TLS_RECORD_BYTES ((size_t)16 << 10)
/** What sealing may add to every PIN_TLS_RECORD_BYTES or part of it. */
#define PIN_TLS_OVERHEAD_BYTES 256u
/** What a session may want to send by itself: its side of a handshake, tickets, alerts. */
#define PIN_TLS_HANDSHAKE_BYTES ((size_t)64 << 10)

/** Which protocols a listener offers by ALPN (RFC 7301). */
enum pin_tls_use {
    PIN_TLS_DOT,   /**< "dot" (RFC 7858). */
    PIN_TLS_HTTPS, /**< "h2", then "http/1.1". */
    PIN_TLS_ADMIN, /**< "http/1.1"; no tickets, so each handshake looks at the client. */
};

/** What was agreed on by ALPN. */
enum pin_tls_protocol {
    PIN_TLS_PROTOCOL_NONE, /**< The client did not say. */
    PIN_TLS_PROTOCOL_DOT,
    PIN_TLS_PROTOCOL_H2,
    PIN_TLS_PROTOCOL_HTTP1,
};

/** What a listener serves TLS with. */
struct pin_tls_config {
    const char *certificate; /**< PEM: the server's, then its chain. Borrowed until free. */
    const char *key;         /**< PEM, not encrypted. Borrowed until free. */
    const char *client_ca;   /**< PEM: who vouches for clients; NULL: they are not asked. Borrowed
                                until free. A client may show no certificate; who shows another
                                one's is refused. */
    enum pin_tls_use use;
};

/**
 * Reads certificate and key. PIN_EDENIED: others than its owner and group may read the key, or its
 * owner is neither we nor root. Control.
 */
enum pin_err pin_tls_new(
    const struct pin_tls_config *config, struct pin_tls **ret_tls, struct pin_why *why);

/** Reads them again; after an error all stays as it was. Control, while streams go on. */
enum pin_err pin_tls_reload(struct pin_tls *tls, struct pin_why *why);

/** Frees, after all its sessions. NULL is fine. */
void pin_tls_free(struct pin_tls *tls);

/**
 * An OpenSSL session of a client that has just connected, for libevent's HTTP, which feeds it from
 * a socket. The caller's, with SSL_free(); NULL: memory is out. Control.
 */
struct ssl_st *pin_tls_raw(struct pin_tls *tls);

/** Whether the client of such a session has shown a certificate that `client_ca` vouches for. */
bool pin_tls_raw_is_known(const struct ssl_st *ssl);

/** When the certificate in use expires, in seconds since 1970 UTC. Control. */
int64_t pin_tls_expires_s(const struct pin_tls *tls);

/** How far a session is. */
enum pin_tls_state {
    PIN_TLS_SHAKING, /**< The handshake is not over. */
    PIN_TLS_OPEN,
    PIN_TLS_ENDED,  /**< The client has said that nothing more comes. */
    PIN_TLS_FAILED, /**< To be closed once what it left to send (an alert) is sent. */
};

/** Bytes to be sent. */
struct pin_tls_out {
    uint8_t *ptr;
    size_t bytes;
    size_t cap_bytes;
};

/** One call's worth of bytes. */
struct pin_tls_feed {
    const uint8_t *in; /**< From the socket. All of it is taken. */
    size_t in_bytes;
    uint8_t *plain; /**< What the client said; room for in_bytes + PIN_TLS_RECORD_BYTES. */
    size_t plain_cap_bytes;
    size_t plain_bytes; /**< Out. */
};

/**
 * A session of a client that has just connected. NULL: memory is out. Any stream thread.
 *
 * @param may_full    Whether a full handshake may be had.
 * @param may_resume  Whether a handshake that a ticket makes short may be had. What may not be had
 *                    is refused before it costs anything.
 */
struct pin_tls_session *pin_tls_session_new(struct pin_tls *tls, bool may_full, bool may_resume);

/** Frees it; says nothing to the client. NULL is fine. */
void pin_tls_session_free(struct pin_tls_session *session);

/** Takes what came. Appends to `out`, which has PIN_TLS_HANDSHAKE_BYTES left. */
enum pin_tls_state pin_tls_session_feed(
    struct pin_tls_session *session, struct pin_tls_feed *feed, struct pin_tls_out *out);

/** Seals `bytes` for the client; `out` has room for them and the overhead. False: it FAILED. */
bool pin_tls_session_seal(
    struct pin_tls_session *session, const uint8_t *from, size_t bytes, struct pin_tls_out *out);

/** Appends the alert that says that nothing more comes from us. */
void pin_tls_session_end(struct pin_tls_session *session, struct pin_tls_out *out);

/** Gives back buffers that an open session does not need while it is idle. */
void pin_tls_session_rest(struct pin_tls_session *session);

/** What was agreed on; once the session is OPEN. */
enum pin_tls_protocol pin_tls_session_protocol(const struct pin_tls_session *session);

/** Whether it FAILED because the client asked for a handshake that it may not have. */
bool pin_tls_session_is_refused(const struct pin_tls_session *session);

/** Whether a ticket spared the client the full handshake; once the session is OPEN. */
bool pin_tls_session_is_resumed(const struct pin_tls_session *session);
