/* SPDX-License-Identifier: Apache-2.0 */

/* Real files in a real directory on the real loop. */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/file.h"
#include "pintle/base/macros.h"

#include "rig.h"

#define SERVICE(name) "{apiVersion: v1, kind: Service, metadata: {name: " name "}}\n"
#define QUIET_MS      150

/* Whether no directory can be read beyond its third entry. */
static bool cuts_short;

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
struct dirent *__wrap_readdir(DIR *handle);
struct dirent *__real_readdir(DIR *handle);

struct dirent *__wrap_readdir(DIR *handle)
{
    static int n_read;
    if (cuts_short && n_read++ == 3) {
        n_read = 0;
        errno = EIO;
        return NULL;
    }
    return __real_readdir(handle); /* NOLINT(concurrency-mt-unsafe): one thread */
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

struct box {
    struct rig rig;
    char top[64]; /* Removed at the end. */
    char dir[80]; /* The cluster's directory, below it. */
};

static char *path_of(const struct box *self, const char *name)
{
    char *path = pin_path_join(self->dir, name);
    assert_non_null(path);
    return path;
}

/* As shells and editors write: truncate, write, close. */
static void put(const struct box *self, const char *name, const char *text)
{
    char *path = path_of(self, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void drop(const struct box *self, const char *name)
{
    char *path = path_of(self, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static int set_up(void **state)
{
    struct box *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    (void)snprintf(self->top, sizeof(self->top), "/tmp/pintle-dir-XXXXXX");
    assert_non_null(mkdtemp(self->top));
    (void)snprintf(self->dir, sizeof(self->dir), "%s/c1", self->top);
    assert_int_equal(mkdir(self->dir, 0700), 0);
    struct pin_source_spec spec = {
        .cluster_id = 0, .cluster = "c1", .kind = PIN_SOURCE_DIRECTORY, .directory = self->dir};
    rig_init(&self->rig, &spec, 1);
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

static void start(struct box *self)
{
    pin_sync_start(self->rig.sync);
    rig_want(&self->rig, "SYNCED");
}

static void want(struct box *self, const char *part)
{
    rig_want(&self->rig, part);
}

static void want_log(struct box *self, const char *part)
{
    rig_want_log(&self->rig, part);
}

static struct pin_sync_cluster_stats stats_of(const struct box *self)
{
    struct pin_sync_cluster_stats stats;
    pin_sync_cluster_stats(self->rig.sync, 0, &stats);
    return stats;
}

static void test_ingresses_count_where_they_are_wanted(void **state)
{
    struct box *self = *state;
    const struct pin_source_spec spec = {
        .cluster_id = 0, .cluster = "c1", .kind = PIN_SOURCE_DIRECTORY, .directory = self->dir};
    put(self, "i.yaml", "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}}\n");
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT"), 0);
    rig_done(&self->rig);
    rig_init_config(&self->rig,
        (struct pin_sync_config){.specs = &spec, .n_specs = 1, .wants_ingresses = true});
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT Ingress default/i"), 1);
}

static void test_what_is_there_is_listed_once(void **state)
{
    struct box *self = *state;
    put(self, "b.yaml", SERVICE("b"));
    put(self, "a.json",
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"}}");
    put(self, "c.yml", SERVICE("c") "---\n{apiVersion: v1, kind: Namespace, metadata: {name: n}}");
    put(self, "cluster.yaml", "network: net-a\n");
    put(self, "notes.txt", "no manifest");
    put(self, ".hidden.yaml", SERVICE("hidden"));
    start(self);
    const char *seen = pin_text_get(&self->rig.seen);
    assert_memory_equal(seen, "UP\nLIST_BEGIN Service\n", 22);
    assert_non_null(strstr(seen, "\nUPSERT Service default/a\nUPSERT Service default/b\n"
                                 "UPSERT Service default/c\nUPSERT Namespace /n\n"
                                 "LIST_END Service\n"));
    assert_null(strstr(seen, "hidden"));
    assert_int_equal(rig_count(&self->rig, "LIST_END"), PIN_KIND_MAX);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_objects, 3);
    assert_true(stats_of(self).is_up);
}

static void test_pods_are_read_while_they_are_wanted(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml",
        SERVICE("a") "---\n{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: n}, "
                     "status: {podIPs: [{ip: 10.1.0.1}, {ip: 'fd00::1'}]}}");
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT Pod"), 0);
    pin_sync_want_pods(self->rig.sync, true);
    want(self, "UPSERT Pod n/p");
    put(self, "b.yaml",
        "{apiVersion: v1, kind: Pod, metadata: {name: h}, "
        "spec: {hostNetwork: true}, status: {podIP: 10.1.255.1}}");
    want(self, "UPSERT Pod default/h");
    pin_sync_want_pods(self->rig.sync, false);
    want(self, "DELETE Pod n/p");
    want(self, "DELETE Pod default/h");
    assert_int_equal(stats_of(self).kinds[PIN_KIND_POD].n_objects, 0);
}

static void test_a_written_file_is_read_at_once(void **state)
{
    struct box *self = *state;
    start(self);
    int64_t before_ms = pin_clock_mono_ms();
    put(self, "a.yaml", SERVICE("late"));
    want(self, "UPSERT Service default/late");
    assert_true(pin_clock_mono_ms() - before_ms < 5000);
}

static void test_a_file_moved_in_counts_and_one_moved_out_does_not(void **state)
{
    struct box *self = *state;
    start(self);
    put(self, "a.tmp", SERVICE("web"));
    char *temp = path_of(self, "a.tmp");
    char *path = path_of(self, "a.yaml");
    assert_int_equal(rename(temp, path), 0);
    want(self, "UPSERT Service default/web");
    assert_int_equal(rename(path, temp), 0);
    want(self, "DELETE Service default/web");
    free(temp);
    free(path);
}

static void test_an_object_that_leaves_its_file_is_deleted(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("one") "---\n" SERVICE("two"));
    start(self);
    rig_forget(&self->rig);
    put(self, "a.yaml", SERVICE("two"));
    want(self, "DELETE Service default/one");
    assert_int_equal(rig_count(&self->rig, "DELETE"), 1);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_objects, 1);
}

static void test_a_deleted_file_takes_its_objects_along(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("one"));
    start(self);
    drop(self, "a.yaml");
    want(self, "DELETE Service default/one");
}

static void test_a_broken_file_keeps_what_it_said(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("one"));
    start(self);
    rig_forget(&self->rig);
    put(self, "a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec: 7\n");
    want_log(self, "c1/a.yaml:4:7: Service default/one: spec: must be a map, not a whole number; "
                   "keeping what the file said before");
    assert_string_equal(pin_text_get(&self->rig.seen), "");
    assert_non_null(strstr(stats_of(self).error, "a.yaml:4:7: Service"));
    put(self, "a.yaml", SERVICE("one"));
    want(self, "UPSERT Service default/one");
    assert_string_equal(stats_of(self).error, "");
}

