/* SPDX-License-Identifier: Apache-2.0 */

/* Names of manifests in a directory. */

#include "manifest_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

#define SETTINGS "cluster.yaml"

bool pin_manifest_is_name(const char *name)
{
    static const char *const ends[] = {".yaml", ".yml", ".json"};
    size_t bytes = strlen(name);
    if (name[0] == '.' || strcmp(name, SETTINGS) == 0) {
        return false;
    }
    for (size_t i = 0; i < N_ELEMS(ends); i++) {
        size_t end_bytes = strlen(ends[i]);
        if (bytes > end_bytes && strcmp(name + bytes - end_bytes, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

void pin_manifest_names_done(struct pin_manifest_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->names[i]);
    }
    free(names->names);
}

static bool push_name(struct pin_manifest_names *self, const char *name)
{
    if (self->n == self->cap) {
        char **more = realloc(self->names, (self->cap + 64) * sizeof(*more));
        if (more == NULL) {
            return false;
        }
        self->names = more;
        self->cap += 64;
    }
    self->names[self->n] = strdup(name);
    return self->names[self->n] != NULL && ++self->n > 0;
}

bool pin_manifest_names_list(const char *path, struct pin_manifest_names *ret_names)
{
    struct pin_manifest_names names = {0};
    const struct dirent *entry = NULL;
    bool is_good = true;
    DIR *handle = opendir(path);
    if (handle == NULL) {
        return false;
    }
    errno = 0; /* the end is told from a failure by it alone */
    while (is_good
           && (entry = readdir(handle)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own handle */
        is_good = !pin_manifest_is_name(entry->d_name) || push_name(&names, entry->d_name);
        errno = is_good ? 0 : ENOMEM;
    }
    int error = errno;
    (void)closedir(handle);
    if (error != 0) {
        pin_manifest_names_done(&names);
        errno = error;
        return false;
    }
    if (names.n > 1) {
        qsort(names.names, names.n, sizeof(*names.names), pin_compare_texts);
    }
    *ret_names = names;
    return true;
}
