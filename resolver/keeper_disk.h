/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The keeper's directory and files: opened without following links, written, replaced. Blocking.
 * One thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

#include "resolver/state_file.h"

/** Made by pin_keeper_disk_open(). */
struct pin_keeper_disk {
    const char *dir; /**< Its path; borrowed. */
    int dir_fd;      /**< Holds the lock; -1: not open. */
    bool is_locked;  /**< Else another process has it: nothing may be written. */
    bool is_lost;    /**< It was removed, and what is at its path now cannot be had. */
    int fd;          /**< The file; -1: there is none that may be appended to. */
    int next_fd;     /**< The file that will take its place; -1: none. */
    uint64_t seed;
    uint64_t bytes;
    uint64_t next_seed;
    uint64_t next_bytes;
};

/** Makes and locks the directory. Errors as of pin_keeper_open().
 * @param may_wait  That another process has the lock is no error: it is about to end. */
enum pin_err pin_keeper_disk_open(
    struct pin_keeper_disk *disk, const char *dir, bool may_wait, struct pin_why *why);

/** Tries to lock it, unless it is. */
bool pin_keeper_disk_lock(struct pin_keeper_disk *disk);

/** Closes everything, and throws a next file away. */
void pin_keeper_disk_close(struct pin_keeper_disk *disk);

/** Reads the whole file: free() *ret_data. PIN_ENOTFOUND: there is none. */
enum pin_err pin_keeper_disk_read(
    struct pin_keeper_disk *disk, uint8_t **ret_data, size_t *ret_bytes, struct pin_why *why);

/** Renames the file to another name, which is written into `why`'s text on success. */
enum pin_err pin_keeper_disk_set_aside(struct pin_keeper_disk *disk, struct pin_why *why);

/** Opens the file to append behind its good part; what is behind that goes. */
enum pin_err pin_keeper_disk_append(
    struct pin_keeper_disk *disk, const struct pin_state_scan *scan, struct pin_why *why);

/** Begins a next file; frames go there from now on. Where the directory was removed meanwhile it is
 * made again; where that is not allowed, as in a sandbox that knows the first one alone, `is_lost`
 * says so. */
enum pin_err pin_keeper_disk_begin(struct pin_keeper_disk *disk, struct pin_why *why);

/** Writes a frame; after an error nothing of it is left, or the file is closed. */
enum pin_err pin_keeper_disk_write(
    struct pin_keeper_disk *disk, const struct pin_text *payload, struct pin_why *why);

/** Makes the next file the file: synced, renamed, the directory synced. */
enum pin_err pin_keeper_disk_replace(struct pin_keeper_disk *disk, struct pin_why *why);

/** Throws a next file away. */
void pin_keeper_disk_drop(struct pin_keeper_disk *disk);

/** Has what was written reach the disk. */
enum pin_err pin_keeper_disk_sync(struct pin_keeper_disk *disk, struct pin_why *why);
