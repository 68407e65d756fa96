/* SPDX-License-Identifier: Apache-2.0 */

/* What the catalog has taken is there again after a restart, whatever happens to the directory. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "resolver/keeper.h"
#include "support/defaults.h"

#define PATIENCE_MS 30000
#define N_CLUSTERS  2
#define STRANGER    12345

static const struct pin_network networks[1] = {{.name = "default"}};
static struct pin_cluster_settings clusters[N_CLUSTERS];
static const char *sources[N_CLUSTERS];
static struct pin_settings settings;
static char dir[] = "/tmp/pintle-keeper-XXXXXX";
static char path[64];  /* of the directory that is kept */
static char file[96];  /* of its file */
static char aside[96]; /* where a file goes that is not used */
static struct pin_text logged;

/* A builder with its keeper, and control's loop, which is this thread. */
struct house {
    struct pin_loop *loop;
    struct pin_keeper *keeper;
    struct pin_builder *builder;
    struct pin_cluster_status status[N_CLUSTERS];
    bool is_seen;
};

static void keep_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)arg;
    if (level >= PIN_LOG_WARN) {
        pin_text_puts(&logged, line);
        pin_text_putc(&logged, '\n');
    }
}

static enum pin_err open_house(struct house *house, struct pin_why *why)
{
    struct pin_keeper_config keeper = {.dir = path, .settings = &settings, .sources = sources};
    struct pin_builder_config builder = {.settings = &settings};
    *house = (struct house){.loop = pin_loop_new()};
    builder.loop = house->loop;
    enum pin_err err = pin_keeper_open(&keeper, &house->keeper, why);
    if (err == PIN_OK) {
        pin_keeper_hook(house->keeper, &builder);
        err = pin_builder_start(&builder, &house->builder, why);
    }
    if (err == PIN_OK) {
        err = pin_keeper_start(house->keeper, house->builder, why);
    }
    return err;
}

static void close_house(struct house *house)
{
    pin_keeper_leave(house->keeper);
    pin_builder_stop(house->builder);
    pin_keeper_stop(house->keeper);
    pin_loop_free(house->loop);
}

static void enter(struct house *house)
{
    struct pin_why why = {0};
    if (open_house(house, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
}

static void push(struct house *house, struct pin_delta *delta)
{
    assert_non_null(delta);
    assert_true(pin_builder_push(house->builder, delta));
}

static void put(struct house *house, uint16_t cluster_id, const char *name, int64_t created_s)
{
    struct pin_object *object = pin_object_new(PIN_KIND_NAMESPACE, 64);
    object->name = pin_object_text(object, name, strlen(name));
    object->created_s = created_s;
    push(house, pin_delta_upsert(cluster_id, object));
}

static void mark(struct house *house, uint16_t cluster_id, enum pin_delta_op op)
{
    push(house, pin_delta_mark(cluster_id, op, PIN_KIND_NAMESPACE));
}

/* A cluster is listed with that many objects, as a source would report it. */
static void list(struct house *house, uint16_t cluster_id, unsigned n)
{
    char name[32];
    mark(house, cluster_id, PIN_DELTA_LIST_BEGIN);
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "ns-%u", i);
        put(house, cluster_id, name, 1);
    }
    mark(house, cluster_id, PIN_DELTA_LIST_END);
    mark(house, cluster_id, PIN_DELTA_UP);
    mark(house, cluster_id, PIN_DELTA_SYNCED);
}

static void look(struct pin_catalog *catalog, void *arg)
{
    struct house *house = arg;
    for (size_t i = 0; i < settings.n_clusters; i++) {
        house->status[i] = pin_catalog_cluster(catalog, (uint16_t)i);
    }
}

static void on_seen(void *arg)
{
    struct house *house = arg;
    house->is_seen = true;
}

static void see(struct house *house)
{
    int64_t until_ms = pin_clock_mono_ms() + PATIENCE_MS;
    house->is_seen = false;
    assert_true(pin_builder_call(house->builder, look, on_seen, house));
    while (!house->is_seen && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(house->loop, 10);
    }
    assert_true(house->is_seen);
}

static uint32_t n_objects(struct house *house, uint16_t cluster_id)
{
    see(house);
    return house->status[cluster_id].n_objects[PIN_KIND_NAMESPACE];
}

