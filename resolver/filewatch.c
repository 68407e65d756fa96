/* SPDX-License-Identifier: Apache-2.0 */

/* Watches the directories of files, and waits until their writers are done. */

#include "filewatch.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/file.h"
#include "pintle/base/log.h"

/* Where no event comes from, as from some network file systems, files are looked at this often. */
#define LOOK_MS 5000

/* One directory. */
struct directory {
    struct directory *next;
    struct pin_watched watched;
    struct pin_filewatch *owner;
    struct stat seen; /* when it was added */
    bool is_lost;
    char path[];
};

struct pin_filewatch {
    struct pin_filewatch_config config;
    struct directory *directories;
    struct pin_timer *settle;
    struct pin_timer *look;
    bool has_told; /* that a directory cannot be watched */
};

static void on_event(void *arg, enum pin_seen seen, const char *name)
{
    struct directory *directory = arg;
    (void)name;
    directory->is_lost = directory->is_lost || seen == PIN_SEEN_LOST;
}

static void on_batch(void *arg)
{
    const struct directory *directory = arg;
    pin_filewatch_again(directory->owner);
}

static const struct pin_dirwatch_ops ops = {.on_event = on_event, .on_batch = on_batch};

static void on_timer(void *arg)
{
    const struct pin_filewatch *watch = arg;
    watch->config.look(watch->config.arg);
}

void pin_filewatch_again(struct pin_filewatch *watch)
{
    if (!pin_timer_is_running(watch->settle)) {
        pin_timer_start(watch->settle, watch->config.settle_ms, false);
    }
}

struct pin_filewatch *pin_filewatch_new(const struct pin_filewatch_config *config)
{
    struct pin_filewatch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->config = *config;
    watch->settle = pin_timer_new(config->loop, on_timer, watch);
    watch->look = pin_timer_new(config->loop, on_timer, watch);
    if (watch->settle == NULL || watch->look == NULL) {
        pin_filewatch_free(watch);
        return NULL;
    }
    pin_timer_start(watch->look, LOOK_MS, true);
    return watch;
}

void pin_filewatch_free(struct pin_filewatch *watch)
{
    if (watch == NULL) {
        return;
    }
    while (watch->directories != NULL) {
        struct directory *directory = watch->directories;
        watch->directories = directory->next;
        pin_dirwatch_remove(watch->config.dirwatch, &directory->watched);
        free(directory);
    }
    pin_timer_free(watch->settle);
    pin_timer_free(watch->look);
    free(watch);
}

/* The directory of that path; made when there is none. NULL: memory is out. */
static struct directory *find_directory(struct pin_filewatch *watch, const char *path)
{
    for (struct directory *directory = watch->directories; directory != NULL;
         directory = directory->next) {
        if (strcmp(directory->path, path) == 0) {
            return directory;
        }
    }
    size_t bytes = strlen(path) + 1;
    struct directory *directory = calloc(1, sizeof(*directory) + bytes);
    if (directory != NULL) {
        memcpy(directory->path, path, bytes);
        directory->owner = watch;
        directory->watched = (struct pin_watched){.ops = &ops, .arg = directory};
        directory->next = watch->directories;
        watch->directories = directory;
    }
    return directory;
}

/* Watches what stands at the directory's path now. */
static void renew(struct pin_filewatch *watch, struct directory *directory)
{
    const char *hint = "";
    struct pin_why why = {0};
    struct stat now = {0};
    (void)stat(directory->path, &now); /* one that is missing is told by who reads its files */
    bool is_same = now.st_dev == directory->seen.st_dev && now.st_ino == directory->seen.st_ino;
    if (directory->watched.is_added && is_same && !directory->is_lost) {
        return;
    }
    pin_dirwatch_remove(watch->config.dirwatch, &directory->watched);
    directory->seen = now;
    directory->is_lost = false;
    enum pin_err err =
        pin_dirwatch_add(watch->config.dirwatch, &directory->watched, directory->path, &hint, &why);
    if (err == PIN_ELIMIT && !watch->has_told) {
        watch->has_told = true;
        pin_log_warn("%s: '%s': %s; its files are looked at every %d s (%s)", watch->config.name,
            directory->path, why.text, LOOK_MS / 1000, hint);
    }
}

void pin_filewatch_add(struct pin_filewatch *watch, const char *path)
{
    char *dir = pin_path_dir(path);
    struct directory *directory = dir != NULL ? find_directory(watch, dir) : NULL;
    if (directory != NULL) {
        renew(watch, directory);
    }
    free(dir);
}

bool pin_filewatch_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
           && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool pin_filewatch_has_changed(const char *path, struct stat *seen)
{
    struct stat now;
    memset(&now, 0, sizeof(now));
    (void)stat(path, &now);
    bool is_same = pin_filewatch_is_same(&now, seen);
    *seen = now;
    return !is_same;
}
