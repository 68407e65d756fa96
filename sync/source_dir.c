/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A directory of manifests, live through inotify (base/dirwatch.h).
 *
 *     events -> names to read, names that are gone -> manifest -> file set -> deltas
 *
 * A file that was written or moved in is read at once. One that was deleted is let go 30 ms later:
 * editors delete before they write anew, and when the whole directory goes its files go first,
 * which must not make the cluster look empty.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/dirwatch.h"
#include "pintle/base/file.h"
#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "fileset.h"
#include "manifest.h"
#include "manifest_names.h"
#include "source.h"

#define GUARD_MS      500 /* How often the directory itself is looked at. */
#define GONE_AFTER_MS 30
#define HINT_LOST     "make the directory again, it is looked for twice a second"

enum {
    PIN_TROUBLE_NONE,
    PIN_TROUBLE_DIRECTORY,
    PIN_TROUBLE_LIMIT, /* The system lets no more directories be watched. */
    PIN_TROUBLE_FILE,
};

struct dir {
    struct pin_source source;
    char *path;
    struct pin_fileset files;
    struct pin_map pending; /* Names to read. */
    struct pin_map gone;    /* Names that were deleted. */
    struct pin_map unread;  /* Names that the system would not let us read; tried again. */
    struct pin_timer *guard_timer;
    struct pin_timer *gone_timer;
    struct pin_timer *pending_timer; /* Work that a call in progress put off. */
    struct pin_dirwatch *dirwatch;   /* Shared by all directories. */
    struct pin_watched watched;      /* Added while the directory is open. */
    dev_t device;
    ino_t inode;
    bool is_lost;    /* Events of this batch: the directory is to be opened anew, */
    bool must_scan;  /* or all its files are to be looked at. */
    bool is_listing; /* The first list was begun and not ended. */
    bool is_listed;
};

static struct dir *from_source(struct pin_source *source)
{
    return container_of(source, struct dir, source);
}

/* --- Names ---------------------------------------------------------------------------------- */

static void add_name(struct dir *self, struct pin_map *names, const char *name)
{
    if (!pin_map_put(names, name, strlen(name), self, NULL)) {
        pin_log_error("%s: out of memory, %s is not read", self->source.where, name);
    }
}

/* The oldest name, taken out; heap. */
static char *take_name(struct pin_map *names)
{
    const char *name = NULL;
    size_t cursor = 0;
    if (!pin_map_next(names, &cursor, &name, NULL, NULL)) {
        return NULL;
    }
    char *copy = strdup(name);
    (void)pin_map_remove(names, name, strlen(name));
    return copy;
}

/* --- Reading files -------------------------------------------------------------------------- */

/* Pipes, devices and directories are never read: a pipe would block the loop. Quiet. PIN_ENOTFOUND:
 * there is no file; any other error says nothing about what it holds. */
static enum pin_err look_at(const char *path, struct pin_why *why)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        return S_ISREG(st.st_mode) ? PIN_OK : PIN_ENOTFOUND;
    }
    return errno == ENOENT || errno == ENOTDIR ? PIN_ENOTFOUND
                                               : pin_why_errno(why, errno, "open '%s'", path);
}

/* Quiet. PIN_ENOTFOUND: the file has gone, or is no file. On any other error `*ret_has_text` tells
 * whether the file itself is at fault, or the system did not let us read it. */
static enum pin_err read_manifest(struct dir *self, const char *name, struct pin_manifest *ret,
    bool *ret_has_text, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    char *path = pin_path_join(self->path, name);
    if (path == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for '%s'", name);
    }
    enum pin_err err = look_at(path, why);
    if (err == PIN_OK) {
        err = pin_file_read(path, PIN_MANIFEST_BYTES_MAX, &text, &bytes, why);
        *ret_has_text = err == PIN_OK || err == PIN_ELIMIT;
    }
    if (err == PIN_OK) {
        err = pin_manifest_read(path, self->source.where, text, bytes, ret, why);
    }
    free(text);
    free(path);
    return err;
}

