/* SPDX-License-Identifier: Apache-2.0 */

/* The command line: one table of flags gives the parser and the text of --help. */

#include <string.h>

#include "resolver/config.h"
#include "resolver/man.h"

/* How a flag is written. */
enum arg_kind {
    PIN_ARG_SWITCH, /* --check */
    PIN_ARG_VALUE,  /* --admin ADDR:PORT */
    PIN_ARG_LIST,   /* --listen, more than once */
};

static const struct arg {
    const char *name;
    char letter;
    enum arg_kind kind;
    size_t offset;
    const char *value; /* as shown in the help */
    const char *help;
} arg_table[] = {
    {"dev", 0, PIN_ARG_SWITCH, offsetof(struct pin_args, dev), "",
        "run the embedded clusters: no files, no root, no network"},
    {"export", 0, PIN_ARG_VALUE, offsetof(struct pin_args, export_dir), "DIR",
        "with --dev: write the embedded clusters to DIR and exit"},
    {"clusters-dir", 0, PIN_ARG_VALUE, offsetof(struct pin_args, clusters_dir), "DIR",
        "every sub-directory of DIR is a cluster; DIR/pintle.yaml, if there, is read as --config"},
    {"contexts", 0, PIN_ARG_VALUE, offsetof(struct pin_args, contexts), "C1,C2",
        "kubeconfig contexts; NAME=CONTEXT gives the cluster another name"},
    {"all-contexts", 0, PIN_ARG_SWITCH, offsetof(struct pin_args, all_contexts), "",
        "every context of the kubeconfig"},
    {"kubeconfig", 0, PIN_ARG_VALUE, offsetof(struct pin_args, kubeconfig), "FILE",
        "kubeconfig of the contexts (default: $KUBECONFIG, then ~/.kube/config)"},
    {"print-grant", 0, PIN_ARG_VALUE, offsetof(struct pin_args, print_grant), "PART",
        "with --contexts NAME=CONTEXT: print what pintled needs there (objects, kubeconfig or "
        "config) and exit"},
    {"write-back", 0, PIN_ARG_VALUE, offsetof(struct pin_args, write_back), "LIST",
        "with --print-grant: what it needs to write back, too (annotations,status,mcs; all)"},
    {"config", 'c', PIN_ARG_VALUE, offsetof(struct pin_args, config), "FILE",
        "configuration file; flags override it"},
    {"listen", 'l', PIN_ARG_LIST, offsetof(struct pin_args, listen), "ADDR[:PORT]",
        "answer DNS there over UDP and TCP; repeatable (default 127.0.0.1:5300)"},
    {"admin", 0, PIN_ARG_VALUE, offsetof(struct pin_args, admin), "ADDR:PORT",
        "metrics, health and API (default 127.0.0.1:9153)"},
    {"state-dir", 0, PIN_ARG_VALUE, offsetof(struct pin_args, state_dir), "DIR",
        "what survives a restart is kept there (default: nothing is)"},
    {"user", 0, PIN_ARG_VALUE, offsetof(struct pin_args, user), "NAME",
        "when started as root: go on as this user"},
    {"forward", 0, PIN_ARG_LIST, offsetof(struct pin_args, forward), "ADDR[:PORT]",
        "resolver for all names that are not ours; repeatable (default: those are refused)"},
    {"workers", 0, PIN_ARG_VALUE, offsetof(struct pin_args, workers), "N",
        "threads that answer (default: one per processor; 1 with --dev)"},
    {"log-level", 0, PIN_ARG_VALUE, offsetof(struct pin_args, log_level), "LEVEL",
        "debug, info, warn or error (default info)"},
    {"log-format", 0, PIN_ARG_VALUE, offsetof(struct pin_args, log_format), "FORMAT",
        "text or json (default text)"},
    {"check", 0, PIN_ARG_SWITCH, offsetof(struct pin_args, check), "",
        "read the configuration, print everything that is wrong with it, and exit"},
    {"analyze", 0, PIN_ARG_SWITCH, offsetof(struct pin_args, analyze), "",
        "print what is wrong with clusters whose objects are files, as JSON, and exit"},
    {"manifest", 0, PIN_ARG_LIST, offsetof(struct pin_args, manifests), "PATH",
        "with --analyze: a file, or a directory of manifests, of one more cluster; repeatable"},
    {"print-codes", 0, PIN_ARG_SWITCH, offsetof(struct pin_args, print_codes), "",
        "print the codes of all findings as JSON and exit"},
    {"version", 'V', PIN_ARG_SWITCH, offsetof(struct pin_args, version), "", "print the version"},
    {"help", 'h', PIN_ARG_SWITCH, offsetof(struct pin_args, help), "", "print this"},
};

