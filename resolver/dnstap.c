/* SPDX-License-Identifier: Apache-2.0 */

/* Encodes dnstap messages by hand (a dozen fields of dnstap.proto) and gives them to libfstrm. */

#include "dnstap.h"

#include <fstrm.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/buf.h"
#include "pintle/base/log.h"
#include "pintle/version.h"

#define CONTENT_TYPE "protobuf:dnstap.Dnstap"
/* Messages that wait for the collector. */
#define QUEUE_SIZE    4096u
#define REOPEN_S      2u
#define NS_PER_S      INT64_C(1000000000)
#define IDENTITY_MAX  255u
#define PORT_TEXT_MAX 8u
#define EXTRA_MAX     1024u

/* Wire types of protocol buffers. */
#define VARINT 0u
#define BYTES  2u
#define FIXED4 5u

/* Fields of dnstap.Dnstap. */
#define TAP_IDENTITY 1u
#define TAP_VERSION  2u
#define TAP_EXTRA    3u
#define TAP_MESSAGE  14u
#define TAP_TYPE     15u
/* Dnstap.Type */
#define TYPE_MESSAGE 1u

/* Fields of dnstap.Message. */
#define MESSAGE_TYPE           1u
#define MESSAGE_FAMILY         2u
#define MESSAGE_PROTOCOL       3u
#define MESSAGE_QUERY_ADDRESS  4u
#define MESSAGE_QUERY_PORT     6u
#define MESSAGE_QUERY_TIME_S   8u
#define MESSAGE_QUERY_TIME_NS  9u
#define MESSAGE_QUERY          10u
#define MESSAGE_ANSWER_TIME_S  12u
#define MESSAGE_ANSWER_TIME_NS 13u
#define MESSAGE_ANSWER         14u
/* Message.Type */
#define CLIENT_QUERY    5u
#define CLIENT_RESPONSE 6u

struct pin_dnstap {
    struct fstrm_iothr *iothr;
    struct fstrm_iothr_queue *queue; /* iothr's */
    char identity[IDENTITY_MAX + 1];
};

/* --- encoding ------------------------------------------------------------------------------ */

static void put_varint(struct pin_buf *buf, uint64_t value)
{
    while (value >= 0x80u) {
        pin_buf_put_u8(buf, (uint8_t)(value | 0x80u));
        value >>= 7;
    }
    pin_buf_put_u8(buf, (uint8_t)value);
}

static void put_number(struct pin_buf *buf, unsigned field, uint64_t value)
{
    put_varint(buf, field << 3 | VARINT);
    put_varint(buf, value);
}

/* Little-endian, unlike all else here. */
static void put_fixed4(struct pin_buf *buf, unsigned field, uint32_t value)
{
    put_varint(buf, field << 3 | FIXED4);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        pin_buf_put_u8(buf, (uint8_t)(value >> shift));
    }
}

static void put_bytes(struct pin_buf *buf, unsigned field, const void *data, size_t bytes)
{
    put_varint(buf, field << 3 | BYTES);
    put_varint(buf, bytes);
    pin_buf_put_bytes(buf, data, bytes);
}

static void put_peer(struct pin_buf *buf, const struct pin_tap_record *record)
{
    static const uint8_t protocols[PIN_TRANSPORT_MAX] = {
        [PIN_TRANSPORT_UDP] = 1,
        [PIN_TRANSPORT_TCP] = 2,
        [PIN_TRANSPORT_TLS] = 3,
        [PIN_TRANSPORT_HTTPS] = 4,
    };
    struct sockaddr_storage peer = {0};
    (void)pin_addrport_to_sockaddr(&record->peer, &peer);
    bool is_v4 = peer.ss_family == AF_INET;
    put_number(buf, MESSAGE_FAMILY, is_v4 ? 1 : 2);
    put_number(buf, MESSAGE_PROTOCOL, protocols[record->transport]);
    if (is_v4) {
        const struct sockaddr_in *v4 = (const void *)&peer;
        put_bytes(buf, MESSAGE_QUERY_ADDRESS, &v4->sin_addr, sizeof(v4->sin_addr));
    } else {
        const struct sockaddr_in6 *v6 = (const void *)&peer;
        put_bytes(buf, MESSAGE_QUERY_ADDRESS, &v6->sin6_addr, sizeof(v6->sin6_addr));
    }
    put_number(buf, MESSAGE_QUERY_PORT, record->peer.port);
}

