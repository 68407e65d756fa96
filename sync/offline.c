/* SPDX-License-Identifier: Apache-2.0 */

/* Manifests read once. */

#include "pintle/sync/offline.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pintle/base/file.h"

#include "manifest.h"
#include "manifest_names.h"

void pin_offline_read_text(
    const char *name, const char *text, size_t bytes, const struct pin_offline_sink *sink)
{
    struct pin_manifest manifest = {0};
    struct pin_why why = {0};
    if (pin_manifest_read(name, name, text, bytes, &manifest, &why) != PIN_OK) {
        sink->unread(sink->arg, name, why.text);
        return;
    }
    for (size_t i = 0; i < manifest.n_objects; i++) {
        struct pin_object *object = manifest.objects[i];
        manifest.objects[i] = NULL;
        sink->object(sink->arg, object, name, manifest.lines[i]);
    }
    pin_manifest_done(&manifest);
}

static void read_file(const char *path, const struct pin_offline_sink *sink)
{
    char *text = NULL;
    size_t bytes = 0;
    struct pin_why why = {0};
    if (pin_file_read(path, PIN_MANIFEST_BYTES_MAX, &text, &bytes, &why) != PIN_OK) {
        sink->unread(sink->arg, path, why.text);
        return;
    }
    pin_offline_read_text(path, text, bytes, sink);
    free(text);
}

enum pin_err pin_offline_read(
    const char *path, const struct pin_offline_sink *sink, struct pin_why *why)
{
    struct stat st;
    struct pin_manifest_names names = {0};
    if (stat(path, &st) != 0) {
        return pin_why_errno(why, errno, "open '%s'", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        read_file(path, sink);
        return PIN_OK;
    }
    if (!pin_manifest_names_list(path, &names)) {
        return pin_why_errno(why, errno, "list '%s'", path);
    }
    enum pin_err err = PIN_OK;
    for (size_t i = 0; i < names.n && err == PIN_OK; i++) {
        char *file = pin_path_join(path, names.names[i]);
        if (file == NULL) {
            err = pin_why_set(why, PIN_ENOMEM, "no memory for '%s'", names.names[i]);
        } else {
            read_file(file, sink);
        }
        free(file);
    }
    pin_manifest_names_done(&names);
    return err;
}
