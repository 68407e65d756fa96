/* SPDX-License-Identifier: Apache-2.0 */

/* Longest-prefix match: nested prefixes flattened into sorted ranges that do not overlap. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/ip.h"
#include "pintle/base/macros.h"

/* An address as a number; IPv4 in the low 32 bits. */
struct number {
    uint64_t high;
    uint64_t low;
};

/* From `start` up to the next range's start the answer is `value`. */
struct range {
    struct number start;
    uint32_t value;
};

/* A prefix during the build. */
struct span {
    struct number first;
    struct number last;
    uint32_t value;
    uint32_t order; /* its place in the caller's list */
    uint8_t bits;
};

struct pin_lpm {
    size_t n4;
    size_t n6;
    uint32_t *start4; /* n4 starts, beside them the values: a search touches the starts only */
    uint32_t *value4;
    struct number *start6;
    uint32_t *value6;
};

static uint64_t load_be(const uint8_t *bytes, unsigned n)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static struct number number_of(const struct pin_ip *ip)
{
    if (ip->family == 4) {
        return (struct number){.low = load_be(ip->bytes, 4)};
    }
    return (struct number){.high = load_be(ip->bytes, 8), .low = load_be(ip->bytes + 8, 8)};
}

static int number_cmp(struct number a, struct number b)
{
    if (a.high != b.high) {
        return a.high < b.high ? -1 : 1;
    }
    return a.low == b.low ? 0 : a.low < b.low ? -1 : 1;
}

static struct number number_next(struct number a)
{
    a.low++;
    a.high += a.low == 0;
    return a;
}

/* The last address of a prefix: its first with all host bits set. */
static struct number last_of(struct number first, uint8_t family, uint8_t bits)
{
    unsigned n_host = (family == 4 ? 32U : 128U) - bits;
    if (n_host >= 64) {
        first.low = UINT64_MAX;
        first.high |= n_host == 128 ? UINT64_MAX : ((uint64_t)1 << (n_host - 64)) - 1;
    } else {
        first.low |= ((uint64_t)1 << n_host) - 1;
    }
    return first;
}

