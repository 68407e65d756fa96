/* SPDX-License-Identifier: Apache-2.0 */

#include "zones/shortcut.h"

#include <stdlib.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

#define FIRST_PLACES UINT64_C(2048)
#define MAX_PLACES   (UINT64_C(1) << 24)

static struct pin_shortcut *new_shortcut(uint64_t n_places)
{
    struct pin_shortcut *shortcut =
        calloc(1, sizeof(*shortcut) + n_places * sizeof(struct pin_node *));
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

void pin_shortcut_widen(struct pin_shortcut **shortcut, size_t n_nodes)
{
    struct pin_shortcut *old = *shortcut;
    if (2 * n_nodes <= old->mask || old->mask + 1 >= MAX_PLACES) {
        return;
    }
    struct pin_shortcut *wide = new_shortcut(2 * (old->mask + 1));
    if (wide == NULL) {
        return;
    }
    for (uint64_t i = 0; i <= old->mask; i++) {
        struct pin_node *node = old->nodes[i];
        if (node != NULL) {
            *pin_shortcut_place(wide, pin_hash64(node->name, node->name_bytes)) = node;
        }
    }
    pin_rcu_assign(*shortcut, wide);
    pin_rcu_defer(&old->rcu, free_shortcut);
}
