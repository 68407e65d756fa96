/* SPDX-License-Identifier: Apache-2.0 */

/* TLS over buffers: OpenSSL reads from and writes to what the caller of the moment lends it. */

#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"

#define PEM_MAX_BYTES ((size_t)1 << 20)
/* Others than owner and group, and anything but reading by the group. */
#define KEY_MODE_BAD 0137u
#define MODE_BITS    07777u

/* A ticket opens for two of these periods at most: one as the new key, one as the former. */
#define TICKET_PERIOD_MS  (INT64_C(12) * 3600 * 1000)
#define TICKET_LIFE_S     (12L * 3600)
#define TICKET_NAME_BYTES 16u
#define TICKET_KEY_BYTES  32u

#define GROUPS        "X25519:P-256"
#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

/* Seals tickets. */
struct ticket_key {
    uint8_t name[TICKET_NAME_BYTES];
    uint8_t cipher_key[TICKET_KEY_BYTES];
    uint8_t mac_key[TICKET_KEY_BYTES];
};

struct pin_tls {
    struct pin_tls_config config;
    pthread_mutex_t lock; /* of all below; held for moments, never between a query and its answer */
    SSL_CTX *context;
    struct ticket_key tickets[2]; /* the newest first */
    int64_t tickets_since_ms;     /* when the newest began; 0: there is none */
    bool has_former;
    int64_t expires_s;
};

struct pin_tls_session {
    SSL *ssl;
    const uint8_t *in; /* lent for one call */
    size_t in_bytes;
    struct pin_tls_out *out; /* lent for one call */
    enum pin_tls_state state;
    bool may_full;
    bool may_resume;
    bool is_refused;
};

/* --- bytes under OpenSSL ------------------------------------------------------------------ */

static int bio_read(BIO *bio, char *to, int bytes)
{
    struct pin_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->in_bytes == 0 || bytes <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = PIN_MIN(session->in_bytes, (size_t)bytes);
    memcpy(to, session->in, n);
    session->in += n;
    session->in_bytes -= n;
    return (int)n;
}

/* The caller lends room enough; without it the session fails. */
static int bio_write(BIO *bio, const char *from, int bytes)
{
    struct pin_tls_session *session = BIO_get_data(bio);
    struct pin_tls_out *out = session->out;
    BIO_clear_retry_flags(bio);
    if (out == NULL || bytes < 0 || out->cap_bytes - out->bytes < (size_t)bytes) {
        return -1;
    }
    memcpy(out->ptr + out->bytes, from, (size_t)bytes);
    out->bytes += (size_t)bytes;
    return bytes;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static pthread_once_t bio_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *bio_method; /* made once, kept until the process ends */

static void make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pintle stream");
    if (method != NULL) {
        (void)BIO_meth_set_read(method, bio_read);
        (void)BIO_meth_set_write(method, bio_write);
        (void)BIO_meth_set_ctrl(method, bio_ctrl);
    }
    bio_method = method;
}

/* --- tickets ------------------------------------------------------------------------------ */

static bool draw_ticket_key(struct ticket_key *key)
{
    return RAND_bytes(key->name, sizeof(key->name)) == 1
           && RAND_priv_bytes(key->cipher_key, sizeof(key->cipher_key)) == 1
           && RAND_priv_bytes(key->mac_key, sizeof(key->mac_key)) == 1;
}

/* Makes the newest key young enough to seal with. The lock is held. */
static bool renew_tickets(struct pin_tls *tls)
{
    int64_t now_ms = pin_clock_mono_ms();
    int64_t age_ms = now_ms - tls->tickets_since_ms;
    if (tls->tickets_since_ms != 0 && age_ms < TICKET_PERIOD_MS) {
        return true;
    }
    tls->has_former = tls->tickets_since_ms != 0 && age_ms < 2 * TICKET_PERIOD_MS;
    tls->tickets[1] = tls->tickets[0];
    tls->tickets_since_ms = draw_ticket_key(&tls->tickets[0]) ? PIN_MAX(now_ms, 1) : 0;
    return tls->tickets_since_ms != 0;
}

