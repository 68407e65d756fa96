/* SPDX-License-Identifier: Apache-2.0 */

/* Many directories are watched through one inotify instance, and limits of the system are told. */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define N_DIR      150 /* More than the 128 instances that many kernels allow a user. */
#define NO_LIMIT   UINT32_MAX
#define QUIET_MS   150
#define PATH_BYTES 96

struct box {
    struct rig rig;
    char top[64]; /* Removed at the end. */
};

static uint32_t n_watches_left = NO_LIMIT;

/* Stands before the system's: says that no watch is left once `n_watches_left` were given. */
int inotify_add_watch(int fd, const char *name, uint32_t mask)
{
    if (n_watches_left == 0) {
        errno = ENOSPC;
        return -1;
    }
    n_watches_left -= n_watches_left != NO_LIMIT ? 1 : 0;
    return (int)syscall(SYS_inotify_add_watch, fd, name, mask);
}

static void path_of(const struct box *self, int i, const char *name, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/c%d%s%s", self->top, i, name[0] == '\0' ? "" : "/", name);
}

static void put(const struct box *self, int i, const char *service)
{
    char path[PATH_BYTES];
    path_of(self, i, "a.yaml", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(
        fprintf(file, "{apiVersion: v1, kind: Service, metadata: {name: %s}}\n", service) > 0);
    assert_int_equal(fclose(file), 0);
}

/* Directories c0, c1, ... with a file each, one cluster for each. */
static void make(struct box *self, int n)
{
    struct pin_source_spec specs[N_DIR] = {{0}};
    char clusters[N_DIR][16];
    char paths[N_DIR][PATH_BYTES];
    for (int i = 0; i < n; i++) {
        char service[16];
        (void)snprintf(clusters[i], sizeof(clusters[i]), "c%d", i);
        path_of(self, i, "", paths[i]);
        assert_true(mkdir(paths[i], 0700) == 0 || errno == EEXIST);
        (void)snprintf(service, sizeof(service), "first%d", i);
        put(self, i, service);
        specs[i] = (struct pin_source_spec){.cluster_id = (uint16_t)i,
            .cluster = clusters[i],
            .kind = PIN_SOURCE_DIRECTORY,
            .directory = paths[i]};
    }
    rig_init(&self->rig, specs, (size_t)n);
}

static int set_up(void **state)
{
    struct box *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    (void)snprintf(self->top, sizeof(self->top), "/tmp/pintle-dirwatch-XXXXXX");
    assert_non_null(mkdtemp(self->top));
    n_watches_left = NO_LIMIT;
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct box *self = *state;
    char command[128];
    rig_done(&self->rig);
    (void)snprintf(command, sizeof(command), "rm -r %s", self->top);
    int rc = system(command); /* NOLINT(cert-env33-c): our own folder */
    free(self);
    return rc;
}

static void want(struct box *self, const char *part)
{
    rig_want(&self->rig, part);
}

static void want_twice(struct box *self, const char *part)
{
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (rig_count(&self->rig, part) < 2 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 20);
    }
    rig_run(&self->rig, QUIET_MS);
    assert_int_equal(rig_count(&self->rig, part), 2);
}

static size_t count_instances(void)
{
    char link[64];
    size_t n = 0;
    const struct dirent *entry = NULL;
    DIR *handle = opendir("/proc/self/fd");
    assert_non_null(handle);
    while ((entry = readdir(handle)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own handle */
        ssize_t bytes = readlinkat(dirfd(handle), entry->d_name, link, sizeof(link) - 1);
        link[bytes < 0 ? 0 : bytes] = '\0';
        n += strstr(link, "inotify") != NULL ? 1 : 0;
    }
    (void)closedir(handle);
    return n;
}

static void test_many_directories_take_one_instance(void **state)
{
    struct box *self = *state;
    make(self, N_DIR);
    assert_int_equal(count_instances(), 0);
    pin_sync_start(self->rig.sync);
    assert_int_equal(count_instances(), 1);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service default/first"), N_DIR);
    assert_int_equal(rig_count(&self->rig, "SYNCED"), N_DIR);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0);
}

static void test_a_change_reaches_its_own_cluster_only(void **state)
{
    struct box *self = *state;
    make(self, N_DIR);
    pin_sync_start(self->rig.sync);
    rig_forget(&self->rig);
    put(self, 7, "seven");
    put(self, N_DIR - 1, "last");
    want(self, "UPSERT Service default/seven\n");
    want(self, "UPSERT Service default/last\n");
    assert_int_equal(rig_count(&self->rig, "UPSERT"), 2);
    assert_int_equal(rig_count(&self->rig, "DELETE"), 2);
}

