/* SPDX-License-Identifier: Apache-2.0 */

/* Looks through a MaxMind database before libmaxminddb does. */

#include "resolver/geo_check.h"

#include <inttypes.h>
#include <maxminddb.h>
#include <string.h>

#include "pintle/base/macros.h"

#define MARKER "\xab\xcd\xefMaxMind.com"
/* The metadata stands behind the last marker of so many bytes at the end. */
#define METADATA_MAX_BYTES ((size_t)128 * 1024)
#define SEPARATOR_BYTES    16u /* between tree and data */
#define DEPTH_MAX          64u
#define VALUES_MAX         65536u
/* What all records together may have: some, so many for each byte, and never more than what takes
 * half a minute. */
#define ALL_VALUES_MIN      ((uint64_t)64 * VALUES_MAX)
#define ALL_VALUES_PER_BYTE 64u
#define ALL_VALUES_MAX      ((uint64_t)1 << 32)

/* --- values ------------------------------------------------------------------------------------
 */

/* What stands in front of a value. */
struct head {
    int type;      /* MMDB_DATA_TYPE_* */
    uint32_t size; /* bytes, entries of a map or an array; of a pointer: where it points to */
};

/* Takes n bytes as a number, most significant first. */
static bool take(const uint8_t *section, uint32_t bytes, uint32_t *at, unsigned n, uint32_t *ret)
{
    if (*at > bytes || bytes - *at < n) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        *ret = *ret << 8 | section[(*at)++];
    }
    return true;
}

/* A pointer has 1 to 4 bytes behind its control byte, and begins where shorter ones end. */
static bool take_pointer(
    const uint8_t *section, uint32_t bytes, uint32_t *at, uint8_t control, uint32_t *ret)
{
    static const uint32_t begins[] = {0, 2048, 526336, 0};
    unsigned form = control / 8u % N_ELEMS(begins);
    uint32_t offset = form < 3 ? control & 7u : 0;
    if (!take(section, bytes, at, form + 1, &offset)) {
        return false;
    }
    *ret = begins[form] + offset;
    return true;
}

/* Sizes from 29 on stand in 1 to 3 bytes behind the type. */
static bool take_size(
    const uint8_t *section, uint32_t bytes, uint32_t *at, uint8_t control, uint32_t *ret)
{
    static const uint32_t begins[] = {29, 285, 65821};
    unsigned form = control & 31u;
    if (form < 29) {
        *ret = form;
        return true;
    }
    uint32_t more = 0;
    if (!take(section, bytes, at, form - 28, &more)) {
        return false;
    }
    *ret = begins[form - 29] + more;
    return true;
}

/* Reads what stands in front of a value and, unless it holds others, goes past it. */
static bool take_head(const uint8_t *section, uint32_t bytes, uint32_t *at, struct head *ret)
{
    uint32_t control = 0;
    uint32_t extended = 0;
    if (!take(section, bytes, at, 1, &control)) {
        return false;
    }
    ret->type = (int)(control >> 5);
    if (ret->type == MMDB_DATA_TYPE_POINTER) {
        return take_pointer(section, bytes, at, (uint8_t)control, &ret->size);
    }
    if (ret->type == MMDB_DATA_TYPE_EXTENDED) {
        if (!take(section, bytes, at, 1, &extended)) {
            return false;
        }
        ret->type = (int)extended + 7;
    }
    if (!take_size(section, bytes, at, (uint8_t)control, &ret->size)) {
        return false;
    }
    if (ret->type == MMDB_DATA_TYPE_MAP || ret->type == MMDB_DATA_TYPE_ARRAY
        || ret->type == MMDB_DATA_TYPE_BOOLEAN) {
        return true;
    }
    if (bytes - *at < ret->size) {
        return false;
    }
    *at += ret->size;
    return true;
}

/* Values that stand in a row. */
struct row {
    uint32_t at;   /* of the next one */
    uint32_t left; /* how many more */
    bool is_aside; /* a pointer led here: the row above goes on where it was */
};