/* The key that seals, or the one that sealed `name`. Its place, or -1. The lock is held. */
static int choose_ticket_key(struct pin_tls *tls, const uint8_t *name, bool is_sealing)
{
    if (!renew_tickets(tls)) {
        return -1;
    }
    if (is_sealing || memcmp(name, tls->tickets[0].name, TICKET_NAME_BYTES) == 0) {
        return 0;
    }
    return tls->has_former && memcmp(name, tls->tickets[1].name, TICKET_NAME_BYTES) == 0 ? 1 : -1;
}

static bool set_mac_key(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac_key, TICKET_KEY_BYTES),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL asks for the key of a ticket. -1: give up; 0: no ticket; 1: here it is; 2: and the client
 * gets a new ticket. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing)
{
    struct pin_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key = {0};
    (void)pthread_mutex_lock(&tls->lock);
    int which = choose_ticket_key(tls, name, is_sealing != 0);
    if (which >= 0) {
        key = tls->tickets[which];
    }
    (void)pthread_mutex_unlock(&tls->lock);
    if (which < 0) {
        return 0;
    }
    bool is_set = false;
    if (is_sealing != 0) {
        memcpy(name, key.name, TICKET_NAME_BYTES);
        is_set = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1
                 && EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher_key, iv) == 1;
    } else {
        is_set = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher_key, iv) == 1;
    }
    is_set = is_set && set_mac_key(mac, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!is_set) {
        return -1;
    }
    return which == 0 ? 1 : 2;
}

/* --- contexts ----------------------------------------------------------------------------- */

/* What OpenSSL has to say, or "it cannot be read". */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text != NULL ? text : "it cannot be read";
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the library gives the type */
static int no_passphrase(char *to, int bytes, int is_writing, void *arg)
{
    (void)to;
    (void)bytes;
    (void)is_writing;
    (void)arg;
    return -1;
}

/* Whether only we, root and a group may read an open key file. */
static enum pin_err check_key_file(int fd, const char *path, struct pin_why *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return pin_why_errno(why, errno, "look at key file '%s'", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return pin_why_set(why, PIN_EINVAL, "key file '%s' is no regular file", path);
    }
    if ((st.st_mode & KEY_MODE_BAD) != 0) {
        return pin_why_set(why, PIN_EDENIED,
            "key file '%s' has mode %04o: others can read it; make it 0640 or less", path,
            (unsigned)(st.st_mode & MODE_BITS));
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return pin_why_set(why, PIN_EDENIED,
            "key file '%s' (mode %04o) belongs to user %u, who could change it: give it to user %u "
            "or root",
            path, (unsigned)(st.st_mode & MODE_BITS), (unsigned)st.st_uid, (unsigned)geteuid());
    }
    return PIN_OK;
}

static enum pin_err read_key(const char *path, EVP_PKEY **ret_key, struct pin_why *why)
{
    BIO *bio = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return pin_why_errno(why, errno, "open key file '%s'", path);
    }
    enum pin_err err = check_key_file(fd, path, why);
    if (err == PIN_OK) {
        bio = BIO_new_fd(fd, BIO_NOCLOSE);
        *ret_key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
        if (*ret_key == NULL) {
            err = pin_why_set(why, PIN_EPARSE, "key file '%s': %s", path, reason());
        }
    }
    BIO_free(bio);
    (void)close(fd); /* read-only: a failed close loses nothing */
    return err;
}

/* What is done with the certificates of a PEM text. */
typedef enum pin_err add_pem(SSL_CTX *context, BIO *bio, const char *path, struct pin_why *why);

/* After the last certificate that could be read: whether that was the end of the text. */
static enum pin_err check_end(const char *path, struct pin_why *why)
{
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        return pin_why_set(why, PIN_EPARSE, "certificate file '%s': %s", path, reason());
    }
    ERR_clear_error();
    return PIN_OK;
}

/* Adds all certificates of a PEM text: the server's own, then its chain. */
static enum pin_err add_certificates(
    SSL_CTX *context, BIO *bio, const char *path, struct pin_why *why)
{
    X509 *own = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    bool is_added = own != NULL && SSL_CTX_use_certificate(context, own) == 1;
    X509_free(own);
    if (!is_added) {
        return pin_why_set(why, PIN_EPARSE, "certificate file '%s': %s", path, reason());
    }
    for (;;) {
        X509 *next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (next == NULL) {
            break;
        }
        if (SSL_CTX_add0_chain_cert(context, next) != 1) {
            X509_free(next);
            return pin_why_set(why, PIN_EPARSE, "certificate file '%s': %s", path, reason());
        }
    }
    return check_end(path, why);
}

