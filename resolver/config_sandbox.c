/* SPDX-License-Identifier: Apache-2.0 */

/* The options of `sandbox`, and the paths that a configuration names. */

#include <stddef.h>
#include <stdint.h>

#include "resolver/config.h"
#include "resolver/config_options.h"

#define IN_CONFIG(field) offsetof(struct pin_config, field)

const struct pin_option pin_sandbox_options[] = {
    {.key = "seccomp",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(seccomp),
        .words = "auto|on|off|kill",
        .fallback = "auto",
        .doc = "Whether system calls that are not needed fail, or end the process (kill). on and "
               "kill: else nothing starts."},
    {.key = "landlock",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(landlock),
        .words = "auto|on|off",
        .fallback = "auto",
        .doc = "Whether files that the configuration does not name are out of reach; auto: not "
               "where programs are run."},
    {.key = "programs",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(programs),
        .words = "auto|on|off",
        .fallback = "auto",
        .doc = "Whether programs may be run; auto: where probes or a kubeconfig name some."},
    {.key = "dumps",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CONFIG(dumps),
        .fallback = "false",
        .doc = "Whether core dumps may be written, secrets included, and debuggers may look."},
    {.key = "read",
        .kind = PIN_OPTION_STRINGS,
        .offset = IN_CONFIG(sandbox_reads),
        .count_offset = IN_CONFIG(n_sandbox_reads),
        .doc = "Absolute paths that may be read beside those that are named."},
    {.key = "write",
        .kind = PIN_OPTION_STRINGS,
        .offset = IN_CONFIG(sandbox_writes),
        .count_offset = IN_CONFIG(n_sandbox_writes),
        .doc = "Absolute paths that may be written beside those that are named."},
    {.key = NULL},
};

/* Follows a table through the struct that it fills; a list leads to structs of their own. */
static void walk(const struct pin_option *options, const uint8_t *at,
    void (*fn)(const char *path, void *arg), void *arg)
{
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        const void *value = at + option->offset;
        if (option->kind == PIN_OPTION_PATH) {
            const char *path = *(const char *const *)value;
            if (path != NULL && path[0] != '\0') {
                fn(path, arg);
            }
        } else if (option->kind == PIN_OPTION_MAP && option->children != NULL) {
            walk(option->children, at, fn, arg);
        } else if (option->kind == PIN_OPTION_ITEMS) {
            const uint8_t *items = *(const uint8_t *const *)value;
            size_t n = *(const size_t *)(const void *)(at + option->count_offset);
            for (size_t i = 0; i < n; i++) {
                walk(option->children, items + i * option->item_bytes, fn, arg);
            }
        }
    }
}

void pin_config_each_path(
    const struct pin_config *config, void (*fn)(const char *path, void *arg), void *arg)
{
    walk(pin_options, (const uint8_t *)(const void *)config, fn, arg);
}
