/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Records: what the commands `pintlectl records ...` share.
 *
 *     overview (zones, their state) -> scope (which of them) -> pages (of a plan, a list) as one
 *                                                            -> order (POST) -> overview, again and
 *                                                               again until its zones have run
 *
 * Errors are told on standard error by whoever returns an exit code. All of it blocks.
 */

#include <stdbool.h>
#include <stddef.h>

#include "cli/api.h"

/** Room for the text of any name, zone or entry, with its NUL. */
#define PIN_RECORDS_NAME_MAX 1024

/** Which records are asked for. Texts are "" where all are. */
struct pin_records_scope {
    char entry[PIN_RECORDS_NAME_MAX]; /**< An entry of `records` in the configuration. */
    char zone[PIN_RECORDS_NAME_MAX];
    char name[PIN_RECORDS_NAME_MAX]; /**< One record's name, as the API writes it. */
};

/** What a command looks at. A zeroed one with its `ctl` is empty; pin_records_done() frees it. */
struct pin_records {
    const struct pin_ctl *ctl;
    struct pin_api_reply overview;
    struct pin_records_scope scope;
    struct pin_api_reply *pages;
    size_t n_pages;
    struct pin_tree *page; /**< All pages as one: lists of later ones are in the first one's. */
};

/** A page of the API. */
struct pin_records_page {
    const char *name;  /**< "plan", "list", "drift" */
    bool is_adoption;  /**< plan: the planned adoption. */
    bool takes_a_name; /**< It can be asked for one record. */
};

/**
 * Finds what `word` means: a zone, an entry, or a name below a zone; NULL: all.
 *
 * @param items  Of the overview.
 * @return PIN_OK; PIN_ENOTFOUND or PIN_EINVAL, explained.
 */
enum pin_err pin_records_choose(const struct pin_tree *items, const char *word,
    struct pin_records_scope *ret_scope, struct pin_why *why);

/** Whether a zone of an entry is in the scope. */
bool pin_records_is_chosen(
    const struct pin_records_scope *scope, const char *entry, const char *zone);

/** The zone of the overview's items with that name in that entry, or NULL. */
const struct pin_tree *pin_records_zone(
    const struct pin_tree *items, const char *entry, const char *zone);

/** Whether the last run of a zone of the overview ended with a fault. */
bool pin_records_has_fault(const struct pin_tree *zone);

/** Tells of a zone whose last run ended with a fault; false when it did not. */
bool pin_records_tell_fault(const char *entry, const struct pin_tree *zone);

/** Reads the overview, and what `word` means. NULL: all. */
enum pin_ctl_exit pin_records_open(struct pin_records *self, const char *word);

/** Reads the overview again; the one before is gone. */
enum pin_ctl_exit pin_records_look(struct pin_records *self);

/** Reads a page, all parts of it, without what is not in the scope. One read before is gone. */
enum pin_ctl_exit pin_records_read(struct pin_records *self, const struct pin_records_page *page);

/** Frees what it holds. */
void pin_records_done(struct pin_records *self);
