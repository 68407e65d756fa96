/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Decode: a Kubernetes object as a tree becomes a plain struct pin_object. No I/O, no state.
 *
 *     tree -> kind's row (group, version, kind) -> metadata and annotations -> the row's function
 *
 * One decoder serves API servers and manifests. A kind is added with one row in decode.c and one
 * function. Unknown fields are ignored; known ones of a wrong shape are errors that name the
 * object, the field and, where the tree knows them, line and column. What an annotation says is
 * advice: one that cannot be read is logged, and the object counts without it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/json.h"
#include "pintle/base/tree.h"
#include "pintle/zones/object.h"

struct pin_decoder;

/** Versions of one kind that are read, best first. */
#define PIN_KIND_VERSIONS_MAX 3

/** One kind that is read. */
struct pin_kind_row {
    enum pin_kind kind;
    bool is_namespaced;
    const char *group;                           /**< "" for the core group. */
    const char *versions[PIN_KIND_VERSIONS_MAX]; /**< NULL where there are fewer. */
    const char *plural;                          /**< As in the API's paths. */
    const char *resource;  /**< As kubectl names it, "gateways.gateway.networking.k8s.io". */
    const char *kind_text; /**< As in `kind:`. */
    /** Fills in the kind's body; failures stick to the decoder. NULL: nothing to read. */
    void (*decode)(struct pin_decoder *decoder);
    /** Bytes that the body of this tree will take; NULL: little. */
    size_t (*size)(const struct pin_tree *object);
};

/** The row of a kind; `kind` below PIN_KIND_MAX. Static. */
const struct pin_kind_row *pin_decode_row(enum pin_kind kind);

/** What API servers write much of and no decode function reads: for pin_json_parse_some(). */
extern const struct pin_json_skip pin_decode_unread[];

/** The row for an `apiVersion` and a `kind`, or NULL when such objects are not read. */
const struct pin_kind_row *pin_decode_find(const char *api_version, const char *kind);

/**
 * Decodes an object that says itself what it is.
 *
 * @param ret  The caller owns it.
 * @param why  "[LINE:COL: ]Kind namespace/name: field: what is wrong, what to write instead".
 * @return PIN_OK; PIN_EUNSUPPORTED for what Pintle does not read (to be ignored silently);
 *         PIN_EINVAL for a wrong object; PIN_ENOMEM.
 */
enum pin_err pin_decode(
    const struct pin_tree *object, struct pin_object **ret, struct pin_why *why);

/**
 * Decodes an object whose kind is known: items of a list come without `kind`.
 *
 * @param row    What it is, or NULL: the object says it.
 * @param where  Whom a warning about an annotation or address names, e.g. "cluster c1".
 */
enum pin_err pin_decode_as(const struct pin_kind_row *row, const char *where,
    const struct pin_tree *object, struct pin_object **ret, struct pin_why *why);

/** The name under which an object is known in its cluster. Borrowed from the tree. */
struct pin_object_key {
    const struct pin_kind_row *row;
    const char *namespace_name; /**< "" for cluster-scoped kinds; "default" when not written. */
    const char *name;
};

/** Reads only kind, namespace and name; parameters and errors as pin_decode_as(). */
enum pin_err pin_decode_key(const struct pin_kind_row *row, const struct pin_tree *object,
    struct pin_object_key *ret_key, struct pin_why *why);
