/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Configuration: the command line, the file (design, section 4) and what both say together.
 *
 *     argv -> pin_args -> pin_config_load -> struct pin_config -> pin_config_settings ->
 * pin_settings
 *                         + FILE                + cluster.yaml of the directories
 *
 * Every option is one row of a table in config_options.c. Nothing here exits or logs: what is wrong
 * becomes a line of the findings, and all of them are found, not only the first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/arena.h"
#include "pintle/base/error.h"
#include "pintle/base/ip.h"
#include "pintle/base/log.h"
#include "pintle/zones/settings.h"

#include "resolver/config_findings.h"
#include "resolver/config_records.h"
#include "resolver/manners.h"
#include "resolver/tap.h"

/** Values a flag that can be repeated may have. */
#define PIN_ARGS_LIST_MAX 32
/** Ports when none is written. */
#define PIN_DNS_PORT     5300
#define PIN_ADMIN_PORT   9153
#define PIN_METRICS_PORT 9154
/** Port of other people's resolvers when none is written. */
#define PIN_RESOLVER_PORT 53
/** Most connections that a limit may allow. */
#define PIN_STREAMS_MAX 1000000

/** The values of a flag that can be repeated. Borrowed from argv. */
struct pin_arg_list {
    const char *values[PIN_ARGS_LIST_MAX];
    size_t n;
};

/** The command line as written; NULL and false where a flag is absent. Borrowed from argv. */
struct pin_args {
    const char *program; /**< argv[0], or "pintled". */
    char *const *argv;   /**< All of them, as they were given. */
    bool dev;
    bool all_contexts;
    bool check;
    bool analyze;
    bool print_codes;
    struct pin_arg_list manifests;
    bool version;
    bool help;
    const char *export_dir;
    const char *print_grant;
    const char *write_back;
    const char *clusters_dir;
    const char *contexts;
    const char *kubeconfig;
    const char *config;
    const char *admin;
    const char *workers;
    const char *log_level;
    const char *log_format;
    const char *state_dir;
    const char *user;
    struct pin_arg_list listen;
    struct pin_arg_list forward;
};

/** Reads the command line. PIN_EINVAL: a usage error, explained in `why`. */
enum pin_err pin_args_parse(
    int argc, char *const *argv, struct pin_args *ret_args, struct pin_why *why);

/** Appends the text of --help. */
void pin_args_help(struct pin_text *text);

/** Appends the flags as a part of a manual page (man(7)). */
void pin_args_put_man(struct pin_text *text);

/** Appends the three ways to name clusters, for who named none. */
void pin_args_ways(struct pin_text *text);

/** One address to answer DNS on, over UDP and TCP. */
struct pin_config_listen {
    struct pin_at at; /**< First in every list item. */
    struct pin_addrport address;
    const char *cluster;         /**< Whose view askers get here; NULL: by their address. */
    uint32_t max_connections;    /**< 0: no limit of its own. */
    const char *tls_certificate; /**< DoT or DoH alone; NULL: plain, over UDP and TCP. */
    const char *tls_key;
    const char *https_path;           /**< Of DoH; without `https` it says nothing. */
    const struct pin_prefix *proxies; /**< Who sends PROXY headers. */
    size_t n_proxies;
    bool has_proxy; /**< `proxy` was said. */
    bool has_tls;   /**< `tls` was said. */
    bool has_https; /**< `https` was said. */
};

/** An object that is named in the configuration; all NULL: none. */
struct pin_config_object {
    const char *cluster;
    const char *namespace_name;
    const char *name;
};

/** How a part of the sandbox is wanted. */
enum pin_config_switch {
    PIN_CONFIG_AUTO, /**< Where it can be had. */
    PIN_CONFIG_ON,   /**< Else nothing starts. */
    PIN_CONFIG_OFF,
};
/** Of seccomp: on, and what is forbidden ends the process. */
#define PIN_CONFIG_KILL 3u

/** One gateway of a network: exactly one of its fields is set. */
struct pin_config_gateway {
    struct pin_at at;
    struct pin_ip ip; /**< family 0: not said. */
    const char *host;
    struct pin_config_object gateway;
    struct pin_config_object service;
};

/** One entry of `networks:`. */
struct pin_config_network {
    struct pin_at at;
    const char *name;
    const struct pin_config_gateway *gateways;
    size_t n_gateways;
    unsigned cluster_ips; /**< 0 local, 1 routable. */
};