static void show_trouble(struct dir *self)
{
    const char *error = pin_fileset_error(&self->files);
    struct pin_trouble *trouble = &self->source.trouble;
    if (!self->watched.is_added) {
        return;
    }
    /* Already logged when the file was read. */
    trouble->code = error == NULL ? PIN_TROUBLE_NONE : PIN_TROUBLE_FILE;
    (void)snprintf(trouble->text, sizeof(trouble->text), "%s", error == NULL ? "" : error);
    (void)snprintf(trouble->hint, sizeof(trouble->hint), "%s",
        error == NULL ? "" : "correct the file, it is read again when it is saved");
}

static void read_file(struct dir *self, const char *name)
{
    struct pin_manifest manifest = {0};
    struct pin_why why = {0};
    uint64_t received_ns = (uint64_t)pin_clock_mono_ns();
    bool has_text = false;
    bool was_unread = pin_map_remove(&self->unread, name, strlen(name)) != NULL;
    enum pin_err err = read_manifest(self, name, &manifest, &has_text, &why);
    if (err == PIN_ENOTFOUND) {
        pin_fileset_remove(&self->files, name, received_ns);
    } else if (err != PIN_OK) {
        if (has_text || !was_unread) { /* a vain new try is no news */
            pin_log_write(NULL, PIN_LOG_ERROR, "%s; keeping what the file said before", why.text);
        }
        pin_fileset_break(&self->files, name, why.text);
        if (!has_text) {
            add_name(self, &self->unread, name);
        }
    } else {
        pin_fileset_apply(&self->files, name, &manifest, received_ns);
        pin_log_debug("%s: read %s, %zu objects, %zu of kinds that are not read",
            self->source.where, name, manifest.n_objects, manifest.n_unread);
    }
    pin_manifest_done(&manifest);
}

/* The first list is whole once every file was read. */
static void end_listing(struct dir *self)
{
    self->is_listing = false;
    self->is_listed = true;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        self->source.stats.kinds[kind].is_listed = true;
        pin_source_mark(&self->source, PIN_DELTA_LIST_END, (enum pin_kind)kind);
    }
    pin_source_set_synced(&self->source);
}

/* Reads what is pending, as long as there is room for it. */
static void read_pending(struct dir *self)
{
    while (!pin_outbox_is_full(&self->source.outbox)) {
        char *name = take_name(&self->pending);
        if (name == NULL) {
            break;
        }
        read_file(self, name);
        free(name);
    }
    show_trouble(self);
    if (self->is_listing && pin_map_count(&self->pending) == 0) {
        end_listing(self);
    }
}

static void on_pending_timer(void *arg)
{
    read_pending(arg);
}

static void on_reread(void *arg, const char *name)
{
    struct dir *self = arg;
    add_name(self, &self->pending, name);
    pin_timer_start(self->pending_timer, 0, false);
}

/* --- The directory -------------------------------------------------------------------------- */

/* Every file is to be read; files that were there and are not any more are gone. */
static bool scan(struct dir *self)
{
    struct pin_manifest_names names = {0};
    const char *known = NULL;
    size_t cursor = 0;
    if (!pin_manifest_names_list(self->path, &names)) {
        return false;
    }
    while (pin_map_next(&self->files.files, &cursor, &known, NULL, NULL)) {
        add_name(self, &self->gone, known);
    }
    for (size_t i = 0; i < names.n; i++) {
        (void)pin_map_remove(&self->gone, names.names[i], strlen(names.names[i]));
        add_name(self, &self->pending, names.names[i]);
    }
    pin_manifest_names_done(&names);
    if (pin_map_count(&self->gone) > 0) {
        pin_timer_start(self->gone_timer, GONE_AFTER_MS, false);
    }
    return true;
}