/* Has the clients vouched for by all certificates of a PEM text, and tells them so. */
static enum pin_err add_client_ca(SSL_CTX *context, BIO *bio, const char *path, struct pin_why *why)
{
    size_t n = 0;
    for (;; n++) {
        X509 *ca = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (ca == NULL) {
            break;
        }
        bool is_added = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca) == 1
                        && SSL_CTX_add_client_CA(context, ca) == 1;
        X509_free(ca);
        if (!is_added) {
            return pin_why_set(why, PIN_EPARSE, "certificate file '%s': %s", path, reason());
        }
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return n > 0 ? check_end(path, why)
                 : pin_why_set(why, PIN_EPARSE, "certificate file '%s': %s", path, reason());
}

static enum pin_err use_pem(SSL_CTX *context, const char *path, add_pem *add, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pin_err err = pin_file_read(path, PEM_MAX_BYTES, &text, &bytes, why);
    if (err != PIN_OK) {
        return err;
    }
    BIO *bio = BIO_new_mem_buf(text, (int)bytes);
    err = bio != NULL ? add(context, bio, path, why)
                      : pin_why_set(why, PIN_ENOMEM, "certificate file '%s'", path);
    BIO_free(bio);
    free(text);
    return err;
}

static enum pin_err use_key(
    SSL_CTX *context, const struct pin_tls_config *config, struct pin_why *why)
{
    EVP_PKEY *key = NULL;
    enum pin_err err = read_key(config->key, &key, why);
    if (err == PIN_OK
        && (SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1)) {
        err = pin_why_set(why, PIN_EINVAL,
            "key file '%s' and certificate '%s' do not belong together", config->key,
            config->certificate);
    }
    EVP_PKEY_free(key);
    return err;
}

/* Chooses among what the client offers; none of ours ends the handshake (RFC 7301, section 3.2). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
    const unsigned char *in, unsigned in_bytes, void *arg)
{
    static const unsigned char dot[] = "\3dot";
    static const unsigned char https[] = "\2h2\10http/1.1";
    static const unsigned char http1[] = "\10http/1.1";
    static const struct {
        const unsigned char *protocols;
        unsigned bytes;
    } offers[] = {
        [PIN_TLS_DOT] = {dot, sizeof(dot) - 1},
        [PIN_TLS_HTTPS] = {https, sizeof(https) - 1},
        [PIN_TLS_ADMIN] = {http1, sizeof(http1) - 1},
    };
    const struct pin_tls *tls = arg;
    const unsigned char *ours = offers[tls->config.use].protocols;
    unsigned ours_bytes = offers[tls->config.use].bytes;
    unsigned char *chosen = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_bytes, ours, ours_bytes, in, in_bytes)
        != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* The client's first words: whether it has a ticket decides what its handshake will cost. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
    struct pin_tls_session *session = SSL_get_app_data(ssl);
    const unsigned char *ticket = NULL;
    size_t bytes = 0;
    (void)arg;
    if (session == NULL) {
        return SSL_CLIENT_HELLO_SUCCESS; /* raw: nobody counts its handshakes */
    }
    bool has_ticket =
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &ticket, &bytes) == 1
        || (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_session_ticket, &ticket, &bytes) == 1
            && bytes > 0);
    if (has_ticket ? session->may_resume : session->may_full) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    session->is_refused = true;
    *alert = SSL_AD_HANDSHAKE_FAILURE;
    return SSL_CLIENT_HELLO_ERROR;
}

