/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * pintlectl: what the command line says, and the commands it may name.
 *
 *     argv -> pin_ctl_parse -> struct pin_ctl -> command.run -> api.c (HTTP) -> table.c or text
 *
 * Two tables say all of it: pin_ctl_commands and pin_ctl_flags. The parser, the help, the manual
 * page (help.c) and the completion of shells (complete.c) read them, so what is in the tables is
 * everywhere. Data goes to standard output, everything else to standard error.
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

/** Longest "https://HOST:PORT" of an admin side, with the NUL. */
#define PIN_CTL_ADMIN_MAX 272

/** Most words after the command. */
#define PIN_CTL_WORDS_MAX 4

/** Most options of one command line. */
#define PIN_CTL_FLAGS_MAX 32

struct pin_ctl_command;

/** The options: rows of pin_ctl_flags, and bits of pin_ctl_command.flags. */
enum pin_ctl_flag_id {
    PIN_FLAG_ADMIN,
    PIN_FLAG_CA,
    PIN_FLAG_CERT,
    PIN_FLAG_KEY,
    PIN_FLAG_OUTPUT,
    PIN_FLAG_NO_HEADERS,
    PIN_FLAG_COLOR,
    PIN_FLAG_HELP, /**< The last that every command has. */
    PIN_FLAG_WAIT,
    PIN_FLAG_TIMEOUT,
    PIN_FLAG_WAIT_DURATION, /**< What --timeout was called before. */
    PIN_FLAG_FROM_ASKER,
    PIN_FLAG_FROM_CLIENT,
    PIN_FLAG_FROM_SUBNET,
    PIN_FLAG_NAMESPACE,
    PIN_FLAG_AFFINITY,
    PIN_FLAG_N,
    PIN_FLAG_SERVER,
    PIN_FLAG_DRAIN_FOR,
    PIN_FLAG_LEVEL_FOR,
    PIN_FLAG_FILE,
    PIN_FLAG_ONCE,
    PIN_FLAG_TREE,
    PIN_FLAG_CONTEXT,
    PIN_FLAG_NAME,
    PIN_FLAG_KUBECONFIG,
    PIN_FLAG_WRITE_BACK,
    PIN_FLAG_DETAILED,
    PIN_FLAG_DRY_RUN,
    PIN_FLAG_FROM_OWNER,
    PIN_FLAG_YES,
    PIN_FLAG_QUERY,
    PIN_FLAG_FILES,
    PIN_FLAG_CONFIG,
    PIN_FLAG_THRESHOLD,
    PIN_FLAG_LIVE,
    PIN_FLAG_LIST,
    PIN_FLAG_EFFECTIVE,
    PIN_FLAG_MAX,
};

/** How the value of an option is read, and where to: a field of struct pin_ctl. */
enum pin_ctl_flag_kind {
    PIN_FLAG_IS_SWITCH, /**< bool; no value */
    PIN_FLAG_IS_TEXT,   /**< const char *, as it is */
    PIN_FLAG_IS_ONCE,   /**< The same, refused when given twice. */
    PIN_FLAG_IS_ADMIN,
    PIN_FLAG_IS_OUTPUT,
    PIN_FLAG_IS_COLOR,
    PIN_FLAG_IS_TIMEOUT,
    PIN_FLAG_IS_ASKS,
};

/** One option. Options of one name take a value in every command, or in none. */
struct pin_ctl_flag {
    const char *name;       /**< "--output", or "-n" for one that is short only. */
    const char *short_name; /**< "-o", or NULL. */
    const char *value;      /**< How its value is called; NULL: a switch. */
    const char *help;       /**< Part of a sentence; NULL: not shown. */
    const char *completes;  /**< As in a command. */
    size_t offset;          /**< In struct pin_ctl; kinds with a field of their own ignore it. */
    enum pin_ctl_flag_kind kind;
    bool is_required; /**< With a value that is not "". */
};

/** All options, by pin_ctl_flag_id. */
extern const struct pin_ctl_flag pin_ctl_flags[PIN_FLAG_MAX];

