/* SPDX-License-Identifier: Apache-2.0 */

/* The command line of pintlectl: commands, flags, help. */

#include "cli/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/ip.h"
#include "pintle/base/macros.h"
#include "pintle/version.h"

#include "cli/api.h"
#include "cli/emit.h"

#define ADMIN_PORT      9153
#define HOST_MAX_BYTES  253
#define ADMIN_DEFAULT   "127.0.0.1:9153"
#define ASKS_MAX        10000000
#define DETAILED        "--detailed-exitcode"
#define WAIT_DEFAULT_MS ((uint64_t)5 * 60 * 1000)

static enum pin_ctl_exit run_help(const struct pin_ctl *ctl)
{
    struct pin_text text = {0};
    (void)ctl;
    pin_ctl_help(&text);
    (void)fputs(pin_text_get(&text), stdout);
    pin_text_done(&text);
    return PIN_CTL_OK;
}

/* The daemon's version too, where one runs. */
static enum pin_ctl_exit run_version(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    const char *daemon = NULL;
    if (pin_api_get(ctl->admin, "/api/v1/status", &reply, NULL) == PIN_OK) {
        daemon = pin_tree_string(reply.tree, "version", NULL);
    }
    switch (ctl->output) {
    case PIN_CTL_JSON:
        (void)printf(daemon == NULL ? "{\"client\":\"%s\",\"daemon\":null}\n"
                                    : "{\"client\":\"%s\",\"daemon\":\"%s\"}\n",
            PIN_VERSION, daemon);
        break;
    case PIN_CTL_YAML:
        (void)printf("client: \"%s\"\ndaemon: %s%s%s\n", PIN_VERSION, daemon == NULL ? "" : "\"",
            daemon == NULL ? "null" : daemon, daemon == NULL ? "" : "\"");
        break;
    case PIN_CTL_TABLE:
        (void)printf(
            "pintlectl %s\npintled   %s\n", PIN_VERSION, daemon == NULL ? "not running" : daemon);
        break;
    }
    pin_api_reply_done(&reply);
    return PIN_CTL_OK;
}

