/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Addresses, prefixes, address with port, and the longest-prefix match.
 *
 * A `struct pin_ip` is canonical: unused bytes are zero and an IPv4-mapped IPv6 address from a
 * socket is an IPv4 address, so comparing and hashing the bytes is right. Nothing here resolves
 * names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** Buffer sizes for the texts, with their NUL. */
#define PIN_IP_TEXT_MAX       46
#define PIN_IP_DASHED_MAX     48
#define PIN_PREFIX_TEXT_MAX   50
#define PIN_ADDRPORT_TEXT_MAX 54

/** One address. A zeroed one is "no address". */
struct pin_ip {
    uint8_t bytes[16]; /**< Network byte order; IPv4 in the first 4, the rest zero. */
    uint8_t family;    /**< 0 none, 4 or 6. */
};

/** All addresses whose first `bits` bits are those of `ip`; the other bits of `ip` are zero. */
struct pin_prefix {
    struct pin_ip ip;
    uint8_t bits; /**< 0 to 32 or 0 to 128. */
};

/** Whether it is one address; a prefix without a family is none. */
static inline bool pin_prefix_is_one(const struct pin_prefix *prefix)
{
    return prefix->ip.family != 0 && prefix->bits == (prefix->ip.family == 4 ? 32 : 128);
}

/** Where a socket listens or connects. */
struct pin_addrport {
    struct pin_ip ip;
    uint16_t port; /**< Host byte order. */
};

/** Reads "10.0.0.1" or "2001:db8::1" (no zone index, no prefix). False and untouched otherwise. */
bool pin_ip_parse(const char *text, struct pin_ip *ret_ip);

/** Writes the canonical text (RFC 5952); "" for no address. Returns `out`. */
const char *pin_ip_format(const struct pin_ip *ip, char out[PIN_IP_TEXT_MAX]);

/** Order for sorting: family, then bytes. <0, 0, >0. */
int pin_ip_cmp(const struct pin_ip *a, const struct pin_ip *b);

/** True for the same family and address. */
bool pin_ip_equal(const struct pin_ip *a, const struct pin_ip *b);

/**
 * Writes the address as a DNS label: the canonical text with '-' for '.' and ':', and a 0 where the
 * label would start or end with '-'. 10.0.0.1 is 10-0-0-1, ::1 is 0--1. Returns `out`.
 */
const char *pin_ip_dashed(const struct pin_ip *ip, char out[PIN_IP_DASHED_MAX]);

/** Reads what pin_ip_dashed() writes, and the same without the added zeros. False otherwise. */
bool pin_ip_from_dashed(const char *label, size_t bytes, struct pin_ip *ret_ip);

/** From 4 or 16 bytes in network byte order; no IPv4-mapped rewriting. `family` is 4 or 6. */
struct pin_ip pin_ip_from_bytes(const void *bytes, uint8_t family);

/** From a socket address; IPv4-mapped becomes IPv4; other families give "no address". */
struct pin_ip pin_ip_from_sockaddr(const struct sockaddr *addr);

/** True for 127/8 and ::1. */
bool pin_ip_is_loopback(const struct pin_ip *ip);

/**
 * Whether an address can be that of somebody else: false for what leads to the asker itself, to its
 * own link (where clouds keep their credentials) or to nobody: loopback, link-local, unspecified,
 * multicast, broadcast (RFC 6890), fd00:ec2::/64, where EC2 keeps what others keep on the link, and
 * IPv4 in the guise of IPv6, of which 64:ff9b::/96 (RFC 6052) is others' when the IPv4 address is.
 * True for 169.254.171/24 and fd00:ec2:80::/64: VPC Lattice's services are there. `ip` is one of
 * either family.
 */
bool pin_ip_is_others(const struct pin_ip *ip);

/** Reads "10.0.0.0/8"; host bits are cleared; without "/" it is the one address. */
bool pin_prefix_parse(const char *text, struct pin_prefix *ret_prefix);

/** The prefix of `bits` bits around an address; `bits` is cut to what the family has. */
struct pin_prefix pin_prefix_of(const struct pin_ip *ip, uint8_t bits);

/** Writes "10.0.0.0/8"; "" for no address. Returns `out`. */
const char *pin_prefix_format(const struct pin_prefix *prefix, char out[PIN_PREFIX_TEXT_MAX]);

/** True when the address lies in the prefix. Families never match each other. */
bool pin_prefix_has(const struct pin_prefix *prefix, const struct pin_ip *ip);

/** Reads "ADDR", "ADDR:PORT", "V6", "[V6]" and "[V6]:PORT"; no port means `default_port`. */
bool pin_addrport_parse(const char *text, uint16_t default_port, struct pin_addrport *ret_addrport);

/** Writes "10.0.0.1:53" or "[2001:db8::1]:53". Returns `out`. */
const char *pin_addrport_format(
    const struct pin_addrport *addrport, char out[PIN_ADDRPORT_TEXT_MAX]);

/** Fills a socket address and returns its length; 0 for no address. */
socklen_t pin_addrport_to_sockaddr(
    const struct pin_addrport *addrport, struct sockaddr_storage *ret_addr);

/** From a socket address, as pin_ip_from_sockaddr(), with its port. */
struct pin_addrport pin_addrport_from_sockaddr(const struct sockaddr *addr);

/** What pin_lpm_find() returns when no prefix holds the address; no entry may carry it. */
#define PIN_LPM_NONE UINT32_MAX

/** A prefix and what it stands for. */
struct pin_lpm_entry {
    struct pin_prefix prefix;
    uint32_t value; /**< Anything but PIN_LPM_NONE. */
};

/**
 * Longest-prefix match, immutable: any number of threads may read it.
 *
 *     10/8 = A, 10.1/16 = B     ->     0.0.0.0 none | 10.0.0.0 A | 10.1.0.0 B | 10.2.0.0 A
 * | 11.0.0.0 none
 *
 * Nested prefixes are flattened into ranges that do not overlap, sorted by their first address.
 */
struct pin_lpm;

/**
 * Builds one from `n_entries` entries (0 is fine), which are copied. Of equal prefixes the last one
 * counts; entries without an address are skipped. NULL when out of memory. Cost: a sort.
 */
struct pin_lpm *pin_lpm_new(const struct pin_lpm_entry *entries, size_t n_entries);

/** Frees it. NULL is fine. */
void pin_lpm_free(struct pin_lpm *lpm);

/**
 * The value of the longest prefix that holds `ip`, or PIN_LPM_NONE. `lpm` may be NULL: none.
 * Cost: one binary search over at most twice as many ranges as entries; no allocation.
 */
uint32_t pin_lpm_find(const struct pin_lpm *lpm, const struct pin_ip *ip);

/**
 * Bits of the shortest prefix that holds `ip` and for all of whose addresses pin_lpm_find() says
 * the same. 0 for an empty one or no address. Cost as of pin_lpm_find().
 */
uint8_t pin_lpm_scope(const struct pin_lpm *lpm, const struct pin_ip *ip);