static void test_a_directory_with_two_names_tells_both_clusters(void **state)
{
    struct box *self = *state;
    char path[PATH_BYTES];
    path_of(self, 1, "", path);
    assert_int_equal(symlink("c0", path), 0);
    make(self, 2);
    pin_sync_start(self->rig.sync);
    rig_forget(&self->rig);
    put(self, 0, "both");
    want_twice(self, "UPSERT Service default/both\n");

    assert_int_equal(unlink(path), 0); /* the second cluster lets go of it, the first does not */
    want(self, "DOWN");
    put(self, 0, "one");
    want(self, "UPSERT Service default/one\n");
    rig_run(&self->rig, QUIET_MS);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service default/one\n"), 1);

    assert_int_equal(symlink("c0", path), 0);
    want(self, "UP\n");
    rig_forget(&self->rig);
    put(self, 0, "again");
    want_twice(self, "UPSERT Service default/again\n");
}

static void test_a_directory_that_is_exchanged_is_watched_again(void **state)
{
    struct box *self = *state;
    char path[PATH_BYTES];
    char away[PATH_BYTES + 8];
    make(self, 2);
    pin_sync_start(self->rig.sync);
    path_of(self, 1, "", path);
    (void)snprintf(away, sizeof(away), "%s-away", path);
    assert_int_equal(rename(path, away), 0);
    want(self, "DOWN");
    assert_int_equal(mkdir(path, 0700), 0);
    put(self, 1, "new");
    want(self, "UPSERT Service default/new\n");
    rig_forget(&self->rig);
    put(self, 0, "other");
    put(self, 1, "newer");
    want(self, "UPSERT Service default/other\n");
    want(self, "UPSERT Service default/newer\n");
}

static long queue_limit(void)
{
    char text[32] = "";
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    return strtol(text, NULL, 10);
}

static void test_lost_events_let_every_directory_be_read_again(void **state)
{
    struct box *self = *state;
    char path[PATH_BYTES];
    make(self, 3);
    pin_sync_start(self->rig.sync);
    rig_forget(&self->rig);
    path_of(self, 0, "noise.txt", path);
    for (long i = 0, n = queue_limit(); i < n; i++) { /* two events each, and nobody reads them */
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(unlink(path), 0);
    }
    put(self, 2, "late"); /* its event finds no room */
    want(self, "UPSERT Service default/late\n");
    assert_non_null(strstr(pin_text_get(&self->rig.logged), "inotify lost events"));
}

static void want_trouble(struct box *self, size_t cluster, const char *error, const char *hint)
{
    struct pin_sync_cluster_stats stats;
    pin_sync_cluster_stats(self->rig.sync, cluster, &stats);
    assert_false(stats.is_up);
    assert_non_null(strstr(stats.error, error));
    assert_non_null(strstr(stats.hint, hint));
    assert_non_null(strstr(pin_text_get(&self->rig.logged), hint));
}

static void test_a_lack_of_watches_says_what_to_raise_and_ends(void **state)
{
    struct box *self = *state;
    make(self, 3);
    n_watches_left = 2;
    pin_sync_start(self->rig.sync);
    assert_int_equal(rig_count(&self->rig, "SYNCED"), 2);
    want_trouble(self, 2, "no inotify watch is left", "fs.inotify.max_user_watches");
    put(self, 0, "served"); /* the others go on */
    want(self, "UPSERT Service default/served\n");
    n_watches_left = NO_LIMIT;
    want(self, "UPSERT Service default/first2\n");
}

static void test_a_lack_of_instances_says_what_to_raise_and_ends(void **state)
{
    struct box *self = *state;
    struct rlimit before;
    struct rlimit none = {0};
    make(self, 2);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    pin_sync_start(self->rig.sync);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    want_trouble(
        self, 1, "no inotify instance: Too many open files", "fs.inotify.max_user_instances");
    want(self, "UPSERT Service default/first1\n");
    assert_int_equal(count_instances(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_directories_take_one_instance, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_change_reaches_its_own_cluster_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_directory_with_two_names_tells_both_clusters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_directory_that_is_exchanged_is_watched_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_lost_events_let_every_directory_be_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_lack_of_watches_says_what_to_raise_and_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_lack_of_instances_says_what_to_raise_and_ends, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("dirwatch", tests, NULL, NULL);
}
