/* SPDX-License-Identifier: Apache-2.0 */

/* TLS over buffers: a real client's bytes in any pieces, tickets and their keys, certificates that
 * change. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "pintle/base/clock.h"

#include "resolver/tls.h"

#define HOUR_MS     (INT64_C(3600) * 1000)
#define LIFE_S      (30L * 24 * 3600)
#define ROUNDS_MAX  10000
#define LARGE_BYTES ((size_t)128 << 10)

static char dir[] = "/tmp/pintle-test-tls-XXXXXX";
static char certificate[64];
static char key[64];
static struct pin_tls *tls;
static SSL_CTX *client_context;
static SSL_SESSION *ticket; /* the one the client got last */

/* Both ends of a connection, and what is on its way. */
static struct {
    SSL *client;
    struct pin_tls_session *server;
    uint8_t to_client[PIN_TLS_HANDSHAKE_BYTES + 2 * LARGE_BYTES];
    struct pin_tls_out out;
    uint8_t plain[LARGE_BYTES + PIN_TLS_RECORD_BYTES];
    size_t plain_bytes;
    enum pin_tls_state state;
} pair;

/* --- certificates --------------------------------------------------------------------------- */

static void write_certificate(long serial)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    assert_non_null(pkey);
    assert_non_null(x509);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x509), serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    (void)X509_gmtime_adj(X509_getm_notAfter(x509), LIFE_S);
    (void)X509_set_pubkey(x509, pkey);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
        (const unsigned char *)"dns.t.example", -1, -1, 0);
    (void)X509_set_issuer_name(x509, X509_get_subject_name(x509));
    assert_true(X509_sign(x509, pkey, EVP_sha256()) > 0);
    FILE *file = fopen(certificate, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, x509), 1);
    (void)fclose(file);
    file = fopen(key, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(file);
    assert_int_equal(chmod(key, 0600), 0);
    X509_free(x509);
    EVP_PKEY_free(pkey);
}

/* --- life ----------------------------------------------------------------------------------- */

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1; /* it is ours now */
}

static int set_up(void **state)
{
    struct pin_tls_config config = {.certificate = certificate, .key = key, .use = PIN_TLS_DOT};
    struct pin_why why = {0};
    (void)state;
    write_certificate(1);
    pin_clock_set_fake(HOUR_MS, 0);
    assert_int_equal(pin_tls_new(&config, &tls, &why), PIN_OK);
    client_context = SSL_CTX_new(TLS_client_method());
    assert_non_null(client_context);
    (void)SSL_CTX_set_session_cache_mode(
        client_context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client_context, on_ticket);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_free(pair.client);
    pin_tls_session_free(pair.server);
    pair.client = NULL;
    pair.server = NULL;
    SSL_SESSION_free(ticket);
    ticket = NULL;
    SSL_CTX_free(client_context);
    pin_tls_free(tls);
    pin_clock_set_real();
    return 0;
}