const struct pin_ctl_command pin_ctl_commands[] = {
    {"status", "[--wait] [--timeout 5m]", "the daemon, its clusters and what is wrong", 0, 0,
        pin_ctl_status},
    {"clusters list", "", "each cluster's state, objects and source", 0, 0, pin_ctl_clusters_list},
    {"clusters show", "NAME", "all that is known of a cluster, kind by kind", 1, 1,
        pin_ctl_clusters_show},
    {"clusters check", "[NAME...] [--timeout 5m]",
        "ask API servers what watching them depends on: network, TLS, rights, kinds, clock", 0,
        PIN_CTL_WORDS_MAX - 2, pin_ctl_clusters_check},
    {"clusters add",
        "[objects|kubeconfig|config] --context X --name c3 [--write-back LIST] [--kubeconfig FILE]",
        "print what lets pintled read a cluster, and write back annotations,status,mcs (no daemon "
        "needed)",
        0, 1, pin_ctl_clusters_add},
    {"names list", "", "assigned names and the routes they belong to", 0, 0, pin_ctl_names},
    {"explain", "NAME [TYPE] [--from IP|CLUSTER[/NAMESPACE]] [--namespace NS] | --query LINE",
        "who gets which address, and why; of a line of the query log, too", 0, 2, pin_ctl_explain},
    {"services list", "[--affinity] [--from IP|CLUSTER]",
        "what services have in which cluster, and what of it is shown", 0, 0, pin_ctl_services},
    {"query", "NAME [TYPE] [-n 1000] [--server ADDR[:PORT]] [--from SUBNET]",
        "ask, and compare the split with the wanted one", 1, 2, pin_ctl_query},
    {"analyze", "-f PATH[,PATH]|--live|-L [--config FILE] [--failure-threshold error]",
        "what is wrong with manifests, or with what the daemon sees: codes and fixes", 0,
        PIN_CTL_WORDS_MAX - 1, pin_ctl_analyze},
    {"drain", "cluster|zone|service|endpoint NAME [--for 30m]", "take it out of the answers", 2, 2,
        pin_ctl_drain},
    {"undrain", "cluster|zone|service|endpoint NAME", "let it in again", 2, 2, pin_ctl_undrain},
    {"cache dump", "[NAME]", "what is cached of names that are forwarded, at and below NAME", 0, 1,
        pin_ctl_cache_dump},
    {"cache flush", "[NAME] [--tree]", "forget all of it, a name, or a name and all below it", 0, 1,
        pin_ctl_cache_flush},
    {"drains", "", "what is drained, and until when", 0, 0, pin_ctl_drains},
    {"records plan", "[NAME|ZONE] [--detailed-exitcode]",
        "what would change in the zones of others (+ ~ -), and what must not", 0, 1,
        pin_ctl_records_plan},
    {"records apply", "[ZONE] [--dry-run] [--detailed-exitcode] [--timeout 5m]",
        "read the zones, plan anew and carry it out now; wait for the outcome", 0, 1,
        pin_ctl_records_apply},
    {"records list", "[NAME|ZONE]", "each record: who wants it, who owns it, its state", 0, 1,
        pin_ctl_records_list},
    {"records drift", "[NAME|ZONE] [--detailed-exitcode]", "where a zone is not as wanted, and why",
        0, 1, pin_ctl_records_drift},
    {"records adopt", "[ZONE] --from-owner ID [--yes] [--timeout 5m]",
        "take over from another owner what is wanted here; shows the plan and asks", 0, 1,
        pin_ctl_records_adopt},
    {"records approve", "HASH [--timeout 5m]",
        "let a plan's deletions above the budget be done, once", 1, 1, pin_ctl_records_approve},
    {"config show", "[--effective]",
        "the configuration in force, where each value comes from; --effective: defaults, too", 0, 0,
        pin_ctl_config_show},
    {"config check", "FILE", "everything that is wrong with a configuration, with its place", 1, 1,
        pin_ctl_config_check},
    {"config explain", "[KEY]", "what a key of the configuration means, or which ones there are", 0,
        1, pin_ctl_config_explain},
    {"config defaults", "", "what holds where a configuration says nothing", 0, 0,
        pin_ctl_config_defaults},
    {"config schema", "", "the JSON Schema of the configuration, for editors and checks", 0, 0,
        pin_ctl_config_schema},
    {"version", "", "versions of pintlectl and of the daemon", 0, 0, run_version},
    {"help", "", "this text", 0, 0, run_help},
};
const size_t pin_ctl_n_commands = N_ELEMS(pin_ctl_commands);

void pin_ctl_help(struct pin_text *text)
{
    pin_text_puts(text, "pintlectl looks into a running pintled.\n\nCommands:\n");
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        const struct pin_ctl_command *command = &pin_ctl_commands[i];
        size_t before = text->len;
        pin_text_putf(text, "  pintlectl %s %s", command->name, command->arguments);
        int used = (int)(text->len - before);
        pin_text_putf(text, "%*s%s\n", used < 68 ? 68 - used : 1, "", command->help);
    }
    pin_text_puts(text,
        "\nOptions:\n"
        "  --admin ADDR:PORT            where the daemon's admin side is (default " ADMIN_DEFAULT
        ")\n"
        "  -o, --output FORMAT          table, json or yaml\n"
        "  --no-headers                 no line of headings\n"
        "  --color WHEN                 auto, always or never; NO_COLOR is obeyed\n"
        "\nExit codes: 0 ok, 1 failed, 2 usage, 3 daemon not running, 4 timed out, 5 not "
        "permitted\n");
}

/* --- Flags ---------------------------------------------------------------------------------- */

