/* SPDX-License-Identifier: Apache-2.0 */

/* Writes lines about questions as CoreDNS's log plugin does. */

#include "querylog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/log.h"

#include "query.h"

/* Lines are written when this much has come together. */
#define WAITING_BYTES ((size_t)64 << 10)
#define LOG_MODE      0640
#define NS_PER_S      INT64_C(1000000000)
/* What a question without EDNS can take. */
#define PLAIN_BYTES 512u

struct pin_querylog {
    char *file; /* NULL: standard output */
    int fd;
    bool is_failing; /* said already */
    struct pin_text waiting;
};

/* --- one line ------------------------------------------------------------------------------ */

const char *pin_querylog_rcode(unsigned rcode, char *cell, size_t cell_bytes)
{
    static const struct {
        uint16_t rcode;
        const char *name;
    } rcodes[] = {
#define X(name, rcode) {rcode, #name},
        PIN_STAT_RCODE_MAP(X)
#undef X
            {6, "YXDOMAIN"},
        {8, "NXRRSET"},
    };
    for (size_t i = 0; i < sizeof(rcodes) / sizeof(rcodes[0]); i++) {
        if (rcodes[i].rcode == rcode) {
            return rcodes[i].name;
        }
    }
    (void)snprintf(cell, cell_bytes, "RCODE%u", rcode);
    return cell;
}

static const char *class_text(uint16_t qclass, char *cell, size_t cell_bytes)
{
    static const char *const names[] = {[1] = "IN", [3] = "CH", [4] = "HS"};
    if (qclass < sizeof(names) / sizeof(names[0]) && names[qclass] != NULL) {
        return names[qclass];
    }
    (void)snprintf(cell, cell_bytes, "CLASS%u", qclass);
    return cell;
}

/* "qr,aa,rd": the flags of a header's third and fourth byte; "-" for none. */
static void put_flags(struct pin_text *text, const uint8_t *header)
{
    static const struct {
        uint8_t byte;
        uint8_t bit;
        const char *name;
    } flags[] = {{2, 0x80, "qr"}, {2, 0x04, "aa"}, {2, 0x02, "tc"}, {2, 0x01, "rd"},
        {3, 0x80, "ra"}, {3, 0x20, "ad"}, {3, 0x10, "cd"}};
    const char *gap = "";
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if ((header[flags[i].byte] & flags[i].bit) != 0) {
            pin_text_putf(text, "%s%s", gap, flags[i].name);
            gap = ",";
        }
    }
    if (*gap == '\0') {
        pin_text_putc(text, '-');
    }
}

static void put_name(struct pin_text *text, const struct pin_query *query)
{
    char name[PIN_NAME_TEXT_MAX];
    pin_name_format(query->qname, name);
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '"') {
            pin_text_putc(text, '\\'); /* it stands between quotes */
        }
        pin_text_putc(text, *at);
    }
}

static void put_question(struct pin_text *text, const struct pin_tap_record *record)
{
    struct pin_query query = {0};
    char type[PIN_STAT_TYPE_TEXT_MAX];
    char class[16];
    enum pin_query_verdict verdict =
        pin_query_parse(record->query, record->query_kept_bytes, &query);
    if (verdict == PIN_QUERY_DROP || !query.has_question) {
        pin_text_puts(text, "\"- - -");
    } else {
        pin_text_putf(text, "\"%s %s ", pin_stat_type_text(query.qtype, type),
            class_text(query.qclass, class, sizeof(class)));
        put_name(text, &query);
    }
    pin_text_putf(text, " %s %u %s %u\"", pin_transport_name(record->transport),
        record->query_bytes, query.is_do ? "true" : "false",
        query.has_edns ? query.edns_bytes : PLAIN_BYTES);
}

static void put_answer(struct pin_text *text, const struct pin_tap_record *record)
{
    char rcode[16];
    if (record->answer_kept_bytes < PIN_HEADER_BYTES) {
        pin_text_puts(text, " - - 0");
        return;
    }
    pin_text_putf(text, " %s ", pin_querylog_rcode(record->rcode, rcode, sizeof(rcode)));
    put_flags(text, record->answer);
    pin_text_putf(text, " %u", record->answer_bytes);
}