static void test_a_broken_file_at_the_start_does_not_keep_the_others_back(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", "{");
    put(self, "b.yaml", SERVICE("b"));
    start(self);
    want(self, "UPSERT Service default/b");
    want_log(self, "c1/a.yaml:");
}

static void test_the_first_of_two_files_counts_until_it_lets_go(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("web"));
    put(self, "b.yaml", SERVICE("web"));
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT"), 1);
    want_log(self, "Service default/web is in a.yaml and in b.yaml, the one in a.yaml counts");
    rig_forget(&self->rig);
    drop(self, "a.yaml");
    want(self, "UPSERT Service default/web");
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_objects, 1);
    drop(self, "b.yaml");
    want(self, "DELETE Service default/web");
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_objects, 0);
}

static void test_an_editor_that_deletes_first_causes_no_delete(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("web"));
    start(self);
    rig_forget(&self->rig);
    drop(self, "a.yaml");
    put(self, "a.yaml", SERVICE("web"));
    want(self, "UPSERT Service default/web");
    rig_run(&self->rig, QUIET_MS);
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);
}

static void test_a_directory_that_goes_is_out_of_reach_not_empty(void **state)
{
    struct box *self = *state;
    char away[96];
    put(self, "a.yaml", SERVICE("web"));
    start(self);
    rig_forget(&self->rig);
    (void)snprintf(away, sizeof(away), "%s-away", self->dir);
    assert_int_equal(rename(self->dir, away), 0);
    want(self, "DOWN");
    assert_false(stats_of(self).is_up);
    assert_non_null(strstr(stats_of(self).error, "No such file or directory"));
    rig_run(&self->rig, QUIET_MS);
    assert_string_equal(pin_text_get(&self->rig.seen), "DOWN\n");
    assert_int_equal(rename(away, self->dir), 0);
    want(self, "UP\n");
    want(self, "UPSERT Service default/web");
    assert_string_equal(stats_of(self).error, "");
    put(self, "b.yaml", SERVICE("more"));
    want(self, "UPSERT Service default/more");
}