/* The value of "--name value" or "--name=value" at *i; NULL after an error. */
static const char *value_of(
    int argc, char *const *argv, int *i, size_t name_len, struct pin_why *why)
{
    if (argv[*i][name_len] == '=') {
        return argv[*i] + name_len + 1;
    }
    if (*i + 1 >= argc) {
        (void)pin_why_set(why, PIN_EINVAL, "%s wants a value", argv[*i]);
        return NULL;
    }
    return argv[++*i];
}

/* How long the host name is that "HOST[:PORT]" begins with; 0: it is none, or the port is wrong. */
static size_t host_bytes(const char *value, uint16_t *ret_port)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    char any[PIN_ADDRPORT_TEXT_MAX]; /* with an address in the name's place, for its port */
    struct pin_addrport address;
    size_t bytes = strspn(value, letters);
    (void)snprintf(any, sizeof(any), "0.0.0.0%s", value + bytes);
    if (bytes > HOST_MAX_BYTES || value[0] == '-' || strspn(value, "0123456789.") == bytes
        || !pin_addrport_parse(any, ADMIN_PORT, &address)) {
        return 0; /* digits and dots alone: an address that is none */
    }
    *ret_port = address.port;
    return bytes;
}

static bool set_admin(struct pin_ctl *ctl, const char *value, struct pin_why *why)
{
    struct pin_addrport address = {0};
    ctl->has_admin = true;
    if (pin_addrport_parse(value, ADMIN_PORT, &address) && address.port != 0) {
        char text[PIN_ADDRPORT_TEXT_MAX];
        (void)snprintf(ctl->admin, sizeof(ctl->admin), "%s", pin_addrport_format(&address, text));
        return true;
    }
    uint16_t port = 0;
    size_t bytes = host_bytes(value, &port);
    if (bytes > 0 && port != 0) {
        (void)snprintf(ctl->admin, sizeof(ctl->admin), "%.*s:%u", (int)bytes, value, port);
        return true;
    }
    (void)pin_why_set(why, PIN_EINVAL, "--admin: \"%s\" is no ADDR[:PORT]", value);
    return false;
}

static bool set_output(struct pin_ctl *ctl, const char *value, struct pin_why *why)
{
    static const char *const names[] = {
        [PIN_CTL_TABLE] = "table", [PIN_CTL_JSON] = "json", [PIN_CTL_YAML] = "yaml"};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(names[i], value) == 0) {
            ctl->output = (enum pin_ctl_output)i;
            return true;
        }
    }
    (void)pin_why_set(why, PIN_EINVAL, "-o: \"%s\" is not one of table, json, yaml", value);
    return false;
}

static bool set_color(struct pin_ctl *ctl, const char *value, bool is_terminal, struct pin_why *why)
{
    const char *no_color = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    const char *term = getenv("TERM");         /* NOLINT(concurrency-mt-unsafe): one thread */
    if (strcmp(value, "always") == 0) {
        ctl->has_color = true;
    } else if (strcmp(value, "never") == 0) {
        ctl->has_color = false;
    } else if (strcmp(value, "auto") == 0) {
        ctl->has_color = is_terminal && (no_color == NULL || no_color[0] == '\0') && term != NULL
                         && strcmp(term, "dumb") != 0;
    } else {
        (void)pin_why_set(
            why, PIN_EINVAL, "--color: \"%s\" is not one of auto, always, never", value);
        return false;
    }
    return true;
}

/* `name`: --timeout, or --wait-duration as it was called before. */
static bool set_timeout(
    struct pin_ctl *ctl, const char *name, const char *value, struct pin_why *why)
{
    ctl->has_timeout = true;
    if (!pin_duration_parse(value, &ctl->wait_ms)) {
        (void)pin_why_set(why, PIN_EINVAL, "%s: \"%s\" is no duration such as 5m", name, value);
        return false;
    }
    return true;
}

static bool set_n_asks(struct pin_ctl *ctl, const char *value, struct pin_why *why)
{
    char *end = NULL;
    unsigned long long n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || n == 0 || n > ASKS_MAX) {
        (void)pin_why_set(why, PIN_EINVAL, "-n: \"%s\" is no number from 1 to %d", value, ASKS_MAX);
        return false;
    }
    ctl->n_asks = n;
    return true;
}

