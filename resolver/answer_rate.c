/* SPDX-License-Identifier: Apache-2.0 */

/* Which answers are kept back because their client's network gets too many. */

#include "pintle/base/clock.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

#include "answering.h"

/* Which answers it counts among. Random names below a wildcard, or in pods' zones, are one name;
 * those that are not there count with their zone. */
static enum pin_rate_kind classify(const struct pin_answering *a, uint64_t *ret_name)
{
    *ret_name = 0;
    if (a->response.rcode == PIN_RCODE_NXDOMAIN) {
        if (a->zone != NULL) {
            *ret_name = pin_hash64(a->zone->apex.wire, a->zone->apex.bytes);
        }
        return PIN_RATE_NXDOMAIN;
    }
    if (a->response.rcode != PIN_RCODE_NOERROR) {
        return PIN_RATE_ERROR;
    }
    size_t at = a->zone != NULL ? a->origin_at : 0;
    *ret_name = pin_hash64(a->query.qname + at, a->query.qname_bytes - at);
    return PIN_RATE_DATA;
}

/* Clusters' own askers and the forwarders in front of them are whom we are there for: one address
 * may stand for thousands of pods. */
static bool is_spared(const struct pin_answering *a, const struct pin_ip *source)
{
    const struct pin_scene *scene = pin_rcu_deref(a->worker->live->scene);
    return pin_rate_spares(&a->worker->manners->rate, source)
           || pin_worker_cluster(a->worker, a->client) != PIN_CLUSTER_NONE
           || pin_scene_asker(scene, source).cluster_id != PIN_CLUSTER_NONE
           || pin_lpm_find(scene->forwarders, source) != PIN_LPM_NONE;
}

bool pin_answer_withhold(struct pin_answering *a)
{
    bool is_proven = a->query.cookie_bytes > 0 && a->cookie == PIN_COOKIE_GOOD;
    if (a->client->transport != PIN_TRANSPORT_UDP || is_proven) {
        return false;
    }
    uint64_t name = 0;
    struct pin_ip source = pin_ip_from_sockaddr(a->client->peer);
    enum pin_rate_kind kind = classify(a, &name);
    const struct pin_rate_ask ask = {.client = &source,
        .kind = kind,
        .name = name,
        .now_ms = (uint64_t)pin_clock_coarse_mono_ms()};
    enum pin_rate_verdict verdict =
        pin_limiter_judge(a->worker->limiter, &ask, &a->worker->n_limited);
    if (pin_likely(verdict == PIN_RATE_PASS) || is_spared(a, &source)) {
        return false;
    }
    if (verdict == PIN_RATE_DROP) {
        pin_stat_add(&a->worker->stats.n_rate_dropped, 1);
        return true;
    }
    pin_stat_add(&a->worker->stats.n_rate_slipped, 1);
    if (kind != PIN_RATE_ERROR) { /* an error is as small as an answer that says nothing */
        pin_response_clear(&a->response, &a->query);
        a->response.ede = PIN_EDE_NONE;
        a->response.rcode = PIN_RCODE_NOERROR;
        a->response.is_truncated = true;
    }
    return false;
}
