/* SPDX-License-Identifier: Apache-2.0 */

/* What the configuration says of other people's DNS servers, as sync opens them. */

#include "resolver/app_providers.h"

#include "pintle/base/arena.h"
#include "pintle/sync/providers.h"

#include "resolver/config.h"

static struct pin_rfc2136_settings rfc2136_of(const struct pin_config_rfc2136 *from)
{
    return (struct pin_rfc2136_settings){.server = from->server,
        .key_name = from->key_name,
        .hash = (enum pin_hash)from->algorithm,
        .secret_file = from->secret_file};
}

static struct pin_powerdns_settings powerdns_of(const struct pin_config_powerdns *from)
{
    return (struct pin_powerdns_settings){.url = from->url,
        .server = from->server,
        .api_key_file = from->api_key_file,
        .ca_file = from->ca};
}

/* False when memory is out. */
static bool route53_of(const struct pin_config_route53 *from, struct pin_arena *arena,
    struct pin_route53_settings *ret_settings)
{
    bool has_endpoint = from->endpoint != NULL && from->endpoint[0] != '\0';
    struct pin_route53_zone_id *zones = pin_arena_alloc(arena, from->n_zones * sizeof(*zones));
    for (size_t i = 0; zones != NULL && i < from->n_zones; i++) {
        zones[i] = (struct pin_route53_zone_id){from->zones[i].zone, from->zones[i].id};
    }
    *ret_settings = (struct pin_route53_settings){.endpoint = has_endpoint ? from->endpoint : NULL,
        .region = from->region,
        .access_key_file = from->access_key_file,
        .secret_key_file = from->secret_key_file,
        .ca_file = from->ca,
        .is_private = from->is_private,
        .zones = zones,
        .n_zones = from->n_zones};
    return zones != NULL;
}

static struct pin_provider_zonefile zonefile_of(const struct pin_config_zone_directory *from)
{
    return (struct pin_provider_zonefile){.directory = from->directory,
        .servers = from->ns,
        .n_servers = from->n_ns,
        .hostmaster = from->hostmaster};
}

bool pin_app_provider_settings(const struct pin_config *config,
    const struct pin_config_records *records, struct pin_provider_settings *ret_settings)
{
    struct pin_provider_settings settings;
    switch (records->provider) {
    case PIN_CONFIG_RFC2136:
        settings.kind = PIN_PROVIDER_KIND_RFC2136;
        settings.rfc2136 = rfc2136_of(&records->rfc2136);
        break;
    case PIN_CONFIG_POWERDNS:
        settings.kind = PIN_PROVIDER_KIND_POWERDNS;
        settings.powerdns = powerdns_of(&records->powerdns);
        break;
    case PIN_CONFIG_ROUTE53:
        settings.kind = PIN_PROVIDER_KIND_ROUTE53;
        if (!route53_of(&records->route53, config->arena, &settings.route53)) {
            return false;
        }
        break;
    case PIN_CONFIG_WEBHOOK:
        settings.kind = PIN_PROVIDER_KIND_WEBHOOK;
        settings.webhook = (struct pin_webhook_settings){
            .url = records->webhook.url, .ca_file = records->webhook.ca};
        break;
    default:
        settings.kind = PIN_PROVIDER_KIND_ZONEFILE;
        settings.zonefile = zonefile_of(&records->zonefile);
    }
    *ret_settings = settings;
    return true;
}