static bool set_files(struct pin_ctl *ctl, const char *value, struct pin_why *why)
{
    if (ctl->files != NULL) {
        (void)pin_why_set(why, PIN_EINVAL, "-f is given twice: write -f A,B");
        return false;
    }
    ctl->files = value;
    return true;
}

/* Flags that have a value. */
enum valued {
    PIN_FLAG_ADMIN,
    PIN_FLAG_OUTPUT,
    PIN_FLAG_O,
    PIN_FLAG_COLOR,
    PIN_FLAG_WAIT_DURATION,
    PIN_FLAG_TIMEOUT,
    PIN_FLAG_FROM,
    PIN_FLAG_NAMESPACE,
    PIN_FLAG_N,
    PIN_FLAG_SERVER,
    PIN_FLAG_FOR,
    PIN_FLAG_CONTEXT,
    PIN_FLAG_NAME,
    PIN_FLAG_KUBECONFIG,
    PIN_FLAG_WRITE_BACK,
    PIN_FLAG_FROM_OWNER,
    PIN_FLAG_FILES,
    PIN_FLAG_CONFIG,
    PIN_FLAG_THRESHOLD,
    PIN_FLAG_QUERY,
    PIN_FLAG_MAX,
};

/* Which one a word is, and how long its name; PIN_FLAG_MAX: none. */
static enum valued find_valued(const char *word, size_t *ret_len)
{
    static const char *const names[PIN_FLAG_MAX] = {"--admin", "--output", "-o", "--color",
        "--wait-duration", "--timeout", "--from", "--namespace", "-n", "--server", "--for",
        "--context", "--name", "--kubeconfig", "--write-back", "--from-owner", "-f", "--config",
        "--failure-threshold", "--query"};
    for (int i = 0; i < PIN_FLAG_MAX; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(word, names[i], len) == 0 && (word[len] == '\0' || word[len] == '=')) {
            *ret_len = len;
            return (enum valued)i;
        }
    }
    return PIN_FLAG_MAX;
}

static bool set_valued(struct pin_ctl *ctl, enum valued which, const char *value, bool is_terminal,
    struct pin_why *why)
{
    switch (which) {
    case PIN_FLAG_ADMIN:
        return set_admin(ctl, value, why);
    case PIN_FLAG_OUTPUT:
    case PIN_FLAG_O:
        return set_output(ctl, value, why);
    case PIN_FLAG_COLOR:
        return set_color(ctl, value, is_terminal, why);
    case PIN_FLAG_WAIT_DURATION:
        return set_timeout(ctl, "--wait-duration", value, why);
    case PIN_FLAG_TIMEOUT:
        return set_timeout(ctl, "--timeout", value, why);
    case PIN_FLAG_NAMESPACE:
        ctl->namespace_name = value;
        return true;
    case PIN_FLAG_N:
        return set_n_asks(ctl, value, why);
    case PIN_FLAG_SERVER:
        ctl->server = value;
        return true;
    case PIN_FLAG_FOR:
        ctl->duration = value;
        return true;
    case PIN_FLAG_CONTEXT:
        ctl->context = value;
        return true;
    case PIN_FLAG_NAME:
        ctl->name = value;
        return true;
    case PIN_FLAG_KUBECONFIG:
        ctl->kubeconfig = value;
        return true;
    case PIN_FLAG_WRITE_BACK:
        ctl->write_back = value;
        return true;
    case PIN_FLAG_FROM_OWNER:
        ctl->from_owner = value;
        return true;
    case PIN_FLAG_FILES:
        return set_files(ctl, value, why);
    case PIN_FLAG_CONFIG:
        ctl->config_file = value;
        return true;
    case PIN_FLAG_THRESHOLD:
        ctl->threshold = value;
        return true;
    case PIN_FLAG_QUERY:
        ctl->query = value;
        return true;
    default:
        ctl->from = value;
        return true;
    }
}

