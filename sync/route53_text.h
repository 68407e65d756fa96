/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What Route 53 (API 2013-04-01) says and is told: record sets in XML, with octal escapes.
 *
 * Properties are named as external-dns names them ("aws/weight", "alias"). What Route 53 knows and
 * external-dns does not name (traffic policies, CIDR routing) shows as properties of our own, so
 * that such a set never looks like a simple one; none of those can be written.
 *
 * Pure. Source: Amazon Route 53 API reference, ChangeResourceRecordSets and
 * ListResourceRecordSets.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"

#include "provider.h"
#include "provider_sets.h"

struct pin_text;

/** What a TTL of 0 becomes. */
#define PIN_ROUTE53_TTL_S 300
/** Room for the id of a zone, with its NUL. */
#define PIN_ROUTE53_ID_MAX 64
/** Characters of all values of a request; no value weighs less than 32, so that 1000 records weigh
 * as much. */
#define PIN_ROUTE53_BATCH_WEIGHT 32000
/** Longest code of an error, with its NUL. */
#define PIN_ROUTE53_CODE_MAX 64

/** Where a listing goes on. All heap; NULL: it does not. */
struct pin_route53_next {
    char *name; /**< As Route 53 wrote it. */
    char *type;
    char *set_id;
};

/** Frees what it holds and empties it. */
void pin_route53_next_done(struct pin_route53_next *next);

/**
 * Adds a page of a listing.
 *
 * @param scratch   Reset before it returns.
 * @param ret_next  The caller's, also on errors; a zeroed one.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT or PIN_ENOMEM.
 */
enum pin_err pin_route53_read_page(const char *text, size_t bytes, struct pin_arena *scratch,
    struct pin_provider_sets *sets, struct pin_route53_next *ret_next, struct pin_why *why);

/** Zones of one name, so far. Begin with zeros. */
struct pin_route53_zones {
    char id[2][PIN_ROUTE53_ID_MAX];   /**< The first public one, the first private one. */
    size_t n[2];                      /**< How many there are of each. */
    char next_id[PIN_ROUTE53_ID_MAX]; /**< Where the list goes on; "": nowhere. */
};

/** Adds a page of ListHostedZonesByName; as above. `zone` is canonical. */
enum pin_err pin_route53_read_zones(const char *text, size_t bytes, struct pin_arena *scratch,
    const char *zone, struct pin_route53_zones *zones, struct pin_why *why);

/** The zone that changes are for. */
struct pin_route53_zone {
    const char *name;
    const char *id;
};

/**
 * Appends the body of ChangeResourceRecordSets.
 * @return PIN_OK, PIN_EINVAL when one of the changes cannot be said (a property that is not known,
 *         an alias of nothing), PIN_ENOMEM.
 */
enum pin_err pin_route53_put_batch(struct pin_text *out, const struct pin_route53_zone *zone,
    const struct pin_provider_change *changes, size_t n_changes, struct pin_why *why);

/** What a change weighs of PIN_ROUTE53_BATCH_WEIGHT. */
size_t pin_route53_weight(const struct pin_provider_change *change);

/** The code and the message of an answer that is an error; "" where there is none. */
void pin_route53_read_error(const char *text, size_t bytes, char ret_code[PIN_ROUTE53_CODE_MAX],
    char ret_message[PIN_PROVIDER_MESSAGE_MAX]);

/** Adds a set that is wanted as Route 53 would list it: a CNAME that is to be an alias as A and
 * AAAA. */
enum pin_err pin_route53_adjust(const struct pin_recordset *set,
    const struct pin_route53_zone *zone, struct pin_provider_sets *sets, struct pin_why *why);
