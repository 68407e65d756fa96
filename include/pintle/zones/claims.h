/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Claims: the record sets that one object of one cluster wants in the outside DNS.
 *
 *     annotations of external-dns, hostnames, addresses  ->  sets for a plan (zones/recordplan.h)
 *
 * Annotations count under both prefixes, external-dns.kubernetes.io/ and
 * external-dns.alpha.kubernetes.io/; where both say something, the former. Pure; any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/zones/recordset.h"

struct pin_arena;

/** What keys of external-dns's annotations begin with, now and formerly. */
#define PIN_CLAIM_PREFIX     "external-dns.kubernetes.io/"
#define PIN_CLAIM_PREFIX_OLD "external-dns.alpha.kubernetes.io/"

/** One annotation. Borrowed. */
struct pin_claim_annotation {
    const char *key;
    const char *value;
};

/** Which hostnames of an object count: annotation ingress- or gateway-hostname-source. */
enum pin_claim_hostnames {
    PIN_CLAIM_HOSTNAMES_ALL,
    PIN_CLAIM_HOSTNAMES_ANNOTATION, /**< annotation-only */
    PIN_CLAIM_HOSTNAMES_DEFINED,    /**< defined-hosts-only: those of its spec. */
    PIN_CLAIM_HOSTNAMES_NONE,       /**< Something else was said. */
};

/** What external-dns's annotations say. Absent texts are NULL. */
struct pin_claim_notes {
    const char *hostnames;          /**< hostname: "a.example.com, b.example.com" */
    const char *internal_hostnames; /**< internal-hostname */
    const char *targets;            /**< target */
    const char *set_id;             /**< set-identifier */
    uint32_t ttl_s;                 /**< ttl; 0: not said, or not to be read as one. */
    enum pin_claim_hostnames source;
    bool is_foreign;                           /**< controller names somebody else. */
    struct pin_recordset_property *properties; /**< "aws/weight", "alias" ... */
    size_t n_properties;
};

/** What a claim is made of, beside the annotations. All borrowed; texts may be as written. */
struct pin_claim_object {
    struct pin_recordset_source source;
    const char *const *hostnames; /**< Of its spec. */
    size_t n_hostnames;
    const char *assigned; /**< The name to point to; NULL: addresses instead. */
    const char *const *zones;
    size_t n_zones;           /**< Apexes, canonical: there an alias cannot be. */
    const struct pin_ip *ips; /**< Load balancers and gateways, healthy ones. */
    size_t n_ips;
    const char *const *hosts; /**< The same by name; for objects without addresses. */
    size_t n_hosts;
    const struct pin_ip *internal_ips; /**< ClusterIPs, for internal-hostname. */
    size_t n_internal_ips;
};

/** Names of one object that count, those of its spec first. */
#define PIN_CLAIM_NAMES_MAX 10000u
/** Values that the sets of one object have together before the names that follow only hold what was
 * there: names times targets, of which one object may have some thousands each. */
#define PIN_CLAIM_VALUES_MAX 20000u

/** Sets, and what could not be made one. */
struct pin_claims {
    struct pin_recordset *sets;
    size_t n_sets;
    size_t n_invalid;  /**< Names and targets that are none. */
    bool is_oversized; /**< It reached PIN_CLAIM_NAMES_MAX or PIN_CLAIM_VALUES_MAX. */
};

/**
 * A TTL as external-dns reads it: "60", "1m", "1h30m", "1.5s" (cut to whole seconds).
 * 0 for what is no TTL from 1 to 2^31-1.
 */
uint32_t pin_claim_ttl(const char *text);

/** Each item of "a, b ,c" after the other, without blanks, in the arena; NULL at the end, or when
 * memory is out. */
char *pin_claim_next_item(struct pin_arena *arena, const char **list);

/** How many items that may be at most; 0 for NULL. */
size_t pin_claim_count_items(const char *list);

/** Reads annotations; others are passed over. False when memory is out. */
bool pin_claim_notes_read(struct pin_arena *arena, const struct pin_claim_annotation *annotations,
    size_t n_annotations, struct pin_claim_notes *ret_notes);

/**
 * Makes the sets. An object with names and no target at all makes sets without values that hold
 * what its cluster gave before.
 *
 * @param ret_claims  In the arena; borrows from object and notes.
 * @return False when memory is out.
 */
bool pin_claims_make(struct pin_arena *arena, const struct pin_claim_object *object,
    const struct pin_claim_notes *notes, struct pin_claims *ret_claims);

/** Records as a DNSEndpoint or the configuration writes them. Borrowed. */
struct pin_claim_record {
    const char *name;
    const char *type;
    const char *set_id; /**< NULL: none. */
    uint32_t ttl_s;     /**< 0: the provider's default. */
    const char *const *targets;
    size_t n_targets;
    const struct pin_recordset_property *properties;
    size_t n_properties;
};

/**
 * Makes a set of each record, its targets canonical. One whose targets are all none, or that has
 * none, holds what its cluster gave before. Returns as pin_claims_make() does.
 */
bool pin_claims_of_records(struct pin_arena *arena, const struct pin_recordset_source *source,
    const struct pin_claim_record *records, size_t n_records, struct pin_claims *ret_claims);