void pin_querylog_format(const struct pin_tap_record *record, struct pin_text *text)
{
    char peer[PIN_ADDRPORT_TEXT_MAX];
    unsigned id =
        record->query_kept_bytes >= 2 ? (unsigned)(record->query[0] << 8 | record->query[1]) : 0;
    pin_text_putf(text, "[INFO] %s - %u ", pin_addrport_format(&record->peer, peer), id);
    put_question(text, record);
    put_answer(text, record);
    const char *why = record->why_text != NULL ? record->why_text : "";
    pin_text_putf(text, " %" PRId64 ".%09" PRId64 "s%s%s\n", record->took_ns / NS_PER_S,
        record->took_ns % NS_PER_S, why[0] != '\0' ? " " : "", why);
}

/* --- the file ------------------------------------------------------------------------------ */

static int open_file(const char *file)
{
    if (file == NULL) {
        return STDOUT_FILENO;
    }
    return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
}

enum pin_err pin_querylog_open(const char *file, struct pin_querylog **ret_log, struct pin_why *why)
{
    struct pin_querylog *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the query log");
    }
    log->file = file != NULL ? strdup(file) : NULL;
    if (file != NULL && log->file == NULL) {
        free(log);
        return pin_why_set(why, PIN_ENOMEM, "the query log");
    }
    log->fd = open_file(file);
    if (log->fd < 0) {
        int errno_value = errno;
        free(log->file);
        free(log);
        return pin_why_errno(why, errno_value, "open the query log %s", file);
    }
    *ret_log = log;
    return PIN_OK;
}

/* Loud, and only when it begins: lines are lost until writing works again. */
static void fail(struct pin_querylog *log, int errno_value)
{
    if (!log->is_failing) {
        pin_log_error("querylog: writing %s failed (%s), lines are lost until it works again",
            log->file == NULL ? "to standard output" : log->file, strerrorname_np(errno_value));
    }
    log->is_failing = true;
}

/* Writes all that waits; what cannot be written is lost, so that memory stays bounded. */
static void write_waiting(struct pin_querylog *log)
{
    const char *at = pin_text_get(&log->waiting);
    size_t left = log->waiting.len;
    while (left > 0) {
        ssize_t n_written = write(log->fd, at, left);
        if (n_written < 0 && errno == EINTR) {
            continue;
        }
        if (n_written <= 0) {
            fail(log, errno);
            break;
        }
        at += n_written;
        left -= (size_t)n_written;
        log->is_failing = false;
    }
    pin_text_cut(&log->waiting, 0);
}

/* Opens the file again when its name leads elsewhere now. */
static void follow_rotation(struct pin_querylog *log)
{
    struct stat opened;
    struct stat named;
    if (log->file == NULL || fstat(log->fd, &opened) != 0) {
        return;
    }
    if (lstat(log->file, &named) == 0 && named.st_ino == opened.st_ino
        && named.st_dev == opened.st_dev) {
        return;
    }
    int fd = open_file(log->file);
    if (fd < 0) {
        fail(log, errno); /* the moved file goes on getting lines */
        return;
    }
    (void)close(log->fd);
    log->fd = fd;
}

void pin_querylog_add(struct pin_querylog *log, const struct pin_tap_record *record)
{
    pin_querylog_format(record, &log->waiting);
    if (log->waiting.failed) {
        pin_text_done(&log->waiting);
    }
    if (log->waiting.len >= WAITING_BYTES) {
        write_waiting(log);
    }
}

void pin_querylog_flush(struct pin_querylog *log)
{
    write_waiting(log);
    follow_rotation(log);
}

void pin_querylog_close(struct pin_querylog *log)
{
    if (log == NULL) {
        return;
    }
    write_waiting(log);
    pin_text_done(&log->waiting);
    if (log->file != NULL) {
        (void)close(log->fd);
    }
    free(log->file);
    free(log);
}
