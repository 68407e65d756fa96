/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl records apply, approve, adopt: runs that are ordered, and waited for. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"

#include "cli/records_show.h"
#include "cli/screen.h"

#define PATH       "/api/v1/records"
#define POLL_US    100000
#define HASH_BYTES 16

/* A run of one zone that was ordered. */
struct awaited {
    char entry[PIN_RECORDS_NAME_MAX];
    char zone[PIN_RECORDS_NAME_MAX];
    long long n_runs; /* that end before it does */
    long long n_ran;  /* that had ended when it was ordered */
};

/* Runs that are under way. */
struct runs {
    struct awaited *items;
    size_t n;
};

/* --- Ordering ------------------------------------------------------------------------------- */

/* What an order says. Texts that are NULL or "" are left out. */
struct order {
    const char *verb; /* "apply" */
    const char *entry;
    const char *zone;
    const char *hash;
    const char *from_owner;
};

static void put_member(struct pin_jsonout *json, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        pin_jsonout_key_string(json, key, value);
    }
}

/* Notes what the daemon says it will run. */
static bool add_runs(struct runs *runs, const struct pin_tree *items)
{
    PIN_TREE_EACH(item, items)
    {
        struct awaited *grown = realloc(runs->items, (runs->n + 1) * sizeof(runs->items[0]));
        if (grown == NULL) {
            return false;
        }
        runs->items = grown;
        struct awaited *run = &grown[runs->n++];
        (void)snprintf(run->entry, sizeof(run->entry), "%s", pin_tree_string(item, "records", ""));
        (void)snprintf(run->zone, sizeof(run->zone), "%s", pin_tree_string(item, "zone", ""));
        run->n_runs = pin_tree_int(item, "runs", 0);
        run->n_ran = pin_tree_int(item, "ran", 0);
    }
    return true;
}

static enum pin_ctl_exit give(
    const struct pin_ctl *ctl, const struct order *order, struct runs *runs)
{
    struct pin_api_reply reply = {0};
    struct pin_text body = {0};
    struct pin_text path = {0};
    struct pin_jsonout json = pin_jsonout_init(&body);
    pin_jsonout_object(&json);
    put_member(&json, "records", order->entry);
    put_member(&json, "zone", order->zone);
    put_member(&json, "hash", order->hash);
    put_member(&json, "fromOwner", order->from_owner);
    pin_jsonout_end(&json);
    pin_text_putf(&path, PATH "/%s", order->verb);
    enum pin_ctl_exit exit_code = pin_api_order(
        ctl, &(struct pin_api_order){"POST", pin_text_get(&path), pin_text_get(&body)}, &reply);
    if (exit_code == PIN_CTL_OK && !add_runs(runs, pin_tree_list(reply.tree, "items"))) {
        (void)fprintf(stderr, "pintlectl: out of memory\n");
        exit_code = PIN_CTL_FAILED;
    }
    pin_api_reply_done(&reply);
    pin_text_done(&body);
    pin_text_done(&path);
    return exit_code;
}

/* --- Waiting -------------------------------------------------------------------------------- */

/* Whether a run has ended. PIN_CTL_FAILED: it never will, which is told. */
static enum pin_ctl_exit look_at(
    const struct pin_records *self, const struct awaited *run, bool *ret_has_ended)
{
    const struct pin_tree *zone =
        pin_records_zone(pin_tree_list(self->overview.tree, "items"), run->entry, run->zone);
    long long n_runs = pin_tree_int(zone, "runs", 0);
    if (zone == NULL || n_runs < run->n_ran) {
        (void)fprintf(stderr, "pintlectl: %s (%s): pintled has been %s meanwhile\n", run->zone,
            run->entry, zone == NULL ? "configured anew" : "restarted");
        return PIN_CTL_FAILED;
    }
    *ret_has_ended = n_runs > run->n_runs;
    return PIN_CTL_OK;
}

