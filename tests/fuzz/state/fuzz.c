/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a small file that is read at the start: serials, drains, a fleet's cookie secret, a
 * TSIG secret. The first byte says which: s, d, c, t.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/drain.h"

#include "fuzz/require.h"
#include "resolver/builder.h"
#include "resolver/cookie.h"
#include "resolver/drain_store.h"
#include "resolver/serial_store.h"
#include "resolver/tsig_keys.h"
#include "support/defaults.h"

#define WALL_MS 1763700000000
#define MONO_MS 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/pintle-fuzz-XXXXXX";
static char file[64]; /* Where the bytes are. */
static int fd = -1;
static const struct pin_cluster_settings clusters[] = {
    {.name = "c1", .weight = PIN_WEIGHT_UNSET}, {.name = "c2", .weight = PIN_WEIGHT_UNSET}};
static const struct pin_network networks[] = {{.name = "default"}};
static struct pin_settings settings;

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void remove_dir(void)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/serials.json", dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/drains.json", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

/* A state directory whose files are the bytes in memory. */
static void set_up(void)
{
    char path[96];
    fd = memfd_create("state", MFD_CLOEXEC);
    require(fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) == 0 && mkdtemp(dir) != NULL);
    (void)atexit(remove_dir);
    (void)snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
    (void)snprintf(path, sizeof(path), "%s/serials.json", dir);
    require(symlink(file, path) == 0);
    (void)snprintf(path, sizeof(path), "%s/drains.json", dir);
    require(symlink(file, path) == 0);
    settings = pin_test_settings(networks, 1, clusters, 2);
    pin_rcu_register();
    pin_log_set_sink(drop_log, NULL);
    pin_clock_set_fake(MONO_MS, WALL_MS);
}

static void read_serials(void)
{
    struct pin_serial_store *store = NULL;
    struct pin_builder_config config = {0};
    require(pin_serial_store_open(dir, &store, NULL) == PIN_OK);
    pin_serial_store_begin(store, &config);
    for (size_t i = 0; i < config.n_floors; i++) {
        const struct pin_name *zone = &config.floors[i].zone;
        require(zone->bytes > 0 && pin_name_wire_bytes(zone->wire) == zone->bytes);
    }
    pin_serial_store_free(store);
}

/* In the place of a builder's thread. */
bool pin_builder_call(struct pin_builder *builder, pin_builder_fn *fn, pin_loop_fn *done, void *arg)
{
    struct pin_catalog *catalog = NULL;
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    (void)builder;
    require(pin_catalog_new(&settings, 1, &catalog, NULL) == PIN_OK);
    fn(catalog, arg);
    done(arg);
    pin_catalog_drains_json(catalog, &json);
    require(pin_jsonout_is_ok(&json));
    pin_text_done(&text);
    pin_catalog_free(catalog);
    return true;
}

static void read_tsig_secret(void)
{
    struct pin_findings findings = {0};
    struct pin_config_tsig_key key = {.name = "key.test", .algorithm = 0, .secret_path = file};
    struct pin_config config = {.tsig_keys = &key, .n_tsig_keys = 1};
    struct pin_tsig_keys *keys = pin_tsig_keys_load(&config, &findings);
    require(keys != NULL && (keys->n == 1) == (findings.n == 0));
    pin_tsig_keys_free(keys);
    pin_findings_done(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_cookie_secret secret;
    struct pin_why why = {0};
    if (fd < 0) {
        set_up();
    }
    if (size == 0) {
        return 0;
    }
    require(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
    switch (data[0]) {
    case 's':
        read_serials();
        break;
    case 'd':
        require(pin_drain_store_restore(dir, NULL, &why) == PIN_OK);
        break;
    case 'c':
        require((pin_cookie_secret_read(file, &secret, &why) == PIN_OK) == (why.text[0] == '\0'));
        break;
    case 't':
        read_tsig_secret();
        break;
    default:
        break;
    }
    pin_rcu_quiescent();
    return 0;
}
