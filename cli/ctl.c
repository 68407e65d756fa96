/* SPDX-License-Identifier: Apache-2.0 */

/* The command line of pintlectl: words and options, read by the two tables. */

#include "cli/ctl.h"

#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/base/nearest.h"

#define ADMIN_DEFAULT   "127.0.0.1:9153"
#define DETAILED        "--detailed-exitcode"
#define COMPLETE        "__complete"
#define WAIT_DEFAULT_MS ((uint64_t)5 * 60 * 1000)

/* An option as it was given: which one it is depends on the command. */
struct given {
    const char *word;
    const char *value;
};

/* The command line, its options not yet understood. */
struct line {
    struct given given[PIN_CTL_FLAGS_MAX];
    size_t n_given;
    const char *unknown; /* The first word that is no command's option, or NULL. */
};

/* --- Complaints ----------------------------------------------------------------------------- */

/* "unknown option --wiat, did you mean --wait?"; by the options of `command`, NULL: of all. */
static enum pin_err unknown_option(
    const struct pin_ctl_command *command, const char *word, struct pin_why *why)
{
    const char *names[PIN_FLAG_MAX];
    char name[64] = "";
    size_t n = 0;
    for (int i = 0; i < PIN_FLAG_MAX; i++) {
        if (pin_ctl_flags[i].help != NULL
            && (command == NULL || pin_ctl_command_has(command, (enum pin_ctl_flag_id)i))) {
            names[n++] = pin_ctl_flags[i].name;
        }
    }
    size_t len = strcspn(word, "=");
    memcpy(name, word, len < sizeof(name) ? len : 0);
    const char *near = strlen(name) > 2 ? pin_nearest(name, names, n) : NULL;
    return pin_why_set(why, PIN_EINVAL, "unknown option %s%s%s%s", name[0] == '\0' ? word : name,
        near == NULL ? "" : ", did you mean ", near == NULL ? "" : near, near == NULL ? "" : "?");
}

