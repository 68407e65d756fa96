/* SPDX-License-Identifier: Apache-2.0 */

/* Providers behind HTTP when nobody listens, when they are cancelled or closed, and when memory
 * runs out: each call ends once, or never began. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "support/faults.h"
#include "sync/http.h"
#include "sync/provider_powerdns.h"
#include "sync/provider_route53.h"
#include "sync/provider_web.h"
#include "sync/provider_webhook.h"

#define NOBODY  "http://127.0.0.1:1" /* a port that is nobody's */
#define MOST    500u
#define WAIT_MS 30000

struct web_box {
    struct pin_provider_tools tools;
    struct pin_provider *provider;
    char url[64];
    char key_file[64];
    unsigned n_done;
    bool closes; /* in the callback */
    enum pin_provider_fault fault;
    enum pin_provider_verdict verdict;
};

typedef enum pin_err open_fn(struct web_box *box);

static enum pin_err open_powerdns(struct web_box *box)
{
    struct pin_powerdns_settings settings = {.url = box->url, .api_key_file = box->key_file};
    return pin_powerdns_open(&box->tools, &settings, &box->provider, NULL);
}

static enum pin_err open_webhook(struct web_box *box)
{
    struct pin_webhook_settings settings = {.url = box->url};
    return pin_webhook_open(&box->tools, &settings, &box->provider, NULL);
}

static enum pin_err open_route53(struct web_box *box)
{
    static const struct pin_route53_zone_id zone = {"example.com", "Z1"};
    struct pin_route53_settings settings = {.endpoint = box->url,
        .access_key_file = box->key_file,
        .secret_key_file = box->key_file,
        .zones = &zone,
        .n_zones = 1};
    return pin_route53_open(&box->tools, &settings, &box->provider, NULL);
}

static int set_up_web(void **state)
{
    struct web_box *box = calloc(1, sizeof(*box));
    assert_non_null(box);
    (void)snprintf(box->url, sizeof(box->url), NOBODY);
    (void)snprintf(box->key_file, sizeof(box->key_file), "/tmp/pintle-web-%d.key", getpid());
    assert_int_equal(pin_file_write_atomic(box->key_file, "key", 3, 0600, NULL), PIN_OK);
    box->tools.loop = pin_loop_new();
    box->tools.http = pin_http_new(box->tools.loop);
    assert_non_null(box->tools.http);
    *state = box;
    return 0;
}

static int tear_down_web(void **state)
{
    struct web_box *box = *state;
    pin_provider_close(box->provider);
    pin_http_free(box->tools.http);
    pin_loop_free(box->tools.loop);
    (void)unlink(box->key_file);
    free(box);
    return 0;
}

static void end(struct web_box *box, enum pin_provider_fault fault)
{
    box->n_done++;
    box->fault = fault;
    if (box->closes) {
        pin_provider_close(box->provider);
        box->provider = NULL;
    }
}

static void on_listed(void *arg, const struct pin_provider_listing *listing)
{
    pin_arena_free(listing->arena);
    end(arg, listing->fault);
}

static void on_applied(void *arg, const struct pin_provider_outcome *outcome)
{
    struct web_box *box = arg;
    assert_int_equal(outcome->n_results, 1);
    box->verdict = outcome->results[0].verdict;
    end(box, outcome->fault);
}

static struct pin_recordset_value value = {.text = "192.0.2.1"};
static const struct pin_recordset set = {
    .name = "a.example.com", .type = "A", .set_id = "", .values = &value, .n_values = 1};
static const struct pin_provider_edit edit = {.will = &set};
static const struct pin_provider_change change = {&edit, 1};

static enum pin_err start(struct web_box *box, bool is_apply, struct pin_provider_call **ret_call)
{
    struct pin_provider_list_request list = {.zone = "example.com", .done = on_listed, .arg = box};
    struct pin_provider_apply_request apply = {
        .zone = "example.com", .changes = &change, .n_changes = 1, .done = on_applied, .arg = box};
    return is_apply ? pin_provider_apply(box->provider, &apply, ret_call)
                    : pin_provider_list(box->provider, &list, ret_call);
}

static void wait_done(struct web_box *box, unsigned n)
{
    int64_t until_ms = pin_clock_mono_ms() + WAIT_MS;
    while (box->n_done < n && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(box->tools.loop, 20);
    }
    assert_int_equal(box->n_done, n);
}

static open_fn *const kinds[] = {open_powerdns, open_webhook, open_route53};