static void test_a_directory_that_is_deleted_with_its_files_keeps_them(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("web"));
    start(self);
    rig_forget(&self->rig);
    drop(self, "a.yaml");
    assert_int_equal(rmdir(self->dir), 0);
    want(self, "DOWN");
    rig_run(&self->rig, QUIET_MS);
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);
    assert_int_equal(mkdir(self->dir, 0700), 0);
    want(self, "DELETE Service default/web"); /* it is there, and it is empty */
}

static void test_a_directory_may_come_later(void **state)
{
    struct box *self = *state;
    assert_int_equal(rmdir(self->dir), 0);
    pin_sync_start(self->rig.sync);
    want(self, "DOWN");
    assert_null(strstr(pin_text_get(&self->rig.seen), "LIST_END"));
    assert_int_equal(mkdir(self->dir, 0700), 0);
    want(self, "SYNCED");
    put(self, "a.yaml", SERVICE("web"));
    want(self, "UPSERT Service default/web");
}

/* Kubernetes mounts a ConfigMap as links through ..data, and swaps that link. */
static void test_a_mounted_config_map_is_read_again_when_it_is_swapped(void **state)
{
    struct box *self = *state;
    char *one = path_of(self, "..one");
    char *two = path_of(self, "..two");
    char *data = path_of(self, "..data");
    char *temp = path_of(self, "..data_tmp");
    char *link = path_of(self, "a.yaml");
    assert_int_equal(mkdir(one, 0700), 0);
    assert_int_equal(mkdir(two, 0700), 0);
    put(self, "..one/a.yaml", SERVICE("old"));
    put(self, "..two/a.yaml", SERVICE("new"));
    assert_int_equal(symlink("..one", data), 0);
    assert_int_equal(symlink("..data/a.yaml", link), 0);
    start(self);
    want(self, "UPSERT Service default/old");
    assert_int_equal(symlink("..two", temp), 0);
    assert_int_equal(rename(temp, data), 0);
    want(self, "UPSERT Service default/new");
    want(self, "DELETE Service default/old");
    free(one);
    free(two);
    free(data);
    free(temp);
    free(link);
}

static void test_a_full_sink_holds_the_source_back_and_nothing_is_lost(void **state)
{
    struct box *self = *state;
    char name[32];
    char text[128];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "f%02d.yaml", i);
        (void)snprintf(text, sizeof(text), SERVICE("s%d") "---\n" SERVICE("t%d"), i, i);
        put(self, name, text);
    }
    self->rig.room = 15;
    pin_sync_start(self->rig.sync);
    rig_run(&self->rig, QUIET_MS);
    assert_int_equal(rig_count(&self->rig, "\n"), 15);
    while (rig_count(&self->rig, "SYNCED") == 0) {
        assert_true(rig_count(&self->rig, "\n") < 100);
        self->rig.room = 3;
        pin_sync_resume(self->rig.sync);
        rig_run(&self->rig, 1);
    }
    assert_int_equal(rig_count(&self->rig, "UPSERT"), 40);
    assert_int_equal(rig_count(&self->rig, "LIST_END"), PIN_KIND_MAX);
    assert_non_null(strstr(pin_text_get(&self->rig.seen), "UPSERT Service default/t19\nLIST_END"));
}

static void test_a_pipe_named_like_a_manifest_blocks_nobody(void **state)
{
    struct box *self = *state;
    char *path = path_of(self, "pipe.yaml");
    assert_int_equal(mkfifo(path, 0600), 0);
    start(self);
    free(path);
}

static void test_links_in_a_circle_keep_what_the_file_said(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("kept"));
    start(self);
    char *path = path_of(self, "a.yaml");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("a.yaml", path), 0);
    want_log(self, "keeping what the file said before");
    rig_run(&self->rig, QUIET_MS);
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);

    assert_int_equal(unlink(path), 0);
    put(self, "a.yaml", SERVICE("new"));
    want(self, "UPSERT Service default/new");
    want(self, "DELETE Service default/kept");
    free(path);
}

/* Lets no more descriptors be opened, or as many as before. */
static void allow_descriptors(bool are_allowed)
{
    static struct rlimit before;
    struct rlimit none = {0};
    if (are_allowed) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        return;
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void test_a_file_is_read_once_descriptors_are_free_again(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("old"));
    start(self);
    char *path = path_of(self, "a.yaml");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(SERVICE("new"), file) >= 0);
    allow_descriptors(false);
    assert_int_equal(fclose(file), 0);
    rig_run(&self->rig, 1500); /* three tries, one line */
    allow_descriptors(true);
    assert_null(strstr(pin_text_get(&self->rig.seen), "default/new"));
    const char *line = strstr(pin_text_get(&self->rig.logged), "keeping what");
    assert_non_null(line);
    assert_null(strstr(line + 1, "keeping what"));
    want(self, "UPSERT Service default/new");
    assert_string_equal(stats_of(self).error, "");
    free(path);
}