static void connect_with(SSL_SESSION *session, bool may_full, bool may_resume)
{
    if (pair.client != NULL) { /* the client forgets tickets of connections that broke off */
        SSL_set_shutdown(pair.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(pair.client);
    pin_tls_session_free(pair.server);
    pair.client = SSL_new(client_context);
    pair.server = pin_tls_session_new(tls, may_full, may_resume);
    assert_non_null(pair.client);
    assert_non_null(pair.server);
    SSL_set_bio(pair.client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(pair.client);
    if (session != NULL) { /* a copy: the library takes a ticket as spent once it was shown */
        SSL_SESSION *copy = SSL_SESSION_dup(session);
        assert_int_equal(SSL_set_session(pair.client, copy), 1);
        SSL_SESSION_free(copy);
    }
    pair.out = (struct pin_tls_out){.ptr = pair.to_client, .cap_bytes = sizeof(pair.to_client)};
    pair.plain_bytes = 0;
    pair.state = PIN_TLS_SHAKING;
}

/* Carries what the client has to send, in pieces of at most `piece` bytes, and back. */
static void carry(size_t piece)
{
    static uint8_t bytes[LARGE_BYTES];
    BIO *from_client = SSL_get_wbio(pair.client);
    for (;;) {
        int n = BIO_read(from_client, bytes, (int)(piece < sizeof(bytes) ? piece : sizeof(bytes)));
        if (n <= 0) {
            break;
        }
        struct pin_tls_feed feed = {.in = bytes,
            .in_bytes = (size_t)n,
            .plain = pair.plain + pair.plain_bytes,
            .plain_cap_bytes = sizeof(pair.plain) - pair.plain_bytes};
        pair.state = pin_tls_session_feed(pair.server, &feed, &pair.out);
        pair.plain_bytes += feed.plain_bytes;
    }
    if (pair.out.bytes > 0) {
        assert_int_equal(BIO_write(SSL_get_rbio(pair.client), pair.out.ptr, (int)pair.out.bytes),
            pair.out.bytes);
        pair.out.bytes = 0;
    }
}

/* Shakes hands in pieces of at most `piece` bytes. True: both agree. */
static bool shake(size_t piece)
{
    int is_done = 0;
    for (int i = 0; i < ROUNDS_MAX && (is_done != 1 || pair.state == PIN_TLS_SHAKING); i++) {
        is_done = SSL_do_handshake(pair.client);
        carry(piece);
        if (pair.state == PIN_TLS_FAILED) {
            return false;
        }
    }
    char sink[1];
    (void)SSL_read(pair.client, sink, sizeof(sink)); /* takes the tickets in */
    return is_done == 1 && pair.state == PIN_TLS_OPEN;
}

static bool is_resumed_with(SSL_SESSION *session)
{
    connect_with(session, true, true);
    assert_true(shake(SIZE_MAX));
    bool is_resumed = SSL_session_reused(pair.client) == 1;
    assert_int_equal(pin_tls_session_is_resumed(pair.server), is_resumed);
    return is_resumed;
}

static long shown_serial(void)
{
    X509 *x509 = SSL_get1_peer_certificate(pair.client);
    assert_non_null(x509);
    long serial = ASN1_INTEGER_get(X509_get_serialNumber(x509));
    X509_free(x509);
    return serial;
}

/* --- tests ---------------------------------------------------------------------------------- */

static void test_bytes_in_any_pieces(void **state)
{
    static const size_t pieces[] = {1, 7, 1000, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        connect_with(NULL, true, true);
        assert_true(shake(pieces[i]));
        assert_int_equal(SSL_write(pair.client, "question", 8), 8);
        carry(pieces[i]);
        assert_int_equal(pair.plain_bytes, 8);
        assert_memory_equal(pair.plain, "question", 8);
        assert_true(pin_tls_session_seal(pair.server, (const uint8_t *)"answer", 6, &pair.out));
        carry(pieces[i]);
        char answer[16];
        assert_int_equal(SSL_read(pair.client, answer, sizeof(answer)), 6);
        assert_memory_equal(answer, "answer", 6);
    }
}

static void test_many_records_at_once(void **state)
{
    static uint8_t sent[LARGE_BYTES - 1024];
    static uint8_t received[sizeof(sent)];
    size_t at = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++) {
        sent[i] = (uint8_t)(i * 7);
    }
    connect_with(NULL, true, true);
    assert_true(shake(SIZE_MAX));
    assert_true(pin_tls_session_seal(pair.server, sent, sizeof(sent), &pair.out));
    assert_in_range(pair.out.bytes, sizeof(sent),
        sizeof(sent) + (sizeof(sent) / PIN_TLS_RECORD_BYTES + 1) * PIN_TLS_OVERHEAD_BYTES);
    carry(SIZE_MAX);
    for (int n = 1; n > 0 && at < sizeof(received); at += (size_t)n) {
        n = SSL_read(pair.client, received + at, (int)(sizeof(received) - at));
        assert_true(n > 0);
    }
    assert_memory_equal(received, sent, sizeof(sent));
    pin_tls_session_rest(pair.server);
    assert_int_equal(SSL_write(pair.client, "more", 4), 4);
    carry(SIZE_MAX);
    assert_memory_equal(pair.plain, "more", 4);
}

static void test_a_client_that_ends(void **state)
{
    (void)state;
    connect_with(NULL, true, true);
    assert_true(shake(SIZE_MAX));
    assert_int_equal(SSL_write(pair.client, "last", 4), 4);
    (void)SSL_shutdown(pair.client);
    carry(SIZE_MAX);
    assert_int_equal(pair.state, PIN_TLS_ENDED);
    assert_int_equal(pair.plain_bytes, 4); /* what came before counts */
    assert_true(pin_tls_session_seal(pair.server, (const uint8_t *)"answer", 6, &pair.out));
    pin_tls_session_end(pair.server, &pair.out);
    carry(SIZE_MAX);
}

static void test_bytes_that_are_no_tls(void **state)
{
    static const uint8_t query[] = "\0\x1D\x12\x34\1\0\0\1\0\0\0\0\0\0";
    (void)state;
    connect_with(NULL, true, true);
    struct pin_tls_feed feed = {.in = query,
        .in_bytes = sizeof(query),
        .plain = pair.plain,
        .plain_cap_bytes = sizeof(pair.plain)};
    assert_int_equal(pin_tls_session_feed(pair.server, &feed, &pair.out), PIN_TLS_FAILED);
    assert_int_equal(feed.plain_bytes, 0);
    assert_false(pin_tls_session_seal(pair.server, query, sizeof(query), &pair.out));
}

static void test_no_room_to_send_fails(void **state)
{
    (void)state;
    connect_with(NULL, true, true);
    pair.out.cap_bytes = 100; /* no certificate fits */
    (void)SSL_do_handshake(pair.client);
    carry(SIZE_MAX);
    assert_int_equal(pair.state, PIN_TLS_FAILED);
}

static void test_ticket_keys_rotate(void **state)
{
    (void)state;
    assert_false(is_resumed_with(NULL));
    SSL_SESSION *first = ticket;
    assert_non_null(first);
    ticket = NULL; /* it stays ours */
    assert_true(is_resumed_with(first));
    pin_clock_set_fake(HOUR_MS + 11 * HOUR_MS, 0);
    assert_true(is_resumed_with(first));
    pin_clock_set_fake(HOUR_MS + 13 * HOUR_MS, 0); /* the former key opens */
    assert_true(is_resumed_with(first));
    SSL_SESSION *second = ticket;
    ticket = NULL;
    pin_clock_set_fake(HOUR_MS + 26 * HOUR_MS, 0); /* no key of before does */
    assert_false(is_resumed_with(first));
    assert_true(is_resumed_with(second));           /* with the ticket of hour 13 */
    pin_clock_set_fake(HOUR_MS + 100 * HOUR_MS, 0); /* nobody came for days */
    assert_false(is_resumed_with(second));
    SSL_SESSION_free(first);
    SSL_SESSION_free(second);
}

static void test_handshakes_that_may_not_be_had(void **state)
{
    (void)state;
    assert_false(is_resumed_with(NULL));
    SSL_SESSION *mine = ticket;
    ticket = NULL;
    connect_with(NULL, false, true);
    assert_false(shake(SIZE_MAX));
    assert_true(pin_tls_session_is_refused(pair.server));
    connect_with(mine, false, true);
    assert_true(shake(SIZE_MAX));
    assert_true(pin_tls_session_is_resumed(pair.server));
    connect_with(mine, true, false);
    assert_false(shake(SIZE_MAX));
    assert_true(pin_tls_session_is_refused(pair.server));
    connect_with(NULL, true, false);
    assert_true(shake(SIZE_MAX));
    SSL_SESSION_free(mine);
}

static void test_a_reload_changes_new_sessions_alone(void **state)
{
    struct pin_why why = {0};
    (void)state;
    assert_false(is_resumed_with(NULL));
    assert_int_equal(shown_serial(), 1);
    SSL_SESSION *mine = ticket;
    ticket = NULL;
    write_certificate(2);
    assert_int_equal(pin_tls_reload(tls, &why), PIN_OK);
    assert_true(pin_tls_session_seal(pair.server, (const uint8_t *)"on", 2, &pair.out));
    assert_true(is_resumed_with(mine)); /* tickets outlive it */
    assert_false(is_resumed_with(NULL));
    assert_int_equal(shown_serial(), 2);
    SSL_SESSION_free(mine);
}

static void test_what_cannot_be_used_changes_nothing(void **state)
{
    struct pin_why why = {0};
    int64_t expires_s = pin_tls_expires_s(tls);
    (void)state;
    assert_true(expires_s > LIFE_S);
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(pin_tls_reload(tls, &why), PIN_EDENIED);
    assert_non_null(strstr(why.text, "mode 0644"));
    assert_int_equal(chmod(key, 0440), 0);
    assert_int_equal(pin_tls_reload(tls, &why), PIN_OK);
    assert_int_equal(truncate(certificate, 100), 0);
    assert_int_equal(pin_tls_reload(tls, &why), PIN_EPARSE);
    assert_int_equal(unlink(certificate), 0);
    assert_int_equal(pin_tls_reload(tls, &why), PIN_ENOTFOUND);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(symlink(dir, key), 0);
    assert_int_not_equal(pin_tls_reload(tls, &why), PIN_OK);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(pin_tls_expires_s(tls), expires_s);
    assert_false(is_resumed_with(NULL));
    assert_int_equal(shown_serial(), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_in_any_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_records_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_client_that_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_that_are_no_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room_to_send_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ticket_keys_rotate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_handshakes_that_may_not_be_had, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_reload_changes_new_sessions_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_what_cannot_be_used_changes_nothing, set_up, tear_down),
    };
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    (void)snprintf(certificate, sizeof(certificate), "%s/tls.crt", dir);
    (void)snprintf(key, sizeof(key), "%s/tls.key", dir);
    int n_failed = cmocka_run_group_tests_name("tls", tests, NULL, NULL);
    (void)unlink(certificate);
    (void)unlink(key);
    (void)rmdir(dir);
    return n_failed;
}
