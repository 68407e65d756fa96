/* SPDX-License-Identifier: Apache-2.0 */

/* What is noted about questions: how many, that it arrives whole, what a line and a dnstap message
 * say, and that a full ring loses records and says so. */

#include <arpa/inet.h>
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

#include "pintle/base/clock.h"
#include "pintle/base/text.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/table.h"

#include "resolver/answer.h"
#include "resolver/dnstap.h"
#include "resolver/querylog.h"
#include "resolver/tap.h"
#include "resolver/tap_ring.h"
#include "resolver/worker.h"
#include "support/defaults.h"
#include "support/message.h"
#include "support/world.h"

#define WALL_MS INT64_C(1795000000123)

/* "web.apps." A IN, RD, with an OPT of 1232 bytes and DO. */
static const uint8_t query_wire[] = "\x12\x67\x01\x00\0\x01\0\0\0\0\0\x01"
                                    "\x03web\x04"
                                    "apps\0\0\x01\0\x01"
                                    "\0\0\x29\x04\xd0\0\0\x80\0\0\0";
#define QUERY_BYTES (sizeof(query_wire) - 1)

static const struct sockaddr_in peer_v4 = {.sin_family = AF_INET};

static struct pin_client a_client(struct sockaddr_in *peer)
{
    *peer = peer_v4;
    peer->sin_port = htons(41234);
    (void)inet_pton(AF_INET, "10.1.0.7", &peer->sin_addr);
    return (struct pin_client){
        .peer = (const struct sockaddr *)peer, .transport = PIN_TRANSPORT_UDP};
}

static struct pin_tap *new_tap(uint32_t log_every, uint32_t dnstap_every)
{
    struct pin_tap *tap = aligned_alloc(_Alignof(struct pin_tap), sizeof(*tap));
    assert_non_null(tap);
    memset(tap, 0, sizeof(*tap));
    tap->log_every = log_every;
    tap->dnstap_every = dnstap_every;
    return tap;
}

static void test_one_in_so_many_is_noted(void **state)
{
    struct pin_tap *tap = new_tap(3, 0);
    unsigned n = 0;
    (void)state;
    for (int i = 0; i < 12; i++) {
        n += pin_tap_begin(tap, 0, query_wire, QUERY_BYTES) != PIN_TAP_NONE;
    }
    assert_int_equal(n, 4);
    free(tap);
}

static void test_records_of_a_batch_arrive_whole_and_in_order(void **state)
{
    struct pin_tap *tap = new_tap(1, 2);
    struct pin_tap_page page;
    struct pin_tap_record record;
    struct sockaddr_in peer;
    struct pin_client client = a_client(&peer);
    uint8_t answer[2000];
    (void)state;
    for (unsigned round = 0; round < 300; round++) { /* the ring wraps */
        uint8_t notes[16];
        for (unsigned i = 0; i < 16; i++) {
            notes[i] = pin_tap_begin(tap, 0, query_wire, QUERY_BYTES - (i == 5));
        }
        for (unsigned i = 0; i < 16; i++) {
            memset(answer, (int)(round + i), sizeof(answer));
            struct pin_response response = {.wire = answer, .used_bytes = 100 * (size_t)i};
            struct pin_tap_why why = {
                .reason = i == 3 ? PIN_REASON_POLICY : PIN_REASON_DRAWN, .cluster_id = (uint16_t)i};
            pin_tap_end(tap, notes[i], &client, &response, &why);
        }
        for (unsigned i = 0; i < 16; i++) {
            assert_true(pin_tap_take(tap, &page, &record));
            assert_int_equal(record.query_bytes, QUERY_BYTES - (i == 5));
            assert_memory_equal(record.query, query_wire, record.query_bytes);
            assert_int_equal(record.answer_bytes, 100 * i);
            for (size_t at = 0; at < record.answer_kept_bytes; at++) {
                assert_int_equal(record.answer[at], (uint8_t)(round + i));
            }
            assert_int_equal(record.wanted, PIN_TAP_LOG | (i % 2 == 0 ? PIN_TAP_DNSTAP : 0));
            assert_int_equal(record.peer.port, 41234);
            assert_int_equal(record.why.cluster_id, i);
            assert_int_equal(record.why.reason, i == 3 ? PIN_REASON_POLICY : PIN_REASON_DRAWN);
        }
        assert_false(pin_tap_take(tap, &page, &record));
    }
    free(tap);
}

