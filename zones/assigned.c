/* SPDX-License-Identifier: Apache-2.0 */

/* The assigned name of a route. */

#include "zones/assigned.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/crypto.h"

#define ROUTE_LETTERS     20
#define NAMESPACE_LETTERS 18
#define ID_DIGITS         16

/* Appends at most `letters` letters of `text` as part of a label; returns the new end. */
static char *put_part(char *out, const char *text, size_t letters)
{
    size_t bytes = strnlen(text, letters);
    bool is_cut = text[bytes] != '\0';
    while (is_cut && bytes > 0 && (text[bytes - 1] == '-' || text[bytes - 1] == '.')) {
        bytes--;
    }
    for (size_t i = 0; i < bytes; i++) {
        *out++ = (char)(text[i] == '.' ? '-' : text[i]);
    }
    return out;
}

static void make_id(const struct pin_settings *settings, uint16_t cluster_id,
    const struct pin_object *route, char ret_id[2 * PIN_SHA256_BYTES + 1])
{
    char text[2048];
    uint8_t digest[PIN_SHA256_BYTES];
    int n = snprintf(text, sizeof(text), "%s/%s/%s/%s/%s", settings->cluster_set,
        settings->clusters[cluster_id].name, pin_kind_text(route->kind), route->namespace_name,
        route->name);
    size_t bytes = n < 0 ? 0 : (size_t)n;
    pin_sha256(text, bytes < sizeof(text) ? bytes : sizeof(text) - 1, digest);
    pin_hex_encode(digest, sizeof(digest), ret_id);
    ret_id[ID_DIGITS] = '\0';
}

void pin_assigned_name(const struct pin_settings *settings, uint16_t cluster_id,
    const struct pin_object *route, struct pin_name *ret_name)
{
    char id[2 * PIN_SHA256_BYTES + 1];
    char label[PIN_LABEL_MAX_BYTES + 1];
    make_id(settings, cluster_id, route, id);
    char *at = put_part(label, route->name, ROUTE_LETTERS);
    *at++ = '-';
    at = put_part(at, route->namespace_name, NAMESPACE_LETTERS);
    *at++ = '-';
    memcpy(at, id, ID_DIGITS);
    at += ID_DIGITS;
    /* The zone's name was checked with the configuration, 20 + 18 + 16 + 2 letters fit a label. */
    if (pin_name_parse(settings->zone_assigned, ret_name) != PIN_OK
        || pin_name_prepend(ret_name, label, (size_t)(at - label)) != PIN_OK) {
        pin_name_root(ret_name);
    }
}
