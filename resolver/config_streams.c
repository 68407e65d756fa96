/* SPDX-License-Identifier: Apache-2.0 */

/* The options of streams: limits on connections, and what TLS is served with. */

#include "resolver/config.h"
#include "resolver/config_options.h"
#include "resolver/https.h"
#include "resolver/worker.h"

#define IN_CONFIG(field) offsetof(struct pin_config, field)
#define IN_LISTEN(field) offsetof(struct pin_config_listen, field)

#define STREAM_RATE_MAX    1000000
#define STREAM_WAIT_MAX_MS 3600000
#define STREAM_LIFE_MAX_MS 86400000
const struct pin_option pin_streams_options[] = {
    {.key = "maxConnections",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(streams.max_connections),
        .min = 1,
        .max = PIN_STREAMS_MAX,
        .fallback = "20000",
        .doc = "Connections in all, as far as descriptors allow."},
    {.key = "maxPerClient",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(streams.max_per_client),
        .min = 1,
        .max = PIN_STREAMS_MAX,
        .fallback = "1000",
        .doc = "Connections of one IPv4 address or IPv6 /64."},
    {.key = "maxPending",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(streams.max_pending),
        .min = 1,
        .max = 65535,
        .fallback = "100",
        .doc = "Questions of one connection that wait for their answer."},
    {.key = "maxQueries",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(streams.max_queries),
        .min = 0,
        .max = UINT32_MAX,
        .fallback = "0",
        .doc = "Queries of one connection, then it is closed; 0 is no limit."},
    {.key = "maxDuration",
        .kind = PIN_OPTION_MS,
        .offset = IN_CONFIG(streams.max_duration_ms),
        .min = 0,
        .max = STREAM_LIFE_MAX_MS,
        .fallback = "0",
        .doc = "How long one connection may live; 0 is no limit."},
    {.key = "idleTimeout",
        .kind = PIN_OPTION_MS,
        .offset = IN_CONFIG(streams.idle_timeout_ms),
        .min = 100,
        .max = STREAM_WAIT_MAX_MS,
        .fallback = "10s",
        .doc = "How long a connection may be without a query."},
    {.key = "readTimeout",
        .kind = PIN_OPTION_MS,
        .offset = IN_CONFIG(streams.read_timeout_ms),
        .min = 100,
        .max = STREAM_WAIT_MAX_MS,
        .fallback = "10s",
        .doc = "How long one query may take to come in."},
    {.key = "writeTimeout",
        .kind = PIN_OPTION_MS,
        .offset = IN_CONFIG(streams.write_timeout_ms),
        .min = 100,
        .max = STREAM_WAIT_MAX_MS,
        .fallback = "10s",
        .doc = "How long a client may take no answer."},
    {.key = "handshakeTimeout",
        .kind = PIN_OPTION_MS,
        .offset = IN_CONFIG(streams.handshake_timeout_ms),
        .min = 100,
        .max = STREAM_WAIT_MAX_MS,
        .fallback = "5s",
        .doc = "How long a TLS handshake may take."},
    {.key = "newPerSecond",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(streams.new_per_second),
        .min = 0,
        .max = STREAM_RATE_MAX,
        .fallback = "0",
        .doc = "New connections of one client; 0 is no limit."},
    {.key = "handshakesPerSecond",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(streams.handshakes_per_second),
        .min = 0,
        .max = STREAM_RATE_MAX,
        .fallback = "0",
        .doc = "Full TLS handshakes of one client; 0 is no limit."},
    {.key = "resumptionsPerSecond",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(streams.resumptions_per_second),
        .min = 0,
        .max = STREAM_RATE_MAX,
        .fallback = "0",
        .doc = "TLS handshakes of one client with a ticket; 0 is no limit."},
    {.key = NULL},
};

/* What DoT and DoH listeners have alike. */
#define CERTIFICATE_OPTION                                                                         \
    {                                                                                              \
        .key = "certificate", .kind = PIN_OPTION_PATH, .offset = IN_LISTEN(tls_certificate),       \
        .doc = "PEM file: the server's certificate, then its chain."                               \
    }
#define KEY_OPTION                                                                                 \
    {                                                                                              \
        .key = "key", .kind = PIN_OPTION_PATH, .offset = IN_LISTEN(tls_key),                       \
        .doc = "PEM file: its key, mode 0640 or less."                                             \
    }

const struct pin_option pin_https_options[] = {
    CERTIFICATE_OPTION,
    KEY_OPTION,
    {.key = "path",
        .kind = PIN_OPTION_STRING,
        .offset = IN_LISTEN(https_path),
        .fallback = PIN_HTTPS_PATH,
        .doc = "Path that questions are sent to; all others are not found."},
    {.key = NULL},
};

const struct pin_option pin_tls_options[] = {
    CERTIFICATE_OPTION,
    KEY_OPTION,
    {.key = NULL},
};

const struct pin_option pin_proxy_options[] = {
    {.key = "from",
        .kind = PIN_OPTION_PREFIXES,
        .offset = IN_LISTEN(proxies),
        .count_offset = IN_LISTEN(n_proxies),
        .example = "[192.0.2.7]",
        .doc = "Load balancers that put a PROXY header, version 2, in front."},
    {.key = NULL},
};

struct pin_stream_limits pin_config_stream_limits(const struct pin_config *config)
{
    const struct pin_config_streams *streams = &config->streams;
    return (struct pin_stream_limits){
        .n_max = streams->max_connections,
        .n_max_per_client = streams->max_per_client,
        .n_max_pending = streams->max_pending,
        .n_max_queries = streams->max_queries,
        .max_duration_ms = (uint32_t)streams->max_duration_ms,
        .idle_timeout_ms = (uint32_t)streams->idle_timeout_ms,
        .read_timeout_ms = (uint32_t)streams->read_timeout_ms,
        .write_timeout_ms = (uint32_t)streams->write_timeout_ms,
        .handshake_timeout_ms = (uint32_t)streams->handshake_timeout_ms,
        .rates =
            {
                [PIN_RATE_CONNECTIONS] = streams->new_per_second,
                [PIN_RATE_HANDSHAKES] = streams->handshakes_per_second,
                [PIN_RATE_RESUMPTIONS] = streams->resumptions_per_second,
            },
    };
}
