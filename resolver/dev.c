/* SPDX-License-Identifier: Apache-2.0 */

/* Dev mode: the embedded files, written out on demand, and the words that greet. */

#include "resolver/dev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/file.h"
#include "pintle/version.h"

#define FILE_MODE 0644
#define DIR_MODE  0755

const struct pin_dev_file *pin_dev_find(const char *name)
{
    for (size_t i = 0; i < pin_dev_n_files; i++) {
        if (strcmp(pin_dev_files[i].name, name) == 0) {
            return &pin_dev_files[i];
        }
    }
    return NULL;
}

/* Makes a directory with its parents; fine when it is there. */
static enum pin_err make_dirs(const char *path, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    char *copy = strdup(path);
    if (copy == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "'%s'", path);
    }
    for (char *at = copy + 1; err == PIN_OK; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char end = *at;
        *at = '\0';
        if (mkdir(copy, DIR_MODE) != 0 && errno != EEXIST) {
            err = pin_why_errno(why, errno, "make directory '%s'", copy);
        }
        *at = end;
        if (end == '\0') {
            break;
        }
    }
    free(copy);
    return err;
}

static enum pin_err check_absent(const char *dir, struct pin_why *why)
{
    struct stat st;
    for (size_t i = 0; i < pin_dev_n_files; i++) {
        char *path = pin_path_join(dir, pin_dev_files[i].name);
        bool exists = path != NULL && lstat(path, &st) == 0;
        enum pin_err err = PIN_OK;
        if (path == NULL) {
            err = pin_why_set(why, PIN_ENOMEM, "'%s'", dir);
        } else if (exists) {
            err = pin_why_set(why, PIN_EEXISTS,
                "'%s' is there already; nothing was written, choose another directory", path);
        }
        free(path);
        if (err != PIN_OK) {
            return err;
        }
    }
    return PIN_OK;
}

static enum pin_err write_one(const char *dir, const struct pin_dev_file *file, struct pin_why *why)
{
    enum pin_err err = PIN_ENOMEM;
    char *path = pin_path_join(dir, file->name);
    char *parent = path == NULL ? NULL : pin_path_dir(path);
    if (parent == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "'%s'", file->name);
        goto out;
    }
    err = make_dirs(parent, why);
    if (err == PIN_OK) {
        err = pin_file_write_atomic(path, file->text, file->text_bytes, FILE_MODE, why);
    }
out:
    free(parent);
    free(path);
    return err;
}

enum pin_err pin_dev_export(const char *dir, struct pin_why *why)
{
    enum pin_err err = check_absent(dir, why);
    for (size_t i = 0; err == PIN_OK && i < pin_dev_n_files; i++) {
        err = write_one(dir, &pin_dev_files[i], why);
    }
    return err;
}

void pin_banner_put(struct pin_text *text, const struct pin_banner *banner)
{
    /* demo/c1/HTTPRoute/default/inventory; tests/e2e holds it to what the daemon serves. */
    static const char *const name = "inventory-default-1951cbe339d38e1f.pintle.internal";
    static const char *const global = "userlist-svc.song.svc.clusterset.local";

    pin_text_puts(text, "\npintled " PIN_VERSION ", dev mode: nothing is read, nothing is kept\n");
    pin_text_putf(text, "  DNS       %s (udp, tcp)\n", banner->dns);
    pin_text_putf(text, "  Web       http://%s/   metrics at /metrics\n", banner->admin);
    pin_text_putf(text, "  Clusters  %s\n", banner->clusters);
    pin_text_puts(
        text, "            c1 and c2 share a network, c3 is behind gateway 203.0.113.10\n");
    if (banner->ready_ms >= 0) {
        pin_text_putf(text, "  Ready     after %lld ms\n", (long long)banner->ready_ms);
    }
    pin_text_puts(text, "\nTry, in another terminal:\n");
    pin_text_puts(text, "  # a service that both c1 and c2 run\n");
    pin_text_putf(text, "  dig @%s -p %u +short %s\n\n", banner->dns_ip, banner->dns_port, global);
    pin_text_puts(text, "  # a route with weights 10 (c1) and 90 (c2), asked thirty times\n");
    pin_text_putf(text,
        "  for i in $(seq 30); do dig @%s -p %u +short %s; done | sort | uniq -c\n\n",
        banner->dns_ip, banner->dns_port, name);
    pin_text_puts(text, "  # who gets which address, and why\n");
    pin_text_putf(text, "  %spintlectl explain %s --from c1%s%s\n\n", banner->programs, name,
        strcmp(banner->admin, "127.0.0.1:9153") == 0 ? "" : " --admin ",
        strcmp(banner->admin, "127.0.0.1:9153") == 0 ? "" : banner->admin);
    pin_text_putf(text,
        "Change a weight and see the split move:\n"
        "  %spintled --dev --export demo      # writes the clusters; stop this one, then\n"
        "  %spintled --clusters-dir demo      # and edit the weights in demo/c1/inventory.yaml\n\n",
        banner->programs, banner->programs);
}
