/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Roles: what each part of writeBack must be allowed. deploy/rbac/write-*.yaml are in the program,
 * so that what is asked for, printed and shipped is one text.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"
#include "pintle/zones/write.h"

struct pin_arena;

/** A part of writeBack with a role of its own. */
enum pin_role {
    PIN_ROLE_LEASE, /**< What all of them need. */
    PIN_ROLE_ANNOTATIONS,
    PIN_ROLE_STATUS,
    PIN_ROLE_MCS,
    PIN_ROLE_EVENTS,
    PIN_ROLE_MAX,
};

/** A file of deploy/rbac. Static. */
struct pin_role_file {
    const char *name; /**< "write-mcs.yaml" */
    const char *text; /**< NUL-terminated. */
    size_t text_bytes;
};

/** All of them; made by cmake/embed.cmake. */
extern const struct pin_role_file pin_role_files[];
/** How many there are. */
extern const size_t pin_role_n_files;

/** What a user calls it: "mcs". Static. */
const char *pin_role_word(enum pin_role role);

/** What does not work without it, to follow "without it". Static. */
const char *pin_role_loss(enum pin_role role);

/** Its file; NULL: this version writes nothing of the kind. */
const struct pin_role_file *pin_role_find(enum pin_role role);

/** The roles that these switches need, a bit each. 0: nothing is written. */
uint32_t pin_roles_of(const struct pin_write_switches *switches);

/** Reads "annotations,mcs" (with the Lease that they need), or "all". PIN_EINVAL: a word is none.
 */
enum pin_err pin_roles_parse(const char *text, uint32_t *ret_roles, struct pin_why *why);

/** One thing to be allowed. Texts live in the arena. */
struct pin_role_right {
    enum pin_role role;
    const char *verb;
    const char *group;       /**< "" for the core. */
    const char *resource;    /**< Plural. */
    const char *subresource; /**< "status", or "". */
    const char *name;        /**< Of this object alone; "": of any. */
    bool is_in_home;         /**< In the namespace of the Lease; else in all. */
};

/** Several of them. */
struct pin_role_rights {
    struct pin_role_right *items;
    size_t n;
};

/** Reads what these roles allow. PIN_ENOMEM, or PIN_EPARSE for a file that is no role. */
enum pin_err pin_roles_rights(uint32_t roles, struct pin_arena *arena,
    struct pin_role_rights *ret_rights, struct pin_why *why);

/**
 * Appends manifests: the file of each role, without the remarks above it, and a binding of each of
 * its roles to that ServiceAccount. PIN_ENOMEM or PIN_EPARSE.
 */
enum pin_err pin_roles_print(uint32_t roles, const char *account_namespace, const char *account,
    struct pin_text *out, struct pin_why *why);
