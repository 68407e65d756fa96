/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl clusters add: what lets pintled read a cluster. pintled itself knows the kinds that it
 * reads and how kubeconfigs are found, so it is run to print them; no daemon has to be there.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ctl.h"

#define DAEMON   "pintled"
#define ARGV_MAX 9

/* The program beside this one; "" when that cannot be told. */
static void find_beside(char path[PATH_MAX])
{
    ssize_t bytes = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[bytes > 0 ? bytes : 0] = '\0';
    char *slash = strrchr(path, '/');
    size_t room = slash == NULL ? 0 : (size_t)(PATH_MAX - (slash + 1 - path));
    if (room > sizeof(DAEMON)) {
        memcpy(slash + 1, DAEMON, sizeof(DAEMON));
    } else {
        path[0] = '\0';
    }
}

/* Becomes pintled; returns when there is none. */
static enum pin_ctl_exit become(char *const argv[])
{
    char path[PATH_MAX];
    find_beside(path);
    if (path[0] != '\0') {
        (void)execv(path, argv);
    }
    (void)execvp(DAEMON, argv);
    (void)fprintf(stderr,
        "pintlectl: cannot run " DAEMON ": %s; it is looked for beside pintlectl "
        "and in $PATH\n",
        strerrordesc_np(errno));
    return PIN_CTL_FAILED;
}

enum pin_ctl_exit pin_ctl_clusters_add(const struct pin_ctl *ctl)
{
    struct pin_text contexts = {0};
    const char *part = ctl->n_words > 0 ? ctl->words[0] : "objects";
    const char *name = ctl->name != NULL ? ctl->name : ctl->context;
    char *argv[ARGV_MAX + 1] = {NULL};
    size_t n = 0;
    if (name == NULL) {
        (void)fprintf(stderr, "pintlectl: say --name, how pintled is to call the cluster\n");
        return PIN_CTL_USAGE;
    }
    pin_text_putf(&contexts, "%s=%s", name, ctl->context != NULL ? ctl->context : "");
    const char *const words[ARGV_MAX] = {DAEMON, "--print-grant", part, "--contexts",
        pin_text_get(&contexts), ctl->kubeconfig != NULL ? "--kubeconfig" : NULL, ctl->kubeconfig,
        ctl->write_back != NULL ? "--write-back" : NULL, ctl->write_back};
    for (size_t i = 0; i < ARGV_MAX; i++) {
        if (words[i] != NULL) {
            argv[n++] = strdup(words[i]);
        }
    }
    enum pin_ctl_exit exit_code = become(argv);
    for (size_t i = 0; i < n; i++) {
        free(argv[i]);
    }
    pin_text_done(&contexts);
    return exit_code;
}
