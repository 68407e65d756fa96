/* SPDX-License-Identifier: Apache-2.0 */

/* Targets and credentials: read, run for, read again, and told when they are about to end. */

#include "access.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/crypto.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "backoff.h"
#include "command.h"
#include "exec.h"
#include "kubeconfig.h"
#include "token.h"

#define RENEWED_TEXT    "credentials were renewed"
#define RELOAD_EVERY_MS 60000
#define DAY_MS          ((int64_t)86400000)
/* A plugin runs again when a fifth of the time is left, but a day before at most. */
#define LEAD_DIVISOR   5
#define LEAD_MIN_MS    ((int64_t)5000)
#define BUSY_AGAIN_MS  500  /* Others' plugins run. */
#define RUN_GAP_MS     5000 /* Between two runs, whatever happens. */
#define RUN_HEALTHY_MS 60000
/* Codes of the source's `access`. */
#define TROUBLE_TARGET  1
#define TROUBLE_PLUGIN  2
#define TROUBLE_EXPIRED 3

struct pin_access {
    struct pin_access_host *host;
    char *kubeconfig;
    char *context;
    bool is_in_cluster;
    struct pin_target *target; /* NULL: none could be made. */
    struct pin_timer *reload_timer;
    /* The plugin of `target`, if it has one. */
    struct pin_timer *plugin_timer;
    struct pin_command *run;
    struct pin_credential credential; /* What it gave last. */
    bool has_credential;
    bool has_run;
    bool is_due;          /* It runs when the timer fires, whatever the credential's end. */
    int64_t ran_ms;       /* When it was begun last. */
    int64_t got_wall_ms;  /* When `credential` came. */
    int64_t told_wall_ms; /* The end that was told to be near. */
    struct pin_backoff backoff;
    bool is_started;
};

static void clear_trouble(struct pin_access *self)
{
    struct pin_source *source = self->host->source;
    pin_source_set_trouble(source, &source->access, 0, "", "%s", "");
}

/* --- When credentials end ------------------------------------------------------------------- */

/* The earlier end, where 0 is none. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The end of the token. One in a file is exchanged before it ends by whoever writes it, for a Pod
 * each hour, so that it counts only when that was not done. 0: it is not known, or does not matter.
 */
static int64_t find_token_end(const struct pin_target *target)
{
    if (target == NULL || target->token == NULL || target->exec != NULL) {
        return 0;
    }
    int64_t end = pin_token_end(target->token);
    return target->token_file != NULL && end > pin_clock_wall_ms() ? 0 : end;
}

static int64_t find_end(const struct pin_access *self)
{
    int64_t certificate = 0;
    int64_t plugin = self->has_credential ? self->credential.expires_wall_ms : 0;
    if (self->target != NULL && self->target->certificate.data != NULL) {
        (void)pin_certificate_expiry(
            self->target->certificate.data, self->target->certificate.bytes, &certificate);
    }
    return earlier(earlier(certificate, plugin), find_token_end(self->target));
}

bool pin_access_is_over(const struct pin_access *self)
{
    int64_t end = find_end(self);
    return end != 0 && end <= pin_clock_wall_ms();
}

static bool ends_soon(const struct pin_access *self)
{
    int64_t end = self->host->source->stats.credentials_expire_wall_ms;
    return end != 0 && end - pin_clock_wall_ms() < DAY_MS;
}

/* Told once for each end; that of a plugin's credential only when the plugin gives no better one.
 */
static void check_end(struct pin_access *self)
{
    struct pin_source *source = self->host->source;
    char text[PIN_CLOCK_TEXT_MAX];
    int64_t end = find_end(self);
    source->stats.credentials_expire_wall_ms = end;
    bool is_renewed = self->has_credential && source->access.code == 0;
    if (!ends_soon(self) || is_renewed || end == self->told_wall_ms) {
        return;
    }
    self->told_wall_ms = end;
    pin_clock_format(end, text);
    bool is_over = end <= pin_clock_wall_ms();
    pin_log_write(NULL, PIN_LOG_WARN, "%s: our credentials %s at %s; to do: %s", source->where,
        is_over ? "have expired" : "expire", text, pin_access_hint(self));
}

