/* SPDX-License-Identifier: Apache-2.0 */

/* A fleet's secret changes while cookies are in use, and none of a moment ago is lost. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "resolver/cookie_file.h"

#define A "e5e973e5a6b2a43f48e7dc849e37bfcf\n"
#define B "dd3bdf9344b678b185a6f5cb60fca715\n"
#define C "445536bcd2513298075a5d379663c962\n"

#define T0     UINT32_C(1559731985)
#define HOUR_S 3600

struct fixture {
    char dir[32];
    char path[64];
    unsigned n_written;
    struct pin_cookie_secret secret;
    struct pin_cookie_file *file;
    struct pin_cookie_keys keys; /* a worker's */
    struct pin_text logged;
};

static void note(enum pin_log_level level, const char *line, void *arg)
{
    struct fixture *f = arg;
    (void)level;
    pin_text_puts(&f->logged, line);
    pin_text_putc(&f->logged, '\n');
}

/* Puts a file with that text in the place of the one before. */
static void put(struct fixture *f, const char *text, mode_t mode)
{
    char path[80];
    (void)snprintf(path, sizeof(path), "%s/new%u", f->dir, f->n_written++);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(rename(path, f->path), 0);
}

static struct fixture *new_fixture(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pin_why why = {0};
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/pintle-cookie-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/secret", f->dir);
    put(f, A, 0600);
    pin_clock_set_fake(1000, INT64_C(1000) * T0);
    pin_log_set_sink(note, f);
    pin_rcu_register();
    assert_int_equal(pin_cookie_file_load(f->path, &f->secret, &f->file, &why), PIN_OK);
    return f;
}

static void free_fixture(struct fixture *f)
{
    pin_cookie_file_free(f->file);
    pin_rcu_unregister();
    pin_rcu_barrier();
    pin_log_set_sink(NULL, NULL);
    pin_clock_set_real();
    (void)unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    pin_text_done(&f->logged);
    free(f);
}

/* Shows a cookie to a worker; what it is answered with is in it then. */
static enum pin_cookie_verdict show(struct fixture *f, uint8_t cookie[PIN_COOKIE_BYTES], size_t n)
{
    struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000201)};
    pin_cookie_keys_follow(&f->keys, &f->secret, T0);
    return pin_cookie_judge(&f->keys, T0, (const struct sockaddr *)&client, cookie, n);
}

/* A new client's cookie. */
static void draw(struct fixture *f, uint8_t cookie[PIN_COOKIE_BYTES])
{
    static const uint8_t own[PIN_COOKIE_CLIENT_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
    memcpy(cookie, own, sizeof(own));
    assert_int_equal(show(f, cookie, PIN_COOKIE_CLIENT_BYTES), PIN_COOKIE_NEW);
}

static bool is_good(struct fixture *f, const uint8_t cookie[PIN_COOKIE_BYTES])
{
    uint8_t copy[PIN_COOKIE_BYTES];
    memcpy(copy, cookie, sizeof(copy));
    return show(f, copy, sizeof(copy)) == PIN_COOKIE_GOOD;
}

static struct change_case {
    const char *name;
    const char *before; /* NULL: A alone */
    const char *after;
    mode_t mode;
    bool is_written_anew; /* new cookies differ from those of before */
    bool is_kept;         /* those of before are accepted */
    bool is_kept_for_long;
    const char *logged; /* NULL: nothing */
} changes[] = {
    {"another secret: cookies of the one before are accepted for an hour", NULL, B, 0600, true,
        true, false, "accepted for an hour"},
    {"a secret to come changes no cookie", NULL, A B, 0600, false, true, true, "new secret"},
    {"another secret in front of the one before: both are accepted", A B, B A, 0600, true, true,
        true, "new secret"},
    {"two others: the file says what is accepted", NULL, B C, 0600, true, false, false,
        "new secret"},
    {"the same once more changes nothing", NULL, A, 0600, false, true, true, NULL},
    {"a file that is broken changes nothing", NULL, "oops\n", 0600, false, true, true,
        "is used on"},
    {"nor one that everybody may read", NULL, B, 0644, false, true, true, "is used on"},
};

static void test_change(void **state)
{
    const struct change_case *c = *state;
    struct fixture *f = new_fixture();
    uint8_t before[PIN_COOKIE_BYTES];
    uint8_t after[PIN_COOKIE_BYTES];
    if (c->before != NULL) {
        put(f, c->before, 0600);
        pin_cookie_file_look(f->file);
    }
    draw(f, before);
    pin_text_cut(&f->logged, 0);
    put(f, c->after, c->mode);
    pin_cookie_file_look(f->file);
    draw(f, after);
    assert_int_equal(memcmp(before, after, sizeof(after)) != 0, c->is_written_anew);
    assert_true(is_good(f, after));
    assert_int_equal(is_good(f, before), c->is_kept);
    const char *logged = pin_text_get(&f->logged);
    assert_true(c->logged == NULL ? logged[0] == '\0' : strstr(logged, c->logged) != NULL);
    pin_text_cut(&f->logged, 0);
    pin_clock_set_fake(1000 + INT64_C(1000) * (HOUR_S - 1), INT64_C(1000) * T0);
    pin_cookie_file_look(f->file);
    assert_int_equal(is_good(f, before), c->is_kept);
    pin_clock_set_fake(1000 + INT64_C(1000) * HOUR_S, INT64_C(1000) * T0);
    pin_cookie_file_look(f->file);
    assert_int_equal(is_good(f, before), c->is_kept_for_long);
    assert_true(is_good(f, after));
    assert_string_equal(pin_text_get(&f->logged), ""); /* what is wrong is told once */
    free_fixture(f);
}

/* Whoever mends a file need not wait for anything but the next look. */
static void test_a_mended_file_is_taken(void **state)
{
    uint8_t before[PIN_COOKIE_BYTES];
    uint8_t after[PIN_COOKIE_BYTES];
    struct fixture *f = new_fixture();
    (void)state;
    draw(f, before);
    assert_int_equal(unlink(f->path), 0);
    pin_cookie_file_look(f->file);
    draw(f, after);
    assert_memory_equal(before, after, sizeof(after));
    put(f, B, 0600);
    pin_cookie_file_look(f->file);
    draw(f, after);
    assert_memory_not_equal(before, after, sizeof(after));
    assert_true(is_good(f, before));
    free_fixture(f);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(changes) + 1] = {
        [N_ELEMS(changes)] = cmocka_unit_test(test_a_mended_file_is_taken)};
    for (size_t i = 0; i < N_ELEMS(changes); i++) {
        tests[i] = (struct CMUnitTest){
            .name = changes[i].name, .test_func = test_change, .initial_state = &changes[i]};
    }
    return cmocka_run_group_tests_name("cookie file", tests, NULL, NULL);
}
