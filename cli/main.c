/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl: arguments in, exit code out. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/ctl.h"

/* What was typed to run this: kubectl runs kubectl-pintle for `kubectl pintle`. */
static const char *typed(const char *program)
{
    const char *slash = program == NULL ? NULL : strrchr(program, '/');
    const char *name = slash == NULL ? program : slash + 1;
    return name != NULL && strcmp(name, "kubectl-pintle") == 0 ? "kubectl pintle" : "pintlectl";
}

int main(int argc, char **argv)
{
    struct pin_ctl ctl;
    struct pin_why why = {0};

    if (pin_ctl_parse(argc, argv, isatty(STDOUT_FILENO) == 1, &ctl, &why) != PIN_OK) {
        (void)fprintf(stderr, "pintlectl: %s\nTry %s help.\n", why.text, typed(argv[0]));
        return (int)pin_ctl_usage_exit(argc, argv);
    }
    pin_api_use(&(struct pin_api_tls){.ca = ctl.ca, .cert = ctl.cert, .key = ctl.key});
    enum pin_ctl_exit exit_code = ctl.command->run(&ctl);
    errno = 0;
    bool is_written = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (!is_written) { /* what was asked for did not arrive */
        (void)fprintf(stderr, "pintlectl: standard output: %s\n",
            errno != 0 ? strerrordesc_np(errno) : "not all of it could be written");
        exit_code = exit_code == PIN_CTL_OK ? PIN_CTL_FAILED : exit_code;
    }
    return (int)exit_code;
}
