/* SPDX-License-Identifier: Apache-2.0 */

/* Counters of the worker threads: where a type and a response code count, and how threads add up.
 */

#include "stats.h"

#include <stdio.h>

#include "pintle/base/macros.h"

/* All types and codes counted by name are below 256, so one load finds the position. */
static const uint8_t qtype_positions[256] = {
#define X(name, type) [type] = PIN_STAT_QTYPE_##name,
    PIN_STAT_QTYPE_MAP(X)
#undef X
};

static const uint8_t rcode_positions[32] = {
#define X(name, rcode) [rcode] = PIN_STAT_RCODE_##name,
    PIN_STAT_RCODE_MAP(X)
#undef X
};

static const char *const qtype_names[PIN_STAT_QTYPE_MAX] = {[PIN_STAT_QTYPE_OTHER] = "other",
#define X(name, type) [PIN_STAT_QTYPE_##name] = #name,
    PIN_STAT_QTYPE_MAP(X)
#undef X
};

static const char *const rcode_names[PIN_STAT_RCODE_MAX] = {[PIN_STAT_RCODE_OTHER] = "other",
#define X(name, rcode) [PIN_STAT_RCODE_##name] = #name,
    PIN_STAT_RCODE_MAP(X)
#undef X
};

static const char *const transport_names[PIN_TRANSPORT_MAX] = {
    [PIN_TRANSPORT_UDP] = "udp",
    [PIN_TRANSPORT_TCP] = "tcp",
    [PIN_TRANSPORT_TLS] = "tls",
    [PIN_TRANSPORT_HTTPS] = "https",
};

void pin_stats_count(
    struct pin_stats *stats, enum pin_transport transport, uint16_t qtype, uint16_t rcode)
{
    uint8_t qtype_i =
        qtype < N_ELEMS(qtype_positions) ? qtype_positions[qtype] : PIN_STAT_QTYPE_OTHER;
    uint8_t rcode_i =
        rcode < N_ELEMS(rcode_positions) ? rcode_positions[rcode] : PIN_STAT_RCODE_OTHER;
    pin_stat_add(&stats->queries[transport][qtype_i][rcode_i], 1);
}

static void add_queries(const struct pin_stats *stats, struct pin_stats_sum *sum)
{
    for (size_t t = 0; t < PIN_TRANSPORT_MAX; t++) {
        for (size_t q = 0; q < PIN_STAT_QTYPE_MAX; q++) {
            for (size_t r = 0; r < PIN_STAT_RCODE_MAX; r++) {
                sum->queries[t][q][r] += pin_stat_read(&stats->queries[t][q][r]);
            }
        }
    }
}

static void add_policies(const struct pin_stats *stats, struct pin_stats_sum *sum)
{
    for (size_t i = 0; i < PIN_POLICY_SLOTS; i++) {
        sum->denied_by[i] += pin_stat_read(&stats->denied_by[i]);
        sum->would_deny_by[i] += pin_stat_read(&stats->would_deny_by[i]);
    }
}

void pin_stats_add_to(const struct pin_stats *stats, struct pin_stats_sum *sum)
{
    add_queries(stats, sum);
    add_policies(stats, sum);
#define X(name, text) sum->name += pin_stat_read(&stats->name);
    PIN_STAT_EVENT_MAP(X)
#undef X
    sum->n_open += pin_stat_read(&stats->n_open);
}

const char *pin_transport_name(enum pin_transport transport)
{
    return transport_names[transport];
}

const char *pin_stat_qtype_name(enum pin_stat_qtype qtype)
{
    return qtype_names[qtype];
}

const char *pin_stat_rcode_name(enum pin_stat_rcode rcode)
{
    return rcode_names[rcode];
}

const char *pin_stat_type_text(uint16_t qtype, char cell[PIN_STAT_TYPE_TEXT_MAX])
{
    if (qtype < N_ELEMS(qtype_positions) && qtype_positions[qtype] != PIN_STAT_QTYPE_OTHER) {
        return qtype_names[qtype_positions[qtype]];
    }
    (void)snprintf(cell, PIN_STAT_TYPE_TEXT_MAX, "TYPE%u", qtype);
    return cell;
}
