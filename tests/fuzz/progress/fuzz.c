/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a daemon says of its clusters, on two pages with a NUL between them: what is written of
 * it moves no cursor but where it should, a JSON line is a JSON object, and news is told once. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"

#include "cli/emit.h"
#include "cli/progress.h"
#include "fuzz/require.h"

#define ARENA_BYTES ((size_t)64 << 20)
#define COLUMNS     20
/* A cluster's page is looked for among all: the product of the two takes half a minute for more,
 * and there are 1,000 at most. */
#define INPUT_MAX_BYTES ((size_t)16 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Empty when it is no JSON. */
static struct pin_api_reply read_page(const char *text, size_t size)
{
    struct pin_api_reply reply = {.arena = pin_arena_new("fuzz", ARENA_BYTES)};
    if (pin_json_parse(text, size, reply.arena, &reply.tree, NULL) != PIN_OK) {
        reply.tree = NULL;
    }
    pin_emit_printable(&reply);
    return reply;
}

static void check_bytes(const struct pin_text *out, bool is_screen)
{
    for (const char *at = pin_text_get(out); *at != '\0'; at++) {
        bool is_control = (unsigned char)*at < ' ' || *at == '\x7f';
        require(!is_control || *at == '\n' || (is_screen && (*at == '\033' || *at == '\r')));
    }
}

static void check_lines(const struct pin_text *out)
{
    const char *at = pin_text_get(out);
    for (const char *end = strchr(at, '\n'); end != NULL; at = end + 1, end = strchr(at, '\n')) {
        struct pin_arena *arena = pin_arena_new("fuzz", ARENA_BYTES);
        struct pin_tree *tree = NULL;
        require(pin_json_parse(at, (size_t)(end - at), arena, &tree, NULL) == PIN_OK);
        require(tree->kind == PIN_TREE_MAP);
        pin_arena_free(arena);
    }
    require(*at == '\0');
}

static void show(enum pin_progress_form form, struct pin_progress_view *view)
{
    struct pin_text out = {0};
    struct pin_progress *self = pin_progress_new(form, false);
    pin_progress_set_screen(self, 4, COLUMNS);
    pin_progress_put(self, view, &out);
    check_bytes(&out, form == PIN_PROGRESS_SCREEN);
    if (form == PIN_PROGRESS_JSON) {
        check_lines(&out);
    }
    pin_progress_clear(self, &out);
    pin_text_done(&out);
    pin_progress_free(self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (size > INPUT_MAX_BYTES) {
        return 0;
    }
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t first = nul == NULL ? size : (size_t)(nul - text);
    struct pin_api_reply status = read_page(text, first);
    struct pin_api_reply clusters =
        read_page(nul == NULL ? "" : nul + 1, nul == NULL ? 0 : size - first - 1);
    struct pin_progress_view view = {.status = status.tree, .clusters = clusters.tree};
    struct pin_text missing = {0};
    show(PIN_PROGRESS_LINES, &view);
    show(PIN_PROGRESS_SCREEN, &view);
    show(PIN_PROGRESS_JSON, &view);
    pin_progress_put_missing(&view, &missing);
    require(missing.len > 0);
    check_bytes(&missing, false);
    pin_text_done(&missing);
    pin_api_reply_done(&status);
    pin_api_reply_done(&clusters);
    return 0;
}