/** One entry of `zones.files`. */
struct pin_config_zonefile {
    struct pin_at at;
    const char *zone;
    const char *path;
};

/** Where the objects of a cluster come from. */
enum pin_config_source {
    PIN_CONFIG_NOWHERE,
    PIN_CONFIG_DIRECTORY,
    PIN_CONFIG_CONTEXT,
    PIN_CONFIG_IN_CLUSTER,
    PIN_CONFIG_EMBEDDED,
    PIN_CONFIG_ETCD,
};

/** An etcd and the prefix below which clusters are shared. */
struct pin_config_etcd {
    const char *const *endpoints;
    size_t n_endpoints;
    const char *prefix;
    const char *user;          /**< NULL: no authentication by password. */
    const char *password_file; /**< NULL: as above. */
    const char *ca;            /**< NULL: whom the system trusts. */
    const char *certificate;   /**< NULL: none is shown. */
    const char *key;
};

/** One cluster. */
struct pin_config_cluster {
    struct pin_at at;
    const char *name;
    const char *context;    /**< CONTEXT; NULL is the current one. */
    const char *kubeconfig; /**< CONTEXT; NULL: the usual rules. */
    const char *directory;  /**< DIRECTORY. */
    bool in_cluster;
    bool has_etcd;
    struct pin_config_etcd etcd; /**< ETCD. */
    const char *network;         /**< NULL: cluster.yaml's, else "default". */
    const struct pin_prefix *clients;
    size_t n_clients;
    const char *const *client_zones; /**< By range; NULL where none was written. */
    bool has_clients;                /**< Said here, so cluster.yaml's do not count. */
    const char *zone;                /**< NULL: cluster.yaml's. */
    const char *region;              /**< NULL: cluster.yaml's. */
    uint32_t weight;                 /**< Or PIN_WEIGHT_UNSET. */
    unsigned address;                /**< enum pin_address_mode. */
    unsigned stale;                  /**< enum pin_stale. */
    uint64_t stale_after_ms;         /**< 0: not said. */
    enum pin_config_source source;   /**< Follows from the keys above. */
};

/** One resolver that questions are forwarded to. */
struct pin_config_upstream {
    struct pin_addrport address;
    bool is_tls; /**< DNS over TLS; else UDP, and TCP where UDP does not do. */
};

/** One entry of `forward:`. */
struct pin_config_forward {
    struct pin_at at;
    const char *zone;      /**< "." for all names. */
    const char *const *to; /**< As written. */
    size_t n_to;
    const char *tls_name; /**< Whom the certificate must name; NULL: the address. */
    const char *ca;       /**< Who must have signed it; NULL: whom the system trusts. */
    bool is_trusted;      /**< Its AD bit is passed on. */
    bool mixes_case;      /**< Letters of the question are sent in random case. */
    const struct pin_config_upstream *upstreams; /**< What `to` says. */
    size_t n_upstreams;
};

/** One program that health checks may name. */
struct pin_config_command {
    struct pin_at at;
    const char *name;
    const char *const *argv; /**< argv[0] is an absolute path. */
    size_t n_argv;
};

/** One entry of `geo.map`. */
struct pin_config_geo {
    struct pin_at at;
    const struct pin_prefix *nets;
    size_t n_nets;
    const char *const *countries; /**< Lower case. */
    size_t n_countries;
    const char *const *continents;
    size_t n_continents;
    const char *const *clusters; /**< Names of clusters, or of regions, which stand for theirs. */
    size_t n_clusters;
};

/** One entry of `tsigKeys`. */
struct pin_config_tsig_key {
    struct pin_at at;
    const char *name;
    unsigned algorithm;      /**< enum pin_hash. */
    const char *secret_path; /**< The secret in base64. */
};

/** `streams`: limits on connections; see struct pin_stream_limits. Durations in milliseconds. */
struct pin_config_streams {
    uint64_t max_duration_ms; /**< 0: none. */
    uint64_t idle_timeout_ms;
    uint64_t read_timeout_ms;
    uint64_t write_timeout_ms;
    uint64_t handshake_timeout_ms;
    uint32_t max_connections;
    uint32_t max_per_client;
    uint32_t max_pending;
    uint32_t max_queries;            /**< 0: no limit, as for the rest. */
    uint32_t new_per_second;         /**< Connections of one client. */
    uint32_t handshakes_per_second;  /**< Full ones of one client. */
    uint32_t resumptions_per_second; /**< Handshakes of one client with a ticket. */
};

