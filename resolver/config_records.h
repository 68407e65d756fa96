/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The part of the configuration that is about other people's DNS servers: `records:`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/zones/recordplan.h"

#include "resolver/config_findings.h"

struct pin_config;

/** Entries of `records:`, zones of one, and static sets of one. */
#define PIN_RECORDS_MAX         64
#define PIN_RECORDS_ZONES_MAX   1000
#define PIN_RECORDS_ENTRIES_MAX 10000

/** Which kind of server: the words of `provider`, in this order. */
enum pin_config_provider {
    PIN_CONFIG_PROVIDER_UNSAID,
    PIN_CONFIG_RFC2136,
    PIN_CONFIG_POWERDNS,
    PIN_CONFIG_ROUTE53,
    PIN_CONFIG_WEBHOOK,
    PIN_CONFIG_ZONEFILE,
};

/** What names point at: the words of `targets`. */
enum pin_config_targets {
    PIN_CONFIG_TARGETS_ADDRESSES,
    PIN_CONFIG_TARGETS_ASSIGNED,
};

/** A set that is written down in the configuration. */
struct pin_config_record_entry {
    struct pin_at at;
    const char *name;
    const char *type;
    uint32_t ttl_s; /**< 0: the provider's default. */
    const char *const *targets;
    size_t n_targets;
    const char *set_id;            /**< NULL: none. */
    const char *const *properties; /**< "aws/weight=10" */
    size_t n_properties;
};

/** A zone of Route 53 whose id is known. */
struct pin_config_zone_id {
    struct pin_at at;
    const char *zone;
    const char *id;
};

/** `rfc2136`. */
struct pin_config_rfc2136 {
    struct pin_addrport server;
    const char *key_name; /**< NULL: not signed. */
    unsigned algorithm;   /**< enum pin_hash. */
    const char *secret_file;
};

/** `powerdns`. */
struct pin_config_powerdns {
    const char *url;
    const char *server;
    const char *api_key_file;
    const char *ca; /**< NULL: whom the system trusts. */
};

/** `route53`; texts are NULL where not said. */
struct pin_config_route53 {
    const char *endpoint;
    const char *region;
    const char *access_key_file;
    const char *secret_key_file;
    const char *ca;
    bool is_private;
    const struct pin_config_zone_id *zones;
    size_t n_zones;
};

/** `webhook`. */
struct pin_config_webhook {
    const char *url;
    const char *ca; /**< NULL: whom the system trusts. */
};

/** `zonefile`. */
struct pin_config_zone_directory {
    const char *directory;
    const char *const *ns;
    size_t n_ns;
    const char *hostmaster; /**< NULL: below each zone. */
};

/** One entry of `records:`. */
struct pin_config_records {
    struct pin_at at;
    const char *name;
    unsigned provider; /**< enum pin_config_provider. */
    const char *const *zones;
    size_t n_zones;
    unsigned policy;            /**< 0: not said; else enum pin_recordplan_policy + 1. */
    const char *owner;          /**< clusterSet when not said. */
    const char *txt_prefix;     /**< Lower case, as for the others; "" where not set. */
    const char *txt_suffix;     /**< */
    const char *txt_wildcard;   /**< */
    const char *txt_key_file;   /**< NULL: ownership is not encrypted. */
    uint32_t delete_percent;    /**< maxDeletes */
    uint32_t interval_s;        /**< Between looks at the zones, when nothing changes. */
    bool is_dry_run;            /**< Plans are shown, nothing is changed. */
    unsigned targets;           /**< enum pin_config_targets. */
    const char *const *sources; /**< Kinds whose names count; none: all. */
    size_t n_sources;
    struct pin_config_record_entry *entries;
    size_t n_entries;
    bool has_provider[PIN_CONFIG_ZONEFILE + 1]; /**< By enum pin_config_provider: it is said. */
    struct pin_config_rfc2136 rfc2136;
    struct pin_config_powerdns powerdns;
    struct pin_config_route53 route53;
    struct pin_config_webhook webhook;
    struct pin_config_zone_directory zonefile;
};

/** Whether names of objects of that kind ("HTTPRoute") are wanted by an entry. */
bool pin_config_records_want(const struct pin_config_records *records, const char *kind);

/** Fills in what follows from other keys: owners, lower case. Once, before the checks. */
void pin_config_records(struct pin_config *config, struct pin_findings *findings);

/** The part of pin_config_check() that is about records: pin_config_check() calls it. */
void pin_config_check_records(const struct pin_config *config, struct pin_findings *findings);