static void test_nobody_listens(void **state)
{
    struct web_box *box = *state;
    struct pin_provider_call *call = NULL;
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        box->n_done = 0;
        assert_int_equal(kinds[i](box), PIN_OK);
        assert_int_equal(start(box, false, &call), PIN_OK);
        assert_int_equal(box->n_done, 0); /* never during the call */
        wait_done(box, 1);
        assert_int_equal(box->fault, PIN_PROVIDER_UNREACHABLE);
        assert_int_equal(start(box, true, &call), PIN_OK);
        wait_done(box, 2);
        assert_int_equal(box->fault, PIN_PROVIDER_UNREACHABLE);
        assert_int_equal(box->verdict, PIN_PROVIDER_RETRY);
        pin_provider_close(box->provider);
        box->provider = NULL;
    }
}

/* A socket that takes connections and says nothing. */
static int listen_silently(struct web_box *box)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    (void)snprintf(box->url, sizeof(box->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void test_cancelled_and_closed(void **state)
{
    struct web_box *box = *state;
    struct pin_provider_call *call = NULL;
    struct pin_provider_call *other = NULL;
    int fd = listen_silently(box);
    for (size_t i = 0; i < 2 * N_ELEMS(kinds); i++) {
        assert_int_equal(kinds[i / 2](box), PIN_OK);
        assert_int_equal(start(box, false, &call), PIN_OK);
        assert_int_equal(start(box, true, &other), PIN_OK);
        for (size_t k = 0; k < 10 * (i % 2); k++) {
            pin_loop_poll(box->tools.loop, 5); /* under way; or not even begun */
        }
        pin_provider_cancel(call);
        pin_provider_close(box->provider); /* cancels the other one */
        box->provider = NULL;
        pin_loop_poll(box->tools.loop, 50);
        assert_int_equal(box->n_done, 0);
    }
    (void)close(fd);
}

static void test_closed_by_its_callback(void **state)
{
    struct web_box *box = *state;
    struct pin_provider_call *call = NULL;
    box->closes = true;
    for (size_t i = 0; i < 2 * N_ELEMS(kinds); i++) {
        box->n_done = 0;
        assert_int_equal(kinds[i / 2](box), PIN_OK);
        assert_int_equal(start(box, i % 2 == 1, &call), PIN_OK);
        wait_done(box, 1);
        assert_null(box->provider);
    }
}

/* The n-th allocation fails: in opening, in beginning, in sending. Until there is no n-th. */
static void test_memory_runs_out(void **state)
{
    struct web_box *box = *state;
    for (size_t i = 0; i < 2 * N_ELEMS(kinds); i++) {
        unsigned n_failed = 1;
        for (unsigned n = 0; n_failed > 0 && n < MOST; n++) {
            struct pin_provider_call *call = NULL;
            box->n_done = 0;
            pin_faults_start(n, 1);
            enum pin_err err = kinds[i / 2](box);
            bool is_open = err == PIN_OK;
            err = is_open ? start(box, i % 2 == 1, &call) : err;
            if (err == PIN_OK) {
                wait_done(box, 1);
                assert_int_not_equal(box->fault, PIN_PROVIDER_NONE);
            } else {
                assert_int_equal(err, PIN_ENOMEM);
            }
            n_failed = pin_faults_stop();
            if (is_open) {
                pin_provider_close(box->provider);
            }
            box->provider = NULL;
        }
        assert_int_equal(n_failed, 0);
    }
}

static void test_urls(void **state)
{
    static const struct {
        const char *url;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"http://127.0.0.1:8081/", "http://127.0.0.1:8081"},
        {"https://dns.example/api//", "https://dns.example/api"},
        {"http://", NULL},
        {"ftp://dns.example", NULL},
        {"dns.example:8081", NULL},
        {"http://user:password@dns.example", NULL},
        {"http://dns.example/?x", NULL},
        {"http://dns.example/#x", NULL},
        {"http://dns.example/a@b", "http://dns.example/a@b"},
    };
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct pin_target *target = NULL;
        struct pin_why why = {0};
        enum pin_err err = pin_web_target(rows[i].url, NULL, &target, &why);
        assert_int_equal(err, rows[i].want == NULL ? PIN_EINVAL : PIN_OK);
        assert_null(strstr(why.text, "password"));
        if (err == PIN_OK) {
            assert_string_equal(target->server, rows[i].want);
        }
        pin_target_free(target);
    }
    struct pin_target *target = NULL;
    assert_int_equal(
        pin_web_target("https://dns.example", "/nowhere/ca.crt", &target, NULL), PIN_ENOTFOUND);
}

#define A_WEB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_web, tear_down_web)

int main(void)
{
    const struct CMUnitTest tests[] = {A_WEB_TEST(test_nobody_listens),
        A_WEB_TEST(test_cancelled_and_closed), A_WEB_TEST(test_closed_by_its_callback),
        A_WEB_TEST(test_memory_runs_out), cmocka_unit_test(test_urls)};
    return cmocka_run_group_tests_name("provider_web", tests, NULL, NULL);
}
