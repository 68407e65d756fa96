/* SPDX-License-Identifier: Apache-2.0 */

#include "zones/shortcut.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

#define FIRST_PLACES UINT64_C(2048)
#define MAX_PLACES   (UINT64_C(1) << 24)

/* Stands where nodes belong whose last one has gone: it has no name, so nobody finds it. */
static struct pin_node nameless;

static struct pin_shortcut *new_shortcut(uint64_t n_places)
{
    struct pin_shortcut *shortcut =
        calloc(1, sizeof(*shortcut) + n_places * sizeof(shortcut->places[0]));
    if (shortcut != NULL) {
        shortcut->mask = n_places - 1;
    }
    return shortcut;
}

struct pin_shortcut *pin_shortcut_new(void)
{
    return new_shortcut(FIRST_PLACES);
}

static void free_shortcut(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_shortcut, rcu));
}

static char *shared(struct pin_node *node)
{
    return (char *)node + 1;
}

static bool is_same_name(const struct pin_node *a, const struct pin_node *b)
{
    return a->name_bytes == b->name_bytes && memcmp(a->name, b->name, a->name_bytes) == 0;
}

void pin_shortcut_put(struct pin_shortcut *shortcut, uint64_t hash, struct pin_node *node)
{
    char **place = &shortcut->places[hash & shortcut->mask];
    char *old = *place;
    bool is_alone =
        old == NULL || (!pin_shortcut_is_shared(old) && is_same_name(pin_shortcut_node(old), node));
    pin_rcu_assign(*place, is_alone ? (char *)node : shared(node));
}

void pin_shortcut_remove(struct pin_shortcut *shortcut, uint64_t hash, struct pin_node *node)
{
    char **place = &shortcut->places[hash & shortcut->mask];
    char *old = *place;
    if (pin_shortcut_node(old) == node) {
        pin_rcu_assign(*place, pin_shortcut_is_shared(old) ? shared(&nameless) : NULL);
    }
}

/* Moves one place of a shortcut to the two that its hashes point to in one of twice the size. */
static void split(struct pin_shortcut *wide, char *old, uint64_t low, uint64_t high)
{
    if (old == NULL) {
        return;
    }
    struct pin_node *node = pin_shortcut_node(old);
    if (pin_shortcut_is_shared(old)) { /* where the others belong is not known */
        wide->places[low] = shared(&nameless);
        wide->places[high] = shared(&nameless);
    }
    if (node != &nameless) {
        uint64_t at = pin_hash64(node->name, node->name_bytes) & wide->mask;
        wide->places[at] = old;
    }
}

void pin_shortcut_widen(struct pin_shortcut **shortcut, size_t n_nodes)
{
    struct pin_shortcut *old = *shortcut;
    uint64_t n_old = old->mask + 1;
    if (2 * n_nodes <= old->mask || n_old >= MAX_PLACES) {
        return;
    }
    struct pin_shortcut *wide = new_shortcut(2 * n_old);
    if (wide == NULL) {
        return;
    }
    for (uint64_t i = 0; i < n_old; i++) {
        split(wide, old->places[i], i, i + n_old);
    }
    pin_rcu_assign(*shortcut, wide);
    pin_rcu_defer(&old->rcu, free_shortcut);
}
