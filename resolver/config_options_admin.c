/* SPDX-License-Identifier: Apache-2.0 */

/* The options of `admin:` and `metrics:`. */

#include "resolver/admin_access.h"
#include "resolver/config.h"
#include "resolver/config_options.h"

#define IN_CONFIG(field) offsetof(struct pin_config, field)

static const struct pin_option admin_tls_options[] = {
    {.key = "certificate",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CONFIG(admin_tls.certificate),
        .doc = "PEM file: the admin side's certificate, then its chain."},
    {.key = "key",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CONFIG(admin_tls.key),
        .doc = "PEM file: its key, mode 0640 or less."},
    {.key = "clientCA",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CONFIG(admin_tls.client_ca),
        .doc = "PEM file: who shows a certificate that one of these vouches for needs no token; "
               "with it all but health and metrics wants a certificate or the token."},
    {.key = NULL},
};

const struct pin_option pin_admin_options[] = {
    {.key = "address",
        .kind = PIN_OPTION_ADDRPORT,
        .offset = IN_CONFIG(admin),
        .max = PIN_ADMIN_PORT,
        .fallback = "127.0.0.1:9153",
        .doc = "Address and port of metrics, health, API and dashboard."},
    {.key = "tokenFile",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CONFIG(admin_token_file),
        .doc = "A file with the token that all but health and metrics wants; without one only "
               "this machine sees the rest."},
    {.key = "tls",
        .kind = PIN_OPTION_MAP,
        .children = admin_tls_options,
        .said_offset = IN_CONFIG(has_admin_tls),
        .example = "{certificate: tls.crt, key: tls.key, clientCA: people.crt}",
        .doc = "Makes the admin side HTTPS; `metrics.address` stays plain."},
    {.key = "open",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(admin_is_open),
        .fallback = "false",
        .doc = "Shows everything to everybody who reaches the address, without a token."},
    {.key = "changes",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(admin_changes),
        .words = "local|token|none",
        .min = PIN_ADMIN_CHANGES_LOCAL,
        .fallback = "local",
        .doc = "Who may change something: programs on this machine, whoever has the token or a "
               "certificate, nobody."},
    {.key = NULL},
};

const struct pin_option pin_metrics_options[] = {
    {.key = "address",
        .kind = PIN_OPTION_ADDRPORT,
        .offset = IN_CONFIG(metrics),
        .max = PIN_METRICS_PORT,
        .doc = "Address and port of health and metrics alone, beside `admin.address`."},
    {.key = NULL},
};