static void test_a_full_ring_loses_records_and_counts_them(void **state)
{
    struct pin_tap *tap = new_tap(1, 0);
    struct pin_tap_page page;
    struct pin_tap_record record;
    struct sockaddr_in peer;
    struct pin_client client = a_client(&peer);
    static uint8_t answer[PIN_TAP_ANSWER_MAX + 1];
    struct pin_response response = {.wire = answer, .used_bytes = sizeof(answer)};
    unsigned n_taken = 0;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        uint8_t note = pin_tap_begin(tap, 0, query_wire, QUERY_BYTES);
        pin_tap_end(tap, note, &client, &response, &(struct pin_tap_why){0});
    }
    while (pin_tap_take(tap, &page, &record)) {
        assert_int_equal(record.answer_bytes, sizeof(answer));
        assert_int_equal(record.answer_kept_bytes, PIN_TAP_ANSWER_MAX);
        n_taken++;
    }
    assert_in_range(n_taken, 50, 99);
    assert_int_equal(pin_stat_read(&tap->n_noted), n_taken);
    assert_int_equal(pin_stat_read(&tap->n_lost), 100 - n_taken);
    free(tap);
}

/* --- lines --------------------------------------------------------------------------------- */

static struct pin_tap_record a_record(const uint8_t *query, size_t bytes)
{
    static const uint8_t answer[] = {0x12, 0x67, 0x85, 0x00, 0, 1, 0, 0, 0, 0, 0, 0};
    struct pin_tap_record record = {
        .query_wall_ns = WALL_MS * 1000000,
        .took_ns = 4102,
        .query_bytes = (uint32_t)bytes,
        .query_kept_bytes = (uint32_t)bytes,
        .query = query,
        .answer_bytes = 90,
        .answer_kept_bytes = sizeof(answer),
        .answer = answer,
    };
    assert_true(pin_addrport_parse("10.1.0.7:41234", 0, &record.peer));
    return record;
}

static void assert_line(const struct pin_tap_record *record, const char *line)
{
    struct pin_text text = {0};
    pin_querylog_format(record, &text);
    assert_string_equal(pin_text_get(&text), line);
    pin_text_done(&text);
}

/* Why an answer is as it is, in words that do not change. */
static void test_reasons_are_told(void **state)
{
    static const struct pin_network networks[1] = {{.name = "default"}};
    static const struct pin_cluster_settings clusters[1] = {{.name = "c1"}};
    static struct pin_policy_labels labels = {.n = 2,
        .labels = {[1] = {.cluster = "c1",
                       .kind = "ResolvePolicy",
                       .namespace_name = "apps",
                       .name = "guard"}}};
    struct pin_settings settings = pin_test_settings(networks, 1, clusters, 1);
    struct pin_tap_why why = {.reason = PIN_REASON_DRAWN, .cluster_id = 0, .is_stale = true};
    struct pin_ip ip;
    struct pin_text text = {0};
    (void)state;
    assert_true(pin_ip_parse("10.1.0.7", &ip));
    why.from = pin_prefix_of(&ip, 128);
    pin_tap_why_put(&why, query_wire, QUERY_BYTES, &settings, &labels, &text);
    assert_string_equal(pin_text_get(&text), "why=drawn view=c1 from=10.1.0.7 stale");
    pin_text_cut(&text, 0);
    why = (struct pin_tap_why){.reason = PIN_REASON_POLICY,
        .cluster_id = PIN_CLUSTER_NONE,
        .policy_slot = 1,
        .namespace_bytes = 4,
        .namespace_name = "apps",
        .from = pin_prefix_of(&ip, 24)};
    pin_tap_why_put(&why, query_wire, QUERY_BYTES, &settings, &labels, &text);
    assert_string_equal(pin_text_get(&text),
        "why=policy policy=c1/ResolvePolicy/apps/guard from=10.1.0.0/24 namespace=apps");
    pin_text_cut(&text, 0);
    pin_tap_why_put(&why, query_wire, QUERY_BYTES, NULL, NULL, &text);
    assert_string_equal(pin_text_get(&text), "why=policy from=10.1.0.0/24 namespace=apps");
    pin_text_cut(&text, 0);
    pin_tap_why_put(&(struct pin_tap_why){0}, query_wire, QUERY_BYTES, NULL, NULL, &text);
    assert_string_equal(pin_text_get(&text), "");
    pin_text_done(&text);
}

