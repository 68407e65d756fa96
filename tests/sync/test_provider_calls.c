/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of providers come back once and later, or never when they were cancelled; and a server that
 * says nothing holds up nobody. */

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
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "sync/provider_rfc2136.h"
#include "sync/provider_zonefile.h"

#define ZONE    "example.com"
#define WAIT_MS 20000

/* Who was called, and how it ended. */
struct seen {
    unsigned n_calls;
    enum pin_provider_fault fault;
    enum pin_provider_verdict verdict;
    struct pin_provider *to_close; /* by the callback */
};

struct rig {
    struct pin_provider_tools tools;
    struct pin_provider *provider;
    int fd; /* listens and never answers; -1: none */
    char directory[32];
    struct seen seen;
};

static void on_list(void *arg, const struct pin_provider_listing *listing)
{
    struct seen *seen = arg;
    seen->n_calls++;
    seen->fault = listing->fault;
    pin_arena_free(listing->arena);
    pin_provider_close(seen->to_close);
}

static void on_apply(void *arg, const struct pin_provider_outcome *outcome)
{
    struct seen *seen = arg;
    seen->n_calls++;
    seen->fault = outcome->fault;
    seen->verdict = outcome->results[0].verdict;
    pin_provider_close(seen->to_close);
}

/* Opens a provider of that kind; the server of "rfc2136" takes connections and says nothing. */
static void open_rig(struct rig *rig, const char *kind)
{
    struct pin_why why = {0};
    *rig = (struct rig){.fd = -1};
    rig->tools.loop = pin_loop_new();
    assert_non_null(rig->tools.loop);
    if (strcmp(kind, "zonefile") == 0) {
        (void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/test_provider.XXXXXX");
        assert_non_null(mkdtemp(rig->directory));
        const struct pin_provider_zonefile settings = {.directory = rig->directory};
        assert_int_equal(
            pin_provider_zonefile_open(&rig->tools, &settings, &rig->provider, &why), PIN_OK);
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    rig->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(rig->fd >= 0);
    assert_int_equal(bind(rig->fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(getsockname(rig->fd, (struct sockaddr *)&address, &bytes), 0);
    assert_int_equal(listen(rig->fd, 8), 0);
    const struct pin_rfc2136_settings settings = {
        .server = pin_addrport_from_sockaddr((const struct sockaddr *)&address)};
    assert_int_equal(pin_rfc2136_open(&rig->tools, &settings, &rig->provider, &why), PIN_OK);
}

static void turn(struct rig *rig, int64_t ms)
{
    int64_t until_ms = pin_clock_mono_ms() + ms;
    while (rig->seen.n_calls == 0 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(rig->tools.loop, 20);
    }
}

static void close_rig(struct rig *rig)
{
    char path[64];
    pin_provider_close(rig->provider);
    for (int i = 0; i < 5; i++) {
        pin_loop_poll(rig->tools.loop, 0); /* what was posted for cancelled calls */
    }
    pin_loop_free(rig->tools.loop);
    if (rig->fd >= 0) {
        (void)close(rig->fd);
    }
    if (rig->directory[0] != '\0') {
        (void)snprintf(path, sizeof(path), "%s/" ZONE ".zone", rig->directory);
        (void)unlink(path);
        assert_int_equal(rmdir(rig->directory), 0);
    }
}

static struct pin_provider_call *start_list(struct rig *rig)
{
    struct pin_provider_call *call = NULL;
    if (rig->provider == NULL) {
        fail();
        return NULL;
    }
    const struct pin_provider_list_request request = {
        .zone = ZONE, .done = on_list, .arg = &rig->seen};
    assert_int_equal(pin_provider_list(rig->provider, &request, &call), PIN_OK);
    assert_int_equal(rig->seen.n_calls, 0);
    return call;
}

static struct pin_provider_call *start_apply(struct rig *rig)
{
    static struct pin_recordset_value value = {.text = "192.0.2.1"};
    static const struct pin_recordset set = {
        .name = "a." ZONE, .type = "A", .set_id = "", .ttl_s = 60, .values = &value, .n_values = 1};
    static const struct pin_provider_edit edit = {.will = &set};
    static const struct pin_provider_change change = {.edits = &edit, .n_edits = 1};
    struct pin_provider_call *call = NULL;
    if (rig->provider == NULL) {
        fail();
        return NULL;
    }
    const struct pin_provider_apply_request request = {
        .zone = ZONE, .changes = &change, .n_changes = 1, .done = on_apply, .arg = &rig->seen};
    assert_int_equal(pin_provider_apply(rig->provider, &request, &call), PIN_OK);
    assert_int_equal(rig->seen.n_calls, 0);
    return call;
}

static const char *const kinds[] = {"rfc2136", "zonefile"};

static void test_a_cancelled_call_never_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        for (int turns = 0; turns < 3; turns++) {
            struct rig rig;
            open_rig(&rig, kinds[i]);
            struct pin_provider_call *list = start_list(&rig);
            struct pin_provider_call *apply = start_apply(&rig);
            if (strcmp(kinds[i], "rfc2136") == 0) {
                turn(&rig, (int64_t)turns * 20);
            }
            pin_provider_cancel(list);
            pin_provider_cancel(apply);
            turn(&rig, 50);
            assert_int_equal(rig.seen.n_calls, 0);
            close_rig(&rig);
        }
    }
}

static void test_closing_cancels_what_is_under_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        struct rig rig;
        open_rig(&rig, kinds[i]);
        (void)start_list(&rig);
        (void)start_apply(&rig);
        pin_provider_close(rig.provider);
        rig.provider = NULL;
        turn(&rig, 50);
        assert_int_equal(rig.seen.n_calls, 0);
        close_rig(&rig);
    }
}

