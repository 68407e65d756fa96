/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a state file. The first byte says whether they are one as they stand, or payloads
 * (a byte of length each) that are framed first, so that records are reached without a checksum to
 * guess. What is found good is restored into a catalog and published.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/rcu.h"

#include "fuzz/require.h"
#include "resolver/keeper_restore.h"
#include "support/defaults.h"

#define SEED 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pin_cluster_settings clusters[] = {
    {.name = "c1", .weight = PIN_WEIGHT_UNSET}, {.name = "c2", .weight = PIN_WEIGHT_UNSET}};
static const char *const sources[] = {"s1", "s2"};
static const struct pin_network networks[] = {{.name = "default"}};
static struct pin_settings settings;

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void set_up(void)
{
    settings = pin_test_settings(networks, 1, clusters, 2);
    pin_rcu_register();
    pin_log_set_sink(drop_log, NULL);
}

static void restore(const struct pin_text *file)
{
    struct pin_keeper_restore restore = {.settings = &settings, .sources = sources};
    struct pin_state_scan scan;
    struct pin_catalog *catalog = NULL;
    uint8_t *copy = malloc(file->len + 1);
    require(copy != NULL);
    if (file->len > 0) {
        memcpy(copy, file->ptr, file->len);
    }
    if (pin_state_look(copy, file->len, &scan, NULL) != PIN_OK) {
        free(copy);
        return;
    }
    require(scan.n_good + scan.n_torn == file->len);
    require(pin_keeper_restore_begin(&restore, copy, &scan, NULL) == PIN_OK);
    require(pin_catalog_new(&settings, 1, &catalog, NULL) == PIN_OK);
    pin_keeper_restore_apply(&restore, catalog);
    require(restore.n_objects + restore.n_bad <= scan.n_records);
    pin_keeper_restore_done(&restore);
    while (pin_catalog_publish_some(catalog, 1, 3).is_cut) {
    }
    pin_rcu_barrier();
    pin_catalog_free(catalog);
}

static void add_frame(struct pin_text *file, const uint8_t *data, size_t bytes)
{
    struct pin_text payload = {0};
    uint8_t head[PIN_STATE_FRAME_BYTES];
    pin_text_putn(&payload, (const char *)data, bytes);
    pin_state_frame_head(head, &payload, SEED, file->len, 1);
    pin_text_putn(file, (const char *)head, sizeof(head));
    pin_text_putn(file, payload.ptr, payload.len);
    pin_text_done(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_text file = {0};
    if (settings.clusters == NULL) {
        set_up();
    }
    if (size > 0 && data[0] == 'f') {
        pin_text_putn(&file, (const char *)data + 1, size - 1);
    } else if (size > 0) {
        static const uint8_t names[] = "\0\0\2c1\2s1\0\1\2c2\2s2\3\0\3\1";
        pin_state_put_header(&file, SEED, 1);
        add_frame(&file, names, sizeof(names) - 1);
        for (size_t at = 1; at < size;) {
            size_t bytes = data[at] < size - at - 1 ? data[at] : size - at - 1;
            add_frame(&file, data + at + 1, bytes);
            at += bytes + 1;
        }
    }
    restore(&file);
    pin_text_done(&file);
    pin_rcu_quiescent();
    return 0;
}
