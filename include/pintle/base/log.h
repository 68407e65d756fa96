/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Log: one line per event to standard error, as text or JSON.
 *
 * A message reads "component: what happened, what happens next key=value". What stands before the
 * first ": " becomes the component (JSON). Each call site may write 10 lines at once and one per
 * second after that; what it swallowed is told by its next line as "(N more suppressed)".
 * Bytes that are no printable text are written as \DDD (text) or as JSON escapes, so a message can
 * carry foreign input. Threads: all of it from any thread; the answer path does not log above
 * debug.
 *
 * Where standard error is a stream of systemd's journal, a line begins with its priority ("<4>",
 * sd-daemon(3)), which the journal takes off and keeps, and a text line has no time: it has one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/macros.h"
#include "pintle/base/text.h"

/** Severity; a level lets itself and all greater ones through. */
enum pin_log_level {
    PIN_LOG_DEBUG,
    PIN_LOG_INFO,
    PIN_LOG_WARN,
    PIN_LOG_ERROR,
};

/** How lines look. */
enum pin_log_format {
    PIN_LOG_TEXT, /**< 2026-11-21T03:04:05.678Z info  component: message */
    PIN_LOG_JSON, /**< {"time":"...","level":"info","component":"...","message":"..."} */
};

/** Lines one call site may write at once, and lines per second after that. */
#define PIN_LOG_BURST      10
#define PIN_LOG_PER_SECOND 1
/** Longest message in bytes; the rest is cut. */
#define PIN_LOG_MESSAGE_BYTES 1024

/** Rate limit of one call site. Static and zeroed; private to log.c. */
struct pin_log_site {
    int64_t refilled_ms; /**< Monotonic. */
    uint32_t n_spent;    /**< Lines written since the bucket was full. */
    uint64_t n_suppressed;
};

/** Where lines go in tests: the finished line without newline, valid during the call only. */
typedef void pin_log_sink(enum pin_log_level level, const char *line, void *arg);

/** Sets threshold and format; before the first call it is info and text. */
void pin_log_setup(enum pin_log_level level, enum pin_log_format format);

/**
 * Looks whether standard error is a stream of systemd's journal: the one whose device and inode
 * $JOURNAL_STREAM names (systemd.exec(5)). Before any other thread.
 */
void pin_log_find_journal(void);

/** Whether it is, as the last look found. */
bool pin_log_is_journal(void);

/** The threshold that is in force. */
enum pin_log_level pin_log_level(void);

/** The threshold of the last pin_log_setup(). */
enum pin_log_level pin_log_configured_level(void);

/** Puts another threshold in force, until the next call or pin_log_setup(). */
void pin_log_set_level(enum pin_log_level level);

/** Reads "debug", "info", "warn" or "warning", "error". Returns false for anything else. */
bool pin_log_level_parse(const char *text, enum pin_log_level *ret_level);

/** Reads "text" or "json". Returns false for anything else. */
bool pin_log_format_parse(const char *text, enum pin_log_format *ret_format);

/** Name of a level, e.g. "warn". Static. */
const char *pin_log_level_name(enum pin_log_level level);

/** True when a message of that level would be written. Cheap: one relaxed load. */
bool pin_log_is_on(enum pin_log_level level);

/** Sends lines to `sink` instead of standard error; NULL restores that. For tests. */
void pin_log_set_sink(pin_log_sink *sink, void *arg);

/** Bytes of the latest lines that are kept. */
#define PIN_LOG_KEPT_BYTES ((size_t)128 << 10)

/** Appends the latest whole lines, the oldest first; those of the journal with time and level. */
void pin_log_put_kept(struct pin_text *text);

/** Lines written so far with that level, for the metrics. Suppressed ones do not count. */
uint64_t pin_log_count(enum pin_log_level level);

/** Behind the macros below: formats, limits and writes one line. `site` may be NULL: no limit. */
void pin_log_write(struct pin_log_site *site, enum pin_log_level level, const char *fmt, ...)
    PIN_PRINTF(3, 4);

/** Behind the macros below: one static limiter per place in the source. */
#define pin_log_at(level, ...)                                                                     \
    do {                                                                                           \
        static struct pin_log_site pin_log_site_here;                                              \
        if (pin_log_is_on(level)) {                                                                \
            pin_log_write(&pin_log_site_here, level, __VA_ARGS__);                                 \
        }                                                                                          \
    } while (0)

/** pin_log_warn("watch: lost cluster=%s, listing again in %d s", ...): printf arguments. */
#define pin_log_debug(...) pin_log_at(PIN_LOG_DEBUG, __VA_ARGS__)
#define pin_log_info(...)  pin_log_at(PIN_LOG_INFO, __VA_ARGS__)
#define pin_log_warn(...)  pin_log_at(PIN_LOG_WARN, __VA_ARGS__)
#define pin_log_error(...) pin_log_at(PIN_LOG_ERROR, __VA_ARGS__)