const char *pin_access_hint(const struct pin_access *access)
{
    const struct pin_target *target = access->target;
    if (target == NULL) {
        return "correct the kubeconfig";
    }
    if (target->exec != NULL) {
        return "run the exec plugin of the kubeconfig by hand and see what it says";
    }
    if (target->token_file != NULL) {
        return "check the token file, it is read again each minute";
    }
    return target->certificate_file != NULL
               ? "renew the client certificate's file, it is read again each minute"
               : "renew the user's token or client certificate in the kubeconfig";
}

/* --- Taking what is new --------------------------------------------------------------------- */

/* Runs the plugin of the target from the loop, whatever it gave before. */
static void run_soon(struct pin_access *self)
{
    self->is_due = true;
    pin_timer_start(self->plugin_timer, 0, false);
}

static void tell_host(struct pin_access *self, bool is_reconnect)
{
    check_end(self);
    self->host->on_change(self->host, is_reconnect);
}

static void forget_credential(struct pin_access *self)
{
    pin_timer_stop(self->plugin_timer);
    pin_credential_done(&self->credential);
    self->has_credential = false;
    self->has_run = false;
    self->is_due = false;
    self->backoff = (struct pin_backoff){0};
}

/*
 * Puts into a new target what the plugin gave last, if it is for the same server: until a changed
 * plugin has spoken, the former's word is used on. False when memory is out.
 */
static bool carry_credential(struct pin_access *self, struct pin_target *target)
{
    const struct pin_target *old = self->target;
    if (!self->has_credential) {
        return true;
    }
    if (old == NULL || target->exec == NULL || strcmp(old->server, target->server) != 0) {
        forget_credential(self);
        return true;
    }
    return pin_credential_apply(&self->credential, target);
}

/* Takes a target that is not the one in use. */
static void adopt(struct pin_access *self, struct pin_target *target)
{
    struct pin_target *old = self->target;
    bool is_other_plugin = old == NULL || !pin_exec_is_same(old->exec, target->exec);
    bool is_reconnect = old != NULL && !pin_target_is_same_peer(old, target);
    bool is_renewed = old != NULL && pin_target_is_renewed(old, target);
    if (is_other_plugin) {
        pin_command_cancel(self->run);
        self->run = NULL;
    }
    self->target = target;
    if (self->is_started && old != NULL) {
        pin_log_info("%s: %s", self->host->source->where,
            is_renewed ? RENEWED_TEXT : "the kubeconfig has changed, using what it says now");
    }
    if (self->is_started) {
        tell_host(self, is_reconnect);
    }
    if (self->is_started && target->exec != NULL && (is_other_plugin || !self->has_credential)) {
        run_soon(self);
    }
    pin_target_free(old);
}

static enum pin_err load_target(
    struct pin_access *self, struct pin_target **ret_target, struct pin_why *why)
{
    struct pin_kubeconfig *kubeconfig = NULL;
    if (self->is_in_cluster) {
        return pin_target_in_cluster(NULL, ret_target, why);
    }
    enum pin_err err = pin_kubeconfig_load(self->kubeconfig, !self->is_started, &kubeconfig, why);
    if (err == PIN_ENOTFOUND && self->kubeconfig == NULL && self->context == NULL
        && pin_target_is_in_cluster()) {
        return pin_target_in_cluster(NULL, ret_target, why);
    }
    if (err == PIN_OK) {
        err = pin_kubeconfig_target(kubeconfig, self->context, ret_target, why);
        pin_kubeconfig_free(kubeconfig);
    }
    return err;
}

/* A kubeconfig that is being rewritten is nothing to lose a cluster for: what there was stays. */
static void find_target(struct pin_access *self)
{
    struct pin_source *source = self->host->source;
    struct pin_why why = {0};
    struct pin_target *target = NULL;
    if (load_target(self, &target, &why) != PIN_OK) {
        pin_source_set_trouble(source, &source->access, TROUBLE_TARGET,
            self->target == NULL ? "" : "correct it; what was read before is used on", "%s",
            why.text);
        check_end(self);
        return;
    }
    if (source->access.code == TROUBLE_TARGET) {
        pin_log_info("%s: the kubeconfig can be used now", source->where);
        clear_trouble(self);
    }
    if (!carry_credential(self, target)) {
        pin_log_error("%s: out of memory, using what was read before", source->where);
        pin_target_free(target);
    } else if (self->target != NULL && pin_target_is_same(self->target, target)) {
        pin_target_free(target);
        check_end(self);
    } else {
        adopt(self, target);
    }
}

