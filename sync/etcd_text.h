/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What etcd's JSON gateway says and is told: 64-bit numbers are texts, bytes are base64.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

struct pin_arena;

/** One key with its value. */
struct pin_etcd_kv {
    char *key; /**< Owned; NUL-terminated. */
    size_t key_bytes;
    bool has_nul;   /**< Inside the key: no Pintle wrote it. */
    uint8_t *value; /**< Owned; NULL when it was not asked for, or is gone. */
    size_t value_bytes;
    int64_t mod_revision;
};

/** Reads one element of `kvs`. PIN_EPARSE, PIN_ENOMEM. The caller calls pin_etcd_kv_done(). */
enum pin_err pin_etcd_kv_read(
    const struct pin_tree *tree, struct pin_etcd_kv *ret_kv, struct pin_why *why);

/** Frees what it holds and empties it. */
void pin_etcd_kv_done(struct pin_etcd_kv *kv);

/** What one line of a watch says. Borrowed from the arena it was read into. */
struct pin_etcd_event_line {
    bool is_created;
    bool is_canceled;
    bool is_fragment;         /**< The rest of the same revision follows. */
    int64_t revision;         /**< Of the store, as the line was made. */
    int64_t compact_revision; /**< Not 0: what was asked for is not kept any more. */
    const char *reason;       /**< Of an end; never NULL. */
    const struct pin_tree *events;
};

/**
 * Reads a line of a watch. An error in place of a result reads as an end, with its message as the
 * reason.
 * @return PIN_OK, PIN_EPARSE, PIN_ELIMIT, PIN_ENOMEM.
 */
enum pin_err pin_etcd_line_read(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_etcd_event_line *ret_line, struct pin_why *why);

/** Whether an element of `events` says that its key is gone. */
bool pin_etcd_event_is_delete(const struct pin_tree *event);

/** Appends "name":"base64", and a comma behind it when there is to be one. */
void pin_etcd_put_bytes(
    struct pin_text *out, const char *name, const void *data, size_t bytes, bool has_next);

/** The end of the range of all keys that begin with a prefix; heap, NULL when memory is out. The
 * prefix's last byte is not 0xff. */
char *pin_etcd_range_end(const char *prefix);
