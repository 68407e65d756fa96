/* SPDX-License-Identifier: Apache-2.0 */

/* A geo database becomes the prefixes that rules ask for, as few and as short as they can be. The
 * databases are written by tests/support/mmdb.py. */

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/ip.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "resolver/geo.h"

#define ARGS_MAX 12

static const char *const german[] = {"DE", "AT"};
static const char *const french[] = {"FR"};
static const char *const europe[] = {"EU"};
static const struct pin_geo_rule rules[] = {
    {.countries = german, .n_countries = 2, .clusters = "c1"},
    {.continents = europe, .n_continents = 1, .clusters = "c2"},
    {.countries = french, .n_countries = 1, .clusters = "c3"},
};
static const struct pin_settings settings = {.geo_rules = rules, .n_geo_rules = N_ELEMS(rules)};
static char path[64];

static struct geo_case {
    const char *name;
    const char *nets[ARGS_MAX];
    const char *want; /* prefix=rule in the order of addresses, IPv6 first */
} cases[] = {
    {"a country's net has its rule", {"192.0.2.0/24=EU/DE"}, "192.0.2.0/24=0"},
    {"a country goes before its continent", {"192.0.2.0/24=EU/FR"}, "192.0.2.0/24=2"},
    {"another country has its continent's", {"192.0.2.0/24=EU/PL"}, "192.0.2.0/24=1"},
    {"a place that nobody names is left out", {"192.0.2.0/24=NA/US", "198.51.100.0/24=EU/DE"},
        "198.51.100.0/24=0"},
    {"neighbours of one rule are one prefix", {"192.0.2.0/25=EU/DE", "192.0.2.128/25=EU/AT"},
        "192.0.2.0/24=0"},
    {"neighbours of two rules are two", {"192.0.2.0/25=EU/DE", "192.0.2.128/25=EU/FR"},
        "192.0.2.0/25=0 192.0.2.128/25=2"},
    {"a hole is left out", {"192.0.0.0/22=EU/DE", "192.0.2.0/24=NA/US"},
        "192.0.0.0/23=0 192.0.3.0/24=0"},
    {"an inner net of another rule", {"192.0.0.0/22=EU/PL", "192.0.2.0/24=EU/DE"},
        "192.0.0.0/23=1 192.0.2.0/24=0 192.0.3.0/24=1"},
    {"IPv6 beside IPv4", {"2001:db8::/32=EU/DE", "192.0.2.0/24=EU/DE"},
        "2001:db8::/32=0 192.0.2.0/24=0"},
    {"IPv6 alone", {"2001:db8::/32=EU/DE"}, "2001:db8::/32=0"},
    {"a single address", {"192.0.2.7/32=EU/DE"}, "192.0.2.7/32=0"},
    {"a database of IPv4 alone", {"--v4", "192.0.2.0/24=EU/DE"}, "192.0.2.0/24=0"},
    {"all of IPv4", {"--v4", "0.0.0.0/1=EU/DE", "128.0.0.0/1=EU/DE"}, "0.0.0.0/0=0"},
    {"nobody's", {"192.0.2.0/24=AS/JP"}, ""},
    {"records that are nested", {"--deep=60", "192.0.2.0/24=EU/DE"}, "192.0.2.0/24=0"},
    {"records that share one vast value", {"--vast=50", "192.0.2.0/24=EU/DE"}, "192.0.2.0/24=0"},
    {"records nested without an end are nobody's", {"--deep=300000", "192.0.2.0/24=EU/DE"}, ""},
};

