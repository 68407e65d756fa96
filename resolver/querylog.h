/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Query log: one line per noted question, in the format of CoreDNS's log plugin ("common"), so that
 * what reads those lines reads these.
 *
 *     [INFO] 10.1.0.7:41234 - 4711 "A IN web.apps.svc.clusterset.local. udp 58 false 1232" NOERROR
 *         qr,aa,rd 90 0.000004102s
 *
 * The file is opened again when it has been moved away (rotation). All calls from one thread.
 */

#include "pintle/base/error.h"
#include "pintle/base/text.h"

#include "tap.h"

struct pin_querylog;

/** Opens a log for appending; it is made with mode 0640. `file` NULL: standard output.
 */
enum pin_err pin_querylog_open(
    const char *file, struct pin_querylog **ret_log, struct pin_why *why);

/** Writes what is waiting and closes. NULL is fine. */
void pin_querylog_close(struct pin_querylog *log);

/** Appends a line; it is written with the next flush, or when much has come together. */
void pin_querylog_add(struct pin_querylog *log, const struct pin_tap_record *record);

/** Writes what is waiting, and looks whether the file is still there. Loud, once per failure. */
void pin_querylog_flush(struct pin_querylog *log);

/** The line of one record, with its newline. */
void pin_querylog_format(const struct pin_tap_record *record, struct pin_text *text);

/** "NOERROR", or "RCODE11" in `cell` for one that has no name here. */
const char *pin_querylog_rcode(unsigned rcode, char *cell, size_t cell_bytes);