/* Looks once at all that have not ended; *ret_last is one of them, or NULL. */
static enum pin_ctl_exit look_at_all(struct pin_records *self, const struct runs *runs,
    const struct awaited **ret_last, size_t *ret_n_ended)
{
    enum pin_ctl_exit exit_code = pin_records_look(self);
    *ret_last = NULL;
    *ret_n_ended = 0;
    for (size_t i = 0; i < runs->n && exit_code == PIN_CTL_OK; i++) {
        bool has_ended = false;
        exit_code = look_at(self, &runs->items[i], &has_ended);
        *ret_last = has_ended ? *ret_last : &runs->items[i];
        *ret_n_ended += has_ended;
    }
    return exit_code;
}

static enum pin_ctl_exit wait_for(struct pin_records *self, const struct runs *runs)
{
    int64_t deadline_ms = pin_clock_mono_ms() + (int64_t)self->ctl->wait_ms;
    for (;;) {
        const struct awaited *last = NULL;
        size_t n_ended = 0;
        enum pin_ctl_exit exit_code = look_at_all(self, runs, &last, &n_ended);
        if (exit_code != PIN_CTL_OK || last == NULL) {
            pin_screen_clear();
            return exit_code;
        }
        if (pin_clock_mono_ms() >= deadline_ms) {
            const struct pin_tree *zone = pin_records_zone(
                pin_tree_list(self->overview.tree, "items"), last->entry, last->zone);
            pin_screen_clear();
            (void)fprintf(stderr,
                "pintlectl: %s (%s) is %s after %" PRIu64 " s; the run goes on without us\n",
                last->zone, last->entry, pin_tree_string(zone, "state", "not ready"),
                self->ctl->wait_ms / 1000);
            return PIN_CTL_TIMED_OUT;
        }
        pin_screen_tell("%zu of %zu zones done, waiting for %s (%s)", n_ended, runs->n, last->zone,
            last->entry);
        (void)usleep(POLL_US);
    }
}

static bool wants_a_zone(const struct pin_records *self)
{
    if (self->scope.name[0] != '\0') {
        (void)fprintf(stderr,
            "pintlectl: \"%s\" is a record: say its zone, %s, which is looked at as a whole\n",
            self->scope.name, self->scope.zone);
        return false;
    }
    return true;
}

/* --- apply ---------------------------------------------------------------------------------- */

static enum pin_ctl_exit apply(struct pin_records *self, struct runs *runs)
{
    const struct order order = {
        self->ctl->dry_run ? "plan" : "apply", self->scope.entry, self->scope.zone, NULL, NULL};
    enum pin_ctl_exit exit_code = give(self->ctl, &order, runs);
    exit_code = exit_code == PIN_CTL_OK ? wait_for(self, runs) : exit_code;
    if (exit_code == PIN_CTL_OK && self->ctl->dry_run) {
        (void)fputs("nothing was changed: this is what a run would do now\n", stderr);
    }
    return exit_code == PIN_CTL_OK ? pin_records_show_plan(self, !self->ctl->dry_run)
                                   : pin_records_exit(self->ctl, exit_code);
}

enum pin_ctl_exit pin_ctl_records_apply(const struct pin_ctl *ctl)
{
    struct pin_records self = {.ctl = ctl};
    struct runs runs = {0};
    enum pin_ctl_exit exit_code =
        pin_records_exit(ctl, pin_records_open(&self, ctl->n_words > 0 ? ctl->words[0] : NULL));
    if (exit_code == PIN_CTL_OK) {
        exit_code = wants_a_zone(&self) ? apply(&self, &runs) : PIN_CTL_FAILED;
    }
    free(runs.items);
    pin_records_done(&self);
    return exit_code;
}

/* --- approve -------------------------------------------------------------------------------- */

static bool is_hash(const char *word)
{
    return strlen(word) == HASH_BYTES && strspn(word, "0123456789abcdef") == HASH_BYTES;
}