/* Everything but certificate and key. False: OpenSSL says why. */
static bool set_up(SSL_CTX *context, struct pin_tls *tls)
{
    static const unsigned char session_context[] = "pintle";
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION
                                           | SSL_OP_CIPHER_SERVER_PREFERENCE
                                           | SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(context, TICKET_LIFE_S);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_client_hello_cb(context, on_hello, NULL);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, tls);
    if (tls->config.use == PIN_TLS_ADMIN) {
        (void)SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    }
    (void)SSL_CTX_set_app_data(context, tls);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1
           && SSL_CTX_set1_groups_list(context, GROUPS) == 1
           && SSL_CTX_set_cipher_list(context, CIPHERS_TLS12) == 1
           && SSL_CTX_set_ciphersuites(context, CIPHERS_TLS13) == 1
           && SSL_CTX_set_max_early_data(context, 0) == 1
           && SSL_CTX_set_num_tickets(context, tls->config.use == PIN_TLS_ADMIN ? 0 : 1) == 1
           && SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context) - 1)
                  == 1
           && SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

static int64_t expiry_of(const SSL_CTX *context)
{
    struct tm when = {0};
    const X509 *own = SSL_CTX_get0_certificate(context);
    if (own == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(own), &when) != 1) {
        return 0;
    }
    return timegm(&when);
}

static enum pin_err make_context(struct pin_tls *tls, SSL_CTX **ret_context, struct pin_why *why)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || !set_up(context, tls)) {
        SSL_CTX_free(context);
        return pin_why_set(why, PIN_ENOMEM, "prepare TLS: %s", reason());
    }
    enum pin_err err = use_pem(context, tls->config.certificate, add_certificates, why);
    if (err == PIN_OK) {
        err = use_key(context, &tls->config, why);
    }
    if (err == PIN_OK && tls->config.client_ca != NULL) {
        err = use_pem(context, tls->config.client_ca, add_client_ca, why);
    }
    if (err != PIN_OK) {
        SSL_CTX_free(context);
        return err;
    }
    *ret_context = context;
    return PIN_OK;
}

enum pin_err pin_tls_reload(struct pin_tls *tls, struct pin_why *why)
{
    SSL_CTX *context = NULL;
    enum pin_err err = make_context(tls, &context, why);
    if (err != PIN_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&tls->lock);
    SSL_CTX *former = tls->context;
    tls->context = context;
    tls->expires_s = expiry_of(context);
    (void)pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(former); /* sessions hold it as long as they need it */
    return PIN_OK;
}

enum pin_err pin_tls_new(
    const struct pin_tls_config *config, struct pin_tls **ret_tls, struct pin_why *why)
{
    (void)pthread_once(&bio_once, make_bio_method);
    struct pin_tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL || bio_method == NULL) {
        free(tls);
        return pin_why_set(why, PIN_ENOMEM, "TLS");
    }
    tls->config = *config;
    (void)pthread_mutex_init(&tls->lock, NULL);
    enum pin_err err = pin_tls_reload(tls, why);
    if (err != PIN_OK) {
        pin_tls_free(tls);
        return err;
    }
    *ret_tls = tls;
    return PIN_OK;
}

void pin_tls_free(struct pin_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    SSL_CTX_free(tls->context);
    (void)pthread_mutex_destroy(&tls->lock);
    OPENSSL_cleanse(tls->tickets, sizeof(tls->tickets));
    free(tls);
}

int64_t pin_tls_expires_s(const struct pin_tls *tls)
{
    return tls->expires_s; /* control alone writes it */
}

/* --- sessions ----------------------------------------------------------------------------- */

struct ssl_st *pin_tls_raw(struct pin_tls *tls)
{
    SSL *ssl = SSL_new(tls->context); /* control alone exchanges it */
    if (ssl != NULL) {
        SSL_set_read_ahead(ssl, 0); /* libevent asks how much has been read, and does not see it */
    }
    return ssl;
}

bool pin_tls_raw_is_known(const struct ssl_st *ssl)
{
    return SSL_get0_peer_certificate(ssl) != NULL && SSL_get_verify_result(ssl) == X509_V_OK;
}