/* Asks the worker; returns the reason that is noted. */
static enum pin_reason noted(struct pin_worker *worker, const struct message_query *query)
{
    static uint8_t wire[PIN_STREAM_MAX_BYTES];
    struct pin_tap_page page;
    struct pin_tap_record record;
    struct sockaddr_in peer;
    struct pin_client client = a_client(&peer);
    client.listen_cluster_id = PIN_CLUSTER_NONE;
    struct pin_packet packet = {
        .wire = wire, .bytes = message_build(query, wire), .cap_bytes = PIN_UDP_MAX_BYTES};
    assert_true(pin_answer(worker, &client, &packet) > 0);
    assert_true(pin_tap_take(worker->tap, &page, &record));
    return record.why.reason;
}

/* What is settled before any name is looked up says nothing of the question before it. */
static void test_the_server_itself_is_not_drawn(void **state)
{
    const struct message_query stuck = {.name = "stuck.t.example", .type = PIN_TYPE_A};
    const struct message_query version = {
        .name = "version.bind", .type = PIN_TYPE_TXT, .qclass = PIN_CLASS_CH};
    const struct message_query root = {.name = ".", .type = PIN_TYPE_NS};
    struct pin_manners manners = {.version = {.text = "pintle", .bytes = 6}};
    struct world *world = world_new();
    struct pin_worker worker;
    (void)state;
    assert_int_equal(pin_worker_init(&worker, &world->live, PIN_TRANSPORT_UDP, 0), PIN_OK);
    worker.manners = &manners;
    worker.tap = new_tap(1, 0);
    atomic_store(&worker.tap->gate.is_open, 1);
    assert_int_equal(noted(&worker, &stuck), PIN_REASON_STICKY);
    assert_int_equal(noted(&worker, &version), PIN_REASON_WHOLE);
    assert_int_equal(noted(&worker, &root), PIN_REASON_REFUSED);
    free(worker.tap);
    worker.tap = NULL;
    pin_worker_done(&worker);
    world_free(world);
}

static void test_lines_look_as_corednss(void **state)
{
    (void)state;
    struct pin_tap_record record = a_record(query_wire, QUERY_BYTES);
    assert_line(&record, "[INFO] 10.1.0.7:41234 - 4711 \"A IN web.apps. udp 37 true 1232\" "
                         "NOERROR qr,aa,rd 90 0.000004102s\n");
    record.transport = PIN_TRANSPORT_TLS;
    record.rcode = 23;
    assert_true(pin_addrport_parse("[2001:db8::1]:853", 0, &record.peer));
    record.took_ns = 1500000000;
    assert_line(&record, "[INFO] [2001:db8::1]:853 - 4711 \"A IN web.apps. tls 37 true 1232\" "
                         "BADCOOKIE qr,aa,rd 90 1.500000000s\n");
    record = a_record(query_wire, QUERY_BYTES);
    record.why_text = "why=drawn";
    struct pin_text text = {0};
    pin_querylog_format(&record, &text);
    assert_non_null(strstr(pin_text_get(&text), "s why=drawn\n"));
    pin_text_done(&text);
}

static void test_foreign_bytes_stay_in_their_line(void **state)
{
    static const uint8_t odd[] = "\x00\x01\x00\x00\0\x01\0\0\0\0\0\0"
                                 "\x05\n\"%n\x1b\0\x04\x57\0\x03";
    (void)state;
    struct pin_tap_record record = a_record(odd, sizeof(odd) - 1);
    struct pin_text text = {0};
    pin_querylog_format(&record, &text);
    const char *line = pin_text_get(&text);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_null(strchr(line, '\x1b'));
    assert_non_null(strstr(line, "TYPE1111 CH \\010"));
    pin_text_done(&text);

    record = a_record(query_wire, 14); /* the question is cut */
    record.answer_bytes = 0;
    record.answer_kept_bytes = 0;
    assert_line(
        &record, "[INFO] 10.1.0.7:41234 - 4711 \"- - - udp 14 false 512\" - - 0 0.000004102s\n");
}

