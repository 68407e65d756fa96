/* SPDX-License-Identifier: Apache-2.0 */

/* Conditions of ServiceExports and of imports that are ours, with the API's types and reasons
 * (multicluster.x-k8s.io, v1beta1). */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "zones/conditions.h"
#include "zones/exports.h"
#include "zones/writes.h"

#define CONDITIONS 3

/* "clusters": [{"cluster": "c1"}, ...] */
static void put_clusters(struct pin_jsonout *json, const struct pin_settings *settings,
    const struct pin_exports *exports)
{
    pin_jsonout_key(json, "clusters");
    pin_jsonout_array(json);
    for (size_t i = 0; i < exports->n_members; i++) {
        pin_jsonout_object(json);
        pin_jsonout_key_string(
            json, "cluster", settings->clusters[exports->members[i]->cluster_id].name);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

/* An object whose status is settled. */
struct target {
    const struct pin_object *object;
    const struct pin_exports *exports; /* of an import, NULL of an export */
    uint16_t cluster_id;
};

/* Applies the conditions unless they are shown; takes them away when they are and should not. */
static void settle(struct pin_write_run *run, const struct target *target,
    const struct pin_said *conditions, size_t n)
{
    const struct pin_settings *settings = run->catalog->settings;
    const struct pin_written *written = target->object->written;
    const struct pin_shown shown = {
        written != NULL ? written->conditions : NULL, written != NULL ? written->n_conditions : 0};
    bool is_on = settings->writes.status;
    run->n_wanted += is_on ? 1 : 0;
    if (is_on == pin_said_are_shown(&shown, conditions, n)) {
        return;
    }
    struct pin_text body = {0};
    struct pin_jsonout json = pin_jsonout_init(&body);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "metadata");
    pin_jsonout_object(&json);
    pin_writes_put_key(&json, target->object);
    pin_jsonout_end(&json);
    pin_jsonout_key(&json, "status");
    pin_jsonout_object(&json);
    if (is_on && target->exports != NULL) {
        put_clusters(&json, settings, target->exports);
    }
    if (is_on) {
        pin_said_put(&json, &shown, conditions, n, run->wall_ms);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    (void)pin_writes_add(run, PIN_WRITE_APPLY_STATUS, target->cluster_id, target->object, &body);
    pin_text_done(&body);
}

/* "PortConflict,TypeConflict", and what it means. */
static void say_conflict(
    const struct pin_write_run *run, const struct pin_exports *exports, struct pin_said *c)
{
    static const struct {
        unsigned bit;
        const char *reason;
        const char *what;
    } all[] = {
        {PIN_CONFLICT_PORTS, "PortConflict", "ports"},
        {PIN_CONFLICT_TYPE, "TypeConflict", "type"},
        {PIN_CONFLICT_AFFINITY, "SessionAffinityConflict", "sessionAffinity"},
    };
    char reasons[96] = "";
    char whats[96] = "";
    for (size_t i = 0; i < N_ELEMS(all); i++) {
        if ((exports->conflicts & all[i].bit) != 0) {
            size_t at = strlen(reasons);
            size_t what_at = strlen(whats);
            (void)snprintf(
                reasons + at, sizeof(reasons) - at, "%s%s", at > 0 ? "," : "", all[i].reason);
            (void)snprintf(whats + what_at, sizeof(whats) - what_at, "%s%s",
                what_at > 0 ? ", " : "", all[i].what);
        }
    }
    const char *oldest = run->catalog->settings->clusters[exports->members[0]->cluster_id].name;
    pin_say(c, "Conflict", true, reasons, "");
    (void)snprintf(c->message, sizeof(c->message),
        "exports of different clusters differ in %s; the oldest one, of cluster %s, counts first",
        whats, oldest);
}

static void settle_export(
    struct pin_write_run *run, const struct pin_exports *exports, const struct pin_member *member)
{
    struct pin_said all[CONDITIONS];
    const struct pin_object *service = member->service;
    bool is_external = service != NULL && service->as.service.external_name != NULL;
    bool is_valid = service != NULL && !is_external;
    pin_say(&all[0], "Valid", is_valid,
        is_valid      ? "Valid"
        : is_external ? "InvalidServiceType"
                      : "NoService",
        is_valid      ? "the Service can be exported"
        : is_external ? "a Service of type ExternalName cannot be exported"
                      : "there is no Service of that name");
    pin_say(&all[1], "Ready", is_valid, is_valid ? "Exported" : "Failed",
        is_valid ? "known to all clusters of the set" : "it is not exported, see Valid");
    pin_say(&all[2], "Conflict", false, "NoConflicts", "no export of another cluster differs");
    if (is_valid && exports->conflicts != 0) {
        say_conflict(run, exports, &all[2]);
    }
    if (!is_valid) {
        pin_writes_tell(run, member->cluster_id, member->export_, all[0].reason, all[0].message);
    } else if (exports->conflicts != 0) {
        pin_writes_tell(run, member->cluster_id, member->export_, "ExportConflict", all[2].message);
    }
    if (member->export_->written->complaint != NULL) {
        pin_writes_tell(run, member->cluster_id, member->export_, "UnreadableAnnotation",
            member->export_->written->complaint);
    }
    const struct target target = {.object = member->export_, .cluster_id = member->cluster_id};
    settle(run, &target, all, CONDITIONS);
}

/* An import that is ours: ready with its address. The message names who exports. */
static void settle_import(
    struct pin_write_run *run, const struct pin_exports *exports, const struct pin_member *member)
{
    struct pin_said ready;
    const struct pin_import_body *import = &member->import->as.import;
    bool is_ready = import->is_headless || import->n_ips > 0;
    pin_say(&ready, "Ready", is_ready, is_ready ? "Ready" : "Pending", "");
    (void)snprintf(ready.message, sizeof(ready.message), "%s; exported by %.900s",
        is_ready ? "it can be used" : "it has no address yet",
        member->import->written->exporters != NULL ? member->import->written->exporters : "");
    const struct target target = {
        .object = member->import, .exports = exports, .cluster_id = member->cluster_id};
    settle(run, &target, &ready, 1);
}

void pin_writes_status(struct pin_write_run *run, const struct pin_exports *exports)
{
    const struct pin_service_unit *unit = exports->unit;
    if (pin_exports_are_partial(run->catalog)) {
        return; /* who differs from an export that nobody has listed yet, nobody knows */
    }
    for (size_t i = 0; unit != NULL && i < unit->n_members && !run->has_failed; i++) {
        const struct pin_member *member = &unit->members[i];
        if (!pin_writes_may(run->catalog, member->cluster_id)) {
            continue;
        }
        if (member->export_ != NULL && member->export_->written != NULL
            && member->export_->written->uid != NULL) {
            settle_export(run, exports, member);
        }
        bool is_ours = member->import != NULL && member->import->written != NULL
                       && member->import->written->applied != 0;
        if (is_ours && exports->n_members > 0 && run->catalog->settings->writes.mcs) {
            settle_import(run, exports, member);
        }
    }
}