static void put_message(struct pin_buf *buf, const struct pin_tap_record *record, bool is_answer)
{
    int64_t answer_wall_ns = record->query_wall_ns + record->took_ns;
    put_number(buf, MESSAGE_TYPE, is_answer ? CLIENT_RESPONSE : CLIENT_QUERY);
    put_peer(buf, record);
    put_number(buf, MESSAGE_QUERY_TIME_S, (uint64_t)(record->query_wall_ns / NS_PER_S));
    put_fixed4(buf, MESSAGE_QUERY_TIME_NS, (uint32_t)(record->query_wall_ns % NS_PER_S));
    if (!is_answer) {
        put_bytes(buf, MESSAGE_QUERY, record->query, record->query_kept_bytes);
        return;
    }
    put_number(buf, MESSAGE_ANSWER_TIME_S, (uint64_t)(answer_wall_ns / NS_PER_S));
    put_fixed4(buf, MESSAGE_ANSWER_TIME_NS, (uint32_t)(answer_wall_ns % NS_PER_S));
    put_bytes(buf, MESSAGE_ANSWER, record->answer, record->answer_kept_bytes);
}

size_t pin_dnstap_encode(
    const struct pin_tap_record *record, bool is_answer, const char *identity, uint8_t *to)
{
    uint8_t message[PIN_DNSTAP_HEAD_BYTES / 2 + PIN_TAP_ANSWER_MAX];
    uint32_t bytes = is_answer ? record->answer_bytes : record->query_bytes;
    uint32_t kept_bytes = is_answer ? record->answer_kept_bytes : record->query_kept_bytes;
    if (bytes == 0 || bytes > kept_bytes) {
        return 0;
    }
    struct pin_buf inner = pin_buf_init(message, sizeof(message));
    put_message(&inner, record, is_answer);
    struct pin_buf buf = pin_buf_init(to, PIN_DNSTAP_HEAD_BYTES + PIN_TAP_ANSWER_MAX);
    put_bytes(&buf, TAP_IDENTITY, identity, strnlen(identity, IDENTITY_MAX));
    put_bytes(&buf, TAP_VERSION, "pintle " PIN_VERSION, sizeof("pintle " PIN_VERSION) - 1);
    if (is_answer && record->why_text != NULL && record->why_text[0] != '\0') {
        put_bytes(&buf, TAP_EXTRA, record->why_text, strnlen(record->why_text, EXTRA_MAX));
    }
    put_bytes(&buf, TAP_MESSAGE, message, pin_buf_used(&inner));
    put_number(&buf, TAP_TYPE, TYPE_MESSAGE);
    return pin_buf_is_ok(&inner) && pin_buf_is_ok(&buf) ? pin_buf_used(&buf) : 0;
}

/* --- sending ------------------------------------------------------------------------------- */

static struct fstrm_writer *tcp_writer(
    const struct pin_tap_config *config, const struct fstrm_writer_options *options)
{
    char address[PIN_IP_TEXT_MAX];
    char port[PORT_TEXT_MAX];
    (void)snprintf(port, sizeof(port), "%u", config->dnstap_tcp.port);
    struct fstrm_tcp_writer_options *tcp = fstrm_tcp_writer_options_init();
    fstrm_tcp_writer_options_set_socket_address(
        tcp, pin_ip_format(&config->dnstap_tcp.ip, address));
    fstrm_tcp_writer_options_set_socket_port(tcp, port);
    struct fstrm_writer *writer = fstrm_tcp_writer_init(tcp, options);
    fstrm_tcp_writer_options_destroy(&tcp);
    return writer;
}

static struct fstrm_writer *unix_writer(
    const struct pin_tap_config *config, const struct fstrm_writer_options *options)
{
    struct fstrm_unix_writer_options *un = fstrm_unix_writer_options_init();
    fstrm_unix_writer_options_set_socket_path(un, config->dnstap_socket);
    struct fstrm_writer *writer = fstrm_unix_writer_init(un, options);
    fstrm_unix_writer_options_destroy(&un);
    return writer;
}

