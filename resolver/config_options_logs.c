/* SPDX-License-Identifier: Apache-2.0 */

/* The options of `log:`, `queryLog:` and `dnstap:`. */

#include "resolver/config.h"
#include "resolver/config_options.h"

#define IN_CONFIG(field) offsetof(struct pin_config, field)

const struct pin_option pin_query_log_options[] = {
    {.key = "file",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CONFIG(tap.log_file),
        .example = "queries.log",
        .doc = "File that lines are appended to; opened again when it was moved away."},
    {.key = "stdout",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(logs_to_stdout),
        .fallback = "false",
        .doc = "Lines go to standard output."},
    {.key = "sample",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(log_sample),
        .min = 1,
        .max = UINT32_MAX,
        .fallback = "1",
        .doc = "One in so many questions gets a line."},
    {.key = NULL},
};

const struct pin_option pin_dnstap_options[] = {
    {.key = "socket",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CONFIG(tap.dnstap_socket),
        .example = "/run/dnstap.sock",
        .doc = "Unix socket of the collector."},
    {.key = "address",
        .kind = PIN_OPTION_ADDRPORT,
        .offset = IN_CONFIG(tap.dnstap_tcp),
        .max = PIN_DNSTAP_PORT,
        .example = "\"192.0.2.9:6000\"",
        .doc = "Address and port of the collector."},
    {.key = "identity",
        .kind = PIN_OPTION_STRING,
        .offset = IN_CONFIG(tap.dnstap_identity),
        .example = "ns1",
        .doc = "Name of this server; the host's when not said."},
    {.key = "sample",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(dnstap_sample),
        .min = 1,
        .max = UINT32_MAX,
        .fallback = "1",
        .doc = "One in so many questions is sent."},
    {.key = NULL},
};

const struct pin_option pin_log_options[] = {
    {.key = "level",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(log_level),
        .words = "debug|info|warn|error",
        .min = PIN_LOG_DEBUG,
        .fallback = "info",
        .doc = "Least severe lines that are written."},
    {.key = "format",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(log_format),
        .words = "text|json",
        .min = PIN_LOG_TEXT,
        .fallback = "text",
        .doc = "How lines look."},
    {.key = NULL},
};
