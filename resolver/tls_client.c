/* SPDX-License-Identifier: Apache-2.0 */

/* TLS to resolvers: an own OpenSSL context for each, the certificate checked against its name. */

#include "tls_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "forward.h"

#define ERROR_TEXT_BYTES 160

struct pin_tls_client {
    SSL_CTX *ctx;
    SSL_SESSION *ticket; /* of the last connection, to resume; or NULL */
    const struct pin_upstream_spec *spec;
};

struct pin_tls_line {
    SSL *ssl;
    struct pin_tls_client *client;
    char error[ERROR_TEXT_BYTES];
};

/* --- what sessions share ---------------------------------------------------------------------- */

/* OpenSSL has a ticket for us: the newest one counts. We own it then. */
static int on_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct pin_tls_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(client->ticket);
    client->ticket = ticket;
    return 1;
}

static void set_up(SSL_CTX *ctx, struct pin_tls_client *client)
{
    SSL_CTX_set_app_data(ctx, client);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                              | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_ticket);
}

enum pin_err pin_tls_client_new(
    const struct pin_upstream_spec *spec, struct pin_tls_client **ret_client, struct pin_why *why)
{
    struct pin_tls_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "TLS to a resolver");
    }
    client->spec = spec;
    client->ctx = SSL_CTX_new(TLS_client_method());
    *ret_client = client; /* freed with the upstream, whatever happens here */
    if (client->ctx == NULL || SSL_CTX_set_min_proto_version(client->ctx, TLS1_2_VERSION) != 1) {
        return pin_why_set(why, PIN_ENOMEM, "TLS to a resolver");
    }
    set_up(client->ctx, client);
    ERR_clear_error();
    int is_loaded = spec->ca != NULL ? SSL_CTX_load_verify_file(client->ctx, spec->ca)
                                     : SSL_CTX_set_default_verify_paths(client->ctx);
    if (is_loaded != 1) {
        return pin_why_set(why, PIN_EINVAL, "forward: cannot read the certificates in \"%s\"",
            spec->ca != NULL ? spec->ca : "the system's store");
    }
    return PIN_OK;
}

void pin_tls_client_free(struct pin_tls_client *client)
{
    if (client == NULL) {
        return;
    }
    SSL_SESSION_free(client->ticket);
    SSL_CTX_free(client->ctx);
    free(client);
}

/* --- one session ------------------------------------------------------------------------------ */

/* The certificate must be for the name, or for the very address. */
static bool expect(SSL *ssl, const struct pin_upstream_spec *spec)
{
    if (spec->tls_name != NULL) {
        char name[PIN_NAME_TEXT_MAX]; /* OpenSSL's macro wants one that could be written to */
        (void)snprintf(name, sizeof(name), "%s", spec->tls_name);
        return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
    }
    const struct pin_ip *ip = &spec->address.ip;
    return X509_VERIFY_PARAM_set1_ip(
               SSL_get0_param(ssl), ip->bytes, ip->family == 4 ? 4 : sizeof(ip->bytes))
           == 1;
}

struct pin_tls_line *pin_tls_line_new(struct pin_tls_client *client, int fd)
{
    struct pin_tls_line *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    session->client = client;
    session->ssl = SSL_new(client->ctx);
    if (session->ssl == NULL || SSL_set_fd(session->ssl, fd) != 1
        || !expect(session->ssl, client->spec)) {
        pin_tls_line_free(session);
        return NULL;
    }
    SSL_set_connect_state(session->ssl);
    if (client->ticket != NULL) {
        (void)SSL_set_session(session->ssl, client->ticket);
    }
    return session;
}

void pin_tls_line_free(struct pin_tls_line *session)
{
    if (session == NULL) {
        return;
    }
    if (session->ssl != NULL && SSL_is_init_finished(session->ssl) != 0) {
        ERR_clear_error();
        (void)SSL_shutdown(session->ssl); /* says goodbye, waits for no answer */
    }
    SSL_free(session->ssl);
    free(session);
}

/* What a call's result means. */
static enum pin_tls_line_io verdict(struct pin_tls_line *session, int result)
{
    if (result > 0) {
        return PIN_TLS_LINE_DONE;
    }
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return PIN_TLS_LINE_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return PIN_TLS_LINE_WANT_WRITE;
    default:
        break;
    }
    long trust = SSL_get_verify_result(session->ssl);
    if (trust != X509_V_OK) {
        (void)strncpy(
            session->error, X509_verify_cert_error_string(trust), sizeof(session->error) - 1);
    } else if (ERR_peek_last_error() == 0) {
        (void)strncpy(session->error, "closed by the other side", sizeof(session->error) - 1);
    } else {
        ERR_error_string_n(ERR_peek_last_error(), session->error, sizeof(session->error));
    }
    return PIN_TLS_LINE_CLOSED;
}

enum pin_tls_line_io pin_tls_line_handshake(struct pin_tls_line *session)
{
    ERR_clear_error();
    return verdict(session, SSL_do_handshake(session->ssl));
}

enum pin_tls_line_io pin_tls_line_read(
    struct pin_tls_line *session, uint8_t *to, size_t cap_bytes, size_t *ret_bytes)
{
    ERR_clear_error();
    return verdict(session, SSL_read_ex(session->ssl, to, cap_bytes, ret_bytes));
}

enum pin_tls_line_io pin_tls_line_write(
    struct pin_tls_line *session, const uint8_t *from, size_t bytes, size_t *ret_bytes)
{
    ERR_clear_error();
    return verdict(session, SSL_write_ex(session->ssl, from, bytes, ret_bytes));
}

const char *pin_tls_line_error(const struct pin_tls_line *session)
{
    return session->error;
}
