/* SPDX-License-Identifier: Apache-2.0 */

/* What must hold between listeners, within each, and of the admin side. */

#include <string.h>

#include "resolver/admin_access.h"
#include "resolver/config.h"
#include "resolver/https.h"
#include "resolver/worker.h"

/* Says what is wrong with an address: in the file, or of a flag. */
static void complain(
    const struct pin_config *config, size_t i, struct pin_findings *findings, const char *what)
{
    const struct pin_config_listen *listen = &config->listens[i];
    char text[PIN_ADDRPORT_TEXT_MAX];

    (void)pin_addrport_format(&listen->address, text);
    if (listen->at.line == 0) {
        pin_findings_add_usage(findings, "--listen: %s %s", text, what);
    } else {
        pin_findings_add(findings, config->file, listen->at, "listen[%zu]: %s %s", i, text, what);
    }
}

static bool is_wildcard(const struct pin_ip *ip)
{
    static const struct pin_ip zero;
    return memcmp(ip->bytes, zero.bytes, sizeof(zero.bytes)) == 0;
}

/* Each address and port once; the kernel would say of it that the port is in use. */
static void check_address(const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    const struct pin_addrport *own = &config->listens[i].address;
    bool is_twice = false;
    bool is_behind = false;
    for (size_t j = 0; j < config->n_listens && own->port != 0; j++) {
        const struct pin_addrport *other = &config->listens[j].address;
        if (other->port == own->port && other->ip.family == own->ip.family && own->ip.family != 0) {
            bool is_same = pin_ip_equal(&other->ip, &own->ip);
            is_twice = is_twice || (is_same && j < i);
            is_behind = is_behind || (!is_same && is_wildcard(&other->ip));
        }
    }
    if (is_twice) {
        complain(config, i, findings, "is there twice");
    } else if (is_behind) {
        complain(config, i, findings, "is one of all addresses at that port, which are there too");
    }
}

/* A listener speaks one of DNS, DoT and DoH. */
static void check_tls(const struct pin_config *config, size_t i, struct pin_findings *findings)
{
    const struct pin_config_listen *listen = &config->listens[i];
    const char *key = listen->has_https ? "https" : "tls";
    if (listen->has_tls && listen->has_https) {
        pin_findings_add(findings, config->file, listen->at,
            "listen[%zu]: want tls or https, two listeners for both", i);
        return;
    }
    if ((listen->has_tls || listen->has_https)
        && (listen->tls_certificate == NULL || listen->tls_key == NULL)) {
        pin_findings_add(findings, config->file, listen->at,
            "listen[%zu].%s: want {certificate: FILE, key: FILE}", i, key);
    }
    if (listen->has_https && listen->https_path != NULL
        && (listen->https_path[0] != '/' || strpbrk(listen->https_path, " ?#") != NULL)) {
        pin_findings_add(findings, config->file, listen->at,
            "listen[%zu].https.path: want a path like " PIN_HTTPS_PATH ", without a query", i);
    }
}

/* The admin side's TLS, and who may change something there. */
static void check_admin(const struct pin_config *config, struct pin_findings *findings)
{
    const struct pin_config_admin_tls *tls = &config->admin_tls;
    if (config->has_admin_tls && (tls->certificate == NULL || tls->key == NULL)) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "admin.tls: want {certificate: FILE, key: FILE}");
    }
    if (config->admin_changes == PIN_ADMIN_CHANGES_TOKEN && config->admin_token_file == NULL
        && tls->client_ca == NULL) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "admin.changes: \"token\" wants a token; say tokenFile, or tls.clientCA");
    }
}

void pin_config_check_listens(const struct pin_config *config, struct pin_findings *findings)
{
    if (config->n_listens > PIN_LISTENS_MAX) {
        pin_findings_add(findings, config->file, config->listens[PIN_LISTENS_MAX].at,
            "listen: more than %u listeners", PIN_LISTENS_MAX);
    }
    for (size_t i = 0; i < config->n_listens; i++) {
        const struct pin_config_listen *listen = &config->listens[i];
        if (listen->address.ip.family == 0 && findings->n == 0) {
            pin_findings_add(findings, config->file, listen->at, "listen[%zu]: no address", i);
        }
        check_address(config, i, findings);
        check_tls(config, i, findings);
        if (listen->has_proxy && listen->n_proxies == 0) {
            pin_findings_add(findings, config->file, listen->at,
                "listen[%zu].proxy: want {from: [PREFIX, ...]}", i);
        }
        if (listen->cluster != NULL && pin_config_find_cluster(config, listen->cluster) == NULL) {
            pin_findings_add(findings, config->file, listen->at,
                "listen[%zu].cluster: there is no cluster \"%s\"", i, listen->cluster);
        }
    }
    check_admin(config, findings);
}
