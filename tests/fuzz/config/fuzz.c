/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as the configuration file: findings that name it, or a configuration whose settings can
 * be made and whose numbers are within their bounds. Flags over the file go the same way.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pintle/base/json.h"

#include "fuzz/require.h"
#include "resolver/config.h"
#include "resolver/config_show.h"
#include "resolver/worker.h"

/* Items of a list are compared with each other: 15,000 zone files or listeners, which aliases make
 * of 64 KB, take half a minute and more. */
#define INPUT_MAX_BYTES ((size_t)16 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_lower_name(const char *text)
{
    struct pin_name name;
    return pin_name_parse(text, &name) == PIN_OK;
}

/* Each line stands for itself, whatever bytes the file has. */
static void check_findings(const struct pin_findings *findings)
{
    size_t n_lines = 0;
    const char *text = pin_findings_text(findings);
    for (const char *at = text; *at != '\0'; at++) {
        n_lines += *at == '\n';
    }
    require(n_lines >= (findings->n < PIN_FINDINGS_MAX ? findings->n : PIN_FINDINGS_MAX));
    require(findings->n_usage <= findings->n);
}

static void check_records(const struct pin_config_records *records)
{
    require(records->provider != PIN_CONFIG_PROVIDER_UNSAID && records->policy > 0);
    require(records->n_zones > 0 && records->owner != NULL);
    require(records->interval_s > 0 && records->delete_percent <= 100);
    for (size_t i = 0; i < records->n_entries; i++) {
        require(records->entries[i].name != NULL && records->entries[i].type != NULL);
        require(records->entries[i].n_targets > 0);
    }
}

/* What is in force can be told. */
static void check_shown(const struct pin_config *config)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("shown", (size_t)64 << 20);
    pin_config_put_json(config, &json);
    require(arena != NULL && pin_jsonout_is_ok(&json));
    require(pin_json_parse(pin_text_get(&text), text.len, arena, &tree, NULL) == PIN_OK);
    require(pin_tree_map(tree, "config") != NULL && pin_tree_map(tree, "effective") != NULL);
    pin_text_done(&text);
    pin_arena_free(arena);
}

static void check_config(struct pin_config *config)
{
    struct pin_settings settings = {0};
    struct pin_why why = {0};
    require(config->n_listens > 0 && config->n_clusters <= PIN_CLUSTERS_MAX);
    require(pin_config_n_workers(config) >= 1 && pin_config_n_workers(config) <= PIN_WORKERS_MAX);
    for (size_t i = 0; i < config->n_clusters; i++) {
        require(pin_name_is_rfc1123_label(config->clusters[i].name));
        require(config->clusters[i].source != PIN_CONFIG_NOWHERE);
    }
    for (size_t i = 0; i < config->n_forward; i++) {
        require(is_lower_name(config->forward[i].zone) && config->forward[i].n_upstreams > 0);
    }
    for (size_t i = 0; i < config->n_records; i++) {
        check_records(&config->records[i]);
    }
    require(is_lower_name(config->zone_cluster_set) && is_lower_name(config->zone_assigned));
    require(config->streams.max_connections <= PIN_STREAMS_MAX);
    require(config->cache_min_ttl_s <= config->cache_max_ttl_s);
    require(pin_config_settings(config, &settings, &why) == PIN_OK);
    require(settings.n_clusters == config->n_clusters);
    check_shown(config);
}

static void load(const struct pin_args *args)
{
    struct pin_findings findings = {0};
    struct pin_config *config = pin_config_load(args, NULL, &findings);
    require(config != NULL);
    check_findings(&findings);
    if (findings.n == 0) {
        check_config(config);
    }
    pin_findings_done(&findings);
    pin_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (size > INPUT_MAX_BYTES) {
        return 0;
    }
    if (fd < 0) {
        fd = memfd_create("config", MFD_CLOEXEC);
        require(fd >= 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    require(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    struct pin_args args = {.program = "pintled", .config = path};
    load(&args);
    args.contexts = "c1,c2=two";
    args.listen = (struct pin_arg_list){.values = {"[::1]:5353"}, .n = 1};
    args.forward = (struct pin_arg_list){.values = {"192.0.2.53", "tls://[2001:db8::53]"}, .n = 2};
    load(&args);
    return 0;
}