/* Files the kubeconfig points at; a cluster that is up keeps its kubeconfig. */
static void refresh_target(struct pin_access *self)
{
    struct pin_why why = {0};
    enum pin_target_change change = PIN_TARGET_SAME;
    if (pin_target_refresh(self->target, &change, &why) != PIN_OK) {
        pin_log_warn("%s: %s; using what was read before", self->host->source->where, why.text);
    }
    if (change != PIN_TARGET_SAME) {
        pin_log_info("%s: %s", self->host->source->where, RENEWED_TEXT);
        tell_host(self, change == PIN_TARGET_PEER);
    } else {
        check_end(self);
    }
}

/* Once a minute, and after a refusal. What is out of reach may have moved: all is read again. */
static void on_reload_timer(void *arg)
{
    struct pin_access *self = arg;
    pin_timer_start(self->reload_timer, RELOAD_EVERY_MS, false);
    if (self->target != NULL && self->host->source->stats.is_up && !ends_soon(self)) {
        refresh_target(self);
    } else {
        find_target(self);
    }
}

/* --- Plugins -------------------------------------------------------------------------------- */

/* When the plugin is to run again, by the clock on the wall; 0: when its credential is refused. */
static int64_t next_run_wall_ms(const struct pin_access *self)
{
    int64_t end = self->credential.expires_wall_ms;
    int64_t lead = PIN_MIN((end - self->got_wall_ms) / LEAD_DIVISOR, DAY_MS);
    return end == 0 ? 0 : end - PIN_MAX(lead, LEAD_MIN_MS);
}

/* The clock on the wall may jump, so it is looked at once a minute. */
static void plan_run(struct pin_access *self)
{
    int64_t next = next_run_wall_ms(self);
    if (next != 0) {
        int64_t wait_ms = PIN_MAX(next - pin_clock_wall_ms(), (int64_t)RUN_GAP_MS);
        pin_timer_start(self->plugin_timer, PIN_MIN(wait_ms, (int64_t)RELOAD_EVERY_MS), false);
    }
}

/* After a failure, or after a refusal of what it gave. */
static void plan_again(struct pin_access *self)
{
    int64_t since_ms = pin_clock_mono_ms() - self->ran_ms;
    self->is_due = true;
    pin_timer_start(
        self->plugin_timer, RUN_GAP_MS + pin_backoff_next(&self->backoff, since_ms, -1), false);
}

static void plugin_failed(struct pin_access *self, int code, const struct pin_why *why)
{
    struct pin_source *source = self->host->source;
    const char *hint = self->target->exec->hint;
    pin_source_set_trouble(source, &source->access, code,
        hint != NULL ? hint : pin_access_hint(self), "%s; %s", why->text,
        self->has_credential ? "what it gave before is used on" : pin_source_kept(source));
    plan_again(self);
    if (self->has_credential) {
        check_end(self);
    } else {
        tell_host(self, false);
    }
}

/* Says what is wrong with a credential that came. Whose end has passed, it is tried nevertheless:
 * the clock here may be wrong. */
static void judge_end(struct pin_access *self)
{
    char text[PIN_CLOCK_TEXT_MAX];
    struct pin_why why = {0};
    int64_t end = self->credential.expires_wall_ms;
    if (end == 0 || end > self->got_wall_ms) {
        clear_trouble(self);
        plan_run(self);
        return;
    }
    pin_clock_format(end, text);
    (void)pin_why_set(&why, PIN_EINVAL, "exec plugin '%s' gave a credential that expired at %s",
        self->target->exec->command, text);
    plugin_failed(self, TROUBLE_EXPIRED, &why);
}

/* Owns the credential. */
static void take_credential(struct pin_access *self, struct pin_credential *credential)
{
    struct pin_why why = {0};
    bool is_reconnect = credential->key.data != NULL || self->credential.key.data != NULL;
    if (!pin_credential_apply(credential, self->target)) {
        (void)pin_why_set(&why, PIN_ENOMEM, "no memory for a credential");
        pin_credential_done(credential);
        plugin_failed(self, TROUBLE_PLUGIN, &why);
        return;
    }
    is_reconnect = is_reconnect && self->has_credential;
    pin_credential_done(&self->credential);
    self->credential = *credential;
    self->has_credential = true;
    self->got_wall_ms = pin_clock_wall_ms();
    judge_end(self);
    tell_host(self, is_reconnect);
}

