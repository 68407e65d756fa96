/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A stage with three clusters that may be written to, and a small stand-in for their API servers.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/base/text.h"
#include "pintle/zones/write.h"

#include "support/stage.h"
#include "sync/decode.h"

#define C1 0
#define C2 1
#define C3 2

struct box {
    struct pin_stage stage;
    struct pin_text seen; /* what was written, one request a line */
};

static inline void give(struct box *box, uint16_t cluster_id, const char *yaml)
{
    struct pin_why why = {0};
    if (pin_stage_apply(&box->stage, cluster_id, yaml, strlen(yaml), &why) != PIN_OK) {
        fail_msg("%s\n%s", why.text, yaml);
    }
}

/* A body as the API server would show it: with a uid, and addresses for a Service. */
static inline void apply_body(struct box *box, const struct pin_write *write)
{
    struct pin_text text = {0};
    const struct pin_kind_row *row = pin_decode_row(write->kind);
    const char *rest = write->body + strlen("{\"metadata\":{");
    pin_text_putf(&text,
        "{\"apiVersion\":\"%s%s%s\",\"kind\":\"%s\",\"metadata\":{\"uid\":\"u-%s\",", row->group,
        row->group[0] == '\0' ? "" : "/", row->versions[0], row->kind_text, write->name);
    const char *spec = strstr(rest, "\"spec\":{");
    if (write->kind == PIN_KIND_SERVICE && spec != NULL) {
        pin_text_putn(&text, rest, (size_t)(spec - rest));
        pin_text_putf(&text, "\"spec\":{\"clusterIPs\":[\"10.9%u.7.7\"],", write->cluster_id);
        rest = spec + strlen("\"spec\":{");
    }
    pin_text_puts(&text, rest);
    give(box, write->cluster_id, pin_text_get(&text));
    pin_text_done(&text);
}

static inline void write_down(struct box *box, const struct pin_write *write)
{
    static const char *const ops[] = {"APPLY", "STATUS", "DELETE", "CREATE", "EVENT", "PATCH"};
    pin_text_putf(&box->seen, "%s %s %s %s/%s %s\n", box->stage.clusters[write->cluster_id].name,
        ops[write->op], pin_kind_text(write->kind), write->namespace_name, write->name,
        write->body);
}

static inline void carry_out(struct box *box, const struct pin_write *write)
{
    if (write->op == PIN_WRITE_DELETE) {
        pin_stage_delete(
            &box->stage, write->cluster_id, write->kind, write->namespace_name, write->name);
    } else if (write->op == PIN_WRITE_APPLY && !pin_kind_is_route(write->kind)) {
        apply_body(box, write);
    }
}

static inline void play_set(struct box *box, const struct pin_write_set *set, bool does_it)
{
    for (const struct pin_write *write = set->first; write != NULL; write = write->next) {
        write_down(box, write);
        if (does_it) {
            carry_out(box, write);
        }
    }
}

/* Plays the API servers: what is asked for is written down and done. */
static inline bool play_once(struct box *box, bool does_it)
{
    bool has_any = false;
    pin_stage_publish(&box->stage);
    while (pin_catalog_n_writes(box->stage.catalog) > 0) {
        struct pin_write_set *sets = pin_catalog_take_writes(box->stage.catalog, 0);
        for (const struct pin_write_set *set = sets; set != NULL; set = set->next) {
            play_set(box, set, does_it);
            has_any = has_any || set->first != NULL;
        }
        pin_write_sets_free(sets);
    }
    return has_any;
}

/* Until nothing is left to write; an end must come soon. */
static inline void settle(struct box *box)
{
    pin_text_cut(&box->seen, 0);
    for (int i = 0; i < 5; i++) {
        if (!play_once(box, true)) {
            return;
        }
    }
    fail_msg("it goes on writing:\n%s", pin_text_get(&box->seen));
}

static inline void look(struct box *box)
{
    pin_text_cut(&box->seen, 0);
    (void)play_once(box, false);
}

static inline void want(const struct box *box, const char *part)
{
    if (strstr(pin_text_get(&box->seen), part) == NULL) {
        fail_msg("'%s' is not in:\n%s", part, pin_text_get(&box->seen));
    }
}

static inline void want_none(const struct box *box, const char *part)
{
    if (strstr(pin_text_get(&box->seen), part) != NULL) {
        fail_msg("'%s' is in:\n%s", part, pin_text_get(&box->seen));
    }
}

static inline size_t count(const struct box *box, const char *part)
{
    size_t n = 0;
    for (const char *at = pin_text_get(&box->seen); (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    return n;
}

/* Of the next stage. */
static struct pin_write_switches next_switches;

static inline int set_up(void **state)
{
    struct box *box = calloc(1, sizeof(*box));
    struct pin_why why = {0};
    assert_non_null(box);
    pin_stage_init(&box->stage);
    box->stage.settings.cluster_set = "demo";
    static const char *const custom[] = {"example.com"};
    box->stage.settings.writes = next_switches;
    box->stage.settings.zones_custom = custom;
    box->stage.settings.n_zones_custom = N_ELEMS(custom);
    (void)pin_stage_add_cluster(&box->stage, "c1");
    (void)pin_stage_add_cluster(&box->stage, "c2");
    (void)pin_stage_add_cluster(&box->stage, "c3");
    assert_int_equal(pin_stage_open(&box->stage, &why), PIN_OK);
    for (uint16_t i = 0; i < 3; i++) {
        pin_stage_mark(&box->stage, i, PIN_DELTA_UP, PIN_KIND_SERVICE);
        pin_stage_mark(&box->stage, i, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
        pin_catalog_set_writable(box->stage.catalog, i, true);
    }
    *state = box;
    return 0;
}

static inline int tear_down(void **state)
{
    struct box *box = *state;
    pin_stage_done(&box->stage);
    pin_text_done(&box->seen);
    free(box);
    return 0;
}
