/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Zone file: one static zone, read from text in master file format (RFC 1035, section 5; RFC 2308
 * for $TTL; RFC 3597 for unknown types).
 *
 *     text, included texts -> pin_zonefile_parse -> struct pin_zonefile -> pin_catalog_set_zonefile
 *
 * Files are opened outside: the parser asks for an included one by name. A zone file is whole or it
 * is not made at all; every fault is told, each with its file and line.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"
#include "pintle/zones/name.h"

struct pin_zonefile;

/** Most bytes of a zone's text, included files among them. */
#define PIN_ZONEFILE_MAX_BYTES ((size_t)256 << 20)
/** Most RRs of a zone. */
#define PIN_ZONEFILE_RRS_MAX 2000000u
/** How deep files may include files. */
#define PIN_ZONEFILE_DEPTH_MAX 8u
/** Faults that are told; more are only counted. */
#define PIN_ZONEFILE_FAULTS_MAX 20u

/** One opened text. All of it is borrowed until the parser returns. */
struct pin_zonefile_text {
    const char *path; /**< As faults name it. */
    const char *text; /**< Need not end with NUL. */
    size_t bytes;
};

/**
 * Opens an included file.
 *
 * @param name  As the $INCLUDE has it.
 * @param from  Path of the file it stands in.
 */
typedef enum pin_err pin_zonefile_open_fn(void *arg, const char *name, const char *from,
    struct pin_zonefile_text *ret_text, struct pin_why *why);

/** What is to be read. */
struct pin_zonefile_input {
    const char *zone; /**< The apex, presentation format. */
    struct pin_zonefile_text text;
    pin_zonefile_open_fn *open; /**< NULL: $INCLUDE is a fault. */
    void *open_arg;
};

/**
 * Reads a zone. Blocks for about a second per million RRs; no I/O but through `open`.
 *
 * @param ret_zonefile  The caller's, with pin_zonefile_free(); written on PIN_OK only.
 * @param faults        Gets "FILE:LINE: message" lines: faults, or, on PIN_OK, warnings.
 * @return PIN_OK, PIN_EPARSE for faults, PIN_ENOMEM.
 */
enum pin_err pin_zonefile_parse(const struct pin_zonefile_input *input,
    struct pin_zonefile **ret_zonefile, struct pin_text *faults);

/** Frees it. NULL is fine. */
void pin_zonefile_free(struct pin_zonefile *zonefile);

/** The serial in the file's SOA. */
uint32_t pin_zonefile_serial(const struct pin_zonefile *zonefile);

/** RRs in the zone, duplicates not counted. */
size_t pin_zonefile_n_rrs(const struct pin_zonefile *zonefile);