/* A flag without a value; false when it is none. */
static bool read_switch(struct pin_ctl *ctl, const char *word, bool *ret_help)
{
    const struct {
        const char *flag;
        bool *value;
    } switches[] = {
        {"--wait", &ctl->wait},
        {"--affinity", &ctl->affinity},
        {"--tree", &ctl->is_tree},
        {DETAILED, &ctl->detailed},
        {"--dry-run", &ctl->dry_run},
        {"--yes", &ctl->yes},
        {"--live", &ctl->live},
        {"-L", &ctl->is_list},
        {"--effective", &ctl->effective},
        {"--no-headers", &ctl->no_headers},
        {"--help", ret_help},
        {"-h", ret_help},
    };
    for (size_t i = 0; i < N_ELEMS(switches); i++) {
        if (strcmp(word, switches[i].flag) == 0) {
            *switches[i].value = true;
            return true;
        }
    }
    return false;
}

/* --- Commands ------------------------------------------------------------------------------- */

/* Takes the words of the command's name off the front; NULL when it is none. */
static const struct pin_ctl_command *take_command(struct pin_ctl *ctl)
{
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        char name[64];
        const char *second = strchr(pin_ctl_commands[i].name, ' ');
        size_t n_taken = second == NULL ? 1 : 2;
        if (ctl->n_words < n_taken) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%s%s%s", ctl->words[0], n_taken == 2 ? " " : "",
            n_taken == 2 ? ctl->words[1] : "");
        if (strcmp(name, pin_ctl_commands[i].name) == 0) {
            ctl->n_words -= n_taken;
            memmove(ctl->words, ctl->words + n_taken, ctl->n_words * sizeof(ctl->words[0]));
            return &pin_ctl_commands[i];
        }
    }
    return NULL;
}

/* A flag that the command would not look at is an error. */
static enum pin_err check_flags(const struct pin_ctl *ctl, struct pin_why *why)
{
    enum pin_ctl_exit (*run)(const struct pin_ctl *) = ctl->command->run;
    bool is_query = run == pin_ctl_query;
    const struct {
        const char *flag;
        const char *commands;
        bool is_wrong;
    } rows[] = {
        {"--wait", "status", ctl->wait && run != pin_ctl_status},
        {"--timeout", "status, clusters check, records apply, adopt and approve",
            ctl->has_timeout && run != pin_ctl_status && run != pin_ctl_clusters_check
                && run != pin_ctl_records_apply && run != pin_ctl_records_adopt
                && run != pin_ctl_records_approve},
        {"--from", "explain, services list and query",
            ctl->from != NULL && run != pin_ctl_explain && run != pin_ctl_services && !is_query},
        {"--for", "drain", ctl->duration != NULL && run != pin_ctl_drain},
        {"--namespace", "explain", ctl->namespace_name != NULL && run != pin_ctl_explain},
        {"--affinity", "services list", ctl->affinity && run != pin_ctl_services},
        {"--tree", "cache flush NAME",
            ctl->is_tree && (run != pin_ctl_cache_flush || ctl->n_words == 0)},
        {"-n", "query", ctl->n_asks != 0 && !is_query},
        {"--context", "clusters add", ctl->context != NULL && run != pin_ctl_clusters_add},
        {"--name", "clusters add", ctl->name != NULL && run != pin_ctl_clusters_add},
        {"--kubeconfig", "clusters add", ctl->kubeconfig != NULL && run != pin_ctl_clusters_add},
        {"--write-back", "clusters add", ctl->write_back != NULL && run != pin_ctl_clusters_add},
        {"--server", "query", ctl->server != NULL && !is_query},
        {DETAILED, "records plan, records drift and records apply",
            ctl->detailed && run != pin_ctl_records_plan && run != pin_ctl_records_drift
                && run != pin_ctl_records_apply},
        {"--dry-run", "records apply", ctl->dry_run && run != pin_ctl_records_apply},
        {"--live", "analyze", ctl->live && run != pin_ctl_analyze},
        {"-L", "analyze", ctl->is_list && run != pin_ctl_analyze},
        {"--query", "explain", ctl->query != NULL && run != pin_ctl_explain},
        {"-f", "analyze", ctl->files != NULL && run != pin_ctl_analyze},
        {"--config", "analyze", ctl->config_file != NULL && run != pin_ctl_analyze},
        {"--failure-threshold", "analyze", ctl->threshold != NULL && run != pin_ctl_analyze},
        {"--yes", "records adopt", ctl->yes && run != pin_ctl_records_adopt},
        {"--effective", "config show", ctl->effective && run != pin_ctl_config_show},
        {"--from-owner", "records adopt", ctl->from_owner != NULL && run != pin_ctl_records_adopt},
    };
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        if (rows[i].is_wrong) {
            return pin_why_set(why, PIN_EINVAL, "%s goes with %s", rows[i].flag, rows[i].commands);
        }
    }
    if (run == pin_ctl_records_adopt && (ctl->from_owner == NULL || ctl->from_owner[0] == '\0')) {
        return pin_why_set(why, PIN_EINVAL, "say whose records: --from-owner ID");
    }
    return PIN_OK;
}

