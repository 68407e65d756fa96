/* SPDX-License-Identifier: Apache-2.0 */

/* The options of etcd: where a cluster comes from it, where clusters are published, and where it
 * says who writes records; and what must hold between them. */

#include <string.h>

#include "resolver/config.h"
#include "resolver/config_findings.h"
#include "resolver/config_options.h"

/* The same rows for a struct pin_config_etcd wherever it lies. */
#define IN_ETCD(base, field) ((base) + offsetof(struct pin_config_etcd, field))
#define ETCD_ROWS(base)                                                                            \
    {.key = "endpoints",                                                                           \
        .kind = PIN_OPTION_STRINGS,                                                                \
        .offset = IN_ETCD(base, endpoints),                                                        \
        .count_offset = IN_ETCD(base, n_endpoints),                                                \
        .example = "[\"https://etcd-1:2379\"]",                                                    \
        .doc = "Members of the etcd: https://HOST:PORT, or HOST:PORT for plain HTTP."},            \
        {.key = "prefix",                                                                          \
            .kind = PIN_OPTION_STRING,                                                             \
            .offset = IN_ETCD(base, prefix),                                                       \
            .fallback = "/pintle",                                                                 \
            .doc = "Keys of the set of clusters begin with it."},                                  \
        {.key = "user",                                                                            \
            .kind = PIN_OPTION_STRING,                                                             \
            .offset = IN_ETCD(base, user),                                                         \
            .example = "reader",                                                                   \
            .doc = "User of etcd, with passwordFile."},                                            \
        {.key = "passwordFile",                                                                    \
            .kind = PIN_OPTION_PATH,                                                               \
            .offset = IN_ETCD(base, password_file),                                                \
            .example = "etcd.password",                                                            \
            .doc = "File with the user's password; read for each login."},                         \
        {.key = "ca",                                                                              \
            .kind = PIN_OPTION_PATH,                                                               \
            .offset = IN_ETCD(base, ca),                                                           \
            .example = "etcd-ca.crt",                                                              \
            .doc = "Who must have signed etcd's certificates; whom the system trusts when not "    \
                   "said."},                                                                       \
        {.key = "certificate",                                                                     \
            .kind = PIN_OPTION_PATH,                                                               \
            .offset = IN_ETCD(base, certificate),                                                  \
            .example = "etcd.crt",                                                                 \
            .doc = "Certificate to show, PEM."},                                                   \
        {.key = "key",                                                                             \
            .kind = PIN_OPTION_PATH,                                                               \
            .offset = IN_ETCD(base, key),                                                          \
            .example = "etcd.key",                                                                 \
            .doc = "Its private key, PEM."},                                                       \
    {                                                                                              \
        .key = NULL                                                                                \
    }

const struct pin_option pin_cluster_etcd_options[] = {
    ETCD_ROWS(offsetof(struct pin_config_cluster, etcd))};

const struct pin_option pin_records_etcd_options[] = {
    ETCD_ROWS(offsetof(struct pin_config, records_etcd))};

static const struct pin_option publish_etcd_options[] = {
    ETCD_ROWS(offsetof(struct pin_config, publish))};

const struct pin_option pin_publish_options[] = {
    {.key = "etcd",
        .kind = PIN_OPTION_MAP,
        .children = publish_etcd_options,
        .said_offset = offsetof(struct pin_config, has_publish),
        .example = "{endpoints: [\"https://etcd-1:2379\"]}",
        .doc = "An etcd prefix that other Pintles may serve from."},
    {.key = NULL},
};

static bool is_endpoint(const char *text)
{
    const char *scheme_end = strstr(text, "://");
    const char *host = scheme_end != NULL ? scheme_end + 3 : text;
    bool has_good_scheme =
        scheme_end == NULL || strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    return has_good_scheme && strchr(host, ':') != NULL && host[0] != ':'
           && strpbrk(text, " \t@?#") == NULL;
}

static void check_etcd(const struct pin_config *config, const struct pin_config_etcd *etcd,
    struct pin_at at, const char *where, struct pin_findings *findings)
{
    if (etcd->n_endpoints == 0) {
        pin_findings_add(
            findings, config->file, at, "%s: say endpoints: [https://HOST:PORT]", where);
    }
    for (size_t i = 0; i < etcd->n_endpoints; i++) {
        if (!is_endpoint(etcd->endpoints[i])) {
            pin_findings_add(findings, config->file, at,
                "%s.endpoints: \"%s\" is not https://HOST:PORT or HOST:PORT", where,
                etcd->endpoints[i]);
        }
    }
    if (etcd->prefix != NULL
        && (etcd->prefix[0] != '/' || strspn(etcd->prefix, "/") == strlen(etcd->prefix))) {
        pin_findings_add(findings, config->file, at,
            "%s.prefix: \"%s\" must begin with / and name something", where, etcd->prefix);
    }
    if ((etcd->user == NULL) != (etcd->password_file == NULL)) {
        pin_findings_add(
            findings, config->file, at, "%s: user and passwordFile go together", where);
    }
    if ((etcd->certificate == NULL) != (etcd->key == NULL)) {
        pin_findings_add(findings, config->file, at, "%s: certificate and key go together", where);
    }
}

void pin_config_check_etcd(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        if (config->clusters[i].has_etcd) {
            check_etcd(config, &config->clusters[i].etcd, config->clusters[i].at, "etcd", findings);
        }
    }
    if (config->has_publish) {
        check_etcd(config, &config->publish, (struct pin_at){0}, "publish.etcd", findings);
    }
    if (config->has_records_etcd) {
        check_etcd(
            config, &config->records_etcd, (struct pin_at){0}, "recordsLease.etcd", findings);
    }
}