/* Waits until the first cluster has that many objects, and there is a file to write them to. */
static void settle(struct house *house, uint32_t n)
{
    int64_t until_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while ((n_objects(house, 0) != n || pin_keeper_stats(house->keeper).file_bytes == 0)
           && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(house->loop, 5);
    }
    assert_int_equal(n_objects(house, 0), n);
    assert_true(pin_keeper_stats(house->keeper).file_bytes > 0);
}

/* That the first cluster is synced comes after its last object, and may be a round later. */
static void wait_synced(struct house *house)
{
    int64_t until_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while (
        n_objects(house, 0) > 0 && !house->status[0].is_synced && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(house->loop, 5);
    }
}

/* Waits until the counter says as much. */
static bool wait_stats(struct house *house, size_t offset, uint64_t n)
{
    int64_t until_ms = pin_clock_mono_ms() + PATIENCE_MS;
    uint64_t now = 0;
    while (pin_clock_mono_ms() < until_ms) {
        struct pin_keeper_stats stats = pin_keeper_stats(house->keeper);
        memcpy(&now, (const char *)&stats + offset, sizeof(now));
        if (now >= n) {
            return true;
        }
        pin_loop_poll(house->loop, 5);
    }
    return false;
}

static int remove_one(const char *at, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(at);
}

static void remove_tree(const char *at)
{
    (void)nftw(at, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int set_up(void **state)
{
    (void)state;
    remove_tree(path);
    clusters[0] = (struct pin_cluster_settings){.name = "c1", .weight = PIN_WEIGHT_UNSET};
    clusters[1] = (struct pin_cluster_settings){.name = "c2", .weight = PIN_WEIGHT_UNSET};
    sources[0] = "context c1";
    sources[1] = "context c2";
    settings = pin_test_settings(networks, 1, clusters, N_CLUSTERS);
    pin_text_cut(&logged, 0);
    return 0;
}

/* --- restarts ------------------------------------------------------------------------------- */

static void test_restart(void **state)
{
    (void)state;
    struct house house;
    enter(&house);
    list(&house, 0, 100);
    list(&house, 1, 3);
    settle(&house, 100);
    push(&house, pin_delta_delete(0, PIN_KIND_NAMESPACE, "", "ns-7"));
    settle(&house, 99);
    wait_synced(&house);
    assert_true(house.status[0].is_synced && !house.status[0].is_restored);
    close_house(&house);

    enter(&house);
    assert_int_equal(n_objects(&house, 0), 99);
    assert_int_equal(n_objects(&house, 1), 3);
    assert_true(house.status[0].is_restored && !house.status[0].is_synced);
    assert_true(pin_keeper_stats(house.keeper).age_ms > 0);
    mark(&house, 0, PIN_DELTA_LIST_BEGIN); /* what the cluster has not any more goes */
    put(&house, 0, "ns-1", 1);
    mark(&house, 0, PIN_DELTA_LIST_END);
    mark(&house, 0, PIN_DELTA_SYNCED);
    settle(&house, 1);
    wait_synced(&house);
    assert_true(house.status[0].is_synced && !house.status[0].is_restored);
    assert_true(house.status[1].is_restored);
    close_house(&house);

    enter(&house);
    assert_int_equal(n_objects(&house, 0), 1);
    assert_int_equal(n_objects(&house, 1), 3);
    close_house(&house);
    assert_string_equal(pin_text_get(&logged), "");
}

static void test_modes(void **state)
{
    (void)state;
    struct house house;
    struct stat st;
    enter(&house);
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_rewrites), 1));
    close_house(&house);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* A cluster whose first list never ended is not known whole: what it has is not shown as that. */
static void test_half_listed(void **state)
{
    (void)state;
    struct house house;
    enter(&house);
    mark(&house, 0, PIN_DELTA_LIST_BEGIN);
    put(&house, 0, "ns-1", 1);
    settle(&house, 1);
    close_house(&house);
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 0);
    assert_false(house.status[0].is_restored);
    close_house(&house);
}

static void test_other_clusters(void **state)
{
    (void)state;
    struct house house;
    enter(&house);
    list(&house, 0, 5);
    list(&house, 1, 7);
    settle(&house, 5);
    assert_int_equal(n_objects(&house, 1), 7);
    close_house(&house);

    clusters[0].name = "c2"; /* other numbers */
    sources[0] = "context c2";
    clusters[1].name = "c1";
    sources[1] = "context other";
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 7);
    assert_int_equal(n_objects(&house, 1), 0);
    assert_false(house.status[1].is_restored);
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_rewrites), 1));
    close_house(&house);

    sources[1] = "context c1"; /* it is not in the file any more */
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 7);
    assert_int_equal(n_objects(&house, 1), 0);
    close_house(&house);
}