/* The row of "--name", "--name=value" or "-n"; *ret_value is what follows '=', or NULL. */
static const struct arg *find_arg(const char *word, const char **ret_value)
{
    *ret_value = NULL;
    if (word[0] == '-' && word[1] != '-' && word[1] != '\0' && word[2] == '\0') {
        for (size_t i = 0; i < N_ELEMS(arg_table); i++) {
            if (arg_table[i].letter == word[1]) {
                return &arg_table[i];
            }
        }
        return NULL;
    }
    if (strncmp(word, "--", 2) != 0) {
        return NULL;
    }
    size_t len = strcspn(word + 2, "=");
    for (size_t i = 0; i < N_ELEMS(arg_table); i++) {
        if (strlen(arg_table[i].name) == len && strncmp(arg_table[i].name, word + 2, len) == 0) {
            *ret_value = word[2 + len] == '=' ? word + 3 + len : NULL;
            return &arg_table[i];
        }
    }
    return NULL;
}

/* Whether a word is one of our flags, so that it is not the value of the flag before it. */
static bool is_flag(const char *word)
{
    const char *value = NULL;
    return find_arg(word, &value) != NULL;
}

static enum pin_err unknown_arg(const char *word, struct pin_why *why)
{
    const char *names[N_ELEMS(arg_table)];
    char name[64] = "";
    if (strncmp(word, "-", 1) != 0) {
        return pin_why_set(why, PIN_EINVAL, "unexpected argument \"%s\"", word);
    }
    for (size_t i = 0; i < N_ELEMS(arg_table); i++) {
        names[i] = arg_table[i].name;
    }
    const char *bare = word + strspn(word, "-");
    size_t len = strcspn(bare, "=");
    if (len < sizeof(name)) {
        memcpy(name, bare, len);
    }
    const char *near = pin_nearest(name, names, N_ELEMS(names));
    if (near != NULL) {
        return pin_why_set(why, PIN_EINVAL, "unknown option %s, did you mean --%s?", word, near);
    }
    return pin_why_set(why, PIN_EINVAL, "unknown option %s", word);
}

static enum pin_err store(
    struct pin_args *args, const struct arg *arg, const char *value, struct pin_why *why)
{
    uint8_t *target = (uint8_t *)args + arg->offset;
    if (arg->kind == PIN_ARG_SWITCH) {
        *(bool *)(void *)target = true;
        return PIN_OK;
    }
    if (value[0] == '\0') {
        return pin_why_set(why, PIN_EINVAL, "--%s wants %s", arg->name, arg->value);
    }
    if (arg->kind == PIN_ARG_VALUE) {
        if (*(const char **)(void *)target != NULL) {
            return pin_why_set(why, PIN_EINVAL, "--%s is given twice", arg->name);
        }
        *(const char **)(void *)target = value;
        return PIN_OK;
    }
    struct pin_arg_list *list = (void *)target;
    if (list->n == PIN_ARGS_LIST_MAX) {
        return pin_why_set(
            why, PIN_EINVAL, "--%s is given more than %d times", arg->name, PIN_ARGS_LIST_MAX);
    }
    list->values[list->n++] = value;
    return PIN_OK;
}

