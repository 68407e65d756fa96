/* SPDX-License-Identifier: Apache-2.0 */

/* Files of static zones: reads them, notices that they changed, keeps what was good. */

#include "resolver/zonefiles.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "resolver/filewatch.h"

/* Files of one zone, included ones among them. */
#define FILES_MAX 256
/* Several files are often written one after the other. */
#define SETTLE_MS 20

/* One file as it was when it was read. */
struct file {
    char *path;
    char *text; /* while the zone is read */
    struct timespec changed;
    struct timespec modified;
    off_t bytes;
    ino_t inode;
};

struct zone {
    const struct pin_config_zonefile *config;
    struct file files[FILES_MAX]; /* the zone's own first */
    size_t n_files;
    struct pin_zonefile *zonefile; /* read, not handed over yet */
    struct pin_text faults;        /* of the latest reading; warnings when it was good */
    struct pin_text told;          /* faults that were logged */
    struct pin_zonefile_status status;
    bool is_bad;    /* the file as it is now has faults */
    bool is_unread; /* ... or could not even be read */
};

struct pin_zonefiles {
    struct zone *zones;
    size_t n_zones;
    struct pin_filewatch *watch;
    pin_zonefiles_fn *fn;
    void *arg;
};

/* --- reading ------------------------------------------------------------------------------- */

static void take_stat(struct file *file, const struct stat *st)
{
    file->changed = st->st_ctim;
    file->modified = st->st_mtim;
    file->bytes = st->st_size;
    file->inode = st->st_ino;
}

/* Opens one more file of the zone. */
static enum pin_err open_file(
    struct zone *zone, const char *path, struct pin_zonefile_text *ret_text, struct pin_why *why)
{
    struct stat st = {0};
    size_t bytes = 0;
    if (zone->n_files == FILES_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "the zone has more than %d files", FILES_MAX);
    }
    struct file *file = &zone->files[zone->n_files];
    *file = (struct file){.path = strdup(path)};
    if (file->path == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%s", path);
    }
    zone->n_files++; /* even one that is missing is looked for from now on */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return pin_why_set(why, PIN_EINVAL, "%s is no regular file", path);
    }
    take_stat(file, &st);
    enum pin_err err = pin_file_read(path, PIN_ZONEFILE_MAX_BYTES, &file->text, &bytes, why);
    *ret_text = (struct pin_zonefile_text){.path = file->path, .text = file->text, .bytes = bytes};
    return err;
}

/* Whether `path`, links resolved, lies in the directory of the zone's own file or below it. */
static bool is_confined(const struct zone *zone, const char *path)
{
    char root[PATH_MAX];
    char real[PATH_MAX];
    char *dir = pin_path_dir(zone->config->path);
    bool is_known = dir != NULL && realpath(dir, root) != NULL && realpath(path, real) != NULL;
    size_t bytes = is_known ? strlen(root) : 0;
    free(dir);
    return is_known && strncmp(real, root, bytes) == 0 && (real[bytes] == '/' || bytes == 1);
}

static enum pin_err open_included(void *arg, const char *name, const char *from,
    struct pin_zonefile_text *ret_text, struct pin_why *why)
{
    struct zone *zone = arg;
    char *dir = pin_path_dir(from);
    char *path = pin_path_join(dir, name);
    enum pin_err err = PIN_OK;
    if (path == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "%s", name);
    } else if (access(path, F_OK) == 0 && !is_confined(zone, path)) {
        err = pin_why_set(why, PIN_EDENIED,
            "%s lies outside the directory of the zone's file: move it there", path);
    } else {
        err = open_file(zone, path, ret_text, why);
    }
    free(path);
    free(dir);
    return err;
}

static void forget_files(struct zone *zone)
{
    for (size_t i = 0; i < zone->n_files; i++) {
        free(zone->files[i].path);
        free(zone->files[i].text);
    }
    zone->n_files = 0;
}