static void test_a_callback_may_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        struct rig rig;
        open_rig(&rig, kinds[i]);
        if (rig.fd >= 0) { /* nobody listens any more: the call ends */
            (void)close(rig.fd);
            rig.fd = -1;
        }
        rig.seen.to_close = rig.provider;
        (void)start_list(&rig);
        (void)start_list(&rig);
        rig.provider = NULL;
        turn(&rig, WAIT_MS);
        assert_int_equal(rig.seen.n_calls, 1);
        close_rig(&rig);
    }
}

static void test_a_connection_that_is_refused_leaves_the_change_to_be_done(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "rfc2136");
    (void)close(rig.fd);
    rig.fd = -1;
    (void)start_apply(&rig);
    turn(&rig, WAIT_MS);
    assert_int_equal(rig.seen.n_calls, 1);
    assert_int_equal(rig.seen.fault, PIN_PROVIDER_UNREACHABLE);
    assert_int_equal(rig.seen.verdict, PIN_PROVIDER_RETRY);
    close_rig(&rig);
}

static void test_a_connection_that_is_cut_leaves_the_change_in_doubt(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "rfc2136");
    (void)start_apply(&rig);
    turn(&rig, 50);
    int fd = accept(rig.fd, NULL, NULL);
    assert_true(fd >= 0);
    uint8_t some[2];
    while (recv(fd, some, sizeof(some), MSG_DONTWAIT) != (ssize_t)sizeof(some)) {
        turn(&rig, 20); /* until the update is on its way */
    }
    (void)close(fd);
    turn(&rig, WAIT_MS);
    assert_int_equal(rig.seen.fault, PIN_PROVIDER_UNREACHABLE);
    assert_int_equal(rig.seen.verdict, PIN_PROVIDER_UNKNOWN);
    close_rig(&rig);
}

static void test_what_cannot_be_opened_is_told(void **state)
{
    struct pin_provider *provider = NULL;
    struct pin_why why = {0};
    struct pin_provider_tools tools = {0};
    struct pin_rfc2136_settings settings = {0};
    const char *const bad = "a..b";
    (void)state;
    assert_int_equal(pin_rfc2136_open(&tools, &settings, &provider, &why), PIN_EINVAL);
    assert_true(pin_addrport_parse("192.0.2.1:53", 53, &settings.server));
    settings.key_name = "key";
    assert_int_equal(pin_rfc2136_open(&tools, &settings, &provider, &why), PIN_EINVAL);
    settings.key_name = bad;
    settings.secret_file = "f";
    assert_int_equal(pin_rfc2136_open(&tools, &settings, &provider, &why), PIN_EINVAL);
    const struct pin_provider_zonefile files = {
        .directory = "/tmp", .servers = &bad, .n_servers = 1};
    assert_int_equal(pin_provider_zonefile_open(&tools, &files, &provider, &why), PIN_EINVAL);
    assert_null(provider);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cancelled_call_never_comes_back),
        cmocka_unit_test(test_closing_cancels_what_is_under_way),
        cmocka_unit_test(test_a_callback_may_close),
        cmocka_unit_test(test_a_connection_that_is_refused_leaves_the_change_to_be_done),
        cmocka_unit_test(test_a_connection_that_is_cut_leaves_the_change_in_doubt),
        cmocka_unit_test(test_what_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests_name("provider_calls", tests, NULL, NULL);
}
