/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Findings as JSON: what `pintled --analyze` prints and the page of findings shows.
 */

#include "pintle/base/text.h"
#include "pintle/zones/finding.h"

/** What is known of a finding beside what the catalog says. */
struct pin_finding_place {
    const char *file;      /**< NULL: none. */
    uint32_t line;         /**< 1-based; 0: unknown. */
    const char *detail;    /**< More about it, from elsewhere; NULL: nothing. */
    int64_t since_wall_ms; /**< When it was first seen; 0: unknown. */
    char fix[512];         /**< What to do about this one; "": what the code says. */
};

/** Everything that is written. */
struct pin_analysis_report {
    const struct pin_analysis *analysis;
    const char *mode; /**< "offline", "live" */
    size_t n_clusters;
    size_t n_objects;
    /** Where a finding comes from; NULL: nowhere is known. */
    struct pin_finding_place (*place)(void *arg, const struct pin_finding *finding);
    void *arg;
};

/** Appends one JSON object and a newline: {"mode", "clusters", "objects", "counts", "leftOut",
 * "items"}. */
void pin_analysis_put_json(const struct pin_analysis_report *report, struct pin_text *out);

/** Appends {"items": [{"code", "severity", "title", "fix", "doc"}]} of all codes, and a newline. */
void pin_finding_codes_put_json(struct pin_text *out);