static void close_directory(struct dir *self)
{
    pin_dirwatch_remove(self->dirwatch, &self->watched);
    self->is_lost = false;
    self->must_scan = false;
    pin_map_done(&self->gone, NULL);
    pin_map_done(&self->pending, NULL);
    pin_map_done(&self->unread, NULL);
    pin_timer_stop(self->gone_timer);
    pin_timer_stop(self->pending_timer);
}

static void lose_directory(struct dir *self, int code, const char *hint, const char *problem)
{
    close_directory(self);
    pin_source_set_trouble(&self->source, &self->source.trouble, code, hint,
        "directory %s: %s; what it said before is kept", self->path, problem);
    pin_source_set_up(&self->source, false);
}

/* Opens the watch first and looks second, so that nothing is missed between. */
static enum pin_err open_directory(struct dir *self, const char **ret_hint, struct pin_why *why)
{
    struct stat st;
    enum pin_err err = pin_dirwatch_add(self->dirwatch, &self->watched, self->path, ret_hint, why);
    if (err == PIN_OK && (stat(self->path, &st) != 0 || !scan(self))) {
        err = pin_why_errno(why, errno, "cannot be listed");
    }
    if (err == PIN_OK) {
        self->device = st.st_dev;
        self->inode = st.st_ino;
    }
    return err;
}

static void try_directory(struct dir *self)
{
    struct pin_why why = {0};
    const char *hint = HINT_LOST;
    enum pin_err err = open_directory(self, &hint, &why);
    if (err != PIN_OK) {
        lose_directory(
            self, err == PIN_ELIMIT ? PIN_TROUBLE_LIMIT : PIN_TROUBLE_DIRECTORY, hint, why.text);
        return;
    }
    if (self->source.trouble.code == PIN_TROUBLE_DIRECTORY
        || self->source.trouble.code == PIN_TROUBLE_LIMIT) {
        pin_log_info("%s: directory %s is there again", self->source.where, self->path);
    }
    show_trouble(self);
    pin_source_set_up(&self->source, true);
    if (!self->is_listed && !self->is_listing) {
        self->is_listing = true;
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            self->source.stats.kinds[kind].is_served = true;
            self->source.stats.kinds[kind].n_lists[PIN_LIST_START]++;
            pin_source_mark(&self->source, PIN_DELTA_LIST_BEGIN, (enum pin_kind)kind);
        }
    }
    read_pending(self);
}