/** One entry of `transfers`. */
struct pin_config_transfer {
    struct pin_at at;
    const char *zone;
    const char *const *allow; /**< Ranges, and "key:NAME". */
    size_t n_allow;
    const struct pin_addrport *notify;
    size_t n_notify;
    const char *key; /**< NOTIFY is signed with it; NULL: it is not signed. */
};

/** Where a value comes from. */
struct pin_config_origin {
    const char *path;   /**< "clusters[0].name"; of a flag also what all below it comes from. */
    const char *source; /**< "pintle.yaml:3:5", "--listen" */
    const struct pin_config_origin *next;
};

/** TLS of the admin side. */
struct pin_config_admin_tls {
    const char *certificate; /**< NULL: plain HTTP. */
    const char *key;
    const char *client_ca; /**< NULL: clients need no certificate. */
};

/** All of it. Strings and arrays live in `arena`. */
struct pin_config {
    struct pin_arena *arena;
    const char *file;                        /**< As given, or NULL. */
    const struct pin_config_origin *origins; /**< Of what files say, newest first. */
    const struct pin_config_origin *flags;   /**< Of what flags say, which goes before. */
    const struct pin_tree *tree;             /**< The file as it is written; NULL without one. */
    bool is_dev;
    bool is_recursion_said; /**< allowRecursion; else the usual private ranges. */
    bool cache_prefetches;  /**< cache.prefetch */
    bool has_publish;       /**< publish.etcd */
    bool has_records_etcd;  /**< recordsLease.etcd */
    bool has_records_lease; /**< recordsLease */
    bool dumps;             /**< sandbox.dumps: cores may be written. */
    bool admin_is_open;     /**< admin.open */
    bool has_admin_tls;     /**< admin.tls */
    struct pin_config_etcd publish;

    const char *cluster_set;
    struct pin_config_listen *listens;
    size_t n_listens;
    struct pin_addrport admin;
    struct pin_addrport metrics;  /**< family 0: health and metrics are at `admin` alone. */
    const char *admin_token_file; /**< NULL: none. */
    struct pin_config_admin_tls admin_tls;
    struct pin_config_network *networks;
    size_t n_networks;
    struct pin_config_cluster *clusters;
    size_t n_clusters;
    const struct pin_addrport *resolvers; /**< Of gateways' host names; none: resolv.conf's. */
    size_t n_resolvers;
    const char *default_cluster; /**< NULL: none. */
    const struct pin_prefix *forwarders;
    size_t n_forwarders;

    const char *zone_cluster_set;
    const char *zone_assigned;
    const char *zone_cluster;
    const char *const *zones_custom;
    size_t n_zones_custom;
    struct pin_config_zonefile *zonefiles;
    size_t n_zonefiles;
    const char *const *ns;
    size_t n_ns;
    const struct pin_addrport *ns_addresses; /**< dns.addresses */
    size_t n_ns_addresses;
    const char *hostmaster; /**< NULL: below each zone. */
    const char *identity;   /**< dns.identity; NULL: none is shown. */
    const char *version;    /**< dns.version; NULL: none is shown. */

    const char *cookie_file; /**< cookies.secretFile; NULL: a secret of this process. */
    const struct pin_prefix *rate_exempt;
    size_t n_rate_exempt;
    uint32_t cookie_rollover_s; /**< cookies.rollover */
    uint32_t rate_responses;    /**< rateLimit.*PerSecond; 0: not limited. */
    uint32_t rate_nxdomains;    /**< 0: as rate_responses. */
    uint32_t rate_errors;       /**< 0: as rate_responses. */
    uint32_t rate_window_s;
    uint32_t rate_slip;
    uint32_t rate_v4_bits;
    uint32_t rate_v6_bits;
    uint32_t rate_accounts;
    bool has_rate_exempt;       /**< Said, so private ranges are not exempt by themselves. */
    bool has_cookies;           /**< cookies.enabled */
    bool wants_cookies;         /**< cookies.required */
    struct pin_manners manners; /**< What follows from them: pin_manners_load(). */

