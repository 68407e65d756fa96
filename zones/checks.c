/* SPDX-License-Identifier: Apache-2.0 */

/* From annotations and policies to slots, and from a plan to what its answer reads of them. */

#include "zones/checks.h"

#include <string.h>

#include "pintle/base/macros.h"

/* --- which check ---------------------------------------------------------------------------------
 */

static bool is_about(const struct pin_object *policy, const char *namespace_name, const char *name)
{
    const struct pin_target_group_body *body = &policy->as.target_group;
    return body->check != NULL && (body->is_service || body->is_export)
           && strcmp(body->target, name) == 0
           && strcmp(policy->namespace_name, namespace_name) == 0;
}

static bool is_older(const struct pin_object *a, const struct pin_object *b)
{
    return a->created_s != b->created_s ? a->created_s < b->created_s
                                        : strcmp(a->name, b->name) < 0;
}

const struct pin_object *pin_checks_find_policy(const struct pin_catalog *catalog,
    uint16_t cluster_id, const char *namespace_name, const char *name)
{
    const struct pin_object *best = NULL;
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->clusters[cluster_id].objects[PIN_KIND_TARGET_GROUP_POLICY],
        &cursor, NULL, NULL, &value)) {
        const struct pin_object *policy = value;
        if (is_about(policy, namespace_name, name) && (best == NULL || is_older(policy, best))) {
            best = policy;
        }
    }
    return best;
}

/* The object of one cluster that says how the name is checked, and what it says. */
static const struct pin_object *find_teller(
    const struct pin_member *member, const struct pin_check **ret_check)
{
    const struct pin_object *objects[] = {
        member->service, member->export_, member->aws_export, member->import};
    for (size_t i = 0; i < N_ELEMS(objects); i++) {
        if (objects[i] != NULL && objects[i]->steering->check != NULL) {
            *ret_check = objects[i]->steering->check;
            return objects[i];
        }
    }
    if (member->target_group != NULL) {
        *ret_check = member->target_group->as.target_group.check;
    }
    return member->target_group;
}

/* What is said for clusters that say nothing themselves: by the oldest object of all. */
static const struct pin_check *find_common(
    const struct pin_settings *settings, const struct pin_service_unit *unit)
{
    const struct pin_check *common = NULL;
    const struct pin_object *teller = NULL;
    const char *teller_cluster = NULL;
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        const char *cluster = settings->clusters[member->cluster_id].name;
        const struct pin_check *check = NULL;
        const struct pin_object *object = member->is_dropped ? NULL : find_teller(member, &check);
        if (object != NULL
            && (teller == NULL || object->created_s < teller->created_s
                || (object->created_s == teller->created_s
                    && strcmp(cluster, teller_cluster) < 0))) {
            common = check;
            teller = object;
            teller_cluster = cluster;
        }
    }
    return common;
}

bool pin_checks_settle(
    const struct pin_settings *settings, struct pin_facts *facts, struct pin_arena *arena)
{
    const struct pin_check *common = find_common(settings, facts->unit);
    for (size_t i = 0; i < facts->unit->n_members; i++) {
        if (!facts->unit->members[i].is_dropped) {
            pin_checks_lend(facts, &facts->unit->members[i]);
        }
    }
    struct pin_contribution_slots *slots =
        pin_arena_alloc(arena, (facts->n_contributions + 1) * sizeof(*slots));
    for (size_t c = 0; slots != NULL && c < facts->n_contributions; c++) {
        const struct pin_member *member =
            pin_unit_member(facts->unit, facts->contributions[c].cluster_id);
        facts->contributions[c].slots = &slots[c];
        facts->contributions[c].is_probing = member != NULL && member->is_probing;
        if (facts->contributions[c].check == NULL) {
            facts->contributions[c].check = common;
        }
    }
    return slots != NULL;
}

void pin_checks_lend(struct pin_facts *facts, const struct pin_member *exporter)
{
    const struct pin_check *check = NULL;
    if (find_teller(exporter, &check) == NULL) {
        return;
    }
    for (size_t c = 0; c < facts->n_contributions; c++) {
        if (facts->contributions[c].cluster_id == exporter->cluster_id
            && facts->contributions[c].check == NULL) {
            facts->contributions[c].check = check;
        }
    }
}