/* A list that repeats what is known writes nothing; what changes again and again is written anew
 * before the file has grown much. */
static void test_growth(void **state)
{
    (void)state;
    struct house house;
    enter(&house);
    list(&house, 0, 1000);
    settle(&house, 1000);
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_frames), 2));
    close_house(&house);
    enter(&house);
    see(&house);
    uint64_t n_before = pin_keeper_stats(house.keeper).file_bytes;
    list(&house, 0, 1000);
    settle(&house, 1000);
    see(&house);
    assert_true(pin_keeper_stats(house.keeper).file_bytes < n_before + 200);
    for (int64_t i = 0; i < 40000; i++) {
        struct pin_object *object = pin_object_new(PIN_KIND_NAMESPACE, 64);
        object->name = pin_object_text(object, "ns-1", 4);
        object->created_s = i;
        struct pin_delta *delta = pin_delta_upsert(0, object);
        while (!pin_builder_push(house.builder, delta)) {
            (void)usleep(1000);
        }
    }
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_rewrites), 1));
    close_house(&house);
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 1000);
    close_house(&house);
}

/* --- what is wrong with the file ------------------------------------------------------------ */

static struct wrong_case {
    const char *name;
    char what; /* d: directory, h: huge, l: link, o: of another user, p: pipe, t: text */
    const char *text;
    const char *want; /* in the log */
} cases[] = {
    {"an empty file is not used", 't', "",
        "is not used: it is empty; it is called catalog.pintle.unread now"},
    {"a foreign file is not used", 't', "{\"version\": 1}", "is not used: it is no state file"},
    {"a file whose header is damaged is not used", 't',
        "\x89PINTLE\n\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
        "\1",
        "is not used: its header is damaged"},
    {"a huge foreign file is not read to its end", 'h', NULL, "is not used: it is no state file"},
    {"a directory is not used", 'd', NULL, "is not used: it is a directory"},
    {"a link is not followed", 'l', "/etc/passwd", "is not used: it is a symbolic link"},
    {"another user's file is not used", 'o', "\x89PINTLE",
        "is not used: it belongs to user 12345, neither to us"},
    {"a pipe is not waited for", 'p', NULL, "is not used: it is a pipe"},
};

static void make_wrong(const struct wrong_case *c)
{
    assert_int_equal(mkdir(path, 0700), 0);
    if (c->what == 'd') {
        assert_int_equal(mkdir(file, 0700), 0);
    } else if (c->what == 'l') {
        assert_int_equal(symlink(c->text, file), 0);
    } else if (c->what == 'h') { /* beyond the limit, of which nothing must be said */
        int fd = open(file, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(ftruncate(fd, (off_t)17 << 30), 0);
        (void)close(fd);
    } else if (c->what == 'p') {
        assert_int_equal(mkfifo(file, 0600), 0);
    } else {
        assert_int_equal(pin_file_write_atomic(file, c->text, strlen(c->text), 0600, NULL), PIN_OK);
    }
    if (c->what == 'o' && chown(file, STRANGER, STRANGER) != 0) {
        remove_tree(path);
        skip(); /* only root can give files away */
    }
}

static void test_wrong(void **state)
{
    const struct wrong_case *c = *state;
    struct house house;
    struct stat st;
    make_wrong(c);
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 0);
    assert_non_null(strstr(pin_text_get(&logged), c->want));
    assert_int_equal(lstat(aside, &st), 0);
    list(&house, 0, 2);
    settle(&house, 2);
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_rewrites), 1));
    close_house(&house);
    enter(&house); /* and there is a good one in its place */
    assert_int_equal(n_objects(&house, 0), 2);
    close_house(&house);
}

static void test_torn(void **state)
{
    (void)state;
    struct house house;
    char *text = NULL;
    size_t bytes = 0;
    enter(&house);
    list(&house, 0, 50);
    settle(&house, 50);
    close_house(&house);
    enter(&house);
    settle(&house, 50);
    put(&house, 0, "late", 1);
    settle(&house, 51);
    close_house(&house);
    assert_int_equal(pin_file_read(file, SIZE_MAX, &text, &bytes, NULL), PIN_OK);
    assert_int_equal(truncate(file, (off_t)bytes - 1), 0);
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 50);
    assert_non_null(strstr(pin_text_get(&logged), "were cut off by a crash"));
    put(&house, 0, "later", 1); /* behind the cut */
    settle(&house, 51);
    close_house(&house);
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 51);
    close_house(&house);
    free(text);
}

