/* SPDX-License-Identifier: Apache-2.0 */

/* What `pintlectl help` says: the two tables as text. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/ctl.h"

#define OPTION_COLUMNS 34

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

void pin_ctl_put_use(struct pin_text *text, const struct pin_ctl_command *command)
{
    pin_text_puts(text, command->name);
    if (command->arguments[0] != '\0') {
        pin_text_putf(text, " %s", command->arguments);
    }
    for (int id = PIN_FLAG_HELP + 1; id < PIN_FLAG_MAX; id++) {
        const struct pin_ctl_flag *flag = &pin_ctl_flags[id];
        if (flag->help == NULL || !pin_ctl_command_has(command, (enum pin_ctl_flag_id)id)) {
            continue;
        }
        pin_text_putf(text, flag->is_required ? " %s%s%s" : " [%s%s%s]",
            flag->short_name != NULL ? flag->short_name : flag->name,
            flag->value == NULL ? "" : " ", flag->value == NULL ? "" : flag->value);
    }
}

/* One line of options; "" when the option is not shown. */
static void put_option(struct pin_text *text, const struct pin_ctl_flag *flag)
{
    struct pin_text left = {0};
    if (flag->help == NULL) {
        return;
    }
    pin_text_putf(&left, "  %s%s%s%s%s", flag->short_name == NULL ? "" : flag->short_name,
        flag->short_name == NULL ? "" : ", ", flag->name, flag->value == NULL ? "" : " ",
        flag->value == NULL ? "" : flag->value);
    int gap = left.len + 1 < OPTION_COLUMNS ? OPTION_COLUMNS - (int)left.len : 1;
    pin_text_putf(text, "%s%*s%s\n", pin_text_get(&left), gap, "", flag->help);
    pin_text_done(&left);
}

static void put_common_options(struct pin_text *text)
{
    for (int id = 0; id <= PIN_FLAG_HELP; id++) {
        put_option(text, &pin_ctl_flags[id]);
    }
}

/* The commands whose name begins with `group`, one a line. */
static void put_commands(struct pin_text *text, const char *group)
{
    size_t widest = 0;
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        widest = max_of(widest, strlen(pin_ctl_commands[i].name));
    }
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        const struct pin_ctl_command *command = &pin_ctl_commands[i];
        if (command->help != NULL && strncmp(command->name, group, strlen(group)) == 0) {
            pin_text_putf(text, "  %-*s  %s\n", (int)widest, command->name, command->help);
        }
    }
}

void pin_ctl_help(struct pin_text *text)
{
    pin_text_puts(text,
        "pintlectl looks into a running pintled, and steers it. It is also `kubectl pintle`.\n"
        "\nUse: pintlectl COMMAND [OPTIONS]\n\nCommands:\n");
    put_commands(text, "");
    pin_text_puts(text, "\nOptions of every command:\n");
    put_common_options(text);
    pin_text_puts(text,
        "\n`pintlectl help COMMAND` tells its own options.\n"
        "\nExit codes: 0 ok, 1 failed, 2 usage, 3 daemon not running, 4 timed out, 5 not "
        "permitted\n");
}

void pin_ctl_help_command(struct pin_text *text, const struct pin_ctl_command *command)
{
    pin_text_puts(text, "Use: pintlectl ");
    pin_ctl_put_use(text, command);
    pin_text_putf(text, "\n\n%s\n", command->help == NULL ? "" : command->help);
    if (command->example != NULL) {
        pin_text_putf(text, "\nExample: pintlectl %s %s\n", command->name, command->example);
    }
    if (command->flags != 0) {
        pin_text_puts(text, "\nOptions:\n");
    }
    for (int id = PIN_FLAG_HELP + 1; id < PIN_FLAG_MAX; id++) {
        if (pin_ctl_command_has(command, (enum pin_ctl_flag_id)id)) {
            put_option(text, &pin_ctl_flags[id]);
        }
    }
    pin_text_puts(text, "\nOptions of every command:\n");
    put_common_options(text);
}

/* Those of a group, such as "records"; false when there are none. */
static bool put_group(struct pin_text *text, const char *word)
{
    struct pin_text group = {0};
    pin_text_putf(&group, "%s ", word);
    pin_text_puts(text, "Commands:\n");
    size_t before = text->len;
    put_commands(text, pin_text_get(&group));
    pin_text_done(&group);
    return text->len > before;
}

enum pin_ctl_exit pin_ctl_run_help(const struct pin_ctl *ctl)
{
    struct pin_text text = {0};
    size_t n_taken = 0;
    const struct pin_ctl_command *command =
        ctl->n_words == 0 ? NULL : pin_ctl_command_find(ctl->words, ctl->n_words, &n_taken);
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    if (ctl->n_words == 0) {
        pin_ctl_help(&text);
    } else if (command != NULL && n_taken == ctl->n_words) {
        pin_ctl_help_command(&text, command);
    } else if (ctl->n_words > 1 || !put_group(&text, ctl->words[0])) {
        (void)fprintf(stderr,
            "pintlectl: there is no command \"%s%s%s\"; pintlectl help lists all\n", ctl->words[0],
            ctl->n_words > 1 ? " " : "", ctl->n_words > 1 ? ctl->words[1] : "");
        exit_code = PIN_CTL_USAGE;
    }
    if (exit_code == PIN_CTL_OK) {
        (void)fputs(pin_text_get(&text), stdout);
    }
    pin_text_done(&text);
    return exit_code;
}