/* Orders the deletions of each zone that waits for that hash. */
static enum pin_ctl_exit approve_all(struct pin_records *self, const char *hash, struct runs *runs)
{
    PIN_TREE_EACH(entry, pin_tree_list(self->overview.tree, "items"))
    {
        PIN_TREE_EACH(zone, pin_tree_list(entry, "zones"))
        {
            if (strcmp(pin_tree_string(zone, "approval", ""), hash) != 0) {
                continue;
            }
            const struct order order = {"approve", pin_tree_string(entry, "records", ""),
                pin_tree_string(zone, "zone", ""), hash, NULL};
            enum pin_ctl_exit exit_code = give(self->ctl, &order, runs);
            if (exit_code != PIN_CTL_OK) {
                return exit_code;
            }
        }
    }
    if (runs->n == 0) {
        (void)fprintf(stderr,
            "pintlectl: no zone waits for %s: it was approved, or the deletions are others by now "
            "(pintlectl records plan)\n",
            hash);
        return PIN_CTL_FAILED;
    }
    return PIN_CTL_OK;
}

enum pin_ctl_exit pin_ctl_records_approve(const struct pin_ctl *ctl)
{
    struct pin_records self = {.ctl = ctl};
    struct runs runs = {0};
    if (!is_hash(ctl->words[0])) {
        (void)fprintf(stderr,
            "pintlectl: \"%s\" is no hash: 16 digits, as pintlectl records plan prints them\n",
            ctl->words[0]);
        return PIN_CTL_USAGE;
    }
    enum pin_ctl_exit exit_code = pin_records_open(&self, NULL);
    exit_code = exit_code == PIN_CTL_OK ? approve_all(&self, ctl->words[0], &runs) : exit_code;
    if (exit_code == PIN_CTL_OK && runs.n == 1) {
        (void)snprintf(self.scope.entry, sizeof(self.scope.entry), "%s", runs.items[0].entry);
        (void)snprintf(self.scope.zone, sizeof(self.scope.zone), "%s", runs.items[0].zone);
    }
    exit_code = exit_code == PIN_CTL_OK ? wait_for(&self, &runs) : exit_code;
    exit_code = exit_code == PIN_CTL_OK ? pin_records_show_plan(&self, true) : exit_code;
    free(runs.items);
    pin_records_done(&self);
    return exit_code;
}

/* --- adopt ---------------------------------------------------------------------------------- */

/* What a zone's planned adoption is, or NULL; only one of the owner that is meant. */
static const struct pin_tree *adoption_of(const struct pin_ctl *ctl, const struct pin_tree *zone)
{
    const struct pin_tree *adoption = pin_tree_map(zone, "adoption");
    return strcmp(pin_tree_string(adoption, "fromOwner", ""), ctl->from_owner) == 0 ? adoption
                                                                                    : NULL;
}

/*
 * Orders each zone of the scope: without a hash to plan, with the hash of its plan to do it. Zones
 * where nothing is to be taken over are passed over then.
 */
static enum pin_ctl_exit adopt_all(struct pin_records *self, bool is_confirmed, struct runs *runs)
{
    PIN_TREE_EACH(entry, pin_tree_list(self->overview.tree, "items"))
    {
        const char *records = pin_tree_string(entry, "records", "");
        PIN_TREE_EACH(zone, pin_tree_list(entry, "zones"))
        {
            const char *name = pin_tree_string(zone, "zone", "");
            const struct pin_tree *adoption = adoption_of(self->ctl, zone);
            if (!pin_records_is_chosen(&self->scope, records, name)
                || (is_confirmed && pin_tree_int(adoption, "changes", 0) == 0)) {
                continue;
            }
            const struct order order = {"adopt", records, name,
                is_confirmed ? pin_tree_string(adoption, "hash", "") : "", self->ctl->from_owner};
            enum pin_ctl_exit exit_code = give(self->ctl, &order, runs);
            if (exit_code != PIN_CTL_OK) {
                return exit_code;
            }
        }
    }
    return PIN_CTL_OK;
}

/* Tells what hindered the runs that have ended. */
static enum pin_ctl_exit check_faults(const struct pin_records *self, const struct runs *runs)
{
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    for (size_t i = 0; i < runs->n; i++) {
        const struct awaited *run = &runs->items[i];
        const struct pin_tree *zone =
            pin_records_zone(pin_tree_list(self->overview.tree, "items"), run->entry, run->zone);
        if (pin_records_tell_fault(run->entry, zone)) {
            exit_code = PIN_CTL_FAILED;
        }
    }
    return exit_code;
}

