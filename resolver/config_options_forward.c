/* SPDX-License-Identifier: Apache-2.0 */

/* The options of `forward:` and `cache:`. */

#include "resolver/config.h"
#include "resolver/config_options.h"

#define IN_CONFIG(field)  offsetof(struct pin_config, field)
#define IN_FORWARD(field) offsetof(struct pin_config_forward, field)

const struct pin_option pin_forward_options[] = {
    {.key = "zone",
        .kind = PIN_OPTION_STRING,
        .offset = IN_FORWARD(zone),
        .fallback = ".",
        .doc = "Names at and below it go there; the longest zone that fits counts."},
    {.key = "to",
        .kind = PIN_OPTION_STRINGS,
        .offset = IN_FORWARD(to),
        .count_offset = IN_FORWARD(n_to),
        .max = 1,
        .example = "[192.0.2.53, \"tls://192.0.2.54\"]",
        .doc = "Resolvers: ADDR[:PORT], tls://ADDR[:PORT], or the path of a resolv.conf."},
    {.key = "tlsName",
        .kind = PIN_OPTION_NAME,
        .offset = IN_FORWARD(tls_name),
        .example = "dns.corp.example",
        .doc = "Whom the certificates of tls:// must name; their addresses when not said."},
    {.key = "ca",
        .kind = PIN_OPTION_PATH,
        .offset = IN_FORWARD(ca),
        .example = "corp-ca.pem",
        .doc = "Who must have signed them; whom the system trusts when not said. A reload reads it "
               "again, but not with publish."},
    {.key = "trusted",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_FORWARD(is_trusted),
        .fallback = "false",
        .doc = "Whether the AD bit of their answers is passed on."},
    {.key = "randomCase",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_FORWARD(mixes_case),
        .fallback = "true",
        .doc = "Whether names are sent in random case, against forged answers."},
    {.key = NULL},
};

#define CACHE_BYTES_MIN (UINT64_C(1) << 20)
#define CACHE_BYTES_MAX (UINT64_C(1) << 36)
#define CACHE_TTL_MAX_S 604800u
#define STALE_MAX_S     UINT64_C(259200)

const struct pin_option pin_cache_options[] = {
    {.key = "size",
        .kind = PIN_OPTION_BYTES,
        .offset = IN_CONFIG(cache_bytes),
        .min = CACHE_BYTES_MIN,
        .max = CACHE_BYTES_MAX,
        .fallback = "64Mi",
        .doc = "Memory of the cache, all of it counted."},
    {.key = "minTTL",
        .kind = PIN_OPTION_SECONDS,
        .offset = IN_CONFIG(cache_min_ttl_s),
        .max = CACHE_TTL_MAX_S,
        .fallback = "0",
        .doc = "Shortest time an answer is kept."},
    {.key = "maxTTL",
        .kind = PIN_OPTION_SECONDS,
        .offset = IN_CONFIG(cache_max_ttl_s),
        .min = 1,
        .max = CACHE_TTL_MAX_S,
        .fallback = "86400",
        .doc = "Longest time an answer is kept."},
    {.key = "serveStale",
        .kind = PIN_OPTION_SECONDS,
        .offset = IN_CONFIG(cache_stale_s),
        .max = STALE_MAX_S,
        .fallback = "86400",
        .doc = "How long expired answers may be served while no resolver answers; 0: never."},
    {.key = "prefetch",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(cache_prefetches),
        .fallback = "true",
        .doc = "Whether popular answers are renewed before they expire."},
    {.key = NULL},
};
