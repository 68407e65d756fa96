/* SPDX-License-Identifier: Apache-2.0 */

/* pintled: arguments in, exit code out. */

#include <stdio.h>

#include "pintle/base/memory.h"
#include "pintle/version.h"

#include "resolver/app.h"
#include "resolver/dev.h"

static enum pin_exit print_help(void)
{
    struct pin_text text = {0};
    pin_args_help(&text);
    (void)fputs(pin_text_get(&text), stdout);
    pin_text_done(&text);
    return PIN_EXIT_OK;
}

static enum pin_exit export_dev(const char *dir)
{
    struct pin_why why = {0};
    if (pin_dev_export(dir, &why) != PIN_OK) {
        (void)fprintf(stderr, "pintled: %s\n", why.text);
        return PIN_EXIT_FAILED;
    }
    (void)printf("wrote the embedded clusters to %s\n"
                 "run   pintled --clusters-dir %s\n"
                 "edit  %s/c1/inventory.yaml\n",
        dir, dir, dir);
    return PIN_EXIT_OK;
}

int main(int argc, char **argv)
{
    struct pin_args args;
    struct pin_why why = {0};

    pin_memory_share();
    if (pin_args_parse(argc, argv, &args, &why) != PIN_OK) {
        (void)fprintf(stderr, "pintled: %s\nTry pintled --help.\n", why.text);
        return PIN_EXIT_USAGE;
    }
    if (args.help) {
        return (int)print_help();
    }
    if (args.version) {
        (void)puts("pintled " PIN_VERSION);
        return PIN_EXIT_OK;
    }
    if (args.export_dir != NULL) {
        return (int)export_dev(args.export_dir);
    }
    return (int)(args.check ? pin_app_check(&args) : pin_app_run(&args));
}