/** The command line. Borrowed from argv. */
struct pin_ctl {
    const struct pin_ctl_command *command;
    char admin[PIN_CTL_ADMIN_MAX]; /**< ADDR:PORT or HOST:PORT, checked; behind "https://": TLS. */
    bool has_admin;                /**< --admin was given. */
    const char *ca;                /**< Files of TLS: NULL when absent. */
    const char *cert;
    const char *key;
    const char *from;           /**< explain, services, query: NULL when absent. */
    const char *namespace_name; /**< explain: NULL when absent. */
    const char *server;         /**< query: ADDR[:PORT], NULL when absent. */
    uint64_t n_asks;            /**< query, tail: how many questions; 0 when absent. */
    bool affinity;              /**< services list */
    bool is_tree;               /**< cache flush */
    const char *duration;       /**< drain, log level: NULL when absent. */
    const char *context;        /**< clusters add: NULL when absent; so the next three. */
    const char *name;
    const char *kubeconfig;
    const char *write_back;
    const char *file;        /**< sysdump: NULL when absent. */
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
    bool once;               /**< top */
    enum pin_ctl_output output;
    bool no_headers;
    bool is_terminal; /**< Standard output is one. */
    bool has_color;
    bool wants_help;
    bool wait;        /**< status */
    bool has_timeout; /**< --timeout was given. */
    uint64_t wait_ms; /**< status, clusters check, records apply, adopt, approve */
    const char *words[PIN_CTL_WORDS_MAX];
    size_t n_words;
    char *const *rest; /**< __complete: all that follows, options included. */
    size_t n_rest;
};

/** Most words of a command that are completed each in its own way. */
#define PIN_CTL_COMPLETES_MAX 2

/** One command. */
struct pin_ctl_command {
    const char *name;      /**< One word or two: "names list". */
    const char *arguments; /**< Without options, as shown in the help. */
    const char *help;      /**< One line; NULL: not shown. */
    const char *example;   /**< What follows the name in an example, or NULL. */
    size_t n_words_min;
    size_t n_words_max;
    uint64_t flags; /**< Bits by pin_ctl_flag_id, without those that every command has. */
    /** What its words may be, the last for all that follow: "a|b|c", "@clusters", "@names",
     * "@zones", "@files", "@commands"; NULL: not known. */
    const char *completes[PIN_CTL_COMPLETES_MAX];
    enum pin_ctl_exit (*run)(const struct pin_ctl *ctl);
};

/** All commands, in the order of the help. */
extern const struct pin_ctl_command pin_ctl_commands[];
/** How many there are. */
extern const size_t pin_ctl_n_commands;

/**
 * The command that the first words name, or NULL.
 *
 * @param ret_n_taken  How many words its name has.
 */
const struct pin_ctl_command *pin_ctl_command_find(
    const char *const *words, size_t n_words, size_t *ret_n_taken);

/** Whether the command, NULL for none yet, has the option. */
bool pin_ctl_command_has(const struct pin_ctl_command *command, enum pin_ctl_flag_id id);

/**
 * The command's option that a word such as "--from=c1", "--from" or "-ojson" begins with, or NULL.
 *
 * @param command    NULL: any command's.
 * @param ret_value  What follows in the same word, or NULL. Borrowed.
 */
const struct pin_ctl_flag *pin_ctl_flag_find(
    const struct pin_ctl_command *command, const char *word, const char **ret_value);

/** Reads an option's value (NULL for a switch). False: it is wrong, explained in `why`. */
bool pin_ctl_flag_set(
    struct pin_ctl *ctl, const struct pin_ctl_flag *flag, const char *value, struct pin_why *why);

/**
 * Reads the command line. PIN_EINVAL: a usage error, explained in `why`. Where help is asked for,
 * the command is "help" and the words are the command's name.
 *
 * @param is_terminal  Whether colour makes sense where nothing was said about it.
 */
enum pin_err pin_ctl_parse(
    int argc, char *const *argv, bool is_terminal, struct pin_ctl *ret_ctl, struct pin_why *why);

/** Whether all words of the command line stand in the text, in any case; true where there is none.
 */
bool pin_ctl_has_words(const struct pin_ctl *ctl, const char *text);

/** What a usage error exits with: scripts that asked for --detailed-exitcode take 2 for changes. */
enum pin_ctl_exit pin_ctl_usage_exit(int argc, char *const *argv);

/** Appends the text of `pintlectl help`. */
void pin_ctl_help(struct pin_text *text);

/** Appends the text of `pintlectl help COMMAND`. */
void pin_ctl_help_command(struct pin_text *text, const struct pin_ctl_command *command);

/** Appends the manual page pintlectl(1) as input of man, see groff_man(7). */
void pin_ctl_man(struct pin_text *text);

/** Appends "explain NAME [TYPE] [--from IP]". */
void pin_ctl_put_use(struct pin_text *text, const struct pin_ctl_command *command);

/** The commands. Each prints, and returns the exit code. */
enum pin_ctl_exit pin_ctl_run_help(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_completion(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_complete(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_docs(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_version(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_status(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_names(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_explain(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_services(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_query(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_analyze(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_tail(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_drain(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_undrain(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_log_level(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_weights_set(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_top(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_sysdump(const struct pin_ctl *ctl);
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
enum pin_ctl_exit pin_ctl_reload(const struct pin_ctl *ctl);
enum pin_ctl_exit pin_ctl_replace(const struct pin_ctl *ctl);
