/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any text: a zone file is read whole or its faults are told, and what was read can be served:
 * every RR hangs together, and questions for its names get answers that a strict reader takes.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/rcu.h"

#include "support/message.h"
#include "support/stage.h"
#include "zones/zonefile.h"

/* Names asked of one zone. */
#define NAMES_MAX 64u
/* Of one input. Thousands of parts with thousands of records each, which is what a zone may have,
 * take 20 s and more. */
#define PARTS_MAX 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
const char *__lsan_default_suppressions(void); /* NOLINT: the sanitizer's name */

/* ldns forgets a few bytes of some malformed RDATA. What is ours to free is seen by unit tests. */
const char *__lsan_default_suppressions(void) /* NOLINT: as above */
{
    return "leak:libldns";
}

static unsigned n_parts;

/* The text includes itself once more, shorter each time. */
static enum pin_err open_part(void *arg, const char *name, const char *from,
    struct pin_zonefile_text *ret_text, struct pin_why *why)
{
    const struct pin_zonefile_input *input = arg;
    (void)from;
    if (name[0] == 'x' || n_parts++ >= PARTS_MAX) {
        return pin_why_set(why, PIN_ENOTFOUND, "no such file");
    }
    *ret_text = (struct pin_zonefile_text){
        .path = "part", .text = input->text.text, .bytes = input->text.bytes / 2};
    return PIN_OK;
}

static void check_set(const struct pin_static_set *set)
{
    size_t at = 0;
    uint16_t n = 0;
    for (; at + 12 <= set->wire_bytes; n++) {
        size_t rdata_bytes = (size_t)set->wire[at + 10] << 8 | set->wire[at + 11];
        at += 12 + rdata_bytes;
    }
    if (at != set->wire_bytes || n != set->n_rr || n == 0) {
        abort();
    }
}

static void ask(struct pin_stage *stage, const char *name, uint16_t type)
{
    static struct message message;
    struct message_query query = {.name = name, .type = type, .has_edns = true, .edns_bytes = 1232};
    struct pin_stage_asker asker = {.listen_cluster_id = PIN_CLUSTER_NONE};
    (void)pin_ip_parse("192.0.2.1", &asker.source);
    size_t bytes = message_build(&query, stage->wire);
    bytes = pin_stage_ask(stage, &asker, bytes, PIN_TRANSPORT_UDP);
    if (bytes == 0 || !message_parse(stage->wire, bytes, &message)) {
        abort();
    }
}

/* Asks for each name and for one below it, by the types it has and some others. */
static void ask_all(struct pin_stage *stage, const struct pin_zonefile *zonefile)
{
    for (size_t i = 0; i < zonefile->n_names && i < NAMES_MAX; i++) {
        const struct pin_static_name *name = &zonefile->names[i];
        char text[PIN_NAME_TEXT_MAX + 4] = "x.";
        pin_name_format(name->wire, text + 2);
        if (strchr(text, '\\') != NULL) {
            continue; /* the questions of tests have no escapes */
        }
        for (uint16_t s = 0; s < name->n_sets; s++) {
            check_set(&name->sets[s]);
            ask(stage, text + 2, name->sets[s].type);
        }
        ask(stage, text + 2, PIN_TYPE_A);
        ask(stage, text + 2, PIN_TYPE_ANY);
        if (name->bytes < PIN_NAME_MAX_BYTES - 2) {
            ask(stage, text, PIN_TYPE_A);
        }
    }
}

static void serve(struct pin_zonefile *zonefile)
{
    static struct pin_stage stage;
    struct pin_why why = {0};
    pin_stage_init(&stage);
    stage.zones_static[0] = "z.test";
    stage.settings.n_zones_static = 1;
    if (pin_stage_open(&stage, &why) != PIN_OK
        || pin_catalog_set_zonefile(stage.catalog, zonefile, &why) != PIN_OK) {
        abort();
    }
    pin_stage_publish(&stage);
    ask_all(&stage, zonefile);
    pin_stage_done(&stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool is_registered;
    struct pin_zonefile_input input = {.zone = "z.test",
        .text = {.path = "f", .text = (const char *)data, .bytes = bytes},
        .open = open_part,
        .open_arg = &input};
    struct pin_zonefile *zonefile = NULL;
    struct pin_text faults = {0};
    if (!is_registered) {
        pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
        pin_rcu_register();
        is_registered = true;
    }
    n_parts = 0;
    enum pin_err err = pin_zonefile_parse(&input, &zonefile, &faults);
    if ((err == PIN_OK) != (zonefile != NULL) || (err == PIN_EPARSE && faults.len == 0)) {
        abort();
    }
    pin_text_done(&faults);
    if (zonefile != NULL) {
        serve(zonefile);
    }
    return 0;
}
