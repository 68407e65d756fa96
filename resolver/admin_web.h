/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The files of the dashboard (web/), which live inside the program: a page, its scripts and styles.
 * They hold no data; the page asks the API for that. Control's thread.
 */

#include <stddef.h>
#include <stdint.h>

/** One embedded file. Static. */
struct pin_web_file {
    const char *name; /**< Path below web, e.g. "vendor/uplot.js". */
    const char *text; /**< NUL-terminated. */
    size_t text_bytes;
};

/** All of them, sorted by name; made by cmake/embed.cmake. */
extern const struct pin_web_file pin_web_files[];
/** How many there are. */
extern const size_t pin_web_n_files;

/** What a browser may do with any page of admin (Content-Security-Policy). */
#define PIN_WEB_POLICY                                                                             \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "                \
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** Room for an ETag: quotes, 16 hex digits, NUL. */
#define PIN_WEB_ETAG_MAX 20

/** A file as it is served. */
struct pin_web_asset {
    const struct pin_web_file *file;
    const char *content_type; /**< Static. */
    char etag[PIN_WEB_ETAG_MAX];
    uint8_t *gzip; /**< NULL: memory was out, it goes as it is. */
    size_t gzip_bytes;
};

struct pin_assets;

/** None of the files is looked at before somebody asks for it. NULL when memory is out. */
struct pin_assets *pin_assets_new(void);

/** NULL is fine. */
void pin_assets_free(struct pin_assets *web);

/** Whether the path is that of a file: "/" or "/web/NAME". */
const struct pin_web_file *pin_web_find(const char *path);

/** The file as it is served, packed when it is first asked for; lives as long as `web`. */
const struct pin_web_asset *pin_assets_get(struct pin_assets *web, const struct pin_web_file *file);
