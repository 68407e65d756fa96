/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ports behind shares. Kubernetes sets no limit to ports, slices and endpoints, and each port of a
 * name is looked for at each of its addresses among the ports of a slice and a Service. All
 * endpoints of one slice have the same answer, so with many ports it is looked for once.
 */

#include "zones/compile.h"

/* So many ports are looked through in the time that remembering takes. */
#define FEW_PORTS 16u

/* How many ports there are to look through. */
static size_t n_ports_of(const struct pin_port_key *key)
{
    const struct pin_contribution *c = key->contribution;
    size_t n = key->slice != NULL ? key->slice->as.slice.n_ports : 0;
    bool counts_service = c != NULL && c->service != NULL && (key->slice == NULL || c->is_backend);
    return counts_service ? n + c->service->as.service.n_ports : n;
}

/* What is remembered of the share; NULL when memory is out. */
static struct pin_known_port *known_port(struct pin_compile *run, const struct pin_port_key *key)
{
    struct pin_known_port *known = pin_map_find(&run->ports, key, sizeof(*key));
    if (known == NULL) {
        known = pin_arena_alloc(run->steer.arena, sizeof(*known));
        if (known != NULL) {
            known->key = *key;
            bool is_put =
                pin_map_put_borrowed(&run->ports, &known->key, sizeof(known->key), known, NULL);
            known = is_put ? known : NULL;
        }
    }
    return known;
}

struct pin_own_port pin_compile_own_port(
    struct pin_compile *run, const struct pin_share *share, const struct pin_port *port)
{
    struct pin_port_key key = {.slice = share->via == PIN_VIA_ENDPOINT ? share->ready->slice : NULL,
        .contribution = share->contribution};
    struct pin_known_port *last = &run->last_port; /* most Services have one slice */
    if (last->port == port && last->key.slice == key.slice
        && last->key.contribution == key.contribution) {
        return last->own;
    }
    struct pin_known_port *known = n_ports_of(&key) > FEW_PORTS ? known_port(run, &key) : NULL;
    if (known != NULL && known->port == port) {
        *last = *known;
        return known->own;
    }
    *last = (struct pin_known_port){key, port, pin_share_own_port(share, port)};
    if (known != NULL) {
        *known = *last;
    }
    return last->own;
}