/* Appends the commands that have an option of that name: "a, b and c". */
static void put_owners(struct pin_text *text, const char *name)
{
    const struct pin_ctl_command *owners[64];
    size_t n = 0;
    for (size_t i = 0; i < pin_ctl_n_commands && n < N_ELEMS(owners); i++) {
        for (int id = 0; id < PIN_FLAG_MAX; id++) {
            if (strcmp(pin_ctl_flags[id].name, name) == 0
                && pin_ctl_command_has(&pin_ctl_commands[i], (enum pin_ctl_flag_id)id)) {
                owners[n++] = &pin_ctl_commands[i];
                break;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        const char *before = i == 0 ? "" : i + 1 == n ? " and " : ", ";
        pin_text_putf(text, "%s%s", before, owners[i]->name);
    }
}

static enum pin_err foreign_option(const struct pin_ctl_flag *flag, struct pin_why *why)
{
    struct pin_text owners = {0};
    put_owners(&owners, flag->name);
    enum pin_err err =
        pin_why_set(why, PIN_EINVAL, "%s goes with %s", flag->name, pin_text_get(&owners));
    pin_text_done(&owners);
    return err;
}

static enum pin_err wrong_use(const struct pin_ctl_command *command, struct pin_why *why)
{
    struct pin_text use = {0};
    pin_ctl_put_use(&use, command);
    enum pin_err err = pin_why_set(why, PIN_EINVAL, "use: pintlectl %s", pin_text_get(&use));
    pin_text_done(&use);
    return err;
}

/* Appends what may follow the first word of commands with two: "list, show". */
static void put_seconds(struct pin_text *text, const char *first)
{
    size_t len = strlen(first);
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        const char *name = pin_ctl_commands[i].name;
        if (strncmp(name, first, len) == 0 && name[len] == ' ') {
            pin_text_putf(text, "%s%s", text->len == 0 ? "" : ", ", name + len + 1);
        }
    }
}

/* "unknown command "stauts", did you mean status?" */
static enum pin_err unknown_command(const struct pin_ctl *ctl, struct pin_why *why)
{
    const char *names[64];
    struct pin_text typed = {0};
    struct pin_text seconds = {0};
    size_t n = 0;
    enum pin_err err = PIN_EINVAL;
    pin_text_putf(&typed, "%s%s%s", ctl->words[0], ctl->n_words > 1 ? " " : "",
        ctl->n_words > 1 ? ctl->words[1] : "");
    put_seconds(&seconds, ctl->words[0]);
    for (size_t i = 0; i < pin_ctl_n_commands && n < N_ELEMS(names); i++) {
        if (pin_ctl_commands[i].help != NULL) {
            names[n++] = pin_ctl_commands[i].name;
        }
    }
    const char *near = pin_nearest(pin_text_get(&typed), names, n);
    if (near == NULL) {
        near = pin_nearest(ctl->words[0], names, n);
    }
    if (seconds.len > 0 && (near == NULL || ctl->n_words == 1)) {
        err = pin_why_set(why, PIN_EINVAL, "unknown command \"%s\"; after %s goes one of %s",
            pin_text_get(&typed), ctl->words[0], pin_text_get(&seconds));
    } else if (near != NULL) {
        err = pin_why_set(why, PIN_EINVAL, "unknown command \"%s\", did you mean %s?",
            pin_text_get(&typed), near);
    } else {
        err = pin_why_set(why, PIN_EINVAL, "unknown command \"%s\"", pin_text_get(&typed));
    }
    pin_text_done(&typed);
    pin_text_done(&seconds);
    return err;
}

/* --- Reading -------------------------------------------------------------------------------- */

/* Takes argv apart into words and options. */
static enum pin_err split(
    int argc, char *const *argv, struct pin_ctl *ctl, struct line *line, struct pin_why *why)
{
    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        bool is_version = ctl->n_words == 0 && strcmp(argv[i], "--version") == 0;
        if (argv[i][0] != '-' || is_version) {
            if (ctl->n_words == PIN_CTL_WORDS_MAX) {
                return pin_why_set(why, PIN_EINVAL, "too many arguments");
            }
            ctl->words[ctl->n_words++] = is_version ? "version" : argv[i];
            continue;
        }
        const struct pin_ctl_flag *flag = pin_ctl_flag_find(NULL, argv[i], &value);
        if (flag == NULL) {
            line->unknown = line->unknown != NULL ? line->unknown : argv[i];
            continue;
        }
        if (line->n_given == PIN_CTL_FLAGS_MAX) {
            return pin_why_set(why, PIN_EINVAL, "too many options");
        }
        struct given given = {argv[i], value};
        if (flag->value != NULL && value == NULL) {
            if (i + 1 >= argc) {
                return pin_why_set(why, PIN_EINVAL, "%s wants a value", argv[i]);
            }
            given.value = argv[++i];
        }
        line->given[line->n_given++] = given;
    }
    return PIN_OK;
}

/* Reads the options as those of the command; NULL: only the ones that every command has. */
static enum pin_err read_options(struct pin_ctl *ctl, const struct line *line, struct pin_why *why)
{
    for (size_t i = 0; i < line->n_given; i++) {
        const struct given *given = &line->given[i];
        const char *unused = NULL;
        const struct pin_ctl_flag *flag = pin_ctl_flag_find(ctl->command, given->word, &unused);
        if (flag == NULL) {
            return foreign_option(pin_ctl_flag_find(NULL, given->word, &unused), why);
        }
        if (!pin_ctl_flag_set(ctl, flag, given->value, why)) {
            return PIN_EINVAL;
        }
    }
    return line->unknown == NULL ? PIN_OK : unknown_option(ctl->command, line->unknown, why);
}

static enum pin_err check_required(const struct pin_ctl *ctl, struct pin_why *why)
{
    for (int id = PIN_FLAG_HELP + 1; id < PIN_FLAG_MAX; id++) {
        const struct pin_ctl_flag *flag = &pin_ctl_flags[id];
        const char *value = NULL;
        if (!flag->is_required || !pin_ctl_command_has(ctl->command, (enum pin_ctl_flag_id)id)) {
            continue;
        }
        memcpy(&value, (const uint8_t *)ctl + flag->offset, sizeof(value));
        if (value == NULL || value[0] == '\0') {
            return pin_why_set(
                why, PIN_EINVAL, "%s wants %s %s", ctl->command->name, flag->name, flag->value);
        }
    }
    return PIN_OK;
}