static void test_damaged(void **state)
{
    (void)state;
    struct house house;
    char *text = NULL;
    size_t bytes = 0;
    enter(&house);
    list(&house, 0, 50);
    settle(&house, 50);
    close_house(&house);
    enter(&house);
    put(&house, 0, "late", 1);
    settle(&house, 51);
    close_house(&house);
    assert_int_equal(pin_file_read(file, SIZE_MAX, &text, &bytes, NULL), PIN_OK);
    text[100] = (char)(text[100] ^ 1);
    assert_int_equal(pin_file_write_atomic(file, text, bytes, 0600, NULL), PIN_OK);
    free(text);
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 0);
    assert_non_null(strstr(pin_text_get(&logged), "is not used: it is damaged at byte"));
    close_house(&house);
}

/* --- what is wrong with the directory ------------------------------------------------------- */

static void test_locked(void **state)
{
    (void)state;
    struct house house;
    struct house other;
    struct pin_why why = {0};
    enter(&house);
    assert_int_equal(open_house(&other, &why), PIN_EBUSY);
    assert_non_null(strstr(why.text, "is another pintled's that is running"));
    close_house(&other);
    close_house(&house);
    enter(&house); /* the lock ends with its holder */
    close_house(&house);
}

/* The directory is taken away: told once, tried again, and then all is there again. */
static void test_removed(void **state)
{
    (void)state;
    struct house house;
    enter(&house);
    list(&house, 0, 10);
    settle(&house, 10);
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_rewrites), 1));
    see(&house);
    remove_tree(path);
    put(&house, 0, "late", 1);
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_failures), 1));
    put(&house, 0, "later", 1);
    settle(&house, 12);
    assert_true(wait_stats(&house, offsetof(struct pin_keeper_stats, n_rewrites), 2));
    assert_false(pin_keeper_stats(house.keeper).is_failing);
    close_house(&house);
    const char *once = strstr(pin_text_get(&logged), "was removed; answers are not touched");
    assert_non_null(once);
    assert_null(strstr(strchr(once, '\n'), "answers are not touched"));
    enter(&house);
    assert_int_equal(n_objects(&house, 0), 12);
    close_house(&house);
}

static void test_no_directory(void **state)
{
    (void)state;
    struct house house;
    struct pin_why why = {0};
    assert_int_equal(pin_file_write_atomic(path, "x", 1, 0600, NULL), PIN_OK);
    assert_int_equal(open_house(&house, &why), PIN_EINVAL);
    assert_non_null(strstr(why.text, "is no directory"));
    close_house(&house);
}

#define PLAIN(text, fn)                                                                            \
    {                                                                                              \
        .name = (text), .test_func = (fn), .setup_func = set_up                                    \
    }

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 10] = {
        PLAIN("what was known is there after a restart, until it is listed anew", test_restart),
        PLAIN("nobody else may read it", test_modes),
        PLAIN("a cluster that was listed in part is not restored", test_half_listed),
        PLAIN("clusters are known by name and source", test_other_clusters),
        PLAIN("the file grows with changes only, and not for ever", test_growth),
        PLAIN("a torn end is cut off", test_torn),
        PLAIN("a damaged file is not used", test_damaged),
        PLAIN("a directory is one daemon's", test_locked),
        PLAIN("a directory that was removed is made again", test_removed),
        PLAIN("a file in the directory's place is an error", test_no_directory),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i + 10] = (struct CMUnitTest){.name = cases[i].name,
            .test_func = test_wrong,
            .setup_func = set_up,
            .initial_state = &cases[i]};
    }
    if (mkdtemp(dir) == NULL) {
        return EXIT_FAILURE;
    }
    (void)snprintf(path, sizeof(path), "%s/state", dir);
    (void)snprintf(file, sizeof(file), "%s/catalog.pintle", path);
    (void)snprintf(aside, sizeof(aside), "%s/catalog.pintle.unread", path);
    pin_rcu_init();
    pin_log_set_sink(keep_log, NULL);
    int failed = cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
    remove_tree(dir);
    pin_text_done(&logged);
    return failed;
}
