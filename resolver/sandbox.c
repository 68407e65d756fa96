/* SPDX-License-Identifier: Apache-2.0 */

/* Root, system calls and files: what is given up at the start. */

#include "resolver/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/sandbox.h"

#define PORT_PRIVILEGED_END 1024
#define STATE_MODE          0700
/* Paths beyond these are not allowed; a configuration of 64 certificates names 400. */
#define PATHS_MAX 8192

/* Where libraries, names, certificates of the system, and what a pod is given, are read. /proc/self
 * is written to name threads. */
static const struct pin_landlock_path usual[] = {
    {"/usr", PIN_LANDLOCK_READ},
    {"/lib", PIN_LANDLOCK_READ},
    {"/lib64", PIN_LANDLOCK_READ},
    {"/etc", PIN_LANDLOCK_READ},
    {"/run", PIN_LANDLOCK_READ},
    {"/var/run", PIN_LANDLOCK_READ},
    {"/sys", PIN_LANDLOCK_READ},
    {"/proc", PIN_LANDLOCK_READ},
    {"/proc/self/task", PIN_LANDLOCK_WRITE},
    {"/dev", PIN_LANDLOCK_READ | PIN_LANDLOCK_WRITE},
};

/* A list of paths in the making. The strings are the arena's. */
struct paths {
    struct pin_arena *arena;
    struct pin_landlock_path *items;
    size_t n;
    bool is_full;
};

static void add(struct paths *paths, const char *path, unsigned what)
{
    if (path == NULL || path[0] == '\0') {
        return;
    }
    if (paths->n == PATHS_MAX) {
        paths->is_full = true;
        return;
    }
    paths->items[paths->n++] = (struct pin_landlock_path){path, what};
}

/* The directory part, unless that is all there is. */
static const char *above(const struct paths *paths, const char *path)
{
    char *dir = pin_path_dir(path);
    const char *kept =
        dir == NULL || strcmp(dir, "/") == 0 ? NULL : pin_arena_strdup(paths->arena, dir);
    free(dir);
    return kept;
}

/* What stands in a path's place later may lie beside it, or beside its directory: editors write new
 * files, a ConfigMap changes a link, a release is a directory that a link leads to. */
static void add_named(const char *path, void *arg)
{
    struct paths *paths = arg;
    char *real = realpath(path, NULL);
    const char *dir = above(paths, path);
    add(paths, path, PIN_LANDLOCK_READ);
    add(paths, dir, PIN_LANDLOCK_READ);
    add(paths, dir == NULL ? NULL : above(paths, dir), PIN_LANDLOCK_READ);
    if (real != NULL && strcmp(real, path) != 0) {
        add(paths, above(paths, real), PIN_LANDLOCK_READ);
    }
    free(real);
}

/* Files that the environment names: kubeconfigs, tokens and keys of AWS, certificates. */
static void add_environment(struct paths *paths)
{
    static const char *const lists[] = {"KUBECONFIG", "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"};
    static const char *const of_home[] = {".kube/config", ".aws/config"};
    for (size_t i = 0; i < N_ELEMS(lists); i++) {
        const char *value = getenv(lists[i]); /* NOLINT(concurrency-mt-unsafe): one thread yet */
        char *list = value == NULL ? NULL : pin_arena_strdup(paths->arena, value);
        char *rest = NULL;
        for (char *path = list == NULL ? NULL : strtok_r(list, ":", &rest); path != NULL;
             path = strtok_r(NULL, ":", &rest)) {
            add_named(path, paths);
        }
    }
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): likewise */
    for (size_t i = 0; home != NULL && i < N_ELEMS(of_home); i++) {
        char *path = pin_path_join(home, of_home[i]);
        add(paths, path == NULL ? NULL : above(paths, path), PIN_LANDLOCK_READ);
        free(path);
    }
}

static enum pin_err start_landlock(
    const struct pin_config *config, bool runs_programs, struct pin_why *why)
{
    struct paths paths = {.arena = config->arena, .items = calloc(PATHS_MAX, sizeof(*paths.items))};
    if (paths.items == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "paths of the sandbox");
    }
    for (size_t i = 0; i < N_ELEMS(usual); i++) {
        add(&paths, usual[i].path, usual[i].what);
    }
    if (config->file != NULL) {
        add_named(config->file, &paths);
    }
    pin_config_each_path(config, add_named, &paths);
    add_environment(&paths);
    if (config->state_dir != NULL) { /* whoever needs it says why it cannot be made */
        (void)mkdir(config->state_dir, STATE_MODE);
    }
    add(&paths, config->state_dir, PIN_LANDLOCK_READ | PIN_LANDLOCK_WRITE);
    if (config->tap.log_file != NULL) {
        add(&paths, above(&paths, config->tap.log_file), PIN_LANDLOCK_READ | PIN_LANDLOCK_WRITE);
    }
    for (size_t i = 0; i < config->n_records; i++) {
        add(&paths, config->records[i].zonefile.directory, PIN_LANDLOCK_READ | PIN_LANDLOCK_WRITE);
    }
    for (size_t i = 0; i < config->n_sandbox_reads; i++) {
        add(&paths, config->sandbox_reads[i], PIN_LANDLOCK_READ);
    }
    for (size_t i = 0; i < config->n_sandbox_writes; i++) {
        add(&paths, config->sandbox_writes[i], PIN_LANDLOCK_READ | PIN_LANDLOCK_WRITE);
    }
    enum pin_err err = paths.is_full ? pin_why_set(why, PIN_ELIMIT, "more than %d paths", PATHS_MAX)
                                     : pin_landlock_start(paths.items, paths.n, runs_programs, why);
    free(paths.items);
    return err;
}