/* Tells of zones that were not taken over because their plan has changed. */
static enum pin_ctl_exit check_adopted(const struct pin_records *self, const struct runs *runs)
{
    enum pin_ctl_exit exit_code = check_faults(self, runs);
    for (size_t i = 0; i < runs->n; i++) {
        const struct awaited *run = &runs->items[i];
        const struct pin_tree *zone =
            pin_records_zone(pin_tree_list(self->overview.tree, "items"), run->entry, run->zone);
        if (pin_tree_int(adoption_of(self->ctl, zone), "changes", 0) > 0) {
            (void)fprintf(stderr,
                "pintlectl: %s (%s): what is to be taken over has changed meanwhile, so nothing "
                "was: look at it again\n",
                run->zone, run->entry);
            exit_code = PIN_CTL_FAILED;
        }
    }
    return exit_code;
}

/* A question on the terminal; false without one. */
static bool confirm(const struct pin_ctl *ctl, size_t n)
{
    char line[16] = "";
    if (ctl->yes) {
        return true;
    }
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        (void)fputs("pintlectl: nothing is changed; --yes takes them over\n", stderr);
        return false;
    }
    (void)fflush(stdout);
    (void)fprintf(stderr, "Take %zu %s over from owner \"%s\"? [y/N] ", n,
        n == 1 ? "record" : "records", ctl->from_owner);
    bool is_yes = fgets(line, sizeof(line), stdin) != NULL
                  && (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0);
    if (!is_yes) {
        (void)fputs("nothing is changed\n", stderr);
    }
    return is_yes;
}

/* Writes the new owner, as planned and shown. */
static enum pin_ctl_exit take_over(struct pin_records *self, struct runs *runs, size_t n)
{
    free(runs->items);
    *runs = (struct runs){0};
    enum pin_ctl_exit exit_code = adopt_all(self, true, runs);
    exit_code = exit_code == PIN_CTL_OK ? wait_for(self, runs) : exit_code;
    exit_code = exit_code == PIN_CTL_OK ? check_adopted(self, runs) : exit_code;
    if (exit_code == PIN_CTL_OK) {
        (void)fprintf(stderr, "%zu %s taken over; pintlectl records plan shows what comes next\n",
            n, n == 1 ? "record is" : "records are");
    }
    return exit_code;
}

static enum pin_ctl_exit adopt(struct pin_records *self, struct runs *runs)
{
    enum pin_ctl_exit exit_code = adopt_all(self, false, runs);
    exit_code = exit_code == PIN_CTL_OK ? wait_for(self, runs) : exit_code;
    exit_code = exit_code == PIN_CTL_OK ? check_faults(self, runs) : exit_code;
    if (exit_code == PIN_CTL_OK) {
        exit_code =
            pin_records_read(self, &(struct pin_records_page){.name = "plan", .is_adoption = true});
    }
    if (exit_code != PIN_CTL_OK) {
        return exit_code;
    }
    struct pin_records_view view = pin_records_view_of(self);
    view.is_adoption = true;
    size_t n = pin_records_count_left(self->page);
    if (!pin_records_print(self->ctl, &view)) {
        return PIN_CTL_FAILED;
    }
    if (n == 0) {
        (void)fprintf(
            stderr, "nothing that is wanted here belongs to owner \"%s\"\n", self->ctl->from_owner);
        return PIN_CTL_OK;
    }
    return confirm(self->ctl, n) ? take_over(self, runs, n) : PIN_CTL_FAILED;
}

enum pin_ctl_exit pin_ctl_records_adopt(const struct pin_ctl *ctl)
{
    struct pin_records self = {.ctl = ctl};
    struct runs runs = {0};
    enum pin_ctl_exit exit_code = pin_records_open(&self, ctl->n_words > 0 ? ctl->words[0] : NULL);
    if (exit_code == PIN_CTL_OK) {
        exit_code = wants_a_zone(&self) ? adopt(&self, &runs) : PIN_CTL_FAILED;
    }
    free(runs.items);
    pin_records_done(&self);
    return exit_code;
}