static enum pin_err choose_command(struct pin_ctl *ctl, struct pin_why *why)
{
    if (ctl->n_words == 0) {
        return pin_why_set(why, PIN_EINVAL, "say a command");
    }
    ctl->command = take_command(ctl);
    if (ctl->command == NULL) {
        return pin_why_set(why, PIN_EINVAL, "unknown command \"%s%s%s\"", ctl->words[0],
            ctl->n_words > 1 ? " " : "", ctl->n_words > 1 ? ctl->words[1] : "");
    }
    if (ctl->n_words < ctl->command->n_words_min || ctl->n_words > ctl->command->n_words_max) {
        return pin_why_set(
            why, PIN_EINVAL, "use: pintlectl %s %s", ctl->command->name, ctl->command->arguments);
    }
    return check_flags(ctl, why);
}

enum pin_err pin_ctl_parse(
    int argc, char *const *argv, bool is_terminal, struct pin_ctl *ret_ctl, struct pin_why *why)
{
    struct pin_ctl ctl = {.admin = ADMIN_DEFAULT, .wait_ms = WAIT_DEFAULT_MS};
    bool wants_help = false;
    (void)set_color(&ctl, "auto", is_terminal, NULL);

    for (int i = 1; i < argc; i++) {
        size_t len = 0;
        if (argv[i][0] != '-') {
            if (ctl.n_words == PIN_CTL_WORDS_MAX) {
                return pin_why_set(why, PIN_EINVAL, "too many arguments");
            }
            ctl.words[ctl.n_words++] = argv[i];
            continue;
        }
        enum valued which = find_valued(argv[i], &len);
        if (which == PIN_FLAG_MAX) {
            if (!read_switch(&ctl, argv[i], &wants_help)) {
                return pin_why_set(why, PIN_EINVAL, "unknown option %s", argv[i]);
            }
            continue;
        }
        const char *value = value_of(argc, argv, &i, len, why);
        if (value == NULL || !set_valued(&ctl, which, value, is_terminal, why)) {
            return PIN_EINVAL;
        }
    }
    if (wants_help) {
        ctl = (struct pin_ctl){.words = {"help"}, .n_words = 1};
    }
    enum pin_err err = choose_command(&ctl, why);
    if (err == PIN_OK) {
        ctl.wait = ctl.wait || (ctl.has_timeout && ctl.command->run == pin_ctl_status);
        *ret_ctl = ctl;
    }
    return err;
}

enum pin_ctl_exit pin_ctl_usage_exit(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], DETAILED) == 0) {
            return PIN_CTL_FAILED;
        }
    }
    return PIN_CTL_USAGE;
}
