/* SPDX-License-Identifier: Apache-2.0 */

/* The options of pintlectl, and how each is read. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/ip.h"
#include "pintle/base/macros.h"

#include "cli/ctl.h"

#define ADMIN_PORT     9153
#define HOST_MAX_BYTES 253
#define ASKS_MAX       10000000

#define FIELD(name) .offset = offsetof(struct pin_ctl, name)

/* Options of one name stand together. */
const struct pin_ctl_flag pin_ctl_flags[PIN_FLAG_MAX] = {
    [PIN_FLAG_ADMIN] = {.name = "--admin",
        .value = "[https://]ADDR:PORT",
        .help = "where the daemon's admin side is (default 127.0.0.1:9153)",
        .kind = PIN_FLAG_IS_ADMIN},
    [PIN_FLAG_CA] = {.name = "--ca",
        .value = "FILE",
        .help = "who vouches for the daemon's certificate (https; default: as the system says)",
        .completes = "@files",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(ca)},
    [PIN_FLAG_CERT] = {.name = "--cert",
        .value = "FILE",
        .help = "the certificate to show the daemon (https)",
        .completes = "@files",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(cert)},
    [PIN_FLAG_KEY] = {.name = "--key",
        .value = "FILE",
        .help = "its key; without this it stands in the same file",
        .completes = "@files",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(key)},
    [PIN_FLAG_OUTPUT] = {.name = "--output",
        .short_name = "-o",
        .value = "FORMAT",
        .help = "table, json or yaml",
        .completes = "table|json|yaml",
        .kind = PIN_FLAG_IS_OUTPUT},
    [PIN_FLAG_NO_HEADERS] = {.name = "--no-headers",
        .help = "no line of headings",
        FIELD(no_headers)},
    [PIN_FLAG_COLOR] = {.name = "--color",
        .value = "WHEN",
        .help = "auto, always or never; NO_COLOR is obeyed",
        .completes = "auto|always|never",
        .kind = PIN_FLAG_IS_COLOR},
    [PIN_FLAG_HELP] = {.name = "--help",
        .short_name = "-h",
        .help = "tell about the command",
        FIELD(wants_help)},
    [PIN_FLAG_WAIT] = {.name = "--wait",
        .help = "until everything is well, or the time is over (exit 4)",
        FIELD(wait)},
    [PIN_FLAG_TIMEOUT] = {.name = "--timeout",
        .value = "5m",
        .help = "how long to wait (default 5m)",
        .kind = PIN_FLAG_IS_TIMEOUT},
    [PIN_FLAG_WAIT_DURATION] = {.name = "--wait-duration",
        .value = "5m",
        .kind = PIN_FLAG_IS_TIMEOUT},
    [PIN_FLAG_FROM_ASKER] = {.name = "--from",
        .value = "IP|CLUSTER[/NAMESPACE]",
        .help = "as who asks",
        .completes = "@clusters",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(from)},
    [PIN_FLAG_FROM_CLIENT] = {.name = "--from",
        .value = "IP|CLUSTER",
        .help = "as who asks",
        .completes = "@clusters",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(from)},
    [PIN_FLAG_FROM_SUBNET] = {.name = "--from",
        .value = "SUBNET",
        .help = "send this client subnet along",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(from)},
    [PIN_FLAG_NAMESPACE] = {.name = "--namespace",
        .value = "NS",
        .help = "the asker's namespace",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(namespace_name)},
    [PIN_FLAG_AFFINITY] = {.name = "--affinity",
        .help = "which clusters are preferred, and why",
        FIELD(affinity)},
    [PIN_FLAG_N] = {.name = "-n",
        .value = "1000",
        .help = "how many questions",
        .kind = PIN_FLAG_IS_ASKS},
    [PIN_FLAG_SERVER] = {.name = "--server",
        .value = "ADDR[:PORT]",
        .help = "who is asked (default: the daemon)",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(server)},
    [PIN_FLAG_DRAIN_FOR] = {.name = "--for",
        .value = "30m",
        .help = "let it in again after this time",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(duration)},
    [PIN_FLAG_LEVEL_FOR] = {.name = "--for",
        .value = "10m",
        .help = "be as before after this time",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(duration)},
    [PIN_FLAG_FILE] = {.name = "--output",
        .short_name = "-o",
        .value = "FILE",
        .help = "where to write it, - for standard output (default pintle-sysdump-TIME.tgz)",
        .completes = "@files",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(file)},
    [PIN_FLAG_ONCE] = {.name = "--once", .help = "one picture, also on a terminal", FIELD(once)},
    [PIN_FLAG_TREE] = {.name = "--tree", .help = "NAME and all below it", FIELD(is_tree)},
    [PIN_FLAG_CONTEXT] = {.name = "--context",
        .value = "X",
        .help = "the kubeconfig's context",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(context)},
    [PIN_FLAG_NAME] = {.name = "--name",
        .value = "c3",
        .help = "how pintled is to call the cluster (default: the context)",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(name)},
    [PIN_FLAG_KUBECONFIG] = {.name = "--kubeconfig",
        .value = "FILE",
        .help = "instead of $KUBECONFIG and ~/.kube/config",
        .completes = "@files",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(kubeconfig)},
    [PIN_FLAG_WRITE_BACK] = {.name = "--write-back",
        .value = "LIST",
        .help = "what pintled may write there: annotations,status,mcs",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(write_back)},
    [PIN_FLAG_DETAILED] = {.name = "--detailed-exitcode",
        .help = "exit 2 for changes, 0 for none, 1 for errors",
        FIELD(detailed)},
    [PIN_FLAG_DRY_RUN] = {.name = "--dry-run", .help = "show what would be done", FIELD(dry_run)},
    [PIN_FLAG_FROM_OWNER] = {.name = "--from-owner",
        .value = "ID",
        .help = "whose records these are",
        .kind = PIN_FLAG_IS_TEXT,
        .is_required = true,
        FIELD(from_owner)},
    [PIN_FLAG_YES] = {.name = "--yes", .help = "without a question", FIELD(yes)},
    [PIN_FLAG_QUERY] = {.name = "--query",
        .value = "LINE",
        .help = "a line of the query log or of tail -o json, instead of NAME; or, beside it, the "
                "reason that dnstap has; - reads it",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(query)},
    [PIN_FLAG_FILES] = {.name = "-f",
        .value = "PATH[,PATH]",
        .help = "manifests: files, or directories with one of each cluster",
        .completes = "@files",
        .kind = PIN_FLAG_IS_ONCE,
        FIELD(files)},
    [PIN_FLAG_CONFIG] = {.name = "--config",
        .value = "FILE",
        .help = "the configuration that the manifests are meant for",
        .completes = "@files",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(config_file)},
    [PIN_FLAG_THRESHOLD] = {.name = "--failure-threshold",
        .value = "error|warning|info",
        .help = "exit 1 from this severity on (default info)",
        .completes = "error|warning|info",
        .kind = PIN_FLAG_IS_TEXT,
        FIELD(threshold)},
    [PIN_FLAG_LIVE] = {.name = "--live", .help = "what the daemon sees now", FIELD(live)},
    [PIN_FLAG_LIST] = {.name = "-L", .help = "all codes", FIELD(is_list)},
    [PIN_FLAG_EFFECTIVE] = {.name = "--effective", .help = "defaults, too", FIELD(effective)},
};