/* Reads a zone; on success it waits in zone->zonefile. Else the text says what is wrong. */
static bool read_zone(struct zone *zone)
{
    struct pin_zonefile_input input = {
        .zone = zone->config->zone, .open = open_included, .open_arg = zone};
    struct pin_zonefile *zonefile = NULL;
    struct pin_why why = {0};
    forget_files(zone);
    pin_text_cut(&zone->faults, 0);
    enum pin_err err = open_file(zone, zone->config->path, &input.text, &why);
    zone->is_unread = err != PIN_OK;
    if (zone->is_unread) {
        pin_text_putf(&zone->faults, "%s\n", why.text);
    } else {
        err = pin_zonefile_parse(&input, &zonefile, &zone->faults);
    }
    if (err == PIN_ENOMEM) {
        pin_text_putf(&zone->faults, "%s: out of memory\n", zone->config->path);
    }
    for (size_t i = 0; i < zone->n_files; i++) {
        free(zone->files[i].text);
        zone->files[i].text = NULL;
    }
    zone->is_bad = err != PIN_OK;
    if (zone->is_bad) {
        zone->status.n_failures++;
        return false;
    }
    pin_zonefile_free(zone->zonefile);
    zone->zonefile = zonefile;
    zone->status.n_loads++;
    zone->status.serial = pin_zonefile_serial(zonefile);
    zone->status.n_rrs = pin_zonefile_n_rrs(zonefile);
    return true;
}

/* Calls fn for each line. */
static void each_line(
    const struct pin_text *text, void (*fn)(void *arg, const char *line), void *arg)
{
    const char *at = pin_text_get(text);
    while (*at != '\0') {
        char line[1024];
        size_t bytes = strcspn(at, "\n");
        size_t kept = PIN_MIN(bytes, sizeof(line) - 1);
        memcpy(line, at, kept);
        line[kept] = '\0';
        fn(arg, line);
        at += bytes + (at[bytes] == '\n');
    }
}

static void add_finding(void *arg, const char *line)
{
    pin_findings_add(arg, NULL, (struct pin_at){0}, "%s", line);
}

/* Adds what is wrong with zones.files[i]: where its file says it, or where the file is named. */
static void add_findings(const struct pin_config *config, size_t i, const struct zone *zone,
    struct pin_findings *findings)
{
    if (!zone->is_unread) {
        each_line(&zone->faults, add_finding, findings);
        return;
    }
    const char *text = pin_text_get(&zone->faults);
    pin_findings_add(findings, config->file, zone->config->at, "zones.files[%zu]: %.*s", i,
        (int)strcspn(text, "\n"), text);
}

struct pin_zonefiles *pin_zonefiles_load(
    const struct pin_config *config, struct pin_findings *findings)
{
    struct pin_zonefiles *zonefiles = calloc(1, sizeof(*zonefiles));
    if (zonefiles == NULL) {
        return NULL;
    }
    zonefiles->zones = calloc(config->n_zonefiles + 1, sizeof(*zonefiles->zones));
    if (zonefiles->zones == NULL) {
        free(zonefiles);
        return NULL;
    }
    for (size_t i = 0; i < config->n_zonefiles; i++) {
        struct zone *zone = &zonefiles->zones[zonefiles->n_zones];
        zone->config = &config->zonefiles[i];
        zone->status.zone = zone->config->zone;
        if (zone->config->zone == NULL || zone->config->path == NULL) {
            continue; /* it has its finding */
        }
        zonefiles->n_zones++;
        if (!read_zone(zone)) {
            add_findings(config, i, zone, findings);
        }
    }
    return zonefiles;
}

/* --- changes ------------------------------------------------------------------------------- */

static bool has_changed(const struct file *file)
{
    struct stat st = {0};
    struct file now = {0};
    (void)stat(file->path, &st);
    take_stat(&now, &st);
    return now.inode != file->inode || now.bytes != file->bytes
           || now.modified.tv_sec != file->modified.tv_sec
           || now.modified.tv_nsec != file->modified.tv_nsec
           || now.changed.tv_sec != file->changed.tv_sec
           || now.changed.tv_nsec != file->changed.tv_nsec;
}

static bool is_outdated(const struct zone *zone)
{
    for (size_t i = 0; i < zone->n_files; i++) {
        if (has_changed(&zone->files[i])) {
            return true;
        }
    }
    return false;
}