    uint32_t ttl_s;
    unsigned admin_changes; /**< enum pin_admin_changes */
    uint32_t max_answers;
    unsigned all_down;                 /**< enum pin_all_down. */
    uint32_t up_percent;               /**< steering.upThreshold */
    unsigned answers;                  /**< enum pin_answers_mode. */
    unsigned address;                  /**< enum pin_address_mode. */
    unsigned empty_backend;            /**< 0 renormalise, 1 nodata. */
    unsigned zero_weight;              /**< 0 never, 1 standby. */
    unsigned empty_service;            /**< 0 keep, 1 nxdomain. */
    unsigned headless_empty;           /**< 0 nxdomain, 1 nodata. */
    bool is_lighthouse;                /**< compat.lighthouse */
    bool has_extensions;               /**< compat.extensions */
    bool filters_families;             /**< compat.filterFamilies */
    bool has_ptr;                      /**< compat.ptr */
    const char *const *compat_metrics; /**< compat.metrics */
    size_t n_compat_metrics;
    const char *version_cluster_set; /**< "1.0.0" */
    const char *version_cluster;     /**< "1.1.0" */

    unsigned stale;          /**< enum pin_stale. */
    uint64_t stale_after_ms; /**< When drop takes effect. */

    const char *geo_database; /**< NULL: none. */
    struct pin_config_geo *geo_map;
    size_t n_geo_map;

    struct pin_config_tsig_key *tsig_keys;
    size_t n_tsig_keys;
    struct pin_config_transfer *transfers;
    size_t n_transfers;

    unsigned policy_mode;   /**< 0 enforce, 1 audit. */
    unsigned policy_denied; /**< enum pin_policy_denied. */

    struct pin_config_forward *forward; /**< Names that are not ours go there. */
    size_t n_forward;
    const struct pin_prefix *recursion; /**< Who may ask for them. */
    size_t n_recursion;
    uint64_t cache_bytes;
    uint32_t cache_min_ttl_s;
    uint32_t cache_max_ttl_s;
    uint32_t cache_stale_s; /**< 0: expired answers are not served. */

    uint32_t probes_per_second;         /**< health.maxPerSecond */
    const char *const *probed_networks; /**< health.networks; none: those without gateways. */
    size_t n_probed_networks;
    struct pin_config_command *commands;
    size_t n_commands;

    struct pin_write_switches writes; /**< writeBack */
    const char *lease_namespace;
    const char *lease_name;

    struct pin_config_records *records;
    size_t n_records;
    const char *records_lease_cluster; /**< NULL: there is no other daemon. */
    const char *records_lease_namespace;
    const char *records_lease_name;
    struct pin_config_etcd records_etcd; /**< recordsLease.etcd */

    const char *state_dir;            /**< NULL: nothing survives a restart. */
    const char *user;                 /**< Whom root becomes; NULL: root stays root. */
    const char *const *sandbox_reads; /**< sandbox.read */
    size_t n_sandbox_reads;
    const char *const *sandbox_writes; /**< sandbox.write */
    size_t n_sandbox_writes;
    struct pin_config_streams streams;
    unsigned seccomp;   /**< sandbox.seccomp: enum pin_config_switch, or 3 kill. */
    unsigned landlock;  /**< sandbox.landlock: enum pin_config_switch. */
    unsigned programs;  /**< sandbox.programs: enum pin_config_switch. */
    uint32_t n_workers; /**< 0: one per processor. */
    uint32_t ready_min_clusters;
    uint32_t max_objects;
    uint64_t ready_grace_ms;
    uint64_t lameduck_ms;
    struct pin_tap_config tap; /**< queryLog and dnstap. */
    bool logs_to_stdout;       /**< queryLog.stdout */
    uint32_t log_sample;       /**< queryLog.sample */
    uint32_t dnstap_sample;    /**< dnstap.sample */
    unsigned log_level;        /**< enum pin_log_level. */
    unsigned log_format;       /**< enum pin_log_format. */
};

/** Lists the contexts of a kubeconfig (NULL: the usual files) into the arena. */
typedef enum pin_err pin_list_contexts_fn(const char *kubeconfig, struct pin_arena *arena,
    const char *const **ret_names, size_t *ret_n, struct pin_why *why);

