/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl sysdump: all that the daemon shows, in one file.
 *
 *     pintle-sysdump/README.txt, status.json, metrics.txt, ...    the pages, as they are
 *     pintle-sysdump/log.txt                                      the latest lines of the log
 *     pintle-sysdump/clusters/pintle.yaml                         what decides answers beside them
 *     pintle-sysdump/clusters/static-1.zone                       a static zone
 *     pintle-sysdump/clusters/c1/cluster.yaml, objects-0001.json  what is known of a cluster
 *
 * The clusters are directories as `pintled --clusters-dir` reads them: it gives the same answers.
 * The daemon never reads Secrets, and shows no secret of its own.
 */

#include <stdio.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/version.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/screen.h"
#include "cli/tarball.h"

#define TOP      "pintle-sysdump/"
#define NAME_MAX 100

static const char readme[] =
    "A dump of pintled, made by pintlectl " PIN_VERSION ".\n"
    "\n"
    "log.txt                    the daemon's latest lines, 128 KiB at most\n"
    "status.json, metrics.txt   how it is: version, listeners, clusters; counters\n"
    "findings.json              what is wrong, with codes and fixes (docs/codes.md)\n"
    "config.json                the configuration in force, secrets masked\n"
    "records*.json              zones of others that it writes: state, plan, differences\n"
    "clusters.json, names.json, drains.json, log.json\n"
    "                           these pages of the admin side, as they were\n"
    "clusters/NAME/             a cluster's objects, as far as they change answers; of Pods their\n"
    "                           addresses, where a policy asks for namespaces\n"
    "clusters/static-N.zone     static zones as they were read, without remarks\n"
    "clusters/pintle.yaml       what of the configuration decides answers\n"
    "\n"
    "To replay it, in this directory:\n"
    "\n"
    "    pintled --clusters-dir clusters\n"
    "    pintlectl explain NAME --from CLUSTER\n"
    "    dig @127.0.0.1 -p 5300 NAME\n"
    "\n"
    "It answers as the daemon did to askers with the same addresses. What it does not have: the "
    "geo\n"
    "database (rules by range are there), drains, what health probes and lookups of gateways' "
    "names\n"
    "found, forwarding, records and whatever else belongs to other servers.\n"
    "\n"
    "pintled reads no Secret of a cluster and shows no secret of its own. Names, addresses, "
    "labels\n"
    "and lines of the log are in here: look through it before it goes to others.\n";

/* One page, and how the file is called. */
struct page {
    const char *path;
    const char *file;
    bool is_needed;
};

static const struct page pages[] = {
    {"/api/v1/status", "status.json", true},
    {"/api/v1/clusters", "clusters.json", true},
    {"/api/v1/names", "names.json", true},
    {"/metrics", "metrics.txt", true},
    {"/api/v1/config", "config.json", false},
    {"/api/v1/findings", "findings.json", false},
    {"/api/v1/drains", "drains.json", false},
    {"/api/v1/log", "log.json", false},
    {"/api/v1/log/lines", "log.txt", false},
    {"/api/v1/records", "records.json", false},
    {"/api/v1/records/plan", "records-plan.json", false},
    {"/api/v1/records/drift", "records-drift.json", false},
};

/* A dump under way. */
struct dump {
    const struct pin_ctl *ctl;
    struct pin_tarball *tarball;
    size_t n_objects;
};

/* A page as it is; one that is not there is left out unless it is needed. */
static enum pin_ctl_exit dump_page(struct dump *self, const struct page *page)
{
    struct pin_api_reply reply = {0};
    struct pin_why why = {0};
    char name[NAME_MAX];
    pin_screen_tell("sysdump: %s", page->file);
    enum pin_err err = pin_api_get_text(self->ctl->admin, page->path, &reply, &why);
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    if (err == PIN_OK && reply.status == 200) {
        (void)snprintf(name, sizeof(name), TOP "%s", page->file);
        pin_tarball_put(self->tarball, name, pin_text_get(&reply.body), reply.body.len);
    } else if (err != PIN_OK || page->is_needed) {
        pin_screen_clear();
        exit_code = pin_api_judge(err, &reply, &why);
    }
    pin_api_reply_done(&reply);
    return exit_code;
}

