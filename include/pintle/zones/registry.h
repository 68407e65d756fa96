/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Registry: who owns a record set, kept in a TXT record beside it in external-dns's form.
 *
 *     app.example.com    A    192.0.2.1
 *     a-app.example.com  TXT  "heritage=external-dns,external-dns/owner=demo,
 *                              external-dns/pintle-origins=c1,external-dns/resource=service/shop/app"
 *
 * `pintle-origins` is ours: which cluster gave which value. It is a label as any other to
 * external-dns, which keeps it while it keeps the record. Pure; any thread; reads what others
 * wrote.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/crypto.h"
#include "pintle/zones/recordset.h"

/** Where the ownership is written, and by whom. All texts lower case; NULL or "" where not set. */
struct pin_registry {
    const char *owner;    /**< Our id. */
    const char *prefix;   /**< In front of the first label; "%{record_type}" is the type. */
    const char *suffix;   /**< Behind the first label; not together with a prefix. */
    const char *wildcard; /**< What stands for "*" as the first label. */
    const uint8_t *key;   /**< PIN_AES_KEY_BYTES: labels are encrypted; NULL: plain. */
    bool has_cname_alias; /**< Of A sets that are aliases: "cname-", as up to v0.20. */
};

/** Which name: that of the type, or the one of old, which stands for all types but AAAA. */
enum pin_registry_form {
    PIN_REGISTRY_TYPED,
    PIN_REGISTRY_LEGACY,
};

/** A label that is not ours to understand. */
struct pin_registry_label {
    const char *key; /**< Without "external-dns/". */
    const char *value;
};

/** What one TXT record says. Absent texts are NULL. */
struct pin_registry_labels {
    const char *owner;
    const char *resource;
    const char *origins;
    struct pin_registry_label *others; /**< Sorted by key, each once. */
    size_t n_others;
};

/** Checks the settings: an owner that a label can hold, no two affixes. PIN_EINVAL, explained. */
enum pin_err pin_registry_check(const struct pin_registry *registry, struct pin_why *why);

/**
 * The name of the TXT record that says who owns the set of that name and type.
 * PIN_ELIMIT when it would be too long.
 */
enum pin_err pin_registry_name(const struct pin_registry *registry, enum pin_registry_form form,
    const char *name, const char *type, char ret_name[PIN_RECORDSET_NAME_MAX]);

/**
 * The other way round: of which set a TXT record of that name speaks.
 *
 * @param ret_name  Where "*" was replaced, the replacement stays.
 * @param ret_type  Static; "" for the form of old.
 * @return False for names that are none of the registry's.
 */
bool pin_registry_owned(const struct pin_registry *registry, const char *txt_name,
    char ret_name[PIN_RECORDSET_NAME_MAX], const char **ret_type);

/** Whether sets of that name cannot be owned, because the wildcard's TXT records are called so. */
bool pin_registry_is_reserved(const struct pin_registry *registry, const char *name);

/**
 * Reads a TXT value. Labels that are said twice count as last said; what is not of the form
 * "external-dns/key=value" is passed over. With a key both forms are read.
 *
 * @param value  Canonical (zones/recordset.h).
 * @return PIN_OK; PIN_ENOTFOUND when it is no ownership, or sealed with another key; PIN_ENOMEM.
 */
enum pin_err pin_registry_read(const struct pin_registry *registry, const char *value,
    struct pin_arena *arena, struct pin_registry_labels *ret_labels);

/**
 * Writes a canonical TXT value: heritage, then all labels by name. The same labels give the same
 * value, encrypted or not: the nonce is made of what is sealed. NULL when memory is out.
 */
const char *pin_registry_write(const struct pin_registry *registry,
    const struct pin_registry_labels *labels, struct pin_arena *arena);

/**
 * Sets labels->origins to what can be said of the set's values within one TXT string (255 bytes)
 * with the other labels, and writes the value: which cluster gave which value, else which clusters
 * gave any, else nothing. NULL when memory is out.
 */
const char *pin_registry_write_origins(const struct pin_registry *registry,
    struct pin_registry_labels *labels, const struct pin_recordset *set, struct pin_arena *arena);

/**
 * Fills in who gave each value, as the label says; where it does not, nobody is known.
 * False when memory is out.
 */
bool pin_registry_read_origins(
    const char *origins, struct pin_recordset *set, struct pin_arena *arena);
