/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What the worker threads count: one block per thread, summed when somebody asks.
 *
 * The answer path adds to one counter per query; it reads no clock.
 */

#include <stdint.h>

#include "pintle/base/stat.h"
#include "pintle/zones/policy.h"

/** How a query came. */
enum pin_transport {
    PIN_TRANSPORT_UDP,
    PIN_TRANSPORT_TCP,
    PIN_TRANSPORT_TLS,   /**< DNS over TLS (RFC 7858). */
    PIN_TRANSPORT_HTTPS, /**< DNS over HTTPS (RFC 8484). */
    PIN_TRANSPORT_MAX,
};

/** The query types that are counted by name; all others count as "other". */
#define PIN_STAT_QTYPE_MAP(X)                                                                      \
    X(A, 1)                                                                                        \
    X(NS, 2)                                                                                       \
    X(CNAME, 5)                                                                                    \
    X(SOA, 6)                                                                                      \
    X(PTR, 12)                                                                                     \
    X(MX, 15)                                                                                      \
    X(TXT, 16)                                                                                     \
    X(AAAA, 28)                                                                                    \
    X(SRV, 33)                                                                                     \
    X(DS, 43)                                                                                      \
    X(DNSKEY, 48)                                                                                  \
    X(SVCB, 64)                                                                                    \
    X(HTTPS, 65)                                                                                   \
    X(IXFR, 251)                                                                                   \
    X(AXFR, 252)                                                                                   \
    X(ANY, 255)

/** Position of a query type in the counters. */
enum pin_stat_qtype {
    PIN_STAT_QTYPE_OTHER,
#define X(name, type) PIN_STAT_QTYPE_##name,
    PIN_STAT_QTYPE_MAP(X)
#undef X
        PIN_STAT_QTYPE_MAX,
};

/** The response codes that are counted by name; all others count as "other". */
#define PIN_STAT_RCODE_MAP(X)                                                                      \
    X(NOERROR, 0)                                                                                  \
    X(FORMERR, 1)                                                                                  \
    X(SERVFAIL, 2)                                                                                 \
    X(NXDOMAIN, 3)                                                                                 \
    X(NOTIMP, 4)                                                                                   \
    X(REFUSED, 5)                                                                                  \
    X(NOTAUTH, 9)                                                                                  \
    X(BADVERS, 16)                                                                                 \
    X(BADCOOKIE, 23)

/** Position of a response code in the counters. */
enum pin_stat_rcode {
    PIN_STAT_RCODE_OTHER,
#define X(name, rcode) PIN_STAT_RCODE_##name,
    PIN_STAT_RCODE_MAP(X)
#undef X
        PIN_STAT_RCODE_MAX,
};

