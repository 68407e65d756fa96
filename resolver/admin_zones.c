/* SPDX-License-Identifier: Apache-2.0 */

/* The page of a static zone: its records as they were read, a part at a time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/zones/catalog.h"

#include "resolver/admin_pages.h"

/* Of one part: it keeps changes waiting. */
#define PART_BYTES ((size_t)1 << 20)

static bool check_zones(struct pin_page *page)
{
    const char *after = page->arg_after != NULL ? page->arg_after : "";
    if (page->arg_zone == NULL || pin_name_parse(page->arg_zone, &page->question.name) != PIN_OK) {
        pin_page_error(page, 400, "zone: say the name of a zone of zones.files");
        return false;
    }
    if (strspn(after, "0123456789") != strlen(after) || strlen(after) > 9) {
        pin_page_error(page, 400, "after: \"%s\" is none of ours", after);
        return false;
    }
    page->zone_at = strtoul(after, NULL, 10);
    return true;
}

/* Builder's thread. */
static void collect_zones(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    bool has_more =
        pin_catalog_zone_text(catalog, &page->question.name, &page->zone_at, PART_BYTES, &text);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "text", pin_text_get(&text));
    if (has_more) {
        char next[24];
        (void)snprintf(next, sizeof(next), "%zu", page->zone_at);
        pin_jsonout_key_string(&json, "next", next);
    }
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
    pin_text_done(&text);
}

const struct pin_page_kind pin_page_zones = {PIN_ZONES_PATH, check_zones, collect_zones, NULL};