struct pin_tls_session *pin_tls_session_new(struct pin_tls *tls, bool may_full, bool may_resume)
{
    struct pin_tls_session *session = calloc(1, sizeof(*session));
    BIO *bio = BIO_new(bio_method);
    if (session != NULL && bio != NULL) {
        (void)pthread_mutex_lock(&tls->lock);
        session->ssl = SSL_new(tls->context);
        (void)pthread_mutex_unlock(&tls->lock);
    }
    if (session == NULL || session->ssl == NULL) {
        BIO_free(bio);
        free(session);
        return NULL;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_accept_state(session->ssl);
    (void)SSL_set_app_data(session->ssl, session);
    session->may_full = may_full;
    session->may_resume = may_resume;
    return session;
}

void pin_tls_session_free(struct pin_tls_session *session)
{
    if (session != NULL) {
        SSL_free(session->ssl);
        free(session);
    }
}

/* Whether a call that did not succeed only waits for more bytes; else the session is over. */
static bool is_waiting(struct pin_tls_session *session, int result)
{
    int error = SSL_get_error(session->ssl, result);
    if (error == SSL_ERROR_WANT_READ) {
        return true;
    }
    session->state = error == SSL_ERROR_ZERO_RETURN ? PIN_TLS_ENDED : PIN_TLS_FAILED;
    return false;
}

static void read_plain(struct pin_tls_session *session, struct pin_tls_feed *feed)
{
    while (feed->plain_bytes < feed->plain_cap_bytes) {
        size_t n = 0;
        int result = SSL_read_ex(session->ssl, feed->plain + feed->plain_bytes,
            feed->plain_cap_bytes - feed->plain_bytes, &n);
        if (result != 1) {
            (void)is_waiting(session, result);
            return;
        }
        feed->plain_bytes += n;
    }
    session->state = PIN_TLS_FAILED; /* the caller lends room for more than that */
}

enum pin_tls_state pin_tls_session_feed(
    struct pin_tls_session *session, struct pin_tls_feed *feed, struct pin_tls_out *out)
{
    feed->plain_bytes = 0;
    session->in = feed->in;
    session->in_bytes = feed->in_bytes;
    session->out = out;
    ERR_clear_error();
    if (session->state == PIN_TLS_SHAKING) {
        int result = SSL_do_handshake(session->ssl);
        if (result == 1) {
            session->state = PIN_TLS_OPEN;
        } else {
            (void)is_waiting(session, result);
        }
    }
    if (session->state == PIN_TLS_OPEN) {
        read_plain(session, feed);
    }
    session->in = NULL;
    session->in_bytes = 0;
    session->out = NULL;
    return session->state;
}

bool pin_tls_session_seal(
    struct pin_tls_session *session, const uint8_t *from, size_t bytes, struct pin_tls_out *out)
{
    size_t n_written = 0;
    if (session->state != PIN_TLS_OPEN && session->state != PIN_TLS_ENDED) {
        return false;
    }
    session->out = out;
    ERR_clear_error();
    bool is_sealed = SSL_write_ex(session->ssl, from, bytes, &n_written) == 1 && n_written == bytes;
    session->out = NULL;
    if (!is_sealed) {
        session->state = PIN_TLS_FAILED;
    }
    return is_sealed;
}

void pin_tls_session_end(struct pin_tls_session *session, struct pin_tls_out *out)
{
    if (session->state == PIN_TLS_OPEN || session->state == PIN_TLS_ENDED) {
        session->out = out;
        ERR_clear_error();
        (void)SSL_shutdown(session->ssl);
        session->out = NULL;
    }
}

void pin_tls_session_rest(struct pin_tls_session *session)
{
    (void)SSL_free_buffers(session->ssl); /* refused when they hold something */
}

enum pin_tls_protocol pin_tls_session_protocol(const struct pin_tls_session *session)
{
    static const struct {
        const char *name;
        unsigned bytes;
        enum pin_tls_protocol protocol;
    } protocols[] = {
        {"dot", 3, PIN_TLS_PROTOCOL_DOT},
        {"h2", 2, PIN_TLS_PROTOCOL_H2},
        {"http/1.1", 8, PIN_TLS_PROTOCOL_HTTP1},
    };
    const unsigned char *name = NULL;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(session->ssl, &name, &bytes);
    for (size_t i = 0; i < N_ELEMS(protocols); i++) {
        if (bytes == protocols[i].bytes && memcmp(name, protocols[i].name, bytes) == 0) {
            return protocols[i].protocol;
        }
    }
    return PIN_TLS_PROTOCOL_NONE;
}

bool pin_tls_session_is_refused(const struct pin_tls_session *session)
{
    return session->is_refused;
}

bool pin_tls_session_is_resumed(const struct pin_tls_session *session)
{
    return SSL_session_reused(session->ssl) == 1;
}