/* One part of it. */
struct part {
    const char *name;
    const char *on;       /* what is said when it is */
    const char *obstacle; /* why it is not even tried; NULL: nothing */
    unsigned wanted;      /* enum pin_config_switch, or more */
};

/* Done, left out with a reason, or a failure where it has to be on; `err` and `trouble` say what
 * became of it where nothing was in the way. */
static enum pin_err note(const struct part *part, enum pin_err err, const struct pin_why *trouble,
    struct pin_sandbox *sandbox, struct pin_why *why)
{
    struct pin_text *text = &sandbox->text;
    const char *reason = part->obstacle != NULL ? part->obstacle : trouble->text;
    if (part->wanted == PIN_CONFIG_OFF) {
        pin_text_putf(text, "%s off, ", part->name);
    } else if (part->obstacle == NULL && err == PIN_OK) {
        pin_text_putf(text, "%s %s, ", part->name, part->on);
    } else if (part->wanted == PIN_CONFIG_AUTO) {
        pin_text_putf(text, "%s off (%s), ", part->name, reason);
    } else {
        return pin_why_set(
            why, PIN_EUNSUPPORTED, "sandbox.%s cannot be on: %s", part->name, reason);
    }
    return PIN_OK;
}

static enum pin_err confine_files(const struct pin_config *config, bool runs_programs,
    const char *obstacle, struct pin_sandbox *sandbox, struct pin_why *why)
{
    char on[32];
    struct pin_why trouble = {0};
    enum pin_err err = PIN_OK;
    if (obstacle == NULL && runs_programs && config->landlock == PIN_CONFIG_AUTO) {
        obstacle = "programs are run, whose files nobody can list";
    }
    (void)snprintf(on, sizeof(on), "ABI %d", obstacle == NULL ? pin_landlock_abi() : 0);
    if (obstacle == NULL && config->landlock != PIN_CONFIG_OFF) {
        err = start_landlock(config, runs_programs, &trouble);
    }
    const struct part part = {"landlock", on, obstacle, config->landlock};
    return note(&part, err, &trouble, sandbox, why);
}

static enum pin_err confine_calls(const struct pin_config *config, bool runs_programs,
    const char *obstacle, struct pin_sandbox *sandbox, struct pin_why *why)
{
    struct pin_why trouble = {0};
    enum pin_err err = PIN_OK;
    const bool kills = config->seccomp == PIN_CONFIG_KILL;
    const char *on = runs_programs ? "on, programs may be run" : "on";
    if (obstacle == NULL && config->seccomp != PIN_CONFIG_OFF) {
        err = pin_seccomp_start(
            runs_programs, kills ? PIN_SECCOMP_KILLED : PIN_SECCOMP_REFUSED, &trouble);
    }
    const struct part part = {"seccomp", kills ? "kills" : on, obstacle, config->seccomp};
    return note(&part, err, &trouble, sandbox, why);
}

static bool is_low(uint16_t port)
{
    return port > 0 && port < PORT_PRIVILEGED_END;
}

static bool wants_low_ports(const struct pin_config *config)
{
    bool wants = is_low(config->admin.port) || is_low(config->metrics.port);
    for (size_t i = 0; i < config->n_listens; i++) {
        wants = wants || is_low(config->listens[i].address.port);
    }
    return wants;
}

enum pin_err pin_sandbox_start(const struct pin_config *config, bool runs_programs, bool is_service,
    struct pin_sandbox *ret_sandbox, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    const char *obstacle = pin_sandbox_obstacle();
    runs_programs =
        config->programs == PIN_CONFIG_ON || (config->programs == PIN_CONFIG_AUTO && runs_programs);
    if (config->user != NULL) {
        err = pin_privilege_drop(config->user, config->state_dir, wants_low_ports(config), why);
    }
    bool is_fixed = pin_privilege_no_new();
    if (!config->dumps && obstacle == NULL) {
        pin_privilege_hide(is_service);
    }
    if (err == PIN_OK) { /* first: it makes calls that the other one forbids */
        err = confine_files(config, runs_programs, obstacle, ret_sandbox, why);
    }
    if (err == PIN_OK) {
        err = confine_calls(config, runs_programs, obstacle, ret_sandbox, why);
    }
    pin_text_putf(&ret_sandbox->text, "%s, %s",
        is_fixed ? "no_new_privs" : "new privileges possible",
        config->dumps || obstacle != NULL ? "dumps possible" : "no dumps");
    if (err == PIN_OK) {
        pin_log_info("app: sandbox: %s", pin_text_get(&ret_sandbox->text));
    }
    return err;
}
