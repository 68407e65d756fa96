/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * pintlectl: what the command line says, and the commands it may name.
 *
 *     argv -> pin_ctl_parse -> struct pin_ctl -> command.run -> api.c (HTTP) -> table.c or text
 *
 * Data goes to standard output, everything else to standard error.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

/** Exit codes (design, section 4). */
enum pin_ctl_exit {
    PIN_CTL_OK = 0,
    PIN_CTL_FAILED = 1,
    PIN_CTL_USAGE = 2,
    PIN_CTL_CHANGES = 2, /**< With --detailed-exitcode, where usage errors are PIN_CTL_FAILED. */
    PIN_CTL_NOT_RUNNING = 3,
    PIN_CTL_TIMED_OUT = 4,
    PIN_CTL_NOT_PERMITTED = 5,
};

/** How data is written. */
enum pin_ctl_output {
    PIN_CTL_TABLE,
    PIN_CTL_JSON,
    PIN_CTL_YAML,
};

/** Longest "HOST:PORT" of an admin side, with the NUL. */
#define PIN_CTL_ADMIN_MAX 264

/** Most words after the command. */
#define PIN_CTL_WORDS_MAX 4

struct pin_ctl_command;

/** The command line. Borrowed from argv. */
struct pin_ctl {
    const struct pin_ctl_command *command;
    char admin[PIN_CTL_ADMIN_MAX]; /**< ADDR:PORT or HOST:PORT, checked. */
    bool has_admin;                /**< --admin was given. */
    const char *from;              /**< explain, services, query: NULL when absent. */
    const char *namespace_name;    /**< explain: NULL when absent. */
    const char *server;            /**< query: ADDR[:PORT], NULL when absent. */
    uint64_t n_asks;               /**< query: how many questions; 0 when absent. */
    bool affinity;                 /**< services list */
    bool is_tree;                  /**< cache flush */
    const char *duration;          /**< drain --for: NULL when absent. */
    const char *context;           /**< clusters add: NULL when absent; so the next three. */
    const char *name;
    const char *kubeconfig;
    const char *write_back;
    const char *from_owner;  /**< records adopt: NULL when absent. */
    const char *query;       /**< explain --query: a line of the query log; NULL when absent. */
    const char *files;       /**< analyze -f: "PATH,PATH"; NULL when absent. */
    const char *config_file; /**< analyze --config: NULL when absent. */
    const char *threshold;   /**< analyze --failure-threshold: NULL when absent. */
    bool live;               /**< analyze */
    bool is_list;            /**< analyze -L */
    bool detailed;           /**< records: --detailed-exitcode */
    bool dry_run;            /**< records apply */
    bool yes;                /**< records adopt */
    bool effective;          /**< config show */
    enum pin_ctl_output output;
    bool no_headers;
    bool has_color;
    bool wait;        /**< status */
    bool has_timeout; /**< --timeout was given. */
    uint64_t wait_ms; /**< status, clusters check, records apply, adopt, approve */
    const char *words[PIN_CTL_WORDS_MAX];
    size_t n_words;
};

/** One command. */
struct pin_ctl_command {
    const char *name;      /**< One word or two: "names list". */
    const char *arguments; /**< As shown in the help. */
    const char *help;      /**< One line. */
    size_t n_words_min;
    size_t n_words_max;
    enum pin_ctl_exit (*run)(const struct pin_ctl *ctl);
};

/** All commands, in the order of the help. */
extern const struct pin_ctl_command pin_ctl_commands[];
/** How many there are. */
extern const size_t pin_ctl_n_commands;

/**
 * Reads the command line. PIN_EINVAL: a usage error, explained in `why`.
 *
 * @param is_terminal  Whether colour makes sense where nothing was said about it.
 */
enum pin_err pin_ctl_parse(
    int argc, char *const *argv, bool is_terminal, struct pin_ctl *ret_ctl, struct pin_why *why);

/** What a usage error exits with: scripts that asked for --detailed-exitcode take 2 for changes. */
enum pin_ctl_exit pin_ctl_usage_exit(int argc, char *const *argv);

/** Appends the text of `pintlectl help`. */
void pin_ctl_help(struct pin_text *text);

/** The commands. Each prints, and returns the exit code. */
enum pin_ctl_exit pin_ctl_status(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_names(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_explain(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_services(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_query(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_analyze(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_drain(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_undrain(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_clusters_list(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_clusters_show(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_clusters_check(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_clusters_add(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_cache_dump(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_cache_flush(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_drains(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_records_plan(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_records_apply(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_records_list(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_records_drift(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_records_adopt(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_records_approve(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_config_show(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_config_check(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_config_explain(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_config_defaults(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_config_schema(const struct pin_ctl *ctl);
