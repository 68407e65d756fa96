/* SPDX-License-Identifier: Apache-2.0 */

/* Follows the file of the admin side's token. */

#include "resolver/token_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/log.h"

#include "resolver/filewatch.h"

#define SETTLE_MS 20

struct pin_token_file {
    struct pin_token_file_config config;
    struct pin_filewatch *watch;
    struct stat seen; /* when it was read */
};

static bool is_same(const struct pin_secret *a, const struct pin_secret *b)
{
    return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0; /* both are ours */
}

static void on_look(void *arg)
{
    struct pin_token_file *file = arg;
    struct pin_admin_access *access = file->config.access;
    struct pin_admin_access next = {0};
    struct pin_why why = {0};
    pin_filewatch_add(file->watch, file->config.path);
    if (!pin_filewatch_has_changed(file->config.path, &file->seen)) {
        return;
    }
    if (pin_admin_access_read(file->config.path, &next, &why) != PIN_OK) {
        pin_log_error("admin: %s (the token read before is used on)", why.text);
        return;
    }
    if (is_same(&next.token, &access->token)) {
        pin_admin_access_done(&next);
        return;
    }
    pin_secret_done(&access->token);
    access->token = next.token;
    pin_log_info("admin: new token from '%s', the one before counts no more", file->config.path);
    file->config.on_change(file->config.arg);
}

enum pin_err pin_token_file_open(const struct pin_token_file_config *config,
    struct pin_token_file **ret_file, struct pin_why *why)
{
    struct pin_token_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "'%s'", config->path);
    }
    file->config = *config;
    (void)pin_filewatch_has_changed(config->path, &file->seen); /* before it is read */
    enum pin_err err = pin_admin_access_read(config->path, config->access, why);
    if (err == PIN_OK) {
        const struct pin_filewatch_config watch = {.loop = config->loop,
            .dirwatch = config->dirwatch,
            .name = "admin",
            .settle_ms = SETTLE_MS,
            .look = on_look,
            .arg = file};
        file->watch = pin_filewatch_new(&watch);
        if (file->watch == NULL) {
            err = pin_why_set(why, PIN_ENOMEM, "the watch of '%s'", config->path);
        }
    }
    if (err != PIN_OK) {
        pin_token_file_free(file);
        return err;
    }
    pin_filewatch_add(file->watch, config->path);
    *ret_file = file;
    return PIN_OK;
}

void pin_token_file_free(struct pin_token_file *file)
{
    if (file != NULL) {
        pin_filewatch_free(file->watch);
        free(file);
    }
}