/* How endpoints of a cluster out of reach are asked when nothing else is said. */
static const struct pin_check stale_check = {.protocol = PIN_CHECK_TCP,
    .is_enabled = true,
    .rise = 2,
    .fall = 3,
    .interval_s = 10,
    .timeout_s = 5,
    .path = "/"};

const struct pin_check *pin_checks_member(const struct pin_settings *settings,
    const struct pin_service_unit *unit, const struct pin_member *member)
{
    const struct pin_check *check = NULL;
    if (find_teller(member, &check) == NULL) {
        check = find_common(settings, unit);
    }
    if (check != NULL && check->is_enabled) {
        return check;
    }
    return member->is_probing ? &stale_check : NULL;
}

/* The check in force; NULL for none. A route's own goes first. */
static const struct pin_check *check_of(
    const struct pin_steer *steer, const struct pin_contribution *c)
{
    const struct pin_check *check = steer->check != NULL ? steer->check : c->check;
    if (check != NULL && check->is_enabled) {
        return check;
    }
    return c->is_probing ? &stale_check : NULL;
}

/* --- which port ----------------------------------------------------------------------------------
 */

/* The first TCP port of the Service that the plan reaches; NULL for none. */
static const struct pin_port *service_port(const struct pin_contribution *c)
{
    for (size_t i = 0; c->service != NULL && i < c->service->as.service.n_ports; i++) {
        const struct pin_port *port = &c->service->as.service.ports[i];
        if (port->protocol == PIN_PROTOCOL_TCP && pin_steer_reaches(c, port)) {
            return port;
        }
    }
    return NULL;
}

/* The port that the endpoint listens on for it; 0 when it has none over TCP. */
static uint16_t endpoint_port(const struct pin_contribution *c, const struct pin_ready *ready)
{
    const struct pin_slice_body *slice = &ready->slice->as.slice;
    const struct pin_port *port = service_port(c);
    for (size_t i = 0; i < slice->n_ports; i++) {
        const struct pin_port *own = &slice->ports[i];
        bool is_same =
            port == NULL || own->name == port->name
            || (own->name != NULL && port->name != NULL && strcmp(own->name, port->name) == 0);
        if (own->protocol == PIN_PROTOCOL_TCP && is_same) {
            return own->port;
        }
    }
    return 0;
}

/* --- slots
 * ------------------------------------------------------------------------------------------ */

static uint32_t take(const struct pin_steer *steer, const struct pin_check *check,
    const struct pin_ip *ip, uint16_t own_port)
{
    uint16_t port = check->port != 0 ? check->port : own_port;
    if (port == 0 && check->protocol != PIN_CHECK_COMMAND) {
        return PIN_SLOT_NONE;
    }
    return steer->holding != NULL ? pin_holding_take(steer->holding, ip, port, check)
                                  : pin_health_find(steer->catalog->live.health, ip, port, check);
}

static void note_check(struct pin_plan *plan, const struct pin_check *check)
{
    plan->has_checks = true;
    plan->window_s = PIN_MAX(plan->window_s, pin_check_window_s(check));
}

/* Slots of all ready endpoints of a family; NULL when none is checked. */
static const uint32_t *slots_of(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, enum pin_family_i f)
{
    const struct pin_check *check = check_of(steer, c);
    const struct pin_settings *settings = steer->settings;
    if (check == NULL
        || settings->networks[settings->clusters[c->cluster_id].network].is_unprobed) {
        return NULL;
    }
    if (c->slots->slots[f] == NULL) {
        uint32_t *slots = pin_arena_alloc(steer->arena, (c->n_ready[f] + 1) * sizeof(*slots));
        if (slots == NULL) {
            plan->is_out_of_memory = true;
            return NULL;
        }
        for (uint32_t i = 0; i < c->n_ready[f]; i++) {
            const struct pin_ready *ready = &c->ready[f][i];
            slots[i] = take(steer, check, &ready->ip, endpoint_port(c, ready));
            c->slots->has_any[f] = c->slots->has_any[f] || slots[i] != PIN_SLOT_NONE;
        }
        c->slots->slots[f] = slots;
    }
    if (c->slots->has_any[f]) {
        note_check(plan, check);
    }
    return c->slots->slots[f];
}