static void write_database(const char *const *nets)
{
    char script[512];
    char *argv[ARGS_MAX + 4] = {NULL};
    int status = -1;
    pid_t pid = 0;
    size_t n = 0;
    const char *source = getenv("PINTLE_SOURCE_DIR");
    (void)snprintf(
        script, sizeof(script), "%s/tests/support/mmdb.py", source == NULL ? "." : source);
    char python[] = "python3";
    argv[n++] = python;
    argv[n++] = script;
    argv[n++] = path;
    for (size_t i = 0; i < ARGS_MAX && nets[i] != NULL; i++) {
        argv[n++] = strdup(nets[i]);
    }
    assert_int_equal(posix_spawnp(&pid, python, NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (size_t i = 3; i < n; i++) {
        free(argv[i]);
    }
}

static int compare_entry(const void *a, const void *b)
{
    const struct pin_lpm_entry *x = a;
    const struct pin_lpm_entry *y = b;
    int order =
        (y->prefix.ip.family > x->prefix.ip.family) - (y->prefix.ip.family < x->prefix.ip.family);
    return order != 0 ? order : pin_ip_cmp(&x->prefix.ip, &y->prefix.ip);
}

static void test_read(void **state)
{
    const struct geo_case *c = *state;
    struct pin_geo_places places = {0};
    struct pin_why why = {0};
    struct pin_text text = {0};
    write_database(c->nets);
    assert_int_equal(pin_geo_read(path, &settings, &places, &why), PIN_OK);
    if (places.n > 0) {
        qsort(places.entries, places.n, sizeof(*places.entries), compare_entry);
    }
    for (size_t i = 0; i < places.n; i++) {
        char prefix[PIN_PREFIX_TEXT_MAX];
        pin_text_putf(&text, "%s%s=%u", i > 0 ? " " : "",
            pin_prefix_format(&places.entries[i].prefix, prefix), places.entries[i].value);
    }
    assert_string_equal(pin_text_get(&text), c->want);
    pin_text_done(&text);
    free(places.entries);
}

static void write_bytes(const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    (void)close(fd);
}

static void test_not_read(void **state)
{
    struct pin_geo_places places = {0};
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(
        pin_geo_read("/nonexistent/geo.mmdb", &settings, &places, &why), PIN_ENOTFOUND);
    write_bytes("no database", 11);
    assert_int_equal(pin_geo_read(path, &settings, &places, &why), PIN_EPARSE);
    assert_non_null(strstr(why.text, path));
    write_bytes("", 0);
    assert_true(pin_geo_read(path, &settings, &places, &why) != PIN_OK);
}

/* Reads the database at `path`, for one test to change. */
static size_t read_bytes(char *bytes, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, cap);
    (void)close(fd);
    assert_in_range(n, 100, cap - 1);
    return (size_t)n;
}

/* Every byte of a good database is made a bad one: read or refused, but never a crash. */
static void test_broken(void **state)
{
    static char good[8192];
    const char *const nets[ARGS_MAX] = {"192.0.2.0/24=EU/DE", "2001:db8::/32=EU/FR"};
    (void)state;
    write_database(nets);
    size_t n = read_bytes(good, sizeof(good));
    for (size_t i = 0; i < n; i += 3) {
        struct pin_geo_places places = {0};
        char kept = good[i];
        good[i] = (char)~kept;
        write_bytes(good, n);
        good[i] = kept;
        if (pin_geo_read(path, &settings, &places, NULL) == PIN_OK) {
            free(places.entries);
        }
    }
}

/* Sizes of the tree that, modulo 2^32, are those of a small one. */
static void test_false_size(void **state)
{
    static char bytes[8192];
    static const uint32_t counts[] = {0x2aaaaaab, 0x2aaaaaa8, 0x55555556, 0xffffffff, 0x10000, 0};
    const char *const nets[ARGS_MAX] = {"192.0.2.0/24=EU/DE", "2001:db8::/32=EU/FR"};
    (void)state;
    write_database(nets);
    size_t n = read_bytes(bytes, sizeof(bytes));
    uint8_t *count = memmem(bytes, n, "node_count", 10);
    assert_non_null(count);
    for (size_t i = 0; i < N_ELEMS(counts); i++) {
        struct pin_geo_places places = {0};
        struct pin_why why = {0};
        for (unsigned k = 0; k < 4; k++) { /* behind the key and a control byte */
            count[11 + k] = (uint8_t)(counts[i] >> (24 - 8 * k));
        }
        write_bytes(bytes, n);
        assert_int_equal(pin_geo_read(path, &settings, &places, &why), PIN_EPARSE);
        assert_non_null(strstr(why.text, path));
        assert_non_null(strstr(why.text, "nodes in a file of"));
    }
}

/* A tree whose nodes have both sides in common has few nodes, and paths without number. */
static void test_shared_nodes(void **state)
{
    static char bytes[8192];
    const char *const nets[ARGS_MAX] = {"2001:db8::/120=EU/DE"};
    struct pin_geo_places places = {0};
    struct pin_why why = {0};
    (void)state;
    write_database(nets);
    size_t n = read_bytes(bytes, sizeof(bytes));
    assert_true(n > (size_t)6 * 120);
    for (size_t node = 0; node < 95; node++) {
        for (size_t side = 0; side < 2; side++) { /* records of 24 bits */
            bytes[node * 6 + side * 3 + 1] = 0;
            bytes[node * 6 + side * 3 + 2] = (char)(node + 1);
        }
    }
    write_bytes(bytes, n);
    assert_int_equal(pin_geo_read(path, &settings, &places, &why), PIN_EPARSE);
    assert_non_null(strstr(why.text, "tree is broken"));
}

/* Many records that share one vast value: reading them takes longer than the file explains. */
static void test_vast_records(void **state)
{
    const char *const nets[ARGS_MAX] = {"192.0.2.0/24=EU/DE", "--vast=2000"};
    struct pin_geo_places places = {0};
    struct pin_why why = {0};
    (void)state;
    write_database(nets);
    assert_int_equal(pin_geo_read(path, &settings, &places, &why), PIN_ELIMIT);
    assert_non_null(strstr(why.text, path));
    assert_non_null(strstr(why.text, "its records hold more than a file of its size needs"));
}

/* --- the file ----------------------------------------------------------------------------------
 */

static void on_places(void *arg, struct pin_geo_places *places)
{
    size_t *n = arg;
    *n = *n * 10 + places->n;
    free(places->entries);
}

static void test_live(void **state)
{
    const char *const one[ARGS_MAX] = {"192.0.2.0/24=EU/DE"};
    const char *const two[ARGS_MAX] = {"192.0.2.0/24=EU/DE", "198.51.100.0/24=EU/DE"};
    size_t n = 0;
    struct pin_loop *loop = pin_loop_new();
    (void)state;
    (void)unlink(path);
    struct pin_geo *geo = pin_geo_start(loop, path, &settings, on_places, &n);
    assert_non_null(geo);
    assert_int_equal(n, 0);
    write_database(one);
    for (int i = 0; i < 100 && n < 1; i++) {
        pin_loop_poll(loop, 100);
    }
    assert_int_equal(n, 1);
    write_bytes("no database", 11); /* what was known stays */
    pin_loop_poll(loop, 2500);
    assert_int_equal(n, 1);
    write_database(two);
    for (int i = 0; i < 100 && n < 12; i++) {
        pin_loop_poll(loop, 100);
    }
    assert_int_equal(n, 12);
    pin_geo_stop(geo);
    pin_loop_free(loop);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 6] = {
        cmocka_unit_test(test_not_read),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_false_size),
        cmocka_unit_test(test_shared_nodes),
        cmocka_unit_test(test_vast_records),
        cmocka_unit_test(test_live),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[6 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_read, .initial_state = &cases[i]};
    }
    (void)snprintf(path, sizeof(path), "/tmp/pintle-geo-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) {
        return EXIT_FAILURE;
    }
    (void)close(fd);
    int n_failed = cmocka_run_group_tests_name("geo", tests, NULL, NULL);
    (void)unlink(path);
    return n_failed;
}