/* True while the path leads to the directory that is watched. */
static bool is_same_directory(const struct dir *self)
{
    struct stat st;
    return stat(self->path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_dev == self->device
           && st.st_ino == self->inode;
}

/* The directory vanished or was exchanged: look at the path anew. */
static void reopen(struct dir *self)
{
    close_directory(self);
    try_directory(self);
}

/* No event tells that descriptors are free again, or that a file may be read now. */
static void read_unread(struct dir *self)
{
    const char *name = NULL;
    size_t cursor = 0;
    while (pin_map_next(&self->unread, &cursor, &name, NULL, NULL)) {
        add_name(self, &self->pending, name);
    }
    read_pending(self);
}

static void on_guard_timer(void *arg)
{
    struct dir *self = arg;
    if (!self->watched.is_added) {
        try_directory(self);
    } else if (!is_same_directory(self)) {
        reopen(self);
    } else if (pin_map_count(&self->unread) > 0) {
        read_unread(self);
    }
}

static void on_gone_timer(void *arg)
{
    struct dir *self = arg;
    char *name = NULL;
    if (!is_same_directory(self)) {
        reopen(self);
        return;
    }
    while ((name = take_name(&self->gone)) != NULL) {
        add_name(self, &self->pending, name); /* reading finds out whether it is back */
        free(name);
    }
    read_pending(self);
}

/* --- Events --------------------------------------------------------------------------------- */

/* A link is whole when it is made; any other new file has yet to be written and closed. */
static bool is_link(const struct dir *self, const char *name)
{
    struct stat st;
    char *path = pin_path_join(self->path, name);
    bool is_linked =
        path != NULL && lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
    free(path);
    return is_linked;
}

static void on_event(void *arg, enum pin_seen seen, const char *name)
{
    struct dir *self = arg;
    if (seen == PIN_SEEN_LOST) {
        self->is_lost = true;
    } else if (seen == PIN_SEEN_MUCH || strcmp(name, "..data") == 0) {
        self->must_scan = true; /* ..data: the link that a mounted ConfigMap's change swaps */
    } else if (!pin_manifest_is_name(name) || seen == PIN_SEEN_TOUCHED) {
        return;
    } else if (seen == PIN_SEEN_GONE) {
        (void)pin_map_remove(&self->pending, name, strlen(name));
        add_name(self, &self->gone, name);
        pin_timer_start(self->gone_timer, GONE_AFTER_MS, false);
    } else if (seen == PIN_SEEN_WRITTEN || is_link(self, name)) {
        (void)pin_map_remove(&self->gone, name, strlen(name));
        add_name(self, &self->pending, name);
    }
}

/* All events were told: reads each file once. */
static void on_batch(void *arg)
{
    struct dir *self = arg;
    bool must_scan = self->must_scan;
    self->must_scan = false;
    if (self->is_lost || (must_scan && !scan(self))) {
        reopen(self);
        return;
    }
    read_pending(self);
}

static const struct pin_dirwatch_ops watch_ops = {
    .on_event = on_event,
    .on_batch = on_batch,
};

/* --- Life ----------------------------------------------------------------------------------- */

static void dir_start(struct pin_source *source)
{
    struct dir *self = from_source(source);
    try_directory(self);
    pin_timer_start(self->guard_timer, GUARD_MS, true);
}

static void dir_stop(struct pin_source *source)
{
    struct dir *self = from_source(source);
    pin_timer_stop(self->guard_timer);
    close_directory(self);
}

static void dir_resume(struct pin_source *source)
{
    read_pending(from_source(source));
}

/* Files are read again: that finds the Pods, or lets go of them. */
static void dir_want_pods(struct pin_source *source)
{
    struct dir *self = from_source(source);
    if (self->watched.is_added && scan(self)) {
        read_pending(self);
    }
}

static void dir_free(struct pin_source *source)
{
    struct dir *self = from_source(source);
    if (self->guard_timer != NULL && self->gone_timer != NULL && self->pending_timer != NULL) {
        dir_stop(source);
    }
    pin_timer_free(self->guard_timer);
    pin_timer_free(self->gone_timer);
    pin_timer_free(self->pending_timer);
    pin_fileset_done(&self->files);
    free(self->path);
    pin_source_done(source);
    free(self);
}

static const struct pin_source_ops dir_ops = {
    .start = dir_start,
    .stop = dir_stop,
    .resume = dir_resume,
    .want_pods = dir_want_pods,
    .free = dir_free,
};

struct pin_source *pin_source_dir_new(struct pin_loop *loop, struct pin_dirwatch *dirwatch,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why)
{
    char *origin = NULL;
    struct dir *self = calloc(1, sizeof(*self));
    if (self == NULL || asprintf(&origin, "directory %s", spec->directory) < 0) {
        free(self);
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    self->dirwatch = dirwatch;
    self->watched = (struct pin_watched){.ops = &watch_ops, .arg = self};
    self->path = strdup(spec->directory);
    self->files.source = &self->source;
    self->files.reread = on_reread;
    self->files.arg = self;
    self->guard_timer = pin_timer_new(loop, on_guard_timer, self);
    self->gone_timer = pin_timer_new(loop, on_gone_timer, self);
    self->pending_timer = pin_timer_new(loop, on_pending_timer, self);
    bool is_ok = pin_source_init(&self->source, &dir_ops, loop, spec, sink, origin);
    if (!is_ok || self->path == NULL || self->guard_timer == NULL || self->gone_timer == NULL
        || self->pending_timer == NULL) {
        dir_free(&self->source);
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    return &self->source;
}