/* Outer prefixes before the inner ones that start with them; equal ones in the caller's order. */
static int span_cmp(const void *a_void, const void *b_void)
{
    const struct span *a = a_void;
    const struct span *b = b_void;
    int order = number_cmp(a->first, b->first);
    if (order != 0) {
        return order;
    }
    if (a->bits != b->bits) {
        return a->bits < b->bits ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Appends to `ranges`, which has room; a later value for the same start replaces the earlier. */
static size_t put_range(struct range *ranges, size_t n, struct number start, uint32_t value)
{
    if (number_cmp(ranges[n - 1].start, start) == 0) {
        ranges[n - 1].value = value;
        return n;
    }
    if (ranges[n - 1].value == value) {
        return n;
    }
    ranges[n] = (struct range){.start = start, .value = value};
    return n + 1;
}

/* Ends the innermost open prefix: behind it the one around it counts again. */
static size_t close_span(struct range *ranges, size_t n, const struct span **open, size_t n_open,
    struct number last_address)
{
    struct number last = open[n_open - 1]->last;
    uint32_t value = n_open > 1 ? open[n_open - 2]->value : PIN_LPM_NONE;
    return number_cmp(last, last_address) == 0 ? n : put_range(ranges, n, number_next(last), value);
}

/* Sweeps over sorted spans. `ranges` has room for 2 * n_spans + 1. Returns how many it filled. */
static size_t flatten(
    const struct span *spans, size_t n_spans, struct number last_address, struct range *ranges)
{
    const struct span *open[129]; /* prefixes around the current address, outermost first */
    size_t n_open = 0;
    size_t n = 1;
    ranges[0] = (struct range){.value = PIN_LPM_NONE};
    for (size_t i = 0; i < n_spans; i++) {
        const struct span *span = &spans[i];
        while (n_open > 0 && number_cmp(open[n_open - 1]->last, span->first) < 0) {
            n = close_span(ranges, n, open, n_open--, last_address);
        }
        if (n_open > 0 && open[n_open - 1]->bits == span->bits) {
            n_open--; /* the same prefix again: the later entry counts */
        }
        open[n_open++] = span; /* nested ones differ in bits: at most 129 */
        n = put_range(ranges, n, span->first, span->value);
    }
    while (n_open > 0) {
        n = close_span(ranges, n, open, n_open--, last_address);
    }
    return n;
}

/* The entries of one family as sorted spans. Returns how many. */
static size_t collect(
    const struct pin_lpm_entry *entries, size_t n_entries, uint8_t family, struct span *spans)
{
    size_t n = 0;
    for (size_t i = 0; i < n_entries; i++) {
        const struct pin_prefix *prefix = &entries[i].prefix;
        if (prefix->ip.family != family) {
            continue;
        }
        struct pin_prefix clean = pin_prefix_of(&prefix->ip, prefix->bits);
        struct number first = number_of(&clean.ip);
        spans[n++] = (struct span){.first = first,
            .last = last_of(first, family, clean.bits),
            .value = entries[i].value,
            .order = (uint32_t)i,
            .bits = clean.bits};
    }
    qsort(spans, n, sizeof(*spans), span_cmp);
    return n;
}

static bool store4(struct pin_lpm *lpm, const struct range *ranges, size_t n)
{
    lpm->start4 = calloc(n, sizeof(*lpm->start4));
    lpm->value4 = calloc(n, sizeof(*lpm->value4));
    if (lpm->start4 == NULL || lpm->value4 == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        lpm->start4[i] = (uint32_t)ranges[i].start.low;
        lpm->value4[i] = ranges[i].value;
    }
    lpm->n4 = n;
    return true;
}

static bool store6(struct pin_lpm *lpm, const struct range *ranges, size_t n)
{
    lpm->start6 = calloc(n, sizeof(*lpm->start6));
    lpm->value6 = calloc(n, sizeof(*lpm->value6));
    if (lpm->start6 == NULL || lpm->value6 == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        lpm->start6[i] = ranges[i].start;
        lpm->value6[i] = ranges[i].value;
    }
    lpm->n6 = n;
    return true;
}

struct pin_lpm *pin_lpm_new(const struct pin_lpm_entry *entries, size_t n_entries)
{
    static const struct number last4 = {.low = UINT32_MAX};
    static const struct number last6 = {.high = UINT64_MAX, .low = UINT64_MAX};
    bool is_ok = false;
    struct pin_lpm *lpm = calloc(1, sizeof(*lpm));
    struct span *spans = calloc(n_entries + 1, sizeof(*spans));
    struct range *ranges = calloc(2 * n_entries + 1, sizeof(*ranges));
    if (lpm != NULL && spans != NULL && ranges != NULL) {
        size_t n_spans = collect(entries, n_entries, 4, spans);
        is_ok = store4(lpm, ranges, flatten(spans, n_spans, last4, ranges));
        n_spans = collect(entries, n_entries, 6, spans);
        is_ok = is_ok && store6(lpm, ranges, flatten(spans, n_spans, last6, ranges));
    }
    free(spans);
    free(ranges);
    if (!is_ok) {
        pin_lpm_free(lpm);
        return NULL;
    }
    return lpm;
}

void pin_lpm_free(struct pin_lpm *lpm)
{
    if (lpm != NULL) {
        free(lpm->start4);
        free(lpm->value4);
        free(lpm->start6);
        free(lpm->value6);
        free(lpm);
    }
}

/* Both searches keep `base` on a start <= the address; the first start is 0, so there is one. */
static size_t search4(const struct pin_lpm *lpm, uint32_t address)
{
    size_t base = 0;
    for (size_t n = lpm->n4; n > 1;) {
        size_t half = n / 2;
        base = lpm->start4[base + half] <= address ? base + half : base;
        n -= half;
    }
    return base;
}

static size_t search6(const struct pin_lpm *lpm, struct number address)
{
    size_t base = 0;
    for (size_t n = lpm->n6; n > 1;) {
        size_t half = n / 2;
        base = number_cmp(lpm->start6[base + half], address) <= 0 ? base + half : base;
        n -= half;
    }
    return base;
}

uint32_t pin_lpm_find(const struct pin_lpm *lpm, const struct pin_ip *ip)
{
    if (lpm == NULL || ip->family == 0) {
        return PIN_LPM_NONE;
    }
    struct number address = number_of(ip);
    return ip->family == 4 ? lpm->value4[search4(lpm, (uint32_t)address.low)]
                           : lpm->value6[search6(lpm, address)];
}

/* Bits that keep `address` apart from `other`: 1 more than they have in common. */
static unsigned bits_apart(struct number address, struct number other, uint8_t family)
{
    uint64_t high = address.high ^ other.high;
    uint64_t low = address.low ^ other.low;
    if (family == 4) {
        return low == 0 ? 32 : (unsigned)__builtin_clzll(low) - 31;
    }
    return high != 0  ? (unsigned)__builtin_clzll(high) + 1
           : low != 0 ? (unsigned)__builtin_clzll(low) + 65
                      : 128;
}

static struct number number_before(struct number a)
{
    a.high -= a.low == 0;
    a.low--;
    return a;
}

uint8_t pin_lpm_scope(const struct pin_lpm *lpm, const struct pin_ip *ip)
{
    if (lpm == NULL || ip->family == 0) {
        return 0;
    }
    bool is_v4 = ip->family == 4;
    struct number address = number_of(ip);
    size_t at = is_v4 ? search4(lpm, (uint32_t)address.low) : search6(lpm, address);
    size_t n = is_v4 ? lpm->n4 : lpm->n6;
    unsigned bits = 0;
    if (at > 0) {
        struct number start = is_v4 ? (struct number){.low = lpm->start4[at]} : lpm->start6[at];
        bits = bits_apart(address, number_before(start), ip->family);
    }
    if (at + 1 < n) {
        struct number end =
            is_v4 ? (struct number){.low = lpm->start4[at + 1]} : lpm->start6[at + 1];
        bits = PIN_MAX(bits, bits_apart(address, end, ip->family));
    }
    return (uint8_t)bits;
}
