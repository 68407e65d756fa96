/* SPDX-License-Identifier: Apache-2.0 */

/* Why an answer is as it is, in words. */

#include <stdatomic.h>

#include "pintle/zones/policy.h"
#include "pintle/zones/settings.h"

#include "query.h"
#include "tap.h"

static bool is_below(const struct pin_name *name, const char *zone)
{
    struct pin_name apex;
    return zone != NULL && pin_name_parse(zone, &apex) == PIN_OK && pin_name_is_below(name, &apex);
}

static bool is_below_any(const struct pin_name *name, const char *const *zones, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_below(name, zones[i])) {
            return true;
        }
    }
    return false;
}

/* What kind of zone the question's name lies in; NULL: none of ours, or one that addresses make. */
static const char *zone_kind(const struct pin_name *name, const struct pin_settings *settings)
{
    return is_below(name, settings->zone_assigned)                                ? "assigned"
           : is_below(name, settings->zone_cluster_set)                           ? "clusterset"
           : is_below(name, settings->zone_cluster)                               ? "cluster"
           : is_below_any(name, settings->zones_custom, settings->n_zones_custom) ? "custom"
           : is_below_any(name, settings->zones_static, settings->n_zones_static) ? "static"
                                                                                  : NULL;
}

static void put_policy(uint16_t slot, const struct pin_policy_labels *labels, struct pin_text *out)
{
    if (slot != 0 && slot < atomic_load_explicit(&labels->n, memory_order_acquire)) {
        const struct pin_policy_label *label = &labels->labels[slot];
        pin_text_putf(out, " policy=%s/%s/%s/%s", label->cluster, label->kind,
            label->namespace_name, label->name);
    }
}

static void put_asker(const struct pin_tap_why *why, struct pin_text *out)
{
    char text[PIN_PREFIX_TEXT_MAX];
    bool is_whole = why->from.bits == (why->from.ip.family == 4 ? 32 : 128);
    if (why->from.ip.family == 0) {
        return;
    }
    if (is_whole || pin_prefix_is_one(&why->from)) {
        pin_ip_format(&why->from.ip, text);
    } else {
        pin_prefix_format(&why->from, text);
    }
    pin_text_putf(out, " from=%s", text);
    if (why->namespace_bytes > 0) {
        pin_text_putf(out, " namespace=%.*s", (int)why->namespace_bytes, why->namespace_name);
    }
}

void pin_tap_why_put(const struct pin_tap_why *why, const uint8_t *message, size_t bytes,
    const struct pin_settings *settings, const struct pin_policy_labels *labels,
    struct pin_text *out)
{
    struct pin_query query = {0};
    struct pin_name name;
    bool has_name = pin_query_parse(message, bytes, &query) != PIN_QUERY_DROP && query.has_question;
    if (has_name) {
        name.bytes = (uint8_t)query.qname_bytes;
        pin_name_lower(name.wire, query.qname, query.qname_bytes);
    }
    pin_tap_why_put_for(why, has_name ? &name : NULL, settings, labels, out);
}

void pin_tap_why_put_for(const struct pin_tap_why *why, const struct pin_name *name,
    const struct pin_settings *settings, const struct pin_policy_labels *labels,
    struct pin_text *out)
{
    if (why->reason == PIN_REASON_NONE || why->reason >= PIN_REASON_MAX) {
        return;
    }
    pin_text_putf(out, "why=%s", pin_reason_word(why->reason));
    const char *kind = settings != NULL && name != NULL ? zone_kind(name, settings) : NULL;
    if (kind != NULL) {
        pin_text_putf(out, " zone=%s", kind);
    }
    if (settings != NULL && why->cluster_id < settings->n_clusters) {
        pin_text_putf(out, " view=%s", settings->clusters[why->cluster_id].name);
    }
    if (labels != NULL && why->reason == PIN_REASON_POLICY) {
        put_policy(why->policy_slot, labels, out);
    }
    put_asker(why, out);
    if (why->is_stale) {
        pin_text_puts(out, " stale");
    }
}