static void warn_line(void *arg, const char *line)
{
    const struct zone *zone = arg;
    pin_log_warn("zonefiles: zone %s: %s", zone->config->zone, line);
}

static void error_line(void *arg, const char *line)
{
    const struct zone *zone = arg;
    pin_log_error(
        "zonefiles: zone %s: %s (what was read before is served on)", zone->config->zone, line);
}

/* Tells what is wrong, unless the very same was told already. */
static void tell(struct zone *zone, bool is_good)
{
    if (strcmp(pin_text_get(&zone->told), pin_text_get(&zone->faults)) != 0) {
        each_line(&zone->faults, is_good ? warn_line : error_line, zone);
    }
    pin_text_cut(&zone->told, 0);
    pin_text_puts(&zone->told, pin_text_get(&zone->faults));
}

/* Hands over what was read. False: it is to be offered again. */
static bool hand_over(struct pin_zonefiles *self, struct zone *zone)
{
    if (zone->zonefile == NULL) {
        return true;
    }
    if (!self->fn(self->arg, zone->zonefile)) {
        return false;
    }
    zone->zonefile = NULL;
    return true;
}

static void watch_directories(const struct pin_zonefiles *self)
{
    for (size_t z = 0; z < self->n_zones; z++) {
        for (size_t i = 0; i < self->zones[z].n_files; i++) {
            pin_filewatch_add(self->watch, self->zones[z].files[i].path);
        }
    }
}

static void look(struct pin_zonefiles *self)
{
    bool is_done = true;
    for (size_t i = 0; i < self->n_zones; i++) {
        struct zone *zone = &self->zones[i];
        if (is_outdated(zone)) {
            bool is_good = read_zone(zone);
            tell(zone, is_good);
        }
        is_done = hand_over(self, zone) && is_done;
    }
    watch_directories(self);
    if (!is_done) {
        pin_filewatch_again(self->watch);
    }
}

static void on_look(void *arg)
{
    look(arg);
}

/* --- life ---------------------------------------------------------------------------------- */

enum pin_err pin_zonefiles_watch(struct pin_zonefiles *zonefiles, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, pin_zonefiles_fn *fn, void *arg, struct pin_why *why)
{
    zonefiles->fn = fn;
    zonefiles->arg = arg;
    if (zonefiles->n_zones == 0) {
        return PIN_OK;
    }
    const struct pin_filewatch_config config = {.loop = loop,
        .dirwatch = dirwatch,
        .name = "zonefiles",
        .settle_ms = SETTLE_MS,
        .look = on_look,
        .arg = zonefiles};
    zonefiles->watch = pin_filewatch_new(&config);
    if (zonefiles->watch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "watches of zone files");
    }
    for (size_t i = 0; i < zonefiles->n_zones; i++) {
        tell(&zonefiles->zones[i], true);
    }
    watch_directories(zonefiles);
    return PIN_OK;
}

void pin_zonefiles_free(struct pin_zonefiles *zonefiles)
{
    if (zonefiles == NULL) {
        return;
    }
    pin_filewatch_free(zonefiles->watch);
    for (size_t i = 0; i < zonefiles->n_zones; i++) {
        forget_files(&zonefiles->zones[i]);
        pin_zonefile_free(zonefiles->zones[i].zonefile);
        pin_text_done(&zonefiles->zones[i].faults);
        pin_text_done(&zonefiles->zones[i].told);
    }
    free(zonefiles->zones);
    free(zonefiles);
}

size_t pin_zonefiles_count(const struct pin_zonefiles *zonefiles)
{
    return zonefiles->n_zones;
}

struct pin_zonefile *pin_zonefiles_take(struct pin_zonefiles *zonefiles, size_t i)
{
    struct pin_zonefile *zonefile = zonefiles->zones[i].zonefile;
    zonefiles->zones[i].zonefile = NULL;
    return zonefile;
}

void pin_zonefiles_status(
    const struct pin_zonefiles *zonefiles, size_t i, struct pin_zonefile_status *ret_status)
{
    const struct zone *zone = &zonefiles->zones[i];
    *ret_status = zone->status;
    ret_status->is_up = zone->is_bad ? 0 : 1;
    ret_status->error = zone->is_bad ? pin_text_get(&zone->faults) : "";
}