static void test_a_moved_log_is_opened_again(void **state)
{
    char dir[] = "/tmp/pintle-querylog-XXXXXX";
    char file[64];
    char moved[64];
    struct stat status;
    struct pin_why why = {0};
    struct pin_querylog *log = NULL;
    struct pin_tap_record record = a_record(query_wire, QUERY_BYTES);
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/log", dir);
    (void)snprintf(moved, sizeof(moved), "%s/log.1", dir);
    assert_int_equal(pin_querylog_open(file, &log, &why), PIN_OK);
    pin_querylog_add(log, &record);
    pin_querylog_flush(log);
    assert_int_equal(rename(file, moved), 0);
    pin_querylog_flush(log);
    pin_querylog_add(log, &record);
    pin_querylog_close(log);
    assert_int_equal(stat(moved, &status), 0);
    off_t bytes = status.st_size;
    assert_true(bytes > 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_size, bytes);
    assert_int_not_equal(pin_querylog_open(dir, &log, &why), PIN_OK);
    assert_non_null(strstr(why.text, dir));
    (void)unlink(file);
    assert_int_equal(symlink(moved, file), 0); /* never through a link that somebody laid */
    assert_int_not_equal(pin_querylog_open(file, &log, &why), PIN_OK);
    (void)unlink(file);
    (void)unlink(moved);
    (void)rmdir(dir);
}

/* --- dnstap -------------------------------------------------------------------------------- */

/* The bytes before the embedded message, worked out by hand from dnstap.proto. */
static void test_a_message_is_encoded_as_dnstap_says(void **state)
{
    static const uint8_t peer[] = "\x08\x05"                 /* type CLIENT_QUERY */
                                  "\x10\x01\x18\x01"         /* INET, UDP */
                                  "\x22\x04\x0a\x01\x00\x07" /* query_address */
                                  "\x30\x92\xc2\x02"         /* query_port 41234 */
                                  "\x40\xc0\x8d\xf6\xd7\x06" /* query_time_sec 1795000000 */
                                  "\x4d\xc0\xd4\x54\x07";    /* query_time_nsec 123000000 */
    uint8_t frame[PIN_DNSTAP_HEAD_BYTES + PIN_TAP_ANSWER_MAX];
    struct pin_tap_record record = a_record(query_wire, QUERY_BYTES);
    (void)state;
    size_t bytes = pin_dnstap_encode(&record, false, "here", frame);
    assert_memory_equal(frame, "\x0a\x04here\x12", 7);
    const uint8_t *found = memmem(frame, bytes, peer, sizeof(peer) - 1);
    assert_non_null(found);
    found += sizeof(peer) - 1;
    assert_int_equal(found[0], 0x52); /* query_message */
    assert_int_equal(found[1], QUERY_BYTES);
    assert_memory_equal(found + 2, query_wire, QUERY_BYTES);
    assert_memory_equal(found + 2 + QUERY_BYTES, "\x78\x01", 2); /* Dnstap.type MESSAGE */
    assert_int_equal(found + 2 + QUERY_BYTES + 2 - frame, bytes);
    record.answer_bytes = record.answer_kept_bytes + 1; /* cut: half a message is not told */
    assert_int_equal(pin_dnstap_encode(&record, true, "here", frame), 0);
    record.answer_bytes = 0;
    record.answer_kept_bytes = 0; /* silence */
    assert_int_equal(pin_dnstap_encode(&record, true, "here", frame), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_in_so_many_is_noted),
        cmocka_unit_test(test_records_of_a_batch_arrive_whole_and_in_order),
        cmocka_unit_test(test_a_full_ring_loses_records_and_counts_them),
        cmocka_unit_test(test_reasons_are_told),
        cmocka_unit_test(test_the_server_itself_is_not_drawn),
        cmocka_unit_test(test_lines_look_as_corednss),
        cmocka_unit_test(test_foreign_bytes_stay_in_their_line),
        cmocka_unit_test(test_a_moved_log_is_opened_again),
        cmocka_unit_test(test_a_message_is_encoded_as_dnstap_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
