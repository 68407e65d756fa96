/* SPDX-License-Identifier: Apache-2.0 */

/* pintled: arguments in, exit code out. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/base/memory.h"
#include "pintle/version.h"

#include "resolver/app.h"
#include "resolver/dev.h"

#define KUBECONFIG_MAX_BYTES ((size_t)16 << 20)

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

/* `--kubeconfig <(...)` is read for each cluster, and again later. */
static bool keep_kubeconfig(struct pin_args *args, char **ret_kept)
{
    struct pin_why why = {0};
    if (args->kubeconfig == NULL) {
        return true;
    }
    if (pin_file_keep_pipe(args->kubeconfig, KUBECONFIG_MAX_BYTES, ret_kept, &why) != PIN_OK) {
        (void)fprintf(stderr, "pintled: --kubeconfig: %s\n", why.text);
        return false;
    }
    args->kubeconfig = *ret_kept != NULL ? *ret_kept : args->kubeconfig;
    return true;
}

int main(int argc, char **argv)
{
    struct pin_args args;
    struct pin_why why = {0};
    char *kept = NULL;

    pin_memory_share();
    pin_log_find_journal();
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
    if (args.print_codes) {
        return (int)pin_app_print_codes();
    }
    if (args.export_dir != NULL) {
        return (int)export_dev(args.export_dir);
    }
    if (!keep_kubeconfig(&args, &kept)) {
        return PIN_EXIT_FAILED;
    }
    enum pin_exit exit_code = args.print_grant != NULL ? pin_app_grant(&args)
                              : args.check             ? pin_app_check(&args)
                              : args.analyze           ? pin_app_analyze(&args)
                                                       : pin_app_run(&args);
    free(kept);
    return (int)exit_code;
}
