/* SPDX-License-Identifier: Apache-2.0 */

/* One line per event. Everything below the level check happens under one mutex. */

#include "pintle/base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/text.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};
/* What syslog calls them: debug, informational, warning, error. */
static const char journal_priorities[] = {'7', '6', '4', '3'};

static _Atomic int threshold = PIN_LOG_INFO;
static _Atomic int configured = PIN_LOG_INFO;
static _Atomic uint64_t n_lines[N_ELEMS(level_names)];
static _Atomic bool is_journal;

/* Guarded by `lock`. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum pin_log_format line_format = PIN_LOG_TEXT;
static pin_log_sink *test_sink;
static void *test_sink_arg;
static char kept[PIN_LOG_KEPT_BYTES]; /* A ring. */
static uint64_t n_kept;               /* Bytes that ever came. */

void pin_log_setup(enum pin_log_level level, enum pin_log_format format)
{
    atomic_store(&configured, (int)level);
    atomic_store(&threshold, (int)level);
    (void)pthread_mutex_lock(&lock);
    line_format = format;
    (void)pthread_mutex_unlock(&lock);
}

void pin_log_find_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM"); /* NOLINT(concurrency-mt-unsafe): one thread yet */
    unsigned long long device = 0;
    unsigned long long inode = 0;
    struct stat st;
    bool is_named =
        text != NULL && sscanf(text, "%llu:%llu", &device, &inode) == 2; /* NOLINT(cert-err34-c) */
    atomic_store(&is_journal,
        is_named && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode);
}

bool pin_log_is_journal(void)
{
    return atomic_load_explicit(&is_journal, memory_order_relaxed);
}

