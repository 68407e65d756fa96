/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever an API server answers to a check's questions: a right is known or it is not, texts have
 * bounds and cannot move a cursor, and of each kind a version is served that we know, or none. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"

#include "fuzz/require.h"
#include "sync/decode.h"
#include "sync/discovery.h"
#include "sync/survey_report.h"

#define TEXT_BYTES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size, const char *path)
{
    char out[TEXT_BYTES];
    memset(out, 'x', sizeof(out));
    pin_survey_read_text(text, size, path, out, sizeof(out));
    const char *end = memchr(out, '\0', sizeof(out));
    require(end != NULL);
    for (const char *at = out; at < end; at++) {
        require((unsigned char)*at >= ' ' && *at != '\x7f');
        require(*at != '\xc2' || (unsigned char)at[1] >= 0xa0); /* a control of two bytes */
    }
}

static void check_discovery(const char *text, size_t size)
{
    struct pin_discovery found;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)64 << 20);
    enum pin_err err = pin_discovery_read(text, size, arena, &found, &why);
    require(err == PIN_OK || why.text[0] != '\0');
    for (int kind = 0; kind < PIN_KIND_MAX && err == PIN_OK; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        int version = found.version[kind];
        require(version >= -1 && version < PIN_KIND_VERSIONS_MAX);
        require(version < 0 || row->versions[version] != NULL);
        require(row->group[0] != '\0' || version == 0);
    }
    pin_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    enum pin_survey_right right = pin_survey_read_right(text, size);
    require(right == PIN_RIGHT_UNASKED || right == PIN_RIGHT_YES || right == PIN_RIGHT_NO);
    require(right == PIN_RIGHT_UNASKED || memmem(text, size, "allowed", 7) != NULL
            || memchr(text, '\\', size) != NULL);
    check_text(text, size, "status.userInfo.username");
    check_text(text, size, "gitVersion");
    check_discovery(text, size);
    return 0;
}