uint32_t pin_checks_endpoint(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, enum pin_family_i family_i, uint32_t i)
{
    const uint32_t *slots = slots_of(steer, plan, c, family_i);
    return slots != NULL ? slots[i] : PIN_SLOT_NONE;
}

uint32_t pin_checks_outside(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, const struct pin_ip *ip)
{
    const struct pin_check *check = check_of(steer, c);
    if (check == NULL) {
        return PIN_SLOT_NONE;
    }
    const struct pin_port *port = service_port(c);
    uint32_t slot = take(steer, check, ip, port != NULL ? port->port : 0);
    if (slot != PIN_SLOT_NONE) {
        note_check(plan, check);
    }
    return slot;
}

/* The family of endpoints that stands for all of them. */
static enum pin_family_i larger_family(const struct pin_contribution *c)
{
    return c->n_ready[PIN_FAMILY_V6] > c->n_ready[PIN_FAMILY_V4] ? PIN_FAMILY_V6 : PIN_FAMILY_V4;
}

void pin_checks_members(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c)
{
    enum pin_family_i f = larger_family(c);
    struct pin_weight_group *group = &plan->groups[plan->n_groups - 1];
    const uint32_t *slots = slots_of(steer, plan, c, f);
    for (uint32_t i = 0; slots != NULL && i < c->n_ready[f]; i++) {
        if (slots[i] == PIN_SLOT_NONE) {
            return; /* one that is always up keeps the address up */
        }
    }
    if (slots != NULL) {
        group->members = slots;
        group->n_members = c->n_ready[f];
    }
}

uint32_t pin_checks_count(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c)
{
    enum pin_family_i f = larger_family(c);
    const uint32_t *slots = slots_of(steer, plan, c, f);
    if (slots == NULL) {
        return c->n_ready[f];
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_ready[f]; i++) {
        n += pin_health_is_up(steer->catalog->live.health, slots[i]);
    }
    if (steer->holding != NULL) {
        steer->holding->holds.counts = true;
    }
    return n;
}

bool pin_checks_is_alive(const struct pin_steer *steer, uint32_t slot)
{
    const struct pin_live *live = &steer->catalog->live;
    return slot == PIN_SLOT_NONE
           || pin_health_unpack(pin_health_word(live->verdicts, slot)).verdict != PIN_VERDICT_DOWN;
}

uint32_t pin_checks_alive(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c)
{
    enum pin_family_i f = larger_family(c);
    const uint32_t *slots = slots_of(steer, plan, c, f);
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_ready[f]; i++) {
        n += slots == NULL || pin_checks_is_alive(steer, slots[i]);
    }
    if (steer->holding != NULL) {
        steer->holding->holds.counts = true;
    }
    return n;
}

/* --- what the answer reads
 * ---------------------------------------------------------------------------- */

/* Sizes of what pin_checks_compile() makes. */
struct sizes {
    size_t n_items;
    size_t n_groups;
    size_t n_members;
    size_t n_backends;
};

static struct sizes measure(const struct pin_plan *plan, size_t n_rr)
{
    struct sizes sizes = {.n_backends = plan->n_backends};
    for (size_t i = 0; i < plan->n_items; i++) {
        sizes.n_items += plan->items[i].rr_i < n_rr;
    }
    for (size_t i = 0; i < plan->n_groups; i++) {
        sizes.n_groups += !plan->groups[i].is_empty;
        sizes.n_members += plan->groups[i].n_members;
    }
    return sizes;
}

/* Copies the items of one group of the plan from `*at` on; those whose RR did not fit are left out.
 */
static uint32_t copy_items(const struct pin_plan *plan, size_t group_i, size_t n_rr, size_t *at,
    struct pin_checked_item *to)
{
    uint32_t n = 0;
    for (; *at < plan->n_items && plan->items[*at].group_i == group_i; (*at)++) {
        const struct pin_plan_item *item = &plan->items[*at];
        if (item->rr_i < n_rr) {
            to[n++] = (struct pin_checked_item){
                .slot = item->slot, .rr_i = (uint16_t)item->rr_i, .is_again = item->is_again};
        }
    }
    return n;
}

