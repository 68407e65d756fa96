/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a zone file became: names with their RRsets, in the form that tables want.
 */

#include <stdbool.h>

#include "pintle/base/arena.h"
#include "pintle/base/hash.h"
#include "pintle/zones/zonefile.h"

#define PIN_TYPE_RRSIG 46u
#define PIN_TYPE_NSEC  47u

/** One RR as it was read. */
struct pin_zonefile_rr {
    const uint8_t *name; /**< Lower-case wire format. */
    const uint8_t *rdata;
    const char *path;
    uint32_t line;
    uint32_t ttl_s;
    uint16_t type;
    uint16_t rdata_bytes;
    uint8_t name_bytes;
};

/** All RRs of one owner name and type. */
struct pin_static_set {
    const uint8_t *wire; /**< n_rr RRs with PIN_OWNER_POINTER as owner. */
    const char *path;    /**< Where its first RR stands. */
    uint32_t line;
    uint32_t wire_bytes;
    uint32_t ttl_s;
    uint16_t n_rr;
    uint16_t type;
};

/** One owner name. */
struct pin_static_name {
    const uint8_t *wire;
    const struct pin_static_set *sets; /**< By ascending type. */
    uint16_t n_sets;
    uint8_t bytes;
    bool is_hidden; /**< Below a delegation or a DNAME: glue at most. */
};

struct pin_zonefile {
    struct pin_arena *arena;
    struct pin_name apex;
    struct pin_static_name *names;
    size_t n_names;
    size_t n_rrs;
    struct pin_map by_name; /**< Wire name -> struct pin_static_name. */
    uint32_t serial;
};

/** A file under way, and what is wrong with it. */
struct pin_zonefile_faults {
    struct pin_text *text;
    size_t n_faults;   /**< All of them, those not told included. */
    size_t n_warnings; /**< Likewise. */
};

/** Notes a fault. */
void pin_zonefile_fault(struct pin_zonefile_faults *faults, const char *path, uint32_t line,
    const char *fmt, ...) PIN_PRINTF(4, 5);

/** Notes what is odd, but served. */
void pin_zonefile_warn(struct pin_zonefile_faults *faults, const char *path, uint32_t line,
    const char *fmt, ...) PIN_PRINTF(4, 5);

/**
 * Makes names and RRsets of RRs, checks what must hold between them. Sorts `rrs`.
 *
 * @param path  The zone's file, for faults that have no line of their own.
 * @return PIN_OK or PIN_ENOMEM; what is wrong is in `faults`.
 */
enum pin_err pin_zonefile_group(struct pin_zonefile *zonefile, struct pin_zonefile_rr *rrs,
    size_t n_rrs, const char *path, struct pin_zonefile_faults *faults);

/**
 * Reads the data of one record, names in it absolute whether or not a dot ends them.
 *
 * @param arena  Receives the RDATA.
 * @param type   "A", "TYPE65280", ...
 * @param text   Presentation format.
 * @param ret    Gets type, rdata and rdata_bytes.
 * @param fault  Gets "PATH: message" on PIN_EPARSE.
 * @return PIN_OK, PIN_EPARSE, PIN_ENOMEM.
 */
enum pin_err pin_zonefile_rdata(struct pin_arena *arena, const char *path, const char *type,
    const char *text, struct pin_zonefile_rr *ret, struct pin_text *fault);

/** The file's name, or NULL. */
const struct pin_static_name *pin_zonefile_find(
    const struct pin_zonefile *zonefile, const uint8_t *wire, size_t bytes);

/** Its RRset of that type, or NULL. */
const struct pin_static_set *pin_static_find(const struct pin_static_name *name, uint16_t type);

/** Where in the RDATA of that type the name of a host stands; SIZE_MAX: there is none. */
size_t pin_zonefile_target_at(uint16_t type);

/** Whether a name in wire format is whole and well formed within `bytes`; gives its length. */
bool pin_zonefile_is_name(const uint8_t *wire, size_t bytes, size_t *ret_bytes);