static void test_embedded_texts_are_a_cluster_too(void **state)
{
    static const char one[] = SERVICE("one");
    static const char settings[] = "network: net-a\n";
    static const char bad[] = "kind: 7: 8";
    const struct pin_embedded_file files[] = {
        {"c1/one.yaml", one, sizeof(one) - 1},
        {"c1/cluster.yaml", settings, sizeof(settings) - 1},
        {"c1/two.yaml", bad, sizeof(bad) - 1},
    };
    struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_EMBEDDED, .files = files, .n_files = 3};
    struct rig rig;
    (void)state;
    rig_init(&rig, &spec, 1);
    pin_sync_start(rig.sync);
    const char *seen = pin_text_get(&rig.seen);
    assert_memory_equal(seen, "UP\nLIST_BEGIN Service\n", 22);
    assert_non_null(strstr(seen, "UPSERT Service default/one\nLIST_END Service\n"));
    assert_non_null(strstr(seen, "SYNCED"));
    assert_non_null(strstr(pin_text_get(&rig.logged), "c1/two.yaml:1:"));
    rig_done(&rig);
}

static void test_the_status_is_one_json_value(void **state)
{
    struct box *self = *state;
    struct pin_text text = {0};
    struct pin_jsonout out = pin_jsonout_init(&text);
    put(self, "a.yaml", SERVICE("web"));
    start(self);
    pin_jsonout_object(&out);
    pin_sync_cluster_json(self->rig.sync, 0, &out);
    pin_jsonout_end(&out);
    assert_true(pin_jsonout_is_ok(&out));
    assert_non_null(strstr(pin_text_get(&text), "{\"name\":\"c1\",\"source\":\"directory /tmp/"));
    assert_non_null(strstr(
        pin_text_get(&text), "\"reachable\":true,\"synced\":true,\"error\":\"\",\"hint\":\"\""));
    assert_non_null(strstr(pin_text_get(&text),
        "{\"group\":\"\",\"kind\":\"Service\",\"state\":\"listed\",\"served\":true,"
        "\"forbidden\":false,\"listed\":true,\"streamed\":false,\"held\":false,"
        "\"missing\":false,\"objects\":1,\"read\":0,\"expected\":null,\"lists\":1,"
        "\"broken\":0,\"restarts\":0,\"events\":1,\"unreadable\":0,"));
    assert_non_null(strstr(pin_text_get(&text), "\"errorAgeSeconds\":null,\"syncSeconds\":0.0"));
    pin_text_done(&text);
}

/* A list that breaks off is none: what it lacks would go with it. */
static void test_a_directory_that_cannot_be_read_to_its_end_is_not_listed(void **state)
{
    struct box *self = *state;
    put(self, "a.yaml", SERVICE("a"));
    put(self, "b.yaml", SERVICE("b"));
    put(self, "c.yaml", SERVICE("c"));
    cuts_short = true;
    pin_sync_start(self->rig.sync);
    want_log(self, "cannot be listed: Input/output error; what it said before is kept");
    want(self, "DOWN");
    assert_int_equal(rig_count(&self->rig, "LIST_END"), 0);
    assert_int_equal(rig_count(&self->rig, "SYNCED"), 0);
    cuts_short = false;
    want(self, "SYNCED");
    assert_int_equal(rig_count(&self->rig, "UPSERT"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_there_is_listed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_ingresses_count_where_they_are_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_pods_are_read_while_they_are_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_written_file_is_read_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_file_moved_in_counts_and_one_moved_out_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_an_object_that_leaves_its_file_is_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_deleted_file_takes_its_objects_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_broken_file_keeps_what_it_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_broken_file_at_the_start_does_not_keep_the_others_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_the_first_of_two_files_counts_until_it_lets_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_an_editor_that_deletes_first_causes_no_delete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_directory_that_cannot_be_read_to_its_end_is_not_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_directory_that_goes_is_out_of_reach_not_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_directory_that_is_deleted_with_its_files_keeps_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_directory_may_come_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_mounted_config_map_is_read_again_when_it_is_swapped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_full_sink_holds_the_source_back_and_nothing_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_pipe_named_like_a_manifest_blocks_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_links_in_a_circle_keep_what_the_file_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_file_is_read_once_descriptors_are_free_again, set_up, tear_down),
        cmocka_unit_test(test_embedded_texts_are_a_cluster_too),
        cmocka_unit_test_setup_teardown(test_the_status_is_one_json_value, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("source_dir", tests, NULL, NULL);
}