/* --- Values --------------------------------------------------------------------------------- */

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

/* "HOST[:PORT]" without its scheme, and without a slash at its end. */
static bool set_admin_host(
    struct pin_ctl *ctl, const char *scheme, const char *value, struct pin_why *why)
{
    struct pin_addrport address = {0};
    if (pin_addrport_parse(value, ADMIN_PORT, &address) && address.port != 0) {
        char text[PIN_ADDRPORT_TEXT_MAX];
        (void)snprintf(
            ctl->admin, sizeof(ctl->admin), "%s%s", scheme, pin_addrport_format(&address, text));
        return true;
    }
    uint16_t port = 0;
    size_t bytes = host_bytes(value, &port);
    if (bytes > 0 && port != 0) {
        (void)snprintf(
            ctl->admin, sizeof(ctl->admin), "%s%.*s:%u", scheme, (int)bytes, value, port);
        return true;
    }
    (void)pin_why_set(why, PIN_EINVAL, "--admin: \"%s\" is no ADDR[:PORT]", value);
    return false;
}

/* As people copy it from the log or a browser, too: http://127.0.0.1:9153/ */
static bool set_admin(struct pin_ctl *ctl, const char *value, struct pin_why *why)
{
    static const char https[] = "https://";
    static const char http[] = "http://";
    char host[PIN_CTL_ADMIN_MAX];
    bool is_https = strncmp(value, https, sizeof(https) - 1) == 0;
    bool is_http = strncmp(value, http, sizeof(http) - 1) == 0;
    const char *at = value + (is_https ? sizeof(https) - 1 : is_http ? sizeof(http) - 1 : 0);
    size_t bytes = strlen(at);
    ctl->has_admin = true;
    if (at != value && bytes > 0 && at[bytes - 1] == '/') {
        bytes--;
    }
    if (bytes >= sizeof(host)) {
        (void)pin_why_set(why, PIN_EINVAL, "--admin: that is no ADDR[:PORT]");
        return false;
    }
    memcpy(host, at, bytes);
    host[bytes] = '\0';
    return set_admin_host(ctl, is_https ? https : "", host, why);
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

static bool set_color(struct pin_ctl *ctl, const char *value, struct pin_why *why)
{
    const char *no_color = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    const char *term = getenv("TERM");         /* NOLINT(concurrency-mt-unsafe): one thread */
    if (strcmp(value, "always") == 0) {
        ctl->has_color = true;
    } else if (strcmp(value, "never") == 0) {
        ctl->has_color = false;
    } else if (strcmp(value, "auto") == 0) {
        ctl->has_color = ctl->is_terminal && (no_color == NULL || no_color[0] == '\0')
                         && term != NULL && strcmp(term, "dumb") != 0;
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

bool pin_ctl_flag_set(
    struct pin_ctl *ctl, const struct pin_ctl_flag *flag, const char *value, struct pin_why *why)
{
    uint8_t *field = (uint8_t *)ctl + flag->offset;
    const char *before = NULL;
    bool yes = true;
    switch (flag->kind) {
    case PIN_FLAG_IS_SWITCH:
        memcpy(field, &yes, sizeof(yes));
        return true;
    case PIN_FLAG_IS_ONCE:
        memcpy(&before, field, sizeof(before));
        if (before != NULL) {
            (void)pin_why_set(
                why, PIN_EINVAL, "%s is given twice: write %s A,B", flag->name, flag->name);
            return false;
        }
        memcpy(field, &value, sizeof(value));
        return true;
    case PIN_FLAG_IS_TEXT:
        memcpy(field, &value, sizeof(value));
        return true;
    case PIN_FLAG_IS_ADMIN:
        return set_admin(ctl, value, why);
    case PIN_FLAG_IS_OUTPUT:
        return set_output(ctl, value, why);
    case PIN_FLAG_IS_COLOR:
        return set_color(ctl, value, why);
    case PIN_FLAG_IS_TIMEOUT:
        return set_timeout(ctl, flag->name, value, why);
    case PIN_FLAG_IS_ASKS:
        return set_n_asks(ctl, value, why);
    }
    return false;
}

/* --- Names ---------------------------------------------------------------------------------- */

/* Whether `word` begins with a whole name; `*ret_value` is then what follows in it, or NULL. */
static bool begins_with(const char *word, const char *name, const char **ret_value)
{
    size_t len = name == NULL ? 0 : strlen(name);
    bool is_short = len == 2;
    if (len == 0 || strncmp(word, name, len) != 0
        || (!is_short && word[len] != '\0' && word[len] != '=')) {
        return false;
    }
    *ret_value = word[len] == '\0' ? NULL : word + len + (word[len] == '=' ? 1 : 0);
    return true;
}

const struct pin_ctl_flag *pin_ctl_flag_find(
    const struct pin_ctl_command *command, const char *word, const char **ret_value)
{
    for (int i = PIN_FLAG_MAX - 1; i >= 0; i--) { /* a command's own go first */
        const struct pin_ctl_flag *flag = &pin_ctl_flags[i];
        bool is_own = command == NULL || pin_ctl_command_has(command, (enum pin_ctl_flag_id)i);
        const char *value = NULL;
        if (is_own
            && (begins_with(word, flag->name, &value)
                || begins_with(word, flag->short_name, &value))
            && (value == NULL || flag->value != NULL)) {
            *ret_value = value;
            return flag;
        }
    }
    return NULL;
}
