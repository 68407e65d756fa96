/* SPDX-License-Identifier: Apache-2.0 */

/* A provider is opened by its kind; the key of encrypted ownership is read as external-dns does. */

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

#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/sync/providers.h"

#include "sync/http.h"
#include "sync/provider.h"

/* --- Opening -------------------------------------------------------------------------------- */

static struct open_case {
    const char *name;
    const char *word; /* its kind, as it says itself */
    struct pin_provider_settings settings;
    enum pin_err want;
} open_cases[] = {
    {"a server that takes updates", "rfc2136",
        {.kind = PIN_PROVIDER_KIND_RFC2136,
            .rfc2136 = {.server = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = 53}}},
        PIN_OK},
    {"a server without an address", "rfc2136", {.kind = PIN_PROVIDER_KIND_RFC2136}, PIN_EINVAL},
    {"a PowerDNS", "powerdns",
        {.kind = PIN_PROVIDER_KIND_POWERDNS,
            .powerdns = {.url = "http://127.0.0.1:8081", .api_key_file = "k"}},
        PIN_OK},
    {"a PowerDNS without a key", "powerdns",
        {.kind = PIN_PROVIDER_KIND_POWERDNS, .powerdns = {.url = "http://127.0.0.1:8081"}},
        PIN_EINVAL},
    {"a PowerDNS with a CA that is not there", "powerdns",
        {.kind = PIN_PROVIDER_KIND_POWERDNS,
            .powerdns = {.url = "https://h", .api_key_file = "k", .ca_file = "/nowhere/ca.pem"}},
        PIN_ENOTFOUND},
    {"Route 53, which needs nothing to be said", "route53", {.kind = PIN_PROVIDER_KIND_ROUTE53},
        PIN_OK},
    {"Route 53 with half a key", "route53",
        {.kind = PIN_PROVIDER_KIND_ROUTE53, .route53 = {.access_key_file = "k"}}, PIN_EINVAL},
    {"a webhook", "webhook",
        {.kind = PIN_PROVIDER_KIND_WEBHOOK, .webhook = {.url = "http://127.0.0.1:8888"}}, PIN_OK},
    {"a webhook at no URL", "webhook",
        {.kind = PIN_PROVIDER_KIND_WEBHOOK, .webhook = {.url = "127.0.0.1:8888"}}, PIN_EINVAL},
    {"a directory", "zonefile",
        {.kind = PIN_PROVIDER_KIND_ZONEFILE, .zonefile = {.directory = "/tmp"}}, PIN_OK},
    {"a directory with a mailbox that is no name", "zonefile",
        {.kind = PIN_PROVIDER_KIND_ZONEFILE,
            .zonefile = {.directory = "/tmp", .hostmaster = "a..b"}},
        PIN_EINVAL},
};

static void test_open(void **state)
{
    const struct open_case *c = *state;
    struct pin_why why = {0};
    struct pin_provider *provider = NULL;
    struct pin_provider_tools tools = {.loop = pin_loop_new()};
    assert_non_null(tools.loop);
    tools.http = pin_http_new(tools.loop);
    assert_non_null(tools.http);
    assert_int_equal(pin_providers_open(&tools, &c->settings, &provider, &why), c->want);
    assert_int_equal(provider != NULL, c->want == PIN_OK);
    assert_int_equal(why.text[0] != '\0', c->want != PIN_OK);
    if (provider != NULL) {
        assert_string_equal(provider->ops->kind, c->word);
    }
    pin_provider_close(provider);
    pin_http_free(tools.http);
    pin_loop_free(tools.loop);
}

/* --- The key -------------------------------------------------------------------------------- */

#define RAW    "0123456789abcdef0123456789abcdef"
#define BASE64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
/* fb ff bf, then 29 bytes of 0 */
#define STANDARD "+/+/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define FOR_URLS "-_-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ODD      "\xFB\xFF\xBF"

static struct key_case {
    const char *name;
    const char *text; /* NULL: no file */
    mode_t mode;
    enum pin_err want;
    const char *key; /* how it begins */
} key_cases[] = {
    {"32 bytes are a key", RAW, 0600, PIN_OK, RAW},
    {"white space around them is none", " " RAW "\n", 0640, PIN_OK, RAW},
    {"so is base64 of them", BASE64 "\n", 0600, PIN_OK, RAW},
    {"with all of its letters", STANDARD, 0600, PIN_OK, ODD},
    {"and with those for URLs", FOR_URLS, 0600, PIN_OK, ODD},
    {"31 bytes are none", "123456789abcdef0123456789abcdef", 0600, PIN_EPARSE, NULL},
    {"nor is base64 of 33", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYw", 0600, PIN_EPARSE, NULL},
    {"nor is a word", "secret!", 0600, PIN_EPARSE, NULL},
    {"nor is nothing", "", 0600, PIN_EPARSE, NULL},
    {"what everybody may read is no secret", RAW, 0644, PIN_EDENIED, NULL},
    {"what is not there is told", NULL, 0, PIN_ENOTFOUND, NULL},
};

static void test_key(void **state)
{
    const struct key_case *c = *state;
    static const uint8_t untouched[PIN_AES_KEY_BYTES];
    char path[] = "/tmp/pintle-key-XXXXXX";
    uint8_t key[PIN_AES_KEY_BYTES] = {0};
    struct pin_why why = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    if (c->text == NULL) {
        assert_int_equal(unlink(path), 0);
    } else {
        assert_int_equal(write(fd, c->text, strlen(c->text)), (ssize_t)strlen(c->text));
        assert_int_equal(fchmod(fd, c->mode), 0);
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(pin_providers_read_key(path, key, &why), c->want);
    if (c->want == PIN_OK) {
        assert_memory_equal(key, c->key, strlen(c->key));
    } else {
        assert_memory_equal(key, untouched, sizeof(key));
        assert_non_null(strstr(why.text, path));
        assert_true(c->text == NULL || c->text[0] == '\0' || strstr(why.text, c->text) == NULL);
    }
    (void)unlink(path);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(open_cases) + N_ELEMS(key_cases)];
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(open_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = open_cases[i].name, .test_func = test_open, .initial_state = &open_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(key_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = key_cases[i].name, .test_func = test_key, .initial_state = &key_cases[i]};
    }
    return _cmocka_run_group_tests("providers", tests, n, NULL, NULL);
}