static void fill(const struct pin_plan *plan, size_t n_rr, struct pin_checked *checked,
    struct pin_checked_group *groups, struct pin_checked_item *items, uint32_t *members)
{
    size_t at = 0;
    for (size_t i = 0; i < plan->n_groups; i++) {
        const struct pin_weight_group *from = &plan->groups[i];
        uint32_t n_items = copy_items(plan, i, n_rr, &at, items + checked->n_items);
        if (from->is_empty || n_items == 0) {
            continue;
        }
        groups[checked->n_groups++] = (struct pin_checked_group){.backend_i = from->backend_i,
            .weight = from->is_counted ? 0 : (uint32_t)PIN_MIN(from->weight, UINT32_MAX),
            .count = (uint32_t)PIN_MIN(from->weight, UINT32_MAX),
            .first_item = checked->n_items,
            .n_items = n_items,
            .first_member = checked->n_members,
            .n_members = from->n_members};
        if (from->n_members > 0) {
            memcpy(members + checked->n_members, from->members, from->n_members * sizeof(*members));
        }
        checked->n_items += n_items;
        checked->n_members += from->n_members;
    }
}

const struct pin_checked *pin_checks_compile(const struct pin_steer *steer,
    const struct pin_plan *plan, size_t n_rr, const struct pin_check_want *want)
{
    struct sizes sizes = measure(plan, n_rr);
    bool is_alone = n_rr == 1 && want->all_down != PIN_ALL_DOWN_NONE;
    if (!plan->has_checks || is_alone || sizes.n_items + sizes.n_members > PIN_CHECKED_MAX) {
        return NULL; /* no verdict can change the answer, or it has more addresses than we count */
    }
    struct pin_checked *checked = pin_arena_alloc(steer->arena, sizeof(*checked));
    struct pin_checked_group *groups =
        pin_arena_alloc(steer->arena, (sizes.n_groups + 1) * sizeof(*groups));
    struct pin_checked_item *items =
        pin_arena_alloc(steer->arena, (sizes.n_items + 1) * sizeof(*items));
    uint32_t *members = pin_arena_alloc(steer->arena, (sizes.n_members + 1) * sizeof(*members));
    if (checked == NULL || groups == NULL || items == NULL || members == NULL) {
        return NULL;
    }
    *checked = (struct pin_checked){.all_down = want->all_down,
        .keeps_nodata = steer->settings->is_empty_backend_nodata,
        .n_limit = want->n_limit,
        .up_percent = want->up_percent,
        .window_s = plan->window_s,
        .n_backends = (uint32_t)sizes.n_backends,
        .backends = plan->backends,
        .groups = groups,
        .items = items,
        .members = members};
    fill(plan, n_rr, checked, groups, items, members);
    return checked;
}

const struct pin_checked *pin_checks_compile_rows(const struct pin_steer *steer,
    const uint32_t *slots, size_t n_rr, uint32_t window_s, const struct pin_check_want *want)
{
    static const uint32_t backend = 1;
    bool has_any = false;
    for (size_t i = 0; i < n_rr; i++) {
        has_any = has_any || slots[i] != PIN_SLOT_NONE;
    }
    bool is_alone = n_rr == 1 && want->all_down != PIN_ALL_DOWN_NONE;
    if (!has_any || is_alone || n_rr > PIN_CHECKED_MAX) {
        return NULL;
    }
    struct pin_checked *checked = pin_arena_alloc(steer->arena, sizeof(*checked));
    struct pin_checked_group *group = pin_arena_alloc(steer->arena, sizeof(*group));
    struct pin_checked_item *items = pin_arena_alloc(steer->arena, n_rr * sizeof(*items));
    if (checked == NULL || group == NULL || items == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n_rr; i++) {
        items[i] = (struct pin_checked_item){.slot = slots[i], .rr_i = (uint16_t)i};
    }
    *group = (struct pin_checked_group){.weight = 1, .count = 1, .n_items = (uint32_t)n_rr};
    *checked = (struct pin_checked){.all_down = want->all_down,
        .n_limit = want->n_limit,
        .up_percent = want->up_percent,
        .window_s = window_s,
        .n_backends = 1,
        .n_groups = 1,
        .n_items = (uint32_t)n_rr,
        .backends = &backend,
        .groups = group,
        .items = items};
    return checked;
}