/* libfstrm's thread takes no signals. */
static struct fstrm_iothr *start_thread(struct fstrm_writer **writer)
{
    sigset_t all;
    sigset_t before;
    struct fstrm_iothr_options *options = fstrm_iothr_options_init();
    fstrm_iothr_options_set_num_input_queues(options, 1);
    (void)fstrm_iothr_options_set_input_queue_size(options, QUEUE_SIZE);
    (void)fstrm_iothr_options_set_reopen_interval(options, REOPEN_S);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct fstrm_iothr *iothr = fstrm_iothr_init(options, writer);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    fstrm_iothr_options_destroy(&options);
    return iothr;
}

/* Tells at once of a collector that is not there: libfstrm tries again and says nothing. */
static void tell_absence(const struct pin_tap_config *config)
{
    struct stat st = {0};
    if (config->dnstap_socket != NULL
        && (stat(config->dnstap_socket, &st) != 0 || !S_ISSOCK(st.st_mode))) {
        pin_log_warn(
            "dnstap: %s is no socket yet; what is noted before a collector listens there is "
            "gone",
            config->dnstap_socket);
    }
}

enum pin_err pin_dnstap_open(
    const struct pin_tap_config *config, struct pin_dnstap **ret_dnstap, struct pin_why *why)
{
    struct pin_dnstap *dnstap = calloc(1, sizeof(*dnstap));
    if (dnstap == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "dnstap");
    }
    if (config->dnstap_identity != NULL) {
        (void)snprintf(dnstap->identity, sizeof(dnstap->identity), "%s", config->dnstap_identity);
    } else {
        (void)gethostname(dnstap->identity, IDENTITY_MAX);
    }
    struct fstrm_writer_options *options = fstrm_writer_options_init();
    (void)fstrm_writer_options_add_content_type(options, CONTENT_TYPE, sizeof(CONTENT_TYPE) - 1);
    struct fstrm_writer *writer =
        config->dnstap_socket != NULL ? unix_writer(config, options) : tcp_writer(config, options);
    fstrm_writer_options_destroy(&options);
    if (writer == NULL) {
        free(dnstap);
        return pin_why_set(why, PIN_EINVAL, "dnstap: %s is no path of a Unix socket",
            config->dnstap_socket == NULL ? "the address" : config->dnstap_socket);
    }
    dnstap->iothr = start_thread(&writer);
    if (dnstap->iothr == NULL) {
        (void)fstrm_writer_destroy(&writer);
        free(dnstap);
        return pin_why_set(why, PIN_ENOMEM, "dnstap");
    }
    tell_absence(config);
    dnstap->queue = fstrm_iothr_get_input_queue(dnstap->iothr);
    *ret_dnstap = dnstap;
    return PIN_OK;
}

/* Sends one message. False: it was lost. */
static bool send_one(struct pin_dnstap *dnstap, const struct pin_tap_record *record, bool is_answer)
{
    uint8_t frame[PIN_DNSTAP_HEAD_BYTES + PIN_TAP_ANSWER_MAX];
    size_t bytes = pin_dnstap_encode(record, is_answer, dnstap->identity, frame);
    if (bytes == 0) {
        return true;
    }
    uint8_t *copy = malloc(bytes);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, frame, bytes);
    if (fstrm_iothr_submit(dnstap->iothr, dnstap->queue, copy, bytes, fstrm_free_wrapper, NULL)
        != fstrm_res_success) {
        free(copy);
        return false;
    }
    return true;
}

unsigned pin_dnstap_add(struct pin_dnstap *dnstap, const struct pin_tap_record *record)
{
    unsigned n_lost = send_one(dnstap, record, false) ? 0 : 1;
    return n_lost + (send_one(dnstap, record, true) ? 0 : 1);
}

void pin_dnstap_close(struct pin_dnstap *dnstap)
{
    if (dnstap != NULL) {
        fstrm_iothr_destroy(&dnstap->iothr);
        free(dnstap);
    }
}