/**
 * Puts defaults, the file and the flags together, and checks the whole.
 *
 * @param list_contexts  Lists the contexts of a kubeconfig for --all-contexts and checks those of
 *                       --contexts; NULL: neither is done. (It is sync's; this room cannot call
 * it.)
 * @param findings       What is wrong; empty means that *ret_config is good.
 * @return NULL only when memory is out. Otherwise the caller frees it, findings or not.
 */
struct pin_config *pin_config_load(const struct pin_args *args, pin_list_contexts_fn *list_contexts,
    struct pin_findings *findings);

struct pin_stream_limits;

/** The limits on connections that it says. */
struct pin_stream_limits pin_config_stream_limits(const struct pin_config *config);

/**
 * Calls fn(path, arg) for each path that the configuration names, whatever option it is of; those
 * that stand in tables to come, too.
 */
void pin_config_each_path(
    const struct pin_config *config, void (*fn)(const char *path, void *arg), void *arg);

/** Frees it with all that it points at. NULL is fine. */
void pin_config_free(struct pin_config *config);

/** Appends a copy of `cluster` (its strings are borrowed). False when memory is out. */
bool pin_config_add_cluster(struct pin_config *config, const struct pin_config_cluster *cluster);

/** Reads a whole configuration text into `config`; `dir` is what relative paths are relative to. */
void pin_config_read(struct pin_config *config, const char *file, const char *text, size_t bytes,
    struct pin_findings *findings);

struct pin_option;

/** Fills in what holds where nothing is said. Texts live in the arena. */
void pin_config_set_defaults(
    struct pin_arena *arena, const struct pin_option *options, uint8_t *base);

/** Notes where the value at `path` comes from; both are copied. Without memory it is not known. */
void pin_config_note_origin(struct pin_config *config, const char *path, const char *source);

/** The same for a flag: all below `path` comes from it. */
void pin_config_note_flag(struct pin_config *config, const char *path, const char *flag);

/** What must hold between options: names that exist, nothing twice. */
void pin_config_check(const struct pin_config *config, struct pin_findings *findings);

/** The part of pin_config_check() that is about listeners: pin_config_check() calls it. */
void pin_config_check_listens(const struct pin_config *config, struct pin_findings *findings);

/** The part of pin_config_check() that is about etcd: pin_config_check() calls it. */
void pin_config_check_etcd(const struct pin_config *config, struct pin_findings *findings);

/** The part of pin_config_check() that is about `compat`: pin_config_check() calls it. */
void pin_config_check_compat(const struct pin_config *config, struct pin_findings *findings);

/** The part of pin_config_check() that is about `dns`: pin_config_check() calls it. */
void pin_config_check_dns(const struct pin_config *config, struct pin_findings *findings);

/** What compat.metrics calls external-dns. */
#define PIN_CONFIG_METRICS_EXTERNAL_DNS "external-dns"

/** Whether compat.metrics names that server. */
bool pin_config_shows_metrics(const struct pin_config *config, const char *word);

/** The first cluster of that name, or NULL. While a configuration is looked at there may be
 * clusters without a name: theirs was refused. */
const struct pin_config_cluster *pin_config_find_cluster(
    const struct pin_config *config, const char *name);

/**
 * Makes upstreams of what `forward:` says, or of --forward, which takes its place; and checks them:
 * addresses, zones named once, none of our own listeners. After listeners were read.
 */
void pin_config_forward(
    struct pin_config *config, const struct pin_arg_list *flags, struct pin_findings *findings);

/** Worker sets to start: as many as was said, or one per processor. */
size_t pin_config_n_workers(const struct pin_config *config);

struct pin_forward;
struct pin_forward_config;

/**
 * Starts the forwarder, which borrows nothing; *ret_forward is NULL when nothing is forwarded.
 *
 * @param base  What the configuration does not say: `live`, `awaits_basis`, `n_ports`, and as
 *              `n_threads` how many there are to be at most.
 */
enum pin_err pin_config_start_forward(const struct pin_config *config,
    const struct pin_forward_config *base, struct pin_forward **ret_forward, struct pin_why *why);

/** What must hold once cluster.yaml files were read: regions that geo.map names. */
void pin_config_check_geo(const struct pin_config *config, struct pin_findings *findings);

/** The catalog's settings, made in the config's arena; they live as long as the config. */
enum pin_err pin_config_settings(
    struct pin_config *config, struct pin_settings *ret_settings, struct pin_why *why);