static void on_plugin_done(void *arg, const struct pin_command_result *result)
{
    struct pin_access *self = arg;
    struct pin_credential credential = {0};
    struct pin_why why = {0};
    self->run = NULL;
    if (pin_exec_judge(self->target->exec, result, &credential, &why) == PIN_OK) {
        take_credential(self, &credential);
    } else {
        plugin_failed(self, TROUBLE_PLUGIN, &why);
    }
}

static void run_plugin(struct pin_access *self)
{
    struct pin_why why = {0};
    enum pin_err err = pin_exec_start(
        self->host->commands, self->target->exec, on_plugin_done, self, &self->run, &why);
    if (err == PIN_EBUSY) {
        pin_timer_start(self->plugin_timer, BUSY_AGAIN_MS, false);
        return;
    }
    self->is_due = false;
    self->has_run = true;
    self->ran_ms = pin_clock_mono_ms();
    if (err != PIN_OK) {
        pin_why_wrap(&why, "exec plugin");
        plugin_failed(self, TROUBLE_PLUGIN, &why);
    }
}

static void on_plugin_timer(void *arg)
{
    struct pin_access *self = arg;
    if (self->target == NULL || self->target->exec == NULL || self->run != NULL) {
        return;
    }
    int64_t next = next_run_wall_ms(self);
    if (self->is_due || (next != 0 && next <= pin_clock_wall_ms())) {
        run_plugin(self);
    } else {
        plan_run(self);
    }
}

/* --- Life ----------------------------------------------------------------------------------- */

void pin_access_refused(struct pin_access *access)
{
    pin_timer_start(access->reload_timer, 0, false);
    if (access->target == NULL || access->target->exec == NULL || access->run != NULL
        || access->is_due) {
        return;
    }
    if (pin_clock_mono_ms() - access->ran_ms >= RUN_HEALTHY_MS) {
        run_soon(access);
    } else {
        plan_again(access);
    }
}

const struct pin_target *pin_access_target(const struct pin_access *access)
{
    const struct pin_target *target = access->target;
    return target != NULL && target->exec != NULL && !access->has_credential ? NULL : target;
}

bool pin_access_is_pending(const struct pin_access *access)
{
    return access->target != NULL && access->target->exec != NULL && !access->has_credential
           && (access->run != NULL || !access->has_run);
}

void pin_access_start(struct pin_access *access)
{
    access->is_started = true;
    check_end(access);
    pin_timer_start(access->reload_timer, RELOAD_EVERY_MS, false);
    if (access->target != NULL && access->target->exec != NULL) {
        run_soon(access);
    }
}

void pin_access_stop(struct pin_access *access)
{
    access->is_started = false;
    pin_timer_stop(access->reload_timer);
    pin_timer_stop(access->plugin_timer);
    pin_command_cancel(access->run);
    access->run = NULL;
}

/* Copies a text that may be NULL. */
static bool copy_text(const char *text, char **ret)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

struct pin_access *pin_access_new(struct pin_access_host *host, const struct pin_source_spec *spec)
{
    struct pin_loop *loop = host->source->loop;
    struct pin_access *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->host = host;
    self->is_in_cluster = spec->kind == PIN_SOURCE_IN_CLUSTER;
    self->reload_timer = pin_timer_new(loop, on_reload_timer, self);
    self->plugin_timer = pin_timer_new(loop, on_plugin_timer, self);
    bool is_ok = copy_text(spec->kubeconfig, &self->kubeconfig)
                 && copy_text(spec->context, &self->context) && self->reload_timer != NULL
                 && self->plugin_timer != NULL;
    if (!is_ok) {
        pin_access_free(self);
        return NULL;
    }
    find_target(self);
    return self;
}

void pin_access_free(struct pin_access *access)
{
    if (access == NULL) {
        return;
    }
    pin_command_cancel(access->run);
    pin_timer_free(access->reload_timer);
    pin_timer_free(access->plugin_timer);
    pin_target_free(access->target);
    pin_credential_done(&access->credential);
    free(access->kubeconfig);
    free(access->context);
    free(access);
}
