/* SPDX-License-Identifier: Apache-2.0 */

/* The options of `compat`: where Pintle can be as other servers are; what must hold of them and of
 * `dns`. */

#include <string.h>

#include "pintle/base/macros.h"

#include "resolver/config.h"
#include "resolver/config_findings.h"
#include "resolver/config_options.h"

#define IN_CONFIG(field) offsetof(struct pin_config, field)

const struct pin_option pin_compat_options[] = {
    {.key = "lighthouse",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(is_lighthouse),
        .fallback = "false",
        .doc = "Answer Lighthouse's names too: <cluster>.<service>, SRV without underscores."},
    {.key = "extensions",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(has_extensions),
        .fallback = "true",
        .doc = "Answer _zone and _cluster names in the clusterset zone."},
    {.key = "emptyService",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(empty_service),
        .words = "keep|nxdomain",
        .fallback = "keep",
        .doc = "What a ClusterIP without endpoints shows."},
    {.key = "headlessEmpty",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(headless_empty),
        .words = "nxdomain|nodata",
        .fallback = "nxdomain",
        .doc = "What a headless Service without endpoints shows."},
    {.key = "zeroWeight",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(zero_weight),
        .words = "never|standby",
        .fallback = "never",
        .doc = "What weight 0 means."},
    {.key = "ptr",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(has_ptr),
        .fallback = "true",
        .doc = "Give the clusterset's name for addresses of imports that have no other."},
    {.key = "filterFamilies",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(filters_families),
        .fallback = "false",
        .doc = "Hide addresses of a family that the asker's cluster does not have."},
    {.key = "metrics",
        .kind = PIN_OPTION_STRINGS,
        .offset = IN_CONFIG(compat_metrics),
        .count_offset = IN_CONFIG(n_compat_metrics),
        .example = "[external-dns]",
        .doc = "Names of other servers' metrics to show too: external-dns."},
    {.key = NULL},
};

/* Servers whose names of metrics we know. */
static const char *const metric_words[] = {PIN_CONFIG_METRICS_EXTERNAL_DNS};

void pin_config_check_compat(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_compat_metrics; i++) {
        const char *word = config->compat_metrics[i];
        if (pin_is_among(word, metric_words, N_ELEMS(metric_words))) {
            continue;
        }
        const char *near = pin_nearest(word, metric_words, N_ELEMS(metric_words));
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "compat.metrics: \"%s\" is not one of " PIN_CONFIG_METRICS_EXTERNAL_DNS "%s%s%s", word,
            near == NULL ? "" : ", did you mean \"", near == NULL ? "" : near,
            near == NULL ? "" : "\"?");
    }
}

bool pin_config_shows_metrics(const struct pin_config *config, const char *word)
{
    return pin_is_among(word, config->compat_metrics, config->n_compat_metrics);
}

void pin_config_check_dns(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_ns_addresses; i++) {
        if (config->ns_addresses[i].port != PIN_RESOLVER_PORT) {
            char text[PIN_ADDRPORT_TEXT_MAX];
            pin_findings_add(findings, config->file, (struct pin_at){0},
                "dns.addresses: \"%s\": resolvers ask name servers at port 53 alone",
                pin_addrport_format(&config->ns_addresses[i], text));
        }
    }
    if (config->hostmaster != NULL && strchr(config->hostmaster, '@') != NULL) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "dns.hostmaster: \"%s\": a mailbox is written as a name, with a dot in place of the @",
            config->hostmaster);
    }
}