/** Counters beside the queries: name of the field and what it counts. */
#define PIN_STAT_EVENT_MAP(X)                                                                      \
    X(n_dropped, "messages that were no queries and got no answer")                                \
    X(n_truncated, "answers with the TC bit")                                                      \
    X(n_stale, "answers that hold data of a cluster out of reach (EDE 3)")                         \
    X(n_cache_hits, "queries answered from the cache")                                             \
    X(n_cache_misses, "queries that had to wait for a resolver")                                   \
    X(n_cache_stale, "queries answered with expired data because no resolver answered")            \
    X(n_denied, "answers that a policy kept from the asker")                                       \
    X(n_would_deny, "answers that a policy in audit mode would have kept from the asker")          \
    X(n_cookies_good, "queries with a good server's cookie")                                       \
    X(n_cookies_bad, "queries with a server's cookie that is not good")                            \
    X(n_rate_dropped, "answers over UDP not sent: their network gets too many of them")            \
    X(n_rate_slipped, "answers sent as an empty one with TC for that reason")                      \
    X(n_axfr, "transfers of a whole zone")                                                         \
    X(n_ixfr, "transfers of a zone's steps from one serial to another")                            \
    X(n_transfers_refused, "queries for a transfer by somebody who may not have it")               \
    X(n_transfers_cut, "transfers whose client left before their end")                             \
    X(n_receive_errors, "receive calls that failed")                                               \
    X(n_send_errors, "answers that the kernel did not take")                                       \
    X(n_accepted, "stream connections accepted")                                                   \
    X(n_accept_errors, "accept calls that failed, most often for lack of descriptors")             \
    X(n_evicted, "stream connections closed to make room within a limit")                          \
    X(n_turned_away, "stream connections closed at once, for whatever reason")                     \
    X(n_listener_full, "stream connections closed at once: their listener has no more")            \
    X(n_rate_limited, "stream connections closed at once: too many of one client in a second")     \
    X(n_handshakes_refused,                                                                        \
        "TLS connections closed: too many handshakes of one client in a second")                   \
    X(n_bad_proxy, "messages and connections without the PROXY header that their listener wants")  \
    X(n_timed_out, "stream connections closed for waiting too long, whatever for")                 \
    X(n_idle, "of these, connections without a query")                                             \
    X(n_slow_queries, "of these, connections in the middle of a query")                            \
    X(n_slow_readers, "of these, connections whose client took no answer")                         \
    X(n_slow_handshakes, "of these, connections in the middle of a TLS handshake")                 \
    X(n_unanswered, "of these, connections for which no late answer came")                         \
    X(n_query_limit, "stream connections closed after all the queries that one may have")          \
    X(n_time_limit, "stream connections ended after all the time that one may have")               \
    X(n_tls_full, "TLS handshakes that were carried out in full")                                  \
    X(n_tls_resumed, "TLS handshakes that a session ticket made short")                            \
    X(n_https_refused, "HTTP requests that got an error instead of an answer")                     \
    X(n_https_floods, "HTTP/2 connections ended because their clients made too much work")         \
    X(n_tls_failed, "TLS connections that ended before their handshake was over")

/** The counters of one thread. Zeroed is empty. */
struct pin_stats {
    PIN_STAT_ALIGNED struct pin_stat queries[PIN_TRANSPORT_MAX][PIN_STAT_QTYPE_MAX]
                                            [PIN_STAT_RCODE_MAX];
#define X(name, text) struct pin_stat name;
    PIN_STAT_EVENT_MAP(X)
#undef X
    struct pin_stat denied_by[PIN_POLICY_SLOTS];     /**< By policy: answers kept back. */
    struct pin_stat would_deny_by[PIN_POLICY_SLOTS]; /**< The same, by policies that audit. */
    struct pin_stat n_open;                          /**< Gauge: stream connections open now. */
};

/** The sum over threads. */
struct pin_stats_sum {
    uint64_t queries[PIN_TRANSPORT_MAX][PIN_STAT_QTYPE_MAX][PIN_STAT_RCODE_MAX];
#define X(name, text) uint64_t name;
    PIN_STAT_EVENT_MAP(X)
#undef X
    uint64_t denied_by[PIN_POLICY_SLOTS];
    uint64_t would_deny_by[PIN_POLICY_SLOTS];
    uint64_t n_open; /**< Gauge: stream connections open now. */
};

/** Counts one answered query. Type and response code in host byte order. Its thread. Hot path. */
void pin_stats_count(
    struct pin_stats *stats, enum pin_transport transport, uint16_t qtype, uint16_t rcode);

/** Adds the counters of one thread to a sum. Any thread. */
void pin_stats_add_to(const struct pin_stats *stats, struct pin_stats_sum *sum);

/** "udp", "tcp", "tls" or "https". Static. */
const char *pin_transport_name(enum pin_transport transport);

/** Label of a query type position, e.g. "AAAA", or "other". Static. */
const char *pin_stat_qtype_name(enum pin_stat_qtype qtype);

/** Room for the text of any query type. */
#define PIN_STAT_TYPE_TEXT_MAX 12u

/** "AAAA", or "TYPE99" for a type that is not counted by name. Returns static text or `cell`. */
const char *pin_stat_type_text(uint16_t qtype, char cell[PIN_STAT_TYPE_TEXT_MAX]);

/** Label of a response code position, e.g. "NXDOMAIN", or "other". Static. */
const char *pin_stat_rcode_name(enum pin_stat_rcode rcode);
