/* SPDX-License-Identifier: Apache-2.0 */

/* Lookups and orders, as scenarios write them. */

#include "support/acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/zones/drain.h"

/* CLUSTER/NAMESPACE/NAME, cut into its parts. */
static bool read_reference(char *text, struct pin_gateway *gateway)
{
    char *namespace_name = strchr(text, '/');
    char *name = namespace_name != NULL ? strchr(namespace_name + 1, '/') : NULL;
    if (name == NULL) {
        return false;
    }
    *namespace_name++ = '\0';
    *name++ = '\0';
    gateway->cluster = text;
    gateway->namespace_name = namespace_name;
    gateway->name = name;
    return true;
}

/* An address, a host name, gateway:CLUSTER/NAMESPACE/NAME or service:CLUSTER/NAMESPACE/NAME. */
bool pin_act_read_gateway(char *text, struct pin_gateway *gateway)
{
    if (pin_ip_parse(text, &gateway->ip)) {
        gateway->kind = PIN_GATEWAY_IP;
        return true;
    }
    if (strncmp(text, "gateway:", 8) == 0 || strncmp(text, "service:", 8) == 0) {
        gateway->kind = text[0] == 'g' ? PIN_GATEWAY_OBJECT : PIN_GATEWAY_SERVICE;
        return read_reference(text + 8, gateway);
    }
    gateway->kind = PIN_GATEWAY_HOST;
    gateway->host = text;
    return strchr(text, '.') != NULL;
}

void pin_act_lookup(struct pin_player *player, const struct pin_script_line *line,
    char *const *words, size_t n_words)
{
    struct pin_lookup *lookup = calloc(1, sizeof(*lookup));
    bool is_ok = lookup != NULL && n_words > 2 && n_words - 2 <= PIN_LOOKUP_MAX;
    if (!is_ok) {
        free(lookup);
        pin_player_break(player, line, "expected: lookup HOST ADDRESS...|failed");
        return;
    }
    (void)snprintf(lookup->host, sizeof(lookup->host), "%s", words[1]);
    lookup->at_ms = player->stage.now_ms;
    lookup->has_failed = strcmp(words[2], "failed") == 0;
    for (size_t i = 2; i < n_words && !lookup->has_failed; i++) {
        if (!pin_ip_parse(words[i], &lookup->ips[lookup->n_ips++])) {
            pin_player_break(player, line, "\"%s\" is no address", words[i]);
        }
    }
    struct pin_delta *delta = pin_delta_lookup(lookup);
    if (delta != NULL) {
        pin_catalog_apply(player->stage.catalog, delta);
    }
}

void pin_act_drain(struct pin_player *player, const struct pin_script_line *line,
    char *const *words, size_t n_words)
{
    enum pin_drain_what what = PIN_DRAIN_CLUSTER;
    struct pin_why why = {0};
    bool is_refused = n_words > 3 && strcmp(words[n_words - 1], "refused") == 0;
    uint64_t for_ms =
        n_words > 4 && strcmp(words[3], "for") == 0 ? strtoull(words[4], NULL, 10) * 1000 : 0;
    if (n_words < 3 || !pin_drain_what_parse(words[1], &what)) {
        pin_player_break(player, line, "expected: drain|undrain WHAT NAME [for N s] [refused]");
        return;
    }
    struct pin_drain_order order = {.what = what,
        .name = words[2],
        .until_ms = for_ms > 0 ? player->stage.now_ms + for_ms : PIN_DRAIN_FOREVER};
    enum pin_err err = words[0][0] == 'd'
                           ? pin_catalog_drain(player->stage.catalog, &order, &why)
                           : pin_catalog_undrain(player->stage.catalog, what, words[2], &why);
    if ((err != PIN_OK) != is_refused) {
        pin_player_fail(player, line, "%s", err != PIN_OK ? why.text : "was not refused");
    }
}
