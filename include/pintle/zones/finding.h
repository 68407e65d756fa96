/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Findings: what is wrong, or looks wrong, with what the clusters say, each with a stable code.
 *
 * One table has all codes, also those that others than the catalog find (files, configuration). A
 * code keeps its meaning for ever; docs/codes.md has a section for each. The catalog's findings
 * follow from the plans that answers are made of, not from rules of their own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/zones/catalog.h"

/** How bad it is. */
enum pin_severity {
    PIN_SEVERITY_INFO,    /**< Worth knowing. */
    PIN_SEVERITY_WARNING, /**< Answers are probably not what was meant. */
    PIN_SEVERITY_ERROR,   /**< Something gets no answer, or a wrong one. */
    PIN_SEVERITY_MAX,
};

/** What is found; by position in pin_finding_codes. */
enum pin_finding_id {
    PIN_FINDING_NO_SERVICE,
    PIN_FINDING_NO_IMPORT,
    PIN_FINDING_NO_EXPORT,
    PIN_FINDING_NOT_PERMITTED,
    PIN_FINDING_BACKEND_NOT_READY,
    PIN_FINDING_ALL_ZERO,
    PIN_FINDING_NO_PORT,
    PIN_FINDING_NO_ADDRESS,
    PIN_FINDING_NO_GATEWAY,
    PIN_FINDING_NOT_ACCEPTED,
    PIN_FINDING_GATEWAY_NO_ADDRESS,
    PIN_FINDING_NO_BACKEND,
    PIN_FINDING_NO_SLICE,
    PIN_FINDING_NO_ENDPOINT,
    PIN_FINDING_NOT_READY,
    PIN_FINDING_EXPORT_NO_SERVICE,
    PIN_FINDING_EXPORTS_DIFFER,
    PIN_FINDING_PORTS_DIFFER,
    PIN_FINDING_NO_TARGET_PORT,
    PIN_FINDING_IMPORT_NO_EXPORT,
    PIN_FINDING_EXPORT_ALIAS,
    PIN_FINDING_HOST_OUTSIDE,
    PIN_FINDING_HOST_TAKEN,
    PIN_FINDING_HOST_STATIC,
    PIN_FINDING_NO_NS_ADDRESS,
    PIN_FINDING_CLUSTER_UNSEEN,
    PIN_FINDING_CLUSTER_STALE,
    PIN_FINDING_LIST_HELD,
    PIN_FINDING_TOO_MANY,
    PIN_FINDING_NO_WAY_IN,
    PIN_FINDING_WAY_UNKNOWN,
    PIN_FINDING_RANGES_OVERLAP,
    PIN_FINDING_CLUSTER_PARTIAL,
    PIN_FINDING_POLICY_UNREADABLE,
    PIN_FINDING_POLICY_NOBODY,
    PIN_FINDING_POLICY_NO_TARGET,
    PIN_FINDING_ANNOTATION_VALUE,
    PIN_FINDING_ANNOTATION_UNKNOWN,
    PIN_FINDING_ANNOTATION_CLUSTER,
    PIN_FINDING_RECORD_OUTSIDE,
    PIN_FINDING_RECORD_REFUSED,
    PIN_FINDING_FILE_UNREAD,
    PIN_FINDING_OBJECT_TWICE,
    PIN_FINDING_NOTHING_READ,
    PIN_FINDING_CONFIG,
    PIN_FINDING_NOT_LOOKED_AT,
    PIN_FINDING_RESOLVER_SILENT,
    PIN_FINDING_RESOLVER_LOOP,
    PIN_FINDING_MAX,
};

/** One kind of finding. */
struct pin_finding_code {
    const char *code; /**< "PTL0101": PTL, two digits for what it is about, two for which. */
    enum pin_severity severity;
    const char *title; /**< The whole kind in a few words. */
    const char *fix;   /**< What to do about it: one sentence. */
};

/** All of them, in the order of their codes. */
extern const struct pin_finding_code pin_finding_codes[PIN_FINDING_MAX];

/** "info", "warning" or "error". */
const char *pin_severity_text(enum pin_severity severity);

/** One finding; texts live as long as the analysis, and what does not apply is "". */
struct pin_finding {
    enum pin_finding_id id;
    const char *cluster;
    const char *kind; /**< As in `kind:`; of what is no object "Cluster", "Network", "Resolver". */
    const char *namespace_name;
    const char *name;
    const char *about; /**< Which part of the object: a backend, a hostname. With the code and the
                            object it tells findings apart, also over time. */
    const char *message;
};

/** Findings kept; more are only counted. */
#define PIN_ANALYSIS_MAX 1000u

/** What was found. Zeroed is empty; pin_analysis_done() frees it. */
struct pin_analysis {
    struct pin_arena *arena;
    struct pin_finding *items; /**< In the arena: by severity, the worst first, then by code. */
    size_t n;
    size_t n_left_out;
    size_t n_of[PIN_SEVERITY_MAX]; /**< All, those left out included. */
    bool is_out_of_memory;         /**< It is not whole. */
};

/** Adds one; everything is copied, NULL texts are "". A message that is too long is cut. */
void pin_analysis_add(struct pin_analysis *analysis, const struct pin_finding *finding,
    const char *fmt, ...) PIN_PRINTF(3, 4);

/** Brings the items into order; what was added twice stays once. */
void pin_analysis_sort(struct pin_analysis *analysis);

/** Frees all; it is empty then. */
void pin_analysis_done(struct pin_analysis *analysis);

/**
 * Adds what is found in the catalog as it was last published, sorted. Builder; never fails but for
 * memory, which the analysis notes. Cost: a plan of each route and of each shared service for each
 * network, so about a compilation of them; other Services cost a look.
 *
 * @param is_live  Sources run: what they have not told yet is a finding, too.
 * @param now_ms   Monotonic, for ages.
 */
void pin_catalog_analyze(
    struct pin_catalog *catalog, bool is_live, uint64_t now_ms, struct pin_analysis *analysis);