/* The words are those of a command that wants to be told about. */
static enum pin_err become_help(struct pin_ctl *ctl, struct pin_why *why)
{
    size_t n_taken = 0;
    if (ctl->n_words > 0 && pin_ctl_command_find(ctl->words, ctl->n_words, &n_taken) == NULL) {
        struct pin_text seconds = {0};
        put_seconds(&seconds, ctl->words[0]);
        n_taken = seconds.len > 0 ? 1 : 0;
        pin_text_done(&seconds);
        if (n_taken == 0 || ctl->n_words > 1) {
            return unknown_command(ctl, why);
        }
    }
    const char *help = "help";
    size_t unused = 0;
    ctl->command = pin_ctl_command_find(&help, 1, &unused);
    ctl->n_words = n_taken;
    return PIN_OK;
}

/* Takes the words of the command's name off the front. */
static enum pin_err choose_command(struct pin_ctl *ctl, struct pin_why *why)
{
    size_t n_taken = 0;
    if (ctl->n_words == 0) {
        return pin_why_set(why, PIN_EINVAL, "say a command");
    }
    ctl->command = pin_ctl_command_find(ctl->words, ctl->n_words, &n_taken);
    if (ctl->command == NULL) {
        return unknown_command(ctl, why);
    }
    ctl->n_words -= n_taken;
    memmove(ctl->words, ctl->words + n_taken, ctl->n_words * sizeof(ctl->words[0]));
    return PIN_OK;
}

static bool wants_help(const struct line *line)
{
    for (size_t i = 0; i < line->n_given; i++) {
        const char *unused = NULL;
        if (pin_ctl_flag_find(NULL, line->given[i].word, &unused)
            == &pin_ctl_flags[PIN_FLAG_HELP]) {
            return true;
        }
    }
    return false;
}

static enum pin_err read_line(struct pin_ctl *ctl, const struct line *line, struct pin_why *why)
{
    if (wants_help(line)) {
        return become_help(ctl, why);
    }
    if (ctl->n_words == 0 && line->unknown != NULL) {
        return unknown_option(NULL, line->unknown, why);
    }
    enum pin_err err = choose_command(ctl, why);
    if (err == PIN_OK) {
        err = read_options(ctl, line, why);
    }
    if (err == PIN_OK
        && (ctl->n_words < ctl->command->n_words_min || ctl->n_words > ctl->command->n_words_max)) {
        err = wrong_use(ctl->command, why);
    }
    return err == PIN_OK ? check_required(ctl, why) : err;
}

enum pin_err pin_ctl_parse(
    int argc, char *const *argv, bool is_terminal, struct pin_ctl *ret_ctl, struct pin_why *why)
{
    struct pin_ctl ctl = {
        .admin = ADMIN_DEFAULT, .wait_ms = WAIT_DEFAULT_MS, .is_terminal = is_terminal};
    struct line line = {0};
    (void)pin_ctl_flag_set(&ctl, &pin_ctl_flags[PIN_FLAG_COLOR], "auto", NULL);

    if (argc > 1 && strcmp(argv[1], COMPLETE) == 0) {
        ctl.rest = argv + 2;
        ctl.n_rest = (size_t)(argc - 2);
        argc = 2; /* what follows is being typed: nothing in it is wrong */
    }
    enum pin_err err = split(argc, argv, &ctl, &line, why);
    if (err == PIN_OK) {
        err = read_line(&ctl, &line, why);
    }
    if (err == PIN_OK) {
        *ret_ctl = ctl;
    }
    return err;
}

bool pin_ctl_has_words(const struct pin_ctl *ctl, const char *text)
{
    bool has_all = true;
    for (size_t i = 0; i < ctl->n_words && has_all; i++) {
        has_all = strcasestr(text, ctl->words[i]) != NULL;
    }
    return has_all;
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
