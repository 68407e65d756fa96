/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a daemon says of its zones and plans, on two pages with a NUL between them: what is
 * written of it is whole lines of printable text. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"

#include "cli/emit.h"
#include "cli/records_text.h"
#include "fuzz/require.h"

#define ARENA_BYTES ((size_t)64 << 20)
/* Each zone's changes are picked out of all: the product of the two takes minutes for more, and the
 * daemon that is asked has dozens of zones. */
#define INPUT_MAX_BYTES ((size_t)8 << 10)

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

static void check_bytes(const struct pin_text *out)
{
    for (const char *at = pin_text_get(out); *at != '\0'; at++) {
        bool is_control =
            (unsigned char)*at < ' ' || *at == '\x7f'
            || (*at == '\xc2' && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] < 0xa0);
        require(!is_control || *at == '\n');
    }
    require(out->len == 0 || out->ptr[out->len - 1] == '\n');
}

static void show(const struct pin_records_view *view)
{
    struct pin_text out = {0};
    pin_records_put_plans(view, &out);
    check_bytes(&out);
    pin_text_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (size > INPUT_MAX_BYTES) {
        return 0;
    }
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t first = nul == NULL ? size : (size_t)(nul - text);
    struct pin_api_reply overview = read_page(text, first);
    struct pin_api_reply plan =
        read_page(nul == NULL ? "" : nul + 1, nul == NULL ? 0 : size - first - 1);
    struct pin_records_scope scope = {.entry = ""};
    struct pin_records_view view = {
        .overview = pin_tree_list(overview.tree, "items"), .plan = plan.tree, .scope = &scope};
    size_t n_left = pin_records_count_left(plan.tree);
    require(pin_records_count_undone(plan.tree) <= n_left);
    (void)pin_records_count_faults(&view);
    show(&view);
    view.is_outcome = true;
    show(&view);
    view.is_adoption = true;
    show(&view);
    (void)pin_records_choose(view.overview, "www.example.com", &scope, NULL);
    show(&view);
    pin_api_reply_done(&overview);
    pin_api_reply_done(&plan);
    return 0;
}