/* --- Objects -------------------------------------------------------------------------------- */

/* The part's objects as a manifest: kind List; a cluster without any has a directory, too. */
static void put_list(
    struct dump *self, const char *cluster, size_t part, const struct pin_tree *tree)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    char name[NAME_MAX];
    const struct pin_tree *items = pin_tree_list(tree, "items");
    if (items == NULL || (items->n_children == 0 && part > 1)) {
        return;
    }
    self->n_objects += items->n_children;
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "apiVersion", "v1");
    pin_jsonout_key_string(&json, "kind", "List");
    pin_jsonout_key(&json, "items");
    pin_jsonout_tree(&json, items);
    pin_jsonout_end(&json);
    pin_text_putc(&text, '\n');
    (void)snprintf(name, sizeof(name), TOP "clusters/%s/objects-%04zu.json", cluster, part);
    pin_tarball_put(self->tarball, name, pin_text_get(&text), text.len);
    pin_text_done(&text);
}

/* What cluster.yaml says. */
static void put_settings(struct dump *self, const char *cluster, const struct pin_tree *tree)
{
    const struct pin_tree *settings = pin_tree_map(tree, "settings");
    struct pin_text text = {0};
    char name[NAME_MAX];
    if (settings == NULL || settings->n_children == 0) {
        return;
    }
    pin_emit_yaml(&text, settings);
    (void)snprintf(name, sizeof(name), TOP "clusters/%s/cluster.yaml", cluster);
    pin_tarball_put(self->tarball, name, pin_text_get(&text), text.len);
    pin_text_done(&text);
}

static enum pin_ctl_exit dump_cluster(struct dump *self, const char *cluster)
{
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    char after[600] = "";
    size_t part = 0;
    bool goes_on = false;
    do {
        struct pin_api_reply reply = {0};
        struct pin_text path = {0};
        pin_text_puts(&path, "/api/v1/clusters/");
        pin_api_put_escaped(&path, cluster);
        pin_text_puts(&path, "/objects?after=");
        pin_api_put_escaped(&path, after);
        pin_screen_tell("sysdump: %s, %zu objects", cluster, self->n_objects);
        exit_code = pin_api_fetch(self->ctl, pin_text_get(&path), &reply);
        if (exit_code == PIN_CTL_OK) {
            if (part == 0) {
                put_settings(self, cluster, reply.tree);
            }
            put_list(self, cluster, ++part, reply.tree);
        }
        const char *next = exit_code == PIN_CTL_OK ? pin_tree_string(reply.tree, "next", "") : "";
        goes_on = next[0] != '\0' && strcmp(next, after) != 0;
        (void)snprintf(after, sizeof(after), "%s", next);
        pin_text_done(&path);
        pin_api_reply_done(&reply);
    } while (goes_on);
    return exit_code;
}

static enum pin_ctl_exit dump_clusters(struct dump *self)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(self->ctl, "/api/v1/clusters", &reply);
    const struct pin_tree *items =
        exit_code == PIN_CTL_OK ? pin_tree_list(reply.tree, "items") : NULL;
    PIN_TREE_EACH(item, items)
    {
        const char *name = pin_tree_string(item, "name", "");
        if (exit_code == PIN_CTL_OK && name[0] != '\0' && strchr(name, '/') == NULL) {
            exit_code = dump_cluster(self, name);
        }
    }
    pin_api_reply_done(&reply);
    return exit_code;
}

