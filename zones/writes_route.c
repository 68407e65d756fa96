/* SPDX-License-Identifier: Apache-2.0 */

/* What a route should say: its status, and its assigned name by our annotation and by the AWS
 * controller's. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "zones/writes.h"

/* One annotation: where it stands, whether it is to be there, what is there. */
struct annotation {
    const char *key;
    const char *manager;
    const char *shown;
    bool is_on;
    bool is_soft;
};

static void apply(struct pin_write_run *run, const struct pin_route_unit *route,
    const struct annotation *a, const char *value)
{
    struct pin_text body = {0};
    struct pin_jsonout json = pin_jsonout_init(&body);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "metadata");
    pin_jsonout_object(&json);
    pin_writes_put_key(&json, route->object);
    if (value != NULL) { /* without it, the field manager lets go of what it had */
        pin_jsonout_key(&json, "annotations");
        pin_jsonout_object(&json);
        pin_jsonout_key_string(&json, a->key, value);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    struct pin_write *write =
        pin_writes_add(run, PIN_WRITE_APPLY, route->cluster_id, route->object, &body);
    if (write != NULL) {
        write->manager = a->manager;
        write->is_soft = a->is_soft;
    }
    pin_text_done(&body);
}

/* What keeps the route from what it asks for. */
static void tell(struct pin_write_run *run, const struct pin_route_unit *route)
{
    char note[PIN_NAME_TEXT_MAX + 512];
    char name[PIN_NAME_TEXT_MAX];
    for (size_t i = 0; i < route->n_hosts; i++) {
        const struct pin_host_unit *host = route->hosts[i];
        const struct pin_route_unit *owner = pin_host_owner(host);
        if (owner == route) {
            continue;
        }
        pin_name_format(host->name.wire, name);
        name[strlen(name) - 1] = '\0';
        if (owner == NULL) {
            (void)snprintf(note, sizeof(note),
                "hostname %s is not answered for this route: a zone file has that name", name);
        } else {
            (void)snprintf(note, sizeof(note),
                "hostname %s is not answered for this route: %.400s claims it too and goes first "
                "(the oldest, then by name)",
                name, owner->key);
        }
        pin_writes_tell(run, route->cluster_id, route->object, "HostnameConflict", note);
    }
    if (route->object->written->complaint != NULL) {
        pin_writes_tell(run, route->cluster_id, route->object, "UnreadableAnnotation",
            route->object->written->complaint);
    }
}

void pin_writes_route(struct pin_write_run *run, struct pin_route_unit *route)
{
    const struct pin_write_switches *on = &run->catalog->settings->writes;
    const struct pin_written *written = route->object->written;
    /* Without a uid an apply could make a route that has just gone. */
    if (!pin_writes_may(run->catalog, route->cluster_id) || written == NULL
        || written->uid == NULL) {
        return;
    }
    pin_writes_parents(run, route);
    tell(run, route);
    run->n_wanted += on->annotations || on->lattice ? 1 : 0;
    const struct annotation annotations[] = {
        {PIN_WRITE_ASSIGNED, PIN_WRITE_MANAGER, written->assigned, on->annotations, false},
        {PIN_WRITE_LATTICE, PIN_WRITE_MANAGER_SOFT, written->lattice, on->lattice, true},
    };
    char name[PIN_NAME_TEXT_MAX];
    pin_name_format(route->assigned.wire, name);
    name[strlen(name) - 1] = '\0';
    for (size_t i = 0; i < N_ELEMS(annotations); i++) {
        const struct annotation *a = &annotations[i];
        bool is_shown = a->shown != NULL && strcmp(a->shown, name) == 0;
        if (a->is_on && !is_shown) {
            apply(run, route, a, name);
        } else if (!a->is_on && is_shown) {
            apply(run, route, a, NULL); /* another value there is not ours */
        }
    }
}
