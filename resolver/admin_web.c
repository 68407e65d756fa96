/* SPDX-License-Identifier: Apache-2.0 */

/* The dashboard's files, packed and hashed when they are first asked for. */

#include "resolver/admin_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/crypto.h"
#include "pintle/base/gzip.h"
#include "pintle/base/macros.h"

#include "resolver/admin_pages.h"

#define PREFIX     "/web/"
#define INDEX      "index.html"
#define ETAG_BYTES 8 /* of the digest */

struct pin_assets {
    struct pin_web_asset *assets; /* one for each file; no etag: not made yet */
};

struct pin_assets *pin_assets_new(void)
{
    struct pin_assets *web = calloc(1, sizeof(*web));
    struct pin_web_asset *assets = calloc(pin_web_n_files + 1, sizeof(*assets));
    if (web == NULL || assets == NULL) {
        free(web);
        free(assets);
        return NULL;
    }
    web->assets = assets;
    return web;
}

void pin_assets_free(struct pin_assets *web)
{
    if (web == NULL) {
        return;
    }
    for (size_t i = 0; i < pin_web_n_files; i++) {
        free(web->assets[i].gzip);
    }
    free(web->assets);
    free(web);
}

const struct pin_web_file *pin_web_find(const char *path)
{
    const char *name = strcmp(path, "/") == 0 ? INDEX : NULL;
    if (strncmp(path, PREFIX, strlen(PREFIX)) == 0) {
        name = path + strlen(PREFIX);
    }
    for (size_t i = 0; name != NULL && i < pin_web_n_files; i++) {
        if (strcmp(pin_web_files[i].name, name) == 0) {
            return &pin_web_files[i];
        }
    }
    return NULL;
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < N_ELEMS(types); i++) {
        if (strcmp(types[i][0], dot) == 0) {
            return types[i][1];
        }
    }
    return "text/plain; charset=utf-8";
}

const struct pin_web_asset *pin_assets_get(struct pin_assets *web, const struct pin_web_file *file)
{
    struct pin_web_asset *asset = &web->assets[file - pin_web_files];
    uint8_t digest[PIN_SHA256_BYTES];
    char hex[2 * ETAG_BYTES + 1];
    if (asset->file != NULL) {
        return asset;
    }
    pin_sha256(file->text, file->text_bytes, digest);
    (void)snprintf(
        asset->etag, sizeof(asset->etag), "\"%s\"", pin_hex_encode(digest, ETAG_BYTES, hex));
    asset->content_type = type_of(file->name);
    if (pin_gzip(file->text, file->text_bytes, &asset->gzip, &asset->gzip_bytes) != PIN_OK) {
        asset->gzip = NULL;
    }
    asset->file = file;
    return asset;
}

/* --- The page ------------------------------------------------------------------------------ */

static void render(struct pin_page *page)
{
    page->asset = pin_assets_get(page->state->assets, page->web_file);
    page->content_type = page->asset->content_type;
    if (page->if_none_match != NULL && strstr(page->if_none_match, page->asset->etag) != NULL) {
        page->status = 304;
    }
}

static bool check(struct pin_page *page)
{
    page->web_file = pin_web_find(page->path);
    return true;
}

const struct pin_page_kind *pin_page_find_web(const char *path, enum pin_page_verb verb)
{
    static const struct pin_page_kind kind = {"/", check, NULL, render};
    return verb == PIN_PAGE_GET && pin_web_find(path) != NULL ? &kind : NULL;
}
