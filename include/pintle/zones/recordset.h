/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Record set: the records of one name and type in a DNS server of somebody else.
 *
 * Plain data, for plans (zones/recordplan.h): what is wanted and what is there have one form, so
 * they can be compared. Everything is text in presentation format, made canonical here:
 *
 *     name     "app.example.com"   lower case, escaped (RFC 1035, section 5.1), no dot at the end
 *     type     "A"                 upper case
 *     value    "192.0.2.1", "lb.example.net", "10 mx.example.com", "\"text\""
 *
 * Ownership: a set owns nothing. What it points to lives in the arena of whoever made it; a struct
 * may be copied freely while that arena lives, pin_recordset_copy() makes a copy in another one.
 * Sets in arrays are in the order of pin_recordset_cmp(). Pure; any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/name.h"

struct pin_arena;

/** Room for the text of any name, with its NUL. */
#define PIN_RECORDSET_NAME_MAX PIN_NAME_TEXT_MAX
/** Longest value that is taken, in bytes of its canonical text. */
#define PIN_RECORDSET_VALUE_MAX 8192u
/** The "cluster" of what the configuration itself says; no cluster can have that name. */
#define PIN_RECORDSET_CONFIG "-"

/** One value and who gives it. */
struct pin_recordset_value {
    const char *text;            /**< Canonical. */
    const char *const *clusters; /**< Sorted, each once; none: not known. */
    size_t n_clusters;
};

/** What a provider knows of a set beside DNS, named as external-dns does: "aws/weight", "alias". */
struct pin_recordset_property {
    const char *name;
    const char *value;
};

/** The object a set comes from. */
struct pin_recordset_source {
    const char *cluster; /**< PIN_RECORDSET_CONFIG for what no object says. */
    const char *kind;    /**< As external-dns writes it: "service", "httproute", "crd". */
    const char *namespace_name;
    const char *name;
    int64_t created_s; /**< creationTimestamp, Unix seconds; 0 when absent. */
    const char *uid;   /**< metadata.uid; NULL when absent. */
};

/** One set. */
struct pin_recordset {
    const char *name;
    const char *type;
    const char *set_id; /**< Of several sets of one name and type; "" for the only one. */
    uint32_t ttl_s;     /**< 0: the provider's default. */
    struct pin_recordset_value *values; /**< Sorted by text, each once. */
    size_t n_values;
    struct pin_recordset_property *properties; /**< Sorted by name, each once. */
    size_t n_properties;
    struct pin_recordset_source *sources; /**< Wanted sets: oldest first; else none. */
    size_t n_sources;
    const char *const *holds; /**< Wanted sets: clusters that have the object, but no addresses for
                                 it just now: values that came from them stay. */
    size_t n_holds;
};

/** Makes a name canonical. PIN_EPARSE for what is none. */
enum pin_err pin_recordset_name(
    const char *text, char ret_name[PIN_RECORDSET_NAME_MAX], struct pin_why *why);

/**
 * Makes a value of that type canonical: addresses as RFC 5952 writes them, names as above, numbers
 * without zeros in front, texts as quoted strings of at most 255 bytes; others as
 * zones/rdata.h has them. Types not known there only have their blanks tidied.
 *
 * @param ret_value  In the arena.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT or PIN_ENOMEM.
 */
enum pin_err pin_recordset_value(struct pin_arena *arena, const char *type, const char *text,
    const char **ret_value, struct pin_why *why);

/** The bytes that a canonical TXT value stands for, its strings in a row; NULL: memory is out, or
 * the value is malformed. NULs end it. In the arena. */
const char *pin_recordset_unquote(struct pin_arena *arena, const char *value);

/** A TXT value for a text of printable characters: one string for each 255 bytes. NULL when memory
 * is out. */
const char *pin_recordset_quote(struct pin_arena *arena, const char *text);

/** Sorts values (their clusters merged where the text is the same) and properties (the first of a
 * name counts). False when memory is out. */
bool pin_recordset_tidy(struct pin_recordset *set, struct pin_arena *arena);

/** Order of sets: name, type, set id. <0, 0, >0. */
int pin_recordset_cmp(const struct pin_recordset *a, const struct pin_recordset *b);

/** Order of objects, oldest first: creation (unknown last), cluster, namespace, name, kind. */
int pin_recordset_source_cmp(
    const struct pin_recordset_source *a, const struct pin_recordset_source *b);

/** Sorts by pin_recordset_cmp(). */
void pin_recordset_sort(struct pin_recordset *sets, size_t n_sets);

/** Whether both have the same values; who gives them does not matter. */
bool pin_recordset_same_values(const struct pin_recordset *a, const struct pin_recordset *b);

/** Order of sets by their properties; 0: they have the same. */
int pin_recordset_properties_cmp(const struct pin_recordset *a, const struct pin_recordset *b);

/** The value of a property, or NULL. */
const char *pin_recordset_property(const struct pin_recordset *set, const char *name);

/** Whether that text is one of a sorted list. */
bool pin_recordset_has_text(const char *const *texts, size_t n_texts, const char *text);

/** A copy of `set` with all it points to. False when memory is out. */
bool pin_recordset_copy(
    struct pin_arena *arena, const struct pin_recordset *set, struct pin_recordset *ret_copy);
