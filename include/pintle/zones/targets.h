/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Targets: the SRV records of a headless service in few bytes.
 *
 * Written out, each record repeats the whole name of its endpoint, in the service's own and its
 * ports' RRsets and once more for askers who call the zone by its common name. A table of form
 * PIN_TABLE_TARGETS holds what differs, and a worker writes the records and the addresses of their
 * targets from it:
 *
 *     ttl u32
 *     runs:  n u16, port u16, weight u16, source (length u8, wire labels), ip_bytes u8, then n rows
 *     row:   ip_bytes 4 or 16: that address
 *            ip_bytes 0: label (length u8, letters), n_ips u8, n_ips times: family u8, address
 *
 * A target is <label>.<source>.<service>; without a label it is the first address with dashes. So
 * an endpoint that is nothing but an address takes as many bytes as that.
 *
 * Such endpoints have no nodes either, as long as every asker is shown their own addresses: names
 * <dashed-ip>.<parent> are answered from the table of addresses (reverse.h) where the parent's node
 * has the flag PIN_NODE_HAS_DASHED.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/ip.h"

/** Most addresses of one target. */
#define PIN_TARGET_IPS_MAX UINT8_MAX
/** Where a table's first row starts. */
#define PIN_TARGETS_HEAD_BYTES 4u

/** Largest number of bytes before the rows of a run, its source aside. */
#define PIN_TARGETS_RUN_BYTES 8u

/** One record. Points into the table. */
struct pin_target_row {
    uint16_t port;
    uint16_t weight;
    const uint8_t *label;  /**< Length and letters; length 0: the first address with dashes. */
    const uint8_t *source; /**< Length and wire labels without root. */
    const uint8_t *ips;    /**< Read with pin_target_ip(). */
    uint8_t n_ips;         /**< 1 or more. */
    uint8_t ip_bytes;      /**< 0: each address has its family in front. */
};

/** Where a reader is. A zeroed one with `at` behind the head stands before the first row. */
struct pin_targets_at {
    const uint8_t *at;
    uint16_t n_left; /**< Rows of this run. */
    struct pin_target_row run;
};

/** The address at `at` of a row; returns where its next one starts. Start with row->ips. */
static inline const uint8_t *pin_target_ip(
    const struct pin_target_row *row, const uint8_t *at, struct pin_ip *ret)
{
    uint8_t family = row->ip_bytes != 0 ? (row->ip_bytes == 4 ? 4 : 6) : *at++;
    *ret = pin_ip_from_bytes(at, family);
    return at + (family == 4 ? 4 : 16);
}

/** Reads the next row; there must be one. */
static inline struct pin_target_row pin_targets_next(struct pin_targets_at *t)
{
    static const uint8_t no_label[1] = {0};
    if (t->n_left == 0) {
        t->n_left = pin_get_be16(t->at);
        t->run.port = pin_get_be16(t->at + 2);
        t->run.weight = pin_get_be16(t->at + 4);
        t->run.source = t->at + 6;
        t->at = t->run.source + 1 + t->run.source[0];
        t->run.ip_bytes = *t->at++;
    }
    struct pin_target_row row = t->run;
    t->n_left--;
    row.label = no_label;
    row.n_ips = 1;
    if (row.ip_bytes == 0) {
        row.label = t->at;
        t->at += 1 + row.label[0];
        row.n_ips = *t->at++;
    }
    row.ips = t->at;
    for (uint8_t i = 0; i < row.n_ips; i++) {
        struct pin_ip ip;
        t->at = pin_target_ip(&row, t->at, &ip);
    }
    return row;
}

/** Whether two rows have the same target. */
static inline bool pin_targets_are_same(
    const struct pin_target_row *a, const struct pin_target_row *b)
{
    struct pin_ip ip_a;
    struct pin_ip ip_b;
    (void)pin_target_ip(a, a->ips, &ip_a);
    (void)pin_target_ip(b, b->ips, &ip_b);
    return a->label[0] == b->label[0] && memcmp(a->label + 1, b->label + 1, a->label[0]) == 0
           && a->source[0] == b->source[0]
           && memcmp(a->source + 1, b->source + 1, a->source[0]) == 0
           && (a->label[0] > 0 || pin_ip_equal(&ip_a, &ip_b));
}
