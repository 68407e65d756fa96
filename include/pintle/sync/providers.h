/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Providers: opening a DNS server of somebody else (sync/provider.h) by plain settings, whatever
 * kind it is.
 *
 *     records: of the configuration -> struct pin_provider_settings -> pin_providers_open
 *
 * Threads: the control loop's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/crypto.h"
#include "pintle/base/error.h"
#include "pintle/base/ip.h"

struct pin_provider;
struct pin_provider_tools;

/** Any DNS server that lets zones be transferred and updated. */
struct pin_rfc2136_settings {
    struct pin_addrport server;
    const char *key_name;    /**< NULL: not signed. */
    enum pin_hash hash;      /**< Of its HMAC. */
    const char *secret_file; /**< Its secret in base64, for its owner and group only. */
    uint32_t default_ttl_s;  /**< 0: 300. */
};

/** A PowerDNS Authoritative Server's HTTP API. */
struct pin_powerdns_settings {
    const char *url;          /**< "http://127.0.0.1:8081" */
    const char *server;       /**< NULL: "localhost". */
    const char *api_key_file; /**< Read again for each request. */
    const char *ca_file;      /**< NULL: the system's. */
};

/** A hosted zone whose id is known. */
struct pin_route53_zone_id {
    const char *zone; /**< Canonical. */
    const char *id;   /**< "Z0123456789ABC" */
};

/** Amazon Route 53. */
struct pin_route53_settings {
    const char *endpoint;        /**< NULL: "https://route53.amazonaws.com". */
    const char *region;          /**< For signatures; NULL: $AWS_REGION, else "us-east-1". */
    const char *access_key_file; /**< With secret_key_file; NULL: sync/aws_credentials.h. */
    const char *secret_key_file;
    const char *ca_file; /**< NULL: the system's. */
    bool is_private;     /**< Zones that are looked up by name are private ones. */
    const struct pin_route53_zone_id *zones; /**< Those that are not looked up. */
    size_t n_zones;
};

/** A server of external-dns's webhook protocol. */
struct pin_webhook_settings {
    const char *url;     /**< "http://127.0.0.1:8888" */
    const char *ca_file; /**< NULL: the system's. */
};

/** Files DIR/ZONE.zone. */
struct pin_provider_zonefile {
    const char *directory;      /**< Must be there. */
    const char *const *servers; /**< Targets of the zones' NS; NULL: "ns." and the zone. */
    size_t n_servers;
    const char *hostmaster; /**< In the SOAs; NULL: "hostmaster." and the zone. */
    uint32_t default_ttl_s; /**< 0: 300. */
};

/** Which kind. */
enum pin_provider_kind {
    PIN_PROVIDER_KIND_RFC2136,
    PIN_PROVIDER_KIND_POWERDNS,
    PIN_PROVIDER_KIND_ROUTE53,
    PIN_PROVIDER_KIND_WEBHOOK,
    PIN_PROVIDER_KIND_ZONEFILE,
};

/** A provider's settings: those of its kind. Borrowed. */
struct pin_provider_settings {
    enum pin_provider_kind kind;
    union {
        struct pin_rfc2136_settings rfc2136;
        struct pin_powerdns_settings powerdns;
        struct pin_route53_settings route53;
        struct pin_webhook_settings webhook;
        struct pin_provider_zonefile zonefile;
    };
};

/**
 * Opens a provider. Nobody is asked yet, and key files may come later; a CA is read at once.
 *
 * @param tools     Outlive the provider.
 * @param settings  Copied.
 * @return PIN_OK; PIN_EINVAL for settings that make no sense; why the CA cannot be read;
 *         PIN_ENOMEM. `why` names the key as the configuration has it.
 */
enum pin_err pin_providers_open(const struct pin_provider_tools *tools,
    const struct pin_provider_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why);

/**
 * Reads the key that ownership is encrypted with (zones/registry.h), as external-dns takes it: 32
 * bytes, or base64 of them, of either alphabet.
 *
 * @param ret_key  The caller's to wipe; written on PIN_OK only.
 * @return PIN_OK, PIN_EPARSE when it is something else, or as pin_secret_read().
 */
enum pin_err pin_providers_read_key(
    const char *path, uint8_t ret_key[PIN_AES_KEY_BYTES], struct pin_why *why);