/* Flags that exclude each other or need each other. */
static enum pin_err check_together(const struct pin_args *args, struct pin_why *why)
{
    bool names_clusters =
        args->clusters_dir != NULL || args->contexts != NULL || args->all_contexts;
    if (args->export_dir != NULL && !args->dev) {
        return pin_why_set(why, PIN_EINVAL, "--export goes with --dev");
    }
    if (args->dev && (names_clusters || args->config != NULL)) {
        return pin_why_set(why, PIN_EINVAL,
            "--dev brings its own clusters and configuration: leave out --config, --clusters-dir "
            "and --contexts");
    }
    if (args->print_grant != NULL && args->contexts == NULL) {
        return pin_why_set(why, PIN_EINVAL, "--print-grant goes with --contexts NAME=CONTEXT");
    }
    if (args->write_back != NULL && args->print_grant == NULL) {
        return pin_why_set(why, PIN_EINVAL,
            "--write-back goes with --print-grant; the configuration's writeBack turns it on");
    }
    if (args->manifests.n > 0 && !args->analyze) {
        return pin_why_set(why, PIN_EINVAL, "--manifest goes with --analyze");
    }
    if (args->contexts != NULL && args->all_contexts) {
        return pin_why_set(why, PIN_EINVAL, "--contexts and --all-contexts exclude each other");
    }
    return PIN_OK;
}

enum pin_err pin_args_parse(
    int argc, char *const *argv, struct pin_args *ret_args, struct pin_why *why)
{
    struct pin_args args = {.program = argc > 0 ? argv[0] : "pintled", .argv = argv};

    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        const struct arg *arg = find_arg(argv[i], &value);
        if (arg == NULL) {
            return unknown_arg(argv[i], why);
        }
        if (arg->kind == PIN_ARG_SWITCH && value != NULL) {
            return pin_why_set(why, PIN_EINVAL, "--%s takes no value", arg->name);
        }
        if (arg->kind != PIN_ARG_SWITCH && value == NULL) {
            if (i + 1 >= argc || is_flag(argv[i + 1])) {
                return pin_why_set(why, PIN_EINVAL, "--%s wants %s", arg->name, arg->value);
            }
            value = argv[++i];
        }
        enum pin_err err = store(&args, arg, value, why);
        if (err != PIN_OK) {
            return err;
        }
    }
    if (!args.help && !args.version) {
        enum pin_err err = check_together(&args, why);
        if (err != PIN_OK) {
            return err;
        }
    }
    *ret_args = args;
    return PIN_OK;
}

void pin_args_ways(struct pin_text *text)
{
    pin_text_puts(text,
        "  pintled --dev                     three embedded clusters, to look around\n"
        "  pintled --clusters-dir DIR        every sub-directory of DIR is a cluster\n"
        "  pintled --contexts c1,c2          contexts of a kubeconfig\n"
        "  pintled --config FILE             everything, see docs/configuration.md\n");
}

void pin_args_help(struct pin_text *text)
{
    pin_text_puts(text,
        "pintled answers DNS for services that live on many Kubernetes clusters.\n\n"
        "Name the clusters in one of these ways:\n");
    pin_args_ways(text);
    pin_text_puts(text, "\nOptions:\n");
    for (size_t i = 0; i < N_ELEMS(arg_table); i++) {
        const struct arg *arg = &arg_table[i];
        char letter[] = {'-', arg->letter, ',', ' ', '\0'};
        size_t before = text->len;
        pin_text_putf(
            text, "  %s--%s %s", arg->letter != 0 ? letter : "    ", arg->name, arg->value);
        int used = (int)(text->len - before);
        pin_text_putf(text, "%*s%s\n", used < 32 ? 32 - used : 1, "", arg->help);
    }
    pin_text_puts(text,
        "\nExit codes: 0 ok, 1 failed, 2 usage, 3 daemon not running, 4 timed out, 5 not "
        "permitted\n");
}

void pin_args_put_man(struct pin_text *text)
{
    for (size_t i = 0; i < N_ELEMS(arg_table); i++) {
        const struct arg *arg = &arg_table[i];
        pin_text_puts(text, ".TP\n");
        if (arg->letter != 0) {
            pin_text_putf(text, "\\fB\\-%c\\fR, ", arg->letter);
        }
        pin_text_puts(text, "\\fB\\-\\-");
        pin_man_put(text, arg->name);
        pin_text_putf(text, "\\fR%s\\fI", arg->value[0] == '\0' ? "" : " ");
        pin_man_put(text, arg->value);
        pin_text_puts(text, "\\fR\n");
        pin_man_put(text, arg->help);
        pin_text_puts(text, ".\n");
    }
}