enum pin_log_level pin_log_level(void)
{
    return (enum pin_log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

enum pin_log_level pin_log_configured_level(void)
{
    return (enum pin_log_level)atomic_load_explicit(&configured, memory_order_relaxed);
}

void pin_log_set_level(enum pin_log_level level)
{
    atomic_store(&threshold, (int)level);
}

bool pin_log_level_parse(const char *text, enum pin_log_level *ret_level)
{
    for (size_t i = 0; i < N_ELEMS(level_names); i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *ret_level = (enum pin_log_level)i;
            return true;
        }
    }
    if (strcasecmp(text, "warning") == 0) {
        *ret_level = PIN_LOG_WARN;
        return true;
    }
    return false;
}

bool pin_log_format_parse(const char *text, enum pin_log_format *ret_format)
{
    bool is_json = strcasecmp(text, "json") == 0;
    if (!is_json && strcasecmp(text, "text") != 0) {
        return false;
    }
    *ret_format = is_json ? PIN_LOG_JSON : PIN_LOG_TEXT;
    return true;
}

const char *pin_log_level_name(enum pin_log_level level)
{
    return (size_t)level < N_ELEMS(level_names) ? level_names[level] : "?";
}

bool pin_log_is_on(enum pin_log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void pin_log_set_sink(pin_log_sink *sink, void *arg)
{
    (void)pthread_mutex_lock(&lock);
    test_sink = sink;
    test_sink_arg = arg;
    (void)pthread_mutex_unlock(&lock);
}

uint64_t pin_log_count(enum pin_log_level level)
{
    return (size_t)level < N_ELEMS(n_lines) ? atomic_load(&n_lines[level]) : 0;
}

/* Takes one line out of the site's bucket. False: swallow it. Under `lock`. */
static bool may_write(struct pin_log_site *site, int64_t now_ms)
{
    if (site == NULL) {
        return true;
    }
    int64_t refill = (now_ms - site->refilled_ms) * PIN_LOG_PER_SECOND / 1000;
    if (refill > 0) {
        site->n_spent = refill >= site->n_spent ? 0 : site->n_spent - (uint32_t)refill;
        site->refilled_ms = now_ms;
    }
    if (site->n_spent >= PIN_LOG_BURST) {
        site->n_suppressed++;
        return false;
    }
    if (site->n_spent++ == 0) {
        site->refilled_ms = now_ms;
    }
    return true;
}

/* Returns how many bytes stand before the message: the journal has a time and a level of its own.
 */
static size_t put_text_line(
    struct pin_text *line, const char *when, enum pin_log_level level, const char *message)
{
    pin_text_putf(line, "%s %-5s ", when, level_names[level]);
    size_t head_bytes = line->len;
    for (const unsigned char *at = (const unsigned char *)message; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7F) {
            pin_text_putf(line, "\\%03u", *at); /* decimal, as in zone files */
        } else {
            pin_text_putc(line, (char)*at);
        }
    }
    return head_bytes;
}

static void put_json_line(
    struct pin_text *line, const char *when, enum pin_log_level level, const char *message)
{
    const char *colon = strstr(message, ": ");
    size_t component_bytes = colon == NULL ? 0 : (size_t)(colon - message);
    if (memchr(message, ' ', component_bytes) != NULL) {
        component_bytes = 0; /* "cannot open: ..." names no component */
    }
    pin_text_putf(
        line, "{\"time\":\"%s\",\"level\":\"%s\",\"component\":", when, level_names[level]);
    pin_text_put_json_string(line, message, component_bytes);
    pin_text_puts(line, ",\"message\":");
    const char *rest = component_bytes == 0 ? message : colon + 2;
    pin_text_put_json_string(line, rest, strlen(rest));
    pin_text_putc(line, '}');
}

/* Keeps a line, over the oldest ones. Under `lock`. */
static void keep(const struct pin_text *line)
{
    const char *bytes = pin_text_get(line);
    size_t n = line->failed ? 0 : line->len;
    while (n > 0) {
        size_t at = (size_t)(n_kept % sizeof(kept));
        size_t part = PIN_MIN(n, sizeof(kept) - at);
        memcpy(kept + at, bytes, part);
        bytes += part;
        n -= part;
        n_kept += part;
    }
}

void pin_log_put_kept(struct pin_text *text)
{
    (void)pthread_mutex_lock(&lock);
    bool is_full = n_kept >= sizeof(kept);
    size_t at = is_full ? (size_t)(n_kept % sizeof(kept)) : 0;
    size_t n = is_full ? sizeof(kept) : (size_t)n_kept;
    for (bool is_cut = is_full; is_cut && n > 0; n--) { /* the first line has lost its beginning */
        is_cut = kept[at] != '\n';
        at = (at + 1) % sizeof(kept);
    }
    size_t part = PIN_MIN(n, sizeof(kept) - at);
    pin_text_putn(text, kept + at, part);
    pin_text_putn(text, kept, n - part);
    (void)pthread_mutex_unlock(&lock);
}

/* One system call per line, so that lines of several processes do not mix. The journal gets the
 * priority in the place of the first bytes. Under `lock`. */
static void emit(enum pin_log_level level, struct pin_text *line, size_t head_bytes)
{
    if (test_sink != NULL) {
        test_sink(level, pin_text_get(line), test_sink_arg);
    }
    pin_text_putc(line, '\n');
    keep(line);
    if (test_sink != NULL || line->failed) {
        return;
    }
    char priority[] = {'<', journal_priorities[level], '>'};
    bool has_priority = pin_log_is_journal();
    size_t from = has_priority ? head_bytes : 0;
    const struct iovec parts[] = {
        {.iov_base = priority, .iov_len = has_priority ? sizeof(priority) : 0},
        {.iov_base = line->ptr + from, .iov_len = line->len - from}};
    if (writev(STDERR_FILENO, parts, (int)N_ELEMS(parts)) < 0) {
        return; /* nobody reads our standard error: there is no one to tell */
    }
}

void pin_log_write(struct pin_log_site *site, enum pin_log_level level, const char *fmt, ...)
{
    char message[PIN_LOG_MESSAGE_BYTES];
    char when[PIN_CLOCK_TEXT_MAX];
    struct pin_text line = {0};
    va_list args;

    (void)pthread_mutex_lock(&lock);
    if (may_write(site, pin_clock_mono_ms())) {
        va_start(args, fmt);
        int bytes = vsnprintf(message, sizeof(message), fmt, args);
        va_end(args);
        if (bytes < 0) {
            message[0] = '\0';
        }
        if (site != NULL && site->n_suppressed > 0) {
            size_t used = strlen(message);
            size_t at = used < sizeof(message) - 48 ? used : sizeof(message) - 48;
            (void)snprintf(message + at, sizeof(message) - at, " (%" PRIu64 " more suppressed)",
                site->n_suppressed);
            site->n_suppressed = 0;
        }
        pin_clock_format(pin_clock_wall_ms(), when);
        size_t head_bytes = 0;
        if (line_format == PIN_LOG_JSON) {
            put_json_line(&line, when, level, message);
        } else {
            head_bytes = put_text_line(&line, when, level, message);
        }
        atomic_fetch_add(&n_lines[level], 1);
        emit(level, &line, head_bytes);
    }
    (void)pthread_mutex_unlock(&lock);
    pin_text_done(&line);
}
