/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pages of the cache: GET lists a part of it, DELETE has it forget. The cache is read on the
 * builder's thread, which is a registered reader; what is forgotten is forgotten when the reply
 * goes out.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"

#include "resolver/admin_pages.h"

/* Entries of one part. */
#define PART_MAX 2000

/* --- what is asked for ----------------------------------------------------------------------- */

/* False after an error. */
static bool check_name(struct pin_page *page)
{
    if (page->state->config.forward == NULL) {
        pin_page_error(page, 404, "nothing is forwarded, so nothing is cached");
        return false;
    }
    page->cache.has_name = page->arg_name != NULL && page->arg_name[0] != '\0';
    if (page->cache.has_name && strcmp(page->arg_name, ".") == 0) {
        pin_name_root(&page->question.name);
    } else if (page->cache.has_name
               && pin_name_parse(page->arg_name, &page->question.name) != PIN_OK) {
        pin_page_error(page, 400, "name: \"%s\" is no DNS name", page->arg_name);
        return false;
    }
    return true;
}

/* "SHARD:BUCKET", as the part before said. False: it is none of ours. */
static bool parse_cursor(const char *text, struct pin_forward_cursor *ret_cursor)
{
    char *colon = NULL;
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    unsigned long shard = strtoul(text, &colon, 10);
    if (*colon != ':' || colon[1] < '0' || colon[1] > '9' || shard > UINT32_MAX) {
        return false;
    }
    unsigned long bucket = strtoul(colon + 1, &end, 10);
    *ret_cursor = (struct pin_forward_cursor){.shard = (uint32_t)shard, .bucket = bucket};
    return *end == '\0';
}

static bool check_dump(struct pin_page *page)
{
    const char *after = page->arg_after;
    if (!check_name(page)) {
        return false;
    }
    if (after != NULL && after[0] != '\0' && !parse_cursor(after, &page->cache.cursor)) {
        pin_page_error(page, 400, "after: \"%s\" is none of ours", after);
        return false;
    }
    return true;
}

static bool check_flush(struct pin_page *page)
{
    const char *what = page->arg_what != NULL ? page->arg_what : "name";
    page->cache.is_tree = strcmp(what, "tree") == 0;
    if (!page->cache.is_tree && strcmp(what, "name") != 0) {
        pin_page_error(page, 400, "what: \"%s\" is not one of name, tree", what);
        return false;
    }
    return check_name(page);
}

/* --- on the builder's thread ----------------------------------------------------------------- */

static void collect_dump(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    char next[48] = "";
    (void)catalog;
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    if (pin_forward_dump(page->state->config.forward,
            page->cache.has_name ? &page->question.name : NULL, PART_MAX, &page->cache.cursor,
            &json)) {
        (void)snprintf(next, sizeof(next), "%" PRIu32 ":%zu", page->cache.cursor.shard,
            page->cache.cursor.bucket);
    }
    pin_jsonout_end(&json);
    pin_jsonout_key_string(&json, "next", next);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static void collect_flush(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    (void)catalog;
    page->cache.is_done = pin_forward_flush(page->state->config.forward,
        page->cache.has_name ? &page->question.name : NULL, page->cache.is_tree,
        &page->cache.n_removed);
}

/* --- the reply ------------------------------------------------------------------------------- */

static void render_flush(struct pin_page *page)
{
    if (!page->cache.is_done) {
        pin_page_error(page, 503, "the cache is busy: it will be forgotten in a moment");
        return;
    }
    pin_log_info("admin: the cache forgot %" PRIu64 " entries", page->cache.n_removed);
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_jsonout_key_uint(&json, "removed", page->cache.n_removed);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static const struct pin_page_kind dump_kind = {PIN_CACHE_PATH, check_dump, collect_dump, NULL};
static const struct pin_page_kind flush_kind = {
    PIN_CACHE_PATH, check_flush, collect_flush, render_flush};

const struct pin_page_kind *pin_page_find_cache(enum pin_page_verb verb)
{
    switch (verb) {
    case PIN_PAGE_GET:
        return &dump_kind;
    case PIN_PAGE_DELETE:
        return &flush_kind;
    default:
        return NULL;
    }
}