/* The records of a static zone, part by part, as one file. */
static enum pin_ctl_exit dump_zone(struct dump *self, const char *zone, const char *file)
{
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    struct pin_text text = {0};
    char after[24] = "";
    char name[NAME_MAX];
    do {
        struct pin_api_reply reply = {0};
        struct pin_text path = {0};
        pin_text_puts(&path, "/api/v1/zones?zone=");
        pin_api_put_escaped(&path, zone);
        pin_text_putf(&path, "&after=%s", after);
        pin_screen_tell("sysdump: %s", zone);
        exit_code = pin_api_fetch(self->ctl, pin_text_get(&path), &reply);
        after[0] = '\0';
        if (exit_code == PIN_CTL_OK) {
            pin_text_puts(&text, pin_tree_string(reply.tree, "text", ""));
            (void)snprintf(after, sizeof(after), "%s", pin_tree_string(reply.tree, "next", ""));
        }
        pin_text_done(&path);
        pin_api_reply_done(&reply);
    } while (after[0] != '\0');
    (void)snprintf(name, sizeof(name), TOP "clusters/%s", file);
    if (exit_code == PIN_CTL_OK) {
        pin_tarball_put(self->tarball, name, pin_text_get(&text), text.len);
    }
    pin_text_done(&text);
    return exit_code;
}

/* The configuration beside the clusters, without which they would be answered in another way. */
static enum pin_ctl_exit dump_config(struct dump *self)
{
    struct pin_api_reply reply = {0};
    struct pin_text text = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(self->ctl, "/api/v1/replay", &reply);
    if (exit_code == PIN_CTL_OK) {
        pin_emit_yaml(&text, reply.tree);
        pin_tarball_put(self->tarball, TOP "clusters/pintle.yaml", pin_text_get(&text), text.len);
    }
    const struct pin_tree *files =
        exit_code == PIN_CTL_OK ? pin_tree_list(reply.tree, "zones.files") : NULL;
    PIN_TREE_EACH(item, files)
    {
        const char *file = pin_tree_string(item, "file", "");
        if (exit_code == PIN_CTL_OK && file[0] != '\0' && strchr(file, '/') == NULL) {
            exit_code = dump_zone(self, pin_tree_string(item, "zone", ""), file);
        }
    }
    pin_text_done(&text);
    pin_api_reply_done(&reply);
    return exit_code;
}

/* --- The command ---------------------------------------------------------------------------- */

/* "pintle-sysdump-2026-11-21T03-04-05Z.tgz" */
static void default_file(int64_t wall_ms, char file[NAME_MAX])
{
    char moment[PIN_CLOCK_TEXT_MAX];
    pin_clock_format(wall_ms, moment);
    moment[strcspn(moment, ".")] = '\0';
    for (char *c = moment; *c != '\0'; c++) {
        if (*c == ':') {
            *c = '-';
        }
    }
    (void)snprintf(file, NAME_MAX, "pintle-sysdump-%sZ.tgz", moment);
}

static enum pin_ctl_exit dump_all(struct dump *self)
{
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    for (size_t i = 0; i < N_ELEMS(pages) && exit_code == PIN_CTL_OK; i++) {
        exit_code = dump_page(self, &pages[i]);
    }
    pin_tarball_put(self->tarball, TOP "README.txt", readme, sizeof(readme) - 1);
    exit_code = exit_code == PIN_CTL_OK ? dump_config(self) : exit_code;
    return exit_code == PIN_CTL_OK ? dump_clusters(self) : exit_code;
}

enum pin_ctl_exit pin_ctl_sysdump(const struct pin_ctl *ctl)
{
    int64_t wall_ms = pin_clock_wall_ms();
    struct dump self = {.ctl = ctl};
    struct pin_why why = {0};
    char file[NAME_MAX];
    default_file(wall_ms, file);
    const char *path = ctl->file != NULL ? ctl->file : file;
    if (pin_tarball_open(path, wall_ms / 1000, &self.tarball, &why) != PIN_OK) {
        (void)fprintf(stderr, "pintlectl: %s\n", why.text);
        return PIN_CTL_FAILED;
    }
    enum pin_ctl_exit exit_code = dump_all(&self);
    pin_screen_clear();
    if (exit_code != PIN_CTL_OK) {
        pin_tarball_drop(self.tarball);
    } else if (pin_tarball_close(self.tarball, &why) != PIN_OK) {
        (void)fprintf(stderr, "pintlectl: %s\n", why.text);
        exit_code = PIN_CTL_FAILED;
    } else {
        (void)fprintf(stderr, "%s: %zu objects; it replays with pintled --clusters-dir\n", path,
            self.n_objects);
    }
    return exit_code;
}
