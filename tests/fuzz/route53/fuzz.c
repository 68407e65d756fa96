/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever Route 53 says: what is read is a listing, ids that fit into a path, texts with ends. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/text.h"

#include "fuzz/require.h"
#include "sync/route53_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written, or is refused; and would be kept as it is. */
static void write_back(const struct pin_recordset *set, struct pin_arena *arena)
{
    static const struct pin_route53_zone zone = {"example.com", "Z1"};
    struct pin_provider_sets again = {.arena = arena, .zone = "example.com"};
    struct pin_text out = {0};
    struct pin_why why = {0};
    struct pin_provider_edit edit = {.was = set, .will = set};
    struct pin_provider_change change = {&edit, 1};
    enum pin_err err = pin_route53_put_batch(&out, &zone, &change, 1, &why);
    require(err == PIN_OK || (err == PIN_EINVAL && why.text[0] != '\0'));
    require(pin_route53_weight(&change) >= 64 * set->n_values);
    if (pin_route53_adjust(set, &zone, &again, NULL) == PIN_OK) {
        require(again.n_sets <= 2); /* an alias of type CNAME becomes one of both families */
        require(again.n_sets < 2 || strcmp(set->type, "CNAME") == 0);
        for (size_t i = 0; i < again.n_sets; i++) {
            require(strcmp(again.sets[i].name, set->name) == 0);
        }
    }
    pin_provider_sets_done(&again);
    pin_text_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *text = (const char *)data;
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)64 << 20);
    struct pin_arena *scratch = pin_arena_new("fuzz", (size_t)64 << 20);
    struct pin_provider_sets sets = {.arena = arena, .zone = "example.com"};
    struct pin_route53_next next = {0};
    struct pin_route53_zones zones = {0};
    char code[PIN_ROUTE53_CODE_MAX];
    char message[PIN_PROVIDER_MESSAGE_MAX];
    size_t n = 0;
    if (pin_route53_read_page(text, size, scratch, &sets, &next, NULL) == PIN_OK) {
        require((next.name == NULL) == (next.type == NULL));
        const struct pin_recordset *taken = pin_provider_sets_take(&sets, &n);
        for (size_t i = 0; taken != NULL && i < n; i++) {
            require(i == 0 || pin_recordset_cmp(&taken[i - 1], &taken[i]) < 0);
            require(pin_provider_is_in_zone(taken[i].name, "example.com"));
            write_back(&taken[i], arena);
        }
    }
    if (pin_route53_read_zones(text, size, scratch, "example.com", &zones, NULL) == PIN_OK) {
        require(strspn(zones.id[0], safe) == strlen(zones.id[0]));
        require(strspn(zones.next_id, safe) == strlen(zones.next_id));
        require((zones.n[0] > 0) == (zones.id[0][0] != '\0') || zones.n[0] == 0);
    }
    pin_route53_read_error(text, size, code, message);
    require(memchr(code, '\0', sizeof(code)) && memchr(message, '\0', sizeof(message)));
    pin_route53_next_done(&next);
    pin_provider_sets_done(&sets);
    pin_arena_free(scratch);
    pin_arena_free(arena);
    return 0;
}
