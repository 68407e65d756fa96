/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The options of the configuration file: one row each. Loader, checks and messages follow from it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the value of an option is and what is filled in. */
enum pin_option_kind {
    PIN_OPTION_END,       /**< Ends a table. */
    PIN_OPTION_FIXED,     /**< A text that must be exactly `fallback`; fills nothing. */
    PIN_OPTION_MAP,       /**< A map; `children` fill the same struct. */
    PIN_OPTION_ITEMS,     /**< A list of maps: pointer at `offset`, size_t at `count_offset`. */
    PIN_OPTION_STRING,    /**< const char *, empty only if `fallback` is; `max` bytes unless 0. */
    PIN_OPTION_LABEL,     /**< const char *, an RFC 1123 label. */
    PIN_OPTION_NAME,      /**< const char *, a DNS name, lower case, no trailing dot. */
    PIN_OPTION_NAMES,     /**< A list of them: const char *const *, size_t. */
    PIN_OPTION_STRINGS,   /**< A list of texts: const char *const *, size_t; `max` 1: or one. */
    PIN_OPTION_PATH,      /**< const char *, relative to the file's directory; `max` 1: or "". */
    PIN_OPTION_BOOL,      /**< bool. */
    PIN_OPTION_UINT,      /**< uint32_t, `min` to `max`. */
    PIN_OPTION_PERCENT,   /**< A share, e.g. 20%: uint32_t, `min` to `max`. */
    PIN_OPTION_BYTES,     /**< A size, e.g. 64Mi: uint64_t, `min` to `max`. */
    PIN_OPTION_SECONDS,   /**< A duration: uint32_t seconds, `min` to `max`. */
    PIN_OPTION_MS,        /**< A duration: uint64_t milliseconds, `min` to `max`. */
    PIN_OPTION_WORD,      /**< One of `words`: unsigned, `min` + its position. */
    PIN_OPTION_ADDRPORT,  /**< struct pin_addrport; `max` is the port when none is written. */
    PIN_OPTION_ADDRPORTS, /**< A list of them: struct pin_addrport *, size_t. */
    PIN_OPTION_GATEWAYS,  /**< A list of struct pin_config_gateway; `children` are the map's. */
    PIN_OPTION_PREFIXES,  /**< A list of ranges: struct pin_prefix *, size_t. */
    PIN_OPTION_CLIENTS,   /**< The same, or maps {net, zone}; zones: const char ** at `min`. */
};

/** One option. */
struct pin_option {
    const char *key;
    enum pin_option_kind kind;
    bool is_command;     /**< STRINGS: a program and arguments, which may be secrets. */
    bool is_kept;        /**< A reload does not change it, nor what is below it. */
    size_t offset;       /**< Into the struct that the table fills. */
    size_t count_offset; /**< Lists: where their length goes. */
    uint64_t min;
    uint64_t max;
    const char *fallback; /**< Default as text; NULL: none, the field stays zero. */
    const char *words;    /**< WORD: the words, separated by '|'. */
    const struct pin_option *children;
    size_t item_bytes;    /**< ITEMS: size of one. */
    size_t said_offset;   /**< Where a bool notes that it was said, or 0. */
    const char *doc;      /**< One sentence. */
    const char *example;  /**< A value as it is written inside []; NULL: one of its kind will do. */
    const char *required; /**< Told where its map does not say it; NULL: it need not. */
};

/** The options of `streams`, which fill a struct pin_config, and of a listener's `tls`, `https` and
 * `proxy`. */
extern const struct pin_option pin_streams_options[];
extern const struct pin_option pin_https_options[];
extern const struct pin_option pin_tls_options[];
extern const struct pin_option pin_proxy_options[];

/** The options of one entry of `networks`, which fill a struct pin_config_network. */
extern const struct pin_option pin_network_options[];

/** The options of a cluster's `etcd`, and of `publish`, which fill a struct pin_config_cluster and
 * a struct pin_config. */
extern const struct pin_option pin_cluster_etcd_options[];
extern const struct pin_option pin_publish_options[];
/** Those of `recordsLease.etcd`, which fill a struct pin_config. */
extern const struct pin_option pin_records_etcd_options[];

/** The options of the file itself; they fill a struct pin_config. */
extern const struct pin_option pin_options[];

/** Those of `admin` and `metrics`, which fill a struct pin_config. */
extern const struct pin_option pin_admin_options[];
extern const struct pin_option pin_metrics_options[];

/** Parts of them: `compat`, `cookies` and `rateLimit`. */
extern const struct pin_option pin_compat_options[];
extern const struct pin_option pin_options_cookies[];
extern const struct pin_option pin_options_rate[];
/** Those of one entry of `forward:`, and of `cache:`. */
extern const struct pin_option pin_forward_options[];
extern const struct pin_option pin_cache_options[];
/** Those of `log`, `queryLog` and `dnstap`, which fill a struct pin_config. */
extern const struct pin_option pin_log_options[];
extern const struct pin_option pin_query_log_options[];
extern const struct pin_option pin_dnstap_options[];
/** Those of `writeBack`, which fill a struct pin_config. */
extern const struct pin_option pin_write_options[];
/** Those of one entry of `records:`, which fill a struct pin_config_records. */
extern const struct pin_option pin_records_options[];

/** Those of `sandbox`. */
extern const struct pin_option pin_sandbox_options[];

/** Those of `recordsLease:`. */
extern const struct pin_option pin_records_lease_options[];
