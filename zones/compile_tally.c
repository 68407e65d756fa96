/* SPDX-License-Identifier: Apache-2.0 */

/* What is counted of a route's answers: the addresses of each backend in each cluster. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "zones/compile.h"

#define GATEWAY "gateway"

/* "namespace/name" of the share's backend; NULL when memory is out. */
static const char *backend_text(
    struct pin_compile *run, const struct pin_plan *plan, const struct pin_share *share)
{
    const struct pin_route_rule *rule = pin_route_rule(run->counted->object);
    uint32_t backend_i = plan->groups[share->group_i].backend_i;
    if (plan->is_l7 || rule == NULL || backend_i >= rule->n_backends) {
        return GATEWAY;
    }
    const struct pin_backend_ref *ref = &rule->backends[backend_i];
    size_t bytes = strlen(ref->namespace_name) + strlen(ref->name) + 2;
    char *text = pin_arena_alloc(run->steer.arena, bytes);
    if (text != NULL) {
        (void)snprintf(text, bytes, "%s/%s", ref->namespace_name, ref->name);
    }
    return text;
}

/* Whether two shares are of one part. */
static bool is_same_part(
    const struct pin_plan *plan, const struct pin_share *a, const struct pin_share *b)
{
    return a->cluster_id == b->cluster_id
           && plan->groups[a->group_i].backend_i == plan->groups[b->group_i].backend_i;
}

/* Begins the part of a share; false: memory is out. */
static bool add_part(struct pin_compile *run, const struct pin_plan *plan,
    const struct pin_share *share, struct pin_tally_part *ret_part)
{
    const struct pin_settings *settings = run->catalog->settings;
    *ret_part = (struct pin_tally_part){.cluster = share->cluster_id == PIN_CLUSTER_NONE
                                                       ? ""
                                                       : settings->clusters[share->cluster_id].name,
        .backend = backend_text(run, plan, share)};
    return ret_part->backend != NULL;
}

const struct pin_tally_want *pin_compile_tally(
    struct pin_compile *run, const struct pin_plan *plan, size_t n)
{
    struct pin_arena *arena = run->steer.arena;
    if (run->counted == NULL) {
        return NULL;
    }
    struct pin_tally_want *want = pin_arena_alloc(arena, sizeof(*want));
    uint8_t *part_of = pin_arena_alloc(arena, n);
    struct pin_tally_part *parts =
        pin_arena_alloc(arena, PIN_MIN(n, PIN_TALLY_PARTS_MAX) * sizeof(*parts));
    double all = (double)plan->nodata_weight;
    size_t n_parts = 0;
    bool is_good = want != NULL && part_of != NULL && parts != NULL;
    for (size_t i = 0; is_good && i < n; i++) {
        bool is_new = i == 0 || !is_same_part(plan, &plan->shares[i - 1], &plan->shares[i]);
        if (is_new && n_parts < PIN_TALLY_PARTS_MAX) {
            is_good = add_part(run, plan, &plan->shares[i], &parts[n_parts++]);
        }
        part_of[i] = (uint8_t)(n_parts - 1);
        parts[n_parts - 1].share += (double)plan->shares[i].weight;
        all += (double)plan->shares[i].weight;
    }
    if (!is_good) {
        run->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < n_parts; i++) {
        parts[i].share /= all;
    }
    *want = (struct pin_tally_want){.tally = pin_index_tally(run->catalog->live.index),
        .route = run->counted->key,
        .parts = parts,
        .n_parts = n_parts,
        .part_of = part_of};
    return want;
}