/* The row of what a value holds; one without values when it holds none. */
static struct row row_below(const struct head *head, uint32_t at)
{
    switch (head->type) {
    case MMDB_DATA_TYPE_POINTER:
        return (struct row){.at = head->size, .left = 1, .is_aside = true};
    case MMDB_DATA_TYPE_MAP:
        return (struct row){.at = at, .left = 2 * head->size};
    case MMDB_DATA_TYPE_ARRAY:
        return (struct row){.at = at, .left = head->size};
    default:
        return (struct row){.at = at};
    }
}

bool pin_geo_is_bounded(const uint8_t *section, uint32_t bytes, uint32_t at, uint64_t *values_left)
{
    struct row rows[DEPTH_MAX] = {{.at = at, .left = 1}};
    size_t depth = 0;
    for (unsigned n = VALUES_MAX; n != 0 && *values_left != 0; n--) {
        while (rows[depth].left == 0) {
            if (depth == 0) {
                return true;
            }
            depth--;
            if (!rows[depth + 1].is_aside) {
                rows[depth].at = rows[depth + 1].at;
            }
        }
        struct head head = {0};
        (*values_left)--;
        rows[depth].left--;
        if (depth + 1 == DEPTH_MAX || !take_head(section, bytes, &rows[depth].at, &head)) {
            return false;
        }
        rows[depth + 1] = row_below(&head, rows[depth].at);
        depth++;
    }
    return false;
}

uint64_t pin_geo_values_max(uint32_t bytes)
{
    return PIN_MIN(ALL_VALUES_MIN + (uint64_t)ALL_VALUES_PER_BYTE * bytes, ALL_VALUES_MAX);
}

/* --- the file ----------------------------------------------------------------------------------
 */

/* Where the metadata begins, behind the last marker; NULL when there is none. */
static const uint8_t *find_metadata(const char *text, size_t bytes)
{
    const char *found = NULL;
    size_t n = bytes < METADATA_MAX_BYTES ? bytes : METADATA_MAX_BYTES;
    const char *at = text + (bytes - n);
    while ((at = memmem(at, (size_t)(text + bytes - at), MARKER, sizeof(MARKER) - 1)) != NULL) {
        at += sizeof(MARKER) - 1;
        found = at;
    }
    return (const uint8_t *)found;
}

/* A number of the metadata, as the library reads it; 0 when it is not there or of another type. */
static uint64_t number_of(MMDB_s *metadata, const char *key)
{
    MMDB_entry_s entry = {.mmdb = metadata};
    MMDB_entry_data_s data = {0};
    const char *const path[] = {key, NULL};
    if (MMDB_aget_value(&entry, &data, path) != MMDB_SUCCESS || !data.has_data) {
        return 0;
    }
    return data.type == MMDB_DATA_TYPE_UINT32   ? data.uint32
           : data.type == MMDB_DATA_TYPE_UINT16 ? data.uint16
                                                : 0;
}

enum pin_err pin_geo_check(const char *text, size_t bytes, struct pin_why *why)
{
    const uint8_t *start = find_metadata(text, bytes);
    if (start == NULL) {
        return pin_why_set(why, PIN_EPARSE, "it has no metadata: not a MaxMind database, or cut");
    }
    uint32_t n = (uint32_t)((const uint8_t *)text + bytes - start);
    uint64_t values_left = VALUES_MAX;
    if (!pin_geo_is_bounded(start, n, 0, &values_left)) {
        return pin_why_set(why, PIN_EPARSE, "its metadata is broken");
    }
    MMDB_s metadata = {.data_section = start, .data_section_size = n};
    uint64_t n_nodes = number_of(&metadata, "node_count");
    uint64_t tree_bytes = n_nodes * (number_of(&metadata, "record_size") / 4);
    if (n_nodes == 0 || tree_bytes + SEPARATOR_BYTES > bytes) {
        return pin_why_set(
            why, PIN_EPARSE, "a tree of %" PRIu64 " nodes in a file of %zu bytes", n_nodes, bytes);
    }
    return PIN_OK;
}
