/* SPDX-License-Identifier: Apache-2.0 */

/* Cookies are those of RFC 9018, appendix A; age, address and key decide what one is worth. */

#include <arpa/inet.h>
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

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"

#include "resolver/cookie.h"

#define SECRET_A "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define SECRET_B "dd3bdf9344b678b185a6f5cb60fca715"
#define SECRET_C "445536bcd2513298075a5d379663c962"
#define V4       "198.51.100.100"
#define V6       "2001:db8:220:1:59de:d0f4:8769:82b8"
/* 2019-06-05T10:53:05Z, when the first cookie of the appendix was made. */
#define T0 UINT32_C(1559731985)
/* That cookie. */
#define FIRST "2464c4abcf10c957010000005cf79f111f8130c3eee29480"

static size_t from_hex(const char *hex, uint8_t *ret_bytes)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        ret_bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return n;
}

static struct sockaddr_storage client_of(const char *ip)
{
    struct sockaddr_storage client = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
        memcpy(&client, &v4, sizeof(v4));
    } else {
        assert_int_equal(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
        memcpy(&client, &v6, sizeof(v6));
    }
    return client;
}

static struct cookie_case {
    const char *name;
    const char *current;
    const char *former;
    const char *client;
    const char *cookie;
    uint32_t wall_s;
    enum pin_cookie_verdict want;
    const char *becomes; /* NULL: not told by the row */
} cases[] = {
    {"A.1: a client learns its cookie", SECRET_A, SECRET_A, V4, "2464c4abcf10c957", T0,
        PIN_COOKIE_NEW, FIRST},
    {"A.2: it is renewed after 40 minutes", SECRET_A, SECRET_A, V4, FIRST, T0 + 2400,
        PIN_COOKIE_GOOD, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
    {"A.3: another server's reserved bytes count in the hash, but are not written", SECRET_A,
        SECRET_A, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", T0 + 2715,
        PIN_COOKIE_BAD, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
    {"and with them it is good while it is young", SECRET_A, SECRET_A, "203.0.113.203",
        "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", T0 - 4000, PIN_COOKIE_GOOD,
        "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"},
    {"A.4: IPv6, and a cookie of the former key is written with the new one", SECRET_C, SECRET_B,
        V6, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", UINT32_C(1559741961),
        PIN_COOKIE_GOOD, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
    {"a young cookie is given back as it is", SECRET_A, SECRET_A, V4, FIRST, T0 + 1800,
        PIN_COOKIE_GOOD, FIRST},
    {"one of an hour counts", SECRET_A, SECRET_A, V4, FIRST, T0 + 3600, PIN_COOKIE_GOOD, NULL},
    {"one of an hour and a second does not", SECRET_A, SECRET_A, V4, FIRST, T0 + 3601,
        PIN_COOKIE_BAD, NULL},
    {"one from five minutes ahead counts", SECRET_A, SECRET_A, V4, FIRST, T0 - 300, PIN_COOKIE_GOOD,
        FIRST},
    {"one from further ahead does not", SECRET_A, SECRET_A, V4, FIRST, T0 - 301, PIN_COOKIE_BAD,
        NULL},
    {"another address's does not", SECRET_A, SECRET_A, "198.51.100.101", FIRST, T0, PIN_COOKIE_BAD,
        NULL},
    {"an IPv4 address that came over an IPv6 socket is the same", SECRET_A, SECRET_A, "::ffff:" V4,
        FIRST, T0, PIN_COOKIE_GOOD, FIRST},
    {"another key's does not", SECRET_B, SECRET_C, V4, FIRST, T0, PIN_COOKIE_BAD, NULL},
    {"a wrong hash does not", SECRET_A, SECRET_A, V4,
        "2464c4abcf10c957010000005cf79f111f8130c3eee29481", T0, PIN_COOKIE_BAD, FIRST},
    {"another version does not", SECRET_A, SECRET_A, V4,
        "2464c4abcf10c957020000005cf79f111f8130c3eee29480", T0, PIN_COOKIE_BAD, FIRST},
    {"a shorter server's part is somebody else's", SECRET_A, SECRET_A, V4,
        "2464c4abcf10c9570102030405060708", T0, PIN_COOKIE_BAD, FIRST},
};

static void test_judge(void **state)
{
    const struct cookie_case *c = *state;
    struct pin_cookie_secret secret = {.is_shared = true};
    struct pin_cookie_keys keys = {0};
    struct sockaddr_storage client = client_of(c->client);
    uint8_t cookie[PIN_COOKIE_BYTES] = {0};
    char text[2 * PIN_COOKIE_BYTES + 1];
    (void)from_hex(c->current, secret.shared[0]);
    (void)from_hex(c->former, secret.shared[1]);
    size_t bytes = from_hex(c->cookie, cookie);
    pin_cookie_keys_follow(&keys, &secret, c->wall_s);
    enum pin_cookie_verdict verdict =
        pin_cookie_judge(&keys, c->wall_s, (const struct sockaddr *)&client, cookie, bytes);
    assert_int_equal(verdict, c->want);
    (void)pin_hex_encode(cookie, sizeof(cookie), text);
    if (c->becomes != NULL) {
        assert_string_equal(text, c->becomes);
    }
    /* Whatever came, what goes back is good. */
    verdict = pin_cookie_judge(
        &keys, c->wall_s, (const struct sockaddr *)&client, cookie, sizeof(cookie));
    assert_int_equal(verdict, PIN_COOKIE_GOOD);
}

/* --- keys that follow the time ------------------------------------------------------------- */

static enum pin_cookie_verdict judge_at(
    const struct pin_cookie_secret *secret, uint32_t wall_s, uint8_t *cookie, size_t bytes)
{
    struct pin_cookie_keys keys = {0};
    struct sockaddr_storage client = client_of(V4);
    pin_cookie_keys_follow(&keys, secret, wall_s);
    return pin_cookie_judge(&keys, wall_s, (const struct sockaddr *)&client, cookie, bytes);
}

static void test_rollover(void **state)
{
    struct pin_cookie_secret secret;
    uint8_t cookie[PIN_COOKIE_BYTES] = "\1\2\3\4\5\6\7\x08";
    uint8_t kept[PIN_COOKIE_BYTES];
    uint32_t turn_s = 7200 * 200000; /* the first second of a turn */
    (void)state;
    pin_cookie_secret_draw(&secret, 7200);
    assert_int_equal(
        judge_at(&secret, turn_s - 1, cookie, PIN_COOKIE_CLIENT_BYTES), PIN_COOKIE_NEW);
    memcpy(kept, cookie, sizeof(kept));
    assert_int_equal(judge_at(&secret, turn_s, cookie, sizeof(cookie)), PIN_COOKIE_GOOD);
    assert_memory_not_equal(cookie, kept, sizeof(kept)); /* young, but of the former key */
    assert_int_equal(judge_at(&secret, turn_s + 1, cookie, sizeof(cookie)), PIN_COOKIE_GOOD);

    struct pin_cookie_keys a = {0};
    struct pin_cookie_keys b = {0};
    pin_cookie_keys_follow(&a, &secret, turn_s - 1);
    pin_cookie_keys_follow(&b, &secret, turn_s);
    assert_memory_equal(a.current, b.former, sizeof(a.current));
    assert_memory_not_equal(a.current, b.current, sizeof(a.current));
    pin_cookie_keys_follow(&a, &secret, turn_s + 7200);
    assert_memory_equal(b.current, a.former, sizeof(a.former));
}

static void test_secrets_differ(void **state)
{
    struct pin_cookie_secret a;
    struct pin_cookie_secret b;
    (void)state;
    pin_cookie_secret_draw(&a, 0);
    pin_cookie_secret_draw(&b, 0);
    assert_int_equal(a.rollover_s, PIN_COOKIE_OLDEST_S);
    assert_memory_not_equal(a.master, b.master, sizeof(a.master));
}

/* --- a fleet's file ------------------------------------------------------------------------ */

static struct file_case {
    const char *name;
    const char *text;
    mode_t mode;
    enum pin_err want;
} files[] = {
    {"one line", SECRET_A "\n", 0600, PIN_OK},
    {"two lines, with CR, a blank one and capitals",
        "\n" SECRET_A "\r\n"
        "DD3BDF9344B678B185A6F5CB60FCA715",
        0640, PIN_OK},
    {"three lines", SECRET_A "\n" SECRET_B "\n" SECRET_C "\n", 0600, PIN_EPARSE},
    {"nothing", "\n", 0600, PIN_EPARSE},
    {"a digit too few", "e5e973e5a6b2a43f48e7dc849e37bfc\n", 0600, PIN_EPARSE},
    {"a letter that is no digit", "e5e973e5a6b2a43f48e7dc849e37bfcg\n", 0600, PIN_EPARSE},
    {"a letter before the digits", "g5e973e5a6b2a43f48e7dc849e37bfcf\n", 0600, PIN_EPARSE},
    {"signs that are near digits and letters", "!5e973e5a6b2a43f48e7dc849e37bf:f\n", 0600,
        PIN_EPARSE},
    {"and another one", "e:e973e5a6b2a43f48e7dc849e37bf~f\n", 0600, PIN_EPARSE},
    {"readable for everybody", SECRET_A "\n", 0644, PIN_EDENIED},
};

static void test_file(void **state)
{
    const struct file_case *c = *state;
    char path[] = "/tmp/pintle-cookie-XXXXXX";
    struct pin_cookie_secret secret;
    struct pin_why why = {0};
    uint8_t want[PIN_SIPHASH_KEY_BYTES];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, c->text, strlen(c->text)), (ssize_t)strlen(c->text));
    assert_int_equal(fchmod(fd, c->mode), 0);
    (void)close(fd);
    enum pin_err err = pin_cookie_secret_read(path, &secret, &why);
    (void)unlink(path);
    assert_int_equal(err, c->want);
    if (err == PIN_OK) {
        assert_true(secret.is_shared);
        (void)from_hex(SECRET_A, want);
        assert_memory_equal(secret.shared[0], want, sizeof(want));
        (void)from_hex(strchr(c->text, 'D') != NULL ? SECRET_B : SECRET_A, want);
        assert_memory_equal(secret.shared[1], want, sizeof(want));
    } else {
        assert_non_null(strstr(why.text, path));
    }
}

static void test_missing_file(void **state)
{
    struct pin_cookie_secret secret;
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pin_cookie_secret_read("/nonexistent/secret", &secret, &why), PIN_ENOTFOUND);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_rollover),
        cmocka_unit_test(test_secrets_differ),
        cmocka_unit_test(test_missing_file),
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(files) + N_ELEMS(others)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_judge, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        tests[N_ELEMS(cases) + i] = (struct CMUnitTest){
            .name = files[i].name, .test_func = test_file, .initial_state = &files[i]};
    }
    memcpy(tests + N_ELEMS(cases) + N_ELEMS(files), others, sizeof(others));
    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
