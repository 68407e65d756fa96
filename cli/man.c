/* SPDX-License-Identifier: Apache-2.0 */

/* The manual page pintlectl(1): the two tables as input of man. */

#include <stdio.h>
#include <string.h>

#include "pintle/version.h"

#include "cli/ctl.h"

static const char head[] =
    ".TH PINTLECTL 1 \"\" \"Pintle " PIN_VERSION "\" \"Pintle\"\n"
    ".nh\n"
    ".ad l\n"
    ".SH NAME\n"
    "pintlectl \\- look into a running pintled, and steer it\n"
    ".SH SYNOPSIS\n"
    ".B pintlectl\n"
    ".I COMMAND\n"
    ".RI [ OPTIONS ]\n"
    ".br\n"
    ".B kubectl pintle\n"
    ".I COMMAND\n"
    ".RI [ OPTIONS ]\n"
    ".SH DESCRIPTION\n"
    ".B pintlectl\n"
    "asks the admin side of a running\n"
    ".BR pintled (8)\n"
    "and prints what it says. Data goes to standard output, everything else to standard error.\n"
    "Options may stand anywhere.\n";

static const char tail[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nAll went well.\n"
    ".TP\n.B 1\nSomething failed, or is not well.\n"
    ".TP\n.B 2\nThe command line is wrong; with\n.B \\-\\-detailed\\-exitcode\nthere are changes.\n"
    ".TP\n.B 3\nNo daemon listens at the admin address.\n"
    ".TP\n.B 4\nThe time to wait was over.\n"
    ".TP\n.B 5\nThe daemon does not permit it.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B NO_COLOR\nWhen it is set and not empty, nothing is coloured unless\n"
    ".B \\-\\-color always\nis given.\n"
    ".TP\n.B TERM\nNothing is coloured on a terminal that is\n.BR dumb .\n"
    ".TP\n.B PINTLE_TOKEN_FILE\nThe file with the token that the daemon wants.\n"
    ".TP\n.BR PINTLE_CA_FILE \", \" PINTLE_CERT_FILE \", \" PINTLE_KEY_FILE\n"
    "What\n.BR \\-\\-ca \", \" \\-\\-cert\nand\n.B \\-\\-key\nsay when they are not given.\n"
    ".TP\n.B KUBECONFIG\nThe files in which commands that ask API servers look for contexts.\n"
    ".SH SEE ALSO\n"
    ".BR pintled (8),\n"
    ".BR pintle.conf (5),\n"
    ".BR kubectl (1)\n";

/* Text in which nothing is a request or an escape. */
static void put_text(struct pin_text *text, const char *plain)
{
    for (const char *c = plain; *c != '\0'; c++) {
        if (*c == '\\') {
            pin_text_puts(text, "\\e");
        } else if (*c == '-') {
            pin_text_puts(text, "\\-");
        } else if (*c == '~') {
            pin_text_puts(text, "\\(ti");
        } else if (*c == '^') {
            pin_text_puts(text, "\\(ha");
        } else if ((*c == '.' || *c == '\'') && (c == plain || c[-1] == ' ')) {
            pin_text_putf(text, "\\&%c", *c);
        } else {
            pin_text_putc(text, *c);
        }
    }
}

/* A line in a font, 'B' or 'I'. */
static void put_line(struct pin_text *text, char font, const char *plain)
{
    pin_text_putf(text, "\\f%c", font);
    put_text(text, plain);
    pin_text_puts(text, "\\fR");
}

static void put_option(struct pin_text *text, const struct pin_ctl_flag *flag)
{
    pin_text_puts(text, ".TP\n");
    if (flag->short_name != NULL) {
        put_line(text, 'B', flag->short_name);
        pin_text_puts(text, ", ");
    }
    put_line(text, 'B', flag->name);
    if (flag->value != NULL) {
        pin_text_putc(text, ' ');
        put_line(text, 'I', flag->value);
    }
    pin_text_putc(text, '\n');
    put_text(text, flag->help);
    pin_text_putc(text, '\n');
}

static void put_command(struct pin_text *text, const struct pin_ctl_command *command)
{
    pin_text_puts(text, ".SS ");
    put_text(text, command->name);
    if (command->arguments[0] != '\0') {
        pin_text_putc(text, ' ');
        put_text(text, command->arguments);
    }
    pin_text_putc(text, '\n');
    put_text(text, command->help);
    pin_text_putc(text, '\n');
    for (int id = PIN_FLAG_HELP + 1; id < PIN_FLAG_MAX; id++) {
        if (pin_ctl_flags[id].help != NULL
            && pin_ctl_command_has(command, (enum pin_ctl_flag_id)id)) {
            put_option(text, &pin_ctl_flags[id]);
        }
    }
    if (command->example != NULL) {
        pin_text_puts(text, ".PP\nExample:\n");
        pin_text_puts(text, "\\fBpintlectl ");
        put_text(text, command->name);
        pin_text_putc(text, ' ');
        put_text(text, command->example);
        pin_text_puts(text, "\\fR\n");
    }
}

void pin_ctl_man(struct pin_text *text)
{
    pin_text_puts(text, head);
    pin_text_puts(text, ".SH COMMANDS\n");
    for (size_t i = 0; i < pin_ctl_n_commands; i++) {
        if (pin_ctl_commands[i].help != NULL) {
            put_command(text, &pin_ctl_commands[i]);
        }
    }
    pin_text_puts(text, ".SH OPTIONS OF EVERY COMMAND\n");
    for (int id = 0; id <= PIN_FLAG_HELP; id++) {
        put_option(text, &pin_ctl_flags[id]);
    }
    pin_text_puts(text, tail);
}

enum pin_ctl_exit pin_ctl_docs(const struct pin_ctl *ctl)
{
    struct pin_text text = {0};
    if (strcmp(ctl->words[0], "man") != 0) {
        (void)fprintf(stderr, "pintlectl: there is only `pintlectl docs man`\n");
        return PIN_CTL_USAGE;
    }
    pin_ctl_man(&text);
    (void)fputs(pin_text_get(&text), stdout);
    pin_text_done(&text);
    return PIN_CTL_OK;
}
